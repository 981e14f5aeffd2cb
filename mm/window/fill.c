/* SPDX-License-Identifier: GPL-3.0-or-later
 * Filling windows: resolves a miss by mapping the page, together with neighbours that are
 * contiguous both in the guest's tables and in the file that backs them. */
#include "base/log.h"
#include "mm/window/fill.h"
#include "mm/window/long.h"

#include <sys/mman.h>

/* A20 masks the low half of a physical address. */
static gpa masked(const struct mmu *m, gpa a)
{
	return a & (m->cpu->a20_mask | ~(gpa)UINT32_MAX);
}

static const uint8_t *table_of_region(const struct mmu *m, const struct region *r)
{
	return page_read(m->vm, (ppn)(r->pt_at >> PAGE_SHIFT));
}

/* The shadow bits of a page in window W: what the guest's entries allow there. */
static uint32_t shadow_bits(const struct mmu *m, const struct window *w, bool user, bool writable,
			    bool global, bool nx, bool dirty)
{
	bool wok = dirty && (writable || (w->view != WIN_USER && !(m->cpu->cr0 & CR0_WP)));

	nx |= win_blind(m, w); /* until user code fetches there */
	nx |= user && w->view == WIN_KERNEL && (m->cpu->cr4 & CR4_SMEP);
	return SH_IN | SH_P | (user ? SH_U : 0) | (global ? SH_G : 0) | (nx ? SH_NX : 0) | (wok ? SH_WOK : 0);
}

/* The same for table entry E under the directory entry PDE. */
static uint32_t entry_bits(const struct mmu *m, const struct window *w, uint64_t pde, uint64_t e)
{
	return shadow_bits(m, w, e & pde & PTE_U, e & pde & PTE_W, (e & PTE_G) && (m->cpu->cr4 & CR4_PGE),
			   w->pae && ((e | pde) & PTE_NX), e & PTE_D);
}

uint64_t write_bit(const struct mmu *m, uint64_t s)
{
	return (s & SH_WOK) && page_write_check(m->vm, (ppn)(s >> 12), WRITE_BY_GUEST) == PAGE_WRITE_OK ? SH_W
													: 0;
}

/* May P be mapped along with the page that was touched? Not where that would take machine memory, or hide
 * P's first access. */
static bool may_come_along(const struct mmu *m, const struct window *w, vpn32 vpn, ppn p)
{
	return ppn_ram(m->vm, p) && mpn_in_memory(m->vm->pmap[p].mpn) && !m->vm->pmap[p].sampled &&
	       !(m->nwatch && watch_bits(m, page_of(w, vpn), p));
}

/* The same with a second dimension, which knows no runs. */
static uint64_t nested_neighbour(struct mmu *m, const struct window *w, const struct region *r,
				 const uint8_t *table, vpn32 vpn)
{
	unsigned i = vpn & (region_pages(w) - 1);
	gpa a = (gpa)vpn << PAGE_SHIFT;
	uint64_t e = r->pde, s;

	if (w->view == WIN_FLAT) {
		s = shadow_bits(m, w, true, true, true, false, true);
	} else {
		if (!r->large)
			e = table_entry(w, table, i);
		if ((e & (PTE_P | PTE_A)) != (PTE_P | PTE_A) ||
		    (w->view == WIN_USER && !(e & r->pde & PTE_U)))
			return 0;
		a = r->large ? r->first + ((gpa)i << PAGE_SHIFT) : e & PTE_ADDR64;
		s = entry_bits(m, w, r->pde, e);
	}
	s = nested_bits(m, a, s);
	if (!s || !may_come_along(m, w, vpn, (ppn)(s >> 12)))
		return 0;
	return s | write_bit(m, s);
}

/* The shadow entry for VPN, in the region of the faulting page VPN0. 0: only an access of its own
 * may map it. */
