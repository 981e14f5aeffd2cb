/* SPDX-License-Identifier: GPL-3.0-or-later
 * Sensitive instructions: emulated in the TC where a few host instructions on the virtual state suffice, by a
 * callout otherwise. */
#include "bt/lower/family.h"
#include "bt/runtime/callout.h"

#include "cpu/system.h"

static struct site *callout(struct tx *t, struct insn *in, enum callout_kind k, callout_fn *fn)
{
	struct site *s = new_site(t, in, k, fn);

	s->op = in->z.operand_width == 16 ? 2 : in->z.operand_width == 64 ? 8 : 4;
	return s;
}

static bool kernel(const struct tx *t)
{
	return !(t->mode & MODE_CPL);
}

static int reg_of(const ZydisDecodedOperand *o)
{
	return ZydisRegisterGetId(o->reg.value);
}

static bool is_sreg(const ZydisDecodedOperand *o)
{
	return o->type == ZYDIS_OPERAND_TYPE_REGISTER && o->reg.value >= ZYDIS_REGISTER_ES &&
	       o->reg.value <= ZYDIS_REGISTER_GS;
}

/* Store r11w at the linear address in r8. */
static void store_word(struct tx *t, struct insn *in)
{
	struct site *s;

	if (t->kind != TX_MMIO) {
		e_gs(t, F_66, 0x89, H_R11, H_R8, 0);
		return;
	}
	s = callout(t, in, CO_MMIO, co_mmio_end);
	s->mmio.size = 2;
	e_st32(t, OFF(exit.mmio_lin), H_R8);
	e_st32(t, OFF(bounce), H_R11);
	emit_callout(t, s);
}

static bool mov_special(struct tx *t, struct insn *in)
{
	const ZydisDecodedOperand *d = &in->op[0], *s = &in->op[1];
	struct site *c;

	if (is_sreg(d)) {
		if (reg_of(d) == SEG_CS) {
			emit_raise(t, in, EXC_UD);
			return true;
		}
		emit_load_operand(t, in, 1, 2);
		emit_load_seg(t, in, (enum seg)reg_of(d), 0);
		return true;
	}
	if (is_sreg(s) && (t->way == WAY_TRAP || t->way == WAY_CALLOUT)) {
		if (d->type == ZYDIS_OPERAND_TYPE_MEMORY)
			emit_ea(t, in);
		c = callout(t, in, CO_SYSTEM, co_read_sreg);
		c->regs.reg = d->type == ZYDIS_OPERAND_TYPE_MEMORY ? 0 : (uint8_t)reg_of(d);
		c->regs.other = (uint8_t)reg_of(s);
		emit_callout(t, c);
		return true;
	}
	if (is_sreg(s)) {
		t->low[t->i] = LOW_INTC;
		if (d->type == ZYDIS_OPERAND_TYPE_MEMORY) {
			emit_linear(t, in, 2);
			e_ldzx16(t, H_R11, OFF_SEG(reg_of(s), sel));
			store_word(t, in);
		} else {
			e_ldzx16(t, H_R11, OFF_SEG(reg_of(s), sel));
			e_rr(t, in->z.operand_width == 16 ? F_66 : 0, 0x8b, reg_of(d), H_R11);
		}
		return true;
	}
	if (d->type == ZYDIS_OPERAND_TYPE_REGISTER &&
	    ZydisRegisterGetClass(d->reg.value) == ZYDIS_REGCLASS_CONTROL) {
		emit_mov_to_cr(t, in, (unsigned)reg_of(d), reg_of(s));
		return true;
	}
	if (s->type == ZYDIS_OPERAND_TYPE_REGISTER &&
	    ZydisRegisterGetClass(s->reg.value) == ZYDIS_REGCLASS_CONTROL) {
		static const int32_t off[5] = { OFF_CPU(cr0), -1, OFF_CPU(cr2), OFF_CPU(cr3), OFF_CPU(cr4) };
		int cr = reg_of(s);

		if (kernel(t) && cr < 5 && cr != 1 && t->way != WAY_TRAP && t->way != WAY_CALLOUT) {
			t->low[t->i] = LOW_INTC;
			e_ld32(t, reg_of(d), off[cr]);
			return true;
		}
		c = callout(t, in, CO_CR, co_mov_from_cr);
		c->regs.reg = (uint8_t)reg_of(d);
		c->regs.other = (uint8_t)cr;
		emit_callout(t, c);
		return true;
	}
	if (d->type == ZYDIS_OPERAND_TYPE_REGISTER &&
	    ZydisRegisterGetClass(d->reg.value) == ZYDIS_REGCLASS_DEBUG) {
		c = callout(t, in, CO_CR, co_mov_to_dr);
		c->regs.reg = (uint8_t)reg_of(s);
		c->regs.other = (uint8_t)reg_of(d);
		emit_callout(t, c);
		t->done = true;
		return true;
	}
	if (s->type == ZYDIS_OPERAND_TYPE_REGISTER &&
	    ZydisRegisterGetClass(s->reg.value) == ZYDIS_REGCLASS_DEBUG) {
		c = callout(t, in, CO_CR, co_mov_from_dr);
		c->regs.reg = (uint8_t)reg_of(d);
		c->regs.other = (uint8_t)reg_of(s);
		emit_callout(t, c);
		return true;
	}
	return false;
}

