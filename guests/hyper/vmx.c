/* SPDX-License-Identifier: GPL-3.0-or-later
 * The VMX back end: one VMCS for a 32-bit host, four levels of EPT over the guest's pages where the processor
 * has it. */
#include "guests/hyper/vmx.h"

#define MSR_FEATURE_CONTROL 0x3a
#define MSR_VMX 0x480
#define CR4_VMXE 0x2000u
#define ALIGNED __attribute__((aligned(4096)))

struct vmx_caps vmx_caps;
u8 vmxon_region[4096] ALIGNED, vmcs_region[4096] ALIGNED, vmcs_other[4096] ALIGNED;
u8 io_bitmaps[0x2000] ALIGNED, msr_bitmap[4096] ALIGNED, virtual_apic[4096] ALIGNED;
u64 ept_table[512] ALIGNED;
static u64 ept_pml4[512] ALIGNED, ept_pdpt[512] ALIGNED, ept_pd[512] ALIGNED;
u32 vmx_launched;

static const u16 fields[] = {
#define STATE(id, vmcs, vmcb, size) vmcs,
#include "guests/hyper/state.def"
#undef STATE
};

u32 vm_outcome(u32 eflags)
{
	return eflags & 1 ? NO_CURRENT : eflags & 0x40 ? vmread(VM_ERROR) : 0;
}

bool vmx_has(u64 cap, u32 bits)
{
	return ((u32)(cap >> 32) & bits) == bits;
}

u32 vmx_control(u64 cap, u32 wanted)
{
	return (wanted | (u32)cap) & (u32)(cap >> 32);
}

static void read_caps(void)
{
	u32 real = 0;

	vmx_caps.basic = rdmsr(MSR_VMX);
	if (vmx_caps.basic >> 55 & 1)
		real = 0x48d - 0x481;
	vmx_caps.pin = rdmsr(0x481 + real);
	vmx_caps.proc = rdmsr(0x482 + real);
	vmx_caps.exits = rdmsr(0x483 + real);
	vmx_caps.entries = rdmsr(0x484 + real);
	vmx_caps.misc = rdmsr(0x485);
	if (vmx_has(vmx_caps.proc, PROC_SECONDARY))
		vmx_caps.proc2 = rdmsr(0x48b);
	if (vmx_has(vmx_caps.proc2, PROC2_EPT) || vmx_has(vmx_caps.proc2, PROC2_VPID))
		vmx_caps.ept = rdmsr(0x48c);
}

static const char *enable(void)
{
	u32 r[4];

	cpuid(1, r);
	if (!(r[2] & 0x20))
		return "no VMX";
	if (!(rdmsr(MSR_FEATURE_CONTROL) & 1))
		wrmsr64(MSR_FEATURE_CONTROL, 5);
	if ((rdmsr(MSR_FEATURE_CONTROL) & 5) != 5)
		return "IA32_FEATURE_CONTROL forbids VMXON";
	read_caps();
	print("vmx: revision %08x, pin %08x, proc %08x %08x, exits %08x, entries %08x, ept %08x\n",
	      (u32)vmx_caps.basic, (u32)(vmx_caps.pin >> 32), (u32)(vmx_caps.proc >> 32),
	      (u32)(vmx_caps.proc2 >> 32), (u32)(vmx_caps.exits >> 32), (u32)(vmx_caps.entries >> 32),
	      (u32)vmx_caps.ept);
	write_cr0((read_cr0() | (u32)rdmsr(0x486)) & (u32)rdmsr(0x487));
	write_cr4((read_cr4() | CR4_VMXE | (u32)rdmsr(0x488)) & (u32)rdmsr(0x489));
	*(u32 *)vmxon_region = *(u32 *)vmcs_region = *(u32 *)vmcs_other = (u32)vmx_caps.basic & 0x7fffffff;
	if (vmxon(phys_of(vmxon_region)))
		return "VMXON failed";
	return NULL;
}

static u32 modes(void)
{
	u32 m = IN(SHADOW);

	if (vmx_has(vmx_caps.proc2, PROC2_EPT))
		m |= IN(PAGED);
	if (vmx_has(vmx_caps.proc2, PROC2_UNRESTRICTED))
		m |= IN(REAL) | IN(FLAT);
	return m;
}

