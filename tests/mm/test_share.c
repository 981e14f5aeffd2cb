/* SPDX-License-Identifier: GPL-3.0-or-later
 * Content-based sharing: pages of the same content meet on a frame and part at a write; hints that are wrong,
 * hashes that collide, a table that is full; all of it at random under a guest's accesses. */
#include "tests/mm/world.h"

#include "mm/policy/share.h"
#include "mm/window/region.h"
#include "tests/suite.h"

#include <string.h>

static void books(struct world *w)
{
	struct mm_books b;

	ck_assert_msg(mm_check(w->vm, w->own_pool, &b), "%s (%x)", b.wrong, b.at);
	world_audit(w, true);
}

static void fill(struct world *w, ppn p, uint8_t v)
{
	uint8_t page[PAGE_SIZE];

	memset(page, v, sizeof(page));
	ck_assert(mm_phys_write(w->vm, (gpa)p << PAGE_SHIFT, page, sizeof(page)));
	w->model[p] = v;
}

static uint64_t charged(const struct world *w)
{
	struct mm_usage u;

	mm_pool_usage(w->pool, &u);
	return u.charged;
}

/* What a table takes, with the references of frames, of the memory it is for. */
START_TEST(small)
{
	uint32_t pages = 1u << _i;

	ck_assert_uint_lt((share_bytes(pages) + pages * 4ull) * 200, (uint64_t)pages << PAGE_SHIFT);
}
END_TEST

/* Every bit counts, and about half of the hash changes. */
START_TEST(every_bit)
{
	uint8_t page[PAGE_SIZE] = { 0 };
	uint64_t zero = share_hash(page), changed = 0;

	for (unsigned i = 0; i < PAGE_SIZE * 8; i++) {
		page[i / 8] ^= (uint8_t)(1u << i % 8);
		int n = __builtin_popcountll(share_hash(page) ^ zero);

		ck_assert_int_gt(n, 8);
		changed += (unsigned)n;
		page[i / 8] ^= (uint8_t)(1u << i % 8);
	}
	ck_assert_uint_gt(changed, PAGE_SIZE * 8 * 31);
	ck_assert_uint_lt(changed, PAGE_SIZE * 8 * 33);
}
END_TEST

START_TEST(meet_and_part)
{
	struct world *w = world_new(NULL, 4, _i, 9);
	ppn a = DATA_FIRST + 3, b = a + 40, c = a + 80;
	mpn frame;

	fill(w, a, 0x21);
	fill(w, b, 0x21);
	fill(w, c, 0x21);
	for (unsigned k = 0; k < 3; k++) {
		world_set_entry(w, 3 + k, (uint64_t)(a + 40 * k) << 12 | PTE_P | PTE_W | PTE_U);
		ck_assert(world_write(w, world_lin(w, 3 + k), 0x21));
	}
	ck_assert_int_eq(mm_share_page(w->vm, a), MM_SHARE_HINT);
	ck_assert_int_eq(page_state(w->vm, a), PAGE_PRIVATE);
	ck_assert_int_eq(mm_share_page(w->vm, a), MM_SHARE_HINT); /* itself is no match */
	ck_assert_int_eq(mm_share_page(w->vm, b), MM_SHARE_DONE);
	ck_assert_int_eq(mm_share_page(w->vm, c), MM_SHARE_DONE);
	ck_assert_int_eq(mm_share_page(w->vm, c), MM_SHARE_NOT_PRIVATE);
	frame = w->vm->pmap[a].mpn;
	ck_assert(w->vm->pmap[b].mpn == frame && w->vm->pmap[c].mpn == frame);
	ck_assert_uint_eq(pool_frame_refs(w->pool, frame), 3);
	ck_assert_uint_eq(charged(w), RAM_PAGES - 2);
	books(w);
	for (unsigned k = 0; k < 3; k++)
		ck_assert(world_read(w, world_lin(w, 3 + k))); /* mapped, read-only */
	books(w);
	ck_assert(world_write(w, world_lin(w, 4), 0x22));
	ck_assert_int_eq(page_state(w->vm, b), PAGE_PRIVATE);
	ck_assert_uint_eq(pool_frame_refs(w->pool, frame), 2);
	ck_assert(world_read(w, world_lin(w, 3)) && world_read(w, world_lin(w, 5)));
	books(w);
	/* Back to what it was, and to the frame. */
	ck_assert(world_write(w, world_lin(w, 4), 0x21));
	ck_assert_int_eq(mm_share_page(w->vm, b), MM_SHARE_DONE);
	ck_assert_uint_eq(w->vm->pmap[b].mpn, frame);
	/* All part; the frame goes, and its entry counts no more. */
	ck_assert(mm_unshare_page(w->vm, a) && mm_unshare_page(w->vm, b) && mm_unshare_page(w->vm, c));
	ck_assert(!mm_unshare_page(w->vm, a));
	ck_assert_uint_eq(charged(w), RAM_PAGES);
	ck_assert_int_eq(mm_share_page(w->vm, a), MM_SHARE_HINT);
	books(w);
	world_free(w);
}
END_TEST

