/* SPDX-License-Identifier: GPL-3.0-or-later
 * The verifier's rules for memory operands of 64-bit code: exactly the forms listed in verify/long.c. */
#include "bt/verify/long_int.h"

#include <string.h>

/* What a probed address may be off by: a displacement of 32 bits and the drift of a register. Around each
 * cluster of regions there is more than this of nothing. */
#define NEAR ((1ll << 31) + (1 << 20))

static bool is_field(const struct value *v, uint32_t off)
{
	return v && v->kind == L_FIELD && v->n == off;
}

/* ---- probed memory ---- */

static bool near_to(const struct sum *s, const struct sum *p)
{
	int64_t delta = (int64_t)((uint64_t)s->disp - (uint64_t)p->disp);

	if (!s->base && !p->base && !s->index && !p->index && s->disp >> 32 == p->disp >> 32)
		delta = 0; /* the same region */
	if (s->base != p->base || s->d != p->d || (s->d && s->space != p->space) || delta < -NEAR ||
	    delta > NEAR)
		return false;
	return s->index == p->index && (!s->index || s->scale == p->scale);
}

/* Is a probe of what is near S in force? */
static bool covered(const struct long_check *k, const struct sum *s)
{
	unsigned first = k->s.nprobed > L_PROBES ? k->s.nprobed - L_PROBES : 0;

	for (unsigned i = first; i < k->s.nprobed; i++)
		if (near_to(s, &k->s.probed[i % L_PROBES]))
			return true;
	return false;
}

/* ---- the vCPU ---- */

/* Bytes accessed, where Capstone's operand size is wrong. */
static const struct {
	uint16_t id, size;
} sizes[] = {
	{ X86_INS_FXSAVE, 512 },    { X86_INS_FXRSTOR, 512 }, { X86_INS_FXSAVE64, 512 },
	{ X86_INS_FXRSTOR64, 512 }, { X86_INS_FNSAVE, 108 },  { X86_INS_FRSTOR, 108 },
};

static unsigned size_of(const struct long_check *k, unsigned size)
{
	for (unsigned i = 0; i < ARRAY_LEN(sizes); i++)
		if (sizes[i].id == k->c.in->id)
			return sizes[i].size;
	return long_is_xsave(&k->c) ? k->l->area : size;
}

/* STAC and CLAC: one of the user half's parts is opened or closed. */
static bool opens_part(const struct long_check *k, uint64_t at)
{
	const cs_x86_op *s = &k->c.in->detail->x86.operands[1];
	const struct value *v =
	    k->c.in->id == X86_INS_MOV && s->type == X86_OP_REG ? long_value_of(k, s->reg) : NULL;
	uint64_t part = at - k->l->part_v[0];

	return part <= 8 && !(part & 7) && v && v->kind == L_FIELD &&
	       (v->n == k->l->open + part || v->n == k->l->closed + part);
}

static const char *vcpu_access(struct long_check *k, uint64_t at, unsigned size, bool write)
{
	if (at > k->c.env->vcpu_size || at + size_of(k, size) > k->c.env->vcpu_size)
		return "access beyond the vCPU";
	if (!write)
		return NULL;
	long_forget_cells(k, at, size_of(k, size));
	if (verify_writable(k->c.env, (int64_t)at, size_of(k, size)) || opens_part(k, at))
		return NULL;
	return "store to the monitor's part of the vCPU";
}

/* Instructions that access all of their operand, where it is, unless they fault: then its region is this
 * space's. */
