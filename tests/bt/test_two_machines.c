/* SPDX-License-Identifier: GPL-3.0-or-later
 * Two machines in one process, each on the translator. The embedded guest checks itself; with the icount
 * clock a machine's state is a function of the instructions it has run, so a machine that shares the process
 * must come to the same state hash, and send the same bytes, as one that has it to itself. */
#include "bt/bt.h"
#include "guests/embedded.h"
#include "hv/machine.h"
#include "tests/suite.h"

#include <string.h>

enum { PATIENCE_MS = 100000, PASSED = 1, STEPS = 3000 };
#define EARLY 400000u /* instructions: somewhere in the guest's checks */

struct run {
	struct machine *m;
	struct bt_config cfg;
	char out[1 << 16];
	size_t n;
};
static struct run alone, a, b;

static void on_serial(void *ctx, const uint8_t *buf, size_t n)
{
	struct run *r = ctx;

	for (size_t i = 0; i < n && r->n < sizeof(r->out) - 1; i++)
		r->out[r->n++] = (char)buf[i];
}

static void make(struct run *r, bool verify)
{
	struct machine_config cfg = { .memory = 64 << 20,
				      .clock = CLOCK_ICOUNT,
				      .serial_out = on_serial,
				      .serial_ctx = r,
				      .image = { .blob = demo_kernel, .blob_len = demo_kernel_len } };
	char err[256] = "";

	memset(r, 0, sizeof(*r));
	r->cfg.verify = verify;
	r->m = machine_new(&cfg, bt_vcpu_new, &r->cfg, err, sizeof(err));
	ck_assert_msg(r->m, "%s", err);
}

static void wait_for(struct run *r, enum machine_state state)
{
	struct machine_stop stop;

	ck_assert(machine_wait(r->m, PATIENCE_MS, &stop));
	ck_assert_msg(stop.state == state, "state %d: %s\n%s", stop.state, machine_error(r->m), r->out);
}

static void check_passed(struct run *r)
{
	wait_for(r, MACHINE_EXITED);
	ck_assert_int_eq(machine_exit_code(r->m), PASSED);
	ck_assert_ptr_nonnull(strstr(r->out, "all checks passed"));
}

/* Did R end as the machine that had the process to itself? */
static void check_same(struct run *r)
{
	check_passed(r);
	ck_assert_uint_eq(machine_state_hash(r->m), machine_state_hash(alone.m));
	ck_assert_str_eq(r->out, alone.out);
}

/* The reference of every test. */
static void setup(void)
{
	make(&alone, false);
	machine_continue(alone.m);
	check_passed(&alone);
}

static void teardown(void)
{
	machine_free(alone.m);
}

START_TEST(one_after_the_other)
{
	for (int i = 0; i < 2; i++) {
		make(&a, false);
		machine_continue(a.m);
		check_same(&a);
		machine_free(a.m);
	}
}
END_TEST

/* On two threads at once, one of them under the verifier. */
START_TEST(both_at_once)
{
	make(&a, false);
	make(&b, true);
	machine_continue(a.m);
	machine_continue(b.m);
	check_same(&a);
	check_same(&b);
	machine_free(a.m);
	machine_free(b.m);
}
END_TEST

/* Each is stopped, and the other runs meanwhile, at many places. */
START_TEST(in_turns)
{
	make(&a, false);
	make(&b, false);
	for (uint64_t n = 1; machine_state(a.m) == MACHINE_STOPPED; n++) {
		machine_continue_to_icount(a.m, n * 1000003);
		ck_assert(machine_wait(a.m, PATIENCE_MS, NULL));
		if (machine_state(b.m) != MACHINE_STOPPED)
			continue;
		machine_continue_to_icount(b.m, n * 700001);
		ck_assert(machine_wait(b.m, PATIENCE_MS, NULL));
	}
	if (machine_state(b.m) == MACHINE_STOPPED)
		machine_continue(b.m);
	check_same(&a);
	check_same(&b);
	machine_free(a.m);
	machine_free(b.m);
}
END_TEST

/* Steps are taken on the caller's thread: this one runs both, by turns. The machine that goes first is freed
 * first, and the signal stack of the other is still there. */
START_TEST(steps_on_one_thread)
{
	make(&a, false);
	make(&b, false);
	machine_continue_to_icount(a.m, EARLY);
	machine_continue_to_icount(b.m, EARLY);
	wait_for(&a, MACHINE_STOPPED);
	wait_for(&b, MACHINE_STOPPED);
	for (unsigned i = 0; i < STEPS; i++) {
		ck_assert_int_eq(machine_step(a.m, true).reason, STOP_STEP);
		ck_assert_int_eq(machine_step(b.m, true).reason, STOP_STEP);
	}
	ck_assert_uint_eq(machine_state_hash(a.m), machine_state_hash(b.m));
	machine_free(a.m);
	for (unsigned i = 0; i < STEPS; i++)
		ck_assert_int_eq(machine_step(b.m, true).reason, STOP_STEP);
	machine_continue(b.m);
	check_same(&b);
	machine_free(b.m);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("two machines");
	TCase *t = tcase_create("two machines");

	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_test(t, one_after_the_other);
	tcase_add_test(t, both_at_once);
	tcase_add_test(t, in_turns);
	tcase_add_test(t, steps_on_one_thread);
	suite_add_tcase(s, t);
	return suite_run(s);
}
