/* SPDX-License-Identifier: GPL-3.0-or-later
 * The state of a table pane, between its model (pane_table.c) and its drawing
 * (pane_table_draw.c). */
#ifndef TUI_PANE_TABLE_INT_H
#define TUI_PANE_TABLE_INT_H
#include "tui/pane_table.h"
#include "tui/rates.h"

enum { TABLE_COLS = 32 };

struct table_pane {
	const struct table *k; /* of the last update */
	const char *error;
	uint32_t *order;
	size_t norder, cap;
	struct list list;
	char sort[32];
	uint64_t rows_ever;		       /* of a log: number of the last row */
	uint64_t fresh;			       /* rows from that number on have come just now, */
	int64_t fresh_until;		       /* until then */
	bool at_end, down, sorted, sort_moved; /* moved: by the user, so the column is to be seen */
	char filter[64], search[64];
	int cols[TABLE_COLS], ncols; /* columns shown, as the specification says */
	int width[TABLE_COLS];	     /* never shrinks while the pane lives: nothing jumps */
	char chosen[RATES_NAME];     /* key of the row under the cursor */
	struct rates rates;
};
_Static_assert(sizeof(struct table_pane) <= TABLE_STATE, "the state fits");

static inline const struct table_spec *table_spec_of(const struct pane *p)
{
	return p->cls->arg;
}

const struct value *table_value(const struct table_pane *tp, size_t row, int col);
/* A cell as it is shown: addresses and hexadecimal numbers without 0x. */
void table_cell_text(const struct table_pane *tp, size_t row, int col, char *buf, size_t len);
/* What names the row, for its rates; "" when the table has no such column. */
void table_key_text(const struct table_pane *tp, const struct table_spec *sp, size_t row, char *buf,
		    size_t len);
bool table_flush_right(const struct table_pane *tp, int col);
#endif
