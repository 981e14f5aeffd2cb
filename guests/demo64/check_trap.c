/* SPDX-License-Identifier: GPL-3.0-or-later
 * Exceptions and interrupts in 64-bit mode: frames, error codes, non-canonical addresses, the stacks that
 * gates choose, IRETQ, single steps, the timer; and system registers. */
#include "guests/demo64/kernel.h"

#define HOLE 0x0000800000000000ul /* the first address that is not canonical */

extern u8 div_here[], ud_here[], bp_here[];

static void do_div(void *arg)
{
	(void)arg;
	asm volatile(".globl div_here\ndiv_here: divq %%rcx" : : "a"(1ul), "d"(0ul), "c"(0ul));
}

static void do_div_overflow(void *arg)
{
	(void)arg;
	asm volatile("idivq %%rcx" : : "a"(0ul), "d"(1ul), "c"(1ul));
}

static const char *check_divide(void)
{
	if (!catch_fault(do_div, NULL) || !caught_is(0, 0) || caught.rip != (u64)div_here)
		return "division by zero";
	if (caught.rax != 1 || caught.rcx || caught.rdx || caught.cs != SEL_KCODE || caught.ss != SEL_KDATA)
		return "registers at the fault";
	return catch_fault(do_div_overflow, NULL) && caught_is(0, 0) ? NULL : "IDIV overflow";
}

static void do_ud(void *arg)
{
	(void)arg;
	asm volatile("movq $0x1234, %%r8; movq $0x5678, %%r15\n.globl ud_here\nud_here: ud2"
		     :
		     :
		     : "r8", "r15");
}

#define UD_CODE(name, text)                                                                                  \
	static void name(void *arg)                                                                          \
	{                                                                                                    \
		(void)arg;                                                                                   \
		asm volatile(text : : : "rax", "memory");                                                    \
	}
UD_CODE(do_push_cs, ".byte 0x0e")
UD_CODE(do_into, ".byte 0xce")
UD_CODE(do_aaa, ".byte 0x37")
UD_CODE(do_pusha, ".byte 0x60")
UD_CODE(do_far_jump, ".byte 0xea, 0, 0, 0, 0, 8, 0")
UD_CODE(do_82, ".byte 0x82, 0xc0, 0x01")
UD_CODE(do_lock_nop, ".byte 0xf0, 0x90")
UD_CODE(do_too_long, ".rept 15\n.byte 0x2e\n.endr\nnop")

static const char *check_ud(void)
{
	static void (*const gone[])(void *) = { do_push_cs,  do_into, do_aaa,	  do_pusha,
						do_far_jump, do_82,   do_lock_nop };

	if (!catch_fault(do_ud, NULL) || !caught_is(6, 0) || caught.rip != (u64)ud_here)
		return "UD2";
	if (caught.r8 != 0x1234 || caught.r15 != 0x5678)
		return "registers at the fault";
	for (unsigned i = 0; i < LEN(gone); i++)
		if (!catch_fault(gone[i], NULL) || !caught_is(6, 0))
			return "opcodes that 64-bit mode does not have";
	return catch_fault(do_too_long, NULL) && caught_is(13, 0) ? NULL : "16-byte instruction";
}

static const char *check_breakpoint(void)
{
	u64 before = bp_traps, rsp, after;

	asm volatile(
	    "movq %%rsp, %0; subq $8, %%rsp; int3\n.globl bp_here\nbp_here: movq %%rsp, %1; addq $8, %%rsp"
	    : "=&r"(rsp), "=&r"(after)
	    :
	    : "memory", "cc");
	if (bp_traps != before + 1 || bp_frame.rip != (u64)bp_here)
		return "not taken";
	if (bp_frame.rsp != rsp - 8 || after != rsp - 8 || ((u64)bp_frame.rflags & 2) == 0)
		return "RSP in the frame";
	return NULL;
}

/* The frame is aligned to 16 bytes: `trap` gets an RDI that is 8 modulo 16, whatever RSP was. */
static const char *check_alignment(void)
{
	for (u64 skew = 0; skew < 16; skew += 8) {
		u64 rsp;

		asm volatile(
		    "movq %%rsp, %0; andq $-16, %%rsp; subq %1, %%rsp; movq %%rsp, %%rbx; int3; movq %0, %%rsp"
		    : "=&r"(rsp)
		    : "r"(skew)
		    : "rbx", "memory", "cc");
		if (bp_frame.rsp != bp_frame.rbx)
			return "RSP in the frame";
	}
	return NULL;
}

static void do_load(void *p)
{
	(void)*(volatile u64 *)p;
}

static void do_store(void *p)
{
	*(volatile u64 *)p = 1;
}

