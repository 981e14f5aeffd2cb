/* SPDX-License-Identifier: GPL-3.0-or-later
 * DIV and IDIV run natively, and a divide error arrives as a host signal. At sites where such errors are
 * frequent (state/adapt.def: divide) a callout checks the operands and divides. */
#include "bt/adapt/adapt.h"
#include "bt/lower/family.h"
#include "bt/runtime/callout.h"

bool lower_divide(struct tx *t, struct insn *in)
{
	bool is_signed = in->z.mnemonic == ZYDIS_MNEMONIC_IDIV;
	struct site *s;

	if (!is_signed && in->z.mnemonic != ZYDIS_MNEMONIC_DIV)
		return false;
	if (t->kind != TX_NORMAL || !guilty_of(verdict_find(t->b, in->pc), CAUSE_DIVIDE))
		return false;
	emit_load_operand(t, in, 0, in->op[0].size / 8);
	s = new_site(t, in, CO_OTHER, co_divide);
	s->op = (uint8_t)(in->op[0].size / 8);
	s->divide.is_signed = is_signed;
	emit_callout(t, s);
	return true;
}
