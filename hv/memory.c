/* SPDX-License-Identifier: GPL-3.0-or-later
 * The machine's part in dividing memory among VMs: work that comes back in VM time, on the vCPU's thread,
 * also while the processor is halted. One timer serves all of it: figures for the slot, samples of the pages
 * in use, the scan for pages to share, swapping to a target in small steps; for a VM with a pool of its own,
 * the policy. Nothing arms it where none of these is wanted. While the pool is out of memory (state low) the
 * VM may have to wait; its time stands still meanwhile, so that the guest does not notice. */
#include <stdio.h>
#include <time.h>

#include "hv/machine_int.h"
#include "mm/policy.h"

#define MS 1000000ull
enum { SWAP_STEP = 256, SWAP_MS = 50, LOOK_MS = 250, BLOCKED_MS = 20, LEAST_MS = 50 };

/* ---- points ---- */

/* With the guest's vector registers live. */
#define GPR_ONLY __attribute__((target("general-regs-only")))

GPR_ONLY static void event(struct machine *m, unsigned kind, uint32_t number, uint64_t val)
{
	const struct memory_work *w = &m->memory_work;
	struct machine_hit h = { kind, number, val };

	for (unsigned i = 0; i < w->npoints; i++)
		if (w->point[i].kind == kind && number >= w->point[i].lo && number <= w->point[i].hi) {
			board_hit(&m->board, &h);
			return;
		}
}

GPR_ONLY static void on_page(void *ctx, enum mm_event e, ppn p, uint64_t val)
{
	event(ctx, e == MM_COW ? MACHINE_EV_COW : MACHINE_EV_SWAP_IN, p, val);
}

bool memory_event_set(struct machine *m, unsigned kind, uint32_t lo, uint32_t hi, bool on)
{
	struct memory_work *w = &m->memory_work;

	if (on && w->npoints == MEMORY_POINTS)
		return false;
	if (on)
		w->point[w->npoints++] = (struct memory_point){ kind, lo, hi };
	for (unsigned i = 0; !on && i < w->npoints; i++)
		if (w->point[i].kind == kind && w->point[i].lo == lo && w->point[i].hi == hi) {
			w->point[i] = w->point[--w->npoints];
			break;
		}
	mm_watch_pages(m->vm, w->npoints ? on_page : NULL, m);
	return true;
}

/* ---- what is wanted ---- */

static uint32_t above_swap_target(struct machine *m)
{
	uint32_t has = mm_machine_pages(m->pool, mm_slot_number(m->vm));
	uint32_t target = atomic_load(&mm_slot(m->vm)->swap_target);

	return mm_has_swap(m->vm) && has > target ? has - target : 0;
}

static bool wanted(struct machine *m)
{
	return mm_policy_hosted(m->pool) || mm_policy_wanted(m->pool, m->vm) || mm_scan_rate(m->vm) ||
	       atomic_load(&mm_policy(m->pool)->params.sample_pages) || m->memory_work.sampling ||
	       above_swap_target(m);
}

/* ---- the tick ---- */

