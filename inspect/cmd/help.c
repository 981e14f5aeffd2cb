/* SPDX-License-Identifier: GPL-3.0-or-later
 * help: commands by groups, one command, the columns of a view, names from other programs. */
#include "base/alloc.h"
#include "inspect/peers.h"
#include "inspect/tables_int.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct view_col help_cols[] = {
	{ "command", "Command", VAL_STR, "", "name and arguments" },
	{ "help", "Does", VAL_HELP, "", "one line of help" },
};
RECORD_DOC(help_record, "help", help_cols);

static const struct view_col help_group_cols[] = {
	{ "group", "Group", VAL_STR, "", "name, for 'help GROUP'" },
	{ "title", "Title", VAL_STR, "", "what its commands are for" },
	{ "commands", "Commands", VAL_STR, "", "their names" },
};
RECORD_DOC(help_group_record, "help", help_group_cols);

static const struct view_col peer_cols[] = {
	{ "name", "Name", VAL_STR, "", "and arguments" },
	{ "from", "From", VAL_STR, "", "the program that calls it so" },
	{ "means", "Means", VAL_STR, "",
	  "the command here: {N} argument N, {N=TEXT} or TEXT where it is missing, {*} those behind, {/} the format" },
};
RECORD_DOC(peer_record, "help", peer_cols);
static const struct view_col help_one_cols[] = {
	{ "usage", "Usage", VAL_STR, "", "name and arguments" },
	{ "aliases", "Aliases", VAL_STR, "", "other names" },
	{ "help", "Does", VAL_HELP, "", "one line of help" },
	{ "detail", "More", VAL_STR, "", "details" },
};
RECORD_DOC(help_one_record, "help", help_one_cols);

static void usage_text(const struct command *c, char *buf, size_t len)
{
	snprintf(buf, len, "%s%s%s", c->name, c->args[0] ? " " : "", c->args);
}

/* Columns of a view or record: keys in JSON, and names for sort= in views. */
static const struct view_col view_help_cols[] = {
	{ "column", "Column", VAL_STR, "", "key in JSON and for sort=" },
	{ "title", "Heading", VAL_STR, "", "in text" },
	{ "unit", "Unit", VAL_STR, "", "of the value" },
	{ "help", "Means", VAL_HELP, "", "meaning of the column" },
};
RECORD_DOC(fields_record, "help", view_help_cols);

static void help_fields(struct result *r, const struct view_col *cols, unsigned n, bool with_symbol)
{
	struct table *t = result_table(r, view_help_cols, ARRAY_LEN(view_help_cols), TABLE_GRID, NULL);

	for (unsigned i = 0; i < n; i++)
		table_row(t,
			  (struct value[]){ V_STR(cols[i].name), V_STR(cols[i].title),
					    V_STR(cols[i].unit ? cols[i].unit : ""), V_STR(cols[i].help) });
	if (with_symbol)
		table_row(
		    t, (struct value[]){ V_STR("symbol"), V_STR("symbol"), V_STR(""), V_STR("where pc is") });
}

/* Describe view NAME. 0, or -1 if there is no such view. */
static int help_view(struct inspect *s, const char *name, bool only_fields, struct result *r)
{
	const struct view *v;
	char why[300];
	void *owner;

	v = view_find(s, name, &owner, why, sizeof(why));
	if (!v)
		return result_fail(r, "help: %s", why);
	if (!only_fields)
		result_text(r, "info %s: %s", v->name, v->help);
	help_fields(r, v->cols, v->ncols, view_pc_column(v) >= 0);
	return 0;
}

static void help_records(struct inspect *s, const struct command *c, struct result *r)
{
	const struct record_doc *doc;

	for (unsigned i = 0; (doc = record_doc_at(s, i)); i++) {
		if (!record_doc_is_of(doc, c))
			continue;
		result_text(r, "  Fields of its records in JSON:");
		if (!doc->view)
			help_fields(r, doc->cols, doc->ncols, false);
		else if (s->m)
			help_view(s, doc->view, true, r);
	}
}

static void peer_rows(struct table *t, const struct peer_name *only)
{
	char name[100];

	for (const struct peer_name *p = only ? only : peer_names; p->name; p++) {
		snprintf(name, sizeof(name), "%s%s%s", p->name, p->args[0] ? " " : "", p->args);
		table_row(t, (struct value[]){ V_STR(name), V_STR(p->whose), V_STR(p->means) });
		if (only)
			break;
	}
}

static int help_one(struct inspect *s, const char *name, struct result *r);

