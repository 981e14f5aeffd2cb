/* SPDX-License-Identifier: GPL-3.0-or-later
 * Results of CPUID: the host's, masked by a processor model, computed once. */
#ifndef HV_CPUID_H
#define HV_CPUID_H
#include "hv/apic.h"
#include "x86/cpu.h"

enum { CPUID_MAX = 96 };

struct cpuid_entry {
	uint32_t leaf, sub;
	bool indexed;
	uint32_t reg[4];
};
/* How much of VMX a model has, if any: as enum vmx_generation of vtx/control.h. */
enum cpuid_vmx { CPUID_VMX_EARLY, CPUID_VMX_NEHALEM, CPUID_VMX_HASWELL, CPUID_VMX_ALL };

struct cpuid_table {
	struct cpuid_entry e[CPUID_MAX];
	unsigned n;
	uint32_t max_basic;
	enum cpuid_vmx vmx;
	uint64_t arch_capabilities; /* value of the MSR, where the processor has it */
};

/* Fill T for NAME: a model and features to add or to take away, as in "pentium3,+sse2,-mmx" (NULL: "host");
 * "vmx=GENERATION" adds VMX as early, Nehalem, Haswell processors have it, or all of it. A feature brings
 * those it builds on, and takes with it those that build on it; "+lm" brings all that the model has of 64-bit
 * mode, unless it has it anyway. False with one line in ERR: no such model or
 * feature, or one that this host cannot offer. */
bool cpuid_build(struct cpuid_table *t, const char *name, uint32_t tsc_khz, uint32_t bus_khz, char *err,
		 size_t errlen);
/* Answer of LEAF/SUB as CPU sees it now (APIC, OSXSAVE and XSAVE size follow its state). */
void cpuid_query(const struct cpuid_table *t, const struct cpu *cpu, uint32_t leaf, uint32_t sub,
		 uint32_t out[4]);
struct apic_caps cpuid_apic(const struct cpuid_table *t);
/* Does the processor have 64-bit mode? */
bool cpuid_lm(const struct cpuid_table *t);
/* Of the model NAME, which has VMX. */
enum cpuid_vmx cpuid_vmx(const char *name);
/* Name and help of model I, NULL past the last. */
const char *cpuid_model_name(unsigned i, const char **help);
#endif
