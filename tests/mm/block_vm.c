/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "tests/mm/block_vm.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

bool bvm_init(struct block_vm *b, struct mm_pool *pool, unsigned name, uint64_t seed)
{
	*b = (struct block_vm){ .vm = mm_vm_new(pool), .name = name, .seed = seed };
	if (!b->vm)
		return false;
	b->vm->random = seed;
	return !mm_vm_set_swap(b->vm, memfd_create("swap", MFD_CLOEXEC), 0) &&
	       !mm_vm_add_ram(b->vm, 0, BVM_PAGES * PAGE_SIZE, false);
}

void bvm_fini(struct block_vm *b)
{
	mm_vm_free(b->vm);
}

uint32_t bvm_rnd(struct block_vm *b, uint32_t below)
{
	b->seed = b->seed * 6364136223846793005ull + 1442695040888963407ull;
	return (uint32_t)(b->seed >> 33) % below;
}

uint32_t bvm_own(const struct block_vm *b, uint32_t x)
{
	return 1u << 31 | b->name << 20 | (x & 0xfffff);
}

bool bvm_fill(struct block_vm *b, ppn p, uint32_t word)
{
	uint32_t half[PAGE_SIZE / 8];

	for (unsigned i = 0; i < PAGE_SIZE / 8; i++)
		half[i] = word;
	b->vm->failure = MM_FAIL_NONE;
	if (!mm_phys_write(b->vm, (gpa)p << PAGE_SHIFT, half, sizeof(half)))
		return false;
	b->model[p] = word;
	return mm_phys_write(b->vm, ((gpa)p << PAGE_SHIFT) + sizeof(half), half, sizeof(half));
}

static bool page_right(struct block_vm *b, ppn p)
{
	uint32_t page[PAGE_SIZE / 4];

	if (!mm_phys_read(b->vm, (gpa)p << PAGE_SHIFT, page, sizeof(page)))
		return false;
	for (unsigned i = 0; i < PAGE_SIZE / 4; i++)
		if (page[i] != b->model[p])
			return false;
	return true;
}

bool bvm_right(struct block_vm *b)
{
	for (ppn p = 0; p < BVM_PAGES; p++)
		if (!page_right(b, p))
			return false;
	return true;
}

bool bvm_random(struct block_vm *b)
{
	ppn p = bvm_rnd(b, BVM_PAGES);
	uint32_t n;

	switch (bvm_rnd(b, 14)) {
	case 0:
	case 1:
		bvm_fill(b, p, bvm_own(b, bvm_rnd(b, 1000)));
		break;
	case 2:
	case 3:
	case 4:
		bvm_fill(b, p, bvm_rnd(b, BVM_COMMON));
		break;
	case 5:
	case 6:
		mm_share_page(b->vm, p);
		break;
	case 7:
		b->now += 50000000;
		mm_scan(b->vm, b->now);
		break;
	case 8:
		page_release(b->vm, p);
		b->model[p] = 0;
		break;
	case 9:
		mm_swap_out(b->vm, p);
		break;
	case 10:
		mm_swap_in(b->vm, p);
		break;
	case 11:
		page_balloon(b->vm, p);
		b->model[p] = 0;
		n = bvm_rnd(b, 8);
		if (mm_balloon_pages(b->vm, p + 1, n) == MM_BALLOON_DONE)
			memset(b->model + p + 1, 0, n * sizeof(b->model[0]));
		break;
	case 12:
		mm_unshare_page(b->vm, p);
		break;
	default:
		return page_right(b, p);
	}
	return true;
}