static bool always_accesses(const struct long_check *k)
{
	static const uint16_t ids[] = {
		X86_INS_MOV, X86_INS_MOVZX, X86_INS_MOVSX, X86_INS_MOVSXD, X86_INS_ADD,	 X86_INS_SUB,
		X86_INS_ADC, X86_INS_SBB,   X86_INS_AND,   X86_INS_OR,	   X86_INS_XOR,	 X86_INS_CMP,
		X86_INS_INC, X86_INS_DEC,   X86_INS_NEG,   X86_INS_NOT,	   X86_INS_TEST, X86_INS_XCHG,
		X86_INS_MUL, X86_INS_IMUL,  X86_INS_PUSH,  X86_INS_POP,
	};
	static const uint16_t others[] = {
		X86_INS_PREFETCHNTA, X86_INS_PREFETCHT0, X86_INS_PREFETCHT1,  X86_INS_PREFETCHT2,
		X86_INS_MASKMOVQ,    X86_INS_MASKMOVDQU, X86_INS_VMASKMOVDQU, X86_INS_VMASKMOVPS,
		X86_INS_VMASKMOVPD,  X86_INS_VPMASKMOVD, X86_INS_VPMASKMOVQ,  X86_INS_CLFLUSH,
		X86_INS_VGATHERDPS,  X86_INS_VGATHERDPD, X86_INS_VGATHERQPS,  X86_INS_VGATHERQPD,
		X86_INS_VPGATHERDD,  X86_INS_VPGATHERDQ, X86_INS_VPGATHERQD,  X86_INS_VPGATHERQQ,
	};
	static const uint8_t vectors[] = { X86_GRP_SSE1,  X86_GRP_SSE2,	 X86_GRP_SSE3,
					   X86_GRP_SSSE3, X86_GRP_SSE41, X86_GRP_SSE42,
					   X86_GRP_AVX,	  X86_GRP_AVX2,	 X86_GRP_FMA };
	const struct cs_insn *in = k->c.in;

	if (k->c.env->v->avx512) /* it may be masked */
		return false;
	for (unsigned i = 0; i < ARRAY_LEN(others); i++)
		if (in->id == others[i])
			return false;

	for (unsigned i = 0; i < ARRAY_LEN(ids); i++)
		if (in->id == ids[i])
			return true;
	for (unsigned i = 0; i < in->detail->groups_count; i++)
		if (memchr(vectors, in->detail->groups[i], sizeof(vectors)))
			return true;
	return false;
}

const char *long_access(struct long_check *k, const struct sum *s, unsigned size, bool write)
{
	uint64_t at;

	if (long_constant(s, &at) && at - k->l->vcpu < k->c.env->vcpu_size)
		return vcpu_access(k, at - k->l->vcpu, size, write);
	if (!covered(k, s))
		return "access that no probe covers";
	if (always_accesses(k))
		long_note_probe(&k->s, s);
	return NULL;
}

/* ---- the monitor's tables ---- */

static bool is_load(const struct long_check *k, unsigned i)
{
	unsigned id = k->c.in->id;

	return i > 0 && (id == X86_INS_MOV || id == X86_INS_MOVZX || id == X86_INS_MOVSX ||
			 id == X86_INS_MOVSXD || id == X86_INS_ADD);
}

static bool only_read(const struct long_check *k, unsigned i)
{
	return (i > 0 && k->c.in->id != X86_INS_XCHG) || k->c.in->id == X86_INS_CMP ||
	       k->c.in->id == X86_INS_TEST || k->c.in->id == X86_INS_JMP || k->c.in->id == X86_INS_PUSH;
}

static bool plain(const struct long_check *k, const x86_op_mem *m)
{
	return m->segment == X86_REG_INVALID && !a32(&k->c);
}

/* [table of tables + upper half * 8], [table + lower half * 4] */
bool long_is_table(const struct long_check *k, const x86_op_mem *m, enum value_kind *made)
{
	const struct value *b = long_value_of(k, m->base), *x = long_value_of(k, m->index);
	bool outer = is_field(b, k->l->tables);

	if (!plain(k, m) || !b || !x || x->below > 32 || m->disp || m->scale != (outer ? 8 : 4) ||
	    (!outer && b->kind != L_TABLE))
		return false;
	*made = outer ? L_TABLE : L_ENTRY;
	return true;
}

