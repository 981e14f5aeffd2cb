/* SPDX-License-Identifier: GPL-3.0-or-later
 * Lowering of the ordinary instruction, and what all families share: memory
 * operands, callouts, exits. An ordinary instruction keeps its own bytes; a
 * memory operand gets "gs:" and 32-bit address size, which put it into the window
 * and keep it there (DESIGN 4.1, 4.2). */
#include "bt/emit.h"
#include "bt/callout.h"

/* ---- properties of the decoded bytes ---- */

static bool is_vector_isa(const struct insn *in)
{
	switch (in->z.meta.isa_ext) {
	case ZYDIS_ISA_EXT_MMX: case ZYDIS_ISA_EXT_SSE: case ZYDIS_ISA_EXT_SSE2: case ZYDIS_ISA_EXT_SSE3:
	case ZYDIS_ISA_EXT_SSSE3: case ZYDIS_ISA_EXT_SSE4A: case ZYDIS_ISA_EXT_AES:
	case ZYDIS_ISA_EXT_PCLMULQDQ: case ZYDIS_ISA_EXT_SHA: case ZYDIS_ISA_EXT_GFNI:
		return true;
	case ZYDIS_ISA_EXT_SSE4:
		return in->z.mnemonic != ZYDIS_MNEMONIC_CRC32 && in->z.mnemonic != ZYDIS_MNEMONIC_POPCNT;
	default:
		return false;
	}
}

static bool is_vex(const struct insn *in)
{
	return in->z.encoding != ZYDIS_INSTRUCTION_ENCODING_LEGACY;
}

/* Must the re-encoded instruction carry a 66 prefix? Host code is 32-bit by
 * default; in 16-bit guest code the prefix means the opposite. */
static bool wants_66(const struct tx *t, const struct insn *in)
{
	bool has = false, mandatory = false;

	for (unsigned i = 0; i < in->z.raw.prefix_count; i++)
		if (in->z.raw.prefixes[i].value == 0x66) {
			has = true;
			mandatory |= in->z.raw.prefixes[i].type == ZYDIS_PREFIX_TYPE_MANDATORY;
		}
	if (t->mode & MODE_D || mandatory)
		return has;
	if (is_vex(in) || is_vector_isa(in))
		return false;
	return in->z.operand_width == 16;
}

static bool uses_high_byte(const struct insn *in)
{
	for (unsigned i = 0; i < in->z.operand_count; i++)
		if (in->op[i].type == ZYDIS_OPERAND_TYPE_REGISTER && in->op[i].reg.value >= ZYDIS_REGISTER_AH &&
		    in->op[i].reg.value <= ZYDIS_REGISTER_BH)
			return true;
	return false;
}

/* A low register that the instruction does not touch. There is always one: none
 * that gets here names more than six. */
static int free_register(const struct insn *in)
{
	unsigned used = 1 << H_RSP;

	for (unsigned i = 0; i < in->z.operand_count; i++) {
		const ZydisDecodedOperand *o = &in->op[i];
		ZydisRegister regs[3] = { o->type == ZYDIS_OPERAND_TYPE_REGISTER ? o->reg.value : ZYDIS_REGISTER_NONE,
					  o->type == ZYDIS_OPERAND_TYPE_MEMORY ? o->mem.base : ZYDIS_REGISTER_NONE,
					  o->type == ZYDIS_OPERAND_TYPE_MEMORY ? o->mem.index : ZYDIS_REGISTER_NONE };

		for (int k = 0; k < 3; k++) {
			ZydisRegister r = regs[k];

			if (r >= ZYDIS_REGISTER_AH && r <= ZYDIS_REGISTER_BH)
				used |= 1u << (r - ZYDIS_REGISTER_AH);
			else if (r != ZYDIS_REGISTER_NONE && ZydisRegisterGetId(r) >= 0 &&
				 ZydisRegisterGetLargestEnclosing(ZYDIS_MACHINE_MODE_LONG_64, r) >= ZYDIS_REGISTER_RAX &&
				 ZydisRegisterGetLargestEnclosing(ZYDIS_MACHINE_MODE_LONG_64, r) <= ZYDIS_REGISTER_RDI)
				used |= 1u << ZydisRegisterGetId(ZydisRegisterGetLargestEnclosing(
						 ZYDIS_MACHINE_MODE_LONG_64, r));
		}
	}
	for (int r = H_RDI; r >= 0; r--)
		if (!(used & 1u << r))
			return r;
	return H_RDI;
}

/* ---- re-encoding ---- */

static unsigned tail_at(const struct insn *in)
{
	return in->z.raw.modrm.offset + 1u + (in->z.attributes & ZYDIS_ATTRIB_HAS_SIB ? 1 : 0) +
	       in->z.raw.disp.size / 8;
}

/* Legacy prefixes of the host form: never segment or address size. */
static void put_prefixes(struct tx *t, const struct insn *in, bool gs)
{
	if (gs)
		e2(t, 0x6765);
	if (wants_66(t, in))
		e1(t, 0x66);
	for (unsigned i = 0; i < in->z.raw.prefix_count; i++) {
		uint8_t p = in->z.raw.prefixes[i].value;

		if (p == 0xf0 || p == 0xf2 || p == 0xf3)
			e1(t, p);
	}
}

