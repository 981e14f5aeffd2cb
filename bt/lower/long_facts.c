/* SPDX-License-Identifier: GPL-3.0-or-later
 * What a TU knows about the addresses that its registers hold: that a probe of the region has succeeded. A
 * fact survives copies, and additions of constants up to 1 MiB in sum: between regions of different
 * displacements is more room than that, and than an index of 32 bits reaches. The monitor may change spaces:
 * calls of it end all facts. TUs begin with none. */
#include "bt/lower/long.h"

#define REACH (1 << 20)

static bool is_near(int64_t a)
{
	return a > -REACH && a < REACH;
}

static bool known(const struct long_facts *k, int n)
{
	return k->regs >> n & 1;
}

bool fact_covers(const struct tx *t, int n, int64_t disp)
{
	return known(&t->facts, n) && is_near(t->facts.drift[n] + disp);
}

void fact_learn(struct tx *t, int n)
{
	t->facts.regs |= (uint16_t)(1u << n);
	t->facts.drift[n] = 0;
}

bool fact_covers_constant(const struct tx *t, uint64_t a)
{
	return t->facts.constant && t->facts.region == a >> 32;
}

void fact_learn_constant(struct tx *t, uint64_t a)
{
	t->facts.constant = true;
	t->facts.region = (uint32_t)(a >> 32);
}

bool fact_covers_segment(const struct tx *t, enum seg s)
{
	return t->facts.segs >> s & 1;
}

void fact_learn_segment(struct tx *t, enum seg s)
{
	t->facts.segs |= (uint8_t)(1u << s);
}

bool fact_covers_sum(const struct tx *t, const struct host_mem *m)
{
	const struct long_facts *k = &t->facts;

	return k->sum && k->base == m->base && k->index == m->index && k->scale == m->scale &&
	       is_near((int64_t)m->disp - k->disp);
}

void fact_learn_sum(struct tx *t, const struct host_mem *m)
{
	struct long_facts *k = &t->facts;

	k->sum = true;
	k->base = (int8_t)m->base;
	k->index = (int8_t)m->index;
	k->scale = (uint8_t)m->scale;
	k->disp = m->disp;
}

bool fact_is_short(const struct tx *t, int n)
{
	return t->facts.shorts >> n & 1;
}

/* ---- what an instruction does to them ---- */

static void forget(struct long_facts *k, int n)
{
	k->regs &= (uint16_t) ~(1u << n);
	k->shorts &= (uint16_t) ~(1u << n);
	if (k->base == n || k->index == n)
		k->sum = false;
}

/* Register N = that of register FROM, plus BY. */
static void derive(struct long_facts *k, int n, int from, int64_t by)
{
	bool was = known(k, from) && is_near(k->drift[from] + by), was_short = k->shorts >> from & 1 && !by;
	int32_t drift = (int32_t)(k->drift[from] + by);

	forget(k, n);
	if (was_short)
		k->shorts |= (uint16_t)(1u << n);
	if (!was)
		return;
	k->regs |= (uint16_t)(1u << n);
	k->drift[n] = drift;
}

static bool is_register(const ZydisDecodedOperand *o)
{
	return o->type == ZYDIS_OPERAND_TYPE_REGISTER && long_number(o->reg.value) != NO_REG;
}

/* MOV, ADD and the like of 64 bits. */
static bool moves(struct long_facts *k, const struct insn *in)
{
	const ZydisDecodedOperand *d = &in->op[0], *s = &in->op[1];
	bool wide = is_register(d) && d->size == 64, imm = s->type == ZYDIS_OPERAND_TYPE_IMMEDIATE;
	int n = wide ? long_number(d->reg.value) : 0;

	if (!wide)
		return false;
	switch (in->z.mnemonic) {
	case ZYDIS_MNEMONIC_MOV:
		if (!is_register(s))
			return false;
		derive(k, n, long_number(s->reg.value), 0);
		return true;
	case ZYDIS_MNEMONIC_ADD:
		if (imm)
			derive(k, n, n, s->imm.value.s);
		return imm;
	case ZYDIS_MNEMONIC_SUB:
		if (imm)
			derive(k, n, n, -s->imm.value.s);
		return imm;
	case ZYDIS_MNEMONIC_INC:
		derive(k, n, n, 1);
		return true;
	case ZYDIS_MNEMONIC_DEC:
		derive(k, n, n, -1);
		return true;
	case ZYDIS_MNEMONIC_LEA:
		if (s->mem.index != ZYDIS_REGISTER_NONE || in->z.address_width != 64 ||
		    s->mem.base == ZYDIS_REGISTER_NONE || long_number(s->mem.base) == NO_REG)
			return false;
		derive(k, n, long_number(s->mem.base), s->mem.disp.value);
		return true;
	default:
		return false;
	}
}

/* The bytes that the stack pointer is moved by, beside the instruction's other effects. */
static int stack_moves(const struct insn *in)
{
	int size = in->z.operand_width == 16 ? 2 : 8;

	switch (in->z.mnemonic) {
	case ZYDIS_MNEMONIC_PUSH:
		return -size;
	case ZYDIS_MNEMONIC_POP:
		return size;
	default:
		return 0;
	}
}

/* Is the index of an address as far as 32 bits reach: zero- or sign-extended? */
static bool shortens(const struct insn *in, const ZydisDecodedOperand *o)
{
	if (o->actions & ZYDIS_OPERAND_ACTION_CONDWRITE)
		return false;
	switch (in->z.meta.category) { /* those by 0 are no writes */
	case ZYDIS_CATEGORY_SHIFT:
	case ZYDIS_CATEGORY_ROTATE:
		return o->size == 32 && in->op[1].type == ZYDIS_OPERAND_TYPE_IMMEDIATE;
	default:
		break;
	}
	switch (in->z.mnemonic) {
	case ZYDIS_MNEMONIC_MOVZX:
	case ZYDIS_MNEMONIC_MOVSX:
	case ZYDIS_MNEMONIC_MOVSXD:
	case ZYDIS_MNEMONIC_CDQE:
		return o->size >= 32;
	case ZYDIS_MNEMONIC_BSF: /* may leave all of it as it was */
	case ZYDIS_MNEMONIC_BSR:
		return false;
	default:
		return o->size == 32;
	}
}

void facts_after(struct tx *t, const struct insn *in)
{
	struct long_facts *k = &t->facts;
	int by = stack_moves(in);

	if (moves(k, in))
		return;
	for (unsigned i = 0; i < in->z.operand_count; i++) {
		const ZydisDecodedOperand *o = &in->op[i];
		int n;

		if (!is_register(o) || !(o->actions & ZYDIS_OPERAND_ACTION_MASK_WRITE))
			continue;
		n = long_number(o->reg.value);
		if (n == H_RSP && by && o->visibility == ZYDIS_OPERAND_VISIBILITY_HIDDEN) {
			derive(k, n, n, by);
			continue;
		}
		forget(k, n);
		if (shortens(in, o))
			k->shorts |= (uint16_t)(1u << n);
	}
}
