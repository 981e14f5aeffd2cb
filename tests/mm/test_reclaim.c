/* SPDX-License-Identifier: GPL-3.0-or-later
 * Reclaiming: victims are shared first, places of the file given back, pages paged twice counted; the policy
 * over a pool's slots, with figures that are made up. */
#include "mm/policy/alloc.h"
#include "tests/mm/world.h"

#include "mm/window/region.h"
#include "tests/suite.h"

#include <string.h>
#include <sys/stat.h>

#define SECOND 1000000000ull
enum { MIB = 256 };

static uint64_t file_pages(const struct world *w)
{
	struct stat st;

	ck_assert(!fstat(w->vm->swap.fd, &st));
	return (uint64_t)st.st_blocks * 512 >> PAGE_SHIFT;
}

static void books(struct world *w)
{
	struct mm_books b;

	ck_assert_msg(mm_check(w->vm, true, &b), "%s (%x)", b.wrong, b.at);
	world_audit(w, true);
	ck_assert_uint_eq(b.pages[PAGE_SWAPPED], w->vm->n.in_file);
}

static void fill(struct world *w, ppn p, uint8_t v)
{
	uint8_t page[PAGE_SIZE];

	memset(page, v, sizeof(page));
	ck_assert(mm_phys_write(w->vm, (gpa)p << PAGE_SHIFT, page, sizeof(page)));
	w->model[p] = v;
}

/* All of them hold one of a few contents: they meet on frames, and few are written. */
START_TEST(shared_first)
{
	struct world *w = world_new_swapped(NULL, 8, false, 9);

	for (ppn p = DATA_FIRST; p < RAM_PAGES; p++)
		fill(w, p, (uint8_t)(1 + p % 4));
	ck_assert_uint_eq(mm_share_range(w->vm, DATA_FIRST, 100), 100);
	ck_assert_uint_eq(mm_swap_out_some(w->vm, 300), 300);
	ck_assert_uint_gt(w->vm->n.shared, 270);
	ck_assert_uint_eq(w->vm->n.shared + w->vm->n.out + w->vm->n.zeros, 300);
	books(w);
	world_free(w);
}
END_TEST

START_TEST(places)
{
	struct world *w = world_new_swapped(NULL, 8, false, 9);
	ppn p = DATA_FIRST + 3;
	uint64_t before = file_pages(w);

	for (unsigned i = 0; i < 4; i++)
		ck_assert(mm_swap_out(w->vm, p + i));
	ck_assert_uint_eq(file_pages(w), before + 4);
	books(w);
	ck_assert(mm_swap_in(w->vm, p)); /* read back, written in part, written whole, given up */
	ck_assert(mm_phys_write(w->vm, ((gpa)p + 1) << PAGE_SHIFT, &w->model[p + 1], 1));
	fill(w, p + 2, 9);
	page_release(w->vm, p + 3);
	w->model[p + 3] = 0;
	ck_assert_uint_eq(file_pages(w), before);
	ck_assert_uint_eq(w->vm->n.cleaned, 4);
	ck_assert_uint_eq(w->vm->n.in_file, 0);
	books(w);
	world_free(w);
}
END_TEST

START_TEST(paged_twice)
{
	struct world *w = world_new_swapped(NULL, 8, false, 9);
	gpa a = (gpa)(DATA_FIRST + 3) << PAGE_SHIFT;

	mm_disk_written(w->vm, a, 4 * PAGE_SIZE);
	ck_assert_uint_eq(w->vm->n.double_paged, 0);
	ck_assert(mm_swap_out(w->vm, DATA_FIRST + 3) && mm_swap_out(w->vm, DATA_FIRST + 5));
	mm_disk_written(w->vm, a, 4 * PAGE_SIZE);
	ck_assert_uint_eq(w->vm->n.double_paged, 2);
	mm_disk_written(w->vm, a, 512); /* in parts: once */
	mm_disk_written(w->vm, a + 512, PAGE_SIZE - 512);
	ck_assert_uint_eq(w->vm->n.double_paged, 3);
	mm_disk_written(w->vm, (gpa)RAM_PAGES << PAGE_SHIFT, PAGE_SIZE); /* no memory */
	mm_disk_written(w->vm, UINT64_MAX - 5, 100);
	mm_disk_written(w->vm, a, 0);
	ck_assert_uint_eq(w->vm->n.double_paged, 3);
	world_free(w);
}
END_TEST

