/* SPDX-License-Identifier: GPL-3.0-or-later
 * The translation cache: memory (one memfd, mapped read-write for us and
 * read-execute for running), the fragments in it, how they are found, linked and
 * dropped. TC memory and fragment records are handed out in order and come back
 * all at once, when the cache is flushed. Built with -mgeneral-regs-only: page
 * unmaps and code writes reach it while the guest's vector registers are live. */
#include "bt/bt_int.h"

#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

#define ARENA_BYTES (1ull << 30) /* address space; touched as used */

static void *reserve(size_t n, int prot)
{
	void *p = mmap(NULL, n, prot, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	return p == MAP_FAILED ? NULL : p;
}

bool cache_init(struct bt_vcpu *b, char *err, size_t n)
{
	uint64_t size = b->cfg.tc_size ? b->cfg.tc_size : 64 << 20;

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
	b->arena_pos = b->arena;
	b->arena_end = b->arena + ARENA_BYTES;
	/* Like a window, the guard stands at a multiple of 4 GiB: string instructions keep
	 * the guest's registers in the low halves of addresses into it. */
	b->trap_page = (uint64_t)reserve(PAGE_SIZE, PROT_NONE);
	b->touch_faults = TOUCH_FAULTS;
	b->guard_map = reserve(16ull << 30, PROT_NONE);
	b->guard = (uint8_t *)(((uint64_t)b->guard_map + (4ull << 30) - 1) & ~((4ull << 30) - 1));
	b->verdicts = reserve(VERDICTS * sizeof(*b->verdicts), PROT_READ | PROT_WRITE);
	if (!b->guard_map || !b->verdicts)
		goto fail;
	for (unsigned i = 0; i < MAX_CTX; i++)
		b->ctx[i].jt = reserve(JT_BYTES, PROT_READ | PROT_WRITE);
	return true;
fail:
	snprintf(err, n, "no memory for the translation cache");
	return false;
}

void cache_fini(struct bt_vcpu *b)
{
	munmap(b->rw, b->tc_size);
	munmap(b->rx, b->tc_size);
	close(b->tc_fd);
	munmap(b->hash, CCF_HASH * sizeof(*b->hash));
	munmap(b->pages, (1u << 20) * sizeof(*b->pages));
	munmap(b->order, b->cap_order * sizeof(*b->order));
	munmap(b->arena, ARENA_BYTES);
	munmap(b->stop_jt, JT_BYTES);
	munmap(b->guard_map, 16ull << 30);
	munmap(b->verdicts, VERDICTS * sizeof(*b->verdicts));
	for (unsigned i = 0; i < MAX_CTX; i++)
		munmap(b->ctx[i].jt, JT_BYTES);
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
	if (c->dirty)
		madvise(c->jt, JT_BYTES, MADV_DONTNEED);
	c->dirty = false;
	c->used = false;
	b->st.ctx_flushes++;
	if (b->cur == c)
		b->cur = NULL;
}

void cache_flush_all(struct bt_vcpu *b)
{
	b->st.flushes++;
	for (unsigned i = 0; i < MAX_CTX; i++)
		ctx_reset(b, &b->ctx[i]);
	for (uint32_t i = 0; i < b->norder; i++) {
		struct ccf *f = b->order[i];

		b->pages[f->page].list = NULL;
		if (f->page2 != UINT32_MAX)
			b->pages[f->page2].list = NULL;
		mm_untrace_code(b->vm, f->page);
		if (f->page2 != UINT32_MAX)
			mm_untrace_code(b->vm, f->page2);
	}
	madvise(b->hash, CCF_HASH * sizeof(*b->hash), MADV_DONTNEED);
	madvise(b->arena, (size_t)(b->arena_pos - b->arena), MADV_DONTNEED);
	b->arena_pos = b->arena;
	b->norder = 0;
	b->tc_pos = b->tc_glue_end;
	b->last_exit = NULL;
	b->stale = NULL;
	b->want_flush = false;
	b->miss_site = arena_alloc(b, sizeof(*b->miss_site));
	b->miss_site->fn = light_miss;
}

static unsigned hash_of(uint32_t pc, uint32_t mode)
{
	uint32_t h = pc ^ mode * 0x9e3779b1u;

	return (h ^ h >> 15) & (CCF_HASH - 1);
}

struct ccf *cache_find(struct bt_vcpu *b, uint32_t pc, uint32_t mode, uint32_t cs_base, ppn page)
{
	for (struct ccf *f = b->hash[hash_of(pc, mode)]; f; f = f->hnext) {
		if (f->pc != pc || f->mode != mode || f->page != page || f->cs_base != cs_base)
			continue;
		if ((mode & MODE_CSLIM) && f->cs_limit != b->v.cpu.seg[SEG_CS].limit)
			continue;
		if (f->page2 != UINT32_MAX && mmu_code_page_fast(b->v.mmu, (pc & ~PAGE_MASK) + PAGE_SIZE) != f->page2)
			continue;
		return f;
	}
	return NULL;
}

void cache_insert(struct bt_vcpu *b, struct ccf *f)
{
	unsigned h = hash_of(f->pc, f->mode);

	f->hnext = b->hash[h];
	b->hash[h] = f;
	f->pnext = b->pages[f->page].list;
	b->pages[f->page].list = f;
	if (f->page2 != UINT32_MAX) {
		f->pnext2 = b->pages[f->page2].list;
		b->pages[f->page2].list = f;
	}
	b->order[b->norder++] = f;
	if (!f->checked) {
		mm_trace_code(b->vm, f->page);
		if (f->page2 != UINT32_MAX)
			mm_trace_code(b->vm, f->page2);
	}
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
	*(volatile uint32_t __attribute__((aligned(1))) *)(b->rw + at) = to - (at + 4);
}

void chain_patch(struct bt_vcpu *b, struct exit_link *l, struct ccf *to)
{
	if (l->no_chain || l->to || to->dead || l->from->dead || (to->page2 != UINT32_MAX && !(b->mode & MODE_XCHAIN)))
		return;
	l->to = to;
	l->next_in = to->in;
	to->in = l;
	b->st.chains++;
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

static void unlink_out(struct bt_vcpu *b, struct ccf *f)
{
	for (unsigned i = 0; i < f->nlink; i++) {
		struct exit_link *l = &f->link[i];

		if (!l->to)
			continue;
		for (struct exit_link **p = &l->to->in; *p; p = &(*p)->next_in)
			if (*p == l) {
				*p = l->next_in;
				break;
			}
		unlink_one(b, l);
	}
}

/* A supervisor mapping with code behind it changed: links from page to page
 * rested on it. Rare (modules, text protection). */
void chain_unlink_cross(struct bt_vcpu *b)
{
	for (uint32_t i = 0; i < b->norder; i++) {
		struct ccf *f = b->order[i];

		for (unsigned k = 0; k < f->nlink; k++)
			if (f->link[k].cross && f->link[k].to) {
				struct exit_link *l = &f->link[k];

				for (struct exit_link **p = &l->to->in; *p; p = &(*p)->next_in)
					if (*p == l) {
						*p = l->next_in;
						break;
					}
				unlink_one(b, l);
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

void cache_drop(struct bt_vcpu *b, struct ccf *f)
{
	if (f->dead)
		return;
	f->dead = true;
	for (struct ccf **p = &b->hash[hash_of(f->pc, f->mode)]; *p; p = &(*p)->hnext)
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
		if (b->ctx[i].used && b->ctx[i].jt[JT_SLOT(f->eip)] == f->ind)
			b->ctx[i].jt[JT_SLOT(f->eip)] = 0;
}

void cache_drop_page(struct bt_vcpu *b, ppn p, bool by_write)
{
	struct page_info *pi = &b->pages[p];

	while (pi->list)
		cache_drop(b, pi->list);
	if (!by_write)
		return;
	b->st.smc_drops++;
	if (pi->smc < UINT16_MAX)
		pi->smc++;
	if (pi->smc >= PAGE_MIXED_AFTER && !pi->mixed && !b->adapt_off && b->nmixed < MAX_MIXED) {
		pi->mixed = true;
		pi->calm_since = __builtin_ia32_rdtsc();
		b->mixed[b->nmixed++] = p;
		adapt_log(b, EV_MIXED, p << PAGE_SHIFT, 0, 0);
	}
}

/* ---- verdicts ---- */

struct verdict *verdict_find(const struct bt_vcpu *b, uint32_t pc)
{
	for (unsigned i = 0, h = pc * 0x9e3779b1u >> 18; i < 16; i++) {
		struct verdict *v = &b->verdicts[(h + i) % VERDICTS];

		if (v->pc == pc)
			return v;
		if (!v->pc)
			break;
	}
	return NULL;
}

/* A slot without a verdict gives way when the neighbourhood is full. */
struct verdict *verdict_make(struct bt_vcpu *b, uint32_t pc)
{
	struct verdict *weak = NULL;

	for (unsigned i = 0, h = pc * 0x9e3779b1u >> 18; i < 16; i++) {
		struct verdict *v = &b->verdicts[(h + i) % VERDICTS];

		if (v->pc == pc)
			return v;
		if (!v->pc) {
			v->pc = pc;
			return v;
		}
		if (!v->foreign && !v->touch)
			weak = v;
	}
	if (weak)
		*weak = (struct verdict){ .pc = pc };
	return weak;
}

void cache_acquit_pages(struct bt_vcpu *b)
{
	uint64_t now = __builtin_ia32_rdtsc();

	for (unsigned i = 0; i < b->nmixed;) {
		struct page_info *pi = &b->pages[b->mixed[i]];

		if (now - pi->calm_since < MIXED_CALM) {
			i++;
			continue;
		}
		pi->mixed = false;
		pi->smc = PAGE_MIXED_AFTER / 2; /* the next time it takes less */
		adapt_log(b, EV_TRACED, b->mixed[i] << PAGE_SHIFT, 0, 0);
		cache_drop_page(b, b->mixed[i], false);
		b->mixed[i] = b->mixed[--b->nmixed];
	}
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
	if (supervisor)
		b->unlink_cross = true;
}

void cache_hooks(struct bt_vcpu *b)
{
	struct mm_hooks h = { .ctx = b, .code_write = on_code_write, .code_unmap = on_code_unmap };

	mm_set_hooks(b->vm, &h);
}
