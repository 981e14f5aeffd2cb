/* SPDX-License-Identifier: GPL-3.0-or-later
 * How late something came: count, least, mean, most, and a histogram. All members are 64 bits, so that a
 * state is saved as an array of numbers. */
#ifndef HV_LATENCY_H
#define HV_LATENCY_H
#include "base/types.h"

/* Upper ends of the histogram's bins in microseconds; the last one has the rest. */
#define LATENCY_BINS(X) X(5) X(10) X(20) X(50) X(100) X(200) X(500) X(1000) X(5000)
#define LATENCY_ONE(us) +1
enum { LATENCY_NBINS = 1 LATENCY_BINS(LATENCY_ONE) };

struct latency {
	uint64_t count, sum, least, most; /* ns */
	uint64_t bin[LATENCY_NBINS];
};

static inline void latency_add(struct latency *l, uint64_t ns)
{
#define LATENCY_END(us) us,
	static const uint16_t end[] = { LATENCY_BINS(LATENCY_END) };
#undef LATENCY_END
	unsigned i = 0;

	while (i < ARRAY_LEN(end) && ns > end[i] * 1000ull)
		i++;
	l->bin[i]++;
	l->least = !l->count || ns < l->least ? ns : l->least;
	l->most = ns > l->most ? ns : l->most;
	l->sum += ns;
	l->count++;
}

/* Field of a saved state: a statistic. */
#define F_LATENCY(type, f)                                                                                   \
	{                                                                                                    \
		.name = #f, .off = offsetof(struct type, f), .size = 8, .count = 4 + LATENCY_NBINS,          \
		.stride = 8, .unhashed = true                                                                \
	}
_Static_assert(sizeof(struct latency) == 8 * (4 + LATENCY_NBINS), "saved as an array");
#endif
