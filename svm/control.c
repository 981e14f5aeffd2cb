/* SPDX-License-Identifier: GPL-3.0-or-later
 * See svm/control.h. */
#include "svm/control.h"

const struct vmcb_control_row vmcb_controls[VMCB_CONTROLS] = {
#define CONTROL(field, first, last, id, feature, name)                                                       \
	{ #id, name, VMCB_##field, first, last, SVM_##feature },
#include "svm/controls.def"
#undef CONTROL
};