/* ---- the policy over slots ---- */

struct pool_rig {
	struct mm_pool *p;
	struct mm_policy *y;
	struct mm_slot *s[2];
	uint64_t now;
};

static void use(struct pool_rig *r, unsigned i, uint32_t mib)
{
	uint32_t was = r->s[i]->charged;

	atomic_store(&r->s[i]->charged, mib * MIB);
	atomic_store(&r->s[i]->pages[PAGE_PRIVATE], mib * MIB);
	atomic_store(&r->s[i]->pages[PAGE_ABSENT], (256 - mib) * MIB);
	atomic_fetch_add(&r->p->block->used, mib * MIB - was);
}

/* Two VMs of 256 MiB in 384. */
static struct pool_rig rig_new(void)
{
	struct pool_rig r = { .p = mm_pool_new(384u << 20), .now = SECOND };

	r.y = mm_policy(r.p);
	for (unsigned i = 0; i < 2; i++) {
		r.s[i] = block_slot_take(r.p);
		r.s[i]->configured = 256 * MIB;
		r.s[i]->max = 256 * MIB;
		r.s[i]->shares = 2560;
		r.s[i]->swaps = 1;
		r.s[i]->driver = BALLOON_VMWARE;
		r.s[i]->name[0] = (char)('A' + i);
		atomic_store(&r.s[i]->state, SLOT_LIVES);
		use(&r, i, 10);
	}
	return r;
}

static void rig_free(struct pool_rig *r)
{
	for (unsigned i = 0; i < 2; i++)
		block_slot_free(r->p, r->s[i]);
	mm_pool_free(r->p);
}

static void run(struct pool_rig *r, unsigned seconds)
{
	uint64_t until = r->now + seconds * SECOND;

	while (r->now < until) {
		uint64_t next = mm_policy_run(r->p, r->now);

		ck_assert(next > r->now && next <= r->now + SECOND);
		r->now = next;
	}
}

static bool was_noted(const struct pool_rig *r, const char *start)
{
	for (uint64_t n = 1; n <= r->y->revocations; n++)
		if (!strncmp(r->y->log[n % MM_REVOCATIONS].text, start, strlen(start)))
			return true;
	return false;
}

