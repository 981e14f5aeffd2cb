/* SPDX-License-Identifier: GPL-3.0-or-later
 * The second dimension of the page walk, for a virtualization extension: guest-linear to guest-physical by
 * the guest's tables, guest-physical to physical by translate() (SDM vol. 3C ch. 29, APM vol. 2 15.25).
 *
 * Windows are keyed by TAG and ASID too, so those of a hypervisor and of its guests stay while it enters and
 * leaves them. What a window holds are combined mappings: they may lag behind both dimensions as a TLB may,
 * until the guest flushes or mmu_nested_invalidate() is called. MOV CR3, INVLPG and mmu_flush() concern the
 * windows of the present ASID, whatever their TAG, and the guest's tables alone. An access that translate()
 * refuses invalidates what it was about, as the architecture demands. */
#ifndef MM_NESTED_H
#define MM_NESTED_H
#include "mm/mm.h"
#include "x86/paging.h"

/* What translate() is asked for, beside MM_READ, MM_WRITE and MM_EXEC. MM_USER: of a user-mode linear address
 * (by the guest's tables, not by CPL). MM_PROBE: change nothing, note nothing, refuse only where there is no
 * translation at all; rights are in the result. */
enum {
	NESTED_LINEAR = 1 << 4, /* on behalf of the linear address in the result's LIN */
	NESTED_TABLE = 1 << 5,	/* of an entry of the guest's paging structures; without NESTED_LINEAR: a
				   PDPTE that MOV to a control register loads */
};
enum { NESTED_R = 1, NESTED_W = 2, NESTED_X = 4, NESTED_XU = 8 /* execute, at user-mode linear addresses */ };

struct nested_result {
	gva lin;	      /* set by the caller */
	gpa pa;		      /* of the byte asked for */
	uint8_t shift;	      /* log2 of the page's size */
	uint8_t rights;	      /* NESTED_R..XU, of all entries together */
	bool accessed, dirty; /* a read, a write, needs no update of an entry and no log any more */
};

struct mmu_nested {
	void *ctx;
	uint64_t tag;	   /* EPTP or nCR3. Tags that differ in bits 11:0 alone are invalidated together. */
	uint32_t asid;	   /* VPID or ASID; 0: the hypervisor's, and guests' without VPID */
	bool walks_pdptes; /* PAE: read PDPTEs with each walk (SVM); else mmu_set_pdptrs() and MOV CR3 do */
	/* Translate A for an access as HOW says. False: refused, the extension has noted why, and the access
	 * ends in EXC_EXIT; or an entry is not in memory now (mmu_load_entry()), with nothing noted. It may
	 * be called again for the same access. GPR-only code, also in the fault handler.
	 * NULL: one dimension, windows of their own nevertheless (a guest without EPT or NPT). */
	bool (*translate)(void *ctx, gpa a, unsigned how, struct nested_result *r);
	/* An access of N bytes at A, which translate() says is at or above NESTED_DEVICE: ask (BUF NULL)
	 * whether it may be made, then make it. False, of the question: refused, as by translate(). HOW:
	 * MM_WRITE. */
	bool (*device)(void *ctx, gpa a, void *buf, unsigned n, unsigned how);
};
/* Physical addresses that no memory and no device of the machine has. */
#define NESTED_DEVICE (1ull << MAXPHYADDR)

/* Enter the address space of *N, which is copied; NULL: the hypervisor's, which is where M begins. To be
 * called when struct cpu has the control registers and the CPL of the side that is entered. Nothing is
 * flushed: an entry or exit without VPID adds mmu_nested_invalidate(m, NESTED_ONE_ASID, 0, 0, 0). */
void mmu_nested(struct mmu *m, const struct mmu_nested *n);
/* A small number, below MMU_SPACES, of the present address space, 0 the hypervisor's. It may come to mean
 * another one when MMU_SPACES are in use. */
enum { MMU_SPACES = 32 };
unsigned mmu_space(const struct mmu *m);

enum {
	NESTED_ONE_TAG = 1,  /* of TAG alone; else of any, and windows of one dimension */
	NESTED_ONE_ASID = 2, /* of ASID alone; else of any */
	NESTED_ONE_PAGE = 4, /* what maps LIN alone */
	NESTED_SECOND = 8,   /* compare what translate() says, too; else the guest's tables alone */
};
/* Invalidate (INVEPT: NESTED_SECOND; INVVPID; TLB_CONTROL, INVLPGA). Windows that are concerned are compared
 * with both dimensions when they are selected next, and keep what is still right. */
void mmu_nested_invalidate(struct mmu *m, unsigned what, uint64_t tag, uint32_t asid, gva lin);

/* PAE: the PDPTEs in use, as an entry loads them from the VMCS, and an exit saves them. */
void mmu_set_pdptrs(struct mmu *m, const uint64_t pdptr[4]);
const uint64_t *mmu_pdptrs(const struct mmu *m);

/* For translate(): load SIZE (4, 8) bytes of an entry at AT, physical and aligned, for a probe or for a walk
 * of the processor's. False: there is no memory, or it is to be waited for. */
bool mmu_load_entry(struct mmu *m, gpa at, unsigned size, bool probe, uint64_t *e);
/* Set BITS of an entry of SIZE bytes at AT, which was loaded. Ignored in ROM. */
void mmu_set_entry(struct mmu *m, gpa at, unsigned size, uint64_t bits);
#endif
