/* SPDX-License-Identifier: GPL-3.0-or-later
 * Callouts: what fragments call for the instructions they do not perform in line.
 * All have the signature of site.fn (state/site.h): called with the guest's state in
 * v.cpu (cpu.rip excepted), they return the host address at which execution continues,
 * or 0 for behind the call. EA is what the fragment left in r8 (32-bit code: r8d). Each reads the member
 * of the site's union that is named beside it, and op, seg, mem as the instruction has them. */
#ifndef BT_RUNTIME_CALLOUT_H
#define BT_RUNTIME_CALLOUT_H
#include "bt/state/vcpu.h"

typedef uint64_t callout_fn(struct bt_vcpu *b, struct site *s, uint64_t ea);

callout_fn co_raise;		       /* raise */
callout_fn co_intr;		       /* an interrupt waits: leave at s->next */
callout_fn co_shadow;		       /* the same behind STI: the next instruction comes first */
callout_fn co_budget;		       /* icount ran out before the TU */
callout_fn co_stale;		       /* the source bytes are no longer the ones translated */
callout_fn co_break;		       /* breakpoint at this address */
callout_fn co_cs_check;		       /* EA: target of a near transfer, against the CS limit, or canonical */
callout_fn co_seg_check, co_seg_fault; /* check */
callout_fn co_mmio_begin, co_mmio_end; /* mmio */
callout_fn co_mmio_push, co_mmio_peek; /* peek: EA is the offset in SS; value in scratch[3] */
callout_fn co_probe;		       /* probe */
/* precheck; EA: linear address about to be accessed and not mapped. co_bypass_end stores what the bypass
 * wrote. */
callout_fn co_precheck, co_bypass_end;
callout_fn co_precheck_string;	   /* string */
callout_fn co_soften, co_soft_end; /* precheck, of 64-bit code */
callout_fn co_load_seg;		   /* load; EA: selector */
callout_fn co_load_far;		   /* load_far; EA: offset of the pointer in the segment */
callout_fn co_far_imm;		   /* far */
callout_fn co_far_mem;		   /* far.op; pointer at EA */
callout_fn co_far_ret;		   /* far_ret */
callout_fn co_iret, co_hlt;
callout_fn co_int;		    /* interrupt */
callout_fn co_sysenter, co_sysexit; /* syscall */
callout_fn co_syscall, co_sysret, co_swapgs;
callout_fn co_pushf, co_popf, co_cli;
callout_fn co_sti;	  /* sti */
callout_fn co_in, co_out; /* port */
callout_fn co_string;	  /* string */
callout_fn co_cpuid;	  /* memo */
callout_fn co_rdmsr;	  /* memo */
callout_fn co_rdtsc;	  /* rdtsc */
callout_fn co_wrmsr, co_xgetbv, co_xsetbv, co_rdpmc;
callout_fn co_mov_to_cr, co_mov_from_cr, co_mov_to_dr, co_mov_from_dr; /* regs; other: CR or DR */
callout_fn co_table;						       /* regs.code: TAB_* */
callout_fn co_store_system;					       /* regs.code: SYS_* */
callout_fn co_lldt, co_ltr, co_lmsw, co_clts, co_invlpg, co_nop_cpl0;
callout_fn co_read_base, co_write_base; /* regs; other: FS or GS */
callout_fn co_set_ac;			/* CLAC STAC: regs.code: the value */
callout_fn co_invpcid, co_rdpid;	/* regs */
callout_fn co_query;			/* LAR LSL VERR VERW: regs; EA: selector */
callout_fn co_read_sreg, co_push_sreg;	/* regs; other: segment register */
callout_fn co_arpl;			/* regs */
callout_fn co_pusha, co_popa;
callout_fn co_enter;  /* enter */
callout_fn co_bound;  /* regs */
callout_fn co_bcd;    /* bcd */
callout_fn co_divide; /* divide; EA: divisor */
callout_fn co_random; /* regs; icount: RDRAND from a seeded generator */

/* runtime/callout_x87.c: no host address in the x87 unit's pointers, before the instruction that stores them;
 * in the image in v.cpu. */
callout_fn co_x87_pointers;
void x87_hide_saved(struct bt_vcpu *b);

/* runtime/callout_guest.c: guest. Of a virtualization extension and its guest mode (cpu/virt.h). EA:
 * effective address of a memory operand. */
callout_fn co_virt;	  /* execute one of its own instructions */
callout_fn co_virt_field; /* VMREAD, VMWRITE of a register */
callout_fn co_intercept;  /* before an instruction that is intercepted: an exit, or behind the call */
callout_fn co_guest_cr_write, co_guest_cr_read, co_guest_smsw, co_guest_rdtsc; /* in place of it */
enum {
	GUEST_ENDS = 1, /* the TU ends behind it */
	GUEST_IN = 2,
	GUEST_STRING = 4,
	GUEST_REP = 8,
	GUEST_IMMEDIATE = 16,
	GUEST_LINEAR = 32,  /* the extension gets the linear address */
	GUEST_RELATIVE = 4, /* of site.guest.info, whose bit 2 is none: the operand is relative to RIP */
	GUEST_SHADOW = 6,   /* from here: SHADOW_* of the instruction before it */
};

/* runtime/callout_vector.c: vector. EA: offset in SEG. */
callout_fn co_gather, co_masked_load, co_masked_store, co_maskmovq;
callout_fn co_gather_k, co_scatter_k; /* AVX-512 */

#define STRING_AHEAD 16 /* pages of a string operand that are mapped at once */

enum { FAR_JMP, FAR_CALL };
enum { TAB_SGDT, TAB_SIDT, TAB_LGDT, TAB_LIDT };
enum { SYS_LDTR, SYS_TR, SYS_MSW };
enum { STR_MOVS, STR_CMPS, STR_STOS, STR_LODS, STR_SCAS, STR_INS, STR_OUTS };
enum { BCD_DAA, BCD_DAS, BCD_AAA, BCD_AAS, BCD_AAM, BCD_AAD, BCD_SALC };
#endif
