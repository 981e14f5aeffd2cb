/* SPDX-License-Identifier: GPL-3.0-or-later
 * PUSH, POP and related instructions of 64-bit code. Host rsp is the guest's plus D, so they are the host's
 * own behind a probe of rsp. Signals run on another stack. */
#include "bt/lower/long.h"
#include "bt/runtime/callout.h"

static const struct host_mem top = { .base = H_RSP, .index = NO_REG };

static struct host_mem in_vcpu(int32_t off)
{
	return (struct host_mem){ .base = NO_REG, .index = NO_REG, .vcpu = true, .disp = off };
}

static unsigned width(unsigned size)
{
	return size == 2 ? F_66 : 0;
}

/* The top of the stack is about to be accessed. */
static void reach_stack(struct tx *t, int r)
{
	long_probe_stack(t, r);
	fact_renew(t, H_RSP, 0);
}

/* ---- through callouts: the stack is where no direct access leads ---- */

/* Push what is in scratch[3]; r8 is kept. */
static void device_push(struct tx *t, unsigned size)
{
	struct site *s = new_site(t, &t->in[t->i], CO_MMIO, co_mmio_push);

	s->op = (uint8_t)size;
	e_st64(t, OFF(scratch[2]), H_R8);
	emit_callout(t, s);
	e_ld64(t, H_R8, OFF(scratch[2]));
}

/* REG = SIZE bytes at the linear address in r8. */
static void device_peek(struct tx *t, int reg, unsigned size)
{
	struct site *s = new_site(t, &t->in[t->i], CO_MMIO, co_mmio_peek);

	s->op = (uint8_t)size;
	emit_callout(t, s);
	e_ld64(t, reg, OFF(scratch[3]));
}

/* ---- for all families ---- */

void long_push_reg(struct tx *t, int reg, unsigned size)
{
	if (t->kind == TX_MMIO) {
		e_st64(t, OFF(scratch[3]), reg);
		device_push(t, size);
		return;
	}
	reach_stack(t, reg == H_R11 ? H_R8 : H_R11);
	e_prefix(t, width(size), 0, 0, reg);
	e1(t, 0x50 | (reg & 7));
}

void long_push_imm(struct tx *t, uint64_t imm, unsigned size)
{
	bool fits = (uint64_t)(int32_t)imm == imm;

	if (t->kind == TX_MMIO) {
		e_mov_const(t, H_R11, imm);
		e_st64(t, OFF(scratch[3]), H_R11);
		device_push(t, size);
		return;
	}
	reach_stack(t, H_R11);
	if (size == 2) {
		e2(t, 0x6866);
		e2(t, (uint16_t)imm);
	} else if (fits) {
		e1(t, 0x68);
		e4(t, (uint32_t)imm);
	} else {
		e_mov_address(t, H_R11, imm); /* PUSH has none that long: it is CALL's */
		e2(t, 0x5341);		      /* push r11 */
	}
}

bool long_push_keeps_r8(const struct tx *t)
{
	(void)t;
	return true;
}

void long_peek(struct tx *t, int reg, unsigned size)
{
	if (t->kind == TX_MMIO) {
		long_reg_get(t, H_R8, H_RSP);
		device_peek(t, reg, size);
		return;
	}
	reach_stack(t, H_R11);
	e_mem(t, size == 8 ? F_W : size == 2 ? F_0F : 0, size == 2 ? 0xb7 : 0x8b, reg, &top);
}

void long_adjust(struct tx *t, int32_t by)
{
	e_lea64(t, H_RSP, &(struct host_mem){ .base = H_RSP, .index = NO_REG, .disp = by });
}

/* ---- PUSH and POP ---- */

static void push_memory(struct tx *t, struct insn *in, unsigned size)
{
	struct host_form f = form_of(in);
	struct host_mem m;

	if (t->kind == TX_MMIO) {
		long_load(t, in, 0, size);
		long_push_reg(t, H_R8, size);
		return;
	}
	reach_stack(t, H_R11);
	long_operand(t, in, &m);
	f.mem = &m;
	put_form(t, in, &f);
}

static void push_register(struct tx *t, int n, unsigned size)
{
	struct host_mem m = in_vcpu(OFF_GPR(n));

	if (long_home(n) == HOME_HOST) {
		long_push_reg(t, n, size);
	} else if (long_home(n) == HOME_VCPU && t->kind != TX_MMIO) {
		reach_stack(t, H_R11);
		e_mem(t, width(size), 0xff, 6, &m);
	} else {
		long_reg_get(t, H_R11, n);
		long_push_reg(t, H_R11, size);
	}
}

static bool is_segment(const ZydisDecodedOperand *o)
{
	return o->type == ZYDIS_OPERAND_TYPE_REGISTER && o->reg.value >= ZYDIS_REGISTER_ES &&
	       o->reg.value <= ZYDIS_REGISTER_GS;
}

static void push(struct tx *t, struct insn *in, unsigned size)
{
	const ZydisDecodedOperand *o = &in->op[0];

	if (o->type == ZYDIS_OPERAND_TYPE_IMMEDIATE) {
		long_push_imm(t, (uint64_t)o->imm.value.s, size);
	} else if (is_segment(o)) {
		t->low[t->i] = LOW_INTC;
		e_ldzx16(t, H_R11, OFF_SEG(ZydisRegisterGetId(o->reg.value), sel));
		long_push_reg(t, H_R11, size);
	} else if (o->type == ZYDIS_OPERAND_TYPE_REGISTER) {
		push_register(t, long_number(o->reg.value), size);
	} else {
		push_memory(t, in, size);
	}
}

