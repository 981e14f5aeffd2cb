/* SPDX-License-Identifier: GPL-3.0-or-later
 * The states of pages: who may write in which, each kind of access in each, states that change at random
 * under a guest's accesses with less machine memory than the guest has, a swap file that fails. After each,
 * the books balance. */
#include "tests/mm/world.h"

#include "mm/window/region.h"
#include "tests/suite.h"

#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

static void books(struct world *w)
{
	struct mm_books b;

	ck_assert_msg(mm_check(w->vm, w->own_pool, &b), "%s (%x)", b.wrong, b.at);
}

/* Put P, which is private, into STATE, and tell the model. */
static void enter(struct world *w, ppn p, enum page_state state)
{
	switch (state) {
	case PAGE_PRIVATE:
		break;
	case PAGE_SHARED:
		ck_assert(page_move(w->vm, p, pool_frame_new(w->pool)));
		break;
	case PAGE_SWAPPED:
		ck_assert(mm_swap_out(w->vm, p));
		break;
	case PAGE_BALLOONED:
		page_balloon(w->vm, p);
		w->model[p] = 0;
		break;
	default:
		page_release(w->vm, p);
		w->model[p] = 0;
	}
	ck_assert_int_eq(page_state(w->vm, p), state);
}

static const enum page_write decisions[PAGE_STATES] = { PAGE_WRITE_OK, PAGE_WRITE_SHARED, PAGE_WRITE_SWAPPED,
							PAGE_WRITE_ABSENT, PAGE_WRITE_ABSENT };

/* Devices and the debugger: they read a page where it is, and bring it home to write. */
START_TEST(by_address)
{
	struct world *w = world_new_swapped(NULL, 4, false, 9);
	ppn p = DATA_FIRST + 3;
	uint8_t page[PAGE_SIZE], x = 0x77;

	enter(w, p, (enum page_state)_i);
	ck_assert_int_eq(page_write_check(w->vm, p, WRITE_BY_GUEST), decisions[_i]);
	memset(page, 0xee, sizeof(page));
	ck_assert(mm_phys_read(w->vm, (gpa)p << PAGE_SHIFT, page, sizeof(page)));
	for (unsigned i = 0; i < PAGE_SIZE; i++)
		ck_assert_uint_eq(page[i], w->model[p]);
	ck_assert_uint_eq(mm_page_bytes(w->vm, p)[5], w->model[p]);
	ck_assert_int_eq(page_state(w->vm, p), _i);
	books(w);
	ck_assert(mm_phys_write(w->vm, ((gpa)p << PAGE_SHIFT) + 9, &x, 1));
	ck_assert_int_eq(page_state(w->vm, p), PAGE_PRIVATE);
	ck_assert(mm_phys_read(w->vm, (gpa)p << PAGE_SHIFT, page, sizeof(page)));
	for (unsigned i = 0; i < PAGE_SIZE; i++)
		ck_assert_uint_eq(page[i], i == 9 ? x : w->model[p]);
	ck_assert_uint_eq(w->vm->n.popped, _i == PAGE_BALLOONED);
	ck_assert_uint_eq(w->vm->n.cow, _i == PAGE_SHARED);
	ck_assert_uint_eq(w->vm->n.in, _i == PAGE_SWAPPED);
	books(w);
	world_free(w);
}
END_TEST

/* A whole page written needs not be read back. */
START_TEST(overwritten)
{
	struct world *w = world_new_swapped(NULL, 4, false, 9);
	ppn p = DATA_FIRST + 3;
	uint8_t page[PAGE_SIZE];

	enter(w, p, PAGE_SWAPPED);
	memset(page, 0x31, sizeof(page));
	ck_assert(mm_phys_write(w->vm, (gpa)p << PAGE_SHIFT, page, sizeof(page)));
	w->model[p] = 0x31;
	ck_assert_uint_eq(w->vm->n.in, 0);
	world_audit(w, true);
	books(w);
	world_free(w);
}
END_TEST

static uint32_t map(struct world *w, unsigned k, ppn p)
{
	world_set_entry(w, k, (uint64_t)p << 12 | PTE_P | PTE_W | PTE_U);
	return world_lin(w, k);
}

