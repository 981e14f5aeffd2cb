/* SPDX-License-Identifier: GPL-3.0-or-later
 * Result records and their two renderers. Text from a guest (symbol names, screens,
 * serial lines) is cleaned of control characters here, in one place. */
#include "inspect/record.h"
#include "base/address.h"
#include "base/alloc.h"

#include <jansson.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

void result_init(struct result *r)
{
	*r = (struct result){ 0 };
}

/* Strings of a table: they are freed together, and a table may have some hundred thousand. */
enum { CHUNK = 1 << 16, FIRST_CHUNK = 256 };

struct strings {
	struct chunk {
		struct chunk *next;
		char text[];
	} * first;
	size_t used, size; /* of the first chunk */
};

static void strings_free(struct strings *s)
{
	struct chunk *next;

	for (struct chunk *c = s->first; c; c = next) {
		next = c->next;
		free(c);
	}
	free(s);
}

static void strings_grow(struct strings *s, size_t n)
{
	struct chunk *c;

	s->size = s->size ? CHUNK : FIRST_CHUNK;
	s->size = n > s->size ? n : s->size;
	c = xmalloc(sizeof(*c) + s->size);
	c->next = s->first;
	s->first = c;
	s->used = 0;
}

const char *table_string(const struct table *t, const char *text)
{
	size_t n = strlen(text) + 1;
	struct strings *s = t->strings;

	if (!s->first || s->size - s->used < n)
		strings_grow(s, n);
	s->used += n;
	return memcpy(s->first->text + s->used - n, text, n);
}

void result_fini(struct result *r)
{
	struct table *t, *next;

	for (t = r->first; t; t = next) {
		next = t->next;
		strings_free(t->strings);
		free(t->vals);
		free(t->own_cols);
		free(t->text);
		free(t->lines);
		free(t);
	}
	free(r->error);
	result_init(r);
}

void result_append(struct result *r, struct result *from)
{
	if (!from->first)
		return;
	if (r->last)
		r->last->next = from->first;
	else
		r->first = from->first;
	r->last = from->last;
	from->first = from->last = NULL;
}

static void sink_row(struct row_sink *sink, const struct value *vals)
{
	table_row((struct table *)sink, vals);
}

struct table *result_table(struct result *r, const struct view_col *cols, unsigned ncols,
			   enum table_style style, const char *format)
{
	struct table *t = xcalloc(1, sizeof(*t));

	t->sink.row = sink_row;
	t->cols = cols;
	t->ncols = ncols;
	t->style = style;
	t->format = format;
	t->strings = xcalloc(1, sizeof(*t->strings));
	if (r->last)
		r->last->next = t;
	else
		r->first = t;
	r->last = t;
	return t;
}

/* Copy N values to column FROM on of the last row. Texts that the row above has, as states and kinds, are
 * shared. */
static void copy_values(struct table *t, unsigned from, const struct value *vals, unsigned n)
{
	struct value *to = t->vals + (t->nrows - 1) * t->ncols + from;

	memcpy(to, vals, n * sizeof(*to));
	for (unsigned c = 0; c < n; c++) {
		const struct value *above = t->nrows > 1 ? &to[c] - t->ncols : NULL;
		const char *s = to[c].s ? to[c].s : "";

		if (to[c].type != VAL_STR)
			continue;
		if (above && above->type == VAL_STR && !strcmp(above->s, s))
			to[c].s = above->s;
		else
			to[c].s = table_string(t, s);
	}
}

static void add_row(struct table *t)
{
	if (t->nrows == t->cap) {
		t->cap = t->cap ? t->cap * 2 : 8;
		t->vals = xreallocarray(t->vals, t->cap * t->ncols, sizeof(*t->vals));
	}
	t->nrows++;
}

void table_row(struct table *t, const struct value *vals)
{
	add_row(t);
	copy_values(t, 0, vals, t->ncols);
}

void table_row_late(struct table *t, const struct value *vals)
{
	unsigned late = t->late_symbol;

	add_row(t);
	copy_values(t, 0, vals, late);
	t->vals[(t->nrows - 1) * t->ncols + late] = V_NONE;
	copy_values(t, late + 1, vals + late, t->ncols - late - 1);
}

