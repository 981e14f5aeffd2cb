/* SPDX-License-Identifier: GPL-3.0-or-later
 * What the engine's interventions cost: traps by cause and by guest instruction,
 * callouts by kind, sensitive instructions by the way they ran. What adaptation makes of
 * it is adapt/adapt.h's. Included by bt_int.h.
 *
 * Only the vCPU's thread writes here; readers beside it see each number whole. Nothing
 * of it is guest state, so cycle counts never reach a deterministic run. A trap is always
 * timed. A callout is when "count on" asks for it, otherwise one in a few hundred: the glue entry
 * in the vcpu is exchanged for one that times (runtime/stubs.c), so the others pay nothing. */
#ifndef BT_ADAPT_ACCOUNT_H
#define BT_ADAPT_ACCOUNT_H
#include "base/types.h"

struct bt_vcpu;
struct ccf;
struct site;

#define PLACES 16384u
#define SAMPLE_MASK 255u	 /* of a site's callouts in a round ... */
#define SAMPLE_AT 16u		 /* ... the one after which the next callout, of whatever site, is timed */
#define RATE_CYCLES (1ull << 31) /* of running: rates are over the last one to two of these */

/* A guest instruction that trapped for one cause. */
struct place {
	uint32_t pc;		       /* 0: free */
	uint8_t cause;		       /* enum trap_cause */
	uint64_t count, timed, cycles; /* traps; of these so many cost */
	uint64_t guilty; /* of these traps, while the instruction stood promoted for the cause */
};

/* Callouts or sensitive instructions that were timed, and their host cycles. */
struct timed {
	uint64_t cycles, count;
};

/* A sensitive instruction in a fragment. */
struct sens_use {
	uint8_t insn, kind, way; /* index in the TU, enum sens, enum way */
	uint8_t work;		 /* in the TC: host code in units of four bytes, taken for a cycle each */
};

/* Where a site counts: callout kind, kind of sensitive instruction, way. */
#define SENS_SLOTS 32 /* no fewer than there are kinds, and one for "not sensitive" */
#define CALL_SLOT(callout, sens) (((callout)*SENS_SLOTS + (sens)) * 4)
#define CALL_SLOTS CALL_SLOT(32, 0)

struct account {
	/* run time in host cycles: while RUNNING, the TSC less BASE; otherwise FROZEN */
	volatile bool running;
	uint64_t base, frozen;
	struct {
		uint64_t at, traps[16], callouts[32];
	} snap[2]; /* the older, the newer */
	/* the trap being handled: where it is ... */
	struct ccf *at_ccf;
	uint32_t at_pc;
	/* ... and who pays */
	bool seen, open; /* has a cause; its cost runs on in C */
	uint8_t cause;
	uint32_t place_pc;
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

bool account_init(struct bt_vcpu *b);
void account_fini(struct bt_vcpu *b);

/* ---- run time ---- */
void account_enter(struct bt_vcpu *b);
void account_leave(struct bt_vcpu *b);
void account_tick(struct bt_vcpu *b); /* now and then: begins a new interval for rates when it is time */
uint64_t account_now(const struct bt_vcpu *b);

/* ---- traps: at, trap, handled in the signal handler; close where the guest goes on ---- */
void account_at(struct bt_vcpu *b, struct ccf *f, uint32_t pc);
void account_trap(struct bt_vcpu *b, unsigned cause);
/* The handler began at START and lets the thread go on at RIP. */
void account_handled(struct bt_vcpu *b, uint64_t start, uint64_t rip);
void account_close_slow(struct bt_vcpu *b);
#define account_close(b) ((b)->a.open ? account_close_slow(b) : (void)0)
/* Which of adaptation's causes (adapt/adapt.def), as bits, a trap is of. */
unsigned account_adapts(unsigned cause);
struct place *account_place(struct bt_vcpu *b, uint32_t pc, unsigned cause, bool make);

/* ---- callouts ---- */
/* Callouts of KIND so far, and those timed. */
uint64_t account_called(const struct bt_vcpu *b, unsigned kind);
struct timed account_timed(const struct bt_vcpu *b, unsigned kind);
void account_sample(struct bt_vcpu *b); /* time the next one */
void account_stubs(struct bt_vcpu *b);	/* choose the glue entries: plain unless each callout matters */
uint64_t account_call_done(struct bt_vcpu *b,
			   uint64_t go_on); /* from the timing glue; returns where to go on */

/* ---- fragments ---- */
void account_dropped(struct bt_vcpu *b, const struct ccf *f, unsigned why); /* an enum drop_why */
void account_counting(struct bt_vcpu *b);				    /* count_entries changed */
#endif
