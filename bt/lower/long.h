/* SPDX-License-Identifier: GPL-3.0-or-later
 * Lowering of 64-bit code. Guest registers are the host's of the same names, except r8 to r11, which are in
 * the vCPU, and rsp, which has D added. A memory operand is reached through a probe: a load from the validity
 * table (mm/long.h), which faults unless the region of the address is where D says. r9 holds V, r10 holds D;
 * r8 and r11 are free, and so is r9 between a probe and long_restore(). */
#ifndef BT_LOWER_LONG_H
#define BT_LOWER_LONG_H
#include "bt/emit/long.h"
#include "bt/lower/family.h"

/* lower/long_memory.c */
/* Host register D = effective address, 32 bits of it if not WIDE; clobbers r8 and r11. */
void long_lea(struct tx *t, const struct insn *in, int d, bool wide);
void long_ea(struct tx *t, const struct insn *in);	 /* r8 = effective address; clobbers r11 */
void long_linear(struct tx *t, const struct insn *in);	 /* r8 = linear address; clobbers r11 */
void long_add_base(struct tx *t, const struct insn *in); /* r8 += base of the segment; clobbers r11 */
void long_linear_sized(struct tx *t, const struct insn *in, unsigned size); /* as emit_linear() */
/* Probe the memory operand; *M is where the host form has it. It may use r8 and r10. Clobbers r8 and r11. */
void long_operand(struct tx *t, struct insn *in, struct host_mem *m);
/* Reach the operand, whose linear address is in r8, by callouts: *M is the bounce buffer. */
void long_device_begin(struct tx *t, struct insn *in, struct host_mem *m);
void long_device_end(struct tx *t, struct insn *in);
/* Does IN read its operand in memory, or leave a part of it unchanged? */
bool long_reads_or_keeps(const struct insn *in);
void long_load(struct tx *t, struct insn *in, unsigned idx, unsigned size); /* as emit_load_operand() */

/* The access itself, where *M says. It may use r8, r9, r11. */
void long_put(struct tx *t, struct insn *in, const struct host_mem *m);

/* lower/long_precheck.c: before the operand, and right behind the access. NULL: the site is not prechecked.
 */
struct precheck *long_precheck(struct tx *t, struct insn *in);
void long_precheck_end(struct tx *t, struct precheck *l);

/* lower/long_facts.c. Does a probe of this TU cover: the address A; the base of segment S; a sum of
 * registers? Learn that one has succeeded. */
bool fact_covers_constant(const struct tx *t, uint64_t a);
void fact_learn_constant(struct tx *t, uint64_t a);
bool fact_covers_segment(const struct tx *t, enum seg s);
void fact_learn_segment(struct tx *t, enum seg s);
bool fact_covers_sum(const struct tx *t, const struct host_mem *m);
void fact_learn_sum(struct tx *t, const struct host_mem *m);
bool fact_is_short(const struct tx *t, int n); /* is register N, an index, an extended number of 32 bits? */
void facts_after(struct tx *t, const struct insn *in); /* IN was lowered */
void facts_count(struct tx *t, bool wide);	       /* LOOP has counted; its exits follow */
/* Registers that the TU accesses memory by before it changes them. */
uint32_t facts_wanted(struct tx *t);

/* lower/flow.c. The current instruction may set the flags of a branch that polls: poll in front of it, as
 * processors take the two for one; not in the shadow of STI. */
void long_poll_early(struct tx *t);

/* lower/long_stack.c: as the functions of struct lower_ops */
void long_push_reg(struct tx *t, int reg, unsigned size);
void long_push_imm(struct tx *t, uint64_t imm, unsigned size);
bool long_push_keeps_r8(const struct tx *t);
void long_peek(struct tx *t, int reg, unsigned size);
void long_adjust(struct tx *t, int32_t by);

/* The families. */
bool lower_long_stack(struct tx *t, struct insn *in);
bool lower_long_string(struct tx *t, struct insn *in);
bool lower_long_vector(struct tx *t, struct insn *in); /* operands of more than one element */
bool lower_long_system(struct tx *t, struct insn *in);
void long_plain(struct tx *t, struct insn *in);
#endif
