/* SPDX-License-Identifier: GPL-3.0-or-later
 * GPR-only code runs while a guest's x87 and vector registers are live in the host's.
 * Its files are built with -mgeneral-regs-only; it may call other GPR-only code and
 * libc's plain system calls (tests/gpr_only.sh has the list and checks it). Here are its
 * replacements for libc's string functions, and how it calls anything else. */
#ifndef BASE_GPR_H
#define BASE_GPR_H
#include "base/types.h"

#ifdef __SSE__
#define GPR_ONLY_BUILD false
#else
#define GPR_ONLY_BUILD true
#endif

/* Words of guest memory or code: of any alignment, over any type. */
typedef uint64_t __attribute__((aligned(1), may_alias)) any64;
typedef uint32_t __attribute__((aligned(1), may_alias)) any32;
typedef uint16_t __attribute__((aligned(1), may_alias)) any16;

static inline uint64_t gpr_load64(const void *p)
{
	return *(const any64 *)p;
}

static inline void gpr_fill(void *d, uint8_t v, size_t n)
{
	__asm__ volatile("rep stosb" : "+D"(d), "+c"(n) : "a"(v) : "memory");
}

static inline void gpr_zero(void *d, size_t n)
{
	gpr_fill(d, 0, n);
}

static inline void gpr_copy(void *d, const void *s, size_t n)
{
	__asm__ volatile("rep movsb" : "+D"(d), "+S"(s), "+c"(n) : : "memory");
}

#ifndef __SSE__
/* x87, SSE, AVX and AVX-512: all that a guest can reach, as XSAVE writes it in the host's layout (x86/xsave.h
 * has the size). */
struct vector_state {
	struct {
		uint8_t legacy[512];
		uint64_t header[8];
		uint8_t more[2112];
	} image;
} __attribute__((aligned(64)));

/* Save the guest's registers, and make them what C expects. Declare S in a function's outermost block: at the
 * ends of an inner one AddressSanitizer would call out. */
static inline void vectors_away(struct vector_state *s)
{
	static const uint32_t mxcsr = 0x1f80;

	for (unsigned i = 0; i < 8; i++)
		*(volatile uint64_t *)&s->image.header[i] = 0;
	__asm__ volatile("xsave %0\n\tfninit\n\tldmxcsr %1\n\tvzeroupper"
			 : "+m"(*s)
			 : "m"(mxcsr), "a"(0xe7), "d"(0)
			 : "memory");
}

static inline void vectors_back(const struct vector_state *s)
{
	__asm__ volatile("xrstor %0" : : "m"(*s), "a"(0xe7), "d"(0) : "memory");
}
#endif
#endif
