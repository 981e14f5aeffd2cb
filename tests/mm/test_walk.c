/* SPDX-License-Identifier: GPL-3.0-or-later
 * The page walk against the manual: cases written out by hand, then tables of random entries
 * against a second walker (tests/mm/oracle.c). */
#include "mm/walk.h"
#include "tests/mm/oracle.h"
#include "tests/suite.h"

#include <stdlib.h>
#include <string.h>

enum { CR0_PG = 1u << 31, CR0_WP = 1 << 16, CR4_PSE = 16, CR4_PAE = 32, CR4_PGE = 128, CR4_SMEP = 1 << 20 };
enum { EFER_LMA = 1 << 10, EFER_NXE = 1 << 11 };
enum { MEM = 1 << 16 }; /* there is memory below */
enum { P = 1, W = 2, U = 4, A = 0x20, D = 0x40, PS = 0x80, G = 0x100 };
#define A20_ON (~0ull)
#define A20_OFF (~(1ull << 20))

struct mem {
	uint8_t bytes[MEM];
	unsigned sets; /* calls of set() */
};

static bool mem_load(void *ctx, gpa at, unsigned size, uint64_t *e)
{
	struct mem *m = ctx;

	if (at + size > MEM)
		return false;
	*e = 0;
	memcpy(e, m->bytes + at, size);
	return true;
}

static bool mem_set(void *ctx, gpa at, uint8_t bits)
{
	struct mem *m = ctx;

	ck_assert_uint_lt(at, MEM);
	ck_assert_uint_eq(bits & ~(A | D), 0);
	m->bytes[at] |= bits;
	m->sets++;
	return true;
}

static void put(struct mem *m, gpa at, unsigned size, uint64_t e)
{
	memcpy(m->bytes + at, &e, size);
}

/* ---- by hand ---- */

/* LIN is 00803004h: directory entry 2 of 32-bit tables, 4 of PAE's, table entry 3. */
#define LIN 0x00803004u
enum { ROOT = 0x1000, TABLE = 0x2000 };
#define NX (1ull << 63)

