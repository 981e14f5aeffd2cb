/* SPDX-License-Identifier: GPL-3.0-or-later
 * Re-encoding of 64-bit instructions. The guest's opcode and immediates are kept; register numbers, REX, VEX
 * and EVEX prefixes and the memory operand are made anew. See emit/encode.c for 32-bit code. */
#include "bt/emit/long.h"
#include "bt/emit/encode.h"

#include <string.h>

enum { NO_BASE = 5, NO_INDEX = 4, SIB = 4 }; /* in ModRM and SIB */

/* ModRM, SIB and displacement. LARGE: not one of 8 bits, which EVEX scales. */
static void put_address(struct tx *t, int reg, const struct host_mem *m, bool large)
{
	unsigned r = (unsigned)(reg & 7) << 3;

	if (m->vcpu) {
		e_sib_absolute(t, reg, NO_INDEX, 0, H_R15, m->disp);
	} else if (m->base == NO_REG) {
		e1(t, r | SIB);
		e1(t,
		   m->scale << 6 | (unsigned)(m->index == NO_REG ? NO_INDEX : m->index & 7) << 3 | NO_BASE);
		e4(t, (uint32_t)m->disp);
	} else if (m->index == NO_REG && !large) {
		e_modrm_mem(t, reg, m->base, m->disp);
	} else {
		unsigned mod = m->disp == 0 && (m->base & 7) != NO_BASE	    ? 0
			       : !large && m->disp >= -128 && m->disp < 128 ? 1
									    : 2;
		unsigned index = m->index == NO_REG ? NO_INDEX : (unsigned)m->index & 7;

		e1(t, mod << 6 | r | SIB);
		e1(t, m->scale << 6 | index << 3 | (unsigned)(m->base & 7));
		if (mod == 1)
			e1(t, (uint8_t)m->disp);
		else if (mod == 2)
			e4(t, (uint32_t)m->disp);
	}
}

static int high(int reg)
{
	return reg == NO_REG ? 0 : reg & 8;
}

void e_mem(struct tx *t, unsigned fl, unsigned op, int reg, const struct host_mem *m)
{
	if (m->gs)
		e1(t, 0x65);
	e_prefix(t, fl, reg, high(m->index), high(m->base));
	e1(t, op);
	put_address(t, reg, m, false);
}

void e_lea64(struct tx *t, int d, const struct host_mem *m)
{
	e_mem(t, F_W, 0x8d, d, m);
}

void e_add64(struct tx *t, int d, int base, int index)
{
	e_lea64(t, d, &(struct host_mem){ .base = base, .index = index });
}

void e_mov_const(struct tx *t, int d, uint64_t v)
{
	if (v <= UINT32_MAX) {
		e_movi32(t, d, (uint32_t)v);
	} else if ((uint64_t)(int32_t)v == v) {
		e_rr(t, F_W, 0xc7, 0, d);
		e4(t, (uint32_t)v);
	} else {
		e_movi64(t, d, v);
	}
}

void e_mov_address(struct tx *t, int d, uint64_t a)
{
	if (a <= UINT32_MAX || (uint64_t)(int32_t)a == a || t->nmove == ARRAY_LEN(t->move)) {
		t->fixed = true;
		e_mov_const(t, d, a);
		return;
	}
	e_movi64(t, d, a);
	t->move[t->nmove++] = (uint16_t)(t->p - 8 - t->base);
}

/* ---- the guest's encoding ---- */

struct prefix { /* as REX has its bits; VEX, too */
	bool w, r, x, b;
	unsigned vvvv, l, pp, map;
	bool r16;	 /* EVEX: ModRM.reg is one of the upper 16 registers */
	uint8_t last;	 /* EVEX: its last byte */
	unsigned opcode; /* where its bytes begin */
};

static struct prefix evex_of(const uint8_t *p, unsigned at)
{
	return (struct prefix){
		.r = !(p[1] & 0x80),
		.x = !(p[1] & 0x40),
		.b = !(p[1] & 0x20),
		.r16 = !(p[1] & 0x10),
		.map = p[1] & 15,
		.w = p[2] & 0x80,
		.vvvv = (~(p[2] >> 3) & 15u) | (p[3] & 8 ? 0 : 16),
		.pp = p[2] & 3,
		.last = p[3],
		.opcode = at + 4,
	};
}

static struct prefix prefix_of(const struct insn *in)
{
	const uint8_t *p = in->bytes + in->z.raw.prefix_count;
	struct prefix g = { .opcode = in->z.raw.prefix_count };

	if (!insn_is_vex(in)) {
		unsigned rex = in->z.attributes & ZYDIS_ATTRIB_HAS_REX ? p[-1] : 0;

		g.w = rex & 8;
		g.r = rex & 4;
		g.x = rex & 2;
		g.b = rex & 1;
		return g;
	}
	if (insn_is_evex(in))
		return evex_of(p, in->z.raw.prefix_count);
	g.r = !(p[1] & 0x80);
	g.map = 1;
	if (p[0] == 0xc4) {
		g.x = !(p[1] & 0x40);
		g.b = !(p[1] & 0x20);
		g.map = p[1] & 31;
		g.w = p[2] & 0x80;
		p++;
	}
	g.vvvv = ~(p[1] >> 3) & 15u;
	g.l = p[1] >> 2 & 1u;
	g.pp = p[1] & 3u;
	g.opcode = (unsigned)(p + 2 - in->bytes);
	return g;
}

