/* SPDX-License-Identifier: GPL-3.0-or-later
 * Jump tables of contexts, by which indirect transfers go. Callable from GPR-only code. */
#ifndef BT_CACHE_JUMP_H
#define BT_CACHE_JUMP_H
#include "bt/state/vcpu.h"

bool jump_init(struct bt_vcpu *b); /* jump_fini() is due whatever it returns */
void jump_fini(struct bt_vcpu *b);
/* Give C, a new context, a jump table: a new one or, if there is no address space for it, another context's.
 * That of 64-bit code is entered in the directory of its mode. */
void ctx_table(struct bt_vcpu *b, struct ctx *c);
/* What the table pointer of fragments is while C is the present context. */
static inline uint64_t ctx_live(const struct ctx *c)
{
	return c->dir ? (uint64_t)c->dir->table : (uint64_t)c->jt;
}
/* The TC offset of the fragment to which transfers to RIP go, which is in C's range; 0: to the miss. */
static inline uint32_t ctx_at(const struct bt_vcpu *b, const struct ctx *c, uint64_t rip)
{
	uint32_t at = c->jt[(uint32_t)rip];

	return at && c->dir ? at + b->tc.long_start : at;
}
/* Transfers to RIP, which is in C's range, go to the fragment at TC offset HOST from now on. */
void ctx_put(struct bt_vcpu *b, struct ctx *c, uint64_t rip, uint32_t host);
/* Forget the jump table and the context. */
void ctx_reset(struct bt_vcpu *b, struct ctx *c);
/* No table leads to F any more. */
void jump_drop(struct bt_vcpu *b, const struct ccf *f);
/* Is HVA where the directory of 64-bit code has no pages? */
bool jump_no_table(const struct bt_vcpu *b, uint64_t hva);
#endif
