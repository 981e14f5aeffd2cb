/* SPDX-License-Identifier: GPL-3.0-or-later
 * Re-encoding: emits the guest's instruction as a host instruction, with its memory operand where the
 * lowering wants it; and the predicates on the decoded instruction that this depends on. */
#include "bt/emit/encode.h"

#include <string.h>

bool insn_is_vector(const struct insn *in)
{
	switch (in->z.meta.isa_ext) {
	case ZYDIS_ISA_EXT_MMX:
	case ZYDIS_ISA_EXT_SSE:
	case ZYDIS_ISA_EXT_SSE2:
	case ZYDIS_ISA_EXT_SSE3:
	case ZYDIS_ISA_EXT_SSSE3:
	case ZYDIS_ISA_EXT_SSE4A:
	case ZYDIS_ISA_EXT_AES:
	case ZYDIS_ISA_EXT_PCLMULQDQ:
	case ZYDIS_ISA_EXT_SHA:
	case ZYDIS_ISA_EXT_GFNI:
		return true;
	case ZYDIS_ISA_EXT_SSE4:
		return in->z.mnemonic != ZYDIS_MNEMONIC_CRC32 && in->z.mnemonic != ZYDIS_MNEMONIC_POPCNT;
	default:
		return false;
	}
}

bool insn_is_vex(const struct insn *in)
{
	return in->z.encoding != ZYDIS_INSTRUCTION_ENCODING_LEGACY;
}

bool insn_is_evex(const struct insn *in)
{
	return in->z.encoding == ZYDIS_INSTRUCTION_ENCODING_EVEX;
}

unsigned insn_mask(const struct insn *in)
{
	if (in->z.mnemonic == ZYDIS_MNEMONIC_VDBPSADBW) /* Zydis has it among those that suppress faults */
		return 0;
	switch (in->z.meta.exception_class) {
	case ZYDIS_EXCEPTION_CLASS_E1NF:
	case ZYDIS_EXCEPTION_CLASS_E3NF:
	case ZYDIS_EXCEPTION_CLASS_E4NF:
	case ZYDIS_EXCEPTION_CLASS_E5NF:
	case ZYDIS_EXCEPTION_CLASS_E6NF:
	case ZYDIS_EXCEPTION_CLASS_E9NF:
		return 0;
	default:
		return insn_is_evex(in) && in->z.avx.mask.reg > ZYDIS_REGISTER_K0
			   ? in->z.avx.mask.reg - ZYDIS_REGISTER_K0
			   : 0;
	}
}

/* Does a 66 prefix select another instruction, although Zydis gives this one an operand size? */
static bool other_with_66(const struct insn *in)
{
	return in->z.mnemonic == ZYDIS_MNEMONIC_CLFLUSH; /* CLFLUSHOPT */
}

/* A mandatory prefix is kept. Otherwise the host form says what operand size it has, whatever the guest's
 * mode and prefixes: host code is 32-bit by default. */
bool insn_wants_66(const struct insn *in)
{
	for (unsigned i = 0; i < in->z.raw.prefix_count; i++)
		if (in->z.raw.prefixes[i].value == 0x66 &&
		    in->z.raw.prefixes[i].type == ZYDIS_PREFIX_TYPE_MANDATORY)
			return true;
	if (insn_is_vex(in) || insn_is_vector(in) || other_with_66(in))
		return false;
	return in->z.operand_width == 16;
}

bool insn_uses_high_byte(const struct insn *in)
{
	for (unsigned i = 0; i < in->z.operand_count; i++)
		if (in->op[i].type == ZYDIS_OPERAND_TYPE_REGISTER &&
		    in->op[i].reg.value >= ZYDIS_REGISTER_AH && in->op[i].reg.value <= ZYDIS_REGISTER_BH)
			return true;
	return false;
}

bool insn_has_index(const struct insn *in)
{
	return in->op[in->mem].mem.index != ZYDIS_REGISTER_NONE;
}

bool insn_addr16(const struct insn *in)
{
	return in->z.address_width == 16;
}

unsigned insn_mem_size(const struct insn *in)
{
	unsigned n = in->op[in->mem].size / 8;

	return n ? n : 1;
}

