/* SPDX-License-Identifier: GPL-3.0-or-later
 * Spaces of 64-bit code: a guest with tables of four levels, whose accesses are made as translated code makes
 * them: the probe of VT, then the byte at A + D. What VT lets through must be the guest's memory as a second
 * walker has it, and nothing else. */
#include "mm/long.h"
#include "mm/window/fill.h"
#include "mm/window/long.h"
#include "tests/mm/world.h"

#include "tests/suite.h"

#include <stdlib.h>
#include <string.h>

enum { HIGH_FIRST = 1 << 20, HIGH_PAGES = 1024 }; /* above 4 GiB, where a test adds them */
enum { PAGES = 4096, FIRST_DATA = 2048, ROOT_A = 1, ROOT_B = 2, TABLES = 8 };
#define KERNEL 0xffffc90000000000ull
#define TEXT 0xffffffff80000000ull
#define PROGRAM 0x0000555555554000ull
#define STACK 0x00007ffc12345000ull
#define RIGHTS (PTE_P | PTE_W | PTE_A | PTE_D)

struct guest {
	struct mm_pool *pool;
	struct mm_vm *vm;
	struct mmu *m;
	struct cpu cpu;
	struct platform plat;
	unsigned next; /* page for the next table */
	unsigned unmaps, failed, devices;
	uint64_t seed;
};

/* What is at word I of PAGE at first. */
static uint32_t word(unsigned page, unsigned i)
{
	return page % 0xfffff << 12 | i;
}

static void on_code_write(void *ctx, ppn p, unsigned off, unsigned len)
{
	struct guest *g = ctx;

	(void)off, (void)len;
	mm_untrace_code(g->vm, p);
}

static void on_unmap(void *ctx, unsigned win, uint64_t vpn, bool linked)
{
	struct guest *g = ctx;

	(void)vpn, (void)linked;
	ck_assert_uint_lt(win, MMU_MAX_WINDOWS);
	g->unmaps++;
}

static void on_failed(void *ctx, const char *text)
{
	struct guest *g = ctx;

	ck_assert(*text);
	g->failed++;
}

static void device(void *ctx, gpa a, void *buf, unsigned size)
{
	struct guest *g = ctx;

	(void)a;
	g->devices++;
	memset(buf, 0xd5, size);
}

/* ---- tables ---- */

static uint64_t load(struct guest *g, gpa at)
{
	uint64_t e;

	ck_assert(mm_phys_read(g->vm, at, &e, 8));
	return e;
}

static void store(struct guest *g, gpa at, uint64_t e)
{
	ck_assert(mm_phys_write(g->vm, at, &e, 8));
}

/* The entry of LIN at LEVEL (4: PML4) under ROOT; tables are made on the way, open to all. */
static gpa entry_at(struct guest *g, unsigned root, gva lin, unsigned level)
{
	gpa table = (gpa)root << PAGE_SHIFT, at;

	for (unsigned l = 4;; l--) {
		at = table + (lin >> (PAGE_SHIFT + 9 * (l - 1)) & 511) * 8;
		if (l == level)
			return at;
		if (!(load(g, at) & PTE_P))
			store(g, at, (gpa)g->next++ << PAGE_SHIFT | RIGHTS | PTE_U);
		ck_assert_uint_lt(g->next, FIRST_DATA);
		table = load(g, at) & PTE_ADDR64;
	}
}

static void map(struct guest *g, unsigned root, gva lin, unsigned page, uint64_t bits)
{
	store(g, entry_at(g, root, lin, 1), (gpa)page << PAGE_SHIFT | bits);
}

static void set_root(struct guest *g, unsigned root, unsigned cpl)
{
	g->cpu.cr3 = (uint64_t)root << PAGE_SHIFT;
	g->cpu.cpl = (uint8_t)cpl;
	mmu_flush(g->m, false);
}

static void set_cpl(struct guest *g, unsigned cpl)
{
	g->cpu.cpl = (uint8_t)cpl;
}

static struct guest *guest_new(void)
{
	struct guest *g = calloc(1, sizeof(*g));
	struct mm_hooks hooks = {
		.ctx = g, .code_write = on_code_write, .code_unmap = on_unmap, .failed = on_failed
	};

	g->pool = mm_pool_new((uint64_t)(PAGES + HIGH_PAGES + 64) << PAGE_SHIFT);
	g->vm = mm_vm_new(g->pool);
	ck_assert(g->vm && !mm_vm_add_ram(g->vm, 0, (uint64_t)PAGES << PAGE_SHIFT, false));
	cpu_reset(&g->cpu);
	g->cpu.a20_mask = UINT32_MAX;
	g->cpu.cr0 |= CR0_PE | CR0_PG | CR0_WP;
	g->cpu.cr4 = CR4_PAE | CR4_PGE;
	g->cpu.efer = EFER_LME | EFER_LMA | EFER_NXE;
	g->cpu.cr3 = (uint64_t)ROOT_A << PAGE_SHIFT;
	g->plat.ctx = g;
	g->plat.mmio_read = device;
	g->m = mmu_new(g->vm, &g->cpu, &g->plat);
	g->next = TABLES;
	ck_assert(g->m != NULL);
	mm_set_hooks(g->vm, &hooks);
	for (unsigned p = FIRST_DATA; p < PAGES; p++) {
		uint32_t words[PAGE_SIZE / 4];

		for (unsigned i = 0; i < ARRAY_LEN(words); i++)
			words[i] = word(p, i);
		ck_assert(mm_phys_write(g->vm, (gpa)p << PAGE_SHIFT, words, sizeof(words)));
	}
	return g;
}

static void check_books(struct guest *g)
{
	struct mm_books b;

	ck_assert_msg(mm_check(g->vm, true, &b), "%s", b.wrong);
}

static void guest_free(struct guest *g)
{
	check_books(g);
	ck_assert_uint_eq(g->failed, 0);
	mmu_free(g->m);
	mm_vm_free(g->vm);
	mm_pool_free(g->pool);
	free(g);
}

/* ---- accesses ---- */

enum result { DONE, PAGE_FAULT, SLOW, CODE };

/* An access at LIN by the code that runs now, through its own space or (THROUGH_USER) the user space: *AT is
 * the host address at the end. SLOW: mmu_read() and mmu_write() are to do it. */
