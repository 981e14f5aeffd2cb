/* SPDX-License-Identifier: GPL-3.0-or-later
 * Guest memory as numbers, characters, strings and instructions. An unreadable byte
 * ends the listing; it is an error only if nothing could be read. */
#include "inspect/examine_int.h"
#include "inspect/tables_int.h"
#include "x86/disas.h"
#include "x86/engine_translator.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_STRING = 200, MAX_ITEMS = 1 << 20 };

bool examine_format(const char *fmt, unsigned *n, char *format, char *unit)
{
	char *end;

	if (isdigit((unsigned char)*fmt)) {
		unsigned long count = strtoul(fmt, &end, 10);

		*n = count < MAX_ITEMS + 1 ? (unsigned)count : MAX_ITEMS + 1;
		fmt = end;
	}
	for (; *fmt; fmt++) {
		if (strchr("xduocsia", *fmt))
			*format = *fmt;
		else if (strchr("bhwg", *fmt))
			*unit = *fmt;
		else
			return false;
	}
	return true;
}

bool examine_too_many(unsigned n)
{
	return n > MAX_ITEMS;
}

/* ---- code ---- */

/* Decode the N bytes at ADDR in BUF after overlaying patches. */
static bool decode(struct inspect *s, bool physical, uint64_t addr, uint8_t *buf, size_t n, unsigned bits,
		   struct disas_insn *in)
{
	const struct engine_patches *patches =
	    s->patching && !physical ? session_translator(s)->patches : NULL;
	bool patched = patches && patches->peek(machine_vcpu(s->m), addr, buf, (unsigned)n);
	bool ok = disas_decode(buf, n, addr, bits, in);
	unsigned number = patched ? patches->peek(machine_vcpu(s->m), addr, buf, in->len) : 0;
	size_t len = strlen(in->text);

	if (number)
		snprintf(in->text + len, sizeof(in->text) - len, "  (patch %u)", number);
	return ok;
}

bool examine_insn(struct inspect *s, uint64_t addr, struct disas_insn *in)
{
	uint8_t buf[DISAS_MAX_INSN];
	size_t n = session_read(s, false, addr, buf, sizeof(buf));

	return n && decode(s, false, addr, buf, n, session_code_bits(s), in);
}

void examine_insn_text(struct inspect *s, const struct disas_insn *in, char *buf, size_t len)
{
	char sym[200] = "";

	if (in->has_target)
		kernel_place(s, in->target, sym, sizeof(sym));
	snprintf(buf, len, "%s%s%s%s", in->text, sym[0] ? " <" : "", sym, sym[0] ? ">" : "");
}

static const struct view_col code_cols[] = {
	{ "mark", "", VAL_STR, "", "=> the next instruction, * a breakpoint" },
	{ "address", "Address", VAL_ADDR, "", "of the instruction" },
	{ "symbol", "Symbol", VAL_SYMBOL, "", "where that is" },
	{ "bytes", "Bytes", VAL_STR, "", "hexadecimal" },
	{ "insn", "Instruction", VAL_STR, "", "Intel syntax" },
	{ "breakpoint", "", VAL_BOOL, "", "a breakpoint is set here" },
	{ "current", "", VAL_BOOL, "", "this instruction is the next to execute" },
};
RECORD_DOC(insn_record, "x xp disassemble", code_cols);

static void hex_bytes(const uint8_t *p, unsigned n, char *buf, size_t len)
{
	size_t at = 0;

	buf[0] = 0;
	for (unsigned i = 0; i < n && at < len; i++)
		at += (size_t)snprintf(buf + at, len - at, "%02x", p[i]);
}

static void code_row(struct inspect *s, struct table *t, bool physical, uint64_t addr,
		     const struct disas_insn *in, const uint8_t *bytes)
{
	bool current = !physical && addr == session_pc(s), point = points_at(&s->points, physical, addr);
	char mark[4], sym[300] = "", text[400], hex[40];

	snprintf(mark, sizeof(mark), "%s%s", current ? "=>" : "  ", point ? "*" : "");
	if (!physical)
		kernel_place(s, addr, sym, sizeof(sym));
	hex_bytes(bytes, in->len, hex, sizeof(hex));
	examine_insn_text(s, in, text, sizeof(text));
	table_row(t, (struct value[]){ V_STR(mark), V_ADDR(addr), sym[0] ? V_STR(sym) : V_NONE, V_STR(hex),
				       V_STR(text), V_BOOL(point), V_BOOL(current) });
}

