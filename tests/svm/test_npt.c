/* SPDX-License-Identifier: GPL-3.0-or-later
 * Walks of nested page tables: the host's paging modes, pages of each size, rights, reserved bits, what a
 * fault says, accessed and dirty bits. */
#include "svm/npt.h"
#include "tests/suite.h"
#include "tests/svm/rig.h"
#include "x86/paging.h"

#include <stdlib.h>
#include <string.h>

enum paging { P_32, P_PSE, P_PAE, P_LONG, P_LA57 };
enum { T0 = AT_TABLES, T1 = T0 + 0x1000, T2 = T1 + 0x1000, T3 = T2 + 0x1000, T4 = T3 + 0x1000 };
#define RWU 7ull
#define FINAL (1ull << 32)
#define TABLE (1ull << 33)

static void put(struct rig *r, unsigned at, unsigned size, uint64_t v)
{
	memcpy(r->memory + at, &v, size);
}

static uint64_t get(const struct rig *r, unsigned at, unsigned size)
{
	uint64_t v = 0;

	memcpy(&v, r->memory + at, size);
	return v;
}

/* Page 5 is 4 KiB at 9000; 2 (4) MiB at 200000 (400000), and 1 GiB at 40000000, lead to large pages. */
static struct rig *rig_new(enum paging p)
{
	struct rig *r = malloc(sizeof(*r));
	unsigned top = T0;

	rig_init(r, p >= P_LONG ? RIG_64 : RIG_32);
	r->x.s.cr4 = p == P_PSE	   ? CR4_PSE
		     : p == P_PAE  ? CR4_PAE
		     : p == P_LA57 ? CR4_PAE | SVM_CR4_LA57
				   : r->x.s.cr4;
	r->x.s.efer |= EFER_NXE;
	rig_set(r, "%NP_ENABLE=1 NESTED_CR3=10000");
	if (p <= P_PSE) {
		put(r, T0, 4, T1 | RWU);
		put(r, T0 + 4, 4, 0x800000 | RWU | PTE_PS);
		put(r, T1 + 4 * 5, 4, 0x9000 | RWU);
	} else {
		if (p == P_LA57)
			put(r, top, 8, (top + 0x1000) | RWU), top += 0x1000;
		if (p >= P_LONG)
			put(r, top, 8, (top + 0x1000) | RWU), top += 0x1000;
		put(r, top, 8, (top + 0x1000) | (p == P_PAE ? 1 : RWU));
		put(r, top + 8, 8, 0x80000000 | RWU | PTE_PS);
		put(r, top + 0x1000, 8, (top + 0x2000) | RWU);
		put(r, top + 0x1008, 8, 0x600000 | RWU | PTE_PS);
		put(r, top + 0x2000 + 8 * 5, 8, 0x9000 | RWU);
	}
	if (p == P_PAE)
		put(r, top + 8, 8, 0);
	rig_enter(r);
	return r;
}

static const struct {
	enum paging p;
	gpa address, result;
	uint64_t size;
	unsigned levels;
} pages[] = {
	{ P_32, 0x5678, 0x9678, 0x1000, 2 },	     { P_PSE, 0x5678, 0x9678, 0x1000, 2 },
	{ P_PSE, 0x423456, 0x823456, 0x400000, 1 },  { P_PAE, 0x5678, 0x9678, 0x1000, 3 },
	{ P_PAE, 0x234567, 0x634567, 0x200000, 2 },  { P_LONG, 0x5678, 0x9678, 0x1000, 4 },
	{ P_LONG, 0x234567, 0x634567, 0x200000, 3 }, { P_LONG, 0x40123456, 0x80123456, 0x40000000, 2 },
	{ P_LA57, 0x5678, 0x9678, 0x1000, 5 },	     { P_LA57, 0x40123456, 0x80123456, 0x40000000, 3 },
};

