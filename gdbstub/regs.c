/* SPDX-License-Identifier: GPL-3.0-or-later
 * See regs.h. gdb knows the features org.gnu.gdb.i386.* (gdb manual, G.5.5) by name and
 * requires their registers in its own order; other rows of x86/regs.def go into a feature of
 * our own. System registers are plain integers: gdb refuses "p $cr0 = 0x11" for wide
 * flags types. <osabi>none</osabi> keeps gdb from treating the guest as a Linux process. */
#include "gdbstub/regs.h"

#include <stdio.h>
#include <string.h>

#define CORE "org.gnu.gdb.i386.core"
#define SSE "org.gnu.gdb.i386.sse"
#define AVX "org.gnu.gdb.i386.avx"
#define AVX512 "org.gnu.gdb.i386.avx512"
#define SEGMENTS "org.gnu.gdb.i386.segments"
#define SYSTEM "org.vitrine.system"

const struct gdb_arch gdb_archs[] = {
	{ "i386", "32-bit code; eip is the offset in CS", false, false },
	{ "i8086", "16-bit code; eip is linear (CS base + IP)", false, true },
	{ "i386:x86-64", "64-bit registers", true, false },
};
const unsigned gdb_arch_count = ARRAY_LEN(gdb_archs);

const struct gdb_arch *gdb_arch_find(const char *name)
{
	for (unsigned i = 0; i < gdb_arch_count; i++)
		if (!strcmp(gdb_archs[i].name, name))
			return &gdb_archs[i];
	return !strcmp(name, "x86-64") ? &gdb_archs[2] : NULL;
}

const struct gdb_arch *gdb_arch_default(bool wide)
{
	return &gdb_archs[wide ? 2 : 0];
}

/* ---- the layout ---- */

static void add(struct gdb_regs *r, struct gdb_reg reg)
{
	if (r->count < GDB_MAX_REGS)
		r->reg[r->count++] = reg;
}

static const char *int_type(unsigned bits)
{
	return bits == 64 ? "uint64" : bits == 32 ? "uint32" : bits == 16 ? "uint16" : "uint8";
}

/* A register of the table, with gdb's width and type. */
static void add_table(struct gdb_regs *r, const struct reg_info *info, unsigned bits, const char *type,
		      const char *group, const char *feature)
{
	add(r, (struct gdb_reg){ .name = info->name,
				 .type = type,
				 .group = group,
				 .feature = feature,
				 .bits = bits,
				 .source = GDB_REG_TABLE,
				 .info = info });
}

/* gdb's types of registers of its own features that are not plain integers. */
static const char *core_type(const char *name)
{
	static const char *const types[][2] = { { "esp", "data_ptr" },
						{ "ebp", "data_ptr" },
						{ "rsp", "data_ptr" },
						{ "rbp", "data_ptr" },
						{ "eflags", "i386_eflags" } };

	for (size_t i = 0; i < ARRAY_LEN(types); i++)
		if (!strcmp(types[i][0], name))
			return types[i][1];
	return NULL;
}

static void add_pc(struct gdb_regs *r, const char *name, unsigned bits)
{
	add(r, (struct gdb_reg){ .name = name,
				 .type = "code_ptr",
				 .group = "general",
				 .feature = CORE,
				 .bits = bits,
				 .source = GDB_REG_PC });
}

/* General registers, program counter, flags and selectors: what goes into every stop reply ends with the
 * flags. In 64-bit layouts the general registers are the wide ones. */
static void add_core(struct gdb_regs *r)
{
	bool wide = r->arch->wide;

	for (unsigned i = 0; i < reg_count; i++) {
		const struct reg_info *info = &reg_infos[i];
		const char *type = core_type(info->name);

		if (info->mode != REG_ANY_MODE ? info->gdb != (wide ? REG_GDB_WIDE : REG_GDB_CORE)
					       : info->gdb != REG_GDB_CORE)
			continue;
		if (info->offset == offsetof(struct cpu, rip))
			add_pc(r, info->name, info->bits);
		else
			add_table(r, info, info->mode == REG_LONG ? 64 : 32,
				  type			   ? type
				  : info->mode == REG_LONG ? "int64"
							   : "int32",
				  "general", CORE);
		if (info->kind == REG_EFLAGS)
			r->expedited = r->count;
	}
}

/* All registers of the table that are in feature WHICH. */
static void add_feature(struct gdb_regs *r, enum reg_gdb which, const char *type, const char *group,
			const char *feature)
{
	for (unsigned i = 0; i < reg_count; i++)
		if (reg_infos[i].gdb == which)
			add_table(r, &reg_infos[i], 32, type, group, feature);
}

