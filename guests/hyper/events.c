/* SPDX-License-Identifier: GPL-3.0-or-later
 * Events: injected ones, faults while they are delivered, interrupts and NMIs from outside, windows,
 * blocking. */
#include "guests/hyper/cases.h"

#define APIC 0xfee00000u
#define PIC 0x20
#define V_IRQ 0x40 /* any vector that nothing else uses */

PROGRAM(nops, "nop\nnop\nnop\nnop");
PROGRAM(sti_nops, "nop\nsti\nnop\nnop");
PROGRAM(wait_loop, "1: jmp 1b");
PROGRAM(hlt, "hlt");
PROGRAM(ud2, "ud2");
PROGRAM(bad_selector, "movl $0x58, %eax\nmovl %eax, %fs");
PROGRAM(sti_cpuid, "sti\ncpuid");
PROGRAM(ss_cpuid, "movl %ss, %eax\nmovl %eax, %ss\ncpuid");
PROGRAM(watched_ss, "movw 0x2000, %ss\ncpuid");
PROGRAM(send_nmi, "movl $0, 0xc310\nmovl $0x4400, 0xc300\n1: jmp 1b");
PROGRAM(iret_bad, "pushfl\npushl $0x58\npushl $0x1008\niretl");
PROGRAM(iret_hole, "movl $0xf000, %esp\niretl");
PROGRAM(iret_nop, "pushfl\npushl %cs\npushl $0x1008\niretl\nnop\nnop");

static u32 pushed(u32 n)
{
	return *ram32(be->get(S_ESP) + 4 * n);
}

/* ---- injection ---- */

static const char *injected(u32 type, u32 vector, bool has_error, u32 error, u32 eip)
{
	u32 frame = has_error ? 16 : 12, n = has_error;
	const char *wrong;

	wrong = until_hypercall(handler(vector));
	if (wrong)
		return wrong;
	CHECK("esp", be->get(S_ESP), G_STACK - frame);
	if (has_error)
		CHECK("pushed error code", pushed(0), error);
	CHECK("pushed eip", pushed(n), eip);
	CHECK("pushed cs", pushed(n + 1) & 0xffff, SEL_KCODE);
	CHECK("IF in the handler", be->get(S_EFLAGS) & 0x200, 0);
	(void)type;
	return NULL;
}

static const char *inject_exceptions(enum mode m)
{
	static const struct {
		u8 vector;
		bool has_error;
	} rows[] = { { 0, 0 },	{ 5, 0 },  { 6, 0 },  { 7, 0 },	 { 10, 1 }, { 11, 1 },
		     { 12, 1 }, { 13, 1 }, { 14, 1 }, { 16, 0 }, { 17, 1 } };
	const char *wrong;

	for (u32 i = 0; i < LEN(rows); i++) {
		u32 error = rows[i].has_error && rows[i].vector != 17 ? 0x234 : 0;

		vm_reset(m);
		LOAD_PROGRAM(nops);
		be->inject(EVENT_EXCEPTION, rows[i].vector, rows[i].has_error, error, 0);
		wrong = injected(EVENT_EXCEPTION, rows[i].vector, rows[i].has_error, error, G_CODE);
		if (wrong)
			return wrong;
	}
	return NULL;
}

static const char *inject_interrupt(enum mode m)
{
	(void)m;
	LOAD_PROGRAM(nops);
	be->set(S_EFLAGS, 0x202);
	be->inject(EVENT_INTR, V_IRQ, false, 0, 0);
	return injected(EVENT_INTR, V_IRQ, false, 0, G_CODE);
}

static const char *inject_nmi(enum mode m)
{
	const char *wrong;

	(void)m;
	LOAD_PROGRAM(nops);
	be->inject(EVENT_NMI, 2, false, 0, 0);
	wrong = injected(EVENT_NMI, 2, false, 0, G_CODE);
	if (!wrong && be->on == ON_VMX)
		CHECK("blocking by NMI", vmread(VM_INTERRUPTIBILITY), 8);
	return wrong;
}

/* A software interrupt returns behind its instruction; SVM knows where that is by nRIP alone. */
static const char *inject_int(enum mode m)
{
	bool next = be->on == ON_VMX || svm_features & SVM_FEATURE_NRIPS;

	(void)m;
	LOAD_PROGRAM(nops);
	*vmcb32(VMCB_NRIP) = G_CODE + 2;
	be->inject(EVENT_INT, 0x80, false, 0, 2);
	return injected(EVENT_INT, 0x80, false, 0, next ? G_CODE + 2 : G_CODE);
}

