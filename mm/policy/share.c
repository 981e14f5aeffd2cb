/* SPDX-License-Identifier: GPL-3.0-or-later
 * Content-based page sharing (Waldspurger, OSDI 2002, section 4). A page's content is looked up by a 64-bit
 * hash. A frame with it: all bytes are compared, and the page moves onto the frame, copy-on-write. A hint, of
 * a page of this VM that had it: that page is hashed again, and if it still has it both move onto a new
 * frame. A hint of another VM's, whose pages nobody else can see: the page moves onto a new frame by itself,
 * and the other VM is told which of its pages to look at; it finds the frame. Neither: the page leaves a
 * hint; it stays writable, so a hint may be wrong.
 *
 * The table is part of the block: buckets, and entries of 16 bytes that are chained by number. Its size is
 * below 0.5 % of machine memory, together with the frames' reference counts. Who changes it has its lock, a
 * word with the VM's slot; if that VM dies, the host makes the table anew (mm/recover.c), so nothing here
 * needs an order of its stores. Nothing is taken out when a frame goes, which happens in fault handlers: an
 * entry counts only while its frame has references and names it as its entry. Look-ups drop entries that
 * do not. Counts of references have 32 bits: the 2^20 pages of 4096 VMs. On the vCPU's thread, or on another
 * while the VM is stopped. GPR-only code (base/gpr.h). */
#include "mm/policy/share.h"

#include "base/gpr.h"
#include "mm/window/region.h"

#include <sched.h>

#define HINT 0x80000000u  /* in link: WHO is a page, not a frame */
#define LINK 0x7fffffffu  /* of an entry: the next of its chain; 0: none */
#define ZEROS 0x80000000u /* in a frame's word, beside its entry: it holds zeros */
#define TRIES 1000	  /* for the lock, each after others have had the processor */

struct share_entry {
	uint64_t hash;
	uint32_t who; /* a frame's number; of a hint: PPN, slot, low bits of the VM's id */
	uint32_t link;
};

/* Followed by BUCKETS words, NENTRY entries (the first is not used), a word a frame. */
struct share_table {
	uint32_t next, free; /* entries never used begin here; first of those free again */
	struct mm_sharing n;
} __attribute__((aligned(16)));

/* ---- where it is ---- */

static void shape(uint32_t limit, uint32_t *nbucket, uint32_t *nentry)
{
	*nbucket = 16;
	*nentry = limit / 2 + 16;
	while (*nbucket < limit / 4)
		*nbucket *= 2;
	if (*nbucket > 16 && *nbucket > limit / 2)
		*nbucket /= 2;
}

size_t share_bytes(uint32_t limit)
{
	uint32_t nbucket, nentry;

	shape(limit, &nbucket, &nentry);
	return sizeof(struct share_table) + nbucket * 4ull + nentry * sizeof(struct share_entry) +
	       limit * 4ull;
}

void share_find(struct mm_pool *p, void *at)
{
	struct share_parts *s = &p->share;

	shape(p->limit, &s->nbucket, &s->nentry);
	s->table = at;
	s->buckets = (uint32_t *)(s->table + 1);
	s->entries = (struct share_entry *)(void *)(s->buckets + s->nbucket);
	s->frames = (_Atomic uint32_t *)(void *)(s->entries + s->nentry);
}

void share_init(struct mm_pool *p)
{
	p->share.table->next = 1;
}

/* Entry E; the first, which ends chains, if there is no such. */
static struct share_entry *entry_at(const struct mm_pool *p, uint32_t e)
{
	return &p->share.entries[(e & LINK) < p->share.nentry ? e & LINK : 0];
}

static uint32_t *bucket_of(const struct mm_pool *p, uint64_t hash)
{
	return &p->share.buckets[hash & (p->share.nbucket - 1)];
}

static uint8_t *bytes_of(const struct mm_pool *p, uint32_t frame)
{
	return p->frames + ((uint64_t)frame << PAGE_SHIFT);
}

