/* SPDX-License-Identifier: GPL-3.0-or-later
 * Sites that were convicted of missing their window look into its shadow before they
 * access. When the page is not there, a callout maps it, for a tenth of a host fault;
 * or, where mappings never last (mm/passing.c), serves this one access: the
 * instruction then runs on the bounce buffer, out of line behind the TU's body. */
#include "bt/callout.h"
#include "bt/encode.h"
#include "bt/lower.h"

/* Is what is accessed known to be at the operand's address, all of it? Not for
 * gathers, masked moves, and bit strings, which look elsewhere or not at all; nor for
 * prefetches and NOPs. */
bool can_look(const struct insn *in)
{
	ZydisOperandActions accesses = ZYDIS_OPERAND_ACTION_MASK_READ | ZYDIS_OPERAND_ACTION_MASK_WRITE;

	if (!(in->op[in->mem].actions & accesses) || in->z.meta.category == ZYDIS_CATEGORY_PREFETCH)
		return false;
	return !insn_is_masked_move(in) && !insn_is_gather(in) && !insn_is_bit_string(in);
}

/* Vector operands must stay where they are, for the sake of their alignment checks. */
static bool can_pass(const struct tx *t, const struct insn *in)
{
	return !insn_is_vector(in) && !insn_is_vex(in) && insn_mem_size(in) <= 16 &&
	       t->nlook < ARRAY_LEN(t->look);
}

bool site_touches(const struct tx *t, const struct insn *in)
{
	const struct verdict *v = t->kind == TX_NORMAL ? verdict_find(t->b, in->pc) : NULL;

	return guilty_of(v, CAUSE_MISS) || (t->kind == TX_NORMAL && t->b->cfg.look_all);
}

/* r9 = the shadow entry of the page of r8d. FOREIGN takes r11 too. */
static void shadow_entry(struct tx *t, bool foreign)
{
	int base = foreign ? H_R11 : H_R10;

	if (foreign) {
		e_movi32(t, H_R10, 30);
		e_shiftx(t, false, H_R9, H_R8, H_R10);
		e_rmi(t, F_W, 0x8b, H_R11, H_R15, H_R9, 3, OFF(shadow_quarter));
	}
	e_movi32(t, H_R10, PAGE_SHIFT);
	e_shiftx(t, false, H_R9, H_R8, H_R10);
	if (!foreign)
		e_ld64(t, H_R10, OFF(shadow_live));
	e_rmi(t, 0, 0x8b, H_R9, base, H_R9, 2, 0);
}

/* Is the page of r8d there, with the rights wanted? If not, call S. KEEP: r8 and r11
 * are in use. */
static void look(struct tx *t, struct site *s, bool write, bool keep)
{
	shadow_entry(t, s->reg);
	e_movi32(t, H_R10, write ? MMU_SHADOW_P | MMU_SHADOW_W : MMU_SHADOW_P);
	e_bmi(t, false, H_R9, H_R9, H_R10);
	e_mov64(t, H_R10, H_RCX);
	e_lea32(t, H_RCX, H_R9, -(int32_t)(write ? 3 : 1));
	uint8_t *there = e_jrcxz(t);
	e_mov64(t, H_RCX, H_R10);
	if (keep) {
		e_st32(t, OFF(scratch[4]), H_R8);
		e_st64(t, OFF(scratch[5]), H_R11);
	}
	emit_callout(t, s);
	if (keep) {
		e_ld32(t, H_R8, OFF(scratch[4]));
		e_ld64(t, H_R11, OFF(scratch[5]));
	}
	e_mov64(t, H_R10, H_RCX);
	e_here8(t, there);
	e_mov64(t, H_RCX, H_R10);
}

static struct site *touch_site(struct tx *t, struct insn *in, bool write, bool foreign)
{
	struct site *s = new_site(t, in, CO_TOUCH, co_touch);

	s->code = write;
	s->reg = foreign;
	t->f->touches = true;
	return s;
}

/* The address is in r8 and r11 is in use; both are kept. No pass: the access is more than
 * one instruction with an operand. */
void emit_look_r8(struct tx *t, unsigned size, bool write)
{
	struct insn *in = &t->in[t->i];
	struct site *s;

	if (!site_touches(t, in))
		return;
	s = touch_site(t, in, write, false);
	s->imm = size;
	look(t, s, write, true);
}

void emit_look(struct tx *t, struct insn *in, bool foreign)
{
	bool write = in->op[in->mem].actions & ZYDIS_OPERAND_ACTION_MASK_WRITE;
	struct site *s;

	if (!site_touches(t, in) || !can_look(in))
		return;
	s = touch_site(t, in, write, foreign);
	s->imm = insn_mem_size(in);
	s->op = insn_wants_alignment(in);
	emit_ea(t, in);
	look(t, s, write, false);
	if (can_pass(t, in))
		t->look[t->nlook++] = (struct look){ .site = s, .insn = t->i };
}

void emit_look_end(struct tx *t)
{
	if (t->nlook && t->look[t->nlook - 1].insn == t->i)
		t->look[t->nlook - 1].back = t->p;
}

/* The instructions that pass, each on the bounce buffer that co_touch has filled. */
void emit_passes(struct tx *t)
{
	for (unsigned k = 0; k < t->nlook; k++) {
		struct look *l = &t->look[k];
		struct insn *in = &t->in[l->insn];

		if (!l->back)
			continue;
		t->i = l->insn;
		l->site->imm2 = tx_host(t);
		tx_mark(t, FIX_NONE, 0);
		e_rm(t, F_W, 0x8d, H_R8, H_R15, OFF(bounce));
		put_through_r8(t, in, false);
		if (l->site->code) {
			struct site *end = new_site(t, in, CO_TOUCH, co_pass_end);

			end->imm = l->site->imm;
			emit_callout(t, end);
		}
		e1(t, 0xe9);
		e4(t, (uint32_t)(l->back - t->p - 4));
	}
}

/* In front of a native string instruction: one callout sees to both operands. */
void emit_string_look(struct tx *t, struct insn *in, const struct string_op *o, bool foreign)
{
	struct site *s;

	if (!site_touches(t, in))
		return;
	s = touch_site(t, in, false, foreign);
	s->fn = co_touch_string;
	s->code = o->code;
	s->op = o->size;
	s->rep = o->rep;
	if (o->si) {
		e_mov32(t, H_R8, H_RSI);
		look(t, s, false, false);
	}
	if (o->di) {
		e_mov32(t, H_R8, H_RDI);
		look(t, s, o->code == STR_MOVS || o->code == STR_STOS, false);
	}
}
