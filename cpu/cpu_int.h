/* SPDX-License-Identifier: GPL-3.0-or-later
 * Shared by the files behind cpu/system.h: descriptors, segment checks, stack frames, control transfers. Same
 * contract as cpu/system.h: 0, or -1 with cpu.exc. EXT is bit 0 of the error code: 1 during delivery of an
 * event external to the program (SDM vol. 3A 6.13). */
#ifndef CPU_CPU_INT_H
#define CPU_CPU_INT_H
#include "cpu/system.h"
#include "mm/mm.h"
#include "x86/descriptor.h"

#define RARE(x) __builtin_expect(!!(x), 0)

static inline uint32_t sel_err(uint16_t sel, unsigned ext)
{
	return (sel & (SEL_INDEX | SEL_TI)) | ext;
}

static inline unsigned cpu_iopl(const struct cpu *c)
{
	return c->sysflags >> FL_IOPL_SHIFT & 3;
}
static inline unsigned cpl_how(unsigned cpl)
{
	return cpl == 3 ? MM_USER : 0;
}

/* For privileged instructions: 0 at CPL 0, else -1 with #GP(0). */
static inline int need_cpl0(struct cpu *c)
{
	return RARE(c->cpl) ? cpu_raise_err(c, EXC_GP, 0) : 0;
}

/* 32-bit code is entered: it has the lower halves of eight registers. The others are undefined after that
 * (SDM vol. 1 3.4.1.1); the upper halves are cleared. */
static inline void narrow_gprs(struct cpu *c)
{
	for (unsigned i = R_EAX; i <= R_EDI; i++)
		c->gpr[i] = (uint32_t)c->gpr[i];
}

/* ---- cpu/msr.c ---- */

bool cpu_is_amd(struct vcpu *v); /* by CPUID's vendor */

/* ---- cpu/wide.c ---- */

int cr8_write(struct vcpu *v, uint64_t val); /* 0, or -1 with #GP */
uint64_t cr8_read(struct vcpu *v);

/* ---- cpu/segment.c: descriptors and segments ---- */

/* Read the descriptor that SEL selects (not null). Outside its table: raise VEC(SEL + EXT). */
int desc_fetch(struct vcpu *v, uint16_t sel, struct desc *d, int vec, unsigned ext);
/* Set the accessed bit; writes memory only if it is clear there. */
int desc_touch(struct vcpu *v, struct desc *d);
/* Fetch a stack segment for privilege CPL. Raises VEC if it is not usable, #SS if it is not present. */
int desc_fetch_ss(struct vcpu *v, uint16_t sel, unsigned cpl, struct desc *d, int vec, unsigned ext);
/* Fetch a segment for DS, ES, FS or GS (not null). Raises VEC if it is not usable, #NP if it is not present.
 */
int desc_fetch_data(struct vcpu *v, uint16_t sel, unsigned cpl, struct desc *d, int vec, unsigned ext);
/* Cache contents of a null selector, and of a segment in real or virtual-8086 mode. OLD: the previous
 * contents. */
struct seg_cache seg_null(uint16_t sel);
struct seg_cache seg_null_ss(unsigned cpl); /* of 64-bit code in ring CPL */
struct seg_cache seg_v86(uint16_t sel);
struct seg_cache seg_real(const struct seg_cache *old, uint16_t sel);
/* Load CS in real or virtual-8086 mode, whichever is active. */
void seg_load_cs86(struct cpu *c, uint16_t sel);
/* After a return to outer ring CPL: null the data segments it has no right to. */
void seg_drop_inner(struct cpu *c, unsigned cpl);

/* Are the N > 0 bytes at OFF inside S? Checks limit and expansion direction only. */
static inline bool seg_fits(const struct seg_cache *s, uint32_t off, uint32_t n)
{
	uint32_t last = off + n - 1;

	if (RARE(last < off))
		return false;
	if (RARE((s->attr & (SA_S | SA_CODE | SA_EC)) == (SA_S | SA_EC)))
		return off > s->limit && last <= (s->attr & SA_DB ? ~0u : 0xffffu);
	return last <= s->limit;
}

static inline uint32_t stack_mask(const struct seg_cache *ss)
{
	return ss->attr & SA_DB ? ~0u : 0xffffu;
}

/* Return ESP with the stack pointer that SS selects (SP or ESP) set to VAL. */
static inline uint32_t stack_merge(const struct seg_cache *ss, uint32_t esp, uint32_t val)
{
	return (esp & ~stack_mask(ss)) | (val & stack_mask(ss));
}

/* Push N items of OP bytes on stack SS:*ESP with access HOW, F[0] at the lowest address. Updates *ESP on
 * success. Raises #SS(ERR) if they do not fit. */
int stack_push(struct vcpu *v, const struct seg_cache *ss, uint32_t *esp, const uint32_t *f, unsigned n,
	       unsigned op, unsigned how, uint32_t err);
/* Read N items of OP bytes from the current stack, starting SKIP bytes above its top. */
int stack_peek(struct vcpu *v, uint32_t skip, uint32_t *f, unsigned n, unsigned op);

/* ---- cpu/far.c ---- */

/* Check and fetch the code segment popped by a far return or IRET. */
int ret_check_cs(struct vcpu *v, uint16_t sel, struct desc *d);

/* ---- cpu/interrupt.c ---- */

/* The event to deliver. */
struct event {
	uint64_t ret;	/* RIP to push */
	uint32_t flags; /* EFLAGS to push */
	uint32_t err;
	uint8_t vector;
	uint8_t ext; /* EXT bit for faults during delivery */
	bool has_err;
	bool soft; /* INT n, INT3, INTO: the gate's DPL is checked */
};

#define IDT_BIT 2u /* error code: the selector index is a vector */

static inline uint32_t gate_err(const struct event *e)
{
	return e->vector * 8u + IDT_BIT + e->ext;
}

/* Fetch the code segment of an interrupt, trap or 64-bit call gate: one that CPL may enter; in IA-32e mode
 * 64-bit code. */
int gate_fetch_cs(struct vcpu *v, uint16_t sel, struct desc *d, unsigned ext);

/* The bits of EFLAGS that IRET with OP bytes pops. */
uint32_t iret_flag_mask(const struct cpu *c, unsigned op);

/* ---- cpu/task.c ---- */

enum task_via { TASK_JMP, TASK_CALL, TASK_IRET, TASK_INT };
/* Return SS:ESP of ring DPL from the current TSS. */
int tss_stack(struct vcpu *v, unsigned dpl, uint16_t *ss, uint32_t *esp, unsigned ext);
/* Fetch the TSS that SEL selects for a switch other than IRET's: it must be in the GDT, available, present.
 */
int tss_fetch(struct vcpu *v, uint16_t sel, struct desc *d, unsigned ext);
/* Switch to the task of TSS D, saving EIP and FLAGS for the old task. On -1 the state may already be the new
 * task's: exceptions then belong to that task (SDM vol. 3A 7.3). */
int task_switch(struct vcpu *v, uint16_t sel, struct desc *d, enum task_via via, uint32_t eip, uint32_t flags,
		unsigned ext);
#endif
