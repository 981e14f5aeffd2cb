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

struct ctx {
	uint32_t *jt; /* NULL: not reserved yet */
	uint32_t mode, cs_base;
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
	uint8_t *poison;	     /* PROT_NONE, JT_BYTES: read by polls, or instead of a table, to fault */
	uint64_t dirty_windows;	     /* bit N: code was unmapped from window N */
	bool unlink_cross;	     /* links across pages are no longer safe */
};
#endif
