/* SPDX-License-Identifier: GPL-3.0-or-later
 * Decides on instructions. An instruction is innocent until the traps counted against it reach its cause's
 * threshold; one is forgiven for each span that has passed. Promoted, it is translated in another form. It is
 * demoted when it has been calm for long, when it is hot and its traps would cost less than the checks that
 * replace them, or when that form does not serve it. Pinned fragments are left
 * unchanged. Called from the fault handler and from callouts: built with -mgeneral-regs-only (base/gpr.h). */
#include "bt/adapt/adapt.h"
#include "bt/cache/cache.h"

#include "mm/mmu.h"

/* ---- verdicts ---- */

static unsigned slot(gva pc)
{
	return (uint32_t)(pc ^ pc >> 32) * 0x9e3779b1u >> 18;
}

struct verdict *verdict_find(const struct bt_vcpu *b, gva pc)
{
	for (unsigned i = 0, h = slot(pc); i < 16; i++) {
		struct verdict *v = &b->adapt.verdicts[(h + i) % VERDICTS];

		if (!v->pc)
			break;
		if (v->pc == pc)
			return v;
	}
	return NULL;
}

static void forget(struct verdict *v, gva pc)
{
	volatile uint8_t *p = (volatile uint8_t *)v; /* no memset, which may use vector registers */

	for (unsigned i = 0; i < sizeof(*v); i++)
		p[i] = 0;
	v->pc = pc;
}

/* If all slots of the probe sequence are taken, one that records no decision is reused. */
struct verdict *verdict_make(struct bt_vcpu *b, gva pc)
{
	struct verdict *weak = NULL;

	for (unsigned i = 0, h = slot(pc); pc && i < 16; i++) {
		struct verdict *v = &b->adapt.verdicts[(h + i) % VERDICTS];

		if (v->pc == pc)
			return v;
		if (!v->pc) {
			v->pc = pc;
			return v;
		}
		if (!v->guilty && !v->excluded && !v->way)
			weak = v;
	}
	if (weak)
		forget(weak, pc);
	return weak;
}

/* ---- the log ---- */

void adapt_log(struct bt_vcpu *b, enum adapt_what what, enum cause c, gva pc, uint64_t before, uint64_t after)
{
	struct adapt_entry *e = &b->adapt.log[b->adapt.nlog++ % MAX_ADAPT_LOG];

	e->number = b->adapt.nlog;
	e->tsc = __builtin_ia32_rdtsc();
	e->what = (uint8_t)what;
	e->cause = (uint8_t)c;
	e->pc = pc;
	e->before = before;
	e->after = after;
	if (what == ADAPT_PROMOTED)
		b->adapt.causes[c].promotions++;
	else if (what == ADAPT_OFF)
		b->adapt.causes[c].demotions += before;
	else if (what != ADAPT_ON)
		b->adapt.causes[c].demotions++;
}

/* ---- promotion ---- */

/* Cost of a site's new form if no callout has measured it: the form has none, or none has run yet. */
static uint64_t inline_cost(const struct bt_vcpu *b, enum cause c)
{
	return c == CAUSE_USER_PAGE ? b->adapt.cost.quarter : 0;
}

/* Mean cost of a trap at V. Misses that were writes beside code are charged to that cause. The first trap is
 * not over yet, but costs at least a host fault. */
static uint64_t trap_cost(const struct bt_vcpu *b, const struct verdict *v, enum cause c)
{
	uint64_t n = cost_mean(v->trap[c].n ? &v->trap[c] : &b->adapt.causes[CAUSE_CODE].trap);

	return n ? n : b->adapt.cost.signal;
}

static void begin_review(struct bt_vcpu *b, struct verdict *v, uint64_t now)
{
	v->review = now;
	v->review_n = v->after[CAUSE_MISS].n;
	v->review_softs = mmu_stats(b->v.mmu)->softs;
	if (b->soft_used[soft_use(v->pc)])
		v->last = now;
	b->soft_used[soft_use(v->pc)] = 0;
}

