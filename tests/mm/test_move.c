/* SPDX-License-Identifier: GPL-3.0-or-later
 * Who may write a page, and where it is: the decision as a table, then moves between home and
 * shared frames at random under a guest's accesses, and with two VMs on one pool. */
#include "tests/mm/world.h"

#include "mm/window/region.h"
#include "tests/suite.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

/* ---- the decision ---- */

enum where { AT_HOME, ON_FRAME, NOWHERE };

static const struct write_row {
	enum page_kind kind;
	bool code;
	enum where where;
	enum page_write guest, operator;
} decisions[] = {
	{ PAGE_NONE, false, AT_HOME, PAGE_WRITE_NONE, PAGE_WRITE_NONE },
	{ PAGE_NONE, true, ON_FRAME, PAGE_WRITE_NONE, PAGE_WRITE_NONE },
	{ PAGE_RAM, false, AT_HOME, PAGE_WRITE_OK, PAGE_WRITE_OK },
	{ PAGE_RAM, false, ON_FRAME, PAGE_WRITE_SHARED, PAGE_WRITE_SHARED },
	{ PAGE_RAM, false, NOWHERE, PAGE_WRITE_ABSENT, PAGE_WRITE_ABSENT },
	{ PAGE_RAM, true, AT_HOME, PAGE_WRITE_CODE, PAGE_WRITE_CODE },
	{ PAGE_RAM, true, ON_FRAME, PAGE_WRITE_CODE, PAGE_WRITE_CODE },
	{ PAGE_ROM, false, AT_HOME, PAGE_WRITE_ROM, PAGE_WRITE_OK },
	{ PAGE_ROM, false, ON_FRAME, PAGE_WRITE_ROM, PAGE_WRITE_SHARED },
	{ PAGE_ROM, false, NOWHERE, PAGE_WRITE_ROM, PAGE_WRITE_ABSENT },
	{ PAGE_ROM, true, AT_HOME, PAGE_WRITE_ROM, PAGE_WRITE_CODE },
};

START_TEST(who_may_write)
{
	const struct write_row *d = &decisions[_i];
	struct world *w = world_new(NULL, 4, false, 9);
	ppn p = d->kind == PAGE_ROM ? ROM_FIRST + 1 : d->kind == PAGE_RAM ? DATA_FIRST : RAM_PAGES + 5;
	uint8_t *page;

	if (d->kind != PAGE_NONE && d->where == ON_FRAME)
		ck_assert(page_move(w->vm, p, pool_frame_new(w->pool)));
	if (d->where == NOWHERE)
		page_release(w->vm, p);
	if (d->code)
		w->vm->pmap[p].code = 1;
	ck_assert_int_eq(page_write_check(w->vm, p, WRITE_BY_GUEST), d->guest);
	ck_assert_int_eq(page_write_check(w->vm, p, WRITE_BY_OPERATOR), d->operator);

	page = page_write(w->vm, p, 8, 4, WRITE_BY_GUEST);
	ck_assert((page != NULL) == (d->kind == PAGE_RAM));
	ck_assert_uint_eq(w->code_writes, d->kind == PAGE_RAM && d->code);
	page = page_write(w->vm, p, 8, 4, WRITE_BY_OPERATOR);
	ck_assert((page != NULL) == (d->kind != PAGE_NONE));
	if (!page) {
		world_free(w);
		return;
	}
	ck_assert_uint_eq(w->code_writes, d->code);
	ck_assert_int_eq(page_write_check(w->vm, p, WRITE_BY_OPERATOR), PAGE_WRITE_OK);
	ck_assert_uint_eq(w->vm->pmap[p].mpn, p);
	for (unsigned i = 0; i < PAGE_SIZE; i++)
		ck_assert_uint_eq(page[i], d->where == NOWHERE ? 0 : w->model[p]);
	world_free(w);
}
END_TEST

/* ---- one page in two windows ---- */

