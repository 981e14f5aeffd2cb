/* SPDX-License-Identifier: GPL-3.0-or-later
 * See svm/log.h. */
#include "svm/log.h"
#include "base/gpr.h"
#include "base/log.h"

_Static_assert((int)SVM_SLOTS <= (int)EXIT_LOG_SLOTS, "a slot for each code");

void svm_log_reset(struct svm_log *l)
{
	gpr_zero(l, sizeof(*l));
	l->failure.check = SVM_CHECKS;
}

static uint64_t pc_of(const struct svm *x)
{
	return x->s.rip + (svm_mode64(&x->s) ? 0 : x->s.seg[SEG_CS].base);
}

void svm_log_entered(struct svm *x)
{
	if (x->log)
		exit_log_entered(&x->log->l, x->vmcb.at, __builtin_ia32_rdtsc());
}

void svm_log_exit(struct svm *x, const struct svm_exit *e)
{
	struct svm_log *log = x->log;
	struct exit_log_exit *to;
	uint64_t now, pc;

	if (!log)
		return;
	now = __builtin_ia32_rdtsc();
	pc = pc_of(x);
	to = exit_log_add(&log->l, (uint32_t)e->code, svm_exit_slot(e->code), pc, x->vmcb.at, e->info1,
			  log->l.turned ? now - log->l.turned : 0);
	to->info[1] = e->info2;
	to->vectoring = (uint32_t)x->delivering;
	log->l.turned = now;
	exit_log_hit(&log->l, ENGINE_EV_EXIT, (uint32_t)e->code, e->info1, pc);
}

void svm_log_left(struct svm *x)
{
	struct svm_log *l = x->log;

	if (!l || !l->watches)
		return;
	l->newest ^= 1;
	l->seen += l->seen < 2;
	gpr_copy(&l->snapshot[l->newest], &x->vmcb, sizeof(x->vmcb));
}

void svm_log_failed(struct svm *x, enum svm_check row)
{
	struct svm_log *l = x->log;
	struct svm_log_failure *f;
	struct exit_log_exit *to;

	if (!l)
		return;
	f = &l->failure;
	f->count++;
	f->check = row;
	f->value = vmcb_get(&x->vmcb, svm_check_rows[row].field);
	f->pc = pc_of(x);
	f->vmcb = x->vmcb.at;
	LOG(svm, "VMRUN failed: " SVM_FAILED_CHECK, SVM_FAILED_CHECK_ARGS(f));
	to = exit_log_add(&l->l, (uint32_t)SVM_EXIT_INVALID, SVM_SLOT_INVALID, f->pc, x->vmcb.at, 0, 0);
	to->info[1] = 0;
	to->vectoring = 0;
	exit_log_hit(&l->l, ENGINE_EV_ENTRY_FAILURE, row, f->value, f->pc);
}

bool svm_log_take(void *x, struct engine_hit *hit)
{
	struct svm_log *l = ((struct svm *)x)->log;

	return l && exit_log_take(&l->l, hit);
}
