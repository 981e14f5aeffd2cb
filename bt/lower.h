/* SPDX-License-Identifier: GPL-3.0-or-later
 * Stack pieces that several lowering families use. */
#ifndef BT_LOWER_H
#define BT_LOWER_H
#include "bt/emit.h"

void emit_stack_adjust(struct tx *t, int32_t by);
void emit_stack_push_reg(struct tx *t, int reg, unsigned size); /* guest register or r11 */
void emit_stack_push_imm(struct tx *t, uint32_t v, unsigned size);
void emit_stack_peek(struct tx *t, int reg, unsigned size);     /* REG = top, zero-extended */
#endif
