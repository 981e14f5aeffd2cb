/* SPDX-License-Identifier: GPL-3.0-or-later
 * The words at the stack pointer, with the symbols they point to. */
#include "tui/panes.h"
#include "tui/find.h"
#include "base/address.h"
#include "tui/tui_int.h"

#include <string.h>

enum { MAX_WORDS = 128, SYMBOL = 120 };

struct word {
	uint64_t value;
	char symbol[SYMBOL];
};

struct stack {
	struct word word[MAX_WORDS];
	int n, top;
	uint64_t base;
	const char *error;
	uint64_t frame; /* where the frame pointer points */
	unsigned size;	/* bytes of a word: 2 on a 16-bit stack, 8 in 64-bit code */
};

static void resolve(struct tui *t, struct word *w)
{
	const struct table *k;

	w->symbol[0] = 0;
	if (w->value < 0x400)
		return;
	k = query(t, NULL, "print/a 0x%llx", (unsigned long long)w->value);
	if (k)
		snprintf(w->symbol, sizeof(w->symbol), "%s", cell_str(k, 0, "symbol"));
}

static void add_row(struct stack *s, struct tui *t, const struct table *k, size_t row)
{
	char name[16];

	for (int i = 0; i < 8 && s->n < MAX_WORDS; i++) {
		const struct value *v;

		snprintf(name, sizeof(name), "v%d", i);
		v = cell(k, row, name);
		if (!v)
			break;
		s->word[s->n].value = v->u;
		resolve(t, &s->word[s->n++]);
	}
}

static void find_stack(struct stack *s, const struct cpu *c)
{
	uint64_t sp = c->gpr[R_ESP], bp = c->gpr[R_EBP], base = c->seg[SEG_SS].base;

	s->size = cpu_64(c) ? 8 : c->seg[SEG_SS].attr & SA_DB ? 4 : 2;
	s->base = s->size == 8 ? sp : (uint32_t)(base + (s->size == 4 ? sp : sp & 0xffff));
	s->frame = s->size == 8 ? bp : (uint32_t)(base + bp);
}

static void update(struct pane *p, struct tui *t)
{
	struct stack *s = p->state;
	int want = p->area.h > 0 ? p->area.h : 16;
	const struct table *k;

	want += s->top;
	want = want > MAX_WORDS ? MAX_WORDS : want;
	find_stack(s, &t->stop.cpu);
	k = query(t, &s->error, "x/%dx%c 0x%llx", want,
		  s->size == 8	 ? 'g'
		  : s->size == 4 ? 'w'
				 : 'h',
		  (unsigned long long)s->base);
	s->n = 0;
	for (size_t r = 0; k && r < k->nrows; r++)
		add_row(s, t, k, r);
}

static void draw(struct pane *p, struct tui *t, const struct area *a)
{
	struct stack *s = p->state;
	bool brief = s->size == 8 && a->w < 48;

	(void)t;
	if (!s->n)
		area_wrap(a, 0, ST_DIM, s->error ? query_reason(s->error) : "not readable");
	for (int i = 0; i < a->h && s->top + i < s->n; i++) {
		const struct word *w = &s->word[s->top + i];
		unsigned off = (unsigned)(s->top + i) * s->size;
		uint64_t at = s->size == 8 ? s->base + off : (uint32_t)(s->base + off);
		const char *name = !(i + s->top)    ? s->size == 8 ? "rsp" : "esp"
				   : at == s->frame ? s->size == 8 ? "rbp" : "ebp"
						    : "";
		enum style st = at == s->frame ? ST_CHANGED : ST_DIM;
		int x = 0;

		if (a->w >= (s->size == 8 ? 60 : 44))
			x = area_printf(a, 0, i, ST_ADDR, "%s ", ADDRESS(at));
		if (!brief)
			x = area_printf(a, x, i, st, "%-4s+%02x ", name, off);
		else if (name[0])
			x = area_printf(a, x, i, st, "%-4s", name);
		else
			x = area_printf(a, x, i, st, "+%02x ", off);
		x = area_printf(a, x, i, w->value ? ST_VALUE : ST_ZERO, "%0*llx ", (int)s->size * 2,
				(unsigned long long)w->value);
		area_field(a, x, i, a->w - x, ST_SYMBOL, w->symbol);
	}
}

static bool key(struct pane *p, struct tui *t, int k)
{
	struct stack *s = p->state;

	if (!scroll_key(&s->top, k, MAX_WORDS, p->area.h))
		return false;
	t->moved = true;
	return true;
}

static bool address(struct pane *p, struct tui *t, uint64_t *addr)
{
	struct stack *s = p->state;

	*addr = stop_linear(&t->stop, s->base + (unsigned)s->top * s->size);
	return true;
}

static void answer(struct pane *p, struct tui *t, enum ask what, const char *text)
{
	struct stack *s = p->state;
	int top = s->top, found;

	if (what != ASK_SEARCH) {
		find_refuse(t, what);
		return;
	}
	s->top = MAX_WORDS;
	if (!inspect_running(t->s)) /* else as far as it was read */
		update(p, t);
	s->top = 0;
	found = find_line(p, t, s->n, top, text);
	s->top = found < 0 ? top : found;
	t->moved = true;
}

const struct pane_class pane_stack = {
	.name = "stack",
	.title = "Stack",
	.help = "the words at the stack pointer, and the symbols they point to",
	.size = sizeof(struct stack),
	.update = update,
	.draw = draw,
	.key = key,
	.mouse = wheel_keys,
	.answer = answer,
	.address = address,
};
