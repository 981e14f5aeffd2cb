/* SPDX-License-Identifier: GPL-3.0-or-later
 * Nanobenchmarks: the cost of one instruction or one event, in cycles of the time-stamp counter.
 * measure.c and insn.c are for any privilege level, so a program on the host measures with the same
 * code (bench/nano-native.c); system.c needs a kernel. */
#ifndef NANO_NANO_H
#define NANO_NANO_H

typedef unsigned char u8;
typedef unsigned int u32;
typedef unsigned long long u64;
typedef _Bool bool;

struct nano_item {
	const char *name;
	void (*run)(u32 n); /* N > 0 iterations of a loop with `ops` operations in it */
	u32 ops;
	void (*base)(u32 n);   /* the same without the operations; NULL: nano_loop */
	bool (*prepare)(void); /* or NULL; false: this processor does not have it */
	void (*release)(void); /* or NULL */
	u32 (*sample)(void);   /* instead of run: one sample in cycles, 0 when there was none */
	bool stand_in;	       /* a stand-in: the closest available operation */
};

extern const struct nano_item nano_insn_items[];
extern const u32 nano_insn_count;

/* Measure the items that LINE names, all when it names none; "rounds=N" takes the minimum and the median
 * of N rounds. Prints "name minimum median", followed by "~" for a stand-in. */
void nano_measure(const struct nano_item *const tables[], const u32 counts[], u32 ntables, const char *line);
void nano_loop(u32 n);

/* Guest and host program have their own versions of these. */
void nano_put(const char *text);
void *nano_code_page(void); /* a page that may be written and executed; nothing else is in it */

/* A function NAME(n) whose loop has OP eight times. N is in EDI; OP may change EAX, EBX, ECX,
 * EDX and ESI (64-bit code: RAX to RSI), of which the first four start with A, B, C, D. */
#define NANO_OPS 8
#define NANO_RUN(name, op, a, b, c, d)                                                                       \
	static void name(u32 n)                                                                              \
	{                                                                                                    \
		unsigned long ra = (unsigned long)(a), rb = (unsigned long)(b), rc = (unsigned long)(c),     \
			      rd = (unsigned long)(d);                                                       \
                                                                                                             \
		asm volatile(".balign 16\n77:\n.rept 8\n" op "\n.endr\ndecl %%edi\njnz 77b"                  \
			     : "+D"(n), "+a"(ra), "+b"(rb), "+c"(rc), "+d"(rd)                               \
			     :                                                                               \
			     : "esi", "memory", "cc");                                                       \
	}

static inline u64 nano_tsc(void)
{
	u32 lo, hi;

	asm volatile("rdtsc" : "=a"(lo), "=d"(hi) : : "memory");
	return (u64)hi << 32 | lo;
}
#endif
