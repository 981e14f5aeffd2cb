/* SPDX-License-Identifier: GPL-3.0-or-later
 * Generator: rows become encodings, encodings forms, forms cases. A case is a function of seed, form and
 * index only, and can be repeated by its number. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/conform/gen.h"

static const struct form_row rows[] = {
#define F(name, enc, undef, attr, setup) { name, enc, undef, attr, setup },
#include "tests/conform/forms.def"
#include "tests/conform/forms512.def"
#undef F
};

struct gen {
	struct form *forms;
	unsigned nforms, room, form, index, number, per_form, nrows;
	uint64_t seed;
	bool ldt;
	char **encs;
	unsigned nencs;
};

uint64_t rng_next(uint64_t *s) /* splitmix64 */
{
	uint64_t z = *s += 0x9e3779b97f4a7c15u;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
	z = (z ^ z >> 27) * 0x94d049bb133111ebu;
	return z ^ z >> 31;
}

uint32_t rnd_value(struct making *m)
{
	static const uint32_t edge[] = { 0,	      1,	   0x7f,	0x80,	    0xff,
					 0x7fff,      0x8000,	   0xffff,	0x7fffffff, 0x80000000u,
					 0xffffffffu, 0xfffffffeu, 0xffffff80u, 0x10000 };

	switch (rnd(m, 4)) {
	case 0:
		return edge[rnd(m, ARRAY_LEN(edge))];
	case 1:
		return rnd(m, 256);
	default:
		return (uint32_t)rng_next(&m->rng);
	}
}

/* ---- forms ---- */

static void add(struct gen *g, struct form f)
{
	if (!g->ldt &&
	    (f.cs || f.ds != SEL_DS || f.ss != SEL_DS || f.override == SEG_FS || f.override == SEG_GS))
		return;
	if (g->nforms == g->room) {
		g->room = g->room ? 2 * g->room : 1024;
		g->forms = realloc(g->forms, g->room * sizeof(*g->forms));
	}
	g->forms[g->nforms++] = f;
}

static bool is_short(const struct form *f)
{
	return f->row->attr & (A_SSE | A_X87);
}

/* Does form F get addressing mode MODE? All of them do, or a sample that differs between forms. */
static bool wants_mode(const struct gen *g, const struct form *f, unsigned mode)
{
	unsigned n = is_short(f) ? 7 : 5;

	return (f->row->attr & A_ALL) || (mode + g->nencs * 3 + f->op + f->cs) % n == 0;
}

static void add_modes(struct gen *g, struct form f)
{
	for (unsigned i = 0; i < namodes; i++) {
		if (!wants_mode(g, &f, i))
			continue;
		f.mode = (int8_t)i;
		f.asize = amodes[i].asize;
		add(g, f);
	}
}

/* Add forms with segment overrides, based data and based stack segments. */
static void add_segments(struct gen *g, struct form f)
{
	static const uint16_t ds[] = { SEL_LDT(LDT_DATA_FS), SEL_LDT(LDT_DATA_GS), SEL_LDT(LDT_DATA_RO),
				       SEL_LDT(LDT_DATA_DOWN) };
	unsigned pick = g->nencs + f.op / 2 + f.cs;

	for (unsigned s = 0; s < SEG_COUNT; s++) {
		if (!(f.row->attr & A_ALL) && s != pick % SEG_COUNT && s != SEG_FS)
			continue;
		f.override = (int8_t)s;
		f.mode = (int8_t)((pick + s) % 16);
		f.asize = 4;
		add(g, f);
		f.mode = (int8_t)(16 + (pick + s) % 9);
		f.asize = 2;
		if (f.row->attr & A_ALL)
			add(g, f);
	}
	f.override = -1;
	for (unsigned i = 0; i < ARRAY_LEN(ds); i++) {
		if (!(f.row->attr & A_ALL) && i != pick % 4)
			continue;
		f.ds = ds[i];
		f.mode = i & 1 ? 10 : 2;
		f.asize = 4;
		add(g, f);
		f.mode = i & 1 ? 16 : 22;
		f.asize = 2;
		add(g, f);
	}
	f.ds = SEL_DS;
	if (f.row->attr & A_ALL) {
		f.ss = SEL_LDT(LDT_STACK32);
		f.asize = 4;
		for (f.mode = 4; f.mode <= 8; f.mode++)
			add(g, f);
	}
}

