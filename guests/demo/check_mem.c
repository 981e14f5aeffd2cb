/* SPDX-License-Identifier: GPL-3.0-or-later
 * Checks of paging, of accesses that cross pages, and of self-modifying code. */
#include "guests/demo/kernel.h"

#define RW (PTE_P | PTE_W)
#define T(page) (TEST_BASE + (page)*4096)

static volatile u32 *at(u32 va)
{
	return (volatile u32 *)va;
}

static void do_read(void *p)
{
	(void)*(volatile u32 *)p;
}

static void do_write(void *p)
{
	*(volatile u32 *)p = 0x5a5a5a5a;
}

static bool faults(void (*fn)(void *), u32 va, u32 err, u32 cr2)
{
	return catch_fault(fn, (void *)va) && caught.vec == 14 && caught.err == err && caught_cr2 == cr2;
}

static const char *check_page_faults(void)
{
	u32 f = frame_alloc(), cr0 = read_cr0();
	bool through;

	test_map(0, 0);
	if (!faults(do_read, T(0), 0, T(0)) || !faults(do_write, T(0) + 8, 2, T(0) + 8))
		return "a page not present";
	test_map(0, f | PTE_P);
	if (catch_fault(do_read, (void *)T(0)) || !faults(do_write, T(0) + 4, 3, T(0) + 4))
		return "a read-only page";
	write_cr0(cr0 & ~0x10000u);
	through = !catch_fault(do_write, (void *)T(0));
	write_cr0(cr0);
	if (!through || *at(T(0)) != 0x5a5a5a5a)
		return "CR0.WP clear";
	if (!faults(do_write, T(0), 3, T(0)))
		return "CR0.WP set again";
	test_map(0, 0);
	frame_free(f);
	return NULL;
}

static const char *check_remap(void)
{
	u32 f[2] = { frame_alloc(), frame_alloc() };

	*(u32 *)phys(f[0]) = 100;
	*(u32 *)phys(f[1]) = 200;
	for (unsigned i = 0; i < 200; i++) {
		test_map(1, f[i & 1] | RW);
		if (*at(T(1)) != 100 * ((i & 1) + 1) + i / 2)
			return "INVLPG";
		++*at(T(1));
	}
	test_table[1] = f[0] | RW;
	write_cr3(read_cr3());
	if (*at(T(1)) != 200)
		return "reload of CR3";
	test_map(2, f[0] | RW);
	*at(T(2) + 64) = 4711;
	if (*at(T(1) + 64) != 4711 || *(u32 *)phys(f[0] + 64) != 4711)
		return "two names for one page";
	return NULL;
}

/* A global page whose entry became writable and not global without a flush: the write uses the new entry,
 * and the next load of CR3 flushes that translation, which is no longer global. */
static const char *check_global(void)
{
	u32 f[2] = { frame_alloc(), frame_alloc() }, cr4 = read_cr4();
	const char *wrong = NULL;

	*(u32 *)phys(f[1]) = 200;
	write_cr4(cr4 | CR4_PGE);
	test_map(5, f[0] | PTE_P | PTE_G);
	(void)*at(T(5));
	test_table[5] = f[0] | RW;
	catch_fault(do_write, (void *)T(5)); /* the manual allows one fault through the old entry */
	do_write((void *)T(5));
	test_table[5] = f[1] | RW;
	write_cr3(read_cr3());
	if (*(u32 *)phys(f[0]) != 0x5a5a5a5a)
		wrong = "the write";
	else if (*at(T(5)) != 200)
		wrong = "global no more";
	test_map(5, 0);
	write_cr4(cr4);
	frame_free(f[0]);
	frame_free(f[1]);
	return wrong;
}

