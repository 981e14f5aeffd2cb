/* SPDX-License-Identifier: GPL-3.0-or-later
 * What keys do. keys.c says which key calls which action. */
#include "tui/actions.h"
#include "base/address.h"
#include "tui/tui_int.h"

#include <stdlib.h>
#include <string.h>

void act_step(struct tui *t, int key)
{
	(void)key;
	tui_exec(t, true, "stepi");
}

void act_next(struct tui *t, int key)
{
	(void)key;
	tui_exec(t, true, "nexti");
}

void act_finish(struct tui *t, int key)
{
	(void)key;
	tui_exec(t, true, "finish");
}

void act_continue(struct tui *t, int key)
{
	(void)key;
	if (inspect_running(t->s))
		tui_message(t, ST_MESSAGE, "the guest is running; Space stops it");
	else
		tui_exec(t, true, "continue &");
}

void act_toggle(struct tui *t, int key)
{
	if (inspect_running(t->s))
		tui_exec(t, true, "stop");
	else
		act_continue(t, key);
}

void act_interrupt(struct tui *t, int key)
{
	(void)key;
	if (t->busy)
		inspect_interrupt(t->s);
	else if (inspect_running(t->s))
		tui_exec(t, true, "stop");
	else
		tui_message(t, ST_MESSAGE, "q or F10 quits");
}

/* The number of the breakpoint at ADDR, or 0. */
static unsigned point_at(struct tui *t, uint64_t addr)
{
	const struct table *k;

	query_new_round(t); /* another face may have set one since the last refresh */
	k = query(t, NULL, "info break");
	for (size_t r = 0; k && r < k->nrows; r++)
		if (cell_u(k, r, "address") == addr)
			return (unsigned)cell_u(k, r, "number");
	return 0;
}

void act_break(struct tui *t, int key)
{
	uint64_t addr;
	unsigned number;

	(void)key;
	if (!screen_address(t, &addr))
		return;
	number = inspect_running(t->s) ? 0 : point_at(t, addr);
	if (number)
		tui_exec(t, true, "delete %u", number);
	else
		tui_exec(t, true, "break *0x%llx", (unsigned long long)addr);
	if (number)
		tui_message(t, ST_MESSAGE, "breakpoint %u at %s deleted", number, ADDRESS(addr));
}

void act_menu(struct tui *t, int key)
{
	const struct table *k;
	uint64_t addr;

	(void)key;
	if (!screen_address(t, &addr))
		return;
	k = query(t, NULL, "print/a 0x%llx", (unsigned long long)addr);
	menu_open(t, addr, k ? cell_str(k, 0, "symbol") : "");
}

/* Is there a guest whose state would be lost? */
static bool guest_alive(const struct tui *t)
{
	return inspect_has_machine(t->s) && !inspect_ended(t->s);
}

static void ask_first(struct tui *t, void (*action)(struct tui *t), const char *question)
{
	t->prompt.confirm = action;
	tui_message(t, ST_ERROR, "%s", question);
}

static void reset_now(struct tui *t)
{
	if (inspect_running(t->s))
		tui_exec(t, true, "stop");
	tui_exec(t, true, "reset");
}

void act_reset(struct tui *t, int key)
{
	(void)key;
	if (guest_alive(t))
		ask_first(t, reset_now,
			  "reset the guest to its first instruction? y: yes; any other key: no");
	else
		reset_now(t);
}

static void switch_to(struct tui *t, int n)
{
	int count = 0;

	while (screens[count])
		count++;
	t->screen = (n % count + count) % count;
	t->stale = true;
}

void act_screen(struct tui *t, int key)
{
	switch_to(t, key == '0' ? 9 : key - '1');
}

void act_next_screen(struct tui *t, int key)
{
	switch_to(t, t->screen + (key == TK_BACKTAB ? -1 : 1));
}

void act_pane(struct tui *t, int key)
{
	struct layout *leaf;
	int count = 0, at = 0;

	for (int i = 0; (leaf = layout_leaf(screen_layout(t), i)) && leaf->at.w; i++, count++)
		if (screen_focus(t) && !strcmp(leaf->name, screen_focus(t)->cls->name))
			at = i;
	if (!count)
		return;
	leaf = layout_leaf(screen_layout(t), (at + (key == 'O' ? count - 1 : 1)) % count);
	screen_set_focus(t, leaf->name);
}

void act_zoom(struct tui *t, int key)
{
	bool *z = &t->screen_state[t->screen].zoomed;

	(void)key;
	*z = !*z;
	t->moved = true;
}

void act_grow(struct tui *t, int key)
{
	struct pane *p = screen_focus(t);
	int k = screen_layout_index(t);

	screen_arrange(t);
	if (p && layout_grow(screen_layout(t), p->cls->name, key == '+' ? 1 : -1)) {
		t->screen_state[t->screen].changed[k] = true;
		t->moved = true;
	}
}

