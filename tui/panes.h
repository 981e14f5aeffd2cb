/* SPDX-License-Identifier: GPL-3.0-or-later
 * The panes that are not tables, one file each. */
#ifndef TUI_PANES_H
#define TUI_PANES_H
#include "tui/pane.h"

extern const struct pane_class pane_console, pane_registers, pane_frames, pane_code, pane_stack, pane_memory,
    pane_ccf, pane_heat, pane_walk, pane_vms, pane_pool, pane_hash, pane_chain, pane_vmcs, pane_switches;

/* Does P, the console pane, show the VGA screen, not the serial port? */
bool console_shows_vga(const struct pane *p);
/* Have the code pane show ADDR, until told otherwise. */
void code_show(struct tui *t, uint64_t addr);
/* The colour of EVENTS where the most are MOST. */
enum style heat_style(uint64_t events, uint64_t most);
#endif
