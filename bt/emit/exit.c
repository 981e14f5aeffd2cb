/* SPDX-License-Identifier: GPL-3.0-or-later
 * Ways out of a fragment: callouts, exceptions, polls, direct and indirect exits. Owns the emission of call
 * sites; which stub serves an exit at run time is runtime/'s concern. */
#include "bt/emit/exit.h"
#include "bt/adapt/policy.h"
#include "bt/cache/cache.h"
#include "bt/cache/chain.h"
#include "bt/emit/long.h"
#include "bt/runtime/callout.h"
#include "bt/runtime/dispatch.h"

#include <string.h>

/* Kinds of callout that serve an operand, or stored pointers, rather than a sensitive instruction. */
static bool serves_operand(unsigned kind)
{
	return kind == CO_SEGCHECK || kind == CO_MMIO || kind == CO_PRECHECK || kind == CO_PROBE ||
	       kind == CO_X87;
}

struct site *new_site(struct tx *t, struct insn *in, enum callout_kind kind,
		      uint64_t (*fn)(struct bt_vcpu *, struct site *, uint64_t))
{
	struct site *s = arena_alloc(t->b, sizeof(*s));

	if (t->nsites < ARRAY_LEN(t->sites))
		t->sites[t->nsites++] = s;
	else
		t->fixed = true;
	s->fn = fn;
	s->ccf = t->f;
	s->eip = in->eip;
	s->next = in->next;
	s->insn = (uint8_t)t->i;
	s->op = (uint8_t)(in->z.operand_width / 8);
	s->asize = (uint8_t)(in->z.address_width / 8);
	s->seg = (uint8_t)in->seg;
	s->mem = in->mem >= 0;
	s->kind = (uint8_t)kind;
	/* Callouts for operands are counted apart from the instruction's own sensitive kind. */
	s->slot = CALL_SLOT(kind, serves_operand(kind) ? SENS_KINDS : policy_kind(in));
	return s;
}

/* The stubs of a mode: their addresses in the vCPU. */
struct ways_out {
	int32_t callout, callout_fpu, exit;
};
static const struct ways_out *ways_out(const struct tx *t)
{
	static const struct ways_out narrow = { OFF(stubs.callout), OFF(stubs.callout_fpu), OFF(stubs.exit) };
	static const struct ways_out wide = { OFF(stubs.long_callout), OFF(stubs.long_callout_fpu),
					      OFF(stubs.long_exit) };

	return mode_long(t->mode) ? &wide : &narrow;
}

/* The stubs find the vCPU in r15, which is the guest's in 64-bit code. */
static void load_vcpu(struct tx *t)
{
	if (!mode_long(t->mode))
		return;
	e_st64(t, OFF_GPR(15), H_R15);
	e_movi32(t, H_R15, (uint32_t)(uint64_t)t->b);
}

void emit_monitor_call(struct tx *t, const void *site)
{
	if (mode_long(t->mode)) { /* most fragments have two or three of these */
		e_movi64(t, H_R9, (uint64_t)site);
		e1(t, 0xe9);
		e4(t, t->b->tc.long_call - tx_host(t) - 4);
		return;
	}
	e_movi64(t, H_R9, (uint64_t)site);
	e_jmp_vcpu(t, ways_out(t)->callout);
}

void emit_long_call(struct tx *t)
{
	load_vcpu(t);
	e_jmp_vcpu(t, ways_out(t)->callout);
}

/* Leave the cache for good, with the guest's state but the pc in registers. */
static void leave(struct tx *t)
{
	load_vcpu(t);
	e_jmp_vcpu(t, ways_out(t)->exit);
}

/* Call the entry stub whose address is at VIA. */
static void call_stub(struct tx *t, struct site *s, int32_t via)
{
	/* A callout on the slow path of an in-TC emulation does not make the lowering a callout. */
	if (t->low[t->i] < LOW_INTC)
		t->low[t->i] = LOW_CALLOUT;
	s->slot |= t->low[t->i] == LOW_INTC ? WAY_INTC : t->way == WAY_TRAP ? WAY_TRAP : WAY_CALLOUT;
	load_vcpu(t);
	t->facts = (struct long_facts){ 0 };
	e_movi64(t, H_R9, (uint64_t)s);
	e1(t, 0x4c); /* lea r11,[rip+..]: the return address, after the jump */
	e2(t, 0x1d8d);
	uint8_t *disp = t->p;
	e4(t, 0);
	if (t->way == WAY_TRAP && !serves_operand(s->kind)) {
		/* Trap and emulate: this load faults, and the fault handler performs the callout. */
		e_ld64(t, H_R10, OFF(guard.trap_page));
		e_rm(t, 0, 0x8b, H_R10, H_R10, 0);
	} else
		e_jmp_vcpu(t, via);
	uint32_t d = (uint32_t)(t->p - disp - 4);
	memcpy(disp, &d, 4);
}

