/* SPDX-License-Identifier: GPL-3.0-or-later
 * The mode of the processor as lowering sees it: the part of a fragment's key beside its address. */
#ifndef BT_STATE_MODE_H
#define BT_STATE_MODE_H
#include "x86/cpu.h"

/* How a data segment is addressed: flat; with a base and no limit; 64 KiB at any base; by a callout. */
enum seg_class { SEGC_FLAT, SEGC_BASED, SEGC_64K, SEGC_OTHER };
enum {
	MODE_D = 1 << 0, /* CS.D: 32-bit code */
	MODE_B = 1 << 1, /* SS.B: 32-bit stack */
	MODE_CPL = 3 << 2,
	MODE_PE = 1 << 4,
	MODE_VM = 1 << 5,
	MODE_NOFPU = 1 << 6,   /* CR0.EM or TS: x87 raises #NM */
	MODE_NOSSE = 1 << 7,   /* !OSFXSR or EM: #UD */
	MODE_AVX = 1 << 8,     /* XCR0.AVX with CR4.OSXSAVE. Without MODE_OSXSAVE: AVX-512, too */
	MODE_OSXSAVE = 1 << 9, /* ask mode_osxsave() and mode_avx512() */
	MODE_TS = 1 << 10,     /* CR0.TS (SSE raises #NM) */
	MODE_MPTS = 1 << 11,   /* MP and TS: WAIT raises #NM */
	MODE_CSLIM = 1 << 12,  /* CS limit below 4 GiB: checked by the dispatcher */
	MODE_XCHAIN = 1 << 13, /* supervisor mappings are global: links may cross pages */
	MODE_TSD = 1 << 14,    /* RDTSC is for CPL 0 */
	MODE_GUEST = 1 << 15,  /* guest mode of a virtualization extension */
	MODE_SEG = 16,	       /* from here: 2 bits for each segment register; CS: its class's low bit */
	MODE_LONG = 2 << (MODE_SEG + 2 * SEG_CS), /* 64-bit code */
	MODE_FSGSBASE = 1 << MODE_SEG,		  /* 64-bit code: CR4.FSGSBASE */
	MODE_SET = 28, /* from here: 4 bits, the number of the set that is intercepted (state/guest.h) */
};
/* CS is 64 KiB or by a callout. */
static inline enum seg_class mode_seg(uint32_t mode, enum seg s)
{
	return (enum seg_class)((mode >> (MODE_SEG + 2 * s) & 3) | (s == SEG_CS ? 2 : 0));
}

static inline bool mode_osxsave(uint32_t mode)
{
	return mode & (MODE_OSXSAVE | MODE_AVX);
}
static inline bool mode_avx512(uint32_t mode)
{
	return (mode & (MODE_OSXSAVE | MODE_AVX)) == MODE_AVX;
}

/* 64-bit code, "long code" in this module. Of the segments, FS and GS count alone, by their bases. */
static inline bool mode_long(uint32_t mode)
{
	return mode & MODE_LONG;
}

/* The default size of operands' addresses: 16, 32 or 64. */
static inline unsigned mode_bits(uint32_t mode)
{
	return mode_long(mode) ? 64 : mode & MODE_D ? 32 : 16;
}
#endif
