/* SPDX-License-Identifier: GPL-3.0-or-later
 * Shadow windows, for an engine. A window is a 4 GiB reservation of host address space in which
 * guest-linear address A is at BASE + A. Windows act as a TLB: they may lag behind changes of the
 * guest's tables until the guest flushes, and in no other way. Instead of tracing page-table pages,
 * a window keeps a copy of each table it was filled from, and compares at the guest's own flush
 * (docs/architecture.md has the figures). */
#ifndef MM_MMU_H
#define MM_MMU_H
#include "mm/mm.h"
#include "x86/engine.h"

enum { MMU_MAX_WINDOWS = 64 };
enum { MMU_PPNS = 1 << 24 }; /* above all PPNs that a guest can have */

/* What the host may refuse. */
enum mm_failure {
	MM_FAIL_NONE,
	MM_FAIL_MEMORY,	 /* no machine page left */
	MM_FAIL_SWAP,	 /* the swap file failed */
	MM_FAIL_MAPPING, /* mmap or mprotect failed although other mappings were given up */
	MM_FAIL_HOST,	 /* the host of the pool has ended */
};
const char *mm_failure_text(enum mm_failure why);

struct mm_hooks {
	void *ctx;
	/* A page with a code trace is about to be written, not by translated code: drop what
	 * was translated from it and call mm_untrace_code(). */
	void (*code_write)(void *ctx, ppn p, unsigned off, unsigned len);
	/* Look up the code of P at each next entry into it. */
	void (*code_revisit)(void *ctx, ppn p);
	/* A mapping from which code was looked up has gone from window WIN (below MMU_MAX_WINDOWS;
	 * all of it when VPN is UINT64_MAX). LINKED: links between pages may rest on it. */
	void (*code_unmap)(void *ctx, unsigned win, uint64_t vpn, bool linked);
	/* The results of mmu_select() and mmu_quarters() may have changed. */
	void (*reselect)(void *ctx);
	/* mmu_read() or mmu_write() hit a watchpoint. */
	void (*watch_hit)(void *ctx);
	/* The host refused memory or a mapping, as TEXT (static) says: stop before guest code
	 * runs on. May be called in the fault handler. */
	void (*failed)(void *ctx, const char *text);
};

struct mmu_stats {
	uint64_t fills, fill_pages, prefills, upgrades, bypasses, true_faults, mmio_faults, code_faults;
	uint64_t syncs, local_syncs, early_syncs, sync_diffs, drops, invlpgs, cr3_loads, global_flushes,
	    evictions, windows, lines, softs, refusals;
};

/* The view of VM's one vCPU. NULL: the VM has one already, or no memory or address space. */
struct mmu *mmu_new(struct mm_vm *vm, struct cpu *cpu, struct platform *plat);
void mmu_free(struct mmu *m);
void mm_set_hooks(struct mm_vm *vm, const struct mm_hooks *hooks);

/* Bring the window for the present mode (CR0, CR3, CR4, CPL) up to date and
 * return its base; *WIN its number. Cheap when nothing changed. */
uint8_t *mmu_select(struct mmu *m, unsigned *win);

/* A bit for each window, by number: translated code may not be linked from page to page in it. (There are
 * other windows in which kernel code runs, and the bits of all links are the same.) */
const uint64_t *mmu_apart(const struct mmu *m);

/* The place that holds the selected window. Until hooks.reselect, a window that mmu_select() chose
 * can be selected again by storing it there. */
struct window;
struct window **mmu_selected(struct mmu *m);

/* Must mmu_select() be called before guest code continues? (A flush happened.) */
bool mmu_stale(const struct mmu *m);

enum mmu_fill {
	FILL_OK,    /* mapped: retry the access */
	FILL_FAULT, /* true fault: vector says which, err holds the error code of #PF */
	FILL_MMIO,  /* not RAM (or a write to ROM); pa holds the address */
	FILL_CODE,  /* a write to a page with a code trace; pa holds the address */
	FILL_WAIT, /* a page that this takes is swapped out, or one must be for it: call mm_wait() outside the
		      fault handler, then retry */
	FILL_ERROR, /* the host refused memory or a mapping; hooks.failed was called */
};
/* Make present what the last FILL_WAIT lacked; waits for I/O. False: hooks.failed was called. */
bool mm_wait(struct mm_vm *vm);
struct mmu_fault {
	gva pc; /* set by the caller: linear address of the instruction, for `info cow` */
	uint32_t err;
	uint8_t vector; /* EXC_PF; EXC_EXIT: the second dimension refused (mm/nested.h) */
	gpa pa;
	bool was_soft;	  /* the page was a soft one: the code does not look at shadow entries */
	bool user_access; /* a user page was mapped into the shared kernel window, until the next CR3 load */
};
/* Resolve an access by translated code to LIN in the selected window.
 * Async-signal-safe: called from the fault handler. HOW: MM_WRITE or 0; with MMU_SOFT the code can access the
 * page in its home slot, so that no mapping is needed where the shadow entry then allows that. */
enum { MMU_SOFT = 1 << 8 };
enum mmu_fill mmu_fill(struct mmu *m, gva lin, unsigned how, struct mmu_fault *f);
/* Is HVA in the selected window, or in the guard space around it? */
enum mmu_where { MMU_ELSEWHERE, MMU_WINDOW, MMU_GUARD };
enum mmu_where mmu_where(const struct mmu *m, uint64_t hva, gva *lin);
/* Is HVA an address in the selected window or in the user window that has a page mapped? */
bool mmu_maps(const struct mmu *m, uint64_t hva);
/* An access to HVA was a SIGBUS. True: it is no miss, the host has no memory for a page that is mapped (or
 * soft); hooks.failed was called. */
