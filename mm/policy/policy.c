/* SPDX-License-Identifier: GPL-3.0-or-later
 * See mm/policy.h: figures from the slots go into mm/policy/alloc.h, what it finds goes into the slots. The
 * state of memory is looked at each second, or more often while memory is short; targets are computed
 * each time while it is short, when it has changed, when a parameter or the set of VMs has, and once a
 * period. */
#include "mm/policy/alloc.h"
#include "mm/pool.h"

#include <stdio.h>

#define MS 1000000ull
enum { LOOK_MS = 1000, LOOK_SHORT_MS = 100, STUCK_MS = 10000, BALLOON_SLACK = 512 /* a large page */ };

const char *mm_pool_state_name(unsigned s)
{
	static const char *const names[] = { "high", "soft", "hard", "low" };

	return s < POOL_STATES ? names[s] : "?";
}

struct mm_policy *mm_policy(struct mm_pool *p)
{
	return &p->block->policy;
}

void mm_policy_init(struct mm_policy *y, bool hosted)
{
	static const uint32_t threshold[POOL_STATES] = { 600, 400, 200, 100 };
	struct mm_policy_params *a = &y->params;

	for (unsigned i = 0; i < POOL_STATES; i++)
		atomic_store(&a->threshold[i], threshold[i]);
	atomic_store(&a->tax, ALLOC_ONE / 4 * 3);
	atomic_store(&a->hysteresis, 25);
	atomic_store(&a->period, 15000);
	atomic_store(&a->balloon_max, 65);
	atomic_store(&a->sample_pages, hosted ? 100 : 0);
	atomic_store(&a->sample_period, 30000);
	atomic_store(&a->changes, 1);
}

void mm_policy_changed(struct mm_pool *p)
{
	atomic_fetch_add(&p->block->policy.params.changes, 1);
}

/* ---- figures ---- */

static bool lives(const struct mm_slot *s)
{
	uint32_t state = atomic_load(&s->state);

	return (state == SLOT_LIVES || state == SLOT_JOINS) && s->configured;
}

/* Pages on shared frames of all VMs, and the frames: the pages in use that no VM is charged for. */
struct sharing {
	uint64_t pages, frames;
};

static struct sharing sharing_of(const struct mm_pool *p)
{
	uint64_t charged = 0, used = atomic_load(&p->block->used);
	struct sharing x = { 0 };

	for (unsigned i = 0; i < MM_VMS; i++) {
		if (!lives(&p->slots[i]))
			continue;
		charged += atomic_load(&p->slots[i].charged);
		x.pages += atomic_load(&p->slots[i].pages[PAGE_SHARED]);
	}
	x.frames = used > charged ? used - charged : 0;
	if (x.frames > x.pages)
		x.frames = x.pages;
	return x;
}

/* What S has of the frames: each costs those that are on it alike, on average. */
static uint32_t part_of(const struct mm_slot *s, const struct sharing *x)
{
	uint64_t shared = atomic_load(&s->pages[PAGE_SHARED]);

	if (shared > x->pages)
		shared = x->pages;
	return x->pages ? (uint32_t)(shared * x->frames / x->pages) : 0;
}

uint32_t mm_machine_pages(struct mm_pool *p, unsigned i)
{
	struct sharing x = sharing_of(p);

	return i < MM_VMS ? atomic_load(&p->slots[i].charged) + part_of(&p->slots[i], &x) : 0;
}

uint32_t mm_active(const struct mm_slot *s)
{
	uint32_t slow = atomic_load(&s->slow), fast = atomic_load(&s->fast), now = atomic_load(&s->now), f;

	if (!atomic_load(&s->periods))
		return ALLOC_ONE; /* nothing is known */
	f = slow > fast ? slow : fast;
	f = f > now ? f : now;
	return f < ALLOC_ONE ? f : ALLOC_ONE;
}

static struct alloc_vm figures(const struct mm_slot *s, const struct sharing *x,
			       const struct mm_policy_vm *was)
{
	uint32_t part = part_of(s, x), shared = atomic_load(&s->pages[PAGE_SHARED]);
	uint32_t absent = atomic_load(&s->pages[PAGE_ABSENT]);
	struct alloc_vm v = {
		.shares = atomic_load(&s->shares),
		.min = atomic_load(&s->min),
		.max = atomic_load(&s->max),
		.size = s->configured,
		.machine = atomic_load(&s->charged) + part,
		.saved = shared > part ? shared - part : 0,
		.active = mm_active(s),
		.was = was->target,
		.balloon_was = atomic_load(&s->balloon),
		.balloons = atomic_load(&s->driver) != BALLOON_NONE,
		.stuck = was->stuck,
		.swaps = atomic_load(&s->swaps),
	};

	v.max = v.max < v.size ? v.max : v.size;
	v.wants = v.size > absent ? v.size - absent : 0;
	v.wants = v.wants > v.saved ? v.wants - v.saved : 0;
	return v;
}

bool mm_policy_hosted(const struct mm_pool *p)
{
	return p->block_fd >= 0;
}

