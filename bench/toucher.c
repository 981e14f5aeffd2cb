/* SPDX-License-Identifier: GPL-3.0-or-later
 * Memory use for `make bench-memory`, in the guest: a static program without a C library. MB counts MiB of
 * anonymous memory, each page of which is written once when it is filled; "filled" is printed then.
 *
 *   toucher file FILE MB PASSES   fill it from FILE, of at least MB; read all of it PASSES times,
 *                                 comparing a sum: "end BYTES MICROSECONDS"
 *   toucher name NAME MB SECONDS  fill it with NAME; check and write pages at random: "checked N PAGES",
 *                                 or "WRONG PAGE FOUND" and what it holds
 *   toucher steps SECONDS MB...   use so much of it, all touched once a second: "size MB TIME"
 *   toucher fresh MB              touch it for the first time, a word a page: "end ..."
 *   toucher read FILE             read it, a page at a time: "end ..."
 *   toucher random MB COUNT       touch COUNT of its pages at random: "end ..." */
#include "bench/traffic.h"

enum { SYS_open = 5, SYS_nanosleep = 162, DIRECT = 0x4000 };
enum { PAGE = 4096, WORDS = PAGE / 4, MIB = 1 << 20, PAGES_A_MIB = MIB / PAGE, STEP = 16 };

static u32 seed = 1;

static u32 random(u32 below)
{
	seed = seed * 1664525 + 1013904223;
	return (u32)((u64)seed * below >> 32);
}

static void line(const char *word, u32 a, u32 b)
{
	put(word);
	put(" ");
	put_number(a);
	put(" ");
	put_number(b);
	put("\n");
}

static void pause_us(u32 us)
{
	long ts[2] = { (long)(us / 1000000), (long)(us % 1000000 * 1000) };

	sys3(SYS_nanosleep, (long)ts, 0, 0);
}

static u32 *memory(u32 mb)
{
	u32 *p = sys_mmap(mb * MIB);

	if ((u32)p > 0xfffff000u) {
		put("toucher: no memory\n");
		sys_exit(1);
	}
	return p;
}

static u32 sum(const u32 *p, u32 n)
{
	u32 s = 0;

	while (n--)
		s = (s << 1 | s >> 31) + *p++;
	return s;
}

static int from_file(const char *name, u32 mb, u32 passes)
{
	u32 *m = memory(mb), want, t0;
	long fd = sys3(SYS_open, (long)name, DIRECT, 0); /* no second copy in the page cache */

	if (fd < 0)
		fd = sys3(SYS_open, (long)name, 0, 0);
	for (u32 at = 0; at < mb * MIB;) {
		long n = fd < 0 ? fd : sys3(SYS_read, fd, (long)m + (long)at, (long)(mb * MIB - at));

		if (n <= 0) {
			put("toucher: cannot read the file\n");
			return 1;
		}
		at += (u32)n;
	}
	want = sum(m, mb * MIB / 4);
	put("filled\n");
	t0 = begin();
	for (u32 i = 0; i < passes; i++)
		if (sum(m, mb * MIB / 4) != want) {
			put("WRONG content of the file\n");
			return 1;
		}
	end(mb * MIB, t0);
	return 0;
}

/* A page's content: its number, how often it was written, and NAME over and over. */
static void inscribe(u32 *page, u32 nr, u32 turn, const char *name)
{
	u8 *p = (u8 *)(page + 2), *last = (u8 *)(page + WORDS);

	page[0] = nr;
	page[1] = turn;
	for (u32 i = 0; p < last; p++) {
		*p = (u8)name[i];
		i = name[i] ? i + 1 : 0;
	}
}

static int inscribed(const u32 *page, u32 nr, const char *name)
{
	const u8 *p = (const u8 *)(page + 2), *last = (const u8 *)(page + WORDS);

	if (page[0] != nr)
		return 0;
	for (u32 i = 0; p < last; p++) {
		if (*p != (u8)name[i])
			return 0;
		i = name[i] ? i + 1 : 0;
	}
	return 1;
}

