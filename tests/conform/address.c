/* SPDX-License-Identifier: GPL-3.0-or-later
 * Addressing modes of the generated cases. The target of a memory operand is chosen first; registers and
 * displacement are then solved for it. */
#include "tests/conform/gen.h"

#define NOSIB 0xff
const struct amode amodes[] = {
	/* name               size mod rm sib   base   index  scale disp seg */
	{ "[d32]", 4, 0, 5, NOSIB, -1, -1, 1, 4, SEG_DS },
	{ "[eax]", 4, 0, 0, NOSIB, R_EAX, -1, 1, 0, SEG_DS },
	{ "[ebx+d8]", 4, 1, 3, NOSIB, R_EBX, -1, 1, 1, SEG_DS },
	{ "[edi+d32]", 4, 2, 7, NOSIB, R_EDI, -1, 1, 4, SEG_DS },
	{ "[ebp+d8]", 4, 1, 5, NOSIB, R_EBP, -1, 1, 1, SEG_SS },
	{ "[ebp+d32]", 4, 2, 5, NOSIB, R_EBP, -1, 1, 4, SEG_SS },
	{ "[esp]", 4, 0, 4, 0x24, R_ESP, -1, 1, 0, SEG_SS },
	{ "[esp+d8]", 4, 1, 4, 0x24, R_ESP, -1, 1, 1, SEG_SS },
	{ "[esp+ecx*4+d32]", 4, 2, 4, 0x8c, R_ESP, R_ECX, 4, 4, SEG_SS },
	{ "[eax+edx]", 4, 0, 4, 0x10, R_EAX, R_EDX, 1, 0, SEG_DS },
	{ "[ecx+edi*8+d8]", 4, 1, 4, 0xf9, R_ECX, R_EDI, 8, 1, SEG_DS },
	{ "[esi*2+d32]", 4, 0, 4, 0x75, -1, R_ESI, 2, 4, SEG_DS },
	{ "[ebp+eax*4+d8]", 4, 1, 4, 0x85, R_EBP, R_EAX, 4, 1, SEG_SS },
	{ "[edx+ebp*2]", 4, 0, 4, 0x6a, R_EDX, R_EBP, 2, 0, SEG_DS },
	{ "[sib d32]", 4, 0, 4, 0x25, -1, -1, 1, 4, SEG_DS },
	{ "[esi+sib none]", 4, 0, 4, 0x26, R_ESI, -1, 1, 0, SEG_DS },
	{ "[bx+si]", 2, 0, 0, NOSIB, R_EBX, R_ESI, 1, 0, SEG_DS },
	{ "[bx+di+d8]", 2, 1, 1, NOSIB, R_EBX, R_EDI, 1, 1, SEG_DS },
	{ "[bp+si+d16]", 2, 2, 2, NOSIB, R_EBP, R_ESI, 1, 2, SEG_SS },
	{ "[bp+di]", 2, 0, 3, NOSIB, R_EBP, R_EDI, 1, 0, SEG_SS },
	{ "[si]", 2, 0, 4, NOSIB, R_ESI, -1, 1, 0, SEG_DS },
	{ "[di+d8]", 2, 1, 5, NOSIB, R_EDI, -1, 1, 1, SEG_DS },
	{ "[d16]", 2, 0, 6, NOSIB, -1, -1, 1, 2, SEG_DS },
	{ "[bp+d8]", 2, 1, 6, NOSIB, R_EBP, -1, 1, 1, SEG_SS },
	{ "[bx+d16]", 2, 2, 7, NOSIB, R_EBX, -1, 1, 2, SEG_DS },
};
const unsigned namodes = ARRAY_LEN(amodes);

/* Return the selector in segment register S for this case. */
uint16_t form_seg(const struct making *m, enum seg s)
{
	return m->c->st.seg[s];
}

/* Pick a linear address inside [ADDR, ADDR+SIZE): mostly plain, sometimes across a page boundary, into the
 * read-only page, or past the end. */
static uint32_t pick_in(struct making *m, uint32_t addr, uint32_t size)
{
	bool align = m->f->row->attr & A_ALIGN;
	uint32_t a;

	switch (rnd(m, 16)) {
	case 0:
	case 1:
	case 2: /* across pages */
		a = addr + 4096 * (1 + rnd(m, 3)) - 1 - rnd(m, align ? 32 : 12);
		return align && !one_in(m, 4) ? a & ~15u : a;
	case 3: /* read-only page or hole */
		return addr + size + rnd(m, 2) * 4096 + (rnd(m, 4080) & ~15u);
	case 4: /* across into the read-only page */
		return addr + size - 1 - rnd(m, 6);
	default:
		a = addr + 64 + rnd(m, 0x37ff);
		if (align && !one_in(m, 8))
			return a & ~15u;
		return one_in(m, 2) ? a & ~3u : a;
	}
}

