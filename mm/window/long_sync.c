/* SPDX-License-Identifier: GPL-3.0-or-later
 * What invalidates spaces (mm/long.h): flushes, PCIDs, single pages. A space is compared with the guest's
 * tables when it is used next, region by region, as windows are.
 *
 * A user space is its process's: only what concerns a PCID of its roots does it harm, and a root that comes
 * with another PCID than before has it compared. The kernel space is all roots': whatever any PCID flushes
 * counts. */
#include "mm/window/fill.h"
#include "mm/window/long.h"

#include "base/log.h"

/* The PML4 entry that W is compared with. Its NX is looked at when user code comes. */
static void note_top(struct mmu *m, struct window *w)
{
	uint64_t keep = win_blind(m, w) ? PTE_NX : 0;

	w->top[0] = (w->top[0] & keep) | (long_top(m, w->lin) & ~keep);
}

/* The entry of the present root that leads to W, which other roots may have used: accesses set its accessed
 * bit, and no walk will. */
static void set_top_accessed(struct mmu *m, struct window *w)
{
	gpa at = (m->cpu->cr3 & PTE_ADDR64) + 8 * (w->lin >> 39 & 511);

	if ((long_top(m, w->lin) & (PTE_P | PTE_A)) != PTE_P)
		return;
	if (!w->nested)
		mmu_set_entry(m, at, 1, PTE_A);
	else if (!nested_set_accessed(m, at))
		win_drop_all(m, w); /* the next access walks, and may be refused */
}

static void sync_region(struct mmu *m, struct window *w, const struct long_space *sp)
{
	if (!w->known) {
		note_top(m, w);
		w->need_sync = w->need_local = w->outdated = false;
		w->npend = 0;
		return;
	}
	if (sp->need_sync || w->need_sync) {
		win_sync(m, w);
		if (w->known)
			set_top_accessed(m, w);
		note_top(m, w);
		return;
	}
	set_top_accessed(m, w);
	w->need_local |= sp->need_local && w->local_words;
	if (w->need_local || w->npend)
		sync_some(m, w);
}

/* Libraries are at another address in each program. */
static void drop_empty(struct mmu *m, struct long_space *sp)
{
	for (unsigned i = sp->nregions; i--;) {
		struct window *w = &sp->all->region[sp->region[i]];

		if (!w->known)
			long_region_drop(m, w);
	}
}

/* Regions that another root's tables are compared with now. */
static bool other_tables(const struct long_space *sp)
{
	for (unsigned i = 0; i < sp->nregions; i++)
		if (sp->all->region[sp->region[i]].need_sync)
			return true;
	return false;
}

void long_sync(struct mmu *m, struct long_space *sp)
{
	struct long_quiet *q = &sp->quiet;
	uint64_t before = m->st.sync_diffs + m->st.drops;
	bool whole = sp->need_sync, flushed = whole || sp->need_local;

	if (q->on && sp->pending && other_tables(sp))
		q->on = false;
	if (q->on) {
		sp->need_sync &= !q->whole;
		sp->need_local = false;
		flushed = sp->need_sync;
		if (!(sp->need_sync | sp->pending))
			return;
	}
	for (unsigned i = 0; i < sp->nregions; i++)
		sync_region(m, &sp->all->region[sp->region[i]], sp);
	if (sp->nregions > LONG_MANY)
		drop_empty(m, sp);
	sp->need_sync = sp->need_local = sp->pending = false;
	if (!flushed)
		return;
	if (q->on)
		q->whole = true;
	else
		quiet_compared(m, sp, m->st.sync_diffs + m->st.drops != before, whole);
}

static void drop_all(struct mmu *m, struct long_space *sp)
{
	for (unsigned i = 0; i < sp->nregions; i++)
		win_drop_all(m, &sp->all->region[sp->region[i]]);
}

/* The roots' spaces are looked up anew. */
static void deselect(struct mmu *m)
{
	m->lng->kernel = m->lng->user = NULL;
}

static void invalidate(struct mmu *m, struct long_space *sp, bool global)
{
	if (sp->user || global || !(m->cpu->cr4 & CR4_PGE))
		sp->need_sync = true;
	else
		sp->need_local = true;
}

void long_flush(struct mmu *m, bool global, bool changed)
{
	deselect(m);
	for (unsigned i = 0; i < LONG_SPACES; i++) {
		struct long_space *sp = &m->lng->space[i];

		if (!sp->number || !same_asid(m, sp->number))
			continue;
		invalidate(m, sp, global);
		if (changed && sp->space == m->here)
			drop_all(m, sp);
	}
}

/* ---- other spaces of mm/nested.h ---- */

void long_leave(struct mmu *m)
{
	m->sp->long_kernel = m->lng->kernel;
	m->sp->long_user = m->lng->user;
	deselect(m);
}

/* The user space of S, if its root has the PCID that it had. */
static struct window *same_user(const struct mmu *m, const struct space *s)
{
	unsigned pcid = long_pcid(m);
	uint32_t root = root_of(m->cpu);

	for (unsigned i = 0; s->long_user && i < 2; i++) {
		const struct long_root *r = &s->long_user->of->root[i];

		if (r->used && r->root == root && r->pcid == pcid)
			return s->long_user;
	}
	return NULL;
}

/* A root that is another one now is looked up anew; the kernel's pages that are not global are compared with
 * its tables. */
