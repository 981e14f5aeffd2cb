/* SPDX-License-Identifier: GPL-3.0-or-later
 * Finding what runs next: mode, window, context, fragment. GPR-only. Functions that return a host address
 * return that of a fragment, or what dispatch_exit() returns. */
#ifndef BT_RUNTIME_DISPATCH_H
#define BT_RUNTIME_DISPATCH_H
#include "bt/state/vcpu.h"

uint32_t dispatch_mode(const struct cpu *c);
/* The same with guest mode, for the selected window. */
static inline uint32_t dispatch_mode_now(const struct bt_vcpu *b)
{
	uint32_t m = dispatch_mode(&b->v.cpu);

	/* Guests' global mappings are not those of each other: links stay within pages. */
	return __builtin_expect(b->guest.mode || b->win.no_links, 0)
		   ? (m & ~(uint32_t)MODE_XCHAIN) | b->guest.mode
		   : m;
}
void dispatch_quarters(struct bt_vcpu *b); /* win.quarter[] and the pointers to shadows */
void dispatch_select(struct bt_vcpu *b);   /* window, context, jump table for the present state */
struct ccf *dispatch_find(struct bt_vcpu *b, gva pc);
/* The user space of the present root for 64-bit kernel code. False: it must not reach it, or there is none.
 */
bool dispatch_user_space(struct bt_vcpu *b);
/* Where execution continues for the present cpu state. */
uint64_t dispatch_next(struct bt_vcpu *b);

/* The inputs of dispatch_select() that an interrupt, an exception or a return from one changes. (A
 * task switch, which changes anything, changes TR too.) */
struct mode_inputs {
	uint64_t seg[6]; /* CS, SS; base and limit of TR */
	uint32_t sysflags;
	uint8_t cpl;
};
void dispatch_mode_inputs(const struct bt_vcpu *b, struct mode_inputs *s);
/* dispatch_next() behind such a transfer: WAS before it. */
uint64_t dispatch_next_from(struct bt_vcpu *b, const struct mode_inputs *was);
/* The same where nothing changed but the mode. */
uint64_t dispatch_next_mode(struct bt_vcpu *b, uint32_t mode);
/* b->mode with the class of segment register S, not CS or SS, as it is now. */
uint32_t dispatch_seg_mode(const struct bt_vcpu *b, enum seg s);

/* Leave translated code with C. */
uint64_t dispatch_exit(struct bt_vcpu *b, enum exit_code c);
uint64_t dispatch_raise(struct bt_vcpu *b); /* deliver cpu.exc and continue in its handler */
/* Guest mode has begun or ended, or its intercepts changed: continue by what holds now. */
uint64_t dispatch_switched(struct bt_vcpu *b);
uint64_t dispatch_miss(struct bt_vcpu *b, struct site *s, uint64_t pc);
uint64_t dispatch_chain(struct bt_vcpu *b, struct exit_link *l, uint64_t ea);
uint64_t dispatch_after_fault(struct bt_vcpu *b);
#endif
