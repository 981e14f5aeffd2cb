/* SPDX-License-Identifier: GPL-3.0-or-later
 * Inside mm: one vCPU's view of memory. */
#ifndef MM_MM_INT_H
#define MM_MM_INT_H
#include "mm/nested.h"
#include "mm/vm.h"
#include "mm/watch.h"
#include "mm/window_int.h"
#include "x86/engine.h"

#define MAX_WINDOWS MMU_MAX_WINDOWS
#define MIN_WINDOWS 2	  /* reserved from the start: for the kernel and the user view of a root */
#define MAX_GUEST_WATCH 4 /* of the guest's own */
#define MAX_WATCH (64 + MAX_GUEST_WATCH)

/* One translation of the second dimension, for the pages around. */
struct nested_near {
	gpa base;
	uint64_t size; /* 0: none */
	struct nested_result r;
};

/* Where a table of the guest is, by the second dimension: a translation that walks use again, as a processor
 * caches guest-physical mappings. */
#define KEPT_TABLES 16
struct kept_table {
	gpa page, pa; /* PAGE: KEPT_NONE in an unused entry */
};
#define KEPT_NONE UINT64_MAX

#define MAX_SHARED 4   /* shared windows of a space */
#define ROOT_SLOTS 128 /* roots whose windows are remembered */

/* The windows that a root used last (window/root.c). */
struct root_slot {
	bool used;
	uint8_t space;
	uint32_t root;
	struct window *kwin; /* a shared window, or NULL */
	struct window *uwin; /* or NULL */
};

/* What windows are keyed by beside root and view: an address space of mm/nested.h. */
struct space {
	bool used;
	bool wp_clear; /* a window has pages that are writable because CR0.WP was clear */
	struct mmu_nested n;
	uint64_t lru;
	uint32_t root;		    /* of the last flush */
	uint64_t meaning;	    /* control bits as of the last global flush */
	struct window *kwin, *uwin; /* mmu.kwin and mmu.uwin while it is not the present one ... */
	struct window *long_kernel, *long_user; /* ... and those of long_state */
	struct window *shared[MAX_SHARED];
	unsigned nshared;
};

struct long_state;
struct mmu {
	struct mm_vm *vm;
	struct cpu *cpu;
	struct platform *plat;
	uint64_t pdptr[4]; /* PAE: loaded by mmu_load_pdptrs() */
	struct window win[MAX_WINDOWS];
	unsigned nwin;		    /* none from here on was ever used */
	bool crowded;		    /* the host has no address space for another window */
	struct window *cur;	    /* the window of the present mode */
	struct window *kwin, *uwin; /* of the present root; NULL until selected */
	uint64_t tick;
	int uffd; /* opens pages of lines; negative: none */
	struct watch {
		uint64_t at, len;
		uint8_t type;
	} watch[MAX_WATCH]; /* type: WATCH_* */
	unsigned nwatch, nwatch_off;
	struct engine_touch touch[MAX_TOUCHES]; /* of watchpoints, not taken yet */
	unsigned ntouch;
	uint8_t guest_hit;	/* the guest's own breakpoints that were hit, not taken yet */
	uint8_t user_quarters;	/* quarters of the 4 GiB where kernel code met user pages */
	struct long_state *lng; /* spaces of 64-bit code; NULL: none yet */
	struct space space[MMU_SPACES];
	struct root_slot roots[ROOT_SLOTS];
	uint32_t root_before; /* the root that was loaded before the present one */
	uint64_t apart;	      /* bit N: window N is one of struct window.apart */
	struct space *sp;     /* the present one */
	uint8_t here;	      /* its index */
	bool nested;	      /* it has a second dimension */
	/* During a fill or a comparison: what translate() last said, of pages and of tables; calls of it that
	 * may be made for neighbours. */
	struct nested_near near[2];
	unsigned asks;
	struct kept_table kept[KEPT_TABLES]; /* by the low bits of the page */
	uint8_t kept_by;		     /* the space that they are of; 0: none */
	uint64_t tables[64]; /* two dimensions: a bit for each guest table in use, by hash; never cleared */
	struct churn churn[CHURN_SLOTS];
	/* The page of device memory accessed last, until the guest's next flush: DEVICE_KEY() of its
	 * linear page and the kind of access (0: none), and its physical address. */
	uint64_t device_key;
	gpa device_pa;
	gva device_lin; /* of the access that the platform is asked for */
	/* Reads and writes of a page of memory that is not mapped, by hash: its DEVICE_KEY(), their number.
	 */
	struct walked {
		uint64_t key;
		uint32_t n;
	} walked[16];
	bool windows_behind; /* no 4 GiB window has been used since flush_windows() (window/long_sync.c) */
	bool bypass_all;
	struct mmu_stats st;
};

#define DEVICE_KEY(lin, how) ((gva)(lin) >> PAGE_SHIFT << 4 | 8 | ((how) & (MM_WRITE | MM_USER)))
/* Invalidate what was derived from the selected windows, here and in the engine. */
void mmu_reselect(struct mmu *m);

/* Read the directory entry that covers LIN from the present root. False: its upper level is absent
 * or outside RAM. *AT: where it is. Two dimensions: after nested_begin(). */
bool mmu_walk_directory(struct mmu *m, gva lin, uint64_t *pde, gpa *at);
/* IA-32e mode: likewise the entry above it. */
bool mmu_walk_upper(struct mmu *m, gva lin, bool blind, uint64_t *pdpte);

/* Raise what W, the walk of LIN, ended in: #PF, or an exit. Returns -1. */
int walk_raise(struct mmu *m, gva lin, const struct walk *w);

/* Types of the watchpoints on linear page PAGE, which maps P: WATCH_READ, WATCH_WRITE, both. */
unsigned watch_bits(const struct mmu *m, uint64_t page, ppn p);
/* Note which of them an access to [AT, AT+N) hits. PHYSICAL: 0, or WATCH_PHYSICAL. */
void watch_check(struct mmu *m, uint64_t at, unsigned n, bool write, unsigned physical);

/* The VM gets pages beyond 4 GiB. False: no address space for what windows note of them. */
bool mmu_grow(struct mmu *m);
void win_drop_all(struct mmu *m, struct window *w);
/* Make the mapping of VPN read-only. False: the host refused, and WIN was emptied. */
bool win_write_protect(struct mmu *m, unsigned win, vpn32 vpn);
/* Page table P is not written unless mm_untrace_table() is called before, which says so (window/quiet.c). */
void mm_trace_table(struct mm_vm *vm, ppn p);
void mm_untrace_table(struct mm_vm *vm, ppn p);
void quiet_written(struct mmu *m, ppn p);
#endif
