/* SPDX-License-Identifier: GPL-3.0-or-later
 * The instruction set of the guest's processor, as its CPUID offers it. */
#ifndef BT_STATE_ISA_H
#define BT_STATE_ISA_H
#include "x86/features.h"

struct isa {
	bool has[FEATURES];
};
#endif
