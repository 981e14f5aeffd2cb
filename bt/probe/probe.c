/* SPDX-License-Identifier: GPL-3.0-or-later
 * Probes: their list, and the code emitted for them before an instruction. That code preserves flags and the
 * guest's registers; comparisons use JRCXZ. */
#include "bt/cache/cache.h"
#include "bt/emit/emit.h"
#include "bt/emit/exit.h"
#include "bt/probe/emit.h"
#include "bt/runtime/callout.h"

#include <stdlib.h>
#include <string.h>

/* ---- programs ---- */

/* Do stack depth and jumps of P check out, and does it leave LEFT values? */
static bool is_valid(const struct program *p, int left)
{
	static const int8_t change[] = {
#define OP(id, depth) depth,
#include "x86/bytecode.def"
#undef OP
	};
	int depth = 0;

	for (unsigned i = 0; i < p->n; i++) {
		const struct prog_op *o = &p->op[i];

		if ((o->code == PROG_JZ || o->code == PROG_JMP) &&
		    (o->imm <= (int64_t)i || o->imm > (int64_t)p->n))
			return false;
		depth += change[o->code];
		if (depth < 0 || depth > PROG_DEPTH)
			return false;
		if (o->code == PROG_JMP) /* the other branch pushes the same value */
			depth--;
	}
	return depth == left;
}

static bool reads_fpu(const struct program *p)
{
	for (unsigned i = 0; i < p->n; i++)
		if (p->op[i].code == PROG_REG ||
		    (p->op[i].code == PROG_FIELD && p->op[i].imm >= (int64_t)offsetof(struct cpu, fpu)))
			return true;
	return false;
}

/* A comparison of a register with a constant, in the form that inline code implements. */
struct term {
	int reg;
	int64_t k;
	enum prog_code op; /* EQ, NE, LT, GE */
};

static bool is_gpr(const struct prog_op *o, int *reg)
{
	int64_t at = o->imm - (int64_t)offsetof(struct cpu, gpr);

	*reg = (int)(at / 8);
	return o->code == PROG_FIELD && o->size == 4 && at >= 0 && at % 8 == 0 && at / 8 < 8;
}

/* Parse the term at op *I of P and advance *I past it. */
static bool take_term(const struct program *p, unsigned *i, struct term *t)
{
	const struct prog_op *o = &p->op[*i];
	unsigned left = p->n - *i;

	if (!left || !is_gpr(o, &t->reg))
		return false;
	t->k = 0;
	if (left >= 3 && o[1].code == PROG_PUSH && o[2].code >= PROG_LE && o[2].code <= PROG_NE) {
		t->k = o[1].imm;
		t->op = (enum prog_code)o[2].code;
		*i += 3;
	} else {
		bool not = left >= 2 && o[1].code == PROG_LNOT;

		t->op = not ? PROG_EQ : PROG_NE;
		*i += not ? 2 : 1;
	}
	if (t->op == PROG_LE || t->op == PROG_GT) {
		t->op = t->op == PROG_LE ? PROG_LT : PROG_GE;
		t->k++;
	}
	return t->k > INT64_MIN / 4 && t->k < INT64_MAX / 4;
}

/* If P is terms joined by && only, return how many; else 0. */
static unsigned terms(const struct program *p, struct term t[PROBE_TERMS])
{
	unsigned i = 0, n = 0;

	while (n < PROBE_TERMS && take_term(p, &i, &t[n])) {
		n++;
		while (i + 2 < p->n && p->op[i].code == PROG_BOOL && p->op[i + 1].code == PROG_JMP &&
		       p->op[i + 2].code == PROG_PUSH && !p->op[i + 2].imm)
			i += 3;
		if (i == p->n)
			return n;
		if (p->op[i++].code != PROG_JZ)
			return 0;
	}
	return 0;
}

/* ---- code ---- */

static void bump(struct tx *t, int32_t off)
{
	e_ld64(t, H_R8, off);
	e_rm(t, F_W, 0x8d, H_R8, H_R8, 1);
	e_st64(t, off, H_R8);
}

static uint8_t *jump(struct tx *t)
{
	e1(t, 0xe9);
	e4(t, 0);
	return t->p;
}

static void patch_jump(struct tx *t, uint8_t *behind)
{
	uint32_t rel = (uint32_t)(t->p - behind);

	memcpy(behind - 4, &rel, 4);
}

