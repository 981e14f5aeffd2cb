/* SPDX-License-Identifier: GPL-3.0-or-later
 * A benchmark item: prepare once, then run() does N operations. */
#ifndef BENCH_BENCH_H
#define BENCH_BENCH_H
#include "bench/sys.h"

struct item {
	const char *name;
	void (*run)(u32 n);
	void (*prepare)(void); /* or NULL */
	void (*release)(void); /* or NULL */
};

extern const struct item compute_items[], kernel_items[], large_items[];
extern const u32 compute_count, kernel_count, large_count;
extern volatile u32 sink; /* results go here, to keep the compiler from removing work */
#endif
