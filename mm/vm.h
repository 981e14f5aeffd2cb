/* SPDX-License-Identifier: GPL-3.0-or-later
 * Inside mm: one guest's physical memory. The pmap says for each PPN what it is and which
 * machine page it is on. Every access resolves its PPN here, each time: a page may move
 * between two guest instructions (mm/move.c), so a pointer into it is good for one access
 * and never kept. */
#ifndef MM_VM_H
#define MM_VM_H
#include "mm/mmu.h"
#include "mm/pages.h"
#include "mm/pool.h"
#include "mm/vm_parts.h"

#define NPPN VM_PPNS
_Static_assert(NPPN == MMU_PPNS && (uint64_t)NPPN << PAGE_SHIFT == MM_SWAP_BYTES, "what others count on");
#define CHUNK_SHIFT 10 /* of PPNs */
struct mm_vm {
	struct mm_pool *pool;
	struct mm_slot *slot;	 /* in the pool */
	unsigned inside;	 /* vm_enter() is nested as deep */
	bool orphan;		 /* the host of the pool has ended */
	int fd;			 /* home slots: PPN P is at P << PAGE_SHIFT */
	uint8_t *home;		 /* the monitor's mapping of them */
	int pmap_fd;		 /* the file that the pmap is in, for the host */
	struct pmap_entry *pmap; /* NPPN entries */
	uint32_t nppn;
	uint64_t
	    chunks[(NPPN >> CHUNK_SHIFT) / 64]; /* chunks of PPNs that have memory: the rest is not read */
	uint32_t
	    low; /* PPNs below are RAM or ROM, but for devices' below 4 GiB: where victims are looked for */
	struct vm_swap swap;
	struct vm_scan scan;
	struct mm_counts n;
	struct vm_sample sample;
	struct vm_access access; /* the one that is being resolved */
	struct rmap_node *rmap;
	uint32_t rmap_cap, rmap_next, rmap_free, rmap_used;
	struct mm_hooks hooks;
	struct mmu *mmu;					       /* the one vCPU's; NULL: none yet */
	void (*note)(void *ctx, enum mm_event e, ppn p, uint64_t val); /* of mm_watch_pages() */
	void *note_ctx;
	enum mm_failure failure;    /* the first */
	uint64_t moves;		    /* pages that changed their machine page */
	uint64_t random;	    /* state of vm_random() */
	struct vm_changed *changed; /* for the mirror (mm/mirror.h); NULL: there is none */
	uint32_t layouts;	    /* times that memory was added or hidden */
	uint64_t rom_writes;	    /* by the guest, dropped */
	gpa rom_write;		    /* address of the last */
};

/* ---- changing what the VMs of a pool share (mm/block.h) ---- */

void vm_enter_slowly(struct mm_vm *vm);
/* Begin and end a change of the block, of the pmap or of frames. May be nested. What is inside waits for
 * nothing. Also in a fault handler. */
static inline void vm_enter(struct mm_vm *vm)
{
	if (vm->inside++)
		return;
	atomic_exchange(&vm->slot->inside, 1); /* a full fence: the host sees this, or we see its hold */
	if (__builtin_expect(atomic_load(&vm->pool->block->hold), 0))
		vm_enter_slowly(vm);
}

static inline void vm_leave(struct mm_vm *vm)
{
	if (!--vm->inside)
		atomic_store_explicit(&vm->slot->inside, 0, memory_order_release);
}

/* Charge N machine pages for VM's home slots. False, and nothing charged: there are not as many. */
bool vm_charge(struct mm_vm *vm, uint32_t n);
void vm_credit(struct mm_vm *vm, uint32_t n);
/* May VM have pages on frames? Not before the host knows its pmap. */
bool vm_may_share(const struct mm_vm *vm);
unsigned vm_slot_number(const struct mm_vm *vm);

/* ---- where a page is ---- */

