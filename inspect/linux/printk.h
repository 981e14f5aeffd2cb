/* SPDX-License-Identifier: GPL-3.0-or-later
 * The log of a Linux guest (printk's ring buffer since 5.10). */
#ifndef INSPECT_LINUX_PRINTK_H
#define INSPECT_LINUX_PRINTK_H
#include "inspect/linux/kernel.h"

struct lx_record {
	uint64_t seq, time; /* number; nanoseconds since boot */
	unsigned facility, level;
	uint32_t caller;  /* a thread's number, or 0x80000000 and a processor's */
	const char *text; /* may have several lines */
};

/* Call FOUND for each record, the oldest first. Return NULL, or why there are none. */
const char *lx_printk_each(struct lx *k, void (*found)(void *ctx, const struct lx_record *r), void *ctx);
#endif
