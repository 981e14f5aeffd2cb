/* SPDX-License-Identifier: GPL-3.0-or-later
 * See vtx/checks.h. The rows are in checks.def; here is what their expressions use. */
#include "vtx/checks.h"
#include "vtx/bits.h"
#include "x86/descriptor.h"

const struct vmx_check_group_row vmx_check_groups[VMX_GROUPS] = {
	[VMX_GROUP_EXECUTION] = { "VM-execution controls", VMX_ERROR_CONTROLS, 0 },
	[VMX_GROUP_EXIT] = { "VM-exit controls", VMX_ERROR_CONTROLS, 0 },
	[VMX_GROUP_ENTRY] = { "VM-entry controls", VMX_ERROR_CONTROLS, 0 },
	[VMX_GROUP_EXECUTIVE] = { "executive VMCS", VMX_ERROR_EXECUTIVE_POINTER, 0 },
	[VMX_GROUP_EXECUTIVE_LAUNCH] = { "executive VMCS", VMX_ERROR_EXECUTIVE_NOT_LAUNCHED, 0 },
	[VMX_GROUP_EXECUTIVE_VMXON] = { "executive VMCS", VMX_ERROR_EXECUTIVE_NOT_VMXON, 0 },
	[VMX_GROUP_EXECUTIVE_CONTROLS] = { "executive VMCS", VMX_ERROR_EXECUTIVE_CONTROLS, 0 },
	[VMX_GROUP_HOST] = { "host state", VMX_ERROR_HOST_STATE, 0 },
	[VMX_GROUP_GUEST] = { "guest state", 0, 0 },
	[VMX_GROUP_GUEST_NMI] = { "guest state", 0, 3 },
	[VMX_GROUP_GUEST_LINK] = { "guest state", 0, 4 },
	[VMX_GROUP_GUEST_PDPTE] = { "guest state", 0, 2 },
};

static const char *const error_texts[VMX_ERRORS] = {
#define VMX_ERROR(number, id, text) [number] = text,
#include "vtx/errors.def"
#undef VMX_ERROR
};

const char *vmx_error_text(unsigned n)
{
	return n < VMX_ERRORS ? error_texts[n] : NULL;
}

/* ---- what the rows are written in ---- */

#define F(id) (c->r->value[VMCS_##id])
#define ON(id) (c->on[VMX_WORD_OF_##id] >> VMX_BIT_OF_##id & 1)
#define LONG_MODE (c->x->caps.model.long_mode)
#define IN_LONG_MODE ((vmx_efer(&c->x->s) & EFER_LMA) != 0)
#define IA32E ON(ENTRY_IA32E_GUEST)
#define V86 ((F(GUEST_RFLAGS) & FL_VM) != 0)
#define UNRESTRICTED ON(PROC2_UNRESTRICTED_GUEST)
#define AR(s) (F(GUEST_##s##_ACCESS_RIGHTS))
#define USABLE(s) (!(AR(s) & AR_UNUSABLE))
#define DPL(s) (AR(s) >> SA_DPL_SHIFT & 3)
#define GUEST_64 (IA32E && AR(CS) & SA_L)
#define INFO (F(ENTRY_INTERRUPTION_INFO))
#define TYPE vmx_event_type(INFO)
#define VECTOR vmx_event_vector(INFO)

static inline bool in_range(const struct vmx_checking *c, uint64_t address)
{
	return vmx_address_ok(&c->x->caps, address);
}

static inline bool page_ok(const struct vmx_checking *c, uint64_t address)
{
	return !(address & PAGE_MASK) && in_range(c, address);
}

/* An MSR area of N entries: its first and its last byte. */
static inline bool area_ok(const struct vmx_checking *c, uint64_t address, uint64_t n)
{
	return in_range(c, address) && in_range(c, address + 16 * n - 1);
}

static inline bool canonical(const struct vmx_checking *c, uint64_t address)
{
	return vmx_canonical(&c->x->caps, address);
}

