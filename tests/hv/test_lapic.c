/* SPDX-License-Identifier: GPL-3.0-or-later
 * The local APIC: registers in both modes, priorities, ends of interrupts, IPIs, errors, its timer (SDM vol.
 * 3A ch. 11). */
#include "tests/hv/apic_rig.h"

enum { FIXED = 0x4000, SELF = 0x40000, ALL = 0x80000, OTHERS = 0xc0000, MASK = 0x10000 };
enum { PERIODIC = 0x20000, DEADLINE = 0x40000, BY_1 = 0xb };

static void send(uint8_t vector)
{
	set_apic(LAPIC_ICR, SELF | FIXED | vector);
}

/* ---- registers ---- */

/* Values after a reset and what sticks of all ones. */
static const struct {
	unsigned n;
	uint32_t reset, sticks;
} reg_rows[] = {
	{ LAPIC_ID, 0, 0xff000000 },
	{ LAPIC_VERSION_REG, 0x50014, 0x50014 },
	{ LAPIC_TPR, 0, 0xff },
	{ LAPIC_PPR, 0, 0 },
	{ LAPIC_LDR, 0, 0xff000000 },
	{ LAPIC_DFR, 0xffffffff, 0xffffffff },
	{ LAPIC_SVR, 0xff, 0x3ff },
	{ LAPIC_ESR, 0, 0 },
	{ LAPIC_LVT + LVT_TIMER, MASK, 0x700ff },
	{ LAPIC_LVT + LVT_THERMAL, MASK, 0x107ff },
	{ LAPIC_LVT + LVT_PERF, MASK, 0x107ff },
	{ LAPIC_LVT + LVT_LINT0, 0x700, 0x1a7ff },
	{ LAPIC_LVT + LVT_LINT1, MASK, 0x1a7ff },
	{ LAPIC_LVT + LVT_ERROR, MASK, 0x100ff },
	{ LAPIC_INITIAL, 0, 0xffffffff },
	{ LAPIC_CURRENT, 0, 0 },
	{ LAPIC_DIVIDE, 0, 0xb },
};

START_TEST(registers)
{
	unsigned n = reg_rows[_i].n;

	lapic_cpu_reset(m->board.dev[SLOT_lapic]);
	ck_assert_uint_eq(apic(n), reg_rows[_i].reset);
	set_apic(LAPIC_SVR, 0x1ff);
	set_apic(n, UINT32_MAX);
	if (n != LAPIC_ESR && n != LAPIC_PPR)
		ck_assert_uint_eq(apic(n), reg_rows[_i].sticks);
}
END_TEST

/* Narrow reads give their part; narrow and misplaced writes have no effect. */
START_TEST(narrow)
{
	ck_assert_uint_eq(rd(LAPIC_AT + 0x30, 1), 0x14);
	ck_assert_uint_eq(rd(LAPIC_AT + 0x32, 2), 5);
	wr(LAPIC_AT + 0x80, 1, 0x20);
	wr(LAPIC_AT + 0x84, 4, 0x20);
	ck_assert_uint_eq(apic(LAPIC_TPR), 0);
	ck_assert_uint_eq(rd(LAPIC_AT + 0x34, 4), 0);
}
END_TEST

START_TEST(software_disable)
{
	set_apic(LAPIC_LVT + LVT_TIMER, 0x40);
	set_apic(LAPIC_SVR, 0xff);
	ck_assert_uint_eq(apic(LAPIC_LVT + LVT_TIMER), MASK | 0x40);
	set_apic(LAPIC_LVT + LVT_TIMER, 0x40); /* stays masked */
	ck_assert_uint_eq(apic(LAPIC_LVT + LVT_TIMER), MASK | 0x40);
	send(0x50);
	ck_assert_int_eq(take(), -1);
	ck_assert_uint_eq(lapic_counts(m->board.dev[SLOT_lapic])->refused, 1);
	set_apic(LAPIC_SVR, 0x1ff);
	ck_assert_int_eq(take(), -1); /* it was not kept */
}
END_TEST

