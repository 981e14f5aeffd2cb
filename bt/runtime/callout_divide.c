/* SPDX-License-Identifier: GPL-3.0-or-later
 * Division by callout, for sites promoted for divide errors: the error is found before
 * it happens. Built with -mgeneral-regs-only (base/gpr.h). */
#include "bt/adapt/adapt.h"
#include "bt/runtime/callout_int.h"

static int64_t extend(uint64_t v, unsigned op)
{
	return op == 1 ? (int8_t)v : op == 2 ? (int16_t)v : (int32_t)v;
}

/* AX, DX:AX or EDX:EAX as a signed number. */
static int64_t dividend(const struct cpu *c, unsigned op)
{
	if (op == 1)
		return (int16_t)c->gpr[R_EAX];
	if (op == 2)
		return (int32_t)((uint32_t)c->gpr[R_EDX] << 16 | (c->gpr[R_EAX] & 0xffff));
	return (int64_t)(c->gpr[R_EDX] << 32 | (uint32_t)c->gpr[R_EAX]);
}

/* Does the quotient not fit (SDM vol. 2A DIV, IDIV)? */
static bool unsigned_error(const struct cpu *c, unsigned op, uint64_t d)
{
	uint64_t high = op == 1	  ? c->gpr[R_EAX] >> 8 & 0xff
			: op == 2 ? c->gpr[R_EDX] & 0xffff
			: op == 4 ? (uint32_t)c->gpr[R_EDX]
				  : c->gpr[R_EDX];

	return high >= d;
}

/* RDX:RAX by a divisor of 64 bits: their magnitudes are divided. */
static bool signed_error_64(const struct cpu *c, int64_t d)
{
	uint64_t low = c->gpr[R_EAX], high = c->gpr[R_EDX], by = d < 0 ? -(uint64_t)d : (uint64_t)d;
	bool negative = (int64_t)high < 0, differ = negative != (d < 0);

	if (negative) {
		low = -low;
		high = ~high + !low;
	}
	if (high >= by)
		return true;
	__asm__("divq %2" : "+a"(low), "+d"(high) : "r"(by) : "cc");
	return low > (uint64_t)INT64_MAX + differ;
}

static bool signed_error(const struct cpu *c, unsigned op, uint64_t divisor)
{
	int64_t n, d, q;

	if (op == 8)
		return signed_error_64(c, (int64_t)divisor);
	n = dividend(c, op);
	d = extend(divisor, op);
	if (!d || (n == INT64_MIN && d == -1))
		return true;
	q = n / d;
	return q != extend((uint64_t)q, op);
}

/* The instruction itself, on the guest's registers: the flags that no manual defines are
 * then the same as in line. Below the red zone. */
#define DIVIDE(name)                                                                                         \
	__asm__ volatile("leaq -128(%%rsp), %%rsp\n\tpushq %2\n\tpopfq\n\t" name "\n\tpushfq\n\tpopq %2\n\t" \
			 "leaq 128(%%rsp), %%rsp"                                                            \
			 : "+a"(c->gpr[R_EAX]), "+d"(c->gpr[R_EDX]), "+r"(flags)                             \
			 : "c"(d)                                                                            \
			 : "cc", "memory")

static void divide(struct cpu *c, const struct site *s, uint64_t d)
{
	uint64_t flags = c->flags & FL_ARITH;

	switch (s->op << 1 | s->divide.is_signed) {
	case 2:
		DIVIDE("divb %%cl");
		break;
	case 3:
		DIVIDE("idivb %%cl");
		break;
	case 4:
		DIVIDE("divw %%cx");
		break;
	case 5:
		DIVIDE("idivw %%cx");
		break;
	case 8:
		DIVIDE("divl %%ecx");
		break;
	case 9:
		DIVIDE("idivl %%ecx");
		break;
	case 16:
		DIVIDE("divq %%rcx");
		break;
	default:
		DIVIDE("idivq %%rcx");
	}
	c->flags = (c->flags & ~(uint32_t)FL_ARITH) | ((uint32_t)flags & FL_ARITH);
}

uint64_t co_divide(struct bt_vcpu *b, struct site *s, uint64_t divisor)
{
	uint64_t d = s->op == 8 ? divisor : (uint32_t)divisor;
	struct verdict *v = verdict_find(b, ccf_linear(s->ccf, s->eip));
	uint64_t start = __builtin_ia32_rdtsc();
	struct cpu *c = &b->v.cpu;
	bool error = s->divide.is_signed ? signed_error(c, s->op, d) : unsigned_error(c, s->op, d);

	callout_begin(b, s);
	if (!error) {
		divide(c, s, d);
		adapt_calm_since(b, s->ccf, v, CAUSE_DIVIDE, start);
		return 0;
	}
	cpu_raise(c, EXC_DE);
	adapt_after(b, v, s->ccf, CAUSE_DIVIDE, __builtin_ia32_rdtsc() - start + b->adapt.cost.callout);
	return callout_raise(b, s);
}
