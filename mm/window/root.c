/* SPDX-License-Identifier: GPL-3.0-or-later
 * Which windows a root uses. With global pages (CR4.PGE) roots share a window for supervisor code. A CR3 load
 * compares its pages that are not global with the new root's tables, so it is right for every root, but it
 * loses what the new root does not map. Kernels that isolate their page tables from user code have two roots
 * for each process, one with few of the kernel's mappings, and load CR3 at every entry and exit. Such roots
 * get a shared window of their own: a root that is met first takes the one that it agrees with most, or a new
 * one where it would cost the others many pages. A wrong choice is slow and nothing else. */
#include "mm/window/region.h"

#include "base/log.h"

static struct root_slot *slot_at(struct mmu *m, uint32_t root)
{
	return &m->roots[((root >> 5) * 0x9e3779b1u >> 20 ^ m->here * 37u) % ROOT_SLOTS];
}

static bool is_slot(const struct mmu *m, const struct root_slot *s, uint32_t root)
{
	return s->root == root && s->space == m->here && s->used;
}

static struct root_slot *slot_of(struct mmu *m)
{
	uint32_t root = root_of(m->cpu);
	struct root_slot *s = slot_at(m, root);

	if (!is_slot(m, s, root))
		*s = (struct root_slot){ .used = true, .space = m->here, .root = root };
	return s;
}

void root_forget(struct mmu *m, struct window *w)
{
	m->apart &= ~(1ull << w->id);
	for (unsigned i = 0; i < ROOT_SLOTS; i++) {
		if (m->roots[i].kwin == w)
			m->roots[i].kwin = NULL;
		if (m->roots[i].uwin == w)
			m->roots[i].uwin = NULL;
	}
}

/* ---- shared windows ---- */

#define LOSS_MAX 64 /* pages that are dropped without a second thought */

/* Supervisor pages of W that are not global, and how many of them the present root does not map as W does.
 * (User pages are soon reached through user windows.) */
static uint32_t loss(struct mmu *m, const struct window *w, uint32_t *all)
{
	uint32_t lost = 0;
	uint64_t pde, at;

	*all = 0;
	if (w->nested)
		nested_begin(m, NESTED_ALL_ASKS);
	for (unsigned i = 0; i < w->nactive; i++) {
		const struct region *r = w->regions[w->active[i]];

		if (!r->local_super)
			continue;
		*all += r->local_super;
		if (!mmu_walk_directory(m, w->lin + ((gva)w->active[i] << region_shift(w)), &pde, &at) ||
		    !entry_keeps(r->pde, pde))
			lost += r->local_super;
	}
	return lost;
}

/* Has the present space a shared window in which links between pages are possible? */
static bool has_links(const struct mmu *m, bool pae)
{
	for (unsigned i = 0; i < m->sp->nshared; i++)
		if (m->sp->shared[i]->pae == pae && !m->sp->shared[i]->apart)
			return true;
	return false;
}

static struct window *make_shared(struct mmu *m, bool pae)
{
	struct window *w;

	if (m->sp->nshared == MAX_SHARED) { /* all for the other format of tables */
		w = m->sp->shared[0];
		win_take_over(m, w);
		w->used = false;
	}
	w = win_make(m, WIN_KERNEL, ROOT_SHARED, pae);
	w->apart = has_links(m, pae);
	m->apart |= (uint64_t)w->apart << w->id;
	m->sp->shared[m->sp->nshared++] = w;
	LOG(mmu, "shared window %u for root %08x", w->id, root_of(m->cpu));
	return w;
}

static struct window *choose(struct mmu *m, bool pae)
{
	struct window *best = NULL;
	uint32_t least = UINT32_MAX, all;

	for (unsigned i = 0; i < m->sp->nshared; i++) {
		struct window *w = m->sp->shared[i];
		uint32_t lost = w->pae == pae ? loss(m, w, &all) : UINT32_MAX;

		if (w->pae == pae && all >= LOSS_MAX && lost < all / 2)
			return w;
		if (lost < least) {
			least = lost;
			best = w;
		}
	}
	return best && (least < LOSS_MAX || m->sp->nshared == MAX_SHARED) ? best : make_shared(m, pae);
}

static struct window *shared_window(struct mmu *m, bool pae)
{
	struct root_slot *s = slot_of(m);

	if (!s->kwin || s->kwin->pae != pae)
		s->kwin = choose(m, pae);
	s->kwin->lru = ++m->tick;
	return s->kwin;
}

static struct window *find(struct mmu *m, enum win_view view, uint32_t root, bool pae)
{
	struct window *w = win_existing(m, view, root, pae);

	return w ? w : win_make(m, view, root, pae);
}

struct window *root_kernel(struct mmu *m)
{
	const struct cpu *c = m->cpu;
	enum win_view view = kernel_view(c);
	uint32_t root = kernel_root(c);

	if (root == ROOT_SHARED)
		return shared_window(m, c->cr4 & CR4_PAE);
	return find(m, view, root, view != WIN_FLAT && (c->cr4 & CR4_PAE));
}

/* ---- user windows ---- */

/* Has the present root a directory in common with the root that W was synchronized for? */
static bool same_directory(const struct mmu *m, const struct window *w)
{
	for (unsigned i = 0; i < 4 && !cpu_long(m->cpu); i++)
		if ((m->pdptr[i] & PTE_P) && m->pdptr[i] == w->top[i])
			return true;
	return false;
}

/* The user window of a process' other root: the one loaded before, if it differs in what it maps of the
 * kernel, and the processes' own directories are the same. (Isolated 32-bit tables need PAE to be that
 * cheap.) */
static struct window *partners_window(struct mmu *m, const struct root_slot *s)
{
	const struct root_slot *p = slot_at(m, m->root_before);

	if (!(m->cpu->cr4 & CR4_PAE) || cpu_long(m->cpu) || m->nested || !is_slot(m, p, m->root_before) ||
	    !p->uwin || !p->uwin->pae || !p->kwin || !s->kwin || p->kwin == s->kwin ||
	    !same_directory(m, p->uwin))
		return NULL;
	return p->uwin;
}

struct window *root_user_existing(struct mmu *m)
{
	struct root_slot *s = slot_of(m);
	bool pae = m->cpu->cr4 & CR4_PAE;

	if (s->uwin && (s->uwin->pae != pae || (s->uwin->root != s->root && !same_directory(m, s->uwin))))
		s->uwin = NULL;
	if (!s->uwin)
		s->uwin = win_existing(m, WIN_USER, s->root, pae);
	if (!s->uwin)
		s->uwin = partners_window(m, s);
	if (s->uwin)
		s->uwin->lru = ++m->tick;
	return s->uwin;
}

struct window *root_user(struct mmu *m)
{
	struct window *w = root_user_existing(m);

	if (!w) {
		w = win_make(m, WIN_USER, root_of(m->cpu), m->cpu->cr4 & CR4_PAE);
		slot_of(m)->uwin = w;
		root_synced(m, w);
	}
	return w;
}

bool root_is_apart(struct mmu *m)
{
	const struct window *w = slot_of(m)->kwin;

	return w && w->apart;
}

const uint64_t *mmu_apart(const struct mmu *m)
{
	return &m->apart;
}
