/* SPDX-License-Identifier: GPL-3.0-or-later
 * Control transfer. A near direct transfer is an exit that is chained to its target; a near indirect one
 * jumps through the context's jump table. Whatever may change privilege, mode or segments is a callout that
 * finds the next fragment itself. */
#include "bt/lower/long.h"
#include "bt/probe/emit.h"
#include "bt/runtime/callout.h"

#include "cpu/system.h"

void emit_poll(struct tx *t)
{
	int scratch = mode_long(t->mode) ? H_R11 : H_R9;
	bool probed;

	if (t->kind != TX_NORMAL)
		return;
	probed = probe_rewind(t);
	tx_mark(t, FIX_POLL, 0);
	e_ld64(t, scratch, OFF(poll));
	e_rm(t, 0, 0x8b, scratch, scratch, 0);
	tx_mark(t, FIX_NONE, 0);
	if (probed)
		probe_emit(t, &t->in[t->i]);
}

static uint64_t target_of(const struct insn *in)
{
	uint64_t to = in->next + (uint64_t)in->op[0].imm.value.s;

	return in->z.operand_width == 64 ? to : in->z.operand_width == 16 ? to & 0xffff : (uint32_t)to;
}

/* The same in 64-bit code, for a target that is not canonical. The jump tables do so themselves. */
static void check_canonical(struct tx *t, struct insn *in, int reg)
{
	if (t->kind == TX_NORMAL && !t->b->cfg.no_chain)
		return;
	if (reg != H_R8)
		e_mov64(t, H_R8, reg);
	e_st64(t, OFF(scratch[7]), H_R8);
	emit_callout(t, new_site(t, in, CO_SEGCHECK, co_cs_check));
	e_ld64(t, reg, OFF(scratch[7]));
}

/* Raise #GP at a near transfer whose target is beyond the CS limit. REG holds the target; r8 to r10 are
 * clobbered unless REG is one of them. */
static void check_target(struct tx *t, struct insn *in, int reg, unsigned size)
{
	if (mode_long(t->mode)) {
		check_canonical(t, in, reg);
		return;
	}
	if (!(t->mode & MODE_CSLIM) || (size == 2 && t->f->cs_limit >= 0xffff))
		return;
	if (reg != H_R8)
		e_mov32(t, H_R8, reg);
	e_st32(t, OFF(scratch[7]), H_R8);
	emit_callout(t, new_site(t, in, CO_SEGCHECK, co_cs_check));
	e_ld32(t, reg, OFF(scratch[7]));
}

/* Beyond the CS limit; in 64-bit code no address of a canonical form. */
static bool is_bad(const struct tx *t, uint64_t to)
{
	return mode_long(t->mode) ? !cpu_canonical(to) : to > t->f->cs_limit;
}

/* Same for a target known at translation. True if the transfer always faults. */
static bool bad_target(struct tx *t, struct insn *in, uint64_t to)
{
	if (!is_bad(t, to))
		return false;
	emit_raise(t, in, EXC_GP);
	return true;
}

static bool backward(const struct insn *in, uint64_t to)
{
	return to <= in->eip;
}

/* 64-bit code: does the TU continue behind branch I with another round of the loop that it leads back to? */
static bool again(const struct tx *t, unsigned i)
{
	const struct insn *in = &t->in[i];
	uint64_t to = target_of(in);

	return mode_long(t->mode) && backward(in, to) && i + 1 < t->n && t->in[i + 1].eip == to &&
	       t->kind == TX_NORMAL && exit_may_chain(t, in->next);
}

void long_poll_early(struct tx *t)
{
	const struct insn *in = &t->in[t->i], *next = in + 1;

	if (t->i + 1 == t->n || t->inhibited || t->kind != TX_NORMAL || next->invalid ||
	    next->z.meta.category != ZYDIS_CATEGORY_COND_BR || !backward(next, target_of(next)) ||
	    again(t, t->i + 1))
		return;
	switch (in->z.mnemonic) {
	case ZYDIS_MNEMONIC_CMP:
	case ZYDIS_MNEMONIC_TEST:
	case ZYDIS_MNEMONIC_ADD:
	case ZYDIS_MNEMONIC_SUB:
	case ZYDIS_MNEMONIC_AND:
	case ZYDIS_MNEMONIC_INC:
	case ZYDIS_MNEMONIC_DEC:
		break;
	default:
		return;
	}
	emit_poll(t);
	t->polled = t->i + 1;
}

