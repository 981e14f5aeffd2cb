/* SPDX-License-Identifier: GPL-3.0-or-later
 * Events: injection by VMRUN (APM vol. 2 15.20), exceptions that exit (15.12), what a #VMEXIT says of the
 * event that was being delivered (15.7.2, 15.7.3). */
#ifndef SVM_EVENT_H
#define SVM_EVENT_H
#include "svm/transition.h"

struct svm_event {
	enum svm_event_type type;
	uint8_t vector;
	bool has_error;
	uint32_t error;
};

/* Write E as EXITINTINFO, and the reverse. */
uint64_t svm_event_info(const struct svm_event *e);
struct svm_event svm_event_of(uint64_t info);
/* Take the event that the last VMRUN injects. *RETURN_RIP is what its delivery pushes. False: none is
 * injected. */
bool svm_take_injection(struct svm *x, struct svm_event *e, uint64_t *return_rip);

/* Does exception E exit? INTn, NMI and interrupts have intercepts of their own. */
bool svm_exception_exits(const struct svm *x, const struct svm_event *e);
/* Make EXIT the exit that exception E causes; ADDRESS is that of #PF. */
void svm_exit_by_event(struct svm_exit *exit, const struct svm_event *e, uint64_t address);

/* What becomes of exception E, raised while the event in X->delivering, if any, is delivered. */
enum svm_delivery {
	SVM_DELIVER,	  /* E, which is #DF if it replaces two faults, goes to the guest */
	SVM_DELIVER_EXIT, /* EXIT is due */
	SVM_DELIVER_SHUTDOWN
};
enum svm_delivery svm_deliver(const struct svm *x, struct svm_event *e, uint64_t address,
			      struct svm_exit *exit);
/* The delivery of E begins; it is over, the guest runs. */
void svm_delivery_begins(struct svm *x, const struct svm_event *e);
void svm_delivery_ends(struct svm *x);
#endif
