/* SPDX-License-Identifier: GPL-3.0-or-later
 * Initial states that suit a family: counts, pointers, selectors, floating-point values. Everything else is
 * random. */
#include <string.h>

#include "tests/long/gen.h"

/* Set register R unless it is part of the address. */
static void set_reg(struct making *m, unsigned r, uint64_t v)
{
	if (!(m->memory && m->used & 1u << r))
		m->c->st.gpr[r] = v;
}

/* Set the N-byte operand, register or memory. */
static void set_operand(struct making *m, uint64_t v, unsigned n)
{
	if (m->memory)
		poke(m, m->lin, v, n);
	else if (m->rm != R_ESP)
		m->c->st.gpr[m->rm] = v;
}

static uint64_t stack(const struct making *m)
{
	return m->c->st.gpr[R_ESP];
}

/* ---- floating point ---- */

static uint32_t rnd_float(struct making *m)
{
	static const uint32_t odd[] = { 0,	    0x80000000u, 0x3f800000, 0xbf800000u,
					0x7f800000, 0xff800000u, 0x7fc00000, 0x7fa00000,
					1,	    0x807fffffu, 0x7f7fffff, 0x4f000000 };

	if (one_in(m, 5))
		return odd[rnd(m, ARRAY_LEN(odd))];
	if (one_in(m, 8))
		return (uint32_t)rng_next(&m->rng);
	return (rnd(m, 2) << 31) | ((110 + rnd(m, 40)) << 23) | rnd(m, 1 << 23);
}

static uint64_t rnd_double(struct making *m)
{
	static const uint64_t odd[] = { 0,
					1ull << 63,
					0x3ff0000000000000,
					0x7ff0000000000000,
					0x7ff8000000000000,
					0x7ff4000000000000,
					1,
					0x7fefffffffffffff,
					0x41dfffffffc00000 };

	if (one_in(m, 5))
		return odd[rnd(m, ARRAY_LEN(odd))];
	if (one_in(m, 8))
		return rng_next(&m->rng);
	return ((uint64_t)rnd(m, 2) << 63) | ((uint64_t)(990 + rnd(m, 66)) << 52) | (rng_next(&m->rng) >> 12);
}

/* Fill N bytes with floats, doubles or bits. */
static void fill_vector(struct making *m, uint8_t *p, unsigned n)
{
	unsigned kind = rnd(m, 3);

	for (unsigned i = 0; i + 8 <= n; i += 8) {
		uint64_t v = kind == 0	 ? (uint64_t)rnd_float(m) << 32 | rnd_float(m)
			     : kind == 1 ? rnd_double(m)
					 : rng_next(&m->rng);

		memcpy(p + i, &v, 8);
	}
}

static void put_st(struct making *m, uint8_t *p)
{
	static const uint16_t odd[] = { 0, 0x7fff, 0xffff, 0x8000, 0x3fff, 0xbfff };
	uint64_t frac = 1ull << 63 | rng_next(&m->rng) >> (one_in(m, 3) ? 1 : 1 + rnd(m, 60));
	uint16_t se = (uint16_t)(rnd(m, 2) << 15 | (0x3fff - 20 + rnd(m, 60)));

	if (one_in(m, 5)) {
		se = odd[rnd(m, ARRAY_LEN(odd))];
		frac = one_in(m, 2) ? (se & 0x7fff) ? 1ull << 63 : 0 : frac;
	}
	memcpy(p, &frac, 8);
	memcpy(p + 8, &se, 2);
	memset(p + 10, 0, 6);
}

static uint32_t rnd_mxcsr(struct making *m)
{
	uint32_t v = 0x1f80 | rnd(m, 4) << 13;

	if (one_in(m, 8))
		v |= rnd(m, 2) << 15 | rnd(m, 2) << 6;
	if (one_in(m, 4))
		v |= rnd(m, 64);
	if (one_in(m, 16))
		v &= ~(rnd(m, 64) << 7);
	return v;
}

/* Apart from the case's other numbers, as hosts without AVX-512 draw none. */
static uint64_t next_wide(void *ctx)
{
	return rng_next(ctx);
}

