/* SPDX-License-Identifier: GPL-3.0-or-later
 * Callouts: what fragments call for the instructions they do not do in line.
 * All have the signature of site.fn (state/site.h): called with the guest's state in
 * v.cpu (cpu.rip excepted), they return the host address to go on at, or 0 to go
 * on behind the call. EA is what the fragment left in r8d. */
#ifndef BT_RUNTIME_CALLOUT_H
#define BT_RUNTIME_CALLOUT_H
#include "bt/state/vcpu.h"

typedef uint64_t callout_fn(struct bt_vcpu *b, struct site *s, uint32_t ea);

callout_fn co_raise;	/* code: vector; #GP and the like with error code imm when imm2 is set */
callout_fn co_intr;	/* an interrupt waits: leave at s->next */
callout_fn co_shadow;	/* the same behind STI: the next instruction comes first */
callout_fn co_budget;	/* icount ran out before the TU */
callout_fn co_stale;	/* the source bytes are no longer the ones translated */
callout_fn co_cs_check; /* EA: target of a near transfer, against the CS limit */
callout_fn co_seg_check, co_seg_fault; /* seg, imm: size, code: write */
callout_fn co_mmio_begin,
    co_mmio_end; /* imm: size; begin: code: read the device; end: reg: without a begin */
callout_fn co_mmio_push, co_mmio_peek; /* op: size; peek: EA is the offset in SS; value in scratch[3] */
callout_fn co_probe;		       /* imm: the probe; code: its condition holds */
/* EA: linear address about to be accessed and not mapped; code: write, reg: in the user window,
 * imm: size, op: a vector, imm2: TC offset of the pass, 0: none. co_bypass_end stores what the pass wrote. */
callout_fn co_precheck, co_bypass_end;
callout_fn co_precheck_string; /* code, op, rep as co_string; reg: in the user window */
callout_fn co_load_seg;	       /* seg, EA: selector; imm: bytes to pop afterwards; code: to be remembered */
callout_fn co_load_far; /* LDS and family: seg, reg, op; EA: offset of the pointer in imm2 = its segment */
callout_fn co_far_imm;	/* code: FAR_JMP, FAR_CALL; imm: offset, imm2: selector */
callout_fn co_far_mem;	/* pointer at EA */
callout_fn co_far_ret, co_iret, co_int, co_sysenter, co_sysexit, co_hlt;
callout_fn co_pushf, co_popf, co_cli;
callout_fn co_sti;	  /* code: CPL 0, and what follows looks at interrupts one instruction later */
callout_fn co_in, co_out; /* op: size; reg: 1 when the port is DX, else imm */
callout_fn co_string;	  /* movs cmps stos lods scas ins outs, by code */
callout_fn co_cpuid, co_rdtsc, co_rdmsr, co_wrmsr, co_xgetbv, co_xsetbv, co_rdpmc;
callout_fn co_mov_to_cr, co_mov_from_cr, co_mov_to_dr, co_mov_from_dr; /* reg: GPR, reg2: CR/DR */
callout_fn co_table; /* SGDT SIDT LGDT LIDT: code = enum table_op */
callout_fn co_lldt, co_ltr, co_lmsw, co_clts, co_invlpg, co_nop_cpl0;
callout_fn co_query;		       /* LAR LSL VERR VERW: code; reg destination; EA: selector */
callout_fn co_read_sreg, co_push_sreg; /* reg2: segment register */
callout_fn co_arpl;
callout_fn co_pusha, co_popa, co_enter, co_bound, co_bcd;
callout_fn co_divide; /* EA: divisor; op: size; code: IDIV */
callout_fn co_random; /* icount: RDRAND from a seeded generator; reg, op */
callout_fn co_break;  /* breakpoint at this address */

/* runtime/callout_vector.c. reg: data, reg2: mask, op: element size, imm: elements, seg, EA: offset.
 * Gather: code is the index register, asize the size of an index, imm2 the scale. */
callout_fn co_gather, co_masked_load, co_masked_store, co_maskmovq;

#define STRING_AHEAD 16 /* pages of a string operand that are mapped at once */

enum { FAR_JMP, FAR_CALL };
enum { TAB_SGDT, TAB_SIDT, TAB_LGDT, TAB_LIDT };
enum { STR_MOVS, STR_CMPS, STR_STOS, STR_LODS, STR_SCAS, STR_INS, STR_OUTS };
enum { BCD_DAA, BCD_DAS, BCD_AAA, BCD_AAS, BCD_AAM, BCD_AAD, BCD_SALC };
#endif
