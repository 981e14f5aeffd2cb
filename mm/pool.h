/* SPDX-License-Identifier: GPL-3.0-or-later
 * Inside mm: a process's view of machine memory. The pool counts machine pages (a credit that is charged
 * before a page may be populated), has the memfd of shared frames, and counts the host mappings of the whole
 * process. What VMs share is in the block (mm/block.h), the rest is this process's own. Counters are atomic,
 * because VMs run on threads or processes of their own, and charge from their fault handlers. */
#ifndef MM_POOL_H
#define MM_POOL_H
#include "mm/block.h"

#include <stdatomic.h>

/* An MPN names a machine page of one VM: its home slot, whose number is the PPN, or with MPN_AWAY
 * set another place. MPN_SHARED | N: frame N of the pool, copy-on-write. MPN_SWAPPED | N: page N of
 * the swap file. Pages that are MPN_BALLOONED (given back by the guest) and MPN_NONE (never touched,
 * or released) have no machine page and read as zeros. */
#define MPN_AWAY 0x80000000u
#define MPN_SHARED 0x80000000u
#define MPN_SWAPPED 0xc0000000u
#define MPN_BALLOONED (UINT32_MAX - 1)
#define MPN_NONE UINT32_MAX
#define MPN_INDEX 0x3fffffffu

static inline enum page_state mpn_state(mpn m)
{
	if (!(m & MPN_AWAY))
		return PAGE_PRIVATE;
	if (m >= MPN_BALLOONED)
		return m == MPN_NONE ? PAGE_ABSENT : PAGE_BALLOONED;
	return m >= MPN_SWAPPED ? PAGE_SWAPPED : PAGE_SHARED;
}

/* Is M a page of machine memory, which can be mapped? */
static inline bool mpn_in_memory(mpn m)
{
	return m < MPN_SWAPPED;
}

struct pmap_entry;
/* The table of contents, in the block (mm/policy/share.c). */
struct share_parts {
	struct share_table *table;
	uint32_t nbucket, nentry; /* nbucket: a power of two */
	uint32_t *buckets;
	struct share_entry *entries;
	_Atomic uint32_t *frames; /* a word a frame */
};

struct mm_pool {
	uint32_t limit;	     /* machine pages there are */
	struct block *block; /* shared with all VMs */
	size_t block_bytes;
	_Atomic uint32_t *refs;	  /* in it: PPNs on each frame */
	struct share_parts share; /* in it: contents that are known */
	struct mm_slot *slots;	  /* in it */
	int block_fd;		  /* negative: the block is this process's alone */
	int host_fd;		  /* readable when the host has ended; negative: there is none */
	int joined;		  /* in the pool of a host: the slot for our VM; negative: it is our pool */
	bool joined_used;	  /* ... has a VM */
	int fd;			  /* shared frames: frame N is at N << PAGE_SHIFT */
	uint8_t *frames;	  /* the monitor's mapping of them */
	struct pool_pmap {
		int fd; /* negative: has not come */
		const struct pmap_entry *map;
	} pmaps[MM_VMS];      /* of the VMs that we answer for */
	_Atomic int64_t maps; /* host mappings of all windows, estimated */
	int64_t maps_limit;
	_Atomic unsigned nmmu; /* who shares that limit */
	void (*step)(void);    /* for tests: called before each store that others see */
};

/* For tests: here a process may die. */
static inline void pool_step(const struct mm_pool *p)
{
	if (__builtin_expect(p->step != NULL, 0))
		p->step();
}

/* Charge N pages. False, and nothing charged, when there are not as many. */
bool pool_charge(struct mm_pool *p, uint32_t n);
void pool_credit(struct mm_pool *p, uint32_t n);

/* Take a free, zeroed frame, charged, with one reference, if possible number NEAR: its MPN, or MPN_NONE. */
mpn pool_frame_near(struct mm_pool *p, uint32_t near);
mpn pool_frame_new(struct mm_pool *p);
void pool_frame_get(struct mm_pool *p, mpn frame);
/* The same unless nobody has the frame any more: false. */
bool pool_frame_try(struct mm_pool *p, mpn frame);
/* Drop a reference. The last one frees the frame: its content and its charge go. */
void pool_frame_put(struct mm_pool *p, mpn frame);
uint32_t pool_frame_refs(const struct mm_pool *p, mpn frame);
/* Does it hold zeros? It is known from when it became the table's. */
bool pool_frame_zeros(const struct mm_pool *p, mpn frame);
/* Unmap what is left of other processes' pmaps. */
void pool_forget_pmaps(struct mm_pool *p);

/* Free N pages from offset PAGE of FD on; a later touch finds zeros. */
void pool_punch(int fd, uint64_t page, uint32_t n);
#endif
