/* SPDX-License-Identifier: GPL-3.0-or-later
 * Views of the translation's quality: the cache's totals and ratios, and the ways in which sensitive
 * instructions ran. */
#include "bt/adapt/policy.h"
#include "bt/cache/history.h"
#include "bt/view/view.h"

#include <ctype.h>

enum { DECODED = 200 }; /* fragments whose host instructions "info tc" counts, sampled evenly */

/* ---- info tc ---- */

static const struct view_col tc_cols[] = {
	{ "name", "counter", VAL_STR, "", "counter" },
	{ "value", "value", VAL_UINT, "", "value; ratios have two decimals" },
	{ "help", "meaning", VAL_HELP, "", "one line" },
};

/* Sums over the live fragments. */
struct live {
	uint64_t ccfs, guest_bytes, host_bytes, insns, exits, linked, entries;
	uint64_t decoded_guest, decoded_host; /* instructions of the sampled fragments */
};

static uint64_t host_insns(const struct bt_vcpu *b, const ZydisDecoder *d, const struct ccf *f)
{
	ZydisDecodedInstruction z;
	uint64_t n = 0;

	for (unsigned at = 0; at < f->body; at += z.length, n++)
		if (!ZYAN_SUCCESS(
			ZydisDecoderDecodeInstruction(d, NULL, b->tc.rw + f->host + at, f->body - at, &z)))
			break;
	return n;
}

static struct live add_up(const struct bt_vcpu *b)
{
	struct live l = { 0 };
	uint32_t step = b->tc.norder / DECODED + 1;
	ZydisDecoder d;

	ZydisDecoderInit(&d, ZYDIS_MACHINE_MODE_LONG_64, ZYDIS_STACK_WIDTH_64);
	ZydisDecoderEnableMode(&d, ZYDIS_DECODER_MODE_MINIMAL, ZYAN_TRUE);
	for (uint32_t i = 0; i < b->tc.norder; i++) {
		const struct ccf *f = b->tc.order[i];

		if (f->dead)
			continue;
		l.ccfs++;
		l.guest_bytes += f->glen;
		l.host_bytes += f->hsize;
		l.insns += f->ninsn;
		l.exits += f->nlink;
		for (unsigned k = 0; k < f->nlink; k++)
			l.linked += f->link[k].to != NULL;
		if (ccf_entries(b, f) != UINT64_MAX)
			l.entries += ccf_entries(b, f);
		if (i % step)
			continue;
		l.decoded_guest += f->ninsn;
		l.decoded_host += host_insns(b, &d, f);
	}
	return l;
}

static struct value ratio(uint64_t part, uint64_t whole)
{
	return whole ? V_REAL((double)part / (double)whole) : V_NONE;
}

static struct value percent(uint64_t part, uint64_t whole)
{
	return whole ? V_REAL(100.0 * (double)part / (double)whole) : V_NONE;
}

struct tc_row {
	const char *name;
	struct value v;
	const char *help;
};

static void put(struct row_sink *k, const struct tc_row *r, unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		k->row(k, (struct value[]){ V_STR(r[i].name), r[i].v, V_STR(r[i].help) });
}

static void size_rows(const struct bt_vcpu *b, const struct live *l, struct row_sink *k)
{
	const struct tc_row r[] = {
		{ "tc_size", V_UINT(b->tc.size), "bytes of translation cache" },
		{ "tc_used", V_UINT(b->tc.zone.pos), "bytes allocated" },
		{ "fragments", V_UINT(l->ccfs), "live CCFs" },
		{ "dead", V_UINT(b->tc.norder - l->ccfs), "dropped CCFs whose space is not reclaimed yet" },
		{ "translations", V_UINT(b->st.translations), "TUs translated" },
		{ "moves", V_UINT(b->st.moves), "64-bit CCFs moved to another linear address of their page" },
		{ "insns", V_UINT(b->st.insns), "guest instructions translated" },
		{ "guest_bytes", V_UINT(b->st.guest_bytes), "guest code bytes translated" },
		{ "host_bytes", V_UINT(b->st.host_bytes), "host code bytes emitted" },
		{ "expansion", ratio(l->host_bytes, l->guest_bytes),
		  "host bytes per guest byte, exits included" },
		{ "expansion_insns", ratio(l->decoded_host, l->decoded_guest),
		  "host instructions per guest instruction, without exits (200 CCFs)" },
		{ "bytes_per_insn", ratio(l->host_bytes, l->insns), "host bytes per guest instruction" },
	};

	put(k, r, ARRAY_LEN(r));
}

