/* SPDX-License-Identifier: GPL-3.0-or-later
 * Walks of the extended page tables: pages of each size, rights, violations and misconfigurations, flags, the
 * log. */
#include "tests/suite.h"
#include "tests/vtx/rig.h"
#include "vtx/ept.h"

#include <stdlib.h>
#include <string.h>

/* The tables, and what they map. */
enum { PML4 = 0xa000, PDPT = 0xb000, PD = 0xc000, PT = 0xd000, LOG = 0xe000 };
#define RWX 7ull
#define WB 0x30ull
#define ADDRESS_4K 0x5678ull	 /* entry 5 of PT */
#define ADDRESS_2M 0x234567ull	 /* entry 1 of PD */
#define ADDRESS_1G 0x40123456ull /* entry 1 of PDPT */

static void put(struct rig *r, unsigned table, unsigned i, uint64_t entry)
{
	memcpy(r->memory + table + 8 * i, &entry, 8);
}

static uint64_t get(const struct rig *r, unsigned table, unsigned i)
{
	uint64_t entry;

	memcpy(&entry, r->memory + table + 8 * i, 8);
	return entry;
}

static struct rig *rig_new(const char *change)
{
	struct rig *r = malloc(sizeof(*r));

	rig_init(r, RIG_64);
	rig_set(r, "EPT_POINTER=a01e +PROC2_EPT");
	rig_set(r, change);
	put(r, PML4, 0, PDPT | RWX);
	put(r, PDPT, 0, PD | RWX);
	put(r, PDPT, 1, 0x80000000 | EPT_LEAF | WB | RWX);
	put(r, PD, 0, PT | RWX);
	put(r, PD, 1, 0x600000 | EPT_LEAF | WB | RWX);
	put(r, PT, 5, 0x9000 | WB | RWX);
	return r;
}

START_TEST(page_sizes)
{
	static const struct {
		gpa address, result;
		uint64_t size;
		unsigned levels;
	} rows[] = {
		{ ADDRESS_4K, 0x9678, 0x1000, 4 },
		{ ADDRESS_2M, 0x634567, 0x200000, 3 },
		{ ADDRESS_1G, 0x80123456, 0x40000000, 2 },
	};
	struct rig *r = rig_new("");
	struct vmx_ept_walk w;

	for (unsigned i = 0; i < ARRAY_LEN(rows); i++) {
		ck_assert_int_eq(vmx_ept_look(&r->x, rows[i].address, VMX_EPT_READ, &w), VMX_EPT_OK);
		ck_assert_uint_eq(w.result, rows[i].result);
		ck_assert_uint_eq(w.size, rows[i].size);
		ck_assert_uint_eq(w.levels, rows[i].levels);
		ck_assert_uint_eq(w.type, 6);
		ck_assert_uint_eq(w.at[0], PML4);
		ck_assert_uint_eq(w.rights, RWX);
	}
	free(r);
}
END_TEST

/* An access of ADDRESS_4K with rights of the entries: the qualification, or 0: it is allowed. */
static const struct {
	const char *change;
	uint64_t pml4, pte;
	unsigned access;
	uint64_t qualification;
} accesses[] = {
	{ "", RWX, RWX, VMX_EPT_READ | VMX_EPT_LINEAR, 0 },
	{ "", RWX, 1, VMX_EPT_READ, 0 },
	{ "", RWX, 1, VMX_EPT_WRITE | VMX_EPT_LINEAR, 0x18a },
	{ "", 1, RWX, VMX_EPT_WRITE | VMX_EPT_LINEAR, 0x18a },
	{ "", 3, 5, VMX_EPT_FETCH | VMX_EPT_LINEAR, 0x18c },
	{ "", 5, 7, VMX_EPT_FETCH, 0 },
	{ "", RWX, 0, VMX_EPT_READ | VMX_EPT_LINEAR, 0x181 },
	{ "", 0, RWX, VMX_EPT_READ | VMX_EPT_LINEAR, 0x181 },
	{ "", RWX, 4, VMX_EPT_FETCH, 0 }, /* execute-only */
	{ "", RWX, 4, VMX_EPT_READ | VMX_EPT_LINEAR, 0x1a1 },
	{ "", RWX, 1, VMX_EPT_WRITE, 0xa }, /* without a linear address */
	/* A paging-structure entry of the guest: bit 8 is clear, and with A/D flags it is a write, too. */
	{ "", RWX, 1, VMX_EPT_READ | VMX_EPT_LINEAR | VMX_EPT_TABLE, 0 },
	{ "", RWX, 0, VMX_EPT_READ | VMX_EPT_LINEAR | VMX_EPT_TABLE, 0x81 },
	{ "EPT_POINTER=a05e", RWX, 1, VMX_EPT_READ | VMX_EPT_LINEAR | VMX_EPT_TABLE, 0x8b },
	/* Mode-based execute control: bit 10 for user-mode addresses. */
	{ "+PROC2_MODE_BASED_EXECUTE", RWX | EPT_XU, 1 | EPT_XU, VMX_EPT_FETCH | VMX_EPT_USER, 0 },
	{ "+PROC2_MODE_BASED_EXECUTE", RWX | EPT_XU, 1 | EPT_XU, VMX_EPT_FETCH | VMX_EPT_LINEAR, 0x1cc },
	{ "+PROC2_MODE_BASED_EXECUTE", RWX | EPT_XU, 5, VMX_EPT_FETCH | VMX_EPT_USER | VMX_EPT_LINEAR,
	  0x1ac },
	{ "", RWX, 5, VMX_EPT_FETCH | VMX_EPT_USER, 0 },
};