static const char *check_accessed_dirty(void)
{
	u32 f = frame_alloc();

	test_map(3, f | RW);
	if (test_table[3] & (PTE_A | PTE_D))
		return "set without an access";
	(void)*at(T(3));
	if ((test_table[3] & (PTE_A | PTE_D)) != PTE_A)
		return "after a read";
	*at(T(3)) = 1;
	if ((test_table[3] & (PTE_A | PTE_D)) != (PTE_A | PTE_D))
		return "after a write";
	test_map(3, f | RW);
	(void)*at(T(3));
	if ((test_table[3] & (PTE_A | PTE_D)) != PTE_A)
		return "after they were cleared";
	return NULL;
}

static const char *check_demand(void)
{
	u32 before = demand_fills;

	for (u32 va = TEST_DEMAND; va < TEST_DEMAND + 64 * 4096; va += 4096)
		*at(va + 12) = va;
	for (u32 va = TEST_DEMAND; va < TEST_DEMAND + 64 * 4096; va += 4096) {
		if (*at(va + 12) != va || *at(va) != 0)
			return "contents";
		frame_free(test_table[va >> 12 & 1023] & ~0xfffu);
		test_map(va >> 12 & 1023, 0);
	}
	return demand_fills - before == 64 ? NULL : "number of fills";
}

static const char *check_large_pages(void)
{
	u32 *table = phys(frame_alloc());
	volatile u32 *pde = &kernel_dir[TEST_PSE >> 22];
	u32 f = frame_alloc();
	const char *wrong = NULL;

	*(u32 *)phys(f) = 0xfeedface;
	*pde = 0 | RW | PTE_PS;
	if (*at(TEST_PSE + (f & 0x3fffff)) != *(u32 *)phys(f & 0x3fffff))
		wrong = "4 MiB page";
	if (!(*pde & PTE_A))
		wrong = "accessed bit of a 4 MiB page";
	for (unsigned i = 0; i < 1024; i++)
		table[i] = f | RW;
	*pde = phys_of(table) | RW;
	write_cr3(read_cr3());
	for (unsigned i = 0; i < 1024; i += 111)
		if (*at(TEST_PSE + i * 4096) != 0xfeedface)
			wrong = "split into 4 KiB pages";
	*pde = 0;
	write_cr3(read_cr3());
	if (!wrong && !faults(do_read, TEST_PSE, 0, TEST_PSE))
		wrong = "removed";
	frame_free(phys_of(table));
	frame_free(f);
	return wrong;
}

/* The page directory as its own page table: entries accessed through themselves. */
static const char *check_self_map(void)
{
	u32 slot = (TEST_PSE >> 22) + 1, window = slot << 22, f = frame_alloc();
	const char *wrong = NULL;

	kernel_dir[slot] = phys_of((void *)kernel_dir) | RW;
	*at(window + (T(4) >> 12) * 4) = f | RW; /* maps T(4) */
	invlpg(T(4));
	*at(T(4)) = 31337;
	if (*(u32 *)phys(f) != 31337)
		wrong = "write through the new entry";
	else if (!(*at(window + (T(4) >> 12) * 4) & PTE_D))
		wrong = "dirty bit seen through the window";
	*at(window + (T(4) >> 12) * 4) = 0;
	invlpg(T(4));
	if (!wrong && !faults(do_read, T(4), 0, T(4)))
		wrong = "removal through the window";
	kernel_dir[slot] = 0;
	write_cr3(read_cr3());
	frame_free(f);
	return wrong;
}

/* ---- accesses that cross a page ---- */

static const char *check_straddle(void)
{
	u32 a = frame_alloc(), b = frame_alloc();
	const u8 *pa = phys(a), *pb = phys(b);

	test_map(6, b | RW);
	test_map(7, a | RW);
	*at(T(7) - 2) = 0x44332211;
	if (pb[4094] != 0x11 || pb[4095] != 0x22 || pa[0] != 0x33 || pa[1] != 0x44)
		return "write across pages";
	if (*at(T(7) - 1) != 0x443322u)
		return "read across pages";
	test_map(7, 0);
	if (!faults(do_write, T(7) - 2, 2, T(7)) || pb[4094] != 0x11 || pb[4095] != 0x22)
		return "write that faults half way";
	test_map(7, a | PTE_P);
	if (!faults(do_write, T(7) - 3, 3, T(7)) || pb[4094] != 0x11)
		return "write into a read-only page half way";
	return NULL;
}

