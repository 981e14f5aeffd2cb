/* SPDX-License-Identifier: GPL-3.0-or-later
 * How the panes of a screen share it: a tree of rows and columns. It is written as text, so a
 * screen declares it in one line and the layout file keeps it.
 *
 *   NODE = h(NODE,...) side by side | v(NODE,...) stacked | PANE
 *   each followed by nothing (a share of 1), *N (a share of N), :N (N cells) or =N (N cells, set by the user)
 *
 * Lines that a pane cannot fill go to others in the same column that can use them, unless the user has set
 * its height.
 *
 * Pure: pane names are only words here. */
#ifndef TUI_LAYOUT_H
#define TUI_LAYOUT_H
#include "base/types.h"

struct rect {
	int x, y, w, h;
};

enum { LAYOUT_NAME = 24, LAYOUT_TEXT = 512, LAYOUT_MIN_W = 12, LAYOUT_MIN_H = 2 };

struct layout {
	char name[LAYOUT_NAME]; /* of the pane; "" for a split */
	bool beside;		/* a split: h */
	int cells, share;	/* one of them is 0 */
	bool set;		/* CELLS are the user's */
	int need;		/* lines that a pane can fill, with its title; 0: any number */
	struct layout *child, *next;
	struct rect at; /* w or h 0: it did not fit */
};

/* NULL: TEXT is not a layout. */
struct layout *layout_parse(const char *text);
void layout_free(struct layout *l);
/* Write L as text; false when it does not fit. */
bool layout_text(const struct layout *l, char *buf, size_t len);
/* Divide R. Columns are one cell apart. Children that would get less than the minimum are left out, the last
 * first. */
void layout_solve(struct layout *l, struct rect r);
/* The leaf of that name, or NULL. */
struct layout *layout_find(struct layout *l, const char *name);
/* The N-th leaf in order, or NULL. */
struct layout *layout_leaf(struct layout *l, int n);
/* Grow the leaf by D cells (shrink it when negative) within its split. False: not possible. */
bool layout_grow(struct layout *l, const char *name, int d);
/* Swap two panes. */
void layout_swap(struct layout *l, const char *a, const char *b);
#endif
