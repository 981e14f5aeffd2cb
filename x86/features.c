/* SPDX-License-Identifier: GPL-3.0-or-later
 * See x86/features.h. */
#include "x86/features.h"

#include <strings.h>

const struct feature_row feature_rows[FEATURES] = {
#define FEATURE(id, leaf, sub, reg, bit, needs) { #id, leaf, sub, CPUID_##reg, bit, FEATURE_##needs },
#include "x86/features.def"
#undef FEATURE
};

enum feature feature_find(const char *name)
{
	unsigned i = 0;

	while (i < FEATURES && strcasecmp(feature_rows[i].name, name))
		i++;
	return (enum feature)i;
}
