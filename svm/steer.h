/* SPDX-License-Identifier: GPL-3.0-or-later
 * What a person changes about the exits of a guest, above the VMCB, which stays as the guest's hypervisor
 * wrote it: exits that are forced or suppressed, one event to inject. As breakpoints do, it survives a reset
 * and is in no snapshot. */
#ifndef SVM_STEER_H
#define SVM_STEER_H
#include "base/types.h"

enum svm_steering { SVM_AS_INTERCEPTED, SVM_FORCED, SVM_SUPPRESSED };

struct svm_steer {
	bool any;	   /* one of HOW is not as intercepted */
	uint8_t how[0xc0]; /* enum svm_steering by #VMEXIT code: those that intercepts decide about */
	uint64_t event;	   /* for the next VMRUN that injects nothing itself: as EVENTINJ; 0: none */
};
#endif
