/* SPDX-License-Identifier: GPL-3.0-or-later
 * A compiled code fragment (CCF): one translation unit's translation, with its exits and what the fault
 * handler needs to restore exact guest state. */
#ifndef BT_STATE_FRAGMENT_H
#define BT_STATE_FRAGMENT_H
#include "bt/state/mode.h"

struct bt_vcpu;
struct ccf;

#define TU_DEFAULT 32 /* guest instructions in a TU */
#define TU_LIMIT 64

/* How an instruction was lowered, for views and colours. */
enum lowering { LOW_IDENT, LOW_WINDOW, LOW_INTC, LOW_CALLOUT, LOW_CHAIN, LOW_EXIT, LOW_COUNT };

/* What a fault at a host instruction must undo to give exact guest state. */
enum fixup {
	FIX_NONE,
	FIX_XCHG,    /* arg: guest register that is exchanged with r8 */
	FIX_STRING,  /* interruptible here: a REP in progress */
	FIX_POLL,    /* poll: pc is the instruction's own */
	FIX_POLL_R8, /* poll after the instruction: pc is in r8d */
	FIX_XSAVE,   /* eax is in r10, edx in r11 */
	FIX_ENTRY,   /* in front of the first instruction: a probe of what the entry takes for granted */
};
/* The argument of FIX_STRING marks: log2 of the element size in two bits, and */
#define STRING_SIZE(arg) (1u << ((arg)&3))
#define STRING_SOURCE 4	   /* reads at ESI before it accesses EDI */
#define STRING_MAP_AHEAD 8 /* REP MOVS or STOS: may map the pages it reaches next */
/* That of FIX_NONE marks in 64-bit code: an address that is not canonical raises #SS; the access may not take
 * place at all. */
enum { MARK_STACK = 1, MARK_OPTIONAL };
/* That of FIX_POLL_R8 marks there: what the transfer has done to RSP. */
enum { JUMP_PLAIN, JUMP_POPPED, JUMP_PUSHED };
/* Valid from host offset HOST to the next mark. */
struct mark {
	uint16_t host;
	uint8_t insn;
	uint8_t fix : 4, arg : 4; /* arg: a register, or one of the above */
};

enum trap_cause {
	TRAP_FILL,
	TRAP_TRUE,
	TRAP_USER,
	TRAP_MMIO,
	TRAP_CODE,
	TRAP_POLL,
	TRAP_FPE,
	TRAP_ILL,
	TRAP_GP,
	TRAP_SENS,
	TRAP_CAUSES
};

/* A direct exit: starts as a jump to its stub and is patched to jump to its target. */
struct exit_link {
	uint64_t (*fn)(struct bt_vcpu *b, struct exit_link *l, uint64_t ea); /* as in struct site */
	struct ccf *from;
	struct ccf *to;				  /* chained to, or NULL */
	struct exit_link *next_in;		  /* other links into TO */
	struct exit_link *cross_next, **cross_at; /* while it is in tc.cross: the next, what points to it */
	uint64_t eip;				  /* target */
	gva pc;
	uint32_t patch; /* TC offset of the rel32 */
	uint32_t stub;	/* TC offset of the stub */
	uint32_t table; /* TC offset of code that goes by the jump table, or 0 (cache/domain.c) */
	bool cross;	/* leaves the page: only chained where that is safe */
	bool no_chain;
	uint32_t facts; /* 64-bit code: registers whose addresses are probed where it leaves */
};

/* 64-bit code enters a fragment at its start, where nothing is known; behind the probe of RSP, as indirect
 * transfers do; or behind the probes of all registers in FACTS. Offsets from the start. */
struct ccf_entry {
	uint32_t facts; /* bit N: the address in guest register N; and one sum of two: */
	uint16_t stack, all;
};
/* The sum's registers and log2 of the index's scale. */
enum { FACT_BASE = 16, FACT_INDEX = 20, FACT_SCALE = 24, FACT_SUM = 1 << 26 };
#define FACT_OF(base, index, scale)                                                                          \
	(FACT_SUM | (uint32_t)(base) << FACT_BASE | (uint32_t)(index) << FACT_INDEX |                        \
	 (uint32_t)(scale) << FACT_SCALE)

/* Does HAVE hold all facts of WANT? */
static inline bool facts_hold(uint32_t have, uint32_t want)
{
	return !((want & ~have) & 0xffff) && (!(want & FACT_SUM) || want >> FACT_BASE == have >> FACT_BASE);
}
enum { ENTRY_HASHES = 1 << 16 };
#define ENTRY_HASH(pc) ((uint32_t)((pc)*0x9e3779b97f4a7c15ull >> 48))
enum { LONG_STACK_ENTRY = 18 }; /* ENTRY.STACK of every fragment that a jump table leads to */

#define MAX_FORWARD 2 /* conditional branches within a TU, beside that at its end */
#define MAX_EXITS (MAX_FORWARD + 2)

/* What changes when a fragment moves to another linear address (translate/move.c). */
struct ccf_moves {
	bool can;
	uint8_t n, nsites;
	uint16_t *at; /* host offsets of addresses */
	struct site **sites;
	uint64_t lowest,
	    highest; /* of the addresses that it accesses relative to RIP; LOWEST is above HIGHEST: none */
};

/* A sensitive instruction in a fragment. */
struct sens_use {
	uint8_t insn, kind, way; /* index in the TU, enum sens, enum way */
	uint8_t work;		 /* in the TC: host code in units of four bytes, taken for a cycle each */
};

#define NOT_COUNTED UINT32_MAX
/* Large because it is one record for a fragment's key, code, guest map, exits and figures, allocated at once.
 */
struct ccf {
	gva pc;
	uint64_t eip;
	uint32_t mode;
	uint32_t cs_base, cs_limit;
	ppn page, page2;      /* page2: UINT32_MAX unless an instruction straddles */
	uint32_t host, hsize; /* TC offset of the entry; size to the end of the stubs */
	struct ccf_entry entry;
	uint16_t body; /* bytes before the stubs */
	uint8_t ninsn, nlink;
	uint16_t nmark;
	uint16_t glen; /* guest bytes */
	struct ccf_moves moves;
	struct code_group *group; /* cache/domain.c; NULL: none */
	struct ccf *gnext;	  /* of its members */
	bool dead;
	bool checked; /* compares its source bytes at entry */
	struct exit_link link[MAX_EXITS];
	struct exit_link *in;
	struct mark *marks;
	uint16_t *ioff;		    /* host offset of each instruction, then guest offset */
	uint8_t *low;		    /* enum lowering of each */
	struct ccf *hnext;	    /* hash chain */
	struct ccf *pnext, *pnext2; /* page chains */
	uint32_t counter;	    /* index in entries.count[], or NOT_COUNTED */
	uint32_t traps[TRAP_CAUSES];
	struct sens_use *sens; /* its sensitive instructions */
	uint8_t nsens;
	uint64_t cycles; /* of the host, in traps and in what replaces them */
	uint64_t made;	 /* host TSC */
	bool pinned;	 /* by the user: neither adaptation nor a full cache drops it */
	bool prechecks;	 /* has a site that is prechecked */
	uint32_t callouts;
};

/* The linear address of EIP in F's code segment. */
static inline gva ccf_linear(const struct ccf *f, uint64_t eip)
{
	return mode_long(f->mode) ? eip : (uint32_t)(f->cs_base + eip);
}
#endif
