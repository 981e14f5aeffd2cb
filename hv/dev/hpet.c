/* SPDX-License-Identifier: GPL-3.0-or-later
 * High precision event timers (IA-PC HPET 1.0a): a 64-bit counter at 100 MHz and three timers, of which
 * legacy replacement wires the first two to lines 0 and 8 in place of PIT and RTC. Nothing counts: the
 * counter follows from VM time. No message-signalled interrupts. GPR-only code (base/gpr.h). */
#include "base/view.h"
#include "hv/apic.h"
#include "hv/board.h"

enum { HPET_BYTES = 0x400, TIMERS = 3, AT_TIMER = 0x100, TIMER_BYTES = 0x20 };
enum { R_CAPS = 0, R_CONFIG = 0x10, R_STATUS = 0x20, R_COUNTER = 0xf0, R_TIMER_CONFIG = 0, R_COMPARATOR = 8 };
enum { CONFIG_ENABLE = 1, CONFIG_LEGACY = 2 };
/* Of a timer: configuration, capabilities. */
enum { T_LEVEL = 2, T_ENABLE = 4, T_PERIODIC = 8, T_SET = 0x40, T_32 = 0x100, T_ROUTE = 0x3e00 };
enum { T_PERIODIC_CAP = 0x10, T_64_CAP = 0x20, ROUTES = 0xf00000 /* lines 20 to 23 */ };
enum { T_WRITABLE = T_LEVEL | T_ENABLE | T_PERIODIC | T_SET | T_32 | T_ROUTE };
/* Revision 1, the number of timers, 64 bits, legacy replacement, Intel; period in femtoseconds. */
#define CAPS (1ull | (TIMERS - 1) << 8 | 1 << 13 | 1 << 15 | 0x80860000u | HPET_PERIOD_NS * 1000000ull << 32)

struct hpet_timer {
	uint64_t comparator;
	uint64_t period; /* of a periodic timer */
	uint32_t config;
	uint8_t routed; /* the line it drives, when DRIVES */
	bool drives;
	struct vm_timer vm;
};

struct hpet {
	struct dev d;
	uint64_t config, status;
	uint64_t halted; /* counter while it is halted */
	uint64_t start;	 /* VM ns at which it would have been 0, modulo 2^64; running */
	struct hpet_timer t[TIMERS];
	uint64_t fired[TIMERS];
};

static const struct state_field fields[] = {
	F_NUM(hpet, config),
	F_NUM(hpet, status),
	F_NUM(hpet, halted),
	F_NUM(hpet, start),
	F_EACH(hpet, t, comparator),
	F_EACH(hpet, t, period),
	F_EACH(hpet, t, config),
	F_EACH_IN(hpet, t, routed, 0, IRQ_LINES - 1),
	F_EACH_IN(hpet, t, drives, 0, 1),
	{ .name = "fired",
	  .off = offsetof(struct hpet, fired),
	  .size = 8,
	  .count = TIMERS,
	  .stride = 8,
	  .unhashed = true },
	F_TIMER(hpet, t[0].vm),
	F_TIMER(hpet, t[1].vm),
	F_TIMER(hpet, t[2].vm),
};

static uint64_t now(const struct hpet *h)
{
	return clock_now(&h->d.board->clock);
}

static bool runs(const struct hpet *h)
{
	return h->config & CONFIG_ENABLE;
}

/* The counter at VM time AT. */
static uint64_t counter_at(const struct hpet *h, uint64_t at)
{
	return runs(h) ? (at - h->start) / HPET_PERIOD_NS + h->halted : h->halted;
}

static uint64_t counter(const struct hpet *h)
{
	return counter_at(h, now(h));
}

/* Bits of the counter that timer T compares. */
static uint64_t width(const struct hpet_timer *t)
{
	return t->config & T_32 ? UINT32_MAX : UINT64_MAX;
}

/* ---- interrupts ---- */

/* The line of timer N; -1: none. */
static int line_of(const struct hpet *h, unsigned n)
{
	unsigned route = (h->t[n].config & T_ROUTE) >> 9;

	if ((h->config & CONFIG_LEGACY) && n < 2)
		return n ? 8 : 0;
	return ROUTES >> route & 1 ? (int)route : -1;
}

static bool drives(const struct hpet *h, unsigned line)
{
	for (unsigned i = 0; i < TIMERS; i++)
		if (h->t[i].drives && h->t[i].routed == line)
			return true;
	return false;
}

static void release(struct hpet *h, unsigned n)
{
	if (!h->t[n].drives)
		return;
	h->t[n].drives = false;
	if (!drives(h, h->t[n].routed))
		board_irq_from(h->d.board, IRQ_HPET, h->t[n].routed, false);
}

