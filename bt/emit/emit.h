/* SPDX-License-Identifier: GPL-3.0-or-later
 * Host code emission: the few instruction shapes that lowering is composed of. Nothing here or in the
 * headers it includes changes host flags unless its name or the opcode says so.
 */
#ifndef BT_EMIT_EMIT_H
#define BT_EMIT_EMIT_H
#include "bt/emit/bmi.h"
#include "bt/emit/bytes.h"

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