/* Jump on host condition CC (0..15) to an exit to EIP. */
static void cond_exit(struct tx *t, unsigned cc, uint64_t eip)
{
	uint8_t *skip = e_jcc8(t, cc ^ 1);

	emit_exit(t, eip);
	e_here8(t, skip);
}

/* Does the TU continue after this conditional branch? Most forward branches are not taken, and continuing
 * saves a jump. On pages that are written as often as executed it does not: the bytes after the branch may be
 * data. */
static bool continues(const struct tx *t, const struct insn *in, uint64_t to)
{
	return to > in->next && !t->f->checked && t->i + 1 < t->n && t->in[t->i + 1].eip == in->next &&
	       t->f->nlink < MAX_FORWARD;
}

/* icount: before the exit is taken, refund the instructions charged after the branch. Returns the rel8 of the
 * jump around the exit. */
static uint8_t *refund(struct tx *t, unsigned cc)
{
	uint8_t *skip = e_jcc8(t, cc ^ 1);

	t->refund[t->nrefund].imm = e_budget(t);
	t->refund[t->nrefund++].i = t->i;
	return skip;
}

/* Emit a conditional branch: one host instruction if the exit can be chained. */
static void jcc(struct tx *t, struct insn *in)
{
	uint64_t to = target_of(in);
	bool chained = t->kind == TX_NORMAL && exit_may_chain(t, to), on;
	unsigned op = in->bytes[in->z.raw.prefix_count], cc;

	if (op == 0x0f)
		op = in->bytes[in->z.raw.prefix_count + 1];
	cc = op & 15;
	if (again(t, t->i)) {
		e2(t, 0x800f | (cc ^ 1) << 8);
		emit_link(t, in->next);
		t->low[t->i] = LOW_CHAIN;
		return;
	}
	if (backward(in, to) && !(t->polled && t->polled == t->i))
		emit_poll(t);
	if (is_bad(t, to)) {
		uint8_t *skip = e_jcc8(t, cc ^ 1);

		bad_target(t, in, to);
		e_here8(t, skip);
		emit_exit(t, in->next);
		t->done = true;
		return;
	}
	on = chained && continues(t, in, to);
	if (!chained) {
		cond_exit(t, cc, to);
	} else if (on && t->b->icount.on) {
		uint8_t *around = refund(t, cc);

		e1(t, 0xe9);
		emit_link(t, to);
		e_here8(t, around);
	} else {
		e2(t, 0x800f | cc << 8);
		emit_link(t, to);
	}
	t->low[t->i] = LOW_CHAIN;
	if (on)
		return;
	emit_exit(t, in->next);
	t->done = true;
}

/* Branch on (E)CX == 0 without changing flags or the register. Returns the rel8 of the jump taken when it is
 * zero. rcx is restored on the fall-through path; with a 16-bit address size the zero path must restore it
 * from r9. */
static uint8_t *cx_zero(struct tx *t, const struct insn *in)
{
	if (in->z.address_width == 64)
		return e_jrcxz(t);
	if (in->z.address_width == 32) {
		e1(t, 0x67);
		return e_jrcxz(t);
	}
	e_mov64(t, H_R9, H_RCX);
	e_movzx16(t, H_RCX, H_RCX);
	uint8_t *z = e_jrcxz(t);
	e_mov64(t, H_RCX, H_R9);
	return z;
}

static void zero_label(struct tx *t, const struct insn *in, uint8_t *z)
{
	e_here8(t, z);
	if (in->z.address_width == 16)
		e_mov64(t, H_RCX, H_R9);
}

static void jcxz(struct tx *t, struct insn *in)
{
	uint64_t to = target_of(in);
	uint8_t *z;

	if (backward(in, to))
		emit_poll(t);
	z = cx_zero(t, in);
	emit_exit(t, in->next);
	zero_label(t, in, z);
	if (!bad_target(t, in, to))
		emit_exit(t, to);
	t->done = true;
}

static void loop(struct tx *t, struct insn *in)
{
	uint64_t to = target_of(in);
	bool wide = in->z.address_width == 64, bad = is_bad(t, to);
	uint8_t *z, *other = NULL;

	emit_poll(t);
	if (bad)
		e_mov64(t, H_R10, H_RCX);
	e_rm(t, wide ? F_W : 0, 0x8d, H_R8, H_RCX, -1);
	e_rr(t, in->z.address_width == 16 ? F_66 : wide ? F_W : 0, 0x8b, H_RCX, H_R8);
	if (mode_long(t->mode))
		facts_count(t, wide);
	if (in->z.mnemonic != ZYDIS_MNEMONIC_LOOP) {
		e2(t, in->z.mnemonic == ZYDIS_MNEMONIC_LOOPE ? 0x0075 : 0x0074);
		other = t->p - 1;
	}
	z = cx_zero(t, in);
	if (bad) {
		e_mov64(t, H_RCX, H_R10);
		emit_raise(t, in, EXC_GP);
	} else {
		emit_exit(t, to);
	}
	zero_label(t, in, z);
	if (other)
		e_here8(t, other);
	emit_exit(t, in->next);
	t->done = true;
}