static void do_push_there(void *p)
{
	asm volatile("movq %%rsp, %%rbx; movq %0, %%rsp; pushq %%rax; movq %%rbx, %%rsp"
		     :
		     : "r"(p)
		     : "rbx", "memory");
}

static void do_rbp(void *p)
{
	asm volatile("movq %%rbp, %%rbx; movq %0, %%rbp; movq (%%rbp), %%rax; movq %%rbx, %%rbp"
		     :
		     : "r"(p)
		     : "rax", "rbx", "memory");
}

static void do_jump(void *p)
{
	asm volatile("jmp *%0" : : "r"(p));
}

static void do_ret(void *p)
{
	asm volatile("pushq %0; ret" : : "r"(p) : "memory");
}

static const char *check_canonical(void)
{
	static const u64 bad[] = { HOLE, 0x8000000000000000, 0x0001000000000000, 0xffff000000000000 };

	for (unsigned i = 0; i < LEN(bad); i++) {
		if (!catch_fault(do_load, (void *)bad[i]) || !caught_is(13, 0))
			return "load";
		if (!catch_fault(do_store, (void *)bad[i]) || !caught_is(13, 0))
			return "store";
	}
	/* A processor checks either before or after the jump. */
	if (!catch_fault(do_jump, (void *)HOLE) || !caught_is(13, 0))
		return "JMP";
	return catch_fault(do_ret, (void *)HOLE) && caught_is(13, 0) ? NULL : "RET";
}

static void do_bad_selector(void *arg)
{
	asm volatile("movl %k0, %%ds" : : "r"(arg));
}

static void do_user_stack(void *arg)
{
	(void)arg;
	asm volatile("movl %0, %%ss" : : "r"(SEL_UDATA));
}

static void do_ltr(void *arg)
{
	asm volatile("ltr %w0" : : "r"(arg));
}

static const char *check_selectors(void)
{
	u64 sel;

	if (!catch_fault(do_bad_selector, (void *)0xfff8) || !caught_is(13, 0xfff8))
		return "outside the GDT";
	if (!catch_fault(do_user_stack, NULL) || !caught_is(13, SEL_UDATA & ~3))
		return "a user's segment in SS";
	if (!catch_fault(do_ltr, (void *)SEL_KDATA) || !caught_is(13, SEL_KDATA))
		return "LTR of a data segment";
	asm volatile("movl %1, %%ds; movl %%ds, %k0; movl %2, %%ds" : "=r"(sel) : "r"(SEL_KDATA), "r"(0));
	if (sel != SEL_KDATA)
		return "DS";
	asm volatile("movl %1, %%ss; movl %2, %%ss; movl %%ss, %k0" : "=r"(sel) : "r"(0), "r"(SEL_KDATA));
	return sel == SEL_KDATA ? NULL : "a null SS";
}

static const char *check_ist(void)
{
	u64 rsp, from = (u64)ist_stack, n = bp_traps;

	set_ist(6, 1);
	if (!catch_fault(do_ud, NULL) || !caught_is(6, 0))
		return "not taken";
	set_ist(6, 0);
	set_ist(3, 1);
	asm volatile("movq %%rsp, %0; int3" : "=r"(rsp) : : "memory");
	/* The frame itself is on that stack: its first word from the top is SS. */
	if (bp_traps != n + 1 || bp_frame.rsp != rsp || ((u64 *)(from + STACK_SIZE))[-1] != SEL_KDATA ||
	    ((u64 *)(from + STACK_SIZE))[-2] != rsp)
		return "frame";
	set_ist(3, 0);
	memset(ist_stack, 0, sizeof(ist_stack));
	asm volatile("int3");
	return ((u64 *)(from + STACK_SIZE))[-1] ? "without IST" : NULL;
}

static const char *check_iret(void)
{
	static u64 other_stack[64] __attribute__((aligned(16)));
	u64 rsp, was, flags;

	asm volatile("movq %%rsp, %1; pushq %4; pushq %3; pushq $0x8d7; pushq %5; pushq $1f; iretq\n"
		     "1: movq %%rsp, %0; movq %1, %%rsp; pushfq; popq %2"
		     : "=&r"(rsp), "=&r"(was), "=&r"(flags)
		     : "r"(other_stack + 32), "r"((u64)SEL_KDATA), "r"((u64)SEL_KCODE)
		     : "memory", "cc");
	if (rsp != (u64)(other_stack + 32))
		return "RSP";
	return (flags & 0x8d5) == 0x8d5 ? NULL : "RFLAGS";
}

