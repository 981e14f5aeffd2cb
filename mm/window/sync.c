/* SPDX-License-Identifier: GPL-3.0-or-later
 * Synchronizing windows with the guest's tables. Compares the tables with the copies kept in
 * the regions, and drops, write-protects or replaces the mappings of entries that changed.
 * Host calls are batched: neighbours with the same fate take one. */
#include "mm/window/fill.h"

/* May W hold something of the page of VPN? A large one is invalidated as a whole. */
static bool win_knows(const struct window *w, vpn32 vpn)
{
	const struct region *r;

	if (w->shadow[vpn] & SH_IN)
		return true;
	r = w->view == WIN_FLAT ? NULL : w->regions[vpn >> (w->pae ? 9 : 10)];
	return r && r->large && r->known;
}

void win_pend(struct window *w, vpn32 vpn)
{
	if (!win_knows(w, vpn) || (w->need_sync && !w->nested))
		return;
	if (w->npend < PEND_MAX)
		w->pend[w->npend++] = vpn;
	else {
		w->need_sync = true;
		w->outdated |= w->nested;
	}
}

/* What happens to a mapped page whose entry changes from OLD to NOW. */
enum fate { KEEP, NARROW, DROP };

static enum fate fate_of(uint32_t shadow, uint64_t old, uint64_t now)
{
	if ((old ^ now) & ~(uint64_t)(PTE_A | PTE_D | PTE_W | PTE_AVAIL))
		return DROP;
	if (!(now & PTE_A))
		return DROP;
	/* The page is the same. Added rights wait for the next fault; removed ones go now. */
	if (!(shadow & (SH_W | SH_WOK)) || ((now & PTE_D) && !((old ^ now) & PTE_W)))
		return KEEP;
	return NARROW;
}

/* Neighbours with the same fate. */
struct batch {
	struct mmu *m;
	struct window *w;
	enum fate fate;
	uint32_t first, n;
};

static void batch_flush(struct batch *b)
{
	if (!b->n)
		return;
	if (b->fate == DROP)
		host_unmap(b->m, b->w, b->first, b->n);
	else
		host_protect(b->m, b->w, b->first, b->n);
	b->n = 0;
}

static void batch_add(struct batch *b, vpn32 vpn, enum fate f)
{
	struct window *w = b->w;
	bool host_change = w->shadow[vpn] & (f == DROP ? SH_P : SH_W);

	if (f == DROP) {
		page_forget(b->m, w, vpn);
		if (host_change)
			churn_note(b->m, w, vpn);
	} else
		w->shadow[vpn] &= ~(uint32_t)(SH_W | SH_WOK | SH_SW);
	if (!host_change)
		return;
	if (b->n && b->fate == f && vpn == b->first + b->n) {
		b->n++;
		return;
	}
	batch_flush(b);
	b->fate = f;
	b->first = vpn;
	b->n = 1;
}

/* A loop over eight words took three times as long. */
static inline bool same_line(const uint8_t *a, const uint8_t *b)
{
	const uint64_t *x = (const uint64_t *)a, *y = (const uint64_t *)b;

	_Static_assert(LINE_BYTES == 64, "eight words");
	return !((x[0] ^ y[0]) | (x[1] ^ y[1]) | (x[2] ^ y[2]) | (x[3] ^ y[3]) | (x[4] ^ y[4]) |
		 (x[5] ^ y[5]) | (x[6] ^ y[6]) | (x[7] ^ y[7]));
}

/* Synchronize the pages whose entries are in line LINE of the table NOW. */
static void sync_line(struct batch *b, struct region *r, vpn32 vpn0, const uint8_t *now, unsigned line)
{
	struct window *w = b->w;
	unsigned n = line_entries(w);
	bool used = false;

	for (unsigned i = line * n; i < (line + 1) * n; i++) {
		uint64_t old = table_entry(w, r->snap, i), e = table_entry(w, now, i);
		enum fate f;

		if (!(w->shadow[vpn0 + i] & SH_IN))
			continue;
		f = old == e ? KEEP : fate_of(w->shadow[vpn0 + i], old, e);
		if (f != KEEP)
			batch_add(b, vpn0 + i, f);
		used |= f != DROP;
	}
	if (used)
		copy_line(r, now, line);
	else
		r->lines &= ~(1ull << line);
}

