/* SPDX-License-Identifier: GPL-3.0-or-later
 * Page tables that map themselves, rewritten at random, with an oracle: after a
 * flush, each access must do what a walk over the tables in memory says. The
 * harness itself lives below 4 MiB, whose tables stay; the page directory, the
 * tables and the pool of pages are all reachable through the random mappings. */
#include "tests/guests/hostile/hostile.h"

enum { P = 1, W = 2, U = 4, A = 0x20, D = 0x40, PS = 0x80, G = 0x100 };
enum { PD = TABLES, PT0 = TABLES + 0x1000, TABLES_USED = 16 };
enum { SELF = 0x3ff }; /* the directory entry that maps the directory */

static uint32_t pick_frame(void)
{
	switch (below(8)) {
	case 0:
		return TABLES + below(TABLES_USED) * 4096;
	case 1:
		return (rnd() & 0xfffff000); /* anywhere */
	case 2:
		return 0xb8000;
	case 3:
		return 0xe0000000 + below(16) * 4096;
	default:
		return POOL + below(POOL_BYTES >> 12) * 4096;
	}
}

static uint32_t pick_bits(void)
{
	return (below(8) ? P : 0) | (below(4) ? W : 0) | (below(2) ? U : 0) | (below(2) ? A : 0) |
	       (below(2) ? D : 0) | (below(4) ? 0 : G) | (rnd() & 0xe00);
}

/* The entries that the random part owns: directory slots from 1 on (but the pool's,
 * and the tables'), and all table pages but the first three. */
static void rewrite_one(void)
{
	if (below(4)) {
		uint32_t t = TABLES + (4 + below(TABLES_USED - 4)) * 4096;

		*at(t + 4 * below(1024)) = pick_frame() | pick_bits();
	} else {
		uint32_t slot = 16 + below(1000), e;

		if (below(3))
			e = (TABLES + (4 + below(TABLES_USED - 4)) * 4096) | pick_bits();
		else if (below(2))
			e = (pick_frame() & 0xffc00000) | (pick_bits() | PS);
		else
			e = (TABLES + below(TABLES_USED) * 4096) | pick_bits();
		*at(PD + 4 * slot) = e;
	}
}

struct walked {
	bool ok, ram;
	uint32_t pa, err, pde_at, pte_at;
};

static bool is_ram(uint32_t a)
{
	return a < 0xa0000 || (a >= 0xb8000 && a < 0xc0000) || (a >= 0x100000 && a < MEMORY);
}

static struct walked walk(uint32_t va, bool write)
{
	struct walked w = { .pde_at = (cr3() & ~4095u) + (va >> 22) * 4 };
	uint32_t pde = *at(w.pde_at), pte = 0;
	bool wr, wp = cr0() & 0x10000;

	if (!(pde & P))
		return w;
	if ((pde & PS) && (cr4() & 0x10)) {
		if (pde & 0x3fe000) { /* PSE-36: above what this machine has, or reserved: not judged */
			w.err = 9;
			return w;
		}
		w.pa = (pde & 0xffc00000) | (va & 0x3fffff);
		wr = pde & W;
	} else {
		w.pte_at = (pde & 0xfffff000) + (va >> 12 & 1023) * 4;
		if (!is_ram(w.pte_at))
			return w;
		pte = *at(w.pte_at);
		if (!(pte & P))
			return w;
		w.pa = (pte & 0xfffff000) | (va & 4095);
		wr = pde & pte & W;
	}
	w.err = 1;
	w.ok = !write || wr || !wp;
	w.ram = is_ram(w.pa);
	return w;
}

static uint32_t got;

static void load(uint32_t va)
{
	got = *at(va);
}
static void store(uint32_t va)
{
	__asm__ volatile("lock orl $0, (%0)" : : "r"(va) : "memory", "cc");
}

