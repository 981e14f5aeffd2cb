/* SPDX-License-Identifier: GPL-3.0-or-later
 * Random instructions from a buffer, with handlers that skip on: ring 0 and 3,
 * 32 and 16 bits, virtual-8086 and real mode. "mode=N" (below), "paging=1". Also
 * code that rewrites itself, and repeated string instructions without end. */
#include "tests/guests/hostile/hostile.h"
#include "tests/guests/hostile/likely.h"

enum { R0_32, R3_32, R0_16, R3_16, V86, REAL, MODES };
enum { CODE_BYTES = 96 };

static const uint32_t edges[] = { 0,	    1,		2,	    4,		0xffff,	    0x10000,
				  0xfffe,   0x7fffffff, 0x80000000, 0xffffffff, 0xfffffffc, 0xb8000,
				  0xa0000,  0xe0000000, MEMORY,	    MEMORY - 1, 0xfee00000, 0x3f8,
				  0x64,	    0x20,	S_UCODE,    S_UDATA,	S_TASK,	    S_TSSDF,
				  S_CODE16, S_REALCODE, 0xc0000080, 0x174,	0x10,	    0x600 };

static uint32_t pick_value(uint32_t base, uint32_t bytes)
{
	switch (below(8)) {
	case 0:
		return rnd();
	case 1:
		return edges[below(sizeof(edges) / 4)];
	case 2:
		return base + (below(bytes) & ~4095u) + 4096 - below(16); /* about to straddle */
	case 3:
		return below(64);
	default:
		return base + below(bytes);
	}
}

static void put_insns(volatile uint8_t *p, uint32_t n, bool hang_free)
{
	uint32_t i = 0;

	for (uint32_t k = 0; k < n + 16; k++)
		p[k] = (uint8_t)rnd();
	while (i < n) {
		while (!below(4))
			p[i++] = prefixes[below(sizeof(prefixes))];
		if (below(3)) {
			unsigned k = below(sizeof(likely) / sizeof(likely[0]));

			for (unsigned j = 0; j < likely[k].n; j++)
				p[i++] = likely[k].b[j];
		}
		i += 1 + below(6);
	}
	if (hang_free) /* with interrupts off, a loop would be for ever */
		for (uint32_t k = 0; k < n + 16; k++)
			if (p[k] == 0xfa)
				p[k] = 0x90;
}

static void copy_blob(void)
{
	uint32_t n = (uint32_t)(real_blob_end - real_blob);

	for (uint32_t i = 0; i < n; i++)
		*(volatile uint8_t *)(TRAMPOLINE + i) = (uint8_t)real_blob[i];
	for (uint32_t i = 0; i < 256; i++)
		*(volatile uint32_t *)(4 * i) = (TRAMPOLINE >> 4) << 16;
}

static void one_state(struct state *s, uint32_t mode, uint32_t base, uint32_t bytes)
{
	bool flat = mode == R0_32 || mode == R3_32;
	uint32_t *r = &s->eax;

	for (unsigned k = 0; k < 8; k++)
		r[k] = flat ? pick_value(base, bytes) : below(4) ? below(0x10000) : rnd();
	s->esp = flat ? base + bytes / 2 + below(4096) * 4 : 0x8000 + below(0x4000);
	s->eflags = 0x202 | (rnd() & 0x40cd5) | (below(16) ? 0 : 0x100) | (below(16) ? 0 : 0x4000);
	if (mode == V86 && below(2))
		s->eflags |= 0x3000;
	s->eip = flat ? base : 0;
}

static void set_selectors(struct state *s, uint32_t mode)
{
	static const uint16_t cs[] = { S_CODE, S_UCODE, S_CODE16, S_UCODE16 },
			      ds[] = { S_DATA, S_UDATA, S_DATA16, S_UDATA16 };

	if (mode < V86) {
		s->cs = cs[mode];
		s->ss = s->ds = s->es = s->fs = s->gs = ds[mode];
		if (!below(8))
			s->fs = 0;
		if (!below(8))
			s->gs = S_REALDATA;
		return;
	}
	s->cs = s->ss = s->ds = s->es = LOW >> 4;
	s->ds += (uint16_t)below(0x1000);
	s->fs = s->gs = (LOW >> 4) + 0x800;
	s->v86 = mode == V86;
	s->real = mode == REAL;
	if (s->v86)
		s->eflags |= 0x20000;
}

