/* SPDX-License-Identifier: GPL-3.0-or-later
 * The scan for pages to share: each VM looks up its own pages in random order, at a rate of its own and
 * within one for all VMs, in VM time. A pass visits every page once, in an order that a key decides. Pages
 * that another VM asked to be looked at come first. GPR-only code (base/gpr.h). */
#include "mm/policy/share.h"

#include <unistd.h>

#define TICK_NS 50000000ull /* at most 20 times a second */
#define SECOND_NS 1000000000ull
#define ONE 65536u	   /* of credit: a page */
#define VISITS 64	   /* pages visited for each one due, at most */
#define BURST_NS SECOND_NS /* what was missed while the VM was stopped is not made up for */

/* X of 2^BITS, to another of them, by KEY. */
static uint32_t shuffle(uint32_t x, unsigned bits, uint32_t key)
{
	uint32_t mask = (1u << bits) - 1;

	x = (x * 0x9e3779b1u + key) & mask;
	x ^= x >> (bits / 2 + 1);
	x = (x * 0x85ebca6bu) & mask;
	return x ^ x >> (bits / 2 + 1);
}

/* The next page of the pass, or of a new one. */
static ppn next_page(struct mm_vm *vm)
{
	struct vm_scan *s = &vm->scan;
	unsigned bits = vm->low > 1 ? 32 - (unsigned)__builtin_clz(vm->low - 1) : 0;
	uint32_t p;

	do {
		if (s->at >> bits) {
			s->at = 0;
			s->key = vm_random(vm, UINT32_MAX);
			s->passes++;
		}
		p = shuffle(s->at++, bits, s->key);
	} while (p >= vm->low);
	return p;
}

/* P is at home. Has it memory? Reading it gives it some. */
static bool populated(const struct mm_vm *vm, ppn p)
{
	off_t at = (off_t)p << PAGE_SHIFT;

	return lseek(vm->fd, at, SEEK_DATA) == at;
}

/* Look at P. False: there is nothing to hash. */
static bool visit(struct mm_vm *vm, ppn p)
{
	if (!ppn_ram(vm, p) || page_state(vm, p) != PAGE_PRIVATE)
		return false;
	if (populated(vm, p)) {
		mm_share_page(vm, p);
		return true;
	}
	if (vm->pool->block_fd >= 0 && vm_may_share(vm)) /* charged along with others, and not used */
		page_put(vm, p, MPN_NONE);
	return false;
}

static void look_at(struct mm_vm *vm, uint32_t due)
{
	ppn p;

	for (uint32_t n = 0; n < RING && block_next(vm->pool, vm_slot_number(vm), &p); n++) {
		vm->scan.pages++;
		vm->scan.answered++;
		mm_share_page(vm, p);
	}
	for (uint64_t visits = (uint64_t)due * VISITS; due && visits && vm->low; visits--)
		if (visit(vm, next_page(vm))) {
			due--;
			vm->scan.pages++;
		}
}

uint32_t mm_scan_rate(const struct mm_vm *vm)
{
	const struct mm_pool *p = vm->pool;
	uint64_t rate = atomic_load(&vm->slot->scan_rate), all = 0,
		 limit = atomic_load(&p->block->common.scan_rate);

	for (unsigned i = 0; i < MM_VMS; i++)
		if (atomic_load(&p->slots[i].state) == SLOT_LIVES)
			all += atomic_load(&p->slots[i].scan_rate);
	return (uint32_t)(all > limit ? rate * limit / all : rate);
}

uint64_t mm_scan(struct mm_vm *vm, uint64_t now)
{
	struct vm_scan *s = &vm->scan;
	uint64_t start = __builtin_ia32_rdtsc(), ns = now - s->last, rate = mm_scan_rate(vm), credit;

	if (!rate) {
		s->last = now;
		return UINT64_MAX;
	}
	if (ns > BURST_NS) /* or NOW is before LAST: a state was loaded */
		ns = now < s->last ? 0 : BURST_NS;
	s->last = now;
	credit = s->credit + rate * (ns * ONE / SECOND_NS);
	s->credit = (uint32_t)(credit % ONE);
	look_at(vm, credit / ONE < UINT32_MAX ? (uint32_t)(credit / ONE) : UINT32_MAX);
	atomic_store(&vm->slot->scanned, s->pages);
	s->cycles += __builtin_ia32_rdtsc() - start;
	return now + TICK_NS;
}