static void do_stos(void *to)
{
	u32 n = 300;

	asm volatile("rep stosb" : "+D"(to), "+c"(n) : "a"('x') : "memory");
}

static void do_movs_down(void *to)
{
	u32 n = 200;
	void *from = (void *)T(10);

	asm volatile("std; rep movsb" : "+D"(to), "+S"(from), "+c"(n) : : "memory");
	asm volatile("cld");
}

static const char *check_strings(void)
{
	u32 a = frame_alloc(), b = frame_alloc(), n = 3000;
	void *to = (void *)(T(9) - 1000), *from = (void *)(T(9) - 1001);

	test_map(8, a | RW);
	test_map(9, 0);
	if (!faults(do_stos, T(9) - 100, 2, T(9)))
		return "REP STOS into nothing";
	if (caught.ecx != 200 || caught.edi != T(9) || *(u8 *)(T(9) - 1) != 'x')
		return "registers where it stopped";
	test_map(9, b | RW);
	*(u8 *)(T(9) - 1001) = 0x33;
	asm volatile("rep movsb" : "+D"(to), "+S"(from), "+c"(n) : : "memory");
	for (u32 va = T(9) - 1001; va < T(9) + 1999; va++)
		if (*(u8 *)va != 0x33)
			return "overlapping REP MOVS";
	test_map(10, a | RW);
	test_map(8, 0);
	if (!catch_fault(do_movs_down, (void *)(T(9) + 49)))
		return "REP MOVS downwards";
	asm volatile("cld");
	if (caught_cr2 != T(9) - 1 || caught.ecx != 150 || !(caught.eflags & 0x400))
		return "registers where it stopped downwards";
	return NULL;
}

static void do_cmps(void *from)
{
	void *to = (void *)T(11);

	asm volatile("cmpsl" : "+S"(from), "+D"(to) : : "cc", "memory");
}

static void do_movs(void *from)
{
	void *to = (void *)T(11);

	asm volatile("movsl" : "+S"(from), "+D"(to) : : "memory");
}

static void do_repe_cmps(void *from)
{
	void *to = (void *)(T(11) - 64);
	u32 n = 64;

	asm volatile("repe cmpsl" : "+S"(from), "+D"(to), "+c"(n) : : "cc", "memory");
}

/* CMPS and MOVS access the source first on every host, after each fault again: the page fault names the
 * source while it is absent, and the source is marked accessed when the destination faults. */
static const char *check_source_first(void)
{
	u32 f = frame_alloc();

	for (unsigned i = 0; i < 60; i++) {
		void (*fn)(void *) = i & 1 ? do_movs : do_cmps;
		u32 err = i & 1 ? 2 : 0;

		test_map(8, 0);
		test_map(9, 0);
		test_map(11, 0);
		if (!faults(fn, T(8), 0, T(8)))
			return "both absent";
		test_map(8, f | RW);
		if (!faults(fn, T(9) - 1, 0, T(9)))
			return "the source's second page and the destination absent";
		test_map(8, f | RW);
		if (!faults(fn, T(8), err, T(11)))
			return "the destination absent";
		if (!(test_table[8] & PTE_A))
			return "the source accessed";
		test_map(10, f | RW);
		if (!faults(do_repe_cmps, T(9) - 64, 0, T(9)) || caught.ecx != 48)
			return "REPE CMPS that reaches two absent pages";
	}
	test_map(8, 0);
	test_map(10, 0);
	frame_free(f);
	return NULL;
}

/* ---- self-modifying code ---- */

static u32 call(u32 va)
{
	u32 r;

	asm volatile("call *%1" : "=a"(r) : "r"(va) : "ecx", "edx", "memory", "cc");
	return r;
}