static const struct hand {
	const char *what;
	uint64_t cr0, cr4, efer, pde, pte;
	gpa a20;
	unsigned how;
	bool ok;
	uint64_t pa_or_err;
	unsigned set_pde, set_pte; /* bits that the walk sets */
} hands[] = {
	{ "no paging", 0, 0, 0, 0, 0, A20_ON, MM_WRITE, true, LIN, 0, 0 },
	{ "no paging, A20 off", 0, 0, 0, 0, 0, A20_OFF, MM_READ, true, LIN, 0, 0 },
	{ "read sets A in both", CR0_PG, 0, 0, TABLE | P, 0x5000 | P, A20_ON, MM_READ, true, 0x5004, A, A },
	{ "write sets D in the table's", CR0_PG, 0, 0, TABLE | P | W, 0x5000 | P | W, A20_ON, MM_WRITE, true,
	  0x5004, A, A | D },
	{ "a probe sets nothing", CR0_PG, 0, 0, TABLE | P, 0x5000 | P, A20_ON, MM_WRITE | MM_PROBE, true,
	  0x5004, 0, 0 },
	{ "no directory entry", CR0_PG, 0, 0, TABLE, 0x5000 | P, A20_ON, MM_READ, false, 0, 0, 0 },
	{ "no table entry", CR0_PG, 0, 0, TABLE | P, 0x5000, A20_ON, MM_WRITE | MM_USER, false, 6, 0, 0 },
	{ "table outside memory", CR0_PG, 0, 0, 0x7000000 | P, 0, A20_ON, MM_READ, false, 0, 0, 0 },
	{ "supervisor writes read-only, WP clear", CR0_PG, 0, 0, TABLE | P, 0x5000 | P, A20_ON, MM_WRITE,
	  true, 0x5004, A, A | D },
	{ "supervisor writes read-only, WP set", CR0_PG | CR0_WP, 0, 0, TABLE | P | W, 0x5000 | P, A20_ON,
	  MM_WRITE, false, 3, 0, 0 },
	{ "user reads supervisor page", CR0_PG, 0, 0, TABLE | P | U, 0x5000 | P, A20_ON, MM_USER, false, 5, 0,
	  0 },
	{ "user reads under supervisor directory", CR0_PG, 0, 0, TABLE | P, 0x5000 | P | U, A20_ON, MM_USER,
	  false, 5, 0, 0 },
	{ "user writes read-only", CR0_PG, 0, 0, TABLE | P | U | W, 0x5000 | P | U, A20_ON,
	  MM_USER | MM_WRITE, false, 7, 0, 0 },
	{ "PS without PSE is a table", CR0_PG, 0, 0, TABLE | P | PS, 0x5000 | P, A20_ON, MM_READ, true,
	  0x5004, A, A },
	{ "4 MiB", CR0_PG, CR4_PSE, 0, 0x40000000 | P | PS, 0, A20_ON, MM_READ, true, 0x40003004, A, 0 },
	{ "4 MiB, written", CR0_PG, CR4_PSE, 0, 0x40000000 | P | W | PS, 0, A20_ON, MM_WRITE, true,
	  0x40003004, A | D, 0 },
	{ "4 MiB above 4 GiB", CR0_PG, CR4_PSE, 0, 0x4001e000 | P | PS, 0, A20_ON, MM_READ, true, 0xf40003004,
	  A, 0 },
	{ "4 MiB above MAXPHYADDR", CR0_PG, CR4_PSE, 0, 0x40020000 | P | PS, 0, A20_ON, MM_READ, false, 9, 0,
	  0 },
	{ "4 MiB, bit 21", CR0_PG, CR4_PSE, 0, 0x40200000 | P | PS, 0, A20_ON, MM_USER, false, 13, 0, 0 },
	{ "a table's bit 21 is address", CR0_PG, CR4_PSE, 0, TABLE | P, 0x205000 | P, A20_ON, MM_READ, true,
	  0x205004, A, A },
	{ "page, A20 off", CR0_PG, 0, 0, TABLE | P, 0x105000 | P, A20_OFF, MM_READ, true, 0x5004, A, A },
	{ "table, A20 off", CR0_PG, 0, 0, 0x100000 | TABLE | P, 0x5000 | P, A20_OFF, MM_READ, true, 0x5004, A,
	  A },
	{ "PAE", CR0_PG, CR4_PAE, 0, TABLE | P, 0x5000 | P, A20_ON, MM_READ, true, 0x5004, A, A },
	{ "PAE above 4 GiB", CR0_PG, CR4_PAE, 0, TABLE | P, 0x300005000 | P, A20_ON, MM_READ, true,
	  0x300005004, A, A },
	{ "PAE above 4 GiB, A20 off", CR0_PG, CR4_PAE, 0, TABLE | P, 0x300105000 | P, A20_OFF, MM_READ, true,
	  0x300005004, A, A },
	{ "PAE table above 4 GiB", CR0_PG, CR4_PAE, 0, 0x100000000 | TABLE | P, 0x5000 | P, A20_ON, MM_READ,
	  false, 0, 0, 0 },
	{ "PAE 2 MiB", CR0_PG, CR4_PAE, 0, 0x40000000 | P | PS, 0, A20_ON, MM_READ, true, 0x40003004, A, 0 },
	{ "PAE 2 MiB, bit 13", CR0_PG, CR4_PAE, 0, 0x40002000 | P | PS, 0, A20_ON, MM_READ, false, 9, 0, 0 },
	{ "PAE bit 36", CR0_PG, CR4_PAE, 0, TABLE | P, 1ull << 36 | 0x5000 | P, A20_ON, MM_READ, false, 9, 0,
	  0 },
	{ "PAE bit 62 in the directory", CR0_PG, CR4_PAE, 0, 1ull << 62 | TABLE | P, 0x5000 | P, A20_ON,
	  MM_READ, false, 9, 0, 0 },
	{ "NX without NXE is reserved", CR0_PG, CR4_PAE, 0, TABLE | P, NX | 0x5000 | P, A20_ON, MM_READ,
	  false, 9, 0, 0 },
	{ "NX: reading", CR0_PG, CR4_PAE, EFER_NXE, TABLE | P, NX | 0x5000 | P, A20_ON, MM_READ, true, 0x5004,
	  A, A },
	{ "NX: fetching", CR0_PG, CR4_PAE, EFER_NXE, TABLE | P, NX | 0x5000 | P, A20_ON, MM_EXEC, false, 17,
	  0, 0 },
	{ "NX in the directory", CR0_PG, CR4_PAE, EFER_NXE, NX | TABLE | P, 0x5000 | P, A20_ON, MM_EXEC,
	  false, 17, 0, 0 },
	{ "a fetch that misses, with NXE", CR0_PG, CR4_PAE, EFER_NXE, TABLE | P, 0, A20_ON, MM_EXEC, false,
	  16, 0, 0 },
	{ "a fetch that misses, without", CR0_PG, CR4_PAE, 0, TABLE | P, 0, A20_ON, MM_EXEC, false, 0, 0, 0 },
	{ "SMEP: supervisor fetches a user page", CR0_PG, CR4_SMEP, 0, TABLE | P | U, 0x5000 | P | U, A20_ON,
	  MM_EXEC, false, 17, 0, 0 },
	{ "SMEP: user fetches it", CR0_PG, CR4_SMEP, 0, TABLE | P | U, 0x5000 | P | U, A20_ON,
	  MM_EXEC | MM_USER, true, 0x5004, A, A },
};

