/* SPDX-License-Identifier: GPL-3.0-or-later
 * What the programs of `make bench-io` and `make bench-memory` share: text, a clock, the program's start.
 * They print "begin", and at the end "end BYTES MICROSECONDS". */
#ifndef BENCH_TRAFFIC_H
#define BENCH_TRAFFIC_H
#include "bench/sys.h"

int run(int argc, char **argv); /* the program; its exit status */

void put(const char *s);
void put_number(u32 n);
u32 number(const char *s); /* decimal, up to the first other character */
u32 now_us(void);
/* Between the two: what is timed. */
u32 begin(void);
void end(u32 bytes, u32 began);
#endif
