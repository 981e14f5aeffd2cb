/* SPDX-License-Identifier: GPL-3.0-or-later
 * PUSH, POP and related instructions. rsp holds the guest's ESP, so no host stack instruction is ever
 * emitted. A push is a store through the window followed by an LEA; this order leaves ESP unchanged if the
 * store faults. */
#include "bt/lower/family.h"
#include "bt/runtime/callout.h"

static bool flat_stack(const struct tx *t)
{
	return (t->mode & MODE_B) && mode_seg(t->mode, SEG_SS) == SEGC_FLAT && t->kind != TX_MMIO;
}

/* r8d = linear address of SS:[SP+DISP] */
static void stack_linear(struct tx *t, int32_t disp, unsigned size, bool write)
{
	e_lea32(t, H_R8, H_RSP, disp);
	if (!(t->mode & MODE_B))
		e_movzx16(t, H_R8, H_R8);
	emit_seg(t, SEG_SS, size, !(t->mode & MODE_B), write);
}

/* Precheck a stack access; a flat stack needs the linear address for nothing else. */
static void precheck_stack(struct tx *t, int32_t disp, unsigned size, bool write, const struct access *a)
{
	if (!site_prechecks(t, &t->in[t->i]))
		return;
	e_lea32(t, H_R8, H_RSP, disp);
	emit_precheck_r8(t, size, write, a);
}

/* The stack is in device memory: push r11 by callout, which preserves it. */
static void mmio_push(struct tx *t, unsigned size)
{
	struct site *s = new_site(t, &t->in[t->i], CO_MMIO, co_mmio_push);

	s->op = (uint8_t)size;
	e_st64(t, OFF(scratch[2]), H_R11);
	emit_callout(t, s);
	e_ld64(t, H_R11, OFF(scratch[2]));
}

/* REG = SIZE bytes of SS at the offset in FROM. */
static void mmio_peek(struct tx *t, int reg, int from, unsigned size)
{
	struct site *s = new_site(t, &t->in[t->i], CO_MMIO, co_mmio_peek);

	s->op = (uint8_t)size;
	e_mov32(t, H_R8, from);
	emit_callout(t, s);
	e_ld32(t, reg, OFF(scratch[3]));
}

void win_push_reg(struct tx *t, int reg, unsigned size)
{
	struct access a = { .fl = size == 2 ? F_66 : 0, .op = 0x89, .reg = reg };

	if (t->kind == TX_MMIO) {
		e_st32(t, OFF(scratch[3]), reg);
		mmio_push(t, size);
		return;
	}
	if (flat_stack(t)) {
		precheck_stack(t, -(int32_t)size, size, true, &a);
		e_gs(t, a.fl, a.op, reg, H_RSP, -(int32_t)size);
	} else {
		stack_linear(t, -(int32_t)size, size, true);
		emit_precheck_r8(t, size, true, &a);
		e_gs(t, a.fl, a.op, reg, H_R8, 0);
	}
	emit_precheck_end(t);
	emit_stack_adjust(t, -(int32_t)size);
}

bool win_push_keeps_r8(const struct tx *t)
{
	return flat_stack(t) && !site_prechecks(t, &t->in[t->i]);
}

void win_push_imm(struct tx *t, uint64_t imm, unsigned size)
{
	uint32_t v = (uint32_t)imm;
	struct access a = { .fl = size == 2 ? F_66 : 0, .op = 0xc7, .imm = v, .imm_bytes = size };

	if (t->kind == TX_MMIO) {
		e_st32i(t, OFF(scratch[3]), v);
		mmio_push(t, size);
		return;
	}
	if (flat_stack(t)) {
		precheck_stack(t, -(int32_t)size, size, true, &a);
		e_gs(t, a.fl, a.op, 0, H_RSP, -(int32_t)size);
	} else {
		stack_linear(t, -(int32_t)size, size, true);
		emit_precheck_r8(t, size, true, &a);
		e_gs(t, a.fl, a.op, 0, H_R8, 0);
	}
	if (size == 2)
		e2(t, v);
	else
		e4(t, v);
	emit_precheck_end(t);
	emit_stack_adjust(t, -(int32_t)size);
}

