/* SPDX-License-Identifier: GPL-3.0-or-later
 * Guest code changed in the translation only, and probes. The translator's views list
 * them (info patches, probes). */
#include "base/alloc.h"
#include "inspect/debuginfo/asm_helper.h"
#include "inspect/examine_int.h"
#include "inspect/tables_int.h"
#include "x86/disas.h"
#include "x86/engine_translator.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_PATCH = 240 };

static int hex_digit(int c)
{
	return isdigit(c) ? c - '0' : isxdigit(c) ? tolower(c) - 'a' + 10 : -1;
}

/* Parse arguments FROM to TO: "90 90 c3", "9090c3", or the words nop, ret, ud2, int3. -1: neither. */
static int parse_code(const struct cmd_args *a, int from, int to, uint8_t *out, unsigned max)
{
	static const struct {
		const char *word;
		uint8_t n, bytes[2];
	} words[] = {
		{ "nop", 1, { 0x90 } },
		{ "ret", 1, { 0xc3 } },
		{ "int3", 1, { 0xcc } },
		{ "ud2", 2, { 0x0f, 0x0b } },
	};
	unsigned n = 0;

	for (int i = from; i < to; i++) {
		const char *p = a->argv[i];
		bool word = false;

		for (unsigned w = 0; w < ARRAY_LEN(words); w++)
			if (!strcmp(p, words[w].word) && n + words[w].n <= max) {
				memcpy(out + n, words[w].bytes, words[w].n);
				n += words[w].n;
				word = true;
			}
		if (word)
			continue;
		if (p[0] == '0' && p[1] == 'x')
			p += 2;
		for (; p[0]; p += 2) {
			if (hex_digit(p[0]) < 0 || hex_digit(p[1]) < 0 || n == max)
				return -1;
			out[n++] = (uint8_t)(hex_digit(p[0]) << 4 | hex_digit(p[1]));
		}
	}
	return (int)n;
}

/* ---- assembly ---- */

static bool asm_symbol(void *ctx, const char *name, uint64_t *val)
{
	struct inspect *s = ctx;
	const struct symbol *sym = symbols_find(&s->symbols, name);

	if (sym)
		*val = sym->addr;
	return sym;
}

static bool asm_interrupted(void *ctx)
{
	return session_interrupted(ctx);
}

/* The code size that "asm", "asm16", "asm32" or "asm64" means; 0: WORD is none of them. */
static unsigned asm_bits(struct inspect *s, const char *word)
{
	if (!strcmp(word, "asm"))
		return session_code_bits(s);
	return !strcmp(word, "asm16") ? 16 : !strcmp(word, "asm32") ? 32 : !strcmp(word, "asm64") ? 64 : 0;
}

static int assemble(struct inspect *s, const struct cmd_args *a, unsigned bits, gva pc, uint8_t *out,
		    struct result *r)
{
	struct assembly as = {
		.bits = bits, .at = pc, .symbol = asm_symbol, .interrupted = asm_interrupted, .ctx = s
	};
	char *text = xcalloc(1, strlen(a->rest) + (size_t)a->argc + 2), err[400];
	int n;

	for (int i = 2; i < a->argc; i++) {
		strcat(text, a->argv[i]);
		strcat(text, " ");
	}
	as.text = text;
	n = s->assembler ? asm_helper_bytes(s->assembler, &as, out, MAX_PATCH, err, sizeof(err))
			 : asm_bytes(&as, out, MAX_PATCH, err, sizeof(err));
	free(text);
	return n < 0 ? result_fail(r, "patch-code: %s", err) : n;
}

/* Count the bytes from PC + N to the end of the guest instruction that contains that byte. */
static unsigned to_boundary(struct inspect *s, gva pc, unsigned n)
{
	unsigned at = 0;
	struct disas_insn in;

	while (at < n) {
		if (!examine_insn(s, pc + at, &in) || !in.len)
			return 0;
		at += in.len;
	}
	return at - n;
}

/* ---- patch-code ---- */

