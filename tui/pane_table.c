/* SPDX-License-Identifier: GPL-3.0-or-later
 * See pane_table.h. The rows stay as they were fetched; the pane keeps an order of row
 * numbers, sorted and filtered. */
#include "tui/pane_table.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_COLS = 32, MAX_SERIES = 128, HISTORY = 120, SERIES_NAME = 40 };
static const int64_t SAMPLE_NS = 400 * 1000 * 1000;

/* What a counter did. */
struct series {
	char name[SERIES_NAME];
	uint64_t last;
	double rate[HISTORY]; /* the newest first */
	int n;
	bool seen;
};

struct table_pane {
	const struct table *k; /* of the last update */
	const char *error;
	uint32_t *order;
	size_t norder, cap;
	struct list list;
	char sort[32];
	bool down, sorted, sort_moved; /* moved: by the user, so the column is to be seen */
	char filter[64], search[64];
	int cols[MAX_COLS], ncols; /* columns shown, as the specification says */
	int width[MAX_COLS];	   /* never shrinks while the pane lives: nothing jumps */
	char chosen[SERIES_NAME];  /* key of the row under the cursor */
	struct series *series;
	int nseries;
	int64_t sampled;
	bool ran; /* at the last sample */
};
_Static_assert(sizeof(struct table_pane) <= TABLE_STATE, "the state fits");

const struct pane_key table_keys[] = {
	{ '>', "> F6", "sort by the next column (< the one before)" },
	{ 'I', "I", "sort the other way round" },
	{ '\\', "\\ F4", "filter: only rows that contain a text" },
	{ '/', "/ F3", "search a row" },
	{ 0 },
};

static const struct table_spec *spec_of(const struct pane *p)
{
	return p->cls->arg;
}

void table_init(struct pane *p)
{
	struct table_pane *tp = p->state;
	const char *sort = spec_of(p)->sort;

	tp->series = calloc(MAX_SERIES, sizeof(*tp->series));
	if (!tp->series)
		abort();
	if (sort) {
		tp->sorted = true;
		tp->down = sort[0] == '-';
		snprintf(tp->sort, sizeof(tp->sort), "%s", sort + tp->down);
	}
}

void table_fini(struct pane *p)
{
	struct table_pane *tp = p->state;

	free(tp->series);
	free(tp->order);
}

/* ---- columns ---- */

static void choose_columns(struct table_pane *tp, const struct table_spec *sp)
{
	char names[300], *save = NULL;

	tp->ncols = 0;
	if (!sp->cols) {
		for (unsigned c = 0; c < tp->k->ncols - tp->k->hidden && tp->ncols < MAX_COLS; c++)
			tp->cols[tp->ncols++] = (int)c;
		return;
	}
	snprintf(names, sizeof(names), "%s", sp->cols);
	for (char *n = strtok_r(names, " ", &save); n; n = strtok_r(NULL, " ", &save)) {
		int c = column_of(tp->k, n);

		if (c >= 0 && tp->ncols < MAX_COLS)
			tp->cols[tp->ncols++] = c;
	}
}

static const struct value *value_at(const struct table_pane *tp, size_t row, int col)
{
	return &tp->k->vals[row * tp->k->ncols + (size_t)col];
}

static void cell_text(const struct table_pane *tp, size_t row, int col, char *buf, size_t len)
{
	const struct value *v = value_at(tp, row, col);

	if (v->type == VAL_NONE)
		buf[0] = 0;
	else if (v->type == VAL_ADDR)
		snprintf(buf, len, "%08llx", (unsigned long long)v->u);
	else if (v->type == VAL_HEX)
		snprintf(buf, len, "%llx", (unsigned long long)v->u);
	else
		value_text(v, buf, len);
}

static void key_text(const struct table_pane *tp, const struct table_spec *sp, size_t row, char *buf,
		     size_t len)
{
	int col = sp->key ? column_of(tp->k, sp->key) : -1;

	buf[0] = 0;
	if (col >= 0)
		cell_text(tp, row, col, buf, len);
}

static bool flush_right(const struct table_pane *tp, int col)
{
	enum val_type ty = tp->k->cols[col].type;

	return ty == VAL_UINT || ty == VAL_INT || ty == VAL_REAL || ty == VAL_HEX;
}

