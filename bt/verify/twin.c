/* SPDX-License-Identifier: GPL-3.0-or-later
 * Instructions that Capstone 4 lacks or knows in part: AVX-512, and one of AVX2. Each is read as a twin: an
 * instruction that it knows, with the same operand in memory and the same general registers, read or written.
 * Vector and mask registers are nobody's but the guest's, so that any will do. EVEX is one byte longer than
 * the VEX prefix of its twin. */
#include "bt/verify/verify_int.h"

#include <string.h>

enum { PP_66 = 1, PP_F3, PP_F2 };
enum { VEX_NO_VVVV = 0x78, VEX_W = 0x80, VEX_L = 4, VEX_RXB = 0xe0 };
enum { MAX_BYTES = 15, EVEX_BYTES = 4, ZMM_BYTES = 64 };

/* What the instruction is, whatever its prefix. */
struct coded {
	unsigned rxb; /* inverted, as the prefix has it */
	unsigned map, pp, op, modrm;
	bool w, imm;
};

/* The twin: VEX map, opcode and the byte before it; REGISTERS: xmm0 alone, whatever ModRM says. */
struct form {
	unsigned map, op, last;
	bool registers;
};

static bool is_memory(const struct coded *c)
{
	return c->modrm >> 6 != 3;
}

static struct form form(unsigned map, unsigned pp, unsigned op, bool w)
{
	return (struct form){ map, op, VEX_NO_VVVV | pp | (w ? VEX_W : 0), false };
}

/* VMOVAPS; VPALIGNR, which has an immediate. */
static struct form no_general(const struct coded *c)
{
	struct form f = c->imm ? form(3, PP_66, 0x0f, false) : form(1, 0, 0x28, false);

	f.registers = true;
	return f;
}

/* ---- EVEX ---- */

static bool is_vsib(const struct coded *c)
{
	return c->map == 2 && c->pp == PP_66 && ((c->op & 0xfc) == 0x90 || (c->op & 0xfc) == 0xa0);
}

static bool has_imm(unsigned map, unsigned op)
{
	return map == 3 ||
	       (map == 1 && ((op >= 0x70 && op <= 0x73) || op == 0xc2 || (op >= 0xc4 && op <= 0xc6)));
}

/* A conversion to a general register, ModRM.reg. */
static bool converts_to_general(const struct coded *c)
{
	return c->map == 1 && c->pp >= PP_F3 &&
	       (c->op == 0x2c || c->op == 0x2d || c->op == 0x78 || c->op == 0x79);
}

/* With memory. Each counts as a store. */
static struct form evex_memory(const struct coded *c)
{
	struct form f;

	if (is_vsib(c)) { /* VGATHERDPS */
		f = form(2, PP_66, 0x92, false);
		f.last |= VEX_L;
		return f;
	}
	if (converts_to_general(c)) /* VCVTSD2SI */
		return form(1, PP_F2, 0x2d, c->w);
	f = c->imm ? form(3, PP_66, 0x19, false) : form(1, 0, 0x11, false); /* VEXTRACTF128, VMOVUPS */
	f.last |= VEX_L;
	return f;
}

static struct form evex_registers(const struct coded *c)
{
	if (converts_to_general(c))
		return form(1, PP_F2, 0x2d, c->w);
	if (c->map == 1 && c->pp >= PP_F3 && (c->op == 0x2a || c->op == 0x7b)) /* VCVTSI2SD */
		return form(1, PP_F2, 0x2a, c->w);
	if (c->pp != PP_66)
		return no_general(c);
	switch (c->map << 8 | c->op) {
	case 0x16e: /* VMOVD, VMOVQ and back */
	case 0x17e:
		return form(1, PP_66, c->op, c->w);
	case 0x1c4: /* VPINSRW, VPEXTRW */
	case 0x1c5:
		return form(1, PP_66, c->op, false);
	case 0x27a: /* VPBROADCASTB, W, D, Q from a general register */
	case 0x27b:
	case 0x27c:
		return form(1, PP_66, 0x6e, c->op == 0x7c && c->w);
	case 0x314: /* VPEXTRB, W, D, Q, VEXTRACTPS */
	case 0x315:
	case 0x316:
	case 0x317:
		return form(3, PP_66, 0x16, c->op == 0x16 && c->w);
	case 0x320: /* VPINSRB, D, Q */
	case 0x322:
		return form(3, PP_66, 0x22, c->op == 0x22 && c->w);
	default:
		return no_general(c);
	}
}

/* A displacement of one byte is scaled: the twin would have another, unless the window's address wraps. */
static bool scales(const uint8_t *p, size_t n, const struct coded *c, bool window)
{
	unsigned at = EVEX_BYTES + 2 + ((c->modrm & 7) == 4 ? 1 : 0);

	return c->modrm >> 6 == 1 && !window && (at >= n || p[at]);
}

