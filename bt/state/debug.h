/* SPDX-License-Identifier: GPL-3.0-or-later
 * Breakpoints, the guest's debug registers in force, and event filters. */
#ifndef BT_STATE_DEBUG_H
#define BT_STATE_DEBUG_H
#include "base/types.h"

#define MAX_BPS 1024
#define MAX_PHYS_BPS 64
#define MAX_FILTERS 64 /* of event_set() */
#define MAX_SPLITS 8

struct event_filter {
	uint64_t lo, hi;
	uint8_t kind; /* enum engine_event */
};

/* Translation ends in front of PC: the guest has, or had, a breakpoint there. */
struct split {
	gva pc;
	uint32_t vain; /* times it was reached without one */
	bool used;
};

struct debug_state {
	gva bps[MAX_BPS];
	unsigned nbps;
	gpa phys_bps[MAX_PHYS_BPS];
	unsigned nphys_bps;
	uint64_t dr[8]; /* DR0 to DR3 and DR7 that are in force (debug/guest.c) */
	struct split splits[MAX_SPLITS];
	unsigned next_split; /* the one to be replaced */
	struct event_filter filters[MAX_FILTERS];
	unsigned nfilters;
	uint32_t event_kinds; /* bit N: there is a filter of kind N */
	bool event_hit;	      /* v.event happened; stop is set too */
	bool was_vm;	      /* EFLAGS.VM when an event of it was last reported */
	bool watched;	      /* a watchpoint was hit; mm has the note */
	bool shut_down;	      /* a triple fault happened, perhaps not reported yet */
	gva shut_down_pc;
	bool step_one; /* the debugger steps: of a REP, one iteration */
};
#endif
