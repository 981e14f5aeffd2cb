/* SPDX-License-Identifier: GPL-3.0-or-later
 * Inside mm/window: spaces (mm/long.h). A space is a set of regions, each a struct window of four-level
 * tables at LIN; it has a number of its own among the windows, whose struct window says no more than that. */
#ifndef MM_WINDOW_LONG_H
#define MM_WINDOW_LONG_H
#include "mm/long.h"
#include "mm/window/region.h"

enum {
	LONG_SPACES = 40,    /* at once */
	LONG_KERNELS = 4,    /* of these, kernel spaces at most */
	LONG_MANY = 6,	     /* regions of a space, of which empty ones go at the next comparison */
	LONG_EARLY = 8,	     /* so many have room before the guest maps something there */
	LONG_EACH = 256,     /* regions of a space */
	LONG_REGIONS = 1024, /* of all */
	LONG_HALF = 1 << 15, /* of the host's addresses that user code has, in regions */
	LONG_GUARD = 9,	     /* regions of nothing around a region: 36 GiB */
	LONG_SLOTS = 64,     /* roots whose spaces are remembered */
	LONG_USES = 256,     /* soft pages whose accesses are counted */
};
#define LONG_LIN_SLOTS (1u << 16)

/* A root of a user space, and its PCID when it was loaded last. */
#define LONG_NO_PCID 0x1000
struct long_root {
	bool used;
	uint16_t pcid;
	uint32_t root;
};

/* What has a displacement: the space, or the lower part of a user space where none serves all of it: programs
 * that are not position independent have their text and data low, and the stack high. */
enum { FACE_OWN, FACE_LOW, FACES };
#define LONG_LOW_BITS 46 /* of the addresses of the lower part */

struct long_face {
	struct mmu_long m;
	struct long_state *all;
	bool planned;  /* D is chosen and VT reserved */
	uint8_t owner; /* of host regions */
};

/* Write-protected page tables (window/quiet.c). */
enum { QUIET_TABLES = 128 };
struct long_quiet {
	bool on;       /* none was written since, and they are all that the space's pages were filled from */
	bool whole;    /* global pages were compared, too */
	uint16_t calm; /* comparisons in a row that found nothing */
	uint16_t wanted; /* so many, and tables are protected; 0: a first value */
	uint16_t n;
	ppn table[QUIET_TABLES];
};

struct long_space {
	struct long_face face[FACES];
	struct window *number; /* NULL: the space is not used */
	struct long_state *all;
	bool user, apart;
	bool high;	   /* a user space with pages in the upper half: of a kernel that runs in ring 3 */
	bool need_sync;	   /* all of it is to be compared before it is used */
	bool need_local;   /* likewise what is not global */
	bool pending;	   /* some regions are to be */
	bool blind;	   /* a user space that was compared for kernel code: see win_blind() */
	uint8_t space;	   /* index of its struct space */
	uint16_t misfits;  /* times that D had no room for a region, since it was chosen */
	uint16_t patience; /* so many, and another D is looked for; 0: none was chosen yet */
	unsigned nregions;
	struct long_root
	    root[2]; /* user space: of the process, and its other one if page tables are isolated */
	struct long_quiet quiet;
	uint64_t lru;
	uint16_t *region_of; /* by bits 47:32 of an address: 1 + index of its region; 0: none */
	uint16_t region[LONG_EACH];
};

/* The spaces that a root used last. A root that comes with two PCIDs in turn, and different tables each time
 * (Xen copies the guest's PML4 table to one page of its own), has a user space for each. */
enum { LONG_TURNS = 4 };
struct long_slot {
	bool used;
	uint8_t space;
	uint8_t turns;	       /* times that it came with the PCID before the last; up to LONG_TURNS */
	uint16_t pcid, before; /* of the last user space, and the one before */
	uint32_t root;
	struct long_space *kernel, *user; /* or NULL */
};

/* How often a soft page was asked for. */
struct long_use {
	uint64_t page;
	unsigned n;
};

struct long_state {
	struct window *kernel, *user; /* numbers of the present root's spaces; NULL until selected */
	unsigned nregions;	      /* none from here on was ever used */
	struct long_space space[LONG_SPACES];
	struct long_slot slot[LONG_SLOTS];
	uint8_t owner[LONG_HALF]; /* of host regions: the face that has reserved it; 0: none */
	struct long_use use[LONG_USES];
	struct window region[LONG_REGIONS];
};

/* ---- window/long_root.c ---- */
/* Bits of PML4 entries that the two roots of a process agree in. */
#define TOP_SAME (~(PTE_NX | PTE_A | PTE_D))
struct long_space *long_kernel(struct mmu *m); /* of the present root; NULL: no room */
struct long_space *long_user(struct mmu *m);
/* What SP knows of ROOT; NULL: it is none of its roots. */
struct long_root *long_root_in(struct long_space *sp, uint32_t root);
static inline uint16_t long_pcid(const struct mmu *m)
{
	return m->cpu->cr4 & CR4_PCIDE ? m->cpu->cr3 & 0xfff : 0;
}
bool long_is_high(const struct long_space *sp); /* is the kernel in the upper half? */

/* ---- window/long.c ---- */
struct long_space *long_make(struct mmu *m, bool user); /* for the present root; NULL: no room */
void long_release(struct mmu *m, struct long_space *sp);
/* Release a user space that is not in use, the oldest, but not KEEP. False: there is none. */
bool long_evict(struct mmu *m, const struct long_space *keep);
void long_region_drop(struct mmu *m, struct window *w);
/* The PML4 entry of LIN under the present root; 0: none. */
uint64_t long_top(struct mmu *m, gva lin);
/* The entries of the table that entry E leads to; NULL: not in memory. */
const uint64_t *long_table(struct mmu *m, uint64_t e);
/* Does the guest map anything in the region of LIN? */
bool long_maps(struct mmu *m, gva lin);
static inline unsigned long_index(const struct long_space *sp)
{
	return (unsigned)(sp - sp->all->space);
}
static inline unsigned long_face_of(const struct long_space *sp, gva lin)
{
	return sp->user && !(lin >> LONG_LOW_BITS) ? FACE_LOW : FACE_OWN;
}

/* ---- window/long_sync.c ---- */
/* Compare what is to be compared of SP, which is the present root's. */
void long_sync(struct mmu *m, struct long_space *sp);

/* ---- window/quiet.c ---- */
/* SP was compared, after a flush, WHOLE or what is not global, and FOUND tells whether something had changed.
 */
void quiet_compared(struct mmu *m, struct long_space *sp, bool found, bool whole);
/* Region IDX of W has its first page. */
void quiet_more(struct mmu *m, struct window *w, unsigned idx);

/* ---- window/layout.c ---- */
/* Choose D for SP, which has no region placed, and reserve VT. False: no address space. */
bool layout_plan(struct mmu *m, struct long_space *sp);
/* Give all of SP's addresses back. */
void layout_release(struct long_space *sp);
/* Reserve the region of W, and make it regular. False: something else is there. */
bool layout_place(struct mmu *m, struct long_space *sp, struct window *w);
/* W is empty, and nowhere, from now on. */
void layout_unplace(struct mmu *m, struct long_space *sp, struct window *w);
/* Where VT of F is, if that of host addresses is at VT: the part with these, and the other half of the
 * guest's. */
struct vt_part {
	uint64_t at, bytes;
};
void layout_vt(const struct long_face *f, uint64_t vt, struct vt_part part[2]);
/* W is regular no more; its addresses stay reserved. */
void layout_close(struct long_space *sp, const struct window *w);
#endif
