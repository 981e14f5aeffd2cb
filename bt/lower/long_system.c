/* SPDX-License-Identifier: GPL-3.0-or-later
 * System instructions of 64-bit code where they differ from those of 32-bit code (lower/system.c): what is
 * done in line with registers that live elsewhere, and what 64-bit mode has more. */
#include "bt/lower/long.h"
#include "bt/runtime/callout.h"

#include "cpu/system.h"

static bool kernel(const struct tx *t)
{
	return !(t->mode & MODE_CPL);
}

/* Is the instruction performed in line where that is possible? */
static bool in_line(const struct tx *t)
{
	return t->way == WAY_DEFAULT || t->way == WAY_INTC;
}

static unsigned size_of(const struct insn *in)
{
	return in->z.operand_width / 8;
}

static bool is_class(const ZydisDecodedOperand *o, ZydisRegisterClass c)
{
	return o->type == ZYDIS_OPERAND_TYPE_REGISTER && ZydisRegisterGetClass(o->reg.value) == c;
}

static struct site *new_callout(struct tx *t, struct insn *in, enum callout_kind k, callout_fn *fn)
{
	struct site *s = new_site(t, in, k, fn);

	s->op = (uint8_t)size_of(in);
	return s;
}

static bool call_and_end(struct tx *t, struct insn *in, enum callout_kind k, callout_fn *fn)
{
	emit_callout(t, new_callout(t, in, k, fn));
	t->done = true;
	return true;
}

/* Between user and kernel code the entry stub repeats the transfer from the syscall cache. */
static bool syscall_or_sysret(struct tx *t, struct insn *in, unsigned which)
{
	bool enter = which == SYSCALL_ENTER;
	unsigned from = enter ? 3 : 0;
	bool known = t->kind == TX_NORMAL && in_line(t) && (t->mode & MODE_CPL) >> 2 == from &&
		     !(t->mode & MODE_GUEST) && (enter || size_of(in) == 8);
	struct site *s;

	if (!known)
		return call_and_end(t, in, enter ? CO_INT : CO_IRET, enter ? co_syscall : co_sysret);
	s = new_callout(t, in, enter ? CO_INT : CO_IRET, enter ? co_syscall : co_sysret);
	s->syscall.mode = t->mode;
	emit_cached_syscall(t, s, which);
	t->done = true;
	return true;
}

/* ---- moves between general and other registers ---- */

/* General register N = r11, zero-extended from 32 bits unless SIZE is 2. */
static void set_register(struct tx *t, int n, unsigned size)
{
	if (size == 2) {
		long_reg_get(t, H_R8, n);
		e_rr(t, F_66, 0x8b, H_R8, H_R11);
		long_reg_set(t, n, H_R8);
	} else {
		long_reg_set(t, n, H_R11);
	}
}

static bool from_segment(struct tx *t, struct insn *in, enum seg s)
{
	struct site *c;

	if (in->mem < 0 && in_line(t)) {
		t->low[t->i] = LOW_INTC;
		e_ldzx16(t, H_R11, OFF_SEG(s, sel));
		set_register(t, long_number(in->op[0].reg.value), size_of(in));
		return true;
	}
	if (in->mem >= 0)
		emit_ea(t, in);
	c = new_callout(t, in, CO_SYSTEM, co_read_sreg);
	c->regs.reg = in->mem >= 0 ? 0 : (uint8_t)long_number(in->op[0].reg.value);
	c->regs.other = (uint8_t)s;
	emit_callout(t, c);
	return true;
}

static bool from_control(struct tx *t, struct insn *in, unsigned cr)
{
	static const int32_t off[5] = { OFF_CPU(cr0), -1, OFF_CPU(cr2), OFF_CPU(cr3), OFF_CPU(cr4) };

	if (!kernel(t) || !in_line(t) || cr > 4 || cr == 1)
		return false;
	t->low[t->i] = LOW_INTC;
	e_ld64(t, H_R11, off[cr]);
	long_reg_set(t, long_number(in->op[0].reg.value), H_R11);
	return true;
}

