/* SPDX-License-Identifier: GPL-3.0-or-later
 * See vtx/capability.h. */
#include "vtx/capability.h"
#include "vtx/processor.h"
#include "base/gpr.h"
#include "vtx/bits.h"

const struct vmx_capability_row vmx_capabilities[VMX_CAPABILITIES] = {
#define CAPABILITY(msr, bit, id, since, name) { #id, name, VMX_MSR_##msr, bit, VMX_GEN_##since },
#include "vtx/capabilities.def"
#undef CAPABILITY
};

/* Of IA32_VMX_BASIC: the memory type of VMX structures, write-back; addresses of 32 bits only. */
#define BASIC_WRITE_BACK (6ull << 50)
#define BASIC_32_BIT_ADDRESSES (1ull << 48)

static uint64_t *capability_msr(struct vmx_caps *c, uint32_t msr)
{
	switch (msr) {
	case VMX_MSR_BASIC:
		return &c->basic;
	case VMX_MSR_MISC:
		return &c->misc;
	case VMX_MSR_EPT_VPID_CAP:
		return &c->ept_vpid;
	default:
		return &c->vmfunc;
	}
}

static void init_words(struct vmx_caps *c)
{
	for (unsigned w = 0; w < VMX_WORDS; w++) {
		c->word[w].must = vmx_words[w].default1;
		c->word[w].true_must = vmx_words[w].true_default1;
		c->word[w].may = vmx_words[w].default1;
	}
	for (unsigned i = 0; i < VMX_CONTROLS; i++) {
		const struct vmx_control_row *r = &vmx_controls[i];

		if (r->since <= c->model.generation && (!r->long_mode || c->model.long_mode))
			c->word[r->word].may |= 1ull << r->bit;
	}
}

static bool offers_field(const struct vmx_caps *c, enum vmcs_field f)
{
	return vmx_offers(c, vmcs_fields[f].a) || vmx_offers(c, vmcs_fields[f].b);
}

static void note_fields(struct vmx_caps *c)
{
	gpr_zero(c->fields, sizeof(c->fields));
	for (unsigned f = 0; f < VMCS_FIELDS; f++)
		if (offers_field(c, (enum vmcs_field)f))
			c->fields[f / 64] |= 1ull << f % 64;
	c->saved_msrs = 0;
	for (unsigned i = 0; i < VMX_MSRS; i++)
		if (vmx_has_field(c, vmx_msrs[i].guest))
			c->saved_msrs |= 1u << i;
}

void vmx_caps_init(struct vmx_caps *c, const struct vmx_model *m)
{
	unsigned highest = 0;

	gpr_zero(c, sizeof(*c));
	c->model = *m;
	init_words(c);
	c->basic = VMCS_REVISION | (uint64_t)VMCS_REGION_SIZE << 32 | BASIC_WRITE_BACK;
	c->misc = VMX_PREEMPTION_SHIFT | VMX_CR3_TARGETS << 16;
	for (unsigned i = 0; i < VMX_CAPABILITIES; i++)
		if (vmx_capabilities[i].since <= m->generation)
			*capability_msr(c, vmx_capabilities[i].msr) |= 1ull << vmx_capabilities[i].bit;
	c->cr0_fixed0 = CR0_PE | CR0_NE | CR0_PG;
	c->cr0_fixed1 = 0xffffffff;
	c->cr4_fixed0 = VMX_CR4_VMXE;
	c->cr4_fixed1 = m->cr4 | VMX_CR4_VMXE;
	note_fields(c);
	for (unsigned f = 0; f < VMCS_FIELDS; f++)
		if (vmx_has_field(c, (enum vmcs_field)f) &&
		    vmcs_encoding_index(vmcs_fields[f].encoding) > highest)
			highest = vmcs_encoding_index(vmcs_fields[f].encoding);
	c->vmcs_enum = highest << 1;
}

bool vmx_offers(const struct vmx_caps *c, enum vmx_control control)
{
	if (control >= VMX_CONTROLS)
		return control == VMX_ALWAYS;
	return c->word[vmx_controls[control].word].may & vmx_bit(control);
}

