/* SPDX-License-Identifier: GPL-3.0-or-later
 * What 64-bit guests make of exits: registers, addresses and qualifications of 64 bits, REX registers, events
 * through 64-bit gates, switches into and out of 64-bit code. */
#include "guests/hyper64/hyper.h"

const char not_here[] = "not offered";
enum { INFO_NO_INDEX = 1 << 22, INFO_NO_BASE = 1 << 27, INFO_64 = 2 << 7 };
enum { MSRS = 4 };
struct msr_entry {
	u32 index, zero;
	u64 value;
};

/* ---- comparing ---- */

static char message[160], *message_end;

static void say(const char *s)
{
	while (*s && message_end < message + sizeof(message) - 1)
		*message_end++ = *s++;
	*message_end = 0;
}

static void say_hex(u64 v)
{
	char digits[17], *p = digits + 16;

	*p = 0;
	do {
		*--p = "0123456789abcdef"[v & 15];
		v >>= 4;
	} while (v);
	say(p);
}

const char *differs(const char *what, u64 got, u64 want)
{
	if (got == want)
		return NULL;
	message_end = message;
	say(what);
	say(" ");
	say_hex(got);
	say(", expected ");
	say_hex(want);
	say(" (reason ");
	say_hex(out.reason);
	say(" info ");
	say_hex(out.info1);
	say(" ");
	say_hex(out.info2);
	say(")");
	return message;
}

const char *until_exit(u32 vmx_reason, u32 svm_code)
{
	be->enter();
	return differs("exit", out.reason, be->on == ON_VMX ? vmx_reason : svm_code);
}

const char *until_hypercall(u64 rip)
{
	DO(until_exit(be->hypercall_reason, be->hypercall_reason));
	return differs("RIP", be->get(S_EIP), rip);
}

static void intercept(u32 proc, u32 svm_code)
{
	if (be->on == ON_VMX)
		vm_or(VM_PROC, proc);
	else
		svm_intercept(svm_code);
}

/* ---- registers ---- */

PROGRAM(count,
	"incq %rax; incq %rcx; incq %rdx; incq %rbx; incq %rbp; incq %rsi; incq %rdi; incq %r8; incq %r9; "
	"incq %r10; incq %r11; incq %r12; incq %r13; incq %r14; incq %r15; subq $8, %rsp");

static const char *registers(enum mode m)
{
	LOAD(count);
	for (u64 i = 0; i < REGS; i++)
		regs[i] = 0x1122334455667700 * (i + 1) + i;
	DO(until_hypercall(vm_at(m, END(count))));
	for (u64 i = 0; i < REGS; i++)
		CHECK("a register", regs[i], 0x1122334455667700 * (i + 1) + i + 1);
	CHECK("RSP", be->get(S_ESP), vm_at(m, G_STACK) - 8);
	return NULL;
}

PROGRAM(cpuid, "cpuid");

static const char *next_rip(enum mode m)
{
	if (be->on == ON_SVM)
		svm_intercept(0x72);
	LOAD(cpuid);
	DO(until_exit(10, 0x72));
	CHECK("RIP", be->get(S_EIP), vm_at(m, G_CODE));
	CHECK("length", out.len, 2);
	be->set(S_EIP, be->get(S_EIP) + 2);
	return until_hypercall(vm_at(m, END(cpuid)));
}

/* ---- control and debug registers ---- */

PROGRAM(cr3_load, "movq %r15, %cr3");
PROGRAM(cr3_store, "movq %cr3, %r9");

static const char *cr3_access(enum mode m)
{
	(void)m;
	intercept(PROC_CR3_LOAD | PROC_CR3_STORE, 0x13);
	intercept(0, 0x03);
	LOAD(cr3_load);
	DO(until_exit(28, 0x13));
	if (be->on == ON_VMX || svm_features & SVM_FEATURE_DECODE)
		CHECK("information", out.info1, be->on == ON_VMX ? 15 << 8 | 3 : BIT(63) | 15);
	LOAD(cr3_store);
	DO(until_exit(28, 0x03));
	if (be->on == ON_VMX || svm_features & SVM_FEATURE_DECODE)
		CHECK("information", out.info1, be->on == ON_VMX ? 9 << 8 | 1 << 4 | 3 : BIT(63) | 9);
	return NULL;
}

