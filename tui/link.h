/* SPDX-License-Identifier: GPL-3.0-or-later
 * A connection to the dashboard of another session, at its control socket: keys and the size of the terminal
 * go there, rows that changed come back and are put on a canvas. */
#ifndef TUI_LINK_H
#define TUI_LINK_H
#include "tui/term.h"

struct link;
struct loop;

/* What the session says. Called from the loop; a link may not be freed in it. */
struct link_events {
	void *ctx;
	void (*frame)(void *ctx);		  /* the canvas has changed */
	void (*choose)(void *ctx);		  /* the user wants to see another VM */
	void (*over)(void *ctx, const char *why); /* the connection is of no more use; "": the user quit */
};

/* FD, a control socket, is the link's from now on. */
struct link *link_new(int fd, struct loop *loop, const struct link_events *events);
void link_free(struct link *l);
void link_size(struct link *l, int w, int h);
/* Send N keys. */
void link_keys(struct link *l, const struct term_event *e, unsigned n);
/* The last frame, with its cursor (CX -1: none). It may be of another size than was asked for. */
const struct canvas *link_canvas(const struct link *l, int *cx, int *cy);
/* Did it end with an error of the session's, not with the session? */
bool link_refused(const struct link *l);
#endif
