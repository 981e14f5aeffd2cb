/* SPDX-License-Identifier: GPL-3.0-or-later
 * One fragment: each guest instruction beside the host code it became, coloured by how
 * it was lowered. The fragment is the one chosen in the table of fragments; the records
 * are those of the command "ccf". */
#include "tui/panes.h"

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
	{ "window", ST_WINDOW, "memory through the window" },
	{ "in-tc", ST_INTC, "emulated in line" },
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

/* The row of the first guest instruction; before it stand the ways in. */
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
	const struct table *k;

	c->head = c->code = NULL;
	if (!t->has_ccf) {
		c->error = "choose a fragment in the table";
		return;
	}
	k = look(t, &c->error, "ccf 0x%llx", (unsigned long long)t->ccf_pc);
	for (; k && k->next; k = k->next->next) {
		/* the table has the address that chained code enters at; other entries stand before it */
		if (c->head && t->ccf_host - cell_u(k, 0, "host") >= cell_u(k, 0, "size"))
			continue;
		c->head = k;
		c->code = k->next;
	}
	if (t->ccf_host != c->host)
		c->list.top = c->list.at = first_insn(c);
	c->host = t->ccf_host;
	list_fit(&c->list, c->code ? (int)c->code->nrows : 0, p->area.h - legend_rows(p->area.h));
}

static void draw_row(const struct ccf_pane *c, const struct area *a, int y, size_t row, int host_x, bool wide)
{
	const char *low = cell_str(c->code, row, "lowering");
	enum style st = lowering_style(low);
	struct area left = area_cut(a, 0, y, host_x - 2, 1), right = area_cut(a, host_x, y, a->w - host_x, 1);
	bool first = cell(c->code, row, "pc") != NULL;
	int x = 0;

	if (first) {
		x = area_printf(&left, 0, 0, ST_ADDR, "%08llx ",
				(unsigned long long)cell_u(c->code, row, "pc"));
		if (wide)
			x = area_field(&left, x, 0, 16, ST_BYTES, cell_str(c->code, row, "guest_bytes"));
		area_field(&left, x, 0, left.w - x - 8, st, cell_str(c->code, row, "guest"));
		area_field(&left, left.w - 7, 0, 7, st, low);
	}
	area_char(a, host_x - 2, y, first ? st : ST_RULE, first ? 0x251c : 0x2502);
	if (!cell(c->code, row, "host_pc")) {
		area_put(&right, 0, 0, ST_DIM, "(nothing)");
		return;
	}
	x = area_printf(&right, 0, 0, ST_ADDR, wide ? "%llx " : "%04llx ",
			(unsigned long long)cell_u(c->code, row, "host_pc") & (wide ? ~0ull : 0xffffu));
	if (wide)
		x = area_field(&right, x, 0, 24, ST_BYTES, cell_str(c->code, row, "host_bytes"));
	area_field(&right, x, 0, right.w - x, st, cell_str(c->code, row, "host"));
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

	(void)t;
	if (!c->code) {
		area_put(a, 0, 0, ST_DIM, c->error ? c->error : "this fragment is gone");
		return;
	}
	list_fit(&c->list, (int)c->code->nrows, a->h - legend);
	for (int i = 0; i < a->h - legend && c->list.top + i < (int)c->code->nrows; i++)
		draw_row(c, a, i, (size_t)(c->list.top + i), host_x, wide);
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
	snprintf(buf, len, "%08llx %s%s%s%llu instructions, %llu bytes → %llu, ×%.1f",
		 (unsigned long long)cell_u(c->head, 0, "pc"), cell(c->head, 0, "symbol") ? "<" : "",
		 cell_str(c->head, 0, "symbol"), cell(c->head, 0, "symbol") ? "> " : "",
		 (unsigned long long)cell_u(c->head, 0, "insns"),
		 (unsigned long long)cell_u(c->head, 0, "bytes"),
		 (unsigned long long)cell_u(c->head, 0, "size"), x ? x->d : 0);
}

static bool key(struct pane *p, struct tui *t, int k)
{
	struct ccf_pane *c = p->state;
	int d = k == TK_UP || k == 'k'	   ? -1
		: k == TK_DOWN || k == 'j' ? 1
		: k == TK_PGUP		   ? -c->list.view
		: k == TK_PGDN		   ? c->list.view
					   : 0;

	(void)t;
	if (!d)
		return false;
	c->list.top += d;
	c->list.top = c->list.top > c->list.rows - c->list.view ? c->list.rows - c->list.view : c->list.top;
	c->list.top = c->list.top < 0 ? 0 : c->list.top;
	c->list.at = c->list.top; /* the cursor is not shown: the pane scrolls */
	return true;
}

static void mouse(struct pane *p, struct tui *t, const struct term_event *e)
{
	for (int i = 0; i < 3; i++)
		if (e->key == TK_WHEELUP || e->key == TK_WHEELDN)
			key(p, t, e->key == TK_WHEELUP ? TK_UP : TK_DOWN);
}

static bool address(struct pane *p, struct tui *t, uint64_t *addr)
{
	(void)p;
	*addr = t->ccf_pc;
	return t->has_ccf;
}

const struct pane_class pane_ccf = {
	.name = "fragment",
	.title = "Fragment",
	.help = "guest code beside its translation; the colour says how each instruction was lowered",
	.size = sizeof(struct ccf_pane),
	.update = update,
	.draw = draw,
	.heading = heading,
	.key = key,
	.mouse = mouse,
	.address = address,
};
