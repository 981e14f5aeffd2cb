/* SPDX-License-Identifier: GPL-3.0-or-later
 * What the parts of inspect/linux/ share. */
#ifndef INSPECT_LINUX_KERNEL_INT_H
#define INSPECT_LINUX_KERNEL_INT_H
#include "inspect/linux/kernel.h"

/* Take offsets from BTF, and those that are still not known from vmcoreinfo. */
void lx_layout_btf(struct lx *k);
void lx_layout_notes(struct lx *k);
#endif