void setup_fpu(struct making *m)
{
	struct xsave_image *x = &m->c->st.fpu.x;
	uint16_t fcw = (uint16_t)(0x37f & ~(rnd(m, 4) ? 0 : 0x300)), fsw = 0;
	uint32_t mxcsr = MXCSR_INIT, mask = MXCSR_VALID;
	uint64_t bv = 7;

	memset(x, 0, sizeof(*x));
	if (m->e->row->attr & A_X87) {
		fcw = (uint16_t)(fcw | rnd(m, 4) << 10);
		fsw = (uint16_t)(rnd(m, 8) << 11 | (rnd(m, 16) & 7) << 8 | rnd(m, 2) << 14);
		x->ftw = one_in(m, 3) ? (uint8_t)rnd(m, 256) : 0xff;
	} else if (one_in(m, 4)) {
		x->ftw = (uint8_t)rnd(m, 256);
	}
	if (m->e->row->setup == S_FMF) {
		fcw &= (uint16_t)~1;
		fsw |= 0x8081;
	}
	if (m->e->row->attr & A_SSE)
		mxcsr = rnd_mxcsr(m);
	x->fcw = fcw;
	x->fsw = fsw;
	x->mxcsr = mxcsr;
	x->mxcsr_mask = mask;
	for (unsigned i = 0; i < 8; i++)
		put_st(m, x->st[i]);
	for (unsigned i = 0; i < REGS; i++) {
		fill_vector(m, x->xmm[i], 16);
		fill_vector(m, x->ymmh[i], 16);
	}
	x->xstate_bv = bv;
	wide_random(&m->c->st.wide, next_wide, &(uint64_t){ m->rng ^ 0x512 });
}

/* ---- selectors ---- */

static uint16_t rnd_selector(struct making *m)
{
	static const uint16_t sels[] = { SEL_DS, SEL_DS, 0, 3, SEL_CS32, SEL_CS, 0xfff3, 0xfff7 };

	return sels[rnd(m, ARRAY_LEN(sels))];
}

/* ---- strings ---- */

static uint64_t string_at(struct making *m)
{
	const struct region *r = &long_regions[m->a32 ? RGN_LOW : one_in(m, 4) ? RGN_EDGE : RGN_HIGH];

	if (one_in(m, 24))
		return m->a32 ? rng_next(&m->rng) | 0x80000000u : 0x0000900000000000u + rnd(m, 16);
	return r->addr + (one_in(m, 5)	 ? r->size - 64 + rnd(m, 96)
			  : one_in(m, 3) ? 0xfc0 + rnd(m, 0x80)
					 : rnd(m, r->size - 256));
}

static uint64_t upper(struct making *m, uint64_t v)
{
	return m->a32 && one_in(m, 2) ? (uint32_t)v | rng_next(&m->rng) << 32 : v;
}

static void setup_count(struct making *m)
{
	static const uint32_t edge[] = { 0, 1, 2, 3, 4, 0x10, 0x40 };

	m->c->st.gpr[R_ECX] = upper(m, one_in(m, 2)   ? edge[rnd(m, ARRAY_LEN(edge))]
				       : one_in(m, 4) ? rnd(m, 0x2000)
						      : rnd(m, 80));
}

static void setup_string(struct making *m, bool equal)
{
	uint64_t base = m->override == SEG_FS	? m->c->st.fs_base
			: m->override == SEG_GS ? m->c->st.gs_base
						: 0;
	uint64_t src = string_at(m), dst = string_at(m);
	unsigned eq = rnd(m, 70);

	if (base && m->a32) { /* 32 bits and a base reach the low region alone */
		base = rnd(m, 4096);
		*(m->override == SEG_FS ? &m->c->st.fs_base : &m->c->st.gs_base) = base;
	}
	setup_count(m);
	m->c->st.gpr[R_ESI] = src - base;
	m->c->st.gpr[R_EDI] = dst;
	if ((uint32_t)m->c->st.gpr[R_ECX]) { /* processors differ in what none does to the upper halves */
		m->c->st.gpr[R_ESI] = upper(m, src - base);
		m->c->st.gpr[R_EDI] = upper(m, dst);
	}
	for (unsigned i = 0; equal && i < eq; i++) {
		int64_t at = m->c->st.rflags & FL_DF ? -(int64_t)i : (int64_t)i;
		uint8_t b = (uint8_t)(m->c->st.gpr[R_EAX] >> 8 * rnd(m, 2));

		poke(m, src + (uint64_t)at, b, 1);
		poke(m, dst + (uint64_t)at, b, 1);
	}
}

/* ---- the rest ---- */

static void setup_div(struct making *m)
{
	uint64_t *r = m->c->st.gpr;

	if (!one_in(m, 4)) {
		set_reg(m, R_EAX, one_in(m, 2) ? r[R_EAX] : (rnd(m, 256) >> rnd(m, 8)) << 8 | rnd(m, 256));
		set_reg(m, R_EDX, one_in(m, 2) ? (uint64_t)((int64_t)r[R_EAX] >> 63) : rnd(m, 256));
	}
	if (one_in(m, 4))
		set_operand(m, rnd_value(m), 8);
}

static void setup_fpu_memory(struct making *m)
{
	uint8_t b[64];
	uint64_t v;

	if (!m->memory)
		return;
	if (m->e->row->attr & A_X87)
		put_st(m, b);
	if (!(m->e->row->attr & A_X87) || !one_in(m, 3))
		fill_vector(m, b, sizeof(b));
	else
		memset(b + 16, 0, sizeof(b) - 16);
	for (unsigned i = 0; i < sizeof(b); i += 8) {
		memcpy(&v, b + i, 8);
		poke(m, m->lin + i, v, 8);
	}
}

