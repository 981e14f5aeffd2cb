/* SPDX-License-Identifier: GPL-3.0-or-later
 * The embedded 64-bit guest: a kernel whose only purpose is to use a processor's 64-bit mode as kernels do
 * and to check the results against the manual. It prints the name of a check before it runs it.
 *
 * Linear address space: KERNEL_BASE maps the first GiB of physical memory for the kernel's image, PHYS_BASE
 * the same as data; TEST_BASE is one page table for experiments; user programs are in the lower half. */
#ifndef DEMO64_KERNEL_H
#define DEMO64_KERNEL_H

#define KERNEL_BASE 0xffffffff80000000
#define PHYS_SLOT 273 /* entry of the PML4 */
#define PHYS_BASE 0xffff888000000000
#define TEST_SLOT 402
#define TEST_BASE 0xffffc90000000000
#define TEST_LARGE (TEST_BASE + 0x200000) /* the 2 MiB slot above, for large pages */
#define TEST_HUGE (TEST_BASE + 0x40000000)
#define USER_TEXT 0x400000
#define USER_STACK_TOP 0x7ffffffff000
#define USER_DATA 0x555555554000 /* a page of the user program's, far from its text */
#define STACK_SIZE 8192
#define COM1 0x3f8

#define SEL_KCODE 0x08
#define SEL_KDATA 0x10
#define SEL_UCODE32 0x1b /* SYSRET takes this, and the two that follow */
#define SEL_UDATA 0x23
#define SEL_UCODE 0x2b
#define SEL_TSS 0x30	 /* two entries */
#define SEL_KCODE32 0x40 /* compatibility mode */
#define SEL_TEST 0x48	 /* changed by the checks */
#define GDT_ENTRIES 11

#define PTE_P 1
#define PTE_W 2
#define PTE_U 4
#define PTE_A 0x20
#define PTE_D 0x40
#define PTE_PS 0x80
#define PTE_G 0x100
#define PTE_NX (1ull << 63)
#define PTE_ADDR 0x000ffffffffff000ull
#define CR0_WP 0x10000
#define CR0_PG 0x80000000
#define CR4_PAE 0x20
#define CR4_PGE 0x80
#define CR4_UMIP (1 << 11)
#define CR4_FSGSBASE (1 << 16)
#define CR4_PCIDE (1 << 17)
#define CR4_SMEP (1 << 20)
#define CR4_SMAP (1 << 21)
#define MSR_EFER 0xc0000080
#define MSR_STAR 0xc0000081
#define MSR_LSTAR 0xc0000082
#define MSR_CSTAR 0xc0000083
#define MSR_FMASK 0xc0000084
#define MSR_FS_BASE 0xc0000100
#define MSR_GS_BASE 0xc0000101
#define MSR_KERNEL_GS_BASE 0xc0000102
#define EFER_SCE 1
#define EFER_LME 0x100
#define EFER_LMA 0x400
#define EFER_NXE 0x800
#define FLAG_TF 0x100
#define FLAG_IF 0x200
#define FLAG_DF 0x400
#define FLAG_AC 0x40000

#define SYS_INT 0x80
#define VEC_SYSCALL 0x100 /* in a frame that SYSCALL made */
#define SYS_EXIT 1	  /* RDI status */
#define SYS_ADD 2	  /* RDI + RSI + R10 */
#define SYS_TICKS 3

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
#define BIT(n) (1ull << (n))

/* The frame that the trap entries push (entry.S). */
struct frame {
	u64 r15, r14, r13, r12, r11, r10, r9, r8, rbp, rdi, rsi, rdx, rcx, rbx, rax;
	u64 vec, err;
	u64 rip, cs, rflags, rsp, ss;
};

struct tss {
	u32 reserved0;
	u64 rsp[3], reserved1, ist[7], reserved2;
	u16 reserved3, iomap;
} __attribute__((packed));

struct pseudo_desc {
	u16 limit;
	u64 base;
} __attribute__((packed));

struct gate {
	u16 offset0, sel;
	u8 ist, type;
	u16 offset16;
	u32 offset32, reserved;
};

/* What GS points to in the kernel; entry.S knows the offsets. */
struct percpu {
	u64 kernel_rsp, user_rsp, magic;
};

/* A check returns NULL on success, else the name of the failed part. */
struct check {
	const char *name;
	const char *(*run)(void);
};
extern const struct check insn_checks[], trap_checks[], page_checks[], user_checks[];
extern const struct check strict_checks[]; /* separate, because QEMU's interpreter does not check them */
extern const unsigned insn_check_count, trap_check_count, page_check_count, user_check_count,
    strict_check_count;
const char *check_user_vector(void);

/* lib.c */
void console_init(void);
void putch(char c);
void print(const char *fmt, ...); /* %s %u %x, widths as in %-24s %016x; all numbers are u64 */
void *memset(void *d, int c, u64 n);
void *memcpy(void *d, const void *s, u64 n);
int memcmp(const void *a, const void *b, u64 n);
bool has_word(const char *line, const char *word);
extern char cmdline[256];
extern u64 mem_top; /* end of the first range of memory above 1 MiB, at most 1 GiB */
void keep_info(u32 magic, u32 info);

