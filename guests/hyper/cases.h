/* SPDX-License-Identifier: GPL-3.0-or-later
 * Cases: rows of cases.def, and functions for what takes more than one exit (events.c, controls.c, nested.c,
 * errors.c). */
#ifndef HYPER_CASES_H
#define HYPER_CASES_H
#include "guests/hyper/hyper.h"
#include "guests/hyper/svm.h"
#include "guests/hyper/vmx.h"

enum {
	OPTIONAL = 1, /* without the control it does not exit, and can be executed */
	NEXT = 2,     /* EIP is after the instruction: a trap */
	ENDS = 4,     /* the guest cannot go on */
};
enum need {
	NEED_NOTHING,
	NEED_RDTSCP,
	NEED_MONITOR,
	NEED_XSAVE,
	NEED_RDRAND,
	NEED_RDSEED,
	NEED_INVPCID,
	NEED_SKINIT,
	NEED_INVEPT,
	NEED_INVVPID,
};
#define ANY 0xa11a11a1u /* not compared */
#define MOV_CR (1ull << 63)
/* Instruction information of an operand that is a displacement alone, 32-bit addressing, DS. */
#define MEMORY_INSN (1u << 7 | 3 << 15 | 1 << 22 | 1 << 27)
#define MEMORY_MASK 0x08438780u
#define TABLE_MASK (MEMORY_MASK | 0x30000800u)

struct ccase {
	const char *name;
	const u8 *code[2][3]; /* 32 and 16 bits: begin, instruction, end */
	u32 modes, on, flags;
	enum need need;
	u32 vectoring;				 /* the event in whose delivery it exits */
	void (*prepare)(void), (*control)(void); /* the second only where it shall exit */
	struct {
		u32 pin, proc, proc2, exceptions; /* what makes it exit */
		u32 reason, qual, event, error, insn, insn_mask, linear;
	} vmx;
	struct {
		u32 code;
		u64 info1, info2;
		u64 decode; /* in INFO1 too, with decode assists */
	} svm;
};

/* A case with a program of its own: NULL, what was wrong, or `not_here`. */
struct program {
	const char *name;
	u32 modes, on;
	const char *(*run)(enum mode m);
};
extern const char not_here[]; /* the processor lacks something */
extern const struct program event_programs[], control_programs[], nested_programs[], error_programs[],
    apic_programs[], svm_programs[], vmx_programs[];
extern const u32 event_program_count, control_program_count, nested_program_count, error_program_count,
    apic_program_count, svm_program_count, vmx_program_count;

/* Say what was wrong: "WHAT: GOT, expected WANT", or NULL when equal. */
const char *differs(const char *what, u64 got, u64 want);
#define CHECK(what, got, want)                                                                               \
	do {                                                                                                 \
		const char *wrong_ = differs(what, got, want);                                               \
		if (wrong_)                                                                                  \
			return wrong_;                                                                       \
	} while (0)

/* Enter, expecting the hypercall at EIP or the exit with that reason. */
const char *until_hypercall(u32 eip);
const char *until_exit(u32 vmx_reason, u32 svm_code);

/* Code for a program, 32-bit: bytes at G_CODE with a hypercall after them. */
#define PROGRAM(name, text)                                                                                  \
	extern const u8 p_##name[], p_##name##_end[];                                                        \
	asm(".pushsection .rodata\np_" #name ":\n" text "\np_" #name "_end:\n.code32\n.popsection")
#define LOAD_PROGRAM(name) vm_code(p_##name, (u32)(p_##name##_end - p_##name))
#define END_OF(name) (G_CODE + (u32)(p_##name##_end - p_##name))
#endif
