/* SPDX-License-Identifier: GPL-3.0-or-later
 * The current VMCS or VMCB by group: fields with their values, decoded. What the last exit changed is lit,
 * and what was written since; fields that do not count under the present controls are dim. */
#include "tui/panes.h"
#include "tui/tui_int.h"

#include <string.h>

enum { MAX_LINES = 320, NAME_W = 27, NAME_LEAST = 16 };

struct vmcs {
	const struct table *k;
	const char *error;
	struct {
		int row;	   /* of the table; -1: a heading */
		const char *group; /* of a heading */
	} line[MAX_LINES];
	int nlines;
	struct list list;
	bool changed_only, svm;
	unsigned nchanged;
	char filter[64], state[120];
};

/* "GUEST_RIP" is "RIP" under its heading. */
static const char *short_name(const char *field)
{
	return !strncmp(field, "GUEST_", 6) ? field + 6 : !strncmp(field, "HOST_", 5) ? field + 5 : field;
}

static bool wanted(const struct vmcs *v, size_t row)
{
	if (v->changed_only && !cell(v->k, row, "changed"))
		return false;
	return !v->filter[0] || strcasestr(cell_str(v->k, row, "field"), v->filter) ||
	       strcasestr(cell_str(v->k, row, "bits"), v->filter);
}

static void add_line(struct vmcs *v, int row, const char *group)
{
	if (v->nlines == MAX_LINES)
		return;
	v->line[v->nlines].row = row;
	v->line[v->nlines++].group = group;
}

/* "VMCS 0x2000, root operation"; "VMCB 0x2000, guest". */
static void take_state(struct vmcs *v, struct tui *t)
{
	const struct table *k = query(t, NULL, "info virt");
	const char *at = "", *operation = "";

	for (size_t r = 0; k && r < k->nrows; r++) {
		if (!strncmp(cell_str(k, r, "name"), "current ", 8))
			at = cell_str(k, r, "value");
		if (!strcmp(cell_str(k, r, "name"), "extension"))
			v->svm = !strcmp(cell_str(k, r, "value"), "SVM");
		if (!strcmp(cell_str(k, r, "name"), "operation"))
			operation = cell_str(k, r, "value");
	}
	snprintf(v->state, sizeof(v->state), "%s %s, %.*s%s", v->svm ? "VMCB" : "VMCS", at,
		 (int)strcspn(operation, ":"), operation, v->svm ? "" : " operation");
}

/* In each group RIP, CR0 and their like come before PDPTEs; what an exit says begins with its reason. */
static bool is_first(const struct vmcs *v, size_t row)
{
	unsigned width = (unsigned)(cell_u(v->k, row, "encoding") >> 13 & 3);
	bool exit = !strcmp(cell_str(v->k, row, "group"), "VM-exit information");

	return width == (exit ? 2 : 3);
}

/* The rows of the group from FIRST on; return the row behind them. */
static size_t add_group(struct vmcs *v, size_t first)
{
	const char *group = cell_str(v->k, first, "group");
	size_t end = first;
	bool headed = false;

	while (end < v->k->nrows && !strcmp(cell_str(v->k, end, "group"), group))
		end++;
	for (int pass = 0; pass < 2; pass++)
		for (size_t r = first; r < end; r++) {
			if (is_first(v, r) != !pass || !wanted(v, r))
				continue;
			if (!headed)
				add_line(v, -1, group);
			headed = true;
			add_line(v, (int)r, NULL);
		}
	return end;
}

static void update(struct pane *p, struct tui *t)
{
	struct vmcs *v = p->state;

	v->k = query(t, &v->error, "info virt-block");
	v->nlines = 0;
	v->nchanged = 0;
	v->state[0] = 0;
	if (v->k && v->k->nrows)
		take_state(v, t);
	for (size_t r = 0; v->k && r < v->k->nrows; r++)
		v->nchanged += cell(v->k, r, "changed") != NULL;
	for (size_t r = 0; v->k && r < v->k->nrows;)
		r = add_group(v, r);
	list_fit(&v->list, v->nlines, p->area.h);
}

