/* SPDX-License-Identifier: GPL-3.0-or-later
 * Host forms of 64-bit instructions: the guest's, with other registers and another memory operand. */
#ifndef BT_EMIT_LONG_H
#define BT_EMIT_LONG_H
#include "bt/emit/emit.h"

/* In 64-bit code. */
enum { H_V = H_R9, H_D = H_R10 };
enum { NO_REG = -1 };

/* ---- emit/long_space.c ---- */

/* Where a guest register lives. */
enum long_home { HOME_HOST, HOME_STACK, HOME_VCPU };
enum long_home long_home(int reg);
/* The number of the general register that R is, or is part of; NO_REG: it is none. */
int long_number(ZydisRegister r);

/* Host register D = guest register N, 64 bits, and the other way round. Neither touches another register;
 * rsp needs D in r10. */
void long_reg_get(struct tx *t, int d, int n);
void long_reg_set(struct tx *t, int n, int s);
void long_restore(struct tx *t); /* r9 = V, r10 = D */

/* Does a probe cover register N plus DISP? Learn that one of N has succeeded, or that an access to N plus
 * DISP will have. */
enum { FACT_REACH = 1 << 20 };
bool fact_covers(const struct tx *t, int n, int64_t disp);
void fact_learn(struct tx *t, int n);
bool fact_covers_low(const struct tx *t, int n, int64_t disp); /* by a probe of the lower part */
void fact_learn_low(struct tx *t, int n);
void fact_renew(struct tx *t, int n, int64_t disp);
/* Registers whose facts the code that an exit leads to may take for granted. */
uint32_t facts_claimed(const struct tx *t);

void long_probe(struct tx *t, int reg); /* fault unless REG's region is regular; clobbers r11 */
/* The same for rsp, unless that is known; clobbers R, which is r8 or r11. The second is for what takes it for
 * granted. */
void long_probe_stack(struct tx *t, int r);
void long_claim_stack(struct tx *t, int r);
/* The same for an address in the lower part, of user code; clobbers r11, and r8 unless that is REG. */
void long_probe_low(struct tx *t, int reg);
/* The same for an address in any part (struct long_parts), of code that reaches more than its own space: r10
 * = its displacement, and r9 is lost. */
void long_probe_part(struct tx *t, int reg);

/* Emit the entries of a fragment that is to begin with the facts WANTED. */
void long_entries(struct tx *t, uint32_t wanted);
void long_no_entry(struct tx *t);	    /* as long as the probe of RSP, without it */
uint32_t long_entry_bytes(uint32_t wanted); /* how long that will be */

/* ---- emit/long.c ---- */

/* A memory operand of host code: registers by number, NO_REG none. VCPU: at an offset in the vCPU, DISP. */
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
/* The same of an address that is as far from the code wherever that is. */
void e_mov_address(struct tx *t, int d, uint64_t a);

/* The registers of an instruction's host form: ModRM.reg or opcode extension, ModRM.rm (unless the operand
 * is in memory), VEX.vvvv, and that in the opcode. With EVEX up to 31. */
struct host_form {
	int reg, rm, vvvv, opcode;
	const struct host_mem *mem; /* NULL: none */
};
/* The form with the guest's own registers. */
struct host_form form_of(const struct insn *in);
void put_form(struct tx *t, const struct insn *in, const struct host_form *f);
bool form_has_rex(const struct insn *in);
#endif
