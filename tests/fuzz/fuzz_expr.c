/* SPDX-License-Identifier: GPL-3.0-or-later
 * Expressions against arbitrary text, over the environment of a guest with one register, one symbol and 256
 * bytes of memory. Evaluating, evaluating a prefix and parsing the left side of "set" report an error as one
 * line or advance within the text; what can be evaluated whole has the same value as a prefix. A text that
 * can be evaluated can be compiled, or exceeds a limit of programs, which have no more ops than they may. */
#include "inspect/expr.h"
#include "tests/fuzz/fuzz.h"

#include <stdlib.h>
#include <string.h>

static bool reg(void *ctx, const char *name, uint64_t *val)
{
	(void)ctx;
	*val = 0xfffffff0u;
	return !strcmp(name, "eax");
}

static const char *reg_op(void *ctx, const char *name, struct prog_op *op)
{
	(void)ctx;
	*op = (struct prog_op){ .code = PROG_PUSH, .imm = 0xfffffff0u };
	return strcmp(name, "eax") ? "no such register" : NULL;
}

static bool symbol(void *ctx, const char *name, uint64_t *val)
{
	(void)ctx;
	*val = 0x1c0;
	return !strcmp(name, "a.0");
}

static bool mem(void *ctx, uint64_t addr, unsigned size, uint64_t *val)
{
	(void)ctx;
	if (size != 1 && size != 2 && size != 4 && size != 8)
		abort();
	*val = 0;
	for (unsigned i = 0; i < size; i++)
		*val |= ((addr + i) & 0xff) << 8 * i;
	return addr >= 0x100 && addr <= 0x200 - size;
}

static const struct expr_env env = { .reg = reg, .symbol = symbol, .read = mem, .reg_op = reg_op };

/* An attempt is OK, and AT lies in TEXT, or it failed with one line. */
static void check(bool ok, const struct expr_error *err, const char *text, const char *at)
{
	if (ok ? at < text || at > text + strlen(text)
	       : err->status == EXPR_OK || !err->text[0] || strchr(err->text, '\n') ||
		     !memchr(err->text, 0, sizeof(err->text)))
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text = malloc(size + 1);
	struct program prog = { 0 };
	struct expr_error err;
	struct lvalue lv;
	const char *at;
	int64_t whole, part;
	bool ok;

	memcpy(text, data, size);
	text[size] = 0;
	ok = expr_eval(&env, text, &whole, &err);
	check(ok, &err, text, text);
	at = text;
	if (expr_eval_prefix(&env, &at, &part, &err) ? ok && (part != whole || *at) : ok)
		abort();
	at = text;
	check(expr_compile_prefix(&env, &at, &prog, &err), &err, text, at);
	if (prog.n > PROG_OPS_MAX)
		abort();
	at = text;
	ok = expr_lvalue(&env, &at, &lv, &err);
	check(ok, &err, text, at);
	if (ok && (lv.memory ? lv.size != 1 && lv.size != 2 && lv.size != 4 && lv.size != 8 : !lv.name[0]))
		abort();
	free(text);
	return 0;
}
