/* SPDX-License-Identifier: GPL-3.0-or-later
 * Moving a PPN to another machine page: home to a shared frame, to another frame, home again.
 * On the vCPU's thread, at any point where no instruction of the guest is half done, the fault
 * handler included: it is async-signal-safe. Translated code stays, because fragments are named
 * by PPN; so do jump tables, because every window that maps the page maps it at the same place
 * afterwards. */
#include "mm/window/region.h"

#include "base/gpr.h"

#include <unistd.h>

/* Make every mapping of P one of its present machine page, with the rights it has there.
 * A mapping that the host refuses to remake is dropped. */
static void remap(struct mm_vm *vm, ppn p)
{
	uint32_t n = vm->pmap[p].rmap;

	while (n) {
		const struct rmap_node node = vm->rmap[n];
		struct window *w = win_at(vm->mmu, node.win);

		if (win_remap(vm->mmu, w, node.vpn)) {
			n = node.next;
			continue;
		}
		if (w->shadow[node.vpn] & SH_IN)
			page_unmap(vm->mmu, w, node.vpn);
		n = vm->pmap[p].rmap; /* those that are remade already are so again */
	}
}

static void leave(struct mm_vm *vm, ppn p, mpn from)
{
	switch (mpn_state(from)) {
	case PAGE_PRIVATE:
		pool_punch(vm->fd, p, 1);
		vm_credit(vm, 1);
		break;
	case PAGE_SHARED:
		pool_frame_put(vm->pool, from);
		break;
	case PAGE_SWAPPED:
		swap_clean(vm, p);
		break;
	default:
		break;
	}
}

static void settle(struct mm_vm *vm, ppn p, mpn to)
{
	mpn from = vm->pmap[p].mpn;

	vm_enter(vm);
	page_set(vm, p, to);
	remap(vm, p);
	vm->moves++;
	leave(vm, p, from); /* last: nothing maps it any more */
	vm_leave(vm);
}

enum { RUN = 16 };

/* May P, which is absent, be charged along with a page that is touched? */
static bool may_run(const struct mm_vm *vm, ppn p)
{
	return ppn_ram(vm, p) && vm->pmap[p].mpn == MPN_NONE && !vm->pmap[p].rmap;
}

/* P, which is absent, is touched: charge its run of pages with it while the pool has plenty, so that they can
 * be mapped as one. The scan gives back those that are never touched. False: nothing was done. */
static bool bring_run(struct mm_vm *vm, ppn p)
{
	const struct mm_pool *pool = vm->pool;
	uint32_t n = 0, first = p & ~(RUN - 1u), limit = pool->limit - pool->limit / 16;

	for (ppn q = first; q < first + RUN; q++)
		n += q == p || may_run(vm, q);
	if (n == 1 || atomic_load(&pool->block->used) + n > limit || !vm_charge(vm, n))
		return false;
	vm_enter(vm);
	for (ppn q = first; q < first + RUN; q++)
		if (q != p && may_run(vm, q))
			page_set(vm, q, q);
	settle(vm, p, p);
	vm_leave(vm);
	return true;
}

/* Copy N bytes of code at PC, in one page. False: they are not in memory. */
static bool copy_code(struct mm_vm *vm, gva pc, uint8_t *to, unsigned n)
{
	struct walk w;
	ppn p;

	mmu_walk(vm->mmu, pc, MM_PROBE, &w);
	p = (ppn)(w.pa >> PAGE_SHIFT);
	if (!w.ok || !ppn_ram(vm, w.pa >> PAGE_SHIFT) || page_state(vm, p) == PAGE_SWAPPED)
		return false;
	gpr_copy(to, page_read(vm, p) + (w.pa & PAGE_MASK), n);
	return true;
}

/* The instruction at C->PC, as far as its bytes are in memory. */
static void note_insn(struct mm_vm *vm, struct mm_cow *c)
{
	unsigned room = PAGE_SIZE - (c->pc & PAGE_MASK), n = room < MM_COW_INSN ? room : MM_COW_INSN;
	ppn wanted = vm->swap.wanted;

	c->bytes = 0;
	if (c->pc == MM_ANYWHERE || !vm->mmu)
		return;
	c->bits = vm->mmu->cpu->seg[SEG_CS].attr & SA_DB ? 32 : 16;
	if (copy_code(vm, c->pc, c->insn, n))
		c->bytes = (uint8_t)n;
	if (c->bytes && n < MM_COW_INSN && copy_code(vm, c->pc + n, c->insn + n, MM_COW_INSN - n))
		c->bytes = MM_COW_INSN;
	vm->swap.wanted = wanted; /* a walk may have missed a table */
}