bool insn_is_bit_string(const struct insn *in)
{
	switch (in->z.mnemonic) {
	case ZYDIS_MNEMONIC_BT:
	case ZYDIS_MNEMONIC_BTS:
	case ZYDIS_MNEMONIC_BTR:
	case ZYDIS_MNEMONIC_BTC:
		return in->mem >= 0 && in->op[1].type == ZYDIS_OPERAND_TYPE_REGISTER;
	default:
		return false;
	}
}

/* All but a few legacy SSE instructions check alignment; of VEX ones only the aligned moves. */
bool insn_wants_alignment(const struct insn *in)
{
	switch (in->z.mnemonic) {
	case ZYDIS_MNEMONIC_MOVUPS:
	case ZYDIS_MNEMONIC_MOVUPD:
	case ZYDIS_MNEMONIC_MOVDQU:
	case ZYDIS_MNEMONIC_LDDQU:
	case ZYDIS_MNEMONIC_PCMPESTRI:
	case ZYDIS_MNEMONIC_PCMPESTRM:
	case ZYDIS_MNEMONIC_PCMPISTRI:
	case ZYDIS_MNEMONIC_PCMPISTRM:
		return false;
	case ZYDIS_MNEMONIC_VMOVAPS:
	case ZYDIS_MNEMONIC_VMOVAPD:
	case ZYDIS_MNEMONIC_VMOVDQA:
	case ZYDIS_MNEMONIC_VMOVDQA32:
	case ZYDIS_MNEMONIC_VMOVDQA64:
	case ZYDIS_MNEMONIC_VMOVNTDQ:
	case ZYDIS_MNEMONIC_VMOVNTDQA:
	case ZYDIS_MNEMONIC_VMOVNTPS:
	case ZYDIS_MNEMONIC_VMOVNTPD:
		return true;
	default:
		return insn_is_vector(in) && insn_mem_size(in) >= 16;
	}
}

bool insn_is_gather(const struct insn *in)
{
	return in->op[in->mem].mem.type == ZYDIS_MEMOP_TYPE_VSIB;
}

bool insn_is_masked_move(const struct insn *in)
{
	return in->z.mnemonic == ZYDIS_MNEMONIC_VMASKMOVPS || in->z.mnemonic == ZYDIS_MNEMONIC_VMASKMOVPD ||
	       in->z.mnemonic == ZYDIS_MNEMONIC_VPMASKMOVD || in->z.mnemonic == ZYDIS_MNEMONIC_VPMASKMOVQ;
}

bool insn_is_maskmov(const struct insn *in)
{
	return in->z.mnemonic == ZYDIS_MNEMONIC_MASKMOVQ || in->z.mnemonic == ZYDIS_MNEMONIC_MASKMOVDQU ||
	       in->z.mnemonic == ZYDIS_MNEMONIC_VMASKMOVDQU;
}

int insn_free_register(const struct insn *in)
{
	unsigned used = 1 << H_RSP;

	for (unsigned i = 0; i < in->z.operand_count; i++) {
		const ZydisDecodedOperand *o = &in->op[i];
		ZydisRegister regs[3] = {
			o->type == ZYDIS_OPERAND_TYPE_REGISTER ? o->reg.value : ZYDIS_REGISTER_NONE,
			o->type == ZYDIS_OPERAND_TYPE_MEMORY ? o->mem.base : ZYDIS_REGISTER_NONE,
			o->type == ZYDIS_OPERAND_TYPE_MEMORY ? o->mem.index : ZYDIS_REGISTER_NONE
		};

		for (int k = 0; k < 3; k++) {
			ZydisRegister r = regs[k];

			if (r >= ZYDIS_REGISTER_AH && r <= ZYDIS_REGISTER_BH)
				used |= 1u << (r - ZYDIS_REGISTER_AH);
			else if (r != ZYDIS_REGISTER_NONE && ZydisRegisterGetId(r) >= 0 &&
				 ZydisRegisterGetLargestEnclosing(ZYDIS_MACHINE_MODE_LONG_64, r) >=
				     ZYDIS_REGISTER_RAX &&
				 ZydisRegisterGetLargestEnclosing(ZYDIS_MACHINE_MODE_LONG_64, r) <=
				     ZYDIS_REGISTER_RDI)
				used |= 1u << ZydisRegisterGetId(
					    ZydisRegisterGetLargestEnclosing(ZYDIS_MACHINE_MODE_LONG_64, r));
		}
	}
	for (int r = H_RDI; r >= 0; r--)
		if (!(used & 1u << r))
			return r;
	return H_RDI;
}

