/* SPDX-License-Identifier: GPL-3.0-or-later
 * Callouts of what 64-bit mode lost: PUSHA, ENTER, BOUND, BCD. Built with
 * -mgeneral-regs-only (base/gpr.h). */
#include "bt/runtime/callout_int.h"

#include "cpu/system.h"

/* ---- what 64-bit mode lost ---- */

uint64_t co_pusha(struct bt_vcpu *b, struct site *s, uint64_t ea)
{
	struct cpu *c = &b->v.cpu;
	uint64_t esp = c->gpr[R_ESP];

	(void)ea;
	callout_begin(b, s);
	for (unsigned r = R_EAX; r <= R_EDI; r++)
		if (cpu_push(&b->v, (uint32_t)(r == R_ESP ? esp : c->gpr[r]), s->op)) {
			c->gpr[R_ESP] = esp;
			return callout_raise(b, s);
		}
	return callout_done(b, s, 0);
}

uint64_t co_popa(struct bt_vcpu *b, struct site *s, uint64_t ea)
{
	struct cpu *c = &b->v.cpu;
	uint64_t esp = c->gpr[R_ESP];
	uint64_t v[8] = { 0 };

	(void)ea;
	callout_begin(b, s);
	for (int r = R_EDI; r >= R_EAX; r--)
		if (cpu_pop(&b->v, &v[r], s->op)) {
			c->gpr[R_ESP] = esp;
			return callout_raise(b, s);
		}
	for (unsigned r = R_EAX; r <= R_EDI; r++)
		if (r != R_ESP)
			callout_set_reg(c, r, s->op, v[r]);
	return callout_done(b, s, 0);
}

/* Bytes of the stack pointer that count, and an address by so many. */
static unsigned stack_width(const struct cpu *c)
{
	return cpu_64(c) ? 8 : c->seg[SEG_SS].attr & SA_DB ? 4 : 2;
}
static uint64_t stack_offset(uint64_t at, unsigned width)
{
	return width == 8 ? at : width == 4 ? (uint32_t)at : at & 0xffff;
}

/* A write of the operand size at the final ESP must be possible, though ENTER makes none (SDM vol. 2A). */
uint64_t co_enter(struct bt_vcpu *b, struct site *s, uint64_t ea)
{
	struct cpu *c = &b->v.cpu;
	uint64_t esp = c->gpr[R_ESP], ebp = c->gpr[R_EBP], frame, v, end;
	unsigned width = stack_width(c);

	(void)ea;
	callout_begin(b, s);
	if (cpu_push(&b->v, ebp, s->op))
		return callout_raise(b, s);
	frame = c->gpr[R_ESP];
	for (unsigned i = 1; i <= s->enter.level; i++) {
		if (i < s->enter.level) {
			ebp -= s->op;
			v = 0;
			if (cpu_read(&b->v, SEG_SS, stack_offset(ebp, width), &v, s->op))
				goto fault;
		} else {
			v = frame;
		}
		if (cpu_push(&b->v, v, s->op))
			goto fault;
	}
	end = c->gpr[R_ESP] - s->enter.bytes;
	if (cpu_check_write(&b->v, SEG_SS, stack_offset(end, width), s->op))
		goto fault;
	callout_set_reg(c, R_ESP, width, end);
	callout_set_reg(c, R_EBP, s->op, frame);
	return callout_done(b, s, 0);
fault:
	c->gpr[R_ESP] = esp;
	return callout_raise(b, s);
}

uint64_t co_bound(struct bt_vcpu *b, struct site *s, uint64_t ea)
{
	struct cpu *c = &b->v.cpu;
	int32_t lo, hi, v;

	callout_begin(b, s);
	if (s->op == 2) {
		int16_t p[2];

		if (cpu_read(&b->v, s->seg, ea, p, 4))
			return callout_raise(b, s);
		lo = p[0];
		hi = p[1];
		v = (int16_t)c->gpr[s->regs.reg];
	} else {
		int32_t p[2];

		if (cpu_read(&b->v, s->seg, ea, p, 8))
			return callout_raise(b, s);
		lo = p[0];
		hi = p[1];
		v = (int32_t)c->gpr[s->regs.reg];
	}
	if (v >= lo && v <= hi)
		return callout_done(b, s, 0);
	cpu_raise(c, EXC_BR);
	return callout_raise(b, s);
}

static uint32_t szp(uint8_t v)
{
	return (v & 0x80 ? FL_SF : 0) | (v ? 0 : FL_ZF) | (__builtin_popcount(v) & 1 ? 0 : FL_PF);
}

/* SDM vol. 2: DAA, DAS, AAA, AAS, AAM, AAD. Undefined flags follow the host's
 * family as tests/conform masks them. */
uint64_t co_bcd(struct bt_vcpu *b, struct site *s, uint64_t ea)
{
	struct cpu *c = &b->v.cpu;
	uint8_t al = (uint8_t)c->gpr[R_EAX], ah = (uint8_t)(c->gpr[R_EAX] >> 8), old = al;
	uint32_t f = c->flags, cf = f & FL_CF, af = f & FL_AF, of = f & FL_OF;
	bool low = (al & 0xf) > 9 || af;

	(void)ea;
	callout_begin(b, s);
	switch (s->bcd.op) {
	case BCD_DAA:
	case BCD_DAS: {
		int sign = s->bcd.op == BCD_DAA ? 1 : -1;
		bool high = old > 0x99 || cf;

		cf = 0;
		if (low) {
			cf = (f & FL_CF) || (sign > 0 ? old > 0xff - 6 : old < 6) ? FL_CF : 0;
			al = (uint8_t)(al + sign * 6);
		}
		af = low ? FL_AF : 0;
		if (high) {
			al = (uint8_t)(al + sign * 0x60);
			cf = FL_CF;
		} else if (s->bcd.op == BCD_DAA) {
			cf = 0;
		}
		f = szp(al) | cf | af | of;
		break;
	}
	case BCD_AAA:
	case BCD_AAS: {
		uint16_t ax = (uint16_t)(ah << 8 | al);

		if (low)
			ax = s->bcd.op == BCD_AAA ? (uint16_t)(ax + 0x106) : (uint16_t)(ax - 0x106);
		al = ax & 0xf;
		ah = (uint8_t)(ax >> 8);
		f = szp(al) | (low ? FL_CF | FL_AF : 0);
		break;
	}
	case BCD_AAM:
		if (!s->bcd.base) {
			cpu_raise(c, EXC_DE);
			return callout_raise(b, s);
		}
		ah = (uint8_t)(al / s->bcd.base);
		al = (uint8_t)(al % s->bcd.base);
		f = szp(al);
		break;
	case BCD_AAD:
		al = (uint8_t)(al + ah * s->bcd.base);
		ah = 0;
		f = szp(al);
		break;
	default: /* SALC: undocumented, AL = CF ? FF : 00 */
		al = cf ? 0xff : 0;
		f &= FL_ARITH;
		break;
	}
	callout_set_reg(c, R_EAX, 2, (uint32_t)ah << 8 | al);
	c->flags = (c->flags & ~FL_ARITH) | f;
	return 0;
}