/* The name of another program's command: say what it means, and describe that. */
static int help_peer(struct inspect *s, const struct peer_name *p, struct result *r)
{
	char word[40];

	peer_rows(result_table(r, peer_cols, ARRAY_LEN(peer_cols), TABLE_PLAIN, "{name} ({from}): {means}"),
		  p);
	snprintf(word, sizeof(word), "%.*s", (int)strcspn(p->means, " /{"), p->means);
	return help_one(s, word, r);
}

static int help_one(struct inspect *s, const char *name, struct result *r)
{
	char why[200], usage[200];
	const struct command *c = command_find(s, name, strlen(name), why, sizeof(why));
	struct table *t;

	if (peer_find(name))
		return help_peer(s, peer_find(name), r);
	if (!c)
		return result_fail(r, "help: %s", why);
	if (!command_offered(s, c))
		return result_fail(r, "help %s: %s", c->name, engine_lacks(command_needs(c)));
	usage_text(c, usage, sizeof(usage));
	t = result_table(r, help_one_cols, ARRAY_LEN(help_one_cols), TABLE_PLAIN,
			 c->aliases && c->detail ? "{usage}   (also: {aliases})\n  {help}\n  {detail}"
			 : c->aliases		 ? "{usage}   (also: {aliases})\n  {help}"
			 : c->detail		 ? "{usage}\n  {help}\n  {detail}"
						 : "{usage}\n  {help}");
	table_row(t, (struct value[]){ V_STR(usage), c->aliases ? V_STR(c->aliases) : V_NONE, V_STR(c->help),
				       c->detail ? V_STR(c->detail) : V_NONE });
	help_records(s, c, r);
	return 0;
}

/* ---- all of them ---- */

static void command_rows(struct inspect *s, const struct command_group *g, struct table *t)
{
	char usage[200];

	for (const struct command *c = g->commands; c->name; c++) {
		if (!command_offered(s, c))
			continue;
		usage_text(c, usage, sizeof(usage));
		table_row(t, (struct value[]){ V_STR(usage), V_STR(c->help) });
	}
}

/* The group NAME, or ("all") every one. False: there is no such group. */
static bool help_group(struct inspect *s, const char *name, struct result *r)
{
	bool all = !strcmp(name, "all");
	struct table *t = NULL;

	for (unsigned i = 0; command_group_at(s, i); i++) {
		if (!all && strcmp(name, command_group_at(s, i)->name))
			continue;
		if (!t)
			t = result_table(r, help_cols, ARRAY_LEN(help_cols), TABLE_PLAIN, NULL);
		command_rows(s, command_group_at(s, i), t);
	}
	return t;
}

/* The names of G's commands, in lines of some 90 characters; malloced. "": none is offered. */
static char *names_of(struct inspect *s, const struct command_group *g)
{
	size_t len, column = 0;
	char *text = NULL;
	FILE *f = xmemstream(&text, &len);

	for (const struct command *c = g->commands; c->name; c++) {
		if (!command_offered(s, c))
			continue;
		if (column)
			fputs(column > 80 ? "\n      " : " ", f);
		column = column > 80 ? 0 : column;
		column += strlen(c->name) + 1;
		fputs(c->name, f);
	}
	fclose(f);
	return text;
}

static void help_groups(struct inspect *s, struct result *r)
{
	struct table *t = result_table(r, help_group_cols, ARRAY_LEN(help_group_cols), TABLE_PLAIN,
				       "{title} ({group})\n      {commands}");

	for (unsigned i = 0; command_group_at(s, i); i++) {
		const struct command_group *g = command_group_at(s, i);
		char *names = names_of(s, g);

		if (names[0])
			table_row(t, (struct value[]){ V_STR(g->name), V_STR(g->title), V_STR(names) });
		free(names);
	}
	result_text(
	    r,
	    "'help GROUP' says what a group's commands do, 'help all' what all do, 'help COMMAND' and 'help info VIEW'\n"
	    "more about one. Commands can be abbreviated. 'help aliases' lists names from QEMU, Bochs and WinDbg.");
}

int cmd_help(struct inspect *s, const struct cmd_args *a, struct result *r)
{
	char why[200];

	if (a->argc == 2 && !strcmp(a->argv[0], "info"))
		return help_view(s, a->argv[1], false, r);
	if (a->argc > 1 && !peer_find(a->rest))
		return result_fail(r, "help: expected one COMMAND or GROUP, or info VIEW");
	if (!a->argc)
		help_groups(s, r);
	else if (!strcmp(a->argv[0], "aliases"))
		peer_rows(result_table(r, peer_cols, ARRAY_LEN(peer_cols), TABLE_GRID, NULL), NULL);
	else if (command_find(s, a->argv[0], strlen(a->argv[0]), why, sizeof(why)) ||
		 !help_group(s, a->argv[0], r))
		return help_one(s, a->rest, r);
	return 0;
}
