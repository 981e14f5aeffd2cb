/* SPDX-License-Identifier: GPL-3.0-or-later
 * Windows: filled, flushed, invalidated and compared at random, in both formats of tables. What
 * they hold is audited against the tables, the kernel's view and the reverse map. */
#include "tests/mm/world.h"

#include "mm/window/fill.h"
#include "tests/suite.h"

#include <stdlib.h>
#include <string.h>

static uint64_t random_entry(struct world *w, unsigned k)
{
	uint64_t flags = world_rnd(w, 8) ? PTE_P : 0, frame;
	bool pae = w->cpu.cr4 & CR4_PAE;

	flags |= world_rnd(w, 4) ? PTE_W : 0;
	flags |= world_rnd(w, 3) ? PTE_U : 0;
	flags |= world_rnd(w, 3) ? PTE_A : 0;
	flags |= world_rnd(w, 2) ? PTE_D : 0;
	flags |= world_rnd(w, 3) ? 0 : PTE_G;
	if (k / (pae ? 512 : 1024) == NTABLES)
		return flags | PTE_PS | (pae ? (uint64_t)world_rnd(w, 2) << 21 : 0);
	/* Runs, so that mappings are made and split by the run; seldom a device's page. */
	frame = world_rnd(w, 4) ? DATA_FIRST + k % (RAM_PAGES - DATA_FIRST)
				: DATA_FIRST + world_rnd(w, RAM_PAGES - DATA_FIRST + 8);
	return flags | frame << PAGE_SHIFT;
}

static void change_some(struct world *w)
{
	unsigned k = world_rnd(w, world_pages(w)), n = world_rnd(w, 4) ? 1 : 1 + world_rnd(w, 40);

	for (; n && k < world_pages(w); n--, k++)
		world_set_entry(w, k, random_entry(w, k));
}

/* As a string instruction does that is emulated. */
static void read_often(struct world *w, uint32_t lin)
{
	uint8_t byte;

	for (int i = 0; i < 70; i++)
		if (mmu_read(w->m, lin, &byte, 1, w->cpu.cpl == 3 ? MM_USER : 0))
			return;
}

static void access_some(struct world *w)
{
	unsigned k = world_rnd(w, world_pages(w)), n = 1 + world_rnd(w, 12);

	w->cpu.cpl = world_rnd(w, 2) ? 3 : 0;
	if (!world_rnd(w, 8))
		read_often(w, world_lin(w, k));
	for (; n && k < world_pages(w); n--, k++)
		if (!world_rnd(w, 4))
			world_fetch(w, world_lin(w, k));
		else if (world_rnd(w, 2))
			world_read(w, world_lin(w, k));
		else
			world_write(w, world_lin(w, k), (uint8_t)world_rnd(w, 256));
}

/* After INVLPG, the page is as the tables have it in both views. */
static void invalidate(struct world *w)
{
	uint32_t lin = world_lin(w, world_rnd(w, world_pages(w)));

	mmu_invlpg(w->m, lin);
	for (unsigned cpl = 0; cpl <= 3; cpl += 3) {
		unsigned win;
		struct oracle o;
		uint32_t s;

		w->cpu.cpl = (uint8_t)cpl;
		mmu_select(w->m, &win);
		s = w->m->cur->shadow[lin >> PAGE_SHIFT];
		o = world_walk(w, lin, MM_PROBE);
		if (!(s & (SH_P | SH_SR)))
			continue;
		ck_assert(o.ok && o.accessed && o.pa >> PAGE_SHIFT == s >> 12);
		if (s & (SH_W | SH_SW))
			ck_assert(o.dirty && (o.writable || (!cpl && !(w->cpu.cr0 & CR0_WP))));
	}
}

static void select_both(struct world *w)
{
	unsigned win;

	for (unsigned cpl = 0; cpl <= 3; cpl += 3) {
		w->cpu.cpl = (uint8_t)cpl;
		mmu_select(w->m, &win);
	}
}

static void flush_all(struct world *w)
{
	mmu_flush(w->m, true);
	select_both(w);
	if (!world_rnd(w, 3))
		world_audit(w, true);
}

static void flush(struct world *w)
{
	mmu_flush(w->m, false);
	select_both(w);
	if (!world_rnd(w, 3))
		world_audit(w, !(w->cpu.cr4 & CR4_PGE)); /* else global pages may lag */
}

