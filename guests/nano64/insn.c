/* SPDX-License-Identifier: GPL-3.0-or-later
 * Items for any privilege level, in 64-bit code. */
#include "guests/nano/nano.h"

static u8 *code;

static void __attribute__((naked, used)) nano_ret(void)
{
	asm volatile("ret");
}

static unsigned long memory[8];

NANO_RUN(call_ret, "call nano_ret", 0, 0, 0, 0)
NANO_RUN(run_load, "movq (%%rbx), %%rax\naddq %%rax, %%rcx", 0, memory, 0, 0)
NANO_RUN(run_store, "movq %%rax, 8(%%rbx)", 0, memory, 0, 0)
NANO_RUN(jump, "leaq 78f(%%rip), %%rax\njmp *%%rax\n78:", 0, 0, 0, 0)
NANO_RUN(run_relative, "movq memory(%%rip), %%rax", 0, 0, 0, 0)
NANO_RUN(run_r8, "addq %%rax, %%r8\naddq %%r9, %%rax", 0, 0, 0, 0)
NANO_RUN(push_pop, "pushq %%rax\npopq %%rcx", 0, 0, 0, 0)
NANO_RUN(run_rdtsc, "rdtsc", 0, 0, 0, 0)
NANO_RUN(run_cpuid, "xorl %%eax, %%eax\ncpuid", 0, 0, 0, 0)
NANO_RUN(pushf_popf, "pushfq\npopfq", 0, 0, 0, 0)
NANO_RUN(sreg_read, "movl %%ds, %%eax", 0, 0, 0, 0)
NANO_RUN(seg_load, "movl %%eax, %%es", 0, 0, 0, 0)
NANO_RUN(code_store, "movl %%eax, 2048(%%rbx)\ncall *%%rbx", 0, code, 0, 0)
NANO_RUN(code_call, "call *%%rbx", 0, code, 0, 0)
NANO_RUN(self_modify, "movl %%ecx, 1(%%rbx)\ncall *%%rbx\nincl %%ecx", 0, code, 0, 0)

static bool code_page(void)
{
	static const u8 bytes[] = { 0xb8, 0, 0, 0, 0, 0xc3 }; /* mov $0, %eax; ret */

	code = nano_code_page();
	for (u32 i = 0; code && i < sizeof(bytes); i++)
		code[i] = bytes[i];
	return code != 0;
}

/* Columns as in guests/nano/insn.c. */
const struct nano_item nano_insn_items[] = {
	{ "loop", nano_loop, 1, 0, 0, 0, 0, 0 },
	{ "call/ret", call_ret, NANO_OPS, 0, 0, 0, 0, 0 },
	{ "jump", jump, NANO_OPS, 0, 0, 0, 0, 0 },
	{ "load", run_load, NANO_OPS, 0, 0, 0, 0, 0 },
	{ "store", run_store, NANO_OPS, 0, 0, 0, 0, 0 },
	{ "rip-load", run_relative, NANO_OPS, 0, 0, 0, 0, 0 },
	{ "r8-r9", run_r8, NANO_OPS, 0, 0, 0, 0, 0 },
	{ "push/pop", push_pop, NANO_OPS, 0, 0, 0, 0, 0 },
	{ "rdtsc", run_rdtsc, NANO_OPS, 0, 0, 0, 0, 0 },
	{ "cpuid", run_cpuid, NANO_OPS, 0, 0, 0, 0, 0 },
	{ "pushf/popf", pushf_popf, NANO_OPS, 0, 0, 0, 0, 0 },
	{ "sreg-read", sreg_read, NANO_OPS, 0, 0, 0, 0, 0 },
	{ "seg-load", seg_load, NANO_OPS, 0, 0, 0, 0, 0 },
	{ "code-store", code_store, NANO_OPS, code_call, code_page, 0, 0, 0 },
	{ "smc", self_modify, NANO_OPS, code_call, code_page, 0, 0, 0 },
};
const u32 nano_insn_count = sizeof(nano_insn_items) / sizeof(nano_insn_items[0]);
