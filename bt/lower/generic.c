/* SPDX-License-Identifier: GPL-3.0-or-later
 * Instructions with no lowering of their own keep their bytes. A memory operand gets a GS override and 32-bit
 * address size, which confine it to the window (docs/architecture.md, Translated code); operands that are not
 * flat, and sites promoted for a cause, get another form. */
#include "bt/adapt/adapt.h"
#include "bt/emit/encode.h"
#include "bt/lower/family.h"
#include "bt/runtime/callout.h"

/* Must the bounce buffer be loaded from the device first? Yes if the instruction reads its operand or leaves
 * part of it unchanged. */
static bool reads_or_keeps(const struct insn *in)
{
	return (in->op[in->mem].actions &
		(ZYDIS_OPERAND_ACTION_MASK_READ | ZYDIS_OPERAND_ACTION_CONDWRITE)) ||
	       in->z.mnemonic == ZYDIS_MNEMONIC_FXSAVE;
}

bool insn_only_stores(const struct insn *in)
{
	return in->z.mnemonic == ZYDIS_MNEMONIC_MOV && in->mem == 0;
}

/* Through other segments than flat ones, elements that a mask leaves out do not count for the limit. */
static bool is_by_elements(const struct tx *t, const struct insn *in)
{
	return insn_mask(in) && mode_seg(t->mode, in->seg) != SEGC_FLAT;
}

static void mmio_begin(struct tx *t, struct insn *in)
{
	struct site *s = new_site(t, in, CO_MMIO, co_mmio_begin);

	s->mmio.size = (uint16_t)insn_mem_size(in);
	s->mmio.reads = reads_or_keeps(in);
	s->mmio.writes = !!(in->op[in->mem].actions & ZYDIS_OPERAND_ACTION_MASK_WRITE);
	s->mmio.align = is_by_elements(t, in) && insn_wants_alignment(in) ? (uint8_t)insn_mem_size(in) : 0;
	masked_elements(s, in);
	s->mmio.offsets = is_by_elements(t, in);
	emit_callout(t, s);
}

/* Device memory: the instruction runs on the bounce buffer between two callouts. */
static void put_mmio(struct tx *t, struct insn *in)
{
	struct site *end;

	if (emit_bit_string_device(t, in))
		return;
	if (insn_mem_size(in) > sizeof(t->b->bounce)) { /* no known instruction has such an operand */
		emit_raise(t, in, EXC_GP);
		return;
	}
	if (is_by_elements(t, in))
		emit_ea(t, in);
	else
		emit_linear(t, in, insn_mem_size(in));
	if (insn_only_stores(in))
		e_st32(t, OFF(exit.mmio_lin), H_R8);
	else
		mmio_begin(t, in);
	e_rm(t, F_W, 0x8d, H_R8, H_R15, OFF(bounce));
	put_through_r8(t, in, false);
	if (in->op[in->mem].actions & ZYDIS_OPERAND_ACTION_MASK_WRITE) {
		end = new_site(t, in, CO_MMIO, co_mmio_end);
		end->mmio.size = (uint16_t)insn_mem_size(in);
		end->mmio.alone = insn_only_stores(in);
		masked_elements(end, in);
		end->mmio.offsets = is_by_elements(t, in);
		emit_callout(t, end);
	}
}

bool site_is_device(const struct tx *t, const struct insn *in)
{
	const struct verdict *v = t->kind == TX_NORMAL ? verdict_find(t->b, in->pc) : NULL;

	return guilty_of(v, CAUSE_DEVICE) && !insn_is_vector(in) && !insn_is_vex(in) &&
	       in->z.meta.category != ZYDIS_CATEGORY_PREFETCH;
}

void win_plain(struct tx *t, struct insn *in)
{
	enum seg_class k;

	if (in->mem < 0 || in->op[in->mem].mem.type == ZYDIS_MEMOP_TYPE_AGEN) {
		if (in->mem >= 0) { /* LEA computes an address and accesses nothing */
			if (insn_addr16(in)) {
				emit_ea(t, in);
				e_prefix(t, in->z.operand_width == 16 ? F_66 : 0, in->z.raw.modrm.reg, 0,
					 H_R8);
				e1(t, 0x8b);
				e1(t, 0xc0 | in->z.raw.modrm.reg << 3);
				return;
			}
			if (insn_wants_66(in))
				e1(t, 0x66);
			e1(t, 0x8d);
			put_address32(t, in, in->z.raw.modrm.reg);
			return;
		}
		put_prefixes(t, in, false);
		if (in->z.attributes & ZYDIS_ATTRIB_HAS_MODRM) {
			put_opcode(t, in, 0);
			e1(t, in->bytes[in->z.raw.modrm.offset]);
			put_tail(t, in);
			return;
		}
		for (unsigned i = in->z.raw.prefix_count; i < in->len; i++)
			e1(t, in->bytes[i]);
		return;
	}
	if (!(in->z.attributes & ZYDIS_ATTRIB_HAS_MODRM) && in->z.mnemonic == ZYDIS_MNEMONIC_MOV)
		moffs_to_modrm(in);
	t->low[t->i] = LOW_WINDOW;
	k = mode_seg(t->mode, in->seg);
	if (insn_is_maskmov(in)) {
		if (t->kind == TX_MMIO)
			emit_maskmov_device(t, in);
		else
			emit_maskmov(t, in);
		return;
	}
	if ((insn_is_gather(in) || insn_is_masked_move(in)) &&
	    (t->kind == TX_MMIO || k != SEGC_FLAT || insn_addr16(in))) {
		if (insn_is_gather(in))
			emit_gather(t, in);
		else
			emit_masked_move(t, in);
		return;
	}
	if (t->kind == TX_MMIO || site_is_device(t, in) || is_by_elements(t, in)) {
		put_mmio(t, in);
		return;
	}
	if (insn_is_bit_string(in) && (insn_addr16(in) || k != SEGC_FLAT)) {
		emit_bit_string(t, in);
		return;
	}
	if (!insn_addr16(in) && k == SEGC_FLAT && site_is_user_access(t, in) && !insn_is_bit_string(in) &&
	    !insn_is_gather(in)) {
		emit_precheck(t, in, true);
		emit_ea(t, in);
		emit_quarter(t, H_R8);
		e_rmi(t, F_W, 0x8d, H_R8, H_R8, H_R9, 0, 0);
		put_through_r8(t, in, false);
		emit_precheck_end(t);
		return;
	}
	if (!insn_addr16(in) && k == SEGC_FLAT) {
		emit_precheck(t, in, false);
		put_prefixes(t, in, true);
		put_opcode(t, in, 0);
		put_address32(t, in, in->z.raw.modrm.reg);
		put_tail(t, in);
		emit_precheck_end(t);
		return;
	}
	if (!insn_addr16(in) && k == SEGC_BASED && !insn_has_index(in) && !insn_is_vex(in) &&
	    !insn_uses_high_byte(in) && !site_prechecks(t, in)) {
		put_based(t, in);
		return;
	}
	emit_linear(t, in, insn_mem_size(in));
	if (can_precheck(in))
		emit_precheck_r8(t, insn_mem_size(in),
				 in->op[in->mem].actions & ZYDIS_OPERAND_ACTION_MASK_WRITE,
				 &(struct access){ .insn = true });
	put_through_r8(t, in, true);
	emit_precheck_end(t);
}