void test_insn(void)
{
	uint32_t rounds = option("rounds", 5000), mode = option("mode", 0);

	if (option("paging", 0) && mode != REAL)
		paging_on();
	regime.cr4 = 0x600 | (below(2) ? 0x10 : 0);
	if (option("xsave", 1)) {
		uint32_t a, b, c, d;

		__asm__ volatile("cpuid" : "=a"(a), "=b"(b), "=c"(c), "=d"(d) : "a"(1), "c"(0));
		if (c & 1 << 26)
			regime.cr4 |= 1 << 18;
	}
	set_cr4(regime.cr4);
	if (regime.cr4 & 1 << 18)
		__asm__ volatile("xsetbv" : : "a"(7), "d"(0), "c"(0));
	for (uint32_t i = 0; i < rounds; i++) {
		bool flat = mode == R0_32 || mode == R3_32, low = mode >= V86;
		uint32_t base = low ? LOW : ARENA, bytes = low ? LOW_BYTES : ARENA_BYTES;
		uint32_t where = flat ? base + below(8192) : base + below(4096);
		struct state s = { 0 };

		one_state(&s, mode, base, bytes);
		set_selectors(&s, mode);
		s.eip = where - (flat ? 0 : base);
		put_insns((volatile uint8_t *)where, CODE_BYTES, true);
		if (mode == REAL) {
			copy_blob();
			*(struct state *)0x7000 = s;
		}
		if (!(i & 63))
			set_up_timer();
		run_code(&s);
	}
	print("hostile: vectors:");
	for (unsigned v = 0; v < 256; v++)
		if (counts[v]) {
			print(" ");
			print_num(v);
			print(":");
			print_num(counts[v]);
		}
	print("\n");
}

/* ---- self-modifying code ---- */

/* A loop of ADD EAX, imm32 whose immediates and order are rewritten by the loop
 * itself (a store in front of each), checked against the same sum in C. */
void test_smc(void)
{
	uint32_t rounds = option("rounds", 3000);

	for (uint32_t i = 0; i < rounds; i++) {
		uint32_t n = 1 + below(20), from = below(8192), want = 0, got;
		volatile uint8_t *p = (volatile uint8_t *)(ARENA + from), *start = p;

		*p++ = 0x31, *p++ = 0xc0; /* xor eax, eax */
		for (uint32_t k = 0; k < n; k++) {
			uint32_t v = rnd(), old = rnd(), skip = below(2) ? 0 : below(3);

			/* movl $v, target+1 */
			*p++ = 0xc7, *p++ = 0x05;
			*(volatile uint32_t *)p = (uint32_t)p + 8 + skip + 1, p += 4;
			*(volatile uint32_t *)p = v, p += 4;
			for (uint32_t j = 0; j < skip; j++)
				*p++ = 0x90;
			*p++ = 0x05; /* add eax, imm32 */
			*(volatile uint32_t *)p = below(8) ? old : v, p += 4;
			want += v;
		}
		*p = 0xc3;
		for (uint32_t again = 0; again < 1 + below(4); again++) {
			__asm__ volatile("call *%1" : "=a"(got) : "r"(start) : "memory", "cc");
			if (got != want)
				failed("self-modifying code", got, want);
			if (!below(4)) { /* from outside, and by a string instruction */
				uint32_t len = (uint32_t)(p - start) + 1;

				__asm__ volatile("cld; rep movsb"
						 :
						 : "S"(start), "D"(ARENA + 0x20000), "c"(len)
						 : "memory");
				__asm__ volatile("cld; rep movsb"
						 :
						 : "S"(ARENA + 0x20000), "D"(start), "c"(len)
						 : "memory");
			}
		}
	}
	say("hostile: rounds: ", rounds);
}

/* ---- REP with as many repetitions as there can be ---- */

static uint32_t rep_kind;

static void long_rep(uint32_t a)
{
	uint32_t from = a, to = rnd();

	if (rep_kind & 1)
		__asm__ volatile("std");
	switch (rep_kind >> 1) {
	case 0:
		__asm__ volatile("sti; rep lodsl; cli" : "+S"(from) : "c"(-1) : "eax");
		break;
	case 1:
		__asm__ volatile("sti; repe cmpsb; cli" : "+S"(from), "+D"(to) : "c"(-1) : "cc");
		break;
	case 2:
		__asm__ volatile("sti; repne scasb; cli" : "+D"(from) : "c"(-1), "a"(rnd()) : "cc");
		break;
	case 3:
		__asm__ volatile("sti; addr16 rep lodsb; cli" : "+S"(from) : "c"(-1) : "eax");
		break;
	case 4:
		__asm__ volatile("sti; rep outsb; cli" : "+S"(from) : "c"(-1), "d"(0x80));
		break;
	case 5:
		__asm__ volatile("sti; rep movsb; cli" : "+S"(from) : "c"(-1), "D"(0xe0000000));
		break;
	case 6:
		to = ARENA;
		__asm__ volatile("sti; rep stosl; cli" : "+D"(to) : "c"(0x10000), "a"(0));
		break;
	default:
		to = ARENA;
		__asm__ volatile("sti; rep insb; cli" : "+D"(to) : "c"(0x40000), "d"(0x80));
		break;
	}
}

void test_rep(void)
{
	if (option("paging", 0))
		paging_on();
	for (uint32_t i = 0; i < option("rounds", 600); i++) {
		rep_kind = below(16);
		attempt(long_rep, below(2) ? rnd() : ARENA + below(ARENA_BYTES));
		set_up_timer();
	}
	/* And to the end: everything over itself. Nothing is left to come back to. */
	if (option("everything", 0)) {
		load_idt(0, 0);
		print("hostile: now everything\n");
		__asm__ volatile("cld; mov $0xffffffff, %ecx; xor %edi, %edi; mov $0x12345, %esi; rep movsb");
	}
}
