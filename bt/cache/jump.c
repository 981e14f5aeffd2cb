/* SPDX-License-Identifier: GPL-3.0-or-later
 * Jump tables (state/context.h). Built with -mgeneral-regs-only: page unmaps reach it while the guest's
 * vector registers are live. */
#include "bt/cache/jump.h"
#include "bt/cache/cache.h"

#include "base/gpr.h"

#include <sys/mman.h>
#include <sys/resource.h>

/* Entries are few and far between: not with huge pages. */
static uint32_t *table_reserve(struct bt_vcpu *b)
{
	void *p = b->jt.tables < b->jt.max_tables ? cache_reserve(JT_BYTES, PROT_READ | PROT_WRITE) : NULL;

	b->jt.tables += p != NULL;
	if (p)
		madvise(p, JT_BYTES, MADV_NOHUGEPAGE);
	return p;
}

/* Where address space is limited, most of it is for windows. */
static unsigned table_limit(void)
{
	struct rlimit r;

	if (getrlimit(RLIMIT_AS, &r) || r.rlim_cur / 8 / JT_BYTES >= MAX_CTX)
		return MAX_CTX;
	return r.rlim_cur / 8 < JT_BYTES ? 1 : (unsigned)(r.rlim_cur / 8 / JT_BYTES);
}

bool jump_init(struct bt_vcpu *b)
{
	b->jt.max_tables = table_limit();
	/* Without address space for directories there is no 64-bit code. */
	b->jt.poison_bytes = b->jt.max_tables < MAX_CTX ? JT_BYTES : JT_DIRECTORY_BYTES;
	b->jt.poison = cache_reserve(b->jt.poison_bytes, PROT_NONE);
	b->jt.ctx[0].jt = table_reserve(b);
	for (unsigned i = 0; i < MAX_CTX; i++)
		b->jt.ctx[i].next_used = &b->jt.ctx[i];
	return b->jt.poison && b->jt.ctx[0].jt;
}

void jump_fini(struct bt_vcpu *b)
{
	cache_give_back(b->jt.poison, b->jt.poison_bytes);
	cache_give_back(b->jt.none, JT_BYTES);
	for (unsigned i = 0; i < MAX_CTX; i++)
		cache_give_back(b->jt.ctx[i].jt, JT_BYTES);
	for (unsigned i = 0; i < JT_DIRECTORIES; i++)
		cache_give_back(b->jt.dir[i].table, JT_DIRECTORY_BYTES);
}

/* ---- directories ---- */

#define PAGE_POINTERS (PAGE_SIZE / sizeof(uint32_t *))

/* The directory of MODE in window WIN, or the one that is to be used for it. */
static struct jt_directory *directory_of(struct bt_vcpu *b, unsigned win, uint32_t mode)
{
	struct jt_directory *spare = NULL;

	for (unsigned i = 0; i < JT_DIRECTORIES; i++) {
		struct jt_directory *d = &b->jt.dir[i];

		if (d->used && d->win == win && d->mode == mode)
			return d;
		if (!spare || (spare->used && (!d->used || d->lru < spare->lru)))
			spare = d;
	}
	return spare;
}

static void directory_empty(struct bt_vcpu *b, struct jt_directory *d)
{
	for (unsigned i = 0; i < MAX_CTX; i++)
		if (b->jt.ctx[i].dir == d)
			ctx_reset(b, &b->jt.ctx[i]);
	for (unsigned i = 0; i < d->npages; i++) {
		uint32_t **page = d->table + d->page[i] * PAGE_POINTERS;

		madvise(page, PAGE_SIZE, MADV_DONTNEED);
		mprotect(page, PAGE_SIZE, PROT_NONE);
	}
	d->npages = 0;
	d->used = false;
}

/* Make the page with the pointer for HIGH accessible. False: no room, or the host refuses. */
static bool directory_page(struct bt_vcpu *b, struct jt_directory *d, uint32_t high)
{
	uint32_t n = high / PAGE_POINTERS, **page = d->table + n * PAGE_POINTERS;

	for (unsigned i = 0; i < d->npages; i++)
		if (d->page[i] == n)
			return true;
	if (d->npages == JT_DIRECTORY_PAGES || mprotect(page, PAGE_SIZE, PROT_READ | PROT_WRITE))
		return false;
	for (unsigned i = 0; i < PAGE_POINTERS; i++)
		page[i] = b->jt.none;
	d->page[d->npages++] = n;
	return true;
}

