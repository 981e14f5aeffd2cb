/* SPDX-License-Identifier: GPL-3.0-or-later
 * VM entries and exits: what they check, load, save and record; MSR lists, events, aborts. */
#include "tests/suite.h"
#include "tests/vtx/rig.h"
#include "vtx/checks.h"
#include "vtx/event.h"
#include "vtx/insn.h"
#include "vtx/msr_list.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct break_row {
	enum vmx_check row;
	enum rig_mode mode;
	const char *prepare, *change, *with;
} breaks[] = {
#define BREAK(row, mode, prepare, change, with) { VMX_CHECK_##row, RIG_##mode, prepare, change, with },
#include "tests/vtx/breaks.def"
#undef BREAK
};

static struct rig *rig_new(enum rig_mode mode, const char *change)
{
	struct rig *r = malloc(sizeof(*r));

	rig_init(r, mode);
	rig_set(r, change);
	return r;
}

static enum vmx_result launch(struct rig *r)
{
	return vmx_execute(&r->x, &(struct vmx_insn){ .id = VMX_INSN_VMLAUNCH, .length = 3 });
}

static enum vmx_result resume(struct rig *r)
{
	return vmx_execute(&r->x, &(struct vmx_insn){ .id = VMX_INSN_VMRESUME, .length = 3 });
}

static enum vmx_result leave(struct rig *r, enum vmx_reason reason)
{
	return vmx_leave(&r->x, &(struct vmx_exit){ .reason = reason });
}

static void put_msr(struct rig *r, unsigned i, uint32_t index, uint64_t value)
{
	uint32_t words[4] = { index, 0, (uint32_t)value, (uint32_t)(value >> 32) };

	memcpy(r->memory + AT_LIST + 16 * i, words, sizeof(words));
}

/* ---- failed entries ---- */

/* The row that is checked first among ROW and those that cannot hold with it. */
static enum vmx_check first_of(const struct break_row *b)
{
	for (unsigned i = 0; i < VMX_CHECKS; i++)
		if (i == b->row || strcmp(vmx_check_rows[i].id, b->with) == 0)
			return (enum vmx_check)i;
	return VMX_CHECKS;
}

START_TEST(entry_fails)
{
	const struct break_row *b = &breaks[_i];
	struct rig *r = rig_new(b->mode, b->prepare);
	enum vmx_check first = first_of(b);
	const struct vmx_check_group_row *g = &vmx_check_groups[vmx_check_rows[first].group];
	struct vmcs_region before;
	enum vmx_result result;

	rig_set(r, b->change);
	before = r->x.vmcs.r;
	r->x.s.rip = 0x5000;
	result = launch(r);
	ck_assert_int_eq(r->x.failed_check, first);
	ck_assert(!r->x.guest);
	ck_assert_uint_eq(r->x.vmcs.r.launch, VMCS_CLEAR);
	if (g->error) {
		ck_assert_int_eq(result, VMX_NEXT);
		ck_assert_uint_eq(r->x.s.rflags & FL_ARITH, FL_ZF);
		ck_assert_uint_eq(r->x.s.rip, 0x5003);
		before.value[VMCS_VM_INSTRUCTION_ERROR] = g->error;
	} else {
		ck_assert_int_eq(result, VMX_ENTRY_FAILED);
		ck_assert_uint_eq(r->x.s.rflags, FL_ONE);
		ck_assert_uint_eq(r->x.s.rip, before.value[VMCS_HOST_RIP]);
		before.value[VMCS_EXIT_REASON] = 0x80000021;
		before.value[VMCS_EXIT_QUALIFICATION] = g->qualification;
	}
	/* Nothing else in the VMCS has changed, the event to inject included. */
	ck_assert_int_eq(memcmp(&before, &r->x.vmcs.r, sizeof(before)), 0);
	free(r);
}
END_TEST

/* The same after a good entry, which a later one relies on as long as nothing has changed. */
START_TEST(entry_fails_later)
{
	const struct break_row *b = &breaks[_i];
	struct rig *r = rig_new(b->mode, b->prepare);

	if (b->mode != RIG_SMM && launch(r) == VMX_ENTERED && leave(r, VMX_REASON_CPUID) == VMX_EXITED) {
		struct vmx_checking c;
		enum vmx_check row;

		rig_set(r, b->change);
		vmx_checking_init(&c, &r->x, &r->x.vmcs);
		row = vmx_check_all(&c); /* none, where PREPARE injects an event, which is done */
		ck_assert(row == first_of(b) || (row == VMX_CHECKS && strstr(b->prepare, "ENTRY_INT")));
		resume(r);
		ck_assert_int_eq(r->x.failed_check, row < VMX_CHECKS ? (int)row : -1);
	}
	free(r);
}
END_TEST

/* Entries that cannot be loaded, stored: the rule that each breaks. */
static const struct {
	enum vmx_msr_check row;
	uint32_t index;
	uint64_t value;
} bad_msrs[] = {
	{ VMX_MSR_CHECK_SEGMENT_BASE, 0xc0000100, 0 },
	{ VMX_MSR_CHECK_SEGMENT_BASE, 0xc0000101, 0 },
	{ VMX_MSR_CHECK_X2APIC, 0x808, 0 },
	{ VMX_MSR_CHECK_SMM_WRITE, 0x9b, 0 },
	{ VMX_MSR_CHECK_RESERVED, RIG_MSR, 0 }, /* bits 63:32 are set below */
	{ VMX_MSR_CHECK_WRITE, 0x480, 0 },	/* read-only */
	{ VMX_MSR_CHECK_WRITE, 0x999, 0 },	/* none */
	{ VMX_MSR_CHECK_WRITE, 0x277, 2 },	/* no memory type */
	{ VMX_MSR_CHECK_WRITE, 0x175, 0x800000000000 },
	{ VMX_MSR_CHECK_WRITE, 0xc0000080, 1ull << 40 },
	{ VMX_MSR_CHECK_WRITE, 0xc0000080, EFER_LME }, /* while paging is on */
	{ VMX_MSR_CHECK_WRITE, 0x570, 0x40000 },
	{ VMX_MSR_CHECK_WRITE, 0x6a2, 0x40 },
	{ VMX_MSR_CHECK_WRITE, 0x6e1, 1ull << 32 },
	{ VMX_MSR_CHECK_WRITE, 0x14ce, 0x10 },
	{ VMX_MSR_CHECK_WRITE, 0xd90, 4 },
	{ VMX_MSR_CHECK_WRITE, 0x38f, 0x10 },
	{ VMX_MSR_CHECK_WRITE, 0x1d9, 8 },
}, bad_stores[] = {
	{ VMX_MSR_CHECK_X2APIC, 0x808, 0 },
	{ VMX_MSR_CHECK_SMM_READ, 0x9e, 0 },
	{ VMX_MSR_CHECK_RESERVED, RIG_MSR, 0 },
	{ VMX_MSR_CHECK_READ, 0x999, 0 },
};