bool vmx_capable(const struct vmx_caps *c, enum vmx_capability cap)
{
	const struct vmx_capability_row *r = &vmx_capabilities[cap];
	uint64_t msr = r->msr == VMX_MSR_BASIC		? c->basic
		       : r->msr == VMX_MSR_MISC		? c->misc
		       : r->msr == VMX_MSR_EPT_VPID_CAP ? c->ept_vpid
							: c->vmfunc;

	return msr >> r->bit & 1;
}

void vmx_caps_without(struct vmx_caps *c, const uint8_t *controls, unsigned ncontrols,
		      const uint8_t *capabilities, unsigned ncapabilities)
{
	for (unsigned i = 0; i < ncontrols; i++)
		c->word[vmx_controls[controls[i]].word].may &= ~vmx_bit((enum vmx_control)controls[i]);
	for (unsigned i = 0; i < ncapabilities; i++) {
		const struct vmx_capability_row *r = &vmx_capabilities[capabilities[i]];

		*capability_msr(c, r->msr) &= ~(1ull << r->bit);
	}
	note_fields(c);
}

/* A word's MSR: allowed 0-settings below allowed 1-settings; the words of 64 bits only have the latter. */
static bool word_msr(const struct vmx_caps *c, uint32_t msr, uint64_t *val)
{
	for (unsigned w = 0; w < VMX_WORDS; w++) {
		const struct vmx_word_row *r = &vmx_words[w];
		bool is_true = r->true_msr && msr == r->true_msr;

		if (msr != r->msr && !is_true)
			continue;
		if (!vmx_offers(c, r->under) || (is_true && !vmx_capable(c, VMX_CAP_TRUE_CONTROLS)))
			return false;
		if (vmcs_encoding_width(vmcs_fields[r->field].encoding) == VMCS_64)
			*val = c->word[w].may;
		else
			*val = (is_true ? c->word[w].true_must : c->word[w].must) | c->word[w].may << 32;
		return true;
	}
	return false;
}

bool vmx_caps_msr(const struct vmx_caps *c, uint32_t msr, uint64_t *val)
{
	switch (msr) {
	case VMX_MSR_BASIC:
		*val = c->basic;
		return true;
	case VMX_MSR_MISC:
		*val = c->misc;
		return true;
	case VMX_MSR_CR0_FIXED0:
		*val = c->cr0_fixed0;
		return true;
	case VMX_MSR_CR0_FIXED1:
		*val = c->cr0_fixed1;
		return true;
	case VMX_MSR_CR4_FIXED0:
		*val = c->cr4_fixed0;
		return true;
	case VMX_MSR_CR4_FIXED1:
		*val = c->cr4_fixed1;
		return true;
	case VMX_MSR_VMCS_ENUM:
		*val = c->vmcs_enum;
		return true;
	case VMX_MSR_EPT_VPID_CAP:
		*val = c->ept_vpid;
		return vmx_offers(c, VMX_PROC2_EPT) || vmx_offers(c, VMX_PROC2_VPID);
	case VMX_MSR_VMFUNC:
		*val = c->vmfunc;
		return vmx_offers(c, VMX_PROC2_VM_FUNCTIONS);
	default:
		return word_msr(c, msr, val);
	}
}

bool vmx_cr0_supported(const struct vmx_caps *c, uint64_t cr0)
{
	return (cr0 & c->cr0_fixed0) == c->cr0_fixed0 && !(cr0 & ~c->cr0_fixed1);
}

bool vmx_cr4_supported(const struct vmx_caps *c, uint64_t cr4)
{
	return (cr4 & c->cr4_fixed0) == c->cr4_fixed0 && !(cr4 & ~c->cr4_fixed1);
}

unsigned vmx_address_bits(const struct vmx_caps *c)
{
	return c->basic & BASIC_32_BIT_ADDRESSES ? 32 : c->model.address;
}
