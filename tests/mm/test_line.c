/* SPDX-License-Identifier: GPL-3.0-or-later
 * Lines: mappings whose pages are opened one by one. A page that is closed stays closed whatever touches it.
 */
#include "tests/mm/world.h"

#include "mm/window/fill.h"
#include "tests/suite.h"

#include <setjmp.h>
#include <signal.h>

static sigjmp_buf out;
static volatile sig_atomic_t caught;
static void *volatile caught_at;

static void on_fault(int sig, siginfo_t *info, void *context)
{
	(void)context;
	caught = sig;
	caught_at = info->si_addr;
	siglongjmp(out, 1);
}

/* The signal that a read or write of the byte at P raises, as an instruction of the guest makes it; 0: none.
 */
static int touch(volatile uint8_t *p, bool write)
{
	struct sigaction sa = { .sa_sigaction = on_fault, .sa_flags = SA_SIGINFO | SA_NODEFER };

	sigaction(SIGBUS, &sa, NULL);
	sigaction(SIGSEGV, &sa, NULL);
	caught = 0;
	if (!sigsetjmp(out, 1)) {
		uint8_t b = *p;

		if (write)
			*p = b;
	}
	ck_assert(!caught || caught_at == (void *)p);
	return caught;
}

static uint64_t entry_of(unsigned k)
{
	return (uint64_t)(DATA_FIRST + k) << 12 | PTE_P | PTE_W | PTE_U;
}

/* A world whose first pages ascend; a miss on the second began a line. */
static struct world *world_with_line(bool pae)
{
	struct world *w = world_new(NULL, 16, pae, 41);

	mmu_flush(w->m, true);
	for (unsigned k = 0; k < 300; k++)
		world_set_entry(w, k, entry_of(k));
	ck_assert(world_read(w, world_lin(w, 0)));
	ck_assert_uint_eq(mmu_stats(w->m)->lines, 0);
	ck_assert(world_write(w, world_lin(w, 1), 0x21));
	return w;
}

static bool no_lines(struct world *w)
{
	if (w->m->uffd >= 0)
		return false;
	world_free(w);
	return true; /* refused on this host */
}

static uint32_t *shadow_of(struct world *w, unsigned k)
{
	return &w->m->cur->shadow[world_lin(w, k) >> PAGE_SHIFT];
}

static uint8_t *page_at(struct world *w, unsigned k)
{
	return w->m->cur->base + world_lin(w, k);
}

START_TEST(closed_until_opened)
{
	struct world *w = world_with_line(_i);
	unsigned maps;

	if (no_lines(w))
		return;
	ck_assert_uint_eq(mmu_stats(w->m)->lines, 1);
	maps = kernel_maps(w->m->cur);
	ck_assert_uint_eq(*shadow_of(w, 1) & (SH_P | SH_W | SH_LINE), SH_P | SH_W | SH_LINE);
	for (unsigned k = 2; k < 250; k += 40)
		for (int write = 0; write < 2; write++) {
			ck_assert_int_eq(touch(page_at(w, k), write), SIGBUS);
			ck_assert(!can_read(page_at(w, k)));
		}
	world_audit(w, true);
	for (unsigned k = 2; k < 250; k++)
		ck_assert(world_write(w, world_lin(w, k), (uint8_t)k));
	ck_assert_uint_eq(kernel_maps(w->m->cur), maps);
	ck_assert_uint_eq(mmu_stats(w->m)->lines, 1);
	world_audit(w, true);
	/* Dropped, one and many: closed again. */
	world_set_entry(w, 7, 0);
	for (unsigned k = 100; k < 140; k++)
		world_set_entry(w, k, 0);
	mmu_invlpg(w->m, world_lin(w, 7));
	ck_assert_int_eq(touch(page_at(w, 7), false), SIGBUS);
	mmu_flush(w->m, true);
	ck_assert(world_read(w, world_lin(w, 8)));
	ck_assert_int_eq(touch(page_at(w, 7), true), SIGBUS);
	ck_assert_int_eq(touch(page_at(w, 120), false), SIGBUS);
	world_audit(w, true);
	world_audit_host(w);
	world_free(w);
}
END_TEST