static void sync_table(struct mmu *m, struct window *w, struct region *r, vpn32 vpn0, const uint8_t *now)
{
	struct batch b = { .m = m, .w = w };
	bool differs = false;

	for (uint64_t left = r->lines; left; left &= left - 1) {
		unsigned line = (unsigned)__builtin_ctzll(left);

		if (same_line(r->snap + line * LINE_BYTES, now + line * LINE_BYTES))
			continue;
		differs = true;
		sync_line(&b, r, vpn0, now, line);
	}
	batch_flush(&b);
	m->st.sync_diffs += differs;
}

/* ---- the second dimension ---- */

static gpa guest_page(const struct window *w, const struct region *r, vpn32 vpn)
{
	unsigned i = vpn & (region_pages(w) - 1);

	if (w->view == WIN_FLAT)
		return (gpa)vpn << PAGE_SHIFT;
	return r->large ? r->first + ((gpa)i << PAGE_SHIFT) : table_entry(w, r->snap, i) & PTE_ADDR64;
}

static void sync_second(struct batch *b, const struct region *r, vpn32 vpn)
{
	struct window *w = b->w;

	switch (nested_fate(b->m, guest_page(w, r, vpn), sh_get(w, vpn))) {
	case NESTED_DROP:
		batch_add(b, vpn, DROP);
		break;
	case NESTED_NARROW:
		batch_add(b, vpn, NARROW);
		break;
	case NESTED_KEEP:
		break;
	}
}

static void sync_all_second(struct mmu *m, struct window *w, const struct region *r, vpn32 vpn0)
{
	struct batch b = { .m = m, .w = w };
	unsigned n = line_entries(w);

	for (unsigned i = 0; i < region_pages(w); i++)
		if (!r->large && !(i % n) && !(r->lines >> i / n & 1))
			i += n - 1;
		else if (w->shadow[vpn0 + i] & SH_IN)
			sync_second(&b, r, vpn0 + i);
	batch_flush(&b);
}

/* Begin to compare W: each table and page of the guest is looked up once. */
static void sync_begin(struct mmu *m, const struct window *w)
{
	if (w->nested)
		nested_begin(m, NESTED_ALL_ASKS);
}

/* ---- pages and regions ---- */

static const uint8_t *table_of(const struct mmu *m, const struct region *r)
{
	if (!ppn_ram(m->vm, r->pt_at >> PAGE_SHIFT))
		return NULL;
	return page_read(m->vm, (ppn)(r->pt_at >> PAGE_SHIFT));
}

/* The region's tables are others now: drop its pages, but for global ones if LOCAL. */
static void drop_region(struct mmu *m, struct window *w, vpn32 vpn0, bool local)
{
	struct batch b = { .m = m, .w = w };

	if (!local) {
		drop_range(m, w, vpn0, region_pages(w));
		return;
	}
	for (vpn32 v = vpn0; v < vpn0 + region_pages(w); v++)
		if ((w->shadow[v] & (SH_IN | SH_G)) == SH_IN)
			batch_add(&b, v, DROP);
	batch_flush(&b);
}

/* The directory of the regions that are compared in a row; PAE has one for each GiB. */
struct directory {
	unsigned top; /* which; DIR_NONE */
	const uint8_t *page;
	uint64_t above; /* four levels: what the entries above say. PAGE is NULL where they map a page, or
			   nothing */
};
#define DIR_NONE UINT32_MAX

static uint64_t walked_entry(struct mmu *m, const struct window *w, unsigned idx)
{
	uint64_t pde, at;

	return mmu_walk_directory(m, w->lin + ((gva)idx << region_shift(w)), &pde, &at) ? pde : 0;
}

/* The same with four levels: one look at the levels above for each GiB. */
static uint64_t long_entry(struct mmu *m, const struct window *w, struct directory *d, unsigned idx)
{
	unsigned top = idx >> 9;
	gpa at;

	if (d->top != top) {
		*d = (struct directory){ .top = top };
		if (!mmu_walk_upper(m, w->lin + ((gva)top << 30), win_blind(m, w), &d->above))
			d->above = 0;
		if (!d->above || d->above & PTE_PS)
			return d->above;
		at = w->nested ? nested_table(m, d->above & PTE_ADDR64)
			       : d->above & PTE_ADDR64 & (m->cpu->a20_mask | ~(gpa)UINT32_MAX);
		if (!ppn_ram(m->vm, at >> PAGE_SHIFT) ||
		    page_state(m->vm, (ppn)(at >> PAGE_SHIFT)) == PAGE_SWAPPED) {
			d->top = DIR_NONE;
			return walked_entry(m, w, idx);
		}
		d->page = page_read(m->vm, (ppn)(at >> PAGE_SHIFT));
	}
	return d->page ? walk_combine(d->above, table_entry(w, d->page, idx & 511)) : d->above;
}