static enum result reach(struct guest *g, gva lin, unsigned how, bool through_user, uint8_t **at,
			 struct mmu_fault *f)
{
	for (int tries = 0; tries < 8; tries++) {
		unsigned win;
		const struct mmu_long *s = mmu_long_select(g->m, &win);
		const struct mmu_long *own = s;
		uint64_t probe;
		gva found = 0;
		bool other;

		ck_assert(s && !mmu_stale(g->m));
		if (through_user)
			s = lin >> 46 ? mmu_long_user(g->m) : mmu_long_low(g->m);
		other = s != own;
		ck_assert_uint_eq(s->v & 63, 20);
		ck_assert_uint_eq(s->d + s->neg_d, 0);
		probe = s->v + (lin >> 20) - 20;
		if (!can_read((void *)probe)) {
			enum mmu_long_place p;

			if (!((lin + s->d) >> 47)) {
				ck_assert_int_eq(mmu_long_where(g->m, probe, &found),
						 other ? LONG_PROBE_USER : LONG_PROBE);
				ck_assert_uint_eq(found >> 20, lin >> 20);
			}
			p = through_user ? mmu_long_place_user(g->m, lin) : mmu_long_place(g->m, lin);
			if (p != LONG_PLACED)
				return SLOW;
			continue;
		}
		*at = (uint8_t *)(lin + s->d);
		ck_assert_uint_eq((uint64_t)*at >> 47, 0);
		ck_assert(can_read((void *)(s->vt + ((uint64_t)*at >> 20))));
		ck_assert_int_eq(mmu_long_where(g->m, (uint64_t)*at, &found),
				 other ? LONG_USER : LONG_MEMORY);
		ck_assert_uint_eq(found, lin);
		if (how & MM_WRITE ? can_write(*at) : can_read(*at))
			return DONE;
		switch (through_user ? mmu_long_fill_user(g->m, lin, how, f)
				     : mmu_long_fill(g->m, lin, how, f)) {
		case FILL_OK:
			break;
		case FILL_FAULT:
			return PAGE_FAULT;
		case FILL_MMIO:
			return SLOW;
		case FILL_CODE:
			return CODE;
		default:
			ck_abort_msg("%lx: wait or error", lin);
		}
	}
	ck_abort_msg("%lx: never reached", lin);
}

static enum result get(struct guest *g, gva lin, uint32_t *v)
{
	struct mmu_fault f = { 0 };
	uint8_t *at;
	enum result r = reach(g, lin, MM_READ, false, &at, &f);

	if (r == DONE)
		memcpy(v, at, 4);
	return r;
}

static void expect(struct guest *g, gva lin, unsigned page)
{
	uint32_t v = 0;

	ck_assert_int_eq(get(g, lin, &v), DONE);
	ck_assert_uint_eq(v, word(page, (lin & PAGE_MASK) / 4));
}

static void expect_not(struct guest *g, gva lin, enum result r)
{
	uint32_t v;

	ck_assert_int_eq(get(g, lin, &v), r);
}

static void put(struct guest *g, gva lin)
{
	struct mmu_fault f = { 0 };
	uint8_t *at;

	ck_assert_int_eq(reach(g, lin, MM_WRITE, false, &at, &f), DONE);
}

/* ---- */

START_TEST(kernel_and_user)
{
	struct guest *g = guest_new();
	unsigned win_k, win_u;

	map(g, ROOT_A, KERNEL, 3000, RIGHTS | PTE_G);
	map(g, ROOT_A, TEXT, 3001, RIGHTS | PTE_G);
	map(g, ROOT_A, PROGRAM, 3002, RIGHTS | PTE_U);
	map(g, ROOT_A, STACK, 3003, RIGHTS | PTE_U);
	mmu_long_select(g->m, &win_k);
	expect(g, KERNEL + 40, 3000);
	expect(g, TEXT + 8, 3001);
	put(g, KERNEL);
	set_cpl(g, 3);
	mmu_long_select(g->m, &win_u);
	ck_assert_uint_ne(win_k, win_u);
	expect(g, PROGRAM + 4, 3002);
	expect(g, STACK + 0xffc, 3003);
	put(g, STACK);
	expect_not(g, KERNEL, SLOW);
	expect_not(g, PROGRAM + 0x1000, PAGE_FAULT);
	expect_not(g, PROGRAM + (8ull << 32), SLOW); /* nothing is mapped there */
	expect_not(g, 1ull << 47, SLOW);
	guest_free(g);
}
END_TEST

START_TEST(through_the_user_space)
{
	struct guest *g = guest_new();
	struct mmu_fault f = { 0 };
	uint8_t *at;
	unsigned win;

	map(g, ROOT_A, KERNEL, 3000, RIGHTS);
	map(g, ROOT_A, PROGRAM, 3002, RIGHTS | PTE_U);
	map(g, ROOT_A, PROGRAM + 0x1000, 3003, (RIGHTS & ~PTE_W) | PTE_U);
	map(g, ROOT_A, PROGRAM + 0x2000, 3004, RIGHTS);
	expect(g, KERNEL, 3000);
	mmu_long_select(g->m, &win);
	ck_assert_int_eq(mmu_long_place(g->m, PROGRAM), LONG_OTHER_HALF);
	ck_assert_int_eq(reach(g, PROGRAM, MM_WRITE, true, &at, &f), DONE);
	ck_assert_int_eq(reach(g, PROGRAM + 0x1000, MM_READ, true, &at, &f), DONE);
	ck_assert_int_eq(reach(g, PROGRAM + 0x1000, MM_WRITE, true, &at, &f), PAGE_FAULT);
	ck_assert_uint_eq(f.err, PF_ERR_P | PF_ERR_W);
	ck_assert_int_eq(reach(g, PROGRAM + 0x2000, MM_READ, true, &at, &f), SLOW); /* the supervisor's */
	ck_assert_int_eq(reach(g, PROGRAM + 0x3000, MM_READ, true, &at, &f), PAGE_FAULT);
	/* SMAP: the same page, which is mapped, is refused where it must be resolved anew. */
	g->cpu.cr4 |= CR4_SMAP;
	mmu_flush(g->m, true);
	ck_assert_int_eq(reach(g, PROGRAM, MM_READ, true, &at, &f), PAGE_FAULT);
	ck_assert_uint_eq(f.err, PF_ERR_P);
	g->cpu.sysflags |= FL_AC;
	ck_assert_int_eq(reach(g, PROGRAM, MM_READ, true, &at, &f), DONE);
	guest_free(g);
}
END_TEST

/* A program that is not position independent: no displacement serves its text and its stack. */
START_TEST(low_program)
{
	struct guest *g = guest_new();
	struct mmu_fault f = { 0 };
	uint8_t *at;
	unsigned win;
	ppn p;

	map(g, ROOT_A, KERNEL, 3000, RIGHTS);
	map(g, ROOT_A, 0x400000, 3001, RIGHTS | PTE_U);
	map(g, ROOT_A, 0x600000, 3002, (RIGHTS & ~PTE_D) | PTE_U);
	map(g, ROOT_A, 0x7ffffffde000, 3003, RIGHTS | PTE_U);
	expect(g, KERNEL, 3000);
	set_cpl(g, 3);
	expect(g, 0x7ffffffde000, 3003);
	ck_assert_int_eq(mmu_long_place(g->m, 0x400000), LONG_OTHER_HALF);
	ck_assert_int_eq(reach(g, 0x400000, MM_READ, true, &at, &f), DONE);
	ck_assert_uint_eq(*(uint32_t *)at, 3001 << 12);
	ck_assert_int_eq(reach(g, 0x600000, MM_WRITE, true, &at, &f), DONE);
	ck_assert_int_eq(reach(g, 0x601000, MM_WRITE, true, &at, &f), PAGE_FAULT);
	ck_assert_uint_eq(f.err, PF_ERR_W | PF_ERR_U);
	ck_assert_int_eq(reach(g, 0x7ffffffde000, MM_WRITE, true, &at, &f), DONE);
	ck_assert_int_eq(mmu_code_page(g->m, 0x400000, &p), 0);
	ck_assert_uint_eq(p, 3001);
	set_cpl(g, 0); /* the kernel's accesses to both */
	mmu_long_select(g->m, &win);
	ck_assert_int_eq(reach(g, 0x400000, MM_WRITE, true, &at, &f), DONE);
	ck_assert_int_eq(reach(g, 0x7ffffffde000, MM_WRITE, true, &at, &f), DONE);
	map(g, ROOT_A, 0x400000, 3010, RIGHTS | PTE_U);
	mmu_invlpg(g->m, 0x400000);
	ck_assert_int_eq(reach(g, 0x400000, MM_READ, true, &at, &f), DONE);
	ck_assert_uint_eq(*(uint32_t *)at, 3010 << 12);
	guest_free(g);
}
END_TEST

