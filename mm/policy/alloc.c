/* SPDX-License-Identifier: GPL-3.0-or-later
 * See mm/policy/alloc.h. Integers throughout: with 128 bits no product overflows. */
#include "mm/policy/alloc.h"

typedef unsigned __int128 wide;

uint64_t alloc_weight(uint32_t tax, uint32_t active)
{
	uint64_t t = tax < ALLOC_TAX_MAX ? tax : ALLOC_TAX_MAX, f = active < ALLOC_ONE ? active : ALLOC_ONE;
	uint64_t k = ((uint64_t)ALLOC_ONE << 16) / (ALLOC_ONE - t);

	return f + (k * (ALLOC_ONE - f) >> 16);
}

uint64_t alloc_rho(const struct alloc_vm *v, uint32_t pages, uint32_t tax)
{
	enum { PAGES_PER_MIB = 256, SCALE = 1000 };
	uint64_t cost = pages * alloc_weight(tax, v->active) >> 2;

	return cost ? ((uint64_t)v->shares * PAGES_PER_MIB * SCALE << 14) / cost : UINT64_MAX;
}

/* ---- targets ---- */

static uint32_t least(uint32_t a, uint32_t b)
{
	return a < b ? a : b;
}

static uint32_t most_of(const struct alloc_vm *v)
{
	return least(v->wants, v->max);
}

/* What V gets for its shares where a page costs 2^32 / X of them, times its weight: not less than its min,
 * nor more than it wants. */
static uint32_t bought(const struct alloc_vm *v, wide x, uint32_t tax)
{
	wide n = v->shares * x / alloc_weight(tax, v->active) >> 32;
	uint32_t most = most_of(v);

	return n >= most ? most : n <= v->min ? v->min : (uint32_t)n;
}

static uint64_t all_bought(const struct alloc_vm *vm, unsigned n, wide x, uint32_t tax)
{
	uint64_t sum = 0;

	for (unsigned i = 0; i < n; i++)
		sum += bought(&vm[i], x, tax);
	return sum;
}

/* Where revocation from the lowest rho ends: all from which some was taken pay the same price. The lowest one
 * at which there is enough, bit by bit. */
static wide price(const struct alloc_vm *vm, unsigned n, uint64_t avail, uint32_t tax)
{
	wide x = 0;

	for (int bit = 95; bit >= 0; bit--)
		if (all_bought(vm, n, x | (wide)1 << bit, tax) <= avail)
			x |= (wide)1 << bit;
	return x;
}

/* Pages that no price gives away: what is lost in rounding, and what VMs without shares may have. */
static void give_rest(struct alloc_vm *vm, unsigned n, uint64_t rest)
{
	for (unsigned takers = 1; rest && takers;) {
		uint64_t part = rest / n + 1;

		takers = 0;
		for (struct alloc_vm *v = vm; v < vm + n && rest; v++) {
			uint32_t room = most_of(v) - v->target, give = room < part ? room : (uint32_t)part;

			give = give < rest ? give : (uint32_t)rest;
			v->target += give;
			rest -= give;
			takers += give != 0;
		}
	}
}

bool alloc_targets(struct alloc_vm *vm, unsigned n, uint64_t avail, uint32_t tax)
{
	uint64_t sum = 0, mins = 0;
	wide x;

	for (struct alloc_vm *v = vm; v < vm + n; v++) {
		v->min = least(v->min, most_of(v));
		sum += most_of(v);
		mins += v->min;
	}
	if (sum > avail) {
		x = price(vm, n, avail, tax);
		for (struct alloc_vm *v = vm; v < vm + n; v++)
			v->target = bought(v, x, tax);
		if (mins < avail)
			give_rest(vm, n, avail - all_bought(vm, n, x, tax));
	}
	for (struct alloc_vm *v = vm; v < vm + n; v++)
		if (sum <= avail || v->target >= most_of(v))
			v->target = v->max;
	return mins <= avail;
}

/* ---- states ---- */

enum mm_pool_state alloc_state(const uint32_t threshold[POOL_STATES], uint32_t hysteresis,
			       enum mm_pool_state was, uint64_t free, uint64_t all)
{
	uint64_t part = all ? free * 10000 / all : 0;
	unsigned s = was;

