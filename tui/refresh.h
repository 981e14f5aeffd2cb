/* SPDX-License-Identifier: GPL-3.0-or-later
 * When panes are updated, and how long that may hold a running guest. */
#ifndef TUI_REFRESH_H
#define TUI_REFRESH_H
#include "base/types.h"

struct tui;

/* Times are monotonic ns. */
struct refresh {
	int64_t period;
	int64_t now;	     /* of the refresh in progress */
	int64_t next_live;   /* when live panes are updated again */
	int64_t next_hold;   /* when the guest may be held again for the others */
	int64_t next_wanted; /* likewise, when the user is waiting for it */
	int64_t next_draw;
	int64_t held_ns, run_ns; /* how long the guest was held; how long it ran in all, */
	int64_t run_mark;	 /* the time since RUN_MARK not included (0: it is stopped) */
	uint64_t holds;
	unsigned revision; /* of the session at the last refresh */
	bool held;	   /* it is running, and held right now */
	bool want_hold;	   /* a pane on the screen needs it held */
};

int64_t tui_clock(void); /* monotonic ns */
/* Update the panes on the screen that are due. */
void tui_refresh(struct tui *t);
/* The session is a host's, whose VMs run elsewhere: is it time to look at them again? */
bool tui_host_is_due(const struct tui *t);
/* Update everything now; AGAIN: fetch anew what was fetched in this round. */
void tui_update(struct tui *t, bool again);
/* Take the guest's serial output. */
void tui_drain(struct tui *t);

#endif
