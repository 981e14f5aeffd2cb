/* SPDX-License-Identifier: GPL-3.0-or-later
 * Inside mm: what several VMs share. The pool counts machine pages (a credit that is
 * charged before a page may be populated), owns the memfd of shared frames, and counts
 * the host mappings of the whole process. Its counters are atomic, because each VM runs
 * on a thread of its own and charges from its fault handler. */
#ifndef MM_POOL_H
#define MM_POOL_H
#include "mm/slot.h"

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

struct share_table;
struct mm_pool {
	uint32_t limit;		   /* machine pages there are */
	_Atomic uint32_t used;	   /* of these, charged */
	int fd;			   /* shared frames: frame N is at N << PAGE_SHIFT */
	uint8_t *frames;	   /* the monitor's mapping of them */
	_Atomic uint32_t *refs;	   /* PPNs on each frame; 0: free */
	struct share_table *share; /* contents that are known (mm/policy/share.c) */
	size_t share_bytes;
	struct mm_slot *slots; /* MM_VMS */
	_Atomic uint32_t ids;  /* given out */
	_Atomic uint32_t hint; /* where to look for a free frame */
	_Atomic int64_t maps;  /* host mappings of all windows, estimated */
	int64_t maps_limit;
	_Atomic unsigned nmmu; /* who shares that limit */
};

/* A free slot for a VM, or NULL; give it back. */
struct mm_slot *pool_slot_take(struct mm_pool *p);
void pool_slot_free(struct mm_slot *s);

/* Charge N pages. False, and nothing charged, when there are not as many. */
bool pool_charge(struct mm_pool *p, uint32_t n);
void pool_credit(struct mm_pool *p, uint32_t n);

/* Take a free, zeroed frame, charged, with one reference: its MPN, or MPN_NONE. */
mpn pool_frame_new(struct mm_pool *p);
void pool_frame_get(struct mm_pool *p, mpn frame);
/* Drop a reference. The last one frees the frame: its content and its charge go. */
void pool_frame_put(struct mm_pool *p, mpn frame);
uint32_t pool_frame_refs(const struct mm_pool *p, mpn frame);

/* Free the page at offset PAGE of FD; a later touch finds zeros. */
void pool_punch(int fd, uint64_t page);
#endif