static void in_out(struct tx *t, struct insn *in)
{
	bool is_in = in->z.mnemonic == ZYDIS_MNEMONIC_IN;
	const ZydisDecodedOperand *port = &in->op[is_in ? 1 : 0], *acc = &in->op[is_in ? 0 : 1];
	struct site *s = callout(t, in, CO_IO, is_in ? co_in : co_out);

	s->op = (uint8_t)(acc->size / 8);
	if (port->type == ZYDIS_OPERAND_TYPE_REGISTER)
		s->port.in_dx = 1;
	else
		s->port.number = (uint8_t)port->imm.value.u;
	emit_callout(t, s);
}

/* CLI and STI at CPL 0: a store to one byte of the vCPU. */
static void cli_sti(struct tx *t, struct insn *in)
{
	bool sti = in->z.mnemonic == ZYDIS_MNEMONIC_STI;
	struct site *s;

	if (kernel(t) && t->kind == TX_NORMAL && (t->way == WAY_DEFAULT || t->way == WAY_INTC)) {
		t->low[t->i] = LOW_INTC;
		e_st8i(t, OFF_CPU(intf), sti);
		t->sti = sti;
		return;
	}
	s = callout(t, in, CO_FLAGS, sti ? co_sti : co_cli);
	s->sti.kernel =
	    kernel(t) && t->kind == TX_NORMAL; /* cannot fault; the interrupt check follows in line */
	emit_callout(t, s);
	t->sti = sti && s->sti.kernel;
	t->done = sti && !s->sti.kernel;
}

/* Guest TSC = host TSC + offset, without touching flags. */
static void rdtsc(struct tx *t, struct insn *in)
{
	if (t->b->icount.on || (!kernel(t) && (t->mode & MODE_TSD)) || t->way == WAY_TRAP ||
	    t->way == WAY_CALLOUT) {
		struct site *s = callout(t, in, CO_TSC, co_rdtsc);

		s->rdtsc.aux = in->z.mnemonic == ZYDIS_MNEMONIC_RDTSCP;
		emit_callout(t, s);
		return;
	}
	t->low[t->i] = LOW_INTC;
	if (in->z.mnemonic == ZYDIS_MNEMONIC_RDTSCP)
		e_ld32(t, H_RCX, OFF_CPU(tsc_aux));
	e2(t, 0x310f);
	e_rorx64(t, H_RDX, H_RDX, 32);
	e_rmi(t, F_W, 0x8d, H_RAX, H_RAX, H_RDX, 0, 0);
	e_ld64(t, H_RDX, OFF_CPU(tsc_offset));
	e_rmi(t, F_W, 0x8d, H_RAX, H_RAX, H_RDX, 0, 0);
	if (t->mode & MODE_GUEST) {
		e_ld64(t, H_RDX, OFF(guest.tsc_offset));
		e_rmi(t, F_W, 0x8d, H_RAX, H_RAX, H_RDX, 0, 0);
	}
	e_rorx64(t, H_RDX, H_RAX, 32);
	e_mov32(t, H_RDX, H_RDX);
	e_mov32(t, H_RAX, H_RAX);
}

