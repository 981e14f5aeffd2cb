/* SPDX-License-Identifier: GPL-3.0-or-later
 * Where spaces are in the host's address space, and what a probe proves. For any 64-bit value A: if the byte
 * of VT that stands for it can be read, then A + D, and whatever displacements and indices lead to from
 * there, is in regions of the space or in the nothing around them, or is no address at all. */
#include "mm/window/long.h"
#include "mm/window/fill.h"
#include "tests/mm/world.h"

#include "tests/suite.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

enum { PAGES = 4096, ROOTS = 12, FIRST_TABLE = 64 };
#define RIGHTS (PTE_P | PTE_W | PTE_A | PTE_D)
#define REGION (1ull << 32)
#define HOST_END (1ull << 47)

struct guest {
	struct mm_pool *pool;
	struct mm_vm *vm;
	struct mmu *m;
	struct cpu cpu;
	struct platform plat;
	unsigned next;
	uint64_t seed;
};

static uint64_t rnd(struct guest *g)
{
	g->seed ^= g->seed << 13;
	g->seed ^= g->seed >> 7;
	return g->seed ^= g->seed << 17;
}

static struct guest *guest_new(uint64_t seed)
{
	struct guest *g = calloc(1, sizeof(*g));

	g->pool = mm_pool_new((uint64_t)PAGES << PAGE_SHIFT);
	g->vm = mm_vm_new(g->pool);
	ck_assert(g->vm && !mm_vm_add_ram(g->vm, 0, (uint64_t)PAGES << PAGE_SHIFT, false));
	cpu_reset(&g->cpu);
	g->cpu.a20_mask = UINT32_MAX;
	g->cpu.cr0 |= CR0_PE | CR0_PG | CR0_WP;
	g->cpu.cr4 = CR4_PAE | CR4_PGE;
	g->cpu.efer = EFER_LME | EFER_LMA;
	g->m = mmu_new(g->vm, &g->cpu, &g->plat);
	ck_assert(g->m != NULL);
	g->next = FIRST_TABLE;
	g->seed = seed * 0x9e3779b97f4a7c15 + 1;
	return g;
}

static void guest_free(struct guest *g)
{
	mmu_free(g->m);
	mm_vm_free(g->vm);
	mm_pool_free(g->pool);
	free(g);
}

/* A page at LIN under ROOT: the tables are made. */
static void map(struct guest *g, unsigned root, gva lin, uint64_t bits)
{
	gpa table = (gpa)root << PAGE_SHIFT, at;
	uint64_t e;

	for (unsigned level = 4;; level--) {
		at = table + (lin >> (PAGE_SHIFT + 9 * (level - 1)) & 511) * 8;
		if (level == 1)
			break;
		ck_assert(mm_phys_read(g->vm, at, &e, 8));
		if (!(e & PTE_P)) {
			ck_assert_uint_lt(g->next, PAGES);
			e = (gpa)g->next++ << PAGE_SHIFT | RIGHTS | PTE_U;
			ck_assert(mm_phys_write(g->vm, at, &e, 8));
		}
		table = e & PTE_ADDR64;
	}
	e = (rnd(g) % PAGES << PAGE_SHIFT) | bits;
	ck_assert(mm_phys_write(g->vm, at, &e, 8));
}

static struct long_space *select_space(struct guest *g, unsigned root, unsigned cpl)
{
	unsigned win;

	g->cpu.cr3 = (uint64_t)root << PAGE_SHIFT;
	g->cpu.cpl = (uint8_t)cpl;
	mmu_flush(g->m, false);
	ck_assert(mmu_long_select(g->m, &win) != NULL);
	return g->m->cur->of;
}

/* ---- what is to hold ---- */

static bool owned(const struct long_face *f, uint64_t h)
{
	return h < HOST_END && f->all->owner[h >> 32] == f->owner;
}

/* Is the byte at P within a reservation of F's VT? */
static bool in_vt(const struct long_face *f, uint64_t p)
{
	struct vt_part part[2];

	layout_vt(f, f->m.vt, part);
	return p - part[0].at < part[0].bytes || p - part[1].at < part[1].bytes;
}

