/* SPDX-License-Identifier: GPL-3.0-or-later
 * VM entries and VM exits: pure functions on the state of a processor (SDM vol. 3C ch. 27 and 28). What an
 * engine adds is its own: which translations survive, when the preemption timer expires, the delivery of
 * events. */
#ifndef VTX_TRANSITION_H
#define VTX_TRANSITION_H
#include "vtx/processor.h"

enum vmx_reason {
#define REASON(number, id, name, rip) VMX_REASON_##id = number,
#include "vtx/reasons.def"
#undef REASON
	VMX_REASONS
};
#define VMX_REASON_ENTRY_FAILURE (1u << 31) /* of the exit-reason field */

/* Where RIP of the guest is at the exit. */
enum vmx_reason_rip { VMX_RIP_FAULT, VMX_RIP_TRAP, VMX_RIP_EVENT };
struct vmx_reason_row {
	const char *id, *name; /* NULL: no such reason */
	enum vmx_reason_rip rip;
};
extern const struct vmx_reason_row vmx_reasons[VMX_REASONS];

/* What became of an instruction or an exit. */
enum vmx_result {
	VMX_NEXT,	  /* complete: RIP is that of the next instruction, flags say how it went */
	VMX_FAULT,	  /* nothing changed; vmx.exception is to be delivered */
	VMX_ENTERED,	  /* the state is the guest's; vmx.injection may be set */
	VMX_ENTRY_FAILED, /* exit reason 33 or 34; the state is the host's */
	VMX_EXITED,	  /* the state is the host's */
	VMX_SMM_EXIT,	  /* an SMM VM exit is due (32.15.2); the state is unchanged */
	VMX_ABORTED,	  /* a VMX abort: the processor has shut down */
};

enum vmx_abort {
	VMX_ABORT_SAVE_MSR = 1,
	VMX_ABORT_HOST_PDPTE,
	VMX_ABORT_VMCS,
	VMX_ABORT_LOAD_MSR,
	VMX_ABORT_MACHINE_CHECK,
	VMX_ABORT_HOST_32, /* the guest is in IA-32e mode, the host is not */
};

/* What an exit records (28.2). Fields that do not apply are 0. */
struct vmx_exit {
	uint32_t reason; /* and bits above the basic reason; not bit 31 */
	bool rf;	 /* RF is saved as set, whatever RFLAGS has (28.3.3) */
	uint64_t qualification;
	uint32_t instruction_length, instruction_info;
	uint32_t event, event_error;	     /* what exited */
	uint32_t vectoring, vectoring_error; /* what was being delivered */
	uint64_t linear, physical;
};

/* Check and load the guest's state from the current VMCS, which is valid and not a shadow VMCS. VMX_NEXT: a
 * check of controls or host state failed, *ERROR says which; nothing else changed. */
enum vmx_result vmx_enter(struct vmx *x, unsigned *error);
/* Leave the guest: save its state, load the host's. */
enum vmx_result vmx_leave(struct vmx *x, const struct vmx_exit *e);

/* An exit by E that changes nothing of the guest's state, and the entry after it: record and log both. */
void vmx_note_exit(struct vmx *x, const struct vmx_exit *e);

/* ---- parts of the above ---- */

void vmx_load_guest(struct vmx *x, const uint64_t pdpte[4]);
void vmx_save_guest(struct vmx *x);
/* False: the host's PDPTEs are not valid. */
bool vmx_load_host(struct vmx *x);
#endif
