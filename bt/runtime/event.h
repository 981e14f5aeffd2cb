/* SPDX-License-Identifier: GPL-3.0-or-later
 * Events that stop the guest where a filter asks for it. GPR-only. */
#ifndef BT_RUNTIME_EVENT_H
#define BT_RUNTIME_EVENT_H
#include "bt/state/vcpu.h"

/* An event happened at PC; stops when a filter matches it. */
void runtime_event_hit(struct bt_vcpu *b, enum engine_event kind, uint64_t number, uint64_t val, bool write,
		       gva pc);
static inline void runtime_event(struct bt_vcpu *b, enum engine_event kind, uint64_t number, uint64_t val,
				 bool write, gva pc)
{
	if (__builtin_expect(b->debug.event_kinds >> kind & 1, 0))
		runtime_event_hit(b, kind, number, val, write, pc);
}
/* Reports the last exit, or failed entry, of a virtualization extension. Where one may have happened. */
void runtime_virt_hit(struct bt_vcpu *b);
static inline void runtime_virt_event(struct bt_vcpu *b)
{
	if (__builtin_expect(b->debug.event_kinds & (1u << ENGINE_EV_EXIT | 1u << ENGINE_EV_ENTRY_FAILURE),
			     0))
		runtime_virt_hit(b);
}
/* The exceptions raised by the delivery of another (v.chain from FIRST on), which is emptied unless OK is
 * false: the processor has shut down. */
void runtime_chain_events(struct bt_vcpu *b, unsigned first, bool ok);
/* Likewise for the write of control register N, OLD the CR0 before. */
void runtime_cr_event(struct bt_vcpu *b, unsigned n, uint32_t old, gva pc);
/* Reports entering or leaving virtual-8086 mode. For places where control may have been transferred. */
void runtime_vm_changed(struct bt_vcpu *b);
static inline void runtime_vm_event(struct bt_vcpu *b)
{
	if (__builtin_expect(b->debug.event_kinds >> ENGINE_EV_MODE & 1, 0))
		runtime_vm_changed(b);
}
#endif
