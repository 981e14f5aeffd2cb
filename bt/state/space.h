/* SPDX-License-Identifier: GPL-3.0-or-later
 * The address space of 64-bit code as translated code reaches it (mm/long.h). */
#ifndef BT_STATE_SPACE_H
#define BT_STATE_SPACE_H
#include "base/types.h"

/* Guest address A is at host address A + D, where the validity table says so. D and V, the probe register,
 * are in r10 and r9; fragments that use these registers load them from here again. */
struct long_space {
	uint64_t d, v;
	uint64_t neg_d;
	uint64_t vt; /* the table by host address: byte vt[h >> 20] */
};

/* For code whose accesses reach more than its own space, by bits 53:46 of the address: kernel code that
 * reaches user memory, and user code of programs that are not position independent (mmu_long_low()). The
 * lower and the upper part of the user half are first; all else is the own space's. While the user space is
 * stale, or kernel code must not reach it, its table faults everywhere. */
enum { PART_SHIFT = 46, PART_LOW = 0, PART_HIGH = 1, PARTS = 256 };
struct long_parts {
	uint64_t v[PARTS], d[PARTS];
};
/* Of kernel code, what STAC and CLAC make of V of the user half's parts. */
struct long_smap {
	uint64_t open[PART_HIGH + 1], closed[PART_HIGH + 1];
	bool unknown; /* OPEN is not known */
};
/* Pages that prechecked accesses have found mapped, minus the number of the host page each, by its low eight
 * bits: for reading, and for writing. (D of the user half's upper part stands for its space.) Nothing rests
 * on them but speed: where one is no longer mapped the access faults.
 */
enum { TAGS = 256 };
struct long_tags {
	uint64_t tag[2][TAGS];
};
#endif
