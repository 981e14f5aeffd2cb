/* SPDX-License-Identifier: GPL-3.0-or-later
 * See xsave.h. GPR-only code (base/gpr.h). */
#include "x86/xsave.h"
#include "base/gpr.h"

_Static_assert(sizeof(((struct vector_state *)0)->image) == XSAVE_MOST_BYTES &&
		   offsetof(struct vector_state, image.header) == offsetof(struct xsave_image, xstate_bv),
	       "base/gpr.h knows the size of the image and where its header is");

enum { TAG_VALID, TAG_ZERO, TAG_SPECIAL, TAG_EMPTY };

static unsigned tag_of(const uint8_t st[16])
{
	uint64_t mant = *(const any64 *)st;
	unsigned exp = *(const any16 *)(st + 8) & 0x7fff;

	if (!exp && !mant)
		return TAG_ZERO;
	return exp == 0x7fff || !(mant >> 63) ? TAG_SPECIAL : TAG_VALID;
}

uint16_t xsave_tag_word(const struct xsave_image *x)
{
	unsigned top = x->fsw >> 11 & 7, tags = 0;

	for (unsigned phys = 0; phys < 8; phys++)
		tags |= (x->ftw >> phys & 1 ? tag_of(x->st[(phys - top) & 7]) : TAG_EMPTY) << 2 * phys;
	return (uint16_t)tags;
}

uint8_t xsave_abridged_tags(uint16_t full)
{
	unsigned tags = 0;

	for (unsigned i = 0; i < 8; i++)
		if ((full >> 2 * i & 3) != TAG_EMPTY)
			tags |= 1u << i;
	return (uint8_t)tags;
}

static uint8_t *component(struct avx512_image *x, unsigned i, unsigned *size)
{
	if (i == 0) {
		*size = sizeof(x->k);
		return (uint8_t *)x->k;
	}
	*size = i == 1 ? sizeof(x->zmmh) : sizeof(x->zmm16);
	return i == 1 ? x->zmmh[0] : x->zmm16[0];
}

void avx512_expand(struct avx512_image *x)
{
	unsigned size;

	for (unsigned i = 0; i < 3; i++) {
		uint8_t *p = component(x, i, &size);

		if (!(x->xstate_bv >> (AVX512_INDEX + i) & 1))
			gpr_zero(p, size);
	}
	x->xstate_bv = AVX512_COMPONENTS;
	x->xcomp_bv = AVX512_XCOMP;
}

void avx512_settle(struct avx512_image *x)
{
	unsigned size;

	for (unsigned i = 0; i < 3; i++) {
		const any64 *p = (const any64 *)(const void *)component(x, i, &size);
		uint64_t any = 0;

		for (unsigned n = 0; n < size / 8; n++)
			any |= p[n];
		if (!any)
			x->xstate_bv &= ~(1ull << (AVX512_INDEX + i));
	}
}
