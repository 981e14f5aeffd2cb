/* SPDX-License-Identifier: GPL-3.0-or-later
 * Address spaces: which windows belong together, and what invalidates them (mm/nested.h). A hypervisor
 * switches between its own space and a guest's at each entry and exit, so a switch touches no window but for
 * what changed while the space was not present: the present windows are kept with it, and the control bits
 * they were made for are compared. */
#include "mm/window/region.h"

#include "base/log.h"

uint64_t space_meaning(const struct cpu *c)
{
	return (c->cr0 & CR0_PG) | (uint64_t)(c->cr4 & (CR4_PSE | CR4_PAE | CR4_SMEP | CR4_SMAP)) << 32 |
	       (c->efer & EFER_NXE) | !(c->a20_mask & 0x100000);
}

static uint64_t choice(const struct cpu *c)
{
	return c->cr3 | (uint64_t)(c->cr4 & (CR4_PAE | CR4_PGE)) << 32 | (uint64_t)(c->cr0 & CR0_PG) << 32;
}

void space_chosen(struct mmu *m)
{
	struct space *s = m->sp;

	s->chosen = choice(m->cpu);
	if (s->seen)
		return;
	s->seen = true;
	s->root = root_of(m->cpu);
	s->meaning = space_meaning(m->cpu);
}

unsigned mmu_space(const struct mmu *m)
{
	return (unsigned)(m->sp - m->space);
}

/* ---- finding one ---- */

static bool is_space(const struct space *s, const struct mmu_nested *n)
{
	return s->used && s->n.tag == n->tag && s->n.asid == n->asid && !s->n.translate == !n->translate;
}

/* Give up the windows of the space that was not present for longest. The hypervisor's stays. */
static struct space *oldest_space(struct mmu *m)
{
	struct space *old = NULL;

	for (struct space *s = m->space + 1; s < m->space + MMU_SPACES; s++)
		if (s != m->sp && (!old || s->lru < old->lru))
			old = s;
	LOG(mmu, "windows of tag %llx, asid %x given up", (unsigned long long)old->n.tag, old->n.asid);
	for (unsigned i = 0; i < MAX_WINDOWS; i++) {
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
	*none = (struct space){ .used = true };
	return none;
}

void space_forget(struct mmu *m, const struct window *w)
{
	struct space *s = &m->space[w->space];

	if (s->kwin == w)
		s->kwin = NULL;
	if (s->uwin == w)
		s->uwin = NULL;
}

/* ---- switching ---- */

/* The space's control bits or root have changed while it was not present. */
static void catch_up(struct mmu *m, struct space *s)
{
	bool changed = s->meaning != space_meaning(m->cpu), other_root = s->root != root_of(m->cpu);

	s->meaning = space_meaning(m->cpu);
	s->root = root_of(m->cpu);
	for (unsigned i = 0; i < MAX_WINDOWS; i++) {
		struct window *w = &m->win[i];

		if (!w->used || &m->space[w->space] != s)
			continue;
		if (changed)
			win_drop_all(m, w);
		else if (other_root)
			drop_local(m, w);
	}
}

static void touch(struct mmu *m, struct window *w)
{
	if (w)
		w->lru = ++m->tick;
}

void mmu_nested(struct mmu *m, const struct mmu_nested *n)
{
	struct space *s = find_space(m, n);

	m->sp->kwin = m->kwin;
	m->sp->uwin = m->uwin;
	m->sp = s;
	if (n)
		s->n = *n;
	s->lru = ++m->tick;
	if (s->seen && (s->meaning != space_meaning(m->cpu) || s->root != root_of(m->cpu)))
		catch_up(m, s);
	if (s->chosen != choice(m->cpu))
		s->kwin = s->uwin = NULL;
	m->kwin = s->kwin;
	m->uwin = s->uwin;
	touch(m, m->kwin);
	touch(m, m->uwin);
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
	for (unsigned i = 0; i < MAX_WINDOWS; i++) {
		struct window *w = &m->win[i];

		if (!w->used || !concerns(m, w, what, tag, asid))
			continue;
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
	for (unsigned i = 0; i < MAX_WINDOWS; i++) {
		struct window *w = &m->win[i];

		if (w->used && w->space != mmu_space(m) && same_asid(m, w))
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
	for (unsigned i = 0; i < MAX_WINDOWS; i++)
		if (m->win[i].used && concerns(m, &m->win[i], NESTED_ONE_TAG, m->sp->n.tag, 0))
			forget_table(&m->win[i], a);
}

void space_refused(struct mmu *m, gva32 lin, const struct walk *w)
{
	m->st.refusals++;
	forget_tables(m, w->second.guest & ~(gpa)PAGE_MASK);
	if (m->kwin)
		win_pend(m->kwin, lin >> PAGE_SHIFT);
	if (m->uwin)
		win_pend(m->uwin, lin >> PAGE_SHIFT);
	mmu_reselect(m);
}
