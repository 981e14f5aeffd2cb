/* SPDX-License-Identifier: GPL-3.0-or-later
 * Initial states that suit a family: counts, pointers, selectors, floating-point values. Everything else is
 * random. */
#include <string.h>

#include "tests/conform/gen.h"

static void poke(struct making *m, uint32_t lin, uint64_t v, unsigned n)
{
	for (unsigned i = 0; i < n; i++, v >>= 8) {
		uint8_t *p = mem_at(m->c->mem, lin + i);

		if (p)
			*p = (uint8_t)v;
	}
}

static uint32_t peek(struct making *m, uint32_t lin)
{
	uint32_t v = 0;

	for (unsigned i = 0; i < 4; i++) {
		const uint8_t *p = mem_at(m->c->mem, lin + i);

		v |= (uint32_t)(p ? *p : 0) << 8 * i;
	}
	return v;
}

static uint32_t stack_lin(struct making *m, uint32_t up)
{
	uint32_t off = m->c->st.gpr[R_ESP] + up;

	if (m->c->st.seg[SEG_SS] == SEL_LDT(LDT_STACK16))
		off &= 0xffff;
	return sel_base(m->c->st.seg[SEG_SS]) + off;
}

/* Set register R unless it is part of the address. */
static void set_reg(struct making *m, unsigned r, uint32_t v)
{
	if (!(m->used & 1u << r))
		m->c->st.gpr[r] = v;
}

/* Set the N-byte operand, register or memory. */
static void set_operand(struct making *m, uint64_t v, unsigned n)
{
	if (m->has_ea)
		poke(m, m->ea, v, n);
	else
		m->c->st.gpr[m->rm] = (uint32_t)v;
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
	if (m->f->row->attr & A_X87) {
		fcw = (uint16_t)(fcw | rnd(m, 4) << 10);
		fsw = (uint16_t)(rnd(m, 8) << 11 | (rnd(m, 16) & 7) << 8 | rnd(m, 2) << 14);
		x->ftw = one_in(m, 3) ? (uint8_t)rnd(m, 256) : 0xff;
	} else if (one_in(m, 4)) {
		x->ftw = (uint8_t)rnd(m, 256);
	}
	if (m->f->row->setup == S_FMF) {
		fcw &= (uint16_t)~1;
		fsw |= 0x8081;
	}
	if (m->f->row->attr & A_SSE)
		mxcsr = rnd_mxcsr(m);
	x->fcw = fcw;
	x->fsw = fsw;
	x->mxcsr = mxcsr;
	x->mxcsr_mask = mask;
	for (unsigned i = 0; i < 8; i++)
		put_st(m, x->st[i]);
	for (unsigned i = 0; i < 8; i++) {
		fill_vector(m, x->xmm[i], 16);
		fill_vector(m, x->ymmh[i], 16);
	}
	x->xstate_bv = bv;
	wide_random(&m->c->st.wide, next_wide, &(uint64_t){ m->rng ^ 0x512 });
}

/* ---- selectors ---- */

static uint16_t rnd_data_sel(struct making *m)
{
	static const uint16_t sels[] = { SEL_DS,
					 SEL_LDT(LDT_DATA_FS),
					 SEL_LDT(LDT_DATA_GS),
					 SEL_LDT(LDT_DATA_RO),
					 SEL_LDT(LDT_DATA_DOWN),
					 0,
					 3,
					 SEL_CS,
					 SEL_LDT(LDT_CODE16),
					 SEL_LDT(LDT_COUNT),
					 SEL_LDT(LDT_DATA_FS) };

	return sels[rnd(m, ARRAY_LEN(sels))];
}

static uint16_t rnd_stack_sel(struct making *m)
{
	static const uint16_t sels[] = {
		SEL_DS, SEL_LDT(LDT_STACK16), SEL_LDT(LDT_STACK32), SEL_DS, 0, SEL_LDT(LDT_DATA_RO),
		SEL_CS, SEL_LDT(LDT_COUNT)
	};

	return sels[rnd(m, ARRAY_LEN(sels))];
}

