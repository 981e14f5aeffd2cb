/* SPDX-License-Identifier: GPL-3.0-or-later
 * Memory operands of the generated cases. The target is chosen first; registers and displacement are then
 * solved for it. */
#include "tests/long/gen.h"

static bool aligned(struct making *m)
{
	return (m->e->row->attr & A_ALIGN) && !one_in(m, 8);
}

/* A linear address: mostly plain, sometimes across a page boundary, into the read-only page, past the end, in
 * the upper half, or none. */
static uint64_t pick_linear(struct making *m, enum region_id region)
{
	const struct region *r = &long_regions[region];

	switch (rnd(m, 16)) {
	case 0:
	case 1: /* across pages */
		return r->addr + 4096 - 1 - rnd(m, 32);
	case 2: /* read-only page or hole, or across into it */
		return r->addr + r->size + (one_in(m, 2) ? (uint64_t)rnd(m, 8160) : -(uint64_t)rnd(m, 16));
	case 3:
		if (one_in(m, 3))
			return 0xffffffff80000000u + rnd(m, 0x70000000);
		return (rng_next(&m->rng) & 0xffff7fffffffffffu) | 0x0000900000000000u;
	default:
		return r->addr + 64 + rnd(m, r->size - 640);
	}
}

static uint64_t pick_target(struct making *m)
{
	static const uint8_t regions[] = { RGN_HIGH, RGN_HIGH, RGN_HIGH, RGN_LOW, RGN_EDGE };
	uint64_t a = pick_linear(m, (enum region_id)regions[rnd(m, ARRAY_LEN(regions))]);

	return aligned(m) ? a & ~31ull : one_in(m, 2) ? a & ~7ull : a;
}

static void set_disp(struct making *m, int64_t v)
{
	m->disp = m->mod == 1 ? (int8_t)v : m->mod == 2 ? (int32_t)v : 0;
}

/* Choose the shape: mod, base, index. Shapes with a base outnumber the others. */
static void pick_shape(struct making *m)
{
	m->mod = rnd(m, 3);
	m->base = (int)rnd(m, REGS);
	m->index = one_in(m, 2) ? (int)rnd(m, REGS) : -1;
	m->scale = rnd(m, 4);
	if (m->index == R_ESP)
		m->index = -1;
	if (m->mod == 0 && (m->base & 7) == R_EBP) { /* no base: RIP or disp32 */
		m->base = m->index < 0 && !one_in(m, 3) ? BASE_RIP : -1;
		m->index = m->base == BASE_RIP ? -1 : m->index;
	}
	if (one_in(m, 12)) {
		m->mod = 0;
		m->base = m->index >= 0 && one_in(m, 2) ? -1 : BASE_RIP;
		m->index = m->base < 0 ? m->index : -1;
	}
}

static uint64_t mask(const struct making *m, uint64_t a)
{
	return m->a32 ? (uint32_t)a : a;
}

static uint64_t reg(const struct making *m, int r)
{
	return r < 0 ? 0 : m->c->st.gpr[r];
}

static uint64_t compute(const struct making *m)
{
	return mask(m, reg(m, m->base) + (reg(m, m->index) << m->scale) + (uint64_t)m->disp);
}

/* RSP keeps pointing to the stack. */
static void solve_stack(struct making *m)
{
	m->disp = m->mod == 1 ? (int)rnd(m, 200) - 72 : m->mod == 2 ? (int)rnd(m, 512) - 256 : 0;
	if (m->index >= 0)
		m->c->st.gpr[m->index] = rnd(m, 16);
	if (aligned(m))
		m->c->st.gpr[R_ESP] -= compute(m) & 31;
}

static void solve(struct making *m, uint64_t ea)
{
	uint64_t *r = m->c->st.gpr;

	if (m->base < 0) {
		m->disp = (int32_t)(m->index < 0 ? ea : rnd_value(m));
		if (m->index >= 0)
			r[m->index] = (ea - (uint64_t)m->disp) >> m->scale;
		return;
	}
	set_disp(m, one_in(m, 3) ? (int64_t)rnd_value(m) : (int64_t)rnd(m, 256) - 128);
	if (m->index == m->base) {
		r[m->base] = (ea - (uint64_t)m->disp) / (1 + (1ull << m->scale));
		return;
	}
	if (m->index >= 0)
		r[m->index] = one_in(m, 3) ? rnd_value(m) : one_in(m, 4) ? -(uint64_t)rnd(m, 64) : rnd(m, 64);
	r[m->base] = ea - (reg(m, m->index) << m->scale) - (uint64_t)m->disp;
	if (m->a32 && one_in(m, 2)) /* what is cut off does not matter */
		r[m->base] ^= rng_next(&m->rng) << 32;
}

