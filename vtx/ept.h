/* SPDX-License-Identifier: GPL-3.0-or-later
 * The extended page tables (SDM vol. 3C 29.3): from a guest-physical address to one of the host hypervisor's,
 * which entries lead there, which rights are left, and what an access that fails is reported as. */
#ifndef VTX_EPT_H
#define VTX_EPT_H
#include "vtx/transition.h"

/* An access. The first three as in the exit qualification. */
enum {
	VMX_EPT_READ = 1,
	VMX_EPT_WRITE = 2,
	VMX_EPT_FETCH = 4,
	VMX_EPT_USER = 8,    /* at a user-mode linear address: with mode-based execute control */
	VMX_EPT_LINEAR = 16, /* made by a linear address */
	VMX_EPT_TABLE = 32,  /* of a guest paging-structure entry on the way there */
};

/* Bits of an entry, where the level has them. */
enum {
	EPT_R = 1 << 0,
	EPT_W = 1 << 1,
	EPT_X = 1 << 2,
	EPT_TYPE = 7 << 3, /* memory type of a leaf */
	EPT_IGNORE_PAT = 1 << 6,
	EPT_LEAF = 1 << 7,
	EPT_A = 1 << 8,
	EPT_D = 1 << 9,
	EPT_XU = 1 << 10, /* execute for user-mode linear addresses */
};
#define EPT_SUPPRESS_VE (1ull << 63)
#define EPTP_ACCESSED_DIRTY 0x40u

enum vmx_ept_result {
	VMX_EPT_OK,
	VMX_EPT_VIOLATION,	  /* exit reason 48, with the qualification */
	VMX_EPT_MISCONFIGURATION, /* exit reason 49, without one */
	VMX_EPT_LOG_FULL,	  /* exit reason 62: no entry of the page-modification log is free */
};

#define VMX_EPT_LEVELS 4u
struct vmx_ept_walk {
	gpa at[VMX_EPT_LEVELS]; /* of the entries, PML4E first */
	uint64_t entry[VMX_EPT_LEVELS];
	unsigned levels;	/* how many of them were read */
	uint64_t rights;	/* EPT_R, W, X, XU that all of them grant */
	gpa result;		/* with VMX_EPT_OK */
	uint64_t size;		/* of the page: 4 KiB, 2 MiB, 1 GiB */
	unsigned type;		/* memory type */
	uint64_t qualification; /* with VMX_EPT_VIOLATION; bits 12:9 are the engine's */
};

/* Look up ADDRESS under the current VMCS. Nothing changes in memory: it is what a view shows. */
enum vmx_ept_result vmx_ept_look(const struct vmx *x, gpa address, unsigned access, struct vmx_ept_walk *w);
/* The same as the processor does it: accessed and dirty flags are set if the EPT pointer enables them, and a
 * page that becomes dirty is logged. */
enum vmx_ept_result vmx_ept_access(struct vmx *x, gpa address, unsigned access, struct vmx_ept_walk *w);
#endif