/* ---- priorities ---- */

/* Interrupts S1 and S2 arrive while vector IN is in service and the task priority is TPR: what is taken. */
static const struct {
	uint8_t in, tpr, s1, s2;
	int first;
	uint8_t ppr;
} prio_rows[] = {
	{ 0, 0, 0x31, 0x41, 0x41, 0 },	     { 0, 0x30, 0x31, 0x3f, -1, 0x30 },
	{ 0, 0x30, 0x31, 0x41, 0x41, 0x30 }, { 0, 0x2f, 0x31, 0, 0x31, 0x2f },
	{ 0x40, 0, 0x4f, 0x31, -1, 0x40 },   { 0x40, 0, 0x50, 0x31, 0x50, 0x40 },
	{ 0x40, 0x60, 0x5f, 0, -1, 0x60 },   { 0x40, 0x41, 0x51, 0, 0x51, 0x41 },
	{ 0, 0xff, 0xff, 0, -1, 0xff },	     { 0, 0xef, 0xf0, 0, 0xf0, 0xef },
	{ 0, 0, 0x10, 0, 0x10, 0 },	     { 0, 0, 0x1f, 0x20, 0x20, 0 },
};

START_TEST(priorities)
{
	uint8_t v[2] = { prio_rows[_i].s1, prio_rows[_i].s2 };

	if (prio_rows[_i].in) {
		send(prio_rows[_i].in);
		ck_assert_int_eq(take(), prio_rows[_i].in);
	}
	set_apic(LAPIC_TPR, prio_rows[_i].tpr);
	for (unsigned i = 0; i < 2; i++)
		if (v[i])
			send(v[i]);
	ck_assert_uint_eq(apic(LAPIC_PPR), prio_rows[_i].ppr);
	ck_assert_int_eq(take(), prio_rows[_i].first);
}
END_TEST

START_TEST(eoi)
{
	send(0x31);
	ck_assert_int_eq(take(), 0x31);
	send(0x61);
	ck_assert_int_eq(take(), 0x61); /* nested */
	send(0x51);
	send(0x51); /* one pending: they merge */
	ck_assert_int_eq(take(), -1);
	ck_assert_uint_eq(apic(LAPIC_ISR + 3), 2);
	ck_assert_uint_eq(apic(LAPIC_IRR + 2), 1u << 0x11);
	set_apic(LAPIC_EOI, 0);
	ck_assert_uint_eq(apic(LAPIC_ISR + 3), 0);
	ck_assert_int_eq(take(), 0x51);
	set_apic(LAPIC_EOI, 0);
	ck_assert_int_eq(take(), -1);
	ck_assert_uint_eq(apic(LAPIC_PPR), 0x30);
	set_apic(LAPIC_EOI, 0);
	set_apic(LAPIC_EOI, 0); /* of nothing */
	ck_assert_uint_eq(apic(LAPIC_PPR), 0);
	ck_assert_uint_eq(lapic_counts(m->board.dev[SLOT_lapic])->merged, 1);
}
END_TEST

/* ---- IPIs ---- */

