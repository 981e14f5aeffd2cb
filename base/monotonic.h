/* SPDX-License-Identifier: GPL-3.0-or-later
 * The host's monotonic clock, for time limits of the front ends. VM time is hv/clock.h's. */
#ifndef BASE_MONOTONIC_H
#define BASE_MONOTONIC_H
#include <stdint.h>
#include <time.h>

/* Nanoseconds since some fixed moment. */
static inline int64_t monotonic_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000000000ll + ts.tv_nsec;
}

/* Nanoseconds of processor time that the calling thread has used. */
static inline int64_t monotonic_thread_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &ts);
	return ts.tv_sec * 1000000000ll + ts.tv_nsec;
}
#endif
