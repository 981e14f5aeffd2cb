/* SPDX-License-Identifier: GPL-3.0-or-later
 * The translation cache: memory (one memfd, mapped read-write for us and
 * read-execute for running), the fragments in it, how they are found, linked and
 * dropped. TC memory and fragment records are handed out in order and come back
 * all at once, when the cache is flushed. Built with -mgeneral-regs-only: page
 * unmaps and code writes reach it while the guest's vector registers are live. */
#include "base/gpr.h"
#include "base/log.h"
#include "bt/bt_int.h"

#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

#define ARENA_BYTES (1ull << 30) /* address space; touched as used */
#define PIN_ARENA_BYTES (4u << 20)

static void *reserve(size_t n, int prot)
{
	void *p = mmap(NULL, n, prot, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	return p == MAP_FAILED ? NULL : p;
}

bool cache_init(struct bt_vcpu *b, char *err, size_t n)
{
	uint64_t size = b->cfg.tc_size ? b->cfg.tc_size : 64 << 20;

	b->tc_fd = -1;
	if (size < (1 << 20) || size > (1u << 30)) {
		snprintf(err, n, "translation cache size must be between 1M and 1G");
		return false;
	}
	b->tc_size = (uint32_t)size;
	b->tc_fd = memfd_create("vitrine-tc", MFD_CLOEXEC);
	if (b->tc_fd < 0 || ftruncate(b->tc_fd, (off_t)size))
		goto fail;
	b->rw = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, b->tc_fd, 0);
	b->rx = mmap(NULL, size, PROT_READ | PROT_EXEC, MAP_SHARED, b->tc_fd, 0);
	if (b->rw == MAP_FAILED || b->rx == MAP_FAILED)
		goto fail;
	b->tc_base = (uint64_t)b->rx;
	b->hash = reserve(CCF_HASH * sizeof(*b->hash), PROT_READ | PROT_WRITE);
	b->pages = reserve((1u << 20) * sizeof(*b->pages), PROT_READ | PROT_WRITE);
	b->cap_order = 4u << 20;
	b->order = reserve(b->cap_order * sizeof(*b->order), PROT_READ | PROT_WRITE);
	b->arena = reserve(ARENA_BYTES, PROT_READ | PROT_WRITE);
	b->stop_jt = reserve(JT_BYTES, PROT_NONE);
	if (!b->hash || !b->pages || !b->order || !b->arena || !b->stop_jt)
		goto fail;
	/* Like a window, the guard stands at a multiple of 4 GiB: string instructions keep
	 * the guest's registers in the low halves of addresses into it. */
	b->trap_page = (uint64_t)reserve(PAGE_SIZE, PROT_NONE);
	b->no_shadow = reserve(MMU_SHADOW_BYTES, PROT_READ);
	b->guard_map = reserve(16ull << 30, PROT_NONE);
	b->guard = (uint8_t *)(((uint64_t)b->guard_map + (4ull << 30) - 1) & ~((4ull << 30) - 1));
	b->verdicts = reserve(VERDICTS * sizeof(*b->verdicts), PROT_READ | PROT_WRITE);
	b->history = reserve(MAX_HISTORY * sizeof(*b->history), PROT_READ | PROT_WRITE);
	if (!b->guard_map || !b->no_shadow || !b->verdicts || !b->history)
		goto fail;
	for (unsigned i = 0; i < MAX_CTX; i++)
		b->ctx[i] =
		    (struct ctx){ .jt = reserve(JT_BYTES, PROT_READ | PROT_WRITE), .went_to = &b->ctx[i] };
	return true;
fail:
	snprintf(err, n, "no memory for the translation cache");
	return false;
}

static void give_back(void *p, size_t n)
{
	if (p && p != MAP_FAILED)
		munmap(p, n);
}

