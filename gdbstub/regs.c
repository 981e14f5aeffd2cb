/* SPDX-License-Identifier: GPL-3.0-or-later
 * See regs.h. gdb knows the features org.gnu.gdb.i386.* (gdb manual, G.5.5) by name and
 * wants their registers in its own order; everything else that x86/regs.def has goes into a
 * feature of our own. System registers are plain integers: gdb refuses "p $cr0 = 0x11" for wide
 * flags types. <osabi>none</osabi> keeps gdb from taking the guest for a Linux process. */
#include "gdbstub/regs.h"

#include <stdio.h>
#include <string.h>

#define CORE "org.gnu.gdb.i386.core"
#define SSE "org.gnu.gdb.i386.sse"
#define AVX "org.gnu.gdb.i386.avx"
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

/* ---- the layout ---- */

/* x87 control registers and where the XSAVE image has them (SDM vol. 1 10.5.1). */
enum { X87_TAG = 2 };
static const struct {
	const char *name;
	unsigned offset, size;
} x87_rows[] = {
	{ "fctrl", 0, 2 }, { "fstat", 2, 2 },  { "ftag", 4, 1 },   { "fiseg", 12, 2 },
	{ "fioff", 8, 4 }, { "foseg", 20, 2 }, { "fooff", 16, 4 }, { "fop", 6, 2 },
};

static const char *const core32[] = { "eax", "ecx",    "edx", "ebx", "esp", "ebp", "esi", "edi",
				      "eip", "eflags", "cs",  "ss",  "ds",  "es",  "fs",  "gs" };

/* Name and number in struct cpu. */
static const struct {
	const char *name;
	unsigned index;
} core64[] = {
	{ "rax", 0 },  { "rbx", 3 },  { "rcx", 1 },  { "rdx", 2 },  { "rsi", 6 },  { "rdi", 7 },
	{ "rbp", 5 },  { "rsp", 4 },  { "r8", 8 },   { "r9", 9 },   { "r10", 10 }, { "r11", 11 },
	{ "r12", 12 }, { "r13", 13 }, { "r14", 14 }, { "r15", 15 },
};

static void add(struct gdb_regs *r, struct gdb_reg reg)
{
	if (r->count < GDB_MAX_REGS)
		r->reg[r->count++] = reg;
}

static const char *int_type(unsigned bits)
{
	return bits == 64 ? "uint64" : bits == 32 ? "uint32" : bits == 16 ? "uint16" : "uint8";
}

/* A register of the table under gdb's width and type. */
static void add_table(struct gdb_regs *r, const char *name, const char *as, unsigned bits, const char *type,
		      const char *feature)
{
	add(r, (struct gdb_reg){ .name = as,
				 .type = type,
				 .group = "general",
				 .feature = feature,
				 .bits = bits,
				 .source = GDB_REG_TABLE,
				 .info = reg_find(name) });
}

static const char *core_type(const char *name)
{
	static const char *const types[][2] = { { "esp", "data_ptr" },
						{ "ebp", "data_ptr" },
						{ "eflags", "i386_eflags" } };

	for (size_t i = 0; i < ARRAY_LEN(types); i++)
		if (!strcmp(types[i][0], name))
			return types[i][1];
	return "int32";
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

static void add_core32(struct gdb_regs *r)
{
	for (size_t i = 0; i < ARRAY_LEN(core32); i++)
		if (!strcmp(core32[i], "eip"))
			add_pc(r, "eip", 32);
		else
			add_table(r, core32[i], core32[i], 32, core_type(core32[i]), CORE);
	r->expedited = 10;
}

static void add_core64(struct gdb_regs *r)
{
	for (size_t i = 0; i < ARRAY_LEN(core64); i++)
		add(r, (struct gdb_reg){ .name = core64[i].name,
					 .type = i == 6 || i == 7 ? "data_ptr" : "int64",
					 .group = "general",
					 .feature = CORE,
					 .bits = 64,
					 .source = GDB_REG_GPR,
					 .index = core64[i].index });
	add_pc(r, "rip", 64);
	for (size_t i = 9; i < ARRAY_LEN(core32); i++)
		add_table(r, core32[i], core32[i], 32, core_type(core32[i]), CORE);
	r->expedited = 18;
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
	for (unsigned i = 0; i < ARRAY_LEN(x87_rows); i++)
		add(r, (struct gdb_reg){ .name = x87_rows[i].name,
					 .type = "int",
					 .group = "float",
					 .feature = CORE,
					 .bits = 32,
					 .source = GDB_REG_X87,
					 .index = i });
}

static void add_vectors(struct gdb_regs *r, bool avx)
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
	add_table(r, "mxcsr", "mxcsr", 32, "i386_mxcsr", SSE);
	for (unsigned i = 0; avx && i < n; i++)
		add(r, (struct gdb_reg){ .name = ymm[i],
					 .type = "uint128",
					 .group = "vector",
					 .feature = AVX,
					 .bits = 128,
					 .source = GDB_REG_YMMH,
					 .index = i });
}

