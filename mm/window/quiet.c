/* SPDX-License-Identifier: GPL-3.0-or-later
 * Page tables that are left alone. A kernel with isolated page tables, on a processor without PCID, flushes
 * at each entry and exit, and hardly ever has it changed a table meanwhile. So a space whose comparisons
 * have found nothing for a while has its tables write-protected, as pages with translated code are; until one
 * of them is written, flushes leave nothing to compare. A write costs a trap, and the next attempt waits for
 * twice as many comparisons.
 *
 * PML4 tables are not among them: their entries are compared whenever a root comes (arrive()). */
#include "mm/window/long.h"

enum { QUIET_FIRST = 32, QUIET_MAX = 4096 };

/* Protect the table that entry E leads to, for SP. */
static bool protect(struct mmu *m, struct long_quiet *q, uint64_t e)
{
	gpa at = e & PTE_ADDR64 & (m->cpu->a20_mask | ~(gpa)UINT32_MAX);
	ppn p = (ppn)(at >> PAGE_SHIFT);

	if (!ppn_ram(m->vm, at >> PAGE_SHIFT))
		return false;
	for (unsigned i = 0; i < q->n; i++)
		if (q->table[i] == p)
			return true;
	if (q->n == QUIET_TABLES)
		return false;
	q->table[q->n++] = p;
	mm_trace_table(m->vm, p);
	return true;
}

/* Those of region IDX of W. */
static bool protect_region(struct mmu *m, struct window *w, unsigned idx)
{
	struct long_quiet *q = &w->of->quiet;
	gva lin = w->lin + ((gva)idx << region_shift(w));
	uint64_t e = long_top(m, lin);
	const uint64_t *t;

	if (!(e & PTE_P) || !protect(m, q, e) || !(t = long_table(m, e)))
		return false;
	e = t[lin >> 30 & 511];
	if (!(e & PTE_P) || e & PTE_PS)
		return e & PTE_P;
	return protect(m, q, e) && (w->regions[idx]->large || protect(m, q, w->regions[idx]->pt_at));
}

static bool protect_all(struct mmu *m, struct long_space *sp)
{
	for (unsigned i = 0; i < sp->nregions; i++) {
		struct window *w = &sp->all->region[sp->region[i]];

		for (unsigned k = 0; k < w->nactive; k++)
			if (w->regions[w->active[k]]->known && !protect_region(m, w, w->active[k]))
				return false;
	}
	return true;
}

void quiet_compared(struct mmu *m, struct long_space *sp, bool found, bool whole)
{
	struct long_quiet *q = &sp->quiet;

	if (!m->apart || sp->number->nested)
		return;
	if (found)
		q->calm = 0;
	if (!q->wanted)
		q->wanted = QUIET_FIRST;
	if (++q->calm < q->wanted)
		return;
	q->calm = 0;
	q->wanted = q->wanted < QUIET_MAX ? (uint16_t)(2 * q->wanted) : QUIET_MAX;
	q->n = 0;
	q->on = true; /* protecting may empty windows, or bring pages home */
	q->whole = whole;
	q->on &= protect_all(m, sp);
}

void quiet_more(struct mmu *m, struct window *w, unsigned idx)
{
	struct long_quiet *q = &w->of->quiet;

	if (q->on)
		q->on &= protect_region(m, w, idx);
}

/* Is P one of SP's tables? */
static bool has_table(const struct long_space *sp, ppn p)
{
	for (unsigned i = 0; i < sp->quiet.n; i++)
		if (sp->quiet.table[i] == p)
			return true;
	return false;
}

void quiet_written(struct mmu *m, ppn p)
{
	for (unsigned i = 0; m && m->lng && i < LONG_SPACES; i++) {
		struct long_space *sp = &m->lng->space[i];

		if (sp->number && sp->quiet.on && has_table(sp, p))
			sp->quiet.on = false;
	}
}
