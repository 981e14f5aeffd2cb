/* SPDX-License-Identifier: GPL-3.0-or-later
 * Sequences of instructions whose flags, registers and addresses feed each other, with accesses that may
 * fault midway and short forward jumps. They test what single instructions cannot: flags that live across
 * instructions, probes that serve several accesses, and exact state at a fault after other work. RBX, R9, R13
 * and RSP are pointers and are only moved by little; R14 is a small index. */
#include "tests/long/gen.h"

enum { R9 = 9, R13 = 13, R14 = 14 };

enum kind {
	K_RR,	 /* ModRM, registers */
	K_RM,	 /* ModRM, memory or a register */
	K_DIGIT, /* ModRM with /digit, memory or a register */
	K_REG,	 /* register in the opcode */
	K_NONE,
	K_JCC,	 /* jumps over the next three bytes */
	K_PUSH,	 /* stack, register in the opcode */
	K_MOVE,	 /* a pointer is moved by a byte's worth */
	K_COPY,	 /* a pointer becomes another */
	K_STACK, /* RSP is moved */
};

/* Opcode bytes (0f first if it is an escape), digit, immediate bytes. These leave no flag undefined. */
static const struct piece {
	enum kind kind;
	uint8_t esc, op, span; /* opcodes op .. op+span-1 */
	uint8_t digit, imm;
} pieces[] = {
	{ K_RM, 0, 0x01, 1, 0, 0 },	   { K_RM, 0, 0x03, 1, 0, 0 },	  { K_RM, 0, 0x11, 1, 0, 0 },
	{ K_RM, 0, 0x13, 1, 0, 0 },	   { K_RM, 0, 0x19, 1, 0, 0 },	  { K_RM, 0, 0x1b, 1, 0, 0 },
	{ K_RM, 0, 0x29, 1, 0, 0 },	   { K_RM, 0, 0x39, 1, 0, 0 },	  { K_RM, 0, 0x3b, 1, 0, 0 },
	{ K_RM, 0, 0x38, 1, 0, 0 },	   { K_RM, 0, 0x89, 1, 0, 0 },	  { K_RM, 0, 0x8b, 1, 0, 0 },
	{ K_RM, 0, 0x88, 1, 0, 0 },	   { K_RM, 0, 0x8a, 1, 0, 0 },	  { K_RM, 0, 0x63, 1, 0, 0 },
	{ K_RM, 0x0f, 0xb6, 2, 0, 0 },	   { K_RM, 0x0f, 0xbe, 2, 0, 0 }, { K_RM, 0x0f, 0x40, 16, 0, 0 },
	{ K_DIGIT, 0x0f, 0x90, 16, 0, 0 }, { K_RM, 0x0f, 0xb1, 1, 0, 0 }, { K_RM, 0x0f, 0xc1, 1, 0, 0 },
	{ K_DIGIT, 0, 0x83, 1, 2, 1 },	   { K_DIGIT, 0, 0x83, 1, 5, 1 }, { K_DIGIT, 0, 0x80, 1, 7, 1 },
	{ K_DIGIT, 0, 0xf7, 1, 2, 0 },	   { K_DIGIT, 0, 0xf7, 1, 3, 0 }, { K_DIGIT, 0, 0xff, 1, 0, 0 },
	{ K_DIGIT, 0, 0xff, 1, 1, 0 },	   { K_DIGIT, 0, 0xff, 1, 6, 0 }, { K_DIGIT, 0, 0x8f, 1, 0, 0 },
	{ K_RM, 0, 0x87, 1, 0, 0 },	   { K_RM, 0, 0x8d, 1, 0, 0 },	  { K_NONE, 0, 0x9e, 2, 0, 0 },
	{ K_NONE, 0, 0xf5, 1, 0, 0 },	   { K_NONE, 0, 0xf8, 2, 0, 0 },  { K_NONE, 0, 0x98, 2, 0, 0 },
	{ K_NONE, 0, 0xfc, 2, 0, 0 },	   { K_JCC, 0, 0x70, 16, 0, 0 },  { K_JCC, 0, 0x70, 16, 0, 0 },
	{ K_JCC, 0, 0xe3, 1, 0, 0 },	   { K_JCC, 0, 0xeb, 1, 0, 0 },	  { K_PUSH, 0, 0x50, 8, 0, 0 },
	{ K_PUSH, 0, 0x58, 8, 0, 0 },	   { K_NONE, 0, 0x9c, 1, 0, 0 },  { K_NONE, 0, 0xaa, 2, 0, 0 },
	{ K_NONE, 0, 0xac, 2, 0, 0 },	   { K_NONE, 0, 0xa4, 2, 0, 0 },  { K_MOVE, 0, 0, 0, 0, 0 },
	{ K_MOVE, 0, 0, 0, 0, 0 },	   { K_COPY, 0, 0, 0, 0, 0 },	  { K_STACK, 0, 0, 0, 0, 0 },
	{ K_STACK, 0, 0, 0, 0, 0 },
};

static void byte(struct making *m, unsigned v)
{
	m->c->code[m->c->len++] = (uint8_t)v;
}

/* No pointer, nor a part of one. */
static unsigned pick_data(struct making *m)
{
	static const uint8_t regs[] = { R_EAX, R_ECX, R_EDX, R_EBP, 8, 10, 11, 12, 15 };

	return regs[rnd(m, ARRAY_LEN(regs))];
}

static unsigned pick_pointer(struct making *m)
{
	static const uint8_t regs[] = { R_EBX, R9, R13 };

	return regs[rnd(m, ARRAY_LEN(regs))];
}

