/* SPDX-License-Identifier: GPL-3.0-or-later
 * The address space of 64-bit code as translated code reaches it (mm/long.h). */
#ifndef BT_STATE_SPACE_H
#define BT_STATE_SPACE_H
#include "base/types.h"

/* Guest address A is at host address A + D, where the validity table says so. D and V, the probe register,
 * are in r10 and r9; fragments that use these registers load them from here again. USER_D and USER_V: the
 * user space, for kernel code that reaches user memory. While it is stale, or kernel code must not reach it,
 * the table of USER_V faults everywhere. Code picks D and V by the upper bit of the address. */
struct long_space {
	uint64_t user_d, d;
	uint64_t user_v, v;
	uint64_t neg_d;
	uint64_t vt; /* the table by host address: byte vt[h >> 20] */
};
_Static_assert(offsetof(struct long_space, d) == offsetof(struct long_space, user_d) + 8 &&
		   offsetof(struct long_space, v) == offsetof(struct long_space, user_v) + 8,
	       "by the half of the address space");
#endif
