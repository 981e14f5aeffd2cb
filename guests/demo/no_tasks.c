/* SPDX-License-Identifier: GPL-3.0-or-later
 * Replaces task.c in guests without processes: cpu.c never calls these. */
#include "guests/demo/kernel.h"

bool task_trap(struct frame *f)
{
	(void)f;
	return false;
}

void task_syscall(struct frame *f)
{
	panic("system call", f);
}

void task_tick(struct frame *f)
{
	(void)f;
}

void task_fpu(void) {}
