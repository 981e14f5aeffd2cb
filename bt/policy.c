/* SPDX-License-Identifier: GPL-3.0-or-later
 * What the user may choose of the translation, and what the translator decided by
 * itself: the way each sensitive instruction runs (trap, callout, in the TC; by
 * kind or by site), adaptation and its log, patches of guest code that only the
 * translator sees, probes. Changing a choice drops the fragments concerned; they
 * are translated anew when next run. */
#include "bt/bt_int.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

static const struct { const char *name; bool in_tc; const char *help; } kinds[SENS_KINDS] = {
#define SENS(id, name, in_tc, help) { name, in_tc, help },
#include "bt/policy.def"
#undef SENS
};
static const char *const way_names[] = { "default", "trap", "callout", "in-tc" };
static const char *const event_names[] = { "convicted: reaches user pages from kernel code; goes through the user window",
					   "convicted: misses its window often; looks before it accesses",
					   "acquitted: calm for long; accesses directly again",
					   "acquitted for good: the user window did not serve it",
					   "page written as often as run; its code is checked at entry, not traced",
					   "page unchanged for long; its code is traced again",
					   "convicted: device memory; calls the device instead of trapping" };

static struct bt_vcpu *of(struct vcpu *v)
{
	return (struct bt_vcpu *)v;
}

/* ---- ways ---- */

static enum sens sens_of(const struct insn *in)
{
	const ZydisDecodedOperand *d = &in->op[0], *s = &in->op[1];
	bool dst_reg = d->type == ZYDIS_OPERAND_TYPE_REGISTER, src_reg = s->type == ZYDIS_OPERAND_TYPE_REGISTER;

