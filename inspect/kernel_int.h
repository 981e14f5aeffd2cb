/* SPDX-License-Identifier: GPL-3.0-or-later
 * The Linux kernel of the guest, for commands. */
#ifndef INSPECT_KERNEL_INT_H
#define INSPECT_KERNEL_INT_H
#include "inspect/linux/tasks.h"

struct inspect;
struct programs;

struct kernel_state {
	struct lx *k;		   /* NULL: none found */
	uint64_t tried;		   /* the page-fault handler of the last search */
	unsigned failures;	   /* searches in vain */
	int64_t modules_due;	   /* when symbols of modules are brought up to date again, monotonic ns */
	uint64_t hole, hole_end;   /* at this stop: memory from HOLE on that is all zero */
	bool off;		   /* "symbols linux off" */
	struct programs *programs; /* where symbols of its programs come from; NULL: not said */
};

/* Look for a kernel at a stop, and add its symbols. Cheap while nothing has changed. */
void kernel_look(struct inspect *s);
/* The kernel, up to date; the guest is stopped or paused. NULL with the reason in WHY. */
struct lx *kernel_of(struct inspect *s, const char **why);
/* The task that executes, by the kernel that was found already; the guest is stopped. */
bool kernel_task(struct inspect *s, struct lx_task *t);
/* Does a task called NAME execute, or one with the number that NAME is? */
bool kernel_task_is(struct inspect *s, const char *name);
/* The guest's physical memory; reading populates none. For the present stop. */
struct lx_mem kernel_memory(struct inspect *s);
/* The address space in which the processor executes. */
struct lx_space kernel_space(struct inspect *s);
/* The symbols of the program or library that the task that executes has mapped at ADDR. NULL: none. */
struct symbols *kernel_program(struct inspect *s, uint64_t addr);
/* Write where ADDR is: a symbol; that of a program, "program!function+0x10"; a place in a file that the task
 * that executes has mapped, "program+0x1234"; "": none of them. */
void kernel_place(struct inspect *s, uint64_t addr, char *buf, size_t size);
/* Forget the kernel; ON: look for it again. */
void kernel_set(struct inspect *s, bool on);
void kernel_fini(struct inspect *s);
#endif
