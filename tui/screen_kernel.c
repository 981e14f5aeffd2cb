/* SPDX-License-Identifier: GPL-3.0-or-later
 * Screen 0: a Linux guest's kernel: its tasks, modules and log, as found in the guest's memory. */
#include "tui/pane_table.h"

TABLE_PANE(linux_facts, "linux", "Kernel", "the kernel as found in the guest's memory", .view = "linux",
	   .facts = true);
TABLE_PANE(tasks, "tasks", "Tasks", "processes: the one that executes, states, command lines",
	   .view = "tasks", .cols = "pid parent state current name command root task",
	   .drop = "root task parent current", .key = "task", .address = "task");
TABLE_PANE(modules, "modules", "Modules", "modules of the kernel", .view = "modules",
	   .cols = "module size used base by state", .drop = "state by base", .key = "module",
	   .address = "base", .empty = "no modules");
TABLE_PANE(kernel_log, "dmesg", "Kernel log", "what dmesg shows in the guest", .view = "dmesg",
	   .cols = "stamp text", .key = "number", .follow = true, .empty = "no records");

static const struct pane_class *const panes[] = { &tasks, &kernel_log, &modules, &linux_facts, NULL };

const struct screen_class screen_kernel = {
	.name = "kernel",
	.title = "Kernel",
	.help = "a Linux guest's tasks, modules and log, from its memory: the guest notices nothing",
	.of_vm = true,
	.panes = panes,
	.layouts = { { 0, 0, "v(h(tasks*3,modules*2),dmesg)" },
		     { 110, 30, "v(linux:5,h(tasks*3,modules*2)*2,dmesg*3)" } },
};
