/* SPDX-License-Identifier: GPL-3.0-or-later
 * The entry point of system calls. */
#include "bench/sys.h"

#define AT_SYSINFO 32

static void __attribute__((naked)) int80(void)
{
	asm volatile("int $0x80; ret");
}

void (*sys_entry)(void) = int80;

/* The auxiliary vector follows the environment. */
void sys_find_entry(char **env)
{
	while (*env++)
		;
	for (u32 *aux = (u32 *)env; aux[0]; aux += 2)
		if (aux[0] == AT_SYSINFO)
			sys_entry = (void (*)(void))aux[1];
}
