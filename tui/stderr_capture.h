/* SPDX-License-Identifier: GPL-3.0-or-later
 * Standard error, redirected to the journal while curses owns the terminal. */
#ifndef TUI_STDERR_CAPTURE_H
#define TUI_STDERR_CAPTURE_H
#include "base/types.h"

struct tui;

struct stderr_capture {
	int saved_fd, read_fd; /* the terminal; our end of the pipe. -1: nothing is redirected */
	char line[400];	       /* the beginning of a line that has not ended */
	size_t len;
};

/* Redirect standard error until stderr_capture_end(), if it is a terminal. */
void stderr_capture_begin(struct tui *t);
void stderr_capture_end(struct tui *t);

#endif
