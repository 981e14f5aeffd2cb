/* SPDX-License-Identifier: GPL-3.0-or-later
 * Controls that do more than make an instruction exit: masks and shadows, bitmaps bit by bit, the page-fault
 * filter, offsets of the counter, timer and single step, lists of MSRs, what VMLOAD and VMSAVE move. */
#include "guests/hyper/cases.h"

PROGRAM(read_crs, "movl %cr0, %ebx\nmovl %cr4, %ecx\nsmsw %edx");
PROGRAM(write_crs, "movl %cr0, %eax\nmovl %eax, %cr0\nmovl %cr4, %eax\nmovl %eax, %cr4\nclts");
PROGRAM(load_cr3, "movl %cr3, %eax\nmovl %eax, %cr3");
PROGRAM(rdtsc, "rdtsc");
PROGRAM(in8, "inb %dx, %al");
PROGRAM(in16, "inw %dx, %ax");
PROGRAM(in32, "inl %dx, %eax");
PROGRAM(rdmsr, "rdmsr");
PROGRAM(wrmsr, "wrmsr");
PROGRAM(read_absent, "movl 0xd000, %eax");
PROGRAM(write_absent, "movl %eax, 0xd000");
PROGRAM(pauses, "pause\npause\npause");
PROGRAM(change_state,
	"movl $0x277, %ecx\nrdmsr\nmovl %eax, %ebx\nmovl $0x04040404, %eax\nmovl %eax, %edx\nwrmsr\n"
	"movl $0xc0000080, %ecx\nrdmsr\nmovl %eax, %esi\nmovl $0x402, %eax\nmovl %eax, %dr7");
PROGRAM(two_nops, "nop\nnop");
PROGRAM(hlt_once, "hlt");
PROGRAM(forever, "1: jmp 1b");
PROGRAM(sysenter_msrs,
	"movl $0x175, %ecx\nrdmsr\nmovl %eax, %ebx\nmovl $0x176, %ecx\nrdmsr\nmovl %eax, %esi");
PROGRAM(set_sysenter, "movl $0x175, %ecx\nmovl $0x4321, %eax\nxorl %edx, %edx\nwrmsr");
PROGRAM(set_state,
	"movl $0x23, %eax\nmovl %eax, %fs\nmovl $0x38, %eax\nlldt %ax\npushl $0x42\nmovl $0x455, %eax\n"
	"movl %eax, %dr7\nstc");
PROGRAM(clgi_stgi, "clgi\nstgi\nclgi");

static const char *plain_exit(const char *wrong, u32 eip)
{
	if (!wrong)
		CHECK("eip", be->get(S_EIP), eip);
	return wrong;
}

/* ---- VMX: control registers ---- */

static const char *cr_shadows(enum mode m)
{
	u32 cr0 = be->get(S_CR0), cr4 = be->get(S_CR4);
	const char *wrong;

	(void)m;
	LOAD_PROGRAM(read_crs);
	vmwrite(VM_CR0_MASK, 0xf0f0f0f0);
	vmwrite(VM_CR0_SHADOW, 0x50505050);
	vmwrite(VM_CR4_MASK, 0xff00ff00);
	vmwrite(VM_CR4_SHADOW, 0x12345678);
	wrong = until_hypercall(END_OF(read_crs));
	if (wrong)
		return wrong;
	CHECK("cr0 as read", regs.ebx, (cr0 & 0x0f0f0f0f) | 0x50505050);
	CHECK("cr4 as read", regs.ecx, (cr4 & 0x00ff00ff) | 0x12005600);
	CHECK("smsw", regs.edx & 0xffff, ((cr0 & 0x0f0f) | 0x5050));
	return NULL;
}

