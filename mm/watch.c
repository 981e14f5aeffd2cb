/* SPDX-License-Identifier: GPL-3.0-or-later
 * Watchpoints at page-trap speed: what they keep out of the windows, and who hit one. */
#include "mm/region.h"

unsigned watch_bits(const struct mmu *m, uint32_t vpn)
{
	unsigned bits = 0;

	for (unsigned i = 0; i < m->nwatch; i++) {
		uint64_t first = m->watch[i].lin >> PAGE_SHIFT;
		uint64_t last = (m->watch[i].lin + m->watch[i].len - 1) >> PAGE_SHIFT;

		if (vpn >= first && vpn <= last)
			bits |= m->watch[i].type;
	}
	return bits;
}

void watch_check(struct mmu *m, uint32_t lin, unsigned n, bool write)
{
	for (unsigned i = 0; i < m->nwatch; i++) {
		const struct watch *w = &m->watch[i];

		if (!(w->type & (write ? WATCH_WRITE : WATCH_READ)))
			continue;
		if ((uint64_t)lin + n <= w->lin || lin >= w->lin + w->len)
			continue;
		m->watch_hit = true;
		m->watch_addr = lin > w->lin ? lin : w->lin;
		return;
	}
}

static void unmap_watched(struct mmu *m, uint32_t lin, uint64_t len)
{
	uint64_t first = lin >> PAGE_SHIFT, last = (lin + len - 1) >> PAGE_SHIFT;

	if (last >= WIN_PAGES)
		last = WIN_PAGES - 1;
	for (unsigned i = 0; i < MAX_WINDOWS; i++)
		if (m->win[i].used)
			drop_range(m, &m->win[i], (uint32_t)first, (uint32_t)(last - first + 1));
}

int mmu_watch_insert(struct mmu *m, gva lin, uint64_t len, unsigned type)
{
	if (m->nwatch == MAX_WATCH || !len || !type)
		return -1;
	m->watch[m->nwatch++] = (struct watch){ (uint32_t)lin, len, (uint8_t)type };
	unmap_watched(m, (uint32_t)lin, len);
	return 0;
}

void mmu_watch_remove(struct mmu *m, gva lin, uint64_t len, unsigned type)
{
	for (unsigned i = 0; i < m->nwatch; i++)
		if (m->watch[i].lin == (uint32_t)lin && m->watch[i].len == len && m->watch[i].type == type) {
			m->watch[i] = m->watch[--m->nwatch];
			return;
		}
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
		unmap_watched(m, m->watch[i].lin, m->watch[i].len);
}

bool mmu_watch_take(struct mmu *m, gva *lin)
{
	bool hit = m->watch_hit;

	*lin = m->watch_addr;
	m->watch_hit = false;
	return hit;
}