START_TEST(rights)
{
	struct rig *r = rig_new(accesses[_i].change);
	struct vmx_ept_walk w;
	enum vmx_ept_result want = accesses[_i].qualification ? VMX_EPT_VIOLATION : VMX_EPT_OK;

	if (vmx_on(&r->x.vmcs.r, VMX_PROC2_MODE_BASED_EXECUTE)) {
		put(r, PDPT, 0, PD | RWX | EPT_XU);
		put(r, PD, 0, PT | RWX | EPT_XU);
	}
	put(r, PML4, 0, PDPT | accesses[_i].pml4);
	put(r, PT, 5, 0x9000 | WB | accesses[_i].pte);
	ck_assert_int_eq(vmx_ept_look(&r->x, ADDRESS_4K, accesses[_i].access, &w), want);
	ck_assert_uint_eq(w.qualification, accesses[_i].qualification);
	free(r);
}
END_TEST

/* An entry that is misconfigured, by an entry of a table; ON: the processor that takes offence. */
static const struct {
	unsigned table, i;
	uint64_t entry;
	enum vmx_generation on;
	gpa address;
} wrong[] = {
	{ PT, 5, 0x9000 | WB | 2, VMX_GEN_ALL, ADDRESS_4K }, /* write without read */
	{ PT, 5, 0x9000 | WB | 6, VMX_GEN_ALL, ADDRESS_4K },
	{ PML4, 0, PDPT | 2, VMX_GEN_ALL, ADDRESS_4K },
	{ PML4, 0, PDPT | RWX | EPT_LEAF, VMX_GEN_ALL, ADDRESS_4K }, /* reserved bits */
	{ PML4, 0, PDPT | RWX | 8, VMX_GEN_ALL, ADDRESS_4K },
	{ PDPT, 0, PD | RWX | 0x40, VMX_GEN_ALL, ADDRESS_4K },
	{ PD, 0, PT | RWX | 8, VMX_GEN_ALL, ADDRESS_4K },
	{ PT, 5, 1ull << 40 | WB | RWX, VMX_GEN_ALL, ADDRESS_4K }, /* beyond the physical addresses */
	{ PML4, 0, 1ull << 40 | PDPT | RWX, VMX_GEN_ALL, ADDRESS_4K },
	{ PD, 1, 0x601000 | EPT_LEAF | WB | RWX, VMX_GEN_ALL, ADDRESS_2M }, /* not aligned */
	{ PDPT, 1, 0x80200000 | EPT_LEAF | WB | RWX, VMX_GEN_ALL, ADDRESS_1G },
	{ PT, 5, 0x9000 | 2 << 3 | RWX, VMX_GEN_ALL, ADDRESS_4K }, /* memory types */
	{ PT, 5, 0x9000 | 3 << 3 | RWX, VMX_GEN_ALL, ADDRESS_4K },
	{ PT, 5, 0x9000 | 7 << 3 | RWX, VMX_GEN_ALL, ADDRESS_4K },
	{ PD, 1, 0x600000 | EPT_LEAF | 7 << 3 | RWX, VMX_GEN_ALL, ADDRESS_2M },
	{ PDPT, 1, 0x80000000 | EPT_LEAF | WB | RWX, VMX_GEN_NEHALEM, ADDRESS_1G }, /* no pages of 1 GiB */
};

START_TEST(misconfigurations)
{
	struct rig *r = rig_new("");
	struct vmx_model m = rig_model(wrong[_i].on, true);
	struct vmx_ept_walk w;

	ck_assert_int_eq(vmx_ept_look(&r->x, wrong[_i].address, VMX_EPT_READ, &w), VMX_EPT_OK);
	vmx_caps_init(&r->x.caps, &m);
	put(r, wrong[_i].table, wrong[_i].i, wrong[_i].entry);
	ck_assert_int_eq(vmx_ept_look(&r->x, wrong[_i].address, VMX_EPT_READ, &w), VMX_EPT_MISCONFIGURATION);
	ck_assert_uint_eq(w.entry[w.levels - 1], wrong[_i].entry);
	/* Not if it is not present. */
	put(r, wrong[_i].table, wrong[_i].i, wrong[_i].entry & ~RWX);
	ck_assert_int_eq(vmx_ept_look(&r->x, wrong[_i].address, VMX_EPT_READ, &w), VMX_EPT_VIOLATION);
	free(r);
}
END_TEST

