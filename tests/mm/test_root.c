/* SPDX-License-Identifier: GPL-3.0-or-later
 * Roots that share windows for supervisor code, as of a kernel that isolates its page tables: what one root
 * does not map is never reached under it, and what stays the same is not mapped anew. */
#include "tests/mm/world.h"

#include "mm/window/region.h"
#include "tests/suite.h"

#include <string.h>

enum { ROOTS = 6, PA_ROOTS = 0x10000, PA_ROOT_BYTES = 2 * PAGE_SIZE };

static const uint64_t page_flags = PTE_P | PTE_W | PTE_A | PTE_D;

static bool pae_of(const struct world *w)
{
	return w->cpu.cr4 & CR4_PAE;
}

static unsigned table_pages(const struct world *w)
{
	return pae_of(w) ? 512 : 1024;
}

static gpa directory(uint32_t root)
{
	return root ? PA_ROOTS + (gpa)root * PA_ROOT_BYTES : PA_ROOT;
}

/* The directory entry of table I under root ROOT, of which 0 is the world's. */
static gpa pde_at(const struct world *w, unsigned root, unsigned i)
{
	unsigned size = pae_of(w) ? 8 : 4;

	return directory(root) + ((LIN_BASE >> (pae_of(w) ? 21 : 22)) + i) * size;
}

static void set_pde(struct world *w, unsigned root, unsigned i, uint64_t e)
{
	ck_assert(mm_phys_write(w->vm, pde_at(w, root, i), &e, pae_of(w) ? 8 : 4));
}

static uint64_t pde(struct world *w, unsigned root, unsigned i)
{
	uint64_t e = 0;

	ck_assert(mm_phys_read(w->vm, pde_at(w, root, i), &e, pae_of(w) ? 8 : 4));
	return e;
}

/* PAE: the PDPTEs of root ROOT lie in the page behind its directory. */
static uint32_t cr3_of(const struct world *w, unsigned root)
{
	if (!root)
		return pae_of(w) ? PA_ROOT - 0x20 : PA_ROOT;
	return (uint32_t)directory(root) + (pae_of(w) ? PAGE_SIZE : 0);
}

/* Give root ROOT the entries of root 0 for the first N tables. */
static void make_root(struct world *w, unsigned root, unsigned n)
{
	uint64_t e = directory(root) | PTE_P;

	if (pae_of(w))
		ck_assert(mm_phys_write(w->vm, cr3_of(w, root), &e, 8));
	for (unsigned i = 0; i < n; i++)
		set_pde(w, root, i, pde(w, 0, i));
}

static void load_root(struct world *w, unsigned root)
{
	unsigned win;

	w->cpu.cr3 = cr3_of(w, root);
	if (pae_of(w))
		ck_assert_int_eq(mmu_load_pdptrs(w->m, (uint32_t)w->cpu.cr3), 0);
	mmu_flush(w->m, false);
	mmu_select(w->m, &win);
}

/* A kernel in NTABLES tables of pages that are not global. */
static struct world *kernel_new(bool pae)
{
	struct world *w = world_new(NULL, 0, pae, 3);

	w->cpu.cr4 |= CR4_PGE;
	for (unsigned k = 0; k < NTABLES * table_pages(w); k++)
		world_set_entry(w, k, (uint64_t)(DATA_FIRST + k % 800) << 12 | page_flags);
	for (unsigned i = 0; i < NTABLES; i++)
		set_pde(w, 0, i, (PA_TABLES + i * PAGE_SIZE) | page_flags);
	mmu_flush(w->m, true);
	load_root(w, 0);
	return w;
}

static void touch(struct world *w, unsigned first, unsigned n)
{
	for (unsigned k = first; k < first + n; k++)
		ck_assert(world_read(w, world_lin(w, k)));
}

/* Roots 1 and 3 map the whole kernel, 2 and 4 its first table alone: two windows serve all. */
static struct world *isolating_new(bool pae)
{
	struct world *w = kernel_new(pae);

	for (unsigned i = 1; i <= 4; i++)
		make_root(w, i, i & 1 ? NTABLES : 1);
	touch(w, table_pages(w), 2 * table_pages(w));
	return w;
}

START_TEST(two_windows)
{
	struct world *w = isolating_new(_i);
	struct window *full = w->m->kwin, *few;
	uint32_t hidden = world_lin(w, table_pages(w) + 5);
	uint64_t fills, windows;

	load_root(w, 2);
	few = w->m->kwin;
	ck_assert(few != full && few->shared && full->shared && few->apart && !full->apart);
	ck_assert_uint_eq(*mmu_apart(w->m), 1ull << few->id);
	touch(w, 0, 8);
	ck_assert(!world_read(w, hidden));
	fills = mmu_stats(w->m)->fills;
	windows = mmu_stats(w->m)->windows;
	for (int round = 0; round < 3; round++)
		for (unsigned i = 0; i <= 4; i++) {
			load_root(w, i);
			ck_assert(w->m->kwin == (i && !(i & 1) ? few : full));
			ck_assert_int_eq(world_read(w, hidden), w->m->kwin == full);
			if (w->m->kwin == few)
				touch(w, 0, 8);
			world_audit(w, true);
		}
	ck_assert_uint_eq(mmu_stats(w->m)->fills, fills);
	ck_assert_uint_eq(mmu_stats(w->m)->windows, windows);
	world_free(w);
}
END_TEST

