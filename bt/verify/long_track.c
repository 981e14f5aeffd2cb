/* SPDX-License-Identifier: GPL-3.0-or-later
 * What an instruction of 64-bit code does to what is known. Only results that some rule needs are worked out;
 * all other registers that it may write hold new unknown values. */
#include "bt/verify/long_int.h"

#include <string.h>

/* The value of the monitor's field at OFF. */
static struct value field_value(struct long_check *k, uint64_t off)
{
	struct value v = long_unknown(k, 64);

	if (off == k->l->d || off == k->l->neg_d)
		return long_displacement(0, off == k->l->d ? 1 : -1);
	if (off == k->l->part_d[1])
		return long_displacement(L_LOW, 1);
	if (off == k->l->v || off == k->l->part_v[1]) {
		v.kind = L_V;
		v.n = off == k->l->v ? 0 : L_LOW;
	} else if (!verify_writable(k->c.env, (int64_t)off, 8)) {
		v.kind = L_FIELD;
		v.n = (uint32_t)off;
	}
	return v;
}

/* Is the operand in the vCPU? *OFF: where. */
static bool vcpu_offset(struct long_check *k, const x86_op_mem *m, uint64_t *off)
{
	struct sum at;

	if (m->segment != X86_REG_INVALID || a32(&k->c) || !long_address(k, m, &at) ||
	    !long_constant(&at, off))
		return false;
	*off -= k->l->vcpu;
	return *off < k->c.env->vcpu_size;
}

static struct value loaded(struct long_check *k, const x86_op_mem *m)
{
	struct value v = long_unknown(k, 64);
	enum value_kind made;
	uint64_t at;

	if (long_is_choice(k, m, &v))
		return v;
	if (long_is_table(k, m, &made)) {
		v.kind = made;
		return v;
	}
	if (vcpu_offset(k, m, &at)) {
		struct long_cell *c = long_find_cell(&k->s, at);

		if (c)
			return c->value;
		v = field_value(k, at);
		if (verify_writable(k->c.env, (int64_t)at,
				    8)) /* of others nothing is kept but what they are */
			long_set_cell(&k->s, at, &v);
	}
	return v;
}

/* SHRX of the first source, by the second. */
static struct value shifted(struct long_check *k)
{
	const cs_x86_op *op = k->c.x->operands;
	const struct value *s = op[1].type == X86_OP_REG ? long_value_of(k, op[1].reg) : NULL;
	const struct value *by = long_value_of(k, op[2].reg);
	struct value v = long_unknown(k, 64);
	uint64_t n;

	if (!s || !by)
		return v;
	if (by->kind == L_V) {
		v.kind = L_SHIFTED;
		v.n = by->n;
		v.of = s->sum;
		v.of_own = s->own;
	} else if (long_constant(&by->sum, &n)) {
		v.below = (uint8_t)(64 - (n & 63));
	}
	return v;
}

/* LEA of 64 bits. */
static struct value sum_value(struct long_check *k, const x86_op_mem *m)
{
	const struct value *b = long_value_of(k, m->base);
	struct value v = long_unknown(k, 64), r = v;

	if (b && b->kind == L_ENTRY && m->index == X86_REG_INVALID && (uint64_t)m->disp == k->l->entries) {
		v.kind = L_TARGET;
		return v;
	}
	if (a32(&k->c) || !long_address(k, m, &r.sum))
		return v;
	r.below = 64;
	r.is_short = false;
	return r;
}

/* ADD, SUB, INC and DEC. */
static struct value added(struct long_check *k)
{
	const cs_x86_op *op = k->c.x->operands;
	const struct value *was = long_value_of(k, op[0].reg);
	unsigned id = k->c.in->id;
	bool one = id == X86_INS_INC || id == X86_INS_DEC;
	int64_t by = one ? 1 : op[1].imm;
	struct value v = { .below = 64, .own = ++k->last };

	if (!was || (!one && op[1].type != X86_OP_IMM))
		return long_unknown(k, 64);
	v.sum = was->sum;
	if (id == X86_INS_ADD || id == X86_INS_INC)
		v.sum.disp = (int64_t)((uint64_t)v.sum.disp + (uint64_t)by);
	else
		v.sum.disp = (int64_t)((uint64_t)v.sum.disp - (uint64_t)by);
	return v;
}