static u32 get(enum state s)
{
	return vmread(fields[s]);
}

static void set(enum state s, u32 v)
{
	if (s == S_CR4)
		v |= CR4_VMXE;
	vmwrite(fields[s], v);
}

static void set_segment(enum segment s, u32 sel, u32 base, u32 limit, u32 access)
{
	vmwrite(VM_GUEST_SEL + 2 * s, sel);
	vmwrite(VM_GUEST_BASE + 2 * s, base);
	vmwrite(VM_GUEST_LIMIT + 2 * s, limit);
	vmwrite(VM_GUEST_ACCESS + 2 * s, access);
}

static void cpl(u32 level)
{
	(void)level; /* it is SS.DPL */
}

void invept_all(void)
{
	struct {
		u64 eptp, zero;
	} d = { 0, 0 };
	u32 type = 2;

	if (vmx_caps.ept >> 20 & 1)
		asm volatile("invept %0, %1" : : "m"(d), "r"(type) : "cc", "memory");
}

static void nested(u32 page, u32 machine, u32 rights)
{
	ept_table[page] = rights ? machine | rights | (vmx_caps.ept & 1 << 14 ? 6 << 3 : 0) : 0;
	invept_all();
}

void vmx_set_proc2(u32 bits)
{
	vm_or(VM_PROC, PROC_SECONDARY);
	vm_or(VM_PROC2, bits);
}

bool use_perf_global(void)
{
	if (!vmx_has(vmx_caps.entries, ENTRIES_PERF) || !vmx_has(vmx_caps.exits, EXITS_PERF))
		return false;
	vm_or(VM_ENTRIES, ENTRIES_PERF);
	vm_or(VM_EXITS, EXITS_PERF);
	vmwrite64(VM_GUEST_PERF, 0);
	vmwrite64(VM_HOST_PERF, 0);
	return true;
}

static void host_state(void)
{
	struct pseudo_desc g, i;
	u16 fs, gs;

	asm volatile("sgdt %0\nsidt %1" : "=m"(g), "=m"(i));
	asm volatile("movw %%fs, %0\nmovw %%gs, %1" : "=r"(fs), "=r"(gs));
	vmwrite(VM_HOST_CR0, read_cr0());
	vmwrite(VM_HOST_CR3, read_cr3());
	vmwrite(VM_HOST_CR4, read_cr4());
	for (enum segment s = SEG_ES; s <= SEG_DS; s++)
		vmwrite(VM_HOST_SEL + 2 * s, s == SEG_CS ? SEL_KCODE : SEL_KDATA);
	vmwrite(VM_HOST_SEL + 2 * SEG_FS, fs & ~7u);
	vmwrite(VM_HOST_SEL + 2 * SEG_GS, gs & ~7u);
	vmwrite(VM_HOST_SEL + 12, SEL_TSS); /* there is no LDTR between */
	vmwrite(VM_HOST_FS_BASE, 0);
	vmwrite(VM_HOST_GS_BASE, 0);
	vmwrite(VM_HOST_TR_BASE, (u32)&tss);
	vmwrite(VM_HOST_GDT_BASE, g.base);
	vmwrite(VM_HOST_IDT_BASE, i.base);
	vmwrite(VM_HOST_SYSENTER_CS, 0);
	vmwrite(VM_HOST_SYSENTER_ESP, 0);
	vmwrite(VM_HOST_SYSENTER_EIP, 0);
	vmwrite(VM_HOST_EIP, (u32)vmx_exit);
	vmx_host_esp = 0;
}

/* What must hold something and is not set elsewhere: a VMCS has no defined contents at first. */
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
				    0x482a,
				    0x6824,
				    0x6826,
				    0x4828 };

	for (u32 i = 0; i < LEN(zero); i++)
		vmwrite(zero[i], 0);
	vmwrite64(VM_DEBUGCTL, 0);
	vmwrite64(VM_EXIT_STORE, 0);
	vmwrite64(VM_EXIT_LOAD, 0);
	vmwrite64(VM_ENTRY_LOAD, 0);
	vmwrite64(VM_LINK, ~0ull);
}