static unsigned tail_at(const struct insn *in)
{
	return in->z.raw.modrm.offset + 1u + (in->z.attributes & ZYDIS_ATTRIB_HAS_SIB ? 1 : 0) +
	       in->z.raw.disp.size / 8;
}

/* Emit the legacy prefixes of the host form: those that the instruction is made of. Never a segment override
 * or address size; F2 and F3 that are ignored, or hints about locks, may be something else to another
 * decoder. */
void put_prefixes(struct tx *t, const struct insn *in, bool gs)
{
	if (gs)
		e2(t, 0x6765);
	if (insn_wants_66(in))
		e1(t, 0x66);
	if (in->z.attributes & ZYDIS_ATTRIB_HAS_LOCK)
		e1(t, 0xf0);
	for (unsigned i = 0; i < in->z.raw.prefix_count; i++) {
		uint8_t p = in->z.raw.prefixes[i].value;

		if ((p == 0xf2 || p == 0xf3) && in->z.raw.prefixes[i].type == ZYDIS_PREFIX_TYPE_MANDATORY) {
			e1(t, p);
			break;
		}
	}
}

/* Is VEX.W ignored for this instruction outside 64-bit mode? */
static bool ignores_w(const struct insn *in)
{
	switch (in->z.meta.isa_ext) {
	case ZYDIS_ISA_EXT_BMI1:
	case ZYDIS_ISA_EXT_BMI2:
		return true;
	default:
		break;
	}
	switch (in->z.mnemonic) {
	case ZYDIS_MNEMONIC_VMOVQ:
		return !insn_is_evex(in);
	case ZYDIS_MNEMONIC_VPBROADCASTD:
	case ZYDIS_MNEMONIC_VPBROADCASTQ:
		return insn_is_evex(in) && in->z.opcode == 0x7c; /* from a general register */
	case ZYDIS_MNEMONIC_VMOVD:
	case ZYDIS_MNEMONIC_VCVTUSI2SS:
	case ZYDIS_MNEMONIC_VCVTUSI2SD:
	case ZYDIS_MNEMONIC_VCVTSS2USI:
	case ZYDIS_MNEMONIC_VCVTSD2USI:
	case ZYDIS_MNEMONIC_VCVTTSS2USI:
	case ZYDIS_MNEMONIC_VCVTTSD2USI:
	case ZYDIS_MNEMONIC_VCVTSI2SS:
	case ZYDIS_MNEMONIC_VCVTSI2SD:
	case ZYDIS_MNEMONIC_VCVTSS2SI:
	case ZYDIS_MNEMONIC_VCVTSD2SI:
	case ZYDIS_MNEMONIC_VCVTTSS2SI:
	case ZYDIS_MNEMONIC_VCVTTSD2SI:
	case ZYDIS_MNEMONIC_VPEXTRD:
	case ZYDIS_MNEMONIC_VPINSRD:
	case ZYDIS_MNEMONIC_VPEXTRB:
	case ZYDIS_MNEMONIC_VPEXTRW:
	case ZYDIS_MNEMONIC_VPINSRB:
	case ZYDIS_MNEMONIC_VPINSRW:
	case ZYDIS_MNEMONIC_VEXTRACTPS:
	case ZYDIS_MNEMONIC_VMOVMSKPS:
	case ZYDIS_MNEMONIC_VMOVMSKPD:
	case ZYDIS_MNEMONIC_VPMOVMSKB:
		return true;
	default:
		return false;
	}
}

/* Adjust opcode bytes that 64-bit mode decodes differently: 82 (an alias of 80) is invalid; in a three-byte
 * VEX prefix and in an EVEX one, 32-bit mode ignores register-extension bits and, of some instructions, W. */
static void host_opcode(const struct insn *in, uint8_t *op)
{
	if (!insn_is_vex(in)) {
		if (op[0] == 0x82)
			op[0] = 0x80;
		return;
	}
	if (insn_is_evex(in)) {
		op[1] |= 0x30; /* inverted B and R' */
		op[2] |= 0x40;
		op[3] |= 0x08; /* inverted V' */
		if (ignores_w(in))
			op[2] &= 0x7f;
		return;
	}
	if (op[0] != 0xc4)
		return;
	op[1] |= 0x20; /* inverted B */
	op[2] |= 0x40; /* inverted vvvv[3] */
	if (ignores_w(in))
		op[2] &= 0x7f;
}

