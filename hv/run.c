/* SPDX-License-Identifier: GPL-3.0-or-later
 * The vCPU thread: takes commands, runs the engine, and waits in HLT. Everything here except the inbox
 * and the command word belongs to this thread alone. */
#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>
#include <x86intrin.h>

#include "base/log.h"
#include "hv/machine_int.h"

enum { SPIN_TSC = 100000, ICOUNT_POLL = 1 << 20 /* instructions between deliveries of input */ };

/* ---- callbacks ---- */

/* In icount mode the run loop delivers input, at instruction counts of its choosing; a kick comes at any
 * time. */
static void plat_run_timers(void *ctx)
{
	struct machine *m = ctx;

	door_opens(&m->door);
	if (m->board.clock.mode == CLOCK_HOST)
		inbox_deliver(&m->inbox, &m->board);
	hosted_serve(m);
	clock_run(&m->board.clock);
	door_closes(&m->door, DOOR_KICK);
}

/* Make the stop descriptor readable although the machine runs on. The guest's vector registers may be live.
 */
__attribute__((target("general-regs-only"))) static void plat_notify(void *ctx)
{
	struct machine *m = ctx;
	uint64_t one = 1;

	if (write(m->stop_fd, &one, sizeof(one)) < 0)
		return; /* already readable */
}

struct platform run_platform(struct machine *m)
{
	struct platform p = platform_callbacks(m);

	p.run_timers = plat_run_timers;
	p.notify = plat_notify;
	return p;
}

/* ---- the loop ---- */

static struct machine_stop stopped(struct machine *m, enum machine_state state, enum stop_reason reason)
{
	return (struct machine_stop){
		.state = state,
		.reason = reason,
		.icount = m->v->icount,
	};
}

static bool interruptible(const struct machine *m)
{
	return m->v->cpu.intf || m->v->any_intr || m->v->cpu.nmi_pending || m->alarm.at != UINT64_MAX;
}

static bool wakes(const struct machine *m)
{
	const struct vcpu *v = m->v;

	return (m->board.intr && !v->deaf && (v->cpu.intf || v->any_intr)) || v->due ||
	       (v->cpu.nmi_pending && (!v->cpu.nmi_blocked || v->any_nmi));
}

static void drain(int fd)
{
	uint64_t n;

	while (read(fd, &n, sizeof(n)) > 0)
		;
}

/* Wait while the processor is halted. Timers matter only when an interrupt could be taken. */
static void halt_wait(struct machine *m)
{
	struct vm_clock *c = &m->board.clock;
	uint64_t next = interruptible(m) ? clock_next(c) : memory_deadline(m), now;

	board_flush(&m->board);
	if (c->mode == CLOCK_ICOUNT && next != CLOCK_NEVER) {
		clock_skip_to(c, next);
		return;
	}
	now = clock_now(c);
	if (next <= now)
		return;
	m->halts++;
	m->spent.halt_since = __rdtsc();
	hosted_nap(m, next == CLOCK_NEVER ? next : next - now);
	m->spent.halted += __rdtsc() - m->spent.halt_since;
	m->spent.halt_since = 0;
	m->halted_ns += clock_now(c) - now;
}

static void cpu_init_line(struct machine *m)
{
	LOG(cpu, "processor reset");
	cpu_reset(&m->v->cpu);
	if (m->v->ops->reset)
		m->v->ops->reset(m->v);
	m->v->cpu.a20_mask = m->board.a20 ? 0xffffffffu : 0xffefffffu;
	lapic_cpu_reset(m->board.dev[SLOT_lapic]);
	m->v->ops->state_changed(m->v);
}

/* The guest asserted RESET. With a BIOS, memory stays and execution continues at the reset vector; without
 * one, the image is loaded again. Returns true to keep running. */
static bool reset_event(struct machine *m, enum board_event ev, struct machine_stop *out)
{
	if (m->cfg.no_reboot && !(ev == EVENT_CPU_RESET && image_wants_bios(&m->cfg.image))) {
		*out = stopped(m, MACHINE_DEAD, STOP_END);
		return false;
	}
	if (image_wants_bios(&m->cfg.image)) {
		if (ev == EVENT_RESET)
			board_reset(&m->board);
		cpu_init_line(m);
		return true;
	}
	if (machine_load(m, m->v->error, sizeof(m->v->error)))
		return true;
	*out = stopped(m, MACHINE_FAILED, STOP_END);
	return false;
}

/* Handle a device's request to end or to reset. Returns true to keep running. */
static bool board_events(struct machine *m, struct machine_stop *out)
{
	enum board_event ev = m->board.event;

	m->board.event = EVENT_NONE;
	switch (ev) {
	case EVENT_NONE:
		return true;
	case EVENT_OFF:
		*out = stopped(m, MACHINE_OFF, STOP_END);
		return false;
	case EVENT_EXIT:
		*out = stopped(m, MACHINE_EXITED, STOP_END);
		return false;
	case EVENT_PANIC:
		*out = stopped(m, MACHINE_STOPPED, STOP_PANIC);
		return false;
	default:
		return reset_event(m, ev, out);
	}
}

