/* SPDX-License-Identifier: GPL-3.0-or-later
 * Completion of what follows "vm NAME" in a host's session: NAME's session knows its commands, views, symbols
 * and registers, and is asked. */
#include "host/host_int.h"

#include <stdio.h>
#include <string.h>

enum { WORDS = 3 };

/* The first words of LINE before START. Returns how many there are, at most WORDS; *BEHIND: where what
 * follows the second one begins. */
static int words_of(const char *line, size_t start, char word[WORDS][RUNTIME_NAME], size_t *behind)
{
	size_t at = 0, len;
	int n = 0;

	for (; n < WORDS; n++) {
		at += strspn(line + at, " \t");
		if (n == 2)
			*behind = at < start ? at : start;
		len = strcspn(line + at, " \t");
		if (at + len >= start)
			break;
		snprintf(word[n], RUNTIME_NAME, "%.*s", (int)len, line + at);
		at += len;
	}
	if (n == 2)
		*behind = at < start ? at : start;
	return n;
}

enum completion host_complete(void *owner, const struct command *c, const char *line, size_t start,
			      size_t end, void (*found)(void *ctx, const char *text), void *ctx)
{
	char word[WORDS][RUNTIME_NAME] = { "" };
	size_t behind = start;
	struct host_vm *vm;
	int n = words_of(line, start, word, &behind);

	if (strcmp(c->name, "vm") || n < 2)
		return COMPLETION_MINE_NOT;
	if (!strcmp(word[1], "start"))
		return n > 2 ? COMPLETION_FILES : COMPLETION_DONE;
	vm = vm_find(owner, word[1]);
	if (!vm || !vm->lived)
		return COMPLETION_MINE_NOT;
	return remote_complete(vm, line + behind, start - behind, end - behind, found, ctx);
}
