/* SPDX-License-Identifier: GPL-3.0-or-later
 * Screen 3: how often translated code needed the monitor, by cause and by place. */
#include "tui/pane_table.h"

TABLE_PANE(causes, "causes", "Traps by cause", true, "host traps that translated code took, by cause",
	   .line = "info traps", .cols = "name count", .key = "name", .count = "count", .spark = true);
TABLE_PANE(callouts, "callouts", "Callouts by kind", true,
	   "calls from translated code into the monitor, by kind", .line = "info callouts",
	   .cols = "name count", .sort = "-count", .key = "name", .count = "count", .spark = true);
TABLE_PANE(exceptions, "exceptions", "Exceptions", true, "exceptions delivered to the guest",
	   .line = "info exceptions", .cols = "name count", .sort = "-count", .key = "name", .count = "count",
	   .spark = true, .empty = "none so far");
TABLE_PANE(places, "places", "Top offenders", false, "the fragments that trap most", .line = "info ccf",
	   .cols = "pc symbol mode traps fill true_faults mmio code_writes callouts insns state",
	   .sort = "-traps", .key = "host", .hot = "ccf", .empty = "nothing is translated yet");

static const struct pane_class *const panes[] = { &causes, &callouts, &exceptions, &places, NULL };

const struct screen_class screen_traps = {
	.name = "traps",
	.title = "Traps",
	.help = "traps, callouts and exceptions: totals, rates, and where they come from",
	.panes = panes,
	.layouts = { { 0, 0, "v(h(causes,callouts):11,h(places*2,exceptions:26))" },
		     { 110, 30, "v(h(v(causes:11,exceptions),callouts):24,places)" } },
};