/* The present directory entry of region IDX. */
static uint64_t directory_entry(struct mmu *m, const struct window *w, struct directory *d, unsigned idx)
{
	unsigned bits = w->pae ? 9 : 10, top = idx >> bits;
	gpa at;

	if (__builtin_expect(cpu_long(m->cpu), 0))
		return long_entry(m, w, d, idx);
	if (__builtin_expect(w->nested, 0))
		return walked_entry(m, w, idx);
	if (d->top != top) {
		d->top = DIR_NONE;
		if (w->pae && !(m->pdptr[top] & PTE_P))
			return 0;
		at = (w->pae ? m->pdptr[top] & PTE_ADDR64 : m->cpu->cr3 & PTE_ADDR32) &
		     (m->cpu->a20_mask | ~(gpa)UINT32_MAX);
		if (!ppn_ram(m->vm, at >> PAGE_SHIFT) ||
		    page_state(m->vm, (ppn)(at >> PAGE_SHIFT)) == PAGE_SWAPPED)
			return walked_entry(m, w, idx);
		d->top = top;
		d->page = page_read(m->vm, (ppn)(at >> PAGE_SHIFT));
	}
	return table_entry(w, d->page, idx & ((1u << bits) - 1));
}

/* LOCAL: global pages need no comparison. */
static void sync_region(struct mmu *m, struct window *w, struct directory *d, unsigned idx, bool local)
{
	struct region *r = w->regions[idx];
	vpn32 vpn0 = (uint32_t)idx << (region_shift(w) - PAGE_SHIFT);
	uint64_t pde;

	if (!r->known)
		return;
	if (w->view == WIN_FLAT) {
		if (w->outdated)
			sync_all_second(m, w, r, vpn0);
		return;
	}
	pde = directory_entry(m, w, d, idx);
	if (w->nested && !r->large && (w->outdated || r->pt_at == NO_TABLE))
		r->pt_at = nested_table(m, pde & PTE_ADDR64);
	if (!entry_keeps(r->pde, pde) || (!r->large && !table_of(m, r))) {
		drop_region(m, w, vpn0, local);
		return;
	}
	r->pde = pde;
	if (!r->large)
		sync_table(m, w, r, vpn0, table_of(m, r));
	if (w->outdated)
		sync_all_second(m, w, r, vpn0);
}

/* Refused accesses invalidate results even where no INVEPT came. */
static void sync_refused(struct mmu *m, struct window *w)
{
	struct batch b = { .m = m, .w = w };

	for (unsigned i = 0; i < w->npend; i++) {
		const struct region *r = w->regions[w->pend[i] >> (region_shift(w) - PAGE_SHIFT)];

		if (r && (w->shadow[w->pend[i]] & SH_IN))
			sync_second(&b, r, w->pend[i]);
	}
	batch_flush(&b);
}

/* Programs come and go at random addresses: what they leave is not looked at for ever. */
static void rest(struct mmu *m, struct window *w)
{
	for (unsigned i = w->nactive; i--;)
		if (!w->regions[w->active[i]]->known)
			region_idle(m, w, i);
}

void win_sync(struct mmu *m, struct window *w)
{
	struct directory d = { .top = DIR_NONE };

	m->st.syncs++;
	w->syncs++;
	w->need_sync = w->need_local = false;
	if (!w->of)
		root_synced(m, w);
	sync_begin(m, w);
	for (unsigned i = 0; i < w->nactive; i++)
		sync_region(m, w, &d, w->active[i], false);
	if (w->nested && !w->outdated)
		sync_refused(m, w);
	w->npend = 0;
	w->outdated = false;
	if (w->of)
		rest(m, w);
}

