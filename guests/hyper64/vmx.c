/* SPDX-License-Identifier: GPL-3.0-or-later
 * The VMX back end: one VMCS for a 64-bit host, four levels of EPT over the guest's pages. */
#include "guests/hyper64/hyper.h"

#define ALIGNED __attribute__((aligned(4096)))
#define CR4_VMXE 0x2000u
enum { MSR_FEATURE_CONTROL = 0x3a, MSR_VMX = 0x480 };
enum { EPT_ALL = 7, EPT_WB = 6 << 3, CARRY = 1, ZERO = 0x40 };

struct vmx_caps vmx_caps;
u8 io_bitmaps[0x2000] ALIGNED, msr_bitmap[4096] ALIGNED, virtual_apic[4096] ALIGNED;
static u8 vmxon_region[4096] ALIGNED, vmcs_region[4096] ALIGNED;
static u64 ept_pml4[512] ALIGNED, ept_pdpt[512] ALIGNED, ept_pd[512] ALIGNED, ept_pt[512] ALIGNED;
static u64 launched;

static const u16 fields[] = {
#define STATE(id, vmcs, vmcb, size) vmcs,
#include "guests/hyper/state.def"
#undef STATE
};

#define VM_INSN(name)                                                                                        \
	static u64 name(u64 pointer)                                                                         \
	{                                                                                                    \
		u64 f;                                                                                       \
                                                                                                             \
		asm volatile(#name " %1\npushfq\npopq %0" : "=r"(f) : "m"(pointer) : "cc", "memory");        \
		return f & (CARRY | ZERO);                                                                   \
	}
VM_INSN(vmxon)
VM_INSN(vmclear)
VM_INSN(vmptrld)

bool vmx_has(u64 cap, u32 bits)
{
	return ((u32)(cap >> 32) & bits) == bits;
}

static u32 control(u64 cap, u32 wanted)
{
	return (wanted | (u32)cap) & (u32)(cap >> 32);
}

void vmx_proc2(u32 bits)
{
	vm_or(VM_PROC, PROC_SECONDARY);
	vm_or(VM_PROC2, bits);
}

static const char *enable(void)
{
	u32 real;

	if (!cpu_has(1, 0, 2, 5))
		return "no VMX";
	if (!(rdmsr(MSR_FEATURE_CONTROL) & 1))
		wrmsr(MSR_FEATURE_CONTROL, 5);
	vmx_caps.basic = rdmsr(MSR_VMX);
	real = vmx_caps.basic >> 55 & 1 ? 0x48d - 0x481 : 0;
	vmx_caps.pin = rdmsr(0x481 + real);
	vmx_caps.proc = rdmsr(0x482 + real);
	vmx_caps.exits = rdmsr(0x483 + real);
	vmx_caps.entries = rdmsr(0x484 + real);
	vmx_caps.misc = rdmsr(0x485);
	if (vmx_has(vmx_caps.proc, PROC_SECONDARY))
		vmx_caps.proc2 = rdmsr(0x48b);
	if (vmx_has(vmx_caps.proc2, PROC2_EPT))
		vmx_caps.ept = rdmsr(0x48c);
	if (!vmx_has(vmx_caps.exits, EXITS_64 | EXITS_EFER) ||
	    !vmx_has(vmx_caps.entries, ENTRIES_64 | ENTRIES_EFER))
		return "no 64-bit hosts, or EFER is not loaded";
	write_cr0((read_cr0() | rdmsr(0x486)) & rdmsr(0x487));
	write_cr4((read_cr4() | CR4_VMXE | rdmsr(0x488)) & rdmsr(0x489));
	*(u32 *)vmxon_region = *(u32 *)vmcs_region = (u32)vmx_caps.basic & 0x7fffffff;
	return vmxon(phys_of(vmxon_region)) ? "VMXON failed" : NULL;
}

static u32 modes(void)
{
	u32 m = IN(SHADOW);

	if (vmx_has(vmx_caps.proc2, PROC2_EPT))
		m |= IN(LONG) | IN(COMPAT);
	if (vmx_has(vmx_caps.proc2, PROC2_UNRESTRICTED))
		m |= IN(FLAT);
	return m;
}

static u64 get(enum state s)
{
	return vmread(fields[s]);
}

static void set(enum state s, u64 v)
{
	vmwrite(fields[s], s == S_CR4 ? v | CR4_VMXE : v);
}

/* The control follows LMA. */
static void efer(u64 v)
{
	vmwrite(VM_GUEST_EFER, v);
	vmwrite(VM_ENTRIES,
		v & EFER_LMA ? vmread(VM_ENTRIES) | ENTRIES_64 : vmread(VM_ENTRIES) & ~(u64)ENTRIES_64);
}

static u64 get_efer(void)
{
	return vmread(VM_GUEST_EFER);
}

static void set_segment(enum segment s, u32 sel, u64 base, u32 limit, u32 access)
{
	vmwrite(VM_GUEST_SEL + 2 * s, sel);
	vmwrite(VM_GUEST_BASE + 2 * s, base);
	vmwrite(VM_GUEST_LIMIT + 2 * s, limit);
	vmwrite(VM_GUEST_ACCESS + 2 * s, access);
}

static void host_state(void)
{
	struct pseudo_desc g, i;

	asm volatile("sgdt %0\nsidt %1" : "=m"(g), "=m"(i));
	vmwrite(VM_HOST_CR0, read_cr0());
	vmwrite(VM_HOST_CR3, read_cr3());
	vmwrite(VM_HOST_CR4, read_cr4());
	for (enum segment s = SEG_ES; s <= SEG_GS; s++)
		vmwrite(VM_HOST_SEL + 2 * s, s == SEG_CS ? SEL_KCODE : 0);
	vmwrite(VM_HOST_SEL + 12, SEL_TSS); /* there is no LDTR between */
	vmwrite(VM_HOST_FS_BASE, rdmsr(MSR_FS_BASE));
	vmwrite(VM_HOST_GS_BASE, rdmsr(MSR_GS_BASE));
	vmwrite(VM_HOST_TR_BASE, (u64)&tss);
	vmwrite(VM_HOST_GDT_BASE, g.base);
	vmwrite(VM_HOST_IDT_BASE, i.base);
	vmwrite(VM_HOST_SYSENTER_CS, 0);
	vmwrite(VM_HOST_SYSENTER_ESP, 0);
	vmwrite(VM_HOST_SYSENTER_EIP, 0);
	vmwrite(VM_HOST_EFER, rdmsr(MSR_EFER));
	vmwrite(VM_HOST_EIP, (u64)vmx_exit);
}

/* What is not set elsewhere: a VMCS has no defined contents at first. */
static void zero_fields(void)
{
	static const u16 zero[] = { VM_EXCEPTIONS,
				    VM_PF_MASK,
				    VM_PF_MATCH,
				    VM_CR3_COUNT,
				    VM_INJECT,
				    VM_INJECT_ERROR,
				    VM_INJECT_LEN,
				    VM_EXIT_STORE_COUNT,
				    VM_EXIT_LOAD_COUNT,
				    VM_ENTRY_LOAD_COUNT,
				    VM_INTERRUPTIBILITY,
				    VM_ACTIVITY,
				    VM_PENDING_DEBUG,
				    VM_CR0_MASK,
				    VM_CR4_MASK,
				    VM_CR0_SHADOW,
				    VM_CR4_SHADOW,
				    VM_DEBUGCTL,
				    VM_EXIT_STORE,
				    VM_EXIT_LOAD,
				    VM_ENTRY_LOAD,
				    0x482a,
				    0x6824,
				    0x6826,
				    0x4828 };

	for (u32 i = 0; i < LEN(zero); i++)
		vmwrite(zero[i], 0);
	vmwrite(VM_LINK, ~0ull);
}

static void use_ept(enum mode m)
{
	ept_pml4[0] = phys_of(ept_pdpt) | EPT_ALL;
	ept_pdpt[0] = phys_of(ept_pd) | EPT_ALL;
	ept_pd[0] = phys_of(ept_pt) | EPT_ALL;
	for (u64 p = 0; p < G_BYTES / 4096; p++)
		ept_pt[p] = phys_of(ram + 4096 * p) | EPT_ALL | EPT_WB;
	ept_pt[G_READONLY / 4096] &= ~2ull;
	ept_pt[G_HOLE / 4096] = 0;
	vmwrite(VM_EPTP, phys_of(ept_pml4) | 3 << 3 | 6);
	vmx_proc2(PROC2_EPT | (m == FLAT ? PROC2_UNRESTRICTED : 0));
}

static void reset(enum mode m)
{
	static u64 vpid;

	vmclear(phys_of(vmcs_region));
	vmptrld(phys_of(vmcs_region));
	launched = 0;
	memset(io_bitmaps, 0, sizeof(io_bitmaps));
	memset(msr_bitmap, 0, sizeof(msr_bitmap));
	memset(virtual_apic, 0, sizeof(virtual_apic));
	vmwrite(VM_PIN, control(vmx_caps.pin, 0));
	vmwrite(VM_PROC, control(vmx_caps.proc, PROC_MSR_BITMAPS));
	vmwrite(VM_PROC2, control(vmx_caps.proc2, 0));
	vmwrite(VM_EXITS, control(vmx_caps.exits, EXITS_64 | EXITS_EFER));
	vmwrite(VM_ENTRIES, control(vmx_caps.entries, ENTRIES_64 | ENTRIES_EFER));
	vmwrite(VM_IO_A, phys_of(io_bitmaps));
	vmwrite(VM_IO_B, phys_of(io_bitmaps) + 4096);
	vmwrite(VM_MSR_BITMAP, phys_of(msr_bitmap));
	vmwrite(VM_VIRTUAL_APIC, phys_of(virtual_apic));
	zero_fields();
	host_state();
	if (m != SHADOW)
		use_ept(m);
	if (vmx_has(vmx_caps.proc2, PROC2_VPID)) { /* a new one: nothing is flushed otherwise */
		vmx_proc2(PROC2_VPID);
		vpid = vpid % 60000 + 1;
		vmwrite(VM_VPID, vpid);
	}
}

static void enter(void)
{
	u64 flags = vmx_run(regs, launched);

	out = (struct exit){ .reason = NOT_ENTERED };
	if (flags) {
		out.info1 = flags & CARRY ? ~0ull : vmread(VM_ERROR);
		return;
	}
	out.reason = vmread(VM_REASON);
	launched |= !(out.reason & FAILED_ENTRY);
	out.info1 = vmread(VM_QUALIFICATION);
	out.info2 = out.reason == 48 || out.reason == 49 ? vmread(VM_GPA) : 0;
	out.len = vmread(VM_LEN);
	out.insn = vmread(VM_INSN);
	out.linear = vmread(VM_LINEAR);
	out.event = vmread(VM_EVENT);
	out.error = vmread(VM_EVENT_ERROR);
	out.vectoring = vmread(VM_VECTORING);
}

static void inject(u32 type, u32 vector, bool has_error, u32 error)
{
	vmwrite(VM_INJECT, 1u << 31 | (has_error ? 1u << 11 : 0) | type << 8 | vector);
	vmwrite(VM_INJECT_ERROR, error);
}

static u64 round_trips(u32 n, u32 skip)
{
	u64 start = rdtsc();

	while (n--) {
		if (vmx_run(regs, launched) || vmread(VM_REASON) & FAILED_ENTRY)
			return 0;
		launched = 1;
		vmwrite(VM_EIP, vmread(VM_EIP) + skip);
	}
	return rdtsc() - start;
}

const struct backend vmx_backend = {
	"vmx", ON_VMX,	 { 0x0f, 0x01, 0xc1 }, 18,     enable,	    modes, reset, enter, get, set,
	efer,  get_efer, set_segment,	       inject, round_trips,
};
