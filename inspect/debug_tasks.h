/* SPDX-License-Identifier: GPL-3.0-or-later
 * Tasks of the guest's kernel, for debuggers that show them as threads. The guest is stopped. */
#ifndef INSPECT_DEBUG_TASKS_H
#define INSPECT_DEBUG_TASKS_H
#include "inspect/inspect.h"

struct debug_task {
	uint32_t pid, tgid;
	char name[16];
	char state;   /* as ps shows it */
	bool current; /* the processor executes it */
};

/* Registers of a task that does not execute: those that it will have when it goes on and that are known. */
struct debug_task_regs {
	uint64_t pc, gpr[16];
	uint32_t known; /* bit N: gpr[N] is */
};

/* Call FOUND for each task, until it returns false. Return NULL, or why there are none, or not all. */
const char *debug_tasks(struct inspect *s, bool (*found)(void *ctx, const struct debug_task *t), void *ctx);
/* The task that executes. */
bool debug_current_task(struct inspect *s, struct debug_task *t);
bool debug_task_regs(struct inspect *s, uint32_t pid, struct debug_task_regs *regs);
/* Read up to N bytes of memory as task PID sees it; return how many. */
size_t debug_task_read(struct inspect *s, uint32_t pid, uint64_t addr, void *buf, size_t n);
#endif
