/* SPDX-License-Identifier: GPL-3.0-or-later
 * Views of adaptation: causes, sites, the log; pins. */
#include "bt/adapt/adapt.h"
#include "bt/adapt/policy.h"
#include "bt/view/view.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- info causes ---- */

static const struct view_col cause_cols[] = {
	{ "cause", "cause", VAL_STR, "", "name, as adapt takes it" },
	{ "on", "on", VAL_BOOL, "", "switched on" },
	{ "threshold", "threshold", VAL_UINT, "", "traps that promote" },
	{ "span", "span", VAL_UINT, "cycles", "host cycles after which one trap is forgiven" },
	{ "calm", "calm", VAL_UINT, "cycles", "host cycles without need after which a site is demoted" },
	{ "promoted", "promoted", VAL_UINT, "", "promotions so far" },
	{ "demoted", "demoted", VAL_UINT, "", "demotions so far" },
	{ "traps", "traps", VAL_UINT, "", "traps taken" },
	{ "before", "before", VAL_UINT, "cycles",
	  "mean cost of a trap, until the guest or its handler resumes" },
	{ "callouts", "callouts", VAL_UINT, "", "callouts made instead of traps" },
	{ "after", "after", VAL_UINT, "cycles",
	  "mean cost of such a callout; forms without one run in line (info costs)" },
	{ "saved", "saved", VAL_INT, "cycles", "by callouts instead of traps: sum over all sites" },
	{ "does", "an instruction or page", VAL_STR, "", "behaviour that is counted" },
	{ "instead", "once promoted", VAL_STR, "", "replacement" },
};

static const char *cause_rows(void *owner, const char *arg, struct row_sink *k)
{
	const struct bt_vcpu *b = owner;

	(void)arg;
	for (unsigned c = 0; c < CAUSES; c++) {
		const struct cause_state *s = &b->adapt.causes[c];

		k->row(k, (struct value[]){
			      V_STR(cause_infos[c].name), V_BOOL(adapt_on(s)), V_UINT(s->threshold),
			      s->span ? V_UINT(s->span) : V_NONE, s->calm ? V_UINT(s->calm) : V_NONE,
			      V_UINT(s->promotions), V_UINT(s->demotions), V_UINT(s->trap.n),
			      s->trap.n ? V_UINT(cost_mean(&s->trap)) : V_NONE, V_UINT(s->after.n),
			      s->after.n ? V_UINT(cost_mean(&s->after)) : V_NONE, cycles_saved_all(b, c),
			      V_STR(cause_infos[c].does), V_STR(cause_infos[c].instead) });
	}
	return NULL;
}

const struct view view_causes = {
	.name = "causes",
	.help = "what adaptation acts on: thresholds, promotions, cycles",
	VIEW_COLS(cause_cols),
	.rows = cause_rows,
	.flags = VIEW_LIVE,
};

/* ---- info sites ---- */

static const struct view_col site_cols[] = {
	{ "pc", "guest pc", VAL_ADDR, "", "guest-linear address of the instruction" },
	{ "kind", "kind", VAL_STR, "",
	  "memory, divide, or the kind of a sensitive instruction (info policy)" },
	{ "cause", "cause", VAL_STR, "", "cause of its traps" },
	{ "verdict", "verdict", VAL_VERDICT, "", "promoted, innocent (so far), or demoted for good" },
	{ "way", "way", VAL_STR, "", "way chosen by the user" },
	{ "form", "form", VAL_STR, "",
	  "current translation: the user's way if the instruction allows it, else as in info trap-sites" },
	{ "count", "count", VAL_UINT, "", "traps counted towards promotion" },
	{ "failures", "failures", VAL_UINT, "", "times its replacement did not serve it" },
	{ "traps", "traps", VAL_UINT, "", "traps of this cause" },
	{ "before", "before", VAL_UINT, "cycles", "mean cost of a trap" },
	{ "callouts", "callouts", VAL_UINT, "", "callouts made instead of traps" },
	{ "after", "after", VAL_UINT, "cycles", "mean cost of such a callout" },
	{ "saved", "saved", VAL_INT, "cycles",
	  "callouts times the mean cost of a trap minus that of a callout" },
	{ "decided", "decided", VAL_REAL, "ms",
	  "time of its last promotion or demotion, since the machine was made" },
};

