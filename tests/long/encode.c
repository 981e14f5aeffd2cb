/* SPDX-License-Identifier: GPL-3.0-or-later
 * Encoding: converts the tokens of forms.def to bytes of 64-bit code. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/long/gen.h"

static void put(struct making *m, uint64_t v, unsigned n)
{
	for (unsigned i = 0; i < n; i++, v >>= 8)
		m->c->code[m->c->len++] = (uint8_t)v;
}

static bool is_hex(const char *t)
{
	return strlen(t) == 2 && strspn(t, "0123456789ABCDEF") == 2;
}

static bool has_modrm(const char *enc)
{
	const char *p = strchr(enc, '/');

	return p && (p[1] == 'r' || (p[1] >= '0' && p[1] <= '7'));
}

static unsigned rex_bits(const struct making *m)
{
	bool modrm = has_modrm(m->e->enc), memory = modrm && m->memory;
	unsigned b = memory ? (m->base < 0 || m->base == BASE_RIP ? 0 : (unsigned)m->base >> 3) : m->rm >> 3;
	unsigned x = memory && m->index >= 0 ? (unsigned)m->index >> 3 : 0;
	unsigned r = strstr(m->e->enc, "/r") ? m->reg >> 3 : 0;

	if (m->e->row->attr & A_VSIB)
		x = m->vidx >> 3;
	if (!modrm && !strstr(m->e->enc, "+r"))
		b = m->rex ? b : 0;
	return r << 2 | x << 1 | b;
}

static void put_legacy(struct making *m)
{
	static const uint8_t override[SEG_COUNT] = { 0x26, 0x2e, 0x36, 0x3e, 0x64, 0x65 };

	if (m->lock)
		put(m, 0xf0, 1);
	if (m->override >= 0)
		put(m, override[m->override], 1);
	if (m->a32)
		put(m, 0x67, 1);
	if ((m->e->row->attr & A_V) && m->op == 2)
		put(m, 0x66, 1);
}

static void put_rex(struct making *m)
{
	unsigned rex = rex_bits(m) | (m->w ? 8 : 0);

	if (rex || m->rex)
		put(m, 0x40 | rex, 1);
}

static void put_memory(struct making *m)
{
	unsigned reg = (m->reg & 7) << 3, base = (unsigned)m->base & 7, index = (unsigned)m->index & 7;
	unsigned mod = m->mod << 6;

	if (m->e->row->attr & A_VSIB) {
		put(m, mod | reg | 4, 1);
		put(m, m->scale << 6 | (m->vidx & 7) << 3 | base, 1);
		put(m, (uint64_t)m->disp, 1);
		return;
	}
	if (m->base == BASE_RIP) {
		put(m, reg | 5, 1);
		m->disp_at = m->c->len;
		put(m, 0, 4);
		return;
	}
	if (m->base < 0) {
		put(m, reg | 4, 1);
		put(m, m->scale << 6 | (m->index < 0 ? 4 : index) << 3 | 5, 1);
		put(m, (uint64_t)m->disp, 4);
		return;
	}
	if (m->index >= 0 || base == R_ESP) {
		put(m, mod | reg | 4, 1);
		put(m, m->scale << 6 | (m->index < 0 ? 4 : index) << 3 | base, 1);
	} else
		put(m, mod | reg | base, 1);
	put(m, (uint64_t)m->disp, m->mod == 2 ? 4 : m->mod);
}

static void put_modrm(struct making *m, const char *t)
{
	if (t[1] != 'r')
		m->reg = (unsigned)(t[1] - '0');
	if (m->memory)
		put_memory(m);
	else
		put(m, 0xc0 | (m->reg & 7) << 3 | (m->rm & 7), 1);
}

/* v:PP:MAP:L:W[:n] and the opcode byte that follows. W is free where the operand size is. */
static void put_vex(struct making *m, const char *t, unsigned opcode)
{
	unsigned pp = t[2] - '0', map = t[4] - '0', l = t[6] - '0', w = t[8] - '0';
	unsigned vvvv = t[9] ? 0 : rnd(m, REGS), rxb = rex_bits(m);

	if ((!m->e->row->setup || one_in(m, 24)) && one_in(m, 2))
		w = 1;
	m->w = w;
	if (map == 1 && !w && !(rxb & 3) && !one_in(m, 3)) {
		put(m, 0xc5, 1);
		put(m, (~rxb & 4) << 5 | (~vvvv & 15) << 3 | l << 2 | pp, 1);
	} else {
		put(m, 0xc4, 1);
		put(m, (~rxb & 7) << 5 | map, 1);
		put(m, w << 7 | (~vvvv & 15) << 3 | l << 2 | pp, 1);
	}
	put(m, opcode, 1);
}

