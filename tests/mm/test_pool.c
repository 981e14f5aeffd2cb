/* SPDX-License-Identifier: GPL-3.0-or-later
 * The credit, home slots and shared frames, against a model and against the kernel's count of
 * populated pages. */
#include "mm/vm.h"
#include "x86/engine.h"
#include "tests/mm/small_pages.h"
#include "tests/suite.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

static uint64_t used(const struct mm_pool *p)
{
	struct mm_usage u;

	mm_pool_usage(p, &u);
	return u.charged;
}

static uint64_t populated(int fd)
{
	struct stat st;

	ck_assert_int_eq(fstat(fd, &st), 0);
	return (uint64_t)st.st_blocks * 512 / PAGE_SIZE;
}

/* Allocated, freed, allocated again: the order in which the former pool handed pages out twice. */
START_TEST(no_frame_twice)
{
	enum { N = 10 };
	struct mm_pool *p = mm_pool_new(N * PAGE_SIZE);
	bool taken[N] = { false };
	mpn f[N];

	for (int i = 0; i < 4; i++)
		f[i] = pool_frame_new(p);
	for (int i = 0; i < 4; i++)
		pool_frame_put(p, f[i]);
	ck_assert_uint_eq(used(p), 0);
	for (int i = 0; i < N; i++) {
		f[i] = pool_frame_new(p);
		ck_assert(f[i] != MPN_NONE && (f[i] & MPN_SHARED));
		ck_assert_uint_lt(f[i] & ~MPN_SHARED, N);
		ck_assert(!taken[f[i] & ~MPN_SHARED]);
		taken[f[i] & ~MPN_SHARED] = true;
	}
	ck_assert_uint_eq(pool_frame_new(p), MPN_NONE);
	ck_assert(!pool_charge(p, 1));
	for (int i = 0; i < N; i++)
		pool_frame_put(p, f[i]);
	ck_assert_uint_eq(used(p), 0);
	mm_pool_free(p);
}
END_TEST

/* Frames at random against a list of who has what; each is full of its owner's number. */
START_TEST(random_frames)
{
	enum { N = 64, OWNERS = 100 };
	struct mm_pool *p = mm_pool_new(N * PAGE_SIZE);
	mpn own[OWNERS];
	unsigned held = 0;

	srand(1);
	for (int i = 0; i < OWNERS; i++)
		own[i] = MPN_NONE;
	for (int round = 0; round < 20000; round++) {
		int i = rand() % OWNERS;
		uint8_t *page;

		if (own[i] == MPN_NONE) {
			own[i] = pool_frame_new(p);
			ck_assert((own[i] == MPN_NONE) == (held == N));
			if (own[i] == MPN_NONE)
				continue;
			held++;
			page = p->frames + ((uint64_t)(own[i] & ~MPN_SHARED) << PAGE_SHIFT);
			for (unsigned k = 0; k < PAGE_SIZE; k += 512)
				ck_assert_uint_eq(page[k], 0);
			memset(page, i + 1, PAGE_SIZE);
		} else {
			page = p->frames + ((uint64_t)(own[i] & ~MPN_SHARED) << PAGE_SHIFT);
			ck_assert_uint_eq(page[rand() % PAGE_SIZE], i + 1);
			if (rand() % 3) {
				pool_frame_get(p, own[i]);
				pool_frame_put(p, own[i]);
				ck_assert_uint_eq(pool_frame_refs(p, own[i]), 1);
			}
			pool_frame_put(p, own[i]);
			own[i] = MPN_NONE;
			held--;
		}
		ck_assert_uint_eq(used(p), held);
	}
	if (small_pages())
		ck_assert_uint_eq(populated(p->fd), held);
	mm_pool_free(p);
}
END_TEST

START_TEST(populated_when_touched)
{
	struct mm_pool *p = mm_pool_new(200 * PAGE_SIZE);
	struct mm_vm *vm = mm_vm_new(p);
	uint8_t b = 1;

	ck_assert_int_eq(mm_vm_add_ram(vm, 0, 100 * PAGE_SIZE, false), 0);
	ck_assert_int_eq(mm_vm_add_ram(vm, 0xfffff000, PAGE_SIZE, true), 0);
	ck_assert_uint_eq(used(p), 101);
	ck_assert_uint_eq(mm_vm_populated(vm), 0);
	for (gpa a = 0; a < 40 * PAGE_SIZE; a += 2 * PAGE_SIZE)
		ck_assert(mm_phys_write(vm, a + 5, &b, 1));
	ck_assert(mm_phys_write(vm, 0xffffffff, &b, 1));
	if (small_pages())
		ck_assert_uint_eq(mm_vm_populated(vm), 21);
	ck_assert_uint_eq(used(p), 101);

	page_release(vm, 4);
	page_release(vm, 4); /* once is enough */
	page_release(vm, 101);
	ck_assert_uint_eq(used(p), 100);
	if (small_pages())
		ck_assert_uint_eq(mm_vm_populated(vm), 20);
	ck_assert(mm_phys_read(vm, 4 * PAGE_SIZE + 5, &b, 1));
	ck_assert_uint_eq(b, 0);
	ck_assert_uint_eq(used(p), 100); /* reading zeros takes no page */
	b = 9;
	ck_assert(mm_phys_write(vm, 4 * PAGE_SIZE + 5, &b, 1));
	ck_assert_uint_eq(used(p), 101);
	mm_vm_free(vm);
	ck_assert_uint_eq(used(p), 0);
	mm_pool_free(p);
}
END_TEST