/* Access VA and compare with the tables. Only called just after a flush. */
static void check(uint32_t va, bool write)
{
	struct walked w = walk(va, write);
	uint32_t want = w.ok && w.ram ? *at(w.pa) : 0, vec;

	if (w.err == 9)
		return;
	if (write && w.ok && w.ram && (w.pa & ~3u) < 0x400000)
		return; /* leave the harness alone */
	do
		vec = attempt(write ? store : load, va);
	while (vec == V_TIMER);
	if (w.ok != (vec == 256))
		failed(w.ok ? "access faulted" : "access did not fault", va, *at(w.pde_at));
	if (!w.ok && last_cr2 != va)
		failed("wrong CR2", va, last_cr2);
	if (!w.ok || !w.ram)
		return;
	/* The walk may have set accessed and dirty bits in the very word. */
	if (!write && (got & ~0x60u) != (want & ~0x60u))
		failed("wrong value read", va, got);
	if (!(*at(w.pde_at) & A))
		failed("directory entry not accessed", va, *at(w.pde_at));
	if (w.pte_at && !(*at(w.pte_at) & A))
		failed("table entry not accessed", va, *at(w.pte_at));
	if (write && !(*at(w.pte_at ? w.pte_at : w.pde_at) & D))
		failed("entry not dirty", va, *at(w.pte_at ? w.pte_at : w.pde_at));
}

static void set_up_tables(void)
{
	for (uint32_t i = 0; i < TABLES_USED * 1024; i++)
		*at(TABLES + 4 * i) = 0;
	for (uint32_t i = 0; i < 3 * 1024; i++)
		*at(PT0 + 4 * i) = i << 12 | P | W; /* 0..12 MiB where they are: harness, tables, pool */
	for (uint32_t i = 0; i < 3; i++)
		*at(PD + 4 * i) = (PT0 + i * 4096) | P | W;
	*at(PD + 4 * 3) = 0xc00000 | P | W | PS;
	for (uint32_t i = 4; i < 8; i++)
		*at(PD + 4 * i) = i << 22 | P | W | PS;
	*at(PD + 4 * SELF) = PD | P | W;
	for (uint32_t i = 0; i < POOL_BYTES; i += 4096)
		*at(POOL + i) = i | 0xabc;
}

static void set_regime(void)
{
	regime = (struct regime){ 0x80000011 | (below(2) ? 0x10000 : 0), PD, 0x10 | (below(2) ? 0x80 : 0) };
	set_cr4(regime.cr4);
	set_cr3(regime.cr3);
	set_cr0(regime.cr0);
}

static uint32_t pick_va(void)
{
	return (16u << 22) + rnd() % (0xfffff000 - (16u << 22)) / 4 * 4;
}

/* An address whose entries were surely rewritten now and then. */
static uint32_t pick_hot_va(void)
{
	return (16 + below(40)) << 22 | below(24) << 12 | (below(1024) << 2);
}

static void scribble(uint32_t va)
{
	*at(va) = (below(2) ? pick_frame() : 0) | pick_bits();
}

void test_page_tables(void)
{
	uint32_t rounds = option("rounds", 3000), wild = option("wild", 0);

	set_up_tables();
	set_regime();
	for (uint32_t i = 0; i < rounds; i++) {
		uint32_t va = below(2) ? pick_va() : pick_hot_va();

		for (uint32_t k = below(8); k; k--)
			rewrite_one();
		if (!below(8))
			set_regime();
		if (wild && !below(4)) { /* through the tables' own mapping, wherever it leads */
			attempt(scribble, 0xffc00000 + below(0x100000) * 4);
			attempt(scribble, pick_hot_va());
			attempt(load, pick_va());
			for (uint32_t k = 0; k < 3; k++)
				*at(PD + 4 * k) = (PT0 + k * 4096) | P | W;
			for (uint32_t k = 0; k < 3 * 1024; k++)
				*at(PT0 + 4 * k) = k << 12 | P | W;
			set_cr3(PD);
			continue;
		}
		if (below(2)) {
			invlpg(va);
		} else {
			set_cr4(regime.cr4 & ~0x80u); /* global pages go too */
			set_cr3(PD);
			set_cr4(regime.cr4);
		}
		check(va, below(2));
		if (below(2)) {
			invlpg(va);
			check(va, below(2));
		}
	}
	say("hostile: page-table rounds: ", rounds);
}

