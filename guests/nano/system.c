/* SPDX-License-Identifier: GPL-3.0-or-later
 * Items that need a kernel: privileged instructions, traps, page tables, devices. All
 * but the timer's run with interrupts off and the timer masked. */
#include "guests/demo/kernel.h"
#include "guests/nano/system.h"

#define PAGE_A 0	 /* pages of the test table: flipped between two frames, */
#define PAGE_ABSENT 1	 /* never present, or filled by the handler, */
#define PAGE_DEVICE 2	 /* MMIO */
#define HOLE 0xf0000000u /* no device is there */
#define APIC 0xfee00000u
#define APIC_EOI 0xb0 /* offsets of its registers */
#define APIC_TIMER_COUNT 0x380
#define SPACE_VA 0x10000000 /* another frame in each of two address spaces */
#define PIC_MASK 0x21
#define MSR_SYSENTER_CS 0x174
#define MSR_SYSENTER_EIP 0x176
#define TIMER_PATIENCE 20000000
#define GATE_KERNEL 0x8e00
#define GATE_USER 0xee00

extern char user_image[], user_image_end[];
static u32 pte_a, pte_b, dir_a, dir_b;
static u8 code_page[4096] __attribute__((aligned(4096)));

static u32 test_va(unsigned page)
{
	return TEST_BASE + page * 4096;
}

/* ---- handlers ---- */

static u64 *idt(void)
{
	struct pseudo_desc d;

	asm volatile("sidt %0" : "=m"(d));
	return (u64 *)d.base;
}

static void set_gate(unsigned vector, u32 handler, u32 type)
{
	idt()[vector] = (u64)((handler & 0xffff0000) | type) << 32 | SEL_KCODE << 16 | (handler & 0xffff);
}

static void restore_gate(unsigned vector)
{
	set_gate(vector, trap_stubs[vector], GATE_KERNEL);
}

static bool take_divide(void)
{
	set_gate(0, (u32)nano_skip, GATE_KERNEL);
	return true;
}

static void give_divide(void)
{
	restore_gate(0);
}

static bool take_fault(void)
{
	test_map(PAGE_ABSENT, 0);
	set_gate(14, (u32)nano_fault_skip, GATE_KERNEL);
	return true;
}

static bool take_fill(void)
{
	test_map(PAGE_ABSENT, 0);
	set_gate(14, (u32)nano_fault_fill, GATE_KERNEL);
	return true;
}

static void give_fault(void)
{
	restore_gate(14);
}

static bool take_sysenter(void)
{
	if (have_sysenter)
		wrmsr(MSR_SYSENTER_EIP, (u32)nano_sysexit);
	return have_sysenter;
}

static bool map_hole(void)
{
	test_map(PAGE_DEVICE, HOLE | PTE_P | PTE_W | 0x18); /* uncached */
	return true;
}

static bool has_apic(void)
{
	u32 eax = 1, edx;

	asm volatile("cpuid" : "+a"(eax), "=d"(edx) : : "ebx", "ecx");
	return edx & 0x200;
}

static bool map_apic(void)
{
	test_map(PAGE_DEVICE, APIC | PTE_P | PTE_W | 0x18);
	return has_apic();
}

/* Write registers whose value does not matter; the timer's entry is masked. */
static void forget_apic(void)
{
	*(volatile u32 *)(test_va(PAGE_DEVICE) + APIC_TIMER_COUNT) = 0;
}

static bool map_global(void)
{
	test_map(PAGE_A, pte_a | PTE_G);
	return true;
}

static void restore_cr4(void)
{
	write_cr4(read_cr4() & ~CR4_PGE);
}

static bool map_readonly(void)
{
	test_map(PAGE_A, pte_a & ~PTE_W);
	return true;
}

static bool map_pages(void)
{
	test_map(PAGE_A, pte_a);
	return true;
}

/* ---- operations ---- */

static void run_user_loop(u32 n)
{
	nano_user(user_loop, n);
}

static void run_user_int(u32 n)
{
	nano_user(user_int, n);
}

static void run_user_sysenter(u32 n)
{
	nano_user(user_sysenter, n);
}