static void do_iret_bad(void *rip)
{
	asm volatile("movq %%rsp, %%rax; pushq %0; pushq %%rax; pushq $2; pushq %1; pushq %2; iretq"
		     :
		     : "r"((u64)SEL_KDATA), "r"((u64)SEL_KCODE), "r"(rip)
		     : "rax", "memory");
}

static const char *check_iret_faults(void)
{
	return catch_fault(do_iret_bad, (void *)HOLE) && caught_is(13, 0) ? NULL
									  : "RIP that is not canonical";
}

static const char *check_far_return(void)
{
	u64 cs;

	asm volatile("pushq %1; pushq $1f; lretq; ud2; 1: movl %%cs, %k0"
		     : "=r"(cs)
		     : "r"((u64)SEL_KCODE)
		     : "memory");
	return cs == SEL_KCODE ? NULL : "CS";
}

/* A far return to a 32-bit segment, with code and stack below 4 GiB, and a far jump back. */
static const char *check_compat_kernel(void)
{
	u64 was = kernel_pml4[0], out;

	kernel_pml4[0] = kernel_pml4[511];
	write_cr3(read_cr3());
	out = compat_kernel(SEL_KCODE32);
	kernel_pml4[0] = was;
	write_cr3(read_cr3());
	return out == 0x1002 ? NULL : "result";
}

static const char *check_single_step(void)
{
	u64 before = db_traps;

	asm volatile("pushfq; orq $0x100, (%%rsp); popfq\n"
		     "nop; nop; movl $3, %%ecx\n1: loop 1b\n"
		     "pushfq; andq $~0x100, (%%rsp); popfq"
		     :
		     :
		     : "rcx", "cc", "memory");
	/* NOP NOP MOV LOOP*3 PUSHF AND POPF */
	return db_traps - before == 9 ? NULL : "number of #DB";
}

static const char *check_debug_registers(void)
{
	static volatile u64 watched __attribute__((aligned(8)));
	u64 before = db_traps, dr6;

	asm volatile("movq %0, %%dr0; movq %1, %%dr7"
		     :
		     : "r"(&watched), "r"(0x90002ul)); /* writes, length 10b */
	watched = 5;
	asm volatile("movq %%dr6, %0; movq %1, %%dr7; movq %1, %%dr6" : "=r"(dr6) : "r"(0ul));
	if (db_traps != before + 1 || !(dr6 & 1))
		return "eight bytes";
	before = db_traps;
	watched = 6;
	return db_traps == before ? NULL : "after it was disabled";
}

static const char *check_timer(void)
{
	u64 start = ticks, halts = 0, t = rdtsc();

	while (ticks - start < 10 && halts < 1000000) {
		asm volatile("sti; hlt; cli" : : : "memory");
		halts++;
	}
	if (ticks - start < 10)
		return "no ticks";
	return rdtsc() > t ? NULL : "the counter does not advance";
}

static const char *check_timer_loop(void)
{
	u64 start = ticks, sum = 0, n = 0, i;

	asm volatile("sti");
	while (ticks - start < 5 && n < 4000000000) { /* in C and in registers that interrupts must keep */
		n++;
		sum += n;
	}
	asm volatile(
	    "movl $100000000, %%ecx; xorl %%eax, %%eax; movq %1, %%r8; movq %1, %%r9; movq %1, %%r15;"
	    "1: incq %%rax; movq %2, %%rdx; subq %1, %%rdx; cmpq $10, %%rdx; ja 2f; decl %%ecx; jnz 1b; 2:"
	    "cmpq %%r8, %%r9; jne 3f; cmpq %%r15, %1; je 4f; 3: xorl %%eax, %%eax; 4: movq %%rax, %0; cli"
	    : "=r"(i)
	    : "r"(ticks), "m"(ticks)
	    : "rax", "rcx", "rdx", "r8", "r9", "r15", "memory", "cc");
	if (sum != n * (n + 1) / 2 || ticks - start < 5)
		return "a loop in C";
	return i ? NULL : "registers";
}

static const char *check_task_priority(void)
{
	u64 was = read_cr8(), got;

	write_cr8(9);
	got = read_cr8();
	write_cr8(was);
	return got == 9 && read_cr8() == was ? NULL : "CR8";
}

static const char *check_control(void)
{
	u64 cr0 = read_cr0(), cr4 = read_cr4(), efer = rdmsr(MSR_EFER);

	if ((efer & (EFER_LME | EFER_LMA)) != (EFER_LME | EFER_LMA) || !(cr0 & CR0_PG) || !(cr4 & CR4_PAE))
		return "the state of 64-bit mode";
	asm volatile("clts");
	return read_cr0() == cr0 && read_cr4() == cr4 ? NULL : "registers after the faults";
}

