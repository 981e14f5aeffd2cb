/* SPDX-License-Identifier: GPL-3.0-or-later
 * What a person changes about the exits of a guest, above the controls of its VMCS, which stay as the guest's
 * hypervisor wrote them: exits that are forced or suppressed, one event to inject, one step. As breakpoints
 * do, it survives a reset and is in no snapshot. */
#ifndef VTX_STEER_H
#define VTX_STEER_H
#include "base/types.h"

enum vmx_steering { VMX_AS_CONTROLLED, VMX_FORCED, VMX_SUPPRESSED };
#define VMX_STEERED 80 /* exit reasons */

struct vmx_steer {
	uint8_t how[VMX_STEERED]; /* enum vmx_steering by exit reason */
	bool step;		  /* an MTF VM exit is due after the next instruction of a guest, once */
	uint32_t event;		  /* for the next VM entry that injects nothing itself: as its VM-entry */
	uint32_t event_error;	  /* interruption information, error code ... */
	uint32_t event_length;	  /* ... and instruction length; 0: none */
};
#endif
