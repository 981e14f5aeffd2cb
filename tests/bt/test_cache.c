/* SPDX-License-Identifier: GPL-3.0-or-later
 * The translation cache against a model: a plain list of the fragments that were inserted, searched from its
 * end. Random insertions, look-ups, drops and flushes; after each step the cache's structures say what the
 * list says. */
#include "bt/cache/cache.h"
#include "bt/cache/jump.h"
#include "tests/bt/rig.h"
#include "tests/suite.h"

#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#define NO_PAGE UINT32_MAX

/* A fragment as the test knows it. */
struct known {
	struct ccf *f;
	struct ccf key;
	uint32_t ind, end;
	bool live;
};
enum { MAX_KNOWN = 4096 };
static struct known known[MAX_KNOWN];
static unsigned nknown;
static struct rig rig;

static void setup(void)
{
	rig_seed(1);
	nknown = 0;
	rig_init(&rig, 1 << 20);
}

static void teardown(void)
{
	rig_fini(&rig);
}

/* ---- the model ---- */

static struct known *insert(const struct ccf *key, unsigned size)
{
	struct ccf *f = nknown < MAX_KNOWN ? rig_insert(&rig, key, size) : NULL;
	struct known *k = &known[nknown];

	if (!f)
		return NULL;
	*k = (struct known){ .f = f, .key = *key, .ind = f->host, .end = f->host + f->hsize, .live = true };
	nknown++;
	return k;
}

static bool same_key(const struct ccf *a, const struct ccf *b)
{
	return a->pc == b->pc && a->mode == b->mode && a->cs_base == b->cs_base && a->page == b->page;
}

static struct ccf *expect_find(const struct ccf *key)
{
	for (unsigned i = nknown; i--;)
		if (known[i].live && known[i].key.page2 == NO_PAGE && same_key(&known[i].key, key))
			return known[i].f;
	return NULL;
}

static struct ccf *find(const struct ccf *key)
{
	return cache_find(rig.b, key->pc, key->mode, key->cs_base, key->page);
}

static bool covers(const struct known *k, uint32_t pc, uint32_t len)
{
	uint64_t from = k->key.pc, to = from + k->key.glen;

	return from < (uint64_t)pc + len && pc < to;
}

static bool on_page(const struct known *k, ppn p)
{
	return k->key.page == p || k->key.page2 == p;
}

/* Each fragment that the list of page P has, once. */
static unsigned listed(ppn p, const struct ccf *f)
{
	unsigned n = 0;

	for (const struct ccf *i = rig.b->tc.pages[p].list; i; i = i->page == p ? i->pnext : i->pnext2)
		n += !f || i == f;
	return n;
}

static void check_pages(void)
{
	for (ppn p = 0; p < RIG_PAGES; p++) {
		unsigned n = 0;

		for (unsigned i = 0; i < nknown; i++) {
			bool is = known[i].live && on_page(&known[i], p);

			n += is;
			ck_assert_uint_eq(listed(p, known[i].f), is);
		}
		ck_assert_uint_eq(listed(p, NULL), n);
	}
}

static void check_order(void)
{
	const struct tc *tc = &rig.b->tc;
	unsigned pinned = 0;

	ck_assert_uint_eq(tc->norder, nknown);
	for (unsigned i = 0; i < nknown; i++) {
		pinned += known[i].key.pinned;
		ck_assert_int_eq(known[i].f->dead, !known[i].live);
		ck_assert_ptr_eq(cache_by_host(rig.b, rig.b->tc_base + known[i].ind), known[i].f);
		ck_assert_ptr_eq(cache_by_host(rig.b, rig.b->tc_base + known[i].end - 1), known[i].f);
		ck_assert_ptr_eq(find(&known[i].key), expect_find(&known[i].key));
	}
	ck_assert_uint_eq(tc->npinned, pinned);
	for (unsigned i = 1; i < tc->norder; i++)
		ck_assert_uint_lt(tc->order[i - 1]->host + tc->order[i - 1]->hsize, tc->order[i]->host + 16);
	for (unsigned i = 0; i < tc->norder; i++)
		ck_assert_int_eq(tc->order[i]->pinned, i < tc->npinned);
}

/* ---- random keys: few, so that they meet ---- */

static struct ccf random_key(void)
{
	ppn page = rig_random(RIG_PAGES - 1);
	uint32_t off = rig_random(64) * 64;
	bool straddles = off == 63 * 64 && rig_random(2);

	return (struct ccf){ .pc = (0xc0000 + rig_random(2) * RIG_PAGES + page) << PAGE_SHIFT | off,
			     .eip = off,
			     .mode = rig_random(2) ? MODE_D : MODE_D | MODE_CPL,
			     .cs_base = rig_random(8) ? 0 : 0x1000,
			     .page = page,
			     .page2 = straddles ? page + 1 : NO_PAGE,
			     .glen = (uint16_t)(1 + rig_random(straddles ? 100 : 64)),
			     .checked = !rig_random(8),
			     .pinned = !rig_random(10) };
}

