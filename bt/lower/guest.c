/* SPDX-License-Identifier: GPL-3.0-or-later
 * A virtualization extension's own instructions, and those that it intercepts in guest mode (cpu/virt.h). The
 * set of intercepts is part of a fragment's mode, so that code in line needs no tests: an instruction in the
 * set gets a callout before it, or in its place where the extension changes its result. Checks of mode and
 * privilege come before an exit; where they fail, the instruction is lowered as ever, and faults. */
#include "bt/lower/family.h"
#include "bt/runtime/callout.h"

#include "cpu/virt.h"

static bool kernel(const struct tx *t)
{
	return !(t->mode & MODE_CPL);
}

static bool protected_mode(const struct tx *t)
{
	return (t->mode & MODE_PE) && !(t->mode & MODE_VM);
}

static uint8_t reg_id(ZydisRegister r)
{
	return (uint8_t)ZydisRegisterGetId(r);
}

/* ---- operands as exits report them (SDM vol. 3C 28.2.5) ---- */

enum {
	INFO_REG1 = 3,
	INFO_ADDRESS = 7,
	INFO_REGISTER_FORM = 1 << 10,
	INFO_OPERAND = 11,
	INFO_SEG = 15,
	INFO_INDEX = 18,
	INFO_NO_INDEX = 1 << 22,
	INFO_BASE = 23,
	INFO_NO_BASE = 1 << 27,
	INFO_REG2 = 28
};

/* 0: an address of 16 bits, 1: of 32, 2: of 64. */
static uint32_t address_info(const struct insn *in)
{
	return (in->z.address_width == 16 ? 0u : in->z.address_width == 32 ? 1u : 2u) << INFO_ADDRESS;
}

static bool relative(const ZydisDecodedOperandMem *m)
{
	return m->base == ZYDIS_REGISTER_RIP || m->base == ZYDIS_REGISTER_EIP;
}

static uint32_t memory_info(const struct insn *in)
{
	const ZydisDecodedOperandMem *m = &in->op[in->mem].mem;
	uint32_t info = address_info(in) | (uint32_t)in->seg << INFO_SEG;

	info |= m->scale == 8 ? 3 : m->scale == 4 ? 2 : m->scale == 2 ? 1 : 0;
	info |= m->index ? (uint32_t)reg_id(m->index) << INFO_INDEX : INFO_NO_INDEX;
	info |= m->base && !relative(m) ? (uint32_t)reg_id(m->base) << INFO_BASE : INFO_NO_BASE;
	return info;
}

/* Describe operand IDX, in memory or a register. */
static void describe(struct site *s, const struct insn *in, unsigned idx)
{
	const ZydisDecodedOperand *o = &in->op[idx];

	if (o->type == ZYDIS_OPERAND_TYPE_MEMORY) {
		s->guest.info = memory_info(in);
		s->guest.displacement = (int32_t)o->mem.disp.value;
		s->guest.info |= relative(&o->mem) ? GUEST_RELATIVE : 0;
	} else if (o->type == ZYDIS_OPERAND_TYPE_REGISTER) {
		s->guest.reg = reg_id(o->reg.value);
		s->guest.info = (uint32_t)s->guest.reg << INFO_REG1 | INFO_REGISTER_FORM;
	}
}

static struct site *guest_site(struct tx *t, struct insn *in, enum callout_kind k, callout_fn *fn,
			       unsigned id)
{
	struct site *s = new_site(t, in, k, fn);

	s->op = in->z.operand_width == 16 ? 2 : in->z.operand_width == 64 ? 8 : 4;
	s->guest.id = (uint8_t)id;
	if (t->inhibited)
		s->guest.bits = (t->in[t->i - 1].z.mnemonic == ZYDIS_MNEMONIC_STI ? SHADOW_STI : SHADOW_SS)
				<< GUEST_SHADOW;
	return s;
}

/* ---- instructions of the extensions ---- */

