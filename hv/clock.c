/* SPDX-License-Identifier: GPL-3.0-or-later
 * See hv/clock.h. The host timer is set lazily: only when the next deadline is earlier than what it is
 * set for; it repeats every millisecond until clock_run() sets it again, because a single kick can
 * come when the vCPU thread does not notice it. While the alarm (hv/alarm.h) serves, it is told each
 * deadline, which is a store, and the host timer is set some milliseconds behind, once for several
 * deadlines: it expires only where the alarm's thread gets no processor. GPR-only code (base/gpr.h): devices
 * read the time and set timers. */
#include "hv/clock.h"

#include <linux/futex.h>
#include <sched.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/gpr.h"

#ifndef sigev_notify_thread_id
#define sigev_notify_thread_id _sigev_un._tid
#endif

enum { ICOUNT_TSC_KHZ = 1000000, KICK_REPEAT_NS = 1000000, CALIBRATE_NS = 4000000 };
/* How far behind a deadline the host timer is set while the alarm serves. */
enum { BACKUP_MIN_NS = 1000000, BACKUP_NS = 9000000 };

static uint64_t host_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * NS_PER_SEC + (uint64_t)ts.tv_nsec;
}

struct instant {
	uint64_t ns, tsc;
};

/* Read both clocks as close together as a few tries allow. */
static struct instant read_both(void)
{
	struct instant best = { 0 };
	uint64_t least = UINT64_MAX;

	for (int i = 0; i < 8; i++) {
		uint64_t t0 = __builtin_ia32_rdtsc(), ns = host_ns(), t1 = __builtin_ia32_rdtsc();

		if (t1 - t0 < least) {
			least = t1 - t0;
			best = (struct instant){ ns, t0 + (t1 - t0) / 2 };
		}
	}
	return best;
}

static uint32_t calibrate_tsc(void)
{
	struct instant a = read_both(), b;
	struct timespec ts = { .tv_nsec = CALIBRATE_NS };

	while (nanosleep(&ts, &ts))
		;
	b = read_both();
	return (uint32_t)muldiv64(b.tsc - a.tsc, 1000000, b.ns - a.ns);
}

void clock_init(struct vm_clock *c, enum clock_mode mode, unsigned ns_per_insn)
{
	gpr_zero(c, sizeof(*c));
	c->mode = mode;
	c->ns_per_insn = ns_per_insn ? ns_per_insn : 1;
	c->tsc_khz = mode == CLOCK_ICOUNT ? ICOUNT_TSC_KHZ : calibrate_tsc();
	c->armed_for = c->timer_for = CLOCK_NEVER;
	c->limit = UINT64_MAX;
}

void clock_fini(struct vm_clock *c)
{
	if (c->have_host_timer)
		timer_delete(c->host_timer);
	c->have_host_timer = false;
}

bool clock_bind_thread(struct vm_clock *c)
{
	struct sigevent ev = { .sigev_notify = SIGEV_THREAD_ID, .sigev_signo = ENGINE_KICK_SIGNAL };

	if (c->mode == CLOCK_ICOUNT)
		return true;
	ev.sigev_notify_thread_id = (int)syscall(SYS_gettid);
	c->have_host_timer = !timer_create(CLOCK_MONOTONIC, &ev, &c->host_timer);
	return c->have_host_timer;
}

static void set_timer(struct vm_clock *c, uint64_t deadline)
{
	uint64_t at = deadline + c->base;
	struct itimerspec its = {
		.it_value = { .tv_sec = (time_t)(at / NS_PER_SEC), .tv_nsec = (long)(at % NS_PER_SEC) },
		.it_interval = { .tv_nsec = KICK_REPEAT_NS },
	};

	if (deadline == CLOCK_NEVER)
		its = (struct itimerspec){ 0 };
	timer_settime(c->host_timer, TIMER_ABSTIME, &its, NULL);
	c->timer_for = deadline;
}

static void set_alarm(struct vm_clock *c, uint64_t deadline)
{
	struct alarm *a = c->alarm;
	uint64_t at = deadline == CLOCK_NEVER ? ALARM_NEVER : deadline + c->base;

	atomic_store(&a->deadline, at);
	if (at >= atomic_load(&a->looks_at))
		return;
	atomic_fetch_add(&a->seq, 1);
	syscall(SYS_futex, &a->seq, FUTEX_WAKE | FUTEX_PRIVATE_FLAG, 1);
}

static bool alarm_serves(const struct vm_clock *c)
{
	return c->alarm && atomic_load_explicit(&c->alarm->serves, memory_order_relaxed);
}

/* Have this thread notice DEADLINE. NOW: the time; 0: not known, and the host timer has not expired. */
static void set_host_timer(struct vm_clock *c, uint64_t deadline, uint64_t now)
{
	bool none = deadline == CLOCK_NEVER;

	if (!c->have_host_timer || c->no_kicks)
		return;
	c->armed_for = deadline;
	if (alarm_serves(c)) {
		c->by_alarm = true;
		set_alarm(c, deadline);
		if (c->timer_for <= now || (!none && (c->timer_for < deadline + BACKUP_MIN_NS ||
						      c->timer_for > deadline + BACKUP_NS)))
			set_timer(c, none ? CLOCK_NEVER : deadline + BACKUP_NS);
		return;
	}
	if (c->by_alarm)
		set_alarm(c, CLOCK_NEVER);
	c->by_alarm = false;
	set_timer(c, deadline);
}

/* The earliest deadline may have become earlier: make the run loop or the host timer notice in time. */
static void deadline_changed(struct vm_clock *c)
{
	if (!c->running)
		return;
	if (c->mode == CLOCK_ICOUNT)
		clock_set_icount_limit(c);
	else if (clock_next(c) < c->armed_for)
		set_host_timer(c, clock_next(c), 0);
}