bool mm_policy_wanted(struct mm_pool *p, const struct mm_vm *vm)
{
	const struct mm_slot *first = NULL;
	bool capped = false;
	uint64_t maxs = 0;

	if (mm_policy_hosted(p))
		return false;
	for (unsigned i = 0; i < MM_VMS; i++) {
		if (!lives(&p->slots[i]))
			continue;
		first = first ? first : &p->slots[i];
		capped |= atomic_load(&p->slots[i].max) < p->slots[i].configured;
		maxs += atomic_load(&p->slots[i].max);
	}
	return (capped || maxs > p->limit) && first == mm_slot(vm);
}

/* ---- balloons that do not answer ---- */

static void watch_balloon(struct mm_policy_vm *w, const struct mm_slot *s, uint64_t now)
{
	uint32_t has = atomic_load(&s->ballooned), want = atomic_load(&s->balloon);

	if (has + BALLOON_SLACK >= want || has > w->ballooned) {
		w->stuck = false;
		w->since = now;
	} else if (now - w->since > STUCK_MS * MS) {
		w->stuck = true;
	}
	w->ballooned = has;
}

/* ---- the log ---- */

/* rho and its thousandths, as text with two digits. */
static void rho_text(char *buf, size_t len, uint64_t rho)
{
	if (rho == UINT64_MAX)
		snprintf(buf, len, "infinite");
	else
		snprintf(buf, len, "%llu.%02llu", (unsigned long long)(rho / 1000),
			 (unsigned long long)(rho % 1000 / 10));
}

static const char *name_of(const struct mm_slot *s, char *buf, size_t len)
{
	if (s->name[0])
		snprintf(buf, len, "%.*s", MM_NAME - 1, s->name);
	else
		snprintf(buf, len, "VM %u", s->id);
	return buf;
}

static void note(struct mm_policy *y, const struct mm_slot *from, const struct mm_slot *to,
		 const struct alloc_move *m, uint64_t now)
{
	uint64_t number = atomic_fetch_add(&y->revocations, 1) + 1;
	struct mm_revocation *r = &y->log[number % MM_REVOCATIONS];
	char a[MM_NAME + 8], b[MM_NAME + 8], x[24], z[24];

	atomic_store(&r->number, 0);
	r->at = now;
	r->pages = m->pages;
	rho_text(x, sizeof(x), m->rho_from);
	rho_text(z, sizeof(z), m->rho_to);
	if (to)
		snprintf(r->text, sizeof(r->text), "%s gave %u MiB to %s: rho %s against %s",
			 name_of(from, a, sizeof(a)), m->pages / 256, name_of(to, b, sizeof(b)), x, z);
	else
		snprintf(r->text, sizeof(r->text), "%s gave %u MiB back: rho %s", name_of(from, a, sizeof(a)),
			 m->pages / 256, x);
	atomic_store(&r->number, number);
}

/* ---- the run ---- */

/* The VMs there are. */
struct round {
	struct alloc_vm vm[MM_VMS];
	unsigned slot[MM_VMS], n;
	uint32_t ids;
	uint64_t maxs;
};

static void take_figures(struct mm_pool *p, struct round *r, uint64_t now)
{
	struct mm_policy *y = &p->block->policy;
	struct sharing x = sharing_of(p);

	*r = (struct round){ .ids = 1 };
	for (unsigned i = 0; i < MM_VMS; i++) {
		const struct mm_slot *s = &p->slots[i];
		struct mm_policy_vm *w = &y->vm[i];

		if (!lives(s))
			continue;
		if (w->id != s->id)
			*w = (struct mm_policy_vm){ .id = s->id,
						    .target = y->ids ? 0 : atomic_load(&s->max),
						    .since = now };
		watch_balloon(w, s, now);
		r->vm[r->n] = figures(s, &x, w);
		r->maxs += r->vm[r->n].max;
		r->slot[r->n++] = i;
		r->ids = r->ids * 31 + s->id;
	}
}

static void set_targets(struct mm_pool *p, struct round *r, uint64_t now)
{
	struct mm_policy *y = &p->block->policy;
	struct alloc_move move[MM_VMS];
	uint32_t threshold[POOL_STATES], tax = atomic_load(&y->params.tax);
	uint64_t goal;
	unsigned moves;

	for (unsigned i = 0; i < POOL_STATES; i++)
		threshold[i] = atomic_load(&y->params.threshold[i]);
	goal = alloc_goal(threshold, atomic_load(&y->params.hysteresis), p->limit);
	alloc_targets(r->vm, r->n, r->maxs <= p->limit ? p->limit : p->limit - goal, tax);
	atomic_fetch_add(&y->runs, 1);
	for (unsigned i = 0; i < r->n; i++) {
		struct mm_slot *s = &p->slots[r->slot[i]];

		if (atomic_load(&s->hand) & HAND_TARGET)
			r->vm[i].target = atomic_load(&s->target);
	}
	moves = alloc_moves(r->vm, r->n, tax, move, MM_VMS);
	for (unsigned i = 0; i < moves; i++)
		note(y, &p->slots[r->slot[move[i].from]],
		     move[i].to == ALLOC_POOL ? NULL : &p->slots[r->slot[move[i].to]], &move[i], now);
	for (unsigned i = 0; i < r->n; i++)
		y->vm[r->slot[i]].target = r->vm[i].target;
}

