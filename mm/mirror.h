/* SPDX-License-Identifier: GPL-3.0-or-later
 * A mirror: guest-physical memory as one range of the monitor's address space, for hardware that reaches it
 * by such addresses (KVM's memory slots). Guest-physical address A is at the base + A. A page that the guest
 * may write now, as mm/write.c says, is mapped writable; one that is in memory otherwise (shared, ROM, the
 * source of translated code) read-only; any other is not accessible. The mirror is brought up to date by
 * mm_mirror_sync(), so the guest must not run by it between a change of a page and that. */
#ifndef MM_MIRROR_H
#define MM_MIRROR_H
#include "mm/mm.h"

struct mm_mirror;

/* The mirror of VM, which has one at most, out of date. NULL with errno set. */
struct mm_mirror *mm_mirror_new(struct mm_vm *vm);
void mm_mirror_free(struct mm_mirror *r);
uint8_t *mm_mirror_base(const struct mm_mirror *r);
/* Bring it up to date. Cheap when nothing changed. False with errno set: the host refused a mapping. */
bool mm_mirror_sync(struct mm_mirror *r);
/* The first run of memory (RAM and ROM alike) at or after FROM: *AT, *BYTES. False: there is no more. */
bool mm_mirror_run(const struct mm_mirror *r, gpa from, gpa *at, uint64_t *bytes);
/* A write of N bytes at A by the guest that the hardware could not make: ROM stays as it is, a shared page is
 * copied first. A and N are in memory, and within a page. False: there is no machine memory for it. */
bool mm_mirror_write(struct mm_mirror *r, gpa a, const void *buf, unsigned n);
/* Pages mapped anew by all calls of mm_mirror_sync() so far. */
uint64_t mm_mirror_remapped(const struct mm_mirror *r);
#endif