static void flow_rows(const struct bt_vcpu *b, const struct live *l, struct row_sink *k)
{
	bool counted = b->entries.on && b->account.indirects;
	uint64_t misses = b->st.jt_misses - b->account.misses_before,
		 entries = l->entries + b->account.entries_gone;
	uint64_t hits = b->account.indirects > misses ? b->account.indirects - misses : 0;
	const struct tc_row r[] = {
		{ "exits", V_UINT(l->exits), "direct exits of live CCFs" },
		{ "exits_linked", V_UINT(l->linked), "of these, chained to their target" },
		{ "chaining", percent(l->linked, l->exits), "percent of direct exits that are chained" },
		{ "chains", V_UINT(b->st.chains), "direct exits chained since the start" },
		{ "entries", b->entries.on ? V_UINT(entries) : V_NONE, "CCFs entered since count on" },
		{ "indirects", b->entries.on ? V_UINT(b->account.indirects) : V_NONE,
		  "indirect transfers of control since count on" },
		{ "jt_hit_rate", counted ? percent(hits, b->account.indirects) : V_NONE,
		  "percent of indirect transfers that hit the jump table, since count on" },
		{ "jt_misses", V_UINT(b->st.jt_misses), "indirect transfers that missed the jump table" },
		{ "jt_fills", V_UINT(b->st.jt_fills), "jump table entries written" },
		{ "lookups", V_UINT(b->st.lookups), "lookups of a fragment" },
		{ "dispatches", V_UINT(b->st.dispatches), "iterations of the dispatch loop" },
		{ "transients", V_UINT(b->st.transients), "instructions executed outside the cache" },
		{ "interrupts", V_UINT(b->st.irqs), "external interrupts delivered" },
	};

	put(k, r, ARRAY_LEN(r));
}

/* Rows of "info tc" that count fragments dropped, by reason. */
static const struct {
	const char *name;
	const char *help;
} drops[DROP_REASONS] = {
#define DROP(id, text) { "drops_" #id, "CCFs dropped: " text },
#include "bt/state/drop.def"
#undef DROP
};

static void drop_rows(const struct bt_vcpu *b, struct row_sink *k)
{
	for (unsigned i = 0; i < DROP_REASONS; i++) {
		char name[40];
		unsigned n = 0;

		for (; drops[i].name[n]; n++)
			name[n] = (char)tolower(drops[i].name[n]);
		name[n] = 0;
		if (b->account.drops[i])
			put(k, &(struct tc_row){ name, V_UINT(b->account.drops[i]), drops[i].help }, 1);
	}
}

static void loss_rows(const struct bt_vcpu *b, struct row_sink *k)
{
	const struct tc_row r[] = {
		{ "smc_drops", V_UINT(b->st.smc_drops), "pages whose code was dropped because of a write" },
		{ "flushes", V_UINT(b->st.flushes), "times the whole cache was emptied" },
		{ "flushes_full", V_UINT(b->account.flushes_full), "of these, because it was full" },
		{ "flushes_choice", V_UINT(b->st.flushes - b->account.flushes_full),
		  "of these, by the user's choices" },
		{ "context_flushes", V_UINT(b->st.ctx_flushes), "jump tables emptied" },
		{ "low_ident", V_UINT(b->st.low[LOW_IDENT]), "instructions lowered: identical" },
		{ "low_window", V_UINT(b->st.low[LOW_WINDOW]),
		  "instructions lowered: operand through the window" },
		{ "low_in_tc", V_UINT(b->st.low[LOW_INTC]), "instructions lowered: in-TC emulation" },
		{ "low_callout", V_UINT(b->st.low[LOW_CALLOUT]), "instructions lowered: callout" },
		{ "low_chain", V_UINT(b->st.low[LOW_CHAIN]), "instructions lowered: control flow" },
		{ "verified", V_UINT(b->st.verify_runs), "fragments checked by the verifier" },
		{ "violations", V_UINT(b->st.verify_fails), "fragments refused by the verifier" },
		{ "refused", V_UINT(b->st.refused), "#UDs of the guest's for instructions that it refused" },
	};

	put(k, r, ARRAY_LEN(r));
}

