/* SPDX-License-Identifier: GPL-3.0-or-later
 * The wrapper around Zydis' decoder and formatter. */
#include "x86/disas.h"

#include <stdio.h>

#include <Zydis/Zydis.h>

static void init_decoder(ZydisDecoder *d, unsigned bits)
{
	if (bits == 64)
		ZydisDecoderInit(d, ZYDIS_MACHINE_MODE_LONG_64, ZYDIS_STACK_WIDTH_64);
	else if (bits == 16)
		ZydisDecoderInit(d, ZYDIS_MACHINE_MODE_LEGACY_16, ZYDIS_STACK_WIDTH_16);
	else
		ZydisDecoderInit(d, ZYDIS_MACHINE_MODE_LEGACY_32, ZYDIS_STACK_WIDTH_32);
}

static bool is_iret(const ZydisDecodedInstruction *in)
{
	return in->mnemonic == ZYDIS_MNEMONIC_IRET || in->mnemonic == ZYDIS_MNEMONIC_IRETD ||
	       in->mnemonic == ZYDIS_MNEMONIC_IRETQ;
}

static enum disas_kind kind_of(const ZydisDecodedInstruction *in)
{
	switch (in->meta.category) {
	case ZYDIS_CATEGORY_CALL:
		return DISAS_CALL;
	case ZYDIS_CATEGORY_RET:
		return is_iret(in) ? DISAS_IRET : DISAS_RET;
	case ZYDIS_CATEGORY_INTERRUPT:
	case ZYDIS_CATEGORY_SYSCALL:
		return DISAS_INT;
	case ZYDIS_CATEGORY_COND_BR:
	case ZYDIS_CATEGORY_UNCOND_BR:
		return DISAS_JUMP;
	default:
		break;
	}
	if (in->attributes & (ZYDIS_ATTRIB_HAS_REP | ZYDIS_ATTRIB_HAS_REPE | ZYDIS_ATTRIB_HAS_REPNE))
		return DISAS_REP;
	return DISAS_OTHER;
}

static void find_target(const ZydisDecodedInstruction *in, const ZydisDecodedOperand *ops, uint64_t pc,
			struct disas_insn *out)
{
	ZyanU64 abs;

	if (out->kind != DISAS_CALL && out->kind != DISAS_JUMP)
		return;
	if (in->operand_count_visible < 1 || ops[0].type != ZYDIS_OPERAND_TYPE_IMMEDIATE ||
	    !ops[0].imm.is_relative)
		return;
	if (ZYAN_SUCCESS(ZydisCalcAbsoluteAddress(in, &ops[0], pc, &abs))) {
		out->has_target = true;
		out->target = abs;
	}
}

bool disas_decode(const uint8_t *buf, size_t n, uint64_t pc, unsigned bits, struct disas_insn *out)
{
	ZydisDecodedOperand ops[ZYDIS_MAX_OPERAND_COUNT];
	ZydisDecodedInstruction in;
	ZydisFormatter fmt;
	ZydisDecoder dec;

	*out = (struct disas_insn){ .len = 1, .text = "(bad)" };
	init_decoder(&dec, bits);
	if (!ZYAN_SUCCESS(ZydisDecoderDecodeFull(&dec, buf, n, &in, ops)))
		return false;
	out->len = in.length;
	out->kind = kind_of(&in);
	find_target(&in, ops, pc, out);
	ZydisFormatterInit(&fmt, ZYDIS_FORMATTER_STYLE_INTEL);
	ZydisFormatterSetProperty(&fmt, ZYDIS_FORMATTER_PROP_HEX_UPPERCASE, ZYAN_FALSE);
	ZydisFormatterSetProperty(&fmt, ZYDIS_FORMATTER_PROP_ADDR_PADDING_ABSOLUTE, ZYDIS_PADDING_DISABLED);
	if (!ZYAN_SUCCESS(ZydisFormatterFormatInstruction(&fmt, &in, ops, in.operand_count_visible, out->text,
							  sizeof(out->text), pc, NULL)))
		snprintf(out->text, sizeof(out->text), "(unprintable)");
	return true;
}