/* Does VEX.W mean nothing outside 64-bit mode for this instruction? */
static bool ignores_w(const struct insn *in)
{
	switch (in->z.meta.isa_ext) {
	case ZYDIS_ISA_EXT_BMI1: case ZYDIS_ISA_EXT_BMI2:
		return true;
	default:
		break;
	}
	switch (in->z.mnemonic) {
	case ZYDIS_MNEMONIC_VMOVD: case ZYDIS_MNEMONIC_VMOVQ: case ZYDIS_MNEMONIC_VCVTSI2SS:
	case ZYDIS_MNEMONIC_VCVTSI2SD: case ZYDIS_MNEMONIC_VCVTSS2SI: case ZYDIS_MNEMONIC_VCVTSD2SI:
	case ZYDIS_MNEMONIC_VCVTTSS2SI: case ZYDIS_MNEMONIC_VCVTTSD2SI: case ZYDIS_MNEMONIC_VPEXTRD:
	case ZYDIS_MNEMONIC_VPINSRD: case ZYDIS_MNEMONIC_VPEXTRB: case ZYDIS_MNEMONIC_VPEXTRW:
	case ZYDIS_MNEMONIC_VPINSRB: case ZYDIS_MNEMONIC_VPINSRW: case ZYDIS_MNEMONIC_VEXTRACTPS:
	case ZYDIS_MNEMONIC_VMOVMSKPS: case ZYDIS_MNEMONIC_VMOVMSKPD: case ZYDIS_MNEMONIC_VPMOVMSKB:
		return true;
	default:
		return false;
	}
}

/* Opcode bytes that 64-bit mode reads differently: 82 is gone (an alias of 80); of
 * a three-byte VEX prefix, register-extension bits and W that 32-bit mode ignores. */
static void host_opcode(const struct insn *in, uint8_t *op)
{
	if (!is_vex(in)) {
		if (op[0] == 0x82)
			op[0] = 0x80;
		return;
	}
	if (op[0] != 0xc4)
		return;
	op[1] |= 0x20; /* inverted B */
	op[2] |= 0x40; /* inverted vvvv[3] */
	if (ignores_w(in))
		op[2] &= 0x7f;
}

static void put_opcode(struct tx *t, const struct insn *in, unsigned rex)
{
	uint8_t op[8];
	unsigned n = in->z.raw.modrm.offset - in->z.raw.prefix_count;

	memcpy(op, in->bytes + in->z.raw.prefix_count, n);
	host_opcode(in, op);
	if (rex)
		e1(t, 0x40 | rex);
	for (unsigned i = 0; i < n; i++)
		e1(t, op[i]);
}

static bool is_blendv(const struct insn *in)
{
	return in->z.mnemonic == ZYDIS_MNEMONIC_VBLENDVPS || in->z.mnemonic == ZYDIS_MNEMONIC_VBLENDVPD ||
	       in->z.mnemonic == ZYDIS_MNEMONIC_VPBLENDVB;
}

/* The fourth register of VBLENDV is in imm8[7:4]; bit 7 counts in 64-bit mode only. */
static void put_tail(struct tx *t, const struct insn *in)
{
	for (unsigned i = tail_at(in); i < in->len; i++)
		e1(t, is_blendv(in) ? in->bytes[i] & 0x7f : in->bytes[i]);
}

/* ModRM, SIB and displacement of a 32-bit address as they are; an absolute one
 * takes the SIB form, because 64-bit mode reads the short form RIP-relative. */
static void put_address32(struct tx *t, const struct insn *in, unsigned reg)
{
	unsigned mod = in->z.raw.modrm.mod, rm = in->z.raw.modrm.rm;

	e1(t, mod << 6 | (reg & 7) << 3 | (mod == 0 && rm == 5 ? 4 : rm));
	if (mod == 0 && rm == 5)
		e1(t, 0x25);
	if (rm == 4)
		e1(t, in->bytes[in->z.raw.modrm.offset + 1]);
	if (in->z.raw.disp.size == 8)
		e1(t, (uint8_t)in->z.raw.disp.value);
	else if (in->z.raw.disp.size == 32)
		e4(t, (uint32_t)in->z.raw.disp.value);
}

static bool has_index(const struct insn *in)
{
	return in->op[in->mem].mem.index != ZYDIS_REGISTER_NONE;
}

static bool addr16(const struct insn *in)
{
	return in->z.address_width == 16;
}

/* The instruction with memory operand [BASE+DISP], BASE any host register. */
static void put_with_base(struct tx *t, const struct insn *in, int base, int32_t disp, bool gs)
{
	put_prefixes(t, in, gs);
	put_opcode(t, in, base & 8 ? 1 : 0);
	e_modrm_mem(t, in->z.raw.modrm.reg, base, disp);
	put_tail(t, in);
}

static void xchg_r8(struct tx *t, int r)
{
	e_rr(t, F_W, 0x87, H_R8, r);
}

/* The operand's address is in r8 (32-bit in the window with GS; 64-bit without).
 * Where the instruction cannot name r8, a register that it does not use trades
 * places with it; a fault in between trades back. */
static void put_through_r8(struct tx *t, const struct insn *in, bool gs)
{
	if (!is_vex(in) && !uses_high_byte(in)) {
		put_with_base(t, in, H_R8, 0, gs);
		return;
	}
	int r = free_register(in);

	xchg_r8(t, r);
	tx_mark(t, FIX_XCHG, (unsigned)r);
	put_with_base(t, in, r, 0, gs);
	xchg_r8(t, r);
	tx_mark(t, FIX_NONE, 0);
}

