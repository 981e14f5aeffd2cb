/* SPDX-License-Identifier: GPL-3.0-or-later
 * Screen 2: fragments in the translation cache. */
#include "tui/pane_table.h"
#include "tui/panes.h"
#include "tui/screen.h"

TABLE_PANE(fragments, "fragments", "Fragments", "every compiled code fragment (CCF); the cursor selects one",
	   .view = "ccf",
	   .cols = "pc symbol mode insns bytes size entries traps cycles callouts fill true_faults mmio "
		   "code_writes in out state page host",
	   .drop = "host page state out in code_writes mmio true_faults fill mode bytes cycles size insns",
	   .sort = "-callouts", .totals = "entries traps cycles callouts fill true_faults mmio code_writes",
	   .key = "host", .address = "pc", .selects = SELECTS_FRAGMENT,
	   .empty = "nothing is translated yet: s steps, c continues");

static const struct pane_class *const panes[] = { &fragments, &pane_heat, &pane_ccf, NULL };

const struct screen_class screen_translation = {
	.name = "translation",
	.title = "Translation",
	.help = "fragments in the translation cache; the selected one beside its guest code",
	.of_vm = true,
	.panes = panes,
	.layouts = { { 0, 0, "v(fragments:9,heat:2,fragment)" },
		     { 110, 30, "v(fragments*2,heat:3,fragment*3)" } },
};
