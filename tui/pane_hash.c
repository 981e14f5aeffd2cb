/* SPDX-License-Identifier: GPL-3.0-or-later
 * The hash table of page contents as a strip, from the first bucket to the last: how many entries each part
 * has, and how many pages its frames save. Below it, or beside the contents, the chain of one bucket. */
#include "tui/panes.h"
#include "tui/tui_int.h"

#include <string.h>

enum { PARTS = 512, MAX_CHAIN = 64 };

struct part {
	uint64_t entries, refs;
	bool chosen;
};

struct strip {
	struct part part[PARTS];
	int n;
	uint64_t buckets, frames, hints, pages, longest, most, fullest;
	const char *error;
};

/* A number by the column's index: the table may have very many rows. */
static uint64_t number(const struct table *k, size_t row, int col)
{
	const struct value *v = col < 0 ? NULL : &k->vals[row * k->ncols + (size_t)col];

	return v && v->type != VAL_NONE ? v->u : 0;
}

static void add_entry(struct strip *h, uint64_t bucket, uint64_t refs, bool chosen)
{
	struct part *q = &h->part[bucket * (uint64_t)h->n / h->buckets];

	q->entries++;
	q->refs += refs;
	q->chosen |= chosen;
	h->pages += refs;
	h->frames += refs > 0;
	h->hints += !refs;
}

static void fetch_contents(struct pane *p, struct tui *t)
{
	(void)p;
	query(t, NULL, "info share");
}

static void update_strip(struct pane *p, struct tui *t)
{
	struct strip *h = p->state;
	const struct table *k = query(t, NULL, "info share");
	int bucket = k ? column_of(k, "bucket") : -1, refs = k ? column_of(k, "refs") : -1;
	uint64_t last = UINT64_MAX, run = 0;
	int w = p->area.w > 0 ? p->area.w : 78;

	memset(h, 0, sizeof(*h));
	query(t, &h->error, "info share");
	h->n = w < PARTS ? w : PARTS;
	if (bucket < 0)
		return;
	for (size_t r = 0; r < k->nrows; r++)
		h->buckets = number(k, r, bucket) >= h->buckets ? number(k, r, bucket) + 1 : h->buckets;
	for (size_t r = 0; r < k->nrows; r++) { /* the view is in the order of buckets */
		uint64_t at = number(k, r, bucket);

		run = at == last ? run + 1 : 1;
		last = at;
		h->longest = run > h->longest ? run : h->longest;
		add_entry(h, at, number(k, r, refs), t->sel.has_content && at == t->sel.bucket);
	}
	for (int i = 0; i < h->n; i++) {
		h->most = h->part[i].refs > h->most ? h->part[i].refs : h->most;
		h->fullest = h->part[i].entries > h->fullest ? h->part[i].entries : h->fullest;
	}
}

static void draw_strip(struct pane *p, struct tui *t, const struct area *a)
{
	static const uint32_t fill[] = { 0x2591, 0x2592, 0x2593, 0x2588 };
	const struct strip *h = p->state;

	(void)t;
	if (!h->frames && !h->hints) {
		area_wrap(a, 0, ST_DIM,
			  h->error ? query_reason(h->error) : "no content is known yet: :share all");
		return;
	}
	for (int i = 0; i < h->n && i < a->w; i++) {
		const struct part *q = &h->part[i];

		if (q->entries)
			area_char(a, i, 0, heat_style(q->refs, h->most),
				  fill[(q->entries * 4 - 1) / h->fullest]);
		if (q->chosen)
			area_char(a, i, a->h > 1, ST_CHANGED, a->h > 1 ? 0x2191 : 0x25c6);
	}
}

static void strip_heading(struct pane *p, struct tui *t, char *buf, size_t len)
{
	const struct strip *h = p->state;

	(void)t;
	buf[0] = 0;
	if (h->frames || h->hints)
		snprintf(
		    buf, len,
		    "%llu pages on %llu frames, %llu hints, chains up to %llu; bright: shared; %s: selected",
		    (unsigned long long)h->pages, (unsigned long long)h->frames, (unsigned long long)h->hints,
		    (unsigned long long)h->longest, p->area.h > 1 ? "↑" : "◆");
}

