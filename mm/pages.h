/* SPDX-License-Identifier: GPL-3.0-or-later
 * What the pages of a VM are, for its owner and for views: states as in Waldspurger, OSDI 2002, section 2,
 * swapping by hand, the books. On the vCPU's thread between two guest instructions, or on another while the
 * VM is stopped. */
#ifndef MM_PAGES_H
#define MM_PAGES_H
#include "mm/mm.h"

/* The state of a PPN's memory. Accesses of any kind are right in each. */
enum page_state {
	PAGE_PRIVATE,	/* in its home slot, charged to the pool */
	PAGE_SHARED,	/* on a frame of the pool, copy-on-write */
	PAGE_SWAPPED,	/* in the swap file */
	PAGE_BALLOONED, /* the guest gave it back: zeros, no memory */
	PAGE_ABSENT,	/* zeros, no memory: not touched yet, or released */
	PAGE_STATES
};
const char *mm_state_name(enum page_state s);
/* False: there is no memory at P. */
bool mm_state_of(const struct mm_vm *vm, ppn p, enum page_state *s);

/* What happened to pages. */
struct mm_counts {
	uint64_t out, in;      /* swapped out; read back */
	uint64_t zeros;	       /* victims that held zeros: dropped instead of written */
	uint64_t peeks, waits; /* looked at where they are; accesses that waited for I/O */
	uint64_t cow, popped;  /* writes to shared pages; touches of ballooned ones */
	uint64_t shared;       /* victims that were shared instead of written */
	uint64_t in_file;      /* pages that have a place in the file */
	uint64_t cleaned;      /* places given back, as their page came home or went */
	uint64_t double_paged; /* pages written to the guest's disk that were swapped out then */
};
const struct mm_counts *mm_counts(const struct mm_vm *vm);

/* What a point may wait for. */
enum mm_event {
	MM_COW,	    /* a shared page was copied: VAL cycles */
	MM_SWAP_IN, /* a page was read back: VAL cycles */
};
/* Call NOTE at each of these, also in the fault handler, with the guest's vector registers live; NULL: no
 * more.
 */
void mm_watch_pages(struct mm_vm *vm, void (*note)(void *ctx, enum mm_event e, ppn p, uint64_t val),
		    void *ctx);

/* Let pages of VM be swapped out to MM_SWAP_BYTES from offset BASE of FD, which VM closes; before memory is
 * added. Memory that the pool has no room for is then charged page by page when it is touched. -1: no memory
 * for it. */
#define MM_SWAP_BYTES (1ull << 36) /* a place for each guest-physical address, in a sparse file */
int mm_vm_set_swap(struct mm_vm *vm, int fd, uint64_t base);
bool mm_has_swap(const struct mm_vm *vm);
/* Swap P out; a page of zeros becomes absent. False: P is not private memory, or the file cannot be
 * written. */
bool mm_swap_out(struct mm_vm *vm, ppn p);
/* Swap out N private pages chosen at random. Returns how many were. */
uint32_t mm_swap_out_some(struct mm_vm *vm, uint32_t n);
/* Read P back if it is swapped out. False: no memory, or the file cannot be read. */
bool mm_swap_in(struct mm_vm *vm, ppn p);

/* ---- pages that the guest gives back (mm/policy/balloon.c) ---- */

enum mm_balloon {
	MM_BALLOON_DONE,
	MM_BALLOON_NO_RAM, /* one of the pages is no RAM */
	MM_BALLOON_WAS,	   /* one of them is in the balloon already; or none is */
};
/* Take the N pages from FIRST on, whatever their state, from the guest: their content and their memory go,
 * and a touch finds a fresh page (mm_counts.popped). All or, unless MM_BALLOON_DONE, none. FIRST may be any
 * number that a guest says. */
enum mm_balloon mm_balloon_pages(struct mm_vm *vm, uint64_t first, uint32_t n);
/* Give them back: they become absent, those that were touched stay as they are. MM_BALLOON_WAS: none of them
 * was in the balloon. */
