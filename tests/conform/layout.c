/* SPDX-License-Identifier: GPL-3.0-or-later
 * The memory and descriptor layout shared by both sides of the conformance suite. */
#include "tests/conform/conform.h"

struct image {
#define X(name, addr, pages, w, x) uint8_t name[(pages)*4096];
	CONFORM_REGIONS(X)
#undef X
};

_Static_assert(sizeof(struct image) == MEM_BYTES, "regions are packed");

const struct region conform_regions[RGN_COUNT] = {
#define X(name, addr, pages, w, x) { #name, addr, (pages)*4096, w, x, offsetof(struct image, name) },
	CONFORM_REGIONS(X)
#undef X
};

const struct ldt_entry conform_ldt[LDT_COUNT] = {
#define X(name, base, limit, code, big, w, down) { base, limit, code, big, w, down },
	CONFORM_LDT(X)
#undef X
};
