/* SPDX-License-Identifier: GPL-3.0-or-later
 * Breakpoints, of the debugger and of the guest's own debug registers. */
#ifndef BT_DEBUG_DEBUG_H
#define BT_DEBUG_DEBUG_H
#include "bt/state/vcpu.h"

/* ---- debug/breakpoint.c ---- */
bool bp_user_at(const struct bt_vcpu *b, gva pc); /* the debugger's, by linear or physical address */
/* Or the guest's own; PAGE: where the code at PC is, UINT32_MAX: no RAM. */
bool bp_at(const struct bt_vcpu *b, gva pc, ppn page);
void bp_insert(struct vcpu *v, gva lin);
void bp_remove(struct vcpu *v, gva lin);
int bp_physical(struct vcpu *v, gpa at, bool on);
/* Add (ON) or remove an event filter. -1: there is no room. */
int bp_event_set(struct vcpu *v, enum engine_event kind, uint64_t lo, uint64_t hi, bool on);

/* ---- debug/guest.c ---- */
bool guest_debug_stale(const struct bt_vcpu *b);	  /* DR0 to DR3 or DR7 have changed since: */
void guest_debug_set(struct bt_vcpu *b);		  /* put them in force */
unsigned guest_debug_at(const struct bt_vcpu *b, gva pc); /* on code: the bits of DR6 */
/* Does translation end in front of pc for a breakpoint in force, or one that was? */
bool guest_debug_splits(const struct bt_vcpu *b, gva pc);
/* Such a pc was reached while there is no breakpoint. */
void guest_debug_vain(struct bt_vcpu *b, gva pc);
#endif