void emit_callout(struct tx *t, struct site *s)
{
	call_stub(t, s, s->fpu ? ways_out(t)->callout_fpu : ways_out(t)->callout);
}

void emit_cached_syscall(struct tx *t, struct site *s, unsigned which)
{
	t->low[t->i] = LOW_INTC;
	call_stub(t, s,
		  (mode_long(t->mode) ? OFF(stubs.long_syscall) : OFF(stubs.syscall)) + 8 * (int32_t)which);
}

void emit_raise(struct tx *t, struct insn *in, int vector)
{
	struct site *s = new_site(t, in, CO_OTHER, co_raise);

	s->raise.vector = (uint8_t)vector;
	s->raise.has_error = vector == EXC_GP; /* error code 0 */
	emit_callout(t, s);
	t->done = true;
}

/* Does the exit to EIP rest on how another page is mapped? In 64-bit code, also where the instruction there
 * may straddle two pages: fragments of such are not chained to, but jump tables lead to them. */
static bool crosses(const struct tx *t, uint64_t eip)
{
	if (mode_long(t->mode) && (eip & PAGE_MASK) > PAGE_SIZE - ZYDIS_MAX_INSTRUCTION_LENGTH)
		return true;
	return (ccf_linear(t->f, eip) ^ t->f->pc) >> PAGE_SHIFT || t->f->page2 != UINT32_MAX;
}

bool exit_may_chain(const struct tx *t, uint64_t eip)
{
	return !crosses(t, eip) || (t->mode & MODE_XCHAIN) || mode_long(t->mode);
}

void emit_link(struct tx *t, uint64_t eip)
{
	struct exit_link *l = &t->f->link[t->f->nlink++];

	*l = (struct exit_link){ .fn = dispatch_chain,
				 .from = t->f,
				 .eip = eip,
				 .pc = ccf_linear(t->f, eip),
				 .cross = crosses(t, eip),
				 .no_chain = t->b->cfg.no_chain,
				 .facts = mode_long(t->mode) ? facts_claimed(t) : 0 };
	e4(t, 0);
	l->patch = tx_host(t) - 4;
	t->stubs[t->nstub++] = (struct stub){ .patch = t->p - 4, .link = l, .eip = eip, .insn = t->i };
}

void emit_exit(struct tx *t, uint64_t eip)
{

	if (t->low[t->i] < LOW_EXIT)
		t->low[t->i] = t->low[t->i] == LOW_IDENT ? LOW_CHAIN : t->low[t->i];
	if (t->kind != TX_NORMAL && mode_long(t->mode)) {
		e_movi64(t, H_R8, eip);
		e_st64(t, OFF_CPU(rip), H_R8);
		leave(t);
		return;
	}
	if (t->kind != TX_NORMAL) {
		e_st32i(t, OFF_CPU(rip), (uint32_t)eip);
		leave(t);
		return;
	}
	if (!exit_may_chain(t, eip) && !t->b->cfg.no_chain) {
		e_movi32(t, H_R8, (uint32_t)eip);
		emit_indirect(t);
		return;
	}
	e1(t, 0xe9);
	emit_link(t, eip);
}

/* Through the table of r8's 4 GiB, which the directory of the context points to. The directory's load faults
 * where there is none, and while a stop is pending. Targets take for granted that RSP's address is probed; if
 * that fails here, the dispatcher finds the target. */
