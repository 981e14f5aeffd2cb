/* SPDX-License-Identifier: GPL-3.0-or-later
 * The stress guest's driver: makes random choices, reports, and ends the machine through debug-exit.
 *
 * Words of the command line:
 *   seed=N     seed of the random choices (1)
 *   seconds=N  duration by the machine's clock (10)
 *   rounds=N   number of rounds instead of a duration
 *   pae        PAE paging
 *   noglobal   no global pages: no translation outlives a load of CR3, which would leave accessed bits open
 *   quiet      no progress lines
 *   check=N    from round N on compare all pages after every run
 *   trace=N    print runs and changes from round N on
 * Writes 0 to port 0xf4 at the end, or 1 at the first divergence, after a line that names it. */
#include "guests/stress/stress.h"

u32 round_no, pae, noglobal, check_from, trace_from;
static u32 seed = 1, seconds = 10, rounds, random_state;

u32 rnd(void)
{
	u32 x = random_state;

	x ^= x << 13;
	x ^= x >> 17;
	x ^= x << 5;
	random_state = x;
	return x * 0x9e3779b1u;
}

void finish(unsigned failures)
{
	cli();
	outb(0xf4, (u8)failures);
	for (;;)
		asm volatile("hlt");
}

void diverged(const char *what, u32 expected, u32 got)
{
	cli();
	print(
	    "stress: DIVERGED: %s: expected %08x, got %08x (seed %u, round %u%s, space %u, WP %u, PGE %u)\n",
	    what, expected, got, seed, round_no, pae ? ", PAE" : "", st.space, st.wp, st.pge);
	finish(1);
}

static u32 word_number(const char *key, u32 otherwise)
{
	for (const char *p = cmdline; *p; p++) {
		const char *l = p, *k = key;
		u32 n = 0;

		if (p != cmdline && p[-1] != ' ')
			continue;
		while (*k && *l == *k)
			l++, k++;
		if (*k || *l < '0' || *l > '9')
			continue;
		for (; *l >= '0' && *l <= '9'; l++)
			n = n * 10 + (u32)(*l - '0');
		return n;
	}
	return otherwise;
}

/* Seconds of the machine's clock since the last call (less than a minute). */
static u32 seconds_passed(void)
{
	static u32 last = 60;
	u32 now, was = last;

	outb(0x70, 0);
	now = inb(0x71);
	now = (now >> 4) * 10 + (now & 15);
	last = now;
	return was == 60 ? 0 : (now + 60 - was) % 60;
}

static void progress(u32 time)
{
	print(
	    "stress: %u s, round %u: %u runs, %u open, %u faults (%u fixed), %u services, %u changes, %u functions, %u ticks\n",
	    time, round_no, counts.runs, counts.open, counts.faults, counts.fixed, counts.services,
	    counts.changes, counts.functions, counts.irqs);
}

static void one_round(void)
{
	u32 k = below(100);

	if (k < 40)
		pages_step();
	else if (k < 48)
		gen_function();
	else if (k < 75)
		gen_run();
	else
		stub_run();
	if (chance(40) && anything_stale()) {
		driver_begin();
		do_flush(ZONE_U);
		driver_end();
	}
	if (!(rnd() & 31))
		check_all();
	else
		check_frame(below(F_HOLE));
}

static void all_rounds(void)
{
	u32 time = 0, shown = 0;

	seconds_passed();
	for (round_no = 1; rounds ? round_no <= rounds : time < seconds; round_no++) {
		one_round();
		if (round_no & 63)
			continue;
		time += seconds_passed();
		if (time < shown + 5 || has_word(cmdline, "quiet"))
			continue;
		shown = time;
		progress(time);
	}
	check_all();
	progress(time);
}

void kernel_main(u32 magic, u32 info)
{
	console_init();
	if (magic != MULTIBOOT_MAGIC)
		finish(0x3d);
	keep_cmdline(info);
	seed = word_number("seed=", seed);
	seconds = word_number("seconds=", seconds);
	rounds = word_number("rounds=", 0);
	pae = has_word(cmdline, "pae");
	noglobal = has_word(cmdline, "noglobal");
	check_from = word_number("check=", ~0u);
	trace_from = word_number("trace=", ~0u);
	random_state = seed * 2654435761u | 1;
	console_serial_only();
	print("Vitrine stress guest: seed %u%s\n", seed, pae ? ", PAE" : "");
	paging_init(mem_top(info));
	cpu_init();
	run_init();
	pages_init();
	sti();
	all_rounds();
	print("stress: no divergence\n");
	finish(0);
}
