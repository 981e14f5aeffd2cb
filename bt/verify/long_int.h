/* SPDX-License-Identifier: GPL-3.0-or-later
 * Private to the verifier's rules for 64-bit code. verify/long.c states the rules and walks the fragment;
 * long_value.c has what registers hold, long_track.c what instructions do to it; long_operand.c checks memory
 * operands. */
#ifndef BT_VERIFY_LONG_INT_H
#define BT_VERIFY_LONG_INT_H
#include "bt/verify/verify_int.h"

/* What a 64-bit value is made of: BASE + INDEX * SCALE + D * (the displacement of SPACE) + DISP, mod 2^64.
 * BASE and INDEX number unknown values, each of which was in some register once; 0: none. SPACE is 0, the own
 * one, or that which bits of an address chose; it means nothing where D is 0. */
struct sum {
	uint32_t base, index, space;
	uint8_t scale;
	bool loose; /* of what is probed: not this address, but one within 1 MiB */
	int8_t d;
	int64_t disp;
};

enum value_kind {
	L_PLAIN,   /* SUM alone is known */
	L_FIELD,   /* the monitor's field of the vCPU at offset N */
	L_V,	   /* the probe register of the space N */
	L_SHIFTED, /* OF shifted by the probe register of the space N */
	L_PART,	   /* eight bits that choose the space N */
	L_TABLE,   /* a table of entries of fragments, by the upper half of an address */
	L_ENTRY,   /* such an entry */
	L_TARGET,  /* such an entry as an address */
	L_MASK,	   /* bits of the field that masks extended state alone */
};
struct value {
	uint8_t kind, below; /* BELOW: less than 2^BELOW */
	bool is_short;	     /* a signed number of 32 bits, or less than 2^32 */
	uint32_t n;
	uint32_t own, of_own; /* numbers of the value itself, and of that which OF is of */
	struct sum sum, of;
};

/* A quadword of the vCPU whose value is known, as far as those of registers are. */
struct long_cell {
	uint32_t off;
	struct value value;
};

/* Numbers of spaces: the own one, that of the first entries of user code's tables; others are unknown. */
enum { L_OWN, L_LOW };
enum { L_REGS = 16, L_PROBES = 128, L_CELLS = 16 };
struct long_state {
	struct value reg[L_REGS];
	struct long_cell cell[L_CELLS];
	unsigned ncell;
	struct sum probed[L_PROBES]; /* as host addresses: D is 1 more than in the guest address */
	unsigned nprobed;	     /* in all; the last L_PROBES are kept */
	bool reached;
};

/* A place in the fragment that is reached by branches, with what is known there. */
struct long_join {
	uint32_t off;
	bool loop; /* from behind, too: nothing is known but what all branches must leave as it is */
	struct long_state state;
};

struct long_check {
	struct check c; /* the instruction; of the rest only what verify/insn.c looks at */
	const struct verify_long *l;
	struct long_state s;
	uint32_t last; /* number of an unknown value or space */
	struct long_join *join;
	unsigned njoin, room;
};

enum { RAX, RCX, RDX, RBX, RSP, RBP, RSI, RDI, R8, R9, R10, R11, R15 = 15 };

/* ---- verify/long.c ---- */
bool long_is_xsave(const struct check *c); /* or XRSTOR, or one of their like */

/* ---- verify/long_value.c ---- */
/* What the 64-bit register R holds; NULL: R is none. */
const struct value *long_value_of(const struct long_check *k, unsigned r);
struct value long_constant_value(uint64_t v);
struct value long_displacement(uint32_t space, int d);
struct value long_unknown(struct long_check *k, unsigned below);
/* State where nothing is known but that r9 and r10 hold V and D. */
void long_start(struct long_check *k);
void long_meet(struct long_check *k, struct long_state *into, const struct long_state *from);
/* The number of the general register that R is or is part of; L_REGS: it is none. *SIZE in bytes. */
unsigned long_register(unsigned r, unsigned *size);
/* The linear address of a memory operand, in host terms. False: it is no sum. */
bool long_address(struct long_check *k, const x86_op_mem *m, struct sum *out);
bool long_constant(const struct sum *s, uint64_t *v);
struct long_cell *long_find_cell(struct long_state *s, uint64_t off); /* NULL: unknown */
void long_set_cell(struct long_state *s, uint64_t off, const struct value *v);
/* A store to [OFF, OFF+SIZE) of the vCPU. */
void long_forget_cells(struct long_check *k, uint64_t off, unsigned size);
bool long_holds_v_and_d(const struct long_state *s);
/* Is it the load of a probe? Of which address: as a host address, in *OUT. */
bool long_is_probe(struct long_check *k, struct sum *out);
bool long_is_probed(const struct long_state *s, const struct sum *p); /* exactly P */
void long_note_probe(struct long_state *s, const struct sum *p);
/* State at an entry that takes FACTS for granted. */
void long_grant(struct long_check *k, uint32_t facts);
/* Do FACTS hold, for code that takes them for granted? */
bool long_grants(struct long_check *k, uint32_t facts);

/* ---- verify/long_track.c ---- */
void long_track(struct long_check *k); /* update the state for the instruction */

/* ---- verify/long_operand.c ---- */
const char *long_memory(struct long_check *k, const cs_x86_op *op, unsigned i);
/* SIZE bytes at the address S are accessed. */
const char *long_access(struct long_check *k, const struct sum *s, unsigned size, bool write);
const char *long_stack(struct long_check *k);		     /* PUSH, POP and their like */
const char *long_string(struct long_check *k, unsigned how); /* HOW: enum implicit */
bool long_is_table(const struct long_check *k, const x86_op_mem *m, enum value_kind *made);
bool long_is_choice(const struct long_check *k, const x86_op_mem *m, struct value *made);
#endif