static uint64_t sooner(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

/* Returns when the period ends. NOW may be before it began: a state was loaded. */
static uint64_t sample(struct machine *m, uint64_t now)
{
	const struct mm_policy_params *a = &mm_policy(m->pool)->params;
	uint32_t pages = atomic_load(&a->sample_pages);
	uint64_t period = atomic_load(&a->sample_period) * MS;
	struct memory_work *w = &m->memory_work;

	period = period > LEAST_MS * MS ? period : LEAST_MS * MS;
	if (w->sampling && now >= w->sampled && now - w->sampled < period) {
		mm_sample_now(m->vm);
		return sooner(w->sampled + period, now + NS_PER_SEC);
	}
	if (!pages && !w->sampling)
		return CLOCK_NEVER;
	mm_sample(m->vm, pages, now);
	w->sampling = pages != 0;
	w->sampled = now;
	return pages ? sooner(now + period, now + NS_PER_SEC) : CLOCK_NEVER;
}

/* Returns when to go on. */
static uint64_t swap(struct machine *m, uint64_t now)
{
	uint32_t n = above_swap_target(m);

	if (n && mm_swap_out_some(m->vm, n < SWAP_STEP ? n : SWAP_STEP) && n > SWAP_STEP)
		return now + SWAP_MS * MS;
	return CLOCK_NEVER;
}

/* The host's process runs the policy for its VMs. */
static uint64_t policy(struct machine *m, uint64_t now)
{
	struct memory_work *w = &m->memory_work;

	if (!mm_policy_wanted(m->pool, m->vm))
		return CLOCK_NEVER;
	if (now >= w->policy || w->policy - now > NS_PER_SEC)
		w->policy = mm_policy_run(m->pool, now);
	return w->policy;
}

static void watch_state(struct machine *m)
{
	uint32_t state = atomic_load(&mm_policy(m->pool)->state);
	uint32_t was = m->memory_work.state;

	if (state == was)
		return;
	m->memory_work.state = state;
	event(m, MACHINE_EV_STATE, state, was);
}

static void tick(void *ctx)
{
	struct machine *m = ctx;
	uint64_t now = clock_now(&m->board.clock), next;

	next = policy(m, now);
	next = sooner(next, sample(m, now));
	next = sooner(next, mm_scan(m->vm, now));
	next = sooner(next, swap(m, now));
	if (mm_policy_hosted(m->pool)) /* the host may want something else by then */
		next = sooner(next, now + LOOK_MS * MS);
	watch_state(m);
	mm_figures(m->vm, now);
	if (next != CLOCK_NEVER)
		timer_arm(&m->board.clock, &m->memory_work.tick,
			  next > now + LEAST_MS * MS ? next : now + LEAST_MS * MS);
}

void machine_memory_changed(struct machine *m)
{
	struct vm_clock *c = &m->board.clock;

	m->memory_work.policy = 0;
	if (wanted(m))
		timer_arm(c, &m->memory_work.tick, clock_now(c));
	else
		timer_cancel(c, &m->memory_work.tick);
}

void memory_init(struct machine *m)
{
	m->memory_work.tick = (struct vm_timer){ .fire = tick, .ctx = m };
	if (!mm_policy_hosted(m->pool) && m->cfg.name)
		snprintf(mm_slot(m->vm)->name, MM_NAME, "%s", m->cfg.name);
}

uint64_t memory_deadline(const struct machine *m)
{
	return m->memory_work.tick.armed && m->board.clock.mode == CLOCK_HOST ? m->memory_work.tick.deadline
									      : CLOCK_NEVER;
}

/* ---- waiting for memory ---- */

/* Swap a step towards the target. False: there is nothing more that could be done. */
static bool make_room(struct machine *m)
{
	uint32_t n = above_swap_target(m);

	return !n || mm_swap_out_some(m->vm, n < SWAP_STEP ? n : SWAP_STEP);
}

static uint64_t host_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * NS_PER_SEC + (uint64_t)ts.tv_nsec;
}

bool memory_waits(struct machine *m)
{
	struct mm_slot *s = mm_slot(m->vm);
	struct vm_clock *c = &m->board.clock;
	bool running = c->running;
	uint64_t start;

	if (!atomic_load_explicit(&s->blocked, memory_order_relaxed))
		return false;
	start = host_ns();
	clock_stop(c);
	if (!make_room(m))
		atomic_store(&s->swaps, 0); /* it would wait forever */
	mm_figures(m->vm, clock_now(c));
	/* Its time stands still: the tick would not find that there is memory again. */
	if (mm_policy_wanted(m->pool, m->vm))
		mm_policy_run(m->pool, clock_now(c));
	if (!above_swap_target(m))
		hosted_nap(m, BLOCKED_MS * MS);
	if (running)
		clock_start(c);
	atomic_fetch_add(&s->blocked_ns, host_ns() - start);
	return true;
}