static const char *col_title(const struct table_pane *tp, int col)
{
	return tp->k->cols[col].title;
}

/* ---- rates ---- */

static struct series *series_of(struct table_pane *tp, const char *name, bool make)
{
	for (int i = 0; i < tp->nseries; i++)
		if (!strcmp(tp->series[i].name, name))
			return &tp->series[i];
	if (!make || tp->nseries == MAX_SERIES)
		return NULL;
	snprintf(tp->series[tp->nseries].name, SERIES_NAME, "%s", name);
	return &tp->series[tp->nseries++];
}

static void sample_row(struct table_pane *tp, const struct table_spec *sp, size_t row, double seconds)
{
	uint64_t now = cell_u(tp->k, row, sp->count);
	char name[SERIES_NAME];
	struct series *e;

	key_text(tp, sp, row, name, sizeof(name));
	e = series_of(tp, name, true);
	if (!e)
		return;
	if (e->seen && seconds > 0) {
		memmove(e->rate + 1, e->rate, (HISTORY - 1) * sizeof(*e->rate));
		e->rate[0] = now >= e->last ? (double)(now - e->last) / seconds : 0;
		e->n += e->n < HISTORY;
	}
	e->last = now;
	e->seen = true;
}

/* Rates are of the time the guest ran: a sample each SAMPLE_NS while it does. */
static void sample(struct table_pane *tp, const struct table_spec *sp, struct tui *t)
{
	int64_t now = tui_clock();
	bool runs = inspect_running(t->s) || t->held;

	if (tp->ran && tp->sampled && now - tp->sampled < SAMPLE_NS)
		return;
	for (size_t r = 0; r < tp->k->nrows; r++)
		sample_row(tp, sp, r, tp->ran && tp->sampled ? (double)(now - tp->sampled) / 1e9 : 0);
	tp->sampled = now;
	tp->ran = runs;
}

/* ---- order ---- */

static bool contains(const struct table_pane *tp, size_t row, const char *text)
{
	char buf[300];

	for (int i = 0; i < tp->ncols; i++) {
		cell_text(tp, row, tp->cols[i], buf, sizeof(buf));
		if (strcasestr(buf, text))
			return true;
	}
	return false;
}

struct sorter {
	const struct table_pane *tp;
	int col;
};

static int compare_values(const struct value *a, const struct value *b)
{
	if (a->type == VAL_NONE || b->type == VAL_NONE)
		return (a->type != VAL_NONE) - (b->type != VAL_NONE);
	switch (a->type) {
	case VAL_STR:
		return strcmp(a->s, b->s);
	case VAL_INT:
		return (a->i > b->i) - (a->i < b->i);
	case VAL_REAL:
		return (a->d > b->d) - (a->d < b->d);
	default:
		return (a->u > b->u) - (a->u < b->u);
	}
}

static int compare(const void *x, const void *y, void *ctx)
{
	const uint32_t *a = x, *b = y;
	const struct sorter *s = ctx;
	int d = compare_values(value_at(s->tp, *a, s->col), value_at(s->tp, *b, s->col));

	if (s->tp->down)
		d = -d;
	return d ? d : (*a > *b) - (*a < *b);
}

static void set_order(struct table_pane *tp, const struct table_spec *sp)
{
	struct sorter s = { tp, tp->sorted ? column_of(tp->k, tp->sort) : -1 };

	if (tp->k->nrows > tp->cap) {
		tp->cap = tp->k->nrows;
		tp->order = reallocarray(tp->order, tp->cap, sizeof(*tp->order));
		if (!tp->order)
			abort();
	}
	tp->norder = 0;
	for (size_t r = 0; r < tp->k->nrows; r++) {
		if (sp->nonzero && sp->count && !cell_u(tp->k, r, sp->count))
			continue;
		if (!tp->filter[0] || contains(tp, r, tp->filter))
			tp->order[tp->norder++] = (uint32_t)r;
	}
	if (s.col >= 0)
		qsort_r(tp->order, tp->norder, sizeof(*tp->order), compare, &s);
}

/* ---- the cursor ---- */