/* Segment with a base and no limit to check, no index: the base goes in as index. */
static void put_based(struct tx *t, const struct insn *in)
{
	unsigned mod = in->z.raw.modrm.mod, rm = in->z.raw.modrm.rm, base;
	bool absolute = mod == 0 && rm == 5;

	e_ld32(t, H_R8, OFF_SEG(in->seg, base));
	put_prefixes(t, in, true);
	base = rm == 4 ? in->z.raw.sib.base : rm;
	if (rm == 4 && mod == 0 && base == 5)
		absolute = true;
	if (absolute) {
		put_opcode(t, in, 1);
		e1(t, 0x80 | in->z.raw.modrm.reg << 3);
		e4(t, (uint32_t)in->z.raw.disp.value);
	} else {
		put_opcode(t, in, 2);
		e1(t, mod << 6 | in->z.raw.modrm.reg << 3 | 4);
		e1(t, base); /* scale 1, index r8 */
		if (mod == 1)
			e1(t, (uint8_t)in->z.raw.disp.value);
		else if (mod == 2)
			e4(t, (uint32_t)in->z.raw.disp.value);
	}
	put_tail(t, in);
}

/* MOV with a memory offset (A0..A3) has no ModRM: give it one, so that all the
 * rest knows a single form. */
static void moffs_to_modrm(struct insn *in, bool d)
{
	static const uint8_t op[4] = { 0x8a, 0x8b, 0x88, 0x89 };
	unsigned at = in->z.raw.prefix_count;
	uint8_t opc = op[in->bytes[at] - 0xa0];
	uint32_t disp = (uint32_t)in->op[in->mem].mem.disp.value;

	(void)d;
	in->bytes[at] = opc;
	in->z.raw.modrm.offset = (uint8_t)(at + 1);
	in->z.raw.modrm.mod = 0;
	in->z.raw.modrm.reg = 0;
	in->z.raw.modrm.rm = in->z.address_width == 16 ? 6 : 5;
	in->z.raw.disp.size = in->z.address_width == 16 ? 16 : 32;
	in->z.raw.disp.value = in->z.address_width == 16 ? (int64_t)(int16_t)disp : (int64_t)(int32_t)disp;
	in->z.attributes &= ~ZYDIS_ATTRIB_HAS_SIB;
	in->z.attributes |= ZYDIS_ATTRIB_HAS_MODRM;
	/* nothing follows the displacement */
	in->z.raw.imm[0].size = 0;
}

/* ---- effective addresses ---- */

static void ea16(struct tx *t, const struct insn *in)
{
	static const struct { int8_t base, index; } form[8] = {
		{ H_RBX, H_RSI }, { H_RBX, H_RDI }, { H_RBP, H_RSI }, { H_RBP, H_RDI },
		{ H_RSI, -1 }, { H_RDI, -1 }, { H_RBP, -1 }, { H_RBX, -1 },
	};
	unsigned rm = in->z.raw.modrm.rm;
	int32_t disp = in->z.raw.disp.size ? (int32_t)in->z.raw.disp.value : 0;

	if (in->z.raw.modrm.mod == 0 && rm == 6) {
		e_movi32(t, H_R8, (uint16_t)disp);
		return;
	}
	if (form[rm].index >= 0)
		e_rmi(t, 0, 0x8d, H_R8, form[rm].base, form[rm].index, 0, disp);
	else
		e_lea32(t, H_R8, form[rm].base, disp);
	e_movzx16(t, H_R8, H_R8);
}

void emit_ea(struct tx *t, const struct insn *in)
{
	if (!(in->z.attributes & ZYDIS_ATTRIB_HAS_MODRM)) { /* XLAT */
		e_movzx8(t, H_R8, H_RAX);
		e_rmi(t, 0, 0x8d, H_R8, H_RBX, H_R8, 0, 0);
		if (addr16(in))
			e_movzx16(t, H_R8, H_R8);
		return;
	}
	if (addr16(in)) {
		ea16(t, in);
		return;
	}
	/* POP and the like see ESP as it will be; they add that themselves. */
	e2(t, 0x8d44); /* REX.R LEA r8d */
	put_address32(t, in, 0);
}

static bool writes_operand(const struct insn *in)
{
	return in->mem >= 0 && (in->op[in->mem].actions & ZYDIS_OPERAND_ACTION_MASK_WRITE);
}

