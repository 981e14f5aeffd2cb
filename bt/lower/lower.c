/* SPDX-License-Identifier: GPL-3.0-or-later
 * Lowering of one instruction: decides whether the guest's processor has the instruction (decode/allow.def)
 * and whether it is available in the current mode, then hands it to its family. */
#include "bt/lower/lower.h"
#include "bt/adapt/policy.h"
#include "bt/decode/allow.h"
#include "bt/emit/encode.h"
#include "bt/lower/family.h"
#include "bt/runtime/callout.h"

static bool is_avx(const struct insn *in)
{
	if (!insn_is_vex(in))
		return false;
	switch (in->z.meta.isa_ext) {
	case ZYDIS_ISA_EXT_BMI1:
	case ZYDIS_ISA_EXT_BMI2:
		return false;
	default:
		return true;
	}
}

/* EVEX, and the instructions on mask registers, which have VEX. */
static bool is_avx512(const struct insn *in)
{
	return in->z.meta.isa_ext == ZYDIS_ISA_EXT_AVX512EVEX ||
	       in->z.meta.isa_ext == ZYDIS_ISA_EXT_AVX512VEX;
}

/* Return the exception an x87, SSE or AVX instruction raises in this mode, or -1 if it is usable (SDM vol. 3A
 * 2.5; vol. 2, exception classes). */
static int fpu_exception(const struct tx *t, const struct insn *in)
{
	uint32_t m = t->mode;

	if (is_avx(in)) {
		if (!(m & MODE_AVX) || !(m & MODE_PE) || (m & MODE_VM) || (is_avx512(in) && !mode_avx512(m)))
			return EXC_UD;
		return m & MODE_TS ? EXC_NM : -1;
	}
	if (insn_is_vex(in))
		return (m & MODE_PE) && !(m & MODE_VM) ? -1 : EXC_UD;
	switch (in->z.meta.isa_ext) {
	case ZYDIS_ISA_EXT_X87:
		if (in->z.mnemonic == ZYDIS_MNEMONIC_FWAIT)
			return m & MODE_MPTS ? EXC_NM : -1;
		return m & MODE_NOFPU ? EXC_NM : -1;
	case ZYDIS_ISA_EXT_MMX:
		if (m & MODE_NOSSE && m & MODE_NOFPU && !(m & MODE_TS))
			return EXC_UD;
		return m & MODE_TS ? EXC_NM : -1;
	default:
		break;
	}
	if (in->z.mnemonic == ZYDIS_MNEMONIC_FXSAVE || in->z.mnemonic == ZYDIS_MNEMONIC_FXRSTOR ||
	    in->z.mnemonic == ZYDIS_MNEMONIC_FXSAVE64 || in->z.mnemonic == ZYDIS_MNEMONIC_FXRSTOR64)
		return m & MODE_NOFPU ? EXC_NM : -1;
	if (!insn_is_vector(in))
		return -1;
	switch (in->z.mnemonic) { /* not SSE state */
	case ZYDIS_MNEMONIC_PREFETCHNTA:
	case ZYDIS_MNEMONIC_PREFETCHT0:
	case ZYDIS_MNEMONIC_PREFETCHT1:
	case ZYDIS_MNEMONIC_PREFETCHT2:
	case ZYDIS_MNEMONIC_SFENCE:
	case ZYDIS_MNEMONIC_LFENCE:
	case ZYDIS_MNEMONIC_MFENCE:
	case ZYDIS_MNEMONIC_CLFLUSH:
	case ZYDIS_MNEMONIC_MOVNTI:
	case ZYDIS_MNEMONIC_PAUSE:
		return -1;
	default:
		break;
	}
	if (m & MODE_NOSSE)
		return EXC_UD;
	return m & MODE_TS ? EXC_NM : -1;
}

/* Does IN store the x87 unit's pointers? XSAVE and family does, too: lower/system.c. */
static bool stores_pointers(const struct insn *in)
{
	return in->z.mnemonic == ZYDIS_MNEMONIC_FNSTENV || in->z.mnemonic == ZYDIS_MNEMONIC_FNSAVE ||
	       in->z.mnemonic == ZYDIS_MNEMONIC_FXSAVE || in->z.mnemonic == ZYDIS_MNEMONIC_FXSAVE64;
}

void emit_x87_pointers(struct tx *t, struct insn *in)
{
	emit_callout(t, new_site(t, in, CO_X87, co_x87_pointers));
}

void emit_x87_saved(struct tx *t, struct insn *in)
{
	emit_x87_pointers(t, in);
	e2(t, 0x280f); /* movaps xmm0,xmm0: see co_xgetbv() */
	e1(t, 0xc0);
}

static bool (*const window_families[])(struct tx *, struct insn *) = {
	lower_flow, lower_stack, lower_string, lower_system, lower_legacy, lower_divide, NULL
};

const struct lower_ops ops_window = {
	.families = window_families,
	.plain = win_plain,
	.ea = win_ea,
	.linear = win_linear,
	.load = win_load,
	.push_reg = win_push_reg,
	.push_imm = win_push_imm,
	.push_keeps_r8 = win_push_keeps_r8,
	.peek = win_peek,
	.adjust = win_adjust,
};

static void lower_by(struct tx *t, struct insn *in, const struct lower_ops *l)
{
	for (unsigned i = 0; l->families[i]; i++)
		if (l->families[i](t, in))
			return;
	if (stores_pointers(in))
		emit_x87_pointers(t, in);
	l->plain(t, in);
}

void lower(struct tx *t, struct insn *in)
{
	const struct lower_ops *l = ops_of(t);
	int exc;

	tx_mark(t, FIX_NONE, l->mark && !in->invalid ? l->mark(in) : 0);
	t->low[t->i] = LOW_IDENT;
	if (!in->invalid && t->b->v.virt && lower_virt(t, in))
		return;
	if (in->invalid || !isa_allows(&t->b->isa, in)) {
		emit_raise(t, in, EXC_UD);
		return;
	}
	exc = fpu_exception(t, in);
	if (exc >= 0) {
		emit_raise(t, in, exc);
		return;
	}
	t->way = t->kind == TX_MMIO ? WAY_DEFAULT : policy_way(t->b, in);
	if ((t->mode & MODE_GUEST) && lower_guest(t, in))
		return;
	lower_by(t, in, l);
	if (l->after)
		l->after(t, in);
}
