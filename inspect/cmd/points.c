/* SPDX-License-Identifier: GPL-3.0-or-later
 * Breakpoints and watchpoints: break, tbreak, watch, delete, enable, disable, info break. */
#include "inspect/tables_int.h"
#include "base/alloc.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

static const struct view_col break_cols[] = {
	{ "number", "Num", VAL_UINT, "", "number for delete, enable, disable" },
	{ "kind", "Kind", VAL_STR, "", "break, or tbreak: deleted at its first hit" },
	{ "enabled", "Enabled", VAL_BOOL, "", "disabled points have no effect" },
	{ "address", "Address", VAL_ADDR, "", "linear address; see physical" },
	{ "symbol", "Symbol", VAL_SYMBOL, "", "symbol at the address; of an event point, the events" },
	{ "hits", "Hits", VAL_UINT, "", "times it was reached while its condition held" },
	{ "ignore", "Ignore", VAL_UINT, "", "number of further hits to ignore" },
	{ "condition", "Condition", VAL_STR, "", "stops only when this is not 0" },
	{ "owner", "By", VAL_STR, "",
	  "the debugger that set it and alone can remove it; \"(removed)\" when it has, until the guest resumes" },
	{ "action", "Action", VAL_STR, "",
	  "format printed instead of stopping (trace), or commands executed after a stop (commands)" },
	{ "length", "Length", VAL_UINT, "B", "bytes watched" },
	{ "physical", "Physical", VAL_BOOL, "", "the address is physical" },
};
RECORD_DOC(point_record, "break tbreak watch rwatch awatch break-on trace", break_cols);

static const char *const point_kind_names[POINT_KINDS] = { "break",  "hbreak", "watch",
							   "rwatch", "awatch", "event" };

static void break_row(struct inspect *s, const struct point *p, struct row_sink *sink)
{
	char sym[300], cond[300] = "", by[80] = "";

	if (p->owner && p->extra)
		p->owner->text(p->owner->ctx, p->extra, cond, sizeof(cond));
	else if (p->cond)
		snprintf(cond, sizeof(cond), "%s", p->cond);
	if (p->owner)
		snprintf(by, sizeof(by), "%s%s", p->owner->name, p->leaving ? " (removed)" : "");
	if (p->kind == POINT_EVENT)
		event_name(s, p, sym, sizeof(sym));
	else
		symbols_text(&s->symbols, p->physical ? 0 : p->addr, sym, sizeof(sym));
	sink->row(sink,
		  (struct value[]){ V_UINT(p->number),
				    V_STR(p->trace	 ? "trace"
					  : p->temporary ? "tbreak"
							 : point_kind_names[p->kind]),
				    V_BOOL(p->enabled), p->kind == POINT_EVENT ? V_NONE : V_ADDR(p->addr),
				    sym[0] ? V_STR(sym) : V_NONE, V_UINT(p->hits),
				    p->ignore ? V_UINT(p->ignore) : V_NONE, cond[0] ? V_STR(cond) : V_NONE,
				    by[0] ? V_STR(by) : V_NONE,
				    p->trace	  ? V_STR(p->trace)
				    : p->commands ? V_STR(p->commands)
						  : V_NONE,
				    point_watches(p) ? V_UINT(p->len) : V_NONE,
				    point_watches(p) || p->physical ? V_BOOL(p->physical) : V_NONE });
}

static const char *break_rows(void *owner, const char *arg, struct row_sink *sink)
{
	struct inspect *s = owner;

	(void)arg;
	for (size_t i = 0; i < s->points.count; i++)
		break_row(s, &s->points.list[i], sink);
	return NULL;
}

const struct view view_break = {
	.name = "break",
	.help = "breakpoints with hits and conditions",
	VIEW_COLS(break_cols),
	.rows = break_rows,
	.flags = VIEW_LIVE,
};

