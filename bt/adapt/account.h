/* SPDX-License-Identifier: GPL-3.0-or-later
 * Accounting of the engine's interventions. A trap is always timed; callouts are timed by runtime/timing.c.
 */
#ifndef BT_ADAPT_ACCOUNT_H
#define BT_ADAPT_ACCOUNT_H
#include "bt/state/vcpu.h"

bool account_init(struct bt_vcpu *b);
void account_fini(struct bt_vcpu *b);

/* ---- run time ---- */
void account_enter(struct bt_vcpu *b);
void account_leave(struct bt_vcpu *b);
void account_tick(struct bt_vcpu *b); /* begins a new interval for rates when it is time */
uint64_t account_now(const struct bt_vcpu *b);
uint64_t account_host_ns(void);				    /* the host's monotonic clock */
void account_times(struct vcpu *v, struct engine_times *t); /* for struct engine_ops */

/* ---- traps: at, trap, handled in the signal handler; close where the guest continues ---- */
void account_at(struct bt_vcpu *b, struct ccf *f, gva pc);
void account_trap(struct bt_vcpu *b, unsigned cause);
/* The handler began at START and lets the thread continue at RIP. */
void account_handled(struct bt_vcpu *b, uint64_t start, uint64_t rip);
void account_close_slow(struct bt_vcpu *b);
#define account_close(b) ((b)->account.open ? account_close_slow(b) : (void)0)
/* The causes of adaptation (state/adapt.def), as bits, that a trap counts for. */
unsigned account_adapts(unsigned cause);
struct place *account_place(struct bt_vcpu *b, gva pc, unsigned cause, bool make);

/* ---- callouts ---- */
/* Callouts of KIND so far, and those timed. */
uint64_t account_called(const struct bt_vcpu *b, unsigned kind);
struct timed account_timed(const struct bt_vcpu *b, unsigned kind);

void account_counting(struct bt_vcpu *b); /* entries.on changed */
#endif
