/* SPDX-License-Identifier: GPL-3.0-or-later
 * Chaining against a model: for each exit the fragment it is linked to. The code is read through the
 * executable view: a linked exit jumps to its target's main entry, any other to its own stub. */
#include "bt/cache/cache.h"
#include "bt/cache/chain.h"
#include "tests/bt/rig.h"
#include "tests/suite.h"

#include <string.h>

enum { FRAGMENTS = 60, CODE = 160, STEPS = 20000 };

static struct rig rig;
static struct ccf *frag[FRAGMENTS];
static struct ccf *to[FRAGMENTS][MAX_EXITS]; /* the model */

/* What the 32-bit displacement at TC offset AT leads to. */
static uint32_t target(uint32_t at)
{
	int32_t rel;

	memcpy(&rel, rig.b->tc.rx + at, 4);
	return at + 4 + (uint32_t)rel;
}

static bool straddles(const struct ccf *f)
{
	return f->page2 != UINT32_MAX;
}

/* Fragment I with N exits; where they cross pages and may not be linked is random. */
static void make(unsigned i, unsigned n)
{
	bool two = !rig_random(5);
	struct ccf key = { .pc = i << 8,
			   .page = i % RIG_PAGES,
			   .page2 = two ? (i + 1) % RIG_PAGES : UINT32_MAX,
			   .glen = 16 };
	struct ccf *f = rig_insert(&rig, &key, CODE);

	ck_assert_ptr_nonnull(f);
	f->nlink = (uint8_t)n;
	for (unsigned k = 0; k < n; k++) {
		struct exit_link *l = &f->link[k];
		uint32_t rel;

		*l = (struct exit_link){ .from = f,
					 .patch = f->host + 10 * k,
					 .stub = f->host + 60 + 16 * k,
					 .cross = rig_random(2),
					 .no_chain = !rig_random(10) };
		rel = l->stub - (l->patch + 4);
		memcpy(rig.b->tc.rw + l->patch, &rel, 4);
		to[i][k] = NULL;
	}
	frag[i] = f;
}

static void setup(void)
{
	rig_seed(7);
	rig_init(&rig, 1 << 20);
	rig.b->mode = MODE_XCHAIN;
	for (unsigned i = 0; i < FRAGMENTS; i++)
		make(i, i % (MAX_EXITS + 1));
}

static void teardown(void)
{
	rig_fini(&rig);
}

/* ---- the model's operations ---- */

static void link_exit(unsigned i, unsigned k, unsigned j)
{
	const struct exit_link *l = &frag[i]->link[k];

	chain_patch(rig.b, &frag[i]->link[k], frag[j]);
	if (!l->no_chain && !to[i][k] && !frag[i]->dead && !frag[j]->dead &&
	    (!straddles(frag[j]) || (rig.b->mode & MODE_XCHAIN)))
		to[i][k] = frag[j];
}

/* Forget the links for which HOLDS says so. */
static void forget(bool (*holds)(unsigned i, unsigned k, const void *arg), const void *arg)
{
	for (unsigned i = 0; i < FRAGMENTS; i++)
		for (unsigned k = 0; k < frag[i]->nlink; k++)
			if (to[i][k] && holds(i, k, arg))
				to[i][k] = NULL;
}

static bool leads_into(unsigned i, unsigned k, const void *arg)
{
	return to[i][k] == arg;
}

static bool leads_out_of(unsigned i, unsigned k, const void *arg)
{
	(void)k;
	return frag[i] == arg;
}

static bool rests_on_a_page(unsigned i, unsigned k, const void *arg)
{
	(void)arg;
	return frag[i]->link[k].cross || straddles(to[i][k]);
}

static void check(void)
{
	unsigned into[FRAGMENTS] = { 0 };

	for (unsigned i = 0; i < FRAGMENTS; i++)
		for (unsigned k = 0; k < frag[i]->nlink; k++) {
			const struct exit_link *l = &frag[i]->link[k];

			ck_assert_ptr_eq(l->to, to[i][k]);
			ck_assert_uint_eq(target(l->patch), l->to ? l->to->host : l->stub);
			for (unsigned j = 0; j < FRAGMENTS; j++)
				into[j] += to[i][k] == frag[j];
		}
	for (unsigned j = 0; j < FRAGMENTS; j++) {
		unsigned n = 0;

		for (const struct exit_link *l = frag[j]->in; l; l = l->next_in, n++)
			ck_assert_ptr_eq(l->to, frag[j]);
		ck_assert_uint_eq(n, into[j]);
	}
}

/* ---- tests ---- */

START_TEST(random_operations)
{
	unsigned dead = 0;

	for (unsigned step = 0; step < STEPS; step++) {
		unsigned op = rig_random(1000), i = rig_random(FRAGMENTS), j = rig_random(FRAGMENTS);

		rig.b->mode = rig_random(4) ? MODE_XCHAIN : 0;
		if (op < 900) {
			if (frag[i]->nlink)
				link_exit(i, rig_random(frag[i]->nlink), j);
		} else if (op < 940) {
			chain_unlink_in(rig.b, frag[i]);
			forget(leads_into, frag[i]);
		} else if (op < 980) {
			chain_unlink_out(rig.b, frag[i]);
			forget(leads_out_of, frag[i]);
		} else if (op < 997) {
			chain_unlink_cross(rig.b);
			forget(rests_on_a_page, NULL);
		} else if (dead < FRAGMENTS / 2) {
			dead += !frag[i]->dead;
			cache_drop(rig.b, frag[i], DROP_DISCARD, 0);
			forget(leads_into, frag[i]);
			forget(leads_out_of, frag[i]);
		}
		if (step % 16 == 0)
			check();
	}
	check();
	ck_assert_uint_gt(dead, 10);
	ck_assert_uint_gt(rig.b->st.chains, 1000);
}
END_TEST

