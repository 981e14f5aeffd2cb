/* SPDX-License-Identifier: GPL-3.0-or-later
 * Where the guest's memory is: from 0 to RAM_LOW_MAX, below PCI's addresses and firmware; what is left, from
 * 4 GiB on. */
#ifndef HV_RAM_H
#define HV_RAM_H
#include "base/types.h"

#define RAM_LOW_MAX (3ull << 30)
#define RAM_HIGH_AT (4ull << 30)

/* Of MEMORY bytes, those in the low part. */
static inline uint64_t ram_low(uint64_t memory)
{
	return memory < RAM_LOW_MAX ? memory : RAM_LOW_MAX;
}
static inline uint64_t ram_high(uint64_t memory)
{
	return memory - ram_low(memory);
}
/* The end of all of it. */
static inline gpa ram_end(uint64_t memory)
{
	return ram_high(memory) ? RAM_HIGH_AT + ram_high(memory) : memory;
}
#endif
