/* SPDX-License-Identifier: GPL-3.0-or-later
 * Links: direct exits that are patched to jump to the fragment they lead to. Callable from GPR-only code. */
#ifndef BT_CACHE_CHAIN_H
#define BT_CACHE_CHAIN_H
#include "bt/state/vcpu.h"

/* Patch L to jump to TO, unless one of the two is dead or the link would not be safe. */
void chain_patch(struct bt_vcpu *b, struct exit_link *l, struct ccf *to);
/* Send all links into F, or out of F, back to their stubs. */
void chain_unlink_in(struct bt_vcpu *b, struct ccf *f);
void chain_unlink_out(struct bt_vcpu *b, struct ccf *f);
/* Unlink what relies on the mapping of a second page: links across pages, and links to instructions that
 * straddle two. Rare (modules, text protection). */
void chain_unlink_cross(struct bt_vcpu *b);
#endif
