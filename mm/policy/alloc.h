/* SPDX-License-Identifier: GPL-3.0-or-later
 * Inside mm: how machine memory is divided among VMs (Waldspurger, OSDI 2002, sections 5 and 6), as
 * functions of figures alone: no pool, no time, no state. The price of memory is a VM's shares per page,
 * where an idle page counts as k = 1/(1 - tax) active ones:
 *
 *     rho = S / (P * (f + k * (1 - f)))
 *
 * Min-funding revocation takes pages from the VM with the lowest rho until the rest of the memory is free.
 * Memory is in pages, shares of a whole in 1/65536, thresholds in 1/10000 of machine memory. */
#ifndef MM_ALLOC_H
#define MM_ALLOC_H
#include "mm/policy.h"

enum { ALLOC_ONE = 1 << 16, ALLOC_TAX_MAX = ALLOC_ONE - 1 };
#define ALLOC_ANY UINT32_MAX /* swap_target: nothing is to be swapped out */

struct alloc_vm {
	/* given */
	uint32_t shares, min, max;
	uint32_t size;		     /* pages configured */
	uint32_t machine;	     /* pages of machine memory that it takes */
	uint32_t wants;		     /* that it would take if none were ballooned or swapped */
	uint32_t saved;		     /* that sharing saves it */
	uint32_t active;	     /* f */
	uint32_t was;		     /* target before */
	uint32_t balloon_was;	     /* target of its balloon before */
	bool balloons, stuck, swaps; /* it has a balloon, which does not do what it is told; a file */
	/* found */
	uint32_t target;      /* pages of machine memory that it shall have */
	uint32_t balloon;     /* pages its balloon shall have */
	uint32_t swap_target; /* pages beyond which it is to swap; or ALLOC_ANY */
	bool blocked;
};

/* f + k * (1 - f). */
uint64_t alloc_weight(uint32_t tax, uint32_t active);
/* rho of V with PAGES, in thousandths of a share per MiB. UINT64_MAX: it has none. */
uint64_t alloc_rho(const struct alloc_vm *v, uint32_t pages, uint32_t tax);

/* Set the targets: together at most AVAIL pages of what the VMs want, and none below its min. A VM from which
 * nothing is revoked may have its max. False: AVAIL is less than the sum of the mins. */
bool alloc_targets(struct alloc_vm *vm, unsigned n, uint64_t avail, uint32_t tax);

/* The state for FREE of ALL pages: worse as soon as there is less than a threshold, better only when there is
 * more than the next one by the hysteresis. */
enum mm_pool_state alloc_state(const uint32_t threshold[POOL_STATES], uint32_t hysteresis,
			       enum mm_pool_state was, uint64_t free, uint64_t all);
/* Pages that the targets leave free: beyond the highest threshold by twice the hysteresis. */
uint64_t alloc_goal(const uint32_t threshold[POOL_STATES], uint32_t hysteresis, uint64_t all);

/* Set what is to be ballooned, swapped and blocked in state S. A balloon has at most BALLOON_MAX percent of
 * its VM's memory. */
void alloc_actions(struct alloc_vm *vm, unsigned n, enum mm_pool_state s, uint32_t balloon_max);

/* A revocation: FROM's target fell by PAGES, TO's rose (ALLOC_POOL: none did). */
#define ALLOC_POOL UINT32_MAX
struct alloc_move {
	uint32_t from, to, pages;
	uint64_t rho_from, rho_to; /* as alloc_rho(), with what they had before */
};
enum { ALLOC_LEAST = 256 }; /* pages: smaller moves are not worth a note */
/* The moves between the targets before and those found, at most MAX. Returns how many. */
unsigned alloc_moves(const struct alloc_vm *vm, unsigned n, uint32_t tax, struct alloc_move *move,
		     unsigned max);

/* What a VM that wants to join needs, against what there is. */
struct alloc_admission {
	uint64_t min, overhead, max;	/* the VM's */
	uint64_t mins, overheads, maxs; /* of the VMs there are, together */
	uint64_t memory, swap;
	uint64_t computer; /* all of its memory, of which MEMORY is a part */
};
enum alloc_refusal { ALLOC_ADMITTED, ALLOC_NO_MEMORY, ALLOC_NO_SWAP, ALLOC_NO_ROOM };
/* min must fit into machine memory, max - min into the swap file, and overhead, which machine memory is not
 * charged for, into the computer's memory beside it. *LACKING: pages. */
enum alloc_refusal alloc_admit(const struct alloc_admission *a, uint64_t *lacking);
#endif
