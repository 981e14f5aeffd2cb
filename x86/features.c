/* SPDX-License-Identifier: GPL-3.0-or-later
 * See x86/features.h. */
#include "x86/features.h"

#include <ctype.h>

const struct feature_row feature_rows[FEATURES] = {
#define FEATURE(id, leaf, sub, reg, bit, needs) { #id, leaf, sub, CPUID_##reg, bit, FEATURE_##needs },
#include "x86/features.def"
#undef FEATURE
};

/* Is NAME that of a feature, in any case and with - for _? */
static bool same(const char *feature, const char *name)
{
	for (; *feature || *name; feature++, name++)
		if (toupper((unsigned char)*name) != *feature && !(*feature == '_' && *name == '-'))
			return false;
	return true;
}

enum feature feature_find(const char *name)
{
	unsigned i = 0;

	while (i < FEATURES && !same(feature_rows[i].name, name))
		i++;
	return (enum feature)i;
}
