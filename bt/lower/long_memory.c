/* SPDX-License-Identifier: GPL-3.0-or-later
 * Memory operands of 64-bit code: effective and linear addresses, probes, and the host form of an operand. */
#include "bt/adapt/adapt.h"
#include "bt/emit/encode.h"
#include "bt/lower/long.h"
#include "bt/runtime/callout.h"

/* ---- addresses ---- */

static bool short_address(const struct insn *in)
{
	return in->z.address_width == 32;
}

static bool has_base(const struct insn *in) /* of its segment */
{
	return in->seg == SEG_FS || in->seg == SEG_GS;
}

static bool rip_relative(const struct insn *in)
{
	ZydisRegister b = in->op[in->mem].mem.base;

	return b == ZYDIS_REGISTER_RIP || b == ZYDIS_REGISTER_EIP;
}

/* Displacements that do not leave the neighbourhood of what is probed. */
static bool is_near(int64_t disp)
{
	return disp > -(1 << 20) && disp < 1 << 20;
}

static const ZydisDecodedOperandMem *memory(const struct insn *in)
{
	return &in->op[in->mem].mem;
}

/* The registers and the displacement of the operand, for the guest's own numbers. */
static struct host_mem own_operand(const struct insn *in)
{
	const ZydisDecodedOperandMem *m = memory(in);
	struct host_mem o = { .base = m->base ? long_number(m->base) : NO_REG,
			      .index = m->index ? long_number(m->index) : NO_REG,
			      .disp = (int32_t)m->disp.value };

	if (o.index != NO_REG)
		o.scale = m->scale == 8 ? 3 : m->scale == 4 ? 2 : m->scale == 2 ? 1 : 0;
	return o;
}

/* The guest's register N as part of an address; one that lives elsewhere is loaded into SCRATCH. The lower
 * half of rsp needs no correction: D is a multiple of 4 GiB. */
static int in_address(struct tx *t, int n, int scratch, bool wide)
{
	if (n == NO_REG || long_home(n) == HOME_HOST || (n == H_RSP && !wide))
		return n;
	long_reg_get(t, scratch, n);
	return scratch;
}

void long_lea(struct tx *t, const struct insn *in, int d, bool wide)
{
	struct host_mem o = own_operand(in);
	uint64_t disp = (uint64_t)memory(in)->disp.value;

	wide &= !short_address(in);
	if (rip_relative(in) && wide) {
		e_mov_address(t, d, disp + in->next);
		return;
	}
	if (rip_relative(in) || (o.base == NO_REG && o.index == NO_REG)) {
		uint64_t a = disp + (rip_relative(in) ? in->next : 0);

		t->fixed |= rip_relative(in);
		e_mov_const(t, d, wide ? a : (uint32_t)a);
		return;
	}
	if (in->z.mnemonic == ZYDIS_MNEMONIC_XLAT) {
		e_movzx8(t, H_R8, H_RAX);
		o.index = H_R8;
		e_mem(t, wide ? F_W : 0, 0x8d, d, &o);
		return;
	}
	o.base = in_address(t, o.base, H_R8, wide);
	o.index = in_address(t, o.index, o.base == H_R8 ? H_R11 : H_R8, wide);
	e_mem(t, wide ? F_W : 0, 0x8d, d, &o);
}

void long_ea(struct tx *t, const struct insn *in)
{
	long_lea(t, in, H_R8, true);
}

void long_linear(struct tx *t, const struct insn *in)
{
	long_ea(t, in);
	long_add_base(t, in);
}

void long_add_base(struct tx *t, const struct insn *in)
{
	if (!has_base(in))
		return;
	e_ld64(t, H_R11, OFF_SEG(in->seg, base));
	e_add64(t, H_R8, H_R8, H_R11);
}

void long_linear_sized(struct tx *t, const struct insn *in, unsigned size)
{
	(void)size;
	long_linear(t, in);
}

/* ---- operands ---- */

/* Code that reaches more than its own space: r8 = the host address, by the part of the address space. */
static void user_operand(struct tx *t, struct insn *in, struct host_mem *m)
{
	long_linear(t, in);
	long_probe_part(t, H_R8);
	e_add64(t, H_R8, H_R8, H_D);
	long_restore(t);
	*m = (struct host_mem){ .base = H_R8, .index = NO_REG };
}

/* Has an access of the instruction been found to go to another part than the lower one? */
static bool reaches_any(const struct tx *t, const struct insn *in)
{
	return t->b->any_part[ENTRY_HASH(in->pc) / 64] >> ENTRY_HASH(in->pc) % 64 & 1;
}

/* r8 = the displacement of the lower part. */
static void load_low(struct tx *t)
{
	e_ld64(t, H_R8, OFF(parts[1].d[PART_LOW]));
}