static void share_choice(struct pane *p, struct tui *t)
{
	struct table_pane *tp = p->state;
	const struct table_spec *sp = spec_of(p);
	size_t row;

	if (!tp->k || !tp->norder || tp->list.at >= (int)tp->norder)
		return;
	row = tp->order[tp->list.at];
	key_text(tp, sp, row, tp->chosen, sizeof(tp->chosen));
	if (!sp->hot)
		return;
	t->ccf_pc = cell_u(tp->k, row, "pc");
	t->ccf_host = cell_u(tp->k, row, "host");
	t->has_ccf = true;
}

/* The row that had the cursor may have moved: follow it, unless the cursor stands on the first. */
static void find_choice(struct pane *p)
{
	struct table_pane *tp = p->state;
	char name[SERIES_NAME];

	if (!tp->chosen[0] || tp->list.at == 0)
		return;
	for (size_t i = 0; i < tp->norder; i++) {
		key_text(tp, spec_of(p), tp->order[i], name, sizeof(name));
		if (strcmp(name, tp->chosen))
			continue;
		tp->list.at = (int)i;
		return;
	}
}

void table_update(struct pane *p, struct tui *t)
{
	struct table_pane *tp = p->state;
	const struct table_spec *sp = spec_of(p);

	tp->k = look(t, &tp->error, "%s", sp->line);
	tp->norder = 0;
	if (!tp->k)
		return;
	choose_columns(tp, sp);
	if (sp->count)
		sample(tp, sp, t);
	set_order(tp, sp);
	find_choice(p);
	list_fit(&tp->list, (int)tp->norder, p->area.h - 1);
	share_choice(p, t);
}

bool table_address(struct pane *p, struct tui *t, uint64_t *addr)
{
	struct table_pane *tp = p->state;
	const char *names[] = { "pc", "start", "offset", "address" };

	(void)t;
	if (!tp->k || !tp->norder || tp->list.at >= (int)tp->norder)
		return false;
	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		const struct value *v = cell(tp->k, tp->order[tp->list.at], names[i]);

		if (v && (v->type == VAL_ADDR || v->type == VAL_HEX)) {
			*addr = v->u;
			return true;
		}
	}
	return false;
}

/* ---- drawing ---- */

enum { RATE_W = 9, GAP = 2 };

static void rate_text(const struct series *e, char *buf, size_t len)
{
	double r = e && e->n ? e->rate[0] : 0;

	if (!e || !e->n)
		snprintf(buf, len, "-");
	else if (r >= 1e7)
		snprintf(buf, len, "%.1fM", r / 1e6);
	else if (r >= 1e5)
		snprintf(buf, len, "%.0fk", r / 1e3);
	else
		snprintf(buf, len, "%.*f", r > 0 && r < 10 ? 1 : 0, r);
}

static void draw_spark(const struct series *e, const struct area *a, int x, int y, int w)
{
	double most = 0;

	for (int i = 0; e && i < e->n && i < w; i++)
		most = e->rate[i] > most ? e->rate[i] : most;
	for (int i = 0; e && i < e->n && i < w; i++)
		area_char(a, x + w - 1 - i, y, ST_SPARK, spark_char(e->rate[i], most));
}

static int measure(struct table_pane *tp, int i, int first, int last)
{
	int w = (int)strlen(col_title(tp, tp->cols[i]));
	char buf[300];

	for (int r = first; r < last; r++) {
		int n;

		cell_text(tp, tp->order[r], tp->cols[i], buf, sizeof(buf));
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

/* Where the columns go: as many as fit in W; the last text column gets what is left. */
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
			/* a text may be cut to what is there */
			if (flush_right(tp, tp->cols[i]) || w - x < 8)
				break;
			need = w - x;
		}
		at[n++] = (struct column_place){ tp->cols[i], x, need };
		x += need + GAP;
	}
	if (n && !with_rest && !flush_right(tp, at[n - 1].col))
		at[n - 1].w = w - at[n - 1].x;
	return n;
}

