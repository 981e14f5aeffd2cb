/* SPDX-License-Identifier: GPL-3.0-or-later
 * String instructions of 64-bit code. Native ones run on host addresses: rsi and rdi are displaced around
 * them, by what r8 and r11 hold meanwhile, for the fault handler (FIX_STRING). An element at a time may leave
 * the region that was probed: beyond it is the neighbour, or a guard. All other forms are emulated by a
 * callout, as in lower/string.c. */
#include "bt/decode/decode.h"
#include "bt/lower/long.h"
#include "bt/runtime/callout.h"

struct row {
	uint8_t opcode, code; /* of bytes; the next opcode is of 16 bits and more */
	bool si, di;
};
static const struct row rows[] = {
	{ 0x6c, STR_INS, false, true },	 { 0x6e, STR_OUTS, true, false }, { 0xa4, STR_MOVS, true, true },
	{ 0xa6, STR_CMPS, true, true },	 { 0xaa, STR_STOS, false, true }, { 0xac, STR_LODS, true, false },
	{ 0xae, STR_SCAS, false, true },
};

static unsigned opcode_of(const struct insn *in)
{
	return in->bytes[in->z.raw.prefix_count];
}

static unsigned rep_of(const struct insn *in)
{
	if (in->z.attributes & ZYDIS_ATTRIB_HAS_REPNE)
		return 2;
	return in->z.attributes & (ZYDIS_ATTRIB_HAS_REP | ZYDIS_ATTRIB_HAS_REPE) ? 1 : 0;
}

static enum seg source_seg(const struct insn *in)
{
	for (unsigned i = 0; i < in->z.operand_count; i++)
		if (in->op[i].type == ZYDIS_OPERAND_TYPE_MEMORY && long_number(in->op[i].mem.base) == H_RSI)
			return decode_seg(in->op[i].mem.segment);
	return SEG_DS;
}

/* r8 and r11 = the displacements of rsi and rdi, 0 of one that is not used. */
static void displacements(struct tx *t, const struct row *r)
{
	if (r->si)
		long_probe(t, H_RSI);
	if (r->di)
		long_probe(t, H_RDI);
	if (r->si)
		e_mov64(t, H_R8, H_D);
	else
		e_movi32(t, H_R8, 0);
	if (r->di)
		e_mov64(t, H_R11, H_D);
	else
		e_movi32(t, H_R11, 0);
}

/* The same for code that reaches more than its own space: each by its part of the address space. */
static void user_displacements(struct tx *t, const struct row *r)
{
	e_movi32(t, H_R8, 0);
	if (r->si) {
		long_probe_part(t, H_RSI);
		e_mov64(t, H_R8, H_D);
	}
	e_movi32(t, H_R11, 0);
	if (r->di) {
		long_probe_part(t, H_RDI);
		e_mov64(t, H_R11, H_D);
	}
	long_restore(t);
}

/* REG -= S; S is lost. */
static void subtract(struct tx *t, int reg, int s)
{
	e_rr(t, F_W, 0xf7, 2, s); /* NOT, which leaves the flags alone */
	e_lea64(t, reg, &(struct host_mem){ .base = reg, .index = s, .disp = 1 });
}

static void native(struct tx *t, struct insn *in, const struct row *r, unsigned size, unsigned rep)
{
	t->low[t->i] = LOW_WINDOW;
	if (site_is_user_access(t, in))
		user_displacements(t, r);
	else
		displacements(t, r);
	if (r->si)
		e_add64(t, H_RSI, H_RSI, H_R8);
	if (r->di)
		e_add64(t, H_RDI, H_RDI, H_R11);
	tx_mark(t, FIX_STRING,
		(size == 8 ? 3u : size / 2) | (r->si && r->di ? STRING_SOURCE : 0) |
		    (rep && (r->code == STR_MOVS || r->code == STR_STOS) ? STRING_MAP_AHEAD : 0));
	if (size == 2)
		e1(t, 0x66);
	if (rep)
		e1(t, rep == 1 ? 0xf3 : 0xf2);
	if (size == 8)
		e1(t, 0x48);
	e1(t, opcode_of(in));
	tx_mark(t, FIX_NONE, 0);
	if (r->si)
		subtract(t, H_RSI, H_R8);
	if (r->di)
		subtract(t, H_RDI, H_R11);
}

static const struct row *find_row(const struct insn *in)
{
	if (in->z.meta.category != ZYDIS_CATEGORY_STRINGOP &&
	    in->z.meta.category != ZYDIS_CATEGORY_IOSTRINGOP)
		return NULL;
	for (unsigned i = 0; i < ARRAY_LEN(rows); i++)
		if (rows[i].opcode == (opcode_of(in) & ~1u))
			return &rows[i];
	return NULL;
}

bool lower_long_string(struct tx *t, struct insn *in)
{
	const struct row *r = find_row(in);
	unsigned size, rep;
	enum seg src;
	bool one;

	if (!r)
		return false;
	size = opcode_of(in) & 1 ? in->z.operand_width / 8u : 1;
	if (r->code >= STR_INS && size == 8)
		size = 4;
	rep = rep_of(in);
	src = r->si ? source_seg(in) : SEG_DS;
	one = rep && t->kind != TX_NORMAL && t->b->transient.one;
	if (r->code < STR_INS && in->z.address_width == 64 && t->kind != TX_MMIO && !one && src != SEG_FS &&
	    src != SEG_GS) {
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
