/* SPDX-License-Identifier: GPL-3.0-or-later
 * The tables of x86/: unique names, order, sizes, places inside struct cpu. XSAVE offsets are held against
 * the host's CPUID leaf 0DH. */
#include "x86/cpu.h"
#include "x86/features.h"
#include "x86/msrs.h"
#include "x86/regs.h"
#include "x86/tss.h"

#include "tests/suite.h"
#include <cpuid.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* ---- registers ---- */

START_TEST(reg_names_are_unique)
{
	for (unsigned i = 0; i < reg_count; i++) {
		const struct reg_info *r = &reg_infos[i];

		ck_assert_msg(r->name[0] &&
				  strspn(r->name, "abcdefghijklmnopqrstuvwxyz0123456789_") == strlen(r->name),
			      "%s", r->name);
		for (unsigned j = i + 1; j < reg_count; j++)
			ck_assert_msg(strcasecmp(r->name, reg_infos[j].name), "%s", r->name);
	}
}
END_TEST

START_TEST(reg_rows_fit)
{
	for (unsigned i = 0; i < reg_count; i++) {
		const struct reg_info *r = &reg_infos[i];

		ck_assert_msg(r->bits == 8 || r->bits == 16 || r->bits == 32 || r->bits == 64, "%s", r->name);
		ck_assert_msg(r->offset + r->bits / 8 <= sizeof(struct cpu), "%s", r->name);
		ck_assert_msg(r->group < REG_NGROUP && reg_group_names[r->group], "%s", r->name);
	}
}
END_TEST

/* gdb asks for this order (gdb manual, G.5.5). */
START_TEST(gdb_core_order)
{
	static const char *const core[] = { "eax", "ecx",    "edx", "ebx", "esp", "ebp", "esi", "edi",
					    "eip", "eflags", "cs",  "ss",  "ds",  "es",	 "fs",	"gs" };
	static const char *const x87[] = {
		"fctrl", "fstat", "ftag", "fiseg", "fioff", "foseg", "fooff", "fop"
	};
	unsigned ncore = 0, nx87 = 0;

	for (unsigned i = 0; i < reg_count; i++) {
		if (reg_infos[i].gdb == REG_GDB_CORE)
			ck_assert_str_eq(reg_infos[i].name, core[ncore++]);
		if (reg_infos[i].gdb == REG_GDB_X87)
			ck_assert_str_eq(reg_infos[i].name, x87[nx87++]);
	}
	ck_assert_uint_eq(ncore, ARRAY_LEN(core));
	ck_assert_uint_eq(nx87, ARRAY_LEN(x87));
}
END_TEST

/* Each piece of state is saved and hashed once: two rows that are state never share a byte. */
static const struct state_row {
	const char *name;
	size_t at, size;
	bool state;
} state_rows[] = {
#define NO false
#define ANY true
#define BIT true
#define RING true
#define ATTR true
#define SEL true
#define FLAGS true
#define COUNTER true
#define PLACE(where) offsetof(struct cpu, where), sizeof(((struct cpu *)0)->where)
#define REG(name, group, bits, kind, where, rw, gdb, state) { #name, PLACE(where), state },
#define REGHI(name, group, bits, kind, where, rw, gdb, state) { #name, PLACE(where), state },
#define REG32(name, where, state) { #name, PLACE(where), state },
#define REG64(name, where, state) { #name, PLACE(where), state },
#include "x86/regs.def"
#undef REG
#undef REGHI
#undef REG32
#undef REG64
#undef NO
#undef ANY
#undef BIT
#undef RING
#undef ATTR
#undef SEL
#undef FLAGS
#undef COUNTER
};

/* A selector's row names its whole segment register, of which it saves two bytes. */
static bool is_selector(const struct state_row *r)
{
	return r->size == sizeof(struct seg_cache);
}

