/* SPDX-License-Identifier: GPL-3.0-or-later
 * Screen 9: guests of the guest, under VMX or SVM: the current VMCS or VMCB, exits, controls. */
#include "tui/pane_table.h"
#include "tui/panes.h"

TABLE_PANE(exits, "exits", "Exits", "exits by reason: count, rate, cycles", .view = "exits",
	   .cols = "reason count guest host info guest_pc steered", .drop = "guest_pc info guest host",
	   .sort = "-count", .key = "reason", .count = "count", .spark = true,
	   .note = "in guest, handling: mean cycles", .empty = "no exit yet");
TABLE_PANE(last, "exit-log", "Last exits", "the last exits, one by one, decoded", .view = "exit-log",
	   .cols = "number reason guest_pc what guest host", .drop = "guest host", .key = "number",
	   .follow = true, .empty = "no exit yet");
TABLE_PANE(sites, "exit-sites", "By guest pc", "exits by guest pc and reason", .view = "exit-sites",
	   .cols = "guest_pc reason count", .key = "guest_pc reason", .count = "count",
	   .empty = "no exit yet");
TABLE_PANE(operation, "operation", "Operation",
	   "where the processor is, the last entry that failed and why, what was changed by hand",
	   .view = "virt", .cols = "name value", .key = "name");

static const struct pane_class *const panes[] = { &pane_vmcs, &exits,	  &last, &pane_switches,
						  &sites,     &operation, NULL };

const struct screen_class screen_vmx = {
	.name = "vmx",
	.title = "VMX, SVM",
	.brief = "VMX",
	.help =
	    "guests of the guest: VMCS or VMCB by group, exits by reason and one by one, controls to flip",
	.of_vm = true,
	.panes = panes,
	.layouts = { { 0, 0, "v(h(vmcs*5,exits*4)*3,h(exit-log,controls:25)*2)" },
		     { 110, 30,
		       "v(h(vmcs*3,v(exits*2,controls*3)*2)*3,h(exit-log*3,exit-sites*2):9,operation:6)" },
		     { 150, 40,
		       "h(vmcs*5,v(exits*2,exit-log*3,exit-sites*2)*5,v(controls*3,operation:16)*3)" } },
};
