/* SPDX-License-Identifier: GPL-3.0-or-later
 * The page walk of a vCPU: mm/walk.h over its control registers and its VM's memory. */
#include "mm/nested_int.h"

#include "x86/paging.h"

#include <string.h>

static inline bool load(struct mmu *m, gpa at, unsigned size, bool probe, uint64_t *e)
{
	const uint8_t *page;
	ppn p = (ppn)(at >> PAGE_SHIFT);
	uint32_t e32;

	if (!ppn_ram(m->vm, at >> PAGE_SHIFT))
		return false;
	if (m->vm->swap.no_wait && page_state(m->vm, p) == PAGE_SWAPPED) {
		m->vm->swap.wanted = p;
		return false;
	}
	page = page_read(m->vm, p) + (at & PAGE_MASK);
	if (size == 8) {
		memcpy(e, page, 8);
	} else {
		memcpy(&e32, page, 4);
		*e = e32;
	}
	if (!probe)
		page_touched(m->vm, p);
	return true;
}

bool mmu_load_entry(struct mmu *m, gpa at, unsigned size, bool probe, uint64_t *e)
{
	return load(m, at, size, probe, e);
}

void mmu_set_entry(struct mmu *m, gpa at, unsigned size, uint64_t bits)
{
	uint8_t by = m->vm->access.by, *page;

	m->vm->access.by = WRITER_WALK;
	page = page_write(m->vm, (ppn)(at >> PAGE_SHIFT), at & PAGE_MASK, size, WRITE_BY_GUEST);
	m->vm->access.by = by;
	for (unsigned i = 0; page && i < size; i++)
		page[(at & PAGE_MASK) + i] |= (uint8_t)(bits >> 8 * i);
}

static bool load_entry(void *ctx, gpa at, unsigned size, uint64_t *e)
{
	return load(ctx, at, size, true, e);
}

/* A walk of the processor's. */
static bool touch_entry(void *ctx, gpa at, unsigned size, uint64_t *e)
{
	return load(ctx, at, size, false, e);
}

/* Tables in ROM stay as they are. */
static bool set_bits(void *ctx, gpa at, uint8_t bits)
{
	mmu_set_entry(ctx, at, 1, bits);
	return true;
}

static struct walk_memory memory_of(struct mmu *m, bool touches)
{
	return (struct walk_memory){ m, touches ? touch_entry : load_entry, set_bits };
}

/* EFLAGS.AC lifts SMAP for the kernel's own accesses, not for the processor's on behalf of user code. */
static bool smap_denies(const struct cpu *c)
{
	return __builtin_expect(!!(c->cr4 & CR4_SMAP), 0) && (c->cpl == 3 || !(c->sysflags & FL_AC));
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
				.smap = smap_denies(c),
				.maxphyaddr = MAXPHYADDR };
}

void mmu_walk(struct mmu *m, gva lin, unsigned how, struct walk *w)
{
	struct paging pg = paging_of(m);
	struct walk_memory mem = memory_of(m, !(how & MM_PROBE));

	if (nested_on(m)) {
		nested_walk(m, &pg, lin, how, w);
		return;
	}
	w->second.on = w->second.exits = false;
	walk_linear(&pg, &mem, lin, how, w);
}

int walk_raise(struct mmu *m, gva lin, const struct walk *w)
{
	if (w->second.exits)
		return cpu_raise(m->cpu, EXC_EXIT);
	cpu_raise_err(m->cpu, EXC_PF, w->err);
	m->cpu->exc.cr2 = lin;
	return -1;
}

bool mmu_walk_directory(struct mmu *m, gva lin, uint64_t *pde, gpa *at)
{
	struct paging pg = paging_of(m);
	struct walk_memory mem = memory_of(m, false);

	if (nested_on(m))
		return nested_directory(m, &pg, lin, pde, at);
	return walk_directory(&pg, &mem, lin, pde, at);
}

bool mmu_walk_upper(struct mmu *m, gva lin, bool blind, uint64_t *pdpte)
{
	struct paging pg = paging_of(m);
	struct walk_memory mem = memory_of(m, false);

	if (nested_on(m))
		return nested_upper(m, &pg, lin, blind, pdpte);
	return walk_upper(&pg, &mem, lin, blind, pdpte);
}

int mmu_load_pdptrs(struct mmu *m, uint32_t cr3)
{
	struct paging pg = paging_of(m);
	struct walk_memory mem = memory_of(m, true);

	if (nested_on(m))
		return nested_load_pdptrs(m, &pg, cr3);
	return walk_load_pdptrs(&pg, &mem, cr3, m->pdptr) ? 0 : cpu_raise_err(m->cpu, EXC_GP, 0);
}
