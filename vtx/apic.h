/* SPDX-License-Identifier: GPL-3.0-or-later
 * The virtual APIC (SDM vol. 3C ch. 30): which accesses of a guest are virtualized, what they do to the
 * virtual-APIC page, virtual interrupts, posted interrupts. Functions on the current VMCS and the pages that
 * it points to. The engine makes the accesses, knows whether interrupts are possible, and delivers. */
#ifndef VTX_APIC_H
#define VTX_APIC_H
#include "vtx/transition.h"

/* What follows a write, a trap: an exit behind the instruction. NONE: 0, no exit. */
struct vmx_apic_trap {
	uint32_t reason; /* VMX_REASON_TPR_BELOW_THRESHOLD, VIRTUAL_EOI, APIC_WRITE */
	uint32_t qualification;
	bool due;
};

/* Types of access in an exit's qualification. */
enum vmx_apic_access {
	VMX_APIC_READ,
	VMX_APIC_WRITE,
	VMX_APIC_FETCH,
	VMX_APIC_DELIVERY,		 /* linear, during the delivery of an event */
	VMX_APIC_PHYSICAL_DELIVERY = 10, /* of a paging structure ... */
	VMX_APIC_PHYSICAL = 15,
};

/* Is an access of N bytes at OFFSET of the APIC-access page virtualized? No: it exits. */
bool vmx_apic_virtualized(const struct vmx *x, unsigned offset, unsigned n, bool write);
/* Make such an access. */
void vmx_apic_read(const struct vmx *x, unsigned offset, void *buf, unsigned n);
struct vmx_apic_trap vmx_apic_write(struct vmx *x, unsigned offset, const void *buf, unsigned n);

/* RDMSR and WRMSR of an x2APIC register, which do not exit. 1: done, 0: not virtualized, -1: #GP. */
int vmx_apic_rdmsr(const struct vmx *x, uint32_t msr, uint64_t *val);
int vmx_apic_wrmsr(struct vmx *x, uint32_t msr, uint64_t val, struct vmx_apic_trap *trap);

/* What a VM entry does at its end. */
struct vmx_apic_trap vmx_apic_enter(struct vmx *x);
/* Is a virtual interrupt pending that its priority lets through? */
bool vmx_apic_pending(const struct vmx *x);
/* Take it: the vector to deliver. */
uint8_t vmx_apic_take(struct vmx *x);
/* The notification vector was acknowledged: take over what was posted. */
void vmx_apic_posted(struct vmx *x);
#endif