static struct value result_64(struct long_check *k)
{
	const cs_x86_op *op = k->c.x->operands;
	struct value v;

	switch (k->c.in->id) {
	case X86_INS_MOV:
	case X86_INS_MOVABS:
		if (op[1].type == X86_OP_IMM)
			return long_constant_value((uint64_t)op[1].imm);
		if (op[1].type == X86_OP_MEM)
			return loaded(k, &op[1].mem);
		if (op[1].type == X86_OP_REG && long_value_of(k, op[1].reg))
			return *long_value_of(k, op[1].reg);
		break;
	case X86_INS_LEA:
		return sum_value(k, &op[1].mem);
	case X86_INS_SHRX:
		return shifted(k);
	case X86_INS_ADD:
	case X86_INS_SUB:
	case X86_INS_INC:
	case X86_INS_DEC:
		return added(k);
	case X86_INS_MOVSXD:
	case X86_INS_MOVSX:
		v = long_unknown(k, 64);
		v.is_short = true;
		return v;
	default:
		break;
	}
	return long_unknown(k, 64);
}

/* Instructions that write a 32-bit register, and so clear its upper half, whatever their operands are: not
 * shifts by zero, nor BSF of zero, nor CMPXCHG. */
static const uint16_t replacing[] = {
	X86_INS_MOV,	   X86_INS_MOVZX,      X86_INS_MOVSX,	  X86_INS_LEA,	      X86_INS_ADD,
	X86_INS_SUB,	   X86_INS_ADC,	       X86_INS_SBB,	  X86_INS_AND,	      X86_INS_OR,
	X86_INS_XOR,	   X86_INS_INC,	       X86_INS_DEC,	  X86_INS_NEG,	      X86_INS_NOT,
	X86_INS_IMUL,	   X86_INS_BSWAP,      X86_INS_POPCNT,	  X86_INS_LZCNT,      X86_INS_TZCNT,
	X86_INS_SHRX,	   X86_INS_SHLX,       X86_INS_SARX,	  X86_INS_RORX,	      X86_INS_PEXT,
	X86_INS_PDEP,	   X86_INS_ANDN,       X86_INS_BEXTR,	  X86_INS_BZHI,	      X86_INS_BLSI,
	X86_INS_BLSR,	   X86_INS_BLSMSK,     X86_INS_MOVD,	  X86_INS_CRC32,      X86_INS_PMOVMSKB,
	X86_INS_CMOVA,	   X86_INS_CMOVAE,     X86_INS_CMOVB,	  X86_INS_CMOVBE,     X86_INS_CMOVE,
	X86_INS_CMOVG,	   X86_INS_CMOVGE,     X86_INS_CMOVL,	  X86_INS_CMOVLE,     X86_INS_CMOVNE,
	X86_INS_CMOVNO,	   X86_INS_CMOVNP,     X86_INS_CMOVNS,	  X86_INS_CMOVO,      X86_INS_CMOVP,
	X86_INS_CMOVS,	   X86_INS_ADCX,       X86_INS_ADOX,	  X86_INS_MOVBE,      X86_INS_RDRAND,
	X86_INS_RDSEED,	   X86_INS_CVTSS2SI,   X86_INS_CVTTSS2SI, X86_INS_CVTSD2SI,   X86_INS_CVTTSD2SI,
	X86_INS_VCVTSS2SI, X86_INS_VCVTTSS2SI, X86_INS_VCVTSD2SI, X86_INS_VCVTTSD2SI, X86_INS_MOVMSKPS,
	X86_INS_MOVMSKPD,  X86_INS_VMOVMSKPS,  X86_INS_VMOVMSKPD, X86_INS_VPMOVMSKB,  X86_INS_PEXTRB,
	X86_INS_PEXTRW,	   X86_INS_PEXTRD,     X86_INS_VPEXTRB,	  X86_INS_VPEXTRW,    X86_INS_VPEXTRD,
	X86_INS_EXTRACTPS, X86_INS_VEXTRACTPS, X86_INS_VMOVD,
};