static void setup_env(struct making *m)
{
	unsigned op = m->op == 2 ? 2 : 4;

	poke(m, m->lin, 0x37f | rnd(m, 4) << 10, op);
	poke(m, m->lin + op, rnd(m, 8) << 11 | (rnd(m, 8) << 8), op);
	poke(m, m->lin + 2 * op, rnd(m, 65536), op);
	poke(m, m->lin + 3 * op, 0, 4);
	for (unsigned i = 0; i < 8; i++) {
		uint8_t b[16];
		uint64_t v;

		put_st(m, b);
		memcpy(&v, b, 8);
		poke(m, m->lin + 7 * op + 10 * i, v, 8);
		poke(m, m->lin + 7 * op + 10 * i + 8, b[8] | b[9] << 8, 2);
	}
}

static void setup_fxsave_image(struct making *m)
{
	union fpu_image keep = m->c->st.fpu;

	setup_fpu(m);
	for (unsigned i = 0; i < 512; i++)
		poke(m, m->lin + i, m->c->st.fpu.b[i], 1);
	m->c->st.fpu = keep;
	if (one_in(m, 16)) /* reserved MXCSR bit: #GP */
		poke(m, m->lin + 26, 1, 1);
}

/* Indices of 32 bits, or of 64. */
/* All vectors hold indexes. */
static void setup_gather_wide(struct making *m, bool wide)
{
	for (unsigned i = 0; i < 32 * 16; i++) {
		unsigned r = i / 16, at = i % 16 * 4;
		struct long_state *st = &m->c->st;
		int32_t v = (int32_t)rnd(m, 128) - 64;
		uint8_t *p = r >= 16	? &st->wide.zmm16[r - 16][at]
			     : at >= 32 ? &st->wide.zmmh[r][at - 32]
			     : at >= 16 ? &st->fpu.x.ymmh[r][at - 16]
					: &st->fpu.x.xmm[r][at];

		if (wide && i % 2)
			v = (int8_t)p[-1] >> 7;
		memcpy(p, &v, 4);
	}
}

static void setup_gather(struct making *m)
{
	struct xsave_image *x = &m->c->st.fpu.x;
	bool wide = m->e->enc[strlen(m->e->enc) - 4] & 1;

	if (m->e->row->attr & A_512) {
		setup_gather_wide(m, wide);
		return;
	}

	for (unsigned i = 0; i < 4; i++) {
		int32_t v[2] = { (int32_t)rnd(m, 128) - 64, one_in(m, 2) ? 0 : (int32_t)rnd(m, 128) - 64 };

		if (wide)
			v[1] = v[0] >> 31;
		memcpy((i < 2 ? x->xmm : x->ymmh)[m->vidx] + 8 * (i & 1), v, 8);
	}
}

static void setup_stack_edge(struct making *m)
{
	static const uint32_t edge[] = { 0, 1, 2, 3, 4, 6, 8, 15, 16, 17, 31, 32 };
	uint64_t top = one_in(m, 2) ? 0 : long_regions[RGN_STACK].size, e = edge[rnd(m, ARRAY_LEN(edge))];

	if (m->memory && m->used & 1u << R_ESP)
		return;
	top += long_regions[RGN_STACK].addr + (one_in(m, 2) ? e : -e);
	if (one_in(m, 8))
		top = 0x0000900000000000u + (one_in(m, 2) ? e : -e);
	m->c->st.gpr[R_ESP] = top;
	set_reg(m, R_EBP, top);
}

static uint64_t any_code(struct making *m)
{
	return one_in(m, 24)   ? rng_next(&m->rng) | 0x0000900000000000u
	       : one_in(m, 24) ? long_regions[RGN_CODE].addr + 0x2000 + rnd(m, 4096)
			       : code_target(m);
}

