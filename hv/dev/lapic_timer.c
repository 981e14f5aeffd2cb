/* SPDX-License-Identifier: GPL-3.0-or-later
 * The local APIC's timer: one-shot, periodic, TSC deadline (SDM vol. 3A 11.5.4). It counts nothing: the count
 * follows from the VM time since it was loaded. How late its interrupts are acknowledged is kept for
 * "info timers". GPR-only code (base/gpr.h). */
#include "hv/dev/lapic_int.h"

/* Bus clocks of a count, as a shift: 0 to 7. */
static unsigned timer_shift(const struct lapic *l)
{
	return ((l->divide & 3) + (l->divide >> 1 & 4) + 1) & 7;
}

static uint64_t time_now(const struct lapic *l)
{
	return clock_now(&l->d.board->clock);
}

static uint64_t elapsed(const struct lapic *l, uint64_t now)
{
	return muldiv64(now - l->start, BUS_HZ, NS_PER_SEC) >> timer_shift(l);
}

/* The count after AT counts from l->start. */
static uint32_t count_at(const struct lapic *l, uint64_t at)
{
	if (at < l->count)
		return (uint32_t)(l->count - at);
	if (lapic_timer_mode(l) != TIMER_PERIODIC || !l->initial)
		return 0;
	return (uint32_t)(l->initial - (at - l->count) % l->initial);
}

static uint32_t count_now(const struct lapic *l, uint64_t now)
{
	return lapic_timer_mode(l) == TIMER_DEADLINE || !l->count ? 0 : count_at(l, elapsed(l, now));
}

uint32_t lapic_timer_count(const struct lapic *l)
{
	return count_now(l, time_now(l));
}

/* One moment for what is computed here and by the caller: a count that ran out between two readings of the
 * clock would be none that is left, and the interrupt lost. One that has run out, but was not announced, is
 * still due. */
static void arm(struct lapic *l, uint64_t now)
{
	struct vm_clock *c = &l->d.board->clock;
	bool due = l->timer.armed;
	uint64_t at, n;

	timer_cancel(c, &l->timer);
	if (!lapic_is_on(l) || (l->lvt[LVT_TIMER] & LVT_MASK))
		return;
	if (lapic_timer_mode(l) == TIMER_DEADLINE) {
		if (l->deadline)
			timer_arm(c, &l->timer, clock_at_tsc(c, l->deadline));
		return;
	}
	if (!l->count)
		return;
	at = elapsed(l, now);
	n = at + count_at(l, at);
	if (n <= at && !due)
		return;
	at = l->start + muldiv64(n << timer_shift(l), NS_PER_SEC, BUS_HZ) + 1;
	timer_arm(c, &l->timer, at > now ? at : now + 1); /* never at once: clock_run() would not end */
}

void lapic_timer_arm(struct lapic *l)
{
	arm(l, time_now(l));
}

static void timer_fire(void *ctx)
{
	struct lapic *l = ctx;

	if (lapic_timer_mode(l) == TIMER_DEADLINE) {
		if (clock_tsc(&l->d.board->clock) < l->deadline) {
			lapic_timer_arm(l); /* the host's two clocks differ a little */
			return;
		}
		l->deadline = 0;
	}
	l->due = l->timer.deadline;
	lapic_local(l, LVT_TIMER, FROM_TIMER);
	lapic_timer_arm(l);
}

/* An expiry up to NOW that the clock has not announced yet: what is written next must not lose it. */
static void settle(struct lapic *l, uint64_t now)
{
	if (!l->timer.armed || l->timer.deadline > now)
		return;
	timer_cancel(&l->d.board->clock, &l->timer);
	timer_fire(l);
}

static void load_count(struct lapic *l, uint32_t count, uint64_t now)
{
	l->start = now;
	l->count = count;
	arm(l, now);
}

void lapic_timer_write_deadline(struct lapic *l, uint64_t val)
{
	if (lapic_timer_mode(l) != TIMER_DEADLINE)
		return;
	settle(l, time_now(l));
	l->deadline = val;
	if (val && val <= clock_tsc(&l->d.board->clock)) {
		l->deadline = 0;
		l->due = clock_now(&l->d.board->clock);
		lapic_local(l, LVT_TIMER, FROM_TIMER);
	}
	lapic_timer_arm(l);
}

void lapic_timer_write_lvt(struct lapic *l, uint32_t val)
{
	uint64_t now = time_now(l);
	unsigned old;

	settle(l, now);
	old = lapic_timer_mode(l);
	l->lvt[LVT_TIMER] = val;
	if ((old == TIMER_DEADLINE) != (lapic_timer_mode(l) == TIMER_DEADLINE)) {
		l->initial = l->count = 0;
		l->deadline = 0;
	}
	arm(l, now);
}

void lapic_timer_write_initial(struct lapic *l, uint32_t count)
{
	uint64_t now = time_now(l);

	if (lapic_timer_mode(l) == TIMER_DEADLINE)
		return;
	settle(l, now);
	l->initial = count;
	load_count(l, count, now);
}

void lapic_timer_write_divide(struct lapic *l, uint32_t val)
{
	uint64_t now = time_now(l);
	uint32_t left;

	settle(l, now);
	left = count_now(l, now);
	if (!left && l->timer.armed)
		left = 1; /* it runs out within this nanosecond */
	l->divide = val;
	load_count(l, left, now);
}

void lapic_tsc_changed(struct dev *d)
{
	lapic_timer_arm(lapic_of(d));
}

void lapic_timer_taken(struct lapic *l)
{
	uint64_t now = clock_now(&l->d.board->clock);

	latency_add(&l->n.timer, now > l->due ? now - l->due : 0);
}

void lapic_timer_init(struct lapic *l)
{
	l->timer = (struct vm_timer){ .fire = timer_fire, .ctx = l };
}