/* Say which exceptions led to the triple fault. */
static void describe_shutdown(struct vcpu *v)
{
	size_t n = (size_t)snprintf(v->error, sizeof(v->error), "triple fault at %#llx",
				    (unsigned long long)cpu_pc(&v->cpu));

	for (unsigned i = 0; i < v->nchain && n < sizeof(v->error); i++) {
		const struct engine_exc *e = &v->chain[i];
		const char *name = exc_name(e->exc.vector);
		char err[16] = "", cr2[24] = "";

		if (e->exc.has_err)
			snprintf(err, sizeof(err), "(%#x)", e->exc.err);
		if (e->exc.vector == EXC_PF)
			snprintf(cr2, sizeof(cr2), " cr2 %#" PRIx64, e->exc.cr2);
		n += (size_t)snprintf(v->error + n, sizeof(v->error) - n, "%s %s%s%s at %#x:%#llx",
				      i ? "," : ":", name ? name : "exception", err, cr2, e->cs,
				      (unsigned long long)e->eip);
	}
}

/* Handle an engine exit. Returns true to keep running. */
static bool engine_exit(struct machine *m, enum engine_exit e, struct machine_stop *out)
{
	switch (e) {
	case ENGINE_STOP:
	case ENGINE_HALT:
	case ENGINE_ICOUNT: /* the loop checks these itself */
		return true;
	case ENGINE_BREAK:
		*out = stopped(m, MACHINE_STOPPED, STOP_BREAK);
		return false;
	case ENGINE_WATCH:
		*out = stopped(m, MACHINE_STOPPED, STOP_WATCH);
		return false;
	case ENGINE_EVENT:
		*out = stopped(m, MACHINE_STOPPED, STOP_EVENT);
		return false;
	case ENGINE_STEPPED:
		*out = stopped(m, MACHINE_STOPPED, STOP_STEP);
		return false;
	case ENGINE_SHUTDOWN:
		describe_shutdown(m->v);
		*out = stopped(m, MACHINE_DEAD, STOP_END);
		return false;
	default:
		*out = stopped(m, MACHINE_FAILED, STOP_END);
		return false;
	}
}

/* A point waits for what has happened in the machine: tell it as the engine tells of its events. */
static struct machine_stop hit(struct machine *m)
{
	const struct machine_hit h = m->board.hit;

	m->board.hit = (struct machine_hit){ 0 };
	m->v->event = (struct engine_hit){
		.kind = (enum engine_event)h.kind, .number = h.number, .val = h.val, .pc = cpu_pc(&m->v->cpu)
	};
	return stopped(m, MACHINE_STOPPED, STOP_EVENT);
}

/* Handle input, timers, device events and stop requests. Returns true to keep running. */
static bool service(struct machine *m, struct machine_stop *out)
{
	inbox_deliver(&m->inbox, &m->board);
	hosted_serve(m);
	clock_run(&m->board.clock);
	if (!board_events(m, out))
		return false;
	if (atomic_exchange(&m->stop_wanted, false)) {
		*out = stopped(m, MACHINE_STOPPED, STOP_REQUEST);
		return false;
	}
	if (m->board.hit.kind) {
		*out = hit(m);
		return false;
	}
	return true;
}

static void set_limit(struct machine *m)
{
	struct vm_clock *c = &m->board.clock;
	uint64_t poll = (m->v->icount | (ICOUNT_POLL - 1)) + 1;

	if (c->mode != CLOCK_ICOUNT)
		return;
	c->limit = m->target < poll ? m->target : poll;
	clock_set_icount_limit(c);
}

/* The engine executes: in the VMM world. */
static enum engine_exit execute_guest(struct machine *m)
{
	enum engine_exit e;

	door_closes(&m->door, m->hosted.left_for);
	e = m->v->ops->run(m->v);
	door_opens(&m->door);
	m->hosted.left_for = e == ENGINE_HALT ? DOOR_HALT : DOOR_STOP;
	return e;
}

static enum engine_exit step_guest(struct machine *m, unsigned how)
{
	enum engine_exit e;

	m->door.host = false;
	e = m->v->ops->step(m->v, how);
	m->door.host = true;
	return e;
}

static struct machine_stop run(struct machine *m)
{
	struct machine_stop out;

	while (service(m, &out)) {
		if (m->board.clock.mode == CLOCK_ICOUNT && m->v->icount >= m->target)
			return stopped(m, MACHINE_STOPPED, STOP_ICOUNT);
		if (memory_waits(m))
			continue;
		if (m->v->cpu.halted && !wakes(m)) {
			halt_wait(m);
			continue;
		}
		if (!m->v->nonroot)
			m->v->cpu.halted = 0;
		set_limit(m);
		if (!engine_exit(m, execute_guest(m), &out)) {
			if (m->board.event != EVENT_NONE && out.state == MACHINE_STOPPED)
				board_events(m, &out);
			break;
		}
	}
	return out;
}

