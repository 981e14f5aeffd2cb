/* SPDX-License-Identifier: GPL-3.0-or-later
 * Handing fragments to the independent verifier (bt/verify/verify.h). */
#ifndef BT_VERIFY_FRAGMENT_H
#define BT_VERIFY_FRAGMENT_H
#include "bt/state/vcpu.h"

/* False: out of memory. */
bool verify_init(struct bt_vcpu *b);
/* Check F, which is not in the cache yet. 0 when it holds; -1 with the finding in v.error and, but for the
 * guest's instruction, in *R. */
int verify_ccf(struct bt_vcpu *b, const struct ccf *f, struct refusal *r);
/* Keep R for "info refusals", and log it if it is one of the first. */
void verify_note(struct bt_vcpu *b, const struct refusal *r);
void verify_fini(struct bt_vcpu *b);
#endif
