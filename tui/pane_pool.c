/* SPDX-License-Identifier: GPL-3.0-or-later
 * The machine memory that VMs share: how much is in use, how much is free against the thresholds of the
 * policy, and the state that follows (high, soft, hard, low). */
#include "tui/panes.h"
#include "tui/tui_int.h"

#include <string.h>

static const struct {
	const char *name;
	enum style style;
} states[] = {
	{ "high", ST_RUN },
	{ "soft", ST_OVER },
	{ "hard", ST_STOP },
	{ "low", ST_STOP },
};
enum { STATES = ARRAY_LEN(states) };

struct pool_pane {
	bool known;
	const char *error;
	char state[16];
	double size, used, free, saved, swapped, ballooned; /* MiB */
	double threshold[STATES];			    /* free memory, in % */
	bool has_thresholds;
};

static bool live(const struct pane *p, const struct tui *t)
{
	(void)p;
	return inspect_view_is_live(t->s, "memory");
}

static double real(const struct table *k, size_t row, const char *col)
{
	const struct value *v = cell(k, row, col);

	return v && v->type == VAL_REAL ? v->d : 0;
}

static void take_thresholds(struct pool_pane *m, const struct table *k)
{
	m->has_thresholds = k != NULL;
	for (size_t r = 0; k && r < k->nrows; r++)
		for (int i = 0; i < STATES; i++)
			if (!strcmp(cell_str(k, r, "name"), states[i].name))
				m->threshold[i] = real(k, r, "value");
}

static void update(struct pane *p, struct tui *t)
{
	struct pool_pane *m = p->state;
	const struct table *k = query(t, &m->error, "info memory");

	m->known = false;
	for (size_t r = 0; k && r < k->nrows; r++) {
		if (cell_str(k, r, "name")[0] != '(')
			continue;
		m->known = true;
		snprintf(m->state, sizeof(m->state), "%s", cell_str(k, r, "state"));
		m->size = real(k, r, "memsz");
		m->used = real(k, r, "machine");
		m->free = real(k, r, "free");
		m->saved = real(k, r, "shrdsvd");
		m->swapped = real(k, r, "swcur");
		m->ballooned = real(k, r, "mctlsz");
	}
	take_thresholds(m, m->known ? query(t, NULL, "info memory-policy") : NULL);
}

static void draw_figures(const struct pool_pane *m, const struct area *a)
{
	int x = 0, k = 0;

	while (k + 1 < STATES && strcmp(states[k].name, m->state))
		k++;
	x = area_put(a, x, 0, ST_DIM, "state ");
	x = area_printf(a, x, 0, states[k].style, " %s ", m->state);
	x = area_printf(a, x + 1, 0, ST_VALUE, "%.1f", m->free);
	x = area_printf(a, x, 0, ST_DIM, " of ");
	x = area_printf(a, x, 0, ST_VALUE, "%.0f", m->size);
	x = area_put(a, x, 0, ST_DIM, " MiB free  sharing saves ");
	x = area_printf(a, x, 0, ST_VALUE, "%.1f", m->saved);
	x = area_put(a, x, 0, ST_DIM, "  ballooned ");
	x = area_printf(a, x, 0, ST_VALUE, "%.1f", m->ballooned);
	x = area_put(a, x, 0, ST_DIM, "  swapped ");
	area_printf(a, x, 0, ST_VALUE, "%.1f", m->swapped);
}

/* Free memory on a scale to twice the highest threshold, where those are. */
static void draw_thresholds(const struct pool_pane *m, const struct area *a, int y)
{
	double full = m->threshold[0] * 2, part = m->size > 0 ? 100 * m->free / m->size : 0;
	int x = area_put(a, 0, y, ST_NAME, "free  "), w = a->w - x - 8, at = 0;

	if (w < 20 || full <= 0)
		return;
	area_fill(a, x, y, w, ST_ZERO, 0x00b7);
	area_bar(a, x, y, (int)(part < full ? w * part / full : w), ST_RATE, 1, 1);
	area_printf(a, x + w + 1, y, ST_VALUE, "%5.1f%%", part);
	for (int i = STATES - 1; i >= 0; i--) { /* from the left */
		int mark = (int)(w * m->threshold[i] / full);

		area_char(a, x + mark, y, ST_CHANGED, 0x2502);
		if (mark >= at)
			at = 1 +
			     area_printf(a, x + mark, y + 1, ST_DIM, "%s %.3g", states[i].name,
					 m->threshold[i]) -
			     x;
	}
}

static void draw(struct pane *p, struct tui *t, const struct area *a)
{
	const struct pool_pane *m = p->state;
	int x;

	(void)t;
	if (!m->known) {
		area_wrap(a, 0, ST_DIM, m->error ? query_reason(m->error) : "no pool");
		return;
	}
	draw_figures(m, a);
	x = area_put(a, 0, 1, ST_NAME, "used  ");
	if (a->w - x - 8 >= 20) {
		area_fill(a, x, 1, a->w - x - 8, ST_ZERO, 0x00b7);
		area_bar(a, x, 1, (int)((a->w - x - 8) * (m->size > 0 ? m->used / m->size : 0)), ST_INTC, 1,
			 1);
		area_printf(a, a->w - 7, 1, ST_VALUE, "%5.1f%%", m->size > 0 ? 100 * m->used / m->size : 0);
	}
	if (m->has_thresholds)
		draw_thresholds(m, a, 2);
}

static int need(const struct pane *p, const struct tui *t)
{
	const struct pool_pane *m = p->state;

	(void)t;
	return !m->known ? 1 : m->has_thresholds ? 4 : 2;
}

const struct pane_class pane_pool = {
	.name = "pool",
	.title = "Pool",
	.help = "machine memory: in use, free against the thresholds of the policy, its state",
	.size = sizeof(struct pool_pane),
	.live = live,
	.update = update,
	.draw = draw,
	.need = need,
};
