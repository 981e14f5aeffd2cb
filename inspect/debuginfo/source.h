/* SPDX-License-Identifier: GPL-3.0-or-later
 * The text of source files that line tables name. */
#ifndef INSPECT_SOURCE_H
#define INSPECT_SOURCE_H
#include "base/types.h"

/* One file is kept, the last that was asked for. All fields 0: no file, no directories. */
struct source {
	char **dirs; /* where to look first, the last one first */
	size_t ndirs;
	char *name;  /* the file kept, as it was asked for; NULL: none */
	char *text;  /* NULL: it cannot be read */
	char **line; /* LINES pointers into TEXT */
	size_t lines;
};

void source_fini(struct source *s);
/* Look in DIR, for a file's path, its name in the line table, or its last component. */
void source_directory(struct source *s, const char *dir);
/* Line LINE (from 1) of the file that line tables call FILE, and PATH with its directory. NULL: it cannot be
 * read, is no regular file, or is shorter. Valid until the next call. */
const char *source_text(struct source *s, const char *file, const char *path, int line);
#endif
