/* SPDX-License-Identifier: GPL-3.0-or-later
 * The IO-APIC behind the router's lines, in front of the local APIC. */
#include "tests/hv/apic_rig.h"

enum { LEVEL = 0x8000, PENDING = 0x4000, MASK = 0x10000 };

static void line(unsigned n, bool level)
{
	board_irq_from(&m->board, IRQ_PIRQA, n, level);
}

static int end(void)
{
	set_apic(LAPIC_EOI, 0);
	return take();
}

START_TEST(registers)
{
	ck_assert_uint_eq(io(1), 0x170020);
	set_io(0, UINT32_MAX);
	ck_assert_uint_eq(io(0), 0x0f000000);
	ck_assert_uint_eq(io(2), 0x0f000000);
	ck_assert_uint_eq(io(0x10), MASK);
	ck_assert_uint_eq(io(0x3f), 0);
	ck_assert_uint_eq(io(0x40), UINT32_MAX);
	set_io(0x40, 0);
	route(23, UINT64_MAX);
	ck_assert_uint_eq(io(0x3e), 0x1afff);
	ck_assert_uint_eq(io(0x3f), 0xff000000);
	ck_assert_uint_eq(rd(IOAPIC_AT + 0x20, 4), 0);
}
END_TEST

/* Line N, and the pin that it leads to. */
static const struct {
	unsigned line, pin;
} pin_rows[] = { { 0, 2 }, { 1, 1 }, { 3, 3 }, { 8, 8 }, { 15, 15 }, { 16, 16 }, { 23, 23 } };

START_TEST(pins)
{
	unsigned n = pin_rows[_i].line;

	line(n, false);
	route(pin_rows[_i].pin, 0x40 + n);
	line(n, true);
	ck_assert_int_eq(take(), 0x40 + (int)n);
	ck_assert_int_eq(end(), -1); /* an edge */
	line(n, false);
	line(n, true);
	ck_assert_int_eq(take(), 0x40 + (int)n);
	ck_assert_uint_eq(m->board.irq_acked[n], 2);
}
END_TEST

START_TEST(edges_while_masked)
{
	route(5, MASK | 0x45);
	line(5, true);
	route(5, 0x45);
	ck_assert_int_eq(take(), -1);
	line(5, false);
	line(5, true);
	ck_assert_int_eq(take(), 0x45);
}
END_TEST

START_TEST(level)
{
	route(10, LEVEL | 0x4a);
	line(10, true);
	ck_assert_uint_eq(io(0x10 + 20), LEVEL | PENDING | 0x4a);
	ck_assert_uint_eq(apic(LAPIC_TMR + 2), 1u << 10);
	ck_assert_int_eq(take(), 0x4a);
	ck_assert_int_eq(end(), 0x4a); /* still active: again */
	line(10, false);
	line(10, true); /* before its end: once */
	line(10, false);
	ck_assert_int_eq(end(), -1);
	ck_assert_uint_eq(io(0x10 + 20), LEVEL | 0x4a);
	route(10, LEVEL | MASK | 0x4a);
	line(10, true);
	ck_assert_int_eq(take(), -1);
	route(10, LEVEL | 0x4a); /* unmasked while active */
	ck_assert_int_eq(take(), 0x4a);
	line(10, false);
	ck_assert_int_eq(end(), -1);
	line(10, true);
	ck_assert_int_eq(take(), 0x4a);
	route(10, 0x4a); /* made an edge, and back: what was sent is forgotten */
	route(10, LEVEL | 0x4a);
	ck_assert_uint_eq(io(0x10 + 20), LEVEL | PENDING | 0x4a);
	ck_assert_int_eq(end(), 0x4a);
}
END_TEST