static struct machine_stop step(struct machine *m, unsigned how)
{
	bool with_irq = how & ENGINE_STEP_IRQ;
	struct machine_stop out;

	do {
		if (!service(m, &out))
			return out;
		if (!m->v->cpu.halted || !with_irq || wakes(m))
			break;
		halt_wait(m);
	} while (true);
	if (m->v->cpu.halted && !wakes(m))
		return stopped(m, MACHINE_STOPPED, STOP_STEP);
	if (with_irq && !m->v->nonroot)
		m->v->cpu.halted = 0;
	set_limit(m);
	if (engine_exit(m, step_guest(m, how), &out))
		out = stopped(m, MACHINE_STOPPED, STOP_STEP);
	if (m->board.event != EVENT_NONE && out.state == MACHINE_STOPPED)
		board_events(m, &out);
	return out;
}

/* Wait for a command; spin first, because single steps come in series. */
static enum machine_cmd next_command(struct machine *m)
{
	uint64_t t0 = __rdtsc();
	enum machine_cmd cmd;

	while (atomic_load(&m->cmd) == CMD_NONE && __rdtsc() - t0 < SPIN_TSC)
		_mm_pause();
	pthread_mutex_lock(&m->lock);
	while ((cmd = atomic_load(&m->cmd)) == CMD_NONE)
		pthread_cond_wait(&m->wake, &m->lock);
	pthread_mutex_unlock(&m->lock);
	return cmd;
}

static struct machine_stop execute(struct machine *m, enum machine_cmd cmd, unsigned how)
{
	struct machine_stop out;

	if (cmd == CMD_RELOAD) {
		m->reload_ok = machine_load(m, m->reload_err, sizeof(m->reload_err));
		return stopped(m, m->reload_ok ? MACHINE_STOPPED : MACHINE_FAILED, STOP_NONE);
	}
	drain(m->wake_fd);
	clock_start(&m->board.clock);
	m->door.opened = 0; /* the time while it was stopped is nobody's */
	m->spent.since = __rdtsc();
	out = cmd == CMD_RUN ? run(m) : step(m, how);
	m->spent.ran += __rdtsc() - m->spent.since;
	m->spent.since = 0;
	clock_stop(&m->board.clock);
	board_flush(&m->board);
	return out;
}

struct machine_stop run_step_here(struct machine *m, unsigned how)
{
	atomic_store(&m->stop_wanted, false);
	m->board.clock.no_kicks = true;
	m->stop = execute(m, CMD_STEP, how);
	m->board.clock.no_kicks = false;
	atomic_store(&m->state, m->stop.state);
	return m->stop;
}

static void report(struct machine *m, struct machine_stop out)
{
	uint64_t one = 1;

	pthread_mutex_lock(&m->lock);
	m->stop = out;
	atomic_store(&m->cmd, CMD_NONE);
	atomic_store(&m->state, out.state);
	if (write(m->stop_fd, &one, sizeof(one)) < 0)
		LOG(dev, "cannot signal the stop descriptor: %s", strerror(errno));
	pthread_cond_broadcast(&m->done);
	pthread_mutex_unlock(&m->lock);
}

/* Block the signals that other threads handle; the engine's own stay unblocked. */
static void block_signals(void)
{
	static const int others[] = { SIGINT,  SIGTERM, SIGHUP,	 SIGQUIT, SIGWINCH, SIGCHLD,
				      SIGALRM, SIGTSTP, SIGPIPE, SIGUSR1, SIGUSR2 };
	sigset_t set;

	sigemptyset(&set);
	for (unsigned i = 0; i < ARRAY_LEN(others); i++)
		sigaddset(&set, others[i]);
	pthread_sigmask(SIG_BLOCK, &set, NULL);
}

static bool begin_thread(struct machine *m)
{
	bool (*begins)(char *err, size_t errlen) = m->cfg.thread_begins;
	bool ok = !begins || begins(m->reload_err, sizeof(m->reload_err));

	pthread_mutex_lock(&m->lock);
	m->thread_state = ok ? THREAD_SERVES : THREAD_FAILED;
	pthread_cond_broadcast(&m->done);
	pthread_mutex_unlock(&m->lock);
	return ok;
}

void *run_thread(void *arg)
{
	struct machine *m = arg;
	enum machine_cmd cmd;

	block_signals();
	pthread_setname_np(pthread_self(), "vcpu");
	prctl(PR_SET_TIMERSLACK, 1);
	if (!clock_bind_thread(&m->board.clock))
		LOG(dev, "cannot create a host timer: %s", strerror(errno));
	if (!begin_thread(m))
		return NULL;
	while ((cmd = next_command(m)) != CMD_QUIT)
		report(m, execute(m, cmd, cmd == CMD_STEP_IRQ ? ENGINE_STEP_IRQ : 0));
	return NULL;
}
