/* SPDX-License-Identifier: GPL-3.0-or-later
 * Figures of the engine's interventions: traps by cause and by guest instruction, callouts by kind, sensitive
 * instructions by the way they ran.
 *
 * Only the vCPU's thread writes here; a reader on another thread sees each number whole. None of it is guest
 * state, so cycle counts never reach a deterministic run. */
#ifndef BT_STATE_ACCOUNT_H
#define BT_STATE_ACCOUNT_H
#include "base/types.h"

struct ccf;
struct site;

#define PLACES 16384u
#define SAMPLE_MASK 255u	 /* of a site's callouts in a round ... */
#define SAMPLE_AT 16u		 /* ... the one after which the next callout, of whatever site, is timed */
#define RATE_CYCLES (1ull << 31) /* of running: rates are over the last one to two of these */

/* A guest instruction that trapped for one cause. */
struct place {
	gva pc;			       /* 0: free */
	uint8_t cause;		       /* enum trap_cause */
	uint64_t count, timed, cycles; /* traps; those timed, and their cost */
	uint64_t guilty;	       /* of these traps, while the instruction was promoted for the cause */
};

/* Callouts or sensitive instructions that were timed, and their host cycles. */
struct timed {
	uint64_t cycles, count;
};

/* The slot in which a site counts: callout kind, kind of sensitive instruction, way. */
#define SENS_SLOTS 32 /* no fewer than there are kinds, and one for "not sensitive" */
#define CALL_SLOT(callout, sens) (((callout)*SENS_SLOTS + (sens)) * 4)
#define CALL_SLOTS CALL_SLOT(32, 0)

/* Entries of fragments, counted by translated code. */
#define MAX_COUNTED 262144
#define PIN_COUNTED 16384 /* of these for pinned fragments */
struct entries {
	bool on;
	uint32_t n, npinned; /* counters in use: from the first on; of pinned fragments, from the last down */
	uint64_t count[MAX_COUNTED]; /* by ccf.counter */
};

struct account {
	/* run time in host cycles: while RUNNING, the TSC less BASE; otherwise FROZEN */
	volatile bool running;
	uint64_t base, frozen;
	struct {
		uint64_t at, traps[16], callouts[32];
	} snap[2]; /* the older, the newer */
	/* the trap being handled: its place ... */
	struct ccf *at_ccf;
	gva at_pc;
	/* ... and what it is charged to */
	bool seen, open; /* has a cause; its cost still grows */
	uint8_t cause;
	gva place_pc;
	struct place *place;
	struct ccf *ccf;
	uint64_t started;
	uint64_t trap_cycles[16], trap_timed[16], guilty[16];
	/* callouts, by slot: all, and those that were timed */
	uint64_t called[CALL_SLOTS];
	struct timed timed[CALL_SLOTS];
	bool time_all;
	uint64_t call_start;
	struct site *call_site;
	uint64_t rdtsc_cost;
	/* since counting of entries began */
	uint64_t called_before[CALL_SLOTS]; /* until then */
	struct timed timed_before[CALL_SLOTS];
	uint64_t indirects;	/* indirect transfers: counted by the fragments */
	uint64_t misses_before; /* jump-table misses until then */
	uint64_t entries_gone, intc_gone[SENS_SLOTS],
	    work_gone[SENS_SLOTS];	  /* of fragments that were dropped */
	uint64_t drops[16], flushes_full; /* by enum drop_why */
	struct place *places;		  /* PLACES slots */
	uint64_t places_lost;		  /* traps of places that gave way to others */
};
#endif
