/* SPDX-License-Identifier: GPL-3.0-or-later
 * The debugger's breakpoints and event filters. A breakpoint ends translation in front of its instruction;
 * inserting or removing one drops the fragments that cover it. One on a physical address needs no more: a
 * fragment is entered only where its code is in the page from which it was made. */
#include "bt/cache/cache.h"
#include "bt/debug/debug.h"
#include "cpu/virt.h"
#include "mm/mm.h"

static bool linear_at(const struct bt_vcpu *b, gva pc)
{
	for (unsigned i = 0; i < b->debug.nbps; i++)
		if (b->debug.bps[i] == pc)
			return true;
	return false;
}

static unsigned physical_find(const struct bt_vcpu *b, gpa at)
{
	unsigned i = 0;

	while (i < b->debug.nphys_bps && b->debug.phys_bps[i] != at)
		i++;
	return i;
}

static bool physical_at(const struct bt_vcpu *b, gpa at)
{
	return physical_find(b, at) < b->debug.nphys_bps;
}

bool bp_user_at(const struct bt_vcpu *b, gva pc)
{
	struct walk w;

	if (linear_at(b, pc) || !b->debug.nphys_bps)
		return linear_at(b, pc);
	mmu_walk(b->v.mmu, pc, MM_READ | MM_PROBE, &w);
	return w.ok && physical_at(b, w.pa);
}

bool bp_at(const struct bt_vcpu *b, gva pc, ppn page)
{
	return linear_at(b, pc) || guest_debug_splits(b, pc) ||
	       (b->debug.nphys_bps && page != UINT32_MAX &&
		physical_at(b, (gpa)page << PAGE_SHIFT | (pc & PAGE_MASK)));
}

void bp_insert(struct vcpu *v, gva lin)
{
	struct bt_vcpu *b = bt_of(v);

	if (linear_at(b, lin) || b->debug.nbps == MAX_BPS)
		return;
	b->debug.bps[b->debug.nbps++] = lin;
	cache_drop_at(b, lin, 1, DROP_BREAK);
}

void bp_remove(struct vcpu *v, gva lin)
{
	struct bt_vcpu *b = bt_of(v);

	for (unsigned i = 0; i < b->debug.nbps; i++)
		if (b->debug.bps[i] == lin) {
			b->debug.bps[i] = b->debug.bps[--b->debug.nbps];
			cache_drop_at(b, lin, 1, DROP_BREAK);
			return;
		}
}

int bp_physical(struct vcpu *v, gpa at, bool on)
{
	struct bt_vcpu *b = bt_of(v);
	unsigned i = physical_find(b, at);

	if (on && i == MAX_PHYS_BPS)
		return -1;
	if (on && i == b->debug.nphys_bps)
		b->debug.phys_bps[b->debug.nphys_bps++] = at;
	else if (!on && i < b->debug.nphys_bps)
		b->debug.phys_bps[i] = b->debug.phys_bps[--b->debug.nphys_bps];
	cache_drop_from(b, (ppn)(at >> PAGE_SHIFT), DROP_BREAK);
	return 0;
}

int bp_event_set(struct vcpu *v, enum engine_event kind, uint64_t lo, uint64_t hi, bool on)
{
	struct bt_vcpu *b = bt_of(v);
	unsigned n = 0;

	if (v->virt && v->virt->controls) /* an old one is no news */
		v->virt->controls->ops->take(v->virt->controls->ctx, &(struct engine_hit){ 0 });
	if (on) {
		if (b->debug.nfilters == MAX_FILTERS)
			return -1;
		b->debug.filters[b->debug.nfilters++] = (struct event_filter){ lo, hi, (uint8_t)kind };
		b->debug.event_kinds |= 1u << kind;
		b->debug.was_vm = v->cpu.sysflags & FL_VM;
		return 0;
	}
	while (n < b->debug.nfilters && (b->debug.filters[n].kind != kind || b->debug.filters[n].lo != lo ||
					 b->debug.filters[n].hi != hi))
		n++;
	if (n < b->debug.nfilters)
		b->debug.filters[n] = b->debug.filters[--b->debug.nfilters];
	b->debug.event_kinds = 0;
	for (n = 0; n < b->debug.nfilters; n++)
		b->debug.event_kinds |= 1u << b->debug.filters[n].kind;
	return 0;
}