void emit_seg(struct tx *t, enum seg s, unsigned size, bool a16, bool write)
{
	enum seg_class k = mode_seg(t->mode, s);
	struct insn *in = &t->in[t->i];

	if (k == SEGC_FLAT)
		return;
	if (k == SEGC_64K && a16 && size <= 1)
		k = SEGC_BASED;
	if (k == SEGC_64K && a16) {
		/* Only the last bytes of the 64 KiB can be beyond the limit. */
		e_mov64(t, H_R10, H_RCX);
		e_lea32(t, H_RCX, H_R8, (int32_t)size - 1);
		e_rorx32(t, H_RCX, H_RCX, 16);
		e_movzx16(t, H_RCX, H_RCX);
		uint8_t *ok = e_jrcxz(t);
		e_mov64(t, H_RCX, H_R10);
		struct site *bad = new_site(t, in, CO_SEGCHECK, co_seg_fault);
		bad->seg = s;
		emit_callout(t, bad);
		e_here8(t, ok);
		e_mov64(t, H_RCX, H_R10);
	} else if (k != SEGC_BASED) {
		struct site *c = new_site(t, in, CO_SEGCHECK, co_seg_check);

		c->seg = s;
		c->imm = size;
		c->code = write;
		e_st64(t, OFF(scratch[0]), H_R11);
		e_st32(t, OFF(scratch[1]), H_R8);
		emit_callout(t, c);
		e_ld32(t, H_R8, OFF(scratch[1]));
		e_ld64(t, H_R11, OFF(scratch[0]));
	}
	e_ld32(t, H_R9, OFF_SEG(s, base));
	e_rmi(t, 0, 0x8d, H_R8, H_R8, H_R9, 0, 0);
}

void emit_linear(struct tx *t, const struct insn *in, unsigned size)
{
	emit_ea(t, in);
	emit_seg(t, in->seg, size, addr16(in), writes_operand(in));
}

static unsigned mem_size(const struct insn *in)
{
	unsigned n = in->op[in->mem].size / 8;

	return n ? n : 1;
}

static bool is_bit_string(const struct insn *in)
{
	switch (in->z.mnemonic) {
	case ZYDIS_MNEMONIC_BT: case ZYDIS_MNEMONIC_BTS: case ZYDIS_MNEMONIC_BTR: case ZYDIS_MNEMONIC_BTC:
		return in->mem >= 0 && in->op[1].type == ZYDIS_OPERAND_TYPE_REGISTER;
	default:
		return false;
	}
}

/* r8d = linear address of the word that holds the bit: the offset in a register may
 * reach far from the operand, and wraps and is checked as part of the address. */
static void bit_word(struct tx *t, const struct insn *in, unsigned size)
{
	int r = ZydisRegisterGetId(in->op[1].reg.value);

	emit_ea(t, in);
	e_rr(t, size == 2 ? F_W | F_0F : F_W, size == 2 ? 0xbf : 0x63, H_R11, r); /* sign-extended */
	e_rorx64(t, H_R11, H_R11, 3);
	e_movi32(t, H_R10, ~(size - 1));
	e_and_noflags(t, H_R11, H_R11, H_R10);
	e_rmi(t, 0, 0x8d, H_R8, H_R8, H_R11, 0, 0);
	if (addr16(in))
		e_movzx16(t, H_R8, H_R8);
	emit_seg(t, in->seg, size, addr16(in), in->z.mnemonic != ZYDIS_MNEMONIC_BT);
}

/* The bit within that word goes to r11, so that the instruction stays in it. */
static void put_bit(struct tx *t, const struct insn *in)
{
	unsigned size = in->z.operand_width / 8;

	bit_word(t, in, size);
	e_movi32(t, H_R10, size * 8 - 1);
	e_and_noflags(t, H_R11, ZydisRegisterGetId(in->op[1].reg.value), H_R10);
	put_prefixes(t, in, true);
	e2(t, 0x0f45); /* REX.RB */
	e1(t, in->bytes[in->z.raw.modrm.offset - 1]);
	e_modrm_mem(t, H_R11, H_R8, 0);
}

static bool mmio_bit(struct tx *t, struct insn *in)
{
	unsigned size = in->z.operand_width / 8;
	struct site *s;

	if (!is_bit_string(in))
		return false;
	bit_word(t, in, size);
	s = new_site(t, in, CO_MMIO, co_mmio_begin);
	s->imm = size;
	s->code = 1;
	s->reg = in->z.mnemonic != ZYDIS_MNEMONIC_BT;
	emit_callout(t, s);
	e_ld32(t, H_R8, OFF(bounce));
	e_rr(t, size == 2 ? F_0F | F_66 : F_0F, in->bytes[in->z.raw.modrm.offset - 1],
	     ZydisRegisterGetId(in->op[1].reg.value), H_R8);
	if (in->z.mnemonic == ZYDIS_MNEMONIC_BT)
		return true;
	e_st32(t, OFF(bounce), H_R8);
	s = new_site(t, in, CO_MMIO, co_mmio_end);
	s->imm = size;
	emit_callout(t, s);
	return true;
}

/* ---- vector operands, element by element ---- */

static struct site *masked_site(struct tx *t, struct insn *in, callout_fn *fn, unsigned data, unsigned mask,
				unsigned size, unsigned n)
{
	struct site *s = new_site(t, in, CO_OTHER, fn);

	s->heavy = true;
	s->reg = (uint8_t)data;
	s->reg2 = (uint8_t)mask;
	s->op = (uint8_t)size;
	s->imm = n;
	return s;
}

static unsigned reg_number(const ZydisDecodedOperand *o) { return (unsigned)ZydisRegisterGetId(o->reg.value); }

static bool is_gather(const struct insn *in) { return in->op[in->mem].mem.type == ZYDIS_MEMOP_TYPE_VSIB; }

static bool has_long_index(const struct insn *in)
{
	return in->z.mnemonic == ZYDIS_MNEMONIC_VGATHERQPS || in->z.mnemonic == ZYDIS_MNEMONIC_VGATHERQPD ||
	       in->z.mnemonic == ZYDIS_MNEMONIC_VPGATHERQD || in->z.mnemonic == ZYDIS_MNEMONIC_VPGATHERQQ;
}

