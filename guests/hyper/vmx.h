/* SPDX-License-Identifier: GPL-3.0-or-later
 * VT-x: encodings of VMCS fields and bits of controls (SDM vol. 3, App. B and chapter on VMCSs), by the
 * manual and not from the project's tables, which they check. */
#ifndef HYPER_VMX_H
#define HYPER_VMX_H
#include "guests/hyper/hyper.h"

enum {
	VM_VPID = 0x0000,
	VM_EPTP_INDEX = 0x0004,
	VM_POSTED_VECTOR = 0x0002,
	VM_GUEST_SEL = 0x0800, /* + 2 * segment */
	VM_INTERRUPT_STATUS = 0x0810,
	VM_GUEST_PML_INDEX = 0x0812,
	VM_HOST_SEL = 0x0c00,
	VM_IO_A = 0x2000,
	VM_IO_B = 0x2002,
	VM_MSR_BITMAP = 0x2004,
	VM_EXIT_STORE = 0x2006,
	VM_EXIT_LOAD = 0x2008,
	VM_ENTRY_LOAD = 0x200a,
	VM_PML = 0x200e,
	VM_TSC_OFFSET = 0x2010,
	VM_VIRTUAL_APIC = 0x2012,
	VM_APIC_ACCESS = 0x2014,
	VM_POSTED = 0x2016,
	VM_FUNCTIONS = 0x2018,
	VM_EPTP = 0x201a,
	VM_EOI_EXIT = 0x201c,
	VM_EPTP_LIST = 0x2024,
	VM_VMREAD_BITMAP = 0x2026,
	VM_VMWRITE_BITMAP = 0x2028,
	VM_VE = 0x202a,
	VM_TSC_MULTIPLIER = 0x2032,
	VM_GPA = 0x2400,
	VM_LINK = 0x2800,
	VM_DEBUGCTL = 0x2802,
	VM_GUEST_PAT = 0x2804,
	VM_GUEST_EFER = 0x2806,
	VM_GUEST_PERF = 0x2808,
	VM_PDPTE0 = 0x280a,
	VM_HOST_PAT = 0x2c00,
	VM_HOST_EFER = 0x2c02,
	VM_HOST_PERF = 0x2c04,
	VM_PIN = 0x4000,
	VM_PROC = 0x4002,
	VM_EXCEPTIONS = 0x4004,
	VM_PF_MASK = 0x4006,
	VM_PF_MATCH = 0x4008,
	VM_CR3_COUNT = 0x400a,
	VM_EXITS = 0x400c,
	VM_EXIT_STORE_COUNT = 0x400e,
	VM_EXIT_LOAD_COUNT = 0x4010,
	VM_ENTRIES = 0x4012,
	VM_ENTRY_LOAD_COUNT = 0x4014,
	VM_INJECT = 0x4016,
	VM_INJECT_ERROR = 0x4018,
	VM_INJECT_LEN = 0x401a,
	VM_TPR_THRESHOLD = 0x401c,
	VM_PROC2 = 0x401e,
	VM_PLE_GAP = 0x4020,
	VM_PLE_WINDOW = 0x4022,
	VM_ERROR = 0x4400,
	VM_REASON = 0x4402,
	VM_EVENT = 0x4404,
	VM_EVENT_ERROR = 0x4406,
	VM_VECTORING = 0x4408,
	VM_VECTORING_ERROR = 0x440a,
	VM_LEN = 0x440c,
	VM_INSN = 0x440e,
	VM_GUEST_LIMIT = 0x4800,
	VM_GUEST_ACCESS = 0x4814,
	VM_INTERRUPTIBILITY = 0x4824,
	VM_ACTIVITY = 0x4826,
	VM_TIMER = 0x482e,
	VM_HOST_SYSENTER_CS = 0x4c00,
	VM_CR0_MASK = 0x6000,
	VM_CR4_MASK = 0x6002,
	VM_CR0_SHADOW = 0x6004,
	VM_CR4_SHADOW = 0x6006,
	VM_CR3_TARGET0 = 0x6008,
	VM_QUALIFICATION = 0x6400,
	VM_LINEAR = 0x640a,
	VM_GUEST_BASE = 0x6806,
	VM_EIP = 0x681e,
	VM_PENDING_DEBUG = 0x6822,
	VM_HOST_CR0 = 0x6c00,
	VM_HOST_CR3 = 0x6c02,
	VM_HOST_CR4 = 0x6c04,
	VM_HOST_FS_BASE = 0x6c06,
	VM_HOST_GS_BASE = 0x6c08,
	VM_HOST_TR_BASE = 0x6c0a,
	VM_HOST_GDT_BASE = 0x6c0c,
	VM_HOST_IDT_BASE = 0x6c0e,
	VM_HOST_SYSENTER_ESP = 0x6c10,
	VM_HOST_SYSENTER_EIP = 0x6c12,
	VM_HOST_EIP = 0x6c16,
};