/* REG (r11 or r8; not ESP) = top of stack, zero-extended; ESP is unchanged. */
void win_peek(struct tx *t, int reg, unsigned size)
{
	struct access a = { .fl = size == 2 ? F_0F : 0, .op = size == 2 ? 0xb7 : 0x8b, .reg = reg };

	if (t->kind == TX_MMIO) {
		mmio_peek(t, reg, H_RSP, size);
		return;
	}
	if (flat_stack(t)) {
		precheck_stack(t, 0, size, false, &a);
		e_gs(t, a.fl, a.op, reg, H_RSP, 0);
		emit_precheck_end(t);
		return;
	}
	stack_linear(t, 0, size, false);
	emit_precheck_r8(t, size, false, &a);
	e_gs(t, a.fl, a.op, reg, H_R8, 0);
	emit_precheck_end(t);
}

static void push(struct tx *t, struct insn *in, unsigned size)
{
	const ZydisDecodedOperand *o = &in->op[0];

	if (o->type == ZYDIS_OPERAND_TYPE_IMMEDIATE) {
		emit_stack_push_imm(t, (uint32_t)o->imm.value.s, size);
	} else if (o->type == ZYDIS_OPERAND_TYPE_REGISTER && o->reg.value >= ZYDIS_REGISTER_ES &&
		   o->reg.value <= ZYDIS_REGISTER_GS) {
		if (t->way == WAY_TRAP || t->way == WAY_CALLOUT) {
			struct site *s = new_site(t, in, CO_SYSTEM, co_push_sreg);

			s->op = (uint8_t)size;
			s->regs.other = (uint8_t)ZydisRegisterGetId(o->reg.value);
			emit_callout(t, s);
			return;
		}
		t->low[t->i] = LOW_INTC;
		e_ldzx16(t, H_R11, OFF_SEG(ZydisRegisterGetId(o->reg.value), sel));
		emit_stack_push_reg(t, H_R11, size);
	} else if (o->type == ZYDIS_OPERAND_TYPE_REGISTER) {
		emit_stack_push_reg(t, ZydisRegisterGetId(o->reg.value), size);
	} else {
		emit_load_operand(t, in, 0, size);
		e_mov32(t, H_R11, H_R8);
		emit_stack_push_reg(t, H_R11, size);
	}
}

/* POP to memory: the effective address uses ESP after the pop. */
static void pop_mem(struct tx *t, struct insn *in, unsigned size)
{
	bool esp_based = in->op[0].mem.base == ZYDIS_REGISTER_ESP;

	emit_stack_peek(t, H_R11, size);
	emit_ea(t, in);
	if (esp_based)
		e_lea32(t, H_R8, H_R8, (int32_t)size);
	emit_seg(t, in->seg, size, in->z.address_width == 16, true);
	if (t->kind == TX_MMIO) {
		struct site *s = new_site(t, in, CO_MMIO, co_mmio_end);

		s->mmio.size = size;
		e_st32(t, OFF(exit.mmio_lin), H_R8);
		e_st32(t, OFF(bounce), H_R11);
		emit_callout(t, s);
	} else {
		e_gs(t, size == 2 ? F_66 : 0, 0x89, H_R11, H_R8, 0);
	}
	emit_stack_adjust(t, (int32_t)size);
}