static const struct own {
	uint16_t mnemonic;
	uint8_t id;
	bool ends;
} owns[] = {
#define OWN(id, ends)                                                                                        \
	{                                                                                                    \
		ZYDIS_MNEMONIC_##id, VIRT_##id, ends                                                         \
	}
	OWN(VMXON, true),    OWN(VMXOFF, true),	 OWN(VMCLEAR, false), OWN(VMPTRLD, false),
	OWN(VMPTRST, false), OWN(VMREAD, false), OWN(VMWRITE, false), OWN(VMLAUNCH, true),
	OWN(VMRESUME, true), OWN(VMCALL, true),	 OWN(VMFUNC, true),   OWN(INVEPT, true),
	OWN(INVVPID, true),  OWN(GETSEC, true),	 OWN(VMRUN, true),    OWN(VMLOAD, true),
	OWN(VMSAVE, false),  OWN(VMMCALL, true), OWN(STGI, true),     OWN(CLGI, true),
	OWN(SKINIT, true),   OWN(INVLPGA, true),
#undef OWN
};

/* The register operands: VMREAD r/m, reg; VMWRITE reg, r/m; INVEPT and INVVPID reg, m. */
static void own_operands(struct site *s, const struct insn *in, unsigned id)
{
	unsigned which = id == VIRT_VMREAD ? 1 : 0;

	if (id == VIRT_VMREAD || id == VIRT_VMWRITE) {
		describe(s, in, 1 - which);
		s->guest.number = s->guest.reg;
	} else if (in->z.operand_count_visible) {
		describe(s, in, in->mem >= 0 ? (unsigned)in->mem : 0);
	}
	if (id == VIRT_VMREAD || id == VIRT_VMWRITE || id == VIRT_INVEPT || id == VIRT_INVVPID) {
		s->guest.reg = reg_id(in->op[which].reg.value);
		s->guest.info |= (uint32_t)s->guest.reg << INFO_REG2;
	}
}

/* VMREAD or VMWRITE whose value is in a register. */
static bool field_of_register(const struct tx *t, const struct insn *in, unsigned id)
{
	return (id == VIRT_VMREAD || id == VIRT_VMWRITE) && in->mem < 0 && t->b->v.virt->ops->field;
}

bool lower_virt(struct tx *t, struct insn *in)
{
	const struct own *o = NULL;
	struct site *s;

	if (in->z.encoding != ZYDIS_INSTRUCTION_ENCODING_LEGACY)
		return false;
	for (unsigned i = 0; i < ARRAY_LEN(owns) && !o; i++)
		if (owns[i].mnemonic == in->z.mnemonic)
			o = &owns[i];
	if (!o)
		return false;
	if (in->mem >= 0)
		emit_ea(t, in);
	s = guest_site(t, in, CO_SYSTEM, field_of_register(t, in, o->id) ? co_virt_field : co_virt, o->id);
	own_operands(s, in, o->id);
	s->guest.bits |= o->ends ? GUEST_ENDS : 0;
	emit_callout(t, s);
	t->done = o->ends;
	return true;
}

/* ---- intercepted instructions ---- */

static bool wants(const struct tx *t, enum virt_point p)
{
	return t->b->v.virt->points >> p & 1;
}

/* A callout before the instruction, if P is intercepted and ALLOWED. */
static struct site *before(struct tx *t, struct insn *in, enum virt_point p, bool allowed)
{
	return allowed && wants(t, p) ? guest_site(t, in, CO_SYSTEM, co_intercept, p) : NULL;
}

static bool plain(struct tx *t, struct insn *in, enum virt_point p, bool allowed)
{
	struct site *s = before(t, in, p, allowed);

	if (s)
		emit_callout(t, s);
	return false;
}

/* 0: an operand of 16 bits, 1: of 32, 2: of 64. */
static uint32_t operand_info(const struct insn *in)
{
	return (in->z.operand_width == 16 ? 0u : in->z.operand_width == 32 ? 1u : 2u) << INFO_OPERAND;
}