static bool listed(const uint16_t *list, unsigned n, unsigned id)
{
	for (unsigned i = 0; i < n; i++)
		if (list[i] == id)
			return true;
	return false;
}
#define LISTED(list, id) listed(list, ARRAY_LEN(list), id)

static bool writes_all(const struct long_check *k) /* or two of three */
{
	return k->c.in->id == X86_INS_XCHG || k->c.in->id == X86_INS_XADD || k->c.in->id == X86_INS_MULX;
}

static bool replaces(const struct long_check *k)
{
	const cs_x86_op *op = k->c.x->operands;

	switch (k->c.in->id) {
	case X86_INS_SHL:
	case X86_INS_SAL:
	case X86_INS_SHR:
	case X86_INS_SAR:
	case X86_INS_ROL:
	case X86_INS_ROR:
	case X86_INS_RCL:
	case X86_INS_RCR:
		return k->c.x->op_count == 2 && op[1].type == X86_OP_IMM && (op[1].imm & 31);
	default:
		return LISTED(replacing, k->c.in->id);
	}
}

static bool is_mask_field(const struct long_check *k, unsigned r)
{
	unsigned size, n = long_register(r, &size);

	return n < L_REGS && k->s.reg[n].kind == L_FIELD && k->s.reg[n].n == k->l->mask;
}

/* PDEP sets no bits but those of its mask. */
static unsigned bits_of_mask(const struct long_check *k, unsigned r)
{
	unsigned size, n = long_register(r, &size);

	return n < L_REGS && k->s.reg[n].below < 32 ? k->s.reg[n].below : 32;
}

static struct value result_32(struct long_check *k)
{
	const cs_x86_op *op = k->c.x->operands;
	struct value v = long_unknown(k, replaces(k) || writes_all(k) ? 32 : 64);
	enum value_kind made;
	uint64_t off;

	if (k->c.in->id == X86_INS_MOV && op[1].type == X86_OP_IMM)
		return long_constant_value((uint32_t)op[1].imm);
	if (k->c.in->id == X86_INS_MOV && op[1].type == X86_OP_MEM && long_is_table(k, &op[1].mem, &made) &&
	    made == L_ENTRY)
		v.kind = made;
	if (k->c.in->id == X86_INS_MOVZX && op[1].size == 1) {
		v.below = 8;
		v.kind = L_PART;
		v.n = ++k->last;
	}
	if (k->c.in->id == X86_INS_MOV && op[1].type == X86_OP_MEM && vcpu_offset(k, &op[1].mem, &off) &&
	    off == k->l->mask) {
		v.kind = L_FIELD;
		v.n = (uint32_t)off;
	}
	if (k->c.in->id == X86_INS_PDEP && op[2].type == X86_OP_REG && is_mask_field(k, op[2].reg))
		v.kind = L_MASK;
	if (k->c.in->id == X86_INS_PDEP && op[2].type == X86_OP_REG)
		v.below = (uint8_t)bits_of_mask(k, op[2].reg);
	return v;
}

/* Instructions whose results are in their operands alone. Of others, any of the registers that some
 * instruction uses without naming it may have changed. */
