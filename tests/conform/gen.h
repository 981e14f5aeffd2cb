/* SPDX-License-Identifier: GPL-3.0-or-later
 * Private to the generator: a row of forms.def becomes encodings (bracket lists expanded), an encoding
 * becomes forms (operand size, addressing mode, prefixes, segments), a form becomes cases (random, plausible
 * states). */
#ifndef TESTS_CONFORM_GEN_H
#define TESTS_CONFORM_GEN_H
#include "tests/conform/conform.h"
#include "tests/conform/rows.h"

enum { NO_MODE = -1, REG_MODE = -2, VSIB_MODE = -3 };
enum cs_kind { CS_FLAT32, CS_LDT16, CS_LDT32 };

struct form {
	const struct form_row *row;
	char *enc;	 /* bracket lists expanded */
	uint8_t op;	 /* operand size, 2 or 4 */
	uint8_t asize;	 /* address size, 2 or 4 */
	int8_t mode;	 /* index in amodes, or NO_MODE... */
	int8_t override; /* enum seg, or -1 */
	uint8_t cs;	 /* enum cs_kind */
	uint8_t lock;
	uint16_t ds, ss; /* selectors */
};

/* One addressing mode: register numbers, -1 for none. */
struct amode {
	const char *name;
	uint8_t asize, mod, rm, sib; /* sib 0xff: none */
	int8_t base, index;
	uint8_t scale, disp;
	uint8_t seg; /* the default */
};
extern const struct amode amodes[];
extern const unsigned namodes;

/* The case under construction. */
struct making {
	struct conform_case *c;
	const struct form *f;
	uint64_t rng;
	uint32_t ea;  /* linear address of the memory operand */
	uint32_t off; /* its offset */
	bool has_ea;
	unsigned used;	  /* bit mask of the registers that form the address */
	unsigned reg, rm; /* ModRM fields; rm of a register form */
	int32_t disp;
	uint32_t next; /* EIP after the instruction */
	unsigned vidx; /* VSIB: vector index register */
};

uint64_t rng_next(uint64_t *s);
static inline uint32_t rnd(struct making *m, uint32_t n)
{
	return (uint32_t)(rng_next(&m->rng) >> 20) % n;
}
static inline bool one_in(struct making *m, uint32_t n)
{
	return rnd(m, n) == 0;
}
uint32_t rnd_value(struct making *m); /* a 32-bit number, often a boundary value */

/* Return an offset in code segment SEL that holds an int3, outside the instruction. */
uint32_t code_target(struct making *m, uint16_t sel);

/* encode.c: append the instruction of m->f to m->c->code. */
void encode(struct making *m);
/* seq.c: make m->c->code a sequence of instructions, and set its registers. */
void make_sequence(struct making *m);
/* address.c: choose the memory operand and the registers that form its address. */
void choose_address(struct making *m);
uint16_t form_seg(const struct making *m, enum seg s);
/* setup.c */
void setup_fpu(struct making *m);
void setup_case(struct making *m);    /* before encoding: registers and memory */
void setup_encoded(struct making *m); /* after encoding: whatever depends on the length */
#endif