/* e:PP:MAP:W[:n] and the opcode byte that follows. Now and then what no instruction has. */
static void put_evex(struct making *m, const char *t, unsigned opcode)
{
	unsigned pp = t[2] - '0', map = t[4] - '0', w = t[6] - '0', rxb = rex_bits(m);
	bool vsib = m->e->row->attr & A_VSIB, upper = one_in(m, 2);
	unsigned vvvv = t[7] ? 0 : rnd(m, 32), ll = one_in(m, 40) ? 3 : rnd(m, 3);
	unsigned aaa = vsib ? 1 + rnd(m, 7) : one_in(m, 3) ? 0 : rnd(m, 8), last;

	if (one_in(m, 40))
		vvvv = rnd(m, 32);
	if (vsib)
		vvvv = (vvvv & 15) | (m->vidx & 16);
	else if (!m->memory && upper)
		rxb |= 2;
	last = aaa | (vvvv & 16 ? 0 : 8) | ll << 5;
	if (one_in(m, vsib ? 24 : 4))
		last |= 0x10; /* broadcast, rounding */
	if (one_in(m, aaa && !vsib ? 3 : 60))
		last |= 0x80; /* zeroing */
	m->w = w;
	put(m, 0x62, 1);
	put(m, (~rxb & 7) << 5 | (one_in(m, 2) ? 0x10 : 0) | map, 1);
	put(m, w << 7 | (~vvvv & 15) << 3 | 4 | pp, 1);
	put(m, last, 1);
	put(m, opcode, 1);
}

static uint64_t imm(struct making *m, unsigned size)
{
	if (m->e->row->setup == S_ENTER)
		return size == 2 ? rnd(m, 256) : one_in(m, 4) ? rnd(m, 256) : rnd(m, 4);
	if (size == 2 && m->e->row->setup == S_STKCODE)
		return rnd(m, 64);
	return rnd_value(m);
}

/* A relative target: nearby for rb; for rz mostly in the code region. */
static uint64_t rel(struct making *m, unsigned size)
{
	uint64_t from = m->c->st.rip + m->c->len + size;

	if (size == 1)
		return one_in(m, 2) ? rnd(m, 128) : 0x80 + rnd(m, 0x70);
	return one_in(m, 16) ? 0x10000 + rnd(m, 0x10000) : code_target(m) - from;
}

/* Size 0: operand size, 4 at most; but MOV r64,imm64. */
static const struct {
	const char *token;
	uint8_t size;
} imms[] = { { "ib", 1 }, { "iw", 2 }, { "id", 4 }, { "iz", 0 }, { "/is4", 1 } };

static bool put_imm(struct making *m, const char *t)
{
	for (unsigned i = 0; i < ARRAY_LEN(imms); i++) {
		unsigned n = imms[i].size ? imms[i].size : m->op;

		if (n == 8 && strcmp(m->e->row->name, "mov.ri"))
			n = 4;
		if (!strcmp(t, imms[i].token)) {
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
		put_modrm(m, t);
	else if (!strcmp(t, "+r"))
		m->c->code[m->c->len - 1] |= m->rm & 7;
	else if (!strcmp(t, "rb"))
		put(m, rel(m, 1), 1);
	else if (!strcmp(t, "rz"))
		put(m, rel(m, 4), 4);
	else if (!strcmp(t, "mo"))
		put(m, m->ea, m->a32 ? 4 : 8);
	else if (!strcmp(t, "fp"))
		put(m, rng_next(&m->rng), 6);
	else
		put(m, (uint64_t)strtoul(t, NULL, 16), 1);
}

static bool is_mandatory(const char *t)
{
	return !strcmp(t, "66") || !strcmp(t, "F2") || !strcmp(t, "F3");
}

void encode(struct making *m)
{
	char buf[96], *token[24], *save = NULL;
	unsigned n = 0, i = 0;

	snprintf(buf, sizeof(buf), "%s", m->e->enc);
	for (char *t = strtok_r(buf, " ", &save); t && n < ARRAY_LEN(token); t = strtok_r(NULL, " ", &save))
		token[n++] = t;
	put_legacy(m);
	if (token[0][0] == 'v') {
		put_vex(m, token[0], (unsigned)strtoul(token[1], NULL, 16));
		i = 2;
	} else if (token[0][0] == 'e' && token[0][1] == ':') {
		put_evex(m, token[0], (unsigned)strtoul(token[1], NULL, 16));
		i = 2;
	} else {
		while (i + 1 < n && is_mandatory(token[i]) && is_hex(token[i + 1]))
			put_token(m, token[i++]);
		put_rex(m);
	}
	for (; i < n; i++)
		put_token(m, token[i]);
}