void result_text(struct result *r, const char *fmt, ...)
{
	static const struct view_col cols[] = { { "text", "Text", VAL_STR, "", "a line of text" } };
	struct table *t = result_table(r, cols, 1, TABLE_PLAIN, NULL);
	char *text, *line, *save;
	va_list ap;

	va_start(ap, fmt);
	text = xvasprintf(fmt, ap);
	va_end(ap);
	for (line = text; line; line = save) {
		save = strchr(line, '\n');
		if (save)
			*save++ = 0;
		table_row(t, &V_STR(line));
	}
	free(text);
}

void result_rendered(struct result *r, const char *text, const char *lines)
{
	struct table *t = result_table(r, NULL, 0, TABLE_PLAIN, NULL);

	t->text = xstrdup(text);
	t->lines = xstrdup(lines);
}

int result_fail(struct result *r, const char *fmt, ...)
{
	va_list ap;

	if (r->error)
		return -1;
	va_start(ap, fmt);
	r->error = xvasprintf(fmt, ap);
	va_end(ap);
	return -1;
}

/* ---- sorting ---- */

struct sort_key {
	unsigned col;
	bool descending;
};

static int compare_values(const struct value *a, const struct value *b)
{
	if (a->type != b->type)
		return a->type < b->type ? -1 : 1;
	switch (a->type) {
	case VAL_STR:
		return strcmp(a->s, b->s);
	case VAL_INT:
		return (a->i > b->i) - (a->i < b->i);
	case VAL_REAL:
		return (a->d > b->d) - (a->d < b->d);
	case VAL_NONE:
		return 0;
	default:
		return (a->u > b->u) - (a->u < b->u);
	}
}

static int compare_rows(const void *a, const void *b, void *key)
{
	const struct sort_key *k = key;
	int d = compare_values((const struct value *)a + k->col, (const struct value *)b + k->col);

	return k->descending ? -d : d;
}

bool table_sort(struct table *t, const char *name)
{
	struct sort_key key = { .descending = name[0] == '-' };

	name += key.descending;
	for (key.col = 0; key.col < t->ncols; key.col++)
		if (!strcmp(t->cols[key.col].name, name))
			break;
	if (key.col == t->ncols)
		return false;
	if (t->nrows)
		qsort_r(t->vals, t->nrows, t->ncols * sizeof(*t->vals), compare_rows, &key);
	return true;
}

void table_limit(struct table *t, size_t n)
{
	t->nrows = t->nrows < n ? t->nrows : n;
}

/* ---- text ---- */

static void clean(char *s)
{
	for (; *s; s++)
		if ((unsigned char)*s < 0x20 || *s == 0x7f)
			*s = *s == '\t' ? ' ' : '.';
}

void value_text(const struct value *v, char *buf, size_t len)
{
	switch (v->type) {
	case VAL_NONE:
		snprintf(buf, len, "-");
		break;
	case VAL_STR:
		snprintf(buf, len, "%s", v->s);
		clean(buf);
		break;
	case VAL_UINT:
		snprintf(buf, len, "%llu", (unsigned long long)v->u);
		break;
	case VAL_INT:
		snprintf(buf, len, "%lld", (long long)v->i);
		break;
	case VAL_HEX:
		snprintf(buf, len, "0x%llx", (unsigned long long)v->u);
		break;
	case VAL_ADDR:
		snprintf(buf, len, "0x%s", ADDRESS(v->u));
		break;
	case VAL_BOOL:
		snprintf(buf, len, "%s", v->u ? "yes" : "no");
		break;
	case VAL_REAL:
		snprintf(buf, len, "%.2f", v->d);
		break;
	}
}

enum { CELL = 1024 };

static bool right_aligned(enum val_type type)
{
	return type == VAL_UINT || type == VAL_INT || type == VAL_REAL || type == VAL_HEX;
}