START_TEST(entry_fails_by_msr)
{
	struct rig *r = rig_new(RIG_32, "ENTRY_MSR_LOAD_COUNT=2 ENTRY_MSR_LOAD_ADDRESS=a000");
	struct vmx_msr_failure f;
	struct vmx before;

	put_msr(r, 0, RIG_MSR, 5);
	put_msr(r, 1, bad_msrs[_i].index, bad_msrs[_i].value);
	r->memory[AT_LIST + 16 + 4] = bad_msrs[_i].row == VMX_MSR_CHECK_RESERVED;
	before = r->x;
	f = vmx_msrs_would_fail(&r->x);
	ck_assert_uint_eq(f.number, 2);
	ck_assert_uint_eq(f.row, bad_msrs[_i].row);
	ck_assert_uint_eq(f.index, bad_msrs[_i].index);
	ck_assert_int_eq(memcmp(&before, &r->x, sizeof(before)), 0);
	ck_assert_uint_eq(r->other_msr, 0);
	ck_assert_int_eq(launch(r), VMX_ENTRY_FAILED);
	ck_assert_uint_eq(rig_field(r, VMCS_EXIT_REASON), 0x80000022);
	ck_assert_uint_eq(rig_field(r, VMCS_EXIT_QUALIFICATION), 2);
	ck_assert_uint_eq(r->other_msr, 5);
	ck_assert_uint_eq(r->x.s.rip, 0x3000);
	ck_assert_uint_eq(r->x.vmcs.r.launch, VMCS_CLEAR);
	ck_assert_uint_eq(r->x.s.seg[SEG_CS].selector, 8);
	free(r);
}
END_TEST

START_TEST(stores_fail)
{
	struct rig *r = rig_new(RIG_32, "");
	struct vmx_msr_failure f;

	put_msr(r, 0, bad_stores[_i].index, 0);
	r->memory[AT_LIST + 4] = bad_stores[_i].row == VMX_MSR_CHECK_RESERVED;
	f = vmx_msrs_store(&r->x, AT_LIST, 1);
	ck_assert_uint_eq(f.number, 1);
	ck_assert_uint_eq(f.row, bad_stores[_i].row);
	free(r);
}
END_TEST

/* With those of the bounded list below, every rule is broken once. */
START_TEST(every_msr_rule_is_broken)
{
	for (unsigned i = 0; i < VMX_MSR_CHECKS; i++) {
		bool broken = i == VMX_MSR_CHECK_COUNT;

		for (unsigned k = 0; k < ARRAY_LEN(bad_msrs); k++)
			broken = broken || bad_msrs[k].row == i;
		for (unsigned k = 0; k < ARRAY_LEN(bad_stores); k++)
			broken = broken || bad_stores[k].row == i;
		ck_assert_msg(broken, "%s", vmx_msr_check_rows[i].id);
	}
}
END_TEST

/* The guest's EFER.LME is asked against the guest's CR0.PG, and a list sees its own writes. */
START_TEST(lists_depend_on_the_guest)
{
	struct rig *r =
	    rig_new(RIG_32, "EPT_POINTER=501e +PROC2_EPT +PROC2_UNRESTRICTED_GUEST GUEST_CR0-80000001 "
			    "ENTRY_MSR_LOAD_COUNT=2 ENTRY_MSR_LOAD_ADDRESS=a000");

	put_msr(r, 0, 0xc0000080, EFER_LME);
	put_msr(r, 1, 0xc0000080, EFER_LME | EFER_NXE);
	ck_assert_uint_eq(vmx_msrs_would_fail(&r->x).number, 0);
	ck_assert_int_eq(launch(r), VMX_ENTERED);
	ck_assert_uint_eq(vmx_efer(&r->x.s), EFER_LME | EFER_NXE);
	free(r);
}
END_TEST

/* A list of more entries than the processor recommends ends there. */
START_TEST(msr_lists_are_bounded)
{
	struct rig *r = rig_new(RIG_32, "ENTRY_MSR_LOAD_COUNT=ffffff ENTRY_MSR_LOAD_ADDRESS=a000");

	for (unsigned i = 0; i < VMX_MSR_LIST_MAX; i++)
		put_msr(r, i, RIG_MSR, i);
	ck_assert_uint_eq(vmx_msrs_would_fail(&r->x).row, VMX_MSR_CHECK_COUNT);
	ck_assert_int_eq(launch(r), VMX_ENTRY_FAILED);
	ck_assert_uint_eq(rig_field(r, VMCS_EXIT_QUALIFICATION), VMX_MSR_LIST_MAX + 1);
	free(r);
}
END_TEST

/* ---- what is loaded and saved ---- */

/* Distinct values in fields without rules between them. */
#define DISTINCT                                                                                              \
	"GUEST_CR3=a1000 GUEST_RSP=a2 GUEST_RIP=a3 GUEST_CS_BASE=a4 GUEST_SS_BASE=a5 GUEST_DS_BASE=a6 "       \
	"GUEST_ES_BASE=a7 GUEST_FS_BASE=a8 GUEST_GS_BASE=a9 GUEST_LDTR_BASE=aa GUEST_TR_BASE=ab "             \
	"GUEST_GDTR_BASE=ac GUEST_IDTR_BASE=ad GUEST_GDTR_LIMIT=ae GUEST_IDTR_LIMIT=af GUEST_ES_SELECTOR=b0 " \
	"GUEST_FS_SELECTOR=b8 GUEST_GS_SELECTOR=c0 GUEST_LDTR_SELECTOR=c8 GUEST_IA32_SYSENTER_CS=d0 "         \
	"GUEST_IA32_SYSENTER_ESP=d1 GUEST_IA32_SYSENTER_EIP=d2 GUEST_INTERRUPTIBILITY=8 "                     \
	"GUEST_PENDING_DEBUG=1 HOST_CR3=e1000 HOST_FS_BASE=e2 HOST_GS_BASE=e3 HOST_TR_BASE=e4 "               \
	"HOST_GDTR_BASE=e5 HOST_IDTR_BASE=e6 HOST_IA32_SYSENTER_CS=e7 HOST_IA32_SYSENTER_ESP=e8 "             \
	"HOST_IA32_SYSENTER_EIP=e9 HOST_FS_SELECTOR=f0 "