/* [vCPU + part * 8 + a table of V or D] */
bool long_is_choice(const struct long_check *k, const x86_op_mem *m, struct value *made)
{
	const struct value *x = long_value_of(k, m->index);
	uint64_t off = (uint64_t)m->disp - k->l->vcpu;

	if (!plain(k, m) || m->base != X86_REG_INVALID || !x || x->kind != L_PART || m->scale != 8)
		return false;
	for (uint32_t i = 0; i < 2; i++) {
		uint32_t n = x->n << 1 | i;

		if (off == k->l->part_v[i]) {
			made->kind = L_V;
			made->n = n;
			return true;
		}
		if (off == k->l->part_d[i]) {
			made->sum = (struct sum){ .d = 1, .space = n };
			return true;
		}
	}
	return false;
}

/* [vCPU + byte * 8 + a table of quadwords] */
static bool is_tag(const struct long_check *k, const x86_op_mem *m)
{
	const struct value *x = long_value_of(k, m->index);
	uint64_t off = (uint64_t)m->disp - k->l->vcpu - k->l->tags;

	return plain(k, m) && m->base == X86_REG_INVALID && x && x->below <= 8 && m->scale == 8 &&
	       k->l->tags_bytes >= 256 * 8 && off <= k->l->tags_bytes - 256 * 8;
}

/* A load through a pointer of the monitor's. */
static const char *monitor_load(struct long_check *k, const cs_x86_op *op, unsigned i, bool *is)
{
	const x86_op_mem *m = &op->mem;
	const struct value *b = long_value_of(k, m->base), *record = &k->s.reg[R9];
	struct value v = { 0 };
	enum value_kind made;
	uint64_t n;

	*is = true;
	if (long_is_choice(k, m, &v))
		return op->size == 8 && i == 1 && k->c.in->id == X86_INS_MOV ? NULL
									     : "the spaces are only loaded";
	if (is_tag(k, m))
		return op->size == 8 && i == 1 && k->c.in->id == X86_INS_MOV ? NULL : "tags are only loaded";
	if (long_is_table(k, m, &made))
		return op->size == (made == L_TABLE ? 8 : 4) && i == 1 && k->c.in->id == X86_INS_MOV
			   ? NULL
			   : "jump table accessed in a form not allowed";
	if (is_field(b, k->c.env->poll) && plain(k, m) && m->index == X86_REG_INVALID)
		return !m->disp && op->size == 4 && is_load(k, i)
			   ? NULL
			   : "polled address accessed in a form not allowed";
	if (is_field(b, k->c.env->trap) && plain(k, m) && m->index == X86_REG_INVALID)
		return !m->disp && op->size == 4 && is_load(k, i) && long_constant(&record->sum, &n)
			   ? NULL
			   : "trap page accessed in a form not allowed, or without a record";
	*is = false;
	return NULL;
}

/* ---- operands ---- */

/* The base of GS is D. */
static bool add_gs(struct sum *s)
{
	if (s->d > 0 || (s->d && s->space))
		return false;
	s->d++;
	s->space = 0;
	return true;
}

/* BT and its relatives address memory by the bit number, which has 32 bits, or is bounded. In the vCPU it
 * stays in the operand. */
static const char *bit_string(struct long_check *k)
{
	unsigned id = k->c.in->id, size, n;
	const cs_x86_op *op = k->c.x->operands;
	struct sum s;
	uint64_t at;

	if ((id != X86_INS_BT && id != X86_INS_BTS && id != X86_INS_BTR && id != X86_INS_BTC) ||
	    op[1].type != X86_OP_REG)
		return NULL;
	n = long_register(op[1].reg, &size);
	if (n == L_REGS || !long_address(k, &op[0].mem, &s))
		return "bit string with an unknown operand";
	if (long_constant(&s, &at))
		return k->s.reg[n].below < 32 && 1u << k->s.reg[n].below <= 8 * size
			   ? NULL
			   : "bit string in the vCPU";
	return size == 8 && k->s.reg[n].below > 32 ? "bit string with any bit number" : NULL;
}

