/* SPDX-License-Identifier: GPL-3.0-or-later
 * Commands, views and registers as sections of vitrine(1), from their tables. */
#include "inspect/session_int.h"
#include "x86/regs.h"

#include <stdio.h>

/* Text for roff: backslashes and leading dots mean something there. */
static void put_text(FILE *f, const char *s)
{
	if (*s == '.' || *s == '\'')
		fputs("\\&", f);
	for (; *s; s++) {
		if (*s == '\\')
			fputs("\\e", f);
		else if (*s == '-')
			fputs("\\-", f);
		else if (*s == '\n')
			fputs("\n.br\n", f);
		else
			fputc(*s, f);
	}
}

static void put_command(FILE *f, const struct command *c)
{
	fprintf(f, ".TP\n\\fB%s\\fR ", c->name);
	put_text(f, c->args);
	fputc('\n', f);
	put_text(f, c->help);
	fputs(".\n", f);
	if (c->detail) {
		put_text(f, c->detail);
		fputc('\n', f);
	}
	if (c->aliases)
		fprintf(f, "Also: %s.\n", c->aliases);
}

static void put_views(FILE *f, const struct view *const *views)
{
	for (; views && *views; views++) {
		fprintf(f, ".TP\n\\fBinfo %s\\fR\n", (*views)->name);
		put_text(f, (*views)->help);
		fputs(".\nColumns:", f);
		for (unsigned i = 0; i < (*views)->ncols; i++) {
			fprintf(f, "%s \\fI%s\\fR (", i ? ";" : "", (*views)->cols[i].name);
			put_text(f, (*views)->cols[i].help);
			fputc(')', f);
		}
		fputs(".\n", f);
	}
}

static void put_registers(FILE *f)
{
	for (unsigned g = 0; g < REG_NGROUP; g++) {
		fprintf(f, ".TP\n%s\n", reg_group_names[g]);
		for (unsigned i = 0; i < reg_count; i++)
			if (reg_infos[i].group == g)
				fprintf(f, "%s ", reg_infos[i].name);
		fputc('\n', f);
	}
}

static void put_group(FILE *f, const struct command_group *g)
{
	if (g->commands->name)
		fprintf(f, ".SS %s\n", g->title);
	for (const struct command *c = g->commands; c->name; c++)
		put_command(f, c);
}

void inspect_manual(FILE *f, const struct view *const *engine_views, const struct inspect_addon *const *addons)
{
	fputs(".SH COMMANDS\nNames can be abbreviated as long as they are unambiguous. Addresses are linear "
	      "unless it says "
	      "physical. Numbers are decimal unless they begin with 0x.\n",
	      f);
	for (const struct command_group *const *g = command_groups; *g; g++)
		put_group(f, *g);
	for (const struct inspect_addon *const *a = addons; *a; a++)
		if ((*a)->commands)
			put_group(f, (*a)->commands);
	fputs(".SH VIEWS\nThe columns are the keys of the JSON objects and the names for sort=.\n", f);
	put_views(f, inspect_views);
	put_views(f, machine_views);
	put_views(f, mm_views);
	put_views(f, engine_views);
	for (const struct inspect_addon *const *a = addons; *a; a++)
		put_views(f, (*a)->views);
	fputs(".SH REGISTERS\nIn expressions with a $ in front, and in \\fBinfo registers\\fR, by group:\n",
	      f);
	put_registers(f);
}
