/* SPDX-License-Identifier: GPL-3.0-or-later
 * What registers hold in 64-bit code. Every register has a value at every place: a sum of at most two unknown
 * values and a constant, so that two registers can be compared although neither is known. Whatever is not
 * understood makes a new unknown value. */
#include "bt/verify/long_int.h"

#include <string.h>

enum { RAX, RCX, RDX, RBX, RSP, RBP, RSI, RDI, R8, R9, R10, R11 };

/* ---- registers ---- */

unsigned long_register(unsigned r, unsigned *size)
{
	static const uint16_t low[4][8] = {
		{ X86_REG_AL, X86_REG_CL, X86_REG_DL, X86_REG_BL, X86_REG_SPL, X86_REG_BPL, X86_REG_SIL,
		  X86_REG_DIL },
		{ X86_REG_AX, X86_REG_CX, X86_REG_DX, X86_REG_BX, X86_REG_SP, X86_REG_BP, X86_REG_SI,
		  X86_REG_DI },
		{ X86_REG_EAX, X86_REG_ECX, X86_REG_EDX, X86_REG_EBX, X86_REG_ESP, X86_REG_EBP, X86_REG_ESI,
		  X86_REG_EDI },
		{ X86_REG_RAX, X86_REG_RCX, X86_REG_RDX, X86_REG_RBX, X86_REG_RSP, X86_REG_RBP, X86_REG_RSI,
		  X86_REG_RDI },
	};
	static const uint16_t high[4] = { X86_REG_R8B, X86_REG_R8W, X86_REG_R8D, X86_REG_R8 };

	for (unsigned s = 0; s < 4; s++) {
		*size = 1u << s;
		if (r >= high[s] && r < high[s] + 8u)
			return 8 + r - high[s];
		for (unsigned i = 0; i < 8; i++)
			if (r == low[s][i])
				return i;
	}
	*size = 1;
	switch (r) {
	case X86_REG_AH:
		return RAX;
	case X86_REG_CH:
		return RCX;
	case X86_REG_DH:
		return RDX;
	case X86_REG_BH:
		return RBX;
	default:
		return L_REGS;
	}
}

static const struct value *value_of(const struct long_check *k, unsigned r) /* 64 bits; NULL: no register */
{
	unsigned size, n = long_register(r, &size);

	return n < L_REGS && size == 8 ? &k->s.reg[n] : NULL;
}

/* ---- sums ---- */

struct value long_unknown(struct long_check *k, unsigned below)
{
	return (struct value){ .below = (uint8_t)below, .sum.base = ++k->last };
}

static struct value constant(uint64_t v)
{
	struct value r = { .below = 64, .sum.disp = (int64_t)v };

	while (r.below && !(v >> (r.below - 1)))
		r.below--;
	return r;
}

bool long_constant(const struct sum *s, uint64_t *v)
{
	*v = (uint64_t)s->disp;
	return !s->base && !s->index && !s->d;
}

static bool add_d(struct sum *a, const struct sum *b)
{
	if (a->d && b->d && a->space != b->space)
		return false;
	if (b->d)
		a->space = b->space;
	a->d = (int8_t)(a->d + b->d);
	return a->d >= -1 && a->d <= 1;
}

/* A += B * SCALE. False: it is no sum any more. */
static bool add(struct sum *a, const struct sum *b, unsigned scale)
{
	a->disp = (int64_t)((uint64_t)a->disp + (uint64_t)b->disp * scale);
	if (!b->base && !b->index && !b->d)
		return true;
	if (scale > 1) {
		if (a->index || b->index || b->d)
			return false;
		a->index = b->base;
		a->scale = (uint8_t)scale;
		return true;
	}
	if ((a->index && b->index) || !add_d(a, b))
		return false;
	if (b->index) {
		a->index = b->index;
		a->scale = b->scale;
	}
	if (!a->base)
		a->base = b->base;
	else if (b->base && a->index)
		return false;
	else if (b->base) {
		a->index = b->base;
		a->scale = 1;
	}
	return true;
}

static bool same_sum(const struct sum *a, const struct sum *b)
{
	return a->base == b->base && a->index == b->index && (!a->index || a->scale == b->scale) &&
	       a->d == b->d && (!a->d || a->space == b->space) && a->disp == b->disp;
}

bool long_address(struct long_check *k, const x86_op_mem *m, struct sum *out)
{
	const struct value *b = value_of(k, m->base), *x = value_of(k, m->index);

	*out = (struct sum){ .disp = m->disp };
	if (m->base == X86_REG_RIP) {
		out->disp += (int64_t)(k->c.in->address + k->c.in->size);
		return m->index == X86_REG_INVALID;
	}
	if ((!b && m->base != X86_REG_INVALID) ||
	    (!x && m->index != X86_REG_INVALID && m->index != X86_REG_RIZ))
		return false;
	if (b && !add(out, &b->sum, 1))
		return false;
	return !x || add(out, &x->sum, (unsigned)m->scale);
}

