/* SPDX-License-Identifier: GPL-3.0-or-later
 * One fragment: each guest instruction beside its host code, coloured by its lowering. The
 * fragment is the one selected in the table of fragments; the records are those of the command
 * "ccf". */
#include "tui/actions.h"
#include "base/address.h"
#include "tui/panes.h"
#include "tui/find.h"
#include "tui/tui_int.h"

#include <string.h>

struct ccf_pane {
	const struct table *head, *code;
	const char *error;
	uint64_t host; /* of the fragment shown */
	struct list list;
};

static const struct {
	const char *word;
	enum style style;
	const char *help;
} lowerings[] = {
	{ "ident", ST_IDENT, "copied" },
	{ "window", ST_WINDOW, "memory, by the window" },
	{ "in-tc", ST_INTC, "emulated inline" },
	{ "callout", ST_CALLOUT, "calls the monitor" },
	{ "chain", ST_CHAIN, "control flow" },
	{ "exit", ST_EXIT, "leaves the fragment" },
	{ "entry", ST_EXIT, "" },
};

static enum style lowering_style(const char *word)
{
	for (size_t i = 0; i < ARRAY_LEN(lowerings); i++)
		if (!strcmp(lowerings[i].word, word))
			return lowerings[i].style;
	return ST_NORMAL;
}

/* The row of the first guest instruction; entry stubs come before it. */
static int first_insn(const struct ccf_pane *c)
{
	for (size_t r = 0; c->code && r < c->code->nrows; r++)
		if (cell(c->code, r, "pc"))
			return (int)r;
	return 0;
}

static int legend_rows(int h)
{
	return h >= 6;
}

static void update(struct pane *p, struct tui *t)
{
	struct ccf_pane *c = p->state;
	bool was_there = c->code != NULL;
	const struct table *k;

	c->head = c->code = NULL;
	if (!t->sel.has_ccf) {
		c->error = "select a fragment in the table";
		return;
	}
	k = query(t, &c->error, "ccf 0x%llx", (unsigned long long)t->sel.ccf_pc);
	for (; k && k->next; k = k->next->next) {
		/* the table has the address at which chained code enters; other entries precede it */
		if (c->head && t->sel.ccf_host - cell_u(k, 0, "host") >= cell_u(k, 0, "size"))
			continue;
		c->head = k;
		c->code = k->next;
	}
	if (t->sel.ccf_host != c->host || !was_there)
		c->list.top = c->list.at = first_insn(c);
	c->host = t->sel.ccf_host;
	list_fit(&c->list, c->code ? (int)c->code->nrows : 0, p->area.h - legend_rows(p->area.h));
}

/* The styles of a row's parts; under the cursor all have the cursor's. */
struct row_style {
	enum style addr, bytes, code;
};

static void draw_guest(const struct ccf_pane *c, const struct area *a, size_t row, const struct row_style *st,
		       bool wide)
{
	int x = area_printf(a, 0, 0, st->addr, "%s ", ADDRESS(cell_u(c->code, row, "pc")));

	if (wide)
		x = area_field(a, x, 0, 16, st->bytes, cell_str(c->code, row, "guest_bytes"));
	area_field(a, x, 0, a->w - x - 8, st->code, cell_str(c->code, row, "guest"));
	area_field(a, a->w - 7, 0, 7, st->code, cell_str(c->code, row, "lowering"));
}

static void draw_host(const struct ccf_pane *c, const struct area *a, size_t row, const struct row_style *st,
		      bool wide)
{
	int x = area_printf(a, 0, 0, st->addr, wide ? "%llx " : "%04llx ",
			    (unsigned long long)cell_u(c->code, row, "host_pc") & (wide ? ~0ull : 0xffffu));

	if (wide)
		x = area_field(a, x, 0, 24, st->bytes, cell_str(c->code, row, "host_bytes"));
	area_field(a, x, 0, a->w - x, st->code, cell_str(c->code, row, "host"));
}

static void draw_row(const struct ccf_pane *c, const struct area *a, int y, size_t row, int host_x, bool wide,
		     bool selected)
{
	enum style low = lowering_style(cell_str(c->code, row, "lowering"));
	struct row_style st = { ST_ADDR, ST_BYTES, low };
	struct area left = area_cut(a, 0, y, host_x - 2, 1), right = area_cut(a, host_x, y, a->w - host_x, 1);
	bool first = cell(c->code, row, "pc") != NULL;

	if (selected) {
		area_fill(a, 0, y, a->w, ST_SELECT, ' ');
		st = (struct row_style){ ST_SELECT, ST_SELECT, ST_SELECT };
	}
	if (first)
		draw_guest(c, &left, row, &st, wide);
	area_char(a, host_x - 2, y, first ? low : ST_RULE, first ? 0x251c : 0x2502);
	if (cell(c->code, row, "host_pc"))
		draw_host(c, &right, row, &st, wide);
	else
		area_put(&right, 0, 0, ST_DIM, "(nothing)");
}

