/* SPDX-License-Identifier: GPL-3.0-or-later
 * The ways out of a fragment: callouts, exceptions, direct and indirect exits. */
#ifndef BT_EMIT_EXIT_H
#define BT_EMIT_EXIT_H
#include "bt/emit/tx.h"

struct site *new_site(struct tx *t, struct insn *in, enum callout_kind kind,
		      uint64_t (*fn)(struct bt_vcpu *, struct site *, uint32_t));
void emit_callout(struct tx *t, struct site *s);			/* r8d is passed as EA */
void emit_cached_syscall(struct tx *t, struct site *s, unsigned which); /* SYSENTER, SYSEXIT: SYSCALL_* */
void emit_exit(struct tx *t, uint32_t eip);				/* direct exit to EIP */
bool exit_may_chain(const struct tx *t,
		    uint32_t eip); /* is an exit to EIP one that can be patched to its target? */
void emit_link(struct tx *t,
	       uint32_t eip);	  /* rel32 of a jump that can be chained to EIP; the opcode is the caller's */
uint8_t *e_budget(struct tx *t);  /* icount: budget += the 32 bits to be put where it says; r8 = budget */
void emit_indirect(struct tx *t); /* exit to EIP in r8d */
void emit_raise(struct tx *t, struct insn *in, int vector);
void emit_intr_check(struct tx *t, uint32_t eip); /* leave for the dispatcher when an interrupt waits */
void emit_shadow_check(struct tx *t);		  /* the same behind the shadow of STI or a load of SS */
#endif
