/* SPDX-License-Identifier: GPL-3.0-or-later
 * The address space of 64-bit code as translated code reaches it (mm/long.h). */
#ifndef BT_STATE_SPACE_H
#define BT_STATE_SPACE_H
#include "base/types.h"

/* D and V are in r10 and r9; fragments that use these registers load them from here again. */
struct long_space {
	uint64_t d, neg_d; /* guest address A is at host address A + D */
	uint64_t v, vt;	   /* the probe register; the validity table by host address */
	/* The user space, for kernel code that reaches user memory. While it is stale, or kernel code must
	 * not reach it, the validity table of USER_V faults everywhere. */
	uint64_t user_d, user_v;
};
#endif