static void wrong(const u32 *page, u32 nr)
{
	char found[33];

	for (u32 i = 0; i < 32; i++) {
		u8 c = ((const u8 *)(page + 2))[i];

		found[i] = (char)(c >= ' ' && c < 127 ? c : '.');
	}
	found[32] = 0;
	line("WRONG", nr, page[0]);
	put(found);
	put("\n");
	sys_exit(1);
}

static int by_name(const char *name, u32 mb, u32 seconds)
{
	u32 *m = memory(mb), n = mb * PAGES_A_MIB, checked = 0, t0;

	for (const char *c = name; *c; c++)
		seed = seed * 31 + (u8)*c;
	for (u32 i = 0; i < n; i++)
		inscribe(m + i * WORDS, i, 0, name);
	put("filled\n");
	for (t0 = now_us(); now_us() - t0 < seconds * 1000000; pause_us(10000))
		for (u32 k = 0; k < 64; k++, checked++) {
			u32 i = random(n);

			if (!inscribed(m + i * WORDS, i, name))
				wrong(m + i * WORDS, i);
			if (k % 4 == 0)
				inscribe(m + i * WORDS, i, checked, name);
		}
	for (u32 i = 0; i < n; i++, checked++)
		if (!inscribed(m + i * WORDS, i, name))
			wrong(m + i * WORDS, i);
	line("checked", checked, n);
	return 0;
}

static void touch(u32 *m, u32 pages)
{
	for (u32 i = 0; i < pages; i++)
		++*(volatile u32 *)(m + i * WORDS);
}

static int steps(u32 seconds, int n, char **sizes)
{
	u32 most = 1, *m;

	for (int i = 0; i < n; i++)
		most = number(sizes[i]) > most ? number(sizes[i]) : most;
	m = memory(most);
	for (int i = 0; i < n; i++) {
		u32 mb = number(sizes[i]), t0 = now_us(), took = 0;

		line("size", mb, t0);
		while (now_us() - t0 < seconds * 1000000) {
			u32 t = now_us();

			/* Spread over the second: sampling sees touches, not bursts. */
			for (u32 k = 0; k < STEP; k++) {
				touch(m + mb * MIB / 4 / STEP * k / WORDS * WORDS, mb * PAGES_A_MIB / STEP);
				pause_us(1000000 / STEP - 4000);
			}
			took = now_us() - t;
		}
		line("round", mb, took);
	}
	return 0;
}

static int fresh(u32 mb)
{
	u32 *m = memory(mb), t0 = begin();

	touch(m, mb * PAGES_A_MIB);
	end(mb * MIB, t0);
	return 0;
}

static int read_file(const char *name)
{
	static u32 page[WORDS];
	long fd = sys3(SYS_open, (long)name, 0, 0);
	u32 t0 = begin(), bytes = 0;

	for (long n; (n = sys3(SYS_read, fd, (long)page, PAGE)) > 0;)
		bytes += (u32)n;
	end(bytes, t0);
	return 0;
}

static int at_random(u32 mb, u32 count)
{
	u32 *m = memory(mb), n = mb * PAGES_A_MIB, t0;

	for (u32 i = 0; i < n; i++)
		inscribe(m + i * WORDS, i, 0, "random");
	put("filled\n");
	t0 = begin();
	for (u32 i = 0; i < count; i++)
		++*(volatile u32 *)(m + random(n) * WORDS);
	end(count * PAGE, t0);
	return 0;
}

int run(int argc, char **argv)
{
	char what = argc > 2 ? argv[1][0] : 0;

	if (what == 'f' && argv[1][1] == 'i' && argc == 5)
		return from_file(argv[2], number(argv[3]), number(argv[4]));
	if (what == 'n' && argc == 5)
		return by_name(argv[2], number(argv[3]), number(argv[4]));
	if (what == 's' && argc > 3)
		return steps(number(argv[2]), argc - 3, argv + 3);
	if (what == 'f' && argc == 3)
		return fresh(number(argv[2]));
	if (what == 'r' && argc == 3)
		return read_file(argv[2]);
	if (what == 'r' && argc == 4)
		return at_random(number(argv[2]), number(argv[3]));
	put("toucher: wrong arguments\n");
	return 2;
}