/* Kind of the sensitive instruction at PC, if it is translated now. */
static const char *kind_at(const struct bt_vcpu *b, gva pc)
{
	bool covered;
	const struct sens_use *use = sens_use_at(b, pc, &covered);

	return use ? policy_kind_name(use->kind) : covered ? "not sensitive" : "";
}

static void site_row(const struct bt_vcpu *b, const struct verdict *v, int c, struct row_sink *k)
{
	const char *verdict = c < 0			    ? ""
			      : guilty_of(v, (enum cause)c) ? "promoted"
			      : v->excluded >> c & 1	    ? "demoted"
							    : "innocent";

	enum decision decision = c < 0			       ? DECISION_NONE
				 : guilty_of(v, (enum cause)c) ? DECISION_PROMOTED
				 : v->excluded >> c & 1	       ? DECISION_DEMOTED
							       : DECISION_NONE;

	k->row(k, (struct value[]){
		      V_ADDR(v->pc),
		      V_STR(c < 0		? kind_at(b, v->pc)
			    : c == CAUSE_DIVIDE ? "divide"
						: "memory"),
		      V_STR(c < 0 ? "" : cause_infos[c].name), V_VERDICT(verdict, decision),
		      V_STR(way_names[v->way]), V_STR(site_form(b, v)), c < 0 ? V_NONE : V_UINT(v->count[c]),
		      V_UINT(v->failures), c < 0 ? V_NONE : V_UINT(v->trap[c].n),
		      c < 0 || !v->trap[c].n ? V_NONE : V_UINT(cost_mean(&v->trap[c])),
		      c < 0 ? V_NONE : V_UINT(v->after[c].n),
		      c < 0 || !v->after[c].n ? V_NONE : V_UINT(cost_mean(&v->after[c])),
		      c < 0 ? V_NONE : cycles_saved(&v->trap[c], &v->after[c]), decided_ms(b, v) });
}

static int by_pc(const void *x, const void *y)
{
	const struct verdict *v = *(const struct verdict *const *)x, *w = *(const struct verdict *const *)y;

	return v->pc < w->pc ? -1 : v->pc > w->pc;
}

static void rows_of(const struct bt_vcpu *b, const struct verdict *v, bool all, struct row_sink *k)
{
	bool shown = false;

	for (int c = 0; c < SITE_CAUSES; c++) {
		if (!((v->guilty | v->excluded) >> c & 1) && !(all && (v->trap[c].n || v->after[c].n)))
			continue;
		site_row(b, v, c, k);
		shown = true;
	}
	if (v->way && !shown)
		site_row(b, v, -1, k);
}

static const char *site_rows(void *owner, const char *arg, struct row_sink *k)
{
	const struct verdict **list = malloc(VERDICTS * sizeof(*list));
	struct bt_vcpu *b = owner;
	unsigned n = 0;

	if (!list)
		return "out of memory";
	for (unsigned i = 0; i < VERDICTS; i++)
		if (b->adapt.verdicts[i].pc)
			list[n++] = &b->adapt.verdicts[i];
	qsort(list, n, sizeof(*list), by_pc);
	for (unsigned i = 0; i < n; i++)
		rows_of(b, list[i], !strcmp(arg, "all"), k);
	free(list);
	return NULL;
}

const struct view view_sites = {
	.name = "sites",
	.help = "instructions promoted, demoted or given a way (all: suspects too)",
	VIEW_COLS(site_cols),
	.rows = site_rows,
	.flags = VIEW_LIVE,
	.words = "all",
};

/* ---- info adapt ---- */

static const struct view_col adapt_cols[] = {
	{ "number", "#", VAL_UINT, "", "running number" },
	{ "ms", "ms", VAL_REAL, "", "host time since the machine was made" },
	{ "pc", "guest pc", VAL_ADDR, "", "the instruction, or the page (physical)" },
	{ "event", "event", VAL_VERDICT, "", "decision, cause and replacement" },
	{ "before", "before", VAL_UINT, "cycles", "per execution of the old form: mean cost of its traps" },
	{ "after", "after", VAL_UINT, "cycles",
	  "per execution of the new form: mean cost of its callouts so far, or of the inline form (info costs)" },
};