static bool mov(struct tx *t, struct insn *in)
{
	const ZydisDecodedOperand *s = &in->op[1];

	if (is_class(s, ZYDIS_REGCLASS_SEGMENT))
		return from_segment(t, in, (enum seg)ZydisRegisterGetId(s->reg.value));
	if (is_class(s, ZYDIS_REGCLASS_CONTROL))
		return from_control(t, in, (unsigned)ZydisRegisterGetId(s->reg.value));
	return false;
}

/* SLDT, STR, SMSW: 16 bits to memory, more to a register. WHAT: TAB_* beyond the tables. */
static bool store_system(struct tx *t, struct insn *in, unsigned what)
{
	struct site *s;

	if (in->mem >= 0)
		emit_ea(t, in);
	s = new_callout(t, in, CO_SYSTEM, co_store_system);
	s->regs.code = (uint8_t)what;
	if (in->mem < 0)
		s->regs.reg = (uint8_t)long_number(in->op[0].reg.value);
	emit_callout(t, s);
	return true;
}

/* ---- the bases of FS and GS ---- */

static bool swapgs(struct tx *t, struct insn *in)
{
	if (!kernel(t)) {
		emit_raise(t, in, EXC_GP);
		return true;
	}
	t->low[t->i] = LOW_INTC;
	e_ld64(t, H_R8, OFF_SEG(SEG_GS, base));
	e_ld64(t, H_R11, OFF_CPU(kernel_gs_base));
	e_st64(t, OFF_CPU(kernel_gs_base), H_R8);
	e_st64(t, OFF_SEG(SEG_GS, base), H_R11);
	return true;
}

static bool read_base(struct tx *t, struct insn *in, enum seg s)
{
	if (!(t->mode & MODE_FSGSBASE)) {
		emit_raise(t, in, EXC_UD);
		return true;
	}
	t->low[t->i] = LOW_INTC;
	if (size_of(in) == 8)
		e_ld64(t, H_R11, OFF_SEG(s, base));
	else
		e_ld32(t, H_R11, OFF_SEG(s, base));
	long_reg_set(t, long_number(in->op[0].reg.value), H_R11);
	return true;
}

/* A base of 64 bits is canonical if its upper 17 bits are equal: that is, they are 0 or, plus 1 at bit 47,
 * become so. Otherwise the callout raises #GP. */
static bool write_base(struct tx *t, struct insn *in, enum seg s)
{
	int n = long_number(in->op[0].reg.value);
	uint8_t *low, *high, *end;
	struct site *c;

	if (!(t->mode & MODE_FSGSBASE)) {
		emit_raise(t, in, EXC_UD);
		return true;
	}
	t->low[t->i] = LOW_INTC;
	long_reg_get(t, H_R8, n);
	if (size_of(in) == 4) {
		e_mov32(t, H_R8, H_R8);
		e_st64(t, OFF_SEG(s, base), H_R8);
		return true;
	}
	e_mov64(t, H_R11, H_RCX);
	e_movi32(t, H_R9, 47);
	e_shiftx64(t, false, H_RCX, H_R8, H_R9);
	low = e_jrcxz(t);
	e_rm(t, 0, 0x8d, H_RCX, H_RCX, -0x1ffff); /* ECX: the upper 17 bits, less all ones */
	high = e_jrcxz(t);
	e_mov64(t, H_RCX, H_R11);
	c = new_callout(t, in, CO_SYSTEM, co_write_base);
	c->regs.reg = (uint8_t)n;
	c->regs.other = (uint8_t)s;
	emit_callout(t, c);
	end = e_jmp8(t);
	e_here8(t, low);
	e_here8(t, high);
	e_mov64(t, H_RCX, H_R11);
	e_st64(t, OFF_SEG(s, base), H_R8);
	e_ld64(t, H_V, OFF(space.v));
	e_here8(t, end);
	return true;
}

/* ---- flags ---- */

static bool flags_in_line(const struct tx *t)
{
	return kernel(t) && t->kind == TX_NORMAL && in_line(t);
}

static bool pushf(struct tx *t, struct insn *in)
{
	if (!in_line(t)) {
		emit_callout(t, new_callout(t, in, CO_FLAGS, co_pushf));
		return true;
	}
	t->low[t->i] = LOW_INTC;
	emit_flags_image(t);
	long_restore(t);
	long_push_reg(t, H_R11, size_of(in));
	return true;
}

