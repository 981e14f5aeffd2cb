/* SPDX-License-Identifier: GPL-3.0-or-later
 * What the host refuses is heard: mmap and mprotect of the windows fail on demand, as at the limit
 * of mappings. A window may lose pages then, but never keeps one that it should not, and guest code
 * never goes on without the page it asked for. */
#include "tests/mm/world.h"

#include "mm/window/region.h"
#include "tests/suite.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/mman.h>

static unsigned deny_map, deny_protect; /* calls that fail from now on */
static bool deny_reserve;

void *__real_mmap(void *p, size_t n, int prot, int flags, int fd, off_t off);
void *__wrap_mmap(void *p, size_t n, int prot, int flags, int fd, off_t off);
int __real_mprotect(void *p, size_t n, int prot);
int __wrap_mprotect(void *p, size_t n, int prot);

void *__wrap_mmap(void *p, size_t n, int prot, int flags, int fd, off_t off)
{
	bool deny = flags & MAP_FIXED ? deny_map && deny_map-- : deny_reserve && n >= WIN_BYTES;

	if (!deny)
		return __real_mmap(p, n, prot, flags, fd, off);
	errno = ENOMEM;
	return MAP_FAILED;
}

int __wrap_mprotect(void *p, size_t n, int prot)
{
	if (n == WIN_BYTES || !deny_protect || !deny_protect--) /* all access taken away: never refused */
		return __real_mprotect(p, n, prot);
	errno = ENOMEM;
	return -1;
}

static void map_all(struct world *w)
{
	for (unsigned k = 0; k < NTABLES * 512; k++)
		world_set_entry(w, k,
				(uint64_t)(DATA_FIRST + k * 5 % (ROM_FIRST - DATA_FIRST)) << 12 | PTE_P |
				    PTE_A | PTE_W | PTE_U | (k & 1 ? PTE_D : 0));
}

/* How many fills can fail and be made good: one, then one with only this window left, then none. */
START_TEST(a_fill_is_refused)
{
	struct world *w = world_new(NULL, 0, _i, 21);

	map_all(w);
	for (unsigned deny = 1; deny <= 2; deny++) {
		mmu_flush(w->m, true);
		world_read(w, world_lin(w, 1));
		deny_map = deny == 1; /* of the fill alone; with 2 also the drop of a window */
		ck_assert(world_read(w, world_lin(w, 40 + deny)));
		deny_map = 0;
		ck_assert_uint_eq(w->failed, 0);
		world_audit(w, true);
	}
	deny_map = UINT32_MAX;
	ck_assert(!world_read(w, world_lin(w, 80)));
	ck_assert_uint_ge(w->failed, 1);
	ck_assert_int_eq(w->vm->failure, MM_FAIL_MAPPING);
	deny_map = 0;
	world_audit(w, true);
	ck_assert(world_read(w, world_lin(w, 80)));
	world_free(w);
}
END_TEST

START_TEST(no_room_in_the_reverse_map)
{
	struct world *w = world_new(NULL, 0, false, 22);

	map_all(w);
	w->vm->rmap_cap = 40; /* 39 nodes */
	for (unsigned k = 0; k < 300; k++) {
		w->cpu.cpl = k & 1 ? 3 : 0;
		ck_assert(world_read(w, world_lin(w, k)));
	}
	ck_assert_uint_eq(w->failed, 0);
	world_audit(w, true);
	w->vm->rmap_cap = 1; /* none at all: refused, not mapped */
	ck_assert(!world_write(w, world_lin(w, 400), 1));
	ck_assert_int_eq(w->vm->failure, MM_FAIL_MAPPING);
	world_audit(w, true);
	world_free(w);
}
END_TEST

START_TEST(a_drop_is_refused)
{
	struct world *w = world_new(NULL, 0, _i, 23);

	map_all(w);
	for (unsigned deny = 1; deny <= 2; deny++) {
		for (unsigned k = 0; k < 64; k++)
			ck_assert(world_write(w, world_lin(w, k), 9));
		world_set_entry(w, 20, 0);
		world_set_entry(w, 22, (uint64_t)DATA_FIRST << 12 | PTE_P | PTE_A);
		deny_map = deny; /* 2: the window cannot be emptied by mmap either */
		mmu_flush(w->m, true);
		ck_assert(!world_read(w, world_lin(w, 20)));
		deny_map = 0;
		ck_assert_uint_eq(w->failed, 0);
		world_audit(w, true);
		map_all(w);
		mmu_flush(w->m, true);
	}
	world_free(w);
}
END_TEST

