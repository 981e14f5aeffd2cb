/* SPDX-License-Identifier: GPL-3.0-or-later
 * Numbers of the model-specific registers, from x86/msrs.def. */
#ifndef X86_MSRS_H
#define X86_MSRS_H

enum {
#define MSR(id, first, last, where, init, name) MSR_##id = first, MSR_##id##_LAST = last,
#include "x86/msrs.def"
#undef MSR
};
#endif
