/* SPDX-License-Identifier: GPL-3.0-or-later
 * Accounting (adapt/account.h) outside callouts: set-up, and switching the counting of entries on and off. */
#include "bt/adapt/account.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

uint64_t account_host_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

bool account_init(struct bt_vcpu *b)
{
	uint64_t start = __builtin_ia32_rdtsc();

	b->history.tsc_start = start;
	b->history.ns_start = account_host_ns();
	for (int i = 0; i < 63; i++)
		__builtin_ia32_rdtsc();
	b->account.rdtsc_cost = (__builtin_ia32_rdtsc() - start) / 64;
	b->account.places = calloc(PLACES, sizeof(*b->account.places));
	return b->account.places;
}

void account_fini(struct bt_vcpu *b)
{
	free(b->account.places);
}

void account_counting(struct bt_vcpu *b)
{
	struct account *a = &b->account;

	a->time_all = b->entries.on;
	if (!b->entries.on)
		return;
	memset(b->entries.count, 0, sizeof(b->entries.count));
	memcpy(a->called_before, a->called, sizeof(a->called));
	memcpy(a->timed_before, a->timed, sizeof(a->timed));
	memset(a->intc_gone, 0, sizeof(a->intc_gone));
	memset(a->work_gone, 0, sizeof(a->work_gone));
	a->entries_gone = a->indirects = 0;
	a->misses_before = b->st.jt_misses;
}

/* ---- run time ---- */

uint64_t account_now(const struct bt_vcpu *b)
{
	return b->account.running ? __builtin_ia32_rdtsc() - b->account.base : b->account.frozen;
}

void account_enter(struct bt_vcpu *b)
{
	b->account.base = __builtin_ia32_rdtsc() - b->account.frozen;
	b->account.running = true;
	account_tick(b);
}

void account_leave(struct bt_vcpu *b)
{
	account_close(b);
	b->account.frozen = account_now(b);
	b->account.running = false;
}

void account_tick(struct bt_vcpu *b)
{
	struct account *a = &b->account;
	uint64_t now = account_now(b);

	if (now - a->snap[1].at < RATE_CYCLES)
		return;
	a->snap[0] = a->snap[1];
	a->snap[1].at = now;
	for (unsigned i = 0; i < TRAP_CAUSES; i++)
		a->snap[1].traps[i] = b->st.traps[i];
	for (unsigned i = 0; i < CO_KINDS; i++)
		a->snap[1].callouts[i] = account_called(b, i);
}

/* Callouts of KIND in host cycles: those timed, with entry and return, stand for all. */
static uint64_t callout_cycles(const struct bt_vcpu *b, unsigned kind)
{
	struct timed t = account_timed(b, kind);
	uint64_t n = account_called(b, kind);

	return t.count ? (uint64_t)(((double)t.cycles / (double)t.count + (double)b->adapt.cost.callout) *
				    (double)n)
		       : n * b->adapt.cost.callout;
}

void account_times(struct vcpu *v, struct engine_times *t)
{
	const struct bt_vcpu *b = bt_of(v);

	*t = (struct engine_times){ .run = account_now(b), .translating = b->adapt.translate.cycles };
	for (unsigned i = 0; i < CO_KINDS; i++)
		t->callouts += callout_cycles(b, i);
	for (unsigned i = 0; i < TRAP_CAUSES; i++)
		t->traps += b->account.trap_cycles[i];
}