/* ---- tests ---- */

START_TEST(finds_what_was_inserted)
{
	struct ccf key = { .pc = 0x1000, .mode = MODE_D, .page = 1, .page2 = NO_PAGE, .glen = 16 }, other;
	struct known *k = insert(&key, 100);

	ck_assert_ptr_eq(find(&key), k->f);
	other = key;
	other.pc++;
	ck_assert_ptr_null(find(&other));
	other = key;
	other.mode |= MODE_CPL;
	ck_assert_ptr_null(find(&other));
	other = key;
	other.cs_base = 16;
	ck_assert_ptr_null(find(&other));
	other = key;
	other.page = 2; /* another process has other code at the same address */
	ck_assert_ptr_null(find(&other));
	cache_drop(rig.b, k->f, DROP_DISCARD, 0);
	ck_assert_ptr_null(find(&key));
}
END_TEST

/* With a CS limit, only a fragment that was made under the same one. */
START_TEST(cs_limit_is_part_of_the_key)
{
	struct ccf key = {
		.pc = 0x2000, .mode = MODE_CSLIM, .cs_limit = 0xffff, .page = 2, .page2 = NO_PAGE, .glen = 4
	};
	struct known *k = insert(&key, 60);

	rig.b->v.cpu.seg[SEG_CS].limit = 0xffff;
	ck_assert_ptr_eq(find(&key), k->f);
	rig.b->v.cpu.seg[SEG_CS].limit = 0xfff;
	ck_assert_ptr_null(find(&key));
}
END_TEST

START_TEST(random_operations)
{
	for (unsigned step = 0; step < 3000; step++) {
		struct ccf key = random_key();
		unsigned op = rig_random(100), n = 0;
		uint32_t len = 1 + rig_random(200);
		bool write = rig_random(2);

		if (op < 70) {
			insert(&key, 60 + rig_random(400));
		} else if (op < 80 && nknown) {
			struct known *k = &known[rig_random(nknown)];

			cache_drop(rig.b, k->f, DROP_DISCARD, 0); /* nothing, where it is dead */
			k->live = false;
		} else if (op < 90) {
			for (unsigned i = 0; i < nknown; i++)
				if (known[i].live && covers(&known[i], key.pc, len)) {
					known[i].live = false;
					n++;
				}
			ck_assert_uint_eq(cache_drop_at(rig.b, key.pc, len, DROP_PATCH), n);
		} else {
			cache_drop_page(rig.b, key.page, write);
			for (unsigned i = 0; i < nknown; i++)
				if (on_page(&known[i], key.page) && (write || !known[i].key.pinned))
					known[i].live = false;
		}
		ck_assert_ptr_eq(find(&key), expect_find(&key));
		if (step % 300 == 0) {
			check_pages();
			check_order();
		}
	}
	ck_assert_uint_gt(nknown, 1000);
	check_pages();
	check_order();
}
END_TEST

/* A full cache keeps its pinned fragments where they are; any other flush keeps nothing. */
START_TEST(flush_keeps_pinned)
{
	for (unsigned round = 0; round < 20; round++) {
		bool full = round % 4 != 3;
		unsigned kept = 0;

		for (unsigned i = 0; i < 100; i++) {
			struct ccf key = random_key();
			struct known *k = insert(&key, 60 + rig_random(200));

			if (k && !rig_random(4)) {
				cache_drop(rig.b, k->f, DROP_DISCARD, 0);
				k->live = false;
			}
		}
		cache_flush_all(rig.b, full);
		for (unsigned i = 0; i < nknown; i++)
			if (full && known[i].key.pinned)
				known[kept++] = known[i];
		nknown = kept;
		for (unsigned i = 0; i < kept; i++) {
			ck_assert_uint_eq(known[i].f->host, known[i].ind);
			ck_assert_uint_eq(known[i].f->pc, known[i].key.pc);
		}
		check_pages();
		/* Hash chains are built anew: of two with one key, either may come first. */
		ck_assert_uint_eq(rig.b->tc.norder, nknown);
		for (unsigned i = 0; i < nknown; i++) {
			struct ccf *f = find(&known[i].key);

			if (known[i].live && known[i].key.page2 == NO_PAGE)
				ck_assert(f && same_key(f, &known[i].key) && !f->dead);
		}
	}
}
END_TEST

