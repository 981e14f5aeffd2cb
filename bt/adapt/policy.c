/* SPDX-License-Identifier: GPL-3.0-or-later
 * The way each sensitive instruction runs: by trap, by callout, or in the TC; chosen by kind or by site. A
 * change drops the fragments concerned; they are translated again when next run. */
#include "bt/adapt/policy.h"
#include "bt/adapt/adapt.h"
#include "bt/cache/cache.h"
#include "bt/decode/decode.h"
#include "bt/decode/patch.h"

#include <string.h>

static const struct {
	const char *name;
	bool in_tc;
	const char *help;
} kinds[SENS_KINDS] = {
#define SENS(id, name, in_tc, help) { name, in_tc, help },
#include "bt/state/policy.def"
#undef SENS
};
const char *const way_names[] = { "default", "trap", "callout", "in-tc" };

const char *policy_kind_name(unsigned kind)
{
	return kinds[kind].name;
}

enum sens policy_kind(const struct insn *in)
{
	const ZydisDecodedOperand *d = &in->op[0], *s = &in->op[1];
	bool dst_reg = d->type == ZYDIS_OPERAND_TYPE_REGISTER,
	     src_reg = s->type == ZYDIS_OPERAND_TYPE_REGISTER;

	switch (in->z.mnemonic) {
	case ZYDIS_MNEMONIC_CLI:
		return SENS_CLI;
	case ZYDIS_MNEMONIC_STI:
		return SENS_STI;
	case ZYDIS_MNEMONIC_PUSHF:
	case ZYDIS_MNEMONIC_PUSHFD:
		return SENS_PUSHF;
	case ZYDIS_MNEMONIC_POPF:
	case ZYDIS_MNEMONIC_POPFD:
		return SENS_POPF;
	case ZYDIS_MNEMONIC_RDTSC:
	case ZYDIS_MNEMONIC_RDTSCP:
		return SENS_RDTSC;
	case ZYDIS_MNEMONIC_IN:
	case ZYDIS_MNEMONIC_OUT:
	case ZYDIS_MNEMONIC_INSB:
	case ZYDIS_MNEMONIC_INSW:
	case ZYDIS_MNEMONIC_INSD:
	case ZYDIS_MNEMONIC_OUTSB:
	case ZYDIS_MNEMONIC_OUTSW:
	case ZYDIS_MNEMONIC_OUTSD:
		return SENS_IO;
	case ZYDIS_MNEMONIC_CPUID:
		return SENS_CPUID;
	case ZYDIS_MNEMONIC_RDMSR:
	case ZYDIS_MNEMONIC_WRMSR:
	case ZYDIS_MNEMONIC_XGETBV:
	case ZYDIS_MNEMONIC_XSETBV:
		return SENS_MSR;
	case ZYDIS_MNEMONIC_IRET:
	case ZYDIS_MNEMONIC_IRETD:
	case ZYDIS_MNEMONIC_SYSEXIT:
		return SENS_IRET;
	case ZYDIS_MNEMONIC_INT:
	case ZYDIS_MNEMONIC_INT1:
	case ZYDIS_MNEMONIC_INT3:
	case ZYDIS_MNEMONIC_INTO:
	case ZYDIS_MNEMONIC_SYSENTER:
		return SENS_INT;
	case ZYDIS_MNEMONIC_HLT:
		return SENS_HLT;
	case ZYDIS_MNEMONIC_CLTS:
	case ZYDIS_MNEMONIC_LMSW:
	case ZYDIS_MNEMONIC_INVLPG:
		return SENS_MOV_TO_CR;
	case ZYDIS_MNEMONIC_LGDT:
	case ZYDIS_MNEMONIC_LIDT:
	case ZYDIS_MNEMONIC_SGDT:
	case ZYDIS_MNEMONIC_SIDT:
	case ZYDIS_MNEMONIC_LLDT:
	case ZYDIS_MNEMONIC_LTR:
	case ZYDIS_MNEMONIC_LAR:
	case ZYDIS_MNEMONIC_LSL:
	case ZYDIS_MNEMONIC_VERR:
	case ZYDIS_MNEMONIC_VERW:
		return SENS_TABLES;
	case ZYDIS_MNEMONIC_LDS:
	case ZYDIS_MNEMONIC_LES:
	case ZYDIS_MNEMONIC_LFS:
	case ZYDIS_MNEMONIC_LGS:
	case ZYDIS_MNEMONIC_LSS:
		return SENS_SEG_LOAD;
	case ZYDIS_MNEMONIC_JMP:
	case ZYDIS_MNEMONIC_CALL:
	case ZYDIS_MNEMONIC_RET:
		return in->z.meta.branch_type == ZYDIS_BRANCH_TYPE_FAR ? SENS_FAR : SENS_KINDS;
	case ZYDIS_MNEMONIC_PUSH:
	case ZYDIS_MNEMONIC_POP:
	case ZYDIS_MNEMONIC_MOV:
		break;
	default:
		return SENS_KINDS;
	}
	if (dst_reg && ZydisRegisterGetClass(d->reg.value) == ZYDIS_REGCLASS_SEGMENT)
		return in->z.mnemonic == ZYDIS_MNEMONIC_PUSH ? SENS_SREG_READ : SENS_SEG_LOAD;
	if (in->z.mnemonic != ZYDIS_MNEMONIC_MOV)
		return SENS_KINDS;
	if (src_reg && ZydisRegisterGetClass(s->reg.value) == ZYDIS_REGCLASS_SEGMENT)
		return SENS_SREG_READ;
	if (src_reg && ZydisRegisterGetClass(s->reg.value) == ZYDIS_REGCLASS_CONTROL)
		return SENS_MOV_FROM_CR;
	if (dst_reg && (ZydisRegisterGetClass(d->reg.value) == ZYDIS_REGCLASS_CONTROL ||
			ZydisRegisterGetClass(d->reg.value) == ZYDIS_REGCLASS_DEBUG))
		return SENS_MOV_TO_CR;
	return SENS_KINDS;
}