START_TEST(protected_in_line)
{
	struct world *w = world_with_line(_i);

	if (no_lines(w))
		return;
	ck_assert(world_read(w, world_lin(w, 2))); /* not dirty: read-only */
	ck_assert_int_eq(touch(page_at(w, 2), false), 0);
	ck_assert_int_eq(touch(page_at(w, 2), true), SIGBUS);
	ck_assert(world_write(w, world_lin(w, 2), 5));
	ck_assert_int_eq(touch(page_at(w, 2), true), 0);
	mm_trace_code(w->vm, DATA_FIRST + 2);
	ck_assert_int_eq(touch(page_at(w, 2), true), SIGBUS);
	world_audit(w, true);
	/* Dropped while protected, it is not protected when it is opened again. */
	world_set_entry(w, 2, 0);
	mmu_invlpg(w->m, world_lin(w, 2));
	mm_untrace_code(w->vm, DATA_FIRST + 2);
	ck_assert_int_eq(touch(page_at(w, 2), true), SIGBUS);
	world_set_entry(w, 2, entry_of(2));
	ck_assert(world_write(w, world_lin(w, 2), 6));
	ck_assert_uint_ne(*shadow_of(w, 2) & SH_LINE, 0);
	ck_assert_int_eq(touch(page_at(w, 2), true), 0);
	/* Protected by the tables, pages in and out of the line at once. */
	for (unsigned k = 0; k < 12; k++)
		ck_assert(world_write(w, world_lin(w, k), 7));
	for (unsigned k = 0; k < 12; k++)
		world_set_entry(w, k, (entry_of(k) & ~(uint64_t)PTE_W) | PTE_A | PTE_D);
	mmu_flush(w->m, true);
	ck_assert(world_read(w, world_lin(w, 20)));
	for (unsigned k = 0; k < 12; k++)
		ck_assert_int_ne(touch(page_at(w, k), true), 0);
	world_audit(w, true);
	world_free(w);
}
END_TEST

/* Pages that are not where the line has them: another PPN, or machine memory elsewhere. */
START_TEST(out_of_line)
{
	struct world *w = world_with_line(_i);
	struct window *win;

	if (no_lines(w))
		return;
	win = w->m->cur;
	world_set_entry(w, 5, entry_of(200));
	ck_assert(world_write(w, world_lin(w, 5), 1));
	ck_assert(!(*shadow_of(w, 5) & SH_LINE));
	ck_assert(page_move(w->vm, DATA_FIRST + 6, pool_frame_new(w->pool)));
	ck_assert(world_read(w, world_lin(w, 6)));
	ck_assert(!(*shadow_of(w, 6) & SH_LINE));
	ck_assert(world_write(w, world_lin(w, 6), 2)); /* comes home */
	ck_assert(world_write(w, world_lin(w, 7), 3));
	ck_assert_uint_ne(*shadow_of(w, 7) & SH_LINE, 0);
	ck_assert(page_move(w->vm, DATA_FIRST + 7, pool_frame_new(w->pool)));
	ck_assert(!(*shadow_of(w, 7) & SH_LINE));
	ck_assert_int_eq(touch(page_at(w, 7), true), SIGSEGV);
	world_audit(w, true);
	/* The estimate is from above, and a count of the books is the host's. */
	ck_assert_int_ge(win->maps + 1, kernel_maps(win));
	maps_add(w->m, win, 1000);
	w->pool->maps_limit = 100;
	evict_for_limit(w->m, NULL);
	ck_assert_int_eq(win->maps, kernel_maps(win));
	/* Code is fetched from a closed page, and from another page than the line has there. */
	ck_assert(world_fetch(w, world_lin(w, 30)));
	ck_assert_int_eq(touch(page_at(w, 30), false), SIGBUS);
	world_set_entry(w, 31, entry_of(201));
	ck_assert(world_fetch(w, world_lin(w, 31)));
	ck_assert_int_eq(touch(page_at(w, 31), false), SIGSEGV);
	ck_assert(world_read(w, world_lin(w, 30)) && world_read(w, world_lin(w, 31)));
	world_audit(w, true);
	world_audit_host(w);
	/* Emptied: nothing of the line is left. */
	win_drop_all(w->m, win);
	for (unsigned k = 0; k < 300; k++)
		ck_assert_uint_eq(*shadow_of(w, k), 0);
	ck_assert_int_eq(touch(page_at(w, 40), false), SIGSEGV);
	ck_assert_uint_eq(kernel_maps(win), 1);
	world_free(w);
}
END_TEST

