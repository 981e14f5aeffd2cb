/* SPDX-License-Identifier: GPL-3.0-or-later
 * See peers.h. A line is translated as text, before its command is looked up. */
#include "inspect/peers.h"
#include "base/alloc.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const struct peer_name peer_names[] = {
#define PEER(name, whose, args, means) { name, whose, args, means },
#include "inspect/cmd/peers.def"
#undef PEER
	{ 0 },
};

static const char blanks[] = " \t";

/* Is WORD, of N bytes, the first word of LINE? Then return what follows it; a format may follow directly. */
static const char *behind_word(const char *line, const char *word, size_t n)
{
	if (strncmp(line, word, n) || (line[n] && !strchr(" \t/", line[n])))
		return NULL;
	return line + n;
}

/* What follows P's name in LINE, with the format at *FMT; NULL: LINE is another command. */
static const char *behind_name(const struct peer_name *p, const char *line, const char **fmt, size_t *nfmt)
{
	size_t n = strcspn(p->name, blanks);
	const char *rest = behind_word(line, p->name, n);

	if (!rest)
		return NULL;
	*fmt = rest;
	*nfmt = *rest == '/' ? strcspn(rest, blanks) : 0;
	rest += *nfmt;
	rest += strspn(rest, blanks);
	if (!p->name[n])
		return rest;
	rest = behind_word(rest, p->name + n + 1, strlen(p->name + n + 1));
	return rest ? rest + strspn(rest, blanks) : NULL;
}

const struct peer_name *peer_find(const char *line)
{
	const char *fmt;
	size_t n;

	for (const struct peer_name *p = peer_names; p->name; p++)
		if (behind_name(p, line, &fmt, &n))
			return p;
	return NULL;
}

/* The length of the argument at TEXT; quotes hold blanks. */
static size_t argument(const char *text)
{
	char quote = 0;
	size_t n;

	for (n = 0; text[n] && (quote || !strchr(blanks, text[n])); n++) {
		if (quote ? text[n] == quote : text[n] == '"' || text[n] == '\'')
			quote = quote ? 0 : text[n];
	}
	return n;
}

/* Argument N (from 1 on) of REST, *LEN bytes; NULL: there is none. */
static const char *argument_at(const char *rest, unsigned n, size_t *len)
{
	for (;; rest += *len, rest += strspn(rest, blanks)) {
		*len = argument(rest);
		if (!*len)
			return NULL;
		if (!--n)
			return rest;
	}
}

/* The highest number of a place in MEANS; *ALL: there is one for the rest. */
static unsigned places(const char *means, bool *all)
{
	unsigned most = 0;

	*all = false;
	for (const char *p = means; (p = strchr(p, '{')); p++) {
		if (p[1] == '*')
			*all = true;
		else if (p[1] >= '1' && p[1] <= '9' && (unsigned)(p[1] - '0') > most)
			most = (unsigned)(p[1] - '0');
	}
	return most;
}

/* Write what the place at P (behind its brace) stands for. False: an argument is missing. */
static bool put_place(FILE *f, const char *p, const char *rest, unsigned most, const char *fmt, size_t nfmt)
{
	const char *at;
	size_t len;

	if (*p == '/') {
		fprintf(f, "%.*s", (int)nfmt, fmt);
		return true;
	}
	at = argument_at(rest, *p == '*' ? most + 1 : (unsigned)(*p - '0'), &len);
	if (*p == '*')
		fputs(at ? at : "", f);
	else if (at)
		fprintf(f, "%.*s", (int)len, at);
	else if (p[1] == '=')
		fprintf(f, "%.*s", (int)strcspn(p + 2, "}"), p + 2);
	else
		return false;
	return true;
}

char *peer_expand(const struct peer_name *p, const char *line)
{
	const char *fmt, *rest;
	bool all, good = true;
	size_t nfmt = 0, len;
	unsigned most = places(p->means, &all);
	char *out = NULL;
	FILE *f;

	rest = behind_name(p, line, &fmt, &nfmt);
	if (!rest || (!all && argument_at(rest, most + 1, &len)) || (nfmt && !strstr(p->means, "{/}")))
		return NULL;
	f = xmemstream(&out, &len);
	for (const char *m = p->means; *m && good; m++) {
		if (*m != '{') {
			fputc(*m, f);
			continue;
		}
		good = put_place(f, m + 1, rest, most, fmt, nfmt);
		m += strcspn(m, "}");
	}
	fclose(f);
	if (good)
		return out;
	free(out);
	return NULL;
}
