/* SPDX-License-Identifier: GPL-3.0-or-later
 * Accounting at the point of the event (adapt/account.h): in the fault handler, around callouts, and where
 * fragments are dropped. Built with -mgeneral-regs-only (base/gpr.h). */
#include "bt/adapt/account.h"
#include "bt/adapt/adapt.h"

_Static_assert(TRAP_CAUSES <= ARRAY_LEN(((struct account *)0)->trap_cycles), "a slot for each cause");
_Static_assert(CO_KINDS <= ARRAY_LEN(((struct account *)0)->snap[0].callouts), "a slot for each kind");
_Static_assert(CALL_SLOT(CO_KINDS, 0) <= CALL_SLOTS && SENS_KINDS < SENS_SLOTS, "slots for all sites");
_Static_assert(DROP_REASONS <= ARRAY_LEN(((struct account *)0)->drops), "a slot for each reason");

/* ---- places ---- */

static unsigned place_hash(gva pc, unsigned cause)
{
	return ((uint32_t)(pc ^ pc >> 32) ^ cause << 27) * 0x9e3779b1u >> 18;
}

struct place *account_place(struct bt_vcpu *b, gva pc, unsigned cause, bool make)
{
	struct place *weak = NULL;

	for (unsigned i = 0, h = place_hash(pc, cause); i < 16; i++) {
		struct place *p = &b->account.places[(h + i) % PLACES];

		if (p->pc == pc && p->cause == cause)
			return p;
		if (!p->pc) {
			if (!make)
				return NULL;
			p->cause = (uint8_t)cause;
			p->pc = pc;
			return p;
		}
		if (!weak || p->count < weak->count)
			weak = p;
	}
	if (!make)
		return NULL;
	b->account.places_lost += weak->count;
	*weak = (struct place){ .pc = pc, .cause = (uint8_t)cause };
	return weak;
}

/* ---- traps ---- */

void account_at(struct bt_vcpu *b, struct ccf *f, gva pc)
{
	b->account.at_ccf = f;
	b->account.at_pc = pc;
}

unsigned account_adapts(unsigned cause)
{
	return cause == TRAP_MMIO			  ? 1u << CAUSE_DEVICE
	       : cause == TRAP_FPE			  ? 1u << CAUSE_DIVIDE
	       : cause == TRAP_FILL || cause == TRAP_TRUE ? 1u << CAUSE_MISS | 1u << CAUSE_USER_PAGE
							  : 0;
}

void account_trap(struct bt_vcpu *b, unsigned cause)
{
	struct account *a = &b->account;
	const struct verdict *v = account_adapts(cause) ? verdict_find(b, a->at_pc) : NULL;
	bool guilty = v && (v->guilty & account_adapts(cause));
	struct place *p = NULL;

	a->guilty[cause] += guilty;
	if (cause != TRAP_POLL && a->at_pc) {
		p = account_place(b, a->at_pc, cause, true);
		p->count++;
		p->guilty += guilty;
	}
	/* Of two causes the first is charged for both; a cause inside another's emulation is part of that. */
	if (a->seen || a->open)
		return;
	a->seen = true;
	a->cause = (uint8_t)cause;
	a->place = p;
	a->place_pc = a->at_pc;
	a->ccf = a->at_ccf;
}

void account_handled(struct bt_vcpu *b, uint64_t start, uint64_t rip)
{
	struct account *a = &b->account;

	if (!a->seen)
		return;
	a->seen = false;
	a->started = start - b->adapt.cost.signal;
	a->open = true;
	if (a->cause == TRAP_POLL || rip - b->tc_base < b->tc.size)
		account_close_slow(b);
}

void account_close_slow(struct bt_vcpu *b)
{
	struct account *a = &b->account;
	uint64_t cycles = __builtin_ia32_rdtsc() - a->started;
	struct place *p = a->place;

	a->open = false;
	a->trap_cycles[a->cause] += cycles;
	a->trap_timed[a->cause]++;
	if (!account_adapts(a->cause) && a->cause != TRAP_CODE && a->cause != TRAP_POLL)
		a->ccf->cycles += cycles; /* the others are charged in adapt_settled() */
	if (!p || p->pc != a->place_pc || p->cause != a->cause)
		return;
	p->cycles += cycles;
	p->timed++;
}

/* ---- callouts ---- */

uint64_t account_called(const struct bt_vcpu *b, unsigned kind)
{
	uint64_t n = 0;

	for (unsigned i = CALL_SLOT(kind, 0); i < CALL_SLOT(kind + 1, 0); i++)
		n += b->account.called[i];
	return n;
}

struct timed account_timed(const struct bt_vcpu *b, unsigned kind)
{
	struct timed t = { 0 };

	for (unsigned i = CALL_SLOT(kind, 0); i < CALL_SLOT(kind + 1, 0); i++) {
		t.cycles += b->account.timed[i].cycles;
		t.count += b->account.timed[i].count;
	}
	return t;
}