START_TEST(state_rows_do_not_overlap)
{
	unsigned bytes = 0;

	for (unsigned i = 0; i < ARRAY_LEN(state_rows); i++) {
		const struct state_row *a = &state_rows[i];

		bytes += a->state ? is_selector(a) ? 2 : (unsigned)a->size : 0;
		for (unsigned j = i + 1; j < ARRAY_LEN(state_rows); j++) {
			const struct state_row *b = &state_rows[j];

			if (a->state && b->state && !is_selector(a) && !is_selector(b))
				ck_assert_msg(a->at + a->size <= b->at || b->at + b->size <= a->at, "%s %s",
					      a->name, b->name);
		}
	}
	/* sixteen general registers, rip and the rest: no row was lost */
	ck_assert_uint_gt(bytes, 16 * 8 + 8 + 8 * (4 + 4 + 4 + 2));
}
END_TEST

/* A value written is read back, in IA-32e mode (loop index 1) and outside it. */
START_TEST(register_round_trip)
{
	for (unsigned i = 0; i < reg_count; i++) {
		const struct reg_info *r = &reg_infos[i];
		uint64_t val = 0xa5a5a5a5a5a5a5a5u, mask;
		struct cpu c;

		cpu_reset(&c);
		c.efer = _i ? EFER_LMA : 0;
		c.seg[SEG_CS].attr |= _i ? SA_L : 0;
		mask = reg_bits(&c, r) == 64 ? ~0ull : (1ull << r->bits) - 1;
		ck_assert_ptr_eq(reg_find(r->name), r);
		if (!r->writable) {
			uint64_t before = reg_get(&c, r);

			ck_assert_ptr_nonnull(reg_set(&c, r, ~before, NULL));
			ck_assert_uint_eq(reg_get(&c, r), before);
			continue;
		}
		if (r->kind == REG_EFLAGS)
			val = FL_ONE | FL_CF | FL_IF | FL_IOPL | FL_ID;
		else if (r->kind == REG_MXCSR)
			val = MXCSR_VALID;
		else if (r->kind == REG_TAG)
			val = 0xffff; /* the tags of registers in use follow their contents */
		else if (r->kind == REG_CR0)
			val |= CR0_ET;
		else if (r->kind == REG_DR6)
			val = DR6_INIT | DR6_BS;
		else if (r->kind == REG_DR7)
			val = DR7_INIT | DR7_GD;
		if (r->kind == REG_WIDE && !_i)
			mask = UINT32_MAX;
		if (r->kind == REG_WIDE && !_i && r->name[1] <= '9') {
			ck_assert_msg(reg_set(&c, r, val, NULL), "%s", r->name);
			continue;
		}
		ck_assert_msg(!reg_set(&c, r, val, NULL), "%s", r->name);
		ck_assert_msg(reg_get(&c, r) == (val & mask), "%s", r->name);
	}
}
END_TEST

START_TEST(refused_values)
{
	struct cpu c;

	cpu_reset(&c);
	ck_assert_ptr_nonnull(reg_set(&c, reg_find("mxcsr"), MXCSR_VALID + 1, NULL));
	ck_assert_uint_eq(c.xsave.mxcsr, MXCSR_INIT);
	ck_assert_ptr_nonnull(reg_set(&c, reg_find("eflags"), FL_ONE | FL_VM, NULL));
	ck_assert_ptr_null(reg_set(&c, reg_find("ds"), 0x1234, NULL));
	ck_assert_uint_eq(c.seg[SEG_DS].base, 0x12340);
	c.cr0 |= CR0_PE;
	ck_assert_ptr_nonnull(reg_set(&c, reg_find("ds"), 8, NULL));
}
END_TEST

/* ---- flags ---- */

START_TEST(flags_in_order)
{
	for (unsigned i = 0; i < reg_flag_count; i++) {
		const struct reg_flag *f = &reg_flags[i];
		const struct reg_info *r = reg_find(f->reg);

		ck_assert_msg(r && f->first <= f->last && f->last < r->bits, "%s %s", f->reg, f->name);
		if (i && !strcmp(reg_flags[i - 1].reg, f->reg))
			ck_assert_msg(reg_flags[i - 1].last < f->first, "%s %s", f->reg, f->name);
		for (unsigned j = i + 1; j < reg_flag_count; j++)
			ck_assert_msg(strcmp(f->reg, reg_flags[j].reg) || strcmp(f->name, reg_flags[j].name),
				      "%s %s", f->reg, f->name);
	}
}
END_TEST

