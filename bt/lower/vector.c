/* SPDX-License-Identifier: GPL-3.0-or-later
 * Gathers, scatters and masked moves: native in the window; element by element in a callout if the segment is
 * not flat or a device is accessed. */
#include "bt/emit/encode.h"
#include "bt/lower/family.h"
#include "bt/runtime/callout.h"

static struct site *masked_site(struct tx *t, struct insn *in, callout_fn *fn, unsigned data, unsigned mask,
				unsigned size, unsigned n)
{
	struct site *s = new_site(t, in, CO_OTHER, fn);

	s->fpu = true;
	s->vector.data = (uint8_t)data;
	s->vector.mask = (uint8_t)mask;
	s->op = (uint8_t)size;
	s->vector.n = n;
	return s;
}

static unsigned reg_number(const ZydisDecodedOperand *o)
{
	return (unsigned)ZydisRegisterGetId(o->reg.value);
}

static bool has_long_index(const struct insn *in)
{
	switch (in->z.mnemonic) {
	case ZYDIS_MNEMONIC_VGATHERQPS:
	case ZYDIS_MNEMONIC_VGATHERQPD:
	case ZYDIS_MNEMONIC_VPGATHERQD:
	case ZYDIS_MNEMONIC_VPGATHERQQ:
	case ZYDIS_MNEMONIC_VSCATTERQPS:
	case ZYDIS_MNEMONIC_VSCATTERQPD:
	case ZYDIS_MNEMONIC_VPSCATTERQD:
	case ZYDIS_MNEMONIC_VPSCATTERQQ:
		return true;
	default:
		return false;
	}
}

/* The operands are data, memory, mask (a vector); with EVEX data, mask, memory, or the other way round. */
struct site *gather_site(struct tx *t, struct insn *in)
{
	bool evex = insn_is_evex(in);
	const ZydisDecodedOperandMem *m = &in->op[in->mem].mem;
	const ZydisDecodedOperand *data = &in->op[in->mem ? 0 : 2], *mask = &in->op[evex ? 1 : 2];
	unsigned size = data->element_size / 8, index = has_long_index(in) ? 8 : 4;
	struct site *s = masked_site(t, in,
				     !evex     ? co_gather
				     : in->mem ? co_gather_k
					       : co_scatter_k,
				     reg_number(data), reg_number(mask), size,
				     in->z.avx.vector_length / 8 / (size > index ? size : index));

	s->vector.index = (uint8_t)ZydisRegisterGetId(m->index);
	s->vector.index_size = (uint8_t)index;
	s->vector.scale = m->scale ? m->scale : 1;
	return s;
}

void emit_gather(struct tx *t, struct insn *in)
{
	const ZydisDecodedOperandMem *m = &in->op[in->mem].mem;
	struct site *s = gather_site(t, in);

	if (m->base == ZYDIS_REGISTER_NONE)
		e_movi32(t, H_R8, (uint32_t)m->disp.value);
	else
		e_lea32(t, H_R8, ZydisRegisterGetId(m->base), (int32_t)m->disp.value);
	emit_callout(t, s);
}

static bool is_packed(const struct insn *in)
{
	switch (in->z.mnemonic) {
	case ZYDIS_MNEMONIC_VCOMPRESSPS:
	case ZYDIS_MNEMONIC_VCOMPRESSPD:
	case ZYDIS_MNEMONIC_VPCOMPRESSB:
	case ZYDIS_MNEMONIC_VPCOMPRESSW:
	case ZYDIS_MNEMONIC_VPCOMPRESSD:
	case ZYDIS_MNEMONIC_VPCOMPRESSQ:
	case ZYDIS_MNEMONIC_VEXPANDPS:
	case ZYDIS_MNEMONIC_VEXPANDPD:
	case ZYDIS_MNEMONIC_VPEXPANDB:
	case ZYDIS_MNEMONIC_VPEXPANDW:
	case ZYDIS_MNEMONIC_VPEXPANDD:
	case ZYDIS_MNEMONIC_VPEXPANDQ:
		return true;
	default:
		return false;
	}
}

