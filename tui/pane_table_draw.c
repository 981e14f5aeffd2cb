/* SPDX-License-Identifier: GPL-3.0-or-later
 * Drawing of tables: the columns that fit, rows with the cursor, their rates; or the fields of a
 * single row as name and value. */
#include "tui/columns.h"
#include "tui/pane_table_int.h"
#include "tui/tui_int.h"

#include <string.h>

enum {
	RATE_W = 9,   /* a rate and the gap before it */
	NAME_W = 16,  /* a cut name is still useful in this width, */
	TEXT_W = 20,  /* a cut explanation in this one */
	SPARK_W = 60, /* the widest history */
	RANKS = 100,  /* more than a table has columns */
};

static const char *col_title(const struct table_pane *tp, int col)
{
	return tp->k->cols[col].title;
}

static int measure(struct table_pane *tp, int col, int first, int last)
{
	int w = (int)strlen(col_title(tp, col));
	char buf[300];

	for (int r = first; r < last; r++) {
		int n;

		table_cell_text(tp, tp->order[r], col, buf, sizeof(buf));
		n = (int)strlen(buf);
		w = n > w ? n : w;
	}
	if (w > tp->width[col])
		tp->width[col] = w;
	return tp->width[col];
}

/* The position of NAME among WORDS, or -1. */
static int position(const char *words, const char *name)
{
	size_t n = strlen(name);
	int at = 0;

	for (const char *w = words; w && *w; w += strcspn(w, " "), w += strspn(w, " "), at++)
		if (!strncmp(w, name, n) && (!w[n] || w[n] == ' '))
			return at;
	return -1;
}

static bool sorts_by(const struct table_pane *tp, int col)
{
	return tp->sorted && !strcmp(tp->k->cols[col].name, tp->sort);
}

/* What the layout of the columns needs to know of column I. */
static struct column describe(struct table_pane *tp, const struct table_spec *sp, int i, int first, int last)
{
	int col = tp->cols[i], need = measure(tp, col, first, last);
	int at = position(sp->drop, tp->k->cols[col].name);
	int useful = tp->k->cols[col].type == VAL_HELP ? TEXT_W : NAME_W;

	return (struct column){
		.need = need,
		.least = table_flush_right(tp, col) || need < useful ? need : useful,
		.rank = at >= 0 ? at : RANKS + tp->ncols - i,
		.keep = i == 0 || sorts_by(tp, col),
	};
}

struct column_place {
	int col, x, w;
};

/* Place the columns that fit in W; a text column at the end gets the remaining width, unless rates follow. */
static int place_columns(struct table_pane *tp, const struct table_spec *sp, int w, int first, int last,
			 struct column_place *at)
{
	struct column c[TABLE_COLS];
	int shown[TABLE_COLS], count = 0, n = 0, x = 0;