static void add_x87(struct gdb_regs *r)
{
	static const char *const st[] = { "st0", "st1", "st2", "st3", "st4", "st5", "st6", "st7" };

	for (unsigned i = 0; i < 8; i++)
		add(r, (struct gdb_reg){ .name = st[i],
					 .type = "i387_ext",
					 .group = "float",
					 .feature = CORE,
					 .bits = 80,
					 .source = GDB_REG_ST,
					 .index = i });
	add_feature(r, REG_GDB_X87, "int", "float", CORE);
}

static void add_vectors(struct gdb_regs *r, enum gdb_vectors vectors)
{
	static const char *const xmm[] = { "xmm0",  "xmm1",  "xmm2",  "xmm3", "xmm4",  "xmm5",
					   "xmm6",  "xmm7",  "xmm8",  "xmm9", "xmm10", "xmm11",
					   "xmm12", "xmm13", "xmm14", "xmm15" };
	static const char *const ymm[] = { "ymm0h",  "ymm1h",  "ymm2h",	 "ymm3h", "ymm4h",  "ymm5h",
					   "ymm6h",  "ymm7h",  "ymm8h",	 "ymm9h", "ymm10h", "ymm11h",
					   "ymm12h", "ymm13h", "ymm14h", "ymm15h" };
	unsigned n = r->arch->wide ? 16 : 8;

	for (unsigned i = 0; i < n; i++)
		add(r, (struct gdb_reg){ .name = xmm[i],
					 .type = "vec128",
					 .group = "vector",
					 .feature = SSE,
					 .bits = 128,
					 .source = GDB_REG_XMM,
					 .index = i });
	add_feature(r, REG_GDB_SSE, "i386_mxcsr", "general", SSE);
	for (unsigned i = 0; vectors >= GDB_AVX && i < n; i++)
		add(r, (struct gdb_reg){ .name = ymm[i],
					 .type = "uint128",
					 .group = "vector",
					 .feature = AVX,
					 .bits = 128,
					 .source = GDB_REG_YMMH,
					 .index = i });
}

/* gdb's order: halves of ZMM0 to ZMM15 are in the middle of it. */
static void add_avx512(struct gdb_regs *r)
{
	static const struct {
		enum gdb_reg_source source;
		unsigned bits, first, n;
		const char *type, *group, *before, *behind;
	} rows[] = {
		{ GDB_REG_XMM16, 128, 16, 16, "vec128", "vector", "xmm", "" },
		{ GDB_REG_YMM16H, 128, 16, 16, "uint128", "vector", "ymm", "h" },
		{ GDB_REG_K, 64, 0, 8, "uint64", "vector", "k", "" },
		{ GDB_REG_ZMMH, 256, 0, 16, "v2ui128", "vector", "zmm", "h" },
		{ GDB_REG_ZMM16H, 256, 16, 16, "v2ui128", "vector", "zmm", "h" },
	};

	for (unsigned i = 0; i < ARRAY_LEN(rows); i++)
		for (unsigned n = 0; n < rows[i].n; n++) {
			char *name = r->names[r->nnames++];

			snprintf(name, sizeof(r->names[0]), "%s%u%s", rows[i].before, rows[i].first + n,
				 rows[i].behind);
			add(r, (struct gdb_reg){ .name = name,
						 .type = rows[i].type,
						 .group = rows[i].group,
						 .feature = AVX512,
						 .bits = rows[i].bits,
						 .source = rows[i].source,
						 .index = n });
		}
}

enum gdb_vectors gdb_host_vectors(void)
{
	return __builtin_cpu_supports("avx512f") ? GDB_AVX512
	       : __builtin_cpu_supports("avx")	 ? GDB_AVX
						 : GDB_SSE;
}

static bool has_reg(const struct gdb_regs *r, const char *name)
{
	for (unsigned i = 0; i < r->count; i++)
		if (!strcmp(r->reg[i].name, name))
			return true;
	return false;
}

static void add_system(struct gdb_regs *r)
{
	unsigned bits = r->arch->wide ? 64 : 32;

	for (unsigned i = 0; i < reg_count; i++) {
		const struct reg_info *info = &reg_infos[i];
		unsigned width = info->natural ? bits : info->bits;

		if (info->gdb == REG_GDB_OWN && !has_reg(r, info->name))
			add_table(r, info, width, int_type(width), "system", SYSTEM);
	}
	add(r, (struct gdb_reg){ .name = "ip",
				 .type = int_type(bits),
				 .group = "system",
				 .feature = SYSTEM,
				 .bits = bits,
				 .source = GDB_REG_IP });
	if (r->arch->wide)
		add(r, (struct gdb_reg){ .name = "cr8",
					 .type = int_type(64),
					 .group = "system",
					 .feature = SYSTEM,
					 .bits = 64,
					 .source = GDB_REG_CR8 });
	for (unsigned i = 0; r->arch->wide && i < r->count; i++)
		if (!strcmp(r->reg[i].name, "kernel_gs_base"))
			r->reg[i].name = "k_gs_base"; /* as QEMU has it, and tools */
}

