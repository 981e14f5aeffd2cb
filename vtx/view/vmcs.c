/* SPDX-License-Identifier: GPL-3.0-or-later
 * Views of the VMCS: its fields, its controls one by one, which checks of a VM entry it would fail, and the
 * VMCSs that were used. */
#include "vtx/checks.h"
#include "vtx/view/view_int.h"

#include <stdio.h>
#include <string.h>

/* ---- info vmcs ---- */

static const struct view_col vmcs_cols[] = {
	{ "group", "group", VAL_STR, "", "as the manual groups fields" },
	{ "field", "field", VAL_STR, "", "name, as vmwrite takes it" },
	{ "encoding", "code", VAL_HEX, "", "encoding, as VMREAD takes it" },
	{ "value", "value", VAL_HEX, "", "in the processor's copy" },
	{ "counts", "counts", VAL_BOOL, "", "a control that is 1 makes it count" },
	{ "changed", "changed", VAL_STR, "",
	  "exit: the last VM exit left another value than the one before; write: it was written since" },
	{ "bits", "bits", VAL_FLAGS, "", "the value, decoded" },
	{ "help", "meaning", VAL_HELP, "", "one line" },
};

/* How F differs from what the last exits left of this VMCS. */
static const char *changed(const struct vmx *x, enum vmcs_field f)
{
	const struct vmx_log *l = x->log;
	const uint64_t *last = l->snapshot[l->newest], *before = l->snapshot[l->newest ^ 1];

	if (l->seen && l->snapshot_at[l->newest] == x->vmcs.at && x->vmcs.r.value[f] != last[f])
		return "write";
	if (l->seen == 2 && l->snapshot_at[0] == x->vmcs.at && l->snapshot_at[1] == x->vmcs.at &&
	    last[f] != before[f])
		return "exit";
	return NULL;
}

/* Does ARG, a part of a field's or of a group's name, or "changed", choose this row? */
static bool wanted(const char *arg, const char *change, enum vmcs_field f)
{
	const struct vmcs_field_row *row = &vmcs_fields[f];
	size_t n = strlen(arg);

	if (!n)
		return true;
	if (!strcmp(arg, "changed"))
		return change != NULL;
	for (const char *p = vmcs_group_names[row->group]; *p; p++)
		if (!strncasecmp(p, arg, n))
			return true;
	return false;
}

static void vmcs_row(const struct vmx *x, enum vmcs_field f, const char *change, struct row_sink *k)
{
	const struct vmcs_field_row *row = &vmcs_fields[f];
	uint64_t value = x->vmcs.r.value[f];
	char bits[DECODE_TEXT];

	vmx_field_text(&x->vmcs.r, f, value, bits, sizeof(bits));
	k->row(k, (struct value[]){ V_STR(vmcs_group_names[row->group]), V_STR(row->id), V_HEX(row->encoding),
				    V_HEX(value), V_BOOL(vmcs_counts(&x->vmcs.r, f)),
				    change ? V_STR(change) : V_NONE, bits[0] ? V_STR(bits) : V_NONE,
				    V_STR(row->meaning) });
}

static const char *vmcs_rows(void *owner, const char *arg, struct row_sink *k)
{
	struct vmx *x = owner;
	enum vmcs_field only = vmx_field_named(arg);
	bool any = false;

	if (x->vmcs.at == VMCS_NONE)
		return NO_VMCS;
	x->log->watches = true; /* from now on exits keep what they left */
	for (unsigned g = 0; g < VMCS_GROUPS; g++)
		for (unsigned i = 0; i < VMCS_FIELDS; i++) {
			enum vmcs_field f = (enum vmcs_field)i;
			const char *change = changed(x, f);

			if (vmcs_fields[f].group != g || !vmx_has_field(&x->caps, f) ||
			    !(only < VMCS_NO_FIELD ? f == only : wanted(arg, change, f)))
				continue;
			vmcs_row(x, f, change, k);
			any = true;
		}
	return any || !strcmp(arg, "changed")
		   ? NULL
		   : "expected a field, a word of a group (guest, host, execution, entry ...) or changed";
}

