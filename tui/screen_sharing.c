/* SPDX-License-Identifier: GPL-3.0-or-later
 * Screen 8: pages shared by content. */
#include "tui/pane_table.h"
#include "tui/panes.h"

TABLE_PANE(contents, "contents", "Contents",
	   "page contents that are known: frames with their references, hints; the cursor selects one",
	   .view = "share", .cols = "kind page hash refs bucket vm", .drop = "vm bucket hash",
	   .sort = "-refs", .key = "hash page", .selects = SELECTS_CONTENT, .places = true,
	   .empty = "no content is known yet: :share all looks at all pages");
TABLE_PANE(breaks, "breaks", "Copy-on-write breaks", "shared pages that were written: who, where, cost",
	   .view = "cow", .cols = "vm by lin ppn pc symbol insn mpn left cycles number",
	   .drop = "number left mpn ppn by symbol lin insn", .key = "number", .follow = true, .address = "pc",
	   .places = true, .empty = "no shared page has been written yet");
TABLE_PANE(sharing, "sharing", "Sharing", "what page sharing did and saves", .view = "sharing",
	   .cols = "name value help", .drop = "help", .totals = "", .key = "name", .count = "value",
	   .spark = true);

static const struct pane_class *const panes[] = {
	&contents, &pane_hash, &pane_chain, &breaks, &sharing, NULL
};

const struct screen_class screen_sharing = {
	.name = "sharing",
	.title = "Sharing",
	.help = "pages shared by content: hash table, frames and hints, chains, copy-on-write breaks",
	.panes = panes,
	.layouts = { { 0, 0, "v(hash:2,h(contents,chain:40),h(breaks,sharing:34):9)" },
		     { 110, 30, "v(hash:3,h(contents,v(chain:8,sharing):56),breaks:12)" } },
};
