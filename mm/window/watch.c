/* SPDX-License-Identifier: GPL-3.0-or-later
 * Watchpoints. Pages with a watched byte are kept out of the windows, or read-only there, so
 * that only accesses to these pages are slow. */
#include "mm/window/region.h"

/* Does W watch a byte of page PAGE? PAGE is linear or physical as W is. */
static bool on_page(const struct watch *w, uint64_t page)
{
	return page >= w->at >> PAGE_SHIFT && page <= (w->at + w->len - 1) >> PAGE_SHIFT;
}

unsigned watch_bits(const struct mmu *m, uint64_t page, ppn p)
{
	unsigned bits = 0;

	for (unsigned i = 0; i < m->nwatch; i++)
		if (on_page(&m->watch[i], m->watch[i].type & WATCH_PHYSICAL ? p : page))
			bits |= m->watch[i].type;
	return bits & (WATCH_READ | WATCH_WRITE);
}

void watch_check(struct mmu *m, uint64_t at, unsigned n, bool write, unsigned physical)
{
	for (unsigned i = 0; i < m->nwatch; i++) {
		const struct watch *w = &m->watch[i];

		if (!(w->type & (write ? WATCH_WRITE : WATCH_READ)) || (w->type & WATCH_PHYSICAL) != physical)
			continue;
		if (at + n <= w->at || at >= w->at + w->len)
			continue;
		if (w->type / WATCH_GUEST(0))
			m->guest_hit |= (uint8_t)(w->type / WATCH_GUEST(0));
		else if (m->ntouch < MAX_TOUCHES)
			m->touch[m->ntouch++] =
			    (struct engine_touch){ at > w->at ? at : w->at,
						   (uint8_t)((write ? WATCH_WRITE : WATCH_READ) | physical) };
		else
			continue;
		if (m->vm->hooks.watch_hit)
			m->vm->hooks.watch_hit(m->vm->hooks.ctx);
	}
}

/* FIRST and LAST: linear pages. */
static void unmap_linear(struct mmu *m, uint64_t first, uint64_t last)
{
	for (unsigned i = 0; i < win_ids(m); i++) {
		struct window *w = win_at(m, i);
		uint64_t at = page_of(w, 0), from = first > at ? first - at : 0, to = last - at;

		if (!w->used || !w->shadow || last < at || from >= WIN_PAGES)
			continue;
		to = to < WIN_PAGES ? to : WIN_PAGES - 1;
		drop_range(m, w, (vpn32)from, (uint32_t)(to - from + 1));
	}
}

static void unmap_physical(struct mmu *m, uint64_t first, uint64_t last)
{
	struct mm_vm *vm = m->vm;

	for (uint64_t p = first; p <= last && p < vm->nppn; p++)
		while (vm->pmap[p].rmap) {
			const struct rmap_node *node = &vm->rmap[vm->pmap[p].rmap];

			drop_range(m, win_at(m, node->win), node->vpn, 1);
		}
}

static void unmap_watched(struct mmu *m, const struct watch *w)
{
	uint64_t first = w->at >> PAGE_SHIFT, last = (w->at + w->len - 1) >> PAGE_SHIFT;

	if (w->type & WATCH_PHYSICAL)
		unmap_physical(m, first, last);
	else
		unmap_linear(m, first, last);
}

int mmu_watch_insert(struct mmu *m, uint64_t at, uint64_t len, unsigned type)
{
	unsigned others = 0;

	for (unsigned i = 0; i < m->nwatch; i++)
		others += m->watch[i].type < WATCH_GUEST(0);
	if ((type < WATCH_GUEST(0) && others == MAX_WATCH - MAX_GUEST_WATCH) || m->nwatch == MAX_WATCH ||
	    !len || !(type & (WATCH_READ | WATCH_WRITE)))
		return -1;
	m->watch[m->nwatch] = (struct watch){ at, len, (uint8_t)type };
	unmap_watched(m, &m->watch[m->nwatch++]);
	return 0;
}

void mmu_watch_remove(struct mmu *m, uint64_t at, uint64_t len, unsigned type)
{
	for (unsigned i = 0; i < m->nwatch; i++)
		if (m->watch[i].at == at && m->watch[i].len == len && m->watch[i].type == type) {
			m->watch[i] = m->watch[--m->nwatch];
			return;
		}
}

static bool overlaps(const struct mmu *m, uint64_t at, unsigned n, unsigned physical)
{
	for (unsigned i = 0; i < m->nwatch; i++)
		if ((m->watch[i].type & WATCH_PHYSICAL) == physical &&
		    at < m->watch[i].at + m->watch[i].len && at + n > m->watch[i].at)
			return true;
	return false;
}

bool mmu_watched(struct mmu *m, gva lin, unsigned n)
{
	unsigned first = PAGE_SIZE - (lin & PAGE_MASK);
	struct walk w;

	if (!m->nwatch)
		return false;
	if (!cpu_long(m->cpu))
		lin = (gva32)lin;
	if (overlaps(m, lin, n, 0))
		return true;
	mmu_walk(m, lin, MM_PROBE, &w);
	if (w.ok && overlaps(m, w.pa, n < first ? n : first, WATCH_PHYSICAL))
		return true;
	if (n <= first)
		return false;
	mmu_walk(m, lin + first, MM_PROBE, &w);
	return w.ok && overlaps(m, w.pa, n - first, WATCH_PHYSICAL);
}

void mmu_watch_suspend(struct mmu *m, bool on)
{
	if (on) {
		m->nwatch_off = m->nwatch;
		m->nwatch = 0;
		return;
	}
	m->nwatch = m->nwatch_off;
	for (unsigned i = 0; i < m->nwatch; i++)
		unmap_watched(m, &m->watch[i]);
}

unsigned mmu_watch_take(struct mmu *m, struct engine_touch *touch)
{
	unsigned n = m->ntouch;

	for (unsigned i = 0; i < n; i++)
		touch[i] = m->touch[i];
	m->ntouch = 0;
	return n;
}

unsigned mmu_watch_guest_take(struct mmu *m)
{
	unsigned hit = m->guest_hit;

	m->guest_hit = 0;
	return hit;
}

bool mmu_watch_guest_pending(const struct mmu *m)
{
	return m->guest_hit;
}
