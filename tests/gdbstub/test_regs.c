/* SPDX-License-Identifier: GPL-3.0-or-later
 * Target descriptions: what gdb's manual requires of them, and that every register reads
 * back what was written. */
#include "gdbstub/regs.h"
#include "tests/suite.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int index_of(const struct gdb_regs *r, const char *name)
{
	for (unsigned i = 0; i < r->count; i++)
		if (!strcmp(r->reg[i].name, name))
			return (int)i;
	return -1;
}

/* Loop index: architecture, and with AVX or not. */
static void layout(struct gdb_regs *r, int i)
{
	gdb_regs_init(r, &gdb_archs[i / 2], i & 1);
}

START_TEST(test_names_are_unique)
{
	struct gdb_regs r;

	layout(&r, _i);
	ck_assert_uint_lt(r.count, GDB_MAX_REGS);
	for (unsigned i = 0; i < r.count; i++) {
		ck_assert_int_eq(index_of(&r, r.reg[i].name), (int)i);
		ck_assert_msg(r.reg[i].source != GDB_REG_TABLE || r.reg[i].info, "%s is in no table",
			      r.reg[i].name);
		ck_assert_uint_eq(r.reg[i].bits % 8, 0);
	}
}
END_TEST

/* Columns: register, number in i386, number in x86-64 (the orders that gdb requires). */
static const struct {
	const char *name32, *name64;
	int n32, n64;
} places[] = {
	{ "eax", "rax", 0, 0 },	       { "esp", "rsp", 4, 7 },	     { "eip", "rip", 8, 16 },
	{ "eflags", "eflags", 9, 17 }, { "cs", "cs", 10, 18 },	     { "gs", "gs", 15, 23 },
	{ "st0", "st0", 16, 24 },      { "fctrl", "fctrl", 24, 32 }, { "fop", "fop", 31, 39 },
	{ "xmm0", "xmm0", 32, 40 },    { "mxcsr", "mxcsr", 40, 56 },
};

START_TEST(test_core_order)
{
	struct gdb_regs r;

	for (int i = 0; i < 6; i++) {
		layout(&r, i);
		ck_assert_int_eq(index_of(&r, r.arch->wide ? places[_i].name64 : places[_i].name32),
				 r.arch->wide ? places[_i].n64 : places[_i].n32);
	}
}
END_TEST

/* In 64-bit descriptions alone; values are zero while the component is not in use. */
START_TEST(test_avx512)
{
	static struct cpu c;
	uint8_t in[GDB_REG_BYTES], out[GDB_REG_BYTES];
	struct gdb_regs r;
	int k, zh, z16;

	gdb_regs_init(&r, gdb_arch_find("i386"), GDB_AVX512);
	ck_assert_int_lt(index_of(&r, "k1"), 0);
	gdb_regs_init(&r, gdb_arch_find("i386:x86-64"), GDB_AVX512);
	ck_assert_uint_lt(r.count, GDB_MAX_REGS);
	k = index_of(&r, "k1");
	zh = index_of(&r, "zmm3h");
	z16 = index_of(&r, "zmm17h");
	ck_assert(k > 0 && zh > k && z16 > zh && index_of(&r, "xmm16") < k);
	memset(c.avx512.zmm16, 0xee, sizeof(c.avx512.zmm16)); /* left from before */
	ck_assert_uint_eq(gdb_reg_get(&r, &c, (unsigned)z16, out), 32);
	ck_assert(!out[0] && !out[31]);
	memset(in, 0x5a, sizeof(in));
	ck_assert_ptr_nonnull(gdb_reg_set(&r, &c, (unsigned)z16, in, NULL));
	c.xcr0 = 0xe7;
	ck_assert_ptr_null(gdb_reg_set(&r, &c, (unsigned)z16, in, NULL));
	ck_assert_ptr_null(gdb_reg_set(&r, &c, (unsigned)zh, in, NULL));
	ck_assert_ptr_null(gdb_reg_set(&r, &c, (unsigned)k, in, NULL));
	ck_assert_uint_eq(c.avx512.xstate_bv, XCR0_AVX512);
	ck_assert(c.avx512.zmm16[1][32] == 0x5a && c.avx512.zmm16[1][31] == 0 && c.avx512.zmm16[0][32] == 0);
	ck_assert(c.avx512.zmmh[3][31] == 0x5a && c.avx512.k[1] == 0x5a5a5a5a5a5a5a5aull);
	ck_assert_uint_eq(gdb_reg_get(&r, &c, (unsigned)index_of(&r, "ymm17h"), out), 16);
	ck_assert_uint_eq(out[0], 0);
}
END_TEST

