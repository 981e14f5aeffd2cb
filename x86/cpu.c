/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "x86/cpu.h"

#include <string.h>

static const struct seg_cache reset_data = { .limit = 0xffff, .attr = SA_P | SA_S | SA_RW | SA_A };
static const struct seg_cache reset_code = {
	.sel = 0xf000,
	.base = 0xffff0000,
	.limit = 0xffff,
	.attr = SA_P | SA_S | SA_RW | SA_A | SA_CODE,
};

void cpu_reset(struct cpu *c)
{
	uint64_t tsc_offset = c->tsc_offset;

	memset(c, 0, sizeof(*c));
	c->tsc_offset = tsc_offset;
	c->rip = 0xfff0;
	c->gpr[R_EDX] = 0x600;
	c->flags = FL_ONE;
	c->cr0 = CR0_ET | CR0_NW | CR0_CD;
	for (int i = 0; i < SEG_COUNT; i++)
		c->seg[i] = reset_data;
	c->seg[SEG_CS] = reset_code;
	c->ldtr = (struct seg_cache){ .limit = 0xffff, .attr = SA_P | 2 };
	c->tr = (struct seg_cache){ .limit = 0xffff, .attr = SA_P | 0xb };
	c->gdtr.limit = c->idtr.limit = 0xffff;
	c->dr[6] = DR6_INIT;
	c->dr[7] = DR7_INIT;
	c->xcr0 = XCR0_X87;
	c->pat = 0x0007040600070406ull;
	c->apic_base = 0xfee00100; /* the machine has no APIC: not enabled */
	c->misc_enable = 1;
	c->a20_mask = ~0u;
	c->xsave.fcw = FCW_INIT;
	c->xsave.mxcsr = MXCSR_INIT;
	c->avx512.xcomp_bv = AVX512_XCOMP;
}