static void pop(struct tx *t, struct insn *in, unsigned size)
{
	const ZydisDecodedOperand *o = &in->op[0];
	int r;

	if (o->type == ZYDIS_OPERAND_TYPE_MEMORY) {
		pop_mem(t, in, size);
		return;
	}
	if (o->reg.value >= ZYDIS_REGISTER_ES && o->reg.value <= ZYDIS_REGISTER_GS) {
		emit_stack_peek(t, H_R8, 2);
		emit_load_seg(t, in, (enum seg)ZydisRegisterGetId(o->reg.value), size);
		return;
	}
	r = ZydisRegisterGetId(o->reg.value);
	if (r == H_RSP) { /* POP ESP: the popped value wins over the increment */
		emit_stack_peek(t, H_R11, size);
		if (size == 2)
			emit_stack_adjust(t, 2);
		e_rr(t, size == 2 ? F_66 : 0, 0x8b, H_RSP, H_R11);
	} else if (size == 2) {
		emit_stack_peek(t, H_R11, 2);
		emit_stack_adjust(t, 2);
		e_rr(t, F_66, 0x8b, r, H_R11);
	} else {
		emit_stack_peek(t, r, 4);
		emit_stack_adjust(t, 4);
	}
}

/* LEAVE: SP = BP, then POP BP; no register changes before the load has succeeded. */
static void leave(struct tx *t, unsigned size)
{
	unsigned fl = size == 2 ? F_0F : 0, op = size == 2 ? 0xb7 : 0x8b;

	if (t->kind == TX_MMIO) {
		mmio_peek(t, H_R11, H_RBP, size);
	} else if (flat_stack(t)) {
		e_gs(t, fl, op, H_R11, H_RBP, 0);
	} else {
		e_mov32(t, H_R8, H_RBP);
		if (!(t->mode & MODE_B))
			e_movzx16(t, H_R8, H_R8);
		emit_seg(t, SEG_SS, size, !(t->mode & MODE_B), false);
		e_gs(t, fl, op, H_R11, H_R8, 0);
	}
	if (t->mode & MODE_B)
		e_mov32(t, H_RSP, H_RBP);
	else
		e_rr(t, F_66, 0x8b, H_RSP, H_RBP);
	emit_stack_adjust(t, (int32_t)size);
	e_rr(t, size == 2 ? F_66 : 0, 0x8b, H_RBP, H_R11);
}

/* REG = host flags as PUSHFQ stores them. rsp points into the vCPU's scratch[] meanwhile: the guest's ESP is
 * no host stack. */
static void host_flags_to(struct tx *t, int reg)
{
	e_mov64(t, H_R8, H_RSP);
	e_rm(t, F_W, 0x8d, H_RSP, H_R15, OFF(scratch[8]));
	e1(t, 0x9c);
	if (reg & 8)
		e1(t, 0x41);
	e1(t, 0x58 | (reg & 7));
	e_mov64(t, H_RSP, H_R8);
}

static bool flags_inline(const struct tx *t)
{
	return !(t->mode & MODE_VM) && (!(t->mode & MODE_PE) || !(t->mode & MODE_CPL)) &&
	       t->kind == TX_NORMAL;
}

void emit_flags_image(struct tx *t)
{
	host_flags_to(t, H_R9);
	e_movi32(t, H_R10, FL_HOST);
	e_and_noflags(t, H_R11, H_R9, H_R10);
	e_ldzx8(t, H_R9, OFF_CPU(intf));
	e_rorx32(t, H_R9, H_R9, 32 - 9);
	e_rmi(t, 0, 0x8d, H_R11, H_R11, H_R9, 0, FL_ONE);
	e_ld32(t, H_R9, OFF_CPU(sysflags));
	/* VM and RF read as zero in the image; neither can be set here */
	e_rmi(t, 0, 0x8d, H_R11, H_R11, H_R9, 0, 0);
}

/* PUSHF in the TC: arithmetic flags from the host, the others from the vCPU. */
static void pushf(struct tx *t, struct insn *in, unsigned size)
{
	if ((t->mode & MODE_VM) || t->way == WAY_TRAP || t->way == WAY_CALLOUT) {
		struct site *s = new_site(t, in, CO_FLAGS, co_pushf);

		s->op = (uint8_t)size;
		emit_callout(t, s);
		return;
	}
	t->low[t->i] = LOW_INTC;
	emit_flags_image(t);
	emit_stack_push_reg(t, H_R11, size);
}

