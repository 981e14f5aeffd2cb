/* SPDX-License-Identifier: GPL-3.0-or-later
 * Offsets of structure members from the DWARF of an ELF file. */
#ifndef INSPECT_TYPES_H
#define INSPECT_TYPES_H
#include "base/types.h"

struct type_query {
	const char *type, *member; /* a structure; "name" or "name.name" in it, NULL: its size */
	long off;		   /* the answer in bytes; -1: not found */
};

/* Answer the N questions at Q from FILE. Return how many could be answered, or -1 with the reason in ERR. */
long types_load(const char *file, struct type_query *q, size_t n, char *err, size_t errlen);
#endif