START_TEST(page_sizes)
{
	struct rig *r = rig_new(pages[_i].p);
	struct svm_walk w;

	ck_assert_int_eq(svm_npt_look(&r->x, pages[_i].address, SVM_NPT_WRITE, &w), SVM_NPT_OK);
	ck_assert_uint_eq(w.result, pages[_i].result);
	ck_assert_uint_eq(w.size, pages[_i].size);
	ck_assert_uint_eq(w.levels, pages[_i].levels);
	ck_assert_uint_eq(w.at[0] & ~(uint64_t)PAGE_MASK, T0);
	ck_assert(w.writable && w.executable);
	ck_assert_uint_eq(w.error, 0);
	free(r);
}
END_TEST

/* PTE of page 5, access, EXITINFO1; 0: it is allowed. */
static const struct {
	uint64_t pte;
	unsigned access;
	uint64_t error;
} accesses[] = {
	{ RWU, 0, 0 },
	{ RWU, SVM_NPT_WRITE, 0 },
	{ RWU, SVM_NPT_FETCH, 0 },
	{ RWU, SVM_NPT_TABLE, 0 },
	{ 5, 0, 0 },
	{ 5, SVM_NPT_WRITE, FINAL | 7 },
	{ 5, SVM_NPT_TABLE, TABLE | 7 }, /* reads of guest tables are writes */
	{ 5, SVM_NPT_FETCH, 0 },
	{ 3, 0, FINAL | 5 }, /* all accesses are user accesses */
	{ 3, SVM_NPT_WRITE, FINAL | 7 },
	{ 3, SVM_NPT_FETCH, FINAL | 0x15 },
	{ 0, 0, FINAL | 4 },
	{ 6, SVM_NPT_WRITE, FINAL | 6 },
	{ 0, SVM_NPT_TABLE, TABLE | 6 },
	{ 0, SVM_NPT_FETCH, FINAL | 0x14 },
	{ RWU | PTE_NX, 0, 0 },
	{ RWU | PTE_NX, SVM_NPT_WRITE, 0 },
	{ RWU | PTE_NX, SVM_NPT_FETCH, FINAL | 0x15 },
	{ RWU | PTE_NX, SVM_NPT_TABLE, 0 },
	{ RWU | 1ull << 40, 0, FINAL | 0xd }, /* beyond the physical addresses */
	{ RWU | 1ull << 40, SVM_NPT_TABLE, TABLE | 0xf },
	{ RWU | 1ull << 52, 0, 0 }, /* available */
};

START_TEST(rights)
{
	struct rig *r = rig_new(P_LONG);
	struct svm_walk w;
	struct svm_exit e;
	uint64_t error = accesses[_i].error;

	put(r, T3 + 8 * 5, 8, 0x9000 | accesses[_i].pte);
	ck_assert_int_eq(svm_npt_look(&r->x, 0x5678, accesses[_i].access, &w),
			 error ? SVM_NPT_FAULT : SVM_NPT_OK);
	ck_assert_uint_eq(w.error, error);
	if (error) {
		svm_exit_npf(&e, &w);
		ck_assert_uint_eq(e.code, 0x400);
		ck_assert_uint_eq(e.info1, error);
		ck_assert_uint_eq(e.info2, 0x5678);
	}
	free(r);
}
END_TEST

/* Rights of the levels above count. */
START_TEST(rights_above)
{
	for (unsigned i = 0; i < 3; i++) {
		struct rig *r = rig_new(P_LONG);
		unsigned at = T0 + i * 0x1000;
		uint64_t entry = get(r, at, 8);
		struct svm_walk w;

		put(r, at, 8, entry & ~(uint64_t)PTE_W);
		ck_assert_int_eq(svm_npt_look(&r->x, 0x5000, SVM_NPT_WRITE, &w), SVM_NPT_FAULT);
		put(r, at, 8, entry & ~(uint64_t)PTE_U);
		ck_assert_int_eq(svm_npt_look(&r->x, 0x5000, 0, &w), SVM_NPT_FAULT);
		put(r, at, 8, entry | PTE_NX);
		ck_assert_int_eq(svm_npt_look(&r->x, 0x5000, SVM_NPT_FETCH, &w), SVM_NPT_FAULT);
		ck_assert_int_eq(svm_npt_look(&r->x, 0x5000, SVM_NPT_WRITE, &w), SVM_NPT_OK);
		put(r, at, 8, 0);
		ck_assert_int_eq(svm_npt_look(&r->x, 0x5000, 0, &w), SVM_NPT_FAULT);
		ck_assert_uint_eq(w.levels, i + 1);
		free(r);
	}
}
END_TEST