/* What equals the shadow does not exit; CLTS neither while the shadow has TS clear. */
static const char *cr_writes_as_shown(enum mode m)
{
	u32 cr0 = be->get(S_CR0), cr4 = be->get(S_CR4);
	const char *wrong;

	(void)m;
	LOAD_PROGRAM(write_crs);
	be->set(S_CR0, cr0 | 8);
	vmwrite(VM_CR0_MASK, 8);
	vmwrite(VM_CR0_SHADOW, 0);
	vmwrite(VM_CR4_MASK, 0x2000);
	vmwrite(VM_CR4_SHADOW, 0);
	wrong = until_hypercall(END_OF(write_crs));
	if (wrong)
		return wrong;
	CHECK("cr0, which keeps TS", be->get(S_CR0) & ~0x60000000u, cr0 | 8); /* CD and NW are the host's */
	CHECK("cr4, which keeps VMXE", be->get(S_CR4), cr4);
	return NULL;
}

static const char *cr3_targets(enum mode m)
{
	const char *wrong;

	(void)m;
	if (!(vmx_caps.misc >> 16 & 0x1ff) || vmx_caps.proc & PROC_CR3_STORE)
		return not_here;
	LOAD_PROGRAM(load_cr3);
	vm_or(VM_PROC, PROC_CR3_LOAD);
	vmwrite(VM_CR3_TARGET0, be->get(S_CR3));
	vmwrite(VM_CR3_COUNT, 1);
	wrong = until_hypercall(END_OF(load_cr3));
	if (wrong)
		return wrong;
	be->set(S_EIP, G_CODE);
	vmwrite(VM_CR3_TARGET0, be->get(S_CR3) ^ 0x1000);
	return plain_exit(until_exit(28, 0), G_CODE + 3);
}

/* ---- both: counter, bitmaps ---- */

static const char *tsc_offset(enum mode m)
{
	u64 before, offset = 1ull << 44, seen;
	const char *wrong;

	(void)m;
	LOAD_PROGRAM(rdtsc);
	if (be->on == ON_VMX) {
		vm_or(VM_PROC, PROC_TSC_OFFSET);
		vmwrite64(VM_TSC_OFFSET, offset);
	} else {
		*(u64 *)(vmcb + VMCB_TSC_OFFSET) = offset;
	}
	before = rdtsc();
	wrong = until_hypercall(END_OF(rdtsc));
	if (wrong)
		return wrong;
	seen = ((u64)regs.edx << 32 | regs.eax) - before - offset;
	if (seen > rdtsc() - before)
		CHECK("time since before the entry, without the offset", seen, rdtsc() - before);
	return NULL;
}

/* The counter at half its rate, and an offset. */
static const char *tsc_scaling(enum mode m)
{
	u64 before, after, offset = 1ull << 44, seen;
	const char *wrong;

	(void)m;
	if (!vmx_has(vmx_caps.proc2, PROC2_TSC_SCALING))
		return not_here;
	LOAD_PROGRAM(rdtsc);
	vm_or(VM_PROC, PROC_TSC_OFFSET);
	vmx_set_proc2(PROC2_TSC_SCALING);
	vmwrite64(VM_TSC_OFFSET, offset);
	vmwrite64(VM_TSC_MULTIPLIER, 1ull << 47);
	before = rdtsc();
	wrong = until_hypercall(END_OF(rdtsc));
	if (wrong)
		return wrong;
	after = rdtsc();
	seen = ((u64)regs.edx << 32 | regs.eax) - offset;
	if (seen < before / 2 || seen > after / 2)
		CHECK("half the counter", seen, before / 2);
	return NULL;
}