enum mm_balloon mm_deflate_pages(struct mm_vm *vm, uint64_t first, uint32_t n);
void mm_deflate_all(struct mm_vm *vm);
/* The pages in the balloon as runs: the first one at or after FROM, its length in *N. False: no more. */
bool mm_next_ballooned(const struct mm_vm *vm, ppn from, ppn *first, uint32_t *n);
/* The guest does not need the content of the N pages from FIRST on: those that are RAM become absent, unless
 * they are in the balloon. Returns how many became so. */
uint32_t mm_release_pages(struct mm_vm *vm, uint64_t first, uint32_t n);

/* ---- sampling (mm/policy/sample.c) ---- */

/* End VM's period of sampling, if there is one, at VM time VM_NS, and begin another with PAGES pages (0:
 * none). The averages are in the slot. */
void mm_sample(struct mm_vm *vm, uint32_t pages, uint64_t vm_ns);
/* Bring the average with the unfinished period up to date. */
void mm_sample_now(struct mm_vm *vm);
/* A device accesses [A, A + N), by DMA. */
void mm_dma_touched(struct mm_vm *vm, gpa a, uint64_t n);
/* A drive is about to write [A, A + N) of memory to its medium: pages of it that are swapped out are paged
 * twice. */
void mm_disk_written(struct mm_vm *vm, gpa a, uint64_t n);

/* ---- content-based sharing (mm/policy/share.c) ---- */

enum mm_share {
	MM_SHARE_DONE,	      /* the page is on a frame with others of its content */
	MM_SHARE_HINT,	      /* none has its content: it is known now */
	MM_SHARE_NOT_PRIVATE, /* it is shared already, or not in memory */
	MM_SHARE_FALSE,	      /* another content has its hash */
	MM_SHARE_NO_ROOM,     /* no machine page for the frame */
	MM_SHARE_BUSY,	      /* another VM has the table, or the VM has not joined its host yet */
};
/* Look for the content of P, and share it. */
enum mm_share mm_share_page(struct mm_vm *vm, ppn p);
/* The same for pages of [FIRST, FIRST + N) that the host has populated. Returns how many pages it moved onto
 * frames, in that range or not. */
uint64_t mm_share_range(struct mm_vm *vm, ppn first, uint32_t n);
/* The scan for pages to share at VM time NOW: look at the pages that are due. Returns when to call it again:
 * not more than 20 times a second; UINT64_MAX: the VM's rate is 0. */
uint64_t mm_scan(struct mm_vm *vm, uint64_t now);
/* Pages that it looks at a second, by the VM's rate and that of the pool. */
uint32_t mm_scan_rate(const struct mm_vm *vm);
/* Give P a page of its own. False: it is not shared, or there is no memory. */
bool mm_unshare_page(struct mm_vm *vm, ppn p);
/* What was done, for all VMs of the pool. */
struct mm_sharing {
	uint64_t scanned, shared; /* pages hashed; moved onto frames */
	uint64_t entries, hints;  /* in use; of these, hints */
	uint64_t evicted, stale;  /* hints that made room; that were wrong */
	uint64_t false_matches;
};
const struct mm_sharing *mm_sharing(const struct mm_vm *vm);
const struct mm_sharing *mm_pool_sharing(const struct mm_pool *p);

/* The books of a VM, as counted page by page. */
struct mm_books {
	uint64_t pages[PAGE_STATES];
	uint64_t charged, populated; /* home slots: as noted; as the host counts them */
	uint64_t mapped;	     /* entries of windows that can be accessed */
	const char *wrong;	     /* the first thing that does not add up; NULL: all does */
	ppn at;			     /* the page, where it is one's */
};
void mm_count(const struct mm_vm *vm, struct mm_books *b);
/* Also check everything against everything. False: see WRONG. ALONE: no other VM is on the pool. */
bool mm_check(const struct mm_vm *vm, bool alone, struct mm_books *b);

/* For tests: change the state of N pages of VM at random, none of their bytes. */
void mm_change_some(struct mm_vm *vm, unsigned n);
#endif
