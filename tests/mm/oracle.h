/* SPDX-License-Identifier: GPL-3.0-or-later
 * A second page walker, written from the manual's tables without a look at mm/walk.c: one
 * function for each paging mode, no table of levels. */
#ifndef TESTS_MM_ORACLE_H
#define TESTS_MM_ORACLE_H
#include "mm/walk.h"

struct oracle {
	bool ok;
	bool readable; /* in the second dimension, if there is one */
	bool exits;    /* !ok: the second dimension refuses, the tests' own (tests/mm/world.c) */
	uint64_t pa;
	unsigned shift;
	uint32_t err;
	bool user, writable, nx, global;
	bool accessed, dirty; /* in all entries used; in the last */
};

/* READ loads SIZE bytes at AT; false: no memory. */
typedef bool oracle_read(void *ctx, uint64_t at, unsigned size, uint64_t *e);

/* HOW: MM_* bits. Changes nothing. */
struct oracle oracle_walk(const struct paging *pg, oracle_read *read, void *ctx, uint64_t lin, unsigned how);
#endif
