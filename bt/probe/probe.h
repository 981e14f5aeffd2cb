/* SPDX-License-Identifier: GPL-3.0-or-later
 * Probes: what the translation does in passing at a guest instruction, without stopping: count, compare,
 * put values on record. A counter is three inline instructions, and a condition that compares 32-bit
 * registers with constants is inline as well; anything else calls out. */
#ifndef BT_PROBE_PROBE_H
#define BT_PROBE_PROBE_H
#include "bt/probe/bytecode.h"

struct vcpu;

struct bt_probe {
	gva pc;
	struct program cond;		     /* empty: always */
	struct program record;		     /* empty: nothing is put on record */
	const char *cond_text, *record_text; /* for people; NULL: none */
};

/* Add P, which is copied. NULL with *NUMBER, or what is wrong. While stopped, as all but bt_probe_take(). */
const char *bt_probe_add(struct vcpu *v, const struct bt_probe *p, unsigned *number);
/* Remove the one with this number, or (NUMBER 0) those at PC, or (ALL) every one; returns how many. */
unsigned bt_probe_remove(struct vcpu *v, unsigned number, gva pc, bool all);

struct bt_probe_hit {
	unsigned number;
	gva pc;
	struct prog_record rec;
};
/* The oldest record not taken yet. Any thread, one at a time. The vCPU tells by plat.notify when the first
 * one of a batch is there. */
bool bt_probe_take(struct vcpu *v, struct bt_probe_hit *out);
const char *bt_probe_text(struct vcpu *v, unsigned number); /* its record_text; NULL: it is gone */
#endif
