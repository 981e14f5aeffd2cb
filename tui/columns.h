/* SPDX-License-Identifier: GPL-3.0-or-later
 * Which columns of a table fit a width, and how wide each is. Pure: a column is only numbers here. */
#ifndef TUI_COLUMNS_H
#define TUI_COLUMNS_H
#include "base/types.h"

enum { COLUMN_GAP = 2 /* cells between two */ };

struct column {
	int need;  /* cells of its widest text */
	int least; /* cells at which it is still useful: NEED, or less for a text that may be cut */
	int rank;  /* where there is no room for all, the lowest rank is left out first */
	bool keep; /* is never left out */
	int w;	   /* result: its cells; 0: left out */
};

/* Set W of the N columns for ROOM cells. Columns are left out in order of rank until the others fit at their
 * least widths; what remains goes to cut texts, from the left. Returns how many are left out. */
int columns_fit(struct column *c, int n, int room);
#endif