/* The same for one with an operand that an exit describes. ID: bits 29:28 of the information. */
static bool with_operand(struct tx *t, struct insn *in, enum virt_point p, bool allowed, unsigned id)
{
	struct site *s;

	if (!allowed || !wants(t, p))
		return false;
	if (in->mem >= 0)
		emit_ea(t, in);
	s = before(t, in, p, true);
	describe(s, in, p == VIRT_INVPCID ? 1 : 0);
	s->guest.info |= id << 28;
	if (p == VIRT_INVLPG)
		s->guest.bits |= GUEST_LINEAR;
	else if (p == VIRT_RDRAND || p == VIRT_RDSEED)
		s->guest.info = (uint32_t)s->guest.reg << INFO_REG1 | operand_info(in);
	else if (p == VIRT_INVPCID)
		s->guest.info |= (uint32_t)reg_id(in->op[0].reg.value) << INFO_REG2;
	else if (p != VIRT_SLDT && p != VIRT_STR && p != VIRT_LLDT && p != VIRT_LTR)
		s->guest.info |= operand_info(in);
	emit_callout(t, s);
	return false;
}

static bool io(struct tx *t, struct insn *in)
{
	bool string = in->z.meta.category == ZYDIS_CATEGORY_IOSTRINGOP;
	bool is_in = in->z.mnemonic == ZYDIS_MNEMONIC_IN || in->z.mnemonic == ZYDIS_MNEMONIC_INSB ||
		     in->z.mnemonic == ZYDIS_MNEMONIC_INSW || in->z.mnemonic == ZYDIS_MNEMONIC_INSD;
	struct site *s = before(t, in, VIRT_IO, true);
	unsigned bits = is_in ? GUEST_IN : 0;

	if (!s)
		return false;
	if (string) {
		bits |= GUEST_STRING | (in->z.attributes & ZYDIS_ATTRIB_HAS_REP ? GUEST_REP : 0);
		s->op = in->bytes[in->z.raw.prefix_count] & 1 ? (in->z.operand_width == 16 ? 2 : 4) : 1;
		s->seg = is_in ? SEG_ES : (uint8_t)in->seg;
		s->guest.info = address_info(in) | (is_in ? 0u : (uint32_t)s->seg << INFO_SEG);
	} else {
		const ZydisDecodedOperand *port = &in->op[is_in ? 1 : 0];

		s->op = (uint8_t)(in->op[is_in ? 0 : 1].size / 8);
		if (port->type != ZYDIS_OPERAND_TYPE_REGISTER) {
			bits |= GUEST_IMMEDIATE;
			s->guest.number = (uint8_t)port->imm.value.u;
		}
	}
	s->guest.bits |= (uint8_t)bits;
	emit_callout(t, s);
	return false;
}

static bool is_class(const ZydisDecodedOperand *o, ZydisRegisterClass c)
{
	return o->type == ZYDIS_OPERAND_TYPE_REGISTER && ZydisRegisterGetClass(o->reg.value) == c;
}

static bool cr_write(struct tx *t, struct insn *in, enum virt_point p, unsigned how, int reg)
{
	struct site *s;

	if (!kernel(t) || !wants(t, p))
		return false;
	if (how == VIRT_CR0_LMSW)
		emit_load_operand(t, in, 0, 2);
	s = guest_site(t, in, CO_CR, co_guest_cr_write, p);
	if (how == VIRT_CR0_LMSW)
		describe(s, in, 0);
	else
		s->guest.reg = (uint8_t)reg;
	s->guest.number = (uint8_t)how;
	emit_callout(t, s);
	t->done = true;
	return true;
}

static bool cr_read(struct tx *t, struct insn *in, enum virt_point p, int reg)
{
	struct site *s;

	if (!kernel(t) || !wants(t, p))
		return false;
	s = guest_site(t, in, CO_CR, co_guest_cr_read, p);
	s->guest.reg = (uint8_t)reg;
	emit_callout(t, s);
	return true;
}

