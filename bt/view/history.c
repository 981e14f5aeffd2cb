/* SPDX-License-Identifier: GPL-3.0-or-later
 * Views of the lives of fragments, and of what adaptation changed about their cost. */
#include "bt/adapt/account.h"
#include "bt/cache/history.h"
#include "bt/view/view.h"

#include <stdlib.h>

/* TSC cycles per millisecond, measured since the vCPU was made. */
static double cycles_per_ms(const struct bt_vcpu *b)
{
	uint64_t ns = account_host_ns() - b->history.ns_start;

	return ns ? (double)(__builtin_ia32_rdtsc() - b->history.tsc_start) * 1e6 / (double)ns : 1;
}

/* Parse "" or an address; false if ARG is neither. */
static bool parse_address(const char *arg, gva *pc, bool *any)
{
	char *end;

	*any = !arg[0];
	*pc = strtoull(arg, &end, 0);
	return *any || (end != arg && !*end);
}

/* ---- info history ---- */

static const struct view_col history_cols[] = {
	{ "number", "#", VAL_UINT, "", "running number" },
	{ "ms", "ms", VAL_REAL, "", "host time since the machine was made" },
	{ "pc", "guest pc", VAL_ADDR, "", "start of the fragment" },
	{ "event", "event", VAL_STR, "",
	  "made, dropped, lives (its current figures), or flushed: all fragments" },
	{ "why", "why", VAL_STR, "", "reason it was dropped" },
	{ "by", "by", VAL_ADDR, "", "instruction that caused it" },
	{ "insns", "insns", VAL_UINT, "", "guest instructions" },
	{ "size", "host", VAL_UINT, "bytes", "host code" },
	{ "entries", "entries", VAL_UINT, "", "during its life, if counted (count on)" },
	{ "traps", "traps", VAL_UINT, "", "during its life" },
	{ "callouts", "callouts", VAL_UINT, "", "during its life" },
	{ "cycles", "cycles", VAL_UINT, "", "host cycles in traps and their replacements" },
};

static struct value counted(uint64_t entries)
{
	return entries == UINT64_MAX ? V_NONE : V_UINT(entries);
}

static void history_row(const struct bt_vcpu *b, uint64_t number, const struct history *h, double per_ms,
			struct row_sink *k)
{
	static const char *const events[] = { "made", "dropped", "flushed" };
	bool dropped = h->what == HISTORY_DROPPED, all = h->what == HISTORY_FLUSHED;

	k->row(k,
	       (struct value[]){ V_UINT(number), V_REAL((double)(h->tsc - b->history.tsc_start) / per_ms),
				 all ? V_NONE : V_ADDR(h->pc), V_STR(events[h->what]),
				 h->what == HISTORY_MADE ? V_NONE : V_STR(drop_names[h->why]),
				 h->by ? V_ADDR(h->by) : V_NONE, all ? V_NONE : V_UINT(h->insns),
				 all ? V_NONE : V_UINT(h->host), counted(h->entries),
				 dropped ? V_UINT(h->traps) : V_NONE, dropped ? V_UINT(h->callouts) : V_NONE,
				 dropped ? V_UINT(h->cycles) : V_NONE });
}

static void live_row(const struct bt_vcpu *b, const struct ccf *f, double per_ms, struct row_sink *k)
{
	uint64_t traps = 0;

	for (unsigned i = 0; i < TRAP_CAUSES; i++)
		traps += f->traps[i];
	k->row(k, (struct value[]){ V_NONE,
				    V_REAL((double)(__builtin_ia32_rdtsc() - b->history.tsc_start) / per_ms),
				    V_ADDR(f->pc), V_STR(f->pinned ? "lives, pinned" : "lives"), V_NONE,
				    V_NONE, V_UINT(f->ninsn), V_UINT(f->hsize), counted(ccf_entries(b, f)),
				    V_UINT(traps), V_UINT(f->callouts), V_UINT(f->cycles) });
}

static const char *history_rows(void *owner, const char *arg, struct row_sink *k)
{
	const struct bt_vcpu *b = owner;
	uint64_t first = b->history.n > MAX_HISTORY ? b->history.n - MAX_HISTORY : 0;
	double per_ms = cycles_per_ms(b);
	gva pc;
	bool any;

	if (!parse_address(arg, &pc, &any))
		return "expected an address as a number (ccf-history takes expressions)";
	for (uint64_t i = first; i < b->history.n; i++) {
		const struct history *h = &b->history.ring[i % MAX_HISTORY];

		if (any || h->what == HISTORY_FLUSHED || pc - h->pc < h->guest)
			history_row(b, i + 1, h, per_ms, k);
	}
	for (uint32_t i = 0; !any && i < b->tc.norder; i++)
		if (!b->tc.order[i]->dead && pc - b->tc.order[i]->pc < b->tc.order[i]->glen)
			live_row(b, b->tc.order[i], per_ms, k);
	return NULL;
}