/* Translated code: a fill waits for nothing. */
START_TEST(by_a_window)
{
	enum page_state state = (enum page_state)(_i % PAGE_STATES);
	bool write = _i / PAGE_STATES & 1, soft = _i / PAGE_STATES & 2;
	struct world *w = world_new_swapped(NULL, 4, _i & 1, 9);
	ppn p = DATA_FIRST + 3;
	uint32_t lin = map(w, 3, p);
	struct mmu_fault f;
	unsigned win;

	w->soft = soft;
	ck_assert(world_write(w, lin, 0x44)); /* mapped writable, in the state before */
	enter(w, p, state);
	world_audit(w, true);
	books(w);
	mmu_select(w->m, &win);
	if (state == PAGE_SWAPPED) {
		ck_assert_int_eq(mmu_fill(w->m, lin, write ? MM_WRITE : 0, &f), FILL_WAIT);
		ck_assert_int_eq(page_state(w->vm, p), PAGE_SWAPPED);
		ck_assert_uint_eq(w->vm->n.in, 0);
	}
	if (write)
		ck_assert(world_write(w, lin, 0x55));
	ck_assert(world_read(w, lin));
	ck_assert_int_eq(page_state(w->vm, p), state == PAGE_SHARED && !write ? PAGE_SHARED : PAGE_PRIVATE);
	world_audit(w, true);
	books(w);
	world_free(w);
}
END_TEST

/* The tables of a walk are swapped out, too. */
START_TEST(tables_swapped)
{
	struct world *w = world_new_swapped(NULL, 4, _i & 1, 9);
	ppn p = DATA_FIRST + 3;
	uint32_t lin = map(w, 3, p);
	struct mmu_fault f;
	uint8_t b = 0;
	unsigned win;

	mmu_select(w->m, &win);
	if (_i / 2)
		ck_assert(world_write(w, lin, 0x12)); /* accessed and dirty: the walk writes nothing */
	ck_assert(mm_swap_out(w->vm, PA_TABLES >> PAGE_SHIFT));
	ck_assert(mm_swap_out(w->vm, PA_ROOT >> PAGE_SHIFT));
	ck_assert(mm_swap_out(w->vm, p));
	if (_i / 2) {
		for (int i = 0; i < 3; i++) {
			ck_assert_int_eq(mmu_fill(w->m, lin, 0, &f), FILL_WAIT);
			ck_assert_uint_eq(w->vm->n.in, i);
			ck_assert(mm_wait(w->vm));
		}
		ck_assert_uint_eq(w->vm->n.peeks, 0);
		ck_assert(world_read(w, lin));
	} else {
		/* The semantics of instructions wait where they are. */
		ck_assert_int_eq(mmu_read(w->m, lin, &b, 1, 0), 0);
		ck_assert_uint_eq(b, w->model[p]);
		ck_assert_int_eq(mmu_read(w->m, lin, &b, 1, MM_PROBE), 0);
		b = 0x66;
		ck_assert_int_eq(mmu_write(w->m, lin + 7, &b, 1, 0), 0);
		ck_assert(mm_phys_read(w->vm, ((gpa)p << PAGE_SHIFT) + 7, &b, 1));
		ck_assert_uint_eq(b, 0x66);
	}
	books(w);
	world_free(w);
}
END_TEST

/* An access over two pages. The walk for the second one brings its table home, and may swap the first page
 * out, of which the place is known by then. */
START_TEST(across_pages)
{
	struct mm_pool *pool = mm_pool_new((uint64_t)(RAM_PAGES + 1) << PAGE_SHIFT);
	struct world *w = world_new_swapped(pool, 0, false, 9);
	ppn a = DATA_FIRST + 3, b = DATA_FIRST + 4, table = (PA_TABLES >> PAGE_SHIFT) + 1;
	uint32_t lin = map(w, 1023, a);
	uint64_t v = 0x1122334455667788, r;

	for (int i = 0; i < 300; i++) {
		map(w, 1024, b); /* not accessed */
		ck_assert(world_write(w, lin, 0x44));
		ck_assert(mm_swap_out(w->vm, table));
		while (pool_charge(pool, 1)) /* all machine memory is taken */
			;
		ck_assert_int_eq(mmu_write(w->m, lin + PAGE_SIZE - 4, &v, 8, 0), 0);
		ck_assert_int_eq(mmu_read(w->m, lin + PAGE_SIZE - 4, &r, 8, 0), 0);
		ck_assert_uint_eq(r, v);
		pool_credit(pool, atomic_load(&pool->block->used) - atomic_load(&w->vm->slot->charged));
	}
	ck_assert_uint_gt(w->vm->n.out, 600);
	world_free(w);
	mm_pool_free(pool);
}
END_TEST

/* ---- at random ---- */

static void touch(struct world *w)
{
	uint32_t lin = world_lin(w, world_rnd(w, NTABLES * 512));

	w->cpu.cpl = world_rnd(w, 2) ? 3 : 0;
	if (world_rnd(w, 2))
		(world_rnd(w, 3) ? world_read : world_fetch)(w, lin);
	else
		world_write(w, lin, (uint8_t)world_rnd(w, 3));
}