static void heading(const struct view_col *col, char *buf, size_t len)
{
	const char *unit = col->unit ? col->unit : "";
	const char *slash = unit[0] && unit[0] != '/' ? "/" : ""; /* "rate" in "/s" is "rate/s" */

	if (!strcmp(unit, col->title))
		unit = slash = "";
	snprintf(buf, len, "%s%s%s", col->title, slash, unit);
}

static void cell_text(const struct table *t, const struct value *v, char *buf, size_t len)
{
	if (v->type == VAL_HEX && t->hex_digits)
		snprintf(buf, len, "0x%0*llx", (int)t->hex_digits, (unsigned long long)v->u);
	else
		value_text(v, buf, len);
}

/* Without a heading, a column without values has no width. */
static void measure(const struct table *t, size_t *width, bool *used)
{
	char buf[CELL];

	for (unsigned c = 0; c < t->ncols - t->hidden; c++) {
		width[c] = 0;
		used[c] = t->style == TABLE_GRID;
		if (t->style == TABLE_GRID) {
			heading(&t->cols[c], buf, sizeof(buf));
			width[c] = strlen(buf);
		}
		for (size_t r = 0; r < t->nrows; r++) {
			const struct value *v = &t->vals[r * t->ncols + c];

			if (v->type == VAL_NONE && t->style == TABLE_PLAIN)
				continue;
			used[c] |= v->type != VAL_STR || v->s[0];
			cell_text(t, v, buf, sizeof(buf));
			if (strlen(buf) > width[c])
				width[c] = strlen(buf);
		}
	}
}

static void put_cell(FILE *f, const char *text, size_t width, bool right, size_t *pad)
{
	size_t n = strlen(text), fill = width > n ? width - n : 0;

	/* trailing blanks are not written: *pad counts them until text follows */
	fprintf(f, "%*s%s", (int)(*pad + (right ? fill : 0)), "", text);
	*pad = 2 + (right ? 0 : fill);
}

static void render_grid(const struct table *t, FILE *f)
{
	size_t *width = xcalloc(t->ncols, sizeof(*width)), pad;
	bool *used = xcalloc(t->ncols, sizeof(*used));
	char buf[CELL];

	measure(t, width, used);
	pad = 0;
	for (unsigned c = 0; t->style == TABLE_GRID && c < t->ncols - t->hidden; c++) {
		heading(&t->cols[c], buf, sizeof(buf));
		put_cell(f, buf, width[c], right_aligned(t->cols[c].type), &pad);
	}
	if (t->style == TABLE_GRID)
		fputc('\n', f);
	for (size_t r = 0; r < t->nrows; r++) {
		pad = 0;
		for (unsigned c = 0; c < t->ncols; c++) {
			const struct value *v = &t->vals[r * t->ncols + c];

			if (!used[c])
				continue;
			cell_text(t, v, buf, sizeof(buf));
			if (v->type == VAL_NONE && t->style == TABLE_PLAIN)
				buf[0] = 0;
			if (buf[0])
				put_cell(f, buf, width[c], right_aligned(v->type ? v->type : t->cols[c].type),
					 &pad);
			else
				pad += width[c] + 2;
		}
		fputc('\n', f);
	}
	free(width);
	free(used);
}

static void render_vertical(const struct table *t, FILE *f)
{
	char buf[CELL], head[CELL];
	int width = 0;

	for (unsigned c = 0; c < t->ncols; c++) {
		heading(&t->cols[c], head, sizeof(head));
		if ((int)strlen(head) > width)
			width = (int)strlen(head);
	}
	for (size_t r = 0; r < t->nrows; r++)
		for (unsigned c = 0; c < t->ncols; c++) {
			heading(&t->cols[c], head, sizeof(head));
			value_text(&t->vals[r * t->ncols + c], buf, sizeof(buf));
			fprintf(f, "%-*s  %s\n", width, head, buf);
		}
}

static const struct value *cell_named(const struct table *t, size_t row, const char *name, size_t len)
{
	for (unsigned c = 0; c < t->ncols; c++)
		if (strlen(t->cols[c].name) == len && !memcmp(t->cols[c].name, name, len))
			return &t->vals[row * t->ncols + c];
	return NULL;
}