/* Pick an offset in segment SEL that address size ASIZE can express. */
static uint32_t pick_offset(struct making *m, uint16_t sel, unsigned asize)
{
	uint32_t base = sel_base(sel);

	if (base == RGN_LOW_ADDR) /* limit 0x17ff: crossed now and then */
		return one_in(m, 6) ? 0x17ff - rnd(m, 8) + rnd(m, 8) : pick_in(m, 0, 0x1400) % 0x1700;
	if (base == RGN_HIGH_ADDR && sel_limit(sel) == 0x0fff) /* expand down: above the limit */
		return one_in(m, 6) ? 0xff8 + rnd(m, 16) : 0x1000 + rnd(m, 0x2f00);
	if (base == RGN_HIGH_ADDR)
		return one_in(m, 6) ? 0x3ff8 + rnd(m, 16) : pick_in(m, 0, RGN_HIGH_SIZE) & 0x3fff;
	if (base == RGN_STACK_ADDR)
		return 0x100 + rnd(m, 0x2d00);
	if (base == RGN_CODE_ADDR) /* a code segment read as data: not writable */
		return rnd(m, 0x1f00);
	if (asize == 2)
		return pick_in(m, RGN_LOW_ADDR, RGN_LOW_SIZE) & 0xffff;
	return one_in(m, 4) ? pick_in(m, RGN_LOW_ADDR, RGN_LOW_SIZE)
			    : pick_in(m, RGN_HIGH_ADDR, RGN_HIGH_SIZE);
}

static enum seg operand_seg(const struct making *m, enum seg dflt)
{
	return m->f->override >= 0 ? (enum seg)m->f->override : dflt;
}

static int32_t pick_disp(struct making *m, unsigned size)
{
	if (size == 1)
		return (int8_t)rnd(m, 256);
	if (size == 2)
		return (int16_t)rnd(m, 65536);
	return size ? (int32_t)rnd_value(m) : 0;
}

static bool want_aligned(struct making *m)
{
	return (m->f->row->attr & A_ALIGN) && !one_in(m, 8);
}

static void solve32(struct making *m, const struct amode *a)
{
	uint32_t *r = m->c->st.gpr, idx = 0;

	m->disp = pick_disp(m, a->disp);
	if (a->base == R_ESP) { /* ESP keeps pointing to the stack */
		m->disp = a->disp == 4 ? (int32_t)rnd(m, 512) - 256 : a->disp ? (int32_t)rnd(m, 200) - 72 : 0;
		if (a->index >= 0)
			idx = (r[a->index] = rnd(m, 16)) * a->scale;
		m->off = r[R_ESP] + idx + (uint32_t)m->disp;
		if (want_aligned(m)) {
			r[R_ESP] -= (sel_base(form_seg(m, SEG_SS)) + m->off) & 15;
			m->off = r[R_ESP] + idx + (uint32_t)m->disp;
		}
		return;
	}
	if (a->index >= 0) {
		if (!one_in(m, 3))
			r[a->index] = rnd(m, 64);
		idx = r[a->index] * a->scale;
	}
	if (a->base >= 0)
		r[a->base] = m->off - idx - (uint32_t)m->disp;
	else
		m->disp = (int32_t)(m->off - idx);
}

static void set16(uint32_t *r, uint32_t v)
{
	*r = (*r & 0xffff0000u) | (v & 0xffff);
}

static void solve16(struct making *m, const struct amode *a)
{
	uint32_t *r = m->c->st.gpr, idx = a->index >= 0 ? r[a->index] : 0;

	m->disp = pick_disp(m, a->disp);
	if (a->base >= 0)
		set16(&r[a->base], m->off - idx - (uint32_t)m->disp);
	else
		m->disp = (int16_t)m->off;
	m->off &= 0xffff;
}

static void choose_vsib(struct making *m)
{
	m->off = pick_offset(m, form_seg(m, SEG_DS), 4);
	m->disp = pick_disp(m, 1);
	m->vidx = rnd(m, 8);
	m->c->st.gpr[R_EBX] = m->off - (uint32_t)m->disp;
	m->used = 1 << R_EBX;
	m->ea = sel_base(form_seg(m, SEG_DS)) + m->off;
	m->has_ea = true;
}

void choose_address(struct making *m)
{
	const struct form *f = m->f;
	const struct amode *a = f->mode >= 0 ? &amodes[f->mode] : NULL;
	enum seg s = operand_seg(m, a ? (enum seg)a->seg : SEG_DS);
	uint16_t sel = form_seg(m, s);

	if (f->mode == VSIB_MODE)
		return choose_vsib(m);
	if (f->mode == REG_MODE)
		return;
	m->off = pick_offset(m, sel, f->asize);
	if (want_aligned(m))
		m->off &= ~15u;
	if (a) {
		m->used = (a->base >= 0 ? 1u << a->base : 0) | (a->index >= 0 ? 1u << a->index : 0);
		if (a->asize == 4)
			solve32(m, a);
		else
			solve16(m, a);
	}
	m->ea = sel_base(sel) + m->off;
	m->has_ea = true;
}