static const char *inject_real(enum mode m)
{
	const char *wrong;

	(void)m;
	LOAD_PROGRAM(nops);
	be->set(S_EFLAGS, 0x202);
	be->inject(EVENT_INTR, V_IRQ, false, 0, 0);
	wrong = until_hypercall(handler(V_IRQ));
	if (wrong)
		return wrong;
	CHECK("esp", be->get(S_ESP), G_STACK - 6);
	CHECK("pushed ip", *(u16 *)(ram + G_STACK - 6), G_CODE);
	return NULL;
}

/* An injected exception is delivered although it is intercepted. */
static const char *inject_intercepted(enum mode m)
{
	(void)m;
	LOAD_PROGRAM(nops);
	if (be->on == ON_VMX)
		vmwrite(VM_EXCEPTIONS, ~0u);
	else
		*vmcb32(8) = ~0u;
	be->inject(EVENT_EXCEPTION, 6, false, 0, 0);
	return injected(EVENT_EXCEPTION, 6, false, 0, G_CODE);
}

static void intercept_exception(u32 vector)
{
	if (be->on == ON_VMX)
		vm_or(VM_EXCEPTIONS, 1u << vector);
	else
		svm_intercept(0x40 + vector);
}

static const char *exception_exit(u32 vector, u32 error, u32 vectoring)
{
	const char *wrong = until_exit(0, 0x40 + vector);

	if (wrong)
		return wrong;
	if (be->on == ON_VMX) {
		CHECK("interruption information", out.event, 0x80000b00 | vector);
		CHECK("interruption error code", out.error, error);
	} else {
		CHECK("EXITINFO1", out.info1, error);
	}
	CHECK("vectoring information", out.vectoring, vectoring);
	return NULL;
}

/* The gate is beyond the IDT: #GP with its number, IDT, and external. */
static const char *fault_in_injection(enum mode m)
{
	const char *wrong;

	(void)m;
	LOAD_PROGRAM(nops);
	intercept_exception(13);
	be->set(S_IDT_LIMIT, 0x2f);
	be->inject(EVENT_EXCEPTION, 6, false, 0, 0);
	wrong = exception_exit(13, 0x33, 0x80000306);
	if (!wrong)
		CHECK("eip", be->get(S_EIP), G_CODE);
	return wrong;
}

static const char *fault_in_delivery(enum mode m)
{
	const char *wrong;

	(void)m;
	LOAD_PROGRAM(ud2);
	intercept_exception(13);
	be->set(S_IDT_LIMIT, 0x2f);
	wrong = exception_exit(13, 0x33, 0x80000306);
	if (!wrong)
		CHECK("eip", be->get(S_EIP), G_CODE);
	return wrong;
}

/* #GP, whose gate is not present: #NP, and both together a #DF. */
static const char *double_fault(enum mode m)
{
	(void)m;
	LOAD_PROGRAM(bad_selector);
	intercept_exception(8);
	ram32(G_IDT)[2 * 13 + 1] &= ~0x8000u;
	ram32(G_IDT)[2 * 11 + 1] &= ~0x8000u;
	return exception_exit(8, 0, 0);
}

static const char *nested_fault_in_delivery(enum mode m)
{
	const char *wrong;

	LOAD_PROGRAM(ud2);
	be->set(S_IDT_BASE, G_HOLE);
	wrong = until_exit(48, SVM_NPF);
	if (wrong)
		return wrong;
	CHECK("guest-physical address", out.info2 & ~7ull, ((u64)G_HOLE + 6 * (m == REAL ? 4 : 8)) & ~7ull);
	CHECK("vectoring information", out.vectoring, 0x80000306);
	CHECK("eip", be->get(S_EIP), G_CODE);
	return NULL;
}

/* ---- from outside ---- */

static void timer_on(void)
{
	outb(PIC + 1, 0xfe);
}

static void timer_off(void)
{
	outb(PIC + 1, 0xff);
}

