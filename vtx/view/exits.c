/* SPDX-License-Identifier: GPL-3.0-or-later
 * VM exits in words, and the state of VMX operation. */
#include "vtx/bits.h"
#include "vtx/view/view_int.h"

#include <stdio.h>

/* ---- exits, for the views that VMX and SVM share ---- */

static const char *name_of(unsigned reason)
{
	return vmx_reasons[reason].name ? vmx_reasons[reason].id : NULL;
}

static const char *title_of(unsigned reason)
{
	return vmx_reasons[reason].name;
}

static uint32_t number_of(unsigned reason)
{
	return reason;
}

static enum engine_steering steered(const void *ctx, unsigned reason)
{
	uint8_t how = ((const struct vmx *)ctx)->steer.how[reason];

	return how == VMX_FORCED       ? ENGINE_STEER_FORCE
	       : how == VMX_SUPPRESSED ? ENGINE_STEER_SUPPRESS
				       : ENGINE_STEER_DEFAULT;
}

const struct exit_texts vmx_exit_texts = {
	.slots = VMX_REASONS,
	.name = name_of,
	.title = title_of,
	.number = number_of,
	.text = vmx_exit_text,
	.steered = steered,
};

/* ---- info vmx ---- */

static const struct view_col vmx_cols[] = {
	{ "name", "name", VAL_STR, "", "what" },
	{ "value", "value", VAL_STR, "", "its state" },
};

static void say(struct row_sink *k, const char *name, const char *value)
{
	k->row(k, (struct value[]){ V_STR(name), V_STR(value) });
}

static void say_number(struct row_sink *k, const char *name, const char *fmt, uint64_t n)
    __attribute__((format(printf, 3, 0)));
static void say_number(struct row_sink *k, const char *name, const char *fmt, uint64_t n)
{
	char text[40];

	snprintf(text, sizeof(text), fmt, (unsigned long long)n);
	say(k, name, text);
}

static void say_steering(const struct vmx *x, struct row_sink *k)
{
	struct exit_show show = { &x->log->l, &vmx_exit_texts, x };
	char text[DECODE_TEXT];

	exit_steered_text(&show, text, sizeof(text));
	say(k, "exits changed", text[0] ? text : "none");
	vmx_event_text(x->steer.event, text, sizeof(text));
	say(k, "to inject", text[0] ? text : "nothing");
	say(k, "step", x->steer.step ? "an exit follows the guest's next instruction" : "no");
}

static const char *vmx_rows(void *owner, const char *arg, struct row_sink *k)
{
	static const char *const generations[] = { "early", "nehalem", "haswell", "all" };
	const struct vmx *x = owner;
	const struct vmx_log *l = x->log;
	char text[DECODE_TEXT];

	(void)arg;
	say(k, "extension", "VMX");
	say(k, "operation",
	    x->aborted ? "shut down by a VMX abort"
	    : x->guest ? "non-root: the guest runs, guest fields are those of the last exit or entry"
	    : x->on    ? "root"
		       : "off");
	if (x->vmcs.at == VMCS_NONE)
		say(k, "current VMCS", "none");
	else
		say_number(k, "current VMCS", "0x%llx", x->vmcs.at);
	say_number(k, "failed entries", "%llu", l->failure.count);
	vmx_failure_text(&l->failure, text, sizeof(text));
	say(k, "last failure", text[0] ? text : "none");
	say_number(k, "entries", "%llu", l->l.entries);
	say_number(k, "exits", "%llu", l->l.exits);
	if (x->on)
		say_number(k, "VMXON region", "0x%llx", x->vmxon);
	if (x->caps.model.generation < ARRAY_LEN(generations))
		say(k, "model", generations[x->caps.model.generation]);
	say(k, "enabled",
	    (x->feature_control & (FEATURE_CONTROL_LOCK | FEATURE_CONTROL_VMX)) ==
		    (FEATURE_CONTROL_LOCK | FEATURE_CONTROL_VMX)
		? "yes"
		: "not by IA32_FEATURE_CONTROL (yet)");
	say_steering(x, k);
	return NULL;
}

const struct view view_vmx = {
	.name = "vmx",
	.help =
	    "VMX operation: where the processor is, counts, the last entry that failed, what was changed by hand",
	VIEW_COLS(vmx_cols),
	.rows = vmx_rows,
	.flags = VIEW_LIVE,
};