START_TEST(by_hand)
{
	const struct hand *h = &hands[_i];
	bool pae = h->cr4 & CR4_PAE;
	unsigned size = pae ? 8 : 4, pde_at = ROOT + (pae ? 4 * 8 : 2 * 4), pte_at = TABLE + 3 * size;
	struct paging pg = { .cr0 = h->cr0,
			     .cr3 = ROOT,
			     .cr4 = h->cr4,
			     .efer = h->efer,
			     .pdptr = { ROOT | P },
			     .a20_mask = h->a20,
			     .maxphyaddr = 36 };
	struct mem *m = calloc(1, sizeof(*m));
	struct walk_memory mem = { m, mem_load, mem_set };
	uint64_t e;
	struct walk w;

	put(m, pde_at, size, h->pde);
	put(m, pte_at, size, h->pte);
	walk_linear(&pg, &mem, LIN, h->how, &w);
	ck_assert_msg(w.ok == h->ok, "%s: ok", h->what);
	if (h->ok)
		ck_assert_msg(w.pa == h->pa_or_err, "%s: %llx", h->what, (unsigned long long)w.pa);
	else
		ck_assert_msg(w.err == h->pa_or_err, "%s: error %x", h->what, w.err);
	mem_load(m, pde_at, size, &e);
	ck_assert_msg(e == (h->pde | h->set_pde), "%s: directory entry %llx", h->what, (unsigned long long)e);
	mem_load(m, pte_at, size, &e);
	ck_assert_msg(e == (h->pte | h->set_pte), "%s: table entry %llx", h->what, (unsigned long long)e);
	free(m);
}
END_TEST

static bool mem_refuse(void *ctx, gpa at, uint8_t bits)
{
	struct mem *m = ctx;

	(void)bits;
	m->sets++;
	return at != TABLE + 3 * 4;
}

/* Where a bit may not be set the walk ends without a page fault. */
START_TEST(refused_bits)
{
	struct paging pg = { .cr0 = CR0_PG, .cr3 = ROOT, .a20_mask = A20_ON, .maxphyaddr = 36 };
	struct mem *m = calloc(1, sizeof(*m));
	struct walk_memory mem = { m, mem_load, mem_refuse };
	struct walk w;

	put(m, ROOT + 2 * 4, 4, TABLE | P);
	put(m, TABLE + 3 * 4, 4, 0x5000 | P);
	walk_linear(&pg, &mem, LIN, MM_READ, &w);
	ck_assert(!w.ok && !w.err);
	ck_assert_uint_eq(m->sets, 2);
	put(m, TABLE + 3 * 4, 4, 0x5000 | P | A);
	walk_linear(&pg, &mem, LIN, MM_READ, &w);
	ck_assert(w.ok && w.pa == 0x5004);
	free(m);
}
END_TEST

