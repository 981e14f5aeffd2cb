/* SPDX-License-Identifier: GPL-3.0-or-later
 * The second dimension (mm/nested.h) under a translate() of the tests' own: what windows hold is audited
 * against both dimensions, and what the extension is asked and told is as the manuals have it. */
#include "tests/mm/world.h"

#include "mm/window/region.h"
#include "tests/suite.h"

#include <stdlib.h>
#include <string.h>

enum { TAG_A = 0x5000, TAG_B = 0x7000, ALL = NESTED_R | NESTED_W | NESTED_X | NESTED_XU };
#define DATA(n) ((uint64_t)(DATA_FIRST + (n)) << PAGE_SHIFT)
enum { KERNEL = PTE_P | PTE_W | PTE_A, USER = KERNEL | PTE_U, DIRTY = PTE_D };

/* ---- spaces ---- */

/* The guest's first 8 pages, its tables, are those from AT on, and data pages are moved by BY. */
static void second_make(struct world *w, struct second *s, unsigned at, unsigned by)
{
	unsigned n = RAM_PAGES - DATA_FIRST;
	uint8_t page[PAGE_SIZE];

	second_init(s);
	for (unsigned p = 0; p < 8; p++) {
		s->page[p] = (uint16_t)(at + p);
		ck_assert(mm_phys_read(w->vm, (gpa)p << PAGE_SHIFT, page, PAGE_SIZE));
		ck_assert(mm_phys_write(w->vm, (gpa)(at + p) << PAGE_SHIFT, page, PAGE_SIZE));
	}
	for (unsigned p = 0; p < n; p++)
		s->page[DATA_FIRST + p] = (uint16_t)(DATA_FIRST + (p + by) % n);
}

static void select_as(struct world *w, unsigned cpl)
{
	unsigned win;

	w->cpu.cpl = (uint8_t)cpl;
	mmu_select(w->m, &win);
}

static void select_both(struct world *w)
{
	select_as(w, 0);
	select_as(w, 3);
}

/* INVEPT of all, and everything is as both dimensions have it. */
static void invept(struct world *w)
{
	struct mm_books b;

	mmu_nested_invalidate(w->m, NESTED_SECOND, 0, 0, 0);
	select_both(w);
	world_audit(w, true);
	ck_assert_msg(mm_check(w->vm, true, &b), "%s (%x)", b.wrong, b.at);
}

static uint32_t shadow(const struct world *w, const struct window *win, unsigned k)
{
	return win->shadow[world_lin(w, k) >> PAGE_SHIFT];
}

/* A world in the space of S, with data pages from K0 on mapped with FLAGS. */
static struct world *nested_world(struct second *s, bool pae, uint64_t flags)
{
	struct world *w = world_new(NULL, 16, pae, 3);

	second_make(w, s, 8, 100);
	world_enter(w, s, TAG_A, 1);
	for (unsigned k = 0; k < 64; k++)
		world_set_entry(w, k, DATA(k) | flags);
	w->cpu.cpl = 0;
	return w;
}

/* ---- at random ---- */

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
	frame = world_rnd(w, 4) ? DATA_FIRST + k % (RAM_PAGES - DATA_FIRST)
				: DATA_FIRST + world_rnd(w, RAM_PAGES - DATA_FIRST + 8);
	return flags | frame << PAGE_SHIFT;
}

static void change_guest(struct world *w)
{
	unsigned k = world_rnd(w, world_pages(w)), n = world_rnd(w, 4) ? 1 : 1 + world_rnd(w, 40);

	for (; n && k < world_pages(w); n--, k++)
		world_set_entry(w, k, random_entry(w, k));
}

static void change_second(struct world *w)
{
	struct second *s = w->second;
	unsigned p = DATA_FIRST + world_rnd(w, RAM_PAGES - DATA_FIRST), n = 1 + world_rnd(w, 20);

	for (; s && n && p < RAM_PAGES; n--, p++)
		switch (world_rnd(w, 6)) {
		case 0:
			s->page[p] = (uint16_t)(DATA_FIRST + world_rnd(w, RAM_PAGES - DATA_FIRST));
			break;
		case 1:
			s->rights[p] = (uint8_t)(world_rnd(w, 16) & (world_rnd(w, 2) ? ALL : ALL - NESTED_W));
			if (!(s->rights[p] & NESTED_R))
				s->rights[p] &= ~(unsigned)NESTED_W;
			break;
		case 2:
			s->rights[p] = 0;
			break;
		case 3:
			s->accessed[p] = s->dirty[p] = false;
			break;
		default:
			s->rights[p] = ALL;
			break;
		}
}

/* The hypervisor copies a page of the guest's tables. */
static void move_table(struct world *w)
{
	unsigned p = 1 + world_rnd(w, 1 + NTABLES);
	uint8_t page[PAGE_SIZE];
	gpa to;

	if (!w->second)
		return;
	to = (gpa)(w->second->page[p] ^ 32) << PAGE_SHIFT;
	ck_assert(mm_phys_read(w->vm, (gpa)w->second->page[p] << PAGE_SHIFT, page, PAGE_SIZE));
	ck_assert(mm_phys_write(w->vm, to, page, PAGE_SIZE));
	w->second->page[p] = (uint16_t)(to >> PAGE_SHIFT);
}

static void access_some(struct world *w)
{
	unsigned k = world_rnd(w, world_pages(w)), n = 1 + world_rnd(w, 12);

	w->cpu.cpl = world_rnd(w, 2) ? 3 : 0;
	for (; n && k < world_pages(w); n--, k++)
		if (!world_rnd(w, 4))
			world_fetch(w, world_lin(w, k));
		else if (world_rnd(w, 2))
			world_read(w, world_lin(w, k));
		else
			world_write(w, world_lin(w, k), (uint8_t)world_rnd(w, 256));
}

/* After INVLPG, or a refusal, the page is as both dimensions have it. */
static void check_page(struct world *w, uint32_t lin)
{
	for (unsigned cpl = 0; cpl <= 3; cpl += 3) {
		struct oracle o;
		uint32_t s;

		select_as(w, cpl);
		s = w->m->cur->shadow[lin >> PAGE_SHIFT];
		o = world_walk(w, lin, MM_PROBE);
		if (!(s & SH_IN))
			continue;
		ck_assert(o.ok && o.accessed && o.pa >> PAGE_SHIFT == s >> 12);
		if (s & (SH_W | SH_SW))
			ck_assert(o.dirty);
		if (s & (SH_P | SH_SR))
			ck_assert(!w->second || o.readable);
	}
}

static void invalidate_page(struct world *w)
{
	uint32_t lin = world_lin(w, world_rnd(w, world_pages(w)));

	if (!w->second || world_rnd(w, 2))
		mmu_invlpg(w->m, lin);
	else
		mmu_nested_invalidate(w->m, NESTED_ONE_PAGE | NESTED_ONE_ASID, 0, 1, lin);
	check_page(w, lin);
}

