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
	CO_X87,
	CO_KINDS
};

/* The callout FN gets EA, which the fragment left in r8d. It returns the host address at which execution
 * continues, 0 for behind the call, or 1 to leave the translation cache. */
struct site {
	uint64_t (*fn)(struct bt_vcpu *b, struct site *s, uint64_t ea);
	struct ccf *ccf;
	uint64_t eip, next; /* of the instruction, and of the one behind it */
	uint8_t insn;	    /* index in the TU */
	uint8_t op;	    /* operand size in bytes */
	uint8_t seg;	    /* segment of the memory operand, or segment register */
	uint8_t mem;	    /* the operand is in memory, at offset EA */
	uint8_t asize;	    /* address size in bytes */
	uint8_t kind;	    /* enum callout_kind */
	uint8_t fpu;	    /* needs x87 and vector registers saved around the call */
	uint16_t slot;	    /* its counter, see state/account.h */
	union {
		struct {
			uint32_t error;
			uint8_t vector;
			bool has_error;
		} raise;
		struct {
			uint32_t size;
			bool write;
		} check; /* of a segment's limit and rights */
		struct {
			uint32_t cycles; /* of the last use that was timed */
			uint16_t size;
			uint8_t align; /* begin: #GP when misaligned; 0: never */
			bool reads : 1,
			    writes : 1; /* begin: the device is read; the instruction writes, too */
			bool alone : 1; /* end: there was no begin */
			/* AVX-512: the mask register that selects elements, 0: none; bytes of one; how many
			 * bits of the mask count; how they select: those that are set count; one for all */
			bool packed : 1, whole : 1;
			bool offsets : 1; /* in SEG; not linear addresses */
			uint8_t mask, element, lanes;
		} mmio;
		struct {
			uint32_t bypass; /* TC offset of the access on the bounce buffer, 0: none */
			uint32_t again;	 /* of the precheck that can lead to a soft page, 0: none */
			uint16_t size;
			bool write : 1, user : 1; /* USER: in the user window */
			bool aligned : 1;	  /* raises #GP when misaligned */
			bool reads : 1;		  /* 64-bit code: the operand, or a part of it that stays */
		} precheck;
		struct {
			uint8_t op;  /* STR_* */
			uint8_t rep; /* 1 REP/REPE, 2 REPNE */
			bool user;   /* precheck: in the user window */
			bool one;    /* leave after one iteration */
		} string;
		struct {
			uint32_t pop; /* bytes to pop after the load of SEG */
			bool memo;    /* remember it in memo.seg[] */
		} load;
		struct {
			uint8_t reg, seg; /* LDS and family */
		} load_far;
		struct {
			uint32_t offset;
			uint16_t sel;
			uint8_t op; /* FAR_* */
		} far;
		struct {
			uint32_t pop;
		} far_ret;
		struct {
			uint8_t vector, how; /* HOW: as cpu_soft_int() takes it */
		} interrupt;
		struct {
			uint32_t mode; /* that the site was translated for */
		} syscall;
		struct {
			uint16_t number;
			bool in_dx;
		} port;
		struct {
			uint32_t index; /* in memo.cpuid or memo.msr */
		} memo;
		struct {
			bool aux; /* RDTSCP */
		} rdtsc;
		struct {
			bool kernel; /* CPL 0: the next instruction's end checks for interrupts */
		} sti;
		struct {
			uint8_t reg;   /* general register */
			uint8_t other; /* control, debug or segment register, or source */
			uint8_t code;  /* TAB_*, CPU_LAR and family */
		} regs;
		struct {
			uint8_t id;	/* enum virt_point, enum virt_own */
			uint8_t reg;	/* general register */
			uint8_t number; /* CR, DR, vector; VMREAD, VMWRITE: the other register */
			uint8_t bits;	/* GUEST_* of runtime/callout.h */
			uint32_t info;	/* with GUEST_RELATIVE */
			int32_t displacement;
		} guest;
		struct {
			uint32_t bytes;
			uint8_t level;
		} enter;
		struct {
			uint8_t op, base; /* BCD_* */
		} bcd;
		struct {
			bool is_signed;
		} divide;
		struct {
			uint8_t data, mask; /* registers */
			uint8_t index, index_size, scale;
			uint32_t n; /* elements of OP bytes */
		} vector;
		struct {
			uint32_t index; /* in probes.probe[] */
			bool holds;	/* its condition was compared in line */
		} probe;
	};
	uint64_t count;
};
_Static_assert(sizeof(struct site) <= 64, "a fragment has many of them");
#endif