/* ---- against the second walker ---- */

static uint64_t rnd(uint64_t *s)
{
	*s ^= *s << 13;
	*s ^= *s >> 7;
	*s ^= *s << 17;
	return *s;
}

/* An entry that leads into memory mostly, with few reserved bits. */
static uint64_t entry(uint64_t *s, bool pae)
{
	uint64_t r = rnd(s), e = (r & 0xf000) | ((r >> 16) & 0x1ff) | (r >> 40 & 15 ? P : 0);

	if (!(r >> 44 & 7))
		e |= 1ull << (r >> 48 & (pae ? 63 : 31));
	if (!(r >> 54 & 3))
		e |= PS;
	if (pae && !(r >> 56 & 7))
		e |= NX;
	return e;
}

static void compare(const struct paging *pg, struct mem *m, uint64_t lin, unsigned how)
{
	struct walk_memory mem = { m, mem_load, mem_set };
	struct oracle o = oracle_walk(pg, mem_load, m, lin, how), after;
	struct walk w;

	m->sets = 0;
	walk_linear(pg, &mem, lin, how, &w);
	ck_assert_msg(w.ok == o.ok, "%llx how %u: ok %d", (unsigned long long)lin, how, w.ok);
	if (!o.ok) {
		ck_assert_uint_eq(w.err, o.err);
	} else {
		ck_assert_uint_eq(w.pa, o.pa);
		ck_assert_uint_eq(w.page_shift, o.shift);
		ck_assert_int_eq(w.user, o.user);
		ck_assert_int_eq(w.writable, o.writable);
		ck_assert_int_eq(w.nx, o.nx);
		ck_assert_int_eq(w.global, o.global);
		ck_assert_int_eq(w.dirty, o.dirty || ((how & (MM_WRITE | MM_PROBE)) == MM_WRITE));
	}
	if (!o.ok || (how & MM_PROBE)) {
		ck_assert_msg(!m->sets, "%llx how %u: tables changed", (unsigned long long)lin, how);
	} else if (pg->cr0 & CR0_PG) {
		after = oracle_walk(pg, mem_load, m, lin, how);
		ck_assert(after.accessed && (after.dirty || !(how & MM_WRITE)));
		ck_assert_uint_le(m->sets, o.accessed && (o.dirty || !(how & MM_WRITE)) ? 0 : 4);
	}
}

START_TEST(random_tables)
{
	uint64_t s = 88172645463325252ull + (unsigned)_i;
	struct mem *m = malloc(sizeof(*m));

	for (int round = 0; round < 60; round++) {
		struct paging pg = { .a20_mask = rnd(&s) % 4 ? A20_ON : ~(1ull << 14), .maxphyaddr = 36 };
		bool pae;

		pg.cr0 = CR0_PG | (rnd(&s) & CR0_WP);
		pg.cr4 = rnd(&s) & (CR4_PSE | CR4_PAE | CR4_PGE | CR4_SMEP);
		pg.efer = rnd(&s) & (EFER_NXE | EFER_LMA);
		pg.cr3 = rnd(&s) & 0xf000;
		pae = pg.cr4 & CR4_PAE;
		for (unsigned i = 0; i < MEM; i += pae ? 8 : 4)
			put(m, i, pae ? 8 : 4, entry(&s, pae));
		for (unsigned i = 0; i < 4; i++)
			pg.pdptr[i] = (rnd(&s) & 0xf000) | (rnd(&s) % 8 ? P : 0);
		for (int k = 0; k < 300; k++)
			compare(&pg, m, rnd(&s), (rnd(&s) % 3) | (rnd(&s) & (MM_USER | MM_PROBE)));
	}
	free(m);
}
END_TEST

