/* SPDX-License-Identifier: GPL-3.0-or-later
 * Breakpoints as people know them: numbers, hits, conditions. The engine
 * knows only a set of linear addresses and changes no guest byte. */
#ifndef INSPECT_POINTS_H
#define INSPECT_POINTS_H
#include "base/types.h"

struct point {
	unsigned number;
	gva addr;
	bool enabled, temporary;
	uint64_t hits;
	char *cond; /* expression, or NULL */
};

struct points {
	struct point *list;
	size_t count;
	unsigned last_number;
};

void points_fini(struct points *t);
/* COND is copied; NULL for none. */
struct point *points_add(struct points *t, gva addr, bool temporary, const char *cond);
struct point *points_find(struct points *t, unsigned number);
void points_delete(struct points *t, unsigned number);
/* Does an enabled point stand at ADDR? */
bool points_at(const struct points *t, gva addr);
#endif