/* RIP and SSP: the bits from the linear-address width up are equal; the bit below may differ from them (SDM
 * vol. 3C 27.3.1.4). */
static inline bool canonical_rip(const struct vmx_checking *c, uint64_t address)
{
	uint64_t above = ~0ull << c->x->caps.model.linear;

	return !(address & above) || (address & above) == above;
}

static inline bool cr3_ok(const struct vmx_checking *c, uint64_t cr3)
{
	return !(cr3 >> c->x->caps.model.address);
}

static uint32_t word_at(const struct vmx_checking *c, gpa at)
{
	uint32_t w;

	c->x->mem.read(c->x->mem.ctx, at, &w, sizeof(w));
	return w;
}

static bool word_active(const struct vmx_checking *c, enum vmx_word w)
{
	switch (w) {
	case VMX_PROC2:
		return VMX_ON(c->r, PROC_SECONDARY);
	case VMX_PROC3:
		return VMX_ON(c->r, PROC_TERTIARY);
	case VMX_EXIT2:
		return VMX_ON(c->r, EXIT_SECONDARY);
	default:
		return true;
	}
}

static bool word_allowed(const struct vmx_checking *c, enum vmx_word w)
{
	uint64_t v = c->r->value[vmx_words[w].field];
	bool is_true = vmx_capable(&c->x->caps, VMX_CAP_TRUE_CONTROLS);
	uint64_t must = is_true ? c->x->caps.word[w].true_must : c->x->caps.word[w].must;

	return (v & must) == must && !(v & ~c->x->caps.word[w].may);
}

/* The virtual task-priority register, in the virtual-APIC page. */
static unsigned vtpr(const struct vmx_checking *c)
{
	return page_ok(c, F(VIRTUAL_APIC_ADDRESS)) ? word_at(c, F(VIRTUAL_APIC_ADDRESS) + 0x80) & 0xff : 0xff;
}

static bool eptp_switching(const struct vmx_checking *c)
{
	return ON(PROC2_VM_FUNCTIONS) && F(VM_FUNCTION_CONTROLS) & c->x->caps.vmfunc & 1;
}

/* ---- the event to inject ---- */

static bool injecting(const struct vmx_checking *c)
{
	return INFO & EVENT_VALID;
}

static bool injecting_type(const struct vmx_checking *c, enum vmx_event_type type)
{
	return injecting(c) && TYPE == type;
}

static bool injecting_software(const struct vmx_checking *c)
{
	return injecting_type(c, VMX_EVENT_INT_N) || injecting_type(c, VMX_EVENT_INT1) ||
	       injecting_type(c, VMX_EVENT_INT3_INTO);
}

/* Exceptions with an error code, as 27.2.1.3 lists them. */
static bool has_error_code(const struct vmx_checking *c)
{
	return VECTOR < 18 && exc_in(EXC_SET_ERROR_CODE, VECTOR);
}

static bool error_code_possible(const struct vmx_checking *c)
{
	return TYPE == VMX_EVENT_EXCEPTION && F(GUEST_CR0) & CR0_PE;
}

static bool error_code_needed(const struct vmx_checking *c)
{
	return error_code_possible(c) && has_error_code(c) &&
	       !vmx_capable(&c->x->caps, VMX_CAP_ANY_ERROR_CODE);
}

static bool error_code_barred(const struct vmx_checking *c)
{
	return !error_code_possible(c) ||
	       (!has_error_code(c) && !vmx_capable(&c->x->caps, VMX_CAP_ANY_ERROR_CODE));
}

