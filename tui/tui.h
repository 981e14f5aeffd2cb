/* SPDX-License-Identifier: GPL-3.0-or-later
 * The dashboard: a full-screen face over a session, and the same screens printed as
 * text. It computes nothing about the machine: it executes looking commands
 * (inspect/query.h) and draws their records. */
#ifndef TUI_TUI_H
#define TUI_TUI_H
#include "base/types.h"

struct inspect;
struct loop;
struct script;
struct tui;

struct tui_config {
	const char *guest;	      /* what runs, for the title; NULL: nothing */
	const struct script *scripts; /* executed first, in order */
	size_t nscripts;
	bool no_rc;
	const char
	    *serial; /* "file:PATH", "unix:PATH": where the serial line goes too; else only to the screen */
	double timeout; /* seconds; 0: none */
	double delay;	/* seconds between refreshes, or between the screens of a batch; 0: normal */
	/* Without a terminal: */
	const char *dump; /* print this screen after the scripts, and end; NULL: none */
	bool batch;	  /* print it COUNT times with the guest running (dump NULL: the first screen) */
	unsigned count;
	int width, height; /* of the screen that is printed; 0: 80 x 24 */
};

/* Take over the session's face and serial port and the process' signals. Call before the guest's
 * thread is started. CFG is borrowed. NULL with a line in ERR. */
struct tui *tui_new(const struct tui_config *cfg, struct inspect *s, char *err, size_t errlen);
void tui_free(struct tui *t);
/* For other faces that are served meanwhile. */
struct loop *tui_loop(struct tui *t);
/* Show the dashboard until the user quits, or print what was asked for; returns the exit status. */
int tui_main(struct tui *t);
/* The names of the screens, one a call (NULL: no more), for help texts. */
const char *tui_screen_name(unsigned n);
#endif
