/* SPDX-License-Identifier: GPL-3.0-or-later
 * Words of the command line:
 *   time        measure round trips instead of running the cases
 *   fuzz        random control blocks instead; seed=N (1), seconds=N (3), round=N (0), rounds=N
 *   verbose     name each case that holds; with fuzz each round
 *   only=CASE   this case alone (repeatable); -CASE: all but this one
 *   mode=N      only this mode: 0 real, 1 flat, 2 paged, 3 paged by the hypervisor's tables
 * Writes 0 to port 0xf4 at the end, 1 when something failed, 2 on a processor without VMX and SVM. */
#include "guests/hyper/hyper.h"

u32 seed = 1;

u32 random32(void)
{
	seed ^= seed << 13;
	seed ^= seed >> 17;
	seed ^= seed << 5;
	return seed * 0x9e3779b1u;
}

u32 word_number(const char *key, u32 otherwise)
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

void finish(unsigned failures)
{
	cli();
	outb(0xf4, (u8)failures);
	for (;;)
		asm volatile("hlt");
}

static const struct backend *choose(void)
{
	static const struct backend *const all[] = { &vmx_backend, &svm_backend };

	for (u32 i = 0; i < LEN(all); i++) {
		const char *why = all[i]->enable();

		if (!why)
			return all[i];
		print("hyper: %s: %s\n", all[i]->name, why);
	}
	return NULL;
}

void kernel_main(u32 magic, u32 info)
{
	u32 modes;

	console_init();
	if (magic != MULTIBOOT_MAGIC)
		finish(0x3d);
	keep_cmdline(info);
	paging_init(mem_top(info));
	cpu_init();
	outb(0x21, 0xff);
	test_map(0, 0);
	be = choose();
	if (!be)
		finish(2);
	modes = be->modes();
	if (word_number("mode=", MODES) < MODES)
		modes &= IN(word_number("mode=", MODES));
	if (has_word(cmdline, "time"))
		timing_run(modes);
	else if (has_word(cmdline, "fuzz"))
		fuzz_run(modes);
	else
		cases_run(modes);
	print(failed ? "hyper: FAILED\n" : "hyper: done\n");
	finish(failed != 0);
}
