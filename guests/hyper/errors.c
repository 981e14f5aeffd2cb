/* SPDX-License-Identifier: GPL-3.0-or-later
 * What must fail: VM instructions with their error numbers, entries with a broken state, VMRUN with an
 * inconsistent VMCB. After each failure the guest, put right, must run. */
#include "guests/hyper/cases.h"

PROGRAM(nothing, "");

/* ---- VMX: instructions ---- */

static u32 outcome_of_vmwrite(u32 field)
{
	u32 f;

	asm volatile("vmwrite %1, %1\npushfl\npopl %0" : "=r"(f) : "r"(field) : "cc", "memory");
	return vm_outcome(f);
}

static u32 outcome_of_vmread(u32 field)
{
	u32 f, v;

	asm volatile("vmread %2, %1\npushfl\npopl %0" : "=r"(f), "=r"(v) : "r"(field) : "cc");
	return vm_outcome(f);
}

static u32 outcome_of_vmcall(void)
{
	u32 f;

	asm volatile("vmcall\npushfl\npopl %0" : "=r"(f) : : "cc", "memory");
	return vm_outcome(f);
}

static u32 outcome_of_invept(u32 type)
{
	u64 d[2] = { 0, 0 };
	u32 f;

	asm volatile("invept %1, %2\npushfl\npopl %0" : "=r"(f) : "m"(d), "r"(type) : "cc", "memory");
	return vm_outcome(f);
}

static u32 outcome_of_invvpid(u32 type)
{
	u64 d[2] = { 0, 0 };
	u32 f;

	asm volatile("invvpid %1, %2\npushfl\npopl %0" : "=r"(f) : "m"(d), "r"(type) : "cc", "memory");
	return vm_outcome(f);
}

/* A load of SS in front of VMLAUNCH. Should the guest run, its exit comes back here, too: 0. */
static u32 outcome_of_blocked_launch(void)
{
	u32 f;

	asm volatile("pushl %%ebp\n"
		     "movl $0x6c14, %%eax\n"
		     "vmwrite %%esp, %%eax\n" /* HOST_RSP */
		     "movl $0x6c16, %%eax\n"
		     "movl $1f, %%ecx\n"
		     "vmwrite %%ecx, %%eax\n" /* HOST_RIP */
		     "movl %%ss, %%eax\n"
		     "movl %%eax, %%ss\n"
		     "vmlaunch\n"
		     "pushfl\n"
		     "popl %0\n"
		     "jmp 2f\n"
		     "1: xorl %0, %0\n"
		     "2: popl %%ebp"
		     : "=a"(f)
		     :
		     : "ebx", "ecx", "edx", "esi", "edi", "cc", "memory");
	vmwrite(VM_HOST_EIP, (u32)vmx_exit);
	vmx_host_esp = 0;
	return vm_outcome(f);
}

static const char *instruction_errors(enum mode m)
{
	u64 other = phys_of(vmcs_other), on = phys_of(vmxon_region);

	(void)m;
	CHECK("VMCALL in root operation", outcome_of_vmcall(), 1);
	CHECK("VMCLEAR, unaligned", vmclear(other + 8), 2);
	CHECK("VMCLEAR, beyond physical addresses", vmclear(other | 1ull << 60), 2);
	CHECK("VMCLEAR of the VMXON region", vmclear(on), 3);
	CHECK("VMRESUME of a VMCS that was not launched", vmx_run(&regs, 1) ? vmread(VM_ERROR) : 0, 5);
	CHECK("VMPTRLD, unaligned", vmptrld(other + 4), 9);
	CHECK("VMPTRLD of the VMXON region", vmptrld(on), 10);
	*(u32 *)vmcs_other ^= 1;
	CHECK("VMPTRLD, other revision", vmptrld(other), 11);
	*(u32 *)vmcs_other ^= 1;
	CHECK("VMREAD of no field", outcome_of_vmread(0x6ffe), 12);
	CHECK("VMWRITE of no field", outcome_of_vmwrite(0x6ffe), 12);
	if (!(vmx_caps.misc >> 29 & 1))
		CHECK("VMWRITE of a read-only field", outcome_of_vmwrite(VM_REASON), 13);
	CHECK("VMXON in root operation", vmxon(on), 15);
	CHECK("VMLAUNCH behind a load of SS", outcome_of_blocked_launch(), 26);
	if (vmx_caps.ept >> 20 & 1)
		CHECK("INVEPT of type 9", outcome_of_invept(9), 28);
	if (vmx_caps.ept >> 32 & 1)
		CHECK("INVVPID of type 9", outcome_of_invvpid(9), 28);
	CHECK("VMREAD of a good field", outcome_of_vmread(VM_REASON), 0);
	LOAD_PROGRAM(nothing);
	return until_hypercall(G_CODE);
}