enum way policy_way(const struct bt_vcpu *b, const struct insn *in)
{
	enum sens k = policy_kind(in);
	const struct verdict *v;
	enum way w;

	if (k == SENS_KINDS)
		return WAY_DEFAULT;
	v = b->adapt.nsites ? verdict_find(b, in->pc) : NULL;
	w = v && v->way ? (enum way)v->way : (enum way)b->adapt.policy[k];
	return w == WAY_INTC && !kinds[k].in_tc ? WAY_DEFAULT : w;
}

static int find_way(const char *name)
{
	for (int i = 0; i < (int)WAYS; i++)
		if (!strcmp(name, way_names[i]))
			return i;
	return -1;
}

static const char *set_kind(struct vcpu *v, const char *kind, const char *way)
{
	struct bt_vcpu *b = bt_of(v);
	int w = find_way(way);
	bool all = !strcmp(kind, "all"), found = false;

	if (w < 0)
		return "a way is trap, callout, in-tc or default";
	for (int k = 0; k < SENS_KINDS; k++) {
		if (!all && strcmp(kind, kinds[k].name))
			continue;
		if (w == WAY_INTC && !kinds[k].in_tc && !all)
			return "that kind cannot run in the TC; see info policy";
		b->adapt.policy[k] = w == WAY_INTC && !kinds[k].in_tc ? WAY_DEFAULT : (uint8_t)w;
		found = true;
	}
	if (!found)
		return "no such kind of sensitive instruction; info policy lists them";
	b->tc.flush_wanted = true;
	return NULL;
}

/* Decode instruction I of F again, as far as policy_kind() needs it. */
static bool decode_again(const struct bt_vcpu *b, const struct ccf *f, unsigned i, struct insn *in)
{
	unsigned from = f->ioff[f->ninsn + i], to = i + 1u < f->ninsn ? f->ioff[f->ninsn + i + 1] : f->glen;
	gva pc = f->pc + from;
	unsigned n = to - from;

	if (n > sizeof(in->bytes))
		return false;
	memset(in, 0, sizeof(*in));
	patch_source(b, pc, in->bytes, n, f->page, f->page2);
	in->pc = pc;
	return ZYAN_SUCCESS(decode_bytes(&b->isa, f->mode, in, n));
}

