/* SPDX-License-Identifier: GPL-3.0-or-later
 * See query_cache.h. */
#include "tui/query_cache.h"
#include "base/address.h"
#include "tui/tui_int.h"
#include "base/alloc.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

struct query {
	struct query *next;
	char *line;
	bool known;	/* RESULT was fetched, */
	unsigned round; /* in that round */
	unsigned used;	/* the round in which it was last asked for */
	struct result result;
};

static struct query *find(const struct query_cache *c, const char *line)
{
	for (struct query *q = c->first; q; q = q->next)
		if (!strcmp(q->line, line))
			return q;
	return NULL;
}

static struct query *add(struct query_cache *c, const char *line)
{
	struct query *q = xcalloc(1, sizeof(*q));

	q->line = xstrdup(line);
	result_init(&q->result);
	q->next = c->first;
	c->first = q;
	return q;
}

static bool is_recent(const struct query_cache *c, const struct query *q)
{
	return q->known && (q->round == c->round || (c->reuse && q->round >= c->fetched));
}

static void fetch(struct tui *t, struct query *q)
{
	bool beside = inspect_running(t->s); /* it is not held: only live views are asked for */

	result_fini(&q->result);
	inspect_query(t->s, q->line, beside ? QUERY_LIVE : QUERY_PAUSE, &q->result);
	q->round = t->queries.round;
	q->known = true;
}

const struct table *query(struct tui *t, const char **err, const char *fmt, ...)
{
	char line[600];
	struct query *q;
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(line, sizeof(line), fmt, ap);
	va_end(ap);
	q = find(&t->queries, line);
	if (!q)
		q = add(&t->queries, line);
	if (!is_recent(&t->queries, q))
		fetch(t, q);
	q->used = t->queries.round;
	if (err)
		*err = q->result.error;
	return q->result.first;
}

const char *query_reason(const char *error)
{
	const char *colon = strstr(error, ": ");

	return colon && colon - error < 24 ? colon + 2 : error;
}

void query_new_round(struct tui *t)
{
	t->queries.round++;
}

static void query_free(struct query *q)
{
	result_fini(&q->result);
	free(q->line);
	free(q);
}

void query_evict(struct tui *t)
{
	struct query **at = &t->queries.first;

	t->queries.evicted = t->queries.round;
	while (*at) {
		struct query *q = *at;

		if (q->used == t->queries.round) {
			at = &q->next;
			continue;
		}
		*at = q->next;
		query_free(q);
	}
}

void query_free_all(struct tui *t)
{
	while (t->queries.first) {
		struct query *q = t->queries.first;

		t->queries.first = q->next;
		query_free(q);
	}
}

bool query_eval(struct tui *t, const char *text, uint64_t *val, const char **err)
{
	const struct table *k = query(t, err, "print %s%s", address_is_text(text) ? "0x" : "", text);

	if (!k || !k->nrows)
		return false;
	*val = cell_u(k, 0, "hex");
	return true;
}

int column_of(const struct table *t, const char *name)
{
	for (unsigned c = 0; t && c < t->ncols; c++)
		if (!strcmp(t->cols[c].name, name))
			return (int)c;
	return -1;
}

const struct value *cell(const struct table *t, size_t row, const char *name)
{
	int c = column_of(t, name);
	const struct value *v;

	if (c < 0 || row >= t->nrows)
		return NULL;
	v = &t->vals[row * t->ncols + (size_t)c];
	return v->type == VAL_NONE ? NULL : v;
}

const char *cell_str(const struct table *t, size_t row, const char *name)
{
	const struct value *v = cell(t, row, name);

	return v && v->type == VAL_STR ? v->s : "";
}

uint64_t cell_u(const struct table *t, size_t row, const char *name)
{
	const struct value *v = cell(t, row, name);

	return v && v->type != VAL_STR && v->type != VAL_REAL ? v->u : 0;
}
