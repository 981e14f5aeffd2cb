/* SPDX-License-Identifier: GPL-3.0-or-later
 * VT-x: the processor's capabilities, the back end's regions, the instructions. */
#ifndef HYPER_VMX_H
#define HYPER_VMX_H
#include "guests/hyper/hyper.h"
#include "guests/hyper/vmx_fields.h"

struct vmx_caps {
	u64 basic, pin, proc, proc2, exits, entries, misc,
	    ept; /* controls: allowed 0 below, allowed 1 above */
};
extern struct vmx_caps vmx_caps;
extern u8 vmxon_region[4096], vmcs_region[4096], vmcs_other[4096]; /* the last one is for any use */
extern u8 io_bitmaps[0x2000], msr_bitmap[4096], virtual_apic[4096];
extern u64 ept_table[512]; /* entries of the guest's pages */
extern u32 vmx_launched;

u32 vmx_control(u64 cap, u32 wanted); /* WANTED with the bits that must be 1, without those that must be 0 */
bool vmx_has(u64 cap, u32 bits);
void vmx_set_proc2(u32 bits); /* set them in the secondary controls, which it activates */
void invept_all(void);
bool use_perf_global(void); /* load IA32_PERF_GLOBAL_CTRL, as 0, in both directions; false: it cannot */

/* The VM instructions return their outcome: 0, or the error number; NO_CURRENT for VMfailInvalid. */
#define NO_CURRENT 0xffu
u32 vm_outcome(u32 eflags);
#define VM_INSN(name, text)                                                                                  \
	static inline u32 name(u64 pointer)                                                                  \
	{                                                                                                    \
		u32 f;                                                                                       \
                                                                                                             \
		asm volatile(text " %1\npushfl\npopl %0" : "=r"(f) : "m"(pointer) : "cc", "memory");         \
		return vm_outcome(f);                                                                        \
	}
VM_INSN(vmxon, "vmxon")
VM_INSN(vmclear, "vmclear")
VM_INSN(vmptrld, "vmptrld")

static inline u32 vmread(u32 field)
{
	u32 v;

	asm volatile("vmread %1, %0" : "=r"(v) : "r"(field) : "cc");
	return v;
}
static inline void vmwrite(u32 field, u32 v)
{
	asm volatile("vmwrite %1, %0" : : "r"(field), "r"(v) : "cc");
}
static inline void vmwrite64(u32 field, u64 v)
{
	vmwrite(field, (u32)v);
	vmwrite(field + 1, (u32)(v >> 32));
}
static inline void vm_or(u32 field, u32 bits)
{
	vmwrite(field, vmread(field) | bits);
}

/* reasons.c */
void vmx_seen(void);		       /* after each entry: its controls, its exit */
void vmx_reasons_report(bool verbose); /* which exit reasons and controls no case had, and why */

/* entry.S */
u32 vmx_run(struct regs *r, u32 launched);
void vmx_exit(void);
extern u32 vmx_host_esp;
#endif