static void trace_code(struct world *w)
{
	ppn p = DATA_FIRST + world_rnd(w, ROM_FIRST - DATA_FIRST);
	unsigned before = w->code_writes;
	uint8_t b = w->model[p];

	mm_trace_code(w->vm, p);
	if (!world_rnd(w, 8))
		world_audit(w, false);
	if (world_rnd(w, 2)) {
		ck_assert(mm_phys_write(w->vm, (gpa)p << PAGE_SHIFT, &b, 1));
		ck_assert_uint_eq(w->code_writes, before + 1);
		ck_assert(!w->vm->pmap[p].code);
	}
}

static void switch_mode(struct world *w)
{
	if (world_rnd(w, 2)) {
		w->cpu.cr0 ^= CR0_WP;
		mmu_wp_changed(w->m);
		if (world_rnd(w, 2))
			return;
	} else {
		w->cpu.cr4 ^= CR4_PGE;
	}
	flush_all(w);
}

START_TEST(at_random)
{
	struct world *w = world_new(NULL, 0, _i & 1, 1 + (uint64_t)_i % 6);

	if (_i >= 6)
		world_no_lines(w);
	w->soft = (unsigned[]){ 0, 2, 3 }[_i % 3];
	for (unsigned k = 0; k < world_pages(w); k++)
		world_set_entry(w, k, random_entry(w, k));
	for (int round = 0; round < 1500; round++) {
		unsigned what = world_rnd(w, 100);

		if (what < 50)
			access_some(w);
		else if (what < 75)
			change_some(w);
		else if (what < 90)
			invalidate(w);
		else if (what < 93)
			flush(w);
		else if (what < 95)
			flush_all(w);
		else if (what < 99)
			trace_code(w);
		else
			switch_mode(w);
	}
	world_audit_host(w);
	world_audit(w, false);
	ck_assert_uint_gt(mmu_stats(w->m)->fills, 500);
	ck_assert_uint_gt(mmu_stats(w->m)->upgrades, 10);
	ck_assert_uint_eq(w->failed, 0);
	world_free(w);
}
END_TEST

/* Roots without end: windows are reused, and the host's mappings stay within the budget. */
START_TEST(many_roots)
{
	struct world *w = world_new(NULL, 0, false, 77);

	w->pool->maps_limit = 400;
	for (unsigned k = 0; k < world_pages(w); k++)
		world_set_entry(w, k,
				(uint64_t)(DATA_FIRST + k * 3 % 800) << 12 | PTE_P | PTE_W | PTE_U | PTE_A);
	for (int round = 0; round < 3 * MAX_WINDOWS; round++) {
		uint8_t dir[PAGE_SIZE];
		uint32_t root = round % 100 ? 0x10000 + (round % 40) * 0x1000 : PA_ROOT;
		struct mm_usage u;

		ck_assert(mm_phys_read(w->vm, PA_ROOT, dir, PAGE_SIZE));
		ck_assert(mm_phys_write(w->vm, root, dir, PAGE_SIZE));
		w->cpu.cr3 = root;
		mmu_flush(w->m, false);
		w->cpu.cpl = round & 1 ? 3 : 0;
		for (int i = 0; i < 20; i++)
			world_read(w, world_lin(w, world_rnd(w, NTABLES * 1024)));
		mm_pool_usage(w->pool, &u);
		ck_assert_uint_lt(u.maps, 500);
	}
	ck_assert_uint_gt(mmu_stats(w->m)->evictions, 10);
	world_audit_host(w);
	world_audit(w, false);
	world_free(w);
}
END_TEST

