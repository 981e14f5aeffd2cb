/* SPDX-License-Identifier: GPL-3.0-or-later
 * See svm/capability.h. */
#include "svm/capability.h"

const struct svm_feature_row svm_features[SVM_FEATURES] = {
#define SVM_FEATURE(bit, id, since, needs, name) { #id, name, bit, SVM_GEN_##since, SVM_##needs },
#include "svm/features.def"
#undef SVM_FEATURE
};

void svm_caps_init(struct svm_caps *c, const struct svm_model *m)
{
	c->model = *m;
	c->features = 0;
	for (unsigned f = 0; f < SVM_FEATURES; f++) {
		const struct svm_feature_row *r = &svm_features[f];
		bool has = r->since <= m->generation && !(m->without >> r->bit & 1);

		/* A feature goes with the one it builds on, which is a row above. */
		if (has && svm_has(c, r->needs))
			c->features |= 1u << r->bit;
	}
}

void svm_cpuid(const struct svm_caps *c, uint32_t *eax, uint32_t *ebx, uint32_t *ecx, uint32_t *edx)
{
	*eax = SVM_REVISION;
	*ebx = c->model.asids;
	*ecx = 0;
	*edx = c->features;
}