static const struct {
	uint32_t ldr, dfr, high, low;
	int vector;
	bool nmi, init;
} ipi_rows[] = {
	{ 0, 0xf, 0, FIXED | 0x41, 0x41, false, false },
	{ 0, 0xf, 1, FIXED | 0x41, -1, false, false },
	{ 0, 0xf, 0xff, FIXED | 0x41, 0x41, false, false },
	{ 0, 0xf, 1, SELF | FIXED | 0x41, 0x41, false, false },
	{ 0, 0xf, 1, ALL | FIXED | 0x41, 0x41, false, false },
	{ 0, 0xf, 0, OTHERS | FIXED | 0x41, -1, false, false },
	{ 0x04, 0xf, 0x06, FIXED | 0x841, 0x41, false, false }, /* logical, flat */
	{ 0x04, 0xf, 0x03, FIXED | 0x841, -1, false, false },
	{ 0x24, 0, 0x26, FIXED | 0x841, 0x41, false, false }, /* logical, cluster */
	{ 0x24, 0, 0x36, FIXED | 0x841, -1, false, false },
	{ 0x24, 0, 0x29, FIXED | 0x841, -1, false, false },
	{ 0, 0xf, 0, FIXED | 0x141, 0x41, false, false }, /* lowest priority */
	{ 0, 0xf, 0, FIXED | 0x400, -1, true, false },
	{ 0, 0xf, 0, SELF | FIXED | 0x400, -1, false, false }, /* not by that shorthand */
	{ 0, 0xf, 0, FIXED | 0x500, -1, false, true },
	{ 0, 0xf, 0, 0x8500, -1, false, false },	/* INIT, de-asserted */
	{ 0, 0xf, 0, FIXED | 0x608, -1, false, false }, /* startup, of a processor that runs */
	{ 0, 0xf, 0, FIXED | 0x200, -1, false, false }, /* SMI */
};

START_TEST(ipi)
{
	set_apic(LAPIC_LDR, ipi_rows[_i].ldr << 24);
	set_apic(LAPIC_DFR, ipi_rows[_i].dfr << 28);
	set_apic(LAPIC_ICR_HIGH, ipi_rows[_i].high << 24);
	set_apic(LAPIC_ICR, ipi_rows[_i].low);
	ck_assert_int_eq(take(), ipi_rows[_i].vector);
	ck_assert_uint_eq(m->v->cpu.nmi_pending, ipi_rows[_i].nmi);
	ck_assert(m->board.event == (ipi_rows[_i].init ? EVENT_CPU_RESET : EVENT_NONE));
	ck_assert_uint_eq(apic(LAPIC_ICR) & 0x1000, 0);
}
END_TEST

/* ---- errors ---- */

START_TEST(errors)
{
	set_apic(LAPIC_LVT + LVT_ERROR, 0xfe);
	set_apic(LAPIC_ICR, SELF | FIXED | 0x0f);
	ck_assert_int_eq(take(), 0xfe);
	set_apic(LAPIC_EOI, 0);
	apic(0x3f); /* no such register */
	ck_assert_int_eq(take(), 0xfe);
	set_apic(LAPIC_EOI, 0);
	apic(0x3f); /* known since the last clearing: no interrupt */
	ck_assert_int_eq(take(), -1);
	ck_assert_uint_eq(apic(LAPIC_ESR), 0);
	set_apic(LAPIC_ESR, 0);
	ck_assert_uint_eq(apic(LAPIC_ESR), 0xa0);
	set_apic(LAPIC_ESR, 0);
	ck_assert_uint_eq(apic(LAPIC_ESR), 0);
	set_apic(LAPIC_LVT + LVT_TIMER, 0x0f); /* a vector that cannot be */
	set_apic(LAPIC_INITIAL, 1);
	advance(1000);
	set_apic(LAPIC_ESR, 0);
	ck_assert_uint_eq(apic(LAPIC_ESR), 0x40);
	set_apic(LAPIC_LVT + LVT_ERROR, 3); /* so is that of the error itself */
	set_apic(0x3f, 0);
	set_apic(LAPIC_ESR, 0);
	ck_assert_uint_eq(apic(LAPIC_ESR), 0xc0);
}
END_TEST

/* ---- timer ---- */

static const struct {
	uint32_t divide, by;
} divide_rows[] = { { 0, 2 }, { 1, 4 }, { 2, 8 }, { 3, 16 }, { 8, 32 }, { 9, 64 }, { 10, 128 }, { 11, 1 } };

