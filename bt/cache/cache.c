/* SPDX-License-Identifier: GPL-3.0-or-later
 * The translation cache: memory (one memfd, mapped read-write for us and
 * read-execute for running), the fragments in it, how they are found, linked and
 * dropped. TC memory and fragment records are allocated in order and freed
 * all at once, when the cache is flushed. Built with -mgeneral-regs-only: page
 * unmaps and code writes reach it while the guest's vector registers are live. */
#include "bt/cache/cache.h"
#include "bt/cache/chain.h"
#include "bt/cache/history.h"

#include "base/gpr.h"
#include "base/log.h"
#include "mm/mmu.h"

#include <stdio.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

#define ARENA_BYTES (1ull << 30) /* address space; touched as used */
#define PIN_ARENA_BYTES (4u << 20)

static void *reserve(size_t n, int prot)
{
	void *p = mmap(NULL, n, prot, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	return p == MAP_FAILED ? NULL : p;
}

/* Entries are few and far between: not with huge pages. */
static uint32_t *jt_reserve(struct bt_vcpu *b)
{
	void *p = b->jt.tables < b->jt.max_tables ? reserve(JT_BYTES, PROT_READ | PROT_WRITE) : NULL;

	b->jt.tables += p != NULL;
	if (p)
		madvise(p, JT_BYTES, MADV_NOHUGEPAGE);
	return p;
}

/* Where address space is limited, most of it is for windows. */
static unsigned jt_limit(void)
{
	struct rlimit r;

	if (getrlimit(RLIMIT_AS, &r) || r.rlim_cur / 8 / JT_BYTES >= MAX_CTX)
		return MAX_CTX;
	return r.rlim_cur / 8 < JT_BYTES ? 1 : (unsigned)(r.rlim_cur / 8 / JT_BYTES);
}

bool cache_init(struct bt_vcpu *b, char *err, size_t n)
{
	uint64_t size = b->cfg.tc_size ? b->cfg.tc_size : 64 << 20;

	b->tc.fd = -1;
	if (size < (1 << 20) || size > (1u << 30)) {
		snprintf(err, n, "translation cache size must be between 1M and 1G");
		return false;
	}
	b->tc.size = (uint32_t)size;
	b->tc.fd = memfd_create("vitrine-tc", MFD_CLOEXEC);
	if (b->tc.fd < 0 || ftruncate(b->tc.fd, (off_t)size))
		goto fail;
	b->tc.rw = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, b->tc.fd, 0);
	b->tc.rx = mmap(NULL, size, PROT_READ | PROT_EXEC, MAP_SHARED, b->tc.fd, 0);
	if (b->tc.rw == MAP_FAILED || b->tc.rx == MAP_FAILED)
		goto fail;
	b->tc_base = (uint64_t)b->tc.rx;
	b->tc.hash = reserve(CCF_HASH * sizeof(*b->tc.hash), PROT_READ | PROT_WRITE);
	b->tc.pages = reserve((1u << 20) * sizeof(*b->tc.pages), PROT_READ | PROT_WRITE);
	b->tc.cap_order = 4u << 20;
	b->tc.order = reserve(b->tc.cap_order * sizeof(*b->tc.order), PROT_READ | PROT_WRITE);
	b->tc.arena = reserve(ARENA_BYTES, PROT_READ | PROT_WRITE);
	b->jt.poison = reserve(JT_BYTES, PROT_NONE);
	b->jt.max_tables = jt_limit();
	b->jt.ctx[0].jt = jt_reserve(b);
	if (!b->tc.hash || !b->tc.pages || !b->tc.order || !b->tc.arena || !b->jt.poison || !b->jt.ctx[0].jt)
		goto fail;
	/* Like a window, the guard is aligned to 4 GiB: string instructions keep
	 * the guest's registers in the low halves of addresses into it. */
	b->guard.trap_page = (uint64_t)reserve(PAGE_SIZE, PROT_NONE);
	b->guard.no_shadow = reserve(MMU_SHADOW_BYTES, PROT_READ);
	b->guard.map = reserve(16ull << 30, PROT_NONE);
	b->guard.base = (uint8_t *)(((uint64_t)b->guard.map + (4ull << 30) - 1) & ~((4ull << 30) - 1));
	b->adapt.verdicts = reserve(VERDICTS * sizeof(*b->adapt.verdicts), PROT_READ | PROT_WRITE);
	b->history.ring = reserve(MAX_HISTORY * sizeof(*b->history.ring), PROT_READ | PROT_WRITE);
	if (!b->guard.trap_page || !b->guard.map || !b->guard.no_shadow || !b->adapt.verdicts ||
	    !b->history.ring)
		goto fail;
	for (unsigned i = 0; i < MAX_CTX; i++)
		b->jt.ctx[i].next_used = &b->jt.ctx[i];
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

/* Works after a cache_init() that failed, too. */
void cache_fini(struct bt_vcpu *b)
{
	give_back(b->tc.rw, b->tc.size);
	give_back(b->tc.rx, b->tc.size);
	if (b->tc.fd >= 0)
		close(b->tc.fd);
	give_back(b->tc.hash, CCF_HASH * sizeof(*b->tc.hash));
	give_back(b->tc.pages, (1u << 20) * sizeof(*b->tc.pages));
	give_back(b->tc.order, b->tc.cap_order * sizeof(*b->tc.order));
	give_back(b->tc.arena, ARENA_BYTES);
	give_back(b->jt.poison, JT_BYTES);
	give_back((void *)b->guard.trap_page, PAGE_SIZE);
	give_back(b->guard.map, 16ull << 30);
	give_back(b->guard.no_shadow, MMU_SHADOW_BYTES);
	give_back(b->adapt.verdicts, VERDICTS * sizeof(*b->adapt.verdicts));
	give_back(b->history.ring, MAX_HISTORY * sizeof(*b->history.ring));
	for (unsigned i = 0; i < MAX_CTX; i++)
		give_back(b->jt.ctx[i].jt, JT_BYTES);
}

/* Zeroed, because the arena is dropped with MADV_DONTNEED. */
void *arena_alloc(struct bt_vcpu *b, size_t n)
{
	uint8_t *p = b->tc.zone.arena_pos;

	b->tc.zone.arena_pos += (n + 15) & ~(size_t)15;
	return p;
}

void ctx_table(struct bt_vcpu *b, struct ctx *c)
{
	struct ctx *old = NULL;

	if (!c->jt)
		c->jt = jt_reserve(b);
	if (c->jt)
		return;
	/* One context at least has a table. */
	for (unsigned i = 0; i < MAX_CTX; i++)
		if (b->jt.ctx[i].jt && (!old || b->jt.ctx[i].lru < old->lru))
			old = &b->jt.ctx[i];
	ctx_reset(b, old);
	c->jt = old->jt;
	old->jt = NULL;
}

/* The slot of JT_PAGE(EIP) in touched[], or the free one for it. NULL: it has none, and there is no room. */
static uint32_t *touched_slot(struct ctx *c, uint64_t eip)
{
	uint32_t page = JT_PAGE(eip), h = page * 0x9e3779b1u >> 16;

	for (unsigned i = 0; i < JT_PROBES; i++) {
		uint32_t *t = &c->touched[(h + i) % JT_TOUCHED];

		if (!*t || *t == page + 1)
			return t;
	}
	return NULL;
}

void ctx_put(struct ctx *c, uint64_t eip, uint32_t host)
{
	uint32_t *t = touched_slot(c, eip);

	c->any = true;
	if (t)
		*t = JT_PAGE(eip) + 1;
	else
		c->many = true;
	c->jt[eip] = host;
}

/* Forget that EIP leads to HOST. Pages without entries are not read, which would map them. */
static void ctx_drop(struct ctx *c, uint64_t eip, uint32_t host)
{
	uint32_t *t = c->any ? touched_slot(c, eip) : NULL;

	if (c->any && (t ? *t != 0 : c->many) && c->jt[eip] == host)
		c->jt[eip] = 0;
}

void ctx_reset(struct bt_vcpu *b, struct ctx *c)
{
	(void)b;
	if (c->many)
		madvise(c->jt, JT_BYTES, MADV_DONTNEED);
	/* Clearing a page costs less than two page faults, one at its first load and one at its first entry.
	 */
	for (unsigned i = 0; i < JT_TOUCHED && c->any && !c->many; i++)
		if (c->touched[i])
			gpr_zero((uint8_t *)c->jt + ((uint64_t)(c->touched[i] - 1) << PAGE_SHIFT), PAGE_SIZE);
	if (c->any)
		gpr_zero(c->touched, sizeof(c->touched));
	c->many = c->any = c->used = false;
	b->st.ctx_flushes++;
	syscall_cache_forget(b);
	if (b->jt.cur == c)
		b->jt.cur = NULL;
}

/* The page is part of the key: processes have different code at the same address. */
static unsigned hash_of(gva pc, uint32_t mode, ppn page)
{
	return (((uint32_t)(pc ^ pc >> 32) ^ mode << 3 ^ page << 13) * 0x9e3779b1u) >> (32 - CCF_HASH_BITS);
}

struct ccf *cache_find(struct bt_vcpu *b, gva pc, uint32_t mode, uint32_t cs_base, ppn page)
{
	for (struct ccf *f = b->tc.hash[hash_of(pc, mode, page)]; f; f = f->hnext) {
		if (f->pc != pc || f->mode != mode || f->page != page || f->cs_base != cs_base)
			continue;
		if ((mode & MODE_CSLIM) && f->cs_limit != b->v.cpu.seg[SEG_CS].limit)
			continue;
		if (f->page2 != UINT32_MAX &&
		    mmu_code_page_fast(b->v.mmu, (pc & ~(gva)PAGE_MASK) + PAGE_SIZE) != f->page2)
			continue;
		return f;
	}
	return NULL;
}

/* Make F findable, and trace its source pages. */
static void hook(struct bt_vcpu *b, struct ccf *f)
{
	unsigned h = hash_of(f->pc, f->mode, f->page);

	f->hnext = b->tc.hash[h];
	b->tc.hash[h] = f;
	f->pnext = b->tc.pages[f->page].list;
	b->tc.pages[f->page].list = f;
	if (f->page2 != UINT32_MAX) {
		f->pnext2 = b->tc.pages[f->page2].list;
		b->tc.pages[f->page2].list = f;
	}
	if (f->checked)
		return;
	mm_trace_code(b->vm, f->page);
	if (f->page2 != UINT32_MAX)
		mm_trace_code(b->vm, f->page2);
}

void cache_insert(struct bt_vcpu *b, struct ccf *f)
{
	uint32_t at = f->pinned ? b->tc.npinned++ : b->tc.norder;

	for (uint32_t i = b->tc.norder++; i > at; i--)
		b->tc.order[i] = b->tc.order[i - 1];
	b->tc.order[at] = f;
	hook(b, f);
}

/* order[] is sorted by address. The transient fragment is not in it. */
struct ccf *cache_by_host(struct bt_vcpu *b, uint64_t rip)
{
	uint32_t off = (uint32_t)(rip - b->tc_base), lo = 0, hi = b->tc.norder;

	if (rip < b->tc_base || rip >= b->tc_base + b->tc.size)
		return NULL;
	if (b->transient.ccf && off >= b->transient.ccf->host &&
	    off < b->transient.ccf->host + b->transient.ccf->hsize)
		return b->transient.ccf;
	while (lo < hi) {
		uint32_t mid = (lo + hi) / 2;
		struct ccf *f = b->tc.order[mid];

		if (off < f->host)
			hi = mid;
		else if (off >= f->host + f->hsize)
			lo = mid + 1;
		else
			return f;
	}
	return NULL;
}

/* ---- dropping ---- */

static void list_remove(struct bt_vcpu *b, ppn page, struct ccf *f)
{
	struct ccf **p = &b->tc.pages[page].list;

	while (*p && *p != f)
		p = (*p)->page == page ? &(*p)->pnext : &(*p)->pnext2;
	if (*p)
		*p = f->page == page ? f->pnext : f->pnext2;
}

void cache_drop(struct bt_vcpu *b, struct ccf *f, enum drop_why why, uint32_t by)
{
	if (f->dead)
		return;
	LOG(bt, "%08llx: dropped, %s", (unsigned long long)f->pc, drop_names[why]);
	history_dropped(b, f, why, by);
	history_count_drop(b, f, why);
	f->dead = true;
	for (struct ccf **p = &b->tc.hash[hash_of(f->pc, f->mode, f->page)]; *p; p = &(*p)->hnext)
		if (*p == f) {
			*p = f->hnext;
			break;
		}
	chain_unlink_in(b, f);
	chain_unlink_out(b, f);
	list_remove(b, f->page, f);
	if (f->page2 != UINT32_MAX)
		list_remove(b, f->page2, f);
	for (unsigned i = 0; i < MAX_CTX; i++)
		ctx_drop(&b->jt.ctx[i], f->eip, f->host);
}

unsigned cache_drop_at(struct bt_vcpu *b, gva pc, uint32_t len, enum drop_why why)
{
	unsigned n = 0;

	for (uint32_t i = 0; i < b->tc.norder; i++) {
		struct ccf *f = b->tc.order[i];

		if (f->dead || (pc - f->pc >= f->glen && f->pc - pc >= len))
			continue;
		cache_drop(b, f, why, pc);
		n++;
	}
	return n;
}

void cache_drop_page(struct bt_vcpu *b, ppn p, bool by_write)
{
	for (struct ccf *f = b->tc.pages[p].list, *next; f; f = next) {
		next = f->page == p ? f->pnext : f->pnext2;
		if (by_write || !f->pinned)
			cache_drop(b, f, by_write ? DROP_WRITE : DROP_TRACED, 0);
	}
}

/* ---- emptying ---- */

/* A share of the cache for pinned fragments, behind the stub code and in front of the others, so that a
 * flush can spare it. */
static void zones_reset(struct bt_vcpu *b, bool keep_pinned)
{
	uint32_t share = (b->tc.size - b->tc.stub_end) / 8;

	if (!keep_pinned)
		b->tc.pin_zone = (struct zone){ b->tc.stub_end, b->tc.stub_end + share, b->tc.arena,
						b->tc.arena + PIN_ARENA_BYTES };
	b->tc.zone = (struct zone){ b->tc.pin_zone.end, b->tc.size, b->tc.arena + PIN_ARENA_BYTES,
				    b->tc.arena + ARENA_BYTES };
}

void cache_swap_zones(struct bt_vcpu *b)
{
	struct zone z = b->tc.zone;

	b->tc.zone = b->tc.pin_zone;
	b->tc.pin_zone = z;
}

/* Account for F, which the flush drops. Only fragments that cost cycles get a record. */
static void flushed(struct bt_vcpu *b, const struct ccf *f, enum drop_why why)
{
	if (f->dead)
		return;
	if (f->cycles)
		history_dropped(b, f, why, 0);
	history_count_drop(b, f, why);
}

/* Remove the traces of F. It is not unhooked: the hash and the tables that lead to it are emptied too. */
static void forget(struct bt_vcpu *b, struct ccf *f)
{
	b->tc.pages[f->page].list = NULL;
	mm_untrace_code(b->vm, f->page);
	if (f->page2 == UINT32_MAX)
		return;
	b->tc.pages[f->page2].list = NULL;
	mm_untrace_code(b->vm, f->page2);
}

void cache_flush_all(struct bt_vcpu *b, bool full)
{
	uint32_t keep = full ? b->tc.npinned : 0;
	uint8_t *from = full ? b->tc.arena + PIN_ARENA_BYTES : b->tc.arena;

	LOG(bt, "all fragments dropped%s", full ? ": the cache is full" : "");
	b->st.flushes++;
	b->account.flushes_full += full;
	history_flushed(b, full ? DROP_FULL : DROP_CHOICE);
	for (unsigned i = 0; i < MAX_CTX; i++)
		ctx_reset(b, &b->jt.ctx[i]);
	for (uint32_t i = 0; i < b->tc.norder; i++) {
		if (i >= keep)
			flushed(b, b->tc.order[i], full ? DROP_FULL : DROP_CHOICE);
		forget(b, b->tc.order[i]);
	}
	for (uint32_t i = 0; i < keep; i++) {
		chain_unlink_out(b, b->tc.order[i]);
		b->tc.order[i]->in = NULL;
	}
	madvise(b->tc.hash, CCF_HASH * sizeof(*b->tc.hash), MADV_DONTNEED);
	if (b->tc.zone.arena_pos > from)
		madvise(from, (size_t)(b->tc.zone.arena_pos - from), MADV_DONTNEED);
	zones_reset(b, full);
	b->tc.norder = b->tc.npinned = keep;
	b->tc.cross = NULL;
	b->entries.n = 0;
	b->entries.npinned = full ? b->entries.npinned : 0;
	for (uint32_t i = 0; i < keep; i++)
		if (!b->tc.order[i]->dead)
			hook(b, b->tc.order[i]);
	b->exit.link = NULL;
	b->exit.stale = NULL;
	b->tc.flush_wanted = b->tc.full = false;
}