static void add_lock(struct gen *g, struct form f)
{
	if (!(f.row->attr & A_LOCK) && g->nencs % 8)
		return;
	f.lock = 1;
	f.mode = (int8_t)(1 + g->nencs % 13);
	f.asize = 4;
	add(g, f);
	f.mode = REG_MODE;
	if (!(f.row->attr & A_MEM))
		add(g, f);
}

static void add_modrm(struct gen *g, struct form f)
{
	unsigned dflt = f.cs == CS_LDT16 ? 2 : 4;

	if (!(f.row->attr & (A_MEM | A_VSIB))) {
		f.mode = REG_MODE;
		f.asize = (uint8_t)dflt;
		add(g, f);
	}
	if (f.row->attr & A_VSIB) {
		f.mode = VSIB_MODE;
		f.asize = 4;
		add(g, f);
		return;
	}
	if (f.row->attr & A_REG)
		return;
	add_modes(g, f);
	add_segments(g, f);
	add_lock(g, f);
}

static void add_plain(struct gen *g, struct form f)
{
	unsigned dflt = f.cs == CS_LDT16 ? 2 : 4;

	for (unsigned a = 4; a >= 2; a -= 2) {
		if (a != dflt && !(f.row->attr & A_A16))
			continue;
		f.asize = (uint8_t)a;
		f.override = -1;
		add(g, f);
		for (unsigned s = 0; s < SEG_COUNT && (f.row->attr & A_SEG); s++) {
			f.override = (int8_t)s;
			add(g, f);
		}
		f.override = -1;
		if (f.row->attr & (A_SEG | A_A16)) {
			f.ds = SEL_LDT(LDT_DATA_FS);
			add(g, f);
			f.ds = SEL_DS;
		}
	}
}

static void add_stacks(struct gen *g, struct form f, void (*adder)(struct gen *, struct form))
{
	adder(g, f);
	if (!(f.row->attr & A_STACK))
		return;
	f.ss = SEL_LDT(LDT_STACK16);
	adder(g, f);
	f.ss = SEL_LDT(LDT_STACK32);
	adder(g, f);
}

static bool has_modrm(const char *enc)
{
	const char *p = strchr(enc, '/');

	return p && (p[1] == 'r' || (p[1] >= '0' && p[1] <= '7'));
}

static void add_encoding(struct gen *g, const struct form_row *row, const char *enc)
{
	char *keep = strdup(enc);

	g->encs = realloc(g->encs, (g->nencs + 1) * sizeof(*g->encs));
	g->encs[g->nencs++] = keep;
	for (unsigned cs = CS_FLAT32; cs <= CS_LDT32; cs++) {
		if (cs && (row->attr & (A_SSE | A_X87)) && g->nencs % 4)
			continue;
		if (cs == CS_LDT32 && !(row->attr & A_STACK) && g->nencs % 4)
			continue;
		for (unsigned op = 4; op >= 2; op -= 2) {
			struct form f = { .row = row,
					  .enc = keep,
					  .op = (uint8_t)op,
					  .mode = NO_MODE,
					  .override = -1,
					  .cs = (uint8_t)cs,
					  .ds = SEL_DS,
					  .ss = SEL_DS };

			if (!(row->attr & A_V) && op != (cs == CS_LDT16 ? 2u : 4u))
				continue;
			add_stacks(g, f, has_modrm(enc) ? add_modrm : add_plain);
		}
	}
}

