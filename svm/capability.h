/* SPDX-License-Identifier: GPL-3.0-or-later
 * What a processor with SVM offers: CPUID 8000000A, derived for a generation from features.def (APM vol. 2
 * 15.4, vol. 3 E.4.9), and the values that its registers can have.
 *
 * Sections of the manual, here and in the tables, are those of APM vol. 2 chapter 15, editions 3.38 to 3.42.
 */
#ifndef SVM_CAPABILITY_H
#define SVM_CAPABILITY_H
#include "base/types.h"

/* The processors, each with all that those before it have. */
enum svm_generation {
	SVM_GEN_K8, /* AMD-V as it began: no nested paging */
	SVM_GEN_K10,
	SVM_GEN_BULLDOZER,
	SVM_GEN_ZEN,
	SVM_GEN_ALL,
	SVM_GEN_NONE
};

enum svm_feature {
#define SVM_FEATURE(bit, id, since, needs, name) SVM_##id,
#include "svm/features.def"
#undef SVM_FEATURE
	SVM_FEATURES,
	SVM_ALWAYS = SVM_FEATURES, /* in place of a feature: none is needed */
	SVM_NEVER,		   /* no processor has it */
};
struct svm_feature_row {
	const char *id, *name;
	uint8_t bit;
	enum svm_generation since;
	enum svm_feature needs;
};
extern const struct svm_feature_row svm_features[SVM_FEATURES];

/* The rest of the processor, as far as SVM depends on it. */
struct svm_model {
	enum svm_generation generation;
	uint32_t without; /* features that it lacks nevertheless: bits of EDX */
	bool long_mode;	  /* AMD64 */
	bool pages_1g;	  /* 1 GiB pages in long mode */
	uint8_t address;  /* bits of a physical address */
	uint8_t linear;	  /* of a linear address in 64-bit mode */
	uint32_t asids;	  /* ASIDs below this one exist */
	uint64_t cr4;	  /* bits that CR4 can have */
	uint64_t efer;	  /* bits that EFER can have, SVME apart */
};

struct svm_caps {
	struct svm_model model;
	uint32_t features; /* CPUID 8000000A:EDX */
};

enum { SVM_REVISION = 1 }; /* CPUID 8000000A:EAX */

void svm_caps_init(struct svm_caps *c, const struct svm_model *m);
/* CPUID leaf 8000000A. */
void svm_cpuid(const struct svm_caps *c, uint32_t *eax, uint32_t *ebx, uint32_t *ecx, uint32_t *edx);

/* The bit of EDX of each, as constants: SVM_BIT_OF_NP. */
enum {
#define SVM_FEATURE(bit, id, since, needs, name) SVM_BIT_OF_##id = bit,
#include "svm/features.def"
#undef SVM_FEATURE
	SVM_BIT_OF_ALWAYS = 32,
	SVM_BIT_OF_NEVER = 33,
};

static inline bool svm_has(const struct svm_caps *c, enum svm_feature f)
{
	if (f >= SVM_FEATURES)
		return f == SVM_ALWAYS;
	return c->features >> svm_features[f].bit & 1;
}
/* The same of a feature that is known here. */
#define SVM_HAS(caps, id) (((caps)->features >> SVM_BIT_OF_##id & 1) != 0)

static inline bool svm_address_ok(const struct svm_caps *c, uint64_t address)
{
	return !(address >> c->model.address);
}

/* ADDRESS with bit 63 to the linear-address width equal: VMRUN and VMLOAD sign-extend bases (15.5.1). */
static inline uint64_t svm_canonical(const struct svm_caps *c, uint64_t address)
{
	unsigned above = 64 - c->model.linear;

	return c->model.long_mode ? (uint64_t)((int64_t)(address << above) >> above) : (uint32_t)address;
}
#endif