/* ---- the tables that map the code that writes them ---- */

/* Position-independent code for two pages: store EDX at [ECX], invalidate [EBX], return EAX. */
static void put_code(uint32_t to, uint32_t value)
{
	static const uint8_t code[] = { 0x89, 0x11, 0x0f, 0x01, 0x3b, 0xb8 };
	volatile uint8_t *p = (volatile uint8_t *)to;

	for (unsigned i = 0; i < sizeof(code); i++)
		p[i] = code[i];
	for (unsigned i = 0; i < 4; i++)
		p[6 + i] = (uint8_t)(value >> 8 * i);
	p[10] = 0xc3;
}

static uint32_t run_switch(uint32_t va, uint32_t entry_at, uint32_t entry)
{
	uint32_t v;

	__asm__ volatile("call *%1" : "=a"(v) : "r"(va), "c"(entry_at), "d"(entry), "b"(va) : "memory", "cc");
	return v;
}

/* Code remaps its own page and goes on: what follows INVLPG is fetched from the new page. */
void test_own_page(void)
{
	uint32_t va = 0x10000000, entry_at, rounds = option("rounds", 3000);

	set_up_tables();
	set_regime();
	*at(PD + 4 * (va >> 22)) = (TABLES + 5 * 4096) | P | W;
	entry_at = TABLES + 5 * 4096 + (va >> 12 & 1023) * 4;
	for (uint32_t i = 0; i < rounds; i++) {
		uint32_t one = POOL + 2 * below(512) * 4096, two = one + 4096, v;
		uint32_t a = rnd(), b = rnd();

		put_code(one, a);
		put_code(two, b);
		*at(entry_at) = one | P | (below(2) ? W : 0) | (below(2) ? G : 0);
		invlpg(va);
		v = run_switch(va, entry_at, two | P | W);
		if (v != b)
			failed("old code after its page was mapped elsewhere", v, b);
		v = run_switch(va, entry_at, one | P);
		if (v != a)
			failed("old code after the second change", v, a);
		if (!below(16))
			set_regime();
	}
}

/* Random code with the tables of its own page in reach of its stores. */
void test_own_tables(void)
{
	uint32_t rounds = option("rounds", 2000);

	for (uint32_t i = 0; i < rounds; i++) {
		struct state s = { .eip = 0x10000000 + below(64),
				   .cs = S_CODE,
				   .ss = S_DATA,
				   .ds = S_DATA,
				   .es = S_DATA,
				   .eflags = 0x202 };
		uint32_t *r = &s.eax;

		set_up_tables();
		set_regime();
		for (uint32_t k = 0; k < 4; k++)
			*at(PD + 4 * (64 + k)) = (TABLES + (5 + k) * 4096) | P | W;
		for (uint32_t k = 0; k < 1024; k++)
			*at(TABLES + 5 * 4096 + 4 * k) =
			    (below(8) ? POOL + below(64) * 4096 : TABLES + below(16) * 4096) | P |
			    (below(2) ? W : 0);
		for (uint32_t k = 0; k < 64 * 1024; k++)
			*at(POOL + 4 * k) = below(4) ? 0x11890189 + (below(8) << 24) + (below(8) << 8)
						     : rnd(); /* mostly stores */
		set_cr3(PD);
		for (unsigned k = 0; k < 8; k++)
			r[k] = below(2) ? TABLES + 5 * 4096 + below(1024) * 4
					: 0xffc00000 + (64 << 12) + below(256) * 4;
		s.esp = 0x10010000;
		run_code(&s);
		set_cr0(0x11);
		regime.cr0 = 0x11;
	}
	say("hostile: rounds: ", rounds);
}