/* A line for the strip, and one for the mark of what is selected. */
static int strip_need(const struct pane *p, const struct tui *t)
{
	(void)p;
	(void)t;
	return 2;
}

const struct pane_class pane_hash = {
	.name = "hash",
	.title = "Hash table",
	.help = "the hash table of page contents from end to end: entries, and where pages are shared",
	.size = sizeof(struct strip),
	.fetch = fetch_contents,
	.update = update_strip,
	.draw = draw_strip,
	.need = strip_need,
	.heading = strip_heading,
};

/* ---- the chain of the selected content ---- */

struct chain {
	struct link {
		char kind[12];
		uint64_t page, hash, refs;
	} link[MAX_CHAIN];
	int n, total, top;
	uint64_t bucket;
	bool known;
};

static void update_chain(struct pane *p, struct tui *t)
{
	struct chain *c = p->state;
	const struct table *k = t->sel.has_content ? query(t, NULL, "info share") : NULL;
	int bucket = k ? column_of(k, "bucket") : -1;

	c->n = c->total = 0;
	c->known = bucket >= 0;
	c->bucket = t->sel.bucket;
	for (size_t r = 0; c->known && r < k->nrows; r++) {
		struct link *l;

		if (number(k, r, bucket) != c->bucket)
			continue;
		c->total++;
		if (c->n == MAX_CHAIN)
			continue;
		l = &c->link[c->n++];
		snprintf(l->kind, sizeof(l->kind), "%s", cell_str(k, r, "kind"));
		l->page = cell_u(k, r, "page");
		l->hash = cell_u(k, r, "hash");
		l->refs = cell_u(k, r, "refs");
	}
}

static void draw_chain(struct pane *p, struct tui *t, const struct area *a)
{
	const struct chain *c = p->state;

	if (!c->known)
		area_put(a, 0, 0, ST_DIM, "choose a content: its chain is here");
	for (int i = 0; i < a->h && c->top + i < c->n; i++) {
		const struct link *l = &c->link[c->top + i];
		bool sel = l->hash == t->sel.hash;
		int x = area_put(a, 0, i, ST_DIM, c->top + i ? "→ " : "  ");

		x = area_field(a, x, i, 6, sel ? ST_CHANGED : ST_NAME, l->kind);
		x = area_printf(a, x, i, sel ? ST_CHANGED : ST_ADDR, "%8llx ", (unsigned long long)l->page);
		x = area_printf(a, x, i, sel ? ST_CHANGED : ST_VALUE, "%016llx", (unsigned long long)l->hash);
		if (l->refs)
			area_printf(a, x, i, ST_DIM, " ×%llu", (unsigned long long)l->refs);
	}
}

static void chain_heading(struct pane *p, struct tui *t, char *buf, size_t len)
{
	const struct chain *c = p->state;

	(void)t;
	buf[0] = 0;
	if (c->known)
		snprintf(buf, len, "of bucket %llu: %d", (unsigned long long)c->bucket, c->total);
}

static bool chain_key(struct pane *p, struct tui *t, int k)
{
	struct chain *c = p->state;

	(void)t;
	return scroll_key(&c->top, k, c->n, p->area.h);
}

static int chain_need(const struct pane *p, const struct tui *t)
{
	const struct chain *c = p->state;

	(void)t;
	return c->n > 4 ? c->n : 4;
}

const struct pane_class pane_chain = {
	.name = "chain",
	.title = "Chain",
	.help = "the entries in the bucket of the content under the cursor",
	.size = sizeof(struct chain),
	.fetch = fetch_contents,
	.update = update_chain,
	.draw = draw_chain,
	.need = chain_need,
	.heading = chain_heading,
	.key = chain_key,
	.mouse = wheel_keys,
};
