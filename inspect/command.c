/* SPDX-License-Identifier: GPL-3.0-or-later
 * Look-up of commands and splitting of arguments. Completion is in complete.c, help in cmd/session.c. */
#include "inspect/tables_int.h"
#include "base/alloc.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const struct command_group *const command_groups[] = {
	&cmd_run_group,	    &cmd_source_group,	 &cmd_point_group,	&cmd_examine_group,
	&cmd_display_group, &cmd_memory_group,	 &cmd_pages_group,	&cmd_policy_group,
	&cmd_virt_group,    &cmd_system_group,	 &cmd_translator_group, &cmd_adapt_group,
	&cmd_patch_group,   &cmd_input_group,	 &cmd_event_group,	&cmd_stack_group,
	&cmd_linux_group,   &cmd_transfer_group, &cmd_ports_group,	&cmd_screen_group,
	&cmd_state_group,   &cmd_hosted_group,	 &cmd_session_group,	NULL,
};

const struct command_group *command_group_at(const struct inspect *s, unsigned i)
{
	unsigned n = ARRAY_LEN(command_groups) - 1;

	if (i < n)
		return command_groups[i];
	for (unsigned k = 0; k < s->naddons; k++)
		if (s->addons[k]->commands && i == n++)
			return s->addons[k]->commands;
	return NULL;
}

void inspect_add(struct inspect *s, const struct inspect_addon *addon)
{
	if (s->naddons == MAX_ADDONS)
		abort(); /* a bug of ours: only the composition root adds them */
	s->addons[s->naddons++] = addon;
}

void *inspect_addon_owner(const struct inspect *s, const struct command_group *group)
{
	for (unsigned k = 0; k < s->naddons; k++)
		if (s->addons[k]->commands == group)
			return s->addons[k]->owner;
	return NULL;
}

/* Is WORD one of the blank-separated aliases? */
static bool in_aliases(const char *aliases, const char *word, size_t len)
{
	for (const char *p = aliases ? aliases : ""; *p;) {
		size_t n = strcspn(p, " ");

		if (n == len && !memcmp(p, word, len))
			return true;
		p += n + strspn(p + n, " ");
	}
	return false;
}

/* Has an add-on a command that takes the place of C? */
static bool is_replaced(const struct inspect *s, const struct command *c)
{
	for (unsigned k = 0; k < s->naddons; k++)
		if (s->addons[k]->commands)
			for (const struct command *at = s->addons[k]->commands->commands; at->name; at++)
				if (at != c && !strcmp(at->name, c->name))
					return true;
	return false;
}

static const struct command *find_exact(const struct inspect *s, const char *word, size_t len)
{
	FOR_EACH_COMMAND(s, c)
	if (((strlen(c->name) == len && !memcmp(c->name, word, len)) || in_aliases(c->aliases, word, len)) &&
	    !is_replaced(s, c))
		return c;
	return NULL;
}

bool command_offered(const struct inspect *s, const struct command *c)
{
	return engine_has(s, command_needs(c)) && !is_replaced(s, c);
}

bool command_reaches_files(const struct command *c, int argc, char **argv)
{
	static const char *const words[] = {
		"file", "load", "save", "start", "sources", "types", "programs"
	};

	for (int i = 0; (c->flags & CMD_FILES_BY_WORD) && i < argc; i++)
		for (size_t w = 0; w < ARRAY_LEN(words); w++)
			if (!strcmp(argv[i], words[w]))
				return true;
	return c->flags & CMD_FILES;
}

const struct command *command_find(const struct inspect *s, const char *word, size_t len, char *why,
				   size_t whylen)
{
	const struct command *found = find_exact(s, word, len);
	unsigned fits = 0;
	size_t n;

	if (found || !len) {
		snprintf(why, whylen, "expected a command");
		return found;
	}
	n = (size_t)snprintf(why, whylen, "'%.*s' is ambiguous:", (int)len, word);
	FOR_EACH_COMMAND(s, c)
	{
		if (strncmp(c->name, word, len) || !command_offered(s, c))
			continue;
		found = c;
		fits++;
		if (n < whylen)
			n += (size_t)snprintf(why + n, whylen - n, " %s", c->name);
	}
	if (fits == 1)
		return found;
	if (!fits)
		snprintf(why, whylen, "no command '%.*s' (try help)", (int)(len < 40 ? len : 40), word);
	return NULL;
}

/* ---- arguments ---- */

static int hex_digit(char c)
{
	if (isdigit((unsigned char)c))
		return c - '0';
	c |= 32;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* Decode the escape at *P, behind the backslash. */
static char escaped(const char **p)
{
	static const char names[] = "nrteab0", chars[] = "\n\r\t\033\a\b";
	const char *at;
	char c = **p;
	int v = 0;

	(*p)++;
	if (c == 'x' && hex_digit(**p) >= 0) {
		for (int i = 0; i < 2 && hex_digit(**p) >= 0; i++)
			v = v * 16 + hex_digit(*(*p)++);
		return (char)v;
	}
	at = strchr(names, c);
	return at ? chars[at - names] : c;
}

/* Copy one argument from *P to *OUT. False: a quote is not closed. */
static bool take_argument(const char **p, char **out)
{
	char quote = 0;

	for (; **p && (quote || !isspace((unsigned char)**p));) {
		char c = *(*p)++;

		if (quote ? c == quote : c == '"' || c == '\'')
			quote = quote ? 0 : c;
		else if (c == '\\' && quote == '"' && **p)
			*(*out)++ = escaped(p);
		else
			*(*out)++ = c;
	}
	*(*out)++ = 0;
	return !quote;
}

char **command_split(const char *rest, int *argc, char *why, size_t whylen)
{
	/* one block: the pointers, then the text, which is at most as long as REST */
	size_t most = strlen(rest) / 2 + 2;
	char **argv = xmalloc(most * sizeof(*argv) + strlen(rest) + most);
	char *out;

	out = (char *)(argv + most);
	*argc = 0;
	for (;;) {
		rest += strspn(rest, " \t\r\n\v\f");
		if (!*rest)
			break;
		argv[(*argc)++] = out;
		if (!take_argument(&rest, &out)) {
			snprintf(why, whylen, "a quote is not closed");
			free(argv);
			return NULL;
		}
	}
	argv[*argc] = NULL;
	return argv;
}

void command_free_args(char **argv)
{
	free(argv);
}
