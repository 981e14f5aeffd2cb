/* SPDX-License-Identifier: GPL-3.0-or-later
 * 64-bit instructions with no lowering of their own keep their opcode. Operands in guest registers that the
 * host's of the same name do not hold are put into scratch registers around the instruction, or used where
 * they are in the vCPU. Nothing that the guest can see changes before the access to memory has succeeded. */
#include "bt/emit/encode.h"
#include "bt/lower/long.h"
#include "bt/runtime/callout.h"

/* ---- operands in registers ---- */

/* A guest register that the host form has in another register. */
struct temp {
	int guest, host;
	bool load, store;
};

struct temps {
	struct temp temp[3];
	unsigned n;
	bool address; /* r8 holds the address of the operand in memory */
	bool esp;     /* the instruction replaces rsp by 32 bits, in place */
};

static bool is_general(const ZydisDecodedOperand *o)
{
	if (o->type != ZYDIS_OPERAND_TYPE_REGISTER)
		return false;
	switch (ZydisRegisterGetClass(o->reg.value)) {
	case ZYDIS_REGCLASS_GPR8:
	case ZYDIS_REGCLASS_GPR16:
	case ZYDIS_REGCLASS_GPR32:
	case ZYDIS_REGCLASS_GPR64:
		return true;
	default:
		return false;
	}
}

static bool written(const ZydisDecodedOperand *o)
{
	return o->actions & ZYDIS_OPERAND_ACTION_MASK_WRITE;
}

/* The lower half of rsp is the guest's, too; but to write it clears the upper one. */
static bool needs_temp(const ZydisDecodedOperand *o, int n)
{
	switch (long_home(n)) {
	case HOME_VCPU:
		return true;
	case HOME_STACK:
		return o->size == 64 || (o->size == 32 && written(o));
	default:
		return false;
	}
}

/* Does the instruction replace a register of four or eight bytes whatever was there? */
static bool replaces(const struct insn *in, const ZydisDecodedOperand *o)
{
	if (o->actions & (ZYDIS_OPERAND_ACTION_MASK_READ | ZYDIS_OPERAND_ACTION_CONDWRITE) || o->size < 32)
		return false;
	switch (in->z.mnemonic) {
	case ZYDIS_MNEMONIC_MOV:
	case ZYDIS_MNEMONIC_MOVZX:
	case ZYDIS_MNEMONIC_MOVSX:
	case ZYDIS_MNEMONIC_MOVSXD:
		return true;
	default:
		return false;
	}
}

static int temp_for(struct temps *s, const struct insn *in, const ZydisDecodedOperand *o, int n)
{
	static const int pool[] = { H_R8, H_R11, H_R9 };
	struct temp *p;
	unsigned i = 0;

	while (i < s->n && s->temp[i].guest != n)
		i++;
	p = &s->temp[i];
	if (i == s->n) {
		*p = (struct temp){ .guest = n, .host = pool[i + s->address] };
		s->n++;
	}
	p->load |= !replaces(in, o);
	p->store |= written(o);
	return p->host;
}

/* Can operand O, in the vCPU, be the operand in memory? A write of 32 bits would leave the upper half; bit
 * strings are something else there, and so is much of AVX-512. */
static bool direct(const struct insn *in, const ZydisDecodedOperand *o)
{
	if (o->encoding != ZYDIS_OPERAND_ENCODING_MODRM_RM ||
	    in->z.meta.isa_ext == ZYDIS_ISA_EXT_AVX512EVEX || in->z.meta.isa_ext == ZYDIS_ISA_EXT_AVX512VEX)
		return false;
	switch (in->z.mnemonic) {
	case ZYDIS_MNEMONIC_BT:
	case ZYDIS_MNEMONIC_BTS:
	case ZYDIS_MNEMONIC_BTR:
	case ZYDIS_MNEMONIC_BTC:
		return false;
	case ZYDIS_MNEMONIC_MOV:
		return !written(o) || o->size == 64;
	default:
		return !written(o);
	}
}

static void set_register(struct host_form *f, const ZydisDecodedOperand *o, int host)
{
	switch (o->encoding) {
	case ZYDIS_OPERAND_ENCODING_MODRM_REG:
		f->reg = host;
		break;
	case ZYDIS_OPERAND_ENCODING_MODRM_RM:
		f->rm = host;
		break;
	case ZYDIS_OPERAND_ENCODING_OPCODE:
		f->opcode = host;
		break;
	case ZYDIS_OPERAND_ENCODING_NDSNDD:
		f->vvvv = host;
		break;
	default: /* implied: none of those that live elsewhere */
		break;
	}
}

