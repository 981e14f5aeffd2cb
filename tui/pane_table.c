/* SPDX-License-Identifier: GPL-3.0-or-later
 * See pane_table.h. Rows stay in the order they were fetched; the pane keeps a sorted and
 * filtered list of row numbers. */
#include "base/alloc.h"
#include "base/address.h"
#include "tui/actions.h"
#include "tui/pane_table_int.h"
#include "tui/tui_int.h"

#include <stdlib.h>
#include <string.h>

static const int64_t FRESH_NS = 3000000000, SHRINK_NS = 5000000000;

const struct pane_key table_keys[] = {
	{ '>', "> F6", "sort by the next column (<: the previous one)" },
	{ 'I', "I", "reverse the sort order" },
	{ '\\', "\\ F4", "filter: show only rows that contain a text" },
	{ '/', "/ F3", "search for a row" },
	{ TK_ENTER, "Enter", "menu of commands for the address, as a (also a double click)" },
	{ 0 },
};

void table_init(struct pane *p)
{
	struct table_pane *tp = p->state;
	const char *sort = table_spec_of(p)->sort;

	rates_init(&tp->rates);
	tp->places = table_spec_of(p)->places;
	tp->at_end = true;
	if (sort) {
		tp->sorted = true;
		tp->down = sort[0] == '-';
		snprintf(tp->sort, sizeof(tp->sort), "%s", sort + tp->down);
	}
}

void table_fini(struct pane *p)
{
	struct table_pane *tp = p->state;

	rates_fini(&tp->rates);
	baseline_fini(&tp->base);
	free(tp->since);
	free(tp->order);
}

/* ---- columns ---- */

/* Has no row a value in COL? Such columns are left out: symbols of a guest without them, entries
 * while they are not counted. */
static bool is_empty(const struct table_pane *tp, int col)
{
	for (size_t r = 0; r < tp->k->nrows; r++)
		if (table_value(tp, r, col)->type != VAL_NONE)
			return false;
	return tp->k->nrows > 0;
}

static void choose_columns(struct table_pane *tp, const struct table_spec *sp)
{
	char names[300], *save = NULL;

	tp->ncols = 0;
	if (!sp->cols) {
		for (unsigned c = 0; c < tp->k->ncols - tp->k->hidden && tp->ncols < TABLE_COLS; c++)
			tp->cols[tp->ncols++] = (int)c;
		return;
	}
	snprintf(names, sizeof(names), "%s", sp->cols);
	for (char *n = strtok_r(names, " ", &save); n; n = strtok_r(NULL, " ", &save)) {
		int c = column_of(tp->k, n);

		if (c >= 0 && tp->ncols < TABLE_COLS && !is_empty(tp, c))
			tp->cols[tp->ncols++] = c;
	}
}

const struct value *table_value(const struct table_pane *tp, size_t row, int col)
{
	if (col && (unsigned)col == tp->k->late_symbol)
		return inspect_cell(tp->s, tp->k, row, (unsigned)col);
	return &(tp->since ? tp->since : tp->k->vals)[row * tp->k->ncols + (size_t)col];
}

void table_cell_text(const struct table_pane *tp, size_t row, int col, char *buf, size_t len)
{
	const struct value *v = table_value(tp, row, col);

	if (v->type == VAL_NONE)
		buf[0] = 0;
	else if (v->type == VAL_ADDR)
		snprintf(buf, len, "%s", ADDRESS(v->u));
	else if (v->type == VAL_HEX)
		snprintf(buf, len, tp->places || !v->u ? "%llx" : "0x%llx", (unsigned long long)v->u);
	else
		value_text(v, buf, len);
}

