/* SPDX-License-Identifier: GPL-3.0-or-later
 * Encoding of host instructions: writes bytes, prefixes, opcode and operand bytes at t->p. Register numbers
 * are the processor's (0..15).
 */
#ifndef BT_EMIT_BYTES_H
#define BT_EMIT_BYTES_H
#include "bt/emit/tx.h"
#include <string.h>

enum {
	H_RAX,
	H_RCX,
	H_RDX,
	H_RBX,
	H_RSP,
	H_RBP,
	H_RSI,
	H_RDI,
	H_R8,
	H_R9,
	H_R10,
	H_R11,
	H_R12,
	H_R13,
	H_R14,
	H_R15
};

enum { F_W = 1, F_66 = 2, F_GS = 4, F_0F = 8, F_8 = 16, F_F3 = 32, F_F2 = 64, F_0F38 = 128 };

static inline void e1(struct tx *t, unsigned v)
{
	*t->p++ = (uint8_t)v;
}
static inline void e2(struct tx *t, unsigned v)
{
	memcpy(t->p, &(uint16_t){ (uint16_t)v }, 2);
	t->p += 2;
}
static inline void e4(struct tx *t, uint32_t v)
{
	memcpy(t->p, &v, 4);
	t->p += 4;
}
static inline void e8(struct tx *t, uint64_t v)
{
	memcpy(t->p, &v, 8);
	t->p += 8;
}

/* Operand bytes of REG, [BASE+DISP], after the opcode. */
static inline void e_modrm_mem(struct tx *t, int reg, int base, int32_t disp)
{
	int mod = disp == 0 && (base & 7) != 5 ? 0 : disp >= -128 && disp < 128 ? 1 : 2;

	e1(t, (unsigned)(mod << 6 | (reg & 7) << 3 | (base & 7)));
	if ((base & 7) == 4)
		e1(t, 0x24);
	if (mod == 1)
		e1(t, (uint8_t)disp);
	else if (mod == 2)
		e4(t, (uint32_t)disp);
}

static inline void e_prefix(struct tx *t, unsigned fl, int reg, int index, int base)
{
	unsigned rex = (fl & F_W ? 8 : 0) | (reg & 8 ? 4 : 0) | (index & 8 ? 2 : 0) | (base & 8 ? 1 : 0);

	if (fl & F_GS)
		e2(t, 0x6765);
	if (fl & F_66)
		e1(t, 0x66);
	if (fl & F_F3)
		e1(t, 0xf3);
	if (fl & F_F2)
		e1(t, 0xf2);
	if (rex || ((fl & F_8) && reg >= 4))
		e1(t, 0x40 | rex);
	if (fl & (F_0F | F_0F38))
		e1(t, 0x0f);
	if (fl & F_0F38)
		e1(t, 0x38);
}

/* 64-bit code has no register for the vCPU (r15) and the base of the translation cache (r14): both are below
 * 2 GiB, and their places have absolute addresses. Guest registers are addressed by emit/long.h. */
static inline bool e_is_absolute(const struct tx *t, int base)
{
	return mode_long(t->mode) && (base == H_R15 || base == H_R14);
}
static inline void e_sib_absolute(struct tx *t, int reg, int index, int scale, int base, int32_t disp)
{
	uint64_t of = base == H_R15 ? (uint64_t)t->b : t->b->tc_base;

	e1(t, (unsigned)((reg & 7) << 3 | 4));
	e1(t, (unsigned)(scale << 6 | (index & 7) << 3 | 5));
	e4(t, (uint32_t)of + (uint32_t)disp);
}

/* OP REG, [BASE+DISP]; the opcode decides the direction. */
static inline void e_rm(struct tx *t, unsigned fl, unsigned op, int reg, int base, int32_t disp)
{
	if (e_is_absolute(t, base)) {
		e_prefix(t, fl, reg, 0, 0);
		e1(t, op);
		e_sib_absolute(t, reg, 4, 0, base, disp);
		return;
	}
	e_prefix(t, fl, reg, 0, base);
	e1(t, op);
	e_modrm_mem(t, reg, base, disp);
}

/* OP REG, [BASE+INDEX*2^SCALE+DISP] */
static inline void e_rmi(struct tx *t, unsigned fl, unsigned op, int reg, int base, int index, int scale,
			 int32_t disp)
{
	int mod = disp == 0 && (base & 7) != 5 ? 0 : disp >= -128 && disp < 128 ? 1 : 2;

	if (e_is_absolute(t, base)) {
		e_prefix(t, fl, reg, index, 0);
		e1(t, op);
		e_sib_absolute(t, reg, index, scale, base, disp);
		return;
	}
	e_prefix(t, fl, reg, index, base);
	e1(t, op);
	e1(t, (unsigned)(mod << 6 | (reg & 7) << 3 | 4));
	e1(t, (unsigned)(scale << 6 | (index & 7) << 3 | (base & 7)));
	if (mod == 1)
		e1(t, (uint8_t)disp);
	else if (mod == 2)
		e4(t, (uint32_t)disp);
}

static inline void e_rr(struct tx *t, unsigned fl, unsigned op, int reg, int rm)
{
	e_prefix(t, fl, reg, 0, rm);
	e1(t, op);
	e1(t, (unsigned)(0xc0 | (reg & 7) << 3 | (rm & 7)));
}
#endif
