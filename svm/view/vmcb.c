/* SPDX-License-Identifier: GPL-3.0-or-later
 * Views of the VMCB: its fields, its controls one by one, which checks VMRUN would fail, the VMCBs that were
 * used. A hypervisor writes it as any memory; what a processor took of it is its copy (svm/vmcb.h). */
#include "base/alloc.h"
#include "svm/exits.h"
#include "svm/intercept.h"
#include "svm/view/view_int.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

gpa svm_current(const struct svm *x)
{
	const struct exit_log *l = &x->log->l;

	if (x->vmcb.at != VMCB_NOWHERE)
		return x->vmcb.at;
	return l->current < l->nblocks ? l->block[l->current].at : VMCB_NOWHERE;
}

bool svm_vmcb_now(struct svm *x, struct vmcb *v)
{
	struct svm *guest;

	v->at = svm_current(x);
	if (v->at == VMCB_NOWHERE)
		return false;
	if (!x->guest) {
		x->mem.read(x->mem.ctx, v->at, v->bytes, sizeof(v->bytes));
		return true;
	}
	guest = xcalloc(1, sizeof(*guest));
	if (x->ops && x->ops->refresh)
		x->ops->refresh(x);
	*guest = *x;
	svm_save_guest(guest);
	*v = guest->vmcb;
	free(guest);
	return true;
}

/* ---- info vmcb ---- */

static const struct view_col vmcb_cols[] = {
	{ "group", "group", VAL_STR, "", "what the field is about" },
	{ "field", "field", VAL_STR, "", "name, as vmcb-write takes it" },
	{ "encoding", "offset", VAL_HEX, "", "in the VMCB, in bytes" },
	{ "value", "value", VAL_HEX, "", "in memory; while the guest runs, the processor's" },
	{ "counts", "counts", VAL_BOOL, "", "the processor has it, and a control makes it count" },
	{ "changed", "changed", VAL_STR, "",
	  "exit: the last #VMEXIT left another value than the one before; write: it was written since" },
	{ "clean", "clean", VAL_STR, "",
	  "yes: its clean bit is set; stale: and yet its value is not what the processor has kept" },
	{ "bits", "bits", VAL_FLAGS, "", "the value, decoded" },
	{ "help", "meaning", VAL_HELP, "", "one line" },
};

bool svm_field_counts(const struct svm_caps *c, const struct vmcb *v, enum vmcb_field f)
{
	const struct vmcb_field_row *row = &vmcb_fields[f];

	if (row->use == VMCB_NONE || !svm_has(c, row->feature))
		return false;
	switch (f) {
	case VMCB_NESTED_CR3:
	case VMCB_G_PAT:
		return VMCB_BITS(v, NP_ENABLE);
	case VMCB_DBGCTL:
	case VMCB_BR_FROM:
	case VMCB_BR_TO:
	case VMCB_LAST_EXCP_FROM:
	case VMCB_LAST_EXCP_TO:
		return VMCB_BITS(v, LBR_ENABLE);
	case VMCB_IOPM_BASE:
		return VMCB_GET(v, INTERCEPT_3) >> (SVM_EXIT_IOIO & 31) & 1;
	case VMCB_MSRPM_BASE:
		return VMCB_GET(v, INTERCEPT_3) >> (SVM_EXIT_MSR & 31) & 1;
	case VMCB_PAUSE_COUNT:
	case VMCB_PAUSE_THRESHOLD:
		return VMCB_GET(v, INTERCEPT_3) >> (SVM_EXIT_PAUSE & 31) & 1;
	default:
		return true;
	}
}

/* How F of NOW differs from what the last exits left of this VMCB. */
static const char *changed(const struct svm_log *l, const struct vmcb *now, enum vmcb_field f)
{
	const struct vmcb *last = &l->snapshot[l->newest], *before = &l->snapshot[l->newest ^ 1];

	if (l->seen && last->at == now->at && vmcb_get(now, f) != vmcb_get(last, f))
		return "write";
	if (l->seen == 2 && last->at == now->at && before->at == now->at &&
	    vmcb_get(last, f) != vmcb_get(before, f))
		return "exit";
	return NULL;
}

/* Does ARG, a part of a field's or of a group's name, or "changed", choose this row? */
static bool wanted(const char *arg, const char *change, enum vmcb_field f)
{
	const char *group = vmcb_group_names[vmcb_fields[f].group];

	if (!*arg)
		return true;
	if (!strcmp(arg, "changed"))
		return change != NULL;
	return strcasestr(group, arg) != NULL;
}

static const char *clean_text(const struct svm *x, const struct vmcb *now, enum vmcb_field f)
{
	enum vmcb_clean bit = vmcb_fields[f].clean;

	if (bit == VMCB_CLEAN_NONE || !SVM_HAS(&x->caps, CLEAN) || !(VMCB_GET(now, CLEAN) >> bit & 1))
		return NULL;
	return !x->guest && vmcb_lies(&x->vmcb, &x->mem, f) ? "stale" : "yes";
}

