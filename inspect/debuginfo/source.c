/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "inspect/debuginfo/source.h"
#include "base/alloc.h"
#include "base/file.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum { MAX_SIZE = 16 << 20 };

static void forget(struct source *s)
{
	free(s->name);
	free(s->text);
	free(s->line);
	s->name = s->text = NULL;
	s->line = NULL;
	s->lines = 0;
}

void source_fini(struct source *s)
{
	forget(s);
	for (size_t i = 0; i < s->ndirs; i++)
		free(s->dirs[i]);
	free(s->dirs);
	*s = (struct source){ 0 };
}

void source_directory(struct source *s, const char *dir)
{
	s->dirs = xreallocarray(s->dirs, s->ndirs + 1, sizeof(*s->dirs));
	s->dirs[s->ndirs++] = xstrdup(dir);
	forget(s);
}

static FILE *open_in(const char *dir, const char *file)
{
	size_t size = strlen(dir) + strlen(file) + 2;
	char *path = xmalloc(size);
	FILE *f;

	snprintf(path, size, "%s/%s", dir, file);
	f = file_open(path);
	free(path);
	return f;
}

static FILE *open_anywhere(struct source *s, const char *file, const char *path)
{
	const char *last = strrchr(path, '/');
	FILE *f = NULL;

	for (size_t i = s->ndirs; i-- && !f;) {
		f = open_in(s->dirs[i], file);
		if (!f)
			f = open_in(s->dirs[i], path);
		if (!f)
			f = open_in(s->dirs[i], last ? last + 1 : path);
	}
	return f ? f : file_open(path);
}

static char *read_all(FILE *f)
{
	struct stat st;
	char *text;

	if (fstat(fileno(f), &st) || !S_ISREG(st.st_mode) || st.st_size > MAX_SIZE)
		return NULL;
	text = xmalloc((size_t)st.st_size + 1);
	text[fread(text, 1, (size_t)st.st_size, f)] = 0;
	return text;
}

static void split(struct source *s)
{
	size_t cap = 0;

	for (char *at = s->text, *end; *at; at = end) {
		if (s->lines == cap) {
			cap = cap ? 2 * cap : 256;
			s->line = xreallocarray(s->line, cap, sizeof(*s->line));
		}
		s->line[s->lines++] = at;
		end = at + strcspn(at, "\n");
		if (*end)
			*end++ = 0;
	}
}

const char *source_text(struct source *s, const char *file, const char *path, int line)
{
	if (!s->name || strcmp(s->name, path)) {
		FILE *f = open_anywhere(s, file, path);

		forget(s);
		s->name = xstrdup(path);
		s->text = f ? read_all(f) : NULL;
		if (f)
			fclose(f);
		if (s->text)
			split(s);
	}
	return line >= 1 && (size_t)line <= s->lines ? s->line[line - 1] : NULL;
}
