/* SPDX-License-Identifier: GPL-3.0-or-later
 * Guest code around pc, or around an address the user went to. x86 code cannot be decoded
 * backwards: instructions before pc are found from the start of the function where there are
 * symbols, else remembered from the previous screen. */
#include "tui/panes.h"
#include "base/address.h"
#include "tui/tui_int.h"

#include <stdlib.h>
#include <string.h>

enum { REACH = 4096, MAX_LINES = 512, KNOWN = 64 };

struct line {
	bool label; /* it shows the name of the function that begins here */
	size_t row;
};

struct code {
	const struct table *k;
	const char *error;
	struct line line[MAX_LINES];
	int nlines;
	struct list list;
	uint64_t from;	 /* address of the first row */
	bool elsewhere;	 /* the user went to another place than pc */
	uint64_t wanted; /* that place, or pc */
	unsigned generation;
	uint64_t known[KNOWN]; /* addresses of the rows shown last, which start instructions */
	int nknown;
	char search[64];
};

/* The offset in "name+0x10"; 0 for "name" and "". */
static uint64_t symbol_offset(const char *text)
{
	const char *plus = strrchr(text, '+');

	return plus ? strtoull(plus + 1, NULL, 16) : 0;
}

/* Where to start disassembling to have WANTED in the listing, with some instructions before it. */
static uint64_t begin_at(struct code *c, struct tui *t, uint64_t wanted)
{
	const struct table *k = query(t, NULL, "disassemble/1 0x%llx", (unsigned long long)wanted);
	const char *sym = k ? cell_str(k, 0, "symbol") : "";
	uint64_t off = symbol_offset(sym);

	if (sym[0] && off > 0 && off <= REACH)
		return wanted - off;
	for (int i = 0; i < c->nknown; i++)
		if (c->known[i] == wanted)
			return c->known[i > 12 ? i - 12 : 0];
	return wanted;
}

static int line_of(const struct code *c, uint64_t addr)
{
	for (int i = 0; i < c->nlines; i++)
		if (!c->line[i].label && cell_u(c->k, c->line[i].row, "address") == addr)
			return i;
	return -1;
}

static void add_lines(struct code *c)
{
	c->nlines = 0;
	for (size_t r = 0; r < c->k->nrows && c->nlines + 2 < MAX_LINES; r++) {
		const char *sym = cell_str(c->k, r, "symbol");

		if (sym[0] && !symbol_offset(sym))
			c->line[c->nlines++] = (struct line){ true, r };
		c->line[c->nlines++] = (struct line){ false, r };
	}
}

/* Fetch the listing from FROM on. True: WANTED is an instruction in it. */
static bool fetch(struct code *c, struct tui *t, uint64_t from, uint64_t wanted)
{
	unsigned n = MAX_LINES / 2;

	if (wanted - from < 64)
		n = 96;
	c->k =
	    query(t, &c->error, "disassemble/%u 0x%llx", n, (unsigned long long)stop_linear(&t->stop, from));
	c->from = from;
	c->nlines = 0;
	if (!c->k)
		return false;
	add_lines(c);
	return line_of(c, wanted) >= 0;
}

static void show_line(struct code *c, int at, bool center)
{
	int view = c->list.view > 0 ? c->list.view : 10, margin = view / 4;

	if (center || at < c->list.top + 1 || at >= c->list.top + view - margin)
		c->list.top = at < view / 2 + 1 ? 0 : at - view / 3;
	if (c->list.top < 0)
		c->list.top = 0;
}

static void keep_known(struct code *c)
{
	int first = c->list.at - KNOWN / 2 < 0 ? 0 : c->list.at - KNOWN / 2;

	c->nknown = 0;
	for (int i = first; i < c->nlines && c->nknown < KNOWN; i++)
		if (!c->line[i].label)
			c->known[c->nknown++] = cell_u(c->k, c->line[i].row, "address");
}