/* Neighbours in PPN that are not neighbours in the file are mappings of their own, and counted so. */
START_TEST(counted_by_place)
{
	struct world *w = world_new(NULL, 16, false, 5);
	struct window *win;
	unsigned id;

	for (unsigned k = 0; k < 64; k++)
		world_set_entry(w, k, (uint64_t)(DATA_FIRST + k) << 12 | PTE_P | PTE_A);
	world_read(w, world_lin(w, 0));
	mmu_select(w->m, &id);
	win = &w->m->win[id];
	ck_assert_uint_eq(win->mapped, 64);
	ck_assert_uint_eq(kernel_maps(win), 3);
	for (unsigned k = 10; k < 40; k += 10)
		ck_assert(page_move(w->vm, DATA_FIRST + k, pool_frame_new(w->pool)));
	ck_assert_uint_eq(kernel_maps(win), 3 + 6);
	/* Over the limit by the estimate: counted exactly, and then nothing has to go. */
	maps_add(w->m, win, 1000);
	w->pool->maps_limit = 100;
	evict_for_limit(w->m, NULL);
	ck_assert_uint_eq(mmu_stats(w->m)->evictions, 0);
	ck_assert_int_eq(win->maps, kernel_maps(win));
	w->pool->maps_limit = 1;
	evict_for_limit(w->m, NULL);
	ck_assert_uint_eq(w->m->st.evictions, 1);
	ck_assert_uint_le(kernel_maps(win), 2);
	world_free(w);
}
END_TEST

static void other_root(struct world *w, uint32_t root)
{
	uint8_t dir[PAGE_SIZE];

	ck_assert(mm_phys_read(w->vm, PA_ROOT, dir, PAGE_SIZE));
	ck_assert(mm_phys_write(w->vm, root, dir, PAGE_SIZE));
}

static void load_cr3(struct world *w, uint32_t root)
{
	unsigned win;

	w->cpu.cr3 = root;
	mmu_flush(w->m, false);
	mmu_select(w->m, &win);
}

/* Does kernel code reach the user window of the present root without a trap? */
static bool user_window_ready(struct world *w)
{
	uint64_t quarter[4], guard = 1;

	mmu_quarters(w->m, quarter, guard);
	return quarter[LIN_BASE >> 30] != guard;
}

/* Where kernel code reaches user pages, a CR3 load with another root brings its user window up to date, as
 * often as a trap is worth; a load of the same root does not. */
START_TEST(early_sync)
{
	struct world *w = world_new(NULL, 0, false, 6);
	uint32_t a = PA_ROOT, b = 0x10000, lin = world_lin(w, 3);
	uint64_t page = (uint64_t)DATA_FIRST << 12 | PTE_P | PTE_W | PTE_U | PTE_A | PTE_D;
	unsigned early = 0, win;
	struct mmu_fault f;

	w->cpu.cr4 |= CR4_PGE;
	world_set_entry(w, 3, page);
	other_root(w, b);
	mmu_flush(w->m, true);
	load_cr3(w, a);
	mmu_learn_quarter(w->m, lin);
	for (int i = 0; i < 2; i++) { /* one trap for each root */
		load_cr3(w, i ? b : a);
		ck_assert(!user_window_ready(w));
		ck_assert(mmu_user_ready(w->m));
		ck_assert_int_eq(mmu_fill_user(w->m, lin, MM_WRITE, &f), FILL_OK);
		load_cr3(w, i ? b : a);
		ck_assert(!user_window_ready(w));
		ck_assert(mmu_user_ready(w->m));
	}
	load_cr3(w, a);
	ck_assert(user_window_ready(w));
	ck_assert(w->m->uwin->shadow[lin >> PAGE_SHIFT] & SH_P);
	world_set_entry(w, 3, page + PAGE_SIZE); /* both roots use the table */
	load_cr3(w, b);
	ck_assert(user_window_ready(w));
	ck_assert(!(w->m->uwin->shadow[lin >> PAGE_SHIFT] & SH_P));
	w->cpu.cpl = 3;
	mmu_select(w->m, &win);
	world_audit(w, true);
	w->cpu.cpl = 0;
	while (user_window_ready(w)) {
		load_cr3(w, a);
		load_cr3(w, b);
		ck_assert_uint_lt(++early, 100);
	}
	ck_assert(mmu_user_ready(w->m) && user_window_ready(w));
	world_free(w);
}
END_TEST