/* C's table is no longer found by its directory. */
static void ctx_unlist(struct bt_vcpu *b, struct ctx *c)
{
	if (c->dir && c->listed)
		c->dir->table[c->cs_base] = b->jt.none;
	c->dir = NULL;
	c->listed = false;
}

/* Enter C, a context of 64-bit code with a table, in the directory of its mode. Where that has no room each
 * transfer there misses. */
static void ctx_list(struct bt_vcpu *b, struct ctx *c)
{
	struct jt_directory *d = directory_of(b, c->win, c->mode);

	if (!b->jt.none)
		b->jt.none = cache_reserve(JT_BYTES, PROT_READ);
	if (!d->table)
		d->table = cache_reserve(JT_DIRECTORY_BYTES, PROT_NONE);
	if (b->jt.poison_bytes < JT_DIRECTORY_BYTES || !b->jt.none || !d->table)
		return;
	if (d->used && (d->win != c->win || d->mode != c->mode))
		directory_empty(b, d);
	d->used = true;
	d->win = c->win;
	d->mode = c->mode;
	d->lru = ++b->jt.tick;
	c->dir = d;
	c->listed = directory_page(b, d, c->cs_base);
	if (c->listed)
		d->table[c->cs_base] = c->jt;
}

bool jump_no_table(const struct bt_vcpu *b, uint64_t hva)
{
	const struct ctx *c = b->jt.cur;

	return c && c->dir && hva - (uint64_t)c->dir->table < JT_DIRECTORY_BYTES;
}

/* ---- tables ---- */

static void ctx_find_table(struct bt_vcpu *b, struct ctx *c)
{
	struct ctx *old = NULL;

	if (!c->jt)
		c->jt = table_reserve(b);
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

void ctx_table(struct bt_vcpu *b, struct ctx *c)
{
	ctx_find_table(b, c);
	if (mode_long(c->mode))
		ctx_list(b, c);
}

/* The slot of JT_PAGE(EIP) in touched[], or the free one for it. NULL: it has none, and there is no room. */
static uint32_t *touched_slot(struct ctx *c, uint32_t eip)
{
	uint32_t page = JT_PAGE(eip), h = page * 0x9e3779b1u >> 16;

	for (unsigned i = 0; i < JT_PROBES; i++) {
		uint32_t *t = &c->touched[(h + i) % JT_TOUCHED];

		if (!*t || *t == page + 1)
			return t;
	}
	return NULL;
}

void ctx_put(struct bt_vcpu *b, struct ctx *c, uint64_t rip, uint32_t host)
{
	uint32_t eip = (uint32_t)rip, *t = touched_slot(c, eip);

	c->any = true;
	if (t)
		*t = JT_PAGE(eip) + 1;
	else
		c->many = true;
	/* Of 64-bit code, from the entry behind the probe of RSP to the miss: as far as between the starts.
	 */
	c->jt[eip] = c->dir ? host - b->tc.long_start : host;
}

/* Forget that RIP leads to HOST. Pages without entries are not read, which would map them. */
static void ctx_drop(struct bt_vcpu *b, struct ctx *c, uint64_t rip, uint32_t host)
{
	uint32_t eip = (uint32_t)rip, *t = c->any ? touched_slot(c, eip) : NULL;

	if (c->any && (t ? *t != 0 : c->many) && ctx_at(b, c, rip) == host)
		c->jt[eip] = 0;
}

void jump_drop(struct bt_vcpu *b, const struct ccf *f)
{
	for (unsigned i = 0; i < MAX_CTX; i++)
		if (!mode_long(f->mode) || f->eip >> 32 == b->jt.ctx[i].cs_base)
			ctx_drop(b, &b->jt.ctx[i], f->eip, f->host);
}

void ctx_reset(struct bt_vcpu *b, struct ctx *c)
{
	if (c->many)
		madvise(c->jt, JT_BYTES, MADV_DONTNEED);
	/* Clearing a page costs less than two page faults, one at its first load and one at its first entry.
	 */
	for (unsigned i = 0; i < JT_TOUCHED && c->any && !c->many; i++)
		if (c->touched[i])
			gpr_zero((uint8_t *)c->jt + ((uint64_t)(c->touched[i] - 1) << PAGE_SHIFT), PAGE_SIZE);
	if (c->any)
		gpr_zero(c->touched, sizeof(c->touched));
	ctx_unlist(b, c);
	c->many = c->any = c->used = false;
	b->st.ctx_flushes++;
	syscall_cache_forget(b);
	if (b->jt.cur == c)
		b->jt.cur = NULL;
}