/* Replace the registers of F that live elsewhere. VCPU: becomes F's operand in memory if one can be. */
static void assign(struct host_form *f, const struct insn *in, struct temps *s, struct host_mem *vcpu)
{
	for (unsigned i = 0; i < in->z.operand_count; i++) {
		const ZydisDecodedOperand *o = &in->op[i];
		int n;

		if (!is_general(o) || o->encoding == ZYDIS_OPERAND_ENCODING_NONE)
			continue;
		n = long_number(o->reg.value);
		if (!needs_temp(o, n))
			continue;
		if (!f->mem && long_home(n) == HOME_VCPU && direct(in, o)) {
			*vcpu = (struct host_mem){
				.base = NO_REG, .index = NO_REG, .vcpu = true, .disp = OFF_GPR(n)
			};
			f->mem = vcpu;
			continue;
		}
		if (insn_uses_high_byte(in)) /* it cannot encode a scratch register, and only ESP gets here */
			s->esp = true;
		else
			set_register(f, o, temp_for(s, in, o, n));
	}
}

static void load_temps(struct tx *t, const struct temps *s)
{
	for (unsigned i = 0; i < s->n; i++)
		if (s->temp[i].load)
			long_reg_get(t, s->temp[i].host, s->temp[i].guest);
}

static void store_temps(struct tx *t, const struct temps *s)
{
	bool v = false;

	if (s->esp)
		e_add64(t, H_RSP, H_RSP, H_D);
	for (unsigned i = 0; i < s->n; i++) {
		if (s->temp[i].store)
			long_reg_set(t, s->temp[i].guest, s->temp[i].host);
		v |= s->temp[i].host == H_V;
	}
	if (v)
		e_ld64(t, H_V, OFF(space.v));
}

/* ---- instructions ---- */

/* OP RM,REG where REG is in the vCPU and RM is not: as OP REG,RM, whose source is in memory. */
static bool put_turned(struct tx *t, struct insn *in)
{
	struct host_form f = form_of(in);
	struct host_mem m = { .base = NO_REG, .index = NO_REG, .vcpu = true };
	struct insn turned;
	unsigned at, op;

	if (insn_is_vex(in) || in->z.opcode_map != ZYDIS_OPCODE_MAP_DEFAULT ||
	    !(in->z.attributes & ZYDIS_ATTRIB_HAS_MODRM))
		return false;
	at = in->z.raw.modrm.offset - 1u;
	op = in->bytes[at];
	if (!((op < 0x40 && (op & 7) < 2) || op == 0x88 || op == 0x89) || f.rm == NO_REG ||
	    long_home(f.reg) != HOME_VCPU || long_home(f.rm) != HOME_HOST || insn_uses_high_byte(in))
		return false;
	m.disp = OFF_GPR(f.reg);
	turned = *in;
	turned.bytes[at] |= 2;
	f.reg = f.rm;
	f.rm = NO_REG;
	f.mem = &m;
	put_form(t, &turned, &f);
	return true;
}

static void put_registers(struct tx *t, struct insn *in)
{
	struct host_form f = form_of(in);
	struct temps s = { 0 };
	struct host_mem m;

	if (put_turned(t, in))
		return;
	assign(&f, in, &s, &m);
	load_temps(t, &s);
	put_form(t, in, &f);
	store_temps(t, &s);
}

/* The operand is at [r8+r10], which the instruction cannot encode: exchange r8 with a register that it does
 * not use. */
static void put_exchanged(struct tx *t, struct insn *in, struct host_form *f)
{
	int r = insn_free_register(in);
	struct host_mem m = { .base = r, .index = NO_REG };

	e_lea64(t, H_R8, f->mem);
	put_xchg_r8(t, r);
	tx_mark(t, FIX_XCHG, (unsigned)r);
	f->mem = &m;
	put_form(t, in, f);
	put_xchg_r8(t, r);
	tx_mark(t, FIX_NONE, 0);
}

void long_put(struct tx *t, struct insn *in, const struct host_mem *m)
{
	struct host_form f = form_of(in);
	struct temps s = { 0 };

	f.mem = m;
	if (insn_uses_high_byte(in) && m->base == H_R8) {
		put_exchanged(t, in, &f);
		return;
	}
	s.address = m->base == H_R8;
	assign(&f, in, &s, NULL);
	load_temps(t, &s);
	put_form(t, in, &f);
	store_temps(t, &s);
}

static void put_memory(struct tx *t, struct insn *in)
{
	bool device = t->kind == TX_MMIO || site_is_device(t, in);
	struct precheck *l = NULL;
	struct host_mem m;

	t->low[t->i] = LOW_WINDOW;
	if (device) {
		if (insn_mem_size(in) > sizeof(t->b->bounce)) { /* no known instruction has such an operand */
			emit_raise(t, in, EXC_GP);
			return;
		}
		long_linear(t, in);
		long_device_begin(t, in, &m);
	} else {
		l = long_precheck(t, in);
		long_operand(t, in, &m);
	}
	long_put(t, in, &m);
	if (device)
		long_device_end(t, in);
	if (l)
		long_precheck_end(t, l);
}