/* PAT, EFER, DR7 and DEBUGCTL: loaded by the entry, stored and loaded by the exit, each by a control. */
static const char *state_by_controls(enum mode m)
{
	const u32 entries = ENTRIES_PAT | ENTRIES_EFER, exits = EXITS_DEBUG | EXITS_PAT | EXITS_EFER;
	u64 pat = rdmsr(0x277), efer = rdmsr(0xc0000080);
	const char *wrong;

	(void)m;
	if (!vmx_has(vmx_caps.entries, entries) || !vmx_has(vmx_caps.exits, exits))
		return not_here;
	vm_or(VM_ENTRIES, entries);
	vm_or(VM_EXITS, exits);
	if (vmx_has(vmx_caps.exits, EXITS_SAVE_PERF) && use_perf_global())
		vm_or(VM_EXITS, EXITS_SAVE_PERF);
	vmwrite64(VM_GUEST_PAT, 0x0606060606060606ull);
	vmwrite64(VM_GUEST_EFER, 0);
	vmwrite64(VM_HOST_PAT, pat);
	vmwrite64(VM_HOST_EFER, efer);
	LOAD_PROGRAM(change_state);
	wrong = until_hypercall(END_OF(change_state));
	if (wrong)
		return wrong;
	CHECK("PAT in the guest", regs.ebx, 0x06060606);
	CHECK("EFER in the guest", regs.esi, 0);
	CHECK("PAT as stored", vmread(VM_GUEST_PAT), 0x04040404);
	CHECK("DR7 as stored", be->get(S_DR7), 0x402);
	CHECK("PAT of the host", rdmsr(0x277), pat);
	CHECK("EFER of the host", rdmsr(0xc0000080), efer);
	vmwrite64(VM_GUEST_PAT, 2);
	return NULL;
}

/* There may be no counter to enable: then 0 is all that the MSR holds. */
static const char *perf_global(enum mode m)
{
	const char *wrong;

	(void)m;
	if (!use_perf_global())
		return not_here;
	LOAD_PROGRAM(rdmsr);
	regs.ecx = 0x38f;
	regs.eax = 0xbad;
	wrong = until_hypercall(G_CODE + 2);
	if (wrong)
		return wrong;
	CHECK("IA32_PERF_GLOBAL_CTRL in the guest", regs.eax, 0);
	return NULL;
}

/* One bit, for PORT; an access to its neighbours exits only when it spans PORT. */
static const char *io_bit(u32 port)
{
	static const struct {
		int at;
		u32 size;
		bool exits;
	} rows[] = { { 0, 1, 1 }, { -1, 1, 0 }, { 1, 1, 0 },  { -1, 2, 1 },
		     { 1, 2, 0 }, { -3, 4, 1 }, { -2, 2, 0 }, { 1, 4, 0 } };
	u8 *map = be->on == ON_VMX ? io_bitmaps : iopm;
	const char *wrong;

	for (u32 i = 0; i < LEN(rows); i++) {
		if (rows[i].size == 1)
			LOAD_PROGRAM(in8);
		else if (rows[i].size == 2)
			LOAD_PROGRAM(in16);
		else
			LOAD_PROGRAM(in32);
		map[port / 8] = (u8)(1 << port % 8);
		regs.edx = (u32)((int)port + rows[i].at);
		be->set(S_EIP, G_CODE);
		if (rows[i].exits)
			wrong = plain_exit(until_exit(30, 0x7b), G_CODE);
		else
			wrong = until_hypercall(rows[i].size == 1   ? END_OF(in8)
						: rows[i].size == 2 ? END_OF(in16)
								    : END_OF(in32));
		map[port / 8] = 0;
		if (wrong)
			return wrong;
	}
	return NULL;
}

static const char *io_bitmap(enum mode m)
{
	static const u16 ports[] = { 0x1234, 0x5677, 0x7fff, 0x8000, 0xabc8 };
	const char *wrong = NULL;

	if (m == REAL)
		return not_here; /* the code is for 32 bits */
	if (be->on == ON_VMX)
		vm_or(VM_PROC, PROC_IO_BITMAPS);
	else
		svm_intercept(0x7b);
	for (u32 i = 0; i < LEN(ports) && !wrong; i++)
		wrong = io_bit(ports[i]);
	return wrong;
}

