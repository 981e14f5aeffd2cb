/* SPDX-License-Identifier: GPL-3.0-or-later
 * Bits of CR4 and EFER by CPUID (SDM vol. 3A 2.5). GPR-only code (base/gpr.h) calls it. */
#include "x86/features.h"
#include "x86/model.h"

/* CR4 bits and the CPUID feature that allows each. */
#define ROW(bit, feature)                                                                                    \
	{                                                                                                    \
		CR4_##bit, CPUID_##feature, CPUID_##feature##_LEAF, CPUID_##feature##_REG                    \
	}
static const struct cr4_row {
	uint32_t bit, feature, leaf;
	uint8_t reg;
} cr4_rows[] = {
	ROW(VME, VME),	      ROW(PVI, VME),	       ROW(TSD, TSC),	 ROW(DE, DE),	  ROW(PSE, PSE),
	ROW(PAE, PAE),	      ROW(MCE, MCE),	       ROW(PGE, PGE),	 ROW(PCE, MSR),	  ROW(OSFXSR, FXSR),
	ROW(OSXMMEXCPT, SSE), ROW(OSXSAVE, XSAVE),     ROW(UMIP, UMIP),	 ROW(SMEP, SMEP), ROW(SMAP, SMAP),
	ROW(VMXE, VMX),	      ROW(FSGSBASE, FSGSBASE), ROW(PCIDE, PCID),
};
#undef ROW

uint32_t cpu_cr4_allowed(const struct platform *p, const struct cpu *c, uint32_t wanted)
{
	uint32_t allowed = 0;

	for (unsigned i = 0; i < ARRAY_LEN(cr4_rows); i++) {
		const struct cr4_row *r = &cr4_rows[i];
		uint32_t out[4];

		if (!(wanted & r->bit))
			continue;
		p->cpuid(p->ctx, c, r->leaf, 0, out);
		if (out[r->reg] & r->feature)
			allowed |= r->bit;
	}
	return allowed;
}

/* EFER bits and the feature that allows each. */
static const struct {
	uint32_t bit, feature;
	uint8_t reg;
} efer_rows[] = {
	{ EFER_SCE, CPUID_SYSCALL, CPUID_SYSCALL_REG },
	{ EFER_LME, CPUID_LM, CPUID_LM_REG },
	{ EFER_NXE, CPUID_NX, CPUID_NX_REG },
	{ EFER_SVME, CPUID_SVM, CPUID_SVM_REG },
};
_Static_assert(CPUID_SYSCALL_LEAF == CPUID_NX_LEAF && CPUID_LM_LEAF == CPUID_NX_LEAF &&
		   CPUID_SVM_LEAF == CPUID_NX_LEAF,
	       "one query for all");

uint64_t cpu_efer_allowed(const struct platform *p, const struct cpu *c)
{
	uint64_t allowed = 0;
	uint32_t out[4];

	p->cpuid(p->ctx, c, CPUID_NX_LEAF, 0, out);
	for (unsigned i = 0; i < ARRAY_LEN(efer_rows); i++)
		if (out[efer_rows[i].reg] & efer_rows[i].feature)
			allowed |= efer_rows[i].bit;
	return allowed;
}