/* A shared window is right for whatever root is loaded. */
START_TEST(changed_meanwhile)
{
	struct world *w = isolating_new(_i);
	unsigned k = table_pages(w) + 5;
	uint64_t e = world_entry(w, k);

	load_root(w, 2);
	world_set_entry(w, k, e + PAGE_SIZE);
	set_pde(w, 1, 2, 0);
	load_root(w, 1);
	ck_assert(!(w->m->kwin->shadow[world_lin(w, k) >> PAGE_SHIFT] & SH_IN));
	world_audit(w, true);
	ck_assert(world_read(w, world_lin(w, k)));
	ck_assert(!world_read(w, world_lin(w, 2 * table_pages(w))));
	load_root(w, 3); /* whose directory has the third table still */
	world_audit(w, true);
	touch(w, 2 * table_pages(w), 8);
	load_root(w, 1);
	world_audit(w, true);
	ck_assert(!world_read(w, world_lin(w, 2 * table_pages(w))));
	/* A write that only the first root allows. */
	load_root(w, 3);
	ck_assert(world_write(w, world_lin(w, k), 9));
	set_pde(w, 1, 1, pde(w, 1, 1) & ~(uint64_t)PTE_W);
	load_root(w, 1);
	world_audit(w, true);
	ck_assert(!world_write(w, world_lin(w, k), 8));
	world_free(w);
}
END_TEST

/* INVLPG reaches a global page in all shared windows. */
START_TEST(global_page)
{
	struct world *w = isolating_new(_i);
	uint32_t vpn = world_lin(w, 3) >> PAGE_SHIFT;
	uint64_t e = world_entry(w, 3) | PTE_G;
	struct window *full = w->m->kwin, *few;

	for (unsigned k = 0; k < table_pages(w); k++)
		world_set_entry(w, k, world_entry(w, k) | PTE_G);
	touch(w, 3, 1);
	load_root(w, 2);
	touch(w, 3, 1);
	few = w->m->kwin;
	ck_assert(few != full && (few->shadow[vpn] & full->shadow[vpn] & SH_G));
	load_root(w, 1);
	world_set_entry(w, 3, e + PAGE_SIZE);
	mmu_invlpg(w->m, world_lin(w, 3));
	load_root(w, 2);
	ck_assert(w->m->kwin == few);
	world_audit(w, true);
	touch(w, 3, 1);
	ck_assert_uint_eq(few->shadow[vpn] >> 12, (e >> 12 & 0xfffff) + 1);
	world_free(w);
}
END_TEST

/* A kernel with few pages that are not global has one window. */
START_TEST(one_window)
{
	struct world *w = kernel_new(_i);
	struct window *shared = w->m->kwin;

	make_root(w, 1, 0);
	for (unsigned k = 0; k < 200; k++)
		world_set_entry(w, k, world_entry(w, k) | PTE_G);
	touch(w, 0, 200);
	for (unsigned k = 200; k < NTABLES * table_pages(w); k++)
		if (k < 1000 || k >= 1400 || k % 10)
			world_set_entry(w, k, 0); /* so that each page is mapped alone */
	for (unsigned k = 1000; k < 1400; k += 10)
		touch(w, k, 1);
	load_root(w, 1);
	ck_assert(w->m->kwin == shared && !shared->apart);
	ck_assert(!world_read(w, world_lin(w, 1000)));
	ck_assert(shared->shadow[world_lin(w, 5) >> PAGE_SHIFT] & SH_P);
	world_free(w);
}
END_TEST

enum { PA_KERNEL = 0x20000, PA_NOTHING = 0x22000, PA_OTHER = 0x24000, PA_COPY = 0x26000 };

static void load_pdptes(struct world *w, uint32_t cr3, uint8_t cpl)
{
	unsigned win;

	w->cpu.cr3 = cr3;
	w->cpu.cpl = 0;
	ck_assert_int_eq(mmu_load_pdptrs(w->m, cr3), 0);
	mmu_flush(w->m, false);
	mmu_select(w->m, &win);
	w->cpu.cpl = cpl;
	mmu_select(w->m, &win);
}

/* PDPTE I of the root at CR3 leads to the directory at A. */
static void set_pdpte(struct world *w, uint32_t cr3, unsigned i, uint64_t a)
{
	a |= PTE_P;
	ck_assert(mm_phys_write(w->vm, cr3 + i * 8, &a, 8));
}