/* A kernel, or its loader, that runs in the lower half alone. */
START_TEST(low_kernel)
{
	struct guest *g = guest_new();
	struct mmu_fault f = { 0 };
	uint32_t v;

	for (unsigned i = 0; i < 8; i++)
		map(g, ROOT_A, 0x100000 + i * PAGE_SIZE, 3000 + i, RIGHTS | (i & 1 ? PTE_U : 0));
	for (unsigned i = 0; i < 8; i++)
		expect(g, 0x100000 + i * PAGE_SIZE, 3000 + i);
	/* Once there is a kernel in the upper half, user pages are the user space's. */
	map(g, ROOT_A, KERNEL, 3010, RIGHTS);
	mmu_flush(g->m, true);
	expect(g, KERNEL, 3010);
	map(g, ROOT_A, 0x110000, 3011, RIGHTS | PTE_U);
	expect_not(g, 0x110000, SLOW);
	ck_assert_int_eq(mmu_long_place(g->m, 0x110000), LONG_OTHER_HALF);
	ck_assert_int_eq(mmu_read(g->m, 0x110000, &v, 4, 0), 0);
	ck_assert_uint_eq(v, 3011 << 12);
	(void)f;
	guest_free(g);
}
END_TEST

START_TEST(flushes)
{
	struct guest *g = guest_new();
	unsigned win;

	map(g, ROOT_A, KERNEL, 3000, RIGHTS | PTE_G);
	map(g, ROOT_A, KERNEL + 0x1000, 3001, RIGHTS);
	map(g, ROOT_A, KERNEL + 0x2000, 3002, RIGHTS);
	for (unsigned i = 0; i < 3; i++)
		expect(g, KERNEL + i * PAGE_SIZE, 3000 + i);
	for (unsigned i = 0; i < 3; i++)
		map(g, ROOT_A, KERNEL + i * PAGE_SIZE, 3010 + i, RIGHTS | (i ? 0 : PTE_G));
	mmu_invlpg(g->m, KERNEL + 0x2000);
	expect(g, KERNEL + 0x2000, 3012);
	expect(g, KERNEL + 0x1000, 3001); /* as a TLB may */
	set_root(g, ROOT_A, 0);
	expect(g, KERNEL + 0x1000, 3011);
	mmu_flush(g->m, true);
	ck_assert(mmu_stale(g->m));
	expect(g, KERNEL, 3010);
	/* A directory that goes. */
	store(g, entry_at(g, ROOT_A, KERNEL, 2), 0);
	set_root(g, ROOT_A, 0);
	mmu_long_select(g->m, &win);
	expect_not(g, KERNEL + 0x1000, PAGE_FAULT);
	/* Written pages, and rights taken away at the top. */
	map(g, ROOT_A, PROGRAM, 3020, RIGHTS | PTE_U);
	set_root(g, ROOT_A, 3);
	put(g, PROGRAM);
	store(g, entry_at(g, ROOT_A, PROGRAM, 4),
	      load(g, entry_at(g, ROOT_A, PROGRAM, 4)) & ~(uint64_t)PTE_W);
	set_root(g, ROOT_A, 3);
	expect(g, PROGRAM, 3020);
	{
		struct mmu_fault f = { 0 };
		uint8_t *at;

		ck_assert_int_eq(reach(g, PROGRAM, MM_WRITE, false, &at, &f), PAGE_FAULT);
		ck_assert_uint_eq(f.err, PF_ERR_P | PF_ERR_W | PF_ERR_U);
	}
	guest_free(g);
}
END_TEST

/* Accessed and dirty bits are set by accesses, and an access that found them cleared sets them again. */
START_TEST(accessed_and_dirty)
{
	struct guest *g = guest_new();
	gpa pte;

	map(g, ROOT_A, KERNEL, 3000, PTE_P | PTE_W);
	pte = entry_at(g, ROOT_A, KERNEL, 1);
	expect(g, KERNEL, 3000);
	ck_assert_uint_eq(load(g, pte) & (PTE_A | PTE_D), PTE_A);
	put(g, KERNEL);
	ck_assert_uint_eq(load(g, pte) & (PTE_A | PTE_D), PTE_A | PTE_D);
	store(g, pte, load(g, pte) & ~(uint64_t)(PTE_D));
	set_root(g, ROOT_A, 0);
	put(g, KERNEL);
	ck_assert_uint_eq(load(g, pte) & (PTE_A | PTE_D), PTE_A | PTE_D);
	store(g, pte, load(g, pte) & ~(uint64_t)(PTE_A | PTE_D));
	set_root(g, ROOT_A, 0);
	expect(g, KERNEL, 3000);
	ck_assert_uint_eq(load(g, pte) & (PTE_A | PTE_D), PTE_A);
	guest_free(g);
}
END_TEST

START_TEST(large_pages)
{
	struct guest *g = guest_new();

	store(g, entry_at(g, ROOT_A, KERNEL, 2), 0x800000 | RIGHTS | PTE_PS);
	store(g, entry_at(g, ROOT_A, KERNEL + (1ull << 30), 3), RIGHTS | PTE_PS);
	for (unsigned i = 0; i < 512; i += 37)
		expect(g, KERNEL + i * PAGE_SIZE, 2048 + i);
	for (unsigned i = FIRST_DATA; i < PAGES; i += 97)
		expect(g, KERNEL + (1ull << 30) + i * PAGE_SIZE, i);
	set_root(g, ROOT_A, 0);
	expect(g, KERNEL + PAGE_SIZE, 2049);
	expect(g, KERNEL + (1ull << 30) + 0x800000, 2048);
	/* Outside memory: a device. */
	store(g, entry_at(g, ROOT_A, KERNEL, 2), 0xfee00000 | RIGHTS | PTE_PS);
	set_root(g, ROOT_A, 0);
	expect_not(g, KERNEL, SLOW);
	{
		uint32_t v;

		ck_assert_int_eq(mmu_read(g->m, KERNEL, &v, 4, 0), 0);
		ck_assert_uint_eq(v, 0xd5d5d5d5);
	}
	guest_free(g);
}
END_TEST

