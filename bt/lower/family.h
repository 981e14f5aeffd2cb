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

/* What differs between 16- and 32-bit code, which reaches memory through a window, and 64-bit code
 * (lower/long.h). */
struct lower_ops {
	unsigned (*mark)(const struct insn *in); /* or NULL: the argument of the instruction's FIX_NONE */
	bool (*const *families)(struct tx *t, struct insn *in); /* the last is NULL */
	/* Re-emit the instruction, with its memory operand, if any, where the code reaches it. */
	void (*plain)(struct tx *t, struct insn *in);
	void (*after)(struct tx *t, const struct insn *in); /* or NULL: note what the instruction did */
	void (*ea)(struct tx *t, const struct insn *in);
	void (*linear)(struct tx *t, const struct insn *in, unsigned size);
	void (*load)(struct tx *t, struct insn *in, unsigned idx, unsigned size);
	void (*push_reg)(struct tx *t, int reg, unsigned size);
	void (*push_imm)(struct tx *t, uint64_t imm, unsigned size);
	bool (*push_keeps_r8)(const struct tx *t);
	void (*peek)(struct tx *t, int reg, unsigned size);
	void (*adjust)(struct tx *t, int32_t by);
};
extern const struct lower_ops ops_window, ops_long;

static inline const struct lower_ops *ops_of(const struct tx *t)
{
	return mode_long(t->mode) ? &ops_long : &ops_window;
}
/* r8 = offset of the memory operand in its segment, 32 bits in 32-bit code. Preserves flags and registers
 * other than r11, which it changes in 64-bit code. */
static inline void emit_ea(struct tx *t, const struct insn *in)
{
	ops_of(t)->ea(t, in);
}
/* r8 = linear address of the operand for an access of SIZE bytes, after the checks of its segment. */
static inline void emit_linear(struct tx *t, const struct insn *in, unsigned size)
{
	ops_of(t)->linear(t, in, size);
}
/* r8 = memory or register operand IDX of SIZE bytes, zero-extended. */
static inline void emit_load_operand(struct tx *t, struct insn *in, unsigned idx, unsigned size)
{
	ops_of(t)->load(t, in, idx, size);
}
static inline void emit_stack_push_reg(struct tx *t, int reg, unsigned size) /* guest register or r11 */
{
	ops_of(t)->push_reg(t, reg, size);
}
static inline void emit_stack_push_imm(struct tx *t, uint64_t imm, unsigned size)
{
	ops_of(t)->push_imm(t, imm, size);
}
/* Would a push of a constant by this instruction leave r8 alone? */
static inline bool emit_push_keeps_r8(const struct tx *t)
{
	return ops_of(t)->push_keeps_r8(t);
}
/* REG (r11 or r8; not the stack pointer) = top of stack, zero-extended. */
static inline void emit_stack_peek(struct tx *t, int reg, unsigned size)
{
	ops_of(t)->peek(t, reg, size);
}
static inline void emit_stack_adjust(struct tx *t, int32_t by) /* the stack pointer, or SP in 16-bit stacks */
{
	ops_of(t)->adjust(t, by);
}

/* lower/generic.c, memory.c, stack.c and segment.c: for ops_window */
void win_plain(struct tx *t, struct insn *in);
void win_ea(struct tx *t, const struct insn *in);
void win_linear(struct tx *t, const struct insn *in, unsigned size);
void win_load(struct tx *t, struct insn *in, unsigned idx, unsigned size);
void win_push_reg(struct tx *t, int reg, unsigned size);
void win_push_imm(struct tx *t, uint64_t imm, unsigned size);
bool win_push_keeps_r8(const struct tx *t);
void win_peek(struct tx *t, int reg, unsigned size);
void win_adjust(struct tx *t, int32_t by);

/* lower/lower.c: IN, which comes next, will not store the host's x87 pointers. Clobbers r8 to r11. */
void emit_x87_pointers(struct tx *t, struct insn *in);
/* The same before XSAVE and family, which also depends on what is in use. */
void emit_x87_saved(struct tx *t, struct insn *in);

/* lower/memory.c */
/* Convert an offset in r8d to a linear address in r8d. Clobbers r9 and r10; preserves r11. */
void emit_seg(struct tx *t, enum seg s, unsigned size, bool addr16, bool write);
/* r9 = base of the window for the linear address in REG. Clobbers r10. */
void emit_quarter(struct tx *t, int reg);
/* Is the current instruction promoted for user accesses by kernel code? */
/* Does the site access device memory often? Not for vector operands: through the aligned bounce buffer a
 * misaligned operand would not raise #GP, which the plain form does before it reaches the device. Nor for
 * prefetches, which never fault, where other code at this address did. */
bool site_is_device(const struct tx *t, const struct insn *in);
/* Is a store the only effect, so that a fault after the store can be reported at the instruction? */
bool insn_only_stores(const struct insn *in);
bool site_is_user_access(const struct tx *t, const struct insn *in);

/* lower/flow.c */
void emit_poll(struct tx *t);

/* lower/stack.c; r8 to r11 are scratch. */
void emit_flags_image(struct tx *t); /* r11 = EFLAGS as PUSHF stores it */
/* Of kernel code: EFLAGS = r11, popped from a stack of SIZE bytes; S if more than the host's flags and IF
 * changes. */
void emit_set_flags(struct tx *t, struct insn *in, struct site *s, unsigned size);

/* lower/segment.c */
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

/* lower/long_precheck.c: what is out of line */
void long_precheck_out(struct tx *t, struct precheck *l);

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
/* Say how the mask of AVX-512, if there is one, selects elements of the operand. */
void masked_elements(struct site *s, const struct insn *in);
struct site *gather_site(struct tx *t, struct insn *in); /* its EA: base and displacement */
void emit_gather(struct tx *t, struct insn *in);
void emit_masked_move(struct tx *t, struct insn *in);
void emit_maskmov(struct tx *t, struct insn *in);
void emit_maskmov_device(struct tx *t, struct insn *in);
#endif
