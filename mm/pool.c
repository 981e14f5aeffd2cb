/* SPDX-License-Identifier: GPL-3.0-or-later
 * Machine memory and the pmap: who owns which machine page. Also access to
 * guest-physical memory for everything that is not translated code. */
#include "mm/mm_int.h"

#include "base/gpr.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

struct mm_pool *mm_pool_new(uint64_t bytes)
{
	struct mm_pool *p = calloc(1, sizeof(*p));

	if (!p)
		return NULL;
	p->npages = (uint32_t)((bytes + PAGE_MASK) >> PAGE_SHIFT);
	p->nfree = p->npages;
	bytes = (uint64_t)p->npages << PAGE_SHIFT;
	p->fd = memfd_create("vitrine-machine-memory", MFD_CLOEXEC);
	if (p->fd < 0)
		goto fail;
	if (ftruncate(p->fd, (off_t)bytes))
		goto fail_fd;
	p->base = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, p->fd, 0);
	if (p->base == MAP_FAILED)
		goto fail_fd;
	/* Large host pages, where the system allows them for shared memory: cheaper
	 * host faults, and fewer host TLB misses in the guest's linear map. */
	madvise(p->base, bytes, MADV_HUGEPAGE);
	p->free_list = calloc(p->npages ? p->npages : 1, sizeof(*p->free_list));
	if (p->free_list)
		return p;
	munmap(p->base, bytes);
fail_fd:
	close(p->fd);
fail:
	free(p);
	return NULL;
}

void mm_pool_free(struct mm_pool *p)
{
	if (!p)
		return;
	munmap(p->base, (uint64_t)p->npages << PAGE_SHIFT);
	close(p->fd);
	free(p->free_list);
	free(p);
}

mpn mm_pool_alloc(struct mm_pool *p)
{
	if (!p->nfree)
		return UINT32_MAX;
	p->nfree--;
	if (p->next < p->npages)
		return p->next++;
	return p->free_list[p->nfree];
}

struct mm_vm *mm_vm_new(struct mm_pool *p)
{
	struct mm_vm *vm = calloc(1, sizeof(*vm));

	if (!vm)
		return NULL;
	vm->pool = p;
	vm->nppn = 1u << 20;
	vm->pmap = mmap(NULL, vm->nppn * sizeof(*vm->pmap), PROT_READ | PROT_WRITE,
			MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	/* Reverse-map nodes: one per mapped page and window; lazily backed. */
	vm->rmap_cap = 32u << 20;
	vm->rmap = mmap(NULL, (size_t)vm->rmap_cap * sizeof(*vm->rmap), PROT_READ | PROT_WRITE,
			MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	vm->rmap_next = 1;
	if (vm->pmap == MAP_FAILED || vm->rmap == MAP_FAILED) {
		free(vm);
		return NULL;
	}
	return vm;
}

/* Runs of MPNs go back with one call; page by page would take longer than the boot. */
static void zero_run(struct mm_pool *p, mpn first, uint32_t n)
{
	if (n)
		madvise(p->base + ((uint64_t)first << PAGE_SHIFT), (uint64_t)n << PAGE_SHIFT, MADV_REMOVE);
}

void mm_vm_free(struct mm_vm *vm)
{
	mpn first = 0;
	uint32_t run = 0;

	if (!vm)
		return;
	for (ppn p = 0; p < vm->nppn; p++)
		if (vm->pmap[p].kind != PAGE_NONE) {
			/* the next owner must find zeros */
			if (vm->pmap[p].mpn != first + run) {
				zero_run(vm->pool, first, run);
				first = vm->pmap[p].mpn;
				run = 0;
			}
			run++;
			vm->pool->free_list[vm->pool->nfree++] = vm->pmap[p].mpn;
		}
	zero_run(vm->pool, first, run);
	munmap(vm->pmap, vm->nppn * sizeof(*vm->pmap));
	munmap(vm->rmap, (size_t)vm->rmap_cap * sizeof(*vm->rmap));
	free(vm);
}

int mm_vm_add_ram(struct mm_vm *vm, gpa a, uint64_t bytes, bool rom)
{
	for (uint64_t p = a >> PAGE_SHIFT; p < (a + bytes) >> PAGE_SHIFT && p < vm->nppn; p++) {
		mpn n = vm->pmap[p].kind != PAGE_NONE ? vm->pmap[p].mpn : mm_pool_alloc(vm->pool);

		if (n == UINT32_MAX) {
			errno = ENOMEM;
			return -1;
		}
		vm->pmap[p].mpn = n;
		vm->pmap[p].kind = rom ? PAGE_ROM : PAGE_RAM;
	}
	return 0;
}

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

		gpr_copy(out, pool_page(vm, (ppn)(a >> PAGE_SHIFT)) + off, chunk);
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
		ppn p = (ppn)(a >> PAGE_SHIFT);
		unsigned off = a & PAGE_MASK;
		uint64_t chunk = PAGE_SIZE - off < n ? PAGE_SIZE - off : n;

		if (vm->pmap[p].code && vm->hooks.code_write)
			vm->hooks.code_write(vm->hooks.ctx, p, off, (unsigned)chunk);
		gpr_copy(pool_page(vm, p) + off, in, chunk);
		in += chunk;
		a += chunk;
		n -= chunk;
	}
	return true;
}

const uint8_t *mm_page_bytes(const struct mm_vm *vm, ppn p)
{
	return pool_page(vm, p);
}

void mm_set_hooks(struct mm_vm *vm, const struct mm_hooks *hooks)
{
	vm->hooks = *hooks;
}

uint32_t rmap_add(struct mm_vm *vm, ppn p, unsigned win, uint32_t vpn)
{
	uint32_t n = vm->rmap_free;

	if (n)
		vm->rmap_free = vm->rmap[n].next;
	else if (vm->rmap_next < vm->rmap_cap)
		n = vm->rmap_next++;
	else
		return 0;
	vm->rmap[n].vpn = vpn;
	vm->rmap[n].win = win;
	vm->rmap[n].next = vm->pmap[p].rmap;
	vm->pmap[p].rmap = n;
	return n;
}

void rmap_del(struct mm_vm *vm, ppn p, unsigned win, uint32_t vpn)
{
	for (uint32_t *link = &vm->pmap[p].rmap; *link; link = &vm->rmap[*link].next) {
		struct rmap_node *n = &vm->rmap[*link];
		uint32_t idx = *link;

		if (n->vpn != vpn || n->win != win)
			continue;
		*link = n->next;
		n->next = vm->rmap_free;
		vm->rmap_free = idx;
		return;
	}
}

void mm_trace_code(struct mm_vm *vm, ppn p)
{
	if (vm->pmap[p].code)
		return;
	vm->pmap[p].code = 1;
	for (uint32_t n = vm->pmap[p].rmap; n; n = vm->rmap[n].next)
		win_write_protect(vm->mmu, vm->rmap[n].win, vm->rmap[n].vpn);
}

/* Mappings become writable again at their next write. */
void mm_untrace_code(struct mm_vm *vm, ppn p)
{
	vm->pmap[p].code = 0;
}
