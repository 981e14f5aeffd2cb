/* SPDX-License-Identifier: GPL-3.0-or-later
 * Views of the cost of the engine's interventions: traps by cause, callouts by kind, the guest instructions
 * that trap. adapt/account.c counts; derived numbers (rates, means, savings) are computed here. */
#include "bt/adapt/account.h"
#include "bt/adapt/adapt.h"
#include "bt/adapt/policy.h"
#include "bt/view/view.h"

#include <stdlib.h>
#include <string.h>

/* By enum trap_cause. Columns: name, help, the cause of adaptation whose callouts replace such traps (CAUSES:
 * none). */
static const struct {
	const char *name, *help;
	uint8_t instead;
} causes[TRAP_CAUSES] = {
	[TRAP_FILL] = { "fill", "hidden fault: the page was not mapped in the window yet", CAUSE_MISS },
	[TRAP_TRUE] = { "true-fault", "page fault delivered to the guest", CAUSES },
	[TRAP_USER] = { "user-window", "the user window was stale, or could not serve a user access",
			CAUSES },
	[TRAP_MMIO] = { "mmio", "device memory", CAUSE_DEVICE },
	[TRAP_CODE] = { "code-write", "write to a page with translated code", CAUSES },
	[TRAP_POLL] = { "poll", "stop or interrupt taken at a poll", CAUSES },
	[TRAP_FPE] = { "fpe", "divide error or floating-point exception", CAUSE_DIVIDE },
	[TRAP_ILL] = { "illegal", "undefined instruction on the host", CAUSES },
	[TRAP_GP] = { "general", "alignment or segment limit", CAUSES },
	[TRAP_SENS] = { "sensitive", "sensitive instruction by trap and emulate (policy)", CAUSES },
};

/* By enum callout_kind; the event "callout" uses the same names. */
static const struct {
	const char *name, *help;
} callouts[CO_KINDS] = {
	[CO_SYSTEM] = { "system", "descriptor tables, LAR and similar, segment registers read by callout" },
	[CO_SEGLOAD] = { "segment-load", "MOV, POP, LDS and similar to a segment register" },
	[CO_FAR] = { "far", "far jump, call, return" },
	[CO_IRET] = { "iret", "IRET, SYSEXIT" },
	[CO_INT] = { "int", "INT, INTO, SYSENTER" },
	[CO_IO] = { "io", "IN, OUT, INS, OUTS" },
	[CO_STRING] = { "string", "string instruction, element by element" },
	[CO_CPUID] = { "cpuid", "CPUID" },
	[CO_TSC] = { "tsc", "RDTSC" },
	[CO_MSR] = { "msr", "RDMSR, WRMSR, XGETBV, XSETBV" },
	[CO_CR] = { "cr", "control and debug registers, INVLPG, CLTS" },
	[CO_FLAGS] = { "flags", "PUSHF, POPF, CLI, STI that need the monitor" },
	[CO_HLT] = { "hlt", "HLT" },
	[CO_SEGCHECK] = { "segment-check", "access through a segment with a limit or of a special type" },
	[CO_MMIO] = { "mmio", "access to device memory in line (adaptation), or outside the cache" },
	[CO_PROBE] = { "probe", "probe with a line, or with a condition that is not inline" },
	[CO_X87] = { "x87", "FNSTENV, FNSAVE, FXSAVE, XSAVE and similar: hides the host's addresses" },
	[CO_PRECHECK] = { "precheck", "precheck that found the page not mapped (adaptation)" },
	[CO_OTHER] = { "other",
		       "instructions that 64-bit mode lacks (BCD, PUSHA), exceptions in line, divisions (adaptation)" },
};

const char *trap_name(unsigned cause)
{
	return causes[cause].name;
}

const char *callout_name(unsigned kind)
{
	return kind < CO_KINDS ? callouts[kind].name : NULL;
}

/* ---- arithmetic ---- */

/* Convert host CYCLES to seconds. */
static double seconds(const struct bt_vcpu *b, uint64_t cycles)
{
	uint64_t ns = account_host_ns() - b->history.ns_start,
		 tsc = __builtin_ia32_rdtsc() - b->history.tsc_start;

	return tsc ? (double)cycles * ((double)ns / (double)tsc) / 1e9 : 0;
}