	for (int i = 0; i < tp->ncols; i++) {
		if (i > 0 && i <= tp->list.left) /* scrolled away; the first column stays */
			continue;
		c[count] = describe(tp, sp, i, first, last);
		shown[count++] = tp->cols[i];
	}
	tp->left_out = columns_fit(c, count, w) + tp->ncols - count;
	for (int i = 0; i < count; i++) {
		if (!c[i].w)
			continue;
		at[n++] = (struct column_place){ shown[i], x, c[i].w };
		x += c[i].w + COLUMN_GAP;
	}
	if (n && !sp->count && !table_flush_right(tp, at[n - 1].col) && w > at[n - 1].x)
		at[n - 1].w = w - at[n - 1].x;
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

static void draw_head(struct table_pane *tp, const struct area *a, const struct column_place *at, int n)
{
	tp->heads = n;
	for (int i = 0; i < n; i++) {
		const struct view_col *c = &tp->k->cols[at[i].col];
		bool sorts = sorts_by(tp, at[i].col);
		enum style st = sorts ? ST_SORTED : ST_COLUMN;

		tp->head_x[i] = at[i].x + at[i].w + COLUMN_GAP;
		tp->head_col[i] = at[i].col;
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

/* How names and values of one row are laid out. */
struct facts {
	int wn, wv; /* cells of a name, of a value */
	int per;    /* columns */
};

static struct facts facts_layout(const struct table_pane *tp, int w)
{
	struct facts f = { .wv = 8 };
	char buf[300];

	for (int i = 0; i < tp->ncols; i++) {
		const struct view_col *c = &tp->k->cols[tp->cols[i]];
		int n = (int)strlen(c->title), v;

		table_cell_text(tp, 0, tp->cols[i], buf, sizeof(buf));
		v = (int)strlen(buf) + (c->unit && c->unit[0] ? 1 + (int)strlen(c->unit) : 0);
		f.wn = n > f.wn ? n : f.wn;
		f.wv = v > f.wv ? v : f.wv;
	}
	f.per = (w + COLUMN_GAP) / (f.wn + 1 + f.wv + COLUMN_GAP);
	f.per = f.per < 1 ? 1 : f.per;
	return f;
}

static int facts_lines(const struct table_pane *tp, int w)
{
	struct facts f = facts_layout(tp, w);

	return (tp->ncols + f.per - 1) / f.per;
}

/* Names and values of one row, in as many columns as fit. */
static void draw_facts(struct table_pane *tp, const struct area *a)
{
	struct facts f = facts_layout(tp, a->w);
	char buf[300];

	for (int i = 0; i < tp->ncols && i / f.per < a->h; i++) {
		int x = i % f.per * (f.wn + 1 + f.wv + COLUMN_GAP);
		const char *unit = tp->k->cols[tp->cols[i]].unit;

		table_cell_text(tp, 0, tp->cols[i], buf, sizeof(buf));
		area_field(a, x, i / f.per, f.wn, ST_NAME, col_title(tp, tp->cols[i]));
		x = area_put(a, x + f.wn + 1, i / f.per, value_style(tp, 0, tp->cols[i]), buf);
		if (unit && unit[0])
			area_printf(a, x, i / f.per, ST_DIM, " %s", unit);
	}
}

/* STALE: the guest does not run, so the rates are those of its last run. SEL: the style of a row that is
 * marked, else ST_NORMAL. */
static void draw_rates(struct table_pane *tp, const struct table_spec *sp, const struct area *a, int y,
		       size_t row, int x, enum style sel, bool stale)
{
	char name[RATES_NAME], buf[32];
	const struct series *e;
	int w = a->w - x - RATE_W;

	table_key_text(tp, sp, row, name, sizeof(name));
	e = rates_find(&tp->rates, name);
	rates_text(e, buf, sizeof(buf));
	area_right(a, x, y, RATE_W - 1,
		   sel				 ? sel
		   : stale			 ? ST_DIM
		   : e && e->n && e->rate[0] > 0 ? ST_RATE
						 : ST_ZERO,
		   buf);
	if (sp->spark)
		rates_draw(e, a, x + RATE_W, y, w < SPARK_W ? w : SPARK_W,
			   sel	   ? sel
			   : stale ? ST_DIM
				   : ST_SPARK);
}

static int last_edge(const struct column_place *at, int n)
{
	return n ? at[n - 1].x + at[n - 1].w : 0;
}

/* Lines that the contents can use. */
int table_need(const struct pane *p, const struct tui *t)
{
	const struct table_pane *tp = p->state;
	int rows = tp->rows_most > 0 ? tp->rows_most : 1;

	(void)t;
	if (!tp->k)
		return 0;
	if (!table_spec_of(p)->facts)
		return rows + 1;
	return tp->k->nrows ? facts_lines(tp, p->area.w) : 1;
}

static void draw_row(struct pane *p, struct tui *t, const struct area *a, int i, int y,
		     const struct column_place *at, int n)
{
	struct table_pane *tp = p->state;
	const struct table_spec *sp = table_spec_of(p);
	bool mine = screen_focus(t) == p;
	enum style sel = i != tp->list.at ? ST_NORMAL
			 : mine		  ? ST_SELECT
			 : sp->selects	  ? ST_SELECTDIM
					  : ST_NORMAL;
	size_t row = tp->order[i];

	if (sel)
		area_fill(a, 0, y, a->w, sel, ' ');
	for (int c = 0; c < n; c++)
		draw_cell(tp, a, y, row, &at[c], sel);
	if (sp->count && n)
		draw_rates(tp, sp, a, y, row, last_edge(at, n), sel, !inspect_running(t->s));
}

/* The width of the columns when rates, and their history, follow. */
static int room_for_columns(const struct table_spec *sp, int w)
{
	int spark = !sp->spark ? 0 : w > 150 ? 24 : w > 60 ? 12 : 0;

	return sp->count ? w - RATE_W - spark : w;
}

void table_draw(struct pane *p, struct tui *t, const struct area *a)
{
	struct table_pane *tp = p->state;
	const struct table_spec *sp = table_spec_of(p);
	struct column_place at[TABLE_COLS];
	bool stale = !inspect_running(t->s);
	int first, last, n;

	if (!tp->k || (tp->error && !tp->k->nrows)) {
		area_wrap(a, 0, ST_DIM, tp->error ? query_reason(tp->error) : "no data yet");
		return;
	}
	if (sp->facts && tp->k->nrows) {
		draw_facts(tp, a);
		return;
	}
	if (a->w != tp->width_for)
		memset(tp->width, 0, sizeof(tp->width));
	tp->width_for = a->w;
	list_fit(&tp->list, (int)tp->norder, a->h - 1);
	first = tp->list.top;
	last = first + tp->list.view < (int)tp->norder ? first + tp->list.view : (int)tp->norder;
	n = place_columns(tp, sp, room_for_columns(sp, a->w), first, last, at);
	draw_head(tp, a, at, n);
	if (sp->count && n)
		area_right(a, last_edge(at, n), 0, RATE_W - 1, stale ? ST_DIM : ST_COLUMN,
			   stale ? "was /s" : "per s");
	if (!tp->norder)
		area_wrap(a, 1, ST_DIM,
			  tp->filter[0] ? "no row contains the filter"
			  : sp->empty	? sp->empty
					: "none");
	for (int i = first; i < last; i++)
		draw_row(p, t, a, i, 1 + i - first, at, n);
}