static void check_guest(const struct vmx_state *s, bool mode64)
{
	static const unsigned bases[SEG_COUNT] = { 0xa7, 0xa4, 0xa5, 0xa6, 0xa8, 0xa9 };

	ck_assert_uint_eq(s->cr3, 0xa1000);
	ck_assert_uint_eq(s->gpr[R_ESP], 0xa2);
	ck_assert_uint_eq(s->rip, 0xa3);
	for (unsigned i = 0; i < SEG_COUNT; i++)
		ck_assert_uint_eq(s->seg[i].base, bases[i]);
	ck_assert_uint_eq(s->ldtr.base, 0xaa);
	ck_assert_uint_eq(s->tr.base, 0xab);
	ck_assert_uint_eq(s->tr.rights, 0x8b);
	ck_assert_uint_eq(s->gdtr.base, 0xac);
	ck_assert_uint_eq(s->idtr.base, 0xad);
	ck_assert_uint_eq(s->gdtr.limit, 0xae);
	ck_assert_uint_eq(s->idtr.limit, 0xaf);
	ck_assert_uint_eq(s->seg[SEG_ES].selector, 0xb0);
	ck_assert_uint_eq(s->seg[SEG_FS].selector, 0xb8);
	ck_assert_uint_eq(s->msr[VMX_MSR_SYSENTER_CS], 0xd0);
	ck_assert_uint_eq(s->msr[VMX_MSR_SYSENTER_ESP], 0xd1);
	ck_assert_uint_eq(s->msr[VMX_MSR_SYSENTER_EIP], 0xd2);
	ck_assert_uint_eq(s->interruptibility, BLOCK_NMI);
	ck_assert_uint_eq(s->pending_debug, 1);
	ck_assert(!vmx_mode64(s) == !mode64);
	ck_assert_uint_eq(s->rflags, FL_ONE);
	ck_assert_uint_eq(s->cpl, 0);
}

static void check_host(const struct vmx_state *s, bool mode64)
{
	ck_assert_uint_eq(s->cr3, 0xe1000);
	ck_assert_uint_eq(s->rip, 0x3000);
	ck_assert_uint_eq(s->gpr[R_ESP], 0x4000);
	ck_assert_uint_eq(s->dr7, DR7_INIT);
	ck_assert_uint_eq(s->seg[SEG_CS].rights, mode64 ? 0xa09b : 0xc09b);
	ck_assert_uint_eq(s->seg[SEG_DS].rights, 0xc093);
	ck_assert_uint_eq(s->seg[SEG_DS].limit, 0xffffffff);
	ck_assert_uint_eq(s->seg[SEG_FS].base, 0xe2);
	ck_assert_uint_eq(s->seg[SEG_FS].selector, 0xf0);
	ck_assert(s->seg[SEG_GS].rights & AR_UNUSABLE); /* null */
	ck_assert_uint_eq(s->seg[SEG_GS].base, 0xe3);
	ck_assert_uint_eq(s->tr.base, 0xe4);
	ck_assert_uint_eq(s->tr.limit, 0x67);
	ck_assert_uint_eq(s->tr.rights, 0x8b);
	ck_assert(s->ldtr.rights & AR_UNUSABLE && !s->ldtr.selector);
	ck_assert_uint_eq(s->gdtr.base, 0xe5);
	ck_assert_uint_eq(s->idtr.base, 0xe6);
	ck_assert_uint_eq(s->gdtr.limit, 0xffff);
	ck_assert_uint_eq(s->msr[VMX_MSR_SYSENTER_CS], 0xe7);
	ck_assert_uint_eq(s->msr[VMX_MSR_SYSENTER_EIP], 0xe9);
	ck_assert_uint_eq(s->msr[VMX_MSR_DEBUGCTL], 0);
	ck_assert_uint_eq(s->rflags, FL_ONE);
	ck_assert_uint_eq(s->pending_debug, 0);
	ck_assert_uint_eq(s->activity, VMX_ACTIVE);
	ck_assert(!vmx_mode64(s) == !mode64);
}

/* Entered and left again: the guest's fields are as before, and entered once more it is the same guest. */
START_TEST(there_and_back)
{
	bool mode64 = _i;
	struct rig *r = rig_new(mode64 ? RIG_64 : RIG_32, DISTINCT);
	struct vmx_exit e = {
		.reason = VMX_REASON_EPT_VIOLATION, .qualification = 0x181, .linear = 1, .physical = 2
	};
	struct vmcs_region before = r->x.vmcs.r;

	for (unsigned round = 0; round < 2; round++) {
		struct vmx_insn i = { .id = round ? VMX_INSN_VMRESUME : VMX_INSN_VMLAUNCH };

		ck_assert_int_eq(vmx_execute(&r->x, &i), VMX_ENTERED);
		ck_assert(r->x.guest && r->x.failed_check == -1);
		ck_assert_uint_eq(r->x.vmcs.r.launch, VMCS_LAUNCHED);
		check_guest(&r->x.s, mode64);
		ck_assert_int_eq(vmx_leave(&r->x, &e), VMX_EXITED);
		ck_assert(!r->x.guest);
		check_host(&r->x.s, mode64);
		ck_assert_uint_eq(r->x.s.interruptibility,
				  BLOCK_NMI); /* without virtual NMIs it is the host's too */
		ck_assert_uint_eq(rig_field(r, VMCS_EXIT_REASON), 48);
		ck_assert_uint_eq(rig_field(r, VMCS_EXIT_QUALIFICATION), 0x181);
		ck_assert_uint_eq(rig_field(r, VMCS_GUEST_LINEAR_ADDRESS), 1);
		ck_assert_uint_eq(rig_field(r, VMCS_GUEST_PHYSICAL_ADDRESS), 2);
		for (unsigned f = 0; f < VMCS_FIELDS; f++)
			ck_assert_msg(vmcs_encoding_type(vmcs_fields[f].encoding) != VMCS_GUEST ||
					  rig_field(r, (enum vmcs_field)f) == before.value[f],
				      "%s", vmcs_fields[f].id);
	}
	free(r);
}
END_TEST

