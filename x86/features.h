/* SPDX-License-Identifier: GPL-3.0-or-later
 * CPUID feature bits, from x86/features.def: of feature F the mask CPUID_F in its register, and where that
 * is, CPUID_F_LEAF and CPUID_F_REG (index in EAX, EBX, ECX, EDX). */
#ifndef X86_FEATURES_H
#define X86_FEATURES_H

enum { CPUID_A, CPUID_B, CPUID_C, CPUID_D };

enum {
#define FEATURE(id, leaf, reg, bit)                                                                          \
	CPUID_##id = 1u << bit, CPUID_##id##_LEAF = leaf, CPUID_##id##_REG = CPUID_##reg,
#include "x86/features.def"
#undef FEATURE
};
#endif
