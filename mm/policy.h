/* SPDX-License-Identifier: GPL-3.0-or-later
 * The policy of a pool (Waldspurger, OSDI 2002, sections 5 and 6): its parameters, its state, what it
 * decided last. All of it is in the block that the pool's VMs share. One thread runs the policy: the host's
 * main thread, or for a VM alone that of its vCPU. Anyone may change parameters, at any time. */
#ifndef MM_POLICY_H
#define MM_POLICY_H
#include "mm/slot.h"

/* How much machine memory is free, from plenty to none (enum values are indices of thresholds). */
enum mm_pool_state {
	POOL_HIGH, /* nothing is reclaimed */
	POOL_SOFT, /* VMs balloon; those that cannot swap */
	POOL_HARD, /* VMs above their target swap */
	POOL_LOW,  /* ... and wait until they are there */
	POOL_STATES
};
const char *mm_pool_state_name(unsigned s);

struct mm_policy_params {
	_Atomic uint32_t tax;			 /* on idle memory, in 1/65536, below 1 */
	_Atomic uint32_t threshold[POOL_STATES]; /* free memory, in 1/10000 of all */
	_Atomic uint32_t hysteresis;		 /* likewise */
	_Atomic uint32_t period;		 /* ms: targets are computed at least as often */
	_Atomic uint32_t balloon_max;		 /* percent of a VM's memory */
	_Atomic uint32_t frozen;		 /* 1: targets, balloons and swapping stay as they are */
	_Atomic uint32_t sample_pages;		 /* of each VM in a period; 0: none */
	_Atomic uint32_t sample_period;		 /* ms of VM time */
	_Atomic uint32_t swap;			 /* pages that the host's file may have; 0: there is none */
	_Atomic uint32_t computer;		 /* pages of memory that the host's computer has */
	_Atomic uint32_t changes;		 /* of these, and of a VM's min, max and shares */
};

/* A revocation, in words: "A gave 12 MiB to B: rho 1.3 against 2.1". */
enum { MM_REVOCATIONS = 32, MM_REVOCATION_TEXT = 192 };
struct mm_revocation {
	_Atomic uint64_t number; /* from 1; 0: none, or it is being written */
	uint64_t at;		 /* ns, as mm_policy_run() was told */
	uint32_t pages;
	char text[MM_REVOCATION_TEXT];
};

/* What the policy remembers of the VM in a slot. */
struct mm_policy_vm {
	uint32_t id;	    /* of the slot, when this was noted */
	uint32_t target;    /* before */
	uint32_t ballooned; /* pages in its balloon, and since when (ns) not more */
	uint64_t since;
	bool stuck; /* its balloon does not do what it is told */
};

struct mm_policy {
	struct mm_policy_params params;
	_Atomic uint32_t state;	      /* enum mm_pool_state */
	_Atomic uint64_t state_since; /* ns */
	_Atomic uint64_t entered[POOL_STATES], runs, revocations;
	struct mm_revocation log[MM_REVOCATIONS]; /* by number */
	/* of the thread that runs it */
	struct mm_policy_vm vm[MM_VMS];
	uint64_t next; /* when targets are computed at the latest */
	uint32_t seen; /* params.changes then */
	uint32_t ids;  /* of the VMs then, hashed */
};

/* What a host's VMs begin with: pages to look at for sharing, a second, by one and by all; shares. */
enum { MM_SCAN_RATE = 50, MM_SCAN_RATE_ALL = 200, MM_SHARES_PER_MIB = 10 };

struct mm_policy *mm_policy(struct mm_pool *p);
/* The defaults; when the pool is made. VMs are sampled in a host's pool only. */
void mm_policy_init(struct mm_policy *y, bool hosted);
/* A parameter was changed, or a VM's min, max or shares. */
void mm_policy_changed(struct mm_pool *p);

/* Look at free memory, and when its state or anything else has changed, or the period is over, compute
 * targets anew; tell VMs what to do (their slots). NOW: ns, of any clock. Returns when to call it next. */
uint64_t mm_policy_run(struct mm_pool *p, uint64_t now);

/* Have the VMs of P processes of their own? */
bool mm_policy_hosted(const struct mm_pool *p);
/* Is VM the one on whose thread the policy is to run, as nobody else does and memory may become short? */
bool mm_policy_wanted(struct mm_pool *p, const struct mm_vm *vm);

/* Pages of machine memory that the VM in slot I takes: its own, and its part of what is shared. */
uint32_t mm_machine_pages(struct mm_pool *p, unsigned i);
/* Its active share by the samples, in 1/65536: the largest average. */
uint32_t mm_active(const struct mm_slot *s);

/* May a VM with MIN to MAX pages join, whose process takes OVERHEAD pages beside them? False with one line in
 * ERR. The VMs that have joined count as they are. */
bool mm_admit(struct mm_pool *p, uint64_t min, uint64_t max, uint64_t overhead, char *err, size_t errlen);

extern const struct view *const mm_pool_views[]; /* owner: struct mm_pool */
#endif
