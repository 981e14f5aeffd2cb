/* SPDX-License-Identifier: GPL-3.0-or-later
 * See vtx/processor.h. */
#include "vtx/processor.h"
#include "base/gpr.h"
#include "vtx/bits.h"

const struct vmx_msr_row vmx_msrs[VMX_MSRS] = {
#define VMX_MSR(id, number, guest, host, entry, save, load, clear)                                           \
	{ number, VMCS_##guest, VMCS_##host, VMX_##entry, VMX_##save, VMX_##load, VMX_##clear },
#include "vtx/msrs.def"
#undef VMX_MSR
};

enum { MSR_FS_BASE_64 = 0xc0000100u, MSR_GS_BASE_64, PAT_RESET_LOW = 0x00070406 };

void vmx_init(struct vmx *x, const struct vmx_model *m)
{
	gpr_zero(x, sizeof(*x));
	vmx_caps_init(&x->caps, m);
	x->vmcs.at = VMCS_NONE;
	x->vmxon = VMCS_NONE;
	x->smm_transfer = VMCS_NONE;
	x->failed_check = -1;
	x->s.msr[VMX_MSR_PAT] = PAT_RESET_LOW | (uint64_t)PAT_RESET_LOW << 32;
}

bool vmx_canonical(const struct vmx_caps *c, uint64_t address)
{
	unsigned above = 64 - c->model.linear;

	return (uint64_t)((int64_t)(address << above) >> above) == address;
}

/* UC, WC, WT, WP, WB, UC-: each byte. */
bool vmx_pat_ok(uint64_t pat)
{
	for (unsigned i = 0; i < 64; i += 8) {
		unsigned type = pat >> i & 0xff;

		if (type > 7 || type == 2 || type == 3)
			return false;
	}
	return true;
}

bool vmx_s_cet_ok(uint64_t v)
{
	return !(v & S_CET_RESERVED) &&
	       (v & (S_CET_SUPPRESS | S_CET_TRACKER)) != (S_CET_SUPPRESS | S_CET_TRACKER);
}

bool vmx_address_ok(const struct vmx_caps *c, uint64_t address)
{
	return !(address >> vmx_address_bits(c));
}

/* SDM vol. 3C 25.6.11 and 27.2.1.1. */
bool vmx_eptp_ok(const struct vmx_caps *c, uint64_t eptp)
{
	unsigned type = eptp & 7, levels = (eptp >> 3 & 7) + 1;

	if (!(type == 0 && vmx_capable(c, VMX_CAP_EPT_UC)) && !(type == 6 && vmx_capable(c, VMX_CAP_EPT_WB)))
		return false;
	if (!(levels == 4 && vmx_capable(c, VMX_CAP_EPT_4_LEVELS)) &&
	    !(levels == 5 && vmx_capable(c, VMX_CAP_EPT_5_LEVELS)))
		return false;
	if ((eptp & 0x40 && !vmx_capable(c, VMX_CAP_EPT_ACCESSED_DIRTY)) ||
	    (eptp & 0x80 && !vmx_capable(c, VMX_CAP_EPT_SHADOW_STACK)))
		return false;
	return !(eptp & 0xf00) && !(eptp >> c->model.address);
}

/* SDM vol. 3A 4.4.1: an entry that is not present is not checked. */
bool vmx_pdpte_ok(const struct vmx_caps *c, uint64_t pdpte)
{
	return !(pdpte & 1) || (!(pdpte & 0x1e6) && !(pdpte >> c->model.address));
}

uint64_t vmx_debugctl_valid(const struct vmx_caps *c)
{
	return DEBUGCTL_VALID | (vmx_offers(c, VMX_PROC2_BUS_LOCK) ? DEBUGCTL_BUS_LOCK : 0);
}

/* ---- MSRs by number ---- */

static enum vmx_msr msr_find(const struct vmx *x, uint32_t msr)
{
	unsigned i = 0;

	while (i < VMX_MSRS &&
	       (!msr || vmx_msrs[i].number != msr || !vmx_has_field(&x->caps, vmx_msrs[i].guest)))
		i++;
	/* These are older than their fields. */
	if (i == VMX_MSRS && msr == vmx_msrs[VMX_MSR_PAT].number)
		return VMX_MSR_PAT;
	if (i == VMX_MSRS && msr == vmx_msrs[VMX_MSR_EFER].number)
		return VMX_MSR_EFER;
	return (enum vmx_msr)i;
}

bool vmx_rdmsr(struct vmx *x, uint32_t msr, uint64_t *val)
{
	enum vmx_msr slot = msr_find(x, msr);

	if (slot < VMX_MSRS)
		*val = x->s.msr[slot];
	else if (msr == MSR_FS_BASE_64 && x->caps.model.long_mode)
		*val = x->s.seg[SEG_FS].base;
	else if (msr == MSR_GS_BASE_64 && x->caps.model.long_mode)
		*val = x->s.seg[SEG_GS].base;
	else if (msr >= VMX_MSR_FIRST && msr <= VMX_MSR_LAST)
		return vmx_caps_msr(&x->caps, msr, val);
	else
		return x->ops->rdmsr(x, msr, val);
	return true;
}

/* LMA is not software's to write, and LME not while paging is on. */
static bool efer_ok(const struct vmx *x, uint64_t val)
{
	return !(val & ~x->caps.model.efer) && !((val ^ vmx_efer(&x->s)) & EFER_LME && x->s.cr0 & CR0_PG);
}

static bool msr_value_ok(const struct vmx_caps *c, enum vmx_msr slot, uint64_t val)
{
	switch (slot) {
	case VMX_MSR_DEBUGCTL:
		return !(val & ~vmx_debugctl_valid(c));
	case VMX_MSR_SYSENTER_ESP:
	case VMX_MSR_SYSENTER_EIP:
	case VMX_MSR_INTERRUPT_SSP_TABLE:
		return !c->model.long_mode || vmx_canonical(c, val);
	case VMX_MSR_PERF_GLOBAL_CTRL:
		return !(val & ~c->model.perf_global);
	case VMX_MSR_PAT:
		return vmx_pat_ok(val);
	case VMX_MSR_BNDCFGS:
		return !(val & BNDCFGS_RESERVED) && vmx_canonical(c, val);
	case VMX_MSR_RTIT_CTL:
		return !(val & ~RTIT_CTL_VALID);
	case VMX_MSR_LBR_CTL:
		return !(val & ~LBR_CTL_VALID);
	case VMX_MSR_S_CET:
		return vmx_s_cet_ok(val) && (!c->model.long_mode || vmx_canonical(c, val));
	case VMX_MSR_PKRS:
		return !(val >> 32);
	default:
		return true;
	}
}

static bool is_base(const struct vmx *x, uint32_t msr)
{
	return x->caps.model.long_mode && (msr == MSR_FS_BASE_64 || msr == MSR_GS_BASE_64);
}

bool vmx_msr_is_state(const struct vmx *x, uint32_t msr)
{
	return msr_find(x, msr) < VMX_MSRS || is_base(x, msr);
}

bool vmx_wrmsr_ok(struct vmx *x, uint32_t msr, uint64_t val)
{
	enum vmx_msr slot = msr_find(x, msr);

	if (slot == VMX_MSR_EFER)
		return efer_ok(x, val);
	if (slot < VMX_MSRS)
		return msr_value_ok(&x->caps, slot, val);
	if (is_base(x, msr))
		return vmx_canonical(&x->caps, val);
	if (msr >= VMX_MSR_FIRST && msr <= VMX_MSR_LAST)
		return false;
	return x->ops->wrmsr(x, msr, val, true);
}

bool vmx_wrmsr(struct vmx *x, uint32_t msr, uint64_t val)
{
	enum vmx_msr slot = msr_find(x, msr);

	if (!vmx_wrmsr_ok(x, msr, val))
		return false;
	if (slot == VMX_MSR_EFER)
		val = (val & ~(uint64_t)EFER_LMA) | (vmx_efer(&x->s) & EFER_LMA);
	if (slot < VMX_MSRS)
		x->s.msr[slot] = val;
	else if (is_base(x, msr))
		x->s.seg[msr == MSR_FS_BASE_64 ? SEG_FS : SEG_GS].base = val;
	else
		return x->ops->wrmsr(x, msr, val, false);
	return true;
}
