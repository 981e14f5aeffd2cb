/* SPDX-License-Identifier: GPL-3.0-or-later
 * The walk of both dimensions. Every access of the walk, to a table or to the page in the end, is translated
 * anew, but for reads of tables, whose places are kept until INVEPT and the like; windows are the cache of
 * all others. Their fills and comparisons keep one answer for the pages around it. Probes have no side
 * effects and do not tell the extension. */
#include "mm/nested_int.h"

#include "x86/exceptions.h"
#include "x86/paging.h"

/* A20 masks physical addresses, not guest-physical ones. */
static gpa masked(const struct mmu *m, gpa a)
{
	return a & (m->cpu->a20_mask | ~(gpa)UINT32_MAX);
}

static bool ask(const struct mmu *m, gpa a, unsigned how, gva lin, struct nested_result *r)
{
	*r = (struct nested_result){ .lin = lin };
	if (!m->sp->n.translate(m->sp->n.ctx, a, how, r))
		return false;
	r->pa = masked(m, r->pa);
	return true;
}

/* ---- tables ---- */

/* The memory of a walk. */
struct tables {
	struct mmu *m;
	gva lin;
	unsigned how;  /* MM_PROBE, NESTED_LINEAR */
	bool near;     /* answers kept from other pages will do */
	bool refused;  /* translate() refused the access of AT */
	gpa at, table; /* guest-physical; physical, of the last entry's page */
};

static bool translate_table(struct tables *t, gpa at, unsigned how, gpa *pa)
{
	struct nested_result r;

	if (!ask(t->m, at, how | t->how | NESTED_TABLE, t->lin, &r)) {
		t->refused = true;
		t->at = at;
		return false;
	}
	*pa = r.pa;
	return true;
}

static struct kept_table *kept_of(struct mmu *m, gpa at)
{
	return &m->kept[(at >> PAGE_SHIFT) % KEPT_TABLES];
}

void nested_forget_table(struct mmu *m, gpa at)
{
	struct kept_table *k = kept_of(m, at);

	if (k->page == at >> PAGE_SHIFT)
		k->page = KEPT_NONE;
}

static void keep_for(struct mmu *m, uint8_t space)
{
	m->kept_by = space;
	for (unsigned i = 0; i < KEPT_TABLES; i++)
		m->kept[i].page = KEPT_NONE;
}

/* For a read. Accessed and dirty flags were set when the page was translated first. */
static bool find_table(struct tables *t, gpa at, gpa *pa)
{
	struct mmu *m = t->m;
	struct kept_table *k = kept_of(m, at);

	if (m->kept_by != m->here)
		keep_for(m, m->here);
	if (k->page == at >> PAGE_SHIFT) {
		*pa = masked(m, k->pa | (at & PAGE_MASK));
		return true;
	}
	if (!translate_table(t, at, MM_READ, pa))
		return false;
	if (!(t->how & MM_PROBE))
		*k = (struct kept_table){ at >> PAGE_SHIFT, *pa & ~(gpa)PAGE_MASK };
	return true;
}

static bool load(void *ctx, gpa at, unsigned size, uint64_t *e)
{
	struct tables *t = ctx;
	gpa pa = NO_TABLE;

	if (t->near)
		pa = nested_table(t->m, at);
	else if (t->refused || !find_table(t, at, &pa))
		return false;
	t->table = pa & ~(gpa)PAGE_MASK;
	return mmu_load_entry(t->m, pa, size, t->how & MM_PROBE, e);
}

static bool set(void *ctx, gpa at, uint8_t bits)
{
	struct tables *t = ctx;
	gpa pa;

	if (!translate_table(t, at, MM_WRITE, &pa))
		return false;
	if (ppn_ram(t->m->vm, pa >> PAGE_SHIFT))
		mmu_set_entry(t->m, pa, 1, bits);
	return true;
}

static struct walk_memory memory_of(struct tables *t)
{
	return (struct walk_memory){ t, load, set };
}

/* Guest-physical addresses are not masked by A20. */
static struct paging guest_paging(const struct paging *pg)
{
	struct paging guest = *pg;

	guest.a20_mask = ~(gpa)0;
	return guest;
}