static void jump_long(struct tx *t, bool upper)
{
	ZydisInstructionCategory c = t->in[t->i].z.meta.category;
	struct long_facts before = t->facts; /* of the code behind a branch around this */

	tx_mark(t, FIX_POLL_R8,
		c == ZYDIS_CATEGORY_RET	   ? JUMP_POPPED
		: c == ZYDIS_CATEGORY_CALL ? JUMP_PUSHED
					   : JUMP_PLAIN);
	long_claim_stack(t, H_R11);
	if (!upper) {
		e_rorx64(t, H_R11, H_R8, 32);
		e_mov32(t, H_R11, H_R11);
	}
	e_ld64(t, H_R9, OFF(jt_live));
	e_rmi(t, F_W, 0x8b, H_R9, H_R9, H_R11, 3, 0);
	e_mov32(t, H_R11, H_R8);
	e_rmi(t, 0, 0x8b, H_R11, H_R9, H_R11, 2, 0);
	e_ld64(t, H_R9, OFF(space.v));
	e_rm(t, F_W, 0x8d, H_R11, H_R11, (int32_t)(t->b->tc_base + t->b->tc.long_miss));
	e1(t, 0x41); /* jmp r11 */
	e2(t, 0xe3ff);
	t->facts = before;
}

void emit_indirect(struct tx *t)
{
	if (t->kind != TX_NORMAL) {
		if (mode_long(t->mode))
			e_st64(t, OFF_CPU(rip), H_R8);
		else
			e_st32(t, OFF_CPU(rip), H_R8);
		leave(t);
		return;
	}
	if (t->b->entries.on) {
		int r = mode_long(t->mode) ? H_R11 : H_R9; /* r9 is V */

		e_ld64(t, r, OFF(account.indirects));
		e_rm(t, F_W, 0x8d, r, r, 1);
		e_st64(t, OFF(account.indirects), r);
	}
	if (mode_long(t->mode) && !t->b->cfg.no_chain) {
		jump_long(t, false);
		return;
	}
	if (t->b->cfg.no_chain) {
		load_vcpu(t);
		e_ld64(t, H_R9, OFF(miss_site));
		e_jmp_vcpu(t, ways_out(t)->callout);
		return;
	}
	tx_mark(t, FIX_POLL_R8, 0);
	e_rmi(t, 0, 0x8b, H_R9, H_R12, H_R8, 2, 0);
	e_rmi(t, F_W, 0x8d, H_R9, H_R9, H_R14, 0, 0);
	e1(t, 0x41); /* jmp r9 */
	e2(t, 0xe1ff);
}

void emit_by_table(struct tx *t, const struct stub *s)
{
	if (!s->link->cross || !domain_limits(t->f) || s->link->no_chain)
		return;
	s->link->table = tx_host(t);
	t->i = s->insn;
	t->facts = (struct long_facts){ 0 };
	e_mov_address(t, H_R8, s->eip);
	emit_indirect(t);
}

void emit_return(struct tx *t)
{
	if (t->b->entries.on)
		emit_indirect(t);
	else
		jump_long(t, true);
}

/* Call S if an interrupt is pending. */
static void emit_if_waiting(struct tx *t, struct site *s)
{
	e_mov64(t, H_R8, H_RCX);
	e_ldzx8(t, H_RCX, OFF(intr_wait));
	uint8_t *none = e_jrcxz(t);
	e_mov64(t, H_RCX, H_R8);
	emit_callout(t, s);
	e_mov64(t, H_R8, H_RCX);
	e_here8(t, none);
	e_mov64(t, H_RCX, H_R8);
}

void emit_intr_check(struct tx *t, uint64_t eip)
{
	struct site *s = new_site(t, &t->in[t->i], CO_FLAGS, co_intr);

	s->next = eip;
	emit_if_waiting(t, s);
}

/* Check for interrupts after the instruction that follows STI or a load of SS. Those hold interrupts off for
 * one instruction; this is the last place where this TU can take one. The dispatcher delivers it. */
void emit_shadow_check(struct tx *t)
{
	emit_if_waiting(t, new_site(t, &t->in[t->i], CO_FLAGS, co_shadow));
}

uint8_t *e_budget(struct tx *t)
{
	uint8_t *imm;

	e_ld64(t, H_R8, OFF(icount.left));
	e1(t, 0x4d); /* lea r8,[r8+disp32] */
	e2(t, 0x808d);
	imm = t->p;
	e4(t, 0);
	e_st64(t, OFF(icount.left), H_R8);
	return imm;
}