static bool has_reg(const struct gdb_regs *r, const char *name)
{
	for (unsigned i = 0; i < r->count; i++)
		if (!strcmp(r->reg[i].name, name))
			return true;
	return false;
}

/* Does gdb see this row of the table, besides those its own features name? What only people who
 * ask want to know ("monitor info registers all") stays out of every "info registers". */
static bool is_shown(const struct reg_info *info)
{
	static const char *const fixed[] = { "cpl", "ldtr", "tr" };

	for (size_t i = 0; i < ARRAY_LEN(fixed); i++)
		if (!strcmp(info->name, fixed[i]))
			return true;
	return info->writable && info->group != REG_GENERAL && info->group != REG_FLOAT &&
	       info->group != REG_PART;
}

static void add_system(struct gdb_regs *r)
{
	for (unsigned i = 0; i < reg_count; i++) {
		const struct reg_info *info = &reg_infos[i];

		if (!is_shown(info) || has_reg(r, info->name))
			continue;
		add(r, (struct gdb_reg){ .name = info->name,
					 .type = int_type(info->bits),
					 .group = "system",
					 .feature = SYSTEM,
					 .bits = info->bits,
					 .source = GDB_REG_TABLE,
					 .info = info });
	}
	add(r, (struct gdb_reg){ .name = "ip",
				 .type = "uint32",
				 .group = "system",
				 .feature = SYSTEM,
				 .bits = 32,
				 .source = GDB_REG_IP });
}

void gdb_regs_init(struct gdb_regs *r, const struct gdb_arch *arch, bool avx)
{
	*r = (struct gdb_regs){ .arch = arch };
	if (arch->wide)
		add_core64(r);
	else
		add_core32(r);
	add_x87(r);
	add_vectors(r, avx);
	if (arch->wide) {
		add_table(r, "fs_base", "fs_base", 64, "int64", SEGMENTS);
		add_table(r, "gs_base", "gs_base", 64, "int64", SEGMENTS);
	}
	add_system(r);
}

/* ---- XML ---- */

