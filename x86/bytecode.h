/* SPDX-License-Identifier: GPL-3.0-or-later
 * Bytecode of probes, a part of the engine interface: programs for a stack machine over 64-bit signed
 * values. They are compiled from expressions (inspect/expr.h) and run by the engine where a probe is hit. */
#ifndef X86_BYTECODE_H
#define X86_BYTECODE_H
#include "base/types.h"
#include "x86/regs.h"

enum prog_code {
#define OP(id, depth) PROG_##id,
#include "x86/bytecode.def"
#undef OP
};

struct prog_op {
	uint8_t code, size; /* enum prog_code; bytes */
	bool sign;	    /* LOAD, EXT: sign-extend */
	int64_t imm;
	const struct reg_info *reg;
};

enum { PROG_OPS_MAX = 64, PROG_DEPTH = 24, PROG_VALUES = 8, PROG_TEXTS = 2, PROG_TEXT = 64 };

struct program {
	struct prog_op op[PROG_OPS_MAX];
	unsigned n;
};

/* Output of a program. */
struct prog_record {
	unsigned nvals, ntexts;
	int64_t val[PROG_VALUES];
	char text[PROG_TEXTS][PROG_TEXT];
	bool unreadable; /* the program ended early: memory at BAD is not readable, or (BAD 0) a division by
			    zero */
	uint64_t bad;
};
#endif
