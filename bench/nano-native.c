/* SPDX-License-Identifier: GPL-3.0-or-later
 * The nanobenchmarks on the host, as far as a program can run them: the guest's own measuring code and
 * items (guests/nano/), and stand-ins that the host's kernel performs, marked in the output. A static
 * 32-bit program without a C library. Arguments as on the guest's command line: names of items,
 * rounds=N. */
#include "bench/sys.h"
#include "guests/nano/nano.h"

#define SYS_mprotect 125
#define FILL_PAGES 256u

static u32 page[1024] __attribute__((aligned(4096)));
static char line[1024];

void nano_put(const char *text)
{
	u32 n = 0;

	while (text[n])
		n++;
	sys3(SYS_write, 1, (long)text, n);
}

void *nano_code_page(void)
{
	void *p = sys_mmap(4096);

	return sys3(SYS_mprotect, (long)p, 4096, 7) ? NULL : p;
}

NANO_RUN(int80, "movl $64, %%eax\nint $0x80", 0, 0, 0, 0)
NANO_RUN(sys_enter, "movl $64, %%eax\ncall *sys_entry", 0, 0, 0, 0)
NANO_RUN(store, "movl %%edx, (%%ecx)\nmovl %%eax, (%%ecx)", 1, 0, page, 2)

/* Map a page, touch it, unmap it. */
static void first_touch(u32 n)
{
	while (n) {
		u32 pages = n < FILL_PAGES ? n : FILL_PAGES;
		volatile u8 *p = sys_mmap(FILL_PAGES * 4096);

		for (u32 i = 0; i < pages; i++)
			p[i * 4096] = 1;
		sys3(SYS_munmap, (long)p, FILL_PAGES * 4096, 0);
		n -= pages;
	}
}

/* Columns as in guests/nano/insn.c. */
static const struct nano_item stand_ins[] = {
	{ "syscall-int", int80, NANO_OPS, 0, 0, 0, 0, 1 },
	{ "syscall-sysenter", sys_enter, NANO_OPS, 0, 0, 0, 0, 1 },
	{ "pgfault-fill", first_touch, 1, 0, 0, 0, 0, 1 },
	{ "pte-write", store, 2 * NANO_OPS, 0, 0, 0, 0, 1 },
};

static void join(char **argv)
{
	u32 at = 0;

	for (; *argv; argv++) {
		for (const char *p = *argv; *p && at < sizeof(line) - 2; p++)
			line[at++] = *p;
		line[at++] = ' ';
		if (at >= sizeof(line) - 2)
			break;
	}
}

static void __attribute__((used)) native_main(int *stack)
{
	static const struct nano_item *const tables[] = { nano_insn_items, stand_ins };
	const u32 counts[] = { nano_insn_count, sizeof(stand_ins) / sizeof(stand_ins[0]) };
	char **argv = (char **)(stack + 1);

	sys_find_entry(argv + stack[0] + 1);
	join(argv + (stack[0] > 0));
	nano_measure(tables, counts, 2, line);
	sys_exit(0);
}

void __attribute__((naked)) _start(void)
{
	asm volatile("movl %esp, %eax; andl $-16, %esp; subl $12, %esp; pushl %eax; call native_main; hlt");
}
