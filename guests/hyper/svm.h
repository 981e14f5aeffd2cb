/* SPDX-License-Identifier: GPL-3.0-or-later
 * AMD-V: the back end's blocks, and what cases change directly. */
#ifndef HYPER_SVM_H
#define HYPER_SVM_H
#include "guests/hyper/hyper.h"
#include "guests/hyper/svm_fields.h"

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
