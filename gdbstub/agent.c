/* SPDX-License-Identifier: GPL-3.0-or-later
 * See agent.h. A stack machine; every opcode is checked against stack and code. */
#include "gdbstub/agent.h"

#include <stdio.h>
#include <string.h>

enum { STACK = 64, MAX_OPS = 10000 };

/* Columns: opcode, name, bytes of operand, values taken from the stack, values put there. */
#define OPS(OP)                                                                                              \
	OP(0x02, ADD, 0, 2, 1)                                                                               \
	OP(0x03, SUB, 0, 2, 1)                                                                               \
	OP(0x04, MUL, 0, 2, 1)                                                                               \
	OP(0x05, DIV_S, 0, 2, 1)                                                                             \
	OP(0x06, DIV_U, 0, 2, 1)                                                                             \
	OP(0x07, REM_S, 0, 2, 1)                                                                             \
	OP(0x08, REM_U, 0, 2, 1)                                                                             \
	OP(0x09, LSH, 0, 2, 1)                                                                               \
	OP(0x0a, RSH_S, 0, 2, 1)                                                                             \
	OP(0x0b, RSH_U, 0, 2, 1)                                                                             \
	OP(0x0e, LOG_NOT, 0, 1, 1)                                                                           \
	OP(0x0f, AND, 0, 2, 1)                                                                               \
	OP(0x10, OR, 0, 2, 1)                                                                                \
	OP(0x11, XOR, 0, 2, 1)                                                                               \
	OP(0x12, NOT, 0, 1, 1)                                                                               \
	OP(0x13, EQUAL, 0, 2, 1)                                                                             \
	OP(0x14, LESS_S, 0, 2, 1)                                                                            \
	OP(0x15, LESS_U, 0, 2, 1)                                                                            \
	OP(0x16, EXT, 1, 1, 1)                                                                               \
	OP(0x17, REF8, 0, 1, 1)                                                                              \
	OP(0x18, REF16, 0, 1, 1)                                                                             \
	OP(0x19, REF32, 0, 1, 1)                                                                             \
	OP(0x1a, REF64, 0, 1, 1)                                                                             \
	OP(0x20, IF_GOTO, 2, 1, 0)                                                                           \
	OP(0x21, GOTO, 2, 0, 0)                                                                              \
	OP(0x22, CONST8, 1, 0, 1)                                                                            \
	OP(0x23, CONST16, 2, 0, 1)                                                                           \
	OP(0x24, CONST32, 4, 0, 1)                                                                           \
	OP(0x25, CONST64, 8, 0, 1)                                                                           \
	OP(0x26, REG, 2, 0, 1)                                                                               \
	OP(0x27, END, 0, 0, 0)                                                                               \
	OP(0x28, DUP, 0, 1, 2)                                                                               \
	OP(0x29, POP, 0, 1, 0)                                                                               \
	OP(0x2a, ZERO_EXT, 1, 1, 1)                                                                          \
	OP(0x2b, SWAP, 0, 2, 2)                                                                              \
	OP(0x32, PICK, 1, 0, 1)                                                                              \
	OP(0x33, ROT, 0, 3, 3)

enum op {
#define OP(code, name, operand, takes, gives) OP_##name = code,
	OPS(OP)
#undef OP
};

static const struct op_info {
	bool known;
	uint8_t operand, takes, gives;
} infos[256] = {
#define OP(code, name, operand, takes, gives) [code] = { true, operand, takes, gives },
	OPS(OP)
#undef OP
};

struct machine {
	const struct agent_env *env;
	uint64_t stack[STACK];
	unsigned depth;
};

static uint64_t sign_extend(uint64_t v, unsigned bits)
{
	return !bits || bits >= 64 ? v : (uint64_t)((int64_t)(v << (64 - bits)) >> (64 - bits));
}

static uint64_t shift(enum op op, uint64_t a, uint64_t n)
{
	if (n > 63)
		return op == OP_RSH_S && (int64_t)a < 0 ? ~0ull : 0;
	return op == OP_LSH ? a << n : op == OP_RSH_U ? a >> n : (uint64_t)((int64_t)a >> n);
}

/* False for a division by zero, and for the one quotient that overflows. */
static bool divide(enum op op, uint64_t a, uint64_t b, uint64_t *val)
{
	bool is_signed = op == OP_DIV_S || op == OP_REM_S;

	if (!b || (is_signed && b == ~0ull && a == 1ull << 63))
		return false;
	switch (op) {
	case OP_DIV_S:
		*val = (uint64_t)((int64_t)a / (int64_t)b);
		break;
	case OP_DIV_U:
		*val = a / b;
		break;
	case OP_REM_S:
		*val = (uint64_t)((int64_t)a % (int64_t)b);
		break;
	default:
		*val = a % b;
		break;
	}
	return true;
}

static bool binary(enum op op, uint64_t a, uint64_t b, uint64_t *val)
{
	switch (op) {
	case OP_ADD:
		*val = a + b;
		break;
	case OP_SUB:
		*val = a - b;
		break;
	case OP_MUL:
		*val = a * b;
		break;
	case OP_LSH:
	case OP_RSH_S:
	case OP_RSH_U:
		*val = shift(op, a, b);
		break;
	case OP_AND:
		*val = a & b;
		break;
	case OP_OR:
		*val = a | b;
		break;
	case OP_XOR:
		*val = a ^ b;
		break;
	case OP_EQUAL:
		*val = a == b;
		break;
	case OP_LESS_S:
		*val = (int64_t)a < (int64_t)b;
		break;
	case OP_LESS_U:
		*val = a < b;
		break;
	default:
		return divide(op, a, b, val);
	}
	return true;
}

