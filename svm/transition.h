/* SPDX-License-Identifier: GPL-3.0-or-later
 * VMRUN and #VMEXIT: pure functions on the state of a processor (APM vol. 2 15.5, 15.6, 15.25.4). What an
 * engine adds is its own: which translations survive, the delivery of events. */
#ifndef SVM_TRANSITION_H
#define SVM_TRANSITION_H
#include "svm/exits.h"
#include "svm/processor.h"

/* What became of an instruction or an exit. */
enum svm_result {
	SVM_NEXT,	  /* complete: RIP is that of the next instruction */
	SVM_FAULT,	  /* nothing changed; svm.exception is to be delivered */
	SVM_ENTERED,	  /* the state is the guest's; svm.injection may be set */
	SVM_ENTRY_FAILED, /* a check failed: #VMEXIT with SVM_EXIT_INVALID; the host goes on */
	SVM_EXITED,	  /* the state is the host's */
	SVM_SHUTDOWN,	  /* the host's state cannot be loaded: the processor has shut down */
	SVM_NESTED_FAULT, /* of a virtual VMLOAD or VMSAVE: insn.h */
};

enum { SVM_INSN_MAX = 15 };

/* What an exit records. Fields that do not apply are 0. */
struct svm_exit {
	uint64_t code, info1, info2;
	uint64_t next_rip; /* of an instruction's intercept */
	uint8_t fetched;   /* decode assists: bytes of the instruction, of #PF and #NPF by data accesses */
	uint8_t bytes[SVM_INSN_MAX];
};

/* Run the VMCB at AT; NEXT_RIP is that of the instruction behind VMRUN. */
enum svm_result svm_enter(struct svm *x, gpa at, uint64_t next_rip);
/* Leave the guest: save its state, load the host's. */
enum svm_result svm_leave(struct svm *x, const struct svm_exit *e);

/* ---- parts of the above ---- */

void svm_load_guest(struct svm *x);
void svm_save_guest(struct svm *x);
/* False: the host's PDPTEs are not valid. */
bool svm_load_host(struct svm *x);
/* VMLOAD and VMSAVE of the VMCB at AT. */
void svm_load_swapped(struct svm *x, gpa at);
void svm_save_swapped(struct svm *x, gpa at);
#endif
