/* SPDX-License-Identifier: GPL-3.0-or-later
 * Soft pages: entered without a host call, and no longer soft as soon as a mapping would lose its right. */
#include "tests/mm/world.h"

#include "mm/window/region.h"
#include "tests/suite.h"

static uint64_t entry_of(unsigned k)
{
	return (uint64_t)(DATA_FIRST + 2 * k) << 12 | PTE_P | PTE_W | PTE_U; /* no runs, no lines */
}

/* A world all of whose accesses are prechecked; four pages of it are soft, and were written. */
static struct world *world_soft(bool pae)
{
	struct world *w = world_new(NULL, 16, pae, 61);

	w->soft = 1;
	mmu_flush(w->m, true);
	for (unsigned k = 0; k < 40; k++)
		world_set_entry(w, k, entry_of(k));
	for (unsigned k = 0; k < 4; k++)
		ck_assert(world_write(w, world_lin(w, k), (uint8_t)(0x11 * k)));
	ck_assert_uint_eq(mmu_stats(w->m)->softs, 4);
	return w;
}

static uint32_t shadow_of(struct world *w, unsigned k)
{
	return w->m->cur->shadow[world_lin(w, k) >> PAGE_SHIFT];
}

static uint32_t bits(struct world *w, unsigned k)
{
	return shadow_of(w, k) & (SH_IN | SH_P | SH_W | SH_SOFT);
}

#define SOFT_RW (SH_IN | SH_SR | SH_SW)

START_TEST(no_host_call)
{
	struct world *w = world_soft(_i);
	unsigned maps = kernel_maps(w->m->cur);
	uint64_t drops = w->m->cur->drops;

	ck_assert_uint_eq(maps, 1);
	for (unsigned k = 0; k < 4; k++)
		ck_assert_uint_eq(bits(w, k), SOFT_RW);
	ck_assert(world_read(w, world_lin(w, 9)));
	ck_assert_uint_eq(bits(w, 9), SH_IN | SH_SR); /* not dirty */
	ck_assert(!(world_entry(w, 9) & PTE_D) && (world_entry(w, 9) & PTE_A));
	ck_assert(world_write(w, world_lin(w, 9), 3));
	ck_assert_uint_eq(bits(w, 9), SOFT_RW);
	ck_assert(world_entry(w, 9) & PTE_D);
	/* Dropped and narrowed without one, too. */
	world_set_entry(w, 0, 0);
	world_set_entry(w, 1, (entry_of(1) & ~(uint64_t)PTE_W) | PTE_A | PTE_D);
	mmu_flush(w->m, true);
	ck_assert(!world_read(w, world_lin(w, 0)));
	ck_assert_uint_eq(bits(w, 0), 0);
	ck_assert_uint_eq(bits(w, 1), SH_IN | SH_SR);
	ck_assert(!world_write(w, world_lin(w, 1), 1) || !(w->cpu.cr0 & CR0_WP));
	ck_assert_uint_eq(kernel_maps(w->m->cur), maps);
	ck_assert_uint_eq(w->m->cur->drops, drops);
	ck_assert_uint_eq(w->m->cur->mapped, 0);
	world_audit(w, true);
	world_audit_host(w);
	world_free(w);
}
END_TEST

/* Copy on write: another page at the same place, after INVLPG. */
START_TEST(replaced)
{
	struct world *w = world_soft(_i);

	world_set_entry(w, 2, entry_of(30) | PTE_A | PTE_D);
	mmu_invlpg(w->m, world_lin(w, 2));
	ck_assert_uint_eq(bits(w, 2), SOFT_RW);
	ck_assert_uint_eq(shadow_of(w, 2) >> 12, DATA_FIRST + 60);
	ck_assert(world_write(w, world_lin(w, 2), 0x77));
	ck_assert_uint_eq(w->model[DATA_FIRST + 60], 0x77);
	world_set_entry(w, 3, entry_of(31)); /* not accessed: its first access is to say so */
	mmu_invlpg(w->m, world_lin(w, 3));
	ck_assert_uint_eq(bits(w, 3), 0);
	ck_assert_uint_eq(w->m->cur->mapped, 0);
	world_audit(w, true);
	world_free(w);
}
END_TEST

