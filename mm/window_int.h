/* SPDX-License-Identifier: GPL-3.0-or-later
 * Inside mm: one shadow window. */
#ifndef MM_WINDOW_H
#define MM_WINDOW_H
#include "base/types.h"

/* Shadow entry of one VPN in a window: PPN in the upper 20 bits. */
enum {
	SH_P = 1 << 0,	  /* mapped in the host */
	SH_W = 1 << 1,	  /* mapped writable */
	SH_U = 1 << 2,	  /* guest: user page */
	SH_G = 1 << 3,	  /* guest: global */
	SH_NX = 1 << 4,	  /* guest: no execute */
	SH_CODE = 1 << 5, /* the engine fetched code here: jump tables may name it */
	SH_WOK = 1 << 6,  /* guest allows writing and D is set: only a trace forbids it */
	SH_LINE = 1 << 8, /* the host has a line's mapping here, of this PPN (window/line.c) */
	SH_IN = 1 << 7,	  /* the translation is known, as in a TLB. Without SH_P: no host mapping */
	/* Soft page (window/soft.c): prechecked accesses may read, or write, it in its home slot. */
	SH_SR = 1 << 9,
	SH_SW = 1 << 10,
	SH_SOFT = SH_SR | SH_SW,
};

/* The range of one page-directory entry (4 MiB, or 2 MiB with PAE). */
struct region {
	uint64_t pde;	/* at the fill or the last sync */
	gpa pt_at;	/* physical address of the page table, when not a large page */
	uint32_t known; /* VPNs with SH_IN */
	/* Shared window: of these, pages that are not global, and of those the supervisor's. */
	uint32_t local, local_super;
	bool large, lined; /* lined: lines were begun here */
	bool idle;
	uint64_t lines; /* 64-byte lines of the page table with entries in use; SNAP holds these alone */
	gpa first;	/* two dimensions, a large page: guest-physical address of the region's first page */
	uint8_t snap[PAGE_SIZE] __attribute__((aligned(64))); /* the page table then */
};

#define PEND_MAX 64
#define WIN_PAGES (1u << 20)
#define WIN_BYTES (1ull << 32)
#define WIN_REGIONS 2048

/* Lists of a window, in one mapping of their own. */
struct win_lists {
	uint16_t active[2048];
	vpn32 pend[PEND_MAX];
	uint64_t local[WIN_REGIONS / 64];
};

#define WP_MAX 31
enum win_view { WIN_FLAT, WIN_KERNEL, WIN_USER };

struct long_space;
struct window {
	uint8_t
	    *base; /* 4 GiB aligned. A region of a space that is not regular: NULL, and nothing is mapped */
	gva lin;   /* guest address of BASE: 0, or a region's of a space (mm/long.h) */
	struct long_space *of; /* a region: its space. A space's number: the space */
	uint8_t face;	       /* a region: which displacement of its space it has */
	uint8_t
	    *high; /* bits 27:20 of the PPNs of shadow entries, where the VM has as many pages; else NULL */
	uint32_t *shadow; /* WIN_PAGES entries, lazily backed */
	struct win_lists *lists;
	struct region **regions; /* WIN_REGIONS pointers */
	uint16_t *active;	 /* indices of regions that exist */
	unsigned nactive;
	unsigned nidle; /* behind those: regions that have no pages, and are none of the active ones */
	uint16_t id;	/* in the reverse map; below MAX_WINDOWS also for the engine */
	bool lined;	/* lines were begun since it was emptied */
	bool used, pae, shared; /* shared: kernel view of many roots, CR4.PGE on (window/root.c) */
	bool apart; /* shared, but not the first of its space: no links between pages rest on it */
	enum win_view view;
	uint32_t root;
	uint64_t top[4]; /* user view, PAE: PDPTEs at the last sync */
	uint8_t space;	 /* index of its struct space */
	bool nested;	 /* that has a second dimension */
	bool outdated;	 /* what translate() said is to be compared at the next sync */
	uint64_t lru;
	bool need_sync;	 /* CR3 was loaded since the last sync */
	bool need_local; /* shared: the same, but global pages need no comparison */
	uint8_t early;	 /* times more that it is synchronized at the CR3 load (sync_early) */
	vpn32 *pend;	 /* VPNs invalidated and not synchronized yet */
	unsigned npend;
	uint64_t *local; /* shared window, a bit for each region: it may have pages that are not global */
	uint32_t local_words; /* a bit for each word of it that is not 0 */
	/* VPNs that became writable while CR0.WP was clear. More than WP_MAX: all pages count. */
	vpn32 wp_clear[WP_MAX];
	unsigned nwp_clear;
	int64_t maps;	 /* host mappings, estimated: from above, exact after a recount */
	uint64_t known;	 /* pages with SH_IN */
	uint64_t mapped; /* of these, mapped in the host */
	uint64_t fills, syncs, drops, prots;
};

/* A page whose mappings keep being dropped (window/bypass.c). */
struct churn {
	uint32_t key;	       /* window and VPN, bit 31 set; 0: free */
	uint32_t entry, epoch; /* page-table entry, and number of CR3 loads, at the last bypass */
	uint8_t drops, bypasses;
};
#define CHURN_SLOTS 1024
#endif
