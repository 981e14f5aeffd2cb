/* SPDX-License-Identifier: GPL-3.0-or-later
 * See ccf.h. The engine hands out the bytes (x86/engine_translator.h); both sides are disassembled here. */
#include "inspect/ccf.h"
#include "inspect/examine_int.h"
#include "inspect/tables_int.h"
#include "x86/disas.h"
#include "x86/engine_translator.h"

#include <stdio.h>
#include <string.h>

enum { MAX_FRAGMENTS = 64 };

static const struct view_col head_cols[] = {
	{ "pc", "guest pc", VAL_ADDR, "", "guest-linear address of the first instruction" },
	{ "symbol", "symbol", VAL_SYMBOL, "", "where that is" },
	{ "page", "ppn", VAL_HEX, "", "physical page it was made from" },
	{ "bits", "bits", VAL_UINT, "", "code size, 16 or 32" },
	{ "insns", "insns", VAL_UINT, "", "guest instructions" },
	{ "bytes", "bytes", VAL_UINT, "B", "guest code" },
	{ "host", "host", VAL_HEX, "", "host address of the first byte" },
	{ "size", "size", VAL_UINT, "B", "host code, exits included" },
	{ "expansion", "expansion", VAL_REAL, "", "host bytes for a guest byte" },
};
RECORD_DOC(ccf_record, "ccf", head_cols);

static const struct view_col code_cols[] = {
	{ "pc", "guest pc", VAL_ADDR, "", "guest-linear address of the instruction" },
	{ "guest_bytes", "bytes", VAL_STR, "", "its bytes" },
	{ "guest", "guest instruction", VAL_STR, "", "Intel syntax" },
	{ "lowering", "lowered", VAL_STR, "",
	  "how: ident, window, in-tc, callout, chain; exit: stubs behind the code; entry: code before "
	  "the first instruction" },
	{ "host_pc", "host pc", VAL_HEX, "", "host address" },
	{ "host", "host instruction", VAL_STR, "", "Intel syntax, 64-bit" },
	{ "host_bytes", "host bytes", VAL_STR, "", "its bytes" },
};
RECORD_DOC(ccf_code_record, "ccf", code_cols);

/* One guest instruction, or the stubs around the code, being written as rows. */
struct piece {
	const struct engine_fragment *f;
	struct table *t;
	bool has_guest;
	gva pc;
	char text[400], bytes[40];
	const char *lowering;
};

static void hex_bytes(const uint8_t *p, unsigned n, char *buf, size_t len)
{
	size_t at = 0;

	buf[0] = 0;
	for (unsigned i = 0; i < n && at < len; i++)
		at += (size_t)snprintf(buf + at, len - at, "%02x", p[i]);
}

static void code_row(const struct piece *p, bool first, uint64_t host, const char *text, const char *bytes)
{
	bool guest = first && p->has_guest;

	table_row(p->t, (struct value[]){ guest ? V_ADDR(p->pc) : V_NONE, guest ? V_STR(p->bytes) : V_NONE,
					  guest ? V_STR(p->text) : V_NONE, V_STR(p->lowering),
					  text ? V_HEX(host) : V_NONE, text ? V_STR(text) : V_NONE,
					  text ? V_STR(bytes) : V_NONE });
}

/* Add the host code [FROM, TO) as rows of P; a guest instruction without host code has one row too. */
static void host_rows(const struct piece *p, unsigned from, unsigned to)
{
	struct disas_insn in;
	bool first = true;
	char bytes[40];

	if (from >= to && p->has_guest)
		code_row(p, true, 0, NULL, NULL);
	while (from < to) {
		disas_decode(p->f->host + from, to - from, p->f->host_addr + from, 64, &in);
		hex_bytes(p->f->host + from, in.len, bytes, sizeof(bytes));
		code_row(p, first, p->f->host_addr + from, in.text, bytes);
		first = false;
		from += in.len;
	}
}

static void guest_insn(struct inspect *s, struct piece *p, unsigned i)
{
	unsigned from = p->f->guest_off(p->f, i), to = p->f->guest_off(p->f, i + 1);
	struct disas_insn in;

	p->has_guest = true;
	p->pc = p->f->pc + from;
	p->lowering = p->f->lowering(p->f, i);
	p->bytes[0] = 0;
	if (p->f->guest && from < to) {
		disas_decode(p->f->guest + from, to - from, p->pc, p->f->bits, &in);
		hex_bytes(p->f->guest + from, to - from, p->bytes, sizeof(p->bytes));
	} else if (!examine_insn(s, p->pc, &in)) {
		snprintf(in.text, sizeof(in.text), "(not readable)");
		in.has_target = false;
	}
	examine_insn_text(s, &in, p->text, sizeof(p->text));
	if (p->f->patched(p->f, i))
		snprintf(p->text + strlen(p->text), sizeof(p->text) - strlen(p->text), "  (patch %u)",
			 p->f->patched(p->f, i));
}

static void add_code(struct inspect *s, const struct engine_fragment *f, struct result *r)
{
	struct piece p = { .f = f, .lowering = "entry" };

	p.t = result_table(r, code_cols, ARRAY_LEN(code_cols), TABLE_GRID, NULL);
	p.t->hidden = 1;
	host_rows(&p, 0, f->host_off(f, 0));
	for (unsigned i = 0; i < f->insns; i++) {
		guest_insn(s, &p, i);
		host_rows(&p, f->host_off(f, i), f->host_off(f, i + 1));
	}
	p.has_guest = false;
	p.lowering = "exit";
	host_rows(&p, f->host_off(f, f->insns), f->host_bytes);
}

static void add_head(struct inspect *s, const struct engine_fragment *f, struct result *r)
{
	struct table *t = result_table(r, head_cols, ARRAY_LEN(head_cols), TABLE_GRID, NULL);
	char sym[300];

	symbols_text(&s->symbols, f->pc, sym, sizeof(sym));
	table_row(t, (struct value[]){ V_ADDR(f->pc), sym[0] ? V_STR(sym) : V_NONE, V_HEX(f->page),
				       V_UINT(f->bits), V_UINT(f->insns), V_UINT(f->guest_bytes),
				       V_HEX(f->host_addr), V_UINT(f->host_bytes),
				       V_REAL(f->guest_bytes ? (double)f->host_bytes / f->guest_bytes : 0) });
}

unsigned ccf_records(struct inspect *s, uint64_t addr, struct result *r)
{
	const struct engine_fragments *fragments = session_translator(s)->fragments;
	struct engine_fragment f;
	unsigned n;

	for (n = 0; n < MAX_FRAGMENTS && fragments->find(machine_vcpu(s->m), addr, n, &f); n++) {
		add_head(s, &f, r);
		add_code(s, &f, r);
	}
	return n;
}
