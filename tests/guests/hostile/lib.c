/* SPDX-License-Identifier: GPL-3.0-or-later
 * The harness: output, options, descriptor tables, recovery. */
#include "tests/guests/hostile/hostile.h"

enum { COM1 = 0x3f8, EXIT_PORT = 0xf4, PIT_HZ = 1193182, TICK_HZ = 2000 };

uint64_t gdt[GDT_ENTRIES] __attribute__((aligned(8))), idt[256] __attribute__((aligned(8)));
struct tss tss_df, tss_task;
struct regime regime = { .cr0 = 0x11 };
volatile uint32_t last_vector, last_cr2, counts[256];
extern char gdt_reg[], idt_reg[], image_end[];

static char df_stack[4096];
static uint32_t seed = 1;
static char command_line[256];

/* Keep the command line, and make every byte of memory that is not ours the start
 * of an invalid instruction, so that a wild jump ends soon. */
void take_memory(const char *text)
{
	for (unsigned i = 0; i < sizeof(command_line) - 1 && text[i]; i++)
		command_line[i] = text[i];
	__asm__ volatile("cld; rep stosl" : : "D"(0), "c"(0x100000 / 4), "a"(-1) : "memory");
	__asm__ volatile("rep stosl"
			 :
			 : "D"(image_end), "c"((MEMORY - (uint32_t)image_end) / 4), "a"(-1)
			 : "memory");
}

uint32_t rnd(void)
{
	seed ^= seed << 13;
	seed ^= seed >> 17;
	seed ^= seed << 5;
	return seed;
}

uint32_t below(uint32_t n)
{
	return (uint32_t)((uint64_t)rnd() * n >> 32);
}

static void print_char(char c)
{
	while (!(inb(COM1 + 5) & 0x20))
		;
	outb(COM1, (uint8_t)c);
}

void print(const char *s)
{
	while (*s)
		print_char(*s++);
}

void print_num(uint32_t n)
{
	char buf[12], *p = buf + 11;

	*p = 0;
	do
		*--p = (char)('0' + n % 10);
	while (n /= 10);
	print(p);
}

static void print_hex(uint32_t n)
{
	for (int i = 28; i >= 0; i -= 4)
		print_char("0123456789abcdef"[n >> i & 15]);
}

void say(const char *s, uint32_t n)
{
	print(s);
	print_num(n);
	print("\n");
}

/* Where NAME's value is on the command line ("NAME=VALUE NAME=VALUE"), or NULL. */
static const char *value_of(const char *name)
{
	for (const char *p = command_line; *p; p++) {
		const char *n = name;

		while (*n && *p == *n)
			p++, n++;
		if (!*n && *p == '=')
			return p + 1;
		while (*p && *p != ' ')
			p++;
		if (!*p)
			break;
	}
	return 0;
}

uint32_t option(const char *name, uint32_t otherwise)
{
	const char *v = value_of(name);
	uint32_t n = 0;

	if (!v)
		return otherwise;
	while (*v >= '0' && *v <= '9')
		n = n * 10 + (uint32_t)(*v++ - '0');
	return n;
}

bool option_is(const char *name, const char *value)
{
	const char *v = value_of(name);

	while (v && *value && *v == *value)
		v++, value++;
	return v && !*value && (!*v || *v == ' ');
}

void end(uint32_t code)
{
	for (;;)
		__asm__ volatile("cli; outl %0, %1; hlt" : : "a"(code), "Nd"((uint16_t)EXIT_PORT));
}

void failed(const char *what, uint32_t a, uint32_t b)
{
	print("hostile: WRONG: ");
	print(what);
	print(" ");
	print_hex(a);
	print(" ");
	print_hex(b);
	print("\n");
	end(1);
}

uint64_t descriptor(uint32_t base, uint32_t limit, unsigned access, unsigned flags)
{
	return (limit & 0xffff) | (uint64_t)(base & 0xffffff) << 16 | (uint64_t)access << 40 |
	       (uint64_t)(limit >> 16 & 15) << 48 | (uint64_t)flags << 52 | (uint64_t)(base >> 24) << 56;
}

void set_gate(unsigned vec, uint32_t to, uint16_t sel, unsigned type, unsigned dpl)
{
	idt[vec] = (to & 0xffff) | (uint64_t)sel << 16 | (uint64_t)(0x80 | dpl << 5 | type) << 40 |
		   (uint64_t)(to >> 16) << 48;
}

void load_idt(uint32_t base, uint16_t limit)
{
	struct {
		uint16_t limit;
		uint32_t base;
	} __attribute__((packed)) r = { limit, base };

	__asm__ volatile("lidt %0" : : "m"(r));
}

