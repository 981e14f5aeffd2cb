/* SPDX-License-Identifier: GPL-3.0-or-later
 * Runs the checks, prints PASS or FAIL for each, and ends the machine.
 *
 * Words of the command line:
 *   exit=debug     (default) end by writing the number of failures to port 0xf4
 *   exit=poweroff  power off through ACPI when all checks pass
 *   nolimits       skip the checks of segment limits
 *   -NAME          skip the check NAME, with hyphens for spaces
 *   loop           run the checks for ever
 *   balloon        run a balloon driver instead, for ever; balloon=basic: one that moves pages one by one;
 *                  balloon=touch: one that once touches a page in its balloon */
#include "guests/demo/kernel.h"

static unsigned passed, failed;

static void result(const char *name, u8 color, const char *word, const char *detail)
{
	print("%24s ", name);
	console_color(color);
	print(word);
	console_color(0x07);
	print(" %s\n", detail);
}

static bool is_skipped(const char *name)
{
	char word[40] = "-";
	u32 n = 1;

	for (; *name && n < sizeof(word) - 1; name++)
		word[n++] = *name == ' ' ? '-' : *name;
	return has_word(cmdline, word);
}

static void run(const struct check *c, unsigned n)
{
	for (; n; n--, c++) {
		const char *wrong;

		if (is_skipped(c->name))
			continue;
		wrong = c->run();
		result(c->name, wrong ? 0x4f : 0x0a, wrong ? "FAIL" : "PASS", wrong ? wrong : "");
		wrong ? failed++ : passed++;
	}
}

void finish(unsigned failures)
{
	cli();
	if (!failures && has_word(cmdline, "exit=poweroff")) {
		power_off();
		print("power off did not work\n");
		failures = 1;
	}
	outb(0xf4, (u8)failures);
	for (;;)
		asm volatile("hlt");
}

static void run_all(void)
{
	run(cpu_checks, cpu_check_count);
	if (!has_word(cmdline, "nolimits"))
		run(limit_checks, limit_check_count);
	run(debug_checks, debug_check_count);
	run(mem_checks, mem_check_count);
	run(task_checks, task_check_count);
	run(apic_checks, apic_check_count);
}

void kernel_main(u32 magic, u32 info)
{
	console_init();
	console_color(0x1f);
	print("Vitrine demo guest: a small kernel that checks its processor");
	console_color(0x07);
	print("\n");
	if (magic != MULTIBOOT_MAGIC) {
		print("not started by a Multiboot loader: eax %08x\n", magic);
		finish(0x3d);
	}
	keep_cmdline(info);
	print("memory %u KiB, command line \"%s\"\n", mem_top(info) >> 10, cmdline);
	paging_init(mem_top(info));
	cpu_init();
	if (has_word(cmdline, "balloon") || has_word(cmdline, "balloon=basic") ||
	    has_word(cmdline, "balloon=touch"))
		balloon_main();
	do {
		run_all();
		print("%u passed, %u failed, %u ticks\n", passed, failed, ticks);
	} while (has_word(cmdline, "loop"));
	print(failed ? "demo: FAILED\n" : "demo: all checks passed\n");
	finish(failed);
}
