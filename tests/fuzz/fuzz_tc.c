/* SPDX-License-Identifier: GPL-3.0-or-later
 * Decoding, lowering and the verifier against arbitrary guest code, in 16-bit, 32-bit and 64-bit mode, on
 * processors with any set of features: see tests/bt/oracle.h. Nothing is executed.
 *
 * Input: a header of HEADER bytes (struct oracle_cpu, packed as make_cpu() reads it), then code.
 */
#include "tests/bt/oracle.h"
#include "tests/fuzz/fuzz.h"

#include <stdio.h>
#include <stdlib.h>

enum { HEADER = 16 };

/* Data segments: flat; any base; 64 KiB; a limit of their own. */
static void make_segments(struct oracle_cpu *c, unsigned bits)
{
	static const uint32_t bases[] = { 0, 0x12340, 0x10000, 0x80000000 };
	static const uint32_t limits[] = { ~0u, ~0u, 0xffff, 0x1234 };

	for (unsigned s = 0; s < SEG_COUNT; s++, bits >>= 2) {
		c->base[s] = bases[bits & 3];
		c->limit[s] = limits[bits & 3];
	}
}

static struct oracle_cpu make_cpu(const uint8_t *h)
{
	struct oracle_cpu c = {
		.code32 = h[0] & 1,
		.stack32 = h[0] & 2,
		.protected = h[0] & 4,
		.v86 = h[0] & 8,
		.user = h[0] & 16,
		.device = h[0] & 32,
		.stepping = h[0] & 64,
		.prechecked = h[0] & 128,
		.counted = h[1] & 1,
		.icount = h[1] & 2,
		.cr0 = (h[1] & 4 ? CR0_EM : 0) | (h[1] & 8 ? CR0_TS : 0) | (h[1] & 16 ? CR0_MP : 0),
		.cr4 =
		    (h[1] & 32 ? 0 : CR4_OSFXSR) | (h[1] & 64 ? 0 : CR4_OSXSAVE) | (h[1] & 128 ? CR4_TSD : 0),
		.xcr0 = ~(uint32_t)h[2] & 7,
		.mixed = h[2] & 8,
		.way = h[2] >> 4 & 3,
		.code64 = h[2] & 128,
		.guilty = h[6] >> 4,
		.eip = (uint32_t)h[5] << 24 | (uint32_t)(h[6] & 15) << 8 | h[7],
	};

	make_segments(&c, h[3] | (unsigned)h[4] << 8);
	for (unsigned i = 0; i < FEATURES; i++)
		c.lacks[i] = h[8 + i / 8 % 8] >> i % 8 & 1;
	return c;
}

static struct oracle *o; /* kept: making one takes longer than a thousand inputs */

/* It is not in memory where a leak checker looks for pointers. */
static void free_oracle(void)
{
	oracle_free(o);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct oracle_cpu c;
	const char *why;

	if (size <= HEADER)
		return 0;
	if (!o && (o = oracle_new()))
		atexit(free_oracle);
	if (!o) { /* the host lacks what the translator needs, and said so */
		return 0;
	}
	c = make_cpu(data);
	why = oracle_check(o, &c, data + HEADER, size - HEADER);
	if (!why)
		return 0;
	fprintf(stderr, "%s\n", why);
	abort();
}
