/* SPDX-License-Identifier: GPL-3.0-or-later
 * Address spaces: which windows belong together, and what invalidates them (mm/nested.h). A hypervisor
 * switches between its own space and a guest's at each entry and exit, so a switch touches no window but for
 * what changed while the space was not present: the present windows are kept with it, and the control bits
 * they were made for are compared. */
#include "mm/window/region.h"

#include "base/log.h"

unsigned mmu_space(const struct mmu *m)
{
	return m->here;
}

/* ---- finding one ---- */

static bool is_space(const struct space *s, const struct mmu_nested *n)
{
	return s->used && s->n.tag == n->tag && s->n.asid == n->asid && !s->n.translate == !n->translate;
}

/* Give up the windows of the space that was not present for longest. The hypervisor's stays. */
static struct space *oldest_space(struct mmu *m)
{
	const struct space *in_use = m->cur ? &m->space[m->cur->space] : NULL;
	struct space *old = NULL;

	for (struct space *s = m->space + 1; s < m->space + MMU_SPACES; s++)
		if (s != m->sp && s != in_use && (!old || s->lru < old->lru))
			old = s;
	LOG(mmu, "windows of tag %llx, asid %x given up", (unsigned long long)old->n.tag, old->n.asid);
	for (unsigned i = 0; i < m->nwin; i++) {
		struct window *w = &m->win[i];

		if (!w->used || &m->space[w->space] != old)
			continue;
		win_take_over(m, w);
		w->used = false;
	}
	return old;
}

static struct space *find_space(struct mmu *m, const struct mmu_nested *n)
{
	struct space *none = NULL;

	if (!n)
		return m->space;
	for (struct space *s = m->space + 1; s < m->space + MMU_SPACES; s++) {
		if (is_space(s, n))
			return s;
		if (!s->used && !none)
			none = s;
	}
	if (!none)
		none = oldest_space(m);
	nested_forget_tables(m);
	*none = (struct space){ .used = true, .root = root_of(m->cpu), .meaning = space_meaning(m->cpu) };
	return none;
}

void space_forget(struct mmu *m, const struct window *w)
{
	struct space *s = &m->space[w->space];

	if (s->kwin == w)
		s->kwin = NULL;
	if (s->uwin == w)
		s->uwin = NULL;
	for (unsigned i = 0; i < s->nshared; i++)
		if (s->shared[i] == w)
			s->shared[i--] = s->shared[--s->nshared];
}

void space_forget_long(struct mmu *m, const struct window *n)
{
	for (unsigned i = 0; i < MMU_SPACES; i++) {
		if (m->space[i].long_kernel == n)
			m->space[i].long_kernel = NULL;
		if (m->space[i].long_user == n)
			m->space[i].long_user = NULL;
	}
}

/* ---- switching ---- */

/* The space's control bits or root have changed while it was not present. */
static void catch_up(struct mmu *m, struct space *s)
{
	bool changed = s->meaning != space_meaning(m->cpu), other_root = s->root != root_of(m->cpu);

	s->meaning = space_meaning(m->cpu);
	s->root = root_of(m->cpu);
	if (other_root)
		s->kwin = NULL; /* another shared window may suit this root */
	for (unsigned i = 0; i < m->nwin; i++) {
		struct window *w = &m->win[i];

		if (!w->used || &m->space[w->space] != s || w->of)
			continue;
		if (changed)
			win_drop_all(m, w);
		else if (other_root && w->shared)
			w->need_local = true;
	}
	if (m->lng)
		long_enter(m, s, changed, other_root);
}

/* W if it still is the window of ROOT. */
static struct window *take_up(struct mmu *m, struct window *w, enum win_view view, uint32_t root)
{
	if (!w || w->view != view || w->root != root ||
	    w->pae != (view != WIN_FLAT && (m->cpu->cr4 & CR4_PAE)))
		return NULL;
	w->lru = ++m->tick;
	return w;
}

