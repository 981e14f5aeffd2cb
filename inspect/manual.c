/* SPDX-License-Identifier: GPL-3.0-or-later
 * Sections of vitrine(1) on commands, views and registers, generated from their tables. */
#include "inspect/session_int.h"
#include "mm/host.h"
#include "mm/policy.h"
#include "x86/regs.h"

#include <stdio.h>

/* Write S for roff, in which backslashes and leading dots are special. */
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

/* Write "name (help)" for each column. */
static void put_fields(FILE *f, const struct view_col *cols, unsigned n)
{
	for (unsigned i = 0; i < n; i++) {
		fprintf(f, "%s \\fI%s\\fR (", i ? ";" : "", cols[i].name);
		put_text(f, cols[i].help);
		fprintf(f, "%s%s)", cols[i].unit && cols[i].unit[0] ? ", " : "",
			cols[i].unit ? cols[i].unit : "");
	}
	fputs(".\n", f);
}

static void put_records(FILE *f, const struct command *c, const struct record_doc *const *docs)
{
	for (; docs && *docs; docs++) {
		if (!record_doc_is_of(*docs, c))
			continue;
		fputs(".br\nFields:", f);
		if ((*docs)->view)
			fprintf(f, " those of \\fBinfo %s\\fR.\n", (*docs)->view);
		else
			put_fields(f, (*docs)->cols, (*docs)->ncols);
	}
}

static void put_command(FILE *f, const struct command *c, const struct record_doc *const *docs)
{
	fprintf(f, ".TP\n\\fB%s\\fR%s", c->name, c->args[0] ? " " : "");
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
	put_records(f, c, docs);
}

static void put_views(FILE *f, const struct view *const *views)
{
	for (; views && *views; views++) {
		int pc = view_pc_column(*views);

		fprintf(f, ".TP\n\\fBinfo %s\\fR\n", (*views)->name);
		put_text(f, (*views)->help);
		fputs(".\n.br\nColumns:", f);
		put_fields(f, (*views)->cols, (*views)->ncols);
		if (pc >= 0)
			fputs("And \\fIsymbol\\fR, where pc is.\n", f);
	}
}

static void put_registers(FILE *f)
{
	for (unsigned g = 0; g < REG_NGROUP; g++) {
		const char *gap = "";

		fprintf(f, ".TP\n%s\n", reg_group_names[g]);
		for (unsigned i = 0; i < reg_count; i++)
			if (reg_infos[i].group == g) {
				fprintf(f, "%s%s", gap, reg_infos[i].name);
				gap = " ";
			}
		fputc('\n', f);
	}
}

static void put_group(FILE *f, const struct command_group *g, const struct record_doc *const *docs)
{
	if (g->commands->name)
		fprintf(f, ".SS %s\n", g->title);
	for (const struct command *c = g->commands; c->name; c++)
		put_command(f, c, docs);
}

void inspect_manual(FILE *f, const struct view *const *engine_views,
		    const struct inspect_addon *const *addons)
{
	fputs(
	    ".SH COMMANDS\nNames can be abbreviated as long as they are unambiguous. Addresses are linear "
	    "unless it says "
	    "physical. Numbers are decimal unless they begin with 0x.\n.PP\n"
	    "With \\-\\-json, and over the control socket, each row of a result is one object with the fields "
	    "named; fields without a value are left out. Rows with a field \\fItext\\fR only are lines of text.\n",
	    f);
	for (const struct command_group *const *g = command_groups; *g; g++)
		put_group(f, *g, record_docs);
	for (const struct inspect_addon *const *a = addons; *a; a++)
		if ((*a)->commands)
			put_group(f, (*a)->commands, (*a)->records);
	fputs(".SH VIEWS\nThe columns are the keys of the JSON objects and the names for sort=.\n", f);
	put_views(f, inspect_views);
	put_views(f, inspect_mmu_views);
	put_views(f, machine_views);
	put_views(f, mm_views);
	put_views(f, mm_vm_views);
	put_views(f, mm_pool_views);
	put_views(f, mm_host_views);
	put_views(f, engine_views);
	for (const struct inspect_addon *const *a = addons; *a; a++)
		put_views(f, (*a)->views);
	fputs(".SH REGISTERS\nIn expressions with a $ in front, and in \\fBinfo registers\\fR, by group:\n",
	      f);
	put_registers(f);
}
