/* SPDX-License-Identifier: GPL-3.0-or-later
 * Fetch and decode one guest instruction: bytes from the pages the guest
 * fetches from, meaning from Zydis. */
#include "bt/decode/decode.h"
#include "bt/decode/patch.h"

#include "mm/mmu.h"

#include <string.h>

static int find_memory(const struct insn *in)
{
	unsigned n = in->z.operand_count_visible;

	switch (in->z.mnemonic) { /* the operand is not written, but can be overridden */
	case ZYDIS_MNEMONIC_XLAT:
	case ZYDIS_MNEMONIC_MASKMOVQ:
	case ZYDIS_MNEMONIC_MASKMOVDQU:
	case ZYDIS_MNEMONIC_VMASKMOVDQU:
		n = in->z.operand_count;
		break;
	default:
		break;
	}
	for (unsigned i = 0; i < n; i++)
		if (in->op[i].type == ZYDIS_OPERAND_TYPE_MEMORY)
			return (int)i;
	return -1;
}

enum seg decode_seg(ZydisRegister r)
{
	switch (r) {
	case ZYDIS_REGISTER_ES:
		return SEG_ES;
	case ZYDIS_REGISTER_CS:
		return SEG_CS;
	case ZYDIS_REGISTER_SS:
		return SEG_SS;
	case ZYDIS_REGISTER_FS:
		return SEG_FS;
	case ZYDIS_REGISTER_GS:
		return SEG_GS;
	default:
		return SEG_DS;
	}
}

/* Bytes of non-RAM pages are not code: they read as all ones from nowhere, which
 * decodes as an invalid instruction. */
static int page_bytes(struct bt_vcpu *b, gva lin, uint8_t *out, unsigned n, ppn *page)
{
	int r = mmu_code_page(b->v.mmu, lin, page);

	if (r < 0)
		return -1;
	if (r > 0) {
		memset(out, 0xff, n);
		*page = UINT32_MAX;
		return 0;
	}
	memcpy(out, mm_page_bytes(b->vm, *page) + (lin & PAGE_MASK), n);
	if (b->patches.n)
		patch_overlay(b, lin, out, n, *page);
	return 0;
}

static uint64_t code_limit(const struct bt_vcpu *b)
{
	return mode_long(b->mode) ? UINT64_MAX : b->v.cpu.seg[SEG_CS].limit;
}

/* Instruction bytes beyond the CS limit: #GP(0), as a fetch there gives. */
static int check_limit(struct bt_vcpu *b, const struct insn *in)
{
	uint64_t last = in->eip + in->len - 1;

	if (last > code_limit(b))
		return cpu_raise_err(&b->v.cpu, EXC_GP, 0);
	return 0;
}

/* Extensions whose encodings mean something else to a processor without them: hint NOPs, and BSR, BSF and
 * WBINVD behind an ignored F3. */
static void without_extensions(ZydisDecoder *d, const struct isa *isa)
{
	static const ZydisDecoderMode never[] = { ZYDIS_DECODER_MODE_MPX, ZYDIS_DECODER_MODE_CET,
						  ZYDIS_DECODER_MODE_CLDEMOTE, ZYDIS_DECODER_MODE_WBNOINVD };

	for (unsigned i = 0; i < ARRAY_LEN(never); i++)
		ZydisDecoderEnableMode(d, never[i], ZYAN_FALSE);
	ZydisDecoderEnableMode(d, ZYDIS_DECODER_MODE_LZCNT, isa->has[FEATURE_LZCNT]);
	ZydisDecoderEnableMode(d, ZYDIS_DECODER_MODE_TZCNT, isa->has[FEATURE_BMI1]);
}

ZyanStatus decode_bytes(const struct isa *isa, uint32_t mode, struct insn *in, unsigned n)
{
	ZydisDecoder d;

	if (mode_long(mode))
		ZydisDecoderInit(&d, ZYDIS_MACHINE_MODE_LONG_64, ZYDIS_STACK_WIDTH_64);
	else if (mode & MODE_D)
		ZydisDecoderInit(&d, ZYDIS_MACHINE_MODE_LEGACY_32, ZYDIS_STACK_WIDTH_32);
	else
		ZydisDecoderInit(&d, ZYDIS_MACHINE_MODE_LEGACY_16, ZYDIS_STACK_WIDTH_16);
	without_extensions(&d, isa);
	return ZydisDecoderDecodeFull(&d, in->bytes, n, &in->z, in->op);
}

void decode_operands(struct insn *in)
{
	in->len = in->z.length;
	in->mem = find_memory(in);
	in->seg = in->mem >= 0 ? decode_seg(in->op[in->mem].mem.segment) : SEG_DS;
}

int decode_insn(struct bt_vcpu *b, uint64_t eip, struct insn *in, ppn *page, ppn *page2)
{
	gva lin = mode_long(b->mode) ? eip : (uint32_t)(b->v.cpu.seg[SEG_CS].base + eip);
	uint64_t rest; /* bytes up to the limit, but one */
	unsigned have = PAGE_SIZE - (lin & PAGE_MASK);
	bool bounded = false;
	unsigned most = 15;
	ZyanStatus st;

	in->pc = lin;
	in->eip = eip;
	in->invalid = false;
	if (page2)
		*page2 = UINT32_MAX;
	if (have > 15)
		have = 15;
	/* Bytes beyond the CS limit are not fetched: #GP(0) before a page fault. */
	if (code_limit(b) < eip)
		return cpu_raise_err(&b->v.cpu, EXC_GP, 0);
	rest = code_limit(b) - eip;
	if (rest + 1 < have && rest != UINT64_MAX) {
		have = (unsigned)rest + 1;
		bounded = true;
	} else if (rest < 14) {
		most = (unsigned)rest + 1;
	}
	memset(in->bytes, 0, sizeof(in->bytes));
	if (page_bytes(b, lin, in->bytes, have, page))
		return -1;
	st = decode_bytes(&b->isa, b->mode, in, have);
	if (st == ZYDIS_STATUS_NO_MORE_DATA && (bounded || have == most))
		return cpu_raise_err(&b->v.cpu, EXC_GP, 0);
	if (st == ZYDIS_STATUS_NO_MORE_DATA && have < most) {
		if (!page2)
			return 1;
		if (page_bytes(b, lin + have, in->bytes + have, most - have, page2))
			return -1;
		st = decode_bytes(&b->isa, b->mode, in, most);
		if (st == ZYDIS_STATUS_NO_MORE_DATA)
			return cpu_raise_err(&b->v.cpu, EXC_GP, 0);
	}
	if (!ZYAN_SUCCESS(st)) {
		if (st == ZYDIS_STATUS_INSTRUCTION_TOO_LONG)
			return cpu_raise_err(&b->v.cpu, EXC_GP, 0);
		memset(&in->z, 0, sizeof(in->z));
		in->invalid = true;
		in->len = (uint8_t)have; /* any of them may have made it so: a change of one counts */
		in->mem = -1;
	} else {
		decode_operands(in);
	}
	in->next = mode_long(b->mode) ? eip + in->len : (uint32_t)(eip + in->len);
	return check_limit(b, in);
}