void table_key_text(const struct table_pane *tp, const struct table_spec *sp, size_t row, char *buf,
		    size_t len)
{
	size_t n = 0;

	buf[0] = 0;
	for (const char *name = sp->key; name && *name && n + 1 < len; name += *name == ' ') {
		char word[32];
		int col;

		snprintf(word, sizeof(word), "%.*s", (int)strcspn(name, " "), name);
		name += strlen(word);
		if ((col = column_of(tp->k, word)) < 0)
			continue;
		if (n)
			buf[n++] = ' ';
		table_cell_text(tp, row, col, buf + n, len - n);
		n += strlen(buf + n);
	}
}

bool table_flush_right(const struct table_pane *tp, int col)
{
	enum val_type ty = tp->k->cols[col].type;

	return ty == VAL_UINT || ty == VAL_INT || ty == VAL_REAL || ty == VAL_HEX;
}

/* ---- rates ---- */

/* The columns named in WORDS. */
static int columns_of(const struct table *k, const char *words, int cols[BASELINE_COLS])
{
	int n = 0;

	for (const char *name = words; name && *name && n < BASELINE_COLS; name += *name == ' ') {
		char word[32];
		int col;

		snprintf(word, sizeof(word), "%.*s", (int)strcspn(name, " "), name);
		name += strlen(word);
		if ((col = column_of(k, word)) >= 0)
			cols[n++] = col;
	}
	return n;
}

/* The sum of the N columns that count. */
static uint64_t count_of(const struct table_pane *tp, const int cols[BASELINE_COLS], int n, size_t row)
{
	uint64_t sum = 0;

	for (int i = 0; i < n; i++) {
		const struct value *v = &tp->k->vals[row * tp->k->ncols + (size_t)cols[i]];

		sum += v->type == VAL_UINT || v->type == VAL_INT || v->type == VAL_HEX ? v->u : 0;
	}
	return sum;
}

static void sample(struct table_pane *tp, const struct table_spec *sp, struct tui *t)
{
	char name[RATES_NAME];
	int cols[BASELINE_COLS], n = columns_of(tp->k, sp->count, cols);
	double seconds;

	if (!rates_sample(&tp->rates, tui_clock(), inspect_running(t->s) || t->refresh.held || tui_is_host(t),
			  &seconds))
		return;
	for (size_t r = 0; r < tp->k->nrows; r++) {
		table_key_text(tp, sp, r, name, sizeof(name));
		rates_add(&tp->rates, name, count_of(tp, cols, n, r), seconds);
	}
}

/* ---- totals since they were zeroed ---- */

static const char *totals_of(const struct table_spec *sp)
{
	return sp->totals ? sp->totals : sp->count;
}

static double as_real(const struct value *v)
{
	return v->type == VAL_REAL ? v->d : v->type == VAL_UINT ? (double)v->u : 0;
}

static void subtract(struct value *v, double base)
{
	if (v->type == VAL_REAL && v->d >= base)
		v->d -= base;
	else if (v->type == VAL_UINT && (double)v->u >= base)
		v->u -= (uint64_t)base;
}

/* A mean is that of what was counted since. */
static void set_means(struct table_pane *tp)
{
	int each = column_of(tp->k, "each"), cycles = column_of(tp->k, "cycles"),
	    count = column_of(tp->k, "count");

	for (size_t r = 0; each >= 0 && cycles >= 0 && count >= 0 && r < tp->k->nrows; r++) {
		struct value *row = tp->since + r * tp->k->ncols;

		if (row[each].type != VAL_UINT || row[cycles].type != VAL_UINT || row[count].type != VAL_UINT)
			continue;
		row[each] = row[count].u ? V_UINT(row[cycles].u / row[count].u) : V_NONE;
	}
}

