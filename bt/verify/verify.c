/* SPDX-License-Identifier: GPL-3.0-or-later
 * The verifier's rules. A fragment may access
 *  - the window: GS override with 32-bit addresses, which cannot leave 4 GiB;
 *  - its vCPU: [r15+disp], no index, inside the struct, written only in the parts that
 *    are writable to it; or [scratch] after "lea scratch,[r15+disp]";
 *  - the jump table: a load from [r12+scratch*4], with the scratch register shifted to
 *    stay inside the table;
 *  - the shadow entries: a load from [scratch+page*4], the pointer loaded from its field
 *    of the vCPU, the page a 32-bit value shifted right by 12;
 *  - the polled address: a load through its field of the vCPU, which faults where the
 *    vCPU is to leave;
 *  - the trap page, with a constant in r9: a load through its field of the vCPU, which
 *    faults and makes the monitor perform a callout;
 *  - the window selected by a quarter of the address space: base loaded from the vCPU by
 *    the address's upper two bits, added to a 32-bit scratch register, then one access
 *    through that register: guard space follows each window;
 *  - the guest's physical memory: base loaded from its field of the vCPU, added to a 32-bit
 *    scratch register, then one access through that register: guard space follows;
 *  - the translation cache: a load relative to RIP;
 *  - the window by string instructions, whose destination takes no override: between
 *    "lea rsi|rdi,[same+r13]" (or + a quarter's base) and the next 32-bit write of it
 *    (guard space on both sides of a window stops a REP that leaves it);
 *  - a stack inside the vCPU: from "lea rsp,[r15+disp]" to "mov rsp, scratch" only
 *    pushes and pops, which stay in the struct.
 * A guest register may be exchanged with a scratch register around one instruction ("xchg rdi,r8; add
 * [rdi],ah; xchg rdi,r8") and then stands for the scratch register in these rules. A fragment may branch to
 * its own instructions, to targets its owner approves, through a scratch register that holds an entry of the
 * jump table, or through a pointer in the vCPU (with a constant in r9, which the monitor dereferences).
 * Instructions of AVX-512 are judged by twins (verify/twin.c). r12-r15 are never written. RSP is a guest
 * register, so no other instruction may use the stack. Instructions unknown to Capstone are refused.
 *
 * State that only some instructions establish (a host address in rsi or rdi, a stack in the vCPU, an
 * exchanged register) must have ended at every branch, and no branch may lead into the middle of it. Facts
 * about scratch registers (struct fact) are tracked in order; where a rule relies on one, no branch may lead
 * to between the instruction that established it and the one that needs it.
 *
 * Operands are judged by their registers and sizes, not by Capstone's access flags, which are incomplete: a
 * fixed register may appear only where the instructions listed in verify/insn.c read it. This file walks the
 * fragment and applies the rules of verify/operand.c, verify/sequence.c, verify/branch.c and verify/fact.c.
 */
#include "bt/verify/verify_int.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- one instruction ---- */

static const char *check_operands(const struct check *c)
{
	bool address_only = c->in->id == X86_INS_LEA || c->in->id == X86_INS_NOP;

	for (unsigned i = 0; i < c->x->op_count; i++) {
		const cs_x86_op *op = &c->x->operands[i];
		const char *why = NULL;

		if (op->type == X86_OP_REG)
			why = verify_register(c, i, op->reg);
		else if (op->type == X86_OP_MEM && !address_only)
			why = verify_memory(c, op, i);
		if (why)
			return why;
	}
	return NULL;
}

/* Is it a load from the trap page? It always faults, and the monitor decides where execution resumes. */
static bool traps(const struct check *c)
{
	return c->in->id == X86_INS_MOV && c->x->operands[1].type == X86_OP_MEM &&
	       verify_is_trap_page(c, &c->x->operands[1].mem);
}

static const char *check_insn(struct check *c)
{
	unsigned how, guest, scratch;
	const char *why;

	c->stops = c->in->id == X86_INS_UD2 || traps(c);
	if (c->swap_age == 2)
		return verify_exchange_end(c);
	if (c->swap_age == 1 && (why = verify_between(c)))
		return why;
	if (c->own_stack)
		return verify_stack(c);
	if (verify_is_take_stack(c))
		return verify_take_stack(c);
	if (verify_is_forbidden(c))
		return "instruction that a fragment must not contain";
	if (verify_is_branch(c))
		return verify_branch(c);
	how = verify_implicit(c);
	if (how)
		return verify_string(c, how);
	if (!c->swapped && verify_is_exchange(c, &guest, &scratch)) {
		verify_start_exchange(c, guest, scratch);
		return NULL;
	}
	if (verify_is_return_address(c) && !verify_leads_inside(c))
		return "return address outside the fragment";
	why = check_operands(c);
	return why ? why : verify_pointers(c);
}

/* ---- decoding ---- */