static void draw_field(const struct vmcs *v, const struct area *a, int y, size_t row, enum style sel)
{
	bool counts = cell_u(v->k, row, "counts"), lit = cell(v->k, row, "changed");
	uint64_t value = cell_u(v->k, row, "value");
	int name_w = a->w < 60 ? NAME_LEAST : NAME_W, value_w = value >> 32 ? 16 : 8, x;

	area_field(a, 1, y, name_w,
		   sel	    ? sel
		   : counts ? ST_NAME
			    : ST_ZERO,
		   short_name(cell_str(v->k, row, "field")));
	x = area_printf(a, name_w + 2, y,
			sel		    ? sel
			: lit		    ? ST_CHANGED
			: !counts || !value ? ST_ZERO
					    : ST_VALUE,
			"%0*llx", value_w, (unsigned long long)value);
	if (lit)
		area_char(a, x, y, sel ? sel : ST_CHANGED,
			  *cell_str(v->k, row, "changed") == 'w' ? 'w' : 0x25c4);
	area_field(a, x + 2, y, a->w - x - 2,
		   sel	    ? sel
		   : counts ? ST_FLAG
			    : ST_ZERO,
		   cell_str(v->k, row, "bits"));
}

static void draw(struct pane *p, struct tui *t, const struct area *a)
{
	struct vmcs *v = p->state;
	bool mine = screen_focus(t) == p;

	if (!v->nlines) {
		area_wrap(a, 0, ST_DIM,
			  v->error	    ? query_reason(v->error)
			  : v->filter[0]    ? "no field contains the filter"
			  : v->changed_only ? "no field changed since the last exit but one (m: all fields)"
					    : "no data yet");
		return;
	}
	list_fit(&v->list, v->nlines, a->h);
	for (int y = 0; y < a->h && v->list.top + y < v->nlines; y++) {
		int i = v->list.top + y;
		enum style sel = mine && i == v->list.at ? ST_SELECT : ST_NORMAL;

		if (sel)
			area_fill(a, 0, y, a->w, sel, ' ');
		if (v->line[i].row < 0)
			area_put(a, 0, y, sel ? sel : ST_COLUMN, v->line[i].group);
		else
			draw_field(v, a, y, (size_t)v->line[i].row, sel);
	}
}

static void heading(struct pane *p, struct tui *t, char *buf, size_t len)
{
	const struct vmcs *v = p->state;

	(void)t;
	if (v->nlines)
		snprintf(buf, len, "%s; %u changed%s%s%s", v->state, v->nchanged,
			 v->filter[0] ? ", filter \"" : "", v->filter, v->filter[0] ? "\"" : "");
	else
		buf[0] = 0;
}

/* Move the cursor to the next heading. */
static void next_group(struct vmcs *v)
{
	for (int i = 1; i < v->nlines; i++) {
		int at = (v->list.at + i) % v->nlines;

		if (v->line[at].row >= 0)
			continue;
		v->list.at = v->list.top = at;
		return;
	}
}

static void write_field(struct tui *t, const struct vmcs *v)
{
	int row = v->list.at < v->nlines ? v->line[v->list.at].row : -1;
	char text[120];

	if (row < 0)
		return;
	snprintf(text, sizeof(text), "%s %s ", v->svm ? "vmcb-write" : "vmwrite",
		 cell_str(v->k, (size_t)row, "field"));
	prompt_open(t, ASK_COMMAND, text);
}

static bool key(struct pane *p, struct tui *t, int k)
{
	struct vmcs *v = p->state;

	if (k == 'v')
		next_group(v);
	else if (k == 'm')
		v->changed_only = !v->changed_only;
	else if (k == TK_ENTER)
		write_field(t, v);
	else if (!list_key(&v->list, k))
		return false;
	t->moved = true;
	return true;
}

static void mouse(struct pane *p, struct tui *t, const struct term_event *e)
{
	struct vmcs *v = p->state;

	if (list_mouse(&v->list, e, 0))
		t->moved = true;
}

static void answer(struct pane *p, struct tui *t, enum ask what, const char *text)
{
	struct vmcs *v = p->state;

	if (what == ASK_FILTER)
		snprintf(v->filter, sizeof(v->filter), "%s", text);
	for (int i = 1; what == ASK_SEARCH && i <= v->nlines; i++) {
		int at = (v->list.at + i) % v->nlines;

		if (v->line[at].row < 0 ||
		    !strcasestr(cell_str(v->k, (size_t)v->line[at].row, "field"), text))
			continue;
		v->list.at = at;
		break;
	}
	t->moved = true;
}

static const struct pane_key keys[] = {
	{ 'v', "v", "the next group of fields" },
	{ 'm', "m", "only fields that changed, or all" },
	{ TK_ENTER, "Enter", "write the field: vmwrite, vmcb-write" },
	{ 0 },
};

const struct pane_class pane_vmcs = {
	.name = "vmcs",
	.title = "VMCS, VMCB",
	.help =
	    "the current VMCS or VMCB by group; lit: changed by the last exit, w: written since; dim: does not count",
	.size = sizeof(struct vmcs),
	.keys = keys,
	.update = update,
	.draw = draw,
	.heading = heading,
	.key = key,
	.mouse = mouse,
	.answer = answer,
};
