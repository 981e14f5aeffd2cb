/* SPDX-License-Identifier: GPL-3.0-or-later
 * The machine's work on memory: none where none is wanted; samples by VM time; swapping to a target in steps;
 * a VM that waits for memory takes no processor and no VM time, and can be stopped, stepped and freed;
 * points. */
#include "tests/suite.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "hv/machine_int.h"
#include "mm/policy.h"
#include "tests/hv/fake_engine.h"

#define SECOND 1000000000ull
enum { MEMORY = 8 << 20, PAGES = MEMORY >> PAGE_SHIFT };

static char swap_file[64];

static struct machine *make(enum clock_mode clock, uint64_t machine_memory, bool swap,
			    enum engine_exit (*script)(struct fake_engine *f))
{
	struct machine_config cfg = { .memory = MEMORY,
				      .name = "A",
				      .machine_memory = machine_memory,
				      .clock = clock,
				      .swap = swap ? swap_file : NULL,
				      .image = { .blob = fake_guest, .blob_len = sizeof(fake_guest) } };
	char err[200] = "";
	struct machine *m;

	snprintf(swap_file, sizeof(swap_file), "/tmp/vitrine-test-memory.%d", (int)getpid());
	m = machine_new(&cfg, fake_new, (void *)script, err, sizeof(err));
	ck_assert_msg(m != NULL, "%s", err);
	return m;
}

static struct mm_slot *slot_of(struct machine *m)
{
	return mm_slot(m->vm);
}

static void books(struct machine *m)
{
	struct mm_books b;

	ck_assert_msg(mm_check(m->vm, true, &b), "%s (%x)", b.wrong, b.at);
}

/* Let VM time pass as the vCPU's thread would, which waits for a command. */
static void pass(struct machine *m, uint64_t ns)
{
	clock_start(&m->board.clock);
	fake_advance(m, ns);
	clock_stop(&m->board.clock);
}

START_TEST(not_wanted)
{
	struct machine *m = make(CLOCK_ICOUNT, 0, false, NULL);

	ck_assert(!m->memory_work.tick.armed);
	machine_memory_changed(m);
	pass(m, 5 * SECOND);
	ck_assert(!m->memory_work.tick.armed);
	ck_assert_str_eq(slot_of(m)->name, "A");
	ck_assert(!mm_policy_wanted(m->pool, m->vm));
	machine_free(m);
}
END_TEST

START_TEST(samples)
{
	struct machine *m = make(CLOCK_ICOUNT, 0, false, NULL);
	struct mm_policy_params *a = &mm_policy(m->pool)->params;
	struct mm_slot *s = slot_of(m);

	a->sample_pages = 50;
	machine_memory_changed(m);
	ck_assert(m->memory_work.tick.armed);
	pass(m, 61 * SECOND);
	ck_assert_uint_eq(s->periods, 2);
	ck_assert_uint_eq(s->sampled, 50);
	ck_assert_uint_eq(s->touched, 0);
	ck_assert(s->vm_ns > 60 * SECOND);
	mm_dma_touched(m->vm, 0, MEMORY); /* every page that is sampled */
	pass(m, 2 * SECOND);
	ck_assert_uint_ge(s->now, 30000);
	pass(m, 28 * SECOND);
	ck_assert_uint_eq(s->touched, 50);
	/* Another length, from the period that runs on; then none. */
	a->sample_period = 1000;
	machine_memory_changed(m);
	pass(m, 10 * SECOND + SECOND / 2);
	ck_assert_uint_ge(s->periods, 12);
	ck_assert_uint_le(s->periods, 14);
	a->sample_pages = 0;
	machine_memory_changed(m);
	pass(m, 3 * SECOND);
	ck_assert(!m->memory_work.tick.armed && !m->memory_work.sampling);
	machine_free(m);
}
END_TEST

/* Contents that cannot be shared. */
static void fill(struct machine *m)
{
	for (gpa a = 0; a < MEMORY; a += PAGE_SIZE) {
		uint64_t x[2] = { a + 1, ~a };

		ck_assert(mm_phys_write(m->vm, a + 128, x, sizeof(x)));
	}
}

