/* SPDX-License-Identifier: GPL-3.0-or-later
 * Completions of a word, in the form that readline expects. */
#include "console/console_int.h"
#include "base/alloc.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <readline/readline.h>

void completion_add(void *ctx, const char *text)
{
	struct completions *w = ctx;

	w->list = xreallocarray(w->list, w->count + 2, sizeof(*w->list));
	w->list[w->count++] = xstrdup(text);
	w->list[w->count] = NULL;
}

/* The common prefix, which readline expects at the head of the list. */
static char *common_prefix(const struct completions *w)
{
	size_t n = strlen(w->list[0]);

	for (size_t i = 1; i < w->count; i++)
		for (size_t k = 0; k < n; k++)
			if (w->list[i][k] != w->list[0][k])
				n = k;
	return xstrndup(w->list[0], n);
}

char **completion_for_readline(struct completions *w)
{
	char *first;

	if (w->count == 1 && w->list[0][0] && w->list[0][strlen(w->list[0]) - 1] == '=')
		rl_completion_suppress_append = 1;
	if (w->count < 2) /* a single word is its own prefix */
		return w->list;
	first = common_prefix(w);
	completion_add(w, "");
	free(w->list[w->count - 1]);
	memmove(w->list + 1, w->list, (w->count - 1) * sizeof(*w->list));
	w->list[0] = first;
	return w->list;
}
