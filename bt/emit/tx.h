/* SPDX-License-Identifier: GPL-3.0-or-later
 * The translator's work space: the TU being translated, the fragment under construction, and the position in
 * its code. */
#ifndef BT_EMIT_TX_H
#define BT_EMIT_TX_H
#include "bt/decode/insn.h"
#include "bt/state/vcpu.h"

enum tx_kind { TX_NORMAL, TX_TRANSIENT, TX_MMIO };

/* A conditional exit, emitted out of line after the body. */
struct stub {
	uint8_t *patch;		/* rel32 to fill in */
	struct exit_link *link; /* chain stub */
	struct site *site;	/* or a callout that does not return to the fragment */
	uint64_t eip;
	unsigned insn; /* index in the TU */
};

#define MAX_STUBS 16

/* How an access is made: the guest's instruction, or OP REG,[...] with FL (bytes.h) and an immediate. */
struct access {
	bool insn;
	unsigned fl, op;
	int reg;
	unsigned imm_bytes;
	uint32_t imm;
};

/* An access that may be bypassed, or made in a soft page (lower/precheck.c). */
struct precheck {
	struct site *site;
	unsigned insn;
	struct access access;
	bool bypass, user, keep;
	bool is_long;  /* lower/long_precheck.c */
	uint8_t *soft; /* rel32 of the jump there */
	uint8_t *miss; /* where it returns to if the page is not soft */
	uint8_t *back; /* where the TU continues */
};

/* 64-bit code: what the TU has probed (lower/long_facts.c), so far as it is still true. */
struct long_facts {
	uint16_t regs;	    /* bit N: the address in guest register N, less its drift */
	uint16_t shorts;    /* bit N: register N is an extended number of 32 bits */
	uint16_t entry;	    /* bit N: what is known of register N is from the fragment's entry */
	uint16_t low;	    /* bit N: what is known of register N is that its address is in the lower part */
	uint16_t pairs;	    /* bit N: register N may be the sum of two others */
	bool joined;	    /* nothing is known behind the instruction: code behind the TU leads there */
	bool low_constant;  /* addresses of the lower part's first 4 GiB */
	uint8_t origin[16]; /* facts_wanted(): the register at the entry that N is made from */
	int32_t drift[16];  /* constants added since */
	bool constant;	    /* addresses in REGION, of 4 GiB */
	uint32_t region;
	uint8_t segs; /* bit N: the base of segment N */
	bool sum;     /* the address BASE + (INDEX << SCALE) + DISP */
	int8_t base, index;
	uint8_t scale;
	int32_t disp;
	bool sum_entry; /* it is as it was at the fragment's entry, but for DISP */
};

struct tx {
	struct bt_vcpu *b;
	struct ccf *f;
	uint8_t *base, *p, *end; /* in the writable view */
	struct insn in[TU_LIMIT];
	unsigned n, i; /* instructions decoded; index of the one being lowered */
	uint32_t mode;
	enum tx_kind kind;
	bool done; /* this instruction ended the TU */
	struct {
		uint8_t *imm; /* 32 bits: the number of instructions after it, which were charged too */
		unsigned i;
	} refund[MAX_EXITS];
	unsigned nrefund;
	struct mark marks[TU_LIMIT * 10];
	unsigned nmark;
	uint16_t ioff[TU_LIMIT + 1], goff[TU_LIMIT + 1];
	uint8_t low[TU_LIMIT];
	struct stub stubs[MAX_STUBS];
	unsigned nstub;
	struct precheck precheck[TU_LIMIT];
	unsigned nprecheck;
	enum way way;			/* of the current instruction, if it is sensitive */
	uint8_t *probe_from, *probe_to; /* code for the probes of the current instruction */
	bool sti;	/* the instruction was STI or a load of SS: no interrupt before the next */
	bool inhibited; /* the one before it was */
	struct long_facts facts;
	/* For moving the fragment to another linear address (translate/move.c): */
	bool fixed;		      /* it cannot be */
	uint16_t move[TU_LIMIT];      /* host offsets of 64-bit constants that move with it */
	struct site *sites[TU_LIMIT]; /* and what has addresses, too */
	unsigned nmove, nsites;
	uint64_t lowest, highest; /* of the addresses relative to RIP */
	unsigned polled; /* 64-bit code: the instruction whose poll is in front of the one before it, or 0 */
};

static inline uint32_t tx_host(const struct tx *t)
{
	return (uint32_t)(t->p - t->b->tc.rw);
}

static inline void tx_mark(struct tx *t, enum fixup fix, unsigned arg)
{
	if (t->nmark < ARRAY_LEN(t->marks))
		t->marks[t->nmark++] =
		    (struct mark){ (uint16_t)(t->p - t->base), (uint8_t)t->i, fix, arg & 15 };
}
#endif
