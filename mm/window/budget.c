/* SPDX-License-Identifier: GPL-3.0-or-later
 * The budget of host mappings. The host limits them for the process, so all windows of all VMs
 * on a pool are counted together (mm/pool.c has the limit). Counts are estimates from above,
 * made exact before anything is given up. A VM empties windows of its own only: another's are
 * its thread's business, which does the same at its next fill. */
#include "mm/window/fill.h"

#include "base/log.h"

static bool run_goes_on(const struct mmu *m, uint64_t prev, uint64_t s)
{
	if ((s ^ prev) & SH_LINE)
		return false;
	if (s & SH_LINE) /* whatever of it is open */
		return s >> 12 == (prev >> 12) + 1;
	if ((s ^ prev) & (SH_P | SH_W))
		return false;
	return !(s & SH_P) || mpn_follows(m->vm->pmap[prev >> 12].mpn, m->vm->pmap[s >> 12].mpn);
}

/* Count the mappings of W as the host sees them: stretches that are as accessible as each
 * other and run on where they are kept. */
static void recount(struct mmu *m, struct window *w)
{
	int64_t n = 1;

	for (unsigned i = 0; i < w->nactive; i++) {
		vpn32 v0 = (vpn32)w->active[i] << (region_shift(w) - PAGE_SHIFT);
		uint64_t prev = 0;

		for (vpn32 v = v0; v < v0 + region_pages(w); v++) {
			n += !run_goes_on(m, prev, sh_get(w, v));
			prev = sh_get(w, v);
		}
	}
	maps_add(m, w, n - w->maps);
}

static int64_t own_maps(struct mmu *m)
{
	int64_t n = 0;

	for (unsigned i = 0; i < win_ids(m); i++)
		n += win_at(m, i)->used ? win_at(m, i)->maps : 0;
	return n;
}

static struct window *oldest_but(struct mmu *m, const struct window *keep)
{
	struct window *old = NULL;

	for (unsigned i = 0; i < win_ids(m); i++) {
		struct window *w = win_at(m, i);

		if (w->used && w != keep && w->maps > 1 && (!old || w->lru < old->lru))
			old = w;
	}
	return old;
}

void evict_for_limit(struct mmu *m, struct window *keep)
{
	struct mm_pool *p = m->vm->pool;
	int64_t half = p->maps_limit / 2, share = half / (int64_t)atomic_load(&p->nmmu);

	if (__builtin_expect(atomic_load(&p->maps) < p->maps_limit, 1))
		return;
	for (unsigned i = 0; i < win_ids(m); i++)
		if (win_at(m, i)->used)
			recount(m, win_at(m, i));
	while (atomic_load(&p->maps) > half && own_maps(m) > share) {
		struct window *old = oldest_but(m, keep);

		if (!old)
			old = keep;
		if (!old)
			break;
		LOG(mmu, "window of root %08x emptied: too many mappings", old->root);
		m->st.evictions++;
		win_drop_all(m, old);
		if (old == keep)
			break;
	}
}
