/* SPDX-License-Identifier: GPL-3.0-or-later
 * What a VM's process takes of the computer's memory beside its guest's, measured: anonymous memory and page
 * tables, as the kernel counts them, and the files in memory that belong to the machine. What all processes
 * of the program share (its code) does not count. */
#ifndef HOST_OVERHEAD_H
#define HOST_OVERHEAD_H
#include "base/types.h"

struct machine;

struct overhead {
	int fd; /* /proc/self/status; -1: it cannot be read */
};

/* Before the process is restricted. */
void overhead_init(struct overhead *o);
void overhead_fini(struct overhead *o);
/* Bytes. M: the machine; NULL: there is none yet. */
uint64_t overhead_bytes(const struct overhead *o, struct machine *m);
#endif