/* REX of REG and RM; W for a half of the instructions. */
static void rex(struct making *m, unsigned reg, unsigned index, unsigned rm)
{
	byte(m, 0x40 | (one_in(m, 2) ? 8 : 0) | (reg & 8 ? 4 : 0) | (index & 8 ? 2 : 0) | (rm & 8 ? 1 : 0));
}

static void opcode(struct making *m, const struct piece *p, unsigned op)
{
	if (p->esc)
		byte(m, p->esc);
	byte(m, op);
}

static void memory(struct making *m, const struct piece *p, unsigned op, unsigned reg)
{
	unsigned base = one_in(m, 4) ? R_ESP : pick_pointer(m);
	bool index = one_in(m, 3), wide = one_in(m, 4);

	rex(m, reg, index ? R14 : 0, base);
	opcode(m, p, op);
	byte(m, (wide ? 0x80 : 0x40) | (reg & 7) << 3 | (index || base == R_ESP ? 4 : base & 7));
	if (index || base == R_ESP)
		byte(m, rnd(m, 4) << 6 | (index ? R14 & 7 : 4) << 3 | (base & 7));
	byte(m, rnd(m, 128));
	for (unsigned i = 0; wide && i < 3; i++)
		byte(m, 0);
}

static void operands(struct making *m, const struct piece *p, unsigned op)
{
	unsigned reg = p->kind == K_DIGIT ? p->digit : pick_data(m), rm = pick_data(m);

	if (op == 0x8d || one_in(m, 2)) {
		memory(m, p, op, reg);
		return;
	}
	rex(m, reg, 0, rm);
	opcode(m, p, op);
	byte(m, 0xc0 | (reg & 7) << 3 | (rm & 7));
}

static void move_pointer(struct making *m)
{
	unsigned r = one_in(m, 4) ? R14 : pick_pointer(m);

	byte(m, 0x48 | (r & 8 ? 5 : 0));
	switch (rnd(m, 4)) {
	case 0: /* ADD */
		byte(m, 0x83);
		byte(m, 0xc0 | (r & 7));
		byte(m, rnd(m, 32));
		break;
	case 1: /* LEA */
		byte(m, 0x8d);
		byte(m, 0x40 | (r & 7) << 3 | (r & 7));
		if ((r & 7) == R_ESP)
			byte(m, 0x24);
		byte(m, rnd(m, 32));
		break;
	case 2: /* INC */
		byte(m, 0xff);
		byte(m, 0xc0 | (r & 7));
		break;
	default: /* SUB */
		byte(m, 0x83);
		byte(m, 0xe8 | (r & 7));
		byte(m, rnd(m, 32));
	}
}

static void copy_pointer(struct making *m)
{
	unsigned a = pick_pointer(m), b = pick_pointer(m);

	byte(m, 0x48 | (b & 8 ? 4 : 0) | (a & 8 ? 1 : 0));
	byte(m, one_in(m, 2) ? 0x87 : 0x89);
	byte(m, 0xc0 | (b & 7) << 3 | (a & 7));
}

static void move_stack(struct making *m)
{
	static const uint8_t op[] = { 0xc4, 0xec, 0xe4 }; /* ADD, SUB, AND */
	unsigned k = rnd(m, 4);

	byte(m, 0x48);
	if (k == 3) { /* LEA */
		byte(m, 0x8d);
		byte(m, 0x64);
		byte(m, 0x24);
		byte(m, rnd(m, 64) - 32);
		return;
	}
	byte(m, 0x83);
	byte(m, op[k]);
	byte(m, k == 2 ? 0xf0 : rnd(m, 64));
}

static void put_piece(struct making *m, const struct piece *p)
{
	unsigned op = p->op + rnd(m, p->span ? p->span : 1), r;

	switch (p->kind) {
	case K_MOVE:
		move_pointer(m);
		return;
	case K_COPY:
		copy_pointer(m);
		return;
	case K_STACK:
		move_stack(m);
		return;
	case K_RR:
	case K_RM:
	case K_DIGIT:
		if (one_in(m, 6) && op != 0x8f)
			byte(m, 0x66);
		operands(m, p, op);
		break;
	case K_REG:
	case K_PUSH:
		r = pick_data(m);
		byte(m, 0x40 | (r & 8 ? 1 : 0));
		byte(m, p->op + (r & 7));
		break;
	case K_NONE:
	case K_JCC:
		byte(m, op);
		break;
	}
	for (unsigned i = 0; i < p->imm; i++)
		byte(m, rnd(m, 256));
	if (p->kind == K_JCC) { /* over INC of a register */
		byte(m, 3);
		r = pick_data(m);
		byte(m, 0x48 | (r & 8 ? 1 : 0));
		byte(m, 0xff);
		byte(m, 0xc0 | (r & 7));
	}
}

static uint64_t place(struct making *m, enum region_id id)
{
	const struct region *r = &long_regions[id];

	return r->addr + (one_in(m, 4) ? r->size - 0x200 + rnd(m, 0x180) : 0x100 + rnd(m, r->size - 0x400));
}

void make_sequence(struct making *m)
{
	uint64_t *r = m->c->st.gpr;
	unsigned n = 2 + rnd(m, 10);

	r[R_EBX] = place(m, RGN_HIGH);
	r[R9] = place(m, one_in(m, 2) ? RGN_EDGE : RGN_HIGH);
	r[R13] = place(m, RGN_LOW);
	r[R14] = rnd(m, 16);
	r[R_ESI] = place(m, RGN_HIGH);
	r[R_EDI] = place(m, RGN_LOW);
	while (n-- && m->c->len < sizeof(m->c->code) - 14)
		put_piece(m, &pieces[rnd(m, ARRAY_LEN(pieces))]);
}