static void note_cow(struct mm_vm *vm, ppn p, mpn from, uint64_t start)
{
	struct mm_cow *c = &vm->slot->cow_log[vm->n.cow++ % MM_COWS];
	uint64_t cycles = __builtin_ia32_rdtsc() - start;

	atomic_store(&c->number, 0);
	c->lin = vm->access.lin;
	c->pc = vm->access.pc;
	c->by = vm->access.by;
	c->ppn = p;
	c->frame = from;
	c->left = pool_frame_refs(vm->pool, from);
	c->cycles = (uint32_t)cycles;
	note_insn(vm, c);
	atomic_store(&c->number, atomic_fetch_add(&vm->pool->block->common.cows, 1) + 1);
	atomic_store_explicit(&vm->slot->cow, vm->n.cow, memory_order_relaxed);
	if (vm->note)
		vm->note(vm->note_ctx, MM_COW, p, cycles);
}

/* Copy P, which is away, to its place at home. By its file the host neither clears the new page first nor
 * maps it, which P's windows do anyway. */
static void copy_home(struct mm_vm *vm, ppn p)
{
	const uint8_t *from = page_read(vm, p);

	if (pwrite(vm->fd, from, PAGE_SIZE, (off_t)p << PAGE_SHIFT) != PAGE_SIZE)
		copy_page(vm->home + ((uint64_t)p << PAGE_SHIFT), from);
}

bool page_bring_home(struct mm_vm *vm, ppn p)
{
	uint64_t start = __builtin_ia32_rdtsc();
	mpn from = vm->pmap[p].mpn;
	enum page_state state = page_state(vm, p);

	if (state == PAGE_PRIVATE)
		return true;
	if (state == PAGE_SWAPPED && vm->swap.no_wait) {
		vm->swap.wanted = p;
		return false;
	}
	if (state == PAGE_ABSENT && vm->pool->block_fd >= 0 && bring_run(vm, p))
		return true;
	if (!swap_charge(vm, p))
		return false;
	if (state == PAGE_SWAPPED && !swap_read_home(vm, p)) {
		leave(vm, p, p);
		return false;
	}
	if (state == PAGE_SHARED)
		copy_home(vm, p);
	if (state == PAGE_BALLOONED) {
		vm->n.popped++;
		atomic_fetch_add_explicit(&vm->slot->popped, 1, memory_order_relaxed);
	}
	settle(vm, p, p);
	if (state == PAGE_SHARED)
		note_cow(vm, p, from, start);
	else if (state == PAGE_SWAPPED && vm->note)
		vm->note(vm->note_ctx, MM_SWAP_IN, p, __builtin_ia32_rdtsc() - start);
	return true;
}

void page_refused(struct mm_vm *vm)
{
	if (vm->swap.wanted == UINT32_MAX)
		vm_fail(vm, vm->swap.broken ? MM_FAIL_SWAP : MM_FAIL_MEMORY);
}

bool page_move(struct mm_vm *vm, ppn p, mpn to)
{
	uint8_t *frame;

	if (!ppn_ram(vm, p) || !mpn_in_memory(vm->pmap[p].mpn))
		return false;
	if (to == vm->pmap[p].mpn)
		return !(to & MPN_AWAY);
	if (!(to & MPN_AWAY))
		return to == p && page_bring_home(vm, p);
	frame = vm->pool->frames + ((uint64_t)(to & MPN_INDEX) << PAGE_SHIFT);
	if (pool_frame_refs(vm->pool, to) == 1)
		copy_page(frame, page_read(vm, p));
	else if (!same_page(frame, page_read(vm, p)))
		return false;
	settle(vm, p, to);
	return true;
}

/* Drop all mappings of the N pages from P on. */
static void unmap(struct mm_vm *vm, ppn p, uint32_t n)
{
	for (; n; p++, n--)
		while (vm->pmap[p].rmap) {
			const struct rmap_node node = vm->rmap[vm->pmap[p].rmap];

			pages_unmap(vm->mmu, win_at(vm->mmu, node.win), node.vpn, n);
		}
}

void page_put(struct mm_vm *vm, ppn p, mpn to)
{
	mpn from = vm->pmap[p].mpn;

	unmap(vm, p, 1);
	vm_enter(vm);
	page_set(vm, p, to);
	vm->swap.gone++;
	leave(vm, p, from);
	vm_leave(vm);
}

/* The content of P changes: what was translated from it goes as at a write. */
static void drop_code(struct mm_vm *vm, ppn p)
{
	if (vm->pmap[p].table)
		mm_untrace_table(vm, p);
	if (!vm->pmap[p].code)
		return;
	if (vm->hooks.code_write)
		vm->hooks.code_write(vm->hooks.ctx, p, 0, PAGE_SIZE);
	mm_untrace_code(vm, p);
}

