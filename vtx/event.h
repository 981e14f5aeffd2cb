/* SPDX-License-Identifier: GPL-3.0-or-later
 * Events at VM entries and exits: injection (SDM vol. 3C 27.6), what an exit tells of an event that it is
 * caused by or that it interrupts (28.2.2, 28.2.4), and which exceptions exit (26.2). */
#ifndef VTX_EVENT_H
#define VTX_EVENT_H
#include "vtx/bits.h"
#include "vtx/transition.h"

struct vmx_event {
	enum vmx_event_type type;
	uint8_t vector;
	bool has_error;
	uint32_t error;
	uint8_t length; /* of the instruction, for software events; else 0 */
};

/* Write E as interruption information, valid bit included. */
uint32_t vmx_event_info(const struct vmx_event *e);
bool vmx_event_is_software(const struct vmx_event *e);

/* Take the event that the last VM entry injects: the guest becomes active and, by an NMI, blocks NMIs.
 * *RETURN_RIP is what its delivery pushes. An event of type VMX_EVENT_OTHER is not delivered: an MTF VM exit
 * is pending. False: none is injected. */
bool vmx_take_injection(struct vmx *x, struct vmx_event *e, uint64_t *return_rip);

/* Does exception E exit, by the exception bitmap and for #PF by its error code? */
bool vmx_exception_exits(const struct vmx *x, const struct vmx_event *e);
/* Make EXIT the exit that E causes; ADDRESS is that of #PF, or the qualification of #DB. */
void vmx_exit_by_event(struct vmx_exit *exit, const struct vmx_event *e, uint64_t address);
/* Record in EXIT that DELIVERED was being delivered. Without effect when the exit is a triple fault or by
 * #DF, which replace that event. */
void vmx_exit_vectoring(struct vmx_exit *exit, const struct vmx_event *delivered);
/* EXIT, its vectoring included, is by a fault of an IRET that has unblocked NMIs: say so where it is defined.
 */
void vmx_exit_unblocked(struct vmx_exit *exit);
/* EXIT happened outside of the delivery of an event, in protected mode. True: it is an EPT violation that is
 * a virtualization exception instead (SDM vol. 3C 26.5.7), whose information has been stored; the caller
 * raises it. */
bool vmx_exit_converted(struct vmx *x, const struct vmx_exit *exit);
#endif
