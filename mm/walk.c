/* SPDX-License-Identifier: GPL-3.0-or-later
 * The guest page walk: no paging, 32-bit with PSE, PAE with NX (SDM vol. 3A
 * 4.3, 4.4, 4.6, 4.7, 4.8). Works on guest-physical memory alone; leaves the
 * windows to window/window.c. */
#include "mm/mm_int.h"

#include <string.h>

enum { PTE_P = 1, PTE_W = 2, PTE_U = 4, PTE_A = 0x20, PTE_D = 0x40, PTE_PS = 0x80, PTE_G = 0x100 };
enum { ERR_P = 1, ERR_W = 2, ERR_U = 4, ERR_RSVD = 8, ERR_ID = 16 };
#define PTE_NX (1ull << 63)
#define PAE_ADDR 0x000ffffffffff000ull

static bool load_entry(struct mmu *m, uint64_t at, unsigned size, uint64_t *e)
{
	struct mm_vm *vm = m->vm;
	uint32_t e32;

	at &= (uint64_t)m->cpu->a20_mask | 0xffffffff00000000ull;
	if (!ppn_ram(vm, at >> PAGE_SHIFT))
		return false;
	if (size == 8) {
		memcpy(e, page_read(vm, (ppn)(at >> PAGE_SHIFT)) + (at & PAGE_MASK), 8);
		return true;
	}
	memcpy(&e32, page_read(vm, (ppn)(at >> PAGE_SHIFT)) + (at & PAGE_MASK), 4);
	*e = e32;
	return true;
}

/* Set BITS (A, D: in the low byte) in the entry at AT, which was loaded. Tables in ROM stay as they are. */
static void set_bits(struct mmu *m, uint64_t at, uint8_t bits)
{
	uint8_t *page;

	at &= (uint64_t)m->cpu->a20_mask | 0xffffffff00000000ull;
	page = page_write(m->vm, (ppn)(at >> PAGE_SHIFT), at & PAGE_MASK, 1, WRITE_BY_GUEST);
	if (page)
		page[at & PAGE_MASK] |= bits;
}

bool walk_pde(struct mmu *m, uint32_t lin, uint64_t *pde, uint64_t *at)
{
	struct cpu *c = m->cpu;

	if (c->cr4 & CR4_PAE) {
		uint64_t pdpte = m->pdptr[lin >> 30];

		if (!(pdpte & PTE_P))
			return false;
		*at = (pdpte & PAE_ADDR) + ((lin >> 21) & 0x1ff) * 8;
		return load_entry(m, *at, 8, pde);
	}
	*at = (c->cr3 & ~PAGE_MASK) + (lin >> 22) * 4;
	return load_entry(m, *at, 4, pde);
}

static void add_level(struct walk *w, const char *name, uint64_t at, uint64_t entry)
{
	w->level[w->nlevels++] = (struct walk_level){ name, at, entry };
}

static uint64_t reserved_bits(const struct cpu *c, bool large)
{
	bool pae = c->cr4 & CR4_PAE;
	uint64_t r = 0;

	if (!pae) /* PSE-36 bits of a large page above our 32-bit physical space are refused too */
		return large ? 0x3fe000 : 0;
	r = 0x7ff0000000000000ull & ~((1ull << 52) - 1);
	r |= 0x000ffff000000000ull; /* MAXPHYADDR 36 */
	if (!(c->efer & EFER_NXE))
		r |= PTE_NX;
	if (large)
		r |= 0x1fe000;
	return r;
}

static bool denied(const struct cpu *c, unsigned how, const struct walk *w)
{
	if (how & MM_PROBE)
		return false;
	if (how & MM_USER) {
		if (!w->user || ((how & MM_WRITE) && !w->writable))
			return true;
	} else {
		if ((how & MM_WRITE) && !w->writable && (c->cr0 & CR0_WP))
			return true;
		if ((how & MM_EXEC) && w->user && (c->cr4 & CR4_SMEP))
			return true;
	}
	return (how & MM_EXEC) && w->nx;
}

static void fail(const struct cpu *c, struct walk *w, unsigned how, uint32_t err)
{
	w->ok = false;
	if (how & MM_WRITE)
		err |= ERR_W;
	if (how & MM_USER)
		err |= ERR_U;
	if ((how & MM_EXEC) && ((c->efer & EFER_NXE && c->cr4 & CR4_PAE) || c->cr4 & CR4_SMEP))
		err |= ERR_ID;
	w->err = err;
}

