/* SPDX-License-Identifier: GPL-3.0-or-later
 * The line at the bottom: shell commands with completion and history (shared with the
 * shell's), search, filter, go to. */
#ifndef TUI_PROMPT_H
#define TUI_PROMPT_H
#include "tui/pane.h"

struct prompt {
	bool open;
	enum ask what;
	bool of_text; /* it is about the text over the screen */
	char text[512];
	size_t len, at;
	char **history; /* of commands */
	size_t nhistory, hist_at, hist_new;
	char searched[128]; /* last: what an empty search looks for again */
	char stash[512];    /* the line that was typed before Up recalled others */
	/* the action that waits for y, because it ends the guest; NULL: none */
	void (*confirm)(struct tui *t);
};

void prompt_init(struct tui *t);
void prompt_fini(struct tui *t);
void prompt_open(struct tui *t, enum ask what, const char *text);
void prompt_key(struct tui *t, int key);

#endif
