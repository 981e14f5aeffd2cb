/* SPDX-License-Identifier: GPL-3.0-or-later
 * The call stack, and the task of a Linux guest that executes. */
#include "tui/panes.h"
#include "tui/find.h"
#include "base/address.h"
#include "tui/tui_int.h"

#include <string.h>

enum { FRAMES = 32, WITH_PC = 40, FRAME_TEXT = 120 };

struct frame_line {
	uint64_t pc;
	char symbol[FRAME_TEXT], source[FRAME_TEXT];
	bool guess;
};

struct frames {
	struct frame_line line[FRAMES];
	int n;
	struct list list;
	char task[100]; /* its name and number; "": unknown */
	const char *error;
};

static void find_task(struct frames *f, struct tui *t)
{
	const struct table *k = query(t, NULL, "ps $pid");

	f->task[0] = 0;
	if (k && k->nrows)
		snprintf(f->task, sizeof(f->task), "task %.40s, pid %llu", cell_str(k, 0, "name"),
			 (unsigned long long)cell_u(k, 0, "pid"));
}

static void update(struct pane *p, struct tui *t)
{
	struct frames *f = p->state;
	const struct table *k = query(t, &f->error, "backtrace %d", FRAMES);

	f->n = 0;
	for (; k && f->n < FRAMES; k = k->next) {
		struct frame_line *l = &f->line[f->n++];

		l->pc = cell_u(k, 0, "pc");
		l->guess = cell_u(k, 0, "guess");
		snprintf(l->symbol, FRAME_TEXT, "%s", cell_str(k, 0, "symbol"));
		snprintf(l->source, FRAME_TEXT, "%s", cell_str(k, 0, "source"));
	}
	if (!inspect_running(t->s) && !t->refresh.held)
		find_task(f, t);
	list_fit(&f->list, f->n, p->area.h);
}

static void draw(struct pane *p, struct tui *t, const struct area *a)
{
	struct frames *f = p->state;
	bool focused = screen_focus(t) == p;

	if (!f->n)
		area_wrap(a, 0, ST_DIM, f->error ? query_reason(f->error) : "no frames");
	list_fit(&f->list, f->n, a->h);
	for (int y = 0; y < a->h && f->list.top + y < f->n; y++) {
		const struct frame_line *l = &f->line[f->list.top + y];
		enum style sel = focused && f->list.top + y == f->list.at ? ST_SELECT : ST_NORMAL;
		int x;

		if (sel)
			area_fill(a, 0, y, a->w, sel, ' ');
		x = area_printf(a, 0, y, sel ? sel : l->guess ? ST_DIM : ST_NAME, "#%-2d ", f->list.top + y);
		if (a->w >= WITH_PC)
			x = area_printf(a, x, y, sel ? sel : ST_ADDR, "%s ", ADDRESS(l->pc));
		x = area_put(a, x, y, sel ? sel : l->guess ? ST_DIM : ST_SYMBOL, l->symbol);
		area_field(a, x + 1, y, a->w - x - 1, sel ? sel : ST_DIM, l->source);
	}
}

static int need(const struct pane *p, const struct tui *t)
{
	const struct frames *f = p->state;

	(void)t;
	return f->n ? f->n : 1;
}

static void heading(struct pane *p, struct tui *t, char *buf, size_t len)
{
	const struct frames *f = p->state;

	snprintf(buf, len, "%s", f->task[0] && !inspect_running(t->s) ? f->task : "");
}

static bool key(struct pane *p, struct tui *t, int k)
{
	struct frames *f = p->state;

	if (k == TK_ENTER && f->list.at < f->n) {
		code_show(t, f->line[f->list.at].pc);
		return true;
	}
	if (!list_key(&f->list, k))
		return false;
	t->moved = true;
	return true;
}

static void mouse(struct pane *p, struct tui *t, const struct term_event *e)
{
	struct frames *f = p->state;

	if (list_mouse(&f->list, e, 0) && e->key == TK_DOUBLE)
		key(p, t, TK_ENTER);
	t->moved = true;
}

static bool address(struct pane *p, struct tui *t, uint64_t *addr)
{
	const struct frames *f = p->state;

	(void)t;
	if (f->list.at >= f->n)
		return false;
	*addr = f->line[f->list.at].pc;
	return true;
}

static void answer(struct pane *p, struct tui *t, enum ask what, const char *text)
{
	struct frames *f = p->state;
	int found;

	if (what != ASK_SEARCH) {
		find_refuse(t, what);
		return;
	}
	found = find_line(p, t, f->n, f->list.at, text);
	if (found >= 0)
		f->list.at = found;
	t->moved = true;
}

static const struct pane_key keys[] = {
	{ TK_ENTER, "Enter", "show the code there (also a double click)" },
	{ 0 },
};

const struct pane_class pane_frames = {
	.name = "frames",
	.title = "Call stack",
	.help = "the call stack, and the task of a Linux guest; dim: guesses",
	.size = sizeof(struct frames),
	.keys = keys,
	.update = update,
	.draw = draw,
	.need = need,
	.heading = heading,
	.key = key,
	.mouse = mouse,
	.answer = answer,
	.address = address,
};