static void far_transfer(struct tx *t, struct insn *in, unsigned what)
{
	const ZydisDecodedOperand *o = &in->op[0];
	bool imm = o->type == ZYDIS_OPERAND_TYPE_POINTER;
	struct site *s;

	if (!imm)
		emit_ea(t, in);
	s = new_site(t, in, CO_FAR, imm ? co_far_imm : co_far_mem);
	s->far.op = (uint8_t)what;
	s->op = in->z.operand_width == 16 ? 2 : 4;
	if (imm) {
		s->far.offset = o->ptr.offset;
		s->far.sel = o->ptr.segment;
	}
	emit_callout(t, s);
	t->done = true;
}

static void call(struct tx *t, struct insn *in, unsigned size)
{
	if (in->z.meta.branch_type == ZYDIS_BRANCH_TYPE_FAR) {
		far_transfer(t, in, FAR_CALL);
		return;
	}
	if (in->op[0].type == ZYDIS_OPERAND_TYPE_IMMEDIATE) {
		uint64_t to = target_of(in);

		if (backward(in, to))
			emit_poll(t);
		if (bad_target(t, in, to)) {
			t->done = true;
			return;
		}
		emit_stack_push_imm(t, in->next, size);
		emit_exit(t, to);
	} else {
		emit_load_operand(t, in, 0, size);
		check_target(t, in, H_R8, size);
		if (emit_push_keeps_r8(t)) {
			emit_stack_push_imm(t, in->next, size);
		} else {
			e_st32(t, OFF(scratch[7]), H_R8);
			emit_stack_push_imm(t, in->next, size);
			e_ld32(t, H_R8, OFF(scratch[7]));
		}
		emit_indirect(t);
	}
	t->low[t->i] = LOW_CHAIN;
	t->done = true;
}

static void jmp(struct tx *t, struct insn *in, unsigned size)
{
	if (in->z.meta.branch_type == ZYDIS_BRANCH_TYPE_FAR) {
		far_transfer(t, in, FAR_JMP);
		return;
	}
	if (in->op[0].type == ZYDIS_OPERAND_TYPE_IMMEDIATE) {
		uint64_t to = target_of(in);

		if (backward(in, to))
			emit_poll(t);
		if (!bad_target(t, in, to))
			emit_exit(t, to);
	} else {
		emit_load_operand(t, in, 0, size);
		check_target(t, in, H_R8, size);
		emit_indirect(t);
	}
	t->low[t->i] = LOW_CHAIN;
	t->done = true;
}

/* RET of 64-bit code, to where the jump tables lead: POP into r8. */
static bool pop_target(struct tx *t, unsigned size, uint32_t imm)
{
	if (!mode_long(t->mode) || size != 8 || imm || t->kind != TX_NORMAL || t->b->cfg.no_chain)
		return false;
	long_probe_stack(t, H_R11);
	fact_renew(t, H_RSP, 0);
	e_rm(t, 0, 0x8b, H_R11, H_RSP, 4);
	e2(t, 0x5841); /* pop r8 */
	emit_return(t);
	t->low[t->i] = LOW_CHAIN;
	t->done = true;
	return true;
}

static void ret(struct tx *t, struct insn *in, unsigned size)
{
	bool has_imm = in->op[0].type == ZYDIS_OPERAND_TYPE_IMMEDIATE && in->z.operand_count_visible;
	uint32_t imm = has_imm ? (uint16_t)in->op[0].imm.value.u : 0;
	int to = t->mode & MODE_B ? H_R8 : H_R11; /* adjusting a 16-bit stack pointer clobbers r8 */

	if (in->z.meta.branch_type == ZYDIS_BRANCH_TYPE_FAR) {
		struct site *s = new_site(t, in, CO_FAR, co_far_ret);

		s->op = (uint8_t)size;
		s->far_ret.pop = imm;
		emit_callout(t, s);
		t->done = true;
		return;
	}
	if (pop_target(t, size, imm))
		return;
	emit_stack_peek(t, to, size);
	check_target(t, in, to, size);
	emit_stack_adjust(t, (int32_t)(size + imm));
	if (to != H_R8)
		e_mov32(t, H_R8, to);
	emit_indirect(t);
	t->low[t->i] = LOW_CHAIN;
	t->done = true;
}

