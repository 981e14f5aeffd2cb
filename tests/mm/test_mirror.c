/* SPDX-License-Identifier: GPL-3.0-or-later
 * The mirror of guest memory, against the pmap and against what the host lets this process read and write
 * there: each state of a page, and changes of states at random. */
#include "tests/mm/world.h"

#include "mm/mirror.h"
#include "mm/window/region.h"
#include "tests/suite.h"

#include <string.h>

static uint8_t *at(const struct mm_mirror *r, ppn p)
{
	return mm_mirror_base(r) + ((uint64_t)p << PAGE_SHIFT);
}

static void audit(struct world *w, struct mm_mirror *r)
{
	uint8_t page[PAGE_SIZE];

	for (ppn p = 0; p < RAM_PAGES + 8; p++) {
		enum page_write may = page_write_check(w->vm, p, WRITE_BY_GUEST);
		bool here = ppn_ram(w->vm, p) && mpn_in_memory(w->vm->pmap[p].mpn);

		ck_assert_msg(can_read(at(r, p)) == here, "page %x: readable", p);
		ck_assert_msg(can_write(at(r, p)) == (may == PAGE_WRITE_OK), "page %x: writable", p);
		if (!here)
			continue;
		ck_assert(mm_phys_read(w->vm, (gpa)p << PAGE_SHIFT, page, sizeof(page)));
		ck_assert_msg(!memcmp(page, at(r, p), sizeof(page)), "page %x: content", p);
	}
}

static void sync_and_audit(struct world *w, struct mm_mirror *r)
{
	ck_assert(mm_mirror_sync(r));
	audit(w, r);
}

/* A page in each state, one after the other, and back. */
START_TEST(each_state)
{
	struct world *w = world_new(NULL, 8, false, 1);
	struct mm_mirror *r = mm_mirror_new(w->vm);
	uint64_t remapped;
	ppn p = DATA_FIRST;
	mpn frame;

	ck_assert_ptr_nonnull(r);
	ck_assert(!can_read(at(r, p))); /* out of date: nothing is mapped */
	sync_and_audit(w, r);
	remapped = mm_mirror_remapped(r);
	ck_assert_uint_eq(remapped, RAM_PAGES);
	ck_assert(mm_mirror_sync(r));
	ck_assert_uint_eq(mm_mirror_remapped(r), remapped);
	*at(r, p) = 0x5a; /* as KVM's guest writes */
	ck_assert_uint_eq(*page_read(w->vm, p), 0x5a);
	mm_trace_code(w->vm, p);
	sync_and_audit(w, r);
	ck_assert_uint_eq(mm_mirror_remapped(r), remapped + 1);
	mm_untrace_code(w->vm, p);
	sync_and_audit(w, r);
	frame = pool_frame_new(w->pool);
	ck_assert(page_move(w->vm, p, frame));
	sync_and_audit(w, r);
	ck_assert_uint_eq(*at(r, p), 0x5a);
	ck_assert(page_bring_home(w->vm, p));
	sync_and_audit(w, r);
	page_release(w->vm, p);
	sync_and_audit(w, r);
	ck_assert(page_bring_home(w->vm, p));
	sync_and_audit(w, r);
	mm_vm_set_rom(w->vm, (gpa)p << PAGE_SHIFT, 3 << PAGE_SHIFT, true);
	sync_and_audit(w, r);
	mm_vm_set_rom(w->vm, (gpa)p << PAGE_SHIFT, 3 << PAGE_SHIFT, false);
	sync_and_audit(w, r);
	mm_mirror_free(r);
	mm_trace_code(w->vm, p); /* without a mirror nobody notes that */
	world_free(w);
}
END_TEST

START_TEST(at_random)
{
	struct world *w = world_new_swapped(NULL, 8, _i, 70 + (uint64_t)_i);
	struct mm_mirror *r = mm_mirror_new(w->vm);

	ck_assert_ptr_nonnull(r);
	for (unsigned i = 0; i < 60; i++) {
		mm_change_some(w->vm, 1 + world_rnd(w, 30));
		for (unsigned n = world_rnd(w, 4); n; n--) {
			ppn p = world_rnd(w, RAM_PAGES);

			if (world_rnd(w, 2))
				mm_trace_code(w->vm, p);
			else
				mm_untrace_code(w->vm, p);
		}
		sync_and_audit(w, r);
	}
	mm_mirror_free(r);
	world_free(w);
}
END_TEST

/* Runs of memory, as slots are made from them. */
START_TEST(runs)
{
	struct world *w = world_new(NULL, 40, false, 3);
	struct mm_mirror *r = mm_mirror_new(w->vm);
	uint64_t bytes;
	gpa from;

	ck_assert_int_eq(mm_vm_add_ram(w->vm, 0xf0000000, 16 << PAGE_SHIFT, true), 0);
	sync_and_audit(w, r);
	ck_assert(mm_mirror_run(r, 0, &from, &bytes));
	ck_assert_uint_eq(from, 0);
	ck_assert_uint_eq(bytes, (uint64_t)RAM_PAGES << PAGE_SHIFT);
	ck_assert(mm_mirror_run(r, bytes, &from, &bytes));
	ck_assert_uint_eq(from, 0xf0000000);
	ck_assert_uint_eq(bytes, 16 << PAGE_SHIFT);
	ck_assert(can_read(mm_mirror_base(r) + from) && !can_write(mm_mirror_base(r) + from));
	ck_assert(!mm_mirror_run(r, from + bytes, &from, &bytes));
	mm_mirror_free(r);
	world_free(w);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("mirror");
	TCase *t = tcase_create("mirror");

	tcase_add_test(t, each_state);
	tcase_add_loop_test(t, at_random, 0, 2);
	tcase_add_test(t, runs);
	suite_add_tcase(s, t);
	return suite_run(s);
}
