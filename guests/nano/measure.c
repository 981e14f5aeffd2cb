/* SPDX-License-Identifier: GPL-3.0-or-later
 * How an item is measured: its loop is made long enough that reading the counter costs little in
 * comparison, the time of the empty loop is subtracted, and the rounds are sorted. Loop counts are
 * determined twice, because an adaptive engine makes the first rounds slower. */
#include "guests/nano/nano.h"

#define BATCH 2000000 /* cycles that a round should take */
#define MAX_LOOPS (1u << 24)
#define DEFAULT_ROUNDS 15
#define MAX_ROUNDS 999

void nano_loop(u32 n)
{
	asm volatile(".balign 16\n1: decl %0\njnz 1b" : "+D"(n) : : "cc");
}

/* The text after KEY in LINE, where KEY begins a word; NULL when it begins none. */
static const char *after(const char *line, const char *key)
{
	while (*line) {
		const char *l = line, *k = key;

		while (*k && *l == *k)
			l++, k++;
		if (!*k)
			return l;
		while (*line && *line != ' ')
			line++;
		while (*line == ' ')
			line++;
	}
	return 0;
}

static bool named(const char *line, const char *name)
{
	const char *rest;

	for (; (rest = after(line, name)); line = rest)
		if (!*rest || *rest == ' ')
			return 1;
	return 0;
}

/* The number behind KEY in LINE, at most MOST; 0: there is none. */
static u32 number_of(const char *line, const char *key, u32 most)
{
	const char *p = after(line, key);
	u32 n = 0;

	for (; p && *p >= '0' && *p <= '9' && n < most; p++)
		n = n * 10 + (u32)(*p - '0');
	return n > most ? most : n;
}

/* A / B, at most 2^32 - 1. */
static u32 quotient(u64 a, u32 b)
{
	u32 hi = (u32)(a >> 32), lo = (u32)a;

	if (hi >= b)
		return ~0u;
	asm("divl %2" : "+a"(lo), "+d"(hi) : "r"(b) : "cc");
	return lo;
}

static char *number(char *end, u32 v)
{
	do {
		*--end = (char)('0' + v % 10);
		v /= 10;
	} while (v);
	return end;
}

static void put_tenths(u32 tenths)
{
	char text[16], *p = text + sizeof(text);

	*--p = 0;
	*--p = (char)('0' + tenths % 10);
	*--p = '.';
	p = number(p, tenths / 10);
	*--p = ' ';
	nano_put(p);
}

static u64 timed(void (*run)(u32 n), u32 n)
{
	u64 start = nano_tsc();

	run(n);
	return nano_tsc() - start;
}

/* Number of iterations that fill a batch, starting from N. */
static u32 size(void (*run)(u32 n), u32 n)
{
	u64 t;

	while ((t = timed(run, n)) < BATCH && n < MAX_LOOPS)
		n *= t < BATCH / 16 ? 8 : 2;
	return n;
}

static void sort(u32 *v, u32 n)
{
	for (u32 i = 1; i < n; i++) {
		u32 x = v[i], at = i;

		for (; at && v[at - 1] > x; at--)
			v[at] = v[at - 1];
		v[at] = x;
	}
}

/* Fill V with tenths of cycles for one operation. */
static void loop_rounds(const struct nano_item *it, u32 *v, u32 rounds)
{
	void (*base)(u32 n) = it->base ? it->base : nano_loop;
	u32 n = size(it->run, 1);
	u64 least = ~0ull, t;

	n = size(it->run, n);
	for (u32 i = 0; i < rounds; i++) {
		t = timed(base, n);
		least = t < least ? t : least;
	}
	if (it->run == base)
		least = 0;
	for (u32 i = 0; i < rounds; i++) {
		t = timed(it->run, n);
		v[i] = t > least ? quotient((t - least) * 10, n * it->ops) : 0;
	}
}

static void sample_rounds(const struct nano_item *it, u32 *v, u32 rounds)
{
	it->sample(); /* the first one is warm-up */
	for (u32 i = 0; i < rounds; i++)
		v[i] = it->sample() * 10;
}

/* Where bench/vmx-ops stops. */
static void __attribute__((noinline, noclone)) mark(void)
{
	asm volatile(".globl nano_mark\nnano_mark: nop");
}

/* N loops once, after as many for warm-up, between two marks. */
static void count(const struct nano_item *it, u32 n)
{
	u64 t;

	if (!it->run || (it->prepare && !it->prepare()))
		return;
	it->run(n);
	mark();
	t = timed(it->run, n);
	mark();
	if (it->release)
		it->release();
	nano_put(it->name);
	put_tenths(quotient(t * 10, n * it->ops));
	put_tenths(n * it->ops * 10);
	nano_put("\n");
}

static void measure(const struct nano_item *it, u32 rounds)
{
	u32 v[MAX_ROUNDS];

	if (it->prepare && !it->prepare())
		return;
	if (it->sample)
		sample_rounds(it, v, rounds);
	else
		loop_rounds(it, v, rounds);
	if (it->release)
		it->release();
	sort(v, rounds);
	nano_put(it->name);
	put_tenths(v[0]);
	put_tenths(v[rounds / 2]);
	nano_put(it->stand_in ? " ~\n" : "\n");
}

void nano_measure(const struct nano_item *const tables[], const u32 counts[], u32 ntables, const char *line)
{
	u32 rounds = number_of(line, "rounds=", MAX_ROUNDS), loops = number_of(line, "count=", 1u << 20);
	bool some = 0;

	for (u32 t = 0; t < ntables; t++)
		for (u32 i = 0; i < counts[t]; i++)
			some |= named(line, tables[t][i].name);
	for (u32 t = 0; t < ntables; t++)
		for (u32 i = 0; i < counts[t]; i++)
			if (!some || named(line, tables[t][i].name))
				loops ? count(&tables[t][i], loops)
				      : measure(&tables[t][i], rounds ? rounds : DEFAULT_ROUNDS);
}