static bool dr_access(struct tx *t, struct insn *in, enum virt_point p, unsigned dr, int reg)
{
	struct site *s = before(t, in, p, kernel(t));

	if (!s)
		return false;
	s->guest.reg = (uint8_t)reg;
	s->guest.number = (uint8_t)dr;
	emit_callout(t, s);
	return false;
}

/* Points by register; CPUID's stands for no register. */
enum { NO_CR = VIRT_CPUID };
static const uint8_t cr_writes[9] = {
	[0] = VIRT_CR0_WRITE, [2] = VIRT_CR2_WRITE, [3] = VIRT_CR3_WRITE,
	[4] = VIRT_CR4_WRITE, [8] = VIRT_CR8_WRITE,
};
static const uint8_t cr_reads[9] = {
	[0] = VIRT_CR0_READ, [2] = VIRT_CR2_READ, [3] = VIRT_CR3_READ,
	[4] = VIRT_CR4_READ, [8] = VIRT_CR8_READ,
};

static bool mov(struct tx *t, struct insn *in)
{
	const ZydisDecodedOperand *d = &in->op[0], *s = &in->op[1];
	unsigned n;

	if (is_class(d, ZYDIS_REGCLASS_CONTROL)) {
		n = reg_id(d->reg.value);
		return n < ARRAY_LEN(cr_writes) && cr_writes[n] != NO_CR &&
		       cr_write(t, in, (enum virt_point)cr_writes[n], VIRT_CR0_MOV, reg_id(s->reg.value));
	}
	if (is_class(s, ZYDIS_REGCLASS_CONTROL)) {
		n = reg_id(s->reg.value);
		return n < ARRAY_LEN(cr_reads) && cr_reads[n] != NO_CR &&
		       cr_read(t, in, (enum virt_point)cr_reads[n], reg_id(d->reg.value));
	}
	if (is_class(d, ZYDIS_REGCLASS_DEBUG))
		return dr_access(t, in, VIRT_DR_WRITE, reg_id(d->reg.value), reg_id(s->reg.value));
	if (is_class(s, ZYDIS_REGCLASS_DEBUG))
		return dr_access(t, in, VIRT_DR_READ, reg_id(s->reg.value), reg_id(d->reg.value));
	return false;
}

static bool smsw(struct tx *t, struct insn *in)
{
	struct site *s;

	if (!wants(t, VIRT_CR0_READ))
		return false;
	if (in->mem >= 0)
		emit_ea(t, in);
	s = guest_site(t, in, CO_CR, co_guest_smsw, VIRT_CR0_READ);
	if (in->mem < 0)
		s->guest.reg = reg_id(in->op[0].reg.value);
	emit_callout(t, s);
	return true;
}

static bool rdtsc(struct tx *t, struct insn *in, enum virt_point p)
{
	if ((!kernel(t) && (t->mode & MODE_TSD)) || !wants(t, p))
		return false;
	emit_callout(t, guest_site(t, in, CO_TSC, co_guest_rdtsc, p));
	return true;
}