static const uint16_t explicit[] = {
	X86_INS_MOV,	X86_INS_MOVABS, X86_INS_MOVZX,	X86_INS_MOVSX,	X86_INS_MOVSXD, X86_INS_LEA,
	X86_INS_ADD,	X86_INS_SUB,	X86_INS_ADC,	X86_INS_SBB,	X86_INS_AND,	X86_INS_OR,
	X86_INS_XOR,	X86_INS_CMP,	X86_INS_TEST,	X86_INS_INC,	X86_INS_DEC,	X86_INS_NEG,
	X86_INS_NOT,	X86_INS_SHL,	X86_INS_SAL,	X86_INS_SHR,	X86_INS_SAR,	X86_INS_ROL,
	X86_INS_ROR,	X86_INS_RCL,	X86_INS_RCR,	X86_INS_SHLD,	X86_INS_SHRD,	X86_INS_BT,
	X86_INS_BTS,	X86_INS_BTR,	X86_INS_BTC,	X86_INS_BSF,	X86_INS_BSR,	X86_INS_POPCNT,
	X86_INS_LZCNT,	X86_INS_TZCNT,	X86_INS_BSWAP,	X86_INS_XCHG,	X86_INS_XADD,	X86_INS_NOP,
	X86_INS_SHRX,	X86_INS_SHLX,	X86_INS_SARX,	X86_INS_RORX,	X86_INS_PEXT,	X86_INS_PDEP,
	X86_INS_PUSH,	X86_INS_POP,	X86_INS_PUSHFQ, X86_INS_POPFQ,	X86_INS_JMP,	X86_INS_JRCXZ,
	X86_INS_CMOVA,	X86_INS_CMOVAE, X86_INS_CMOVB,	X86_INS_CMOVBE, X86_INS_CMOVE,	X86_INS_CMOVG,
	X86_INS_CMOVGE, X86_INS_CMOVL,	X86_INS_CMOVLE, X86_INS_CMOVNE, X86_INS_CMOVNO, X86_INS_CMOVNP,
	X86_INS_CMOVNS, X86_INS_CMOVO,	X86_INS_CMOVP,	X86_INS_CMOVS,
};

/* Of others with a known effect: the registers that they write without naming them, a bit for each. */
static const struct {
	uint16_t id, regs;
} implied[] = {
	{ X86_INS_CBW, 1 << RAX },
	{ X86_INS_CWDE, 1 << RAX },
	{ X86_INS_CDQE, 1 << RAX },
	{ X86_INS_CWD, 1 << RDX },
	{ X86_INS_CDQ, 1 << RDX },
	{ X86_INS_CQO, 1 << RDX },
	{ X86_INS_LAHF, 1 << RAX },
	{ X86_INS_SAHF, 0 },
	{ X86_INS_CMPXCHG, 1 << RAX },
	{ X86_INS_CMPXCHG8B, 1 << RAX | 1 << RDX },
	{ X86_INS_CMPXCHG16B, 1 << RAX | 1 << RDX },
	{ X86_INS_MUL, 1 << RAX | 1 << RDX },
	{ X86_INS_IMUL, 1 << RAX | 1 << RDX },
	{ X86_INS_DIV, 1 << RAX | 1 << RDX },
	{ X86_INS_IDIV, 1 << RAX | 1 << RDX },
	{ X86_INS_RDTSC, 1 << RAX | 1 << RDX },
	{ X86_INS_CLC, 0 },
	{ X86_INS_STC, 0 },
	{ X86_INS_CMC, 0 },
	{ X86_INS_CLD, 0 },
	{ X86_INS_STD, 0 },
	{ X86_INS_LFENCE, 0 },
	{ X86_INS_MFENCE, 0 },
	{ X86_INS_SFENCE, 0 },
	{ X86_INS_PAUSE, 0 },
	{ X86_INS_MOVNTI, 0 },
	{ X86_INS_MOVBE, 0 },
	{ X86_INS_ADCX, 0 },
	{ X86_INS_ADOX, 0 },
	{ X86_INS_ANDN, 0 },
	{ X86_INS_BEXTR, 0 },
	{ X86_INS_BZHI, 0 },
	{ X86_INS_BLSI, 0 },
	{ X86_INS_BLSR, 0 },
	{ X86_INS_BLSMSK, 0 },
	{ X86_INS_MULX, 0 },
	{ X86_INS_CRC32, 0 },
	{ X86_INS_FXSAVE, 0 },
	{ X86_INS_FXSAVE64, 0 },
	{ X86_INS_FXRSTOR, 0 },
	{ X86_INS_FXRSTOR64, 0 },
	{ X86_INS_VSQRTSS, 0 },
	{ X86_INS_VSQRTSD, 0 },
	{ X86_INS_RDRAND, 0 },
	{ X86_INS_RDSEED, 0 },
	{ X86_INS_SETA, 0 },
	{ X86_INS_SETAE, 0 },
	{ X86_INS_SETB, 0 },
	{ X86_INS_SETBE, 0 },
	{ X86_INS_SETE, 0 },
	{ X86_INS_SETG, 0 },
	{ X86_INS_SETGE, 0 },
	{ X86_INS_SETL, 0 },
	{ X86_INS_SETLE, 0 },
	{ X86_INS_SETNE, 0 },
	{ X86_INS_SETNO, 0 },
	{ X86_INS_SETNP, 0 },
	{ X86_INS_SETNS, 0 },
	{ X86_INS_SETO, 0 },
	{ X86_INS_SETP, 0 },
	{ X86_INS_SETS, 0 },
	{ X86_INS_PCMPESTRI, 1 << RCX },
	{ X86_INS_PCMPISTRI, 1 << RCX },
	{ X86_INS_VPCMPESTRI, 1 << RCX },
	{ X86_INS_VPCMPISTRI, 1 << RCX },
};