/* Only the parts of a page table that are in use are compared. */
START_TEST(lines_in_use)
{
	struct world *w = world_new(NULL, 0, _i, 7);
	uint64_t flags = PTE_P | PTE_W | PTE_U | PTE_A, diffs;

	for (unsigned k = 0; k < 512; k += 3)
		world_set_entry(w, k, (uint64_t)(DATA_FIRST + k) << 12 | flags);
	ck_assert(world_read(w, world_lin(w, 6)));
	diffs = mmu_stats(w->m)->sync_diffs;
	world_set_entry(w, 300, (uint64_t)(DATA_FIRST + 2) << 12 | flags);
	flush(w);
	ck_assert_uint_eq(mmu_stats(w->m)->sync_diffs, diffs);
	world_set_entry(w, 3, 0);
	flush(w);
	flush(w);
	ck_assert_uint_eq(mmu_stats(w->m)->sync_diffs, diffs + 1);
	/* One that comes into use is known as it is then. */
	w->cpu.cpl = 0;
	ck_assert(world_read(w, world_lin(w, 300)));
	world_set_entry(w, 300, (uint64_t)(DATA_FIRST + 1) << 12 | flags);
	world_set_entry(w, 6, (uint64_t)(DATA_FIRST + 3) << 12 | flags);
	flush(w);
	world_audit(w, true);
	w->cpu.cpl = 0;
	ck_assert(world_read(w, world_lin(w, 300)) && world_read(w, world_lin(w, 6)));
	world_audit(w, true);
	world_free(w);
}
END_TEST

/* Pages that were only fetched from have no mapping in the host, and are synchronized like the others. */
START_TEST(known_not_mapped)
{
	struct world *w = world_new(NULL, 0, _i, 8);
	uint64_t entry = (uint64_t)DATA_FIRST << 12 | PTE_P | PTE_U | PTE_A;
	uint32_t lin = world_lin(w, 0), *s;
	unsigned win;

	for (unsigned k = 0; k < 64; k++)
		world_set_entry(w, k, entry + k * PAGE_SIZE);
	mmu_select(w->m, &win);
	s = &w->m->cur->shadow[lin >> PAGE_SHIFT];
	ck_assert(world_fetch(w, lin) && world_fetch(w, lin + PAGE_SIZE));
	ck_assert_uint_eq(*s & (SH_P | SH_IN | SH_CODE), SH_IN | SH_CODE);
	ck_assert(!can_read(w->m->cur->base + lin));
	ck_assert_uint_eq(kernel_maps(w->m->cur), 1);
	world_audit(w, true);
	/* Read, it is mapped with its neighbours, and still the page that jump tables name. */
	ck_assert(world_read(w, lin));
	ck_assert_uint_eq(*s & (SH_P | SH_IN | SH_CODE), SH_P | SH_IN | SH_CODE);
	ck_assert_uint_eq(w->m->cur->mapped, 64);
	ck_assert_uint_eq(w->m->cur->known, 64);
	world_audit(w, true);
	/* Another page: forgotten, whether mapped or not, at the flush and at INVLPG. */
	for (int round = 0; round < 4; round++) {
		world_set_entry(w, 0, entry + (uint64_t)(100 + round) * PAGE_SIZE);
		if (round & 1)
			mmu_invlpg(w->m, lin);
		else
			mmu_flush(w->m, true);
		mmu_select(w->m, &win);
		ck_assert(!(*s & SH_CODE));
		world_audit(w, true);
		ck_assert(world_fetch(w, lin) && (round < 2 || world_read(w, lin)));
	}
	/* Known as one page, found mapped to another at a miss, before any flush. */
	world_set_entry(w, 0, 0);
	mmu_flush(w->m, true);
	world_set_entry(w, 0, entry);
	mmu_select(w->m, &win);
	ck_assert(world_fetch(w, lin) && !(*s & SH_P));
	world_set_entry(w, 0, entry + 200 * PAGE_SIZE);
	ck_assert(world_read(w, lin));
	ck_assert_uint_eq(*s >> 12, DATA_FIRST + 200);
	world_audit(w, true);
	/* A watchpoint on the page's memory finds it too. */
	ck_assert(world_fetch(w, lin + 70 * PAGE_SIZE) == false);
	world_set_entry(w, 70, entry + 70 * PAGE_SIZE);
	ck_assert(world_fetch(w, lin + 70 * PAGE_SIZE));
	ck_assert_int_eq(
	    mmu_watch_insert(w->m, (uint64_t)(DATA_FIRST + 70) << 12, 1, WATCH_READ | WATCH_PHYSICAL), 0);
	ck_assert_uint_eq(s[70], 0);
	world_free(w);
}
END_TEST

