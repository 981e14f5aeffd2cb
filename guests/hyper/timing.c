/* SPDX-License-Identifier: GPL-3.0-or-later
 * Round trips: from the guest into the hypervisor and back, in cycles of the time-stamp counter; the median
 * of rounds. The guest's loop is the instruction and a jump. A nested fault is measured at one site again and
 * again, and at a new page each time. Entries flush no translations, as hypervisors have it: on VMX the guest
 * has a VPID, if there are any. With a flush at each entry, or each entry and exit: cpuid-flush. */
#include "guests/hyper/cases.h"

#define ROUNDS 401
#define TRIPS 32
#define FIRST_FRESH 64 /* pages, behind the guest's memory */

PROGRAM(t_cpuid, "1: cpuid\njmp 1b");
PROGRAM(t_hlt, "1: hlt\njmp 1b");
PROGRAM(t_out, "1: outb %al, $0x80\njmp 1b");
PROGRAM(t_in, "movl $0x1234, %edx\n1: inb %dx, %al\njmp 1b");
PROGRAM(t_rdmsr, "movl $0x174, %ecx\n1: rdmsr\njmp 1b");
PROGRAM(t_vmcall, "1: vmcall\njmp 1b");
PROGRAM(t_vmmcall, "1: vmmcall\njmp 1b");
PROGRAM(t_rdtsc, "1: rdtsc\njmp 1b");
PROGRAM(t_cr3, "1: movl %ecx, %cr3\njmp 1b");
PROGRAM(t_read, "1: movl 0xf000, %eax\njmp 1b");
PROGRAM(t_write, "1: movl %eax, 0xe000\njmp 1b");
PROGRAM(t_walk, "movl (%ebx), %eax");

static void with_controls(u32 proc, u32 svm_code)
{
	if (be->on == ON_VMX)
		vm_or(VM_PROC, proc);
	else
		svm_intercept(svm_code);
}

static bool flushing;

static void flush_always(bool on)
{
	flushing = on;
	if (be->on != ON_VMX || !vmx_has(vmx_caps.proc2, PROC2_VPID))
		return;
	vmx_set_proc2(PROC2_VPID);
	if (on)
		vmwrite(VM_PROC2, vmread(VM_PROC2) & ~PROC2_VPID);
	vmwrite(VM_VPID, !on);
}

static void warm_up(u32 trips, u32 skip)
{
	vmcb[VMCB_TLB] = 1;
	be->round_trips(trips, skip);
	vmcb[VMCB_TLB] = flushing;
}

static void sort(u32 *v, u32 n)
{
	for (u32 i = 1; i < n; i++) {
		u32 x = v[i], at = i;

		for (; at && v[at - 1] > x; at--)
			v[at] = v[at - 1];
		v[at] = x;
	}
}

/* A / B; B is small. */
static u32 quotient(u64 a, u32 b)
{
	u32 hi = (u32)(a >> 32), lo = (u32)a;

	if (hi >= b)
		return ~0u;
	asm("divl %2" : "+a"(lo), "+d"(hi) : "r"(b) : "cc");
	return lo;
}

static void report(const char *name, enum mode m, u32 *v)
{
	static const char *const names[] = { "real", "flat", "paged", "shadow" };

	sort(v, ROUNDS);
	print("trip %s %s %s %u %u\n", be->name, names[m], name, v[0], v[ROUNDS / 2]);
}

static void measure(const char *name, enum mode m, u32 skip)
{
	u32 v[ROUNDS];

	warm_up(TRIPS, skip);
	for (u32 i = 0; i < ROUNDS; i++) {
		u64 t = be->round_trips(TRIPS, skip);

		v[i] = quotient(t, TRIPS);
	}
	report(name, m, v);
}

/* From the entry after a nested fault is resolved, at a page that the guest has never used, to the hypercall
 * behind the access: one round trip with a new mapping. An entry that was absent needs no flush. */
static void measure_fresh(enum mode m)
{
	u32 v[ROUNDS];

	vm_reset(m);
	flush_always(false);
	LOAD_PROGRAM(t_walk);
	for (u32 i = 0; i < ROUNDS; i++) {
		u32 page = FIRST_FRESH + i;
		u64 start;

		ram32(G_TABLE)[page] = page << 12 | 0x67;
		regs.ebx = page << 12;
		be->set(S_EIP, G_CODE);
		warm_up(1, 0);
		start = rdtsc();
		be->allow(page, phys_of(ram + G_FREE));
		be->round_trips(1, 0);
		v[i] = (u32)(rdtsc() - start);
	}
	report("nested-fresh", m, v);
}

#define TIME(id, name, skip)                                                                                 \
	do {                                                                                                 \
		LOAD_PROGRAM(id);                                                                            \
		be->set(S_EIP, G_CODE);                                                                      \
		measure(name, m, skip);                                                                      \
	} while (0)

static void measure_mode(enum mode m)
{
	vm_reset(m);
	with_controls(PROC_HLT, 0x78);
	with_controls(PROC_RDTSC, 0x6e);
	with_controls(PROC_IO, 0x7b);
	with_controls(0, 0x72);
	with_controls(0, 0x7c);
	memset(iopm, 0xff, sizeof(iopm));
	memset(msrpm, 0xff, sizeof(msrpm));
	memset(msr_bitmap, 0xff, sizeof(msr_bitmap));
	flush_always(true);
	TIME(t_cpuid, "cpuid-flush", 2);
	flush_always(false);
	TIME(t_cpuid, "cpuid", 2);
	if (be->on == ON_VMX)
		TIME(t_vmcall, "hypercall", 3);
	else
		TIME(t_vmmcall, "hypercall", 3);
	TIME(t_hlt, "hlt", 1);
	TIME(t_out, "out", 2);
	TIME(t_in, "in", 1);
	TIME(t_rdmsr, "rdmsr", 2);
	TIME(t_rdtsc, "rdtsc", 2);
	if (m == SHADOW)
		return;
	TIME(t_read, "nested-read", m == REAL ? 3 : 5);
	TIME(t_write, "nested-write", m == REAL ? 3 : 5);
	measure_fresh(m);
}

void timing_run(u32 modes)
{
	svm_lean = true;
	for (enum mode m = FLAT; m < MODES; m++)
		if (modes & IN(m))
			measure_mode(m);
}
