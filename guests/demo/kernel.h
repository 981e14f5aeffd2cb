/* SPDX-License-Identifier: GPL-3.0-or-later
 * The embedded guest's kernel: a 32-bit Multiboot kernel whose only purpose is to
 * use the processor as kernels do and to check the results against the manual.
 * One header, because it is one small program.
 *
 * Linear address space: 0xC0000000 maps physical memory from 0 in 4 MiB pages;
 * TEST_BASE is one page table for experiments; processes are below 0xC0000000. */
#ifndef DEMO_KERNEL_H
#define DEMO_KERNEL_H

#define KERNEL_BASE 0xc0000000
#define TEST_BASE 0xfa000000   /* 4 MiB of 4 KiB pages for the checks */
#define TEST_DEMAND 0xfa100000 /* kernel pages mapped on first access */
#define TEST_DEMAND_END 0xfa200000
#define TEST_PSE 0xfa400000 /* the 4 MiB slot above, for large pages */
#define USER_TEXT 0x00400000
#define USER_HEAP 0x10000000
#define USER_HEAP_END 0x10100000
#define USER_STACK_TOP 0xb0000000
#define USER_STACK_LOW 0xaffe0000
#define STACK_SIZE 8192

#define SEL_KCODE 0x08
#define SEL_KDATA 0x10
#define SEL_UCODE 0x1b
#define SEL_UDATA 0x23
#define SEL_TSS 0x28
#define SEL_TEST 0x30 /* a data segment, changed by the checks */
#define SEL_CODE16 0x38
#define SEL_LDT 0x40
#define SEL_LDT_CODE 0x07 /* LDT entry 0, RPL 3 means nothing here: DPL 3 */
#define SEL_TWIN 0x48	  /* copies of SEL_KCODE to SEL_UDATA */
#define GDT_ENTRIES 13

#define PTE_P 1u
#define PTE_W 2u
#define PTE_U 4u
#define PTE_A 0x20u
#define PTE_D 0x40u
#define PTE_PS 0x80u
#define PTE_G 0x100u
#define CR0_WP 0x10000u
#define CR4_PGE 0x80u

#define SYS_INT 0x80
#define SYS_GETPID 1
#define SYS_WRITE 2	/* EBX text, ESI length */
#define SYS_PREEMPTED 3 /* number of preemptions of this process */
#define SYS_EXIT 4	/* EBX status */
#define SYS_YIELD 5

#ifndef __ASSEMBLER__
#define NULL ((void *)0)
typedef unsigned char u8;
typedef unsigned short u16;
typedef unsigned int u32;
typedef unsigned long long u64;
typedef _Bool bool;
#define true 1
#define false 0
#define LEN(a) (sizeof(a) / sizeof((a)[0]))

/* The frame that the trap entry pushes (entry.S). ESP and SS are present when the trap came from another
 * privilege level, the v86 segments when it came from virtual-8086 mode. */
struct frame {
	u32 edi, esi, ebp, unused, ebx, edx, ecx, eax;
	u32 gs, fs, es, ds;
	u32 vec, err;
	u32 eip, cs, eflags, esp, ss;
	u32 v86_es, v86_ds, v86_fs, v86_gs;
};

struct tss {
	u32 link, esp0, ss0, esp1, ss1, esp2, ss2, cr3, eip, eflags;
	u32 eax, ecx, edx, ebx, esp, ebp, esi, edi;
	u32 es, cs, ss, ds, fs, gs, ldt;
	u16 trap, iomap;
};

struct pseudo_desc {
	u16 limit;
	u32 base;
} __attribute__((packed));

#define MULTIBOOT_MAGIC 0x2badb002
struct multiboot {
	u32 flags, mem_lower, mem_upper, boot_device, cmdline;
};

/* A check returns NULL on success, else the name of the failed part. */
struct check {
	const char *name;
	const char *(*run)(void);
};
extern const struct check cpu_checks[], debug_checks[], mem_checks[], task_checks[], apic_checks[];
extern const struct check limit_checks[]; /* separate, because some emulators do not check segment limits */
extern const unsigned cpu_check_count, debug_check_count, mem_check_count, task_check_count, apic_check_count,
    limit_check_count;

/* lib.c: serial and VGA output, strings */
void console_init(void);
void console_serial_only(void); /* stop writing to the screen: its memory has other uses from now on */
void putch(char c);
void print(const char *fmt, ...); /* %s %d %u %x, %08x */
void console_color(u8 attr);
void *memset(void *d, int c, u32 n);
void *memcpy(void *d, const void *s, u32 n);
int memcmp(const void *a, const void *b, u32 n);
bool has_word(const char *line, const char *word);
extern char cmdline[256];
void keep_cmdline(u32 info); /* copied, because the loader's may be in memory that we hand out */
u32 mem_top(u32 info);	     /* end of memory; INFO is the physical address of struct multiboot */

