/* SPDX-License-Identifier: GPL-3.0-or-later
 * Items that need a kernel, in 64-bit mode. All but the timer's run with interrupts off and the timer masked.
 */
#include "guests/demo64/kernel.h"
#include "guests/nano/nano.h"
#include "guests/nano64/system.h"

#define PAGE_A 0	/* pages of the test table: flipped between two frames, */
#define PAGE_ABSENT 1	/* never present, or filled by the handler, */
#define PAGE_DEVICE 2	/* MMIO */
#define HOLE 0xf0000000 /* no device is there */
#define APIC 0xfee00000
#define APIC_EOI 0xb0	    /* offset of its register */
#define SPACE_VA 0x10000000 /* another frame in each of two address spaces */
#define KEEP (1ull << 63)
#define PIC_MASK 0x21
#define TIMER_PATIENCE 20000000
#define GATE_KERNEL 0x8e
#define GATE_USER 0xee

extern u8 user_image[], user_image_end[];
static u64 pte_a, pte_b, root_a, root_b;
static u8 code_page[4096] __attribute__((aligned(4096)));

/* ---- handlers ---- */

static void set_gate(unsigned vector, const void *handler, u8 type)
{
	u64 at = (u64)handler;

	idt[vector] = (struct gate){ .offset0 = (u16)at,
				     .sel = SEL_KCODE,
				     .type = type,
				     .offset16 = (u16)(at >> 16),
				     .offset32 = (u32)(at >> 32) };
}

static void restore_gate(unsigned vector)
{
	set_gate(vector, trap_stubs[vector], GATE_KERNEL);
}

static bool take_divide(void)
{
	set_gate(0, nano_skip, GATE_KERNEL);
	return true;
}

static void give_divide(void)
{
	restore_gate(0);
}

static bool take_fault(void)
{
	test_map(PAGE_ABSENT, 0);
	set_gate(14, nano_fault_skip, GATE_KERNEL);
	return true;
}

static bool take_fill(void)
{
	test_map(PAGE_ABSENT, 0);
	set_gate(14, nano_fault_fill, GATE_KERNEL);
	return true;
}

static void give_fault(void)
{
	restore_gate(14);
}

static bool take_syscall_by(void (*entry)(void))
{
	if (!HAS_SYSCALL)
		return false;
	wrmsr(MSR_EFER, rdmsr(MSR_EFER) | EFER_SCE);
	wrmsr(MSR_STAR, (u64)SEL_UCODE32 << 48 | (u64)SEL_KCODE << 32);
	wrmsr(MSR_FMASK, FLAG_IF | FLAG_DF | FLAG_TF);
	wrmsr(MSR_LSTAR, (u64)entry);
	return true;
}

static bool take_syscall(void)
{
	return take_syscall_by(nano_sysret);
}

static bool take_syscall_swapgs(void)
{
	return take_syscall_by(nano_sysret_swapgs);
}

static bool map_hole(void)
{
	test_map(PAGE_DEVICE, HOLE | PTE_P | PTE_W | 0x18); /* uncached */
	return true;
}

static bool map_apic(void)
{
	test_map(PAGE_DEVICE, APIC | PTE_P | PTE_W | 0x18);
	return cpu_has(1, 0, 3, 9);
}

static bool map_pages(void)
{
	test_map(PAGE_A, pte_a);
	return true;
}

static bool map_global(void)
{
	test_map(PAGE_A, pte_a | PTE_G);
	return true;
}

static void clear_pge(void)
{
	write_cr4(read_cr4() & ~(u64)CR4_PGE);
}

static bool set_pcide(void)
{
	if (!HAS_PCID)
		return false;
	write_cr4(read_cr4() | CR4_PCIDE);
	return true;
}

static void clear_pcide(void)
{
	write_cr3(root_a);
	write_cr4(read_cr4() & ~(u64)CR4_PCIDE);
}

static bool set_fsgsbase(void)
{
	if (!HAS_FSGSBASE)
		return false;
	write_cr4(read_cr4() | CR4_FSGSBASE);
	return true;
}

