/* SPDX-License-Identifier: GPL-3.0-or-later
 * Private to the generator: a row of tests/conform/forms.def becomes encodings (bracket lists expanded), an
 * encoding becomes cases with a random form and a random, plausible state. */
#ifndef TESTS_LONG_GEN_H
#define TESTS_LONG_GEN_H
#include "tests/conform/rows.h"
#include "tests/long/long.h"

enum { MAX_POKES = 2048 };

struct encoding {
	const struct form_row *row;
	char *enc; /* bracket lists expanded */
};

/* The case under construction. */
struct making {
	struct long_case *c;
	const struct encoding *e;
	uint64_t rng;
	uint8_t *mem; /* the image */
	struct {
		uint32_t at;
		uint8_t was;
	} * poked; /* for undoing */
	unsigned npoked;
	/* the form */
	unsigned op; /* operand size: 2, 4, 8 */
	bool rex, w, lock, memory, a32;
	int override;	  /* enum seg, or -1 */
	unsigned reg, rm; /* numbers in ModRM, with REX bits */
	/* the memory operand */
	int base, index; /* -1: none; BASE_RIP */
	unsigned scale, mod;
	int64_t disp;
	unsigned disp_at; /* position of a RIP-relative displacement in the code; 0: none */
	uint64_t ea, lin; /* effective and linear address */
	unsigned used;	  /* bit mask of the registers that form the address */
	unsigned vidx;	  /* VSIB: vector index register */
};
enum { BASE_RIP = 16 };

uint64_t rng_next(uint64_t *s);
static inline uint32_t rnd(struct making *m, uint32_t n)
{
	return (uint32_t)(rng_next(&m->rng) >> 20) % n;
}
static inline bool one_in(struct making *m, uint32_t n)
{
	return rnd(m, n) == 0;
}
uint64_t rnd_value(struct making *m); /* often a boundary value */

void poke(struct making *m, uint64_t lin, uint64_t v, unsigned n);
uint64_t peek(const struct making *m, uint64_t lin);
/* An address of INT3 bytes outside the instruction. */
uint64_t code_target(struct making *m);

/* operand.c: choose the memory operand and the registers that form its address. */
void choose_address(struct making *m);
/* After encoding: where it lies relative to the end of the instruction. */
void settle_address(struct making *m);
/* encode.c: append the instruction to m->c->code. */
void encode(struct making *m);
/* seq.c: make m->c->code a sequence of instructions. */
void make_sequence(struct making *m);
/* setup.c */
void setup_fpu(struct making *m);
void setup_case(struct making *m);    /* before encoding */
void setup_encoded(struct making *m); /* after it */
#endif
