/* SPDX-License-Identifier: GPL-3.0-or-later
 * Inside mm: the pool, the pmap, the shadow windows and their bookkeeping. */
#ifndef MM_MM_INT_H
#define MM_MM_INT_H
#include "mm/mmu.h"
#include "x86/engine.h"

struct mm_pool {
	int fd;	       /* the memfd that backs machine memory */
	uint8_t *base; /* the monitor's own mapping of all of it */
	uint32_t npages, nfree;
	mpn next;	/* first MPN never handed out */
	mpn *free_list; /* returned pages */
};

enum page_kind { PAGE_NONE, PAGE_RAM, PAGE_ROM };

/* One PPN's entry in the pmap. */
struct pmap_entry {
	mpn mpn;
	uint32_t rmap; /* index of the first reverse-map node, 0: none */
	uint8_t kind;  /* enum page_kind */
	uint8_t code;  /* code trace: translated code was made from this page */
};

/* Reverse map node: PPN is mapped at VPN of window WIN. */
struct rmap_node {
	uint32_t next;
	uint32_t vpn : 20, win : 12;
};

struct mm_vm {
	struct mm_pool *pool;
	struct pmap_entry *pmap; /* NPPN entries */
	uint32_t nppn;
	struct rmap_node *rmap;
	uint32_t rmap_cap, rmap_next, rmap_free;
	struct mm_hooks hooks;
	struct mmu *mmu;
};

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
	uint64_t maps, mapped; /* host mmap calls (estimate of VMAs), pages mapped now */
	uint64_t fills, syncs, drops, prots;
};

#define MAX_WINDOWS 64
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

/* Guest page-table access by physical address; false when there is no RAM. */
static inline uint8_t *pool_page(const struct mm_vm *vm, ppn p)
{
	return vm->pool->base + ((uint64_t)vm->pmap[p].mpn << PAGE_SHIFT);
}

static inline bool ppn_ram(const struct mm_vm *vm, uint64_t p)
{
	return p < vm->nppn && vm->pmap[p].kind != PAGE_NONE;
}

mpn mm_pool_alloc(struct mm_pool *p); /* UINT32_MAX when exhausted */

uint32_t rmap_add(struct mm_vm *vm, ppn p, unsigned win, uint32_t vpn);
void rmap_del(struct mm_vm *vm, ppn p, unsigned win, uint32_t vpn);

/* Read the PDE that covers LIN from the present root. False: its upper level is
 * absent or outside RAM. *AT: where it is. */
bool walk_pde(struct mmu *m, uint32_t lin, uint64_t *pde, uint64_t *at);

/* Types of the watchpoints on page VPN, which is P of physical memory, or'ed (WATCH_READ, WATCH_WRITE). */
unsigned watch_bits(const struct mmu *m, uint32_t vpn, ppn p);
/* Note which of them [AT, AT+N), linear or PHYSICAL (WATCH_PHYSICAL), touches. */
void watch_check(struct mmu *m, uint64_t at, unsigned n, bool write, unsigned physical);

void win_drop_all(struct mmu *m, struct window *w);
void win_write_protect(struct mmu *m, unsigned win, uint32_t vpn);
#endif
