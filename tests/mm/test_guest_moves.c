/* SPDX-License-Identifier: GPL-3.0-or-later
 * PPNs move to other machine pages at random, thousands of times, under guests that run. The guest
 * must not notice: with the icount clock a machine's state is a function of the instructions it has
 * run, so its hash and its output are those of a machine whose pages stay where they are, and in every
 * way of accessing memory. Only where global translations outlive a load of CR3 may accessed bits differ:
 * the manual leaves open whether one is kept, and the directory marked that is loaded when it is not. */
#include "bt/bt.h"
#include "guests/embedded.h"
#include "hv/machine.h"
#include "mm/mmu.h"
#include "tests/suite.h"

#include <string.h>

enum { PATIENCE_MS = 110000, PASSED = 1, MEMORY = 64 << 20, SPARE = 8 << 20 };

struct run {
	struct machine *m;
	struct bt_config cfg;
	char out[1 << 16];
	size_t n;
	uint64_t moves, hash;
};

static const struct guest {
	const char *append, *verdict;
	const unsigned char *blob;
	const size_t *len;
	unsigned moves; /* at each exit to the monitor */
	bool precheck;	/* accesses are bypassed where they can be */
	bool soft;	/* or made in soft pages */
	bool open;	/* uses global pages */
	uint64_t least; /* moves */
} guests[] = {
	{ "", "demo: all checks passed", demo_kernel, &demo_kernel_len, 4, false, false, false, 2000 },
	{ "seed=11 rounds=100 quiet", "stress: no divergence", stress_kernel, &stress_kernel_len, 4, false,
	  false, true, 1500 },
	{ "seed=12 rounds=100 quiet noglobal pae", "stress: no divergence", stress_kernel, &stress_kernel_len,
	  4, false, false, false, 1500 },
	{ "seed=14 rounds=20 quiet noglobal", "stress: no divergence", stress_kernel, &stress_kernel_len, 2,
	  true, false, false, 1000 },
	{ "seed=14 rounds=60 quiet noglobal", "stress: no divergence", stress_kernel, &stress_kernel_len, 2,
	  false, true, false, 1000 },
};

static void on_serial(void *ctx, const uint8_t *buf, size_t n)
{
	struct run *r = ctx;

	for (size_t i = 0; i < n && r->n < sizeof(r->out) - 1; i++)
		r->out[r->n++] = (char)buf[i];
}

static void run(struct run *r, const struct guest *g, unsigned moves)
{
	struct machine_config cfg = { .memory = MEMORY,
				      .machine_memory = MEMORY + SPARE,
				      .clock = CLOCK_ICOUNT,
				      .serial_out = on_serial,
				      .serial_ctx = r,
				      .image = {
					  .blob = g->blob, .blob_len = *g->len, .append = g->append } };
	struct machine_stop stop;
	char err[256] = "";

	memset(r, 0, sizeof(*r));
	r->cfg = (struct bt_config){
		.verify = true, .precheck_all = g->precheck, .soft_all = g->soft, .move_pages = moves
	};
	r->m = machine_new(&cfg, bt_vcpu_new, &r->cfg, err, sizeof(err));
	ck_assert_msg(r->m, "%s", err);
	machine_continue(r->m);
	ck_assert(machine_wait(r->m, PATIENCE_MS, &stop));
	ck_assert_msg(stop.state == MACHINE_EXITED, "state %d: %s\n%s", stop.state, machine_error(r->m),
		      r->out);
	ck_assert_msg(machine_exit_code(r->m) == PASSED, "%s", r->out);
	ck_assert_msg(strstr(r->out, g->verdict), "%s", r->out);
	r->moves = mm_moves(machine_vm(r->m));
	r->hash = machine_state_hash(r->m);
	machine_free(r->m);
}

static struct run still, moved, mapped;

START_TEST(the_guest_does_not_notice)
{
	const struct guest *g = &guests[_i];

	run(&still, g, 0);
	run(&moved, g, g->moves);
	ck_assert_uint_eq(still.moves, 0);
	ck_assert_uint_ge(moved.moves, g->least);
	ck_assert_str_eq(moved.out, still.out);
	if (g->open)
		return;
	ck_assert_uint_eq(moved.hash, still.hash);
	if (g->precheck || g->soft) {
		struct guest other = *g;

		other.precheck = other.soft = false;
		run(&mapped, &other, 0);
		ck_assert_uint_eq(mapped.hash, still.hash);
	}
}
END_TEST

int main(void)
{
	Suite *s = suite_create("guest moves");
	TCase *t = tcase_create("guest moves");

	tcase_add_loop_test(t, the_guest_does_not_notice, 0, sizeof(guests) / sizeof(guests[0]));
	suite_add_tcase(s, t);
	return suite_run(s);
}
