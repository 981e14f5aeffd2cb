/* SPDX-License-Identifier: GPL-3.0-or-later
 * A guest that misbehaves on purpose. One Multiboot kernel, many tests: the
 * command line says which ("test=NAME seed=N rounds=N"). Every test is a row in
 * main.c; the harness here gives it a random generator, fault recovery that
 * survives broken stacks (a task gate for double faults), and an exit.
 *
 * Memory: harness from 1 MiB (below HARNESS_END), fuzzed code and its data at
 * ARENA, page tables at TABLES, pages to map at POOL; low memory from LOW for
 * real and virtual-8086 mode. */
#ifndef HOSTILE_H
#define HOSTILE_H
#include <stdbool.h>
#include <stdint.h>

enum {
	LOW = 0x20000,
	LOW_BYTES = 0x20000,
	TRAMPOLINE = 0x8000,
	ARENA = 0x200000,
	ARENA_BYTES = 0x40000,
	TABLES = 0x400000,
	TABLES_BYTES = 0x100000,
	POOL = 0x800000,
	POOL_BYTES = 0x400000,
	MEMORY = 0x2000000,
};
enum {
	S_CODE = 0x08,
	S_DATA = 0x10,
	S_UCODE = 0x1b,
	S_UDATA = 0x23,
	S_TSS = 0x28,
	S_TSSDF = 0x30,
	S_CODE16 = 0x38,
	S_DATA16 = 0x40,
	S_UCODE16 = 0x4b,
	S_UDATA16 = 0x53,
	S_REALCODE = 0x58,
	S_REALDATA = 0x60,
	S_TASK = 0x68,
	S_FREE = 0x80,
	GDT_ENTRIES = 128
};
enum { V_TIMER = 0x20 };

/* What run_code() enters with. */
struct state {
	uint32_t eax, ecx, edx, ebx, esp, ebp, esi, edi;
	uint32_t eip, eflags;
	uint16_t cs, ss, ds, es, fs, gs;
	bool v86, real;
};

struct tss {
	uint32_t link, esp0, ss0, esp1, ss1, esp2, ss2, cr3, eip, eflags, eax, ecx, edx, ebx, esp, ebp, esi,
	    edi, es, cs, ss, ds, fs, gs, ldt, iomap;
	uint8_t bits[64];
};

struct regime {
	uint32_t cr0, cr3, cr4;
}; /* what recovery goes back to */

extern uint64_t gdt[GDT_ENTRIES], idt[256];
extern struct tss tss, tss_df, tss_task;
extern struct regime regime;
extern volatile uint32_t last_vector, last_cr2, counts[256];

/* entry.S: enter S; the vector of the exception or interrupt that ended it. */
uint32_t run_code(const struct state *s);
/* Call FN; the vector that ended it, or 256 when it returned. */
uint32_t attempt(void (*fn)(uint32_t), uint32_t arg);
extern char isr_stubs[], df_entry[], real_blob[], real_blob_end[];

/* lib.c */
uint32_t rnd(void);
uint32_t below(uint32_t n);
void print(const char *s);
void print_num(uint32_t n);
void say(const char *s, uint32_t n);
uint32_t option(const char *name, uint32_t otherwise);
bool option_is(const char *name, const char *value);
__attribute__((noreturn)) void end(uint32_t code);
__attribute__((noreturn)) void failed(const char *what, uint32_t a, uint32_t b);
void set_gate(unsigned vec, uint32_t at, uint16_t sel, unsigned type, unsigned dpl);
uint64_t descriptor(uint32_t base, uint32_t limit, unsigned access, unsigned flags);
void take_memory(const char *command_line);
void set_up(void);
void set_up_timer(void);
/* Identity map of MEMORY with 4 KiB pages: user access for the arena and low memory only. */
void paging_on(void);
void load_idt(uint32_t base, uint16_t limit);

static inline void outb(uint16_t p, uint8_t v)
{
	__asm__ volatile("outb %0, %1" : : "a"(v), "Nd"(p));
}
static inline uint8_t inb(uint16_t p)
{
	uint8_t v;
	__asm__ volatile("inb %1, %0" : "=a"(v) : "Nd"(p));
	return v;
}
static inline uint32_t cr0(void)
{
	uint32_t v;
	__asm__ volatile("mov %%cr0, %0" : "=r"(v));
	return v;
}
static inline uint32_t cr3(void)
{
	uint32_t v;
	__asm__ volatile("mov %%cr3, %0" : "=r"(v));
	return v;
}
static inline uint32_t cr4(void)
{
	uint32_t v;
	__asm__ volatile("mov %%cr4, %0" : "=r"(v));
	return v;
}
static inline void set_cr0(uint32_t v)
{
	__asm__ volatile("mov %0, %%cr0" : : "r"(v) : "memory");
}
static inline void set_cr3(uint32_t v)
{
	__asm__ volatile("mov %0, %%cr3" : : "r"(v) : "memory");
}
static inline void set_cr4(uint32_t v)
{
	__asm__ volatile("mov %0, %%cr4" : : "r"(v) : "memory");
}
static inline void invlpg(uint32_t a)
{
	__asm__ volatile("invlpg (%0)" : : "r"(a) : "memory");
}
static inline volatile uint32_t *at(uint32_t a)
{
	return (volatile uint32_t *)a;
}

/* The tests. */
void test_nowhere(void), test_nowhere_idt(void), test_stack(void), test_stack_df(void), test_ports(void),
    test_ports_all(void), test_mmio(void), test_page_tables(void), test_own_tables(void), test_insn(void),
    test_rep(void), test_smc(void), test_cli_loop(void), test_loop(void), test_segments(void),
    test_tasks(void), test_idt_mmio(void), test_control(void), test_own_page(void);
#endif
