/* SPDX-License-Identifier: GPL-3.0-or-later
 * The verifier's rules for memory operands: exactly the forms listed in verify/verify.c. */
#include "bt/verify/verify_int.h"

static const char *check_window(const struct check *c, const x86_op_mem *m)
{
	if (!a32(c))
		return "GS access without 32-bit address size";
	if (m->base == X86_REG_RIP || m->base == X86_REG_EIP)
		return "window access relative to RIP";
	if (verify_fixed_reg(m->base) || verify_fixed_reg(m->index))
		return "window access through r12-r15";
	return NULL;
}

static bool is_load(const struct check *c, unsigned i)
{
	return i > 0 && (c->in->id == X86_INS_MOV || c->in->id == X86_INS_MOVSXD ||
			 c->in->id == X86_INS_MOVZX || c->in->id == X86_INS_ADD);
}

/* Is operand I certainly only read? */
static bool only_read(const struct check *c, unsigned i)
{
	return is_load(c, i) || c->in->id == X86_INS_CMP || c->in->id == X86_INS_TEST ||
	       c->in->id == X86_INS_JMP;
}

/* Bytes accessed, where Capstone's operand size is wrong. */
static const struct {
	uint16_t id, size;
} sizes[] = {
	{ X86_INS_FXSAVE, 512 },    { X86_INS_FXRSTOR, 512 }, { X86_INS_FNSAVE, 108 },
	{ X86_INS_FRSTOR, 108 },    { X86_INS_XSAVE, 4096 },  { X86_INS_XSAVEC, 4096 },
	{ X86_INS_XSAVEOPT, 4096 }, { X86_INS_XRSTOR, 4096 },
};

static const char *check_inside_vcpu(const struct check *c, int64_t at, unsigned size, unsigned i)
{
	for (unsigned k = 0; k < ARRAY_LEN(sizes); k++)
		if (sizes[k].id == c->in->id)
			size = sizes[k].size;
	if (at < 0 || (uint64_t)at + size > c->env->vcpu_size)
		return "access beyond the vCPU";
	if (only_read(c, i) || verify_writable(c->env, at, size))
		return NULL;
	return "store to the monitor's part of the vCPU";
}

/* [r15 + quarter*8 + Q]: the base of a window, or of its shadow */
static bool is_quarter(const struct check *c, const x86_op_mem *m)
{
	return (m->disp == c->env->quarter || m->disp == c->env->shadow_quarter) && m->scale == 8 &&
	       verify_below(c, m->index, 2);
}

static const char *check_vcpu(const struct check *c, const x86_op_mem *m, unsigned size, unsigned i)
{
	bool indexed = m->index != X86_REG_INVALID;

	if (indexed && is_quarter(c, m) && is_load(c, i) && size == 8)
		return NULL;
	if (indexed)
		return "indexed access to the vCPU";
	return check_inside_vcpu(c, m->disp, size, i);
}

static const char *check_table(const struct check *c, const x86_op_mem *m, unsigned i)
{
	if (m->index == X86_REG_INVALID)
		return "jump table access without an index";
	if (!scratch64(m->index) || m->scale != 4)
		return "jump table access with another index";
	if (m->disp)
		return "jump table access with a displacement";
	if (!only_read(c, i))
		return "jump table access is not a load";
	if (verify_below(c, m->index, c->env->table_bits))
		return NULL;
	return "jump table index may be too large";
}

static const char *check_rip(const struct check *c, const x86_op_mem *m, unsigned size, unsigned i)
{
	uint64_t at = c->in->address + c->in->size + (uint64_t)m->disp;

	if (at < c->env->tc_base || at + size > c->env->tc_base + c->env->tc_size)
		return "RIP-relative access outside the translation cache";
	return is_load(c, i) || c->in->id == X86_INS_JMP ? NULL : "RIP-relative access is not a load";
}

/* [shadow + page*4] */
static const char *check_shadow(const struct check *c, const x86_op_mem *m, unsigned size, unsigned i)
{
	if (m->disp || m->scale != 4 || size != 4 || !is_load(c, i))
		return "shadow entry accessed in a form not allowed";
	return verify_below(c, m->index, 20) ? NULL : "shadow index may be too large";
}

bool verify_is_trap_page(const struct check *c, const x86_op_mem *m)
{
	const struct fact *f = verify_fact(c, m->base);

	return f->kind == F_FIELD && f->value == c->env->trap && m->segment == X86_REG_INVALID;
}

/* [trap page]: a load that faults; the fault handler then performs the call whose record is in r9. */
static const char *check_trap(const struct check *c, const x86_op_mem *m, unsigned size, unsigned i)
{
	const struct fact *record = verify_fact(c, X86_REG_R9);

	if (m->disp || m->index != X86_REG_INVALID || size != 4 || !is_load(c, i))
		return "trap page accessed in a form not allowed";
	if (c->pointers)
		return "trap with a host address in rsi or rdi";
	if (record->kind != F_CONST)
		return "trap without a record in r9";
	verify_rely(c, record);
	return NULL;
}

/* [poll]: a load that may fault; its value means nothing. */
static const char *check_poll(const struct check *c, const x86_op_mem *m, unsigned size, unsigned i)
{
	if (m->disp || m->index != X86_REG_INVALID || size != 4 || !is_load(c, i))
		return "polled address accessed in a form not allowed";
	return c->pointers ? "poll with a host address in rsi or rdi" : NULL;
}

/* [register + disp], allowed according to the fact known about the register. */
static const char *check_known(const struct check *c, const x86_op_mem *m, unsigned size, unsigned i)
{
	const struct fact *f = verify_fact(c, m->base);

	if (f->kind == F_NONE)
		return "memory operand in no allowed form";
	verify_rely(c, f);
	if (f->kind == F_FIELD && f->value == c->env->shadow)
		return check_shadow(c, m, size, i);
	if (f->kind == F_FIELD && f->value == c->env->poll)
		return check_poll(c, m, size, i);
	if (verify_is_trap_page(c, m))
		return check_trap(c, m, size, i);
	if (m->index != X86_REG_INVALID)
		return "memory operand in no allowed form";
	if (f->kind == F_VCPU)
		return check_inside_vcpu(c, f->value + m->disp, size, i);
	return f->kind == F_HOST && !m->disp ? NULL : "memory operand in no allowed form";
}

/* BT and its relatives address memory by the bit number in a register. */
static bool is_bit_string(const struct check *c)
{
	unsigned id = c->in->id;

	return (id == X86_INS_BT || id == X86_INS_BTS || id == X86_INS_BTR || id == X86_INS_BTC) &&
	       c->x->operands[1].type == X86_OP_REG;
}

const char *verify_memory(const struct check *c, const cs_x86_op *op, unsigned i)
{
	const x86_op_mem *m = &op->mem;

	if (m->segment == X86_REG_GS)
		return check_window(c, m);
	if (is_bit_string(c))
		return "bit string outside the window";
	if (m->segment == X86_REG_FS)
		return "FS override";
	if (a32(c))
		return "32-bit address without GS";
	switch (m->base) {
	case X86_REG_R15:
		return check_vcpu(c, m, op->size, i);
	case X86_REG_R12:
		return check_table(c, m, i);
	case X86_REG_RIP:
		return check_rip(c, m, op->size, i);
	default:
		return check_known(c, m, op->size, i);
	}
}