void mmu_nested(struct mmu *m, const struct mmu_nested *n)
{
	struct space *s = find_space(m, n);

	m->sp->kwin = m->kwin;
	m->sp->uwin = m->uwin;
	if (m->lng)
		long_leave(m);
	m->sp = s;
	m->here = (uint8_t)(s - m->space);
	if (n)
		s->n = *n;
	m->nested = s->n.translate != NULL;
	s->lru = ++m->tick;
	if (s->meaning != space_meaning(m->cpu) || s->root != root_of(m->cpu))
		catch_up(m, s);
	else if (m->lng)
		long_enter(m, s, false, false);
	m->kwin = take_up(m, s->kwin, kernel_view(m->cpu), kernel_root(m->cpu));
	m->uwin = take_up(m, s->uwin, WIN_USER, root_of(m->cpu));
	if (s->wp_clear)
		mmu_wp_changed(m);
	mmu_reselect(m);
}

/* ---- invalidating ---- */

static bool concerns(const struct mmu *m, const struct window *w, unsigned what, uint64_t tag, uint32_t asid)
{
	const struct mmu_nested *n = &m->space[w->space].n;

	if ((what & NESTED_ONE_TAG) && (!w->nested || (n->tag ^ tag) >> PAGE_SHIFT))
		return false;
	return !(what & NESTED_ONE_ASID) || n->asid == asid;
}

void mmu_nested_invalidate(struct mmu *m, unsigned what, uint64_t tag, uint32_t asid, gva lin)
{
	if (what & NESTED_SECOND)
		nested_forget_tables(m);
	for (unsigned i = 0; i < m->nwin; i++) {
		struct window *w = &m->win[i];

		if (!w->used || !concerns(m, w, what, tag, asid))
			continue;
		if (w->of) {
			long_invalidate(m, w, what, lin);
			continue;
		}
		if (what & NESTED_ONE_PAGE) {
			win_pend(w, (gva32)lin >> PAGE_SHIFT);
			continue;
		}
		w->outdated |= w->nested && (what & NESTED_SECOND);
		w->need_sync |= w->view != WIN_FLAT || w->outdated;
	}
	mmu_reselect(m);
}

void space_invlpg(struct mmu *m, vpn32 vpn)
{
	for (unsigned i = 0; i < m->nwin; i++) {
		struct window *w = &m->win[i];

		if (w->used && !w->of && w->space != mmu_space(m) && same_asid(m, w))
			win_pend(w, vpn);
	}
}

/* ---- tables of the guest that are elsewhere now ---- */

static unsigned table_bit(gpa a)
{
	return (unsigned)(a >> PAGE_SHIFT) * 0x9e3779b1u >> 20;
}

void space_note_table(struct mmu *m, gpa a)
{
	m->tables[table_bit(a) / 64] |= 1ull << table_bit(a) % 64;
}

static void forget_table(struct window *w, gpa a)
{
	for (unsigned i = 0; i < w->nactive; i++) {
		struct region *r = w->regions[w->active[i]];

		if (!r->large && w->view != WIN_FLAT && (r->pde & PTE_ADDR64) == a)
			r->pt_at = NO_TABLE;
	}
}

/* What translate() said of guest-physical A holds no longer. */
static void forget_tables(struct mmu *m, gpa a)
{
	if (!(m->tables[table_bit(a) / 64] >> table_bit(a) % 64 & 1))
		return; /* most pages that are refused are a device's, and no table */
	for (unsigned i = 0; i < win_ids(m); i++) {
		struct window *w = win_at(m, i);

		if (w->used && concerns(m, w, NESTED_ONE_TAG, m->sp->n.tag, 0))
			forget_table(w, a);
	}
}

void space_refused(struct mmu *m, gva lin, const struct walk *w)
{
	m->st.refusals++;
	forget_tables(m, w->second.guest & ~(gpa)PAGE_MASK);
	nested_forget_table(m, w->second.guest);
	if (m->kwin)
		win_pend(m->kwin, (gva32)lin >> PAGE_SHIFT);
	if (m->uwin)
		win_pend(m->uwin, (gva32)lin >> PAGE_SHIFT);
	if (m->lng)
		long_refused(m, lin);
	mmu_reselect(m);
}