/* Four levels, by hand: entries I at ROOT + I * 1000h, of which the last counts, for LIN4. */
#define LIN4 0xffff812345678123ull
static const struct hand4 {
	const char *what;
	uint64_t e[4]; /* 0: the table that follows */
	unsigned how;
	bool ok;
	uint64_t pa_or_err;
	unsigned sets;
} hands4[] = {
	{ "four levels", { 0 }, MM_READ, true, 0x7123, 4 },
	{ "a probe", { 0 }, MM_PROBE, true, 0x7123, 0 },
	{ "1 GiB", { 0, 0x480000000 | P | W | U | PS }, MM_READ, true, 0x485678123, 2 },
	{ "1 GiB, bit 13", { 0, 0x480002000 | P | PS }, MM_READ, false, 9, 0 },
	{ "1 GiB, bit 29", { 0, 0x4a0000000 | P | PS }, MM_WRITE, false, 11, 0 },
	{ "2 MiB", { 0, 0, 0x480000000 | P | W | U | PS }, MM_WRITE, true, 0x480078123, 3 },
	{ "2 MiB, bit 20", { 0, 0, 0x480100000 | P | PS }, MM_READ, false, 9, 0 },
	{ "PS in the PML4E", { 0x2000 | P | W | U | PS }, MM_READ, false, 9, 0 },
	{ "bit 36 in the PML4E", { 0x1000002000 | P }, MM_READ, false, 9, 0 },
	{ "bits 62:52 are ignored", { 0x7ff0000000002000 | P | W | U }, MM_READ, true, 0x7123, 4 },
	{ "no PDPTE", { 0, 0x3000 }, MM_USER, false, 4, 0 },
	{ "NX in the PML4E", { 0x8000000000002000 | P | W | U }, MM_EXEC, false, 17, 0 },
	{ "user, supervisor PDPTE", { 0, 0x3000 | P | W }, MM_USER, false, 5, 0 },
	{ "write, read-only PML4E", { 0x2000 | P | U }, MM_WRITE, false, 3, 0 },
};

START_TEST(four_levels)
{
	const struct hand4 *h = &hands4[_i];
	static const unsigned shift[4] = { 39, 30, 21, 12 };
	struct paging pg = { .cr0 = CR0_PG | CR0_WP,
			     .cr3 = ROOT,
			     .cr4 = CR4_PAE,
			     .efer = EFER_LMA | EFER_NXE,
			     .a20_mask = A20_ON,
			     .maxphyaddr = 36 };
	struct mem *m = calloc(1, sizeof(*m));
	struct walk_memory mem = { m, mem_load, mem_set };
	uint64_t all = W | U, nx = 0, pde, at, e;
	unsigned leaf = 0;
	struct walk w;

	for (unsigned i = 0; i < 4; i++) {
		e = h->e[i] ? h->e[i] : (i < 3 ? ROOT + (i + 1) * 0x1000 : 0x7000) | P | W | U;
		put(m, ROOT + i * 0x1000 + (LIN4 >> shift[i] & 0x1ff) * 8, 8, e);
	}
	walk_linear(&pg, &mem, LIN4, h->how, &w);
	ck_assert_msg(w.ok == h->ok, "%s: ok", h->what);
	ck_assert_msg((h->ok ? w.pa : w.err) == h->pa_or_err, "%s: %llx, error %x", h->what,
		      (unsigned long long)w.pa, w.err);
	ck_assert_msg(m->sets == h->sets, "%s: %u entries set", h->what, m->sets);
	if (h->ok) { /* the directory's entry has the rights of all levels above the page's */
		for (leaf = 0; leaf < 2 && !(h->e[leaf] & PS); leaf++)
			;
		for (unsigned i = 0; i <= leaf; i++) {
			mem_load(m, ROOT + i * 0x1000 + (LIN4 >> shift[i] & 0x1ff) * 8, 8, &e);
			all &= e;
			nx |= e & NX;
		}
		ck_assert(walk_directory(&pg, &mem, LIN4, &pde, &at));
		ck_assert_uint_eq(at, ROOT + leaf * 0x1000 + (LIN4 >> shift[leaf] & 0x1ff) * 8);
		ck_assert_msg((pde & (W | U | NX)) == (all | nx), "%s: directory entry %llx", h->what,
			      (unsigned long long)pde);
		ck_assert_int_eq(!!(pde & A), h->how != MM_PROBE);
	}
	free(m);
}
END_TEST