static void gather(struct tx *t, struct insn *in)
{
	const ZydisDecodedOperandMem *m = &in->op[1].mem;
	unsigned size = in->op[0].element_size / 8, index = has_long_index(in) ? 8 : 4;
	struct site *s = masked_site(t, in, co_gather, reg_number(&in->op[0]), reg_number(&in->op[2]), size,
				     in->z.avx.vector_length / 8 / (size > index ? size : index));

	s->code = (uint8_t)ZydisRegisterGetId(m->index);
	s->asize = (uint8_t)index;
	s->imm2 = m->scale ? m->scale : 1;
	if (m->base == ZYDIS_REGISTER_NONE)
		e_movi32(t, H_R8, (uint32_t)m->disp.value);
	else
		e_lea32(t, H_R8, ZydisRegisterGetId(m->base), (int32_t)m->disp.value);
	emit_callout(t, s);
}

static bool is_masked_move(const struct insn *in)
{
	return in->z.mnemonic == ZYDIS_MNEMONIC_VMASKMOVPS || in->z.mnemonic == ZYDIS_MNEMONIC_VMASKMOVPD ||
	       in->z.mnemonic == ZYDIS_MNEMONIC_VPMASKMOVD || in->z.mnemonic == ZYDIS_MNEMONIC_VPMASKMOVQ;
}

static void masked_move(struct tx *t, struct insn *in)
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
static void maskmov_device(struct tx *t, struct insn *in)
{
	bool mmx = in->z.mnemonic == ZYDIS_MNEMONIC_MASKMOVQ;
	struct site *s = masked_site(t, in, mmx ? co_maskmovq : co_masked_store, in->z.raw.modrm.reg,
				     in->z.raw.modrm.rm, 1, mmx ? 8 : 16);

	if (mmx) { /* movd r9d,mm0: the x87 unit turns to MMX, or faults */
		e2(t, 0x0f41);
		e2(t, 0xc17e);
	}
	if (addr16(in))
		e_movzx16(t, H_R8, H_RDI);
	else
		e_mov32(t, H_R8, H_RDI);
	emit_callout(t, s);
}

/* Must the bounce buffer hold what is in the device, also when the instruction does
 * not read it? Yes when it leaves a part as it is. */
static bool reads_or_keeps(const struct insn *in)
{
	return (in->op[in->mem].actions & (ZYDIS_OPERAND_ACTION_MASK_READ | ZYDIS_OPERAND_ACTION_CONDWRITE)) ||
	       in->z.mnemonic == ZYDIS_MNEMONIC_FXSAVE;
}

/* Device memory: the instruction runs on a bounce buffer between two callouts. */
static void put_mmio(struct tx *t, struct insn *in)
{
	ZydisOperandActions a = in->op[in->mem].actions;
	struct site *begin, *end;

	if (mmio_bit(t, in))
		return;
	if (mem_size(in) > sizeof(t->b->bounce)) { /* no such operand is known */
		emit_raise(t, in, EXC_GP);
		return;
	}
	emit_linear(t, in, mem_size(in));
	begin = new_site(t, in, CO_MMIO, co_mmio_begin);
	begin->imm = mem_size(in);
	begin->code = reads_or_keeps(in);
	begin->reg = !!(a & ZYDIS_OPERAND_ACTION_MASK_WRITE);
	emit_callout(t, begin);
	e_rm(t, F_W, 0x8d, H_R8, H_R15, OFF(bounce));
	put_through_r8(t, in, false);
	if (a & ZYDIS_OPERAND_ACTION_MASK_WRITE) {
		end = new_site(t, in, CO_MMIO, co_mmio_end);
		end->imm = begin->imm;
		emit_callout(t, end);
	}
}

/* Not for vector operands: through the aligned bounce buffer a misaligned one would
 * not raise its #GP, which the plain form does before it reaches the device. */
static bool site_is_device(const struct tx *t, const struct insn *in)
{
	const struct verdict *v = t->kind == TX_NORMAL ? verdict_find(t->b, in->pc) : NULL;

	return v && v->mmio >= MMIO_TRAPS && !is_vector_isa(in) && !is_vex(in);
}

static bool site_touches(const struct tx *t, const struct insn *in)
{
	const struct verdict *v = t->kind == TX_NORMAL ? verdict_find(t->b, in->pc) : NULL;

	return v && v->touch;
}

/* Is what is accessed known to be at the operand's address, all of it? Not for
 * gathers, masked moves, and bit strings, which look elsewhere or not at all. */
static bool accesses_address(const struct insn *in)
{
	return !is_masked_move(in) && !is_gather(in) && !is_bit_string(in);
}

/* Is the page there, with the rights wanted? If not, a callout sees to it, which
 * costs a tenth of a host fault. */