/* Also of one that cache_init() could not finish. */
void cache_fini(struct bt_vcpu *b)
{
	give_back(b->rw, b->tc_size);
	give_back(b->rx, b->tc_size);
	if (b->tc_fd >= 0)
		close(b->tc_fd);
	give_back(b->hash, CCF_HASH * sizeof(*b->hash));
	give_back(b->pages, (1u << 20) * sizeof(*b->pages));
	give_back(b->order, b->cap_order * sizeof(*b->order));
	give_back(b->arena, ARENA_BYTES);
	give_back(b->stop_jt, JT_BYTES);
	give_back((void *)b->trap_page, PAGE_SIZE);
	give_back(b->guard_map, 16ull << 30);
	give_back(b->no_shadow, MMU_SHADOW_BYTES);
	give_back(b->verdicts, VERDICTS * sizeof(*b->verdicts));
	give_back(b->history, MAX_HISTORY * sizeof(*b->history));
	for (unsigned i = 0; i < MAX_CTX; i++)
		give_back(b->ctx[i].jt, JT_BYTES);
}

/* Zeroed, because the arena is dropped with MADV_DONTNEED. */
void *arena_alloc(struct bt_vcpu *b, size_t n)
{
	uint8_t *p = b->arena_pos;

	b->arena_pos += (n + 15) & ~(size_t)15;
	return p;
}

void ctx_reset(struct bt_vcpu *b, struct ctx *c)
{
	(void)b;
	if (c->ntouched > JT_KEEP)
		madvise(c->jt, JT_BYTES, MADV_DONTNEED);
	/* Clearing a page costs less than the two page faults of its first look and its first entry. */
	for (unsigned i = 0; i < ARRAY_LEN(c->touched); i++)
		for (uint64_t bits = c->touched[i]; bits && c->ntouched <= JT_KEEP; bits &= bits - 1)
			gpr_zero((uint8_t *)c->jt +
				     (((size_t)i * 64 + (unsigned)__builtin_ctzll(bits)) << PAGE_SHIFT),
				 PAGE_SIZE);
	gpr_zero(c->touched, sizeof(c->touched));
	c->ntouched = 0;
	c->used = false;
	b->st.ctx_flushes++;
	syscall_cache_forget(b);
	if (b->cur == c)
		b->cur = NULL;
}

/* With the page: processes have other code at the same address. */
static unsigned hash_of(uint32_t pc, uint32_t mode, ppn page)
{
	return ((pc ^ mode << 3 ^ page << 13) * 0x9e3779b1u) >> (32 - CCF_HASH_BITS);
}

struct ccf *cache_find(struct bt_vcpu *b, uint32_t pc, uint32_t mode, uint32_t cs_base, ppn page)
{
	for (struct ccf *f = b->hash[hash_of(pc, mode, page)]; f; f = f->hnext) {
		if (f->pc != pc || f->mode != mode || f->page != page || f->cs_base != cs_base)
			continue;
		if ((mode & MODE_CSLIM) && f->cs_limit != b->v.cpu.seg[SEG_CS].limit)
			continue;
		if (f->page2 != UINT32_MAX &&
		    mmu_code_page_fast(b->v.mmu, (pc & ~PAGE_MASK) + PAGE_SIZE) != f->page2)
			continue;
		return f;
	}
	return NULL;
}

/* Make F findable, and have its source watched. */
static void hook(struct bt_vcpu *b, struct ccf *f)
{
	unsigned h = hash_of(f->pc, f->mode, f->page);

	f->hnext = b->hash[h];
	b->hash[h] = f;
	f->pnext = b->pages[f->page].list;
	b->pages[f->page].list = f;
	if (f->page2 != UINT32_MAX) {
		f->pnext2 = b->pages[f->page2].list;
		b->pages[f->page2].list = f;
	}
	if (f->checked)
		return;
	mm_trace_code(b->vm, f->page);
	if (f->page2 != UINT32_MAX)
		mm_trace_code(b->vm, f->page2);
}

void cache_insert(struct bt_vcpu *b, struct ccf *f)
{
	uint32_t at = f->pinned ? b->npinned++ : b->norder;

	for (uint32_t i = b->norder++; i > at; i--)
		b->order[i] = b->order[i - 1];
	b->order[at] = f;
	hook(b, f);
}