static bool evex(const uint8_t *p, size_t n, bool window, struct coded *c, struct form *f)
{
	if (n < EVEX_BYTES + 2 || (p[1] & 8) || !(p[1] & 7) || (p[1] & 7) > 3 || !(p[2] & 4))
		return false;
	*c = (struct coded){ .rxb = p[1] & VEX_RXB,
			     .map = p[1] & 7,
			     .pp = p[2] & 3,
			     .op = p[4],
			     .modrm = p[5],
			     .w = p[2] & VEX_W,
			     .imm = has_imm(p[1] & 7, p[4]) };
	if (!is_memory(c))
		c->rxb |= 0x40; /* X is a register's upper bit */
	*f = is_memory(c) ? evex_memory(c) : evex_registers(c);
	return !is_memory(c) || !scales(p, n, c, window);
}

/* ---- mask registers, by VEX ---- */

static bool is_mask_op(unsigned map, unsigned op)
{
	if (map == 1)
		return (op >= 0x41 && op <= 0x4b) || (op >= 0x90 && op <= 0x93) || op == 0x98 || op == 0x99;
	return map == 3 && op >= 0x30 && op <= 0x33;
}

static struct form mask_form(const struct coded *c)
{
	switch (c->op) {
	case 0x90: /* VMOVQ from memory, and to it */
		return is_memory(c) ? form(1, PP_F3, 0x7e, false) : no_general(c);
	case 0x91:
		return form(1, PP_66, 0xd6, false);
	case 0x92:
		return form(1, PP_66, 0x6e, c->w);
	case 0x93: /* VCVTSD2SI; VMOVMSKPS, which is known to clear the upper half */
		return c->w ? form(1, PP_F2, 0x2d, true) : form(1, 0, 0x50, false);
	default:
		return no_general(c);
	}
}

/* ---- */

static bool mask(const uint8_t *p, size_t n, struct coded *c, struct form *f)
{
	unsigned at = p[0] == 0xc5 ? 2 : 3;

	if (n < at + 2)
		return false;
	*c = (struct coded){ .rxb = p[0] == 0xc5 ? (p[1] & 0x80) | 0x60 : p[1] & VEX_RXB,
			     .map = p[0] == 0xc5 ? 1 : p[1] & 31,
			     .pp = p[at - 1] & 3,
			     .op = p[at],
			     .modrm = p[at + 1],
			     .w = p[0] == 0xc4 && (p[2] & VEX_W) };
	c->imm = c->map == 3;
	if (!is_mask_op(c->map, c->op))
		return false;
	*f = mask_form(c);
	return true;
}

/* VBROADCASTI128 ymm, m128: VBROADCASTF128. */
static bool broadcast(const uint8_t *p, size_t n, struct coded *c, struct form *f)
{
	if (n < 5 || p[0] != 0xc4 || (p[1] & 31) != 2 || (p[2] & 7) != (VEX_L | PP_66) || p[3] != 0x5a)
		return false;
	*c = (struct coded){ .rxb = p[1] & VEX_RXB, .modrm = p[4] };
	*f = form(2, PP_66, 0x1a, false);
	f->last = p[2];
	return true;
}

/* Put the twin of what is at P into OUT, up to and with ModRM. Return how many bytes that is. */
static unsigned put(uint8_t *out, const uint8_t *p, const struct coded *c, const struct form *f)
{
	uint8_t modrm = f->registers ? 0xc0 : (uint8_t)c->modrm;

	if (p[0] == 0xc5) { /* such a twin has map 1 */
		out[0] = 0xc5;
		out[1] = (uint8_t)((f->registers ? 0x80 : c->rxb & 0x80) | (f->last & 0x7f));
		out[2] = (uint8_t)f->op;
		out[3] = modrm;
		return 4;
	}
	out[0] = 0xc4;
	out[1] = (uint8_t)((f->registers ? VEX_RXB : c->rxb) | f->map);
	out[2] = (uint8_t)f->last;
	out[3] = (uint8_t)f->op;
	out[4] = modrm;
	return 5;
}

unsigned verify_twin(const uint8_t *code, size_t len, uint8_t *out, struct twin *w)
{
	bool window = false;
	unsigned at = 0, head, from;
	struct coded c;
	struct form f;

	*w = (struct twin){ 0 };
	if (len > MAX_BYTES)
		len = MAX_BYTES;
	while (at < len && (code[at] == X86_PREFIX_GS || code[at] == X86_PREFIX_ADDRSIZE)) {
		window |= code[at] == X86_PREFIX_ADDRSIZE;
		out[at] = code[at];
		at++;
	}
	if (at == len)
		return 0;
	code += at;
	len -= at;
	w->shorter = code[0] == 0x62;
	if (code[0] == 0x62) {
		w->avx512 = true;
		if (!evex(code, len, window, &c, &f)) {
			w->refused = true;
			return 0;
		}
		from = EVEX_BYTES + 2;
		w->size = is_memory(&c) ? ZMM_BYTES : 0;
	} else if (code[0] == 0xc4 || code[0] == 0xc5) {
		w->avx512 = mask(code, len, &c, &f);
		if (!w->avx512 && !broadcast(code, len, &c, &f))
			return 0;
		from = code[0] == 0xc5 ? 4 : 5;
	} else {
		return 0;
	}
	head = put(out + at, code, &c, &f);
	memcpy(out + at + head, code + from, len - from);
	return at + head + (unsigned)(len - from);
}