/* cpu.c */
extern struct tss tss;
extern u64 gdt[GDT_ENTRIES];
extern struct gate idt[256];
extern struct percpu percpu;
extern volatile u64 ticks, bp_traps, db_traps;
extern void (*volatile on_tick)(struct frame *f); /* NULL: nothing else to do */
extern struct frame bp_frame, db_frame;
extern u8 ist_stack[STACK_SIZE];
void tables_init(void);
void devices_init(void);
void set_ist(unsigned vector, unsigned ist);
void trap(struct frame *f);
void panic(const char *why, const struct frame *f) __attribute__((noreturn));
bool cpu_has(u32 leaf, u32 sub, unsigned reg, unsigned bit); /* reg: 0 EAX to 3 EDX */
#define HAS_NX cpu_has(0x80000001, 0, 3, 20)
#define HAS_SYSCALL cpu_has(0x80000001, 0, 3, 11)
#define HAS_1G cpu_has(0x80000001, 0, 3, 26)
#define HAS_LAHF cpu_has(0x80000001, 0, 2, 0)
#define HAS_CX16 cpu_has(1, 0, 2, 13)
#define HAS_PCID cpu_has(1, 0, 2, 17)
#define HAS_FSGSBASE cpu_has(7, 0, 1, 0)
#define HAS_SMEP cpu_has(7, 0, 1, 7)
#define HAS_INVPCID cpu_has(7, 0, 1, 10)
#define HAS_SMAP cpu_has(7, 0, 1, 20)
#define HAS_UMIP cpu_has(7, 0, 2, 2)

/* entry.S: run fn(arg); 0 when it returned, 1 when it faulted: `caught` has the fault. */
extern struct frame caught;
extern u64 caught_cr2;
extern volatile u64 catch_active;
u64 catch_fault(void (*fn)(void *), void *arg);
void catch_resume(void) __attribute__((noreturn));
/* Enter user mode; return SYS_EXIT's argument, or ~0 after a fault, which is in `caught`. */
u64 run_user(u64 rip, u64 rsp, u64 arg, u64 cs);
void leave_user(u64 result) __attribute__((noreturn));
u64 compat_kernel(u64 sel); /* with the first GiB mapped at 0; 0x1002 */
void load_gdt(const struct pseudo_desc *d);
void syscall_entry(void), sysenter_entry(void);
extern u8 trap_stubs[256][16];
static inline bool caught_is(u64 vec, u64 err)
{
	return caught.vec == vec && caught.err == err;
}

/* paging.c */
extern volatile u64 kernel_pml4[512], test_pt[512], test_pd[512], test_pdpt[512];
void paging_init(void);
u64 frame_alloc(void); /* physical address of a zeroed page; never freed */
void *phys(u64 pa);
u64 phys_of(const void *p); /* of something in the kernel's image */
void map(volatile u64 *pml4, u64 va, u64 pte);
void test_map(unsigned page, u64 pte); /* entry PAGE of the test table, with INVLPG */
static inline u64 test_va(unsigned page)
{
	return TEST_BASE + page * 4096ul;
}

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
static inline u8 inb(u16 p)
{
	u8 v;
	asm volatile("inb %1, %0" : "=a"(v) : "Nd"(p));
	return v;
}
static inline void invlpg(u64 va)
{
	asm volatile("invlpg (%0)" : : "r"(va) : "memory");
}
#define CONTROL_REGISTER(n)                                                                                  \
	static inline u64 read_cr##n(void)                                                                   \
	{                                                                                                    \
		u64 v;                                                                                       \
		asm volatile("mov %%cr" #n ", %0" : "=r"(v));                                                \
		return v;                                                                                    \
	}                                                                                                    \
	static inline void write_cr##n(u64 v)                                                                \
	{                                                                                                    \
		asm volatile("mov %0, %%cr" #n : : "r"(v) : "memory");                                       \
	}
CONTROL_REGISTER(0)
CONTROL_REGISTER(2)
CONTROL_REGISTER(3)
CONTROL_REGISTER(4)
CONTROL_REGISTER(8)
static inline u64 rdmsr(u32 msr)
{
	u32 lo, hi;
	asm volatile("rdmsr" : "=a"(lo), "=d"(hi) : "c"(msr));
	return (u64)hi << 32 | lo;
}
static inline void wrmsr(u32 msr, u64 v)
{
	asm volatile("wrmsr" : : "c"(msr), "a"((u32)v), "d"((u32)(v >> 32)) : "memory");
}
static inline u64 rdtsc(void)
{
	u32 lo, hi;
	asm volatile("rdtsc" : "=a"(lo), "=d"(hi));
	return (u64)hi << 32 | lo;
}
static inline u64 flags_now(void)
{
	u64 v;
	asm volatile("pushfq; popq %0" : "=r"(v));
	return v;
}
#endif
#endif
