/* SPDX-License-Identifier: GPL-3.0-or-later
 * Look-up of CPUID results in the table that hv/cpuid.c computes once. GPR-only code (base/gpr.h). */
#include "base/gpr.h"
#include "hv/cpuid.h"
#include "x86/features.h"

static const struct cpuid_entry *find(const struct cpuid_table *t, uint32_t leaf, uint32_t sub)
{
	for (unsigned i = 0; i < t->n; i++)
		if (t->e[i].leaf == leaf && (!t->e[i].indexed || t->e[i].sub == sub))
			return &t->e[i];
	return NULL;
}

/* Bytes of an image with the components that CPU has enabled: in standard form, or compacted. */
static uint32_t image_bytes(const struct cpuid_table *t, const struct cpu *cpu, bool compacted)
{
	uint32_t bytes = XSAVE_MIN_BYTES;

	for (unsigned i = XSAVE_AVX_INDEX; i < AVX512_INDEX + 3; i++) {
		const struct cpuid_entry *e = cpu->xcr0 >> i & 1 ? find(t, 0xd, i) : NULL;

		if (e && compacted)
			bytes += e->reg[CPUID_A];
		else if (e && e->reg[CPUID_A] + e->reg[CPUID_B] > bytes)
			bytes = e->reg[CPUID_A] + e->reg[CPUID_B];
	}
	return bytes;
}

void cpuid_query(const struct cpuid_table *t, const struct cpu *cpu, uint32_t leaf, uint32_t sub,
		 uint32_t out[4])
{
	const struct cpuid_entry *e = find(t, leaf, sub);

	out[0] = out[1] = out[2] = out[3] = 0;
	if (!e)
		return;
	for (unsigned i = 0; i < 4; i++)
		out[i] = e->reg[i];
	if (leaf == 1 && (out[CPUID_C] & CPUID_XSAVE) && (cpu->cr4 & CR4_OSXSAVE))
		out[CPUID_C] |= CPUID_OSXSAVE;
	if ((leaf == 1 || leaf == 0x80000001) && !(cpu->apic_base & APIC_BASE_ENABLE))
		out[CPUID_D] &= ~(uint32_t)CPUID_APIC; /* SDM vol. 3A 11.4.3 */
	if (leaf == 0xd && sub <= 1)
		out[CPUID_B] = image_bytes(t, cpu, sub == 1);
}

bool cpuid_lm(const struct cpuid_table *t)
{
	const struct cpuid_entry *e = find(t, CPUID_LM_LEAF, 0);

	return e && e->reg[CPUID_LM_REG] & CPUID_LM;
}