START_TEST(swaps_to_target)
{
	struct machine *m = make(CLOCK_ICOUNT, MEMORY + (2 << 20), true, NULL);
	struct mm_slot *s = slot_of(m);
	uint64_t out;

	fill(m);
	ck_assert_uint_eq(mm_machine_pages(m->pool, 0), PAGES);
	s->hand |= HAND_SWAP;
	s->swap_target = PAGES / 4;
	machine_memory_changed(m);
	pass(m, 1);
	out = s->swap.out;
	ck_assert(out > 0 && out <= 256); /* a step */
	pass(m, 60000000);
	ck_assert(s->swap.out > out && s->swap.out <= 2 * 256);
	pass(m, 2 * SECOND);
	ck_assert_uint_eq(mm_machine_pages(m->pool, 0), PAGES / 4);
	ck_assert_uint_eq(s->pages[PAGE_SWAPPED], s->swap.in_file);
	ck_assert(!m->memory_work.tick.armed);
	books(m);
	machine_free(m);
}
END_TEST

/* A VM alone that has less machine memory than memory: the policy keeps some free. */
START_TEST(policy_alone)
{
	struct machine *m = make(CLOCK_ICOUNT, MEMORY / 2, true, NULL);
	struct mm_policy *y = mm_policy(m->pool);
	struct mm_usage u;

	ck_assert(mm_policy_wanted(m->pool, m->vm) && m->memory_work.tick.armed);
	fill(m);
	mm_pool_usage(m->pool, &u);
	ck_assert(u.pages - u.charged < u.pages / 25);
	memory_event_set(m, MACHINE_EV_STATE, POOL_HARD, POOL_LOW, true);
	pass(m, 1);
	ck_assert(y->state != POOL_HIGH);
	ck_assert(m->board.hit.kind == MACHINE_EV_STATE && m->board.hit.number == y->state &&
		  m->board.hit.val == POOL_HIGH);
	ck_assert_uint_lt(slot_of(m)->target, PAGES / 2);
	pass(m, 5 * SECOND);
	mm_pool_usage(m->pool, &u);
	ck_assert(u.pages - u.charged >= u.pages * 6 / 100);
	ck_assert_uint_eq(y->state, POOL_HIGH);
	ck_assert_uint_gt(y->revocations, 0);
	/* Frozen, it leaves everything as it is. */
	y->params.frozen = 1;
	fill(m);
	pass(m, 5 * SECOND);
	mm_pool_usage(m->pool, &u);
	ck_assert(u.pages - u.charged < u.pages / 25);
	books(m);
	machine_free(m);
}
END_TEST

/* ---- waiting for memory ---- */

static enum engine_exit go_on(struct fake_engine *f)
{
	struct timespec ts = { .tv_nsec = 1000000 };

	(void)f;
	nanosleep(&ts, NULL);
	return ENGINE_STOP;
}

static void sleep_ms(unsigned ms)
{
	struct timespec ts = { .tv_sec = ms / 1000, .tv_nsec = (long)(ms % 1000) * 1000000 };

	nanosleep(&ts, NULL);
}

static bool becomes_still(struct machine *m)
{
	for (int tries = 0; tries < 100; tries++) {
		unsigned runs = __atomic_load_n(&fake_of(m)->runs, __ATOMIC_RELAXED);

		sleep_ms(50);
		if (runs == __atomic_load_n(&fake_of(m)->runs, __ATOMIC_RELAXED))
			return true;
	}
	return false;
}

static bool moves(struct machine *m)
{
	unsigned runs = __atomic_load_n(&fake_of(m)->runs, __ATOMIC_RELAXED);

	for (int tries = 0; tries < 500; tries++) {
		if (runs != __atomic_load_n(&fake_of(m)->runs, __ATOMIC_RELAXED))
			return true;
		sleep_ms(10);
	}
	return false;
}

