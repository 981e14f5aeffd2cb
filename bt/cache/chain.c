/* SPDX-License-Identifier: GPL-3.0-or-later
 * Links between fragments: rel32s of direct exits, patched in the writable view of the cache. A link leads to
 * a live fragment's main entry, or to its own stub. Built with -mgeneral-regs-only (base/gpr.h). */
#include "bt/cache/chain.h"

#include "base/gpr.h"
#include "base/log.h"

static void set_rel32(struct bt_vcpu *b, uint32_t at, uint32_t to)
{
	*(volatile any32 *)(b->tc.rw + at) = to - (at + 4);
}

/* The links that chain_unlink_cross() or domain_end() is about. */
static void cross_add(struct exit_link **list, struct exit_link *l)
{
	l->cross_at = list;
	l->cross_next = *list;
	if (l->cross_next)
		l->cross_next->cross_at = &l->cross_next;
	*list = l;
}

static void cross_remove(struct exit_link *l)
{
	if (!l->cross_at)
		return;
	*l->cross_at = l->cross_next;
	if (l->cross_next)
		l->cross_next->cross_at = l->cross_at;
	l->cross_at = NULL;
}

/* The entry of TO that takes no more for granted than holds where L leaves. */
static uint32_t entry_for(const struct exit_link *l, const struct ccf *to)
{
	if (facts_hold(l->facts, to->entry.facts))
		return to->host + to->entry.all;
	return to->host + (l->facts >> R_ESP & 1 ? to->entry.stack : 0);
}

void chain_patch(struct bt_vcpu *b, struct exit_link *l, struct ccf *to)
{
	bool limited = domain_limits(l->from), crosses = l->cross || to->page2 != UINT32_MAX;

	if (l->no_chain || l->to || to->dead || l->from->dead ||
	    (to->page2 != UINT32_MAX && !limited && !(b->mode & MODE_XCHAIN)))
		return;
	if (limited && crosses && !domain_allows(b, l)) {
		if (l->table)
			set_rel32(b, l->patch, l->table);
		return;
	}
	l->to = to;
	l->next_in = to->in;
	to->in = l;
	if (crosses)
		cross_add(limited ? domain_links(b, l) : &b->tc.cross, l);
	b->st.chains++;
	LOG(bt, "%08llx: chained to %08llx", (unsigned long long)l->from->pc, (unsigned long long)to->pc);
	set_rel32(b, l->patch, entry_for(l, to));
}

void chain_reset(struct bt_vcpu *b, struct exit_link *l)
{
	set_rel32(b, l->patch, l->stub);
}

static void unlink_one(struct bt_vcpu *b, struct exit_link *l)
{
	chain_reset(b, l);
	cross_remove(l);
	l->to = NULL;
}

void chain_unlink_in(struct bt_vcpu *b, struct ccf *f)
{
	for (struct exit_link *l = f->in, *next; l; l = next) {
		next = l->next_in;
		unlink_one(b, l);
	}
	f->in = NULL;
}

void chain_unlink(struct bt_vcpu *b, struct exit_link *l)
{
	struct exit_link **p = &l->to->in;

	while (*p && *p != l)
		p = &(*p)->next_in;
	if (*p)
		*p = l->next_in;
	unlink_one(b, l);
}

void chain_unlink_out(struct bt_vcpu *b, struct ccf *f)
{
	for (unsigned i = 0; i < f->nlink; i++)
		if (f->link[i].to)
			chain_unlink(b, &f->link[i]);
}

/* A supervisor mapping with code behind it changed: links from page to page rested on it, and those to an
 * instruction that straddles two. Kernels that switch page tables without global pages do that all the time.
 */
void chain_unlink_cross(struct bt_vcpu *b)
{
	while (b->tc.cross)
		chain_unlink(b, b->tc.cross);
}
