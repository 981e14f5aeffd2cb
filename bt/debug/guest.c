/* SPDX-License-Identifier: GPL-3.0-or-later
 * The guest's own breakpoints: DR0 to DR3 as DR7 has them (SDM vol. 3B 18.2). One on code ends translation in
 * front of the instruction, as a user's does; one on data is a watchpoint. What is hit becomes a #DB in the
 * engine's loop (engine.c). I/O breakpoints (CR4.DE) do not break.
 *
 * VM entries and exits exchange DR7, and to find the fragments that cover an address takes milliseconds. So
 * where a breakpoint on code was, translation goes on ending in front of it (a split), and the engine steps
 * over it, until that has been in vain several times or MAX_SPLITS others have been set. */
#include "bt/cache/cache.h"
#include "bt/debug/debug.h"

#include "mm/mmu.h"
#include "mm/watch.h"

#include <string.h>

#define MAX_VAIN 64

bool guest_debug_stale(const struct bt_vcpu *b)
{
	const uint64_t *now = b->v.cpu.dr, *set = b->debug.dr;

	return now[7] != set[7] || ((now[7] & 0xff) && memcmp(now, set, 4 * sizeof(*now)) != 0);
}

unsigned guest_debug_at(const struct bt_vcpu *b, gva pc)
{
	unsigned bits = 0;

	for (unsigned n = 0; n < 4 && b->debug.dr[7] & 0xff; n++)
		if (b->debug.dr[n] == pc && cpu_dr_kind(b->debug.dr[7], n) == DR_CODE)
			bits |= 1u << n;
	return bits;
}

static struct split *split_at(struct bt_vcpu *b, gva pc)
{
	for (unsigned i = 0; i < MAX_SPLITS; i++)
		if (b->debug.splits[i].used && b->debug.splits[i].pc == pc)
			return &b->debug.splits[i];
	return NULL;
}

bool guest_debug_splits(const struct bt_vcpu *b, gva pc)
{
	return split_at((struct bt_vcpu *)b, pc);
}

static void split_end(struct bt_vcpu *b, struct split *s)
{
	if (s->used)
		cache_drop_at(b, s->pc, 1, DROP_BREAK);
	s->used = false;
}

void guest_debug_vain(struct bt_vcpu *b, gva pc)
{
	struct split *s = split_at(b, pc);

	if (s && ++s->vain > MAX_VAIN)
		split_end(b, s);
}

static void split(struct bt_vcpu *b, gva pc)
{
	struct split *s = split_at(b, pc);

	if (s)
		return;
	do /* not that of a breakpoint in force, of which there are at most four */
		s = &b->debug.splits[b->debug.next_split++ % MAX_SPLITS];
	while (s->used && guest_debug_at(b, s->pc));
	split_end(b, s);
	*s = (struct split){ .pc = pc, .used = true };
	cache_drop_at(b, pc, 1, DROP_BREAK);
}

struct data {
	uint64_t at, len;
	unsigned type;
};

/* Breakpoint N on data, of KIND. */
static struct data data_of(const uint64_t dr[8], unsigned n, enum cpu_dr_kind kind)
{
	static const uint8_t lengths[4] = { 1, 2, 8, 4 };
	uint64_t len = lengths[dr[7] >> (18 + 4 * n) & 3];

	return (struct data){ dr[n] & ~(len - 1), len,
			      WATCH_GUEST(n) | WATCH_WRITE | (kind == DR_ACCESS ? WATCH_READ : 0) };
}

static void set_one(struct bt_vcpu *b, const uint64_t dr[8], unsigned n, bool on)
{
	enum cpu_dr_kind kind = cpu_dr_kind(dr[7], n);
	struct data d;

	if (kind == DR_CODE && on)
		split(b, dr[n]);
	if (kind != DR_WRITE && kind != DR_ACCESS)
		return;
	d = data_of(dr, n, kind);
	if (on)
		mmu_watch_insert(b->v.mmu, d.at, d.len, d.type);
	else
		mmu_watch_remove(b->v.mmu, d.at, d.len, d.type);
}

void guest_debug_set(struct bt_vcpu *b)
{
	uint64_t was[8];

	memcpy(was, b->debug.dr, sizeof(was));
	memcpy(b->debug.dr, b->v.cpu.dr, sizeof(b->debug.dr));
	for (unsigned n = 0; n < 4; n++) {
		set_one(b, was, n, false);
		set_one(b, b->debug.dr, n, true);
	}
}
