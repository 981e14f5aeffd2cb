/* SPDX-License-Identifier: GPL-3.0-or-later
 * Shadow windows: host mappings that mirror the guest's page tables.
 *
 * Which windows there are: one flat window while paging is off; per page-table
 * root one user view; for the supervisor view one per root too, unless the guest
 * uses global pages (CR4.PGE): then all roots share one, whose global pages stay
 * and whose other pages go at every CR3 load, as in a TLB.
 *
 * How they stay true: a window may lag behind the guest's tables only as a TLB
 * may. At a CR3 load, INVLPG or global flush the tables that a window was filled
 * from are compared with the copies taken then (struct region), entry by entry,
 * and what changed is dropped. Entries that became present need nothing: the
 * access faults and is filled. */
#include "mm/mm_int.h"

#include "base/log.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

enum { PTE_P = 1, PTE_W = 2, PTE_U = 4, PTE_A = 0x20, PTE_D = 0x40, PTE_PS = 0x80, PTE_G = 0x100 };
#define PTE_NX (1ull << 63)
#define PAE_ADDR 0x000ffffffffff000ull
#define MAPS_LIMIT 40000 /* of the host's 65530 mappings a process */
#define ROOT_FLAT 0xffffffffu
#define ROOT_SHARED 0xfffffffeu

/* Page copies and comparisons without libc: the guest's vector registers may be
 * live (this file is built with -mgeneral-regs-only). */
static void copy_page(void *d, const void *s)
{
	unsigned long n = PAGE_SIZE / 8;

	__asm__ volatile("rep movsq" : "+D"(d), "+S"(s), "+c"(n) : : "memory");
}

static bool same_page(const void *a, const void *b)
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

/* ---- reservation ---- */

static bool win_reserve(struct window *w)
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

static unsigned region_shift(const struct window *w)
{
	return w->pae ? 21 : 22;
}

static unsigned region_pages(const struct window *w)
{
	return w->pae ? 512 : 1024;
}

/* Async-signal-safe: regions come from mmap, never from malloc. */
static struct region *region_get(struct window *w, unsigned idx)
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
static void forget(struct mmu *m, struct window *w, uint32_t vpn)
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

static void host_unmap(struct window *w, uint32_t vpn, uint32_t n)
{
	mmap(w->base + ((uint64_t)vpn << PAGE_SHIFT), (uint64_t)n << PAGE_SHIFT, PROT_NONE,
	     MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED, -1, 0);
	w->maps++;
	w->drops++;
}

/* Drop the mapped pages among [VPN, VPN+N): one host call for each stretch
 * whose gaps are unmapped anyway. */
