/* SPDX-License-Identifier: GPL-3.0-or-later
 * One guest's physical memory: home slots and pmap. A VM has one sparse memfd in which PPN P
 * is at P << PAGE_SHIFT. RAM is charged to a private pool when it is added, and the host populates it at its
 * first touch; in the pool of a host it is charged at that touch. A page that was released is charged again
 * at its next touch. When the VM goes, so do its memfd and all that
 * it held, and the next VM finds zeros. Also access to guest-physical memory for everything
 * that is not translated code. */
#include "mm/mm_int.h"

#include "base/gpr.h"
#include "mm/host.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define HOME_RESERVED (((uint64_t)NPPN << PAGE_SHIFT) + MMU_HOME_GUARD)
#define RMAP_NODES (64u << 20) /* one for each page of each window */

static void *reserve(size_t n)
{
	void *p = mmap(NULL, n, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	return p == MAP_FAILED ? NULL : p;
}

/* Map home slots from PPN FIRST up to vm->nppn. */
static bool map_home(struct mm_vm *vm, uint32_t first)
{
	uint64_t from = (uint64_t)first << PAGE_SHIFT, bytes = ((uint64_t)vm->nppn << PAGE_SHIFT) - from;
	bool large = vm->pool->block_fd < 0 && vm->swap.fd < 0;

	if (ftruncate(vm->fd, (off_t)(from + bytes)) ||
	    mmap(vm->home + from, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_NORESERVE | MAP_FIXED,
		 vm->fd, (off_t)from) == MAP_FAILED)
		return false;
	/* Large host pages, where the system allows them for shared memory: cheaper
	 * host faults, and fewer host TLB misses in the guest's linear map. Where pages are
	 * charged one by one, a large one would take memory that is not. */
	madvise(vm->home + from, bytes, large ? MADV_HUGEPAGE : MADV_NOHUGEPAGE);
	return true;
}

static bool make_home(struct mm_vm *vm)
{
	vm->fd = memfd_create("vitrine-guest-memory", MFD_CLOEXEC);
	if (vm->fd < 0)
		return false;
	vm->home = mmap(NULL, HOME_RESERVED, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	return vm->home != MAP_FAILED && map_home(vm, 0);
}

/* Memory beyond 4 GiB is to come. */
static bool grow(struct mm_vm *vm)
{
	vm->nppn = VM_PPNS;
	if (!map_home(vm, LOW_PPNS) || (vm->mmu && !mmu_grow(vm->mmu))) {
		vm->nppn = LOW_PPNS;
		return false;
	}
	return true;
}

/* In a file, so that the host of the pool can read it. */
static bool make_pmap(struct mm_vm *vm)
{
	size_t bytes = NPPN * sizeof(*vm->pmap);

	vm->pmap_fd = block_file("vitrine-pmap", bytes);
	vm->pmap = vm->pmap_fd < 0 ? MAP_FAILED
				   : mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_NORESERVE,
					  vm->pmap_fd, 0);
	return vm->pmap != MAP_FAILED;
}

/* A slot of our own pool, or the one that its host gave us. */
static bool take_slot(struct mm_vm *vm)
{
	struct mm_pool *p = vm->pool;
	unsigned i;

	if (p->joined >= 0) {
		if (p->joined_used)
			return false;
		p->joined_used = true;
		vm->slot = &p->slots[p->joined];
		return true;
	}
	vm->slot = block_slot_take(p);
	if (!vm->slot)
		return false;
	i = vm_slot_number(vm);
	p->pmaps[i] = (struct pool_pmap){ vm->pmap_fd, vm->pmap };
	atomic_store(&vm->slot->state, SLOT_LIVES);
	return true;
}

struct mm_vm *mm_vm_new(struct mm_pool *p)
{
	struct mm_vm *vm = calloc(1, sizeof(*vm));

	if (!vm)
		return NULL;
	vm->pool = p;
	vm->fd = vm->swap.fd = vm->pmap_fd = -1;
	vm->swap.wanted = UINT32_MAX;
	vm->nppn = LOW_PPNS;
	vm->rmap_cap = RMAP_NODES;
	vm->rmap = reserve((size_t)RMAP_NODES * sizeof(*vm->rmap));
	vm->rmap_next = 1;
	if (vm->rmap && make_pmap(vm) && make_home(vm) && take_slot(vm))
		return vm;
	mm_vm_free(vm);
	return NULL;
}

static void give_back(void *p, size_t n)
{
	if (p && p != MAP_FAILED)
		munmap(p, n);
}

/* The VM leaves its slot without pages. The host of the pool frees it, or else we do. */
static void leave_slot(struct mm_vm *vm)
{
	vm_enter(vm);
	for (uint64_t p = vm_next_ram(vm, 0); p < vm->nppn; p = vm_next_ram(vm, p + 1)) {
		mpn m = vm->pmap[p].mpn;

		if (vm->pmap[p].kind == PAGE_NONE || mpn_state(m) != PAGE_SHARED)
			continue;
		page_set(vm, (ppn)p, MPN_NONE);
		pool_frame_put(vm->pool, m);
	}
	vm_credit(vm, atomic_load(&vm->slot->charged));
	if (vm->pool->joined < 0)
		vm->pool->pmaps[vm_slot_number(vm)] = (struct pool_pmap){ .fd = -1 };
	vm_leave(vm);
	if (vm->pool->joined < 0)
		block_slot_free(vm->pool, vm->slot);
}

void mm_vm_free(struct mm_vm *vm)
{
	if (!vm)
		return;
	give_back(vm->home, HOME_RESERVED);
	if (vm->fd >= 0)
		close(vm->fd);
	if (vm->slot)
		leave_slot(vm);
	swap_free(vm);
	give_back(vm->pmap, NPPN * sizeof(*vm->pmap));
	if (vm->pmap_fd >= 0)
		close(vm->pmap_fd);
	give_back(vm->rmap, (size_t)RMAP_NODES * sizeof(*vm->rmap));
	free(vm);
}

int mm_vm_pmap_fd(const struct mm_vm *vm)
{
	return vm->pmap_fd;
}

unsigned vm_slot_number(const struct mm_vm *vm)
{
	return (unsigned)(vm->slot - vm->pool->slots);
}

bool vm_may_share(const struct mm_vm *vm)
{
	return atomic_load(&vm->slot->state) == SLOT_LIVES;
}

/* ---- the credit and the states of pages ---- */

/* One thread at a time adds to a VM's figures. */
static void add(_Atomic uint32_t *figure, uint32_t n)
{
	atomic_store_explicit(figure, atomic_load_explicit(figure, memory_order_relaxed) + n,
			      memory_order_relaxed);
}

bool vm_charge(struct mm_vm *vm, uint32_t n)
{
	bool ok;

	vm_enter(vm);
	pool_step(vm->pool);
	ok = pool_charge(vm->pool, n);
	pool_step(vm->pool);
	if (ok)
		add(&vm->slot->charged, n);
	pool_step(vm->pool);
	vm_leave(vm);
	return ok;
}

void vm_credit(struct mm_vm *vm, uint32_t n)
{
	vm_enter(vm);
	pool_step(vm->pool);
	add(&vm->slot->charged, -n);
	pool_step(vm->pool);
	pool_credit(vm->pool, n);
	pool_step(vm->pool);
	vm_leave(vm);
}

static void count(struct mm_vm *vm, mpn m, uint32_t n)
{
	add(&vm->slot->pages[mpn_state(m)], n);
	if (mpn_state(m) == PAGE_SHARED && pool_frame_zeros(vm->pool, m))
		add(&vm->slot->zeros, n);
}

void page_set(struct mm_vm *vm, ppn p, mpn to)
{
	pool_step(vm->pool);
	count(vm, vm->pmap[p].mpn, -1u);
	count(vm, to, 1);
	vm->pmap[p].mpn = to;
	vm_page_changed(vm, p);
	pool_step(vm->pool);
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
	bool hosted, charged;
	uint32_t n;

	if (end > NPPN)
		end = NPPN;
	if (end > vm->nppn && !grow(vm))
		return -1;
	n = count_new(vm, first, end);
	hosted = vm->pool->block_fd >= 0;
	charged = !hosted && vm_charge(vm, n);
	if (!charged && !hosted && vm->swap.fd < 0) {
		errno = ENOMEM;
		return -1;
	}
	vm->slot->configured += n;
	if (!hosted)
		atomic_store(&vm->slot->max, vm->slot->configured);
	if (!atomic_load(&vm->slot->shares))
		atomic_store(&vm->slot->shares,
			     n * MM_SHARES_PER_MIB > 256 ? n * MM_SHARES_PER_MIB / 256 : 1);
	add(&vm->slot->pages[charged ? PAGE_PRIVATE : PAGE_ABSENT], n);
	for (uint64_t p = first; p < end; p++) {
		if (vm->pmap[p].kind == PAGE_NONE)
			vm->pmap[p].mpn = charged ? (mpn)p : MPN_NONE;
		vm->pmap[p].kind = rom ? PAGE_ROM : PAGE_RAM;
		vm->chunks[p >> CHUNK_SHIFT >> 6] |= 1ull << (p >> CHUNK_SHIFT & 63);
		vm_page_changed(vm, (ppn)p);
	}
	if ((first <= vm->low || first == LOW_PPNS) && end > vm->low) /* with the hole for devices */
		vm->low = (uint32_t)end;
	vm->layouts++;
	if (vm->mmu)
		vm->mmu->device_key = 0;
	return 0;
}

uint32_t mm_vm_layouts(const struct mm_vm *vm)
{
	return vm->layouts;
}

struct mm_pool *mm_vm_pool(const struct mm_vm *vm)
{
	return vm->pool;
}

struct mm_slot *mm_slot(const struct mm_vm *vm)
{
	return vm->slot;
}

unsigned mm_slot_number(const struct mm_vm *vm)
{
	return vm_slot_number(vm);
}

void mm_figures(struct mm_vm *vm, uint64_t vm_ns)
{
	struct mm_slot *s = vm->slot;

	atomic_store(&s->vm_ns, vm_ns);
}

void mm_watch_pages(struct mm_vm *vm, void (*note)(void *ctx, enum mm_event e, ppn p, uint64_t val),
		    void *ctx)
{
	vm->note = note;
	vm->note_ctx = ctx;
}

void mm_vm_set_rom(struct mm_vm *vm, gpa a, uint64_t bytes, bool rom)
{
	for (uint64_t p = a >> PAGE_SHIFT, end = (a + bytes) >> PAGE_SHIFT; p < end && p < vm->nppn; p++) {
		if (vm->pmap[p].kind == (rom ? PAGE_ROM : PAGE_RAM) || !ppn_ram(vm, p))
			continue;
		vm->pmap[p].kind = rom ? PAGE_ROM : PAGE_RAM;
		vm_page_changed(vm, (ppn)p);
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
	for (uint64_t p = vm_next_ram(vm, a >> PAGE_SHIFT); p < end; p = vm_next_ram(vm, p + 1))
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

static bool phys_write(struct mm_vm *vm, gpa a, const void *buf, uint64_t n, enum mm_writer who)
{
	const uint8_t *in = buf;

	if (!mm_is_ram(vm, a, n))
		return false;
	note_access(vm, who, MM_ANYWHERE, MM_ANYWHERE);
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

bool mm_phys_write(struct mm_vm *vm, gpa a, const void *buf, uint64_t n)
{
	return phys_write(vm, a, buf, n, WRITER_OPERATOR);
}

bool mm_dma_write(struct mm_vm *vm, gpa a, const void *buf, uint64_t n)
{
	return phys_write(vm, a, buf, n, WRITER_DEVICE);
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
	case MM_FAIL_HOST:
		return "the host of the VM's memory has ended";
	default:
		return "";
	}
}
