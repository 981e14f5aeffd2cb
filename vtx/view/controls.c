/* SPDX-License-Identifier: GPL-3.0-or-later
 * Controls of VMX by hand (x86/engine_virt.h), and the table of its views. */
#include "base/alloc.h"
#include "base/monotonic.h"
#include "vtx/bits.h"
#include "vtx/event.h"
#include "vtx/intercept.h"
#include "vtx/view/view_int.h"
#include "x86/state_text.h"

#include <stdlib.h>
#include <string.h>

static void changed(struct vmx *x)
{
	if (x->ops && x->ops->changed)
		x->ops->changed(x);
}

/* ---- fields and controls ---- */

/* Is NAME the encoding of the high half of a field? */
static bool is_high(const char *name)
{
	char *end;
	unsigned long encoding = strtoul(name, &end, 0);

	return end != name && !*end && encoding & VMCS_HIGH;
}

static const char *write_field(void *ctx, const char *name, uint64_t value)
{
	struct vmx *x = ctx;
	bool high = is_high(name), wide = x->caps.model.long_mode;
	enum vmcs_field f = vmx_field_named(name);
	uint64_t *at;

	if (x->vmcs.at == VMCS_NONE)
		return NO_VMCS;
	if (f == VMCS_NO_FIELD || !vmx_has_field(&x->caps, f))
		return "this processor has no such field (info vmcs lists them)";
	if (x->guest && vmcs_encoding_type(vmcs_fields[f].encoding) == VMCS_GUEST)
		return "the guest runs: its state is the processor's, and the next exit overwrites the field";
	if (high && value > UINT32_MAX)
		return "the value is wider than half a field";
	if (!high && value & ~vmcs_mask(f, wide))
		return "the value is wider than the field";
	at = &x->vmcs.r.value[f];
	x->vmcs.checked = false;
	*at = high ? (uint32_t)*at | value << 32 : value;
	changed(x);
	return NULL;
}

static const char *flip(void *ctx, const char *name, int on, bool *now)
{
	struct vmx *x = ctx;
	unsigned i = 0;
	uint64_t *word;
	bool set;

	while (i < VMX_CONTROLS && !text_same_name(name, vmx_controls[i].id) &&
	       !text_same_name(name, vmx_controls[i].name))
		i++;
	if (i == VMX_CONTROLS)
		return "no such control (info vmx-controls lists them)";
	if (x->vmcs.at == VMCS_NONE)
		return NO_VMCS;
	word = &x->vmcs.r.value[vmx_words[vmx_controls[i].word].field];
	x->vmcs.checked = false;
	set = on < 0 ? !(*word >> vmx_controls[i].bit & 1) : on;
	if (set && !vmx_offers(&x->caps, (enum vmx_control)i))
		return "this processor does not offer it; the next VM entry would fail";
	if (!set && x->caps.word[vmx_controls[i].word].true_must >> vmx_controls[i].bit & 1)
		return "it must be 1 on this processor; the next VM entry would fail";
	*word = set ? *word | vmx_bit((enum vmx_control)i) : *word & ~vmx_bit((enum vmx_control)i);
	*now = set;
	changed(x);
	return NULL;
}

/* ---- exits ---- */

static const char *steer(void *ctx, const char *name, enum engine_steering how)
{
	struct vmx *x = ctx;
	unsigned reason;

	if (how == ENGINE_STEER_DEFAULT && text_same_name(name, "all")) {
		memset(x->steer.how, VMX_AS_CONTROLLED, sizeof(x->steer.how));
		changed(x);
		return NULL;
	}
	reason = vmx_reason_named(name);
	if (reason == VMX_REASONS)
		return "no such exit reason (help vmx)";
	if (!vmx_steerable((enum vmx_reason)reason))
		return "exits for this reason can be neither forced nor suppressed";
	x->steer.how[reason] = how == ENGINE_STEER_FORCE      ? VMX_FORCED
			       : how == ENGINE_STEER_SUPPRESS ? VMX_SUPPRESSED
							      : VMX_AS_CONTROLLED;
	changed(x);
	return NULL;
}

