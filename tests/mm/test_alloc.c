/* SPDX-License-Identifier: GPL-3.0-or-later
 * How machine memory is divided: the paper's examples, mins, shares, the tax; states with hysteresis; what
 * is ballooned, swapped and blocked; who paid whom; admission. */
#include "mm/policy/alloc.h"

#include "tests/suite.h"

#include <stdlib.h>
#include <string.h>

enum { MIB = 256 };
static const uint32_t thresholds[POOL_STATES] = { 600, 400, 200, 100 };

static struct alloc_vm vm_of(uint32_t mib, uint32_t shares, uint32_t active)
{
	return (struct alloc_vm){ .shares = shares,
				  .max = mib * MIB,
				  .size = mib * MIB,
				  .machine = mib * MIB,
				  .wants = mib * MIB,
				  .active = active,
				  .was = mib * MIB,
				  .balloons = true,
				  .swaps = true };
}

static uint32_t tax_of(unsigned percent)
{
	return ALLOC_ONE / 100 * percent;
}

START_TEST(weights)
{
	ck_assert_uint_eq(alloc_weight(0, 0), ALLOC_ONE);
	ck_assert_uint_eq(alloc_weight(0, ALLOC_ONE), ALLOC_ONE);
	ck_assert_uint_eq(alloc_weight(ALLOC_ONE / 4 * 3, ALLOC_ONE), ALLOC_ONE);
	ck_assert_uint_eq(alloc_weight(ALLOC_ONE / 4 * 3, 0), 4 * ALLOC_ONE); /* an idle page costs 4 */
	ck_assert_uint_eq(alloc_weight(ALLOC_ONE / 4 * 3, ALLOC_ONE / 2), 5 * ALLOC_ONE / 2);
	/* Out of range: as near as there is. */
	ck_assert_uint_eq(alloc_weight(UINT32_MAX, UINT32_MAX), ALLOC_ONE);
	ck_assert_uint_eq(alloc_weight(ALLOC_ONE, 0), (uint64_t)ALLOC_ONE << 16);
}
END_TEST

START_TEST(prices)
{
	struct alloc_vm v = vm_of(100, 1000, ALLOC_ONE);

	ck_assert_uint_eq(alloc_rho(&v, 100 * MIB, 0), 10000); /* ten shares a MiB */
	v.active = 0;
	ck_assert_uint_eq(alloc_rho(&v, 100 * MIB, ALLOC_ONE / 4 * 3), 2500);
	ck_assert_uint_eq(alloc_rho(&v, 0, 0), UINT64_MAX);
	v.shares = UINT32_MAX;
	ck_assert_uint_gt(alloc_rho(&v, 1, 0), 1ull << 48); /* nothing overflows */
	ck_assert_uint_gt(alloc_rho(&v, UINT32_MAX >> 2, ALLOC_TAX_MAX), 0);
}
END_TEST

/* Figure 7: two VMs of 256 MB, equal shares, 358 MB for them. One is idle. */
START_TEST(figure_7)
{
	struct alloc_vm vm[2] = { vm_of(256, 2560, ALLOC_ONE / 10), vm_of(256, 2560, ALLOC_ONE) };

	ck_assert(alloc_targets(vm, 2, 358 * MIB, 0));
	ck_assert_uint_eq(vm[0].target, 179 * MIB);
	ck_assert_uint_eq(vm[1].target, 179 * MIB);
	ck_assert(alloc_targets(vm, 2, 358 * MIB, ALLOC_ONE / 4 * 3));
	ck_assert_uint_eq(vm[1].target, 256 * MIB);
	ck_assert_uint_eq(vm[0].target, 102 * MIB);
	/* Where none gets all, prices meet: 1 to 0.1 + 4 * 0.9 = 3.7. */
	ck_assert(alloc_targets(vm, 2, 200 * MIB, ALLOC_ONE / 4 * 3));
	ck_assert_uint_eq(vm[0].target + vm[1].target, 200 * MIB);
	ck_assert_int_le(abs((int)(vm[0].target * 37 / 10) - (int)vm[1].target), 8);
}
END_TEST

START_TEST(plenty)
{
	struct alloc_vm vm[2] = { vm_of(256, 1, 0), vm_of(256, 5000, ALLOC_ONE) };

	ck_assert(alloc_targets(vm, 2, 512 * MIB, tax_of(99)));
	ck_assert(vm[0].target == 256 * MIB && vm[1].target == 256 * MIB);
	/* What it never touched is not fought for, and stays its right. */
	vm[0].wants = 100 * MIB;
	ck_assert(alloc_targets(vm, 2, 356 * MIB, 0));
	ck_assert(vm[0].target == 256 * MIB && vm[1].target == 256 * MIB);
	ck_assert(alloc_targets(vm, 2, 355 * MIB, 0));
	ck_assert_uint_eq(vm[0].target, 99 * MIB);
	ck_assert_uint_eq(vm[1].target, 256 * MIB);
}
END_TEST