static double processor_time(struct machine *m)
{
	struct timespec ts;
	clockid_t id;

	ck_assert_int_eq(pthread_getcpuclockid(m->thread, &id), 0);
	clock_gettime(id, &ts);
	return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

START_TEST(blocked)
{
	struct machine *m = make(CLOCK_HOST, 0, true, go_on);
	struct machine_stop stop;
	struct mm_slot *s = slot_of(m);
	double cpu;
	uint64_t ns;

	machine_continue(m);
	ck_assert(moves(m));
	s->blocked = 1;
	ck_assert(becomes_still(m));
	cpu = processor_time(m);
	ns = machine_clock_ns(m);
	sleep_ms(300);
	ck_assert(processor_time(m) - cpu < 0.1);
	ck_assert(machine_clock_ns(m) - ns < 200000000);
	ck_assert_uint_gt(s->blocked_ns, 100000000);
	/* Stop it, step it, let it go on: it still waits. */
	machine_request_stop(m);
	ck_assert(machine_wait(m, 5000, &stop) && stop.reason == STOP_REQUEST);
	stop = machine_step(m, 0);
	ck_assert_int_eq(stop.reason, STOP_STEP);
	machine_continue(m);
	ck_assert(becomes_still(m));
	s->blocked = 0;
	ck_assert(moves(m));
	s->blocked = 1;
	ck_assert(becomes_still(m));
	machine_free(m);
}
END_TEST

/* It comes down to its target while it waits; where it cannot, it does not wait for ever. */
START_TEST(blocked_swaps)
{
	struct machine *m = make(CLOCK_HOST, MEMORY + (2 << 20), true, go_on);
	struct mm_slot *s = slot_of(m);
	int tries = 0;

	fill(m);
	s->swap_target = PAGES / 8;
	s->blocked = 1;
	machine_continue(m);
	while (atomic_load(&s->charged) > PAGES / 8 && tries++ < 500)
		sleep_ms(10);
	ck_assert_uint_eq(s->charged, PAGES / 8);
	ck_assert_uint_eq(s->swaps, 1);
	atomic_store(&s->swap_target, 0);
	for (tries = 0; atomic_load(&s->charged) > 0 && tries < 500; tries++)
		sleep_ms(10);
	ck_assert_uint_eq(s->charged, 0);
	machine_request_stop(m);
	machine_wait(m, -1, NULL);
	books(m);
	machine_free(m);
}
END_TEST

/* A VM with a pool of its own, whose policy runs in VM time: it finds out that there is memory again. */
START_TEST(blocked_alone)
{
	struct machine *m = make(CLOCK_HOST, MEMORY / 2, true, go_on);
	struct mm_slot *s = slot_of(m);

	fill(m);
	machine_continue(m);
	ck_assert(moves(m));
	s->swap_target = PAGES * 7 / 16;
	mm_policy(m->pool)->state = POOL_LOW;
	s->blocked = 1;
	for (int tries = 0; atomic_load(&s->blocked) && tries < 500; tries++)
		sleep_ms(10);
	ck_assert_uint_eq(s->blocked, 0);
	ck_assert_uint_eq(mm_policy(m->pool)->state, POOL_HIGH);
	ck_assert(moves(m));
	machine_request_stop(m);
	machine_wait(m, -1, NULL);
	books(m);
	machine_free(m);
}
END_TEST

START_TEST(points)
{
	struct machine *m = make(CLOCK_ICOUNT, MEMORY + (2 << 20), true, NULL);

	fill(m);
	ck_assert(machine_event_set(m, MACHINE_EV_SWAP_IN, 5, 6, true));
	ck_assert(mm_swap_out(m->vm, 7) && mm_swap_in(m->vm, 7));
	ck_assert_uint_eq(m->board.hit.kind, 0);
	ck_assert(mm_swap_out(m->vm, 6) && mm_swap_in(m->vm, 6));
	ck_assert(m->board.hit.kind == MACHINE_EV_SWAP_IN && m->board.hit.number == 6 &&
		  m->board.hit.val > 0);
	m->board.hit = (struct machine_hit){ 0 };
	machine_event_set(m, MACHINE_EV_SWAP_IN, 5, 6, false);
	ck_assert(mm_swap_out(m->vm, 6) && mm_swap_in(m->vm, 6));
	ck_assert_uint_eq(m->board.hit.kind, 0);
	machine_event_set(m, MACHINE_EV_COW, 0, UINT32_MAX, true);
	for (gpa a = 8 << PAGE_SHIFT; a < 10 << PAGE_SHIFT; a += PAGE_SIZE)
		ck_assert(mm_phys_write(m->vm, a + 128, "\0same bytes 12", 16));
	ck_assert_uint_eq(mm_share_range(m->vm, 8, 2), 2);
	ck_assert_uint_eq(m->board.hit.kind, 0);
	ck_assert(mm_phys_write(m->vm, 9 << PAGE_SHIFT, "x", 1));
	ck_assert(m->board.hit.kind == MACHINE_EV_COW && m->board.hit.number == 9);
	machine_event_set(m, MACHINE_EV_COW, 0, UINT32_MAX, false);
	for (unsigned i = 0; i < MEMORY_POINTS; i++)
		ck_assert(machine_event_set(m, MACHINE_EV_COW, i, i, true));
	ck_assert(!machine_event_set(m, MACHINE_EV_COW, 0, 1, true));
	machine_free(m);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("memory");
	TCase *t = tcase_create("memory");

	tcase_set_timeout(t, 60);
	tcase_add_test(t, not_wanted);
	tcase_add_test(t, samples);
	tcase_add_test(t, swaps_to_target);
	tcase_add_test(t, policy_alone);
	tcase_add_test(t, blocked);
	tcase_add_test(t, blocked_swaps);
	tcase_add_test(t, blocked_alone);
	tcase_add_test(t, points);
	suite_add_tcase(s, t);
	return suite_run(s);
}