static const char *inject(void *ctx, const struct engine_injected *e)
{
	static const enum vmx_event_type types[] = {
		[ENGINE_INJECT_INTERRUPT] = VMX_EVENT_EXTERNAL,
		[ENGINE_INJECT_NMI] = VMX_EVENT_NMI,
		[ENGINE_INJECT_EXCEPTION] = VMX_EVENT_EXCEPTION,
		[ENGINE_INJECT_INT] = VMX_EVENT_INT_N,
	};
	struct vmx *x = ctx;
	struct vmx_event event;

	if (!e) {
		x->steer.event = 0;
		return NULL;
	}
	if (e->type == ENGINE_INJECT_EXCEPTION && e->vector >= EXC_VECTORS)
		return "an exception has a vector below 32";
	if (e->type == ENGINE_INJECT_EXCEPTION && e->vector == EXC_NMI)
		return "vector 2 is the NMI's";
	event = (struct vmx_event){ .type = types[e->type], .vector = e->vector };
	if (e->type == ENGINE_INJECT_NMI)
		event.vector = EXC_NMI;
	event.has_error = e->type == ENGINE_INJECT_EXCEPTION && exc_in(EXC_SET_ERROR_CODE, e->vector);
	if (e->has_error && !event.has_error)
		return "this event has no error code";
	x->steer.event = vmx_event_info(&event);
	x->steer.event_error = e->has_error ? e->error : 0;
	x->steer.event_length = e->type == ENGINE_INJECT_INT ? 2 : 0;
	return NULL;
}

static const char *step(void *ctx, bool on)
{
	struct vmx *x = ctx;

	if (on && !vmx_offers(&x->caps, VMX_PROC_MONITOR_TRAP_FLAG))
		return "this processor has no monitor trap flag";
	x->steer.step = on;
	changed(x);
	return NULL;
}

static void reset(void *ctx)
{
	struct vmx *x = ctx;

	vmx_log_reset(x->log);
	x->log->l.since = monotonic_ns();
}

static const char *reason_name(void *ctx, uint32_t n)
{
	(void)ctx;
	if (n >= VMX_REASONS)
		return NULL;
	return vmx_reasons[n].id ? vmx_reasons[n].id : "";
}

/* They have VM-instruction errors and exit reasons, which overlap. */
static const char *failure_name(void *ctx, uint32_t n)
{
	(void)ctx;
	(void)n;
	return NULL;
}

static void failure_text(void *ctx, char *buf, size_t len)
{
	vmx_failure_text(&((struct vmx *)ctx)->log->failure, buf, len);
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
	.take = vmx_log_take,
};

/* ---- making it ---- */

const struct view *const vmx_views[] = {
	&view_vmx,	  &view_vmcs,	   &view_vmx_controls,
	&view_vmcs_check, &view_vmcs_list, &view_ept,
	&view_msr_bitmap, &view_io_bitmap, NULL,
};

struct controls {
	struct engine_virt virt;
	struct vmx_log log;
	struct exit_show exits;
};

const struct engine_virt *vmx_controls_new(struct vmx *x)
{
	struct controls *c = xcalloc(1, sizeof(*c));

	c->exits = (struct exit_show){ &c->log.l, &vmx_exit_texts, x };
	c->virt = (struct engine_virt){ .name = "VMX",
					.record = "VMCS",
					.info = "qualification",
					.ops = &ops,
					.views = vmx_views,
					.ctx = x,
					.exit_views = exit_views,
					.exits = &c->exits };
	x->log = &c->log;
	reset(x);
	return &c->virt;
}

void vmx_controls_free(const struct engine_virt *v)
{
	if (!v)
		return;
	((struct vmx *)v->ctx)->log = NULL;
	free((struct controls *)(void *)(uintptr_t)v);
}
