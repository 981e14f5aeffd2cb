/* SPDX-License-Identifier: GPL-3.0-or-later
 * Source lines: list, step, next; and where code is, in source files, for stops and frames. */
#include "inspect/tables_int.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

enum { LISTED = 10 };

bool session_source(struct inspect *s, uint64_t addr, struct source_line *l)
{
	struct symbols *program;

	if (lines_at(s->symbols.lines, addr, l))
		return true;
	program = symbols_at(&s->symbols, addr) ? NULL : kernel_program(s, addr);
	return program && lines_at(program->lines, addr, l);
}

const char *session_source_text(struct inspect *s, const struct source_line *l, int line)
{
	return source_text(&s->source.files, l->file, l->path, line);
}

/* "FILE:LINE", where FILE has a dot, at the start of TEXT. Return its length, 0: it is something else. */
static size_t place_length(const char *text, size_t *file)
{
	size_t len = strcspn(text, ": \t"), digits;

	*file = len;
	if (text[len] != ':' || isdigit((unsigned char)text[0]) || !memchr(text, '.', len))
		return 0;
	digits = strspn(text + len + 1, "0123456789");
	len += 1 + digits;
	return digits && digits < 8 && strchr(" \t", text[len]) ? len : 0;
}

bool session_source_place(struct inspect *s, const char **text, struct source_places *p)
{
	size_t file, len = place_length(*text, &file);
	int wanted;

	if (!len || !s->symbols.lines)
		return false;
	if (file >= sizeof(p->file))
		return false;
	memcpy(p->file, *text, file);
	p->file[file] = 0;
	wanted = atoi(*text + file + 1);
	p->count = lines_find(s->symbols.lines, p->file, wanted, p->at, ARRAY_LEN(p->at), &p->line);
	p->wanted = wanted;
	*text += len;
	*text += strspn(*text, " \t");
	return true;
}

/* ---- list ---- */

static const struct view_col list_cols[] = {
	{ "line", "Line", VAL_INT, "", "number of the line" },
	{ "here", "Here", VAL_STR, "", "=> the next instruction is of this line" },
	{ "text", "Text", VAL_STR, "", "the line, tabs as blanks" },
	{ "file", "File", VAL_STR, "", "source file" },
};
RECORD_DOC(list_record, "list", list_cols);

/* Copy TEXT, each tab as blanks up to the next multiple of eight columns. */
static void expand(const char *text, char *buf, size_t size)
{
	size_t n = 0;

	for (; *text && n + 1 < size; text++) {
		buf[n++] = *text == '\t' ? ' ' : *text;
		while (*text == '\t' && n % 8 && n + 1 < size)
			buf[n++] = ' ';
	}
	buf[n] = 0;
}

/* Show lines of L's file from line FIRST on. */
static int list_lines(struct inspect *s, struct result *r, const struct source_line *l, int first)
{
	struct table *t = result_table(r, list_cols, ARRAY_LEN(list_cols), TABLE_PLAIN, NULL);
	struct source_line here;
	bool known = session_source(s, session_pc(s), &here) && !strcmp(here.path, l->path);
	int line = first < 1 ? 1 : first, end = line + LISTED;
	char shown[500];

	t->hidden = 1;
	for (; line < end; line++) {
		const char *text = session_source_text(s, l, line);

		if (!text)
			break;
		expand(text, shown, sizeof(shown));
		table_row(t, (struct value[]){ V_INT(line), V_STR(known && here.line == line ? "=>" : ""),
					       V_STR(shown), V_STR(l->file) });
	}
	if (!t->nrows && first > 1 && session_source_text(s, l, 1))
		return result_fail(r, "list: %s ends before line %d", l->file, first);
	if (!t->nrows)
		return result_fail(r, "list: cannot read %s (symbols sources DIRECTORY says where it is)",
				   l->path);
	s->source.next = line;
	s->source.addr = l->start;
	return 0;
}