/* 66000 bus clocks are a millisecond. */
START_TEST(timer_divide)
{
	uint32_t by = divide_rows[_i].by;

	set_apic(LAPIC_DIVIDE, divide_rows[_i].divide);
	set_apic(LAPIC_LVT + LVT_TIMER, 0x40);
	set_apic(LAPIC_INITIAL, 66000);
	advance(500000 * by);
	ck_assert_uint_eq(apic(LAPIC_CURRENT), 33000);
	advance(499999 * by);
	ck_assert_int_eq(take(), -1);
	advance(2 * by);
	ck_assert_int_eq(take(), 0x40);
	ck_assert_uint_eq(apic(LAPIC_CURRENT), 0);
	set_apic(LAPIC_EOI, 0);
	advance(5000000 * by);
	ck_assert_int_eq(take(), -1); /* one shot */
}
END_TEST

static unsigned count_ticks(unsigned ms)
{
	unsigned n = 0;

	for (unsigned i = 0; i < 10 * ms; i++) {
		advance(100000);
		if (take() == 0x40) {
			n++;
			set_apic(LAPIC_EOI, 0);
		}
	}
	return n;
}

START_TEST(timer_periodic)
{
	set_apic(LAPIC_DIVIDE, BY_1);
	set_apic(LAPIC_LVT + LVT_TIMER, PERIODIC | 0x40);
	set_apic(LAPIC_INITIAL, 66000);
	ck_assert_uint_eq(count_ticks(1000), 1000 - 1); /* the last is a nanosecond late */
	set_apic(LAPIC_LVT + LVT_TIMER, PERIODIC | MASK | 0x40);
	ck_assert_uint_eq(count_ticks(100), 0);
	ck_assert_uint_gt(apic(LAPIC_CURRENT), 0); /* it counts */
	set_apic(LAPIC_LVT + LVT_TIMER, PERIODIC | 0x40);
	ck_assert_uint_ge(count_ticks(100), 99);
	set_apic(LAPIC_DIVIDE, 0); /* half as fast */
	ck_assert_uint_ge(count_ticks(100), 49);
	set_apic(LAPIC_INITIAL, 0);
	ck_assert_uint_eq(count_ticks(100), 0);
}
END_TEST

START_TEST(timer_deadline)
{
	struct vm_clock *c = &m->board.clock;
	uint64_t v;

	ck_assert(wrmsr(MSR_TSC_DEADLINE, clock_tsc(c) + 1000));
	ck_assert(rdmsr(MSR_TSC_DEADLINE, &v) && !v); /* in this mode only */
	set_apic(LAPIC_INITIAL, 1000);
	set_apic(LAPIC_LVT + LVT_TIMER, DEADLINE | 0x40);
	ck_assert_uint_eq(apic(LAPIC_INITIAL), 0);
	set_apic(LAPIC_INITIAL, 1000); /* ignored */
	advance(100000);
	ck_assert_int_eq(take(), -1);
	ck_assert(wrmsr(MSR_TSC_DEADLINE, clock_tsc(c) + 1000));
	ck_assert(rdmsr(MSR_TSC_DEADLINE, &v) && v == clock_tsc(c) + 1000);
	advance(998);
	ck_assert_int_eq(take(), -1);
	advance(4);
	ck_assert_int_eq(take(), 0x40);
	set_apic(LAPIC_EOI, 0);
	ck_assert(rdmsr(MSR_TSC_DEADLINE, &v) && !v);
	ck_assert(wrmsr(MSR_TSC_DEADLINE, clock_tsc(c) - 1)); /* passed */
	ck_assert_int_eq(take(), 0x40);
	set_apic(LAPIC_EOI, 0);
	ck_assert(wrmsr(MSR_TSC_DEADLINE, clock_tsc(c) + 1000));
	ck_assert(wrmsr(MSR_TSC_DEADLINE, 0)); /* disarmed */
	advance(100000);
	ck_assert_int_eq(take(), -1);
	ck_assert(wrmsr(MSR_TSC_DEADLINE, clock_tsc(c) + 1000));
	m->v->cpu.tsc_offset += 900; /* the guest sets its TSC forward */
	ck_assert(wrmsr(MSR_TSC, 0));
	advance(102);
	ck_assert_int_eq(take(), 0x40);
	set_apic(LAPIC_EOI, 0);
	ck_assert(wrmsr(MSR_TSC_DEADLINE, clock_tsc(c) + 1000));
	set_apic(LAPIC_LVT + LVT_TIMER, 0x40); /* leaving the mode disarms it */
	set_apic(LAPIC_LVT + LVT_TIMER, DEADLINE | 0x40);
	advance(100000);
	ck_assert_int_eq(take(), -1);
}
END_TEST

