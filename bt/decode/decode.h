/* SPDX-License-Identifier: GPL-3.0-or-later
 * Fetching and decoding guest instructions. */
#ifndef BT_DECODE_DECODE_H
#define BT_DECODE_DECODE_H
#include "bt/decode/insn.h"
#include "bt/state/vcpu.h"

/* Fetch and decode the instruction at EIP. 0; -1 with an exception raised. PAGE2 NULL: 1 when it
 * straddles, without reading the second page (which would set its accessed bit
 * for an instruction that may never be reached). */
int decode_insn(struct bt_vcpu *b, uint64_t eip, struct insn *in, ppn *page, ppn *page2);
/* The segment register that R is; DS for any other register. */
enum seg decode_seg(ZydisRegister r);
/* Decode N bytes of IN->bytes as a processor with ISA does in MODE; fills in z and op alone. */
ZyanStatus decode_bytes(const struct isa *isa, uint32_t mode, struct insn *in, unsigned n);
/* Fill in the length, and which operand is in memory, from z and op. */
void decode_operands(struct insn *in);
#endif
