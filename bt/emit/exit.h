/* SPDX-License-Identifier: GPL-3.0-or-later
 * Ways out of a fragment: callouts, exceptions, direct and indirect exits. */
#ifndef BT_EMIT_EXIT_H
#define BT_EMIT_EXIT_H
#include "bt/emit/tx.h"

struct site *new_site(struct tx *t, struct insn *in, enum callout_kind kind,
		      uint64_t (*fn)(struct bt_vcpu *, struct site *, uint64_t));
/* Jump to the callout stub with SITE, or an exit's link; it does not return here. */
void emit_monitor_call(struct tx *t, const void *site);
void emit_long_call(struct tx *t);		 /* what calls from 64-bit code share: r9 has the record */
void emit_callout(struct tx *t, struct site *s); /* passes r8d as EA */
void emit_cached_syscall(struct tx *t, struct site *s, unsigned which); /* SYSENTER, SYSEXIT: SYSCALL_* */
void emit_exit(struct tx *t, uint64_t eip);				/* direct exit to EIP */
bool exit_may_chain(const struct tx *t, uint64_t eip); /* can an exit to EIP be chained to its target? */
void emit_link(struct tx *t,
	       uint64_t eip);	  /* the rel32 of a jump chained to EIP; the caller has emitted the opcode */
uint8_t *e_budget(struct tx *t);  /* icount: budget += the returned 32 bits, for the caller to fill in; leaves
				     the budget in r8 */
void emit_indirect(struct tx *t); /* exit to EIP in r8d */
void emit_by_table(struct tx *t, const struct stub *s); /* where the exit of S goes that must not be linked */
void emit_return(struct tx *t); /* of 64-bit code: the same, with the upper half of r8 in r11 */
void emit_raise(struct tx *t, struct insn *in, int vector);
void emit_intr_check(struct tx *t, uint64_t eip); /* exit to the dispatcher if an interrupt is pending */
void emit_shadow_check(struct tx *t); /* same, after the instruction that follows STI or a load of SS */
#endif
