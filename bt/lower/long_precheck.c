/* SPDX-License-Identifier: GPL-3.0-or-later
 * Prechecks of 64-bit code, at sites that are promoted for misses. An access whose page is in a small table
 * of pages found mapped (struct long_tags) is made as ever. For others a callout decides, out of line behind
 * the TU's body: it raises the guest's page fault; or finds the page mapped, and enters it in the table; or
 * lets the access run on the bounce buffer and moves the bytes, because the page is a soft one
 * (mm/window/soft.c). What the table says is a guess: either way the access passes its own checks. */
#include "bt/adapt/adapt.h"
#include "bt/emit/encode.h"
#include "bt/lower/long.h"
#include "bt/runtime/callout.h"

#include <string.h>

static bool writes(const struct insn *in)
{
	return in->op[in->mem].actions & ZYDIS_OPERAND_ACTION_MASK_WRITE;
}

/* Larger operands, and that of CMPXCHG16B, have rules of their own for alignment. */
static bool is_possible(const struct tx *t, const struct insn *in)
{
	return site_prechecks(t, in) && can_precheck(in) && insn_mem_size(in) <= 32 &&
	       in->z.mnemonic != ZYDIS_MNEMONIC_CMPXCHG16B && (in->z.attributes & ZYDIS_ATTRIB_HAS_MODRM) &&
	       t->nprecheck < ARRAY_LEN(t->precheck);
}

/* rcx = 0 if the page of r8 is in the table, and r10 = what rcx was. */
static void look_up(struct tx *t, bool write, bool user_access)
{
	int d = H_D;

	if (user_access) {
		d = H_R11;
		e_ld64(t, d,
		       OFF(parts[0].d) +
			   (int32_t)(sizeof(t->b->parts[0]) * ((t->mode & MODE_CPL) == MODE_CPL)) +
			   8 * PART_HIGH);
	}
	e_add64(t, H_R11, H_R8, d);
	e_movi32(t, H_R10, PAGE_SHIFT);
	e_shiftx64(t, false, H_R11, H_R11, H_R10);
	e_movzx8(t, H_R9, H_R11);
	e_rmi(t, F_W, 0x8b, H_R9, H_R15, H_R9, 3, OFF(tags.tag) + (write ? 8 * TAGS : 0));
	e_add64(t, H_R9, H_R9, H_R11);
	e_mov64(t, H_R10, H_RCX);
	e_mov64(t, H_RCX, H_R9);
}

struct precheck *long_precheck(struct tx *t, struct insn *in)
{
	struct verdict *v = verdict_find(t->b, in->pc);
	bool possible = is_possible(t, in);
	struct precheck *l;
	struct site *s;
	uint8_t *there;

	if (v)
		v->soft = possible;
	if (!possible)
		return NULL;
	s = new_site(t, in, CO_PRECHECK, co_soften);
	s->precheck.size = (uint16_t)insn_mem_size(in);
	s->precheck.write = writes(in);
	s->precheck.reads = long_reads_or_keeps(in);
	s->precheck.user = site_is_user_access(t, in);
	s->precheck.aligned = insn_wants_alignment(in);
	t->f->prechecks = true;
	l = &t->precheck[t->nprecheck++];
	*l = (struct precheck){ .site = s, .insn = t->i, .is_long = true };
	long_linear(t, in);
	look_up(t, s->precheck.write, s->precheck.user);
	there = e_jrcxz(t);
	e_mov64(t, H_RCX, H_R10);
	e1(t, 0xe9);
	l->soft = t->p;
	e4(t, 0);
	e_here8(t, there);
	e_mov64(t, H_RCX, H_R10);
	long_restore(t);
	l->miss = t->p;
	t->facts = (struct long_facts){ 0 };
	return l;
}

void long_precheck_end(struct tx *t, struct precheck *l)
{
	l->back = t->p;
	t->facts = (struct long_facts){ .joined = true };
}

static void jump_to(struct tx *t, const uint8_t *to)
{
	e1(t, 0xe9);
	e4(t, (uint32_t)(to - t->p - 4));
}

void long_precheck_out(struct tx *t, struct precheck *l)
{
	const struct host_mem bounce = { .vcpu = true, .disp = OFF(bounce) };
	struct insn *in = &t->in[l->insn];
	struct site *s;

	memcpy(l->soft, &(uint32_t){ (uint32_t)(t->p - l->soft - 4) }, 4);
	tx_mark(t, FIX_NONE, 0);
	emit_callout(t, l->site);
	jump_to(t, l->miss);
	l->site->precheck.bypass = tx_host(t);
	long_put(t, in, &bounce);
	if (l->site->precheck.write) {
		s = new_site(t, in, CO_PRECHECK, co_soft_end);
		s->precheck = l->site->precheck;
		emit_callout(t, s);
	}
	jump_to(t, l->back);
}
