/* SPDX-License-Identifier: GPL-3.0-or-later
 * The verifier's rules for 64-bit code. A fragment may access
 *  - its vCPU, by absolute addresses inside the struct, written only in the parts that are writable to it;
 * the stack may be there, too;
 *  - memory at a probed address: a guest address A plus the displacement D of a space, or GS with A, after a
 *    load from byte [V + (A >> 20) - 20] of the space's validity table, or of [VT + (H >> 20)] for the host
 *    address H = A + D. The load faults unless A's region is this space's. The operand may be as far from
 * what was probed as a displacement of 32 bits and an index of 32 bits reach: around regions is room. String
 *    instructions go on from there. RSP is one such address, and PUSH and POP are accesses. A space is the
 *    own one, or one that a bit of the address chose, whose V and D come from the vCPU by that bit;
 *  - the tables of entries: a load of a pointer by the upper half of a 64-bit value, and of a 32-bit entry by
 *    the lower half;
 *  - the polled address and the trap page, as 32-bit code.
 * XSAVE and its like have a mask of bits that a field of the vCPU has, too. A fragment may branch to its own
 * instructions, to targets its owner approves, through an entry plus the base of entries, and into the
 * monitor through a pointer in the vCPU. Wherever another fragment continues, r9 holds V and r10 holds D.
 * General registers may hold anything at all. FS is the host's, GS has D as its base.
 *
 * What a register holds is tracked in order (verify/long_value.c, long_track.c). A branch takes what is known
 * with it, and a place that several ways lead to knows what they agree on. At a place that is reached from
 * behind nothing is known but V and D, which every branch to it must keep. A probe says something about
 * values, not registers: it is forgotten at calls of the monitor alone, which may change the spaces. */
#include "bt/verify/long_int.h"

#include <stdlib.h>
#include <string.h>

static const uint16_t xsave[] = {
	X86_INS_XSAVE,	 X86_INS_XRSTOR,   X86_INS_XSAVEC,   X86_INS_XSAVEOPT,
	X86_INS_XSAVE64, X86_INS_XRSTOR64, X86_INS_XSAVEC64, X86_INS_XSAVEOPT64,
};

bool long_is_xsave(const struct check *c)
{
	for (unsigned i = 0; i < ARRAY_LEN(xsave); i++)
		if (xsave[i] == c->in->id)
			return true;
	return false;
}

static bool is_stack(const struct check *c)
{
	return c->in->id == X86_INS_PUSH || c->in->id == X86_INS_POP || c->in->id == X86_INS_PUSHFQ ||
	       c->in->id == X86_INS_POPFQ;
}

static bool is_forbidden(const struct check *c)
{
	return !is_stack(c) && !long_is_xsave(c) && verify_is_forbidden(c);
}

/* ---- places that branches lead to ---- */

static struct long_join *join_at(struct long_check *k, uint32_t off)
{
	for (unsigned i = 0; i < k->njoin; i++)
		if (k->join[i].off == off)
			return &k->join[i];
	return NULL;
}

static struct long_join *add_join(struct long_check *k, uint32_t off)
{
	struct long_join *j = join_at(k, off), *more;

	if (j)
		return j;
	if (k->njoin == k->room) {
		more = realloc(k->join, (2 * k->room + 8) * sizeof(*more));
		if (!more)
			return NULL;
		k->join = more;
		k->room = 2 * k->room + 8;
	}
	j = &k->join[k->njoin++];
	*j = (struct long_join){ .off = off };
	return j;
}

/* Where the instruction leads inside the fragment; false: nowhere but to the next. */
static bool leads_to(const struct check *c, uint64_t *off)
{
	if (verify_is_branch(c) && c->x->operands[0].type == X86_OP_IMM)
		*off = (uint64_t)c->x->operands[0].imm - c->host;
	else if (verify_is_return_address(c))
		*off = verify_return_address(c) - c->host;
	else
		return false;
	return *off < c->end - c->host;
}

/* Find the places, and which of them are reached from behind. */
static const char *find_joins(struct long_check *k, const uint8_t *code, size_t len, struct verify_error *err)
{
	struct verifier *v = k->c.env->v;
	const uint8_t *p = code;
	uint64_t at = k->c.host, to;
	size_t left = len;

	while (left) {
		size_t off = len - left;

		v->starts[off / 8] |= (uint8_t)(1 << off % 8);
		if (!verify_decode(v, &p, &left, &at))
			return verify_fail(err, code, len, off, NULL, "bytes unknown to Capstone");
		if (leads_to(&k->c, &to)) {
			struct long_join *j = add_join(k, (uint32_t)to);

			if (!j)
				return "out of memory";
			j->loop |= to <= off;
		}
	}
	for (unsigned i = 0; i < k->njoin; i++) {
		uint32_t off = k->join[i].off;

		if (!(v->starts[off / 8] & 1 << off % 8))
			return verify_fail(err, code, len, off, NULL,
					   "branch into the middle of an instruction");
	}
	return NULL;
}