static void flush(struct world *w)
{
	mmu_flush(w->m, world_rnd(w, 2));
	select_both(w);
	if (!world_rnd(w, 4))
		world_audit(w, false);
}

static void trace_code(struct world *w)
{
	ppn p = DATA_FIRST + world_rnd(w, ROM_FIRST - DATA_FIRST);

	mm_trace_code(w->vm, p);
	if (!world_rnd(w, 4))
		mm_move_some(w->vm, 1 + world_rnd(w, 8));
}

START_TEST(at_random)
{
	struct world *w = world_new(NULL, 32, _i & 1, 11 + (uint64_t)_i);
	struct second a, b, *const seconds[] = { NULL, &a, &b };
	static const uint64_t tags[] = { 0, TAG_A, TAG_B };

	second_make(w, &a, 8, 100);
	second_make(w, &b, 16, 7);
	a.flags = _i & 2;
	w->soft = (unsigned[]){ 0, 2, 3 }[_i % 3];
	for (int i = 0; i < 3; i++) {
		world_enter(w, seconds[i], tags[i], i > 0);
		for (unsigned k = 0; k < world_pages(w); k++)
			world_set_entry(w, k, random_entry(w, k));
	}
	for (int round = 0; round < 500; round++) {
		unsigned what = world_rnd(w, 100), to = world_rnd(w, 3);

		if (what < 50)
			access_some(w);
		else if (what < 65)
			change_guest(w);
		else if (what < 75)
			change_second(w);
		else if (what < 80)
			invalidate_page(w);
		else if (what < 83)
			flush(w);
		else if (what < 86)
			invept(w);
		else if (what < 90)
			world_enter(w, seconds[to], tags[to], to > 0);
		else if (what < 98)
			trace_code(w);
		else
			move_table(w);
	}
	for (int i = 0; i < 3; i++) {
		world_enter(w, seconds[i], tags[i], i > 0);
		mmu_flush(w->m, true);
		invept(w);
	}
	world_audit_host(w);
	ck_assert_uint_gt(mmu_stats(w->m)->refusals, 5);
	ck_assert_uint_eq(w->failed, 0);
	world_free(w);
}
END_TEST

/* ---- what the extension is asked and told ---- */

START_TEST(refusals)
{
	struct second s;
	struct world *w = nested_world(&s, _i & 1, KERNEL);
	unsigned size = _i & 1 ? 8 : 4, table = PA_TABLES >> PAGE_SHIFT;
	uint32_t lin = world_lin(w, 3) + 5, word = 0;
	ppn p;

	/* A hole, read: the address to the byte, and whose. */
	s.rights[DATA_FIRST + 3] = 0;
	ck_assert(!world_read(w, lin));
	ck_assert_uint_eq(s.refused, DATA(3) + 5);
	ck_assert_uint_eq(s.refused_lin, lin);
	ck_assert_uint_eq(s.refused_how, MM_READ | NESTED_LINEAR);
	/* By callouts: the same as an exception that no guest has. */
	ck_assert_int_eq(mmu_read(w->m, lin, &word, 4, 0), -1);
	ck_assert_uint_eq(w->cpu.exc.vector, EXC_EXIT);
	ck_assert_int_eq(mmu_read(w->m, lin, &word, 4, MM_PROBE), -1);
	/* Read-only: reads go, writes do not. */
	s.rights[DATA_FIRST + 3] = NESTED_R | NESTED_X;
	ck_assert(world_read(w, lin));
	ck_assert(!world_write(w, lin, 1));
	ck_assert_uint_eq(s.refused_how, MM_WRITE | NESTED_LINEAR);
	w->cpu.exc.vector = 0;
	ck_assert_int_eq(mmu_write(w->m, lin, &word, 4, 0), -1);
	ck_assert_uint_eq(w->cpu.exc.vector, EXC_EXIT);
	w->cpu.exc.vector = 0;
	ck_assert_int_eq(mmu_check_write(w->m, world_lin(w, 5) - 2, 4, 0), 0);
	ck_assert_int_eq(mmu_check_write(w->m, world_lin(w, 3) - 2, 4, 0), -1);
	ck_assert_uint_eq(w->cpu.exc.vector, EXC_EXIT);
	ck_assert_uint_eq(s.refused, DATA(3));
	/* The guest's own fault comes first. */
	world_set_entry(w, 3, DATA(3) | PTE_P | PTE_A);
	mmu_invlpg(w->m, lin);
	p = (ppn)s.refusals;
	ck_assert(!world_write(w, lin, 1));
	ck_assert_uint_eq(s.refusals, p);
	/* A table in a hole, for both kinds of access. */
	mmu_flush(w->m, true);
	s.rights[table] = 0;
	invept(w);
	select_as(w, 0);
	ck_assert(!world_read(w, lin));
	ck_assert_uint_eq(s.refused, PA_TABLES + 3 * size);
	ck_assert_uint_eq(s.refused_how, MM_READ | NESTED_LINEAR | NESTED_TABLE);
	ck_assert_int_eq(mmu_code_page(w->m, lin, &p), -1);
	ck_assert_uint_eq(w->cpu.exc.vector, EXC_EXIT);
	/* A table that may not be written: only where an accessed or dirty bit is to be set. */
	s.rights[table] = NESTED_R;
	invept(w);
	select_as(w, 0);
	ck_assert(world_read(w, lin));
	world_set_entry(w, 4, DATA(4) | PTE_P | PTE_W);
	ck_assert(!world_read(w, world_lin(w, 4)));
	ck_assert_uint_eq(s.refused, PA_TABLES + 4 * size);
	ck_assert_uint_eq(s.refused_how, MM_WRITE | NESTED_LINEAR | NESTED_TABLE);
	ck_assert_uint_eq(world_entry(w, 4), DATA(4) | PTE_P | PTE_W);
	s.rights[table] = ALL;
	ck_assert(world_read(w, world_lin(w, 4)));
	ck_assert_uint_eq(world_entry(w, 4), DATA(4) | PTE_P | PTE_W | PTE_A);
	ck_assert(world_write(w, world_lin(w, 4), 9));
	ck_assert_uint_eq(world_entry(w, 4), DATA(4) | PTE_P | PTE_W | PTE_A | PTE_D);
	world_free(w);
}
END_TEST

