/* SPDX-License-Identifier: GPL-3.0-or-later
 * Facts about paging-structure entries and page-fault error codes, each once
 * (SDM vol. 3A 4.3 to 4.7). */
#ifndef X86_PAGING_H
#define X86_PAGING_H
#include <stdint.h>

/* Bits of an entry at any level, where the level has them. */
enum {
	PTE_P = 1 << 0,	   /* present */
	PTE_W = 1 << 1,	   /* writable */
	PTE_U = 1 << 2,	   /* user */
	PTE_PWT = 1 << 3,  /* write-through */
	PTE_PCD = 1 << 4,  /* cache disabled */
	PTE_A = 1 << 5,	   /* accessed */
	PTE_D = 1 << 6,	   /* dirty; in entries that map a page */
	PTE_PS = 1 << 7,   /* maps a large page; in a table's last level it is PAT */
	PTE_G = 1 << 8,	   /* global; in entries that map a page */
	PTE_AVAIL = 7 << 9 /* ignored by the processor */
};
#define PTE_NX (1ull << 63) /* no execute; in 8-byte entries, with EFER.NXE */

/* Addresses in entries, without the part that a large page's offset covers. */
#define PTE_ADDR32 0xfffff000u
#define PTE_ADDR64 0x000ffffffffff000ull
/* A 4 MiB page's bits 32 to 39 (PSE-36): where they are in the entry, and how far up they go. */
#define PTE_PSE36 0x1fe000u
#define PTE_PSE36_SHIFT 19

/* Bits that must be 0: in a PDPTE of PAE paging (loaded with CR3), in an entry that maps 1 GiB, or 2 MiB,
 * in one that maps 4 MiB (those of PTE_PSE36 that MAXPHYADDR does not reach too). */
#define PDPTE_RESERVED 0x1e6u
#define PTE_RESERVED_1G 0x3fffe000u
#define PTE_RESERVED_2M 0x1fe000u
#define PTE_RESERVED_4M 0x200000u

/* CR3 with CR4.PCIDE: the identifier; MOV to CR3 only: keep what the TLB has of it. */
#define CR3_PCID 0xfffull
#define CR3_KEEP (1ull << 63)

/* Physical address bits of every processor model, as CPUID leaf 80000008H tells. */
#define MAXPHYADDR 36

/* Error code of a page fault. */
enum {
	PF_ERR_P = 1 << 0,    /* the translation exists; its rights do not allow the access */
	PF_ERR_W = 1 << 1,    /* a write */
	PF_ERR_U = 1 << 2,    /* a user access */
	PF_ERR_RSVD = 1 << 3, /* a reserved bit was set */
	PF_ERR_ID = 1 << 4    /* an instruction fetch, with NX or SMEP */
};
#endif