bool lower_guest(struct tx *t, struct insn *in)
{
	switch (in->z.mnemonic) {
	case ZYDIS_MNEMONIC_MOV:
		return mov(t, in);
	case ZYDIS_MNEMONIC_CPUID:
		return plain(t, in, VIRT_CPUID, true);
	case ZYDIS_MNEMONIC_RDTSC:
		return rdtsc(t, in, VIRT_RDTSC);
	case ZYDIS_MNEMONIC_RDTSCP:
		return rdtsc(t, in, VIRT_RDTSCP);
	case ZYDIS_MNEMONIC_RDMSR:
		return plain(t, in, VIRT_RDMSR, kernel(t));
	case ZYDIS_MNEMONIC_WRMSR:
		return plain(t, in, VIRT_WRMSR, kernel(t));
	case ZYDIS_MNEMONIC_HLT:
		return plain(t, in, VIRT_HLT, kernel(t));
	case ZYDIS_MNEMONIC_INVD:
		return plain(t, in, VIRT_INVD, kernel(t));
	case ZYDIS_MNEMONIC_WBINVD:
		return plain(t, in, VIRT_WBINVD, kernel(t));
	case ZYDIS_MNEMONIC_XSETBV:
		return plain(t, in, VIRT_XSETBV, kernel(t) && mode_osxsave(t->mode));
	case ZYDIS_MNEMONIC_RDPMC:
		return plain(t, in, VIRT_RDPMC, kernel(t));
	case ZYDIS_MNEMONIC_PAUSE:
		return plain(t, in, VIRT_PAUSE, true);
	case ZYDIS_MNEMONIC_PUSHF:
	case ZYDIS_MNEMONIC_PUSHFD:
	case ZYDIS_MNEMONIC_PUSHFQ:
		return plain(t, in, VIRT_PUSHF, true);
	case ZYDIS_MNEMONIC_POPF:
	case ZYDIS_MNEMONIC_POPFD:
	case ZYDIS_MNEMONIC_POPFQ:
		return plain(t, in, VIRT_POPF, true);
	case ZYDIS_MNEMONIC_IRET:
	case ZYDIS_MNEMONIC_IRETD:
	case ZYDIS_MNEMONIC_IRETQ:
		return plain(t, in, VIRT_IRET, true);
	case ZYDIS_MNEMONIC_IN:
	case ZYDIS_MNEMONIC_OUT:
	case ZYDIS_MNEMONIC_INSB:
	case ZYDIS_MNEMONIC_INSW:
	case ZYDIS_MNEMONIC_INSD:
	case ZYDIS_MNEMONIC_OUTSB:
	case ZYDIS_MNEMONIC_OUTSW:
	case ZYDIS_MNEMONIC_OUTSD:
		return io(t, in);
	case ZYDIS_MNEMONIC_CLTS:
		return cr_write(t, in, VIRT_CR0_WRITE, VIRT_CR0_CLTS, 0);
	case ZYDIS_MNEMONIC_LMSW:
		return cr_write(t, in, VIRT_CR0_WRITE, VIRT_CR0_LMSW, 0);
	case ZYDIS_MNEMONIC_SMSW:
		return smsw(t, in);
	case ZYDIS_MNEMONIC_INVLPG:
		return with_operand(t, in, VIRT_INVLPG, kernel(t), 0);
	case ZYDIS_MNEMONIC_INVPCID:
		return with_operand(t, in, VIRT_INVPCID, kernel(t), 0);
	case ZYDIS_MNEMONIC_SGDT:
		return with_operand(t, in, VIRT_SGDT, true, 0);
	case ZYDIS_MNEMONIC_SIDT:
		return with_operand(t, in, VIRT_SIDT, true, 1);
	case ZYDIS_MNEMONIC_LGDT:
		return with_operand(t, in, VIRT_LGDT, kernel(t), 2);
	case ZYDIS_MNEMONIC_LIDT:
		return with_operand(t, in, VIRT_LIDT, kernel(t), 3);
	case ZYDIS_MNEMONIC_SLDT:
		return with_operand(t, in, VIRT_SLDT, protected_mode(t), 0);
	case ZYDIS_MNEMONIC_STR:
		return with_operand(t, in, VIRT_STR, protected_mode(t), 1);
	case ZYDIS_MNEMONIC_LLDT:
		return with_operand(t, in, VIRT_LLDT, protected_mode(t) && kernel(t), 2);
	case ZYDIS_MNEMONIC_LTR:
		return with_operand(t, in, VIRT_LTR, protected_mode(t) && kernel(t), 3);
	case ZYDIS_MNEMONIC_RDRAND:
		return with_operand(t, in, VIRT_RDRAND, true, 0);
	case ZYDIS_MNEMONIC_RDSEED:
		return with_operand(t, in, VIRT_RDSEED, true, 0);
	default:
		return false;
	}
}
