/* SPDX-License-Identifier: GPL-3.0-or-later
 * Timing of callouts: each of them while entries are counted or callouts are watched, otherwise one in a few
 * hundred. The entry stub in the vCPU is exchanged for one that times, so the others cost nothing more.
 * GPR-only. */
#ifndef BT_RUNTIME_TIMING_H
#define BT_RUNTIME_TIMING_H
#include "bt/state/vcpu.h"

void timing_choose(struct bt_vcpu *b); /* the entry stubs: plain unless each callout is timed */
void timing_sample(struct bt_vcpu *b); /* time the next one */
/* Called by the timed stubs; returns the host address at which execution continues. */
uint64_t timing_call_done(struct bt_vcpu *b, uint64_t go_on);
#endif