void emit_set_flags(struct tx *t, struct insn *in, struct site *s, unsigned size)
{
	/* system bits of the image, compared with the current ones */
	e_movi32(t, H_R10, SYSFLAGS_COMPARED);
	e_and_noflags(t, H_R9, H_R11, H_R10);
	e_mov64(t, H_R8, H_RCX);
	/* equal iff new + (-old) == 0; -old is kept in the vCPU because a subtraction would change flags */
	e_ld32(t, H_R10, OFF(sysflags_neg));
	e_rmi(t, 0, 0x8d, H_RCX, H_R9, H_R10, 0, 0);
	uint8_t *same = e_jrcxz(t);
	e_mov64(t, H_RCX, H_R8);
	emit_callout(t, s);
	e_here8(t, same);
	e_mov64(t, H_RCX, H_R8);
	/* IF */
	e_movi32(t, H_R10, FL_IF);
	e_bmi(t, false, H_R9, H_R11, H_R10);
	e_rm(t, F_8, 0x88, H_R9, H_R15, OFF_CPU(intf));
	/* the rest into the host's flags */
	e_movi32(t, H_R10, FL_HOST);
	e_and_noflags(t, H_R11, H_R11, H_R10);
	emit_stack_adjust(t, (int32_t)size);
	e_mov64(t, H_R8, H_RSP);
	e_rm(t, F_W, 0x8d, H_RSP, H_R15, OFF(scratch[8]));
	e1(t, 0x41);
	e1(t, 0x50 | (H_R11 & 7));
	e1(t, 0x9d);
	e_mov64(t, H_RSP, H_R8);
	/* an interrupt may be pending now that IF is set */
	e_mov64(t, H_R8, H_RCX);
	e_movzx8(t, H_RCX, H_R9);
	uint8_t *off = e_jrcxz(t);
	e_mov64(t, H_RCX, H_R8);
	emit_intr_check(t, in->next);
	e_mov64(t, H_R8, H_RCX);
	e_here8(t, off);
	e_mov64(t, H_RCX, H_R8);
}

/* POPF at CPL 0, in line if only arithmetic flags, DF and IF may change; if another bit differs, the callout
 * does it. */
static void popf(struct tx *t, struct insn *in, unsigned size)
{
	struct site *s = new_site(t, in, CO_FLAGS, co_popf);

	s->op = (uint8_t)size;
	if (!flags_inline(t) || size == 2 || t->way == WAY_TRAP || t->way == WAY_CALLOUT) {
		emit_callout(t, s);
		t->done = true;
		return;
	}
	t->low[t->i] = LOW_INTC;
	emit_stack_peek(t, H_R11, 4);
	emit_set_flags(t, in, s, size);
}

bool lower_stack(struct tx *t, struct insn *in)
{
	unsigned size = in->z.operand_width == 16 ? 2 : 4;
	struct site *s;

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
	case ZYDIS_MNEMONIC_PUSHF:
	case ZYDIS_MNEMONIC_PUSHFD:
		pushf(t, in, size);
		return true;
	case ZYDIS_MNEMONIC_POPF:
	case ZYDIS_MNEMONIC_POPFD:
		popf(t, in, size);
		return true;
	case ZYDIS_MNEMONIC_PUSHA:
	case ZYDIS_MNEMONIC_PUSHAD:
		s = new_site(t, in, CO_OTHER, co_pusha);
		break;
	case ZYDIS_MNEMONIC_POPA:
	case ZYDIS_MNEMONIC_POPAD:
		s = new_site(t, in, CO_OTHER, co_popa);
		break;
	case ZYDIS_MNEMONIC_ENTER:
		s = new_site(t, in, CO_OTHER, co_enter);
		s->enter.bytes = (uint16_t)in->op[0].imm.value.u;
		s->enter.level = (uint32_t)in->op[1].imm.value.u & 31;
		break;
	default:
		return false;
	}
	s->op = (uint8_t)size;
	emit_callout(t, s);
	return true;
}