static void check_address(const struct long_space *sp, unsigned face, uint64_t a, int64_t disp)
{
	const struct long_face *f = &sp->face[face];
	uint64_t probe = f->m.v + (a >> 20) - 20, h = a + f->m.d;
	const struct window *w;

	/* What is not VT may be anything of the process, so it counts as readable. */
	if (in_vt(f, probe)) {
		if (!can_read((void *)probe))
			return;
		w = space_find(sp, a);
		ck_assert_msg(w && w->face == face && w->base == (uint8_t *)(h & ~(REGION - 1)) &&
				  w->lin == (a & ~(REGION - 1)),
			      "%lx: the probe passes, and there is no region", a);
	} else {
		ck_assert_msg(!cpu_canonical(a), "%lx: the probe is elsewhere", a);
		if (probe >= HOST_END)
			return; /* not user code's */
	}
	h += (uint64_t)disp;
	ck_assert_msg(h >= HOST_END || owned(f, h), "%lx%+ld: reaches %lx", a, disp, h);
}

static uint64_t near_edges(struct guest *g, const struct long_face *f, const struct long_space *sp)
{
	uint64_t a = rnd(g) % 3 ? 0 : HOST_END, off = rnd(g) % (80ull << 30) - (40ull << 30);

	switch (rnd(g) % 5) {
	case 0:
		return rnd(g);
	case 1: /* canonical */
		return (uint64_t)((int64_t)(rnd(g) << 16) >> 16);
	case 2: /* host addresses' ends */
		return a - f->m.d + off;
	case 3:
		if (sp->nregions)
			return sp->all->region[sp->region[rnd(g) % sp->nregions]].lin + off;
		return off;
	default: /* the ends of the guest's halves, and beyond */
		return (rnd(g) % 4 << 62) + (rnd(g) & 1 ? HOST_END : 0) + off;
	}
}

static void check_probes(struct guest *g, const struct long_space *sp, unsigned n)
{
	for (unsigned i = 0; i < n; i++) {
		int64_t disp = (int64_t)(rnd(g) % (52ull << 30)) - (18ll << 30);
		unsigned face = sp->face[FACE_LOW].planned ? i % FACES : FACE_OWN;

		check_address(sp, face, near_edges(g, &sp->face[face], sp), disp);
	}
}

/* Regular regions are readable in VT, by guest and by host address, to their last byte. */
static void check_regular(const struct long_space *sp)
{
	for (unsigned i = 0; i < sp->nregions; i++) {
		const struct window *w = &sp->all->region[sp->region[i]];
		const struct long_face *f = &sp->face[w->face];
		uint64_t first = f->m.v + (w->lin >> 20) - 20;
		uint64_t host = f->m.vt + ((w->lin + f->m.d) >> 20);

		if (!w->base)
			continue;
		ck_assert_uint_eq((uint64_t)w->base, w->lin + f->m.d);
		ck_assert(can_read((void *)first) && can_read((void *)(first + 4095)));
		ck_assert(can_read((void *)host) && can_read((void *)(host + 4095)));
		for (int k = -(int)LONG_GUARD; k <= (int)LONG_GUARD; k++)
			ck_assert(owned(f, (uint64_t)w->base + (uint64_t)k * REGION));
	}
}

/* What is mapped where FACE has its regions is nothing, or the guest's memory. */
static void check_maps(const struct long_face *face)
{
	FILE *f = fopen("/proc/self/maps", "r");
	char line[512];
	uint64_t bytes = 0, want = 0;

	for (unsigned i = 0; i < LONG_HALF; i++)
		want += owned(face, (uint64_t)i << 32) ? REGION : 0;
	while (fgets(line, sizeof(line), f)) {
		uint64_t from, to;
		char perm[5];

		ck_assert_int_eq(sscanf(line, "%lx-%lx %4s", &from, &to, perm), 3);
		if (from >= HOST_END)
			continue;
		for (uint64_t h = from; h < to; h = (h | (REGION - 1)) + 1) {
			uint64_t end = (h | (REGION - 1)) + 1 < to ? (h | (REGION - 1)) + 1 : to;

			if (!owned(face, h))
				continue;
			bytes += end - h;
			ck_assert_msg(!strncmp(perm, "---", 3) || strstr(line, "vitrine-guest-memory"), "%s",
				      line);
		}
	}
	fclose(f);
	ck_assert_uint_eq(bytes, want);
}

