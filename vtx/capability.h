/* SPDX-License-Identifier: GPL-3.0-or-later
 * What a processor with VMX offers: its capability MSRs (SDM vol. 3D App. A), derived for a generation from
 * the tables controls.def and capabilities.def. */
#ifndef VTX_CAPABILITY_H
#define VTX_CAPABILITY_H
#include "vtx/vmcs.h"

/* The capability MSRs; those of the control words are in vmx_words. */
enum {
	VMX_MSR_BASIC = 0x480,
	VMX_MSR_MISC = 0x485,
	VMX_MSR_CR0_FIXED0 = 0x486,
	VMX_MSR_CR0_FIXED1 = 0x487,
	VMX_MSR_CR4_FIXED0 = 0x488,
	VMX_MSR_CR4_FIXED1 = 0x489,
	VMX_MSR_VMCS_ENUM = 0x48a,
	VMX_MSR_EPT_VPID_CAP = 0x48c,
	VMX_MSR_VMFUNC = 0x491,
	VMX_MSR_FIRST = 0x480,
	VMX_MSR_LAST = 0x493,
};

enum vmx_capability {
#define CAPABILITY(msr, bit, id, since, name) VMX_CAP_##id,
#include "vtx/capabilities.def"
#undef CAPABILITY
	VMX_CAPABILITIES
};
struct vmx_capability_row {
	const char *id, *name;
	uint32_t msr;
	uint8_t bit;
	enum vmx_generation since;
};
extern const struct vmx_capability_row vmx_capabilities[VMX_CAPABILITIES];

/* The rest of the processor, as far as VMX depends on it. */
struct vmx_model {
	enum vmx_generation generation;
	bool long_mode;	      /* Intel 64 */
	uint8_t address;      /* bits of a physical address */
	uint8_t linear;	      /* of a linear address in 64-bit mode */
	uint64_t cr4;	      /* bits that CR4 can have, CR4.VMXE apart */
	uint64_t efer;	      /* bits that EFER can have */
	uint64_t perf_global; /* bits that IA32_PERF_GLOBAL_CTRL can have */
	bool sgx;	      /* enclaves: interruptibility bit 4 */
};

/* What the MSRs return, and the model it was made from. */
struct vmx_caps {
	struct vmx_model model;
	uint64_t basic, misc, vmcs_enum, ept_vpid, vmfunc;
	uint64_t cr0_fixed0, cr0_fixed1, cr4_fixed0, cr4_fixed1;
	uint32_t saved_msrs; /* bit by enum vmx_msr: exits save those whose fields there are */
	uint64_t fields[(VMCS_FIELDS + 63) / 64]; /* bit by enum vmcs_field: those that there are */
	struct {
		uint64_t must;	    /* bits that must be 1 */
		uint64_t true_must; /* by the TRUE MSR: what is checked where there is one */
		uint64_t may;	    /* bits that may be 1 */
	} word[VMX_WORDS];
};

enum {
	VMX_CR3_TARGETS = 4,
	VMX_PREEMPTION_SHIFT = 5, /* the preemption timer counts every 32nd tick of the TSC */
};

/* Take controls and capabilities away that an engine does not implement. */
void vmx_caps_without(struct vmx_caps *c, const uint8_t *controls, unsigned ncontrols,
		      const uint8_t *capabilities, unsigned ncapabilities);
void vmx_caps_init(struct vmx_caps *c, const struct vmx_model *m);
/* RDMSR of a capability MSR. False: the processor does not have it (#GP). */
bool vmx_caps_msr(const struct vmx_caps *c, uint32_t msr, uint64_t *val);
/* Does the processor offer the 1-setting of a control, a capability, a field? */
bool vmx_offers(const struct vmx_caps *c, enum vmx_control control);
bool vmx_capable(const struct vmx_caps *c, enum vmx_capability cap);
static inline bool vmx_has_field(const struct vmx_caps *c, enum vmcs_field f)
{
	return c->fields[f / 64] >> f % 64 & 1;
}
/* Are CR0 and CR4 values that VMX operation supports (SDM vol. 3C 24.8)? */
bool vmx_cr0_supported(const struct vmx_caps *c, uint64_t cr0);
bool vmx_cr4_supported(const struct vmx_caps *c, uint64_t cr4);
/* How many bits the addresses in VMX structures may have. */
unsigned vmx_address_bits(const struct vmx_caps *c);
#endif