uint64_t examine_code(struct inspect *s, struct result *r, bool physical, uint64_t addr, unsigned n,
		      unsigned bits)
{
	struct table *t = result_table(r, code_cols, ARRAY_LEN(code_cols), TABLE_PLAIN, NULL);
	uint8_t buf[DISAS_MAX_INSN];
	struct disas_insn in;

	t->hidden = 2; /* the flags are for JSON; text has the marks */
	for (unsigned i = 0; i < n; i++) {
		size_t have = session_read(s, physical, addr, buf, sizeof(buf));

		if (!have) {
			if (!i)
				result_fail(r, "cannot read memory at 0x%llx", (unsigned long long)addr);
			break;
		}
		decode(s, physical, addr, buf, have, bits, &in);
		code_row(s, t, physical, addr, &in, buf);
		addr += in.len;
		if (!physical)
			addr = session_linear(s, addr);
	}
	return addr;
}

/* ---- data ---- */

static const struct view_col data_cols[] = {
	{ "address", "Address", VAL_ADDR, "", "of the first item" },
	{ "symbol", "Symbol", VAL_SYMBOL, "", "where that is" },
	{ "v0", "", VAL_HEX, "", "item" },
	{ "v1", "", VAL_HEX, "", "item" },
	{ "v2", "", VAL_HEX, "", "item" },
	{ "v3", "", VAL_HEX, "", "item" },
	{ "v4", "", VAL_HEX, "", "item" },
	{ "v5", "", VAL_HEX, "", "item" },
	{ "v6", "", VAL_HEX, "", "item" },
	{ "v7", "", VAL_HEX, "", "item" },
	{ "v8", "", VAL_HEX, "", "item" },
	{ "v9", "", VAL_HEX, "", "item" },
	{ "v10", "", VAL_HEX, "", "item" },
	{ "v11", "", VAL_HEX, "", "item" },
	{ "v12", "", VAL_HEX, "", "item" },
	{ "v13", "", VAL_HEX, "", "item" },
	{ "v14", "", VAL_HEX, "", "item" },
	{ "v15", "", VAL_HEX, "", "item" },
};
RECORD_DOC(data_record, "x xp", data_cols);
enum { PER_LINE = ARRAY_LEN(data_cols) - 2 };

static int64_t sign_extend(uint64_t v, unsigned unit)
{
	unsigned cut = 64 - 8 * unit;

	return (int64_t)(v << cut) >> cut;
}

/* Format one item; TEXT holds its string until the row is stored. */
static struct value item(uint64_t v, char format, unsigned unit, char *text, size_t len)
{
	switch (format) {
	case 'd':
		return V_INT(sign_extend(v, unit));
	case 'u':
		return V_UINT(v);
	case 'o':
		snprintf(text, len, "0%llo", (unsigned long long)v);
		return V_STR(text);
	case 'c':
		if (isprint((int)(v & 0xff)) && v < 0x80)
			snprintf(text, len, "'%c'", (int)v);
		else
			snprintf(text, len, "'\\x%02x'", (unsigned)(v & 0xff));
		return V_STR(text);
	default:
		return V_HEX(v);
	}
}

static unsigned per_line(char format, unsigned unit)
{
	return format == 'c' || unit == 1 ? 8 : 16 / unit;
}

/* Add a line of up to COUNT items; return how many could be read. */
static unsigned data_row(struct inspect *s, struct table *t, bool physical, uint64_t addr, unsigned count,
			 char format, unsigned unit)
{
	struct value row[2 + PER_LINE];
	char text[PER_LINE][40], sym[300];
	unsigned got;

	symbols_text(&s->symbols, addr, sym, sizeof(sym));
	row[0] = V_ADDR(addr);
	row[1] = sym[0] && !physical ? V_STR(sym) : V_NONE;
	for (unsigned i = 0; i < PER_LINE; i++)
		row[2 + i] = V_NONE;
	for (got = 0; got < count; got++) {
		uint64_t v = 0;

		if (session_read(s, physical, addr + got * unit, &v, unit) != unit)
			break;
		row[2 + got] = item(v, format, unit, text[got], sizeof(text[got]));
	}
	if (got)
		table_row(t, row);
	return got;
}

