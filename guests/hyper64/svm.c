/* SPDX-License-Identifier: GPL-3.0-or-later
 * The SVM back end: one VMCB, permission maps that allow everything, nested tables of four levels. */
#include "guests/hyper64/hyper.h"

#define ALIGNED __attribute__((aligned(4096)))
enum { MSR_VM_CR = 0xc0010114u, MSR_VM_HSAVE_PA = 0xc0010117u };

u8 vmcb[4096] ALIGNED, iopm[0x3000] ALIGNED, msrpm[0x2000] ALIGNED;
u32 svm_features;
static u8 hsave[4096] ALIGNED, host_extra[4096] ALIGNED;
static u64 nested_pml4[512] ALIGNED, nested_pdpt[512] ALIGNED, nested_pd[512] ALIGNED, nested_pt[512] ALIGNED;

static const struct {
	u16 at, size;
} fields[] = {
#define STATE(id, vmcs, vmcb, size) { vmcb, size },
#include "guests/hyper/state.def"
#undef STATE
};

static void vmload(const void *block)
{
	asm volatile("vmload %%rax" : : "a"(phys_of(block)) : "memory");
}

static void vmsave(void *block)
{
	asm volatile("vmsave %%rax" : : "a"(phys_of(block)) : "memory");
}

static const char *enable(void)
{
	u32 r[4] = { 0x8000000a };

	if (!cpu_has(0x80000001, 0, 2, 2))
		return "no SVM";
	if (rdmsr(MSR_VM_CR) & 0x10)
		return "VM_CR.SVMDIS is set";
	asm volatile("cpuid" : "+a"(r[0]), "=b"(r[1]), "=c"(r[2]), "=d"(r[3]));
	svm_features = r[3];
	wrmsr(MSR_EFER, rdmsr(MSR_EFER) | EFER_SVME);
	wrmsr(MSR_VM_HSAVE_PA, phys_of(hsave));
	vmsave(host_extra);
	return NULL;
}

static u32 modes(void)
{
	return IN(SHADOW) | (svm_features & SVM_FEATURE_NP ? IN(LONG) | IN(COMPAT) | IN(FLAT) : 0);
}

static u64 get(enum state s)
{
	const u8 *at = vmcb + fields[s].at;

	return fields[s].size == 2   ? *(const u16 *)at
	       : fields[s].size == 4 ? *(const u32 *)at
				     : *(const u64 *)at;
}

static void set(enum state s, u64 v)
{
	memcpy(vmcb + fields[s].at, &v, fields[s].size);
}

static void efer(u64 v)
{
	*vmcb64(VMCB_EFER) = v | EFER_SVME;
}

static u64 get_efer(void)
{
	return *vmcb64(VMCB_EFER) & ~(u64)EFER_SVME;
}

static void set_segment(enum segment s, u32 sel, u64 base, u32 limit, u32 access)
{
	static const u8 slots[] = { 0, 1, 2, 3, 4, 5, 7, 9 };
	u8 *at = vmcb + VMCB_SEGMENTS + 16 * slots[s];

	*(u16 *)at = (u16)sel;
	*(u16 *)(at + 2) = access & UNUSABLE ? 0 : (u16)((access & 0xff) | (access >> 4 & 0xf00));
	*(u32 *)(at + 4) = limit;
	*(u64 *)(at + 8) = base;
}

static void use_nested(void)
{
	nested_pml4[0] = phys_of(nested_pdpt) | 7;
	nested_pdpt[0] = phys_of(nested_pd) | 7;
	nested_pd[0] = phys_of(nested_pt) | 7;
	for (u64 p = 0; p < G_BYTES / 4096; p++)
		nested_pt[p] = phys_of(ram + 4096 * p) | 7;
	nested_pt[G_READONLY / 4096] &= ~2ull;
	nested_pt[G_HOLE / 4096] = 0;
	*vmcb64(VMCB_NP) = 1;
	*vmcb64(VMCB_NCR3) = phys_of(nested_pml4);
}

static void reset(enum mode m)
{
	memset(vmcb, 0, sizeof(vmcb));
	memset(iopm, 0, sizeof(iopm));
	memset(msrpm, 0, sizeof(msrpm));
	svm_intercept(0x80);
	svm_intercept(0x81);
	svm_intercept(0x7f);
	*vmcb64(VMCB_IOPM) = phys_of(iopm);
	*vmcb64(VMCB_MSRPM) = phys_of(msrpm);
	*(u32 *)(vmcb + VMCB_ASID) = 1;
	vmcb[VMCB_TLB] = 1;
	*vmcb64(VMCB_DR6) = 0xffff0ff0;
	*vmcb64(VMCB_PAT) = 0x0007040600070406;
	if (m != SHADOW)
		use_nested();
}

static void enter(void)
{
	*vmcb64(VMCB_EAX) = regs[RAX];
	asm volatile("clgi; sti" : : : "memory");
	vmload(vmcb);
	svm_run(regs, phys_of(vmcb));
	vmsave(vmcb);
	vmload(host_extra);
	asm volatile("cli; stgi" : : : "memory");
	regs[RAX] = *vmcb64(VMCB_EAX);
	vmcb[VMCB_TLB] = 0;
	out = (struct exit){ .reason = *vmcb64(VMCB_EXITCODE),
			     .info1 = *vmcb64(VMCB_INFO1),
			     .info2 = *vmcb64(VMCB_INFO2),
			     .vectoring = *(u32 *)(vmcb + VMCB_EXITINTINFO) };
	if (svm_features & SVM_FEATURE_NRIPS && *vmcb64(VMCB_NRIP))
		out.len = *vmcb64(VMCB_NRIP) - get(S_EIP);
}

static void inject(u32 type, u32 vector, bool has_error, u32 error)
{
	*vmcb64(VMCB_EVENTINJ) =
	    1u << 31 | (has_error ? 1u << 11 : 0) | type << 8 | vector | (u64)error << 32;
}

static u64 round_trips(u32 n, u32 skip)
{
	u64 pa = phys_of(vmcb), start;

	*vmcb64(VMCB_EAX) = regs[RAX];
	start = rdtsc();
	while (n--) {
		svm_run(regs, pa);
		vmcb[VMCB_TLB] = 0;
		*vmcb64(0x578) += skip;
	}
	start = rdtsc() - start;
	asm volatile("stgi" : : : "memory");
	return start;
}

const struct backend svm_backend = {
	"svm", ON_SVM,	 { 0x0f, 0x01, 0xd9 }, 0x81,   enable,	    modes, reset, enter, get, set,
	efer,  get_efer, set_segment,	       inject, round_trips,
};
