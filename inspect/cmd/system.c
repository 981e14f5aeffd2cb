/* SPDX-License-Identifier: GPL-3.0-or-later
 * "info", and the views of the processor's system state: registers, descriptor
 * tables, TSS, x87 and SSE. Devices' views are declared by the devices. */
#include "inspect/tables_int.h"
#include "x86/descriptor.h"
#include "x86/regs.h"
#include "x86/tss.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- registers ---- */

static const struct view_col reg_cols[] = {
	{ "name", "Name", VAL_STR, "", "as in expressions, without the $" },
	{ "value", "Value", VAL_HEX, "", "unsigned" },
	{ "flags", "Flags", VAL_FLAGS, "", "names of the bits set" },
	{ "decimal", "Decimal", VAL_UINT, "", "the same value" },
};
RECORD_DOC(register_record, "sreg creg dreg", reg_cols);

static void reg_row(const struct cpu *c, const struct reg_info *r, struct row_sink *sink)
{
	uint64_t val = reg_get(c, r);
	char flags[160];

	reg_flags_text(r, val, flags, sizeof(flags));
	sink->row(sink, (struct value[]){ V_STR(r->name), V_HEX(val), flags[0] ? V_STR(flags) : V_NONE,
					  V_UINT(val) });
}

/* CR8 is not the processor's own. It is shown behind CR4 in IA-32e mode, which alone can access it. */
static void cr8_row(struct inspect *s, struct row_sink *sink)
{
	unsigned val = machine_cr8(s->m);

	sink->row(sink, (struct value[]){ V_STR("cr8"), V_HEX(val), V_NONE, V_UINT(val) });
}

static void put_row(struct inspect *s, const struct reg_info *r, struct row_sink *sink)
{
	reg_row(session_cpu(s), r, sink);
	if (!strcmp(r->name, "cr4") && cpu_long(session_cpu(s)))
		cr8_row(s, sink);
}

/* Does WORD name R: a register, with or without $, or its group, if that shows it now? */
static bool means(const struct cpu *c, const struct reg_info *r, const char *word, size_t len)
{
	const char *names[] = { r->name, reg_group_names[r->group], "all", "-a" };

	if (*word == '$') {
		word++;
		len--;
	}
	for (size_t i = 0; i < (reg_shown(c, r) ? ARRAY_LEN(names) : 1); i++)
		if (strlen(names[i]) == len && !memcmp(names[i], word, len))
			return true;
	return false;
}

/* Add the rows for one word of "info registers". */
static bool registers_meant(struct inspect *s, const char *word, size_t len, struct row_sink *sink)
{
	const struct cpu *c = session_cpu(s);
	bool any = false;

	for (unsigned i = 0; i < reg_count; i++) {
		if (!means(c, &reg_infos[i], word, len))
			continue;
		put_row(s, &reg_infos[i], sink);
		any = true;
	}
	if (!any && len == 3 && !memcmp(word, "cr8", 3)) {
		cr8_row(s, sink);
		any = true;
	}
	return any;
}

/* Is R shown if nothing is asked for? */
static bool is_default(const struct cpu *c, const struct reg_info *r)
{
	return reg_shown(c, r) && (r->group == REG_GENERAL || r->group == REG_CONTROL);
}

static const char *registers_rows(void *owner, const char *arg, struct row_sink *sink)
{
	struct inspect *s = owner;

	if (!s->m)
		return "no machine";
	for (unsigned i = 0; !*arg && i < reg_count; i++)
		if (is_default(session_cpu(s), &reg_infos[i]))
			put_row(s, &reg_infos[i], sink);
	for (size_t n; *arg; arg += n + strspn(arg + n, " ")) {
		n = strcspn(arg, " ");
		if (!registers_meant(s, arg, n, sink))
			return "no such register or group (groups: general segment control debug system float part all)";
	}
	return NULL;
}

const struct view view_registers = {
	.name = "registers",
	.help = "processor registers ('info registers all', groups, or names)",
	VIEW_COLS(reg_cols),
	.rows = registers_rows,
	.flags = VIEW_TEXT,
	.words = "all|general|segment|control|debug|system|float|part|<registers.name>",
};

/* ---- x87 and SSE: the XSAVE image's legacy area, SDM vol. 1 10.5.1 ---- */

