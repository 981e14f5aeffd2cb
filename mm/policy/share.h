/* SPDX-License-Identifier: GPL-3.0-or-later
 * Inside mm: the table of contents of pages (mm/policy/share.c). */
#ifndef MM_SHARE_H
#define MM_SHARE_H
#include "mm/vm.h"

/* A table for PAGES machine pages. NULL: no memory. *BYTES: its size. */
struct share_table *share_new(uint32_t pages, size_t *bytes);
void share_free(struct share_table *t, size_t bytes);
/* The hash of a page. */
uint64_t share_hash(const void *page);

/* An entry, for views. */
struct share_row {
	uint64_t hash;
	uint32_t who; /* frame, or the PPN of a hint */
	uint32_t refs, bucket;
	bool hint;
};
/* The entry behind the one that *BUCKET and *ENTRY are at; first: 0, 0. False: there is none. */
bool share_next(const struct mm_vm *vm, uint32_t *bucket, uint32_t *entry, struct share_row *r);
#endif