/* Take TEXT, an expression, as *COND. 0, or -1 with the error in R. */
static int condition_at(struct inspect *s, const struct cmd_args *a, const char *text, const char **cond,
			struct result *r)
{
	struct expr_env env = session_env(s);
	struct expr_error err;
	const char *why;
	char task[64];

	*cond = text;
	if (point_task(&text, task, sizeof(task))) {
		struct lx *k = kernel_of(s, &why);

		if (!k || !lx_tasks_known(k, &why))
			return result_fail(r, "%s: task: %s", a->name, why);
		if (!*text)
			return 0;
	}
	/* memory that is not mapped yet may be mapped later; other errors stay */
	if (!expr_eval(&env, text, &(int64_t){ 0 }, &err) && err.status == EXPR_WRONG)
		return result_fail(r, "%s: condition: %s", a->name, err.text);
	return 0;
}

int point_condition(struct inspect *s, const struct cmd_args *a, const char *text, const char **cond,
		    struct result *r)
{
	const char *at = text;
	char task[64];

	*cond = NULL;
	if (!*text)
		return 0;
	if (point_task(&at, task, sizeof(task)))
		return condition_at(s, a, text, cond, r);
	if (strncmp(text, "if", 2) || !(isspace((unsigned char)text[2]) || text[2] == '('))
		return result_fail(r, "%s: unexpected '%.20s'", a->name, text);
	return condition_at(s, a, text + 2 + strspn(text + 2, " \t"), cond, r);
}

void point_report(struct inspect *s, const struct point *p, struct result *r)
{
	const char *format = p->physical ? "{kind} {number} at physical {address}, {length} bytes"
			     : symbols_at(&s->symbols, p->addr)
				 ? "{kind} {number} at {address} {symbol}, {length} bytes"
				 : "{kind} {number} at {address}, {length} bytes";
	struct table *t;

	if (!point_watches(p))
		format = p->kind == POINT_EVENT ? "{kind} {number}: {symbol}"
			 : p->physical		? "{kind} {number} at physical {address}"
						: "{kind} {number} at {address} {symbol}";
	t = result_table(r, break_cols, ARRAY_LEN(break_cols), TABLE_PLAIN, format);

	break_row(s, p, &t->sink);
}

/* Add breakpoints at the places of a source line: one in each function into which the compiler put it. */
static int break_line(struct inspect *s, const struct cmd_args *a, const struct source_places *at,
		      const char *text, struct result *r)
{
	size_t n = at->count < ARRAY_LEN(at->at) ? at->count : ARRAY_LEN(at->at);
	const char *cond;

	if (!n)
		return result_fail(r, "%s: no code at line %d of %s or behind it", a->name, at->wanted,
				   at->file);
	if (point_condition(s, a, text, &cond, r))
		return -1;
	for (size_t i = 0; i < n; i++) {
		const struct symbol *here = symbols_at(&s->symbols, at->at[i]);
		bool again = false;
		struct point *p;

		for (size_t j = 0; j < i; j++)
			again |= symbols_at(&s->symbols, at->at[j]) == here;
		if (again || !session_may_be_linear(s, (int64_t)at->at[i]))
			continue;
		p = points_add(&s->points, at->at[i], a->name[0] == 't', cond);
		run_point_changed(s, p->addr);
		point_report(s, p, r);
	}
	if (at->line != at->wanted)
		result_text(r, "line %d of %s is the next that has code", at->line, at->file);
	return 0;
}

/* Accept "-p ", for a physical address, at the start of *TEXT. */
static bool take_physical(const char **text)
{
	if (strncmp(*text, "-p", 2) || !isspace((unsigned char)(*text)[2]))
		return false;
	*text += 2 + strspn(*text + 2, " \t");
	return true;
}