static bool popf(struct tx *t, struct insn *in)
{
	struct site *s = new_callout(t, in, CO_FLAGS, co_popf);

	if (!flags_in_line(t) || size_of(in) == 2) {
		emit_callout(t, s);
		t->done = true;
		return true;
	}
	t->low[t->i] = LOW_INTC;
	long_peek(t, H_R11, 8);
	emit_set_flags(t, in, s, 8);
	long_restore(t);
	return true;
}

/* STAC by the callout, which looks for the user space. */
static void unless_known(struct tx *t, struct insn *in)
{
	struct site *s = new_callout(t, in, CO_FLAGS, co_set_ac);
	uint8_t *known;

	s->regs.code = true;
	e_mov64(t, H_R8, H_RCX);
	e_ldzx8(t, H_RCX, OFF(smap.unknown));
	known = e_jrcxz(t);
	e_mov64(t, H_RCX, H_R8);
	emit_callout(t, s);
	e_here8(t, known);
	e_mov64(t, H_RCX, H_R8);
}

/* CLAC and STAC of kernel code: the flag, its copy for POPF, and the parts of the user half, which SMAP
 * closes.
 */
static bool set_ac(struct tx *t, struct insn *in, bool on)
{
	int32_t from = on ? OFF(smap.open) : OFF(smap.closed);

	if (!flags_in_line(t))
		return false;
	t->low[t->i] = LOW_INTC;
	if (on)
		unless_known(t, in);
	e_ld32(t, H_R8, OFF_CPU(sysflags));
	e_movi32(t, H_R9, ~(uint32_t)FL_AC);
	e_and_noflags(t, H_R11, H_R8, H_R9);
	if (on)
		e_lea32(t, H_R11, H_R11, FL_AC);
	e_st32(t, OFF_CPU(sysflags), H_R11);
	e_movi32(t, H_R9, SYSFLAGS_COMPARED);
	e_and_noflags(t, H_R8, H_R11, H_R9);
	e_rr(t, 0, 0xf7, 2, H_R8); /* not */
	e_lea32(t, H_R8, H_R8, 1);
	e_st32(t, OFF(sysflags_neg), H_R8);
	for (int32_t i = PART_LOW; i <= PART_HIGH; i++) {
		e_ld64(t, H_R8, from + 8 * i);
		e_st64(t, OFF(parts[0].v) + 8 * i, H_R8);
	}
	e_ld64(t, H_V, OFF(space.v));
	return true;
}

/* ---- extended state ---- */

static void exchange_mask(struct tx *t)
{
	e_ld32(t, H_R10, OFF_CPU(xcr0));
	e_and_noflags(t, H_R9, H_RAX, H_R10);
	e_mov64(t, H_R10, H_RAX);
	e_mov64(t, H_R11, H_RDX);
	e_mov64(t, H_RAX, H_R9);
	e_movi32(t, H_RDX, 0);
}

/* At [r8]. */
static void put_xsave(struct tx *t, const struct insn *in)
{
	exchange_mask(t);
	tx_mark(t, FIX_XSAVE, 0);
	e1(t, 0x41 | (size_of(in) == 8 ? 8 : 0));
	for (unsigned i = in->z.raw.prefix_count; i < in->z.raw.modrm.offset; i++)
		e1(t, in->bytes[i]);
	e_modrm_mem(t, in->z.raw.modrm.reg, H_R8, 0);
	e_mov64(t, H_RAX, H_R10);
	e_mov64(t, H_RDX, H_R11);
	tx_mark(t, FIX_NONE, 0);
	long_restore(t);
}

/* Bytes of the image of what the guest has enabled, in standard form. */
static unsigned xsave_area(struct bt_vcpu *b)
{
	uint32_t leaf[4];

	if (!(b->v.cpu.xcr0 & XCR0_AVX512))
		return xsave_bytes(b->v.cpu.xcr0);
	b->v.plat.cpuid(b->v.plat.ctx, &b->v.cpu, 0xd, 0, leaf);
	return leaf[1] < XSAVE_MOST_BYTES ? leaf[1] : XSAVE_MOST_BYTES;
}

static struct site *area_site(struct tx *t, struct insn *in, callout_fn *fn)
{
	struct site *s = new_site(t, in, CO_MMIO, fn);

