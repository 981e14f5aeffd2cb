/* SPDX-License-Identifier: GPL-3.0-or-later
 * The dashboard: a full-screen face of a session, and the same screens printed as text. It
 * computes nothing about the machine: it executes queries (inspect/query.h) and draws their
 * records. */
#ifndef TUI_TUI_H
#define TUI_TUI_H
#include "base/types.h"

struct inspect;
struct loop;
struct script;
struct tui;

struct tui_config {
	const char *guest;	      /* the VM's name, for the title; NULL: none */
	const char *control;	      /* address of this session's control socket; NULL: none */
	const struct script *scripts; /* executed first, in order */
	size_t nscripts;
	bool no_rc;
	const char
	    *serial; /* "file:PATH" or "unix:PATH": copy serial output there; else it is only on the screen */
	double timeout; /* seconds; 0: none */
	double delay;	/* seconds between refreshes, or between the screens of a batch; 0: the default */
	/* Without a terminal: */
	const char *dump; /* print this screen after the scripts, and exit; NULL: none */
	bool batch;	  /* print it (NULL: the first screen) COUNT times while the guest runs */
	unsigned count;
	int width, height; /* of printed screens; 0: 80 x 24 */
};

/* Become the session's face, take its serial output and the process' signals. Call before the guest's
 * thread is started. CFG is borrowed. NULL with a line in ERR. */
struct tui *tui_new(const struct tui_config *cfg, struct inspect *s, char *err, size_t errlen);
void tui_free(struct tui *t);
/* The event loop, to which other faces add their descriptors. */
struct loop *tui_loop(struct tui *t);
/* Show the dashboard until the user quits, or print screens as CFG says; return the exit status. */
int tui_main(struct tui *t);
/* The name of screen N, for help texts; NULL: no more. */
const char *tui_screen_name(unsigned n);
#endif
