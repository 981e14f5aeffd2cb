/* SPDX-License-Identifier: GPL-3.0-or-later
 * Searching what a pane would draw, for panes whose lines are made while drawing. */
#ifndef TUI_FIND_H
#define TUI_FIND_H
#include "tui/pane.h"

/* Draw P, scrolled to its top, in LINES lines, and return the first line behind line AT, around the end, that
 * has TEXT in any case. -1, with a message: none has. */
int find_line(struct pane *p, struct tui *t, int lines, int at, const char *text);
/* Say that a pane which can be searched is not filtered, nor goes to addresses. */
void find_refuse(struct tui *t, enum ask what);
#endif
