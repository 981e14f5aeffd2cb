/* SPDX-License-Identifier: GPL-3.0-or-later
 * Inside mm: what the policies of mm/policy/ keep with a VM, and what it keeps for each page. */
#ifndef MM_VM_PARTS_H
#define MM_VM_PARTS_H
#include "mm/slot.h"

/* Swapping (mm/policy/swap.c). */
struct vm_swap {
	int fd;		    /* PPN P is at BASE + (P << PAGE_SHIFT), once swapped out; negative: none are */
	uint64_t base;	    /* the file may be others', too */
	bool no_wait;	    /* a fault is being resolved: what takes I/O is noted in WANTED, and fails */
	bool broken;	    /* the file cannot be read or written */
	ppn wanted;	    /* the page that was lacking then; UINT32_MAX: none */
	uint64_t gone;	    /* pages swapped out or dropped: pointers from before may dangle */
	struct peeks *peek; /* pages for looking at what is swapped out */
};

/* The sample of pages whose accesses count (mm/policy/sample.c). */
enum { SAMPLE_MAX = 1000 };
struct vm_sample {
	uint32_t n, touched;  /* pages; accessed since the period began */
	uint32_t slow, fast;  /* averages, in 1/65536 */
	uint32_t mappings;    /* that were taken from the pages */
	uint64_t cycles;      /* which that took */
	ppn page[SAMPLE_MAX]; /* N */
};

/* Who writes, and where: kept for a page that has to come home for it. */
struct vm_access {
	uint8_t by;	  /* enum mm_writer */
	uint64_t lin, pc; /* linear addresses: what is accessed, the instruction; MM_ANYWHERE */
};

/* The scan for pages to share (mm/policy/scan.c). */
struct vm_scan {
	uint32_t at, key;	/* how far this pass is, of a power of two; what its order is made from */
	uint32_t credit;	/* pages due, in 1/65536 */
	uint64_t last;		/* VM time of the last tick */
	uint64_t passes;	/* complete ones */
	uint64_t pages, cycles; /* looked at, and what it took */
	uint64_t answered;	/* of these, because another VM asked */
};

/* For the mirror (mm/mirror.c): pages whose place or rights have changed since it was up to date, a bit each;
 * of the words of these, those that may have any. */
#define LOW_PPNS (1u << 20) /* 4 GiB: all that most VMs have */
#define VM_PPNS (1u << 24)  /* 64 GiB: MAXPHYADDR */
struct vm_changed {
	uint64_t page[VM_PPNS / 64], word[VM_PPNS / 64 / 64];
	bool any;
};

/* ---- pages ---- */

/* Behind a hidden page is memory, but the guest finds a device there. */
enum page_kind { PAGE_NONE, PAGE_RAM, PAGE_ROM, PAGE_HIDDEN };

/* One PPN's entry in the pmap. */
struct pmap_entry {
	mpn mpn;	 /* its home (the PPN itself), or elsewhere (mm/pool.h) */
	uint32_t rmap;	 /* index of the first reverse-map node, 0: none */
	uint8_t kind;	 /* enum page_kind */
	uint8_t code;	 /* code trace: translated code was made from this page */
	uint8_t table;	 /* a page table that a space relies on (window/quiet.c) */
	uint8_t sampled; /* it counts when it is accessed (mm/policy/sample.c) */
};

/* Reverse map node: PPN is at VPN of window WIN, mapped or for fetching code alone. */
struct rmap_node {
	uint32_t next;
	vpn32 vpn : 20, win : 12;
};
#endif