static uint64_t segment_base(const struct making *m)
{
	return m->override == SEG_FS ? m->c->st.fs_base : m->override == SEG_GS ? m->c->st.gs_base : 0;
}

/* Where the operand lies, from the registers as they are. With a 32-bit address or none but a displacement,
 * a segment with a base gets the base that leads to TARGET. */
static void place(struct making *m, uint64_t target)
{
	uint64_t base;

	m->ea = m->base == BASE_RIP ? mask(m, target) : compute(m);
	base = target - m->ea;
	if (segment_base(m) && (m->a32 || m->base < 0 || one_in(m, 2)) && base >> 47 == 0) {
		if (m->override == SEG_FS)
			m->c->st.fs_base = base;
		else
			m->c->st.gs_base = base;
	}
	m->lin = segment_base(m) + m->ea;
}

static void choose_vsib(struct making *m)
{
	m->vidx = rnd(m, m->e->row->attr & A_512 ? 32 : REGS);
	m->base = (int)(one_in(m, 3) ? R_EBX : rnd(m, REGS));
	if (m->base == R_ESP)
		m->base = R_ESI;
	m->mod = 1;
	m->scale = rnd(m, 4);
	m->index = -1;
	set_disp(m, (int64_t)rnd(m, 256) - 128);
	m->a32 = false;
	m->c->st.gpr[m->base] = pick_linear(m, RGN_HIGH) - (uint64_t)m->disp - segment_base(m);
	m->used = 1u << m->base;
	m->ea = compute(m);
	m->lin = segment_base(m) + m->ea;
}

/* 32 bits of an address must not lead to where the process has memory of its own, below 2 GiB. */
static uint64_t tame(uint64_t a)
{
	return a - long_regions[RGN_LOW].addr < 0x8000 ? a : a | 0x80000000u;
}

/* Without ModRM, too: string instructions and their like take M->lin. */
void choose_address(struct making *m)
{
	uint64_t target = pick_target(m);

	m->base = m->index = -1;
	if (m->e->row->attr & A_VSIB) {
		choose_vsib(m);
		return;
	}
	pick_shape(m);
	if (!segment_base(m) && (m->a32 || (m->base < 0 && m->index < 0)))
		target = tame(pick_linear(m, RGN_LOW)) & (aligned(m) ? ~31ull : ~0ull);
	if (m->base == R_ESP && !segment_base(m) && !m->a32)
		solve_stack(m);
	else if (m->base == R_ESP) { /* the stack is elsewhere */
		m->base = R_ESI;
		solve(m, target - segment_base(m));
	} else if (m->base != BASE_RIP)
		solve(m, target - segment_base(m));
	if (m->base >= 0 && m->base < REGS)
		m->used |= 1u << m->base;
	if (m->index >= 0)
		m->used |= 1u << m->index;
	place(m, target);
}

void settle_address(struct making *m)
{
	uint64_t next = m->c->st.rip + m->c->len, d;

	if (m->e->enc[0] == 'e' && m->memory && m->mod == 1 && m->base >= 0 && m->base < REGS) {
		int64_t n = (int64_t)wide_scale(m->c->code, m->c->len, true) - 1;

		m->c->st.gpr[m->base] -= (uint64_t)(n * m->disp);
	}
	if (!m->disp_at)
		return;
	d = m->a32 ? (uint32_t)m->ea - (uint32_t)next : m->ea - next;
	for (unsigned i = 0; i < 4; i++)
		m->c->code[m->disp_at + i] = (uint8_t)(d >> 8 * i);
	m->ea = mask(m, next + (uint64_t)(int32_t)d);
	m->lin = segment_base(m) + m->ea;
}
