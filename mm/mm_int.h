/* SPDX-License-Identifier: GPL-3.0-or-later
 * Inside mm: one vCPU's view of memory, the shadow windows and their bookkeeping. */
#ifndef MM_MM_INT_H
#define MM_MM_INT_H
#include "mm/vm.h"
#include "x86/engine.h"

/* Shadow entry of one VPN in a window: PPN in the upper 20 bits. */
enum {
	SH_P = 1 << 0,	  /* mapped in the host */
	SH_W = 1 << 1,	  /* mapped writable */
	SH_U = 1 << 2,	  /* guest: user page */
	SH_G = 1 << 3,	  /* guest: global */
	SH_NX = 1 << 4,	  /* guest: no execute */
	SH_CODE = 1 << 5, /* the engine has looked code up here (jump tables may name it) */
	SH_WOK = 1 << 6,  /* guest allows writing and D is set: only a trace forbids it */
};

/* Bookkeeping of one page-directory entry's reach (4 MiB, or 2 MiB with PAE). */
struct region {
	uint64_t pde;	 /* as of the fill or the last sync */
	uint64_t pt_at;	 /* address of the page table, when not a large page */
	uint32_t mapped; /* VPNs mapped */
	bool large;
	uint8_t snap[PAGE_SIZE] __attribute__((aligned(8))); /* the page table as of then */
};

#define PEND_MAX 64
#define LOCAL_MAX 4096

/* Lists of a window, in one mapping of their own. */
struct win_lists {
	uint16_t active[2048];
	uint32_t pend[PEND_MAX], local[LOCAL_MAX];
};

#define WIN_PAGES (1u << 20)
#define WIN_BYTES (1ull << 32)
#define WIN_REGIONS 2048

enum win_view { WIN_FLAT, WIN_KERNEL, WIN_USER };

struct window {
	uint8_t *base;	  /* 4 GiB aligned */
	uint32_t *shadow; /* WIN_PAGES entries, lazily backed */
	struct win_lists *lists;
	struct region **regions; /* WIN_REGIONS pointers */
	uint16_t *active;	 /* indices of regions that exist */
	unsigned nactive;
	uint16_t id;
	bool used, pae, shared; /* shared: kernel view of all roots, CR4.PGE on */
	enum win_view view;
	uint32_t root;
	uint64_t lru;
	bool need_sync; /* CR3 was loaded since the last sync */
	uint32_t *pend; /* VPNs invalidated and not yet looked at */
	unsigned npend;
	uint32_t *local; /* shared window: VPNs to drop at the next CR3 load */
	unsigned nlocal;
	int64_t maps;	 /* host mappings, estimated: from above, exact after a recount */
	uint64_t mapped; /* pages mapped now */
	uint64_t fills, syncs, drops, prots;
};

#define MAX_WINDOWS MMU_MAX_WINDOWS
#define MIN_WINDOWS 2	  /* reserved from the start: for the kernel and the user view of a root */
#define MAX_GUEST_WATCH 4 /* of the guest's own */
#define MAX_WATCH (64 + MAX_GUEST_WATCH)

/* A page whose mappings keep being dropped (window/bypass.c). */
struct churn {
	uint32_t key;	       /* window and VPN, bit 31 set; 0: free */
	uint32_t entry, epoch; /* page-table entry, and CR3 loads, when last passed */
	uint8_t drops, bypasses;
};
#define CHURN_SLOTS 1024

struct mmu {
	struct mm_vm *vm;
	struct cpu *cpu;
	struct platform *plat;
	uint64_t pdptr[4]; /* PAE: loaded by mmu_load_pdptrs() */
	struct window win[MAX_WINDOWS];
	struct window *cur;	    /* the window of the present mode */
	struct window *kwin, *uwin; /* of the present root; NULL until wanted */
	uint64_t tick;
	struct watch {
		uint64_t at, len;
		uint8_t type;
	} watch[MAX_WATCH]; /* type: WATCH_* */
	unsigned nwatch, nwatch_off;
	struct engine_touch touch[MAX_TOUCHES]; /* of watchpoints, not taken yet */
	unsigned ntouch;
	uint8_t guest_hit;     /* the guest's own, likewise */
	uint8_t user_quarters; /* quarters of the 4 GiB where kernel code met user pages */
	uint64_t meaning;      /* control bits as of the last global flush */
	struct churn churn[CHURN_SLOTS];
	/* The page of device memory that was reached last, until the guest's next flush: DEVICE_KEY() of its
	 * linear page and the kind of access (0: none), and its physical address. */
	uint32_t device_key;
	gpa device_pa;
	bool bypass_all;
	struct mmu_stats st;
};

#define DEVICE_KEY(lin, how) ((uint32_t)(lin) >> PAGE_SHIFT << 4 | 8 | ((how) & (MM_WRITE | MM_USER)))
/* What mmu_select() and mmu_quarters() say, or a translation that was remembered, may be no longer true. */
void mmu_reselect(struct mmu *m);

/* Read the directory entry that covers LIN from the present root. False: its upper level is absent
 * or outside RAM. *AT: where it is. */
bool mmu_walk_directory(struct mmu *m, gva lin, uint64_t *pde, gpa *at);

/* Types of the watchpoints on page VPN, which is P of physical memory, or'ed (WATCH_READ, WATCH_WRITE). */
unsigned watch_bits(const struct mmu *m, uint32_t vpn, ppn p);
/* Note which of them [AT, AT+N), linear or PHYSICAL (WATCH_PHYSICAL), touches. */
void watch_check(struct mmu *m, uint64_t at, unsigned n, bool write, unsigned physical);

void win_drop_all(struct mmu *m, struct window *w);
/* Make the mapping of VPN read-only. False: the host refused, and WIN was emptied. */
bool win_write_protect(struct mmu *m, unsigned win, uint32_t vpn);
#endif
