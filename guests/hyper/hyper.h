/* SPDX-License-Identifier: GPL-3.0-or-later
 * A minimal hypervisor: it runs small guests of its own and checks that each exit arrives with the
 * information that the manuals promise, measures round trips, and tries random control blocks. One frame over
 * two back ends: VMX (vmx.c) and SVM (svm.c). Start-up, traps and output are the demo guest's.
 *
 * A guest has 64 KiB of memory, at linear and guest-physical addresses from 0. */
#ifndef HYPER_HYPER_H
#define HYPER_HYPER_H
#include "guests/demo/kernel.h"

enum {
	G_CODE = 0x1000,
	G_DATA = 0x2000,
	G_STACK = 0x3ff0,
	G_GDT = 0x4000,
	G_IDT = 0x4800,
	G_TSS = 0x5000,	     /* with an I/O permission bitmap that allows all */
	G_TSS_SIZE = 0x206a, /* to 706a */
	G_TSS2 = 0x7800,
	G_DIR = 0x8000,
	G_TABLE = 0x9000,
	G_HANDLERS = 0xa000, /* 16 bytes for each vector: a hypercall */
	G_FREE = 0xc000,     /* a page for any use */
	G_ABSENT = 0xd000,   /* in no page table of the guest */
	G_READONLY = 0xe000, /* in the nested tables */
	G_HOLE = 0xf000,     /* not in the nested tables */
	G_BYTES = 0x10000,
};

/* How the guest runs. The first three under nested paging (EPT, NPT), SHADOW with page tables of the
 * hypervisor's. */
enum mode { REAL, FLAT, PAGED, SHADOW, MODES };
#define IN(mode) (1u << (mode))
#define PROTECTED (IN(FLAT) | IN(PAGED) | IN(SHADOW))
#define NESTED (IN(REAL) | IN(FLAT) | IN(PAGED))

enum state {
#define STATE(id, vmcs, vmcb, size) S_##id,
#include "guests/hyper/state.def"
#undef STATE
	STATES
};
enum segment { SEG_ES, SEG_CS, SEG_SS, SEG_DS, SEG_FS, SEG_GS, SEG_LDTR, SEG_TR }; /* the VMCS's order */
#define UNUSABLE 0x10000u

struct regs {
	u32 eax, ecx, edx, ebx, ebp, esi, edi;
};

/* What an exit left. VMX: field; SVM: offset. */
struct exit {
	u32 reason;	  /* 4402; 070. NOT_ENTERED: the instruction failed, info1 is the error number */
	u64 info1, info2; /* 6400 and 2400; 078 and 080 */
	u32 len, insn;	  /* 440C and 440E; length by nRIP where there is one */
	u32 event, error; /* 4404 and 4406; none */
	u32 vectoring, vectoring_error; /* 4408 and 440A; 088 */
	u32 linear;			/* 640A; none */
};
#define NOT_ENTERED 0xfffffffeu

enum { ON_VMX = 1, ON_SVM = 2, ON_BOTH = 3 };
enum { RIGHT_R = 1, RIGHT_W = 2, RIGHT_X = 4, RIGHT_ALL = 7 };
enum {
	EVENT_INTR = 0,
	EVENT_NMI = 2,
	EVENT_EXCEPTION = 3,
	EVENT_INT = 4
}; /* EVENT_INT is 4 for both; VMX has more */

struct backend {
	const char *name;
	u32 on;
	u8 hypercall[3];
	u32 hypercall_reason;
	const char *(*enable)(void); /* why not, or NULL */
	u32 (*modes)(void);	     /* bit set of the modes that the processor has */
	void (*reset)(enum mode m);  /* a control block that runs the guest in that mode */
	void (*enter)(void);	     /* until the next exit; fills `out` */
	u32 (*get)(enum state s);
	void (*set)(enum state s, u32 v);
	void (*set_segment)(enum segment s, u32 sel, u32 base, u32 limit,
			    u32 access);		   /* access as in a VMCS */
	void (*nested)(u32 page, u32 machine, u32 rights); /* the guest-physical page; flushes */
	void (*allow)(u32 page, u32 machine);		   /* a page that had no entry; flushes nothing */
	void (*inject)(u32 type, u32 vector, bool has_error, u32 error, u32 len);
	void (*cpl)(u32 level);
	u64 (*round_trips)(u32 n, u32 skip); /* cycles of n exits, the guest's EIP moved by SKIP after each */
};
extern const struct backend vmx_backend, svm_backend;

/* vm.c */
extern const struct backend *be;
extern struct regs regs;	       /* the guest's */
extern struct exit out;		       /* the last exit */
extern u8 ram[G_BYTES];		       /* the guest's memory */
extern u32 shadow_table[1024];	       /* of mode SHADOW, one directory entry's */
void vm_reset(enum mode m);	       /* memory, tables, registers, control block */
void vm_code(const u8 *code, u32 len); /* at G_CODE, and a hypercall after it */
void vm_user(void);		       /* make it run at CPL 3 */
void vm_map(u32 page, u32 machine);    /* a guest-physical page, in each mode */
static inline u32 handler(u32 vector)
{
	return G_HANDLERS + 16 * vector;
}
static inline u32 *ram32(u32 at)
{
	return (u32 *)(ram + at);
}

/* main.c */
u32 word_number(const char *key, u32 otherwise); /* KEY=NUMBER on the command line */
u32 random32(void);
extern u32 seed;

/* cases.c, timing.c, fuzz.c */
void cases_run(u32 modes);
void timing_run(u32 modes);
void fuzz_run(u32 modes);
extern u32 passed, failed, skipped;

static inline u64 rdmsr(u32 msr)
{
	u64 v;

	asm volatile("rdmsr" : "=A"(v) : "c"(msr));
	return v;
}
static inline void wrmsr64(u32 msr, u64 v)
{
	asm volatile("wrmsr" : : "c"(msr), "A"(v) : "memory");
}
static inline void cpuid(u32 leaf, u32 r[4])
{
	asm volatile("cpuid" : "=a"(r[0]), "=b"(r[1]), "=c"(r[2]), "=d"(r[3]) : "a"(leaf), "c"(0));
}
#endif