/* How many accesses of LIN as HOW it takes until it is mapped; 0: it is not in 1000. */
static unsigned until_mapped(struct world *w, uint32_t lin, unsigned how)
{
	const uint32_t *s = &(how & MM_USER ? w->m->uwin : w->m->kwin)->shadow[lin >> PAGE_SHIFT];
	uint8_t byte;

	for (unsigned n = 1; n <= 1000; n++) {
		ck_assert_int_eq(mmu_read(w->m, lin, &byte, 1, MM_PROBE), 0);
		if (how & MM_WRITE)
			ck_assert_int_eq(mmu_write(w->m, lin, &byte, 1, how), 0);
		else
			ck_assert_int_eq(mmu_read(w->m, lin, &byte, 1, how), 0);
		if (*s & (how & MM_WRITE ? SH_W : SH_P))
			return n;
	}
	return 0;
}

/* A page that only callouts access is mapped once they have walked to it often. */
START_TEST(walked_often)
{
	struct world *w = world_new(NULL, 0, _i & 1, 9);
	uint64_t entry = (uint64_t)DATA_FIRST << 12 | PTE_P | PTE_W | PTE_U;
	uint32_t lin[4];
	unsigned win, hit;

	w->cpu.cr4 |= CR4_PGE;
	for (unsigned k = 0; k < 4; k++) {
		lin[k] = world_lin(w, 10 * k);
		world_set_entry(w, 10 * k, entry + (uint64_t)k * 10 * PAGE_SIZE);
	}
	mmu_flush(w->m, true);
	for (w->cpu.cpl = 0; w->cpu.cpl <= 3; w->cpu.cpl += 3)
		mmu_select(w->m, &win);
	w->cpu.cpl = 3; /* the kernel's accesses may come while the user window is selected */
	ck_assert_uint_eq(until_mapped(w, lin[0], MM_PROBE), 0);
	hit = until_mapped(w, lin[0], MM_READ);
	ck_assert_uint_gt(hit, 10);
	ck_assert_uint_lt(hit, 200);
	ck_assert_uint_eq(until_mapped(w, lin[0], MM_WRITE), hit);
	ck_assert_uint_eq(until_mapped(w, lin[0], MM_READ | MM_USER), hit);
	ck_assert_uint_eq(until_mapped(w, lin[1], MM_WRITE | MM_USER), hit);
	ck_assert(w->m->cur == w->m->uwin);
	world_audit(w, true);
	/* From one page to another as MOVS copies, and from a page where fetching code made it known. */
	mmu_flush(w->m, true);
	w->cpu.cpl = 0;
	ck_assert(world_fetch(w, lin[2]));
	for (unsigned n = 0; n < hit; n++) {
		uint8_t byte;

		ck_assert_int_eq(mmu_read(w->m, lin[3], &byte, 1, MM_PROBE), 0);
		ck_assert_int_eq(mmu_read(w->m, lin[2], &(uint8_t){ 0 }, 1, 0), 0);
		ck_assert_int_eq(mmu_write(w->m, lin[3], &byte, 1, 0), 0);
	}
	ck_assert(w->m->kwin->shadow[lin[2] >> PAGE_SHIFT] & SH_P);
	ck_assert(w->m->kwin->shadow[lin[3] >> PAGE_SHIFT] & SH_W);
	world_audit(w, true);
	/* Where a watchpoint has to see each access, nothing is mapped for them. */
	mmu_flush(w->m, true);
	mmu_select(w->m, &win);
	world_set_entry(w, 0, entry + 100 * PAGE_SIZE);
	mmu_invlpg(w->m, lin[0]);
	mmu_select(w->m, &win);
	ck_assert_int_eq(mmu_watch_insert(w->m, lin[0], 1, WATCH_READ), 0);
	ck_assert_uint_eq(until_mapped(w, lin[0], MM_READ), 0);
	world_free(w);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("window");
	TCase *t = tcase_create("window");

	tcase_add_loop_test(t, at_random, 0, 8);
	tcase_add_test(t, many_roots);
	tcase_add_test(t, counted_by_place);
	tcase_add_test(t, early_sync);
	tcase_add_loop_test(t, lines_in_use, 0, 2);
	tcase_add_loop_test(t, known_not_mapped, 0, 2);
	tcase_add_loop_test(t, walked_often, 0, 2);
	suite_add_tcase(s, t);
	return suite_run(s);
}