START_TEST(loses_rights)
{
	struct world *w = world_soft(_i);

	mm_trace_code(w->vm, DATA_FIRST);
	ck_assert_uint_eq(bits(w, 0), SH_IN | SH_SR);
	ck_assert(world_write(w, world_lin(w, 0), 9)); /* lifts the trace */
	ck_assert_uint_eq(bits(w, 0), SOFT_RW);
	mm_vm_set_rom(w->vm, (gpa)(DATA_FIRST + 2) << PAGE_SHIFT, PAGE_SIZE, true);
	ck_assert_uint_eq(bits(w, 1), SH_IN | SH_SR);
	mm_vm_set_rom(w->vm, (gpa)(DATA_FIRST + 2) << PAGE_SHIFT, PAGE_SIZE, false);
	ck_assert_int_eq(mmu_watch_insert(w->m, world_lin(w, 2) + 8, 4, WATCH_WRITE), 0);
	ck_assert_uint_eq(bits(w, 2), 0);
	ck_assert(world_read(w, world_lin(w, 2)));
	ck_assert_uint_eq(bits(w, 2), SH_IN | SH_SR); /* as a mapping would be */
	ck_assert_int_eq(
	    mmu_watch_insert(w->m, (uint64_t)(DATA_FIRST + 6) << PAGE_SHIFT, 4, WATCH_READ | WATCH_PHYSICAL),
	    0);
	ck_assert_uint_eq(bits(w, 3), 0);
	world_audit(w, true);
	world_free(w);
}
END_TEST

START_TEST(not_at_home)
{
	struct world *w = world_soft(_i);
	mpn frame = pool_frame_new(w->pool);

	ck_assert(frame != MPN_NONE && page_move(w->vm, DATA_FIRST, frame));
	ck_assert_uint_eq(bits(w, 0), SH_IN);
	ck_assert(world_read(w, world_lin(w, 0))); /* the frame is mapped */
	ck_assert_uint_eq(bits(w, 0), SH_IN | SH_P);
	ck_assert(world_write(w, world_lin(w, 0), 5)); /* it comes home */
	ck_assert_uint_eq(w->vm->pmap[DATA_FIRST].mpn, DATA_FIRST);
	page_release(w->vm, DATA_FIRST + 2);
	w->model[DATA_FIRST + 2] = 0;
	ck_assert_uint_eq(bits(w, 1), 0);
	ck_assert(world_read(w, world_lin(w, 1)));
	world_audit(w, true);
	world_free(w);
}
END_TEST

/* Code that does not look at the entry maps the page; so does a run that reaches it. */
START_TEST(mapped_by_others)
{
	struct world *w = world_soft(_i);

	w->soft = 0;
	ck_assert(world_read(w, world_lin(w, 0)));
	ck_assert_uint_eq(bits(w, 0), SH_IN | SH_P | SH_W);
	/* Read-only by the tables, then not: prechecked code needs no mprotect. */
	world_set_entry(w, 4, entry_of(4) & ~(uint64_t)PTE_W);
	ck_assert(world_read(w, world_lin(w, 4)));
	ck_assert_uint_eq(bits(w, 4), SH_IN | SH_P);
	world_set_entry(w, 4, entry_of(4) | PTE_A);
	w->soft = 1;
	mmu_invlpg(w->m, world_lin(w, 4));
	ck_assert(world_write(w, world_lin(w, 4), 0x44));
	ck_assert_uint_eq(bits(w, 4) & ~(uint32_t)SH_SR, SH_IN | SH_P | SH_SW);
	mm_trace_code(w->vm, DATA_FIRST + 8);
	ck_assert_uint_eq(bits(w, 4) & (SH_P | SH_SW), SH_P);
	world_audit(w, true);
	world_free(w);
}
END_TEST

/* Before a retry: as the tables say now, without side effects. */
START_TEST(before_the_retry)
{
	struct world *w = world_soft(_i);

	mmu_prefill(w->m, world_lin(w, 10), true, true); /* never accessed */
	ck_assert_uint_eq(bits(w, 10), 0);
	world_set_entry(w, 10, entry_of(10) | PTE_A);
	mmu_prefill(w->m, world_lin(w, 10), true, true);
	ck_assert_uint_eq(bits(w, 10), SH_IN | SH_SR);
	world_set_entry(w, 11, entry_of(11) | PTE_A | PTE_D);
	mmu_prefill(w->m, world_lin(w, 11), true, true);
	ck_assert_uint_eq(bits(w, 11), SOFT_RW);
	world_audit(w, true);
	world_free(w);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("soft pages");
	TCase *t = tcase_create("soft pages");

	tcase_add_loop_test(t, no_host_call, 0, 2);
	tcase_add_loop_test(t, replaced, 0, 2);
	tcase_add_loop_test(t, loses_rights, 0, 2);
	tcase_add_loop_test(t, not_at_home, 0, 2);
	tcase_add_loop_test(t, mapped_by_others, 0, 2);
	tcase_add_loop_test(t, before_the_retry, 0, 2);
	suite_add_tcase(s, t);
	return suite_run(s);
}
