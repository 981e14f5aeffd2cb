/* SPDX-License-Identifier: GPL-3.0-or-later
 * Bit strings: BT, BTS, BTR and BTC with the bit number in a register address memory far from their operand.
 * They are lowered to access the word that holds the bit. A flat 32-bit operand outside device memory keeps
 * the generic form. */
#include "bt/emit/encode.h"
#include "bt/lower/family.h"
#include "bt/runtime/callout.h"

/* r8d = linear address of the word that holds the bit. The bit offset is part of the effective address: it
 * wraps with it and takes part in the limit check. */
static void bit_word(struct tx *t, const struct insn *in, unsigned size)
{
	int r = ZydisRegisterGetId(in->op[1].reg.value);

	emit_ea(t, in);
	e_rr(t, size == 2 ? F_W | F_0F : F_W, size == 2 ? 0xbf : 0x63, H_R11, r); /* sign-extended */
	e_rorx64(t, H_R11, H_R11, 3);
	e_movi32(t, H_R10, ~(size - 1));
	e_and_noflags(t, H_R11, H_R11, H_R10);
	e_rmi(t, 0, 0x8d, H_R8, H_R8, H_R11, 0, 0);
	if (insn_addr16(in))
		e_movzx16(t, H_R8, H_R8);
	emit_seg(t, in->seg, size, insn_addr16(in), in->z.mnemonic != ZYDIS_MNEMONIC_BT);
}

/* r11 = the bit number within that word, which keeps the access inside the word. */
void emit_bit_string(struct tx *t, const struct insn *in)
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

bool emit_bit_string_device(struct tx *t, struct insn *in)
{
	unsigned size = in->z.operand_width / 8;
	struct site *s;

	if (!insn_is_bit_string(in))
		return false;
	bit_word(t, in, size);
	s = new_site(t, in, CO_MMIO, co_mmio_begin);
	s->mmio.size = size;
	s->mmio.reads = 1;
	s->mmio.writes = in->z.mnemonic != ZYDIS_MNEMONIC_BT;
	emit_callout(t, s);
	e_ld32(t, H_R8, OFF(bounce));
	e_rr(t, size == 2 ? F_0F | F_66 : F_0F, in->bytes[in->z.raw.modrm.offset - 1],
	     ZydisRegisterGetId(in->op[1].reg.value), H_R8);
	if (in->z.mnemonic == ZYDIS_MNEMONIC_BT)
		return true;
	e_st32(t, OFF(bounce), H_R8);
	s = new_site(t, in, CO_MMIO, co_mmio_end);
	s->mmio.size = size;
	emit_callout(t, s);
	return true;
}
