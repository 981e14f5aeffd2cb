/* SPDX-License-Identifier: GPL-3.0-or-later
 * Reading a register. Not in regs.c, because GPR-only code (base/gpr.h) calls it. */
#include "x86/regs.h"

uint64_t reg_get(const struct cpu *c, const struct reg_info *r)
{
	const uint8_t *at = (const uint8_t *)c + r->offset;
	uint64_t val = 0;

	switch (r->kind) {
	case REG_FIELD:
	case REG_WIDE:
	case REG_X87:
	case REG_MXCSR:
	case REG_CR0:
	case REG_DR6:
	case REG_DR7:
	case REG_EFER:
		for (unsigned i = reg_bits(c, r) / 8; i--;)
			val = val << 8 | at[i];
		break;
	case REG_SEL:
		val = ((const struct seg_cache *)(const void *)at)->sel;
		break;
	case REG_PC:
		val = cpu_pc(c);
		break;
	case REG_EFLAGS:
		val = cpu_eflags(c);
		break;
	case REG_TAG:
		val = xsave_tag_word(&c->xsave);
		break;
	}
	return val;
}