static const char *interrupt_exits(u32 eflags)
{
	u32 before = ticks;
	const char *wrong;

	LOAD_PROGRAM(wait_loop);
	be->set(S_EFLAGS, eflags);
	if (be->on == ON_VMX)
		vm_or(VM_PIN, PIN_INTR);
	else
		svm_intercept(0x60);
	timer_on();
	wrong = until_exit(1, 0x60);
	if (!wrong)
		wrong = differs("interruption information", out.event & 1u << 31, 0);
	if (!wrong)
		wrong = differs("eip", be->get(S_EIP), G_CODE);
	asm volatile("sti\nnop\nnop\ncli");
	timer_off();
	if (!wrong && ticks == before)
		wrong = "the interrupt is not pending after the exit";
	return wrong;
}

static const char *interrupt_exit(enum mode m)
{
	(void)m;
	return interrupt_exits(0x202);
}

/* VMX: the guest's IF does not matter. */
static const char *interrupt_exit_masked(enum mode m)
{
	(void)m;
	return interrupt_exits(2);
}

/* The guest waits in HLT, by its instruction and from the entry on. */
static const char *interrupt_ends_hlt(enum mode m)
{
	const char *wrong = NULL;

	(void)m;
	LOAD_PROGRAM(hlt);
	vm_or(VM_PIN, PIN_INTR);
	timer_on();
	for (u32 i = 0; i < 10; i++) { /* one that is pending already exits in front of HLT */
		wrong = until_exit(1, 0);
		asm volatile("sti\nnop\nnop\ncli");
		if (wrong || be->get(S_EIP) != G_CODE)
			break;
	}
	if (!wrong)
		wrong = differs("eip", be->get(S_EIP), G_CODE + 1);
	if (!wrong && vmx_caps.misc & 1 << 6) {
		vmwrite(VM_ACTIVITY, 1);
		wrong = until_exit(1, 0);
		asm volatile("sti\nnop\nnop\ncli");
	}
	timer_off();
	return wrong;
}

static const char *interrupt_acknowledged(enum mode m)
{
	const char *wrong;

	(void)m;
	if (!vmx_has(vmx_caps.exits, EXITS_ACK))
		return not_here;
	LOAD_PROGRAM(wait_loop);
	be->set(S_EFLAGS, 0x202);
	vm_or(VM_PIN, PIN_INTR);
	vm_or(VM_EXITS, EXITS_ACK);
	timer_on();
	wrong = until_exit(1, 0);
	timer_off();
	outb(PIC, 0x20);
	if (!wrong)
		wrong = differs("interruption information", out.event, 0x80000020);
	return wrong;
}

static const char *interrupt_in_guest(enum mode m)
{
	const char *wrong;

	(void)m;
	LOAD_PROGRAM(wait_loop);
	be->set(S_EFLAGS, 0x202);
	timer_on();
	wrong = until_hypercall(handler(PIC));
	timer_off();
	outb(PIC, 0x20);
	return wrong;
}

/* SVM: with V_INTR_MASKING it is the host's IF that lets interrupts through. */
static const char *interrupt_by_host_flag(enum mode m)
{
	const char *wrong;

	(void)m;
	LOAD_PROGRAM(wait_loop);
	svm_intercept(0x60);
	*vmcb32(VMCB_VINTR) |= 1 << 24;
	timer_on();
	wrong = until_exit(0, 0x60);
	asm volatile("sti\nnop\nnop\ncli");
	timer_off();
	return wrong;
}

static bool has_apic(void)
{
	u32 r[4];

	cpuid(1, r);
	return r[3] & 1 << 9;
}

static u32 nmis;

static void count_nmi(struct frame *f)
{
	nmis += f->vec == 2;
}

/* The NMI of VMX' exit is consumed, and more are blocked until an IRET; SVM's is still pending, and is taken
 * with GIF. */
static const char *nmi_exit(enum mode m)
{
	const char *wrong;

	(void)m;
	if (!has_apic())
		return not_here;
	LOAD_PROGRAM(send_nmi);
	vm_map(G_FREE / 4096, APIC);
	if (be->on == ON_VMX)
		vm_or(VM_PIN, PIN_NMI);
	else
		svm_intercept(0x61);
	nmis = 0;
	vector_hook = count_nmi;
	wrong = until_exit(0, 0x61);
	vector_hook = NULL;
	if (be->on == ON_VMX)
		asm volatile("pushfl\npushl %cs\npushl $1f\niretl\n1:");
	if (!wrong && be->on == ON_VMX)
		CHECK("interruption information", out.event, 0x80000202);
	if (!wrong)
		CHECK("NMIs that the host took", nmis, be->on == ON_SVM);
	return wrong;
}

