/* SPDX-License-Identifier: GPL-3.0-or-later
 * Why translated code was left, and the fragment of one instruction that runs what the cache cannot. */
#ifndef BT_STATE_EXIT_H
#define BT_STATE_EXIT_H
#include "base/types.h"

struct ccf;
struct exit_link;

enum exit_code {
	XC_NONE,
	XC_LOOKUP,
	XC_CHAIN,
	XC_POLL,
	XC_HALT,
	XC_MMIO,
	XC_SMC,
	XC_SHUTDOWN,
	XC_BREAK,
	XC_EXC,
	XC_STEPPED,
	XC_STALE,
	XC_WAIT, /* resolved by dispatch_after_fault(): never the reason of an exit */
	XC_ERROR,
	XC_TRANSIENT
};

struct exit_state {
	enum exit_code code;
	struct exit_link *link; /* XC_CHAIN: to be patched to the fragment that is found or made next */
	uint32_t arg;		/* XC_SMC: the page */
	gpa pa;			/* XC_MMIO */
	gva mmio_lin;		/* XC_MMIO; fragments write it too, 32-bit code its low half alone */
	struct ccf *stale;	/* XC_STALE: its source bytes have changed */
	uint64_t retry;	     /* XC_WAIT: host address of the instruction; 0: the fragment is entered again */
	unsigned retry_cost; /* XC_WAIT: instructions that the budget pays again */
};

struct transient {
	struct ccf *ccf;    /* being run, or NULL */
	struct ccf *record; /* the record that each of them uses */
	uint32_t host;	    /* TC offset of its code */
	bool retry;	    /* the instruction was begun before and not finished */
	bool no_trap;	    /* it was INT: TF does not trap behind it */
	bool completed;	    /* it did not fault */
	bool one;	    /* of a REP, run one iteration */
	bool in_rep;	    /* left between two iterations of a REP */
	uint8_t arena[16384] __attribute__((aligned(16)));
	uint32_t arena_used;
};
#endif
