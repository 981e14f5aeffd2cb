/* SPDX-License-Identifier: GPL-3.0-or-later
 * Moving a PPN to another machine page: home to a shared frame, to another frame, home again.
 * On the vCPU's thread, at any point where no instruction of the guest is half done, the fault
 * handler included: it is async-signal-safe. Translated code stays, because fragments are named
 * by PPN; so do jump tables, because every window that maps the page maps it at the same place
 * afterwards. */
#include "mm/window/region.h"

/* Make every mapping of P one of its present machine page, with the rights it has there.
 * A mapping that the host refuses to remake is dropped. */
static void remap(struct mm_vm *vm, ppn p)
{
	uint32_t n = vm->pmap[p].rmap;

	while (n) {
		const struct rmap_node node = vm->rmap[n];
		struct window *w = &vm->mmu->win[node.win];

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
	if (from == MPN_NONE)
		return;
	if (from & MPN_SHARED) {
		pool_frame_put(vm->pool, from);
		return;
	}
	pool_punch(vm->fd, p);
	vm->charged--;
	pool_credit(vm->pool, 1);
}

static void settle(struct mm_vm *vm, ppn p, mpn to)
{
	mpn from = vm->pmap[p].mpn;

	vm->pmap[p].mpn = to;
	remap(vm, p);
	vm->moves++;
	leave(vm, p, from); /* last: nothing maps it any more */
}

bool page_bring_home(struct mm_vm *vm, ppn p)
{
	if (!(vm->pmap[p].mpn & MPN_SHARED))
		return true;
	if (!pool_charge(vm->pool, 1))
		return false;
	vm->charged++;
	if (vm->pmap[p].mpn != MPN_NONE)
		copy_page(vm->home + ((uint64_t)p << PAGE_SHIFT), page_read(vm, p));
	settle(vm, p, p);
	return true;
}

bool page_move(struct mm_vm *vm, ppn p, mpn to)
{
	uint8_t *frame;

	if (!ppn_ram(vm, p) || vm->pmap[p].mpn == MPN_NONE)
		return false;
	if (to == vm->pmap[p].mpn)
		return !(to & MPN_SHARED);
	if (!(to & MPN_SHARED))
		return to == p && page_bring_home(vm, p);
	frame = vm->pool->frames + ((uint64_t)(to & ~MPN_SHARED) << PAGE_SHIFT);
	if (pool_frame_refs(vm->pool, to) == 1)
		copy_page(frame, page_read(vm, p));
	else if (!same_page(frame, page_read(vm, p)))
		return false;
	settle(vm, p, to);
	return true;
}

void page_release(struct mm_vm *vm, ppn p)
{
	if (!ppn_ram(vm, p) || vm->pmap[p].mpn == MPN_NONE)
		return;
	/* Its content changes: what was translated from it goes as at a write. */
	if (vm->pmap[p].code) {
		if (vm->hooks.code_write)
			vm->hooks.code_write(vm->hooks.ctx, p, 0, PAGE_SIZE);
		mm_untrace_code(vm, p);
	}
	while (vm->pmap[p].rmap) {
		const struct rmap_node node = vm->rmap[vm->pmap[p].rmap];

		page_unmap(vm->mmu, &vm->mmu->win[node.win], node.vpn);
	}
	mpn from = vm->pmap[p].mpn;

	vm->pmap[p].mpn = MPN_NONE;
	leave(vm, p, from);
}

/* ---- for tests ---- */

static uint32_t random_below(struct mm_vm *vm, uint32_t n)
{
	vm->random = vm->random * 6364136223846793005ull + 1442695040888963407ull;
	return (uint32_t)(vm->random >> 33) % n;
}

/* A page of RAM or ROM, if possible one that is mapped. */
static ppn random_page(struct mm_vm *vm)
{
	ppn p = 0;

	for (int tries = 0; tries < 64; tries++) {
		p = random_below(vm, vm->charged ? vm->charged : 1);
		if (ppn_ram(vm, p) && vm->pmap[p].rmap)
			break;
	}
	return p;
}

void mm_move_some(struct mm_vm *vm, unsigned n)
{
	while (n--) {
		ppn p = random_page(vm);
		mpn frame = random_below(vm, 4) ? pool_frame_new(vm->pool) : MPN_NONE;

		if (frame == MPN_NONE)
			page_bring_home(vm, p);
		else if (!page_move(vm, p, frame))
			pool_frame_put(vm->pool, frame);
	}
}

uint64_t mm_moves(const struct mm_vm *vm)
{
	return vm->moves;
}
