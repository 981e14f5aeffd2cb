/* SPDX-License-Identifier: GPL-3.0-or-later
 * Keys: one table of key, action, footer label and help, from which the help screen and the
 * footer are generated. Keys that are not in it go to the pane that has the keys. */
#include "base/alloc.h"
#include "tui/actions.h"
#include "tui/panes.h"
#include "tui/tui_int.h"

#include <stdlib.h>
#include <string.h>

enum { FULL_FOOTER = 88 }; /* narrower: the label of F11 is left out */
enum { CTRL_C = 3, CTRL_L = 12, CTRL_W = 23, CTRL_BRACKET = 0x1d };

/* ---- the table ---- */

enum section { RUNNING, INSPECTING, PLACES, OTHERS, NSECTIONS };
static const char *const sections[] = { "Running the guest", "Inspecting", "Screens and panes", "Other" };

/* Columns: key, other key (0), F-key (0) and its label in the footer, name in the help (NULL: not listed),
 * section, allowed while a command is executed, action, help. */
static const struct key_row {
	int key, other, fkey;
	const char *label, *name;
	enum section section;
	bool always;
	void (*act)(struct tui *t, int key);
	const char *help;
} rows[] = {
	{ '?', 'h', 1, "Help", "? h F1", OTHERS, true, act_help, "this help" },
	{ 'z', 0, 2, "Zoom", "z F2", PLACES, true, act_zoom,
	  "show the pane alone on the screen; again: all panes" },
	{ '/', 0, 3, "Find", "/ F3", INSPECTING, true, act_search, "search in the pane" },
	{ '\\', 0, 4, "Filter", "\\ F4", INSPECTING, true, act_filter,
	  "show only rows that contain a text (empty: all)" },
	{ ' ', 0, 5, "Run", "Space F5", RUNNING, false, act_toggle, "run or stop the guest" },
	{ 'c', 0, 0, NULL, "c", RUNNING, false, act_continue, "continue" },
	{ CTRL_C, 0, 0, NULL, "Ctrl-C", RUNNING, true, act_interrupt,
	  "stop the guest, or the command being executed" },
	{ 0, 0, 6, "Sort", "> F6", INSPECTING, true, act_sort,
	  "sort a table by the next column; I reverses the order" },
	{ 's', 0, 7, "Step", "s F7", RUNNING, false, act_step, "one instruction" },
	{ 'n', 0, 8, "Next", "n F8", RUNNING, false, act_next, "one instruction, stepping over calls" },
	{ 'f', 0, 0, NULL, "f", RUNNING, false, act_finish, "run until the function returns" },
	{ 'b', 0, 9, "Break", "b F9", RUNNING, false, act_break, "set or delete a breakpoint at the cursor" },
	{ 'a', 0, 11, "Menu", "a F11", RUNNING, false, act_menu,
	  "menu of commands for the address under the cursor: discard, pin, patch, probe ..." },
	{ 'R', 0, 0, NULL, "R", RUNNING, false, act_reset,
	  "reset the guest to its first instruction (asks first)" },
	{ 'q', 0, 10, "Quit", "q F10", OTHERS, true, act_quit,
	  "quit; ends the guest too (asks first), unless the dashboard is attached" },
	{ CTRL_BRACKET, 0, 12, "Keys", "Ctrl-] F12", RUNNING, true, act_hand,
	  "give the keyboard to the guest, or take it back" },
	{ ':', 0, 0, NULL, ":", OTHERS, false, act_command, "a shell command; Tab completes, Up recalls" },
	{ 'J', 0, 0, NULL, "J", INSPECTING, true, act_journal,
	  "journal: stops, output of trace points, commands and their results" },
	{ 'g', 0, 0, NULL, "g", INSPECTING, true, act_goto, "go to an address, symbol or expression" },
	{ 'Z', 0, 0, NULL, "Z", INSPECTING, true, act_pause,
	  "pause or resume refreshing while the guest runs" },
	{ 'r', 0, 0, NULL, "r", INSPECTING, true, act_zero,
	  "totals count from now on; again: since the machine's start" },
	{ 'V', 0, 0, NULL, "V", PLACES, true, act_vms, "another VM: the list of those that can be reached" },
	{ TK_TAB, TK_BACKTAB, 0, NULL, "Tab Shift-Tab", PLACES, true, act_next_screen,
	  "next screen, previous screen" },
	{ 'o', 'O', 0, NULL, "o O", PLACES, true, act_pane, "next pane, previous pane (or click on it)" },
	{ '+', '-', 0, NULL, "+ -", PLACES, true, act_grow, "make the pane bigger, smaller" },
	{ 'x', 0, 0, NULL, "x", PLACES, true, act_swap, "swap the pane with the next one" },
	{ '=', 0, 0, NULL, "=", PLACES, true, act_layout, "restore the screen's default layout" },
	{ CTRL_L, 0, 0, NULL, "Ctrl-L", OTHERS, true, act_redraw, "redraw the screen" },
	{ '1', 0, 0, NULL, NULL, PLACES, true, act_screen, "" },
	{ '2', 0, 0, NULL, NULL, PLACES, true, act_screen, "" },
	{ '3', 0, 0, NULL, NULL, PLACES, true, act_screen, "" },
	{ '4', 0, 0, NULL, NULL, PLACES, true, act_screen, "" },
	{ '5', 0, 0, NULL, NULL, PLACES, true, act_screen, "" },
	{ '6', 0, 0, NULL, NULL, PLACES, true, act_screen, "" },
	{ '7', 0, 0, NULL, NULL, PLACES, true, act_screen, "" },
	{ '8', 0, 0, NULL, NULL, PLACES, true, act_screen, "" },
	{ '9', 0, 0, NULL, NULL, PLACES, true, act_screen, "" },
	{ '0', 0, 0, NULL, NULL, PLACES, true, act_screen, "" },
};

