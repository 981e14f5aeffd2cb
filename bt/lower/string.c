/* SPDX-License-Identifier: GPL-3.0-or-later
 * String instructions. Flat 32-bit ones run natively on host addresses: window base + offset. Windows are 4
 * GiB aligned, so the low halves of rsi and rdi hold the guest's registers throughout, even if a REP faults
 * midway. An access past the end of the window hits guard space, and execution resumes with the wrapped
 * offset. All other forms, and the iterations of a REP that is stepped through, are emulated by a callout,
 * element by element. */
#include "bt/decode/decode.h"
#include "bt/lower/family.h"
#include "bt/runtime/callout.h"

struct string_row {
	ZydisMnemonic mn;
	uint8_t code, si, di;
};
static const struct string_row rows[] = {
	{ ZYDIS_MNEMONIC_MOVSB, STR_MOVS, 1, 1 }, { ZYDIS_MNEMONIC_MOVSW, STR_MOVS, 1, 1 },
	{ ZYDIS_MNEMONIC_MOVSD, STR_MOVS, 1, 1 }, { ZYDIS_MNEMONIC_CMPSB, STR_CMPS, 1, 1 },
	{ ZYDIS_MNEMONIC_CMPSW, STR_CMPS, 1, 1 }, { ZYDIS_MNEMONIC_CMPSD, STR_CMPS, 1, 1 },
	{ ZYDIS_MNEMONIC_STOSB, STR_STOS, 0, 1 }, { ZYDIS_MNEMONIC_STOSW, STR_STOS, 0, 1 },
	{ ZYDIS_MNEMONIC_STOSD, STR_STOS, 0, 1 }, { ZYDIS_MNEMONIC_LODSB, STR_LODS, 1, 0 },
	{ ZYDIS_MNEMONIC_LODSW, STR_LODS, 1, 0 }, { ZYDIS_MNEMONIC_LODSD, STR_LODS, 1, 0 },
	{ ZYDIS_MNEMONIC_SCASB, STR_SCAS, 0, 1 }, { ZYDIS_MNEMONIC_SCASW, STR_SCAS, 0, 1 },
	{ ZYDIS_MNEMONIC_SCASD, STR_SCAS, 0, 1 }, { ZYDIS_MNEMONIC_INSB, STR_INS, 0, 1 },
	{ ZYDIS_MNEMONIC_INSW, STR_INS, 0, 1 },	  { ZYDIS_MNEMONIC_INSD, STR_INS, 0, 1 },
	{ ZYDIS_MNEMONIC_OUTSB, STR_OUTS, 1, 0 }, { ZYDIS_MNEMONIC_OUTSW, STR_OUTS, 1, 0 },
	{ ZYDIS_MNEMONIC_OUTSD, STR_OUTS, 1, 0 },
};

static unsigned rep_of(const struct insn *in)
{
	if (in->z.attributes & ZYDIS_ATTRIB_HAS_REPNE)
		return 2;
	if (in->z.attributes & (ZYDIS_ATTRIB_HAS_REP | ZYDIS_ATTRIB_HAS_REPE))
		return 1;
	return 0;
}

static enum seg source_seg(const struct insn *in)
{
	for (unsigned i = 0; i < in->z.operand_count; i++)
		if (in->op[i].type == ZYDIS_OPERAND_TYPE_MEMORY &&
		    (in->op[i].mem.base == ZYDIS_REGISTER_ESI || in->op[i].mem.base == ZYDIS_REGISTER_SI))
			return decode_seg(in->op[i].mem.segment);
	return SEG_DS;
}

static void native(struct tx *t, struct insn *in, const struct string_row *r, unsigned size, unsigned rep)
{
	t->low[t->i] = LOW_WINDOW;
	bool user_access = site_is_user_access(t, in);

	emit_string_precheck(t, in, &(struct string_op){ r->code, (uint8_t)size, (uint8_t)rep, r->si, r->di },
			     user_access);
	if (r->si && user_access)
		emit_quarter(t, H_RSI);
	if (r->si)
		e_rmi(t, F_W, 0x8d, H_RSI, H_RSI, user_access ? H_R9 : H_R13, 0, 0);
	if (r->di && user_access)
		emit_quarter(t, H_RDI);
	if (r->di)
		e_rmi(t, F_W, 0x8d, H_RDI, H_RDI, user_access ? H_R9 : H_R13, 0, 0);
	tx_mark(t, FIX_STRING,
		size / 2 | (r->si && r->di ? STRING_SOURCE : 0) |
		    (rep && (r->code == STR_MOVS || r->code == STR_STOS) ? STRING_MAP_AHEAD : 0));
	if (size == 2)
		e1(t, 0x66);
	if (rep)
		e1(t, rep == 1 ? 0xf3 : 0xf2);
	e1(t, in->bytes[in->z.raw.prefix_count]);
	if (r->si)
		e_mov32(t, H_RSI, H_RSI);
	if (r->di)
		e_mov32(t, H_RDI, H_RDI);
	tx_mark(t, FIX_NONE, 0);
}

bool lower_string(struct tx *t, struct insn *in)
{
	const struct string_row *r = NULL;
	unsigned size, rep;
	enum seg src;
	bool one;

	if (in->z.meta.category != ZYDIS_CATEGORY_STRINGOP &&
	    in->z.meta.category != ZYDIS_CATEGORY_IOSTRINGOP)
		return false;
	for (unsigned i = 0; i < ARRAY_LEN(rows); i++)
		if (rows[i].mn == in->z.mnemonic)
			r = &rows[i];
	if (!r)
		return false;
	size = in->bytes[in->z.raw.prefix_count] & 1 ? (in->z.operand_width == 16 ? 2 : 4) : 1;
	rep = rep_of(in);
	src = source_seg(in);
	one = rep && t->kind != TX_NORMAL && t->b->transient.one;
	if (r->code < STR_INS && in->z.address_width == 32 && t->kind != TX_MMIO && !one &&
	    (!r->si || mode_seg(t->mode, src) == SEGC_FLAT) &&
	    (!r->di || mode_seg(t->mode, SEG_ES) == SEGC_FLAT)) {
		native(t, in, r, size, rep);
		return true;
	}
	struct site *s = new_site(t, in, r->code >= STR_INS ? CO_IO : CO_STRING, co_string);

	s->string.op = r->code;
	s->op = (uint8_t)size;
	s->string.rep = (uint8_t)rep;
	s->string.one = one;
	s->seg = (uint8_t)src;
	emit_callout(t, s);
	t->done = true; /* a device access may change anything; and a long REP is resumed here */
	emit_exit(t, in->next);
	return true;
}
