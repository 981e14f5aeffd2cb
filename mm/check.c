/* SPDX-License-Identifier: GPL-3.0-or-later
 * The books of a VM's memory: every page is counted by its state and compared with what was charged, with
 * the references of shared frames, with what the host has populated, and with the windows, which map no
 * page that is not in memory. */
#include "mm/window/region.h"
#include "mm/pages.h"

const char *mm_state_name(enum page_state s)
{
	static const char *const names[] = { "private", "shared", "swapped", "ballooned", "absent" };

	return s < PAGE_STATES ? names[s] : "?";
}

bool mm_state_of(const struct mm_vm *vm, ppn p, enum page_state *s)
{
	if (vm_next_ram(vm, p) != p || !ppn_ram(vm, p))
		return false;
	*s = page_state(vm, p);
	return true;
}

const struct mm_counts *mm_counts(const struct mm_vm *vm)
{
	return &vm->n;
}

void mm_count(const struct mm_vm *vm, struct mm_books *b)
{
	*b = (struct mm_books){ .charged = atomic_load(&vm->slot->charged),
				.populated = mm_vm_populated(vm),
				.at = UINT32_MAX };
	for (uint64_t p = vm_next_ram(vm, 0); p < vm->nppn; p = vm_next_ram(vm, p + 1))
		if (ppn_memory(vm, p))
			b->pages[page_state(vm, (ppn)p)]++;
}

static void wrong(struct mm_books *b, const char *what, ppn at)
{
	if (b->wrong)
		return;
	b->wrong = what;
	b->at = at;
}

static void check_page(const struct mm_vm *vm, ppn p, struct mm_books *b)
{
	mpn m = vm->pmap[p].mpn;

	if (!ppn_ram(vm, p) && vm->pmap[p].rmap)
		wrong(b, "something that is not memory is in a window", p);
	if (!ppn_memory(vm, p))
		return;
	switch (mpn_state(m)) {
	case PAGE_PRIVATE:
		if (m != p)
			wrong(b, "a private page is not in its home slot", p);
		break;
	case PAGE_SHARED:
		if ((m & MPN_INDEX) >= vm->pool->limit || !pool_frame_refs(vm->pool, m))
			wrong(b, "a shared page is on no frame", p);
		break;
	case PAGE_SWAPPED:
		if (vm->swap.fd < 0 || (m & MPN_INDEX) != p)
			wrong(b, "a swapped page is not in its place of the file", p);
		break;
	default:
		break;
	}
}

/* A window belongs to a space that exists, and has as many dimensions. */
static void check_space(const struct mmu *m, const struct window *w, struct mm_books *b)
{
	const struct space *s = &m->space[w->space];

	if (!s->used || w->nested != (s->n.translate != NULL))
		wrong(b, "a window belongs to no address space", UINT32_MAX);
	if (w->outdated && !w->need_sync)
		wrong(b, "a window is used that was invalidated", UINT32_MAX);
}

/* An entry of window W that is known. */
static void check_entry(const struct mm_vm *vm, uint64_t s, struct mm_books *b)
{
	ppn p = (ppn)(s >> 12);
	mpn m = vm->pmap[p].mpn;

	if (s & (SH_P | SH_SOFT))
		b->mapped++;
	if (!ppn_ram(vm, p))
		wrong(b, "a window has a page that is not memory", p);
	else if ((s & SH_P) && !mpn_in_memory(m))
		wrong(b, "a page that is not in memory is mapped", p);
	else if ((s & (SH_W | SH_SOFT)) && m != p)
		wrong(b, "a page that is not at home is mapped writable, or soft", p);
	else if ((s & (SH_W | SH_SW)) && page_write_check(vm, p, WRITE_BY_GUEST) != PAGE_WRITE_OK)
		wrong(b, "a page that may not be written is writable", p);
}

static void check_windows(const struct mm_vm *vm, struct mm_books *b)
{
	uint64_t known = 0;

	for (unsigned i = 0; vm->mmu && i < win_ids(vm->mmu); i++) {
		const struct window *w = win_at(vm->mmu, i);
		unsigned shift = w->pae ? 9 : 10;

		known += w->used ? w->known : 0;
		if (w->used)
			check_space(vm->mmu, w, b);
		for (unsigned k = 0; w->used && k < w->nactive; k++)
			for (vpn32 v = (vpn32)w->active[k] << shift; v < (w->active[k] + 1u) << shift; v++)
				if (w->shadow[v] & SH_IN)
					check_entry(vm, sh_get(w, v), b);
	}
	if (known != vm->rmap_used)
		wrong(b, "the reverse map has not as many pages as the windows", UINT32_MAX);
}

/* The frames of the pool against the pages on them, when all are VM's. */
static void check_frames(const struct mm_vm *vm, struct mm_books *b)
{
	const struct mm_pool *p = vm->pool;
	uint64_t refs = 0, frames = 0;

	for (uint32_t i = 0; i < p->limit; i++) {
		uint32_t n = atomic_load(&p->refs[i]);

		refs += n;
		frames += n != 0;
	}
	if (refs != b->pages[PAGE_SHARED])
		wrong(b, "references of frames are not as many as shared pages", UINT32_MAX);
	if (atomic_load(&p->block->used) != b->charged + frames)
		wrong(b, "the pool has charged another number of pages than there are", UINT32_MAX);
}

bool mm_check(const struct mm_vm *vm, bool alone, struct mm_books *b)
{
	mm_count(vm, b);
	for (uint64_t p = vm_next_ram(vm, 0); p < vm->nppn; p = vm_next_ram(vm, p + 1))
		check_page(vm, (ppn)p, b);
	check_windows(vm, b);
	if (alone && vm->pool->joined < 0) /* the host has the others' pmaps: mm_pool_check() */
		check_frames(vm, b);
	for (unsigned i = 0; i < PAGE_STATES; i++)
		if (atomic_load(&vm->slot->pages[i]) != b->pages[i])
			wrong(b, "a VM's figures of its pages differ from its pmap", UINT32_MAX);
	if (b->charged != b->pages[PAGE_PRIVATE])
		wrong(b, "not as many pages are charged as are private", UINT32_MAX);
	if (vm->swap.fd >= 0 && b->populated > b->charged) /* without it the host may use large pages */
		wrong(b, "the host has populated more pages than are charged", UINT32_MAX);
	return !b->wrong;
}
