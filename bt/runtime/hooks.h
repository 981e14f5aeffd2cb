/* SPDX-License-Identifier: GPL-3.0-or-later
 * What memory management reports to the translator. GPR-only. */
#ifndef BT_RUNTIME_HOOKS_H
#define BT_RUNTIME_HOOKS_H
#include "bt/state/vcpu.h"

void runtime_hooks(struct bt_vcpu *b); /* install them in b->vm */
/* The machine cannot go on, as TEXT says: stop at the next point where no instruction is half done. */
void runtime_failed(struct bt_vcpu *b, const char *text);
/* Drop all answers of CPUID and RDMSR: something they depend on may have changed. */
void memo_forget(struct bt_vcpu *b);
#endif