void gdb_regs_init(struct gdb_regs *r, const struct gdb_arch *arch, enum gdb_vectors vectors)
{
	*r = (struct gdb_regs){ .arch = arch };
	add_core(r);
	add_x87(r);
	add_vectors(r, vectors);
	if (arch->wide && vectors == GDB_AVX512)
		add_avx512(r);
	if (arch->wide) {
		add_table(r, reg_find("fs_base"), 64, "int64", "general", SEGMENTS);
		add_table(r, reg_find("gs_base"), 64, "int64", "general", SEGMENTS);
	}
	add_system(r);
}

/* ---- XML ---- */

#define VEC128                                                                                               \
	"<vector id=\"v4f\" type=\"ieee_single\" count=\"4\"/><vector id=\"v2d\" type=\"ieee_double\" "      \
	"count=\"2\"/>"                                                                                      \
	"<vector id=\"v16i8\" type=\"int8\" count=\"16\"/><vector id=\"v8i16\" type=\"int16\" count=\"8\"/>" \
	"<vector id=\"v4i32\" type=\"int32\" count=\"4\"/><vector id=\"v2i64\" type=\"int64\" "              \
	"count=\"2\"/>\n"                                                                                    \
	"<union id=\"vec128\"><field name=\"v4_float\" type=\"v4f\"/><field name=\"v2_double\" "             \
	"type=\"v2d\"/>"                                                                                     \
	"<field name=\"v16_int8\" type=\"v16i8\"/><field name=\"v8_int16\" type=\"v8i16\"/>"                 \
	"<field name=\"v4_int32\" type=\"v4i32\"/><field name=\"v2_int64\" type=\"v2i64\"/>"                 \
	"<field name=\"uint128\" type=\"uint128\"/></union>\n"

/* Types that a feature's registers use; printed at its head. Columns: feature, text or register whose named
 * bits make a flags type i386_REGISTER. */
static const struct {
	const char *feature, *text, *flags;
} type_rows[] = {
	{ .feature = CORE, .flags = "eflags" },
	{ .feature = SSE, .text = VEC128 },
	{ .feature = SSE, .flags = "mxcsr" },
	{ .feature = AVX512, .text = VEC128 "<vector id=\"v2ui128\" type=\"uint128\" count=\"2\"/>\n" },
};

static void put_flags(const char *reg, struct out *o)
{
	out_printf(o, "<flags id=\"i386_%s\" size=\"4\">", reg);
	for (unsigned i = 0; i < reg_flag_count; i++) {
		const struct reg_flag *f = &reg_flags[i];

		if (!strcmp(f->reg, reg))
			out_printf(o, "<field name=\"%s\" start=\"%u\" end=\"%u\"%s/>", f->name, f->first,
				   f->last, f->last > f->first ? " type=\"uint32\"" : "");
	}
	out_printf(o, "</flags>\n");
}

static void put_feature_head(const char *feature, struct out *o)
{
	out_printf(o, "<feature name=\"%s\">\n", feature);
	for (size_t i = 0; i < ARRAY_LEN(type_rows); i++)
		if (strcmp(type_rows[i].feature, feature))
			continue;
		else if (type_rows[i].flags)
			put_flags(type_rows[i].flags, o);
		else
			out_printf(o, "%s", type_rows[i].text);
}

void gdb_regs_xml(const struct gdb_regs *r, struct out *o)
{
	const char *feature = NULL;

	out_printf(
	    o,
	    "<?xml version=\"1.0\"?>\n<!DOCTYPE target SYSTEM \"gdb-target.dtd\">\n<target version=\"1.0\">\n"
	    "<architecture>%s</architecture>\n<osabi>none</osabi>\n",
	    r->arch->name);
	for (unsigned i = 0; i < r->count; i++) {
		const struct gdb_reg *g = &r->reg[i];

		if (!feature || strcmp(feature, g->feature)) {
			out_printf(o, "%s", feature ? "</feature>\n" : "");
			feature = g->feature;
			put_feature_head(feature, o);
		}
		out_printf(o, "<reg name=\"%s\" bitsize=\"%u\" type=\"%s\" regnum=\"%u\"", g->name, g->bits,
			   g->type, i);
		out_printf(o, strcmp(g->group, "general") ? " group=\"%s\"/>\n" : "/>\n", g->group);
	}
	out_printf(o, "</feature>\n</target>\n");
}

/* ---- values ---- */

static uint64_t component_of(enum gdb_reg_source source)
{
	return source == GDB_REG_K ? XCR0_OPMASK : source == GDB_REG_ZMMH ? XCR0_ZMM_HI256 : XCR0_HI16_ZMM;
}