static const char *nmi_in_guest(enum mode m)
{
	(void)m;
	if (!has_apic())
		return not_here;
	LOAD_PROGRAM(send_nmi);
	vm_map(G_FREE / 4096, APIC);
	return until_hypercall(handler(2));
}

/* ---- windows, blocking ---- */

static const char *interrupt_window(enum mode m)
{
	const char *wrong;

	(void)m;
	LOAD_PROGRAM(sti_nops);
	vm_or(VM_PROC, PROC_INTR_WINDOW);
	wrong = until_exit(7, 0);
	if (!wrong)
		CHECK("eip, after STI and one more", be->get(S_EIP), G_CODE + 3);
	if (wrong)
		return wrong;
	wrong = until_exit(7, 0);
	if (!wrong)
		CHECK("eip, open at the entry", be->get(S_EIP), G_CODE + 3);
	return wrong;
}

static const char *virtual_interrupt(enum mode m)
{
	const char *wrong;

	(void)m;
	LOAD_PROGRAM(sti_nops);
	*vmcb32(VMCB_VINTR) = 1 << 8 | 15 << 16 | 1 << 20;
	*vmcb32(VMCB_VINTR + 4) = V_IRQ;
	svm_intercept(0x64);
	wrong = until_exit(0, 0x64);
	if (wrong)
		return wrong;
	CHECK("eip, after STI and one more", be->get(S_EIP), G_CODE + 3);
	CHECK("V_IRQ after the exit", *vmcb32(VMCB_VINTR) & 1 << 8, 1 << 8);
	*vmcb32(12) &= ~(1u << 4);
	wrong = until_hypercall(handler(V_IRQ));
	if (!wrong)
		CHECK("V_IRQ after delivery", *vmcb32(VMCB_VINTR) & 1 << 8, 0);
	return wrong;
}

/* A priority not above V_TPR holds it back. */
static const char *virtual_priority(enum mode m)
{
	(void)m;
	LOAD_PROGRAM(sti_nops);
	*vmcb32(VMCB_VINTR) = 9 | 1 << 8 | 8 << 16 | 1 << 24;
	*vmcb32(VMCB_VINTR + 4) = V_IRQ;
	return until_hypercall(END_OF(sti_nops));
}

static const char *nmi_window(enum mode m)
{
	const char *wrong;

	(void)m;
	if (!vmx_has(vmx_caps.pin, PIN_VNMI) || !vmx_has(vmx_caps.proc, PROC_NMI_WINDOW))
		return not_here;
	LOAD_PROGRAM(iret_nop);
	vm_or(VM_PIN, PIN_NMI | PIN_VNMI);
	vm_or(VM_PROC, PROC_NMI_WINDOW);
	vmwrite(VM_INTERRUPTIBILITY, 8);
	wrong = until_exit(8, 0);
	if (!wrong)
		CHECK("eip, after IRET", be->get(S_EIP), G_CODE + 8);
	if (!wrong)
		CHECK("blocking by NMI", vmread(VM_INTERRUPTIBILITY), 0);
	return wrong;
}

/* A second time, when its code has been translated and linked. */
static const char *nmi_window_again(enum mode m)
{
	const char *wrong = NULL;

	if (!vmx_has(vmx_caps.pin, PIN_VNMI) || !vmx_has(vmx_caps.proc, PROC_NMI_WINDOW))
		return not_here;
	for (u32 i = 0; i < 4 && !wrong; i++) {
		be->set(S_EIP, G_CODE);
		be->set(S_ESP, G_STACK);
		wrong = nmi_window(m);
	}
	return wrong;
}

/* NMI exiting without virtual NMIs: blocking is the host's. */
static const char *iret_keeps_nmi_blocked(enum mode m)
{
	const char *wrong;

	(void)m;
	LOAD_PROGRAM(iret_nop);
	vm_or(VM_PIN, PIN_NMI);
	vmwrite(VM_INTERRUPTIBILITY, 8);
	wrong = until_hypercall(END_OF(iret_nop));
	if (!wrong)
		CHECK("blocking by NMI", vmread(VM_INTERRUPTIBILITY), 8);
	asm volatile("pushfl\npushl %cs\npushl $1f\niretl\n1:"); /* and now the host's is over */
	return wrong;
}