/* The two roots of a process, one without the kernel's directory, have one user window. */
START_TEST(one_user_window)
{
	struct world *w = world_new(NULL, 0, true, 8);
	uint32_t full = PA_ROOT - 0x20, few = PA_OTHER, lin = world_lin(w, 5);
	uint8_t dir[PAGE_SIZE];
	struct window *user;
	uint64_t fills;

	w->cpu.cr4 |= CR4_PGE;
	for (unsigned k = 0; k < 300; k++)
		world_set_entry(w, k, (uint64_t)(DATA_FIRST + k) << 12 | page_flags | PTE_U);
	for (unsigned i = 0; i < NTABLES; i++) {
		uint64_t e = (PA_TABLES + i * PAGE_SIZE) | page_flags;

		ck_assert(mm_phys_write(w->vm, PA_KERNEL + i * 8, &e, 8));
	}
	set_pdpte(w, full, 3, PA_KERNEL);
	set_pdpte(w, few, 0, PA_ROOT);
	set_pdpte(w, few, 3, PA_NOTHING);
	mmu_flush(w->m, true);
	load_pdptes(w, full, 0);
	for (uint32_t k = 0; k < 100; k++)
		ck_assert(world_read(w, 0xc0000000u + (k << PAGE_SHIFT)));
	load_pdptes(w, full, 3);
	ck_assert(world_read(w, lin));
	user = w->m->uwin;
	load_pdptes(w, few, 3);
	ck_assert(w->m->uwin == user && w->m->kwin->apart);
	fills = mmu_stats(w->m)->fills;
	ck_assert(world_read(w, lin));
	ck_assert_uint_eq(mmu_stats(w->m)->fills, fills);
	w->cpu.cpl = 0;
	ck_assert(!world_read(w, 0xc0000000u));
	world_set_entry(w, 5, world_entry(w, 5) + PAGE_SIZE);
	load_pdptes(w, full, 3);
	ck_assert(w->m->uwin == user);
	world_audit(w, true);
	ck_assert(world_read(w, lin));
	/* The other root gets a directory of its own. */
	ck_assert(mm_phys_read(w->vm, PA_ROOT, dir, PAGE_SIZE) &&
		  mm_phys_write(w->vm, PA_COPY, dir, PAGE_SIZE));
	set_pdpte(w, few, 0, PA_COPY);
	load_pdptes(w, few, 3);
	ck_assert(w->m->uwin != user);
	world_audit(w, true);
	load_pdptes(w, full, 3);
	ck_assert(w->m->uwin == user && (user->shadow[lin >> PAGE_SHIFT] & SH_P));
	world_free(w);
}
END_TEST

/* Each root with tables of its own mix, changed and loaded at random. */
START_TEST(at_random)
{
	struct world *w = kernel_new(_i & 1);

	w->seed = (uint64_t)_i + 9;
	w->soft = _i % 3 == 2 ? 2 : 0;
	for (unsigned i = 1; i < ROOTS; i++)
		make_root(w, i, 1 + world_rnd(w, NTABLES));
	for (int round = 0; round < 2500; round++) {
		unsigned what = world_rnd(w, 100), root = world_rnd(w, ROOTS);
		unsigned k = world_rnd(w, NTABLES * table_pages(w)), i = world_rnd(w, NTABLES);

		if (what < 55) {
			for (unsigned n = world_rnd(w, 12); n; n--, k++)
				what & 1 ? world_read(w, world_lin(w, k))
					 : world_write(w, world_lin(w, k), (uint8_t)n);
		} else if (what < 75) {
			load_root(w, root);
			if (!world_rnd(w, 3))
				world_audit(w, true);
		} else if (what < 90) {
			world_set_entry(w, k,
					world_rnd(w, 4) ? (uint64_t)(DATA_FIRST + world_rnd(w, 800)) << 12 |
							      (page_flags & ~(world_rnd(w, 3) ? 0 : PTE_W))
							: 0);
		} else if (what < 96) {
			set_pde(w, root, i,
				world_rnd(w, 3) ? (PA_TABLES + (gpa)world_rnd(w, NTABLES) * PAGE_SIZE) |
						      (page_flags & ~(world_rnd(w, 3) ? 0 : PTE_W))
						: 0);
		} else {
			mmu_invlpg(w->m, world_lin(w, k));
		}
	}
	ck_assert_uint_gt(mmu_stats(w->m)->local_syncs, 300);
	ck_assert_uint_eq(w->failed, 0);
	world_audit_host(w);
	load_root(w, 0);
	world_audit(w, true);
	world_free(w);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("root");
	TCase *t = tcase_create("root");

	tcase_add_loop_test(t, two_windows, 0, 2);
	tcase_add_loop_test(t, changed_meanwhile, 0, 2);
	tcase_add_loop_test(t, global_page, 0, 2);
	tcase_add_loop_test(t, one_window, 0, 2);
	tcase_add_test(t, one_user_window);
	tcase_add_loop_test(t, at_random, 0, 6);
	suite_add_tcase(s, t);
	return suite_run(s);
}