START_TEST(the_limit_holds)
{
	struct mm_pool *p = mm_pool_new(100 * PAGE_SIZE);
	struct mm_vm *a = mm_vm_new(p), *b = mm_vm_new(p);
	uint8_t x = 7;

	ck_assert_int_eq(mm_vm_add_ram(a, 0, 60 * PAGE_SIZE, false), 0);
	ck_assert_int_eq(mm_vm_add_ram(a, 0, 60 * PAGE_SIZE, true),
			 0); /* the same again: ROM now, not charged */
	ck_assert_int_eq(mm_vm_add_ram(b, 0, 41 * PAGE_SIZE, false), -1);
	ck_assert(!mm_is_ram(b, 0, 1));
	ck_assert_uint_eq(used(p), 60);
	ck_assert_int_eq(mm_vm_add_ram(b, 0, 40 * PAGE_SIZE, false), 0);
	ck_assert_uint_eq(pool_frame_new(p), MPN_NONE);

	/* A released page is anybody's, and cannot be had back then. */
	ck_assert(mm_phys_write(b, 3 * PAGE_SIZE, &x, 1));
	page_release(b, 3);
	mpn f = pool_frame_new(p);

	ck_assert(f != MPN_NONE);
	ck_assert(!mm_phys_write(b, 3 * PAGE_SIZE, &x, 1));
	ck_assert_int_eq(b->failure, MM_FAIL_MEMORY);
	ck_assert(mm_phys_read(b, 3 * PAGE_SIZE, &x, 1));
	ck_assert_uint_eq(x, 0);
	pool_frame_put(p, f);
	ck_assert(mm_phys_write(b, 3 * PAGE_SIZE, &x, 1));
	mm_vm_free(a);
	mm_vm_free(b);
	ck_assert_uint_eq(used(p), 0);
	mm_pool_free(p);
}
END_TEST

/* Two VMs have the same PPNs and nothing else in common, and the next one finds zeros. */
START_TEST(vms_are_apart)
{
	struct mm_pool *p = mm_pool_new(64 * PAGE_SIZE);
	uint8_t page[PAGE_SIZE], zero[PAGE_SIZE] = { 0 };

	for (int round = 0; round < 3; round++) {
		struct mm_vm *vm[2];

		for (int i = 0; i < 2; i++) {
			vm[i] = mm_vm_new(p);
			ck_assert_int_eq(mm_vm_add_ram(vm[i], 0, 32 * PAGE_SIZE, false), 0);
		}
		for (gpa a = 0; a < 32 * PAGE_SIZE; a += PAGE_SIZE)
			for (int i = 0; i < 2; i++) {
				ck_assert(mm_phys_read(vm[i], a, page, PAGE_SIZE));
				ck_assert(!memcmp(page, zero, PAGE_SIZE));
				memset(page, 1 + i, PAGE_SIZE);
				ck_assert(mm_phys_write(vm[i], a, page, PAGE_SIZE));
			}
		for (int i = 0; i < 2; i++)
			for (gpa a = 0; a < 32 * PAGE_SIZE; a += PAGE_SIZE) {
				memset(page, 1 + i, PAGE_SIZE);
				uint8_t there[PAGE_SIZE];

				ck_assert(mm_phys_read(vm[i], a, there, PAGE_SIZE));
				ck_assert(!memcmp(page, there, PAGE_SIZE));
			}
		mm_vm_free(vm[0]);
		mm_vm_free(vm[1]);
	}
	ck_assert_uint_eq(used(p), 0);
	mm_pool_free(p);
}
END_TEST

START_TEST(one_vcpu_for_each_vm)
{
	struct mm_pool *p = mm_pool_new(4 * PAGE_SIZE);
	struct mm_vm *vm = mm_vm_new(p);
	struct cpu cpu = { 0 };
	struct platform plat = { 0 };
	struct mmu *m = mmu_new(vm, &cpu, &plat);

	ck_assert(m != NULL);
	ck_assert(mmu_new(vm, &cpu, &plat) == NULL);
	ck_assert(vm->mmu == m);
	mmu_free(m);
	m = mmu_new(vm, &cpu, &plat);
	ck_assert(m != NULL);
	mmu_free(m);
	mm_vm_free(vm);
	mm_pool_free(p);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("pool");
	TCase *t = tcase_create("pool");

	tcase_add_test(t, no_frame_twice);
	tcase_add_test(t, random_frames);
	tcase_add_test(t, populated_when_touched);
	tcase_add_test(t, the_limit_holds);
	tcase_add_test(t, vms_are_apart);
	tcase_add_test(t, one_vcpu_for_each_vm);
	suite_add_tcase(s, t);
	return suite_run(s);
}