	while (s + 1 < POOL_STATES && part < threshold[s + 1])
		s++;
	if (s != was)
		return (enum mm_pool_state)s;
	while (s > POOL_HIGH && part >= (uint64_t)threshold[s - 1] + hysteresis)
		s--;
	return (enum mm_pool_state)s;
}

uint64_t alloc_goal(const uint32_t threshold[POOL_STATES], uint32_t hysteresis, uint64_t all)
{
	uint64_t part = (uint64_t)threshold[POOL_HIGH] + 2ull * hysteresis;

	return part < 10000 ? all * part / 10000 : all;
}

/* ---- what is done ---- */

/* Pages by which V could be beyond WITHIN if it used all of its memory. */
static uint32_t beyond(const struct alloc_vm *v, uint32_t within)
{
	uint64_t holds = (uint64_t)v->saved + within;

	return v->size > holds ? (uint32_t)(v->size - holds) : 0;
}

/* As many pages as keep V within its target even when it uses all of its memory. A balloon grows only when
 * memory is short, or to keep V within its max. */
static uint32_t balloon_of(const struct alloc_vm *v, enum mm_pool_state s, uint32_t limit)
{
	uint32_t want = beyond(v, v->target), capped = beyond(v, v->max);

	if (s == POOL_HIGH && want > v->balloon_was)
		want = capped > v->balloon_was ? capped : v->balloon_was;
	return v->balloons ? least(want, limit) : 0;
}

/* Where V is to swap to. */
static uint32_t swap_of(const struct alloc_vm *v, enum mm_pool_state s, uint32_t limit)
{
	bool must = !v->balloons || v->stuck ||
		    beyond(v, v->target) > limit; /* ballooning is impossible, or not enough */

	if (!v->swaps)
		return ALLOC_ANY;
	if (v->machine > v->target && (s >= POOL_HARD || (s == POOL_SOFT && must)))
		return v->target;
	return v->machine > v->max && must ? v->max : ALLOC_ANY;
}

void alloc_actions(struct alloc_vm *vm, unsigned n, enum mm_pool_state s, uint32_t balloon_max)
{
	for (struct alloc_vm *v = vm; v < vm + n; v++) {
		uint32_t limit = (uint32_t)((uint64_t)v->size * least(balloon_max, 100) / 100);

		v->balloon = balloon_of(v, s, limit);
		v->swap_target = swap_of(v, s, limit);
		/* One that cannot swap would never come down to its target. */
		v->blocked = s == POOL_LOW && v->swaps && v->machine > v->target;
	}
}

/* ---- who paid whom ---- */

unsigned alloc_moves(const struct alloc_vm *vm, unsigned n, uint32_t tax, struct alloc_move *move,
		     unsigned max)
{
	unsigned found = 0, to = 0;
	uint32_t taken = 0; /* of what TO gained, so far */

	for (unsigned from = 0; from < n; from++) {
		uint32_t left = vm[from].was > vm[from].target ? vm[from].was - vm[from].target : 0;

		while (left && found < max) {
			uint32_t gain, pages;

			while (to < n &&
			       (vm[to].target <= vm[to].was || vm[to].target - vm[to].was - taken == 0)) {
				to++;
				taken = 0;
			}
			gain = to < n ? vm[to].target - vm[to].was - taken : left;
			pages = least(left, gain);
			left -= pages;
			taken += pages;
			if (pages >= ALLOC_LEAST)
				move[found++] = (struct alloc_move){
					.from = from,
					.to = to < n ? to : ALLOC_POOL,
					.pages = pages,
					.rho_from = alloc_rho(&vm[from], vm[from].was, tax),
					.rho_to = to < n ? alloc_rho(&vm[to], vm[to].was, tax) : 0,
				};
		}
	}
	return found;
}

/* ---- admission ---- */

enum alloc_refusal alloc_admit(const struct alloc_admission *a, uint64_t *lacking)
{
	uint64_t memory = a->mins + a->min, all = a->memory + a->overheads + a->overhead;
	uint64_t swap = a->maxs - a->mins + (a->max > a->min ? a->max - a->min : 0);

	*lacking = 0;
	if (memory > a->memory) {
		*lacking = memory - a->memory;
		return ALLOC_NO_MEMORY;
	}
	if (swap > a->swap) {
		*lacking = swap - a->swap;
		return ALLOC_NO_SWAP;
	}
	if (all > a->computer) {
		*lacking = all - a->computer;
		return ALLOC_NO_ROOM;
	}
	return ALLOC_ADMITTED;
}
