/* SPDX-License-Identifier: GPL-3.0-or-later
 * Instructions that 64-bit mode lacks or encodes differently (BCD, BOUND, ARPL, LDS, one-byte INC and DEC),
 * and hints. */
#include "bt/lower/family.h"
#include "bt/runtime/callout.h"

struct row {
	ZydisMnemonic mn;
	callout_fn *fn;
	uint8_t code;
};
static const struct row bcd_rows[] = {
	{ ZYDIS_MNEMONIC_DAA, co_bcd, BCD_DAA },   { ZYDIS_MNEMONIC_DAS, co_bcd, BCD_DAS },
	{ ZYDIS_MNEMONIC_AAA, co_bcd, BCD_AAA },   { ZYDIS_MNEMONIC_AAS, co_bcd, BCD_AAS },
	{ ZYDIS_MNEMONIC_AAM, co_bcd, BCD_AAM },   { ZYDIS_MNEMONIC_AAD, co_bcd, BCD_AAD },
	{ ZYDIS_MNEMONIC_SALC, co_bcd, BCD_SALC },
};

static const struct {
	ZydisMnemonic mn;
	uint8_t seg;
} far_loads[] = {
	{ ZYDIS_MNEMONIC_LDS, SEG_DS }, { ZYDIS_MNEMONIC_LES, SEG_ES }, { ZYDIS_MNEMONIC_LFS, SEG_FS },
	{ ZYDIS_MNEMONIC_LGS, SEG_GS }, { ZYDIS_MNEMONIC_LSS, SEG_SS },
};

/* The one-byte forms of INC and DEC are REX prefixes in 64-bit mode. */
static bool short_inc_dec(struct tx *t, struct insn *in)
{
	unsigned op = in->bytes[in->z.raw.prefix_count];

	if ((in->z.mnemonic != ZYDIS_MNEMONIC_INC && in->z.mnemonic != ZYDIS_MNEMONIC_DEC) || op < 0x40 ||
	    op > 0x4f)
		return false;
	if (in->z.operand_width == 16)
		e1(t, 0x66);
	e1(t, 0xff);
	e1(t, 0xc0 | (op & 8) | (op & 7));
	return true;
}

static bool far_load(struct tx *t, struct insn *in)
{
	for (unsigned i = 0; i < ARRAY_LEN(far_loads); i++) {
		struct site *s;

		if (in->z.mnemonic != far_loads[i].mn)
			continue;
		emit_ea(t, in);
		s = new_site(t, in, CO_SEGLOAD, co_load_far);
		s->op = in->z.operand_width / 8;
		s->load_far.reg = (uint8_t)ZydisRegisterGetId(in->op[0].reg.value);
		s->load_far.seg = far_loads[i].seg;
		emit_callout(t, s);
		t->sti = far_loads[i].seg == SEG_SS;
		return true;
	}
	return false;
}

bool lower_legacy(struct tx *t, struct insn *in)
{
	struct site *s;

	if (short_inc_dec(t, in) || far_load(t, in))
		return true;
	for (unsigned i = 0; i < ARRAY_LEN(bcd_rows); i++)
		if (in->z.mnemonic == bcd_rows[i].mn) {
			s = new_site(t, in, CO_OTHER, co_bcd);
			s->bcd.op = bcd_rows[i].code;
			s->bcd.base = in->op[0].type == ZYDIS_OPERAND_TYPE_IMMEDIATE
					  ? (uint8_t)in->op[0].imm.value.u
					  : 10;
			emit_callout(t, s);
			return true;
		}
	switch (in->z.mnemonic) {
	case ZYDIS_MNEMONIC_BOUND:
		emit_ea(t, in);
		s = new_site(t, in, CO_OTHER, co_bound);
		s->op = in->z.operand_width == 16 ? 2 : 4;
		s->regs.reg = (uint8_t)ZydisRegisterGetId(in->op[0].reg.value);
		emit_callout(t, s);
		return true;
	case ZYDIS_MNEMONIC_ARPL:
		if (!(t->mode & MODE_PE) || (t->mode & MODE_VM)) {
			emit_raise(t, in, EXC_UD);
			return true;
		}
		if (in->mem >= 0)
			emit_ea(t, in);
		s = new_site(t, in, CO_OTHER, co_arpl);
		s->regs.reg = (uint8_t)(in->mem >= 0 ? 0 : ZydisRegisterGetId(in->op[0].reg.value));
		s->regs.other = (uint8_t)ZydisRegisterGetId(in->op[1].reg.value);
		emit_callout(t, s);
		return true;
	case ZYDIS_MNEMONIC_PREFETCHW:
	case ZYDIS_MNEMONIC_PREFETCHNTA:
	case ZYDIS_MNEMONIC_PREFETCHT0:
	case ZYDIS_MNEMONIC_PREFETCHT1:
	case ZYDIS_MNEMONIC_PREFETCHT2:
		/* A hint never faults, so its address gets no limit check. */
		if (in->mem < 0 || in->z.address_width == 16 || mode_seg(t->mode, in->seg) != SEGC_FLAT)
			return true;
		return false;
	case ZYDIS_MNEMONIC_PREFETCH: /* 0F 0D but /1: reserved forms included */
	case ZYDIS_MNEMONIC_PREFETCHWT1:
	case ZYDIS_MNEMONIC_NOP:
		return true; /* no operand is accessed */
	case ZYDIS_MNEMONIC_XLAT:
		emit_linear(t, in, 1);
		if (t->kind == TX_MMIO) {
			s = new_site(t, in, CO_MMIO, co_mmio_begin);
			s->mmio.size = 1;
			s->mmio.reads = true;
			emit_callout(t, s);
			e_rm(t, F_8, 0x8a, H_RAX, H_R15, OFF(bounce));
		} else {
			e_gs(t, F_8, 0x8a, H_RAX, H_R8, 0);
		}
		return true;
	/* Each fence has eight encodings; the emitted one is the encoding that every decoder knows. */
	case ZYDIS_MNEMONIC_LFENCE:
		e2(t, 0xae0f);
		e1(t, 0xe8);
		return true;
	case ZYDIS_MNEMONIC_MFENCE:
		e2(t, 0xae0f);
		e1(t, 0xf0);
		return true;
	case ZYDIS_MNEMONIC_SFENCE:
		e2(t, 0xae0f);
		e1(t, 0xf8);
		return true;
	default:
		return false;
	}
}