/* Is the event one that ends the activity state (27.3.1.5)? */
static bool event_wakes(const struct vmx_checking *c)
{
	bool exception = TYPE == VMX_EVENT_EXCEPTION;

	switch (F(GUEST_ACTIVITY)) {
	case VMX_HALTED:
		return TYPE == VMX_EVENT_EXTERNAL || TYPE == VMX_EVENT_NMI || TYPE == VMX_EVENT_OTHER ||
		       (exception && (VECTOR == EXC_DB || VECTOR == EXC_MC));
	case VMX_SHUTDOWN:
		return TYPE == VMX_EVENT_NMI || (exception && VECTOR == EXC_MC);
	default:
		return false;
	}
}

/* ---- guest state ---- */

/* CD and NW are not checked, PE and PG not for an unrestricted guest. */
static bool guest_cr0_ok(const struct vmx_checking *c)
{
	const struct vmx_caps *caps = &c->x->caps;
	uint64_t free = CR0_CD | CR0_NW, must = caps->cr0_fixed0;

	if (UNRESTRICTED)
		must &= ~(uint64_t)(CR0_PE | CR0_PG);
	return (F(GUEST_CR0) & must) == must && !(F(GUEST_CR0) & ~caps->cr0_fixed1 & ~free);
}

static bool activity_ok(const struct vmx_checking *c)
{
	switch (F(GUEST_ACTIVITY)) {
	case VMX_ACTIVE:
		return true;
	case VMX_HALTED:
		return vmx_capable(&c->x->caps, VMX_CAP_ACTIVITY_HLT);
	case VMX_SHUTDOWN:
		return vmx_capable(&c->x->caps, VMX_CAP_ACTIVITY_SHUTDOWN);
	case VMX_WAIT_FOR_SIPI:
		return vmx_capable(&c->x->caps, VMX_CAP_ACTIVITY_WAIT_FOR_SIPI);
	default:
		return false;
	}
}

/* When BS of the pending debug exceptions has to agree with RFLAGS.TF and DEBUGCTL.BTF. */
static bool stepping_blocked(const struct vmx_checking *c)
{
	return F(GUEST_INTERRUPTIBILITY) & (BLOCK_STI | BLOCK_MOV_SS) || F(GUEST_ACTIVITY) == VMX_HALTED;
}

static bool stepping(const struct vmx_checking *c)
{
	return F(GUEST_RFLAGS) & FL_TF && !(F(GUEST_IA32_DEBUGCTL) & DEBUGCTL_BTF);
}

/* ---- returns from SMM ---- */

static bool from_smm(const struct vmx_checking *c)
{
	return c->x->smm && !ON(ENTRY_TO_SMM);
}

/* Does the executive-VMCS pointer lead to a VMCS that will be current, not to the VMXON region? */
static bool executive_vmcs(const struct vmx_checking *c)
{
	return page_ok(c, F(EXECUTIVE_VMCS_POINTER)) && F(EXECUTIVE_VMCS_POINTER) != c->x->vmxon &&
	       (word_at(c, F(EXECUTIVE_VMCS_POINTER)) & ~VMCS_SHADOW) == VMCS_REVISION;
}

static bool executive_launched(const struct vmx_checking *c)
{
	return word_at(c, F(EXECUTIVE_VMCS_POINTER) + offsetof(struct vmcs_region, launch)) == VMCS_LAUNCHED;
}

static void find_active(struct vmx_checking *c)
{
	for (unsigned w = 0; w < VMX_WORDS; w++)
		c->on[w] = word_active(c, (enum vmx_word)w) ? c->r->value[vmx_words[w].field] : 0;
}

static bool executive_controls(const struct vmx_checking *c)
{
	struct vmx_checking executive = *c;
	struct vmcs v;

	vmcs_load(&v, &c->x->mem, F(EXECUTIVE_VMCS_POINTER), LONG_MODE);
	executive.r = &v.r;
	executive.at = v.at;
	find_active(&executive);
	return vmx_check_first(&executive, (enum vmx_check)0, VMX_CHECK_EXIT_CONTROLS_RESERVED) ==
	       VMX_CHECK_EXIT_CONTROLS_RESERVED;
}

