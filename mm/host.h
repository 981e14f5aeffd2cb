/* SPDX-License-Identifier: GPL-3.0-or-later
 * A pool of machine memory that VMs in processes of their own share. The host process makes it and admits
 * VMs; a VM's process joins it with descriptors that the host sends. What they share is the block
 * (mm/block.h) and the frames; a VM's home memory stays its process's own, so the kernel frees it with the
 * process. A process may die at any instant: the host then counts everything again (mm/recover.c). */
#ifndef MM_HOST_H
#define MM_HOST_H
#include "mm/slot.h"

/* What a VM's process is sent (SCM_RIGHTS); the pool keeps its own. */
struct mm_pool_fds {
	int block, frames;
	int host; /* pidfd of the host's process: readable when it has ended. Negative: none */
};

/* ---- the host's process ---- */

/* A pool of BYTES that processes may join. NULL with errno set on failure. */
struct mm_pool *mm_pool_host(uint64_t bytes);
void mm_pool_fds(const struct mm_pool *p, struct mm_pool_fds *f);
/* Give a VM of process PID a slot, in which its name is NAME. Returns the slot's number; -1: none is free. */
int mm_pool_admit(struct mm_pool *p, const char *name, int pid);
/* The pmap of the VM in SLOT has come: from now on it lives, and may share pages. Takes FD. False: FD is no
 * pmap, or there is no memory. */
bool mm_pool_pmap(struct mm_pool *p, unsigned slot, int fd);
/* The process of SLOT has ended, by itself or not: take its pages back, and free the slot. When another VM
 * does not come to rest in time (it is stopped, or dead, too) this is left to mm_pool_reclaim(). */
void mm_pool_died(struct mm_pool *p, unsigned slot);
/* Try that again; call it once a second, say, until it says true: nothing is left to take back. */
bool mm_pool_reclaim(struct mm_pool *p);

/* The books of the whole pool, counted page by page while all VMs wait. */
struct mm_pool_books {
	uint64_t pages[PAGE_STATES]; /* of all VMs */
	uint64_t vms, frames, used;  /* VMs; frames in use; pages charged */
	const char *wrong;	     /* the first thing that does not add up; NULL: all does */
	int slot;		     /* the VM, where it is one's; -1 */
	bool busy;		     /* a VM did not come to rest in time: nothing was counted */
};
bool mm_pool_check(struct mm_pool *p, struct mm_pool_books *b);

/* Views of all VMs' sharing, for the host's session; owner: struct mm_pool. */
extern const struct view *const mm_host_views[];

/* ---- a VM's process ---- */

/* The pool that was sent as F, for the VM of SLOT. Takes the descriptors. NULL with one line in ERR. */
struct mm_pool *mm_pool_join(const struct mm_pool_fds *f, unsigned slot, char *err, size_t errlen);
/* The VM's pmap, to be sent to the host; borrowed. Until mm_pool_pmap() the VM shares no page. */
int mm_vm_pmap_fd(const struct mm_vm *vm);
#endif