static void look_first(struct tx *t, struct insn *in)
{
	bool write = in->op[in->mem].actions & ZYDIS_OPERAND_ACTION_MASK_WRITE;
	uint32_t want = write ? MMU_SHADOW_P | MMU_SHADOW_W : MMU_SHADOW_P;
	struct site *s = new_site(t, in, CO_TOUCH, co_touch);

	s->code = write;
	t->f->touches = true;
	emit_ea(t, in);
	e_movi32(t, H_R10, PAGE_SHIFT);
	e_shiftx(t, false, H_R9, H_R8, H_R10);
	e_ld64(t, H_R10, OFF(shadow_live));
	e_rmi(t, 0, 0x8b, H_R9, H_R10, H_R9, 2, 0);
	e_movi32(t, H_R10, want);
	e_bmi(t, false, H_R9, H_R9, H_R10);
	e_mov64(t, H_R11, H_RCX);
	e_lea32(t, H_RCX, H_R9, -(int32_t)(write ? 3 : 1));
	uint8_t *there = e_jrcxz(t);
	e_mov64(t, H_RCX, H_R11);
	emit_callout(t, s);
	e_mov64(t, H_R11, H_RCX);
	e_here8(t, there);
	e_mov64(t, H_RCX, H_R11);
}

static bool is_maskmov(const struct insn *in)
{
	return in->z.mnemonic == ZYDIS_MNEMONIC_MASKMOVQ || in->z.mnemonic == ZYDIS_MNEMONIC_MASKMOVDQU ||
	       in->z.mnemonic == ZYDIS_MNEMONIC_VMASKMOVDQU;
}

/* MASKMOV stores at an implicit DS:EDI, which takes the prefixes like a written
 * operand. Where EDI is not the linear address, it is for the moment. */
static void put_maskmov(struct tx *t, struct insn *in)
{
	bool flat = !addr16(in) && mode_seg(t->mode, in->seg) == SEGC_FLAT;

	if (!flat) {
		e_mov32(t, H_R8, H_RDI);
		if (addr16(in))
			e_movzx16(t, H_R8, H_R8);
		emit_seg(t, in->seg, in->z.mnemonic == ZYDIS_MNEMONIC_MASKMOVQ ? 8 : 16, addr16(in), true);
		xchg_r8(t, H_RDI);
		tx_mark(t, FIX_XCHG, H_RDI);
	}
	put_prefixes(t, in, true);
	put_opcode(t, in, 0);
	e1(t, in->bytes[in->z.raw.modrm.offset]);
	if (!flat) {
		xchg_r8(t, H_RDI);
		tx_mark(t, FIX_NONE, 0);
	}
}

void emit_plain(struct tx *t, struct insn *in)
{
	enum seg_class k;

	if (in->mem < 0 || in->op[in->mem].mem.type == ZYDIS_MEMOP_TYPE_AGEN) {
		if (in->mem >= 0) { /* LEA: an address, no access */
			if (addr16(in)) {
				emit_ea(t, in);
				e_prefix(t, in->z.operand_width == 16 ? F_66 : 0, in->z.raw.modrm.reg, 0, H_R8);
				e1(t, 0x8b);
				e1(t, 0xc0 | in->z.raw.modrm.reg << 3);
				return;
			}
			if (wants_66(t, in))
				e1(t, 0x66);
			e1(t, 0x8d);
			put_address32(t, in, in->z.raw.modrm.reg);
			return;
		}
		put_prefixes(t, in, false);
		if (in->z.attributes & ZYDIS_ATTRIB_HAS_MODRM) {
			put_opcode(t, in, 0);
			e1(t, in->bytes[in->z.raw.modrm.offset]);
			put_tail(t, in);
			return;
		}
		for (unsigned i = in->z.raw.prefix_count; i < in->len; i++)
			e1(t, in->bytes[i]);
		return;
	}
	if (!(in->z.attributes & ZYDIS_ATTRIB_HAS_MODRM) && in->z.mnemonic == ZYDIS_MNEMONIC_MOV)
		moffs_to_modrm(in, t->mode & MODE_D);
	t->low[t->i] = LOW_WINDOW;
	k = mode_seg(t->mode, in->seg);
	if (is_maskmov(in)) {
		if (t->kind == TX_MMIO)
			maskmov_device(t, in);
		else
			put_maskmov(t, in);
		return;
	}
	if ((is_gather(in) || is_masked_move(in)) && (t->kind == TX_MMIO || k != SEGC_FLAT || addr16(in))) {
		if (is_gather(in))
			gather(t, in);
		else
			masked_move(t, in);
		return;
	}
	if (t->kind == TX_MMIO || site_is_device(t, in)) {
		put_mmio(t, in);
		return;
	}
	if (is_bit_string(in) && (addr16(in) || k != SEGC_FLAT)) {
		put_bit(t, in);
		return;
	}
	if (!addr16(in) && k == SEGC_FLAT && site_is_foreign(t, in) && !is_bit_string(in) &&
	    !is_gather(in)) {
		emit_ea(t, in);
		emit_quarter(t, H_R8);
		e_rmi(t, F_W, 0x8d, H_R8, H_R8, H_R9, 0, 0);
		put_through_r8(t, in, false);
		return;
	}
	if (!addr16(in) && k == SEGC_FLAT) {
		if (site_touches(t, in) && accesses_address(in))
			look_first(t, in);
		put_prefixes(t, in, true);
		put_opcode(t, in, 0);
		put_address32(t, in, in->z.raw.modrm.reg);
		put_tail(t, in);
		return;
	}
	if (!addr16(in) && k == SEGC_BASED && !has_index(in) && !is_vex(in) && !uses_high_byte(in)) {
		put_based(t, in);
		return;
	}
	emit_linear(t, in, mem_size(in));
	put_through_r8(t, in, true);
}

