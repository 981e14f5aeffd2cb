/* SPDX-License-Identifier: GPL-3.0-or-later
 * The control socket: commands, results and events as JSON lines, for programs. And
 * "vitrine attach", the shell at its other end. docs/control.md describes the protocol. */
#ifndef CONSOLE_CONTROL_H
#define CONSOLE_CONTROL_H
#include "console/options.h"

struct control;
struct inspect;
struct loop;

/* Serve WHERE ("unix:PATH") from LOOP, which both are borrowed. NULL with one line in ERR. */
struct control *control_new(struct inspect *s, struct loop *loop, const char *where, char *err, size_t errlen);
void control_free(struct control *ctl);

/* Be a shell on the session at O->attach; returns the exit status. */
int attach_main(const struct options *o);
#endif