/* ---- the table ---- */

#define CHECK(id, group, section, field, text, when, holds)                                                  \
	static bool when_##id(const struct vmx_checking *c)                                                  \
	{                                                                                                    \
		(void)c;                                                                                     \
		return when;                                                                                 \
	}                                                                                                    \
	static bool holds_##id(const struct vmx_checking *c)                                                 \
	{                                                                                                    \
		return holds;                                                                                \
	}
#include "vtx/checks.def"
#undef CHECK

const struct vmx_check_row vmx_check_rows[VMX_CHECKS] = {
#define CHECK(id, group, section, field, text, when, holds)                                                  \
	{ #id, section, text, VMX_GROUP_##group, VMCS_##field, when_##id, holds_##id },
#include "vtx/checks.def"
#undef CHECK
};

/* ---- asking ---- */

void vmx_checking_init(struct vmx_checking *c, const struct vmx *x, const struct vmcs *v)
{
	*c = (struct vmx_checking){ .x = x, .r = &v->r, .at = v->at };
	find_active(c);
	c->pae = F(GUEST_CR0) & CR0_PG && F(GUEST_CR4) & CR4_PAE && !IA32E;
	if (!c->pae)
		return;
	if (ON(PROC2_EPT))
		for (unsigned i = 0; i < 4; i++)
			c->pdpte[i] = c->r->value[VMCS_GUEST_PDPTE0 + i];
	else
		x->mem.read(x->mem.ctx, F(GUEST_CR3) & 0xffffffe0, c->pdpte, sizeof(c->pdpte));
}

enum vmx_verdict vmx_check_row(const struct vmx_checking *c, enum vmx_check row)
{
	const struct vmx_check_row *r = &vmx_check_rows[row];

	if (!r->when(c))
		return VMX_NOT_APPLICABLE;
	return r->holds(c) ? VMX_HOLDS : VMX_FAILS;
}

/* All rows in one function: no calls, and controls and fields are loaded once. */
enum vmx_check vmx_check_all(const struct vmx_checking *c)
{
#define CHECK(id, group, section, field, text, when, holds)                                                  \
	if ((when) && !(holds))                                                                              \
		return VMX_CHECK_##id;
#include "vtx/checks.def"
#undef CHECK
	return VMX_CHECKS;
}

/* Beside the fields that move, checks read memory (PDPTEs, VTPR, the linked VMCS) and the state of SMM. */
bool vmx_checks_steady(const struct vmx_checking *c)
{
	uint64_t unusual = F(GUEST_ACTIVITY) | F(GUEST_PENDING_DEBUG) |
			   (F(GUEST_INTERRUPTIBILITY) & ~(uint64_t)BLOCK_NMI) |
			   (F(GUEST_RFLAGS) & (RFLAGS_RESERVED | FL_VM)) | (~F(GUEST_RFLAGS) & FL_ONE);

	if (unusual || injecting(c) || !cr3_ok(c, F(GUEST_CR3)))
		return false;
	if (GUEST_64 ? !canonical_rip(c, F(GUEST_RIP)) : F(GUEST_RIP) >> 32)
		return false;
	if (c->x->smm || F(VMCS_LINK_POINTER) != VMCS_NONE ||
	    (ON(PROC_TPR_SHADOW) && !ON(PROC2_VIRTUAL_INTERRUPTS) && !ON(PROC2_APIC_ACCESSES)))
		return false;
	for (unsigned i = 0; i < 4 && c->pae; i++)
		if (!vmx_pdpte_ok(&c->x->caps, c->pdpte[i]))
			return false;
	return true;
}

enum vmx_check vmx_check_first(const struct vmx_checking *c, enum vmx_check from, enum vmx_check to)
{
	unsigned row = from;

	while (row < to && vmx_check_row(c, (enum vmx_check)row) != VMX_FAILS)
		row++;
	return (enum vmx_check)row;
}
