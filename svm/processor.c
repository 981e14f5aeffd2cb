/* SPDX-License-Identifier: GPL-3.0-or-later
 * See svm/processor.h. */
#include "svm/processor.h"
#include "x86/paging.h"

enum { PAT_RESET_LOW = 0x00070406 };

void svm_init(struct svm *x, const struct svm_model *m)
{
	gpr_zero(x, sizeof(*x));
	svm_caps_init(&x->caps, m);
	vmcb_forget(&x->vmcb);
	x->gif = true;
	x->tsc_ratio = TSC_RATIO_ONE;
	x->failed_check = -1;
	x->s.pat = PAT_RESET_LOW | (uint64_t)PAT_RESET_LOW << 32;
}

bool svm_pat_ok(uint64_t pat)
{
	for (unsigned i = 0; i < 64; i += 8) {
		unsigned type = pat >> i & 0xff;

		if (type > 7 || type == 2 || type == 3)
			return false;
	}
	return true;
}

bool svm_pdpte_ok(const struct svm_caps *c, uint64_t pdpte)
{
	return !(pdpte & PTE_P) || (!(pdpte & PDPTE_RESERVED) && svm_address_ok(c, pdpte));
}

bool svm_enable_ok(const struct svm *x)
{
	return !(x->vm_cr & VM_CR_SVMDIS);
}

/* ---- MSRs (15.30, 15.31) ---- */

bool svm_is_msr(const struct svm *x, uint32_t msr)
{
	switch (msr) {
	case SVM_MSR_TSC_RATIO:
		return SVM_HAS(&x->caps, TSC_RATIO);
	case SVM_MSR_KEY:
		return SVM_HAS(&x->caps, LOCK);
	case SVM_MSR_VM_CR:
	case SVM_MSR_IGNNE:
	case SVM_MSR_SMM_CTL:
	case SVM_MSR_HSAVE:
		return true;
	default:
		return false;
	}
}

bool svm_rdmsr(const struct svm *x, uint32_t msr, uint64_t *val)
{
	if (!svm_is_msr(x, msr))
		return false;
	switch (msr) {
	case SVM_MSR_TSC_RATIO:
		*val = x->tsc_ratio;
		return true;
	case SVM_MSR_VM_CR:
		*val = x->vm_cr;
		return true;
	case SVM_MSR_IGNNE:
		*val = x->ignne;
		return true;
	case SVM_MSR_HSAVE:
		*val = x->hsave;
		return true;
	case SVM_MSR_KEY:
		*val = 0;
		return true;
	default:
		return false; /* SMM_CTL can only be written */
	}
}

/* Once locked, LOCK and SVMDIS stay; SVM cannot be disabled while it is in use. */
static bool write_vm_cr(struct svm *x, uint64_t val)
{
	uint64_t kept = x->vm_cr & VM_CR_LOCK ? VM_CR_LOCK | VM_CR_SVMDIS : 0;

	if (val & ~(uint64_t)VM_CR_VALID || (val & VM_CR_SVMDIS && x->s.efer & EFER_SVME))
		return false;
	x->vm_cr = (val & ~kept) | (x->vm_cr & kept);
	return true;
}

/* The key is set while VM_CR is not locked, and unlocks it afterwards; 0 is no key. */
static void write_key(struct svm *x, uint64_t val)
{
	if (!(x->vm_cr & VM_CR_LOCK))
		x->key = val;
	else if (x->key && x->key == val)
		x->vm_cr &= ~(uint64_t)VM_CR_LOCK;
}

bool svm_wrmsr(struct svm *x, uint32_t msr, uint64_t val)
{
	if (!svm_is_msr(x, msr))
		return false;
	switch (msr) {
	case SVM_MSR_TSC_RATIO:
		if (val & ~TSC_RATIO_VALID)
			return false;
		x->tsc_ratio = val;
		return true;
	case SVM_MSR_VM_CR:
		return write_vm_cr(x, val);
	case SVM_MSR_IGNNE:
		if (val & ~1ull)
			return false;
		x->ignne = val;
		return true;
	case SVM_MSR_SMM_CTL:
		x->smm_ctl = val & 31;
		return true;
	case SVM_MSR_HSAVE:
		if (val & PAGE_MASK || !svm_address_ok(&x->caps, val))
			return false;
		x->hsave = val;
		return true;
	default:
		write_key(x, val);
		return true;
	}
}
