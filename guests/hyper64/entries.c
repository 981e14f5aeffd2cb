/* SPDX-License-Identifier: GPL-3.0-or-later
 * Entries that IA-32e mode makes fail, each by one value; and entries with random state. */
#include "guests/hyper64/hyper.h"

enum { HOST_FAILS = 8, CONTROL_FAILS = 7, GUEST_FAILS = 33 };
#define NOT_CANONICAL 0x800000000000ull

/* VMX: VALUE for a field (xor'ed to what is there), and how the entry fails. */
static const struct bad_field {
	const char *name;
	u32 field, how;
	u64 change;
	bool set; /* CHANGE is the value */
} bad_fields[] = {
	{ "host RIP", VM_HOST_EIP, HOST_FAILS, NOT_CANONICAL, true },
	{ "host FS base", VM_HOST_FS_BASE, HOST_FAILS, NOT_CANONICAL, true },
	{ "host TR base", VM_HOST_TR_BASE, HOST_FAILS, NOT_CANONICAL, true },
	{ "host IDTR base", VM_HOST_IDT_BASE, HOST_FAILS, NOT_CANONICAL, true },
	{ "host SYSENTER_EIP", VM_HOST_SYSENTER_EIP, HOST_FAILS, NOT_CANONICAL, true },
	{ "host CR4.PAE", VM_HOST_CR4, HOST_FAILS, CR4_PAE, false },
	{ "host CR3", VM_HOST_CR3, HOST_FAILS, BIT(51), false },
	{ "host EFER.LMA", VM_HOST_EFER, HOST_FAILS, EFER_LMA, false },
	{ "host EFER.LME", VM_HOST_EFER, HOST_FAILS, EFER_LME, false },
	{ "guest RIP", VM_EIP, GUEST_FAILS, NOT_CANONICAL << 1, true },
	{ "guest GDTR base", 0x6816, GUEST_FAILS, NOT_CANONICAL, true },
	{ "guest IDTR base", 0x6818, GUEST_FAILS, NOT_CANONICAL, true },
	{ "guest FS base", VM_GUEST_BASE + 2 * SEG_FS, GUEST_FAILS, NOT_CANONICAL, true },
	{ "guest GS base", VM_GUEST_BASE + 2 * SEG_GS, GUEST_FAILS, NOT_CANONICAL, true },
	{ "guest TR base", VM_GUEST_BASE + 2 * SEG_TR, GUEST_FAILS, NOT_CANONICAL, true },
	{ "guest CS base", VM_GUEST_BASE + 2 * SEG_CS, GUEST_FAILS, BIT(32), true },
	{ "guest DS base", VM_GUEST_BASE + 2 * SEG_DS, GUEST_FAILS, BIT(32), true },
	{ "guest CS.L and D", VM_GUEST_ACCESS + 2 * SEG_CS, GUEST_FAILS, BIT(14), false },
	{ "guest TR of 16 bits", VM_GUEST_ACCESS + 2 * SEG_TR, GUEST_FAILS, 0x83, true },
	{ "guest CR0.PG", 0x6800, GUEST_FAILS, CR0_PG, false },
	{ "guest CR4.PAE", 0x6804, GUEST_FAILS, CR4_PAE, false },
	{ "guest CR3", 0x6802, GUEST_FAILS, BIT(51), false },
	{ "guest RFLAGS.VM", 0x6820, GUEST_FAILS, BIT(17), false },
	{ "guest RFLAGS, high", 0x6820, GUEST_FAILS, BIT(40), false },
	{ "guest EFER.LMA", VM_GUEST_EFER, GUEST_FAILS, EFER_LMA, false },
	{ "guest EFER.LME", VM_GUEST_EFER, GUEST_FAILS, EFER_LME, false },
	{ "guest EFER, reserved", VM_GUEST_EFER, GUEST_FAILS, BIT(20), false },
	{ "guest SYSENTER_ESP", 0x6824, GUEST_FAILS, NOT_CANONICAL, true },
	{ "guest DR7, high", 0x681a, GUEST_FAILS, BIT(33), false },
	{ "host address space", VM_EXITS, HOST_FAILS, EXITS_64, false },
	{ "IA-32e mode of the guest", VM_ENTRIES, GUEST_FAILS, ENTRIES_64, false },
};

PROGRAM(nothing, "nop");

static const char *fails(const struct bad_field *f)
{
	u64 was = vmread(f->field);

	vmwrite(f->field, f->set ? f->change : was ^ f->change);
	if (f->field == 0x681a)
		vm_or(VM_ENTRIES, ENTRIES_DEBUG);
	be->enter();
	if (f->how == GUEST_FAILS)
		CHECK(f->name, out.reason, FAILED_ENTRY | GUEST_FAILS);
	else
		CHECK(f->name, out.reason == NOT_ENTERED ? out.info1 : 0, f->how);
	vmwrite(f->field, was);
	DO(until_hypercall(HIGH + END(nothing)));
	be->set(S_EIP, HIGH + G_CODE);
	return NULL;
}

static const char *vmx_failures(enum mode m)
{
	(void)m;
	LOAD(nothing);
	for (u32 i = 0; i < LEN(bad_fields); i++)
		DO(fails(&bad_fields[i]));
	return NULL;
}

