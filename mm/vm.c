/* SPDX-License-Identifier: GPL-3.0-or-later
 * One guest's physical memory: home slots and pmap. A VM has one sparse memfd in which PPN P
 * is at P << PAGE_SHIFT. RAM is charged to the pool when it is added, because a fault handler
 * has nobody to ask for a page yet; the host populates it at its first touch. A page that was
 * released is charged again at its next touch. When the VM goes, so do its memfd and all that
 * it held, and the next VM finds zeros. Also access to guest-physical memory for everything
 * that is not translated code. */
#include "mm/vm.h"

#include "base/gpr.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define NPPN (1u << 20) /* 4 GiB */
#define HOME_RESERVED (((uint64_t)NPPN << PAGE_SHIFT) + MMU_HOME_GUARD)
#define RMAP_NODES (64u << 20) /* one for each page of each window */

static void *reserve(size_t n)
{
	void *p = mmap(NULL, n, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	return p == MAP_FAILED ? NULL : p;
}

static bool make_home(struct mm_vm *vm)
{
	uint64_t bytes = (uint64_t)vm->nppn << PAGE_SHIFT;

	vm->fd = memfd_create("vitrine-guest-memory", MFD_CLOEXEC);
	if (vm->fd < 0 || ftruncate(vm->fd, (off_t)bytes))
		return false;
	vm->home = mmap(NULL, HOME_RESERVED, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (vm->home == MAP_FAILED || mmap(vm->home, bytes, PROT_READ | PROT_WRITE,
					   MAP_SHARED | MAP_NORESERVE | MAP_FIXED, vm->fd, 0) == MAP_FAILED)
		return false;
	/* Large host pages, where the system allows them for shared memory: cheaper
	 * host faults, and fewer host TLB misses in the guest's linear map. */
	madvise(vm->home, bytes, MADV_HUGEPAGE);
	return true;
}

struct mm_vm *mm_vm_new(struct mm_pool *p)
{
	struct mm_vm *vm = calloc(1, sizeof(*vm));

	if (!vm)
		return NULL;
	vm->pool = p;
	vm->fd = vm->swap.fd = -1;
	vm->swap.wanted = UINT32_MAX;
	vm->nppn = NPPN;
	vm->pmap = reserve(NPPN * sizeof(*vm->pmap));
	vm->rmap_cap = RMAP_NODES;
	vm->rmap = reserve((size_t)RMAP_NODES * sizeof(*vm->rmap));
	vm->rmap_next = 1;
	vm->slot = pool_slot_take(p);
	if (vm->slot && vm->pmap && vm->rmap && make_home(vm))
		return vm;
	mm_vm_free(vm);
	return NULL;
}

static void give_back(void *p, size_t n)
{
	if (p && p != MAP_FAILED)
		munmap(p, n);
}

static void put_frames(struct mm_vm *vm)
{
	for (ppn p = 0; p < vm->nppn; p++)
		if (vm->pmap[p].kind != PAGE_NONE && page_state(vm, p) == PAGE_SHARED)
			pool_frame_put(vm->pool, vm->pmap[p].mpn);
}

void mm_vm_free(struct mm_vm *vm)
{
	if (!vm)
		return;
	if (vm->pmap)
		put_frames(vm);
	give_back(vm->home, HOME_RESERVED);
	if (vm->fd >= 0)
		close(vm->fd);
	swap_free(vm);
	give_back(vm->pmap, vm->nppn * sizeof(*vm->pmap));
	give_back(vm->rmap, (size_t)RMAP_NODES * sizeof(*vm->rmap));
	pool_credit(vm->pool, vm->charged);
	if (vm->slot)
		pool_slot_free(vm->slot);
	free(vm);
}

static uint32_t count_new(const struct mm_vm *vm, uint64_t first, uint64_t end)
{
	uint32_t n = 0;

	for (uint64_t p = first; p < end; p++)
		n += vm->pmap[p].kind == PAGE_NONE;
	return n;
}

int mm_vm_add_ram(struct mm_vm *vm, gpa a, uint64_t bytes, bool rom)
{
	uint64_t first = a >> PAGE_SHIFT, end = (a + bytes) >> PAGE_SHIFT;
	bool charged;
	uint32_t n;

	if (end > vm->nppn)
		end = vm->nppn;
	n = count_new(vm, first, end);
	charged = pool_charge(vm->pool, n);
	if (!charged && vm->swap.fd < 0) {
		errno = ENOMEM;
		return -1;
	}
	vm->charged += charged ? n : 0;
	vm->slot->configured += n;
	atomic_store(&vm->slot->max, vm->slot->configured);
	for (uint64_t p = first; p < end; p++) {
		if (vm->pmap[p].kind == PAGE_NONE)
			vm->pmap[p].mpn = charged ? (mpn)p : MPN_NONE;
		vm->pmap[p].kind = rom ? PAGE_ROM : PAGE_RAM;
	}
	if (first <= vm->low && end > vm->low)
		vm->low = (uint32_t)end;
	return 0;
}

struct mm_slot *mm_slot(const struct mm_vm *vm)
{
	return vm->slot;
}

void mm_vm_set_rom(struct mm_vm *vm, gpa a, uint64_t bytes, bool rom)
{
	for (uint64_t p = a >> PAGE_SHIFT, end = (a + bytes) >> PAGE_SHIFT; p < end && p < vm->nppn; p++) {
		if (vm->pmap[p].kind == (rom ? PAGE_ROM : PAGE_RAM) || vm->pmap[p].kind == PAGE_NONE)
			continue;
		vm->pmap[p].kind = rom ? PAGE_ROM : PAGE_RAM;
		if (rom)
			rmap_write_protect(vm, (ppn)p);
	}
}

bool mm_is_rom(const struct mm_vm *vm, gpa a)
{
	return a >> PAGE_SHIFT < vm->nppn && vm->pmap[a >> PAGE_SHIFT].kind == PAGE_ROM;
}

uint64_t mm_rom_writes(const struct mm_vm *vm, gpa *recent)
{
	*recent = vm->rom_write;
	return vm->rom_writes;
}

uint64_t mm_vm_populated(const struct mm_vm *vm)
{
	struct stat st;

	return fstat(vm->fd, &st) ? 0 : (uint64_t)st.st_blocks * 512 >> PAGE_SHIFT;
}

gpa mm_next_populated(const struct mm_vm *vm, gpa a)
{
	off_t data = lseek(vm->fd, (off_t)a, SEEK_DATA);
	uint64_t end = data < 0 ? vm->nppn : (uint64_t)data >> PAGE_SHIFT;

	if (data < 0 && errno != ENXIO)
		return a >> PAGE_SHIFT < vm->nppn ? a : UINT64_MAX;
	for (uint64_t p = a >> PAGE_SHIFT; p < end; p++)
		if (page_state(vm, (ppn)p) == PAGE_SHARED || page_state(vm, (ppn)p) == PAGE_SWAPPED)
			return p << PAGE_SHIFT;
	return data < 0 ? UINT64_MAX : (gpa)data;
}

const uint8_t *page_elsewhere(struct mm_vm *vm, ppn p)
{
	static const uint8_t zeros[PAGE_SIZE];

	switch (page_state(vm, p)) {
	case PAGE_SHARED:
		return vm->pool->frames + ((uint64_t)(vm->pmap[p].mpn & MPN_INDEX) << PAGE_SHIFT);
	case PAGE_SWAPPED:
		return swap_peek(vm, p);
	default:
		return zeros;
	}
}

/* ---- access to guest-physical memory ---- */

bool mm_is_ram(const struct mm_vm *vm, gpa a, uint64_t n)
{
	if (!n)
		return true;
	if (a + n < a)
		return false;
	for (uint64_t p = a >> PAGE_SHIFT; p <= (a + n - 1) >> PAGE_SHIFT; p++)
		if (!ppn_ram(vm, p))
			return false;
	return true;
}

bool mm_phys_read(struct mm_vm *vm, gpa a, void *buf, uint64_t n)
{
	uint8_t *out = buf;

	if (!mm_is_ram(vm, a, n))
		return false;
	while (n) {
		unsigned off = a & PAGE_MASK;
		uint64_t chunk = PAGE_SIZE - off < n ? PAGE_SIZE - off : n;

		if (page_state(vm, (ppn)(a >> PAGE_SHIFT)) != PAGE_SWAPPED)
			gpr_copy(out, page_read(vm, (ppn)(a >> PAGE_SHIFT)) + off, chunk);
		else if (!swap_read(vm, (ppn)(a >> PAGE_SHIFT), off, out, chunk))
			return false;
		out += chunk;
		a += chunk;
		n -= chunk;
	}
	return true;
}

bool mm_phys_write(struct mm_vm *vm, gpa a, const void *buf, uint64_t n)
{
	const uint8_t *in = buf;

	if (!mm_is_ram(vm, a, n))
		return false;
	while (n) {
		unsigned off = a & PAGE_MASK;
		uint64_t chunk = PAGE_SIZE - off < n ? PAGE_SIZE - off : n;
		uint8_t *page =
		    page_write(vm, (ppn)(a >> PAGE_SHIFT), off, (unsigned)chunk, WRITE_BY_OPERATOR);

		if (!page)
			return false;
		gpr_copy(page + off, in, chunk);
		in += chunk;
		a += chunk;
		n -= chunk;
	}
	return true;
}

const uint8_t *mm_page_bytes(struct mm_vm *vm, ppn p)
{
	return page_read(vm, p);
}

void mm_set_hooks(struct mm_vm *vm, const struct mm_hooks *hooks)
{
	vm->hooks = *hooks;
}

/* ---- failures of the host's ---- */

void vm_fail(struct mm_vm *vm, enum mm_failure why)
{
	if (vm->failure == MM_FAIL_NONE)
		vm->failure = why;
	if (vm->hooks.failed)
		vm->hooks.failed(vm->hooks.ctx, mm_failure_text(why));
}

const char *mm_failure_text(enum mm_failure why)
{
	switch (why) {
	case MM_FAIL_MEMORY:
		return "machine memory is exhausted";
	case MM_FAIL_SWAP:
		return "the swap file cannot be read or written";
	case MM_FAIL_MAPPING:
		return "the host refused to map guest memory; see vm.max_map_count and ulimit -v";
	default:
		return "";
	}
}
