/* SPDX-License-Identifier: GPL-3.0-or-later
 * Shared by the callouts: how each begins, and the ways it can end. */
#ifndef BT_RUNTIME_CALLOUT_INT_H
#define BT_RUNTIME_CALLOUT_INT_H
#include "bt/runtime/callout.h"
#include "bt/runtime/dispatch.h"

/* Count, and put cpu.rip (and the instruction count) at the site's instruction. */
void callout_begin(struct bt_vcpu *b, struct site *s);
/* icount: give back what of the fragment did not run; DONE: the site's instruction did. */
void callout_unwind(struct bt_vcpu *b, const struct site *s, unsigned done);
/* Deliver cpu.exc from the site's instruction. */
uint64_t callout_raise(struct bt_vcpu *b, struct site *s);
/* The instruction is complete and cpu.rip behind it (or at its target): continue there. */
uint64_t callout_go_on(struct bt_vcpu *b, struct site *s);
/* One of these two, by the result R of a semantic function. */
uint64_t callout_ended(struct bt_vcpu *b, struct site *s, int r);
/* In the middle of a TU: continue behind the call unless R reports a fault. */
uint64_t callout_done(struct bt_vcpu *b, struct site *s, int r);
/* The instruction is complete; it accessed watched memory, or wrote the code that follows. Leave. */
uint64_t callout_leave(struct bt_vcpu *b, struct site *s);
/* A device was accessed: continue behind the call unless an interrupt or a stop is due. */
uint64_t callout_after_device(struct bt_vcpu *b, struct site *s);
/* One iteration of a string instruction. 0, or -1 with an exception and nothing changed. */
int callout_string_step(struct bt_vcpu *b, const struct site *s);
/* Offset OFF as the address size of S has it. */
static inline uint64_t callout_offset(const struct site *s, uint64_t off)
{
	return s->asize == 8 ? off : (uint32_t)off;
}
/* Register R = V at the operand size OP in bytes: 2, 4, or 8. */
void callout_set_reg(struct cpu *c, unsigned r, unsigned op, uint64_t v);
/* The operand size of moves between general registers and control, debug and table registers. */
static inline unsigned callout_wide(const struct site *s)
{
	return mode_long(s->ccf->mode) ? 8 : 4;
}
#endif
