/* SPDX-License-Identifier: GPL-3.0-or-later
 * Swapping: pages of a VM in a file, where a page's place is its address. Victims are chosen at random,
 * because any other order may meet the guest's own the wrong way (Waldspurger, OSDI 2002, section 3.3). A
 * victim of zeros is not written: it becomes absent. Translated code stays, as the bytes do.
 *
 * Reading a page back waits for I/O. The fault handler never does: it notes the page, and the access is
 * retried when the page is there (mm_wait()). Devices, loaders and the semantics of instructions wait
 * where they are. Walks and the debugger look at the page in the file, and leave it there. All of it on the
 * vCPU's thread, or on another while the VM is stopped. GPR-only code (base/gpr.h). */
#include "mm/policy/share.h"

#include "base/gpr.h"

#include <errno.h>
#include <sys/mman.h>
#include <unistd.h>

#define BATCH 32 /* pages swapped out when one is needed */
#define TRIES 64 /* for a victim, before all pages are searched */
#define PEEKS 8	 /* pages looked at together: at most the tables of a walk and its page */

struct peeks {
	unsigned turn;
	uint8_t page[PEEKS][PAGE_SIZE] __attribute__((aligned(64)));
};

int mm_vm_set_swap(struct mm_vm *vm, int fd, uint64_t base)
{
	void *p =
	    mmap(NULL, sizeof(struct peeks), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (p == MAP_FAILED)
		return -1;
	vm->swap.peek = p;
	vm->swap.fd = fd;
	vm->swap.base = base;
	atomic_store(&vm->slot->swaps, 1);
	/* A large host page takes memory that is not charged. */
	madvise(vm->home, (uint64_t)vm->nppn << PAGE_SHIFT, MADV_NOHUGEPAGE);
	return 0;
}

bool mm_has_swap(const struct mm_vm *vm)
{
	return vm->swap.fd >= 0;
}

void swap_free(struct mm_vm *vm)
{
	if (vm->swap.peek)
		munmap(vm->swap.peek, sizeof(*vm->swap.peek));
	if (vm->swap.fd >= 0)
		close(vm->swap.fd);
}

static uint8_t *home_of(const struct mm_vm *vm, ppn p)
{
	return vm->home + ((uint64_t)p << PAGE_SHIFT);
}

/* What others may read. */
static void show(struct mm_vm *vm)
{
	struct mm_swapping *x = &vm->slot->swap;

#define SHOW(word, n) atomic_store_explicit(&x->word, n, memory_order_relaxed)
	SHOW(out, vm->n.out);
	SHOW(in, vm->n.in);
	SHOW(zeros, vm->n.zeros);
	SHOW(shared, vm->n.shared);
	SHOW(cleaned, vm->n.cleaned);
	SHOW(waits, vm->n.waits);
	SHOW(double_paged, vm->n.double_paged);
	SHOW(in_file, (uint32_t)vm->n.in_file);
#undef SHOW
}

/* ---- the file ---- */

static off_t place(const struct mm_vm *vm, ppn p, size_t off)
{
	return (off_t)(vm->swap.base + ((uint64_t)p << PAGE_SHIFT) + off);
}

static bool read_file(struct mm_vm *vm, ppn p, unsigned off, uint8_t *to, size_t n)
{
	for (size_t done = 0; done < n;) {
		ssize_t r = pread(vm->swap.fd, to + done, n - done, place(vm, p, off + done));

		if (r <= 0 && !(r < 0 && errno == EINTR)) {
			vm->swap.broken = true;
			return false;
		}
		done += r > 0 ? (size_t)r : 0;
	}
	return true;
}

static bool write_file(struct mm_vm *vm, ppn p, const uint8_t *from)
{
	for (size_t done = 0; done < PAGE_SIZE;) {
		ssize_t r = pwrite(vm->swap.fd, from + done, PAGE_SIZE - done, place(vm, p, done));

		if (r <= 0 && !(r < 0 && errno == EINTR)) {
			vm->swap.broken = true;
			return false;
		}
		done += r > 0 ? (size_t)r : 0;
	}
	return true;
}

bool swap_read(struct mm_vm *vm, ppn p, unsigned off, void *buf, size_t n)
{
	vm->n.peeks++;
	if (read_file(vm, p, off, buf, n))
		return true;
	gpr_zero(buf, n);
	vm_fail(vm, MM_FAIL_SWAP);
	return false;
}

const uint8_t *swap_peek(struct mm_vm *vm, ppn p)
{
	uint8_t *page = vm->swap.peek->page[vm->swap.peek->turn++ % PEEKS];

	swap_read(vm, p, 0, page, PAGE_SIZE);
	return page;
}

bool swap_read_home(struct mm_vm *vm, ppn p)
{
	if (!read_file(vm, p, 0, home_of(vm, p), PAGE_SIZE))
		return false;
	vm->n.in++;
	show(vm);
	return true;
}

/* ---- victims ---- */

static bool all_zero(const uint8_t *page)
{
	const any64 *w = (const any64 *)page;

	for (unsigned i = 0; i < PAGE_SIZE / 8; i += 8)
		if (w[i] | w[i + 1] | w[i + 2] | w[i + 3] | w[i + 4] | w[i + 5] | w[i + 6] | w[i + 7])
			return false;
	return true;
}

bool mm_swap_out(struct mm_vm *vm, ppn p)
{
	if (vm->swap.fd < 0 || !ppn_ram(vm, p) || page_state(vm, p) != PAGE_PRIVATE)
		return false;
	if (all_zero(home_of(vm, p))) {
		vm->n.zeros++;
		show(vm);
		page_put(vm, p, MPN_NONE);
		return true;
	}
	if (!write_file(vm, p, home_of(vm, p)))
		return false;
	vm->n.out++;
	vm->n.in_file++;
	show(vm);
	page_put(vm, p, MPN_SWAPPED | p);
	return true;
}

void swap_clean(struct mm_vm *vm, ppn p)
{
	pool_punch(vm->swap.fd, (vm->swap.base >> PAGE_SHIFT) + p, 1);
	vm->n.in_file--;
	vm->n.cleaned++;
	show(vm);
}

/* Free the machine page of P, which is a victim: by sharing it if another page has its content, which takes
 * no I/O now and none later (section 4.3). */
static bool evict(struct mm_vm *vm, ppn p)
{
	if (!all_zero(home_of(vm, p)) && share_before_swap(vm, p) == MM_SHARE_DONE) {
		vm->n.shared++;
		show(vm);
		return true;
	}
	return mm_swap_out(vm, p);
}

/* A private page, the first at or after a random one if several guesses find none; UINT32_MAX: there is
 * none. */
static ppn victim(struct mm_vm *vm)
{
	ppn p = 0;

	for (int i = 0; i < TRIES; i++) {
		p = vm_random(vm, vm->low);
		if (ppn_ram(vm, p) && page_state(vm, p) == PAGE_PRIVATE)
			return p;
	}
	for (uint32_t i = 0; i < vm->low; i++, p = p + 1 < vm->low ? p + 1 : 0)
		if (ppn_ram(vm, p) && page_state(vm, p) == PAGE_PRIVATE)
			return p;
	return UINT32_MAX;
}

uint32_t mm_swap_out_some(struct mm_vm *vm, uint32_t n)
{
	uint32_t done = 0;

	while (done < n) {
		ppn p = vm->low ? victim(vm) : UINT32_MAX;

		if (p == UINT32_MAX || !evict(vm, p))
			break;
		done++;
	}
	return done;
}

void mm_disk_written(struct mm_vm *vm, gpa a, uint64_t n)
{
	if (!vm->n.in_file || !n || !mm_is_ram(vm, a, n))
		return;
	/* By their first byte: a request may take a page in parts. */
	for (uint64_t p = (a + PAGE_MASK) >> PAGE_SHIFT; p <= (a + n - 1) >> PAGE_SHIFT; p++)
		vm->n.double_paged += page_state(vm, (ppn)p) == PAGE_SWAPPED;
	show(vm);
}

bool mm_swap_in(struct mm_vm *vm, ppn p)
{
	return ppn_ram(vm, p) && (page_state(vm, p) != PAGE_SWAPPED || page_bring_home(vm, p));
}

bool swap_charge(struct mm_vm *vm, ppn p)
{
	while (!vm_charge(vm, 1)) {
		if (vm->swap.fd < 0)
			return false;
		if (vm->swap.no_wait) {
			vm->swap.wanted = p;
			return false;
		}
		if (!mm_swap_out_some(vm, BATCH))
			return false;
	}
	return true;
}

bool mm_wait(struct mm_vm *vm)
{
	ppn p = vm->swap.wanted;

	vm->swap.wanted = UINT32_MAX;
	if (p == UINT32_MAX)
		return true;
	vm->n.waits++;
	show(vm);
	if (page_bring_home(vm, p))
		return true;
	page_refused(vm);
	return false;
}