/* gdb 13 aborts on a 32-bit description with the segments feature; AVX needs SSE before it. */
START_TEST(test_features)
{
	struct gdb_regs r;
	struct out o = { 0 };
	char *sse, *avx;

	layout(&r, _i);
	gdb_regs_xml(&r, &o);
	ck_assert_ptr_nonnull(strstr(o.data, "<osabi>none</osabi>"));
	ck_assert_int_eq(strstr(o.data, "i386.segments") != NULL, r.arch->wide);
	sse = strstr(o.data, "\"org.gnu.gdb.i386.sse\"");
	avx = strstr(o.data, "\"org.gnu.gdb.i386.avx\"");
	ck_assert_ptr_nonnull(sse);
	ck_assert_int_eq(avx != NULL, _i & 1);
	ck_assert(!avx || avx > sse);
	for (char *p = o.data; (p = strstr(p, "<feature ")); p++) { /* each once */
		char *head = strndup(p, strcspn(p, ">"));

		ck_assert_ptr_null(strstr(p + 1, head));
		free(head);
	}
	out_fini(&o);
}
END_TEST

/* Every row of the register table that gdb sees is in the description once, with its width and number. */
START_TEST(test_table_rows_are_described)
{
	struct gdb_regs r;
	struct out o = { 0 };
	char head[120], *at;
	unsigned n = 0;

	layout(&r, _i);
	gdb_regs_xml(&r, &o);
	for (unsigned i = 0; i < reg_count; i++) {
		const char *name = reg_infos[i].name;
		bool other = reg_infos[i].mode == (r.arch->wide ? REG_NOT_LONG : REG_LONG);
		int k = index_of(&r, r.arch->wide && !strcmp(name, "kernel_gs_base") ? "k_gs_base" : name);

		ck_assert_msg((k >= 0) == (reg_infos[i].gdb != REG_GDB_NO && !other), "%s", name);
		if (k < 0)
			continue;
		snprintf(head, sizeof(head), "<reg name=\"%s\" bitsize=\"%u\" type=\"%s\" regnum=\"%d\"",
			 r.reg[k].name, r.reg[k].bits, r.reg[k].type, k);
		at = strstr(o.data, head);
		ck_assert_msg(at && !strstr(at + 1, head), "%s", head);
	}
	for (char *p = o.data; (p = strstr(p, "<reg ")); p++)
		n++;
	ck_assert_uint_eq(n, r.count);
	out_fini(&o);
}
END_TEST

static const char *const wanted[] = { "cr0",	 "cr2",	      "cr3",	    "cr4",	 "efer",
				      "cs_base", "ds_base",   "es_base",    "fs_base",	 "gs_base",
				      "ss_base", "gdtr_base", "gdtr_limit", "idtr_base", "idtr_limit",
				      "tr",	 "ldtr",      "dr0",	    "dr1",	 "dr2",
				      "dr3",	 "dr6",	      "dr7",	    "cpl",	 "ip" };

START_TEST(test_system_registers)
{
	struct gdb_regs r;
	int n;

	for (int i = 0; i < 6; i++) {
		layout(&r, i);
		n = index_of(&r, wanted[_i]);
		ck_assert_msg(n >= 0, "no %s", wanted[_i]);
		ck_assert_msg(strstr(r.reg[n].type, "int"), "%s must be an integer for gdb to set it",
			      wanted[_i]);
	}
}
END_TEST

