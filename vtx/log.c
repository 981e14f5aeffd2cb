/* SPDX-License-Identifier: GPL-3.0-or-later
 * See vtx/log.h. */
#include "vtx/log.h"
#include "base/gpr.h"
#include "base/log.h"

_Static_assert((int)VMX_REASONS <= (int)EXIT_LOG_SLOTS, "a slot for each reason");
_Static_assert((int)VMX_STEERED >= (int)VMX_REASONS, "a person can decide about every exit reason");

void vmx_log_reset(struct vmx_log *l)
{
	gpr_zero(l, sizeof(*l));
	l->failure.check = VMX_CHECKS;
}

static uint64_t pc_of(const struct vmx *x)
{
	return x->s.rip + (vmx_mode64(&x->s) ? 0 : x->s.seg[SEG_CS].base);
}

static void add(struct vmx *x, const struct vmx_exit *e, uint64_t pc, uint64_t guest)
{
	uint32_t basic = e->reason & 0xffff;
	struct exit_log_exit *to =
	    exit_log_add(&x->log->l, e->reason, basic < VMX_REASONS ? basic : EXIT_LOG_SLOTS, pc, x->vmcs.at,
			 e->qualification, guest);

	to->info[1] = e->linear;
	to->info[2] = e->physical;
	to->event = e->event;
	to->event_error = e->event_error;
	to->vectoring = e->vectoring;
}

void vmx_log_exit(struct vmx *x, const struct vmx_exit *e, uint64_t now)
{
	struct vmx_log *log = x->log;
	uint64_t pc;

	if (!log)
		return;
	pc = pc_of(x);
	add(x, e, pc, log->l.turned ? now - log->l.turned : 0);
	log->l.turned = now;
	exit_log_hit(&log->l, ENGINE_EV_EXIT, e->reason & 0xffff, e->qualification, pc);
}

void vmx_log_left(struct vmx *x)
{
	struct vmx_log *l = x->log;

	if (!l || !l->watches)
		return;
	l->newest ^= 1;
	l->seen += l->seen < 2;
	l->snapshot_at[l->newest] = x->vmcs.at;
	gpr_copy(l->snapshot[l->newest], x->vmcs.r.value, sizeof(l->snapshot[0]));
}

void vmx_log_entered(struct vmx *x, uint64_t now)
{
	if (x->log)
		exit_log_entered(&x->log->l, x->vmcs.at, now);
}

/* ---- entries that fail ---- */

static void say(const struct vmx_log_failure *f)
{
	if (f->check < VMX_CHECKS)
		LOG(vmx, "VM entry failed: " VMX_FAILED_CHECK, VMX_FAILED_CHECK_ARGS(f));
	else if (f->msr.number)
		LOG(vmx, "VM entry failed: " VMX_FAILED_MSR, VMX_FAILED_MSR_ARGS(f));
	else
		LOG(vmx, "VM entry failed: %s", vmx_error_text(f->error));
}

void vmx_log_failed(struct vmx *x, enum vmx_check row, const struct vmx_msr_failure *msr, unsigned error)
{
	struct vmx_log *l = x->log;
	struct vmx_log_failure *f;
	uint32_t reason = msr ? VMX_REASON_ENTRY_MSR_LOADING : VMX_REASON_ENTRY_GUEST_STATE;

	if (!l)
		return;
	f = &l->failure;
	f->count++;
	f->error = error;
	f->check = row;
	f->msr = msr ? *msr : (struct vmx_msr_failure){ .row = VMX_MSR_CHECKS };
	f->value = row < VMX_CHECKS ? x->vmcs.r.value[vmx_check_rows[row].field] : 0;
	f->pc = pc_of(x);
	f->vmcs = x->vmcs.at;
	say(f);
	if (!error) {
		struct vmx_exit e = { .reason = reason | VMX_REASON_ENTRY_FAILURE };

		e.qualification =
		    msr ? msr->number : vmx_check_groups[vmx_check_rows[row].group].qualification;
		add(x, &e, f->pc, 0);
	}
	exit_log_hit(&l->l, ENGINE_EV_ENTRY_FAILURE, error ? error : reason, f->value, f->pc);
}

bool vmx_log_take(void *x, struct engine_hit *hit)
{
	struct vmx_log *l = ((struct vmx *)x)->log;

	return l && exit_log_take(&l->l, hit);
}