static int cannot_read(struct result *r, uint64_t addr)
{
	return result_fail(r, "cannot read memory at 0x%llx", (unsigned long long)addr);
}

static int examine_numbers(struct inspect *s, struct result *r, bool physical, uint64_t addr, unsigned n,
			   char format, unsigned unit)
{
	struct table *t = result_table(r, data_cols, ARRAY_LEN(data_cols), TABLE_PLAIN, NULL);
	unsigned done = 0;

	t->hex_digits = unit * 2;
	while (done < n) {
		unsigned want = per_line(format, unit), got;

		if (want > n - done)
			want = n - done;
		got = data_row(s, t, physical, addr + done * unit, want, format, unit);
		done += got;
		if (got < want)
			break;
	}
	s->examine.next = addr + done * unit;
	return done < n ? cannot_read(r, s->examine.next) : 0;
}

static const struct view_col pointer_cols[] = {
	{ "address", "Address", VAL_ADDR, "", "of the pointer" },
	{ "symbol", "Symbol", VAL_SYMBOL, "", "where that is" },
	{ "value", "Value", VAL_ADDR, "", "the pointer" },
	{ "target", "Target", VAL_SYMBOL, "",
	  "where it leads: a symbol, or a place in a file that the task has mapped" },
};
RECORD_DOC(pointer_record, "x xp", pointer_cols);

/* Addresses of the width of the code that executes, with what they point at. */
static int examine_pointers(struct inspect *s, struct result *r, bool physical, uint64_t addr, unsigned n)
{
	struct table *t = result_table(r, pointer_cols, ARRAY_LEN(pointer_cols), TABLE_PLAIN, NULL);
	unsigned size = session_code_bits(s) == 64 ? 8 : 4;
	char sym[300], target[300];

	for (unsigned i = 0; i < n; i++, addr += size) {
		uint64_t v = 0;

		s->examine.next = addr;
		if (session_read(s, physical, addr, &v, size) != size)
			return cannot_read(r, addr);
		symbols_text(&s->symbols, addr, sym, sizeof(sym));
		kernel_place(s, v, target, sizeof(target));
		table_row(t, (struct value[]){ V_ADDR(addr), sym[0] && !physical ? V_STR(sym) : V_NONE,
					       V_ADDR(v), target[0] ? V_STR(target) : V_NONE });
	}
	s->examine.next = addr;
	return 0;
}

static const struct view_col string_cols[] = {
	{ "address", "Address", VAL_ADDR, "", "of the first character" },
	{ "symbol", "Symbol", VAL_SYMBOL, "", "where that is" },
	{ "text", "Text", VAL_STR, "", "up to the NUL, at most 200 characters" },
};
RECORD_DOC(string_record, "x xp", string_cols);

static int examine_strings(struct inspect *s, struct result *r, bool physical, uint64_t addr, unsigned n)
{
	struct table *t = result_table(r, string_cols, ARRAY_LEN(string_cols), TABLE_PLAIN, NULL);
	char text[MAX_STRING + 1], sym[300];

	for (unsigned i = 0; i < n; i++) {
		size_t got = session_read(s, physical, addr, text, MAX_STRING), len;

		s->examine.next = addr;
		if (!got)
			return cannot_read(r, addr);
		text[got] = 0;
		len = strlen(text);
		symbols_text(&s->symbols, addr, sym, sizeof(sym));
		table_row(t, (struct value[]){ V_ADDR(addr), sym[0] && !physical ? V_STR(sym) : V_NONE,
					       V_STR(text) });
		addr += len + (len < got);
	}
	s->examine.next = addr;
	return 0;
}

int examine_memory(struct inspect *s, struct result *r, bool physical, uint64_t addr, unsigned n, char format,
		   unsigned unit)
{
	if (format == 'a')
		return examine_pointers(s, r, physical, addr, n);
	if (format == 's')
		return examine_strings(s, r, physical, addr, n);
	if (format == 'i') {
		s->examine.next = examine_code(s, r, physical, addr, n, session_code_bits(s));
		return r->error ? -1 : 0;
	}
	return examine_numbers(s, r, physical, addr, n, format, format == 'c' ? 1 : unit);
}

bool examine_follows_call(struct inspect *s, gva addr)
{
	struct disas_insn in;

	for (unsigned len = 2; len <= 7; len++)
		if (examine_insn(s, addr - len, &in) && in.len == len && in.kind == DISAS_CALL)
			return true;
	return false;
}
