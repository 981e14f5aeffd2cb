/* SPDX-License-Identifier: GPL-3.0-or-later
 * See bt/decode/allow.h. */
#include "bt/decode/allow.h"

#include "x86/engine.h"

#include <string.h>

/* What a row asks for: an enum feature plus one; 0: nothing has it. */
enum { NEVER, ALWAYS = FEATURES + 1 };
_Static_assert(ALWAYS <= UINT8_MAX, "a table entry is a byte");
#define FEATURE(id, leaf, sub, reg, bit, needs) NEEDS_##id = FEATURE_##id + 1,
enum {
#include "x86/features.def"
	NEEDS_ALWAYS = ALWAYS
};
#undef FEATURE

static const uint8_t sets[ZYDIS_ISA_SET_MAX_VALUE + 1] = {
#define SET(set, feature) [ZYDIS_ISA_SET_##set] = NEEDS_##feature,
#define SHORT SET
#define ONE(set, mnemonic, feature)
#include "bt/decode/allow.def"
#undef SET
#undef SHORT
#undef ONE
};

static const bool needs_vl[ZYDIS_ISA_SET_MAX_VALUE + 1] = {
#define SET(set, feature)
#define SHORT(set, feature) [ZYDIS_ISA_SET_##set] = true,
#define ONE(set, mnemonic, feature)
#include "bt/decode/allow.def"
#undef SET
#undef SHORT
#undef ONE
};

static const struct one {
	uint16_t set, mnemonic;
	uint8_t needs;
} ones[] = {
#define SET(set, feature)
#define SHORT(set, feature)
#define ONE(set, mnemonic, feature) { ZYDIS_ISA_SET_##set, ZYDIS_MNEMONIC_##mnemonic, NEEDS_##feature },
#include "bt/decode/allow.def"
#undef SET
#undef SHORT
#undef ONE
};

static unsigned needs(const struct insn *in)
{
	for (unsigned i = 0; i < ARRAY_LEN(ones); i++)
		if (ones[i].set == in->z.meta.isa_set && ones[i].mnemonic == in->z.mnemonic)
			return ones[i].needs;
	return sets[in->z.meta.isa_set];
}

void isa_init(struct isa *isa, const struct platform *plat, const struct cpu *c)
{
	memset(isa, 0, sizeof(*isa));
	for (unsigned i = 0; plat->cpuid && i < FEATURES; i++) {
		const struct feature_row *f = &feature_rows[i];
		uint32_t out[4];

		plat->cpuid(plat->ctx, c, f->leaf, f->sub, out);
		isa->has[i] = out[f->reg] >> f->bit & 1;
	}
}

bool isa_allows(const struct isa *isa, const struct insn *in)
{
	unsigned n = needs(in);

	if (in->z.encoding != ZYDIS_INSTRUCTION_ENCODING_LEGACY &&
	    in->z.encoding != ZYDIS_INSTRUCTION_ENCODING_VEX &&
	    in->z.encoding != ZYDIS_INSTRUCTION_ENCODING_EVEX)
		return false;
	if (needs_vl[in->z.meta.isa_set] && !isa->has[FEATURE_AVX512VL])
		return false;
	return n == ALWAYS || (n != NEVER && isa->has[n - 1]);
}
