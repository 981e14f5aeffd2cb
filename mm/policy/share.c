/* SPDX-License-Identifier: GPL-3.0-or-later
 * Content-based page sharing (Waldspurger, OSDI 2002, section 4). A page's content is looked up by a 64-bit
 * hash. A frame with it: all bytes are compared, and the page moves onto the frame, copy-on-write. A hint, of
 * a page that had it: that page is hashed again, and if it still has it both move onto a new frame. Neither:
 * the page leaves a hint; it stays writable, so a hint may be wrong.
 *
 * The table is one block of fixed size: buckets, and entries of 16 bytes that are chained by number, so that
 * processes can map it at different addresses. Its size is below 0.5 % of machine memory, together with
 * the frames' reference counts. Nothing is taken out when a frame goes, which happens in fault handlers:
 * an entry counts only while its frame has references and names it as its entry. Look-ups drop entries that
 * do not. Counts of references have 32 bits: the 2^20 pages of 4096 VMs. On the vCPU's thread, or on another
 * while the VM is stopped. GPR-only code (base/gpr.h). */
#include "mm/policy/share.h"

#include "base/gpr.h"
#include "mm/window/region.h"

#include <sys/mman.h>

#define HINT 0x80000000u /* in link: WHO is a page, not a frame */
#define LINK 0x7fffffffu /* of an entry: the next of its chain; 0: none */

struct entry {
	uint64_t hash;
	uint32_t who; /* a frame's number, or a PPN */
	uint32_t link;
};

/* Offsets in the block: BUCKETS words, NENTRY entries (the first is not used), a word a frame. */
struct share_table {
	uint32_t nbucket, nentry, nframe; /* nbucket: a power of two */
	uint32_t next, free;		  /* entries never used begin here; first of those free again */
	struct mm_sharing n;
	uint32_t words[] __attribute__((aligned(16)));
};

static uint32_t *bucket_of(struct share_table *t, uint64_t hash)
{
	return &t->words[hash & (t->nbucket - 1)];
}

static struct entry *entries(struct share_table *t)
{
	return (struct entry *)(void *)(t->words + t->nbucket);
}

/* The entry of each frame. */
static uint32_t *entry_of(struct share_table *t, uint32_t frame)
{
	return (uint32_t *)(void *)(entries(t) + t->nentry) + frame;
}

static size_t table_bytes(uint32_t nbucket, uint32_t nentry, uint32_t nframe)
{
	return sizeof(struct share_table) + nbucket * 4ull + nentry * sizeof(struct entry) + nframe * 4ull;
}

struct share_table *share_new(uint32_t pages, size_t *bytes)
{
	uint32_t nbucket = 16, nentry = pages / 2 + 16;
	struct share_table *t;

