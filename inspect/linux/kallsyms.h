/* SPDX-License-Identifier: GPL-3.0-or-later
 * The symbol table that a Linux kernel has of itself (scripts/kallsyms.c of its sources), found in its image
 * without knowing where: the tables are recognized by their structure and by each other. */
#ifndef INSPECT_LINUX_KALLSYMS_H
#define INSPECT_LINUX_KALLSYMS_H
#include "inspect/linux/memory.h"

struct kallsyms {
	uint8_t *image; /* a piece of physical memory that has all tables; owned */
	uint64_t pa;	/* of IMAGE */
	size_t len;
	unsigned width; /* 4 or 8 bytes of an address */
	unsigned count;
	size_t names, tokens, index, offsets; /* in IMAGE */
	uint64_t base;			      /* what offsets are relative to */
	bool percpu;			      /* offsets that are not negative are addresses themselves */
	unsigned work;			      /* steps left for the search */
};

/* Search physical memory from FROM up to TO. False: there are no such tables. */
bool kallsyms_find(struct kallsyms *k, const struct lx_mem *m, uint64_t from, uint64_t to, unsigned width);
void kallsyms_fini(struct kallsyms *k);
/* Call FOUND for each symbol in order of addresses. TYPE is nm's letter. */
void kallsyms_each(const struct kallsyms *k,
		   void (*found)(void *ctx, uint64_t addr, char type, const char *name), void *ctx);
#endif