/* The first PPN at or after P that may be memory; NPPN: there is none. */
static inline uint64_t vm_next_ram(const struct mm_vm *vm, uint64_t p)
{
	for (; p < vm->nppn; p = ((p >> CHUNK_SHIFT) + 1) << CHUNK_SHIFT)
		if (vm->chunks[p >> CHUNK_SHIFT >> 6] >> (p >> CHUNK_SHIFT & 63) & 1)
			break;
	return p;
}

static inline bool ppn_ram(const struct mm_vm *vm, uint64_t p)
{
	return p < vm->nppn && vm->pmap[p].kind != PAGE_NONE && vm->pmap[p].kind != PAGE_HIDDEN;
}

/* The same with hidden pages: those in the books. */
static inline bool ppn_memory(const struct mm_vm *vm, uint64_t p)
{
	return p < vm->nppn && vm->pmap[p].kind != PAGE_NONE;
}

/* The file and offset of machine page M of VM, for mapping it. */
struct page_place {
	int fd;
	int64_t offset;
};
static inline struct page_place page_place(const struct mm_vm *vm, mpn m)
{
	if (m & MPN_AWAY)
		return (struct page_place){ vm->pool->fd, (int64_t)(m & MPN_INDEX) << PAGE_SHIFT };
	return (struct page_place){ vm->fd, (int64_t)m << PAGE_SHIFT };
}

/* Does machine page B follow A where they are kept, so that one mapping can span both? */
static inline bool mpn_follows(mpn a, mpn b)
{
	return b == a + 1 && mpn_in_memory(b);
}

static inline enum page_state page_state(const struct mm_vm *vm, ppn p)
{
	return mpn_state(vm->pmap[p].mpn);
}

/* The bytes of a page that is not at home. */
const uint8_t *page_elsewhere(struct mm_vm *vm, ppn p);

/* The bytes of P (RAM or ROM) for reading, now, whatever its state, which stays. A page that is swapped
 * out is read into one of a few pages in turn. */
static inline const uint8_t *page_read(struct mm_vm *vm, ppn p)
{
	mpn m = vm->pmap[p].mpn;

	if (__builtin_expect(m & MPN_AWAY, 0))
		return page_elsewhere(vm, p);
	return vm->home + ((uint64_t)m << PAGE_SHIFT);
}

/* P is elsewhere now, or its rights are others. */
static inline void vm_page_changed(struct mm_vm *vm, ppn p)
{
	struct vm_changed *c = vm->changed;

	if (__builtin_expect(!c, 1))
		return;
	c->page[p / 64] |= 1ull << p % 64;
	c->word[p / 64 / 64] |= 1ull << (p / 64) % 64;
	c->any = true;
}

/* ---- who may write it (mm/write.c) ---- */

enum page_writer {
	WRITE_BY_GUEST,	   /* an instruction, or the processor on its behalf */
	WRITE_BY_OPERATOR, /* a loader or the debugger: ROM too */
};
enum page_write {
	PAGE_WRITE_OK,
	PAGE_WRITE_NONE,    /* no memory there */
	PAGE_WRITE_ROM,	    /* ignored */
	PAGE_WRITE_CODE,    /* translated code must go first (hooks.code_write) */
	PAGE_WRITE_SHARED,  /* copy on write: the page must come home first */
	PAGE_WRITE_ABSENT,  /* likewise; it is to be charged */
	PAGE_WRITE_SWAPPED, /* likewise; it is to be read back */
};
/* The one place that says whether P may be written as it is now. */
enum page_write page_write_check(const struct mm_vm *vm, ppn p, enum page_writer by);
/* Prepare P for a write of N bytes at OFF of the page: what was translated from it goes, and
 * it comes home. Returns the page's bytes, good for this write; NULL when the write is to be
 * ignored, or cannot be made (then vm->failure is set). */
uint8_t *page_write(struct mm_vm *vm, ppn p, unsigned off, unsigned n, enum page_writer by);