/* Two processes. */
START_TEST(processes)
{
	struct guest *g = guest_new();
	unsigned win_a, win_b, win;

	map(g, ROOT_A, PROGRAM, 3000, RIGHTS | PTE_U);
	map(g, ROOT_B, PROGRAM, 3001, RIGHTS | PTE_U);
	map(g, ROOT_A, KERNEL, 3002, RIGHTS);
	store(g, entry_at(g, ROOT_B, KERNEL, 4), load(g, entry_at(g, ROOT_A, KERNEL, 4)));
	set_root(g, ROOT_A, 3);
	expect(g, PROGRAM, 3000);
	mmu_long_select(g->m, &win_a);
	set_root(g, ROOT_B, 3);
	expect(g, PROGRAM, 3001);
	mmu_long_select(g->m, &win_b);
	ck_assert_uint_ne(win_a, win_b);
	set_root(g, ROOT_A, 0);
	expect(g, KERNEL, 3002);
	mmu_long_select(g->m, &win);
	set_root(g, ROOT_B, 0);
	expect(g, KERNEL, 3002);
	mmu_long_select(g->m, &win_b);
	ck_assert_uint_eq(win, win_b); /* one kernel space */
	guest_free(g);
}
END_TEST

/* PCIDs: what is not flushed stays, what is flushed goes, in the space that has the PCID. */
START_TEST(pcids)
{
	struct guest *g = guest_new();

	g->cpu.cr4 |= CR4_PCIDE;
	map(g, ROOT_A, PROGRAM, 3000, RIGHTS | PTE_U);
	map(g, ROOT_B, PROGRAM, 3001, RIGHTS | PTE_U);
	g->cpu.cpl = 3;
	g->cpu.cr3 = (uint64_t)ROOT_A << PAGE_SHIFT | 1;
	mmu_switch(g->m, false);
	expect(g, PROGRAM, 3000);
	g->cpu.cr3 = (uint64_t)ROOT_B << PAGE_SHIFT | 2;
	mmu_switch(g->m, false);
	expect(g, PROGRAM, 3001);
	map(g, ROOT_A, PROGRAM, 3010, RIGHTS | PTE_U);
	map(g, ROOT_B, PROGRAM, 3011, RIGHTS | PTE_U);
	g->cpu.cr3 = (uint64_t)ROOT_A << PAGE_SHIFT | 1;
	mmu_switch(g->m, true);
	expect(g, PROGRAM, 3000);
	mmu_invpcid(g->m, INVPCID_PAGE, 2, PROGRAM);
	expect(g, PROGRAM, 3000);
	g->cpu.cr3 = (uint64_t)ROOT_B << PAGE_SHIFT | 2;
	mmu_switch(g->m, true);
	expect(g, PROGRAM, 3011);
	mmu_invpcid(g->m, INVPCID_ONE, 1, 0);
	g->cpu.cr3 = (uint64_t)ROOT_A << PAGE_SHIFT | 1;
	mmu_switch(g->m, true);
	expect(g, PROGRAM, 3010);
	map(g, ROOT_A, PROGRAM, 3020, RIGHTS | PTE_U);
	mmu_invpcid(g->m, INVPCID_LOCAL, 0, 0);
	expect(g, PROGRAM, 3020);
	/* The same root under another PCID has not what the old one may have kept. */
	map(g, ROOT_A, PROGRAM, 3021, RIGHTS | PTE_U);
	g->cpu.cr3 = (uint64_t)ROOT_A << PAGE_SHIFT | 3;
	mmu_switch(g->m, true);
	expect(g, PROGRAM, 3021);
	guest_free(g);
}
END_TEST

/* The two roots of a process: all of the kernel, and what user code needs. */
static void isolated_roots(struct guest *g)
{
	map(g, ROOT_A, PROGRAM, 3000, RIGHTS | PTE_U);
	map(g, ROOT_A, KERNEL, 3001, RIGHTS);
	for (unsigned i = 0; i < 100; i++)
		map(g, ROOT_A, KERNEL + i * PAGE_SIZE, 3001 + i, RIGHTS);
	map(g, ROOT_B, TEXT, 3200, RIGHTS); /* all that user code's root has of the kernel */
	store(g, entry_at(g, ROOT_A, TEXT, 4), load(g, entry_at(g, ROOT_B, TEXT, 4)));
	store(g, entry_at(g, ROOT_B, PROGRAM, 4), load(g, entry_at(g, ROOT_A, PROGRAM, 4)));
	store(g, entry_at(g, ROOT_A, PROGRAM, 4), load(g, entry_at(g, ROOT_A, PROGRAM, 4)) | PTE_NX);
	set_root(g, ROOT_A, 0);
	for (unsigned i = 0; i < 100; i++)
		expect(g, KERNEL + i * PAGE_SIZE, 3001 + i);
}

/* One root, whose PML4 table has what another one has when it comes with that one's PCID: each PCID has a
 * space of its own in the end, which a flush of the other leaves alone. */
START_TEST(turns)
{
	struct guest *g = guest_new();
	uint64_t tops[2], fills;

	g->cpu.cr4 |= CR4_PCIDE;
	g->cpu.cpl = 3;
	for (unsigned i = 0; i < 20; i++) {
		map(g, ROOT_A, PROGRAM + i * PAGE_SIZE, 3000 + i, RIGHTS | PTE_U);
		map(g, ROOT_B, PROGRAM + i * PAGE_SIZE, 3100 + i, RIGHTS | PTE_U);
	}
	tops[0] = load(g, entry_at(g, ROOT_A, PROGRAM, 4));
	tops[1] = load(g, entry_at(g, ROOT_B, PROGRAM, 4));
	for (unsigned n = 0; n < 40; n++) {
		if (n == 20)
			fills = mmu_stats(g->m)->fills;
		store(g, entry_at(g, ROOT_A, PROGRAM, 4), tops[n & 1]);
		g->cpu.cr3 = (uint64_t)ROOT_A << PAGE_SHIFT | (n & 1 ? 2 : 1);
		mmu_switch(g->m, true);
		for (unsigned i = 0; i < 20; i++)
			expect(g, PROGRAM + i * PAGE_SIZE, (n & 1 ? 3100 : 3000) + i);
	}
	ck_assert_uint_eq(mmu_stats(g->m)->fills, fills);
	map(g, ROOT_B, PROGRAM, 3200, RIGHTS | PTE_U);
	mmu_invpcid(g->m, INVPCID_ONE, 1, 0);
	expect(g, PROGRAM, 3100);
	mmu_invpcid(g->m, INVPCID_ONE, 2, 0);
	expect(g, PROGRAM, 3200);
	store(g, entry_at(g, ROOT_A, PROGRAM, 4), tops[0]);
	g->cpu.cr3 = (uint64_t)ROOT_A << PAGE_SHIFT | 1;
	map(g, ROOT_A, PROGRAM, 3300, RIGHTS | PTE_U);
	mmu_switch(g->m, false);
	expect(g, PROGRAM, 3300);
	/* A third one has not what another may have kept. */
	map(g, ROOT_A, PROGRAM, 3301, RIGHTS | PTE_U);
	g->cpu.cr3 = (uint64_t)ROOT_A << PAGE_SHIFT | 3;
	mmu_switch(g->m, true);
	expect(g, PROGRAM, 3301);
	guest_free(g);
}
END_TEST