/* An IRET that faults has unblocked NMIs: the exit says so. */
static const char *nmi_unblocked_by_fault(enum mode m)
{
	const char *wrong;

	if (!vmx_has(vmx_caps.pin, PIN_VNMI))
		return not_here;
	LOAD_PROGRAM(iret_bad);
	vm_or(VM_PIN, PIN_NMI | PIN_VNMI);
	vmwrite(VM_INTERRUPTIBILITY, 8);
	intercept_exception(13);
	wrong = until_exit(0, 0);
	if (wrong)
		return wrong;
	CHECK("interruption information", out.event, 0x80001b0d);
	CHECK("blocking by NMI", vmread(VM_INTERRUPTIBILITY), 0);
	if (m == SHADOW)
		return NULL;
	LOAD_PROGRAM(iret_hole);
	be->set(S_EIP, G_CODE);
	vmwrite(VM_INTERRUPTIBILITY, 8);
	wrong = until_exit(48, 0);
	if (!wrong)
		CHECK("qualification", out.info1, 0x1181);
	be->set(S_EIP, END_OF(iret_hole) - 1);
	wrong = until_exit(48, 0);
	if (!wrong)
		CHECK("qualification of the second IRET", out.info1, 0x181);
	return wrong;
}

/* ---- state that is neither active nor HLT; debug exceptions that wait ---- */

static void timer_for(u32 cycles)
{
	vm_or(VM_PIN, PIN_TIMER);
	vmwrite(VM_TIMER, cycles >> (vmx_caps.misc & 31));
}

/* In shutdown, interrupts wait, the preemption timer and NMIs do not. */
static const char *activity_shutdown(enum mode m)
{
	const char *wrong;

	(void)m;
	if (!(vmx_caps.misc & 1 << 7) || !vmx_has(vmx_caps.pin, PIN_TIMER))
		return not_here;
	LOAD_PROGRAM(nops);
	vm_or(VM_PIN, PIN_INTR);
	vmwrite(VM_ACTIVITY, 2);
	be->set(S_EFLAGS, 0x202);
	timer_for(60000000);
	timer_on();
	wrong = until_exit(52, 0);
	timer_off();
	asm volatile("sti\nnop\nnop\ncli");
	if (wrong)
		return wrong;
	CHECK("eip", be->get(S_EIP), G_CODE);
	CHECK("activity", vmread(VM_ACTIVITY), 2);
	be->inject(EVENT_NMI, 2, false, 0, 0);
	return until_hypercall(handler(2));
}

static const char *pending_debug(enum mode m)
{
	const char *wrong;

	(void)m;
	LOAD_PROGRAM(nops);
	vmwrite(VM_PENDING_DEBUG, 0x4000);
	vm_or(VM_EXCEPTIONS, 2);
	wrong = until_exit(0, 0);
	if (wrong)
		return wrong;
	CHECK("interruption information", out.event, 0x80000301);
	CHECK("qualification", out.info1, 0x4000);
	CHECK("eip", be->get(S_EIP), G_CODE);
	CHECK("pending after the exit", vmread(VM_PENDING_DEBUG), 0);
	vmwrite(VM_EXCEPTIONS, 0);
	vmwrite(VM_PENDING_DEBUG, 0x1002); /* an enabled breakpoint */
	wrong = until_hypercall(handler(1));
	if (wrong)
		return wrong;
	CHECK("pushed eip", pushed(0), G_CODE);
	LOAD_PROGRAM(ss_cpuid); /* the trap of a single step behind MOV SS is still to come */
	be->set(S_EIP, G_CODE + 2);
	be->set(S_EFLAGS, 0x102);
	vm_or(VM_EXCEPTIONS, 2);
	regs.eax = SEL_KDATA;
	wrong = until_exit(10, 0);
	if (wrong)
		return wrong;
	CHECK("pending behind MOV SS", vmread(VM_PENDING_DEBUG), 0x4000);
	CHECK("blocking", vmread(VM_INTERRUPTIBILITY), 2);
	wrong = until_exit(10, 0); /* what was saved can be entered */
	if (wrong)
		return wrong;
	vmwrite(VM_INTERRUPTIBILITY, 0);
	be->set(S_EIP, END_OF(ss_cpuid));
	wrong = until_exit(0, 0);
	if (!wrong)
		CHECK("qualification", out.info1, 0x4000);
	return wrong;
}

