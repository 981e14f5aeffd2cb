/* SPDX-License-Identifier: GPL-3.0-or-later
 * Emission of BMI2 instructions: shifts, rotations and masks that leave the flags alone.
 */
#ifndef BT_EMIT_BMI_H
#define BT_EMIT_BMI_H
#include "bt/emit/bytes.h"

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
static inline void e_shiftx64(struct tx *t, bool left, int d, int s, int count)
{
	e_shiftx(t, left, d, s, count);
	t->p[-3] |= 0x80;
}
#endif