static const char *pointers(enum mode m)
{
	u64 other = phys_of(vmcs_other), got = 0;

	(void)m;
	asm volatile("vmptrst %0" : "=m"(got) : : "cc");
	CHECK("VMPTRST", got, phys_of(vmcs_region));
	CHECK("VMCLEAR", vmclear(other), 0);
	CHECK("VMPTRLD", vmptrld(other), 0);
	vmwrite(VM_EIP, 0x1234);
	CHECK("VMPTRLD back", vmptrld(phys_of(vmcs_region)), 0);
	CHECK("EIP of the first", vmread(VM_EIP), G_CODE);
	CHECK("VMPTRLD of the second", vmptrld(other), 0);
	CHECK("EIP of the second", vmread(VM_EIP), 0x1234);
	CHECK("VMCLEAR of the current", vmclear(other), 0);
	CHECK("VMREAD without a current VMCS", outcome_of_vmread(VM_EIP), NO_CURRENT);
	asm volatile("vmptrst %0" : "=m"(got) : : "cc");
	CHECK("VMPTRST without a current VMCS", got, ~0ull);
	CHECK("VMPTRLD of the first", vmptrld(phys_of(vmcs_region)), 0);
	LOAD_PROGRAM(nothing);
	return until_hypercall(G_CODE);
}

static const char *launch_state(enum mode m)
{
	const char *wrong;

	(void)m;
	LOAD_PROGRAM(nothing);
	wrong = until_hypercall(G_CODE);
	if (wrong)
		return wrong;
	CHECK("VMLAUNCH of a launched VMCS", vmx_run(&regs, 0) ? vmread(VM_ERROR) : 0, 4);
	vmclear(phys_of(vmcs_region));
	vmptrld(phys_of(vmcs_region));
	CHECK("VMRESUME after VMCLEAR", vmx_run(&regs, 1) ? vmread(VM_ERROR) : 0, 5);
	vmx_launched = 0;
	return until_hypercall(G_CODE);
}

/* Fields that spoil an entry. The error number; or the exit reason, with its qualification. */
static const struct {
	const char *name;
	u32 field, set, clear;
	u32 error, reason, qual;
} spoilt[] = {
	{ "pin-based controls, reserved", VM_PIN, 1u << 31, 0, 7, 0, 0 },
	{ "pin-based controls, default 1", VM_PIN, 0, 2, 7, 0, 0 },
	{ "exit controls, default 1", VM_EXITS, 0, 1, 7, 0, 0 },
	{ "entry controls, default 1", VM_ENTRIES, 0, 1, 7, 0, 0 },
	{ "CR3-target count", VM_CR3_COUNT, 0x200, 0, 7, 0, 0 },
	{ "MSR bitmaps, unaligned", VM_MSR_BITMAP, 1, 0, 7, 0, 0 },
	{ "injection of type 1", VM_INJECT, 1u << 31 | 1 << 8, 0, 7, 0, 0 },
	{ "injection of a vector above 31", VM_INJECT, 1u << 31 | 3 << 8 | 32, 0, 7, 0, 0 },
	{ "injection of an NMI with vector 3", VM_INJECT, 1u << 31 | 2 << 8 | 3, 0, 7, 0, 0 },
	{ "host CR4 without VMXE", VM_HOST_CR4, 0, 0x2000, 8, 0, 0 },
	{ "host CR0 without PE", VM_HOST_CR0, 0, 1, 8, 0, 0 },
	{ "host CS 0", VM_HOST_SEL + 2, 0, 0xffff, 8, 0, 0 },
	{ "host TR 0", VM_HOST_SEL + 12, 0, 0xffff, 8, 0, 0 },
	{ "host DS with RPL 3", VM_HOST_SEL + 6, 3, 0, 8, 0, 0 },
	{ "host size 64", VM_EXITS, 1 << 9, 0, 8, 0, 0 },
	{ "guest EFLAGS, bit 1", 0x6820, 0, 2, 0, 33, 0 },
	{ "guest EFLAGS, bit 15", 0x6820, 1 << 15, 0, 0, 33, 0 },
	{ "guest CR4 without VMXE", 0x6804, 0, 0x2000, 0, 33, 0 },
	{ "guest CR0, PG without PE", 0x6800, 1u << 31, 1, 0, 33, 0 },
	{ "guest TR unusable", VM_GUEST_ACCESS + 14, UNUSABLE, 0, 0, 33, 0 },
	{ "guest CS of type 2", VM_GUEST_ACCESS + 2, 2, 0xf, 0, 33, 0 },
	{ "guest DS, reserved access rights", VM_GUEST_ACCESS + 6, 0x100, 0, 0, 33, 0 },
	{ "guest SS not present", VM_GUEST_ACCESS + 4, 0, 0x80, 0, 33, 0 },
	{ "activity state 4", VM_ACTIVITY, 4, 0, 0, 33, 0 },
	{ "STI and MOV-SS blocking", VM_INTERRUPTIBILITY, 3, 0, 0, 33, 0 },
	{ "VMCS link pointer", VM_LINK, 0, 0xf, 0, 33, 4 },
	{ "entry MSR list: FS base", VM_ENTRY_LOAD_COUNT, 1, 0, 0, 34, 1 },
};

