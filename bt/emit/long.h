/* SPDX-License-Identifier: GPL-3.0-or-later
 * Host forms of 64-bit instructions: the guest's, with other registers and another memory operand. */
#ifndef BT_EMIT_LONG_H
#define BT_EMIT_LONG_H
#include "bt/emit/emit.h"

/* In 64-bit code. */
enum { H_V = H_R9, H_D = H_R10 };

/* A memory operand of host code: registers by number, NO_REG none. VCPU: at an offset in the vCPU, DISP. */
enum { NO_REG = -1 };
struct host_mem {
	int base, index;
	unsigned scale; /* log2 */
	int32_t disp;
	bool gs, vcpu;
};

/* OP REG,M with flags FL of emit/bytes.h. */
void e_mem(struct tx *t, unsigned fl, unsigned op, int reg, const struct host_mem *m);
/* LEA of M, which has no override, in 64 bits. */
void e_lea64(struct tx *t, int d, const struct host_mem *m);
/* LEA d,[base+index]. */
void e_add64(struct tx *t, int d, int base, int index);
void e_mov_const(struct tx *t, int d, uint64_t v);

/* The registers of an instruction's host form: ModRM.reg or opcode extension, ModRM.rm (unless the operand
 * is in memory), VEX.vvvv, and that in the opcode. */
struct host_form {
	int reg, rm, vvvv, opcode;
	const struct host_mem *mem; /* NULL: none */
};
/* The form with the guest's own registers. */
struct host_form form_of(const struct insn *in);
void put_form(struct tx *t, const struct insn *in, const struct host_form *f);
bool form_has_rex(const struct insn *in);
#endif