static const char *vmcb_rows(void *owner, const char *arg, struct row_sink *k)
{
	struct svm *x = owner;
	enum vmcb_field only = *arg ? svm_field_named(arg) : VMCB_FIELDS;
	struct vmcb now;
	bool any = false;

	if (!svm_vmcb_now(x, &now))
		return NO_VMCB;
	x->log->watches = true; /* from now on exits keep what they left */
	for (unsigned g = 0; g < VMCB_GROUPS; g++)
		for (unsigned i = 0; i < VMCB_FIELDS; i++) {
			enum vmcb_field f = (enum vmcb_field)i;
			const struct vmcb_field_row *row = &vmcb_fields[f];
			const char *change = changed(x->log, &now, f), *clean = clean_text(x, &now, f);
			char bits[EXIT_TEXT];

			if (row->group != g || row->use == VMCB_NONE ||
			    !(only < VMCB_FIELDS ? f == only : wanted(arg, change, f)))
				continue;
			svm_field_text(&now, f, bits, sizeof(bits));
			k->row(k, (struct value[]){
				      V_STR(vmcb_group_names[g]), V_STR(row->id), V_HEX(row->at),
				      V_HEX(vmcb_get(&now, f)), V_BOOL(svm_field_counts(&x->caps, &now, f)),
				      change ? V_STR(change) : V_NONE, clean ? V_STR(clean) : V_NONE,
				      bits[0] ? V_STR(bits) : V_NONE, V_STR(row->meaning) });
			any = true;
		}
	return any || !strcmp(arg, "changed")
		   ? NULL
		   : "expected a field, a part of a group's name (intercepts, controls, registers ...) or changed";
}

const struct view view_vmcb = {
	.name = "vmcb",
	.help = "the current VMCB: fields by group, decoded; [FIELD, a part of a group's name, or changed]",
	VIEW_COLS(vmcb_cols),
	.rows = vmcb_rows,
	.words = "changed|intercepts|controls|interrupts|information|nested|segments|registers|MSRs",
};

/* ---- info svm-controls ---- */

static const struct view_col control_cols[] = {
	{ "word", "field", VAL_STR, "", "which field it is in" },
	{ "bit", "bit", VAL_UINT, "", "its place there" },
	{ "name", "control", VAL_STR, "", "as svm control takes it" },
	{ "on", "on", VAL_BOOL, "", "1 in the current VMCB" },
	{ "counts", "counts", VAL_BOOL, "", "the processor acts upon it" },
	{ "may", "may be", VAL_STR, "", "what the processor accepts: 0 or 1, 1, 0" },
	{ "help", "meaning", VAL_HELP, "", "what it does" },
};

static void intercept_row(const struct svm *x, const struct vmcb *v, unsigned code, struct row_sink *k)
{
	const struct svm_exit_row *row = svm_exit_row(code);
	bool on = vmcb_get_at(v, code / 32 * 4, 4) >> (code & 31) & 1;
	bool offered = row && svm_has(&x->caps, row->feature) && svm_slot_name(code);
	/* Of the sixteen registers of each kind: DR0 to DR7, CR0, CR2, CR3, CR4, CR8. */
	unsigned exist = code >= SVM_EXIT_DR_READ && code < SVM_EXIT_EXCEPTION ? 0xff : 0x11d;
	char name[48];

	if (!on && (!offered || (row->last - row->first == 15 && !(exist >> (code & 15) & 1))))
		return;
	snprintf(name, sizeof(name), "INTERCEPT_%s", svm_slot_name(code) ? svm_slot_name(code) : "?");
	k->row(k,
	       (struct value[]){ V_STR("intercepts"), V_UINT(code), V_STR(name), V_BOOL(on),
				 V_BOOL(offered == on || !on), V_STR(code == SVM_EXIT_VMRUN ? "1" : "0 or 1"),
				 V_STR(svm_slot_title(code) ? svm_slot_title(code) : "") });
}

static const char *control_rows(void *owner, const char *arg, struct row_sink *k)
{
	struct svm *x = owner;
	struct vmcb v;

	(void)arg;
	if (!svm_vmcb_now(x, &v))
		return NO_VMCB;
	for (unsigned i = 0; i < VMCB_CONTROLS; i++) {
		const struct vmcb_control_row *c = &vmcb_controls[i];
		bool on = vmcb_get(&v, c->field) >> c->first & 1, offered = svm_has(&x->caps, c->feature);

		if (c->first != c->last || c->field == VMCB_EVENT_INJECTION || (!offered && !on))
			continue;
		k->row(k, (struct value[]){ V_STR(vmcb_fields[c->field].name), V_UINT(c->first), V_STR(c->id),
					    V_BOOL(on), V_BOOL(offered), V_STR(offered ? "0 or 1" : "0"),
					    V_STR(c->name) });
	}
	for (unsigned code = 0; code < SVM_INTERCEPTS; code++)
		intercept_row(x, &v, code, k);
	return NULL;
}

