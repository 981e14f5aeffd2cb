/* SPDX-License-Identifier: GPL-3.0-or-later
 * The registry of views: which tables of views there are and who owns the data.
 * Where two tables have a view of the same name the first one is shown. */
#include "inspect/session_int.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const struct view *const inspect_views[] = {
	&view_registers, &view_break, &view_mem,  &view_tlb, &view_gdt, &view_idt,     &view_ldt,
	&view_tss,	 &view_fpu,   &view_xmm,  &view_screen, &view_symbols, NULL,
};

/* How the rows of some views look as text, where other programs read them (QEMU's
 * "info mem" and "info tlb", which gdb plug-ins parse) or a grid would not do. */
static const struct {
	const char *view, *format;
	enum table_style style;
} layouts[] = {
	{ "mem", "{start:16}-{end:16} {size:16} {rights}", TABLE_PLAIN },
	{ "tlb", "{address:16}: {physical:16} {flags}", TABLE_PLAIN },
	{ "screen", "{text}", TABLE_PLAIN },
	{ "registers", NULL, TABLE_PLAIN },
};

enum { NTABLES = 4 };

struct view_table {
	const struct view *const *views;
	void *owner;
};

static void tables(struct inspect *s, struct view_table t[NTABLES])
{
	static const struct view *const none[] = { NULL };
	struct vcpu *v = s->m ? machine_vcpu(s->m) : NULL;

	t[0] = (struct view_table){ inspect_views, s };
	t[1] = (struct view_table){ s->m ? machine_views : none, s->m };
	t[2] = (struct view_table){ v ? mm_views : none, v ? v->mmu : NULL };
	t[3] = (struct view_table){ v && v->ops->views ? v->ops->views : none, v };
}

void view_each(struct inspect *s, void (*found)(void *ctx, const struct view *v), void *ctx)
{
	struct view_table t[NTABLES];

	tables(s, t);
	for (int i = 0; i < NTABLES; i++)
		for (const struct view *const *v = t[i].views; *v; v++)
			found(ctx, *v);
}

const struct view *view_find(struct inspect *s, const char *name, void **owner, char *why, size_t whylen)
{
	size_t n = (size_t)snprintf(why, whylen, "'%s' is ambiguous:", name), fits = 0, len = strlen(name);
	const struct view *found = NULL;
	struct view_table t[NTABLES];

	tables(s, t);
	for (int i = 0; i < NTABLES; i++)
		for (const struct view *const *v = t[i].views; *v; v++) {
			if (strncmp((*v)->name, name, len) || (found && !strcmp(found->name, (*v)->name)))
				continue;
			found = *v;
			*owner = t[i].owner;
			if (!(*v)->name[len])
				return found;
			fits++;
			if (n < whylen)
				n += (size_t)snprintf(why + n, whylen - n, " %s", (*v)->name);
		}
	if (fits == 1)
		return found;
	if (!fits)
		snprintf(why, whylen, "no view '%s'%s", name, s->m ? " (info lists them)" : " without a machine");
	return NULL;
}

/* What "info NAME ..." was asked for besides the view's own argument. */
struct view_request {
	char arg[256];
	const char *sort;
	size_t limit;
	bool has_limit;
};

static int parse_request(const struct cmd_args *a, int first, struct view_request *q, struct result *r)
{
	size_t n = 0;
	char *end;

	*q = (struct view_request){ 0 };
	for (int i = first; i < a->argc; i++) {
		if (!strcmp(a->argv[i], "-j")) {
			r->json = true;
		} else if (!strncmp(a->argv[i], "sort=", 5)) {
			q->sort = a->argv[i] + 5;
		} else if (!strncmp(a->argv[i], "limit=", 6)) {
			q->limit = strtoul(a->argv[i] + 6, &end, 0);
			q->has_limit = true;
			if (*end || end == a->argv[i] + 6)
				return result_fail(r, "info: limit= takes a number");
		} else if (n < sizeof(q->arg)) {
			n += (size_t)snprintf(q->arg + n, sizeof(q->arg) - n, "%s%s", n ? " " : "", a->argv[i]);
		}
	}
	return 0;
}

static struct table *add_table(struct result *r, const struct view *v)
{
	struct table *t = result_table(r, v->cols, v->ncols, v->vertical ? TABLE_VERTICAL : TABLE_GRID, NULL);

	for (size_t i = 0; i < ARRAY_LEN(layouts); i++)
		if (!strcmp(layouts[i].view, v->name)) {
			t->style = layouts[i].style;
			t->format = layouts[i].format;
		}
	return t;
}

int view_show(struct inspect *s, const char *name, const struct cmd_args *a, int first_arg, struct result *r)
{
	struct view_request q;
	const struct view *v;
	struct table *t;
	const char *error;
	char why[300];
	void *owner;

	if (parse_request(a, first_arg, &q, r))
		return -1;
	v = view_find(s, name, &owner, why, sizeof(why));
	if (!v)
		return result_fail(r, "info: %s", why);
	t = add_table(r, v);
	error = v->rows(owner, q.arg, &t->sink);
	if (error)
		return result_fail(r, "info %s: %s", v->name, error);
	if (q.sort && !table_sort(t, q.sort))
		return result_fail(r, "info %s: no column '%s'", v->name, q.sort + (q.sort[0] == '-'));
	if (q.has_limit)
		table_limit(t, q.limit);
	return 0;
}
