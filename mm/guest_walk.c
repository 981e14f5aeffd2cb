/* SPDX-License-Identifier: GPL-3.0-or-later
 * The page walk of a vCPU: mm/walk.h over its control registers and its VM's memory. */
#include "mm/mm_int.h"

#include "x86/paging.h"

#include <string.h>

static bool load_entry(void *ctx, gpa at, unsigned size, uint64_t *e)
{
	struct mmu *m = ctx;
	const uint8_t *page;
	uint32_t e32;

	if (!ppn_ram(m->vm, at >> PAGE_SHIFT))
		return false;
	if (m->vm->swap.no_wait && page_state(m->vm, (ppn)(at >> PAGE_SHIFT)) == PAGE_SWAPPED) {
		m->vm->swap.wanted = (ppn)(at >> PAGE_SHIFT);
		return false;
	}
	page = page_read(m->vm, (ppn)(at >> PAGE_SHIFT));
	if (size == 8) {
		memcpy(e, page + (at & PAGE_MASK), 8);
		return true;
	}
	memcpy(&e32, page + (at & PAGE_MASK), 4);
	*e = e32;
	return true;
}

/* A walk of the processor's. */
static bool touch_entry(void *ctx, gpa at, unsigned size, uint64_t *e)
{
	struct mmu *m = ctx;

	if (!load_entry(m, at, size, e))
		return false;
	page_touched(m->vm, (ppn)(at >> PAGE_SHIFT));
	return true;
}

/* Tables in ROM stay as they are. */
static void set_bits(void *ctx, gpa at, uint8_t bits)
{
	struct mmu *m = ctx;
	uint8_t *page = page_write(m->vm, (ppn)(at >> PAGE_SHIFT), at & PAGE_MASK, 1, WRITE_BY_GUEST);

	if (page)
		page[at & PAGE_MASK] |= bits;
}

static struct walk_memory memory_of(struct mmu *m, bool touches)
{
	return (struct walk_memory){ m, touches ? touch_entry : load_entry, set_bits };
}

static struct paging paging_of(const struct mmu *m)
{
	const struct cpu *c = m->cpu;

	return (struct paging){ .cr0 = c->cr0,
				.cr3 = c->cr3,
				.cr4 = c->cr4,
				.efer = c->efer,
				.pdptr = { m->pdptr[0], m->pdptr[1], m->pdptr[2], m->pdptr[3] },
				.a20_mask = c->a20_mask | ~(gpa)UINT32_MAX,
				.maxphyaddr = MAXPHYADDR };
}

void mmu_walk(struct mmu *m, gva lin, unsigned how, struct walk *w)
{
	struct paging pg = paging_of(m);
	struct walk_memory mem = memory_of(m, !(how & MM_PROBE));

	walk_linear(&pg, &mem, lin, how, w);
}

bool mmu_walk_directory(struct mmu *m, gva lin, uint64_t *pde, gpa *at)
{
	struct paging pg = paging_of(m);
	struct walk_memory mem = memory_of(m, false);

	return walk_directory(&pg, &mem, lin, pde, at);
}

int mmu_load_pdptrs(struct mmu *m, uint32_t cr3)
{
	struct paging pg = paging_of(m);
	struct walk_memory mem = memory_of(m, true);

	return walk_load_pdptrs(&pg, &mem, cr3, m->pdptr) ? 0 : cpu_raise_err(m->cpu, EXC_GP, 0);
}