START_TEST(flags)
{
	struct rig *r = rig_new("EPT_POINTER=a05e");
	struct vmx_ept_walk w;

	ck_assert_int_eq(vmx_ept_look(&r->x, ADDRESS_4K, VMX_EPT_WRITE, &w), VMX_EPT_OK);
	ck_assert_uint_eq(get(r, PT, 5), 0x9000 | WB | RWX);
	ck_assert_int_eq(vmx_ept_access(&r->x, ADDRESS_4K, VMX_EPT_READ, &w), VMX_EPT_OK);
	ck_assert_uint_eq(get(r, PML4, 0), PDPT | RWX | EPT_A);
	ck_assert_uint_eq(get(r, PD, 0), PT | RWX | EPT_A);
	ck_assert_uint_eq(get(r, PT, 5), 0x9000 | WB | RWX | EPT_A);
	ck_assert_int_eq(vmx_ept_access(&r->x, ADDRESS_4K, VMX_EPT_WRITE, &w), VMX_EPT_OK);
	ck_assert_uint_eq(get(r, PT, 5), 0x9000 | WB | RWX | EPT_A | EPT_D);
	ck_assert_uint_eq(get(r, PD, 0), PT | RWX | EPT_A);
	ck_assert_int_eq(vmx_ept_access(&r->x, ADDRESS_2M, VMX_EPT_READ | VMX_EPT_TABLE, &w), VMX_EPT_OK);
	ck_assert_uint_eq(get(r, PD, 1), 0x600000 | EPT_LEAF | WB | RWX | EPT_A | EPT_D);
	/* Not without the EPT pointer's bit, nor when the access fails. */
	rig_set(r, "EPT_POINTER=a01e");
	ck_assert_int_eq(vmx_ept_access(&r->x, ADDRESS_1G, VMX_EPT_WRITE, &w), VMX_EPT_OK);
	ck_assert_uint_eq(get(r, PDPT, 1), 0x80000000 | EPT_LEAF | WB | RWX);
	rig_set(r, "EPT_POINTER=a05e");
	put(r, PDPT, 1, 0x80000000 | EPT_LEAF | WB | 1);
	ck_assert_int_eq(vmx_ept_access(&r->x, ADDRESS_1G, VMX_EPT_WRITE, &w), VMX_EPT_VIOLATION);
	ck_assert_uint_eq(get(r, PDPT, 1), 0x80000000 | EPT_LEAF | WB | 1);
	free(r);
}
END_TEST

START_TEST(page_modification_log)
{
	struct rig *r = rig_new("EPT_POINTER=a05e +PROC2_PML PML_ADDRESS=e000 PML_INDEX=0");
	struct vmx_ept_walk w;

	ck_assert_int_eq(vmx_ept_access(&r->x, ADDRESS_4K, VMX_EPT_READ, &w), VMX_EPT_OK);
	ck_assert_uint_eq(rig_field(r, VMCS_PML_INDEX), 0);
	ck_assert_int_eq(vmx_ept_access(&r->x, ADDRESS_4K, VMX_EPT_WRITE, &w), VMX_EPT_OK);
	ck_assert_uint_eq(get(r, LOG, 0), 0x5000);
	ck_assert_uint_eq(rig_field(r, VMCS_PML_INDEX), 0xffff);
	/* A page that is dirty already is not logged; for another one there is no room, and it stays clean.
	 */
	ck_assert_int_eq(vmx_ept_access(&r->x, ADDRESS_4K, VMX_EPT_WRITE, &w), VMX_EPT_OK);
	ck_assert_int_eq(vmx_ept_access(&r->x, ADDRESS_2M, VMX_EPT_WRITE, &w), VMX_EPT_LOG_FULL);
	ck_assert_uint_eq(get(r, PD, 1), 0x600000 | EPT_LEAF | WB | RWX);
	free(r);
}
END_TEST

START_TEST(beyond_four_levels)
{
	struct rig *r = rig_new("");
	struct vmx_ept_walk w;

	ck_assert_int_eq(vmx_ept_access(&r->x, 1ull << 48, VMX_EPT_READ | VMX_EPT_LINEAR, &w),
			 VMX_EPT_VIOLATION);
	ck_assert_uint_eq(w.qualification, 0x181);
	ck_assert_uint_eq(w.levels, 0);
	free(r);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("vtx-ept");
	TCase *t = tcase_create("ept");

	tcase_add_test(t, page_sizes);
	tcase_add_loop_test(t, rights, 0, ARRAY_LEN(accesses));
	tcase_add_loop_test(t, misconfigurations, 0, ARRAY_LEN(wrong));
	tcase_add_test(t, flags);
	tcase_add_test(t, page_modification_log);
	tcase_add_test(t, beyond_four_levels);
	suite_add_tcase(s, t);
	return suite_run(s);
}