/* MOV with an offset of 64 bits and no ModRM. */
static bool mov_offset(struct tx *t, struct insn *in)
{
	bool store = in->mem == 0;
	unsigned size = in->op[in->mem].size / 8;
	unsigned fl = size == 8 ? F_W : size == 2 ? F_66 : 0;
	bool device = t->kind == TX_MMIO || site_is_device(t, in);
	struct host_mem m;

	if (in->z.mnemonic != ZYDIS_MNEMONIC_MOV || in->z.attributes & ZYDIS_ATTRIB_HAS_MODRM)
		return false;
	t->low[t->i] = LOW_WINDOW;
	if (device) {
		long_linear(t, in);
		long_device_begin(t, in, &m);
	} else {
		long_operand(t, in, &m);
	}
	e_mem(t, fl, (store ? 0x88u : 0x8au) | (size > 1), H_RAX, &m);
	if (device)
		long_device_end(t, in);
	return true;
}

static void lea(struct tx *t, struct insn *in)
{
	const ZydisDecodedOperand *d = &in->op[0];
	const ZydisDecodedOperandMem *m = &in->op[in->mem].mem;
	int n = long_number(d->reg.value);

	if (n == H_RSP && d->size == 64 && m->base == ZYDIS_REGISTER_RSP && m->index == ZYDIS_REGISTER_NONE) {
		long_adjust(t, (int32_t)m->disp.value);
		return;
	}
	if (d->size >= 32 && long_home(n) == HOME_HOST) {
		long_lea(t, in, n, d->size == 64);
		return;
	}
	long_lea(t, in, H_R8, d->size == 64);
	if (d->size == 16) {
		long_reg_get(t, H_R11, n);
		e_rr(t, F_66, 0x8b, H_R11, H_R8);
		long_reg_set(t, n, H_R11);
	} else {
		long_reg_set(t, n, H_R8);
	}
}

/* ---- arithmetic on the stack pointer ---- */

/* Does IN leave the flags alone, and neither fault nor leave the TU? */
static bool is_quiet(const struct insn *in)
{
	if (in->invalid || (in->mem >= 0 && in->z.mnemonic != ZYDIS_MNEMONIC_LEA))
		return false;
	switch (in->z.mnemonic) {
	case ZYDIS_MNEMONIC_MOV:
		return !(in->z.attributes & ZYDIS_ATTRIB_IS_PRIVILEGED) && is_general(&in->op[0]) &&
		       (is_general(&in->op[1]) || in->op[1].type == ZYDIS_OPERAND_TYPE_IMMEDIATE);
	case ZYDIS_MNEMONIC_LEA:
	case ZYDIS_MNEMONIC_MOVZX:
	case ZYDIS_MNEMONIC_MOVSX:
	case ZYDIS_MNEMONIC_MOVSXD:
		return true;
	default:
		return false;
	}
}

/* Does IN replace all arithmetic flags, and not read them, without a fault? */
static bool replaces_flags(const struct insn *in)
{
	if (in->invalid || in->mem >= 0)
		return false;
	switch (in->z.mnemonic) {
	case ZYDIS_MNEMONIC_ADD:
	case ZYDIS_MNEMONIC_SUB:
	case ZYDIS_MNEMONIC_CMP:
	case ZYDIS_MNEMONIC_AND:
	case ZYDIS_MNEMONIC_OR:
	case ZYDIS_MNEMONIC_XOR:
	case ZYDIS_MNEMONIC_TEST:
	case ZYDIS_MNEMONIC_NEG:
		return true;
	default:
		return false;
	}
}

/* A TU that is longer in host code may be cut anywhere. */
enum { SAFE_LENGTH = 4096 };

static bool flags_dead(const struct tx *t)
{
	unsigned i = t->i + 1;

	while (i < t->n && is_quiet(&t->in[i]))
		i++;
	return i < t->n && replaces_flags(&t->in[i]) && t->p - t->base < SAFE_LENGTH && !t->b->probes.n &&
	       t->kind == TX_NORMAL;
}