static uint64_t neighbour(struct mmu *m, struct window *w, const struct walk *wk, const struct region *r,
			  const uint8_t *table, vpn32 vpn, vpn32 vpn0, ppn p0)
{
	uint64_t e, pde = r ? r->pde : 0, s;
	ppn p;

	if (w->shadow[vpn] & SH_P)
		return 0;
	if (__builtin_expect(w->nested, 0))
		return nested_neighbour(m, w, r, table, vpn);
	if (!r || r->large) {
		p = p0 + (vpn - vpn0);
		s = shadow_bits(m, w, wk->user, wk->writable, wk->global, wk->nx, wk->dirty);
	} else {
		unsigned i = vpn & (region_pages(w) - 1);

		e = table_entry(w, table, i);
		if ((e & (PTE_P | PTE_A)) != (PTE_P | PTE_A))
			return 0;
		if (w->view == WIN_USER && !(e & pde & PTE_U))
			return 0;
		if (w->pae && ((e & PTE_ADDR64) >> PAGE_SHIFT) >= m->vm->nppn)
			return 0;
		p = (ppn)((e & PTE_ADDR64) >> PAGE_SHIFT);
		s = entry_bits(m, w, pde, e);
	}
	p = (ppn)(masked(m, (gpa)p << PAGE_SHIFT) >> PAGE_SHIFT);
	if (!may_come_along(m, w, vpn, p))
		return 0;
	s |= sh_of(p);
	return s | write_bit(m, s);
}

/* Do the entries of VPN, as far as the table, forbid to execute? */
static bool entry_nx(const struct window *w, const struct region *r, vpn32 vpn, const uint8_t *table)
{
	uint64_t e = r->large ? 0 : table_entry(w, table, vpn & (region_pages(w) - 1));

	return (e | r->pde) & PTE_NX;
}

void fill_book(struct mmu *m, struct window *w, struct region *r, vpn32 vpn, uint64_t s, const uint8_t *table)
{
	uint64_t old = sh_get(w, vpn);
	unsigned idx = vpn >> (region_shift(w) - PAGE_SHIFT);

	if (old & SH_IN) {
		/* Code was fetched here. Jump tables that name the page stay right if it is the same. */
		if (win_blind(m, w) && !((old ^ s) >> 12) && !(old & SH_NX) && !entry_nx(w, r, vpn, table))
			s &= ~(uint64_t)SH_NX;
		if ((old ^ s) >> 12 || (s & SH_NX))
			page_forget(m, w, vpn);
		else
			s |= old & SH_CODE;
	}
	if (!(w->shadow[vpn] & SH_IN)) {
		rmap_add(m->vm, (ppn)(s >> 12), w->id, vpn);
		w->known++;
		r->known++;
	} else
		count_local(w, r, idx, old, -1u);
	count_local(w, r, idx, s, 1);
	sh_put(w, vpn, s);
	w->mapped += s & SH_P;
	if (!r->large)
		take_entry(w, r, vpn & (region_pages(w) - 1), table);
	wp_note(m, w, r, vpn);
}

/* Record and map [V, V+N), whose PPNs and MPNs run on from S's. False: nothing was mapped, the
 * host or the reverse map has no room. */
static bool map_run(struct mmu *m, struct window *w, struct region *r, uint32_t v, uint32_t n, uint64_t s,
		    const uint8_t *table)
{
	ppn p = (ppn)(s >> 12);
	int prot = s & SH_W ? PROT_READ | PROT_WRITE : PROT_READ;
	int flags = MAP_SHARED | MAP_FIXED | (n <= 16 ? MAP_POPULATE : 0);
	struct page_place at = page_place(m->vm, m->vm->pmap[p].mpn);

	if (!rmap_room(m->vm, n))
		return false;
	if (!r->large && !line_serves(m, w, v, n, p))
		line_begin(m, w, r, v, n, p);
	if (line_serves(m, w, v, n, p) && line_open(m, w, v, n, p, s & SH_W))
		s |= SH_LINE;
	else if (mmap(w->base + ((uint64_t)v << PAGE_SHIFT), (size_t)n << PAGE_SHIFT, prot, flags, at.fd,
		      at.offset) == MAP_FAILED)
		return false;
	else
		maps_add(m, w, 1);
	for (uint32_t i = 0; i < n; i++)
		fill_book(m, w, r, v + i, (s & PAGE_MASK) | sh_of(p + i), table);
	m->st.fill_pages += n;
	return true;
}