static bool low_constant(struct tx *t, uint64_t a, struct host_mem *m)
{
	t->fixed = true;
	if (a > INT32_MAX)
		return false;
	if (!t->facts.low_constant) {
		e_movi32(t, H_R8, (uint32_t)a);
		long_probe_low(t, H_R8);
	}
	t->facts.low_constant = true;
	load_low(t);
	*m = (struct host_mem){ .base = H_R8, .index = NO_REG, .disp = (int32_t)a };
	return true;
}

/* Where code of a program that is not position independent reaches its text, data and heap. */
static bool lower_part(struct tx *t, struct insn *in, struct host_mem *m)
{
	struct host_mem o = own_operand(in);
	bool constant = rip_relative(in) || (o.base == NO_REG && o.index == NO_REG);

	if ((t->mode & MODE_CPL) != MODE_CPL || reaches_any(t, in) || has_base(in) || short_address(in) ||
	    o.base == H_RSP || !(in->z.attributes & ZYDIS_ATTRIB_HAS_MODRM) || insn_uses_high_byte(in))
		return false;
	if (constant)
		return low_constant(t, (uint64_t)memory(in)->disp.value + (rip_relative(in) ? in->next : 0),
				    m);
	if (o.base != NO_REG && long_home(o.base) == HOME_HOST && is_near(o.disp) &&
	    (o.index == NO_REG || (fact_is_short(t, o.index) && long_home(o.index) == HOME_HOST))) {
		if (!fact_covers_low(t, o.base, o.disp))
			long_probe_low(t, o.base);
		fact_learn_low(t, o.base);
		load_low(t);
		e_add64(t, H_R8, H_R8, o.base);
		o.base = H_R8;
		*m = o;
		return true;
	}
	long_ea(t, in);
	long_probe_low(t, H_R8);
	e_ld64(t, H_R11, OFF(parts[1].d[PART_LOW]));
	e_add64(t, H_R8, H_R8, H_R11);
	*m = (struct host_mem){ .base = H_R8, .index = NO_REG };
	return true;
}

/* Guest register N, which is in host register REG, plus DISP is about to be accessed. */
static void probe_base(struct tx *t, int n, int reg, int32_t disp)
{
	if (fact_covers(t, n, disp))
		return;
	long_probe(t, reg);
	fact_learn(t, n);
}

/* Does IN access all of its operand, where ModRM says, whenever it does not fault? */
static bool always_accesses(const struct insn *in)
{
	switch (in->z.mnemonic) {
	case ZYDIS_MNEMONIC_MOV:
	case ZYDIS_MNEMONIC_MOVZX:
	case ZYDIS_MNEMONIC_MOVSX:
	case ZYDIS_MNEMONIC_MOVSXD:
	case ZYDIS_MNEMONIC_ADD:
	case ZYDIS_MNEMONIC_SUB:
	case ZYDIS_MNEMONIC_ADC:
	case ZYDIS_MNEMONIC_SBB:
	case ZYDIS_MNEMONIC_AND:
	case ZYDIS_MNEMONIC_OR:
	case ZYDIS_MNEMONIC_XOR:
	case ZYDIS_MNEMONIC_CMP:
	case ZYDIS_MNEMONIC_TEST:
	case ZYDIS_MNEMONIC_INC:
	case ZYDIS_MNEMONIC_DEC:
	case ZYDIS_MNEMONIC_NEG:
	case ZYDIS_MNEMONIC_NOT:
	case ZYDIS_MNEMONIC_XCHG:
	case ZYDIS_MNEMONIC_IMUL:
	case ZYDIS_MNEMONIC_MUL:
		return true;
	default:
		break;
	}
	switch (in->z.meta.isa_ext) {
	case ZYDIS_ISA_EXT_SSE:
	case ZYDIS_ISA_EXT_SSE2:
	case ZYDIS_ISA_EXT_SSE3:
	case ZYDIS_ISA_EXT_SSSE3:
	case ZYDIS_ISA_EXT_SSE4:
	case ZYDIS_ISA_EXT_AVX:
	case ZYDIS_ISA_EXT_AVX2:
	case ZYDIS_ISA_EXT_FMA:
		return in->z.meta.category != ZYDIS_CATEGORY_PREFETCH && !insn_is_masked_move(in) &&
		       !insn_is_gather(in) && !insn_is_maskmov(in) && in->op[in->mem].size >= 32 &&
		       in->op[in->mem].size <= 256 && in->z.mnemonic != ZYDIS_MNEMONIC_LDMXCSR &&
		       in->z.mnemonic != ZYDIS_MNEMONIC_STMXCSR;
	default:
		return false;
	}
}