/* Isolated page tables: the kernel's root of a process has the user half too, without the right to execute.
 */
START_TEST(isolated)
{
	struct guest *g = guest_new();
	struct mmu_fault f = { 0 };
	unsigned win, again, kernel, entry;
	uint64_t fills;
	uint8_t *at;
	ppn p;

	isolated_roots(g);
	mmu_long_select(g->m, &kernel);
	ck_assert_int_eq(reach(g, PROGRAM, MM_WRITE, true, &at, &f), DONE);
	set_root(g, ROOT_B, 0);
	expect_not(g, KERNEL, SLOW);
	expect(g, TEXT, 3200);
	mmu_long_select(g->m, &entry);
	ck_assert_uint_ne(entry, kernel);
	ck_assert(*mmu_apart(g->m) >> entry & 1 && !(*mmu_apart(g->m) >> kernel & 1));
	set_cpl(g, 3);
	fills = mmu_stats(g->m)->fills;
	mmu_long_select(g->m, &win);
	expect(g, PROGRAM, 3000);
	ck_assert_uint_eq(mmu_stats(g->m)->fills, fills);
	ck_assert_int_eq(mmu_code_page(g->m, PROGRAM, &p), 0);
	ck_assert_uint_eq(p, 3000);
	/* To and fro: nothing is filled anew. */
	expect(g, PROGRAM, 3000);
	fills = mmu_stats(g->m)->fills;
	for (unsigned i = 0; i < 4; i++) {
		set_root(g, ROOT_A, 0);
		expect(g, KERNEL + 0x3000, 3004);
		ck_assert_int_eq(reach(g, PROGRAM, MM_WRITE, true, &at, &f), DONE);
		set_root(g, ROOT_B, 0);
		expect(g, TEXT, 3200);
		set_cpl(g, 3);
		expect(g, PROGRAM, 3000);
		mmu_long_select(g->m, &again);
		ck_assert_uint_eq(again, win);
		ck_assert_uint_eq(mmu_code_page_fast(g->m, PROGRAM), 3000);
	}
	ck_assert_uint_eq(mmu_stats(g->m)->fills, fills);
	guest_free(g);
}
END_TEST

/* A round of a system call: nothing but the roots is written. */
static void round_trip(struct guest *g)
{
	unsigned win;

	set_root(g, ROOT_B, 0);
	mmu_long_select(g->m, &win);
	set_cpl(g, 3);
	mmu_long_select(g->m, &win);
	expect(g, PROGRAM, 3000);
	set_root(g, ROOT_A, 0);
	mmu_long_select(g->m, &win);
}

static bool is_protected(struct guest *g, gpa at)
{
	return g->vm->pmap[at >> PAGE_SHIFT].table;
}

/* Tables that are left alone are write-protected and compared no more; one that is written is, whatever its
 * level. */
START_TEST(left_alone)
{
	struct guest *g = guest_new();
	struct mmu_fault f = { 0 };
	unsigned level = (unsigned)_i, next = FIRST_DATA - 4;
	gva lin = KERNEL + 5 * PAGE_SIZE;
	gpa at, user;
	uint64_t syncs, old;
	uint8_t *page;

	isolated_roots(g);
	ck_assert_int_eq(reach(g, PROGRAM, MM_WRITE, true, &page, &f), DONE);
	at = entry_at(g, ROOT_A, lin, level);
	user = entry_at(g, ROOT_A, PROGRAM, 1);
	for (unsigned i = 0; i < 40; i++)
		round_trip(g);
	ck_assert(is_protected(g, at) && is_protected(g, user));
	syncs = mmu_stats(g->m)->syncs + mmu_stats(g->m)->local_syncs;
	for (unsigned i = 0; i < 40; i++)
		round_trip(g);
	ck_assert_uint_eq(mmu_stats(g->m)->syncs + mmu_stats(g->m)->local_syncs, syncs);
	/* A page that is new among the tables adds its own. */
	map(g, ROOT_A, KERNEL + (1 << 21), 3101, RIGHTS);
	for (unsigned i = 0; i < 80; i++)
		round_trip(g);
	expect(g, KERNEL + (1 << 21), 3101);
	ck_assert(is_protected(g, at) && is_protected(g, entry_at(g, ROOT_A, KERNEL + (1 << 21), 1)));
	/* Another table, or page, in the place of one. */
	old = load(g, at);
	store(g, ((gpa)next << PAGE_SHIFT) + (lin >> 12 & 511) * 8, (gpa)3150 << PAGE_SHIFT | RIGHTS);
	store(g, ((gpa)(next + 1) << PAGE_SHIFT) + (lin >> 21 & 511) * 8, (gpa)next << PAGE_SHIFT | RIGHTS);
	store(g, at,
	      level == 1   ? (gpa)3150 << PAGE_SHIFT | RIGHTS
	      : level == 2 ? (gpa)next << PAGE_SHIFT | RIGHTS
			   : (gpa)(next + 1) << PAGE_SHIFT | RIGHTS);
	ck_assert(!is_protected(g, at));
	round_trip(g);
	expect(g, lin, 3150);
	store(g, at, old);
	round_trip(g);
	expect(g, lin, 3006);
	store(g, user, (gpa)3160 << PAGE_SHIFT | RIGHTS | PTE_U);
	set_root(g, ROOT_A, 0);
	ck_assert_int_eq(reach(g, PROGRAM, MM_WRITE, true, &page, &f), DONE);
	ck_assert_uint_eq(*(uint32_t *)page, word(3160, 0));
	guest_free(g);
}
END_TEST

START_TEST(code)
{
	struct guest *g = guest_new();
	struct mmu_fault f = { 0 };
	unsigned win;
	uint8_t *at;
	ppn p;

	map(g, ROOT_A, KERNEL, 3000, RIGHTS);
	map(g, ROOT_A, KERNEL + 0x1000, 3001, RIGHTS | PTE_NX);
	map(g, ROOT_A, PROGRAM, 3002, RIGHTS | PTE_U);
	mmu_long_select(g->m, &win);
	ck_assert_uint_eq(mmu_code_page_fast(g->m, KERNEL), UINT32_MAX);
	ck_assert_int_eq(mmu_code_page(g->m, KERNEL, &p), 0);
	ck_assert_uint_eq(p, 3000);
	ck_assert_uint_eq(mmu_code_page_fast(g->m, KERNEL + 12), 3000);
	ck_assert_int_eq(mmu_code_page(g->m, KERNEL + 0x1000, &p), -1);
	ck_assert_uint_eq(g->cpu.exc.err, PF_ERR_P | PF_ERR_ID);
	ck_assert_uint_eq(g->cpu.exc.cr2, KERNEL + 0x1000);
	/* A trace reaches regions, and writes end in it. */
	put(g, KERNEL);
	mm_trace_code(g->vm, 3000);
	ck_assert_int_eq(reach(g, KERNEL, MM_WRITE, false, &at, &f), CODE);
	ck_assert_uint_eq(f.pa, 3000 << 12);
	mm_untrace_code(g->vm, 3000);
	put(g, KERNEL);
	g->unmaps = 0;
	ck_assert_int_eq(mmu_code_page(g->m, KERNEL, &p), 0);
	mmu_code_page_fast(g->m, KERNEL);
	map(g, ROOT_A, KERNEL, 3005, RIGHTS);
	mmu_invlpg(g->m, KERNEL);
	ck_assert_uint_gt(g->unmaps, 0);
	ck_assert_int_eq(mmu_code_page(g->m, KERNEL, &p), 0);
	ck_assert_uint_eq(p, 3005);
	/* SMEP */
	ck_assert_int_eq(mmu_code_page(g->m, PROGRAM, &p), 0);
	g->cpu.cr4 |= CR4_SMEP;
	mmu_flush(g->m, true);
	mmu_long_select(g->m, &win);
	ck_assert_int_eq(mmu_code_page(g->m, PROGRAM, &p), -1);
	guest_free(g);
}
END_TEST

