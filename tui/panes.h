/* SPDX-License-Identifier: GPL-3.0-or-later
 * The panes that are more than a table, one file each. */
#ifndef TUI_PANES_H
#define TUI_PANES_H
#include "tui/pane.h"

extern const struct pane_class pane_console, pane_registers, pane_code, pane_stack, pane_memory, pane_ccf,
    pane_heat, pane_walk;

/* Which of the guest's consoles PANE_CONSOLE shows: its VGA screen, or its serial port. */
bool console_shows_vga(const struct pane *p);
#endif
