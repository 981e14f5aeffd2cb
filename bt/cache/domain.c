/* SPDX-License-Identifier: GPL-3.0-or-later
 * Links across pages where mappings are not global: of 64-bit user code, and of kernels without global pages.
 * Such a link rests on how its target's page is mapped, as an entry of a jump table does, but whoever
 * executes its fragment follows it. So it is made only where all who do are known: the fragments of a page at
 * one linear address belong to a domain, a window for as long as no code is unmapped from it; links across
 * pages from them end with it. When another window enters one of them, links across pages from that page end
 * for good, and these exits go by the jump table, whose entries each window has for itself.
 *
 * Entering is what the dispatcher does; what links within the page lead to is of the same domain. Built with
 * -mgeneral-regs-only. */
#include "bt/cache/chain.h"

/* A domain's number has the window in its low bits. */
enum { WIN_BITS = 6, DOMAIN_SHARED = 1, SERIALS = (1 << (32 - WIN_BITS)) - 1 };
_Static_assert(MMU_MAX_WINDOWS <= 1 << WIN_BITS, "a domain has its window's number");

static unsigned window_of(uint32_t domain)
{
	return domain & ((1 << WIN_BITS) - 1);
}

/* The domain of the present context. */
static uint32_t present(struct bt_vcpu *b)
{
	struct domains *d = &b->tc.domains;
	unsigned win;

	if (!b->jt.cur)
		return DOMAIN_SHARED;
	win = b->jt.cur->win;
	if (!d->of[win]) { /* numbers may come round: an old one means that nobody else has entered since */
		d->serial = d->serial % SERIALS + 1;
		d->of[win] = d->serial << WIN_BITS | win;
	}
	return d->of[win];
}

static bool lives(const struct bt_vcpu *b, uint32_t domain)
{
	return domain == DOMAIN_SHARED || b->tc.domains.of[window_of(domain)] == domain;
}

static struct ccf *next_of(const struct ccf *f, ppn page)
{
	return f->page == page ? f->pnext : f->pnext2;
}

/* Is G one of the fragments that links within pages may lead to from F, or from which they lead to F? */
static bool is_sibling(const struct ccf *f, const struct ccf *g)
{
	return g->page == f->page && g->pc >> PAGE_SHIFT == f->pc >> PAGE_SHIFT && domain_limits(g);
}

/* F is new: it is in the domain of its page's others. */
static uint32_t inherited(const struct bt_vcpu *b, const struct ccf *f)
{
	for (struct ccf *g = b->tc.pages[f->page].list; g; g = next_of(g, f->page))
		if (g->domain && is_sibling(f, g))
			return g->domain;
	return 0;
}

static void end_links(struct bt_vcpu *b, struct ccf *f)
{
	for (unsigned i = 0; i < f->nlink; i++)
		if (f->link[i].cross_at)
			chain_unlink(b, &f->link[i]);
}

void domain_claim(struct bt_vcpu *b, struct ccf *f)
{
	uint32_t now, was = f->domain;

	if (!domain_limits(f))
		return;
	now = present(b);
	if (was == now || was == DOMAIN_SHARED)
		return;
	if (!was)
		f->domain = was = inherited(b, f);
	if (was == now || was == DOMAIN_SHARED)
		return;
	if (was && lives(b, was))
		now = DOMAIN_SHARED;
	for (struct ccf *g = b->tc.pages[f->page].list; g; g = next_of(g, f->page)) {
		if (!is_sibling(f, g))
			continue;
		g->domain = now;
		end_links(b, g);
	}
	f->domain = now;
}

bool domain_allows(struct bt_vcpu *b, const struct exit_link *l)
{
	domain_claim(b, l->from);
	return l->from->domain != DOMAIN_SHARED;
}

struct exit_link **domain_links(struct bt_vcpu *b, const struct exit_link *l)
{
	return &b->tc.domains.links[window_of(l->from->domain)];
}

void domain_end(struct bt_vcpu *b, unsigned win)
{
	b->tc.domains.of[win] = 0;
	while (b->tc.domains.links[win])
		chain_unlink(b, b->tc.domains.links[win]);
}