/* The rest of "-p ADDRESS [task NAME] [if CONDITION]". */
static int break_physical(struct inspect *s, const struct cmd_args *a, const char *text, struct result *r)
{
	struct expr_env env = session_env(s);
	struct expr_error err;
	const char *cond;
	struct point *p;
	int64_t addr;

	text += *text == '*';
	if (!engine_has(s, PART_BREAK_PHYSICAL))
		return result_fail(r, "%s: %s", a->name, engine_lacks(PART_BREAK_PHYSICAL));
	if (!expr_eval_prefix(&env, &text, &addr, &err))
		return result_fail(r, "%s: %s", a->name, err.text);
	if (point_condition(s, a, text, &cond, r))
		return -1;
	if (!session_is_range(s, true, true, addr, 1))
		return result_fail(r, "%s: 0x%llx is not a physical address of this guest", a->name,
				   (unsigned long long)addr);
	p = points_add(&s->points, (uint64_t)addr, a->name[0] == 't', cond);
	p->physical = true;
	if (!run_break_changed(s, p)) {
		points_delete(&s->points, p->number);
		return result_fail(
		    r, "%s: the engine has no room for another physical breakpoint; delete one", a->name);
	}
	point_report(s, p, r);
	return 0;
}

/* "[-p] [*]EXPR|FILE:LINE [task NAME] [if CONDITION]"; without arguments pc. */
static int set_break(struct inspect *s, const struct cmd_args *a, struct result *r)
{
	const char *text = a->rest + (a->rest[0] == '*'), *cond;
	int64_t addr = (int64_t)session_pc(s);
	struct source_places places;
	struct point *p;
	struct expr_error err;

	if (take_physical(&text))
		return break_physical(s, a, text, r);
	if (session_source_place(s, &text, &places))
		return break_line(s, a, &places, text, r);
	if (*text && !session_place(s, &text, &addr, &err))
		return result_fail(r, "%s: %s", a->name, err.text);
	if (point_condition(s, a, text, &cond, r))
		return -1;
	if (!session_may_be_linear(s, addr))
		return result_fail(r, "%s: 0x%llx is not an address of this guest", a->name,
				   (unsigned long long)addr);
	p = points_add(&s->points, (gva)addr, a->name[0] == 't', cond);
	run_point_changed(s, p->addr);
	point_report(s, p, r);
	return 0;
}

/* Accept Bochs' "r " or "w " at the start of *TEXT, unless it is a symbol. 0: neither. */
static char take_access(struct inspect *s, const char **text)
{
	char word[2] = { **text, 0 };

	if ((word[0] != 'r' && word[0] != 'w') || !isspace((unsigned char)(*text)[1]) ||
	    symbols_find(&s->symbols, word))
		return 0;
	*text += 2 + strspn(*text + 2, " \t");
	return word[0];
}

/* "[-p] [r|w] [*]ADDRESS [LENGTH] [if CONDITION]" */
static int set_watch(struct inspect *s, const struct cmd_args *a, struct result *r)
{
	static const struct {
		char letter;
		enum point_kind kind;
	} kinds[] = { { 'w', POINT_WATCH }, { 'r', POINT_RWATCH }, { 'a', POINT_AWATCH } };
	const char *text = a->rest, *cond;
	bool physical = take_physical(&text);
	char access = take_access(s, &text);
	struct expr_env env = session_env(s);
	int64_t addr, len = 4;
	struct point *p;
	struct expr_error err;

	text += *text == '*';
	if (!expr_eval_prefix(&env, &text, &addr, &err) ||
	    (*text && strncmp(text, "if", 2) && strncmp(text, "task ", 5) &&
	     !expr_eval_prefix(&env, &text, &len, &err)))
		return result_fail(r, "%s: %s", a->name, err.text);
	if (point_condition(s, a, text, &cond, r))
		return -1;
	if (!session_is_range(s, physical, true, addr, len))
		return result_fail(r, "%s: 0x%llx, %lld bytes, is not in this guest's address space", a->name,
				   (unsigned long long)addr, (long long)len);
	p = points_add(&s->points, (gva)addr, false, cond);
	p->len = (uint64_t)len;
	p->physical = physical;
	for (size_t i = 0; i < ARRAY_LEN(kinds); i++)
		if (kinds[i].letter == (access && a->name[0] == 'w' ? access : a->name[0]))
			p->kind = kinds[i].kind;
	if (!run_watch_changed(s, p, true)) {
		points_delete(&s->points, p->number);
		return result_fail(r, "%s: the engine has no room for another watchpoint; delete one",
				   a->name);
	}
	if (len <= (int64_t)sizeof(p->was))
		session_read(s, physical, p->addr, &p->was, (size_t)len);
	point_report(s, p, r);
	return 0;
}