/* Another content has the frame now: the entry of the former one does not count. */
START_TEST(frame_used_again)
{
	struct world *w = world_new(NULL, 4, false, 9);
	ppn a = DATA_FIRST + 3;
	mpn frame;

	for (ppn p = a; p < a + 3; p++)
		fill(w, p, 0x21);
	ck_assert_uint_eq(mm_share_range(w->vm, a, 2), 2);
	frame = w->vm->pmap[a].mpn;
	ck_assert(mm_unshare_page(w->vm, a) && mm_unshare_page(w->vm, a + 1));
	fill(w, a, 0x22);
	fill(w, a + 1, 0x22);
	ck_assert_uint_eq(mm_share_range(w->vm, a, 2), 2);
	ck_assert_uint_eq(w->vm->pmap[a].mpn, frame);
	ck_assert_int_eq(mm_share_page(w->vm, a + 2), MM_SHARE_HINT);
	ck_assert_uint_eq(mm_sharing(w->vm)->false_matches, 0);
	books(w);
	world_free(w);
}
END_TEST

START_TEST(wrong_hint)
{
	struct world *w = world_new(NULL, 4, false, 9);
	ppn a = DATA_FIRST + 3, b = a + 40;

	fill(w, a, 0x21);
	fill(w, b, 0x21);
	ck_assert_int_eq(mm_share_page(w->vm, a), MM_SHARE_HINT);
	fill(w, a, 0x23);
	ck_assert_int_eq(mm_share_page(w->vm, b), MM_SHARE_HINT);
	ck_assert_uint_eq(mm_sharing(w->vm)->stale, 1);
	fill(w, a, 0x21);
	ck_assert_int_eq(mm_share_page(w->vm, a), MM_SHARE_DONE);
	books(w);
	world_free(w);
}
END_TEST

/* The frame's bytes are changed behind its entry, as if another content had that hash. */
START_TEST(collision)
{
	struct world *w = world_new(NULL, 4, false, 9);
	ppn a = DATA_FIRST + 3, b = a + 40, c = a + 80;
	uint8_t *frame;

	fill(w, a, 0x21);
	fill(w, b, 0x21);
	fill(w, c, 0x21);
	ck_assert_int_eq(mm_share_page(w->vm, a), MM_SHARE_HINT);
	ck_assert_int_eq(mm_share_page(w->vm, b), MM_SHARE_DONE);
	frame = w->pool->frames + ((uint64_t)(w->vm->pmap[a].mpn & MPN_INDEX) << PAGE_SHIFT);
	frame[PAGE_SIZE - 1] ^= 1;
	ck_assert_int_eq(mm_share_page(w->vm, c), MM_SHARE_FALSE);
	ck_assert_int_eq(page_state(w->vm, c), PAGE_PRIVATE);
	ck_assert_uint_eq(mm_sharing(w->vm)->false_matches, 1);
	frame[PAGE_SIZE - 1] ^= 1;
	ck_assert_int_eq(mm_share_page(w->vm, c), MM_SHARE_DONE);
	books(w);
	world_free(w);
}
END_TEST

