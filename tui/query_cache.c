/* SPDX-License-Identifier: GPL-3.0-or-later
 * Looks: command lines executed for panes, their records kept while panes may hold on
 * to them. Two panes that look at the same share one result. */
#include "tui/tui_int.h"
#include "base/alloc.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

struct query {
	struct query *next;
	char *line;
	bool known;	/* it was fetched */
	unsigned round; /* when that was */
	unsigned used;	/* when it was asked for last */
	struct result r;
};

static struct query *query_find(struct tui *t, const char *line)
{
	for (struct query *l = t->queries; l; l = l->next)
		if (!strcmp(l->line, line))
			return l;
	return NULL;
}

static void fetch(struct tui *t, struct query *l)
{
	bool beside = inspect_running(t->s); /* nobody holds it: only live views are asked for */

	result_fini(&l->r);
	inspect_query(t->s, l->line, beside ? QUERY_LIVE : QUERY_PAUSE, &l->r);
	l->round = t->round;
	l->known = true;
}

const struct table *query(struct tui *t, const char **err, const char *fmt, ...)
{
	char line[600];
	struct query *l;
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(line, sizeof(line), fmt, ap);
	va_end(ap);
	l = query_find(t, line);
	if (!l) {
		l = xcalloc(1, sizeof(*l));
		l->line = xstrdup(line);
		result_init(&l->r);
		l->next = t->queries;
		t->queries = l;
	}
	if (!l->known || (l->round != t->round && !(t->reuse && l->round >= t->fetched)))
		fetch(t, l);
	l->used = t->round;
	if (err)
		*err = l->r.error;
	return l->r.first;
}

static void query_free(struct query *l)
{
	result_fini(&l->r);
	free(l->line);
	free(l);
}

void query_evict(struct tui *t)
{
	struct query **at = &t->queries;

	t->evicted = t->round;
	while (*at) {
		struct query *l = *at;

		if (l->used == t->round) {
			at = &l->next;
			continue;
		}
		*at = l->next;
		query_free(l);
	}
}

void query_free_all(struct tui *t)
{
	while (t->queries) {
		struct query *l = t->queries;

		t->queries = l->next;
		query_free(l);
	}
}

bool query_eval(struct tui *t, const char *text, uint64_t *val, const char **err)
{
	bool shown = strlen(text) == 8 && strspn(text, "0123456789abcdefABCDEF") == 8;
	const struct table *k = query(t, err, "print %s%s", shown ? "0x" : "", text);

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
