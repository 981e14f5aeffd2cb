/* SPDX-License-Identifier: GPL-3.0-or-later
 * Bits that SVM knows of and the processors of x86/ do not have yet. */
#ifndef SVM_BITS_H
#define SVM_BITS_H
#include "x86/model.h"

#define SVM_CR4_LA57 (1ull << 12)

/* MSRs of SVM (APM vol. 2 15.30). */
enum {
	SVM_MSR_TSC_RATIO = 0xc0000104u,
	SVM_MSR_VM_CR = 0xc0010114u,
	SVM_MSR_IGNNE = 0xc0010115u,
	SVM_MSR_SMM_CTL = 0xc0010116u,
	SVM_MSR_HSAVE = 0xc0010117u,
	SVM_MSR_KEY = 0xc0010118u,
};
enum {
	VM_CR_DPD = 1,
	VM_CR_R_INIT = 2, /* INIT is #SX */
	VM_CR_DIS_A20M = 4,
	VM_CR_LOCK = 8,
	VM_CR_SVMDIS = 16,
	VM_CR_VALID = 31,
};
#define TSC_RATIO_ONE (1ull << 32)
#define TSC_RATIO_VALID 0xffffffffffull

#define SVM_RFLAGS_VALID 0x3f7fd5ull /* bits that can be 1; bit 1 is */

/* Attributes of a segment in the VMCB: those of a descriptor without the limit. */
static inline uint32_t svm_rights(uint64_t attributes)
{
	return (uint32_t)((attributes & 0xff) | (attributes & 0xf00) << 4);
}
static inline uint16_t svm_attributes(uint32_t rights)
{
	return rights & AR_UNUSABLE ? 0 : (uint16_t)((rights & 0xff) | (rights & 0xf000) >> 4);
}
#endif