START_TEST(shares_count)
{
	struct alloc_vm vm[3] = { vm_of(300, 3000, ALLOC_ONE), vm_of(300, 2000, ALLOC_ONE),
				  vm_of(300, 1000, ALLOC_ONE) };

	ck_assert(alloc_targets(vm, 3, 300 * MIB, tax_of(75)));
	for (unsigned i = 0; i < 3; i++)
		ck_assert_int_le(abs((int)vm[i].target - (int)((150 - 50 * i) * MIB)), 2);
	/* Without shares, nothing but the min is left. */
	vm[2].shares = 0;
	vm[2].min = 20 * MIB;
	ck_assert(alloc_targets(vm, 3, 300 * MIB, tax_of(75)));
	ck_assert_uint_eq(vm[2].target, 20 * MIB);
	ck_assert_int_le(abs((int)vm[0].target - 168 * MIB), 2);
	for (unsigned i = 0; i < 3; i++)
		vm[i].shares = 0;
	ck_assert(alloc_targets(vm, 3, 300 * MIB, tax_of(75)));
	ck_assert_uint_eq(vm[0].target + vm[1].target + vm[2].target, 300 * MIB);
}
END_TEST

START_TEST(min_stays)
{
	struct alloc_vm vm[2] = { vm_of(256, 10, 0), vm_of(256, 5000, ALLOC_ONE) };

	vm[0].min = 200 * MIB;
	ck_assert(alloc_targets(vm, 2, 300 * MIB, tax_of(75)));
	ck_assert_uint_eq(vm[0].target, 200 * MIB);
	ck_assert_uint_eq(vm[1].target, 100 * MIB);
	vm[1].min = 150 * MIB;
	ck_assert(!alloc_targets(vm, 2, 300 * MIB, tax_of(75)));
	ck_assert(vm[0].target == 200 * MIB && vm[1].target == 150 * MIB);
	ck_assert(alloc_targets(vm, 2, 350 * MIB, tax_of(75)));
	ck_assert(vm[0].target == 200 * MIB && vm[1].target == 150 * MIB);
	vm[0].min = UINT32_MAX; /* more than its max is its max */
	ck_assert(!alloc_targets(vm, 2, 300 * MIB, tax_of(75)));
	ck_assert_uint_eq(vm[0].target, 256 * MIB);
}
END_TEST

/* As many as there may be, with any figures: what is given is what there is, the mins hold, and no VM from
 * which something was taken paid less than another would have. */
START_TEST(many)
{
	uint64_t seed = 77 + (uint64_t)_i;
	struct alloc_vm vm[MM_VMS];
	uint64_t avail = 0, sum = 0, worst = 0;
	uint32_t tax;

	srandom((unsigned)seed);
	tax = (uint32_t)random() % ALLOC_ONE;
	for (unsigned i = 0; i < MM_VMS; i++) {
		vm[i] = vm_of(1 + (uint32_t)random() % 4000, (uint32_t)random() % 100000,
			      (uint32_t)random() % (ALLOC_ONE + 1));
		vm[i].min = (uint32_t)random() % 4 ? 0 : (uint32_t)random() % vm[i].max;
		avail += vm[i].max / 2 + vm[i].min;
	}
	ck_assert(alloc_targets(vm, MM_VMS, avail, tax));
	for (unsigned i = 0; i < MM_VMS; i++) {
		uint64_t rho = alloc_rho(&vm[i], vm[i].target + 1, tax); /* of the next page it would get */

		ck_assert_uint_ge(vm[i].target, vm[i].min);
		sum += vm[i].target;
		if (vm[i].target < vm[i].max && vm[i].target > vm[i].min && rho > worst)
			worst = rho;
	}
	ck_assert_uint_eq(sum, avail);
	for (unsigned i = 0; i < MM_VMS; i++)
		if (vm[i].target > vm[i].min && vm[i].target == vm[i].max)
			ck_assert_uint_ge(alloc_rho(&vm[i], vm[i].max, tax) * 1001 / 1000 + 1, worst);
}
END_TEST

