/* SPDX-License-Identifier: GPL-3.0-or-later
 * The user's choices about the translation as a script: each row of the translator's views of choices is
 * written as a command. */
#include "inspect/session_int.h"
#include "base/address.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

/* How rows of a view are written to the script. */
struct saved_view {
	const char *view, *arg;
	/* Write the command for the row VALS of V. */
	void (*write)(FILE *f, const struct value *vals, const struct view *v);
};

static struct value cell(const struct view *v, const struct value *vals, const char *name)
{
	for (unsigned i = 0; i < v->ncols; i++)
		if (!strcmp(v->cols[i].name, name))
			return vals[i];
	return V_NONE;
}

static const char *text_of(const struct view *v, const struct value *vals, const char *name)
{
	struct value c = cell(v, vals, name);

	return c.type == VAL_STR && c.s ? c.s : "";
}

static unsigned long long number_of(const struct view *v, const struct value *vals, const char *name)
{
	struct value c = cell(v, vals, name);

	return c.type == VAL_NONE ? 0 : (unsigned long long)c.u;
}

static void save_policy(FILE *f, const struct value *vals, const struct view *v)
{
	if (strcmp(text_of(v, vals, "way"), "default"))
		fprintf(f, "policy %s %s\n", text_of(v, vals, "kind"), text_of(v, vals, "way"));
}

static void save_site(FILE *f, const struct value *vals, const struct view *v)
{
	if (strcmp(text_of(v, vals, "way"), "default"))
		fprintf(f, "-site 0x%s %s\n", ADDRESS(number_of(v, vals, "pc")), text_of(v, vals, "way"));
}

static void save_cause(FILE *f, const struct value *vals, const struct view *v)
{
	const char *cause = text_of(v, vals, "cause");

	fprintf(f, "adapt threshold %s %llu\n", cause, number_of(v, vals, "threshold"));
	fprintf(f, "adapt span %s %llu\n", cause, number_of(v, vals, "span"));
	fprintf(f, "adapt calm %s %llu\n", cause, number_of(v, vals, "calm"));
	fprintf(f, "adapt %s %s\n", number_of(v, vals, "on") ? "on" : "off", cause);
}

static void save_pin(FILE *f, const struct value *vals, const struct view *v)
{
	fprintf(f, "pin 0x%s\n", ADDRESS(number_of(v, vals, "pc")));
}

static void save_patch(FILE *f, const struct value *vals, const struct view *v)
{
	const char *over = text_of(v, vals, "over"), *guest = text_of(v, vals, "guest");

	if (!over[0] && number_of(v, vals, "fragments")) /* it was translated: the guest has code there */
		over = guest;
	fprintf(f, "# %s\n", text_of(v, vals, "code"));
	fprintf(f, "patch-code 0x%s %s%s%s\n", ADDRESS(number_of(v, vals, "pc")), text_of(v, vals, "bytes"),
		over[0] ? " over " : "", over);
}

static void save_probe(FILE *f, const struct value *vals, const struct view *v)
{
	const char *line = text_of(v, vals, "line"), *cond = text_of(v, vals, "condition");

	fprintf(f, "probe 0x%s%s%s%s%s\n", ADDRESS(number_of(v, vals, "pc")), line[0] ? " " : "", line,
		!cond[0]		     ? ""
		: !strncmp(cond, "task ", 5) ? " "
					     : " if ",
		cond);
}

static const struct saved_view saved_views[] = {
	{ "policy", "", save_policy }, { "causes", "", save_cause }, { "sites", "", save_site },
	{ "patches", "", save_patch }, { "pins", "", save_pin },     { "probes", "", save_probe },
};

struct saving_sink {
	struct row_sink sink;
	const struct saved_view *how;
	const struct view *v;
	FILE *f;
};

static void saving_row(struct row_sink *sink, const struct value *vals)
{
	struct saving_sink *k = (struct saving_sink *)sink;

	k->how->write(k->f, vals, k->v);
}

int save_script_write(struct inspect *s, const char *file, struct result *r)
{
	FILE *f = fopen(file, "we");

	if (!f)
		return result_fail(r, "patches: %s: %s", file, strerror(errno));
	fprintf(
	    f, "# Written by 'patches save': choices, patches, pins and probes. Execute it with 'source'.\n");
	for (size_t i = 0; i < ARRAY_LEN(saved_views); i++) {
		struct saving_sink k = { .sink.row = saving_row, .how = &saved_views[i], .f = f };
		char why[200];
		void *owner;

		k.v = view_find(s, k.how->view, &owner, why, sizeof(why));
		if (k.v)
			k.v->rows(owner, k.how->arg, &k.sink);
	}
	if (ferror(f) | fclose(f))
		return result_fail(r, "patches: %s: %s", file, strerror(errno));
	return 0;
}
