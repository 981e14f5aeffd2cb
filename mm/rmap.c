/* SPDX-License-Identifier: GPL-3.0-or-later
 * The reverse map: at which VPNs of which windows a PPN is mapped. Everything that takes
 * rights from a page (a code trace, a watchpoint, a move) finds its mappings here, so a page
 * that a window knows is in it, always: whoever enters one asks rmap_room() first. */
#include "mm/mm_int.h"

bool rmap_room(const struct mm_vm *vm, uint32_t n)
{
	return n < vm->rmap_cap && vm->rmap_used < vm->rmap_cap - n;
}

bool rmap_add(struct mm_vm *vm, ppn p, unsigned win, vpn32 vpn)
{
	uint32_t n = vm->rmap_free;

	if (n)
		vm->rmap_free = vm->rmap[n].next;
	else if (vm->rmap_next < vm->rmap_cap)
		n = vm->rmap_next++;
	else
		return false;
	vm->rmap[n].vpn = vpn;
	vm->rmap[n].win = win;
	vm->rmap[n].next = vm->pmap[p].rmap;
	vm->pmap[p].rmap = n;
	vm->rmap_used++;
	return true;
}

void rmap_del(struct mm_vm *vm, ppn p, unsigned win, vpn32 vpn)
{
	for (uint32_t *link = &vm->pmap[p].rmap; *link; link = &vm->rmap[*link].next) {
		struct rmap_node *n = &vm->rmap[*link];
		uint32_t idx = *link;

		if (n->vpn != vpn || n->win != win)
			continue;
		*link = n->next;
		n->next = vm->rmap_free;
		vm->rmap_free = idx;
		vm->rmap_used--;
		return;
	}
}

void rmap_write_protect(struct mm_vm *vm, ppn p)
{
	for (uint32_t n = vm->pmap[p].rmap; n;)
		if (win_write_protect(vm->mmu, vm->rmap[n].win, vm->rmap[n].vpn))
			n = vm->rmap[n].next;
		else
			n = vm->pmap[p].rmap; /* the window was emptied, and its nodes are gone */
}

void mm_trace_code(struct mm_vm *vm, ppn p)
{
	if (vm->pmap[p].code)
		return;
	vm->pmap[p].code = 1;
	vm_page_changed(vm, p);
	rmap_write_protect(vm, p);
}

void mm_trace_table(struct mm_vm *vm, ppn p)
{
	if (vm->pmap[p].table)
		return;
	vm->pmap[p].table = 1;
	vm_page_changed(vm, p);
	rmap_write_protect(vm, p);
}

void mm_untrace_table(struct mm_vm *vm, ppn p)
{
	vm->pmap[p].table = 0;
	vm_page_changed(vm, p);
	quiet_written(vm->mmu, p);
}

/* Mappings become writable again at their next write. */
void mm_untrace_code(struct mm_vm *vm, ppn p)
{
	vm->pmap[p].code = 0;
	vm_page_changed(vm, p);
}
