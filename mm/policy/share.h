/* SPDX-License-Identifier: GPL-3.0-or-later
 * Inside mm: the table of contents of pages (mm/policy/share.c). */
#ifndef MM_SHARE_H
#define MM_SHARE_H
#include "mm/vm.h"

/* Bytes of the table for LIMIT machine pages. */
size_t share_bytes(uint32_t limit);
/* The table of P is at AT; make it empty, in memory of zeros. */
void share_find(struct mm_pool *p, void *at);
void share_init(struct mm_pool *p);
/* Make it anew from the frames that have references; the caller is alone with it. */
void share_rebuild(struct mm_pool *p);
/* Is every entry in its chain, or free? The caller is alone with it. */
bool share_check(const struct mm_pool *p);
/* FRAME is about to be free: its entry does not count any more. Also in a fault handler. */
void share_forget(struct mm_pool *p, uint32_t frame);
/* FRAME holds zeros, as its entry says. */
bool share_zeros(const struct mm_pool *p, uint32_t frame);
/* The hash of a page. */
uint64_t share_hash(const void *page);
/* As mm_share_page(), for a page that is to be swapped out: it leaves no hint. */
enum mm_share share_before_swap(struct mm_vm *vm, ppn p);

/* An entry, for views. */
struct share_row {
	uint64_t hash;
	uint32_t who;  /* frame, or the PPN of a hint */
	unsigned slot; /* the VM of a hint */
	uint32_t refs, bucket;
	bool hint;
};
/* The entry behind the one that *BUCKET and *ENTRY are at; first: 0, 0. False: there is none. */
bool share_next(const struct mm_pool *p, uint32_t *bucket, uint32_t *entry, struct share_row *r);
#endif
