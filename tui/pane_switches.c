/* SPDX-License-Identifier: GPL-3.0-or-later
 * The controls of the current VMCS or VMCB as switches, grouped by word. Enter flips the one under the
 * cursor. */
#include "tui/panes.h"
#include "tui/tui_int.h"

#include <string.h>

enum { WORD_W = 5 };

struct switches {
	const struct table *k;
	const char *error;
	char filter[64];
	int row[160]; /* of the table: those that the filter lets through */
	int n;
	unsigned on;
	struct list list;
};

static void update(struct pane *p, struct tui *t)
{
	struct switches *s = p->state;

	s->k = query(t, &s->error, "info virt-controls");
	s->n = 0;
	s->on = 0;
	for (size_t r = 0; s->k && r < s->k->nrows && s->n < (int)ARRAY_LEN(s->row); r++) {
		s->on += cell_u(s->k, r, "on") != 0;
		if (!s->filter[0] || strcasestr(cell_str(s->k, r, "name"), s->filter) ||
		    strcasestr(cell_str(s->k, r, "help"), s->filter))
			s->row[s->n++] = (int)r;
	}
	list_fit(&s->list, s->n, p->area.h);
}

/* "PROC2" of "PROC2_EPT", "INTER" of "INTERCEPT_CPUID". */
static void word_of(const char *name, char *buf, size_t len)
{
	int n = (int)strcspn(name, "_");

	snprintf(buf, len, "%.*s", n < WORD_W ? n : WORD_W, name);
}

static void draw(struct pane *p, struct tui *t, const struct area *a)
{
	struct switches *s = p->state;
	bool mine = screen_focus(t) == p;
	char word[16];

	if (!s->n) {
		area_wrap(a, 0, ST_DIM,
			  s->error	 ? query_reason(s->error)
			  : s->filter[0] ? "no control contains the filter"
					 : "no data yet");
		return;
	}
	list_fit(&s->list, s->n, a->h);
	for (int y = 0; y < a->h && s->list.top + y < s->n; y++) {
		size_t r = (size_t)s->row[s->list.top + y];
		enum style sel = mine && s->list.top + y == s->list.at ? ST_SELECT : ST_NORMAL;
		bool on = cell_u(s->k, r, "on"), fixed = strcmp(cell_str(s->k, r, "may"), "0 or 1") != 0;

		if (sel)
			area_fill(a, 0, y, a->w, sel, ' ');
		word_of(cell_str(s->k, r, "name"), word, sizeof(word));
		area_put(a, 0, y, sel ? sel : on ? ST_CHANGED : ST_ZERO, on ? "[x]" : "[ ]");
		area_field(a, 4, y, 6, sel ? sel : ST_DIM, word);
		area_field(a, 10, y, a->w - 10,
			   sel		  ? sel
			   : on && !fixed ? ST_VALUE
			   : fixed	  ? ST_ZERO
					  : ST_NAME,
			   cell_str(s->k, r, "help"));
	}
}

static void heading(struct pane *p, struct tui *t, char *buf, size_t len)
{
	const struct switches *s = p->state;

	(void)t;
	buf[0] = 0;
	if (s->n)
		snprintf(buf, len, "%u of %zu on; Enter flips", s->on, s->k->nrows);
}

/* The command is called as the extension is. */
static const char *command(struct tui *t)
{
	const struct table *k = query(t, NULL, "info virt");

	for (size_t r = 0; k && r < k->nrows; r++)
		if (!strcmp(cell_str(k, r, "name"), "extension") && !strcmp(cell_str(k, r, "value"), "SVM"))
			return "svm";
	return "vmx";
}

static void flip(struct tui *t, const struct switches *s)
{
	if (s->list.at < s->n)
		tui_exec(t, true, "%s control %s flip", command(t),
			 cell_str(s->k, (size_t)s->row[s->list.at], "name"));
}

static bool key(struct pane *p, struct tui *t, int k)
{
	struct switches *s = p->state;

	if (k == TK_ENTER)
		flip(t, s);
	else if (!list_key(&s->list, k))
		return false;
	t->moved = true;
	return true;
}

static void mouse(struct pane *p, struct tui *t, const struct term_event *e)
{
	struct switches *s = p->state;

	if (list_mouse(&s->list, e, 0))
		t->moved = true;
}

static void answer(struct pane *p, struct tui *t, enum ask what, const char *text)
{
	struct switches *s = p->state;

	if (what == ASK_FILTER)
		snprintf(s->filter, sizeof(s->filter), "%s", text);
	for (int i = 1; what == ASK_SEARCH && i <= s->n; i++) {
		int at = (s->list.at + i) % s->n;

		if (!strcasestr(cell_str(s->k, (size_t)s->row[at], "help"), text))
			continue;
		s->list.at = at;
		break;
	}
	t->moved = true;
}

static const struct pane_key keys[] = { { TK_ENTER, "Enter", "flip the control in the VMCS or VMCB" },
					{ 0 } };

const struct pane_class pane_switches = {
	.name = "controls",
	.title = "Controls",
	.help =
	    "the controls of the current VMCS or VMCB as switches; dim: the processor allows one value only",
	.size = sizeof(struct switches),
	.keys = keys,
	.update = update,
	.draw = draw,
	.heading = heading,
	.key = key,
	.mouse = mouse,
	.answer = answer,
};