#define PTE(page) (test_table + (page))
NANO_RUN(run_int, "int $0x81", 0, 0, 0, 0)
NANO_RUN(run_iret, "pushfl\npushl %%cs\npushl $78f\niretl\n78:", 0, 0, 0, 0)
NANO_RUN(run_sti_cli, "sti\ncli", 0, 0, 0, 0)
NANO_RUN(run_in, "inb $0x80, %%al", 0, 0, 0, 0)
NANO_RUN(run_out, "outb %%al, $0x80", 0, 0, 0, 0)
NANO_RUN(run_in_uart, "inb %%dx, %%al", 0, 0, 0, 0x3fd)
NANO_RUN(run_cr0_read, "movl %%cr0, %%eax", 0, 0, 0, 0)
NANO_RUN(run_cr0_write, "movl %%eax, %%cr0", read_cr0(), 0, 0, 0)
/* WP is cleared for one store, as kernels do that write to a protected page. */
NANO_RUN(run_cr0_wp, "movl %%ecx, %%cr0\nmovl %%edx, (%%ebx)\nmovl %%eax, %%cr0\nmovl (%%ebx), %%esi",
	 read_cr0() | CR0_WP, test_va(PAGE_A), read_cr0() & ~CR0_WP, 0)
/* PGE is cleared and set again, which flushes global pages; then one of them is used. */
NANO_RUN(run_cr4_pge, "movl %%ecx, %%cr4\nmovl %%eax, %%cr4\nmovl (%%ebx), %%esi", read_cr4() | CR4_PGE,
	 test_va(PAGE_A), read_cr4() & ~CR4_PGE, 0)
NANO_RUN(run_cr3_write, "movl %%eax, %%cr3", read_cr3(), 0, 0, 0)
NANO_RUN(run_cr3_switch, "movl %%eax, %%cr3\nmovl (%%ebx), %%esi\nmovl %%ecx, %%cr3\nmovl (%%ebx), %%esi",
	 dir_b, SPACE_VA, dir_a, 0)
NANO_RUN(run_rdmsr, "rdmsr", 0, 0, MSR_SYSENTER_CS, 0)
NANO_RUN(run_divide, "divb %%cl", 0, 0, 0, 0)
NANO_RUN(run_fault, "movl (%%ebx), %%eax", 0, test_va(PAGE_ABSENT), 0, 0)
NANO_RUN(run_fill, "movl (%%ebx), %%eax\nmovl $0, (%%ecx)\ninvlpg (%%ebx)", 0, test_va(PAGE_ABSENT),
	 PTE(PAGE_ABSENT), pte_a)
NANO_RUN(run_invlpg, "invlpg (%%ebx)", 0, test_va(PAGE_A), 0, 0)
NANO_RUN(run_pte_write, "movl %%edx, (%%ecx)\nmovl %%eax, (%%ecx)", pte_a, 0, PTE(PAGE_A), pte_b)
NANO_RUN(run_pte_use,
	 "movl %%edx, (%%ecx)\ninvlpg (%%ebx)\nmovl (%%ebx), %%esi\nmovl %%eax, (%%ecx)\ninvlpg (%%ebx)\n"
	 "movl (%%ebx), %%esi",
	 pte_a, test_va(PAGE_A), PTE(PAGE_A), pte_b)
NANO_RUN(run_device_read, "movl (%%ebx), %%eax", 0, test_va(PAGE_DEVICE), 0, 0)
NANO_RUN(run_device_write, "movl %%eax, (%%ebx)", 0, test_va(PAGE_DEVICE), 0, 0)

NANO_RUN(run_apic_eoi, "movl %%eax, (%%ebx)", 0, test_va(PAGE_DEVICE) + APIC_EOI, 0, 0)
NANO_RUN(run_apic_timer, "movl %%eax, (%%ebx)", ~0u, test_va(PAGE_DEVICE) + APIC_TIMER_COUNT, 0, 0)

/* Delay that one timer interrupt causes in a program that reads the clock continuously. The
 * interrupt may come between reading `ticks` and the clock, so its gap may be the one before. */
static u32 timer_gap(void)
{
	u32 seen = ticks, usual = ~0u, before = 0, gap = 0;
	u64 last = nano_tsc();

	for (u32 i = 0; i < TIMER_PATIENCE; i++) {
		u32 now_ticks = ticks;
		u64 now = nano_tsc();

		before = gap;
		gap = (u32)(now - last);
		last = now;
		if (now_ticks != seen) {
			gap = gap > before ? gap : before;
			return gap > usual ? gap - usual : 0;
		}
		if (gap < usual)
			usual = gap;
	}
	return 0;
}

static bool timer_on(void)
{
	set_gate(0x20, (u32)nano_tick, GATE_KERNEL);
	outb(PIC_MASK, 0xfe);
	sti();
	return true;
}

static void timer_off(void)
{
	cli();
	outb(PIC_MASK, 0xff);
	restore_gate(0x20);
}