/* Expand the first bracket list in ENC, recursively. */
static void expand(struct gen *g, const struct form_row *row, const char *enc)
{
	const char *open = strchr(enc, '['), *close = open ? strchr(open, ']') : NULL;
	char list[160], buf[256], *save = NULL;

	if (!close) {
		add_encoding(g, row, enc);
		return;
	}
	snprintf(list, sizeof(list), "%.*s", (int)(close - open - 1), open + 1);
	for (char *t = strtok_r(list, " ", &save); t; t = strtok_r(NULL, " ", &save)) {
		snprintf(buf, sizeof(buf), "%.*s%s%s", (int)(open - enc), enc, t, close + 1);
		expand(g, row, buf);
	}
}

struct gen *gen_new(uint64_t seed, unsigned cases_per_form, bool have_ldt, const char *only)
{
	struct gen *g = calloc(1, sizeof(*g));

	g->seed = seed;
	g->per_form = cases_per_form;
	g->ldt = have_ldt;
	for (unsigned i = 0; i < ARRAY_LEN(rows); i++) {
		if ((only && strncmp(rows[i].name, only, strlen(only))) ||
		    ((rows[i].attr & A_512) && !host_has_wide()))
			continue;
		g->nrows++;
		expand(g, &rows[i], rows[i].enc);
	}
	return g;
}

void gen_free(struct gen *g)
{
	if (!g)
		return;
	for (unsigned i = 0; i < g->nencs; i++)
		free(g->encs[i]);
	free(g->encs);
	free(g->forms);
	free(g);
}

unsigned gen_forms(const struct gen *g)
{
	return g->nforms;
}
unsigned gen_rows(const struct gen *g)
{
	return g->nrows;
}

/* ---- cases ---- */

static void name_form(const struct form *f, char *buf, size_t n)
{
	static const char *const segs[] = { "es", "cs", "ss", "ds", "fs", "gs" };
	static const char *const cs[] = { "", " cs16", " csbase" };
	const char *mode = f->mode >= 0		  ? amodes[f->mode].name
			   : f->mode == REG_MODE  ? "reg"
			   : f->mode == VSIB_MODE ? "vsib"
			   : f->asize == 2	  ? "a16"
						  : "";

	snprintf(buf, n, "%s (%s) o%u %s%s%s%s%s%s", f->row->name, f->enc, f->op * 8, mode,
		 f->override >= 0 ? " " : "", f->override >= 0 ? segs[f->override] : "",
		 f->lock ? " lock" : "", cs[f->cs],
		 f->ss != SEL_DS   ? " ss"
		 : f->ds != SEL_DS ? " ds"
				   : "");
}

static uint32_t code_offset(struct making *m)
{
	/* Place the instruction across the end of the code region. Processors differ in whether the fetch
	 * fault or a #UD of the bytes before comes first; forms that can raise #UD are left out. */
	if (one_in(m, 40) && !m->f->lock && !(m->f->row->attr & A_512) && !strstr(m->f->row->name, "ud") &&
	    strcmp(m->f->row->name, "avx.bcast"))
		return 0x2000 - 1 - rnd(m, 8);
	if (one_in(m, 5)) /* across a page boundary */
		return 0x1000 - 1 - rnd(m, 8);
	return 0x100 + rnd(m, 0xd00);
}

static void setup_segments(struct making *m)
{
	static const uint16_t cs[] = { SEL_CS, SEL_LDT(LDT_CODE16), SEL_LDT(LDT_CODE32) };
	const struct form *f = m->f;
	bool ldt =
	    f->cs || f->override == SEG_FS || f->override == SEG_GS || f->ds != SEL_DS || f->ss != SEL_DS;
	uint16_t *s = m->c->st.seg;

	s[SEG_CS] = cs[f->cs];
	s[SEG_SS] = f->ss;
	s[SEG_DS] = f->ds;
	s[SEG_ES] = ldt && one_in(m, 4) ? SEL_LDT(LDT_DATA_FS) : SEL_DS;
	s[SEG_FS] = ldt ? SEL_LDT(LDT_DATA_FS) : 0;
	s[SEG_GS] = ldt ? SEL_LDT(LDT_DATA_GS) : 0;
}

