/* SPDX-License-Identifier: GPL-3.0-or-later
 * AMD-V: offsets in the VMCB (APM vol. 2, App. B), exit codes (App. C), and what cases change directly. */
#ifndef HYPER_SVM_H
#define HYPER_SVM_H
#include "guests/hyper/hyper.h"

enum {
	VMCB_INTERCEPTS = 0x000, /* six words */
	VMCB_IOPM = 0x040,
	VMCB_MSRPM = 0x048,
	VMCB_TSC_OFFSET = 0x050,
	VMCB_ASID = 0x058,
	VMCB_TLB = 0x05c,
	VMCB_VINTR = 0x060, /* with V_INTR_VECTOR in the upper half */
	VMCB_SHADOW = 0x068,
	VMCB_EXITCODE = 0x070,
	VMCB_INFO1 = 0x078,
	VMCB_INFO2 = 0x080,
	VMCB_EXITINTINFO = 0x088,
	VMCB_NP = 0x090,
	VMCB_EVENTINJ = 0x0a8,
	VMCB_NCR3 = 0x0b0,
	VMCB_CLEAN = 0x0c0,
	VMCB_NRIP = 0x0c8,
	VMCB_SEGMENTS = 0x400,
	VMCB_CPL = 0x4cb,
	VMCB_EFER = 0x4d0,
	VMCB_CR4 = 0x548,
	VMCB_CR3 = 0x550,
	VMCB_CR0 = 0x558,
	VMCB_DR7 = 0x560,
	VMCB_DR6 = 0x568,
	VMCB_EAX = 0x5f8,
	VMCB_STAR = 0x600,
	VMCB_CR2 = 0x640,
	VMCB_PAT = 0x668,
};
enum { SVM_INVALID = 0xffffffff, SVM_NPF = 0x400 };
enum { EFER_SVME = 1 << 12 };
enum { SVM_FEATURE_NP = 1, SVM_FEATURE_NRIPS = 8, SVM_FEATURE_FLUSH = 0x40, SVM_FEATURE_DECODE = 0x80 };

extern u8 vmcb[4096], iopm[0x3000], msrpm[0x2000];
extern u32 svm_features; /* CPUID 8000000A EDX */
extern bool svm_lean;	 /* do not switch what VMLOAD loads */

static inline u32 *vmcb32(u32 at)
{
	return (u32 *)(vmcb + at);
}
static inline void svm_intercept(u32 code)
{
	*vmcb32(code / 32 * 4) |= 1u << (code & 31);
}

void svm_entry(u32 page, u32 entry); /* of the nested table, as it is */

/* codes.c */
void svm_code_seen(u32 code);
void svm_codes_report(bool verbose); /* which no case produced, and why */

/* entry.S */
void svm_run(struct regs *r, u32 vmcb_pa);
#endif
