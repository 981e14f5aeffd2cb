/* SPDX-License-Identifier: GPL-3.0-or-later
 * Screen 3: how often translated code needed the monitor, by cause and by place, what that
 * costs, and what adaptation does about it, as it happens. */
#include "tui/pane_table.h"

TABLE_PANE(causes, "causes", "Traps by cause", true, "host traps that translated code took, by cause",
	   .line = "info traps", .cols = "name count each cycles help", .note = "each/cycles", .key = "name",
	   .count = "count", .spark = true);
TABLE_PANE(callouts, "callouts", "Callouts by kind", true,
	   "calls from translated code into the monitor, by kind", .line = "info callouts",
	   .cols = "name count each cycles help", .note = "each/cycles", .sort = "-count", .key = "name",
	   .count = "count", .spark = true);
TABLE_PANE(exceptions, "exceptions", "Exceptions", true, "exceptions delivered to the guest",
	   .line = "info exceptions", .cols = "name count", .sort = "-count", .key = "name", .count = "count",
	   .spark = true, .empty = "none so far");
TABLE_PANE(places, "places", "Top offenders", false, "the fragments whose traps cost most",
	   .line = "info ccf",
	   .cols = "pc symbol traps cycles fill true_faults mmio code_writes callouts insns mode state host",
	   .sort = "-cycles", .key = "host", .hot = "ccf", .empty = "nothing is translated yet");
TABLE_PANE(sites, "sites", "By guest pc", true,
	   "instructions that trapped: how often and for what, cycles, the verdict, what was avoided since",
	   .line = "info trap-sites", .cols = "pc symbol cause count each verdict way avoided saved cycles",
	   .note = "each, saved: cycles", .sort = "-cycles", .key = "pc cause", .count = "count",
	   .empty = "no instruction has trapped yet");
TABLE_PANE(adaptation, "adaptation", "Adaptation", true,
	   "what adaptation acts on: traps and their cost, verdicts, cost since, cycles saved",
	   .line = "info causes",
	   .cols = "cause on traps before callouts after saved promoted demoted threshold does instead",
	   .note = "before, after: cycles a time", .key = "cause", .count = "traps");
TABLE_PANE(events, "log", "Adaptation log", true,
	   "promotions and demotions as they happen: cycles a time before and after", .line = "info adapt",
	   .note = "before, after: cycles a time", .cols = "number pc symbol before after event",
	   .key = "number", .follow = true, .empty = "no instruction or page has been promoted yet");

TABLE_PANE(ways, "ways", "Sensitive instructions", false,
	   "which way they went: trap, callout or in the cache", .line = "info ways",
	   .cols = "kind way sites count share each", .note = "share: %, each: cycles", .key = "kind way");

static const struct pane_class *const panes[] = { &causes,     &callouts, &exceptions, &places, &sites,
						  &adaptation, &events,	  &ways,       NULL };

const struct screen_class screen_traps = {
	.name = "traps",
	.title = "Traps",
	.help = "traps, callouts and exceptions: totals, rates, costs, places; adaptation as it happens",
	.panes = panes,
	.layouts = { { 0, 0, "v(h(causes,callouts):8,h(places,exceptions:22):6,log)" },
		     { 110, 30, "v(h(causes,callouts):10,h(places,sites):8,log)" },
		     { 150, 40,
		       "v(h(v(causes:12,exceptions),callouts):17,adaptation:7,h(places,sites):11,h(log,ways:52))" } },
};
