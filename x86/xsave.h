/* SPDX-License-Identifier: GPL-3.0-or-later
 * The XSAVE image in its standard form (SDM vol. 1 10.5.1, 13.4), up to AVX, and a second one for AVX-512:
 * together all registers that a guest can reach. struct cpu has one of each; bt saves and restores them as a
 * whole. */
#ifndef X86_XSAVE_H
#define X86_XSAVE_H
#include "base/types.h"

/* After FNINIT and RESET. */
enum { FCW_INIT = 0x37f, MXCSR_INIT = 0x1f80 };
enum { FSW_ES = 0x80 };	       /* an unmasked exception is pending */
enum { MXCSR_FLAGS = 0x3f };   /* exceptions that have occurred */
enum { MXCSR_VALID = 0xffff }; /* other bits are reserved: LDMXCSR and XRSTOR fault */

struct xsave_image {
	/* the legacy region, as FXSAVE writes it */
	uint16_t fcw, fsw;
	uint8_t ftw; /* abridged: a bit for each physical register, 1: not empty */
	uint8_t pad1;
	uint16_t fop;
	uint32_t fip;
	uint16_t fcs, pad2;
	uint32_t fdp;
	uint16_t fds, pad3;
	uint32_t mxcsr, mxcsr_mask;
	uint8_t st[8][16];   /* by number from the top of the stack; 10 bytes used */
	uint8_t xmm[16][16]; /* 8 outside 64-bit mode */
	uint8_t pad4[96];
	/* the header */
	uint64_t xstate_bv; /* components that are not in their initial state: bits as in XCR0 */
	uint64_t xcomp_bv, reserved[6];
	/* AVX */
	uint8_t ymmh[16][16]; /* bits 128 to 255 */
};

enum {
	XSAVE_LEGACY_BYTES = 512,
	XSAVE_MIN_BYTES = offsetof(struct xsave_image, ymmh), /* legacy region and header */
	XSAVE_BYTES = sizeof(struct xsave_image),
	XSAVE_AVX_INDEX = 2, /* of the component: sub-leaf of CPUID leaf 0DH */
	XSAVE_AVX_AT = offsetof(struct xsave_image, ymmh),
	XSAVE_AVX_BYTES = sizeof(((struct xsave_image *)0)->ymmh),
};

/* What AVX-512 adds, in compacted form with these components alone: its layout is the same on all processors,
 * as that of the standard form is not. A component that XSTATE_BV does not name is in its initial state,
 * whatever the image holds. */
struct avx512_image {
	uint8_t legacy[512]; /* not used */
	uint64_t xstate_bv, xcomp_bv, reserved[6];
	uint64_t k[8];
	uint8_t zmmh[16][32];  /* bits 256 to 511 of ZMM0 to ZMM15 */
	uint8_t zmm16[16][64]; /* ZMM16 to ZMM31 */
};
#define AVX512_COMPONENTS 0xe0u
#define AVX512_XCOMP (1ull << 63 | AVX512_COMPONENTS)
enum {
	AVX512_INDEX = 5, /* of its first component */
	AVX512_BYTES = sizeof(struct avx512_image),
	XSAVE_MOST_BYTES = 2688, /* of a guest's image in standard form, on any host that offers AVX-512 */
};
_Static_assert(offsetof(struct avx512_image, xstate_bv) == 512 && offsetof(struct avx512_image, k) == 576 &&
		   offsetof(struct avx512_image, zmm16) == 1152 && AVX512_BYTES == 2176,
	       "SDM vol. 1 13.4.3");

_Static_assert(offsetof(struct xsave_image, mxcsr) == 24 && offsetof(struct xsave_image, st) == 32 &&
		   offsetof(struct xsave_image, xmm) == 160,
	       "SDM vol. 1 table 10-2");
_Static_assert(offsetof(struct xsave_image, xstate_bv) == XSAVE_LEGACY_BYTES && XSAVE_AVX_AT == 576 &&
		   XSAVE_BYTES == 832,
	       "SDM vol. 1 13.4");

/* Bytes of an image with the components of MASK, which are bits of XCR0, up to AVX. */
static inline uint32_t xsave_bytes(uint64_t mask)
{
	return mask >> XSAVE_AVX_INDEX & 1 ? XSAVE_BYTES : XSAVE_MIN_BYTES;
}

/* Write out the components of X that are in their initial state, so that all can be read and written; and
 * the other way round. */
void avx512_expand(struct avx512_image *x);
void avx512_settle(struct avx512_image *x);

/* Return the full x87 tag word (SDM vol. 1 8.1.7), computed from the contents of the registers. */
uint16_t xsave_tag_word(const struct xsave_image *x);
/* Return the abridged form of a full tag word. */
uint8_t xsave_abridged_tags(uint16_t full);
#endif