/* An edge is a pulse whose end nobody sees, as the PIT's. */
static void raise_line(struct hpet *h, unsigned n)
{
	struct hpet_timer *t = &h->t[n];
	int line = line_of(h, n);

	if (t->config & T_LEVEL)
		h->status |= 1u << n;
	if (!(t->config & T_ENABLE) || !runs(h) || line < 0)
		return;
	h->fired[n]++;
	if (!(t->config & T_LEVEL))
		release(h, n);
	t->drives = true;
	t->routed = (uint8_t)line;
	board_irq_from(h->d.board, IRQ_HPET, (unsigned)line, true);
}

/* ---- time ---- */

/* Set the clock's timer for the counter's next match with the comparator after VM time AT. */
static void arm(struct hpet *h, unsigned n, uint64_t at)
{
	struct hpet_timer *t = &h->t[n];
	struct vm_clock *c = &h->d.board->clock;
	uint64_t left;

	timer_cancel(c, &t->vm);
	if (!runs(h) || !(t->config & (T_ENABLE | T_LEVEL)))
		return;
	left = (t->comparator - counter_at(h, at)) & width(t);
	left = left ? left : width(t);
	if (left < (CLOCK_NEVER / 2 - at) / HPET_PERIOD_NS)
		timer_arm(c, &t->vm, at + left * HPET_PERIOD_NS);
}

/* The next match of a periodic timer after AT: periods that passed meanwhile are lost. */
static void advance(const struct hpet *h, struct hpet_timer *t, uint64_t at)
{
	uint64_t period = t->period & width(t), late = (counter_at(h, at) - t->comparator) & width(t);

	if ((t->config & T_PERIODIC) && period)
		t->comparator = (t->comparator + (late / period + 1) * period) & width(t);
}

/* One moment for both: if the next match passed in between, it would be a lap away. */
static void fire(struct hpet *h, unsigned n)
{
	uint64_t at = now(h);

	advance(h, &h->t[n], at);
	raise_line(h, n);
	arm(h, n, at);
}

/* Matches up to now, which the clock has not announced yet: what is written next must not lose them. */
static void settle(struct hpet *h)
{
	uint64_t at = now(h);

	for (unsigned i = 0; i < TIMERS; i++)
		if (h->t[i].vm.armed && h->t[i].vm.deadline <= at)
			fire(h, i);
}

static void fire0(void *ctx)
{
	fire(ctx, 0);
}

static void fire1(void *ctx)
{
	fire(ctx, 1);
}

static void fire2(void *ctx)
{
	fire(ctx, 2);
}

/* ---- registers ---- */

static void write_config(struct hpet *h, uint64_t val)
{
	uint64_t was = h->config;

	if ((was ^ val) & CONFIG_ENABLE) {
		h->halted = counter(h);
		h->start = now(h);
	}
	h->config = val & (CONFIG_ENABLE | CONFIG_LEGACY);
	if ((was ^ val) & CONFIG_LEGACY)
		board_irq_legacy_off(h->d.board, val & CONFIG_LEGACY);
	for (unsigned i = 0; i < TIMERS; i++) {
		if (!runs(h) || ((was ^ val) & CONFIG_LEGACY))
			release(h, i);
		arm(h, i, now(h));
	}
}

static void write_status(struct hpet *h, uint64_t val)
{
	for (unsigned i = 0; i < TIMERS; i++)
		if (val >> i & h->status >> i & 1) {
			h->status &= ~(1ull << i);
			if (h->t[i].config & T_LEVEL)
				release(h, i);
		}
}

static void write_timer_config(struct hpet *h, unsigned n, uint64_t val)
{
	struct hpet_timer *t = &h->t[n];

	t->config = val & T_WRITABLE;
	if (t->config & T_32) {
		t->comparator = (uint32_t)t->comparator;
		t->period = (uint32_t)t->period;
	}
	if (!(t->config & T_ENABLE))
		release(h, n);
	arm(h, n, now(h));
}

/* A periodic timer gets its period so, and with T_SET, which clears itself, its next match too. */
static void write_comparator(struct hpet *h, unsigned n, uint64_t val)
{
	struct hpet_timer *t = &h->t[n];

	if (!(t->config & T_PERIODIC) || (t->config & T_SET))
		t->comparator = val & width(t);
	if (t->config & T_PERIODIC)
		t->period = val & width(t);
	t->config &= ~(uint32_t)T_SET;
	arm(h, n, now(h));
}

static uint64_t timer_config(const struct hpet_timer *t)
{
	return t->config | T_PERIODIC_CAP | T_64_CAP | (uint64_t)ROUTES << 32;
}

