/* SPDX-License-Identifier: GPL-3.0-or-later
 * Page tables that change at random, and the ways to flush. */
#include "guests/stress64/stress.h"

struct space spaces[SPACES];
unsigned present;
u64 spots[SPOTS], frames[FRAMES];
struct rights rights;
static u64 large_2m; /* a 2 MiB page of memory that is used as a large one; the frames are in it */

#define KERNEL_SPOTS 10 /* the last ones: in the upper half, in the tables that all spaces share */

static bool is_kernel(unsigned spot)
{
	return spot >= SPOTS - KERNEL_SPOTS;
}

/* Neighbours, so that accesses cross from one to the next; places that programs use, and others. */
static void choose_spots(void)
{
	static const u64 bases[] = { 0x400000,	     0x600000,	     0x10000000,     0xfffff000,
				     0x7ffff7dd0000, 0x7ffffffde000, 0x555555554000, 0x123456600000,
				     0x3ffffffff000, 0x7f0000000000 };
	static const u64 upper[] = { 0xffffa00000000000, 0xffffc7ffffffe000, 0xffffffffc0200000,
				     0xffffe12345678000, 0xffff90003ffff000 };

	for (unsigned i = 0; i < SPOTS - KERNEL_SPOTS; i++)
		spots[i] = bases[i / 3] + i % 3 * 4096;
	for (unsigned i = 0; i < KERNEL_SPOTS; i++)
		spots[SPOTS - KERNEL_SPOTS + i] = upper[i / 2] + i % 2 * 4096;
}

/* ---- frames of tables, which are used again ---- */

static u64 free_tables; /* each has the address of the next in its first entry */

static u64 table_alloc(void)
{
	u64 pa = free_tables, *t = phys(pa);

	if (!pa)
		return frame_alloc();
	free_tables = t[0];
	memset(t, 0, 4096);
	return pa;
}

/* Entry E, of the level with SHIFT, is no longer used, nor its table and those below, if it has one. */
static void table_free(u64 e, unsigned shift)
{
	u64 *t = phys(e & PTE_ADDR);

	if (e & PTE_PS || !(e & PTE_ADDR))
		return;
	for (unsigned i = 0; i < 512 && shift > 21; i++)
		table_free(t[i], shift - 9);
	t[0] = free_tables;
	free_tables = e & PTE_ADDR;
}

/* The entry for VA at the level with SHIFT, tables above it made as needed; NULL: a large page is there. */
static volatile u64 *entry_of(u64 root, u64 va, unsigned shift)
{
	volatile u64 *t = phys(root);

	for (unsigned s = 39; s > shift; s -= 9) {
		volatile u64 *e = &t[va >> s & 511];

		if (!(*e & PTE_P)) {
			table_free(*e, s);
			*e = table_alloc() | PTE_P | PTE_W | PTE_U;
		} else if (*e & PTE_PS && s <= 30)
			return NULL;
		t = phys(*e & PTE_ADDR);
	}
	return &t[va >> shift & 511];
}

static u64 random_flags(bool kernel)
{
	u64 f = 0;

	f |= rnd(8) ? PTE_P : 0;
	f |= rnd(3) ? PTE_W : 0;
	f |= rnd(kernel ? 6 : 2) || (kernel && !odd) ? 0 : PTE_U;
	f |= kernel || rnd(4) ? 0 : PTE_U;
	f |= rnd(3) ? 0 : PTE_A;
	f |= rnd(3) ? 0 : PTE_A | PTE_D;
	f |= rights.nx && !rnd(4) ? PTE_NX : 0;
	f |= kernel && !rnd(3) ? PTE_G : 0;
	return f;
}

void tables_setup(void)
{
	u64 pa;

	choose_spots();
	do
		pa = frame_alloc();
	while (pa & 0x1fffff); /* up to the next 2 MiB: the page itself is used from here on */
	large_2m = pa;
	for (unsigned i = 1; i < 512; i++)
		frame_alloc();
	for (unsigned i = 0; i < FRAMES; i++)
		frames[i] = large_2m + rnd(512) * 4096;
	rights = (struct rights){ .wp = true, .nx = HAS_NX };
	for (unsigned i = 0; i < KERNEL_SPOTS; i++)
		entry_of(phys_of((void *)kernel_pml4), spots[SPOTS - KERNEL_SPOTS + i], 12);
	for (unsigned i = 0; i < SPACES; i++) {
		spaces[i] = (struct space){ .root = frame_alloc(), .pcid = HAS_PCID ? i + 1 : 0 };
		memcpy(phys(spaces[i].root), (void *)kernel_pml4, 4096);
		if (kpti) {
			spaces[i].user_root = frame_alloc();
			memcpy(phys(spaces[i].user_root), (void *)kernel_pml4, 4096);
		}
	}
	write_cr4(read_cr4() | CR4_PGE);
	write_cr3(spaces[0].root);
	if (HAS_PCID)
		write_cr4(read_cr4() | CR4_PCIDE);
	tables_switch();
}

/* ---- two roots a space ---- */

#define USER_PCID 0x800

/* The kernel's root has NX where user mode has its memory. Accessed bits are each root's own. */
static void mirror(struct space *s)
{
	volatile u64 *kernel = phys(s->root), *user = phys(s->user_root);
	u64 nx = rights.nx ? PTE_NX : 0;

	for (unsigned i = 0; i < 256; i++) {
		if (!((kernel[i] ^ user[i]) & ~(u64)(PTE_A | PTE_NX)))
			continue;
		s->user_stale = true;
		user[i] = kernel[i] & ~nx;
		kernel[i] |= kernel[i] & PTE_P ? nx : 0;
	}
}

