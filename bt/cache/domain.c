/* SPDX-License-Identifier: GPL-3.0-or-later
 * Links across pages where mappings are not global: of 64-bit user code, and of kernels without global pages.
 * Such a link rests on how its target's page is mapped, as an entry of a jump table does, but whoever
 * executes its fragment follows it. So it is made only where all who do are known: the fragments of a page at
 * one linear address are a group, of which is known what windows have entered it, each since code was
 * unmapped from it for the last time. While that is one window alone, its fragments have links across pages;
 * they end when code is unmapped from it, as the entries of its jump tables do. While it is several these
 * exits go by the jump table, of which each window has its own.
 *
 * Entering is what the dispatcher does; what links within the page lead to is of the same group. Built with
 * -mgeneral-regs-only. */
#include "bt/cache/cache.h"
#include "bt/cache/chain.h"

enum { MANY_GROUPS = 16 }; /* of a page */

static uint64_t bit(unsigned win)
{
	return 1ull << win;
}

/* Leave out windows that have ended meanwhile. */
static void refresh(const struct bt_vcpu *b, struct code_group *g)
{
	const struct domains *d = &b->tc.domains;

	for (uint64_t left = g->stamp == d->ends ? 0 : g->windows; left; left &= left - 1) {
		unsigned win = (unsigned)__builtin_ctzll(left);

		if (d->ended[win] > g->stamp)
			g->windows &= ~bit(win);
	}
	g->stamp = d->ends;
}

/* ---- groups ---- */

static struct code_group *find(const struct page_info *p, gva page)
{
	struct code_group *g = p->groups;

	while (g && g->page != page)
		g = g->next;
	return g;
}

/* A group that nobody executes, of more than enough that there are: programs are at another address each
 * time. */
static struct code_group *spare(struct bt_vcpu *b, struct page_info *p)
{
	struct code_group *last = NULL;
	unsigned n = 0;

	for (struct code_group *g = p->groups; g; g = g->next) {
		if (!g->members)
			return g;
		refresh(b, g);
		last = g->windows ? last : g;
		n++;
	}
	if (n < MANY_GROUPS || !last)
		return NULL;
	while (last->members)
		cache_drop(b, last->members, DROP_DISCARD, 0);
	return last;
}

void domain_join(struct bt_vcpu *b, struct ccf *f)
{
	struct page_info *p = &b->tc.pages[f->page];
	struct code_group *g;

	if (!domain_limits(f))
		return;
	g = find(p, f->pc >> PAGE_SHIFT);
	if (!g) {
		g = spare(b, p);
		if (!g) {
			g = arena_alloc(b, sizeof(*g));
			g->next = p->groups;
			p->groups = g;
		}
		g->page = f->pc >> PAGE_SHIFT;
		g->windows = 0;
		g->stamp = b->tc.domains.ends;
	}
	f->group = g;
	f->gnext = g->members;
	g->members = f;
}

void domain_leave(struct ccf *f)
{
	struct ccf **p = f->group ? &f->group->members : NULL;

	while (p && *p != f)
		p = &(*p)->gnext;
	if (p)
		*p = f->gnext;
	f->group = NULL;
}

/* ---- windows ---- */

/* End links across pages from G's fragments; or give exits that go by the table another chance. */
static void set_links(struct bt_vcpu *b, const struct code_group *g, bool end)
{
	for (struct ccf *f = g->members; f; f = f->gnext)
		for (unsigned i = 0; i < f->nlink; i++)
			if (end && f->link[i].cross_at)
				chain_unlink(b, &f->link[i]);
			else if (!end && !f->link[i].to && f->link[i].table)
				chain_reset(b, &f->link[i]);
}

void domain_claim(struct bt_vcpu *b, struct ccf *f)
{
	struct code_group *g = f->group;
	uint64_t now;

	if (!g || !b->jt.cur)
		return;
	now = bit(b->jt.cur->win);
	if (g->stamp == b->tc.domains.ends && (g->windows & now))
		return;
	refresh(b, g);
	g->windows |= now;
	if (g->windows != now && !g->several)
		set_links(b, g, true);
	else if (g->windows == now && g->several)
		set_links(b, g, false);
	g->several = g->windows != now;
}

bool domain_allows(struct bt_vcpu *b, const struct exit_link *l)
{
	domain_claim(b, l->from);
	return l->from->group && b->jt.cur && !l->from->group->several;
}

struct exit_link **domain_links(struct bt_vcpu *b, const struct exit_link *l)
{
	return &b->tc.domains.links[__builtin_ctzll(l->from->group->windows)];
}

void domain_end(struct bt_vcpu *b, unsigned win)
{
	b->tc.domains.ended[win] = ++b->tc.domains.ends;
	while (b->tc.domains.links[win])
		chain_unlink(b, b->tc.domains.links[win]);
}

uint64_t domain_last(struct bt_vcpu *b, struct code_group *g)
{
	uint64_t last = 0;

	refresh(b, g);
	for (uint64_t left = g->windows; left; left &= left - 1) {
		uint64_t then = b->tc.domains.last[__builtin_ctzll(left)];

		last = then > last ? then : last;
	}
	return last;
}