static int cmd_list(struct inspect *s, const struct cmd_args *a, struct result *r)
{
	const char *text = a->rest + (a->rest[0] == '*');
	struct source_places p;
	struct source_line l;
	int64_t addr = (int64_t)session_pc(s);
	bool more = !*text && s->source.next && s->source.generation == s->generation;

	s->source.generation = s->generation;
	if (more && lines_at(s->symbols.lines, s->source.addr, &l))
		return list_lines(s, r, &l, s->source.next);
	if (session_source_place(s, &text, &p)) {
		if (!p.count || !session_source(s, p.at[0], &l))
			return result_fail(r, "list: no code at line %d of %s or behind it", p.wanted,
					   p.file);
		return list_lines(s, r, &l, p.wanted - LISTED / 2);
	}
	if (*text && session_place_all(s, text, &addr, r))
		return -1;
	if (!session_source(s, (uint64_t)addr, &l))
		return result_fail(r, "list: no source line is known for 0x%llx%s", (unsigned long long)addr,
				   s->symbols.lines ? ""
						    : " (symbols load: an ELF file with debug information)");
	return list_lines(s, r, &l, l.line - LISTED / 2);
}

/* ---- step, next ---- */

/* Has the guest come to the beginning of a line other than FROM's, or of a function? */
static bool at_line(struct inspect *s, const struct source_line *from, gva function)
{
	const struct symbol *sym = symbols_at(&s->symbols, session_pc(s));
	struct source_line l;

	if (!session_source(s, session_pc(s), &l) || l.start != session_pc(s) || !l.statement)
		return false;
	return l.line != from->line || strcmp(l.path, from->path) || (sym && sym->addr != function);
}

/* Run on to the caller of code without source lines that was just called. False: something else stopped the
 * guest. */
static bool leave_unknown(struct inspect *s, uint64_t sp)
{
	unsigned word = session_code_bits(s) / 8;
	uint64_t to = 0;

	if (session_sp(s) + word != sp ||
	    session_read(s, false, session_segment(s, SEG_SS) + session_sp(s), &to, word) != word)
		return true;
	run_to_address(s, session_linear(s, to), sp, STOPPED_STEP);
	return s->run.stop.reason == STOPPED_STEP;
}

/* Execute until another source line begins; where the code has none, one instruction. */
static void step_line(struct inspect *s, bool over)
{
	const struct symbol *sym = symbols_at(&s->symbols, session_pc(s));
	gva function = sym ? sym->addr : 0;
	int64_t next = session_now() + 20 * 1000 * 1000;
	struct source_line from, l;

	if (!session_source(s, session_pc(s), &from)) {
		over ? run_step_over(s) : run_step(s);
		return;
	}
	for (;;) {
		uint64_t sp = session_sp(s);

		if (!(over ? run_step_over(s) : run_step(s)) || run_at_point(s) ||
		    at_line(s, &from, function) || !run_step_break(s, &next))
			return;
		if (session_source(s, session_pc(s), &l))
			continue;
		/* the second: it returned to code that has no lines */
		if (over || session_sp(s) >= sp || !leave_unknown(s, sp))
			return;
	}
}

static int cmd_step(struct inspect *s, const struct cmd_args *a, struct result *r)
{
	int64_t n = 1, next = session_now() + 20 * 1000 * 1000;

	if (a->argc && session_eval(s, a->rest, &n, r))
		return -1;
	if (n < 1)
		return result_fail(r, "%s: expected a count of at least 1", a->name);
	session_moves(s, true);
	while (n--) {
		step_line(s, a->name[0] == 'n');
		if (s->run.stop.reason != STOPPED_STEP || run_at_point(s) || (n && !run_step_break(s, &next)))
			break;
	}
	session_moves(s, false);
	run_publish(s);
	return run_report_stop(s, r);
}

static const struct command commands[] = {
	{ "list", "l", "[SOURCE:LINE | ADDRESS]", "show source lines, those of pc first",
	  "Needs an ELF file with debug information (symbols load). Without an argument it goes on behind the lines shown last. "
	  "SOURCE:LINE can be given to break, until, x, disassemble and others as well.",
	  cmd_list, CMD_MACHINE | CMD_PAUSE | CMD_REPEAT, 0, -1, COMP_EXPR },
	{ "step", "s", "[N]", "execute up to the next source line; where there is none, one instruction",
	  "Functions that have no source lines are executed whole. Interrupts are held pending meanwhile, unless 'set step-irq on'.",
	  cmd_step, CMD_STOPPED | CMD_ALIVE | CMD_REPEAT, 0, -1, COMP_EXPR },
	{ "next", "n", "[N]", "like step, but called functions are executed whole", NULL, cmd_step,
	  CMD_STOPPED | CMD_ALIVE | CMD_REPEAT, 0, -1, COMP_EXPR },
	{ 0 },
};

const struct command_group cmd_source_group = { "source", "Source lines", commands };
