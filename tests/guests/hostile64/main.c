/* SPDX-License-Identifier: GPL-3.0-or-later
 * hostile64: random instructions in 64-bit mode, in ring 3 and, with the word ring0, in ring 0, with
 * registers that lead anywhere and, in ring 0, with the kernel's memory and the page tables in reach. What
 * ends a round (an exception, or the timer) brings it back; in ring 0 the kernel may not survive, which is
 * its own affair.
 *
 * Words of the command line: seed=N (1), rounds=N (3000), ring0, compat (32-bit code segments in ring 3). */
#include "guests/demo64/kernel.h"
#include "tests/guests/hostile/likely.h"

#define ENTER 0x200000000000 /* the page that loads registers, and one with the registers */
#define CODE 0x210000000000
#define ARENA 0x10000000
#define STACK 0x7ffffffde000
enum { CODE_PAGES = 2, ARENA_PAGES = 16, CODE_BYTES = 96, LATE = 3, MSR_EFER_ = 0xc0000080 };

extern u8 enter_image[], enter_image_end[];

static u64 state, cr0, cr4, efer, ends[33];
static u8 *code[CODE_PAGES], *page_of_entry;
static u64 *registers, start;
static volatile u64 round_ticks;

static u64 rnd(void)
{
	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	return state;
}

static u64 below(u64 n)
{
	return (rnd() >> 11) % n;
}

void finish(unsigned failures)
{
	outb(0xf4, (u8)failures);
	for (;;)
		asm volatile("cli; hlt");
}

static u64 number_of(const char *key, u64 otherwise)
{
	for (const char *p = cmdline; *p; p++) {
		const char *l = p, *k = key;
		u64 n = 0;

		while (*k && *l == *k)
			l++, k++;
		if (*k)
			continue;
		while (*l >= '0' && *l <= '9')
			n = n * 10 + (u64)(*l++ - '0');
		return n;
	}
	return otherwise;
}

/* ---- memory ---- */

static u64 page_table_of(u64 va)
{
	u64 t = phys_of((void *)kernel_pml4);

	for (unsigned shift = 39; shift > 12; shift -= 9)
		t = ((volatile u64 *)phys(t))[va >> shift & 511] & PTE_ADDR;
	return t;
}

static void map_memory(void)
{
	u64 entry = frame_alloc(), regs = frame_alloc();

	page_of_entry = phys(entry);
	registers = phys(regs);
	memcpy(page_of_entry, enter_image, (u64)(enter_image_end - enter_image));
	map(kernel_pml4, ENTER, entry | PTE_P | PTE_U);
	map(kernel_pml4, ENTER + 4096, regs | PTE_P | PTE_U);
	for (unsigned i = 0; i < CODE_PAGES; i++) {
		u64 frame = frame_alloc();

		code[i] = phys(frame);
		map(kernel_pml4, CODE + i * 4096ul, frame | PTE_P | PTE_W | PTE_U);
	}
	for (unsigned i = 0; i < ARENA_PAGES; i++) {
		u64 frame = frame_alloc(), *p = phys(frame);

		for (unsigned k = 0; k < 512; k++)
			p[k] = rnd();
		map(kernel_pml4, ARENA + i * 4096ul, frame | PTE_P | (i % 5 ? PTE_W : 0) | PTE_U);
	}
	for (unsigned i = 0; i < 4; i++)
		map(kernel_pml4, STACK + i * 4096ul, frame_alloc() | PTE_P | PTE_W | PTE_U);
	for (unsigned i = 0; i < 4; i++)
		test_map(i, frame_alloc() | PTE_P | PTE_W | (i & 1 ? PTE_U : 0));
	/* The tables of the arena, in the arena: of ring 0 alone. */
	map(kernel_pml4, ARENA + 0x10000, page_table_of(ARENA) | PTE_P | PTE_W);
	map(kernel_pml4, ARENA + 0x11000, phys_of((void *)kernel_pml4) | PTE_P | PTE_W);
}

/* ---- a round ---- */

static u64 pick_value(void)
{
	static const u64 places[] = { CODE,
				      ARENA,
				      ARENA + 0x10000,
				      STACK,
				      TEST_BASE,
				      KERNEL_BASE,
				      PHYS_BASE,
				      0x00007fffffffffff,
				      0x0000800000000000,
				      0xffff7fffffffffff,
				      0xffff800000000000,
				      0,
				      0xfee00000,
				      0xb8000,
				      0x100000000,
				      0x780000000000 };
	u64 v = places[below(LEN(places))];

	switch (below(8)) {
	case 0:
		return rnd();
	case 1:
		return below(64);
	case 2:
		return v + below(128) - 64;
	case 3:
		return v + (below(16) << 32);
	case 4:
		return (u64)(int)rnd();
	case 5:
		return v + (below(4) << 31) + below(8192);
	default:
		return v + below(8192);
	}
}

