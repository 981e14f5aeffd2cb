/* SPDX-License-Identifier: GPL-3.0-or-later
 * The verifier's rules for control flow: a fragment may branch to its own instructions, to targets its owner
 * approves, to entries of the jump table, and into the monitor. */
#include "bt/verify/verify_int.h"

/* Jump through a scratch register: it must hold an entry of the jump table. */
static const char *check_register_jump(const struct check *c, unsigned r)
{
	if (!scratch64(r))
		return "indirect jump through a guest register";
	if (verify_fact(c, r)->kind != F_TARGET)
		return "indirect jump to an address not from the jump table";
	verify_rely(c, verify_fact(c, r));
	return NULL;
}

/* Jump through a field of the vCPU: the exit stub, or a call with its record in r9. */
static const char *check_monitor_jump(const struct check *c, const cs_x86_op *op)
{
	const struct fact *f = verify_fact(c, X86_REG_R9);
	bool call = false;

	if (op->mem.segment != X86_REG_INVALID || op->mem.base != X86_REG_R15 ||
	    op->mem.index != X86_REG_INVALID || a32(c))
		return "indirect jump through memory";
	if (op->mem.disp == c->env->exit)
		return NULL;
	for (unsigned i = 0; i < ARRAY_LEN(c->env->call); i++)
		call |= c->env->call[i] && op->mem.disp == c->env->call[i];
	if (!call)
		return "indirect jump through another field of the vCPU";
	if (f->kind != F_CONST && !(f->kind == F_FIELD && f->value == c->env->record))
		return "call of the monitor without a record in r9";
	verify_rely(c, f);
	return NULL;
}

const char *verify_branch(struct check *c)
{
	const cs_x86_op *op = &c->x->operands[0];
	uint64_t to = (uint64_t)op->imm;

	if (c->in->id == X86_INS_JMP)
		c->stops = true;
	if (c->pointers)
		return "branch with a host address in rsi or rdi";
	switch (op->type) {
	case X86_OP_IMM:
		if (to >= c->host && to < c->end)
			return NULL; /* inside the fragment: checked after the last instruction */
		return c->env->ok_target(c->env->ctx, to) ? NULL : "branch to an unknown target";
	case X86_OP_REG:
		return check_register_jump(c, op->reg);
	case X86_OP_MEM:
		return check_monitor_jump(c, op);
	default:
		return "branch without a target";
	}
}

bool verify_is_return_address(const struct check *c)
{
	return c->in->id == X86_INS_LEA && c->x->operands[1].mem.base == X86_REG_RIP;
}

uint64_t verify_return_address(const struct check *c)
{
	return c->in->address + c->in->size + (uint64_t)c->x->operands[1].mem.disp;
}

bool verify_leads_inside(const struct check *c)
{
	return verify_return_address(c) >= c->host &&
	       verify_return_address(c) <=
		   c->end; /* returns to the end of the fragment: the next instruction is not reached */
}
