/* SPDX-License-Identifier: GPL-3.0-or-later
 * Loads of segment registers. Kernels keep reloading selectors that are already loaded. Such a load is a
 * no-op if the register, GDTR and the descriptor in memory equal those of the last load by callout (struct
 * seg_memo), which is tested in line. All other loads are callouts. */
#include "bt/lower/family.h"
#include "bt/runtime/callout.h"

static bool uses_memo(const struct tx *t, enum seg s)
{
	bool wanted = (t->way == WAY_DEFAULT || t->way == WAY_INTC) && !mode_long(t->mode);

	return wanted && t->kind == TX_NORMAL && (t->mode & MODE_PE) && !(t->mode & (MODE_VM | MODE_CPL)) &&
	       s != SEG_SS && s != SEG_CS;
}

void win_adjust(struct tx *t, int32_t by)
{
	if (t->mode & MODE_B) {
		e_lea32(t, H_RSP, H_RSP, by);
		return;
	}
	e_lea32(t, H_R9, H_RSP, by);
	e_rr(t, F_66, 0x8b, H_RSP, H_R9);
}

/* Jump taken unless rcx equals the value whose negation is stored at MEMO. */
static uint8_t *unless_equal(struct tx *t, int32_t memo)
{
	uint8_t *equal, *differs;

	e_ld64(t, H_R10, memo);
	e_rmi(t, F_W, 0x8d, H_RCX, H_RCX, H_R10, 0, 0);
	equal = e_jrcxz(t);
	differs = e_jmp8(t);
	e_here8(t, equal);
	return differs;
}

enum { COMPARISONS = 5 };

/* Compare with the memo; selector in r9, guest ECX in r8. DIFFERS receives the jumps to the callout. */
static void compare(struct tx *t, enum seg s, uint8_t *differs[COMPARISONS])
{
	int32_t memo = OFF(memo.seg) + (int32_t)sizeof(struct seg_memo) * s;

	e_mov64(t, H_RCX, H_R9);
	differs[0] = unless_equal(t, memo + (int32_t)offsetof(struct seg_memo, sel_neg));
	e_ld64(t, H_RCX, OFF_SEG(s, base));
	differs[1] = unless_equal(t, memo + (int32_t)offsetof(struct seg_memo, cache_neg[0]));
	e_ld64(t, H_RCX, OFF_SEG(s, limit));
	differs[2] = unless_equal(t, memo + (int32_t)offsetof(struct seg_memo, cache_neg[1]));
	e_ld64(t, H_RCX, OFF_CPU(gdtr.limit)); /* with the lower half of the base */
	differs[3] = unless_equal(t, memo + (int32_t)offsetof(struct seg_memo, gdtr_neg));
	e_ld32(t, H_R10, memo + (int32_t)offsetof(struct seg_memo, at));
	e_gs(t, F_W, 0x8b, H_RCX, H_R10, 0);
	differs[4] = unless_equal(t, memo + (int32_t)offsetof(struct seg_memo, raw_neg));
}

_Static_assert(offsetof(struct seg_cache, limit) == 8 && sizeof(struct seg_cache) == 16 &&
		   offsetof(struct dt_reg, base) == offsetof(struct dt_reg, limit) + 4,
	       "compared in eights");

void emit_load_seg(struct tx *t, struct insn *in, enum seg seg, unsigned pop)
{
	struct site *s = new_site(t, in, CO_SEGLOAD, co_load_seg);
	uint8_t *differs[COMPARISONS], *end;

	s->seg = (uint8_t)seg;
	s->load.pop = pop;
	s->load.memo = uses_memo(t, seg);
	t->sti = seg == SEG_SS;
	if (!s->load.memo) {
		emit_callout(t, s);
		return;
	}
	t->low[t->i] = LOW_INTC;
	e_mov32(t, H_R9, H_R8);
	e_mov64(t, H_R8, H_RCX);
	tx_mark(t, FIX_XCHG, H_RCX); /* the descriptor's page may be unmapped */
	compare(t, seg, differs);
	e_mov64(t, H_RCX, H_R8);
	tx_mark(t, FIX_NONE, 0);
	if (pop)
		emit_stack_adjust(t, (int32_t)pop);
	end = e_jmp8(t);
	for (unsigned i = 0; i < ARRAY_LEN(differs); i++)
		e_here8(t, differs[i]);
	e_mov64(t, H_RCX, H_R8);
	e_mov32(t, H_R8, H_R9);
	emit_callout(t, s);
	e_here8(t, end);
}