static uint8_t *avx512_at(struct avx512_image *x, const struct gdb_reg *g)
{
	switch (g->source) {
	case GDB_REG_K:
		return (uint8_t *)&x->k[g->index];
	case GDB_REG_ZMMH:
		return x->zmmh[g->index];
	case GDB_REG_YMM16H:
		return x->zmm16[g->index] + 16;
	case GDB_REG_ZMM16H:
		return x->zmm16[g->index] + 32;
	default:
		return x->zmm16[g->index];
	}
}

unsigned gdb_reg_get(const struct gdb_regs *r, const struct cpu *c, unsigned n, uint8_t bytes[GDB_REG_BYTES])
{
	const struct gdb_reg *g;
	uint64_t val = 0;

	if (n >= r->count)
		return 0;
	g = &r->reg[n];
	memset(bytes, 0, GDB_REG_BYTES);
	switch (g->source) {
	case GDB_REG_TABLE:
		val = reg_get(c, g->info);
		break;
	case GDB_REG_PC:
		val = r->arch->linear_pc ? cpu_pc(c) : c->rip;
		break;
	case GDB_REG_IP:
		val = c->rip;
		break;
	case GDB_REG_CR8:
		val = r->cr8;
		break;
	case GDB_REG_ST:
		memcpy(bytes, c->xsave.st[g->index], 10);
		return 10;
	case GDB_REG_XMM:
		memcpy(bytes, c->xsave.xmm[g->index], 16);
		return 16;
	case GDB_REG_YMMH:
		memcpy(bytes, c->xsave.ymmh[g->index], 16);
		return 16;
	default:
		if (c->avx512.xstate_bv & component_of(g->source))
			memcpy(bytes, avx512_at((struct avx512_image *)&c->avx512, g), g->bits / 8);
		return g->bits / 8;
	}
	memcpy(bytes, &val, 8);
	return g->bits / 8;
}

/* Set N bytes of a register of the XSAVE image and mark its component as in use. */
static void set_image(struct cpu *c, uint8_t *at, const uint8_t *bytes, unsigned n, uint64_t component)
{
	memcpy(at, bytes, n);
	c->xsave.xstate_bv |= component;
}

/* VAL with the part of OLD that a register of BITS does not show. */
static uint64_t kept_high(uint64_t old, unsigned bits, uint64_t val)
{
	return bits < 64 ? old >> bits << bits | val : val;
}

void gdb_set_pc(const struct gdb_regs *r, struct cpu *c, uint64_t pc)
{
	if (r->arch->linear_pc && !cpu_64(c))
		pc = (uint32_t)(pc - c->seg[SEG_CS].base);
	else if (!r->arch->wide)
		pc = kept_high(c->rip, 32, (uint32_t)pc);
	c->rip = cpu_64(c) ? pc : (uint32_t)pc;
}

const char *gdb_reg_set(const struct gdb_regs *r, struct cpu *c, unsigned n,
			const uint8_t bytes[GDB_REG_BYTES], const struct reg_memory *mem)
{
	const struct gdb_reg *g;
	uint8_t now[GDB_REG_BYTES];
	uint64_t val = 0;

	if (n >= r->count)
		return "no such register";
	g = &r->reg[n];
	gdb_reg_get(r, c, n, now);
	if (!memcmp(now, bytes, g->bits / 8))
		return NULL; /* also for read-only registers */
	memcpy(&val, bytes, g->bits > 64 ? 8 : g->bits / 8);
	switch (g->source) {
	case GDB_REG_TABLE:
		if (g->bits < reg_bits(c, g->info))
			val = kept_high(reg_get(c, g->info), g->bits, val);
		return reg_set(c, g->info, val, mem);
	case GDB_REG_PC:
		gdb_set_pc(r, c, val);
		break;
	case GDB_REG_IP:
		c->rip = kept_high(c->rip, g->bits, val);
		break;
	case GDB_REG_CR8:
		return "this register is read-only";
	case GDB_REG_ST:
		set_image(c, c->xsave.st[g->index], bytes, 10, XCR0_X87);
		break;
	case GDB_REG_XMM:
		set_image(c, c->xsave.xmm[g->index], bytes, 16, XCR0_SSE);
		break;
	case GDB_REG_YMMH:
		set_image(c, c->xsave.ymmh[g->index], bytes, 16, XCR0_AVX);
		break;
	default:
		if ((c->xcr0 & XCR0_AVX512) != XCR0_AVX512)
			return "the guest has not enabled AVX-512";
		avx512_expand(&c->avx512);
		memcpy(avx512_at(&c->avx512, g), bytes, g->bits / 8);
		avx512_settle(&c->avx512);
		break;
	}
	return NULL;
}
