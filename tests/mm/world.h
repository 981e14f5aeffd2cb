/* SPDX-License-Identifier: GPL-3.0-or-later
 * A VM with one vCPU's mmu and page tables to play with, and the audit: everything that the
 * windows say about themselves, against the second walker and against what the kernel lets
 * the process read and write there. */
#ifndef TESTS_MM_WORLD_H
#define TESTS_MM_WORLD_H
#include "mm/mm_int.h"
#include "tests/mm/oracle.h"

enum {
	RAM_PAGES = 1024,
	ROM_FIRST = 900, /* the last of RAM are ROM */
	PA_ROOT = 0x1000,
	PA_TABLES = 0x2000, /* NTABLES page tables */
	NTABLES = 3,
	DATA_FIRST = 64, /* PPNs that the tables map */
	LIN_BASE = 0x00c00000,
	/* Directory entries used: NTABLES tables and one large page behind them. */
};

enum { GUEST_PAGES = 2048 };

/* A second dimension of the tests' own: no tables, an entry for each guest-physical page. */
struct second {
	uint16_t page[GUEST_PAGES];  /* the PPN it leads to */
	uint8_t rights[GUEST_PAGES]; /* NESTED_*; 0: none */
	bool flags;		     /* has accessed and dirty flags */
	bool accessed[GUEST_PAGES], dirty[GUEST_PAGES];
	unsigned shift; /* of its pages; PAGE runs on within one */
	unsigned asks, refusals, logs;
	gpa refused; /* the last that was; how, at which linear address */
	unsigned refused_how;
	gva refused_lin;
	bool hit; /* the second walker met a hole */
	/* A page that holds entries of the extension's; 0: none. */
	ppn waits_for;
	struct mmu *m;
};

struct world {
	struct mm_pool *pool; /* owned unless given */
	bool own_pool;
	struct mm_vm *vm;
	struct mmu *m;
	struct cpu cpu;
	struct platform plat;
	uint64_t seed;
	unsigned code_writes, failed;
	unsigned soft, turn;	  /* one access in SOFT (0: none) is made as prechecked code makes it */
	uint32_t *named;	  /* by window and K: 1 + the PPN that a jump table would have for it */
	struct second *second;	  /* the present one; NULL: one dimension */
	uint8_t model[RAM_PAGES]; /* the byte that each page is full of, by our own account */
};

/* POOL: borrowed; NULL: one of its own with EXTRA pages to spare. PAE or 32-bit. */
struct world *world_new(struct mm_pool *pool, unsigned extra, bool pae, uint64_t seed);
/* The same with a file to swap to: POOL may have fewer pages than the world. */
struct world *world_new_swapped(struct mm_pool *pool, unsigned extra, bool pae, uint64_t seed);
void world_free(struct world *w);
void world_no_lines(struct world *w); /* as where the host has no userfaultfd for us */
uint32_t world_rnd(struct world *w, uint32_t below);

/* Linear page K: of the NTABLES tables, then of the large page. */
unsigned world_pages(const struct world *w); /* how many K there are */
uint32_t world_lin(const struct world *w, unsigned k);
gpa world_entry_at(const struct world *w, unsigned k); /* the entry that maps K */
uint64_t world_entry(struct world *w, unsigned k);
void world_set_entry(struct world *w, unsigned k, uint64_t e); /* a store of the guest's */
struct oracle world_walk(struct world *w, uint32_t lin, unsigned how);

/* Every page leads to itself, with all rights. */
void second_init(struct second *s);
/* Enter the space of S under TAG and ASID; NULL: the host's. */
void world_enter(struct world *w, struct second *s, uint64_t tag, uint32_t asid);
/* Where the guest's A is. */
gpa world_pa(const struct world *w, gpa a);

/* An access of the guest to a byte of LIN as translated code makes it: filled until it is there,
 * then made in the window. False: a true fault, or not memory. Checks it against the model. */
bool world_read(struct world *w, uint32_t lin);
bool world_write(struct world *w, uint32_t lin, uint8_t v);
/* A fetch of code. False: a true fault, or not memory. */
bool world_fetch(struct world *w, uint32_t lin);

/* Can this process read, or write, a byte at P? */
bool can_read(const void *p);
bool can_write(void *p);

/* The host's own count of mappings inside W. */
unsigned kernel_maps(const struct window *w);

/* Every window against the kernel, the reverse map and the model; with TABLES also against the tables
 * (valid right after a global flush: before it, a window may lag as a TLB may). */
void world_audit(struct world *w, bool tables);
/* Nothing of the process but guest memory is in a window or the guard space around it, and no room for any.
 */
void world_audit_host(struct world *w);
#endif
