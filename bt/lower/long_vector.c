/* SPDX-License-Identifier: GPL-3.0-or-later
 * Operands of 64-bit code that are not where ModRM says, or not there alone: bit strings, gathers, masked
 * moves, MASKMOV. See lower/bits.c and lower/vector.c. */
#include "bt/emit/encode.h"
#include "bt/lower/long.h"
#include "bt/runtime/callout.h"

/* ---- bit strings ---- */

/* r8 = linear address of the word of SIZE bytes that holds the bit; the number of the word is signed. */
static void bit_word(struct tx *t, const struct insn *in, unsigned size)
{
	static const uint8_t log2[] = { [2] = 1, [4] = 2, [8] = 3 };

	long_ea(t, in);
	long_reg_get(t, H_R11, long_number(in->op[1].reg.value));
	if (size == 4)
		e_rr(t, F_W, 0x63, H_R11, H_R11);
	else if (size == 2)
		e_rr(t, F_W | F_0F, 0xbf, H_R11, H_R11);
	e_movi32(t, H_R9, 3u + log2[size]);
	e_shiftx(t, false, H_R11, H_R11, H_R9);
	t->p[-3] = (uint8_t)((t->p[-3] & ~3) | 0x80 | 2); /* SARX, 64 bits */
	e_ld64(t, H_V, OFF(space.v));
	e_lea64(t, H_R8, &(struct host_mem){ .base = H_R8, .index = H_R11, .scale = log2[size] });
	if (in->z.address_width == 32)
		e_mov32(t, H_R8, H_R8);
	long_add_base(t, in);
}

/* r11 = the number of the bit in the word. */
static void bit_number(struct tx *t, const struct insn *in, unsigned size)
{
	long_reg_get(t, H_R11, long_number(in->op[1].reg.value));
	e_movi32(t, H_R9, size * 8 - 1);
	e_and_noflags(t, H_R11, H_R11, H_R9);
	e_ld64(t, H_V, OFF(space.v));
}

static void put_bit(struct tx *t, const struct insn *in, const struct host_mem *m)
{
	struct host_form f = form_of(in);

	f.reg = H_R11;
	f.mem = m;
	put_form(t, in, &f);
}

/* The word at r8, by callouts: the instruction runs on a register. */
static void device_bit(struct tx *t, struct insn *in, unsigned size)
{
	struct host_form f = form_of(in);
	struct insn bare = *in;
	struct host_mem m;

	long_device_begin(t, in, &m);
	bit_number(t, in, size);
	e_mem(t, F_W, 0x8b, H_R8, &m);
	f.reg = H_R11;
	f.rm = H_R8;
	bare.z.attributes &= ~ZYDIS_ATTRIB_HAS_LOCK;
	put_form(t, &bare, &f);
	e_mem(t, F_W, 0x89, H_R8, &m);
	long_device_end(t, in);
}

static void bit_string(struct tx *t, struct insn *in)
{
	unsigned size = in->z.operand_width / 8u;
	struct host_mem m = { .base = H_R8, .index = H_D };

	t->low[t->i] = LOW_WINDOW;
	bit_word(t, in, size);
	if (t->kind == TX_MMIO) {
		device_bit(t, in, size);
		return;
	}
	if (site_is_user_access(t, in)) {
		long_probe_part(t, H_R8);
		e_add64(t, H_R8, H_R8, H_D);
		long_restore(t);
		m.index = NO_REG;
	} else {
		long_probe(t, H_R8);
	}
	bit_number(t, in, size);
	put_bit(t, in, &m);
}

/* ---- vectors ---- */

/* MASKMOV stores at an implicit RDI. */
static void maskmov(struct tx *t, struct insn *in)
{
	struct host_form f = form_of(in);

	t->low[t->i] = LOW_WINDOW;
	if (t->kind == TX_MMIO) {
		emit_maskmov_device(t, in);
		return;
	}
	if (in->z.address_width == 64 && in->seg != SEG_FS && in->seg != SEG_GS &&
	    !site_is_user_access(t, in)) {
		long_probe(t, H_RDI);
		e1(t, 0x65);
		put_form(t, in, &f);
		return;
	}
	emit_maskmov_device(t, in);
}

static void gather(struct tx *t, struct insn *in)
{
	const ZydisDecodedOperandMem *m = &in->op[in->mem].mem;
	struct host_mem o = { .base = H_R8, .index = NO_REG, .disp = (int32_t)m->disp.value };
	struct site *s = gather_site(t, in);

	t->low[t->i] = LOW_WINDOW;
	if (m->base == ZYDIS_REGISTER_NONE)
		o.base = NO_REG;
	else
		long_reg_get(t, H_R8, long_number(m->base));
	e_lea64(t, H_R8, &o);
	emit_callout(t, s);
}

bool lower_long_vector(struct tx *t, struct insn *in)
{
	if (in->mem < 0)
		return false;
	if (insn_is_bit_string(in)) {
		bit_string(t, in);
	} else if (insn_is_maskmov(in)) {
		maskmov(t, in);
	} else if (insn_is_gather(in)) {
		gather(t, in);
	} else if (insn_is_masked_move(in) && t->kind == TX_MMIO) {
		emit_masked_move(t, in);
	} else {
		return false;
	}
	return true;
}
