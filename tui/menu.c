/* SPDX-License-Identifier: GPL-3.0-or-later
 * See menu.h. Each row is a command with a place for the address. */
#include "tui/menu.h"
#include "base/address.h"
#include "tui/tui_int.h"

#include <string.h>

/* Columns: letter; command, with %s for the address; whether it goes to the command line to be
 * completed; help. */
static const struct menu_row {
	char key;
	const char *command;
	bool prompts;
	const char *help;
} rows[] = {
	{ 'd', "discard %s", false, "drop its fragments; retranslate when run" },
	{ 'r', "retranslate %s", false, "drop its fragments; retranslate at once" },
	{ 'p', "pin %s", false, "never adapt or evict its fragments" },
	{ 'u', "unpin %s", false, "remove the pin" },
	{ 't', "site %s trap", false, "this sensitive instruction: trap and emulate" },
	{ 'o', "site %s callout", false, "this sensitive instruction: callout" },
	{ 'i', "site %s in-tc", false, "this sensitive instruction: emulate inline" },
	{ 'w', "site %s default", false, "this sensitive instruction: by policy" },
	{ 'T', "site %s trap ccf", false, "all of its fragments: trap and emulate" },
	{ 'O', "site %s callout ccf", false, "all of its fragments: callout" },
	{ 'I', "site %s in-tc ccf", false, "all of its fragments: inline where possible" },
	{ 'W', "site %s default ccf", false, "all of its fragments: by policy" },
	{ 'e', "patch-code %s ", true, "replace code, in the translation only" },
	{ 'E', "unpatch ", true, "undo a patch (info patches has its number)" },
	{ 'n', "probe %s", false, "count executions (info probes)" },
	{ 'N', "unprobe %s", false, "remove the probe" },
	{ 'a', "trace %s \"\" ", true, "print a line at each execution, no stop" },
	{ 'b', "break *%s", false, "stop when it is executed" },
	{ 'h', "ccf-history %s", false, "their history: made, dropped, why, cost" },
	{ 's', "ccf-savings %s", false, "cycles that adaptation saved there (needs c)" },
	{ 'f', "ccf %s", false, "its fragments: guest and host code" },
	{ 'c', "count on", false, "count entries of fragments (C: off)" },
	{ 'C', "count off", false, "stop counting entries of fragments" },
};

void menu_open(struct tui *t, uint64_t addr, const char *symbol)
{
	struct menu *m = &t->menu;

	m->open = true;
	m->addr = addr;
	m->at = 0;
	snprintf(m->place, sizeof(m->place), "%s%s%.60s%s", ADDRESS(addr), symbol[0] ? " <" : "", symbol,
		 symbol[0] ? ">" : "");
}

static void command_text(const struct menu *m, const struct menu_row *row, char *buf, size_t len)
{
	const char *hole = strstr(row->command, "%s");

	if (hole)
		snprintf(buf, len, "%.*s0x%llx%s", (int)(hole - row->command), row->command,
			 (unsigned long long)m->addr, hole + 2);
	else
		snprintf(buf, len, "%s", row->command);
}

static void choose(struct tui *t, int n)
{
	char line[160];

	t->menu.open = false;
	command_text(&t->menu, &rows[n], line, sizeof(line));
	if (rows[n].prompts) {
		prompt_open(t, ASK_COMMAND, line);
		return;
	}
	tui_exec(t, false, "%s", line);
	if (!t->message[0] && !t->overlay.open) /* commands without output succeeded */
		tui_message(t, ST_MESSAGE, ":%s", line);
}

void menu_key(struct tui *t, int key)
{
	struct menu *m = &t->menu;

	switch (key) {
	case TK_UP:
	case TK_WHEELUP:
		m->at -= m->at > 0;
		return;
	case TK_DOWN:
	case TK_WHEELDN:
		m->at += m->at + 1 < (int)ARRAY_LEN(rows);
		return;
	case TK_HOME:
	case TK_PGUP:
		m->at = 0;
		return;
	case TK_END:
	case TK_PGDN:
		m->at = ARRAY_LEN(rows) - 1;
		return;
	case TK_ENTER:
		choose(t, m->at);
		return;
	}
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		if (rows[i].key == key) {
			choose(t, (int)i);
			return;
		}
	m->open = false;
}

/* The first row shown: 0 if the cursor is visible then, else such that it is on the last line. */
static int first_line(const struct menu *m, int room)
{
	int top = m->at >= room ? m->at - room + 1 : 0;

	return top < 0 ? 0 : top;
}

void menu_click(struct tui *t, int y, int h)
{
	int n = first_line(&t->menu, h - 1) + y - 1;

	if (y >= 1 && n < (int)ARRAY_LEN(rows))
		choose(t, n);
	else
		t->menu.open = false;
}

void menu_draw(const struct tui *t, const struct area *a)
{
	const struct menu *m = &t->menu;
	int top = first_line(m, a->h - 1), x;

	for (int y = 0; y < a->h; y++)
		area_fill(a, 0, y, a->w, ST_NORMAL, ' ');
	area_fill(a, 0, 0, a->w, ST_RULE, 0x2500);
	x = area_printf(a, 0, 0, ST_FOCUS, " At %s ", m->place);
	area_put(a, x, 0, ST_DIM, " press a letter, or Enter; Esc closes ");
	for (int y = 1; y < a->h && top + y - 1 < (int)ARRAY_LEN(rows); y++) {
		const struct menu_row *row = &rows[top + y - 1];
		bool sel = top + y - 1 == m->at;
		char line[160];

		if (sel)
			area_fill(a, 0, y, a->w, ST_SELECT, ' ');
		command_text(m, row, line, sizeof(line));
		area_char(a, 1, y, sel ? ST_SELECT : ST_PROMPT, (uint32_t)row->key);
		area_printf(a, 4, y, sel ? ST_SELECT : ST_VALUE, ":%s%s", line, row->prompts ? "..." : "");
		area_field(a, 36, y, a->w - 36, sel ? ST_SELECT : ST_DIM, row->help);
	}
}