static void drop_range(struct mmu *m, struct window *w, uint32_t vpn, uint32_t n)
{
	uint32_t first = UINT32_MAX, last = 0;

	for (uint32_t v = vpn; v < vpn + n; v++)
		if (w->shadow[v] & SH_P) {
			forget(m, w, v);
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
					forget(m, w, v);
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
	w->maps += 2;
	w->prots++;
	mprotect(w->base + ((uint64_t)vpn << PAGE_SHIFT), PAGE_SIZE, PROT_READ);
}

/* ---- staying true ---- */

/* May a mapping made under OLD stand under NEW? Accessed and dirty bits that
 * were cleared must be set again by the next access, so they drop it. */
static bool entry_keeps(uint64_t old, uint64_t now)
{
	const uint64_t ignore = PTE_A | PTE_D | 0xe00;

	if ((old ^ now) & ~ignore)
		return false;
	return (now & PTE_A) && (!(old & PTE_D) || (now & PTE_D));
}

static uint64_t snap_entry(const struct window *w, const uint8_t *table, unsigned i)
{
	uint64_t e64;
	uint32_t e32;

	if (w->pae) {
		memcpy(&e64, table + i * 8, 8);
		return e64;
	}
	memcpy(&e32, table + i * 4, 4);
	return e32;
}

static void put_entry(const struct window *w, struct region *r, unsigned i, uint64_t e)
{
	if (w->pae)
		memcpy(r->snap + i * 8, &e, 8);
	else
		memcpy(r->snap + i * 4, &e, 4);
}

static void sync_table(struct mmu *m, struct window *w, struct region *r, uint32_t vpn0, const uint8_t *now)
{
	unsigned n = region_pages(w);
	uint32_t first = UINT32_MAX, last = 0;

	if (same_page(r->snap, now))
		return;
	m->st.sync_diffs++;
	for (unsigned i = 0; i < n; i++) {
		uint64_t old = snap_entry(w, r->snap, i), e = snap_entry(w, now, i);

		if (old == e)
			continue;
		if ((w->shadow[vpn0 + i] & SH_P) && !entry_keeps(old, e)) {
			/* One host call for a stretch; what lies between stays mapped only
			 * if the stretch ends before it. */
			if (first != UINT32_MAX && last + 1 != vpn0 + i) {
				host_unmap(w, first, last - first + 1);
				first = UINT32_MAX;
			}
			forget(m, w, vpn0 + i);
			if (first == UINT32_MAX)
				first = vpn0 + i;
			last = vpn0 + i;
		}
	}
	if (first != UINT32_MAX)
		host_unmap(w, first, last - first + 1);
	copy_page(r->snap, now);
}

static void sync_region(struct mmu *m, struct window *w, unsigned idx)
{
	struct region *r = w->regions[idx];
	uint32_t vpn0 = (uint32_t)idx << (region_shift(w) - PAGE_SHIFT);
	uint64_t pde, at;

	if (!r->mapped)
		return;
	if (!walk_pde(m, vpn0 << PAGE_SHIFT, &pde, &at))
		pde = 0;
	if (!entry_keeps(r->pde, pde) || (r->large && (r->pde & PTE_D) && !(pde & PTE_D))) {
		drop_range(m, w, vpn0, region_pages(w));
		return;
	}
	r->pde = pde;
	if (r->large)
		return;
	if (!ppn_ram(m->vm, r->pt_at >> PAGE_SHIFT)) {
		drop_range(m, w, vpn0, region_pages(w));
		return;
	}
	sync_table(m, w, r, vpn0, pool_page(m->vm, (ppn)(r->pt_at >> PAGE_SHIFT)));
}

/* Regions with nothing mapped are forgotten, so that the next fill copies afresh. */
static void win_sync(struct mmu *m, struct window *w)
{
	unsigned kept = 0;

	m->st.syncs++;
	w->syncs++;
	w->need_sync = false;
	w->npend = 0;
	for (unsigned i = 0; i < w->nactive; i++) {
		unsigned idx = w->active[i];

		sync_region(m, w, idx);
		if (w->regions[idx]->mapped) {
			w->active[kept++] = (uint16_t)idx;
			continue;
		}
		munmap(w->regions[idx], sizeof(struct region));
		w->regions[idx] = NULL;
	}
	w->nactive = kept;
}

/* The guest invalidated VPN: drop it unless its entry still agrees. */
static void sync_page(struct mmu *m, struct window *w, uint32_t vpn)
{
	unsigned shift = region_shift(w) - PAGE_SHIFT, idx = vpn >> shift;
	struct region *r = w->regions[idx];
	unsigned i = vpn & (region_pages(w) - 1);
	uint64_t pde, at, e;

	if (!r || !(w->shadow[vpn] & SH_P))
		return;
	if (r->large || !walk_pde(m, vpn << PAGE_SHIFT, &pde, &at) || !entry_keeps(r->pde, pde) ||
	    !ppn_ram(m->vm, r->pt_at >> PAGE_SHIFT)) {
		sync_region(m, w, idx);
		return;
	}
	e = snap_entry(w, pool_page(m->vm, (ppn)(r->pt_at >> PAGE_SHIFT)), i);
	if (entry_keeps(snap_entry(w, r->snap, i), e))
		return;
	forget(m, w, vpn);
	host_unmap(w, vpn, 1);
	put_entry(w, r, i, e);
}

/* Several invalidations at once: neighbours go with one host call. */
static void sync_pending(struct mmu *m, struct window *w)
{
	for (unsigned i = 0; i < w->npend;) {
		uint32_t v = w->pend[i], first = UINT32_MAX, last = 0;

		for (; i < w->npend && (w->pend[i] == v || w->pend[i] == v + 1); i++) {
			uint32_t vpn = v = w->pend[i];
			unsigned idx = vpn >> (region_shift(w) - PAGE_SHIFT);
			struct region *r = w->regions[idx];
			unsigned k = vpn & (region_pages(w) - 1);
			uint64_t pde, at, e;

			if (!r || !(w->shadow[vpn] & SH_P))
				continue;
			if (r->large || !walk_pde(m, vpn << PAGE_SHIFT, &pde, &at) ||
			    !entry_keeps(r->pde, pde) || !ppn_ram(m->vm, r->pt_at >> PAGE_SHIFT)) {
				sync_region(m, w, idx);
				continue;
			}
			e = snap_entry(w, pool_page(m->vm, (ppn)(r->pt_at >> PAGE_SHIFT)), k);
			if (entry_keeps(snap_entry(w, r->snap, k), e))
				continue;
			if (first != UINT32_MAX && last + 1 != vpn) {
				host_unmap(w, first, last - first + 1);
				first = UINT32_MAX;
			}
			forget(m, w, vpn);
			put_entry(w, r, k, e);
			if (first == UINT32_MAX)
				first = vpn;
			last = vpn;
		}
		if (first != UINT32_MAX)
			host_unmap(w, first, last - first + 1);
	}
	w->npend = 0;
}

static void drop_local(struct mmu *m, struct window *w)
{
	for (unsigned i = 0; i < w->nlocal;) {
		uint32_t v = w->local[i], n = 1;

		while (i + n < w->nlocal && w->local[i + n] == v + n)
			n++;
		drop_range(m, w, v, n);
		i += n;
	}
	w->nlocal = 0;
}

/* ---- choosing ---- */

static uint64_t total_maps(const struct mmu *m)
{
	uint64_t n = 0;

	for (unsigned i = 0; i < MAX_WINDOWS; i++)
		n += m->win[i].used ? m->win[i].maps : 0;
	return n;
}

/* Count the mappings of W as the host sees them: runs of like pages. */
static void recount(struct mmu *m, struct window *w)
{
	uint64_t n = 1;

	for (unsigned i = 0; i < w->nactive; i++) {
		uint32_t v0 = (uint32_t)w->active[i] << (region_shift(w) - PAGE_SHIFT);
		uint32_t prev = 0;

		for (uint32_t v = v0; v < v0 + region_pages(w); v++) {
			uint32_t s = w->shadow[v];
			bool joins = (s & SH_P) == (prev & SH_P) && (s & SH_W) == (prev & SH_W) &&
				     (!(s & SH_P) || (s >> 12) == (prev >> 12) + 1);

			n += !joins;
			prev = s;
		}
	}
	(void)m;
	w->maps = n;
}

static void evict_for_limit(struct mmu *m, const struct window *keep)
{
	if (total_maps(m) < MAPS_LIMIT)
		return;
	for (unsigned i = 0; i < MAX_WINDOWS; i++)
		if (m->win[i].used)
			recount(m, &m->win[i]);
	while (total_maps(m) > MAPS_LIMIT / 2) {
		struct window *old = NULL;

		for (unsigned i = 0; i < MAX_WINDOWS; i++) {
			struct window *w = &m->win[i];

			if (w->used && w != keep && w->maps > 1 && (!old || w->lru < old->lru))
				old = w;
		}
		if (!old)
			old = (struct window *)keep;
		m->st.evictions++;
		win_drop_all(m, old);
		if (old == keep)
			break;
	}
}

static struct window *win_find(struct mmu *m, enum win_view view, uint32_t root, bool pae)
{
	struct window *spare = NULL;

	for (unsigned i = 0; i < MAX_WINDOWS; i++) {
		struct window *w = &m->win[i];

		if (w->used && w->view == view && w->root == root && w->pae == pae) {
			w->lru = ++m->tick;
			return w;
		}
		if (!w->used) {
			if (!spare || spare->used)
				spare = w;
		} else if (w != m->cur && w != m->kwin && w != m->uwin && (!spare || (spare->used && w->lru < spare->lru))) {
			spare = w;
		}
	}
	if (!spare)
		return NULL;
	if (spare->used) {
		m->st.evictions++;
		win_drop_all(m, spare);
		if (m->vm->hooks.code_unmap)
			m->vm->hooks.code_unmap(m->vm->hooks.ctx, spare->id, UINT32_MAX, spare->view != WIN_USER);
	} else if (!spare->base && !win_reserve(spare)) {
		return NULL;
	}
	spare->used = true;
	spare->id = (uint16_t)(spare - m->win);
	spare->view = view;
	spare->root = root;
	spare->pae = pae;
	spare->shared = root == ROOT_SHARED;
	spare->lru = ++m->tick;
	m->st.windows++;
	return spare;
}

static uint32_t root_of(const struct cpu *c)
{
	return c->cr4 & CR4_PAE ? c->cr3 & ~0x1fu : c->cr3 & ~PAGE_MASK;
}

static struct window *select_kernel(struct mmu *m)
{
	struct cpu *c = m->cpu;
	bool pae = c->cr4 & CR4_PAE;

	if (!(c->cr0 & CR0_PG))
		return win_find(m, WIN_FLAT, ROOT_FLAT, false);
	return win_find(m, WIN_KERNEL, c->cr4 & CR4_PGE ? ROOT_SHARED : root_of(c), pae);
}

uint8_t *mmu_select(struct mmu *m, unsigned *win)
{
	struct cpu *c = m->cpu;
	bool user = c->cpl == 3 && (c->cr0 & CR0_PG);
	struct window **slot = user ? &m->uwin : &m->kwin;

	if (!*slot) {
		evict_for_limit(m, NULL);
		*slot = user ? win_find(m, WIN_USER, root_of(c), c->cr4 & CR4_PAE) : select_kernel(m);
		if (!*slot)
			return NULL;
	}
	struct window *w = *slot;
	if (w->need_sync)
		win_sync(m, w);
	else if (w->npend)
		sync_pending(m, w);
	m->cur = w;
	*win = w->id;
	return w->base;
}

bool mmu_stale(const struct mmu *m)
{
	return m->cur != m->kwin && m->cur != m->uwin;
}

void mmu_invlpg(struct mmu *m, gva lin)
{
	uint32_t vpn = (uint32_t)lin >> PAGE_SHIFT;

	m->st.invlpgs++;
	if (!(m->cpu->cr0 & CR0_PG))
		return;
	if (!m->kwin)
		m->kwin = select_kernel(m);
	if (!m->uwin)
		m->uwin = win_find(m, WIN_USER, root_of(m->cpu), m->cpu->cr4 & CR4_PAE);
	if (m->kwin)
		sync_page(m, m->kwin, vpn);
	if (!m->uwin || m->uwin->need_sync || !m->uwin->shadow[vpn])
		return;
	if (m->uwin->npend == PEND_MAX)
		m->uwin->need_sync = true;
	else
		m->uwin->pend[m->uwin->npend++] = vpn;
}

/* Control bits that change what a page-table entry means, CR4.PGE apart. */
static uint64_t meaning(const struct cpu *c)
{
	return (c->cr0 & (CR0_PG | CR0_WP)) | (uint64_t)(c->cr4 & (CR4_PSE | CR4_PAE | CR4_SMEP | CR4_SMAP)) << 32 |
	       (c->efer & EFER_NXE) | !(c->a20_mask & 0x100000);
}

void mmu_flush(struct mmu *m, bool global)
{
	bool remeant = meaning(m->cpu) != m->meaning;

	m->meaning = meaning(m->cpu);
	m->st.cr3_loads++;
	m->kwin = m->uwin = NULL;
	if (global) {
		m->st.global_flushes++;
		for (unsigned i = 0; i < MAX_WINDOWS; i++) {
			struct window *w = &m->win[i];

			if (!w->used)
				continue;
			drop_local(m, w);
			w->need_sync = true;
			if (remeant || w->view == WIN_FLAT)
				win_drop_all(m, w);
		}
		return;
	}
	if (!(m->cpu->cr0 & CR0_PG))
		return;
	for (unsigned i = 0; i < MAX_WINDOWS; i++) {
		struct window *w = &m->win[i];

		if (!w->used || w->view == WIN_FLAT)
			continue;
		if (w->shared)
			drop_local(m, w);
		else
			w->need_sync = true;
	}
}

/* ---- filling ---- */

/* What the guest's entries allow in window W for the page whose walk is given. */
static uint32_t shadow_bits(const struct mmu *m, const struct window *w, bool user, bool writable, bool global,
			    bool nx, bool dirty)
{
	bool wok = dirty && (writable || (w->view != WIN_USER && !(m->cpu->cr0 & CR0_WP)));

	return SH_P | (user ? SH_U : 0) | (global ? SH_G : 0) | (nx ? SH_NX : 0) | (wok ? SH_WOK : 0);
}

/* The entry of VPN (in the region of the faulting page) as shadow bits with its
 * PPN, or 0 when it must not be mapped without an access of its own. */
static uint32_t neighbour(struct mmu *m, struct window *w, const struct walk *wk, const struct region *r,
			  const uint8_t *table, uint32_t vpn, uint32_t vpn0, ppn p0)
{
	uint64_t e, pde = r ? r->pde : 0;
	uint32_t s;
	ppn p;

	if (w->shadow[vpn] & SH_P)
		return 0;
	if (!r || r->large) {
		p = p0 + (vpn - vpn0);
		s = shadow_bits(m, w, wk->user, wk->writable, wk->global, wk->nx, wk->dirty);
	} else {
		unsigned i = vpn & (region_pages(w) - 1);

		e = snap_entry(w, table, i);
		if ((e & (PTE_P | PTE_A)) != (PTE_P | PTE_A))
			return 0;
		if (w->view == WIN_USER && !(e & pde & PTE_U))
			return 0;
		/* The snapshot must agree, or an older mapping's change would be lost. */
		if (w->pae && ((e & PAE_ADDR) >> PAGE_SHIFT) >= m->vm->nppn)
			return 0;
		p = (ppn)((e & PAE_ADDR) >> PAGE_SHIFT);
		s = shadow_bits(m, w, e & pde & PTE_U, e & pde & PTE_W,
				(e & PTE_G) && (m->cpu->cr4 & CR4_PGE), w->pae && ((e | pde) & PTE_NX),
				e & PTE_D);
	}
	p &= m->cpu->a20_mask >> PAGE_SHIFT;
	if (!ppn_ram(m->vm, p))
		return 0;
	if ((s & SH_WOK) && m->vm->pmap[p].kind == PAGE_RAM && !m->vm->pmap[p].code)
		s |= SH_W;
	return s | p << 12;
}

/* Record and map [V, V+N), whose PPNs and MPNs run on from S's. */
static bool map_run(struct mmu *m, struct window *w, struct region *r, uint32_t v, uint32_t n, uint32_t s,
		    const uint8_t *table)
{
	ppn p = s >> 12;
	int prot = s & SH_W ? PROT_READ | PROT_WRITE : PROT_READ;
	int flags = MAP_SHARED | MAP_FIXED | (n <= 16 ? MAP_POPULATE : 0);
	off_t off = (off_t)m->vm->pmap[p].mpn << PAGE_SHIFT;

	if (mmap(w->base + ((uint64_t)v << PAGE_SHIFT), (size_t)n << PAGE_SHIFT, prot, flags, m->vm->pool->fd,
		 off) == MAP_FAILED)
		return false;
	w->maps++;
	for (uint32_t i = 0; i < n; i++) {
		rmap_add(m->vm, p + i, w->id, v + i);
		w->shadow[v + i] = (s & PAGE_MASK) | (p + i) << 12;
		if (r && !r->large) {
			unsigned k = (v + i) & (region_pages(w) - 1);

			put_entry(w, r, k, snap_entry(w, table, k));
		}
		if (w->shared && !(s & SH_G)) {
			if (w->nlocal == LOCAL_MAX)
				drop_local(m, w); /* rare: the new ones fault again */
			if (w->shadow[v + i] & SH_P)
				w->local[w->nlocal++] = v + i;
		}
	}
	w->mapped += n;
	if (r)
		r->mapped += n;
	m->st.fill_pages += n;
	return true;
}

/* The region of LIN, made or brought up to the present PDE. NULL when out of memory. */
static struct region *region_for(struct mmu *m, struct window *w, uint32_t lin, const struct walk *wk)
{
	unsigned idx = lin >> region_shift(w);
	struct region *r = w->regions[idx];
	bool fresh = !r || !r->mapped;
	uint64_t pde = 0, at;

	if (w->view == WIN_FLAT) {
		r = region_get(w, idx);
		if (r)
			r->large = true;
		return r;
	}
	walk_pde(m, lin, &pde, &at);
	if (!fresh && !entry_keeps(r->pde, pde)) {
		/* The directory entry changed under mapped pages and no flush came yet:
		 * start the region again, which is what a TLB is allowed to do. */
		drop_range(m, w, idx << (region_shift(w) - PAGE_SHIFT), region_pages(w));
		fresh = true;
	}
	r = region_get(w, idx);
	if (!r)
		return NULL;
	r->pde = pde;
	r->large = wk->page_shift != 12;
	if (fresh && !r->large) {
		r->pt_at = (w->pae ? pde & PAE_ADDR : pde & 0xfffff000u) & m->cpu->a20_mask;
		copy_page(r->snap, pool_page(m->vm, (ppn)(r->pt_at >> PAGE_SHIFT)));
	}
	return r;
}

static bool joins(const struct mmu *m, uint32_t a, uint32_t b)
{
	return b && (a & PAGE_MASK) == (b & PAGE_MASK) && (b >> 12) == (a >> 12) + 1 &&
	       m->vm->pmap[b >> 12].mpn == m->vm->pmap[a >> 12].mpn + 1;
}

static bool fill_run(struct mmu *m, struct window *w, uint32_t lin, const struct walk *wk)
{
	uint32_t vpn = lin >> PAGE_SHIFT, mask = region_pages(w) - 1, lo = vpn, hi = vpn, s, first;
	struct region *r;
	const uint8_t *table = NULL;
	ppn p = (ppn)(wk->pa >> PAGE_SHIFT);

	evict_for_limit(m, w);
	r = region_for(m, w, lin, wk);
	if (!r)
		return false;
	if (!r->large)
		table = pool_page(m->vm, (ppn)(r->pt_at >> PAGE_SHIFT));
	s = shadow_bits(m, w, wk->user, wk->writable, wk->global, wk->nx, wk->dirty) | p << 12;
	if ((s & SH_WOK) && m->vm->pmap[p].kind == PAGE_RAM && !m->vm->pmap[p].code)
		s |= SH_W;
	if (w->shadow[vpn] & SH_P) {
		/* Present, but not with these rights: the guest changed the entry. */
		drop_range(m, w, vpn, 1);
	}
	uint32_t prev = s, next;
	while ((hi & mask) != mask && (next = neighbour(m, w, wk, r, table, hi + 1, vpn, p)) &&
	       joins(m, prev, next)) {
		prev = next;
		hi++;
	}
	prev = first = s;
	while ((lo & mask) && (next = neighbour(m, w, wk, r, table, lo - 1, vpn, p)) && joins(m, next, prev)) {
		prev = first = next;
		lo--;
	}
	if (!map_run(m, w, r, lo, hi - lo + 1, first, table))
		return false;
	w->fills++;
	m->st.fills++;
	return true;
}

/* Mapped read-only, and the guest allows the write now. */
static bool upgrade(struct mmu *m, struct window *w, uint32_t vpn, const struct walk *wk)
{
	uint32_t s = w->shadow[vpn];
	struct region *r = w->regions[vpn >> (region_shift(w) - PAGE_SHIFT)];

	if (!(s & SH_P) || (s >> 12) != (ppn)(wk->pa >> PAGE_SHIFT) || (r && r->large && !(s & SH_WOK)))
		return false;
	if (mprotect(w->base + ((uint64_t)vpn << PAGE_SHIFT), PAGE_SIZE, PROT_READ | PROT_WRITE))
		return false;
	w->shadow[vpn] = s | SH_W | SH_WOK;
	w->maps += 2;
	m->st.upgrades++;
	if (r && !r->large && w->view != WIN_FLAT) {
		unsigned k = vpn & (region_pages(w) - 1);

		put_entry(w, r, k, snap_entry(w, pool_page(m->vm, (ppn)(r->pt_at >> PAGE_SHIFT)), k));
	}
	return true;
}

enum mmu_fill mmu_fill(struct mmu *m, gva lin, unsigned how, struct mmu_fault *f)
{
	struct window *w = m->cur;
	uint32_t vpn = (uint32_t)lin >> PAGE_SHIFT;
	struct walk wk;
	ppn p;

	if (w->view == WIN_USER)
		how |= MM_USER;
	mmu_walk(m, lin, how, &wk);
	if (!wk.ok) {
		m->st.true_faults++;
		f->err = wk.err;
		return FILL_FAULT;
	}
	f->pa = wk.pa;
	if (!ppn_ram(m->vm, wk.pa >> PAGE_SHIFT)) {
		m->st.mmio_faults++;
		return FILL_MMIO;
	}
	p = (ppn)(wk.pa >> PAGE_SHIFT);
	if (how & MM_WRITE) {
		if (m->vm->pmap[p].kind == PAGE_ROM) {
			m->st.mmio_faults++;
			return FILL_MMIO;
		}
		if (m->vm->pmap[p].code) {
			m->st.code_faults++;
			return FILL_CODE;
		}
		if (upgrade(m, w, vpn, &wk))
			return FILL_OK;
	}
	if (fill_run(m, w, (uint32_t)lin, &wk))
		return FILL_OK;
	/* Out of host mappings in spite of the budget: give back everything else. */
	for (unsigned i = 0; i < MAX_WINDOWS; i++)
		if (m->win[i].used && &m->win[i] != w)
			win_drop_all(m, &m->win[i]);
	fill_run(m, w, (uint32_t)lin, &wk);
	return FILL_OK;
}

enum mmu_where mmu_where(const struct mmu *m, uint64_t hva, gva *lin)
{
	uint64_t base = m->cur ? (uint64_t)m->cur->base : 0;

	*lin = (uint32_t)hva;
	if (!base || hva < base - (1u << 30) || hva >= base + WIN_BYTES + WIN_BYTES)
		return MMU_ELSEWHERE;
	return hva - base < WIN_BYTES ? MMU_WINDOW : MMU_GUARD;
}

ppn mmu_code_page_fast(struct mmu *m, gva lin)
{
	uint32_t *s = &m->cur->shadow[(uint32_t)lin >> PAGE_SHIFT];

	if ((*s & (SH_P | SH_NX)) != SH_P)
		return UINT32_MAX;
	*s |= SH_CODE;
	return *s >> 12;
}

int mmu_code_page(struct mmu *m, gva lin, ppn *p)
{
	struct mmu_fault f;
	struct walk wk;
	unsigned how = MM_EXEC | (m->cur->view == WIN_USER ? MM_USER : 0);

	*p = mmu_code_page_fast(m, lin);
	if (*p != UINT32_MAX)
		return 0;
	mmu_walk(m, lin, how, &wk);
	if (!wk.ok) {
		cpu_raise_err(m->cpu, EXC_PF, wk.err);
		m->cpu->exc.cr2 = (uint32_t)lin;
		return -1;
	}
	if (mmu_fill(m, lin, MM_READ, &f) != FILL_OK)
		return 1;
	*p = mmu_code_page_fast(m, lin);
	return *p == UINT32_MAX ? 1 : 0;
}

const struct mmu_stats *mmu_stats(const struct mmu *m)
{
	return &m->st;
}

struct mmu *mmu_new(struct mm_vm *vm, struct cpu *cpu, struct platform *plat)
{
	struct mmu *m = calloc(1, sizeof(*m));

	if (!m)
		return NULL;
	m->vm = vm;
	m->cpu = cpu;
	m->plat = plat;
	vm->mmu = m;
	return m;
}

void mmu_free(struct mmu *m)
{
	if (!m)
		return;
	m->vm->hooks = (struct mm_hooks){ 0 };
	for (unsigned i = 0; i < MAX_WINDOWS; i++) {
		struct window *w = &m->win[i];

		if (!w->base)
			continue;
		win_drop_all(m, w);
		munmap(w->base - WIN_BYTES, 3 * WIN_BYTES);
		munmap(w->shadow, WIN_PAGES * 4);
		munmap(w->regions, WIN_REGIONS * sizeof(*w->regions));
		munmap(w->lists, sizeof(*w->lists));
	}
	m->vm->mmu = NULL;
	free(m);
}
