/* SPDX-License-Identifier: GPL-3.0-or-later
 * The checks of VM entries on controls, host state and guest state, as rows in the manual's order (SDM vol.
 * 3C 27.2, 27.3.1). Each row can be asked without entering: vmx_check_row() says whether it applies and
 * holds. The checks of the MSR-load area (27.4) are made while it is loaded: vtx/msr_list.h. */
#ifndef VTX_CHECKS_H
#define VTX_CHECKS_H
#include "vtx/processor.h"

enum vmx_error {
#define VMX_ERROR(number, id, text) VMX_ERROR_##id = number,
#include "vtx/errors.def"
#undef VMX_ERROR
	VMX_ERRORS
};
/* The text of VM-instruction error N; NULL: there is none. */
const char *vmx_error_text(unsigned n);

enum vmx_check_group {
	VMX_GROUP_EXECUTION,
	VMX_GROUP_EXIT,
	VMX_GROUP_ENTRY,
	VMX_GROUP_EXECUTIVE,
	VMX_GROUP_EXECUTIVE_LAUNCH,
	VMX_GROUP_EXECUTIVE_VMXON,
	VMX_GROUP_EXECUTIVE_CONTROLS,
	VMX_GROUP_HOST,
	VMX_GROUP_GUEST,
	VMX_GROUP_GUEST_NMI,
	VMX_GROUP_GUEST_LINK,
	VMX_GROUP_GUEST_PDPTE,
	VMX_GROUPS
};
/* What a failure is: a VM-instruction error, or (error 0) a failed entry with exit reason 33. */
struct vmx_check_group_row {
	const char *name;
	enum vmx_error error;
	uint64_t qualification;
};
extern const struct vmx_check_group_row vmx_check_groups[VMX_GROUPS];

enum vmx_check {
#define CHECK(id, group, section, field, text, when, holds) VMX_CHECK_##id,
#include "vtx/checks.def"
#undef CHECK
	VMX_CHECKS
};

/* What the checks look at: the processor, a VMCS, and what is read from memory, once. */
struct vmx_checking {
	const struct vmx *x;
	const struct vmcs_region *r;
	gpa at;
	uint64_t on[VMX_WORDS]; /* the controls; 0: a word that is not activated */
	bool pae;		/* the guest uses PAE paging */
	uint64_t pdpte[4];
};

struct vmx_check_row {
	const char *id, *section, *text;
	enum vmx_check_group group;
	enum vmcs_field field;
	bool (*when)(const struct vmx_checking *c);
	bool (*holds)(const struct vmx_checking *c);
};
extern const struct vmx_check_row vmx_check_rows[VMX_CHECKS];

enum vmx_verdict { VMX_NOT_APPLICABLE, VMX_HOLDS, VMX_FAILS };

/* Prepare to check V on processor X. */
void vmx_checking_init(struct vmx_checking *c, const struct vmx *x, const struct vmcs *v);
enum vmx_verdict vmx_check_row(const struct vmx_checking *c, enum vmx_check row);
/* Return the first row that fails; VMX_CHECKS: none. This is what a VM entry asks, in a third of the time
 * that the rows take one by one. */
enum vmx_check vmx_check_all(const struct vmx_checking *c);
/* Is nothing special about the state that moves and about memory: no event to inject, none blocked, the guest
 * active, not in virtual-8086 mode, PDPTEs valid? Of two such states with the same other fields, the checks
 * say the same. */
bool vmx_checks_steady(const struct vmx_checking *c);
/* vmx_check_all() from row FROM to before TO; TO: none. */
enum vmx_check vmx_check_first(const struct vmx_checking *c, enum vmx_check from, enum vmx_check to);
/* The first row about guest state; those before it are failures of the instruction. */
#define VMX_CHECK_FIRST_GUEST VMX_CHECK_GUEST_CR0
#endif