/* Types that a feature's registers use; printed at its head. Columns: feature, text. */
static const struct {
	const char *feature, *text;
} type_texts[] = {
	{ CORE, "<flags id=\"i386_eflags\" size=\"4\">"
		"<field name=\"CF\" start=\"0\" end=\"0\"/><field name=\"\" start=\"1\" end=\"1\"/>"
		"<field name=\"PF\" start=\"2\" end=\"2\"/><field name=\"AF\" start=\"4\" end=\"4\"/>"
		"<field name=\"ZF\" start=\"6\" end=\"6\"/><field name=\"SF\" start=\"7\" end=\"7\"/>"
		"<field name=\"TF\" start=\"8\" end=\"8\"/><field name=\"IF\" start=\"9\" end=\"9\"/>"
		"<field name=\"DF\" start=\"10\" end=\"10\"/><field name=\"OF\" start=\"11\" end=\"11\"/>"
		"<field name=\"IOPL\" start=\"12\" end=\"13\" type=\"uint32\"/>"
		"<field name=\"NT\" start=\"14\" end=\"14\"/><field name=\"RF\" start=\"16\" end=\"16\"/>"
		"<field name=\"VM\" start=\"17\" end=\"17\"/><field name=\"AC\" start=\"18\" end=\"18\"/>"
		"<field name=\"VIF\" start=\"19\" end=\"19\"/><field name=\"VIP\" start=\"20\" end=\"20\"/>"
		"<field name=\"ID\" start=\"21\" end=\"21\"/></flags>\n" },
	{ SSE,
	  "<vector id=\"v4f\" type=\"ieee_single\" count=\"4\"/><vector id=\"v2d\" type=\"ieee_double\" "
	  "count=\"2\"/>"
	  "<vector id=\"v16i8\" type=\"int8\" count=\"16\"/><vector id=\"v8i16\" type=\"int16\" count=\"8\"/>"
	  "<vector id=\"v4i32\" type=\"int32\" count=\"4\"/><vector id=\"v2i64\" type=\"int64\" "
	  "count=\"2\"/>\n"
	  "<union id=\"vec128\"><field name=\"v4_float\" type=\"v4f\"/><field name=\"v2_double\" "
	  "type=\"v2d\"/>"
	  "<field name=\"v16_int8\" type=\"v16i8\"/><field name=\"v8_int16\" type=\"v8i16\"/>"
	  "<field name=\"v4_int32\" type=\"v4i32\"/><field name=\"v2_int64\" type=\"v2i64\"/>"
	  "<field name=\"uint128\" type=\"uint128\"/></union>\n"
	  "<flags id=\"i386_mxcsr\" size=\"4\"><field name=\"IE\" start=\"0\" end=\"0\"/>"
	  "<field name=\"DE\" start=\"1\" end=\"1\"/><field name=\"ZE\" start=\"2\" end=\"2\"/>"
	  "<field name=\"OE\" start=\"3\" end=\"3\"/><field name=\"UE\" start=\"4\" end=\"4\"/>"
	  "<field name=\"PE\" start=\"5\" end=\"5\"/><field name=\"DAZ\" start=\"6\" end=\"6\"/>"
	  "<field name=\"IM\" start=\"7\" end=\"7\"/><field name=\"DM\" start=\"8\" end=\"8\"/>"
	  "<field name=\"ZM\" start=\"9\" end=\"9\"/><field name=\"OM\" start=\"10\" end=\"10\"/>"
	  "<field name=\"UM\" start=\"11\" end=\"11\"/><field name=\"PM\" start=\"12\" end=\"12\"/>"
	  "<field name=\"FZ\" start=\"15\" end=\"15\"/></flags>\n" },
};

static void put_feature_head(const char *feature, struct out *o)
{
	out_printf(o, "<feature name=\"%s\">\n", feature);
	for (size_t i = 0; i < ARRAY_LEN(type_texts); i++)
		if (!strcmp(type_texts[i].feature, feature))
			out_printf(o, "%s", type_texts[i].text);
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

enum { XSAVE_ST = 32, XSAVE_XMM = 160, XSAVE_BV = 512, XSAVE_YMMH = 576 };

/* The full tag word of the abridged one: 3 empty, 0 valid, 1 zero, 2 special. (SDM vol. 1 8.1.7.) */
static uint32_t full_tags(const uint8_t *fpu)
{
	unsigned top = fpu[3] >> 3 & 7;
	uint32_t tags = 0;

	for (unsigned phys = 0; phys < 8; phys++) {
		const uint8_t *st = fpu + XSAVE_ST + 16 * ((phys - top) & 7);
		uint64_t mant;
		uint16_t exp;
		unsigned tag;

		memcpy(&mant, st, 8);
		memcpy(&exp, st + 8, 2);
		exp &= 0x7fff;
		if (!(fpu[4] >> phys & 1))
			tag = 3;
		else if (!exp && !mant)
			tag = 1;
		else
			tag = exp == 0x7fff || !(mant >> 63) ? 2 : 0;
		tags |= tag << (2 * phys);
	}
	return tags;
}

static uint8_t abridged_tags(uint32_t full)
{
	uint8_t tags = 0;

	for (unsigned i = 0; i < 8; i++)
		if ((full >> (2 * i) & 3) != 3)
			tags |= (uint8_t)(1u << i);
	return tags;
}

static uint32_t get_x87(const uint8_t *fpu, unsigned index)
{
	uint32_t val = 0;

	if (index == X87_TAG)
		return full_tags(fpu);
	memcpy(&val, fpu + x87_rows[index].offset, x87_rows[index].size);
	return val;
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
	case GDB_REG_GPR:
		val = c->gpr[g->index];
		break;
	case GDB_REG_PC:
		val = r->arch->linear_pc ? cpu_pc(c) : r->arch->wide ? c->rip : (uint32_t)c->rip;
		break;
	case GDB_REG_IP:
		val = (uint32_t)c->rip;
		break;
	case GDB_REG_X87:
		val = get_x87(c->fpu, g->index);
		break;
	case GDB_REG_ST:
		memcpy(bytes, c->fpu + XSAVE_ST + 16 * g->index, 10);
		return 10;
	case GDB_REG_XMM:
		memcpy(bytes, c->fpu + XSAVE_XMM + 16 * g->index, 16);
		return 16;
	case GDB_REG_YMMH:
		memcpy(bytes, c->fpu + XSAVE_YMMH + 16 * g->index, 16);
		return 16;
	}
	memcpy(bytes, &val, 8);
	return g->bits / 8;
}

