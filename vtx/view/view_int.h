/* SPDX-License-Identifier: GPL-3.0-or-later
 * Inside vtx/view: the views, and texts. */
#ifndef VTX_VIEW_VIEW_INT_H
#define VTX_VIEW_VIEW_INT_H
#include <stddef.h>

#include "cpu/exit_view.h"
#include "vtx/view.h"

/* Their owner is the struct vmx. */
extern const struct view view_vmx, view_vmcs, view_vmcs_list, view_vmcs_check, view_vmx_controls, view_ept,
    view_msr_bitmap, view_io_bitmap;

/* The state of X, as it is while the vCPU is stopped. */
static inline void vmx_refresh(struct vmx *x)
{
	if (x->ops && x->ops->refresh)
		x->ops->refresh(x);
}

#define NO_VMCS "no VMCS is current; VMPTRLD makes one current"

extern const struct exit_texts vmx_exit_texts;

enum { DECODE_TEXT = EXIT_TEXT };
/* The meaning of VALUE in field F of R, bit by bit; "" if it is a plain number. */
void vmx_field_text(const struct vmcs_region *r, enum vmcs_field f, uint64_t value, char *buf, size_t len);
/* The meaning of an exit's qualification, and of what it says of events. */
void vmx_exit_text(const struct exit_log_exit *e, char *buf, size_t len);
void vmx_event_text(uint32_t info, char *buf, size_t len);
/* The name of an exit reason, "reason N" if it has none. */
const char *vmx_reason_text(uint32_t reason, char *buf, size_t len);
/* Why the last entry failed, in one line. */
void vmx_failure_text(const struct vmx_log_failure *f, char *buf, size_t len);

/* The field called NAME, or with that encoding; VMCS_NO_FIELD: none. */
enum vmcs_field vmx_field_named(const char *name);
/* The reason called NAME, or numbered so; VMX_REASONS: none. */
unsigned vmx_reason_named(const char *name);
#endif