/* cpu.c: descriptor tables, interrupt controllers, timer, traps */
extern struct tss tss;
extern u64 gdt[GDT_ENTRIES], ldt[2];
extern volatile u32 ticks;
extern volatile u32 db_traps; /* #DB taken */
extern struct frame db_frame; /* frame of the last #DB */
#define DB_TRACE 32
extern struct db_record {
	u32 eip, ecx;
} db_trace[DB_TRACE];	      /* of each, by db_traps before it */
extern volatile u32 bp_traps; /* INT3 and INTO traps taken */
extern u32 features_edx;      /* CPUID.1:EDX, 0 without CPUID */
extern bool have_sysenter;
extern void (*vector_hook)(struct frame *); /* takes NMIs and vectors from 0x50, while set */
void cpu_init(void);
u64 descriptor(u32 base, u32 limit, u32 attr); /* attr: access byte, G and D in bits 12..15 */
void panic(const char *why, const struct frame *f);
void power_off(void); /* returns on failure */
void trap(struct frame *f);
#define A_CODE 0x9a
#define A_DATA 0x92
#define A_CODE_USER 0xfa
#define A_DATA_USER 0xf2
#define A_32 0x4000
#define A_PAGES 0x8000

/* entry.S: run fn(arg); 0 when it returned, 1 when it faulted: `caught` has the fault. */
extern struct frame caught;
extern u32 caught_cr2;
extern volatile u32 catch_active;
u32 catch_fault(void (*fn)(void *), void *arg);
void catch_resume(void) __attribute__((noreturn));
void load_gdt(const struct pseudo_desc *d);
void trap_return(void);
void sysenter_entry(void);
void sysenter_twin(void);
extern u32 trap_stubs[256];
void switch_context(u32 *save, u32 next);

/* paging.c */
extern volatile u32 kernel_dir[1024], test_table[1024];
void paging_init(u32 mem_top);
u32 frame_alloc(void); /* physical address of a zeroed page */
void frame_free(u32 pa);
bool frames_free(u32 n); /* are there N more? */
static inline void *phys(u32 pa)
{
	return (void *)(pa + KERNEL_BASE);
}
static inline u32 phys_of(const void *p)
{
	return (u32)p - KERNEL_BASE;
}
u32 space_new(void); /* page directory with the kernel's half filled in */
void space_map(u32 dir, u32 va, u32 pa, u32 flags);
void test_map(unsigned page, u32 pte);		 /* entry PAGE of the test table, with INVLPG */
bool page_fault(const struct frame *f, u32 cr2); /* true: resolved */
extern volatile u32 demand_fills;

/* task.c */
bool task_trap(struct frame *f); /* a fault in user mode: ends the process */
void task_syscall(struct frame *f);
void task_tick(struct frame *f);
void task_fpu(void); /* #NM */

/* balloon.c: give memory back to the host, for ever */
void balloon_main(void) __attribute__((noreturn));

/* user.c, linked at USER_TEXT */
void user_start(void);

/* main.c */
void finish(unsigned failures) __attribute__((noreturn));

static inline void outb(u16 p, u8 v)
{
	asm volatile("outb %0, %1" : : "a"(v), "Nd"(p));
}
static inline void outw(u16 p, u16 v)
{
	asm volatile("outw %0, %1" : : "a"(v), "Nd"(p));
}
static inline void outl(u16 p, u32 v)
{
	asm volatile("outl %0, %1" : : "a"(v), "Nd"(p));
}
static inline u8 inb(u16 p)
{
	u8 v;
	asm volatile("inb %1, %0" : "=a"(v) : "Nd"(p));
	return v;
}
static inline void invlpg(u32 va)
{
	asm volatile("invlpg (%0)" : : "r"(va) : "memory");
}
static inline u32 read_cr0(void)
{
	u32 v;
	asm volatile("mov %%cr0, %0" : "=r"(v));
	return v;
}
static inline u32 read_cr2(void)
{
	u32 v;
	asm volatile("mov %%cr2, %0" : "=r"(v));
	return v;
}
static inline u32 read_cr3(void)
{
	u32 v;
	asm volatile("mov %%cr3, %0" : "=r"(v));
	return v;
}
static inline u32 read_cr4(void)
{
	u32 v;
	asm volatile("mov %%cr4, %0" : "=r"(v));
	return v;
}
static inline void write_cr0(u32 v)
{
	asm volatile("mov %0, %%cr0" : : "r"(v) : "memory");
}
static inline void write_cr3(u32 v)
{
	asm volatile("mov %0, %%cr3" : : "r"(v) : "memory");
}
static inline void write_cr4(u32 v)
{
	asm volatile("mov %0, %%cr4" : : "r"(v) : "memory");
}
static inline void cli(void)
{
	asm volatile("cli" : : : "memory");
}
static inline void sti(void)
{
	asm volatile("sti" : : : "memory");
}
static inline u64 rdtsc(void)
{
	u64 v;
	asm volatile("rdtsc" : "=A"(v));
	return v;
}
static inline void wrmsr(u32 msr, u32 v)
{
	asm volatile("wrmsr" : : "c"(msr), "a"(v), "d"(0));
}
#endif
#endif
