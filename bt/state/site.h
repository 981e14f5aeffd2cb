/* SPDX-License-Identifier: GPL-3.0-or-later
 * A place in a fragment that calls the monitor, and the kinds of such calls. */
#ifndef BT_STATE_SITE_H
#define BT_STATE_SITE_H
#include "base/types.h"

struct bt_vcpu;
struct ccf;

enum callout_kind {
	CO_SYSTEM,
	CO_SEGLOAD,
	CO_FAR,
	CO_IRET,
	CO_INT,
	CO_IO,
	CO_STRING,
	CO_CPUID,
	CO_TSC,
	CO_MSR,
	CO_CR,
	CO_FLAGS,
	CO_HLT,
	CO_SEGCHECK,
	CO_MMIO,
	CO_PRECHECK,
	CO_PROBE,
	CO_OTHER,
	CO_KINDS
};

/* The callout FN gets EA, which the fragment left in r8d. It returns the host address at which execution
 * continues, 0 for behind the call, or 1 to leave the translation cache. */
struct site {
	uint64_t (*fn)(struct bt_vcpu *b, struct site *s, uint32_t ea);
	struct ccf *ccf;
	uint32_t eip, next; /* of the instruction, and of the one behind it */
	uint8_t insn;	    /* index in the TU */
	uint8_t op;	    /* operand size in bytes */
	uint8_t reg, reg2;  /* register operands or numbers (see fn) */
	uint8_t seg;	    /* segment of the memory operand, or segment register */
	uint8_t mem;	    /* the operand is in memory, at offset EA */
	uint8_t rep;	    /* string: 1 REP/REPE, 2 REPNE */
	uint8_t asize;	    /* address size in bytes */
	uint8_t kind;	    /* enum callout_kind */
	uint8_t fpu;	    /* needs x87 and vector registers saved around the call */
	uint8_t code;	    /* sub-operation */
	uint16_t slot;	    /* its counter, see state/account.h */
	uint32_t imm, imm2;
	uint64_t count;
};
#endif
