/* SPDX-License-Identifier: GPL-3.0-or-later
 * Small programs that translated code runs in passing: a stack machine over 64-bit signed values, made
 * from expressions (inspect/expr.h), run by probes. */
#ifndef BT_PROBE_BYTECODE_H
#define BT_PROBE_BYTECODE_H
#include "base/types.h"
#include "x86/regs.h"

/* Columns: identifier, what it does to the depth of the stack. */
#define PROG_OPS                                                                                               \
	OP(PUSH, 1)    /* imm */                                                                               \
	OP(FIELD, 1)   /* size bytes of struct cpu at imm, unsigned */                                         \
	OP(REG, 1)     /* any register, by reg_get() */                                                        \
	OP(LOAD, 0)    /* size bytes of linear memory */                                                       \
	OP(EXT, 0)     /* cut to size bytes */                                                                 \
	OP(NEG, 0) OP(NOT, 0) OP(LNOT, 0) OP(BOOL, 0)                                                          \
	OP(MUL, -1) OP(DIV, -1) OP(MOD, -1) OP(ADD, -1) OP(SUB, -1) OP(SHL, -1) OP(SHR, -1)                    \
	OP(LE, -1) OP(GE, -1) OP(LT, -1) OP(GT, -1) OP(EQ, -1) OP(NE, -1)                                      \
	OP(AND, -1) OP(XOR, -1) OP(OR, -1)                                                                     \
	OP(JZ, -1)     /* take the top; when it is 0, go on at op imm */                                       \
	OP(JMP, 0)     /* go on at op imm */                                                                   \
	OP(EMIT, -1)   /* take the top: a value of the record */                                               \
	OP(EMITS, -1)  /* take the top: the text at that address, for the record */
enum prog_code {
#define OP(id, depth) PROG_##id,
	PROG_OPS
#undef OP
};

struct prog_op {
	uint8_t code, size; /* enum prog_code; bytes */
	bool sign;          /* LOAD, EXT: sign-extend */
	int64_t imm;
	const struct reg_info *reg;
};

enum { PROG_OPS_MAX = 64, PROG_DEPTH = 24, PROG_VALUES = 8, PROG_TEXTS = 2, PROG_TEXT = 64 };

struct program {
	struct prog_op op[PROG_OPS_MAX];
	unsigned n;
};

/* What a program put on record. */
struct prog_record {
	unsigned nvals, ntexts;
	int64_t val[PROG_VALUES];
	char text[PROG_TEXTS][PROG_TEXT];
	bool unreadable; /* it ended early: memory at BAD could not be read; or (BAD 0) by zero was divided */
	uint32_t bad;
};
#endif
