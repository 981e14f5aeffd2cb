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

/* ---- single step and the shadow of SS (steps.S) ---- */

struct step {
	const u8 *eip;
	int ecx; /* -1: any */
};

/* Were the #DB since BEFORE these N? */
static bool stepped(u32 before, const struct step *s, u32 n)
{
	if (db_traps != before + n)
		return false;
	for (u32 i = 0; i < n; i++) {
		const struct db_record *r = &db_trace[(before + i) % DB_TRACE];

		if (r->eip != (u32)s[i].eip || (s[i].ecx >= 0 && r->ecx != (u32)s[i].ecx))
			return false;
	}
	return true;
}

void step_rep(u8 *from, u8 *to);
extern const u8 rep_movs[], rep_nop[], rep_two[], rep_stos[], rep_four[], rep_cmps[], rep_lods[], rep_end[],
    rep_off[];
void step_ss(void), step_ss_int3(void), load_ss(const volatile u32 *sel);
extern const u8 ss_nop_end[], ss_push_end[], ss_pop_nop_end[], ss_end[], ss_off[], int3_nop_end[], int3_end[],
    int3_off[], ss_shadow[], ss_shadow_end[];

/* One #DB behind each iteration. */
static const char *check_step_rep(void)
{
	static const struct step want[] = {
		{ rep_movs, 2 }, { rep_movs, 1 }, { rep_nop, 0 },  { rep_two, 0 },     { rep_stos, 2 },
		{ rep_stos, 1 }, { rep_four, 0 }, { rep_cmps, 4 }, { rep_cmps, 3 },    { rep_lods, 2 },
		{ rep_lods, 1 }, { rep_end, 0 },  { rep_off, 0 },  { rep_off + 7, 0 }, { rep_off + 8, 0 },
	};
	static u8 from[16] = "0123456789", to[17] = "...........3....";
	u32 before = db_traps;

	to[11] = '3';
	to[12] = '.';
	step_rep(from, to);
	if (memcmp(from, to, 3) || to[3] || to[10])
		return "the instructions";
	return stepped(before, want, LEN(want)) ? NULL : "a #DB for each iteration";
}

static bool is_amd(void)
{
	u32 a = 0, b = 0, c, d;

	if (features_edx)
		asm volatile("cpuid" : "+a"(a), "=b"(b), "=c"(c), "=d"(d));
	return b == 0x68747541;
}

/* MOV SS and POP SS hold debug traps off until the next instruction is complete. */
static const char *check_shadow(void)
{
	static const struct step tf[] = { { ss_nop_end, -1 }, { ss_push_end, -1 }, { ss_pop_nop_end, -1 },
					  { ss_end, -1 },     { ss_off, -1 },	   { ss_off + 7, -1 },
					  { ss_off + 8, -1 } };
	static const struct step int3[] = { { int3_nop_end, -1 },
					    { int3_end, -1 },
					    { int3_off, -1 },
					    { int3_off + 7, -1 },
					    { int3_off + 8, -1 } };
	static volatile u32 sel;
	u32 before = db_traps, traps = bp_traps;

	step_ss();
	if (!stepped(before, tf, LEN(tf)))
		return "single step";
	before = db_traps;
	step_ss_int3();
	if (!stepped(before, int3, LEN(int3)) || bp_traps != traps + 1)
		return "INT3 behind it";
	before = db_traps;
	sel = SEL_KDATA;
	break_at(0, (u32)&sel, ON_ACCESS, 4);
	load_ss(&sel);
	if (!broke(before, 0, (u32)ss_shadow_end))
		return "data breakpoint";
	before = db_traps;
	break_at(1, (u32)ss_shadow, ON_CODE, 1);
	load_ss(&sel);
	break_never();
	return db_traps == before + is_amd() ? NULL : "code breakpoint";
}

/* A data breakpoint in the middle of a REP. */
static const char *check_break_in_rep(void)
{
	static u8 cells[8];
	u32 before = db_traps, dr6;

	break_at(2, (u32)&cells[2], ON_WRITE, 1);
	asm volatile("cld; rep stosb" : : "D"(cells), "a"(1), "c"(8) : "memory", "cc");
	dr6 = read_dr6();
	break_never();
	if (db_traps != before + 1 || (dr6 & 0xe00f) != 4)
		return "number of #DB, or DR6";
	return db_trace[before % DB_TRACE].ecx == 5 && cells[7] ? NULL : "not behind the iteration";
}

const struct check debug_checks[] = {
	{ "code breakpoints", check_code_breakpoints },
	{ "data breakpoints", check_data_breakpoints },
	{ "breakpoint and step", check_break_and_step },
	{ "single step of REP", check_step_rep },
	{ "shadow of SS", check_shadow },
	{ "breakpoint within REP", check_break_in_rep },
};
const unsigned debug_check_count = LEN(debug_checks);