static void update(struct pane *p, struct tui *t)
{
	struct code *c = p->state;
	uint64_t pc = t->stop.known ? cpu_pc(&t->stop.cpu) : 0, wanted;
	bool moved = t->stop.generation != c->generation;
	uint64_t from;

	/* A stop shows pc. A sample of a running guest does not: what the user went to stays. */
	if (moved && !inspect_running(t->s) && !t->refresh.held)
		c->elsewhere = false;
	c->generation = t->stop.generation;
	wanted = c->elsewhere ? c->wanted : pc;
	from = begin_at(c, t, wanted);
	/* keep the current listing while it contains the place, so lines do not jump */
	if (wanted >= c->from && wanted - c->from <= REACH && c->nlines && fetch(c, t, c->from, wanted))
		from = c->from;
	else if (!fetch(c, t, from, wanted) && from != wanted)
		fetch(c, t, wanted, wanted);
	if (!c->k)
		return;
	if (moved || c->wanted != wanted) {
		c->list.at = line_of(c, wanted);
		show_line(c, c->list.at, false);
	}
	c->wanted = wanted;
	c->list.rows = c->nlines;
	keep_known(c);
}

/* ---- drawing ---- */

static const char *function_part(const char *sym, char *buf, size_t len)
{
	const char *plus = strrchr(sym, '+');

	snprintf(buf, len, "%.*s", plus ? (int)(plus - sym) : (int)strlen(sym), sym);
	return buf;
}

/* "call 0x1234 <name>" with the name in its own style; without the number where there is little room. */
static void draw_insn(const struct area *a, int x, int y, enum style st, enum style sym, const char *text)
{
	const char *angle = strstr(text, " <");
	size_t n = angle ? (size_t)(angle - text) : strlen(text), target = n;
	char insn[128];

	while (target && text[target - 1] != ' ')
		target--;
	if (angle && target && x + (int)strlen(text) > a->w)
		n = target - 1;
	snprintf(insn, sizeof(insn), "%.*s", (int)n, text);
	x = area_put(a, x, y, st, insn);
	if (angle)
		area_field(a, x, y, a->w - x, sym, angle);
}

static void draw_line(const struct code *c, const struct area *a, int y, const struct line *l, bool selected)
{
	const char *sym = cell_str(c->k, l->row, "symbol");
	bool pc = cell_u(c->k, l->row, "current"), point = cell_u(c->k, l->row, "breakpoint");
	enum style st = pc ? ST_PC : selected ? ST_SELECT : ST_CODE;
	bool lit = pc || selected, wide = a->w >= (cell_u(c->k, l->row, "address") >> 32 ? 72 : 64);
	char buf[300];
	int x;

	if (l->label) {
		area_printf(a, 2, y, ST_SYMBOL, "%s:", function_part(sym, buf, sizeof(buf)));
		return;
	}
	if (lit)
		area_fill(a, 1, y, a->w - 1, st, ' ');
	if (point)
		area_char(a, 0, y, ST_POINT, 0x25cf);
	area_char(a, 1, y, st, pc ? 0x25b6 : ' ');
	x = area_put(a, 3, y, lit ? st : ST_ADDR, ADDRESS(cell_u(c->k, l->row, "address")));
	if (wide) {
		if (sym[0])
			area_printf(a, x + 1, y, lit ? st : ST_DIM, "+%llx",
				    (unsigned long long)symbol_offset(sym));
		x = area_field(a, x + 7, y, 21, lit ? st : ST_BYTES, cell_str(c->k, l->row, "bytes"));
	}
	draw_insn(a, x + 2, y, st, lit ? st : ST_SYMBOL, cell_str(c->k, l->row, "insn"));
}

static void draw(struct pane *p, struct tui *t, const struct area *a)
{
	struct code *c = p->state;
	bool focused = screen_focus(t) == p;

	if (!c->k || !c->nlines) {
		area_wrap(a, 0, ST_DIM, c->error ? query_reason(c->error) : "no code");
		return;
	}
	if (c->list.view != a->h) {
		c->list.view = a->h;
		show_line(c, c->list.at, true);
	}
	for (int i = 0; i < a->h && c->list.top + i < c->nlines; i++)
		draw_line(c, a, i, &c->line[c->list.top + i], focused && c->list.top + i == c->list.at);
}

static void heading(struct pane *p, struct tui *t, char *buf, size_t len)
{
	struct code *c = p->state;
	char name[200];

	(void)t;
	buf[0] = 0;
	if (!c->k || c->list.at < 0 || c->list.at >= c->nlines)
		return;
	function_part(cell_str(c->k, c->line[c->list.at].row, "symbol"), name, sizeof(name));
	snprintf(buf, len, "%s%s", name, c->elsewhere ? " (not at pc: g Enter returns)" : "");
}