/* One VM idle, the other hungry, and the tax switched on. */
START_TEST(memory_moves)
{
	struct pool_rig r = rig_new();

	atomic_store(&r.y->params.tax, 0);
	run(&r, 20);
	ck_assert_uint_eq(r.y->state, POOL_HIGH);
	ck_assert(r.s[0]->target == 256 * MIB && r.s[1]->balloon == 0);
	ck_assert_uint_eq(r.s[0]->swap_target, ALLOC_ANY);
	/* 372 of 384 MiB: 3.1 % are free. Both shall have 179, and balloons say so. */
	use(&r, 0, 186);
	use(&r, 1, 186);
	run(&r, 1);
	ck_assert_uint_eq(r.y->state, POOL_SOFT);
	ck_assert(r.s[0]->target / MIB == 179 && r.s[1]->target / MIB == 179);
	ck_assert(r.s[0]->balloon / MIB == 76 && r.s[1]->balloon / MIB == 76);
	ck_assert(r.s[0]->swap_target == ALLOC_ANY && !r.s[0]->blocked);
	ck_assert(was_noted(&r, "A gave 76 MiB back: rho 10.00"));
	/* They do it: memory is free again, and nothing changes in state high. */
	for (unsigned i = 0; i < 2; i++) {
		atomic_store(&r.s[i]->pages[PAGE_BALLOONED], 76 * MIB);
		use(&r, i, 179);
		atomic_store(&r.s[i]->pages[PAGE_ABSENT], MIB);
		atomic_store(&r.s[i]->ballooned, 76 * MIB);
		atomic_store(&r.s[i]->balloon, r.s[i]->balloon);
	}
	run(&r, 20);
	ck_assert_uint_eq(r.y->state, POOL_HIGH);
	ck_assert_uint_eq(r.s[0]->balloon / MIB, 76);
	/* A is idle, B is not. The tax moves memory; the balloon of A grows when B takes what it may have. */
	for (unsigned i = 0; i < 2; i++) {
		atomic_store(&r.s[i]->periods, 1);
		atomic_store(&r.s[i]->slow, i ? ALLOC_ONE : ALLOC_ONE / 10);
	}
	atomic_store(&r.y->params.tax, ALLOC_ONE / 4 * 3);
	mm_policy_changed(r.p);
	run(&r, 1);
	ck_assert(r.s[0]->target / MIB < 110 && r.s[1]->target / MIB >= 250);
	ck_assert(was_noted(&r, "A gave 7"));
	ck_assert(strstr(r.y->log[r.y->revocations % MM_REVOCATIONS].text, " to B: rho ") != NULL);
	ck_assert_uint_lt(r.s[1]->balloon, 6 * MIB);
	ck_assert_uint_eq(r.s[0]->balloon / MIB, 76); /* nothing is short yet */
	use(&r, 1, 195);
	run(&r, 1);
	ck_assert_uint_eq(r.y->state, POOL_SOFT);
	ck_assert_uint_gt(r.s[0]->balloon / MIB, 90); /* what B takes, A gives */
	/* A's balloon does not do it: after ten seconds A swaps. */
	run(&r, 9);
	ck_assert_uint_eq(r.s[0]->swap_target, ALLOC_ANY);
	run(&r, 4);
	ck_assert_uint_eq(r.s[0]->swap_target, r.s[0]->target);
	ck_assert_uint_gt(r.s[0]->balloon / MIB, 90); /* it is still told */
	/* Short of memory altogether: who is above its target waits. */
	use(&r, 1, 202);
	run(&r, 1);
	ck_assert_uint_eq(r.y->state, POOL_LOW);
	ck_assert(r.s[0]->blocked && !r.s[1]->blocked);
	atomic_store(&r.y->params.frozen, 1);
	run(&r, 1);
	ck_assert(!r.s[0]->blocked);
	atomic_store(&r.y->params.frozen, 0);
	run(&r, 1);
	ck_assert(r.s[0]->blocked);
	/* What the user sets is left alone. */
	atomic_store(&r.s[0]->hand, HAND_TARGET | HAND_SWAP | HAND_BALLOON);
	atomic_store(&r.s[0]->target, 200 * MIB);
	atomic_store(&r.s[0]->swap_target, 7);
	atomic_store(&r.s[0]->balloon, 8);
	mm_policy_changed(r.p);
	run(&r, 20);
	ck_assert(r.s[0]->target == 200 * MIB && r.s[0]->swap_target == 7 && r.s[0]->balloon == 8);
	ck_assert(!r.s[0]->blocked); /* it has less than that */
	rig_free(&r);
}
END_TEST

START_TEST(admitted)
{
	struct pool_rig r = rig_new();
	char err[300];

	for (unsigned i = 0; i < 2; i++) {
		r.s[i]->min = 100 * MIB;
		r.s[i]->overhead = 20 * MIB;
	}
	atomic_store(&r.y->params.computer, r.p->limit + 60 * MIB);
	atomic_store(&r.y->params.swap, 1024 * MIB);
	ck_assert(mm_admit(r.p, 184 * MIB, 256 * MIB, 20 * MIB, err, sizeof(err)));
	ck_assert(!mm_admit(r.p, 185 * MIB, 256 * MIB, 20 * MIB, err, sizeof(err)));
	ck_assert_ptr_nonnull(strstr(err, "machine memory lacks 1 MiB"));
	ck_assert(!mm_admit(r.p, 184 * MIB, 256 * MIB, 21 * MIB, err, sizeof(err)));
	ck_assert_ptr_nonnull(strstr(err, "the computer lacks 1 MiB"));
	atomic_store(&r.y->params.swap, 400 * MIB);
	ck_assert(!mm_admit(r.p, 100 * MIB, 256 * MIB, 20 * MIB, err, sizeof(err)));
	ck_assert_ptr_nonnull(strstr(err, "swap file lacks 68 MiB"));
	rig_free(&r);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("reclaim");
	TCase *t = tcase_create("reclaim");

	tcase_add_test(t, shared_first);
	tcase_add_test(t, places);
	tcase_add_test(t, paged_twice);
	tcase_add_test(t, memory_moves);
	tcase_add_test(t, admitted);
	suite_add_tcase(s, t);
	return suite_run(s);
}
