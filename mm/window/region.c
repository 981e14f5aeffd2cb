/* SPDX-License-Identifier: GPL-3.0-or-later
 * The host side of windows: reservations, regions, mappings dropped, protected and remade.
 * GPR-only code (base/gpr.h), so pages are copied and compared here too. */
#include "mm/window/fill.h"

#include "base/log.h"

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

static void *reserve(size_t n, int prot)
{
	void *p = mmap(NULL, n, prot, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	return p == MAP_FAILED ? NULL : p;
}

static void give_back(void *p, size_t n)
{
	if (p)
		munmap(p, n);
}

/* A window and the guard space of its size on both sides. */
#define RESERVED (3 * WIN_BYTES)

static uint8_t *reserve_aligned(void)
{
	uint8_t *p = reserve(RESERVED + WIN_BYTES, PROT_NONE), *base;

	if (!p)
		return NULL;
	base = (uint8_t *)(((uint64_t)p + 2 * WIN_BYTES - 1) & ~(WIN_BYTES - 1));
	give_back(p, (size_t)(base - WIN_BYTES - p));
	munmap(base + 2 * WIN_BYTES, (size_t)(p + WIN_BYTES - (base - WIN_BYTES)));
	return base;
}

static void give_back_all(struct window *w)
{
	give_back(w->base ? w->base - WIN_BYTES : NULL, RESERVED);
	give_back(w->shadow, WIN_PAGES * 4);
	give_back(w->high, WIN_PAGES);
	give_back(w->regions, WIN_REGIONS * sizeof(*w->regions));
	give_back(w->lists, sizeof(*w->lists));
	w->base = NULL;
	w->shadow = NULL;
	w->high = NULL;
	w->regions = NULL;
	w->lists = NULL;
}

bool win_reserve_high(struct window *w)
{
	if (w->shadow && !w->high)
		w->high = reserve(WIN_PAGES, PROT_READ | PROT_WRITE);
	return !w->shadow || w->high;
}

bool win_reserve_books(struct mmu *m, struct window *w)
{
	w->shadow = reserve(WIN_PAGES * 4, PROT_READ | PROT_WRITE);
	w->regions = reserve(WIN_REGIONS * sizeof(*w->regions), PROT_READ | PROT_WRITE);
	w->lists = reserve(sizeof(*w->lists), PROT_READ | PROT_WRITE);
	if (!w->shadow || !w->regions || !w->lists || (m->vm->nppn > LOW_PPNS && !win_reserve_high(w))) {
		give_back_all(w);
		return false;
	}
	w->active = w->lists->active;
	w->pend = w->lists->pend;
	w->local = w->lists->local;
	return true;
}

bool win_reserve(struct mmu *m, struct window *w)
{
	w->base = reserve_aligned();
	if (w->base && win_reserve_books(m, w))
		return true;
	give_back_all(w);
	return false;
}

void win_release(struct mmu *m, struct window *w)
{
	if (!w->shadow)
		return;
	win_drop_all(m, w);
	give_back_all(w);
}

/* A region begins at one of the lines of its first page: as all of them are looked at in a row, headers at
 * the same place of their pages would have the same few lines of the processor's cache. */
#define REGION_ROOM (2 * PAGE_SIZE)
_Static_assert(sizeof(struct region) + 62 * LINE_BYTES <= REGION_ROOM, "so many places");

static void region_wake(struct window *w, struct region *r, unsigned idx)
{
	unsigned i = w->nactive;

	while (w->active[i] != idx)
		i++;
	w->active[i] = w->active[w->nactive];
	w->active[w->nactive++] = (uint16_t)idx;
	w->nidle--;
	r->idle = false;
}

/* Async-signal-safe: regions come from mmap, never from malloc. */
struct region *region_get(struct window *w, unsigned idx)
{
	struct region *r = w->regions[idx];
	uint8_t *p;

	if (r && r->idle)
		region_wake(w, r, idx);
	if (r)
		return r;
	p = mmap(NULL, REGION_ROOM, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (p == MAP_FAILED)
		return NULL;
	r = (struct region *)(p + (idx * 5 + w->id * 11) % 62 * LINE_BYTES);
	w->regions[idx] = r;
	w->active[w->nactive + w->nidle] = w->active[w->nactive];
	w->active[w->nactive++] = (uint16_t)idx;
	return r;
}

bool mmu_grow(struct mmu *m)
{
	for (unsigned i = 0; i < win_ids(m); i++)
		if (!win_reserve_high(win_at(m, i)))
			return false;
	return true;
}

void region_idle(struct mmu *m, struct window *w, unsigned i)
{
	unsigned idx = w->active[i];
	struct region *r = w->regions[idx];

	if (r->lined)
		host_unmap(m, w, (vpn32)idx << (region_shift(w) - PAGE_SHIFT), region_pages(w));
	r->lined = false;
	r->idle = true;
	w->active[i] = w->active[--w->nactive];
	w->active[w->nactive] = (uint16_t)idx;
	w->nidle++;
}

static void region_free(struct region *r)
{
	munmap((void *)((uintptr_t)r & ~(uintptr_t)PAGE_MASK), REGION_ROOM);
}

/* ---- dropping ---- */

void page_forget(struct mmu *m, struct window *w, vpn32 vpn)
{
	uint64_t s = sh_get(w, vpn);
	unsigned idx = vpn >> (region_shift(w) - PAGE_SHIFT);
	struct region *r = w->regions[idx];

	rmap_del(m->vm, (ppn)(s >> 12), w->id, vpn);
	if ((s & SH_CODE) && m->vm->hooks.code_unmap)
		m->vm->hooks.code_unmap(m->vm->hooks.ctx, win_number(w), page_of(w, vpn), win_links(w));
	sh_put(w, vpn, s & SH_LINE ? s & (~(uint64_t)PAGE_MASK | SH_LINE) : 0);
	w->known--;
	w->mapped -= s & SH_P;
	r->known--;
	count_local(w, r, idx, s, -1u);
}

void maps_add(struct mmu *m, struct window *w, int64_t n)
{
	w->maps += n;
	atomic_fetch_add(&m->vm->pool->maps, n);
}

static bool map_nothing(struct window *w, vpn32 vpn, uint32_t n)
{
	return mmap(w->base + ((uint64_t)vpn << PAGE_SHIFT), (uint64_t)n << PAGE_SHIFT, PROT_NONE,
		    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED, -1, 0) != MAP_FAILED;
}

/* Unmap all of W and forget it, lines too; regions stay, because a caller may be in one. */
static void win_empty(struct mmu *m, struct window *w)
{
	for (unsigned i = 0; (w->known || w->lined) && i < w->nactive; i++) {
		vpn32 v0 = (vpn32)w->active[i] << (region_shift(w) - PAGE_SHIFT);
		struct region *r = w->regions[w->active[i]];

		for (vpn32 v = v0; r->known && v < v0 + region_pages(w); v++)
			if (w->shadow[v] & SH_IN)
				page_forget(m, w, v);
		if (r->lined)
			line_forget(w, v0, region_pages(w));
		r->lined = false;
	}
	w->lined = false;
	if (!w->base)
		return;
	if (map_nothing(w, 0, WIN_PAGES))
		maps_add(m, w, 1 - w->maps);
	/* At the limit even this may want a mapping more. Taking all access away never does: its
	 * ends meet mappings, or guard space that has no access either. */
	else if (mprotect(w->base, WIN_BYTES, PROT_NONE))
		vm_fail(m->vm, MM_FAIL_MAPPING);
}

static void refused(struct mmu *m, struct window *w)
{
	LOG(mmu, "window of root %08x emptied: the host refused a change", w->root);
	m->st.evictions++;
	win_empty(m, w);
}

/* How many of [VPN, VPN+N) are, or are not, of lines as the first one is. */
static uint32_t alike(const struct window *w, vpn32 vpn, uint32_t n)
{
	uint32_t i = 1;

	while (i < n && !((w->shadow[vpn] ^ w->shadow[vpn + i]) & SH_LINE))
		i++;
	return i;
}

#define CLOSE_PAGES 64 /* for more pages a line is not kept */

void host_unmap(struct mmu *m, struct window *w, vpn32 vpn, uint32_t n)
{
	w->drops++;
	if ((w->shadow[vpn] & SH_LINE) && n <= CLOSE_PAGES && alike(w, vpn, n) == n && line_close(w, vpn, n))
		return;
	if (map_nothing(w, vpn, n)) {
		maps_add(m, w, 1);
		line_forget(w, vpn, n);
	} else
		refused(m, w);
}

void line_cut(struct mmu *m, struct window *w, vpn32 vpn)
{
	if (map_nothing(w, vpn, 1)) {
		maps_add(m, w, 2);
		line_forget(w, vpn, 1);
	} else
		refused(m, w);
}

/* Write-protect pages that are all of lines, or none of them. */
static bool protect_alike(struct mmu *m, struct window *w, vpn32 vpn, uint32_t n)
{
	if (w->shadow[vpn] & SH_LINE)
		return line_protect(m, w, vpn, n, true);
	maps_add(m, w, 2);
	return !mprotect(w->base + ((uint64_t)vpn << PAGE_SHIFT), (uint64_t)n << PAGE_SHIFT, PROT_READ);
}

bool host_protect(struct mmu *m, struct window *w, vpn32 vpn, uint32_t n)
{
	w->prots++;
	for (uint32_t i = 0, k; i < n; i += k) {
		k = alike(w, vpn + i, n - i);
		if (!protect_alike(m, w, vpn + i, k)) {
			refused(m, w);
			return false;
		}
	}
	return true;
}

bool win_remap(struct mmu *m, struct window *w, vpn32 vpn)
{
	uint64_t s = sh_get(w, vpn) & ~(uint64_t)SH_SOFT;
	struct page_place at = page_place(m->vm, m->vm->pmap[s >> 12].mpn);

	w->shadow[vpn] = (uint32_t)s;
	if (!(s & SH_P))
		return true;
	s &= ~(uint64_t)(SH_W | SH_LINE);
	s |= write_bit(m, s);
	if (mmap(w->base + ((uint64_t)vpn << PAGE_SHIFT), PAGE_SIZE,
		 s & SH_W ? PROT_READ | PROT_WRITE : PROT_READ, MAP_SHARED | MAP_FIXED, at.fd,
		 at.offset) == MAP_FAILED)
		return false;
	w->shadow[vpn] = (uint32_t)s;
	maps_add(m, w, 2);
	return true;
}

/* Is no page known whose entry is in the same line of the page table as VPN's? */
static bool line_unused(const struct window *w, vpn32 vpn)
{
	const struct region *r = w->regions[vpn >> (region_shift(w) - PAGE_SHIFT)];

	return r && !r->large && !(r->lines >> (vpn & (region_pages(w) - 1)) / line_entries(w) & 1);
}

/* Drop the pages among [VPN, VPN+N), those that are mapped with one host call: the gaps between them are
 * unmapped anyway. */
void drop_range(struct mmu *m, struct window *w, vpn32 vpn, uint32_t n)
{
	uint32_t first = UINT32_MAX, last = 0, per_line = line_entries(w);

	for (vpn32 v = vpn; v < vpn + n; v++) {
		uint32_t s;

		if (!(v % per_line) && line_unused(w, v)) {
			v += per_line - 1;
			continue;
		}
		s = w->shadow[v];
		if (!(s & SH_IN))
			continue;
		page_forget(m, w, v);
		if (!(s & SH_P))
			continue;
		churn_note(m, w, v);
		if (first == UINT32_MAX)
			first = v;
		last = v;
	}
	if (first == UINT32_MAX)
		return;
	m->st.drops++;
	host_unmap(m, w, first, last - first + 1);
}

void pages_unmap(struct mmu *m, struct window *w, vpn32 vpn, uint32_t n)
{
	uint32_t first = UINT32_MAX, last = 0;
	uint64_t p = sh_get(w, vpn) >> 12;

	n = n < WIN_PAGES - vpn ? n : WIN_PAGES - vpn;
	for (uint32_t i = 0; i < n; i++) {
		uint64_t s = sh_get(w, vpn + i);

		if (!(s & SH_IN) || s >> 12 != p + i)
			break;
		page_forget(m, w, vpn + i);
		if (!(s & SH_P))
			continue;
		if (first == UINT32_MAX)
			first = vpn + i;
		last = vpn + i;
	}
	if (first != UINT32_MAX)
		host_unmap(m, w, first, last - first + 1);
}

void page_unmap(struct mmu *m, struct window *w, vpn32 vpn)
{
	pages_unmap(m, w, vpn, 1);
}

void win_drop_all(struct mmu *m, struct window *w)
{
	if (w->known || w->lined)
		win_empty(m, w);
	for (unsigned i = 0; i < w->nactive + w->nidle; i++) {
		region_free(w->regions[w->active[i]]);
		w->regions[w->active[i]] = NULL;
	}
	w->nactive = w->nidle = w->npend = 0;
	w->need_sync = w->need_local = w->outdated = false;
	for (; w->local_words; w->local_words &= w->local_words - 1)
		w->local[__builtin_ctz(w->local_words)] = 0;
}

bool win_write_protect(struct mmu *m, unsigned win, vpn32 vpn)
{
	struct window *w = win_at(m, win);

	w->shadow[vpn] &= ~(uint32_t)SH_SW;
	if (!(w->shadow[vpn] & SH_W))
		return true;
	w->shadow[vpn] &= ~SH_W;
	return host_protect(m, w, vpn, 1);
}