/* An expiry that the clock has not announced yet is not lost when the guest writes the timer. */
START_TEST(timer_settles)
{
	set_apic(LAPIC_DIVIDE, BY_1);
	set_apic(LAPIC_LVT + LVT_TIMER, 0x40);
	set_apic(LAPIC_INITIAL, 66);
	m->v->icount += 5000;
	set_apic(LAPIC_INITIAL, 66000);
	ck_assert_int_eq(take(), 0x40);
}
END_TEST

/* A count that runs out while it is loaded, by the host's clock. */
START_TEST(timer_short)
{
	struct vm_clock *c = &m->board.clock;
	int vector = -1;

	c->mode = CLOCK_HOST;
	c->running = false;
	clock_start(c);
	set_apic(LAPIC_DIVIDE, BY_1);
	set_apic(LAPIC_LVT + LVT_TIMER, 0x40);
	for (unsigned i = 0; i < 1000; i++) {
		set_apic(LAPIC_INITIAL, 1 + i % 3);
		for (uint64_t began = clock_now(c); clock_now(c) - began < 1000;)
			;
		clock_run(c);
		vector = take();
		ck_assert_int_eq(vector, 0x40);
		set_apic(LAPIC_EOI, 0);
	}
	clock_stop(c);
}
END_TEST

/* ---- pins, messages ---- */

/* Expiry at 1 ms; the processor takes the interrupt LATE ns after it: in bin BIN. */
static const struct {
	uint64_t late;
	unsigned bin;
} latency_rows[] = { { 100, 0 }, { 5000, 0 }, { 5001, 1 }, { 700000, 7 }, { 90000000, 9 } };

START_TEST(timer_latency)
{
	const struct latency *l = &lapic_counts(m->board.dev[SLOT_lapic])->timer;
	uint64_t late = latency_rows[_i].late;

	set_apic(LAPIC_DIVIDE, BY_1);
	set_apic(LAPIC_LVT + LVT_TIMER, 0x40);
	set_apic(LAPIC_INITIAL, 66000);
	advance(1000001);
	ck_assert_uint_eq(l->count, 0);
	advance(late);
	ck_assert_int_eq(take(), 0x40);
	ck_assert_uint_eq(l->count, 1);
	ck_assert_uint_eq(l->least, late);
	ck_assert_uint_eq(l->sum, late);
	ck_assert_uint_eq(l->bin[latency_rows[_i].bin], 1);
	set_apic(LAPIC_EOI, 0);
	set_apic(LAPIC_INITIAL, 66000);
	advance(1000001);
	ck_assert_int_eq(take(), 0x40);
	ck_assert_uint_eq(l->least, 0);
	ck_assert_uint_eq(l->most, late);
	ck_assert_uint_eq(l->count, 2);
}
END_TEST