/* The 64-bit register at OFF. */
static uint64_t read_reg(const struct hpet *h, uint64_t off)
{
	unsigned n = (unsigned)(off - AT_TIMER) / TIMER_BYTES;

	switch (off) {
	case R_CAPS:
		return CAPS;
	case R_CONFIG:
		return h->config;
	case R_STATUS:
		return h->status;
	case R_COUNTER:
		return counter(h);
	}
	if (off < AT_TIMER || n >= TIMERS)
		return 0;
	off = (off - AT_TIMER) % TIMER_BYTES;
	return off == R_TIMER_CONFIG ? timer_config(&h->t[n]) : off == R_COMPARATOR ? h->t[n].comparator : 0;
}

static void write_counter(struct hpet *h, uint64_t val)
{
	if (runs(h))
		return; /* undefined */
	h->halted = val;
}

static void write_reg(struct hpet *h, uint64_t off, uint64_t val)
{
	unsigned n = (unsigned)(off - AT_TIMER) / TIMER_BYTES;

	switch (off) {
	case R_CONFIG:
		write_config(h, val);
		return;
	case R_STATUS:
		write_status(h, val);
		return;
	case R_COUNTER:
		write_counter(h, val);
		return;
	}
	if (off < AT_TIMER || n >= TIMERS)
		return;
	off = (off - AT_TIMER) % TIMER_BYTES;
	if (off == R_TIMER_CONFIG)
		write_timer_config(h, n, val);
	else if (off == R_COMPARATOR)
		write_comparator(h, n, val);
}

static uint64_t hpet_read(struct dev *d, unsigned region, uint64_t off, unsigned size)
{
	uint64_t val = read_reg((struct hpet *)d, off & ~7ull);

	(void)region;
	return size == 8 ? val : off & 4 ? val >> 32 : (uint32_t)val;
}

/* Half a register keeps the other half; status bits are written by ones. */
static void hpet_write(struct dev *d, unsigned region, uint64_t off, unsigned size, uint64_t val)
{
	struct hpet *h = (struct hpet *)d;
	uint64_t at = off & ~7ull, old = at == R_STATUS ? 0 : read_reg(h, at);

	(void)region;
	settle(h);
	if (size == 4)
		val = off & 4 ? val << 32 | (uint32_t)old : (old & ~(uint64_t)UINT32_MAX) | val;
	write_reg(h, at, val);
}

static void hpet_init(struct dev *d)
{
	static void (*const fires[TIMERS])(void *) = { fire0, fire1, fire2 };
	struct hpet *h = (struct hpet *)d;

	for (unsigned i = 0; i < TIMERS; i++)
		h->t[i].vm = (struct vm_timer){ .fire = fires[i], .ctx = d };
}

static void hpet_reset(struct dev *d)
{
	struct hpet *h = (struct hpet *)d;

	for (unsigned i = 0; i < TIMERS; i++) {
		struct hpet_timer *t = &h->t[i];

		timer_cancel(&d->board->clock, &t->vm);
		t->comparator = UINT64_MAX;
		t->period = t->config = t->routed = 0;
		t->drives = false;
		h->fired[i] = 0;
	}
	h->config = h->status = h->halted = h->start = 0;
	board_irq_legacy_off(d->board, false);
}

void hpet_rows(struct dev *d, struct row_sink *s)
{
	const struct hpet *h = (const struct hpet *)d;

	for (unsigned i = 0; i < TIMERS; i++) {
		const struct hpet_timer *t = &h->t[i];
		int line = line_of(h, i);

		s->row(s,
		       (const struct value[]){
			   V_UINT(i), V_BOOL(runs(h)), V_BOOL(h->config & CONFIG_LEGACY), V_HEX(counter(h)),
			   V_BOOL(t->config & T_ENABLE),
			   V_STR(t->config & T_PERIODIC ? "periodic" : "one-shot"),
			   V_STR(t->config & T_LEVEL ? "level" : "edge"), V_UINT(t->config & T_32 ? 32 : 64),
			   line < 0 ? V_NONE : V_UINT(line), V_HEX(t->comparator), V_HEX(t->period),
			   V_BOOL(h->status >> i & 1), V_UINT(h->fired[i]) });
	}
}

static const struct dev_mmio mmio[] = { { 0, 4 | 8, HPET_AT, HPET_BYTES } };

const struct dev_class hpet_class = {
	.name = "hpet",
	.help = "high precision event timers",
	.size = sizeof(struct hpet),
	.gpr_only = GPR_ONLY_BUILD,
	DEV_MMIO(mmio),
	DEV_FIELDS(fields),
	.init = hpet_init,
	.reset = hpet_reset,
	.mmio_read = hpet_read,
	.mmio_write = hpet_write,
};
