/* SPDX-License-Identifier: GPL-3.0-or-later
 * Memory operands: from ModRM to an effective address, through the segment to a linear address in r8d. Also
 * selects the window by quarter for user accesses by kernel code. */
#include "bt/adapt/adapt.h"
#include "bt/emit/encode.h"
#include "bt/lower/family.h"
#include "bt/runtime/callout.h"

static void ea16(struct tx *t, const struct insn *in)
{
	static const struct {
		int8_t base, index;
	} form[8] = {
		{ H_RBX, H_RSI }, { H_RBX, H_RDI }, { H_RBP, H_RSI }, { H_RBP, H_RDI },
		{ H_RSI, -1 },	  { H_RDI, -1 },    { H_RBP, -1 },    { H_RBX, -1 },
	};
	unsigned rm = in->z.raw.modrm.rm;
	int32_t disp = !in->z.raw.disp.size ? 0
		       : insn_is_evex(in)   ? (int32_t)in->op[in->mem].mem.disp.value
					    : (int32_t)in->z.raw.disp.value;

	if (in->z.raw.modrm.mod == 0 && rm == 6) {
		e_movi32(t, H_R8, (uint16_t)disp);
		return;
	}
	if (form[rm].index >= 0)
		e_rmi(t, 0, 0x8d, H_R8, form[rm].base, form[rm].index, 0, disp);
	else
		e_lea32(t, H_R8, form[rm].base, disp);
	e_movzx16(t, H_R8, H_R8);
}

void win_ea(struct tx *t, const struct insn *in)
{
	if (!(in->z.attributes & ZYDIS_ATTRIB_HAS_MODRM)) { /* XLAT */
		e_movzx8(t, H_R8, H_RAX);
		e_rmi(t, 0, 0x8d, H_R8, H_RBX, H_R8, 0, 0);
		if (insn_addr16(in))
			e_movzx16(t, H_R8, H_R8);
		return;
	}
	if (insn_addr16(in)) {
		ea16(t, in);
		return;
	}
	/* POP to memory computes its address with ESP after the pop; its lowering adds that adjustment. */
	e2(t, 0x8d44); /* REX.R LEA r8d */
	put_address32(t, in, 0);
}

static bool writes_operand(const struct insn *in)
{
	return in->mem >= 0 && (in->op[in->mem].actions & ZYDIS_OPERAND_ACTION_MASK_WRITE);
}

void emit_seg(struct tx *t, enum seg s, unsigned size, bool a16, bool write)
{
	enum seg_class k = mode_seg(t->mode, s);
	struct insn *in = &t->in[t->i];

	if (k == SEGC_FLAT)
		return;
	if (k == SEGC_64K && a16 && size <= 1)
		k = SEGC_BASED;
	if (k == SEGC_64K && a16) {
		/* Only the last bytes of the 64 KiB can exceed the limit. */
		e_mov64(t, H_R10, H_RCX);
		e_lea32(t, H_RCX, H_R8, (int32_t)size - 1);
		e_rorx32(t, H_RCX, H_RCX, 16);
		e_movzx16(t, H_RCX, H_RCX);
		uint8_t *ok = e_jrcxz(t);
		e_mov64(t, H_RCX, H_R10);
		struct site *bad = new_site(t, in, CO_SEGCHECK, co_seg_fault);
		bad->seg = s;
		emit_callout(t, bad);
		e_here8(t, ok);
		e_mov64(t, H_RCX, H_R10);
	} else if (k != SEGC_BASED) {
		struct site *c = new_site(t, in, CO_SEGCHECK, co_seg_check);

		c->seg = s;
		c->check.size = size;
		c->check.write = write;
		e_st64(t, OFF(scratch[0]), H_R11);
		e_st32(t, OFF(scratch[1]), H_R8);
		emit_callout(t, c);
		e_ld32(t, H_R8, OFF(scratch[1]));
		e_ld64(t, H_R11, OFF(scratch[0]));
	}
	e_ld32(t, H_R9, OFF_SEG(s, base));
	e_rmi(t, 0, 0x8d, H_R8, H_R8, H_R9, 0, 0);
}

void win_linear(struct tx *t, const struct insn *in, unsigned size)
{
	emit_ea(t, in);
	emit_seg(t, in->seg, size, insn_addr16(in), writes_operand(in));
}

/* MOVZX r8d; F_GS addresses the window. */
static struct access load_access(unsigned fl, unsigned size)
{
	return (struct access){ .fl = fl | (size < 4 ? F_0F : 0),
				.op = size == 1	  ? 0xb6
				      : size == 2 ? 0xb7
						  : 0x8b,
				.reg = H_R8 };
}

static void load_zx(struct tx *t, unsigned fl, int base, int32_t disp, unsigned size)
{
	struct access a = load_access(fl, size);

	e_rm(t, a.fl, a.op, a.reg, base, disp);
}

static void load_register(struct tx *t, const ZydisDecodedOperand *o, unsigned size)
{
	int r = ZydisRegisterGetId(o->reg.value);

	if (size == 4) {
		e_mov32(t, H_R8, r);
	} else if (size == 2) {
		e_movzx16(t, H_R8, r);
	} else if (o->reg.value >= ZYDIS_REGISTER_AH && o->reg.value <= ZYDIS_REGISTER_BH) {
		e_rorx32(t, H_R8, r & 3, 8);
		e_movzx8(t, H_R8, H_R8);
	} else {
		e_movzx8(t, H_R8, r);
	}
}

void win_load(struct tx *t, struct insn *in, unsigned idx, unsigned size)
{
	const ZydisDecodedOperand *o = &in->op[idx];

	if (o->type == ZYDIS_OPERAND_TYPE_REGISTER) {
		load_register(t, o, size);
		return;
	}
	emit_linear(t, in, size);
	if (t->kind == TX_MMIO) {
		struct site *s = new_site(t, in, CO_MMIO, co_mmio_begin);

		s->mmio.size = size;
		s->mmio.reads = 1;
		emit_callout(t, s);
		load_zx(t, 0, H_R15, OFF(bounce), size);
		return;
	}
	struct access a = load_access(0, size);

	emit_precheck_r8(t, size, false, &a);
	load_zx(t, F_GS, H_R8, 0, size);
	emit_precheck_end(t);
}

void emit_quarter(struct tx *t, int reg)
{
	e_movi32(t, H_R10, 30);
	e_shiftx(t, false, H_R9, reg, H_R10);
	e_rmi(t, F_W, 0x8b, H_R9, H_R15, H_R9, 3, OFF(win.quarter));
}

/* 64-bit user code that reaches all parts of its space (adapt/low.c), but for the stack and FS and GS. */
static bool reaches_low(const struct tx *t, const struct insn *in)
{
	if (!mode_long(t->mode) || (t->mode & MODE_CPL) != MODE_CPL || !adapt_is_low(t->b, in->pc))
		return false;
	return in->seg != SEG_FS && in->seg != SEG_GS &&
	       (in->mem < 0 || in->op[in->mem].mem.base != ZYDIS_REGISTER_RSP);
}

bool site_is_user_access(const struct tx *t, const struct insn *in)
{
	if (t->kind != TX_NORMAL || ((t->mode & MODE_CPL) == MODE_CPL && !mode_long(t->mode)) ||
	    !(t->mode & MODE_PE))
		return false;
	return guilty_of(verdict_find(t->b, in->pc), CAUSE_USER_PAGE) || reaches_low(t, in);
}
