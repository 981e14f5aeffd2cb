/* SPDX-License-Identifier: GPL-3.0-or-later
 * The registers of tasks of a Linux guest that do not execute. */
#ifndef INSPECT_LINUX_SWITCHED_H
#define INSPECT_LINUX_SWITCHED_H
#include "inspect/linux/tasks.h"
#include "x86/cpu.h"

/* What the kernel keeps of a task's registers on its stack when it switches to another one: those that a
 * function call preserves. */
struct lx_switched {
	uint64_t pc;
	uint64_t gpr[16]; /* by number, as in struct cpu */
	uint32_t known;	  /* bit N: gpr[N] was saved */
};

/* Read what was saved of T. False: it is not known where, or T's stack cannot be read. */
bool lx_switched(struct lx *k, const struct lx_task *t, struct lx_switched *f);
/* Read up to N bytes at VA as T sees them: its user memory, or the kernel's. Return how many. */
size_t lx_task_read(const struct lx *k, const struct lx_task *t, uint64_t va, void *buf, size_t n);
#endif