static void with_ea(struct tx *t, struct insn *in, enum callout_kind k, callout_fn *fn, unsigned code,
		    bool ends)
{
	struct site *s;

	if (in->mem >= 0)
		emit_ea(t, in);
	s = callout(t, in, k, fn);
	s->regs.code = (uint8_t)code;
	emit_callout(t, s);
	t->done = ends;
}

/* Operand IDX (r/m16) as a value in r8. */
static void with_sel(struct tx *t, struct insn *in, unsigned idx, enum callout_kind k, callout_fn *fn,
		     unsigned code, bool ends)
{
	struct site *s;

	emit_load_operand(t, in, idx, 2);
	s = callout(t, in, k, fn);
	s->regs.code = (uint8_t)code;
	if (idx == 1)
		s->regs.reg = (uint8_t)reg_of(&in->op[0]);
	emit_callout(t, s);
	t->done = ends;
}

/* The same by a callout, which obeys CR4.UMIP. */
static void store_sys_callout(struct tx *t, struct insn *in)
{
	struct site *s;

	if (in->mem >= 0)
		emit_ea(t, in);
	s = callout(t, in, CO_SYSTEM, co_store_system);
	s->regs.code = in->z.mnemonic == ZYDIS_MNEMONIC_SLDT  ? SYS_LDTR
		       : in->z.mnemonic == ZYDIS_MNEMONIC_STR ? SYS_TR
							      : SYS_MSW;
	if (in->mem < 0)
		s->regs.reg = (uint8_t)reg_of(&in->op[0]);
	emit_callout(t, s);
}

/* SLDT, STR, SMSW: a 16-bit value to memory, or zero-extended to a register. */
static void store_sys(struct tx *t, struct insn *in, int32_t off)
{
	const ZydisDecodedOperand *d = &in->op[0];

	if (!kernel(t) && t->b->isa.has[FEATURE_UMIP]) {
		store_sys_callout(t, in);
		return;
	}
	t->low[t->i] = LOW_INTC;
	if (d->type == ZYDIS_OPERAND_TYPE_MEMORY) {
		emit_linear(t, in, 2);
		e_ldzx16(t, H_R11, off);
		store_word(t, in);
		return;
	}
	if (in->z.mnemonic == ZYDIS_MNEMONIC_SMSW)
		e_ld32(t, H_R11, off);
	else
		e_ldzx16(t, H_R11, off);
	e_rr(t, in->z.operand_width == 16 ? F_66 : 0, 0x8b, reg_of(d), H_R11);
}

/* XSAVE and family: the guest's mask may not select components it has not enabled. A callout masks EDX:EAX;
 * both are restored afterwards. */
static void xsave(struct tx *t, struct insn *in)
{
	bool user_access;

	if (!mode_osxsave(t->mode)) {
		emit_raise(t, in, EXC_UD);
		return;
	}
	if (t->mode & MODE_TS) {
		emit_raise(t, in, EXC_NM);
		return;
	}
	if (t->kind == TX_MMIO) { /* no device register is that large */
		struct site *s = callout(t, in, CO_MMIO, co_raise);

		s->raise.vector = EXC_GP;
		s->raise.has_error = 1;
		emit_callout(t, s);
		t->done = true;
		return;
	}
	if (in->z.mnemonic != ZYDIS_MNEMONIC_XRSTOR && in->z.mnemonic != ZYDIS_MNEMONIC_XRSTOR64)
		emit_x87_saved(t, in);
	user_access = site_is_user_access(t, in) && mode_seg(t->mode, in->seg) == SEGC_FLAT;
	emit_linear(t, in, 1); /* before the callout: the address may use eax or edx */
	if (user_access) {
		emit_quarter(t, H_R8);
		e_rmi(t, F_W, 0x8d, H_R8, H_R8, H_R9, 0, 0);
	}
	e_ld32(t, H_R10, OFF_CPU(xcr0));
	e_and_noflags(t, H_R9, H_RAX, H_R10);
	e_mov64(t, H_R10, H_RAX);
	e_mov64(t, H_R11, H_RDX);
	e_mov64(t, H_RAX, H_R9);
	e_movi32(t, H_RDX, 0);
	tx_mark(t, FIX_XSAVE, 0);
	if (!user_access)
		e2(t, 0x6765);
	e1(t, 0x41);
	for (unsigned i = in->z.raw.prefix_count; i < in->z.raw.modrm.offset; i++)
		e1(t, in->bytes[i]);
	e_modrm_mem(t, in->z.raw.modrm.reg, H_R8, 0);
	e_mov64(t, H_RAX, H_R10);
	e_mov64(t, H_RDX, H_R11);
	tx_mark(t, FIX_NONE, 0);
}

