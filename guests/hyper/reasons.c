/* SPDX-License-Identifier: GPL-3.0-or-later
 * Exit reasons of VMX (SDM vol. 3, App. C) and controls: a report of what no case produced or used, each with
 * the reason. One without a reason is a failure where the processor offers it. VMCS shadowing. */
#include "guests/hyper/cases.h"

enum { REASONS = 80 };
static bool seen[REASONS];
static u32 last_qualification[REASONS];
/* Controls that were 1 at an entry. */
static u32 used[5];
enum { PIN, PROC, PROC2, EXITS, ENTRIES };

void vmx_seen(void)
{
	u32 reason = out.reason & ~FAILED_ENTRY;

	used[PIN] |= vmread(VM_PIN);
	used[PROC] |= vmread(VM_PROC);
	if (vmread(VM_PROC) & PROC_SECONDARY)
		used[PROC2] |= vmread(VM_PROC2);
	used[EXITS] |= vmread(VM_EXITS);
	used[ENTRIES] |= vmread(VM_ENTRIES);
	if (reason >= REASONS)
		return;
	seen[reason] = true;
	last_qualification[reason] = (u32)out.info1;
}

/* Columns: first and last reason, why no case produces them; if the processor offers something, only without
 * it: the condition is in offered(). */
static const struct {
	u16 first, last;
	const char *why;
} not_produced[] = {
	{ 3, 4, "one processor: nothing sends INIT or SIPI" },
	{ 5, 6, "no SMI happens" },
	{ 8, 8, "no virtual NMIs offered" },
	{ 11, 11, "no SMX offered: GETSEC is #UD" },
	{ 17, 17, "RSM is #UD outside system-management mode" },
	{ 35, 35, "not an exit reason" },
	{ 36, 36, "no MONITOR offered" },
	{ 37, 37, "no monitor trap flag offered" },
	{ 38, 38, "not an exit reason" },
	{ 39, 39, "no MONITOR offered" },
	{ 41, 41, "no machine check happens" },
	{ 42, 42, "not an exit reason" },
	{ 43, 44, "no virtualization of APIC accesses offered" },
	{ 45, 45, "no virtual-interrupt delivery offered" },
	{ 46, 47, "no descriptor-table exiting offered" },
	{ 48, 50, "no EPT offered" },
	{ 51, 51, "no RDTSCP offered" },
	{ 52, 52, "no preemption timer offered" },
	{ 53, 53, "no VPID offered" },
	{ 54, 54, "no WBINVD exiting offered" },
	{ 55, 55, "no XSAVE offered" },
	{ 56, 56, "no APIC-register virtualization offered" },
	{ 57, 57, "no RDRAND offered" },
	{ 58, 58, "no INVPCID offered" },
	{ 59, 59, "no VM functions offered" },
	{ 60, 60, "no SGX offered" },
	{ 61, 61, "no RDSEED offered" },
	{ 62, 62, "no page-modification logging offered" },
	{ 63, 64, "no XSAVES offered" },
	{ 65, 65, "no PCONFIG offered" },
	{ 66, 66, "no sub-page write permissions offered" },
	{ 67, 68, "no user wait and pause offered" },
	{ 69, 69, "no key locker offered" },
	{ 70, 70, "no SGX offered" },
	{ 71, 71, "not an exit reason" },
	{ 72, 73, "no PASID translation offered" },
	{ 74, 74, "no bus-lock detection offered" },
	{ 75, 75, "no instruction timeout offered" },
	{ 76, 77, "no trust domains offered" },
	{ 78, 79, "no MSR-list instructions offered" },
};

/* Reasons that follow from a control; the bit, in a word as above. */
static const struct {
	u8 reason, word;
	u32 control;
} by_control[] = {
	{ 8, PROC, PROC_NMI_WINDOW }, { 37, PROC, PROC_MTF },	     { 43, PROC2, PROC2_APIC },
	{ 44, PROC2, PROC2_APIC },    { 45, PROC2, PROC2_DELIVERY }, { 46, PROC2, PROC2_TABLES },
	{ 47, PROC2, PROC2_TABLES },  { 48, PROC2, PROC2_EPT },	     { 49, PROC2, PROC2_EPT },
	{ 50, PROC2, PROC2_EPT },     { 51, PROC2, PROC2_RDTSCP },   { 52, PIN, PIN_TIMER },
	{ 53, PROC2, PROC2_VPID },    { 54, PROC2, PROC2_WBINVD },   { 56, PROC2, PROC2_REGISTERS },
	{ 57, PROC2, PROC2_RDRAND },  { 58, PROC2, PROC2_INVPCID },  { 59, PROC2, PROC2_VMFUNC },
	{ 62, PROC2, PROC2_PML },
};

static u64 cap(u32 word)
{
	const u64 caps[] = { vmx_caps.pin, vmx_caps.proc, vmx_caps.proc2, vmx_caps.exits, vmx_caps.entries };

	return caps[word];
}

static bool offered(u32 reason)
{
	for (u32 i = 0; i < LEN(by_control); i++)
		if (by_control[i].reason == reason)
			return vmx_has(cap(by_control[i].word), by_control[i].control);
	return false;
}

