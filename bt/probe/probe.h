/* SPDX-License-Identifier: GPL-3.0-or-later
 * Probes: what the translation does at a guest instruction without stopping: count, compare, record values. A
 * counter is three inline instructions; a condition that compares 32-bit registers with constants is inline
 * as well. Anything else is a callout. */
#ifndef BT_PROBE_PROBE_H
#define BT_PROBE_PROBE_H
#include "bt/probe/bytecode.h"

struct vcpu;

struct bt_probe {
	gva pc;
	struct program cond;		     /* empty: always */
	struct program record;		     /* empty: nothing is recorded */
	const char *cond_text, *record_text; /* source text for views; NULL: none */
};

/* Add a copy of P. NULL with *NUMBER set, or an error text. Only while stopped; so all others here except
 * bt_probe_take(). */
const char *bt_probe_add(struct vcpu *v, const struct bt_probe *p, unsigned *number);
/* Remove the probe NUMBER, or (NUMBER 0) those at PC, or (ALL) all. Returns how many. */
unsigned bt_probe_remove(struct vcpu *v, unsigned number, gva pc, bool all);

struct bt_probe_hit {
	unsigned number;
	gva pc;
	struct prog_record rec;
};
/* Take the oldest record. Callable from any thread, one at a time. The vCPU calls plat.notify when the first
 * record of a batch is ready. */
bool bt_probe_take(struct vcpu *v, struct bt_probe_hit *out);
const char *bt_probe_text(struct vcpu *v, unsigned number); /* its record_text; NULL: the probe is gone */
#endif