static const char *tc_rows(void *owner, const char *arg, struct row_sink *k)
{
	const struct bt_vcpu *b = owner;
	struct live l = add_up(b);

	(void)arg;
	size_rows(b, &l, k);
	flow_rows(b, &l, k);
	drop_rows(b, k);
	loss_rows(b, k);
	return NULL;
}

const struct view view_tc = {
	.name = "tc",
	.help = "translation cache totals and ratios",
	VIEW_COLS(tc_cols),
	.rows = tc_rows,
};

/* ---- info ways ---- */

static const struct view_col way_cols[] = {
	{ "kind", "kind", VAL_STR, "", "kind of sensitive instruction (info policy); all: the sum" },
	{ "way", "way", VAL_STR, "", "trap, callout or in-tc" },
	{ "sites", "sites", VAL_UINT, "", "instructions in live CCFs that are translated this way" },
	{ "count", "count", VAL_UINT, "",
	  "executions since the start or count on; in-tc only while counting: entries of the CCFs concerned" },
	{ "share", "share", VAL_REAL, "%", "of the kind's executions" },
	{ "cycles", "cycles", VAL_UINT, "cycles",
	  "host cycles; in-tc is an estimate: one per four bytes of host code, plus RDTSC's own" },
	{ "each", "each", VAL_UINT, "cycles", "cycles per execution" },
	{ "cost", "cost", VAL_REAL, "%", "of the kind's cycles" },
};

static const enum way ways[3] = { WAY_TRAP, WAY_CALLOUT, WAY_INTC };

/* Executions of one kind by way, indexed as ways[]. */
struct usage {
	uint64_t sites[3];
	double count[3], cycles[3];
	bool unknown[3], untimed[3];
};

/* Add sites and in-TC executions of all fragments to U[kind]. */
static void gather(const struct bt_vcpu *b, struct usage u[SENS_KINDS])
{
	for (unsigned k = 0; k < SENS_KINDS; k++) {
		u[k].count[2] = (double)b->account.intc_gone[k];
		u[k].cycles[2] = (double)b->account.work_gone[k];
	}
	for (uint32_t i = 0; i < b->tc.norder; i++) {
		const struct ccf *f = b->tc.order[i];
		double n = ccf_entries(b, f) != UINT64_MAX ? (double)ccf_entries(b, f) : 0;

		for (unsigned s = 0; s < f->nsens && !f->dead; s++) {
			struct usage *k = &u[f->sens[s].kind];

			k->sites[f->sens[s].way - WAY_TRAP]++;
			if (f->sens[s].way != WAY_INTC)
				continue;
			k->count[2] += n;
			k->cycles[2] += n * f->sens[s].work;
		}
	}
}

/* Add callouts for sensitive instructions of kind K that ran by way W, and their cycles, to column TO: all of
 * them, or those since count on. */
static void called(const struct bt_vcpu *b, unsigned k, enum way w, struct usage *u, unsigned to)
{
	uint64_t n = 0, cycles = 0, timed = 0;

	for (unsigned kind = 0; kind < CO_KINDS; kind++) {
		unsigned i = CALL_SLOT(kind, k) + w;

		n += b->account.called[i] - (b->entries.on ? b->account.called_before[i] : 0);
		cycles +=
		    b->account.timed[i].cycles - (b->entries.on ? b->account.timed_before[i].cycles : 0);
		timed += b->account.timed[i].count - (b->entries.on ? b->account.timed_before[i].count : 0);
	}
	u->count[to] += (double)n;
	u->untimed[to] |= n && !timed;
	u->cycles[to] += timed ? (double)cycles / (double)timed * (double)n : 0;
}