/* Execute-only, never, and by the page's user bit. */
START_TEST(executing)
{
	struct second s;
	struct world *w = nested_world(&s, _i & 1, USER);

	s.rights[DATA_FIRST] = NESTED_X | NESTED_XU;
	s.rights[DATA_FIRST + 1] = NESTED_R | NESTED_W;
	s.rights[DATA_FIRST + 2] = NESTED_R | NESTED_X;
	s.rights[DATA_FIRST + 3] = NESTED_R | NESTED_XU;
	world_set_entry(w, 4, DATA(2) | KERNEL);
	ck_assert(world_fetch(w, world_lin(w, 0)));
	ck_assert(!world_read(w, world_lin(w, 0)));
	ck_assert(world_fetch(w, world_lin(w, 0)));
	ck_assert(world_read(w, world_lin(w, 1)));
	ck_assert(!world_fetch(w, world_lin(w, 1)));
	ck_assert_uint_eq(s.refused_how, MM_EXEC | MM_USER | NESTED_LINEAR);
	ck_assert(!world_fetch(w, world_lin(w, 2)));
	ck_assert(world_fetch(w, world_lin(w, 3)));
	ck_assert(world_fetch(w, world_lin(w, 4)));
	/* Execution that is taken away, and given. */
	s.rights[DATA_FIRST + 3] = NESTED_R | NESTED_X;
	s.rights[DATA_FIRST + 2] = NESTED_R | NESTED_XU;
	invept(w);
	select_as(w, 0);
	ck_assert(!world_fetch(w, world_lin(w, 3)));
	ck_assert(!world_fetch(w, world_lin(w, 4)));
	ck_assert(world_fetch(w, world_lin(w, 2)));
	world_free(w);
}
END_TEST

/* A log of dirty pages misses none and has each once. */
START_TEST(dirty_log)
{
	struct second s;
	struct world *w = nested_world(&s, _i & 1, KERNEL | DIRTY);

	s.flags = true;
	for (unsigned p = 0; p < GUEST_PAGES; p++)
		s.accessed[p] = true;
	s.dirty[PA_ROOT >> PAGE_SHIFT] = s.dirty[PA_TABLES >> PAGE_SHIFT] = true;
	for (int pass = 0; pass < 3; pass++) {
		s.logs = 0;
		for (unsigned k = 0; k < 64; k++)
			ck_assert(world_read(w, world_lin(w, k)));
		ck_assert_uint_eq(s.logs, 0);
		ck_assert(!(shadow(w, w->m->kwin, 9) & SH_W));
		for (int twice = 0; twice < 2; twice++)
			for (unsigned k = 0; k < 64; k += 2)
				ck_assert(world_write(w, world_lin(w, k), (uint8_t)k));
		ck_assert_uint_eq(s.logs, 32);
		for (unsigned k = 0; k < 64; k++)
			ck_assert_int_eq(s.dirty[DATA_FIRST + k], !(k & 1));
		ck_assert(shadow(w, w->m->kwin, 8) & SH_W);
		memset(&s.dirty[DATA_FIRST], 0, 64);
		s.accessed[DATA_FIRST + 5] = false;
		invept(w);
		select_as(w, 0);
		ck_assert_uint_eq(shadow(w, w->m->kwin, 8) & (SH_P | SH_W), SH_P);
		ck_assert(!(shadow(w, w->m->kwin, 5) & SH_P));
		ck_assert(world_read(w, world_lin(w, 5)) && s.accessed[DATA_FIRST + 5]);
	}
	world_free(w);
}
END_TEST

/* A fill hides no first access of the pages that it maps along. */
START_TEST(neighbours)
{
	struct second s;
	struct world *w = nested_world(&s, _i & 1, KERNEL | DIRTY);

	s.flags = true;
	for (unsigned p = DATA_FIRST; p < DATA_FIRST + 16; p++)
		s.accessed[p] = p != DATA_FIRST + 6;
	s.dirty[DATA_FIRST + 4] = true;
	s.rights[DATA_FIRST + 2] = ALL - NESTED_W;
	ck_assert(world_write(w, world_lin(w, 3), 1));
	ck_assert(shadow(w, w->m->kwin, 4) & SH_W);
	ck_assert(!(shadow(w, w->m->kwin, 5) & SH_W));
	ck_assert(!(shadow(w, w->m->kwin, 2) & SH_W));
	ck_assert(world_read(w, world_lin(w, 5)));
	ck_assert(shadow(w, w->m->kwin, 5) & SH_P);
	ck_assert(!(shadow(w, w->m->kwin, 6) & SH_IN));
	ck_assert(!s.accessed[DATA_FIRST + 6]);
	world_audit(w, true);
	world_free(w);
}
END_TEST

/* A large page of the guest's on small ones of the second dimension. */
START_TEST(large_page)
{
	struct second s;
	struct world *w = nested_world(&s, _i & 1, KERNEL);
	unsigned k = world_pages(w) - (_i & 1 ? 512 : 1024), first = _i & 1 ? 512 : 0, n = DATA_FIRST + 40;

	world_set_entry(w, k, (uint64_t)first << PAGE_SHIFT | KERNEL | DIRTY | PTE_PS);
	s.rights[first + n + 2] = ALL - NESTED_W;
	s.page[first + n + 1] = DATA_FIRST + 3;
	ck_assert(world_write(w, world_lin(w, k + n), 1));
	ck_assert(world_write(w, world_lin(w, k + n + 1), 1));
	for (unsigned i = 0; i < 4; i++) {
		ck_assert(world_read(w, world_lin(w, k + n + i)));
		ck_assert_uint_eq(shadow(w, w->m->kwin, k + n + i) >> 12, s.page[first + n + i]);
	}
	ck_assert(!world_write(w, world_lin(w, k + n + 2), 1));
	world_audit(w, true);
	s.page[first + n] = DATA_FIRST + 5;
	invept(w);
	ck_assert(!(shadow(w, w->m->kwin, k + n) & SH_IN) && (shadow(w, w->m->kwin, k + n + 1) & SH_P));
	world_free(w);
}
END_TEST

/* Windows that were emptied have nothing left to compare. */
START_TEST(emptied)
{
	struct second s;
	struct world *w = nested_world(&s, _i & 1, KERNEL | DIRTY);
	struct mm_books b;

	ck_assert(world_read(w, world_lin(w, 3)));
	mmu_nested_invalidate(w->m, NESTED_SECOND, 0, 0, 0);
	w->cpu.cr4 |= CR4_SMEP;
	mmu_flush(w->m, true);
	ck_assert_msg(mm_check(w->vm, true, &b), "%s", b.wrong);
	select_as(w, 0);
	ck_assert(world_read(w, world_lin(w, 3)));
	invept(w);
	world_free(w);
}
END_TEST

/* ---- what is kept, and what goes ---- */