void share_forget(struct mm_pool *p, uint32_t frame)
{
	atomic_store(&p->share.frames[frame], 0);
}

bool share_zeros(const struct mm_pool *p, uint32_t frame)
{
	return frame < p->limit && (atomic_load(&p->share.frames[frame]) & ZEROS);
}

/* ---- who may change it ---- */

/* Begin; the VM is inside until table_give(). False: another VM has it for too long. */
static bool table_take(struct mm_vm *vm)
{
	_Atomic uint32_t *lock = &vm->pool->block->lock;

	for (int i = 0; i < TRIES; i++) {
		uint32_t none = 0;

		if (!vm_may_share(vm))
			return false;
		vm_enter(vm);
		pool_step(vm->pool);
		if (atomic_compare_exchange_strong(lock, &none, 1 + vm_slot_number(vm))) {
			pool_step(vm->pool);
			return true;
		}
		vm_leave(vm);
		sched_yield();
	}
	return false;
}

static void table_give(struct mm_vm *vm)
{
	pool_step(vm->pool);
	atomic_store(&vm->pool->block->lock, 0);
	pool_step(vm->pool);
	vm_leave(vm);
}

/* ---- who left a hint ---- */

#define WHO_SLOT 24
#define WHO_ID 29
_Static_assert(NPPN == 1u << WHO_SLOT && MM_VMS == 1 << (WHO_ID - WHO_SLOT), "WHO of a hint");

static uint32_t who(const struct mm_pool *p, unsigned slot, ppn q)
{
	return q | slot << WHO_SLOT | p->slots[slot].id << WHO_ID;
}

static unsigned who_slot(uint32_t w)
{
	return w >> WHO_SLOT & (MM_VMS - 1);
}

static ppn who_page(uint32_t w)
{
	return w & (NPPN - 1);
}

static bool who_lives(const struct mm_pool *p, uint32_t w)
{
	const struct mm_slot *s = &p->slots[who_slot(w)];

	return atomic_load(&s->state) == SLOT_LIVES && !((s->id ^ w >> WHO_ID) & 7);
}

/* ---- the hash ---- */

#define K1 0x9e3779b97f4a7c15ull
#define K2 0xc2b2ae3d27d4eb4full
#define K3 0xff51afd7ed558ccdull

static uint64_t mix(uint64_t h, uint64_t w)
{
	h = (h ^ w) * K1;
	return h ^ h >> 29;
}

/* Four lanes, as a multiplication takes as long as three others begun behind it. */
uint64_t share_hash(const void *page)
{
	const any64 *w = page;
	uint64_t a = K1, b = K2, c = K3, d = K1 ^ K2, h;

	for (unsigned i = 0; i < PAGE_SIZE / 8; i += 4) {
		a = mix(a, w[i]);
		b = mix(b, w[i + 1]);
		c = mix(c, w[i + 2]);
		d = mix(d, w[i + 3]);
	}
	h = mix(mix(mix(mix(K2, a), b), c), d);
	h = (h ^ h >> 32) * K3;
	return h ^ h >> 31;
}

/* ---- the table ---- */

static bool frame_has(const struct mm_pool *p, uint32_t frame, uint32_t e)
{
	return (atomic_load(&p->share.frames[frame]) & LINK) == e;
}

static bool is_live(const struct mm_pool *p, uint32_t e)
{
	const struct share_entry *x = entry_at(p, e);
	uint32_t refs;

	if (x->link & HINT)
		return who_lives(p, x->who);
	refs = x->who < p->limit ? pool_frame_refs(p, x->who) : 0;
	return refs && refs != FRAME_DYING && frame_has(p, x->who, e);
}

static void drop(struct mm_pool *p, uint32_t *at)
{
	struct share_table *t = p->share.table;
	uint32_t e = *at & LINK;
	struct share_entry *x = entry_at(p, e);

	pool_step(p);
	t->n.hints -= x->link & HINT ? 1 : 0;
	t->n.entries--;
	*at = (*at & HINT) | (x->link & LINK);
	pool_step(p);
	x->link = t->free;
	t->free = e;
	pool_step(p);
}