static void put(u32 va, const u8 *code, u32 n)
{
	memcpy((void *)va, code, n);
}

static const char *check_code_other_page(void)
{
	static const u8 code[] = { 0xb8, 0, 0, 0, 0, 0xc3 }; /* mov $0, %eax; ret */
	u32 f = frame_alloc();

	test_map(12, f | RW);
	put(T(12), code, sizeof(code));
	for (u32 i = 0; i < 300; i++) {
		*(volatile u32 *)(T(12) + 1) = i;
		if (call(T(12)) != i)
			return "written directly";
	}
	test_map(13, f | RW);
	for (u32 i = 0; i < 100; i++) {
		*(volatile u32 *)(T(13) + 1) = i ^ 0x55;
		if (call(T(12)) != (i ^ 0x55))
			return "written through another address";
	}
	for (u32 i = 0; i < 50; i++) {
		u32 g = frame_alloc();

		put((u32)phys(g), code, sizeof(code));
		*(u8 *)phys(g + 1) = (u8)i;
		test_map(12, g | RW);
		if (call(T(12)) != i)
			return "remapped";
		frame_free(g);
	}
	return NULL;
}

/* PUSHA onto its own code: the topmost dword, EAX, becomes the immediate of the next instruction; ECX,
 * below it, holds PUSHA itself and that instruction's opcode. */
static const char *code_under_pusha(void)
{
	static const u8 code[] = { 0x89, 0xe3,		     /* mov %esp, %ebx */
				   0x89, 0xd4,		     /* mov %edx, %esp */
				   0xeb, 40 };		     /* jmp to the rest, outside the pushed area */
	static const u8 rest[] = { 0x60, 0xba, 0,   0, 0, 0, /* pusha; mov $0, %edx */
				   0x89, 0xdc, 0xc3 };	     /* mov %ebx, %esp; ret */
	u32 f = frame_alloc(), r, top = T(15) + 46 + 6;

	test_map(15, f | RW);
	put(T(15), code, sizeof(code));
	put(T(15) + 46, rest, sizeof(rest));
	for (u32 i = 0; i < 50; i++) {
		asm volatile("cli\n\tcall *%[at]\n\tsti"
			     : "=d"(r)
			     : [at] "S"(T(15)), "a"(i), "c"(0xba609090), "d"(top)
			     : "ebx", "memory", "cc");
		if (r != i)
			return "under PUSHA";
	}
	return NULL;
}

static const char *check_code_same_page(void)
{
	u8 code[] = { 0x88, 0x0d, 0, 0, 0, 0,	   /* mov %cl, next + 1 */
		      0xb8, 0x11, 0, 0, 0, 0xc3 }; /* next: mov $0x11, %eax; ret */
	u32 f = frame_alloc(), next = T(14) + 6 + 1, r;

	memcpy(code + 2, &next, 4);
	test_map(14, f | RW);
	put(T(14), code, sizeof(code));
	for (u32 i = 0; i < 200; i++) {
		asm volatile("call *%1" : "=a"(r) : "r"(T(14)), "c"(i) : "memory");
		if (r != i)
			return "the next instruction";
	}
	return code_under_pusha();
}

static const char *check_code_across_pages(void)
{
	static const u8 code[] = { 0xb8, 1, 2, 3, 4, 0xc3 };
	u32 a = frame_alloc(), b = frame_alloc(), c = frame_alloc();

	test_map(16, a | RW);
	test_map(17, b | RW);
	put(T(17) - 3, code, sizeof(code));
	memcpy(phys(c), phys(b), 16);
	*(u8 *)phys(c) = 0x77;
	if (call(T(17) - 3) != 0x04030201)
		return "first";
	test_map(17, c | RW);
	if (call(T(17) - 3) != 0x04770201)
		return "second page changed";
	test_map(17, 0);
	if (!catch_fault((void (*)(void *))(T(17) - 3), NULL) || caught.vec != 14 || caught_cr2 != T(17))
		return "second page missing";
	return caught.eip == T(17) - 3 ? NULL : "address of the fault";
}

