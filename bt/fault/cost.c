/* SPDX-License-Identifier: GPL-3.0-or-later
 * Costs on this host of what cannot be timed at the event itself: a host fault, entering and leaving
 * callouts, the inline forms of a memory access. Measured once, before the vCPU first runs, as the least of a
 * few tries. The log of adaptation and the costs of traps include them; "info costs" shows them. */
#include "bt/fault/fault.h"
#include "bt/runtime/stubs.h"

#include <stdlib.h>

enum { TRIES = 16, REPEAT = 64 };

/* Take one fault on the trap page; the fault handler skips the access. */
static uint64_t fault_once(struct bt_vcpu *b)
{
	uint64_t start = __builtin_ia32_rdtsc(), scratch;

	__asm__ volatile("leaq 1f(%%rip), %0\n\tmovq %0, %1\n\tmovb (%2), %b0\n1:"
			 : "=&q"(scratch), "=m"(b->adapt.calibrate)
			 : "r"(b->guard.trap_page)
			 : "memory");
	return __builtin_ia32_rdtsc() - start;
}

static uint64_t nothing(struct bt_vcpu *b, struct site *s, uint64_t ea)
{
	(void)b;
	(void)s;
	(void)ea;
	return 0;
}

static uint64_t now(void)
{
	__builtin_ia32_lfence();
	return __builtin_ia32_rdtsc();
}

/* Call S through STUB as a fragment does, with dummy values for the guest's registers. */
static uint64_t call_many(struct bt_vcpu *b, struct site *s, uint64_t stub, uint8_t *stack)
{
	uint64_t start = now();

	b->stubs.host_rsp = (uint64_t)stack;
	for (int i = 0; i < REPEAT; i++)
		__asm__ volatile(
		    "movq %0, %%r15\n\tmovq %1, %%r9\n\tmovq %2, %%r10\n\tleaq 1f(%%rip), %%r11\n\t"
		    "jmpq *%%r10\n1:"
		    :
		    : "r"(b), "r"(s), "r"(stub)
		    : "r8", "r9", "r10", "r11", "r12", "r13", "r14", "r15", "cc", "memory");
	return (now() - start) / REPEAT;
}

static void measure_callouts(struct bt_vcpu *b)
{
	size_t len = 64 << 10;
	struct site s = { .fn = nothing };
	uint8_t *stack = aligned_alloc(64, len);
	struct cpu *before = aligned_alloc(64, (sizeof(*before) + 63) & ~(size_t)63);
	uint64_t rsp = b->stubs.host_rsp;

	if (stack && before) {
		*before = b->v.cpu; /* the stubs load and store the vCPU's registers */
		for (int i = 0; i < TRIES; i++) {
			uint64_t light = call_many(b, &s, (uint64_t)stub_callout, stack + len - 64);
			uint64_t fpu = call_many(b, &s, (uint64_t)stub_callout_fpu, stack + len - 64);

			b->adapt.cost.callout = light < b->adapt.cost.callout ? light : b->adapt.cost.callout;
			b->adapt.cost.callout_fpu =
			    fpu < b->adapt.cost.callout_fpu ? fpu : b->adapt.cost.callout_fpu;
		}
		b->v.cpu = *before;
	}
	b->stubs.host_rsp = rsp;
	free(stack);
	free(before);
}

/* Cycles of one of REPEAT accesses, each dependent on the previous; at least 1. */
#define MEASURE(field, text)                                                                                 \
	do {                                                                                                 \
		uint64_t least = UINT64_MAX;                                                                 \
		for (int i = 0; i < TRIES; i++) {                                                            \
			uint64_t start = now(), a = 0, x = 0, y = 0, cycles;                                 \
			for (int k = 0; k < REPEAT; k++)                                                     \
				__asm__ volatile(text                                                        \
						 : "+r"(a), "+c"(x), "+r"(y)                                 \
						 : "r"(cells)                                                \
						 : "r10", "memory");                                         \
			cycles = now() - start;                                                              \
			least = cycles < least ? cycles : least;                                             \
		}                                                                                            \
		b->adapt.cost.field = (least + REPEAT - 1) / REPEAT;                                         \
	} while (0)

