/* SPDX-License-Identifier: GPL-3.0-or-later
 * Inside svm/view: the views, and texts. */
#ifndef SVM_VIEW_VIEW_INT_H
#define SVM_VIEW_VIEW_INT_H
#include "cpu/exit_view.h"
#include "svm/view.h"

/* Their owner is the struct svm. */
extern const struct view view_svm, view_vmcb, view_vmcb_list, view_vmcb_check, view_svm_controls, view_npt,
    view_msrpm, view_iopm;
extern const struct exit_texts svm_exit_texts;

#define NO_VMCB "no VMCB is current: VMRUN was not executed yet"

/* The VMCB that the guest runs under, or that the last VMRUN named; VMCB_NOWHERE: none. */
gpa svm_current(const struct svm *x);
/* That VMCB as it is now: in memory; while the guest runs, as the exit would leave it. False: there is none.
 */
bool svm_vmcb_now(struct svm *x, struct vmcb *v);
/* Does F count on this processor, under the controls of V? */
bool svm_field_counts(const struct svm_caps *c, const struct vmcb *v, enum vmcb_field f);

/* The name of a slot's code ("CR3_WRITE", "EXCP_PF"), and what it means ("write of CR3"); NULL: none. */
const char *svm_slot_name(unsigned slot);
const char *svm_slot_title(unsigned slot);
/* The slot called NAME, with or without "VMEXIT_", or with that code; SVM_SLOTS: none. */
unsigned svm_slot_named(const char *name);
/* The field called NAME, or at that offset; VMCB_FIELDS: none. */
enum vmcb_field svm_field_named(const char *name);

/* The meaning of F in V, bit by bit; "" if it is a plain number. */
void svm_field_text(const struct vmcb *v, enum vmcb_field f, char *buf, size_t len);
/* An event as EVENTINJ and EXITINTINFO code it; "" if it is not valid. */
void svm_event_text(uint64_t info, char *buf, size_t len);
void svm_exit_text(const struct exit_log_exit *e, char *buf, size_t len);
/* Why the last VMRUN failed, in one line; "": none did. */
void svm_failure_text(const struct svm_log_failure *f, char *buf, size_t len);
#endif