uint64_t fill_bits(struct mmu *m, const struct window *w, const struct region *r, vpn32 vpn, uint64_t e)
{
	ppn p = (ppn)(masked(m, e & PTE_ADDR64) >> PAGE_SHIFT);
	uint64_t s = entry_bits(m, w, r->pde, e);

	if (__builtin_expect(w->nested, 0)) {
		s = nested_bits(m, e & PTE_ADDR64, s);
		if (!s)
			return 0;
		p = (ppn)(s >> 12);
	}
	if (!may_come_along(m, w, vpn, p))
		return 0;
	s |= sh_of(p);
	return s | write_bit(m, s);
}

bool fill_entry(struct mmu *m, struct window *w, struct region *r, vpn32 vpn, uint64_t e)
{
	uint64_t s = fill_bits(m, w, r, vpn, e);

	if (!s)
		return false;
	m->st.prefills++;
	return map_run(m, w, r, vpn, 1, s, table_of_region(m, r));
}

/* The directory entry, as mmu_walk_directory() has it. */
static uint64_t directory_of(const struct mmu *m, const struct window *w, const struct walk *wk, bool large)
{
	unsigned i = 0, last = wk->nlevels - (large ? 1 : 2);
	uint64_t e = wk->level[last].entry;

	if (!cpu_long(m->cpu))
		return e;
	for (; i < last; i++)
		e = walk_combine(i || !win_blind(m, w) ? wk->level[i].entry : wk->level[i].entry & ~PTE_NX,
				 e);
	return e;
}

/* The region of LIN, made or brought up to the present PDE. NULL when out of memory. */
static struct region *region_for(struct mmu *m, struct window *w, gva32 lin, const struct walk *wk)
{
	unsigned idx = lin >> region_shift(w);
	struct region *r = w->regions[idx];
	bool fresh = !r || !r->known, large = wk->page_shift != PAGE_SHIFT;
	uint64_t pde;
	gpa table;

	if (w->view == WIN_FLAT) {
		r = region_get(w, idx);
		if (r)
			r->large = true;
		return r;
	}
	pde = directory_of(m, w, wk, large);
	table = w->nested ? wk->second.table : masked(m, pde & (w->pae ? PTE_ADDR64 : PTE_ADDR32));
	if (!fresh && (!entry_keeps(r->pde, pde) || (!large && r->pt_at != table))) {
		/* The directory entry of mapped pages changed, and no flush came yet. Start the
		 * region again: a TLB may drop entries at any time. */
		drop_range(m, w, idx << (region_shift(w) - PAGE_SHIFT), region_pages(w));
		fresh = true;
	}
	r = region_get(w, idx);
	if (!r)
		return NULL;
	r->pde = pde;
	r->large = large;
	r->first = w->nested && large ? wk->second.guest & ~((1ull << region_shift(w)) - 1) : 0;
	if (fresh && !large) {
		r->pt_at = table;
		r->lines = 0;
	}
	if (w->nested && !large)
		space_note_table(m, pde & PTE_ADDR64);
	if (fresh && w->of)
		quiet_more(m, w, idx);
	return r;
}

static bool joins(const struct mmu *m, uint64_t a, uint64_t b)
{
	return b && (a & PAGE_MASK) == (b & PAGE_MASK) && (b >> 12) == (a >> 12) + 1 &&
	       mpn_follows(m->vm->pmap[a >> 12].mpn, m->vm->pmap[b >> 12].mpn);
}

/* The shadow entry for LIN, whose walk is WK. */
static uint64_t walk_bits(const struct mmu *m, const struct window *w, gva32 lin, const struct walk *wk)
{
	ppn p = (ppn)(wk->pa >> PAGE_SHIFT);
	uint64_t s = shadow_bits(m, w, wk->user, wk->writable, wk->global, wk->nx, wk->dirty) | sh_of(p);

	s |= write_bit(m, s);
	if (m->nwatch && watch_bits(m, page_of(w, lin >> PAGE_SHIFT), p))
		s &= ~(uint64_t)(SH_W | SH_WOK);
	return s;
}