static struct value mean(uint64_t cycles, uint64_t count)
{
	return count && cycles ? V_UINT(cycles / count) : V_NONE;
}

/* Estimate the cost of COUNT callouts from those that were timed. */
static struct value estimate(const struct timed *t, uint64_t count)
{
	if (!count)
		return V_UINT(0);
	return t->count ? V_UINT((uint64_t)((double)t->cycles / (double)t->count * (double)count)) : V_NONE;
}

/* Events per second over the last interval; THEN is the count at its start. */
static struct value rate(const struct bt_vcpu *b, uint64_t then, uint64_t count)
{
	double s = seconds(b, account_now(b) - b->account.snap[0].at);

	if (s < 0.01)
		return V_NONE;
	return V_UINT(count > then ? (uint64_t)((double)(count - then) / s + 0.5) : 0);
}

struct value cycles_saved(const struct cost *before, const struct cost *after)
{
	if (!before->n || !after->n)
		return V_NONE;
	return V_INT((int64_t)(cost_mean(before) - cost_mean(after)) * (int64_t)after->n);
}

struct value cycles_saved_all(const struct bt_vcpu *b, enum cause c)
{
	struct value sum = V_NONE;

	for (unsigned i = 0; c < SITE_CAUSES && i < VERDICTS; i++) {
		struct value one =
		    cycles_saved(&b->adapt.verdicts[i].trap[c], &b->adapt.verdicts[i].after[c]);

		if (one.type == VAL_INT)
			sum = V_INT(one.i + (sum.type == VAL_INT ? sum.i : 0));
	}
	return sum;
}

/* ---- info traps ---- */

static const struct view_col trap_cols[] = {
	{ "name", "cause", VAL_STR, "", "cause" },
	{ "count", "count", VAL_UINT, "", "traps since the start" },
	{ "rate", "rate", VAL_UINT, "/s", "traps per second of run time, over the last one to two seconds" },
	{ "cycles", "cycles", VAL_UINT, "cycles", "host cycles: signal, handling, emulation" },
	{ "each", "each", VAL_UINT, "cycles",
	  "mean cycles per trap (of two simultaneous causes, the first is charged)" },
	{ "sites", "sites", VAL_UINT, "",
	  "guest instructions that trapped for this cause (info trap-sites)" },
	{ "before", "before", VAL_UINT, "", "traps of instructions not promoted at the time" },
	{ "since", "since", VAL_UINT, "", "traps of instructions already promoted for it" },
	{ "avoided", "avoided", VAL_UINT, "",
	  "callouts of promoted instructions instead of traps (fill: includes true faults; accesses through the "
	  "user window cannot be counted)" },
	{ "saved", "saved", VAL_INT, "cycles",
	  "avoided times the mean cost of a trap minus that of the callout: sum over all sites (info causes)" },
	{ "help", "meaning", VAL_HELP, "", "one line" },
};

static void sites_by_cause(const struct bt_vcpu *b, uint64_t n[TRAP_CAUSES])
{
	for (unsigned i = 0; i < PLACES; i++)
		if (b->account.places[i].pc && b->account.places[i].count)
			n[b->account.places[i].cause]++;
}

static const char *trap_rows(void *owner, const char *arg, struct row_sink *k)
{
	const struct bt_vcpu *b = owner;
	uint64_t sites[TRAP_CAUSES] = { 0 };

	(void)arg;
	sites_by_cause(b, sites);
	for (unsigned i = 0; i < TRAP_CAUSES; i++) {
		uint64_t n = b->st.traps[i], cycles = b->account.trap_cycles[i],
			 guilty = b->account.guilty[i];
		const struct cause_state *c =
		    causes[i].instead < CAUSES ? &b->adapt.causes[causes[i].instead] : NULL;

		k->row(k, (struct value[]){
			      V_STR(causes[i].name), V_UINT(n), rate(b, b->account.snap[0].traps[i], n),
			      V_UINT(cycles), mean(cycles, b->account.trap_timed[i]),
			      i == TRAP_POLL ? V_NONE : V_UINT(sites[i]),
			      account_adapts(i) ? V_UINT(n - guilty) : V_NONE,
			      account_adapts(i) ? V_UINT(guilty) : V_NONE, c ? V_UINT(c->after.n) : V_NONE,
			      c ? cycles_saved_all(b, causes[i].instead) : V_NONE, V_STR(causes[i].help) });
	}
	return NULL;
}