static enum decision event_decision(const struct adapt_entry *e)
{
	return e->what == ADAPT_PROMOTED		     ? DECISION_PROMOTED
	       : e->what == ADAPT_ON || e->what == ADAPT_OFF ? DECISION_NONE
							     : DECISION_DEMOTED;
}

static void event_text(const struct adapt_entry *e, char *buf, size_t n)
{
	const struct cause_info *c = &cause_infos[e->cause];

	switch (e->what) {
	case ADAPT_ON:
		snprintf(buf, n, "%s switched on by the user", c->name);
		break;
	case ADAPT_OFF:
		snprintf(buf, n, "%s switched off by the user; sites demoted: %llu", c->name,
			 (unsigned long long)e->before);
		break;
	case ADAPT_PROMOTED:
		snprintf(buf, n, "promoted for %s: %s; %s", c->name, c->does, c->instead);
		break;
	case ADAPT_DEMOTED:
		snprintf(buf, n, "demoted for %s: no longer %s", c->name, c->does);
		break;
	default:
		snprintf(buf, n, "demoted for good for %s: its replacement did not serve it", c->name);
	}
}

/* Mean cost of the replacement, as measured so far. */
static uint64_t cost_after(const struct bt_vcpu *b, const struct adapt_entry *e)
{
	const struct verdict *v = e->cause < SITE_CAUSES ? verdict_find(b, e->pc) : NULL;

	if (e->after || e->what != ADAPT_PROMOTED)
		return e->after;
	if (v && v->after[e->cause].n)
		return cost_mean(&v->after[e->cause]);
	return e->cause == CAUSE_MISS ? b->adapt.cost.precheck : 0;
}

static const char *adapt_rows(void *owner, const char *arg, struct row_sink *k)
{
	struct bt_vcpu *b = owner;
	uint64_t first = b->adapt.nlog > MAX_ADAPT_LOG ? b->adapt.nlog - MAX_ADAPT_LOG : 0;

	(void)arg;
	for (uint64_t i = first; i < b->adapt.nlog; i++) {
		const struct adapt_entry *e = &b->adapt.log[i % MAX_ADAPT_LOG];
		uint64_t after = cost_after(b, e);
		bool verdict = e->what <= ADAPT_EXCLUDED;
		char text[200];

		event_text(e, text, sizeof(text));
		k->row(k,
		       (struct value[]){ V_UINT(e->number), since_start_ms(b, e->tsc),
					 verdict ? V_ADDR(e->pc) : V_NONE, V_VERDICT(text, event_decision(e)),
					 verdict && e->before ? V_UINT(e->before) : V_NONE,
					 after ? V_UINT(after) : V_NONE });
	}
	return NULL;
}

const struct view view_adapt = {
	.name = "adapt",
	.help = "log of adaptation: promotions and demotions",
	VIEW_COLS(adapt_cols),
	.rows = adapt_rows,
	.flags = VIEW_LIVE,
};

/* ---- info pins ---- */

static const struct view_col pin_cols[] = {
	{ "pc", "guest pc", VAL_ADDR, "", "start of the pinned fragments" },
	{ "pinned", "pinned", VAL_UINT, "", "pinned fragments" },
	{ "ordinary", "ordinary", VAL_UINT, "", "fragments that could not be pinned: no room" },
};

static const char *pin_rows(void *owner, const char *arg, struct row_sink *k)
{
	struct bt_vcpu *b = owner;

	(void)arg;
	for (unsigned i = 0; i < b->tc.npins; i++) {
		uint64_t n[2] = { 0 };

		for (uint32_t o = 0; o < b->tc.norder; o++)
			if (!b->tc.order[o]->dead && b->tc.order[o]->pc == b->tc.pins[i].pc)
				n[b->tc.order[o]->pinned]++;
		k->row(k, (struct value[]){ V_ADDR(b->tc.pins[i].pc), V_UINT(n[1]), V_UINT(n[0]) });
	}
	return NULL;
}

const struct view view_pins = {
	.name = "pins",
	.help = "fragments that adaptation and a full cache do not drop",
	VIEW_COLS(pin_cols),
	.rows = pin_rows,
};