START_TEST(nmi_button)
{
	board_nmi(&m->board);
	ck_assert_uint_eq(m->v->cpu.nmi_pending, 1);
	m->v->cpu.nmi_pending = 0;
	set_apic(LAPIC_LVT + LVT_LINT1, MASK | 0x400);
	board_nmi(&m->board);
	ck_assert_uint_eq(m->v->cpu.nmi_pending, 0);
	set_apic(LAPIC_LVT + LVT_LINT1, 0x55); /* as an ordinary interrupt */
	board_nmi(&m->board);
	ck_assert_int_eq(take(), 0x55);
	lapic_set_base(m->board.dev[SLOT_lapic], LAPIC_AT | APIC_BASE_BSP);
	board_nmi(&m->board); /* the pin is NMI itself */
	ck_assert_uint_eq(m->v->cpu.nmi_pending, 1);
	ck_assert_uint_eq(m->board.nmis, 4);
	ck_assert_uint_eq(m->board.nmis_taken, 2);
}
END_TEST

START_TEST(virtual_wire)
{
	bus_out(&m->board.bus, 0x21, 1, 0);
	board_irq(&m->board, 5, true);
	ck_assert_int_eq(take(), 8 + 5);
	bus_out(&m->board.bus, 0x20, 1, 0x20);
	set_apic(LAPIC_LVT + LVT_LINT0, MASK | 0x700);
	board_irq(&m->board, 6, true);
	ck_assert_int_eq(take(), -1);
	set_apic(LAPIC_TPR, 0xff); /* priorities do not concern it */
	set_apic(LAPIC_LVT + LVT_LINT0, 0x700);
	ck_assert_int_eq(take(), 8 + 6);
	bus_out(&m->board.bus, 0x20, 1, 0x20);
	set_apic(LAPIC_TPR, 0);
	set_apic(LAPIC_LVT + LVT_LINT0, 0x44); /* its output as an ordinary interrupt */
	board_irq(&m->board, 3, true);
	ck_assert_int_eq(take(), 0x44);
}
END_TEST

/* LINT0 level-triggered: again after each end while the pin is high. */
START_TEST(lint_level)
{
	struct dev *d = m->board.dev[SLOT_lapic];

	set_apic(LAPIC_LVT + LVT_LINT0, 0x8044);
	lapic_lint(d, 0, true);
	ck_assert_uint_eq(apic(LAPIC_LVT + LVT_LINT0), 0xc044);
	ck_assert_int_eq(take(), 0x44);
	set_apic(LAPIC_EOI, 0);
	ck_assert_int_eq(take(), 0x44);
	lapic_lint(d, 0, false);
	set_apic(LAPIC_EOI, 0);
	ck_assert_int_eq(take(), -1);
	ck_assert_uint_eq(apic(LAPIC_LVT + LVT_LINT0), 0x8044);
}
END_TEST

static const struct {
	uint64_t at;
	uint32_t data;
	bool taken;
	int vector;
} msi_rows[] = {
	{ 0xfee00000, 0x41, true, 0x41 }, { 0xfee01000, 0x41, false, -1 },  { 0xfeeff000, 0x41, true, 0x41 },
	{ 0xfee01004, 0x41, true, 0x41 }, { 0xfee02004, 0x41, false, -1 },  { 0xfee00000, 0x141, true, 0x41 },
	{ 0xfed00000, 0x41, false, -1 },  { 0x1fee00000, 0x41, false, -1 }, { 0xfee00000, 0x400, true, -1 },
};

START_TEST(msi)
{
	set_apic(LAPIC_LDR, 1u << 24);
	ck_assert_int_eq(board_msi(&m->board, msi_rows[_i].at, msi_rows[_i].data), msi_rows[_i].taken);
	ck_assert_int_eq(take(), msi_rows[_i].vector);
	ck_assert_uint_eq(m->v->cpu.nmi_pending, msi_rows[_i].data >> 8 == 4);
	ck_assert_uint_eq(m->board.msis_dropped, !msi_rows[_i].taken);
}
END_TEST

/* ---- x2APIC, base ---- */