	s->mmio.size = (uint16_t)xsave_area(t->b);
	return s;
}

static void xsave_by_callouts(struct tx *t, struct insn *in, bool restores)
{
	struct site *s;

	long_linear(t, in);
	s = area_site(t, in, co_mmio_begin);
	s->mmio.reads = true; /* what is not stored stays */
	s->mmio.writes = !restores;
	emit_callout(t, s);
	e_rm(t, F_W, 0x8d, H_R8, H_R15, OFF(bounce));
	put_xsave(t, in);
	if (!restores)
		emit_callout(t, area_site(t, in, co_mmio_end));
}

/* XSAVE and its family: the guest's mask selects nothing that it has not enabled. */
static bool xsave(struct tx *t, struct insn *in, bool restores)
{
	struct host_mem m;

	if (!mode_osxsave(t->mode) || t->mode & MODE_TS) {
		emit_raise(t, in, mode_osxsave(t->mode) ? EXC_NM : EXC_UD);
		return true;
	}
	if (!restores)
		emit_x87_saved(t, in);
	if (t->kind == TX_MMIO) {
		xsave_by_callouts(t, in, restores);
	} else {
		long_operand(t, in, &m); /* before the mask: the address may use rax or rdx */
		e_lea64(t, H_R8, &m);
		put_xsave(t, in);
	}
	return true;
}

/* ---- the family ---- */

bool lower_long_system(struct tx *t, struct insn *in)
{
	switch (in->z.mnemonic) {
	case ZYDIS_MNEMONIC_MOV:
		return mov(t, in);
	case ZYDIS_MNEMONIC_SLDT:
		return store_system(t, in, SYS_LDTR);
	case ZYDIS_MNEMONIC_STR:
		return store_system(t, in, SYS_TR);
	case ZYDIS_MNEMONIC_SMSW:
		return store_system(t, in, SYS_MSW);
	case ZYDIS_MNEMONIC_SYSENTER:
		return call_and_end(t, in, CO_INT, co_sysenter);
	case ZYDIS_MNEMONIC_SYSEXIT:
		return call_and_end(t, in, CO_IRET, co_sysexit);
	case ZYDIS_MNEMONIC_SYSCALL:
		return syscall_or_sysret(t, in, SYSCALL_ENTER);
	case ZYDIS_MNEMONIC_SYSRET:
		return syscall_or_sysret(t, in, SYSCALL_LEAVE);
	case ZYDIS_MNEMONIC_IRETQ:
		return call_and_end(t, in, CO_IRET, co_iret);
	case ZYDIS_MNEMONIC_SWAPGS:
		return swapgs(t, in);
	case ZYDIS_MNEMONIC_RDFSBASE:
		return read_base(t, in, SEG_FS);
	case ZYDIS_MNEMONIC_RDGSBASE:
		return read_base(t, in, SEG_GS);
	case ZYDIS_MNEMONIC_WRFSBASE:
		return write_base(t, in, SEG_FS);
	case ZYDIS_MNEMONIC_WRGSBASE:
		return write_base(t, in, SEG_GS);
	case ZYDIS_MNEMONIC_PUSHF:
	case ZYDIS_MNEMONIC_PUSHFQ:
		return pushf(t, in);
	case ZYDIS_MNEMONIC_POPF:
	case ZYDIS_MNEMONIC_POPFQ:
		return popf(t, in);
	case ZYDIS_MNEMONIC_CLAC:
	case ZYDIS_MNEMONIC_STAC:
		return set_ac(t, in, in->z.mnemonic == ZYDIS_MNEMONIC_STAC);
	case ZYDIS_MNEMONIC_XSAVE:
	case ZYDIS_MNEMONIC_XSAVE64:
	case ZYDIS_MNEMONIC_XSAVEC:
	case ZYDIS_MNEMONIC_XSAVEC64:
	case ZYDIS_MNEMONIC_XSAVEOPT:
	case ZYDIS_MNEMONIC_XSAVEOPT64:
		return xsave(t, in, false);
	case ZYDIS_MNEMONIC_XRSTOR:
	case ZYDIS_MNEMONIC_XRSTOR64:
		return xsave(t, in, true);
	default:
		return false;
	}
}