static uint16_t rnd_code_sel(struct making *m)
{
	static const uint16_t sels[] = { SEL_CS,
					 SEL_LDT(LDT_CODE16),
					 SEL_LDT(LDT_CODE32),
					 SEL_CS,
					 SEL_LDT(LDT_CODE16),
					 SEL_LDT(LDT_CODE32),
					 SEL_DS,
					 0,
					 SEL_LDT(LDT_COUNT),
					 SEL_LDT(LDT_DATA_FS) };

	return sels[rnd(m, ARRAY_LEN(sels))];
}

uint32_t code_target(struct making *m, uint16_t sel)
{
	uint32_t own = m->c->st.eip & 0x1fff, off = rnd(m, 0x1ff0);

	if (off - own + 16 < 48)
		off ^= 0x800;
	return off + (sel == SEL_CS ? RGN_CODE_ADDR : 0);
}

static uint32_t code_off(struct making *m, uint16_t sel)
{
	return code_target(m, sel) + (one_in(m, 24) ? 0x2000 : 0);
}

static void push_far(struct making *m, bool flags)
{
	unsigned op = m->f->op;
	uint16_t sel = rnd_code_sel(m);
	uint32_t fl = (uint32_t)rng_next(&m->rng) & (FL_HOST | FL_IF | FL_ID | FL_IOPL);

	poke(m, stack_lin(m, 0), code_off(m, sel), op);
	poke(m, stack_lin(m, op), sel | rng_next(&m->rng) << 16, op);
	if (flags)
		poke(m, stack_lin(m, 2 * op), fl | FL_ONE, op);
}

/* ---- strings ---- */

static uint32_t string_off(struct making *m, enum seg s)
{
	uint32_t base = sel_base(m->c->st.seg[s]), a;

	if (base)
		return rnd(m, 0x1700);
	if (m->f->asize == 2 || one_in(m, 4))
		a = RGN_LOW_ADDR;
	else
		a = RGN_HIGH_ADDR;
	return a + (one_in(m, 5)   ? 0x3fc0 + rnd(m, 0x60)
		    : one_in(m, 3) ? 0xfc0 + rnd(m, 0x80)
				   : rnd(m, 0x3f00));
}

static void set_index(struct making *m, unsigned r, uint32_t v)
{
	uint32_t *p = &m->c->st.gpr[r];

	*p = m->f->asize == 2 ? (*p & 0xffff0000u) | (v & 0xffff) : v;
}

static void setup_count(struct making *m)
{
	static const uint32_t edge[] = { 0, 1, 2, 3, 4, 0x10, 0x40 };
	uint32_t n = one_in(m, 2)   ? edge[rnd(m, ARRAY_LEN(edge))]
		     : one_in(m, 4) ? rnd(m, 0x2000)
				    : rnd(m, 80);

	set_index(m, R_ECX, n);
}

static void setup_string(struct making *m, bool equal)
{
	enum seg s = m->f->override >= 0 ? (enum seg)m->f->override : SEG_DS;
	uint32_t src = string_off(m, s), dst = string_off(m, SEG_ES), eq = rnd(m, 70);

	set_index(m, R_ESI, src);
	set_index(m, R_EDI, dst);
	setup_count(m);
	src += sel_base(m->c->st.seg[s]);
	dst += sel_base(m->c->st.seg[SEG_ES]);
	/* On AMD's Zen, REP MOVS with 16-bit addresses compares whole registers to detect overlap, and copies
	 * wrongly if their upper halves hide it. */
	if (m->f->asize == 2 && dst - src + 256 < 512) {
		m->c->st.gpr[R_ESI] &= 0xffff;
		m->c->st.gpr[R_EDI] &= 0xffff;
	}
	if (!equal)
		return;
	for (uint32_t i = 0; i < eq; i++) {
		int32_t at = m->c->st.eflags & FL_DF ? -(int32_t)i : (int32_t)i;
		uint8_t b = (uint8_t)(one_in(m, 2) ? m->c->st.gpr[R_EAX] : m->c->st.gpr[R_EAX] >> 8);

		poke(m, src + (uint32_t)at, b, 1);
		poke(m, dst + (uint32_t)at, b, 1);
	}
}

/* ---- the rest ---- */