/* What the guest has changed is in its fields after the exit. */
static const struct {
	enum vmcs_field field;
	size_t at;
	unsigned size;
} saved[] = {
#define SAVED(field, member)                                                                                 \
	{                                                                                                    \
		VMCS_##field, offsetof(struct vmx_state, member), sizeof(((struct vmx_state *)0)->member)    \
	}
#define SAVED_SEGMENT(s, member)                                                                             \
	SAVED(GUEST_##s##_SELECTOR, member.selector), SAVED(GUEST_##s##_BASE, member.base),                  \
	    SAVED(GUEST_##s##_LIMIT, member.limit), SAVED(GUEST_##s##_ACCESS_RIGHTS, member.rights)
	SAVED(GUEST_CR0, cr0),
	SAVED(GUEST_CR3, cr3),
	SAVED(GUEST_CR4, cr4),
	SAVED(GUEST_RSP, gpr[R_ESP]),
	SAVED(GUEST_RIP, rip),
	SAVED(GUEST_RFLAGS, rflags),
	SAVED(GUEST_SSP, ssp),
	SAVED_SEGMENT(ES, seg[SEG_ES]),
	SAVED_SEGMENT(CS, seg[SEG_CS]),
	SAVED_SEGMENT(SS, seg[SEG_SS]),
	SAVED_SEGMENT(DS, seg[SEG_DS]),
	SAVED_SEGMENT(FS, seg[SEG_FS]),
	SAVED_SEGMENT(GS, seg[SEG_GS]),
	SAVED_SEGMENT(LDTR, ldtr),
	SAVED_SEGMENT(TR, tr),
	SAVED(GUEST_GDTR_BASE, gdtr.base),
	SAVED(GUEST_GDTR_LIMIT, gdtr.limit),
	SAVED(GUEST_IDTR_BASE, idtr.base),
	SAVED(GUEST_IDTR_LIMIT, idtr.limit),
	SAVED(GUEST_INTERRUPTIBILITY, interruptibility),
	SAVED(GUEST_ACTIVITY, activity),
	SAVED(GUEST_PENDING_DEBUG, pending_debug),
#undef SAVED
#undef SAVED_SEGMENT
};

START_TEST(changes_are_saved)
{
	struct rig *r = rig_new(RIG_32, "");
	uint64_t n;

	ck_assert_int_eq(launch(r), VMX_ENTERED);
	for (unsigned i = 0; i < ARRAY_LEN(saved); i++) {
		n = 0x5a00 + i;
		memcpy((uint8_t *)&r->x.s + saved[i].at, &n, saved[i].size);
	}
	ck_assert_int_eq(leave(r, VMX_REASON_CPUID), VMX_EXITED);
	for (unsigned i = 0; i < ARRAY_LEN(saved); i++)
		ck_assert_msg(rig_field(r, saved[i].field) == 0x5a00 + i, "%s",
			      vmcs_fields[saved[i].field].id);
	free(r);
}
END_TEST

/* Bits of CR0 that transitions leave alone; DR7; EFER. */
START_TEST(special_registers)
{
	struct rig *r =
	    rig_new(RIG_64, "+ENTRY_LOAD_DEBUG +EXIT_SAVE_DEBUG GUEST_CR0+60000000 GUEST_DR7=f401 "
			    "GUEST_IA32_DEBUGCTL=1");

	r->x.s.msr[VMX_MSR_EFER] |= EFER_SCE;
	r->x.s.cr0 &= ~(uint64_t)CR0_NW;
	ck_assert_int_eq(launch(r), VMX_ENTERED);
	ck_assert_uint_eq(r->x.s.cr0, 0x80000031); /* not CD and NW of the field */
	ck_assert_uint_eq(r->x.s.dr7, 0x2401);
	ck_assert_uint_eq(r->x.s.msr[VMX_MSR_DEBUGCTL], 1);
	ck_assert_uint_eq(vmx_efer(&r->x.s), EFER_SCE | EFER_LME | EFER_LMA);
	r->x.s.dr7 = 0x455;
	/* The guest leaves IA-32e mode: the VM-entry control follows. */
	r->x.s.msr[VMX_MSR_EFER] &= ~(uint64_t)EFER_LMA;
	ck_assert_int_eq(leave(r, VMX_REASON_CPUID), VMX_EXITED);
	ck_assert_uint_eq(rig_field(r, VMCS_GUEST_DR7), 0x455);
	ck_assert(!vmx_on(&r->x.vmcs.r, VMX_ENTRY_IA32E_GUEST));
	ck_assert_uint_eq(vmx_efer(&r->x.s), EFER_SCE | EFER_LME | EFER_LMA);
	free(r);
}
END_TEST

/* Without "load IA32_EFER", LME follows LMA for a guest with paging, and stays what it is for one without. */
START_TEST(long_mode_enable)
{
	struct rig *r = rig_new(RIG_64, "-ENTRY_IA32E_GUEST GUEST_CS_ACCESS_RIGHTS=c09b");

	ck_assert_int_eq(launch(r), VMX_ENTERED);
	ck_assert_uint_eq(vmx_efer(&r->x.s), 0);
	free(r);
	r = rig_new(RIG_64, "-ENTRY_IA32E_GUEST EPT_POINTER=501e +PROC2_EPT +PROC2_UNRESTRICTED_GUEST "
			    "GUEST_CR0-80000001 GUEST_CS_ACCESS_RIGHTS=c09b");
	ck_assert_int_eq(launch(r), VMX_ENTERED);
	ck_assert_uint_eq(vmx_efer(&r->x.s), EFER_LME);
	free(r);
}
END_TEST

/* Each MSR with fields: loaded, saved, loaded for the host and cleared under its controls, and only then. */
START_TEST(msr_fields)
{
	enum vmx_msr m = (enum vmx_msr)_i;
	const struct vmx_msr_row *row = &vmx_msrs[m];
	uint64_t guest = m == VMX_MSR_EFER ? 0 : 1, host = m == VMX_MSR_PAT ? 4 : 0,
		 was = m == VMX_MSR_EFER ? 0x800 : 6;
	static const enum vmx_control none = VMX_CONTROLS;

	for (unsigned on = 0; on < 2; on++) {
		struct rig *r = rig_new(RIG_32, "");
		const enum vmx_control controls[] = { row->entry, row->save, row->load, row->clear };
		bool loads, saves;

		for (unsigned i = 0; i < ARRAY_LEN(controls); i++)
			if (controls[i] < none && on) {
				char text[80];

				snprintf(text, sizeof(text), "+%s", vmx_controls[controls[i]].id);
				rig_set(r, text);
			}
		r->x.vmcs.r.value[row->guest] = guest;
		if (row->host != VMCS_NO_FIELD)
			r->x.vmcs.r.value[row->host] = host;
		r->x.s.msr[m] = was;
		loads = vmx_on(&r->x.vmcs.r, row->entry);
		ck_assert_int_eq(launch(r), VMX_ENTERED);
		ck_assert_uint_eq(r->x.s.msr[m], loads ? guest : was);
		r->x.s.msr[m] = 5;
		saves = row->save == VMX_OFFERED || vmx_on(&r->x.vmcs.r, row->save);
		ck_assert_int_eq(leave(r, VMX_REASON_CPUID), VMX_EXITED);
		ck_assert_uint_eq(rig_field(r, row->guest), saves ? 5 : guest);
		if (vmx_on(&r->x.vmcs.r, row->clear))
			ck_assert_uint_eq(r->x.s.msr[m], 0);
		else
			ck_assert_uint_eq(r->x.s.msr[m], vmx_on(&r->x.vmcs.r, row->load) ? host : 5);
		free(r);
	}
}
END_TEST

START_TEST(pdptes)
{
	struct rig *r = rig_new(RIG_32, "GUEST_CR4+20 GUEST_CR3=a020 GUEST_PDPTE1=7001");

	r->memory[0xa020] = 1;
	r->memory[0xa021] = 0x60;
	ck_assert_int_eq(launch(r), VMX_ENTERED);
	ck_assert_uint_eq(r->x.s.pdpte[0], 0x6001);
	free(r);
	/* With EPT they are fields, and saved. */
	r = rig_new(RIG_32,
		    "GUEST_CR4+20 GUEST_PDPTE1=7001 EPT_POINTER=501e +PROC2_EPT HOST_CR4+20 HOST_CR3=a040");
	ck_assert_int_eq(launch(r), VMX_ENTERED);
	ck_assert_uint_eq(r->x.s.pdpte[1], 0x7001);
	r->x.s.pdpte[2] = 0x9001;
	r->memory[0xa040 + 24] = 1;
	ck_assert_int_eq(leave(r, VMX_REASON_CPUID), VMX_EXITED);
	ck_assert_uint_eq(rig_field(r, VMCS_GUEST_PDPTE2), 0x9001);
	ck_assert_uint_eq(r->x.s.pdpte[3], 1); /* the host's, from memory */
	free(r);
}
END_TEST

START_TEST(exit_msr_lists)
{
	struct rig *r =
	    rig_new(RIG_64, "EXIT_MSR_STORE_COUNT=2 EXIT_MSR_STORE_ADDRESS=a000 EXIT_MSR_LOAD_COUNT=1 "
			    "EXIT_MSR_LOAD_ADDRESS=a020 ENTRY_MSR_LOAD_COUNT=1 ENTRY_MSR_LOAD_ADDRESS=a020");
	uint64_t stored;

	put_msr(r, 0, RIG_MSR, 0);
	put_msr(r, 1, 0xc0000101, 0);
	put_msr(r, 2, RIG_MSR, 0x77);
	ck_assert_int_eq(launch(r), VMX_ENTERED);
	ck_assert_uint_eq(r->other_msr, 0x77);
	r->other_msr = 0x1234567890;
	r->x.s.seg[SEG_GS].base = 0x99;
	ck_assert_int_eq(leave(r, VMX_REASON_CPUID), VMX_EXITED);
	memcpy(&stored, r->memory + 0xa008, 8);
	ck_assert_uint_eq(stored, 0x1234567890);
	memcpy(&stored, r->memory + 0xa018, 8);
	ck_assert_uint_eq(stored, 0x99);
	ck_assert_uint_eq(r->other_msr, 0x77);
	free(r);
}
END_TEST

/* ---- aborts ---- */

static const struct {
	enum vmx_abort why;
	const char *change;
} aborts[] = {
	{ VMX_ABORT_SAVE_MSR, "EXIT_MSR_STORE_COUNT=1 EXIT_MSR_STORE_ADDRESS=a000" },
	{ VMX_ABORT_HOST_PDPTE, "HOST_CR4+20 HOST_CR3=a000" },
	{ VMX_ABORT_LOAD_MSR, "EXIT_MSR_LOAD_COUNT=1 EXIT_MSR_LOAD_ADDRESS=a000" },
	{ VMX_ABORT_HOST_32, "" },
};

START_TEST(aborts_are_indicated)
{
	struct rig *r = rig_new(RIG_32, aborts[_i].change);

	put_msr(r, 0, 0x999, 0);
	r->memory[0xa000] |= 1; /* of a PDPTE: present, and bits 4 and above reserved */
	ck_assert_int_eq(launch(r), VMX_ENTERED);
	if (aborts[_i].why == VMX_ABORT_HOST_32)
		r->x.s.msr[VMX_MSR_EFER] |= EFER_LMA;
	ck_assert_int_eq(leave(r, VMX_REASON_CPUID), VMX_ABORTED);
	ck_assert(r->x.aborted);
	ck_assert_uint_eq(r->memory[AT_VMCS + 4], aborts[_i].why);
	ck_assert_uint_eq(r->x.s.activity, VMX_SHUTDOWN);
	free(r);
}
END_TEST

/* ---- events ---- */

static const struct {
	const char *change;
	struct vmx_event event;
	uint64_t return_rip;
	uint32_t interruptibility;
} injections[] = {
	{ "ENTRY_INTERRUPTION_INFO=80000306 GUEST_INTERRUPTIBILITY=2",
	  { VMX_EVENT_EXCEPTION, 6, false, 0, 0 },
	  0x1000,
	  0 },
	{ "GUEST_RFLAGS=202 ENTRY_INTERRUPTION_INFO=80000020 GUEST_ACTIVITY=1",
	  { VMX_EVENT_EXTERNAL, 0x20, false, 0, 0 },
	  0x1000,
	  0 },
	{ "ENTRY_INTERRUPTION_INFO=80000202", { VMX_EVENT_NMI, 2, false, 0, 0 }, 0x1000, BLOCK_NMI },
	{ "+PIN_NMI ENTRY_INTERRUPTION_INFO=80000202", { VMX_EVENT_NMI, 2, false, 0, 0 }, 0x1000, 0 },
	{ "+PIN_NMI +PIN_VIRTUAL_NMIS ENTRY_INTERRUPTION_INFO=80000202",
	  { VMX_EVENT_NMI, 2, false, 0, 0 },
	  0x1000,
	  BLOCK_NMI },
	{ "ENTRY_INTERRUPTION_INFO=80000b0e ENTRY_EXCEPTION_ERROR_CODE=7",
	  { VMX_EVENT_EXCEPTION, 14, true, 7, 0 },
	  0x1000,
	  0 },
	{ "ENTRY_INTERRUPTION_INFO=80000480 ENTRY_INSTRUCTION_LENGTH=2",
	  { VMX_EVENT_INT_N, 0x80, false, 0, 2 },
	  0x1002,
	  0 },
	{ "ENTRY_INTERRUPTION_INFO=80000501 ENTRY_INSTRUCTION_LENGTH=1",
	  { VMX_EVENT_INT1, 1, false, 0, 1 },
	  0x1001,
	  0 },
	{ "ENTRY_INTERRUPTION_INFO=80000603 ENTRY_INSTRUCTION_LENGTH=1 GUEST_RIP=ffffffff",
	  { VMX_EVENT_INT3_INTO, 3, false, 0, 1 },
	  0,
	  0 },
	{ "ENTRY_INTERRUPTION_INFO=80000700 GUEST_INTERRUPTIBILITY=2",
	  { VMX_EVENT_OTHER, 0, false, 0, 0 },
	  0x1000,
	  BLOCK_MOV_SS },
};

START_TEST(events_are_injected)
{
	struct rig *r = rig_new(RIG_32, injections[_i].change);
	const struct vmx_event *want = &injections[_i].event;
	struct vmx_exit exit = { .reason = VMX_REASON_EPT_VIOLATION };
	struct vmx_event e;
	uint64_t rip, info = rig_field(r, VMCS_ENTRY_INTERRUPTION_INFO);

	ck_assert_int_eq(launch(r), VMX_ENTERED);
	ck_assert_uint_eq(rig_field(r, VMCS_ENTRY_INTERRUPTION_INFO), info); /* until an exit */
	r->x.s.pending_debug = 1;
	ck_assert(vmx_take_injection(&r->x, &e, &rip));
	ck_assert_uint_eq(r->x.s.pending_debug, want->type == VMX_EVENT_OTHER);
	ck_assert(!vmx_take_injection(&r->x, &e, &rip));
	ck_assert_uint_eq(e.type, want->type);
	ck_assert_uint_eq(e.vector, want->vector);
	ck_assert_uint_eq(e.has_error, want->has_error);
	ck_assert_uint_eq(e.error, want->error);
	ck_assert_uint_eq(e.length, want->length);
	ck_assert_uint_eq(rip, injections[_i].return_rip);
	ck_assert_uint_eq(r->x.s.interruptibility, injections[_i].interruptibility);
	ck_assert_uint_eq(r->x.s.activity, VMX_ACTIVE);
	/* An exit while it is being delivered. */
	vmx_exit_vectoring(&exit, &e);
	ck_assert_int_eq(vmx_leave(&r->x, &exit), VMX_EXITED);
	ck_assert_uint_eq(rig_field(r, VMCS_IDT_VECTORING_INFO), want->type == VMX_EVENT_OTHER ? 0 : info);
	ck_assert_uint_eq(rig_field(r, VMCS_IDT_VECTORING_ERROR_CODE), want->error);
	ck_assert_uint_eq(rig_field(r, VMCS_EXIT_INSTRUCTION_LENGTH), want->length);
	ck_assert_uint_eq(rig_field(r, VMCS_ENTRY_INTERRUPTION_INFO), info & ~(uint64_t)EVENT_VALID);
	free(r);
}
END_TEST

START_TEST(no_event)
{
	struct rig *r = rig_new(RIG_32, "ENTRY_INTERRUPTION_INFO=202");
	struct vmx_event e;
	uint64_t rip;

	ck_assert_int_eq(launch(r), VMX_ENTERED);
	ck_assert(!vmx_take_injection(&r->x, &e, &rip));
	free(r);
}
END_TEST

static const struct {
	const char *change;
	struct vmx_event event;
	bool exits;
} exceptions[] = {
	{ "", { VMX_EVENT_EXCEPTION, 6, false, 0, 0 }, false },
	{ "EXCEPTION_BITMAP=40", { VMX_EVENT_EXCEPTION, 6, false, 0, 0 }, true },
	{ "EXCEPTION_BITMAP=8", { VMX_EVENT_INT3_INTO, 3, false, 0, 1 }, true },
	{ "EXCEPTION_BITMAP=8", { VMX_EVENT_INT_N, 3, false, 0, 2 }, false },
	{ "EXCEPTION_BITMAP=4", { VMX_EVENT_NMI, 2, false, 0, 0 }, false },
	{ "+PIN_NMI", { VMX_EVENT_NMI, 2, false, 0, 0 }, true },
	/* #PF: bit, mask and match. */
	{ "EXCEPTION_BITMAP=4000", { VMX_EVENT_EXCEPTION, 14, true, 2, 0 }, true },
	{ "EXCEPTION_BITMAP=4000 PF_ERROR_CODE_MASK=1 PF_ERROR_CODE_MATCH=1",
	  { VMX_EVENT_EXCEPTION, 14, true, 2, 0 },
	  false },
	{ "EXCEPTION_BITMAP=4000 PF_ERROR_CODE_MASK=1 PF_ERROR_CODE_MATCH=1",
	  { VMX_EVENT_EXCEPTION, 14, true, 3, 0 },
	  true },
	{ "PF_ERROR_CODE_MASK=1 PF_ERROR_CODE_MATCH=1", { VMX_EVENT_EXCEPTION, 14, true, 2, 0 }, true },
	{ "", { VMX_EVENT_EXCEPTION, 14, true, 2, 0 }, false },
};

START_TEST(exceptions_exit)
{
	struct rig *r = rig_new(RIG_32, exceptions[_i].change);
	const struct vmx_event *e = &exceptions[_i].event;
	struct vmx_exit exit;

	ck_assert_int_eq(vmx_exception_exits(&r->x, e), exceptions[_i].exits);
	vmx_exit_by_event(&exit, e, 0x1234);
	ck_assert_uint_eq(exit.reason, VMX_REASON_EXCEPTION_NMI);
	ck_assert_uint_eq(exit.qualification, e->vector == 14 ? 0x1234 : 0);
	ck_assert_uint_eq(exit.event, vmx_event_info(e));
	ck_assert_uint_eq(exit.event_error, e->error);
	free(r);
}
END_TEST

/* A double or triple fault replaces the event whose delivery caused it. */
START_TEST(vectoring_of_faults)
{
	struct vmx_event df = { VMX_EVENT_EXCEPTION, EXC_DF, true, 0, 0 },
			 gp = { VMX_EVENT_EXCEPTION, EXC_GP, true, 8, 0 };
	struct vmx_event interrupt = { VMX_EVENT_EXTERNAL, 0x31, false, 0, 0 };
	struct vmx_exit exit;

	vmx_exit_by_event(&exit, &df, 0);
	vmx_exit_vectoring(&exit, &gp);
	ck_assert_uint_eq(exit.vectoring, 0);
	exit = (struct vmx_exit){ .reason = VMX_REASON_TRIPLE_FAULT };
	vmx_exit_vectoring(&exit, &gp);
	ck_assert_uint_eq(exit.vectoring, 0);
	vmx_exit_by_event(&exit, &gp, 0);
	vmx_exit_vectoring(&exit, &interrupt);
	ck_assert_uint_eq(exit.event, 0x80000b0d);
	ck_assert_uint_eq(exit.event_error, 8);
	ck_assert_uint_eq(exit.vectoring, 0x80000031);
	vmx_exit_by_event(&exit, &interrupt, 0);
	ck_assert_uint_eq(exit.reason, VMX_REASON_EXTERNAL_INTERRUPT);
}
END_TEST

/* Blocking by NMI across an exit: by an NMI; with virtual NMIs. */
START_TEST(nmi_blocking)
{
	struct vmx_event nmi = { VMX_EVENT_NMI, 2, false, 0, 0 };
	struct rig *r = rig_new(RIG_32, "+PIN_NMI +PIN_VIRTUAL_NMIS GUEST_INTERRUPTIBILITY=8");
	struct vmx_exit exit;

	ck_assert_int_eq(launch(r), VMX_ENTERED);
	ck_assert_int_eq(leave(r, VMX_REASON_CPUID), VMX_EXITED);
	ck_assert_uint_eq(r->x.s.interruptibility, 0);
	ck_assert_uint_eq(rig_field(r, VMCS_GUEST_INTERRUPTIBILITY), BLOCK_NMI);
	ck_assert_int_eq(vmx_execute(&r->x, &(struct vmx_insn){ .id = VMX_INSN_VMRESUME }), VMX_ENTERED);
	vmx_exit_by_event(&exit, &nmi, 0);
	ck_assert_int_eq(vmx_leave(&r->x, &exit), VMX_EXITED);
	ck_assert_uint_eq(r->x.s.interruptibility, BLOCK_NMI);
	free(r);
}
END_TEST

/* RF in the VMCS: as it was, or as the image of RFLAGS on the stack would have it. */
START_TEST(resume_flag)
{
	static const struct {
		uint64_t before;
		bool rf;
		uint64_t saved;
	} rows[] = { { 2, false, 2 }, { 2, true, FL_RF | 2 }, { FL_RF | 2, false, FL_RF | 2 } };
	struct rig *r = rig_new(RIG_32, "");
	struct vmx_exit exit = { .reason = VMX_REASON_EPT_VIOLATION, .rf = rows[_i].rf };

	ck_assert_int_eq(launch(r), VMX_ENTERED);
	r->x.s.rflags = rows[_i].before;
	ck_assert_int_eq(vmx_leave(&r->x, &exit), VMX_EXITED);
	ck_assert_uint_eq(rig_field(r, VMCS_GUEST_RFLAGS), rows[_i].saved);
	ck_assert_uint_eq(r->x.s.rflags, FL_ONE);
	free(r);
}
END_TEST

/* ---- returns from SMM ---- */

START_TEST(return_from_smm)
{
	/* To root operation: the linked VMCS becomes current, here none. */
	struct rig *r = rig_new(RIG_SMM, "");

	ck_assert_int_eq(launch(r), VMX_ENTERED);
	ck_assert(!r->x.smm && !r->x.guest && r->x.dual_monitor);
	ck_assert_uint_eq(r->x.vmcs.at, VMCS_NONE);
	ck_assert_uint_eq(r->x.smm_transfer, AT_VMCS);
	free(r);
	/* To non-root operation: the executive VMCS becomes current. */
	r = rig_new(RIG_SMM, "EXECUTIVE_VMCS_POINTER=8000");
	ck_assert_int_eq(launch(r), VMX_ENTERED);
	ck_assert(!r->x.smm && r->x.guest);
	ck_assert_uint_eq(r->x.vmcs.at, AT_LAUNCHED);
	free(r);
	/* And the end of the dual-monitor treatment. */
	r = rig_new(RIG_SMM, "+ENTRY_END_DUAL_MONITOR VMCS_LINK_POINTER=4000");
	ck_assert_int_eq(launch(r), VMX_ENTERED);
	ck_assert(!r->x.dual_monitor && !r->x.guest);
	ck_assert_uint_eq(r->x.vmcs.at, AT_EXECUTIVE);
	free(r);
}
END_TEST

/* ---- any VMCS ---- */

static uint64_t next_random(uint64_t *seed)
{
	*seed = *seed * 6364136223846793005 + 1442695040888963407;
	return *seed >> 16 ^ *seed << 40;
}

/* Change a bit, or the whole, of some field; controls by one that the processor offers. */
static void disturb(struct rig *r, uint64_t *seed)
{
	enum vmcs_field f = (enum vmcs_field)(next_random(seed) % VMCS_FIELDS);
	uint64_t v = rig_field(r, f), n = next_random(seed);
	enum vmx_control c = (enum vmx_control)(next_random(seed) % VMX_CONTROLS);

	if (n & 1) {
		f = vmx_words[vmx_controls[c].word].field;
		if (vmx_offers(&r->x.caps, c))
			vmcs_put(&r->x.vmcs, f, rig_field(r, f) ^ vmx_bit(c));
		return;
	}
	v = (n & 6 ? v ^ 1ull << (n >> 8 & 63) : next_random(seed)) & vmcs_mask(f, true);
	vmcs_put(&r->x.vmcs, f, v);
}

/* Resume a guest whose VMCS is disturbed between exits: it fails as when all checks are made. */
static void resume_disturbed(struct rig *r, uint64_t *seed, unsigned *entered)
{
	for (unsigned n = 0; n < 4 && !r->x.guest && r->x.vmcs.at == AT_VMCS; n++) {
		struct vmx_checking c;
		enum vmx_check row;

		disturb(r, seed);
		vmx_checking_init(&c, &r->x, &r->x.vmcs);
		row = vmx_check_all(&c);
		resume(r);
		ck_assert_int_eq(r->x.failed_check, row < VMX_CHECKS ? (int)row : -1);
		if (!r->x.guest || r->x.vmcs.at != AT_VMCS)
			return;
		++*entered;
		if (leave(r, VMX_REASON_CPUID) != VMX_EXITED)
			return;
	}
}

/* Disturbed VMCSs: the rows and their function agree; what is entered, left at once, can be resumed. */
START_TEST(any_vmcs)
{
	uint64_t seed = (uint64_t)_i + 1;
	unsigned entered = 0, again = 0;

	for (unsigned round = 0; round < 1500; round++) {
		struct rig *r =
		    rig_new((enum rig_mode)(round % 4), round & 4 ? "EPT_POINTER=501e +PROC2_EPT" : "");
		struct vmx_checking c;
		enum vmx_check row;
		enum vmx_result result;

		for (unsigned n = next_random(&seed) % 5; n; n--)
			disturb(r, &seed);
		vmx_checking_init(&c, &r->x, &r->x.vmcs);
		row = vmx_check_first(&c, (enum vmx_check)0, VMX_CHECKS);
		ck_assert_uint_eq(vmx_check_all(&c), row);
		result = launch(r);
		ck_assert(row == VMX_CHECKS || result != VMX_ENTERED);
		if (result == VMX_ENTERED && r->x.guest && r->x.vmcs.at == AT_VMCS) {
			entered++;
			if (leave(r, VMX_REASON_CPUID) == VMX_EXITED) {
				result = resume(r);
				ck_assert_msg(r->x.failed_check == -1, "seed %d, round %u: %s", _i, round,
					      vmx_check_rows[r->x.failed_check].id);
				ck_assert_int_eq(result, VMX_ENTERED);
				if (leave(r, VMX_REASON_CPUID) == VMX_EXITED)
					resume_disturbed(r, &seed, &again);
			}
		}
		free(r);
	}
	ck_assert_uint_gt(entered, 150);
	ck_assert_uint_gt(again, 300);
}
END_TEST

START_TEST(reasons_are_listed)
{
	unsigned n = 0;

	for (unsigned i = 0; i < VMX_REASONS; i++) {
		n += vmx_reasons[i].name != NULL;
		for (unsigned k = 0; k < i && vmx_reasons[i].id; k++)
			ck_assert(!vmx_reasons[k].id || strcmp(vmx_reasons[k].id, vmx_reasons[i].id) != 0);
	}
	ck_assert_uint_eq(n, 76);
	ck_assert_uint_eq(VMX_REASONS, 80);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("vtx-transition");
	TCase *t = tcase_create("transition");

	tcase_add_loop_test(t, entry_fails, 0, ARRAY_LEN(breaks));
	tcase_add_loop_test(t, entry_fails_later, 0, ARRAY_LEN(breaks));
	tcase_add_loop_test(t, entry_fails_by_msr, 0, ARRAY_LEN(bad_msrs));
	tcase_add_loop_test(t, stores_fail, 0, ARRAY_LEN(bad_stores));
	tcase_add_test(t, every_msr_rule_is_broken);
	tcase_add_test(t, lists_depend_on_the_guest);
	tcase_add_test(t, msr_lists_are_bounded);
	tcase_add_loop_test(t, there_and_back, 0, 2);
	tcase_add_test(t, changes_are_saved);
	tcase_add_test(t, special_registers);
	tcase_add_test(t, long_mode_enable);
	tcase_add_loop_test(t, msr_fields, 0, VMX_MSRS);
	tcase_add_test(t, pdptes);
	tcase_add_test(t, exit_msr_lists);
	tcase_add_loop_test(t, aborts_are_indicated, 0, ARRAY_LEN(aborts));
	tcase_add_loop_test(t, events_are_injected, 0, ARRAY_LEN(injections));
	tcase_add_test(t, no_event);
	tcase_add_loop_test(t, exceptions_exit, 0, ARRAY_LEN(exceptions));
	tcase_add_test(t, vectoring_of_faults);
	tcase_add_test(t, nmi_blocking);
	tcase_add_loop_test(t, resume_flag, 0, 3);
	tcase_add_test(t, return_from_smm);
	tcase_add_loop_test(t, any_vmcs, 0, 2);
	tcase_add_test(t, reasons_are_listed);
	suite_add_tcase(s, t);
	return suite_run(s);
}