/* What is taken for granted at OFF, an entry. */
static uint32_t facts_at(const struct verify_long *l, uint64_t off)
{
	return off == l->entry ? l->facts : l->facts & 1u << RSP;
}

static bool is_entry(const struct verify_long *l, uint64_t off)
{
	return l->entry && (off == l->stack_entry || off == l->entry);
}

/* The present state goes to OFF. */
static const char *pass_on(struct long_check *k, uint64_t off)
{
	struct long_join *j = join_at(k, (uint32_t)off);

	if (is_entry(k->l, off) && !long_grants(k, facts_at(k->l, off)))
		return "branch to an entry without what it takes for granted";
	if (j->loop)
		return long_holds_v_and_d(&k->s) ? NULL : "branch back without V and D in r9 and r10";
	long_meet(k, &j->state, &k->s);
	return NULL;
}

/* ---- branches ---- */

static bool stack_in_vcpu(const struct long_check *k)
{
	uint64_t at;

	return long_constant(&k->s.reg[RSP].sum, &at);
}

static const char *leave(struct long_check *k)
{
	return long_holds_v_and_d(&k->s) ? NULL : "exit without V and D in r9 and r10";
}

static bool has_record(const struct long_check *k)
{
	const struct value *r9 = &k->s.reg[R9];
	uint64_t n;

	return long_constant(&r9->sum, &n) || (r9->kind == L_FIELD && r9->n == k->c.env->record);
}

/* Jump through an absolute address: a pointer in the vCPU. */
static const char *monitor_jump(struct long_check *k, const x86_op_mem *m)
{
	uint64_t off, n;
	struct sum at;
	bool call = false;

	if (m->segment != X86_REG_INVALID || a32(&k->c) || !long_address(k, m, &at) ||
	    !long_constant(&at, &n))
		return "indirect jump through memory";
	off = n - k->l->vcpu;
	for (unsigned i = 0; i < ARRAY_LEN(k->l->call); i++)
		call |= off == k->l->call[i];
	if (!call && off != k->l->exit)
		return "indirect jump through another field of the vCPU";
	if (!long_constant(&k->s.reg[R15].sum, &n) || n != k->l->vcpu)
		return "call of the monitor without the vCPU in r15";
	if (call && !has_record(k))
		return "call of the monitor without a record in r9";
	return NULL;
}

/* Where the last four bytes of the instruction are. */
static uint32_t rel32(const struct check *c)
{
	return (uint32_t)(c->in->address + c->in->size - 4 - c->host);
}

static const char *branch(struct long_check *k)
{
	const cs_x86_op *op = &k->c.x->operands[0];
	unsigned size, r;
	const char *why;
	uint64_t off;

	if (k->c.in->id == X86_INS_JMP)
		k->c.stops = true;
	if (stack_in_vcpu(k))
		return "branch with the stack in the vCPU";
	switch (op->type) {
	case X86_OP_IMM:
		if (k->l->claimed && !long_grants(k, k->l->claimed(k->c.env->ctx, rel32(&k->c))))
			return "exit that claims what it has not";
		if (leads_to(&k->c, &off))
			return pass_on(k, off);
		if (k->c.in->id == X86_INS_JMP && (uint64_t)op->imm == k->l->monitor)
			return has_record(k) ? NULL : "call of the monitor without a record in r9";
		if (!k->c.env->ok_target(k->c.env->ctx, (uint64_t)op->imm))
			return "branch to an unknown target";
		if (k->l->granted && !long_grants(k, k->l->granted(k->c.env->ctx, (uint64_t)op->imm)))
			return "exit to an entry without what it takes for granted";
		return leave(k);
	case X86_OP_REG:
		r = long_register(op->reg, &size);
		if (r >= L_REGS || size != 8 || k->s.reg[r].kind != L_TARGET)
			return "indirect jump to an address not from the jump table";
		why = leave(k);
		return why || long_grants(k, 1u << RSP) ? why : "indirect jump without a probe of the stack";
	case X86_OP_MEM:
		return monitor_jump(k, &op->mem);
	default:
		return "branch without a target";
	}
}

/* LEA of a place in the fragment, where a call of the monitor returns to: with V and D, and nothing else
 * known. */