void long_enter(struct mmu *m, struct space *s, bool changed, bool other_root)
{
	for (unsigned i = 0; (changed || other_root) && i < LONG_SPACES; i++) {
		struct long_space *sp = &m->lng->space[i];

		if (!sp->number || &m->space[sp->space] != s)
			continue;
		if (changed)
			drop_all(m, sp);
		else if (!sp->user)
			invalidate(m, sp, false);
	}
	if (changed || other_root)
		return;
	m->lng->kernel = s->long_kernel;
	m->lng->user = same_user(m, s);
}

static bool has_pcid(const struct long_space *sp, unsigned pcid)
{
	for (unsigned i = 0; i < 2; i++)
		if (sp->root[i].used && sp->root[i].pcid == pcid)
			return true;
	return false;
}

/* What is not global of PCID. */
static void flush_pcid(struct mmu *m, unsigned pcid)
{
	for (unsigned i = 0; i < LONG_SPACES; i++) {
		struct long_space *sp = &m->lng->space[i];

		if (sp->number && same_asid(m, sp->number) && (!sp->user || has_pcid(sp, pcid)))
			invalidate(m, sp, false);
	}
}

/* Windows of 4 GiB have no PCID: they are compared whatever the guest keeps. */
static void flush_windows(struct mmu *m)
{
	m->kwin = m->uwin = NULL;
	if (m->windows_behind)
		return;
	m->windows_behind = !space_others(m);
	for (unsigned i = 0; i < m->nwin; i++) {
		struct window *w = &m->win[i];

		if (!w->used || w->of || w->view == WIN_FLAT || !same_asid(m, w))
			continue;
		if (w->shared)
			w->need_local = true;
		else
			w->need_sync = true;
	}
}

void mmu_switch(struct mmu *m, bool keep)
{
	uint32_t root = root_of(m->cpu);

	if (!(m->cpu->cr4 & CR4_PCIDE)) {
		mmu_flush(m, false);
		return;
	}
	LOG(mmu, "cr3 %llx%s", (unsigned long long)m->cpu->cr3, keep ? ", no flush" : "");
	if (root != m->sp->root)
		m->root_before = m->sp->root;
	m->sp->root = root;
	m->st.cr3_loads++;
	mmu_reselect(m);
	mmu_wp_changed(m);
	flush_windows(m);
	if (!m->lng)
		return;
	deselect(m);
	if (!keep)
		flush_pcid(m, m->cpu->cr3 & 0xfff);
}

/* ---- single pages ---- */

/* The page of LIN is compared before SP is used again. */
static void pend(struct long_space *sp, gva lin)
{
	struct window *w = space_find(sp, lin);

	if (!w)
		return;
	win_pend(w, (gva32)lin >> PAGE_SHIFT);
	sp->pending = true;
}

void long_invalidate(struct mmu *m, struct window *n, unsigned what, gva lin)
{
	struct long_space *sp = n->of;

	if (what & NESTED_ONE_PAGE) {
		pend(sp, lin);
		return;
	}
	sp->need_sync = true;
	for (unsigned i = 0; n->nested && (what & NESTED_SECOND) && i < sp->nregions; i++) {
		struct window *w = long_region(m, MAX_WINDOWS + sp->region[i]);

		w->outdated = w->need_sync = true;
	}
}

void long_refused(struct mmu *m, gva lin)
{
	if (m->lng->kernel)
		pend(m->lng->kernel->of, lin);
	if (m->lng->user)
		pend(m->lng->user->of, lin);
}

void long_invlpg(struct mmu *m, gva lin)
{
	uint32_t root = root_of(m->cpu);

	for (unsigned i = 0; i < LONG_SPACES; i++) {
		struct long_space *sp = &m->lng->space[i];
		struct window *w;

		if (!sp->number || !same_asid(m, sp->number))
			continue;
		if (sp->number != m->lng->kernel && sp->number != m->lng->user) {
			if (!sp->user || sp->root[0].root == root || sp->root[1].root == root)
				pend(sp, lin);
			continue;
		}
		w = space_find(sp, lin); /* kernel code goes on in these */
		if (w)
			sync_page(m, w, (gva32)lin >> PAGE_SHIFT);
	}
}

void mmu_invpcid(struct mmu *m, enum mmu_invpcid what, unsigned pcid, gva lin)
{
	unsigned now = long_pcid(m);

	LOG(mmu, "INVPCID type %u, PCID %u, %llx", what, pcid, (unsigned long long)lin);
	if (what == INVPCID_ALL || what == INVPCID_LOCAL || !m->lng) {
		mmu_flush(m, what == INVPCID_ALL);
		return;
	}
	if (what == INVPCID_PAGE && pcid == now) {
		mmu_invlpg(m, lin);
		return;
	}
	m->st.invlpgs += what == INVPCID_PAGE;
	mmu_reselect(m);
	flush_windows(m);
	if (what == INVPCID_ONE) {
		deselect(m);
		flush_pcid(m, pcid);
		return;
	}
	for (unsigned i = 0; i < LONG_SPACES; i++) {
		struct long_space *sp = &m->lng->space[i];

		if (sp->number && same_asid(m, sp->number) && (!sp->user || has_pcid(sp, pcid)))
			pend(sp, lin);
	}
	deselect(m);
}