START_TEST(flag_texts)
{
	static const struct {
		const char *reg;
		uint64_t val;
		const char *text;
	} rows[] = {
		{ "eflags", 0x3202, "IF IOPL=3" }, { "eflags", 0x2, "IOPL=0" },
		{ "cr0", 0x80000011, "PE ET PG" }, { "cr4", 0x620, "PAE OSFXSR OSXMMEXCPT" },
		{ "efer", 0x901, "SCE LME NXE" },  { "mxcsr", 0x7f80, "IM DM ZM OM UM PM RC=3" },
		{ "dr7", 0x2403, "L0 G0 GD" },	   { "eax", ~0u, "" },
	};
	char buf[160];

	for (unsigned i = 0; i < ARRAY_LEN(rows); i++) {
		reg_flags_text(reg_find(rows[i].reg), rows[i].val, buf, sizeof(buf));
		ck_assert_str_eq(buf, rows[i].text);
	}
}
END_TEST

/* Numbers from the manual, against what the rows generate. */
START_TEST(flag_masks)
{
	ck_assert_uint_eq(FL_IOPL, 0x3000);
	ck_assert_uint_eq(FL_ARITH, 0x8d5);
	ck_assert_uint_eq(CR0_PG, 0x80000000u);
	ck_assert_uint_eq(CR4_SMAP, 0x200000);
	ck_assert_uint_eq(EFER_NXE, 0x800);
	ck_assert_uint_eq(DR6_BP | DR6_BD | DR6_BS | DR6_BT, 0xe00f);
	ck_assert_uint_eq(DR7_LOCAL, 0x155);
	ck_assert_uint_eq(DR7_ONE, DR7_INIT);
}
END_TEST

/* ---- exceptions ---- */

START_TEST(exception_rows)
{
	unsigned last = 0;

	for (unsigned v = 0; v < EXC_VECTORS; v++) {
		if (!exc_infos[v].name)
			continue;
		ck_assert_msg(v == 0 || v == last + 1, "a gap before %s", exc_infos[v].name);
		last = v;
		ck_assert(exc_infos[v].title[0]);
		for (unsigned w = v + 1; w < EXC_VECTORS; w++)
			ck_assert(!exc_infos[w].name || strcasecmp(exc_infos[v].name, exc_infos[w].name));
	}
	ck_assert_str_eq(exc_name(EXC_PF), "#PF");
	ck_assert_ptr_null(exc_name(31));
	ck_assert_ptr_null(exc_name(32));
}
END_TEST

START_TEST(exception_sets)
{
	/* SDM vol. 3A tables 6-1 and 6-4 */
	ck_assert_uint_eq(EXC_SET_ERROR_CODE,
			  1 << 8 | 1 << 10 | 1 << 11 | 1 << 12 | 1 << 13 | 1 << 14 | 1 << 17 | 1 << 21);
	ck_assert_uint_eq(EXC_SET_CONTRIBUTORY, 1 << 0 | 1 << 10 | 1 << 11 | 1 << 12 | 1 << 13 | 1 << 21);
	for (unsigned v = 0; v < EXC_VECTORS; v++)
		ck_assert(exc_in(EXC_SET_FAULT, v) ==
			  (exc_infos[v].name && exc_infos[v].class == EXC_CLASS_FAULT));
	ck_assert(!exc_in(EXC_SET_FAULT, EXC_DB) && !exc_in(EXC_SET_FAULT, 32));
}
END_TEST

/* ---- MSRs, features, TSS ---- */

static const struct {
	uint32_t first, last;
	const char *id, *name;
} msr_rows[] = {
#define MSR(id, first, last, where, init, name) { first, last, #id, name },
#include "x86/msrs.def"
#undef MSR
};

START_TEST(msrs_in_order)
{
	for (unsigned i = 0; i < ARRAY_LEN(msr_rows); i++) {
		ck_assert_msg(msr_rows[i].first <= msr_rows[i].last && msr_rows[i].name[0], "%s",
			      msr_rows[i].id);
		ck_assert_msg(!i || msr_rows[i - 1].last < msr_rows[i].first, "%s", msr_rows[i].id);
	}
}
END_TEST