/* Fragments are handed out in order of address. The transient one stands apart. */
struct ccf *cache_by_host(struct bt_vcpu *b, uint64_t rip)
{
	uint32_t off = (uint32_t)(rip - b->tc_base), lo = 0, hi = b->norder;

	if (rip < b->tc_base || rip >= b->tc_base + b->tc_size)
		return NULL;
	if (b->transient && off >= b->transient->ind && off < b->transient->host + b->transient->hsize)
		return b->transient;
	while (lo < hi) {
		uint32_t mid = (lo + hi) / 2;
		struct ccf *f = b->order[mid];

		if (off < f->ind)
			hi = mid;
		else if (off >= f->host + f->hsize)
			lo = mid + 1;
		else
			return f;
	}
	return NULL;
}

/* ---- links ---- */

static void set_rel32(struct bt_vcpu *b, uint32_t at, uint32_t to)
{
	*(volatile any32 *)(b->rw + at) = to - (at + 4);
}

void chain_patch(struct bt_vcpu *b, struct exit_link *l, struct ccf *to)
{
	if (l->no_chain || l->to || to->dead || l->from->dead ||
	    (to->page2 != UINT32_MAX && !(b->mode & MODE_XCHAIN)))
		return;
	l->to = to;
	l->next_in = to->in;
	to->in = l;
	b->st.chains++;
	LOG(bt, "%08x: chained to %08x", l->from->pc, to->pc);
	set_rel32(b, l->patch, to->host);
}

static void unlink_one(struct bt_vcpu *b, struct exit_link *l)
{
	set_rel32(b, l->patch, l->stub);
	l->to = NULL;
}

void chain_unlink_in(struct bt_vcpu *b, struct ccf *f)
{
	for (struct exit_link *l = f->in, *next; l; l = next) {
		next = l->next_in;
		unlink_one(b, l);
	}
	f->in = NULL;
}

/* L, which leads somewhere, goes to its stub again. */
static void unlink_link(struct bt_vcpu *b, struct exit_link *l)
{
	struct exit_link **p = &l->to->in;

	while (*p && *p != l)
		p = &(*p)->next_in;
	if (*p)
		*p = l->next_in;
	unlink_one(b, l);
}

static void unlink_out(struct bt_vcpu *b, struct ccf *f)
{
	for (unsigned i = 0; i < f->nlink; i++)
		if (f->link[i].to)
			unlink_link(b, &f->link[i]);
}

/* A supervisor mapping with code behind it changed: links from page to page rested on
 * it, and those to an instruction that straddles two. Rare (modules, text protection). */
void chain_unlink_cross(struct bt_vcpu *b)
{
	for (uint32_t i = 0; i < b->norder; i++) {
		struct ccf *f = b->order[i];

		for (unsigned k = 0; k < f->nlink; k++) {
			struct exit_link *l = &f->link[k];

			if (l->to && (l->cross || l->to->page2 != UINT32_MAX))
				unlink_link(b, l);
		}
	}
}

/* ---- dropping ---- */

static void list_remove(struct bt_vcpu *b, ppn page, struct ccf *f)
{
	struct ccf **p = &b->pages[page].list;

	while (*p && *p != f)
		p = (*p)->page == page ? &(*p)->pnext : &(*p)->pnext2;
	if (*p)
		*p = f->page == page ? f->pnext : f->pnext2;
}

void cache_drop(struct bt_vcpu *b, struct ccf *f, enum drop_why why, uint32_t by)
{
	if (f->dead)
		return;
	LOG(bt, "%08x: dropped, %s", f->pc, drop_names[why]);
	history_dropped(b, f, why, by);
	account_dropped(b, f, why);
	f->dead = true;
	for (struct ccf **p = &b->hash[hash_of(f->pc, f->mode, f->page)]; *p; p = &(*p)->hnext)
		if (*p == f) {
			*p = f->hnext;
			break;
		}
	chain_unlink_in(b, f);
	unlink_out(b, f);
	list_remove(b, f->page, f);
	if (f->page2 != UINT32_MAX)
		list_remove(b, f->page2, f);
	for (unsigned i = 0; i < MAX_CTX; i++)
		if (b->ctx[i].used && (b->ctx[i].touched[JT_PAGE(f->eip) / 64] >> JT_PAGE(f->eip) % 64 & 1) &&
		    b->ctx[i].jt[JT_SLOT(f->eip)] == f->ind)
			b->ctx[i].jt[JT_SLOT(f->eip)] = 0;
}