/* ---- states ---- */

static struct value displacement(uint32_t space, int d)
{
	return (struct value){ .below = 64, .sum = { .d = (int8_t)d, .space = space } };
}

void long_start(struct long_check *k)
{
	for (unsigned i = 0; i < L_REGS; i++)
		k->s.reg[i] = long_unknown(k, 64);
	k->s.reg[R9].kind = L_V;
	k->s.reg[R9].n = 0;
	k->s.reg[R10] = displacement(0, 1);
	k->s.nprobed = 0;
	k->s.reached = true;
}

bool long_holds_v_and_d(const struct long_state *s)
{
	const struct sum *d = &s->reg[R10].sum;

	return s->reg[R9].kind == L_V && s->reg[R9].n == 0 && !d->base && !d->index && d->d == 1 &&
	       d->space == 0 && !d->disp;
}

static bool same_value(const struct value *a, const struct value *b)
{
	return a->kind == b->kind && a->n == b->n && same_sum(&a->sum, &b->sum) && same_sum(&a->of, &b->of);
}

static unsigned first_probe(const struct long_state *s)
{
	return s->nprobed > L_PROBES ? s->nprobed - L_PROBES : 0;
}

static bool has_probe(const struct long_state *s, const struct sum *p)
{
	for (unsigned i = first_probe(s); i < s->nprobed; i++)
		if (same_sum(&s->probed[i % L_PROBES], p))
			return true;
	return false;
}

void long_meet(struct long_check *k, struct long_state *into, const struct long_state *from)
{
	struct sum kept[L_PROBES];
	unsigned n = 0;

	if (!from->reached)
		return;
	if (!into->reached) {
		*into = *from;
		return;
	}
	for (unsigned i = 0; i < L_REGS; i++) {
		const struct value *f = &from->reg[i];
		struct value *v = &into->reg[i];
		unsigned below = v->below > f->below ? v->below : f->below;

		if (same_value(v, f))
			v->below = (uint8_t)below;
		else
			*v = long_unknown(k, below);
	}
	for (unsigned i = first_probe(into); i < into->nprobed; i++)
		if (has_probe(from, &into->probed[i % L_PROBES]))
			kept[n++] = into->probed[i % L_PROBES];
	memcpy(into->probed, kept, n * sizeof(*kept));
	into->nprobed = n;
}

/* ---- probes ---- */

bool long_is_probe(struct long_check *k, struct sum *out)
{
	const cs_x86_op *op = k->c.x->operands;
	const struct value *v, *t;

	if (k->c.in->id != X86_INS_MOVZX || op[1].type != X86_OP_MEM || op[1].size != 1 || a32(&k->c) ||
	    op[1].mem.segment != X86_REG_INVALID || op[1].mem.scale != 1)
		return false;
	v = value_of(k, op[1].mem.base);
	t = value_of(k, op[1].mem.index);
	if (!v || !t || t->kind != L_SHIFTED)
		return false;
	*out = t->of;
	if (v->kind == L_V && v->n == t->n && op[1].mem.disp == -20)
		return add_d(out, &(struct sum){ .d = 1, .space = v->n });
	/* By host address. */
	return v->kind == L_FIELD && v->n == k->l->vt && t->n == 0 && op[1].mem.disp == 0;
}

/* ---- tracking ---- */

/* The value of the monitor's field at OFF. */
static struct value field_value(struct long_check *k, uint64_t off)
{
	struct value v = long_unknown(k, 64);

	if (off == k->l->d || off == k->l->neg_d)
		return displacement(0, off == k->l->d ? 1 : -1);
	if (off == k->l->v) {
		v.kind = L_V;
		v.n = 0;
	} else if (!verify_writable(k->c.env, (int64_t)off, 8)) {
		v.kind = L_FIELD;
		v.n = (uint32_t)off;
	}
	return v;
}

static struct value loaded(struct long_check *k, const x86_op_mem *m)
{
	struct value v = long_unknown(k, 64);
	enum value_kind made;
	struct sum at;
	uint64_t a;

	if (long_is_choice(k, m, &v))
		return v;
	if (long_is_table(k, m, &made)) {
		v.kind = made;
		return v;
	}
	if (m->segment == X86_REG_INVALID && long_address(k, m, &at) && long_constant(&at, &a) &&
	    a - k->l->vcpu < k->c.env->vcpu_size)
		return field_value(k, a - k->l->vcpu);
	return v;
}