/* A base alone is probed itself, so that the access needs no other address. */
static bool simple_operand(struct tx *t, struct insn *in, struct host_mem *m)
{
	struct host_mem o = own_operand(in);
	int n = o.base;

	if (short_address(in) || has_base(in) || n == NO_REG || o.index != NO_REG ||
	    !(is_near(o.disp) || fact_covers(t, n, o.disp)))
		return false;
	if (n == H_RSP) {
		long_probe_stack(t, H_R11);
		if (always_accesses(in))
			fact_renew(t, n, o.disp);
		*m = o;
		return true;
	}
	o.base = in_address(t, n, H_R8, true);
	probe_base(t, n, o.base, o.disp);
	if (always_accesses(in))
		fact_renew(t, n, o.disp);
	if (insn_uses_high_byte(in))
		o.gs = true; /* r10 cannot be encoded */
	else
		o.index = H_D;
	*m = o;
	return true;
}

/* A base and an index. One probe serves accesses by the same two registers; if the index is short, that of
 * the base does. */
static bool sum_operand(struct tx *t, struct insn *in, struct host_mem *m)
{
	struct host_mem o = own_operand(in);
	bool direct = o.base != NO_REG && long_home(o.base) != HOME_VCPU && o.index != NO_REG &&
		      long_home(o.index) == HOME_HOST;

	if (short_address(in) || has_base(in) || o.index == NO_REG)
		return false;
	if (direct && is_near(o.disp) && fact_is_short(t, o.index)) {
		if (o.base == H_RSP)
			long_probe_stack(t, H_R11);
		else
			probe_base(t, o.base, o.base, o.disp);
		*m = o;
		m->gs = o.base != H_RSP;
		return true;
	}
	if (direct && fact_covers_sum(t, &o)) {
		if (always_accesses(in))
			fact_learn_sum(t, &o);
		*m = o;
		m->gs = o.base != H_RSP;
		return true;
	}
	long_ea(t, in);
	if (!fact_covers_sum(t, &o))
		long_probe(t, H_R8);
	fact_learn_sum(t, &o);
	*m = (struct host_mem){ .base = H_R8, .index = H_D };
	if (insn_uses_high_byte(
		in)) { /* r8 cannot be encoded: the guest's own registers, all of which are low */
		*m = o;
		m->gs = o.base != H_RSP;
	}
	return true;
}

/* Of an instruction that cannot encode r8: the guest's own registers, all of which are low ones. */
static bool low_operand(struct tx *t, struct insn *in, struct host_mem *m)
{
	if (!insn_uses_high_byte(in) || short_address(in) || has_base(in) || rip_relative(in))
		return false;
	long_ea(t, in);
	long_probe(t, H_R8);
	*m = own_operand(in);
	m->gs = m->base != H_RSP;
	return true;
}

/* FS or GS with a constant: thread-local and per-processor variables. */
static bool segment_operand(struct tx *t, struct insn *in, struct host_mem *m)
{
	struct host_mem o = own_operand(in);
	int64_t c = memory(in)->disp.value;

	if (!has_base(in) || o.base != NO_REG || o.index != NO_REG || short_address(in) || !is_near(c) ||
	    !(in->z.attributes & ZYDIS_ATTRIB_HAS_MODRM))
		return false;
	e_ld64(t, H_R8, OFF_SEG(in->seg, base));
	if (!fact_covers_segment(t, in->seg))
		long_probe(t, H_R8);
	fact_learn_segment(t, in->seg);
	*m = (struct host_mem){ .base = H_R8, .index = H_D, .disp = (int32_t)c };
	return true;
}

/* Relative to RIP. Addresses in the upper or lowest 2 GiB fit the displacement. */
static void constant_operand(struct tx *t, struct insn *in, struct host_mem *m)
{
	uint64_t a = in->next + (uint64_t)memory(in)->disp.value;
	bool covered;

	if (short_address(in)) {
		a = (uint32_t)a;
		t->fixed = true;
	}
	t->lowest = a < t->lowest ? a : t->lowest;
	t->highest = a > t->highest ? a : t->highest;
	covered = fact_covers_constant(t, a);
	if (covered && (uint64_t)(int32_t)a == a && !insn_uses_high_byte(in)) {
		*m = (struct host_mem){ .base = H_D, .index = NO_REG, .disp = (int32_t)a };
		t->fixed = true;
		return;
	}
	e_mov_address(t, H_R8, a);
	if (!covered)
		long_probe(t, H_R8);
	fact_learn_constant(t, a);
	*m = (struct host_mem){ .base = H_R8, .index = H_D };
}

