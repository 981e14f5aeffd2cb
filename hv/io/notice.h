/* SPDX-License-Identifier: GPL-3.0-or-later
 * How the host's side of I/O tells the vCPU's thread that something is complete: a vector of bits that this
 * thread reads where it likes, and a wake-up for the case that it does not read soon. */
#ifndef HV_IO_NOTICE_H
#define HV_IO_NOTICE_H
#include <stdatomic.h>
#include <unistd.h>

#include "base/types.h"

enum { IO_NOTICE_BITS = 64 };

struct io_notice {
	/* Instead of all that: write to FD[BIT], which the vCPU's thread polls, as programs did before the
	 * vector
	 * ("hosted-io vector off"). 0: this bit has no descriptor. */
	atomic_bool by_fd;
	int fd[IO_NOTICE_BITS];
	_Atomic uint64_t ready; /* bit N: back end N has completions */
	/* Make the vCPU's thread look at READY; any thread, after the bit is set. NULL: it looks without. */
	void (*wake)(void *ctx);
	void *ctx;
};

/* Set BIT; wake the vCPU's thread if nothing has been waiting for it. */
static inline void io_notice_set(struct io_notice *n, unsigned bit)
{
	uint64_t one = 1;

	if (atomic_load(&n->by_fd) && n->fd[bit] && write(n->fd[bit], &one, sizeof(one)) == sizeof(one))
		return;
	if (!atomic_fetch_or(&n->ready, 1ull << bit) && n->wake)
		n->wake(n->ctx);
}

static inline bool io_notice_any(struct io_notice *n)
{
	return atomic_load(&n->ready) != 0;
}

/* Take the bits of MASK. */
static inline uint64_t io_notice_take(struct io_notice *n, uint64_t mask)
{
	return atomic_fetch_and(&n->ready, ~mask) & mask;
}
#endif
