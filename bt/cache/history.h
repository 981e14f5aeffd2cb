/* SPDX-License-Identifier: GPL-3.0-or-later
 * Records of what happened to fragments, and the totals that dropped ones leave behind. */
#ifndef BT_CACHE_HISTORY_H
#define BT_CACHE_HISTORY_H
#include "bt/state/vcpu.h"

extern const char *const drop_names[DROP_REASONS];

void history_made(struct bt_vcpu *b, const struct ccf *f);
void history_dropped(struct bt_vcpu *b, const struct ccf *f, enum drop_why why, gva by);
/* The whole cache was emptied. */
void history_flushed(struct bt_vcpu *b, enum drop_why why);
/* Add F, which is dropped, to the totals. */
void history_count_drop(struct bt_vcpu *b, const struct ccf *f, enum drop_why why);
uint64_t ccf_entries(const struct bt_vcpu *b, const struct ccf *f); /* UINT64_MAX: not counted */
#endif
