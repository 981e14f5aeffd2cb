/* SPDX-License-Identifier: GPL-3.0-or-later
 * The words at the stack pointer, with the symbols they point to. */
#include "tui/panes.h"
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
	unsigned size; /* bytes of a word: 2 in 16-bit code */
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

static void update(struct pane *p, struct tui *t)
{
	struct stack *s = p->state;
	int want = p->area.h > 0 ? p->area.h : 16;
	const struct table *k;

	want += s->top;
	want = want > MAX_WORDS ? MAX_WORDS : want;
	s->size = t->stop.cpu.seg[SEG_SS].attr & SA_DB ? 4 : 2;
	s->base = (uint32_t)t->stop.cpu.seg[SEG_SS].base +
		  (uint32_t)(s->size == 4 ? t->stop.cpu.gpr[R_ESP] : t->stop.cpu.gpr[R_ESP] & 0xffff);
	k = query(t, &s->error, "x/%dx%c 0x%llx", want, s->size == 4 ? 'w' : 'h',
		  (unsigned long long)(uint32_t)s->base);
	s->n = 0;
	for (size_t r = 0; k && r < k->nrows; r++)
		add_row(s, t, k, r);
}

static void draw(struct pane *p, struct tui *t, const struct area *a)
{
	struct stack *s = p->state;
	uint32_t ebp = (uint32_t)t->stop.cpu.gpr[R_EBP] + t->stop.cpu.seg[SEG_SS].base;

	if (!s->n)
		area_put(a, 0, 0, ST_DIM, s->error ? s->error : "not readable");
	for (int i = 0; i < a->h && s->top + i < s->n; i++) {
		const struct word *w = &s->word[s->top + i];
		unsigned off = (unsigned)(s->top + i) * s->size;
		bool frame = (uint32_t)s->base + off == ebp;
		int x;

		if (a->w >= 44)
			x = area_printf(a, 0, i, ST_ADDR, "%s ", ADDRESS((uint32_t)s->base + off));
		else
			x = 0;
		x = area_printf(a, x, i, frame ? ST_CHANGED : ST_DIM, "%-4s+%02x ",
				!(i + s->top) ? "esp"
				: frame	      ? "ebp"
					      : "",
				off);
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

	(void)t;
	*addr = (uint32_t)s->base + (unsigned)s->top * s->size;
	return true;
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
	.address = address,
};
