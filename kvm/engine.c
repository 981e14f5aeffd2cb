/* SPDX-License-Identifier: GPL-3.0-or-later
 * See kvm/kvm.h: the engine's operations, the loop around KVM_RUN, and what the other engine executes.
 *
 * Registers are in struct cpu when run() begins and ends, in KVM (K->in_kvm) from an entry on, and go back
 * for the other engine. A kick is a signal that is blocked except in KVM_RUN, so none is lost between a look
 * at the flags and the entry. */
#include "kvm/kvm_int.h"

#include "base/log.h"
#include "base/monotonic.h"
#include "cpu/system.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>

struct kvm_engine *kvm_of(struct vcpu *v)
{
	return (struct kvm_engine *)(uintptr_t)((uintptr_t)v->ops - offsetof(struct kvm_engine, ops));
}

/* ---- kicks ---- */

static sigset_t kick_set(void)
{
	sigset_t s;

	sigemptyset(&s);
	sigaddset(&s, ENGINE_KICK_SIGNAL);
	return s;
}

static void block_kicks(bool on)
{
	sigset_t s = kick_set();

	pthread_sigmask(on ? SIG_BLOCK : SIG_UNBLOCK, &s, NULL);
}

/* Take the signal that ended KVM_RUN. */
static void take_kick(struct kvm_engine *k)
{
	sigset_t s = kick_set();

	while (sigtimedwait(&s, NULL, &(struct timespec){ 0 }) > 0)
		;
	k->kick = true;
}

static void kick(struct vcpu *v)
{
	struct kvm_engine *k = kvm_of(v);

	k->kick = true;
	if (k->active)
		pthread_kill(k->thread, ENGINE_KICK_SIGNAL);
	k->inner->kick(v);
}

static void request_stop(struct vcpu *v)
{
	kvm_of(v)->stop = true;
	kvm_of(v)->inner->request_stop(v);
	kick(v);
}

/* The calling thread executes the guest, or does not any more. */
static void begin(struct kvm_engine *k)
{
	k->thread = pthread_self();
	block_kicks(true);
	k->active = true;
}

static void end(struct kvm_engine *k)
{
	k->active = false;
	block_kicks(false);
}

/* ---- KVM ---- */

static int kvm_error(struct kvm_engine *k, int error)
{
	snprintf(k->v->error, sizeof(k->v->error), "KVM cannot run the guest: %s", strerror(error));
	return ENGINE_ERROR;
}

/* One KVM_RUN. 0, or the error; its exit is noted. */
static int enter(struct kvm_engine *k)
{
	uint64_t start = k->inside_since = __builtin_ia32_rdtsc(), cycles;
	int error = ioctl(k->cpu_fd, KVM_RUN, 0) ? errno : 0;
	uint32_t n = error == EINTR ? KVM_EXIT_INTR : k->run->exit_reason;
	struct kvm_cost *cost = &k->exits[n < KVM_EXITS ? n : 0];

	cycles = __builtin_ia32_rdtsc() - start;
	k->inside += cycles;
	k->inside_since = 0;

	k->pending = false;
	k->ready = k->run->ready_for_interrupt_injection && k->run->if_flag;
	cost->count++;
	cost->guest += cycles;
	cost->pc = (gva)k->run->s.regs.regs.rip;
	return error;
}

static int handle(struct kvm_engine *k)
{
	uint64_t start = __builtin_ia32_rdtsc();
	uint32_t n = k->run->exit_reason;
	int out = exit_handle(k);

	k->pending =
	    n == KVM_EXIT_IO || n == KVM_EXIT_MMIO || n == KVM_EXIT_X86_RDMSR || n == KVM_EXIT_X86_WRMSR;
	k->exits[n < KVM_EXITS ? n : 0].here += __builtin_ia32_rdtsc() - start;
	return out;
}

/* Complete what the last exit left, so that the registers are those between two instructions. A string
 * instruction may have more to do. GO_ON, or what ends run(). */
