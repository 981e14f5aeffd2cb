/* SPDX-License-Identifier: GPL-3.0-or-later
 * Host code emission: writes at t->p the few instruction shapes that lowering is composed of. Register
 * numbers are the processor's (0..15). Nothing here changes host flags unless its name or the opcode says so.
 */
#ifndef BT_EMIT_EMIT_H
#define BT_EMIT_EMIT_H
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

/* OP REG, [BASE+DISP]; the opcode decides the direction. */
static inline void e_rm(struct tx *t, unsigned fl, unsigned op, int reg, int base, int32_t disp)
{
	e_prefix(t, fl, reg, 0, base);
	e1(t, op);
	e_modrm_mem(t, reg, base, disp);
}

/* OP REG, [BASE+INDEX*2^SCALE+DISP] */
static inline void e_rmi(struct tx *t, unsigned fl, unsigned op, int reg, int base, int index, int scale,
			 int32_t disp)
{
	int mod = disp == 0 && (base & 7) != 5 ? 0 : disp >= -128 && disp < 128 ? 1 : 2;

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

/* -- shapes -- */
static inline void e_mov32(struct tx *t, int d, int s)
{
	e_rr(t, 0, 0x8b, d, s);
}
static inline void e_mov64(struct tx *t, int d, int s)
{
	e_rr(t, F_W, 0x8b, d, s);
}
static inline void e_movi32(struct tx *t, int d, uint32_t v)
{
	e_prefix(t, 0, 0, 0, d);
	e1(t, 0xb8 | (d & 7));
	e4(t, v);
}
static inline void e_movi64(struct tx *t, int d, uint64_t v)
{
	e_prefix(t, F_W, 0, 0, d);
	e1(t, 0xb8 | (d & 7));
	e8(t, v);
}
static inline void e_ld32(struct tx *t, int d, int32_t off)
{
	e_rm(t, 0, 0x8b, d, H_R15, off);
}
static inline void e_ld64(struct tx *t, int d, int32_t off)
{
	e_rm(t, F_W, 0x8b, d, H_R15, off);
}
static inline void e_st32(struct tx *t, int32_t off, int s)
{
	e_rm(t, 0, 0x89, s, H_R15, off);
}
static inline void e_st64(struct tx *t, int32_t off, int s)
{
	e_rm(t, F_W, 0x89, s, H_R15, off);
}
static inline void e_ldzx8(struct tx *t, int d, int32_t off)
{
	e_rm(t, F_0F, 0xb6, d, H_R15, off);
}
static inline void e_ldzx16(struct tx *t, int d, int32_t off)
{
	e_rm(t, F_0F, 0xb7, d, H_R15, off);
}
static inline void e_st8i(struct tx *t, int32_t off, unsigned v)
{
	e_rm(t, 0, 0xc6, 0, H_R15, off);
	e1(t, v);
}
static inline void e_st32i(struct tx *t, int32_t off, uint32_t v)
{
	e_rm(t, 0, 0xc7, 0, H_R15, off);
	e4(t, v);
}
static inline void e_lea32(struct tx *t, int d, int base, int32_t disp)
{
	e_rm(t, 0, 0x8d, d, base, disp);
}
static inline void e_movzx16(struct tx *t, int d, int s)
{
	e_rr(t, F_0F, 0xb7, d, s);
}
static inline void e_movzx8(struct tx *t, int d, int s)
{
	e_rr(t, F_0F | F_8, 0xb6, d, s);
}
static inline void e_rorx32(struct tx *t, int d, int s, unsigned n)
{
	/* VEX.LZ.F2.0F3A.W0 F0 /r ib */
	e1(t, 0xc4);
	e1(t, 0x03 | (d & 8 ? 0 : 0x80) | 0x40 | (s & 8 ? 0 : 0x20));
	e1(t, 0x7b);
	e1(t, 0xf0);
	e1(t, (unsigned)(0xc0 | (d & 7) << 3 | (s & 7)));
	e1(t, n);
}
static inline void e_rorx64(struct tx *t, int d, int s, unsigned n)
{
	e_rorx32(t, d, s, n);
	t->p[-4] |= 0x80;
}
/* PEXT/PDEP d = op(src1, mask), 32 bits */
static inline void e_bmi(struct tx *t, bool deposit, int d, int src, int mask)
{
	e1(t, 0xc4);
	e1(t, 0x02 | (d & 8 ? 0 : 0x80) | 0x40 | (mask & 8 ? 0 : 0x20));
	e1(t, (unsigned)((~src & 15) << 3 | (deposit ? 3 : 2)));
	e1(t, 0xf5);
	e1(t, (unsigned)(0xc0 | (d & 7) << 3 | (mask & 7)));
}
static inline void e_and_noflags(struct tx *t, int d, int s, int mask)
{
	e_bmi(t, false, d, s, mask);
	e_bmi(t, true, d, d, mask);
}
/* SHLX/SHRX d = s << or >> count register (low five bits; six with W) */
static inline void e_shiftx(struct tx *t, bool left, int d, int s, int count)
{
	e1(t, 0xc4);
	e1(t, 0x02 | (d & 8 ? 0 : 0x80) | 0x40 | (s & 8 ? 0 : 0x20));
	e1(t, (unsigned)((~count & 15) << 3 | (left ? 1 : 3)));
	e1(t, 0xf7);
	e1(t, (unsigned)(0xc0 | (d & 7) << 3 | (s & 7)));
}
/* OP REG, [BASE+DISP] in the window. */
static inline void e_gs(struct tx *t, unsigned fl, unsigned op, int reg, int base, int32_t disp)
{
	e_rm(t, fl | F_GS, op, reg, base, disp);
}
static inline uint8_t *e_jrcxz(struct tx *t) /* rel8 to patch */
{
	e2(t, 0x00e3);
	return t->p - 1;
}
static inline uint8_t *e_jmp8(struct tx *t) /* likewise */
{
	e2(t, 0x00eb);
	return t->p - 1;
}
/* Jump on host condition CC (0..15), likewise. */
static inline uint8_t *e_jcc8(struct tx *t, unsigned cc)
{
	e2(t, 0x0070 | cc);
	return t->p - 1;
}
static inline void e_here8(struct tx *t, uint8_t *at)
{
	*at = (uint8_t)(t->p - at - 1);
}
static inline void e_jmp_vcpu(struct tx *t, int32_t off)
{
	e_rm(t, 0, 0xff, 4, H_R15, off);
}
#endif
