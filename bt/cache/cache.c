/* SPDX-License-Identifier: GPL-3.0-or-later
 * The translation cache: memory (one memfd, mapped read-write for us and
 * read-execute for running), the fragments in it, how they are found, linked and
 * dropped. TC memory and fragment records are allocated in order and freed
 * all at once, when the cache is flushed. Built with -mgeneral-regs-only: page
 * unmaps and code writes reach it while the guest's vector registers are live. */
#include "bt/cache/cache.h"
#include "bt/cache/chain.h"
#include "bt/cache/history.h"
#include "bt/cache/jump.h"

#include "base/gpr.h"
#include "base/log.h"
#include "mm/mmu.h"

#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

#define ARENA_BYTES (1ull << 30) /* address space; touched as used */
#define PIN_ARENA_BYTES (4u << 20)
#define LOW_FIRST (256ull << 20)
#define LOW_END (2ull << 30)
#define LOW_STEP (1ull << 20)

void *cache_reserve(size_t n, int prot)
{
	void *p = mmap(NULL, n, prot, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	return p == MAP_FAILED ? NULL : p;
}

/* Map N bytes below 2 GiB, where 64-bit code reaches them by absolute addresses. */
void *cache_map_low(size_t n, int prot, int flags, int fd)
{
	for (uint64_t at = LOW_FIRST; at + n <= LOW_END; at += LOW_STEP) {
		void *p = mmap((void *)at, n, prot, flags | MAP_FIXED_NOREPLACE, fd, 0);

		if (p == (void *)at)
			return p;
		if (p != MAP_FAILED) /* a kernel that takes the address for a hint */
			munmap(p, n);
	}
	return NULL;
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
	b->tc.rx = cache_map_low(size, PROT_READ | PROT_EXEC, MAP_SHARED, b->tc.fd);
	if (b->tc.rw == MAP_FAILED || !b->tc.rx)
		goto fail;
	b->tc_base = (uint64_t)b->tc.rx;
	b->tc.hash = cache_reserve(CCF_HASH * sizeof(*b->tc.hash), PROT_READ | PROT_WRITE);
	b->tc.pages = cache_reserve(MMU_PPNS * sizeof(*b->tc.pages), PROT_READ | PROT_WRITE);
	b->tc.cap_order = 4u << 20;
	b->tc.order = cache_reserve(b->tc.cap_order * sizeof(*b->tc.order), PROT_READ | PROT_WRITE);
	b->tc.arena = cache_reserve(ARENA_BYTES, PROT_READ | PROT_WRITE);
	if (!b->tc.hash || !b->tc.pages || !b->tc.order || !b->tc.arena || !jump_init(b))
		goto fail;
	/* Like a window, the guard is aligned to 4 GiB: string instructions keep
	 * the guest's registers in the low halves of addresses into it. */
	b->guard.trap_page = (uint64_t)cache_reserve(PAGE_SIZE, PROT_NONE);
	b->guard.no_shadow = cache_reserve(MMU_SHADOW_BYTES, PROT_READ);
	b->guard.no_vt = (uint64_t)cache_reserve(GUARD_VT_BYTES, PROT_NONE);
	b->guard.map = cache_reserve(16ull << 30, PROT_NONE);
	b->guard.base = (uint8_t *)(((uint64_t)b->guard.map + (4ull << 30) - 1) & ~((4ull << 30) - 1));
	b->adapt.verdicts = cache_reserve(VERDICTS * sizeof(*b->adapt.verdicts), PROT_READ | PROT_WRITE);
	b->history.ring = cache_reserve(MAX_HISTORY * sizeof(*b->history.ring), PROT_READ | PROT_WRITE);
	if (!b->guard.trap_page || !b->guard.map || !b->guard.no_shadow || !b->guard.no_vt ||
	    !b->adapt.verdicts || !b->history.ring)
		goto fail;
	return true;
fail:
	snprintf(err, n, "no memory for the translation cache");
	return false;
}

void cache_give_back(void *p, size_t n)
{
	if (p && p != MAP_FAILED)
		munmap(p, n);
}

/* Works after a cache_init() that failed, too. */
void cache_fini(struct bt_vcpu *b)
{
	cache_give_back(b->tc.rw, b->tc.size);
	cache_give_back(b->tc.rx, b->tc.size);
	if (b->tc.fd >= 0)
		close(b->tc.fd);
	cache_give_back(b->tc.hash, CCF_HASH * sizeof(*b->tc.hash));
	cache_give_back(b->tc.pages, MMU_PPNS * sizeof(*b->tc.pages));
	cache_give_back(b->tc.order, b->tc.cap_order * sizeof(*b->tc.order));
	cache_give_back(b->tc.arena, ARENA_BYTES);
	cache_give_back((void *)b->guard.trap_page, PAGE_SIZE);
	cache_give_back(b->guard.map, 16ull << 30);
	cache_give_back(b->guard.no_shadow, MMU_SHADOW_BYTES);
	cache_give_back((void *)b->guard.no_vt, GUARD_VT_BYTES);
	cache_give_back(b->adapt.verdicts, VERDICTS * sizeof(*b->adapt.verdicts));
	cache_give_back(b->history.ring, MAX_HISTORY * sizeof(*b->history.ring));
	jump_fini(b);
}

/* Zeroed, because the arena is dropped with MADV_DONTNEED. */
void *arena_alloc(struct bt_vcpu *b, size_t n)
{
	uint8_t *p = b->tc.zone.arena_pos;

	b->tc.zone.arena_pos += (n + 15) & ~(size_t)15;
	return p;
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

static void unhash(struct bt_vcpu *b, const struct ccf *f)
{
	for (struct ccf **p = &b->tc.hash[hash_of(f->pc, f->mode, f->page)]; *p; p = &(*p)->hnext)
		if (*p == f) {
			*p = f->hnext;
			break;
		}
}

void cache_rekey(struct bt_vcpu *b, struct ccf *f, gva pc)
{
	unsigned h = hash_of(pc, f->mode, f->page);

	unhash(b, f);
	domain_leave(f);
	f->eip += pc - f->pc;
	f->pc = pc;
	domain_join(b, f);
	f->hnext = b->tc.hash[h];
	b->tc.hash[h] = f;
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
	domain_join(b, f);
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
	domain_claim(b, f);
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

void cache_drop(struct bt_vcpu *b, struct ccf *f, enum drop_why why, gva by)
{
	if (f->dead)
		return;
	LOG(bt, "%08llx: dropped, %s", (unsigned long long)f->pc, drop_names[why]);
	history_dropped(b, f, why, by);
	history_count_drop(b, f, why);
	f->dead = true;
	unhash(b, f);
	domain_leave(f);
	chain_unlink_in(b, f);
	chain_unlink_out(b, f);
	list_remove(b, f->page, f);
	if (f->page2 != UINT32_MAX)
		list_remove(b, f->page2, f);
	jump_drop(b, f);
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

void cache_drop_from(struct bt_vcpu *b, ppn p, enum drop_why why)
{
	for (uint32_t i = 0; i < b->tc.norder; i++) {
		struct ccf *f = b->tc.order[i];

		if (!f->dead && (f->page == p || f->page2 == p))
			cache_drop(b, f, why, f->pc);
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
	b->tc.pages[f->page].groups = NULL;
	f->group = NULL;
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
	gpr_zero(b->tc.domains.links, sizeof(b->tc.domains.links));
	b->entries.n = 0;
	b->entries.npinned = full ? b->entries.npinned : 0;
	for (uint32_t i = 0; i < keep; i++)
		if (!b->tc.order[i]->dead)
			hook(b, b->tc.order[i]);
	b->exit.link = NULL;
	b->exit.stale = NULL;
	b->tc.flush_wanted = b->tc.full = false;
}
