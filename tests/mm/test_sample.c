/* SPDX-License-Identifier: GPL-3.0-or-later
 * Sampling of the pages in use: each way of access counts once, none of the monitor's own does; estimates
 * against the truth, fast up and slow down; books and windows in order throughout. */
#include "mm/policy.h"
#include "tests/mm/world.h"

#include "mm/window/region.h"
#include "tests/suite.h"

#include <math.h>
#include <string.h>

enum { ONE = 65536, ALL = RAM_PAGES, PAGES = NTABLES * 512 };

static void map_all(struct world *w)
{
	for (unsigned k = 0; k < PAGES; k++)
		world_set_entry(w, k,
				(uint64_t)(DATA_FIRST + k % (ROM_FIRST - DATA_FIRST)) << 12 | PTE_P | PTE_W |
				    PTE_U | PTE_A | PTE_D);
}

static void books(struct world *w)
{
	struct mm_books b;

	ck_assert_msg(mm_check(w->vm, true, &b), "%s (%x)", b.wrong, b.at);
	world_audit(w, true);
}

/* K, whose page is the only one in the sample from now on. */
static ppn sample_only(struct world *w, unsigned k)
{
	ppn p = DATA_FIRST + k;

	mm_sample(w->vm, 0, 0);
	for (int tries = 0; tries < 200 && !w->vm->pmap[p].sampled; tries++) {
		mm_sample(w->vm, 0, 0);
		mm_sample(w->vm, SAMPLE_MAX, 0);
	}
	ck_assert(w->vm->pmap[p].sampled);
	return p;
}

enum way { READ, WRITE, SOFT_READ, SOFT_WRITE, FETCH, SEMANTIC_READ, SEMANTIC_WRITE, BYPASS, DMA, WAYS };

static void access_by(struct world *w, unsigned k, enum way way)
{
	uint32_t lin = world_lin(w, k), x = 0;
	gpa pa;

	w->soft = way == SOFT_READ || way == SOFT_WRITE;
	switch (way) {
	case READ:
	case SOFT_READ:
		ck_assert(world_read(w, lin));
		break;
	case WRITE:
	case SOFT_WRITE:
		ck_assert(world_write(w, lin, 3));
		break;
	case FETCH:
		ck_assert(world_fetch(w, lin));
		break;
	case SEMANTIC_READ:
		ck_assert_int_eq(mmu_read(w->m, lin, &x, 4, 0), 0);
		break;
	case SEMANTIC_WRITE:
		ck_assert_int_eq(mmu_read(w->m, lin, &x, 4, MM_PROBE), 0);
		ck_assert_int_eq(mmu_write(w->m, lin, &x, 4, 0), 0);
		break;
	case BYPASS:
		mmu_bypass_all(w->m);
		ck_assert(mmu_bypass(w->m, lin, 4, MM_READ, false, &pa) != NULL);
		break;
	default:
		mm_dma_touched(w->vm, (gpa)(DATA_FIRST + k) << PAGE_SHIFT, 8);
	}
}

/* Mapped before, and its neighbours mapped after: the access itself is what counts. */
START_TEST(counts_once)
{
	struct world *w = world_new(NULL, 8, _i >= WAYS, 5);
	enum way way = (enum way)(_i % WAYS);
	unsigned k = 40, win;
	uint32_t before;
	ppn p;

	map_all(w);
	mmu_select(w->m, &win);
	for (unsigned i = 0; i < 80; i++)
		ck_assert(world_read(w, world_lin(w, i)) && world_write(w, world_lin(w, i), 7));
	ck_assert(world_fetch(w, world_lin(w, k)));
	p = sample_only(w, k);
	ck_assert_uint_eq(w->vm->pmap[p].rmap, 0);
	books(w);
	for (unsigned i = 0; i < 80; i++)
		if (i != k)
			ck_assert(world_read(w, world_lin(w, i)));
	ck_assert(w->vm->pmap[p].sampled && !w->vm->pmap[p].rmap);
	before = w->vm->sample.touched;
	access_by(w, k, way);
	ck_assert(!w->vm->pmap[p].sampled);
	before = w->vm->sample.touched - before;
	ck_assert(before == 1 ||
		  (before <= 3 && way != DMA)); /* the walk's tables may be in the sample, too */
	before = w->vm->sample.touched;
	access_by(w, k, way);
	ck_assert_uint_eq(w->vm->sample.touched, before);
	books(w);
	world_free(w);
}
END_TEST

/* What the monitor does with a page is no use of it. */
START_TEST(does_not_count)
{
	struct world *w = world_new_swapped(NULL, 8, false, 5);
	unsigned k = 40, win;
	uint8_t b;
	ppn p;

	map_all(w);
	mmu_select(w->m, &win);
	p = sample_only(w, k);
	ck_assert(mm_phys_read(w->vm, (gpa)p << PAGE_SHIFT, &b, 1));
	ck_assert_int_eq(mmu_read(w->m, world_lin(w, k), &b, 1, MM_PROBE), 0);
	mm_share_page(w->vm, p);
	mmu_prefill(w->m, world_lin(w, k), false, false);
	ck_assert(w->vm->pmap[p].sampled && !w->vm->pmap[p].rmap);
	ck_assert(mm_swap_out(w->vm, p));
	ck_assert(w->vm->pmap[p].sampled);
	ck_assert(world_read(w, world_lin(w, k))); /* reading it back is for the guest's access */
	ck_assert(!w->vm->pmap[p].sampled);
	books(w);
	world_free(w);
}
END_TEST