static void setup_div(struct making *m, unsigned op)
{
	uint32_t *r = m->c->st.gpr;

	if (op == 1) {
		if (!one_in(m, 4))
			set_reg(m, R_EAX, (rnd(m, 256) >> rnd(m, 8)) << 8 | rnd(m, 256) | r[R_EAX] << 16);
		return;
	}
	if (!one_in(m, 4))
		set_reg(m, R_EDX, one_in(m, 2) ? (uint32_t)((int32_t)r[R_EAX] >> 31) : rnd(m, 256));
	if (m->has_ea && one_in(m, 4))
		poke(m, m->ea, rnd_value(m), 4);
}

static void setup_bcd(struct making *m)
{
	m->c->st.gpr[R_EAX] = (m->c->st.gpr[R_EAX] & 0xffff0000u) | rnd(m, 65536);
}

static void setup_fpu_memory(struct making *m)
{
	uint8_t b[64];

	if (!m->has_ea)
		return;
	if (m->f->row->attr & A_X87)
		put_st(m, b);
	if (!(m->f->row->attr & A_X87) || !one_in(m, 3))
		fill_vector(m, b, sizeof(b));
	for (unsigned i = 0; i < sizeof(b); i++)
		poke(m, m->ea + i, b[i], 1);
}

static void setup_env(struct making *m)
{
	unsigned op = m->f->op;

	if (!m->has_ea)
		return;
	poke(m, m->ea, 0x37f | rnd(m, 4) << 10, op);
	poke(m, m->ea + op, rnd(m, 8) << 11 | (rnd(m, 8) << 8), op);
	poke(m, m->ea + 2 * op, rnd(m, 65536), op);
	poke(m, m->ea + 3 * op, 0, 4);
	for (unsigned i = 0; i < 8; i++) {
		uint8_t b[16];

		put_st(m, b);
		for (unsigned j = 0; j < 10; j++)
			poke(m, m->ea + 7 * op + 10 * i + j, b[j], 1);
	}
}

static void setup_fxsave_image(struct making *m)
{
	union fpu_image keep = m->c->st.fpu;

	setup_fpu(m);
	for (unsigned i = 0; i < 512; i++)
		poke(m, m->ea + i, m->c->st.fpu.b[i], 1);
	m->c->st.fpu = keep;
	if (one_in(m, 16)) /* reserved MXCSR bit: #GP */
		poke(m, m->ea + 26, 1, 1);
}

static void setup_gather(struct making *m)
{
	struct xsave_image *x = &m->c->st.fpu.x;
	struct avx512_image *w = &m->c->st.wide;

	for (unsigned i = 0; i < 4; i++) {
		int32_t v[2] = { (int32_t)rnd(m, 256) - 128, one_in(m, 2) ? 0 : (int32_t)rnd(m, 256) - 128 };

		memcpy((i < 2 ? x->xmm : x->ymmh)[m->vidx] + 8 * (i & 1), v, 8);
		memcpy(w->zmmh[m->vidx] + 8 * i, v, 8);
	}
}

static void setup_stack_edge(struct making *m)
{
	static const uint32_t edge[] = { 0, 1, 2, 3, 4, 6, 8, 15, 16, 17, 31, 32 };
	uint32_t top = one_in(m, 2) ? 0 : RGN_STACK_SIZE, base = sel_base(m->c->st.seg[SEG_SS]);
	uint32_t e = edge[rnd(m, ARRAY_LEN(edge))];

	top += one_in(m, 2) ? e : (uint32_t) - (int32_t)e;
	m->c->st.gpr[R_ESP] = base ? top : RGN_STACK_ADDR + top;
	m->c->st.gpr[R_EBP] = m->c->st.gpr[R_ESP];
}

static void setup_bound(struct making *m)
{
	unsigned op = m->f->op;
	int32_t lo = (int32_t)rnd_value(m), v = (int32_t)rnd_value(m);

	poke(m, m->ea, (uint32_t)lo, op);
	poke(m, m->ea + op, (uint32_t)(one_in(m, 2) ? v : lo + (int32_t)rnd(m, 1000)), op);
	for (unsigned r = 0; r < 8; r++)
		if (r != R_ESP && !one_in(m, 3))
			set_reg(m, r, (uint32_t)lo + rnd(m, 500));
}

