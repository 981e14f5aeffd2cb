/* SPDX-License-Identifier: GPL-3.0-or-later
 * The line below the tabs: where the VM's time has gone since it was last looked at (the view "time"). */
#ifndef TUI_TIME_LINE_H
#define TUI_TIME_LINE_H
#include "base/types.h"

struct tui;

enum { TIME_PARTS = 10, TIME_NAME = 16 };

struct time_line {
	int n;
	struct time_part {
		char name[TIME_NAME];
		double ms;    /* so far, at the sample */
		double share; /* of the last interval, or of all time before the first one, in % */
	} part[TIME_PARTS];
	int64_t sampled; /* monotonic ns; 0: never */
	bool interval;	 /* SHARE is an interval's */
};

/* Read the view; on the way of a refresh. */
void time_line_update(struct tui *t);
void time_line_draw(struct tui *t);
#endif