/* ---- keys ---- */

static void go_to(struct code *c, struct tui *t, uint64_t addr)
{
	c->elsewhere = true;
	c->wanted = addr;
	c->list.at = -1;
	if (!fetch(c, t, begin_at(c, t, addr), addr))
		fetch(c, t, addr, addr);
	c->list.at = line_of(c, addr);
	show_line(c, c->list.at < 0 ? 0 : c->list.at, true);
	keep_known(c);
	t->moved = true;
}

/* Show line AT from now on, not pc. */
static void stay_at(struct code *c, struct tui *t, int at)
{
	if (c->k && at >= 0 && at < c->nlines) {
		c->elsewhere = true;
		c->wanted = cell_u(c->k, c->line[at].row, "address");
	}
	t->moved = true;
}

void code_show(struct tui *t, uint64_t addr)
{
	struct pane *p = pane_named(t, "code");

	if (p && pane_fresh(t, p))
		go_to(p->state, t, addr);
}

static bool key(struct pane *p, struct tui *t, int k)
{
	struct code *c = p->state;
	int at = c->list.at;

	if (k == TK_ENTER && c->k && at >= 0 && at < c->nlines) { /* follow a direct branch */
		const char *text = cell_str(c->k, c->line[at].row, "insn"), *hex = strstr(text, " 0x");

		if (hex && (text[0] == 'j' || !strncmp(text, "call", 4))) {
			go_to(c, t, strtoull(hex + 1, NULL, 16));
			return true;
		}
		return false;
	}
	if (!list_key(&c->list, k))
		return false;
	if (c->list.at < c->nlines && c->line[c->list.at].label)
		c->list.at += c->list.at > at || !c->list.at ? 1 : -1;
	stay_at(c, t, c->list.at);
	return true;
}

static void mouse(struct pane *p, struct tui *t, const struct term_event *e)
{
	struct code *c = p->state;

	if (list_mouse(&c->list, e, 0))
		stay_at(c, t, c->list.at);
}

static bool address(struct pane *p, struct tui *t, uint64_t *addr)
{
	struct code *c = p->state;

	(void)t;
	if (!c->nlines && c->elsewhere) { /* not mapped yet, but a breakpoint can be set there */
		*addr = c->wanted;
		return true;
	}
	if (!c->k || c->list.at < 0 || c->list.at >= c->nlines)
		return false;
	*addr = cell_u(c->k, c->line[c->list.at].row, "address");
	return true;
}

static void answer(struct pane *p, struct tui *t, enum ask what, const char *text)
{
	struct code *c = p->state;
	const char *err = NULL;
	uint64_t addr;

	if (what == ASK_GOTO && !text[0]) {
		c->elsewhere = false;
		c->generation--;
		t->stale = true;
	} else if (what == ASK_GOTO && query_eval(t, text, &addr, &err)) {
		go_to(c, t, addr);
	} else if (what == ASK_GOTO) {
		tui_message(t, ST_ERROR, "%s", err ? err : "no such address");
	} else if (what == ASK_SEARCH && c->k) {
		for (int i = 1; i <= c->nlines; i++) {
			int at = (c->list.at + i) % c->nlines;

			if (c->line[at].label || !strcasestr(cell_str(c->k, c->line[at].row, "insn"), text))
				continue;
			c->list.at = at;
			stay_at(c, t, at);
			show_line(c, at, false);
			break;
		}
	}
}

static const struct pane_key keys[] = {
	{ 'g', "g", "go to an address or symbol; g Enter returns to pc" },
	{ TK_ENTER, "Enter", "follow the branch under the cursor" },
	{ 0 },
};

const struct pane_class pane_code = {
	.name = "code",
	.title = "Code",
	.help = "guest code; b sets or deletes a breakpoint at the cursor",
	.size = sizeof(struct code),
	.keys = keys,
	.update = update,
	.draw = draw,
	.heading = heading,
	.key = key,
	.mouse = mouse,
	.address = address,
	.answer = answer,
};