/* ---- shared pieces ---- */

void emit_load_operand(struct tx *t, struct insn *in, unsigned idx, unsigned size)
{
	const ZydisDecodedOperand *o = &in->op[idx];

	if (o->type == ZYDIS_OPERAND_TYPE_REGISTER) {
		int r = ZydisRegisterGetId(o->reg.value);

		if (size == 2)
			e_movzx16(t, H_R8, r);
		else
			e_mov32(t, H_R8, r);
		return;
	}
	emit_linear(t, in, size);
	if (t->kind == TX_MMIO) {
		struct site *s = new_site(t, in, CO_MMIO, co_mmio_begin);

		s->imm = size;
		s->code = 1;
		emit_callout(t, s);
		e_rm(t, size == 2 ? F_0F : 0, size == 2 ? 0xb7 : 0x8b, H_R8, H_R15, OFF(bounce));
		return;
	}
	if (size == 2)
		e_gs(t, F_0F, 0xb7, H_R8, H_R8, 0);
	else
		e_gs(t, 0, 0x8b, H_R8, H_R8, 0);
}

struct site *new_site(struct tx *t, struct insn *in, enum callout_kind kind,
		      uint64_t (*fn)(struct bt_vcpu *, struct site *, uint32_t))
{
	struct site *s = arena_alloc(t->b, sizeof(*s));

	s->fn = fn;
	s->ccf = t->f;
	s->eip = in->eip;
	s->next = in->next;
	s->insn = (uint8_t)t->i;
	s->op = (uint8_t)(in->z.operand_width / 8);
	s->asize = (uint8_t)(in->z.address_width / 8);
	s->seg = (uint8_t)in->seg;
	s->mem = in->mem >= 0;
	s->kind = (uint8_t)kind;
	s->heavy = kind == CO_MMIO; /* a device's code may use vector registers */
	return s;
}

void emit_callout(struct tx *t, struct site *s)
{
	if (t->low[t->i] < LOW_CALLOUT)
		t->low[t->i] = LOW_CALLOUT;
	e_movi64(t, H_R9, (uint64_t)s);
	e1(t, 0x4c); /* lea r11,[rip+..]: behind the jump */
	e2(t, 0x1d8d);
	uint8_t *disp = t->p;
	e4(t, 0);
	if (t->way == WAY_TRAP && s->kind != CO_SEGCHECK && s->kind != CO_MMIO && s->kind != CO_TOUCH) {
		/* Trap and emulate: the load faults, and the handler does the callout. */
		e_ld64(t, H_R10, OFF(trap_page));
		e_rm(t, 0, 0x8b, H_R10, H_R10, 0);
	} else
		e_jmp_vcpu(t, s->heavy ? OFF(g_heavy) : OFF(g_callout));
	uint32_t d = (uint32_t)(t->p - disp - 4);
	memcpy(disp, &d, 4);
}

void emit_raise(struct tx *t, struct insn *in, int vector)
{
	struct site *s = new_site(t, in, CO_OTHER, co_raise);

	s->code = (uint8_t)vector;
	s->imm2 = vector == EXC_GP; /* error code 0 */
	emit_callout(t, s);
	t->done = true;
}

void emit_quarter(struct tx *t, int reg)
{
	e_movi32(t, H_R10, 30);
	e_shiftx(t, false, H_R9, reg, H_R10);
	e_rmi(t, F_W, 0x8b, H_R9, H_R15, H_R9, 3, OFF(quarter));
}

bool site_is_foreign(const struct tx *t, const struct insn *in)
{
	const struct verdict *v;

	if (t->kind != TX_NORMAL || (t->mode & MODE_CPL) == MODE_CPL || !(t->mode & MODE_PE))
		return false;
	v = verdict_find(t->b, in->pc);
	return v && v->foreign == 1;
}

void emit_poll(struct tx *t)
{
	if (t->kind != TX_NORMAL)
		return;
	tx_mark(t, FIX_POLL, 0);
	e_rm(t, 0, 0x8b, H_R9, H_R12, 0);
	tx_mark(t, FIX_NONE, 0);
}

void emit_exit(struct tx *t, uint32_t eip)
{
	uint32_t pc = t->f->cs_base + eip;
	bool cross = (pc ^ t->f->pc) >> PAGE_SHIFT || t->f->page2 != UINT32_MAX;

	if (t->low[t->i] < LOW_EXIT)
		t->low[t->i] = t->low[t->i] == LOW_IDENT ? LOW_CHAIN : t->low[t->i];
	if (t->kind != TX_NORMAL) {
		e_st32i(t, OFF_CPU(rip), eip);
		e_jmp_vcpu(t, OFF(g_exit));
		return;
	}
	if (cross && !(t->mode & MODE_XCHAIN) && !t->b->cfg.no_chain) {
		e_movi32(t, H_R8, eip);
		emit_indirect(t);
		return;
	}
	struct exit_link *l = &t->f->link[t->f->nlink++];

	*l = (struct exit_link){ .fn = light_chain, .from = t->f, .eip = eip, .pc = pc, .cross = cross,
				 .no_chain = t->b->cfg.no_chain };
	e1(t, 0xe9);
	e4(t, 0);
	l->patch = tx_host(t) - 4;
	t->stubs[t->nstub++] = (struct stub){ .patch = t->p - 4, .link = l, .eip = eip };
}

