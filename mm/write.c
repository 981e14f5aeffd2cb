/* SPDX-License-Identifier: GPL-3.0-or-later
 * Whether, and where, a page may be written. Filling a window, the processor's accessed and
 * dirty bits, helpers of the semantics, bypasses, loaders and the debugger all ask here. */
#include "mm/mm_int.h"

enum page_write page_write_check(const struct mm_vm *vm, ppn p, enum page_writer by)
{
	const struct pmap_entry *e = &vm->pmap[p];

	if (e->kind == PAGE_NONE || e->kind == PAGE_HIDDEN)
		return PAGE_WRITE_NONE;
	if (e->kind == PAGE_ROM && by == WRITE_BY_GUEST)
		return PAGE_WRITE_ROM;
	if (e->code | e->table)
		return PAGE_WRITE_CODE;
	if (__builtin_expect(!(e->mpn & MPN_AWAY), 1))
		return PAGE_WRITE_OK;
	switch (mpn_state(e->mpn)) {
	case PAGE_SHARED:
		return PAGE_WRITE_SHARED;
	case PAGE_SWAPPED:
		return PAGE_WRITE_SWAPPED;
	default:
		return PAGE_WRITE_ABSENT;
	}
}

uint8_t *page_write(struct mm_vm *vm, ppn p, unsigned off, unsigned n, enum page_writer by)
{
	enum page_write may;

	if (__builtin_expect(vm->pmap[p].table, 0))
		mm_untrace_table(vm, p);
	may = page_write_check(vm, p, by);
	if (may == PAGE_WRITE_CODE) {
		if (vm->hooks.code_write)
			vm->hooks.code_write(vm->hooks.ctx, p, off, n);
		mm_untrace_code(vm, p);
		may = page_write_check(vm, p, by);
	}
	switch (may) {
	case PAGE_WRITE_SWAPPED:
		if (n == PAGE_SIZE) { /* its old content is not needed */
			vm_enter(vm);
			page_set(vm, p, MPN_NONE);
			vm_leave(vm);
			swap_clean(vm, p);
		}
		/* fallthrough */
	case PAGE_WRITE_SHARED:
	case PAGE_WRITE_ABSENT:
		if (!page_bring_home(vm, p)) {
			page_refused(vm);
			return NULL;
		}
		break;
	case PAGE_WRITE_OK:
		break;
	case PAGE_WRITE_ROM:
		vm->rom_writes++;
		vm->rom_write = (gpa)p << PAGE_SHIFT | off;
		return NULL;
	default:
		return NULL;
	}
	return vm->home + ((uint64_t)p << PAGE_SHIFT);
}
