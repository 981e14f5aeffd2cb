/* SPDX-License-Identifier: GPL-3.0-or-later
 * Views and controls of SVM, on the state of a processor: what virt.controls (cpu/virt.h) points to. Not
 * GPR-only, apart from the table's take(): views are read while the vCPU is stopped, counters at any time. */
#ifndef SVM_VIEW_H
#define SVM_VIEW_H
#include "svm/log.h"
#include "x86/engine_virt.h"

/* Give X a log, and return its views and controls; X outlives them. */
const struct engine_virt *svm_controls_new(struct svm *x);
/* Free them; X has no log then. */
void svm_controls_free(const struct engine_virt *c);
/* The views, for the manual; their owner is X. */
extern const struct view *const svm_views[];
#endif
