/* SPDX-License-Identifier: GPL-3.0-or-later
 * Descriptor tables, interrupt controller, timer, and trap dispatch. */
#include "guests/demo64/kernel.h"

struct tss tss __attribute__((aligned(128)));
u64 gdt[GDT_ENTRIES];
struct gate idt[256] __attribute__((aligned(16)));
struct percpu percpu;
volatile u64 ticks, bp_traps, db_traps;
void (*volatile on_tick)(struct frame *f);
struct frame caught, bp_frame, db_frame;
u64 caught_cr2;
u8 ist_stack[STACK_SIZE] __attribute__((aligned(16)));
static u8 trap_stack[STACK_SIZE] __attribute__((aligned(16)));
static u8 syscall_stack[STACK_SIZE] __attribute__((aligned(16)));

enum { GATE = 0x8e, GATE_USER = 0xee, VEC_DB = 1, VEC_BP = 3, VEC_PF = 14, VEC_IRQ = 0x20 };

static void gdt_init(void)
{
	struct pseudo_desc d = { sizeof(gdt) - 1, (u64)gdt };
	u64 base = (u64)&tss;

	gdt[SEL_KCODE / 8] = 0x00209a0000000000;
	gdt[SEL_KDATA / 8] = 0x00cf92000000ffff;
	gdt[SEL_UCODE32 / 8] = 0x00cffa000000ffff;
	gdt[SEL_UDATA / 8] = 0x00cff2000000ffff;
	gdt[SEL_UCODE / 8] = 0x0020fa0000000000;
	gdt[SEL_KCODE32 / 8] = 0x00cf9a000000ffff;
	gdt[SEL_TSS / 8] =
	    (sizeof(tss) - 1) | (base & 0xffffff) << 16 | 0x89ull << 40 | (base >> 24 & 0xff) << 56;
	gdt[SEL_TSS / 8 + 1] = base >> 32;
	load_gdt(&d);
	tss.rsp[0] = (u64)trap_stack + STACK_SIZE;
	tss.ist[0] = (u64)ist_stack + STACK_SIZE;
	tss.iomap = sizeof(tss);
	asm volatile("ltr %w0" : : "r"(SEL_TSS));
}

/* All are interrupt gates; user code may use INT3 and SYS_INT. */
static void idt_init(void)
{
	struct pseudo_desc d = { sizeof(idt) - 1, (u64)idt };

	for (unsigned i = 0; i < 256; i++) {
		u64 at = (u64)trap_stubs[i];

		idt[i] = (struct gate){ .offset0 = (u16)at,
					.sel = SEL_KCODE,
					.type = i == VEC_BP || i == SYS_INT ? GATE_USER : GATE,
					.offset16 = (u16)(at >> 16),
					.offset32 = (u32)(at >> 32) };
	}
	asm volatile("lidt %0" : : "m"(d));
}

void set_ist(unsigned vector, unsigned ist)
{
	idt[vector].ist = (u8)ist;
}

void tables_init(void)
{
	gdt_init();
	idt_init();
	percpu =
	    (struct percpu){ .kernel_rsp = (u64)syscall_stack + STACK_SIZE, .magic = 0x6b65726e656c6773 };
	wrmsr(MSR_GS_BASE, (u64)&percpu);
	wrmsr(MSR_KERNEL_GS_BASE, 0);
}

static void pic_init(void)
{
	static const u8 words[][2] = { { 0x20, 0x11 }, { 0xa0, 0x11 }, { 0x21, VEC_IRQ }, { 0xa1, 0x28 },
				       { 0x21, 4 },    { 0xa1, 2 },    { 0x21, 1 },	  { 0xa1, 1 },
				       { 0x21, 0xfe }, { 0xa1, 0xff } };

	for (unsigned i = 0; i < LEN(words); i++)
		outb(words[i][0], words[i][1]);
}

static void pit_init(unsigned hz)
{
	unsigned div = 1193182 / hz;

	outb(0x43, 0x34);
	outb(0x40, (u8)div);
	outb(0x40, (u8)(div >> 8));
}

void devices_init(void)
{
	pic_init();
	pit_init(1000);
	write_cr4(read_cr4() | 0x600);	       /* OSFXSR, OSXMMEXCPT */
	write_cr0((read_cr0() & ~4ul) | 0x22); /* MP, NE, not EM */
	asm volatile("fninit");
}

bool cpu_has(u32 leaf, u32 sub, unsigned reg, unsigned bit)
{
	u32 r[4], max = leaf & 0x80000000;

	asm volatile("cpuid" : "+a"(max), "=b"(r[1]), "=c"(r[2]), "=d"(r[3]));
	if (leaf > max)
		return false;
	asm volatile("cpuid" : "=a"(r[0]), "=b"(r[1]), "=c"(r[2]), "=d"(r[3]) : "a"(leaf), "c"(sub));
	return r[reg] >> bit & 1;
}

void panic(const char *why, const struct frame *f)
{
	print("\nPANIC: %s: vector %u error %x at %x:%016x rsp %x:%016x flags %x cr2 %016x\n", why, f->vec,
	      f->err, f->cs, f->rip, f->ss, f->rsp, f->rflags, read_cr2());
	print("rax %016x rbx %016x rcx %016x rdx %016x\nrsi %016x rdi %016x rbp %016x r8  %016x\n", f->rax,
	      f->rbx, f->rcx, f->rdx, f->rsi, f->rdi, f->rbp, f->r8);
	print("r9  %016x r10 %016x r11 %016x r12 %016x\nr13 %016x r14 %016x r15 %016x\n", f->r9, f->r10,
	      f->r11, f->r12, f->r13, f->r14, f->r15);
	finish(0x3f);
}

static void syscall(struct frame *f)
{
	switch (f->rax) {
	case SYS_EXIT:
		leave_user(f->rdi);
	case SYS_ADD:
		f->rax = f->rdi + f->rsi + f->r10;
		break;
	case SYS_TICKS:
		f->rax = ticks;
		break;
	default:
		f->rax = ~0ul;
	}
}

static void fault(struct frame *f)
{
	caught = *f;
	caught_cr2 = f->vec == VEC_PF ? read_cr2() : 0;
	if (f->cs & 3)
		leave_user(~0ul);
	if (catch_active)
		catch_resume();
	panic("unexpected exception", f);
}

void trap(struct frame *f)
{
	if (percpu.magic && f->cs & 3) {
		u64 magic;

		asm volatile("movq %%gs:16, %0" : "=r"(magic));
		if (magic != percpu.magic)
			panic("GS is not the kernel's", f);
	}
	if (f->vec == VEC_SYSCALL || (f->vec == SYS_INT && f->cs & 3)) {
		syscall(f);
	} else if (f->vec >= VEC_IRQ && f->vec < VEC_IRQ + 16) {
		outb(0x20, 0x20);
		ticks += f->vec == VEC_IRQ;
		if (on_tick)
			on_tick(f);
	} else if (f->vec == VEC_BP) {
		bp_traps++;
		bp_frame = *f;
	} else if (f->vec == VEC_DB) {
		db_traps++;
		db_frame = *f;
	} else {
		fault(f);
	}
}
