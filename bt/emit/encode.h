/* SPDX-License-Identifier: GPL-3.0-or-later
 * Re-encoding of guest instructions as host instructions, and the predicates on a decoded instruction that
 * decide its host form. */
#ifndef BT_EMIT_ENCODE_H
#define BT_EMIT_ENCODE_H
#include "bt/emit/emit.h"

bool insn_is_vector(const struct insn *in); /* MMX and SSE by legacy encoding */
bool insn_is_vex(const struct insn *in);    /* or EVEX */
bool insn_is_evex(const struct insn *in);
/* The mask register whose bits decide which elements of the operand are accessed; 0: all are. */
unsigned insn_mask(const struct insn *in);
bool insn_wants_alignment(const struct insn *in); /* raises #GP if the operand is not aligned to its size */
/* Must the re-encoded instruction carry a 66 prefix? */
bool insn_wants_66(const struct insn *in);
bool insn_uses_high_byte(const struct insn *in);
bool insn_has_index(const struct insn *in);
bool insn_addr16(const struct insn *in);
unsigned insn_mem_size(const struct insn *in);	/* size of the memory operand in bytes, at least 1 */
bool insn_is_bit_string(const struct insn *in); /* BT and its relatives with the bit number in a register */
bool insn_is_gather(const struct insn *in);
bool insn_is_masked_move(const struct insn *in);
bool insn_is_maskmov(const struct insn *in);
/* A low register that the instruction does not use. Those lowered this way use at most six. */
int insn_free_register(const struct insn *in);

/* The parts of the host form, in this order. */
void put_prefixes(struct tx *t, const struct insn *in, bool gs);
void put_opcode(struct tx *t, const struct insn *in, unsigned rex);
void put_address32(struct tx *t, const struct insn *in, unsigned reg);
void put_tail(struct tx *t, const struct insn *in); /* immediates */

/* The whole instruction, with the memory operand at [BASE+DISP]. */
void put_with_base(struct tx *t, const struct insn *in, int base, int32_t disp, bool gs);
/* The whole instruction, with the operand's address in r8 (32-bit in the window with GS; 64-bit without). */
void put_through_r8(struct tx *t, const struct insn *in, bool gs);
/* The whole instruction, through a segment with a base, no limit check and no index. */
void put_based(struct tx *t, const struct insn *in);
void put_xchg_r8(struct tx *t, int r);

/* Rewrite a MOV with a memory offset (A0..A3) to its ModRM form. */
void moffs_to_modrm(struct insn *in);
#endif