/* ---- */

static gva program_region(struct guest *g, unsigned kind)
{
	static const gva at[] = { 0x400000, 0x0000555555554000, 0x00007f0000000000, 0x00007ffc00000000 };

	gva off = rnd(g) % (900ull << 30) & ~(gva)PAGE_MASK;

	return kind == 3 ? at[3] - off / 64 : kind ? at[kind] + off : at[0];
}

START_TEST(at_random)
{
	struct guest *g = guest_new((uint64_t)_i + 1);
	struct long_space *sp;
	unsigned regular = 0, wanted = 0;

	map(g, 1, 0xffffffff80000000, RIGHTS);
	map(g, 1, 0xffffc90000000000 + (rnd(g) % (30ull << 40) & ~(gva)PAGE_MASK), RIGHTS);
	map(g, 1, 0xffff888000000000 + (rnd(g) % (30ull << 40) & ~(gva)PAGE_MASK), RIGHTS);
	map(g, 1, 0xfffffe0000001000, RIGHTS);
	sp = select_space(g, 1, 0);
	mmu_long_place(g->m, 0xffffffff80000000);
	mmu_long_place(g->m, 0xfffffe0000001000);
	check_regular(sp);
	check_probes(g, sp, 3000);
	for (unsigned root = 2; root < ROOTS; root++) {
		gva lin[8];
		unsigned n = 0;

		for (unsigned kind = rnd(g) % 4 != 0; kind < 4; kind++)
			for (unsigned k = 0, c = 1 + rnd(g) % 2; k < c; k++)
				map(g, root, lin[n++] = program_region(g, kind), RIGHTS | PTE_U);
		sp = select_space(g, root, 3);
		for (unsigned i = 0; i < n; i++) {
			enum mmu_long_place p = mmu_long_place(g->m, lin[i]);

			if (p == LONG_OTHER_HALF) /* low, while the stack is high */
				ck_assert_int_eq(mmu_long_place_user(g->m, lin[i]), LONG_PLACED);
			regular += p == LONG_PLACED || p == LONG_OTHER_HALF;
			wanted++;
		}
		check_regular(sp);
		check_probes(g, sp, 1000);
	}
	/* All of them together, once more. */
	for (unsigned root = 2; root < ROOTS; root++) {
		sp = select_space(g, root, 3);
		check_regular(sp);
		check_probes(g, sp, 300);
		check_maps(&sp->face[FACE_OWN]);
		check_maps(&sp->face[FACE_LOW]);
	}
	ck_assert_msg(regular * 20 >= wanted * 19, "%u of %u regions are regular", regular, wanted);
	guest_free(g);
}
END_TEST

/* Regions of the lower half in a kernel space, where guest addresses wrap at 0. */
START_TEST(around_zero)
{
	struct guest *g = guest_new(99);
	struct long_space *sp;
	uint64_t top = 0xffffffffffffe000;

	map(g, 1, top, RIGHTS);
	map(g, 1, 0x1000, RIGHTS);
	map(g, 1, 7ull << 32, RIGHTS);
	sp = select_space(g, 1, 0);
	ck_assert_int_eq(mmu_long_place(g->m, top), LONG_PLACED);
	check_probes(g, sp, 2000);
	ck_assert_int_eq(mmu_long_place(g->m, 0x1000), LONG_PLACED);
	check_regular(sp);
	check_probes(g, sp, 2000);
	ck_assert_int_eq(mmu_long_place(g->m, 7ull << 32), LONG_PLACED);
	check_regular(sp);
	check_probes(g, sp, 2000);
	check_maps(&sp->face[FACE_OWN]);
	guest_free(g);
}
END_TEST