static void subtract_totals(struct table_pane *tp, const struct table_spec *sp)
{
	int cols[BASELINE_COLS], n = columns_of(tp->k, totals_of(sp), cols);
	size_t cells = tp->k->nrows * tp->k->ncols;

	if (!tp->zeroed || !n || !cells)
		return;
	tp->since = xreallocarray(NULL, cells, sizeof(*tp->since));
	memcpy(tp->since, tp->k->vals, cells * sizeof(*tp->since));
	for (size_t r = 0; r < tp->k->nrows; r++) {
		char name[RATES_NAME];
		const double *base;

		table_key_text(tp, sp, r, name, sizeof(name));
		base = baseline_find(&tp->base, name);
		for (int i = 0; base && i < n; i++)
			subtract(&tp->since[r * tp->k->ncols + (size_t)cols[i]], base[i]);
	}
	set_means(tp);
}

void table_zero(struct pane *p, struct tui *t, bool on)
{
	struct table_pane *tp = p->state;
	const struct table_spec *sp = table_spec_of(p);
	int cols[BASELINE_COLS], n;
	const struct table *k;

	baseline_fini(&tp->base);
	free(tp->since);
	tp->since = NULL;
	tp->zeroed = 0;
	if (!on || !totals_of(sp) || !totals_of(sp)[0] || !(k = query(t, NULL, "info %s", sp->view)))
		return;
	tp->s = t->s;
	tp->k = k;
	n = columns_of(k, totals_of(sp), cols);
	for (size_t r = 0; r < k->nrows; r++) {
		double v[BASELINE_COLS] = { 0 };
		char name[RATES_NAME];

		table_key_text(tp, sp, r, name, sizeof(name));
		for (int i = 0; i < n; i++)
			v[i] = as_real(table_value(tp, r, cols[i]));
		baseline_add(&tp->base, name, v);
	}
	baseline_sort(&tp->base);
	tp->zeroed = tui_clock();
	p->round = t->queries.round;
	table_update(p, t);
}

/* ---- order ---- */

static bool contains(const struct table_pane *tp, size_t row, const char *text)
{
	char buf[300];

	for (int i = 0; i < tp->ncols; i++) {
		table_cell_text(tp, row, tp->cols[i], buf, sizeof(buf));
		if (strcasestr(buf, text))
			return true;
	}
	return false;
}

/* A row with its sort key. A copy of the value, because looking it up in each comparison costs more than the
 * sorting itself. */
struct sort_key {
	union {
		uint64_t u;
		double d;
		const char *s;
	};
	uint32_t row;
	uint8_t type; /* enum val_type */
};

static struct sort_key sort_key(const struct value *v, uint32_t row)
{
	struct sort_key k = { .row = row, .type = (uint8_t)v->type };

	if (v->type == VAL_STR)
		k.s = v->s;
	else if (v->type == VAL_REAL)
		k.d = v->d;
	else if (v->type == VAL_INT)
		k.u = (uint64_t)v->i ^ 1ull << 63; /* orders like an unsigned number */
	else
		k.u = v->u;
	return k;
}

static int compare_keys(const struct sort_key *a, const struct sort_key *b)
{
	if (a->type == VAL_NONE || b->type == VAL_NONE)
		return (a->type != VAL_NONE) - (b->type != VAL_NONE);
	if (a->type == VAL_STR)
		return strcmp(a->s, b->s);
	if (a->type == VAL_REAL)
		return (a->d > b->d) - (a->d < b->d);
	return (a->u > b->u) - (a->u < b->u);
}

static int compare_up(const void *x, const void *y)
{
	const struct sort_key *a = x, *b = y;
	int d = compare_keys(a, b);

	return d ? d : (a->row > b->row) - (a->row < b->row);
}

static int compare_down(const void *x, const void *y)
{
	const struct sort_key *a = x, *b = y;
	int d = compare_keys(b, a);

	return d ? d : (a->row > b->row) - (a->row < b->row);
}

static void sort_rows(struct table_pane *tp, int col)
{
	struct sort_key *keys = xreallocarray(NULL, tp->norder + 1, sizeof(*keys));

	for (size_t i = 0; i < tp->norder; i++)
		keys[i] = sort_key(table_value(tp, tp->order[i], col), tp->order[i]);
	qsort(keys, tp->norder, sizeof(*keys), tp->down ? compare_down : compare_up);
	for (size_t i = 0; i < tp->norder; i++)
		tp->order[i] = keys[i].row;
	free(keys);
}