static void promote(struct bt_vcpu *b, struct ccf *f, struct verdict *v, enum cause c)
{
	v->guilty |= (uint8_t)(1u << c);
	v->count[c] = 0;
	v->last = v->decided = b->adapt.charge.start;
	begin_review(b, v, v->decided);
	b->adapt.charge.entry = &b->adapt.log[b->adapt.nlog % MAX_ADAPT_LOG];
	adapt_log(b, ADAPT_PROMOTED, c, v->pc, trap_cost(b, v, c), inline_cost(b, c));
	cache_drop(b, f, DROP_PROMOTED, v->pc);
}

/* An instruction trapped again after the decision on it: in an older fragment (an address may have several),
 * which goes, or in a form that cannot be replaced. */
static void trapped_again(struct bt_vcpu *b, struct ccf *f, struct verdict *v)
{
	if (f->made < v->decided)
		cache_drop(b, f, DROP_PROMOTED, v->pc);
}

/* Forgive one trap for each SPAN that has passed. */
static void forgive(struct verdict *v, enum cause c, uint64_t span, uint64_t now)
{
	uint64_t n = span ? (now - v->since[c]) / span : 0;

	v->count[c] = v->count[c] > n ? (uint16_t)(v->count[c] - n) : 0;
	v->since[c] = now;
}

struct verdict *adapt_suspect(struct bt_vcpu *b, struct ccf *f, unsigned i, enum cause c, unsigned weight)
{
	const struct cause_state *k = &b->adapt.causes[c];
	gva pc = f->pc + f->ioff[f->ninsn + i];
	struct verdict *v;

	if (f == b->transient.ccf || c >= SITE_CAUSES)
		return NULL;
	if (c == CAUSE_USER_PAGE && weight && adapt_on(k) && !f->pinned && adapt_low(b, f, pc))
		return NULL;
	v = verdict_make(b, pc);
	if (!v || !weight || !adapt_on(k) || f->pinned || v->excluded >> c & 1)
		return v;
	if (guilty_of(v, c)) {
		trapped_again(b, f, v);
		return v;
	}
	forgive(v, c, k->span, b->adapt.charge.start);
	v->count[c] = (uint16_t)(v->count[c] + weight);
	if (v->count[c] >= k->threshold << (c == CAUSE_MISS ? v->relapses : 0))
		promote(b, f, v, c);
	return v;
}

void adapt_trap(struct bt_vcpu *b, struct ccf *f, unsigned i, enum cause c, unsigned weight)
{
	b->adapt.charge.f = f;
	b->adapt.charge.cause = (uint8_t)c;
	b->adapt.charge.v = adapt_suspect(b, f, i, c, weight);
}

void adapt_settled(struct bt_vcpu *b, uint64_t now)
{
	struct charge *g = &b->adapt.charge;
	uint64_t cycles = now - g->start + b->adapt.cost.signal;

	if (!g->f)
		return;
	g->f->cycles += cycles;
	cost_add(&b->adapt.causes[g->cause].trap, cycles);
	if (g->v)
		cost_add(&g->v->trap[g->cause], cycles);
	if (g->entry && g->v)
		g->entry->before = cost_mean(&g->v->trap[g->cause]);
	else if (g->entry && !g->entry->before)
		g->entry->before = cycles;
	else if (g->entry) /* of a page: charge the translation of its code, too */
		g->entry->before =
		    cost_mean(&b->adapt.causes[g->cause].trap) + cost_mean(&b->adapt.translate);
	if (g->life)
		g->life->cycles += cycles;
	g->f = NULL;
	g->v = NULL;
	g->entry = NULL;
	g->life = NULL;
}

void adapt_after(struct bt_vcpu *b, struct verdict *v, struct ccf *f, enum cause c, uint64_t cycles)
{
	f->cycles += cycles;
	cost_add(&b->adapt.causes[c].after, cycles);
	if (!v)
		return;
	cost_add(&v->after[c], cycles);
	if (b->adapt.causes[c].calm)
		v->last = __builtin_ia32_rdtsc();
}

/* ---- demotion ---- */

void adapt_failed(struct bt_vcpu *b, struct ccf *f, unsigned i, enum cause c)
{
	struct verdict *v = verdict_find(b, f->pc + f->ioff[f->ninsn + i]);

	if (!v || f->pinned)
		return;
	if (v->excluded >> c & 1)
		trapped_again(b, f, v);
	if (!guilty_of(v, c) || ++v->failures <= MAX_FAILURES)
		return;
	v->guilty &= (uint8_t) ~(1u << c);
	v->excluded |= (uint8_t)(1u << c);
	v->failures = 0;
	v->decided = b->adapt.charge.start;
	adapt_log(b, ADAPT_EXCLUDED, c, v->pc, cost_mean(&v->after[c]), cost_mean(&v->trap[c]));
	cache_drop(b, f, DROP_DEMOTED, v->pc);
}