static void use_ept(enum mode m)
{
	memset(ept_table, 0, sizeof(ept_table));
	/* Bit 10 counts with mode-based execute control only. */
	ept_pml4[0] = phys_of(ept_pdpt) | RIGHT_ALL | 0x400;
	ept_pdpt[0] = phys_of(ept_pd) | RIGHT_ALL | 0x400;
	ept_pd[0] = phys_of(ept_table) | RIGHT_ALL | 0x400;
	vmwrite64(VM_EPTP, phys_of(ept_pml4) | 3 << 3 | (vmx_caps.ept & 1 << 14 ? 6 : 0));
	vmx_set_proc2(PROC2_EPT | (m == PAGED ? 0 : PROC2_UNRESTRICTED));
}

static void allow(u32 page, u32 machine)
{
	ept_table[page] = machine | RIGHT_ALL | (vmx_caps.ept & 1 << 14 ? 6 << 3 : 0);
}

static void reset(enum mode m)
{
	vmclear(phys_of(vmcs_region));
	vmptrld(phys_of(vmcs_region));
	vmx_launched = 0;
	memset(io_bitmaps, 0, sizeof(io_bitmaps));
	memset(msr_bitmap, 0, sizeof(msr_bitmap));
	memset(virtual_apic, 0, sizeof(virtual_apic));
	vmwrite(VM_PIN, vmx_control(vmx_caps.pin, 0));
	vmwrite(VM_PROC, vmx_control(vmx_caps.proc, 0));
	vmwrite(VM_PROC2, vmx_control(vmx_caps.proc2, 0));
	vmwrite(VM_EXITS, vmx_control(vmx_caps.exits, 0));
	vmwrite(VM_ENTRIES, vmx_control(vmx_caps.entries, 0));
	vmwrite64(VM_IO_A, phys_of(io_bitmaps));
	vmwrite64(VM_IO_B, phys_of(io_bitmaps) + 4096);
	vmwrite64(VM_MSR_BITMAP, phys_of(msr_bitmap));
	zero_fields();
	/* Without the bitmaps every access would exit. */
	vm_or(VM_PROC, vmx_control(vmx_caps.proc, PROC_MSR_BITMAPS));
	host_state();
	set(S_CR4, 0);
	if (m != SHADOW)
		use_ept(m);
}

static void enter(void)
{
	u32 flags = vmx_run(&regs, vmx_launched);

	out = (struct exit){ .reason = NOT_ENTERED };
	if (flags) {
		out.info1 = vm_outcome(flags);
		return;
	}
	out.reason = vmread(VM_REASON);
	if (!(out.reason & FAILED_ENTRY))
		vmx_launched = 1;
	out.info1 = vmread(VM_QUALIFICATION);
	out.len = vmread(VM_LEN);
	out.insn = vmread(VM_INSN);
	out.event = vmread(VM_EVENT);
	out.error = vmread(VM_EVENT_ERROR);
	out.vectoring = vmread(VM_VECTORING);
	out.vectoring_error = vmread(VM_VECTORING_ERROR);
	out.linear = vmread(VM_LINEAR);
	if (out.reason == 48 || out.reason == 49)
		out.info2 = vmread(VM_GPA) | (u64)vmread(VM_GPA + 1) << 32;
	vmx_seen();
}

static void inject(u32 type, u32 vector, bool has_error, u32 error, u32 len)
{
	vmwrite(VM_INJECT, 1u << 31 | (has_error ? 1u << 11 : 0) | type << 8 | vector);
	vmwrite(VM_INJECT_ERROR, error);
	vmwrite(VM_INJECT_LEN, len);
}

/* As the smallest hypervisor would do it: read the reason, skip the instruction. */
static u64 round_trips(u32 n, u32 skip)
{
	u64 start = rdtsc();

	while (n--) {
		if (vmx_run(&regs, vmx_launched) || vmread(VM_REASON) & FAILED_ENTRY)
			return 0;
		vmx_launched = 1;
		if (skip)
			vmwrite(VM_EIP, vmread(VM_EIP) + skip);
	}
	return rdtsc() - start;
}

const struct backend vmx_backend = {
	"vmx", ON_VMX, { 0x0f, 0x01, 0xc1 }, 18,     enable, modes,  reset, enter,
	get,   set,    set_segment,	     nested, allow,  inject, cpl,   round_trips,
};
