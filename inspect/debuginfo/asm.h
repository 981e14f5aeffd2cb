/* SPDX-License-Identifier: GPL-3.0-or-later
 * Assembly text to bytes, by GNU as and ld where they are installed. */
#ifndef INSPECT_ASM_H
#define INSPECT_ASM_H
#include "base/types.h"

/* A name that the text uses and does not define. */
struct assembly_symbol {
	char name[128];
	uint64_t val;
};

struct assembly {
	/* Intel syntax as of GNU as; ';' between instructions. Directives that open files, macros and loops
	 * are refused: the text may come from gdb, or from a script of somebody else. */
	const char *text;
	unsigned bits; /* 16, 32 or 64 */
	uint64_t at;   /* where the code will run: branches are relative to it */
	/* Get the value of a name that the text does not define. */
	bool (*symbol)(void *ctx, const char *name, uint64_t *val);
	const struct assembly_symbol *symbols; /* instead, where SYMBOL is NULL */
	unsigned nsymbols;
	bool (*interrupted)(void *ctx); /* give up? */
	void *ctx;
};

/* Assemble A into OUT, at most MAX bytes. Return how many, or -1 with the reason in ERR. Runs child processes
 * in a temporary directory, for a few seconds at most. */
int asm_bytes(const struct assembly *a, uint8_t *out, unsigned max, char *err, size_t errlen);
/* Find the names in A's text that SYMBOL knows; at most MAX. Return how many. */
unsigned asm_symbols(const struct assembly *a, struct assembly_symbol *out, unsigned max);
#endif
