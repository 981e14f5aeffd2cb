/* SPDX-License-Identifier: GPL-3.0-or-later
 * Sites promoted for window misses precheck: they test the window's shadow entry before the access. If the
 * page is not mapped, a callout maps it for a tenth of the cost of a host fault; or enters it as a soft page,
 * which the access reaches in its home slot, out of line after the TU's body (mm/window/soft.c); or, where
 * neither pays or is possible, serves this one access without a mapping (bypass, mm/window/bypass.c): the
 * instruction then runs on the bounce buffer, also out of line. */
#include "bt/adapt/adapt.h"
#include "bt/emit/encode.h"
#include "bt/lower/family.h"
#include "bt/lower/lower.h"
#include "bt/runtime/callout.h"

#include "mm/mmu.h"

#include <string.h>

/* Does the instruction access exactly [operand, operand + size)? Not gathers, masked moves and bit strings,
 * which may access other bytes or none; nor prefetches and NOPs. */
bool can_precheck(const struct insn *in)
{
	ZydisOperandActions accesses = ZYDIS_OPERAND_ACTION_MASK_READ | ZYDIS_OPERAND_ACTION_MASK_WRITE;

	if (!(in->op[in->mem].actions & accesses) || in->z.meta.category == ZYDIS_CATEGORY_PREFETCH)
		return false;
	return !insn_is_masked_move(in) && !insn_mask(in) && !insn_is_gather(in) && !insn_is_bit_string(in);
}

/* Vector operands keep their address, on which their alignment check depends. */
static bool can_bypass(const struct insn *in)
{
	return !insn_is_vector(in) && !insn_is_vex(in) && insn_mem_size(in) <= 16;
}