const struct view view_vmcs = {
	.name = "vmcs",
	.help = "the current VMCS: fields by group, decoded; [FIELD, a word of a group, or changed]",
	VIEW_COLS(vmcs_cols),
	.rows = vmcs_rows,
	.words = "changed|guest|host|execution|exit|entry|information|registers|segments|MSRs",
};

/* ---- info vmx-controls ---- */

static const struct view_col control_cols[] = {
	{ "word", "word", VAL_STR, "", "which controls" },
	{ "bit", "bit", VAL_UINT, "", "its place in the word" },
	{ "name", "control", VAL_STR, "", "as vmx control takes it" },
	{ "on", "on", VAL_BOOL, "", "1 in the current VMCS" },
	{ "counts", "counts", VAL_BOOL, "", "the word is activated" },
	{ "may", "may be", VAL_STR, "", "what the processor accepts: 0 or 1, 1, 0" },
	{ "help", "meaning", VAL_HELP, "", "name in the manual" },
};

static const char *control_rows(void *owner, const char *arg, struct row_sink *k)
{
	const struct vmx *x = owner;

	(void)arg;
	if (x->vmcs.at == VMCS_NONE)
		return NO_VMCS;
	for (unsigned i = 0; i < VMX_CONTROLS; i++) {
		const struct vmx_control_row *c = &vmx_controls[i];
		bool on = x->vmcs.r.value[vmx_words[c->word].field] >> c->bit & 1;
		bool offered = vmx_offers(&x->caps, (enum vmx_control)i);
		bool must = x->caps.word[c->word].true_must >> c->bit & 1;

		if (!offered && !on)
			continue;
		k->row(k, (struct value[]){ V_STR(vmx_words[c->word].name), V_UINT(c->bit), V_STR(c->id),
					    V_BOOL(on), V_BOOL(vmx_on(&x->vmcs.r, (enum vmx_control)i) == on),
					    V_STR(must	    ? "1"
						  : offered ? "0 or 1"
							    : "0"),
					    V_STR(c->name) });
	}
	return NULL;
}

const struct view view_vmx_controls = {
	.name = "vmx-controls",
	.help = "the controls of the current VMCS, one by one (vmx control flips them)",
	VIEW_COLS(control_cols),
	.rows = control_rows,
};

/* ---- info vmcs-check ---- */

static const struct view_col check_cols[] = {
	{ "check", "check", VAL_STR, "", "its name" },
	{ "group", "group", VAL_STR, "", "what it is about" },
	{ "section", "section", VAL_STR, "", "of the manual, volume 3C" },
	{ "field", "field", VAL_STR, "", "that is named when it fails" },
	{ "value", "value", VAL_HEX, "", "of the field" },
	{ "verdict", "verdict", VAL_STR, "", "fails; with all: holds, or - (it does not apply)" },
	{ "result", "as", VAL_STR, "",
	  "how the entry would fail: VM-instruction error N, exit reason 33 or 34" },
	{ "rule", "required", VAL_HELP, "", "the rule" },
};

static void check_row(const struct vmx_checking *c, enum vmx_check i, enum vmx_verdict v, struct row_sink *k)
{
	static const char *const verdicts[] = { "-", "holds", "fails" };
	const struct vmx_check_row *row = &vmx_check_rows[i];
	const struct vmx_check_group_row *g = &vmx_check_groups[row->group];
	char as[32];

	snprintf(as, sizeof(as), g->error ? "error %u" : "exit %u",
		 g->error ? (unsigned)g->error : (unsigned)VMX_REASON_ENTRY_GUEST_STATE);
	k->row(k, (struct value[]){ V_STR(row->id), V_STR(g->name), V_STR(row->section),
				    V_STR(vmcs_fields[row->field].id), V_HEX(c->r->value[row->field]),
				    V_STR(verdicts[v]), V_STR(as), V_STR(row->text) });
}

static bool msr_row(const struct vmx *x, struct row_sink *k)
{
	struct vmx_msr_failure f = vmx_msrs_would_fail(x);
	const struct vmx_msr_check_row *row = &vmx_msr_check_rows[f.number ? f.row : 0];
	char msr[32];

	if (!f.number)
		return false;
	snprintf(msr, sizeof(msr), "MSR 0x%x (entry %u)", f.index, f.number);
	k->row(k,
	       (struct value[]){ V_STR(row->id), V_STR("VM-entry MSR load"), V_STR(row->section), V_STR(msr),
				 V_HEX(f.value), V_STR("fails"), V_STR("exit 34"), V_STR(row->text) });
	return true;
}