/* What an upper level loses in rights, or in its accessed bit, shows in the directory's entry. */
START_TEST(upper_rights)
{
	struct paging pg = { .cr0 = CR0_PG,
			     .cr3 = ROOT,
			     .cr4 = CR4_PAE,
			     .efer = EFER_LMA | EFER_NXE,
			     .a20_mask = A20_ON,
			     .maxphyaddr = 36 };
	static const uint64_t changes[] = { W, U, A, NX };
	struct mem *m = calloc(1, sizeof(*m));
	struct walk_memory mem = { m, mem_load, mem_set };
	gpa upper[2] = { ROOT + (LIN4 >> 39 & 0x1ff) * 8, ROOT + 0x1000 + (LIN4 >> 30 & 0x1ff) * 8 };
	uint64_t was, now, at;

	put(m, ROOT + 0x2000 + (LIN4 >> 21 & 0x1ff) * 8, 8, 0x4000 | P | W | U | A);
	for (unsigned i = 0; i < 2 * sizeof(changes) / sizeof(changes[0]); i++) {
		for (unsigned k = 0; k < 2; k++)
			put(m, upper[k], 8, (ROOT + (k + 1) * 0x1000) | P | W | U | A);
		ck_assert(walk_directory(&pg, &mem, LIN4, &was, &at));
		put(m, upper[i & 1], 8, ((ROOT + ((i & 1) + 1) * 0x1000) | P | W | U | A) ^ changes[i / 2]);
		ck_assert(walk_directory(&pg, &mem, LIN4, &now, &at));
		ck_assert_uint_eq(was ^ now, changes[i / 2]);
	}
	put(m, upper[0], 8, (ROOT + 0x1000) | W);
	ck_assert(!walk_directory(&pg, &mem, LIN4, &now, &at));
	put(m, upper[0], 8, (ROOT + 0x1000) | P | PS);
	ck_assert(!walk_directory(&pg, &mem, LIN4, &now, &at));
	free(m);
}
END_TEST

START_TEST(pdptrs)
{
	static const uint64_t bad[] = { 2, 4, 0x20, 0x40, 0x80, 0x100, 1ull << 36, 1ull << 63 };
	struct paging pg = { .a20_mask = A20_ON, .maxphyaddr = 36 };
	struct mem *m = calloc(1, sizeof(*m));
	struct walk_memory mem = { m, mem_load, mem_set };
	uint64_t p[4] = { 7, 7, 7, 7 };

	for (unsigned i = 0; i < 4; i++)
		put(m, 0x1020 + i * 8, 8, i << 12 | P | 0x18);
	ck_assert(walk_load_pdptrs(&pg, &mem, 0x103f, p));
	for (unsigned i = 0; i < 4; i++)
		ck_assert_uint_eq(p[i], i << 12 | P | 0x18);
	for (unsigned i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		put(m, 0x1030, 8, bad[i] | P);
		p[2] = 7;
		ck_assert(!walk_load_pdptrs(&pg, &mem, 0x1020, p));
		ck_assert_uint_eq(p[2], 7);
		put(m, 0x1030, 8, bad[i]); /* not present: not looked at */
		ck_assert(walk_load_pdptrs(&pg, &mem, 0x1020, p));
	}
	ck_assert(walk_load_pdptrs(&pg, &mem, 0x80000000, p)); /* no memory: not present */
	ck_assert_uint_eq(p[0], 0);
	free(m);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("walk");
	TCase *t = tcase_create("walk");

	tcase_add_loop_test(t, by_hand, 0, sizeof(hands) / sizeof(hands[0]));
	tcase_add_loop_test(t, random_tables, 0, 8);
	tcase_add_test(t, refused_bits);
	tcase_add_loop_test(t, four_levels, 0, sizeof(hands4) / sizeof(hands4[0]));
	tcase_add_test(t, upper_rights);
	tcase_add_test(t, pdptrs);
	suite_add_tcase(s, t);
	return suite_run(s);
}