/* A link to itself, dropped: the exit leads to its stub again. */
START_TEST(loop_is_unlinked)
{
	unsigned i = 4;

	frag[i]->link[0].no_chain = false;
	link_exit(i, 0, i);
	check();
	ck_assert_ptr_eq(frag[i]->link[0].to, frag[i]);
	cache_drop(rig.b, frag[i], DROP_WRITE, 0);
	forget(leads_into, frag[i]);
	check();
	link_exit(i, 0, 3); /* out of a dead one: refused */
	ck_assert_ptr_null(frag[i]->link[0].to);
	check();
}
END_TEST

/* A flush for want of room keeps pinned fragments, but no link of theirs: their targets are gone. */
START_TEST(flush_unlinks_pinned)
{
	struct ccf key = { .pc = 0x123400, .page = 5, .page2 = UINT32_MAX, .glen = 16, .pinned = true };
	struct ccf *f = rig_insert(&rig, &key, CODE);

	f->nlink = 1;
	f->link[0] = (struct exit_link){ .from = f, .patch = f->host, .stub = f->host + 60 };
	chain_patch(rig.b, &f->link[0], frag[0]);
	ck_assert_uint_eq(target(f->host), frag[0]->host);
	cache_flush_all(rig.b, true);
	ck_assert_ptr_null(f->link[0].to);
	ck_assert_uint_eq(target(f->host), f->host + 60);
	ck_assert_ptr_null(f->in);
}
END_TEST

/* ---- domains ---- */

enum { GROUPS = 5, WINDOWS = 3, MEMBERS = 20 };

/* The fragment I of group I % GROUPS: the first two are the same page at two addresses. */
static void make_limited(unsigned i, unsigned win)
{
	unsigned g = i % GROUPS;
	struct ccf key = { .pc = (g + 1) << 12 | (i / GROUPS) << 4,
			   .mode = MODE_LONG,
			   .page = g < 2 ? 1 : g,
			   .page2 = UINT32_MAX,
			   .glen = 16 };
	struct ccf *f;

	rig.b->jt.cur->win = win;
	f = rig_insert(&rig, &key, CODE);
	ck_assert_ptr_nonnull(f);
	f->nlink = 1;
	f->link[0] = (struct exit_link){
		.from = f, .patch = f->host, .stub = f->host + 60, .table = f->host + 90, .cross = true
	};
	memcpy(rig.b->tc.rw + f->host, &(uint32_t){ 60 - 4 }, 4);
	frag[i] = f;
}

/* What executes a fragment is a window that has entered its group and has not ended since. Who follows a link
 * is the window that it was made for. */
START_TEST(links_end_with_their_domain)
{
	unsigned inside[GROUPS] = { 0 }, made[MEMBERS] = { 0 }, linked = 0, shared = 0;

	for (unsigned step = 0, n = 0; step < STEPS; step++) {
		unsigned op = rig_random(100), win = rig_random(WINDOWS), i = n ? rig_random(n) : 0;

		if (step % 100 == 0) {
			cache_flush_all(rig.b, false);
			memset(inside, 0, sizeof(inside));
			n = 0;
		}
		rig.b->jt.cur = &rig.b->jt.ctx[0];
		rig.b->jt.cur->win = win;
		if (n < MEMBERS && (!n || op < 10)) {
			make_limited(n, win);
			inside[n % GROUPS] |= 1u << win;
			n++;
		} else if (op < 30) {
			domain_claim(rig.b, frag[i]);
			inside[i % GROUPS] |= 1u << win;
		} else if (op < 80 && (inside[i % GROUPS] >> win & 1)) { /* it runs there */
			if (!frag[i]->link[0].to)
				made[i] = win;
			chain_patch(rig.b, &frag[i]->link[0], frag[rig_random(n)]);
		} else if (op < 90) {
			domain_end(rig.b, win);
			for (unsigned g = 0; g < GROUPS; g++)
				inside[g] &= ~(1u << win);
		}
		for (unsigned k = 0; k < n; k++) {
			const struct exit_link *l = &frag[k]->link[0];
			uint32_t at = target(l->patch);

			if (l->to)
				ck_assert_uint_eq(inside[k % GROUPS], 1u << made[k]);
			ck_assert(at == (l->to ? l->to->host : l->stub) || (!l->to && at == l->table));
			linked += l->to != NULL;
			shared += at == l->table;
		}
	}
	ck_assert_uint_gt(linked, 1000);
	ck_assert_uint_gt(shared, 1000);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("chain");
	TCase *t = tcase_create("chain");

	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_test(t, random_operations);
	tcase_add_test(t, loop_is_unlinked);
	tcase_add_test(t, flush_unlinks_pinned);
	tcase_add_test(t, links_end_with_their_domain);
	suite_add_tcase(s, t);
	return suite_run(s);
}
