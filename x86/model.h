/* SPDX-License-Identifier: GPL-3.0-or-later
 * Values that the processor model can hold: bits of control registers by CPUID, and whole states that come
 * from outside (front ends, state files), on which translated code and the monitor rely. */
#ifndef X86_MODEL_H
#define X86_MODEL_H
#include "x86/engine.h"

#define CR0_VALID                                                                                            \
	(CR0_PE | CR0_MP | CR0_EM | CR0_TS | CR0_ET | CR0_NE | CR0_WP | CR0_AM | CR0_NW | CR0_CD | CR0_PG)
#define DR6_BITS (DR6_BP | DR6_BD | DR6_BS | DR6_BT) /* the others read as DR6_INIT */
#define DR7_BITS 0xffff23ffu			     /* the others read as DR7_INIT */

/* Return the bits of WANTED that the model offers in CR4. */
uint32_t cpu_cr4_allowed(const struct platform *p, const struct cpu *c, uint32_t wanted);
/* Return the bits that it offers in EFER: LME with 64-bit mode, never LMA, which the processor sets. */
uint64_t cpu_efer_allowed(const struct platform *p, const struct cpu *c);
/* Has the processor IA-32e mode? Without P->cpuid it has. */
bool cpu_has_long_mode(const struct platform *p, const struct cpu *c);
/* Return why the processor cannot be in state C (a static line), or NULL. Without P->cpuid the bits that
 * depend on CPUID are not restricted. */
const char *cpu_refused(const struct platform *p, const struct cpu *c);
#endif
