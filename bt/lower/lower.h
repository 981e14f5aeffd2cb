/* SPDX-License-Identifier: GPL-3.0-or-later
 * Lowering: guest instructions become host code. */
#ifndef BT_LOWER_LOWER_H
#define BT_LOWER_LOWER_H
#include "bt/emit/tx.h"

/* Emit the host code for IN, the instruction t->i. */
void lower(struct tx *t, struct insn *in);
/* Emit what accesses without a mapping jump to; behind the body. */
void emit_bypasses(struct tx *t);
#endif