static void set_up_gdt(void)
{
	gdt[S_CODE >> 3] = descriptor(0, 0xfffff, 0x9b, 0xc);
	gdt[S_DATA >> 3] = descriptor(0, 0xfffff, 0x93, 0xc);
	gdt[S_UCODE >> 3] = descriptor(0, 0xfffff, 0xfb, 0xc);
	gdt[S_UDATA >> 3] = descriptor(0, 0xfffff, 0xf3, 0xc);
	gdt[S_TSS >> 3] = descriptor((uint32_t)&tss, sizeof(tss) - 1, 0x89, 0);
	gdt[S_TSSDF >> 3] = descriptor((uint32_t)&tss_df, sizeof(tss_df) - 1, 0x89, 0);
	gdt[S_CODE16 >> 3] = descriptor(ARENA, 0xffff, 0x9b, 0);
	gdt[S_DATA16 >> 3] = descriptor(ARENA, 0xffff, 0x93, 0);
	gdt[S_UCODE16 >> 3] = descriptor(ARENA, 0xffff, 0xfb, 0);
	gdt[S_UDATA16 >> 3] = descriptor(ARENA, 0xffff, 0xf3, 0);
	gdt[S_REALCODE >> 3] = descriptor(0, 0xffff, 0x9b, 0);
	gdt[S_REALDATA >> 3] = descriptor(0, 0xffff, 0x93, 0);
	gdt[S_TASK >> 3] = descriptor((uint32_t)&tss_task, sizeof(tss_task) - 1, 0x89, 0);
}

static void set_up_df(void)
{
	tss_df = (struct tss){ .ss0 = S_DATA,
			       .esp0 = (uint32_t)(df_stack + sizeof(df_stack)),
			       .ss = S_DATA,
			       .cs = S_CODE,
			       .ds = S_DATA,
			       .es = S_DATA,
			       .eip = (uint32_t)df_entry,
			       .eflags = 2,
			       .cr3 = regime.cr3,
			       .esp = (uint32_t)(df_stack + sizeof(df_stack)),
			       .iomap = sizeof(struct tss) };
}

void set_up(void)
{
	seed = option("seed", 1) * 2654435761u | 1;
	for (int i = 0; i < 16; i++)
		rnd();
	set_up_gdt();
	set_up_df();
	tss.ss0 = S_DATA;
	tss.iomap = 104; /* user code may use ports below 200h, except those that end the machine */
	tss.bits[0x60 / 8] = tss.bits[0x90 / 8] = tss.bits[0xf0 / 8] = 0xff;
	for (unsigned i = 0; i < 256; i++)
		set_gate(i, (uint32_t)isr_stubs + 16 * i, S_CODE, 14, 3);
	set_gate(8, 0, S_TSSDF, 5, 0);
	__asm__ volatile(
	    "lgdt %0; lidt %1; ljmp $8, $1f; 1: mov %w2, %%ds; mov %w2, %%es; mov %w2, %%ss; mov %w3, %%fs;"
	    "mov %w3, %%gs; ltr %w4"
	    :
	    : "m"(*gdt_reg), "m"(*idt_reg), "r"(S_DATA), "r"(0), "r"(S_TSS)
	    : "memory");
	outb(0x92, 2);
	set_up_timer();
}

/* Interrupt 0 of the first controller at TICK_HZ: what ends loops. */
void set_up_timer(void)
{
	static const uint8_t init[2][4] = { { 0x11, V_TIMER, 4, 1 }, { 0x11, V_TIMER + 8, 2, 1 } };

	for (int c = 0; c < 2; c++) {
		outb(c ? 0xa0 : 0x20, init[c][0]);
		for (int i = 1; i < 4; i++)
			outb(c ? 0xa1 : 0x21, init[c][i]);
		outb(c ? 0xa1 : 0x21, c ? 0xff : 0xfe);
	}
	outb(0x43, 0x34);
	outb(0x40, (PIT_HZ / TICK_HZ) & 0xff);
	outb(0x40, (PIT_HZ / TICK_HZ) >> 8);
}

/* From entry.S, on the harness's stack: put right what the code may have broken. */
void recovered(uint32_t vec);
void recovered(uint32_t vec)
{
	last_vector = vec;
	counts[vec & 255]++;
	if (vec >= V_TIMER && vec < V_TIMER + 16) {
		outb(0x20, 0x20);
		outb(0xa0, 0x20);
	}
	__asm__ volatile("mov %0, %%dr7; mov %0, %%dr6; fninit" : : "r"(0));
	set_up_gdt();
	set_up_df();
	__asm__ volatile("pushfl; andl $0xffff8fff, (%%esp); popfl; lldt %w0; ltr %w1"
			 :
			 : "r"(0), "r"(S_TSS)
			 : "cc");
}

void paging_on(void)
{
	uint32_t *pd = (uint32_t *)TABLES, *pt = (uint32_t *)(TABLES + 4096);

	for (uint32_t i = 0; i < 1024; i++)
		pd[i] = i < MEMORY >> 22 ? (uint32_t)(pt + i * 1024) | 7 : 0;
	for (uint32_t a = 0; a < MEMORY; a += 4096) {
		bool user = (a >= ARENA && a < ARENA + ARENA_BYTES) || (a >= LOW && a < LOW + LOW_BYTES);

		pt[a >> 12] = a | 3 | (user ? 4 : 0);
	}
	regime.cr3 = TABLES;
	set_up_df();
	set_cr3(TABLES);
	regime.cr0 = 0x80010011;
	set_cr0(regime.cr0);
}