/* Return the jump taken if the comparison does not hold. */
static uint8_t *compare(struct tx *t, const struct term *c)
{
	bool zero_holds = c->op == PROG_EQ || c->op == PROG_GE;
	uint8_t *zero, *over, *no;

	e_movi64(t, H_R10, -(uint64_t)c->k);
	e_rmi(t, F_W, 0x8d, H_R8, c->reg, H_R10, 0, 0);
	if (c->op == PROG_LT || c->op == PROG_GE) { /* the sign bit only */
		e_movi32(t, H_R10, 63);
		e_shiftx(t, false, H_R8, H_R8, H_R10);
		t->p[-3] |= 0x80; /* 64 bits */
	}
	e_mov64(t, H_R11, H_RCX);
	e_mov64(t, H_RCX, H_R8);
	zero = e_jrcxz(t);
	e_mov64(t, H_RCX, H_R11);
	if (zero_holds) {
		no = jump(t);
		e_here8(t, zero);
		e_mov64(t, H_RCX, H_R11);
		return no;
	}
	over = jump(t);
	e_here8(t, zero);
	e_mov64(t, H_RCX, H_R11);
	no = jump(t);
	patch_jump(t, over);
	return no;
}

static void emit_one(struct tx *t, struct insn *in, unsigned i)
{
	struct probe *p = &t->b->probes.probe[i];
	struct term c[PROBE_TERMS];
	/* 64-bit code has no register to spare for comparisons. */
	unsigned n = mode_long(t->mode) ? 0 : terms(&p->is.cond, c);
	uint8_t *no[PROBE_TERMS];

	bump(t, OFF(probes.count) + 8 * (int32_t)i);
	for (unsigned k = 0; k < n; k++)
		no[k] = compare(t, &c[k]);
	if (n)
		bump(t, OFF(probes.match) + 8 * (int32_t)i);
	if ((p->is.cond.n && !n) || p->is.record.n) {
		struct site *s = new_site(t, in, CO_PROBE, co_probe);

		s->probe.index = i;
		s->probe.holds = n || !p->is.cond.n;
		s->fpu = reads_fpu(&p->is.cond) || reads_fpu(&p->is.record);
		emit_callout(t, s);
	}
	for (unsigned k = 0; k < n; k++)
		patch_jump(t, no[k]);
}

void probe_emit(struct tx *t, struct insn *in)
{
	t->probe_from = t->p;
	t->way = WAY_DEFAULT;
	for (unsigned i = 0; i < MAX_PROBES; i++)
		if (t->b->probes.probe[i].number && t->b->probes.probe[i].is.pc == in->pc)
			emit_one(t, in, i);
	t->probe_to = t->p;
}

bool probe_rewind(struct tx *t)
{
	if (t->probe_from == t->probe_to || t->p != t->probe_to)
		return false;
	t->p = t->probe_from;
	while (t->nmark && t->marks[t->nmark - 1].host > (uint16_t)(t->p - t->base))
		t->nmark--;
	return true;
}

/* ---- the list ---- */

static const char *add_probe(struct vcpu *v, const struct engine_probe *is, unsigned *number)
{
	struct bt_vcpu *b = bt_of(v);
	struct probe *p;
	unsigned i = 0, here = 0;

	for (unsigned k = 0; k < MAX_PROBES; k++)
		here += b->probes.probe[k].number && b->probes.probe[k].is.pc == is->pc;
	if (here == PROBES_AT)
		return "8 probes at that address already; remove one first";
	while (i < MAX_PROBES && b->probes.probe[i].number)
		i++;
	if (i == MAX_PROBES)
		return "no room for another probe";
	if ((is->cond.n && !is_valid(&is->cond, 1)) || !is_valid(&is->record, 0))
		return "the expression is too deep";
	if (is->record.n && !b->probes.hits)
		b->probes.hits = calloc(MAX_HITS, sizeof(*b->probes.hits));
	if (is->record.n && !b->probes.hits)
		return "out of memory";
	p = &b->probes.probe[i];
	*p = (struct probe){ .number = ++b->probes.last_number, .is = *is };
	p->is.cond_text = is->cond_text ? strdup(is->cond_text) : NULL;
	p->is.record_text = is->record_text ? strdup(is->record_text) : NULL;
	b->probes.count[i] = b->probes.match[i] = 0;
	b->probes.n++;
	*number = p->number;
	cache_drop_at(b, is->pc, 1, DROP_PROBE);
	return NULL;
}