/* The entry for HASH; 0: none. Drops those of its chain that do not count. */
static uint32_t find(struct mm_pool *p, uint64_t hash)
{
	uint32_t *at = bucket_of(p, hash);

	for (uint32_t i = 0; (*at & LINK) && (*at & LINK) < p->share.nentry && i < p->share.nentry; i++) {
		uint32_t e = *at & LINK;

		if (!is_live(p, e)) {
			drop(p, at);
			continue;
		}
		if (entry_at(p, e)->hash == hash)
			return e;
		at = &entry_at(p, e)->link;
	}
	return 0;
}

static uint32_t take_free(struct mm_pool *p)
{
	struct share_table *t = p->share.table;
	uint32_t e = t->free;

	if (e && e < p->share.nentry) {
		t->free = entry_at(p, e)->link & LINK;
		return e;
	}
	return t->next && t->next < p->share.nentry ? t->next++ : 0;
}

/* Drop the first entry of the chain at AT that is a hint, or does not count. False: there is none. */
static bool evict(struct mm_pool *p, uint32_t *at)
{
	for (uint32_t i = 0; (*at & LINK) && (*at & LINK) < p->share.nentry && i < p->share.nentry; i++) {
		if (!is_live(p, *at & LINK) || (entry_at(p, *at)->link & HINT)) {
			drop(p, at);
			p->share.table->n.evicted++;
			return true;
		}
		at = &entry_at(p, *at)->link;
	}
	return false;
}

/* A free entry. When there is none, a hint goes, from the chain where the new one is to be, or the next that
 * has one. 0: all are of frames. */
static uint32_t take_entry_near(struct mm_pool *p, uint64_t hash)
{
	uint32_t e = take_free(p);

	for (uint32_t k = 0; !e && k < p->share.nbucket; k++)
		if (evict(p, bucket_of(p, hash + k)))
			e = take_free(p);
	return e;
}

/* An entry for HASH. 0: there is no room. */
static uint32_t add(struct mm_pool *p, uint64_t hash, uint32_t w, uint32_t hint)
{
	uint32_t e = take_entry_near(p, hash), *bucket = bucket_of(p, hash);

	if (!e)
		return 0;
	pool_step(p);
	*entry_at(p, e) = (struct share_entry){ hash, w, hint | (*bucket & LINK) };
	pool_step(p);
	*bucket = e;
	p->share.table->n.entries++;
	p->share.table->n.hints += hint ? 1 : 0;
	pool_step(p);
	return e;
}

/* ---- sharing ---- */

static bool all_zeros(const uint8_t *page)
{
	const any64 *w = (const any64 *)(const void *)page;

	for (unsigned i = 0; i < PAGE_SIZE / 8; i++)
		if (w[i])
			return false;
	return true;
}

/* Put P, which is private, onto the frame of entry E, which others are on, if it has the same bytes. Its
 * mappings go, and come back where the guest still uses them. */
static enum mm_share join(struct mm_vm *vm, uint32_t e, ppn p)
{
	struct mm_pool *pool = vm->pool;
	uint32_t frame = entry_at(pool, e)->who;

	/* Its last page may have left just now: then it is another's already, or nobody's. */
	if (!pool_frame_try(pool, frame | MPN_SHARED))
		return MM_SHARE_FALSE;
	if (!frame_has(pool, frame, e) || !same_page(bytes_of(pool, frame), page_read(vm, p))) {
		pool_frame_put(pool, frame | MPN_SHARED);
		pool->share.table->n.false_matches++;
		return MM_SHARE_FALSE;
	}
	page_put(vm, p, frame | MPN_SHARED);
	pool->share.table->n.shared++;
	return MM_SHARE_DONE;
}

