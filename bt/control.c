/* SPDX-License-Identifier: GPL-3.0-or-later
 * The user's control of fragments: entries counted; fragments discarded, retranslated, pinned. */
#include "bt/control.h"
#include "bt/adapt/account.h"
#include "bt/cache/cache.h"
#include "bt/runtime/dispatch.h"
#include "bt/runtime/timing.h"
#include "bt/translate/translate.h"
#include "bt/view/view.h"

#include "mm/mmu.h"

static void count_entries(struct vcpu *v, bool on)
{
	bt_of(v)->entries.on = on;
	account_counting(bt_of(v));
	timing_choose(bt_of(v));
	bt_of(v)->tc.flush_wanted = true;
}

static unsigned discard(struct vcpu *v, gva pc, bool all)
{
	return all ? cache_drop_at(bt_of(v), 0, UINT32_MAX, DROP_DISCARD)
		   : cache_drop_at(bt_of(v), pc, 1, DROP_DISCARD);
}

const struct engine_counting bt_counting = { .set = count_entries };

/* ---- pins ---- */

static int pin_find(const struct bt_vcpu *b, gva pc)
{
	for (unsigned i = 0; i < b->tc.npins; i++)
		if (b->tc.pins[i].pc == pc)
			return (int)i;
	return -1;
}

static bool pin_covers(const struct pin *p, gva pc)
{
	return pc - p->pc < p->len;
}

/* The address ranges of the fragments that cover PC, each listed once. */
static unsigned pin_places(const struct bt_vcpu *b, gva pc, struct pin at[MAX_PINS])
{
	unsigned found = 0;

	for (uint32_t i = 0; i < b->tc.norder && found < MAX_PINS; i++) {
		const struct ccf *f = b->tc.order[i];
		bool twice = false;

		for (unsigned k = 0; k < found; k++)
			twice |= at[k].pc == f->pc;
		if (!f->dead && !twice && pc - f->pc < f->glen)
			at[found++] = (struct pin){ f->pc, f->glen };
	}
	return found;
}

static const char *pin(struct bt_vcpu *b, gva pc, unsigned *n)
{
	struct pin at[MAX_PINS];
	unsigned found = pin_places(b, pc, at);

	/* Pinned fragments that were dropped are translated again when they next run. */
	for (unsigned i = 0; !found && i < b->tc.npins; i++)
		if (pin_covers(&b->tc.pins[i], pc))
			return NULL;
	if (!found)
		at[found++] = (struct pin){ pc, 1 };
	for (unsigned i = 0; i < found; i++) {
		if (pin_find(b, at[i].pc) >= 0)
			continue;
		if (b->tc.npins == MAX_PINS)
			return "no room for another pin";
		b->tc.pins[b->tc.npins++] = at[i];
		cache_drop_at(b, at[i].pc, 1, DROP_PIN);
		++*n;
	}
	return NULL;
}

/* Remove the pins of fragments that cover PC, or covered it when they were pinned. */
static void unpin(struct bt_vcpu *b, gva pc, unsigned *n)
{
	struct pin at[MAX_PINS];
	unsigned found = pin_places(b, pc, at);

	for (unsigned i = b->tc.npins; i--;) {
		struct pin p = b->tc.pins[i];
		bool is = pin_covers(&p, pc);

		for (unsigned k = 0; k < found; k++)
			is |= at[k].pc == p.pc;
		if (!is)
			continue;
		b->tc.pins[i] = b->tc.pins[--b->tc.npins];
		cache_drop_at(b, p.pc, 1, DROP_PIN);
		++*n;
	}
}

static const char *set_pin(struct vcpu *v, gva pc, bool on, unsigned *n)
{
	*n = 0;
	if (on)
		return pin(bt_of(v), pc, n);
	unpin(bt_of(v), pc, n);
	return NULL;
}

const struct engine_pins bt_pins = { .set = set_pin };

/* ---- retranslation ---- */

/* Would a fragment made now at F's address be F's successor? */
static bool same_place(struct bt_vcpu *b, const struct ccf *f)
{
	const struct cpu *c = &b->v.cpu;

	return f->mode == dispatch_mode_now(b) && f->cs_base == c->seg[SEG_CS].base &&
	       mmu_code_page_fast(b->v.mmu, f->pc) == f->page;
}

/* Translate at EIP as if the processor were there. */
static bool make_at(struct bt_vcpu *b, uint64_t eip)
{
	struct cpu *c = &b->v.cpu;
	struct exc exc = c->exc;
	uint64_t rip = c->rip;
	struct ccf *f;

	c->rip = eip;
	f = dispatch_find(b, cpu_pc(c));
	if (!f)
		f = translate(b, TX_NORMAL);
	b->transient.ccf = NULL;
	c->rip = rip;
	c->exc = exc;
	return f;
}

static unsigned retranslate(struct vcpu *v, gva pc, unsigned *made)
{
	struct bt_vcpu *b = bt_of(v);
	uint64_t eip[32];
	unsigned n = 0, dropped;

	dispatch_select(b);
	b->gs_live = 0; /* of another thread */
	for (uint32_t i = 0; i < b->tc.norder && n < ARRAY_LEN(eip); i++) {
		const struct ccf *f = b->tc.order[i];

		if (!f->dead && pc - f->pc < f->glen && same_place(b, f))
			eip[n++] = f->eip;
	}
	dropped = cache_drop_at(b, pc, 1, DROP_RETRANSLATE);
	*made = 0;
	for (unsigned i = 0; i < n && !b->tc.full && !b->tc.flush_wanted; i++)
		*made += make_at(b, eip[i]);
	return dropped;
}

const struct engine_fragments bt_fragments = { .find = fragment_find,
					       .discard = discard,
					       .retranslate = retranslate };