PROGRAM(cr8_store, "movq %cr8, %r13");
PROGRAM(cr8_load, "movq %r14, %cr8");
PROGRAM(cr8_both, "movl $7, %eax; movq %rax, %cr8; movq %cr8, %rbx");
PROGRAM(cr8_bad, "movl $16, %eax; movq %rax, %cr8");

static const char *cr8_exits(enum mode m)
{
	(void)m;
	intercept(PROC_CR8, 0x18);
	intercept(0, 0x08);
	LOAD(cr8_load);
	DO(until_exit(28, 0x18));
	if (be->on == ON_VMX || svm_features & SVM_FEATURE_DECODE)
		CHECK("information", out.info1, be->on == ON_VMX ? 14 << 8 | 8 : BIT(63) | 14);
	LOAD(cr8_store);
	DO(until_exit(28, 0x08));
	if (be->on == ON_VMX)
		CHECK("information", out.info1, 13 << 8 | 1 << 4 | 8);
	return NULL;
}

static const char *cr8_virtual(enum mode m)
{
	u64 physical = read_cr8();

	if (be->on == ON_VMX) {
		if (!vmx_has(vmx_caps.proc, PROC_TPR))
			return not_here;
		vmwrite(VM_PROC, (vmread(VM_PROC) & ~(u64)PROC_CR8) | PROC_TPR);
		vmwrite(VM_TPR_THRESHOLD, 0);
	} else {
		*(u32 *)(vmcb + VMCB_VINTR) = 1u << 24; /* V_INTR_MASKING */
	}
	LOAD(cr8_both);
	DO(until_hypercall(vm_at(m, END(cr8_both))));
	CHECK("CR8 as read", regs[RBX], 7);
	CHECK("the virtual priority",
	      be->on == ON_VMX ? *(u32 *)(virtual_apic + 0x80) >> 4 : *(u32 *)(vmcb + VMCB_VINTR) & 15, 7);
	CHECK("the physical priority", read_cr8(), physical);
	LOAD(cr8_bad);
	be->set(S_EIP, vm_at(m, G_CODE));
	return until_hypercall(vm_at(m, handler(13)));
}

PROGRAM(dr_load, "movq %r12, %dr2");

static const char *dr_access(enum mode m)
{
	(void)m;
	intercept(PROC_DR, 0x32);
	LOAD(dr_load);
	DO(until_exit(29, 0x32));
	if (be->on == ON_VMX || svm_features & SVM_FEATURE_DECODE)
		CHECK("information", out.info1, be->on == ON_VMX ? 12 << 8 | 2 : 12);
	return NULL;
}

/* ---- addresses ---- */

PROGRAM(invlpg, "invlpg 0x123(%r10, %r11, 8)");

static const char *invlpg_exits(enum mode m)
{
	(void)m;
	intercept(PROC_INVLPG, 0x79);
	LOAD(invlpg);
	regs[R10] = HIGH;
	regs[R11] = 0x200;
	DO(until_exit(14, 0x79));
	if (be->on == ON_VMX || svm_features & SVM_FEATURE_DECODE)
		CHECK("address", out.info1, HIGH + 0x1123);
	return NULL;
}

PROGRAM(read_r8, "movq (%r8), %rax");

static const char *page_fault(enum mode m)
{
	(void)m;
	if (be->on == ON_VMX)
		vmwrite(VM_EXCEPTIONS, 1 << 14);
	else
		svm_intercept(0x40 + 14);
	LOAD(read_r8);
	regs[R8] = HIGH + G_ABSENT + 0x10;
	DO(until_exit(0, 0x40 + 14));
	CHECK("address", be->on == ON_VMX ? out.info1 : out.info2, HIGH + G_ABSENT + 0x10);
	CHECK("error code", be->on == ON_VMX ? out.error : out.info1, 0);
	return NULL;
}

