/* SPDX-License-Identifier: GPL-3.0-or-later
 * Shadow windows: host mappings that mirror the guest's page tables.
 *
 * There is one flat window while paging is off, and one user view for each page-table
 * root. Each root has a supervisor view too, unless the guest uses global pages (CR4.PGE):
 * then roots share one (window/root.c), which keeps its global pages and compares the others
 * with the new root's tables at every CR3 load.
 *
 * A window may lag behind the guest's tables only as a TLB may. At a CR3 load, INVLPG or
 * global flush, the tables that a window was filled from are compared with the copies taken
 * then (struct region), entry by entry, and mappings of changed entries are dropped. An entry
 * that became present needs no work: its first access faults and is filled. */
#include "mm/window/fill.h"

#include "base/log.h"

#include <stdlib.h>
#include <unistd.h>

static bool in_use(const struct mmu *m, const struct window *w)
{
	return w == m->kwin || w == m->uwin;
}

/* A window for another root: one that is free, a new one, or the least recently used. There is
 * always one, because MIN_WINDOWS were made at the start. */
static struct window *win_spare(struct mmu *m)
{
	struct window *old = NULL;

	for (unsigned i = 0; i < MAX_WINDOWS; i++) {
		struct window *w = &m->win[i];

		if (w->of)
			continue;
		if (!w->used && w->base)
			return w;
		if (!w->used && !m->crowded) {
			if (win_reserve(m, w))
				return w;
			m->crowded = true;
		}
		/* The window that guest code may still run in is the last choice. */
		if (!w->used || in_use(m, w))
			continue;
		if (!old || old == m->cur || (w != m->cur && w->lru < old->lru))
			old = w;
	}
	return old;
}

void win_take_over(struct mmu *m, struct window *w)
{
	if (w->of) {
		long_forget(m, w);
		return;
	}
	LOG(mmu, "window of root %08x given to another", w->root);
	m->st.evictions++;
	win_drop_all(m, w);
	if (m->vm->hooks.code_unmap)
		m->vm->hooks.code_unmap(m->vm->hooks.ctx, w->id, UINT64_MAX, win_links(w));
	if (w == m->cur)
		m->cur = NULL;
	root_forget(m, w);
	space_forget(m, w);
}

struct window *win_existing(struct mmu *m, enum win_view view, uint32_t root, bool pae)
{
	unsigned space = m->here;

	for (unsigned i = 0; i < m->nwin; i++) {
		struct window *w = &m->win[i];

		if (w->used && w->view == view && w->root == root && w->pae == pae && w->space == space &&
		    !w->of) {
			w->lru = ++m->tick;
			return w;
		}
	}
	return NULL;
}

struct window *win_make(struct mmu *m, enum win_view view, uint32_t root, bool pae)
{
	struct window *w = win_spare(m);

	if (w->used)
		win_take_over(m, w);
	w->used = true;
	w->id = (uint16_t)(w - m->win);
	if (m->nwin <= w->id)
		m->nwin = w->id + 1u;
	w->view = view;
	w->root = root;
	w->pae = pae;
	w->shared = root == ROOT_SHARED;
	w->apart = false;
	w->space = (uint8_t)m->here;
	w->nested = nested_on(m);
	w->outdated = false;
	w->early = 0;
	w->lru = ++m->tick;
	m->st.windows++;
	return w;
}

uint8_t *mmu_select(struct mmu *m, unsigned *win)
{
	struct cpu *c = m->cpu;
	bool user = c->cpl == 3 && (c->cr0 & CR0_PG);
	struct window **slot = user ? &m->uwin : &m->kwin;

	m->windows_behind = false;
	if (!*slot) {
		evict_for_limit(m, NULL);
		*slot = user ? root_user(m) : root_kernel(m);
	}
	struct window *w = *slot;
	if (w->need_sync)
		win_sync(m, w);
	else if (__builtin_expect(w->need_local || w->npend, 0))
		sync_some(m, w);
	m->cur = w;
	*win = w->id;
	return w->base;
}

struct window **mmu_selected(struct mmu *m)
{
	return &m->cur;
}

void mmu_reselect(struct mmu *m)
{
	m->device_key = 0;
	if (m->vm->hooks.reselect)
		m->vm->hooks.reselect(m->vm->hooks.ctx);
}