/* Memory given back leaves a hole in the line; pages that the host took are opened again. */
START_TEST(holes)
{
	struct world *w = world_with_line(_i);

	if (no_lines(w))
		return;
	ck_assert(world_write(w, world_lin(w, 3), 4));
	page_release(w->vm, DATA_FIRST + 3);
	w->model[DATA_FIRST + 3] = 0;
	ck_assert_int_eq(touch(page_at(w, 3), false), SIGBUS);
	ck_assert_int_eq(touch(page_at(w, 3), true), SIGBUS);
	world_audit(w, true);
	ck_assert(world_read(w, world_lin(w, 3)) && world_write(w, world_lin(w, 3), 8));
	world_audit(w, true);
	/* Not populated yet, and so not in the file: opened all the same. */
	pool_punch(w->vm->fd, DATA_FIRST + 4, 1);
	w->model[DATA_FIRST + 4] = 0;
	ck_assert(world_read(w, world_lin(w, 4)));
	ck_assert_int_eq(touch(page_at(w, 4), false), 0);
	/* As if the host had reclaimed an open page. */
	ck_assert(line_close(w->m->cur, world_lin(w, 3) >> PAGE_SHIFT, 1));
	ck_assert_int_eq(touch(page_at(w, 3), true), SIGBUS);
	ck_assert(!mmu_bus_error(w->m, (uint64_t)page_at(w, 3)));
	for (int write = 0; write < 2; write++) {
		struct mmu_fault f;

		ck_assert(line_close(w->m->cur, world_lin(w, 3) >> PAGE_SHIFT, 1));
		ck_assert_int_eq(mmu_fill(w->m, world_lin(w, 3), write ? MM_WRITE : MM_READ, &f), FILL_OK);
		ck_assert_int_eq(touch(page_at(w, 3), write), 0);
	}
	ck_assert_uint_eq(w->failed, 0);
	/* Elsewhere a SIGBUS means that the host has no memory. */
	ck_assert(mmu_bus_error(w->m, (uint64_t)page_at(w, 0)));
	ck_assert_uint_eq(w->failed, 1);
	world_free(w);
}
END_TEST

/* Without userfaultfd the same accesses take an mmap each. */
START_TEST(without_userfaultfd)
{
	struct world *w = world_new(NULL, 0, _i, 42);

	world_no_lines(w);
	for (unsigned k = 0; k < 300; k++) {
		world_set_entry(w, k, entry_of(k));
		ck_assert(world_write(w, world_lin(w, k), (uint8_t)k));
		ck_assert_int_eq(touch(page_at(w, k), true), 0);
		ck_assert_int_eq(touch(page_at(w, k + 1), true), SIGSEGV);
	}
	ck_assert_uint_eq(mmu_stats(w->m)->lines, 0);
	world_audit(w, true);
	world_free(w);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("line");
	TCase *t = tcase_create("line");

	tcase_add_loop_test(t, closed_until_opened, 0, 2);
	tcase_add_loop_test(t, protected_in_line, 0, 2);
	tcase_add_loop_test(t, out_of_line, 0, 2);
	tcase_add_loop_test(t, holes, 0, 2);
	tcase_add_loop_test(t, without_userfaultfd, 0, 2);
	suite_add_tcase(s, t);
	return suite_run(s);
}
