/* SPDX-License-Identifier: GPL-3.0-or-later
 * Lowering of one guest instruction to host code. */
#ifndef BT_LOWER_LOWER_H
#define BT_LOWER_LOWER_H
#include "bt/emit/tx.h"

/* Emit the host code for IN, the instruction t->i. */
void lower(struct tx *t, struct insn *in);
/* Emit the out-of-line copies of bypassed accesses; call after the TU's body. */
void emit_bypasses(struct tx *t);
#endif
