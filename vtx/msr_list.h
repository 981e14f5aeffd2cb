/* SPDX-License-Identifier: GPL-3.0-or-later
 * The MSR lists of VM entries and exits (SDM vol. 3C 25.7.2, 25.8.2, 27.4, 28.4, 28.6): entries of 16 bytes
 * in guest memory, each read once. What an entry has to be like are the rows of msr_checks.def. */
#ifndef VTX_MSR_LIST_H
#define VTX_MSR_LIST_H
#include "vtx/processor.h"

/* The length that IA32_VMX_MISC bits 27:25 recommend. The entry behind it fails. */
#define VMX_MSR_LIST_MAX 512u

enum vmx_msr_check {
#define MSR_CHECK(id, use, section, text, holds) VMX_MSR_CHECK_##id,
#include "vtx/msr_checks.def"
#undef MSR_CHECK
	VMX_MSR_CHECKS
};
enum vmx_msr_use { VMX_MSR_LOAD = 1, VMX_MSR_STORE = 2, VMX_MSR_BOTH = 3 };
struct vmx_msr_check_row {
	const char *id, *section, *text;
	enum vmx_msr_use use;
};
extern const struct vmx_msr_check_row vmx_msr_check_rows[VMX_MSR_CHECKS];

/* The entry of a list that failed, from 1 (0: none did), which rule, and what it held. */
struct vmx_msr_failure {
	uint32_t number;
	enum vmx_msr_check row;
	uint32_t index;
	uint64_t value;
};

/* Load the MSRs of the list of N entries at AT, store them to it, up to the first that fails. */
struct vmx_msr_failure vmx_msrs_load(struct vmx *x, gpa at, uint32_t n);
struct vmx_msr_failure vmx_msrs_store(struct vmx *x, gpa at, uint32_t n);
/* Which entry would fail a VM entry with the current VMCS, whose other checks hold? Nothing changes. */
struct vmx_msr_failure vmx_msrs_would_fail(const struct vmx *x);
#endif
