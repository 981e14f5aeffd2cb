/* SPDX-License-Identifier: GPL-3.0-or-later
 * Checks of the debug registers (SDM vol. 3B 18.2): instruction breakpoints are faults before the
 * instruction, data breakpoints traps after it. */
#include "guests/demo/kernel.h"

enum { ON_CODE, ON_WRITE, ON_ACCESS = 3 };

static u32 read_dr6(void)
{
	u32 v;

	asm volatile("movl %%dr6, %0" : "=r"(v));
	return v;
}

/* Set breakpoint N at ADDRESS, of BYTES (1, 2 or 4), and no other; clear DR6. */
static void break_at(unsigned n, u32 address, u32 what, u32 bytes)
{
	u32 dr7 = 0x400 | 2u << 2 * n | what << (16 + 4 * n) | (bytes - 1) << (18 + 4 * n);

	asm volatile("movl %0, %%dr7; movl %0, %%dr6" : : "r"(0x400));
	switch (n) {
	case 0:
		asm volatile("movl %0, %%dr0" : : "r"(address));
		break;
	case 1:
		asm volatile("movl %0, %%dr1" : : "r"(address));
		break;
	case 2:
		asm volatile("movl %0, %%dr2" : : "r"(address));
		break;
	default:
		asm volatile("movl %0, %%dr3" : : "r"(address));
	}
	asm volatile("movl %0, %%dr7" : : "r"(dr7));
}

static void break_never(void)
{
	asm volatile("movl %0, %%dr7; movl %0, %%dr6" : : "r"(0x400));
}

/* Check for exactly one #DB since BEFORE, by breakpoint N, with EIP in the frame. */
static bool broke(u32 before, unsigned n, u32 eip)
{
	return db_traps == before + 1 && db_frame.eip == eip && (read_dr6() & 0xe00f) == 1u << n;
}

extern const u8 debug_inc[], debug_inc_end[];

static void __attribute__((noinline)) counted(volatile u32 *cell)
{
	asm volatile("nop\n\t.globl debug_inc, debug_inc_end\ndebug_inc:\n\tincl (%0)\ndebug_inc_end:\n\tnop"
		     :
		     : "r"(cell)
		     : "memory", "cc");
}

static const char *check_code_breakpoints(void)
{
	volatile u32 cell = 0;
	u32 before;

	for (u32 i = 0; i < 12; i++) {
		before = db_traps;
		break_at(i & 3, (u32)debug_inc, ON_CODE, 1);
		counted(&cell);
		if (!broke(before, i & 3, (u32)debug_inc))
			return "not in front of the instruction";
		if (!(db_frame.eflags & 0x10000))
			return "RF is not pushed";
		break_never();
		counted(&cell);
		if (db_traps != before + 1)
			return "breaks when it is off";
	}
	before = db_traps;
	break_at(2, (u32)debug_inc, ON_CODE, 1);
	for (u32 i = 0; i < 100; i++)
		counted(&cell);
	break_never();
	if (db_traps != before + 100)
		return "number of #DB";
	return cell == 124 ? NULL : "the instruction";
}

static const char *check_data_breakpoints(void)
{
	static volatile u32 cells[4] __attribute__((aligned(16)));
	volatile u8 *byte = (volatile u8 *)cells;
	u32 before = db_traps, sum = 0;

	cells[1] = 0;
	break_at(1, (u32)&cells[1], ON_WRITE, 4);
	counted(&cells[1]);
	if (!broke(before, 1, (u32)debug_inc_end))
		return "not behind a write";
	before = db_traps;
	for (u32 i = 0; i < 16; i++)
		sum += cells[1];
	cells[0] = cells[2] = sum;
	byte[3] = byte[8] = 1;
	if (db_traps != before)
		return "breaks for another access";
	byte[7] = 1;
	*(volatile u16 *)(byte + 3) = 2;
	asm volatile("movl $4, %%ecx; movl %0, %%edi; cld; rep stosl"
		     :
		     : "r"(cells)
		     : "ecx", "edi", "memory", "cc");
	break_never();
	if (db_traps != before + 3)
		return "part of it, or a string";

	before = db_traps;
	break_at(3, (u32)byte + 5, ON_ACCESS, 1);
	sum += byte[5];
	sum += byte[4] + byte[6];
	byte[5] = 9;
	asm volatile("pushl %0; popl %1" : "=m"(cells[1]) : "m"(cells[1]) : "memory");
	break_never();
	sum += byte[5];
	if (db_traps != before + 4)
		return "reads";
	return sum ? NULL : "values";
}

/* Together with TF there is one #DB, and DR6 shows both causes. */
static const char *check_break_and_step(void)
{
	static volatile u32 cell;
	u32 before = db_traps, dr6 = 0;

	break_at(0, (u32)&cell, ON_WRITE, 4);
	asm volatile("pushfl; orl $0x100, (%%esp); popfl\n\tincl %1\n\tmovl %%dr6, %0\n\t"
		     "pushfl; andl $~0x100, (%%esp); popfl"
		     : "=r"(dr6), "+m"(cell)
		     :
		     : "cc", "memory");
	break_never();
	return db_traps == before + 5 && (dr6 & 0xe00f) == 0x4001 ? NULL : "number of #DB, or DR6";
}

const struct check debug_checks[] = {
	{ "code breakpoints", check_code_breakpoints },
	{ "data breakpoints", check_data_breakpoints },
	{ "breakpoint and step", check_break_and_step },
};
const unsigned debug_check_count = LEN(debug_checks);