static const char *return_address(struct long_check *k)
{
	struct long_state s = k->s;
	const char *why = NULL;
	uint64_t off;

	if (leads_to(&k->c, &off)) {
		long_start(k);
		why = pass_on(k, off);
		k->s = s;
	} else if (verify_return_address(&k->c) != k->c.end)
		why = "return address outside the fragment";
	return why;
}

/* ---- instructions ---- */

static const char *operands(struct long_check *k)
{
	const struct check *c = &k->c;
	bool address_only = c->in->id == X86_INS_LEA || c->in->id == X86_INS_NOP;

	for (unsigned i = 0; i < c->x->op_count; i++) {
		const cs_x86_op *op = &c->x->operands[i];
		const char *why = NULL;

		if (op->type == X86_OP_REG)
			why = verify_system_register(op->reg);
		else if (op->type == X86_OP_MEM && !address_only)
			why = long_memory(k, op, i);
		if (why)
			return why;
	}
	return NULL;
}

/* A load from the trap page always faults; the monitor decides where execution resumes. */
static bool traps(const struct long_check *k)
{
	const cs_x86_op *op = k->c.x->operands;
	unsigned size, b;

	if (k->c.in->id != X86_INS_MOV || op[1].type != X86_OP_MEM)
		return false;
	b = long_register(op[1].mem.base, &size);
	return b < L_REGS && k->s.reg[b].kind == L_FIELD && k->s.reg[b].n == k->c.env->trap;
}

/* Do eax and edx select state that the guest has, and no other of the host's? */
static bool masked(const struct long_check *k)
{
	uint64_t upper;

	return k->s.reg[RAX].kind == L_MASK && long_constant(&k->s.reg[RDX].sum, &upper) && !(uint32_t)upper;
}

static const char *check_insn(struct long_check *k)
{
	unsigned how = verify_implicit(&k->c);
	const char *why;

	k->c.stops = k->c.in->id == X86_INS_UD2 || traps(k);
	if (is_forbidden(&k->c))
		return "instruction that a fragment must not contain";
	if (verify_is_branch(&k->c))
		return branch(k);
	if (how)
		return long_string(k, how);
	if (verify_is_return_address(&k->c))
		return return_address(k);
	if (long_is_xsave(&k->c) && !masked(k))
		return "extended state without a mask";
	why = is_stack(&k->c) ? long_stack(k) : NULL;
	return why ? why : operands(k);
}

/* What is known where the next instruction starts. */
static void arrive(struct long_check *k, uint32_t off)
{
	struct long_join *j = join_at(k, off);

	if (k->c.stops)
		k->s.reached = false;
	k->c.stops = false;
	if (!j)
		return;
	if (j->loop) {
		long_start(k);
		return;
	}
	long_meet(k, &k->s, &j->state);
}

static const char *walk(struct long_check *k, const uint8_t *code, size_t len, struct verify_error *err)
{
	struct verifier *v = k->c.env->v;
	const uint8_t *p = code;
	uint64_t at = k->c.host;
	size_t left = len;
	const char *why;

	long_start(k);
	while (left) {
		size_t off = len - left;
		struct long_join *j = join_at(k, (uint32_t)off);

		if (j && j->loop && k->s.reached && !k->c.stops && !long_holds_v_and_d(&k->s))
			return verify_fail(err, code, len, off, NULL, "loop entered without V and D");
		if (is_entry(k->l, off)) {
			if (!long_grants(k, facts_at(k->l, off)) || !long_holds_v_and_d(&k->s))
				return verify_fail(err, code, len, off, NULL,
						   "entry reached without what it takes for granted");
			long_grant(k, facts_at(k->l, off));
		} else {
			arrive(k, (uint32_t)off);
		}
		verify_decode(v, &p, &left, &at);
		if (!k->s.reached) /* by nothing: it is never executed, but must not be another program */
			long_start(k);
		why = check_insn(k);
		if (why)
			return verify_fail(err, code, len, off, v->insn, why);
		long_track(k);
	}
	return k->c.stops ? NULL : verify_fail(err, code, len, 0, NULL, "runs off the end of the fragment");
}

const char *bt_verify_long(const struct verify_env *env, const struct verify_long *l, const uint8_t *code,
			   size_t len, uint64_t host, struct verify_error *err)
{
	struct long_check k = { .c = { .env = env,
				       .in = env->v->insn,
				       .x = &env->v->insn->detail->x86,
				       .host = host,
				       .end = host + len },
				.l = l };
	const char *why;

	*err = (struct verify_error){ 0 };
	if (!verify_reserve(env->v, len))
		return "out of memory";
	why = find_joins(&k, code, len, err);
	if (!why)
		why = walk(&k, code, len, err);
	free(k.join);
	return why;
}
