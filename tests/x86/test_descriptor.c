/* SPDX-License-Identifier: GPL-3.0-or-later
 * Descriptors, decoded against cases made by hand from SDM vol. 3A figures 3-8 and 6-2, and the disassembler.
 */
#include "x86/descriptor.h"
#include "x86/disas.h"
#include "tests/suite.h"

#include <stdlib.h>
#include <string.h>

static const struct segment_case {
	uint64_t raw;
	uint32_t base, limit, attr;
	unsigned dpl;
	bool present, code, wdata, conforming;
	const char *text;
} segments[] = {
	/* flat code and data of ring 0 and ring 3, as kernels use them */
	{ 0x00cf9a000000ffff, 0, 0xffffffff, 0xc09a, 0, true, true, false, false, "32-bit code readable" },
	{ 0x00cf92000000ffff, 0, 0xffffffff, 0xc092, 0, true, false, true, false, "32-bit data writable" },
	{ 0x00cffa000000ffff, 0, 0xffffffff, 0xc0fa, 3, true, true, false, false, "32-bit code readable" },
	/* base 12345678, limit 9abcd in bytes, 16 bits, accessed */
	{ 0x12099b345678abcd, 0x12345678, 0x9abcd, 0x009b, 0, true, true, false, false,
	  "16-bit code readable" },
	{ 0x0040f0000000000f, 0, 0xf, 0x40f0, 3, true, false, false, false, "32-bit data" },
	{ 0x00409e0000000000, 0, 0, 0x409e, 0, true, true, false, true, "32-bit code readable conforming" },
	{ 0xff80960000000001, 0xff000000, 0x1fff, 0x8096, 0, true, false, true, false,
	  "16-bit data writable expand-down" },
	{ 0x0000120000000000, 0, 0, 0x0012, 0, false, false, true, false, "16-bit data writable" },
	/* an LDT, a busy 32-bit TSS, reserved */
	{ 0x0000820010000017, 0x1000, 0x17, 0x0082, 0, true, false, false, false, "LDT" },
	{ 0xc0008b0012340067, 0xc0001234, 0x67, 0x008b, 0, true, false, false, false, "32-bit TSS busy" },
	{ 0x0000800000000000, 0, 0, 0x0080, 0, true, false, false, false, "reserved" },
	{ 0x00008d0000000000, 0, 0, 0x008d, 0, true, false, false, false, "reserved" },
};

START_TEST(segment_fields)
{
	const struct segment_case *k = &segments[_i];
	struct desc d = desc_of(k->raw);
	struct seg_cache s;
	char text[48];

	ck_assert_uint_eq(desc_base(&d), k->base);
	ck_assert_uint_eq(desc_limit(&d), k->limit);
	ck_assert_uint_eq(desc_dpl(&d), k->dpl);
	ck_assert_uint_eq(desc_present(&d), k->present);
	ck_assert_uint_eq(desc_code(&d), k->code);
	ck_assert_uint_eq(desc_wdata(&d), k->wdata);
	ck_assert_uint_eq(desc_code(&d) && desc_conforming(&d), k->conforming);
	ck_assert(!desc_is_gate(&d));
	desc_cache(&d, 0x2b, &s);
	ck_assert_uint_eq(s.base, k->base);
	ck_assert_uint_eq(s.limit, k->limit);
	ck_assert_uint_eq(s.attr, k->attr);
	ck_assert_uint_eq(s.sel, 0x2b);
	desc_type_text(&d, false, text, sizeof(text));
	ck_assert_str_eq(text, k->text);
}
END_TEST

static const struct gate_case {
	uint64_t raw;
	uint16_t sel;
	uint32_t offset;
	unsigned type, dpl;
	const char *text;
} gates[] = {
	{ 0xc0108e0000601234, 0x60, 0xc0101234, DT_INT32, 0, "32-bit interrupt gate" },
	{ 0xc010ef0000605678, 0x60, 0xc0105678, DT_TRAP32, 3, "32-bit trap gate" },
	{ 0x0000860000080010, 8, 0x10, DT_INT16, 0, "16-bit interrupt gate" },
	{ 0x0000870000080010, 8, 0x10, DT_TRAP16, 0, "16-bit trap gate" },
	{ 0x0000850000280000, 0x28, 0, DT_TASK, 0, "task gate" },
	{ 0x0001ec03001b0002, 0x1b, 0x10002, DT_CALL32, 3, "32-bit call gate" },
	{ 0x0000e403001b0002, 0x1b, 2, DT_CALL16, 3, "16-bit call gate" },
};