void put_opcode(struct tx *t, const struct insn *in, unsigned rex)
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

/* The fourth register of VBLENDV is in imm8[7:4]; bit 7 is ignored outside 64-bit mode. */
void put_tail(struct tx *t, const struct insn *in)
{
	for (unsigned i = tail_at(in); i < in->len; i++)
		e1(t, is_blendv(in) ? in->bytes[i] & 0x7f : in->bytes[i]);
}

/* Emit ModRM, SIB and displacement of a 32-bit address unchanged, except that an absolute address takes the
 * SIB form: 64-bit mode decodes the short form as RIP-relative; and that EVEX, which scales a displacement of
 * one byte, has it in full, so that it serves LEA, too. */
void put_address32(struct tx *t, const struct insn *in, unsigned reg)
{
	unsigned mod = in->z.raw.modrm.mod, rm = in->z.raw.modrm.rm;
	bool scaled = mod == 1 && insn_is_evex(in);

	if (scaled)
		mod = 2;

	e1(t, mod << 6 | (reg & 7) << 3 | (mod == 0 && rm == 5 ? 4 : rm));
	if (mod == 0 && rm == 5)
		e1(t, 0x25);
	if (rm == 4)
		e1(t, in->bytes[in->z.raw.modrm.offset + 1]);
	if (scaled)
		e4(t, (uint32_t)in->op[in->mem].mem.disp.value);
	else if (in->z.raw.disp.size == 8)
		e1(t, (uint8_t)in->z.raw.disp.value);
	else if (in->z.raw.disp.size == 32)
		e4(t, (uint32_t)in->z.raw.disp.value);
}

/* BASE may be any host register. */
void put_with_base(struct tx *t, const struct insn *in, int base, int32_t disp, bool gs)
{
	put_prefixes(t, in, gs);
	put_opcode(t, in, base & 8 ? 1 : 0);
	e_modrm_mem(t, in->z.raw.modrm.reg, base, disp);
	put_tail(t, in);
}

void put_xchg_r8(struct tx *t, int r)
{
	e_rr(t, F_W, 0x87, H_R8, r);
}

/* If the instruction cannot encode r8, a register it does not use is exchanged with r8 around it; the fault
 * handler undoes the exchange. */
void put_through_r8(struct tx *t, const struct insn *in, bool gs)
{
	if (!insn_is_vex(in) && !insn_uses_high_byte(in)) {
		put_with_base(t, in, H_R8, 0, gs);
		return;
	}
	int r = insn_free_register(in);

	put_xchg_r8(t, r);
	tx_mark(t, FIX_XCHG, (unsigned)r);
	put_with_base(t, in, r, 0, gs);
	put_xchg_r8(t, r);
	tx_mark(t, FIX_NONE, 0);
}

/* The segment base goes in as the index. */
void put_based(struct tx *t, const struct insn *in)
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

/* MOV with a memory offset (A0..A3) has no ModRM; with one, other code needs to handle a single form only. */
void moffs_to_modrm(struct insn *in)
{
	static const uint8_t op[4] = { 0x8a, 0x8b, 0x88, 0x89 };
	unsigned at = in->z.raw.prefix_count;
	uint8_t opc = op[in->bytes[at] - 0xa0];
	uint32_t disp = (uint32_t)in->op[in->mem].mem.disp.value;

	in->bytes[at] = opc;
	in->z.raw.modrm.offset = (uint8_t)(at + 1);
	in->z.raw.modrm.mod = 0;
	in->z.raw.modrm.reg = 0;
	in->z.raw.modrm.rm = in->z.address_width == 16 ? 6 : 5;
	in->z.raw.disp.size = in->z.address_width == 16 ? 16 : 32;
	in->z.raw.disp.value = in->z.address_width == 16 ? (int64_t)(int16_t)disp : (int64_t)(int32_t)disp;
	in->z.attributes &= ~ZYDIS_ATTRIB_HAS_SIB;
	in->z.attributes |= ZYDIS_ATTRIB_HAS_MODRM;
	/* no immediate follows the displacement */
	in->z.raw.imm[0].size = 0;
}
