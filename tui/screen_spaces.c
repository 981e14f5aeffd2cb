/* SPDX-License-Identifier: GPL-3.0-or-later
 * Screen 4: address spaces, the guest's and the host's. */
#include "tui/pane_table.h"
#include "tui/panes.h"
#include "tui/screen.h"

TABLE_PANE(windows, "windows", "Windows", "host windows that mirror the guest's address spaces",
	   .view = "windows", .cols = "id view root current pages regions fills syncs drops maps base",
	   .drop = "base maps regions drops syncs", .totals = "fills syncs drops", .key = "id",
	   .count = "fills", .empty = "no windows yet");
TABLE_PANE(ranges, "ranges", "Mapped by the guest", "linear addresses that the guest's page tables map",
	   .view = "mem x", .address = "start", .places = true, .cols = "start end size rights",
	   .drop = "size", .empty = "nothing is mapped");
TABLE_PANE(counters, "counters", "Counters", "what it has cost to keep the windows consistent", .view = "mmu",
	   .cols = "name value help", .drop = "help", .key = "name", .count = "value", .spark = true);

static const struct pane_class *const panes[] = { &ranges, &windows, &pane_walk, &counters, NULL };

const struct screen_class screen_spaces = {
	.name = "spaces",
	.title = "Address spaces",
	.brief = "Spaces",
	.help = "windows, their mappings, fills and evictions; page walk of the address under the cursor",
	.of_vm = true,
	.panes = panes,
	.layouts = { { 0, 0, "v(windows:6,h(v(walk:6,ranges),counters:34))" },
		     { 110, 30, "v(windows:14,h(v(walk:7,ranges),counters))" } },
};