void mmu_quarters(const struct mmu *m, uint64_t quarter[4], uint64_t guard)
{
	bool split = m->cur == m->kwin && m->kwin && m->kwin->shared;
	bool clean = m->uwin && !m->uwin->need_sync && !m->uwin->npend;

	for (int q = 0; q < 4; q++) {
		quarter[q] = (uint64_t)m->cur->base;
		if (split && (m->user_quarters >> q & 1))
			quarter[q] = clean ? (uint64_t)m->uwin->base : guard;
	}
}

_Static_assert(MMU_SHADOW_P == (int)SH_P && MMU_SHADOW_W == (int)SH_W && MMU_SHADOW_SR == (int)SH_SR &&
		   MMU_SHADOW_SW == (int)SH_SW,
	       "translated code tests these bits");

const uint32_t *mmu_shadow(const struct mmu *m)
{
	return m->cur->shadow;
}

uint64_t mmu_home(const struct mmu *m)
{
	return (uint64_t)m->vm->home;
}

void mmu_shadow_quarters(const struct mmu *m, uint64_t shadow[4], uint64_t none)
{
	bool split = m->cur == m->kwin && m->kwin && m->kwin->shared;
	bool clean = m->uwin && !m->uwin->need_sync && !m->uwin->npend;

	for (int q = 0; q < 4; q++) {
		shadow[q] = (uint64_t)m->cur->shadow;
		if (split && (m->user_quarters >> q & 1))
			shadow[q] = clean ? (uint64_t)m->uwin->shadow : none;
	}
}

void mmu_learn_quarter(struct mmu *m, gva lin)
{
	m->user_quarters |= (uint8_t)(1u << ((gva32)lin >> 30));
	mmu_reselect(m);
}

bool mmu_in_user_window(const struct mmu *m, uint64_t hva, gva *lin)
{
	*lin = (uint32_t)hva;
	return m->uwin && m->cur != m->uwin && hva - (uint64_t)m->uwin->base < WIN_BYTES;
}

/* A trap costs as much as some dozens of synchronizations. */
#define EARLY_SYNCS 32

bool mmu_user_ready(struct mmu *m)
{
	if (!(m->cpu->cr0 & CR0_PG))
		return false;
	m->windows_behind = false;
	if (!m->uwin)
		m->uwin = root_user(m);
	if (m->uwin->need_sync) {
		win_sync(m, m->uwin);
		m->uwin->early = EARLY_SYNCS;
	} else if (m->uwin->npend)
		sync_some(m, m->uwin);
	return true;
}

bool mmu_stale(const struct mmu *m)
{
	return m->cur != m->kwin && m->cur != m->uwin && long_stale(m);
}

/* In IA-32e mode few roots have windows of 4 GiB: those that exist. */
static void invlpg_long(struct mmu *m, gva lin)
{
	vpn32 vpn = (gva32)lin >> PAGE_SHIFT;

	if (m->lng)
		long_invlpg(m, lin);
	if (!m->uwin)
		m->uwin = root_user_existing(m);
	if (lin >> 32)
		return;
	if (m->kwin)
		sync_page(m, m->kwin, vpn);
	if (m->uwin)
		win_pend(m->uwin, vpn);
	for (unsigned i = 0; i < m->sp->nshared; i++)
		if (m->sp->shared[i] != m->kwin)
			win_pend(m->sp->shared[i], vpn);
	if (space_others(m))
		space_invlpg(m, vpn);
}

void mmu_invlpg(struct mmu *m, gva lin)
{
	vpn32 vpn = (gva32)lin >> PAGE_SHIFT;

	LOG(mmu, "%08llx: flush of the page", (unsigned long long)lin);
	m->st.invlpgs++;
	mmu_reselect(m);
	if (!(m->cpu->cr0 & CR0_PG))
		return;
	if (__builtin_expect(cpu_long(m->cpu), 0)) {
		invlpg_long(m, lin);
		return;
	}
	m->windows_behind = false;
	if (!m->kwin)
		m->kwin = root_kernel(m);
	if (!m->uwin)
		m->uwin = root_user(m);
	sync_page(m, m->kwin, vpn);
	win_pend(m->uwin, vpn);
	for (unsigned i = 0; i < m->sp->nshared; i++) /* the page may be global */
		if (m->sp->shared[i] != m->kwin)
			win_pend(m->sp->shared[i], vpn);
	if (space_others(m))
		space_invlpg(m, vpn);
}

