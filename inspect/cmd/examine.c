/* SPDX-License-Identifier: GPL-3.0-or-later
 * Memory and values: x, xp, disassemble, print, set. */
#include "inspect/examine_int.h"
#include "inspect/tables_int.h"
#include "x86/regs.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

unsigned examine_unit(char unit)
{
	return unit == 'b' ? 1 : unit == 'h' ? 2 : unit == 'g' ? 8 : 4;
}

static int examine(struct inspect *s, const struct cmd_args *a, struct result *r, bool physical)
{
	char format = s->examine.format, unit = s->examine.unit;
	int64_t addr = (int64_t)s->examine.next;
	unsigned n = 1;

	if (!examine_format(a->fmt, &n, &format, &unit))
		return result_fail(
		    r, "%s: /%s is not a format (a count, one of x d u o c a s i, one of b h w g)", a->name,
		    a->fmt);
	if (examine_too_many(n))
		return result_fail(r, "%s: /%s is more than 1048576 items", a->name, a->fmt);
	if (a->rest[0] &&
	    (physical ? session_eval(s, a->rest, &addr, r) : session_place_all(s, a->rest, &addr, r)))
		return -1;
	if (physical ? addr < 0 : !session_is_linear(s, addr))
		return result_fail(r, "%s: 0x%llx is not an address of this guest", a->name,
				   (unsigned long long)addr);
	s->examine.format = format;
	s->examine.unit = unit;
	return examine_memory(s, r, physical, (uint64_t)addr, n, format, examine_unit(unit));
}

static int cmd_x(struct inspect *s, const struct cmd_args *a, struct result *r)
{
	return examine(s, a, r, false);
}

static int cmd_xp(struct inspect *s, const struct cmd_args *a, struct result *r)
{
	return examine(s, a, r, true);
}

static int cmd_disassemble(struct inspect *s, const struct cmd_args *a, struct result *r)
{
	unsigned n = 10, bits = session_code_bits(s);
	char format = 'i', unit = 0;
	int64_t addr = (int64_t)session_pc(s);

	if (!examine_format(a->fmt, &n, &format, &unit) || format != 'i')
		return result_fail(r, "%s: /%s is not a count", a->name, a->fmt);
	if (examine_too_many(n))
		return result_fail(r, "%s: /%s is more than 1048576 items", a->name, a->fmt);
	if (unit == 'b')
		return result_fail(r, "%s: /b is no size of code (h 16, w 32, g 64 bits)", a->name);
	if (unit)
		bits = 8 * examine_unit(unit);
	if (a->rest[0] && session_place_all(s, a->rest, &addr, r))
		return -1;
	s->examine.next = examine_code(s, r, false, session_linear(s, (uint64_t)addr), n, bits);
	s->examine.format = 'i';
	return r->error ? -1 : 0;
}

/* ---- print ---- */

static const struct view_col print_cols[] = {
	{ "text", "Value", VAL_STR, "", "the value in the requested format" },
	{ "value", "Value", VAL_INT, "", "the value, 64-bit signed" },
	{ "hex", "Hex", VAL_HEX, "", "the value, 64-bit unsigned" },
	{ "symbol", "Symbol", VAL_SYMBOL, "", "where that is, as an address" },
};
RECORD_DOC(print_record, "print", print_cols);

static void binary_text(uint64_t v, char *buf, size_t len)
{
	unsigned n = v ? 64 - (unsigned)__builtin_clzll(v) : 1;

	snprintf(buf, len, "0b");
	for (size_t at = 2; n-- && at + 1 < len; at++) {
		buf[at] = v >> n & 1 ? '1' : '0';
		buf[at + 1] = 0;
	}
}

void print_number(char format, int64_t v, char *buf, size_t len)
{
	switch (format) {
	case 'x':
	case 'a':
		snprintf(buf, len, "0x%llx", (unsigned long long)v);
		break;
	case 'u':
		snprintf(buf, len, "%llu", (unsigned long long)v);
		break;
	case 'o':
		snprintf(buf, len, "0%llo", (unsigned long long)v);
		break;
	case 't':
		binary_text((uint64_t)v, buf, len);
		break;
	case 'c':
		snprintf(buf, len, "%lld '%c'", (long long)v, v >= 0x20 && v < 0x7f ? (int)v : '.');
		break;
	case 'd':
		snprintf(buf, len, "%lld", (long long)v);
		break;
	default:
		snprintf(buf, len, "%lld  0x%llx", (long long)v, (unsigned long long)v);
		break;
	}
}

bool print_format_is(char format)
{
	return strchr("xduocat", format) != NULL; /* NUL: no format */
}

static int cmd_print(struct inspect *s, const struct cmd_args *a, struct result *r)
{
	char text[80], sym[300] = "";
	struct table *t;
	int64_t v;

	if (strlen(a->fmt) > 1 || !print_format_is(a->fmt[0]))
		return result_fail(r, "print: /%s is not a format (one of x d u o t c a)", a->fmt);
	if (session_eval(s, a->rest, &v, r))
		return -1;
	print_number(a->fmt[0], v, text, sizeof(text));
	if ((v >= 0x400 && !a->fmt[0]) || (a->fmt[0] == 'a' && (v >= 0x400 || v < -0x1000)))
		symbols_text(&s->symbols, (uint64_t)v, sym, sizeof(sym));
	t = result_table(r, print_cols, ARRAY_LEN(print_cols), TABLE_PLAIN,
			 sym[0] ? "{text}  <{symbol}>" : "{text}");
	table_row(
	    t, (struct value[]){ V_STR(text), V_INT(v), V_HEX((uint64_t)v), sym[0] ? V_STR(sym) : V_NONE });
	return 0;
}