/* More contents than entries: old hints make room. */
START_TEST(full)
{
	struct world *w = world_new(NULL, 4, false, 9);

	for (int round = 0; round < 6; round++) {
		for (ppn p = DATA_FIRST; p < RAM_PAGES; p++) {
			uint32_t x[4] = { p * 8 + (uint32_t)round };

			ck_assert(mm_phys_write(w->vm, ((gpa)p << PAGE_SHIFT) + 64, x, sizeof(x)));
			ck_assert_int_eq(mm_share_page(w->vm, p), MM_SHARE_HINT);
		}
	}
	ck_assert_uint_gt(mm_sharing(w->vm)->evicted, 1000);
	ck_assert_uint_le(mm_sharing(w->vm)->entries, RAM_PAGES / 2 + 20);
	for (ppn p = DATA_FIRST; p < RAM_PAGES; p++)
		fill(w, p, 5);
	ck_assert_uint_eq(mm_share_range(w->vm, DATA_FIRST, RAM_PAGES - DATA_FIRST), RAM_PAGES - DATA_FIRST);
	ck_assert_uint_eq(charged(w), DATA_FIRST + 1);
	books(w);
	world_free(w);
}
END_TEST

START_TEST(at_random)
{
	struct world *w = world_new_swapped(NULL, 4, _i & 1, 300 + (uint64_t)_i);

	w->soft = _i & 2 ? 2 : 0;
	for (unsigned k = 0; k < NTABLES * 512; k++)
		world_set_entry(w, k,
				(uint64_t)(DATA_FIRST + k % (RAM_PAGES - DATA_FIRST)) << 12 | PTE_P |
				    (world_rnd(w, 3) ? PTE_W : 0) | (world_rnd(w, 2) ? PTE_U : 0));
	for (int i = 0; i < 5000; i++) {
		uint32_t lin = world_lin(w, world_rnd(w, NTABLES * 512));
		ppn p = world_rnd(w, RAM_PAGES);

		w->cpu.cpl = world_rnd(w, 2) ? 3 : 0;
		if (world_rnd(w, 3))
			world_write(w, lin, (uint8_t)world_rnd(w, 6));
		else
			(world_rnd(w, 2) ? world_read : world_fetch)(w, lin);
		mm_share_page(w->vm, p); /* tables too */
		mm_share_page(w->vm, world_rnd(w, RAM_PAGES));
		if (!world_rnd(w, 10))
			mm_unshare_page(w->vm, p);
		if (!world_rnd(w, 10))
			mm_swap_out(w->vm, p);
		if (!world_rnd(w, 40))
			mm_trace_code(w->vm, DATA_FIRST + world_rnd(w, ROM_FIRST - DATA_FIRST));
		if (i % 500 == 499)
			books(w);
	}
	ck_assert_uint_eq(w->failed, 0);
	ck_assert_uint_gt(mm_sharing(w->vm)->shared, 500);
	ck_assert_uint_gt(w->vm->n.cow, 300);
	ck_assert_uint_eq(mm_sharing(w->vm)->false_matches, 0);
	world_free(w);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("share");
	TCase *t = tcase_create("share");

	tcase_set_timeout(t, 60);
	tcase_add_loop_test(t, small, 14, 21);
	tcase_add_test(t, every_bit);
	tcase_add_loop_test(t, meet_and_part, 0, 2);
	tcase_add_test(t, frame_used_again);
	tcase_add_test(t, wrong_hint);
	tcase_add_test(t, collision);
	tcase_add_test(t, full);
	tcase_add_loop_test(t, at_random, 0, 4);
	suite_add_tcase(s, t);
	return suite_run(s);
}