const struct view view_history = {
	.name = "history",
	.help = "fragments made and dropped, and why (at an ADDRESS)",
	VIEW_COLS(history_cols),
	.rows = history_rows,
};

/* ---- info savings ---- */

static const struct view_col savings_cols[] = {
	{ "pc", "guest pc", VAL_ADDR, "", "start of the fragment" },
	{ "entries_before", "entries", VAL_UINT, "", "counted until the last promotion" },
	{ "before", "before", VAL_UINT, "cycles", "in traps, per entry" },
	{ "entries", "since", VAL_UINT, "", "counted since then" },
	{ "after", "after", VAL_UINT, "cycles", "in traps and their replacements, per entry" },
	{ "saved", "saved", VAL_INT, "cycles", "the difference times the entries since" },
};

struct saving {
	gva pc;
	bool promoted;
	uint64_t entries[2], cycles[2]; /* before its last promotion, since */
};

#define SAVINGS 65536u

static struct saving *saving_of(struct saving *t, gva pc)
{
	uint32_t h = (uint32_t)(pc ^ pc >> 32) * 0x9e3779b1u >> 16;

	for (unsigned i = 0; i < 64; i++) {
		struct saving *s = &t[(h + i) % SAVINGS];

		if (s->pc == pc || !s->pc) {
			s->pc = pc;
			return s;
		}
	}
	return NULL;
}

static void life(struct saving *t, gva pc, uint64_t entries, uint64_t cycles, bool promoted)
{
	struct saving *s = entries == UINT64_MAX || !pc ? NULL : saving_of(t, pc);

	if (!s)
		return;
	s->entries[1] += entries;
	s->cycles[1] += cycles;
	if (!promoted)
		return;
	s->promoted = true;
	s->entries[0] += s->entries[1];
	s->cycles[0] += s->cycles[1];
	s->entries[1] = s->cycles[1] = 0;
}

static void saving_row(const struct saving *s, struct row_sink *k)
{
	double before = s->entries[0] ? (double)s->cycles[0] / (double)s->entries[0] : 0;
	double after = s->entries[1] ? (double)s->cycles[1] / (double)s->entries[1] : 0;

	k->row(k, (struct value[]){ V_ADDR(s->pc), V_UINT(s->entries[0]), V_UINT((uint64_t)(before + 0.5)),
				    V_UINT(s->entries[1]), V_UINT((uint64_t)(after + 0.5)),
				    V_INT((int64_t)((before - after) * (double)s->entries[1])) });
}

static const char *savings_rows(void *owner, const char *arg, struct row_sink *k)
{
	const struct bt_vcpu *b = owner;
	uint64_t first = b->history.n > MAX_HISTORY ? b->history.n - MAX_HISTORY : 0;
	struct saving *t;
	gva pc;
	bool any;

	if (!parse_address(arg, &pc, &any))
		return "expected an address as a number";
	if (!b->entries.on)
		return "entries are not counted; use count on";
	t = calloc(SAVINGS, sizeof(*t));
	if (!t)
		return "out of memory";
	for (uint64_t i = first; i < b->history.n; i++) {
		const struct history *h = &b->history.ring[i % MAX_HISTORY];

		if (h->what == HISTORY_DROPPED && (any || pc - h->pc < h->guest))
			life(t, h->pc, h->entries, h->cycles, h->why == DROP_PROMOTED);
	}
	for (uint32_t i = 0; i < b->tc.norder; i++) {
		const struct ccf *f = b->tc.order[i];

		if (!f->dead && (any || pc - f->pc < f->glen))
			life(t, f->pc, ccf_entries(b, f), f->cycles, false);
	}
	for (unsigned i = 0; i < SAVINGS; i++)
		if (t[i].promoted && t[i].entries[0] && t[i].entries[1])
			saving_row(&t[i], k);
	free(t);
	return NULL;
}

const struct view view_savings = {
	.name = "savings",
	.help = "cycles that adaptation saved, by fragment (at an ADDRESS); needs count on",
	VIEW_COLS(savings_cols),
	.rows = savings_rows,
};