static void map_twice(struct world *w, ppn p)
{
	world_set_entry(w, 3, (uint64_t)p << 12 | PTE_P | PTE_W | PTE_U | PTE_A | PTE_D);
	world_set_entry(w, 200, (uint64_t)p << 12 | PTE_P | PTE_U | PTE_A | PTE_D);
	for (unsigned cpl = 0; cpl <= 3; cpl += 3) {
		w->cpu.cpl = (uint8_t)cpl;
		ck_assert(world_write(w, world_lin(w, 3), 0x11));
		ck_assert(world_read(w, world_lin(w, 200)));
	}
}

START_TEST(copied_on_write)
{
	struct world *w = world_new(NULL, 4, _i, 3);
	ppn p = DATA_FIRST + 7;
	struct mm_usage u;
	mpn f;

	map_twice(w, p);
	f = pool_frame_new(w->pool);
	pool_frame_get(w->pool, f); /* another has it too: it is copy-on-write for a reason */
	ck_assert(!page_move(w->vm, p, f));
	memset(w->pool->frames + ((uint64_t)(f & ~MPN_SHARED) << PAGE_SHIFT), 0x11, PAGE_SIZE);
	ck_assert(page_move(w->vm, p, f));
	mm_pool_usage(w->pool, &u);
	ck_assert_uint_eq(u.charged, RAM_PAGES); /* the home's charge went, the frame's came */
	world_audit(w, true);
	for (unsigned i = 0; i < MAX_WINDOWS; i++)
		if (w->m->win[i].used) {
			ck_assert(can_read(w->m->win[i].base + world_lin(w, 3)));
			ck_assert(!can_write(w->m->win[i].base + world_lin(w, 3)));
		}
	/* The user's store brings it home in both windows; the frame keeps what it had. */
	w->cpu.cpl = 3;
	ck_assert(world_write(w, world_lin(w, 3), 0x22));
	ck_assert_uint_eq(w->vm->pmap[p].mpn, p);
	ck_assert_uint_eq(w->pool->frames[(uint64_t)(f & ~MPN_SHARED) << PAGE_SHIFT], 0x11);
	ck_assert_uint_eq(pool_frame_refs(w->pool, f), 1);
	world_audit(w, true);
	for (unsigned i = 0; i < MAX_WINDOWS; i++)
		if (w->m->win[i].used)
			ck_assert(can_write(w->m->win[i].base + world_lin(w, 3)) &&
				  !can_write(w->m->win[i].base + world_lin(w, 200)));
	pool_frame_put(w->pool, f);
	world_free(w);
}
END_TEST

START_TEST(no_memory_to_come_home)
{
	struct world *w = world_new(NULL, 0, false, 3);
	ppn p = DATA_FIRST + 7;
	mpn f;

	map_twice(w, p);
	page_release(w->vm, p + 1);
	w->model[p + 1] = 0;
	f = pool_frame_new(w->pool); /* the one that was released */
	ck_assert(page_move(w->vm, p, f));
	mpn other = pool_frame_new(w->pool); /* its home */

	ck_assert(other != MPN_NONE);
	ck_assert(!page_bring_home(w->vm, p));
	ck_assert_uint_eq(w->failed, 0);
	ck_assert(!world_write(w, world_lin(w, 3), 0x33));
	ck_assert_uint_eq(w->failed, 1);
	ck_assert_int_eq(w->vm->failure, MM_FAIL_MEMORY);
	world_audit(w, true);
	pool_frame_put(w->pool, other);
	ck_assert(world_write(w, world_lin(w, 3), 0x33));
	world_audit(w, true);
	world_free(w);
}
END_TEST

/* ---- at random ---- */

