/* SPDX-License-Identifier: GPL-3.0-or-later
 * See time_line.h. Shares are those of the last half second or more in which the VM ran: a line that changes
 * five times a second cannot be read. */
#include "tui/tui_int.h"

#include <string.h>

static const int64_t SAMPLE_NS = 500 * 1000 * 1000;

/* By name of the part: its colour, and its name where there is little room. */
static const struct {
	const char *name, *brief;
	enum style style;
} looks[] = {
	{ "idle", "idle", ST_DIM },
	{ "non-root", "non-root", ST_INTC },
	{ "exits", "exits", ST_EXIT },
	{ "code", "code", ST_INTC },
	{ "callouts", "callouts", ST_CALLOUT },
	{ "traps", "traps", ST_POINT },
	{ "translating", "transl", ST_WINDOW },
	{ "host", "host", ST_CHAIN },
	{ "monitor", "monitor", ST_NAME },
};

static size_t look(const char *name)
{
	size_t i = 0;

	while (i + 1 < ARRAY_LEN(looks) && strcmp(looks[i].name, name))
		i++;
	return i;
}

static double real(const struct table *k, size_t row, const char *col)
{
	const struct value *v = cell(k, row, col);

	return v && v->type == VAL_REAL ? v->d : 0;
}

/* The time that has passed since the last sample, or in all. */
static double elapsed(const struct time_line *l, const struct table *k, bool since)
{
	double sum = 0;

	for (int i = 0; i < l->n; i++)
		sum += real(k, (size_t)i, "ms") - (since ? l->part[i].ms : 0);
	return sum;
}

/* The cost of callouts so far is an estimate that later samples correct: in an interval it can be too much.
 * Make the parts add up, at the expense of callouts first. */
static void add_up(struct time_line *l)
{
	double sum = 0, much;

	for (int i = 0; i < l->n; i++)
		sum += l->part[i].share;
	for (int i = 0; i < l->n && sum > 100; i++)
		if (!strcmp(l->part[i].name, "callouts")) {
			much = sum - 100 < l->part[i].share ? sum - 100 : l->part[i].share;
			l->part[i].share -= much;
			sum -= much;
		}
	for (int i = 0; i < l->n && sum > 100; i++)
		l->part[i].share *= 100 / sum;
}

void time_line_update(struct tui *t)
{
	struct time_line *l = &t->time_line;
	const struct table *k = inspect_has_machine(t->s) ? query(t, NULL, "info time") : NULL;
	bool since = l->sampled != 0;
	double all;

	if (!k || (since && tui_clock() - l->sampled < SAMPLE_NS && inspect_running(t->s)))
		return;
	l->n = k->nrows < TIME_PARTS ? (int)k->nrows : TIME_PARTS;
	all = elapsed(l, k, since);
	if (since && all < 0) /* another machine: it was reset, or its state was loaded */
		all = elapsed(l, k, since = false);
	if (since && all < 1) /* it has not run since */
		return;
	for (int i = 0; i < l->n; i++) {
		double ms = real(k, (size_t)i, "ms"), part = ms - (since ? l->part[i].ms : 0);

		snprintf(l->part[i].name, TIME_NAME, "%s", cell_str(k, (size_t)i, "name"));
		l->part[i].share = all > 0 && part > 0 ? 100 * part / all : 0;
		l->part[i].ms = ms;
	}
	add_up(l);
	l->sampled = tui_clock();
	l->interval = since;
}

/* A bar of W cells in the colours of the parts. */
static void draw_bar(const struct time_line *l, const struct area *a, int x, int w)
{
	double upto = 0;
	int at = 0;

	for (int i = 0; i < l->n; i++) {
		upto += l->part[i].share;
		for (; at < w && (at + 0.5) * 100 / w < upto; at++)
			area_char(a, x + at, 1, looks[look(l->part[i].name)].style, 0x2588);
	}
}

/* The text of part I; returns the cells of both its words. */
static int part_text(const struct time_line *l, int i, bool wide, const char **name, char *share, size_t len)
{
	const struct time_part *p = &l->part[i];

	*name = wide ? p->name : looks[look(p->name)].brief;
	snprintf(share, len, wide && p->share < 99.95 ? " %.1f%%" : " %.0f%%", p->share);
	return (int)strlen(*name) + (int)strlen(share);
}

/* Which parts are shown: all, or where there is no room for all, not those of the least share. */
static void choose_parts(const struct time_line *l, int w, bool wide, int gap, bool shown[TIME_PARTS])
{
	int used = -gap, least;
	const char *name;
	char share[16];

	for (int i = 0; i < l->n; i++) {
		used += part_text(l, i, wide, &name, share, sizeof(share)) + gap;
		shown[i] = true;
	}
	while (used > w) {
		least = -1;
		for (int i = 0; i < l->n; i++)
			if (shown[i] && (least < 0 || l->part[i].share <= l->part[least].share))
				least = i;
		if (least < 0)
			return;
		used -= part_text(l, least, wide, &name, share, sizeof(share)) + gap;
		shown[least] = false;
	}
}

void time_line_draw(struct tui *t)
{
	const struct time_line *l = &t->time_line;
	struct area all = canvas_area(&t->canvas), a = area_cut(&all, 0, 0, all.w, 2);
	bool wide = a.w >= 100, stale = !inspect_running(t->s), shown[TIME_PARTS];
	int x = 0, gap = wide ? 3 : 2;

	if (!l->n) /* no guest, or an engine that says nothing */
		return;
	choose_parts(l, a.w, wide, gap, shown);
	for (int i = 0; i < l->n; i++) {
		const char *name;
		char share[16];

		if (!shown[i])
			continue;
		part_text(l, i, wide, &name, share, sizeof(share));
		x = area_put(&a, x, 1, stale ? ST_DIM : looks[look(l->part[i].name)].style, name);
		x = area_put(&a, x, 1,
			     stale		       ? ST_DIM
			     : l->part[i].share < 0.05 ? ST_ZERO
						       : ST_VALUE,
			     share) +
		    gap;
	}
	if (a.w - x > 16)
		x = area_put(&a, x, 1, ST_DIM, !l->interval ? "of all" : stale ? "before the stop" : "");
	if (a.w - x > 30)
		draw_bar(l, &a, x + 2, a.w - x - 3);
}