static const char *reason_for(u32 reason)
{
	for (u32 i = 0; i < LEN(not_produced) && !offered(reason); i++)
		if (reason >= not_produced[i].first && reason <= not_produced[i].last)
			return not_produced[i].why;
	return NULL;
}

/* Controls that no case sets, and why. */
static const struct {
	u8 word;
	u32 bits;
	const char *why;
} not_used[] = {
	{ PROC, PROC_MONITOR | PROC_MWAIT, "no MONITOR offered" },
	{ PROC2, PROC2_RDRAND, "RDRAND is not in CPUID" },
	{ PROC2, PROC2_RDSEED, "RDSEED is not in CPUID" },
	{ PROC2, PROC2_INVPCID, "INVPCID is not in CPUID, or executed in 64-bit mode alone" },
	{ PROC, PROC_CR8, "CR8 is there in 64-bit mode alone" },
	{ EXITS, EXITS_64, "the host is a 32-bit one" },
	{ ENTRIES, ENTRIES_64, "so are its guests" },
	{ PROC2, PROC2_RDTSCP, "RDTSCP is not in CPUID" },
};

static void report_controls(bool verbose)
{
	static const char *const names[] = { "pin-based", "primary", "secondary", "exit", "entry" };

	for (u32 w = 0; w < LEN(used); w++) {
		u32 missing = (u32)(cap(w) >> 32) & ~used[w];

		for (u32 i = 0; i < LEN(not_used); i++) {
			if (not_used[i].word != w || !(missing & not_used[i].bits))
				continue;
			if (verbose)
				print("%s controls %x not used: %s\n", names[w], missing & not_used[i].bits,
				      not_used[i].why);
			missing &= ~not_used[i].bits;
		}
		if (!missing)
			continue;
		print("FAIL %s controls: no case sets %x\n", names[w], missing);
		failed++;
	}
}

void vmx_reasons_report(bool verbose)
{
	u32 produced = 0, missing = 0;

	for (u32 i = 0; i < REASONS; i++) {
		const char *why = seen[i] ? NULL : reason_for(i);

		produced += seen[i];
		missing += !seen[i];
		if (!seen[i] && !why) {
			print("FAIL exit reason %u: no case produced it\n", i);
			failed++;
		} else if (verbose && seen[i]) {
			print("reason %u produced, last qualification %x\n", i, last_qualification[i]);
		} else if (verbose) {
			print("reason %u not produced: %s\n", i, why);
		}
	}
	report_controls(verbose);
	print("hyper: vmx: %u exit reasons produced, %u not, each with a reason\n", produced, missing);
}

/* ---- VMCS shadowing ---- */

PROGRAM(shadowed, "movl $0x681e, %edx\nmovl $0x4321, %eax\nvmwrite %eax, %edx\nvmread %edx, %ebx\n"
		  "movl $0x6ffe, %edx\nvmread %edx, %eax\npushfl\npopl %ecx");

static const char *vmcs_shadowing(enum mode m)
{
	static u8 bitmaps[2][4096] __attribute__((aligned(4096)));
	u64 other = phys_of(vmcs_other);
	const char *wrong;

	(void)m;
	if (!vmx_has(vmx_caps.proc2, PROC2_SHADOWING))
		return not_here;
	vmclear(other);
	*(u32 *)vmcs_other |= 1u << 31;
	LOAD_PROGRAM(shadowed);
	vmx_set_proc2(PROC2_SHADOWING);
	memset(bitmaps, 0, sizeof(bitmaps));
	vmwrite64(VM_VMREAD_BITMAP, phys_of(bitmaps[0]));
	vmwrite64(VM_VMWRITE_BITMAP, phys_of(bitmaps[1]));
	vmwrite64(VM_LINK, other);
	wrong = until_hypercall(END_OF(shadowed));
	if (!wrong)
		wrong = differs("what the guest read", regs.ebx, 0x4321);
	if (!wrong)
		wrong = differs("ZF and CF behind VMREAD of no field", regs.ecx & 0x41, 0x40);
	bitmaps[1][0x681e / 8] = 1 << (0x681e & 7);
	be->set(S_EIP, G_CODE);
	if (!wrong)
		wrong = until_exit(25, 0);
	bitmaps[1][0x681e / 8] = 0;
	bitmaps[0][0x681e / 8] = 1 << (0x681e & 7);
	if (!wrong)
		wrong = until_exit(23, 0);
	vmwrite64(VM_LINK, ~0ull);
	if (!wrong && vmptrld(other))
		wrong = "VMPTRLD of the shadow VMCS failed";
	if (!wrong)
		wrong = differs("EIP of the shadow VMCS", vmread(VM_EIP), 0x4321);
	if (!wrong)
		wrong = differs("VMLAUNCH of a shadow VMCS", vm_outcome(vmx_run(&regs, 0)), NO_CURRENT);
	vmclear(other);
	*(u32 *)vmcs_other &= ~(1u << 31);
	vmptrld(phys_of(vmcs_region));
	return wrong;
}

const struct program vmx_programs[] = {
	{ "vmcs_shadowing", PROTECTED, ON_VMX, vmcs_shadowing },
};
const u32 vmx_program_count = LEN(vmx_programs);
