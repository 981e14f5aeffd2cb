/* SPDX-License-Identifier: GPL-3.0-or-later
 * See rates.h. */
#include "tui/rates.h"
#include "base/alloc.h"

#include <stdlib.h>
#include <string.h>

static const int64_t SAMPLE_NS = 400 * 1000 * 1000;

void rates_init(struct rates *r)
{
	*r = (struct rates){ .slot = xcalloc(2 * RATES_MAX, sizeof(*r->slot)) };
}

void rates_fini(struct rates *r)
{
	free(r->series);
	free(r->slot);
}

bool rates_sample(struct rates *r, int64_t now, bool runs, double *seconds)
{
	if (r->ran && r->sampled && now - r->sampled < SAMPLE_NS)
		return false;
	*seconds = r->ran && r->sampled ? (double)(now - r->sampled) / 1e9 : 0;
	r->sampled = now;
	r->ran = runs;
	return true;
}

/* The slot that NAME has or would get. */
static uint16_t *slot_of(const struct rates *r, const char *name)
{
	uint32_t h = 2166136261u; /* FNV-1a */

	for (const char *p = name; *p; p++)
		h = (h ^ (uint8_t)*p) * 16777619u;
	for (;; h++) {
		uint16_t *at = &r->slot[h % (2 * RATES_MAX)];

		if (!*at || !strcmp(r->series[*at - 1].name, name))
			return at;
	}
}

static struct series *find(const struct rates *r, const char *name)
{
	uint16_t at = *slot_of(r, name);

	return at ? &r->series[at - 1] : NULL;
}

const struct series *rates_find(const struct rates *r, const char *name)
{
	return find(r, name);
}

static struct series *add(struct rates *r, const char *name)
{
	struct series *e;

	if (r->n == RATES_MAX)
		return NULL;
	if (r->n == r->cap) {
		r->cap = r->cap ? r->cap * 2 : 32;
		r->series = xreallocarray(r->series, (size_t)r->cap, sizeof(*r->series));
	}
	e = &r->series[r->n++];
	*e = (struct series){ 0 };
	snprintf(e->name, sizeof(e->name), "%s", name);
	*slot_of(r, e->name) = (uint16_t)r->n;
	return e;
}

static void push(struct series *e, float value)
{
	memmove(e->rate + 1, e->rate, (RATES_HISTORY - 1) * sizeof(*e->rate));
	e->rate[0] = value;
	e->n += e->n < RATES_HISTORY;
}

void rates_put(struct rates *r, const char *name, double value)
{
	struct series *e = find(r, name);

	if (e || (e = add(r, name)))
		push(e, (float)value);
}

void rates_add(struct rates *r, const char *name, uint64_t count, double seconds)
{
	struct series *e = find(r, name);

	if (!e && !(e = add(r, name)))
		return;
	if (e->seen && seconds > 0)
		push(e, count >= e->last ? (float)((double)(count - e->last) / seconds) : 0);
	e->last = count;
	e->seen = true;
}

void rates_text(const struct series *e, char *buf, size_t len)
{
	double r = e && e->n ? e->rate[0] : 0;

	if (!e || !e->n)
		snprintf(buf, len, "-");
	else if (r >= 1e7)
		snprintf(buf, len, "%.1fM", r / 1e6);
	else if (r >= 1e5)
		snprintf(buf, len, "%.0fk", r / 1e3);
	else
		snprintf(buf, len, "%.*f", r > 0 && r < 10 ? 1 : 0, r);
}

void rates_draw(const struct series *e, const struct area *a, int x, int y, int w, enum style st)
{
	double most = 0;

	for (int i = 0; e && i < e->n && i < w; i++)
		most = e->rate[i] > most ? e->rate[i] : most;
	for (int i = 0; e && i < e->n && i < w; i++)
		area_char(a, x + w - 1 - i, y, st, spark_char(e->rate[i], most));
}