START_TEST(features_are_unique)
{
	for (unsigned i = 0; i < FEATURES; i++) {
		const struct feature_row *f = &feature_rows[i];

		ck_assert_msg(f->bit < 32, "%s", f->name);
		ck_assert_msg(f->needs == FEATURE_NONE || f->needs < i, "%s needs a row below it", f->name);
		ck_assert_uint_eq(feature_find(f->name), i);
		for (unsigned j = i + 1; j < FEATURES; j++) {
			const struct feature_row *g = &feature_rows[j];

			ck_assert_msg(f->leaf != g->leaf || f->sub != g->sub || f->reg != g->reg ||
					  f->bit != g->bit,
				      "%s %s", f->name, g->name);
		}
	}
}
END_TEST

/* The compiler's own names for the bits are the second source. */
START_TEST(feature_masks)
{
	ck_assert_uint_eq(CPUID_SSE2, (unsigned)bit_SSE2);
	ck_assert_uint_eq(CPUID_XSAVE, (unsigned)bit_XSAVE);
	ck_assert_uint_eq(CPUID_OSXSAVE, (unsigned)bit_OSXSAVE);
	ck_assert_uint_eq(CPUID_AVX, (unsigned)bit_AVX);
	ck_assert_uint_eq(CPUID_FMA, (unsigned)bit_FMA);
	ck_assert_uint_eq(CPUID_F16C, (unsigned)bit_F16C);
	ck_assert_uint_eq(CPUID_RDRAND, (unsigned)bit_RDRND);
	ck_assert_uint_eq(CPUID_BMI1, (unsigned)bit_BMI);
	ck_assert_uint_eq(CPUID_BMI2, (unsigned)bit_BMI2);
	ck_assert_uint_eq(CPUID_AVX2, (unsigned)bit_AVX2);
	ck_assert_uint_eq(CPUID_AVX512F, (unsigned)bit_AVX512F);
	ck_assert_uint_eq(CPUID_AVX512DQ, (unsigned)bit_AVX512DQ);
	ck_assert_uint_eq(CPUID_AVX512IFMA, (unsigned)bit_AVX512IFMA);
	ck_assert_uint_eq(CPUID_AVX512CD, (unsigned)bit_AVX512CD);
	ck_assert_uint_eq(CPUID_AVX512BW, (unsigned)bit_AVX512BW);
	ck_assert_uint_eq(CPUID_AVX512VL, (unsigned)bit_AVX512VL);
	ck_assert_uint_eq(CPUID_AVX512VBMI, (unsigned)bit_AVX512VBMI);
	ck_assert_uint_eq(CPUID_AVX512_VBMI2, (unsigned)bit_AVX512VBMI2);
	ck_assert_uint_eq(CPUID_AVX512_VNNI, (unsigned)bit_AVX512VNNI);
	ck_assert_uint_eq(CPUID_AVX512_BITALG, (unsigned)bit_AVX512BITALG);
	ck_assert_uint_eq(CPUID_AVX512_VPOPCNTDQ, (unsigned)bit_AVX512VPOPCNTDQ);
	ck_assert_uint_eq(CPUID_ADX, (unsigned)bit_ADX);
	ck_assert_uint_eq(CPUID_SHA, (unsigned)bit_SHA);
	ck_assert_uint_eq(CPUID_LZCNT, (unsigned)bit_LZCNT);
	ck_assert_uint_eq(CPUID_SSE4A, (unsigned)bit_SSE4a);
	ck_assert_uint_eq(CPUID_UMIP_REG, CPUID_C);
	ck_assert_uint_eq(CPUID_NX_LEAF, 0x80000001u);
}
END_TEST

START_TEST(tss_fields_in_order)
{
	static const struct {
		const char *name;
		size_t at, size;
	} rows[] = {
#define TSS(name, where, size) { #name, offsetof(struct tss32, where), size },
#define TSS64(name, where, size)
#include "x86/tss.def"
#undef TSS64
#undef TSS
	};

	for (unsigned i = 1; i < ARRAY_LEN(rows); i++)
		ck_assert_msg(rows[i].at >= rows[i - 1].at + rows[i - 1].size, "%s", rows[i].name);
	ck_assert_uint_eq(rows[ARRAY_LEN(rows) - 1].at, 102);
}
END_TEST

/* ---- XSAVE ---- */