/* Put P, which is private, onto a new frame for hint E, which becomes the frame's. */
static bool found(struct mm_vm *vm, uint32_t e, ppn p)
{
	struct mm_pool *pool = vm->pool;
	struct share_entry *x = entry_at(pool, e);
	mpn frame = pool_frame_near(pool, p);

	if (frame == MPN_NONE)
		return false;
	copy_page(bytes_of(pool, frame & MPN_INDEX), page_read(vm, p));
	pool_step(pool);
	atomic_store(&pool->share.frames[frame & MPN_INDEX], e | (all_zeros(page_read(vm, p)) ? ZEROS : 0));
	x->who = frame & MPN_INDEX;
	pool_step(pool);
	x->link &= LINK;
	pool->share.table->n.hints--;
	page_put(vm, p, frame);
	pool->share.table->n.shared++;
	return true;
}

/* P and Q, which left hint E, have the same hash: a new frame for both. */
static enum mm_share found_pair(struct mm_vm *vm, uint32_t e, ppn q, ppn p)
{
	if (!same_page(page_read(vm, q), page_read(vm, p))) {
		vm->pool->share.table->n.false_matches++;
		return MM_SHARE_FALSE;
	}
	return found(vm, e, q) ? join(vm, e, p) : MM_SHARE_NO_ROOM;
}

/* P has the hash that a page of another VM had when it left hint E. */
static enum mm_share found_elsewhere(struct mm_vm *vm, uint32_t e, ppn p)
{
	uint32_t w = entry_at(vm->pool, e)->who;

	if (!found(vm, e, p))
		return MM_SHARE_NO_ROOM;
	block_post(vm->pool, who_slot(w), who_page(w));
	return MM_SHARE_DONE;
}

static bool is_private(const struct mm_vm *vm, ppn p)
{
	return vm_next_ram(vm, p) == p && ppn_ram(vm, p) && page_state(vm, p) == PAGE_PRIVATE;
}

static enum mm_share share(struct mm_vm *vm, ppn p, uint64_t hash, bool hint)
{
	struct mm_pool *pool = vm->pool;
	uint32_t e = find(pool, hash), own = who(pool, vm_slot_number(vm), p);
	struct share_entry *x = entry_at(pool, e);
	ppn q;

	if (!e) {
		if (hint)
			add(pool, hash, own, HINT);
		return MM_SHARE_HINT;
	}
	if (!(x->link & HINT))
		return join(vm, e, p);
	if (who_slot(x->who) != vm_slot_number(vm))
		return hint ? found_elsewhere(vm, e, p) : MM_SHARE_HINT;
	q = who_page(x->who);
	if (q == p)
		return MM_SHARE_HINT;
	if (is_private(vm, q) && share_hash(page_read(vm, q)) == hash)
		return found_pair(vm, e, q, p);
	pool->share.table->n.stale++;
	x->who = own;
	return MM_SHARE_HINT;
}

static enum mm_share look_up(struct mm_vm *vm, ppn p, bool hint)
{
	enum mm_share r;
	uint64_t hash;

	if (!is_private(vm, p))
		return MM_SHARE_NOT_PRIVATE;
	hash = share_hash(page_read(vm, p));
	if (!table_take(vm))
		return MM_SHARE_BUSY;
	vm->pool->share.table->n.scanned++;
	r = share(vm, p, hash, hint);
	table_give(vm);
	return r;
}

enum mm_share mm_share_page(struct mm_vm *vm, ppn p)
{
	return look_up(vm, p, true);
}

enum mm_share share_before_swap(struct mm_vm *vm, ppn p)
{
	return look_up(vm, p, false);
}

bool mm_unshare_page(struct mm_vm *vm, ppn p)
{
	note_access(vm, WRITER_NONE, MM_ANYWHERE, MM_ANYWHERE);
	return vm_next_ram(vm, p) == p && ppn_ram(vm, p) && page_state(vm, p) == PAGE_SHARED &&
	       page_bring_home(vm, p);
}

