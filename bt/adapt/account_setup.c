/* SPDX-License-Identifier: GPL-3.0-or-later
 * Accounting (adapt/account.h) as far as it does not concern callouts: setting up, and counting
 * that begins or ends. */
#include "bt/bt_int.h"

#include <stdlib.h>
#include <string.h>

bool account_init(struct bt_vcpu *b)
{
	uint64_t start = __builtin_ia32_rdtsc();

	for (int i = 0; i < 63; i++)
		__builtin_ia32_rdtsc();
	b->a.rdtsc_cost = (__builtin_ia32_rdtsc() - start) / 64;
	b->a.places = calloc(PLACES, sizeof(*b->a.places));
	return b->a.places;
}

void account_fini(struct bt_vcpu *b)
{
	free(b->a.places);
}

void account_counting(struct bt_vcpu *b)
{
	struct account *a = &b->a;

	a->time_all = b->count_entries;
	account_stubs(b);
	if (!b->count_entries)
		return;
	memset(b->entry_count, 0, sizeof(b->entry_count));
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
	return b->a.running ? __builtin_ia32_rdtsc() - b->a.base : b->a.frozen;
}

void account_enter(struct bt_vcpu *b)
{
	b->a.base = __builtin_ia32_rdtsc() - b->a.frozen;
	b->a.running = true;
	account_tick(b);
}

void account_leave(struct bt_vcpu *b)
{
	account_close(b);
	b->a.frozen = account_now(b);
	b->a.running = false;
}

void account_tick(struct bt_vcpu *b)
{
	struct account *a = &b->a;
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