/* Enter the page of LIN as a soft one. False: it must be mapped. */
static bool soften(struct mmu *m, struct window *w, gva32 lin, const struct walk *wk)
{
	struct region *r = region_for(m, w, lin, wk);

	return r && soft_enter(m, w, r, lin >> PAGE_SHIFT, walk_bits(m, w, lin, wk));
}

static bool fill_run(struct mmu *m, struct window *w, gva32 lin, const struct walk *wk)
{
	vpn32 vpn = lin >> PAGE_SHIFT, mask = region_pages(w) - 1, lo = vpn, hi = vpn;
	uint64_t s, first, prev, next;
	struct region *r;
	const uint8_t *table = NULL;
	ppn p = (ppn)(wk->pa >> PAGE_SHIFT);

	evict_for_limit(m, w);
	if (w->nested)
		nested_begin(m, NESTED_FILL_ASKS);
	r = region_for(m, w, lin, wk);
	if (!r)
		return false;
	if (!r->large)
		table = page_read(m->vm, (ppn)(r->pt_at >> PAGE_SHIFT));
	s = walk_bits(m, w, lin, wk);
	if (w->shadow[vpn] & SH_P) {
		/* Mapped with other rights or to another page: the guest changed the entry. */
		drop_range(m, w, vpn, 1);
	}
	prev = s;
	while ((hi & mask) != mask && (next = neighbour(m, w, wk, r, table, hi + 1, vpn, p)) &&
	       joins(m, prev, next)) {
		prev = next;
		hi++;
	}
	prev = first = s;
	while ((lo & mask) && (next = neighbour(m, w, wk, r, table, lo - 1, vpn, p)) &&
	       joins(m, next, prev)) {
		prev = first = next;
		lo--;
	}
	if (!map_run(m, w, r, lo, hi - lo + 1, first, table))
		return false;
	w->fills++;
	m->st.fills++;
	return true;
}

/* Make a read-only mapping writable, when the guest allows the write. False: it must be filled anew. */
static bool upgrade(struct mmu *m, struct window *w, vpn32 vpn, const struct walk *wk)
{
	uint64_t s = sh_get(w, vpn), same = SH_P | SH_U | SH_G | (win_blind(m, w) ? 0 : SH_NX);
	struct region *r = w->regions[vpn >> (region_shift(w) - PAGE_SHIFT)];

	if (!(s & SH_P) || (s >> 12) != (ppn)(wk->pa >> PAGE_SHIFT) || (r && r->large && !(s & SH_WOK)))
		return false;
	if (w->nested && r && !r->large && r->pt_at != wk->second.table)
		return false;
	if (win_blind(m, w) && !(s & SH_NX))
		return false; /* rights to execute are to be looked at */
	/* The mapping was made from another entry (global then, say, and not now). */
	if ((s ^ shadow_bits(m, w, wk->user, wk->writable, wk->global, wk->nx, wk->dirty)) & same)
		return false;
	if (s & SH_W)
		return !(s & SH_LINE); /* the host may have taken the page: open it again */
	if (s & SH_LINE) {
		if (!line_protect(m, w, vpn, 1, false))
			return false;
	} else {
		if (mprotect(w->base + ((uint64_t)vpn << PAGE_SHIFT), PAGE_SIZE, PROT_READ | PROT_WRITE))
			return false;
		maps_add(m, w, 2);
	}
	w->shadow[vpn] |= SH_W | SH_WOK;
	m->st.upgrades++;
	if (r && !r->large && w->view != WIN_FLAT) {
		unsigned k = vpn & (region_pages(w) - 1);

		put_entry(w, r, k, table_entry(w, page_read(m->vm, (ppn)(r->pt_at >> PAGE_SHIFT)), k));
	}
	wp_note(m, w, r, vpn);
	return true;
}

/* For a read, only the page's presence counts. */
static enum page_write read_check(const struct mm_vm *vm, ppn p)
{
	return mpn_in_memory(vm->pmap[p].mpn) ? PAGE_WRITE_OK : PAGE_WRITE_ABSENT;
}

static void drop_windows_but(struct mmu *m, const struct window *keep)
{
	for (unsigned i = 0; i < win_ids(m); i++) {
		struct window *w = win_at(m, i);

		if (!w->used || w == keep)
			continue;
		m->st.evictions += w->mapped > 0;
		win_drop_all(m, w);
	}
}