/* SVM: a value of N bytes at AT. */
static const struct bad_value {
	const char *name;
	u32 at, n;
	u64 change;
} bad_values[] = {
	{ "EFER.SVME", VMCB_EFER, 8, EFER_SVME },
	{ "EFER, reserved", VMCB_EFER, 8, BIT(20) },
	{ "CR0, high", VMCB_CR0, 8, BIT(32) },
	{ "CR0.PE", VMCB_CR0, 8, 1 },
	{ "CR4.PAE", VMCB_CR4, 8, CR4_PAE },
	{ "CR4, high", VMCB_CR4, 8, BIT(40) },
	{ "CR3", VMCB_CR3, 8, BIT(51) },
	{ "CS.L and D", VMCB_SEGMENTS + 16 + 2, 2, BIT(10) },
	{ "DR6, high", VMCB_DR6, 8, BIT(32) },
	{ "DR7, high", VMCB_DR7, 8, BIT(32) },
	{ "ASID", VMCB_ASID, 4, 1 },
};

static const char *svm_failures(enum mode m)
{
	(void)m;
	LOAD(nothing);
	for (u32 i = 0; i < LEN(bad_values); i++) {
		const struct bad_value *b = &bad_values[i];
		u64 was = *vmcb64(b->at), changed = was ^ b->change;

		memcpy(vmcb + b->at, &changed, b->n);
		be->enter();
		CHECK(b->name, out.reason, ~0ull);
		*vmcb64(b->at) = was;
		DO(until_hypercall(HIGH + END(nothing)));
		be->set(S_EIP, HIGH + G_CODE);
	}
	return NULL;
}

/* In 64-bit mode the high half of a field has the upper 32 bits, and an encoding 64. */
static const char *vmcs_halves(enum mode m)
{
	u64 flags, field = VM_TSC_OFFSET | BIT(32), v;

	(void)m;
	vmwrite(VM_TSC_OFFSET, 0x1122334455667788);
	CHECK("the high half", vmread(VM_TSC_OFFSET + 1), 0x11223344);
	vmwrite(VM_TSC_OFFSET + 1, 0x99aabbcc);
	CHECK("the field", vmread(VM_TSC_OFFSET), 0x99aabbcc55667788);
	asm volatile("vmread %2, %1\npushfq\npopq %0" : "=r"(flags), "=r"(v) : "r"(field) : "cc");
	CHECK("VMfail", flags & 0x41, 0x40);
	return differs("error", vmread(VM_ERROR), 12);
}

const struct program entry_cases[] = {
	{ "entry-failures", IN(LONG) | IN(SHADOW), ON_VMX, vmx_failures },
	{ "entry-failures", IN(LONG) | IN(SHADOW), ON_SVM, svm_failures },
	{ "vmcs-halves", IN(LONG), ON_VMX, vmcs_halves },
};
const u32 entry_case_count = LEN(entry_cases);

/* ---- random states ---- */

static u64 interesting(void)
{
	u64 r = random64();

	switch (r >> 60) {
	case 0:
		return 0;
	case 1:
		return ~0ull;
	case 2:
		return BIT(r & 63);
	case 3:
		return HIGH + (r & 0xffff);
	case 4:
		return r & 0xffff;
	case 5:
		return (u32)r;
	case 6:
		return NOT_CANONICAL;
	default:
		return r;
	}
}

static void random_state(void)
{
	enum state s = (enum state)(random64() % STATES);
	u64 r = random64();

	if (r & 7) {
		be->set(s, r & 8 ? interesting() : be->get(s) ^ BIT(r >> 32 & 63));
	} else if (r & 8) {
		be->efer(r >> 8 & (EFER_LME | EFER_LMA | EFER_NXE | EFER_SCE));
	} else {
		be->set_segment((enum segment)(r >> 8 & 7), r >> 16 & 0x3f, interesting(), (u32)(r >> 24),
				(u32)(random64() & 0x1f0ff));
	}
}

/* Whatever a guest does, it comes back, as the timer's interrupt exits, and it reaches nothing of the
 * hypervisor's: devices, MSRs, CR8, and with SVM the instructions on physical addresses exit. */
static void leave_soon(void)
{
	if (be->on == ON_VMX) {
		vm_or(VM_PROC, PROC_HLT | PROC_IO | PROC_CR8);
		memset(msr_bitmap, 0xff, sizeof(msr_bitmap));
		vm_or(VM_PIN, PIN_INTR);
		vmwrite(VM_EXCEPTIONS, random64() & 0xffffffff);
	} else {
		static const u8 codes[] = { 0x18, 0x60, 0x78, 0x7b, 0x7c, 0x80, 0x81,
					    0x82, 0x83, 0x84, 0x85, 0x86, 0x8d };

		for (u32 i = 0; i < LEN(codes); i++)
			svm_intercept(codes[i]);
		memset(iopm, 0xff, sizeof(iopm));
		memset(msrpm, 0xff, sizeof(msrpm));
		*(u32 *)(vmcb + VMCB_VINTR) |= 1u << 24;
		*(u32 *)(vmcb + 8) = (u32)random64();
	}
}

void fuzz_run(u64 rounds)
{
	u32 modes = be->modes();

	for (u64 i = 0; i < rounds; i++) {
		enum mode m = (enum mode)(random64() % MODES);

		if (!(modes & IN(m)))
			continue;
		vm_reset(m);
		for (u32 k = 0; k < G_DATA - G_CODE; k += 8)
			*ram64(G_CODE + k) = random64();
		leave_soon();
		for (u64 n = random64() % 4; n; n--)
			random_state();
		for (u32 k = 0; k < 8; k++) {
			be->enter();
			asm volatile("sti; nop; cli");
			if (out.reason == NOT_ENTERED || out.reason == ~0ull ||
			    (be->on == ON_VMX && out.reason >> 31))
				break;
			be->set(S_EIP, be->get(S_EIP) + out.len % 16);
		}
	}
}
