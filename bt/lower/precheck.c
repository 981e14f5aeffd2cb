/* SPDX-License-Identifier: GPL-3.0-or-later
 * Sites promoted for window misses precheck: they test the window's shadow entry before the access. If the
 * page is not mapped, a callout maps it for a tenth of the cost of a host fault; or, on pages whose mappings
 * never last, it serves the access without a mapping (bypass, mm/window/bypass.c): the instruction then runs
 * on the bounce buffer, out of line after the TU's body. */
#include "bt/adapt/adapt.h"
#include "bt/emit/encode.h"
#include "bt/lower/family.h"
#include "bt/lower/lower.h"
#include "bt/runtime/callout.h"

#include "mm/mmu.h"

/* Does the instruction access exactly [operand, operand + size)? Not gathers, masked moves and bit strings,
 * which may access other bytes or none; nor prefetches and NOPs. */
bool can_precheck(const struct insn *in)
{
	ZydisOperandActions accesses = ZYDIS_OPERAND_ACTION_MASK_READ | ZYDIS_OPERAND_ACTION_MASK_WRITE;

	if (!(in->op[in->mem].actions & accesses) || in->z.meta.category == ZYDIS_CATEGORY_PREFETCH)
		return false;
	return !insn_is_masked_move(in) && !insn_is_gather(in) && !insn_is_bit_string(in);
}

/* Vector operands keep their address, on which their alignment check depends. */
static bool can_bypass(const struct tx *t, const struct insn *in)
{
	return !insn_is_vector(in) && !insn_is_vex(in) && insn_mem_size(in) <= 16 &&
	       t->nprecheck < ARRAY_LEN(t->precheck);
}

bool site_prechecks(const struct tx *t, const struct insn *in)
{
	const struct verdict *v = t->kind == TX_NORMAL ? verdict_find(t->b, in->pc) : NULL;

	return guilty_of(v, CAUSE_MISS) || (t->kind == TX_NORMAL && t->b->cfg.precheck_all);
}

/* r9 = the shadow entry for the page of r8d. A user access also clobbers r11. */
static void shadow_entry(struct tx *t, bool user_access)
{
	int base = user_access ? H_R11 : H_R10;

	if (user_access) {
		e_movi32(t, H_R10, 30);
		e_shiftx(t, false, H_R9, H_R8, H_R10);
		e_rmi(t, F_W, 0x8b, H_R11, H_R15, H_R9, 3, OFF(win.shadow_quarter));
	}
	e_movi32(t, H_R10, PAGE_SHIFT);
	e_shiftx(t, false, H_R9, H_R8, H_R10);
	if (!user_access)
		e_ld64(t, H_R10, OFF(win.shadow));
	e_rmi(t, 0, 0x8b, H_R9, base, H_R9, 2, 0);
}

/* Test whether the page of r8d is mapped with the rights needed, and call S if not. KEEP preserves r8 and r11
 * across the callout. */
static void precheck(struct tx *t, struct site *s, bool write, bool user_access, bool keep)
{
	shadow_entry(t, user_access);
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

static struct site *precheck_site(struct tx *t, struct insn *in, unsigned size, bool write, bool user_access)
{
	struct site *s = new_site(t, in, CO_PRECHECK, co_precheck);

	s->precheck.size = size;
	s->precheck.write = write;
	s->precheck.user = user_access;
	t->f->prechecks = true;
	return s;
}

/* Precheck the address in r8; preserves r8 and r11. There is no bypass here: these accesses take more than
 * one instruction with a memory operand. */
void emit_precheck_r8(struct tx *t, unsigned size, bool write)
{
	struct insn *in = &t->in[t->i];
	struct site *s;

	if (!site_prechecks(t, in))
		return;
	s = precheck_site(t, in, size, write, false);
	precheck(t, s, write, false, true);
}

void emit_precheck(struct tx *t, struct insn *in, bool user_access)
{
	bool write = in->op[in->mem].actions & ZYDIS_OPERAND_ACTION_MASK_WRITE;
	struct site *s;

	if (!site_prechecks(t, in) || !can_precheck(in))
		return;
	s = precheck_site(t, in, insn_mem_size(in), write, user_access);
	s->precheck.aligned = insn_wants_alignment(in);
	emit_ea(t, in);
	precheck(t, s, write, user_access, false);
	if (can_bypass(t, in))
		t->precheck[t->nprecheck++] = (struct precheck){ .site = s, .insn = t->i };
}

void emit_precheck_end(struct tx *t)
{
	if (t->nprecheck && t->precheck[t->nprecheck - 1].insn == t->i)
		t->precheck[t->nprecheck - 1].back = t->p;
}

/* Emit the out-of-line copies for bypasses; each runs on the bounce buffer that co_precheck filled. */
void emit_bypasses(struct tx *t)
{
	for (unsigned k = 0; k < t->nprecheck; k++) {
		struct precheck *l = &t->precheck[k];
		struct insn *in = &t->in[l->insn];

		if (!l->back)
			continue;
		t->i = l->insn;
		l->site->precheck.bypass = tx_host(t);
		tx_mark(t, FIX_NONE, 0);
		e_rm(t, F_W, 0x8d, H_R8, H_R15, OFF(bounce));
		put_through_r8(t, in, false);
		if (l->site->precheck.write) {
			struct site *end = new_site(t, in, CO_PRECHECK, co_bypass_end);

			end->precheck.size = l->site->precheck.size;
			emit_callout(t, end);
		}
		e1(t, 0xe9);
		e4(t, (uint32_t)(l->back - t->p - 4));
	}
}

/* Precheck both operands of a native string instruction; a single callout serves them. */
void emit_string_precheck(struct tx *t, struct insn *in, const struct string_op *o, bool user_access)
{
	struct site *s;

	if (!site_prechecks(t, in))
		return;
	s = new_site(t, in, CO_PRECHECK, co_precheck_string);
	s->string.op = o->code;
	s->string.rep = o->rep;
	s->string.user = user_access;
	s->op = o->size;
	t->f->prechecks = true;
	if (o->si) {
		e_mov32(t, H_R8, H_RSI);
		precheck(t, s, false, user_access, false);
	}
	if (o->di) {
		e_mov32(t, H_R8, H_RDI);
		precheck(t, s, o->code == STR_MOVS || o->code == STR_STOS, user_access, false);
	}
}