/* Spaces in alternation: nothing is filled, compared or dropped again. */
START_TEST(cheap_switches)
{
	struct second a, b;
	struct world *w = nested_world(&a, _i & 1, USER | DIRTY);
	struct second *const seconds[] = { NULL, &a, &b };
	struct window *win[3][2] = { 0 };
	struct mmu_stats before;

	second_make(w, &b, 16, 9);
	for (int round = 0; round < 1000; round++) {
		for (int i = 0; i < 3; i++) {
			world_enter(w, seconds[i], i ? TAG_A + (unsigned)i * 0x1000 : 0, i > 0);
			ck_assert(!round || (w->m->kwin == win[i][0] && w->m->uwin == win[i][1]));
			if (round < 2)
				for (unsigned k = 0; k < 64; k++)
					world_set_entry(w, k, DATA(k) | USER | DIRTY);
			for (unsigned u = 0; u < 2; u++) {
				select_as(w, u ? 3 : 0);
				ck_assert(world_read(w, world_lin(w, 7)));
				ck_assert(world_write(w, world_lin(w, 8), (uint8_t)round));
				if (!round)
					win[i][u] = w->m->cur;
				ck_assert_ptr_eq(win[i][u], w->m->cur);
			}
		}
		if (!round)
			before = *mmu_stats(w->m);
	}
	ck_assert_uint_eq(mmu_stats(w->m)->fills, before.fills);
	ck_assert_uint_eq(mmu_stats(w->m)->syncs, before.syncs);
	ck_assert_uint_eq(mmu_stats(w->m)->drops, before.drops);
	ck_assert_uint_eq(mmu_stats(w->m)->windows, before.windows);
	ck_assert_uint_eq(shadow(w, win[0][0], 7) >> 12, DATA_FIRST + 7);
	ck_assert_uint_eq(shadow(w, win[1][0], 7) >> 12, DATA_FIRST + 107);
	ck_assert_uint_eq(shadow(w, win[2][0], 7) >> 12, DATA_FIRST + 16);
	world_free(w);
}
END_TEST

/* What was filled from both dimensions and did not change survives INVEPT without a host call. */
START_TEST(compared_not_dropped)
{
	struct second s;
	struct world *w = nested_world(&s, _i & 1, KERNEL | DIRTY);
	uint64_t drops, fills;

	s.shift = _i & 2 ? 21 : PAGE_SHIFT;
	if (_i & 2) /* pages of 2 MiB: they run on */
		for (unsigned p = 8; p < GUEST_PAGES; p++)
			s.page[p] = (uint16_t)p, s.page[p & 7] = (uint16_t)(p & 7);
	for (unsigned k = 0; _i & 2 && k < 64; k++)
		world_set_entry(w, k, DATA(k) | KERNEL | DIRTY);
	for (unsigned k = 0; k < 64; k++)
		ck_assert(world_write(w, world_lin(w, k), 1));
	drops = w->m->kwin->drops;
	fills = mmu_stats(w->m)->fills;
	s.asks = 0;
	invept(w);
	select_as(w, 0);
	ck_assert_uint_eq(w->m->kwin->drops, drops);
	ck_assert_uint_le(s.asks, _i & 2 ? 8 : 80);
	for (unsigned k = 0; k < 64; k++)
		ck_assert(world_write(w, world_lin(w, k), 2));
	ck_assert_uint_eq(mmu_stats(w->m)->fills, fills);
	if (!(_i & 2)) { /* one page elsewhere: it alone goes */
		s.page[DATA_FIRST + 20] = DATA_FIRST + 500;
		ck_assert(world_read(w, world_lin(w, 20)));
		ck_assert_uint_eq(shadow(w, w->m->kwin, 20) >> 12, DATA_FIRST + 120);
		invept(w);
		ck_assert_uint_eq(shadow(w, w->m->kwin, 20), 0);
		ck_assert(shadow(w, w->m->kwin, 21) & SH_W);
	}
	world_free(w);
}
END_TEST

/* A flush concerns the present ASID, INVVPID that of its operand, INVEPT a tag of any ASID. */
START_TEST(scopes)
{
	static const struct {
		unsigned what;
		uint64_t tag;
		uint32_t asid;
		unsigned sync, outdated; /* a bit for each space below */
	} rows[] = {
		{ NESTED_ONE_TAG | NESTED_SECOND, TAG_A, 0, 6, 6 },
		{ NESTED_ONE_TAG | NESTED_SECOND, TAG_A | 0x5e, 0, 6, 6 },
		{ NESTED_ONE_TAG | NESTED_SECOND, TAG_B, 0, 8, 8 },
		{ NESTED_SECOND, 0, 0, 15, 14 },
		{ NESTED_ONE_ASID, 0, 0, 1, 0 },
		{ NESTED_ONE_ASID, 0, 1, 10, 0 },
		{ NESTED_ONE_ASID | NESTED_SECOND, 0, 1, 10, 10 },
		{ NESTED_ONE_ASID | NESTED_ONE_TAG | NESTED_SECOND, TAG_A, 2, 4, 4 },
	};
	static const uint64_t tags[] = { 0, TAG_A, TAG_A, TAG_B };
	static const uint32_t asids[] = { 0, 1, 2, 1 };
	struct second s[4];
	struct world *w = nested_world(&s[1], false, KERNEL);
	struct window *win[4];

	second_make(w, &s[2], 16, 0);
	second_make(w, &s[3], 24, 0);
	for (int i = 0; i < 4; i++) {
		world_enter(w, i ? &s[i] : NULL, tags[i], asids[i]);
		world_set_entry(w, 0, DATA(0) | KERNEL);
		select_as(w, 0);
		ck_assert(world_read(w, world_lin(w, 0)));
		win[i] = w->m->cur;
	}
	mmu_nested_invalidate(w->m, rows[_i].what, rows[_i].tag, rows[_i].asid, 0);
	for (unsigned i = 0; i < 4; i++) {
		ck_assert_int_eq(win[i]->need_sync, rows[_i].sync >> i & 1);
		ck_assert_int_eq(win[i]->outdated, rows[_i].outdated >> i & 1);
	}
	for (int i = 0; i < 4; i++) {
		world_enter(w, i ? &s[i] : NULL, tags[i], asids[i]);
		select_as(w, 0);
		ck_assert_ptr_eq(w->m->cur, win[i]);
		ck_assert(!win[i]->need_sync && !win[i]->outdated && (shadow(w, win[i], 0) & SH_P));
	}
	/* MOV CR3 and INVLPG under ASID 1. */
	mmu_flush(w->m, false);
	for (unsigned i = 0; i < 4; i++)
		ck_assert_int_eq(win[i]->need_sync, i & 1);
	world_enter(w, &s[1], TAG_A, 1);
	select_as(w, 0);
	world_enter(w, &s[3], TAG_B, 1);
	select_as(w, 0);
	mmu_invlpg(w->m, world_lin(w, 0));
	for (unsigned i = 0; i < 3; i++)
		ck_assert_uint_eq(win[i]->npend, i == 1);
	world_free(w);
}
END_TEST