static bool has_modrm(const struct insn *in)
{
	return in->z.attributes & ZYDIS_ATTRIB_HAS_MODRM;
}

bool form_has_rex(const struct insn *in)
{
	return in->z.attributes & ZYDIS_ATTRIB_HAS_REX;
}

/* Where an opcode without ModRM has its register. */
static unsigned opcode_byte(const struct insn *in, const struct prefix *g)
{
	return g->opcode + (in->bytes[g->opcode] == 0x0f ? 1 : 0);
}

struct host_form form_of(const struct insn *in)
{
	struct prefix g = prefix_of(in);
	struct host_form f = { .reg = NO_REG, .rm = NO_REG, .opcode = NO_REG, .vvvv = (int)g.vvvv };

	if (has_modrm(in)) {
		f.reg = in->z.raw.modrm.reg | (g.r ? 8 : 0) | (g.r16 ? 16 : 0);
		if (in->z.raw.modrm.mod == 3)
			f.rm = in->z.raw.modrm.rm | (g.b ? 8 : 0) | (insn_is_evex(in) && g.x ? 16 : 0);
	} else {
		f.opcode = (in->bytes[opcode_byte(in, &g)] & 7) | (g.b ? 8 : 0);
	}
	return f;
}

static void put_vex(struct tx *t, const struct prefix *g, const struct host_form *f, bool x, bool b)
{
	unsigned last = (~(unsigned)f->vvvv & 15) << 3 | g->l << 2 | g->pp;

	if (!x && !b && !g->w && g->map == 1) {
		e1(t, 0xc5);
		e1(t, last | (f->reg & 8 ? 0 : 0x80));
		return;
	}
	e1(t, 0xc4);
	e1(t, (f->reg & 8 ? 0 : 0x80) | (x ? 0 : 0x40) | (b ? 0 : 0x20) | g->map);
	e1(t, last | (g->w ? 0x80 : 0));
}

static void put_evex(struct tx *t, const struct prefix *g, const struct host_form *f, bool x, bool b)
{
	e1(t, 0x62);
	e1(t, (f->reg & 8 ? 0 : 0x80) | (x ? 0 : 0x40) | (b ? 0 : 0x20) | (f->reg & 16 ? 0 : 0x10) | g->map);
	e1(t, (g->w ? 0x80 : 0) | (~(unsigned)f->vvvv & 15) << 3 | 4 | g->pp);
	e1(t, (g->last & ~8u) | (f->vvvv & 16 ? 0 : 8));
}

/* ModRM to the end of the instruction, without what is the operand's. */
static unsigned immediates(const struct insn *in)
{
	return in->z.raw.modrm.offset + 1u + (in->z.attributes & ZYDIS_ATTRIB_HAS_SIB ? 1 : 0) +
	       in->z.raw.disp.size / 8;
}

static void put_bytes(struct tx *t, const uint8_t *p, unsigned n)
{
	memcpy(t->p, p, n);
	t->p += n;
}

/* A REX prefix that the guest has is kept, as it selects SPL to DIL; one that it lacks is put where a new
 * register demands it: callers see that AH to BH do not meet one. */
void put_form(struct tx *t, const struct insn *in, const struct host_form *f)
{
	struct prefix g = prefix_of(in);
	const struct host_mem *m = f->mem;
	bool x = m && high(m->index);
	bool b = m ? high(m->base) : f->rm != NO_REG ? high(f->rm) : f->opcode != NO_REG && high(f->opcode);
	unsigned at;

	if (m && m->gs)
		e1(t, 0x65);
	put_prefixes(t, in, false);
	if (insn_is_evex(in)) {
		put_evex(t, &g, f, m ? x : f->rm & 16, b);
	} else if (insn_is_vex(in)) {
		put_vex(t, &g, f, x, b);
	} else {
		unsigned rex =
		    (g.w ? 8 : 0) | (f->reg != NO_REG && f->reg & 8 ? 4 : 0) | (x ? 2 : 0) | (b ? 1 : 0);

		if (rex || form_has_rex(in))
			e1(t, 0x40 | rex);
	}
	if (!has_modrm(in)) {
		at = opcode_byte(in, &g);
		put_bytes(t, in->bytes + g.opcode, at - g.opcode);
		e1(t,
		   (in->bytes[at] & ~7u) | ((f->opcode == NO_REG ? in->bytes[at] : (unsigned)f->opcode) & 7));
		put_bytes(t, in->bytes + at + 1, in->len - at - 1);
		return;
	}
	put_bytes(t, in->bytes + g.opcode, in->z.raw.modrm.offset - g.opcode);
	if (m)
		put_address(t, f->reg, m, insn_is_evex(in));
	else
		e1(t, 0xc0 | (unsigned)(f->reg & 7) << 3 | (unsigned)(f->rm & 7));
	at = immediates(in);
	put_bytes(t, in->bytes + at, in->len - at);
}
