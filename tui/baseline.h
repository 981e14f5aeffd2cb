/* SPDX-License-Identifier: GPL-3.0-or-later
 * What counters of a table were when they were zeroed, by the row's key. No dependencies but memory. */
#ifndef TUI_BASELINE_H
#define TUI_BASELINE_H
#include "base/types.h"

enum { BASELINE_COLS = 8 };

struct baseline_row;

struct baseline {
	struct baseline_row *rows;
	size_t n, cap;
};

void baseline_fini(struct baseline *b); /* empty it; it may be used again */
void baseline_add(struct baseline *b, const char *name, const double v[BASELINE_COLS]);
void baseline_sort(struct baseline *b); /* when all rows have been added, before the first is looked for */
const double *baseline_find(const struct baseline *b, const char *name); /* NULL: a row that is new since */
#endif