void setup_case(struct making *m)
{
	uint64_t *r = m->c->st.gpr;

	switch (m->e->row->setup) {
	case S_DIV8:
	case S_DIV:
		setup_div(m);
		break;
	case S_COUNT:
		set_reg(m, R_ECX, (r[R_ECX] & ~0xffull) | rnd(m, one_in(m, 2) ? 66 : 256));
		break;
	case S_BT:
		for (unsigned i = 0; i < REGS; i++)
			if (i != R_ESP) /* far ones may be this process's memory */
				set_reg(m, i, rnd(m, 0x4000) - (one_in(m, 2) ? 0x2000u : 0));
		break;
	case S_CMPXCHG:
		if (one_in(m, 2)) {
			if (m->w && m->memory && !one_in(m, 8) && !(m->used & 1u << R_ESP)) /* CMPXCHG16B */
				for (unsigned i = 0; i < REGS && m->lin & 15; i++)
					if (m->used == 1u << i) {
						r[i] -= m->lin & 15;
						m->ea -= m->lin & 15;
						m->lin &= ~15ull;
					}
			set_reg(m, R_EAX, m->memory ? peek(m, m->lin) : r[m->rm]);
			if (m->memory)
				set_reg(m, R_EDX, peek(m, m->lin + (m->w ? 8 : 4)));
		}
		break;
	case S_XLAT:
		r[R_EBX] = upper(m, m->ea - (r[R_EAX] & 0xff));
		break;
	case S_MASKMOV:
		r[R_EDI] = upper(m, m->ea);
		break;
	case S_SELECTOR:
	case S_SELSS:
	case S_QUERY:
		set_operand(m, rnd_selector(m), 2);
		break;
	case S_STKSEL:
	case S_STKSS:
		poke(m, stack(m), rnd_selector(m) | rng_next(&m->rng) << 16, 8);
		break;
	case S_STKFLAGS:
		poke(m, stack(m), rng_next(&m->rng) & ~(uint64_t)(FL_TF | FL_NT), 8);
		break;
	case S_ENTER:
	case S_LEAVE:
		set_reg(m, R_EBP, r[R_ESP] + rnd(m, 64) * 4);
		break;
	case S_STKEDGE:
		setup_stack_edge(m);
		break;
	case S_CODEPTR:
		set_operand(m, any_code(m), 8);
		break;
	case S_STKCODE:
		poke(m, stack(m), any_code(m), 8);
		break;
	case S_SMALLCX:
		if (!one_in(m, 3))
			r[R_ECX] = upper(m, rnd(m, 3));
		break;
	case S_STR:
		setup_string(m, false);
		break;
	case S_STREQ:
		setup_string(m, true);
		break;
	case S_X87:
	case S_SSE:
	case S_MMX:
	case S_FMF:
		setup_fpu_memory(m);
		break;
	case S_FCW:
		poke(m, m->lin, 0x37f ^ rnd(m, 4) << 10 ^ (one_in(m, 2) ? 0x100 : 0), 2);
		break;
	case S_FENV:
		setup_env(m);
		break;
	case S_FXIMG:
		setup_fxsave_image(m);
		break;
	case S_MXCSR:
		poke(m, m->lin, one_in(m, 16) ? rnd_value(m) : rnd_mxcsr(m), 4);
		break;
	case S_GATHER:
		setup_gather(m);
		break;
	default:
		break;
	}
}

static void skip(struct making *m, uint64_t addr, uint64_t len)
{
	unsigned i = m->c->skip[0].len ? 1 : 0;

	m->c->skip[i].addr = addr;
	m->c->skip[i].len = len;
}

static bool is_row(const struct making *m, const char *name)
{
	return strcmp(m->e->row->name, name) == 0;
}

/* Exclude from comparison what differs between processors or is undefined, as in tests/conform/setup.c. */
void setup_encoded(struct making *m)
{
	uint32_t a = m->e->row->attr;
	bool wide = m->op != 2;

	if ((a & A_FPTRS) && (a & A_SSE)) {
		skip(m, m->lin + 6, 18);
		skip(m, m->lin + 416, 96);
	} else if (a & A_FPTRS)
		skip(m, m->lin + (wide ? 12 : 6), wide ? 16 : 8);
	if (is_row(m, "lar-lsl") && m->e->enc[4] == '2') {
		m->c->undef_reg = (uint8_t)m->reg;
		m->c->undef_bits = 0xf0000;
	}
	m->c->loose_tags = is_row(m, "mmx.maskmovq");
	m->c->loose_flags = is_row(m, "rep.scas") || is_row(m, "rep.cmps");
	m->c->loose_mxcsr = is_row(m, "avx.f16cst") || ((a & A_512) && strstr(m->e->enc, " 1D "));
	m->c->low_index = m->a32 && (m->e->row->setup == S_STR || m->e->row->setup == S_STREQ);
	m->c->misaligned = m->memory && ((m->lin & 31) || (a & A_ALIGN));
	if (m->e->row->setup == S_MASKMOV)
		m->c->cr2_slack = 16;
	if (is_row(m, "avx.maskmov") || is_row(m, "avx2.maskmov"))
		m->c->cr2_slack = 32;
	if (a & A_512)
		m->c->cr2_slack = 64;
	if (is_row(m, "f.save") || is_row(m, "f.rstor") || is_row(m, "f.stenv") || is_row(m, "f.ldenv"))
		m->c->cr2_slack = 108;
	if (is_row(m, "fxsave") || is_row(m, "fxrstor"))
		m->c->cr2_slack = 512;
}