void keys_labels(const struct tui *t, const char *labels[KEYS_F + 1])
{
	for (int k = 0; k <= KEYS_F; k++)
		labels[k] = NULL;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		if (rows[i].fkey && rows[i].label)
			labels[rows[i].fkey] = rows[i].label;
	if (t->canvas.w < FULL_FOOTER)
		labels[11] = NULL;
}

static const struct key_row *find_row(int key)
{
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		if ((rows[i].key && rows[i].key == key) || (rows[i].other && rows[i].other == key) ||
		    (rows[i].fkey && TK_F0 + rows[i].fkey == key))
			return &rows[i];
	return NULL;
}

/* ---- help ---- */

static void help_section(FILE *f, enum section s)
{
	fprintf(f, "%s\n", sections[s]);
	if (s == PLACES)
		for (int i = 0; screens[i]; i++)
			fprintf(f, "  %-16d %s: %s\n", (i + 1) % 10, screens[i]->title, screens[i]->help);
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		if (rows[i].section == s && rows[i].name)
			fprintf(f, "  %-16s %s\n", rows[i].name, rows[i].help);
	fputc('\n', f);
}

/* Tables share their keys: were those of pane N listed with an earlier pane? */
static bool keys_listed(const struct screen_class *sc, int n)
{
	for (int i = 0; i < n; i++)
		if (sc->panes[i]->keys == sc->panes[n]->keys)
			return true;
	return false;
}

static void help_panes(FILE *f, struct tui *t)
{
	const struct screen_class *sc = screens[t->screen];

	fprintf(f, "Panes of this screen (%s)\n", sc->title);
	for (int i = 0; sc->panes[i]; i++) {
		fprintf(f, "  %-16s %s\n", sc->panes[i]->title, sc->panes[i]->help);
		for (const struct pane_key *k = keys_listed(sc, i) ? NULL : sc->panes[i]->keys; k && k->key;
		     k++)
			fprintf(f, "     %-13s %s\n", k->name, k->help);
	}
	fputc('\n', f);
}

static void put_indented(FILE *f, size_t indent, const char *text, size_t n)
{
	fprintf(f, "%*s", (int)indent, "");
	fwrite(text, 1, n, f);
	fputc('\n', f);
}

/* "name   help" with the help in a column of its own, wrapped where it is long. */
static void put_wrapped(FILE *f, const char *line, size_t n, size_t width)
{
	enum { INDENT = 19 };
	size_t indent = 0;

	while (n + indent > width) {
		size_t cut = width - indent, least = indent ? 0 : INDENT;

		while (cut > least && line[cut] != ' ')
			cut--;
		if (cut == least)
			break;
		put_indented(f, indent, line, cut);
		line += cut + 1;
		n -= cut + 1;
		indent = INDENT;
	}
	put_indented(f, indent, line, n);
}

static char *wrapped(char *text, int width)
{
	char *out = NULL;
	size_t len = 0;
	FILE *f = xmemstream(&out, &len);

	for (const char *p = text; *p; p += strcspn(p, "\n") + 1)
		put_wrapped(f, p, strcspn(p, "\n"), (size_t)(width > 40 ? width - 2 : 38));
	fclose(f);
	free(text);
	return out;
}

