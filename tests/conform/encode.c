/* SPDX-License-Identifier: GPL-3.0-or-later
 * Encoding: converts the tokens of forms.def to bytes. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/conform/gen.h"

static void put(struct making *m, uint32_t v, unsigned n)
{
	for (unsigned i = 0; i < n; i++, v >>= 8)
		m->c->code[m->c->len++] = (uint8_t)v;
}

static void put_prefixes(struct making *m)
{
	static const uint8_t override[SEG_COUNT] = { 0x26, 0x2e, 0x36, 0x3e, 0x64, 0x65 };
	const struct form *f = m->f;
	unsigned native = f->cs == CS_LDT16 ? 2 : 4;

	if (f->lock)
		put(m, 0xf0, 1);
	if (f->override >= 0)
		put(m, override[f->override], 1);
	if (f->asize != native)
		put(m, 0x67, 1);
	if ((f->row->attr & A_V) && f->op != native)
		put(m, 0x66, 1);
}

static void put_modrm(struct making *m, unsigned reg)
{
	const struct amode *a;

	m->reg = reg;
	if (m->f->mode == REG_MODE || m->f->mode == NO_MODE) {
		put(m, 0xc0 | reg << 3 | m->rm, 1);
		return;
	}
	if (m->f->mode == VSIB_MODE) {
		put(m, 0x44 | reg << 3, 1);
		put(m, rnd(m, 3) << 6 | m->vidx << 3 | R_EBX, 1);
		put(m, (uint32_t)m->disp, 1);
		return;
	}
	a = &amodes[m->f->mode];
	put(m, (uint32_t)a->mod << 6 | reg << 3 | a->rm, 1);
	if (a->sib != 0xff)
		put(m, a->sib, 1);
	put(m, (uint32_t)m->disp, a->disp);
}

/* v:PP:MAP:L:W[:n] and the opcode byte that follows */
static void put_vex(struct making *m, const char *t, unsigned opcode)
{
	unsigned pp = t[2] - '0', map = t[4] - '0', l = t[6] - '0', w = t[8] - '0';
	unsigned vvvv = t[9] ? 0 : rnd(m, 8);

	if (map == 1 && !w && !one_in(m, 3)) {
		put(m, 0xc5, 1);
		put(m, 0x80 | (~vvvv & 15) << 3 | l << 2 | pp, 1);
	} else {
		put(m, 0xc4, 1);
		put(m, 0xe0 | map, 1);
		put(m, w << 7 | (~vvvv & 15) << 3 | l << 2 | pp, 1);
	}
	put(m, opcode, 1);
}

/* e:PP:MAP:W[:n] and the opcode byte that follows. Now and then what no instruction has. Bits that 64-bit
 * code extends registers with are ignored, but for R and X, which tell EVEX from BOUND. */
static void put_evex(struct making *m, const char *t, unsigned opcode)
{
	unsigned pp = t[2] - '0', map = t[4] - '0', w = t[6] - '0';
	bool vsib = m->f->row->attr & A_VSIB;
	unsigned vvvv = t[7] ? 0 : rnd(m, 8), ll = one_in(m, 40) ? 3 : rnd(m, 3);
	unsigned aaa = vsib ? 1 + rnd(m, 7) : one_in(m, 3) ? 0 : rnd(m, 8), last;

	last = aaa | 8 | ll << 5;
	if (one_in(m, vsib ? 24 : 4))
		last |= 0x10; /* broadcast, rounding */
	if (one_in(m, aaa && !vsib ? 3 : 60))
		last |= 0x80; /* zeroing */
	put(m, 0x62, 1);
	put(m, 0xc0 | (one_in(m, 8) ? rnd(m, 4) << 4 : 0x30) | map, 1);
	put(m, w << 7 | (~vvvv & (one_in(m, 16) ? 7 : 15)) << 3 | 4 | pp, 1);
	put(m, one_in(m, 32) ? last ^ 8 : last, 1);
	put(m, opcode, 1);
}

static uint32_t imm(struct making *m, unsigned size)
{
	if (m->f->row->setup == S_ENTER)
		return size == 2 ? rnd(m, 256) : one_in(m, 4) ? rnd(m, 256) : rnd(m, 4);
	if (size == 2 && m->f->row->setup >= S_CODEPTR && m->f->row->setup <= S_STKIRET)
		return rnd(m, 64);
	return rnd_value(m);
}

/* Choose a relative target: nearby for rb; for rz mostly in the code region. Never inside the instruction
 * itself, because every case must end. */
static uint32_t rel(struct making *m, unsigned size)
{
	uint32_t from = m->c->st.eip + m->c->len + size;

	if (size == 1)
		return one_in(m, 2) ? rnd(m, 128) : 0x80 + rnd(m, 0x70);
	return one_in(m, 16) ? 0x10000 + rnd_value(m) % 0x10000 : code_target(m, m->c->st.seg[SEG_CS]) - from;
}

static void put_far(struct making *m)
{
	static const uint16_t sels[] = { SEL_CS, SEL_LDT(LDT_CODE16), SEL_LDT(LDT_CODE32),
					 SEL_CS, SEL_LDT(LDT_CODE16), SEL_DS,
					 0,	 SEL_LDT(LDT_COUNT) };
	uint16_t sel = sels[rnd(m, ARRAY_LEN(sels))];
	uint32_t off = code_target(m, sel);

	put(m, off, m->f->op);
	put(m, sel, 2);
}

static const struct {
	const char *token;
	uint8_t size; /* 0: operand size */
} imms[] = { { "ib", 1 }, { "iw", 2 }, { "id", 4 }, { "iz", 0 }, { "/is4", 1 } };

static bool put_imm(struct making *m, const char *t)
{
	for (unsigned i = 0; i < ARRAY_LEN(imms); i++) {
		unsigned n = imms[i].size ? imms[i].size : m->f->op;

		if (strcmp(t, imms[i].token) == 0) {
			put(m, imm(m, n), n);
			return true;
		}
	}
	return false;
}

static void put_token(struct making *m, const char *t)
{
	if (put_imm(m, t))
		return;
	if (t[0] == '/')
		put_modrm(m, t[1] == 'r' ? rnd(m, 8) : (unsigned)(t[1] - '0'));
	else if (strcmp(t, "+r") == 0)
		m->c->code[m->c->len - 1] |= m->rm;
	else if (strcmp(t, "rb") == 0)
		put(m, rel(m, 1), 1);
	else if (strcmp(t, "rz") == 0)
		put(m, rel(m, m->f->op), m->f->op);
	else if (strcmp(t, "mo") == 0)
		put(m, m->off, m->f->asize);
	else if (strcmp(t, "fp") == 0)
		put_far(m);
	else
		put(m, (uint32_t)strtoul(t, NULL, 16), 1);
}

void encode(struct making *m)
{
	char buf[96], *save = NULL;

	put_prefixes(m);
	snprintf(buf, sizeof(buf), "%s", m->f->enc);
	for (char *t = strtok_r(buf, " ", &save); t; t = strtok_r(NULL, " ", &save)) {
		if (t[0] == 'v')
			put_vex(m, t, (unsigned)strtoul(strtok_r(NULL, " ", &save), NULL, 16));
		else if (t[0] == 'e' && t[1] == ':')
			put_evex(m, t, (unsigned)strtoul(strtok_r(NULL, " ", &save), NULL, 16));
		else
			put_token(m, t);
	}
	m->next = m->c->st.eip + m->c->len;
}
