/* SPDX-License-Identifier: GPL-3.0-or-later
 * Breakpoints and steps by KVM_SET_GUEST_DEBUG: the processor's own debug registers, which the guest does not
 * see. The other engine knows all points, too, and executes while there are some that these cannot hold. */
#include "kvm/kvm_int.h"

#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>

static unsigned find(const struct kvm_points *p, gva lin)
{
	unsigned i = 0;

	while (i < p->nbreaks && p->breaks[i] != lin)
		i++;
	return i;
}

static void bp_insert(struct vcpu *v, gva lin)
{
	struct kvm_points *p = &kvm_of(v)->points;

	if (find(p, lin) < p->nbreaks || p->nbreaks == ARRAY_LEN(p->breaks))
		return;
	kvm_of(v)->inner->bp_insert(v, lin);
	p->breaks[p->nbreaks++] = lin;
}

static void bp_remove(struct vcpu *v, gva lin)
{
	struct kvm_points *p = &kvm_of(v)->points;
	unsigned i = find(p, lin);

	if (i == p->nbreaks)
		return;
	kvm_of(v)->inner->bp_remove(v, lin);
	p->breaks[i] = p->breaks[--p->nbreaks];
}

static int bp_physical(struct vcpu *v, gpa at, bool on)
{
	struct kvm_points *p = &kvm_of(v)->points;
	int r = kvm_of(v)->inner->bp_physical(v, at, on);

	if (!r && on)
		p->nphysical++;
	else if (!r)
		p->nphysical -= p->nphysical > 0;
	return r;
}

static int watch_insert(struct vcpu *v, uint64_t at, uint64_t len, unsigned type)
{
	int r = kvm_of(v)->inner->watch_insert(v, at, len, type);

	kvm_of(v)->points.nwatches += !r;
	return r;
}

static void watch_remove(struct vcpu *v, uint64_t at, uint64_t len, unsigned type)
{
	struct kvm_points *p = &kvm_of(v)->points;

	kvm_of(v)->inner->watch_remove(v, at, len, type);
	p->nwatches -= p->nwatches > 0;
}

static int event_set(struct vcpu *v, enum engine_event kind, uint64_t lo, uint64_t hi, bool on)
{
	struct kvm_points *p = &kvm_of(v)->points;
	int r = kvm_of(v)->inner->event_set(v, kind, lo, hi, on);

	if (!r && on)
		p->nevents++;
	else if (!r)
		p->nevents -= p->nevents > 0;
	return r;
}

void points_fill_ops(struct engine_ops *ops)
{
	ops->bp_insert = bp_insert;
	ops->bp_remove = bp_remove;
	ops->bp_physical = bp_physical;
	ops->watch_insert = watch_insert;
	ops->watch_remove = watch_remove;
	ops->event_set = event_set;
}

bool points_need_other(const struct kvm_engine *k)
{
	const struct kvm_points *p = &k->points;

	return p->nwatches || p->nevents || p->nphysical || p->nbreaks > KVM_DEBUG_REGISTERS;
}

bool points_break_at(const struct kvm_engine *k, gva pc)
{
	return find(&k->points, pc) < k->points.nbreaks;
}

bool points_to_kvm(struct kvm_engine *k)
{
	struct kvm_points *p = &k->points;
	struct kvm_guest_debug d = { 0 };

	for (unsigned i = 0; i < p->nbreaks && i < KVM_DEBUG_REGISTERS && !k->stepping; i++) {
		d.arch.debugreg[i] = p->breaks[i];
		d.arch.debugreg[7] |= DR7_INIT | DR7_G0 << 2 * i;
	}
	if (d.arch.debugreg[7])
		d.control = KVM_GUESTDBG_ENABLE | KVM_GUESTDBG_USE_HW_BP;
	if (k->stepping)
		d.control = KVM_GUESTDBG_ENABLE | KVM_GUESTDBG_SINGLESTEP;
	if (!memcmp(&d, &p->set, sizeof(d)))
		return true;
	p->set = d;
	if (!ioctl(k->cpu_fd, KVM_SET_GUEST_DEBUG, &d))
		return true;
	snprintf(k->v->error, sizeof(k->v->error), "KVM takes no breakpoints");
	return false;
}
