/* SPDX-License-Identifier: GPL-3.0-or-later
 * Registers of the snapshot, laid out in the order of the register table; those that changed
 * since the previous stop are marked. */
#include "tui/panes.h"
#include "tui/find.h"
#include "tui/tui_int.h"
#include "x86/regs.h"

#include <string.h>

enum {
	REG_OWN = 17, /* general registers and program counter */
	NOTE = 120,
	NOTE_W = 8,	  /* cells that make a note worth showing */
	WIDE_W = 90,	  /* from this width on, each 32-bit register has a line with a note, too */
	SMALLEST = 0x1000 /* lower values are numbers, not addresses */
};

struct registers {
	int top; /* lines scrolled */
	int lines;
	char note[REG_OWN][NOTE]; /* what the general registers point at; "" while the guest runs */
};

static unsigned own_registers(const struct tui *t, const struct reg_info *list[REG_OWN]);

/* ---- what registers point at ---- */

static bool is_text(uint64_t bytes, unsigned size)
{
	for (unsigned i = 0; i < size && i < 4; i++) {
		unsigned c = bytes >> 8 * i & 0xff;

		if (c < 0x20 || c >= 0x7f)
			return false;
	}
	return true;
}

static void symbol_of(struct tui *t, uint64_t v, char *buf, size_t len)
{
	const struct table *k = v < SMALLEST ? NULL : query(t, NULL, "print/a 0x%llx", (unsigned long long)v);

	snprintf(buf, len, "%s", k ? cell_str(k, 0, "symbol") : "");
}

/* The name of V's place, and the word or text in memory there. */
static void describe_value(struct tui *t, uint64_t v, char *note)
{
	unsigned size = cpu_long(&t->stop.cpu) ? 8 : 4;
	const struct table *k;
	char name[NOTE], then[NOTE];
	uint64_t word;
	int n;

	note[0] = 0;
	if (v < SMALLEST)
		return;
	symbol_of(t, v, name, sizeof(name));
	n = snprintf(note, NOTE, "%.60s", name);
	k = query(t, NULL, "x/1%cx 0x%llx", size == 8 ? 'g' : 'w', (unsigned long long)v);
	if (!k || !cell(k, 0, "v0"))
		return;
	word = cell_u(k, 0, "v0");
	if (is_text(word, size)) {
		k = query(t, NULL, "x/1s 0x%llx", (unsigned long long)v);
		snprintf(note + n, NOTE - (size_t)n, "%s\"%.40s\"", n ? " " : "",
			 k ? cell_str(k, 0, "text") : "");
		return;
	}
	symbol_of(t, word, then, sizeof(then));
	snprintf(note + n, NOTE - (size_t)n, "%s→ %llx%s%.40s", n ? " " : "", (unsigned long long)word,
		 then[0] ? " " : "", then);
}

static void update(struct pane *p, struct tui *t)
{
	struct registers *g = p->state;
	const struct reg_info *list[REG_OWN];
	unsigned n = own_registers(t, list);

	memset(g->note, 0, sizeof(g->note));
	if (!t->stop.known || inspect_running(t->s) || t->refresh.held || !inspect_has_machine(t->s))
		return;
	for (unsigned i = 0; i < n; i++)
		if (list[i]->kind == REG_PC) /* the code is in a pane of its own */
			symbol_of(t, cpu_pc(&t->stop.cpu), g->note[i], NOTE);
		else
			describe_value(t, reg_get(&t->stop.cpu, list[i]), g->note[i]);
}

/* ---- drawing ---- */

static const enum reg_group shown[] = { REG_GENERAL, REG_CONTROL, REG_SEGMENT,
					REG_SYSTEM,  REG_DEBUG,	  REG_FLOAT };

/* The place for the next register. */
struct flow {
	const struct area *a;
	int x, y, skip;
	const struct registers *pane;
	bool notes; /* each general register has a line of its own, with its note */
};

static void new_line(struct flow *f)
{
	if (f->x)
		f->y++;
	f->x = 0;
}

static int digits(const struct tui *t, const struct reg_info *r)
{
	return (int)reg_bits(&t->stop.cpu, r) / 4;
}

static int name_width(enum reg_group g)
{
	return g == REG_GENERAL || g == REG_DEBUG ? 3 : g == REG_CONTROL ? 4 : g == REG_SEGMENT ? 8 : 12;
}

static void put_register(struct tui *t, struct flow *f, const struct reg_info *r)
{
	uint64_t v = reg_get(&t->stop.cpu, r), old = reg_get(&t->stop.before, r);
	enum style st = v != old && !inspect_running(t->s) ? ST_CHANGED : v ? ST_VALUE : ST_ZERO;
	int wn = name_width(r->group), need, x;
	char flags[160];

	reg_flags_text(r, v, flags, sizeof(flags));
	if (flags[0])
		wn = (int)strlen(r->name) > wn ? (int)strlen(r->name) : wn;
	need = wn + 1 + digits(t, r) + (flags[0] ? 1 + (int)strlen(flags) : 0);
	if (f->x && (f->x + need > f->a->w || flags[0]))
		new_line(f);
	x = area_field(f->a, f->x, f->y - f->skip, wn, ST_NAME, r->name);
	area_printf(f->a, x + 1, f->y - f->skip, st, "%0*llx", digits(t, r), (unsigned long long)v);
	if (flags[0] && need > f->a->w) { /* on the line below, under the value */
		f->y++;
		x = 2;
	} else {
		x += 2 + digits(t, r);
	}
	if (flags[0])
		area_put(f->a, x, f->y - f->skip, ST_FLAG, flags);
	f->x += flags[0] ? f->a->w : need + 2;
	if (f->x >= f->a->w - 8)
		new_line(f);
}