/* Rights to execute that go while kernel code uses the user space: from the top, and from the page itself. */
START_TEST(execute_no_more)
{
	struct guest *g = guest_new();
	struct mmu_fault f = { 0 };
	unsigned win;
	uint8_t *at;
	ppn p;

	map(g, ROOT_A, KERNEL, 3000, RIGHTS);
	map(g, ROOT_A, PROGRAM, 3001, (RIGHTS & ~PTE_D) | PTE_U);
	set_root(g, ROOT_A, 3);
	mmu_long_select(g->m, &win);
	ck_assert_int_eq(mmu_code_page(g->m, PROGRAM, &p), 0);
	set_root(g, ROOT_A, 0);
	expect(g, KERNEL, 3000);
	if (_i) {
		gpa top = entry_at(g, ROOT_A, PROGRAM, 4);

		store(g, top, load(g, top) | PTE_NX);
		set_root(g, ROOT_A, 0);
		ck_assert_int_eq(reach(g, PROGRAM, MM_READ, true, &at, &f), DONE);
	} else {
		map(g, ROOT_A, PROGRAM, 3001, (RIGHTS & ~PTE_D) | PTE_U | PTE_NX);
		ck_assert_int_eq(reach(g, PROGRAM, MM_WRITE, true, &at, &f), DONE); /* sets D */
		set_root(g, ROOT_A, 0);
		ck_assert_int_eq(reach(g, PROGRAM, MM_READ, true, &at, &f), DONE);
	}
	set_cpl(g, 3);
	mmu_long_select(g->m, &win);
	ck_assert_uint_eq(mmu_code_page_fast(g->m, PROGRAM), UINT32_MAX);
	ck_assert_int_eq(mmu_code_page(g->m, PROGRAM, &p), -1);
	ck_assert_uint_eq(g->cpu.exc.err, PF_ERR_P | PF_ERR_U | PF_ERR_ID);
	guest_free(g);
}
END_TEST

/* Programs at addresses of their own: what they leave is not compared for ever, and may come back. */
START_TEST(come_and_go)
{
	struct guest *g = guest_new();
	struct window *w = NULL;

	set_root(g, ROOT_A, 3);
	for (unsigned round = 0; round < 3; round++) {
		for (unsigned i = 0; i < 40; i++) {
			gva lin = PROGRAM + (gva)i * (2 << 20);

			for (unsigned k = 0; k < 20; k++)
				map(g, ROOT_A, lin + k * PAGE_SIZE, 2100 + i * 20 + k, RIGHTS | PTE_U);
			for (unsigned k = 0; k < 20; k++)
				expect(g, lin + k * PAGE_SIZE, 2100 + i * 20 + k);
			w = space_find(g->m->cur->of, lin);
			ck_assert_uint_le(w->nactive, 3);
			ck_assert_uint_eq(w->nactive + w->nidle, round ? 40 : i + 1);
			for (unsigned k = 0; k < 20; k++)
				map(g, ROOT_A, lin + k * PAGE_SIZE, 0, 0);
			set_root(g, ROOT_A, 3);
			expect_not(g, lin, PAGE_FAULT);
		}
		ck_assert_uint_eq(w->known, 0);
		check_books(g);
	}
	guest_free(g);
}
END_TEST

/* Memory above 4 GiB, from before or after windows and regions were made. */
START_TEST(high_memory)
{
	struct guest *g = guest_new();
	struct mmu_fault f = { 0 };
	unsigned win;
	uint8_t *base;
	uint32_t v;
	ppn p;

	map(g, ROOT_A, KERNEL, 3000, RIGHTS);
	if (_i)
		expect(g, KERNEL, 3000);
	ck_assert(
	    !mm_vm_add_ram(g->vm, (gpa)HIGH_FIRST << PAGE_SHIFT, (uint64_t)HIGH_PAGES << PAGE_SHIFT, false));
	for (unsigned i = 0; i < HIGH_PAGES; i++) {
		v = word(HIGH_FIRST + i, 0);
		ck_assert(mm_phys_write(g->vm, (gpa)(HIGH_FIRST + i) << PAGE_SHIFT, &v, 4));
	}
	for (unsigned i = 0; i < 64; i++)
		map(g, ROOT_A, KERNEL + i * PAGE_SIZE, HIGH_FIRST + i, RIGHTS);
	store(g, entry_at(g, ROOT_A, KERNEL + (1 << 30), 2), (gpa)HIGH_FIRST << PAGE_SHIFT | RIGHTS | PTE_PS);
	map(g, ROOT_A, 0x08048000, HIGH_FIRST + 100, RIGHTS | PTE_U);
	map(g, ROOT_A, 0x08049000, 3001, RIGHTS | PTE_U);
	set_root(g, ROOT_A, 0);
	for (unsigned round = 0; round < 3; round++) {
		for (unsigned i = 0; i < 64; i++)
			expect(g, KERNEL + i * PAGE_SIZE, HIGH_FIRST + i);
		for (unsigned i = 0; i < 512; i += 51)
			expect(g, KERNEL + (1 << 30) + i * PAGE_SIZE, HIGH_FIRST + i);
		mm_move_some(g->vm, 30);
		check_books(g);
		set_root(g, ROOT_A, 0);
	}
	put(g, KERNEL);
	ck_assert_int_eq(mmu_code_page(g->m, KERNEL + PAGE_SIZE, &p), 0);
	ck_assert_uint_eq(p, HIGH_FIRST + 1);
	ck_assert_uint_eq(mmu_code_page_fast(g->m, KERNEL + PAGE_SIZE), HIGH_FIRST + 1);
	mm_trace_code(g->vm, p);
	ck_assert_int_eq(reach(g, KERNEL + PAGE_SIZE, MM_WRITE, false, &base, &f), CODE);
	ck_assert_uint_eq(f.pa, (gpa)p << PAGE_SHIFT);
	ck_assert_int_eq(mmu_read(g->m, KERNEL + 2 * PAGE_SIZE, &v, 4, 0), 0);
	ck_assert_uint_eq(v, word(HIGH_FIRST + 2, 0));
	/* A window of 4 GiB. A soft page must be within 32 bits of the home slots. */
	set_cpl(g, 3);
	base = mmu_select(g->m, &win);
	ck_assert_int_eq(mmu_fill(g->m, 0x08048000, MM_READ | MMU_SOFT, &f), FILL_OK);
	ck_assert_int_eq(mmu_fill(g->m, 0x08049000, MM_READ | MMU_SOFT, &f), FILL_OK);
	ck_assert_uint_eq(mmu_shadow(g->m)[0x08048] & (MMU_SHADOW_P | MMU_SHADOW_SR), MMU_SHADOW_P);
	ck_assert_uint_eq(mmu_shadow(g->m)[0x08049] & (MMU_SHADOW_P | MMU_SHADOW_SR), MMU_SHADOW_SR);
	ck_assert_uint_eq(*(uint32_t *)(base + 0x08048000), word(HIGH_FIRST + 100, 0));
	map(g, ROOT_A, 0x08048000, HIGH_FIRST + 101, RIGHTS | PTE_U);
	set_root(g, ROOT_A, 3);
	base = mmu_select(g->m, &win);
	ck_assert(!can_read(base + 0x08048000));
	ck_assert_int_eq(mmu_fill(g->m, 0x08048000, MM_WRITE, &f), FILL_OK);
	ck_assert_uint_eq(*(uint32_t *)(base + 0x08048000), word(HIGH_FIRST + 101, 0));
	guest_free(g);
}
END_TEST