static void set_x87(uint8_t *fpu, unsigned index, uint32_t val)
{
	if (index == X87_TAG)
		val = abridged_tags(val);
	memcpy(fpu + x87_rows[index].offset, &val, x87_rows[index].size);
}

/* Set N bytes of a vector or x87 register and mark its state component as in use. */
static void set_xsave(struct cpu *c, unsigned offset, const uint8_t *bytes, unsigned n, unsigned component)
{
	memcpy(c->fpu + offset, bytes, n);
	c->fpu[XSAVE_BV] |= (uint8_t)(1u << component);
}

static bool set_table(struct cpu *c, const struct reg_info *info, uint64_t val, bool *system)
{
	if (reg_set(c, info, val))
		return false;
	if (info->group != REG_GENERAL && info->group != REG_FLOAT)
		*system = true;
	if (info->kind == REG_SEL)
		*system = true;
	return true;
}

/* Outside long mode registers have 32 bits, whatever the description says. */
static uint64_t narrowed(const struct cpu *c, uint64_t val)
{
	return c->efer & EFER_LMA ? val : (uint32_t)val;
}

bool gdb_reg_set(const struct gdb_regs *r, struct cpu *c, unsigned n, const uint8_t bytes[GDB_REG_BYTES],
		 bool *system)
{
	const struct gdb_reg *g;
	uint8_t now[GDB_REG_BYTES];
	uint64_t val = 0;

	if (n >= r->count)
		return false;
	g = &r->reg[n];
	gdb_reg_get(r, c, n, now);
	if (!memcmp(now, bytes, g->bits / 8))
		return true; /* also what cannot be written */
	memcpy(&val, bytes, g->bits > 64 ? 8 : g->bits / 8);
	switch (g->source) {
	case GDB_REG_TABLE:
		return set_table(c, g->info, val, system);
	case GDB_REG_GPR:
		c->gpr[g->index] = narrowed(c, val);
		break;
	case GDB_REG_PC:
		c->rip = r->arch->linear_pc ? (uint32_t)(val - c->seg[SEG_CS].base) : narrowed(c, val);
		break;
	case GDB_REG_IP:
		c->rip = (uint32_t)val;
		break;
	case GDB_REG_X87:
		set_x87(c->fpu, g->index, (uint32_t)val);
		c->fpu[XSAVE_BV] |= 1;
		break;
	case GDB_REG_ST:
		set_xsave(c, XSAVE_ST + 16 * g->index, bytes, 10, 0);
		break;
	case GDB_REG_XMM:
		set_xsave(c, XSAVE_XMM + 16 * g->index, bytes, 16, 1);
		break;
	case GDB_REG_YMMH:
		set_xsave(c, XSAVE_YMMH + 16 * g->index, bytes, 16, 2);
		break;
	}
	return true;
}
