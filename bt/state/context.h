/* SPDX-License-Identifier: GPL-3.0-or-later
 * Contexts: what a jump table depends on, and the tables that indirect transfers go by. */
#ifndef BT_STATE_CONTEXT_H
#define BT_STATE_CONTEXT_H
#include "base/types.h"

#define JT_BITS 20
#define JT_ENTRIES (1u << JT_BITS)
#define JT_SLOT(eip) ((eip) & (JT_ENTRIES - 1))
#define JT_BYTES (JT_ENTRIES * 4)
#define JT_PAGES (JT_BYTES >> PAGE_SHIFT)
#define JT_PAGE(eip) (JT_SLOT(eip) >> (PAGE_SHIFT - 2))
#define JT_KEEP 256 /* pages that are cleared when a table is emptied; more are given back to the host */

struct ctx {
	uint32_t *jt;
	uint32_t mode, cs_base;
	unsigned win;
	struct ctx *next_used; /* the one that was selected after it last */
	bool used, supervisor;
	uint32_t lru;
	uint64_t touched[JT_PAGES / 64]; /* pages of the table that have entries */
	unsigned ntouched;
};
#define MAX_CTX 128

struct contexts {
	struct ctx ctx[MAX_CTX];
	struct ctx *cur;	/* of the code that runs; entry stubs write it */
	uint32_t tick;		/* of the least-recently-used order */
	uint8_t *poison;	/* PROT_NONE, JT_BYTES: loaded instead of a table, the next poll faults */
	uint64_t dirty_windows; /* bit N: code was unmapped from window N */
	bool unlink_cross;	/* links across pages are no longer safe */
};
#endif