	switch (in->z.mnemonic) {
	case ZYDIS_MNEMONIC_CLI: return SENS_CLI;
	case ZYDIS_MNEMONIC_STI: return SENS_STI;
	case ZYDIS_MNEMONIC_PUSHF: case ZYDIS_MNEMONIC_PUSHFD: return SENS_PUSHF;
	case ZYDIS_MNEMONIC_POPF: case ZYDIS_MNEMONIC_POPFD: return SENS_POPF;
	case ZYDIS_MNEMONIC_RDTSC: case ZYDIS_MNEMONIC_RDTSCP: return SENS_RDTSC;
	case ZYDIS_MNEMONIC_IN: case ZYDIS_MNEMONIC_OUT: case ZYDIS_MNEMONIC_INSB: case ZYDIS_MNEMONIC_INSW:
	case ZYDIS_MNEMONIC_INSD: case ZYDIS_MNEMONIC_OUTSB: case ZYDIS_MNEMONIC_OUTSW:
	case ZYDIS_MNEMONIC_OUTSD: return SENS_IO;
	case ZYDIS_MNEMONIC_CPUID: return SENS_CPUID;
	case ZYDIS_MNEMONIC_RDMSR: case ZYDIS_MNEMONIC_WRMSR: case ZYDIS_MNEMONIC_XGETBV:
	case ZYDIS_MNEMONIC_XSETBV: return SENS_MSR;
	case ZYDIS_MNEMONIC_IRET: case ZYDIS_MNEMONIC_IRETD: case ZYDIS_MNEMONIC_SYSEXIT: return SENS_IRET;
	case ZYDIS_MNEMONIC_INT: case ZYDIS_MNEMONIC_INT1: case ZYDIS_MNEMONIC_INT3: case ZYDIS_MNEMONIC_INTO:
	case ZYDIS_MNEMONIC_SYSENTER: return SENS_INT;
	case ZYDIS_MNEMONIC_HLT: return SENS_HLT;
	case ZYDIS_MNEMONIC_CLTS: case ZYDIS_MNEMONIC_LMSW: case ZYDIS_MNEMONIC_INVLPG: return SENS_MOV_TO_CR;
	case ZYDIS_MNEMONIC_LGDT: case ZYDIS_MNEMONIC_LIDT: case ZYDIS_MNEMONIC_SGDT: case ZYDIS_MNEMONIC_SIDT:
	case ZYDIS_MNEMONIC_LLDT: case ZYDIS_MNEMONIC_LTR: case ZYDIS_MNEMONIC_LAR: case ZYDIS_MNEMONIC_LSL:
	case ZYDIS_MNEMONIC_VERR: case ZYDIS_MNEMONIC_VERW: return SENS_TABLES;
	case ZYDIS_MNEMONIC_LDS: case ZYDIS_MNEMONIC_LES: case ZYDIS_MNEMONIC_LFS: case ZYDIS_MNEMONIC_LGS:
	case ZYDIS_MNEMONIC_LSS: return SENS_SEG_LOAD;
	case ZYDIS_MNEMONIC_JMP: case ZYDIS_MNEMONIC_CALL: case ZYDIS_MNEMONIC_RET:
		return in->z.meta.branch_type == ZYDIS_BRANCH_TYPE_FAR ? SENS_FAR : SENS_KINDS;
	case ZYDIS_MNEMONIC_PUSH: case ZYDIS_MNEMONIC_POP: case ZYDIS_MNEMONIC_MOV:
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
	enum sens k = sens_of(in);
	const struct verdict *v;
	enum way w;

	if (k == SENS_KINDS)
		return WAY_DEFAULT;
	v = b->nsites ? verdict_find(b, in->pc) : NULL;
	w = v && v->way ? (enum way)v->way : (enum way)b->policy[k];
	return w == WAY_INTC && !kinds[k].in_tc ? WAY_DEFAULT : w;
}

static int find_way(const char *name)
{
	for (int i = 0; i < (int)ARRAY_LEN(way_names); i++)
		if (!strcmp(name, way_names[i]))
			return i;
	return -1;
}

static void drop_at(struct bt_vcpu *b, uint32_t pc, uint32_t len)
{
	for (uint32_t i = 0; i < b->norder; i++) {
		struct ccf *f = b->order[i];

		if (!f->dead && f->pc < pc + len && pc < f->pc + f->glen)
			cache_drop(b, f);
	}
}

const char *bt_policy_set(struct vcpu *v, const char *kind, const char *way)
{
	struct bt_vcpu *b = of(v);
	int w = find_way(way);
	bool all = !strcmp(kind, "all"), found = false;

	if (w < 0)
		return "a way is trap, callout, in-tc or default";
	for (int k = 0; k < SENS_KINDS; k++) {
		if (!all && strcmp(kind, kinds[k].name))
			continue;
		if (w == WAY_INTC && !kinds[k].in_tc && !all)
			return "that kind cannot run in the TC (info policy tells)";
		b->policy[k] = w == WAY_INTC && !kinds[k].in_tc ? WAY_DEFAULT : (uint8_t)w;
		found = true;
	}
	if (!found)
		return "no such kind of sensitive instruction (info policy lists them)";
	b->want_flush = true;
	return NULL;
}

const char *bt_site_set(struct vcpu *v, gva pc, const char *way)
{
	struct bt_vcpu *b = of(v);
	struct verdict *s;
	int w = find_way(way);

	if (w < 0)
		return "a way is trap, callout, in-tc or default";
	s = verdict_make(b, (uint32_t)pc);
	if (!s)
		return "no room for another site";
	s->way = (uint8_t)w;
	b->nsites++;
	drop_at(b, (uint32_t)pc, 1);
	return NULL;
}

/* ---- adaptation ---- */

void adapt_log(struct bt_vcpu *b, enum adapt_event what, uint32_t pc, uint64_t before, uint64_t after)
{
	struct adapt_entry *e = &b->events[b->nevents++ % MAX_EVENTS];

	*e = (struct adapt_entry){ .what = (uint8_t)what, .pc = pc, .before = before, .after = after,
				   .number = b->nevents };
}

const char *bt_adapt_set(struct vcpu *v, const char *what, const char *value)
{
	struct bt_vcpu *b = of(v);
	unsigned n;

	if (!strcmp(what, "on") || !strcmp(what, "off")) {
		b->adapt_off = !strcmp(what, "off");
		if (b->adapt_off)
			for (unsigned i = 0; i < VERDICTS; i++) {
				b->verdicts[i].touch = b->verdicts[i].mmio = 0;
				if (b->verdicts[i].foreign == 1)
					b->verdicts[i].foreign = 0;
			}
		b->want_flush = true;
		return NULL;
	}
	if (strcmp(what, "threshold") || sscanf(value, "%u", &n) != 1 || n < 1 || n > 255)
		return "adapt takes on, off, or threshold N (1 to 255 misses)";
	b->touch_faults = (uint8_t)n;
	return NULL;
}

/* ---- patches in the translation only ---- */

const char *bt_patch_add(struct vcpu *v, gva pc, const uint8_t *bytes, unsigned len)
{
	struct bt_vcpu *b = of(v);
	struct code_patch *p;

	if (!len || len > sizeof(p->bytes))
		return "a patch has 1 to 64 bytes";
	if (b->npatches == MAX_PATCHES)
		return "no room for another patch";
	p = &b->patches[b->npatches++];
	*p = (struct code_patch){ .pc = (uint32_t)pc, .len = (uint8_t)len, .number = ++b->patch_number };
	memcpy(p->bytes, bytes, len);
	drop_at(b, (uint32_t)pc, len);
	return NULL;
}

bool bt_patch_remove(struct vcpu *v, unsigned number)
{
	struct bt_vcpu *b = of(v);

	for (unsigned i = 0; i < b->npatches; i++)
		if (b->patches[i].number == number) {
			drop_at(b, b->patches[i].pc, b->patches[i].len);
			memmove(&b->patches[i], &b->patches[i + 1],
				(--b->npatches - i) * sizeof(b->patches[0]));
			return true;
		}
	return false;
}

/* What the translator reads instead of the guest's bytes at LIN. Later patches win. */
void patch_overlay(const struct bt_vcpu *b, uint32_t lin, uint8_t *bytes, unsigned n)
{
	for (unsigned i = 0; i < b->npatches; i++) {
		const struct code_patch *p = &b->patches[i];

		for (unsigned k = 0; k < p->len; k++)
			if (p->pc + k - lin < n)
				bytes[p->pc + k - lin] = p->bytes[k];
	}
}

/* ---- probes ---- */

const char *bt_probe_add(struct vcpu *v, gva pc)
{
	struct bt_vcpu *b = of(v);

	if (b->nprobes == MAX_PROBES)
		return "no room for another probe";
	b->probes[b->nprobes] = (uint32_t)pc;
	b->probe_count[b->nprobes++] = 0;
	drop_at(b, (uint32_t)pc, 1);
	return NULL;
}

bool bt_probe_remove(struct vcpu *v, gva pc)
{
	struct bt_vcpu *b = of(v);

	for (unsigned i = 0; i < b->nprobes; i++)
		if (b->probes[i] == (uint32_t)pc) {
			drop_at(b, (uint32_t)pc, 1);
			/* the last one moves into the gap, with its fragments */
			b->probes[i] = b->probes[--b->nprobes];
			b->probe_count[i] = b->probe_count[b->nprobes];
			drop_at(b, b->probes[i], 1);
			return true;
		}
	return false;
}

int probe_at(const struct bt_vcpu *b, uint32_t pc)
{
	for (unsigned i = 0; i < b->nprobes; i++)
		if (b->probes[i] == pc)
			return (int)i;
	return -1;
}

void bt_count_entries(struct vcpu *v, bool on)
{
	of(v)->count_entries = on;
	of(v)->want_flush = true;
}

unsigned bt_discard(struct vcpu *v, gva pc, bool all)
{
	struct bt_vcpu *b = of(v);
	unsigned n = 0;

	for (uint32_t i = 0; i < b->norder; i++) {
		struct ccf *f = b->order[i];

		if (!f->dead && (all || (uint32_t)pc - f->pc < f->glen)) {
			cache_drop(b, f);
			n++;
		}
	}
	return n;
}

/* ---- views ---- */

static const struct view_col policy_cols[] = {
	{ "kind", "kind", VAL_STR, "", "kind of sensitive instruction" },
	{ "way", "way", VAL_STR, "", "chosen way; default: in the TC where possible, else callout" },
	{ "in_tc", "in-tc?", VAL_BOOL, "", "can run in the TC" },
	{ "help", "instructions", VAL_STR, "", "what belongs to it" },
};

static const char *policy_rows(void *owner, const char *arg, struct row_sink *k)
{
	struct bt_vcpu *b = owner;

	(void)arg;
	for (int i = 0; i < SENS_KINDS; i++)
		k->row(k, (struct value[]){ V_STR(kinds[i].name), V_STR(way_names[b->policy[i]]),
					    V_BOOL(kinds[i].in_tc), V_STR(kinds[i].help) });
	return NULL;
}

const struct view view_policy = { "policy", "how sensitive instructions run, by kind", policy_cols,
				  ARRAY_LEN(policy_cols), policy_rows, false };

static const struct view_col site_cols[] = {
	{ "pc", "guest pc", VAL_ADDR, "", "guest-linear address of the instruction" },
	{ "verdict", "verdict", VAL_STR, "", "what was found of it" },
	{ "way", "way", VAL_STR, "", "way chosen by the user" },
	{ "misses", "misses", VAL_UINT, "", "window misses counted towards conviction" },
	{ "odd", "odd", VAL_UINT, "", "times the user window did not serve it" },
};

static const char *site_rows(void *owner, const char *arg, struct row_sink *k)
{
	struct bt_vcpu *b = owner;

	for (unsigned i = 0; i < VERDICTS; i++) {
		const struct verdict *v = &b->verdicts[i];

		if (!v->pc || (!v->foreign && !v->touch && !v->way && v->mmio < MMIO_TRAPS && strcmp(arg, "all")))
			continue;
		k->row(k, (struct value[]){ V_ADDR(v->pc),
					    V_STR(v->foreign == 1 ? "user-window" : v->touch ? "looks-first" :
						  v->mmio >= MMIO_TRAPS ? "device" :
						  v->foreign == 2 ? "acquitted" : "innocent"),
					    V_STR(way_names[v->way]), V_UINT(v->faults), V_UINT(v->odd) });
	}
	return NULL;
}

const struct view view_sites = { "sites", "instructions with a verdict or a way of their own (all: suspects too)",
				 site_cols, ARRAY_LEN(site_cols), site_rows, false };

static const struct view_col adapt_cols[] = {
	{ "number", "#", VAL_UINT, "", "running number" },
	{ "pc", "guest pc", VAL_ADDR, "", "the instruction" },
	{ "event", "event", VAL_STR, "", "what was decided, and what replaces it" },
	{ "before", "before", VAL_UINT, "cycles", "a time by the old way (mean)" },
	{ "after", "after", VAL_UINT, "cycles", "a time by the new way (mean of all such sites so far)" },
};

static const char *adapt_rows(void *owner, const char *arg, struct row_sink *k)
{
	struct bt_vcpu *b = owner;
	uint64_t first = b->nevents > MAX_EVENTS ? b->nevents - MAX_EVENTS : 0;

	(void)arg;
	for (uint64_t i = first; i < b->nevents; i++) {
		const struct adapt_entry *e = &b->events[i % MAX_EVENTS];

		k->row(k, (struct value[]){ V_UINT(e->number), V_ADDR(e->pc), V_STR(event_names[e->what]),
					    e->before ? V_UINT(e->before) : V_NONE,
					    e->after ? V_UINT(e->after) : V_NONE });
	}
	return NULL;
}

const struct view view_adapt = { "adapt", "log of adaptation: convictions and acquittals", adapt_cols,
				 ARRAY_LEN(adapt_cols), adapt_rows, false };

static const struct view_col patch_cols[] = {
	{ "number", "Num", VAL_UINT, "", "number for unpatch" },
	{ "pc", "Address", VAL_ADDR, "", "guest-linear address" },
	{ "bytes", "Bytes", VAL_STR, "", "what the translator reads there" },
};

static const char *patch_rows(void *owner, const char *arg, struct row_sink *k)
{
	struct bt_vcpu *b = owner;

	(void)arg;
	for (unsigned i = 0; i < b->npatches; i++) {
		char hex[2 * 64 + 1];

		for (unsigned n = 0; n < b->patches[i].len; n++)
			snprintf(hex + 2 * n, 3, "%02x", b->patches[i].bytes[n]);
		k->row(k, (struct value[]){ V_UINT(b->patches[i].number), V_ADDR(b->patches[i].pc), V_STR(hex) });
	}
	return NULL;
}

const struct view view_patches = { "patches", "guest code changed in the translation only", patch_cols,
				   ARRAY_LEN(patch_cols), patch_rows, false };

static const struct view_col probe_cols[] = {
	{ "pc", "Address", VAL_ADDR, "", "guest-linear address" },
	{ "count", "Count", VAL_UINT, "", "times the instruction was reached" },
};

static const char *probe_rows(void *owner, const char *arg, struct row_sink *k)
{
	struct bt_vcpu *b = owner;

	(void)arg;
	for (unsigned i = 0; i < b->nprobes; i++)
		k->row(k, (struct value[]){ V_ADDR(b->probes[i]), V_UINT(b->probe_count[i]) });
	return NULL;
}

const struct view view_probes = { "probes", "counting probes", probe_cols, ARRAY_LEN(probe_cols), probe_rows, false };