static bool protected_mode(const struct tx *t)
{
	return (t->mode & MODE_PE) && !(t->mode & MODE_VM);
}

/* Check mode and privilege, which precede operand faults. True if the instruction always faults. */
static bool refused(struct tx *t, struct insn *in)
{
	int vector = -1;

	switch (in->z.mnemonic) {
	case ZYDIS_MNEMONIC_LLDT:
	case ZYDIS_MNEMONIC_LTR:
		vector = !protected_mode(t) ? EXC_UD : kernel(t) ? -1 : EXC_GP;
		break;
	case ZYDIS_MNEMONIC_LGDT:
	case ZYDIS_MNEMONIC_LIDT:
	case ZYDIS_MNEMONIC_LMSW:
	case ZYDIS_MNEMONIC_INVPCID:
		vector = kernel(t) ? -1 : EXC_GP;
		break;
	case ZYDIS_MNEMONIC_LAR:
	case ZYDIS_MNEMONIC_LSL:
	case ZYDIS_MNEMONIC_VERR:
	case ZYDIS_MNEMONIC_VERW:
		vector = protected_mode(t) ? -1 : EXC_UD;
		break;
	default:
		break;
	}
	if (vector >= 0)
		emit_raise(t, in, vector);
	return vector >= 0;
}

static void table(struct tx *t, struct insn *in, unsigned code)
{
	with_ea(t, in, CO_SYSTEM, co_table, code, code >= TAB_LGDT);
}