/* A write that is refused invalidates what was known of the page, without INVEPT; one to a table, where it
 * is. */
START_TEST(refused_then_moved)
{
	struct second s;
	struct world *w = nested_world(&s, _i & 1, KERNEL | DIRTY);
	unsigned table = PA_TABLES >> PAGE_SHIFT;
	uint8_t page[PAGE_SIZE];

	s.rights[DATA_FIRST + 3] = NESTED_R;
	ck_assert(world_read(w, world_lin(w, 3)));
	ck_assert(!world_write(w, world_lin(w, 3), 1));
	s.page[DATA_FIRST + 3] = DATA_FIRST + 300; /* copied on write */
	s.rights[DATA_FIRST + 3] = ALL;
	select_as(w, 0);
	check_page(w, world_lin(w, 3));
	select_as(w, 0);
	ck_assert(world_read(w, world_lin(w, 3)));
	ck_assert_uint_eq(shadow(w, w->m->kwin, 3) >> 12, DATA_FIRST + 300);
	/* The table of page 4 is copied when its dirty bit is to be set. */
	s.rights[table] = NESTED_R;
	world_set_entry(w, 4, DATA(4) | KERNEL);
	mmu_invlpg(w->m, world_lin(w, 4));
	select_as(w, 0);
	ck_assert(world_read(w, world_lin(w, 5)));
	ck_assert(!world_write(w, world_lin(w, 4), 1));
	ck_assert(mm_phys_read(w->vm, (gpa)s.page[table] << PAGE_SHIFT, page, PAGE_SIZE));
	ck_assert(mm_phys_write(w->vm, 50 << PAGE_SHIFT, page, PAGE_SIZE));
	s.page[table] = 50;
	s.rights[table] = ALL;
	select_as(w, 0);
	world_set_entry(w, 5, DATA(6) | KERNEL);
	mmu_flush(w->m, true); /* the guest's, which says nothing of its table */
	select_as(w, 0);
	ck_assert(!(shadow(w, w->m->kwin, 5) & SH_P));
	ck_assert(world_write(w, world_lin(w, 4), 1));
	world_free(w);
}
END_TEST

/* More spaces than there is room for: the oldest is given up, the host's never. */
START_TEST(many_spaces)
{
	static struct second s[MMU_SPACES + 8];
	struct world *w = world_new(NULL, 0, false, 4);
	unsigned n = MMU_SPACES + 8;
	struct window *host;

	world_set_entry(w, 0, DATA(0) | KERNEL);
	mmu_flush(w->m, true);
	ck_assert(world_read(w, world_lin(w, 0)));
	host = w->m->cur;
	for (unsigned round = 0; round < 3 * n; round++) {
		unsigned i = round % n;

		if (round < n) {
			second_make(w, &s[i], 0, i);
			for (unsigned p = 0; p < 8; p++)
				s[i].page[p] = (uint16_t)p;
		}
		world_enter(w, &s[i], (uint64_t)i << PAGE_SHIFT, i + 1);
		ck_assert_uint_gt(mmu_space(w->m), 0);
		select_as(w, round & 1 ? 3 : 0);
		world_set_entry(w, 0, DATA(0) | USER);
		ck_assert(world_read(w, world_lin(w, 0)));
		ck_assert_uint_eq(w->m->cur->shadow[world_lin(w, 0) >> PAGE_SHIFT] >> 12, DATA_FIRST + i);
		/* One that is entered again and again is not the oldest. */
		world_enter(w, &s[0], 0, 1);
		select_as(w, 0);
		ck_assert(!round || (shadow(w, w->m->cur, 0) & SH_P));
		ck_assert(world_read(w, world_lin(w, 0)));
		world_enter(w, NULL, 0, 0);
		ck_assert_uint_eq(mmu_space(w->m), 0);
		select_as(w, 0);
		ck_assert_ptr_eq(w->m->cur, host);
		ck_assert(shadow(w, host, 0) & SH_P);
	}
	world_free(w);
}
END_TEST

/* ---- modes ---- */

START_TEST(paging_off)
{
	struct second s;
	struct world *w = nested_world(&s, false, KERNEL);
	uint32_t lin = (uint32_t)DATA(3) + 1;
	struct window *flat;

	w->cpu.cr0 &= ~CR0_PG;
	mmu_flush(w->m, true);
	select_as(w, 0);
	flat = w->m->cur;
	ck_assert_int_eq(flat->view, WIN_FLAT);
	ck_assert(world_write(w, lin, 3));
	ck_assert_uint_eq(flat->shadow[lin >> PAGE_SHIFT] >> 12, DATA_FIRST + 103);
	ck_assert(flat->shadow[(lin >> PAGE_SHIFT) + 1] & SH_P);
	s.rights[DATA_FIRST + 3] = ALL - NESTED_W;
	s.page[DATA_FIRST + 4] = DATA_FIRST;
	mmu_nested_invalidate(w->m, NESTED_ONE_TAG | NESTED_SECOND, TAG_A, 0, 0);
	select_as(w, 0);
	ck_assert_uint_eq(flat->shadow[lin >> PAGE_SHIFT] & (SH_P | SH_W), SH_P);
	ck_assert_uint_eq(flat->shadow[(lin >> PAGE_SHIFT) + 1], 0);
	ck_assert(!world_write(w, lin, 4));
	ck_assert_uint_eq(s.refused_how, MM_WRITE | MM_USER | NESTED_LINEAR);
	ck_assert(world_read(w, lin + PAGE_SIZE));
	/* The host has its own, and paging. */
	w->cpu.cr0 |= CR0_PG;
	world_enter(w, NULL, 0, 0);
	select_as(w, 0);
	ck_assert(w->m->cur != flat);
	w->cpu.cr0 &= ~CR0_PG;
	world_enter(w, &s, TAG_A, 1);
	select_as(w, 0);
	ck_assert_ptr_eq(w->m->cur, flat);
	ck_assert(flat->shadow[lin >> PAGE_SHIFT] & SH_P);
	world_free(w);
}
END_TEST

