/* SPDX-License-Identifier: GPL-3.0-or-later
 * Pages that the guest gives back, by its balloon or as free ones that it reports (Waldspurger, OSDI 2002,
 * section 3.2): they have no memory and read as zeros. What the guest says is checked here: only RAM can be
 * given back, ROM and what is no memory cannot. A page in the balloon that is touched all the same is popped:
 * it gets fresh memory as an absent one does (mm/move.c), and is counted. On the vCPU's thread, or on another
 * while the VM is stopped. GPR-only code (base/gpr.h). */
#include "mm/vm.h"

enum { TOGETHER = 512 }; /* pages, at most: the host waits for changes of the pmap */

/* Is all of [FIRST, FIRST + N) RAM? */
static bool all_ram(const struct mm_vm *vm, uint64_t first, uint32_t n)
{
	if (first >= vm->nppn || n > vm->nppn - first)
		return false;
	for (uint32_t i = 0; i < n; i++)
		if (vm->pmap[first + i].kind != PAGE_RAM)
			return false;
	return true;
}

static uint32_t in_balloon(const struct mm_vm *vm, ppn first, uint32_t n)
{
	uint32_t found = 0;

	for (uint32_t i = 0; i < n; i++)
		found += page_state(vm, first + i) == PAGE_BALLOONED;
	return found;
}

enum mm_balloon mm_balloon_pages(struct mm_vm *vm, uint64_t first, uint32_t n)
{
	if (!all_ram(vm, first, n))
		return MM_BALLOON_NO_RAM;
	if (in_balloon(vm, (ppn)first, n))
		return MM_BALLOON_WAS;
	pages_empty(vm, (ppn)first, n, MPN_BALLOONED);
	return MM_BALLOON_DONE;
}

enum mm_balloon mm_deflate_pages(struct mm_vm *vm, uint64_t first, uint32_t n)
{
	/* (RAM may have been made ROM since.) */
	if (first >= vm->nppn || n > vm->nppn - first || !in_balloon(vm, (ppn)first, n))
		return all_ram(vm, first, n) ? MM_BALLOON_WAS : MM_BALLOON_NO_RAM;
	for (uint32_t i = 0; i < n; i++)
		if (page_state(vm, (ppn)first + i) == PAGE_BALLOONED)
			page_release(vm, (ppn)first + i);
	return MM_BALLOON_DONE;
}

bool mm_next_ballooned(const struct mm_vm *vm, ppn from, ppn *first, uint32_t *n)
{
	ppn p = from, end;

	/* All RAM is below. */
	while (p < vm->low && page_state(vm, p) != PAGE_BALLOONED)
		p++;
	for (end = p; end < vm->low && page_state(vm, end) == PAGE_BALLOONED; end++)
		;
	*first = p;
	*n = end - p;
	return *n;
}

void mm_deflate_all(struct mm_vm *vm)
{
	uint32_t n = 0;

	for (ppn p = 0; mm_next_ballooned(vm, p, &p, &n); p += n)
		mm_deflate_pages(vm, p, n);
}

static bool releasable(const struct mm_vm *vm, ppn p)
{
	enum page_state s = page_state(vm, p);

	return vm->pmap[p].kind == PAGE_RAM && s != PAGE_ABSENT && s != PAGE_BALLOONED;
}

uint32_t mm_release_pages(struct mm_vm *vm, uint64_t first, uint32_t n)
{
	uint64_t end = first + n < vm->nppn ? first + n : vm->nppn;
	uint32_t done = 0, k;

	for (uint64_t p = first; p < end; p += k ? k : 1) {
		for (k = 0; k < TOGETHER && p + k < end && releasable(vm, (ppn)p + k); k++)
			;
		if (k)
			pages_empty(vm, (ppn)p, k, MPN_NONE);
		done += k;
	}
	return done;
}
