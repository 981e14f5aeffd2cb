/* SPDX-License-Identifier: GPL-3.0-or-later
 * Private to the verifier. verify/verify.c states the rules and walks the fragment; the other files implement
 * them. A check returns NULL, or a static text that names the broken rule. */
#ifndef BT_VERIFY_VERIFY_INT_H
#define BT_VERIFY_VERIFY_INT_H
#include "bt/verify/verify.h"

#include <capstone/capstone.h>

struct verifier {
	csh cs;
	cs_insn *insn;
	uint8_t *starts; /* a bit for each byte of the fragment: an instruction starts here */
	size_t room;
	bool avx512; /* the instruction is one of AVX-512, and INSN is its twin */
};

/* An instruction that Capstone lacks, read as another. */
struct twin {
	bool avx512, refused; /* REFUSED: it may not be read as anything */
	unsigned shorter;     /* by so many bytes than what it is the twin of */
	unsigned size;	      /* of the operand in memory; 0: as Capstone says */
};

enum { HOST_RSI = 1, HOST_RDI = 2 };

/* What is known about a scratch register. */
enum fact_kind {
	F_NONE,
	F_CONST,  /* a constant: VALUE */
	F_BELOW,  /* less than 2^VALUE */
	F_VCPU,	  /* r15 + VALUE */
	F_FIELD,  /* the monitor's pointer in the vCPU at VALUE */
	F_BASE,	  /* base of a window, by quarter */
	F_HOST,	  /* such a base plus a 32-bit value */
	F_ENTRY,  /* loaded from the jump table */
	F_TARGET, /* such an entry plus the base of the cache */
};
struct fact {
	enum fact_kind kind;
	int64_t value;
	size_t from; /* offset of the instruction that established it */
};

/* State of a check in progress. */
struct check {
	const struct verify_env *env;
	const cs_insn *in;
	const cs_x86 *x;
	uint64_t host, end;
	unsigned pointers; /* HOST_*: which of rsi and rdi hold host addresses */
	bool own_stack;	   /* rsp points into the vCPU, at: */
	int64_t rsp;
	struct fact fact[4]; /* of r8 to r11 */
	unsigned swapped, swapped_with,
	    swap_age;	       /* exchanged: guest and scratch register, instructions since */
	struct fact swap_fact; /* the fact of the guest register meanwhile */
	bool stops;	       /* the next instruction is not reached from this one */
};

static inline bool a32(const struct check *c)
{
	return c->x->addr_size == 4;
}
static inline bool scratch64(unsigned r)
{
	return r >= X86_REG_R8 && r <= X86_REG_R11;
}

/* ---- verify/verify.c ---- */
/* Decode the next instruction into V->insn, and advance. */
bool verify_decode(struct verifier *v, const uint8_t **code, size_t *len, uint64_t *at);
bool verify_reserve(struct verifier *v, size_t len); /* V->starts for LEN bytes, cleared */
const char *verify_fail(struct verify_error *err, const uint8_t *code, size_t len, size_t off,
			const cs_insn *in, const char *why);

/* ---- verify/twin.c ---- */
/* Make the twin of the instruction at CODE in OUT, which has 16 bytes. Return how many bytes of it there are;
 * 0: Capstone knows the instruction. */
unsigned verify_twin(const uint8_t *code, size_t len, uint8_t *out, struct twin *w);

/* ---- verify/insn.c ---- */
bool verify_is_forbidden(const struct check *c); /* whatever the operands */
bool verify_reads_second(const struct check *c); /* its second operand, if a register, is not written */
bool verify_is_branch(const struct check *c);
/* How memory is accessed through an implicit register; 0: it is not. */
enum implicit { IMP_SRC = 1, IMP_DST = 2, IMP_WINDOW = 4 /* takes the override: window form only */ };
unsigned verify_implicit(const struct check *c);
unsigned verify_fixed_reg(unsigned r);					    /* 12 to 15 in any size, or 0 */
unsigned verify_scratch_number(unsigned r);				    /* 8 to 11 in any size, or 0 */
const char *verify_system_register(unsigned r);				    /* it is none */
const char *verify_register(const struct check *c, unsigned i, unsigned r); /* as operand I */

/* ---- verify/fact.c ---- */
/* May code write [AT, AT+SIZE) of the vCPU? */
bool verify_writable(const struct verify_env *env, int64_t at, unsigned size);
/* Return the fact about register R (64-bit). Guest registers have none unless exchanged. */
const struct fact *verify_fact(const struct check *c, unsigned r);
/* Rely on F here: no branch may lead to between its origin and this instruction. */
void verify_rely(const struct check *c, const struct fact *f);
/* Is register R known to be less than 2^BITS? Relies on the fact. */
bool verify_below(const struct check *c, unsigned r, unsigned bits);
void verify_track_facts(struct check *c); /* updates facts for the instruction */

/* ---- verify/operand.c ---- */
const char *verify_memory(const struct check *c, const cs_x86_op *op, unsigned i); /* operand I */
bool verify_is_trap_page(const struct check *c, const x86_op_mem *m);

/* ---- verify/sequence.c ---- */
const char *verify_string(const struct check *c, unsigned how); /* memory accessed as HOW (enum implicit) */
/* "lea rsi,[rsi+r13]" (or a quarter's base): HOST_RSI or HOST_RDI; 0 for anything else. */
unsigned verify_makes_pointer(const struct check *c);
const char *verify_pointers(struct check *c); /* tracks rsi and rdi over the instruction */
bool verify_is_exchange(const struct check *c, unsigned *guest, unsigned *scratch);
void verify_start_exchange(struct check *c, unsigned guest, unsigned scratch);
const char *verify_between(struct check *c);
const char *verify_exchange_end(struct check *c);
bool verify_is_take_stack(const struct check *c); /* "lea rsp,[r15+disp]" */
const char *verify_take_stack(struct check *c);
const char *verify_stack(struct check *c); /* while rsp points into the vCPU */

/* ---- verify/branch.c ---- */
const char *verify_branch(struct check *c);
/* "lea r11,[rip+disp]": the return address of a call; inside the fragment or at its end? */
bool verify_is_return_address(const struct check *c);
uint64_t verify_return_address(const struct check *c);
bool verify_leads_inside(const struct check *c);
#endif
