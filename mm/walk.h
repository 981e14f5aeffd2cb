/* SPDX-License-Identifier: GPL-3.0-or-later
 * The page walk as the processor does it, over control registers and physical memory that the
 * caller hands in: it knows no vCPU, no window and no PPN. Modes are rows (struct walk_level_row),
 * one for each level. SDM vol. 3A ch. 4. */
#ifndef MM_WALK_H
#define MM_WALK_H
#include "base/types.h"

enum {
	MM_READ = 0,
	MM_WRITE = 1,
	MM_EXEC = 2,
	MM_USER = 4,  /* check as a user access; without it: supervisor */
	MM_PROBE = 8, /* debugger: no A/D updates, no permission checks, no exceptions */
};

/* What a walk depends on. */
struct paging {
	uint64_t cr0, cr3, cr4, efer;
	uint64_t pdptr[4]; /* PAE: as loaded with CR3 */
	gpa a20_mask;	   /* and'ed to every physical address */
	bool smap;	   /* the supervisor's data accesses to user pages are refused */
	unsigned maxphyaddr;
};

/* Physical memory. Addresses are those of entries: aligned, A20 applied. */
struct walk_memory {
	void *ctx;
	/* Load SIZE (4, 8) bytes. False: there is no memory. */
	bool (*load)(void *ctx, gpa at, unsigned size, uint64_t *entry);
	/* Set BITS of the low byte of an entry that was loaded. False: the walk ends, !ok with err 0. */
	bool (*set)(void *ctx, gpa at, uint8_t bits);
};

/* One level of a walk, as the `page` command shows it. */
struct walk_level {
	const char *name; /* "PML4E", "PDPTE", "PDE", "PTE" */
	gpa at;		  /* where the entry is */
	uint64_t entry;	  /* with the bits that the walk has set */
};

/* What a second dimension (mm/nested.h) adds: PA is physical then; NX and DIRTY are set as if the rights of
 * both dimensions were in the guest's tables. */
struct walk_second {
	bool on;
	bool exits;	/* the second dimension refused the access, or that of a table: !ok, err 0 */
	bool readable;	/* allowed there, with its accessed flag set */
	uint8_t rights; /* NESTED_* */
	uint8_t shift;	/* log2 of the size of its page */
	gpa guest;	/* guest-physical address: of the access, or of the table that was refused */
	gpa table;	/* physical address of the table of the last level */
};

struct walk {
	bool ok;				/* translation exists and is permitted */
	gpa pa;					/* full physical address */
	unsigned page_shift;			/* 12, 21, 22 or 30 (32 when paging is off) */
	bool user, writable, global, nx, dirty; /* combined rights along the walk */
	uint32_t err;				/* page-fault error code when !ok */
	unsigned nlevels;
	struct walk_level level[4];
	struct walk_second second; /* of mmu_walk() */
};

/* Walk for an access to LIN; how = MM_* bits. Sets accessed and dirty bits as the processor
 * would, unless MM_PROBE. Four levels with EFER.LMA: LIN is canonical, which is the caller's to check;
 * without it bits 31:0 count. */
void walk_linear(const struct paging *pg, const struct walk_memory *mem, gva lin, unsigned how,
		 struct walk *w);

/* Read the entry of the last level but one (the PDE) that covers LIN, or the one above that maps a page of 1
 * GiB; *AT: where it is. With four levels what it says of rights, and whether it was accessed, is what it and
 * the entries above it say together: a mapping that was made from it is still right if this value is the
 * same. False: an upper level is absent, not in memory, or has reserved bits set. */
bool walk_directory(const struct paging *pg, const struct walk_memory *mem, gva lin, uint64_t *pde, gpa *at);

/* Four levels: the entry above the directory of LIN, likewise with the rights of the one above it. False:
 * absent, not in memory, or has reserved bits set. BLIND: that one's NX does not count. */
bool walk_upper(const struct paging *pg, const struct walk_memory *mem, gva lin, bool blind, uint64_t *pdpte);
/* What entry E says together with those above it, of which ABOVE is what they say. */
static inline uint64_t walk_combine(uint64_t above, uint64_t e)
{
	const uint64_t both = 1 << 1 | 1 << 2 | 1 << 5; /* PTE_W, PTE_U, PTE_A */

	return (e & (above | ~both)) | (above & 1ull << 63);
}

/* PAE: read the four PDPTEs of CR3 into PDPTR. False, and nothing changed: reserved bits. */
bool walk_load_pdptrs(const struct paging *pg, const struct walk_memory *mem, uint64_t cr3,
		      uint64_t pdptr[4]);
#endif
