/* SPDX-License-Identifier: GPL-3.0-or-later
 * Control of the translation: how sensitive instructions run, adaptation, lifetime of
 * fragments. The translator's views show the choices (info policy, sites, causes,
 * adapt, pins, history). */
#include "inspect/tables_int.h"
#include "x86/engine_translator.h"

#include <stdio.h>
#include <string.h>

static int answer(struct result *r, const struct cmd_args *a, const char *err)
{
	return err ? result_fail(r, "%s: %s", a->name, err) : 0;
}

static int address(struct inspect *s, const struct cmd_args *a, int i, struct result *r, gva *out)
{
	return session_address(s, a, i, r, out);
}

static int cmd_policy(struct inspect *s, const struct cmd_args *a, struct result *r)
{
	return answer(r, a,
		      session_translator(s)->policy->set_kind(machine_vcpu(s->m), a->argv[0], a->argv[1]));
}

static int cmd_site(struct inspect *s, const struct cmd_args *a, struct result *r)
{
	bool whole = a->argc > 2;
	const char *err;
	unsigned n;
	gva pc;

	if (whole && strcmp(a->argv[2], "ccf"))
		return result_fail(r, "usage: site ADDRESS WAY [ccf]");
	if (address(s, a, 0, r, &pc))
		return -1;
	err = session_translator(s)->policy->set_site(machine_vcpu(s->m), pc, a->argv[1], whole, &n);
	if (!err && whole)
		result_text(r, "%u sensitive instruction%s", n, n == 1 ? "" : "s");
	return answer(r, a, err);
}

/* "on|off|default [CAUSE]", "threshold|span|calm CAUSE NUMBER" */
static int cmd_adapt(struct inspect *s, const struct cmd_args *a, struct result *r)
{
	const char *what = a->argv[0];
	bool number = !strcmp(what, "threshold") || !strcmp(what, "span") || !strcmp(what, "calm");

	if (number ? a->argc != 3 : a->argc > 2)
		return result_fail(
		    r, "usage: adapt on|off|default [CAUSE], adapt threshold|span|calm CAUSE NUMBER");
	return answer(r, a,
		      session_translator(s)->adaptation->set(
			  machine_vcpu(s->m), what, a->argc > 1 ? a->argv[1] : "", number ? a->argv[2] : ""));
}

static int cmd_count(struct inspect *s, const struct cmd_args *a, struct result *r)
{
	bool on = !strcmp(a->argv[0], "on");

	if (!on && strcmp(a->argv[0], "off"))
		return result_fail(r, "usage: count on|off");
	session_translator(s)->counting->set(machine_vcpu(s->m), on);
	return 0;
}

static int cmd_discard(struct inspect *s, const struct cmd_args *a, struct result *r)
{
	bool all = a->argc && !strcmp(a->argv[0], "all");
	gva pc = 0;
	unsigned n;

	if (!all && address(s, a, 0, r, &pc))
		return -1;
	n = session_translator(s)->fragments->discard(machine_vcpu(s->m), pc, all);
	result_text(r, "%u fragment%s discarded", n, n == 1 ? "" : "s");
	return 0;
}

static int cmd_retranslate(struct inspect *s, const struct cmd_args *a, struct result *r)
{
	unsigned dropped, made;
	gva pc;

	if (address(s, a, 0, r, &pc))
		return -1;
	dropped = session_translator(s)->fragments->retranslate(machine_vcpu(s->m), pc, &made);
	if (!dropped)
		return result_fail(r, "retranslate: no fragment covers 0x%llx (info ccf lists them)",
				   (unsigned long long)pc);
	result_text(r, "%u fragment%s dropped, %u retranslated%s", dropped, dropped == 1 ? "" : "s", made,
		    made < dropped ? "; the others when they run next" : "");
	return 0;
}

static int cmd_pin(struct inspect *s, const struct cmd_args *a, struct result *r)
{
	bool on = a->name[0] == 'p';
	const char *err;
	unsigned n;
	gva pc;

	if (address(s, a, 0, r, &pc))
		return -1;
	err = session_translator(s)->pins->set(machine_vcpu(s->m), pc, on, &n);
	if (!err && !n && !on)
		return result_fail(r, "unpin: not pinned (info pins lists the pins)");
	if (!err && !n)
		result_text(r, "already pinned");
	return answer(r, a, err);
}

/* Show VIEW for the address in the argument. */
static int show_at(struct inspect *s, const struct cmd_args *a, const char *view, struct result *r)
{
	char text[24], *argv[] = { text };
	struct cmd_args at = { .name = a->name, .rest = text, .argc = 1, .argv = argv };
	gva pc;

	if (address(s, a, 0, r, &pc))
		return -1;
	snprintf(text, sizeof(text), "0x%llx", (unsigned long long)pc);
	return view_show(s, view, &at, 0, r);
}