uint64_t mm_share_range(struct mm_vm *vm, ppn first, uint32_t n)
{
	const struct mm_sharing *s = mm_sharing(vm);
	uint64_t before = s->shared, end = (uint64_t)first + n;

	/* Pages that were never touched take no memory. */
	for (gpa a = mm_next_populated(vm, (gpa)first << PAGE_SHIFT);
	     a >> PAGE_SHIFT < end && a != UINT64_MAX; a = mm_next_populated(vm, a + PAGE_SIZE))
		mm_share_page(vm, (ppn)(a >> PAGE_SHIFT));
	return s->shared - before;
}

const struct mm_sharing *mm_sharing(const struct mm_vm *vm)
{
	return mm_pool_sharing(vm->pool);
}

const struct mm_sharing *mm_pool_sharing(const struct mm_pool *p)
{
	return &p->share.table->n;
}

/* ---- after a death ---- */

void share_rebuild(struct mm_pool *p)
{
	struct share_parts *s = &p->share;
	struct mm_sharing n = s->table->n;

	gpr_zero(s->buckets, s->nbucket * sizeof(*s->buckets));
	n.entries = n.hints = 0;
	*s->table = (struct share_table){ .next = 1, .n = n };
	for (uint32_t i = 0; i < p->limit; i++) {
		uint32_t zeros = atomic_load(&s->frames[i]) & ZEROS, e = 0;

		if (pool_frame_refs(p, i))
			e = add(p, share_hash(bytes_of(p, i)), i, 0);
		atomic_store(&s->frames[i], e ? e | zeros : zeros);
	}
}

/* Count the entries of the chain from E on, and the hints. False: it has no end, or an entry of another
 * bucket. */
static bool count_chain(const struct mm_pool *p, uint32_t e, uint32_t bucket, uint64_t *n, uint64_t *hints)
{
	while (e) {
		const struct share_entry *x = entry_at(p, e);

		if (e >= p->share.nentry || ++*n > p->share.nentry)
			return false;
		if (bucket != UINT32_MAX && (x->hash & (p->share.nbucket - 1)) != bucket)
			return false;
		*hints += x->link & HINT ? 1 : 0;
		e = x->link & LINK;
	}
	return true;
}

bool share_check(const struct mm_pool *p)
{
	const struct share_table *t = p->share.table;
	uint64_t n = 0, hints = 0, all, none = 0;

	for (uint32_t b = 0; b < p->share.nbucket; b++)
		if (!count_chain(p, p->share.buckets[b] & LINK, b, &n, &hints))
			return false;
	all = n;
	return count_chain(p, t->free, UINT32_MAX, &all, &none) && n == t->n.entries && hints == t->n.hints &&
	       all + 1 == t->next;
}

/* ---- looking at it ---- */

bool share_next(const struct mm_pool *p, uint32_t *bucket, uint32_t *entry, struct share_row *r)
{
	/* The table may change meanwhile: what is found need not be complete, but ends. */
	for (; *bucket < p->share.nbucket; ++*bucket, *entry = 0) {
		uint32_t e = (*entry ? entry_at(p, *entry)->link : p->share.buckets[*bucket]) & LINK;
		struct share_entry x;

		for (uint32_t i = 0; e && e < p->share.nentry && !is_live(p, e) && i < p->share.nentry; i++)
			e = entry_at(p, e)->link & LINK;
		if (!e || e >= p->share.nentry || !is_live(p, e))
			continue;
		x = *entry_at(p, e);
		if (*entry && (x.hash & (p->share.nbucket - 1)) != *bucket)
			continue; /* it has been moved to another chain */
		*entry = e;
		*r = (struct share_row){ .hash = x.hash,
					 .who = x.link & HINT ? who_page(x.who) : x.who,
					 .slot = x.link & HINT ? who_slot(x.who) : 0,
					 .hint = x.link & HINT,
					 .bucket = *bucket };
		r->refs = r->hint ? 0 : pool_frame_refs(p, r->who);
		return true;
	}
	return false;
}