static const char *not_canonical(enum mode m)
{
	LOAD(read_r8);
	regs[R8] = 0x8000000000000000;
	return until_hypercall(vm_at(m, handler(13)));
}

static const char *nested_fault(enum mode m)
{
	LOAD(read_r8);
	regs[R8] = vm_at(m, G_HOLE + 0x18);
	DO(until_exit(48, SVM_NPF));
	CHECK("guest-physical address", out.info2, G_HOLE + 0x18);
	if (be->on == ON_VMX)
		CHECK("linear address", out.linear, vm_at(m, G_HOLE + 0x18));
	CHECK("information", be->on == ON_VMX ? out.info1 & 0x1bf : out.info1,
	      be->on == ON_VMX ? 0x181 : BIT(32) | 4);
	return NULL;
}

/* The entry that leads to the page is in a page that is not there. */
static const char *nested_table(enum mode m)
{
	(void)m;
	ram64(G_TABLES + 0x2000)[1] = G_HOLE | 7;
	LOAD(read_r8);
	regs[R8] = HIGH + 0x201000;
	DO(until_exit(48, SVM_NPF));
	CHECK("guest-physical address", out.info2, G_HOLE + 8);
	if (be->on == ON_SVM)
		CHECK("information", out.info1 >> 32, 2);
	else
		CHECK("information", out.info1 >> 7 & 3, 1);
	return NULL;
}

PROGRAM(outs, "movl $0x1234, %edx; movl $3, %ecx; rep outsb");

static const char *string_io(enum mode m)
{
	if (be->on == ON_VMX)
		vm_or(VM_PROC, PROC_IO);
	else
		svm_intercept(0x7b);
	memset(iopm, 0xff, sizeof(iopm));
	LOAD(outs);
	regs[RSI] = vm_at(m, G_DATA);
	DO(until_exit(30, 0x7b));
	if (be->on == ON_VMX)
		CHECK("linear address", out.linear, vm_at(m, G_DATA));
	if (be->on == ON_VMX && vmx_caps.basic >> 54 & 1)
		CHECK("instruction information", out.insn & 0x38380, INFO_64 | 3 << 15);
	CHECK("information", out.info1,
	      be->on == ON_VMX ? 0x12340030 : 0x1234 << 16 | 3 << 10 | 1 << 9 | 1 << 4 | 8 | 4);
	return NULL;
}

PROGRAM(lgdt_rip, "lgdt 0x100(%rip)");

static const char *rip_relative(enum mode m)
{
	if (!vmx_has(vmx_caps.proc2, PROC2_TABLES))
		return not_here;
	vmx_proc2(PROC2_TABLES);
	LOAD(lgdt_rip);
	DO(until_exit(46, 0));
	CHECK("displacement", out.info1, vm_at(m, END(lgdt_rip)) + 0x100);
	CHECK("instruction information", out.insn & 0x30400780, INFO_64 | INFO_NO_INDEX | 2 << 28);
	CHECK("no base", out.insn & INFO_NO_BASE, INFO_NO_BASE);
	return NULL;
}

PROGRAM(invpcid, "xorl %eax, %eax; invpcid (%r8), %rax");

static const char *invpcid_exits(enum mode m)
{
	if (!HAS_INVPCID)
		return not_here;
	LOAD(invpcid);
	regs[R8] = vm_at(m, G_DATA);
	if (be->on == ON_SVM) {
		svm_intercept(0xa2);
		return until_exit(0, 0xa2);
	}
	if (!vmx_has(vmx_caps.proc2, PROC2_INVPCID))
		return not_here;
	DO(until_hypercall(vm_at(m, handler(6)))); /* #UD without the control */
	vmx_proc2(PROC2_INVPCID);
	vm_or(VM_PROC, PROC_INVLPG);
	be->set(S_EIP, vm_at(m, G_CODE));
	DO(until_exit(58, 0));
	CHECK("instruction information", out.insn & 0x7fc00780, INFO_64 | INFO_NO_INDEX | 8 << 23);
	return NULL;
}