void clock_sleeps(struct vm_clock *c, bool asleep)
{
	if (c->alarm)
		atomic_store(&c->alarm->asleep, asleep);
}

void clock_start(struct vm_clock *c)
{
	if (c->running)
		return;
	c->running = true;
	if (c->mode == CLOCK_HOST) {
		c->base = host_ns() - c->held;
		if (c->v)
			c->v->cpu.tsc_offset = c->held_tsc - __builtin_ia32_rdtsc();
	}
	deadline_changed(c);
}

void clock_stop(struct vm_clock *c)
{
	if (!c->running)
		return;
	if (c->mode == CLOCK_HOST) {
		c->held = clock_now(c);
		c->held_tsc = clock_tsc(c);
		if (c->have_host_timer && !c->no_kicks) {
			if (c->by_alarm)
				set_alarm(c, CLOCK_NEVER);
			set_timer(c, CLOCK_NEVER);
			c->armed_for = CLOCK_NEVER;
			c->by_alarm = false;
		}
	}
	c->running = false;
}

uint64_t clock_now(const struct vm_clock *c)
{
	if (c->mode == CLOCK_ICOUNT)
		return (c->v ? c->v->icount * c->ns_per_insn : 0) + c->skipped;
	return c->running ? host_ns() - c->base : c->held;
}

uint64_t clock_tsc(const struct vm_clock *c)
{
	uint64_t offset = c->v ? c->v->cpu.tsc_offset : 0;

	if (c->mode == CLOCK_ICOUNT)
		return muldiv64(clock_now(c), c->tsc_khz, 1000000) + offset;
	return c->running ? __builtin_ia32_rdtsc() + offset : c->held_tsc;
}

uint64_t clock_at_tsc(const struct vm_clock *c, uint64_t at)
{
	uint64_t now = clock_tsc(c), ns;

	ns = at > now ? muldiv64(at - now, 1000000, c->tsc_khz) + 1 : 0;
	return clock_now(c) + (ns < CLOCK_NEVER / 2 ? ns : CLOCK_NEVER / 2);
}

static void unlink_timer(struct vm_clock *c, struct vm_timer *t)
{
	struct vm_timer **p = &c->head;

	while (*p && *p != t)
		p = &(*p)->next;
	if (*p)
		*p = t->next;
	t->armed = false;
}

static void link_timer(struct vm_clock *c, struct vm_timer *t)
{
	struct vm_timer **p = &c->head;

	while (*p && (*p)->deadline <= t->deadline)
		p = &(*p)->next;
	t->next = *p;
	*p = t;
	t->armed = true;
}

void timer_arm(struct vm_clock *c, struct vm_timer *t, uint64_t deadline)
{
	if (t->armed)
		unlink_timer(c, t);
	t->deadline = deadline;
	link_timer(c, t);
	if (deadline < c->rearmed)
		c->rearmed = deadline;
	if (c->head == t)
		deadline_changed(c);
}

void timer_cancel(struct vm_clock *c, struct vm_timer *t)
{
	if (t->armed)
		unlink_timer(c, t);
}

/* Behind a deadline: have the next one noticed. Where what FIRED did not set the timer that is next, the
 * guest will set its own soon, so the signal is left to repeat until then: one system call less. */
static void watch_next(struct vm_clock *c, uint64_t now, bool fired)
{
	uint64_t next = clock_next(c);
	bool alarm = alarm_serves(c), passed = c->armed_for <= now, signals = !alarm && !c->by_alarm;
	uint64_t late = now - c->armed_for;

	if (c->alarm)
		atomic_store_explicit(&c->alarm->cpu, sched_getcpu(), memory_order_relaxed);
	if (signals && c->armed_for == CLOCK_NEVER && c->timer_for != CLOCK_NEVER && now < c->timer_for)
		return; /* it was left to repeat */
	if (signals && fired && passed && c->rearmed > next && next > now + KICK_REPEAT_NS) {
		c->timer_for = now + KICK_REPEAT_NS - late % KICK_REPEAT_NS;
		c->armed_for = CLOCK_NEVER;
	} else if (passed || next < c->armed_for || c->by_alarm != alarm || c->timer_for <= now) {
		set_host_timer(c, next, now);
	}
}

void clock_run(struct vm_clock *c)
{
	uint64_t now;
	bool fired = false;

	if (!c->head && c->armed_for == CLOCK_NEVER && c->timer_for == CLOCK_NEVER)
		return;
	c->rearmed = CLOCK_NEVER;
	now = clock_now(c);
	while (c->head && c->head->deadline <= now) {
		struct vm_timer *t = c->head;

		unlink_timer(c, t);
		fired = true;
		latency_add(&c->late, now - t->deadline);
		t->fire(t->ctx);
	}
	if (!c->running)
		return;
	if (c->mode == CLOCK_ICOUNT)
		clock_set_icount_limit(c);
	else
		watch_next(c, now, fired);
}

void clock_skip_to(struct vm_clock *c, uint64_t t)
{
	uint64_t now = clock_now(c);

	if (c->mode == CLOCK_ICOUNT && t > now && t != CLOCK_NEVER)
		c->skipped += t - now;
}

void clock_set_icount_limit(struct vm_clock *c)
{
	uint64_t next = clock_next(c), limit = c->limit;

	if (!c->v)
		return;
	if (next != CLOCK_NEVER) {
		uint64_t ns = next > c->skipped ? next - c->skipped : 0;
		uint64_t at = ns / c->ns_per_insn + (ns % c->ns_per_insn != 0);

		if (at <= c->v->icount)
			at = c->v->icount + 1;
		limit = at < limit ? at : limit;
	}
	c->v->icount_limit = limit;
}
