/* SPDX-License-Identifier: GPL-3.0-or-later
 * The shared block with VMs as threads, each with operations at random, while the books of all are checked:
 * for ThreadSanitizer (tests/mm/block_threads.sh), which does not see other processes. */
#include "tests/mm/block_vm.h"
#include "tests/suite.h"

#include <pthread.h>

enum { VMS = 3, LIMIT = 150, OPERATIONS = 3000 };

struct worker {
	struct mm_pool *pool;
	unsigned name;
	bool right;
	pthread_t thread;
};

static void *work(void *arg)
{
	struct worker *w = arg;
	struct block_vm b;

	if (!bvm_init(&b, w->pool, w->name, w->name))
		return NULL;
	atomic_store(&b.vm->slot->scan_rate, 300);
	w->right = true;
	for (unsigned i = 0; i < OPERATIONS && w->right; i++)
		w->right = bvm_random(&b);
	w->right &= bvm_right(&b);
	bvm_fini(&b);
	return NULL;
}

START_TEST(together)
{
	struct mm_pool *pool = mm_pool_host(LIMIT * PAGE_SIZE);
	struct worker w[VMS];
	struct mm_pool_books b;
	struct mm_usage u;

	for (unsigned i = 0; i < VMS; i++) {
		w[i] = (struct worker){ .pool = pool, .name = 1 + i };
		ck_assert_int_eq(pthread_create(&w[i].thread, NULL, work, &w[i]), 0);
	}
	for (unsigned i = 0; i < 20; i++)
		ck_assert_msg(mm_pool_check(pool, &b) || b.busy, "%s (slot %d)", b.wrong, b.slot);
	for (unsigned i = 0; i < VMS; i++) {
		pthread_join(w[i].thread, NULL);
		ck_assert(w[i].right);
	}
	ck_assert_msg(mm_pool_check(pool, &b), "%s (slot %d)", b.wrong, b.slot);
	mm_pool_usage(pool, &u);
	ck_assert_uint_eq(u.charged, 0);
	mm_pool_free(pool);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("block with threads");
	TCase *t = tcase_create("threads");

	tcase_set_timeout(t, 60);
	tcase_add_test(t, together);
	suite_add_tcase(s, t);
	return suite_run(s);
}