/* Move the first of the N pages from P on, which are not mapped, to TO, and those after it that can go with
 * it: private pages are adjacent in their file, too. Returns how many. Inside. */
static uint32_t put_run(struct mm_vm *vm, ppn p, uint32_t n, mpn to)
{
	mpn from = vm->pmap[p].mpn;
	uint32_t k = 0;

	for (; k < n && page_state(vm, p + k) == PAGE_PRIVATE; k++)
		page_set(vm, p + k, to);
	if (k) {
		pool_punch(vm->fd, p, k);
		vm_credit(vm, k);
		return k;
	}
	page_set(vm, p, to);
	leave(vm, p, from);
	return 1;
}

void pages_empty(struct mm_vm *vm, ppn p, uint32_t n, mpn to)
{
	for (uint32_t i = 0; i < n; i++)
		drop_code(vm, p + i);
	unmap(vm, p, n);
	vm_enter(vm);
	for (uint32_t i = 0; i < n;)
		i += put_run(vm, p + i, n - i, to);
	vm->swap.gone += n;
	vm_leave(vm);
}

void mm_vm_hide(struct mm_vm *vm, gpa a, uint64_t bytes, bool hide)
{
	bool changed = false;

	for (uint64_t p = a >> PAGE_SHIFT, end = (a + bytes) >> PAGE_SHIFT; p < end && p < vm->nppn; p++) {
		if (vm->pmap[p].kind != (hide ? PAGE_RAM : PAGE_HIDDEN))
			continue;
		if (hide) {
			drop_code(vm, (ppn)p);
			unmap(vm, (ppn)p, 1);
		}
		vm->pmap[p].kind = hide ? PAGE_HIDDEN : PAGE_RAM;
		vm_page_changed(vm, (ppn)p);
		changed = true;
	}
	vm->layouts += changed;
	if (changed && vm->mmu)
		vm->mmu->device_key = 0;
}

static void empty(struct mm_vm *vm, ppn p, mpn to)
{
	if (ppn_ram(vm, p) && vm->pmap[p].mpn != to)
		pages_empty(vm, p, 1, to);
}

void page_release(struct mm_vm *vm, ppn p)
{
	empty(vm, p, MPN_NONE);
}

void page_balloon(struct mm_vm *vm, ppn p)
{
	empty(vm, p, MPN_BALLOONED);
}

uint32_t vm_random(struct mm_vm *vm, uint32_t n)
{
	vm->random = vm->random * 6364136223846793005ull + 1442695040888963407ull;
	return (uint32_t)(vm->random >> 33) % n;
}

/* ---- for tests ---- */

/* A page of RAM or ROM, if possible one that is mapped. */
static ppn random_page(struct mm_vm *vm)
{
	ppn p = 0;

	for (int tries = 0; tries < 64; tries++) {
		p = vm_random(vm, vm->low ? vm->low : 1);
		if (ppn_ram(vm, p) && vm->pmap[p].rmap)
			break;
	}
	return p;
}

/* Put P onto a frame of its own. */
static void move_alone(struct mm_vm *vm, ppn p)
{
	mpn frame;

	if (!vm_may_share(vm))
		return;
	vm_enter(vm);
	frame = pool_frame_new(vm->pool);
	if (frame != MPN_NONE && !page_move(vm, p, frame))
		pool_frame_put(vm->pool, frame);
	vm_leave(vm);
}

void mm_move_some(struct mm_vm *vm, unsigned n)
{
	while (n--) {
		ppn p = random_page(vm);

		if (vm_random(vm, 4))
			move_alone(vm, p);
		else
			page_bring_home(vm, p);
	}
}

static bool zeros(const uint8_t *page)
{
	for (unsigned i = 0; i < PAGE_SIZE / 8; i++)
		if (((const uint64_t *)page)[i])
			return false;
	return true;
}

/* One of the states that P can have with its bytes. */
static void change(struct mm_vm *vm, ppn p)
{
	switch (vm_random(vm, 9)) {
	case 0:
		page_bring_home(vm, p);
		break;
	case 1:
	case 2:
	case 3:
		mm_swap_out(vm, p);
		break;
	case 4:
		if (page_state(vm, p) != PAGE_SWAPPED && !vm->pmap[p].code && zeros(page_read(vm, p)))
			page_balloon(vm, p);
		break;
	case 5:
		mm_share_page(vm, p);
		break;
	default:
		move_alone(vm, p);
	}
}

void mm_change_some(struct mm_vm *vm, unsigned n)
{
	while (n--) {
		ppn p = random_page(vm);

		if (ppn_ram(vm, p))
			change(vm, p);
	}
}

uint64_t mm_moves(const struct mm_vm *vm)
{
	return vm->moves;
}