/* What the process maps by itself is left alone: a space goes elsewhere, or does without the region. */
START_TEST(neighbours)
{
	struct guest *g = guest_new(7), *h = guest_new(8);
	struct long_space *a, *b;

	for (unsigned i = 0; i < 2; i++) {
		map(i ? h : g, 1, 0xffffffff80000000, RIGHTS);
		map(i ? h : g, 1, 0x555555554000, RIGHTS | PTE_U);
	}
	a = select_space(g, 1, 3);
	b = select_space(h, 1, 3);
	ck_assert_int_eq(mmu_long_place(g->m, 0x555555554000), LONG_PLACED);
	ck_assert_int_eq(mmu_long_place(h->m, 0x555555554000), LONG_PLACED);
	ck_assert_uint_ne(a->face[0].m.d, b->face[0].m.d);
	a = select_space(g, 1, 0);
	b = select_space(h, 1, 0);
	ck_assert_int_eq(mmu_long_place(g->m, 0xffffffff80000000), LONG_PLACED);
	ck_assert_int_eq(mmu_long_place(h->m, 0xffffffff80000000), LONG_PLACED);
	ck_assert_uint_ne(a->face[0].m.d, b->face[0].m.d);
	check_maps(&a->face[FACE_OWN]);
	check_maps(&b->face[FACE_OWN]);
	guest_free(g);
	check_regular(b);
	guest_free(h);
}
END_TEST

/* A space whose displacement has no room for a region goes elsewhere, with all that it has. */
START_TEST(moves_away)
{
	const gva text = 0x555555554000, library = 0x7f1234567000;
	struct guest *g = guest_new(5);
	struct long_space *sp;
	unsigned win;
	uint64_t d;
	void *p;

	map(g, 1, text, RIGHTS | PTE_U);
	sp = select_space(g, 1, 3);
	ck_assert_int_eq(mmu_long_place(g->m, text), LONG_PLACED);
	d = sp->face[FACE_OWN].m.d;
	p = mmap((void *)((library + d) & ~(REGION - 1)), PAGE_SIZE, PROT_READ,
		 MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);
	ck_assert_ptr_ne(p, MAP_FAILED);
	map(g, 1, library, RIGHTS | PTE_U);
	ck_assert_int_eq(mmu_long_place(g->m, library), LONG_IRREGULAR);
	ck_assert_ptr_nonnull(mmu_long_select(g->m, &win)); /* without a flush */
	ck_assert_uint_ne(sp->face[FACE_OWN].m.d, d);
	ck_assert_int_eq(mmu_long_place(g->m, library), LONG_PLACED);
	ck_assert_int_eq(mmu_long_place(g->m, text), LONG_PLACED);
	check_regular(sp);
	check_probes(g, sp, 500);
	munmap(p, PAGE_SIZE);
	guest_free(g);
}
END_TEST

/* More processes than there are spaces: the oldest go, and nothing is left behind. */
START_TEST(many)
{
	struct guest *g = guest_new(3);
	unsigned before = 0;

	for (unsigned root = 1; root < 60; root++) {
		map(g, root, 0x555555554000 + (gva)root * REGION, RIGHTS | PTE_U);
		map(g, root, 0x7f0000000000 + (gva)root * 3 * REGION, RIGHTS | PTE_U);
	}
	for (unsigned round = 0; round < 4; round++) {
		unsigned maps = 0, placed = 0;
		FILE *f = fopen("/proc/self/maps", "r");

		for (int c; (c = fgetc(f)) != EOF;)
			maps += c == '\n';
		fclose(f);
		if (round > 1)
			ck_assert_msg(maps < before + 40, "%u mappings, then %u", before, maps);
		before = maps;
		for (unsigned root = 1; root < 60; root++) {
			struct long_space *sp = select_space(g, root, 3);

			placed += mmu_long_place(g->m, 0x555555554000 + (gva)root * REGION) == LONG_PLACED;
			placed +=
			    mmu_long_place(g->m, 0x7f0000000000 + (gva)root * 3 * REGION) == LONG_PLACED;
			check_regular(sp);
		}
		ck_assert_uint_gt(placed, 110);
	}
	guest_free(g);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("layout");
	TCase *t = tcase_create("layout");

	tcase_set_timeout(t, 60);
	tcase_add_loop_test(t, at_random, 0, 4);
	tcase_add_test(t, around_zero);
	tcase_add_test(t, neighbours);
	tcase_add_test(t, moves_away);
	tcase_add_test(t, many);
	suite_add_tcase(s, t);
	return suite_run(s);
}