/* Reserved bits, by entry; without NXE, NX is one. */
static const struct {
	enum paging p;
	unsigned at;
	uint64_t bits;
	gpa address;
	bool nxe;
} reserved[] = {
	{ P_LONG, T0, PTE_PS, 0x5000, true },
	{ P_LONG, T1 + 8, 0x200000, 0x40000000, true }, /* not aligned */
	{ P_LONG, T2 + 8, 0x4000, 0x200000, true },
	{ P_LONG, T2, 1ull << 45, 0x5000, true },
	{ P_LONG, T3 + 40, PTE_NX, 0x5000, false },
	{ P_PAE, T0, 2, 0x5000, true },
	{ P_PAE, T0, PTE_NX, 0x5000, true },
	{ P_PAE, T2 + 40, 1ull << 55, 0x5000, true },
	{ P_PAE, T1 + 8, 0x2000, 0x200000, true },
	{ P_PSE, T0 + 4, PTE_RESERVED_4M, 0x400000, true },
};

START_TEST(reserved_bits)
{
	unsigned size = reserved[_i].p <= P_PSE ? 4 : 8;
	struct rig *r = rig_new(reserved[_i].p);
	struct svm_walk w;

	if (!reserved[_i].nxe)
		r->x.host.efer &= ~(uint64_t)EFER_NXE;
	ck_assert_int_eq(svm_npt_look(&r->x, reserved[_i].address, 0, &w), SVM_NPT_OK);
	put(r, reserved[_i].at, size, get(r, reserved[_i].at, size) | reserved[_i].bits);
	ck_assert_int_eq(svm_npt_look(&r->x, reserved[_i].address, 0, &w), SVM_NPT_FAULT);
	ck_assert_uint_eq(w.error, FINAL | 0xd);
	/* Not if it is not present. */
	put(r, reserved[_i].at, size, get(r, reserved[_i].at, size) & ~1ull);
	ck_assert_int_eq(svm_npt_look(&r->x, reserved[_i].address, 0, &w), SVM_NPT_FAULT);
	ck_assert_uint_eq(w.error, FINAL | 4);
	free(r);
}
END_TEST

/* A processor without pages of 1 GiB; PS without CR4.PSE is no bit. */
START_TEST(without_large_pages)
{
	struct rig *r = rig_new(P_LONG);
	struct svm_walk w;

	r->x.caps.model.pages_1g = false;
	ck_assert_int_eq(svm_npt_look(&r->x, 0x40000000, 0, &w), SVM_NPT_FAULT);
	ck_assert_uint_eq(w.error, FINAL | 0xd);
	free(r);
	r = rig_new(P_32);
	put(r, T0 + 4, 4, T1 | RWU | PTE_PS);
	ck_assert_int_eq(svm_npt_look(&r->x, 0x405678, 0, &w), SVM_NPT_OK);
	ck_assert_uint_eq(w.result, 0x9678);
	free(r);
}
END_TEST

START_TEST(beyond_the_mode)
{
	static const struct {
		enum paging p;
		gpa address;
	} rows[] = {
		{ P_32, 1ull << 32 }, { P_PAE, 1ull << 32 }, { P_LONG, 1ull << 48 }, { P_LA57, 1ull << 57 }
	};

	for (unsigned i = 0; i < ARRAY_LEN(rows); i++) {
		struct rig *r = rig_new(rows[i].p);
		struct svm_walk w;

		ck_assert_int_eq(svm_npt_look(&r->x, rows[i].address + 0x5000, 0, &w), SVM_NPT_FAULT);
		ck_assert_uint_eq(w.error, FINAL | 4);
		ck_assert_uint_eq(w.levels, 0);
		free(r);
	}
}
END_TEST

