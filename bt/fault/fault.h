/* SPDX-License-Identifier: GPL-3.0-or-later
 * Host signals that translated code causes, and the thread that runs it. */
#ifndef BT_FAULT_FAULT_H
#define BT_FAULT_FAULT_H
#include "bt/state/vcpu.h"

#include <signal.h>
#include <ucontext.h>

bool fault_init(struct bt_vcpu *b);
void fault_fini(struct bt_vcpu *b);
/* The calling thread is about to run B. KICKS: fault_kick() interrupts it. */
void fault_thread_enter(struct bt_vcpu *b, bool kicks);
void fault_thread_leave(struct bt_vcpu *b);
/* From any thread: have the thread that runs B notice b->kick. */
void fault_kick(struct bt_vcpu *b);

/* ---- fault/progress.c ---- */
/* What instruction INSN of F, which faulted with registers REGS, seems to be in. */
enum fault_loop {
	LOOP_NONE,
	LOOP_LONG, /* some equal faults in a row: kicks must be heard */
	LOOP_STUCK /* very many, while nothing changed: resolving them is no use */
};
enum fault_loop fault_loop(struct bt_vcpu *b, const struct ccf *f, unsigned insn, const uint64_t regs[8]);

/* ---- fault/fatal.c ---- */
/* Report fault SIG, which nothing expects, of the thread that runs B (NULL: of another thread), and arrange
 * for its default action when the handler returns to UC. */
void fault_fatal(struct bt_vcpu *b, int sig, const siginfo_t *si, ucontext_t *uc);

/* ---- fault/cost.c ---- */
void costs_measure(struct bt_vcpu *b);
extern const struct view view_costs;
#endif