bool lower_system(struct tx *t, struct insn *in)
{
	struct site *s;

	if (refused(t, in))
		return true;
	switch (in->z.mnemonic) {
	case ZYDIS_MNEMONIC_MOV:
		return mov_special(t, in);
	case ZYDIS_MNEMONIC_CLI:
	case ZYDIS_MNEMONIC_STI:
		cli_sti(t, in);
		return true;
	case ZYDIS_MNEMONIC_IN:
	case ZYDIS_MNEMONIC_OUT:
		in_out(t, in);
		return true;
	case ZYDIS_MNEMONIC_CPUID:
		emit_cpuid(t, in);
		return true;
	case ZYDIS_MNEMONIC_RDTSC:
	case ZYDIS_MNEMONIC_RDTSCP:
		rdtsc(t, in);
		return true;
	case ZYDIS_MNEMONIC_RDMSR:
		emit_rdmsr(t, in);
		return true;
	case ZYDIS_MNEMONIC_WRMSR:
		emit_callout(t, callout(t, in, CO_MSR, co_wrmsr));
		t->done = true;
		return true;
	case ZYDIS_MNEMONIC_RDPMC:
		emit_callout(t, callout(t, in, CO_MSR, co_rdpmc));
		return true;
	case ZYDIS_MNEMONIC_XGETBV:
		emit_callout(t, callout(t, in, CO_MSR, co_xgetbv));
		return true;
	case ZYDIS_MNEMONIC_XSETBV:
		emit_callout(t, callout(t, in, CO_MSR, co_xsetbv));
		t->done = true;
		return true;
	case ZYDIS_MNEMONIC_RDRAND:
	case ZYDIS_MNEMONIC_RDSEED:
		if (!t->b->icount.on)
			return false;
		s = callout(t, in, CO_OTHER, co_random);
		s->regs.reg = (uint8_t)reg_of(&in->op[0]);
		emit_callout(t, s);
		return true;
	case ZYDIS_MNEMONIC_LGDT:
		table(t, in, TAB_LGDT);
		return true;
	case ZYDIS_MNEMONIC_LIDT:
		table(t, in, TAB_LIDT);
		return true;
	case ZYDIS_MNEMONIC_SGDT:
		table(t, in, TAB_SGDT);
		return true;
	case ZYDIS_MNEMONIC_SIDT:
		table(t, in, TAB_SIDT);
		return true;
	case ZYDIS_MNEMONIC_LLDT:
		with_sel(t, in, 0, CO_SYSTEM, co_lldt, 0, true);
		return true;
	case ZYDIS_MNEMONIC_LTR:
		with_sel(t, in, 0, CO_SYSTEM, co_ltr, 0, true);
		return true;
	case ZYDIS_MNEMONIC_LMSW:
		with_sel(t, in, 0, CO_CR, co_lmsw, 0, true);
		return true;
	case ZYDIS_MNEMONIC_SLDT:
	case ZYDIS_MNEMONIC_STR:
		if (!protected_mode(t)) {
			emit_raise(t, in, EXC_UD);
			return true;
		}
		store_sys(t, in, in->z.mnemonic == ZYDIS_MNEMONIC_SLDT ? OFF_CPU(ldtr.sel) : OFF_CPU(tr.sel));
		return true;
	case ZYDIS_MNEMONIC_SMSW:
		store_sys(t, in, OFF_CPU(cr0));
		return true;
	case ZYDIS_MNEMONIC_CLTS:
		emit_clts(t, in);
		return true;
	case ZYDIS_MNEMONIC_INVLPG:
		with_ea(t, in, CO_CR, co_invlpg, 0, true);
		return true;
	case ZYDIS_MNEMONIC_INVPCID:
		emit_ea(t, in);
		s = callout(t, in, CO_CR, co_invpcid);
		s->regs.reg = (uint8_t)reg_of(&in->op[0]);
		emit_callout(t, s);
		t->done = true;
		return true;
	case ZYDIS_MNEMONIC_CLAC:
	case ZYDIS_MNEMONIC_STAC:
		s = callout(t, in, CO_FLAGS, co_set_ac);
		s->regs.code = in->z.mnemonic == ZYDIS_MNEMONIC_STAC;
		emit_callout(t, s);
		t->done = true;
		return true;
	case ZYDIS_MNEMONIC_RDPID:
		s = callout(t, in, CO_SYSTEM, co_rdpid);
		s->regs.reg = (uint8_t)reg_of(&in->op[0]);
		emit_callout(t, s);
		return true;
	case ZYDIS_MNEMONIC_SYSCALL: /* 64-bit code has it elsewhere */
		emit_callout(t, callout(t, in, CO_INT, co_syscall));
		t->done = true;
		return true;
	case ZYDIS_MNEMONIC_SYSRET:
		emit_callout(t, callout(t, in, CO_IRET, co_sysret));
		t->done = true;
		return true;
	case ZYDIS_MNEMONIC_INVD:
	case ZYDIS_MNEMONIC_WBINVD:
		emit_callout(t, callout(t, in, CO_SYSTEM, co_nop_cpl0));
		return true;
	case ZYDIS_MNEMONIC_LAR:
	case ZYDIS_MNEMONIC_LSL:
		with_sel(t, in, 1, CO_SYSTEM, co_query,
			 in->z.mnemonic == ZYDIS_MNEMONIC_LAR ? CPU_LAR : CPU_LSL, false);
		return true;
	case ZYDIS_MNEMONIC_VERR:
	case ZYDIS_MNEMONIC_VERW:
		with_sel(t, in, 0, CO_SYSTEM, co_query,
			 in->z.mnemonic == ZYDIS_MNEMONIC_VERR ? CPU_VERR : CPU_VERW, false);
		return true;
	case ZYDIS_MNEMONIC_XSAVE:
	case ZYDIS_MNEMONIC_XSAVEC:
	case ZYDIS_MNEMONIC_XSAVEOPT:
	case ZYDIS_MNEMONIC_XRSTOR:
		xsave(t, in);
		return true;
	default:
		return false;
	}
}
