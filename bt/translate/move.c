/* SPDX-License-Identifier: GPL-3.0-or-later
 * A program that is position independent is at another address each time it runs, and so are its libraries.
 * Its pages are the same: fragments that were made of them at an address where they are no longer used move
 * to where they are. What they have of linear addresses is constants in their code, their exits' targets and
 * the records of their callouts, all of which grow by the same distance; code and links within the page stay
 * as they are. All fragments of a page at one linear address (a domain's, cache/domain.c) move together.
 *
 * Moved are fragments that nobody executes any more, or else, where a page has some already for several
 * windows, those of the window that was not selected for longest. */
#include "bt/translate/move.h"
#include "bt/adapt/adapt.h"
#include "bt/cache/cache.h"
#include "bt/cache/chain.h"
#include "bt/cache/jump.h"
#include "bt/debug/debug.h"
#include "bt/runtime/dispatch.h"
#include "bt/verify/fragment.h"

#include "mm/mmu.h"

#include <string.h>

enum { MAX_TOGETHER = 1024, COPIES = 2 };

static bool may_move(const struct bt_vcpu *b)
{
	return mode_long(b->mode) && !(b->mode & (MODE_XCHAIN | MODE_GUEST)) &&
	       (b->mode & MODE_CPL) == MODE_CPL && !b->debug.nbps && !b->patches.n && !b->probes.n &&
	       !b->tc.npins && !(b->debug.dr[7] & 0xff) && !b->icount.on;
}

/* A fragment of G for PC, but for its linear page. */
static struct ccf *member_for(const struct bt_vcpu *b, const struct code_group *g, gva pc)
{
	struct ccf *f = g->members;

	while (f && (((f->pc ^ pc) & PAGE_MASK) || f->mode != b->mode || !f->moves.can))
		f = f->gnext;
	return f;
}

/* The group of PAGE that may go to where PC is, where it has a fragment for it. */
static struct code_group *choose(struct bt_vcpu *b, ppn page, gva pc)
{
	struct code_group *oldest = NULL;
	uint64_t least = UINT64_MAX;
	unsigned n = 0;

	for (struct code_group *g = b->tc.pages[page].groups; g; g = g->next) {
		uint64_t last;

		if (g->page == pc >> PAGE_SHIFT || !member_for(b, g, pc))
			continue;
		last = domain_last(b, g);
		n++;
		if (last < least) {
			least = last;
			oldest = g;
		}
	}
	return !least || (n >= COPIES && !(oldest->windows >> b->jt.cur->win & 1)) ? oldest : NULL;
}

/* What leads to F from other pages, or from tables, and what leads to them from F. */
static void cut_off(struct bt_vcpu *b, struct ccf *f)
{
	for (struct exit_link *l = f->in, *next; l; l = next) {
		next = l->next_in;
		if (l->cross_at)
			chain_unlink(b, l);
	}
	for (unsigned i = 0; i < f->nlink; i++)
		if (f->link[i].cross_at)
			chain_unlink(b, &f->link[i]);
	jump_drop(b, f);
}

static bool fits(const struct ccf *f, gva pc)
{
	const struct ccf_moves *m = &f->moves;
	uint64_t by = pc - f->pc;

	if (!m->can || f->pinned || f->checked)
		return false;
	return m->lowest > m->highest || (m->lowest + by) >> 32 == (m->highest + by) >> 32;
}

/* Callouts look for what is known of their instruction. */
static void move_verdict(struct bt_vcpu *b, gva from, gva to)
{
	const struct verdict *v = verdict_find(b, from);
	struct verdict *w = v ? verdict_make(b, to) : NULL;

	if (w) {
		*w = *v;
		w->pc = to;
	}
}

static void move_one(struct bt_vcpu *b, struct ccf *f, gva pc)
{
	uint64_t by = pc - f->pc, a;

	for (unsigned i = 0; i < f->moves.n; i++) {
		uint8_t *p = b->tc.rw + f->host + f->moves.at[i];

		memcpy(&a, p, sizeof(a));
		a += by;
		memcpy(p, &a, sizeof(a));
	}
	for (unsigned i = 0; i < f->nlink; i++) {
		f->link[i].eip += by;
		f->link[i].pc += by;
	}
	for (unsigned i = 0; i < f->moves.nsites; i++) {
		struct site *s = f->moves.sites[i];

		move_verdict(b, s->eip, s->eip + by);
		s->eip += by;
		s->next += by;
	}
	if (f->moves.lowest <= f->moves.highest) {
		f->moves.lowest += by;
		f->moves.highest += by;
	}
	cache_rekey(b, f, pc);
	b->st.moves++;
}

/* Move G's fragments to the linear page of PC. */
static void move_group(struct bt_vcpu *b, struct code_group *g, gva pc)
{
	uint64_t by = ((pc >> PAGE_SHIFT) - g->page) << PAGE_SHIFT;
	struct ccf *all[MAX_TOGETHER];
	struct refusal r;
	unsigned n = 0;

	for (struct ccf *f = g->members; f; f = f->gnext) {
		if (n == MAX_TOGETHER)
			return;
		all[n++] = f;
	}
	for (unsigned i = 0; i < n; i++)
		cut_off(b, all[i]);
	for (unsigned i = 0; i < n; i++) {
		struct ccf *f = all[i];
		gva to = f->pc + by;

		if (f->dead) /* for want of a group */
			continue;
		if (!fits(f, to) || cache_find(b, to, f->mode, f->cs_base, f->page)) {
			cache_drop(b, f, DROP_DISCARD, 0);
			continue;
		}
		move_one(b, f, to);
		if (b->cfg.verify && verify_ccf(b, f, &r))
			cache_drop(b, f, DROP_DISCARD, 0);
	}
	syscall_cache_forget(b);
}

struct ccf *move_here(struct bt_vcpu *b, gva pc)
{
	ppn page = mmu_code_page_fast(b->v.mmu, pc);
	struct code_group *g;

	if (page == UINT32_MAX || !may_move(b) || !move_is_usual(pc))
		return NULL;
	g = choose(b, page, pc);
	if (!g)
		return NULL;
	move_group(b, g, pc);
	return dispatch_find(b, pc);
}
