/* SPDX-License-Identifier: GPL-3.0-or-later
 * Handing fragments to the independent verifier (bt/verify/verify.h). */
#ifndef BT_VERIFY_FRAGMENT_H
#define BT_VERIFY_FRAGMENT_H
#include "bt/state/vcpu.h"

/* Check F; 0 when it holds, -1 with the finding in v.error. */
int verify_ccf(struct bt_vcpu *b, const struct ccf *f);
void verify_fini(struct bt_vcpu *b);
#endif