START_TEST(huge)
{
	struct alloc_vm vm[2] = { vm_of(1, UINT32_MAX, 0), vm_of(1, UINT32_MAX, 0) };

	for (unsigned i = 0; i < 2; i++)
		vm[i].max = vm[i].size = vm[i].wants = 1u << 30;
	ck_assert(alloc_targets(vm, 2, 1ull << 30, UINT32_MAX));
	ck_assert_int_le(abs((int)vm[0].target - (int)vm[1].target), 2);
	ck_assert(alloc_targets(vm, 0, 0, 0));
}
END_TEST

/* Columns: state before, free in 1/10000 of memory, state then. */
static const struct {
	enum mm_pool_state was;
	uint32_t free;
	enum mm_pool_state is;
} states[] = {
	{ POOL_HIGH, 10000, POOL_HIGH }, { POOL_HIGH, 600, POOL_HIGH }, { POOL_HIGH, 400, POOL_HIGH },
	{ POOL_HIGH, 399, POOL_SOFT },	 { POOL_HIGH, 200, POOL_SOFT }, { POOL_HIGH, 199, POOL_HARD },
	{ POOL_HIGH, 100, POOL_HARD },	 { POOL_HIGH, 99, POOL_LOW },	{ POOL_HIGH, 0, POOL_LOW },
	{ POOL_SOFT, 399, POOL_SOFT },	 { POOL_SOFT, 600, POOL_SOFT }, { POOL_SOFT, 624, POOL_SOFT },
	{ POOL_SOFT, 625, POOL_HIGH },	 { POOL_SOFT, 150, POOL_HARD }, { POOL_HARD, 400, POOL_HARD },
	{ POOL_HARD, 424, POOL_HARD },	 { POOL_HARD, 425, POOL_SOFT }, { POOL_HARD, 625, POOL_HIGH },
	{ POOL_HARD, 99, POOL_LOW },	 { POOL_LOW, 200, POOL_LOW },	{ POOL_LOW, 225, POOL_HARD },
	{ POOL_LOW, 10000, POOL_HIGH },
};

START_TEST(hysteresis)
{
	ck_assert_int_eq(alloc_state(thresholds, 25, states[_i].was, states[_i].free * 7ull, 70000),
			 states[_i].is);
}
END_TEST

START_TEST(goal)
{
	uint64_t g = alloc_goal(thresholds, 25, 10000);

	/* What targets leave free is enough to come back from any state. */
	ck_assert_int_eq(alloc_state(thresholds, 25, POOL_LOW, g, 10000), POOL_HIGH);
	ck_assert_uint_eq(alloc_goal((const uint32_t[]){ 10000, 0, 0, 0 }, 25, 10000), 10000);
	ck_assert_int_eq(alloc_state(thresholds, 25, POOL_HIGH, 0, 0), POOL_LOW);
}
END_TEST

/* Columns: state; has it a balloon that answers, a file; MiB of its target; then MiB of the balloon, MiB it
 * swaps to (-1: it does not), is it blocked. Of 256 MiB, all in memory, 10 in the balloon. */
static const struct {
	enum mm_pool_state s;
	bool balloons, swaps;
	uint32_t target, balloon;
	int swap;
	bool blocked;
} actions[] = {
	{ POOL_HIGH, true, true, 128, 10, -1, false },	 { POOL_HIGH, true, true, 256, 0, -1, false },
	{ POOL_SOFT, true, true, 128, 128, -1, false },	 { POOL_SOFT, true, true, 64, 166, 64, false },
	{ POOL_SOFT, false, true, 128, 0, 128, false },	 { POOL_SOFT, false, false, 128, 0, -1, false },
	{ POOL_HARD, true, true, 128, 128, 128, false }, { POOL_HARD, true, false, 128, 128, -1, false },
	{ POOL_LOW, true, true, 128, 128, 128, true },	 { POOL_LOW, true, false, 128, 128, -1, false },
	{ POOL_LOW, true, true, 256, 0, -1, false },
};

START_TEST(act)
{
	struct alloc_vm v = vm_of(256, 1, 0);

	v.balloons = actions[_i].balloons;
	v.swaps = actions[_i].swaps;
	v.target = actions[_i].target * MIB;
	v.balloon_was = 10 * MIB;
	alloc_actions(&v, 1, actions[_i].s, 65);
	ck_assert_uint_eq(v.balloon / MIB, actions[_i].balloon);
	ck_assert_uint_eq(v.swap_target, actions[_i].swap < 0 ? ALLOC_ANY : (uint32_t)actions[_i].swap * MIB);
	ck_assert_int_eq(v.blocked, actions[_i].blocked);
}
END_TEST

