/* SPDX-License-Identifier: GPL-3.0-or-later
 * Pages of guests that run change their state at random, and machine memory is less than the guest's. The
 * guest must not notice: with the icount clock its output and the machine's hash are those of a machine
 * that keeps all pages at home. */
#include "bt/bt.h"
#include "guests/embedded.h"
#include "hv/machine.h"
#include "mm/mmu.h"
#include "mm/pages.h"
#include "tests/suite.h"

#include <string.h>

enum { PATIENCE_MS = 110000, PASSED = 1, MEMORY = 64 << 20 };

struct run {
	struct machine *m;
	struct bt_config cfg;
	char out[1 << 16];
	size_t n;
	struct mm_counts counts;
	uint64_t hash;
};

static const struct guest {
	const char *append, *verdict;
	const unsigned char *blob;
	const size_t *len;
	unsigned changes;	 /* at each exit to the monitor */
	bool precheck, soft;	 /* as struct bt_config has it */
	uint64_t machine_memory; /* of the machine that must not be noticed */
	uint64_t least;		 /* pages swapped out */
} guests[] = {
	{ "", "demo: all checks passed", demo_kernel, &demo_kernel_len, 4, false, false, MEMORY * 2, 100 },
	{ "seed=21 rounds=15 quiet noglobal", "stress: no divergence", stress_kernel, &stress_kernel_len, 4,
	  false, false, MEMORY * 2, 40 },
	{ "seed=22 rounds=8 quiet noglobal pae", "stress: no divergence", stress_kernel, &stress_kernel_len,
	  2, false, true, MEMORY * 2, 40 },
	{ "seed=23 rounds=3 quiet noglobal", "stress: no divergence", stress_kernel, &stress_kernel_len, 2,
	  true, false, MEMORY * 2, 40 },
	{ "seed=24 rounds=10 quiet noglobal", "stress: no divergence", stress_kernel, &stress_kernel_len, 0,
	  false, false, 1 << 20, 40 },
};

static void on_serial(void *ctx, const uint8_t *buf, size_t n)
{
	struct run *r = ctx;

	for (size_t i = 0; i < n && r->n < sizeof(r->out) - 1; i++)
		r->out[r->n++] = (char)buf[i];
}

static void run(struct run *r, const struct guest *g, bool still)
{
	struct machine_config cfg = { .memory = MEMORY,
				      .machine_memory = still ? 0 : g->machine_memory,
				      .swap = still ? NULL : "guest_moves_out.swap",
				      .clock = CLOCK_ICOUNT,
				      .serial_out = on_serial,
				      .serial_ctx = r,
				      .image = {
					  .blob = g->blob, .blob_len = *g->len, .append = g->append } };
	struct machine_stop stop;
	struct mm_books b;
	char err[256] = "";

	memset(r, 0, sizeof(*r));
	r->cfg = (struct bt_config){ .verify = true,
				     .precheck_all = g->precheck,
				     .soft_all = g->soft,
				     .change_pages = still ? 0 : g->changes };
	r->m = machine_new(&cfg, bt_vcpu_new, &r->cfg, err, sizeof(err));
	ck_assert_msg(r->m, "%s", err);
	machine_continue(r->m);
	ck_assert(machine_wait(r->m, PATIENCE_MS, &stop));
	ck_assert_msg(stop.state == MACHINE_EXITED, "state %d: %s\n%s", stop.state, machine_error(r->m),
		      r->out);
	ck_assert_msg(machine_exit_code(r->m) == PASSED, "%s", r->out);
	ck_assert_msg(strstr(r->out, g->verdict), "%s", r->out);
	ck_assert_msg(mm_check(machine_vm(r->m), true, &b), "%s (%x)", b.wrong, b.at);
	r->counts = *mm_counts(machine_vm(r->m));
	/* Pages are put into the balloon behind the guest's back. What is in it is hashed, too. */
	mm_deflate_all(machine_vm(r->m));
	r->hash = machine_state_hash(r->m);
	machine_free(r->m);
}

static struct run still, changed;

START_TEST(the_guest_does_not_notice)
{
	const struct guest *g = &guests[_i];

	run(&still, g, true);
	run(&changed, g, false);
	ck_assert_uint_eq(still.counts.out, 0);
	ck_assert_uint_ge(changed.counts.out, g->least);
	ck_assert_uint_ge(changed.counts.in, g->least / 2);
	ck_assert_uint_gt(changed.counts.waits, 0);
	ck_assert_str_eq(changed.out, still.out);
	ck_assert_uint_eq(changed.hash, still.hash);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("guest moves out");
	TCase *t = tcase_create("guest moves out");

	tcase_add_loop_test(t, the_guest_does_not_notice, 0, sizeof(guests) / sizeof(guests[0]));
	suite_add_tcase(s, t);
	return suite_run(s);
}
