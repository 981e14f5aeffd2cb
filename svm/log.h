/* SPDX-License-Identifier: GPL-3.0-or-later
 * The log of #VMEXITs (cpu/exit_log.h), and what SVM adds: the last VMRUN that failed, the VMCB as exits left
 * it. svm_enter() and svm_leave() log by themselves. Without a log (svm.log is NULL) nothing is done. */
#ifndef SVM_LOG_H
#define SVM_LOG_H
#include "cpu/exit_log.h"
#include "svm/checks.h"
#include "svm/transition.h"

/* A VMRUN that failed a check. */
struct svm_log_failure {
	uint64_t count;	      /* how many failed so far; 0: none */
	enum svm_check check; /* the row */
	uint64_t value;	      /* of the field that it names */
	uint64_t pc;	      /* linear address of VMRUN */
	gpa vmcb;
};

struct svm_log {
	struct exit_log l; /* first; slots: svm/exits.h */
	struct svm_log_failure failure;
	/* The VMCB as the last exit left it and as the one before did, if somebody WATCHES. */
	bool watches;
	unsigned newest; /* which of the two is the last one */
	unsigned seen;	 /* how many there are */
	struct vmcb snapshot[2];
};

/* Forget all that was counted. */
void svm_log_reset(struct svm_log *l);
void svm_log_entered(struct svm *x);
/* The guest leaves by E: X still has its state. */
void svm_log_exit(struct svm *x, const struct svm_exit *e);
/* X's copy of the VMCB is what the exit stored. */
void svm_log_left(struct svm *x);
/* VMRUN failed check ROW. */
void svm_log_failed(struct svm *x, enum svm_check row);
/* Take the last exit or failed VMRUN of struct svm X, once: engine_virt_ops.take. */
bool svm_log_take(void *x, struct engine_hit *hit);

/* The line that says why VMRUN failed, with its arguments: in the log and in views. */
#define SVM_FAILED_CHECK "check %s: %s is 0x%llx; required: %s (APM vol. 2 %s); #VMEXIT INVALID"
#define SVM_FAILED_CHECK_ARGS(f)                                                                             \
	svm_check_rows[(f)->check].id, vmcb_fields[svm_check_rows[(f)->check].field].id,                     \
	    (unsigned long long)(f)->value, svm_check_rows[(f)->check].text,                                 \
	    svm_check_rows[(f)->check].section
#endif
