/* SPDX-License-Identifier: GPL-3.0-or-later
 * Views and controls of VMX, on the state of a processor: what virt.controls (cpu/virt.h) points to. Not
 * GPR-only, apart from the table's take(): views are read while the vCPU is stopped, counters at any time. */
#ifndef VTX_VIEW_H
#define VTX_VIEW_H
#include "vtx/log.h"
#include "x86/engine_virt.h"

/* Give X a log, and return its views and controls; X outlives them. */
const struct engine_virt *vmx_controls_new(struct vmx *x);
/* Free them; X has no log then. */
void vmx_controls_free(const struct engine_virt *c);
/* The views, for the manual; their owner is X. */
extern const struct view *const vmx_views[];
#endif