static const char *check_table_registers(void)
{
	struct pseudo_desc g = { 0, 0 }, i = { 0, 0 };
	u64 tr, ldt;

	asm volatile("sgdt %0; sidt %1; str %w2; sldt %w3" : "=m"(g), "=m"(i), "=&r"(tr), "=&r"(ldt));
	if (g.base != (u64)gdt || g.limit != sizeof(gdt) - 1)
		return "SGDT";
	if (i.base != (u64)idt || i.limit != sizeof(idt) - 1)
		return "SIDT";
	return (u16)tr == SEL_TSS && !(u16)ldt ? NULL : "STR and SLDT";
}

static const char *check_queries(void)
{
	u64 rights, limit, ok = 0, ok2 = 0;

	asm volatile("larl %k4, %k0; lsll %k5, %k1; setz %b2; verw %w5; setz %b3"
		     : "=&r"(rights), "=&r"(limit), "+&r"(ok), "+&r"(ok2)
		     : "r"(SEL_UCODE), "r"(SEL_UDATA)
		     : "cc");
	return (rights & 0xf0fe00) == 0x20fa00 && limit == ~0u && ok && ok2 ? NULL : "LAR and LSL";
}

/* ---- what QEMU's interpreter does not check ---- */

/* RSP itself is bad: the exception must have a stack of its own. */
static const char *check_canonical_stack(void)
{
	bool right;

	if (!catch_fault(do_rbp, (void *)HOLE) || !caught_is(12, 0))
		return "by RBP";
	set_ist(12, 1);
	right =
	    catch_fault(do_push_there, (void *)(HOLE + 64)) && caught_is(12, 0) && caught.rsp == HOLE + 64;
	set_ist(12, 0);
	return right ? NULL : "PUSH";
}

static void do_gs_base(void *p)
{
	wrmsr(MSR_KERNEL_GS_BASE, (u64)p);
}

static const char *check_canonical_msr(void)
{
	return catch_fault(do_gs_base, (void *)HOLE) && caught_is(13, 0) ? NULL : "KERNEL_GS_BASE";
}

static void do_cr4(void *arg)
{
	write_cr4((u64)arg);
}

static void do_efer(void *arg)
{
	wrmsr(MSR_EFER, (u64)arg);
}

static void do_cr0_high(void *arg)
{
	write_cr0((u64)arg);
}

static const char *check_reserved_control(void)
{
	u64 cr0 = read_cr0(), cr4 = read_cr4(), efer = rdmsr(MSR_EFER);

	if (!catch_fault(do_cr0_high, (void *)(cr0 | BIT(32))) || !caught_is(13, 0))
		return "CR0 bit 32";
	if (!catch_fault(do_cr4, (void *)(cr4 & ~(u64)CR4_PAE)) || !caught_is(13, 0))
		return "CR4.PAE cleared";
	if (!catch_fault(do_efer, (void *)(efer & ~(u64)EFER_LME)) || !caught_is(13, 0))
		return "EFER.LME cleared";
	return read_cr0() == cr0 && read_cr4() == cr4 ? NULL : "registers after the faults";
}

static const char *check_reserved_page(void)
{
	test_map(3, frame_alloc() | PTE_P | PTE_W | BIT(51));
	if (!catch_fault(do_load, (void *)test_va(3)) || !caught_is(14, 9))
		return "error code";
	test_map(3, 0);
	return NULL;
}

const struct check strict_checks[] = {
	{ "non-canonical stack", check_canonical_stack },
	{ "non-canonical MSR", check_canonical_msr },
	{ "reserved control bits", check_reserved_control },
	{ "reserved page-table bits", check_reserved_page },
	{ "vector that users may not use", check_user_vector },
};
const unsigned strict_check_count = LEN(strict_checks);

const struct check trap_checks[] = {
	{ "divide error", check_divide },
	{ "undefined opcode", check_ud },
	{ "breakpoint", check_breakpoint },
	{ "frames are aligned", check_alignment },
	{ "non-canonical addresses", check_canonical },
	{ "selectors", check_selectors },
	{ "segment queries", check_queries },
	{ "interrupt stack table", check_ist },
	{ "IRETQ", check_iret },
	{ "IRETQ faults", check_iret_faults },
	{ "far return", check_far_return },
	{ "control registers", check_control },
	{ "table registers", check_table_registers },
	{ "task priority", check_task_priority },
	{ "timer and HLT", check_timer },
	{ "timer in a loop", check_timer_loop },
	{ "single step flag", check_single_step },
	{ "data breakpoint", check_debug_registers },
	{ "compatibility mode in the kernel", check_compat_kernel },
};
const unsigned trap_check_count = LEN(trap_checks);
