/* SPDX-License-Identifier: GPL-3.0-or-later
 * Views of hosted I/O: the two worlds and the networks. Owner: struct machine. */
#include <stdio.h>
#include <string.h>

#include "hv/machine_int.h"
#include "hv/views_int.h"

static const char *const reasons[DOOR_REASONS] = {
#define DOOR(id, name, help) [DOOR_##id] = name,
#include "hv/io/door.def"
#undef DOOR
};
static const char *const reason_help[DOOR_REASONS] = {
#define DOOR(id, name, help) [DOOR_##id] = help,
#include "hv/io/door.def"
#undef DOOR
};

const char *machine_switch_reason(unsigned n)
{
	return n < DOOR_REASONS ? reasons[n] : NULL;
}

static struct value mean(uint64_t sum, uint64_t n)
{
	return n ? V_UINT(sum / n) : V_NONE;
}

/* ---- worlds ---- */

static const struct view_col world_cols[] = {
	{ "device", "device", VAL_STR, "", "for whom: a device, or the processor" },
	{ "reason", "reason", VAL_STR, "", "why the VMM world was left" },
	{ "switches", "switches", VAL_UINT, "", "times that it was left and entered again" },
	{ "out", "out", VAL_UINT, "cycles", "mean cost of leaving it; none where the engine does it" },
	{ "in", "in", VAL_UINT, "cycles", "mean cost of entering it again" },
	{ "host", "host", VAL_UINT, "cycles", "mean time in the host world" },
	{ "ms", "ms", VAL_REAL, "ms", "time in the host world, in all" },
	{ "what", "what", VAL_HELP, "", "the reason in words" },
};

static const char *world_rows(void *owner, const char *arg, struct row_sink *s)
{
	struct machine *m = owner;
	uint32_t khz = m->board.clock.tsc_khz;

	(void)arg;
	for (const struct door_user *u = m->door.users; u; u = u->next)
		for (unsigned r = 0; r < DOOR_REASONS; r++) {
			const struct door_use *d = &u->use[r];

			if (!d->switches)
				continue;
			s->row(s, (const struct value[]){
				      V_STR(u->name), V_STR(reasons[r]), V_UINT(d->switches),
				      d->out ? mean(d->out, d->switches) : V_NONE,
				      d->in ? mean(d->in, d->switches) : V_NONE, mean(d->host, d->switches),
				      V_REAL(khz ? (double)d->host / khz : 0), V_STR(reason_help[r]) });
		}
	return NULL;
}

static const struct view_col switch_cols[] = {
	{ "number", "number", VAL_UINT, "", "from the machine's first" },
	{ "us", "us ago", VAL_UINT, "us", "when, before the last one" },
	{ "device", "device", VAL_STR, "", "for whom" },
	{ "reason", "reason", VAL_STR, "", "why" },
	{ "out", "out", VAL_UINT, "cycles", "leaving the VMM world" },
	{ "host", "host", VAL_UINT, "cycles", "in the host world" },
	{ "in", "in", VAL_UINT, "cycles", "entering the VMM world" },
};

static const char *switch_rows(void *owner, const char *arg, struct row_sink *s)
{
	const struct machine *m = owner;
	const struct door *d = &m->door;
	uint64_t total = d->total, last = total ? d->ring[(total - 1) % DOOR_RING].tsc : 0;
	uint32_t khz = m->board.clock.tsc_khz ? m->board.clock.tsc_khz : 1;

	(void)arg;
	for (uint64_t n = total > DOOR_RING ? total - DOOR_RING : 0; n < total; n++) {
		const struct door_switch *w = &d->ring[n % DOOR_RING];

		s->row(s, (const struct value[]){ V_UINT(n), V_UINT((last - w->tsc) * 1000 / khz),
						  V_STR(w->user ? w->user->name : ""),
						  V_STR(reasons[w->reason]), w->out ? V_UINT(w->out) : V_NONE,
						  V_UINT(w->host), w->in ? V_UINT(w->in) : V_NONE });
	}
	return NULL;
}