static bool callout_end(struct tx *t, struct insn *in, enum callout_kind kind,
			uint64_t (*fn)(struct bt_vcpu *, struct site *, uint64_t), unsigned size,
			unsigned code, uint32_t imm)
{
	struct site *s = new_site(t, in, kind, fn);

	s->op = (uint8_t)size;
	s->interrupt.how = (uint8_t)code;
	s->interrupt.vector = imm;
	emit_callout(t, s);
	t->done = true;
	return true;
}

/* Between flat user and kernel code the entry stub repeats the transfer from the syscall cache. FROM: the
 * privilege level that the cached transfer starts at. */
static bool cached_syscall(struct tx *t, struct insn *in, unsigned which, unsigned from)
{
	bool known = t->kind == TX_NORMAL && (t->way == WAY_DEFAULT || t->way == WAY_INTC) &&
		     (t->mode & MODE_PE) && !(t->mode & MODE_VM) && (t->mode & MODE_CPL) == from << 2;
	enum callout_kind kind = which == SYSCALL_ENTER ? CO_INT : CO_IRET;
	callout_fn *fn = which == SYSCALL_ENTER ? co_sysenter : co_sysexit;
	struct site *s;

	if (!known)
		return callout_end(t, in, kind, fn, 4, 0, 0);
	s = new_site(t, in, kind, fn);
	s->syscall.mode = t->mode;
	emit_cached_syscall(t, s, which);
	t->done = true;
	return true;
}

bool lower_flow(struct tx *t, struct insn *in)
{
	unsigned size = in->z.operand_width == 16 ? 2 : in->z.operand_width == 64 ? 8 : 4;

	switch (in->z.mnemonic) {
	case ZYDIS_MNEMONIC_JMP:
		jmp(t, in, size);
		return true;
	case ZYDIS_MNEMONIC_CALL:
		call(t, in, size);
		return true;
	case ZYDIS_MNEMONIC_RET:
		ret(t, in, size);
		return true;
	case ZYDIS_MNEMONIC_JCXZ:
	case ZYDIS_MNEMONIC_JECXZ:
	case ZYDIS_MNEMONIC_JRCXZ:
		jcxz(t, in);
		return true;
	case ZYDIS_MNEMONIC_LOOP:
	case ZYDIS_MNEMONIC_LOOPE:
	case ZYDIS_MNEMONIC_LOOPNE:
		loop(t, in);
		return true;
	case ZYDIS_MNEMONIC_IRET:
	case ZYDIS_MNEMONIC_IRETD:
		return callout_end(t, in, CO_IRET, co_iret, size, 0, 0);
	case ZYDIS_MNEMONIC_INT:
		return callout_end(t, in, CO_INT, co_int, size, CPU_INT_N, (uint8_t)in->op[0].imm.value.u);
	case ZYDIS_MNEMONIC_INT3:
		return callout_end(t, in, CO_INT, co_int, size, CPU_INT3, EXC_BP);
	case ZYDIS_MNEMONIC_INT1:
		return callout_end(t, in, CO_INT, co_int, size, CPU_INT1, EXC_DB);
	case ZYDIS_MNEMONIC_INTO:
		/* jno around the exit */
		e2(t, 0x0071);
		{
			uint8_t *no = t->p - 1;

			callout_end(t, in, CO_INT, co_int, size, CPU_INTO, EXC_OF);
			e_here8(t, no);
		}
		emit_exit(t, in->next);
		return true;
	case ZYDIS_MNEMONIC_SYSENTER:
		return cached_syscall(t, in, SYSCALL_ENTER, 3);
	case ZYDIS_MNEMONIC_SYSEXIT:
		return cached_syscall(t, in, SYSCALL_LEAVE, 0);
	case ZYDIS_MNEMONIC_HLT:
		return callout_end(t, in, CO_HLT, co_hlt, size, 0, 0);
	default:
		break;
	}
	if (in->z.meta.category == ZYDIS_CATEGORY_COND_BR &&
	    in->z.encoding == ZYDIS_INSTRUCTION_ENCODING_LEGACY) {
		jcc(t, in);
		return true;
	}
	return false;
}
