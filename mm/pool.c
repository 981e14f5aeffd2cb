/* SPDX-License-Identifier: GPL-3.0-or-later
 * Machine memory: the credit, the shared frames, the budget of host mappings. What is
 * limited is populated pages, not offsets: memfds are sparse, so that private memory can
 * stay linear (mm/vm.c) and a frame keeps its offset for as long as anyone uses it. */
#include "mm/mm.h"
#include "base/gpr.h"
#include "mm/host.h"
#include "mm/policy/share.h"
#include "mm/pool.h"

#include <fcntl.h>
#include <linux/falloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { MAPS_DEFAULT = 65530, MAPS_MAX = 1 << 17 };

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

static bool map_frames(struct mm_pool *p)
{
	uint64_t bytes = (uint64_t)p->limit << PAGE_SHIFT;

	p->frames = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_NORESERVE, p->fd, 0);
	return p->frames != MAP_FAILED;
}

static struct mm_pool *pool_alloc(void)
{
	struct mm_pool *p = calloc(1, sizeof(*p));

	if (!p)
		return NULL;
	p->fd = p->block_fd = p->host_fd = p->joined = -1;
	for (unsigned i = 0; i < MM_VMS; i++)
		p->pmaps[i].fd = -1;
	p->maps_limit = read_maps_limit();
	return p;
}

static struct mm_pool *pool_make(uint64_t bytes, bool hosted)
{
	uint64_t pages = (bytes + PAGE_MASK) >> PAGE_SHIFT;
	struct mm_pool *p = pool_alloc();

	if (!p)
		return NULL;
	p->limit = pages < 1 ? 1 : pages < MPN_INDEX ? (uint32_t)pages : MPN_INDEX;
	p->fd = block_file("vitrine-shared-frames", (uint64_t)p->limit << PAGE_SHIFT);
	if (p->fd >= 0 && block_make(p, hosted) && map_frames(p))
		return p;
	mm_pool_free(p);
	return NULL;
}

struct mm_pool *mm_pool_new(uint64_t bytes)
{
	return pool_make(bytes, false);
}

struct mm_pool *mm_pool_host(uint64_t bytes)
{
	struct mm_pool *p = pool_make(bytes, true);

	if (p)
		p->host_fd = (int)syscall(SYS_pidfd_open, getpid(), 0);
	return p;
}

void mm_pool_fds(const struct mm_pool *p, struct mm_pool_fds *f)
{
	*f = (struct mm_pool_fds){ .block = p->block_fd, .frames = p->fd, .host = p->host_fd };
}

struct mm_pool *mm_pool_join(const struct mm_pool_fds *f, unsigned slot, char *err, size_t errlen)
{
	struct mm_pool *p = pool_alloc();
	const char *wrong = NULL;

	if (!p) {
		snprintf(err, errlen, "no memory for the host's pool");
		return NULL;
	}
	p->block_fd = f->block;
	p->fd = f->frames;
	p->host_fd = f->host;
	p->joined = (int)slot;
	if (!block_map(p))
		wrong = "the host is of another build, or sent no pool";
	else if (slot >= MM_VMS || atomic_load(&p->slots[slot].state) != SLOT_JOINS)
		wrong = "the host sent no slot of its pool";
	else if (!block_file_is(p->fd, (uint64_t)p->limit << PAGE_SHIFT) || !map_frames(p))
		wrong = "the host's shared frames cannot be mapped";
	if (!wrong)
		return p;
	snprintf(err, errlen, "%s", wrong);
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
	give_back(p->frames, (uint64_t)p->limit << PAGE_SHIFT);
	pool_forget_pmaps(p);
	block_unmap(p);
	if (p->fd >= 0)
		close(p->fd);
	free(p);
}

void mm_pool_usage(const struct mm_pool *p, struct mm_usage *u)
{
	u->pages = p->limit;
	u->charged = atomic_load(&p->block->used);
	u->maps = (uint64_t)atomic_load(&p->maps);
	u->maps_limit = (uint64_t)p->maps_limit;
}

/* ---- the credit ---- */

bool pool_charge(struct mm_pool *p, uint32_t n)
{
	_Atomic uint32_t *count = &p->block->used;
	uint32_t used = atomic_load(count);

	do {
		if (used > p->limit || n > p->limit - used)
			return false;
	} while (!atomic_compare_exchange_weak(count, &used, used + n));
	return true;
}

void pool_credit(struct mm_pool *p, uint32_t n)
{
	atomic_fetch_sub(&p->block->used, n);
}

void pool_punch(int fd, uint64_t page, uint32_t n)
{
	fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, (off_t)(page << PAGE_SHIFT),
		  (off_t)n << PAGE_SHIFT);
}

/* ---- shared frames ---- */

static _Atomic uint32_t *refs_of(const struct mm_pool *p, mpn frame)
{
	return &p->refs[(frame & MPN_INDEX) < p->limit ? frame & MPN_INDEX : 0];
}

mpn pool_frame_near(struct mm_pool *p, uint32_t near)
{
	uint32_t i = near % p->limit;

	pool_step(p);
	if (!pool_charge(p, 1))
		return MPN_NONE;
	pool_step(p);
	/* One is free: there are as many as pages, and this one's charge has been taken. */
	for (uint64_t tries = 0; tries < 2ull * p->limit; tries++, i = i + 1 < p->limit ? i + 1 : 0) {
		uint32_t none = 0;

		if (atomic_load(&p->refs[i]) || !atomic_compare_exchange_strong(&p->refs[i], &none, 1))
			continue;
		pool_step(p);
		return i | MPN_SHARED;
	}
	pool_credit(p, 1);
	return MPN_NONE;
}

mpn pool_frame_new(struct mm_pool *p)
{
	mpn frame = pool_frame_near(p, atomic_load(&p->block->hint));

	if (frame != MPN_NONE)
		atomic_store(&p->block->hint, (frame & MPN_INDEX) + 1);
	return frame;
}

void pool_frame_get(struct mm_pool *p, mpn frame)
{
	atomic_fetch_add(refs_of(p, frame), 1);
}

bool pool_frame_try(struct mm_pool *p, mpn frame)
{
	_Atomic uint32_t *refs = refs_of(p, frame);
	uint32_t n = atomic_load(refs);

	pool_step(p);
	do {
		if (!n || n == FRAME_DYING)
			return false;
	} while (!atomic_compare_exchange_weak(refs, &n, n + 1));
	pool_step(p);
	return true;
}

void pool_frame_put(struct mm_pool *p, mpn frame)
{
	_Atomic uint32_t *refs = refs_of(p, frame);
	uint32_t n = atomic_load(refs);

	pool_step(p);
	do {
		if (!n || n == FRAME_DYING)
			return;
	} while (!atomic_compare_exchange_weak(refs, &n, n == 1 ? FRAME_DYING : n - 1));
	pool_step(p);
	if (n != 1)
		return;
	share_forget(p, frame & MPN_INDEX);
	pool_step(p);
	pool_punch(p->fd, frame & MPN_INDEX, 1);
	pool_step(p);
	atomic_store(refs, 0);
	pool_step(p);
	pool_credit(p, 1);
	pool_step(p);
}

uint32_t pool_frame_refs(const struct mm_pool *p, mpn frame)
{
	return atomic_load(refs_of(p, frame));
}

bool pool_frame_zeros(const struct mm_pool *p, mpn frame)
{
	return share_zeros(p, frame & MPN_INDEX);
}