static void clear_fsgsbase(void)
{
	write_cr4(read_cr4() & ~(u64)CR4_FSGSBASE);
}

static bool set_smap(void)
{
	if (!HAS_SMAP)
		return false;
	write_cr4(read_cr4() | CR4_SMAP);
	return true;
}

static void clear_smap(void)
{
	write_cr4(read_cr4() & ~(u64)CR4_SMAP);
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

static void run_user_syscall(u32 n)
{
	nano_user(user_syscall, n);
}

#define PTE(page) (test_pt + (page))
NANO_RUN(run_int, "int $0x81", 0, 0, 0, 0)
NANO_RUN(run_iret,
	 "movq %%rsp, %%rax\npushq %%rcx\npushq %%rax\npushfq\npushq %%rdx\npushq $78f\niretq\n78:", 0, 0,
	 SEL_KDATA, SEL_KCODE)
NANO_RUN(run_swapgs, "swapgs\nswapgs", 0, 0, 0, 0)
NANO_RUN(run_sti_cli, "sti\ncli", 0, 0, 0, 0)
NANO_RUN(run_stac_clac, "stac\nclac", 0, 0, 0, 0)
NANO_RUN(run_in, "inb $0x80, %%al", 0, 0, 0, 0)
NANO_RUN(run_out, "outb %%al, $0x80", 0, 0, 0, 0)
NANO_RUN(run_in_uart, "inb %%dx, %%al", 0, 0, 0, 0x3fd)
NANO_RUN(run_cr0_read, "movq %%cr0, %%rax", 0, 0, 0, 0)
NANO_RUN(run_cr0_write, "movq %%rax, %%cr0", read_cr0(), 0, 0, 0)
/* PGE is cleared and set again, which flushes global pages; then one of them is used. */
NANO_RUN(run_cr4_pge, "movq %%rcx, %%cr4\nmovq %%rax, %%cr4\nmovq (%%rbx), %%rsi", read_cr4() | CR4_PGE,
	 test_va(PAGE_A), read_cr4() & ~(u64)CR4_PGE, 0)
NANO_RUN(run_cr3_write, "movq %%rax, %%cr3", read_cr3(), 0, 0, 0)
NANO_RUN(run_cr3_switch, "movq %%rax, %%cr3\nmovq (%%rbx), %%rsi\nmovq %%rcx, %%cr3\nmovq (%%rbx), %%rsi",
	 root_b, SPACE_VA, root_a, 0)
NANO_RUN(run_cr3_pcid, "movq %%rax, %%cr3\nmovq (%%rbx), %%rsi\nmovq %%rcx, %%cr3\nmovq (%%rbx), %%rsi",
	 root_b | 2 | KEEP, SPACE_VA, root_a | 1 | KEEP, 0)
NANO_RUN(run_cr8_write, "movq %%rax, %%cr8", 0, 0, 0, 0)
NANO_RUN(run_rdmsr, "rdmsr", 0, 0, MSR_STAR, 0)
NANO_RUN(run_fs_base, "wrmsr", 0x1000, 0, MSR_FS_BASE, 0)
NANO_RUN(run_kernel_gs_base, "wrmsr", 0x1000, 0, MSR_KERNEL_GS_BASE, 0)
NANO_RUN(run_wrfsbase, "wrfsbase %%rbx", 0, 0x1000, 0, 0)
NANO_RUN(run_rdfsbase, "rdfsbase %%rbx", 0, 0x1000, 0, 0)
NANO_RUN(run_gs_load, "movq %%gs:16, %%rax", 0, 0, 0, 0)
NANO_RUN(run_divide, "divb %%cl", 0, 0, 0, 0)
NANO_RUN(run_fault, "movl (%%rbx), %%eax", 0, test_va(PAGE_ABSENT), 0, 0)
NANO_RUN(run_fill, "movl (%%rbx), %%eax\nmovq $0, (%%rcx)\ninvlpg (%%rbx)", 0, test_va(PAGE_ABSENT),
	 PTE(PAGE_ABSENT), pte_a)
NANO_RUN(run_invlpg, "invlpg (%%rbx)", 0, test_va(PAGE_A), 0, 0)
NANO_RUN(run_pte_write, "movq %%rdx, (%%rcx)\nmovq %%rax, (%%rcx)", pte_a, 0, PTE(PAGE_A), pte_b)
NANO_RUN(run_pte_use,
	 "movq %%rdx, (%%rcx)\ninvlpg (%%rbx)\nmovq (%%rbx), %%rsi\nmovq %%rax, (%%rcx)\ninvlpg (%%rbx)\n"
	 "movq (%%rbx), %%rsi",
	 pte_a, test_va(PAGE_A), PTE(PAGE_A), pte_b)
NANO_RUN(run_device_read, "movl (%%rbx), %%eax", 0, test_va(PAGE_DEVICE), 0, 0)
NANO_RUN(run_device_write, "movl %%eax, (%%rbx)", 0, test_va(PAGE_DEVICE), 0, 0)
NANO_RUN(run_apic_eoi, "movl %%eax, (%%rbx)", 0, test_va(PAGE_DEVICE) + APIC_EOI, 0, 0)
/* The kernel uses memory of user mode. */
NANO_RUN(run_user_load, "movq (%%rbx), %%rax", 0, USER_STACK_HERE - 64, 0, 0)

/* Delay that one timer interrupt causes in a program that reads the clock continuously. The
 * interrupt may come between reading `ticks` and the clock, so its gap may be the one before. */
static u32 timer_gap(void)
{
	u64 seen = ticks;
	u32 usual = ~0u, before = 0, gap = 0;
	u64 last = nano_tsc();

	for (u32 i = 0; i < TIMER_PATIENCE; i++) {
		u64 now_ticks = ticks, now = nano_tsc();

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
	set_gate(0x20, nano_tick, GATE_KERNEL);
	outb(PIC_MASK, 0xfe);
	asm volatile("sti");
	return true;
}

static void timer_off(void)
{
	asm volatile("cli");
	outb(PIC_MASK, 0xff);
	restore_gate(0x20);
}

/* Columns as in guests/nano/insn.c. */
const struct nano_item nano_system_items[] = {
	{ "syscall", run_user_syscall, 8, run_user_loop, take_syscall, NULL, NULL, 0 },
	{ "syscall-swapgs", run_user_syscall, 8, run_user_loop, take_syscall_swapgs, NULL, NULL, 0 },
	{ "syscall-int", run_user_int, 8, run_user_loop, NULL, NULL, NULL, 0 },
	{ "int", run_int, NANO_OPS, NULL, NULL, NULL, NULL, 0 },
	{ "iretq", run_iret, NANO_OPS, NULL, NULL, NULL, NULL, 0 },
	{ "swapgs", run_swapgs, 2 * NANO_OPS, NULL, NULL, NULL, NULL, 0 },
	{ "cli/sti", run_sti_cli, NANO_OPS, NULL, NULL, NULL, NULL, 0 },
	{ "stac/clac", run_stac_clac, NANO_OPS, NULL, set_smap, clear_smap, NULL, 0 },
	{ "in", run_in, NANO_OPS, NULL, NULL, NULL, NULL, 0 },
	{ "out", run_out, NANO_OPS, NULL, NULL, NULL, NULL, 0 },
	{ "in-uart", run_in_uart, NANO_OPS, NULL, NULL, NULL, NULL, 0 },
	{ "cr0-read", run_cr0_read, NANO_OPS, NULL, NULL, NULL, NULL, 0 },
	{ "cr0-write", run_cr0_write, NANO_OPS, NULL, NULL, NULL, NULL, 0 },
	{ "cr4-pge", run_cr4_pge, 2 * NANO_OPS, NULL, map_global, clear_pge, NULL, 0 },
	{ "cr3-write", run_cr3_write, NANO_OPS, NULL, NULL, NULL, NULL, 0 },
	{ "cr3-switch", run_cr3_switch, 2 * NANO_OPS, NULL, NULL, NULL, NULL, 0 },
	{ "cr3-pcid", run_cr3_pcid, 2 * NANO_OPS, NULL, set_pcide, clear_pcide, NULL, 0 },
	{ "cr8-write", run_cr8_write, NANO_OPS, NULL, NULL, NULL, NULL, 0 },
	{ "rdmsr", run_rdmsr, NANO_OPS, NULL, NULL, NULL, NULL, 0 },
	{ "wrmsr-fs-base", run_fs_base, NANO_OPS, NULL, NULL, NULL, NULL, 0 },
	{ "wrmsr-kernel-gs", run_kernel_gs_base, NANO_OPS, NULL, NULL, NULL, NULL, 0 },
	{ "wrfsbase", run_wrfsbase, NANO_OPS, NULL, set_fsgsbase, clear_fsgsbase, NULL, 0 },
	{ "rdfsbase", run_rdfsbase, NANO_OPS, NULL, set_fsgsbase, clear_fsgsbase, NULL, 0 },
	{ "gs-load", run_gs_load, NANO_OPS, NULL, NULL, NULL, NULL, 0 },
	{ "user-load", run_user_load, NANO_OPS, NULL, NULL, NULL, NULL, 0 },
	{ "divzero", run_divide, NANO_OPS, NULL, take_divide, give_divide, NULL, 0 },
	{ "pgfault", run_fault, NANO_OPS, NULL, take_fault, give_fault, NULL, 0 },
	{ "pgfault-fill", run_fill, NANO_OPS, NULL, take_fill, give_fault, NULL, 0 },
	{ "invlpg", run_invlpg, NANO_OPS, NULL, map_pages, NULL, NULL, 0 },
	{ "pte-write", run_pte_write, 2 * NANO_OPS, NULL, map_pages, NULL, NULL, 0 },
	{ "pte-use", run_pte_use, 2 * NANO_OPS, NULL, map_pages, NULL, NULL, 0 },
	{ "mmio-read", run_device_read, NANO_OPS, NULL, map_hole, NULL, NULL, 0 },
	{ "mmio-write", run_device_write, NANO_OPS, NULL, map_hole, NULL, NULL, 0 },
	{ "apic-eoi", run_apic_eoi, NANO_OPS, NULL, map_apic, NULL, NULL, 0 },
	{ "timer", NULL, 1, NULL, timer_on, timer_off, timer_gap, 0 },
};
const u32 nano_system_count = LEN(nano_system_items);

void *nano_code_page(void)
{
	return code_page;
}

void nano_system_init(void)
{
	u64 size = (u64)(user_image_end - user_image), user = PTE_P | PTE_U;

	outb(PIC_MASK, 0xff);
	for (u64 at = 0; at < size; at += 4096)
		map(kernel_pml4, USER_TEXT + at, (phys_of(user_image) + at) | user);
	map(kernel_pml4, USER_STACK_HERE - 4096, frame_alloc() | user | PTE_W);
	pte_a = frame_alloc() | PTE_P | PTE_W | PTE_A | PTE_D;
	pte_b = frame_alloc() | PTE_P | PTE_W | PTE_A | PTE_D;
	root_a = phys_of((void *)kernel_pml4);
	root_b = frame_alloc();
	memcpy((u64 *)phys(root_b) + 256, (void *)(kernel_pml4 + 256), 2048);
	map(kernel_pml4, SPACE_VA, frame_alloc() | PTE_P | PTE_W);
	map(phys(root_b), SPACE_VA, frame_alloc() | PTE_P | PTE_W);
	set_gate(SYSCALL_INT, nano_iret, GATE_USER);
	set_gate(KERNEL_INT, nano_iret, GATE_KERNEL);
	set_gate(LEAVE_INT, nano_leave, GATE_USER);
}