static void set_size(cs_x86 *x, unsigned size)
{
	for (unsigned i = 0; i < x->op_count; i++)
		if (x->operands[i].type == X86_OP_MEM)
			x->operands[i].size = (uint8_t)size;
}

bool verify_decode(struct verifier *v, const uint8_t **code, size_t *len, uint64_t *at)
{
	uint8_t copy[16];
	const uint8_t *p = copy;
	struct twin twin;
	size_t n = verify_twin(*code, *len, copy, &twin);

	v->avx512 = twin.avx512;
	if (twin.refused)
		return false;
	if (!n)
		return cs_disasm_iter(v->cs, code, len, at, v->insn);
	if (!cs_disasm_iter(v->cs, &p, &n, at, v->insn))
		return false;
	v->insn->size = (uint16_t)(v->insn->size + twin.shorter);
	if (v->insn->size > *len)
		return false;
	if (twin.size)
		set_size(&v->insn->detail->x86, twin.size);
	*at = v->insn->address + v->insn->size;
	*code += v->insn->size;
	*len -= v->insn->size;
	return true;
}

/* ---- the fragment ---- */

bool verify_reserve(struct verifier *v, size_t len)
{
	size_t need = len / 8 + 1;

	if (need > v->room) {
		free(v->starts);
		v->starts = malloc(need);
		v->room = v->starts ? need : 0;
	}
	if (v->starts)
		memset(v->starts, 0, need);
	return v->starts;
}

const char *verify_fail(struct verify_error *err, const uint8_t *code, size_t len, size_t off,
			const cs_insn *in, const char *why)
{
	*err = (struct verify_error){ .off = (uint32_t)off };
	err->len = in ? (uint8_t)in->size : len - off < 15 ? (uint8_t)(len - off) : 15;
	if (err->len > sizeof(err->bytes))
		err->len = sizeof(err->bytes);
	memcpy(err->bytes, code + off, err->len);
	if (in)
		snprintf(err->text, sizeof(err->text), "%.20s %.70s", in->mnemonic, in->op_str);
	return why;
}

/* Branches inside the fragment must reach the start of an instruction. */
static const char *check_inside(const struct verify_env *env, const uint8_t *code, size_t len, uint64_t host,
				struct verify_error *err)
{
	struct verifier *v = env->v;
	const uint8_t *p = code;
	size_t left = len;
	uint64_t at = host, to;

	while (left && verify_decode(v, &p, &left, &at)) {
		const cs_x86 *x = &v->insn->detail->x86;
		struct check c = { .in = v->insn, .x = x };

		if (verify_is_branch(&c) && x->operands[0].type == X86_OP_IMM)
			to = (uint64_t)x->operands[0].imm - host;
		else if (verify_is_return_address(&c))
			to = verify_return_address(&c) - host;
		else
			continue;
		if (to < len && !(v->starts[to / 8] & 1 << to % 8))
			return verify_fail(err, code, len, (size_t)(v->insn->address - host), v->insn,
					   "branch into the middle of an instruction or of a sequence");
	}
	return NULL;
}

const char *bt_verify(const struct verify_env *env, const uint8_t *code, size_t len, uint64_t host,
		      struct verify_error *err)
{
	struct verifier *v = env->v;
	struct check c = {
		.env = env, .in = v->insn, .x = &v->insn->detail->x86, .host = host, .end = host + len
	};
	const uint8_t *p = code;
	uint64_t at = host;
	size_t left = len;
	const char *why;

	*err = (struct verify_error){ 0 };
	if (!verify_reserve(v, len))
		return "out of memory";
	while (left) {
		size_t off = len - left;

		if (!c.pointers && !c.own_stack && !c.swapped)
			v->starts[off / 8] |= (uint8_t)(1 << off % 8);
		if (!verify_decode(v, &p, &left, &at))
			return verify_fail(err, code, len, off, NULL, "bytes unknown to Capstone");
		why = check_insn(&c);
		if (why)
			return verify_fail(err, code, len, off, v->insn, why);
		verify_track_facts(&c);
	}
	if (!c.stops || c.own_stack || c.swapped)
		return verify_fail(err, code, len, 0, NULL, "runs off the end of the fragment");
	return check_inside(env, code, len, host, err);
}

struct verifier *bt_verifier_new(void)
{
	struct verifier *v = calloc(1, sizeof(*v));

	if (!v)
		return NULL;
	if (cs_open(CS_ARCH_X86, CS_MODE_64, &v->cs) == CS_ERR_OK &&
	    cs_option(v->cs, CS_OPT_DETAIL, CS_OPT_ON) == CS_ERR_OK)
		v->insn = cs_malloc(v->cs);
	if (v->insn)
		return v;
	bt_verifier_free(v);
	return NULL;
}

void bt_verifier_free(struct verifier *v)
{
	if (!v)
		return;
	if (v->insn)
		cs_free(v->insn, 1);
	if (v->cs)
		cs_close(&v->cs);
	free(v->starts);
	free(v);
}
