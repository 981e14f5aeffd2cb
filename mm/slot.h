/* SPDX-License-Identifier: GPL-3.0-or-later
 * A VM's slot in the block that all VMs of a pool share: its name, what it is entitled to, what the policy
 * wants of it, and its figures (Waldspurger, OSDI 2002, sections 3 and 5). Each word has one writer, which
 * its group names; anyone may read, also while the VM runs. Counts of pages are of 4 KiB. Another process may
 * be the writer, so nothing here is trusted as an index or a length. */
#ifndef MM_SLOT_H
#define MM_SLOT_H
#include "mm/pages.h"

#include <stdatomic.h>

enum { MM_VMS = 32, MM_NAME = 32 };

/* Who talks to the host about the guest's balloon. */
enum mm_balloon_driver { BALLOON_NONE, BALLOON_VMWARE, BALLOON_VIRTIO, BALLOON_EMBEDDED };

enum mm_slot_state {
	SLOT_FREE,
	SLOT_JOINS, /* taken; its VM has no memory yet */
	SLOT_LIVES,
	SLOT_DIED, /* its process has ended, its pages are being taken back */
};

/* What the user has set by hand, until he takes it back. */
enum mm_hand { HAND_TARGET = 1, HAND_BALLOON = 2, HAND_SWAP = 4 };

/* A period of sampling (section 5.3). Shares are in 1/65536. */
enum { MM_SAMPLES = 16 };
struct mm_sample {
	_Atomic uint64_t vm_ns;		   /* when it ended */
	_Atomic uint32_t sampled, touched; /* pages */
	_Atomic uint32_t slow, fast;	   /* averages behind it */
	_Atomic uint32_t mappings, cycles; /* taken from the pages; what that cost */
};

/* Who wrote a page. */
enum mm_writer {
	WRITER_INSN,	  /* an instruction, in translated code or a part of it */
	WRITER_PROCESSOR, /* the processor for it, or for an event: stack frames, descriptors */
	WRITER_WALK,	  /* ... an accessed or dirty bit */
	WRITER_DEVICE,	  /* by DMA */
	WRITER_OPERATOR,  /* a loader or debugger */
	WRITER_NONE,	  /* nobody: it was unshared by hand */
	WRITERS
};

/* A shared page that was copied. Written by the VM's thread, also in the fault handler. */
enum { MM_COWS = 64, MM_COW_INSN = 15 };
struct mm_cow {
	_Atomic uint64_t number; /* of all VMs' copies, from 1; 0: none, or it is being written */
	uint64_t lin, pc;	 /* linear addresses: what was written, the instruction; ANYWHERE */
	uint32_t ppn, frame;	 /* frame: its MPN */
	uint32_t left, cycles;	 /* pages still on it; the copy and its mappings */
	uint8_t by;		 /* enum mm_writer */
	uint8_t bits, bytes;	 /* of the instruction's code: 16 or 32; how many are here */
	uint8_t insn[MM_COW_INSN];
};
#define MM_ANYWHERE UINT64_MAX

/* Swapping. The VM's thread; pages. */
struct mm_swapping {
	_Atomic uint64_t out, in; /* written to the file; read back */
	_Atomic uint64_t zeros;	  /* victims that held zeros: dropped */
	_Atomic uint64_t shared;  /* victims that were shared instead of written */
	_Atomic uint64_t cleaned; /* places given back */
	_Atomic uint64_t waits;	  /* accesses that waited for I/O */
	_Atomic uint64_t double_paged;
	_Atomic uint32_t in_file; /* pages for which the file has a place taken */
};

struct mm_slot {
	/* ---- the pool's owner, when the VM joins; read-only from then on ---- */
	_Atomic uint32_t state; /* enum mm_slot_state */
	uint32_t id;		/* a number that no VM of this pool had before; 0: none */
	int32_t pid;
	char name[MM_NAME];
	uint32_t configured; /* pages of memory and ROM */

	/* ---- the policy, or the user by hand ---- */
	_Atomic uint32_t min, max; /* pages guaranteed; pages at most */
	_Atomic uint32_t shares;
	_Atomic uint32_t target;      /* pages the VM shall have, by the policy */
	_Atomic uint32_t balloon;     /* of its memory, pages the balloon shall have */
	_Atomic uint32_t swap_target; /* pages the VM shall have at most: those beyond are swapped out */
	_Atomic uint32_t scan_rate;   /* pages looked at for sharing, a second of VM time; 0: none */
	_Atomic uint32_t blocked;     /* 1: the VM waits until the pool has memory (state low) */
	_Atomic uint32_t hand;	      /* bits of enum mm_hand: what the user has set, and the policy leaves */

	/* ---- the VM's thread ---- */
	_Atomic uint32_t pages[PAGE_STATES];
	_Atomic uint32_t zeros;		  /* of the shared ones, those on a frame of zeros */
	_Atomic uint32_t charged;	  /* machine pages charged for it, shared frames not counted */
	_Atomic uint32_t inside;	  /* 1: in the middle of a change of the block */
	_Atomic uint32_t ballooned;	  /* pages in the balloon, as its driver says */
	_Atomic uint32_t driver;	  /* enum mm_balloon_driver */
	_Atomic uint32_t sampled;	  /* pages of the last complete sample */
	_Atomic uint32_t touched;	  /* of these, touched in its period */
	_Atomic uint32_t slow, fast, now; /* averages of the active share, in 1/65536: section 5.3 */
	_Atomic uint64_t scanned, cow, popped;
	_Atomic uint64_t vm_ns; /* VM time of these figures */
	_Atomic uint32_t swaps; /* 1: it has a place to swap to */
	struct mm_swapping swap;
	_Atomic uint64_t blocked_ns;
	_Atomic uint64_t periods; /* of sampling that are complete; the last are here, by their number */
	struct mm_sample sample[MM_SAMPLES];
	struct mm_cow cow_log[MM_COWS]; /* the last COW copies, by their number */

	/* ---- the VM's main thread ---- */
	_Atomic uint32_t runs;	   /* 1: the guest runs; 0: it is stopped */
	_Atomic uint32_t overhead; /* pages that its process takes beside the guest's memory, measured */
};

/* What concerns all VMs of a pool. */
struct mm_common {
	/* ---- the policy, or the user by hand ---- */
	_Atomic uint32_t scan_rate; /* pages looked at for sharing by all VMs, a second, at most */
	/* ---- all VMs ---- */
	_Atomic uint64_t cows; /* shared pages that were copied so far */
};
struct mm_common *mm_common(struct mm_pool *p);

struct mm_pool *mm_vm_pool(const struct mm_vm *vm);
/* The slot of VM; of VM number I of its pool. NULL: there is none. */
struct mm_slot *mm_slot(const struct mm_vm *vm);
unsigned mm_slot_number(const struct mm_vm *vm);
struct mm_slot *mm_pool_slot(struct mm_pool *p, unsigned i);
/* Bring the figures in VM's slot up to date that are not kept there, at VM time VM_NS. On its thread. */
void mm_figures(struct mm_vm *vm, uint64_t vm_ns);
#endif
