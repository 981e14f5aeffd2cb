/* SPDX-License-Identifier: GPL-3.0-or-later
 * The tasks of a Linux guest. */
#ifndef INSPECT_LINUX_TASKS_H
#define INSPECT_LINUX_TASKS_H
#include "inspect/linux/kernel.h"

enum { LX_COMM = 16, LX_MAX_TASKS = 1 << 16 };

struct lx_task {
	uint64_t addr;
	uint32_t pid, tgid;
	uint32_t parent; /* process number */
	char comm[LX_COMM];
	char state;    /* as ps shows it: R S D T t X Z P I; '?': not known */
	uint64_t mm;   /* of the process, 0: a kernel thread, or it has exited */
	uint64_t root; /* physical address of its top page table; 0: none, or not known */
};

/* Do commands know enough of tasks? False with the reason in WHY. */
bool lx_tasks_known(struct lx *k, const char **why);
/* Read the task at ADDR. False: there is none that could be one. */
bool lx_task_at(const struct lx *k, uint64_t addr, struct lx_task *t);
/* Call FOUND for each process, and THREADS: each thread of it, until it returns false. Return NULL, or why
 * the list is not complete. */
const char *lx_tasks_each(const struct lx *k, bool threads, bool (*found)(void *ctx, const struct lx_task *t),
			  void *ctx);
/* The task that executes. */
bool lx_current(struct lx *k, struct lx_task *t);
/* Write T's command line, words separated by blanks. False: it has none, or it cannot be read now. */
bool lx_command_line(const struct lx *k, const struct lx_task *t, char *buf, size_t size);
/* The address space of T's user memory. False: it has none. */
bool lx_task_space(const struct lx *k, const struct lx_task *t, struct lx_space *sp);
#endif
