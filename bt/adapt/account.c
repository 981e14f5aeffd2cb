/* SPDX-License-Identifier: GPL-3.0-or-later
 * Accounting where things happen (adapt/account.h): in the fault handler, around callouts, where
 * fragments go. Built with -mgeneral-regs-only (base/gpr.h). */
#include "bt/runtime/callout_int.h"

_Static_assert(TRAP_CAUSES <= ARRAY_LEN(((struct account *)0)->trap_cycles), "a slot for each cause");
_Static_assert(CO_KINDS <= ARRAY_LEN(((struct account *)0)->snap[0].callouts), "a slot for each kind");
_Static_assert(CALL_SLOT(CO_KINDS, 0) <= CALL_SLOTS && SENS_KINDS < SENS_SLOTS, "slots for all sites");
_Static_assert(DROP_REASONS <= ARRAY_LEN(((struct account *)0)->drops), "a slot for each reason");

/* ---- places ---- */

static unsigned place_hash(uint32_t pc, unsigned cause)
{
	return (pc ^ cause << 27) * 0x9e3779b1u >> 18;
}

struct place *account_place(struct bt_vcpu *b, uint32_t pc, unsigned cause, bool make)
{
	struct place *weak = NULL;

	for (unsigned i = 0, h = place_hash(pc, cause); i < 16; i++) {
		struct place *p = &b->a.places[(h + i) % PLACES];

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
	b->a.places_lost += weak->count;
	*weak = (struct place){ .pc = pc, .cause = (uint8_t)cause };
	return weak;
}

/* ---- traps ---- */

void account_at(struct bt_vcpu *b, struct ccf *f, uint32_t pc)
{
	b->a.at_ccf = f;
	b->a.at_pc = pc;
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
	struct account *a = &b->a;
	const struct verdict *v = account_adapts(cause) ? verdict_find(b, a->at_pc) : NULL;
	bool guilty = v && (v->guilty & account_adapts(cause));
	struct place *p = NULL;

	a->guilty[cause] += guilty;
	if (cause != TRAP_POLL && a->at_pc) {
		p = account_place(b, a->at_pc, cause, true);
		p->count++;
		p->guilty += guilty;
	}
	/* The first of two causes pays for both; one inside another's emulation is part of that. */
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
	struct account *a = &b->a;

	if (!a->seen)
		return;
	a->seen = false;
	a->started = start - b->cost.signal;
	a->open = true;
	if (a->cause == TRAP_POLL || rip - b->tc_base < b->tc_size)
		account_close_slow(b);
}

void account_close_slow(struct bt_vcpu *b)
{
	struct account *a = &b->a;
	uint64_t cycles = __builtin_ia32_rdtsc() - a->started;
	struct place *p = a->place;

	a->open = false;
	a->trap_cycles[a->cause] += cycles;
	a->trap_timed[a->cause]++;
	if (!account_adapts(a->cause) && a->cause != TRAP_CODE && a->cause != TRAP_POLL)
		a->ccf->cycles += cycles; /* the others: adapt_settled() */
	if (!p || p->pc != a->place_pc || p->cause != a->cause)
		return;
	p->cycles += cycles;
	p->timed++;
}

/* ---- callouts ---- */

static void use_stub(struct bt_vcpu *b, bool timed)
{
	b->g_callout = (uint64_t)(timed ? stub_callout_timed : stub_callout);
	b->g_heavy = (uint64_t)(timed ? stub_heavy_timed : stub_heavy);
}

void account_stubs(struct bt_vcpu *b)
{
	use_stub(b, b->a.time_all || (b->event_kinds >> ENGINE_EV_CALLOUT & 1));
}

void account_sample(struct bt_vcpu *b)
{
	use_stub(b, true);
}

uint64_t account_called(const struct bt_vcpu *b, unsigned kind)
{
	uint64_t n = 0;

	for (unsigned i = CALL_SLOT(kind, 0); i < CALL_SLOT(kind + 1, 0); i++)
		n += b->a.called[i];
	return n;
}

struct timed account_timed(const struct bt_vcpu *b, unsigned kind)
{
	struct timed t = { 0 };

	for (unsigned i = CALL_SLOT(kind, 0); i < CALL_SLOT(kind + 1, 0); i++) {
		t.cycles += b->a.timed[i].cycles;
		t.count += b->a.timed[i].count;
	}
	return t;
}

/* An event stops the vCPU behind the instruction of site S; where to go on from its callout. What
 * only prepares an access cannot be left: the next poll stops. */
static uint64_t stop_behind(struct bt_vcpu *b, const struct site *s, uint64_t go_on)
{
	struct cpu *c = &b->v.cpu;

	if (b->stepping || go_on == 1)
		return go_on;
	if (go_on)
		return dispatch_exit(b, XC_LOOKUP);
	if (s->kind == CO_SEGCHECK || s->kind == CO_MMIO || s->kind == CO_PRECHECK) {
		b->jt_live = (uint64_t)b->stop_jt;
		return 0;
	}
	c->rip = s->next;
	c->shadow = s->fn == co_sti || (s->fn == co_load_seg && s->seg == SEG_SS);
	callout_unwind(b, s, 1);
	return dispatch_exit(b, XC_POLL);
}

uint64_t account_call_done(struct bt_vcpu *b, uint64_t go_on)
{
	struct site *s = b->a.call_site;
	uint32_t pc;
	uint64_t cycles = __builtin_ia32_rdtsc() - b->a.call_start;

	account_stubs(b);
	/* Exit links and the jump table's miss come this way too; they are no callouts. */
	if (s->fn == dispatch_miss || (void *)s->fn == (void *)dispatch_chain || !s->count)
		return go_on;
	pc = s->ccf->cs_base + s->eip;
	if (b->a.open && b->a.cause == TRAP_SENS) {
		cycles = __builtin_ia32_rdtsc() - b->a.started;
		account_close_slow(b);
	}
	b->a.timed[s->slot].cycles += cycles;
	b->a.timed[s->slot].count++;
	runtime_event(b, ENGINE_EV_CALLOUT, s->kind, pc, false, pc);
	return b->event_hit ? stop_behind(b, s, go_on) : go_on;
}

/* ---- fragments ---- */

void account_dropped(struct bt_vcpu *b, const struct ccf *f, unsigned why)
{
	uint64_t n = ccf_entries(b, f);

	b->a.drops[why]++;
	if (n == UINT64_MAX)
		return;
	b->a.entries_gone += n;
	for (unsigned i = 0; i < f->nsens; i++)
		if (f->sens[i].way == WAY_INTC) {
			b->a.intc_gone[f->sens[i].kind] += n;
			b->a.work_gone[f->sens[i].kind] += n * f->sens[i].work;
		}
}
