/* SPDX-License-Identifier: GPL-3.0-or-later
 * The view "time": what the vCPU's thread has spent its time on while the machine ran. Nothing is measured
 * for it that is not counted anyway, but two readings of the time-stamp counter around each wait in HLT and
 * each run: traps and translations are timed, callouts sampled, the host world counted at the door. The parts
 * add up to the time that the machine ran; "code" and "monitor" are what remains. Where the guest runs in
 * non-root operation (engine_times.nonroot), that is what remains, and exits are a part. */
#include "base/monotonic.h"
#include "hv/machine_int.h"
#include "hv/views_int.h"
#include "x86/engine.h"

static const struct view_col time_cols[] = {
	{ "name", "what", VAL_STR, "", "what the time went to" },
	{ "ms", "ms", VAL_REAL, "ms", "host time in all" },
	{ "share", "share", VAL_REAL, "%", "of the time that the machine ran" },
	{ "help", "meaning", VAL_HELP, "", "one line" },
};

/* A - B, not below 0: the figures are not all of one moment, and some are estimates. */
static uint64_t less(uint64_t a, uint64_t b)
{
	return a > b ? a - b : 0;
}

static uint64_t least(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

struct times {
	uint64_t all, idle, run; /* the machine; in HLT; in the engine */
	uint64_t callouts, traps, translating, host;
	bool nonroot;
	uint64_t exits, code; /* if NONROOT */
};

/* Cycles in the host world: for devices, and of the processor itself inside and between stays in the engine.
 */
static void host_world(const struct machine *m, uint64_t *devices, uint64_t *polls, uint64_t *between)
{
	*devices = *polls = *between = 0;
	for (const struct door_user *u = m->door.users; u; u = u->next)
		for (unsigned r = 0; r < DOOR_REASONS; r++)
			*(u != &m->door.cpu ? devices : r == DOOR_KICK ? polls : between) += u->use[r].host;
}

static void read_times(const struct machine *m, struct times *t)
{
	uint64_t now = __builtin_ia32_rdtsc(), since = m->spent.since, halt = m->spent.halt_since;
	uint64_t devices, polls, between;
	struct engine_times e = { 0 };

	if (m->v->ops->times)
		m->v->ops->times(m->v, &e);
	host_world(m, &devices, &polls, &between);
	t->all = m->spent.ran + (since ? less(now, since) : 0);
	t->idle = least(m->spent.halted + (halt ? less(now, halt) : 0), t->all);
	t->run = least(e.run, t->all - t->idle);
	/* Devices go through the door inside callouts, whose mean has that time already, or inside exits. */
	t->callouts = less(e.callouts, devices);
	t->exits = less(e.exits, less(devices, e.callouts));
	t->code = e.code;
	t->nonroot = e.nonroot;
	t->traps = e.traps;
	t->translating = e.translating;
	t->host = devices + polls;
}

static void take(uint64_t *from, uint64_t *part)
{
	*part = least(*part, *from);
	*from -= *part;
}

static void put(struct row_sink *s, const char *name, uint64_t cycles, const struct times *t, double per_ms,
		const char *help)
{
	s->row(s, (const struct value[]){ V_STR(name), V_REAL((double)cycles / per_ms),
					  V_REAL(t->all ? 100.0 * (double)cycles / (double)t->all : 0),
					  V_STR(help) });
}

static const char *time_rows(void *owner, const char *arg, struct row_sink *s)
{
	const struct machine *m = owner;
	double ns = (double)(monotonic_ns() - m->ns_start),
	       per_ms = ns > 0 ? (double)(__builtin_ia32_rdtsc() - m->tsc_start) * 1e6 / ns : 1;
	struct times t;
	uint64_t rest;

	(void)arg;
	read_times(m, &t);
	rest = t.run;
	take(&rest, &t.translating);
	take(&rest, &t.traps);
	take(&rest, &t.host);
	take(&rest, &t.callouts);
	put(s, "idle", t.idle, &t, per_ms, "the processor waits in HLT");
	if (t.nonroot) {
		take(&rest, &t.exits);
		take(&rest, &t.code);
		put(s, "non-root", rest, &t, per_ms, "the guest itself, in non-root operation");
		put(s, "exits", t.exits, &t, per_ms,
		    "VM exits and entries: the monitor at work for the guest");
		rest = t.code;
	}
	put(s, "code", rest, &t, per_ms,
	    t.nonroot ? "translated code in the place of non-root operation"
		      : "translated code, looking it up, delivering interrupts and exceptions");
	put(s, "callouts", t.callouts, &t, per_ms,
	    "translated code calls the monitor (estimated from samples)");
	put(s, "traps", t.traps, &t, per_ms, "host faults of translated code");
	put(s, "translating", t.translating, &t, per_ms, "translating");
	put(s, "host", t.host, &t, per_ms, "in the host world: devices, timers, input and output");
	put(s, "monitor", t.all - t.idle - t.run, &t, per_ms,
	    "between stays in the engine: interrupts, timers, commands");
	return NULL;
}

const struct view view_time = {
	.name = "time",
	.help =
	    "where time goes: idle, translated code (or non-root operation and exits), callouts, traps, translating, host world",
	VIEW_COLS(time_cols),
	.rows = time_rows,
	.flags = VIEW_LIVE,
};
