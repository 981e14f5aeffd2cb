/* SPDX-License-Identifier: GPL-3.0-or-later
 * See vtx/msr_list.h. */
#include "vtx/msr_list.h"
#include "base/gpr.h"
#include "vtx/transition.h"

struct msr_entry {
	uint32_t index, reserved;
	uint64_t value;
};
enum { MSR_SMM_MONITOR_CTL = 0x9b, MSR_SMBASE = 0x9e, MSR_FS_BASE = 0xc0000100u, MSR_GS_BASE };

const struct vmx_msr_check_row vmx_msr_check_rows[VMX_MSR_CHECKS] = {
#define MSR_CHECK(id, use, section, text, holds) { #id, section, text, VMX_MSR_##use },
#include "vtx/msr_checks.def"
#undef MSR_CHECK
};

/* The first rule that entry E, number I from 0, does not keep; VMX_MSR_CHECKS: it keeps all. */
static enum vmx_msr_check first_failing(struct vmx *x, const struct msr_entry *e, uint32_t i,
					enum vmx_msr_use as)
{
	uint64_t value;

#define MSR_CHECK(id, use, section, text, holds)                                                             \
	if ((VMX_MSR_##use & as) && !(holds))                                                                \
		return VMX_MSR_CHECK_##id;
#include "vtx/msr_checks.def"
#undef MSR_CHECK
	return VMX_MSR_CHECKS;
}

/* An MSR as VMX state is written even for a question: the next entries depend on it. */
static void load_entry(struct vmx *x, const struct msr_entry *e, bool ask)
{
	if (!ask || vmx_msr_is_state(x, e->index))
		vmx_wrmsr(x, e->index, e->value);
}

static struct vmx_msr_failure use_list(struct vmx *x, gpa at, uint32_t n, enum vmx_msr_use as, bool ask)
{
	for (uint32_t i = 0; i < n; i++) {
		struct msr_entry e;
		enum vmx_msr_check row;

		x->mem.read(x->mem.ctx, at + 16ull * i, &e, sizeof(e));
		row = first_failing(x, &e, i, as);
		if (row != VMX_MSR_CHECKS)
			return (struct vmx_msr_failure){ i + 1, row, e.index, e.value };
		if (as == VMX_MSR_LOAD) {
			load_entry(x, &e, ask);
		} else {
			vmx_rdmsr(x, e.index, &e.value);
			x->mem.write(x->mem.ctx, at + 16ull * i + offsetof(struct msr_entry, value), &e.value,
				     8);
		}
	}
	return (struct vmx_msr_failure){ .row = VMX_MSR_CHECKS };
}

struct vmx_msr_failure vmx_msrs_load(struct vmx *x, gpa at, uint32_t n)
{
	return use_list(x, at, n, VMX_MSR_LOAD, false);
}

struct vmx_msr_failure vmx_msrs_store(struct vmx *x, gpa at, uint32_t n)
{
	return use_list(x, at, n, VMX_MSR_STORE, false);
}

struct vmx_msr_failure vmx_msrs_would_fail(const struct vmx *x)
{
	static const uint64_t pdpte[4];
	const uint64_t *v = x->vmcs.r.value;
	struct vmx guest;

	gpr_copy(&guest, x, sizeof(guest));
	vmx_load_guest(&guest, pdpte);
	return use_list(&guest, v[VMCS_ENTRY_MSR_LOAD_ADDRESS], (uint32_t)v[VMCS_ENTRY_MSR_LOAD_COUNT],
			VMX_MSR_LOAD, true);
}