/* ---- events ---- */

PROGRAM(int3, "int3");

static const char *frame_at(u64 rsp, u64 rip, u64 old_rsp)
{
	const u64 *f = ram64(rsp & 0xffff);

	CHECK("RSP", be->get(S_ESP), rsp);
	CHECK("RIP in the frame", f[0], rip);
	CHECK("CS in the frame", f[1], SEL_LONG);
	CHECK("RSP in the frame", f[3], old_rsp);
	return differs("SS in the frame", f[4], SEL_DATA);
}

static const char *breakpoint(enum mode m)
{
	LOAD(int3);
	be->set(S_ESP, vm_at(m, G_STACK) - 3);
	DO(until_hypercall(vm_at(m, handler(3))));
	return frame_at((vm_at(m, G_STACK) - 3) / 16 * 16 - 40, vm_at(m, END(int3)), vm_at(m, G_STACK) - 3);
}

static const char *stack_table(enum mode m)
{
	LOAD(int3);
	((struct gate *)(ram + G_IDT))[3].ist = 1;
	DO(until_hypercall(vm_at(m, handler(3))));
	return frame_at(vm_at(m, G_STACK_IST) - 40, vm_at(m, END(int3)), vm_at(m, G_STACK));
}

static const char *injected(enum mode m)
{
	LOAD(int3);
	be->inject(3, 13, true, 0x5678);
	DO(until_hypercall(vm_at(m, handler(13))));
	CHECK("RSP", be->get(S_ESP), vm_at(m, G_STACK) - 48);
	CHECK("error code", *ram64((vm_at(m, G_STACK) - 48) & 0xffff), 0x5678);
	return frame_at(vm_at(m, G_STACK) - 48, 0x5678, 0) ? NULL : "no error code in the frame";
}

/* Delivery finds the frame's page missing in the nested tables. */
static const char *during_delivery(enum mode m)
{
	LOAD(int3);
	be->set(S_ESP, vm_at(m, G_HOLE + 0x100));
	be->inject(3, 6, false, 0);
	DO(until_exit(48, SVM_NPF));
	CHECK("guest-physical address", out.info2 & ~0xfffull, G_HOLE);
	return differs("event under delivery", out.vectoring & 0x800007ff, 0x80000306);
}

static const char *triple_fault(enum mode m)
{
	(void)m;
	LOAD(int3);
	be->set(S_IDT_LIMIT, 0);
	return until_exit(2, 0x7f);
}

PROGRAM(iretq, "pushq $0x10; pushq %r8; pushq $2; pushq $8; pushq %r9; iretq");

static const char *iret(enum mode m)
{
	LOAD(iretq);
	regs[R8] = vm_at(m, G_STACK) - 0x80;
	regs[R9] = vm_at(m, handler(0x55));
	if (be->on == ON_SVM) {
		svm_intercept(0x74);
		DO(until_exit(0, 0x74));
		*(u32 *)(vmcb + 0x0c) &= ~(1u << 20);
	}
	DO(until_hypercall(vm_at(m, handler(0x55))));
	return differs("RSP", be->get(S_ESP), vm_at(m, G_STACK) - 0x80);
}

PROGRAM(flags, "pushfq; popfq");

static const char *flag_stack(enum mode m)
{
	(void)m;
	svm_intercept(0x70);
	svm_intercept(0x71);
	LOAD(flags);
	DO(until_exit(0, 0x70));
	be->set(S_EIP, be->get(S_EIP) + 1);
	return until_exit(0, 0x71);
}

/* ---- MSRs ---- */

PROGRAM(syscall, "syscall");
PROGRAM(swapgs, "swapgs; movq %gs:8, %rax");

static const u32 listed[MSRS] = { MSR_STAR, MSR_LSTAR, MSR_FMASK, MSR_KERNEL_GS_BASE };

