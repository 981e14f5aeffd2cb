/* SPDX-License-Identifier: GPL-3.0-or-later
 * #VMEXITs in words, and the state of SVM. */
#include "base/words.h"
#include "svm/bits.h"
#include "svm/interrupt.h"
#include "svm/view/view_int.h"

#include <stdio.h>

/* ---- exits, for the views that VMX and SVM share ---- */

static uint32_t number_of(unsigned slot)
{
	return (uint32_t)svm_slot_code(slot);
}

static enum engine_steering steered(const void *ctx, unsigned slot)
{
	const struct svm *x = ctx;
	uint8_t how = slot < ARRAY_LEN(x->steer.how) ? x->steer.how[slot] : SVM_AS_INTERCEPTED;

	return how == SVM_FORCED       ? ENGINE_STEER_FORCE
	       : how == SVM_SUPPRESSED ? ENGINE_STEER_SUPPRESS
				       : ENGINE_STEER_DEFAULT;
}

const struct exit_texts svm_exit_texts = {
	.slots = SVM_SLOTS,
	.name = svm_slot_name,
	.title = svm_slot_title,
	.number = number_of,
	.text = svm_exit_text,
	.steered = steered,
};

/* ---- info svm ---- */

static const struct view_col svm_cols[] = {
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

static void say_features(const struct svm *x, struct row_sink *k)
{
	char text[EXIT_TEXT];
	struct words w = words_in(text, sizeof(text));

	for (unsigned i = 0; i < SVM_FEATURES; i++)
		if (svm_has(&x->caps, (enum svm_feature)i))
			words_put(&w, "%s", svm_features[i].id);
	say(k, "features", text);
	say_number(k, "ASIDs", "%llu", x->caps.model.asids);
}

static void say_steering(const struct svm *x, struct row_sink *k)
{
	struct exit_show show = { &x->log->l, &svm_exit_texts, x };
	char text[EXIT_TEXT];

	exit_steered_text(&show, text, sizeof(text));
	say(k, "exits changed", text[0] ? text : "none");
	svm_event_text(x->steer.event, text, sizeof(text));
	say(k, "to inject", text[0] ? text : "nothing");
}

static const char *svm_rows(void *owner, const char *arg, struct row_sink *k)
{
	const struct svm *x = owner;
	const struct svm_log *l = x->log;
	char text[EXIT_TEXT];

	(void)arg;
	say(k, "extension", "SVM");
	say(k, "operation",
	    x->shutdown ? "shut down: a #VMEXIT could not load the host's state"
	    : x->guest	? "guest: between VMRUN and #VMEXIT"
			: "host");
	if (svm_current(x) == VMCB_NOWHERE)
		say(k, "current VMCB", "none");
	else
		say_number(k, "current VMCB", "0x%llx", svm_current(x));
	say_number(k, "failed entries", "%llu", l->failure.count);
	svm_failure_text(&l->failure, text, sizeof(text));
	say(k, "last failure", text[0] ? text : "none");
	say_number(k, "entries", "%llu", l->l.entries);
	say_number(k, "exits", "%llu", l->l.exits);
	say(k, "GIF", svm_gif(x) ? "1" : "0: interrupts and NMIs are held");
	say_number(k, "host save area", "0x%llx", x->hsave);
	say_number(k, "VM_CR", "0x%llx", x->vm_cr);
	if (x->tsc_ratio != TSC_RATIO_ONE)
		say_number(k, "TSC ratio", "0x%llx", x->tsc_ratio);
	say_features(x, k);
	say_steering(x, k);
	return NULL;
}

const struct view view_svm = {
	.name = "svm",
	.help = "SVM: where the processor is, counts, the last VMRUN that failed, what was changed by hand",
	VIEW_COLS(svm_cols),
	.rows = svm_rows,
	.flags = VIEW_LIVE,
};