static void put(unsigned at, u64 b)
{
	code[at >> 12 & 1][at & 4095] = (u8)b;
}

/* Random bytes with a REX prefix before many of them, and those that deserve more than their share. */
static void write_code(unsigned at)
{
	unsigned end = at + CODE_BYTES;

	while (at < end) {
		if (!below(6))
			put(at++, prefixes[below(LEN(prefixes))]);
		if (below(2))
			put(at++, 0x40 | below(16));
		if (below(2)) {
			unsigned i = (unsigned)below(LEN(likely));

			for (unsigned k = 0; k < likely[i].n; k++)
				put(at++, likely[i].b[k]);
		}
		for (u64 n = below(6); n; n--)
			put(at++, rnd() >> 20);
	}
	for (unsigned i = 0; i < 16; i++) /* undefined, and the end */
		put(at++, i & 1 ? 0x0b : 0x0f);
}

static void enter(void *arg)
{
	(void)arg;
	asm volatile("jmp *%0" : : "r"(ENTER), "D"(ENTER + 4096) : "memory");
}

/* Back to what the kernel needs, whatever the round left. */
static void restore(void)
{
	write_cr0(cr0);
	write_cr4(cr4);
	write_cr3(phys_of((void *)kernel_pml4));
	wrmsr(MSR_EFER_, efer);
	wrmsr(MSR_GS_BASE, (u64)&percpu);
	wrmsr(MSR_KERNEL_GS_BASE, 0);
	wrmsr(0xc0000100, 0);
	if (HAS_SYSCALL) {
		wrmsr(MSR_STAR, (u64)SEL_KCODE << 32 | (u64)SEL_UCODE32 << 48);
		wrmsr(MSR_LSTAR, (u64)syscall_entry);
		wrmsr(0xc0000084, 0x700);
	}
	tss.rsp[0] = tss.ist[0];
	outb(0x20, 0x20);
	outb(0x21, 0xfe);
	asm volatile("fninit; cld");
}

static void late(struct frame *f)
{
	if (!round_ticks || --round_ticks)
		return;
	round_ticks = LATE; /* it may be the kernel that is busy */
	f->vec = 32;
	caught = *f;
	if (f->cs & 3)
		leave_user(~0ul);
	if (catch_active)
		catch_resume();
}

static void one_round(bool ring0, bool compat)
{
	unsigned at = (unsigned)(below(4) ? below(4000) : 4096 - below(32));

	start = CODE + at;
	write_code(at);
	*(u64 *)(page_of_entry + 4088) = start;
	for (unsigned i = 0; i < 16; i++)
		registers[i] = pick_value();
	if (below(2))
		registers[4] = STACK + 0x1000 + below(0x2000);
	caught.vec = 0;
	round_ticks = LATE;
	if (ring0 && below(4))
		catch_fault(enter, NULL);
	else if (compat && below(2)) /* 32-bit code has the low 4 GiB: the arena is its code */
		run_user(ARENA + below(ARENA_PAGES * 4096), ARENA + 0x8000, 0, SEL_UCODE32);
	else
		run_user(ENTER, STACK + 0x1000, ENTER + 4096, SEL_UCODE);
	round_ticks = 0;
	asm volatile("cli");
	ends[caught.vec < 32 ? caught.vec : 32]++;
	restore();
}

void __attribute__((used)) kernel_main(u32 magic, u32 info)
{
	u64 rounds;
	bool ring0, compat;

	console_init();
	print("Vitrine hostile guest of 64-bit mode\n");
	keep_info(magic, info);
	state = number_of("seed=", 1) * 0x9e3779b97f4a7c15 + 1;
	for (unsigned i = 0; i < 16; i++)
		rnd();
	rounds = number_of("rounds=", 3000);
	ring0 = has_word(cmdline, "ring0");
	compat = has_word(cmdline, "compat");
	tables_init();
	paging_init();
	devices_init();
	for (unsigned i = 0; i < 256; i++)
		set_ist(i, 1);
	map_memory();
	on_tick = late;
	cr0 = read_cr0();
	cr4 = read_cr4() | (HAS_FSGSBASE && below(2) ? 1u << 16 : 0);
	efer = rdmsr(MSR_EFER_) | (HAS_SYSCALL ? 1 : 0);
	restore();
	for (u64 i = 0; i < rounds; i++)
		one_round(ring0, compat);
	for (unsigned i = 0; i < LEN(ends); i++)
		if (ends[i])
			print("vector %u: %u\n", (u64)i, ends[i]);
	print("hostile64: survived\n");
	finish(0);
}
