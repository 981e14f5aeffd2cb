/* SPDX-License-Identifier: GPL-3.0-or-later
 * How the panes of a screen share it: a tree of rows and columns, written as text, so
 * that a screen declares it in one line and the layout file keeps it.
 *
 *   NODE = h(NODE,...) side by side | v(NODE,...) one above the other | PANE
 *   each followed by nothing (a share of 1), *N (a share of N) or :N (N cells)
 *
 * Pure: knows pane names as words only. */
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
	struct layout *child, *next;
	struct rect at; /* w or h 0: there was no room */
};

/* NULL: TEXT is no layout. */
struct layout *layout_parse(const char *text);
void layout_free(struct layout *l);
/* Write L as text; false when it does not fit. */
bool layout_text(const struct layout *l, char *buf, size_t len);
/* Divide R. Columns are one cell apart. What gets less than the minimum is left out, last first. */
void layout_solve(struct layout *l, struct rect r);
/* The leaf of that name, or NULL. */
struct layout *layout_find(struct layout *l, const char *name);
/* The N-th leaf in order, or NULL. */
struct layout *layout_leaf(struct layout *l, int n);
/* Make the leaf bigger by D cells (smaller when negative) within its split. False: it cannot be. */
bool layout_grow(struct layout *l, const char *name, int d);
/* Exchange the places of two panes. */
void layout_swap(struct layout *l, const char *a, const char *b);
#endif
