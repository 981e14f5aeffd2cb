/* SPDX-License-Identifier: GPL-3.0-or-later
 * Recognizes an instruction that faults for ever: each of its faults is resolved, as far as the monitor
 * knows, and the host raises it again, because it did not do what it was asked for. The instruction makes
 * progress when one of its registers changes (a REP), and another run of it is told apart by a flush, by a
 * dropped mapping or by a stay outside the translation cache. A host that takes pages away makes a few equal
 * faults in a row, never this many. */
#include "bt/fault/fault.h"

#include "mm/mmu.h"

#define LONG_FAULTS 16
#define STUCK_FAULTS 2000

static uint64_t mix(uint64_t h, uint64_t v)
{
	h = (h ^ v) * 0x9e3779b97f4a7c15ull;
	return h ^ h >> 29;
}

/* Add 1 to *N if *OLD is NOW; otherwise begin again. */
static uint32_t in_a_row(uint64_t *old, uint64_t now, uint32_t *n)
{
	*n = *old == now ? *n + (*n < UINT32_MAX) : 0;
	*old = now;
	return *n;
}

enum fault_loop fault_loop(struct bt_vcpu *b, const struct ccf *f, unsigned insn, const uint64_t regs[8])
{
	const struct mmu_stats *s = mmu_stats(b->v.mmu);
	uint64_t h = mix(f->pc, (uint64_t)f->host << 32 | insn);
	uint32_t faults, unchanged;

	for (int r = 0; r < 8; r++)
		h = mix(h, (uint32_t)regs[r]);
	h = mix(h, b->st.dispatches);
	faults = in_a_row(&b->stuck.insn, h, &b->stuck.faults);
	h = mix(mix(h, s->cr3_loads + s->invlpgs), s->drops + s->evictions);
	unchanged = in_a_row(&b->stuck.windows, h, &b->stuck.unchanged);
	return unchanged >= STUCK_FAULTS ? LOOP_STUCK : faults >= LONG_FAULTS ? LOOP_LONG : LOOP_NONE;
}