/* What sharing saves need not be ballooned; a max below its memory holds in any state. */
START_TEST(act_else)
{
	struct alloc_vm v = vm_of(256, 1, 0);

	v.target = 128 * MIB;
	v.saved = 100 * MIB;
	v.machine = 100 * MIB;
	alloc_actions(&v, 1, POOL_LOW, 65);
	ck_assert_uint_eq(v.balloon, 28 * MIB);
	ck_assert(v.swap_target == ALLOC_ANY && !v.blocked);
	v = vm_of(256, 1, 0);
	v.max = v.target = 200 * MIB;
	alloc_actions(&v, 1, POOL_HIGH, 65);
	ck_assert_uint_eq(v.balloon, 56 * MIB);
	ck_assert_uint_eq(v.swap_target, ALLOC_ANY);
	v.balloons = false;
	alloc_actions(&v, 1, POOL_HIGH, 65);
	ck_assert(v.balloon == 0 && v.swap_target == 200 * MIB);
}
END_TEST

START_TEST(who_paid)
{
	struct alloc_vm vm[3] = { vm_of(256, 2560, 0), vm_of(256, 2560, ALLOC_ONE), vm_of(256, 2560, 0) };
	struct alloc_move m[4];

	for (unsigned i = 0; i < 3; i++)
		vm[i].was = vm[i].target = 128 * MIB;
	ck_assert_uint_eq(alloc_moves(vm, 3, tax_of(75), m, 4), 0);
	vm[0].target = 100 * MIB;
	vm[1].target = 140 * MIB;
	ck_assert_uint_eq(alloc_moves(vm, 3, ALLOC_ONE / 4 * 3, m, 4), 2);
	ck_assert(m[0].from == 0 && m[0].to == 1 && m[0].pages == 12 * MIB);
	ck_assert(m[0].rho_from == 5000 && m[0].rho_to == 20000);
	ck_assert(m[1].from == 0 && m[1].to == ALLOC_POOL && m[1].pages == 16 * MIB);
	vm[2].target = 120 * MIB;
	vm[1].target = 160 * MIB;
	ck_assert_uint_eq(alloc_moves(vm, 3, 0, m, 4), 3);
	ck_assert(m[0].pages == 28 * MIB && m[1].from == 2 && m[1].to == 1 && m[1].pages == 4 * MIB &&
		  m[2].to == ALLOC_POOL);
	ck_assert_uint_eq(alloc_moves(vm, 3, 0, m, 1), 1);
}
END_TEST

START_TEST(admission)
{
	struct alloc_admission a = { .min = 100,
				     .overhead = 20,
				     .max = 300,
				     .mins = 500,
				     .overheads = 80,
				     .maxs = 900,
				     .memory = 600,
				     .swap = 600,
				     .computer = 700 };
	uint64_t lacking;

	ck_assert_int_eq(alloc_admit(&a, &lacking), ALLOC_ADMITTED);
	a.overhead++;
	ck_assert_int_eq(alloc_admit(&a, &lacking), ALLOC_NO_ROOM);
	ck_assert_uint_eq(lacking, 1);
	a.overhead--;
	a.min++;
	ck_assert_int_eq(alloc_admit(&a, &lacking), ALLOC_NO_MEMORY);
	ck_assert_uint_eq(lacking, 1);
	a.min--;
	a.max += 7;
	ck_assert_int_eq(alloc_admit(&a, &lacking), ALLOC_NO_SWAP);
	ck_assert_uint_eq(lacking, 7);
	a.swap = 0;
	a.max = 100;
	a.maxs = 500;
	ck_assert_int_eq(alloc_admit(&a, &lacking), ALLOC_ADMITTED);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("alloc");
	TCase *t = tcase_create("alloc");

	tcase_add_test(t, weights);
	tcase_add_test(t, prices);
	tcase_add_test(t, figure_7);
	tcase_add_test(t, plenty);
	tcase_add_test(t, shares_count);
	tcase_add_test(t, min_stays);
	tcase_add_loop_test(t, many, 0, 20);
	tcase_add_test(t, huge);
	tcase_add_loop_test(t, hysteresis, 0, (int)ARRAY_LEN(states));
	tcase_add_test(t, goal);
	tcase_add_loop_test(t, act, 0, (int)ARRAY_LEN(actions));
	tcase_add_test(t, act_else);
	tcase_add_test(t, who_paid);
	tcase_add_test(t, admission);
	suite_add_tcase(s, t);
	return suite_run(s);
}
