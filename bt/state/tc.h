/* SPDX-License-Identifier: GPL-3.0-or-later
 * The translation cache's memory: host code (one memfd, mapped twice), the records of fragments, and how they
 * are found. cache/cache.c owns it. */
#ifndef BT_STATE_TC_H
#define BT_STATE_TC_H
#include "mm/mmu.h"

struct ccf;
struct exit_link;

#define CCF_HASH_BITS 18
#define CCF_HASH (1u << CCF_HASH_BITS)

struct page_info {
	struct ccf *list; /* fragments made from this page */
	struct code_group *groups;
	uint16_t smc;	     /* times its code was dropped because of a write */
	bool mixed;	     /* code and data: its fragments compare their source at entry */
	uint64_t calm_since; /* mixed: host TSC of its promotion or of the last change seen */
};
#define MAX_MIXED 1024

struct pin {
	gva pc;
	uint32_t len; /* of the fragment that was pinned; 1 where none was */
};
#define MAX_PINS 64

/* Where the next fragment and its record go. */
struct zone {
	uint32_t pos, end;
	uint8_t *arena_pos, *arena_end;
};

/* The fragments of a page at one linear address, and who executes them (cache/domain.c). */
struct code_group {
	gva page;	  /* the linear page */
	uint64_t windows; /* bit N: window N has entered one */
	uint64_t stamp;	  /* the value of domains.ends when that was true */
	bool several;	  /* windows, so no links across pages */
	struct ccf *members;
	struct code_group *next; /* of the page */
};
struct domains {
	uint64_t ends,
	    ended[MMU_MAX_WINDOWS]; /* how often code was unmapped from a window; when it was, so counted */
	uint64_t tick, last[MMU_MAX_WINDOWS]; /* when it was selected */
	struct exit_link *links[MMU_MAX_WINDOWS];
};

struct tc {
	uint8_t *rx, *rw; /* the code, executable and writable view */
	uint32_t size, stub_end;
	/* TC offset of the jump table's miss in 64-bit code, whose tables count from there. */
	uint32_t long_call;		/* what calls of the monitor that do not return share */
	uint32_t long_miss, long_start; /* LONG_START: its start, as those of fragments */
	int fd;
	struct zone zone;
	struct zone pin_zone; /* of pinned fragments: changes places with ZONE while one is made */
	uint8_t *arena;	      /* records of fragments */
	struct ccf **hash;
	struct page_info *pages; /* by PPN */
	struct ccf **order;	 /* all fragments by host address; the first NPINNED are the pinned ones */
	uint32_t norder, cap_order, npinned;
	ppn mixed[MAX_MIXED]; /* pages with page_info.mixed */
	unsigned nmixed;
	struct exit_link *cross; /* links that rest on mappings of supervisor code (cache/chain.c) */
	struct domains domains;
	struct pin pins[MAX_PINS];
	unsigned npins;
	bool flush_wanted;
	bool full; /* flush, because there is no more room */
};
#endif
