/* SPDX-License-Identifier: GPL-3.0-or-later
 * What the parts of inspect/linux/ share. */
#ifndef INSPECT_LINUX_KERNEL_INT_H
#define INSPECT_LINUX_KERNEL_INT_H
#include "inspect/linux/kernel.h"
#include "inspect/linux/tasks.h"

/* Take offsets from BTF, and those that are still not known from vmcoreinfo. */
void lx_layout_btf(struct lx *k);
void lx_layout_notes(struct lx *k);
/* Find members of tasks and their memory by what they hold, if BTF does not say. */
void lx_infer_tasks(struct lx *k);
/* Could COMM be the name of a task? */
bool lx_comm_ok(const char comm[LX_COMM]);
#endif