START_TEST(test_written_is_read)
{
	struct gdb_regs r;
	struct cpu *c = aligned_alloc(64, (sizeof(*c) + 63) & ~63ul);
	unsigned set = 0;

	layout(&r, _i);
	cpu_reset(c);
	for (unsigned i = 0; i < r.count; i++) {
		uint8_t in[GDB_REG_BYTES] = { 0 }, out[GDB_REG_BYTES];
		unsigned size = gdb_reg_get(&r, c, i, out);

		ck_assert_uint_eq(size, r.reg[i].bits / 8);
		if (!strcmp(r.reg[i].name, "ftag") || !strcmp(r.reg[i].name, "eflags") ||
		    !strcmp(r.reg[i].type, "uint8") || size < 2 || strstr(r.reg[i].name, "cs") ||
		    !strcmp(r.reg[i].name, "dr6") || !strcmp(r.reg[i].name, "dr7") ||
		    !strcmp(r.reg[i].name, "cr0"))
			continue; /* not all bits can be written, or writing it moves the pc */
		in[0] = (uint8_t)i;
		in[1] = 0x5a;
		if (gdb_reg_set(&r, c, i, in, NULL))
			continue;
		set++;
		gdb_reg_get(&r, c, i, out);
		ck_assert_msg(!memcmp(in, out, size), "%s is not what was written", r.reg[i].name);
	}
	ck_assert_uint_gt(set, 40);
	free(c);
}
END_TEST

/* A 64-bit description does not make the processor a 64-bit one. */
START_TEST(test_wide_registers)
{
	struct gdb_regs r;
	struct cpu *c = aligned_alloc(64, (sizeof(*c) + 63) & ~63ul);
	uint8_t in[GDB_REG_BYTES] = { 1, 2, 3, 4, 5, 6, 7, 8 };

	cpu_reset(c);
	gdb_regs_init(&r, gdb_arch_find("i386:x86-64"), false);
	ck_assert_ptr_null(gdb_reg_set(&r, c, (unsigned)index_of(&r, "rsi"), in, NULL));
	ck_assert_uint_eq(c->gpr[R_ESI], 0x04030201);
	ck_assert_ptr_null(gdb_reg_set(&r, c, (unsigned)index_of(&r, "rip"), in, NULL));
	ck_assert_uint_eq(c->rip, 0x04030201);
	ck_assert_ptr_nonnull(gdb_reg_set(&r, c, (unsigned)index_of(&r, "r8"), in, NULL));
	ck_assert_uint_eq(c->gpr[8], 0);
	c->efer = EFER_LMA; /* in compatibility mode registers have 64 bits, but not the program counter */
	ck_assert_ptr_null(gdb_reg_set(&r, c, (unsigned)index_of(&r, "rsi"), in, NULL));
	ck_assert_uint_eq(c->gpr[R_ESI], 0x0807060504030201);
	ck_assert_ptr_null(gdb_reg_set(&r, c, (unsigned)index_of(&r, "r15"), in, NULL));
	ck_assert_uint_eq(c->gpr[15], 0x0807060504030201);
	ck_assert_ptr_null(gdb_reg_set(&r, c, (unsigned)index_of(&r, "gs_base"), in, NULL));
	ck_assert_uint_eq(c->seg[SEG_GS].base, 0x0807060504030201);
	ck_assert_ptr_null(gdb_reg_set(&r, c, (unsigned)index_of(&r, "k_gs_base"), in, NULL));
	ck_assert_uint_eq(c->kernel_gs_base, 0x0807060504030201);
	c->rip = 0;
	ck_assert_ptr_null(gdb_reg_set(&r, c, (unsigned)index_of(&r, "rip"), in, NULL));
	ck_assert_uint_eq(c->rip, 0x04030201);
	c->seg[SEG_CS].attr |= SA_L;
	ck_assert_ptr_null(gdb_reg_set(&r, c, (unsigned)index_of(&r, "rip"), in, NULL));
	ck_assert_uint_eq(c->rip, 0x0807060504030201);
	free(c);
}
END_TEST

