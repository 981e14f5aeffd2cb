/* SPDX-License-Identifier: GPL-3.0-or-later
 * See vtx/event.h. */
#include "vtx/event.h"

uint32_t vmx_event_info(const struct vmx_event *e)
{
	return e->vector | (uint32_t)e->type << 8 | (e->has_error ? EVENT_ERROR_CODE : 0) | EVENT_VALID;
}

bool vmx_event_is_software(const struct vmx_event *e)
{
	return e->type == VMX_EVENT_INT_N || e->type == VMX_EVENT_INT1 || e->type == VMX_EVENT_INT3_INTO;
}

bool vmx_take_injection(struct vmx *x, struct vmx_event *e, uint64_t *return_rip)
{
	uint64_t info = x->injection;

	if (!info)
		return false;
	x->injection = 0;
	*e = (struct vmx_event){
		.type = vmx_event_type(info),
		.vector = (uint8_t)vmx_event_vector(info),
		.has_error = info & EVENT_ERROR_CODE,
		.error = x->injection_error,
	};
	*return_rip = x->s.rip;
	if (e->type == VMX_EVENT_OTHER)
		return true;
	if (vmx_event_is_software(e)) {
		e->length = (uint8_t)x->injection_length;
		*return_rip += x->injection_length;
		if (!vmx_mode64(&x->s))
			*return_rip = (uint32_t)*return_rip;
	}
	x->s.activity = VMX_ACTIVE;
	/* Software events leave what waits behind MOV SS (27.7.3). */
	if (!vmx_event_is_software(e) || !(x->s.interruptibility & BLOCK_MOV_SS))
		x->s.pending_debug = 0;
	x->s.interruptibility &= ~(uint32_t)(BLOCK_STI | BLOCK_MOV_SS);
	/* With NMI exiting alone IRET would never unblock (26.3); Linux' KVM expects no blocking then. */
	if (e->type == VMX_EVENT_NMI &&
	    (vmx_on(&x->vmcs.r, VMX_PIN_VIRTUAL_NMIS) || !vmx_on(&x->vmcs.r, VMX_PIN_NMI)))
		x->s.interruptibility |= BLOCK_NMI;
	return true;
}

static bool exception_controlled(const struct vmx *x, const struct vmx_event *e)
{
	const uint64_t *v = x->vmcs.r.value;
	bool bit = v[VMCS_EXCEPTION_BITMAP] >> (e->vector & 31) & 1;

	if (e->type == VMX_EVENT_NMI)
		return vmx_on(&x->vmcs.r, VMX_PIN_NMI);
	if (e->type == VMX_EVENT_INT_N)
		return false;
	if (e->vector != EXC_PF || e->type != VMX_EVENT_EXCEPTION)
		return bit;
	return bit == ((e->error & v[VMCS_PF_ERROR_CODE_MASK]) == v[VMCS_PF_ERROR_CODE_MATCH]);
}

/* Forced, all exit; NMIs and INT N are not concerned. */
bool vmx_exception_exits(const struct vmx *x, const struct vmx_event *e)
{
	uint8_t how = x->steer.how[VMX_REASON_EXCEPTION_NMI];

	if (!how || e->type == VMX_EVENT_NMI || e->type == VMX_EVENT_INT_N)
		return exception_controlled(x, e);
	return how == VMX_FORCED;
}

void vmx_exit_by_event(struct vmx_exit *exit, const struct vmx_event *e, uint64_t address)
{
	bool addressed = e->type == VMX_EVENT_EXCEPTION || e->type == VMX_EVENT_INT1;

	*exit = (struct vmx_exit){
		.reason =
		    e->type == VMX_EVENT_EXTERNAL ? VMX_REASON_EXTERNAL_INTERRUPT : VMX_REASON_EXCEPTION_NMI,
		.qualification = addressed && (e->vector == EXC_PF || e->vector == EXC_DB) ? address : 0,
		.instruction_length = vmx_event_is_software(e) ? e->length : 0,
		.event = vmx_event_info(e),
		.event_error = e->has_error ? e->error : 0,
	};
}

void vmx_exit_vectoring(struct vmx_exit *exit, const struct vmx_event *delivered)
{
	bool double_fault = exit->reason == VMX_REASON_EXCEPTION_NMI && exit->event & EVENT_VALID &&
			    vmx_event_type(exit->event) == VMX_EVENT_EXCEPTION &&
			    vmx_event_vector(exit->event) == EXC_DF;

	if (exit->reason == VMX_REASON_TRIPLE_FAULT || double_fault || delivered->type == VMX_EVENT_OTHER)
		return;
	exit->vectoring = vmx_event_info(delivered);
	exit->vectoring_error = delivered->has_error ? delivered->error : 0;
	if (vmx_event_is_software(delivered))
		exit->instruction_length = delivered->length;
}

/* 28.2.2, 28.2.1: bit 12 of the interruption information, and of the qualification of EPT violations and
 * of a full log. */
void vmx_exit_unblocked(struct vmx_exit *exit)
{
	if (exit->vectoring & EVENT_VALID)
		return;
	if (exit->reason == VMX_REASON_EPT_VIOLATION || exit->reason == VMX_REASON_PML_FULL)
		exit->qualification |= EVENT_NMI_UNBLOCKING;
	else if (exit->reason == VMX_REASON_EXCEPTION_NMI &&
		 vmx_event_type(exit->event) == VMX_EVENT_EXCEPTION &&
		 vmx_event_vector(exit->event) != EXC_DF)
		exit->event |= EVENT_NMI_UNBLOCKING;
}

bool vmx_exit_converted(struct vmx *x, const struct vmx_exit *exit)
{
	gpa at = x->vmcs.r.value[VMCS_VE_INFORMATION_ADDRESS];
	struct {
		uint32_t reason, busy;
		uint64_t qualification, linear, physical;
		uint16_t eptp_index;
	} info = { VMX_REASON_EPT_VIOLATION, ~0u,
		   exit->qualification,	     exit->linear,
		   exit->physical,	     (uint16_t)x->vmcs.r.value[VMCS_EPTP_INDEX] };
	uint32_t busy;

	if (exit->reason != VMX_REASON_EPT_VIOLATION || !VMX_ON(&x->vmcs.r, PROC2_EPT_VIOLATION_VE))
		return false;
	x->mem.read(x->mem.ctx, at + 4, &busy, 4);
	if (busy)
		return false;
	x->mem.write(x->mem.ctx, at, &info, 34);
	return true;
}