/* Pages that move, with their mappings in regions. */
START_TEST(moves)
{
	struct guest *g = guest_new();

	for (unsigned i = 0; i < 64; i++) {
		map(g, ROOT_A, KERNEL + i * PAGE_SIZE, 3000 + i, RIGHTS);
		expect(g, KERNEL + i * PAGE_SIZE, 3000 + i);
	}
	for (unsigned round = 0; round < 20; round++) {
		mm_move_some(g->vm, 40);
		for (unsigned i = 0; i < 64; i++) {
			uint32_t v = (3000 + i) << 12;

			expect(g, KERNEL + i * PAGE_SIZE, 3000 + i);
			if ((i + round) % 3)
				continue;
			put(g, KERNEL + i * PAGE_SIZE);
			ck_assert_int_eq(mmu_write(g->m, KERNEL + i * PAGE_SIZE, &v, 4, MM_WRITE), 0);
		}
		check_books(g);
	}
	ck_assert_uint_gt(mm_moves(g->vm), 20);
	guest_free(g);
}
END_TEST

START_TEST(watchpoints)
{
	struct guest *g = guest_new();
	struct engine_touch t[MAX_TOUCHES];
	uint32_t v;

	map(g, ROOT_A, KERNEL, 3000, RIGHTS);
	expect(g, KERNEL, 3000);
	ck_assert_int_eq(mmu_watch_insert(g->m, KERNEL + 16, 4, WATCH_READ), 0);
	expect_not(g, KERNEL + 16, SLOW);
	ck_assert_int_eq(mmu_read(g->m, KERNEL + 12, &v, 4, 0), 0);
	ck_assert_uint_eq(mmu_watch_take(g->m, t), 0);
	ck_assert_int_eq(mmu_read(g->m, KERNEL + 16, &v, 4, 0), 0);
	ck_assert_uint_eq(mmu_watch_take(g->m, t), 1);
	ck_assert_uint_eq(t[0].at, KERNEL + 16);
	mmu_watch_remove(g->m, KERNEL + 16, 4, WATCH_READ);
	expect(g, KERNEL + 16, 3000);
	guest_free(g);
}
END_TEST

/* mmu_read() and mmu_write() at 64-bit addresses, across pages, regions and the end of the address space. */
START_TEST(semantics)
{
	struct guest *g = guest_new();
	uint64_t v, end = KERNEL + (1ull << 32);

	map(g, ROOT_A, end - PAGE_SIZE, 3000, RIGHTS);
	map(g, ROOT_A, end, 3001, RIGHTS);
	map(g, ROOT_A, PROGRAM, 3002, RIGHTS | PTE_U);
	for (unsigned i = 0; i < 200; i++) { /* walked, then through the regions */
		ck_assert_int_eq(mmu_read(g->m, end - 4, &v, 8, 0), 0);
		ck_assert_uint_eq(v, (uint64_t)(3001 << 12) << 32 | (3000 << 12 | 1023));
		if (i == 100) {
			expect(g, end - 8, 3000);
			expect(g, end, 3001);
		}
	}
	v = 0x1122334455667788;
	ck_assert_int_eq(mmu_write(g->m, end - 4, &v, 8, MM_WRITE), 0);
	ck_assert_int_eq(mmu_read(g->m, end - 4, &v, 8, 0), 0);
	ck_assert_uint_eq(v, 0x1122334455667788);
	ck_assert_int_eq(mmu_check_write(g->m, end - 4, 8, 0), 0);
	ck_assert_int_eq(mmu_check_write(g->m, end + PAGE_SIZE - 4, 8, 0), -1);
	ck_assert_uint_eq(g->cpu.exc.cr2, end + PAGE_SIZE);
	ck_assert_int_eq(mmu_read(g->m, PROGRAM, &v, 8, MM_USER), 0);
	ck_assert_int_eq(mmu_read(g->m, KERNEL, &v, 8, MM_USER), -1);
	ck_assert_uint_eq(g->cpu.exc.vector, EXC_PF);
	ck_assert_uint_eq(g->cpu.exc.cr2, KERNEL);
	guest_free(g);
}
END_TEST

/* Compatibility mode: windows of 4 GiB over four levels. */
START_TEST(compatibility)
{
	struct guest *g = guest_new();
	struct mmu_fault f = { 0 };
	unsigned win;
	uint8_t *base;

	map(g, ROOT_A, 0x08048000, 3000, RIGHTS | PTE_U);
	map(g, ROOT_A, 0xfffde000, 3001, RIGHTS | PTE_U);
	store(g, entry_at(g, ROOT_A, 0x40000000, 2), 0x800000 | RIGHTS | PTE_U | PTE_PS);
	g->cpu.cpl = 3;
	base = mmu_select(g->m, &win);
	ck_assert_int_eq(mmu_fill(g->m, 0x08048000, MM_WRITE, &f), FILL_OK);
	ck_assert_int_eq(mmu_fill(g->m, 0xfffde000, MM_READ, &f), FILL_OK);
	ck_assert_int_eq(mmu_fill(g->m, 0x40003000, MM_READ, &f), FILL_OK);
	ck_assert_int_eq(mmu_fill(g->m, 0x08049000, MM_READ, &f), FILL_FAULT);
	ck_assert_uint_eq(*(uint32_t *)(base + 0x08048000), 3000 << 12);
	ck_assert_uint_eq(*(uint32_t *)(base + 0xfffde000), 3001 << 12);
	ck_assert_uint_eq(*(uint32_t *)(base + 0x40003000), 2051 << 12);
	map(g, ROOT_A, 0x08048000, 3002, RIGHTS | PTE_U);
	set_root(g, ROOT_A, 3);
	ck_assert(mmu_stale(g->m));
	base = mmu_select(g->m, &win);
	ck_assert(!can_read(base + 0x08048000) && can_read(base + 0xfffde000) && can_read(base + 0x40003000));
	ck_assert_int_eq(mmu_fill(g->m, 0x08048000, MM_READ, &f), FILL_OK);
	ck_assert_uint_eq(*(uint32_t *)(base + 0x08048000), 3002 << 12);
	/* The kernel's and 64-bit code's view of the same pages. */
	set_cpl(g, 0);
	map(g, ROOT_A, KERNEL, 3003, RIGHTS);
	expect(g, KERNEL, 3003);
	{
		uint8_t *at;

		ck_assert_int_eq(reach(g, 0x08048000, MM_WRITE, true, &at, &f), DONE);
		ck_assert_uint_eq(*(uint32_t *)at, 3002 << 12);
	}
	map(g, ROOT_A, 0x08048000, 3004, RIGHTS | PTE_U);
	mmu_invlpg(g->m, 0x08048000);
	set_cpl(g, 3);
	base = mmu_select(g->m, &win);
	ck_assert(!can_read(base + 0x08048000) || *(uint32_t *)(base + 0x08048000) == 3004 << 12);
	guest_free(g);
}
END_TEST