/* PDPTEs: loaded through the second dimension by MOV CR3, set by an entry, or read by each walk. */
START_TEST(pdptes)
{
	struct second s;
	struct world *w = nested_world(&s, true, KERNEL);
	uint64_t set[4] = { PA_ROOT | PTE_P, 0, 0, 0 }, none[4] = { 0 };
	gpa at = w->cpu.cr3;

	ck_assert(world_read(w, world_lin(w, 0)));
	mmu_set_pdptrs(w->m, none);
	mmu_flush(w->m, true);
	ck_assert(!world_read(w, world_lin(w, 0)));
	mmu_set_pdptrs(w->m, set);
	ck_assert(world_read(w, world_lin(w, 0)));
	ck_assert_uint_eq(mmu_pdptrs(w->m)[0], set[0]);
	s.rights[at >> PAGE_SHIFT] = 0;
	ck_assert_int_eq(mmu_load_pdptrs(w->m, (uint32_t)at), -1);
	ck_assert_uint_eq(w->cpu.exc.vector, EXC_EXIT);
	ck_assert_uint_eq(s.refused_how, MM_READ | NESTED_TABLE);
	ck_assert_uint_eq(s.refused, at);
	ck_assert_uint_eq(mmu_pdptrs(w->m)[0], set[0]);
	s.rights[at >> PAGE_SHIFT] = ALL;
	ck_assert_int_eq(mmu_load_pdptrs(w->m, (uint32_t)at), 0);
	set[0] |= 2;
	ck_assert(mm_phys_write(w->vm, world_pa(w, at), set, 8));
	ck_assert_int_eq(mmu_load_pdptrs(w->m, (uint32_t)at), -1);
	ck_assert_uint_eq(w->cpu.exc.vector, EXC_GP);
	world_free(w);
}
END_TEST

START_TEST(pdptes_walked)
{
	struct second s;
	struct world *w = nested_world(&s, true, KERNEL);
	struct mmu_nested n = w->m->sp->n;
	uint64_t pdpte = PA_ROOT | PTE_P, bad = pdpte | 2, none[4] = { 0 };
	gpa at = w->cpu.cr3;
	uint8_t byte;

	n.walks_pdptes = true;
	n.tag = TAG_B;
	mmu_set_pdptrs(w->m, none);
	mmu_nested(w->m, &n);
	select_as(w, 0);
	ck_assert_int_eq(mmu_read(w->m, world_lin(w, 0), &byte, 1, 0), 0);
	ck_assert_int_eq(mmu_load_pdptrs(w->m, 0xfff000), 0);
	for (int i = 0; i < 70; i++)
		ck_assert_int_eq(mmu_read(w->m, world_lin(w, 0), &byte, 1, 0), 0);
	ck_assert(shadow(w, w->m->kwin, 0) & SH_P);
	mmu_flush(w->m, true);
	select_as(w, 0);
	ck_assert(shadow(w, w->m->kwin, 0) & SH_P);
	ck_assert(mm_phys_write(w->vm, world_pa(w, at), &bad, 8));
	mmu_flush(w->m, true);
	select_as(w, 0);
	ck_assert(!(shadow(w, w->m->kwin, 0) & SH_P));
	ck_assert_int_eq(mmu_read(w->m, world_lin(w, 0), &byte, 1, MM_USER), -1);
	ck_assert_uint_eq(w->cpu.exc.vector, EXC_PF);
	ck_assert_uint_eq(w->cpu.exc.err, PF_ERR_P | PF_ERR_RSVD | PF_ERR_U);
	s.rights[at >> PAGE_SHIFT] = 0;
	mmu_nested_invalidate(w->m, NESTED_SECOND, 0, 0, 0);
	ck_assert_int_eq(mmu_read(w->m, world_lin(w, 0), &byte, 1, 0), -1);
	ck_assert_uint_eq(w->cpu.exc.vector, EXC_EXIT);
	ck_assert_uint_eq(s.refused_how, MM_READ | NESTED_LINEAR | NESTED_TABLE);
	world_free(w);
}
END_TEST

/* Where tables are is kept, for one space, until INVEPT, or until the page of a table is refused. */
START_TEST(tables_are_kept)
{
	struct second a, b;
	struct world *w = nested_world(&a, _i & 1, KERNEL);
	gva lin = world_lin(w, 0), other = world_lin(w, 1);
	uint8_t byte, *rights = &a.rights[PA_TABLES >> PAGE_SHIFT];

	ck_assert_int_eq(mmu_read(w->m, lin, &byte, 1, 0), 0);
	*rights = 0;
	ck_assert_int_eq(mmu_read(w->m, other, &byte, 1, 0), 0);
	second_make(w, &b, 24, 300);
	b.rights[PA_TABLES >> PAGE_SHIFT] = 0;
	world_enter(w, &b, TAG_B, 2);
	ck_assert_int_eq(mmu_read(w->m, other, &byte, 1, 0), -1);
	ck_assert_uint_eq(w->cpu.exc.vector, EXC_EXIT);
	b.rights[PA_TABLES >> PAGE_SHIFT] = ALL;
	world_set_entry(w, 1, DATA(1) | KERNEL);
	ck_assert_int_eq(mmu_read(w->m, other, &byte, 1, 0), 0);
	world_enter(w, &a, TAG_A, 1);
	ck_assert_int_eq(mmu_read(w->m, other, &byte, 1, 0), -1);
	*rights = ALL;
	ck_assert_int_eq(mmu_read(w->m, other, &byte, 1, 0), 0);
	*rights = 0;
	mmu_nested_invalidate(w->m, NESTED_SECOND, 0, 0, 0);
	ck_assert_int_eq(mmu_read(w->m, other, &byte, 1, 0), -1);
	/* The table is a page to the guest, too. */
	*rights = ALL;
	ck_assert_int_eq(mmu_read(w->m, lin, &byte, 1, 0), 0);
	*rights = NESTED_R;
	world_set_entry(w, 2, (uint64_t)PA_TABLES | KERNEL | DIRTY);
	ck_assert_int_eq(mmu_write(w->m, world_lin(w, 2), &byte, 1, 0), -1);
	*rights = 0;
	ck_assert_int_eq(mmu_read(w->m, lin, &byte, 1, 0), -1);
	ck_assert_uint_eq(a.refused_how, MM_READ | NESTED_LINEAR | NESTED_TABLE);
	world_free(w);
}
END_TEST

/* Control registers that an entry changes, without a flush of the guest's. */
START_TEST(entered_with_others)
{
	struct second s;
	struct world *w = nested_world(&s, _i & 1, PTE_P | PTE_A);
	uint32_t cr0 = w->cpu.cr0;

	world_set_entry(w, 0, DATA(0) | PTE_P | PTE_A | DIRTY);
	w->cpu.cr0 &= ~CR0_WP;
	mmu_wp_changed(w->m);
	ck_assert(world_write(w, world_lin(w, 0), 1));
	w->cpu.cr0 = cr0;
	world_enter(w, NULL, 0, 0);
	select_as(w, 0);
	mmu_wp_changed(w->m);
	w->cpu.cr0 &= ~CR0_WP;
	world_enter(w, &s, TAG_A, 1);
	select_as(w, 0);
	ck_assert(shadow(w, w->m->kwin, 0) & SH_W);
	world_enter(w, NULL, 0, 0);
	w->cpu.cr0 = cr0;
	world_enter(w, &s, TAG_A, 1);
	select_as(w, 0);
	ck_assert_uint_eq(shadow(w, w->m->kwin, 0) & (SH_P | SH_W), SH_P);
	world_enter(w, NULL, 0, 0);
	w->cpu.cr4 |= CR4_SMEP;
	world_enter(w, &s, TAG_A, 1);
	select_as(w, 0);
	ck_assert_uint_eq(w->m->kwin->known, 0);
	world_free(w);
}
END_TEST

