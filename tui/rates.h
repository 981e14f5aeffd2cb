/* SPDX-License-Identifier: GPL-3.0-or-later
 * Rates of counters and their history, by the counter's name. Only time during which the guest
 * ran counts. No dependencies but memory. */
#ifndef TUI_RATES_H
#define TUI_RATES_H
#include "tui/canvas.h"

enum { RATES_MAX = 2048, RATES_HISTORY = 120, RATES_NAME = 40 };

struct series {
	char name[RATES_NAME];
	uint64_t last;
	float rate[RATES_HISTORY]; /* per second; the newest first */
	int n;
	bool seen;
};

struct rates {
	struct series *series;
	int n, cap;
	uint16_t *slot;	 /* hash table of 2 * RATES_MAX: index in SERIES + 1; 0: free */
	int64_t sampled; /* ns; 0: never */
	bool ran;	 /* at the last sample */
};

void rates_init(struct rates *r);
void rates_fini(struct rates *r);
/* Begin a sample at NOW (ns). False: it is too early. SECONDS: since the last sample; 0: no rate can be
 * computed. */
bool rates_sample(struct rates *r, int64_t now, bool runs, double *seconds);
void rates_add(struct rates *r, const char *name, uint64_t count, double seconds);
/* Note a VALUE as it is, for a history of what does not count. */
void rates_put(struct rates *r, const char *name, double value);
const struct series *rates_find(const struct rates *r, const char *name); /* NULL: unknown */
/* The newest rate, in at most 8 characters; "-" when there is none. E may be NULL. */
void rates_text(const struct series *e, char *buf, size_t len);
/* The history in W cells, the newest at the right. */
void rates_draw(const struct series *e, const struct area *a, int x, int y, int w, enum style st);
#endif
