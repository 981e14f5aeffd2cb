/* SPDX-License-Identifier: GPL-3.0-or-later
 * Guest mode of a virtualization extension (cpu/virt.h) as translated code depends on it. */
#ifndef BT_STATE_GUEST_H
#define BT_STATE_GUEST_H
#include "bt/state/mode.h"

#define GUEST_SETS 16 /* as many as MODE_SET has numbers for */

struct guest_mode {
	uint32_t mode;	     /* MODE_GUEST and the number of the set; 0 outside guest mode */
	uint64_t tsc_offset; /* added to the TSC in guest mode; fragments read it */
	uint64_t sets[GUEST_SETS];
	unsigned nsets;
};
#endif
