/* SPDX-License-Identifier: GPL-3.0-or-later
 * The SVM back end: one VMCB, permission maps that allow everything, nested tables in the host's format (two
 * levels of 32-bit entries, as the demo's kernel does not use PAE). */
#include "guests/hyper/svm.h"

#define MSR_EFER 0xc0000080u
#define MSR_VM_CR 0xc0010114u
#define MSR_VM_HSAVE_PA 0xc0010117u
#define ALIGNED __attribute__((aligned(4096)))

u8 vmcb[4096] ALIGNED, iopm[0x3000] ALIGNED, msrpm[0x2000] ALIGNED;
u32 svm_features;
bool svm_lean;
static u8 hsave[4096] ALIGNED, host_extra[4096] ALIGNED;
static u32 nested_dir[1024] ALIGNED, nested_table[1024] ALIGNED;

static const struct {
	u16 at;
	u16 size;
} fields[] = {
#define STATE(id, vmcs, vmcb, size) { vmcb, size },
#include "guests/hyper/state.def"
#undef STATE
};

static void vmload(const void *block)
{
	asm volatile("vmload %%eax" : : "a"(phys_of(block)) : "memory");
}

static void vmsave(void *block)
{
	asm volatile("vmsave %%eax" : : "a"(phys_of(block)) : "memory");
}

static const char *enable(void)
{
	u32 r[4];

	cpuid(0x80000000, r);
	if (r[0] < 0x8000000a)
		return "no leaf 8000000A";
	cpuid(0x80000001, r);
	if (!(r[2] & 4))
		return "no SVM";
	if (rdmsr(MSR_VM_CR) & 0x10)
		return "VM_CR.SVMDIS is set";
	cpuid(0x8000000a, r);
	svm_features = r[3];
	print("svm: revision %u, %u ASIDs, features %08x\n", r[0] & 0xff, r[1], r[3]);
	wrmsr64(MSR_EFER, rdmsr(MSR_EFER) | EFER_SVME);
	wrmsr64(MSR_VM_HSAVE_PA, phys_of(hsave));
	vmsave(host_extra);
	return NULL;
}

static u32 modes(void)
{
	return IN(SHADOW) | (svm_features & SVM_FEATURE_NP ? NESTED : 0);
}

static u32 get(enum state s)
{
	const u8 *at = vmcb + fields[s].at;

	return fields[s].size == 2 ? *(const u16 *)at : *(const u32 *)at;
}

static void set(enum state s, u32 v)
{
	if (fields[s].size == 2)
		*(u16 *)(vmcb + fields[s].at) = (u16)v;
	else
		*vmcb32(fields[s].at) = v;
}

/* VMCB slots are in the order of segment register numbers, then GDTR, LDTR, IDTR, TR. */
static void set_segment(enum segment s, u32 sel, u32 base, u32 limit, u32 access)
{
	static const u8 slots[] = { 0, 1, 2, 3, 4, 5, 7, 9 };
	u8 *at = vmcb + VMCB_SEGMENTS + 16 * slots[s];
	u32 attributes = (access & 0xff) | (access >> 4 & 0xf00);

	*(u16 *)at = (u16)sel;
	*(u16 *)(at + 2) = access & UNUSABLE ? 0 : (u16)attributes;
	*(u32 *)(at + 4) = limit;
	*(u32 *)(at + 8) = base;
}

static void cpl(u32 level)
{
	vmcb[VMCB_CPL] = (u8)level;
}

void svm_entry(u32 page, u32 entry)
{
	nested_table[page] = entry;
	vmcb[VMCB_TLB] = 1;
}

static void nested(u32 page, u32 machine, u32 rights)
{
	nested_table[page] = rights ? machine | PTE_P | PTE_U | (rights & RIGHT_W ? PTE_W : 0) : 0;
	vmcb[VMCB_TLB] = 1;
}

static void allow(u32 page, u32 machine)
{
	nested_table[page] = machine | PTE_P | PTE_W | PTE_U;
}

static void reset(enum mode m)
{
	memset(vmcb, 0, sizeof(vmcb));
	memset(iopm, 0, sizeof(iopm));
	memset(msrpm, 0, sizeof(msrpm));
	memset(nested_table, 0, sizeof(nested_table));
	memset(nested_dir, 0, sizeof(nested_dir));
	nested_dir[0] = phys_of(nested_table) | PTE_P | PTE_W | PTE_U;
	svm_intercept(0x80);
	svm_intercept(0x81);
	svm_intercept(0x7f);
	*vmcb32(VMCB_IOPM) = phys_of(iopm);
	*vmcb32(VMCB_MSRPM) = phys_of(msrpm);
	*vmcb32(VMCB_ASID) = 1;
	vmcb[VMCB_TLB] = 1;
	*vmcb32(VMCB_EFER) = EFER_SVME;
	*vmcb32(VMCB_DR6) = 0xffff0ff0;
	*vmcb32(VMCB_PAT) = 0x00070406;
	*vmcb32(VMCB_PAT + 4) = 0x00070406;
	if (m != SHADOW) {
		*vmcb32(VMCB_NP) = 1;
		*vmcb32(VMCB_NCR3) = phys_of(nested_dir);
	}
}

static u32 nrip_len(void)
{
	return svm_features & SVM_FEATURE_NRIPS && *vmcb32(VMCB_NRIP) ? *vmcb32(VMCB_NRIP) - get(S_EIP) : 0;
}

/* With GIF clear, interrupts enabled: what is pending reaches the guest or makes it exit. */
static void enter(void)
{
	*vmcb32(VMCB_EAX) = regs.eax;
	asm volatile("clgi; sti" : : : "memory");
	if (!svm_lean)
		vmload(vmcb);
	svm_run(&regs, phys_of(vmcb));
	if (!svm_lean) {
		vmsave(vmcb);
		vmload(host_extra);
	}
	asm volatile("cli; stgi" : : : "memory");
	regs.eax = *vmcb32(VMCB_EAX);
	vmcb[VMCB_TLB] = 0;
	out = (struct exit){ .reason = *vmcb32(VMCB_EXITCODE),
			     .info1 = *(u64 *)(vmcb + VMCB_INFO1),
			     .info2 = *(u64 *)(vmcb + VMCB_INFO2),
			     .vectoring = *vmcb32(VMCB_EXITINTINFO),
			     .vectoring_error = *vmcb32(VMCB_EXITINTINFO + 4),
			     .len = nrip_len() };
	svm_code_seen(out.reason);
}

static void inject(u32 type, u32 vector, bool has_error, u32 error, u32 len)
{
	(void)len;
	*vmcb32(VMCB_EVENTINJ) = 1u << 31 | (has_error ? 1u << 11 : 0) | type << 8 | vector;
	*vmcb32(VMCB_EVENTINJ + 4) = error;
}

static u64 round_trips(u32 n, u32 skip)
{
	u32 pa = phys_of(vmcb);
	u64 start;

	*vmcb32(VMCB_EAX) = regs.eax;
	start = rdtsc();
	while (n--) {
		svm_run(&regs, pa);
		*vmcb32(0x578) += skip;
	}
	return rdtsc() - start;
}

const struct backend svm_backend = {
	"svm", ON_SVM, { 0x0f, 0x01, 0xd9 }, 0x81,   enable, modes,  reset, enter,
	get,   set,    set_segment,	     nested, allow,  inject, cpl,   round_trips,
};