static const char *msr_bitmap_bits(enum mode m)
{
	static const u32 msrs[] = { 0x174, 0x176, 0xc0000080 };

	(void)m;
	if (be->on == ON_VMX && !vmx_has(vmx_caps.proc, PROC_MSR_BITMAPS))
		return not_here; /* each access exits */
	svm_intercept(0x7c);
	for (u32 i = 0; i < LEN(msrs); i++)
		for (u32 exiting = 0; exiting < 2; exiting++)
			for (u32 write = 0; write < 2; write++) {
				u32 n = msrs[i] & 0x1fff, high = msrs[i] >> 31;
				const char *wrong;

				if (write && high)
					continue; /* EFER is not changed */
				vm_reset(m);
				svm_intercept(0x7c);
				if (write)
					LOAD_PROGRAM(wrmsr);
				else
					LOAD_PROGRAM(rdmsr);
				/* All bits but one, or that one. */
				memset(msr_bitmap, exiting ? 0 : 0xff, sizeof(msr_bitmap));
				memset(msrpm, exiting ? 0 : 0xff, sizeof(msrpm));
				msr_bitmap[0x800 * write + 0x400 * high + n / 8] ^= (u8)(1 << n % 8);
				msrpm[0x800 * high + n / 4] ^= (u8)(1 << (2 * (n % 4) + write));
				regs.ecx = msrs[i];
				regs.eax = regs.edx = 0;
				wrong = exiting ? plain_exit(until_exit(write ? 32 : 31, 0x7c), G_CODE)
						: until_hypercall(G_CODE + 2);
				if (wrong)
					return wrong;
			}
	return NULL;
}

static const char *sysenter_loaded(enum mode m)
{
	const char *wrong;

	(void)m;
	if (be->on == ON_VMX && !vmx_has(vmx_caps.proc, PROC_MSR_BITMAPS))
		return not_here; /* each access exits */
	LOAD_PROGRAM(sysenter_msrs);
	be->set(S_SYSENTER_ESP, 0x11112222);
	be->set(S_SYSENTER_EIP, 0x33334444);
	wrong = until_hypercall(END_OF(sysenter_msrs));
	if (wrong)
		return wrong;
	CHECK("SYSENTER_ESP", regs.ebx, 0x11112222);
	CHECK("SYSENTER_EIP", regs.esi, 0x33334444);
	vm_reset(m);
	LOAD_PROGRAM(set_sysenter);
	wrong = until_hypercall(END_OF(set_sysenter));
	if (!wrong)
		CHECK("SYSENTER_ESP after the exit", be->get(S_SYSENTER_ESP), 0x4321);
	return wrong;
}

static const char *state_saved(enum mode m)
{
	const char *wrong;

	(void)m;
	LOAD_PROGRAM(set_state);
	wrong = until_hypercall(END_OF(set_state));
	if (wrong)
		return wrong;
	CHECK("fs", be->get(S_FS), 0x23);
	CHECK("ldtr", be->get(S_LDTR), 0x38);
	CHECK("ldtr base", be->get(S_LDTR_BASE), G_FREE);
	CHECK("esp", be->get(S_ESP), G_STACK - 4);
	CHECK("eflags", be->get(S_EFLAGS) & 0xed5, 1);
	CHECK("cs", be->get(S_CS), SEL_KCODE);
	CHECK("tr", be->get(S_TR), SEL_TSS);
	CHECK("gdt limit", be->get(S_GDT_LIMIT), 10 * 8 - 1);
	CHECK("idt base", be->get(S_IDT_BASE), G_IDT);
	if (be->on == ON_SVM)
		CHECK("dr7", be->get(S_DR7), 0x455);
	return NULL;
}

/* ---- VMX: the rest ---- */

static const char *page_fault_filter(enum mode m)
{
	/* bit 14 of the exception bitmap, whether it writes, and whether it exits with mask 2, match 2 */
	static const struct {
		bool bit, write, exits;
	} rows[] = { { 1, 1, 1 }, { 1, 0, 0 }, { 0, 1, 0 }, { 0, 0, 1 } };
	const char *wrong;

	for (u32 i = 0; i < LEN(rows); i++) {
		vm_reset(m);
		if (rows[i].write)
			LOAD_PROGRAM(write_absent);
		else
			LOAD_PROGRAM(read_absent);
		vmwrite(VM_EXCEPTIONS, rows[i].bit ? 1 << 14 : 0);
		vmwrite(VM_PF_MASK, 2);
		vmwrite(VM_PF_MATCH, 2);
		wrong = rows[i].exits ? until_exit(0, 0) : until_hypercall(handler(14));
		if (wrong)
			return wrong;
	}
	return NULL;
}

