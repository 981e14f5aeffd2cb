/* SPDX-License-Identifier: GPL-3.0-or-later
 * Memo: results of sensitive instructions that are repeated in line. The callouts of CPUID and RDMSR store
 * what they return (struct memo, runtime/callout_system.c); the same query is then answered in line until
 * memo_forget() invalidates it, which every change of an input does. A write of CR0 that changes nothing is
 * recognized in line too, but not in 64-bit code. All other cases are callouts. */
#include "bt/lower/long.h"
#include "bt/runtime/callout.h"

static bool in_tc(const struct tx *t)
{
	return t->kind == TX_NORMAL && (t->way == WAY_DEFAULT || t->way == WAY_INTC);
}

static struct site *new_memo_site(struct tx *t, struct insn *in, enum callout_kind k, callout_fn *fn)
{
	struct site *s = new_site(t, in, k, fn);

	s->memo.index = (in->pc ^ in->pc >> 4) % MEMOS;
	return s;
}

/* Call S on a memo miss. The guest's ECX is in r8. */
static void call_on_miss(struct tx *t, struct site *s)
{
	e_mov64(t, H_RCX, H_R8);
	emit_callout(t, s);
}

/* rcx += the negated question of the memo at AT, which makes 0 of the same question. */
static void add_negated(struct tx *t, int32_t at)
{
	int scratch = mode_long(t->mode) ? H_R11 : H_R10;

	e_ld64(t, scratch, at + (int32_t)offsetof(struct memo, question_neg));
	e_rmi(t, F_W, 0x8d, H_RCX, H_RCX, scratch, 0, 0);
}

void emit_cpuid(struct tx *t, struct insn *in)
{
	struct site *s = new_memo_site(t, in, CO_CPUID, co_cpuid);
	int32_t at = OFF(memo.cpuid) + (int32_t)sizeof(struct memo) * (int32_t)s->memo.index;
	static const uint8_t reg[] = { H_RAX, H_RBX, H_RCX, H_RDX };
	bool is_long = mode_long(t->mode);
	uint8_t *some, *none, *same, *end;

	if (!in_tc(t)) {
		emit_callout(t, s);
		return;
	}
	t->low[t->i] = LOW_INTC;
	e_mov64(t, H_R8, H_RCX);
	if (is_long) { /* the upper halves do not count */
		e_mov32(t, H_R9, H_RCX);
		e_mov32(t, H_R11, H_RAX);
	}
	e_rorx64(t, H_R9, is_long ? H_R9 : H_RCX, 32);
	e_ld32(t, H_RCX, at + (int32_t)offsetof(struct memo, empty));
	some = e_jrcxz(t);
	none = e_jmp8(t);
	e_here8(t, some);
	e_rmi(t, F_W, 0x8d, H_RCX, H_R9, is_long ? H_R11 : H_RAX, 0, 0);
	add_negated(t, at);
	same = e_jrcxz(t);
	e_here8(t, none);
	call_on_miss(t, s);
	end = e_jmp8(t);
	e_here8(t, same);
	for (unsigned i = 0; i < ARRAY_LEN(reg); i++)
		e_ld32(t, reg[i], at + (int32_t)offsetof(struct memo, answer) + 4 * (int32_t)i);
	if (is_long)
		e_ld64(t, H_V, OFF(space.v));
	e_here8(t, end);
}

void emit_rdmsr(struct tx *t, struct insn *in)
{
	struct site *s = new_memo_site(t, in, CO_MSR, co_rdmsr);
	int32_t at = OFF(memo.msr) + (int32_t)sizeof(struct memo) * (int32_t)s->memo.index;
	uint8_t *same, *end;

	if (!in_tc(t) || (t->mode & MODE_CPL)) {
		emit_callout(t, s);
		return;
	}
	t->low[t->i] = LOW_INTC;
	e_mov64(t, H_R8, H_RCX);
	if (mode_long(t->mode))
		e_mov32(t, H_RCX, H_RCX);
	add_negated(t, at);
	same = e_jrcxz(t);
	call_on_miss(t, s);
	end = e_jmp8(t);
	e_here8(t, same);
	e_mov64(t, H_RCX, H_R8);
	e_ld32(t, H_RAX, at + (int32_t)offsetof(struct memo, answer));
	e_ld32(t, H_RDX, at + (int32_t)offsetof(struct memo, answer) + 4);
	e_here8(t, end);
}

/* Call S unless the value in REG equals the current CR0. */
static void unless_same_cr0(struct tx *t, struct site *s, int reg)
{
	uint8_t *same;

	t->low[t->i] = LOW_INTC;
	e_mov64(t, H_R8, H_RCX);
	e_ld64(t, H_R10, OFF(cr0_neg));
	e_rmi(t, F_W, 0x8d, H_RCX, reg, H_R10, 0, 0);
	same = e_jrcxz(t);
	call_on_miss(t, s);
	e_here8(t, same);
	e_mov64(t, H_RCX, H_R8);
}

void emit_mov_to_cr(struct tx *t, struct insn *in, unsigned cr, int reg)
{
	struct site *s = new_site(t, in, CO_CR, co_mov_to_cr);

	s->regs.reg = (uint8_t)reg;
	s->regs.other = (uint8_t)cr;
	if (!cr && !(t->mode & MODE_CPL) && in_tc(t) && !mode_long(t->mode)) {
		unless_same_cr0(t, s, reg);
		return;
	}
	emit_callout(t, s);
	t->done = true;
}

void emit_clts(struct tx *t, struct insn *in)
{
	struct site *s = new_site(t, in, CO_CR, co_clts);

	if (!(t->mode & (MODE_TS | MODE_CPL)) && in_tc(t) && !mode_long(t->mode)) {
		e_ld32(t, H_R9, OFF_CPU(cr0));
		unless_same_cr0(t, s, H_R9);
		return;
	}
	emit_callout(t, s);
	t->done = true;
}
