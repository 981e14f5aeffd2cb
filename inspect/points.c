/* SPDX-License-Identifier: GPL-3.0-or-later
 * The list of breakpoints. Telling the engine is run.c's part. */
#include "inspect/points.h"

#include <stdlib.h>
#include <string.h>

void points_fini(struct points *t)
{
	for (size_t i = 0; i < t->count; i++)
		free(t->list[i].cond);
	free(t->list);
	*t = (struct points){ 0 };
}

struct point *points_add(struct points *t, gva addr, bool temporary, const char *cond)
{
	struct point *p;

	t->list = reallocarray(t->list, t->count + 1, sizeof(*t->list));
	if (!t->list)
		abort();
	p = &t->list[t->count++];
	*p = (struct point){ .number = ++t->last_number,
			     .addr = addr,
			     .enabled = true,
			     .temporary = temporary,
			     .cond = cond ? strdup(cond) : NULL };
	return p;
}

struct point *points_find(struct points *t, unsigned number)
{
	for (size_t i = 0; i < t->count; i++)
		if (t->list[i].number == number)
			return &t->list[i];
	return NULL;
}

void points_delete(struct points *t, unsigned number)
{
	struct point *p = points_find(t, number);

	if (!p)
		return;
	free(p->cond);
	memmove(p, p + 1, (size_t)(t->list + t->count - (p + 1)) * sizeof(*p));
	t->count--;
}

bool points_at(const struct points *t, gva addr)
{
	for (size_t i = 0; i < t->count; i++)
		if (t->list[i].enabled && t->list[i].addr == addr)
			return true;
	return false;
}