static void measure_forms(struct bt_vcpu *b)
{
	uint64_t cells[8] = { 0 };

	MEASURE(plain, "movl (%3,%0), %k0\n\t");
	MEASURE(quarter, "movl $30, %%r10d\n\tshrxl %%r10d, %k0, %k2\n\tmovq (%3,%2,8), %2\n\taddq %3, %2\n\t"
			 "movl (%2,%0), %k0\n\t");
	MEASURE(precheck,
		"movl $12, %%r10d\n\tshrxl %%r10d, %k0, %k2\n\tmovq %3, %%r10\n\tmovl (%%r10,%2,4), %k2\n\t"
		"movl $1, %%r10d\n\tpextl %%r10d, %k2, %k2\n\tmovl %k2, %%ecx\n\tjrcxz 1f\n\tnop\n1:\n\t"
		"movl (%3,%0), %k0\n\t");
	MEASURE(
	    check,
	    "movabsq $0, %%r10\n\tmovq (%3,%0), %2\n\tleaq (%%r10,%2), %%rcx\n\tjrcxz 1f\n\tnop\n1:\n\t"
	    "movabsq $0, %%r10\n\tmovq 8(%3,%0), %2\n\tleaq (%%r10,%2), %%rcx\n\tjrcxz 2f\n\tnop\n2:\n\t"
	    "movabsq $0, %%r10\n\tmovq 16(%3,%0), %2\n\tleaq (%%r10,%2), %%rcx\n\tjrcxz 3f\n\tnop\n3:\n\t"
	    "movabsq $0, %%r10\n\tmovq 24(%3,%0), %2\n\tleaq (%%r10,%2), %%rcx\n\tjrcxz 4f\n\tnop\n4:\n\t");
}

void costs_measure(struct bt_vcpu *b)
{
	b->adapt.cost.signal = b->adapt.cost.callout = b->adapt.cost.callout_fpu = UINT64_MAX;
	for (int i = 0; i < TRIES; i++) {
		uint64_t cost = fault_once(b);

		b->adapt.cost.signal = cost < b->adapt.cost.signal ? cost : b->adapt.cost.signal;
	}
	b->adapt.calibrate = 0;
	measure_callouts(b);
	measure_forms(b);
}

/* ---- info costs ---- */

static const struct view_col cost_cols[] = {
	{ "name", "what", VAL_STR, "", "path or form measured" },
	{ "cycles", "cost", VAL_UINT, "cycles", "host cycles per event" },
	{ "help", "meaning", VAL_HELP, "", "one line" },
};

static const char *cost_rows(void *owner, const char *arg, struct row_sink *k)
{
	const struct bt_vcpu *b = owner;
	const struct {
		const char *name;
		uint64_t cycles;
		const char *help;
	} rows[] = {
		{ "signal", b->adapt.cost.signal, "host fault: delivery to the handler and return" },
		{ "callout", b->adapt.cost.callout, "callout: entry and return, x87 and SSE registers live" },
		{ "callout-fpu", b->adapt.cost.callout_fpu,
		  "callout that saves x87 and SSE: entry and return" },
		{ "plain", b->adapt.cost.plain, "memory access, direct" },
		{ "quarter", b->adapt.cost.quarter, "access through the user window (user-page)" },
		{ "precheck", b->adapt.cost.precheck, "access with a precheck (window-miss)" },
		{ "check", b->adapt.cost.check, "32 bytes of code compared at entry (code-write)" },
		{ "translate", cost_mean(&b->adapt.translate), "mean cost of translating a fragment" },
	};

	(void)arg;
	for (unsigned i = 0; i < ARRAY_LEN(rows); i++)
		k->row(k, (struct value[]){ V_STR(rows[i].name),
					    rows[i].cycles ? V_UINT(rows[i].cycles) : V_NONE,
					    V_STR(rows[i].help) });
	return NULL;
}

const struct view view_costs = {
	.name = "costs",
	.help = "what traps, callouts and inline forms cost on this host",
	VIEW_COLS(cost_cols),
	.rows = cost_rows,
	.flags = VIEW_LIVE,
};