static const char *sti_blocking(enum mode m)
{
	const char *wrong;

	(void)m;
	LOAD_PROGRAM(sti_cpuid);
	svm_intercept(0x72);
	wrong = until_exit(10, 0x72);
	if (wrong)
		return wrong;
	if (be->on == ON_VMX)
		CHECK("interruptibility", vmread(VM_INTERRUPTIBILITY), 1);
	else
		CHECK("interrupt shadow", *vmcb32(VMCB_SHADOW) & 1, 1);
	return NULL;
}

static const char *ss_blocking(enum mode m)
{
	const char *wrong;

	(void)m;
	LOAD_PROGRAM(ss_cpuid);
	svm_intercept(0x72);
	wrong = until_exit(10, 0x72);
	if (wrong)
		return wrong;
	if (be->on == ON_VMX)
		CHECK("interruptibility", vmread(VM_INTERRUPTIBILITY), 2);
	else
		CHECK("interrupt shadow", *vmcb32(VMCB_SHADOW) & 1, 1);
	return NULL;
}

/* A data breakpoint matched in the shadow of MOV SS, and the next instruction exits: the trap is the guest's,
 * and the host sees none. */
static const char *trap_left_behind(enum mode m)
{
	u32 before = db_traps;
	const char *wrong;

	(void)m;
	LOAD_PROGRAM(watched_ss);
	*(u16 *)(ram + G_DATA) = SEL_KDATA;
	asm volatile("movl %0, %%dr0" : : "r"(G_DATA));
	be->set(S_DR7, 0x70401);
	if (be->on == ON_VMX)
		vm_or(VM_ENTRIES, ENTRIES_DEBUG);
	svm_intercept(0x72);
	wrong = until_exit(10, 0x72);
	asm volatile("movl %0, %%dr0\nmovl %1, %%dr6" : : "r"(0), "r"(0xffff0ff0));
	if (!wrong)
		CHECK("#DB that the host took", db_traps - before, 0);
	return wrong;
}

/* Columns: name, modes (0: all), back ends (0: both), function. */
const struct program event_programs[] = {
	{ "inject_exceptions", PROTECTED, 0, inject_exceptions },
	{ "inject_interrupt", PROTECTED, 0, inject_interrupt },
	{ "inject_nmi", PROTECTED, 0, inject_nmi },
	{ "inject_int", PROTECTED, 0, inject_int },
	{ "inject_real", IN(REAL), 0, inject_real },
	{ "inject_intercepted", PROTECTED, 0, inject_intercepted },
	{ "fault_in_injection", PROTECTED, 0, fault_in_injection },
	{ "fault_in_delivery", PROTECTED, 0, fault_in_delivery },
	{ "double_fault", PROTECTED, ON_VMX, double_fault },
	{ "nested_fault_in_delivery", NESTED, 0, nested_fault_in_delivery },
	{ "interrupt_exit", 0, 0, interrupt_exit },
	{ "interrupt_exit_masked", 0, ON_VMX, interrupt_exit_masked },
	{ "interrupt_ends_hlt", 0, ON_VMX, interrupt_ends_hlt },
	{ "interrupt_acknowledged", 0, ON_VMX, interrupt_acknowledged },
	{ "interrupt_in_guest", 0, 0, interrupt_in_guest },
	{ "interrupt_by_host_flag", 0, ON_SVM, interrupt_by_host_flag },
	{ "nmi_exit", PROTECTED, 0, nmi_exit },
	{ "nmi_in_guest", PROTECTED, 0, nmi_in_guest },
	{ "interrupt_window", 0, ON_VMX, interrupt_window },
	{ "virtual_interrupt", 0, ON_SVM, virtual_interrupt },
	{ "virtual_priority", 0, ON_SVM, virtual_priority },
	{ "nmi_window", PROTECTED, ON_VMX, nmi_window },
	{ "nmi_window_again", PROTECTED, ON_VMX, nmi_window_again },
	{ "iret_keeps_nmi_blocked", PROTECTED, ON_VMX, iret_keeps_nmi_blocked },
	{ "nmi_unblocked_by_fault", PROTECTED, ON_VMX, nmi_unblocked_by_fault },
	{ "activity_shutdown", 0, ON_VMX, activity_shutdown },
	{ "pending_debug", PROTECTED, ON_VMX, pending_debug },
	{ "sti_blocking", 0, 0, sti_blocking },
	{ "ss_blocking", PROTECTED, 0, ss_blocking },
	{ "trap_left_behind", PROTECTED, 0, trap_left_behind },
};
const u32 event_program_count = LEN(event_programs);