/* SVM: the PDPTE of LIN is read like any entry; a reserved bit is a page fault, not #GP. */
static bool fetch_pdpte(const struct mmu *m, const struct walk_memory *mem, struct paging *pg, gva lin)
{
	uint64_t *e = &pg->pdptr[(gva32)lin >> 30];

	if (!m->sp->n.walks_pdptes || !(pg->cr0 & CR0_PG) || !(pg->cr4 & CR4_PAE) || cpu_long(m->cpu))
		return true;
	if (!mem->load(mem->ctx, (pg->cr3 & 0xffffffe0) + ((gva32)lin >> 30) * 8, 8, e))
		*e = 0;
	return !(*e & PTE_P) || !(*e & (PDPTE_RESERVED | ~0ull << pg->maxphyaddr));
}

/* ---- the walk ---- */

/* Was it refused only because an entry is swapped out? */
static bool waits(const struct mmu *m)
{
	return m->vm->swap.no_wait && m->vm->swap.wanted != UINT32_MAX;
}

static void refuse(struct walk *w, gpa guest)
{
	w->ok = false;
	w->err = 0;
	w->second.exits = true;
	w->second.guest = guest;
}

/* The guest's tables lead to W->pa: go on from there. */
static void finish(struct mmu *m, gva lin, unsigned how, struct walk *w)
{
	struct nested_result r;

	w->second.guest = w->pa;
	how &= MM_WRITE | MM_EXEC | MM_PROBE;
	if (!ask(m, w->pa, how | NESTED_LINEAR | (w->user ? MM_USER : 0), lin, &r)) {
		refuse(w, w->pa);
		return;
	}
	w->pa = r.pa;
	w->nx |= !(r.rights & (w->user ? NESTED_XU : NESTED_X));
	w->dirty &= r.dirty && (r.rights & NESTED_W);
	w->second.readable = r.accessed && (r.rights & NESTED_R);
	w->second.rights = r.rights;
	w->second.shift = r.shift;
}

void nested_walk(struct mmu *m, const struct paging *guest, gva lin, unsigned how, struct walk *w)
{
	struct tables t = { .m = m, .how = NESTED_LINEAR | (how & MM_PROBE) };
	struct walk_memory mem = memory_of(&t);
	struct paging pg = guest_paging(guest);
	uint32_t reserved = 0;

	if (!cpu_long(m->cpu))
		lin = (gva32)lin;
	t.lin = lin;
	if (!fetch_pdpte(m, &mem, &pg, lin)) {
		pg.pdptr[(gva32)lin >> 30] = 0;
		reserved = PF_ERR_P | PF_ERR_RSVD;
	}
	walk_linear(&pg, &mem, lin, how, w);
	w->second = (struct walk_second){ .on = true, .table = t.table };
	if (t.refused)
		refuse(w, t.at);
	else if (w->ok)
		finish(m, lin, how, w);
	else
		w->err |= reserved;
	if (w->second.exits && !(how & MM_PROBE) && !waits(m))
		space_refused(m, lin, w);
}

bool nested_upper(struct mmu *m, const struct paging *guest, gva lin, bool blind, uint64_t *pdpte)
{
	struct tables t = { .m = m, .how = MM_PROBE, .near = true };
	struct walk_memory mem = memory_of(&t);
	struct paging pg = guest_paging(guest);

	return walk_upper(&pg, &mem, lin, blind, pdpte);
}

bool nested_directory(struct mmu *m, const struct paging *guest, gva lin, uint64_t *pde, gpa *at)
{
	struct tables t = { .m = m, .how = MM_PROBE, .near = true };
	struct walk_memory mem = memory_of(&t);
	struct paging pg = guest_paging(guest);

	return fetch_pdpte(m, &mem, &pg, lin) && walk_directory(&pg, &mem, lin, pde, at);
}

int nested_load_pdptrs(struct mmu *m, const struct paging *guest, uint32_t cr3)
{
	struct paging pg = guest_paging(guest);
	struct tables t = { .m = m };
	struct walk_memory mem = memory_of(&t);
	uint64_t pdptr[4];
	bool ok;

	if (m->sp->n.walks_pdptes)
		return 0;
	ok = walk_load_pdptrs(&pg, &mem, cr3, pdptr);
	if (t.refused)
		return cpu_raise(m->cpu, EXC_EXIT);
	if (!ok)
		return cpu_raise_err(m->cpu, EXC_GP, 0);
	mmu_set_pdptrs(m, pdptr);
	return 0;
}

