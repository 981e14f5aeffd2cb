/* SPDX-License-Identifier: GPL-3.0-or-later
 * Runs the checks, prints PASS or FAIL for each behind its name, and ends the machine.
 *
 * Words of the command line:
 *   exit=debug     (default) end by writing the number of failures to port 0xf4
 *   exit=poweroff  power off through ACPI when all checks pass
 *   insn trap page user strict   run this group of checks only (repeatable)
 *   -NAME          skip the check NAME, with hyphens for spaces */
#include "guests/demo64/kernel.h"

static unsigned passed, failed;

static bool is_skipped(const char *name)
{
	char word[40] = "-";
	u32 n = 1;

	for (; *name && n < sizeof(word) - 1; name++)
		word[n++] = *name == ' ' ? '-' : *name;
	return has_word(cmdline, word);
}

static void run(const char *group, const struct check *c, unsigned n)
{
	static const char *const groups[] = { "insn", "trap", "page", "user", "strict" };
	bool some = false;

	for (unsigned i = 0; i < LEN(groups); i++)
		some |= has_word(cmdline, groups[i]);
	if (some && !has_word(cmdline, group))
		return;
	for (; n; n--, c++) {
		const char *wrong;

		if (is_skipped(c->name))
			continue;
		print("%32s ", c->name);
		wrong = c->run();
		print("%s %s\n", wrong ? "FAIL" : "PASS", wrong ? wrong : "");
		wrong ? failed++ : passed++;
	}
}

/* ACPI S5: PM1a control is at 0x604 and the sleep type 0 on the machines we know (only AML is certain).
 * Power-off may take a moment. */
static void power_off(void)
{
	outw(0x604, 0x2000);
	for (unsigned patience = 100000; patience; patience--)
		inb(0x80);
	print("power off did not work\n");
}

void finish(unsigned failures)
{
	asm volatile("cli");
	if (!failures && has_word(cmdline, "exit=poweroff"))
		power_off();
	outb(0xf4, (u8)failures);
	for (;;)
		asm volatile("hlt");
}

void __attribute__((used)) kernel_main(u32 magic, u32 info)
{
	console_init();
	print("Vitrine demo guest: a small 64-bit kernel that checks its processor\n");
	keep_info(magic, info);
	print("memory %u KiB, command line \"%s\"\n", mem_top >> 10, cmdline);
	print("descriptor tables\n");
	tables_init();
	print("page tables\n");
	paging_init();
	print("devices\n");
	devices_init();
	run("insn", insn_checks, insn_check_count);
	run("trap", trap_checks, trap_check_count);
	run("page", page_checks, page_check_count);
	run("user", user_checks, user_check_count);
	run("strict", strict_checks, strict_check_count);
	print("%u passed, %u failed, %u ticks\n", (u64)passed, (u64)failed, ticks);
	print(failed ? "demo64: FAILED\n" : "demo64: all checks passed\n");
	finish(failed);
}