static void forget(struct bt_vcpu *b, struct probe *p)
{
	cache_drop_at(b, p->is.pc, 1, DROP_PROBE);
	free((char *)p->is.cond_text);
	free((char *)p->is.record_text);
	*p = (struct probe){ 0 };
	b->probes.n--;
}

static unsigned remove_probes(struct vcpu *v, unsigned number, gva pc, bool all)
{
	struct bt_vcpu *b = bt_of(v);
	unsigned n = 0;

	for (unsigned i = 0; i < MAX_PROBES; i++) {
		struct probe *p = &b->probes.probe[i];

		if (!p->number || !(all || (number ? p->number == number : p->is.pc == pc)))
			continue;
		forget(b, p);
		n++;
	}
	return n;
}

void probes_free(struct bt_vcpu *b)
{
	remove_probes(&b->v, 0, 0, true);
	free(b->probes.hits);
}

static bool take(struct vcpu *v, struct engine_probe_hit *out)
{
	struct bt_vcpu *b = bt_of(v);
	uint32_t tail = b->probes.hit_tail;

	if (tail == __atomic_load_n(&b->probes.hit_head, __ATOMIC_SEQ_CST))
		return false;
	*out = b->probes.hits[tail % MAX_HITS];
	__atomic_store_n(&b->probes.hit_tail, tail + 1, __ATOMIC_SEQ_CST);
	return true;
}

static const char *text(struct vcpu *v, unsigned number)
{
	struct bt_vcpu *b = bt_of(v);

	for (unsigned i = 0; i < MAX_PROBES; i++)
		if (b->probes.probe[i].number == number)
			return b->probes.probe[i].is.record_text;
	return NULL;
}

const struct engine_probes bt_probes = {
	.add = add_probe, .remove = remove_probes, .take = take, .text = text
};

/* ---- info probes ---- */

static const struct view_col probe_cols[] = {
	{ "number", "Num", VAL_UINT, "", "number, as unprobe takes it" },
	{ "pc", "Address", VAL_ADDR, "", "guest-linear address" },
	{ "count", "Count", VAL_UINT, "", "times the instruction was reached" },
	{ "matched", "Matched", VAL_UINT, "", "of these, with the condition true" },
	{ "failed", "Failed", VAL_UINT, "", "of these, condition not evaluable" },
	{ "recorded", "Recorded", VAL_UINT, "", "lines printed" },
	{ "lost", "Lost", VAL_UINT, "", "lines lost because the ring was full" },
	{ "way", "Way", VAL_STR, "", "inline, or by callout: each time, or only when the condition holds" },
	{ "condition", "Condition", VAL_STR, "", "condition" },
	{ "line", "Line", VAL_STR, "", "expressions printed" },
};

static const char *way_of(const struct probe *p)
{
	struct term t[PROBE_TERMS];

	if (p->is.cond.n && (p->is.pc > UINT32_MAX || !terms(&p->is.cond, t)))
		return "callout";
	return !p->is.record.n ? "inline" : p->is.cond.n ? "callout when it holds" : "callout";
}

static const char *probe_rows(void *owner, const char *arg, struct row_sink *k)
{
	struct bt_vcpu *b = owner;

	(void)arg;
	for (unsigned i = 0; i < MAX_PROBES; i++) {
		const struct probe *p = &b->probes.probe[i];
		bool cond = p->is.cond.n, record = p->is.record.n;

		if (!p->number)
			continue;
		k->row(k, (struct value[]){
			      V_UINT(p->number), V_ADDR(p->is.pc), V_UINT(b->probes.count[i]),
			      cond ? V_UINT(b->probes.match[i]) : V_NONE, cond ? V_UINT(p->failed) : V_NONE,
			      record ? V_UINT(p->recorded) : V_NONE, record ? V_UINT(p->lost) : V_NONE,
			      V_STR(way_of(p)), p->is.cond_text ? V_STR(p->is.cond_text) : V_NONE,
			      p->is.record_text ? V_STR(p->is.record_text) : V_NONE });
	}
	return NULL;
}

const struct view view_probes = {
	.name = "probes",
	.help = "probes and their hits",
	VIEW_COLS(probe_cols),
	.rows = probe_rows,
};