void act_swap(struct tui *t, int key)
{
	struct pane *p = screen_focus(t);
	struct layout *leaf = NULL, *next;

	(void)key;
	for (int i = 0; p && (next = layout_leaf(screen_layout(t), i)) && next->at.w; i++) {
		if (leaf && !strcmp(leaf->name, p->cls->name))
			break;
		leaf = next;
	}
	if (!p || !leaf)
		return;
	if (!next || !next->at.w || strcmp(leaf->name, p->cls->name))
		next = layout_leaf(screen_layout(t), 0);
	layout_swap(screen_layout(t), p->cls->name, next->name);
	t->screen_state[t->screen].changed[screen_layout_index(t)] = true;
	t->moved = true;
}

void act_layout(struct tui *t, int key)
{
	int k = screen_layout_index(t);
	struct screen_state *st = &t->screen_state[t->screen];

	(void)key;
	layout_free(st->tree[k]);
	st->tree[k] = layout_parse(screens[t->screen]->layouts[k].text);
	st->changed[k] = true;
	st->zoomed = false;
	t->moved = true;
	tui_message(t, ST_MESSAGE, "this screen has its default layout again");
}

/* Ask the pane that has the keys for WHAT, if it can answer. */
static void ask_pane(struct tui *t, enum ask what)
{
	struct pane *p = screen_focus(t);

	if (p && p->cls->answer)
		prompt_open(t, what, "");
	else
		tui_message(t, ST_MESSAGE, "this pane has no %s; o goes to the next pane",
			    what == ASK_FILTER ? "rows to filter" : "text to search");
}

void act_search(struct tui *t, int key)
{
	(void)key;
	ask_pane(t, ASK_SEARCH);
}

void act_filter(struct tui *t, int key)
{
	(void)key;
	ask_pane(t, ASK_FILTER);
}

void act_goto(struct tui *t, int key)
{
	(void)key;
	prompt_open(t, ASK_GOTO, "");
}

void act_command(struct tui *t, int key)
{
	(void)key;
	prompt_open(t, ASK_COMMAND, "");
}

void act_sort(struct tui *t, int key)
{
	struct pane *p = screen_focus(t);

	(void)key;
	if (!p || !p->cls->key || !pane_fresh(t, p) || !p->cls->key(p, t, '>'))
		tui_message(t, ST_MESSAGE, "this pane has nothing to sort");
}

void act_pause(struct tui *t, int key)
{
	(void)key;
	t->paused = !t->paused;
	tui_message(t, ST_MESSAGE, t->paused ? "display paused while the guest runs; Z resumes it" : "");
}

/* Totals of all screens begin at the same moment: a running guest is held for those that need it. */
void act_zero(struct tui *t, int key)
{
	bool held;

	(void)key;
	t->zeroed = !t->zeroed;
	held = inspect_running(t->s) && inspect_hold(t->s);
	query_new_round(t);
	t->queries.fetched = t->queries.round;
	for (unsigned i = 0; i < t->npanes; i++)
		if (t->panes[i].cls->zero)
			t->panes[i].cls->zero(&t->panes[i], t, t->zeroed);
	if (held)
		inspect_release(t->s);
	t->stale = true;
	tui_message(t, ST_MESSAGE,
		    t->zeroed ? "totals count from now on; r: since the start again"
			      : "totals count since the machine's start");
}

void act_help(struct tui *t, int key)
{
	(void)key;
	free(t->overlay.text);
	t->overlay = (struct overlay){ .open = true, .text = keys_help(t), .is_help = true };
	snprintf(t->overlay.title, sizeof(t->overlay.title), "Help");
}

void act_journal(struct tui *t, int key)
{
	(void)key;
	tui_show_journal(t);
}

void act_hand(struct tui *t, int key)
{
	(void)key;
	if (!inspect_has_machine(t->s))
		return;
	t->handed = !t->handed;
	screen_set_focus(t, "console");
	if (t->handed && !inspect_running(t->s) && !t->busy)
		tui_message(t, ST_MESSAGE, "stopped: gets keys on resume");
	else
		tui_message(t, ST_MESSAGE, "%s", "");
}

void act_redraw(struct tui *t, int key)
{
	(void)key;
	if (t->term)
		term_redraw(t->term);
	t->stale = true;
}

/* The list is shown by who has the terminal. */
void act_vms(struct tui *t, int key)
{
	(void)key;
	if (t->remote)
		t->away.wanted = true;
	else
		away_choose(t);
}

static void quit_now(struct tui *t)
{
	t->quit = true;
	if (t->busy)
		inspect_interrupt(t->s);
}

/* An attached dashboard leaves the guest to its session. */
void act_quit(struct tui *t, int key)
{
	(void)key;
	if (guest_alive(t) && !t->remote)
		ask_first(t, quit_now, "quit and end the guest? y: yes; any other key: no");
	else
		quit_now(t);
}
