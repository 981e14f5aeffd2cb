/* SPDX-License-Identifier: GPL-3.0-or-later
 * Handing fragments to the independent verifier (bt/verify/verify.h). */
#ifndef BT_VERIFY_FRAGMENT_H
#define BT_VERIFY_FRAGMENT_H
#include "bt/state/vcpu.h"

/* False: out of memory. */
bool verify_init(struct bt_vcpu *b);
/* Check F, which is not in the cache yet. 0 when it holds; -1 with the finding in v.error and, in *AT, its
 * place in the host code from f->host. */
int verify_ccf(struct bt_vcpu *b, const struct ccf *f, uint32_t *at);
void verify_fini(struct bt_vcpu *b);
#endif