/* ---- optimizations ---- */

static const struct view_col hosted_cols[] = {
	{ "name", "name", VAL_STR, "", "optimization" },
	{ "on", "on", VAL_BOOL, "", "in effect" },
	{ "times", "times", VAL_UINT, "", "accesses, requests, notices that it has served" },
	{ "saved", "saved", VAL_UINT, "", "switches that did not happen; of vector, calls of poll()" },
	{ "ms", "ms", VAL_REAL, "ms", "what they would have cost, by the mean of those that did happen" },
	{ "what", "what", VAL_HELP, "", "what it does" },
};

/* Accesses to registers of I/O devices. */
static uint64_t hosted_accesses(const struct machine *m)
{
	const struct board *b = &m->board;
	uint64_t n = 0;

	for (unsigned i = 1; i < b->bus.nranges; i++)
		if (b->bus.range[i].dev && b->bus.range[i].dev->cls->hosted)
			n += b->bus.range[i].reads + b->bus.range[i].writes;
	for (unsigned i = 0; i < b->mmio.nranges; i++)
		if (b->mmio.range[i].dev->cls->hosted)
			n += b->mmio.range[i].reads + b->mmio.range[i].writes;
	return n;
}

/* Sums of all users, and the mean cost of a switch: the way out and in. */
static struct door_use sums(const struct machine *m, unsigned reason, bool hosted)
{
	struct door_use all = { 0 };

	for (unsigned i = 0; i < m->board.ndevs; i++) {
		const struct door_use *u = &m->board.dev[i]->user->use[reason];

		if (hosted && !m->board.dev[i]->cls->hosted)
			continue;
		all.switches += u->switches;
		all.out += u->out;
		all.in += u->in;
		all.host += u->host;
	}
	return all;
}

static double cost_ms(const struct machine *m, const struct door_use *u, bool with_host, uint64_t n)
{
	uint64_t cycles = u->out + u->in + (with_host ? u->host : 0);
	uint32_t khz = m->board.clock.tsc_khz;

	return u->switches && khz ? (double)cycles / (double)u->switches * (double)n / khz : 0;
}

static const char *hosted_rows(void *owner, const char *arg, struct row_sink *s)
{
	const struct machine *m = owner;
	struct door_use reg = sums(m, DOOR_REGISTER, true), any = sums(m, DOOR_REGISTER, false),
			tx = sums(m, DOOR_TRANSMIT, false);
	uint64_t accesses = hosted_accesses(m), spared = 0, combined = 0;
	uint64_t saved = accesses > reg.switches ? accesses - reg.switches : 0;

	(void)arg;
	for (const struct nic *k = m->network.nics.first; k; k = k->next) {
		combined += k->stats.combined;
		spared += k->stats.spared;
	}
	s->row(s, (const struct value[]){ V_STR("vmm"), V_BOOL(m->door.io.vmm), V_UINT(saved), V_UINT(saved),
					  V_REAL(cost_ms(m,
							 reg.switches	? &reg
							 : any.switches ? &any
									: &tx,
							 false, saved)),
					  V_STR("registers of I/O devices are served in the VMM world") });
	s->row(s, (const struct value[]){
		      V_STR("combine"), V_BOOL(m->door.io.combine), V_UINT(combined), V_UINT(spared),
		      V_REAL(cost_ms(m, &tx, true, spared)),
		      V_STR("transmissions wait while world switches are frequent, or need none") });
	s->row(s,
	       (const struct value[]){ V_STR("vector"), V_BOOL(m->door.io.vector), V_UINT(m->hosted.notices),
				       V_UINT(m->hosted.visits), V_REAL(0),
				       V_STR("arrivals and completions are told by bits, not by poll()") });
	return NULL;
}

/* ---- networks ---- */

