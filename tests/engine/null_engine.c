/* SPDX-License-Identifier: GPL-3.0-or-later
 * The smallest engine: it executes nothing. main.c is linked with it into tests/engine/vitrine-null, to show
 * that the product and its faces need no more of an engine than x86/engine.h demands: no translator, no
 * views, no watchpoints, no events, no mmu.
 *
 * run() and step() fail at once. With `--name idle` it is a processor that never gets on instead: run() waits
 * until it is stopped, or stops at a breakpoint on pc, and step() changes nothing. */
#include "engines.h"

#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { MAX_BREAKS = 64 };

struct null_vcpu {
	struct vcpu v;
	bool idle;
	atomic_bool stop;
	gva breaks[MAX_BREAKS];
	unsigned nbreaks;
};

static struct null_vcpu *of(struct vcpu *v)
{
	return (struct null_vcpu *)v;
}

static enum engine_exit fail(struct vcpu *v)
{
	snprintf(v->error, sizeof(v->error), "the null engine executes nothing");
	return ENGINE_ERROR;
}

static bool at_break(const struct null_vcpu *n)
{
	for (unsigned i = 0; i < n->nbreaks; i++)
		if (n->breaks[i] == cpu_pc(&n->v.cpu))
			return true;
	return false;
}

static enum engine_exit null_run(struct vcpu *v)
{
	struct null_vcpu *n = of(v);

	if (!n->idle)
		return fail(v);
	if (at_break(n))
		return ENGINE_BREAK;
	while (!atomic_exchange(&n->stop, false)) {
		v->plat.run_timers(v->plat.ctx);
		nanosleep(&(struct timespec){ .tv_nsec = 1000000 }, NULL);
	}
	return ENGINE_STOP;
}

static enum engine_exit null_step(struct vcpu *v, unsigned how)
{
	(void)how;
	return of(v)->idle ? ENGINE_STEPPED : fail(v);
}

static void null_kick(struct vcpu *v)
{
	(void)v; /* run() checks by itself every millisecond */
}

static void null_request_stop(struct vcpu *v)
{
	atomic_store(&of(v)->stop, true);
}

static void null_bp_insert(struct vcpu *v, gva lin)
{
	if (of(v)->nbreaks < MAX_BREAKS)
		of(v)->breaks[of(v)->nbreaks++] = lin;
}

static void null_bp_remove(struct vcpu *v, gva lin)
{
	struct null_vcpu *n = of(v);

	for (unsigned i = 0; i < n->nbreaks; i++)
		if (n->breaks[i] == lin) {
			n->breaks[i] = n->breaks[--n->nbreaks];
			return;
		}
}

static void null_state_changed(struct vcpu *v)
{
	(void)v;
}

static void null_free(struct vcpu *v)
{
	free(v);
}

static const struct engine_ops null_ops = {
	.name = "null",
	.run = null_run,
	.step = null_step,
	.kick = null_kick,
	.request_stop = null_request_stop,
	.bp_insert = null_bp_insert,
	.bp_remove = null_bp_remove,
	.state_changed = null_state_changed,
	.free = null_free,
};

static void on_kick(int sig)
{
	(void)sig;
}

static struct vcpu *null_vcpu_new(void *config, struct mm_vm *vm, const struct platform *plat,
				  enum clock_mode clock, char *err, size_t errlen)
{
	struct null_vcpu *n = aligned_alloc(64, (sizeof(*n) + 63) & ~(size_t)63);
	struct sigaction sa = { .sa_handler = on_kick };

	(void)vm;
	(void)clock;
	if (!n || sigaction(ENGINE_KICK_SIGNAL, &sa, NULL)) {
		snprintf(err, errlen, "cannot make a virtual processor");
		free(n);
		return NULL;
	}
	memset(n, 0, sizeof(*n));
	n->v.ops = &null_ops;
	n->v.plat = *plat;
	n->v.icount_limit = UINT64_MAX / 2;
	n->idle = *(bool *)config;
	cpu_reset(&n->v.cpu);
	return &n->v;
}

static void *null_config(const struct options *o)
{
	bool *idle = malloc(sizeof(*idle));

	if (!idle)
		abort();
	*idle = !strcmp(o->name, "idle");
	return idle;
}

const struct engine_choice engines[] = {
	{ "null", null_vcpu_new, NULL, 0, false, null_config, NULL },
	{ 0 },
};