/* Extensions whose instructions, but for those above, write no general register that they do not name. */
static const uint8_t vectors[] = {
	X86_GRP_FPU,   X86_GRP_MMX,   X86_GRP_SSE1,  X86_GRP_SSE2,   X86_GRP_SSE3,
	X86_GRP_SSSE3, X86_GRP_SSE41, X86_GRP_SSE42, X86_GRP_AVX,    X86_GRP_AVX2,
	X86_GRP_FMA,   X86_GRP_F16C,  X86_GRP_AES,   X86_GRP_PCLMUL, X86_GRP_SHA,
};

static bool is_vector(const struct long_check *k)
{
	for (unsigned i = 0; i < k->c.in->detail->groups_count; i++)
		if (memchr(vectors, k->c.in->detail->groups[i], sizeof(vectors)))
			return true;
	return false;
}

/* By its opcode, as Capstone has some in no group; of VEX none with it writes a general register, either.
 * FNSTSW names AX. */
static bool is_x87(const struct long_check *k)
{
	return (k->c.x->opcode[0] & 0xf8) == 0xd8;
}

enum { ANY = 1 << RAX | 1 << RCX | 1 << RDX | 1 << RBX | 1 << RSI | 1 << RDI };

static bool is_explicit(const struct long_check *k)
{
	return LISTED(explicit, k->c.in->id) ||
	       (verify_is_branch(&k->c) && k->c.in->id != X86_INS_LOOP && k->c.in->id != X86_INS_LOOPE &&
		k->c.in->id != X86_INS_LOOPNE);
}

/* LODS alone has a source and no destination; XLAT and its like are refused anyhow. */
static unsigned written_by_string(unsigned how)
{
	unsigned regs = 1 << RCX;

	if (how & IMP_SRC)
		regs |= 1 << RSI;
	if (how & IMP_DST)
		regs |= 1 << RDI;
	return how == IMP_SRC || how & IMP_WINDOW ? regs | 1 << RAX : regs;
}

/* MUL, DIV and their like of a byte leave RDX alone. */
static bool is_byte_product(const struct long_check *k)
{
	unsigned id = k->c.in->id;

	return (id == X86_INS_MUL || id == X86_INS_IMUL || id == X86_INS_DIV || id == X86_INS_IDIV) &&
	       k->c.x->operands[0].size == 1;
}

static unsigned written_implicitly(const struct long_check *k)
{
	if (is_explicit(k) || (k->c.in->id == X86_INS_IMUL && k->c.x->op_count > 1))
		return 0;
	for (unsigned i = 0; i < ARRAY_LEN(implied); i++)
		if (implied[i].id == k->c.in->id)
			return is_byte_product(k) ? 1 << RAX : implied[i].regs;
	if (verify_implicit(&k->c))
		return written_by_string(verify_implicit(&k->c));
	return is_vector(k) || is_x87(k) ? 0 : ANY;
}

/* Of instructions with a known effect the first operand alone is written, but for these. */
static bool only_reads(const struct long_check *k, unsigned i)
{
	unsigned id = k->c.in->id;

	if (id == X86_INS_CMP || id == X86_INS_TEST || id == X86_INS_PUSH || id == X86_INS_JMP ||
	    id == X86_INS_BT || id == X86_INS_MUL || id == X86_INS_DIV || id == X86_INS_IDIV ||
	    (id == X86_INS_IMUL && k->c.x->op_count == 1))
		return true;
	return i && !writes_all(k) && written_implicitly(k) != ANY;
}

