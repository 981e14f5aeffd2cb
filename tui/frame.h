/* SPDX-License-Identifier: GPL-3.0-or-later
 * The whole picture: tabs and state at the top, panes with their titles, message line and
 * function keys at the bottom, overlays on top of them. */
#ifndef TUI_FRAME_H
#define TUI_FRAME_H
#include "base/types.h"

struct tui;

/* Draw everything on T->canvas. The text cursor goes to CX, CY (-1: none). */
void frame_draw(struct tui *t, int *cx, int *cy);
/* The text of tab I; its length. It begins at cell FROM. */
int frame_tab(struct tui *t, int i, char *buf, size_t len, int *from);
/* The label of function key F in the footer: where it begins and ends. False: it has none. */
bool frame_label(struct tui *t, int f, int *from, int *to);

#endif
