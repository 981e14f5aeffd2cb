/* SPDX-License-Identifier: GPL-3.0-or-later
 * Controls of SVM by hand (x86/engine_virt.h), and the table of its views. */
#include "base/alloc.h"
#include "base/monotonic.h"
#include "svm/event.h"
#include "svm/exits.h"
#include "svm/intercept.h"
#include "svm/view/view_int.h"
#include "x86/state_text.h"

#include <stdlib.h>
#include <string.h>

static void changed(struct svm *x)
{
	if (x->ops && x->ops->changed)
		x->ops->changed(x);
}

/* ---- fields and controls ---- */

/* Write N bytes at AT of the current VMCB in memory, as its hypervisor does: with the clean bit of what it
 * writes cleared. In the processor's copy, too, for the guest that runs. */
static void write_bytes(struct svm *x, unsigned at, unsigned n, uint64_t value, enum vmcb_clean group)
{
	gpa block = svm_current(x);
	uint32_t clean;

	x->mem.write(x->mem.ctx, block + at, &value, n);
	if (group != VMCB_CLEAN_NONE) {
		x->mem.read(x->mem.ctx, block + VMCB_AT_CLEAN, &clean, sizeof(clean));
		clean &= ~(1u << group);
		x->mem.write(x->mem.ctx, block + VMCB_AT_CLEAN, &clean, sizeof(clean));
	}
	if (x->guest)
		vmcb_set_at(&x->vmcb, at, n, value);
	changed(x);
}

static const char *write_field(void *ctx, const char *name, uint64_t value)
{
	struct svm *x = ctx;
	enum vmcb_field f = svm_field_named(name);
	const struct vmcb_field_row *row = &vmcb_fields[f < VMCB_FIELDS ? f : 0];

	if (f == VMCB_FIELDS)
		return "no such field (info vmcb lists them)";
	if (svm_current(x) == VMCB_NOWHERE)
		return NO_VMCB;
	if (x->guest && (row->use == VMCB_BOTH || row->use == VMCB_OUT) && row->group != VMCB_GROUP_INTERRUPT)
		return "the guest runs: its state is the processor's, and the next exit overwrites the field";
	if (row->width < 8 && value >> (8 * row->width))
		return "the value is wider than the field";
	write_bytes(x, row->at, row->width, value, row->clean);
	return NULL;
}

/* The control called NAME: where it is. False: there is none. */
static bool find_control(const char *name, enum vmcb_field *field, unsigned *bit, enum svm_feature *feature)
{
	unsigned slot;

	for (unsigned i = 0; i < VMCB_CONTROLS; i++) {
		const struct vmcb_control_row *c = &vmcb_controls[i];

		if (c->first != c->last || c->field == VMCB_EVENT_INJECTION ||
		    !(text_same_name(name, c->id) || text_same_name(name, c->name)))
			continue;
		*field = c->field;
		*bit = c->first;
		*feature = c->feature;
		return true;
	}
	if (!strncasecmp(name, "INTERCEPT", 9) && name[9])
		name += 10;
	slot = svm_slot_named(name);
	if (slot >= SVM_INTERCEPTS || !svm_slot_name(slot))
		return false;
	*field = (enum vmcb_field)(VMCB_INTERCEPT_CR + slot / 32);
	*bit = slot % 32;
	*feature = svm_exit_row(slot)->feature;
	return true;
}

static const char *flip(void *ctx, const char *name, int on, bool *now)
{
	const struct vmcb_field_row *row;
	enum svm_feature feature;
	enum vmcb_field field;
	struct svm *x = ctx;
	struct vmcb v;
	uint64_t word;
	unsigned bit;
	bool set;

	if (!find_control(name, &field, &bit, &feature))
		return "no such control (info svm-controls lists them)";
	if (!svm_vmcb_now(x, &v))
		return NO_VMCB;
	word = vmcb_get(&v, field);
	set = on < 0 ? !(word >> bit & 1) : on;
	if (set && !svm_has(&x->caps, feature))
		return "this processor does not have it";
	if (!set && field == VMCB_INTERCEPT_4 && bit == (SVM_EXIT_VMRUN & 31))
		return "VMRUN must be intercepted; the next VMRUN would fail";
	word = set ? word | 1ull << bit : word & ~(1ull << bit);
	row = &vmcb_fields[field];
	write_bytes(x, row->at, row->width, word, row->clean);
	*now = set;
	return NULL;
}

/* ---- exits ---- */

