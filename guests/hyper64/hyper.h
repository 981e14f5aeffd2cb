/* SPDX-License-Identifier: GPL-3.0-or-later
 * The minimal hypervisor (guests/hyper) in 64-bit mode: what IA-32e mode adds to entries, exits and their
 * information, round trips, and random guest states. Start-up, traps and output are demo64's.
 *
 * A guest has 64 KiB of memory, at guest-physical addresses from 0, and at linear ones from 0 and from HIGH.
 */
#ifndef HYPER64_HYPER_H
#define HYPER64_HYPER_H
#include "guests/demo64/kernel.h"
#include "guests/hyper/svm_fields.h"
#include "guests/hyper/vmx_fields.h"

#define HIGH 0xffff900000000000ull
#define UNUSABLE 0x10000u
enum {
	G_CODE = 0x1000,
	G_DATA = 0x2000,
	G_STACK = 0x3ff0,
	G_STACK_IST = 0x3800,
	G_GDT = 0x4000,
	G_IDT = 0x5000,
	G_TSS = 0x6000,
	G_HANDLERS = 0x7000, /* 16 bytes for each vector: a hypercall */
	G_TABLES = 0x8000,   /* PML4, PDPT, PD, PT */
	G_FREE = 0xc000,
	G_ABSENT = 0xd000,   /* in no page table of the guest */
	G_READONLY = 0xe000, /* in the nested tables */
	G_HOLE = 0xf000,     /* not in the nested tables */
	G_BYTES = 0x10000,
};
enum { SEL_LONG = 0x08, SEL_DATA = 0x10, SEL_CODE32 = 0x18, SEL_GUEST_TSS = 0x20 };

/* LONG: 64-bit code, with nested paging. SHADOW: likewise, with page tables of the hypervisor's. COMPAT and
 * FLAT, with nested paging: a 32-bit code segment in IA-32e mode; protected mode without paging. */
enum mode { LONG, SHADOW, COMPAT, FLAT, MODES };
#define IN(mode) (1u << (mode))

enum state {
#define STATE(id, vmcs, vmcb, size) S_##id,
#include "guests/hyper/state.def"
#undef STATE
	STATES
};
enum segment { SEG_ES, SEG_CS, SEG_SS, SEG_DS, SEG_FS, SEG_GS, SEG_LDTR, SEG_TR };

enum reg { RAX, RCX, RDX, RBX, RBP, RSI, RDI, R8, R9, R10, R11, R12, R13, R14, R15, REGS };

/* What an exit left. VMX: field; SVM: offset. */
struct exit {
	u64 reason;	       /* 4402; 070. NOT_ENTERED: the instruction failed, info1 is the error number */
	u64 info1, info2;      /* 6400 and 2400; 078 and 080 */
	u64 len, insn, linear; /* 440C (by nRIP), 440E, 640A */
	u64 event, error, vectoring;
};
#define NOT_ENTERED 0xfffffffeu

enum { ON_VMX = 1, ON_SVM = 2, ON_BOTH = 3 };

struct backend {
	const char *name;
	u32 on;
	u8 hypercall[3];
	u32 hypercall_reason;
	const char *(*enable)(void); /* why not, or NULL */
	u32 (*modes)(void);
	void (*reset)(enum mode m);
	void (*enter)(void);
	u64 (*get)(enum state s);
	void (*set)(enum state s, u64 v);
	void (*efer)(u64 v);
	u64 (*get_efer)(void);
	void (*set_segment)(enum segment s, u32 sel, u64 base, u32 limit, u32 access);
	void (*inject)(u32 type, u32 vector, bool has_error, u32 error);
	u64 (*round_trips)(u32 n, u32 skip);
};
extern const struct backend vmx_backend, svm_backend, *be;

/* vm.c */
extern u64 regs[REGS];
extern struct exit out;
extern u8 ram[G_BYTES];
void vm_reset(enum mode m);
void vm_code(const u8 *code, u64 len); /* at G_CODE, and a hypercall after it */
u64 vm_at(enum mode m, u64 offset);    /* linear address of the guest's code and data */
static inline u64 *ram64(u64 at)
{
	return (u64 *)(ram + at);
}
static inline u64 handler(u64 vector)
{
	return G_HANDLERS + 16 * vector;
}

/* vmx.c */
struct vmx_caps {
	u64 basic, pin, proc, proc2, exits, entries, misc, ept;
};
extern struct vmx_caps vmx_caps;
extern u8 io_bitmaps[0x2000], msr_bitmap[4096], virtual_apic[4096];
bool vmx_has(u64 cap, u32 bits);
void vmx_proc2(u32 bits);
static inline u64 vmread(u64 field)
{
	u64 v;

	asm volatile("vmread %1, %0" : "=r"(v) : "r"(field) : "cc");
	return v;
}
static inline void vmwrite(u64 field, u64 v)
{
	asm volatile("vmwrite %1, %0" : : "r"(field), "r"(v) : "cc");
}
static inline void vm_or(u64 field, u64 bits)
{
	vmwrite(field, vmread(field) | bits);
}

/* svm.c */
extern u8 vmcb[4096], iopm[0x3000], msrpm[0x2000];
extern u32 svm_features;
static inline u64 *vmcb64(u32 at)
{
	return (u64 *)(vmcb + at);
}
static inline void svm_intercept(u32 code)
{
	*(u32 *)(vmcb + code / 32 * 4) |= 1u << (code & 31);
}

/* entry.S */
u64 vmx_run(u64 *r, u64 launched);
void vmx_exit(void), svm_run(u64 *r, u64 block);

/* cases.c, entries.c, main.c */
struct program {
	const char *name;
	u32 modes, on;
	const char *(*run)(enum mode m); /* NULL, what was wrong, or not_here */
};
extern const struct program cases[], entry_cases[];
extern const u32 case_count, entry_case_count;
extern const char not_here[]; /* the processor lacks something */
u64 random64(void);
void fuzz_run(u64 rounds);
const char *differs(const char *what, u64 got, u64 want);
const char *until_hypercall(u64 rip);
const char *until_exit(u32 vmx_reason, u32 svm_code);
#define CHECK(what, got, want)                                                                               \
	do {                                                                                                 \
		const char *wrong_ = differs(what, got, want);                                               \
		if (wrong_)                                                                                  \
			return wrong_;                                                                       \
	} while (0)
#define DO(call)                                                                                             \
	do {                                                                                                 \
		const char *wrong_ = call;                                                                   \
		if (wrong_)                                                                                  \
			return wrong_;                                                                       \
	} while (0)

/* A program of the guest's, 64-bit unless TEXT says otherwise. */
#define PROGRAM(name, text)                                                                                  \
	extern const u8 p_##name[], p_##name##_end[];                                                        \
	asm(".pushsection .rodata\np_" #name ":\n" text "\np_" #name "_end:\n.code64\n.popsection")
#define LOAD(name) vm_code(p_##name, (u64)(p_##name##_end - p_##name))
#define END(name) (G_CODE + (u64)(p_##name##_end - p_##name))
#endif
