/* SPDX-License-Identifier: GPL-3.0-or-later
 * Values shown at each stop: display, undisplay. A display is a number, a format of "x" or "print" and an
 * expression; run_report() adds the values to the record of a stop. */
#include "inspect/examine_int.h"
#include "inspect/tables_int.h"
#include "base/alloc.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_DISPLAYS = 50 };

struct display {
	unsigned number;
	char fmt[16];
	char *expr;
};

static const struct view_col display_cols[] = {
	{ "number", "Num", VAL_UINT, "", "number for undisplay" },
	{ "format", "Format", VAL_STR, "", "as of x (memory) or print (a value)" },
	{ "expression", "Expression", VAL_STR, "", "evaluated at each stop" },
};

static const char *display_rows(void *owner, const char *arg, struct row_sink *sink)
{
	struct inspect *s = owner;

	(void)arg;
	for (size_t i = 0; i < s->ndisplays; i++) {
		const struct display *d = &s->displays[i];

		sink->row(sink, (struct value[]){ V_UINT(d->number), d->fmt[0] ? V_STR(d->fmt) : V_NONE,
						  V_STR(d->expr) });
	}
	return NULL;
}

const struct view view_display = {
	.name = "display",
	.help = "expressions shown at each stop",
	VIEW_COLS(display_cols),
	.rows = display_rows,
	.flags = VIEW_LIVE,
};

static const struct view_col shown_cols[] = {
	{ "display", "Num", VAL_UINT, "", "number of the display" },
	{ "expression", "Expression", VAL_STR, "", "with its format" },
	{ "text", "Value", VAL_STR, "",
	  "the value in the requested format; memory follows in rows like those of x" },
	{ "value", "Value", VAL_INT, "", "the value, 64-bit signed" },
	{ "error", "Error", VAL_STR, "", "why there is none" },
};
RECORD_DOC(display_record, "display", shown_cols);

/* Does FMT show memory, not a value: a count, a unit, instructions or strings? */
static bool examines(const char *fmt)
{
	return fmt[strcspn(fmt, "0123456789bhwgis")] != 0;
}

static void shown_row(struct result *r, const struct display *d, const char *text, const int64_t *value,
		      const char *error)
{
	struct table *t = result_table(r, shown_cols, ARRAY_LEN(shown_cols), TABLE_PLAIN,
				       error  ? "{display}: {expression}: {error}"
				       : text ? "{display}: {expression} = {text}"
					      : "{display}: {expression}");
	char name[300];

	snprintf(name, sizeof(name), "%s%s%s%s", d->fmt[0] ? examines(d->fmt) ? "x/" : "/" : "", d->fmt,
		 d->fmt[0] ? " " : "", d->expr);
	table_row(t, (struct value[]){ V_UINT(d->number), V_STR(name), text ? V_STR(text) : V_NONE,
				       value ? V_INT(*value) : V_NONE, error ? V_STR(error) : V_NONE });
}

/* Add the memory that D shows. 0, or -1 with the error in R. */
static int show_memory(struct inspect *s, const struct display *d, int64_t addr, struct result *r)
{
	struct examine was = s->examine;
	char format = 'x', unit = 'w';
	unsigned n = 1;
	int rc;

	examine_format(d->fmt, &n, &format, &unit);
	rc = !session_is_linear(s, addr)
		 ? result_fail(r, "not an address of this guest")
		 : examine_memory(s, r, false, (uint64_t)addr, n, format, examine_unit(unit));
	s->examine = was;
	return rc;
}

/* Is EXPR "info VIEW ..."? */
static bool is_view(const char *expr)
{
	return !strncmp(expr, "info ", 5);
}

static int show_view(struct inspect *s, const char *expr, struct result *r)
{
	struct cmd_args a = { .name = "info", .fmt = "", .rest = expr + 5 };
	char why[200];
	int rc;

	a.argv = command_split(a.rest, &a.argc, why, sizeof(why));
	if (!a.argv || !a.argc)
		rc = result_fail(r, "display: %s", a.argv ? "expected a view" : why);
	else
		rc = view_show(s, a.argv[0], &a, 1, r);
	command_free_args(a.argv);
	return rc;
}