/* ADD, SUB and AND of a constant change rsp in place; flags are made from the guest's value beside it. */
static bool stack_arithmetic(struct tx *t, struct insn *in)
{
	const ZydisDecodedOperand *d = &in->op[0], *s = &in->op[1];
	int64_t by = s->imm.value.s;
	struct host_form f = form_of(in);
	bool dead;

	if (!is_general(d) || d->size != 64 || long_number(d->reg.value) != H_RSP ||
	    s->type != ZYDIS_OPERAND_TYPE_IMMEDIATE || by == INT32_MIN)
		return false;
	switch (in->z.mnemonic) {
	case ZYDIS_MNEMONIC_ADD:
		break;
	case ZYDIS_MNEMONIC_SUB:
		by = -by;
		break;
	case ZYDIS_MNEMONIC_AND:
		if (by >= 0) /* clears what D adds, too */
			return false;
		break;
	default:
		return false;
	}
	dead = flags_dead(t);
	if (!dead)
		long_reg_get(t, H_R8, H_RSP);
	if (in->z.mnemonic == ZYDIS_MNEMONIC_AND)
		put_form(t, in, &f);
	else
		long_adjust(t, (int32_t)by);
	if (!dead) {
		f.rm = H_R8;
		put_form(t, in, &f);
	}
	return true;
}

static unsigned mark(const struct insn *in);

void long_plain(struct tx *t, struct insn *in)
{
	uint8_t *at = t->p;

	long_poll_early(t);
	if (t->p != at)
		tx_mark(t, FIX_NONE, mark(in));
	if (stack_arithmetic(t, in))
		return;
	if (in->mem < 0)
		put_registers(t, in);
	else if (in->op[in->mem].mem.type == ZYDIS_MEMOP_TYPE_AGEN)
		lea(t, in);
	else if (!mov_offset(t, in))
		put_memory(t, in);
}

/* Hints access nothing. Of the fences, the encoding that every decoder knows. */
static bool lower_hint(struct tx *t, struct insn *in)
{
	switch (in->z.mnemonic) {
	case ZYDIS_MNEMONIC_NOP:
	case ZYDIS_MNEMONIC_PREFETCH:
	case ZYDIS_MNEMONIC_PREFETCHW:
	case ZYDIS_MNEMONIC_PREFETCHWT1:
	case ZYDIS_MNEMONIC_PREFETCHNTA:
	case ZYDIS_MNEMONIC_PREFETCHT0:
	case ZYDIS_MNEMONIC_PREFETCHT1:
	case ZYDIS_MNEMONIC_PREFETCHT2:
		return true;
	case ZYDIS_MNEMONIC_LFENCE:
	case ZYDIS_MNEMONIC_MFENCE:
	case ZYDIS_MNEMONIC_SFENCE:
		e2(t, 0xae0f);
		e1(t, in->z.mnemonic == ZYDIS_MNEMONIC_LFENCE	? 0xe8
		      : in->z.mnemonic == ZYDIS_MNEMONIC_MFENCE ? 0xf0
								: 0xf8);
		return true;
	default:
		return false;
	}
}

/* AL = the byte at [RBX+AL]. */
static bool lower_xlat(struct tx *t, struct insn *in)
{
	if (in->z.mnemonic != ZYDIS_MNEMONIC_XLAT)
		return false;
	emit_load_operand(t, in, (unsigned)in->mem, 1);
	e_rr(t, F_8, 0x8a, H_RAX, H_R8);
	return true;
}

static bool (*const families[])(struct tx *, struct insn *) = {
	lower_long_system, lower_flow,	 lower_long_stack, lower_long_string, lower_hint, lower_long_vector,
	lower_xlat,	   lower_system, lower_legacy,	   lower_divide,      NULL
};

/* What a fault at the instruction should know. Misaligned operands raise #GP, also on the stack. */
static unsigned mark(const struct insn *in)
{
	if (in->z.meta.category == ZYDIS_CATEGORY_STRINGOP ||
	    (in->mem >= 0 && (insn_is_masked_move(in) || insn_mask(in))))
		return MARK_OPTIONAL;
	if (in->mem >= 0)
		return in->seg == SEG_SS && !insn_wants_alignment(in) &&
			       in->z.mnemonic != ZYDIS_MNEMONIC_CMPXCHG16B
			   ? MARK_STACK
			   : 0;
	switch (in->z.meta.category) {
	case ZYDIS_CATEGORY_PUSH:
	case ZYDIS_CATEGORY_POP:
	case ZYDIS_CATEGORY_CALL:
	case ZYDIS_CATEGORY_RET:
		return MARK_STACK;
	default:
		return in->z.mnemonic == ZYDIS_MNEMONIC_LEAVE || in->z.mnemonic == ZYDIS_MNEMONIC_ENTER
			   ? MARK_STACK
			   : 0;
	}
}

const struct lower_ops ops_long = {
	.mark = mark,
	.families = families,
	.plain = long_plain,
	.after = facts_after,
	.ea = long_ea,
	.linear = long_linear_sized,
	.load = long_load,
	.push_reg = long_push_reg,
	.push_imm = long_push_imm,
	.push_keeps_r8 = long_push_keeps_r8,
	.peek = long_peek,
	.adjust = long_adjust,
};