static void set_order(struct table_pane *tp, const struct table_spec *sp)
{
	int col = tp->sorted ? column_of(tp->k, tp->sort) : -1, counts[BASELINE_COLS];
	int ncounts = columns_of(tp->k, sp->count, counts);

	if (tp->k->nrows > tp->cap) {
		tp->cap = tp->k->nrows;
		tp->order = xreallocarray(tp->order, tp->cap, sizeof(*tp->order));
	}
	tp->norder = 0;
	for (size_t r = 0; r < tp->k->nrows; r++) {
		if (sp->nonzero && sp->count && !count_of(tp, counts, ncounts, r))
			continue;
		if (!tp->filter[0] || contains(tp, r, tp->filter))
			tp->order[tp->norder++] = (uint32_t)r;
	}
	if (col >= 0)
		sort_rows(tp, col);
}

/* ---- the cursor ---- */

static void share_choice(struct pane *p, struct tui *t)
{
	struct table_pane *tp = p->state;
	const struct table_spec *sp = table_spec_of(p);
	size_t row;

	if (!tp->k || !tp->norder || tp->list.at >= (int)tp->norder)
		return;
	row = tp->order[tp->list.at];
	table_key_text(tp, sp, row, tp->chosen, sizeof(tp->chosen));
	if (sp->selects == SELECTS_CONTENT) {
		t->sel.bucket = cell_u(tp->k, row, "bucket");
		t->sel.hash = cell_u(tp->k, row, "hash");
		t->sel.has_content = true;
	}
	if (sp->selects != SELECTS_FRAGMENT)
		return;
	t->sel.ccf_pc = cell_u(tp->k, row, "pc");
	t->sel.ccf_host = tp->chosen_host = cell_u(tp->k, row, "host");
	t->sel.has_ccf = true;
}

/* The position of the row that had the cursor; if a fragment no longer exists, of one for the same guest
 * code. -1: there is none. */
static int chosen_row(struct table_pane *tp, const struct table_spec *sp, const struct tui *t)
{
	int pc = sp->selects == SELECTS_FRAGMENT ? column_of(tp->k, "pc") : -1, same = -1;
	int host = sp->selects == SELECTS_FRAGMENT ? column_of(tp->k, "host") : -1;
	char name[RATES_NAME];

	for (size_t i = 0; i < tp->norder; i++) {
		bool other = host >= 0 && table_value(tp, tp->order[i], host)->u != tp->chosen_host;

		if (!other) /* there may be tens of thousands */
			table_key_text(tp, sp, tp->order[i], name, sizeof(name));
		if (!other && !strcmp(name, tp->chosen))
			return (int)i;
		if (pc >= 0 && same < 0 && t->sel.has_ccf &&
		    table_value(tp, tp->order[i], pc)->u == t->sel.ccf_pc)
			same = (int)i;
	}
	return same;
}

/* The row that had the cursor may have moved: follow it. While the guest runs, a cursor on the first row
 * stays there and shows whichever row is first. */
static void find_choice(struct pane *p, struct tui *t)
{
	struct table_pane *tp = p->state;
	int at;

	if (!tp->chosen[0] || (tp->list.at == 0 && (inspect_running(t->s) || t->refresh.held)))
		return;
	at = chosen_row(tp, table_spec_of(p), t);
	if (at >= 0)
		tp->list.at = at;
}

/* New rows of a log are marked for a while, and scrolled into view unless the user moved to older ones. */
static void follow_end(struct table_pane *tp, const struct table_spec *sp)
{
	uint64_t last = tp->k->nrows ? cell_u(tp->k, tp->k->nrows - 1, sp->key) : 0;

	if (last != tp->rows_ever) {
		tp->fresh = tp->rows_ever + 1;
		tp->fresh_until = tui_clock() + FRESH_NS;
	}
	tp->rows_ever = last;
	tp->fresh_col = column_of(tp->k, sp->key);
	if (tp->at_end)
		tp->list.at = (int)tp->norder - 1;
}

