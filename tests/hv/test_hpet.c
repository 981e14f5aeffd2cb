/* SPDX-License-Identifier: GPL-3.0-or-later
 * High precision event timers: the counter, one-shot and periodic timers, routing (IA-PC HPET 1.0a). */
#include "tests/hv/apic_rig.h"

enum { CONFIG = 0x10, STATUS = 0x20, COUNTER = 0xf0, T0 = 0x100, COMPARATOR = 8, STEP = 0x20 };
enum { LEVEL = 2, ENABLE = 4, PERIODIC = 8, SET = 0x40, BITS_32 = 0x100, MS = 100000 /* counts */ };

static uint64_t get(unsigned at)
{
	return rd(HPET_AT + at, 8);
}

static void put(unsigned at, uint64_t v)
{
	wr(HPET_AT + at, 8, v);
}

static uint32_t raised(unsigned line)
{
	return (uint32_t)m->board.irq_raised[line];
}

START_TEST(capabilities)
{
	ck_assert_uint_eq(get(0), 0x009896808086a201);
	ck_assert_uint_eq(get(T0), 0x00f0000000000030);
	put(0, 0);
	ck_assert_uint_eq(rd(HPET_AT + 4, 4), 10000000);
	put(T0, UINT64_MAX);
	ck_assert_uint_eq(get(T0), 0x00f0000000003f7e);
	ck_assert_uint_eq(get(0x3f8), 0);
}
END_TEST

START_TEST(counter)
{
	advance(1000);
	ck_assert_uint_eq(get(COUNTER), 0);
	put(COUNTER, 0xfffffff0ull);
	put(CONFIG, 1);
	advance(1000);
	ck_assert_uint_eq(get(COUNTER), 0xfffffff0ull + 100);
	ck_assert_uint_eq(rd(HPET_AT + COUNTER + 4, 4), 1);
	put(CONFIG, 0);
	advance(1000);
	ck_assert_uint_eq(get(COUNTER), 0xfffffff0ull + 100);
	put(CONFIG, 1);
	advance(10);
	ck_assert_uint_eq(get(COUNTER), 0xfffffff0ull + 101);
}
END_TEST

/* Where a timer with route R interrupts: a line, or -1. */
static const struct {
	unsigned timer, route, config;
	int line;
} route_rows[] = {
	{ 0, 0, 3, 0 },	  { 1, 0, 3, 8 },   { 2, 20, 3, 20 }, { 0, 20, 3, 0 }, { 0, 20, 1, 20 },
	{ 1, 23, 1, 23 }, { 2, 22, 1, 22 }, { 0, 0, 1, -1 },  { 2, 5, 1, -1 }, { 2, 31, 1, -1 },
};

START_TEST(routes)
{
	unsigned at = T0 + STEP * route_rows[_i].timer;
	int line = route_rows[_i].line;
	uint32_t before[IRQ_LINES];

	put(CONFIG, route_rows[_i].config);
	put(at, ENABLE | route_rows[_i].route << 9);
	put(at + COMPARATOR, get(COUNTER) + MS);
	for (unsigned i = 0; i < IRQ_LINES; i++)
		before[i] = raised(i);
	advance(999999);
	for (unsigned i = 0; i < IRQ_LINES; i++)
		if (route_rows[_i].config == 3 || i)
			ck_assert_uint_eq(raised(i), before[i]);
	advance(2);
	for (unsigned i = 0; i < IRQ_LINES; i++)
		if (route_rows[_i].config == 3 || i) /* line 0 is the PIT's otherwise */
			ck_assert_uint_eq(raised(i), before[i] + ((int)i == line));
}
END_TEST

START_TEST(periodic)
{
	uint32_t before;

	put(CONFIG, 3);
	put(T0, ENABLE | PERIODIC | SET | BITS_32);
	put(T0 + COMPARATOR, get(COUNTER) + MS);
	put(T0 + COMPARATOR, MS);
	before = raised(0);
	advance(100000001);
	ck_assert_uint_eq(raised(0), before + 100);
	m->v->icount += 10500000; /* ten periods pass unseen: one interrupt, and no lap of the counter */
	advance(1);
	ck_assert_uint_eq(raised(0), before + 101);
	advance(10000000);
	ck_assert_uint_eq(raised(0), before + 111);
	put(T0, 0);
	advance(10000000);
	ck_assert_uint_eq(raised(0), before + 111);
}
END_TEST

/* Of 32 bits: it matches once a lap, and a comparator behind the counter means the next lap. */
START_TEST(narrow)
{
	put(COUNTER, 0x7fffffff0);
	put(CONFIG, 1);
	put(T0, ENABLE | BITS_32 | 20 << 9);
	put(T0 + COMPARATOR, 0x10);
	advance(0x20 * 10 + 1);
	ck_assert_uint_eq(raised(20), 1);
	put(T0 + COMPARATOR, get(COUNTER) - 1);
	advance(1000000000);
	ck_assert_uint_eq(raised(20), 1);
}
END_TEST

START_TEST(level)
{
	put(CONFIG, 1);
	route(21, 0x8055);
	put(T0, LEVEL | ENABLE | 21 << 9);
	put(T0 + COMPARATOR, get(COUNTER) + 10);
	advance(101);
	ck_assert_uint_eq(get(STATUS), 1);
	ck_assert_int_eq(take(), 0x55);
	set_apic(LAPIC_EOI, 0);
	ck_assert_int_eq(take(), 0x55); /* until the guest clears it */
	put(STATUS, 2);
	ck_assert_uint_eq(get(STATUS), 1);
	put(STATUS, 1);
	ck_assert_uint_eq(get(STATUS), 0);
	set_apic(LAPIC_EOI, 0);
	ck_assert_int_eq(take(), -1);
}
END_TEST

/* A match that has not been announced is not lost when the guest writes another register. */
START_TEST(settles)
{
	put(CONFIG, 1);
	put(T0, ENABLE | 20 << 9);
	put(T0 + COMPARATOR, get(COUNTER) + 10);
	m->v->icount += 1000;
	put(T0 + COMPARATOR, get(COUNTER) + 1000000);
	ck_assert_uint_eq(raised(20), 1);
}
END_TEST

/* With legacy replacement the PIT has no line; without it has it again. */
START_TEST(legacy)
{
	uint32_t before;

	advance(300000000);
	ck_assert_uint_gt(raised(0), 1);
	put(CONFIG, 3);
	before = raised(0);
	advance(300000000);
	ck_assert_uint_eq(raised(0), before);
	put(CONFIG, 1);
	advance(300000000);
	ck_assert_uint_gt(raised(0), before);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("hv-hpet");
	TCase *tc = tcase_create("hpet");
	const TTest *const all[] = { capabilities, counter, periodic, narrow, level, settles, legacy };

	tcase_add_checked_fixture(tc, setup, teardown);
	for (unsigned i = 0; i < ARRAY_LEN(all); i++)
		tcase_add_test(tc, all[i]);
	tcase_add_loop_test(tc, routes, 0, (int)ARRAY_LEN(route_rows));
	suite_add_tcase(s, tc);
	return suite_run(s);
}