/* CR0.WP is set again: what kernel code may write only without it loses that right. */
static void write_protect(struct mmu *m, struct window *w)
{
	if (w->nwp_clear > WP_MAX)
		win_drop_all(m, w);
	for (unsigned i = 0; i < w->nwp_clear && i < WP_MAX; i++)
		narrow_page(m, w, w->wp_clear[i]);
	w->nwp_clear = 0;
}

void mmu_wp_changed(struct mmu *m)
{
	m->device_key = 0;
	if (!(m->cpu->cr0 & CR0_WP))
		return; /* a right that was added waits for the next fault */
	if (!m->sp->wp_clear)
		return;
	m->sp->wp_clear = false;
	for (unsigned i = 0; i < win_ids(m); i++) {
		struct window *w = win_at(m, i);

		if (w->used && w->nwp_clear && w->space == m->here)
			write_protect(m, w);
	}
}

/* CR3 has another root. Where kernel code keeps reaching user pages, synchronize that root's user window
 * now, which is cheaper than the trap that the first access would be. A window that had enough of this
 * waits for the next trap: so it ends where the accesses do. */
static void sync_early(struct mmu *m)
{
	struct window *w = root_is_apart(m) ? NULL : root_user_existing(m);

	if (!w || !w->early)
		return;
	w->early--;
	m->st.early_syncs++;
	win_sync(m, w);
	m->uwin = w;
}

void mmu_flush(struct mmu *m, bool global)
{
	uint64_t meaning = space_meaning(m->cpu);
	bool other_root = root_of(m->cpu) != m->sp->root, changed = meaning != m->sp->meaning;

	LOG(mmu, "flush%s, cr3 %08x", global ? " of all" : "", (uint32_t)m->cpu->cr3);
	m->sp->meaning = meaning;
	m->root_before = other_root ? m->sp->root : m->root_before;
	m->sp->root = root_of(m->cpu);
	m->st.cr3_loads++;
	mmu_reselect(m);
	m->kwin = m->uwin = NULL;
	mmu_wp_changed(m);
	if (__builtin_expect(m->lng != NULL, 0))
		long_flush(m, global, changed);
	if (global) {
		m->st.global_flushes++;
		for (unsigned i = 0; i < m->nwin; i++) {
			struct window *w = &m->win[i];

			if (!w->used || !same_asid(m, w))
				continue;
			w->need_sync = true;
			if ((changed && w->space == m->here) || w->view == WIN_FLAT)
				win_drop_all(m, w);
		}
		return;
	}
	if (!(m->cpu->cr0 & CR0_PG))
		return;
	for (unsigned i = 0; i < m->nwin; i++) {
		struct window *w = &m->win[i];

		if (!w->used || w->view == WIN_FLAT || !same_asid(m, w))
			continue;
		if (w->shared)
			w->need_local = true;
		else
			w->need_sync = true;
	}
	if (other_root && m->user_quarters && !cpu_long(m->cpu))
		sync_early(m);
}

const struct mmu_stats *mmu_stats(const struct mmu *m)
{
	return &m->st;
}

static bool reserve_windows(struct mmu *m)
{
	for (unsigned i = 0; i < MIN_WINDOWS; i++)
		if (!win_reserve(m, &m->win[i]))
			return false;
	return true;
}

struct mmu *mmu_new(struct mm_vm *vm, struct cpu *cpu, struct platform *plat)
{
	struct mmu *m = vm->mmu ? NULL : calloc(1, sizeof(*m));

	if (!m)
		return NULL;
	m->vm = vm;
	m->cpu = cpu;
	m->plat = plat;
	m->uffd = line_init();
	m->sp = m->space;
	m->sp->used = true;
	vm->mmu = m;
	atomic_fetch_add(&vm->pool->nmmu, 1);
	if (reserve_windows(m))
		return m;
	mmu_free(m);
	return NULL;
}

void mmu_free(struct mmu *m)
{
	if (!m)
		return;
	m->vm->hooks = (struct mm_hooks){ 0 };
	long_free(m);
	for (unsigned i = 0; i < MAX_WINDOWS; i++) {
		win_release(m, &m->win[i]);
		maps_add(m, &m->win[i], -m->win[i].maps);
	}
	if (m->uffd >= 0)
		close(m->uffd);
	atomic_fetch_sub(&m->vm->pool->nmmu, 1);
	m->vm->mmu = NULL;
	free(m);
}