/* When the host has no more mappings in spite of the budget, give back first all other windows',
 * then this one's. */
static enum mmu_fill fill_or_evict(struct mmu *m, struct window *w, gva32 lin, const struct walk *wk)
{
	if (fill_run(m, w, lin, wk))
		return FILL_OK;
	drop_windows_but(m, w);
	if (fill_run(m, w, lin, wk))
		return FILL_OK;
	drop_windows_but(m, NULL);
	if (fill_run(m, w, lin, wk))
		return FILL_OK;
	vm_fail(m->vm, MM_FAIL_MAPPING);
	return FILL_ERROR;
}

enum mmu_fill fill_page(struct mmu *m, struct window *w, gva lin, unsigned how, struct mmu_fault *f)
{
	vpn32 vpn = (gva32)lin >> PAGE_SHIFT;
	bool soft = how & MMU_SOFT;
	struct walk wk;
	ppn p;

	f->was_soft = w->shadow[vpn] & SH_SR;
	how &= ~(unsigned)MMU_SOFT;
	if (w->view == WIN_USER)
		how |= MM_USER;
	mmu_walk(m, lin, how, &wk);
	if (m->vm->swap.wanted != UINT32_MAX)
		return FILL_WAIT;
	if (!wk.ok) {
		m->st.true_faults++;
		f->err = wk.err;
		f->vector = wk.second.exits ? EXC_EXIT : EXC_PF;
		if (!(wk.err & PF_ERR_P))
			churn_absent(m, w, vpn);
		LOG(mmu, "%08llx: page fault, error %x", (unsigned long long)lin, wk.err);
		return FILL_FAULT;
	}
	f->pa = wk.pa;
	f->user_access = w->shared && wk.user;
	if (w->of && f->user_access && !long_takes_user(m, w)) /* reached through the user space */
		return FILL_MMIO;
	if (!ppn_ram(m->vm, wk.pa >> PAGE_SHIFT)) {
		m->st.mmio_faults++;
		return FILL_MMIO;
	}
	p = (ppn)(wk.pa >> PAGE_SHIFT);
	page_touched(m->vm, p);
	if (m->nwatch &&
	    (watch_bits(m, page_of(w, vpn), p) & (how & MM_WRITE ? WATCH_WRITE | WATCH_READ : WATCH_READ)))
		return FILL_MMIO;
	if ((how & MM_WRITE) && __builtin_expect(m->vm->pmap[p].table, 0))
		mm_untrace_table(m->vm, p);
	switch (how & MM_WRITE ? page_write_check(m->vm, p, WRITE_BY_GUEST) : read_check(m->vm, p)) {
	case PAGE_WRITE_NONE:
	case PAGE_WRITE_ROM:
		m->st.mmio_faults++;
		return FILL_MMIO;
	case PAGE_WRITE_CODE:
		m->st.code_faults++;
		return FILL_CODE;
	case PAGE_WRITE_SHARED:
	case PAGE_WRITE_ABSENT:
	case PAGE_WRITE_SWAPPED:
		if (page_bring_home(m->vm, p))
			break;
		page_refused(m->vm);
		return m->vm->swap.wanted != UINT32_MAX ? FILL_WAIT : FILL_ERROR;
	case PAGE_WRITE_OK:
		break;
	}
	if (soft && soften(m, w, (gva32)lin, &wk))
		return FILL_OK;
	if ((how & MM_WRITE) && upgrade(m, w, vpn, &wk))
		return FILL_OK;
	LOG(mmu, "%08llx: filled from %llx", (unsigned long long)lin, (unsigned long long)wk.pa);
	return fill_or_evict(m, w, (gva32)lin, &wk);
}

void fill_begin(struct mmu *m, gva lin, const struct mmu_fault *f)
{
	m->vm->swap.wanted = UINT32_MAX;
	m->vm->swap.no_wait = true;
	note_access(m->vm, WRITER_INSN, lin, f->pc);
}

enum mmu_fill mmu_fill(struct mmu *m, gva lin, unsigned how, struct mmu_fault *f)
{
	enum mmu_fill r;

