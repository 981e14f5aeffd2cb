/* SPDX-License-Identifier: GPL-3.0-or-later
 * Spaces, for an engine's 64-bit code (EFER.LMA and CS.L). A space has one displacement D, a multiple of 4
 * GiB: guest-linear address A is at host address A + D wherever the 4 GiB region of A is regular, that is
 * placed there. The rest of the host's addresses are the process's own, so an access first loads a byte of
 * the space's validity table VT, which has one for each MiB of host address and is readable for regular
 * regions alone. Guest code that probes so reaches nothing else, whatever the registers hold.
 *
 * Regions are windows of 4 GiB inside mm, and act as a TLB like those of mm/mmu.h, which serve all other
 * code, compatibility mode included. Kernel code has a space of its own, shared by roots that map the kernel
 * alike; the user half is reached through the user space. */
#ifndef MM_LONG_H
#define MM_LONG_H
#include "mm/mmu.h"

enum { LONG_REGION_SHIFT = 32, LONG_MIB_SHIFT = 20 };

/* A space as translated code reaches it. It stays where it is while its number does. */
struct mmu_long {
	uint64_t d;	/* guest address A is at host A + D where VT says so; a multiple of 4 GiB */
	uint64_t neg_d; /* -D */
	uint64_t v;	/* of a guest address A: byte [V + (A >> 20) - 20]; the low six bits are 20 */
	uint64_t vt;	/* of a host address H below 2^47: byte [VT + (H >> 20)] */
};

/* Bring the space of the present 64-bit mode (root, CPL) up to date, and select it; *WIN its number, below
 * MMU_MAX_WINDOWS, which no 4 GiB window has. Cheap when nothing changed. mmu_stale(), mmu_selected() and
 * mmu_apart() are of windows and spaces alike. NULL: the host has no address space (hooks.failed was called).
 */
const struct mmu_long *mmu_long_select(struct mmu *m, unsigned *win);
/* The user space of the present root for kernel code, synchronized. NULL: there is none. */
const struct mmu_long *mmu_long_user(struct mmu *m);
/* The same for its addresses below 2^46, where they may have another displacement; for user code too. */
const struct mmu_long *mmu_long_low(struct mmu *m);

/* Is the user space of the present root at hand, and in force as it is? */
bool mmu_long_user_ready(const struct mmu *m);

/* What the host address of a fault is. */
enum mmu_long_where {
	LONG_ELSEWHERE,
	LONG_MEMORY, /* *LIN is its guest address, in a region of the selected space or near one */
	LONG_USER, /* likewise in the user space of the present root, or in the lower part of the selected one
		    */
	LONG_PROBE,	 /* a byte of the selected space's VT: *LIN is a guest address of that MiB */
	LONG_PROBE_USER, /* likewise of the user space's */
	LONG_BEYOND, /* *LIN is behind the end of a region, and the next one is elsewhere: by mmu_read() and
		      * so on
		      */
};
enum mmu_long_where mmu_long_where(const struct mmu *m, uint64_t hva, gva *lin);

/* A probe for LIN's region faulted, in the selected space: make it regular if it can be. */
enum mmu_long_place {
	LONG_PLACED,	    /* it is regular: retry */
	LONG_IRREGULAR,	    /* it cannot be, or the guest maps nothing there: mmu_read() and mmu_write() */
	LONG_NOT_CANONICAL, /* LIN is no address */
	LONG_OTHER_HALF,    /* through mmu_long_user() and mmu_long_low(): kernel code, user page; user code,
			       lower part */
};
enum mmu_long_place mmu_long_place(struct mmu *m, gva lin);
/* The same in the user space of the present root. */
enum mmu_long_place mmu_long_place_user(struct mmu *m, gva lin);

/* Resolve an access to LIN in the selected space, as mmu_fill(); in the user space, as mmu_fill_user().
 * FILL_MMIO: run the instruction by mmu_read() and mmu_write(), also where the region is not regular. */
enum mmu_fill mmu_long_fill(struct mmu *m, gva lin, unsigned how, struct mmu_fault *f);
enum mmu_fill mmu_long_fill_user(struct mmu *m, gva lin, unsigned how, struct mmu_fault *f);

/* A prechecked access of at most a page's bytes at LIN, in the selected space; USER: of code that reaches the
 * user space, too. Enter its page as a soft one (mm/mmu.h), as mmu_long_fill() would map it. */
enum mmu_soft {
	SOFT_MAPPED, /* it has a mapping: access it */
	SOFT_HERE,   /* mmu_long_soft() has it */
	SOFT_NEW,    /* likewise since now */
	SOFT_FAULT,  /* *F says which page fault the guest gets */
	SOFT_NONE,   /* access it, and let the fault be resolved */
};
enum mmu_soft mmu_long_soften(struct mmu *m, gva lin, unsigned how, bool user, struct mmu_fault *f);
/* The byte at LIN, good up to the end of its page for this access. NULL: not a soft page. */
uint8_t *mmu_long_soft(const struct mmu *m, gva lin, unsigned how, bool user);

/* ---- what the guest's system instructions call, beside mmu_invlpg() and mmu_flush() ---- */

/* MOV to CR3 with CR4.PCIDE: the flush concerns the new PCID alone; with KEEP (bit 63) there is none. Without
 * CR4.PCIDE: mmu_flush(m, false). */
void mmu_switch(struct mmu *m, bool keep);
/* INVPCID (SDM vol. 2A): a page, or all but global pages, of a PCID; everything; all but global pages. */
enum mmu_invpcid { INVPCID_PAGE, INVPCID_ONE, INVPCID_ALL, INVPCID_LOCAL };
void mmu_invpcid(struct mmu *m, enum mmu_invpcid what, unsigned pcid, gva lin);
#endif