void mmu_set_pdptrs(struct mmu *m, const uint64_t pdptr[4])
{
	for (unsigned i = 0; i < 4; i++)
		m->pdptr[i] = pdptr[i];
}

const uint64_t *mmu_pdptrs(const struct mmu *m)
{
	return m->pdptr;
}

/* ---- probes for windows ---- */

enum { NEAR_PAGES, NEAR_TABLES };

void nested_begin(struct mmu *m, unsigned asks)
{
	m->near[NEAR_PAGES].size = m->near[NEAR_TABLES].size = 0;
	m->asks = asks;
}

static bool probe(struct mmu *m, unsigned which, gpa a, struct nested_result *r)
{
	struct nested_near *n = &m->near[which];

	if (a - n->base >= n->size) {
		n->size = 0;
		if (!m->asks ||
		    !ask(m, a, which == NEAR_TABLES ? MM_PROBE | NESTED_TABLE : MM_PROBE, 0, &n->r))
			return false;
		m->asks--;
		n->size = n->r.shift > PAGE_SHIFT && n->r.shift < 64 ? 1ull << n->r.shift : PAGE_SIZE;
		n->base = a & ~(n->size - 1);
		n->r.pa -= a - n->base;
	}
	*r = n->r;
	r->pa += a - n->base;
	return true;
}

gpa nested_table(struct mmu *m, gpa a)
{
	struct nested_result r;

	if (!probe(m, NEAR_TABLES, a, &r) || !ppn_ram(m->vm, r.pa >> PAGE_SHIFT))
		return NO_TABLE;
	return r.pa;
}

gpa nested_place(struct mmu *m, gpa a)
{
	const struct kept_table *k = kept_of(m, a);
	struct nested_result r;

	if (m->kept_by == m->here && k->page == a >> PAGE_SHIFT)
		return masked(m, k->pa | (a & PAGE_MASK));
	return ask(m, a, MM_PROBE | NESTED_TABLE, 0, &r) ? r.pa : NO_TABLE;
}

bool nested_set_accessed(struct mmu *m, gpa a)
{
	struct nested_result r;

	if (!ask(m, a, MM_PROBE | NESTED_TABLE, 0, &r) || !r.dirty || !(r.rights & NESTED_W) ||
	    !ppn_ram(m->vm, r.pa >> PAGE_SHIFT))
		return false;
	mmu_set_entry(m, r.pa, 1, PTE_A);
	return true;
}

static bool executable(const struct nested_result *r, uint64_t s)
{
	return r->rights & (s & SH_U ? NESTED_XU : NESTED_X);
}

uint64_t nested_bits(struct mmu *m, gpa a, uint64_t s)
{
	struct nested_result r;

	if (!probe(m, NEAR_PAGES, a, &r) || !(r.rights & NESTED_R) || !r.accessed ||
	    !ppn_ram(m->vm, r.pa >> PAGE_SHIFT))
		return 0;
	if (!(r.rights & NESTED_W) || !r.dirty)
		s &= ~(uint64_t)SH_WOK;
	if (!executable(&r, s))
		s |= SH_NX;
	return s | (r.pa >> PAGE_SHIFT) << 12;
}

enum nested_fate nested_fate(struct mmu *m, gpa a, uint64_t s)
{
	struct nested_result r;

	if (!probe(m, NEAR_PAGES, a, &r) || !r.accessed || r.pa >> PAGE_SHIFT != s >> 12)
		return NESTED_DROP;
	if ((s & (SH_P | SH_SR)) && !(r.rights & NESTED_R))
		return NESTED_DROP;
	if (!(s & SH_NX) && !executable(&r, s))
		return NESTED_DROP;
	if ((s & (SH_W | SH_WOK | SH_SW)) && !((r.rights & NESTED_W) && r.dirty))
		return NESTED_NARROW;
	return NESTED_KEEP;
}
