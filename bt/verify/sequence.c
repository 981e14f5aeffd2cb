/* SPDX-License-Identifier: GPL-3.0-or-later
 * The verifier's rules for states that last over several instructions: host addresses in rsi and rdi for
 * string instructions, a guest register exchanged with a scratch register, a stack inside the vCPU. */
#include "bt/verify/verify_int.h"

/* ---- string instructions ---- */

static bool has_gs(const struct check *c)
{
	return c->x->prefix[1] == X86_PREFIX_GS;
}

const char *verify_string(const struct check *c, unsigned how)
{
	if (has_gs(c) && a32(c) && !(how & IMP_DST)) /* all its memory operands take the override */
		return NULL;
	if (how & IMP_WINDOW)
		return "implicit memory operand outside the window";
	if (!c->env->strings)
		return "string instruction";
	if (a32(c) || c->x->prefix[1])
		return "string instruction with an unexpected prefix";
	if ((how & IMP_SRC) && !(c->pointers & HOST_RSI))
		return "string source is not a window pointer";
	if ((how & IMP_DST) && !(c->pointers & HOST_RDI))
		return "string destination is not a window pointer";
	return NULL;
}

static bool is_window_base(const struct check *c, unsigned r)
{
	if (r == X86_REG_R13)
		return true;
	if (verify_fact(c, r)->kind != F_BASE)
		return false;
	verify_rely(c, verify_fact(c, r));
	return true;
}

unsigned verify_makes_pointer(const struct check *c)
{
	const cs_x86_op *op = c->x->operands;
	unsigned r = c->x->op_count == 2 && op[0].type == X86_OP_REG ? op[0].reg : X86_REG_INVALID;
	bool self;

	if (c->in->id != X86_INS_LEA || (r != X86_REG_RSI && r != X86_REG_RDI) || a32(c))
		return 0;
	self = (op[1].mem.base == r && is_window_base(c, op[1].mem.index)) ||
	       (op[1].mem.index == r && is_window_base(c, op[1].mem.base));
	if (!self || op[1].mem.scale != 1 || op[1].mem.disp)
		return 0;
	return r == X86_REG_RSI ? HOST_RSI : HOST_RDI;
}

/* Track what the instruction does to rsi and rdi. While one holds a host address, only string instructions
 * and the restoration of the guest's value are allowed. */
const char *verify_pointers(struct check *c)
{
	unsigned made = verify_makes_pointer(c);
	unsigned r;

	if (made) {
		if (!c->env->strings || (c->pointers & made))
			return "host pointer loaded over another one";
		c->pointers |= made;
		return NULL;
	}
	for (unsigned i = 0; i < c->x->op_count; i++)
		if (c->x->operands[i].type == X86_OP_REG && !(i == 1 && verify_reads_second(c)) &&
		    (c->x->operands[i].reg == X86_REG_RSI || c->x->operands[i].reg == X86_REG_RDI))
			return "64-bit write of rsi or rdi";
	r = c->x->op_count && c->x->operands[0].type == X86_OP_REG ? c->x->operands[0].reg : X86_REG_INVALID;
	if (c->in->id != X86_INS_MOV && c->in->id != X86_INS_LEA && c->in->id != X86_INS_SUB)
		return NULL;
	if (r == X86_REG_ESI)
		c->pointers &= ~(unsigned)HOST_RSI;
	if (r == X86_REG_EDI)
		c->pointers &= ~(unsigned)HOST_RDI;
	return NULL;
}

bool verify_is_take_stack(const struct check *c)
{
	const cs_x86_op *op = c->x->operands;

	return c->in->id == X86_INS_LEA && op[0].reg == X86_REG_RSP && op[1].mem.base == X86_REG_R15 &&
	       op[1].mem.index == X86_REG_INVALID && !a32(c);
}

/* ---- a guest register exchanged for one instruction ---- */

bool verify_is_exchange(const struct check *c, unsigned *guest, unsigned *scratch)
{
	const cs_x86_op *op = c->x->operands;
	unsigned a, b;

	if (c->in->id != X86_INS_XCHG || op[0].type != X86_OP_REG || op[1].type != X86_OP_REG ||
	    op[0].size != 8)
		return false;
	a = op[0].reg;
	b = op[1].reg;
	*guest = scratch64(a) ? b : a;
	*scratch = scratch64(a) ? a : b;
	return scratch64(*scratch) && !scratch64(*guest) && !verify_fixed_reg(*guest) &&
	       *guest != X86_REG_RSP && !c->pointers;
}

void verify_start_exchange(struct check *c, unsigned guest, unsigned scratch)
{
	c->swap_fact = *verify_fact(c, scratch);
	c->swapped = guest;
	c->swapped_with = scratch;
	c->swap_age = 1;
}

/* The instruction between the exchanges must not write the scratch register, which holds the guest's value,
 * and must fall through. */
const char *verify_between(struct check *c)
{
	unsigned how = verify_implicit(c);

	c->swap_age = 2;
	if (verify_is_branch(c) || (how & ~(unsigned)IMP_WINDOW) || verify_is_take_stack(c) ||
	    verify_makes_pointer(c))
		return "not allowed between an exchange and its end";
	for (unsigned i = 0; i < c->x->op_count; i++) {
		const cs_x86_op *op = &c->x->operands[i];

		if (op->type == X86_OP_REG &&
		    verify_scratch_number(op->reg) == verify_scratch_number(c->swapped_with))
			return "exchanged register used before it is restored";
	}
	return NULL;
}

const char *verify_exchange_end(struct check *c)
{
	unsigned guest, scratch;

	if (!verify_is_exchange(c, &guest, &scratch) || guest != c->swapped || scratch != c->swapped_with)
		return "exchanged register is not restored";
	c->swapped = c->swapped_with = c->swap_age = 0;
	return NULL;
}

/* ---- a stack inside the vCPU ---- */

/* Return how far the instruction moves rsp; 0 if it is not an allowed push or pop. */
static int stack_step(const struct check *c)
{
	const cs_x86_op *op = c->x->operands;

	switch (c->in->id) {
	case X86_INS_PUSHFQ:
		return -8;
	case X86_INS_POPFQ:
		return 8;
	case X86_INS_PUSH:
		return op->type == X86_OP_REG && scratch64(op->reg) ? -8 : 0;
	case X86_INS_POP:
		return op->type == X86_OP_REG && scratch64(op->reg) ? 8 : 0;
	default:
		return 0;
	}
}

/* Check the instruction while rsp points into the vCPU. */
const char *verify_stack(struct check *c)
{
	const cs_x86_op *op = c->x->operands;
	int step = stack_step(c);

	if (c->in->id == X86_INS_MOV && op[0].type == X86_OP_REG && op[1].type == X86_OP_REG &&
	    op[0].reg == X86_REG_RSP && scratch64(op[1].reg)) {
		c->own_stack = false;
		return NULL;
	}
	if (!step)
		return "neither a push nor a pop while rsp is in the vCPU";
	c->rsp += step;
	if (c->rsp < 0 || c->rsp > c->env->vcpu_size)
		return "stack leaves the vCPU";
	if (step > 0 || verify_writable(c->env, c->rsp, 8))
		return NULL;
	return "push to the monitor's part of the vCPU";
}

const char *verify_take_stack(struct check *c)
{
	c->own_stack = true;
	c->rsp = c->x->operands[1].mem.disp;
	return c->rsp >= 0 && c->rsp <= c->env->vcpu_size ? NULL : "stack outside the vCPU";
}