static int complete(struct kvm_engine *k)
{
	int error, out = GO_ON;

	while (k->in_kvm && k->pending && out == GO_ON) {
		k->run->immediate_exit = 1;
		error = ioctl(k->cpu_fd, KVM_RUN, 0) ? errno : 0;
		k->run->immediate_exit = 0;
		k->pending = false;
		if (error && error != EINTR)
			return kvm_error(k, error);
		if (!error)
			out = handle(k);
	}
	return out;
}

/* Registers back to struct cpu. What that comes to is more important than OUT. */
static int leave_kvm(struct kvm_engine *k, int out)
{
	int how = complete(k), state;

	state = state_from_kvm(k);
	return state != GO_ON ? state : how != GO_ON ? how : out;
}

/* An error of KVM_RUN itself. */
static int failed(struct kvm_engine *k, int error)
{
	switch (error) {
	case EINTR:
	case EAGAIN:
		take_kick(k);
		return GO_ON;
	case EFAULT: /* memory that the mirror does not map, or read-only */
	case EHWPOISON:
		k->once = REASON_MEMORY;
		return GO_ON;
	default:
		return kvm_error(k, error);
	}
}

/* Inject what is due, or have KVM tell when it can be. */
static void offer_events(struct kvm_engine *k)
{
	const struct platform *p = &k->v->plat;
	struct kvm_interrupt irq;
	int vector;

	if (k->v->cpu.nmi_pending && !ioctl(k->cpu_fd, KVM_NMI, 0))
		k->v->cpu.nmi_pending = 0;
	if (k->ready && p->irq_pending(p->ctx)) {
		vector = p->irq_ack(p->ctx);
		irq.irq = (__u32)vector;
		if (vector >= 0 && !ioctl(k->cpu_fd, KVM_INTERRUPT, &irq))
			k->irqs++;
		k->ready = false;
	}
	k->run->request_interrupt_window = p->irq_pending(p->ctx);
}

static int by_kvm(struct kvm_engine *k)
{
	int error;

	if (!mm_mirror_sync(k->mirror))
		return kvm_error(k, errno);
	if (!state_to_kvm(k) || !points_to_kvm(k))
		return ENGINE_ERROR;
	if (!k->stepping)
		offer_events(k);
	error = enter(k);
	return error ? failed(k, error) : handle(k);
}

/* ---- the other engine ---- */

/* Why KVM cannot execute at all now. */
static enum kvm_reason unfit(const struct kvm_engine *k)
{
	const struct cpu *c = &k->v->cpu;

	if (points_need_other(k))
		return REASON_POINTS;
	if (c->a20_mask != UINT32_MAX) /* the machine's, and no register of KVM's */
		return REASON_A20;
	if (k->in_kvm)
		return REASON_NONE;
	if (k->points.nbreaks && c->dr[7] & DR7_ON) /* both want the debug registers */
		return REASON_POINTS;
	return (c->cr0 & CR0_PG) && !k->pages ? REASON_PAGING : REASON_NONE;
}

static void charge(struct kvm_engine *k, enum kvm_reason why, uint64_t start)
{
	struct kvm_cost *cost = &k->other[why];

	cost->count++;
	cost->guest += __builtin_ia32_rdtsc() - start;
	cost->pc = cpu_pc(&k->v->cpu);
}

/* Execute one instruction that KVM left. */
static int other_once(struct kvm_engine *k, enum kvm_reason why)
{
	uint64_t start = __builtin_ia32_rdtsc();
	int out = leave_kvm(k, GO_ON);

	k->once = REASON_NONE;
	if (out != GO_ON)
		return out;
	out = k->inner->step(k->v, 0);
	charge(k, why, start);
	if (out == ENGINE_STEPPED)
		out = k->v->cpu.halted ? ENGINE_HALT : GO_ON;
	return out;
}

/* Execute until it stops by itself. */
static int other_runs(struct kvm_engine *k, enum kvm_reason why)
{
	uint64_t start = __builtin_ia32_rdtsc();
	int out = leave_kvm(k, GO_ON);

	if (out != GO_ON)
		return out;
	end(k);
	out = k->inner->run(k->v);
	begin(k);
	charge(k, why, start);
	return out == ENGINE_STOP && !k->stop ? GO_ON : out;
}

