/* SPDX-License-Identifier: GPL-3.0-or-later
 * Source lines of code, from the line tables (DWARF 2 to 5, section .debug_line) of ELF files. */
#ifndef INSPECT_LINES_H
#define INSPECT_LINES_H
#include "base/types.h"

struct lines;

struct source_line {
	const char *file; /* as the compiler was given it, without the directory in which it ran; owned by the
			     table */
	const char *path; /* with that directory */
	int line;
	uint64_t start, end; /* the code at that address which has this line without a gap */
	bool statement;	     /* START begins a statement, says the compiler */
};

/* Add the line tables of the ELF file PATH, moved by OFFSET, to *L, which is made if it is NULL. False: it
 * has none. They are read when they are asked for; the file stays open. */
bool lines_add(struct lines **l, const char *path, int64_t offset);
void lines_free(struct lines *l);
/* The line of the code at ADDR. False: not known. L may be NULL. */
bool lines_at(struct lines *l, uint64_t addr, struct source_line *found);
/* Where code of line LINE of FILE begins, or of the next line that has code. FILE is a path or its end
 * ("timer.c", "time/timer.c"). Return how many places there are (AT has the first MAX of them), and their
 * line. */
size_t lines_find(struct lines *l, const char *file, int line, uint64_t *at, size_t max, int *found);
#endif