/* A pane grows with its rows at once, and shrinks when they have been fewer for some seconds. */
static void count_rows(struct table_pane *tp, const struct table_spec *sp)
{
	int rows = (int)(sp->nonzero ? tp->norder : tp->k->nrows);

	if (rows < tp->rows_most && tui_clock() < tp->rows_until)
		return;
	tp->rows_most = rows;
	tp->rows_until = tui_clock() + SHRINK_NS;
}

bool table_live(const struct pane *p, const struct tui *t)
{
	const char *view = table_spec_of(p)->view;
	char name[32];

	snprintf(name, sizeof(name), "%.*s", (int)strcspn(view, " "), view);
	return inspect_view_is_live(t->s, name);
}

void table_fetch(struct pane *p, struct tui *t)
{
	query(t, NULL, "info %s", table_spec_of(p)->view);
}

void table_update(struct pane *p, struct tui *t)
{
	struct table_pane *tp = p->state;
	const struct table_spec *sp = table_spec_of(p);

	tp->s = t->s;
	tp->k = query(t, &tp->error, "info %s", sp->view);
	tp->norder = 0;
	free(tp->since);
	tp->since = NULL;
	if (!tp->k)
		return;
	subtract_totals(tp, sp);
	choose_columns(tp, sp);
	if (sp->count)
		sample(tp, sp, t);
	set_order(tp, sp);
	count_rows(tp, sp);
	if (sp->follow)
		follow_end(tp, sp);
	else
		find_choice(p, t);
	list_fit(&tp->list, (int)tp->norder, p->area.h - 1);
	share_choice(p, t);
}

bool table_address(struct pane *p, struct tui *t, uint64_t *addr)
{
	struct table_pane *tp = p->state;
	const char *name = table_spec_of(p)->address;
	const struct value *v;

	(void)t;
	if (!name || !tp->k || !tp->norder || tp->list.at >= (int)tp->norder)
		return false;
	v = cell(tp->k, tp->order[tp->list.at], name);
	if (v)
		*addr = v->u;
	return v != NULL;
}

void table_heading(struct pane *p, struct tui *t, char *buf, size_t len)
{
	struct table_pane *tp = p->state;
	size_t n = 0;

	(void)t;
	buf[0] = 0;
	if (!tp->k || table_spec_of(p)->facts)
		return;
	if (tp->norder != tp->k->nrows && !table_spec_of(p)->nonzero)
		n = (size_t)snprintf(buf, len, "%zu of %zu", tp->norder, tp->k->nrows);
	else if ((int)tp->norder > tp->list.view)
		n = (size_t)snprintf(buf, len, "%d-%d of %zu", tp->list.top + 1,
				     tp->list.top + tp->list.view > (int)tp->norder
					 ? (int)tp->norder
					 : tp->list.top + tp->list.view,
				     tp->norder);
	if (tp->since && n < len)
		n += (size_t)snprintf(buf + n, len - n, "%szeroed %lld s ago", n ? ", " : "",
				      (long long)((tui_clock() - tp->zeroed) / 1000000000));
	if (tp->left_out && n < len)
		n += (size_t)snprintf(buf + n, len - n, "%s+%d column%s", n ? ", " : "", tp->left_out,
				      tp->left_out == 1 ? "" : "s");
	if (tp->filter[0] && n < len)
		n += (size_t)snprintf(buf + n, len - n, "%sfilter \"%s\"", n ? ", " : "", tp->filter);
	if (table_spec_of(p)->note && n < len)
		n += (size_t)snprintf(buf + n, len - n, "%s%s", n ? ", " : "", table_spec_of(p)->note);
	if (tp->sorted && n < len && table_spec_of(p)->selects)
		snprintf(buf + n, len - n, "%sby %s", n ? ", " : "", tp->sort);
}