static const struct view_col fpu_cols[] = {
	{ "name", "Name", VAL_STR, "", "st0 is the top of the stack" },
	{ "value", "Value", VAL_STR, "", "decimal" },
	{ "raw", "Raw", VAL_STR, "", "sign and exponent, significand" },
};

static const char *fpu_rows(void *owner, const char *arg, struct row_sink *sink)
{
	struct inspect *s = owner;
	char name[8], text[64], raw[32];

	(void)arg;
	if (!s->m)
		return "no machine";
	for (unsigned i = 0; i < 8; i++) {
		const uint8_t *at = session_cpu(s)->xsave.st[i];
		long double val = 0;
		uint64_t mant;
		uint16_t exp;

		memcpy(&val, at, 10);
		memcpy(&mant, at, 8);
		memcpy(&exp, at + 8, 2);
		snprintf(name, sizeof(name), "st%u", i);
		snprintf(text, sizeof(text), "%.19Lg", val);
		snprintf(raw, sizeof(raw), "%04x %016llx", exp, (unsigned long long)mant);
		sink->row(sink, (struct value[]){ V_STR(name), V_STR(text), V_STR(raw) });
	}
	return NULL;
}

const struct view view_fpu = {
	.name = "fpu",
	.help = "the x87 registers",
	VIEW_COLS(fpu_cols),
	.rows = fpu_rows,
};

static const struct view_col xmm_cols[] = {
	{ "name", "Name", VAL_STR, "", "register" },
	{ "high", "High", VAL_HEX, "", "bits 64 to 127" },
	{ "low", "Low", VAL_HEX, "", "bits 0 to 63" },
};

static const char *xmm_rows(void *owner, const char *arg, struct row_sink *sink)
{
	struct inspect *s = owner;
	uint64_t half[2];
	char name[8];

	(void)arg;
	if (!s->m)
		return "no machine";
	for (unsigned i = 0; i < (cpu_long(session_cpu(s)) ? 16 : 8); i++) {
		memcpy(half, session_cpu(s)->xsave.xmm[i], sizeof(half));
		snprintf(name, sizeof(name), "xmm%u", i);
		sink->row(sink, (struct value[]){ V_STR(name), V_HEX(half[1]), V_HEX(half[0]) });
	}
	return NULL;
}

const struct view view_xmm = {
	.name = "xmm",
	.help = "the SSE registers",
	VIEW_COLS(xmm_cols),
	.rows = xmm_rows,
};

static const struct view_col zmm_cols[] = {
	{ "name", "Name", VAL_STR, "", "register" },
	{ "q7", "511:448", VAL_HEX, "", "bits 448 to 511" },
	{ "q6", "447:384", VAL_HEX, "", "bits 384 to 447" },
	{ "q5", "383:320", VAL_HEX, "", "bits 320 to 383" },
	{ "q4", "319:256", VAL_HEX, "", "bits 256 to 319" },
	{ "q3", "255:192", VAL_HEX, "", "bits 192 to 255" },
	{ "q2", "191:128", VAL_HEX, "", "bits 128 to 191" },
	{ "q1", "127:64", VAL_HEX, "", "bits 64 to 127" },
	{ "q0", "63:0", VAL_HEX, "", "bits 0 to 63" },
};

static void zmm_row(const struct cpu *c, const struct avx512_image *w, unsigned i, struct row_sink *sink)
{
	uint64_t q[8] = { 0 };
	char name[8];

	if (i < 16) {
		memcpy(q, c->xsave.xmm[i], 16);
		memcpy(q + 2, c->xsave.ymmh[i], 16);
		memcpy(q + 4, w->zmmh[i], 32);
	} else {
		memcpy(q, w->zmm16[i - 16], 64);
	}
	snprintf(name, sizeof(name), "zmm%u", i);
	sink->row(sink, (struct value[]){ V_STR(name), V_HEX(q[7]), V_HEX(q[6]), V_HEX(q[5]), V_HEX(q[4]),
					  V_HEX(q[3]), V_HEX(q[2]), V_HEX(q[1]), V_HEX(q[0]) });
}

static const char *zmm_rows(void *owner, const char *arg, struct row_sink *sink)
{
	struct inspect *s = owner;
	struct avx512_image w;

	(void)arg;
	if (!s->m)
		return "no machine";
	w = session_cpu(s)->avx512;
	avx512_expand(&w);
	for (unsigned i = 0; i < (cpu_long(session_cpu(s)) ? 32 : 8); i++)
		zmm_row(session_cpu(s), &w, i, sink);
	return NULL;
}