enum { PIN_INTR = 1, PIN_NMI = 8, PIN_VNMI = 0x20, PIN_TIMER = 0x40, PIN_POSTED = 0x80 };
#define PROC_INTR_WINDOW (1u << 2)
#define PROC_TSC_OFFSET (1u << 3)
#define PROC_HLT (1u << 7)
#define PROC_INVLPG (1u << 9)
#define PROC_MWAIT (1u << 10)
#define PROC_RDPMC (1u << 11)
#define PROC_RDTSC (1u << 12)
#define PROC_CR3_LOAD (1u << 15)
#define PROC_CR3_STORE (1u << 16)
#define PROC_CR8 (3u << 19) /* load and store */
#define PROC_TPR (1u << 21)
#define PROC_NMI_WINDOW (1u << 22)
#define PROC_DR (1u << 23)
#define PROC_IO (1u << 24)
#define PROC_IO_BITMAPS (1u << 25)
#define PROC_MTF (1u << 27)
#define PROC_MSR_BITMAPS (1u << 28)
#define PROC_MONITOR (1u << 29)
#define PROC_PAUSE (1u << 30)
#define PROC_SECONDARY (1u << 31)
#define PROC2_APIC (1u << 0)
#define PROC2_EPT (1u << 1)
#define PROC2_TABLES (1u << 2)
#define PROC2_RDTSCP (1u << 3)
#define PROC2_X2APIC (1u << 4)
#define PROC2_VPID (1u << 5)
#define PROC2_WBINVD (1u << 6)
#define PROC2_UNRESTRICTED (1u << 7)
#define PROC2_REGISTERS (1u << 8)
#define PROC2_DELIVERY (1u << 9)
#define PROC2_PAUSE_LOOP (1u << 10)
#define PROC2_RDRAND (1u << 11)
#define PROC2_INVPCID (1u << 12)
#define PROC2_VMFUNC (1u << 13)
#define PROC2_SHADOWING (1u << 14)
#define PROC2_RDSEED (1u << 16)
#define PROC2_PML (1u << 17)
#define PROC2_VE (1u << 18)
#define PROC2_MODE_EXECUTE (1u << 22)
#define PROC2_TSC_SCALING (1u << 25)
#define EXITS_DEBUG (1u << 2)
#define EXITS_PAT (3u << 18)  /* save and load */
#define EXITS_EFER (3u << 20) /* likewise */
#define EXITS_SAVE_PERF (1u << 30)
#define EXITS_64 (1u << 9)
#define EXITS_PERF (1u << 12)
#define EXITS_SAVE_TIMER (1u << 22)
#define EXITS_ACK (1u << 15)
#define ENTRIES_DEBUG (1u << 2)
#define ENTRIES_PAT (1u << 14)
#define ENTRIES_64 (1u << 9)
#define ENTRIES_PERF (1u << 13)
#define ENTRIES_EFER (1u << 15)
#define FAILED_ENTRY (1u << 31)

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
