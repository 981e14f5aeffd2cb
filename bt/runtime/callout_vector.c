/* SPDX-License-Identifier: GPL-3.0-or-later
 * Vector instructions that access memory element by element under a mask: gathers, scatters,
 * masked moves, MASKMOV. They run natively in the window; here is what remains:
 * device memory, and segments whose base and limit count for each element.
 * These callouts save the FPU: the guest's registers are in the XSAVE image (SDM
 * vol. 1 13.4), standard form. */
#include "bt/runtime/callout_int.h"

#include "base/gpr.h"
#include "cpu/system.h"

/* Byte AT of vector register R. */
static uint8_t *vec(struct cpu *c, unsigned r, unsigned at)
{
	if (r >= 16)
		return &c->avx512.zmm16[r - 16][at];
	if (at >= 32)
		return &c->avx512.zmmh[r][at - 32];
	return at < 16 ? &c->xsave.xmm[r][at] : &c->xsave.ymmh[r][at - 16];
}

static void set_element(struct cpu *c, unsigned r, unsigned at, uint64_t v, unsigned size)
{
	for (unsigned i = 0; i < size; i++, v >>= 8)
		*vec(c, r, at + i) = (uint8_t)v;
}

static uint64_t element(struct cpu *c, unsigned r, unsigned at, unsigned size)
{
	uint64_t v = 0;

	for (unsigned i = size; i--;)
		v = v << 8 | *vec(c, r, at + i);
	return v;
}

static void clear_from(struct cpu *c, unsigned r, unsigned at)
{
	while (at < 32)
		*vec(c, r, at++) = 0;
	if (c->avx512.xstate_bv & XCR0_ZMM_HI256)
		gpr_zero(c->avx512.zmmh[r], sizeof(c->avx512.zmmh[r]));
	c->xsave.xstate_bv |= XCR0_SSE | XCR0_AVX; /* not the initial state any more */
}

static bool selected(struct cpu *c, unsigned mask, unsigned at, unsigned size)
{
	return *vec(c, mask, at + size - 1) & 0x80;
}

/* An index, sign-extended. */
static uint64_t index_of(struct cpu *c, const struct site *s, unsigned i)
{
	uint64_t v = element(c, s->vector.index, i * s->vector.index_size, s->vector.index_size);

	return s->vector.index_size == 4 ? (uint64_t)(int32_t)v : v;
}

/* Of the mask's elements only the upper bits count, but all are set or cleared by them first, also those
 * beyond the last one; what a vector of 128 bits leaves is cleared. */
static void extend_mask(struct cpu *c, const struct site *s, unsigned size)
{
	unsigned length = s->vector.n * (size > s->vector.index_size ? size : s->vector.index_size);

	for (unsigned at = 0; at < length; at += size)
		set_element(c, s->vector.mask, at, selected(c, s->vector.mask, at, size) ? ~0ull : 0, size);
	clear_from(c, s->vector.mask, length);
}

/* EA: base and displacement. A fault leaves what was gathered, and its mask bits clear. */
uint64_t co_gather(struct bt_vcpu *b, struct site *s, uint64_t ea)
{
	struct cpu *c = &b->v.cpu;
	unsigned size = s->op;

	callout_begin(b, s);
	extend_mask(c, s, size);
	for (unsigned i = 0; i < s->vector.n; i++) {
		uint64_t index = index_of(c, s, i), v = 0;

		if (!selected(c, s->vector.mask, i * size, size))
			continue;
		if (cpu_read(&b->v, s->seg, callout_offset(s, ea + index * s->vector.scale), &v, size))
			return callout_raise(b, s);
		set_element(c, s->vector.data, i * size, v, size);
		set_element(c, s->vector.mask, i * size, 0, size);
		c->xsave.xstate_bv |= XCR0_SSE | XCR0_AVX;
	}
	clear_from(c, s->vector.data, s->vector.n * size);
	clear_from(c, s->vector.mask, 0);
	return 0;
}

/* ---- AVX-512: mask registers ---- */

static uint64_t element_at(struct cpu *c, const struct site *s, uint64_t ea, unsigned i)
{
	return callout_offset(s, ea + index_of(c, s, i) * s->vector.scale);
}