START_TEST(xsave_as_the_host_says)
{
	unsigned a, b, c, d;

	if (!__get_cpuid_count(0xd, XSAVE_AVX_INDEX, &a, &b, &c, &d) || !a)
		return; /* a host without AVX cannot run guests either */
	ck_assert_uint_eq(a, XSAVE_AVX_BYTES);
	ck_assert_uint_eq(b, XSAVE_AVX_AT);
	ck_assert_uint_eq(xsave_bytes(XCR0_X87 | XCR0_SSE), b);
	ck_assert_uint_eq(xsave_bytes(XCR0_X87 | XCR0_SSE | XCR0_AVX), a + b);
	ck_assert_uint_eq(XCR0_AVX, 1 << XSAVE_AVX_INDEX);
	ck_assert_uint_eq(XCR0_AVX512, AVX512_COMPONENTS);
}
END_TEST

/* FXSAVE writes known contents: where are they? */
START_TEST(legacy_region_as_the_host_writes_it)
{
	static struct xsave_image x __attribute__((aligned(64)));
	uint8_t v[16], one[10] = { 0, 0, 0, 0, 0, 0, 0, 0x80, 0xff, 0x3f };
	uint32_t mxcsr = MXCSR_INIT | 3 << 13;

	memset(v, 0x5a, sizeof(v));
	__asm__ volatile(
	    "fninit\n\tfld1\n\tldmxcsr %2\n\tmovdqu %1, %%xmm5\n\tfxsave %0\n\tfninit\n\tldmxcsr %3"
	    : "=m"(x)
	    : "m"(v), "m"(mxcsr), "m"((uint32_t){ MXCSR_INIT })
	    : "xmm5");
	ck_assert_uint_eq(x.fcw, FCW_INIT);
	ck_assert_uint_eq(x.fsw, 7 << 11);
	ck_assert_uint_eq(x.ftw, 0x80);
	ck_assert_uint_eq(x.mxcsr, mxcsr);
	ck_assert_mem_eq(x.st[0], one, sizeof(one));
	ck_assert_mem_eq(x.xmm[5], v, sizeof(v));
	ck_assert_uint_eq(x.mxcsr_mask & MXCSR_VALID, MXCSR_VALID);
	/* FNSTENV has the full tag word: the oracle of ours */
	ck_assert_uint_eq(xsave_tag_word(&x), 0x3fff);
}
END_TEST

START_TEST(tag_words_as_the_host_writes_them)
{
	static struct xsave_image x __attribute__((aligned(64)));
	uint32_t env[7];

	__asm__ volatile("fninit\n\tfldz\n\tfld1\n\tfldl %2\n\tfxsave %0\n\tfnstenv %1\n\tfninit"
			 : "=m"(x), "=m"(env)
			 : "m"((double){ __builtin_inf() }));
	ck_assert_uint_eq(xsave_tag_word(&x), env[2] & 0xffff);
	ck_assert_uint_eq(xsave_abridged_tags((uint16_t)env[2]), x.ftw);
}
END_TEST

static Suite *suite(void)
{
	Suite *s = suite_create("tables");
	TCase *t = tcase_create("tables");

	suite_add_tcase(s, t);
	tcase_add_test(t, reg_names_are_unique);
	tcase_add_test(t, reg_rows_fit);
	tcase_add_test(t, gdb_core_order);
	tcase_add_test(t, state_rows_do_not_overlap);
	tcase_add_loop_test(t, register_round_trip, 0, 2);
	tcase_add_test(t, refused_values);
	tcase_add_test(t, flags_in_order);
	tcase_add_test(t, flag_texts);
	tcase_add_test(t, flag_masks);
	tcase_add_test(t, exception_rows);
	tcase_add_test(t, exception_sets);
	tcase_add_test(t, msrs_in_order);
	tcase_add_test(t, features_are_unique);
	tcase_add_test(t, feature_masks);
	tcase_add_test(t, tss_fields_in_order);
	tcase_add_test(t, xsave_as_the_host_says);
	tcase_add_test(t, legacy_region_as_the_host_writes_it);
	tcase_add_test(t, tag_words_as_the_host_writes_them);
	return s;
}

int main(void)
{
	return suite_run(suite());
}