/* SHRX of the first source, by the second. */
static struct value shifted(struct long_check *k)
{
	const cs_x86_op *op = k->c.x->operands;
	const struct value *s = op[1].type == X86_OP_REG ? value_of(k, op[1].reg) : NULL;
	const struct value *by = value_of(k, op[2].reg);
	struct value v = long_unknown(k, 64);
	uint64_t n;

	if (!s || !by)
		return v;
	if (by->kind == L_V) {
		v.kind = L_SHIFTED;
		v.n = by->n;
		v.of = s->sum;
	} else if (long_constant(&by->sum, &n)) {
		v.below = (uint8_t)(64 - (n & 63));
		v.kind = (n & 63) == 63 ? L_HALF : L_PLAIN;
		v.n = ++k->last;
	}
	return v;
}

/* LEA of 64 bits. */
static struct value sum_value(struct long_check *k, const x86_op_mem *m)
{
	const struct value *b = value_of(k, m->base);
	struct value v = long_unknown(k, 64), r = v;

	if (b && b->kind == L_ENTRY && m->index == X86_REG_INVALID && (uint64_t)m->disp == k->l->entries) {
		v.kind = L_TARGET;
		return v;
	}
	if (a32(&k->c) || !long_address(k, m, &r.sum))
		return v;
	r.below = 64;
	return r;
}

static struct value result_64(struct long_check *k)
{
	const cs_x86_op *op = k->c.x->operands;
	struct value v;

	switch (k->c.in->id) {
	case X86_INS_MOV:
	case X86_INS_MOVABS:
		if (op[1].type == X86_OP_IMM)
			return constant((uint64_t)op[1].imm);
		if (op[1].type == X86_OP_MEM)
			return loaded(k, &op[1].mem);
		if (op[1].type == X86_OP_REG && value_of(k, op[1].reg))
			return *value_of(k, op[1].reg);
		break;
	case X86_INS_LEA:
		return sum_value(k, &op[1].mem);
	case X86_INS_SHRX:
		return shifted(k);
	case X86_INS_ADD:
	case X86_INS_SUB:
		if (op[1].type != X86_OP_IMM || !value_of(k, op[0].reg))
			break;
		v = (struct value){ .below = 64, .sum = value_of(k, op[0].reg)->sum };
		v.sum.disp += k->c.in->id == X86_INS_ADD ? op[1].imm : -op[1].imm;
		return v;
	default:
		break;
	}
	return long_unknown(k, 64);
}

/* A 32-bit write clears the upper half. */
static struct value result_32(struct long_check *k)
{
	const cs_x86_op *op = k->c.x->operands;
	struct value v = long_unknown(k, 32);
	enum value_kind made;

	if (k->c.in->id == X86_INS_MOV && op[1].type == X86_OP_IMM)
		return constant((uint32_t)op[1].imm);
	if (k->c.in->id == X86_INS_MOV && op[1].type == X86_OP_MEM && long_is_table(k, &op[1].mem, &made) &&
	    made == L_ENTRY)
		v.kind = made;
	return v;
}

/* Instructions whose results are in their operands alone. Of others, any of the registers that some
 * instruction uses without naming it may have changed. */
static const uint16_t explicit[] = {
	X86_INS_MOV,	X86_INS_MOVABS, X86_INS_MOVZX,	X86_INS_MOVSX,	X86_INS_MOVSXD, X86_INS_LEA,
	X86_INS_ADD,	X86_INS_SUB,	X86_INS_ADC,	X86_INS_SBB,	X86_INS_AND,	X86_INS_OR,
	X86_INS_XOR,	X86_INS_CMP,	X86_INS_TEST,	X86_INS_INC,	X86_INS_DEC,	X86_INS_NEG,
	X86_INS_NOT,	X86_INS_SHL,	X86_INS_SHR,	X86_INS_SAR,	X86_INS_ROL,	X86_INS_ROR,
	X86_INS_RCL,	X86_INS_RCR,	X86_INS_SHLD,	X86_INS_SHRD,	X86_INS_BT,	X86_INS_BTS,
	X86_INS_BTR,	X86_INS_BTC,	X86_INS_BSF,	X86_INS_BSR,	X86_INS_POPCNT, X86_INS_LZCNT,
	X86_INS_TZCNT,	X86_INS_BSWAP,	X86_INS_XCHG,	X86_INS_XADD,	X86_INS_NOP,	X86_INS_SHRX,
	X86_INS_SHLX,	X86_INS_SARX,	X86_INS_RORX,	X86_INS_PEXT,	X86_INS_PDEP,	X86_INS_PUSH,
	X86_INS_POP,	X86_INS_PUSHFQ, X86_INS_POPFQ,	X86_INS_JMP,	X86_INS_JRCXZ,	X86_INS_CMOVA,
	X86_INS_CMOVAE, X86_INS_CMOVB,	X86_INS_CMOVBE, X86_INS_CMOVE,	X86_INS_CMOVG,	X86_INS_CMOVGE,
	X86_INS_CMOVL,	X86_INS_CMOVLE, X86_INS_CMOVNE, X86_INS_CMOVNO, X86_INS_CMOVNP, X86_INS_CMOVNS,
	X86_INS_CMOVO,	X86_INS_CMOVP,	X86_INS_CMOVS,
};