void emit_indirect(struct tx *t)
{
	if (t->kind != TX_NORMAL) {
		e_st32(t, OFF_CPU(rip), H_R8);
		e_jmp_vcpu(t, OFF(g_exit));
		return;
	}
	if (t->b->cfg.no_chain) {
		e_ld64(t, H_R9, OFF(miss_site));
		e_jmp_vcpu(t, OFF(g_callout));
		return;
	}
	e_movi32(t, H_R11, 32 - JT_BITS);
	e_shiftx(t, true, H_R10, H_R8, H_R11);
	e_shiftx(t, false, H_R10, H_R10, H_R11);
	tx_mark(t, FIX_POLL_R8, 0);
	e_rmi(t, 0, 0x8b, H_R9, H_R12, H_R10, 2, 0);
	e_rmi(t, F_W, 0x8d, H_R9, H_R9, H_R14, 0, 0);
	e1(t, 0x41); /* jmp r9 */
	e2(t, 0xe1ff);
}

void emit_intr_check(struct tx *t, uint32_t eip)
{
	struct insn *in = &t->in[t->i];
	struct site *s = new_site(t, in, CO_FLAGS, co_intr);

	s->next = eip;
	e_mov64(t, H_R8, H_RCX);
	e_ldzx8(t, H_RCX, OFF(intr_wait));
	uint8_t *none = e_jrcxz(t);
	e_mov64(t, H_RCX, H_R8);
	emit_callout(t, s);
	e_mov64(t, H_R8, H_RCX);
	e_here8(t, none);
	e_mov64(t, H_RCX, H_R8);
}

/* ---- the ordinary instruction ---- */

static bool is_avx(const struct insn *in)
{
	if (!is_vex(in))
		return false;
	switch (in->z.meta.isa_ext) {
	case ZYDIS_ISA_EXT_BMI1: case ZYDIS_ISA_EXT_BMI2:
		return false;
	default:
		return true;
	}
}

/* Are x87, SSE, AVX usable in this mode? If not, what is raised (SDM vol. 3A 2.5,
 * vol. 2 exception classes). */
static int fpu_exception(const struct tx *t, const struct insn *in)
{
	uint32_t m = t->mode;

	if (is_avx(in)) {
		if (!(m & MODE_AVX) || !(m & MODE_PE) || (m & MODE_VM))
			return EXC_UD;
		return m & MODE_TS ? EXC_NM : -1;
	}
	if (is_vex(in))
		return (m & MODE_PE) && !(m & MODE_VM) ? -1 : EXC_UD;
	switch (in->z.meta.isa_ext) {
	case ZYDIS_ISA_EXT_X87:
		if (in->z.mnemonic == ZYDIS_MNEMONIC_FWAIT)
			return m & MODE_MPTS ? EXC_NM : -1;
		return m & MODE_NOFPU ? EXC_NM : -1;
	case ZYDIS_ISA_EXT_MMX:
		if (m & MODE_NOSSE && m & MODE_NOFPU && !(m & MODE_TS))
			return EXC_UD;
		return m & MODE_TS ? EXC_NM : -1;
	default:
		break;
	}
	if (in->z.mnemonic == ZYDIS_MNEMONIC_FXSAVE || in->z.mnemonic == ZYDIS_MNEMONIC_FXRSTOR)
		return m & MODE_NOFPU ? EXC_NM : -1;
	if (!is_vector_isa(in))
		return -1;
	switch (in->z.mnemonic) { /* not SSE state */
	case ZYDIS_MNEMONIC_PREFETCHNTA: case ZYDIS_MNEMONIC_PREFETCHT0: case ZYDIS_MNEMONIC_PREFETCHT1:
	case ZYDIS_MNEMONIC_PREFETCHT2: case ZYDIS_MNEMONIC_SFENCE: case ZYDIS_MNEMONIC_LFENCE:
	case ZYDIS_MNEMONIC_MFENCE: case ZYDIS_MNEMONIC_CLFLUSH: case ZYDIS_MNEMONIC_MOVNTI:
	case ZYDIS_MNEMONIC_PAUSE:
		return -1;
	default:
		break;
	}
	if (m & MODE_NOSSE)
		return EXC_UD;
	return m & MODE_TS ? EXC_NM : -1;
}

static bool unsupported(const struct insn *in)
{
	switch (in->z.encoding) {
	case ZYDIS_INSTRUCTION_ENCODING_LEGACY: case ZYDIS_INSTRUCTION_ENCODING_VEX:
		return false;
	default: /* EVEX, MVEX, XOP, 3DNow!: no CPU model of ours has them */
		return true;
	}
}

void lower(struct tx *t, struct insn *in)
{
	int exc;

	tx_mark(t, FIX_NONE, 0);
	t->low[t->i] = LOW_IDENT;
	if (in->invalid || unsupported(in)) {
		emit_raise(t, in, EXC_UD);
		return;
	}
	exc = fpu_exception(t, in);
	if (exc >= 0) {
		emit_raise(t, in, exc);
		return;
	}
	t->way = t->kind == TX_MMIO ? WAY_DEFAULT : policy_way(t->b, in);
	if (lower_flow(t, in) || lower_stack(t, in) || lower_string(t, in) || lower_system(t, in) ||
	    lower_legacy(t, in))
		return;
	emit_plain(t, in);
}
