/* SPDX-License-Identifier: GPL-3.0-or-later
 * Drawing of tables: the columns that fit, rows with the cursor, their rates; or the fields of a
 * single row as name and value. */
#include "tui/pane_table_int.h"
#include "tui/tui_int.h"

#include <string.h>

enum { RATE_W = 9, GAP = 2, SAYS = 20 }; /* SAYS: columns of a text that are still useful */

static const char *col_title(const struct table_pane *tp, int col)
{
	return tp->k->cols[col].title;
}

static int measure(struct table_pane *tp, int i, int first, int last)
{
	int w = (int)strlen(col_title(tp, tp->cols[i]));
	char buf[300];

	for (int r = first; r < last; r++) {
		int n;

		table_cell_text(tp, tp->order[r], tp->cols[i], buf, sizeof(buf));
		n = (int)strlen(buf);
		w = n > w ? n : w;
	}
	if (w > tp->width[tp->cols[i]])
		tp->width[tp->cols[i]] = w;
	return tp->width[tp->cols[i]];
}

struct column_place {
	int col, x, w;
};

/* Place as many columns as fit in W; a text column at the end gets the remaining width. */
static int place_columns(struct table_pane *tp, int w, bool with_rest, int first, int last,
			 struct column_place *at)
{
	int n = 0, x = 0, skip = tp->list.left;

	for (int i = 0; i < tp->ncols; i++) {
		int need;

		if (i > 0 && skip > 0) { /* scrolled away; the first column stays */
			skip--;
			continue;
		}
		need = measure(tp, i, first, last);
		if (x + need > w) {
			/* cut a text if its beginning is long enough to be useful */
			if (table_flush_right(tp, tp->cols[i]) || w - x < 8 ||
			    (w - x < need / 3 && w - x < SAYS))
				break;
			need = w - x;
		}
		at[n++] = (struct column_place){ tp->cols[i], x, need };
		x += need + GAP;
	}
	if (n && !with_rest && !table_flush_right(tp, at[n - 1].col))
		at[n - 1].w = w - at[n - 1].x;
	return n;
}

/* Scroll sideways until the sort column is visible, if the user just changed it. */
static int place_with_sort(struct table_pane *tp, int w, bool with_rest, int first, int last,
			   struct column_place *at)
{
	int col = tp->sorted ? column_of(tp->k, tp->sort) : -1, n;

	for (;; tp->list.left++) {
		bool there = col < 0;

		n = place_columns(tp, w, with_rest, first, last, at);
		for (int i = 0; i < n; i++)
			there |= at[i].col == col;
		if (there || !tp->sort_moved || tp->list.left >= tp->ncols - 2)
			break;
	}
	tp->sort_moved = false;
	return n;
}

static enum style value_style(const struct table_pane *tp, size_t row, int col)
{
	const struct value *v = table_value(tp, row, col);

	if (v->type == VAL_STR)
		switch (tp->k->cols[col].type) {
		case VAL_SYMBOL:
			return ST_SYMBOL;
		case VAL_FLAGS:
			return ST_FLAG;
		case VAL_HELP:
			return ST_DIM;
		case VAL_VERDICT:
			return v->decision == DECISION_PROMOTED	 ? ST_CALLOUT
			       : v->decision == DECISION_DEMOTED ? ST_INTC
								 : ST_DIM;
		default:
			return ST_NAME;
		}
	if (v->type == VAL_ADDR)
		return ST_ADDR;
	if ((v->type == VAL_UINT || v->type == VAL_HEX || v->type == VAL_BOOL) && !v->u)
		return ST_ZERO;
	return ST_VALUE;
}

/* Is this the number of a recent row of a log? */
static bool is_fresh(const struct table_pane *tp, size_t row, int col)
{
	return tp->fresh && col == tp->fresh_col && table_value(tp, row, col)->u >= tp->fresh &&
	       tui_clock() < tp->fresh_until;
}

static void draw_cell(const struct table_pane *tp, const struct area *a, int y, size_t row,
		      const struct column_place *at, enum style sel)
{
	enum style st = sel ? sel : is_fresh(tp, row, at->col) ? ST_CHANGED : value_style(tp, row, at->col);
	char buf[300];

	table_cell_text(tp, row, at->col, buf, sizeof(buf));
	if (!buf[0] && sel == ST_NORMAL)
		return;
	if (table_flush_right(tp, at->col))
		area_right(a, at->x, y, at->w, st, buf);
	else
		area_field(a, at->x, y, at->w, st, buf);
}

static void draw_head(const struct table_pane *tp, const struct area *a, const struct column_place *at, int n)
{
	for (int i = 0; i < n; i++) {
		const struct view_col *c = &tp->k->cols[at[i].col];
		bool sorts = tp->sorted && !strcmp(c->name, tp->sort);
		enum style st = sorts ? ST_SORTED : ST_COLUMN;

		if (table_flush_right(tp, at[i].col))
			area_right(a, at[i].x, 0, at[i].w, st, c->title);
		else
			area_field(a, at[i].x, 0, at[i].w, st, c->title);
		if (sorts) {
			int x =
			    table_flush_right(tp, at[i].col) ? at[i].x - 1 : at[i].x + (int)strlen(c->title);

			area_char(a, x, 0, ST_SORTED, tp->down ? 0x25bc : 0x25b2);
		}
	}
}