static const char *put(struct bt_vcpu *b, gva pc, enum way way)
{
	struct verdict *s = verdict_make(b, pc);

	if (!s)
		return pc ? "no room for another site" : "address 0 always has the way of its kind";
	s->way = (uint8_t)way;
	b->adapt.nsites++;
	return NULL;
}

/* Choose WAY for instruction I of F. */
static const char *choose(struct bt_vcpu *b, const struct ccf *f, unsigned i, enum way way)
{
	struct insn in;
	enum sens k = decode_again(b, f, i, &in) ? policy_kind(&in) : SENS_KINDS;

	if (k == SENS_KINDS)
		return "not a sensitive instruction; for others use adapt";
	if (way == WAY_INTC && !kinds[k].in_tc)
		return "that kind cannot run in the TC; see info policy";
	return put(b, in.pc, way);
}

/* Choose for the instruction at PC only. */
static const char *choose_one(struct bt_vcpu *b, gva pc, enum way way)
{
	if (way == WAY_DEFAULT &&
	    verdict_find(b, pc)) /* also undoes a choice made before the code was translated */
		return put(b, pc, way);
	for (uint32_t o = 0; o < b->tc.norder; o++) {
		const struct ccf *f = b->tc.order[o];

		for (unsigned i = 0; !f->dead && pc - f->pc < f->glen && i < f->ninsn; i++)
			if (f->pc + f->ioff[f->ninsn + i] == pc)
				return choose(b, f, i, way);
	}
	return put(b, pc, way); /* not translated yet: applies to whatever instruction is there then */
}

static const char *set_site(struct vcpu *v, gva pc, const char *way, bool whole, unsigned *n)
{
	struct bt_vcpu *b = bt_of(v);
	const char *err = NULL;
	int w = find_way(way);

	*n = 0;
	if (w < 0)
		return "a way is trap, callout, in-tc or default";
	if (!whole) {
		err = choose_one(b, pc, (enum way)w);
		*n = !err;
	}
	for (uint32_t o = 0; whole && o < b->tc.norder; o++) {
		const struct ccf *f = b->tc.order[o];

		for (unsigned i = 0; !f->dead && pc - f->pc < f->glen && i < f->ninsn; i++)
			*n += !choose(b, f, i, (enum way)w);
	}
	if (*n)
		cache_drop_at(b, pc, 1, DROP_SITE);
	else if (whole)
		return "no fragment at that address has a sensitive instruction that can run this way";
	return err;
}

const struct engine_policy bt_policy = { .set_kind = set_kind, .set_site = set_site };

static const struct view_col policy_cols[] = {
	{ "kind", "kind", VAL_STR, "", "kind of sensitive instruction" },
	{ "way", "way", VAL_STR, "", "chosen way; default: in the TC where possible, else callout" },
	{ "in_tc", "in-tc?", VAL_BOOL, "", "can run in the TC" },
	{ "help", "instructions", VAL_HELP, "", "instructions of this kind" },
};

static const char *policy_rows(void *owner, const char *arg, struct row_sink *k)
{
	struct bt_vcpu *b = owner;

	(void)arg;
	for (int i = 0; i < SENS_KINDS; i++)
		k->row(k, (struct value[]){ V_STR(kinds[i].name), V_STR(way_names[b->adapt.policy[i]]),
					    V_BOOL(kinds[i].in_tc), V_STR(kinds[i].help) });
	return NULL;
}

const struct view view_policy = {
	.name = "policy",
	.help = "how sensitive instructions run, by kind",
	VIEW_COLS(policy_cols),
	.rows = policy_rows,
	.flags = VIEW_LIVE,
};
