/* SPDX-License-Identifier: GPL-3.0-or-later
 * Execution of probes: callouts run their programs; records go into a ring that another thread empties. Built
 * with -mgeneral-regs-only (base/gpr.h); sites whose program reads other registers save them. */
#include "bt/runtime/callout_int.h"

#include "mm/mm.h"

struct machine_stack {
	int64_t val[PROG_DEPTH];
	unsigned n;
};

static int64_t cut(uint64_t v, unsigned size, bool sign)
{
	unsigned c = 64 - 8 * size;

	return sign ? (int64_t)(v << c) >> c : (int64_t)(v << c >> c);
}

static int64_t field(const struct bt_vcpu *b, const struct prog_op *o)
{
	const uint8_t *p = (const uint8_t *)&b->v.cpu + o->imm;

	switch (o->size) {
	case 1:
		return *p;
	case 2:
		return *(const uint16_t *)p;
	case 4:
		return *(const uint32_t *)p;
	default:
		return *(const int64_t *)p;
	}
}

static bool load(struct bt_vcpu *b, uint64_t addr, unsigned size, uint64_t *v)
{
	*v = 0;
	if (cpu_long(&b->v.cpu) ? !cpu_canonical(addr) : addr > UINT32_MAX)
		return false;
	return !mmu_read(b->v.mmu, (gva)addr, v, size, MM_READ | MM_PROBE);
}

static uint64_t text_at(const struct bt_vcpu *b, int64_t addr)
{
	return cpu_long(&b->v.cpu) ? (uint64_t)addr : (uint32_t)addr;
}

static void take_text(struct bt_vcpu *b, int64_t addr, struct prog_record *r)
{
	char *to = r->text[r->ntexts];
	unsigned n = 0;
	uint64_t c;

	if (r->ntexts == PROG_TEXTS)
		return;
	r->ntexts++;
	while (n < PROG_TEXT - 1 && load(b, text_at(b, addr + n), 1, &c) && c)
		to[n++] = c >= ' ' && c < 127 ? (char)c : '.';
	to[n] = 0;
}

static int64_t binary(enum prog_code op, int64_t a, int64_t x)
{
	uint64_t ua = (uint64_t)a, ux = (uint64_t)x;

	switch (op) {
	case PROG_MUL:
		return (int64_t)(ua * ux);
	case PROG_DIV:
		return x == -1 ? (int64_t)-ua : a / x;
	case PROG_MOD:
		return x == -1 ? 0 : a % x;
	case PROG_ADD:
		return (int64_t)(ua + ux);
	case PROG_SUB:
		return (int64_t)(ua - ux);
	case PROG_SHL:
		return x < 0 || x > 63 ? 0 : (int64_t)(ua << x);
	case PROG_SHR:
		return x < 0 || x > 63 ? 0 : (int64_t)(ua >> x);
	case PROG_LE:
		return a <= x;
	case PROG_GE:
		return a >= x;
	case PROG_LT:
		return a < x;
	case PROG_GT:
		return a > x;
	case PROG_EQ:
		return a == x;
	case PROG_NE:
		return a != x;
	case PROG_AND:
		return a & x;
	case PROG_XOR:
		return a ^ x;
	default:
		return a | x;
	}
}

static bool fails(struct prog_record *r, uint64_t addr)
{
	r->unreadable = true;
	r->bad = addr;
	return false;
}

/* Execute one op other than a jump. False: the program ends here. */
static bool step(struct bt_vcpu *b, const struct prog_op *o, struct machine_stack *s, struct prog_record *r)
{
	int64_t *top = s->n ? &s->val[s->n - 1] : NULL;
	uint64_t v;

	switch (o->code) {
	case PROG_PUSH:
		s->val[s->n++] = o->imm;
		return true;
	case PROG_FIELD:
		s->val[s->n++] = field(b, o);
		return true;
	case PROG_REG:
		s->val[s->n++] = (int64_t)reg_get(&b->v.cpu, o->reg);
		return true;
	case PROG_LOAD:
		if (!load(b, (uint64_t)*top, o->size, &v))
			return fails(r, (uint64_t)*top);
		*top = cut(v, o->size, o->sign);
		return true;
	case PROG_EXT:
		*top = cut((uint64_t)*top, o->size, o->sign);
		return true;
	case PROG_NEG:
		*top = (int64_t) - (uint64_t)*top;
		return true;
	case PROG_NOT:
		*top = ~*top;
		return true;
	case PROG_LNOT:
		*top = !*top;
		return true;
	case PROG_BOOL:
		*top = !!*top;
		return true;
	case PROG_EMIT:
		s->n--;
		if (r->nvals < PROG_VALUES)
			r->val[r->nvals++] = *top;
		return true;
	case PROG_EMITS:
		s->n--;
		take_text(b, *top, r);
		return true;
	default:
		break;
	}
	s->n--;
	if ((o->code == PROG_DIV || o->code == PROG_MOD) && !*top)
		return fails(r, 0);
	top[-1] = binary((enum prog_code)o->code, top[-1], *top);
	return true;
}

/* Run P, whose depth and jumps add_probe() has checked. Return the top value; 0 if it ended early. */
static int64_t run(struct bt_vcpu *b, const struct program *p, struct prog_record *r)
{
	struct machine_stack s;

	s.n = 0;
	r->nvals = r->ntexts = 0;
	r->unreadable = false;
	for (unsigned i = 0; i < p->n; i++) {
		const struct prog_op *o = &p->op[i];

		if (o->code == PROG_JMP || (o->code == PROG_JZ && !s.val[--s.n]))
			i = (unsigned)o->imm - 1;
		else if (o->code != PROG_JZ && !step(b, o, &s, r))
			return 0;
	}
	return s.n ? s.val[s.n - 1] : 0;
}

/* Run P's record program and put its output into the ring. */
static void put(struct bt_vcpu *b, struct probe *p)
{
	uint32_t head = b->probes.hit_head, tail = __atomic_load_n(&b->probes.hit_tail, __ATOMIC_ACQUIRE);
	struct engine_probe_hit *h = &b->probes.hits[head % MAX_HITS];

	if (head - tail == MAX_HITS) {
		p->lost++;
		return;
	}
	run(b, &p->is.record, &h->rec);
	h->number = p->number;
	h->pc = p->is.pc;
	p->recorded++;
	__atomic_store_n(&b->probes.hit_head, head + 1, __ATOMIC_SEQ_CST);
	if (__atomic_load_n(&b->probes.hit_tail, __ATOMIC_SEQ_CST) == head && b->v.plat.notify)
		b->v.plat.notify(b->v.plat.ctx);
}

/* S->imm: the probe; S->code: its condition held and was counted inline. */
uint64_t co_probe(struct bt_vcpu *b, struct site *s, uint64_t ea)
{
	struct probe *p = &b->probes.probe[s->probe.index];
	struct prog_record r;

	(void)ea;
	callout_begin(b, s);
	if (!s->probe.holds) {
		if (!run(b, &p->is.cond, &r)) {
			p->failed += r.unreadable;
			return 0;
		}
		b->probes.match[s->probe.index]++;
	}
	if (p->is.record.n)
		put(b, p);
	return 0;
}