/* Code that runs on in a page without looking it up is told to. */
static void on_revisit(void *ctx, ppn p)
{
	uint8_t *seen = ctx;

	seen[p] = 1;
}

START_TEST(code_is_told)
{
	struct world *w = world_new(NULL, 8, false, 5);
	static uint8_t seen[ALL];

	memset(seen, 0, sizeof(seen));
	w->vm->hooks.ctx = seen;
	w->vm->hooks.code_revisit = on_revisit;
	mm_sample(w->vm, 300, 0);
	for (ppn p = 0; p < ALL; p++)
		ck_assert_int_eq(seen[p], w->vm->pmap[p].sampled);
	w->vm->hooks.ctx = w;
	world_free(w);
}
END_TEST

/* A guest that uses USED pages of its own in each period. Returns the estimate. */
static double period(struct world *w, unsigned used, uint64_t now)
{
	unsigned win;

	mm_sample(w->vm, 100, now);
	mmu_select(w->m, &win);
	for (unsigned k = 0; k < used; k++)
		ck_assert(world_read(w, world_lin(w, k)));
	mm_sample_now(w->vm);
	return (double)mm_active(w->vm->slot) / ONE;
}

START_TEST(against_truth)
{
	struct world *w = world_new(NULL, 8, _i, 5);
	const unsigned low = 100, high = 700;
	double f, last = 1;
	uint64_t now = 0;

	map_all(w);
	ck_assert_uint_eq(mm_active(w->vm->slot), ONE); /* before the first period: all of it */
	for (int i = 0; i < 40; i++)
		f = period(w, low, now += 30);
	ck_assert(fabs(f - (double)low / ALL) < 0.1);
	/* Up: before the period is over, and nearly all of it after three. */
	f = period(w, high, now += 30);
	ck_assert(f > 0.3);
	for (int i = 0; i < 3; i++)
		f = period(w, high, now += 30);
	ck_assert(f > 0.85 * high / ALL && f < 1.2 * high / ALL);
	for (int i = 0; i < 30; i++)
		period(w, high, now += 30);
	/* Down: three periods are not enough, thirty are. */
	for (int i = 0; i < 3; i++) {
		f = period(w, low, now += 30);
		ck_assert(f <= last + 0.1);
		last = f;
	}
	ck_assert(f > 0.4);
	for (int i = 0; i < 30; i++)
		f = period(w, low, now += 30);
	ck_assert(fabs(f - (double)low / ALL) < 0.1);
	books(w);
	world_free(w);
}
END_TEST

/* The slot has what the periods were. */
START_TEST(history)
{
	struct world *w = world_new(NULL, 8, false, 5);
	struct mm_slot *s = w->vm->slot;

	map_all(w);
	for (unsigned i = 0; i < MM_SAMPLES + 3; i++)
		period(w, i * 20, i * 1000);
	ck_assert_uint_eq(s->periods, MM_SAMPLES + 2);
	for (uint64_t i = s->periods - MM_SAMPLES; i < s->periods; i++) {
		struct mm_sample *x = &s->sample[i % MM_SAMPLES];

		ck_assert_uint_eq(x->vm_ns, (i + 1) * 1000);
		ck_assert(x->sampled > 90 && x->sampled <= 100 && x->touched <= x->sampled);
	}
	/* Fewer pages in memory than the sample asks for; none. */
	mm_sample(w->vm, UINT32_MAX, 0);
	ck_assert_uint_le(w->vm->sample.n, SAMPLE_MAX);
	mm_sample(w->vm, 0, 0);
	ck_assert_uint_eq(w->vm->sample.n, 0);
	for (ppn p = 0; p < ALL; p++)
		ck_assert(!w->vm->pmap[p].sampled);
	world_free(w);
}
END_TEST

START_TEST(at_random)
{
	struct world *w = world_new_swapped(NULL, 4, _i & 1, 300 + (uint64_t)_i);

	w->soft = _i & 2 ? 2 : 0;
	map_all(w);
	for (int i = 0; i < 6000; i++) {
		uint32_t lin = world_lin(w, world_rnd(w, PAGES));

		w->cpu.cpl = world_rnd(w, 2) ? 3 : 0;
		if (world_rnd(w, 3))
			world_write(w, lin, (uint8_t)world_rnd(w, 6));
		else
			(world_rnd(w, 2) ? world_read : world_fetch)(w, lin);
		if (!world_rnd(w, 10))
			mm_share_page(w->vm, world_rnd(w, ALL));
		if (!world_rnd(w, 10))
			mm_swap_out(w->vm, world_rnd(w, ALL));
		if (!world_rnd(w, 40))
			mm_sample(w->vm, world_rnd(w, 400), (uint64_t)i);
		if (i % 500 == 499)
			books(w);
	}
	ck_assert_uint_eq(w->failed, 0);
	world_free(w);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("sample");
	TCase *t = tcase_create("sample");

	tcase_set_timeout(t, 60);
	tcase_add_loop_test(t, counts_once, 0, 2 * WAYS);
	tcase_add_test(t, does_not_count);
	tcase_add_test(t, code_is_told);
	tcase_add_loop_test(t, against_truth, 0, 2);
	tcase_add_test(t, history);
	tcase_add_loop_test(t, at_random, 0, 4);
	suite_add_tcase(s, t);
	return suite_run(s);
}
