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

/* Links across pages of 64-bit code whose mappings are not global (cache/domain.c): limited to a domain. */
static inline bool domain_limits(const struct ccf *f)
{
	return mode_long(f->mode) && !(f->mode & MODE_XCHAIN);
}
/* F is of its page's group, and no longer. */
void domain_join(struct bt_vcpu *b, struct ccf *f);
void domain_leave(struct ccf *f);
/* F is about to be entered in the present context. */
void domain_claim(struct bt_vcpu *b, struct ccf *f);
/* Mappings of code in window WIN have changed. */
void domain_end(struct bt_vcpu *b, unsigned win);
/* May L, which is executed, be linked across pages now? */
bool domain_allows(struct bt_vcpu *b, const struct exit_link *l);
/* If so, the list of links that end with the domain of L's fragment. */
struct exit_link **domain_links(struct bt_vcpu *b, const struct exit_link *l);
/* When the windows that may execute G's fragments were selected last; 0: there are none. */
uint64_t domain_last(struct bt_vcpu *b, struct code_group *g);
void chain_reset(struct bt_vcpu *b, struct exit_link *l);  /* L, which is not linked, goes to its stub */
void chain_unlink(struct bt_vcpu *b, struct exit_link *l); /* L, which is linked */
#endif