static void show(struct inspect *s, const struct display *d, struct result *r)
{
	struct result part;
	char text[80];
	int64_t v;

	result_init(&part);
	if (is_view(d->expr)) {
		bool good = !show_view(s, d->expr, &part);

		shown_row(r, d, NULL, NULL, good ? NULL : part.error);
		result_append(r, &part);
	} else if (session_eval(s, d->expr, &v, &part)) {
		shown_row(r, d, NULL, NULL, part.error);
	} else if (!examines(d->fmt)) {
		print_number(d->fmt[0], v, text, sizeof(text));
		shown_row(r, d, text, &v, NULL);
	} else if (show_memory(s, d, v, &part)) {
		shown_row(r, d, NULL, &v, part.error);
	} else {
		shown_row(r, d, NULL, &v, NULL);
		result_append(r, &part);
	}
	result_fini(&part);
}

void display_show(struct inspect *s, struct result *r)
{
	for (size_t i = 0; i < s->ndisplays; i++)
		show(s, &s->displays[i], r);
}

static void forget(struct inspect *s, size_t i)
{
	free(s->displays[i].expr);
	s->ndisplays--;
	memmove(&s->displays[i], &s->displays[i + 1], (s->ndisplays - i) * sizeof(*s->displays));
}

void display_fini(struct inspect *s)
{
	while (s->ndisplays)
		forget(s, s->ndisplays - 1);
	free(s->displays);
	s->displays = NULL;
}

static bool format_fits(const char *fmt)
{
	char format = 'x', unit = 'w';
	unsigned n = 1;

	return strlen(fmt) < sizeof(((struct display *)0)->fmt) &&
	       (examines(fmt) ? examine_format(fmt, &n, &format, &unit) && !examine_too_many(n)
			      : strlen(fmt) <= 1 && print_format_is(fmt[0]));
}

static int cmd_display(struct inspect *s, const struct cmd_args *a, struct result *r)
{
	struct expr_env env = session_env(s);
	struct expr_error err;
	struct display *d;
	int64_t v;

	if (!a->rest[0]) {
		display_show(s, r);
		return 0;
	}
	if (!is_view(a->rest) && !format_fits(a->fmt))
		return result_fail(r, "display: /%s is not a format of x or print", a->fmt);
	if (s->ndisplays == MAX_DISPLAYS)
		return result_fail(r, "display: no room for more than %d (undisplay removes them)",
				   MAX_DISPLAYS);
	/* memory that is not mapped yet may be mapped later; other errors stay */
	if (is_view(a->rest)) {
		if (show_view(s, a->rest, r))
			return -1;
	} else if (!expr_eval(&env, a->rest, &v, &err) && err.status == EXPR_WRONG)
		return result_fail(r, "display: %s", err.text);
	s->displays = xreallocarray(s->displays, s->ndisplays + 1, sizeof(*s->displays));
	d = &s->displays[s->ndisplays++];
	*d = (struct display){ .number = ++s->last_display, .expr = xstrdup(a->rest) };
	snprintf(d->fmt, sizeof(d->fmt), "%s", a->fmt);
	if (!is_view(a->rest))
		show(s, d, r);
	return 0;
}

static int cmd_undisplay(struct inspect *s, const struct cmd_args *a, struct result *r)
{
	char *end;

	for (size_t i = s->ndisplays; !a->argc && i--;)
		forget(s, i);
	for (size_t i = s->ndisplays; a->argc && is_view(a->rest) && i--;)
		if (!strcmp(s->displays[i].expr, a->rest))
			forget(s, i);
	for (int k = 0; k < a->argc && !is_view(a->rest); k++) {
		unsigned long number = strtoul(a->argv[k], &end, 10);
		size_t i = 0;

		while (i < s->ndisplays && s->displays[i].number != number)
			i++;
		if (*end || i == s->ndisplays)
			return result_fail(r, "undisplay: no display %s (info display lists them)",
					   a->argv[k]);
		forget(s, i);
	}
	return 0;
}

static const struct command commands[] = {
	{ "display", NULL, "[/FMT] [EXPR | info VIEW...]", "show an expression now and at each stop",
	  "With a count, a unit, i or s in FMT, EXPR is the address of memory, shown as by x (display/4i $pc, display/8xw "
	  "$esp); otherwise it is a value, shown as by print. A view can be shown, too (display info registers eip esp). Without EXPR, show all displays. info display lists them, "
	  "undisplay removes them.",
	  cmd_display, CMD_MACHINE | CMD_PAUSE | CMD_FMT, 0, -1, COMP_EXPR },
	{ "undisplay", NULL, "[NUMBER... | info VIEW...]", "remove displays; without NUMBER, all", NULL,
	  cmd_undisplay, 0, 0, -1, "<display.number> ..." },
	{ 0 },
};

const struct command_group cmd_display_group = { "displays", "Shown at each stop", commands };
