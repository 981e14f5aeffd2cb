/* SPDX-License-Identifier: GPL-3.0-or-later
 * The entry point of system calls. */
#include "bench/sys.h"

#ifdef __PIE__
/* An entry of .rela.dyn: there are relative ones alone (R_X86_64_RELATIVE). */
struct rela {
	u64 offset, info;
	u64 addend;
};
extern const u64 dynamic[] asm("_DYNAMIC");
extern const char image[] asm("__ehdr_start");

enum { DT_RELA = 7, DT_RELASZ = 8 };

void sys_relocate(void)
{
	u64 base = (u64)image, at = 0, bytes = 0;

	for (const u64 *d = dynamic; d[0]; d += 2) {
		at = d[0] == DT_RELA ? base + d[1] : at;
		bytes = d[0] == DT_RELASZ ? d[1] : bytes;
	}
	for (const struct rela *r = (const struct rela *)at; bytes; r++, bytes -= sizeof(*r))
		*(u64 *)(base + r->offset) = base + r->addend;
}
#elif defined __x86_64__
void sys_relocate(void) {}
#endif

#ifndef __x86_64__
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
#endif