static bool is_vector(unsigned r)
{
	return (r >= X86_REG_XMM0 && r <= X86_REG_XMM31) || (r >= X86_REG_YMM0 && r <= X86_REG_YMM31) ||
	       (r >= X86_REG_ZMM0 && r <= X86_REG_ZMM31);
}

/* Is the operand's index a value of 32 bits, or a signed one, and its base probed? That is within the guard.
 */
static bool base_covered(struct long_check *k, const x86_op_mem *m)
{
	const struct value *x = long_value_of(k, m->index);
	x86_op_mem base = *m;
	struct sum s;

	base.index = X86_REG_INVALID;
	return x && x->is_short && long_address(k, &base, &s) && (m->segment != X86_REG_GS || add_gs(&s)) &&
	       covered(k, &s);
}

const char *long_memory(struct long_check *k, const cs_x86_op *op, unsigned i)
{
	const x86_op_mem *m = &op->mem;
	const char *why;
	struct sum s;
	bool is;

	if (long_is_probe(k, &s))
		return NULL;
	why = monitor_load(k, op, i, &is);
	if (is)
		return why;
	if (m->segment != X86_REG_INVALID && m->segment != X86_REG_GS)
		return "segment override";
	if (a32(&k->c))
		return "32-bit address";
	if (is_vector(m->index))
		return "addresses in a vector";
	if (m->base == X86_REG_RIP)
		return "access relative to RIP";
	why = bit_string(k);
	if (why)
		return why;
	if (!long_address(k, m, &s))
		return "address that is no sum";
	if (m->segment == X86_REG_GS && !add_gs(&s))
		return "GS access with a displacement in a register";
	why = long_access(k, &s, op->size, !only_read(k, i));
	return why && base_covered(k, m) ? NULL : why;
}

/* ---- implicit operands ---- */

static bool in_vcpu(const struct long_check *k)
{
	uint64_t at;

	return long_constant(&k->s.reg[RSP].sum, &at);
}

const char *long_stack(struct long_check *k)
{
	const cs_x86_op *op = k->c.x->operands;
	unsigned id = k->c.in->id;
	bool push = id == X86_INS_PUSH || id == X86_INS_PUSHFQ;
	struct sum s = k->s.reg[RSP].sum;

	if ((id == X86_INS_PUSHFQ || id == X86_INS_POPFQ) && !in_vcpu(k))
		return "flags on the guest's stack";
	if (op[0].type == X86_OP_REG && id != X86_INS_PUSHFQ && id != X86_INS_POPFQ && k->c.x->op_count) {
		unsigned size;

		if (long_register(op[0].reg, &size) >= L_REGS)
			return "segment register as an operand";
	}
	if (push)
		s.disp -= 8;
	return long_access(k, &s, 8, push);
}

/* The elements are next to each other: what is around a region is of the same space, or nothing. */
const char *long_string(struct long_check *k, unsigned how)
{
	static const struct {
		unsigned how, reg;
	} side[] = { { IMP_SRC, RSI }, { IMP_DST | IMP_WINDOW, RDI } };

	bool gs = k->c.x->prefix[1] == X86_PREFIX_GS;

	if (a32(&k->c))
		return "32-bit address";
	if (k->c.in->id == X86_INS_XLATB)
		return "XLAT";
	if (k->c.x->prefix[1] && (!gs || (how & IMP_DST))) /* the destination takes no override */
		return "segment override";
	for (unsigned i = 0; i < ARRAY_LEN(side); i++) {
		struct sum s = k->s.reg[side[i].reg].sum;

		if (!(how & side[i].how))
			continue;
		if (gs && !add_gs(&s))
			return "GS access with a displacement in a register";
		if (!covered(k, &s))
			return i ? "string destination that no probe covers"
				 : "string source that no probe covers";
	}
	return NULL;
}