/* Compare the regions that have pages which are not global. */
static void sync_local(struct mmu *m, struct window *w)
{
	struct directory d = { .top = DIR_NONE };

	m->st.local_syncs++;
	w->need_local = false;
	sync_begin(m, w);
	for (uint32_t words = w->local_words; words; words &= words - 1) {
		unsigned i = (unsigned)__builtin_ctz(words);

		for (uint64_t left = w->local[i]; left; left &= left - 1) {
			unsigned idx = i * 64 + (unsigned)__builtin_ctzll(left);

			if (w->regions[idx]->local)
				sync_region(m, w, &d, idx, true);
			if (!w->regions[idx]->local)
				w->local[i] &= ~(1ull << idx % 64);
		}
		w->local_words &= w->local[i] ? UINT32_MAX : ~(1u << i);
	}
}

/* May E be mapped before it is accessed? In the shared window another root's tables seldom have a user
 * page that this one has. */
static bool may_remap(const struct mmu *m, const struct window *w, const struct region *r, uint64_t e)
{
	if ((e & (PTE_P | PTE_A)) != (PTE_P | PTE_A))
		return false;
	if (w->view == WIN_USER)
		return e & r->pde & PTE_U;
	if (w->of && (e & r->pde & PTE_U) && !long_takes_user(m, w))
		return false;
	return !w->shared || (e & PTE_G) || !(e & r->pde & PTE_U);
}

/* Synchronize one invalidated page. If its entry maps another page now, as after copy-on-write,
 * map that at once: this saves the next fault. */
static void sync_one(struct batch *b, vpn32 vpn)
{
	struct mmu *m = b->m;
	struct window *w = b->w;
	struct region *r = w->regions[vpn >> (region_shift(w) - PAGE_SHIFT)];
	unsigned i = vpn & (region_pages(w) - 1);
	struct directory d = { .top = DIR_NONE };
	uint64_t pde, old, e;
	enum fate f;

	if (!r || !win_knows(w, vpn))
		return;
	if (w->view == WIN_FLAT || r->large ||
	    !(pde = directory_entry(m, w, &d, vpn >> (region_shift(w) - PAGE_SHIFT))) ||
	    !entry_keeps(r->pde, pde) || !table_of(m, r)) {
		batch_flush(b);
		sync_region(m, w, &(struct directory){ .top = DIR_NONE },
			    vpn >> (region_shift(w) - PAGE_SHIFT), false);
		if (w->nested && (w->shadow[vpn] & SH_IN))
			sync_second(b, r, vpn);
		return;
	}
	old = table_entry(w, r->snap, i);
	e = table_entry(w, table_of(m, r), i);
	f = fate_of(w->shadow[vpn], old, e);
	if (f == DROP && (w->shadow[vpn] & (SH_P | SH_SR)) == SH_SR && may_remap(m, w, r, e)) {
		page_forget(m, w, vpn);
		put_entry(w, r, i, e);
		soft_entry(m, w, r, vpn, e);
		return;
	}
	if (f == DROP && (w->shadow[vpn] & SH_P) && may_remap(m, w, r, e) && !churns(m, w, vpn)) {
		churn_note(m, w, vpn);
		batch_flush(b);
		page_forget(m, w, vpn);
		put_entry(w, r, i, e);
		if (!fill_entry(m, w, r, vpn, e))
			host_unmap(m, w, vpn, 1);
		return;
	}
	put_entry(w, r, i, e);
	if (f != KEEP)
		batch_add(b, vpn, f);
	if (w->nested && (w->shadow[vpn] & SH_IN))
		sync_second(b, r, vpn);
}

void sync_page(struct mmu *m, struct window *w, vpn32 vpn)
{
	struct batch b = { .m = m, .w = w };

	sync_begin(m, w);
	sync_one(&b, vpn);
	batch_flush(&b);
}

static void sync_pending(struct mmu *m, struct window *w)
{
	struct batch b = { .m = m, .w = w };

	sync_begin(m, w);
	for (unsigned i = 0; i < w->npend; i++)
		sync_one(&b, w->pend[i]);
	w->npend = 0;
	batch_flush(&b);
}

void sync_some(struct mmu *m, struct window *w)
{
	if (w->need_local)
		sync_local(m, w);
	if (w->npend)
		sync_pending(m, w);
}

void narrow_page(struct mmu *m, struct window *w, vpn32 vpn)
{
	struct batch b = { .m = m, .w = w };

	if (!w->shadow[vpn])
		return;
	batch_add(&b, vpn, NARROW);
	batch_flush(&b);
}