/* The elements in order, each with its bit of the mask: a fault leaves those before it done. */
uint64_t co_gather_k(struct bt_vcpu *b, struct site *s, uint64_t ea)
{
	struct cpu *c = &b->v.cpu;
	uint64_t *k = &c->avx512.k[s->vector.mask], v;
	unsigned size = s->op;

	callout_begin(b, s);
	avx512_expand(&c->avx512);
	c->xsave.xstate_bv |= XCR0_SSE | XCR0_AVX;
	for (unsigned i = 0; i < s->vector.n; i++) {
		if (!(*k >> i & 1))
			continue;
		v = 0;
		if (cpu_read(&b->v, s->seg, element_at(c, s, ea, i), &v, size)) {
			avx512_settle(&c->avx512);
			return callout_raise(b, s);
		}
		set_element(c, s->vector.data, i * size, v, size);
		*k &= ~(1ull << i);
	}
	*k = 0;
	for (unsigned at = s->vector.n * size; at < 64; at++)
		*vec(c, s->vector.data, at) = 0;
	avx512_settle(&c->avx512);
	return 0;
}

uint64_t co_scatter_k(struct bt_vcpu *b, struct site *s, uint64_t ea)
{
	struct cpu *c = &b->v.cpu;
	uint64_t *k = &c->avx512.k[s->vector.mask], v;
	unsigned size = s->op;

	callout_begin(b, s);
	avx512_expand(&c->avx512);
	for (unsigned i = 0; i < s->vector.n; i++) {
		if (!(*k >> i & 1))
			continue;
		v = element(c, s->vector.data, i * size, size);
		if (cpu_write(&b->v, s->seg, element_at(c, s, ea, i), &v, size)) {
			avx512_settle(&c->avx512);
			return callout_raise(b, s);
		}
		*k &= ~(1ull << i);
	}
	*k = 0;
	avx512_settle(&c->avx512);
	return callout_done(b, s, 0);
}

/* ---- masked moves ---- */

uint64_t co_masked_load(struct bt_vcpu *b, struct site *s, uint64_t ea)
{
	struct cpu *c = &b->v.cpu;
	unsigned size = s->op;
	uint64_t v[8] = { 0 };

	callout_begin(b, s);
	for (unsigned i = 0; i < s->vector.n; i++)
		if (selected(c, s->vector.mask, i * size, size) &&
		    cpu_read(&b->v, s->seg, callout_offset(s, ea + i * size), &v[i], size))
			return callout_raise(b, s);
	clear_from(c, s->vector.data, 0);
	for (unsigned i = 0; i < s->vector.n; i++)
		set_element(c, s->vector.data, i * size, v[i], size);
	return 0;
}

/* The masked elements in runs, as few accesses as they need; DATA NULL: check that
 * they can be written. */
static int each_run(struct bt_vcpu *b, const struct site *s, uint64_t ea, const uint8_t *data, const bool *on)
{
	unsigned n = s->vector.n * s->op, from, to;

	for (from = 0; from < n; from = to) {
		for (to = from; to < n && on[to]; to++)
			;
		if (to == from)
			to++;
		else if (data ? cpu_write(&b->v, s->seg, callout_offset(s, ea + from), data + from, to - from)
			      : cpu_check_write(&b->v, s->seg, callout_offset(s, ea + from), to - from))
			return -1;
	}
	return 0;
}

static int store_runs(struct bt_vcpu *b, const struct site *s, uint64_t ea, const uint8_t *data,
		      const bool *on)
{
	return each_run(b, s, ea, NULL, on) || each_run(b, s, ea, data, on) ? -1 : 0;
}

uint64_t co_masked_store(struct bt_vcpu *b, struct site *s, uint64_t ea)
{
	struct cpu *c = &b->v.cpu;
	uint8_t data[32];
	bool on[32];

	callout_begin(b, s);
	for (unsigned i = 0; i < s->vector.n * s->op; i++) {
		data[i] = *vec(c, s->vector.data, i);
		on[i] = selected(c, s->vector.mask, i / s->op * s->op, s->op);
	}
	return callout_done(b, s, store_runs(b, s, ea, data, on));
}

/* MASKMOVQ: the fragment made sure that the x87 stack's top is 0, so that MMX
 * registers are in order. */
uint64_t co_maskmovq(struct bt_vcpu *b, struct site *s, uint64_t ea)
{
	const struct xsave_image *x = &b->v.cpu.xsave;
	uint8_t data[8];
	bool on[8];

	callout_begin(b, s);
	for (unsigned i = 0; i < 8; i++) {
		data[i] = x->st[s->vector.data][i];
		on[i] = x->st[s->vector.mask][i] & 0x80;
	}
	return store_runs(b, s, ea, data, on) ? callout_raise(b, s) : 0;
}