/* Execute one operation other than jumps. False if it cannot be done. */
static bool operate(struct machine *m, enum op op, uint64_t operand)
{
	uint64_t *top = m->stack + m->depth - 1, t;

	switch (op) {
	case OP_LOG_NOT:
		*top = !*top;
		return true;
	case OP_NOT:
		*top = ~*top;
		return true;
	case OP_EXT:
		*top = sign_extend(*top, (unsigned)operand);
		return true;
	case OP_ZERO_EXT:
		if (operand < 64)
			*top &= (1ull << operand) - 1;
		return true;
	case OP_REF8:
	case OP_REF16:
	case OP_REF32:
	case OP_REF64:
		t = *top;
		*top = 0;
		return m->env->read(m->env->ctx, t, top, 1u << (op - OP_REF8));
	case OP_CONST8:
	case OP_CONST16:
	case OP_CONST32:
	case OP_CONST64:
		m->stack[m->depth++] = operand;
		return true;
	case OP_REG:
		return m->env->reg(m->env->ctx, (unsigned)operand, &m->stack[m->depth++]);
	case OP_DUP:
		m->stack[m->depth++] = *top;
		return true;
	case OP_POP:
		m->depth--;
		return true;
	case OP_SWAP:
		t = top[0];
		top[0] = top[-1];
		top[-1] = t;
		return true;
	case OP_PICK:
		if (operand >= m->depth)
			return false;
		m->stack[m->depth] = m->stack[m->depth - 1 - operand];
		m->depth++;
		return true;
	case OP_ROT: /* a b c -> c a b */
		t = top[0];
		top[0] = top[-1];
		top[-1] = top[-2];
		top[-2] = t;
		return true;
	default:
		m->depth--;
		return binary(op, top[-1], top[0], &top[-1]);
	}
}

static uint64_t big_endian(const uint8_t *p, unsigned n)
{
	uint64_t v = 0;

	while (n--)
		v = v << 8 | *p++;
	return v;
}

bool agent_eval(const struct agent_env *env, const uint8_t *code, size_t len, uint64_t *val)
{
	struct machine m = { .env = env };
	size_t at = 0;

	for (unsigned n = 0; n < MAX_OPS && at < len; n++) {
		enum op op = code[at];
		const struct op_info *i = &infos[op];
		uint64_t operand;

		if (!i->known || len - at - 1 < i->operand || m.depth < i->takes ||
		    m.depth - i->takes + i->gives > STACK)
			return false;
		operand = big_endian(code + at + 1, i->operand);
		at += 1u + i->operand;
		switch (op) {
		case OP_END:
			*val = m.depth ? m.stack[m.depth - 1] : 0;
			return m.depth > 0;
		case OP_GOTO:
			at = operand;
			break;
		case OP_IF_GOTO:
			if (m.stack[--m.depth])
				at = operand;
			break;
		default:
			if (!operate(&m, op, operand))
				return false;
		}
	}
	return false;
}

/* ---- as text ---- */

enum { TERM = 200, TERMS = 16 };

static const char *const symbols[256] = {
	[OP_ADD] = "+",	   [OP_SUB] = "-",     [OP_MUL] = "*",	[OP_DIV_S] = "/",  [OP_DIV_U] = "/",
	[OP_REM_S] = "%",  [OP_REM_U] = "%",   [OP_LSH] = "<<", [OP_RSH_S] = ">>", [OP_RSH_U] = ">>",
	[OP_AND] = "&",	   [OP_OR] = "|",      [OP_XOR] = "^",	[OP_EQUAL] = "==", [OP_LESS_S] = "<",
	[OP_LESS_U] = "<", [OP_LOG_NOT] = "!", [OP_NOT] = "~",
};

/* Combine the terms on top of the stack by OP. False if it has no such form or becomes too long. */
static bool combine(enum op op, char term[][TERM], unsigned *depth)
{
	char *a, *b, out[2 * TERM + 40];

	if (op == OP_EXT || op == OP_ZERO_EXT)
		return true; /* a conversion */
	b = term[*depth - 1];
	switch (op) {
	case OP_LOG_NOT:
	case OP_NOT:
		snprintf(out, sizeof(out), "%s%s", symbols[op], b);
		break;
	case OP_REF8:
	case OP_REF16:
	case OP_REF32:
	case OP_REF64:
		snprintf(out, sizeof(out), "*(uint%d_t *)%s", 8 << (op - OP_REF8), b);
		break;
	default:
		if (!symbols[op])
			return false;
		a = term[*depth - 2];
		snprintf(out, sizeof(out), "(%s %s %s)", a, symbols[op], b);
		b = a;
		--*depth;
		break;
	}
	if (strlen(out) >= TERM)
		return false;
	strcpy(b, out);
	return true;
}

bool agent_text(const uint8_t *code, size_t len, const char *(*name)(void *ctx, unsigned reg), void *ctx,
		char *buf, size_t n)
{
	char term[TERMS][TERM];
	unsigned depth = 0;

	for (size_t at = 0; at < len;) {
		enum op op = code[at];
		const struct op_info *i = &infos[op];
		uint64_t operand;

		if (!i->known || len - at - 1 < i->operand || depth < i->takes || depth == TERMS)
			return false;
		operand = big_endian(code + at + 1, i->operand);
		at += 1u + i->operand;
		if (op == OP_END) {
			if (depth != 1)
				return false;
			snprintf(buf, n, "%s", term[0]);
			return true;
		}
		if (op == OP_REG)
			snprintf(term[depth++], TERM, "$%.30s", name(ctx, (unsigned)operand));
		else if (op >= OP_CONST8 && op <= OP_CONST64)
			snprintf(term[depth++], TERM, operand < 10 ? "%llu" : "0x%llx",
				 (unsigned long long)operand);
		else if (!combine(op, term, &depth))
			return false;
	}
	return false;
}
