/* SPDX-License-Identifier: GPL-3.0-or-later
 * The VM selector: a list of the sessions that can be reached, over the screen. Sessions are found by their
 * control sockets: files "*.control" in the user's runtime directory, where hosts and their VMs have theirs,
 * and beside the socket of the session that is shown. No other socket is touched: to connect to a debugger's
 * stub stops its guest. */
#ifndef TUI_SELECTOR_H
#define TUI_SELECTOR_H
#include "tui/canvas.h"
#include "tui/pane.h"

enum { SELECTOR_MAX = 64, SELECTOR_PATH = 108 };

struct session {
	char path[SELECTOR_PATH]; /* of its control socket; "": the session that this process runs */
	char name[64];		  /* HOST, HOST/VM, or that of the socket's file */
	char state[16];		  /* running, halted...; "host"; "" while it has not answered */
	char detail[64];
	bool shown;
};

struct selector {
	bool open;
	struct session session[SELECTOR_MAX];
	int n;
	struct list list;
};

/* Look for sessions. OWN: name of the session of this process, first in the list; NULL: it runs none. HERE:
 * path of the control socket of that session, or of the one that is connected; NULL: it has none. SHOWN: path
 * of the session that is shown; NULL or "": this process' own. Asks each for its state, and waits for a third
 * of a second at most. */
void selector_open(struct selector *s, const char *own, const char *here, const char *shown);
/* Handle KEY. Returns the session that the user has chosen, or NULL. */
const struct session *selector_key(struct selector *s, const struct term_event *e);
void selector_draw(struct selector *s, const struct area *a);
/* Connect to the session at PATH; -1 with one line in ERR. */
int selector_connect(const char *path, char *err, size_t errlen);
#endif
