/* SPDX-License-Identifier: GPL-3.0-or-later
 * How much of its memory a VM uses (Waldspurger, OSDI 2002, section 5.3). In each period some pages that are
 * in memory are chosen at random and lose their mappings, soft entries and ways of translated code into
 * them; no neighbour's fill maps them along. The first access to each counts it as touched: by guest code, by
 * a page walk, by a device's DMA, by the semantics of an instruction, by a look-up of code. The monitor's own
 * (sharing, swapping, the debugger) do not count. The page's accessed bit is not used: DMA leaves it clear,
 * and the guest clears it for reasons of its own.
 *
 * Three averages smooth the shares: a slow one, a fast one, and the fast one as it would be if the period
 * ended now. Their maximum rises fast and falls slowly. GPR-only code (base/gpr.h); sample_touched() also in
 * the fault handler. */

#include "mm/window/region.h"

enum { ONE = 1 << 16, SLOW_SHIFT = 3, FAST_SHIFT = 1, TRIES = 16 };

static uint32_t toward(uint32_t average, uint32_t f, unsigned shift)
{
	int64_t d = (int64_t)f - average;

	return (uint32_t)(average + d / (1 << shift));
}

static uint32_t share_of(uint32_t touched, uint32_t sampled)
{
	return sampled ? (uint32_t)((uint64_t)touched * ONE / sampled) : 0;
}

void sample_touched(struct mm_vm *vm, ppn p)
{
	vm->pmap[p].sampled = 0;
	vm->sample.touched++;
}

/* Close all ways to P. Returns how many mappings there were. */
static uint32_t close_page(struct mm_vm *vm, ppn p)
{
	uint32_t n = 0;

	if (vm->hooks.code_revisit)
		vm->hooks.code_revisit(vm->hooks.ctx, p);
	for (; vm->pmap[p].rmap; n++) {
		const struct rmap_node node = vm->rmap[vm->pmap[p].rmap];

		page_unmap(vm->mmu, win_at(vm->mmu, node.win), node.vpn);
	}
	return n;
}

/* A page in memory that is not in the sample yet; UINT32_MAX: several guesses found none. */
static ppn choose(struct mm_vm *vm)
{
	for (unsigned i = 0; i < TRIES; i++) {
		ppn p = vm_random(vm, vm->low);

		if (ppn_ram(vm, p) && mpn_in_memory(vm->pmap[p].mpn) && !vm->pmap[p].sampled)
			return p;
	}
	return UINT32_MAX;
}

static void begin(struct mm_vm *vm, uint32_t n)
{
	struct vm_sample *s = &vm->sample;
	uint64_t start = __builtin_ia32_rdtsc();

	s->n = s->touched = s->mappings = 0;
	if (n > SAMPLE_MAX)
		n = SAMPLE_MAX;
	for (uint32_t i = 0; i < n && vm->low; i++) {
		ppn p = choose(vm);

		if (p == UINT32_MAX)
			continue;
		s->mappings += close_page(vm, p);
		vm->pmap[p].sampled = 1;
		s->page[s->n++] = p;
	}
	s->cycles = __builtin_ia32_rdtsc() - start;
}

/* The period is over: what it was goes into the averages. */
static void end(struct mm_vm *vm, uint64_t vm_ns)
{
	struct vm_sample *s = &vm->sample;
	struct mm_slot *slot = vm->slot;
	uint64_t number = atomic_load(&slot->periods);
	struct mm_sample *to = &slot->sample[number % MM_SAMPLES];
	uint32_t f = share_of(s->touched, s->n);

	for (uint32_t i = 0; i < s->n; i++)
		vm->pmap[s->page[i]].sampled = 0;
	s->slow = number ? toward(s->slow, f, SLOW_SHIFT) : f;
	s->fast = number ? toward(s->fast, f, FAST_SHIFT) : f;
	atomic_store(&slot->sampled, s->n);
	atomic_store(&slot->touched, s->touched);
	atomic_store(&slot->slow, s->slow);
	atomic_store(&slot->fast, s->fast);
	atomic_store(&to->vm_ns, vm_ns);
	atomic_store(&to->sampled, s->n);
	atomic_store(&to->touched, s->touched);
	atomic_store(&to->slow, s->slow);
	atomic_store(&to->fast, s->fast);
	atomic_store(&to->mappings, s->mappings);
	atomic_store(&to->cycles, (uint32_t)(s->cycles < UINT32_MAX ? s->cycles : UINT32_MAX));
	atomic_store(&slot->periods, number + 1);
	s->n = 0;
}

void mm_sample(struct mm_vm *vm, uint32_t pages, uint64_t vm_ns)
{
	if (vm->sample.n)
		end(vm, vm_ns);
	begin(vm, pages);
	mm_sample_now(vm);
}

void mm_sample_now(struct mm_vm *vm)
{
	const struct vm_sample *s = &vm->sample;
	uint32_t f = share_of(s->touched, s->n);

	/* An unfinished period counts only once it shows more. */
	atomic_store(&vm->slot->now, s->n && f > s->fast ? toward(s->fast, f, FAST_SHIFT) : s->fast);
}

void mm_dma_touched(struct mm_vm *vm, gpa a, uint64_t n)
{
	if (!vm->sample.n || !n || !mm_is_ram(vm, a, n))
		return;
	for (uint64_t p = a >> PAGE_SHIFT; p <= (a + n - 1) >> PAGE_SHIFT; p++)
		page_touched(vm, (ppn)p);
}
