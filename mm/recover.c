/* SPDX-License-Identifier: GPL-3.0-or-later
 * The host's side of the block: VMs that come, VMs that have died, the books of all. What a VM has is in
 * its pmap, which the host maps, and in the charge in its slot. So when a process has ended, at whatever
 * instant, everything is counted anew from the VMs that live, while these wait: references of frames and the
 * pages charged. A frame that nobody is on is freed, and if the dead one had the lock of the table of
 * contents, that is made anew from the frames. The dead one's home memory was its process's own. */
#include "base/gpr.h"
#include "mm/host.h"
#include "mm/policy/share.h"
#include "mm/vm.h"

#include <errno.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

enum { REST_TRIES = 400, REST_NS = 250000 };

static enum mm_slot_state state_of(const struct mm_pool *p, unsigned slot)
{
	return (enum mm_slot_state)atomic_load(&p->slots[slot].state);
}

/* ---- alone with the block ---- */

static bool at_rest(const struct mm_pool *p)
{
	for (unsigned i = 0; i < MM_VMS; i++)
		if ((state_of(p, i) == SLOT_LIVES || state_of(p, i) == SLOT_JOINS) &&
		    atomic_load(&p->slots[i].inside))
			return false;
	return true;
}

bool block_hold(struct mm_pool *p)
{
	static const struct timespec moment = { .tv_nsec = REST_NS };

	atomic_exchange(&p->block->hold, 1);
	for (int i = 0; i < REST_TRIES; i++) {
		if (at_rest(p))
			return true;
		nanosleep(&moment, NULL);
	}
	block_release(p);
	return false;
}

void block_release(struct mm_pool *p)
{
	atomic_store(&p->block->hold, 0);
}

/* ---- counting ---- */

struct counts {
	struct mm_pool_books b;
	uint64_t vm[PAGE_STATES]; /* of the present VM */
	uint32_t *refs;		  /* PPNs on each frame */
};

static void wrong(struct counts *c, const char *what, int slot)
{
	if (c->b.wrong)
		return;
	c->b.wrong = what;
	c->b.slot = slot;
}

static void count_page(const struct mm_pool *p, struct counts *c, mpn m, int slot)
{
	enum page_state s = mpn_state(m);

	c->vm[s]++;
	if (s != PAGE_SHARED)
		return;
	if ((m & MPN_INDEX) < p->limit)
		c->refs[m & MPN_INDEX]++;
	else
		wrong(c, "a page is on a frame that there is not", slot);
}

/* Holes of the pmap's file are not read: that would fill them. No entry of memory is partly in one. */
static void count_pmap(const struct mm_pool *p, struct counts *c, int slot)
{
	const struct pool_pmap *m = &p->pmaps[slot];
	off_t at = 0, end;

	for (unsigned i = 0; i < PAGE_STATES; i++)
		c->vm[i] = 0;
	while (m->fd >= 0 && (at = lseek(m->fd, at, SEEK_DATA)) >= 0) {
		uint64_t first = ((uint64_t)at + sizeof(*m->map) - 1) / sizeof(*m->map);

		end = lseek(m->fd, at, SEEK_HOLE);
		if (end <= at)
			break;
		for (uint64_t k = first; k < NPPN && (k + 1) * sizeof(*m->map) <= (uint64_t)end; k++)
			if (m->map[k].kind != PAGE_NONE)
				count_page(p, c, m->map[k].mpn, slot);
		at = end;
	}
	for (unsigned i = 0; i < PAGE_STATES; i++)
		c->b.pages[i] += c->vm[i];
}

