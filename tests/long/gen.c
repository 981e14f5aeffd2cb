/* SPDX-License-Identifier: GPL-3.0-or-later
 * Generator: rows become encodings, encodings cases. A case is a function of seed and number only, and can be
 * repeated by its number. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/long/gen.h"

struct image {
#define X(name, addr, pages, w, x) uint8_t name[(pages)*4096];
	LONG_REGIONS(X)
#undef X
};
_Static_assert(sizeof(struct image) == MEM_BYTES, "regions are packed");
const struct region long_regions[RGN_COUNT] = {
#define X(name, addr, pages, w, x) { addr, (pages)*4096, w, x, offsetof(struct image, name) },
	LONG_REGIONS(X)
#undef X
};

static const struct form_row rows[] = {
#define F(name, enc, undef, attr, setup) { name, enc, undef, attr, setup },
#include "tests/conform/forms.def"
#include "tests/conform/forms512.def"
#undef F
};

/* Rows whose bytes are other instructions in 64-bit mode, and far transfers, which leave it. */
static const char *const dropped[] = { "inc.r",	   "dec.r",	"lds",	"lfs",	  "lss", "bound",
				       "jmp.farm", "call.farm", "retf", "retf.i", "iret" };

enum { SEQUENCES = 500 }; /* of as many cases as encodings have */

struct gen {
	struct encoding *encs;
	unsigned nencs, cases, number;
	uint64_t seed;
	uint8_t mem[MEM_BYTES];
	struct making m;
};

uint64_t rng_next(uint64_t *s) /* splitmix64 */
{
	uint64_t z = *s += 0x9e3779b97f4a7c15u;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
	z = (z ^ z >> 27) * 0x94d049bb133111ebu;
	return z ^ z >> 31;
}

uint64_t rnd_value(struct making *m)
{
	static const uint64_t edge[] = { 0,
					 1,
					 0x7f,
					 0x80,
					 0xff,
					 0x7fff,
					 0x8000,
					 0xffff,
					 0x7fffffff,
					 0x80000000u,
					 0xffffffffu,
					 0x100000000u,
					 0x7fffffffffffffffu,
					 0x8000000000000000u,
					 0xffffffff80000000u,
					 0xffffffffffffffffu,
					 0xfffffffffffffffeu };

	switch (rnd(m, 5)) {
	case 0:
		return edge[rnd(m, ARRAY_LEN(edge))];
	case 1:
		return rnd(m, 256);
	case 2:
		return (uint32_t)rng_next(&m->rng);
	default:
		return rng_next(&m->rng);
	}
}

/* ---- memory ---- */

static uint8_t *byte_at(const struct making *m, uint64_t lin)
{
	const struct region *r = region_of(lin);

	return r ? m->mem + r->at + (lin - r->addr) : NULL;
}

void poke(struct making *m, uint64_t lin, uint64_t v, unsigned n)
{
	for (unsigned i = 0; i < n; i++, v >>= 8) {
		uint8_t *p = byte_at(m, lin + i);

		if (!p || m->npoked == MAX_POKES)
			continue;
		m->poked[m->npoked].at = (uint32_t)(p - m->mem);
		m->poked[m->npoked++].was = *p;
		*p = (uint8_t)v;
	}
}

uint64_t peek(const struct making *m, uint64_t lin)
{
	uint64_t v = 0;

	for (unsigned i = 0; i < 8; i++) {
		const uint8_t *p = byte_at(m, lin + i);

		v |= (uint64_t)(p ? *p : 0) << 8 * i;
	}
	return v;
}

static void unpoke(struct making *m)
{
	while (m->npoked) {
		m->npoked--;
		m->mem[m->poked[m->npoked].at] = m->poked[m->npoked].was;
	}
}

/* ---- encodings ---- */

static bool is_dropped(const char *name)
{
	for (unsigned i = 0; i < ARRAY_LEN(dropped); i++)
		if (!strcmp(name, dropped[i]))
			return true;
	return false;
}

static bool is_offered(const struct form_row *row)
{
	return !(row->attr & A_512) || host_has_wide();
}

static void add_encoding(struct gen *g, const struct form_row *row, const char *enc)
{
	g->encs = realloc(g->encs, (g->nencs + 1) * sizeof(*g->encs));
	g->encs[g->nencs++] = (struct encoding){ row, strdup(enc) };
}

/* Expand the first bracket list in ENC, recursively. */
static void expand(struct gen *g, const struct form_row *row, const char *enc)
{
	const char *open = strchr(enc, '['), *close = open ? strchr(open, ']') : NULL;
	char list[160], buf[256], *save = NULL;

	if (!close) {
		for (unsigned i = 0; i < (row->setup == S_SEQ ? SEQUENCES : 1); i++)
			add_encoding(g, row, enc);
		return;
	}
	snprintf(list, sizeof(list), "%.*s", (int)(close - open - 1), open + 1);
	for (char *t = strtok_r(list, " ", &save); t; t = strtok_r(NULL, " ", &save)) {
		snprintf(buf, sizeof(buf), "%.*s%s%s", (int)(open - enc), enc, t, close + 1);
		expand(g, row, buf);
	}
}

struct gen *gen_new(uint64_t seed, unsigned cases, const char *only)
{
	struct gen *g = calloc(1, sizeof(*g));
	uint64_t fill = 1;