static void demote(struct bt_vcpu *b, struct ccf *f, struct verdict *v, enum cause c, uint64_t now,
		   uint64_t before, uint64_t after)
{
	v->guilty &= (uint8_t) ~(1u << c);
	v->decided = now;
	adapt_log(b, ADAPT_DEMOTED, c, v->pc, before, after);
	cache_drop(b, f, DROP_DEMOTED, v->pc);
}

/* A callout for RAM costs about a hundredth of a trap for a device, so it takes that many in a row to demote
 * the site. */
void adapt_device(struct bt_vcpu *b, struct ccf *f, struct verdict *v, bool ram)
{
	if (!ram)
		v->failures = 0;
	else if (v->failures < RAM_DEMOTIONS)
		v->failures++;
	if (v->failures < RAM_DEMOTIONS || f->pinned)
		return;
	v->failures = 0;
	demote(b, f, v, CAUSE_DEVICE, __builtin_ia32_rdtsc(), cost_mean(&v->after[CAUSE_DEVICE]),
	       b->adapt.cost.plain);
}

void adapt_calm_since(struct bt_vcpu *b, struct ccf *f, struct verdict *v, enum cause c, uint64_t now)
{
	uint64_t calm = b->adapt.causes[c].calm;

	if (calm && !f->pinned && guilty_of(v, c) && now - v->last >= calm)
		demote(b, f, v, c, now, b->adapt.cost.callout, 0);
}

/* What V would fault on without its precheck, since its last review: the pages it missed, and if it uses soft
 * pages all that became soft, since it is not known which of them it uses. */
static uint64_t faults_saved(const struct bt_vcpu *b, const struct verdict *v)
{
	uint64_t n = v->after[CAUSE_MISS].n - v->review_n;

	return b->soft_used[soft_use(v->pc)] ? n + mmu_stats(b->v.mmu)->softs - v->review_softs : n;
}

/* Would V's misses take little time as traps? Reviewed over times between half of CALM and CALM; two reviews
 * in a row must say so. */
static bool misses_seldom(struct bt_vcpu *b, struct verdict *v, uint64_t calm, uint64_t now)
{
	uint64_t time = now - v->review, trap = cost_mean(&b->adapt.causes[CAUSE_MISS].trap);

	if (time < calm / 2)
		return false;
	if (trap < b->adapt.cost.signal)
		trap = b->adapt.cost.signal;
	if (faults_saved(b, v) * trap * SELDOM <= time)
		return true;
	if (time >= calm)
		begin_review(b, v, now);
	return false;
}

/* Demote F's prechecked sites that have been calm for long and, if it is HOT, those that miss seldom. */
static void demote_calm(struct bt_vcpu *b, struct ccf *f, uint64_t now, bool hot)
{
	uint64_t calm = b->adapt.causes[CAUSE_MISS].calm;

	if (!calm || f->pinned)
		return;
	for (unsigned i = 0; i < f->ninsn; i++) {
		struct verdict *v = verdict_find(b, f->pc + f->ioff[f->ninsn + i]);

		if (!guilty_of(v, CAUSE_MISS))
			continue;
		if (now - v->last < calm ? !(hot && misses_seldom(b, v, calm, now))
					 : b->soft_used[soft_use(v->pc)] && !misses_seldom(b, v, calm, now))
			continue;
		v->relapses += v->relapses < RELAPSES_MAX;
		demote(b, f, v, CAUSE_MISS, now, b->adapt.cost.precheck, b->adapt.cost.plain);
	}
}

void adapt_calm(struct bt_vcpu *b, struct ccf *f, uint64_t now)
{
	demote_calm(b, f, now, false);
}

void adapt_polled(struct bt_vcpu *b, struct ccf *f, uint64_t now)
{
	bool hot = b->adapt.polled == f;

	b->adapt.polled = f;
	if (f->prechecks)
		demote_calm(b, f, now, hot);
}