/* ---- the engine ---- */

static int serve(struct kvm_engine *k)
{
	const struct platform *p = &k->v->plat;
	enum kvm_reason why;

	if (k->stop) {
		k->stop = false;
		return ENGINE_STOP;
	}
	if (k->kick) {
		k->kick = false;
		p->run_timers(p->ctx);
		if (k->stop)
			return GO_ON;
	}
	if (k->once != REASON_NONE)
		return other_once(k, k->once);
	why = unfit(k);
	return why == REASON_NONE ? by_kvm(k) : other_runs(k, why);
}

static enum engine_exit finish(struct kvm_engine *k, int out, uint64_t start)
{
	out = leave_kvm(k, out);
	if (out == ENGINE_HALT)
		k->v->cpu.halted = 1;
	end(k);
	k->cycles += __builtin_ia32_rdtsc() - start;
	k->run_since = 0;
	return (enum engine_exit)out;
}

static enum engine_exit run(struct vcpu *v)
{
	struct kvm_engine *k = kvm_of(v);
	uint64_t start = __builtin_ia32_rdtsc();
	int out = GO_ON;

	if (points_break_at(k, cpu_pc(&v->cpu)))
		return ENGINE_BREAK;
	k->run_since = start;
	begin(k);
	k->kick = true;
	while (out == GO_ON)
		out = serve(k);
	if (out == ENGINE_STOP)
		k->stop = false;
	return finish(k, out, start);
}

/* Deliver what is pending before a step. False: shutdown. */
static bool take_interrupt(struct vcpu *v)
{
	struct cpu *c = &v->cpu;
	int vector;

	if (c->nmi_pending && !c->nmi_blocked && !c->shadow) {
		c->halted = 0;
		cpu_raise(c, EXC_NMI);
		return cpu_deliver_exc(v);
	}
	if (!v->plat.irq_pending(v->plat.ctx) || !c->intf || c->shadow)
		return true;
	vector = v->plat.irq_ack(v->plat.ctx);
	c->halted = 0;
	return vector < 0 || cpu_deliver_irq(v, (unsigned)vector);
}

/* Is the step complete after an exit that is none of a step's own? A REP with more to do is where it was. */
static bool moved(struct kvm_engine *k, uint64_t rip)
{
	return (uint32_t)k->run->s.regs.regs.rip != (uint32_t)rip;
}

/* One instruction by KVM, of a REP one iteration; its registers stay there. */
static int step_by_kvm(struct kvm_engine *k)
{
	uint64_t rip = k->v->cpu.rip;
	int out;

	do {
		out = by_kvm(k);
		if (out == GO_ON)
			out = complete(k);
	} while (out == GO_ON && k->once == REASON_NONE && !k->stop && !moved(k, rip));
	return out == GO_ON ? ENGINE_STEPPED : out;
}

/* KVM steps by the trap flag, so it does not step what uses that itself, nor what traps do not follow. */
static bool steps(const struct kvm_engine *k, unsigned how)
{
	const struct cpu *c = &k->v->cpu;

	return unfit(k) == REASON_NONE && !(how & ENGINE_STEP_WHOLE) && !(c->sysflags & (FL_TF | FL_RF)) &&
	       !c->shadow;
}

static enum engine_exit step(struct vcpu *v, unsigned how)
{
	struct kvm_engine *k = kvm_of(v);
	uint64_t start = __builtin_ia32_rdtsc();
	int out;

