/* SPDX-License-Identifier: GPL-3.0-or-later
 * Small programs that translated code runs in passing: a stack machine over 64-bit signed values, made
 * from expressions (inspect/expr.h), run by probes. */
#ifndef BT_PROBE_BYTECODE_H
#define BT_PROBE_BYTECODE_H
#include "base/types.h"
#include "x86/regs.h"

enum prog_code {
#define OP(id, depth) PROG_##id,
#include "bt/probe/bytecode.def"
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

/* What a program put on record. */
struct prog_record {
	unsigned nvals, ntexts;
	int64_t val[PROG_VALUES];
	char text[PROG_TEXTS][PROG_TEXT];
	bool unreadable; /* it ended early: memory at BAD could not be read; or (BAD 0) by zero was divided */
	uint32_t bad;
};
#endif