	fill_begin(m, (gva32)lin, f);
	r = fill_page(m, m->cur, (gva32)lin, how, f);
	fill_end(m);
	return r;
}

enum mmu_fill fill_user(struct mmu *m, struct window *w, gva lin, unsigned how, struct mmu_fault *f)
{
	struct walk wk;

	mmu_walk(m, lin, how & ~(unsigned)MMU_SOFT,
		 &wk); /* with supervisor rights: sets A and D, gives the error code */
	if (m->vm->swap.wanted != UINT32_MAX)
		return FILL_WAIT;
	if (!wk.ok) {
		m->st.true_faults++;
		f->err = wk.err;
		f->vector = wk.second.exits ? EXC_EXIT : EXC_PF;
		return FILL_FAULT;
	}
	f->pa = wk.pa;
	if (!wk.user || ((how & MM_WRITE) && !wk.writable))
		return FILL_MMIO;
	return fill_page(m, w, lin, how, f);
}

enum mmu_fill mmu_fill_user(struct mmu *m, gva lin, unsigned how, struct mmu_fault *f)
{
	enum mmu_fill r;

	fill_begin(m, (gva32)lin, f);
	r = fill_user(m, m->uwin, (gva32)lin, how, f);
	fill_end(m);
	return r;
}

/* Are the accessed bits set in all entries that translate the page? PAE's PDPTEs have none. */
static bool was_accessed(const struct walk *wk)
{
	uint64_t all = PTE_A;

	for (unsigned i = wk->nlevels == 3; i < wk->nlevels; i++)
		all &= wk->level[i].entry;
	return all;
}

/* The window in which code that now runs accesses LIN. NULL: none, or it has no tables. */
static struct window *prefill_window(struct mmu *m, gva lin)
{
	struct window *w = m->cur;

	if (w->of)
		return long_prefill_window(m, lin);
	if (w->view == WIN_FLAT)
		return NULL;
	if (!w->shared || !(m->user_quarters >> ((gva32)lin >> 30) & 1))
		return w;
	return mmu_user_ready(m) ? m->uwin : NULL;
}

void mmu_prefill(struct mmu *m, gva lin, bool prechecks, bool soft)
{
	struct window *w = prefill_window(m, lin);
	vpn32 vpn = (gva32)lin >> PAGE_SHIFT;
	struct walk wk;

	if (!w)
		return;
	if ((w->shadow[vpn] & SH_P) || (prechecks && !soft && churns(m, w, vpn)))
		return;
	mmu_walk(m, lin, MM_PROBE, &wk);
	if (!wk.ok || wk.page_shift != 12 || (w->view == WIN_USER && !wk.user) || !was_accessed(&wk) ||
	    (w->of && w->view != WIN_USER && wk.user && !long_takes_user(m, w)) ||
	    (wk.second.on && !wk.second.readable) || !may_come_along(m, w, vpn, (ppn)(wk.pa >> PAGE_SHIFT)))
		return;
	LOG(mmu, "%08llx: filled before the retry, from %llx", (unsigned long long)lin,
	    (unsigned long long)wk.pa);
	if (soft && soften(m, w, (gva32)lin, &wk))
		m->st.prefills++;
	else if (fill_run(m, w, (gva32)lin, &wk))
		m->st.prefills++;
}

enum mmu_where mmu_where(const struct mmu *m, uint64_t hva, gva *lin)
{
	uint64_t base = m->cur ? (uint64_t)m->cur->base : 0;

	*lin = (uint32_t)hva;
	if (!base || hva < base - (1u << 30) || hva >= base + WIN_BYTES + WIN_BYTES)
		return MMU_ELSEWHERE;
	return hva - base < WIN_BYTES ? MMU_WINDOW : MMU_GUARD;
}

/* The shadow entry for HVA in the selected window or the user window; 0 elsewhere. */
static uint32_t shadow_at(const struct mmu *m, uint64_t hva)
{
	gva lin;

	if (m->cur && m->cur->of)
		return long_shadow_at(m, hva);
	if (mmu_in_user_window(m, hva, &lin))
		return m->uwin->shadow[(gva32)lin >> PAGE_SHIFT];
	if (mmu_where(m, hva, &lin) == MMU_WINDOW)
		return m->cur->shadow[(gva32)lin >> PAGE_SHIFT];
	return 0;
}