/* The guest's system-call MSRs: VMX by lists, SVM by VMLOAD. */
static void system_calls(enum mode m, struct msr_entry *guest, struct msr_entry *host)
{
	const u64 values[MSRS] = { (u64)SEL_LONG << 32, vm_at(m, handler(0x66)), 0x400, vm_at(m, G_DATA) };

	be->efer(EFER_LME | EFER_LMA | EFER_SCE);
	for (u32 i = 0; i < MSRS; i++) {
		guest[i] = (struct msr_entry){ listed[i], 0, values[i] };
		host[i] = (struct msr_entry){ listed[i], 0, rdmsr(listed[i]) };
	}
	if (be->on == ON_SVM) {
		*vmcb64(VMCB_STAR) = values[0];
		*vmcb64(VMCB_STAR + 8) = values[1];
		*vmcb64(VMCB_STAR + 24) = values[2];
		*vmcb64(VMCB_STAR + 32) = values[3];
		return;
	}
	vmwrite(VM_ENTRY_LOAD, phys_of(guest));
	vmwrite(VM_EXIT_STORE, phys_of(guest));
	vmwrite(VM_EXIT_LOAD, phys_of(host));
	vmwrite(VM_ENTRY_LOAD_COUNT, MSRS);
	vmwrite(VM_EXIT_STORE_COUNT, MSRS);
	vmwrite(VM_EXIT_LOAD_COUNT, MSRS);
}

static const char *system_call(enum mode m)
{
	static struct msr_entry guest[MSRS] __attribute__((aligned(16))),
	    host[MSRS] __attribute__((aligned(16)));

	system_calls(m, guest, host);
	LOAD(syscall);
	be->set(S_EFLAGS, 0x402);
	DO(until_hypercall(vm_at(m, handler(0x66))));
	CHECK("RCX", regs[RCX], vm_at(m, END(syscall)));
	CHECK("R11", regs[R11], 0x402);
	CHECK("RFLAGS", be->get(S_EFLAGS), 2);
	for (u32 i = 0; i < MSRS; i++)
		CHECK("an MSR of the host's", rdmsr(listed[i]), host[i].value);
	return NULL;
}

static const char *swap_gs(enum mode m)
{
	static struct msr_entry guest[MSRS] __attribute__((aligned(16))),
	    host[MSRS] __attribute__((aligned(16)));
	u64 before = vm_at(m, G_FREE);

	system_calls(m, guest, host);
	be->set_segment(SEG_GS, SEL_DATA, before, ~0u, 0xc093);
	*ram64(G_DATA + 8) = 0x1234567890;
	LOAD(swapgs);
	DO(until_hypercall(vm_at(m, END(swapgs))));
	CHECK("what is at GS:8", regs[RAX], 0x1234567890);
	CHECK("GS base", be->on == ON_VMX ? vmread(VM_GUEST_BASE + 2 * SEG_GS) : *vmcb64(0x458),
	      vm_at(m, G_DATA));
	CHECK("KERNEL_GS_BASE", be->on == ON_VMX ? guest[3].value : *vmcb64(VMCB_STAR + 32), before);
	CHECK("GS base of the host", rdmsr(MSR_GS_BASE), (u64)&percpu);
	return NULL;
}

/* ---- modes ---- */

PROGRAM(to_compat, "pushq $0x18; pushq $0x1100; lretq");

static const char *to_compatibility(enum mode m)
{
	(void)m;
	LOAD(to_compat);
	memcpy(ram + 0x1100, be->hypercall, 3);
	DO(until_hypercall(0x1100));
	CHECK("CS", be->get(S_CS), SEL_CODE32);
	CHECK("EFER", be->get_efer(), EFER_LME | EFER_LMA);
	return NULL;
}

PROGRAM(compat, ".code32\nincl %eax; movl $0x12345678, %ecx");

static const char *compatibility(enum mode m)
{
	LOAD(compat);
	regs[RAX] = 0xffffffff;
	DO(until_hypercall(vm_at(m, END(compat))));
	CHECK("EAX", regs[RAX], 0);
	CHECK("ECX", regs[RCX], 0x12345678);
	CHECK("EFER", be->get_efer(), EFER_LME | EFER_LMA);
	return NULL;
}