/* How many bits of the mask decide about an operand that is broadcast. */
static unsigned broadcast_lanes(const struct insn *in, unsigned element_bits)
{
	switch (in->z.avx.broadcast.mode) {
	case ZYDIS_BROADCAST_MODE_1_TO_2:
		return 2;
	case ZYDIS_BROADCAST_MODE_1_TO_4:
		return 4;
	case ZYDIS_BROADCAST_MODE_1_TO_8:
		return 8;
	case ZYDIS_BROADCAST_MODE_1_TO_16:
		return 16;
	default:
		return in->z.avx.vector_length / element_bits;
	}
}

void masked_elements(struct site *s, const struct insn *in)
{
	const ZydisDecodedOperand *m = &in->op[in->mem];

	s->mmio.mask = (uint8_t)insn_mask(in);
	if (!s->mmio.mask)
		return;
	s->mmio.reads &=
	    !!(m->actions & ZYDIS_OPERAND_ACTION_MASK_READ); /* what stays is not written, either */
	s->mmio.element = (uint8_t)(m->element_size / 8);
	s->mmio.packed = is_packed(in);
	s->mmio.whole = in->z.avx.broadcast.mode != ZYDIS_BROADCAST_MODE_INVALID;
	s->mmio.lanes =
	    (uint8_t)(s->mmio.whole ? broadcast_lanes(in, m->element_size) : m->size / m->element_size);
}

void emit_masked_move(struct tx *t, struct insn *in)
{
	bool store = in->mem == 0;
	const ZydisDecodedOperand *data = &in->op[store ? 2 : 0];
	unsigned size = data->element_size / 8;
	struct site *s = masked_site(t, in, store ? co_masked_store : co_masked_load, reg_number(data),
				     reg_number(&in->op[1]), size, in->z.avx.vector_length / 8 / size);

	emit_ea(t, in);
	emit_callout(t, s);
}

/* MASKMOV to device memory. */
void emit_maskmov_device(struct tx *t, struct insn *in)
{
	bool mmx = in->z.mnemonic == ZYDIS_MNEMONIC_MASKMOVQ;
	struct site *s = masked_site(t, in, mmx ? co_maskmovq : co_masked_store, reg_number(&in->op[0]),
				     reg_number(&in->op[1]), 1, mmx ? 8 : 16);

	if (mmx) { /* movd r9d,mm0: switches the x87 unit to MMX, or faults */
		e2(t, 0x0f41);
		e2(t, 0xc17e);
	}
	if (insn_addr16(in))
		e_movzx16(t, H_R8, H_RDI);
	else if (in->z.address_width == 64)
		e_mov64(t, H_R8, H_RDI);
	else
		e_mov32(t, H_R8, H_RDI);
	emit_callout(t, s);
}

/* MASKMOV stores at an implicit DS:EDI, which takes prefixes like an explicit operand. If EDI is not the
 * linear address, it is replaced for this instruction. */
void emit_maskmov(struct tx *t, struct insn *in)
{
	bool flat = !insn_addr16(in) && mode_seg(t->mode, in->seg) == SEGC_FLAT;

	if (!flat) {
		e_mov32(t, H_R8, H_RDI);
		if (insn_addr16(in))
			e_movzx16(t, H_R8, H_R8);
		emit_seg(t, in->seg, in->z.mnemonic == ZYDIS_MNEMONIC_MASKMOVQ ? 8 : 16, insn_addr16(in),
			 true);
		put_xchg_r8(t, H_RDI);
		tx_mark(t, FIX_XCHG, H_RDI);
	}
	put_prefixes(t, in, true);
	put_opcode(t, in, 0);
	e1(t, in->bytes[in->z.raw.modrm.offset]);
	if (!flat) {
		put_xchg_r8(t, H_RDI);
		tx_mark(t, FIX_NONE, 0);
	}
}
