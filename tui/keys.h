/* SPDX-License-Identifier: GPL-3.0-or-later
 * Keys: where a key goes, and the texts that are made from the table of keys. */
#ifndef TUI_KEYS_H
#define TUI_KEYS_H
#include "tui/term.h"

struct tui;

void keys_press(struct tui *t, const struct term_event *e);
char *keys_help(struct tui *t); /* text; free it */
/* Label N of the footer, and the number of its function key; NULL: no more. */
const char *keys_label(const struct tui *t, unsigned n, int *fkey);

#endif
