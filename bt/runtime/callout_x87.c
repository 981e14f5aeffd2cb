/* SPDX-License-Identifier: GPL-3.0-or-later
 * The x87 unit's pointers to its last instruction and operand (SDM vol. 1 8.1.8). The host's unit has those
 * of the translated instruction: addresses of the monitor, other ones in each run. No guest may see them.
 * What it sees instead are the pointers that AMD's processors save: none without a pending exception; with
 * one, the EIP of the instruction that raised it, as long as its fragment exists. Called before each
 * instruction that stores them, and for the image of a vCPU that leaves the TC. */
#include "bt/cache/cache.h"
#include "bt/runtime/callout_int.h"

#include "base/gpr.h"

/* As FNSTENV stores it in 32-bit format. */
struct x87_env {
	uint16_t fcw, pad1, fsw, pad2, ftw, pad3;
	uint32_t fip;
	uint16_t fcs, fop;
	uint32_t fdp;
	uint16_t fds, pad4;
};
_Static_assert(sizeof(struct x87_env) == 28, "SDM vol. 1 figure 8-9");

static unsigned insn_at(const struct ccf *f, uint32_t host)
{
	unsigned insn = 0;

	for (unsigned i = 0; i < f->nmark && f->marks[i].host <= host; i++)
		insn = f->marks[i].insn;
	return insn;
}

/* What the guest sees of FIP. One outside the TC was loaded by the guest. */
static uint32_t guest_fip(struct bt_vcpu *b, uint16_t fsw, uint32_t fip)
{
	uint32_t off = fip - (uint32_t)b->tc_base;
	const struct ccf *f;

	if (!(fsw & FSW_ES))
		return 0;
	if (fip == b->x87_fip || off >= b->tc.size)
		return fip;
	f = cache_by_host(b, b->tc_base + off);
	b->x87_fip = f ? (uint32_t)(f->eip + f->ioff[f->ninsn + insn_at(f, off - f->host)]) : 0;
	return b->x87_fip;
}

void x87_hide_saved(struct bt_vcpu *b)
{
	struct xsave_image *x = &b->v.cpu.xsave;

	x->fip = guest_fip(b, x->fsw, x->fip);
	x->fop = x->fcs = x->fds = 0;
	x->fdp = 0;
}

uint64_t co_x87_pointers(struct bt_vcpu *b, struct site *s, uint64_t ea)
{
	struct x87_env env;
	uint32_t fip;

	(void)ea;
	callout_begin(b, s);
	__asm__ volatile("fnstenv %0" : "=m"(env));
	fip = guest_fip(b, env.fsw, env.fip);
	if (fip == env.fip && !(env.fdp | env.fop | env.fcs | env.fds)) {
		/* FNSTENV masked all exceptions; and the unit now counts as in use, see co_xgetbv() */
		__asm__ volatile("fldcw %0" : : "m"(env.fcw));
		return 0;
	}
	env.fip = fip;
	env.fop = env.fcs = env.fds = 0;
	env.fdp = 0;
	__asm__ volatile("fldenv %0" : : "m"(env));
	return 0;
}