/* Pages that are accessed without a mapping: with the rights of one, which end when it would. */
START_TEST(soft)
{
	struct guest *g = guest_new();
	struct mmu_fault f = { 0 };
	const struct mmu_long *s;
	unsigned win, uses = 0;
	uint32_t v;

	map(g, ROOT_A, PROGRAM, 3002, PTE_P | PTE_W | PTE_U);
	map(g, ROOT_A, PROGRAM + 0x2000, 3004, RIGHTS | PTE_U);
	map(g, ROOT_A, KERNEL, 3000, RIGHTS);
	set_cpl(g, 3);
	ck_assert_ptr_nonnull(mmu_long_select(g->m, &win));
	ck_assert_int_eq(mmu_long_soften(g->m, PROGRAM, MM_READ, false, &f), SOFT_NONE); /* no place yet */
	expect(g, PROGRAM + 0x2000, 3004);
	s = mmu_long_select(g->m, &win);
	ck_assert_int_eq(mmu_long_soften(g->m, PROGRAM + 0x2000, MM_READ, false, &f), SOFT_MAPPED);
	ck_assert_int_eq(mmu_long_soften(g->m, PROGRAM + 0x1000, MM_READ, false, &f), SOFT_FAULT);
	ck_assert_uint_eq(f.err, PF_ERR_U);
	ck_assert_int_eq(mmu_long_soften(g->m, KERNEL, MM_READ, false, &f), SOFT_NONE);
	ck_assert_int_eq(mmu_long_soften(g->m, 1ull << 47, MM_READ, false, &f), SOFT_NONE);
	ck_assert_int_eq(mmu_long_soften(g->m, PROGRAM, MM_READ, false, &f), SOFT_NEW);
	ck_assert_uint_eq(load(g, entry_at(g, ROOT_A, PROGRAM, 1)) & (PTE_A | PTE_D), PTE_A);
	ck_assert_ptr_null(mmu_long_soft(g->m, PROGRAM, MM_WRITE, false));
	ck_assert_int_eq(mmu_long_soften(g->m, PROGRAM + 8, MM_WRITE, false, &f), SOFT_NEW);
	ck_assert_uint_eq(load(g, entry_at(g, ROOT_A, PROGRAM, 1)) & (PTE_A | PTE_D), PTE_A | PTE_D);
	ck_assert(!can_read((void *)(PROGRAM + s->d)));
	*(uint32_t *)mmu_long_soft(g->m, PROGRAM + 8, MM_WRITE, false) = 77;
	ck_assert(mm_phys_read(g->vm, (gpa)3002 << PAGE_SHIFT | 8, &v, 4));
	ck_assert_uint_eq(v, 77);
	while (mmu_long_soften(g->m, PROGRAM, MM_WRITE, false, &f) == SOFT_HERE)
		ck_assert_uint_lt(++uses, 100);
	ck_assert(uses && can_write((void *)(PROGRAM + s->d)));
	/* A page of the same name later is another one. */
	map(g, ROOT_A, PROGRAM, 3005, RIGHTS | PTE_U);
	set_root(g, ROOT_A, 3);
	ck_assert_ptr_null(mmu_long_soft(g->m, PROGRAM, MM_READ, false));
	mmu_long_select(g->m, &win);
	ck_assert_int_eq(mmu_long_soften(g->m, PROGRAM, MM_WRITE, false, &f), SOFT_NEW);
	ck_assert_uint_eq(*(uint32_t *)mmu_long_soft(g->m, PROGRAM, MM_WRITE, false), word(3005, 0));
	mm_trace_code(g->vm, 3005);
	ck_assert_ptr_null(mmu_long_soft(g->m, PROGRAM, MM_WRITE, false));
	ck_assert_int_eq(mmu_long_soften(g->m, PROGRAM, MM_WRITE, false, &f), SOFT_NONE);
	/* The kernel reaches it through the user space alone, with the rights of its tables. */
	set_cpl(g, 0);
	mmu_long_select(g->m, &win);
	mmu_long_user(g->m);
	ck_assert_int_eq(mmu_long_soften(g->m, PROGRAM, MM_READ, false, &f), SOFT_NONE);
	ck_assert_uint_eq(*(uint32_t *)mmu_long_soft(g->m, PROGRAM, MM_READ, true), word(3005, 0));
	map(g, ROOT_A, PROGRAM, 3005, (RIGHTS & ~PTE_W) | PTE_U);
	mmu_invlpg(g->m, PROGRAM);
	ck_assert_ptr_null(mmu_long_soft(g->m, PROGRAM, MM_WRITE, true));
	ck_assert_int_eq(mmu_long_soften(g->m, PROGRAM, MM_WRITE, true, &f), SOFT_FAULT);
	ck_assert_uint_eq(f.err, PF_ERR_P | PF_ERR_W);
	guest_free(g);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("long");
	TCase *t = tcase_create("long");

	tcase_add_test(t, kernel_and_user);
	tcase_add_test(t, through_the_user_space);
	tcase_add_test(t, low_kernel);
	tcase_add_test(t, low_program);
	tcase_add_test(t, flushes);
	tcase_add_test(t, accessed_and_dirty);
	tcase_add_test(t, large_pages);
	tcase_add_test(t, processes);
	tcase_add_test(t, pcids);
	tcase_add_test(t, turns);
	tcase_add_test(t, isolated);
	tcase_add_loop_test(t, left_alone, 1, 4);
	tcase_add_test(t, code);
	tcase_add_loop_test(t, execute_no_more, 0, 2);
	tcase_add_loop_test(t, high_memory, 0, 2);
	tcase_add_test(t, come_and_go);
	tcase_add_test(t, moves);
	tcase_add_test(t, soft);
	tcase_add_test(t, watchpoints);
	tcase_add_test(t, semantics);
	tcase_add_test(t, compatibility);
	suite_add_tcase(s, t);
	return suite_run(s);
}
