/* SPDX-License-Identifier: GPL-3.0-or-later
 * MMIO dispatch: which device answers at a guest-physical address that has no memory.
 * Memory takes precedence: mm/ asks here only for pages that are neither RAM nor ROM. */
#ifndef HV_MMIO_H
#define HV_MMIO_H
#include "base/types.h"

struct dev;
enum { MMIO_MAX_RANGES = 128, MMIO_LOGGED_PAGES = 32 };

/* An address range of a device. REGION is the device's own number for it, as of a PCI base
 * address register. SIZES: sum of the access sizes (1, 2, 4, 8) that the device takes. */
struct mmio_range {
	struct dev *dev;
	gpa first, last; /* inclusive */
	uint8_t region, sizes;
	uint64_t reads, writes;
	gpa recent; /* address of the last access */
};

/* Accesses that no device answered. Each page is logged once, until the table is full. */
struct mmio_misses {
	uint64_t reads, writes;
	gpa recent;
	uint64_t page; /* of RECENT; UINT64_MAX: none yet */
	uint64_t logged[MMIO_LOGGED_PAGES];
	unsigned nlogged;
};

struct mmio_bus {
	struct mmio_range range[MMIO_MAX_RANGES]; /* by address, without overlap */
	unsigned nranges;
	struct { /* result of the last look-up: this range (NULL: a gap) covers all of first..last */
		gpa first, last;
		struct mmio_range *range;
	} hit;
	struct mmio_misses missed;
};

void mmio_init(struct mmio_bus *b);

/* Ranges may come, move and go at run time, on the vCPU thread or while it is stopped. False, and
 * nothing changed: the range is empty or wraps around, overlaps another, the device has one of that
 * number (add) or has none (move, remove), or the table is full. */
bool mmio_add(struct mmio_bus *b, struct dev *d, unsigned region, gpa first, uint64_t len, unsigned sizes);
bool mmio_move(struct mmio_bus *b, const struct dev *d, unsigned region, gpa first);
bool mmio_remove(struct mmio_bus *b, const struct dev *d, unsigned region);

/* Access SIZE bytes at A. Each device gets the part that lies in its range, in the largest accesses
 * that it takes and that are aligned or complete the part. Bytes that no device takes read as all ones;
 * writes to them are dropped. */
void mmio_read(struct mmio_bus *b, gpa a, void *buf, unsigned size);
void mmio_write(struct mmio_bus *b, gpa a, const void *buf, unsigned size);
#endif
