/* SPDX-License-Identifier: GPL-3.0-or-later
 * The XSAVE image in its standard form (SDM vol. 1 10.5.1, 13.4), up to AVX: all registers that a
 * guest can reach. struct cpu has one; bt saves and restores it as a whole. */
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

_Static_assert(offsetof(struct xsave_image, mxcsr) == 24 && offsetof(struct xsave_image, st) == 32 &&
		   offsetof(struct xsave_image, xmm) == 160,
	       "SDM vol. 1 table 10-2");
_Static_assert(offsetof(struct xsave_image, xstate_bv) == XSAVE_LEGACY_BYTES && XSAVE_AVX_AT == 576 &&
		   XSAVE_BYTES == 832,
	       "SDM vol. 1 13.4");

/* Bytes of an image with the components of MASK, which are bits of XCR0. */
static inline uint32_t xsave_bytes(uint64_t mask)
{
	return mask >> XSAVE_AVX_INDEX & 1 ? XSAVE_BYTES : XSAVE_MIN_BYTES;
}

/* Return the full x87 tag word (SDM vol. 1 8.1.7), computed from the contents of the registers. */
uint16_t xsave_tag_word(const struct xsave_image *x);
/* Return the abridged form of a full tag word. */
uint8_t xsave_abridged_tags(uint16_t full);
#endif