void setup_case(struct making *m)
{
	uint32_t *r = m->c->st.gpr, s;

	switch (m->f->row->setup) {
	case S_NONE:
	case S_SEQ:
		break;
	case S_DIV8:
		setup_div(m, 1);
		break;
	case S_DIV:
		setup_div(m, m->f->op);
		break;
	case S_COUNT:
		set_reg(m, R_ECX, (r[R_ECX] & ~0xffu) | rnd(m, one_in(m, 2) ? 34 : 256));
		break;
	case S_BCD:
	case S_AAM:
		setup_bcd(m);
		break;
	case S_BT:
		for (unsigned i = 0; i < 8; i++)
			if (i != R_ESP && !one_in(m, 6))
				set_reg(m, i, rnd(m, 0x8000) - (one_in(m, 2) ? 0x4000u : 0));
		break;
	case S_CMPXCHG:
		if (one_in(m, 2)) {
			set_reg(m, R_EAX, m->has_ea ? peek(m, m->ea) : r[m->rm]);
			if (m->has_ea)
				set_reg(m, R_EDX, peek(m, m->ea + 4));
		}
		break;
	case S_MOFFS:
		break;
	case S_XLAT:
		s = m->off - (r[R_EAX] & 0xff);
		set_index(m, R_EBX, s);
		break;
	case S_MASKMOV:
		set_index(m, R_EDI, m->off);
		setup_fpu_memory(m);
		break;
	case S_SELECTOR:
		set_operand(m, rnd_data_sel(m), 2);
		break;
	case S_SELSS:
		set_operand(m, rnd_stack_sel(m), 2);
		break;
	case S_QUERY:
		set_operand(m, one_in(m, 2) ? rnd_data_sel(m) : rnd_stack_sel(m), 2);
		break;
	case S_FARMEM:
		poke(m, m->ea + m->f->op, rnd_data_sel(m), 2);
		break;
	case S_FARSS:
		poke(m, m->ea + m->f->op, rnd_stack_sel(m), 2);
		break;
	case S_FARCODE:
	case S_FARPTR:
		s = rnd_code_sel(m);
		if (m->has_ea) {
			poke(m, m->ea, code_off(m, (uint16_t)s), m->f->op);
			poke(m, m->ea + m->f->op, s, 2);
		}
		break;
	case S_BOUND:
		setup_bound(m);
		break;
	case S_STKSEL:
		poke(m, stack_lin(m, 0), rnd_data_sel(m) | rng_next(&m->rng) << 16, m->f->op);
		break;
	case S_STKSS:
		poke(m, stack_lin(m, 0), rnd_stack_sel(m) | rng_next(&m->rng) << 16, m->f->op);
		break;
	case S_STKFLAGS:
		poke(m, stack_lin(m, 0), rng_next(&m->rng) & ~(uint64_t)(FL_TF | FL_NT), m->f->op);
		break;
	case S_ENTER:
	case S_LEAVE:
		set_reg(m, R_EBP, r[R_ESP] + rnd(m, 64) * 4);
		break;
	case S_STKEDGE:
		setup_stack_edge(m);
		break;
	case S_CODEPTR:
		set_operand(m, code_off(m, m->c->st.seg[SEG_CS]), m->f->op);
		break;
	case S_STKCODE:
		poke(m, stack_lin(m, 0), code_off(m, m->c->st.seg[SEG_CS]), m->f->op);
		break;
	case S_STKFAR:
		push_far(m, false);
		break;
	case S_STKIRET:
		push_far(m, true);
		break;
	case S_SMALLCX:
		if (!one_in(m, 3))
			set_index(m, R_ECX, rnd(m, 3));
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
		poke(m, m->ea, 0x37f ^ rnd(m, 4) << 10 ^ (one_in(m, 2) ? 0x100 : 0), 2);
		break;
	case S_FENV:
		setup_env(m);
		break;
	case S_FXIMG:
		setup_fxsave_image(m);
		break;
	case S_MXCSR:
		poke(m, m->ea, one_in(m, 16) ? rnd_value(m) : rnd_mxcsr(m), 4);
		break;
	case S_GATHER:
		setup_gather(m);
		break;
	}
}