START_TEST(a_protection_is_refused)
{
	struct world *w = world_new(NULL, 4, _i, 24);
	ppn p;

	map_all(w);
	for (unsigned k = 0; k < 64; k++)
		for (unsigned cpl = 0; cpl <= 3; cpl += 3) {
			w->cpu.cpl = (uint8_t)cpl;
			ck_assert(world_write(w, world_lin(w, k), 9));
		}
	p = w->m->cur->shadow[world_lin(w, 30) >> PAGE_SHIFT] >> 12;
	deny_protect = 1;
	mm_trace_code(w->vm, p);
	ck_assert_uint_eq(deny_protect, 0);
	world_audit(w, true);

	for (unsigned k = 0; k < 64; k++)
		ck_assert(world_write(w, world_lin(w, k), 9));
	deny_map = 1 + (unsigned)_i;
	ck_assert(page_move(w->vm, p + 5, pool_frame_new(w->pool)));
	deny_map = 0;
	world_audit(w, true);
	ck_assert_uint_eq(w->failed, 0);
	world_free(w);
}
END_TEST

START_TEST(refused_at_random)
{
	struct world *w = world_new(NULL, 100, _i & 1, 200 + (uint64_t)_i);

	w->soft = 3;
	map_all(w);
	for (int i = 0; i < 3000; i++) {
		unsigned k = world_rnd(w, NTABLES * 512);
		ppn p = DATA_FIRST + world_rnd(w, ROM_FIRST - DATA_FIRST);

		deny_map = world_rnd(w, 3) ? 0 : world_rnd(w, 3);
		deny_protect = world_rnd(w, 3) ? 0 : world_rnd(w, 2);
		w->cpu.cpl = world_rnd(w, 2) ? 3 : 0;
		switch (world_rnd(w, 12)) {
		case 0:
			world_set_entry(w, k,
					world_rnd(w, 2) ? 0 : (uint64_t)p << 12 | PTE_P | PTE_A | PTE_U);
			mmu_invlpg(w->m, world_lin(w, k));
			break;
		case 1:
			mmu_flush(w->m, true);
			break;
		case 2:
			mm_trace_code(w->vm, p);
			break;
		case 3:
			page_bring_home(w->vm, p);
			break;
		case 4: {
			mpn f = pool_frame_new(w->pool);

			if (f != MPN_NONE)
				ck_assert(page_move(w->vm, p, f));
			break;
		}
		case 5:
		case 6:
		case 7:
			(i % 3 ? world_read : world_fetch)(w, world_lin(w, k));
			break;
		default:
			world_write(w, world_lin(w, k), (uint8_t)i);
		}
		deny_map = deny_protect = 0;
		if (i % 100 == 99)
			world_audit(w, false);
	}
	mmu_flush(w->m, true);
	for (unsigned cpl = 0; cpl <= 3; cpl += 3) {
		w->cpu.cpl = (uint8_t)cpl;
		world_read(w, world_lin(w, 0));
	}
	world_audit(w, true);
	world_free(w);
}
END_TEST

/* With no address space for more windows, those of the start serve all roots. */
START_TEST(no_more_windows)
{
	struct world *w = world_new(NULL, 0, false, 25);
	struct mm_vm *vm;
	uint8_t dir[PAGE_SIZE];

	map_all(w);
	ck_assert(mm_phys_read(w->vm, PA_ROOT, dir, PAGE_SIZE));
	deny_reserve = true;
	for (uint32_t i = 0; i < 30; i++) {
		ck_assert(mm_phys_write(w->vm, 0x10000 + i % 7 * PAGE_SIZE, dir, PAGE_SIZE));
		w->cpu.cr3 = 0x10000 + i % 7 * PAGE_SIZE;
		mmu_flush(w->m, false);
		for (unsigned k = 0; k < 20; k++) {
			w->cpu.cpl = k & 1 ? 3 : 0;
			ck_assert(world_read(w, world_lin(w, k)));
		}
		if (i % 3)
			mmu_invlpg(w->m, world_lin(w, 3));
		world_audit(w, true);
	}
	for (unsigned i = 0; i < MAX_WINDOWS; i++)
		ck_assert((w->m->win[i].base != NULL) == (i < MIN_WINDOWS));
	/* And none at all: no vCPU. */
	vm = mm_vm_new(w->pool);
	ck_assert(vm == NULL); /* its homes are as large as a window */
	deny_reserve = false;
	vm = mm_vm_new(w->pool);
	deny_reserve = true;
	ck_assert(mmu_new(vm, &w->cpu, &w->plat) == NULL);
	deny_reserve = false;
	mm_vm_free(vm);
	world_free(w);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("refused");
	TCase *t = tcase_create("refused");

	tcase_add_loop_test(t, a_fill_is_refused, 0, 2);
	tcase_add_test(t, no_room_in_the_reverse_map);
	tcase_add_loop_test(t, a_drop_is_refused, 0, 2);
	tcase_add_loop_test(t, a_protection_is_refused, 0, 2);
	tcase_add_loop_test(t, refused_at_random, 0, 4);
	tcase_add_test(t, no_more_windows);
	suite_add_tcase(s, t);
	return suite_run(s);
}