static const struct view_col added_cols[] = {
	{ "number", "Num", VAL_UINT, "", "number for unpatch" },
	{ "pc", "Address", VAL_ADDR, "", "guest-linear address" },
	{ "symbol", "Symbol", VAL_SYMBOL, "", "where that is" },
	{ "length", "Length", VAL_UINT, "bytes", "of the patch" },
	{ "nops", "Nops", VAL_UINT, "bytes",
	  "of these, nops up to the end of the last instruction replaced" },
};
RECORD_DOC(patch_record, "patch-code probe", added_cols);

/* Rows: without and with a symbol. Columns: one byte, bytes, bytes and nops. */
static const char *const added_formats[2][3] = {
	{ "patch {number} at {pc}, 1 byte", "patch {number} at {pc}, {length} bytes",
	  "patch {number} at {pc}, {length} bytes, the last {nops} of them nop" },
	{ "patch {number} at {pc} {symbol}, 1 byte", "patch {number} at {pc} {symbol}, {length} bytes",
	  "patch {number} at {pc} {symbol}, {length} bytes, the last {nops} of them nop" },
};

static int cmd_patch(struct inspect *s, const struct cmd_args *a, struct result *r)
{
	unsigned bits = asm_bits(s, a->argv[1]), fill = 0, number;
	uint8_t code[MAX_PATCH], guest[MAX_PATCH];
	int n, over = 1, nover = 0;
	const char *err;
	char sym[300];
	struct table *t;
	gva pc;

	if (session_address(s, a, 0, r, &pc))
		return -1;
	while (!bits && over < a->argc && strcmp(a->argv[over], "over"))
		over++;
	if (!bits && over < a->argc)
		nover = parse_code(a, over + 1, a->argc, guest, sizeof(guest));
	n = bits ? assemble(s, a, bits, pc, code, r) : parse_code(a, 1, over, code, sizeof(code));
	if (n < 0 && bits)
		return -1;
	if (n <= 0 || nover < 0 || (!bits && over < a->argc && !nover))
		return result_fail(
		    r,
		    "patch-code: expected bytes as pairs of hex digits (at most %d), or nop, ret, int3, ud2; "
		    "or asm \"TEXT\"",
		    MAX_PATCH);
	if (bits && (fill = to_boundary(s, pc, (unsigned)n)) + (unsigned)n <= sizeof(code))
		memset(code + n, 0x90, fill);
	else
		fill = 0;
	err = session_translator(s)->patches->add(
	    machine_vcpu(s->m),
	    &(struct engine_patch){ .pc = pc,
				    .bytes = code,
				    .len = (unsigned)n + fill,
				    .over = guest,
				    .nover = (unsigned)nover,
				    .bits = bits ? bits : session_code_bits(s) },
	    &number);
	if (err)
		return result_fail(r, "patch-code: %s", err);
	s->patching = true;
	symbols_text(&s->symbols, pc, sym, sizeof(sym));
	t = result_table(r, added_cols, ARRAY_LEN(added_cols), TABLE_PLAIN,
			 added_formats[sym[0] != 0][fill ? 2 : (unsigned)n > 1]);
	table_row(t, (struct value[]){ V_UINT(number), V_ADDR(pc), sym[0] ? V_STR(sym) : V_NONE,
				       V_UINT((unsigned)n + fill), V_UINT(fill) });
	return 0;
}

static int unpatch_all(struct inspect *s, struct result *r)
{
	static const struct cmd_args none = { .name = "unpatch", .fmt = "", .rest = "" };
	struct result list;
	int rc;

	result_init(&list);
	rc = view_show(s, "patches", &none, 0, &list);
	if (rc)
		result_fail(r, "unpatch: %s", list.error);
	for (size_t i = 0; !rc && i < list.first->nrows; i++)
		session_translator(s)->patches->remove(machine_vcpu(s->m),
						       (unsigned)list.first->vals[i * list.first->ncols].u);
	result_fini(&list);
	return rc;
}

