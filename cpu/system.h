/* SPDX-License-Identifier: GPL-3.0-or-later
 * Semantics of system instructions on the architectural state, as called by the translator's callouts. Every
 * function follows SDM vol. 2 (the instruction's own page) and vol. 3A chapters 5-7 and 20.
 *
 * Contract: return 0 with the state changed and cpu.rip at the next instruction, or -1 with an exception in
 * cpu.exc and the state unchanged (cpu.rip still at the instruction). On entry cpu.rip is the offset of the
 * instruction and NEXT that of the following one. The state is exact and outside the TC. None of them calls
 * into the translation cache; the caller handles mode changes afterwards. OP is the operand size in bytes: 2,
 * 4, or in 64-bit code 8. */
#ifndef CPU_SYSTEM_H
#define CPU_SYSTEM_H
#include "x86/engine.h"

int cpu_load_seg(struct vcpu *v, enum seg s, uint16_t sel); /* leaves rip unchanged */
int cpu_jmp_far(struct vcpu *v, uint16_t sel, uint64_t off, unsigned op, uint64_t next);
int cpu_call_far(struct vcpu *v, uint16_t sel, uint64_t off, unsigned op, uint64_t next);
int cpu_ret_far(struct vcpu *v, unsigned op, unsigned imm);
int cpu_iret(struct vcpu *v, unsigned op, uint64_t next);
/* INT n, INT3, INTO, INT1 executed at rip. */
enum cpu_int_kind { CPU_INT_N, CPU_INT3, CPU_INTO, CPU_INT1 };
int cpu_soft_int(struct vcpu *v, unsigned vector, enum cpu_int_kind kind, uint64_t next);
/* Deliver external interrupt VECTOR at the current rip. Never fails: a fault during delivery is delivered in
 * its place. False: the processor has shut down. */
bool cpu_deliver_irq(struct vcpu *v, unsigned vector);
/* Deliver cpu.exc at the current rip, with the contributory and double-fault rules. False on a triple fault
 * (SDM vol. 3A table 6-5). Of exceptions raised on the way, v->chain gets a record, which the caller empties.
 */
bool cpu_deliver_exc(struct vcpu *v);
int cpu_sysenter(struct vcpu *v);
int cpu_sysexit(struct vcpu *v, unsigned op);
int cpu_syscall(struct vcpu *v, uint64_t next);
int cpu_sysret(struct vcpu *v, unsigned op);
int cpu_swapgs(struct vcpu *v, uint64_t next);
/* RDFSBASE and its relatives: the base of S, which is FS or GS; OP 4 or 8. */
int cpu_read_base(struct vcpu *v, enum seg s, unsigned op, uint64_t *val);
int cpu_write_base(struct vcpu *v, enum seg s, unsigned op, uint64_t val);
/* CLAC and STAC; they leave rip unchanged. */
int cpu_set_ac(struct vcpu *v, bool on);
/* DESC: the descriptor in memory. */
int cpu_invpcid(struct vcpu *v, uint64_t type, const uint64_t desc[2], uint64_t next);

int cpu_mov_to_cr(struct vcpu *v, unsigned cr, uint64_t val, uint64_t next);
int cpu_mov_from_cr(struct vcpu *v, unsigned cr, uint64_t *val);
int cpu_mov_to_dr(struct vcpu *v, unsigned dr, uint64_t val, uint64_t next);
int cpu_mov_from_dr(struct vcpu *v, unsigned dr, uint64_t *val);
int cpu_lmsw(struct vcpu *v, uint16_t val, uint64_t next);
int cpu_clts(struct vcpu *v, uint64_t next);
int cpu_lgdt(struct vcpu *v, uint64_t base, uint16_t limit, unsigned op, uint64_t next);
int cpu_lidt(struct vcpu *v, uint64_t base, uint16_t limit, unsigned op, uint64_t next);
int cpu_lldt(struct vcpu *v, uint16_t sel, uint64_t next);
int cpu_ltr(struct vcpu *v, uint16_t sel, uint64_t next);
int cpu_invlpg(struct vcpu *v, gva lin, uint64_t next);
int cpu_rdmsr(struct vcpu *v, uint64_t next); /* ECX -> EDX:EAX */
int cpu_wrmsr(struct vcpu *v, uint64_t next);
/* The same by number, without privilege. False: #GP. valid: would a write succeed? */
bool cpu_msr_get(struct vcpu *v, uint32_t msr, uint64_t *val);
bool cpu_msr_set(struct vcpu *v, uint32_t msr, uint64_t val);
bool cpu_msr_valid(struct vcpu *v, uint32_t msr, uint64_t val);
int cpu_rdpmc(struct vcpu *v);	      /* ECX -> EDX:EAX */
bool cpu_msr_is_still(uint32_t msr);  /* Does it keep its value until the next WRMSR? */
bool cpu_msr_is_device(uint32_t msr); /* Does it belong to a device, and is no state of the processor? */
int cpu_xsetbv(struct vcpu *v, uint64_t next);
int cpu_cpuid(struct vcpu *v, uint64_t next);
int cpu_hlt(struct vcpu *v, uint64_t next);		  /* sets halted */
int cpu_popf(struct vcpu *v, unsigned op, uint64_t next); /* pops from the stack */
int cpu_pushf(struct vcpu *v, unsigned op, uint64_t next);
int cpu_cli(struct vcpu *v, uint64_t next); /* IOPL, VME and PVI rules */
int cpu_sti(struct vcpu *v, uint64_t next); /* sets cpu.shadow if IF was 0 */
/* Is access to ports PORT..PORT+SIZE-1 allowed (IOPL, TSS bitmap)? 0, or -1 with #GP. */
int cpu_io_check(struct vcpu *v, uint16_t port, unsigned size);
/* LAR, LSL, VERR, VERW. Return false if ZF must be cleared; *OUT for LAR and LSL. */
enum cpu_desc_query { CPU_LAR, CPU_LSL, CPU_VERR, CPU_VERW };
int cpu_query_desc(struct vcpu *v, enum cpu_desc_query q, uint16_t sel, uint32_t *out, bool *zf);
/* Push or pop on the current stack; honours SS base, B bit and limit. Changes ESP on success only. OP: 2, 4;
 * in 64-bit code 2, 8. */
int cpu_push(struct vcpu *v, uint64_t val, unsigned op);
int cpu_pop(struct vcpu *v, uint64_t *val, unsigned op);
/* The linear address of SEG:OFF, unchecked. 64-bit code has bases in FS and GS alone. */
uint64_t cpu_linear(const struct cpu *c, enum seg s, uint64_t off);
/* Segment-checked access at SEG:OFF. Raises #GP, #SS or #PF. */
int cpu_read(struct vcpu *v, enum seg s, uint64_t off, void *buf, unsigned n);
int cpu_write(struct vcpu *v, enum seg s, uint64_t off, const void *buf, unsigned n);
/* Would such a write succeed? 0, or -1 with the exception. */
int cpu_check_write(struct vcpu *v, enum seg s, uint64_t off, unsigned n);
#endif