const struct view view_traps = {
	.name = "traps",
	.help = "host traps taken by translated code, by cause",
	VIEW_COLS(trap_cols),
	.rows = trap_rows,
	.flags = VIEW_LIVE,
};

/* ---- info callouts ---- */

static const struct view_col callout_cols[] = {
	{ "name", "kind", VAL_STR, "", "kind" },
	{ "count", "count", VAL_UINT, "",
	  "callouts since the start, including those made by traps (policy)" },
	{ "rate", "rate", VAL_UINT, "/s",
	  "callouts per second of run time, over the last one to two seconds" },
	{ "cycles", "cycles", VAL_UINT, "cycles", "host cycles: count times each" },
	{ "each", "each", VAL_UINT, "cycles",
	  "mean cycles per callout, between saving and restoring the guest's registers (of those timed)" },
	{ "timed", "timed", VAL_UINT, "", "callouts timed: about one in 256; all with count on" },
	{ "help", "meaning", VAL_HELP, "", "one line" },
};

static const char *callout_rows(void *owner, const char *arg, struct row_sink *k)
{
	const struct bt_vcpu *b = owner;

	(void)arg;
	for (unsigned i = 0; i < CO_KINDS; i++) {
		struct timed t = account_timed(b, i);
		uint64_t n = account_called(b, i);

		k->row(k,
		       (struct value[]){ V_STR(callouts[i].name), V_UINT(n),
					 rate(b, b->account.snap[0].callouts[i], n), estimate(&t, n),
					 mean(t.cycles, t.count), V_UINT(t.count), V_STR(callouts[i].help) });
	}
	return NULL;
}

const struct view view_callouts = {
	.name = "callouts",
	.help = "calls from translated code into the monitor, by kind",
	VIEW_COLS(callout_cols),
	.rows = callout_rows,
	.flags = VIEW_LIVE,
};

/* ---- the decision on an instruction ---- */

/* With respect to the adaptation causes in MASK. */
static enum decision verdict_decision(const struct verdict *v, unsigned mask)
{
	return !v || !mask	    ? DECISION_NONE
	       : v->guilty & mask   ? DECISION_PROMOTED
	       : v->excluded & mask ? DECISION_DEMOTED
				    : DECISION_NONE;
}

static const char *verdict_word(const struct verdict *v, unsigned mask)
{
	if (!mask)
		return NULL;
	if (!v)
		return "innocent";
	return v->guilty & mask ? "promoted" : v->excluded & mask ? "demoted" : "innocent";
}

const struct sens_use *sens_use_at(const struct bt_vcpu *b, gva pc, bool *covered)
{
	*covered = false;
	for (uint32_t i = 0; i < b->tc.norder; i++) {
		const struct ccf *f = b->tc.order[i];

		if (f->dead || pc - f->pc >= f->glen)
			continue;
		*covered = true;
		for (unsigned u = 0; u < f->nsens; u++)
			if (f->pc + f->ioff[f->ninsn + f->sens[u].insn] == pc)
				return &f->sens[u];
	}
	return NULL;
}

const char *site_form(const struct bt_vcpu *b, const struct verdict *v)
{
	const struct sens_use *use = NULL;
	bool covered = true;

	if (!v)
		return "direct";
	if (v->way)
		use = sens_use_at(b, v->pc, &covered);
	if (use)
		return way_names[use->way];
	if (!covered)
		return "not translated";
	return guilty_of(v, CAUSE_USER_PAGE) ? "user-window"
	       : guilty_of(v, CAUSE_DEVICE)  ? "device"
	       : guilty_of(v, CAUSE_MISS)    ? "precheck"
	       : guilty_of(v, CAUSE_DIVIDE)  ? "divide"
					     : "direct";
}

/* ---- info trap-sites ---- */