/* MSR, value: may it be written, and what is read then (GP: not readable). */
#define GP UINT64_MAX
static const struct {
	uint32_t msr;
	uint64_t val;
	bool ok;
	uint64_t reads;
} x2_rows[] = {
	{ 0x802, 0, false, 0 },
	{ 0x803, 0, false, 0x50014 },
	{ 0x808, 0x33, true, 0x33 },
	{ 0x808, 0x133, false, 0 },
	{ 0x809, 0, false, GP },
	{ 0x80a, 0, false, 0 },
	{ 0x80b, 0, true, GP },
	{ 0x80b, 1, false, GP },
	{ 0x80d, 0, false, 1 },
	{ 0x80e, 0, false, GP },
	{ 0x80f, 0x1fe, true, 0x1fe },
	{ 0x80f, 0x400, false, 0x1ff },
	{ 0x810, 0, false, 0 },
	{ 0x828, 0, true, 0 },
	{ 0x828, 1, false, 0 },
	{ 0x82f, 0, false, GP },
	{ 0x830, 0x700000041, true, 0x700000041 },
	{ 0x830, 0x1000, false, 0 },
	{ 0x831, 0, false, GP },
	{ 0x832, 0x200ff, true, 0x200ff },
	{ 0x832, 0x800ff, false, 0x10000 },
	{ 0x838, 0xffffffff, true, 0xffffffff },
	{ 0x838, 0x100000000, false, 0 },
	{ 0x839, 0, false, 0 },
	{ 0x83e, 0xb, true, 0xb },
	{ 0x83e, 4, false, 0 },
	{ 0x83f, 0x41, true, GP },
	{ 0x83f, 0x141, false, GP },
};

START_TEST(x2apic)
{
	uint64_t v = 0, val = x2_rows[_i].val;

	ck_assert(!rdmsr(x2_rows[_i].msr, &v)); /* in xAPIC mode */
	lapic_set_base(m->board.dev[SLOT_lapic], LAPIC_AT | 0xd00);
	ck_assert_uint_eq(rd(LAPIC_AT + 0x30, 4), UINT32_MAX); /* not in memory any more */
	ck_assert_int_eq(wrmsr(x2_rows[_i].msr, val), x2_rows[_i].ok);
	ck_assert_int_eq(rdmsr(x2_rows[_i].msr, &v), x2_rows[_i].reads != GP);
	if (x2_rows[_i].reads != GP)
		ck_assert_uint_eq(v, x2_rows[_i].reads);
}
END_TEST

START_TEST(x2apic_ipi)
{
	lapic_set_base(m->board.dev[SLOT_lapic], LAPIC_AT | 0xd00);
	ck_assert(wrmsr(0x83f, 0x51));
	ck_assert_int_eq(take(), 0x51);
	ck_assert(wrmsr(0x80b, 0));
	ck_assert(wrmsr(0x830, 0x0000000000004061));
	ck_assert_int_eq(take(), 0x61);
	ck_assert(wrmsr(0x830, 0xffffffff00004071));
	ck_assert_int_eq(take(), 0x71);
	ck_assert(wrmsr(0x830, 0x0000000100004881)); /* logical: cluster 0, member 0 */
	ck_assert_int_eq(take(), 0x81);
	ck_assert(wrmsr(0x830, 0x0001000100004891)); /* another cluster */
	ck_assert_int_eq(take(), -1);
	ck_assert(wrmsr(0x830, 0x0000000200004091));
	ck_assert_int_eq(take(), -1);
}
END_TEST

START_TEST(base_moves)
{
	struct dev *d = m->board.dev[SLOT_lapic];

	set_apic(LAPIC_TPR, 0x20);
	lapic_set_base(d, 0xfed90000 | 0x900);
	ck_assert_uint_eq(rd(LAPIC_AT + 0x80, 4), UINT32_MAX);
	ck_assert_uint_eq(rd(0xfed90080, 4), 0x20);
	lapic_set_base(d, HPET_AT | 0x900); /* taken: it is nowhere */
	ck_assert_uint_eq(rd(0xfed90080, 4), UINT32_MAX);
	lapic_set_base(d, LAPIC_AT | 0x100);
	ck_assert_uint_eq(rd(LAPIC_AT + 0x80, 4), UINT32_MAX);
	lapic_set_base(d, LAPIC_AT | 0x900); /* on again: as after a reset */
	ck_assert_uint_eq(apic(LAPIC_TPR), 0);
	ck_assert_uint_eq(apic(LAPIC_SVR), 0xff);
}
END_TEST