const struct view view_zmm = {
	.name = "zmm",
	.help = "the vector registers of AVX and AVX-512",
	VIEW_COLS(zmm_cols),
	.rows = zmm_rows,
};

static const struct view_col opmask_cols[] = {
	{ "name", "Name", VAL_STR, "", "register" },
	{ "value", "Value", VAL_HEX, "", "a bit for each element" },
};

static const char *opmask_rows(void *owner, const char *arg, struct row_sink *sink)
{
	struct inspect *s = owner;
	struct avx512_image w;
	char name[8];

	(void)arg;
	if (!s->m)
		return "no machine";
	w = session_cpu(s)->avx512;
	avx512_expand(&w);
	for (unsigned i = 0; i < ARRAY_LEN(w.k); i++) {
		snprintf(name, sizeof(name), "k%u", i);
		sink->row(sink, (struct value[]){ V_STR(name), V_HEX(w.k[i]) });
	}
	return NULL;
}

const struct view view_opmask = {
	.name = "opmask",
	.help = "the mask registers of AVX-512",
	VIEW_COLS(opmask_cols),
	.rows = opmask_rows,
};

/* ---- descriptor tables, SDM vol. 3A 3.4.5 and 6.11 ---- */

static const struct view_col desc_cols[] = {
	{ "selector", "Selector", VAL_HEX, "", "with RPL 0" },
	{ "type", "Type", VAL_STR, "", "kind of descriptor" },
	{ "base", "Base", VAL_ADDR, "", "of a segment" },
	{ "limit", "Limit", VAL_HEX, "", "last offset, scaled" },
	{ "dpl", "DPL", VAL_UINT, "", "privilege level" },
	{ "present", "Present", VAL_BOOL, "", "P bit" },
	{ "raw", "Raw", VAL_HEX, "", "the eight bytes; of the 16 of IA-32e mode the first eight" },
};

static void desc_row(unsigned sel, const struct desc *d, bool ia32e, struct row_sink *sink)
{
	bool gate = desc_is_gate(d);
	char type[48];

	desc_type_text(d, ia32e, type, sizeof(type));
	sink->row(sink, (struct value[]){ V_HEX(sel), V_STR(type), gate ? V_NONE : V_ADDR(desc_base64(d)),
					  gate ? V_NONE : V_HEX(desc_limit(d)), V_UINT(desc_dpl(d)),
					  V_BOOL(desc_present(d)), V_HEX((uint64_t)d->hi << 32 | d->lo) });
}

/* Read the descriptor at LIN, of which BYTES are there; in IA-32e mode system descriptors have 16. Return its
 * size; 0: not readable. */
static unsigned read_desc(struct inspect *s, gva lin, uint32_t bytes, struct desc *d)
{
	bool ia32e = cpu_long(session_cpu(s));
	uint64_t raw[2] = { 0 };

	if (session_read(s, false, lin, raw, 8) != 8)
		return 0;
	*d = desc_of(raw[0]);
	if (!ia32e || (d->hi & D_S) || !raw[0] || bytes < 16)
		return 8;
	if (session_read(s, false, lin + 8, raw + 1, 8) != 8)
		return 0;
	d->upper = (uint32_t)raw[1];
	return 16;
}

static const char *desc_table(struct inspect *s, gva base, uint32_t limit, unsigned ti, struct row_sink *sink)
{
	unsigned size;
	struct desc d;

	if (limit > 0xffff)
		limit = 0xffff;
	for (uint32_t off = 0; off + 7 <= limit; off += size) {
		size = read_desc(s, base + off, limit + 1 - off, &d);
		if (!size)
			return "the table cannot be read completely";
		if (d.lo | d.hi)
			desc_row(off | ti, &d, cpu_long(session_cpu(s)), sink);
	}
	return NULL;
}

static const char *gdt_rows(void *owner, const char *arg, struct row_sink *sink)
{
	struct inspect *s = owner;

	(void)arg;
	if (!s->m)
		return "no machine";
	return desc_table(s, session_cpu(s)->gdtr.base, session_cpu(s)->gdtr.limit, 0, sink);
}