char *keys_help(struct tui *t)
{
	char *text = NULL;
	size_t len = 0;
	FILE *f = xmemstream(&text, &len);

	for (int s = 0; s < NSECTIONS; s++)
		help_section(f, (enum section)s);
	help_panes(f, t);
	fputs(
	    "Mouse\n  click            select a tab, a pane or a row; press a function key\n  wheel            scroll\n",
	    f);
	fclose(f);
	return wrapped(text, t->canvas.w);
}

/* ---- dispatch ---- */

/* The command that presses KEY on the guest's keyboard. False: the keyboard has no such key. */
static bool keyboard_command(int key, char *line, size_t len)
{
	static const struct {
		int key;
		const char *name; /* of the command sendkey */
	} named[] = {
		{ TK_UP, "up" },      { TK_DOWN, "down" },
		{ TK_LEFT, "left" },  { TK_RIGHT, "right" },
		{ TK_HOME, "home" },  { TK_END, "end" },
		{ TK_PGUP, "pgup" },  { TK_PGDN, "pgdn" },
		{ TK_DEL, "delete" }, { TK_INS, "insert" },
		{ TK_TAB, "tab" },    { TK_BACKTAB, "shift-tab" },
		{ TK_ENTER, "ret" },  { TK_BACKSPACE, "backspace" },
		{ TK_ESC, "esc" },
	};

	for (size_t i = 0; i < ARRAY_LEN(named); i++)
		if (named[i].key == key)
			return snprintf(line, len, "sendkey %s", named[i].name);
	if (key > TK_F0 && key <= TK_F12)
		return snprintf(line, len, "sendkey f%d", key - TK_F0);
	if (key >= 1 && key <= 26)
		return snprintf(line, len, "sendkey ctrl-%c", 'a' + key - 1);
	if (key >= 0x20 && key < 0x7f)
		return snprintf(line, len, "type \"\\x%02x\"", (unsigned)key);
	return false;
}

/* Send KEY to the guest: as serial bytes, or by its own keyboard for the VGA console. */
static void guest_key(struct tui *t, int key)
{
	struct pane *p = pane_named(t, "console");
	char buf[8], line[40];
	size_t n = term_key_bytes(key, t->vt.application, buf);

	if (!p || !console_shows_vga(p)) {
		if (n)
			inspect_serial_input(t->s, (const uint8_t *)buf, n);
	} else if (keyboard_command(key, line, sizeof(line))) {
		inspect_exec(t->s, line, NULL);
	}
}

static bool pane_first(struct tui *t, int key)
{
	struct pane *p = screen_focus(t);

	return p && p->cls->key && pane_fresh(t, p) && p->cls->key(p, t, key);
}

/* A question was asked: y is yes, anything else is no. */
static void answer_confirm(struct tui *t, int key)
{
	void (*action)(struct tui * t) = t->prompt.confirm;

	t->prompt.confirm = NULL;
	tui_message(t, ST_MESSAGE, "%s", "");
	if (key == 'y' || key == 'Y')
		action(t);
}

void keys_press(struct tui *t, const struct term_event *e)
{
	const struct key_row *row = find_row(e->key);
	bool mouse = e->key >= TK_CLICK && e->key <= TK_WHEELDN;

	t->dirty = true;
	t->unread = 0;
	if (t->prompt.confirm) {
		answer_confirm(t, e->key);
		return;
	}
	if (t->handed && !mouse) {
		if (e->key == CTRL_BRACKET || e->key == TK_F12)
			act_hand(t, e->key);
		else
			guest_key(t, e->key);
		return;
	}
	if (t->prompt.open && !mouse) {
		prompt_key(t, e->key);
		return;
	}
	if (t->menu.open) {
		if (e->key == TK_CLICK || e->key == TK_DOUBLE)
			menu_click(t, e->y - 1, t->canvas.h - 3);
		else
			menu_key(t, e->key);
		return;
	}
	if (t->overlay.open) {
		overlay_key(t, e->key);
		return;
	}
	if (mouse) {
		screen_mouse(t, e);
		return;
	}
	if (e->key == TK_ESC) {
		tui_message(t, ST_MESSAGE, "%s", "");
		return;
	}
	if (t->busy && e->key == ' ') {
		inspect_interrupt(t->s);
		return;
	}
	if (row && t->busy && !row->always) {
		tui_message(t, ST_MESSAGE, "a command is being executed; Ctrl-C or Space stops it");
		return;
	}
	if (row)
		row->act(t, e->key);
	else
		pane_first(t, e->key);
}
