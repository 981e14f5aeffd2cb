/* SPDX-License-Identifier: GPL-3.0-or-later
 * Inside bt/fault: what the handlers of 32-bit and of 64-bit code share. M is the mark at the fault, or NULL;
 * F its fragment; UC the signal's frame, which decides where the thread goes on. */
#ifndef BT_FAULT_INT_H
#define BT_FAULT_INT_H
#include "bt/fault/fault.h"

#include "mm/mmu.h"

#include <ucontext.h>

static const int greg_of[8] = { REG_RAX, REG_RCX, REG_RDX, REG_RBX, REG_RSP, REG_RBP, REG_RSI, REG_RDI };

/* The guest's part of a host register. */
static inline uint64_t in_width(const struct ccf *f, greg_t r)
{
	return mode_long(f->mode) ? (uint64_t)r : (uint32_t)r;
}

static inline unsigned mark_insn(const struct mark *m)
{
	return m ? m->insn : 0;
}

/* Store the guest's state as of the start of the instruction. */
void fault_store(struct bt_vcpu *b, const struct ccf *f, const struct mark *m, const greg_t *g);
/* Continue in dispatch_after_fault(), with exit code XC. */
void fault_resume(struct bt_vcpu *b, ucontext_t *uc, enum exit_code xc);
/* Likewise with an exception for the guest; its state has been stored. */
void fault_raise(struct bt_vcpu *b, ucontext_t *uc, int vector, bool has_err, uint32_t err);
/* What MF says of the access to LIN. */
void fault_page(struct bt_vcpu *b, ucontext_t *uc, gva lin, const struct mmu_fault *mf);
void fault_count(struct bt_vcpu *b, struct ccf *f, enum trap_cause why);
/* Can the access at M be lowered with a precheck? */
bool fault_can_precheck(const struct ccf *f, const struct mark *m);
/* F may store to its own page P: complete the store outside F. True if so. */
bool fault_own_page(struct bt_vcpu *b, struct ccf *f, const struct mark *m, ucontext_t *uc, ppn p);
/* The page is not in memory: it is brought there outside the handler. */
void fault_page_away(struct bt_vcpu *b, struct ccf *f, const struct mark *m, ucontext_t *uc);
/* No mapping can be had. The hook has left the text. */
void fault_refused(struct bt_vcpu *b, struct ccf *f, const struct mark *m, ucontext_t *uc);
/* An access in the selected window, or space, missed. True if it can be retried. */
bool fault_window(struct bt_vcpu *b, struct ccf *f, const struct mark *m, ucontext_t *uc, gva lin,
		  bool write);

/* ---- 64-bit code (fault/space.c) ---- */

/* The exception of an address that is not canonical. */
static inline int fault_far_vector(const struct ccf *f, const struct mark *m)
{
	return mode_long(f->mode) && m && m->fix == FIX_NONE && m->arg == MARK_STACK ? EXC_SS : EXC_GP;
}
/* The host raised #GP, which tells no address. True: it was that of an access, and has been dealt with. */
bool fault_general(struct bt_vcpu *b, struct ccf *f, const struct mark *m, ucontext_t *uc);
/* An indirect transfer found no table for its target, in r8. */
void fault_no_table(struct bt_vcpu *b, struct ccf *f, const struct mark *m, ucontext_t *uc);
/* The part of fault_store() that is of general registers. */
void fault_store_long(struct bt_vcpu *b, const struct mark *m, const greg_t *g);
/* What stub_long_callout begins with. */
void fault_store_upper(struct bt_vcpu *b, greg_t *g);
/* An access to host address ADDR faulted. False: it is nothing of the guest's. */
bool fault_space(struct bt_vcpu *b, struct ccf *f, const struct mark *m, ucontext_t *uc, uint64_t addr,
		 bool write);
#endif