bool site_prechecks(const struct tx *t, const struct insn *in)
{
	const struct verdict *v = t->kind == TX_NORMAL ? verdict_find(t->b, in->pc) : NULL;

	return guilty_of(v, CAUSE_MISS) ||
	       (t->kind == TX_NORMAL && (t->b->cfg.precheck_all || t->b->cfg.soft_all));
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

static void save_operands(struct tx *t)
{
	e_st32(t, OFF(scratch[4]), H_R8);
	e_st64(t, OFF(scratch[5]), H_R11);
}

static void load_operands(struct tx *t)
{
	e_ld32(t, H_R8, OFF(scratch[4]));
	e_ld64(t, H_R11, OFF(scratch[5]));
}

/* Test whether the page of r8d is mapped with the rights needed, and call S if not. KEEP preserves r8 and r11
 * across the callout. SOFT: try that before the callout, with rcx in r10 (KEEP), or in r11 and the entry in
 * r9. */
static void precheck(struct tx *t, struct site *s, bool write, bool user_access, bool keep,
		     struct precheck *soft)
{
	int saved = keep ? H_R10 : H_R11, want = write ? 3 : 1;

	if (soft && t->b->cfg.soft_all)
		want = 4; /* which no page has */
	shadow_entry(t, user_access);
	e_movi32(t, H_R10, write ? MMU_SHADOW_P | MMU_SHADOW_W : MMU_SHADOW_P);
	if (keep) {
		e_bmi(t, false, H_R9, H_R9, H_R10);
		e_mov64(t, saved, H_RCX);
		e_lea32(t, H_RCX, H_R9, -want);
	} else {
		e_bmi(t, false, H_R10, H_R9, H_R10);
		e_mov64(t, saved, H_RCX);
		e_lea32(t, H_RCX, H_R10, -want);
	}
	uint8_t *there = e_jrcxz(t);
	if (soft) {
		e1(t, 0xe9);
		soft->soft = t->p;
		e4(t, 0);
		soft->miss = t->p;
	}
	e_mov64(t, H_RCX, saved);
	if (keep)
		save_operands(t);
	emit_callout(t, s);
	if (keep)
		load_operands(t);
	e_mov64(t, saved, H_RCX);
	e_here8(t, there);
	e_mov64(t, H_RCX, saved);
}

static struct site *precheck_site(struct tx *t, struct insn *in, unsigned size, bool write, bool user_access)
{
	struct site *s = new_site(t, in, CO_PRECHECK, co_precheck);

	s->precheck.size = (uint16_t)size;
	s->precheck.write = write;
	s->precheck.user = user_access;
	t->f->prechecks = true;
	return s;
}

/* NULL: the TU has too many. */
static struct precheck *out_of_line(struct tx *t, struct site *s, const struct access *a, bool user_access)
{
	struct verdict *v = verdict_find(t->b, t->in[t->i].pc);
	struct precheck *l;

	if (v)
		v->soft = t->nprecheck < ARRAY_LEN(t->precheck);
	if (t->nprecheck == ARRAY_LEN(t->precheck))
		return NULL;
	l = &t->precheck[t->nprecheck++];
	*l = (struct precheck){ .site = s, .insn = t->i, .access = *a, .user = user_access };
	return l;
}

/* Precheck the address in r8; preserves r8 and r11. There is no bypass here. */
void emit_precheck_r8(struct tx *t, unsigned size, bool write, const struct access *a)
{
	struct insn *in = &t->in[t->i];
	struct precheck *l;
	struct site *s;

	if (!site_prechecks(t, in))
		return;
	s = precheck_site(t, in, size, write, false);
	s->precheck.aligned = a->insn && insn_wants_alignment(in);
	l = out_of_line(t, s, a, false);
	if (l)
		l->keep = true;
	precheck(t, s, write, false, true, l);
}

void emit_precheck(struct tx *t, struct insn *in, bool user_access)
{
	bool write = in->op[in->mem].actions & ZYDIS_OPERAND_ACTION_MASK_WRITE;
	struct precheck *l;
	struct site *s;

	if (!site_prechecks(t, in) || !can_precheck(in))
		return;
	s = precheck_site(t, in, insn_mem_size(in), write, user_access);
	s->precheck.aligned = insn_wants_alignment(in);
	emit_ea(t, in);
	l = out_of_line(t, s, &(struct access){ .insn = true }, user_access);
	if (l)
		l->bypass = can_bypass(in);
	precheck(t, s, write, user_access, false, l);
}

void emit_precheck_end(struct tx *t)
{
	struct precheck *l = t->nprecheck ? &t->precheck[t->nprecheck - 1] : NULL;

	if (!l || l->insn != t->i || l->back)
		return;
	l->back = t->p;
	if (!l->access.insn && l->access.reg >= H_R8 && !l->site->precheck.write)
		/* Two paths join here: let the verifier see 32 bits on both. */
		e_mov32(t, l->access.reg, l->access.reg);
}

static void put_access(struct tx *t, const struct access *a)
{
	if (a->insn) {
		put_through_r8(t, &t->in[t->i], false);
		return;
	}
	e_rm(t, a->fl, a->op, a->reg, H_R8, 0);
	if (a->imm_bytes == 4)
		e4(t, a->imm);
	else if (a->imm_bytes)
		e2(t, a->imm);
}

static void jump_to(struct tx *t, const uint8_t *to)
{
	e1(t, 0xe9);
	e4(t, (uint32_t)(to - t->p - 4));
}

/* The access on the bounce buffer that co_precheck filled. */
static void put_bypass(struct tx *t, struct precheck *l)
{
	l->site->precheck.bypass = tx_host(t);
	tx_mark(t, FIX_NONE, 0);
	e_rm(t, F_W, 0x8d, H_R8, H_R15, OFF(bounce));
	put_access(t, &l->access);
	if (l->site->precheck.write) {
		struct site *end = new_site(t, &t->in[l->insn], CO_PRECHECK, co_bypass_end);

		end->precheck.size = l->site->precheck.size;
		emit_callout(t, end);
	}
	jump_to(t, l->back);
}

/* rcx = 0 if the entry in r9 lets the SIZE bytes at r8d be accessed in the page's home slot, r11 = their
 * offset in the page. */
static void test_soft(struct tx *t, unsigned size, bool write)
{
	e_movi32(t, H_R10, write ? MMU_SHADOW_SW : MMU_SHADOW_SR);
	e_bmi(t, false, H_R10, H_R9, H_R10);
	e_movi32(t, H_R11, PAGE_MASK);
	e_bmi(t, false, H_R11, H_R8, H_R11);
	if (size == 1) {
		e_lea32(t, H_RCX, H_R10, -1);
		return;
	}
	e_lea32(t, H_RCX, H_R11, (int32_t)size - 1);
	e_rorx32(t, H_RCX, H_RCX, PAGE_SHIFT);
	e_movzx16(t, H_RCX, H_RCX); /* 1: beyond the page */
	e_rmi(t, 0, 0x8d, H_RCX, H_R10, H_RCX, 3, -1);
}

/* r8 = address in the home slot, of offset r11 in the page of entry r9. */
static void soft_address(struct tx *t)
{
	e_movi32(t, H_R10, PAGE_SHIFT);
	e_shiftx(t, false, H_R9, H_R9, H_R10);
	e_shiftx(t, true, H_R9, H_R9, H_R10);
	e_rmi(t, 0, 0x8d, H_R8, H_R9, H_R11, 0, 0);
	e_ld64(t, H_R9, OFF(win.home));
	e_rmi(t, F_W, 0x8d, H_R8, H_R8, H_R9, 0, 0);
}

/* The access in a soft page. It begins where the callout returns to after it has entered one. */
static void put_soft(struct tx *t, struct precheck *l)
{
	int saved = l->keep ? H_R10 : H_R11;

	l->site->precheck.again = tx_host(t);
	tx_mark(t, FIX_NONE, 0);
	if (l->keep) {
		load_operands(t);
	} else {
		emit_ea(t, &t->in[l->insn]);
		shadow_entry(t, l->user);
	}
	e_mov64(t, saved, H_RCX);
	memcpy(l->soft, &(uint32_t){ (uint32_t)(t->p - l->soft - 4) }, 4);
	e_st64(t, OFF(scratch[12]), saved);
	if (l->keep) {
		e_st64(t, OFF(scratch[13]), H_R11);
		shadow_entry(t, false);
	}
	test_soft(t, l->site->precheck.size, l->site->precheck.write);
	uint8_t *soft = e_jrcxz(t);
	e_ld64(t, saved, OFF(scratch[12]));
	if (l->keep)
		e_ld64(t, H_R11, OFF(scratch[13]));
	jump_to(t, l->miss);
	e_here8(t, soft);
	soft_address(t);
	e_ld64(t, H_RCX, OFF(scratch[12]));
	if (l->keep)
		e_ld64(t, H_R11, OFF(scratch[13]));
	put_access(t, &l->access);
	e_st8i(t, OFF(soft_used) + (int32_t)soft_use(t->in[l->insn].pc), 1);
	jump_to(t, l->back);
}

void emit_bypasses(struct tx *t)
{
	for (unsigned k = 0; k < t->nprecheck; k++) {
		struct precheck *l = &t->precheck[k];

		t->i = l->insn;
		if (l->is_long) {
			long_precheck_out(t, l);
			continue;
		}
		if (l->bypass)
			put_bypass(t, l);
		put_soft(t, l);
	}
}

/* Precheck both operands of a native string instruction; a single callout serves them. */
void emit_string_precheck(struct tx *t, struct insn *in, const struct string_op *o, bool user_access)
{
	struct verdict *v;
	struct site *s;

	if (!site_prechecks(t, in))
		return;
	v = verdict_find(t->b, in->pc);
	if (v)
		v->soft = false;
	s = new_site(t, in, CO_PRECHECK, co_precheck_string);
	s->string.op = o->code;
	s->string.rep = o->rep;
	s->string.user = user_access;
	s->op = o->size;
	t->f->prechecks = true;
	if (o->si) {
		e_mov32(t, H_R8, H_RSI);
		precheck(t, s, false, user_access, false, NULL);
	}
	if (o->di) {
		e_mov32(t, H_R8, H_RDI);
		precheck(t, s, o->code == STR_MOVS || o->code == STR_STOS, user_access, false, NULL);
	}
}
