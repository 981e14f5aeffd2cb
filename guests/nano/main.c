/* SPDX-License-Identifier: GPL-3.0-or-later
 * bench-nano: the demo guest's processor set-up with a kernel that only measures.
 *
 * Words of the command line:
 *   ITEM       measure this item (repeatable; default all)
 *   rounds=N   minimum and median of N rounds (15)
 *   count=N    N loops of each item once; prints cycles and operations, between calls of nano_mark
 * Prints "name minimum median", cycles with one decimal, and switches off. */
#include "guests/demo/kernel.h"
#include "guests/nano/system.h"

void nano_put(const char *text)
{
	print("%s", text);
}

void finish(unsigned failures)
{
	if (!failures)
		power_off();
	outb(0xf4, (u8)failures);
	for (;;)
		asm volatile("cli; hlt");
}

void kernel_main(u32 magic, u32 info)
{
	static const struct nano_item *const tables[] = { nano_insn_items, nano_system_items };
	const u32 counts[] = { nano_insn_count, nano_system_count };

	console_init();
	if (magic != MULTIBOOT_MAGIC)
		finish(0x3d);
	keep_cmdline(info);
	print("Vitrine nanobenchmarks: cycles of the time-stamp counter, minimum and median\n");
	paging_init(mem_top(info));
	cpu_init();
	nano_system_init();
	nano_measure(tables, counts, LEN(tables), cmdline);
	print("bench-nano: done\n");
	finish(0);
}