static const char *check_rows(void *owner, const char *arg, struct row_sink *k)
{
	const struct vmx *x = owner;
	bool all = !strcmp(arg, "all"), fails = false;
	struct vmx_checking c;

	if (*arg && !all)
		return "expected all or nothing";
	if (x->vmcs.at == VMCS_NONE)
		return NO_VMCS;
	if (x->guest)
		return "the guest runs under it: the checks are about the processor in root operation";
	vmx_refresh(owner);
	vmx_checking_init(&c, x, &x->vmcs);
	for (unsigned i = 0; i < VMX_CHECKS; i++) {
		enum vmx_verdict v = vmx_check_row(&c, (enum vmx_check)i);

		fails |= v == VMX_FAILS;
		if (all || v == VMX_FAILS)
			check_row(&c, (enum vmx_check)i, v, k);
	}
	if (!fails)
		fails = msr_row(x, k);
	if (!fails)
		k->row(k, (struct value[]){ V_STR("all"), V_NONE, V_NONE, V_NONE, V_NONE, V_STR("hold"),
					    V_NONE, V_STR("a VM entry would succeed") });
	return NULL;
}

const struct view view_vmcs_check = {
	.name = "vmcs-check",
	.help = "which checks a VM entry with the current VMCS would fail now, with section and value; [all]",
	VIEW_COLS(check_cols),
	.rows = check_rows,
	.words = "all",
};

/* ---- info vmcs-list ---- */

static const struct view_col list_cols[] = {
	{ "address", "address", VAL_HEX, "", "physical address of the region" },
	{ "current", "cur", VAL_BOOL, "", "the current one" },
	{ "state", "state", VAL_STR, "", "launch state, and shadow" },
	{ "revision", "revision", VAL_HEX, "", "revision identifier" },
	{ "entries", "entries", VAL_UINT, "", "VM entries with it" },
	{ "exits", "exits", VAL_UINT, "", "VM exits" },
	{ "last", "last exit", VAL_STR, "", "reason" },
	{ "abort", "abort", VAL_UINT, "", "VMX-abort indicator" },
};

static const char *list_rows(void *owner, const char *arg, struct row_sink *k)
{
	const struct vmx *x = owner;
	const struct exit_log *l = &x->log->l;
	bool listed = false;

	(void)arg;
	for (unsigned i = 0; i <= l->nblocks; i++) {
		struct exit_log_block v = { .at = x->vmcs.at };
		struct {
			uint32_t revision, abort, launch, vmxon;
		} head;
		bool current;
		char reason[80];

		if (i < l->nblocks)
			v = l->block[i];
		else if (listed || v.at == VMCS_NONE)
			continue;
		current = v.at == x->vmcs.at;
		listed |= current;
		x->mem.read(x->mem.ctx, v.at, &head, sizeof(head));
		if (current) {
			head.revision = x->vmcs.r.revision;
			head.launch = x->vmcs.r.launch;
		}
		k->row(k,
		       (struct value[]){
			   V_HEX(v.at), V_BOOL(current),
			   V_STR(head.revision & VMCS_SHADOW	   ? "shadow"
				 : (head.revision ^ VMCS_REVISION) ? "not a VMCS any more"
				 : head.launch == VMCS_LAUNCHED	   ? "launched"
								   : "clear"),
			   V_HEX(head.revision & ~VMCS_SHADOW), V_UINT(v.entries), V_UINT(v.exits),
			   v.exits ? V_STR(vmx_reason_text(v.code, reason, sizeof(reason))) : V_NONE,
			   head.abort && (head.revision & ~VMCS_SHADOW) == VMCS_REVISION ? V_UINT(head.abort)
											 : V_NONE });
	}
	return NULL;
}

const struct view view_vmcs_list = {
	.name = "vmcs-list",
	.help = "the VMCSs that were used, with their launch state, entries and exits",
	VIEW_COLS(list_cols),
	.rows = list_rows,
};