static void setup_state(struct making *m)
{
	struct cpu_state *st = &m->c->st;
	uint32_t off = code_offset(m);

	for (unsigned i = 0; i < 8; i++)
		st->gpr[i] = rnd_value(m);
	setup_segments(m);
	st->gpr[R_ESP] = 0x1000 + (one_in(m, 4) ? rnd(m, 64) : rnd(m, 0x400) * 4);
	if (!sel_base(st->seg[SEG_SS]))
		st->gpr[R_ESP] += RGN_STACK_ADDR;
	else if (st->seg[SEG_SS] == SEL_LDT(LDT_STACK16) && one_in(m, 2))
		st->gpr[R_ESP] |= 0xabcd0000u;
	st->eflags = ((uint32_t)rng_next(&m->rng) & FL_HOST) | FL_ONE | FL_IF;
	st->eip = off + (m->f->cs == CS_FLAT32 ? RGN_CODE_ADDR : 0);
}

static void fill_memory(struct making *m)
{
	uint8_t *mem = m->c->mem;

	for (unsigned i = 0; i < MEM_BYTES; i += 8) {
		uint64_t v = rng_next(&m->rng);

		memcpy(mem + i, &v, 8);
	}
	memset(mem + conform_regions[RGN_CODE].at, 0xcc, RGN_CODE_SIZE);
}

static void place_code(struct making *m)
{
	uint32_t lin = RGN_CODE_ADDR + (m->c->st.eip & 0x1fff);

	for (unsigned i = 0; i < m->c->len; i++) {
		uint8_t *p = mem_at(m->c->mem, lin + i);

		if (p)
			*p = m->c->code[i];
	}
}

static void make_case(struct gen *g, const struct form *f, struct conform_case *c)
{
	uint8_t *mem = c->mem;
	struct making m = { .c = c, .f = f };

	*c = (struct conform_case){ .mem = mem, .row = f->row, .number = g->number };
	m.rng = g->seed ^ (uint64_t)g->number * 0x632be59bd9b4e019u;
	c->flag_mask = (FL_HOST | FL_IF | FL_AC | FL_ID | FL_NT) & ~f->row->undef;
	c->code16 = f->cs == CS_LDT16;
	name_form(f, c->form, sizeof(c->form));
	fill_memory(&m);
	setup_state(&m);
	setup_fpu(&m);
	m.rm = rnd(&m, 8);
	choose_address(&m);
	if (f->mode == NO_MODE && !(f->row->attr & A_SEG))
		m.has_ea = false;
	setup_case(&m);
	if (f->row->setup == S_SEQ)
		make_sequence(&m);
	else
		encode(&m);
	setup_encoded(&m);
	place_code(&m);
}

static unsigned cases_of(const struct gen *g, const struct form *f)
{
	return g->per_form * (f->row->setup == S_SEQ ? 500 : f->row->attr & A_MANY ? 8 : 1);
}

bool gen_next(struct gen *g, struct conform_case *c)
{
	while (g->form < g->nforms && g->index >= cases_of(g, &g->forms[g->form])) {
		g->form++;
		g->index = 0;
	}
	if (g->form == g->nforms)
		return false;
	make_case(g, &g->forms[g->form], c);
	g->index++;
	g->number++;
	return true;
}

void gen_seek(struct gen *g, unsigned n)
{
	for (g->number = n, g->form = 0; g->form < g->nforms; g->form++) {
		unsigned k = cases_of(g, &g->forms[g->form]);

		if (n < k)
			break;
		n -= k;
	}
	g->index = n;
}
