/* SPDX-License-Identifier: GPL-3.0-or-later
 * Screen 7: machine memory and the VMs that share it. */
#include "tui/pane_table.h"
#include "tui/panes.h"

TABLE_PANE(figures, "figures", "Figures", "machine memory of each VM and of the pool, in esxtop's words",
	   .view = "memory",
	   .cols =
	       "name state memsz grant machine free sztgt tchd active shrd zero shrdsvd swcur swtgt mctlsz "
	       "mctltgt untouched ovhd min max shares scan hand",
	   .drop = "untouched ovhd swtgt shrdsvd zero active max min shares tchd free machine state",
	   .key = "name", .note = "MiB");
TABLE_PANE(alloc, "alloc", "Who pays", "what memory is divided by, and the last revocations", .view = "alloc",
	   .cols = "name s p f k rho min target what", .drop = "k min s", .key = "name",
	   .note = "rho = S / (P (f + k (1 - f)))");
TABLE_PANE(samples, "samples", "Samples of memory in use", "pages sampled and touched, averages, by period",
	   .view = "idle", .cols = "name period time sampled touched slow fast now cycles",
	   .drop = "cycles time now sampled", .key = "period", .follow = true,
	   .empty = "no sample is complete yet");
TABLE_PANE(states, "pages", "Pages by state", "the states of this VM's pages; on a host those of each VM's",
	   .view = "pmap", .cols = "state pages name private shared swapped ballooned absent",
	   .drop = "absent ballooned swapped", .key = "state name");
TABLE_PANE(swapping, "swapping", "Swapping",
	   "pages of this VM that were swapped out and read back; on a host of each VM", .view = "swap",
	   .cols = "name value help swapped places file target out in zeros shared waits double blocked",
	   .drop = "help blocked file zeros waits target shared", .totals = "", .key = "name",
	   .count = "value out in", .spark = true);

static const struct pane_class *const panes[] = { &pane_vms, &pane_pool, &figures,  &alloc,
						  &samples,  &states,	 &swapping, NULL };

const struct screen_class screen_memory = {
	.name = "memory",
	.title = "Memory",
	.help = "machine memory: each VM's with bars and trends, the pool's state, who pays whom",
	.panes = panes,
	.layouts = { { 0, 0, "v(vms*2,pool:5,h(alloc,pages:32))" },
		     { 110, 30, "v(vms*3,pool:5,figures,h(alloc*3,samples*2),h(swapping,pages:36))" } },
};