static const struct view_col place_cols[] = {
	{ "pc", "guest pc", VAL_ADDR, "", "guest-linear address of the instruction" },
	{ "cause", "cause", VAL_STR, "", "cause of the traps; one row per instruction and cause" },
	{ "count", "count", VAL_UINT, "", "traps since the start" },
	{ "cycles", "cycles", VAL_UINT, "cycles", "host cycles" },
	{ "each", "each", VAL_UINT, "cycles",
	  "mean cycles per trap (of two simultaneous causes, the first is charged)" },
	{ "verdict", "verdict", VAL_VERDICT, "",
	  "promoted, innocent (so far), or demoted for good (info sites)" },
	{ "way", "way", VAL_STR, "",
	  "current translation: direct, user-window, precheck, device, divide; or the user's trap, callout, in-tc" },
	{ "before", "before", VAL_UINT, "", "traps while not promoted" },
	{ "since", "since", VAL_UINT, "", "traps while promoted" },
	{ "avoided", "avoided", VAL_UINT, "", "callouts made instead of traps" },
	{ "saved", "saved", VAL_INT, "cycles",
	  "avoided times the mean cost of its traps minus that of the callout" },
	{ "decided", "decided", VAL_REAL, "ms",
	  "time of its last promotion or demotion, since the machine was made" },
};

static int by_cycles(const void *x, const void *y)
{
	const struct place *p = *(const struct place *const *)x, *q = *(const struct place *const *)y;

	return p->cycles < q->cycles ? 1 : p->cycles > q->cycles ? -1 : p->pc < q->pc ? -1 : p->pc > q->pc;
}

struct value since_start_ms(const struct bt_vcpu *b, uint64_t tsc)
{
	return V_REAL(1000 * seconds(b, tsc - b->history.tsc_start));
}

struct value decided_ms(const struct bt_vcpu *b, const struct verdict *v)
{
	return v && v->decided ? since_start_ms(b, v->decided) : V_NONE;
}

static void place_row(struct bt_vcpu *b, const struct place *p, struct row_sink *k)
{
	const struct verdict *v = verdict_find(b, p->pc);
	unsigned guilt = account_adapts(p->cause), c = causes[p->cause].instead;
	bool known = v && c < SITE_CAUSES;
	const char *verdict = verdict_word(v, guilt);

	k->row(k,
	       (struct value[]){ V_ADDR(p->pc), V_STR(causes[p->cause].name), V_UINT(p->count),
				 V_UINT(p->cycles), mean(p->cycles, p->timed),
				 verdict ? V_VERDICT(verdict, verdict_decision(v, guilt)) : V_NONE,
				 V_STR(p->cause == TRAP_SENS && !(v && v->way) ? "trap" : site_form(b, v)),
				 guilt ? V_UINT(p->count - p->guilty) : V_NONE,
				 guilt ? V_UINT(p->guilty) : V_NONE, known ? V_UINT(v->after[c].n) : V_NONE,
				 known ? cycles_saved(&v->trap[c], &v->after[c]) : V_NONE,
				 guilt ? decided_ms(b, v) : V_NONE });
}

static const char *place_rows(void *owner, const char *arg, struct row_sink *k)
{
	struct bt_vcpu *b = owner;
	const struct place **list;
	unsigned n = 0, cause = 0;

	while (cause < TRAP_CAUSES && strcmp(arg, causes[cause].name))
		cause++;
	if (arg[0] && cause == TRAP_CAUSES)
		return "no such cause; info traps lists them";
	list = malloc(PLACES * sizeof(*list));
	if (!list)
		return "out of memory";
	for (unsigned i = 0; i < PLACES; i++)
		if (b->account.places[i].pc && (!arg[0] || b->account.places[i].cause == cause))
			list[n++] = &b->account.places[i];
	qsort(list, n, sizeof(*list), by_cycles);
	for (unsigned i = 0; i < n; i++)
		place_row(b, list[i], k);
	free(list);
	return NULL;
}

const struct view view_trap_sites = {
	.name = "trap-sites",
	.help = "guest instructions that trap, costliest first, without polls (CAUSE: only those)",
	VIEW_COLS(place_cols),
	.rows = place_rows,
	.flags = VIEW_LIVE,
	.words = "<traps.name>",
};
