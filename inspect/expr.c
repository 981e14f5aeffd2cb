/* SPDX-License-Identifier: GPL-3.0-or-later
 * A recursive-descent evaluator. Binary operators are rows with a precedence. An
 * operand that C would not evaluate is parsed with `skip` set: it neither reads
 * memory nor divides. With a program to compile, nothing is evaluated; each rule
 * emits its op instead. */
#include "inspect/expr.h"

#include <ctype.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_DEPTH = 200 };

struct parser {
	const struct expr_env *env;
	const char *p;
	unsigned skip, depth;
	bool failed;
	struct expr_error *err;
	struct program *prog; /* NULL: evaluate */
};

static int64_t ternary(struct parser *ps);
static int64_t unary(struct parser *ps);

/* A text may have any bytes, its error is one line. */
static void make_one_line(struct expr_error *err)
{
	for (char *p = err->text; *p; p++)
		if ((unsigned char)*p < ' ' || *p == 127)
			*p = '?';
}

static int64_t fail(struct parser *ps, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
static int64_t fail(struct parser *ps, const char *fmt, ...)
{
	va_list ap;

	if (ps->failed)
		return 0;
	ps->failed = true;
	va_start(ap, fmt);
	ps->err->status = EXPR_WRONG;
	vsnprintf(ps->err->text, sizeof(ps->err->text), fmt, ap);
	make_one_line(ps->err);
	va_end(ap);
	return 0;
}

/* Add an op; return its index, for jump_here(). */
static unsigned emit_op(struct parser *ps, const struct prog_op *op)
{
	if (!ps->prog || ps->failed)
		return 0;
	if (ps->prog->n == PROG_OPS_MAX) {
		fail(ps, "the expression is too long");
		return 0;
	}
	ps->prog->op[ps->prog->n] = *op;
	return ps->prog->n++;
}

static unsigned emit(struct parser *ps, enum prog_code code, int64_t imm)
{
	return emit_op(ps, &(struct prog_op){ .code = (uint8_t)code, .imm = imm });
}

static void jump_here(struct parser *ps, unsigned at)
{
	if (ps->prog && !ps->failed)
		ps->prog->op[at].imm = ps->prog->n;
}

static void blanks(struct parser *ps)
{
	while (isspace((unsigned char)*ps->p))
		ps->p++;
}

static bool accept(struct parser *ps, const char *tok)
{
	blanks(ps);
	if (strncmp(ps->p, tok, strlen(tok)))
		return false;
	ps->p += strlen(tok);
	return true;
}

static void expect(struct parser *ps, const char *tok)
{
	if (accept(ps, tok))
		return;
	if (*ps->p)
		fail(ps, "expected '%s' at '%.20s'", tok, ps->p);
	else
		fail(ps, "expected '%s' at the end", tok);
}

static bool name_char(char c, bool first)
{
	return isalpha((unsigned char)c) || c == '_' || c == '.' ||
	       (!first && (isdigit((unsigned char)c) || c == '$' || c == '@'));
}

static void take_name(struct parser *ps, char *buf, size_t len)
{
	size_t n = 0;

	/* "::" is part of a name of C++ and Rust; a single colon is not */
	while (name_char(*ps->p, n == 0) || (n && !strncmp(ps->p, "::", 2) && name_char(ps->p[2], true))) {
		unsigned step = *ps->p == ':' ? 2 : 1;

		for (; step; step--, ps->p++)
			if (n + 1 < len)
				buf[n++] = *ps->p;
	}
	buf[n] = 0;
}

/* ---- types ---- */

static const struct type {
	const char *name;
	unsigned size;
	bool sign;
} types[] = {
	{ "u8", 1, false },  { "u16", 2, false },  { "u32", 4, false }, { "u64", 8, false },
	{ "i8", 1, true },   { "i16", 2, true },   { "i32", 4, true },	{ "i64", 8, true },
	{ "char", 1, true }, { "short", 2, true }, { "int", 4, true },	{ "long", 4, true },
};

enum { TYPE_U32 = 2, TYPE_U64 = 3, TYPE_I64 = 7, TYPE_LONG = 11 };

/* Of *ADDR and [ADDR]. */
static const struct type *word_type(const struct parser *ps)
{
	return &types[ps->env->wide ? TYPE_U64 : TYPE_U32];
}

/* Accept a type, with an optional *, between OPEN and CLOSE at p. Otherwise return NULL and consume
 * nothing. */
static const struct type *accept_between(struct parser *ps, const char *open, const char *close)
{
	const char *start = ps->p;
	char name[8];

	if (!accept(ps, open))
		return NULL;
	blanks(ps);
	take_name(ps, name, sizeof(name));
	accept(ps, "*");
	if (accept(ps, close))
		for (size_t i = 0; i < ARRAY_LEN(types); i++)
			if (!strcmp(types[i].name, name))
				return ps->env->wide && i == TYPE_LONG ? &types[TYPE_I64] : &types[i];
	ps->p = start;
	return NULL;
}

static const struct type *accept_type(struct parser *ps)
{
	return accept_between(ps, "(", ")");
}

static int64_t convert(struct parser *ps, const struct type *t, uint64_t v)
{
	unsigned cut = 64 - 8 * t->size;

	emit_op(ps, &(struct prog_op){ .code = PROG_EXT, .size = (uint8_t)t->size, .sign = t->sign });
	return t->sign ? (int64_t)(v << cut) >> cut : (int64_t)(v << cut >> cut);
}

/* ---- operands ---- */

static int64_t load(struct parser *ps, const struct type *t, uint64_t addr)
{
	uint64_t v = 0;

	if (ps->prog)
		emit_op(ps,
			&(struct prog_op){ .code = PROG_LOAD, .size = (uint8_t)t->size, .sign = t->sign });
	if (ps->skip || ps->failed || ps->prog)
		return 0;
	if (!ps->env->read || !ps->env->read(ps->env->ctx, addr, t->size, &v)) {
		fail(ps, "cannot read memory at 0x%llx", (unsigned long long)addr);
		ps->err->status = EXPR_UNREADABLE;
		return 0;
	}
	return convert(ps, t, v);
}

static int escape_char(char c)
{
	switch (c) {
	case 'n':
		return '\n';
	case 'r':
		return '\r';
	case 't':
		return '\t';
	case '0':
		return 0;
	default:
		return c;
	}
}

static int64_t character(struct parser *ps)
{
	int c;

	ps->p++;
	if (!*ps->p)
		return fail(ps, "unfinished character");
	c = (unsigned char)*ps->p++;
	if (c == '\\' && *ps->p)
		c = escape_char(*ps->p++);
	if (*ps->p != '\'')
		return fail(ps, "unfinished character");
	ps->p++;
	emit(ps, PROG_PUSH, c);
	return c;
}

static int64_t number(struct parser *ps)
{
	bool binary = ps->p[0] == '0' && (ps->p[1] | 32) == 'b';
	const char *start = ps->p + (binary ? 2 : 0);
	unsigned long long v;
	char *end;

	errno = 0;
	v = strtoull(start, &end, binary ? 2 : 0);
	if (end == start || name_char(*end, true) || isdigit((unsigned char)*end))
		return fail(ps, "bad number at '%.20s'", ps->p);
	if (errno)
		return fail(ps, "number too large: '%.20s'", ps->p);
	ps->p = end;
	emit(ps, PROG_PUSH, (int64_t)v);
	return (int64_t)v;
}

static int64_t compiled_reg(struct parser *ps, const char *name)
{
	const char *why, *rest = ps->p;
	struct prog_op op = { 0 };
	char text[200];
	int64_t v;

	if (ps->env->macro && ps->env->macro(ps->env->ctx, name, text, sizeof(text))) {
		ps->p = text;
		v = ternary(ps);
		ps->p = rest;
		return v;
	}
	why = ps->env->reg_op ? ps->env->reg_op(ps->env->ctx, name, &op) : "is not known here";

	if (why)
		return fail(ps, "$%s %s", name, why);
	emit_op(ps, &op);
	return 0;
}

static int64_t named(struct parser *ps)
{
	bool reg = accept(ps, "$");
	char name[256];
	uint64_t v = 0;

	take_name(ps, name, sizeof(name));
	if (reg) {
		if (!name[0])
			return fail(ps, "expected a name after '$'");
		if (ps->prog)
			return compiled_reg(ps, name);
		if (!ps->env->reg || !ps->env->reg(ps->env->ctx, name, &v))
			return fail(ps, "no register or variable $%s", name);
	} else if (!ps->env->symbol || !ps->env->symbol(ps->env->ctx, name, &v)) {
		return fail(ps, "no symbol '%s'", name);
	}
	emit(ps, PROG_PUSH, (int64_t)v);
	return (int64_t)v;
}

static int64_t primary(struct parser *ps)
{
	int64_t v;

	blanks(ps);
	if (accept(ps, "(")) {
		v = ternary(ps);
		expect(ps, ")");
		return v;
	}
	if (accept(ps, "[")) {
		v = ternary(ps);
		expect(ps, "]");
		return load(ps, word_type(ps), (uint64_t)v);
	}
	if (*ps->p == '\'')
		return character(ps);
	if (isdigit((unsigned char)*ps->p))
		return number(ps);
	if (*ps->p == '$' || name_char(*ps->p, true))
		return named(ps);
	if (!*ps->p)
		return fail(ps, "the expression is not complete");
	return fail(ps, "unexpected '%.20s'", ps->p);
}

static int64_t prefix(struct parser *ps, enum prog_code code)
{
	int64_t v = unary(ps);

	emit(ps, code, 0);
	switch (code) {
	case PROG_NEG:
		return (int64_t) - (uint64_t)v;
	case PROG_NOT:
		return ~v;
	default:
		return !v;
	}
}

static int64_t unary_op(struct parser *ps)
{
	const struct type *t;

	if (accept(ps, "-"))
		return prefix(ps, PROG_NEG);
	if (accept(ps, "+"))
		return unary(ps);
	if (accept(ps, "~"))
		return prefix(ps, PROG_NOT);
	if (accept(ps, "!"))
		return prefix(ps, PROG_LNOT);
	if (accept(ps, "&")) { /* a symbol is its address already */
		blanks(ps);
		return name_char(*ps->p, true) ? named(ps) : fail(ps, "expected a symbol after '&'");
	}
	if (accept(ps, "*")) {
		t = accept_type(ps);
		return load(ps, t ? t : word_type(ps), (uint64_t)unary(ps));
	}
	t = accept_between(ps, "{", "}");
	if (t)
		return load(ps, t, (uint64_t)unary(ps));
	t = accept_type(ps);
	return t ? convert(ps, t, (uint64_t)unary(ps)) : primary(ps);
}

static int64_t unary(struct parser *ps)
{
	int64_t v;

	if (ps->failed)
		return 0;
	if (++ps->depth > MAX_DEPTH)
		return fail(ps, "the expression is nested too deeply");
	v = unary_op(ps);
	ps->depth--;
	return v;
}

/* ---- operators ---- */

/* Operators with an op have its number; the last two compile to jumps. */
enum op {
	OP_MUL = PROG_MUL,
	OP_DIV = PROG_DIV,
	OP_MOD = PROG_MOD,
	OP_ADD = PROG_ADD,
	OP_SUB = PROG_SUB,
	OP_SHL = PROG_SHL,
	OP_SHR = PROG_SHR,
	OP_LE = PROG_LE,
	OP_GE = PROG_GE,
	OP_LT = PROG_LT,
	OP_GT = PROG_GT,
	OP_EQ = PROG_EQ,
	OP_NE = PROG_NE,
	OP_AND = PROG_AND,
	OP_XOR = PROG_XOR,
	OP_OR = PROG_OR,
	OP_LAND = 256,
	OP_LOR
};

/* Columns: text, operator, precedence. A longer text comes before its prefix. */
static const struct op_row {
	const char *text;
	enum op op;
	unsigned prec;
} ops[] = {
	{ "||", OP_LOR, 1 }, { "&&", OP_LAND, 2 }, { "|", OP_OR, 3 },  { "^", OP_XOR, 4 },
	{ "&", OP_AND, 5 },  { "==", OP_EQ, 6 },   { "!=", OP_NE, 6 }, { "<<", OP_SHL, 8 },
	{ ">>", OP_SHR, 8 }, { "<=", OP_LE, 7 },   { ">=", OP_GE, 7 }, { "<", OP_LT, 7 },
	{ ">", OP_GT, 7 },   { "+", OP_ADD, 9 },   { "-", OP_SUB, 9 }, { "*", OP_MUL, 10 },
	{ "/", OP_DIV, 10 }, { "%", OP_MOD, 10 },
};

static int64_t binary(struct parser *ps, unsigned min);

static const struct op_row *peek_op(struct parser *ps)
{
	blanks(ps);
	for (size_t i = 0; i < ARRAY_LEN(ops); i++)
		if (!strncmp(ps->p, ops[i].text, strlen(ops[i].text)))
			return &ops[i];
	return NULL;
}

static int64_t divide(struct parser *ps, bool rest, int64_t a, int64_t b)
{
	if (ps->skip || ps->failed || ps->prog)
		return 0;
	if (!b)
		return fail(ps, "division by zero");
	if (b == -1)
		return rest ? 0 : (int64_t) - (uint64_t)a;
	return rest ? a % b : a / b;
}

static int64_t shift(bool left, int64_t a, int64_t n)
{
	if (n < 0 || n > 63)
		return 0;
	return left ? (int64_t)((uint64_t)a << n) : (int64_t)((uint64_t)a >> n);
}

static int64_t apply(struct parser *ps, enum op op, int64_t a, int64_t b)
{
	uint64_t ua = (uint64_t)a, ub = (uint64_t)b;

	switch (op) {
	case OP_MUL:
		return (int64_t)(ua * ub);
	case OP_DIV:
		return divide(ps, false, a, b);
	case OP_MOD:
		return divide(ps, true, a, b);
	case OP_ADD:
		return (int64_t)(ua + ub);
	case OP_SUB:
		return (int64_t)(ua - ub);
	case OP_SHL:
		return shift(true, a, b);
	case OP_SHR:
		return shift(false, a, b);
	case OP_LE:
		return a <= b;
	case OP_GE:
		return a >= b;
	case OP_LT:
		return a < b;
	case OP_GT:
		return a > b;
	case OP_EQ:
		return a == b;
	case OP_NE:
		return a != b;
	case OP_AND:
		return a & b;
	case OP_XOR:
		return a ^ b;
	case OP_OR:
		return a | b;
	case OP_LAND:
		return a && b;
	case OP_LOR:
		return a || b;
	}
	return 0;
}

/* Compile the right operand of O: && and || skip it if the left one decides. */
static int64_t binary_compiled(struct parser *ps, const struct op_row *o)
{
	unsigned other = 0, end;

	if (o->op < OP_LAND) {
		binary(ps, o->prec + 1);
		emit(ps, (enum prog_code)o->op, 0);
		return 0;
	}
	other = emit(ps, PROG_JZ, 0);
	if (o->op == OP_LAND) {
		binary(ps, o->prec + 1);
		emit(ps, PROG_BOOL, 0);
	} else {
		emit(ps, PROG_PUSH, 1);
	}
	end = emit(ps, PROG_JMP, 0);
	jump_here(ps, other);
	if (o->op == OP_LAND) {
		emit(ps, PROG_PUSH, 0);
	} else {
		binary(ps, o->prec + 1);
		emit(ps, PROG_BOOL, 0);
	}
	jump_here(ps, end);
	return 0;
}

static int64_t binary(struct parser *ps, unsigned min)
{
	int64_t a = unary(ps), b;
	const struct op_row *o;
	bool skip;

	while (!ps->failed && (o = peek_op(ps)) && o->prec >= min) {
		ps->p += strlen(o->text);
		if (ps->prog) {
			a = binary_compiled(ps, o);
			continue;
		}
		skip = (o->op == OP_LAND && !a) || (o->op == OP_LOR && a);
		ps->skip += skip;
		b = binary(ps, o->prec + 1);
		ps->skip -= skip;
		a = apply(ps, o->op, a, b);
	}
	return a;
}

static int64_t ternary(struct parser *ps)
{
	int64_t cond, a, b;

	if (++ps->depth > MAX_DEPTH)
		return fail(ps, "the expression is nested too deeply");
	cond = binary(ps, 1);
	if (!ps->failed && accept(ps, "?")) {
		unsigned other = emit(ps, PROG_JZ, 0), end;

		ps->skip += !cond;
		a = ternary(ps);
		ps->skip -= !cond;
		expect(ps, ":");
		end = emit(ps, PROG_JMP, 0);
		jump_here(ps, other);
		ps->skip += !!cond;
		b = ternary(ps);
		jump_here(ps, end);
		ps->skip -= !!cond;
		cond = cond ? a : b;
	}
	ps->depth--;
	return cond;
}

/* ---- entry points ---- */

bool expr_eval_prefix(const struct expr_env *env, const char **text, int64_t *val, struct expr_error *err)
{
	struct parser ps = { .env = env, .p = *text, .err = err };

	*err = (struct expr_error){ 0 };
	*val = ternary(&ps);
	blanks(&ps);
	*text = ps.p;
	return !ps.failed;
}

bool expr_compile_prefix(const struct expr_env *env, const char **text, struct program *prog,
			 struct expr_error *err)
{
	struct parser ps = { .env = env, .p = *text, .err = err, .prog = prog };

	*err = (struct expr_error){ 0 };
	ternary(&ps);
	blanks(&ps);
	*text = ps.p;
	return !ps.failed;
}

bool expr_eval(const struct expr_env *env, const char *text, int64_t *val, struct expr_error *err)
{
	if (!expr_eval_prefix(env, &text, val, err))
		return false;
	if (!*text)
		return true;
	err->status = EXPR_WRONG;
	snprintf(err->text, sizeof(err->text), "unexpected '%.20s'", text);
	make_one_line(err);
	return false;
}

bool expr_lvalue(const struct expr_env *env, const char **text, struct lvalue *lv, struct expr_error *err)
{
	struct parser ps = { .env = env, .p = *text, .err = err };
	const struct type *t = NULL;

	*err = (struct expr_error){ 0 };
	*lv = (struct lvalue){ .memory = true, .size = word_type(&ps)->size };
	if (accept(&ps, "$")) {
		lv->memory = false;
		take_name(&ps, lv->name, sizeof(lv->name));
		if (!lv->name[0])
			fail(&ps, "expected a name after '$'");
	} else if (accept(&ps, "[")) {
		lv->addr = (uint64_t)ternary(&ps);
		expect(&ps, "]");
	} else if (accept(&ps, "*")) {
		t = accept_type(&ps);
		lv->addr = (uint64_t)unary(&ps);
	} else if ((t = accept_between(&ps, "{", "}"))) {
		lv->addr = (uint64_t)unary(&ps);
	} else {
		fail(&ps, "expected $name, [address], *(type)address or {type}address");
	}
	if (t)
		lv->size = t->size;
	blanks(&ps);
	*text = ps.p;
	return !ps.failed;
}
