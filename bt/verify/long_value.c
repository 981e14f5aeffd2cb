/* SPDX-License-Identifier: GPL-3.0-or-later
 * What registers hold in 64-bit code. Every register has a value at every place: a sum of at most two unknown
 * values and a constant, so that two registers can be compared although neither is known. Whatever is not
 * understood makes a new unknown value. */
#include "bt/verify/long_int.h"

#include <string.h>

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

const struct value *long_value_of(const struct long_check *k, unsigned r)
{
	unsigned size, n = long_register(r, &size);

	return n < L_REGS && size == 8 ? &k->s.reg[n] : NULL;
}

/* ---- sums ---- */

struct value long_unknown(struct long_check *k, unsigned below)
{
	uint32_t own = ++k->last;

	return (
	    struct value){ .below = (uint8_t)below, .is_short = below <= 32, .own = own, .sum.base = own };
}

struct value long_constant_value(uint64_t v)
{
	struct value r = { .below = 64, .sum.disp = (int64_t)v };

	while (r.below && !(v >> (r.below - 1)))
		r.below--;
	r.is_short = r.below <= 32 || (int64_t)v == (int32_t)v;
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

/* The sum of value V; or V as an unknown value, where its sum makes no other. */
static struct sum part(const struct value *v, bool as_own)
{
	return as_own && v->own ? (struct sum){ .base = v->own } : v->sum;
}

static bool add_parts(struct sum *out, const struct value *b, const struct value *x, unsigned scale,
		      unsigned as_own)
{
	struct sum base = b ? part(b, as_own & 1) : (struct sum){ 0 };
	struct sum index = x ? part(x, as_own & 2) : (struct sum){ 0 };

	return add(out, &base, 1) && add(out, &index, scale);
}

bool long_address(struct long_check *k, const x86_op_mem *m, struct sum *out)
{
	const struct value *b = long_value_of(k, m->base), *x = long_value_of(k, m->index);

	*out = (struct sum){ .disp = m->disp };
	if (m->base == X86_REG_RIP) {
		out->disp += (int64_t)(k->c.in->address + k->c.in->size);
		return m->index == X86_REG_INVALID;
	}
	if ((!b && m->base != X86_REG_INVALID) ||
	    (!x && m->index != X86_REG_INVALID && m->index != X86_REG_RIZ))
		return false;
	for (unsigned as_own = 0; as_own < 4; as_own++) {
		*out = (struct sum){ .disp = m->disp };
		if (add_parts(out, b, x, (unsigned)m->scale, as_own))
			return true;
	}
	return false;
}

/* ---- states ---- */

struct value long_displacement(uint32_t space, int d)
{
	return (struct value){ .below = 64, .sum = { .d = (int8_t)d, .space = space } };
}

void long_start(struct long_check *k)
{
	for (unsigned i = 0; i < L_REGS; i++)
		k->s.reg[i] = long_unknown(k, 64);
	k->s.reg[R9].kind = L_V;
	k->s.reg[R9].n = 0;
	k->s.reg[R10] = long_displacement(0, 1);
	k->s.nprobed = 0;
	k->s.ncell = 0;
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

bool long_is_probed(const struct long_state *s, const struct sum *p)
{
	for (unsigned i = first_probe(s); i < s->nprobed; i++)
		if (same_sum(&s->probed[i % L_PROBES], p) && s->probed[i % L_PROBES].loose == p->loose)
			return true;
	return false;
}

void long_note_probe(struct long_state *s, const struct sum *p)
{
	if (!long_is_probed(s, p))
		s->probed[s->nprobed++ % L_PROBES] = *p;
}

/* ---- entries ---- */

/* The host address that register N is about; false: it is no sum. */
static bool granted_sum(struct long_check *k, unsigned n, struct sum *out)
{
	struct long_cell *c = n >= R8 && n <= R11 ? long_find_cell(&k->s, k->l->gpr + 8 * n) : NULL;

	if (n >= R8 && n <= R11 && !c)
		return false;
	*out = c ? c->value.sum : k->s.reg[n].sum;
	return n == RSP || add_d(out, &(struct sum){ .d = 1 });
}

enum { SUM = 1 << 26 };

/* The same for the sum of FACTS. Either part of it may be a sum itself, or taken as a value: AS_OWN. */
static bool granted_pair(struct long_check *k, uint32_t facts, unsigned as_own, struct sum *out)
{
	*out = (struct sum){ 0 };
	return add_parts(out, &k->s.reg[facts >> 16 & 15], &k->s.reg[facts >> 20 & 15],
			 1u << (facts >> 24 & 3), as_own) &&
	       add_d(out, &(struct sum){ .d = 1 });
}

void long_grant(struct long_check *k, uint32_t facts)
{
	struct value v;
	struct sum s;

	long_start(k);
	for (unsigned n = 0; n < L_REGS; n++) {
		if (!(facts >> n & 1))
			continue;
		v = long_unknown(k, 64);
		if (n >= R8 && n <= R11)
			long_set_cell(&k->s, k->l->gpr + 8 * n, &v);
		if (!granted_sum(k, n, &s))
			continue;
		s.loose = true;
		long_note_probe(&k->s, &s);
	}
	if (facts & SUM && granted_pair(k, facts, 0, &s)) {
		s.loose = true;
		long_note_probe(&k->s, &s);
	}
}

/* What is handed on as it came may not move. */
static bool is_granted(const struct long_state *st, const struct sum *s)
{
	for (unsigned i = first_probe(st); i < st->nprobed; i++) {
		const struct sum *p = &st->probed[i % L_PROBES];
		int64_t far = (int64_t)((uint64_t)s->disp - (uint64_t)p->disp);

		if (s->base == p->base && s->index == p->index && (!s->index || s->scale == p->scale) &&
		    s->d == p->d && s->space == p->space && far < 1 << 20 && far > -(1 << 20) &&
		    (!p->loose || !far))
			return true;
	}
	return false;
}

bool long_grants(struct long_check *k, uint32_t facts)
{
	struct sum s;

	for (unsigned n = 0; n < L_REGS; n++)
		if (facts >> n & 1 && (!granted_sum(k, n, &s) || !is_granted(&k->s, &s)))
			return false;
	for (unsigned as_own = 0; facts & SUM && as_own < 4; as_own++)
		if (granted_pair(k, facts, as_own, &s) && is_granted(&k->s, &s))
			return true;
	return !(facts & SUM);
}

/* ---- states ---- */

static void meet_values(struct long_check *k, struct value *v, const struct value *f)
{
	unsigned below = v->below > f->below ? v->below : f->below;
	bool is_short = v->is_short && f->is_short;

	if (v->own != f->own)
		v->own = ++k->last;
	if (v->kind == f->kind && v->n == f->n && same_sum(&v->of, &f->of) && !same_sum(&v->sum, &f->sum))
		v->sum = long_unknown(k, 64).sum; /* another V, say, of the same space */
	else if (!same_value(v, f))
		*v = long_unknown(k, below);
	v->below = (uint8_t)below;
	v->is_short = is_short;
}

/* ---- quadwords of the vCPU ---- */

struct long_cell *long_find_cell(struct long_state *s, uint64_t off)
{
	for (unsigned i = 0; i < s->ncell; i++)
		if (s->cell[i].off == off)
			return &s->cell[i];
	return NULL;
}

void long_set_cell(struct long_state *s, uint64_t off, const struct value *v)
{
	struct long_cell *c = long_find_cell(s, off);

	if (!c && s->ncell < L_CELLS)
		c = &s->cell[s->ncell++];
	if (c)
		*c = (struct long_cell){ (uint32_t)off, *v };
}

static void drop_cell(struct long_state *s, unsigned i)
{
	s->cell[i] = s->cell[--s->ncell];
}

void long_forget_cells(struct long_check *k, uint64_t off, unsigned size)
{
	for (unsigned i = k->s.ncell; i-- > 0;)
		if (k->s.cell[i].off < off + size && off < k->s.cell[i].off + 8ull)
			drop_cell(&k->s, i);
}

static void meet_cells(struct long_state *into, const struct long_state *from)
{
	struct long_state other = *from;

	for (unsigned i = into->ncell; i-- > 0;) {
		const struct long_cell *c = long_find_cell(&other, into->cell[i].off);

		if (!c || !same_value(&c->value, &into->cell[i].value))
			drop_cell(into, i);
	}
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
	for (unsigned i = 0; i < L_REGS; i++)
		meet_values(k, &into->reg[i], &from->reg[i]);
	meet_cells(into, from);
	for (unsigned i = first_probe(into); i < into->nprobed; i++)
		if (long_is_probed(from, &into->probed[i % L_PROBES]))
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
	v = long_value_of(k, op[1].mem.base);
	t = long_value_of(k, op[1].mem.index);
	if (!v || !t || t->kind != L_SHIFTED)
		return false;
	*out = t->of;
	/* The low six bits of all of them are 20. */
	if (v->kind == L_V && op[1].mem.disp == -20) {
		if (add_d(out, &(struct sum){ .d = 1, .space = v->n }))
			return true;
		*out = (struct sum){ .base = t->of_own, .d = 1, .space = v->n };
		return t->of_own;
	}
	/* By host address. */
	return v->kind == L_FIELD && v->n == k->l->vt && op[1].mem.disp == 0;
}