/* A general register, and in the rest of the line what it points at. */
static void put_noted(struct tui *t, struct flow *f, const struct reg_info *r, const char *note)
{
	int end = name_width(r->group) + 1 + digits(t, r), y;

	if (!f->notes) {
		put_register(t, f, r);
		return;
	}
	new_line(f);
	y = f->y - f->skip;
	put_register(t, f, r);
	if (f->a->w - end - 1 >= NOTE_W)
		area_field(f->a, end + 1, y, f->a->w - end - 1, ST_SYMBOL, note);
	new_line(f);
}

/* The registers of the present mode that the others do not show, in the order of the table. */
static unsigned own_registers(const struct tui *t, const struct reg_info *list[REG_OWN])
{
	enum reg_mode mode = cpu_long(&t->stop.cpu) ? REG_LONG : REG_NOT_LONG;
	unsigned n = 0;

	for (unsigned i = 0; i < reg_count && n < REG_OWN; i++)
		if (reg_infos[i].mode == mode)
			list[n++] = &reg_infos[i];
	return n;
}

/* What all modes have of the general group: flags, selectors. */
static void put_common(struct tui *t, struct flow *f)
{
	for (unsigned i = 0; i < reg_count; i++)
		if (reg_infos[i].group == REG_GENERAL && reg_infos[i].mode == REG_ANY_MODE &&
		    (reg_infos[i].kind != REG_PC || reg_get(&t->stop.cpu, &reg_infos[i]) != t->stop.cpu.rip))
			put_register(t, f, &reg_infos[i]);
}

/* The eight general registers: eax ecx edx ebx, with esp ebp esi edi beside or below them. */
static void put_narrow(struct tui *t, struct flow *f)
{
	const struct reg_info *list[REG_OWN];
	unsigned n = own_registers(t, list);
	bool wide = f->a->w >= 54;

	f->notes = f->a->w >= WIDE_W;
	for (unsigned i = 0; i < 8; i++) {
		if (f->notes)
			put_noted(t, f, list[i], f->pane->note[i]);
		if (f->notes)
			continue;
		if (wide ? i == 4 : i % 2 == 0)
			new_line(f);
		put_register(t, f, list[wide ? i : i / 2 + i % 2 * 4]);
	}
	new_line(f);
	for (unsigned i = 8; i < n; i++)
		put_noted(t, f, list[i], f->pane->note[i]);
	put_common(t, f);
}

/* The sixteen. With room for one in a line, r8 to r15 are below what is looked at more often. */
static void put_wide(struct tui *t, struct flow *f)
{
	const struct reg_info *list[REG_OWN];
	unsigned n = own_registers(t, list), first = f->a->w < 2 * 20 + 2 ? 8 : 16;

	f->notes = first == 8 || f->a->w >= WIDE_W;
	for (unsigned i = 0; i < first; i++)
		put_noted(t, f, list[i], f->pane->note[i]);
	new_line(f);
	for (unsigned i = 16; i < n; i++)
		put_noted(t, f, list[i], f->pane->note[i]);
	put_common(t, f);
	new_line(f);
	for (unsigned i = first; i < 16; i++)
		put_noted(t, f, list[i], f->pane->note[i]);
}

static void put_general(struct tui *t, struct flow *f)
{
	if (cpu_long(&t->stop.cpu))
		put_wide(t, f);
	else
		put_narrow(t, f);
}

static void put_group(struct tui *t, struct flow *f, enum reg_group g)
{
	new_line(f);
	if (g == REG_GENERAL) {
		put_general(t, f);
		return;
	}
	for (unsigned i = 0; i < reg_count; i++)
		if (reg_infos[i].group == g)
			put_register(t, f, &reg_infos[i]);
}

static void draw(struct pane *p, struct tui *t, const struct area *a)
{
	struct registers *g = p->state;
	struct flow f = { .a = a, .skip = g->top, .pane = g };

	if (!t->stop.known)
		return;
	for (size_t i = 0; i < ARRAY_LEN(shown); i++)
		put_group(t, &f, shown[i]);
	new_line(&f);
	g->lines = f.y;
	if (g->top > g->lines - a->h)
		g->top = g->lines > a->h ? g->lines - a->h : 0;
}

static void heading(struct pane *p, struct tui *t, char *buf, size_t len)
{
	struct registers *g = p->state;

	buf[0] = 0;
	if (g->top)
		snprintf(buf, len, "+%d lines", g->top);
	else if (inspect_running(t->s))
		snprintf(buf, len, "sampled");
}

static bool key(struct pane *p, struct tui *t, int k)
{
	struct registers *g = p->state;

	(void)t;
	return scroll_key(&g->top, k, g->lines, p->area.h);
}

static void answer(struct pane *p, struct tui *t, enum ask what, const char *text)
{
	struct registers *g = p->state;
	int top = g->top, found;

	if (what != ASK_SEARCH) {
		find_refuse(t, what);
		return;
	}
	g->top = 0;
	found = find_line(p, t, g->lines, top, text);
	g->top = found < 0 ? top : found;
	t->dirty = true;
}

const struct pane_class pane_registers = {
	.name = "registers",
	.title = "Registers",
	.help =
	    "registers, changed ones marked, with what they point at; scroll for segments, descriptor tables, debug and FPU registers",
	.size = sizeof(struct registers),
	.update = update,
	.draw = draw,
	.heading = heading,
	.key = key,
	.mouse = wheel_keys,
	.answer = answer,
};
