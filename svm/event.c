/* SPDX-License-Identifier: GPL-3.0-or-later
 * See svm/event.h. */
#include "svm/event.h"
#include "svm/intercept.h"

uint64_t svm_event_info(const struct svm_event *e)
{
	return e->vector | (uint64_t)e->type << 8 | SVM_EVENT_VALID |
	       (e->has_error ? SVM_EVENT_ERROR | (uint64_t)e->error << 32 : 0);
}

struct svm_event svm_event_of(uint64_t info)
{
	return (struct svm_event){
		.type = (enum svm_event_type)svm_event_type(info),
		.vector = (uint8_t)svm_event_vector(info),
		.has_error = info & SVM_EVENT_ERROR,
		.error = info & SVM_EVENT_ERROR ? (uint32_t)(info >> 32) : 0,
	};
}

/* INTn, and INT3 and INTO, which are injected as exceptions. */
static bool is_software(const struct svm_event *e)
{
	return e->type == SVM_EVENT_INT_N ||
	       (e->type == SVM_EVENT_EXCEPTION && (e->vector == EXC_BP || e->vector == EXC_OF));
}

bool svm_take_injection(struct svm *x, struct svm_event *e, uint64_t *return_rip)
{
	if (!x->injection)
		return false;
	*e = svm_event_of(x->injection);
	x->injection = 0;
	*return_rip = x->s.rip;
	if (is_software(e) && SVM_HAS(&x->caps, NEXT_RIP))
		*return_rip = VMCB_GET(&x->vmcb, NEXT_RIP);
	if (!svm_mode64(&x->s))
		*return_rip = (uint32_t)*return_rip;
	if (e->type == SVM_EVENT_NMI) {
		e->vector = EXC_NMI; /* the field does not count */
		if (VMCB_ON(&x->caps, &x->vmcb, V_NMI_ENABLE))
			VMCB_SET_BITS(&x->vmcb, V_NMI_MASK, 1);
		else
			x->s.nmi_blocked = true;
	}
	x->s.shadow = false;
	return true;
}

bool svm_exception_exits(const struct svm *x, const struct svm_event *e)
{
	return e->type == SVM_EVENT_EXCEPTION && e->vector < EXC_VECTORS && e->vector != EXC_NMI &&
	       svm_exits(x, SVM_EXIT_EXCEPTION + e->vector);
}

void svm_exit_by_event(struct svm_exit *exit, const struct svm_event *e, uint64_t address)
{
	*exit = (struct svm_exit){
		.code = SVM_EXIT_EXCEPTION + e->vector,
		.info1 = e->has_error ? e->error : 0,
		.info2 = e->vector == EXC_PF ? address : 0,
	};
}

/* ---- faults during delivery ---- */

enum severity { BENIGN, CONTRIBUTORY, PAGE_FAULT, DOUBLE_FAULT };

static enum severity severity_of(const struct svm_event *e)
{
	if (e->type != SVM_EVENT_EXCEPTION)
		return BENIGN;
	if (e->vector == EXC_PF)
		return PAGE_FAULT;
	if (e->vector == EXC_DF)
		return DOUBLE_FAULT;
	return exc_in(EXC_SET_CONTRIBUTORY, e->vector) ? CONTRIBUTORY : BENIGN;
}

/* APM vol. 2 8.2.9: does SECOND, raised while FIRST is delivered, make it #DF; or is that a shutdown? */
static bool doubles(enum severity first, enum severity second)
{
	return (first == CONTRIBUTORY && second == CONTRIBUTORY) ||
	       (first == PAGE_FAULT && (second == CONTRIBUTORY || second == PAGE_FAULT));
}

enum svm_delivery svm_deliver(const struct svm *x, struct svm_event *e, uint64_t address,
			      struct svm_exit *exit)
{
	struct svm_event prior = svm_event_of(x->delivering);
	enum severity first = severity_of(&prior), second = severity_of(e);

	if (svm_exception_exits(x, e)) {
		svm_exit_by_event(exit, e, address);
		return SVM_DELIVER_EXIT;
	}
	if (!x->delivering || second == BENIGN)
		return SVM_DELIVER;
	if (first == DOUBLE_FAULT) {
		*exit = (struct svm_exit){ .code = SVM_EXIT_SHUTDOWN };
		return svm_exits(x, SVM_EXIT_SHUTDOWN) ? SVM_DELIVER_EXIT : SVM_DELIVER_SHUTDOWN;
	}
	if (!doubles(first, second))
		return SVM_DELIVER;
	*e = (struct svm_event){ .type = SVM_EVENT_EXCEPTION, .vector = EXC_DF, .has_error = true };
	if (!svm_exception_exits(x, e))
		return SVM_DELIVER;
	svm_exit_by_event(exit, e, 0);
	return SVM_DELIVER_EXIT;
}

void svm_delivery_begins(struct svm *x, const struct svm_event *e)
{
	x->delivering = svm_event_info(e);
}

void svm_delivery_ends(struct svm *x)
{
	x->delivering = 0;
}