	while (nbucket < pages / 4)
		nbucket *= 2;
	if (nbucket > 16 && nbucket > pages / 2)
		nbucket /= 2;
	*bytes = table_bytes(nbucket, nentry, pages);
	t = mmap(NULL, *bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (t == MAP_FAILED)
		return NULL;
	t->nbucket = nbucket;
	t->nentry = nentry;
	t->nframe = pages;
	t->next = 1;
	return t;
}

void share_free(struct share_table *t, size_t bytes)
{
	if (t)
		munmap(t, bytes);
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

static bool is_live(const struct mm_vm *vm, struct share_table *t, uint32_t e)
{
	const struct entry *x = &entries(t)[e];

	return (x->link & HINT) ||
	       (pool_frame_refs(vm->pool, x->who | MPN_SHARED) && *entry_of(t, x->who) == e);
}

static void drop(struct share_table *t, uint32_t *at)
{
	uint32_t e = *at & LINK;
	struct entry *x = &entries(t)[e];

	t->n.hints -= x->link & HINT ? 1 : 0;
	t->n.entries--;
	*at = (*at & HINT) | (x->link & LINK);
	x->link = t->free;
	t->free = e;
}

/* The entry for HASH; 0: none. Drops those of its chain whose frames are gone. */
static uint32_t find(const struct mm_vm *vm, struct share_table *t, uint64_t hash)
{
	uint32_t *at = bucket_of(t, hash);

	while (*at & LINK) {
		uint32_t e = *at & LINK;

		if (!is_live(vm, t, e)) {
			drop(t, at);
			continue;
		}
		if (entries(t)[e].hash == hash)
			return e;
		at = &entries(t)[e].link;
	}
	return 0;
}

/* A free entry. When there is none, a hint goes, from the chain where the new one is to be, or the next that
 * has one. 0: all are of frames. */
static uint32_t take_entry_near(const struct mm_vm *vm, struct share_table *t, uint64_t hash)
{
	if (t->free) {
		uint32_t e = t->free;

		t->free = entries(t)[e].link & LINK;
		return e;
	}
	if (t->next < t->nentry)
		return t->next++;
	for (uint32_t k = 0; k < t->nbucket; k++)
		for (uint32_t *at = &t->words[(hash + k) & (t->nbucket - 1)]; *at & LINK;
		     at = &entries(t)[*at & LINK].link) {
			if (is_live(vm, t, *at & LINK) && !(entries(t)[*at & LINK].link & HINT))
				continue;
			drop(t, at);
			t->n.evicted++;
			return take_entry_near(vm, t, hash);
		}
	return 0;
}

static void add_hint(const struct mm_vm *vm, struct share_table *t, uint64_t hash, ppn p)
{
	uint32_t e = take_entry_near(vm, t, hash), *bucket = bucket_of(t, hash);

	if (!e)
		return;
	entries(t)[e] = (struct entry){ hash, p, HINT | *bucket };
	*bucket = e;
	t->n.entries++;
	t->n.hints++;
}

/* ---- sharing ---- */

static uint8_t *bytes_of(const struct mm_vm *vm, mpn frame)
{
	return vm->pool->frames + ((uint64_t)(frame & MPN_INDEX) << PAGE_SHIFT);
}

/* Put P, which is private, onto FRAME, which others are on, if it has the same bytes. Its mappings go, and
 * come back where the guest still uses them: each takes a host mapping of its own. */
static bool join(struct mm_vm *vm, struct share_table *t, ppn p, mpn frame)
{
	if (!same_page(bytes_of(vm, frame), page_read(vm, p))) {
		t->n.false_matches++;
		return false;
	}
	pool_frame_get(vm->pool, frame);
	page_put(vm, p, frame);
	t->n.shared++;
	return true;
}

/* P and Q, which left hint E, have the same hash: a new frame for both. */
static enum mm_share found_pair(struct mm_vm *vm, struct share_table *t, uint32_t e, ppn q, ppn p)
{
	mpn frame;

	if (!same_page(page_read(vm, q), page_read(vm, p))) {
		t->n.false_matches++;
		return MM_SHARE_FALSE;
	}
	frame = pool_frame_new(vm->pool);
	if (frame == MPN_NONE)
		return MM_SHARE_NO_ROOM;
	copy_page(bytes_of(vm, frame), page_read(vm, q));
	page_put(vm, q, frame);
	t->n.shared++;
	entries(t)[e].who = frame & MPN_INDEX;
	entries(t)[e].link &= LINK;
	t->n.hints--;
	*entry_of(t, frame & MPN_INDEX) = e;
	return join(vm, t, p, frame) ? MM_SHARE_DONE : MM_SHARE_FALSE;
}

enum mm_share mm_share_page(struct mm_vm *vm, ppn p)
{
	struct share_table *t = vm->pool->share;
	struct entry *x;
	uint64_t hash;
	uint32_t e;
	ppn q;

	if (!ppn_ram(vm, p) || page_state(vm, p) != PAGE_PRIVATE)
		return MM_SHARE_NOT_PRIVATE;
	hash = share_hash(page_read(vm, p));
	t->n.scanned++;
	e = find(vm, t, hash);
	x = &entries(t)[e];
	if (!e) {
		add_hint(vm, t, hash, p);
		return MM_SHARE_HINT;
	}
	if (!(x->link & HINT))
		return join(vm, t, p, x->who | MPN_SHARED) ? MM_SHARE_DONE : MM_SHARE_FALSE;
	q = x->who;
	if (q == p)
		return MM_SHARE_HINT;
	if (page_state(vm, q) == PAGE_PRIVATE && share_hash(page_read(vm, q)) == hash)
		return found_pair(vm, t, e, q, p);
	t->n.stale++;
	x->who = p;
	return MM_SHARE_HINT;
}

bool mm_unshare_page(struct mm_vm *vm, ppn p)
{
	return ppn_ram(vm, p) && page_state(vm, p) == PAGE_SHARED && page_bring_home(vm, p);
}

uint64_t mm_share_range(struct mm_vm *vm, ppn first, uint32_t n)
{
	struct share_table *t = vm->pool->share;
	uint64_t before = t->n.shared, end = (uint64_t)first + n;

	/* Pages that were never touched take no memory. */
	for (gpa a = mm_next_populated(vm, (gpa)first << PAGE_SHIFT);
	     a >> PAGE_SHIFT < end && a != UINT64_MAX; a = mm_next_populated(vm, a + PAGE_SIZE))
		mm_share_page(vm, (ppn)(a >> PAGE_SHIFT));
	return t->n.shared - before;
}

const struct mm_sharing *mm_sharing(const struct mm_vm *vm)
{
	return &vm->pool->share->n;
}

/* ---- looking at it ---- */

bool share_next(const struct mm_vm *vm, uint32_t *bucket, uint32_t *entry, struct share_row *r)
{
	struct share_table *t = vm->pool->share;

	for (; *bucket < t->nbucket; ++*bucket, *entry = 0) {
		uint32_t e = (*entry ? entries(t)[*entry].link : t->words[*bucket]) & LINK;

		while (e && !is_live(vm, t, e))
			e = entries(t)[e].link & LINK;
		if (!e)
			continue;
		*entry = e;
		*r = (struct share_row){ .hash = entries(t)[e].hash,
					 .who = entries(t)[e].who,
					 .hint = entries(t)[e].link & HINT,
					 .bucket = *bucket };
		r->refs = r->hint ? 0 : pool_frame_refs(vm->pool, r->who | MPN_SHARED);
		return true;
	}
	return false;
}
