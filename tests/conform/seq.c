/* SPDX-License-Identifier: GPL-3.0-or-later
 * Sequences of instructions whose flags and registers feed each other, with memory accesses that may fault
 * midway and short forward jumps. They test what single instructions cannot: flags that live across
 * instructions and translation units, and exact state at a fault after other work. EBX is the only pointer
 * and is never written. */
#include "tests/conform/gen.h"

enum kind {
	K_RR,	 /* ModRM, registers */
	K_RM,	 /* ModRM, memory at [ebx+d8] or a register */
	K_DIGIT, /* ModRM with /digit, register or memory */
	K_REG,	 /* register in the opcode */
	K_NONE,
	K_JCC,	/* jumps over the next two bytes */
	K_PUSH, /* stack, register in the opcode */
};

/* Opcode bytes (0f first if it is an escape), digit, immediate bytes. These leave no flag undefined. */
static const struct piece {
	enum kind kind;
	uint8_t esc, op, span; /* opcodes op .. op+span-1 */
	uint8_t digit, imm;
} pieces[] = {
	{ K_RM, 0, 0x01, 1, 0, 0 },	{ K_RM, 0, 0x03, 1, 0, 0 },	   { K_RM, 0, 0x11, 1, 0, 0 },
	{ K_RM, 0, 0x13, 1, 0, 0 },	{ K_RM, 0, 0x19, 1, 0, 0 },	   { K_RM, 0, 0x1b, 1, 0, 0 },
	{ K_RM, 0, 0x29, 1, 0, 0 },	{ K_RM, 0, 0x39, 1, 0, 0 },	   { K_RM, 0, 0x3b, 1, 0, 0 },
	{ K_RM, 0, 0x38, 1, 0, 0 },	{ K_RM, 0, 0x89, 1, 0, 0 },	   { K_RM, 0, 0x8b, 1, 0, 0 },
	{ K_RM, 0, 0x8a, 1, 0, 0 },	{ K_RM, 0x0f, 0xb6, 2, 0, 0 },	   { K_RM, 0x0f, 0xbe, 2, 0, 0 },
	{ K_RM, 0x0f, 0x40, 16, 0, 0 }, { K_DIGIT, 0x0f, 0x90, 16, 0, 0 }, { K_RM, 0x0f, 0xb1, 1, 0, 0 },
	{ K_RM, 0x0f, 0xc1, 1, 0, 0 },	{ K_DIGIT, 0, 0x83, 1, 2, 1 },	   { K_DIGIT, 0, 0x83, 1, 5, 1 },
	{ K_DIGIT, 0, 0x80, 1, 7, 1 },	{ K_DIGIT, 0, 0xf7, 1, 2, 0 },	   { K_DIGIT, 0, 0xf7, 1, 3, 0 },
	{ K_DIGIT, 0, 0xff, 1, 0, 0 },	{ K_DIGIT, 0, 0xff, 1, 1, 0 },	   { K_RR, 0, 0x87, 1, 0, 0 },
	{ K_REG, 0, 0x40, 8, 0, 0 },	{ K_REG, 0, 0x48, 8, 0, 0 },	   { K_NONE, 0, 0x9e, 2, 0, 0 },
	{ K_NONE, 0, 0xf5, 1, 0, 0 },	{ K_NONE, 0, 0xf8, 2, 0, 0 },	   { K_NONE, 0, 0xd6, 1, 0, 0 },
	{ K_NONE, 0, 0x98, 2, 0, 0 },	{ K_NONE, 0, 0xfc, 2, 0, 0 },	   { K_JCC, 0, 0x70, 16, 0, 0 },
	{ K_JCC, 0, 0x70, 16, 0, 0 },	{ K_JCC, 0, 0xeb, 1, 0, 0 },	   { K_PUSH, 0, 0x50, 8, 0, 0 },
	{ K_PUSH, 0, 0x58, 8, 0, 0 },	{ K_NONE, 0, 0x9c, 1, 0, 0 },	   { K_NONE, 0, 0xaa, 2, 0, 0 },
	{ K_NONE, 0, 0xac, 2, 0, 0 },	{ K_NONE, 0, 0xa4, 2, 0, 0 },
};

static void byte(struct making *m, unsigned v)
{
	m->c->code[m->c->len++] = (uint8_t)v;
}

static unsigned pick_reg(struct making *m) /* neither EBX (or a part of it) nor ESP */
{
	static const uint8_t regs[] = { R_EAX, R_ECX, R_EDX, R_EBP, R_ESI, R_EDI };

	return regs[rnd(m, ARRAY_LEN(regs))];
}

/* In byte instructions numbers 3 and 7 are BL and BH. */
static unsigned pick_any(struct making *m)
{
	static const uint8_t regs[] = { R_EAX, R_ECX, R_EDX, R_ESP, R_EBP, R_ESI };

	return regs[rnd(m, ARRAY_LEN(regs))];
}

static void modrm(struct making *m, const struct piece *p, bool byte_op, bool memory)
{
	unsigned reg = p->kind == K_DIGIT ? p->digit : byte_op ? pick_any(m) : pick_reg(m);

	if (memory) {
		byte(m, 0x40 | reg << 3 | (m->f->asize == 2 ? 7 : R_EBX));
		byte(m, rnd(m, 256));
	} else {
		byte(m, 0xc0 | reg << 3 | (byte_op ? pick_any(m) : pick_reg(m)));
	}
}

static bool is_byte_op(const struct piece *p, unsigned op)
{
	if (p->esc)
		return (op & 0xf0) == 0x90 || op == 0xb6 || op == 0xbe;
	return op == 0x38 || op == 0x8a || op == 0x80;
}

static void put_piece(struct making *m, const struct piece *p)
{
	unsigned op = p->op + rnd(m, p->span);

	if (p->kind != K_JCC && p->kind != K_PUSH && one_in(m, 6))
		byte(m, 0x66);
	if (p->esc)
		byte(m, p->esc);
	if (p->kind == K_REG || p->kind == K_PUSH)
		op = p->op + pick_reg(m);
	byte(m, op);
	if (p->kind == K_RR)
		modrm(m, p, false, false);
	if (p->kind == K_RM || p->kind == K_DIGIT)
		modrm(m, p, is_byte_op(p, op), one_in(m, 2));
	for (unsigned i = 0; i < p->imm; i++)
		byte(m, rnd(m, 256));
	if (p->kind == K_JCC) { /* over two bytes of filler */
		byte(m, 2);
		byte(m, 0x40 + pick_reg(m));
		byte(m, 0x48 + pick_reg(m));
	}
}

void make_sequence(struct making *m)
{
	uint32_t *r = m->c->st.gpr;
	unsigned n = 2 + rnd(m, 9);
	bool low = m->f->asize == 2;
	uint32_t base = low ? RGN_LOW_ADDR : RGN_HIGH_ADDR;

	r[R_EBX] = base + 0x100 + (one_in(m, 4) ? 0x3e00 + rnd(m, 0x100) : rnd(m, 0x3800));
	r[R_ESI] = base + 0x100 + rnd(m, 0x3e00);
	r[R_EDI] = base + 0x100 + rnd(m, 0x3e00);
	if (low)
		r[R_EBX] |= 0x550000, r[R_ESI] |= 0x330000;
	while (n-- && m->c->len < 52)
		put_piece(m, &pieces[rnd(m, ARRAY_LEN(pieces))]);
}
