/* SPDX-License-Identifier: GPL-3.0-or-later
 * A row of forms.def, and the meaning of its columns. */
#ifndef TESTS_CONFORM_ROWS_H
#define TESTS_CONFORM_ROWS_H
#include "base/types.h"

enum {
	A_V = 1 << 0,	  /* operand sizes 16 and 32 */
	A_LOCK = 1 << 1,  /* LOCK is legal with memory */
	A_ALL = 1 << 2,	  /* every addressing mode, not a sample */
	A_MEM = 1 << 3,	  /* no register form */
	A_SEG = 1 << 4,	  /* no ModRM, but segment overrides apply */
	A_A16 = 1 << 5,	  /* no ModRM, but the address size applies */
	A_STACK = 1 << 6, /* also with 16-bit and based stacks */
	A_MANY = 1 << 7,  /* more cases */
	A_X87 = 1 << 8,
	A_SSE = 1 << 9,
	A_ALIGN = 1 << 10, /* most memory operands 16-byte aligned */
	A_FPTRS = 1 << 11, /* stores x87 instruction and data pointers */
	A_VSIB = 1 << 12,
	A_REG = 1 << 13, /* no memory form */
	A_512 = 1 << 14, /* AVX-512 */
};

enum setup {
	S_NONE,
	S_DIV8,
	S_DIV,
	S_COUNT,
	S_BCD,
	S_AAM,
	S_BT,
	S_CMPXCHG,
	S_MOFFS,
	S_XLAT,
	S_SELECTOR,
	S_SELSS,
	S_FARMEM,
	S_FARSS,
	S_QUERY,
	S_BOUND,
	S_STKSEL,
	S_STKSS,
	S_STKFLAGS,
	S_ENTER,
	S_LEAVE,
	S_STKEDGE,
	S_CODEPTR,
	S_STKCODE,
	S_SMALLCX,
	S_FARPTR,
	S_FARCODE,
	S_STKFAR,
	S_STKIRET,
	S_STR,
	S_STREQ,
	S_X87,
	S_FCW,
	S_FENV,
	S_FMF,
	S_FXIMG,
	S_MXCSR,
	S_SSE,
	S_MMX,
	S_MASKMOV,
	S_GATHER,
	S_SEQ,
};

struct form_row {
	const char *name, *enc;
	uint32_t undef, attr;
	enum setup setup;
};

/* ---- wide.c: AVX-512, for both suites ---- */

struct avx512_image;
bool host_has_wide(void);
/* X as it is loaded by XRSTOR, with random contents from NEXT, which gets CTX. */
void wide_random(struct avx512_image *x, uint64_t (*next)(void *ctx), void *ctx);
/* X from the frame of a signal, an image in the host's standard form. */
void wide_from_frame(struct avx512_image *x, const uint8_t *frame);
/* Bytes by which a displacement of one byte counts in the instruction at CODE, of 64-bit code or not. */
unsigned wide_scale(const uint8_t *code, unsigned len, bool is_64);
/* Offset of the first difference, both in canonical form; sizeof(*a): none. */
unsigned wide_differs(struct avx512_image *a, struct avx512_image *b);
#endif
