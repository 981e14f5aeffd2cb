/* SPDX-License-Identifier: GPL-3.0-or-later
 * The whole translation cache as a strip, from the first fragment's host address to the last
 * one's: how full each part is, and how often its fragments trap and call out. */
#include "tui/panes.h"
#include "tui/tui_int.h"

#include <stdlib.h>
#include <string.h>

enum { PARTS = 512 };

struct part {
	uint64_t bytes, events;
	bool chosen;
};

struct heat {
	struct part part[PARTS];
	int n; /* parts in use */
	uint64_t first, end, most;
	uint64_t live, used, size; /* bytes: of the fragments, handed out, of the whole cache */
	size_t fragments;
};

static void add(struct heat *h, uint64_t host, uint64_t bytes, uint64_t events, bool chosen)
{
	uint64_t span = h->end - h->first;
	int from = (int)((host - h->first) * (uint64_t)h->n / span);
	int to = (int)((host + bytes - 1 - h->first) * (uint64_t)h->n / span);

	for (int i = from; i <= to && i < h->n; i++) {
		h->part[i].bytes += bytes / (uint64_t)(to - from + 1);
		h->part[i].chosen |= chosen;
	}
	if (from < h->n)
		h->part[from].events += events;
}

/* A number by the column's index: searching the column by name in each row would dominate the cost. */
static uint64_t number(const struct table *k, size_t row, int col)
{
	return col < 0 ? 0 : k->vals[row * k->ncols + (size_t)col].u;
}

static void add_all(struct heat *h, const struct table *k, uint64_t chosen)
{
	int host = column_of(k, "host"), size = column_of(k, "size"), traps = column_of(k, "traps"),
	    callouts = column_of(k, "callouts");

	h->first = UINT64_MAX;
	for (size_t r = 0; r < k->nrows; r++) {
		uint64_t at = number(k, r, host), end = at + number(k, r, size);

		h->first = at < h->first ? at : h->first;
		h->end = end > h->end ? end : h->end;
		h->live += number(k, r, size);
	}
	for (size_t r = 0; r < k->nrows; r++)
		add(h, number(k, r, host), number(k, r, size), number(k, r, traps) + number(k, r, callouts),
		    number(k, r, host) == chosen);
}

static uint64_t counter(const struct table *tc, const char *name)
{
	for (size_t r = 0; tc && r < tc->nrows; r++)
		if (!strcmp(cell_str(tc, r, "name"), name))
			return cell_u(tc, r, "value");
	return 0;
}

static void fetch(struct pane *p, struct tui *t)
{
	(void)p;
	query(t, NULL, "info ccf");
	query(t, NULL, "info tc");
}

static void update(struct pane *p, struct tui *t)
{
	const struct table *k = query(t, NULL, "info ccf"), *tc = query(t, NULL, "info tc");
	struct heat *h = p->state;
	int w = p->area.w > 0 ? p->area.w : 78;

	memset(h, 0, sizeof(*h));
	h->n = w < PARTS ? w : PARTS;
	if (!k || !k->nrows)
		return;
	h->used = counter(tc, "tc_used");
	h->size = counter(tc, "tc_size");
	h->fragments = k->nrows;
	add_all(h, k, t->sel.has_ccf ? t->sel.ccf_host : 0);
	for (int i = 0; i < h->n; i++)
		h->most = h->part[i].events > h->most ? h->part[i].events : h->most;
}

/* Each step of heat is four times the previous one, because a few sites take most of the traps. */
enum style heat_style(uint64_t events, uint64_t most)
{
	int step = 6;

	if (!events)
		return ST_HEAT0;
	while (step > 1 && events * 4 <= most) {
		events *= 4;
		step--;
	}
	return (enum style)(ST_HEAT0 + step);
}

static void draw(struct pane *p, struct tui *t, const struct area *a)
{
	struct heat *h = p->state;
	uint64_t per = h->n ? (h->end - h->first) / (uint64_t)h->n : 0;

	(void)t;
	for (int i = 0; i < h->n && i < a->w; i++) {
		const struct part *q = &h->part[i];
		uint32_t ch = !q->bytes		       ? ' '
			      : q->bytes * 4 < per     ? 0x2591
			      : q->bytes * 2 < per     ? 0x2592
			      : q->bytes * 4 < per * 3 ? 0x2593
						       : 0x2588;

		area_char(a, i, 0, heat_style(q->events, h->most),
			  q->bytes && !q->events && ch == 0x2588 ? 0x2593 : ch);
		if (q->chosen)
			area_char(a, i, a->h > 1, ST_CHANGED, a->h > 1 ? 0x2191 : 0x25c6);
	}
}

static void heading(struct pane *p, struct tui *t, char *buf, size_t len)
{
	struct heat *h = p->state;

	(void)t;
	buf[0] = 0;
	if (h->fragments)
		snprintf(
		    buf, len,
		    "%zu fragments, KiB: %llu live, %llu handed out, %llu in all; bright: traps, callouts; %s: "
		    "selected",
		    h->fragments, (unsigned long long)h->live >> 10, (unsigned long long)h->used >> 10,
		    (unsigned long long)h->size >> 10, p->area.h > 1 ? "↑" : "◆");
}

/* A line for the strip, and one for the mark of what is selected. */
static int strip_need(const struct pane *p, const struct tui *t)
{
	(void)p;
	(void)t;
	return 2;
}

const struct pane_class pane_heat = {
	.name = "heat",
	.title = "Cache",
	.help = "the translation cache from end to end: how full it is, where traps and callouts come from",
	.size = sizeof(struct heat),
	.fetch = fetch,
	.update = update,
	.draw = draw,
	.need = strip_need,
	.heading = heading,
};
