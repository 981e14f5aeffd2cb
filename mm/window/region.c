/* SPDX-License-Identifier: GPL-3.0-or-later
 * The host side of windows: reservation, regions, unmapping. Built without vector
 * instructions like all of mm/, so page copies are done here. */
#include "mm/window/region.h"

#include <sys/mman.h>

void copy_page(void *d, const void *s)
{
	unsigned long n = PAGE_SIZE / 8;

	__asm__ volatile("rep movsq" : "+D"(d), "+S"(s), "+c"(n) : : "memory");
}

bool same_page(const void *a, const void *b)
{
	const uint64_t *x = a, *y = b;

	for (unsigned i = 0; i < PAGE_SIZE / 8; i += 8) {
		uint64_t d = 0;

		for (unsigned k = 0; k < 8; k++)
			d |= x[i + k] ^ y[i + k];
		if (d)
			return false;
	}
	return true;
}

bool win_reserve(struct window *w)
{
	/* 4 GiB of guard on both sides, and alignment. */
	uint8_t *p = mmap(NULL, 4 * WIN_BYTES, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	if (p == MAP_FAILED)
		return false;
	w->base = (uint8_t *)(((uint64_t)p + 2 * WIN_BYTES - 1) & ~(WIN_BYTES - 1));
	w->shadow = mmap(NULL, WIN_PAGES * 4, PROT_READ | PROT_WRITE,
			 MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	w->regions = mmap(NULL, WIN_REGIONS * sizeof(*w->regions), PROT_READ | PROT_WRITE,
			  MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	w->lists = mmap(NULL, sizeof(*w->lists), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (w->shadow == MAP_FAILED || w->regions == MAP_FAILED || w->lists == MAP_FAILED)
		return false;
	w->active = w->lists->active;
	w->pend = w->lists->pend;
	w->local = w->lists->local;
	return true;
}

void win_release(struct mmu *m, struct window *w)
{
	if (!w->base)
		return;
	win_drop_all(m, w);
	munmap(w->base - WIN_BYTES, 3 * WIN_BYTES);
	munmap(w->shadow, WIN_PAGES * 4);
	munmap(w->regions, WIN_REGIONS * sizeof(*w->regions));
	munmap(w->lists, sizeof(*w->lists));
}

/* Async-signal-safe: regions come from mmap, never from malloc. */
struct region *region_get(struct window *w, unsigned idx)
{
	struct region *r = w->regions[idx];

	if (r)
		return r;
	r = mmap(NULL, sizeof(*r), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (r == MAP_FAILED)
		return NULL;
	w->regions[idx] = r;
	w->active[w->nactive++] = (uint16_t)idx;
	return r;
}

/* ---- dropping ---- */

/* Forget the bookkeeping of VPN; the host mapping is the caller's. */
void page_forget(struct mmu *m, struct window *w, uint32_t vpn)
{
	uint32_t s = w->shadow[vpn];
	struct region *r = w->regions[vpn >> (region_shift(w) - PAGE_SHIFT)];

	rmap_del(m->vm, s >> 12, w->id, vpn);
	if ((s & SH_CODE) && m->vm->hooks.code_unmap)
		m->vm->hooks.code_unmap(m->vm->hooks.ctx, w->id, vpn, w->view != WIN_USER);
	w->shadow[vpn] = 0;
	w->mapped--;
	if (r)
		r->mapped--;
}

void host_unmap(struct window *w, uint32_t vpn, uint32_t n)
{
	mmap(w->base + ((uint64_t)vpn << PAGE_SHIFT), (uint64_t)n << PAGE_SHIFT, PROT_NONE,
	     MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED, -1, 0);
	w->maps++;
	w->drops++;
}

void host_protect(struct window *w, uint32_t vpn, uint32_t n)
{
	mprotect(w->base + ((uint64_t)vpn << PAGE_SHIFT), (uint64_t)n << PAGE_SHIFT, PROT_READ);
	w->maps += 2;
	w->prots++;
}

/* Drop the mapped pages among [VPN, VPN+N): one host call for each stretch
 * whose gaps are unmapped anyway. */
void drop_range(struct mmu *m, struct window *w, uint32_t vpn, uint32_t n)
{
	uint32_t first = UINT32_MAX, last = 0;

	for (uint32_t v = vpn; v < vpn + n; v++)
		if (w->shadow[v] & SH_P) {
			page_forget(m, w, v);
			churn_note(m, w, v);
			if (first == UINT32_MAX)
				first = v;
			last = v;
		}
	if (first == UINT32_MAX)
		return;
	m->st.drops++;
	host_unmap(w, first, last - first + 1);
}

void win_drop_all(struct mmu *m, struct window *w)
{
	if (w->mapped) {
		for (unsigned i = 0; i < w->nactive; i++) {
			uint32_t v0 = (uint32_t)w->active[i] << (region_shift(w) - PAGE_SHIFT);
			struct region *r = w->regions[w->active[i]];

			for (uint32_t v = v0; r->mapped && v < v0 + region_pages(w); v++)
				if (w->shadow[v] & SH_P)
					page_forget(m, w, v);
		}
		host_unmap(w, 0, WIN_PAGES);
	}
	for (unsigned i = 0; i < w->nactive; i++) {
		munmap(w->regions[w->active[i]], sizeof(struct region));
		w->regions[w->active[i]] = NULL;
	}
	w->nactive = w->npend = w->nlocal = 0;
	w->need_sync = false;
	w->maps = 0;
	w->mapped = 0;
}

void win_write_protect(struct mmu *m, unsigned win, uint32_t vpn)
{
	struct window *w = &m->win[win];

	if (!(w->shadow[vpn] & SH_W))
		return;
	w->shadow[vpn] &= ~SH_W;
	host_protect(w, vpn, 1);
}
