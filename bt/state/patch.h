/* SPDX-License-Identifier: GPL-3.0-or-later
 * Code that the translator reads instead of the guest's (decode/patch.c). */
#ifndef BT_STATE_PATCH_H
#define BT_STATE_PATCH_H
#include "base/types.h"

struct code_patch {
	gva pc;
	uint32_t number;
	uint8_t len, bits, bytes[240];
	uint8_t nover, over[240]; /* it holds only where the guest has these bytes from PC on */
};
#define MAX_PATCHES 64

struct patches {
	struct code_patch patch[MAX_PATCHES];
	unsigned n, last_number;
};
#endif
