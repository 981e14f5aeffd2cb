/* SPDX-License-Identifier: GPL-3.0-or-later
 * Emission shared between the families of instructions, beyond emit/emit.h: operands, stack operations, bit
 * strings, vector operands, prechecks. */
#ifndef BT_LOWER_FAMILY_H
#define BT_LOWER_FAMILY_H
#include "bt/emit/emit.h"
#include "bt/emit/exit.h"

/* The families. False: not one of its instructions. */
bool lower_stack(struct tx *t, struct insn *in);
bool lower_flow(struct tx *t, struct insn *in);
bool lower_string(struct tx *t, struct insn *in);
bool lower_system(struct tx *t, struct insn *in);
bool lower_legacy(struct tx *t, struct insn *in);
bool lower_divide(struct tx *t, struct insn *in);

/* lower/guest.c: an instruction of a virtualization extension; one that is intercepted in guest mode. False:
 * not one of them, or what it does otherwise follows the intercept. */
bool lower_virt(struct tx *t, struct insn *in);
bool lower_guest(struct tx *t, struct insn *in);

/* lower/generic.c: re-emit the instruction, with its memory operand, if any, in the window. */
void emit_plain(struct tx *t, struct insn *in);

/* lower/lower.c: IN, which comes next, will not store the host's x87 pointers. Clobbers r8 to r11. */
void emit_x87_pointers(struct tx *t, struct insn *in);

/* lower/memory.c */
/* r8d = offset of the memory operand in its segment. Preserves flags and other registers. */
void emit_ea(struct tx *t, const struct insn *in);
/* r8d = linear address of the operand for an access of SIZE bytes, after the checks of its segment. */
void emit_linear(struct tx *t, const struct insn *in, unsigned size);
/* Convert an offset in r8d to a linear address in r8d. Clobbers r9 and r10; preserves r11. */
void emit_seg(struct tx *t, enum seg s, unsigned size, bool addr16, bool write);
/* r8d = memory or register operand IDX of SIZE 1, 2 or 4, zero-extended. */
void emit_load_operand(struct tx *t, struct insn *in, unsigned idx, unsigned size);
/* r9 = base of the window for the linear address in REG. Clobbers r10. */
void emit_quarter(struct tx *t, int reg);
/* Is the current instruction promoted for user accesses by kernel code? */
bool site_is_user_access(const struct tx *t, const struct insn *in);

/* lower/flow.c */
void emit_poll(struct tx *t);

/* lower/stack.c */
void emit_stack_push_reg(struct tx *t, int reg, unsigned size); /* guest register or r11 */
void emit_stack_push_imm(struct tx *t, uint32_t v, unsigned size);
bool stack_push_keeps_scratch(
    const struct tx *t); /* would a push by this instruction leave r8 to r11 alone? */
void emit_stack_peek(struct tx *t, int reg, unsigned size); /* REG = top of stack, zero-extended */

/* lower/segment.c */
void emit_stack_adjust(struct tx *t, int32_t by); /* adjusts ESP, or SP if the stack segment is 16-bit */
/* Load segment register SEG with the selector in r8d, then add POP to ESP. */
void emit_load_seg(struct tx *t, struct insn *in, enum seg seg, unsigned pop);

/* lower/memo.c */
void emit_cpuid(struct tx *t, struct insn *in);
void emit_rdmsr(struct tx *t, struct insn *in);
void emit_mov_to_cr(struct tx *t, struct insn *in, unsigned cr, int reg);
void emit_clts(struct tx *t, struct insn *in);

/* lower/bits.c */
void emit_bit_string(struct tx *t, const struct insn *in);
bool emit_bit_string_device(struct tx *t, struct insn *in); /* false: not a bit string */

/* lower/precheck.c */
bool site_prechecks(const struct tx *t, const struct insn *in);
bool can_precheck(const struct insn *in);
/* Emit the precheck before a flat access and the join after it. No-op for sites not promoted for misses. */
void emit_precheck(struct tx *t, struct insn *in, bool user_access);
/* The same for access A at the linear address in r8; preserves r8 and r11. */
void emit_precheck_r8(struct tx *t, unsigned size, bool write, const struct access *a);
void emit_precheck_end(struct tx *t); /* right behind the access */
struct string_op {
	uint8_t code, size, rep; /* as in struct site */
	bool si, di;		 /* operands */
};
void emit_string_precheck(struct tx *t, struct insn *in, const struct string_op *o, bool user_access);

/* lower/vector.c */
void emit_gather(struct tx *t, struct insn *in);
void emit_masked_move(struct tx *t, struct insn *in);
void emit_maskmov(struct tx *t, struct insn *in);
void emit_maskmov_device(struct tx *t, struct insn *in);
#endif
