/* SPDX-License-Identifier: GPL-3.0-or-later
 * See vtx/log.h. */
#include "vtx/log.h"
#include "base/gpr.h"
#include "base/log.h"

_Static_assert((int)VMX_STEERED >= (int)VMX_REASONS, "a person can decide about every exit reason");

void vmx_log_reset(struct vmx_log *l)
{
	gpr_zero(l, sizeof(*l));
	l->failure.check = VMX_CHECKS;
}

/* The entry of the current VMCS; the oldest one is replaced if all are taken. */
static struct vmx_log_vmcs *current(struct vmx_log *l, gpa at)
{
	unsigned oldest = 0;

	if (l->current < l->nvmcs && l->vmcs[l->current].at == at)
		return &l->vmcs[l->current];
	for (unsigned i = 0; i < l->nvmcs; i++) {
		if (l->vmcs[i].at == at) {
			l->current = i;
			return &l->vmcs[i];
		}
		if (l->vmcs[i].last < l->vmcs[oldest].last)
			oldest = i;
	}
	l->current = l->nvmcs < VMX_LOG_VMCSS ? l->nvmcs++ : oldest;
	l->vmcs[l->current] = (struct vmx_log_vmcs){ .at = at };
	return &l->vmcs[l->current];
}

static void count_site(struct vmx_log *l, uint64_t pc, uint32_t reason)
{
	unsigned at = (unsigned)((pc ^ pc >> 10 ^ reason * 0x9e5u) % VMX_LOG_SITES);

	for (unsigned i = 0; i < VMX_LOG_PROBES; i++) {
		struct vmx_log_site *s = &l->site[(at + i) % VMX_LOG_SITES];

		if (!s->count)
			*s = (struct vmx_log_site){ .pc = pc, .reason = reason };
		if (s->pc == pc && s->reason == reason) {
			s->count++;
			return;
		}
	}
	l->elsewhere++;
}

static void add(struct vmx *x, const struct vmx_exit *e, uint64_t pc, uint64_t guest)
{
	struct vmx_log *l = x->log;
	uint32_t basic = e->reason & 0xffff;
	uint64_t n = ++l->exits;
	struct vmx_log_vmcs *v = current(l, x->vmcs.at);
	struct vmx_log_exit *to = &l->last[n % VMX_LOG_EXITS];

	v->exits++;
	v->last = n;
	v->reason = e->reason;
	/* Field by field: compilers clear a whole one first, which takes as long as all the rest. */
	to->number = n;
	to->pc = pc;
	to->qualification = e->qualification;
	to->linear = e->linear;
	to->physical = e->physical;
	to->guest = guest;
	to->host = 0;
	to->vmcs = x->vmcs.at;
	to->reason = e->reason;
	to->event = e->event;
	to->event_error = e->event_error;
	to->vectoring = e->vectoring;
	if (basic < VMX_REASONS) {
		struct vmx_log_reason *r = &l->reason[basic];

		r->count++;
		r->guest += guest;
		r->qualification = e->qualification;
		r->pc = pc;
		count_site(l, pc, basic);
	}
}

void vmx_log_exit(struct vmx *x, const struct vmx_exit *e, uint64_t now)
{
	struct vmx_log *l = x->log;
	uint64_t pc;

	if (!l)
		return;
	pc = x->s.rip + (vmx_mode64(&x->s) ? 0 : x->s.seg[SEG_CS].base);
	add(x, e, pc, l->turned ? now - l->turned : 0);
	l->turned = now;
	l->hit = (struct engine_hit){ ENGINE_EV_EXIT, e->reason & 0xffff, false, e->qualification, pc };
	l->has_hit = true;
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
	struct vmx_log *l = x->log;
	struct vmx_log_exit *e;

	if (!l)
		return;
	l->entries++;
	current(l, x->vmcs.at)->entries++;
	e = &l->last[l->exits % VMX_LOG_EXITS];
	if (l->exits && l->turned) {
		e->host = now - l->turned;
		if ((e->reason & 0xffff) < VMX_REASONS)
			l->reason[e->reason & 0xffff].host += e->host;
	}
	l->turned = now;
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
	f->pc = x->s.rip + (vmx_mode64(&x->s) ? 0 : x->s.seg[SEG_CS].base);
	f->vmcs = x->vmcs.at;
	say(f);
	if (!error) {
		struct vmx_exit e = { .reason = reason | VMX_REASON_ENTRY_FAILURE };

		e.qualification =
		    msr ? msr->number : vmx_check_groups[vmx_check_rows[row].group].qualification;
		add(x, &e, f->pc, 0);
	}
	l->hit =
	    (struct engine_hit){ ENGINE_EV_ENTRY_FAILURE, error ? error : reason, false, f->value, f->pc };
	l->has_hit = true;
}

bool vmx_log_take(void *x, struct engine_hit *hit)
{
	struct vmx_log *l = ((struct vmx *)x)->log;

	if (!l || !l->has_hit)
		return false;
	*hit = l->hit;
	l->has_hit = false;
	return true;
}
