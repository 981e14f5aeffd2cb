/* SPDX-License-Identifier: GPL-3.0-or-later
 * The shell and "vitrine run": two front ends on a terminal. */
#ifndef CONSOLE_CONSOLE_H
#define CONSOLE_CONSOLE_H
#include "console/options.h"

struct inspect;
struct console;

/* Open the serial port that the options name, become the session's face and take the process'
 * signals. Call before the guest's thread is started. NULL with one line in ERR. */
struct console *console_new(const struct options *o, struct inspect *s, char *err, size_t errlen);
void console_free(struct console *c);
/* Execute scripts, run the guest or the shell; return the exit status. */
int console_main(struct console *c);
/* Print vitrine(1). */
struct view;
struct inspect_addon;
void console_manual(FILE *f, const struct embedded_guest *guests, const struct view *const *engine_views,
		    const struct inspect_addon *const *addons);
/* The event loop that turns while a command waits; other faces add their descriptors to it. */
struct loop *console_loop(struct console *c);
#endif