bool mmu_maps(const struct mmu *m, uint64_t hva)
{
	return shadow_at(m, hva) & SH_P;
}

bool mmu_bus_error(struct mmu *m, uint64_t hva)
{
	if (hva - (uint64_t)m->vm->home >= WIN_BYTES && (shadow_at(m, hva) & (SH_P | SH_LINE)) != SH_P)
		return false;
	vm_fail(m->vm, MM_FAIL_MEMORY);
	return true;
}

/* The window from which code at LIN is fetched. NULL: a region of a space that is not known. */
static struct window *code_window(const struct mmu *m, gva lin)
{
	return __builtin_expect(m->cur->of != NULL, 0) ? space_find(m->cur->of, lin) : m->cur;
}

ppn mmu_code_page_fast(struct mmu *m, gva lin)
{
	struct window *w = code_window(m, lin);
	uint32_t *s;

	if (!w)
		return UINT32_MAX;
	s = &w->shadow[(gva32)lin >> PAGE_SHIFT];
	if ((*s & (SH_IN | SH_NX)) != SH_IN)
		return UINT32_MAX;
	*s |= SH_CODE;
	return (ppn)(sh_get(w, (gva32)lin >> PAGE_SHIFT) >> 12);
}

/* Enter the page of LIN, which is in RAM, without a host mapping: translated code is made from its bytes,
 * and most pages of code are never read as data. */
static bool know(struct mmu *m, struct window *w, gva32 lin, const struct walk *wk)
{
	struct region *r = region_for(m, w, lin, wk);
	vpn32 vpn = lin >> PAGE_SHIFT;
	uint64_t s = shadow_bits(m, w, wk->user, wk->writable, wk->global, wk->nx, wk->dirty);

	if (!r || !rmap_room(m->vm, 1))
		return false;
	if (w->shadow[vpn] & SH_P) /* with other rights, or of another page: the guest changed the entry */
		drop_range(m, w, vpn, 1);
	s = (s & ~(uint64_t)(SH_P | SH_WOK)) | (wk->pa >> PAGE_SHIFT) << 12;
	if ((w->shadow[vpn] & SH_LINE) && sh_get(w, vpn) >> 12 != s >> 12)
		line_cut(m, w, vpn);
	s |= w->shadow[vpn] & SH_LINE;
	fill_book(m, w, r, vpn, s, r->large ? NULL : table_of_region(m, r));
	return true;
}

int mmu_code_page(struct mmu *m, gva lin, ppn *p)
{
	unsigned how = MM_EXEC | (m->cur->view == WIN_USER ? MM_USER : 0);
	struct window *w;
	struct walk wk;

	if (!m->cur->of)
		lin = (gva32)lin;
	*p = mmu_code_page_fast(m, lin);
	if (*p != UINT32_MAX)
		return 0;
	note_access(m->vm, WRITER_PROCESSOR, lin, lin);
	mmu_walk(m, lin, how, &wk);
	if (!wk.ok)
		return walk_raise(m, lin, &wk);
	*p = (ppn)(wk.pa >> PAGE_SHIFT);
	if (!ppn_ram(m->vm, wk.pa >> PAGE_SHIFT))
		return 1;
	page_touched(m->vm, *p);
	if (page_state(m->vm, *p) == PAGE_SWAPPED)
		page_bring_home(m->vm, *p); /* else it is read from the file each time */
	if (m->nwatch && (watch_bits(m, lin >> PAGE_SHIFT, *p) & WATCH_READ))
		return 0; /* checks of code against its source would hit the watchpoint */
	w = m->cur->of ? space_get(m, m->cur->of, lin) : m->cur;
	if (!w || !know(m, w, (gva32)lin, &wk)) {
		drop_windows_but(m, NULL);
		if (!w || !know(m, w, (gva32)lin, &wk))
			vm_fail(m->vm, MM_FAIL_MAPPING);
	}
	mmu_code_page_fast(m, lin);
	return 0;
}
