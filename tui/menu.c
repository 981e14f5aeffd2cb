/* SPDX-License-Identifier: GPL-3.0-or-later
 * See menu.h. Each row is a command with a place for the address. */
#include "tui/menu.h"
#include "base/address.h"
#include "tui/tui_int.h"

#include <string.h>

/* What a command needs to apply. */
static const char *const lacks[MENU_NEEDS] = {
	[MENU_FRAGMENT] = "no fragment covers the address: the code has not been executed, or was dropped",
	[MENU_PATCH] = "there are no patches",
	[MENU_PROBE] = "there is no probe at the address",
};

/* Columns: letter; command, with %s for the address; whether it goes to the command line to be
 * completed; help; what it needs. */
static const struct menu_row {
	char key;
	const char *command;
	bool prompts;
	const char *help;
	enum menu_need need;
} rows[] = {
	{ 'd', "discard %s", false, "drop its fragments; retranslate when run", MENU_FRAGMENT },
	{ 'r', "retranslate %s", false, "drop its fragments; retranslate at once", MENU_FRAGMENT },
	{ 'p', "pin %s", false, "never adapt or evict its fragments", MENU_ANY },
	{ 'u', "unpin %s", false, "remove the pin", MENU_ANY },
	{ 't', "site %s trap", false, "this sensitive instruction: trap and emulate", MENU_ANY },
	{ 'o', "site %s callout", false, "this sensitive instruction: callout", MENU_ANY },
	{ 'i', "site %s in-tc", false, "this sensitive instruction: emulate inline", MENU_ANY },
	{ 'w', "site %s default", false, "this sensitive instruction: by policy", MENU_ANY },
	{ 'T', "site %s trap ccf", false, "all of its fragments: trap and emulate", MENU_FRAGMENT },
	{ 'O', "site %s callout ccf", false, "all of its fragments: callout", MENU_FRAGMENT },
	{ 'I', "site %s in-tc ccf", false, "all of its fragments: inline where possible", MENU_FRAGMENT },
	{ 'W', "site %s default ccf", false, "all of its fragments: by policy", MENU_FRAGMENT },
	{ 'e', "patch-code %s ", true, "replace code, in the translation only", MENU_ANY },
	{ 'E', "unpatch ", true, "undo a patch (info patches has its number)", MENU_PATCH },
	{ 'n', "probe %s", false, "count executions (info probes)", MENU_ANY },
	{ 'N', "unprobe %s", false, "remove the probe", MENU_PROBE },
	{ 'a', "trace %s \"\" ", true, "print a line at each execution, no stop", MENU_ANY },
	{ 'b', "break *%s", false, "stop when it is executed", MENU_ANY },
	{ 'h', "ccf-history %s", false, "their history: made, dropped, why, cost", MENU_ANY },
	{ 's', "ccf-savings %s", false, "cycles that adaptation saved there (needs c)", MENU_FRAGMENT },
	{ 'f', "ccf %s", false, "its fragments: guest and host code", MENU_FRAGMENT },
	{ 'c', "count on", false, "count entries of fragments (C: off)", MENU_ANY },
	{ 'C', "count off", false, "stop counting entries of fragments", MENU_ANY },
};

/* Has table K, a view of points, one at ADDR? */
static bool has_address(const struct table *k, uint64_t addr)
{
	for (size_t r = 0; k && r < k->nrows; r++)
		if (cell_u(k, r, "address") == addr)
			return true;
	return false;
}

static void find_what_applies(struct tui *t, struct menu *m)
{
	const struct table *patches = query(t, NULL, "info patches");

	m->has[MENU_ANY] = true;
	m->has[MENU_FRAGMENT] = query(t, NULL, "ccf 0x%llx", (unsigned long long)m->addr) != NULL;
	m->has[MENU_PATCH] = patches && patches->nrows;
	m->has[MENU_PROBE] = has_address(query(t, NULL, "info probes"), m->addr);
}

void menu_open(struct tui *t, uint64_t addr, const char *symbol)
{
	struct menu *m = &t->menu;

	m->open = true;
	m->addr = addr;
	m->at = 0;
	find_what_applies(t, m);
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
	if (!t->menu.has[rows[n].need]) {
		tui_message(t, ST_ERROR, "%s", lacks[rows[n].need]);
		return;
	}
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

/* Where the help of the rows begins. */
static int help_column(const struct menu *m)
{
	int w = 0;

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		char line[160];

		command_text(m, &rows[i], line, sizeof(line));
		if ((int)strlen(line) + 3 * rows[i].prompts > w)
			w = (int)strlen(line) + 3 * rows[i].prompts;
	}
	return 4 + 1 + w + 1;
}

void menu_draw(const struct tui *t, const struct area *a)
{
	const struct menu *m = &t->menu;
	int top = first_line(m, a->h - 1), help = help_column(m), x;

	for (int y = 0; y < a->h; y++)
		area_fill(a, 0, y, a->w, ST_NORMAL, ' ');
	area_fill(a, 0, 0, a->w, ST_RULE, 0x2500);
	x = area_printf(a, 0, 0, ST_FOCUS, " At %s ", m->place);
	area_put(a, x, 0, ST_DIM, " press a letter, or Enter; Esc closes ");
	for (int y = 1; y < a->h && top + y - 1 < (int)ARRAY_LEN(rows); y++) {
		const struct menu_row *row = &rows[top + y - 1];
		bool sel = top + y - 1 == m->at, applies = m->has[row->need];
		char line[160];

		if (sel)
			area_fill(a, 0, y, a->w, ST_SELECT, ' ');
		command_text(m, row, line, sizeof(line));
		area_char(a, 1, y, sel ? ST_SELECT : applies ? ST_PROMPT : ST_ZERO, (uint32_t)row->key);
		area_printf(a, 4, y,
			    sel	      ? ST_SELECT
			    : applies ? ST_VALUE
				      : ST_ZERO,
			    ":%s%s", line, row->prompts ? "..." : "");
		area_field(a, help, y, a->w - help,
			   sel	     ? ST_SELECT
			   : applies ? ST_DIM
				     : ST_ZERO,
			   applies ? row->help : lacks[row->need]);
	}
}
