/* SPDX-License-Identifier: GPL-3.0-or-later
 * Text over the screen: help, output of a command, the journal. It is read as in less: search, filter,
 * sideways. */
#ifndef TUI_OVERLAY_H
#define TUI_OVERLAY_H
#include "tui/pane.h"

struct tui;

enum {
	BOTTOM = 1 << 20,
	OVERLAY_WORD = 80
}; /* more lines than there can be; the longest text to search for */

struct overlay {
	bool open;
	char title[80];
	char *text; /* lines; owned */
	int top, left;
	bool at_end; /* its last line is shown */
	bool is_help;
	uint64_t journal; /* lines the journal had when it was shown here; 0: this is something else */
	char search[OVERLAY_WORD]; /* marked where it occurs; "": nothing */
	char filter[OVERLAY_WORD]; /* lines without it are left out */
};

void overlay_draw(struct tui *t);
void overlay_key(struct tui *t, int key);
/* The text of a prompt that was opened over the overlay. */
void overlay_answer(struct tui *t, enum ask what, const char *text);
#endif