/* The leaf ENTRY at AT was reached: rights, then accessed and dirty bits. */
static void finish(struct mmu *m, gva lin, unsigned how, struct walk *w, uint64_t entry, uint64_t at,
		   uint64_t pde_at, uint64_t pde)
{
	uint64_t mask = (1ull << w->page_shift) - 1;

	w->global = (entry & PTE_G) && (m->cpu->cr4 & CR4_PGE);
	w->dirty = entry & PTE_D;
	w->pa = (entry & PAE_ADDR & ~mask) | (lin & mask);
	if (w->page_shift == 22) /* PSE-36: physical bits 32..39 in entry bits 13..20 */
		w->pa = (entry & 0xffc00000u) | ((entry & 0x1fe000) << 19) | (lin & mask);
	w->pa &= (uint64_t)m->cpu->a20_mask | 0xffffffff00000000ull;
	if (denied(m->cpu, how, w)) {
		fail(m->cpu, w, how, ERR_P);
		return;
	}
	w->ok = true;
	if (how & MM_PROBE)
		return;
	if (at != pde_at && !(pde & PTE_A))
		set_bits(m, pde_at, PTE_A);
	uint8_t want = PTE_A | (how & MM_WRITE ? PTE_D : 0);
	if ((entry & want) != want)
		set_bits(m, at, want);
	w->dirty |= !!(how & MM_WRITE);
}

void mmu_walk(struct mmu *m, gva lin, unsigned how, struct walk *w)
{
	struct cpu *c = m->cpu;
	bool pae = c->cr4 & CR4_PAE;
	uint64_t pde = 0, pde_at = 0, pte = 0, pte_at = 0;

	lin = (uint32_t)lin;
	w->nlevels = 0;
	w->err = 0;
	w->nx = false;
	if (!(c->cr0 & CR0_PG)) {
		*w = (struct walk){ .ok = true,
				    .pa = lin & c->a20_mask,
				    .page_shift = 32,
				    .user = true,
				    .writable = true,
				    .dirty = true,
				    .global = true };
		return;
	}
	w->page_shift = 12;
	w->global = w->dirty = w->user = w->writable = false;
	w->pa = 0;
	if (pae)
		add_level(w, "PDPTE", (c->cr3 & ~0x1fu) + (lin >> 30) * 8, m->pdptr[lin >> 30]);
	if (!walk_pde(m, (uint32_t)lin, &pde, &pde_at) || !(pde & PTE_P)) {
		if (w->nlevels == pae && (!pae || (m->pdptr[lin >> 30] & PTE_P)))
			add_level(w, "PDE", pde_at, pde);
		fail(c, w, how, 0);
		return;
	}
	add_level(w, "PDE", pde_at, pde);
	bool large = (pde & PTE_PS) && (pae || (c->cr4 & CR4_PSE));
	if (pde & reserved_bits(c, large) & (large || pae ? ~0ull : 0)) {
		/* A 32-bit PDE maps PSE-36 frames through bits 13..20; only bit 21 is reserved. */
		if (pae || (pde & 0x200000)) {
			fail(c, w, how, ERR_P | ERR_RSVD);
			return;
		}
	}
	w->user = pde & PTE_U;
	w->writable = pde & PTE_W;
	w->nx = pae && (pde & PTE_NX);
	if (large) {
		w->page_shift = pae ? 21 : 22;
		finish(m, lin, how, w, pde, pde_at, pde_at, pde);
		return;
	}
	if (pae)
		pte_at = (pde & PAE_ADDR) + ((lin >> 12) & 0x1ff) * 8;
	else
		pte_at = (pde & 0xfffff000u) + ((lin >> 12) & 0x3ff) * 4;
	if (!load_entry(m, pte_at, pae ? 8 : 4, &pte) || !(pte & PTE_P)) {
		add_level(w, "PTE", pte_at, pte);
		fail(c, w, how, 0);
		return;
	}
	add_level(w, "PTE", pte_at, pte);
	if (pae && (pte & reserved_bits(c, false))) {
		fail(c, w, how, ERR_P | ERR_RSVD);
		return;
	}
	w->user &= !!(pte & PTE_U);
	w->writable &= !!(pte & PTE_W);
	w->nx |= pae && (pte & PTE_NX);
	finish(m, lin, how, w, pte, pte_at, pde_at, pde);
}

int mmu_load_pdptrs(struct mmu *m, uint32_t cr3)
{
	uint64_t p[4];

	for (int i = 0; i < 4; i++) {
		if (!load_entry(m, (cr3 & ~0x1fu) + i * 8, 8, &p[i]))
			p[i] = 0;
		if ((p[i] & PTE_P) && (p[i] & (0xfffffff000000000ull | 0x1e6)))
			return cpu_raise_err(m->cpu, EXC_GP, 0);
	}
	for (int i = 0; i < 4; i++)
		m->pdptr[i] = p[i];
	return 0;
}
