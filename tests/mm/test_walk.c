/* SPDX-License-Identifier: GPL-3.0-or-later
 * The page walk against the manual: cases written out by hand, then tables of random entries
 * against a second walker (tests/mm/oracle.c). */
#include "mm/walk.h"
#include "tests/mm/oracle.h"
#include "tests/suite.h"

#include <stdlib.h>
#include <string.h>

enum { CR0_PG = 1u << 31, CR0_WP = 1 << 16, CR4_PSE = 16, CR4_PAE = 32, CR4_PGE = 128, CR4_SMEP = 1 << 20 };
enum { EFER_NXE = 1 << 11 };
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

static void compare(const struct paging *pg, struct mem *m, uint32_t lin, unsigned how)
{
	struct walk_memory mem = { m, mem_load, mem_set };
	struct oracle o = oracle_walk(pg, mem_load, m, lin, how), after;
	struct walk w;

	m->sets = 0;
	walk_linear(pg, &mem, lin, how, &w);
	ck_assert_msg(w.ok == o.ok, "%08x how %u: ok %d", lin, how, w.ok);
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
		ck_assert_msg(!m->sets, "%08x how %u: tables changed", lin, how);
	} else if (pg->cr0 & CR0_PG) {
		after = oracle_walk(pg, mem_load, m, lin, how);
		ck_assert(after.accessed && (after.dirty || !(how & MM_WRITE)));
		ck_assert_uint_le(m->sets, o.accessed && (o.dirty || !(how & MM_WRITE)) ? 0 : 2);
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
		pg.efer = rnd(&s) & EFER_NXE;
		pg.cr3 = rnd(&s) & 0xf000;
		pae = pg.cr4 & CR4_PAE;
		for (unsigned i = 0; i < MEM; i += pae ? 8 : 4)
			put(m, i, pae ? 8 : 4, entry(&s, pae));
		for (unsigned i = 0; i < 4; i++)
			pg.pdptr[i] = (rnd(&s) & 0xf000) | (rnd(&s) % 8 ? P : 0);
		for (int k = 0; k < 300; k++)
			compare(&pg, m, (uint32_t)rnd(&s), (rnd(&s) % 3) | (rnd(&s) & (MM_USER | MM_PROBE)));
	}
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
	tcase_add_test(t, pdptrs);
	suite_add_tcase(s, t);
	return suite_run(s);
}
