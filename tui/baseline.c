/* SPDX-License-Identifier: GPL-3.0-or-later
 * See baseline.h. Rows are found by a hash of their key: the table of fragments has tens of thousands. */
#include "tui/baseline.h"
#include "base/alloc.h"

#include <stdlib.h>
#include <string.h>

struct baseline_row {
	uint64_t hash;
	double v[BASELINE_COLS];
};

static uint64_t hash_of(const char *name)
{
	uint64_t h = 0xcbf29ce484222325; /* FNV-1a */

	for (; *name; name++)
		h = (h ^ (uint8_t)*name) * 0x100000001b3;
	return h;
}

void baseline_fini(struct baseline *b)
{
	free(b->rows);
	*b = (struct baseline){ 0 };
}

void baseline_add(struct baseline *b, const char *name, const double v[BASELINE_COLS])
{
	if (b->n == b->cap) {
		b->cap = b->cap ? b->cap * 2 : 64;
		b->rows = xreallocarray(b->rows, b->cap, sizeof(*b->rows));
	}
	b->rows[b->n].hash = hash_of(name);
	memcpy(b->rows[b->n++].v, v, sizeof(b->rows[0].v));
}

static int by_hash(const void *x, const void *y)
{
	const struct baseline_row *a = x, *b = y;

	return (a->hash > b->hash) - (a->hash < b->hash);
}

void baseline_sort(struct baseline *b)
{
	if (b->n)
		qsort(b->rows, b->n, sizeof(*b->rows), by_hash);
}

const double *baseline_find(const struct baseline *b, const char *name)
{
	struct baseline_row want = { .hash = hash_of(name) };
	const struct baseline_row *at =
	    b->n ? bsearch(&want, b->rows, b->n, sizeof(*b->rows), by_hash) : NULL;

	return at ? at->v : NULL;
}
