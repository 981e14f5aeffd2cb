/* SPDX-License-Identifier: GPL-3.0-or-later
 * See journal.h. */
#include "tui/journal.h"
#include "base/alloc.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void journal_fini(struct journal *j)
{
	for (size_t i = 0; i < JOURNAL_LINES; i++)
		free(j->line[i]);
	*j = (struct journal){ 0 };
}

static void add_line(struct journal *j, const char *prefix, const char *text, size_t n)
{
	char **at = &j->line[j->count++ % JOURNAL_LINES];

	free(*at);
	*at = xasprintf("%s%.*s", prefix, (int)n, text);
}

void journal_add(struct journal *j, const char *prefix, const char *text)
{
	while (*text) {
		size_t n = strcspn(text, "\n");

		add_line(j, prefix, text, n);
		text += n + (text[n] == '\n');
	}
}

char *journal_text(const struct journal *j)
{
	uint64_t n = j->count > JOURNAL_LINES ? j->count - JOURNAL_LINES : 0;
	char *text = NULL;
	size_t len = 0;
	FILE *f = xmemstream(&text, &len);

	for (; n < j->count; n++)
		fprintf(f, "%s\n", j->line[n % JOURNAL_LINES]);
	fclose(f);
	return text;
}