void tables_mirror(void)
{
	for (unsigned i = 0; i < SPACES && kpti; i++)
		mirror(&spaces[i]);
}

void tables_enter_user(void)
{
	struct space *s = &spaces[present];
	bool keep = s->pcid && !s->user_stale && rnd(4);

	if (!kpti)
		return;
	write_cr3(s->user_root | (s->pcid ? s->pcid | USER_PCID : 0) | (keep ? 1ull << 63 : 0));
	s->user_stale = false;
}

/* The kernel's translations are those of before. */
void tables_leave_user(void)
{
	struct space *s = &spaces[present];

	if (kpti)
		write_cr3(s->root | s->pcid | (s->pcid ? 1ull << 63 : 0));
}

/* ---- flushes ---- */

static void invpcid(u64 type, u64 pcid, u64 va)
{
	u64 descriptor[2] = { pcid, va };

	asm volatile("invpcid %1, %0" : : "r"(type), "m"(descriptor) : "memory");
}

static void set_cr3(unsigned space, bool keep)
{
	write_cr3(spaces[space].root | spaces[space].pcid | (keep ? 1ull << 63 : 0));
	present = space;
}

static void flush_all(void)
{
	u64 cr4 = read_cr4();

	if (HAS_INVPCID && rnd(2)) {
		invpcid(2, 0, 0);
	} else {
		write_cr4(cr4 & ~(u64)CR4_PGE);
		write_cr4(cr4);
	}
	for (unsigned i = 0; i < SPACES; i++)
		spaces[i].stale = spaces[i].user_stale = false;
}

/* VA's translation has changed in space S, or in all of them when it is the kernel's. LEAF: only that of its
 * page, not of others. */
static void flush(unsigned s, u64 va, bool kernel, bool leaf, bool global)
{
	for (unsigned i = 0; i < SPACES; i++)
		if (kernel || i == s)
			spaces[i].stale = spaces[i].user_stale = true;
	if (global || !rnd(16)) {
		if (leaf && kernel && rnd(2))
			invlpg(va);
		else
			flush_all();
		if (!spaces[present].stale)
			return;
	}
	if (!kernel && s != present) {
		if (HAS_INVPCID && spaces[s].pcid && !rnd(2)) {
			invpcid(rnd(2) && leaf ? 0 : 1, spaces[s].pcid, va);
			spaces[s].stale = false;
		}
		return;
	}
	if (leaf && rnd(2))
		invlpg(va);
	else if (HAS_INVPCID && spaces[present].pcid && !rnd(3))
		invpcid(leaf && rnd(2) ? 0 : 1, spaces[present].pcid, va);
	else
		set_cr3(present, false);
	spaces[present].stale = false;
}

/* ---- what happens ---- */

/* Only tables of the spots' own change above the last level: the kernel's own memory stays. */
void tables_change(void)
{
	unsigned spot = (unsigned)rnd(SPOTS), s = rnd(4) ? present : (unsigned)rnd(SPACES);
	bool kernel = is_kernel(spot), leaf = rnd(5) != 0, global;
	u64 va = spots[spot], was;
	unsigned shift = leaf ? 12 : kernel || rnd(3) ? 21 : rnd(2) ? 30 : 39;
	volatile u64 *e = entry_of(spaces[s].root, va, shift);

	if (!e)
		e = entry_of(spaces[s].root, va, shift = 21), leaf = false;
	if (!e)
		return;
	was = *e;
	global = was & PTE_G || (!leaf && kernel);
	if (shift == 12) {
		*e = frames[rnd(FRAMES)] | random_flags(kernel);
		global |= (*e & PTE_G) != 0;
	} else if (shift == 21 && (was & PTE_PS || !rnd(3))) {
		*e = was & PTE_PS && rnd(2) ? 0 : large_2m | PTE_PS | random_flags(kernel);
		global |= (*e & PTE_G) != 0;
	} else { /* rights of what is below, its table, or none for a while */
		*e = (was & PTE_ADDR) | (random_flags(true) & ~(u64)(PTE_G | PTE_PS | PTE_D)) |
		     (rnd(4) ? PTE_U : 0);
		if (!(was & PTE_P))
			*e = 0;
	}
	tables_mirror();
	if (tracing)
		print("entry %u of %x in space %u: %x, was %x\n", (u64)shift, va, (u64)s, *e, was);
	flush(s, va, kernel, leaf, global);
	if (shift > 12 && (*e & PTE_ADDR) != (was & PTE_ADDR))
		table_free(was, shift);
}

void tables_switch(void)
{
	unsigned to = (unsigned)rnd(SPACES);

	if (tracing)
		print("to space %u\n", (u64)to);
	set_cr3(to, spaces[to].pcid && !spaces[to].stale && rnd(4));
	spaces[to].stale = false;
}

static void set_bit(u64 *value, u64 bit, bool on)
{
	*value = on ? *value | bit : *value & ~bit;
}

void tables_protect(void)
{
	u64 cr0 = read_cr0(), cr4 = read_cr4();

	rights.wp = rnd(4) != 0;
	rights.smep = HAS_SMEP && rnd(2);
	rights.smap = HAS_SMAP && rnd(2) && (odd || rights.smep);
	rights.ac = rights.smap && rnd(2);
	if (tracing)
		print("WP %u SMEP %u SMAP %u AC %u\n", (u64)rights.wp, (u64)rights.smep, (u64)rights.smap,
		      (u64)rights.ac);
	set_bit(&cr0, CR0_WP, rights.wp);
	set_bit(&cr4, CR4_SMEP, rights.smep);
	set_bit(&cr4, CR4_SMAP, rights.smap);
	write_cr0(cr0);
	write_cr4(cr4);
}