const struct view view_gdt = {
	.name = "gdt",
	.help = "the global descriptor table (entries that are not 0)",
	VIEW_COLS(desc_cols),
	.rows = gdt_rows,
};

static const char *ldt_rows(void *owner, const char *arg, struct row_sink *sink)
{
	struct inspect *s = owner;

	(void)arg;
	if (!s->m)
		return "no machine";
	if (sel_null(session_cpu(s)->ldtr.sel))
		return "no LDT is loaded";
	return desc_table(s, session_cpu(s)->ldtr.base, session_cpu(s)->ldtr.limit, SEL_TI, sink);
}

const struct view view_ldt = {
	.name = "ldt",
	.help = "the local descriptor table (entries that are not 0)",
	VIEW_COLS(desc_cols),
	.rows = ldt_rows,
};

static const struct view_col idt_cols[] = {
	{ "vector", "Vector", VAL_HEX, "", "interrupt or exception" },
	{ "type", "Type", VAL_STR, "", "kind of gate" },
	{ "selector", "Selector", VAL_HEX, "", "code segment or TSS" },
	{ "offset", "Offset", VAL_ADDR, "", "of the handler" },
	{ "symbol", "Symbol", VAL_SYMBOL, "", "of the handler" },
	{ "dpl", "DPL", VAL_UINT, "", "privilege level that INT needs" },
	{ "present", "Present", VAL_BOOL, "", "P bit" },
};

static void gate_row(struct inspect *s, unsigned vec, const uint64_t raw[2], struct row_sink *sink)
{
	bool ia32e = cpu_long(session_cpu(s));
	struct desc d = desc_of(raw[0]);
	char sym[300], type[48];

	d.upper = (uint32_t)raw[1];
	desc_type_text(&d, ia32e, type, sizeof(type));
	if (ia32e && (d.hi & GATE_IST))
		snprintf(type + strlen(type), sizeof(type) - strlen(type), " IST %u", d.hi & GATE_IST);
	symbols_text(&s->symbols, gate_offset64(&d), sym, sizeof(sym));
	sink->row(sink, (struct value[]){ V_HEX(vec), V_STR(type), V_HEX(gate_selector(&d)),
					  V_ADDR(gate_offset64(&d)), sym[0] ? V_STR(sym) : V_NONE,
					  V_UINT(desc_dpl(&d)), V_BOOL(desc_present(&d)) });
}

/* Real mode: the vector table of far pointers. */
static void vector_row(struct inspect *s, unsigned vec, uint32_t ptr, struct row_sink *sink)
{
	char sym[300];

	symbols_text(&s->symbols, (ptr >> 16 << 4) + (ptr & 0xffff), sym, sizeof(sym));
	sink->row(sink,
		  (struct value[]){ V_HEX(vec), V_STR("real-mode vector"), V_HEX(ptr >> 16),
				    V_ADDR(ptr & 0xffff), sym[0] ? V_STR(sym) : V_NONE, V_NONE, V_NONE });
}

static const char *idt_rows(void *owner, const char *arg, struct row_sink *sink)
{
	struct inspect *s = owner;
	const struct cpu *c;
	unsigned size;

	(void)arg;
	if (!s->m)
		return "no machine";
	c = session_cpu(s);
	size = cpu_long(c) ? 16 : cpu_pe(c) ? 8 : 4;
	for (unsigned vec = 0; vec < 256 && vec * size + size - 1 <= c->idtr.limit; vec++) {
		uint64_t raw[2] = { 0 };

		if (session_read(s, false, c->idtr.base + vec * size, raw, size) != size)
			return "the table cannot be read completely";
		if (raw[0] && size >= 8)
			gate_row(s, vec, raw, sink);
		else if (raw[0])
			vector_row(s, vec, (uint32_t)raw[0], sink);
	}
	return NULL;
}

const struct view view_idt = {
	.name = "idt",
	.help = "the interrupt descriptor table (entries that are not 0)",
	VIEW_COLS(idt_cols),
	.rows = idt_rows,
};

/* ---- TSS, SDM vol. 3A 7.2.1 ---- */