/* ---- keys ---- */

static void sort_by(struct table_pane *tp, int col)
{
	tp->sorted = true;
	snprintf(tp->sort, sizeof(tp->sort), "%s", tp->k->cols[col].name);
	tp->down = table_flush_right(tp, col);
	tp->list.at = tp->list.top = 0;
}

static void next_sort(struct table_pane *tp, int d)
{
	int at = -1;

	if (!tp->k || !tp->ncols)
		return;
	for (int i = 0; i < tp->ncols; i++)
		if (tp->sorted && !strcmp(tp->k->cols[tp->cols[i]].name, tp->sort))
			at = i;
	at = at < 0 ? (d > 0 ? 0 : tp->ncols - 1) : (at + d + tp->ncols) % tp->ncols;
	tp->list.left = 0;
	sort_by(tp, tp->cols[at]);
}

/* A heading was clicked: sort by its column; if that is so already, the other way round. */
static void sort_clicked(struct table_pane *tp, const struct table_spec *sp, int x)
{
	int i = 0;

	while (i < tp->heads && x >= tp->head_x[i])
		i++;
	if (!tp->k || sp->facts || i == tp->heads)
		return;
	if (tp->sorted && !strcmp(tp->sort, tp->k->cols[tp->head_col[i]].name))
		tp->down = !tp->down;
	else
		sort_by(tp, tp->head_col[i]);
	set_order(tp, sp);
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
	else if (key == TK_ENTER && tp->norder)
		act_menu(t, key);
	else
		used = list_key(&tp->list, key);
	tp->at_end = tp->list.at >= (int)tp->norder - 1;
	if (used) {
		if (tp->k && (key == '>' || key == '<' || key == 'I'))
			set_order(tp, table_spec_of(p));
		share_choice(p, t);
		t->moved = true;
	}
	return used;
}

void table_mouse(struct pane *p, struct tui *t, const struct term_event *e)
{
	struct table_pane *tp = p->state;

	if (e->y == 0 && (e->key == TK_CLICK || e->key == TK_DOUBLE)) {
		sort_clicked(tp, table_spec_of(p), e->x);
		t->moved = true;
		return;
	}
	if (e->key == TK_DOUBLE) {
		act_menu(t, e->key);
		return;
	}
	if (list_mouse(&tp->list, e, 1)) {
		tp->at_end = tp->list.at >= (int)tp->norder - 1;
		share_choice(p, t);
		t->moved = true;
	}
}

static void search(struct table_pane *tp, struct tui *t, const char *text)
{
	for (size_t i = 1; text[0] && i <= tp->norder; i++) {
		size_t at = ((size_t)tp->list.at + i) % tp->norder;

		if (!contains(tp, tp->order[at], text))
			continue;
		tp->list.at = (int)at;
		return;
	}
	if (text[0])
		tui_message(t, ST_MESSAGE, "no row has \"%.60s\"", text);
}

void table_answer(struct pane *p, struct tui *t, enum ask what, const char *text)
{
	struct table_pane *tp = p->state;

	if (!tp->k)
		return;
	if (what == ASK_FILTER) {
		snprintf(tp->filter, sizeof(tp->filter), "%s", text);
		tp->list.at = tp->list.top = 0;
		set_order(tp, table_spec_of(p));
	} else if (what == ASK_GOTO) {
		tui_message(t, ST_MESSAGE, "this pane does not go to addresses; o goes to the next pane");
	} else if (what == ASK_SEARCH) {
		snprintf(tp->search, sizeof(tp->search), "%s", text);
		search(tp, t, text);
	}
	list_fit(&tp->list, (int)tp->norder, tp->list.view);
	share_choice(p, t);
	t->moved = true;
}