/* Write the value for "{name}" or "{name:digits}" at P; return what follows. */
static const char *put_field(const struct table *t, size_t row, const char *p, FILE *f)
{
	size_t len = strcspn(p + 1, ":}");
	const struct value *v = cell_named(t, row, p + 1, len);
	const char *end = strchr(p, '}');
	char buf[CELL] = "";

	if (!end)
		return p + strlen(p);
	if (v && p[1 + len] == ':')
		snprintf(buf, sizeof(buf), "%0*llx", atoi(p + 2 + len), (unsigned long long)v->u);
	else if (v && v->type != VAL_NONE)
		value_text(v, buf, sizeof(buf));
	fputs(buf, f);
	return end + 1;
}

static void render_format(const struct table *t, FILE *f)
{
	char *text = NULL;
	size_t len = 0;
	FILE *line = xmemstream(&text, &len);

	for (size_t r = 0; r < t->nrows; r++) {
		for (const char *p = t->format; *p;) {
			if (*p == '{')
				p = put_field(t, r, p, line);
			else
				fputc(*p++, line);
		}
		fflush(line);
		while (len && text[len - 1] == ' ')
			len--;
		fprintf(f, "%.*s\n", (int)len, text);
		rewind(line);
	}
	fclose(line);
	free(text);
}

/* ---- JSON ---- */

static json_t *json_text(const char *s)
{
	json_t *j = json_string(s);
	char *copy;

	if (j)
		return j;
	copy = xstrdup(s); /* not UTF-8 */
	for (char *p = copy; *p; p++)
		if (*p & 0x80)
			*p = '?';
	j = json_string(copy);
	free(copy);
	return j;
}

/* JSON numbers are exact to 63 bits here; larger ones are hexadecimal strings. */
static json_t *json_unsigned(uint64_t u)
{
	if (u <= INT64_MAX)
		return json_integer((json_int_t)u);
	return json_sprintf("0x%llx", (unsigned long long)u);
}

static json_t *json_value(const struct value *v)
{
	switch (v->type) {
	case VAL_STR:
		return json_text(v->s);
	case VAL_UINT:
	case VAL_HEX:
	case VAL_ADDR:
		return json_unsigned(v->u);
	case VAL_INT:
		return json_integer(v->i);
	case VAL_BOOL:
		return json_boolean(v->u);
	case VAL_REAL:
		return json_real(v->d);
	case VAL_NONE:
		break;
	}
	return NULL; /* left out of the object */
}

static void put_json(json_t *o, FILE *f)
{
	json_dumpf(o, f, JSON_COMPACT | JSON_PRESERVE_ORDER);
	fputc('\n', f);
	json_decref(o);
}

static void render_json(const struct table *t, FILE *f)
{
	for (size_t r = 0; r < t->nrows; r++) {
		json_t *o = json_object();

		for (unsigned c = 0; c < t->ncols; c++) {
			json_t *v = json_value(&t->vals[r * t->ncols + c]);

			if (v)
				json_object_set_new(o, t->cols[c].name, v);
		}
		put_json(o, f);
	}
}

void result_render(const struct result *r, bool json, FILE *f)
{
	for (const struct table *t = r->first; t; t = t->next) {
		if (t->text)
			fputs(json || r->json ? t->lines : t->text, f);
		else if (json || r->json)
			render_json(t, f);
		else if (t->format)
			render_format(t, f);
		else if (t->style == TABLE_VERTICAL)
			render_vertical(t, f);
		else
			render_grid(t, f);
	}
}

void result_render_error(const struct result *r, bool json, const char *prefix, FILE *f)
{
	char *text;

	if (!r->error)
		return;
	if (json) {
		json_t *o = json_object();

		json_object_set_new(o, "error", json_text(r->error));
		put_json(o, f);
		return;
	}
	text = xstrdup(r->error);
	clean(text);
	fprintf(f, "%s%s\n", prefix, text);
	free(text);
}