/* The same, reached from preceding code on the first page that has run this path before. */
static const char *run_into_pages(void)
{
	static const u8 code[] = { 0x90, 0x90, 0x90, 0xb8, 1, 2, 3, 4, 0xc3 };
	u32 a = frame_alloc(), b[2] = { frame_alloc(), frame_alloc() };
	const char *wrong = NULL;

	test_map(22, a | RW);
	test_map(23, b[0] | RW);
	put(T(23) - 6, code, sizeof(code));
	memcpy(phys(b[1]), phys(b[0]), 16);
	*(u8 *)phys(b[1]) = 0x77;
	for (u32 i = 0; i < 12 && !wrong; i++) {
		test_map(23, b[i & 1] | RW);
		for (u32 k = 0; k < 3; k++)
			if (call(T(23) - 6) != (i & 1 ? 0x04770201 : 0x04030201))
				wrong = "second page changed";
		if (i % 3)
			continue;
		test_map(23, 0);
		if (!catch_fault((void (*)(void *))(T(23) - 6), NULL) || caught.vec != 14 ||
		    caught.eip != T(23) - 3)
			wrong = "second page missing";
	}
	test_map(22, 0);
	test_map(23, 0);
	frame_free(a);
	frame_free(b[0]);
	frame_free(b[1]);
	return wrong;
}

/* Also with global pages: the engine may then link code across pages. */
static const char *check_run_into_pages(void)
{
	u32 cr4 = read_cr4();
	const char *wrong = run_into_pages();

	if (wrong)
		return wrong;
	write_cr4(cr4 | CR4_PGE);
	wrong = run_into_pages();
	write_cr4(cr4);
	return wrong;
}

static void do_exec(void *p)
{
	call((u32)p);
}

static const char *check_jump_nowhere(void)
{
	test_map(20, 0);
	if (!catch_fault(do_exec, (void *)(T(20) + 5)) || caught.vec != 14 || caught_cr2 != T(20) + 5)
		return "fault";
	return caught.eip == T(20) + 5 && caught.err == 0 ? NULL : "frame";
}

static u32 __attribute__((noinline)) load_here(u32 va)
{
	u32 v;

	asm volatile("movl (%1), %0" : "=r"(v) : "r"(va) : "memory");
	return v;
}

/* One load accesses the screen, memory and an address without device in turn. */
static const char *check_device_remapped(void)
{
	volatile u32 *cell = (volatile u32 *)(KERNEL_BASE + 0xb8000) + 79;
	u32 va = TEST_BASE + 21 * 4096, f = frame_alloc(), was = *cell, got;
	const char *wrong = NULL;

	*(volatile u32 *)phys(f + 79 * 4) = 0x11223344;
	*cell = 0x1e2a1e2b;
	for (u32 i = 0; i < 96 && !wrong; i++) {
		u32 kind = i / 3 % 8 ? i % 3 : 0, to = kind == 0 ? 0xb8000 : kind == 1 ? f : 0xf0000000;

		test_map(21, to | RW);
		for (u32 k = 0; k < 5; k++) {
			got = load_here(va + 79 * 4);
			if (kind == 0 && got != 0x1e2a1e2b)
				wrong = "the screen";
			if (kind == 1 ? got != 0x11223344 : kind && (got == 0x11223344 || got == 0x1e2a1e2b))
				wrong = kind == 1 ? "memory" : "where nothing is";
		}
	}
	*cell = was;
	test_map(21, 0);
	frame_free(f);
	return wrong;
}