static void move_one(struct world *w)
{
	ppn p = DATA_FIRST + world_rnd(w, RAM_PAGES - DATA_FIRST);
	mpn from = w->vm->pmap[p].mpn, f;

	switch (world_rnd(w, 8)) {
	case 0:
		page_release(w->vm, p);
		w->model[p] = 0;
		break;
	case 1:
		/* Two pages of the same content on one frame. */
		if (from == MPN_NONE || !(from & MPN_SHARED))
			break;
		for (ppn q = DATA_FIRST; q < RAM_PAGES; q++)
			if (q != p && w->model[q] == w->model[p] && w->vm->pmap[q].mpn != MPN_NONE &&
			    w->vm->pmap[q].mpn != from) {
				pool_frame_get(w->pool, from);
				ck_assert(page_move(w->vm, q, from));
				break;
			}
		break;
	case 2:
	case 3:
		if (!page_bring_home(w->vm, p))
			ck_assert(from & MPN_SHARED);
		break;
	default:
		f = pool_frame_new(w->pool);
		if (f != MPN_NONE && !page_move(w->vm, p, f)) {
			ck_assert_uint_eq(from, MPN_NONE);
			pool_frame_put(w->pool, f);
		}
	}
}

static void moves(struct world *w, int rounds)
{
	for (unsigned k = 0; k < world_pages(w); k++) {
		uint64_t flags =
		    PTE_P | PTE_A | (world_rnd(w, 3) ? PTE_W | PTE_D : 0) | (world_rnd(w, 2) ? PTE_U : 0);

		if (k / (w->cpu.cr4 & CR4_PAE ? 512 : 1024) < NTABLES)
			world_set_entry(w, k,
					(uint64_t)(DATA_FIRST + k % (RAM_PAGES - DATA_FIRST)) << 12 | flags);
	}
	for (int i = 0; i < rounds; i++) {
		unsigned k = world_rnd(w, NTABLES * 512);

		move_one(w);
		w->cpu.cpl = world_rnd(w, 2) ? 3 : 0;
		if (world_rnd(w, 2))
			(world_rnd(w, 3) ? world_read : world_fetch)(w, world_lin(w, k));
		else
			world_write(w, world_lin(w, k), (uint8_t)world_rnd(w, 8));
		if (!world_rnd(w, 40))
			mm_trace_code(w->vm, DATA_FIRST + world_rnd(w, ROM_FIRST - DATA_FIRST));
		if (i % 500 == 499)
			world_audit(w, true);
	}
	world_audit(w, true);
	ck_assert_uint_gt(w->vm->moves, (uint64_t)rounds / 4);
}

START_TEST(moves_at_random)
{
	struct world *w = world_new(NULL, 200, _i & 1, 100 + (uint64_t)_i);

	w->soft = 2;
	moves(w, 8000);
	ck_assert_uint_eq(w->failed, 0);
	world_free(w);
}
END_TEST

/* Each VM on a thread of its own; frames come from the same pool. */
static void *vm_thread(void *arg)
{
	moves(arg, 8000);
	return NULL;
}

START_TEST(two_vms_on_a_pool)
{
	struct mm_pool *p = mm_pool_new((uint64_t)(2 * RAM_PAGES + 400) << PAGE_SHIFT);
	struct world *w[2];
	pthread_t t[2];
	struct mm_usage u;

	for (int i = 0; i < 2; i++)
		w[i] = world_new(p, 0, i, 500 + (uint64_t)i);
	for (int i = 0; i < 2; i++)
		ck_assert_int_eq(pthread_create(&t[i], NULL, vm_thread, w[i]), 0);
	for (int i = 0; i < 2; i++)
		pthread_join(t[i], NULL);
	for (int i = 0; i < 2; i++)
		world_audit(w[i], true);
	world_free(w[0]);
	world_audit(w[1], true);
	world_free(w[1]);
	mm_pool_usage(p, &u);
	ck_assert_uint_eq(u.charged, 0);
	ck_assert_uint_eq(u.maps, 0);
	mm_pool_free(p);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("move");
	TCase *t = tcase_create("move");

	tcase_add_loop_test(t, who_may_write, 0, sizeof(decisions) / sizeof(decisions[0]));
	tcase_add_loop_test(t, copied_on_write, 0, 2);
	tcase_add_test(t, no_memory_to_come_home);
	tcase_add_loop_test(t, moves_at_random, 0, 4);
	tcase_add_test(t, two_vms_on_a_pool);
	suite_add_tcase(s, t);
	return suite_run(s);
}