static void draw_legend(const struct area *a, int y)
{
	int x = 0;

	for (size_t i = 0; i + 1 < ARRAY_LEN(lowerings); i++) {
		x = area_put(a, x, y, lowerings[i].style, lowerings[i].word);
		if (a->w >= 150)
			x = area_printf(a, x, y, ST_DIM, " %s", lowerings[i].help);
		x += 2;
	}
}

static void draw(struct pane *p, struct tui *t, const struct area *a)
{
	struct ccf_pane *c = p->state;
	bool wide = a->w >= 130;
	int host_x = wide ? a->w * 46 / 100 : a->w * 52 / 100, legend = legend_rows(a->h);

	if (!c->code) {
		area_wrap(a, 0, ST_DIM, c->error ? query_reason(c->error) : "this fragment no longer exists");
		return;
	}
	list_fit(&c->list, (int)c->code->nrows, a->h - legend);
	for (int i = 0; i < a->h - legend && c->list.top + i < (int)c->code->nrows; i++)
		draw_row(c, a, i, (size_t)(c->list.top + i), host_x, wide,
			 c->list.top + i == c->list.at && screen_focus(t) == p);
	if (legend)
		draw_legend(a, a->h - 1);
}

static void heading(struct pane *p, struct tui *t, char *buf, size_t len)
{
	struct ccf_pane *c = p->state;
	const struct value *x;

	(void)t;
	buf[0] = 0;
	if (!c->head)
		return;
	x = cell(c->head, 0, "expansion");
	snprintf(buf, len, "%s %s%s%s%llu instruction%s, %llu bytes → %llu, ×%.1f",
		 ADDRESS(cell_u(c->head, 0, "pc")), cell(c->head, 0, "symbol") ? "<" : "",
		 cell_str(c->head, 0, "symbol"), cell(c->head, 0, "symbol") ? "> " : "",
		 (unsigned long long)cell_u(c->head, 0, "insns"), cell_u(c->head, 0, "insns") == 1 ? "" : "s",
		 (unsigned long long)cell_u(c->head, 0, "bytes"),
		 (unsigned long long)cell_u(c->head, 0, "size"), x ? x->d : 0);
}

static bool key(struct pane *p, struct tui *t, int k)
{
	struct ccf_pane *c = p->state;

	if (k == TK_ENTER && c->code)
		act_menu(t, k);
	else if (!list_key(&c->list, k))
		return false;
	t->moved = true;
	return true;
}

static void mouse(struct pane *p, struct tui *t, const struct term_event *e)
{
	struct ccf_pane *c = p->state;

	if (e->key == TK_DOUBLE)
		act_menu(t, e->key);
	else if (list_mouse(&c->list, e, 0))
		t->moved = true;
}

/* The guest instruction of the row under the cursor. */
static bool address(struct pane *p, struct tui *t, uint64_t *addr)
{
	struct ccf_pane *c = p->state;

	*addr = t->sel.ccf_pc;
	for (int r = 0; c->code && r <= c->list.at && r < (int)c->code->nrows; r++)
		if (cell(c->code, (size_t)r, "pc"))
			*addr = cell_u(c->code, (size_t)r, "pc");
	return t->sel.has_ccf;
}

static void answer(struct pane *p, struct tui *t, enum ask what, const char *text)
{
	struct ccf_pane *c = p->state;
	int found;

	if (what != ASK_SEARCH) {
		find_refuse(t, what);
		return;
	}
	found = find_line(p, t, c->code ? (int)c->code->nrows + 1 : 0, c->list.at, text);
	if (found >= 0)
		c->list.at = found;
	t->moved = true;
}

static const struct pane_key keys[] = {
	{ TK_ENTER, "Enter", "menu of commands for the instruction, as a (also a double click)" },
	{ 0 },
};

const struct pane_class pane_ccf = {
	.name = "fragment",
	.title = "Fragment",
	.help = "guest code beside its translation; the colour shows how each instruction was lowered",
	.size = sizeof(struct ccf_pane),
	.keys = keys,
	.update = update,
	.draw = draw,
	.heading = heading,
	.key = key,
	.mouse = mouse,
	.answer = answer,
	.address = address,
};