static const char *check_device_memory(void)
{
	volatile u16 *cell = (volatile u16 *)(KERNEL_BASE + 0xb8000) + 79;
	u16 was = *cell, block[4];

	*cell = 0x1e2a;
	if (*cell != 0x1e2a)
		return "write and read";
	asm volatile("lock; addw $1, %0" : "+m"(*cell) : : "cc");
	if (*cell != 0x1e2b)
		return "locked addition";
	memcpy(block, (void *)(cell - 3), 8);
	if (block[3] != 0x1e2b)
		return "REP MOVS from the screen";
	*cell = was;
	return NULL;
}

/* ENTER on a stack of one page, 1 KiB below its end; below it one page that is not mapped, and one that is.
 * The operands are constants: ENTER takes nothing else. */
static void do_enter_hole(void *esp)
{
	asm volatile("movl %%esp, %%ebx; movl %%ebp, %%esi; movl %0, %%esp\n\tenter $3068+4096+2, $0\n\t"
		     "movl %%ebx, %%esp; movl %%esi, %%ebp"
		     :
		     : "r"(esp)
		     : "ebx", "esi", "memory");
}

static void do_enter_end(void *esp)
{
	asm volatile("movl %%esp, %%ebx; movl %%ebp, %%esi; movl %0, %%esp\n\tenter $3068+4096+4, $0\n\t"
		     "movl %%esp, %%ecx; movl %%ebp, %%edx; movl %%ebx, %%esp; movl %%esi, %%ebp"
		     : "+r"(esp)
		     :
		     : "ebx", "ecx", "edx", "esi", "memory");
}

static void do_enter_nested(void *esp)
{
	asm volatile("movl %%esp, %%ebx; movl %%ebp, %%esi; movl %0, %%esp; movl %0, %%ebp\n\t"
		     "enter $4096, $3\n\tmovl %%ebx, %%esp; movl %%esi, %%ebp"
		     :
		     : "r"(esp)
		     : "ebx", "esi", "memory");
}

static bool enter_faults(void (*fn)(void *), u32 esp, u32 err, u32 at)
{
	return catch_fault(fn, (void *)esp) && caught.vec == 14 && caught.err == err && caught_cr2 == at;
}

static const char *check_enter(void)
{
	u32 top = frame_alloc(), low = frame_alloc(), esp = T(26) + 3072;
	const char *wrong = NULL;

	test_map(26, top | RW);
	test_map(25, 0);
	test_map(24, low | RW);
	if (!enter_faults(do_enter_hole, esp, 2, T(25)))
		wrong = "part of the last item in a page that is absent";
	else if (*(u32 *)((u32)&caught + __builtin_offsetof(struct frame, ebp)) == esp - 4)
		wrong = "EBP after a fault";
	else if (!enter_faults(do_enter_nested, esp, 2, esp - 16 - 4096))
		wrong = "nested";
	else if (catch_fault(do_enter_end, (void *)esp))
		wrong = "fits";
	test_map(24, low | PTE_P);
	if (!wrong && !enter_faults(do_enter_end, esp, 3, T(25) - 4))
		wrong = "a page that cannot be written";
	test_map(26, 0);
	test_map(24, 0);
	frame_free(top);
	frame_free(low);
	return wrong;
}

const struct check mem_checks[] = {
	{ "page faults", check_page_faults },
	{ "pages remapped", check_remap },
	{ "global pages", check_global },
	{ "accessed and dirty bits", check_accessed_dirty },
	{ "pages on demand", check_demand },
	{ "4 MiB pages", check_large_pages },
	{ "self-mapped page tables", check_self_map },
	{ "accesses across pages", check_straddle },
	{ "string instructions", check_strings },
	{ "source before destination", check_source_first },
	{ "code changed elsewhere", check_code_other_page },
	{ "code changing itself", check_code_same_page },
	{ "code across pages", check_code_across_pages },
	{ "code into changed pages", check_run_into_pages },
	{ "jump to nowhere", check_jump_nowhere },
	{ "device memory", check_device_memory },
	{ "device memory remapped", check_device_remapped },
	{ "ENTER", check_enter },
};
const unsigned mem_check_count = LEN(mem_checks);