	if (!steps(k, how)) {
		out = k->inner->step(v, how);
		charge(k, REASON_STEP, start);
		return (enum engine_exit)out;
	}
	if (how & ENGINE_STEP_IRQ) {
		v->plat.run_timers(v->plat.ctx);
		if (!take_interrupt(v))
			return ENGINE_SHUTDOWN;
	}
	if (v->cpu.halted)
		return ENGINE_HALT;
	begin(k);
	k->stepping = true;
	out = step_by_kvm(k);
	k->stepping = false;
	if (k->once != REASON_NONE && out == ENGINE_STEPPED)
		out = other_once(k, k->once);
	if (out == GO_ON || out == ENGINE_HALT)
		v->cpu.halted = out == ENGINE_HALT;
	out = leave_kvm(k, out == GO_ON || out == ENGINE_HALT ? ENGINE_STEPPED : out);
	end(k);
	return (enum engine_exit)out;
}

static uint64_t less(uint64_t a, uint64_t b)
{
	return a > b ? a - b : 0;
}

/* The other engine's parts are those of the code that it executed; what neither KVM nor that has had went to
 * exits. */
static void times(struct vcpu *v, struct engine_times *t)
{
	const struct kvm_engine *k = kvm_of(v);
	uint64_t now = __builtin_ia32_rdtsc(), run = k->run_since, kvm = k->inside_since;
	uint64_t other;

	*t = (struct engine_times){ 0 };
	if (k->inner->times)
		k->inner->times(v, t);
	other = t->run;
	t->code = less(other, t->callouts + t->traps + t->translating);
	t->run = k->cycles + (run ? less(now, run) : 0);
	t->nonroot = true;
	t->exits = less(t->run, k->inside + (kvm ? less(now, kvm) : 0) + other);
}

/* Registers are in struct cpu: run() has ended. */
static void state_changed(struct vcpu *v)
{
	struct kvm_engine *k = kvm_of(v);

	k->once = REASON_NONE;
	k->inner->state_changed(v);
}

static void kvm_free(struct vcpu *v)
{
	struct kvm_engine *k = kvm_of(v);

	kvm_teardown(k);
	k->inner->free(v);
	free(k->views);
	free(k->hidden);
	free(k);
}

/* ---- making one ---- */

static void fill_ops(struct kvm_engine *k)
{
	k->ops = *k->inner;
	k->ops.name = "kvm";
	k->ops.run = run;
	k->ops.step = step;
	k->ops.kick = kick;
	k->ops.nudge = NULL;
	k->ops.request_stop = request_stop;
	k->ops.times = times;
	k->ops.callout_name = NULL;
	k->ops.translator = NULL;
	k->ops.state_changed = state_changed;
	k->ops.free = kvm_free;
	k->ops.views = (const struct view *const *)k->views;
	points_fill_ops(&k->ops);
}

struct vcpu *kvm_vcpu_new(void *config, struct mm_vm *vm, const struct platform *plat, enum clock_mode clock,
			  char *err, size_t errlen)
{
	const struct kvm_config *c = config;
	struct kvm_engine *k;

	if (clock == CLOCK_ICOUNT) {
		snprintf(err, errlen,
			 "engine kvm: KVM counts no instructions, so there is no --clock icount");
		return NULL;
	}
	k = aligned_alloc(64, sizeof(*k));
	if (!k) {
		snprintf(err, errlen, "engine kvm: no memory");
		return NULL;
	}
	memset(k, 0, sizeof(*k));
	k->vm = vm;
	k->tsc_start = __builtin_ia32_rdtsc();
	k->ns_start = monotonic_ns();
	k->once = REASON_NONE;
	k->vm_fd = k->cpu_fd = -1;
	k->v = c->processor(c->processor_config, vm, plat, clock, err, errlen);
	if (!k->v) {
		free(k);
		return NULL;
	}
	k->inner = k->v->ops;
	k->v->ops = &k->ops;
	if (!kvm_make_views(k)) {
		snprintf(err, errlen, "engine kvm: no memory");
		fill_ops(k);
		kvm_free(k->v);
		return NULL;
	}
	fill_ops(k);
	if (!kvm_setup(k, err, errlen)) {
		kvm_free(k->v);
		return NULL;
	}
	LOG(cpu, "kvm: 32-bit paging: %s", k->pages ? "by KVM" : "by the translator");
	return k->v;
}