unsigned cache_drop_at(struct bt_vcpu *b, uint32_t pc, uint32_t len, enum drop_why why)
{
	unsigned n = 0;

	for (uint32_t i = 0; i < b->norder; i++) {
		struct ccf *f = b->order[i];

		if (f->dead || (pc - f->pc >= f->glen && f->pc - pc >= len))
			continue;
		cache_drop(b, f, why, pc);
		n++;
	}
	return n;
}

void cache_drop_page(struct bt_vcpu *b, ppn p, bool by_write)
{
	const struct cause_state *k = &b->causes[CAUSE_CODE];
	struct page_info *pi = &b->pages[p];

	for (struct ccf *f = pi->list, *next; f; f = next) {
		next = f->page == p ? f->pnext : f->pnext2;
		if (by_write || !f->pinned)
			cache_drop(b, f, by_write ? DROP_WRITE : DROP_TRACED, 0);
	}
	if (!by_write)
		return;
	b->st.smc_drops++;
	if (pi->smc < UINT16_MAX)
		pi->smc++;
	if (pi->smc < k->threshold || pi->mixed || !adapt_on(k) || b->nmixed == MAX_MIXED)
		return;
	pi->mixed = true;
	pi->calm_since = __builtin_ia32_rdtsc();
	b->mixed[b->nmixed++] = p;
	if (b->charge.f && b->charge.cause == CAUSE_CODE)
		b->charge.entry = &b->events[b->nevents % MAX_EVENTS];
	adapt_log(b, ADAPT_PROMOTED, CAUSE_CODE, p << PAGE_SHIFT,
		  cost_mean(&k->trap) + cost_mean(&b->translate), b->cost.check);
}

void cache_demote_pages(struct bt_vcpu *b)
{
	const struct cause_state *k = &b->causes[CAUSE_CODE];
	uint64_t now = __builtin_ia32_rdtsc();

	for (unsigned i = 0; i < b->nmixed;) {
		struct page_info *pi = &b->pages[b->mixed[i]];

		if (adapt_on(k) && (!k->calm || now - pi->calm_since < k->calm)) {
			i++;
			continue;
		}
		pi->mixed = false;
		pi->smc = k->threshold / 2; /* the next time it takes less */
		adapt_log(b, ADAPT_DEMOTED, CAUSE_CODE, b->mixed[i] << PAGE_SHIFT, b->cost.check, 0);
		cache_drop_page(b, b->mixed[i], false);
		b->mixed[i] = b->mixed[--b->nmixed];
	}
}

/* ---- emptying ---- */

/* A share of the cache for pinned fragments, behind the glue and in front of the others, so that a
 * flush can leave it alone. */
static void zones_reset(struct bt_vcpu *b, bool keep_pinned)
{
	uint32_t share = (b->tc_size - b->tc_stub_end) / 8;

	if (!keep_pinned)
		b->pin_zone = (struct zone){ b->tc_stub_end, b->tc_stub_end + share, b->arena,
					     b->arena + PIN_ARENA_BYTES };
	b->tc_pos = b->pin_zone.tc_end;
	b->tc_end = b->tc_size;
	b->arena_pos = b->arena + PIN_ARENA_BYTES;
	b->arena_end = b->arena + ARENA_BYTES;
}

void cache_zones(struct bt_vcpu *b)
{
	struct zone z = { b->tc_pos, b->tc_end, b->arena_pos, b->arena_end };

	b->tc_pos = b->pin_zone.tc_pos;
	b->tc_end = b->pin_zone.tc_end;
	b->arena_pos = b->pin_zone.arena_pos;
	b->arena_end = b->pin_zone.arena_end;
	b->pin_zone = z;
}

