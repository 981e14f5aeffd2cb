/* SPDX-License-Identifier: GPL-3.0-or-later
 * Contexts: what a jump table depends on, and the tables that indirect transfers go by. A table has an entry
 * for each EIP, which needs no check: address space is reserved for it, memory only for pages that are used.
 */
#ifndef BT_STATE_CONTEXT_H
#define BT_STATE_CONTEXT_H
#include "base/types.h"

#define JT_BITS 32
#define JT_BYTES (4ull << JT_BITS)
#define JT_PAGE(eip) ((eip) >> (PAGE_SHIFT - 2))
#define JT_PROBES 8 /* slots that a page may have in touched[], from its hash on */
#define JT_TOUCHED 512

/* 64-bit code has a table for each 4 GiB of code addresses, found by a directory of pointers to them. Its
 * pages are inaccessible until one of their pointers is used: the load faults where there is no code. */
#define JT_DIRECTORY_BYTES (8ull << 32)
#define JT_DIRECTORIES 32
#define JT_DIRECTORY_PAGES 16 /* accessible ones */
struct jt_directory {
	uint32_t **table; /* by the upper half of RIP; NULL: not reserved yet */
	uint32_t mode;
	unsigned win;
	bool used;
	uint32_t lru;
	uint32_t page[JT_DIRECTORY_PAGES];
	unsigned npages;
};

struct ctx {
	uint32_t *jt; /* NULL: not reserved yet */
	uint32_t mode;
	uint32_t cs_base;	  /* 64-bit code: the upper half of its addresses */
	struct jt_directory *dir; /* NULL: it is not of 64-bit code */
	bool listed;		  /* DIR has a pointer to JT */
	unsigned win;
	struct ctx *next_used; /* the one that was selected after it last */
	bool used, supervisor;
	uint32_t lru;
	/* Pages of the table that have entries, plus 1, by hash. They are cleared when the table is emptied;
	 * if there were more, all are given back to the host. */
	uint32_t touched[JT_TOUCHED];
	bool many, any;
};
#define MAX_CTX 128

struct contexts {
	struct ctx ctx[MAX_CTX];
	struct ctx *cur;	     /* of the code that runs; entry stubs write it */
	unsigned tables, max_tables; /* reserved, and how many may be */
	uint32_t tick;		     /* of the least-recently-used order */
	struct jt_directory dir[JT_DIRECTORIES];
	uint32_t *none; /* a table without entries */
	/* PROT_NONE: read by polls, or instead of a table or a directory, to fault. */
	uint8_t *poison;
	uint64_t poison_bytes;
	uint64_t dirty_windows; /* bit N: code was unmapped from window N */
	bool unlink_cross;	/* links across pages are no longer safe */
};
#endif
