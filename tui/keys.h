/* SPDX-License-Identifier: GPL-3.0-or-later
 * Keys: where a key goes, and the texts that are made from the table of keys. */
#ifndef TUI_KEYS_H
#define TUI_KEYS_H
#include "tui/term.h"

struct tui;

void keys_press(struct tui *t, const struct term_event *e);
char *keys_help(struct tui *t); /* text; free it */
/* The labels of the footer by number of the function key; NULL: that has none, or not in this width. */
enum { KEYS_F = 12 };
void keys_labels(const struct tui *t, const char *labels[KEYS_F + 1]);

#endif