/* LIN is accessed by the instruction at PC, or by the processor for it. */
static inline void note_access(struct mm_vm *vm, enum mm_writer by, gva lin, gva pc)
{
	vm->access = (struct vm_access){ (uint8_t)by, lin, pc };
}

/* ---- noticing accesses (mm/policy/sample.c) ---- */

void sample_touched(struct mm_vm *vm, ppn p);
/* The guest, or the machine on its behalf, accesses P: called where a page is resolved for that, not where a
 * mapping is used. */
static inline void page_touched(struct mm_vm *vm, ppn p)
{
	if (__builtin_expect(vm->pmap[p].sampled, 0))
		sample_touched(vm, p);
}

/* ---- moving it (mm/move.c) ---- */

/* Bring P to its home slot, from wherever it is: content copied or read back, mappings remade. When
 * machine memory is used up, others are swapped out for it. While a fault is being resolved (swap.no_wait)
 * nothing waits for I/O: false then, with P in swap.wanted. False too when there is no memory. */
bool page_bring_home(struct mm_vm *vm, ppn p);
/* P could not come home: a failure of the host's, unless it is only wanted. */
void page_refused(struct mm_vm *vm);
/* Move P to machine page TO: its home, or a frame of which the caller's reference goes to P.
 * A frame that others are on too must hold what P holds. False, and nothing changed, when it does
 * not, when P has no content to move, or when there is no machine memory. */
bool page_move(struct mm_vm *vm, ppn p, mpn to);
/* Give P's machine page back; its next touch finds zeros. */
void page_release(struct mm_vm *vm, ppn p);
/* Likewise, because the guest's balloon has P. */
void page_balloon(struct mm_vm *vm, ppn p);
/* The N pages from P on, which are RAM or ROM, lose their content: each is at TO from now on, MPN_NONE or
 * MPN_BALLOONED, where none of them is yet. What is adjacent goes in one host call. */
void pages_empty(struct mm_vm *vm, ppn p, uint32_t n, mpn to);
/* Note that P is at TO. Inside. */
void page_set(struct mm_vm *vm, ppn p, mpn to);
/* P, whose mappings go, is at TO from now on, which holds the same bytes. */
void page_put(struct mm_vm *vm, ppn p, mpn to);

/* ---- swapping it (mm/policy/swap.c) ---- */

void swap_free(struct mm_vm *vm);
/* P is not in the file any more: give its place there back. */
void swap_clean(struct mm_vm *vm, ppn p);
/* Charge a machine page for P, for which others may be swapped out. */
bool swap_charge(struct mm_vm *vm, ppn p);
/* Read P, which is swapped out, into its home slot, which is charged. */
bool swap_read_home(struct mm_vm *vm, ppn p);
/* Copy N bytes at OFF of P, which is swapped out. False, and zeros: the file cannot be read. */
bool swap_read(struct mm_vm *vm, ppn p, unsigned off, void *buf, size_t n);
const uint8_t *swap_peek(struct mm_vm *vm, ppn p);

/* ---- reverse map (mm/rmap.c) ---- */

/* Can N more mappings be noted? */
bool rmap_room(const struct mm_vm *vm, uint32_t n);
/* Note that P is mapped at VPN of WIN. False: no room. */
bool rmap_add(struct mm_vm *vm, ppn p, unsigned win, vpn32 vpn);
void rmap_del(struct mm_vm *vm, ppn p, unsigned win, vpn32 vpn);
/* Make all mappings of P read-only. */
void rmap_write_protect(struct mm_vm *vm, ppn p);

/* A number below N, of VM's own sequence. */
uint32_t vm_random(struct mm_vm *vm, uint32_t n);

/* Note a failure of the host's and tell the engine, which stops before guest code runs on. */
void vm_fail(struct mm_vm *vm, enum mm_failure why);
#endif
