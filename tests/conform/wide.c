/* SPDX-License-Identifier: GPL-3.0-or-later
 * What the conformance suites need for AVX-512: its state, and displacements that EVEX scales. */
#include <Zydis/Zydis.h>
#include <cpuid.h>
#include <string.h>

#include "tests/conform/rows.h"
#include "x86/cpu.h"

static uint32_t host_xcr0(void)
{
	uint32_t a, b, c, d;

	if (!__get_cpuid(1, &a, &b, &c, &d) || !(c & bit_OSXSAVE))
		return 0;
	__asm__ volatile("xgetbv" : "=a"(a), "=d"(d) : "c"(0));
	return a;
}

bool host_has_wide(void)
{
	uint32_t a, b, c, d;

	return (host_xcr0() & XCR0_AVX512) == XCR0_AVX512 && __get_cpuid_count(7, 0, &a, &b, &c, &d) &&
	       (b & bit_AVX512BW) && (b & bit_AVX512VL);
}

void wide_random(struct avx512_image *x, uint64_t (*next)(void *ctx), void *ctx)
{
	uint64_t *p = x->k;

	memset(x, 0, sizeof(*x));
	for (unsigned i = 0; i < (sizeof(*x) - offsetof(struct avx512_image, k)) / 8; i++)
		p[i] = next(ctx);
	for (unsigned i = 0; i < ARRAY_LEN(x->k); i++)
		switch (next(ctx) & 7) {
		case 0:
			x->k[i] = ~0ull;
			break;
		case 1:
			x->k[i] = 0;
			break;
		case 2:
			x->k[i] = 1ull << (next(ctx) & 15);
			break;
		default:
			break;
		}
	x->xstate_bv = AVX512_COMPONENTS;
	x->xcomp_bv = AVX512_XCOMP;
}

void wide_from_frame(struct avx512_image *x, const uint8_t *frame)
{
	void *const to[] = { x->k, x->zmmh, x->zmm16 };
	uint64_t in_use;

	memset(x, 0, sizeof(*x));
	memcpy(&in_use, frame + XSAVE_LEGACY_BYTES, 8);
	x->xcomp_bv = AVX512_XCOMP;
	x->xstate_bv = in_use & AVX512_COMPONENTS;
	for (unsigned i = 0; i < ARRAY_LEN(to); i++) {
		uint32_t size, at, c, d;

		__cpuid_count(0xd, AVX512_INDEX + i, size, at, c, d);
		if (x->xstate_bv >> (AVX512_INDEX + i) & 1)
			memcpy(to[i], frame + at, size);
	}
}

unsigned wide_scale(const uint8_t *code, unsigned len, bool is_64)
{
	ZydisDecodedOperand op[ZYDIS_MAX_OPERAND_COUNT];
	ZydisDecodedInstruction z;
	ZydisDecoder d;

	ZydisDecoderInit(&d, is_64 ? ZYDIS_MACHINE_MODE_LONG_64 : ZYDIS_MACHINE_MODE_LEGACY_32,
			 is_64 ? ZYDIS_STACK_WIDTH_64 : ZYDIS_STACK_WIDTH_32);
	if (!ZYAN_SUCCESS(ZydisDecoderDecodeFull(&d, code, len, &z, op)) || !z.raw.disp.value)
		return 1;
	for (unsigned i = 0; i < z.operand_count; i++)
		if (op[i].type == ZYDIS_OPERAND_TYPE_MEMORY)
			return (unsigned)(op[i].mem.disp.value / z.raw.disp.value);
	return 1;
}

unsigned wide_differs(struct avx512_image *a, struct avx512_image *b)
{
	unsigned i = offsetof(struct avx512_image, k);

	avx512_expand(a);
	avx512_expand(b);
	while (i < sizeof(*a) && ((const uint8_t *)a)[i] == ((const uint8_t *)b)[i])
		i++;
	return i;
}
