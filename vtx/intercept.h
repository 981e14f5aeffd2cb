/* SPDX-License-Identifier: GPL-3.0-or-later
 * Which instructions of a guest exit, and what the exit says of them (SDM vol. 3C 25.6, 26.1, 26.3, 28.2.1).
 * Questions about the current VMCS; nothing changes here. An engine asks once and builds its intercepts from
 * the answers. */
#ifndef VTX_INTERCEPT_H
#define VTX_INTERCEPT_H
#include "vtx/transition.h"

enum vmx_intercept {
#define INTERCEPT(id, reason, control, enable) VMX_INTERCEPT_##id,
#include "vtx/intercepts.def"
#undef INTERCEPT
	VMX_INTERCEPTS
};
struct vmx_intercept_row {
	const char *id;
	enum vmx_reason reason;
	enum vmx_control control, enable;
};
extern const struct vmx_intercept_row vmx_intercepts[VMX_INTERCEPTS];

enum vmx_intercepted { VMX_RUNS, VMX_EXITS, VMX_UNDEFINED /* #UD */ };
enum vmx_intercepted vmx_intercepted(const struct vmx *x, enum vmx_intercept i);
/* Can exits for REASON be forced and suppressed (vtx/steer.h)? Questions here and in event.h heed it. */
bool vmx_steerable(enum vmx_reason reason);
/* Do external interrupts exit? Does an access of a control register for which the VMCS alone asks for
 * nothing? */
bool vmx_intr_exits(const struct vmx *x);
bool vmx_cr_forced(const struct vmx *x);
/* Does an MTF VM exit follow the guest's next instruction? */
bool vmx_mtf(const struct vmx *x);

/* IN, OUT, INS, OUTS of SIZE bytes at PORT; RDMSR and WRMSR. */
bool vmx_io_exits(const struct vmx *x, uint16_t port, unsigned size);
bool vmx_msr_exits(const struct vmx *x, uint32_t msr, bool write);

/* Writes of CR0 and CR4: true, an exit, or *RESULT is the value that the register gets, of which REAL is the
 * value now. VMX operation's fixed bits are the caller's to check. */
bool vmx_cr0_exits(const struct vmx *x, uint64_t real, uint64_t value, uint64_t *result);
bool vmx_cr4_exits(const struct vmx *x, uint64_t real, uint64_t value, uint64_t *result);
bool vmx_lmsw_exits(const struct vmx *x, uint64_t real, uint16_t value, uint64_t *result);
bool vmx_clts_exits(const struct vmx *x, uint64_t real, uint64_t *result);
bool vmx_cr3_exits(const struct vmx *x, uint64_t value);
/* What the guest reads in them. */
uint64_t vmx_cr0_read(const struct vmx *x, uint64_t real);
uint64_t vmx_cr4_read(const struct vmx *x, uint64_t real);

/* The time-stamp counter as the guest reads it, TSC being the processor's. */
uint64_t vmx_guest_tsc(const struct vmx *x, uint64_t tsc);

/* ---- exit qualifications ---- */

struct vmx_io {
	uint16_t port;
	uint8_t size; /* in bytes: 1, 2, 4 */
	bool in, string, rep, immediate;
};
uint64_t vmx_io_qualification(const struct vmx_io *io);

enum vmx_cr_access { VMX_CR_WRITE, VMX_CR_READ, VMX_CR_CLTS, VMX_CR_LMSW };
/* REG: of MOV; SOURCE: of LMSW, MEMORY if it is there. */
uint64_t vmx_cr_qualification(unsigned cr, enum vmx_cr_access access, unsigned reg, uint16_t source,
			      bool memory);
uint64_t vmx_dr_qualification(unsigned dr, bool read, unsigned reg);
enum vmx_task_source { VMX_TASK_CALL, VMX_TASK_IRET, VMX_TASK_JMP, VMX_TASK_GATE };
uint64_t vmx_task_qualification(uint16_t selector, enum vmx_task_source source);
#endif