static int cmd_history(struct inspect *s, const struct cmd_args *a, struct result *r)
{
	return show_at(s, a, "history", r);
}

static int cmd_savings(struct inspect *s, const struct cmd_args *a, struct result *r)
{
	return show_at(s, a, "savings", r);
}

static const struct command commands[] = {
	{ "policy", NULL, "KIND WAY",
	  "choose how a kind of sensitive instruction runs: trap, callout, in-tc, default",
	  "KIND is a name of info policy, or all. Trap: the translation faults and the monitor emulates the "
	  "instruction. Callout: it calls the monitor. In-tc: inline instructions on the virtual processor's state.",
	  cmd_policy, CMD_MACHINE | CMD_PAUSE | CMD_NEEDS(PART_POLICY), 2, 2,
	  "all|<policy.kind> trap|callout|in-tc|default" },
	{ "site", NULL, "ADDRESS WAY [ccf]",
	  "choose how the sensitive instruction at ADDRESS runs (info sites)",
	  "With ccf: all sensitive instructions in the fragments that cover ADDRESS, if they can run that way.",
	  cmd_site, CMD_MACHINE | CMD_PAUSE | CMD_NEEDS(PART_POLICY), 2, 3,
	  "<expr> trap|callout|in-tc|default ccf" },
	{ "adapt", NULL, "on|off|default [CAUSE] | threshold|span|calm CAUSE NUMBER",
	  "choose the causes that adaptation acts on, and when (info causes; info adapt is its log)",
	  "CAUSE is a name of info causes, or all. An instruction is promoted when it trapped threshold times within "
	  "span host cycles (0: no limit), and demoted after calm host cycles in which it would not have trapped (0: not "
	  "by time).",
	  cmd_adapt, CMD_MACHINE | CMD_PAUSE | CMD_NEEDS(PART_ADAPTATION), 1, 3,
	  "on|off|default|threshold|span|calm all|<causes.cause>" },
	{ "count", NULL, "on|off", "count entries of every fragment (column entries of info ccf)", NULL,
	  cmd_count, CMD_MACHINE | CMD_PAUSE | CMD_NEEDS(PART_COUNTING), 1, 1, "on|off" },
	{ "discard", NULL, "[ADDRESS|all]",
	  "drop the fragments that cover ADDRESS or pc; they are translated again when they run", NULL,
	  cmd_discard, CMD_MACHINE | CMD_PAUSE | CMD_NEEDS(PART_FRAGMENTS), 0, 1, "<expr>|all" },
	{ "retranslate", NULL, "[ADDRESS]",
	  "drop the fragments that cover ADDRESS or pc, and translate them at once",
	  "Fragments that do not fit the processor's current mode and address space are translated when they run next.",
	  cmd_retranslate, CMD_MACHINE | CMD_PAUSE | CMD_NEEDS(PART_FRAGMENTS), 0, 1, COMP_EXPR },
	{ "pin", NULL, "[ADDRESS]",
	  "exempt the fragments that cover ADDRESS or pc from adaptation and eviction (info pins)",
	  "They are still dropped when the guest writes to their code, and when breakpoints, probes, patches or choices "
	  "change them; their successors are pinned.",
	  cmd_pin, CMD_MACHINE | CMD_PAUSE | CMD_NEEDS(PART_PINS), 0, 1, COMP_EXPR },
	{ "unpin", NULL, "[ADDRESS]", "remove the pins of the fragments that cover ADDRESS or pc", NULL,
	  cmd_pin, CMD_MACHINE | CMD_PAUSE | CMD_NEEDS(PART_PINS), 0, 1, COMP_EXPR },
	{ "ccf-history", NULL, "[ADDRESS]",
	  "show the history of the fragments that cover ADDRESS or pc (info history: of all)",
	  "When each was made, why it was dropped and what it cost; the last rows are the current fragments.",
	  cmd_history, CMD_MACHINE | CMD_PAUSE | CMD_NEEDS(PART_FRAGMENTS), 0, 1, COMP_EXPR },
	{ "ccf-savings", NULL, "[ADDRESS]",
	  "show the cycles that adaptation saved there (info savings: everywhere); needs 'count on'",
	  "The cost of an entry in traps before the last promotion minus its cost since, times the entries since.",
	  cmd_savings, CMD_MACHINE | CMD_PAUSE | CMD_NEEDS(PART_ADAPTATION), 0, 1, COMP_EXPR },
	{ 0 },
};

const struct command_group cmd_adapt_group = { "adaptation", "Control of the translation", commands };