/* Scroll sideways until the column that sorts is there. */
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
	const struct value *v = value_at(tp, row, col);
	const char *name = tp->k->cols[col].name;

	if (v->type == VAL_STR)
		return !strcmp(name, "symbol")				   ? ST_SYMBOL
		       : !strcmp(name, "help")				   ? ST_DIM
		       : !strcmp(name, "flags") || !strcmp(name, "rights") ? ST_FLAG
									   : ST_NAME;
	if (v->type == VAL_ADDR)
		return ST_ADDR;
	if ((v->type == VAL_UINT || v->type == VAL_HEX || v->type == VAL_BOOL) && !v->u)
		return ST_ZERO;
	return ST_VALUE;
}

static void draw_cell(const struct table_pane *tp, const struct area *a, int y, size_t row,
		      const struct column_place *at, enum style sel)
{
	enum style st = sel ? sel : value_style(tp, row, at->col);
	char buf[300];

	cell_text(tp, row, at->col, buf, sizeof(buf));
	if (!buf[0] && sel == ST_NORMAL)
		return;
	if (flush_right(tp, at->col))
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

		if (flush_right(tp, at[i].col))
			area_right(a, at[i].x, 0, at[i].w, st, c->title);
		else
			area_field(a, at[i].x, 0, at[i].w, st, c->title);
		if (sorts) {
			int x = flush_right(tp, at[i].col) ? at[i].x - 1 : at[i].x + (int)strlen(c->title);

			area_char(a, x, 0, ST_SORTED, tp->down ? 0x25bc : 0x25b2);
		}
	}
}

/* Names and values of one row, in columns as the room allows. */
static void draw_facts(struct table_pane *tp, const struct area *a)
{
	int wn = 0, wv = 0, per, n = 0;
	char buf[300];

	for (int i = 0; i < tp->ncols; i++) {
		int l = (int)strlen(col_title(tp, tp->cols[i])), v;

		cell_text(tp, 0, tp->cols[i], buf, sizeof(buf));
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

		cell_text(tp, 0, tp->cols[i], buf, sizeof(buf));
		area_field(a, x, n / per, wn, ST_NAME, col_title(tp, tp->cols[i]));
		x = area_put(a, x + wn + 1, n / per, value_style(tp, 0, tp->cols[i]), buf);
		if (unit && unit[0])
			area_printf(a, x, n / per, ST_DIM, " %s", unit);
	}
}

static void draw_rates(struct table_pane *tp, const struct table_spec *sp, const struct area *a, int y,
		       size_t row, int x, bool selected)
{
	char name[SERIES_NAME], buf[32];
	const struct series *e;

	key_text(tp, sp, row, name, sizeof(name));
	e = series_of(tp, name, false);
	rate_text(e, buf, sizeof(buf));
	area_right(a, x, y, RATE_W - 1,
		   selected			 ? ST_SELECT
		   : e && e->n && e->rate[0] > 0 ? ST_RATE
						 : ST_ZERO,
		   buf);
	if (sp->spark)
		draw_spark(e, a, x + RATE_W, y, a->w - x - RATE_W);
}

static int last_edge(const struct column_place *at, int n)
{
	return n ? at[n - 1].x + at[n - 1].w : 0;
}

