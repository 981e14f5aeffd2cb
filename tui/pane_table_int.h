/* SPDX-License-Identifier: GPL-3.0-or-later
 * The state of a table pane, shared by its model (pane_table.c) and its drawing
 * (pane_table_draw.c). */
#ifndef TUI_PANE_TABLE_INT_H
#define TUI_PANE_TABLE_INT_H
#include "tui/pane_table.h"
#include "tui/baseline.h"
#include "tui/rates.h"

enum { TABLE_COLS = 32 };

struct table_pane {
	struct inspect *s;
	const struct table *k; /* of the last update */
	const char *error;
	uint32_t *order;
	size_t norder, cap;
	struct list list;
	char sort[32];
	uint64_t rows_ever;  /* of a log: number of the last row */
	int fresh_col;	     /* of a log: the column with the row's number */
	uint64_t fresh;	     /* rows from that number on are marked as new, */
	int64_t fresh_until; /* until then (monotonic ns) */
	bool at_end, down, sorted;
	bool places; /* as table_spec's */
	char filter[64], search[64];
	int cols[TABLE_COLS], ncols; /* columns shown, in order */
	int width[TABLE_COLS];	     /* of the widest text yet, so columns do not jump ... */
	int width_for;		     /* ... in an area of this width */
	int left_out;		     /* columns that did not fit when it was last drawn */
	int rows_most;		     /* of the last seconds, so heights do not jump either */
	int64_t rows_until;	     /* when that is taken anew (monotonic ns) */
	char chosen[RATES_NAME];     /* key of the row under the cursor */
	uint64_t chosen_host;	     /* of the fragment there */
	struct rates rates;
	struct value *since; /* the values since they were zeroed, in the place of K's; NULL: not zeroed */
	struct baseline base;
	int64_t zeroed;					     /* when (monotonic ns) */
	int head_x[TABLE_COLS], head_col[TABLE_COLS], heads; /* where the headings end, for clicks */
};
_Static_assert(sizeof(struct table_pane) <= TABLE_STATE, "table_pane fits in TABLE_STATE");

static inline const struct table_spec *table_spec_of(const struct pane *p)
{
	return p->cls->arg;
}

const struct value *table_value(const struct table_pane *tp, size_t row, int col);
/* The text of a cell: addresses, which have 8 or 16 digits, without 0x. */
void table_cell_text(const struct table_pane *tp, size_t row, int col, char *buf, size_t len);
/* The key of a row, for its rates; "" when the table has no such column. */
void table_key_text(const struct table_pane *tp, const struct table_spec *sp, size_t row, char *buf,
		    size_t len);
bool table_flush_right(const struct table_pane *tp, int col);
#endif