/* ---- set ---- */

static int set_register(struct inspect *s, const char *name, uint64_t val, struct result *r)
{
	const struct reg_info *reg = reg_find(name);
	struct reg_memory mem;
	struct cpu want;
	const char *no;

	if (!strcmp(name, "cr8"))
		return result_fail(r, "set: $cr8: this register is read-only");
	if (!reg) {
		session_variable(s, name, true)->val = val;
		return 0;
	}
	if (!s->m)
		return result_fail(r, "set: no machine");
	if (s->run.running)
		return result_fail(r, "set: the guest is running; stop it first");
	mem = debug_memory(s);
	want = *session_cpu(s);
	no = reg_set(&want, reg, val, &mem);
	if (!no)
		no = debug_set_cpu(s, &want);
	return no ? result_fail(r, "set: $%s: %s", reg->name, no) : 0;
}

static int set_memory(struct inspect *s, const struct lvalue *lv, uint64_t val, struct result *r)
{
	bool paused, done;

	if (!s->m)
		return result_fail(r, "set: no machine");
	paused = run_pause(s);
	done = session_write(s, false, lv->addr, &val, lv->size);
	if (done)
		session_changed(s);
	if (paused)
		run_resume(s);
	return done ? 0 : result_fail(r, "set: cannot write memory at 0x%llx", (unsigned long long)lv->addr);
}

static int set_option(struct inspect *s, const struct cmd_args *a, struct result *r)
{
	bool on = a->argc == 2 && !strcmp(a->argv[1], "on");

	if (a->argc != 2 || strcmp(a->argv[0], "step-irq") || (!on && strcmp(a->argv[1], "off")))
		return result_fail(
		    r, "usage: set $REG|$VAR|[ADDR]|*(TYPE)ADDR|{TYPE}ADDR = EXPR, or set step-irq on|off");
	s->run.step_irq = on;
	return 0;
}

static int cmd_set(struct inspect *s, const struct cmd_args *a, struct result *r)
{
	struct expr_env env = session_env(s);
	const char *text = a->rest;
	struct lvalue lv;
	struct expr_error err;
	int64_t val;

	if (!strchr("$[*{", text[0]))
		return set_option(s, a, r);
	if (!expr_lvalue(&env, &text, &lv, &err))
		return result_fail(r, "set: %s", err.text);
	if (*text != '=')
		return result_fail(r, "set: expected '=' at '%.20s'", text);
	if (!expr_eval(&env, text + 1, &val, &err))
		return result_fail(r, "set: %s", err.text);
	return lv.memory ? set_memory(s, &lv, (uint64_t)val, r) : set_register(s, lv.name, (uint64_t)val, r);
}

static const struct command commands[] = {
	{ "x", NULL, "[/NFU] [ADDRESS]", "show memory at a linear address",
	  "N: count; F: x hexadecimal, d signed, u unsigned, o octal, c characters, a pointers with what they point at, s strings, i instructions; "
	  "U: b 1, h 2, w 4, g 8 bytes. Without ADDRESS it continues behind the last output. Format and unit are "
	  "kept.",
	  cmd_x, CMD_MACHINE | CMD_PAUSE | CMD_FMT | CMD_REPEAT, 0, -1, COMP_EXPR },
	{ "xp", NULL, "[/NFU] [ADDRESS]", "show memory at a physical address", NULL, cmd_xp,
	  CMD_MACHINE | CMD_PAUSE | CMD_FMT | CMD_REPEAT, 0, -1, COMP_EXPR },
	{ "disassemble", "u disas", "[/N] [ADDRESS]", "show N instructions (10) from ADDRESS or pc on",
	  "16, 32 or 64-bit code according to CS; /h, /w and /g force one. => marks the next instruction, * a breakpoint.",
	  cmd_disassemble, CMD_MACHINE | CMD_PAUSE | CMD_FMT, 0, -1, COMP_EXPR },
	{ "print", "p", "[/F] EXPR", "evaluate an expression",
	  "F: x d u o t (binary) c a (address with symbol). Operators as in C; registers ($eax, $eflags, $pc (linear), "
	  "$cr3, $cs_base, $cpl), $icount, $exit; variables made by 'set $name = EXPR'; symbols; memory as *(u8)ADDR, "
	  "*(u16)ADDR, *(u32)ADDR or [ADDR]; casts (u8) ... (i64). Arithmetic is 64-bit and signed.",
	  cmd_print, CMD_PAUSE | CMD_FMT, 1, -1, COMP_EXPR },
	{ "set", NULL,
	  "$NAME = EXPR | [ADDR] = EXPR | *(TYPE)ADDR = EXPR | {TYPE}ADDR = EXPR | step-irq on|off",
	  "change a register, a variable, memory or a setting",
	  "A $NAME that is not a register becomes a variable. Selectors can be set only in real and virtual-8086 "
	  "mode. TYPE is u8, i16, char, int and the like; [ADDR] has 32 bits. Translations of changed memory are "
	  "dropped. The guest sees these changes; patch-code makes changes that it does not see. "
	  "step-irq: deliver interrupts while single-stepping.",
	  cmd_set, 0, 1, -1, "<register>|step-irq <expr>|on|off <expr> ..." },
	{ 0 },
};

const struct command_group cmd_examine_group = { "examine", "Memory and values", commands };