	g->seed = seed;
	g->cases = cases;
	g->m.mem = g->mem;
	g->m.poked = malloc(MAX_POKES * sizeof(*g->m.poked));
	for (unsigned i = 0; i < MEM_BYTES; i += 8) {
		uint64_t v = rng_next(&fill);

		memcpy(g->mem + i, &v, 8);
	}
	memset(g->mem + long_regions[RGN_CODE].at, 0xcc, long_regions[RGN_CODE].size);
	for (unsigned i = 0; i < ARRAY_LEN(rows); i++)
		if (!is_dropped(rows[i].name) && is_offered(&rows[i]) &&
		    (!only || !strncmp(rows[i].name, only, strlen(only))))
			expand(g, &rows[i], rows[i].enc);
	return g;
}

void gen_free(struct gen *g)
{
	if (!g)
		return;
	for (unsigned i = 0; i < g->nencs; i++)
		free(g->encs[i].enc);
	free(g->encs);
	free(g->m.poked);
	free(g);
}

const struct form_row *gen_row(unsigned i)
{
	return i < ARRAY_LEN(rows) && is_offered(&rows[i]) ? &rows[i] : NULL; /* those not offered are last */
}

unsigned gen_encodings(const struct gen *g)
{
	return g->nencs;
}

/* ---- cases ---- */

static bool is_branch(const struct making *m)
{
	return m->e->row->setup == S_CODEPTR || m->e->row->setup == S_STKCODE || strstr(m->e->enc, "rb") ||
	       strstr(m->e->enc, "rz");
}

/* Processors differ in what a 66 prefix does to a near branch: those have none. */
static void choose_form(struct making *m)
{
	uint32_t a = m->e->row->attr;
	bool vex = m->e->enc[0] == 'v' || m->e->enc[0] == 'e';

	m->rex = one_in(m, 3);
	m->w = !vex && one_in(m, 3);
	if (a & A_V)
		m->op = m->w ? 8 : one_in(m, 3) ? 2 : 4;
	else
		m->op = m->w ? 8 : 4;
	if ((a & A_STACK) && m->op == 4)
		m->op = 8;
	if (is_branch(m))
		m->op = 8;
	m->a32 = one_in(m, 8);
	m->override = one_in(m, 8) ? (int)rnd(m, SEG_COUNT) : -1;
	m->memory = ((a & (A_MEM | A_VSIB)) || !one_in(m, 3)) && !(a & A_REG);
	m->lock = !vex && one_in(m, a & A_LOCK ? 6 : 100);
	m->reg = rnd(m, REGS);
	m->rm = rnd(m, REGS);
}

uint64_t code_target(struct making *m)
{
	uint64_t own = m->c->st.rip & 0x1fff, off = rnd(m, 0x1ff0);

	if (off - own + 64 < 128)
		off ^= 0x800;
	return long_regions[RGN_CODE].addr + off;
}

static uint64_t choose_rip(struct making *m)
{
	const struct region *r = &long_regions[RGN_CODE];

	/* Across the end of the code region; see tests/conform/gen.c. */
	if (one_in(m, 40) && !m->lock && !strstr(m->e->row->name, "ud") && m->e->enc[0] != 'v' &&
	    m->e->enc[0] != 'e')
		return r->addr + 0x2000 - 1 - rnd(m, 8);
	if (one_in(m, 5)) /* across a page boundary */
		return r->addr + 0x1000 - 1 - rnd(m, 8);
	return r->addr + 0x100 + rnd(m, 0xd00);
}

/* Of a segment: where the process has nothing, as short addresses stay near. */
static uint64_t choose_base(struct making *m)
{
	return one_in(m, 3) ? 0 : 0x300000000000u | (rng_next(&m->rng) & 0xfffffffffffu);
}

static void setup_state(struct making *m)
{
	struct long_state *st = &m->c->st;

	for (unsigned i = 0; i < REGS; i++)
		st->gpr[i] = rnd_value(m);
	st->gpr[R_ESP] =
	    long_regions[RGN_STACK].addr + 0x400 + (one_in(m, 4) ? rnd(m, 64) : rnd(m, 0x300) * 8);
	st->rflags = (rng_next(&m->rng) & FL_HOST) | FL_ONE | FL_IF;
	st->rip = choose_rip(m);
	st->fs_base = choose_base(m);
	st->gs_base = choose_base(m);
	st->seg[SEG_CS] = SEL_CS;
	st->seg[SEG_SS] = SEL_DS;
}

static void place_code(struct making *m)
{
	for (unsigned i = 0; i < m->c->len; i++)
		poke(m, m->c->st.rip + i, m->c->code[i], 1);
}

static void make_case(struct gen *g, const struct encoding *e, struct long_case *c)
{
	struct making *m = &g->m;

	unpoke(m);
	*m = (struct making){ .c = c, .e = e, .mem = m->mem, .poked = m->poked };
	*c = (struct long_case){ .row = e->row, .mem = g->mem, .number = g->number };
	m->rng = g->seed ^ (uint64_t)g->number * 0x632be59bd9b4e019u;
	c->flag_mask = (FL_HOST | FL_IF | FL_AC | FL_ID | FL_NT) & ~(uint64_t)e->row->undef;
	snprintf(c->form, sizeof(c->form), "%s (%s)", e->row->name, e->enc);
	choose_form(m);
	setup_state(m);
	setup_fpu(m);
	choose_address(m);
	setup_case(m);
	if (e->row->setup == S_SEQ)
		make_sequence(m);
	else
		encode(m);
	settle_address(m);
	setup_encoded(m);
	place_code(m);
}

bool gen_next(struct gen *g, struct long_case *c)
{
	unsigned n = g->nencs ? g->number % g->nencs : 0;

	if (g->number >= g->nencs * g->cases)
		return false;
	make_case(g, &g->encs[n], c);
	g->number++;
	return true;
}

void gen_seek(struct gen *g, unsigned n)
{
	g->number = n;
}