void table_draw(struct pane *p, struct tui *t, const struct area *a)
{
	struct table_pane *tp = p->state;
	const struct table_spec *sp = spec_of(p);
	struct column_place at[MAX_COLS];
	int first, last, n, rate_x,
	    spark = sp->spark ? (a->w > 100  ? 60
				 : a->w > 60 ? 24
				 : a->w > 44 ? 12
					     : 0)
			      : 0;

	if (!tp->k || (tp->error && !tp->k->nrows)) {
		area_put(a, 0, 0, ST_DIM, tp->error ? tp->error : "nothing yet");
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
		area_right(a, rate_x, 0, RATE_W - 1, ST_COLUMN, "per s");
	if (!tp->norder)
		area_put(a, 0, 1, ST_DIM,
			 tp->filter[0] ? "no row contains the filter"
			 : sp->empty   ? sp->empty
				       : "none");
	for (int i = first; i < last; i++) {
		bool sel = i == tp->list.at && screen_focus(t) == p;
		bool was = i == tp->list.at && sp->hot && !sel;
		size_t row = tp->order[i];

		if (sel || was)
			area_fill(a, 0, 1 + i - first, a->w, sel ? ST_SELECT : ST_SELECTDIM, ' ');
		for (int c = 0; c < n; c++)
			draw_cell(tp, a, 1 + i - first, row, &at[c], sel ? ST_SELECT : ST_NORMAL);
		if (sp->count && n)
			draw_rates(tp, sp, a, 1 + i - first, row, rate_x, sel);
	}
}

void table_heading(struct pane *p, struct tui *t, char *buf, size_t len)
{
	struct table_pane *tp = p->state;
	size_t n = 0;

	(void)t;
	buf[0] = 0;
	if (!tp->k || spec_of(p)->facts)
		return;
	if (tp->norder != tp->k->nrows && !spec_of(p)->nonzero)
		n = (size_t)snprintf(buf, len, "%zu of %zu", tp->norder, tp->k->nrows);
	else if ((int)tp->norder > tp->list.view)
		n = (size_t)snprintf(buf, len, "%d-%d of %zu", tp->list.top + 1,
				     tp->list.top + tp->list.view > (int)tp->norder
					 ? (int)tp->norder
					 : tp->list.top + tp->list.view,
				     tp->norder);
	if (tp->filter[0] && n < len)
		n += (size_t)snprintf(buf + n, len - n, "%sfilter \"%s\"", n ? ", " : "", tp->filter);
	if (tp->sorted && n < len && spec_of(p)->hot)
		snprintf(buf + n, len - n, "%sby %s", n ? ", " : "", tp->sort);
}

/* ---- keys ---- */

static void next_sort(struct table_pane *tp, int d)
{
	int at = -1;

	if (!tp->k || !tp->ncols)
		return;
	for (int i = 0; i < tp->ncols; i++)
		if (tp->sorted && !strcmp(tp->k->cols[tp->cols[i]].name, tp->sort))
			at = i;
	at = at < 0 ? (d > 0 ? 0 : tp->ncols - 1) : (at + d + tp->ncols) % tp->ncols;
	tp->sorted = true;
	snprintf(tp->sort, sizeof(tp->sort), "%s", tp->k->cols[tp->cols[at]].name);
	tp->down = flush_right(tp, tp->cols[at]);
	tp->list.at = tp->list.top = tp->list.left = 0;
	tp->sort_moved = true;
}

bool table_key(struct pane *p, struct tui *t, int key)
{
	struct table_pane *tp = p->state;
	bool used = true;

	if (key == '>' || key == '<')
		next_sort(tp, key == '>' ? 1 : -1);
	else if (key == 'I')
		tp->down = !tp->down;
	else if (key == TK_RIGHT && tp->list.left < tp->ncols - 2)
		tp->list.left++;
	else if (key == TK_LEFT && tp->list.left > 0)
		tp->list.left--;
	else
		used = list_key(&tp->list, key);
	if (used) {
		if (tp->k && (key == '>' || key == '<' || key == 'I'))
			set_order(tp, spec_of(p));
		share_choice(p, t);
		t->moved = true;
	}
	return used;
}

void table_mouse(struct pane *p, struct tui *t, const struct term_event *e)
{
	struct table_pane *tp = p->state;

	if (list_mouse(&tp->list, e, 1)) {
		share_choice(p, t);
		t->moved = true;
	}
}

static void search(struct table_pane *tp, const char *text)
{
	for (size_t i = 1; text[0] && i <= tp->norder; i++) {
		size_t at = ((size_t)tp->list.at + i) % tp->norder;

		if (!contains(tp, tp->order[at], text))
			continue;
		tp->list.at = (int)at;
		return;
	}
}

void table_answer(struct pane *p, struct tui *t, enum ask what, const char *text)
{
	struct table_pane *tp = p->state;

	if (!tp->k)
		return;
	if (what == ASK_FILTER) {
		snprintf(tp->filter, sizeof(tp->filter), "%s", text);
		tp->list.at = tp->list.top = 0;
		set_order(tp, spec_of(p));
	} else if (what == ASK_SEARCH) {
		snprintf(tp->search, sizeof(tp->search), "%s", text);
		search(tp, text);
	}
	list_fit(&tp->list, (int)tp->norder, tp->list.view);
	share_choice(p, t);
	t->moved = true;
}
