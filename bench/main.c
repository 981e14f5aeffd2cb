/* SPDX-License-Identifier: GPL-3.0-or-later
 * Times each item: the number of operations is doubled until they take long enough, then
 * the best of several repetitions counts. Prints "name nanoseconds-per-operation".
 * Arguments: names of items (default all); ITEM=N: N operations once, after as many for warm-up, between two
 * calls of bench_mark (bench/vmx-ops); "-" does nothing (the exec item uses it). */
#include "bench/bench.h"

#define CLOCK_MONOTONIC 1
#define BATCH_NS 40e6
#define REPEATS 5
#define LONG_NS 400e6 /* an operation that takes longer is repeated less often */
#define LONG_REPEATS 2

static double now(void)
{
	long t[2];

	sys3(SYS_clock_gettime, CLOCK_MONOTONIC, (long)t, 0);
	return (double)t[0] * 1e9 + (double)t[1];
}

static u32 length(const char *s)
{
	u32 n = 0;

	while (s[n])
		n++;
	return n;
}

static void put(const char *s, u32 n)
{
	sys3(SYS_write, 1, (long)s, n);
}

/* V, at least MIN digits, ends before LINE[AT]. Returns its first digit. */
static u32 put_digits(char *line, u32 at, u32 v, u32 min)
{
	for (u32 n = 0; n < min || v; n++, v /= 10)
		line[--at] = (char)('0' + v % 10);
	return at;
}

/* NS with one decimal; there is no 64-bit division here. */
static void put_result(const char *name, double ns)
{
	char line[80];
	u32 at = sizeof(line), seconds = (u32)(int)(ns / 1e9), whole, tenths;

	ns -= seconds * 1e9;
	whole = (u32)(int)ns;
	tenths = (u32)(int)((ns - whole) * 10);
	line[--at] = '\n';
	line[--at] = (char)('0' + tenths % 10);
	line[--at] = '.';
	at = put_digits(line, at, whole, seconds ? 9 : 1);
	if (seconds)
		at = put_digits(line, at, seconds, 1);
	line[--at] = ' ';
	for (u32 n = length(name); n; n--)
		line[--at] = name[n - 1];
	put(line + at, sizeof(line) - at);
}

static double timed(const struct item *it, u32 n)
{
	double start = now();

	it->run(n);
	return now() - start;
}

static void measure(const struct item *it)
{
	u32 n = 1;
	double best, t;

	if (it->prepare)
		it->prepare();
	while ((t = timed(it, n)) < BATCH_NS && n < 1u << 30)
		n = t < BATCH_NS / 16 ? n * 8 : n * 2;
	best = t;
	for (int i = best > LONG_NS ? REPEATS - LONG_REPEATS : 0; i < REPEATS; i++) {
		t = timed(it, n);
		if (t < best)
			best = t;
	}
	if (it->release)
		it->release();
	put_result(it->name, best / (int)n);
}

/* ECX tells it from other programs' code at the same address. */
static void __attribute__((noinline, noclone)) mark(void)
{
	asm volatile(".globl bench_mark\nbench_mark: nop" : : "c"(0x6d61726b));
}

static void count(const struct item *it, u32 n)
{
	double t;

	if (it->prepare)
		it->prepare();
	it->run(n);
	mark();
	t = timed(it, n);
	mark();
	if (it->release)
		it->release();
	put_result(it->name, t / (int)n);
}

static int same(const char *a, const char *b)
{
	while (*a && *a == *b)
		a++, b++;
	return *a == *b;
}

/* N of an argument "NAME=N"; 0: it is another. */
static u32 counted(const char *name, const char *arg)
{
	u32 n = 0;

	while (*name && *name == *arg)
		name++, arg++;
	if (*name || *arg++ != '=')
		return 0;
	for (; *arg >= '0' && *arg <= '9' && n < 1u << 24; arg++)
		n = n * 10 + (u32)(*arg - '0');
	return n;
}

static int wanted(const char *name, int argc, char **argv)
{
	for (int i = 1; i < argc; i++)
		if (same(argv[i], name))
			return 1;
	return argc < 2;
}

static void measure_all(const struct item *it, u32 nitems, int argc, char **argv)
{
	for (u32 i = 0; i < nitems; i++) {
		for (int k = 1; k < argc; k++)
			if (counted(it[i].name, argv[k]))
				count(&it[i], counted(it[i].name, argv[k]));
		if (wanted(it[i].name, argc, argv))
			measure(&it[i]);
	}
}

static void __attribute__((used)) bench_main(long *stack)
{
	int argc = (int)stack[0];
	char **argv = (char **)(stack + 1);

#ifdef __x86_64__
	sys_relocate();
#else
	sys_find_entry(argv + argc + 1);
#endif
	if (argc > 1 && same(argv[1], "-"))
		sys_exit(0);
	measure_all(compute_items, compute_count, argc, argv);
	measure_all(kernel_items, kernel_count, argc, argv);
	measure_all(large_items, large_count, argc, argv);
	sys_exit(0);
}

void __attribute__((naked)) _start(void)
{
#ifdef __x86_64__
	asm volatile("movq %rsp, %rdi; andq $-16, %rsp; call bench_main; hlt");
#else
	asm volatile("movl %esp, %eax; andl $-16, %esp; subl $12, %esp; pushl %eax; call bench_main; hlt");
#endif
}
