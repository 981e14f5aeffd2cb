/* SPDX-License-Identifier: GPL-3.0-or-later
 * Machine memory: the credit, the shared frames, the budget of host mappings. What is
 * limited is populated pages, not offsets: memfds are sparse, so that private memory can
 * stay linear (mm/vm.c) and a frame keeps its offset for as long as anyone uses it. */
#include "mm/mm.h"
#include "base/gpr.h"
#include "mm/policy/share.h"
#include "mm/pool.h"

#include <fcntl.h>
#include <linux/falloc.h>
#include <stddef.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

enum { MAPS_DEFAULT = 65530, MAPS_MAX = 1 << 17 };
#define FRAME_DYING UINT32_MAX /* in refs[]: being emptied */

/* What all windows of the process may take together: five eighths of what the host allows
 * it, the rest for everything else and for how much the counts may be off. */
static int64_t read_maps_limit(void)
{
	int fd = open("/proc/sys/vm/max_map_count", O_RDONLY | O_CLOEXEC);
	char text[24];
	int64_t limit = 0;
	ssize_t n = fd < 0 ? 0 : read(fd, text, sizeof(text));

	if (fd >= 0)
		close(fd);
	for (ssize_t i = 0; i < n && text[i] >= '0' && text[i] <= '9' && limit < INT32_MAX; i++)
		limit = limit * 10 + (text[i] - '0');
	if (!limit)
		limit = MAPS_DEFAULT;
	limit = limit * 5 / 8;
	return limit < MAPS_MAX ? limit : MAPS_MAX;
}

static bool make_frames(struct mm_pool *p)
{
	uint64_t bytes = (uint64_t)p->limit << PAGE_SHIFT;

	p->fd = memfd_create("vitrine-shared-frames", MFD_CLOEXEC);
	if (p->fd < 0 || ftruncate(p->fd, (off_t)bytes))
		return false;
	p->frames = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_NORESERVE, p->fd, 0);
	p->refs = mmap(NULL, p->limit * sizeof(*p->refs), PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	p->slots =
	    mmap(NULL, MM_VMS * sizeof(*p->slots), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	p->share = share_new(p->limit, &p->share_bytes);
	return p->frames != MAP_FAILED && p->refs != MAP_FAILED && p->slots != MAP_FAILED && p->share;
}

struct mm_pool *mm_pool_new(uint64_t bytes)
{
	uint64_t pages = (bytes + PAGE_MASK) >> PAGE_SHIFT;
	struct mm_pool *p = calloc(1, sizeof(*p));

	if (!p)
		return NULL;
	p->limit = pages < 1 ? 1 : pages < MPN_INDEX ? (uint32_t)pages : MPN_INDEX;
	p->fd = -1;
	p->maps_limit = read_maps_limit();
	if (make_frames(p))
		return p;
	mm_pool_free(p);
	return NULL;
}

static void give_back(void *p, size_t n)
{
	if (p && p != MAP_FAILED)
		munmap(p, n);
}

void mm_pool_free(struct mm_pool *p)
{
	if (!p)
		return;
	share_free(p->share, p->share_bytes);
	give_back(p->frames, (uint64_t)p->limit << PAGE_SHIFT);
	give_back((void *)p->refs, p->limit * sizeof(*p->refs));
	give_back(p->slots, MM_VMS * sizeof(*p->slots));
	if (p->fd >= 0)
		close(p->fd);
	free(p);
}

void mm_pool_usage(const struct mm_pool *p, struct mm_usage *u)
{
	u->pages = p->limit;
	u->charged = atomic_load(&p->used);
	u->maps = (uint64_t)atomic_load(&p->maps);
	u->maps_limit = (uint64_t)p->maps_limit;
}

/* ---- slots ---- */

struct mm_slot *pool_slot_take(struct mm_pool *p)
{
	for (unsigned i = 0; i < MM_VMS; i++) {
		struct mm_slot *s = &p->slots[i];
		uint32_t none = SLOT_FREE;

		if (!atomic_compare_exchange_strong(&s->state, &none, SLOT_JOINS))
			continue;
		s->id = atomic_fetch_add(&p->ids, 1) + 1;
		return s;
	}
	return NULL;
}

void pool_slot_free(struct mm_slot *s)
{
	gpr_zero(&s->id, sizeof(*s) - offsetof(struct mm_slot, id));
	atomic_store(&s->state, SLOT_FREE);
}

struct mm_slot *mm_pool_slot(struct mm_pool *p, unsigned i)
{
	return i < MM_VMS ? &p->slots[i] : NULL;
}

/* ---- the credit ---- */

bool pool_charge(struct mm_pool *p, uint32_t n)
{
	uint32_t used = atomic_load(&p->used);

	do {
		if (n > p->limit - used)
			return false;
	} while (!atomic_compare_exchange_weak(&p->used, &used, used + n));
	return true;
}

void pool_credit(struct mm_pool *p, uint32_t n)
{
	atomic_fetch_sub(&p->used, n);
}

void pool_punch(int fd, uint64_t page)
{
	fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, (off_t)(page << PAGE_SHIFT), PAGE_SIZE);
}

/* ---- shared frames ---- */

static _Atomic uint32_t *refs_of(const struct mm_pool *p, mpn frame)
{
	return &p->refs[frame & MPN_INDEX];
}

mpn pool_frame_new(struct mm_pool *p)
{
	uint32_t from = atomic_load(&p->hint);

	if (!pool_charge(p, 1))
		return MPN_NONE;
	/* One is free: there are as many as pages, and this one's charge has been taken. */
	for (uint32_t i = from;; i = i + 1 < p->limit ? i + 1 : 0) {
		uint32_t none = 0;

		if (!atomic_compare_exchange_strong(&p->refs[i], &none, 1))
			continue;
		atomic_store(&p->hint, i + 1 < p->limit ? i + 1 : 0);
		return i | MPN_SHARED;
	}
}

void pool_frame_get(struct mm_pool *p, mpn frame)
{
	atomic_fetch_add(refs_of(p, frame), 1);
}

void pool_frame_put(struct mm_pool *p, mpn frame)
{
	_Atomic uint32_t *refs = refs_of(p, frame);
	uint32_t n = atomic_load(refs);

	while (!atomic_compare_exchange_weak(refs, &n, n == 1 ? FRAME_DYING : n - 1))
		;
	if (n != 1)
		return;
	pool_punch(p->fd, frame & MPN_INDEX);
	atomic_store(refs, 0);
	pool_credit(p, 1);
}

uint32_t pool_frame_refs(const struct mm_pool *p, mpn frame)
{
	return atomic_load(refs_of(p, frame));
}