const struct view view_svm_controls = {
	.name = "svm-controls",
	.help = "the controls and intercepts of the current VMCB, one by one (svm control flips them)",
	VIEW_COLS(control_cols),
	.rows = control_rows,
};

/* ---- info vmcb-check ---- */

static const struct view_col check_cols[] = {
	{ "check", "check", VAL_STR, "", "its name" },
	{ "group", "group", VAL_STR, "", "what it is about" },
	{ "section", "section", VAL_STR, "", "of the manual, APM volume 2" },
	{ "field", "field", VAL_STR, "", "that is named when it fails" },
	{ "value", "value", VAL_HEX, "", "of the field" },
	{ "verdict", "verdict", VAL_STR, "", "fails; with all: holds, or - (it does not apply)" },
	{ "rule", "required", VAL_HELP, "", "the rule" },
};

static const char *check_rows(void *owner, const char *arg, struct row_sink *k)
{
	static const char *const verdicts[] = { "-", "holds", "fails" };
	struct svm *x = owner;
	bool all = !strcmp(arg, "all"), fails = false;
	struct svm_checking c;
	struct vmcb v;

	if (*arg && !all)
		return "expected all or nothing";
	if (x->guest)
		return "the guest runs under it: the checks are about the processor outside guest mode";
	if (!svm_vmcb_now(x, &v))
		return NO_VMCB;
	if (x->ops && x->ops->refresh)
		x->ops->refresh(x);
	svm_checking_init(&c, x, &v);
	for (unsigned i = 0; i < SVM_CHECKS; i++) {
		enum svm_verdict verdict = svm_check_row(&c, (enum svm_check)i);
		const struct svm_check_row *row = &svm_check_rows[i];

		fails |= verdict == SVM_FAILS;
		if (all || verdict == SVM_FAILS)
			k->row(k, (struct value[]){ V_STR(row->id), V_STR(svm_check_group_names[row->group]),
						    V_STR(row->section), V_STR(vmcb_fields[row->field].id),
						    V_HEX(vmcb_get(&v, row->field)), V_STR(verdicts[verdict]),
						    V_STR(row->text) });
	}
	if (!fails)
		k->row(k, (struct value[]){ V_STR("all"), V_NONE, V_NONE, V_NONE, V_NONE, V_STR("hold"),
					    V_STR("VMRUN would enter the guest") });
	return NULL;
}

const struct view view_vmcb_check = {
	.name = "vmcb-check",
	.help = "which checks VMRUN of the current VMCB would fail now, with section and value; [all]",
	VIEW_COLS(check_cols),
	.rows = check_rows,
	.words = "all",
};

/* ---- info vmcb-list ---- */

static const struct view_col list_cols[] = {
	{ "address", "address", VAL_HEX, "", "physical address" },
	{ "current", "cur", VAL_BOOL, "", "the current one" },
	{ "kept", "kept", VAL_BOOL, "", "the processor has a copy, for clean bits" },
	{ "asid", "ASID", VAL_UINT, "", "in memory now" },
	{ "nested", "nCR3", VAL_HEX, "", "root of its nested page table, if it has one" },
	{ "entries", "entries", VAL_UINT, "", "VMRUNs that entered" },
	{ "exits", "exits", VAL_UINT, "", "#VMEXITs" },
	{ "last", "last exit", VAL_STR, "", "reason" },
};

static const char *list_rows(void *owner, const char *arg, struct row_sink *k)
{
	const struct svm *x = owner;
	const struct exit_log *l = &x->log->l;
	gpa current = svm_current(x);

	(void)arg;
	for (unsigned i = 0; i < l->nblocks; i++) {
		const struct exit_log_block *b = &l->block[i];
		unsigned slot = svm_exit_slot(b->code == UINT32_MAX ? SVM_EXIT_INVALID : b->code);
		const char *last = slot < SVM_SLOTS ? svm_slot_title(slot) : NULL;
		struct vmcb v;

		x->mem.read(x->mem.ctx, b->at, v.bytes, sizeof(v.bytes));
		k->row(k,
		       (struct value[]){ V_HEX(b->at), V_BOOL(b->at == current), V_BOOL(b->at == x->vmcb.at),
					 V_UINT(VMCB_GET(&v, ASID)),
					 VMCB_BITS(&v, NP_ENABLE) ? V_HEX(VMCB_GET(&v, NESTED_CR3)) : V_NONE,
					 V_UINT(b->entries), V_UINT(b->exits),
					 b->exits && last ? V_STR(last) : V_NONE });
	}
	return NULL;
}

const struct view view_vmcb_list = {
	.name = "vmcb-list",
	.help = "the VMCBs that were used, with their entries and exits",
	VIEW_COLS(list_cols),
	.rows = list_rows,
};