/* Are the results that have no names of 32 bits? */
static bool writes_32(const struct long_check *k)
{
	switch (k->c.in->id) {
	case X86_INS_MUL:
	case X86_INS_IMUL:
	case X86_INS_DIV:
	case X86_INS_IDIV:
		return k->c.x->operands[0].size == 4;
	case X86_INS_CWDE:
	case X86_INS_CDQ:
		return true;
	default:
		return false;
	}
}

static void forget_operands(struct long_check *k)
{
	unsigned size, implicit = written_implicitly(k);

	for (unsigned i = 0; i < L_REGS; i++)
		if (implicit >> i & 1)
			k->s.reg[i] = long_unknown(k, writes_32(k) ? 32 : 64);
	if (k->c.in->id == X86_INS_CDQE)
		k->s.reg[RAX].is_short = true;
	for (unsigned i = 0; i < k->c.x->op_count; i++) {
		const cs_x86_op *op = &k->c.x->operands[i];
		unsigned n = op->type == X86_OP_REG ? long_register(op->reg, &size) : L_REGS;

		if (n < L_REGS && !only_reads(k, i))
			k->s.reg[n] = long_unknown(
			    k, size == 4 && (writes_all(k) || (i == 0 && replaces(k))) ? 32 : 64);
	}
}

static void note_probe(struct long_check *k)
{
	struct sum p;

	if (long_is_probe(k, &p))
		long_note_probe(&k->s, &p);
}

static bool exchange(struct long_check *k)
{
	const cs_x86_op *op = k->c.x->operands;
	unsigned size[2], a, b;
	struct value v;

	if (k->c.in->id != X86_INS_XCHG || op[0].type != X86_OP_REG || op[1].type != X86_OP_REG)
		return false;
	a = long_register(op[0].reg, &size[0]);
	b = long_register(op[1].reg, &size[1]);
	if (a >= L_REGS || b >= L_REGS || size[0] != 8 || size[1] != 8)
		return false;
	v = k->s.reg[a];
	k->s.reg[a] = k->s.reg[b];
	k->s.reg[b] = v;
	return true;
}

/* PUSH and POP move rsp by the size of their operand. */
static int stack_step(const struct long_check *k)
{
	bool word = k->c.x->prefix[2] == 0x66;

	switch (k->c.in->id) {
	case X86_INS_PUSH:
	case X86_INS_PUSHFQ:
		return word ? -2 : -8;
	case X86_INS_POP:
	case X86_INS_POPFQ:
		return word ? 2 : 8;
	default:
		return 0;
	}
}

/* A store to the vCPU: what is there now. */
static void store(struct long_check *k)
{
	const cs_x86_op *op = k->c.x->operands;
	uint64_t off;

	if (k->c.in->id == X86_INS_MOV && op[0].type == X86_OP_MEM && op[0].size == 8 &&
	    op[1].type == X86_OP_REG && long_value_of(k, op[1].reg) && vcpu_offset(k, &op[0].mem, &off))
		long_set_cell(&k->s, off, long_value_of(k, op[1].reg));
}

void long_track(struct long_check *k)
{
	const cs_x86_op *op = k->c.x->operands;
	bool to_register = k->c.x->op_count && op[0].type == X86_OP_REG;
	unsigned size = 0, d = to_register ? long_register(op[0].reg, &size) : L_REGS;
	int step = stack_step(k);
	struct value v;

	if (exchange(k))
		return;
	store(k);
	note_probe(k);
	v = d == L_REGS ? (struct value){ 0 }
	    : size == 8 ? result_64(k)
	    : size == 4 ? result_32(k)
			: long_unknown(k, 64);
	if (step) {
		k->s.reg[RSP].sum.disp += step;
		k->s.reg[RSP].own = ++k->last;
		k->s.reg[RSP].kind = L_PLAIN;
	}
	forget_operands(k);
	if (d < L_REGS && !only_reads(k, 0) && is_explicit(k))
		k->s.reg[d] = v;
}