PROGRAM(to_long,
	".code32\nmovl %cr4, %eax; orl $0x20, %eax; movl %eax, %cr4; movl $0x8000, %eax; movl %eax, %cr3\n"
	"movl $0xc0000080, %ecx; rdmsr; orl $0x100, %eax; wrmsr\n"
	"movl %cr0, %eax; orl $0x80000000, %eax; movl %eax, %cr0; ljmp $8, $0x1100");
PROGRAM(in_long, "movabsq $0xffff900000001180, %rax; jmp *%rax");

static const char *to_64_bits(enum mode m)
{
	(void)m;
	LOAD(to_long);
	memcpy(ram + 0x1100, p_in_long, (u64)(p_in_long_end - p_in_long));
	memcpy(ram + 0x1180, be->hypercall, 3);
	if (be->on == ON_VMX) {
		vmwrite(VM_CR4_MASK, 0x2000);
		vmwrite(VM_CR4_SHADOW, 0);
	}
	DO(until_hypercall(HIGH + 0x1180));
	CHECK("CS", be->get(S_CS), SEL_LONG);
	CHECK("CR0.PG", be->get(S_CR0) >> 31, 1);
	if (be->on == ON_SVM)
		return differs("EFER", be->get_efer(), EFER_LME | EFER_LMA);
	if (vmx_caps.misc >> 5 & 1)
		CHECK("the control of IA-32e mode", vmread(VM_ENTRIES) & ENTRIES_64, ENTRIES_64);
	return NULL;
}

const struct program cases[] = {
	{ "registers", IN(LONG) | IN(SHADOW), ON_BOTH, registers },
	{ "next-rip", IN(LONG) | IN(SHADOW), ON_BOTH, next_rip },
	{ "cr3", IN(LONG) | IN(SHADOW), ON_BOTH, cr3_access },
	{ "cr8", IN(LONG) | IN(SHADOW), ON_BOTH, cr8_exits },
	{ "cr8-virtual", IN(LONG) | IN(SHADOW), ON_BOTH, cr8_virtual },
	{ "debug-register", IN(LONG) | IN(SHADOW), ON_BOTH, dr_access },
	{ "invlpg", IN(LONG) | IN(SHADOW), ON_BOTH, invlpg_exits },
	{ "page-fault", IN(LONG) | IN(SHADOW), ON_BOTH, page_fault },
	{ "not-canonical", IN(LONG) | IN(SHADOW), ON_BOTH, not_canonical },
	{ "nested-fault", IN(LONG), ON_BOTH, nested_fault },
	{ "nested-table", IN(LONG), ON_BOTH, nested_table },
	{ "string-io", IN(LONG) | IN(SHADOW), ON_BOTH, string_io },
	{ "rip-relative", IN(LONG) | IN(SHADOW), ON_VMX, rip_relative },
	{ "invpcid", IN(LONG) | IN(SHADOW), ON_BOTH, invpcid_exits },
	{ "breakpoint", IN(LONG) | IN(SHADOW), ON_BOTH, breakpoint },
	{ "stack-table", IN(LONG) | IN(SHADOW), ON_BOTH, stack_table },
	{ "injection", IN(LONG) | IN(SHADOW), ON_BOTH, injected },
	{ "during-delivery", IN(LONG), ON_BOTH, during_delivery },
	{ "triple-fault", IN(LONG) | IN(SHADOW), ON_BOTH, triple_fault },
	{ "iretq", IN(LONG) | IN(SHADOW), ON_BOTH, iret },
	{ "pushfq-popfq", IN(LONG) | IN(SHADOW), ON_SVM, flag_stack },
	{ "syscall", IN(LONG) | IN(SHADOW), ON_BOTH, system_call },
	{ "swapgs", IN(LONG) | IN(SHADOW), ON_BOTH, swap_gs },
	{ "to-compatibility", IN(LONG) | IN(SHADOW), ON_BOTH, to_compatibility },
	{ "compatibility", IN(COMPAT), ON_BOTH, compatibility },
	{ "to-64-bit", IN(FLAT), ON_BOTH, to_64_bits },
};
const u32 case_count = LEN(cases);
