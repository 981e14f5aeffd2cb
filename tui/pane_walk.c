/* SPDX-License-Identifier: GPL-3.0-or-later
 * The guest's page tables for one address, step by step: the address under the cursor of
 * the pane that has the keys, or an expression the user gave. */
#include "tui/panes.h"
#include "base/address.h"
#include "tui/tui_int.h"

#include <string.h>

struct walk_pane {
	char expr[128]; /* "": follow the cursor */
	uint64_t addr;
	const struct table *steps, *end; /* END: the translation, the last table */
	const char *error;
	bool has_steps;
};

static void update(struct pane *p, struct tui *t)
{
	struct walk_pane *w = p->state;
	const char *err = NULL;

	w->addr = t->sel.address;
	w->steps = w->end = NULL;
	w->error = NULL;
	if (w->expr[0] && !query_eval(t, w->expr, &w->addr, &err)) {
		w->error = err;
		return;
	}
	w->steps = query(t, &w->error, "page 0x%llx", (unsigned long long)stop_linear(&t->stop, w->addr));
	w->end = w->steps;
	while (w->end && w->end->next)
		w->end = w->end->next;
	w->has_steps = w->steps != w->end;
}

static int draw_steps(const struct walk_pane *w, const struct area *a)
{
	size_t r;

	for (r = 0; w->has_steps && r < w->steps->nrows && (int)r + 1 < a->h; r++) {
		int x = area_field(a, 0, (int)r, 6, ST_NAME, cell_str(w->steps, r, "level"));

		x = area_printf(a, x, (int)r, ST_ADDR, "[%s]", ADDRESS(cell_u(w->steps, r, "at")));
		x = area_printf(a, x, (int)r, ST_DIM, " = ");
		x = area_printf(a, x, (int)r, ST_VALUE, "%08llx",
				(unsigned long long)cell_u(w->steps, r, "entry"));
		area_field(a, x + 2, (int)r, a->w - x - 2, ST_FLAG, cell_str(w->steps, r, "flags"));
	}
	return (int)r;
}

static void draw(struct pane *p, struct tui *t, const struct area *a)
{
	struct walk_pane *w = p->state;
	int y, x;

	(void)t;
	if (!w->end) {
		area_wrap(a, 0, ST_DIM, w->error ? query_reason(w->error) : "no data yet");
		return;
	}
	y = draw_steps(w, a);
	x = area_put(a, 0, y, ST_VALUE, ADDRESS(cell_u(w->end, 0, "linear")));
	if (cell_u(w->end, 0, "mapped")) {
		x = area_put(a, x, y, ST_DIM, " → physical ");
		x = area_put(a, x, y, ST_CHANGED, ADDRESS(cell_u(w->end, 0, "physical")));
		x = area_printf(a, x + 2, y, ST_FLAG, "%s", cell_str(w->end, 0, "rights"));
		if (w->has_steps)
			area_printf(a, x + 2, y, ST_DIM, "%llu KiB page",
				    (unsigned long long)cell_u(w->end, 0, "size"));
		else
			area_put(a, x + 2, y, ST_DIM, "paging is off");
	} else {
		area_put(a, x + 1, y, ST_ERROR, "is not mapped");
	}
}

static void heading(struct pane *p, struct tui *t, char *buf, size_t len)
{
	struct walk_pane *w = p->state;

	(void)t;
	snprintf(buf, len, "%s", w->expr[0] ? w->expr : "of the address under the cursor");
}

static void answer(struct pane *p, struct tui *t, enum ask what, const char *text)
{
	struct walk_pane *w = p->state;

	if (what == ASK_GOTO)
		snprintf(w->expr, sizeof(w->expr), "%.127s", text);
	t->moved = true;
}

static bool address(struct pane *p, struct tui *t, uint64_t *addr)
{
	(void)t;
	*addr = ((struct walk_pane *)p->state)->addr;
	return true;
}

static const struct pane_key keys[] = {
	{ 'g', "g", "walk the value of an expression; g Enter follows the cursor again" },
	{ 0 },
};

const struct pane_class pane_walk = {
	.name = "walk",
	.title = "Page walk",
	.help = "the page-table entries that translate the address under the cursor",
	.size = sizeof(struct walk_pane),
	.keys = keys,
	.update = update,
	.draw = draw,
	.heading = heading,
	.address = address,
	.answer = answer,
};