static void change(struct world *w)
{
	ppn p = DATA_FIRST + world_rnd(w, RAM_PAGES - DATA_FIRST);
	uint32_t n = 1 + world_rnd(w, 12);

	switch (world_rnd(w, 7)) {
	case 0:
		page_balloon(w->vm, p);
		w->model[p] = 0;
		break;
	case 1:
		page_release(w->vm, p);
		w->model[p] = 0;
		break;
	case 2:
		if (mm_balloon_pages(w->vm, p, n) == MM_BALLOON_DONE)
			memset(w->model + p, 0, n);
		break;
	case 3:
		mm_release_pages(w->vm, p, n);
		for (ppn q = p; q < p + n && q < ROM_FIRST; q++)
			w->model[q] = 0;
		break;
	case 4:
		mm_swap_in(w->vm, p);
		break;
	default:
		mm_change_some(w->vm, 2); /* tables too */
	}
}

static void map_all(struct world *w)
{
	for (unsigned k = 0; k < world_pages(w); k++) {
		uint64_t flags =
		    PTE_P | PTE_A | (world_rnd(w, 3) ? PTE_W | PTE_D : 0) | (world_rnd(w, 2) ? PTE_U : 0);

		if (k / (w->cpu.cr4 & CR4_PAE ? 512 : 1024) < NTABLES)
			world_set_entry(w, k,
					(uint64_t)(DATA_FIRST + k % (RAM_PAGES - DATA_FIRST)) << 12 | flags);
	}
}

/* Adjacent pages in all states go together: in one window, the private ones of a run in one host call. */
START_TEST(adjacent)
{
	struct world *w = world_new_swapped(NULL, 4, _i & 1, 9);
	ppn p = DATA_FIRST + 8;
	uint64_t drops, changed = 0;
	unsigned win;

	if (_i & 2)
		world_no_lines(w);
	for (unsigned k = 0; k < 40; k++)
		ck_assert(world_write(w, map(w, k, p + k), (uint8_t)(k + 1)));
	mmu_select(w->m, &win);
	enter(w, p + 5, PAGE_SHARED);
	enter(w, p + 6, PAGE_SWAPPED);
	enter(w, p + 7, PAGE_ABSENT);
	mm_trace_code(w->vm, p + 20);
	ck_assert_int_eq(mm_balloon_pages(w->vm, p + 1000, 1), MM_BALLOON_NO_RAM);
	drops = w->m->win[win].drops;
	ck_assert_int_eq(mm_balloon_pages(w->vm, p, 32), MM_BALLOON_DONE);
	drops = w->m->win[win].drops - drops;
	ck_assert_uint_le(drops, 4); /* not one a page */
	ck_assert_uint_eq(w->code_writes, 1);
	memset(w->model + p, 0, 32);
	for (unsigned k = 0; k < 40; k++)
		changed += page_state(w->vm, p + k) == PAGE_BALLOONED;
	ck_assert_uint_eq(changed, 32);
	books(w);
	world_audit(w, true);
	ck_assert_int_eq(mm_balloon_pages(w->vm, p + 31, 2), MM_BALLOON_WAS);
	ck_assert_int_eq(page_state(w->vm, p + 32), PAGE_PRIVATE);
	ck_assert_uint_eq(mm_release_pages(w->vm, p, 36), 4);
	memset(w->model + p, 0, 36);
	for (unsigned k = 0; k < 40; k++)
		ck_assert(world_read(w, world_lin(w, k)));
	ck_assert_uint_eq(w->vm->n.popped, 32);
	books(w);
	world_audit(w, true);
	world_free(w);
}
END_TEST

/* Machine memory for half the guest. */
START_TEST(at_random)
{
	struct mm_pool *pool = mm_pool_new((uint64_t)(RAM_PAGES / 2) << PAGE_SHIFT);
	struct world *w = world_new_swapped(pool, 0, _i & 1, 100 + (uint64_t)_i);
	struct mm_usage u;

	w->own_pool = true;
	if (_i & 2)
		world_no_lines(w);
	w->soft = _i & 1 ? 2 : 0;
	map_all(w);
	for (int i = 0; i < 3000; i++) {
		change(w);
		touch(w);
		if (!world_rnd(w, 40))
			mm_trace_code(w->vm, DATA_FIRST + world_rnd(w, ROM_FIRST - DATA_FIRST));
		if (i % 500 == 499) {
			world_audit(w, true);
			books(w);
		}
	}
	world_audit(w, true);
	books(w);
	ck_assert_uint_eq(w->failed, 0);
	ck_assert_uint_gt(w->vm->n.out, 250);
	ck_assert_uint_gt(w->vm->n.in, 150);
	ck_assert_uint_gt(w->vm->n.waits, 100);
	mm_pool_usage(pool, &u);
	ck_assert_uint_le(u.charged, RAM_PAGES / 2);
	world_free(w);
}
END_TEST

/* ---- when it fails ---- */