void long_operand(struct tx *t, struct insn *in, struct host_mem *m)
{
	bool explicit = in->z.attributes & ZYDIS_ATTRIB_HAS_MODRM;

	if (site_is_user_access(t, in)) {
		if (!lower_part(t, in, m))
			user_operand(t, in, m);
		return;
	}
	if (explicit && rip_relative(in) && !has_base(in)) {
		constant_operand(t, in, m);
		return;
	}
	if (explicit && !rip_relative(in) &&
	    (simple_operand(t, in, m) || sum_operand(t, in, m) || segment_operand(t, in, m)))
		return;
	if (explicit && low_operand(t, in, m))
		return;
	long_linear(t, in);
	long_probe(t, H_R8);
	*m = (struct host_mem){ .base = H_R8, .index = H_D };
}

/* ---- through the bounce buffer ---- */

static bool writes(const struct insn *in)
{
	return in->op[in->mem].actions & ZYDIS_OPERAND_ACTION_MASK_WRITE;
}

bool long_reads_or_keeps(const struct insn *in)
{
	return (in->op[in->mem].actions &
		(ZYDIS_OPERAND_ACTION_MASK_READ | ZYDIS_OPERAND_ACTION_CONDWRITE)) ||
	       in->z.mnemonic == ZYDIS_MNEMONIC_FXSAVE || in->z.mnemonic == ZYDIS_MNEMONIC_FXSAVE64;
}

/* Of the operand, in bytes; 0: none. */
static unsigned alignment(const struct insn *in)
{
	switch (in->z.mnemonic) {
	case ZYDIS_MNEMONIC_CMPXCHG16B:
	case ZYDIS_MNEMONIC_FXSAVE:
	case ZYDIS_MNEMONIC_FXSAVE64:
	case ZYDIS_MNEMONIC_FXRSTOR:
	case ZYDIS_MNEMONIC_FXRSTOR64:
		return 16;
	default:
		return insn_wants_alignment(in) && insn_mem_size(in) <= 64 ? insn_mem_size(in) : 0;
	}
}

void long_device_begin(struct tx *t, struct insn *in, struct host_mem *m)
{
	struct site *s;

	*m = (struct host_mem){ .vcpu = true, .disp = OFF(bounce) };
	if (insn_only_stores(in)) {
		e_st64(t, OFF(exit.mmio_lin), H_R8);
		return;
	}
	s = new_site(t, in, CO_MMIO, co_mmio_begin);
	s->mmio.size = (uint16_t)insn_mem_size(in);
	s->mmio.reads = long_reads_or_keeps(in);
	s->mmio.writes = writes(in);
	s->mmio.align = (uint8_t)alignment(in);
	masked_elements(s, in);
	emit_callout(t, s);
}

void long_device_end(struct tx *t, struct insn *in)
{
	struct site *s;

	if (!writes(in))
		return;
	s = new_site(t, in, CO_MMIO, co_mmio_end);
	s->mmio.size = (uint16_t)insn_mem_size(in);
	s->mmio.alone = insn_only_stores(in);
	masked_elements(s, in);
	emit_callout(t, s);
}

/* ---- for lowering that serves all modes ---- */

static void load_zx(struct tx *t, const struct host_mem *m, unsigned size)
{
	static const struct {
		unsigned fl, op;
	} load[] = { [1] = { F_0F, 0xb6 }, [2] = { F_0F, 0xb7 }, [4] = { 0, 0x8b }, [8] = { F_W, 0x8b } };

	e_mem(t, load[size].fl, load[size].op, H_R8, m);
}

/* r8 = register operand O, zero-extended. */
static void load_register(struct tx *t, const ZydisDecodedOperand *o, unsigned size)
{
	bool high_byte = o->reg.value >= ZYDIS_REGISTER_AH && o->reg.value <= ZYDIS_REGISTER_BH;

	long_reg_get(t, H_R8, long_number(o->reg.value));
	if (high_byte)
		e_rorx32(t, H_R8, H_R8, 8);
	if (size == 1)
		e_movzx8(t, H_R8, H_R8);
	else if (size == 2)
		e_movzx16(t, H_R8, H_R8);
	else if (size == 4)
		e_mov32(t, H_R8, H_R8);
}

void long_load(struct tx *t, struct insn *in, unsigned idx, unsigned size)
{
	struct host_mem m;

	if (in->op[idx].type == ZYDIS_OPERAND_TYPE_REGISTER) {
		load_register(t, &in->op[idx], size);
		return;
	}
	if (t->kind == TX_MMIO) {
		struct site *s = new_site(t, in, CO_MMIO, co_mmio_begin);

		long_linear(t, in);
		s->mmio.size = size;
		s->mmio.reads = 1;
		emit_callout(t, s);
		m = (struct host_mem){ .vcpu = true, .disp = OFF(bounce) };
	} else {
		long_operand(t, in, &m);
	}
	load_zx(t, &m, size);
}
