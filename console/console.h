/* SPDX-License-Identifier: GPL-3.0-or-later
 * The shell and "vitrine run": two ways to put a session on a terminal. */
#ifndef CONSOLE_CONSOLE_H
#define CONSOLE_CONSOLE_H
#include "console/options.h"

struct inspect;
struct console;

/* Open what the options name (serial port) and take over the session's face and the
 * process' signals. Call before the guest's thread is started. NULL with one line in ERR. */
struct console *console_new(const struct options *o, struct inspect *s, char *err, size_t errlen);
void console_free(struct console *c);
/* Do what was asked for to the end; returns the exit status. */
int console_main(struct console *c);
/* Print vitrine(1). */
struct view;
struct inspect_addon;
void console_manual(FILE *f, const struct embedded_guest *guests, const struct view *const *engine_views,
		    const struct inspect_addon *const *addons);
/* The event loop that waits while a command does, for other faces' descriptors. */
struct loop *console_loop(struct console *c);
#endif