static bool counts_begin(const struct mm_pool *p, struct counts *c)
{
	*c = (struct counts){ .b.slot = -1 };
	c->refs = mmap(NULL, p->limit * sizeof(*c->refs), PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	return c->refs != MAP_FAILED;
}

static void counts_end(const struct mm_pool *p, struct counts *c)
{
	munmap(c->refs, p->limit * sizeof(*c->refs));
}

/* ---- VMs that come ---- */

int mm_pool_admit(struct mm_pool *p, const char *name, int pid)
{
	struct mm_slot *s = block_slot_take(p);

	if (!s)
		return -1;
	for (unsigned i = 0; i < MM_NAME - 1 && name[i]; i++)
		s->name[i] = name[i];
	s->pid = pid;
	atomic_store(&s->scan_rate, MM_SCAN_RATE);
	return (int)(s - p->slots);
}

bool mm_pool_pmap(struct mm_pool *p, unsigned slot, int fd)
{
	size_t bytes = NPPN * sizeof(struct pmap_entry);
	void *map = MAP_FAILED;

	if (slot < MM_VMS && state_of(p, slot) == SLOT_JOINS && block_file_is(fd, bytes))
		map = mmap(NULL, bytes, PROT_READ, MAP_SHARED | MAP_NORESERVE, fd, 0);
	if (map == MAP_FAILED) {
		close(fd);
		return false;
	}
	p->pmaps[slot] = (struct pool_pmap){ fd, map };
	atomic_store(&p->slots[slot].state, SLOT_LIVES);
	return true;
}

static void forget_pmap(struct mm_pool *p, unsigned slot)
{
	struct pool_pmap *m = &p->pmaps[slot];

	if (m->fd >= 0) {
		munmap((void *)(uintptr_t)m->map, NPPN * sizeof(*m->map));
		close(m->fd);
	}
	*m = (struct pool_pmap){ .fd = -1 };
}

void pool_forget_pmaps(struct mm_pool *p)
{
	for (unsigned i = 0; i < MM_VMS; i++)
		forget_pmap(p, i);
}

/* ---- VMs that have died ---- */

static bool any_died(const struct mm_pool *p)
{
	for (unsigned i = 0; i < MM_VMS; i++)
		if (state_of(p, i) == SLOT_DIED)
			return true;
	return false;
}

static void set_frame(struct mm_pool *p, uint32_t frame, uint32_t refs)
{
	uint32_t were = atomic_load(&p->refs[frame]);

	if (!refs && were) {
		share_forget(p, frame);
		pool_punch(p->fd, frame, 1);
	}
	if (refs != were)
		atomic_store(&p->refs[frame], refs);
}

static void set_books(struct mm_pool *p, struct counts *c)
{
	uint64_t used = 0;

	for (unsigned i = 0; i < MM_VMS; i++) {
		if (state_of(p, i) != SLOT_LIVES && state_of(p, i) != SLOT_JOINS)
			continue;
		count_pmap(p, c, (int)i);
		used += atomic_load(&p->slots[i].charged);
	}
	for (uint32_t i = 0; i < p->limit; i++) {
		set_frame(p, i, c->refs[i]);
		used += c->refs[i] != 0;
	}
	atomic_store(&p->block->used, used < UINT32_MAX ? (uint32_t)used : UINT32_MAX);
}

static void free_lock(struct mm_pool *p)
{
	uint32_t lock = atomic_load(&p->block->lock);

	if (!lock || (lock <= MM_VMS && state_of(p, lock - 1) == SLOT_LIVES))
		return;
	share_rebuild(p);
	atomic_store(&p->block->lock, 0);
}

bool mm_pool_reclaim(struct mm_pool *p)
{
	struct counts c;

	if (!any_died(p))
		return true;
	if (!counts_begin(p, &c))
		return false;
	if (block_hold(p)) {
		set_books(p, &c);
		free_lock(p);
		for (unsigned i = 0; i < MM_VMS; i++)
			if (state_of(p, i) == SLOT_DIED) {
				forget_pmap(p, i);
				block_slot_free(p, &p->slots[i]);
			}
		block_release(p);
	}
	counts_end(p, &c);
	return !any_died(p);
}

void mm_pool_died(struct mm_pool *p, unsigned slot)
{
	if (slot >= MM_VMS || state_of(p, slot) == SLOT_FREE)
		return;
	atomic_store(&p->slots[slot].state, SLOT_DIED);
	mm_pool_reclaim(p);
}

/* ---- the books of all ---- */

static void check_vm(const struct mm_pool *p, struct counts *c, unsigned slot)
{
	const struct mm_slot *s = &p->slots[slot];

	count_pmap(p, c, (int)slot);
	c->b.vms++;
	for (unsigned i = 0; i < PAGE_STATES; i++)
		if (p->pmaps[slot].fd >= 0 && atomic_load(&s->pages[i]) != c->vm[i])
			wrong(c, "a VM's figures of its pages differ from its pmap", (int)slot);
	/* A page that is being read back is charged, and not at home yet. */
	if (p->pmaps[slot].fd >= 0 && atomic_load(&s->charged) < c->vm[PAGE_PRIVATE])
		wrong(c, "a VM has more pages at home than are charged for it", (int)slot);
	c->b.used += atomic_load(&s->charged);
}

static void check_frames(const struct mm_pool *p, struct counts *c)
{
	for (uint32_t i = 0; i < p->limit; i++) {
		uint32_t refs = atomic_load(&p->refs[i]);

		if (refs != c->refs[i])
			wrong(c, "references of a frame are not as many as pages on it", -1);
		c->b.frames += refs != 0;
	}
	c->b.used += c->b.frames;
	if (atomic_load(&p->block->used) != c->b.used)
		wrong(c, "the pool has charged another number of pages than there are", -1);
	if (c->b.used > p->limit)
		wrong(c, "more pages are charged than there are", -1);
}

bool mm_pool_check(struct mm_pool *p, struct mm_pool_books *b)
{
	struct counts c;

	if (!counts_begin(p, &c)) {
		*b = (struct mm_pool_books){ .wrong = "no memory to count in", .slot = -1 };
		return false;
	}
	if (!block_hold(p)) {
		c.b.busy = true;
		wrong(&c, "a VM does not come to rest", -1);
	} else {
		for (unsigned i = 0; i < MM_VMS; i++)
			if (state_of(p, i) == SLOT_LIVES || state_of(p, i) == SLOT_JOINS)
				check_vm(p, &c, i);
		if (any_died(p))
			wrong(&c, "pages of a VM that died are not taken back yet", -1);
		check_frames(p, &c);
		if (!share_check(p))
			wrong(&c, "the table of contents is damaged", -1);
		block_release(p);
	}
	counts_end(p, &c);
	*b = c.b;
	return !b->wrong;
}
