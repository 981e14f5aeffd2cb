/* SPDX-License-Identifier: GPL-3.0-or-later
 * The messages of this session, line by line: stops, output of trace points, commands and
 * their results. Old lines are dropped. No dependencies but memory. */
#ifndef TUI_JOURNAL_H
#define TUI_JOURNAL_H
#include "base/types.h"

enum { JOURNAL_LINES = 2000 };

struct journal {
	char *line[JOURNAL_LINES]; /* owned; line N is at N % JOURNAL_LINES */
	uint64_t count;		   /* lines ever added */
};

void journal_fini(struct journal *j);
/* Add the lines of TEXT, each after PREFIX. */
void journal_add(struct journal *j, const char *prefix, const char *text);
/* The lines that are kept, as one text; free it. */
char *journal_text(const struct journal *j);
#endif