/* ---- with the rest of mm ---- */

START_TEST(watched_and_bypassed)
{
	struct second s;
	struct world *w = nested_world(&s, _i & 1, KERNEL | DIRTY);
	struct mmu_fault f;
	const uint8_t *at;
	uint8_t byte;
	gpa pa;

	/* The byte is watched where it is in the machine. */
	ck_assert(world_read(w, world_lin(w, 0)));
	ck_assert_int_eq(mmu_watch_insert(w->m, DATA(100) + 4, 1, WATCH_READ | WATCH_PHYSICAL), 0);
	ck_assert(!(shadow(w, w->m->kwin, 0) & SH_P));
	ck_assert_int_eq(mmu_fill(w->m, world_lin(w, 0), MM_READ, &f), FILL_MMIO);
	ck_assert_int_eq(mmu_read(w->m, world_lin(w, 0) + 4, &byte, 1, 0), 0);
	ck_assert_uint_eq(w->m->ntouch, 1);
	ck_assert(mmu_watched(w->m, world_lin(w, 0), 8) && !mmu_watched(w->m, world_lin(w, 1), 8));
	mmu_watch_remove(w->m, DATA(100) + 4, 1, WATCH_READ | WATCH_PHYSICAL);
	/* Bypassed accesses take both walks. */
	mmu_bypass_all(w->m);
	at = mmu_bypass(w->m, world_lin(w, 2), 4, MM_WRITE, false, &pa);
	ck_assert_ptr_nonnull(at);
	ck_assert_uint_eq(pa, DATA(102));
	s.rights[DATA_FIRST + 2] = NESTED_R;
	ck_assert_ptr_null(mmu_bypass(w->m, world_lin(w, 2), 4, MM_WRITE, false, &pa));
	ck_assert_ptr_nonnull(mmu_bypass(w->m, world_lin(w, 2), 4, MM_READ, false, &pa));
	s.rights[DATA_FIRST + 2] = 0;
	ck_assert_ptr_null(mmu_bypass(w->m, world_lin(w, 2), 4, MM_READ, false, &pa));
	/* Prefills have no side effect, and go where both dimensions go. */
	s.asks = s.refusals = 0;
	select_as(w, 0);
	mmu_prefill(w->m, world_lin(w, 2), false, false);
	ck_assert_uint_eq(s.refusals, 0);
	ck_assert(!(shadow(w, w->m->kwin, 2) & SH_P));
	s.flags = true;
	s.rights[DATA_FIRST + 2] = ALL;
	mmu_prefill(w->m, world_lin(w, 2), false, false);
	ck_assert(!(shadow(w, w->m->kwin, 2) & SH_P) && !s.accessed[DATA_FIRST + 2]);
	s.accessed[DATA_FIRST + 2] = true;
	mmu_prefill(w->m, world_lin(w, 2), false, false);
	ck_assert_uint_eq(shadow(w, w->m->kwin, 2) >> 12, DATA_FIRST + 102);
	ck_assert_uint_eq(shadow(w, w->m->kwin, 2) & (SH_P | SH_W), SH_P);
	world_free(w);
}
END_TEST

/* A device of the machine that the second dimension maps: its registers, at its address. */
static gpa device_at;

static void device_read(void *ctx, gpa a, void *buf, unsigned size)
{
	(void)ctx;
	device_at = a;
	memset(buf, 0x5a, size);
}

START_TEST(a_device)
{
	struct second s;
	struct world *w = nested_world(&s, false, KERNEL);
	struct mmu_fault f;
	uint32_t word;

	w->plat.mmio_read = device_read;
	s.page[DATA_FIRST + 1] = RAM_PAGES + 4;
	select_as(w, 0);
	ck_assert_int_eq(mmu_fill(w->m, world_lin(w, 1) + 8, MM_READ, &f), FILL_MMIO);
	ck_assert_uint_eq(f.pa, ((gpa)(RAM_PAGES + 4) << PAGE_SHIFT) + 8);
	ck_assert_int_eq(mmu_read(w->m, world_lin(w, 1) + 8, &word, 4, 0), 0);
	ck_assert_uint_eq(word, 0x5a5a5a5a);
	ck_assert_uint_eq(device_at, f.pa);
	/* The page that was found last is not remembered across spaces. */
	world_enter(w, NULL, 0, 0);
	world_set_entry(w, 1, DATA(1) | KERNEL);
	ck_assert_int_eq(mmu_read(w->m, world_lin(w, 1) + 8, &word, 4, 0), 0);
	ck_assert_uint_ne(word, 0x5a5a5a5a);
	world_free(w);
}
END_TEST

/* Kernel code reaches user pages through the user window; entering and leaving keep it ready. */
START_TEST(user_window)
{
	struct second s;
	struct world *w = nested_world(&s, false, USER | DIRTY);
	uint32_t lin = world_lin(w, 3);
	uint64_t quarter[4];
	struct mmu_fault f;

	w->cpu.cr4 |= CR4_PGE;
	mmu_flush(w->m, true);
	select_as(w, 0);
	mmu_learn_quarter(w->m, lin);
	ck_assert(mmu_user_ready(w->m));
	ck_assert_int_eq(mmu_fill_user(w->m, lin, MM_WRITE, &f), FILL_OK);
	ck_assert_uint_eq(shadow(w, w->m->uwin, 3) >> 12, DATA_FIRST + 103);
	world_enter(w, NULL, 0, 0);
	select_as(w, 0);
	world_enter(w, &s, TAG_A, 1);
	select_as(w, 0);
	mmu_quarters(w->m, quarter, 1);
	ck_assert_uint_ne(quarter[LIN_BASE >> 30], 1);
	s.rights[DATA_FIRST + 4] = NESTED_R;
	mmu_nested_invalidate(w->m, NESTED_SECOND, 0, 0, 0);
	select_as(w, 0);
	mmu_quarters(w->m, quarter, 1);
	ck_assert_uint_eq(quarter[LIN_BASE >> 30], 1);
	ck_assert(mmu_user_ready(w->m));
	ck_assert_int_eq(mmu_fill_user(w->m, world_lin(w, 4), MM_WRITE, &f), FILL_FAULT);
	ck_assert_uint_eq(f.vector, EXC_EXIT);
	world_free(w);
}
END_TEST

