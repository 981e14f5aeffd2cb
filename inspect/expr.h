/* SPDX-License-Identifier: GPL-3.0-or-later
 * Integer expressions as in C: || && | ^ & == != < <= > >= << >> + - * / % ! ~
 * unary - and +, ?:, parentheses, casts to u8..u64 and i8..i64, numbers (decimal,
 * 0x, 0b, 0 octal, 'c'), $registers and $variables, symbols, and guest-linear memory:
 * *(u8|u16|u32)ADDR, {TYPE}ADDR (char, short, int, long as well), *ADDR and [ADDR] (32 bits; in 64-bit code
 * 64). Arithmetic is 64-bit signed and wraps; registers and memory are unsigned. The evaluator is pure: it
 * accesses the guest only through the environment. */
#ifndef INSPECT_EXPR_H
#define INSPECT_EXPR_H
#include "base/types.h"
#include "x86/bytecode.h"

struct expr_env {
	void *ctx;
	bool (*reg)(void *ctx, const char *name, uint64_t *val); /* without the $ */
	bool (*symbol)(void *ctx, const char *name, uint64_t *val);
	bool (*read)(void *ctx, uint64_t addr, unsigned size, uint64_t *val);
	/* For expr_compile_prefix(): get the op that loads $NAME at run time. NULL, or a static line that
	 * says why there is none. */
	const char *(*reg_op)(void *ctx, const char *name, struct prog_op *op);
	/* Likewise: write an expression that $NAME stands for. False: it is none such. NULL: there are none.
	 */
	bool (*macro)(void *ctx, const char *name, char *buf, size_t size);
	bool wide; /* 64-bit code: *ADDR and [ADDR] have 64 bits, and so has long */
};

/* The left side of "set". */
struct lvalue {
	bool memory;
	char name[64]; /* register or variable */
	uint64_t addr;
	unsigned size; /* 1, 2, 4, 8 */
};

enum expr_status {
	EXPR_OK,
	EXPR_WRONG,	 /* it can never be evaluated: syntax, an unknown name, a limit */
	EXPR_UNREADABLE, /* memory that it reads is not mapped now */
};

/* Why an expression could not be evaluated. */
struct expr_error {
	enum expr_status status;
	char text[200]; /* one line; "" with EXPR_OK */
};

/* Evaluate the longest expression at the start of *TEXT and advance *TEXT past it and the blanks
 * that follow. False with the reason in ERR. */
bool expr_eval_prefix(const struct expr_env *env, const char **text, int64_t *val, struct expr_error *err);
/* Likewise, but all of TEXT must be the expression. */
bool expr_eval(const struct expr_env *env, const char *text, int64_t *val, struct expr_error *err);
/* Add to PROG the ops that leave the value of such an expression on the stack; nothing is read now. */
bool expr_compile_prefix(const struct expr_env *env, const char **text, struct program *prog,
			 struct expr_error *err);
/* Parse "$name", "[addr]", "*(type)addr" or "{type}addr" (addr: a unary expression). */
bool expr_lvalue(const struct expr_env *env, const char **text, struct lvalue *lv, struct expr_error *err);
#endif