/* The address of POP uses rsp as it is behind the instruction: a host form with rsp does so itself. */
static void pop_memory(struct tx *t, struct insn *in, unsigned size)
{
	struct host_form f = form_of(in);
	bool stack = in->op[0].mem.base == ZYDIS_REGISTER_RSP || in->op[0].mem.base == ZYDIS_REGISTER_ESP;
	struct host_mem m;

	if (t->kind == TX_MMIO) {
		long_peek(t, H_R11, size);
		e_st64(t, OFF(scratch[4]), H_R11);
		long_linear(t, in);
		if (stack)
			e_lea64(t, H_R8,
				&(struct host_mem){ .base = H_R8, .index = NO_REG, .disp = (int32_t)size });
		e_st64(t, OFF(exit.mmio_lin), H_R8);
		e_ld64(t, H_R11, OFF(scratch[4]));
		e_st64(t, OFF(bounce), H_R11);
		long_device_end(t, in);
		long_adjust(t, (int32_t)size);
		return;
	}
	reach_stack(t, H_R11);
	long_operand(t, in, &m);
	if (stack && m.base != H_RSP)
		m.disp += (int32_t)size;
	f.mem = &m;
	put_form(t, in, &f);
}

static void pop_register(struct tx *t, struct insn *in, int n, unsigned size)
{
	struct host_form f = form_of(in);
	struct host_mem m = in_vcpu(OFF_GPR(n));

	if (t->kind == TX_MMIO) {
		long_peek(t, H_R11, size);
		if (n != H_RSP)
			long_adjust(t, (int32_t)size);
		if (size == 8) {
			long_reg_set(t, n, H_R11);
		} else if (long_home(n) == HOME_VCPU) {
			e_mem(t, F_66, 0x89, H_R11, &m);
		} else {
			if (n == H_RSP)
				long_adjust(t, 2);
			e_rr(t, F_66, 0x8b, n, H_R11);
		}
		return;
	}
	reach_stack(t, H_R11);
	if (long_home(n) == HOME_VCPU) {
		e_mem(t, width(size), 0x8f, 0, &m);
	} else if (n == H_RSP && size == 8) {
		e2(t, 0x5b41); /* pop r11 */
		long_reg_set(t, H_RSP, H_R11);
	} else {
		put_form(t, in, &f);
	}
}

static void pop(struct tx *t, struct insn *in, unsigned size)
{
	const ZydisDecodedOperand *o = &in->op[0];

	if (o->type == ZYDIS_OPERAND_TYPE_MEMORY) {
		pop_memory(t, in, size);
	} else if (is_segment(o)) {
		long_peek(t, H_R8, 2);
		emit_load_seg(t, in, (enum seg)ZydisRegisterGetId(o->reg.value), size);
	} else {
		pop_register(t, in, long_number(o->reg.value), size);
	}
}

/* ---- frames ---- */

/* RSP = RBP, then POP RBP; no register changes before the load has succeeded. */
static void leave(struct tx *t, unsigned size)
{
	struct host_mem m = { .base = H_RBP, .index = H_D };

	if (t->kind == TX_MMIO) {
		e_mov64(t, H_R8, H_RBP);
		device_peek(t, H_R11, size);
	} else {
		if (!fact_covers(t, H_RBP, 0))
			long_probe(t, H_RBP);
		fact_learn(t, H_RBP);
		e_mem(t, size == 2 ? F_0F : F_W, size == 2 ? 0xb7 : 0x8b, H_R11, &m);
	}
	m.disp = (int32_t)size;
	e_lea64(t, H_RSP, &m);
	e_rr(t, size == 2 ? F_66 : F_W, 0x8b, H_RBP, H_R11);
}

static void enter(struct tx *t, struct insn *in, unsigned size)
{
	uint16_t bytes = (uint16_t)in->op[0].imm.value.u;
	unsigned level = (unsigned)in->op[1].imm.value.u & 31;
	struct site *s;

	if (!level && size == 8) {
		long_push_reg(t, H_RBP, 8);
		long_reg_get(t, H_RBP, H_RSP);
		long_adjust(t, -(int32_t)bytes);
		return;
	}
	s = new_site(t, in, CO_OTHER, co_enter);
	s->op = (uint8_t)size;
	s->enter.bytes = bytes;
	s->enter.level = (uint8_t)level;
	emit_callout(t, s);
}

bool lower_long_stack(struct tx *t, struct insn *in)
{
	unsigned size = in->z.operand_width == 16 ? 2 : 8;

	switch (in->z.mnemonic) {
	case ZYDIS_MNEMONIC_PUSH:
		push(t, in, size);
		return true;
	case ZYDIS_MNEMONIC_POP:
		pop(t, in, size);
		return true;
	case ZYDIS_MNEMONIC_LEAVE:
		leave(t, size);
		return true;
	case ZYDIS_MNEMONIC_ENTER:
		enter(t, in, size);
		return true;
	default:
		return false;
	}
}