static const char *entry_failures(enum mode m)
{
	static u32 list[4] __attribute__((aligned(16)));
	const char *wrong;

	list[0] = 0xc0000100;
	for (u32 i = 0; i < LEN(spoilt); i++) {
		bool wide = (spoilt[i].field >> 13 & 3) == 1;
		u32 was, was_high;

		if (spoilt[i].set == 1 << 9 && !vmx_has(vmx_caps.exits, 1 << 9))
			continue; /* no 64-bit hosts: a reserved control */
		if (spoilt[i].field == VM_MSR_BITMAP && !vmx_has(vmx_caps.proc, PROC_MSR_BITMAPS))
			continue;
		vm_reset(m);
		LOAD_PROGRAM(nothing);
		vmwrite64(VM_ENTRY_LOAD, phys_of(list));
		was = vmread(spoilt[i].field);
		was_high = wide ? vmread(spoilt[i].field + 1) : 0;
		vmwrite(spoilt[i].field, (was & ~spoilt[i].clear) | spoilt[i].set);
		be->enter();
		if (spoilt[i].error) {
			CHECK(spoilt[i].name, out.reason, NOT_ENTERED);
			CHECK(spoilt[i].name, out.info1, spoilt[i].error);
		} else {
			CHECK(spoilt[i].name, out.reason, spoilt[i].reason | FAILED_ENTRY);
			CHECK(spoilt[i].name, out.info1, spoilt[i].qual);
		}
		vmwrite(spoilt[i].field, was);
		if (wide) /* the write above cleared it */
			vmwrite(spoilt[i].field + 1, was_high);
		wrong = until_hypercall(G_CODE);
		if (wrong)
			return wrong;
	}
	return NULL;
}

static const char *perf_global_failures(enum mode m)
{
	(void)m;
	if (!use_perf_global())
		return not_here;
	LOAD_PROGRAM(nothing);
	vmwrite64(VM_GUEST_PERF, 1ull << 63);
	be->enter();
	CHECK("reserved bit of the guest's", out.reason, FAILED_ENTRY | 33);
	vmwrite64(VM_GUEST_PERF, 0);
	vmwrite64(VM_HOST_PERF, 1ull << 63);
	be->enter();
	CHECK("reserved bit of the host's", out.info1, 8);
	return NULL;
}

/* ---- SVM ---- */

