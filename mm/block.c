/* SPDX-License-Identifier: GPL-3.0-or-later
 * The block: its file, its slots, messages, and how a VM waits at its edge for the host. */
#include "mm/block.h"

#include "base/gpr.h"
#include "mm/host.h"
#include "mm/policy/share.h"
#include "mm/vm.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stddef.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define LAYOUT                                                                                               \
	((uint32_t)(sizeof(struct block) * 31 + sizeof(struct mm_slot) * 7 + sizeof(struct pmap_entry)))
#define SEALS (F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL)

static size_t table_at(uint32_t limit)
{
	return (sizeof(struct block) + limit * sizeof(uint32_t) + 63) & ~(size_t)63;
}

static size_t block_bytes(uint32_t limit)
{
	return (table_at(limit) + share_bytes(limit) + PAGE_MASK) & ~(size_t)PAGE_MASK;
}

int block_file(const char *name, uint64_t bytes)
{
	int fd = memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING);

	if (fd < 0)
		return -1;
	if (!ftruncate(fd, (off_t)bytes) && !fcntl(fd, F_ADD_SEALS, SEALS))
		return fd;
	close(fd);
	return -1;
}

bool block_file_is(int fd, uint64_t bytes)
{
	struct stat st;
	int seals = fcntl(fd, F_GET_SEALS);

	return seals >= 0 && (seals & SEALS) == SEALS && !fstat(fd, &st) && (uint64_t)st.st_size == bytes;
}

static bool map(struct mm_pool *p)
{
	int flags = MAP_SHARED | MAP_NORESERVE | (p->block_fd < 0 ? MAP_ANONYMOUS : 0);
	struct block *b = mmap(NULL, p->block_bytes, PROT_READ | PROT_WRITE, flags, p->block_fd, 0);

	if (b == MAP_FAILED)
		return false;
	p->block = b;
	return true;
}

static void find_parts(struct mm_pool *p)
{
	p->refs = p->block->refs;
	p->slots = p->block->slots;
	share_find(p, (uint8_t *)p->block + table_at(p->limit));
}

bool block_make(struct mm_pool *p, bool hosted)
{
	p->block_bytes = block_bytes(p->limit);
	if (hosted && (p->block_fd = block_file("vitrine-block", p->block_bytes)) < 0)
		return false;
	if (!map(p))
		return false;
	find_parts(p);
	p->block->magic = BLOCK_MAGIC;
	p->block->layout = LAYOUT;
	p->block->limit = p->limit;
	atomic_store(&p->block->common.scan_rate, hosted ? MM_SCAN_RATE_ALL : UINT32_MAX);
	mm_policy_init(&p->block->policy, hosted);
	share_init(p);
	return true;
}

bool block_map(struct mm_pool *p)
{
	struct stat st;

	if (fstat(p->block_fd, &st) || (uint64_t)st.st_size < sizeof(struct block) ||
	    !block_file_is(p->block_fd, (uint64_t)st.st_size))
		return false;
	p->block_bytes = (size_t)st.st_size;
	if (!map(p))
		return false;
	p->limit = p->block->limit;
	if (p->block->magic != BLOCK_MAGIC || p->block->layout != LAYOUT || p->limit > MPN_INDEX ||
	    p->block_bytes != block_bytes(p->limit))
		return false;
	find_parts(p);
	return true;
}

void block_unmap(struct mm_pool *p)
{
	if (p->block)
		munmap(p->block, p->block_bytes);
	if (p->block_fd >= 0)
		close(p->block_fd);
	if (p->host_fd >= 0)
		close(p->host_fd);
}

/* ---- slots ---- */

struct mm_slot *block_slot_take(struct mm_pool *p)
{
	for (unsigned i = 0; i < MM_VMS; i++) {
		struct mm_slot *s = &p->slots[i];
		uint32_t none = SLOT_FREE;

		if (!atomic_compare_exchange_strong(&s->state, &none, SLOT_JOINS))
			continue;
		s->id = atomic_fetch_add(&p->block->ids, 1) + 1;
		atomic_store(&s->swap_target, UINT32_MAX);
		return s;
	}
	return NULL;
}

void block_slot_free(struct mm_pool *p, struct mm_slot *s)
{
	struct block_ring *r = &p->block->rings[s - p->slots];

	atomic_store(&r->head, 0);
	atomic_store(&r->tail, 0);
	gpr_zero(&s->id, sizeof(*s) - offsetof(struct mm_slot, id));
	atomic_store(&s->state, SLOT_FREE);
}

struct mm_slot *mm_pool_slot(struct mm_pool *p, unsigned i)
{
	return i < MM_VMS ? &p->slots[i] : NULL;
}

struct mm_common *mm_common(struct mm_pool *p)
{
	return &p->block->common;
}

/* ---- messages ---- */

void block_post(struct mm_pool *p, unsigned slot, ppn page)
{
	struct block_ring *r = &p->block->rings[slot % MM_VMS];
	uint32_t tail = atomic_load(&r->tail);

	if (tail - atomic_load(&r->head) >= RING)
		return;
	atomic_store(&r->page[tail % RING], page);
	pool_step(p);
	atomic_store(&r->tail, tail + 1);
}

bool block_next(struct mm_pool *p, unsigned slot, ppn *page)
{
	struct block_ring *r = &p->block->rings[slot % MM_VMS];
	uint32_t head = atomic_load(&r->head);

	if (head == atomic_load(&r->tail))
		return false;
	*page = atomic_load(&r->page[head % RING]);
	atomic_store(&r->head, head + 1);
	return true;
}

/* ---- the VMs' side of the hold ---- */

/* Sleep a moment. False: the host has ended. */
static bool wait_for_host(const struct mm_pool *p)
{
	struct pollfd fd = { .fd = p->host_fd, .events = POLLIN };

	return poll(&fd, 1, 1) <= 0;
}

void vm_enter_slowly(struct mm_vm *vm)
{
	struct block *b = vm->pool->block;

	while (atomic_load(&b->hold) && !vm->orphan) {
		atomic_store(&vm->slot->inside, 0);
		while (atomic_load(&b->hold) && !vm->orphan)
			vm->orphan = !wait_for_host(vm->pool);
		atomic_store(&vm->slot->inside, 1);
	}
	if (vm->orphan) /* nobody will count any more; the VM ends */
		vm_fail(vm, MM_FAIL_HOST);
}
