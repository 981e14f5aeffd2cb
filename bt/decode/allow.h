/* SPDX-License-Identifier: GPL-3.0-or-later
 * Which instructions the guest's processor has: a list of those that lowering admits, by the CPUID feature
 * that offers them. Everything else is #UD. */
#ifndef BT_DECODE_ALLOW_H
#define BT_DECODE_ALLOW_H
#include "bt/decode/insn.h"
#include "bt/state/isa.h"

struct platform;

/* Ask the machine which features its CPUID offers. */
void isa_init(struct isa *isa, const struct platform *plat, const struct cpu *c);
/* Does a processor with ISA have the instruction IN? */
bool isa_allows(const struct isa *isa, const struct insn *in);
#endif
