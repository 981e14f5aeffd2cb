/* SPDX-License-Identifier: GPL-3.0-or-later
 * Jumps into nowhere, stacks that overflow, loops, tables in device memory. */
#include "tests/guests/hostile/hostile.h"

static const uint32_t nowhere[] = { 0x2000000,	0x40000000, 0xdeadbeef, 0xe0000000, 0xfec00000,
				    0xfee00000, 0xfffffff0, 0xffffffff, 0xa0000,    0xb8000,
				    0xbffff,	0xc0000,    0x1ffffff,	0x1fffffd };

static void jump(uint32_t a)
{
	__asm__ volatile("jmp *%0" : : "r"(a));
}

static void call(uint32_t a)
{
	__asm__ volatile("call *%0" : : "r"(a) : "eax", "ecx", "edx", "memory");
}

void test_nowhere(void)
{
	load_idt(0, 0);
	jump(nowhere[option("seed", 0) % (sizeof(nowhere) / 4)]);
}

void test_nowhere_idt(void)
{
	uint32_t ended = 0;

	if (option("paging", 0))
		paging_on();
	*at(0xb8000) = 0xc3c3c3c3;
	*at(0xbfffc) = *at(0) = 0xffffffff;
	for (uint32_t i = 0; i < option("rounds", 2000); i++) {
		uint32_t n = sizeof(nowhere) / 4, a = i < 2 * n ? nowhere[i % n] : rnd();

		if (a >= 0x1000 && a < MEMORY && (a < 0xa0000 || a > 0xfffff) && a < MEMORY - 0x1000)
			continue; /* that would be somewhere */
		if (a < 0x1000)
			continue;
		ended += attempt(i & 1 ? jump : call, a) < 32;
	}
	say("hostile: jumps that faulted: ", ended);
}

static void fill_stack(uint32_t depth)
{
	(void)depth;
	__asm__ volatile("1: call 1b");
}

/* A page that is not there below the stack. */
static void guard(void)
{
	extern char stack_top[];
	uint32_t a = ((uint32_t)stack_top - 16384) & ~4095u;

	paging_on();
	((uint32_t *)(TABLES + 4096))[a >> 12] = 0;
	set_cr3(TABLES);
}

void test_stack(void)
{
	set_gate(8, 0, 0, 0, 0);
	idt[8] = 0;
	guard();
	fill_stack(0);
}

void test_stack_df(void)
{
	uint32_t n = 0;

	guard();
	for (uint32_t i = 0; i < option("rounds", 50); i++) {
		uint32_t v = attempt(fill_stack, 0);

		if (v != 8 && v != V_TIMER)
			failed("stack overflow ended with", v, i);
		n += v == 8;
	}
	if (!n)
		failed("no double fault at all", 0, 0);
}

void test_cli_loop(void)
{
	print("hostile: looping\n");
	__asm__ volatile("cli");
	for (;;)
		;
}

/* Loops of other kinds, with interrupts off: "kind=N". */
void test_loop(void)
{
	print("hostile: looping\n");
	__asm__ volatile("cli");
	switch (option("kind", 0)) {
	case 0: /* indirect jumps */
		__asm__ volatile("mov $1f, %eax; 1: jmp *%eax");
		break;
	case 1: /* REP over nothing that ends */
		__asm__ volatile("cld; mov $0x200000, %edi; 1: mov $0x40000, %ecx;"
				 "rep stosb; jmp 1b");
		break;
	case 2: /* a fault for ever */
		idt[6] = 0;
		set_gate(6, (uint32_t) && bad, S_CODE, 14, 0);
		regime.cr0 = cr0();
	bad:
		__asm__ volatile("mov $0x90000, %esp; ud2");
		break;
	case 3: /* port input */
		__asm__ volatile("1: inb $0x80, %al; jmp 1b");
		break;
	case 4: /* device memory */
		__asm__ volatile("1: mov 0xe0000000, %eax; jmp 1b");
		break;
	case 5: /* its own code */
		__asm__ volatile("1: incl 2f+1; 2: mov $0, %eax; jmp 1b");
		break;
	case 6: /* HLT with interrupts off */
		for (;;)
			__asm__ volatile("hlt");
		break;
	case 7: /* single steps */
		set_gate(1, (uint32_t) && trap, S_CODE, 14, 0);
		__asm__ volatile("pushl $0x102; popfl");
		for (;;)
			;
	trap:
		__asm__ volatile("iretl");
		break;
	case 8: /* REP with a device at the other end, as long as can be */
		__asm__ volatile("1: cld; mov $0xffffffff, %ecx; mov $0xe0000000, %esi; rep lodsb; jmp 1b");
		break;
	case 9:
		__asm__ volatile(
		    "1: cld; mov $0xffffffff, %ecx; mov $0x200000, %edi; mov $0x80, %dx; rep insb; jmp 1b");
		break;
	case 10: /* page-table switches */
		paging_on();
		for (;;)
			set_cr3(TABLES);
	case 11: /* MOV SS, STI shadows */
		__asm__ volatile("mov %%ss, %%eax; 1: mov %%eax, %%ss; jmp 1b" : : : "eax");
		break;
	case 12: /* REP CMPS over memory that is the same everywhere */
		__asm__ volatile(
		    "1: cld; mov $0x10000, %ecx; mov $0x1800000, %esi; mov $0x1c00000, %edi; repe cmpsl; jmp 1b");
		break;
	default:
		for (;;)
			__asm__ volatile("call 1f; 1: ret");
	}
}

void test_idt_mmio(void)
{
	static const uint32_t where[] = { 0xe0000000,	 0xfffffc00, 0xb8000, 0xc0000,
					  0x2000000 - 8, 0x1fffffc,  0xa0000 };
	uint32_t k = option("seed", 0) % 7;

	if (where[k] == 0xb8000)
		for (uint32_t i = 0; i < 64; i++)
			*at(0xb8000 + 4 * i) = (uint32_t)(idt[i / 2] >> (i & 1 ? 32 : 0));
	load_idt(where[k], 0x7ff);
	print("hostile: now a fault\n");
	__asm__ volatile("ud2");
}