/* Columns as in insn.c. */
const struct nano_item nano_system_items[] = {
	{ "syscall-int", run_user_int, 8, run_user_loop, NULL, NULL, NULL, 0 },
	{ "syscall-sysenter", run_user_sysenter, 8, run_user_loop, take_sysenter, NULL, NULL, 0 },
	{ "int", run_int, NANO_OPS, NULL, NULL, NULL, NULL, 0 },
	{ "iret", run_iret, NANO_OPS, NULL, NULL, NULL, NULL, 0 },
	{ "cli/sti", run_sti_cli, NANO_OPS, NULL, NULL, NULL, NULL, 0 },
	{ "in", run_in, NANO_OPS, NULL, NULL, NULL, NULL, 0 },
	{ "out", run_out, NANO_OPS, NULL, NULL, NULL, NULL, 0 },
	{ "in-uart", run_in_uart, NANO_OPS, NULL, NULL, NULL, NULL, 0 },
	{ "cr0-read", run_cr0_read, NANO_OPS, NULL, NULL, NULL, NULL, 0 },
	{ "cr0-write", run_cr0_write, NANO_OPS, NULL, NULL, NULL, NULL, 0 },
	{ "cr0-wp", run_cr0_wp, 2 * NANO_OPS, NULL, map_readonly, NULL, NULL, 0 },
	{ "cr4-pge", run_cr4_pge, 2 * NANO_OPS, NULL, map_global, restore_cr4, NULL, 0 },
	{ "cr3-write", run_cr3_write, NANO_OPS, NULL, NULL, NULL, NULL, 0 },
	{ "cr3-switch", run_cr3_switch, 2 * NANO_OPS, NULL, NULL, NULL, NULL, 0 },
	{ "rdmsr", run_rdmsr, NANO_OPS, NULL, NULL, NULL, NULL, 0 },
	{ "divzero", run_divide, NANO_OPS, NULL, take_divide, give_divide, NULL, 0 },
	{ "pgfault", run_fault, NANO_OPS, NULL, take_fault, give_fault, NULL, 0 },
	{ "pgfault-fill", run_fill, NANO_OPS, NULL, take_fill, give_fault, NULL, 0 },
	{ "invlpg", run_invlpg, NANO_OPS, NULL, map_pages, NULL, NULL, 0 },
	{ "pte-write", run_pte_write, 2 * NANO_OPS, NULL, map_pages, NULL, NULL, 0 },
	{ "pte-use", run_pte_use, 2 * NANO_OPS, NULL, map_pages, NULL, NULL, 0 },
	{ "mmio-read", run_device_read, NANO_OPS, NULL, map_hole, NULL, NULL, 0 },
	{ "mmio-write", run_device_write, NANO_OPS, NULL, map_hole, NULL, NULL, 0 },
	{ "apic-eoi", run_apic_eoi, NANO_OPS, NULL, map_apic, NULL, NULL, 0 },
	{ "apic-timer", run_apic_timer, NANO_OPS, NULL, map_apic, forget_apic, NULL, 0 },
	{ "timer", NULL, 1, NULL, timer_on, timer_off, timer_gap, 0 },
};
const u32 nano_system_count = LEN(nano_system_items);

static void map_user(void)
{
	u32 dir = phys_of((void *)kernel_dir), size = (u32)(user_image_end - user_image);

	for (u32 at = 0; at < size; at += 4096)
		space_map(dir, USER_TEXT + at, phys_of(user_image) + at, PTE_P | PTE_U);
	space_map(dir, USER_STACK_TOP - 4096, frame_alloc(), PTE_P | PTE_W | PTE_U);
}

void *nano_code_page(void)
{
	return code_page;
}

void nano_system_init(void)
{
	outb(PIC_MASK, 0xff);
	map_user();
	pte_a = frame_alloc() | PTE_P | PTE_W | PTE_A | PTE_D;
	pte_b = frame_alloc() | PTE_P | PTE_W | PTE_A | PTE_D;
	dir_a = phys_of((void *)kernel_dir);
	dir_b = space_new();
	space_map(dir_a, SPACE_VA, frame_alloc(), PTE_P | PTE_W);
	space_map(dir_b, SPACE_VA, frame_alloc(), PTE_P | PTE_W);
	set_gate(SYSCALL_INT, (u32)nano_iret, GATE_USER);
	set_gate(KERNEL_INT, (u32)nano_iret, GATE_KERNEL);
	set_gate(LEAVE_INT, (u32)nano_leave, GATE_USER);
}