/* Names and values of one row, in as many columns as fit. */
static void draw_facts(struct table_pane *tp, const struct area *a)
{
	int wn = 0, wv = 0, per, n = 0;
	char buf[300];

	for (int i = 0; i < tp->ncols; i++) {
		int l = (int)strlen(col_title(tp, tp->cols[i])), v;

		table_cell_text(tp, 0, tp->cols[i], buf, sizeof(buf));
		v = (int)strlen(buf);
		wn = l > wn ? l : wn;
		wv = v > wv ? v : wv;
	}
	wv = wv < 8 ? 8 : wv;
	per = (a->w + GAP) / (wn + 1 + wv + GAP);
	per = per < 1 ? 1 : per;
	for (int i = 0; i < tp->ncols && n / per < a->h; i++, n++) {
		int x = n % per * (wn + 1 + wv + GAP);
		const char *unit = tp->k->cols[tp->cols[i]].unit;

		table_cell_text(tp, 0, tp->cols[i], buf, sizeof(buf));
		area_field(a, x, n / per, wn, ST_NAME, col_title(tp, tp->cols[i]));
		x = area_put(a, x + wn + 1, n / per, value_style(tp, 0, tp->cols[i]), buf);
		if (unit && unit[0])
			area_printf(a, x, n / per, ST_DIM, " %s", unit);
	}
}

/* STALE: the guest does not run, so the rates are those of its last run. */
static void draw_rates(struct table_pane *tp, const struct table_spec *sp, const struct area *a, int y,
		       size_t row, int x, bool selected, bool stale)
{
	char name[RATES_NAME], buf[32];
	const struct series *e;

	table_key_text(tp, sp, row, name, sizeof(name));
	e = rates_find(&tp->rates, name);
	rates_text(e, buf, sizeof(buf));
	area_right(a, x, y, RATE_W - 1,
		   selected			 ? ST_SELECT
		   : stale			 ? ST_DIM
		   : e && e->n && e->rate[0] > 0 ? ST_RATE
						 : ST_ZERO,
		   buf);
	if (sp->spark)
		rates_draw(e, a, x + RATE_W, y, a->w - x - RATE_W, stale ? ST_DIM : ST_SPARK);
}

static int last_edge(const struct column_place *at, int n)
{
	return n ? at[n - 1].x + at[n - 1].w : 0;
}

void table_draw(struct pane *p, struct tui *t, const struct area *a)
{
	struct table_pane *tp = p->state;
	const struct table_spec *sp = table_spec_of(p);
	struct column_place at[TABLE_COLS];
	bool stale = !inspect_running(t->s);
	int first, last, n, rate_x,
	    spark = sp->spark ? (a->w > 150  ? 60
				 : a->w > 60 ? 24
				 : a->w > 44 ? 12
					     : 0)
			      : 0;

	if (!tp->k || (tp->error && !tp->k->nrows)) {
		area_put(a, 0, 0, ST_DIM, tp->error ? tp->error : "no data yet");
		return;
	}
	if (sp->facts && tp->k->nrows) {
		draw_facts(tp, a);
		return;
	}
	list_fit(&tp->list, (int)tp->norder, a->h - 1);
	first = tp->list.top;
	last = first + tp->list.view < (int)tp->norder ? first + tp->list.view : (int)tp->norder;
	n = place_with_sort(tp, sp->count ? a->w - RATE_W - spark : a->w, sp->count != NULL, first, last, at);
	rate_x = last_edge(at, n);
	draw_head(tp, a, at, n);
	if (sp->count && n)
		area_right(a, rate_x, 0, RATE_W - 1, stale ? ST_DIM : ST_COLUMN, stale ? "was /s" : "per s");
	if (!tp->norder)
		area_put(a, 0, 1, ST_DIM,
			 tp->filter[0] ? "no row contains the filter"
			 : sp->empty   ? sp->empty
				       : "none");
	for (int i = first; i < last; i++) {
		bool sel = i == tp->list.at && screen_focus(t) == p;
		bool was = i == tp->list.at && sp->selects && !sel;
		size_t row = tp->order[i];

		if (sel || was)
			area_fill(a, 0, 1 + i - first, a->w, sel ? ST_SELECT : ST_SELECTDIM, ' ');
		for (int c = 0; c < n; c++)
			draw_cell(tp, a, 1 + i - first, row, &at[c], sel ? ST_SELECT : ST_NORMAL);
		if (sp->count && n)
			draw_rates(tp, sp, a, 1 + i - first, row, rate_x, sel, stale);
	}
}
