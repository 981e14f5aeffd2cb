/* SPDX-License-Identifier: GPL-3.0-or-later
 * A VM without a processor for tests of the shared block: pages full of one word each, which says whose they
 * are, and a model of them. Page 0 of the common words is zeros. */
#ifndef TESTS_MM_BLOCK_VM_H
#define TESTS_MM_BLOCK_VM_H
#include "mm/host.h"
#include "mm/vm.h"

enum { BVM_PAGES = 96, BVM_COMMON = 9 };

struct block_vm {
	struct mm_vm *vm;
	unsigned name; /* below 2^11 */
	uint64_t seed, now;
	uint32_t model[BVM_PAGES];
};

/* A VM on POOL with a file to swap to; its pages are absent in a host's pool. False: it cannot be made. */
bool bvm_init(struct block_vm *b, struct mm_pool *pool, unsigned name, uint64_t seed);
void bvm_fini(struct block_vm *b);
/* Fill page P with WORD. False: no memory. */
bool bvm_fill(struct block_vm *b, ppn p, uint32_t word);
/* A word that only this VM writes. */
uint32_t bvm_own(const struct block_vm *b, uint32_t x);
/* One operation at random. False: a page holds what it should not. */
bool bvm_random(struct block_vm *b);
/* Does every page hold what it should? */
bool bvm_right(struct block_vm *b);
uint32_t bvm_rnd(struct block_vm *b, uint32_t below);
#endif
