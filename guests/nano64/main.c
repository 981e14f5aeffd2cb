/* SPDX-License-Identifier: GPL-3.0-or-later
 * bench-nano64: the 64-bit demo guest's processor set-up with a kernel that only measures. The words of its
 * command line are bench-nano's (guests/nano/main.c). */
#include "guests/demo64/kernel.h"
#include "guests/nano/nano.h"
#include "guests/nano64/system.h"

extern const struct nano_item nano_system_items[];
extern const u32 nano_system_count;

void nano_put(const char *text)
{
	print("%s", text);
}

void finish(unsigned failures)
{
	if (!failures) {
		outw(0x604, 0x2000); /* ACPI S5, as in the demo guest */
		for (unsigned patience = 100000; patience; patience--)
			inb(0x80);
	}
	outb(0xf4, (u8)failures);
	for (;;)
		asm volatile("cli; hlt");
}

void __attribute__((used)) kernel_main(u32 magic, u32 info)
{
	static const struct nano_item *const tables[] = { nano_insn_items, nano_system_items };
	const u32 counts[] = { nano_insn_count, nano_system_count };

	console_init();
	keep_info(magic, info);
	print("Vitrine nanobenchmarks: cycles of the time-stamp counter, minimum and median\n");
	tables_init();
	paging_init();
	devices_init();
	nano_system_init();
	nano_measure(tables, counts, LEN(tables), cmdline);
	print("bench-nano64: done\n");
	finish(0);
}