enum change { DELETE, ENABLE, DISABLE };

/* Watchpoints and event points are in the engine only while enabled. */
static bool change_counted(struct inspect *s, struct point *p, bool on)
{
	if (p->enabled == on)
		return true;
	return point_watches(p) ? run_watch_changed(s, p, on) : run_event_changed(s, p, on);
}

static void change_point(struct inspect *s, struct point *p, enum change change)
{
	struct point old = *p; /* its place; what it owns is gone when it is deleted */

	if (!point_is_code(p) && !change_counted(s, p, change == ENABLE))
		return;
	if (change == DELETE)
		points_delete(&s->points, p->number);
	else
		p->enabled = change == ENABLE;
	if (point_is_code(&old))
		run_break_changed(s, &old);
}

static int change_points(struct inspect *s, const struct cmd_args *a, struct result *r, enum change change)
{
	bool all = !a->argc || (a->argc == 1 && !strcmp(a->argv[0], "all"));
	struct point *p;
	char *end;

	for (size_t i = s->points.count; all && i--;)
		if (!s->points.list[i].owner)
			change_point(s, &s->points.list[i], change);
	for (int i = 0; !all && i < a->argc; i++) {
		p = points_find(&s->points, (unsigned)strtoul(a->argv[i], &end, 10));
		if (!p || *end)
			return result_fail(r, "%s: no breakpoint %s (info break lists them)", a->name,
					   a->argv[i]);
		if (p->owner)
			return result_fail(r, "%s: point %s belongs to %s, which alone can change it",
					   a->name, a->argv[i], p->owner->name);
		change_point(s, p, change);
	}
	return 0;
}

/* The point whose number is A's first argument, if a command set it; NULL with the error in R. */
static struct point *own_point(struct inspect *s, const struct cmd_args *a, struct result *r)
{
	struct point *p;
	char *end;

	p = points_find(&s->points, (unsigned)strtoul(a->argv[0], &end, 10));
	if (!p || *end)
		result_fail(r, "%s: no breakpoint %s (info break lists them)", a->name, a->argv[0]);
	else if (p->owner)
		result_fail(r, "%s: point %s belongs to %s, which alone can change it", a->name, a->argv[0],
			    p->owner->name);
	return r->error ? NULL : p;
}

static int cmd_condition(struct inspect *s, const struct cmd_args *a, struct result *r)
{
	const char *text = a->rest + strcspn(a->rest, " \t");
	struct point *p = own_point(s, a, r);
	const char *cond;

	text += strspn(text, " \t");
	if (!p || (*text && condition_at(s, a, text, &cond, r)))
		return -1;
	free(p->cond);
	p->cond = *text ? xstrdup(text) : NULL;
	return 0;
}

static int cmd_ignore(struct inspect *s, const struct cmd_args *a, struct result *r)
{
	struct point *p = own_point(s, a, r);
	int64_t n;

	if (!p || session_eval(s, a->argv[1], &n, r))
		return -1;
	if (n < 0)
		return result_fail(r, "ignore: %s is not a number of hits", a->argv[1]);
	p->ignore = (uint64_t)n;
	return 0;
}

static int cmd_delete(struct inspect *s, const struct cmd_args *a, struct result *r)
{
	return change_points(s, a, r, DELETE);
}

