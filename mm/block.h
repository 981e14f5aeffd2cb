/* SPDX-License-Identifier: GPL-3.0-or-later
 * Inside mm: the block, which the VMs of a pool and its host share, each mapping it where it likes: the
 * header, the VMs' slots, messages to VMs, the frames' reference counts, the table of contents
 * (mm/policy/share.c). A process may die, or lie, at any instant; what is read here is checked before it is
 * used as an index.
 *
 * A VM changes the block, its pmap and its frames between vm_enter() and vm_leave() (mm/vm.h): one side of an
 * asymmetric lock, of which the other is the host's hold. Holding, the host waits until no VM that lives is
 * inside; then the pmaps say what is whose, and the words here can be counted anew. */
#ifndef MM_BLOCK_H
#define MM_BLOCK_H
#include "mm/policy.h"

#define BLOCK_MAGIC 0x6b6c624du
enum { RING = 1022 };

/* Messages for a VM: pages of its own that it is to look at. */
struct block_ring {
	_Atomic uint32_t head; /* counts those taken; by the VM */
	_Atomic uint32_t tail; /* counts those posted; by who has the table's lock */
	_Atomic ppn page[RING];
};

struct block {
	uint32_t magic, layout; /* of this build of the program */
	uint32_t limit;		/* machine pages there are */
	_Atomic uint32_t used;	/* of these, charged */
	_Atomic uint32_t ids;	/* given to VMs */
	_Atomic uint32_t hint;	/* where to look for a free frame */
	_Atomic uint32_t hold;	/* 1: the host is, or will be, alone */
	_Atomic uint32_t lock;	/* 1 + the slot of the VM that changes the table; 0: none does */
	struct mm_common common;
	struct mm_policy policy;
	struct mm_slot slots[MM_VMS] __attribute__((aligned(64)));
	struct block_ring rings[MM_VMS] __attribute__((aligned(4096)));
	/* a word a frame: PPNs on it, 0: free; then the table */
	_Atomic uint32_t refs[] __attribute__((aligned(4096)));
};
#define FRAME_DYING UINT32_MAX /* in refs[]: being emptied */

struct mm_pool;
/* Make and map the block for P->limit pages, in a file if HOSTED. False: errno is set. */
bool block_make(struct mm_pool *p, bool hosted);
/* Map that of P->block_fd, and set P->limit. False: it is none of this build's. */
bool block_map(struct mm_pool *p);
void block_unmap(struct mm_pool *p);
/* A file of BYTES of memory that stays as large. Negative: errno is set. */
int block_file(const char *name, uint64_t bytes);
/* Is FD such a file? */
bool block_file_is(int fd, uint64_t bytes);

/* A free slot for a VM, or NULL; give it back. */
struct mm_slot *block_slot_take(struct mm_pool *p);
void block_slot_free(struct mm_pool *p, struct mm_slot *s);

/* Hold: wait until no VM is inside. False, and not held: one does not come to rest. */
bool block_hold(struct mm_pool *p);
void block_release(struct mm_pool *p);

/* Post PAGE to the VM of SLOT; with the table's lock. Lost when there is no room. */
void block_post(struct mm_pool *p, unsigned slot, ppn page);
/* The next message for SLOT, by its VM. False: there is none. */
bool block_next(struct mm_pool *p, unsigned slot, ppn *page);
#endif