static const struct tss_field {
	const char *name;
	unsigned offset, size;
} tss_fields[] = {
#define TSS(name, where, size) { #name, offsetof(struct tss32, where), size },
#define TSS64(name, where, size)
#include "x86/tss.def"
#undef TSS
#undef TSS64
}, tss64_fields[] = {
#define TSS(name, where, size)
#define TSS64(name, where, size) { #name, offsetof(struct tss64, where), size },
#include "x86/tss.def"
#undef TSS
#undef TSS64
};

static const struct view_col tss_cols[] = {
	{ "field", "Field", VAL_STR, "", "of the 32-bit TSS; in IA-32e mode of the 64-bit one" },
	{ "value", "Value", VAL_HEX, "", "in memory" },
};

static const char *tss_rows(void *owner, const char *arg, struct row_sink *sink)
{
	const struct tss_field *field = tss_fields;
	size_t n = ARRAY_LEN(tss_fields);
	struct inspect *s = owner;

	(void)arg;
	if (!s->m)
		return "no machine";
	if (sel_null(session_cpu(s)->tr.sel))
		return "no task register is loaded";
	if (cpu_long(session_cpu(s))) {
		field = tss64_fields;
		n = ARRAY_LEN(tss64_fields);
	}
	for (; n--; field++) {
		uint64_t val = 0;

		if (session_read(s, false, session_cpu(s)->tr.base + field->offset, &val, field->size) !=
		    field->size)
			return "the TSS cannot be read completely";
		sink->row(sink, (struct value[]){ V_STR(field->name), V_HEX(val) });
	}
	return NULL;
}

const struct view view_tss = {
	.name = "tss",
	.help = "the task state segment",
	VIEW_COLS(tss_cols),
	.rows = tss_rows,
};

/* ---- commands ---- */

static const struct view_col info_cols[] = {
	{ "view", "View", VAL_STR, "", "name of the view, for 'info'" },
	{ "help", "Shows", VAL_HELP, "", "one line of help" },
};
RECORD_DOC(info_record, "info", info_cols);

static void list_view(void *ctx, const struct view *v)
{
	table_row(ctx, (struct value[]){ V_STR(v->name), V_STR(v->help) });
}

static int cmd_info(struct inspect *s, const struct cmd_args *a, struct result *r)
{
	struct table *t;

	r->json = a->argc && !strcmp(a->argv[0], "-j");
	if (a->argc > r->json)
		return view_show(s, a->argv[r->json], a, r->json + 1, r);
	t = result_table(r, info_cols, ARRAY_LEN(info_cols), TABLE_GRID, NULL);
	view_each(s, list_view, t);
	table_sort(t, "view");
	return 0;
}

/* Bochs' names for groups of registers. */
static int show_group(struct inspect *s, const struct cmd_args *a, struct result *r, const char *group)
{
	struct table *t = result_table(r, reg_cols, ARRAY_LEN(reg_cols), TABLE_PLAIN, NULL);

	(void)a;
	registers_rows(s, group, &t->sink);
	return 0;
}

static int cmd_sreg(struct inspect *s, const struct cmd_args *a, struct result *r)
{
	return show_group(s, a, r, "segment");
}

static int cmd_creg(struct inspect *s, const struct cmd_args *a, struct result *r)
{
	return show_group(s, a, r, "control");
}

static int cmd_dreg(struct inspect *s, const struct cmd_args *a, struct result *r)
{
	return show_group(s, a, r, "debug");
}

static const struct command commands[] = {
	{ "info", "i", "[VIEW [ARGUMENT] [-j] [sort=[-]COLUMN] [limit=N]]",
	  "show a view; without VIEW, list them",
	  "-j: as JSON, one object a line. sort=-COLUMN sorts in descending order. Columns have their JSON names.",
	  cmd_info, CMD_PAUSE, 0, -1, "<view> <argument> ..." },
	{ "sreg", NULL, "", "show the segment registers", NULL, cmd_sreg, CMD_MACHINE | CMD_PAUSE, 0, 0,
	  COMP_NONE },
	{ "creg", NULL, "", "show the control registers", NULL, cmd_creg, CMD_MACHINE | CMD_PAUSE, 0, 0,
	  COMP_NONE },
	{ "dreg", NULL, "", "show the debug registers", NULL, cmd_dreg, CMD_MACHINE | CMD_PAUSE, 0, 0,
	  COMP_NONE },
	{ 0 },
};

const struct command_group cmd_system_group = { "system", "Views", commands };