/* A 32-bit description shows the low halves, and writes them alone. */
START_TEST(test_low_halves)
{
	struct gdb_regs r;
	struct cpu *c = aligned_alloc(64, (sizeof(*c) + 63) & ~63ul);
	uint8_t in[GDB_REG_BYTES] = { 1, 2, 3, 4 };

	cpu_reset(c);
	gdb_regs_init(&r, gdb_arch_find("i386"), false);
	c->efer = EFER_LMA;
	c->seg[SEG_CS].attr |= SA_L;
	c->gpr[R_ESI] = c->rip = c->seg[SEG_GS].base = 0xaabbccdd00000000;
	ck_assert_ptr_null(gdb_reg_set(&r, c, (unsigned)index_of(&r, "esi"), in, NULL));
	ck_assert_ptr_null(gdb_reg_set(&r, c, (unsigned)index_of(&r, "eip"), in, NULL));
	ck_assert_ptr_null(gdb_reg_set(&r, c, (unsigned)index_of(&r, "gs_base"), in, NULL));
	ck_assert_uint_eq(c->gpr[R_ESI], 0xaabbccdd04030201);
	ck_assert_uint_eq(c->rip, 0xaabbccdd04030201);
	ck_assert_uint_eq(c->seg[SEG_GS].base, 0xaabbccdd04030201);
	ck_assert_uint_eq(gdb_reg_get(&r, c, (unsigned)index_of(&r, "eip"), in), 4);
	free(c);
}
END_TEST

START_TEST(test_real_mode_pc)
{
	struct gdb_regs r;
	struct cpu *c = aligned_alloc(64, (sizeof(*c) + 63) & ~63ul);
	uint8_t out[GDB_REG_BYTES], in[GDB_REG_BYTES] = { 0x00, 0x7c };
	uint32_t val;

	cpu_reset(c);
	c->seg[SEG_CS].base = 0xf0000;
	gdb_regs_init(&r, gdb_arch_find("i8086"), false);
	gdb_reg_get(&r, c, 8, out);
	memcpy(&val, out, 4);
	ck_assert_uint_eq(val, 0xffff0);
	c->seg[SEG_CS].base = 0x100;
	ck_assert_ptr_null(gdb_reg_set(&r, c, 8, in, NULL));
	ck_assert_uint_eq(c->rip, 0x7b00);
	gdb_regs_init(&r, gdb_arch_find("i386"), false);
	gdb_reg_get(&r, c, 8, out);
	memcpy(&val, out, 4);
	ck_assert_uint_eq(val, 0x7b00);
	free(c);
}
END_TEST

START_TEST(test_x87_tags)
{
	struct gdb_regs r;
	struct cpu *c = aligned_alloc(64, (sizeof(*c) + 63) & ~63ul);
	uint8_t out[GDB_REG_BYTES], set[GDB_REG_BYTES] = { 0xff, 0x3f };
	long double one = 1.0L;
	int tag;

	cpu_reset(c);
	gdb_regs_init(&r, &gdb_archs[0], false);
	tag = index_of(&r, "ftag");
	gdb_reg_get(&r, c, (unsigned)tag, out);
	ck_assert_mem_eq(out, "\xff\xff", 2); /* all empty */
	c->xsave.fsw = 7 << 11;		      /* top of stack is register 7 */
	c->xsave.ftw = 0x80;
	memcpy(c->xsave.st[0], &one, 10);
	gdb_reg_get(&r, c, (unsigned)tag, out);
	ck_assert_mem_eq(out, "\xff\x3f", 2); /* 7 valid */
	c->xsave.ftw = 0;
	ck_assert_ptr_null(gdb_reg_set(&r, c, (unsigned)tag, set, NULL));
	ck_assert_uint_eq(c->xsave.ftw, 0x80);
	free(c);
}
END_TEST

int main(void)
{
	TCase *tc = tcase_create("regs");
	Suite *su = suite_create("regs");

	tcase_add_loop_test(tc, test_names_are_unique, 0, 6);
	tcase_add_loop_test(tc, test_core_order, 0, ARRAY_LEN(places));
	tcase_add_loop_test(tc, test_features, 0, 6);
	tcase_add_test(tc, test_avx512);
	tcase_add_loop_test(tc, test_table_rows_are_described, 0, 6);
	tcase_add_loop_test(tc, test_system_registers, 0, ARRAY_LEN(wanted));
	tcase_add_loop_test(tc, test_written_is_read, 0, 6);
	tcase_add_test(tc, test_wide_registers);
	tcase_add_test(tc, test_low_halves);
	tcase_add_test(tc, test_real_mode_pc);
	tcase_add_test(tc, test_x87_tags);
	suite_add_tcase(su, tc);
	return suite_run(su);
}