static int cmd_enable(struct inspect *s, const struct cmd_args *a, struct result *r)
{
	return change_points(s, a, r, ENABLE);
}

static int cmd_disable(struct inspect *s, const struct cmd_args *a, struct result *r)
{
	return change_points(s, a, r, DISABLE);
}

static const struct command commands[] = {
	{ "break", "b br bre brea", "[-p] [*]ADDRESS [task NAME] [if EXPR]",
	  "stop before the instruction at linear ADDRESS is executed",
	  "With -p the address is physical: the guest stops there through whatever linear address it executes it. ADDRESS may be SEGMENT:OFFSET (0x7c0:0), as in x and disassemble; the default is pc. Guest memory is not "
	  "changed. With 'if' the guest stops only when EXPR is not 0, or when EXPR cannot be evaluated; the stop "
	  "then says why. With 'task' a Linux guest stops only while a task of that name, or of that number, executes, here "
	  "and at all other points; a name with blanks is in quotes. Expressions have $pid, $tgid and $task, the address of "
	  "its task_struct.",
	  set_break, CMD_MACHINE | CMD_PAUSE, 0, -1, COMP_EXPR },
	{ "tbreak", "tb", "[-p] [*]ADDRESS [if EXPR]", "a breakpoint that is deleted at its first hit", NULL,
	  set_break, CMD_MACHINE | CMD_PAUSE, 0, -1, COMP_EXPR },
	{ "watch", NULL, "[-p] ADDRESS [LENGTH] [if EXPR]",
	  "stop after an instruction that wrote to LENGTH (4) bytes at ADDRESS",
	  "ADDRESS is linear, or physical with -p: then it is watched through all its mappings. Device memory can be "
	  "watched too. Accesses to other pages keep their speed; those to the same page get slower. "
	  "LENGTH is not limited. 'watch r' and 'watch w' are rwatch and watch, as in Bochs.",
	  set_watch, CMD_MACHINE | CMD_PAUSE | CMD_NEEDS(PART_WATCH), 1, -1, COMP_EXPR },
	{ "rwatch", NULL, "[-p] ADDRESS [LENGTH] [if EXPR]", "likewise, after an instruction that read", NULL,
	  set_watch, CMD_MACHINE | CMD_PAUSE | CMD_NEEDS(PART_WATCH), 1, -1, COMP_EXPR },
	{ "awatch", NULL, "[-p] ADDRESS [LENGTH] [if EXPR]",
	  "likewise, after an instruction that read or wrote", NULL, set_watch,
	  CMD_MACHINE | CMD_PAUSE | CMD_NEEDS(PART_WATCH), 1, -1, COMP_EXPR },
	{ "condition", NULL, "NUMBER [EXPR]",
	  "stop at point NUMBER only when EXPR is not 0; without EXPR, always", NULL, cmd_condition,
	  CMD_MACHINE | CMD_PAUSE, 1, -1, "<break.number> <expr> ..." },
	{ "ignore", NULL, "NUMBER COUNT", "ignore the next COUNT hits of point NUMBER", NULL, cmd_ignore,
	  CMD_MACHINE | CMD_PAUSE, 2, 2, "<break.number>" },
	{ "delete", "d", "[NUMBER...|all]", "delete points; without NUMBER, all", NULL, cmd_delete,
	  CMD_MACHINE | CMD_PAUSE, 0, -1, "all|<break.number> ..." },
	{ "enable", NULL, "[NUMBER...|all]", "enable points; without NUMBER, all", NULL, cmd_enable,
	  CMD_MACHINE | CMD_PAUSE, 0, -1, "all|<break.number> ..." },
	{ "disable", NULL, "[NUMBER...|all]", "disable points; without NUMBER, all", NULL, cmd_disable,
	  CMD_MACHINE | CMD_PAUSE, 0, -1, "all|<break.number> ..." },
	{ 0 },
};

const struct command_group cmd_point_group = { "points", "Breakpoints", commands };