START_TEST(gate_fields)
{
	const struct gate_case *k = &gates[_i];
	struct desc d = desc_of(k->raw);
	char text[48];

	ck_assert(desc_is_gate(&d));
	ck_assert_uint_eq(desc_type(&d), k->type);
	ck_assert_uint_eq(gate_selector(&d), k->sel);
	ck_assert_uint_eq(gate_offset(&d), k->offset);
	ck_assert_uint_eq(desc_dpl(&d), k->dpl);
	desc_type_text(&d, false, text, sizeof(text));
	ck_assert_str_eq(text, k->text);
}
END_TEST

START_TEST(tss_pairs)
{
	struct desc free16 = { .hi = 0x8100 }, busy16 = { .hi = 0x8300 }, free32 = { .hi = 0x8900 },
		    busy32 = { .hi = 0x8b00 }, data = { .hi = 0x9300 };

	ck_assert(desc_tss_free(&free16) && desc_tss_free(&free32));
	ck_assert(!desc_tss_free(&busy16) && !desc_tss_free(&busy32) && !desc_tss_free(&data));
	ck_assert(desc_tss_busy(&busy16) && desc_tss_busy(&busy32) && !desc_tss_busy(&free32));
	ck_assert(!desc_tss_busy(&data));
	ck_assert_uint_eq(free16.hi | D_BUSY, busy16.hi);
}
END_TEST

START_TEST(selectors)
{
	ck_assert(sel_null(0) && sel_null(3) && !sel_null(4) && !sel_null(8) && !sel_null(0xfff8));
}
END_TEST

/* ---- disassembly ---- */

static const struct disas_case {
	unsigned bits;
	uint8_t bytes[15];
	unsigned n, len;
	enum disas_kind kind;
	uint64_t target; /* 0: none */
	const char *text;
} insns[] = {
	{ 32, { 0x89, 0xd8 }, 2, 2, DISAS_OTHER, 0, "mov eax, ebx" },
	{ 16, { 0x89, 0xd8 }, 2, 2, DISAS_OTHER, 0, "mov ax, bx" },
	{ 64, { 0x48, 0x89, 0xd8 }, 3, 3, DISAS_OTHER, 0, "mov rax, rbx" },
	{ 32, { 0xe8, 0xfb, 0x0f, 0, 0 }, 5, 5, DISAS_CALL, 0x2000, "call 0x2000" },
	{ 32, { 0x75, 0xfe }, 2, 2, DISAS_JUMP, 0x1000, "jnz 0x1000" },
	{ 32, { 0xff, 0xe0 }, 2, 2, DISAS_JUMP, 0, "jmp eax" },
	{ 32, { 0xc3 }, 1, 1, DISAS_RET, 0, "ret" },
	{ 32, { 0xcd, 0x80 }, 2, 2, DISAS_INT, 0, "int 0x80" },
	{ 32, { 0xf3, 0xa4 }, 2, 2, DISAS_REP, 0, "rep movsb" },
	{ 32, { 0xe8, 0 }, 2, 1, DISAS_OTHER, 0, "(bad)" },
};

START_TEST(disassembly)
{
	const struct disas_case *k = &insns[_i];
	struct disas_insn in;
	bool ok = disas_decode(k->bytes, k->n, 0x1000, k->bits, &in);

	ck_assert_uint_le(in.len, DISAS_MAX_INSN);
	ck_assert_str_eq(in.text, k->text);
	ck_assert_uint_eq(in.len, k->len);
	ck_assert_uint_eq(in.kind, k->kind);
	ck_assert_uint_eq(ok, strcmp(k->text, "(bad)") != 0);
	ck_assert_uint_eq(in.has_target, k->target != 0);
	if (k->target)
		ck_assert_uint_eq(in.target, k->target);
}
END_TEST

static Suite *suite(void)
{
	Suite *s = suite_create("descriptor");
	TCase *t = tcase_create("descriptor");

	suite_add_tcase(s, t);
	tcase_add_loop_test(t, segment_fields, 0, ARRAY_LEN(segments));
	tcase_add_loop_test(t, gate_fields, 0, ARRAY_LEN(gates));
	tcase_add_test(t, tss_pairs);
	tcase_add_test(t, selectors);
	tcase_add_loop_test(t, disassembly, 0, ARRAY_LEN(insns));
	return s;
}

int main(void)
{
	return suite_run(suite());
}