static void tell(struct mm_slot *s, const struct alloc_vm *v)
{
	uint32_t hand = atomic_load(&s->hand);

	atomic_store(&s->target, v->target);
	if (!(hand & HAND_BALLOON))
		atomic_store(&s->balloon, v->balloon);
	if (!(hand & HAND_SWAP))
		atomic_store(&s->swap_target, v->swap_target);
	atomic_store(&s->blocked, v->blocked);
}

/* Where all VMs fit at their max, no state means anything. */
static enum mm_pool_state state_now(struct mm_pool *p, const struct round *r)
{
	struct mm_policy *y = &p->block->policy;
	uint32_t threshold[POOL_STATES], used = atomic_load(&p->block->used);

	if (r->maxs <= p->limit)
		return POOL_HIGH;
	for (unsigned i = 0; i < POOL_STATES; i++)
		threshold[i] = atomic_load(&y->params.threshold[i]);
	return alloc_state(threshold, atomic_load(&y->params.hysteresis),
			   (enum mm_pool_state)(atomic_load(&y->state) % POOL_STATES),
			   used < p->limit ? p->limit - used : 0, p->limit);
}

static bool state_changed(struct mm_policy *y, enum mm_pool_state s, uint64_t now)
{
	if (atomic_load(&y->state) == s)
		return false;
	atomic_store(&y->state, s);
	atomic_store(&y->state_since, now);
	atomic_fetch_add(&y->entered[s], 1);
	return true;
}

uint64_t mm_policy_run(struct mm_pool *p, uint64_t now)
{
	struct mm_policy *y = &p->block->policy;
	uint32_t changes = atomic_load(&y->params.changes);
	enum mm_pool_state s;
	struct round r;
	bool due;

	take_figures(p, &r, now);
	s = state_now(p, &r);
	due = state_changed(y, s, now) | (s != POOL_HIGH) | (changes != y->seen) | (r.ids != y->ids) |
	      (now >= y->next);
	if (atomic_load(&y->params.frozen)) {
		for (unsigned i = 0; i < r.n; i++)
			atomic_store(&p->slots[r.slot[i]].blocked, 0);
		y->next = 0;
		return now + LOOK_MS * MS;
	}
	if (due) {
		set_targets(p, &r, now);
		y->next = now + atomic_load(&y->params.period) * MS;
		y->seen = changes;
		y->ids = r.ids;
	}
	for (unsigned i = 0; i < r.n && !due; i++)
		r.vm[i].target = y->vm[r.slot[i]].target;
	alloc_actions(r.vm, r.n, s, atomic_load(&y->params.balloon_max));
	for (unsigned i = 0; i < r.n; i++)
		tell(&p->slots[r.slot[i]], &r.vm[i]);
	return now + (s >= POOL_HARD ? LOOK_SHORT_MS : LOOK_MS) * MS;
}

/* ---- admission ---- */

bool mm_admit(struct mm_pool *p, uint64_t min, uint64_t max, uint64_t overhead, char *err, size_t errlen)
{
	struct alloc_admission a = { .min = min,
				     .max = max,
				     .overhead = overhead,
				     .memory = p->limit,
				     .swap = atomic_load(&p->block->policy.params.swap),
				     .computer = atomic_load(&p->block->policy.params.computer) };
	enum { MIB_PAGES = 256 };
	uint64_t lacking;

	for (unsigned i = 0; i < MM_VMS; i++) {
		const struct mm_slot *s = &p->slots[i];
		uint32_t least = atomic_load(&s->min), most = atomic_load(&s->max);

		if (!lives(s))
			continue;
		a.mins += least < most ? least : most;
		a.maxs += most;
		a.overheads += s->overhead;
	}
	switch (alloc_admit(&a, &lacking)) {
	case ALLOC_ADMITTED:
		return true;
	case ALLOC_NO_MEMORY:
		snprintf(
		    err, errlen,
		    "machine memory lacks %llu MiB: %llu are promised to VMs, this one needs %llu, of %llu (--min)",
		    (unsigned long long)(lacking + MIB_PAGES - 1) / MIB_PAGES,
		    (unsigned long long)a.mins / MIB_PAGES, (unsigned long long)min / MIB_PAGES,
		    (unsigned long long)a.memory / MIB_PAGES);
		return false;
	case ALLOC_NO_ROOM:
		snprintf(
		    err, errlen,
		    "the computer lacks %llu MiB: beside machine memory, VMs' processes take %llu, this one "
		    "needs %llu",
		    (unsigned long long)(lacking + MIB_PAGES - 1) / MIB_PAGES,
		    (unsigned long long)a.overheads / MIB_PAGES, (unsigned long long)overhead / MIB_PAGES);
		return false;
	default:
		snprintf(err, errlen,
			 "the swap file lacks %llu MiB for what exceeds the VMs' guaranteed memory (--swap, "
			 "--min)",
			 (unsigned long long)(lacking + MIB_PAGES - 1) / MIB_PAGES);
		return false;
	}
}