static const char *steer(void *ctx, const char *name, enum engine_steering how)
{
	struct svm *x = ctx;
	unsigned slot;

	if (how == ENGINE_STEER_DEFAULT && text_same_name(name, "all")) {
		memset(&x->steer.how, SVM_AS_INTERCEPTED, sizeof(x->steer.how));
	} else {
		slot = svm_slot_named(name);
		if (slot == SVM_SLOTS)
			return "no such #VMEXIT (help svm)";
		if (!svm_steerable(x, svm_slot_code(slot)))
			return "exits with this code can be neither forced nor suppressed";
		x->steer.how[slot] = how == ENGINE_STEER_FORCE	    ? SVM_FORCED
				     : how == ENGINE_STEER_SUPPRESS ? SVM_SUPPRESSED
								    : SVM_AS_INTERCEPTED;
	}
	x->steer.any = false;
	for (unsigned i = 0; i < ARRAY_LEN(x->steer.how); i++)
		x->steer.any |= x->steer.how[i] != SVM_AS_INTERCEPTED;
	changed(x);
	return NULL;
}

static const char *inject(void *ctx, const struct engine_injected *e)
{
	static const enum svm_event_type types[] = {
		[ENGINE_INJECT_INTERRUPT] = SVM_EVENT_INTR,
		[ENGINE_INJECT_NMI] = SVM_EVENT_NMI,
		[ENGINE_INJECT_EXCEPTION] = SVM_EVENT_EXCEPTION,
		[ENGINE_INJECT_INT] = SVM_EVENT_INT_N,
	};
	struct svm *x = ctx;
	struct svm_event event;

	if (!e) {
		x->steer.event = 0;
		return NULL;
	}
	if (e->type == ENGINE_INJECT_EXCEPTION && e->vector >= EXC_VECTORS)
		return "an exception has a vector below 32";
	if (e->type == ENGINE_INJECT_EXCEPTION && e->vector == EXC_NMI)
		return "vector 2 is the NMI's";
	event = (struct svm_event){ .type = types[e->type], .vector = e->vector };
	if (e->type == ENGINE_INJECT_NMI)
		event.vector = EXC_NMI;
	event.has_error = e->type == ENGINE_INJECT_EXCEPTION && exc_in(EXC_SET_ERROR_CODE, e->vector);
	if (e->has_error && !event.has_error)
		return "this event has no error code";
	event.error = e->has_error ? e->error : 0;
	x->steer.event = svm_event_info(&event);
	return NULL;
}

static const char *step(void *ctx, bool on)
{
	(void)ctx;
	(void)on;
	return "SVM has no monitor trap flag; in guest mode stepi steps the guest";
}

static void reset(void *ctx)
{
	struct svm *x = ctx;

	svm_log_reset(x->log);
	x->log->l.since = monotonic_ns();
}

/* By #VMEXIT code. */
static const char *reason_name(void *ctx, uint32_t n)
{
	unsigned slot = svm_exit_slot(n);
	const char *name = slot < SVM_SLOT_INVALID ? svm_slot_name(slot) : NULL;

	(void)ctx;
	if (n > SVM_EXIT_VMGEXIT)
		return NULL;
	return name ? name : "";
}

static const char *failure_name(void *ctx, uint32_t n)
{
	(void)ctx;
	return n < SVM_CHECKS ? svm_check_rows[n].id : NULL;
}

static void failure_text(void *ctx, char *buf, size_t len)
{
	svm_failure_text(&((struct svm *)ctx)->log->failure, buf, len);
}

static const struct engine_virt_ops ops = {
	.write = write_field,
	.control = flip,
	.steer = steer,
	.inject = inject,
	.step = step,
	.reset = reset,
	.reason_name = reason_name,
	.failure_name = failure_name,
	.failure_text = failure_text,
	.take = svm_log_take,
};

/* ---- making it ---- */

const struct view *const svm_views[] = {
	&view_svm,  &view_vmcb, &view_svm_controls, &view_vmcb_check, &view_vmcb_list, &view_npt, &view_msrpm,
	&view_iopm, NULL,
};

struct controls {
	struct engine_virt virt;
	struct svm_log log;
	struct exit_show exits;
};

const struct engine_virt *svm_controls_new(struct svm *x)
{
	struct controls *c = xcalloc(1, sizeof(*c));

	c->exits = (struct exit_show){ &c->log.l, &svm_exit_texts, x };
	c->virt = (struct engine_virt){ .name = "SVM",
					.record = "VMCB",
					.info = "EXITINFO1",
					.ops = &ops,
					.views = svm_views,
					.ctx = x,
					.exit_views = exit_views,
					.exits = &c->exits };
	x->log = &c->log;
	reset(x);
	return &c->virt;
}

void svm_controls_free(const struct engine_virt *v)
{
	if (!v)
		return;
	((struct svm *)v->ctx)->log = NULL;
	free((struct controls *)(void *)(uintptr_t)v);
}
