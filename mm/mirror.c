/* SPDX-License-Identifier: GPL-3.0-or-later
 * See mm/mirror.h. What changes a page notes it in two bitmaps of the VM (vm_page_changed()), of pages and of
 * the words of that bitmap; a sync maps the noted pages, adjacent ones with the same rights in one host call.
 */
#include "mm/vm.h"
#include "mm/mirror.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

struct mm_mirror {
	struct mm_vm *vm;
	uint8_t *base;
	uint64_t remapped;
};

#define SPAN ((size_t)NPPN << PAGE_SHIFT)

struct mm_mirror *mm_mirror_new(struct mm_vm *vm)
{
	struct mm_mirror *r = calloc(1, sizeof(*r));

	if (!r)
		return NULL;
	vm->changed = calloc(1, sizeof(*vm->changed));
	r->base = vm->changed
		      ? mmap(NULL, SPAN, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0)
		      : MAP_FAILED;
	if (r->base == MAP_FAILED) {
		free(vm->changed);
		vm->changed = NULL;
		free(r);
		return NULL;
	}
	r->vm = vm;
	for (uint64_t p = vm_next_ram(vm, 0); p < vm->nppn; p = vm_next_ram(vm, p + 1))
		if (ppn_ram(vm, p))
			vm_page_changed(vm, (ppn)p);
	return r;
}

void mm_mirror_free(struct mm_mirror *r)
{
	if (!r)
		return;
	munmap(r->base, SPAN);
	free(r->vm->changed);
	r->vm->changed = NULL;
	free(r);
}

uint8_t *mm_mirror_base(const struct mm_mirror *r)
{
	return r->base;
}

uint64_t mm_mirror_remapped(const struct mm_mirror *r)
{
	return r->remapped;
}

bool mm_mirror_write(struct mm_mirror *r, gpa a, const void *buf, unsigned n)
{
	unsigned off = a & PAGE_MASK;
	uint8_t *page;

	note_access(r->vm, WRITER_INSN, MM_ANYWHERE, MM_ANYWHERE);
	page = page_write(r->vm, (ppn)(a >> PAGE_SHIFT), off, n, WRITE_BY_GUEST);
	if (page)
		memcpy(page + off, buf, n);
	return page || r->vm->failure == MM_FAIL_NONE;
}

bool mm_mirror_run(const struct mm_mirror *r, gpa from, gpa *at, uint64_t *bytes)
{
	const struct mm_vm *vm = r->vm;
	uint64_t p = vm_next_ram(vm, (from + PAGE_MASK) >> PAGE_SHIFT), end;

	while (p < vm->nppn && !ppn_ram(vm, p))
		p = vm_next_ram(vm, p + 1);
	if (p >= vm->nppn)
		return false;
	for (end = p; ppn_ram(vm, end); end++)
		;
	*at = p << PAGE_SHIFT;
	*bytes = (end - p) << PAGE_SHIFT;
	return true;
}

/* ---- bringing it up to date ---- */

/* What a page's mapping is to be. */
static int rights(const struct mm_vm *vm, ppn p)
{
	if (page_write_check(vm, p, WRITE_BY_GUEST) == PAGE_WRITE_OK)
		return PROT_READ | PROT_WRITE;
	return ppn_ram(vm, p) && mpn_in_memory(vm->pmap[p].mpn) ? PROT_READ : PROT_NONE;
}

/* Can one mapping with RIGHTS span P and the page behind it? */
static bool joins(const struct mm_vm *vm, ppn p, int how)
{
	if (rights(vm, p + 1) != how)
		return false;
	return how == PROT_NONE || mpn_follows(vm->pmap[p].mpn, vm->pmap[p + 1].mpn);
}

static bool noted(const struct mm_vm *vm, uint64_t p)
{
	return p < NPPN && vm->changed->page[p / 64] >> p % 64 & 1;
}

/* Map the pages that are noted from P on and go together. Returns how many; 0: the host refused. */
static uint32_t map(struct mm_mirror *r, ppn p)
{
	const struct mm_vm *vm = r->vm;
	int how = rights(vm, p), flags = MAP_FIXED | MAP_NORESERVE;
	struct page_place place = { .fd = -1 };
	uint32_t n = 1;

	while (noted(vm, (uint64_t)p + n) && joins(vm, p + n - 1, how))
		n++;
	if (how != PROT_NONE)
		place = page_place(vm, vm->pmap[p].mpn);
	flags |= how == PROT_NONE ? MAP_PRIVATE | MAP_ANONYMOUS : MAP_SHARED;
	if (mmap(r->base + ((uint64_t)p << PAGE_SHIFT), (size_t)n << PAGE_SHIFT, how, flags, place.fd,
		 place.offset) == MAP_FAILED)
		return 0;
	r->remapped += n;
	return n;
}

static void forget(struct vm_changed *c, ppn p, uint32_t n)
{
	for (; n; p++, n--)
		c->page[p / 64] &= ~(1ull << p % 64);
}

/* The first page that is noted. NPPN: none. */
static uint64_t next_noted(struct vm_changed *c)
{
	for (unsigned i = 0; i < ARRAY_LEN(c->word); i++)
		while (c->word[i]) {
			unsigned w = i * 64 + (unsigned)__builtin_ctzll(c->word[i]);

			if (c->page[w])
				return w * 64ull + (unsigned)__builtin_ctzll(c->page[w]);
			c->word[i] &= c->word[i] - 1;
		}
	return NPPN;
}

bool mm_mirror_sync(struct mm_mirror *r)
{
	struct vm_changed *c = r->vm->changed;
	uint64_t p;
	uint32_t n;

	if (!c->any)
		return true;
	while ((p = next_noted(c)) < NPPN) {
		n = map(r, (ppn)p);
		if (!n)
			return false;
		forget(c, (ppn)p, n);
	}
	c->any = false;
	return true;
}
