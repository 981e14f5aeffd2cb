/* SPDX-License-Identifier: GPL-3.0-or-later
 * Result records, which every command returns. A result is a list of tables; a
 * table has typed columns and rows. Text and JSON are two renderers for all
 * results. Handlers never print. */
#ifndef INSPECT_RECORD_H
#define INSPECT_RECORD_H
#include "base/view.h"

#include <stdio.h>

enum table_style {
	TABLE_GRID,	/* aligned, with a heading line */
	TABLE_PLAIN,	/* aligned, no heading */
	TABLE_VERTICAL, /* each row as "title value" lines */
};

/* One table. Rows are added through SINK, so that a view can write into it. */
struct table {
	struct row_sink sink;
	const struct view_col *cols;
	unsigned ncols;
	enum table_style style;
	const char *format;  /* a text line of its own: "{col}" is replaced by the value, "{col:16}" by at
				least 16 hex digits without 0x; NULL: by STYLE */
	unsigned hidden;     /* number of trailing columns that only JSON shows */
	unsigned hex_digits; /* minimum of digits in VAL_HEX cells */
	struct view_col *own_cols; /* COLS if allocated for this table; freed with it */
	char *text, *lines;	   /* rendered already, as text and as JSON lines; NULL: by the rows */
	struct value *vals;	   /* nrows * ncols */
	size_t nrows, cap;
	struct strings *strings; /* those of VALS */
	unsigned late_symbol;	 /* the column of symbols to be looked up when they are shown, by the address
				    before it (inspect_cell()); 0: none is */
	struct table *next;
};

struct result {
	struct table *first, *last;
	char *error;  /* one line; NULL: the command succeeded */
	bool json;    /* render as JSON regardless of the face's default */
	bool stop;    /* it says why the guest is stopped */
	bool unasked; /* asynchronous output of a point */
	bool log;     /* a line of the log */
};

void result_init(struct result *r);
void result_fini(struct result *r);
/* Add an empty table. COLS is borrowed and must outlive R. */
struct table *result_table(struct result *r, const struct view_col *cols, unsigned ncols,
			   enum table_style style, const char *format);
/* Add a row of ncols values; strings are copied. */
void table_row(struct table *t, const struct value *vals);
/* Likewise, one value less: that of column late_symbol. */
void table_row_late(struct table *t, const struct value *vals);
/* A copy of S that lives as long as T. */
const char *table_string(const struct table *t, const char *s);
/* Append the tables of FROM to those of R. */
void result_append(struct result *r, struct result *from);
/* A table of one text column called "text", one row a line of TEXT. */
void result_text(struct result *r, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* Add output that another session has rendered: TEXT, and the same as JSON LINES. It has no rows here. */
void result_rendered(struct result *r, const char *text, const char *lines);
/* Set the error, unless one is set already, and return -1. */
int result_fail(struct result *r, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* Sort by column NAME ("-NAME": descending). False: there is no such column. */
bool table_sort(struct table *t, const char *name);
/* Keep the first N rows. */
void table_limit(struct table *t, size_t n);

/* Format one value as it appears in a table cell. */
void value_text(const struct value *v, char *buf, size_t len);
/* Render the tables (not the error) of R. JSON: one object a row and line. */
void result_render(const struct result *r, bool json, FILE *f);
/* Render the error, if any: "PREFIXtext" or {"error":"text"}. */
void result_render_error(const struct result *r, bool json, const char *prefix, FILE *f);
#endif