/* Two sources of a level: it ends with the second. */
START_TEST(shared)
{
	route(11, LEVEL | 0x4b);
	board_irq_from(&m->board, IRQ_PIRQC, 11, true);
	ck_assert_int_eq(take(), 0x4b);
	board_irq_from(&m->board, IRQ_PIRQD, 11, true);
	board_irq_from(&m->board, IRQ_PIRQC, 11, false);
	ck_assert_int_eq(end(), 0x4b);
	board_irq_from(&m->board, IRQ_PIRQD, 11, false);
	ck_assert_int_eq(end(), -1);
	ck_assert_uint_eq(m->board.irq_raised[11], 1);
	ck_assert_uint_eq(m->board.irq_acked[11], 2);
}
END_TEST

/* The EOI register ends a message without the local APIC. */
START_TEST(directed_eoi)
{
	route(9, LEVEL | 0x49);
	line(9, true);
	ck_assert_int_eq(take(), 0x49);
	line(9, false);
	wr(IOAPIC_AT + 0x40, 4, 0x48);
	ck_assert_uint_eq(io(0x10 + 18), LEVEL | PENDING | 0x49);
	wr(IOAPIC_AT + 0x40, 4, 0x49);
	ck_assert_uint_eq(io(0x10 + 18), LEVEL | 0x49);
}
END_TEST

/* A level that no processor takes stays, and is offered again. */
START_TEST(refused)
{
	set_apic(LAPIC_SVR, 0xff);
	route(9, LEVEL | 0x49);
	line(9, true);
	ck_assert_uint_eq(io(0x10 + 18), LEVEL | 0x49);
	ck_assert_int_eq(take(), -1);
	set_apic(LAPIC_SVR, 0x1ff);
	ck_assert_int_eq(take(), 0x49);
	route(10, 0x010000000000004aull | LEVEL); /* another processor */
	line(10, true);
	ck_assert_int_eq(end(), 0x49);
	ck_assert_uint_eq(io(0x10 + 20), LEVEL | 0x4a);
}
END_TEST

static const struct {
	uint64_t entry;
	int vector;
	bool nmi;
} mode_rows[] = {
	{ 0x0000000000000041, 0x41, false }, { 0xff00000000000041, 0x41, false },
	{ 0x0200000000000041, -1, false },   { 0x0400000000000841, 0x41, false },
	{ 0x0300000000000841, -1, false },   { 0x0000000000000141, 0x41, false },
	{ 0x0000000000000400, -1, true },    { 0x0000000000000200, -1, false },
	{ 0x000000000000000f, -1, false },
};

START_TEST(modes)
{
	set_apic(LAPIC_LDR, 4u << 24);
	route(7, mode_rows[_i].entry);
	line(7, true);
	ck_assert_int_eq(take(), mode_rows[_i].vector);
	ck_assert_uint_eq(m->v->cpu.nmi_pending, mode_rows[_i].nmi);
}
END_TEST

/* The 8259 on pin 0, as ExtINT and as an ordinary interrupt; LINT0 is masked. */
START_TEST(pic_on_pin_0)
{
	set_apic(LAPIC_LVT + LVT_LINT0, MASK);
	bus_out(&m->board.bus, 0x21, 1, 0);
	line(5, true);
	ck_assert_int_eq(take(), -1);
	route(0, 0x700);
	ck_assert_int_eq(take(), 8 + 5);
	bus_out(&m->board.bus, 0x20, 1, 0x20);
	route(0, 0x51);
	line(6, true);
	ck_assert_int_eq(take(), 0x51);
	ck_assert_int_eq(end(), -1);
}
END_TEST

static void setup_quiet(void)
{
	setup();
	quiet();
}

int main(void)
{
	Suite *s = suite_create("hv-ioapic");
	TCase *tc = tcase_create("ioapic");
	const TTest *const all[] = {
		registers, edges_while_masked, level, shared, directed_eoi, refused, pic_on_pin_0,
	};

	tcase_add_checked_fixture(tc, setup_quiet, teardown);
	for (unsigned i = 0; i < ARRAY_LEN(all); i++)
		tcase_add_test(tc, all[i]);
	tcase_add_loop_test(tc, pins, 0, (int)ARRAY_LEN(pin_rows));
	tcase_add_loop_test(tc, modes, 0, (int)ARRAY_LEN(mode_rows));
	suite_add_tcase(s, tc);
	return suite_run(s);
}