/* A word of the VMCB: clear, then set, and restore. */
static const struct {
	const char *name;
	u32 at, set, clear;
} inconsistent[] = {
	{ "EFER without SVME", VMCB_EFER, 0, EFER_SVME },
	{ "EFER, reserved", VMCB_EFER, 2, 0 },
	{ "CR0, NW without CD", VMCB_CR0, 1 << 29, 1 << 30 },
	{ "CR0, upper half", VMCB_CR0 + 4, 1, 0 },
	{ "CR4, reserved", VMCB_CR4, 1u << 31, 0 },
	{ "DR6, upper half", VMCB_DR6 + 4, 1, 0 },
	{ "DR7, upper half", VMCB_DR7 + 4, 1, 0 },
	{ "VMRUN not intercepted", 0x10, 0, 1 },
	{ "ASID 0", VMCB_ASID, 0, ~0u },
	{ "MSRPM beyond physical memory", VMCB_MSRPM + 4, 0xfff00000, 0 },
	{ "IOPM beyond physical memory", VMCB_IOPM + 4, 0xfff00000, 0 },
	{ "event of type 1", VMCB_EVENTINJ, 1u << 31 | 1 << 8 | 6, 0 },
	{ "event of type 5", VMCB_EVENTINJ, 1u << 31 | 5 << 8 | 6, 0 },
	{ "exception 2", VMCB_EVENTINJ, 1u << 31 | 3 << 8 | 2, 0 },
	{ "exception 32", VMCB_EVENTINJ, 1u << 31 | 3 << 8 | 32, 0 },
};

static const char *inconsistent_vmcb(enum mode m)
{
	const char *wrong;

	for (u32 i = 0; i < LEN(inconsistent); i++) {
		u32 *at = vmcb32(inconsistent[i].at);

		vm_reset(m);
		LOAD_PROGRAM(nothing);
		*at = (*at & ~inconsistent[i].clear) | inconsistent[i].set;
		be->enter();
		CHECK(inconsistent[i].name, out.reason, SVM_INVALID);
		vm_reset(m); /* what the block's state is by now is not defined */
		LOAD_PROGRAM(nothing);
		wrong = until_hypercall(G_CODE);
		if (wrong)
			return wrong;
	}
	return NULL;
}

/* LME with paging needs PAE and PE. */
static const char *inconsistent_long_mode(enum mode m)
{
	(void)m;
	LOAD_PROGRAM(nothing);
	*vmcb32(VMCB_EFER) |= 1 << 8;
	be->enter();
	CHECK("LME and PG without PAE", out.reason, SVM_INVALID);
	return NULL;
}

static void do_vmrun(void *pa)
{
	asm volatile("vmrun %%eax" : : "a"(pa) : "memory", "ebx", "ecx", "edx", "esi", "edi");
}

static void do_vmload(void *pa)
{
	asm volatile("vmload %%eax" : : "a"(pa) : "memory");
}

static const char *faults_of_instructions(enum mode m)
{
	u64 efer = rdmsr(0xc0000080);

	(void)m;
	CHECK("VMRUN, unaligned: faults", catch_fault(do_vmrun, (void *)(phys_of(vmcb) + 8)), 1);
	CHECK("VMRUN, unaligned: vector", caught.vec, 13);
	CHECK("VMLOAD, unaligned: faults", catch_fault(do_vmload, (void *)(phys_of(vmcb) + 8)), 1);
	CHECK("VMLOAD, unaligned: vector", caught.vec, 13);
	wrmsr64(0xc0000080, efer & ~(u64)EFER_SVME);
	CHECK("VMRUN without SVME: faults", catch_fault(do_vmrun, (void *)phys_of(vmcb)), 1);
	CHECK("VMRUN without SVME: vector", caught.vec, 6);
	wrmsr64(0xc0000080, efer);
	LOAD_PROGRAM(nothing);
	return until_hypercall(G_CODE);
}

/* Columns: name, modes (0: all), back ends (0: both), function. */
const struct program error_programs[] = {
	{ "instruction_errors", IN(SHADOW) | IN(PAGED), ON_VMX, instruction_errors },
	{ "pointers", IN(SHADOW), ON_VMX, pointers },
	{ "launch_state", IN(SHADOW), ON_VMX, launch_state },
	{ "entry_failures", PROTECTED, ON_VMX, entry_failures },
	{ "perf_global_failures", IN(SHADOW), ON_VMX, perf_global_failures },
	{ "inconsistent_vmcb", 0, ON_SVM, inconsistent_vmcb },
	{ "inconsistent_long_mode", IN(PAGED) | IN(SHADOW), ON_SVM, inconsistent_long_mode },
	{ "faults_of_instructions", IN(SHADOW), ON_SVM, faults_of_instructions },
};
const u32 error_program_count = LEN(error_programs);
