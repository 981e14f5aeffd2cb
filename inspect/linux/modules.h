/* SPDX-License-Identifier: GPL-3.0-or-later
 * The modules of a Linux guest, and their symbols. */
#ifndef INSPECT_LINUX_MODULES_H
#define INSPECT_LINUX_MODULES_H
#include "inspect/linux/kernel.h"

enum { LX_MODULE_NAME = 56 };

struct lx_module {
	uint64_t addr; /* of its structure */
	char name[LX_MODULE_NAME];
	uint64_t base, size; /* of its code, and data with it up to 6.3; bytes of all it has, 0: not known */
	unsigned state;	     /* 0 live, 1 coming, 2 going, 3 unformed */
	int refs;	     /* users; -1: not known */
	char users[200];     /* names of modules, separated by commas */
};

/* Call FOUND for each module, the latest first. Return NULL, or why the list is missing or not complete. */
const char *lx_modules_each(struct lx *k, void (*found)(void *ctx, const struct lx_module *m), void *ctx);
/* Bring the symbols of modules up to date. */
void lx_modules_symbols(struct lx *k);
#endif
