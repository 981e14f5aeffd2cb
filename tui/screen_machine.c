/* SPDX-License-Identifier: GPL-3.0-or-later
 * Screen 1: the guest's screen and its processor. */
#include "tui/panes.h"
#include "tui/screen.h"

static const struct pane_class *const panes[] = { &pane_code,	&pane_console, &pane_registers,
						  &pane_frames, &pane_stack,   &pane_memory,
						  NULL };

const struct screen_class screen_machine = {
	.name = "machine",
	.title = "Machine",
	.help = "the guest's screen, its registers, code around pc, stack and memory",
	.of_vm = true,
	.panes = panes,
	.layouts = { { 0, 0, "h(v(code:9,console,memory:5),v(registers:14,stack):31)" },
		     { 110, 30, "h(v(console:26,code):80,v(registers:14,frames:7,stack,memory))" },
		     { 150, 40, "h(v(console:27,code):80,v(registers:20,frames:9,stack:11,memory))" } },
};
