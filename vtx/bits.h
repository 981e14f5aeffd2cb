/* SPDX-License-Identifier: GPL-3.0-or-later
 * Bits that VMX knows of and the processors of x86/ do not have yet. */
#ifndef VTX_BITS_H
#define VTX_BITS_H
#include "x86/cpu.h"

#define VMX_CR4_LA57 (1ull << 12)
#define VMX_CR4_VMXE (1ull << 13)
#define VMX_CR4_PCIDE (1ull << 17)
#define VMX_CR4_CET (1ull << 23)

/* IA32_FEATURE_CONTROL, IA32_SMM_MONITOR_CTL. */
enum {
	FEATURE_CONTROL_LOCK = 1,
	FEATURE_CONTROL_VMX_IN_SMX = 2,
	FEATURE_CONTROL_VMX = 4,
	SMM_MONITOR_VALID = 1,
	SMM_MONITOR_UNBLOCK = 4
};

/* Bits that these MSRs can have; S_CET and BNDCFGS: bits above the listed ones are an address. */
#define DEBUGCTL_VALID 0x5fc3ull
#define DEBUGCTL_BTF 2u
#define DEBUGCTL_BUS_LOCK 4u
#define RTIT_CTL_VALID 0x0180ffff8f7bffffull
#define LBR_CTL_VALID 0x7f000full
#define S_CET_RESERVED 0x3c0ull
#define S_CET_SUPPRESS 0x400ull
#define S_CET_TRACKER 0x800ull
#define BNDCFGS_RESERVED 0xffcull
#define RFLAGS_RESERVED 0xffffffffffc08028ull /* bits that are 0 */

/* The interruptibility field (SDM vol. 3C 25.4.2); the first two as SHADOW_* of x86/cpu.h. */
enum { BLOCK_STI = SHADOW_STI, BLOCK_MOV_SS = SHADOW_SS, BLOCK_SMI = 4, BLOCK_NMI = 8, BLOCK_ENCLAVE = 16 };
enum vmx_activity { VMX_ACTIVE, VMX_HALTED, VMX_SHUTDOWN, VMX_WAIT_FOR_SIPI };
/* Pending debug exceptions; 3:0 are breakpoints. */
enum { PENDING_BUS_LOCK = 1 << 11, PENDING_ENABLED = 1 << 12, PENDING_BS = 1 << 14 };

/* Interruption information: of events to inject, of exits, of vectoring (25.8.3, 25.9.2, 25.9.3). */
enum vmx_event_type {
	VMX_EVENT_EXTERNAL,
	VMX_EVENT_RESERVED,
	VMX_EVENT_NMI,
	VMX_EVENT_EXCEPTION,
	VMX_EVENT_INT_N,
	VMX_EVENT_INT1,	     /* privileged software exception */
	VMX_EVENT_INT3_INTO, /* software exception */
	VMX_EVENT_OTHER,     /* vector 0: pending MTF VM exit */
};
#define EVENT_ERROR_CODE (1u << 11)
#define EVENT_NMI_UNBLOCKING (1u << 12) /* of exits */
#define EVENT_VALID (1u << 31)
static inline enum vmx_event_type vmx_event_type(uint64_t info)
{
	return (enum vmx_event_type)(info >> 8 & 7);
}
static inline unsigned vmx_event_vector(uint64_t info)
{
	return info & 0xff;
}
#endif