/* F is among those that go. Only those that cost something are on record. */
static void flushed(struct bt_vcpu *b, const struct ccf *f, enum drop_why why)
{
	if (f->dead)
		return;
	if (f->cycles)
		history_dropped(b, f, why, 0);
	account_dropped(b, f, why);
}

/* F need not be unhooked: all that could lead to it goes too. */
static void forget(struct bt_vcpu *b, struct ccf *f)
{
	b->pages[f->page].list = NULL;
	mm_untrace_code(b->vm, f->page);
	if (f->page2 == UINT32_MAX)
		return;
	b->pages[f->page2].list = NULL;
	mm_untrace_code(b->vm, f->page2);
}

void cache_flush_all(struct bt_vcpu *b, bool full)
{
	uint32_t keep = full ? b->npinned : 0;
	uint8_t *from = full ? b->arena + PIN_ARENA_BYTES : b->arena;

	LOG(bt, "all fragments dropped%s", full ? ": the cache is full" : "");
	b->st.flushes++;
	b->a.flushes_full += full;
	history_flushed(b, full ? DROP_FULL : DROP_CHOICE);
	for (unsigned i = 0; i < MAX_CTX; i++)
		ctx_reset(b, &b->ctx[i]);
	for (uint32_t i = 0; i < b->norder; i++) {
		if (i >= keep)
			flushed(b, b->order[i], full ? DROP_FULL : DROP_CHOICE);
		forget(b, b->order[i]);
	}
	for (uint32_t i = 0; i < keep; i++) {
		unlink_out(b, b->order[i]);
		b->order[i]->in = NULL;
	}
	madvise(b->hash, CCF_HASH * sizeof(*b->hash), MADV_DONTNEED);
	if (b->arena_pos > from)
		madvise(from, (size_t)(b->arena_pos - from), MADV_DONTNEED);
	zones_reset(b, full);
	b->norder = b->npinned = keep;
	b->ncounted = 0;
	b->npin_counted = full ? b->npin_counted : 0;
	for (uint32_t i = 0; i < keep; i++)
		if (!b->order[i]->dead)
			hook(b, b->order[i]);
	b->last_exit = NULL;
	b->stale = NULL;
	b->want_flush = b->full = false;
	b->miss_site = arena_alloc(b, sizeof(*b->miss_site));
	b->miss_site->fn = dispatch_miss;
}

/* ---- what memory management tells us ---- */

static void on_code_write(void *ctx, ppn p, unsigned off, unsigned len)
{
	struct bt_vcpu *b = ctx;

	(void)off;
	(void)len;
	cache_drop_page(b, p, true);
	mm_untrace_code(b->vm, p);
}

static void on_code_unmap(void *ctx, unsigned win, uint32_t vpn, bool supervisor)
{
	struct bt_vcpu *b = ctx;

	(void)vpn;
	b->ctx_dirty |= 1ull << win;
	syscall_cache_forget(b);
	if (supervisor)
		b->unlink_cross = true;
}

/* Callouts leave translated code behind the instruction that did it; what is no such callout
 * gets to the next poll. */
static void on_watch_hit(void *ctx)
{
	struct bt_vcpu *b = ctx;

	b->watched = true;
	b->kick = 1;
	b->jt_live = (uint64_t)b->stop_jt;
	syscall_cache_forget(b);
}

static void on_reselect(void *ctx)
{
	struct bt_vcpu *b = ctx;

	b->quarters_hold = false;
	syscall_cache_forget(b);
}

void cache_hooks(struct bt_vcpu *b)
{
	struct mm_hooks h = { .ctx = b,
			      .code_write = on_code_write,
			      .code_unmap = on_code_unmap,
			      .reselect = on_reselect,
			      .watch_hit = on_watch_hit };

	mm_set_hooks(b->vm, &h);
}
