/* SPDX-License-Identifier: GPL-3.0-or-later
 * The list of points. run.c keeps the engine's points in step with it. */
#include "inspect/points.h"
#include "base/alloc.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void free_parts(struct point *p)
{
	free(p->cond);
	free(p->extra);
	free(p->commands);
	free(p->trace);
}

void points_fini(struct points *t)
{
	for (size_t i = 0; i < t->count; i++)
		free_parts(&t->list[i]);
	free(t->list);
	*t = (struct points){ 0 };
}

struct point *points_add(struct points *t, gva addr, bool temporary, const char *cond)
{
	struct point *p;

	t->list = xreallocarray(t->list, t->count + 1, sizeof(*t->list));
	p = &t->list[t->count++];
	*p = (struct point){ .number = ++t->last_number,
			     .addr = addr,
			     .len = 1,
			     .enabled = true,
			     .temporary = temporary,
			     .cond = cond ? xstrdup(cond) : NULL };
	return p;
}

struct point *points_find(struct points *t, unsigned number)
{
	for (size_t i = 0; i < t->count; i++)
		if (t->list[i].number == number)
			return &t->list[i];
	return NULL;
}

struct point *points_of(struct points *t, const struct point_owner *owner, enum point_kind kind,
			bool physical, gva addr, uint64_t len)
{
	for (size_t i = 0; i < t->count; i++) {
		struct point *p = &t->list[i];

		if (p->owner == owner && p->kind == kind && p->physical == physical && p->addr == addr &&
		    p->len == len)
			return p;
	}
	return NULL;
}

void points_delete(struct points *t, unsigned number)
{
	struct point *p = points_find(t, number);

	if (!p)
		return;
	free_parts(p);
	memmove(p, p + 1, (size_t)(t->list + t->count - (p + 1)) * sizeof(*p));
	t->count--;
}

/* Take a word, or a text in quotes, from the start of *TEXT. */
static void take_word(const char **text, char *word, size_t size)
{
	const char *quote = **text == '"' || **text == '\'' ? *text : NULL;
	size_t n;

	*text += quote != NULL;
	n = quote ? strcspn(*text, quote[0] == '"' ? "\"" : "'") : strcspn(*text, " \t");
	snprintf(word, size, "%.*s", (int)n, *text);
	*text += n;
	*text += quote && **text;
	*text += strspn(*text, " \t");
}

bool point_task(const char **cond, char *name, size_t size)
{
	const char *text = *cond;

	if (strncmp(text, "task", 4) || !strchr(" \t", text[4]) || !text[4])
		return false;
	text += 4 + strspn(text + 4, " \t");
	take_word(&text, name, size);
	if (!name[0])
		return false;
	if (!strncmp(text, "if", 2) && (strchr(" \t(", text[2]) || !text[2]))
		text += 2 + strspn(text + 2, " \t");
	else if (*text)
		return false;
	*cond = text;
	return true;
}

bool points_at(const struct points *t, bool physical, uint64_t addr)
{
	for (size_t i = 0; i < t->count; i++) {
		const struct point *p = &t->list[i];

		if (p->enabled && p->addr == addr && p->physical == physical && point_is_code(p))
			return true;
	}
	return false;
}