static void skip(struct making *m, uint32_t addr, uint32_t len)
{
	unsigned i = m->c->skip[0].len ? 1 : 0;

	m->c->skip[i].addr = addr;
	m->c->skip[i].len = len;
}

static bool is_row(const struct making *m, const char *name)
{
	return strcmp(m->f->row->name, name) == 0;
}

static bool stores_80_bits(const struct making *m)
{
	return strcmp(m->f->enc, "DF /6") == 0 || strcmp(m->f->enc, "DB /7") == 0;
}

/* What a fault of the form may leave changed: the progress of POPA; whether MASKMOVQ has marked the x87
 * registers as used. Intel's processors push the return address before they compare the target of CALL with
 * the limit, restore the flags that a repeated SCAS or CMPS began with (SDM vol. 2, REP), set the exception
 * flags of VCVTPS2PH before they store, store part of an 80-bit operand, and report any element of a masked
 * move; AMD's do none of these. */
static unsigned loose_of(const struct making *m)
{
	if (strcmp(m->f->enc, "61") == 0)
		return LOOSE_REGS;
	if (is_row(m, "mmx.maskmovq"))
		return LOOSE_TAGS;
	if (is_row(m, "call.m") || is_row(m, "call") || stores_80_bits(m))
		return LOOSE_MEM;
	if (is_row(m, "rep.scas"))
		return LOOSE_FLAGS;
	if (is_row(m, "rep.cmps")) /* the operand that is read first */
		return LOOSE_FLAGS | LOOSE_CR2;
	if (is_row(m, "avx.maskmov") || is_row(m, "avx2.maskmov"))
		return LOOSE_CR2;
	if (m->f->row->attr & A_512)
		return LOOSE_CR2 | (strstr(m->f->enc, " 1D ") ? LOOSE_MXCSR : 0);
	return is_row(m, "avx.f16cst") ? LOOSE_MXCSR : 0;
}

/* EVEX scales a displacement of one byte: the base makes up for it. */
static void settle_scale(struct making *m)
{
	const struct amode *a = m->f->mode >= 0 ? &amodes[m->f->mode] : NULL;
	int base = m->f->mode == VSIB_MODE ? R_EBX : a && a->asize == 4 && a->disp == 1 ? a->base : -1;
	int32_t n;

	if (m->f->enc[0] != 'e' || base < 0)
		return;
	n = (int32_t)wide_scale(m->c->code, m->c->len, false) - 1;
	m->c->st.gpr[base] -= (uint32_t)(n * m->disp);
}

/* Exclude from comparison what differs between processors or is undefined: x87 pointers, the reserved part of
 * an FXSAVE image, bits 16-19 of LAR's result, the upper half of a pushed selector, the progress of a
 * faulting far CALL. */
void setup_encoded(struct making *m)
{
	uint32_t a = m->f->row->attr;
	bool wide = m->f->op == 4;

	settle_scale(m);

	if ((a & A_FPTRS) && (a & A_SSE)) {
		skip(m, m->ea + 6, 18);
		skip(m, m->ea + 288, 128);
	} else if (a & A_FPTRS) {
		skip(m, m->ea + (wide ? 12 : 6), wide ? 16 : 8);
	}
	if (wide && (is_row(m, "push.seg") || is_row(m, "push.fs") || strcmp(m->f->enc, "06") == 0))
		skip(m, stack_lin(m, 0) - 2, 2);
	if (is_row(m, "call.farm") || is_row(m, "call.far"))
		skip(m, stack_lin(m, 0) - 16, 16);
	if (is_row(m, "lar-lsl") && m->f->enc[4] == '2') {
		m->c->undef_reg = (uint8_t)m->reg;
		m->c->undef_bits = 0xf0000;
	}
	m->c->loose = loose_of(m);
	m->c->stored.addr = stores_80_bits(m) ? m->ea : stack_lin(m, 0) - 4;
	m->c->stored.len = stores_80_bits(m) ? 10 : 4;
}
