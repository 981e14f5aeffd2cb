/* SPDX-License-Identifier: GPL-3.0-or-later
 * Looks: command lines executed for panes, their records kept while panes may hold on
 * to them. Two panes that look at the same share one result. */
#include "tui/tui_int.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

struct look {
	struct look *next;
	char *line;
	bool known;	/* it was fetched */
	unsigned round; /* when that was */
	unsigned used;	/* when it was asked for last */
	struct result r;
};

static struct look *look_find(struct tui *t, const char *line)
{
	for (struct look *l = t->looks; l; l = l->next)
		if (!strcmp(l->line, line))
			return l;
	return NULL;
}

static void fetch(struct tui *t, struct look *l)
{
	bool beside = inspect_running(t->s); /* nobody holds it: only live views are asked for */

	result_fini(&l->r);
	inspect_peek(t->s, l->line, beside ? PEEK_LIVE : PEEK_PAUSE, &l->r);
	l->round = t->round;
	l->known = true;
}

const struct table *look(struct tui *t, const char **err, const char *fmt, ...)
{
	char line[600];
	struct look *l;
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(line, sizeof(line), fmt, ap);
	va_end(ap);
	l = look_find(t, line);
	if (!l) {
		l = calloc(1, sizeof(*l));
		if (!l)
			abort();
		l->line = strdup(line);
		result_init(&l->r);
		l->next = t->looks;
		t->looks = l;
	}
	if (!l->known || (l->round != t->round && !(t->reuse && l->round >= t->fetched)))
		fetch(t, l);
	l->used = t->round;
	if (err)
		*err = l->r.error;
	return l->r.first;
}

static void free_look(struct look *l)
{
	result_fini(&l->r);
	free(l->line);
	free(l);
}

void look_evict(struct tui *t)
{
	struct look **at = &t->looks;

	t->evicted = t->round;
	while (*at) {
		struct look *l = *at;

		if (l->used == t->round) {
			at = &l->next;
			continue;
		}
		*at = l->next;
		free_look(l);
	}
}

void look_free_all(struct tui *t)
{
	while (t->looks) {
		struct look *l = t->looks;

		t->looks = l->next;
		free_look(l);
	}
}

bool look_eval(struct tui *t, const char *text, uint64_t *val, const char **err)
{
	bool shown = strlen(text) == 8 && strspn(text, "0123456789abcdefABCDEF") == 8;
	const struct table *k = look(t, err, "print %s%s", shown ? "0x" : "", text);

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