START_TEST(the_file_fails)
{
	struct world *w = world_new_swapped(NULL, 4, false, 9);
	ppn p = DATA_FIRST + 3;
	uint32_t lin = map(w, 3, p);
	uint8_t b;
	int none;

	enter(w, p, PAGE_SWAPPED);
	none = open("/dev/null", O_RDWR | O_CLOEXEC); /* at its end at once */
	ck_assert_int_ge(none, 0);
	ck_assert_int_ge(dup2(none, w->vm->swap.fd), 0);
	close(none);
	ck_assert(!mm_phys_read(w->vm, (gpa)p << PAGE_SHIFT, &b, 1));
	ck_assert_uint_eq(w->failed, 1);
	ck_assert_int_eq(w->vm->failure, MM_FAIL_SWAP);
	ck_assert(!world_read(w, lin));
	ck_assert_uint_eq(w->failed, 2);
	ck_assert(!mm_swap_in(w->vm, p));
	ck_assert_int_eq(page_state(w->vm, p), PAGE_SWAPPED);
	world_free(w);
}
END_TEST

START_TEST(the_file_is_full)
{
	struct world *w = world_new_swapped(NULL, 0, false, 9);
	ppn p = DATA_FIRST + 3;
	int full = open("/dev/full", O_RDWR | O_CLOEXEC);

	ck_assert_int_ge(full, 0);
	ck_assert_int_ge(dup2(full, w->vm->swap.fd), 0);
	close(full);
	ck_assert(!mm_swap_out(w->vm, p));
	ck_assert_int_eq(page_state(w->vm, p), PAGE_PRIVATE);
	ck_assert_uint_eq(mm_swap_out_some(w->vm, 5), 0);
	world_audit(w, true);
	books(w);
	/* Nothing is free, and nothing can be made free. */
	page_release(w->vm, p);
	w->model[p] = 0;
	ck_assert_int_ne(pool_frame_new(w->pool), MPN_NONE);
	ck_assert(!world_write(w, map(w, 3, p), 1));
	ck_assert_uint_eq(w->failed, 1);
	ck_assert_int_eq(w->vm->failure, MM_FAIL_SWAP);
	world_free(w);
}
END_TEST

/* Each check of the books finds what it looks for. */
START_TEST(the_books_find)
{
	struct world *w = world_new_swapped(NULL, 4, false, 9);
	struct mm_books b;
	ppn p = DATA_FIRST + 3;
	uint32_t lin = map(w, 3, p);

	ck_assert(world_write(w, lin, 1));
	books(w);
	w->vm->slot->charged++;
	ck_assert(!mm_check(w->vm, false, &b));
	w->vm->slot->charged--;
	w->vm->pmap[p].mpn = MPN_SWAPPED | p;
	ck_assert(!mm_check(w->vm, false, &b) && b.at == p);
	w->vm->pmap[p].mpn = p;
	w->vm->slot->pages[PAGE_SHARED]++;
	ck_assert(!mm_check(w->vm, false, &b));
	w->vm->slot->pages[PAGE_SHARED]--;
	w->vm->rmap_used++;
	ck_assert(!mm_check(w->vm, false, &b));
	w->vm->rmap_used--;
	mpn f = pool_frame_new(w->pool);

	ck_assert(!mm_check(w->vm, true, &b));
	ck_assert(mm_check(w->vm, false, &b));
	pool_frame_put(w->pool, f);
	page_release(w->vm, p);
	*(volatile uint8_t *)(w->vm->home + ((uint64_t)p << PAGE_SHIFT)) =
	    1; /* a touch that nobody charged */
	for (ppn q = DATA_FIRST; q < RAM_PAGES; q++)
		*(volatile uint8_t *)(w->vm->home + ((uint64_t)q << PAGE_SHIFT));
	for (ppn q = 0; q < DATA_FIRST; q++)
		*(volatile uint8_t *)(w->vm->home + ((uint64_t)q << PAGE_SHIFT));
	ck_assert(!mm_check(w->vm, true, &b));
	world_free(w);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("states");
	TCase *t = tcase_create("states");

	tcase_set_timeout(t, 60);
	tcase_add_loop_test(t, by_address, 0, PAGE_STATES);
	tcase_add_test(t, overwritten);
	tcase_add_loop_test(t, by_a_window, 0, 4 * PAGE_STATES);
	tcase_add_loop_test(t, tables_swapped, 0, 4);
	tcase_add_test(t, across_pages);
	tcase_add_loop_test(t, adjacent, 0, 4);
	tcase_add_loop_test(t, at_random, 0, 4);
	tcase_add_test(t, the_file_fails);
	tcase_add_test(t, the_file_is_full);
	tcase_add_test(t, the_books_find);
	suite_add_tcase(s, t);
	return suite_run(s);
}
