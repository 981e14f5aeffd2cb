/* SPDX-License-Identifier: GPL-3.0-or-later
 * Descriptor tables, interrupt controllers, the timer, and trap dispatch. */
#include "guests/demo/kernel.h"

struct tss tss __attribute__((aligned(128)));
u64 gdt[GDT_ENTRIES], ldt[2];
static u64 idt[256];
volatile u32 ticks, db_traps, bp_traps;
struct frame db_frame;
struct db_record db_trace[DB_TRACE];
u32 features_edx;
bool have_sysenter;
void (*vector_hook)(struct frame *);
struct frame caught;
u32 caught_cr2;
static u8 trap_stack[STACK_SIZE] __attribute__((aligned(16)));

u64 descriptor(u32 base, u32 limit, u32 attr)
{
	u32 lo = (limit & 0xffff) | base << 16;
	u32 hi = (base >> 16 & 0xff) | (attr & 0xff) << 8 | (limit & 0xf0000) | (attr & 0xf000) << 8 |
		 (base & 0xff000000);

	return (u64)hi << 32 | lo;
}

static void gdt_init(void)
{
	struct pseudo_desc d = { sizeof(gdt) - 1, (u32)gdt };

	gdt[1] = descriptor(0, 0xfffff, A_CODE | A_32 | A_PAGES);
	gdt[2] = descriptor(0, 0xfffff, A_DATA | A_32 | A_PAGES);
	gdt[3] = descriptor(0, 0xfffff, A_CODE_USER | A_32 | A_PAGES);
	gdt[4] = descriptor(0, 0xfffff, A_DATA_USER | A_32 | A_PAGES);
	memcpy(&gdt[SEL_TWIN / 8], &gdt[SEL_KCODE / 8], 4 * sizeof(gdt[0]));
	gdt[5] = descriptor((u32)&tss, sizeof(tss) - 1, 0x89);
	gdt[8] = descriptor((u32)ldt, sizeof(ldt) - 1, 0x82);
	load_gdt(&d);
	tss.ss0 = SEL_KDATA;
	tss.esp0 = (u32)trap_stack + STACK_SIZE;
	tss.iomap = sizeof(tss);
	asm volatile("ltr %w0" : : "r"(SEL_TSS));
}

/* All are interrupt gates; user code may use INT3, INTO, BOUND's vector and SYS_INT. */
static void idt_init(void)
{
	struct pseudo_desc d = { sizeof(idt) - 1, (u32)idt };

	for (unsigned i = 0; i < 256; i++) {
		u32 type = (i == 3 || i == 4 || i == SYS_INT) ? 0xee00 : 0x8e00;

		idt[i] = (u64)((trap_stubs[i] & 0xffff0000) | type) << 32 | SEL_KCODE << 16 |
			 (trap_stubs[i] & 0xffff);
	}
	asm volatile("lidt %0" : : "m"(d));
}

static void pic_init(void)
{
	static const u8 words[][2] = { { 0x20, 0x11 }, { 0xa0, 0x11 }, { 0x21, 0x20 }, { 0xa1, 0x28 },
				       { 0x21, 4 },    { 0xa1, 2 },    { 0x21, 1 },    { 0xa1, 1 },
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

static bool have_cpuid(void)
{
	u32 was, now;

	asm volatile("pushfl; popl %0; movl %0, %1; xorl $0x200000, %1; pushl %1; popfl; pushfl; popl %1"
		     : "=&r"(was), "=&r"(now));
	return (was ^ now) & 0x200000;
}

static void features_init(void)
{
	u32 a = 1, b, c, d;

	if (!have_cpuid())
		return;
	asm volatile("cpuid" : "+a"(a), "=b"(b), "=c"(c), "=d"(d));
	features_edx = d;
	have_sysenter = d & 1 << 11;
	if (have_sysenter) {
		wrmsr(0x174, SEL_KCODE);
		wrmsr(0x175, (u32)&tss.esp0);
		wrmsr(0x176, (u32)sysenter_entry);
	}
	if (d & 1 << 24) /* OSFXSR, and OSXMMEXCPT where there is SSE */
		write_cr4(read_cr4() | 0x200 | (d & 1 << 25 ? 0x400 : 0));
	write_cr0((read_cr0() & ~4u) | 0x22); /* MP, NE, not EM */
	asm volatile("fninit");
}

void cpu_init(void)
{
	gdt_init();
	idt_init();
	pic_init();
	pit_init(1000);
	features_init();
}

void panic(const char *why, const struct frame *f)
{
	print("\nPANIC: %s: vector %u error %x at %x:%08x cr2 %08x\n", why, f->vec, f->err, f->cs, f->eip,
	      read_cr2());
	print("eax %08x ebx %08x ecx %08x edx %08x esi %08x edi %08x ebp %08x\n", f->eax, f->ebx, f->ecx,
	      f->edx, f->esi, f->edi, f->ebp);
	finish(0x3f);
}

/* ACPI S5: PM1a control is at 0x604 and the sleep type 0 on the machines we know (only AML is certain).
 * Power-off may take a moment. */
void power_off(void)
{
	outw(0x604, 0x2000);
	for (unsigned patience = 100000; patience; patience--)
		inb(0x80);
}

static void irq(struct frame *f)
{
	outb(0x20, 0x20);
	if (f->vec != 0x20)
		return;
	ticks++;
	task_tick(f);
}

static void fault(struct frame *f, u32 cr2)
{
	if (catch_active) {
		caught = *f;
		caught_cr2 = cr2;
		catch_resume();
	}
	if (!(f->cs & 3) || !task_trap(f))
		panic("unexpected exception", f);
}

/* RF should be set by now; on a machine that lost it, a code breakpoint would trap again for ever. */
static void db_trap(struct frame *f)
{
	db_trace[db_traps++ % DB_TRACE] = (struct db_record){ f->eip, f->ecx };
	db_frame = *f;
	f->eflags |= 0x10000;
}

void trap(struct frame *f)
{
	u32 cr2 = f->vec == 14 ? read_cr2() : 0;

	if (f->vec == SYS_INT)
		task_syscall(f);
	else if (f->vec >= 0x20 && f->vec < 0x30)
		irq(f);
	else if (vector_hook && (f->vec == 2 || f->vec >= 0x50))
		vector_hook(f);
	else if (f->vec == 1)
		db_trap(f);
	else if (f->vec == 3 || f->vec == 4)
		bp_traps++;
	else if (f->vec == 7 && !catch_active)
		task_fpu();
	else if (f->vec != 14 || !page_fault(f, cr2))
		fault(f, cr2);
}