START_TEST(flags)
{
	struct rig *r = rig_new(P_LONG);
	struct svm_walk w;

	ck_assert_int_eq(svm_npt_look(&r->x, 0x5000, SVM_NPT_WRITE, &w), SVM_NPT_OK);
	ck_assert_uint_eq(get(r, T3 + 40, 8), 0x9000 | RWU);
	ck_assert_int_eq(svm_npt_access(&r->x, 0x5000, 0, &w), SVM_NPT_OK);
	ck_assert_uint_eq(get(r, T0, 8), T1 | RWU | PTE_A);
	ck_assert_uint_eq(get(r, T2, 8), T3 | RWU | PTE_A);
	ck_assert_uint_eq(get(r, T3 + 40, 8), 0x9000 | RWU | PTE_A);
	ck_assert_int_eq(svm_npt_access(&r->x, 0x5000, SVM_NPT_WRITE, &w), SVM_NPT_OK);
	ck_assert_uint_eq(get(r, T3 + 40, 8), 0x9000 | RWU | PTE_A | PTE_D);
	ck_assert_uint_eq(get(r, T2, 8), T3 | RWU | PTE_A);
	ck_assert_int_eq(svm_npt_access(&r->x, 0x200000, SVM_NPT_TABLE, &w), SVM_NPT_OK);
	ck_assert_uint_eq(get(r, T2 + 8, 8), 0x600000 | RWU | PTE_PS | PTE_A | PTE_D);
	/* Nothing is written again, nor when the access fails. */
	r->writes = 0;
	ck_assert_int_eq(svm_npt_access(&r->x, 0x5000, SVM_NPT_WRITE, &w), SVM_NPT_OK);
	put(r, T1 + 8, 8, 0x80000000 | PTE_PS | 5);
	ck_assert_int_eq(svm_npt_access(&r->x, 0x40000000, SVM_NPT_WRITE, &w), SVM_NPT_FAULT);
	ck_assert_uint_eq(r->writes, 0);
	free(r);
	/* A PDPTE of PAE paging has no accessed bit. */
	r = rig_new(P_PAE);
	ck_assert_int_eq(svm_npt_access(&r->x, 0x5000, 0, &w), SVM_NPT_OK);
	ck_assert_uint_eq(get(r, T0, 8), T1 | 1);
	ck_assert_uint_eq(get(r, T1, 8), T2 | RWU | PTE_A);
	free(r);
}
END_TEST

START_TEST(memory_types)
{
	struct rig *r = rig_new(P_LONG);
	struct svm_walk w;

	for (unsigned i = 0; i < 8; i++) {
		uint64_t low = (i & 1 ? PTE_PWT : 0) | (i & 2 ? PTE_PCD : 0);

		put(r, T3 + 40, 8, 0x9000 | RWU | low | (i & 4 ? 0x80 : 0));
		svm_npt_look(&r->x, 0x5000, 0, &w);
		ck_assert_uint_eq(w.pat, i);
		put(r, T2 + 8, 8, 0x600000 | RWU | PTE_PS | low | (i & 4 ? 0x1000 : 0));
		svm_npt_look(&r->x, 0x200000, 0, &w);
		ck_assert_uint_eq(w.pat, i);
		ck_assert_uint_eq(w.result, 0x600000);
	}
	free(r);
}
END_TEST

/* PSE-36: bits 20:13 of the entry are 39:32 of the address. */
START_TEST(pse36)
{
	struct rig *r = rig_new(P_PSE);
	struct svm_walk w;

	put(r, T0 + 4, 4, 0x800000 | RWU | PTE_PS | 3 << 13);
	ck_assert_int_eq(svm_npt_look(&r->x, 0x423456, 0, &w), SVM_NPT_OK);
	ck_assert_uint_eq(w.result, 0x300823456ull);
	free(r);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("svm-npt");
	TCase *t = tcase_create("npt");

	tcase_add_loop_test(t, page_sizes, 0, ARRAY_LEN(pages));
	tcase_add_loop_test(t, rights, 0, ARRAY_LEN(accesses));
	tcase_add_test(t, rights_above);
	tcase_add_loop_test(t, reserved_bits, 0, ARRAY_LEN(reserved));
	tcase_add_test(t, without_large_pages);
	tcase_add_test(t, beyond_the_mode);
	tcase_add_test(t, flags);
	tcase_add_test(t, memory_types);
	tcase_add_test(t, pse36);
	suite_add_tcase(s, t);
	return suite_run(s);
}
