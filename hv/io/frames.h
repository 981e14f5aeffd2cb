/* SPDX-License-Identifier: GPL-3.0-or-later
 * A bounded queue of network frames between two threads: one puts, one takes, and neither waits. A frame is
 * contiguous, after its length; one that does not fit before the buffer's end begins at its start. GPR-only
 * code may use it. */
#ifndef HV_IO_FRAMES_H
#define HV_IO_FRAMES_H
#include <stdatomic.h>

#include "base/gpr.h"

enum { FRAME_MAX = 2048, FRAME_ALIGN = 8, FRAMES_SKIP = 0xffffffff };

struct frames {
	uint8_t *buf;
	uint32_t size;		/* a power of two */
	_Atomic uint32_t taken; /* bytes, running on; the taker's */
	_Atomic uint32_t put;	/* the putter's */
};

static inline uint32_t frames_room_for(uint32_t len)
{
	return (len + sizeof(uint32_t) + FRAME_ALIGN - 1) & ~(uint32_t)(FRAME_ALIGN - 1);
}

/* Bytes that are queued, with what the queue itself needs. Either thread. */
static inline uint32_t frames_used(const struct frames *q)
{
	return atomic_load_explicit(&q->put, memory_order_acquire) -
	       atomic_load_explicit(&q->taken, memory_order_acquire);
}

/* Queue LEN bytes, at most FRAME_MAX. False: no room. */
static inline bool frames_put(struct frames *q, const void *frame, uint32_t len)
{
	uint32_t put = atomic_load_explicit(&q->put, memory_order_relaxed);
	uint32_t at = put & (q->size - 1), need = frames_room_for(len), skip = 0;

	if (at + need > q->size)
		skip = q->size - at;
	if (len > FRAME_MAX ||
	    put - atomic_load_explicit(&q->taken, memory_order_acquire) + skip + need > q->size)
		return false;
	if (skip) {
		*(any32 *)(q->buf + at) = FRAMES_SKIP;
		at = 0;
	}
	*(any32 *)(q->buf + at) = len;
	gpr_copy(q->buf + at + sizeof(uint32_t), frame, len);
	atomic_store_explicit(&q->put, put + skip + need, memory_order_release);
	return true;
}

/* The first frame, which stays queued; NULL: none. */
static inline const uint8_t *frames_first(struct frames *q, uint32_t *len)
{
	uint32_t taken = atomic_load_explicit(&q->taken, memory_order_relaxed), at;

	for (;;) {
		if (taken == atomic_load_explicit(&q->put, memory_order_acquire))
			return NULL;
		at = taken & (q->size - 1);
		*len = *(any32 *)(q->buf + at);
		if (*len != FRAMES_SKIP)
			return q->buf + at + sizeof(uint32_t);
		taken += q->size - at;
		atomic_store_explicit(&q->taken, taken, memory_order_release);
	}
}

/* Remove the first frame, which has LEN bytes. */
static inline void frames_take(struct frames *q, uint32_t len)
{
	uint32_t taken = atomic_load_explicit(&q->taken, memory_order_relaxed);

	atomic_store_explicit(&q->taken, taken + frames_room_for(len), memory_order_release);
}

/* Forget all that is queued; the taker's. */
static inline void frames_drop(struct frames *q)
{
	atomic_store_explicit(&q->taken, atomic_load_explicit(&q->put, memory_order_acquire),
			      memory_order_release);
}
#endif