/* Each access finds one more page swapped out: tables of the guest's, then the page itself. A fill never
 * waits, and the extension is not told of a refusal. */
START_TEST(swapped_out)
{
	struct world *w = world_new_swapped(NULL, 16, _i & 1, 3);
	struct second s;
	struct mmu_fault f;
	unsigned waits = 0;
	enum mmu_fill r;

	second_make(w, &s, 8, 100);
	world_enter(w, &s, TAG_A, 1);
	world_set_entry(w, 3, DATA(3) | KERNEL);
	select_as(w, 0);
	ck_assert(mm_swap_out(w->vm, s.page[PA_ROOT >> PAGE_SHIFT]));
	ck_assert(mm_swap_out(w->vm, s.page[PA_TABLES >> PAGE_SHIFT]));
	ck_assert(mm_swap_out(w->vm, s.page[DATA_FIRST + 3]));
	while ((r = mmu_fill(w->m, world_lin(w, 3), MM_WRITE, &f)) == FILL_WAIT) {
		ck_assert(mm_wait(w->vm));
		ck_assert_uint_lt(++waits, 10);
	}
	ck_assert_int_eq(r, FILL_OK);
	ck_assert_uint_eq(waits, 3);
	ck_assert_uint_eq(s.refusals, 0);
	/* Comparing peeks at tables that are out. */
	ck_assert(mm_swap_out(w->vm, s.page[PA_TABLES >> PAGE_SHIFT]));
	mmu_flush(w->m, true);
	invept(w);
	ck_assert(shadow(w, w->m->kwin, 3) & SH_W);
	/* An entry of the extension's is out: nothing refused, and nothing noted. */
	s.waits_for = s.page[6];
	ck_assert(mm_phys_write(w->vm, (gpa)s.waits_for << PAGE_SHIFT, &waits, sizeof(waits)));
	ck_assert(mm_swap_out(w->vm, s.waits_for));
	select_as(w, 0);
	world_set_entry(w, 4, DATA(4) | KERNEL);
	ck_assert_int_eq(mmu_fill(w->m, world_lin(w, 4), 0, &f), FILL_WAIT);
	ck_assert_uint_eq(mmu_stats(w->m)->refusals, 0);
	ck_assert(mm_wait(w->vm));
	ck_assert_int_eq(mmu_fill(w->m, world_lin(w, 4), 0, &f), FILL_OK);
	world_free(w);
}
END_TEST

/* A refusal counts for both views, even where a flush was pending already, and when there are many. */
START_TEST(refused_in_both_views)
{
	struct second s;
	struct world *w = nested_world(&s, _i & 1, USER | DIRTY);
	unsigned n = _i & 2 ? 64 + 36 : 1;

	for (unsigned k = 64; k < n; k++)
		world_set_entry(w, k, DATA(k) | USER | DIRTY);
	for (unsigned k = 0; k < n; k++) {
		s.rights[DATA_FIRST + k] = ALL - NESTED_W;
		select_as(w, 3);
		ck_assert(world_read(w, world_lin(w, k)));
		select_as(w, 0);
		ck_assert(world_read(w, world_lin(w, k)));
	}
	w->m->uwin->need_sync = true; /* as after a CR3 load, while only the kernel runs */
	for (unsigned k = 0; k < n; k++) {
		struct mmu_fault f;

		ck_assert_int_eq(mmu_fill(w->m, world_lin(w, k), MM_WRITE, &f), FILL_FAULT);
		s.page[DATA_FIRST + k] = (uint16_t)(DATA_FIRST + 700 - k);
		s.rights[DATA_FIRST + k] = ALL;
	}
	for (unsigned k = 0; k < n; k++)
		check_page(w, world_lin(w, k));
	world_free(w);
}
END_TEST

/* A guest without a second dimension: windows of its own, and the host's tables are none of its. */
START_TEST(windows_alone)
{
	struct world *w = world_new(NULL, 0, _i & 1, 5);
	struct mmu_nested n = { .asid = 7 };
	struct window *host;

	world_set_entry(w, 0, DATA(0) | KERNEL);
	mmu_flush(w->m, true);
	ck_assert(world_read(w, world_lin(w, 0)));
	host = w->m->cur;
	mmu_nested(w->m, &n);
	ck_assert(mmu_stale(w->m));
	world_set_entry(w, 0, DATA(1) | KERNEL);
	ck_assert(world_read(w, world_lin(w, 0)));
	ck_assert(w->m->cur != host);
	ck_assert_uint_eq(shadow(w, w->m->cur, 0) >> 12, DATA_FIRST + 1);
	ck_assert_uint_eq(shadow(w, host, 0) >> 12, DATA_FIRST);
	mmu_flush(w->m, true);
	world_enter(w, NULL, 0, 0);
	ck_assert(world_read(w, world_lin(w, 0)));
	ck_assert_uint_eq(shadow(w, host, 0) >> 12, DATA_FIRST); /* as a TLB with VPIDs */
	mmu_nested_invalidate(w->m, NESTED_ONE_ASID, 0, 0, 0);
	ck_assert(world_read(w, world_lin(w, 0)));
	ck_assert_uint_eq(shadow(w, host, 0) >> 12, DATA_FIRST + 1);
	world_free(w);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("nested");
	TCase *t = tcase_create("nested");

	tcase_add_loop_test(t, at_random, 0, 6);
	tcase_add_loop_test(t, refusals, 0, 2);
	tcase_add_loop_test(t, executing, 0, 2);
	tcase_add_loop_test(t, dirty_log, 0, 2);
	tcase_add_loop_test(t, neighbours, 0, 2);
	tcase_add_loop_test(t, large_page, 0, 2);
	tcase_add_loop_test(t, emptied, 0, 2);
	tcase_add_loop_test(t, cheap_switches, 0, 2);
	tcase_add_loop_test(t, compared_not_dropped, 0, 4);
	tcase_add_loop_test(t, scopes, 0, 8);
	tcase_add_loop_test(t, refused_then_moved, 0, 2);
	tcase_add_test(t, many_spaces);
	tcase_add_test(t, paging_off);
	tcase_add_test(t, pdptes);
	tcase_add_test(t, pdptes_walked);
	tcase_add_loop_test(t, tables_are_kept, 0, 2);
	tcase_add_loop_test(t, entered_with_others, 0, 2);
	tcase_add_loop_test(t, watched_and_bypassed, 0, 2);
	tcase_add_test(t, a_device);
	tcase_add_test(t, user_window);
	tcase_add_loop_test(t, windows_alone, 0, 2);
	tcase_add_loop_test(t, swapped_out, 0, 2);
	tcase_add_loop_test(t, refused_in_both_views, 0, 4);
	suite_add_tcase(s, t);
	return suite_run(s);
}