/* What the processor's model takes away. */
static const struct {
	const char *cpu;
	bool apic, x2apic, deadline, base;
} model_rows[] = {
	{ "max", true, true, true, true },
	{ "max,-x2apic", true, false, true, true },
	{ "max,-tsc-deadline", true, true, false, true },
	{ "max,-apic", false, false, false, false },
	{ "pentium2", true, false, false, true },
	{ "486", false, false, false, false },
};

START_TEST(models)
{
	uint64_t v;
	uint32_t r[4];

	machine_free(m);
	m = rig_make(model_rows[_i].cpu);
	m->v->plat.cpuid(m->v->plat.ctx, &m->v->cpu, 1, 0, r);
	ck_assert_uint_eq(r[3] >> 9 & 1, model_rows[_i].apic);
	ck_assert_uint_eq(r[2] >> 21 & 1, model_rows[_i].x2apic);
	ck_assert_uint_eq(r[2] >> 24 & 1, model_rows[_i].deadline);
	ck_assert_uint_eq(r[1] >> 24, 0);
	m->v->plat.cpuid(m->v->plat.ctx, &m->v->cpu, 0xb, 0, r);
	ck_assert_uint_eq(r[1], model_rows[_i].x2apic);
	ck_assert_int_eq(rdmsr(MSR_APIC_BASE, &v), model_rows[_i].base);
	ck_assert_int_eq(rdmsr(MSR_TSC_DEADLINE, &v), model_rows[_i].deadline);
	ck_assert_int_eq(rd(LAPIC_AT + 0x30, 4) == 0x50014, model_rows[_i].apic);
	ck_assert_int_eq(rd(IOAPIC_AT, 4) == 0, model_rows[_i].apic);
	m->v->cpu.apic_base &= ~(uint64_t)APIC_BASE_ENABLE; /* CPUID follows the register */
	m->v->plat.cpuid(m->v->plat.ctx, &m->v->cpu, 1, 0, r);
	ck_assert_uint_eq(r[3] >> 9 & 1, 0);
}
END_TEST

static void setup_quiet(void)
{
	setup();
	quiet();
}

int main(void)
{
	Suite *s = suite_create("hv-lapic");
	TCase *tc = tcase_create("lapic");
	const TTest *const all[] = {
		narrow,		software_disable, eoi,	       errors,	   timer_periodic,
		timer_deadline, timer_settles,	  timer_short, nmi_button, virtual_wire,
		lint_level,	x2apic_ipi,	  base_moves,
	};

	tcase_add_checked_fixture(tc, setup_quiet, teardown);
	for (unsigned i = 0; i < ARRAY_LEN(all); i++)
		tcase_add_test(tc, all[i]);
	tcase_add_loop_test(tc, registers, 0, (int)ARRAY_LEN(reg_rows));
	tcase_add_loop_test(tc, priorities, 0, (int)ARRAY_LEN(prio_rows));
	tcase_add_loop_test(tc, ipi, 0, (int)ARRAY_LEN(ipi_rows));
	tcase_add_loop_test(tc, timer_divide, 0, (int)ARRAY_LEN(divide_rows));
	tcase_add_loop_test(tc, timer_latency, 0, (int)ARRAY_LEN(latency_rows));
	tcase_add_loop_test(tc, msi, 0, (int)ARRAY_LEN(msi_rows));
	tcase_add_loop_test(tc, x2apic, 0, (int)ARRAY_LEN(x2_rows));
	tcase_add_loop_test(tc, models, 0, (int)ARRAY_LEN(model_rows));
	suite_add_tcase(s, tc);
	return suite_run(s);
}