/* What was allocated before a flush is zero when it is handed out again; pinned records are left alone. */
START_TEST(arena_is_zeroed)
{
	uint8_t *p = arena_alloc(rig.b, 100000), *q, *pinned;

	memset(p, 0xa5, 100000);
	cache_swap_zones(rig.b);
	pinned = arena_alloc(rig.b, 64);
	memset(pinned, 0x5a, 64);
	cache_swap_zones(rig.b);
	ck_assert(pinned + 64 <= p);
	cache_flush_all(rig.b, true);
	q = arena_alloc(rig.b, 100000);
	ck_assert_ptr_eq(q, p);
	for (unsigned i = 0; i < 100000; i++)
		ck_assert_uint_eq(q[i], 0);
	for (unsigned i = 0; i < 64; i++)
		ck_assert_uint_eq(pinned[i], 0x5a);
	ck_assert_uint_eq((uintptr_t)arena_alloc(rig.b, 1) % 16, 0);
}
END_TEST

/* A dropped fragment leaves no entry in any context's jump table; another's at the same EIP stays. */
START_TEST(drop_clears_jump_tables)
{
	struct ccf key = { .pc = 0x3456, .eip = 0x3456, .page = 3, .page2 = NO_PAGE, .glen = 4 };
	struct known *k = insert(&key, 60);
	struct ctx *c = rig.b->jt.ctx;

	for (unsigned i = 0; i < 4; i++) {
		ctx_table(rig.b, &c[i]);
		c[i].used = true;
		if (i < 3)
			ctx_put(rig.b, &c[i], key.eip, i == 1 ? 0x1230 : k->f->host);
	}
	cache_drop(rig.b, k->f, DROP_WRITE, 0);
	ck_assert_uint_eq(c[0].jt[key.eip], 0);
	ck_assert_uint_eq(c[1].jt[key.eip], 0x1230);
	ck_assert_uint_eq(c[2].jt[key.eip], 0);
	ck_assert(!c[3].any);
	ctx_reset(rig.b, &c[1]);
	ck_assert_uint_eq(c[1].jt[key.eip], 0);
	ck_assert(!c[1].used && !c[1].any);
}
END_TEST

/* A table with entries on so many pages that not all are remembered is emptied, too, and entries are dropped
 * from it. */
START_TEST(table_with_many_pages)
{
	struct ccf key = { .pc = 0x3456, .eip = 0xfffffff0, .page = 3, .page2 = NO_PAGE, .glen = 4 };
	struct known *k = insert(&key, 60);
	struct ctx *c = rig.b->jt.ctx;
	unsigned left = 0;

	c->used = true;
	for (unsigned i = 0; i < 2 * JT_TOUCHED; i++)
		ctx_put(rig.b, c, i * 0x123450, 0x1000 + i);
	ck_assert(c->many);
	ctx_put(rig.b, c, key.eip, k->f->host);
	cache_drop(rig.b, k->f, DROP_WRITE, 0);
	ck_assert_uint_eq(c->jt[key.eip], 0);
	for (unsigned i = 0; i < 2 * JT_TOUCHED; i++)
		ck_assert_uint_eq(c->jt[i * 0x123450], 0x1000 + i);
	ctx_reset(rig.b, c);
	for (unsigned i = 0; i < 2 * JT_TOUCHED; i++)
		left += c->jt[i * 0x123450] != 0;
	ck_assert_uint_eq(left, 0);
	ck_assert(!c->many && !c->any);
}
END_TEST

/* Without address space for another table, contexts share those that there are. */
START_TEST(tables_run_out)
{
	struct ctx *c = rig.b->jt.ctx;
	struct rlimit was, now;
	uint32_t *table = c[0].jt;

	ctx_put(rig.b, &c[0], 0x1000, 0x40);
	ck_assert_int_eq(getrlimit(RLIMIT_AS, &was), 0);
	now = was;
	now.rlim_cur = 1 << 20;
	ck_assert_int_eq(setrlimit(RLIMIT_AS, &now), 0);
	ctx_table(rig.b, &c[1]);
	ck_assert_int_eq(setrlimit(RLIMIT_AS, &was), 0);
	ck_assert_ptr_eq(c[1].jt, table);
	ck_assert_ptr_null(c[0].jt);
	ck_assert_uint_eq(table[0x1000], 0);
	ctx_table(rig.b, &c[0]);
	ck_assert_ptr_nonnull(c[0].jt);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("cache");
	TCase *t = tcase_create("cache");

	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_test(t, finds_what_was_inserted);
	tcase_add_test(t, cs_limit_is_part_of_the_key);
	tcase_add_test(t, random_operations);
	tcase_add_test(t, flush_keeps_pinned);
	tcase_add_test(t, arena_is_zeroed);
	tcase_add_test(t, drop_clears_jump_tables);
	tcase_add_test(t, table_with_many_pages);
	tcase_add_test(t, tables_run_out);
	suite_add_tcase(s, t);
	return suite_run(s);
}
