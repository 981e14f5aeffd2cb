/* SPDX-License-Identifier: GPL-3.0-or-later
 * How the host's side of I/O tells the vCPU's thread that something is complete: a vector of bits that this
 * thread reads where it likes, and a wake-up for the case that it does not read soon. */
#ifndef HV_IO_NOTICE_H
#define HV_IO_NOTICE_H
#include <stdatomic.h>

#include "base/types.h"

enum { IO_NOTICE_BITS = 64 };

struct io_notice {
	_Atomic uint64_t ready; /* bit N: back end N has completions */
	/* Make the vCPU's thread look at READY; any thread, after the bit is set. NULL: it looks without. */
	void (*wake)(void *ctx);
	void *ctx;
};

/* Set BIT; wake the vCPU's thread if nothing has been waiting for it. */
static inline void io_notice_set(struct io_notice *n, unsigned bit)
{
	if (!atomic_fetch_or(&n->ready, 1ull << bit) && n->wake)
		n->wake(n->ctx);
}

static inline bool io_notice_any(struct io_notice *n)
{
	return atomic_load(&n->ready) != 0;
}

/* Take all bits. */
static inline uint64_t io_notice_take(struct io_notice *n)
{
	return atomic_exchange(&n->ready, 0);
}
#endif
