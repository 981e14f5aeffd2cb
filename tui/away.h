/* SPDX-License-Identifier: GPL-3.0-or-later
 * A dashboard on a terminal that shows another VM: keys go to the dashboard of that VM's session, whose
 * frames are displayed, until the user comes back by the selector or that session ends. This session goes
 * on meanwhile. */
#ifndef TUI_AWAY_H
#define TUI_AWAY_H
#include "tui/selector.h"

struct canvas;
struct link;
struct tui;

struct away {
	struct selector selector;
	struct link *link; /* NULL: this session is shown */
	char path[SELECTOR_PATH];
	bool over;   /* the link is */
	bool wanted; /* attached: the viewer is to show its list of VMs */
	char why[200];
};

/* Open the selector: it is drawn over what is shown. */
void away_choose(struct tui *t);
/* Handle E if the selector is open or another session is shown. False: it is for this dashboard. */
bool away_key(struct tui *t, const struct term_event *e);
/* The terminal has another size. */
void away_resize(struct tui *t);
/* After each turn of the loop: come back when the other session has ended. */
void away_check(struct tui *t);
void away_fini(struct tui *t);
#endif