/* Add what was counted at the event to kind K's row. */
static void complete(const struct bt_vcpu *b, unsigned k, struct usage *u)
{
	double slow, entered = u->count[2];

	called(b, k, WAY_TRAP, u, 0);
	called(b, k, WAY_INTC, u, 1); /* in-TC emulations that took the slow path */
	slow = u->count[1];
	called(b, k, WAY_CALLOUT, u, 1);
	u->count[2] -= slow < entered ? slow : entered;
	if (entered > 0)
		u->cycles[2] *= u->count[2] / entered; /* slow paths are counted as callouts */
	if (k == SENS_RDTSC)
		u->cycles[2] += u->count[2] * (double)b->account.rdtsc_cost;
	u->unknown[2] = u->untimed[2] = !b->entries.on && u->sites[2];
}

static void usage_rows(const char *kind, const struct usage *u, struct row_sink *k)
{
	double count = u->count[0] + u->count[1] + u->count[2],
	       cycles = u->cycles[0] + u->cycles[1] + u->cycles[2];
	bool known = !u->unknown[2], timed = !u->untimed[0] && !u->untimed[1] && !u->untimed[2];

	for (unsigned w = 0; w < 3; w++) {
		if (!u->sites[w] && u->count[w] <= 0)
			continue;
		k->row(k, (struct value[]){ V_STR(kind), V_STR(way_names[ways[w]]), V_UINT(u->sites[w]),
					    u->unknown[w] ? V_NONE : V_UINT((uint64_t)u->count[w]),
					    known && count > 0 ? V_REAL(100 * u->count[w] / count) : V_NONE,
					    u->untimed[w] ? V_NONE : V_UINT((uint64_t)u->cycles[w]),
					    u->untimed[w] || u->count[w] <= 0
						? V_NONE
						: V_UINT((uint64_t)(u->cycles[w] / u->count[w])),
					    timed && cycles > 0 ? V_REAL(100 * u->cycles[w] / cycles)
								: V_NONE });
	}
}

static const char *way_rows(void *owner, const char *arg, struct row_sink *k)
{
	const struct bt_vcpu *b = owner;
	struct usage u[SENS_KINDS] = { 0 }, all = { 0 };

	(void)arg;
	gather(b, u);
	for (unsigned i = 0; i < SENS_KINDS; i++) {
		complete(b, i, &u[i]);
		for (unsigned w = 0; w < 3; w++) {
			all.sites[w] += u[i].sites[w];
			all.count[w] += u[i].count[w];
			all.cycles[w] += u[i].cycles[w];
			all.unknown[w] |= u[i].unknown[w];
			all.untimed[w] |= u[i].untimed[w];
		}
		usage_rows(policy_kind_name(i), &u[i], k);
	}
	usage_rows("all", &all, k);
	return NULL;
}

const struct view view_ways = {
	.name = "ways",
	.help = "how sensitive instructions ran: executions and cycles, by kind and way",
	VIEW_COLS(way_cols),
	.rows = way_rows,
};

/* ---- info refusals ---- */

static const struct view_col refusal_cols[] = {
	{ "pc", "guest pc", VAL_ADDR, "", "guest-linear address of the fragment" },
	{ "at", "instruction", VAL_ADDR, "",
	  "of the guest's instruction, in front of which the fragment ended" },
	{ "offset", "host offset", VAL_UINT, "bytes", "of the host instruction, from the fragment's start" },
	{ "count", "count", VAL_UINT, "", "refusals of that instruction by that rule" },
	{ "text", "host instruction", VAL_STR, "", "as the verifier decodes it" },
	{ "why", "rule", VAL_STR, "", "that it breaks" },
};

static const char *refusal_rows(void *owner, const char *arg, struct row_sink *k)
{
	const struct refusals *all = &((struct bt_vcpu *)owner)->refusals;

	(void)arg;
	for (uint64_t i = all->n > REFUSALS ? all->n - REFUSALS : 0; i < all->n; i++) {
		const struct refusal *r = &all->last[i % REFUSALS];

		k->row(k, (struct value[]){ V_ADDR(r->pc), V_ADDR(r->at), V_UINT(r->off), V_UINT(r->count),
					    V_STR(r->text), V_STR(r->why) });
	}
	return NULL;
}

const struct view view_refusals = {
	.name = "refusals",
	.help = "fragments that the verifier made shorter, and why (--verify-tc)",
	VIEW_COLS(refusal_cols),
	.rows = refusal_rows,
};
