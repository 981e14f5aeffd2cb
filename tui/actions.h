/* SPDX-License-Identifier: GPL-3.0-or-later
 * Actions for the table of keys. KEY is the key that was pressed. */
#ifndef TUI_ACTIONS_H
#define TUI_ACTIONS_H

struct tui;

void act_step(struct tui *t, int key);
void act_next(struct tui *t, int key);
void act_finish(struct tui *t, int key);
void act_continue(struct tui *t, int key);
void act_toggle(struct tui *t, int key);
void act_interrupt(struct tui *t, int key);
void act_break(struct tui *t, int key);
void act_menu(struct tui *t, int key);
void act_reset(struct tui *t, int key);
void act_screen(struct tui *t, int key);
void act_next_screen(struct tui *t, int key);
void act_pane(struct tui *t, int key);
void act_zoom(struct tui *t, int key);
void act_grow(struct tui *t, int key);
void act_swap(struct tui *t, int key);
void act_layout(struct tui *t, int key);
void act_search(struct tui *t, int key);
void act_filter(struct tui *t, int key);
void act_goto(struct tui *t, int key);
void act_command(struct tui *t, int key);
void act_sort(struct tui *t, int key);
void act_zero(struct tui *t, int key);
void act_pause(struct tui *t, int key);
void act_help(struct tui *t, int key);
void act_journal(struct tui *t, int key);
void act_hand(struct tui *t, int key);
void act_redraw(struct tui *t, int key);
void act_vms(struct tui *t, int key);
void act_quit(struct tui *t, int key);
#endif
