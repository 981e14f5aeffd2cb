/* SPDX-License-Identifier: GPL-3.0-or-later
 * CPUID feature bits, from x86/features.def: of feature F the mask CPUID_F in its register, and where that
 * is, CPUID_F_LEAF and CPUID_F_REG (index in EAX, EBX, ECX, EDX). */
#ifndef X86_FEATURES_H
#define X86_FEATURES_H
#include "base/types.h"

/* EBX of leaf 0: "Genu", as in "GenuineIntel"; "Auth" as in "AuthenticAMD". */
#define CPUID_INTEL_EBX 0x756e6547u
#define CPUID_AMD_EBX 0x68747541u

enum { CPUID_A, CPUID_B, CPUID_C, CPUID_D };

enum {
#define FEATURE(id, leaf, sub, reg, bit, needs)                                                              \
	CPUID_##id = 1u << bit, CPUID_##id##_LEAF = leaf, CPUID_##id##_REG = CPUID_##reg,
#include "x86/features.def"
#undef FEATURE
};

enum feature {
#define FEATURE(id, leaf, sub, reg, bit, needs) FEATURE_##id,
#include "x86/features.def"
#undef FEATURE
	FEATURES,
	FEATURE_NONE = FEATURES,
};

struct feature_row {
	const char *name; /* in upper case */
	uint32_t leaf, sub;
	uint8_t reg, bit;
	uint8_t needs; /* enum feature: this one implies it; FEATURE_NONE */
};
extern const struct feature_row feature_rows[FEATURES];

/* Return the feature called NAME, in any case and with - for _; FEATURE_NONE. */
enum feature feature_find(const char *name);
#endif