bool mmu_bus_error(struct mmu *m, uint64_t hva);

/* Could [LIN, LIN+N) be written now? 0, or -1 with #PF raised. */
int mmu_check_write(struct mmu *m, gva lin, unsigned n, unsigned how);

/* The linear address of the access to a device that the platform is asked for now. */
gva mmu_device_lin(const struct mmu *m);

/* ---- kernel code that accesses user pages ----
 * The shared kernel window drops user pages at every CR3 load. Sites known to access them
 * (copy_to_user and the like) use the user window of the present root instead: they choose a
 * base by the address' quarter of the 4 GiB. QUARTER[] holds the kernel window's base or, for
 * quarters where user pages were seen, the user window's; GUARD while that window must be
 * synchronized first. */
void mmu_quarters(const struct mmu *m, uint64_t quarter[4], uint64_t guard);
void mmu_learn_quarter(struct mmu *m, gva lin);
bool mmu_in_user_window(const struct mmu *m, uint64_t hva, gva *lin);
/* Select and synchronize the user window of the present root. False: there is none. */
bool mmu_user_ready(struct mmu *m);
/* Resolve a supervisor access through the user window. FILL_MMIO: not possible there
 * (a supervisor page, device memory): run the instruction through the kernel window. */
enum mmu_fill mmu_fill_user(struct mmu *m, gva lin, unsigned how, struct mmu_fault *f);
/* The guest has handled a page fault at LIN and is about to retry: map the page if the guest's
 * tables map it now, without any side effect. PRECHECKS: the code calls mmu_bypass() first, so
 * pages whose mappings never last are left to that. SOFT: as MMU_SOFT. */
void mmu_prefill(struct mmu *m, gva lin, bool prechecks, bool soft);

/* For an access of N bytes at LIN that has no mapping (in the selected window; USER_ACCESS:
 * by kernel code, in the user window). When mappings of that page never last, set its accessed
 * and dirty bits and return its bytes for reading, good until the next guest instruction, and
 * in *PA its physical address. NULL: map it. */
const uint8_t *mmu_bypass(struct mmu *m, gva lin, unsigned n, unsigned how, bool user_access, gpa *pa);
/* Where the N bytes at PA, of mmu_bypass() for MM_WRITE, are to be written after the guest's
 * instruction. NULL: nowhere (hooks.failed was called). */
uint8_t *mmu_bypass_write(struct mmu *m, gpa pa, unsigned n);
/* Would it be bypassed? Rights are not checked. */
bool mmu_would_bypass(struct mmu *m, gva lin, unsigned n, unsigned how, bool user_access);
void mmu_bypass_all(struct mmu *m); /* for tests: of every page */

/* Shadow entries of the selected window, by VPN. In each, MMU_SHADOW_P and MMU_SHADOW_W say that
 * the page is mapped, and mapped writable. MMU_SHADOW_SR and MMU_SHADOW_SW: its bytes may be read, or
 * written, at mmu_home() + its PPN (the upper 20 bits of the entry) << 12. */
const uint32_t *mmu_shadow(const struct mmu *m);
/* The same by quarter of the 4 GiB, as mmu_quarters() chooses windows. NONE, all 0, takes the place
 * of the user window's while that must be synchronized first. */
void mmu_shadow_quarters(const struct mmu *m, uint64_t shadow[4], uint64_t none);
enum {
	MMU_SHADOW_P = 1,
	MMU_SHADOW_W = 2,
	MMU_SHADOW_SR = 1 << 9,
	MMU_SHADOW_SW = 1 << 10,
	MMU_SHADOW_BYTES = 4 << 20
};
/* Base of the guest's physical memory, 4 GiB followed by guard space: adding any 32-bit value and accessing
 * up to MMU_HOME_GUARD bytes there reaches nothing of the monitor's. */
uint64_t mmu_home(const struct mmu *m);
enum { MMU_HOME_GUARD = 1 << 20 };

/* The page that code at LIN is fetched from; marks it as used for code in the selected window.
 * Returns 0; -1 with #PF raised; 1 when it is not RAM. */
int mmu_code_page(struct mmu *m, gva lin, ppn *p);
/* The same for a page that is mapped. UINT32_MAX: it is not, call mmu_code_page(). */
ppn mmu_code_page_fast(struct mmu *m, gva lin);
/* The bytes of P, good until the next guest instruction. */
const uint8_t *mm_page_bytes(struct mm_vm *vm, ppn p);
/* Write-protect P everywhere, so that writes give FILL_CODE; and lift that. */
void mm_trace_code(struct mm_vm *vm, ppn p);
void mm_untrace_code(struct mm_vm *vm, ppn p);

/* For tests: move N pages of VM, most of them mapped ones, between their homes and shared frames.
 * Between two guest instructions only. */
void mm_move_some(struct mm_vm *vm, unsigned n);
/* Pages that have moved to another machine page so far, for any reason. */
uint64_t mm_moves(const struct mm_vm *vm);

const struct mmu_stats *mmu_stats(const struct mmu *m);
#endif
