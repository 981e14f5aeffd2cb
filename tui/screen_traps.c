/* SPDX-License-Identifier: GPL-3.0-or-later
 * Screen 3: how often translated code entered the monitor, by cause and by place, what that
 * costs, and what adaptation does about it. */
#include "tui/pane_table.h"

TABLE_PANE(causes, "causes", "Traps by cause", "host traps that translated code took, by cause",
	   .view = "traps", .cols = "name count each cycles help", .drop = "help cycles each",
	   .note = "cycles each", .totals = "count cycles", .key = "name", .count = "count", .spark = true);
TABLE_PANE(callouts, "callouts", "Callouts by kind", "calls from translated code into the monitor, by kind",
	   .view = "callouts", .cols = "name count each cycles help", .drop = "help cycles each",
	   .note = "cycles each", .sort = "-count", .totals = "count cycles", .key = "name", .count = "count",
	   .spark = true);
TABLE_PANE(exceptions, "exceptions", "Exceptions", "exceptions delivered to the guest", .view = "exceptions",
	   .cols = "name count", .sort = "-count", .key = "name", .count = "count", .spark = true,
	   .empty = "no exceptions yet");
TABLE_PANE(places, "places", "Costliest fragments", "fragments whose traps cost most", .view = "ccf",
	   .cols = "pc symbol traps cycles fill true_faults mmio code_writes callouts insns mode state host",
	   .drop = "host state insns mode mmio code_writes true_faults fill callouts", .sort = "-cycles",
	   .totals = "traps cycles fill true_faults mmio code_writes callouts", .key = "host",
	   .address = "pc", .selects = SELECTS_FRAGMENT, .empty = "nothing is translated yet");
TABLE_PANE(sites, "sites", "By guest pc",
	   "instructions that trapped: cause, count, cycles, verdict, traps avoided since",
	   .view = "trap-sites", .cols = "pc symbol cause count each verdict way avoided saved cycles",
	   .drop = "avoided way each saved verdict symbol", .note = "each, saved: cycles", .sort = "-cycles",
	   .totals = "count avoided saved cycles", .key = "pc cause", .address = "pc", .count = "count",
	   .empty = "no instruction has trapped yet");
TABLE_PANE(adaptation, "adaptation", "Adaptation",
	   "adaptation by cause: traps and their cost, verdicts, cost since, cycles saved", .view = "causes",
	   .cols = "cause on traps before callouts after saved promoted demoted threshold does instead",
	   .drop = "instead does threshold callouts demoted before after",
	   .note = "before, after: mean cycles", .totals = "traps saved promoted demoted", .key = "cause",
	   .count = "traps");
TABLE_PANE(events, "log", "Adaptation log",
	   "promotions and demotions as they happen, with mean cycles before and after", .view = "adapt",
	   .note = "before, after: mean cycles", .cols = "number pc symbol before after event",
	   .drop = "symbol after before", .key = "number", .address = "pc", .follow = true,
	   .empty = "no instruction or page has been promoted yet");

TABLE_PANE(ways, "ways", "Sensitive instructions", "how they were executed: trap, callout or in-tc",
	   .view = "ways", .cols = "kind way sites count share each", .drop = "each share",
	   .note = "share: %, each: cycles", .totals = "count", .key = "kind way");

static const struct pane_class *const panes[] = { &causes,     &callouts, &exceptions, &places, &sites,
						  &adaptation, &events,	  &ways,       NULL };

const struct screen_class screen_traps = {
	.name = "traps",
	.title = "Traps",
	.help = "traps, callouts and exceptions: totals, rates, costs, places; adaptation",
	.of_vm = true,
	.panes = panes,
	.layouts = { { 0, 0, "v(h(causes,callouts):8,h(places,exceptions:22):6,log)" },
		     { 110, 30, "v(h(causes,callouts):10,h(places,sites):8,log)" },
		     { 150, 40,
		       "v(h(v(causes:12,exceptions),callouts):17,adaptation:7,h(places,sites):11,h(log,ways:52))" } },
};