static const struct view_col net_cols[] = {
	{ "name", "name", VAL_STR, "", "device" },
	{ "model", "model", VAL_STR, "", "what the guest sees" },
	{ "backend", "back end", VAL_STR, "", "what is behind it" },
	{ "mac", "mac", VAL_STR, "", "its address when it left the factory" },
	{ "up", "up", VAL_BOOL, "", "there is somebody at the other end" },
	{ "rate", "rate", VAL_UINT, "bit/s", "limit, each way; 0: none" },
	{ "tx", "tx", VAL_UINT, "", "frames sent" },
	{ "tx_bytes", "tx bytes", VAL_UINT, "B", "bytes of those" },
	{ "rx", "rx", VAL_UINT, "", "frames that arrived" },
	{ "rx_bytes", "rx bytes", VAL_UINT, "B", "bytes of those" },
	{ "queue_out", "queue out", VAL_UINT, "B", "bytes that wait for the back end" },
	{ "queue_in", "queue in", VAL_UINT, "B", "bytes that wait for the guest" },
	{ "drop_out", "drop out", VAL_UINT, "", "frames lost outside" },
	{ "drop_in", "drop in", VAL_UINT, "", "frames lost for lack of room" },
	{ "waited", "waited", VAL_UINT, "", "times that the back end had no room" },
	{ "requests", "requests", VAL_UINT, "", "times that the guest asked to send" },
	{ "combined", "combined", VAL_UINT, "",
	  "of those, waited for company or met the link's thread awake" },
	{ "sends", "sends", VAL_UINT, "", "times that frames were handed over" },
};

static const char *net_rows(void *owner, const char *arg, struct row_sink *s)
{
	const struct machine *m = owner;

	(void)arg;
	for (const struct nic *k = m->network.nics.first; k; k = k->next) {
		const struct net_config *c = net_config(k->link->net);
		const struct net_stats *t = net_stats(k->link->net);
		char mac[18], backend[128];
		uint32_t out, in;

		snprintf(mac, sizeof(mac), "%02x:%02x:%02x:%02x:%02x:%02x", k->link->mac[0], k->link->mac[1],
			 k->link->mac[2], k->link->mac[3], k->link->mac[4], k->link->mac[5]);
		snprintf(backend, sizeof(backend), "%s%s%s", c->backend, c->place ? ":" : "",
			 c->place ? c->place : "");
		net_queued(k->link->net, &out, &in);
		s->row(s, (const struct value[]){
			      V_STR(k->d->name), V_STR(k->d->cls->name), V_STR(backend), V_STR(mac),
			      V_BOOL(atomic_load(k->up)), V_UINT(c->rate), V_UINT(t->frames_out),
			      V_UINT(t->bytes_out), V_UINT(t->frames_in), V_UINT(t->bytes_in), V_UINT(out),
			      V_UINT(in), V_UINT(t->dropped_out), V_UINT(t->dropped_in), V_UINT(t->waited),
			      V_UINT(k->stats.requests), V_UINT(k->stats.combined), V_UINT(k->stats.sends) });
	}
	return NULL;
}

const struct view view_worlds = {
	.name = "worlds",
	.help = "switches between VMM world and host world, by device and reason",
	VIEW_COLS(world_cols),
	.rows = world_rows,
	.flags = VIEW_LIVE,
};
const struct view view_switches = {
	.name = "switches",
	.help = "the last world switches",
	VIEW_COLS(switch_cols),
	.rows = switch_rows,
};
const struct view view_hosted = {
	.name = "hosted-io",
	.help = "the optimizations of hosted I/O, and what they have saved",
	VIEW_COLS(hosted_cols),
	.rows = hosted_rows,
	.flags = VIEW_LIVE,
};
const struct view view_net = {
	.name = "net",
	.help = "network devices",
	VIEW_COLS(net_cols),
	.rows = net_rows,
	.flags = VIEW_LIVE,
};
