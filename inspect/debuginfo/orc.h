/* SPDX-License-Identifier: GPL-3.0-or-later
 * ORC tables: how to unwind code of a 64-bit Linux kernel, as its build writes them for its own unwinder
 * (Documentation/x86/orc-unwinder.rst of the kernel). They are read where the kernel has them, in guest
 * memory, so no file is needed. */
#ifndef INSPECT_ORC_H
#define INSPECT_ORC_H
#include "inspect/debuginfo/cfi.h"

/* Guest addresses: of a table of code addresses in order, relative to themselves, and of as many entries. */
struct orc {
	uint64_t ips, entries;
	uint32_t count;
	uint8_t form; /* the layout of an entry: enum in orc.c */
};

/* Use the tables at [IPS, IPS_END) and ENTRIES. HEADER: the kernel has a section .orc_header. False: they are
 * not readable, or no tables. */
bool orc_open(struct orc *o, uint64_t ips, uint64_t ips_end, uint64_t entries, bool header,
	      const struct cfi_memory *mem);
/* The tables of a module of the kernel whose tables KERNEL has: COUNT code addresses at IPS. */
struct orc orc_of_module(const struct orc *kernel, uint64_t ips, uint64_t entries, uint32_t count);
/* As cfi_step(); of the caller's registers only pc, sp and bp are known, unless it was interrupted. */
enum cfi_step orc_step(const struct orc *o, struct cfi_regs *r, bool exact, const struct cfi_memory *mem);
#endif