static const char *monitor_trap(enum mode m)
{
	const char *wrong;

	if (!vmx_has(vmx_caps.proc, PROC_MTF))
		return not_here;
	LOAD_PROGRAM(two_nops);
	vm_or(VM_PROC, PROC_MTF);
	wrong = plain_exit(until_exit(37, 0), G_CODE + 1);
	if (wrong)
		return wrong;
	wrong = plain_exit(until_exit(37, 0), G_CODE + 2);
	if (wrong)
		return wrong;
	be->inject(EVENT_EXCEPTION, 6, false, 0, 0);
	wrong = plain_exit(until_exit(37, 0), handler(6));
	(void)m;
	return wrong;
}

static const char *preemption_timer(enum mode m)
{
	const char *wrong;
	u64 start, ticks_;

	(void)m;
	if (!vmx_has(vmx_caps.pin, PIN_TIMER))
		return not_here;
	LOAD_PROGRAM(forever);
	vm_or(VM_PIN, PIN_TIMER);
	vmwrite(VM_TIMER, 0);
	wrong = plain_exit(until_exit(52, 0), G_CODE);
	if (wrong)
		return wrong;
	ticks_ = 3000000 >> (vmx_caps.misc & 31);
	vmwrite(VM_TIMER, (u32)ticks_);
	start = rdtsc();
	wrong = plain_exit(until_exit(52, 0), G_CODE);
	if (wrong)
		return wrong;
	if (rdtsc() - start < (ticks_ - 1) << (vmx_caps.misc & 31))
		return "the timer fired early";
	return NULL;
}

/* It ends HLT, which the exit saves; what is left is saved when it is asked for. */
static const char *preemption_timer_in_hlt(enum mode m)
{
	const char *wrong;

	(void)m;
	if (!vmx_has(vmx_caps.pin, PIN_TIMER) || !vmx_has(vmx_caps.exits, EXITS_SAVE_TIMER))
		return not_here;
	LOAD_PROGRAM(hlt_once);
	vm_or(VM_PIN, PIN_TIMER);
	vm_or(VM_EXITS, EXITS_SAVE_TIMER);
	vmwrite(VM_TIMER, 20000000 >> (vmx_caps.misc & 31));
	wrong = plain_exit(until_exit(52, 0), END_OF(hlt_once));
	if (wrong)
		return wrong;
	CHECK("activity", vmread(VM_ACTIVITY), 1);
	CHECK("what is left", vmread(VM_TIMER), 0);
	vmwrite(VM_ACTIVITY, 0);
	vmwrite(VM_TIMER, ~0u);
	wrong = until_hypercall(END_OF(hlt_once));
	if (!wrong && vmread(VM_TIMER) < 0x80000000)
		CHECK("what is left of 2^32 - 1", vmread(VM_TIMER), 0xfffffff0);
	return wrong;
}

static const char *pause_loop(enum mode m)
{
	/* gap, window, at CPL 3: where it exits, 0: nowhere */
	static const struct {
		u32 gap, window;
		bool user;
		u32 at;
	} rows[] = { { ~0u, 0, 0, 2 }, { ~0u, ~0u, 0, 0 }, { 0, 0, 0, 0 }, { ~0u, 0, 1, 0 } };
	const char *wrong;

	if (!vmx_has(vmx_caps.proc2, PROC2_PAUSE_LOOP))
		return not_here;
	for (u32 i = 0; i < LEN(rows); i++) {
		vm_reset(m);
		LOAD_PROGRAM(pauses);
		vmx_set_proc2(PROC2_PAUSE_LOOP);
		vmwrite(VM_PLE_GAP, rows[i].gap);
		vmwrite(VM_PLE_WINDOW, rows[i].window);
		if (rows[i].user)
			vm_user();
		wrong = rows[i].at ? plain_exit(until_exit(40, 0), G_CODE + rows[i].at)
				   : until_hypercall(END_OF(pauses));
		if (wrong)
			return wrong;
	}
	return NULL;
}