static int cmd_unpatch(struct inspect *s, const struct cmd_args *a, struct result *r)
{
	int64_t n;

	if (!strcmp(a->argv[0], "all"))
		return unpatch_all(s, r);
	if (session_eval(s, a->argv[0], &n, r))
		return -1;
	if (n < 1 || n > UINT32_MAX ||
	    !session_translator(s)->patches->remove(machine_vcpu(s->m), (unsigned)n))
		return result_fail(r, "unpatch: no patch %lld (info patches lists them)", (long long)n);
	return 0;
}

static int cmd_patches(struct inspect *s, const struct cmd_args *a, struct result *r)
{
	if (!a->argc)
		return view_show(s, "patches", a, 0, r);
	if (a->argc != 2 || strcmp(a->argv[0], "save"))
		return result_fail(r, "usage: patches [save FILE]");
	return save_script_write(s, a->argv[1], r);
}

static const struct command commands[] = {
	{ "patch-code", NULL, "ADDRESS BYTES... [over BYTES...]|asm TEXT",
	  "change guest code in the translation only: the guest cannot see it",
	  "BYTES are pairs of hex digits, or nop, ret, int3, ud2. TEXT, in quotes, is one or more instructions in the "
	  "Intel syntax of GNU as, which assembles it, separated by ';'; names are the guest's symbols. asm16, asm32 and asm64 "
	  "set the code size if it differs from that at pc. If TEXT ends inside an instruction of the guest, the rest "
	  "of that becomes nops. A patch applies at its linear address in every address space; with over, which "
	  "'patches save' writes, only where the guest has those bytes. unpatch removes it.",
	  cmd_patch, CMD_MACHINE | CMD_PAUSE | CMD_NEEDS(PART_PATCHES), 2, -1,
	  "<expr> asm|asm16|asm32|asm64|nop|ret|int3|ud2 <expr> ..." },
	{ "patches", NULL, "[save FILE]", "list the patches; or write all choices as a script for source",
	  "The script has policy, site, adapt, patch-code, pin and probe commands with absolute addresses. Patches that "
	  "have run apply only where the guest has the bytes that it has there now: another kernel, or the same one "
	  "loaded elsewhere, is not changed. The script may run twice, but then adds its probes twice.",
	  cmd_patches, CMD_MACHINE | CMD_PAUSE | CMD_FILES_BY_WORD | CMD_NEEDS(PART_PATCHES), 0, 2,
	  "save <file>" },
	{ "unpatch", NULL, "NUMBER|all", "remove a patch (info patches lists them), or all", NULL,
	  cmd_unpatch, CMD_MACHINE | CMD_PAUSE | CMD_NEEDS(PART_PATCHES), 1, 1, "all|<patches.number>" },
	{ "probe", NULL, "[ADDRESS] [\"FORMAT\" [EXPR,...]] [task NAME] [if EXPR]",
	  "count executions of the instruction at ADDRESS or pc without stopping; print FORMAT when EXPR holds (info probes)",
	  "A probe is part of the translation. A count is three inline instructions; comparisons of 32-bit registers with "
	  "constants, joined by &&, are inline too; other conditions, and printing, are callouts. FORMAT is that of "
	  "trace. Registers, and $task, $pid and $tgid of a Linux guest, are read when the probe is hit; $variables and symbols have their present values. "
	  "With task, only hits of the task of that name, or of that number, count. See also "
	  "trace, which stops the guest for a moment.",
	  cmd_probe, CMD_MACHINE | CMD_PAUSE | CMD_NEEDS(PART_PROBES), 0, -1, COMP_EXPR },
	{ "unprobe", NULL, "[NUMBER|at ADDRESS|all]",
	  "remove the probe with this number, or those at ADDRESS or pc", NULL, cmd_unprobe,
	  CMD_MACHINE | CMD_PAUSE | CMD_NEEDS(PART_PROBES), 0, 2, "at|all|<probes.number> <expr>" },
	{ 0 },
};

const struct command_group cmd_patch_group = { "patching", "Patches and probes", commands };
