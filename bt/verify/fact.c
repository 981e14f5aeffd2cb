/* SPDX-License-Identifier: GPL-3.0-or-later
 * What the verifier knows about the scratch registers r8 to r11, tracked instruction by instruction. A rule
 * that relies on a fact forbids branches to between the instruction that established it and the one that
 * needs it. */
#include "bt/verify/verify_int.h"

#include <string.h>

bool verify_writable(const struct verify_env *env, int64_t at, unsigned size)
{
	for (unsigned i = 0; i < env->nwritable; i++)
		if (at >= env->writable[i].off &&
		    at + size <= (int64_t)env->writable[i].off + env->writable[i].size)
			return true;
	return false;
}

const struct fact *verify_fact(const struct check *c, unsigned r)
{
	static const struct fact nothing;

	if (c->swap_age && r == c->swapped)
		return &c->swap_fact;
	return scratch64(r) ? &c->fact[r - X86_REG_R8] : &nothing;
}

void verify_rely(const struct check *c, const struct fact *f)
{
	uint8_t *starts = c->env->v->starts;

	for (size_t o = f->from + 1; o <= c->in->address - c->host; o++)
		starts[o / 8] &= (uint8_t) ~(1 << o % 8);
}

bool verify_below(const struct check *c, unsigned r, unsigned bits)
{
	const struct fact *f = verify_fact(c, r);

	if (f->kind == F_CONST ? f->value >> bits : f->kind != F_BELOW || f->value > bits)
		return false;
	verify_rely(c, f);
	return true;
}

/* ---- tracking ---- */

static unsigned scratch32(unsigned r) /* the 64-bit name, or X86_REG_INVALID */
{
	return r >= X86_REG_R8D && r <= X86_REG_R11D ? r - X86_REG_R8D + X86_REG_R8 : X86_REG_INVALID;
}

static unsigned full_register(unsigned r)
{
	return scratch32(r) != X86_REG_INVALID ? scratch32(r) : r;
}

/* SHRX by a constant leaves the value that many bits shorter. */
static struct fact after_shift(const struct check *c, size_t here)
{
	const struct fact *count = verify_fact(c, full_register(c->x->operands[2].reg));

	if (count->kind != F_CONST)
		return (struct fact){ F_BELOW, 32, here };
	return (struct fact){ F_BELOW, 32 - (count->value & 31), count->from };
}

/* A 32-bit write clears the upper half. */
static struct fact fact_32(const struct check *c, size_t here)
{
	const cs_x86_op *src = &c->x->operands[1];

	switch (c->in->id) {
	case X86_INS_MOV:
		if (src->type == X86_OP_IMM)
			return (struct fact){ F_CONST, src->imm & 0xffffffff, here };
		if (src->type == X86_OP_MEM && src->mem.base == X86_REG_R12)
			return (struct fact){ F_ENTRY, 0, here };
		return (struct fact){ F_BELOW, 32, here };
	case X86_INS_SHRX:
		return after_shift(c, here);
	case X86_INS_LEA:
	case X86_INS_MOVZX:
	case X86_INS_SHLX:
	case X86_INS_RORX:
	case X86_INS_PEXT:
	case X86_INS_PDEP:
		return (struct fact){ F_BELOW, 32, here };
	default:
		return (struct fact){ 0 };
	}
}

static struct fact fact_load(const struct check *c, const x86_op_mem *m, size_t here)
{
	if (m->segment != X86_REG_INVALID || m->base != X86_REG_R15)
		return (struct fact){ 0 };
	if (m->index != X86_REG_INVALID && m->disp == c->env->shadow_quarter)
		return (struct fact){ F_FIELD, c->env->shadow, verify_fact(c, m->index)->from };
	if (m->index != X86_REG_INVALID) /* the index is known to be a quarter */
		return (struct fact){ F_BASE, 0, verify_fact(c, m->index)->from };
	if (verify_writable(c->env, m->disp, 1))
		return (struct fact){ 0 };
	return (struct fact){ F_FIELD, m->disp, here };
}

static size_t earlier(const struct fact *a, const struct fact *b)
{
	return a->from < b->from ? a->from : b->from;
}

/* The base of the guest's memory, with guard space behind its 4 GiB. */
static bool is_home(const struct check *c, const struct fact *f)
{
	return f->kind == F_FIELD && f->value == c->env->home;
}

static struct fact fact_sum(const struct check *c, const x86_op_mem *m, size_t here)
{
	const struct fact *a = verify_fact(c, m->base), *b = verify_fact(c, m->index);

	if (m->base == X86_REG_R15 && m->index == X86_REG_INVALID)
		return (struct fact){ F_VCPU, m->disp, here };
	if (m->disp || m->scale != 1)
		return (struct fact){ 0 };
	if (a->kind == F_ENTRY && m->index == X86_REG_R14)
		return (struct fact){ F_TARGET, 0, a->from };
	if (a->kind == F_BELOW && (b->kind == F_BASE || is_home(c, b)))
		return (struct fact){ F_HOST, 0, earlier(a, b) };
	return (struct fact){ 0 };
}

static struct fact fact_64(const struct check *c, size_t here)
{
	const cs_x86_op *src = &c->x->operands[1];

	if ((c->in->id == X86_INS_MOV || c->in->id == X86_INS_MOVABS) && src->type == X86_OP_IMM)
		return (struct fact){ F_CONST, src->imm, here };
	if (c->in->id == X86_INS_MOV && src->type == X86_OP_MEM)
		return fact_load(c, &src->mem, here);
	if (c->in->id == X86_INS_LEA && !a32(c))
		return fact_sum(c, &src->mem, here);
	return (struct fact){ 0 };
}

/* Does the instruction write only its first register operand? */
static bool writes_first_only(const struct check *c)
{
	switch (c->in->id) {
	case X86_INS_MOV:
	case X86_INS_MOVABS:
	case X86_INS_MOVZX:
	case X86_INS_LEA:
	case X86_INS_SHRX:
	case X86_INS_SHLX:
	case X86_INS_RORX:
	case X86_INS_PEXT:
	case X86_INS_PDEP:
		return true;
	default:
		return false;
	}
}

void verify_track_facts(struct check *c)
{
	size_t here = c->in->address - c->host;
	bool first_only = writes_first_only(c);
	struct fact f = { 0 };
	unsigned d;

	if (c->stops) { /* the next instruction is reached by a branch only */
		memset(c->fact, 0, sizeof(c->fact));
		return;
	}
	d = c->x->op_count && c->x->operands[0].type == X86_OP_REG ? c->x->operands[0].reg : X86_REG_INVALID;
	if (first_only && scratch32(d) != X86_REG_INVALID)
		f = fact_32(c, here);
	else if (first_only && scratch64(d))
		f = fact_64(c, here);
	for (unsigned i = 0; i < (first_only ? 1u : c->x->op_count); i++) {
		unsigned n =
		    c->x->operands[i].type == X86_OP_REG ? verify_scratch_number(c->x->operands[i].reg) : 0;

		if (n)
			c->fact[n - 8] = (struct fact){ 0 };
	}
	if (f.kind)
		c->fact[verify_scratch_number(d) - 8] = f;
}