static bool is_explicit(const struct long_check *k)
{
	for (unsigned i = 0; i < ARRAY_LEN(explicit); i++)
		if (explicit[i] == k->c.in->id)
			return true;
	return verify_is_branch(&k->c) && k->c.in->id != X86_INS_LOOP && k->c.in->id != X86_INS_LOOPE &&
	       k->c.in->id != X86_INS_LOOPNE;
}

static bool only_reads(const struct long_check *k, unsigned i)
{
	unsigned id = k->c.in->id;

	return id == X86_INS_CMP || id == X86_INS_TEST || id == X86_INS_PUSH || id == X86_INS_JMP ||
	       (i == 1 && k->c.x->op_count == 2 && verify_reads_second(&k->c)) ||
	       (i && (id == X86_INS_SHRX || id == X86_INS_SARX || id == X86_INS_SHLX || id == X86_INS_MOVZX ||
		      id == X86_INS_MOVSX || id == X86_INS_MOVSXD || id == X86_INS_PEXT ||
		      id == X86_INS_PDEP || id == X86_INS_RORX));
}

static void forget_operands(struct long_check *k)
{
	static const uint8_t implicit[] = { RAX, RCX, RDX, RBX, RSI, RDI };
	unsigned size;

	for (unsigned i = 0; i < k->c.x->op_count; i++) {
		const cs_x86_op *op = &k->c.x->operands[i];
		unsigned n = op->type == X86_OP_REG ? long_register(op->reg, &size) : L_REGS;

		if (n < L_REGS && !only_reads(k, i))
			k->s.reg[n] = long_unknown(k, size == 4 ? 32 : 64);
	}
	if (is_explicit(k))
		return;
	for (unsigned i = 0; i < ARRAY_LEN(implicit); i++)
		k->s.reg[implicit[i]] = long_unknown(k, 64);
}

static void note_probe(struct long_check *k)
{
	struct sum p;

	if (long_is_probe(k, &p))
		k->s.probed[k->s.nprobed++ % L_PROBES] = p;
}

static bool exchange(struct long_check *k)
{
	const cs_x86_op *op = k->c.x->operands;
	unsigned size[2], a, b;
	struct value v;

	if (k->c.in->id != X86_INS_XCHG || op[0].type != X86_OP_REG || op[1].type != X86_OP_REG)
		return false;
	a = long_register(op[0].reg, &size[0]);
	b = long_register(op[1].reg, &size[1]);
	if (a >= L_REGS || b >= L_REGS || size[0] != 8 || size[1] != 8)
		return false;
	v = k->s.reg[a];
	k->s.reg[a] = k->s.reg[b];
	k->s.reg[b] = v;
	return true;
}

/* PUSH and POP move rsp by the size of their operand. */
static int stack_step(const struct long_check *k)
{
	bool word = k->c.x->prefix[2] == 0x66;

	switch (k->c.in->id) {
	case X86_INS_PUSH:
	case X86_INS_PUSHFQ:
		return word ? -2 : -8;
	case X86_INS_POP:
	case X86_INS_POPFQ:
		return word ? 2 : 8;
	default:
		return 0;
	}
}

void long_track(struct long_check *k)
{
	const cs_x86_op *op = k->c.x->operands;
	bool to_register = k->c.x->op_count && op[0].type == X86_OP_REG;
	unsigned size = 0, d = to_register ? long_register(op[0].reg, &size) : L_REGS;
	int step = stack_step(k);
	struct value v;

	if (exchange(k))
		return;
	note_probe(k);
	v = d == L_REGS ? (struct value){ 0 }
	    : size == 8 ? result_64(k)
	    : size == 4 ? result_32(k)
			: long_unknown(k, 64);
	if (step) {
		k->s.reg[RSP].sum.disp += step;
		k->s.reg[RSP].kind = L_PLAIN;
	}
	forget_operands(k);
	if (d < L_REGS && !only_reads(k, 0) && is_explicit(k))
		k->s.reg[d] = v;
}