static const char *msr_lists(enum mode m)
{
	static struct {
		u32 msr, zero;
		u64 value;
	} entry[1] __attribute__((aligned(16))), store[1] __attribute__((aligned(16))),
	    load[1] __attribute__((aligned(16)));
	u64 host = rdmsr(0x176);
	const char *wrong;

	(void)m;
	if (be->on == ON_VMX && !vmx_has(vmx_caps.proc, PROC_MSR_BITMAPS))
		return not_here; /* each access exits */
	LOAD_PROGRAM(sysenter_msrs);
	entry[0].msr = store[0].msr = load[0].msr = 0x176;
	entry[0].value = 0x7777;
	store[0].value = 0;
	load[0].value = host;
	vmwrite64(VM_ENTRY_LOAD, phys_of(entry));
	vmwrite64(VM_EXIT_STORE, phys_of(store));
	vmwrite64(VM_EXIT_LOAD, phys_of(load));
	vmwrite(VM_ENTRY_LOAD_COUNT, 1);
	vmwrite(VM_EXIT_STORE_COUNT, 1);
	vmwrite(VM_EXIT_LOAD_COUNT, 1);
	wrong = until_hypercall(END_OF(sysenter_msrs));
	if (wrong)
		return wrong;
	CHECK("MSR in the guest", regs.esi, 0x7777);
	CHECK("MSR stored", store[0].value, 0x7777);
	CHECK("MSR of the host", rdmsr(0x176), host);
	return NULL;
}

static const char *virtual_gif(enum mode m)
{
	const char *wrong;

	(void)m;
	if (!(svm_features & 1 << 16))
		return not_here;
	LOAD_PROGRAM(clgi_stgi);
	*vmcb32(VMCB_VINTR) = 1 << 25 | 1 << 9;
	wrong = until_hypercall(END_OF(clgi_stgi));
	if (!wrong)
		CHECK("V_GIF", *vmcb32(VMCB_VINTR) & 1 << 9, 0);
	return wrong;
}

/* Columns: name, modes (0: all), back ends (0: both), function. */
const struct program control_programs[] = {
	{ "cr_shadows", PROTECTED, ON_VMX, cr_shadows },
	{ "cr_writes_as_shown", PROTECTED, ON_VMX, cr_writes_as_shown },
	{ "cr3_targets", PROTECTED, ON_VMX, cr3_targets },
	{ "tsc_offset", 0, 0, tsc_offset },
	{ "tsc_scaling", 0, ON_VMX, tsc_scaling },
	{ "state_by_controls", PROTECTED, ON_VMX, state_by_controls },
	{ "perf_global", 0, ON_VMX, perf_global },
	{ "io_bitmap", PROTECTED, 0, io_bitmap },
	{ "msr_bitmap", PROTECTED, 0, msr_bitmap_bits },
	{ "sysenter_loaded", PROTECTED, 0, sysenter_loaded },
	{ "state_saved", PROTECTED, 0, state_saved },
	{ "page_fault_filter", IN(PAGED) | IN(SHADOW), ON_VMX, page_fault_filter },
	{ "monitor_trap", PROTECTED, ON_VMX, monitor_trap },
	{ "preemption_timer", PROTECTED, ON_VMX, preemption_timer },
	{ "preemption_timer_in_hlt", PROTECTED, ON_VMX, preemption_timer_in_hlt },
	{ "pause_loop", PROTECTED, ON_VMX, pause_loop },
	{ "msr_lists", PROTECTED, ON_VMX, msr_lists },
	{ "virtual_gif", PROTECTED, ON_SVM, virtual_gif },
};
const u32 control_program_count = LEN(control_programs);
