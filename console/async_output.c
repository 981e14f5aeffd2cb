/* SPDX-License-Identifier: GPL-3.0-or-later
 * What shell and attached shell have in common at their prompt: the history, and output that comes while a
 * line is being edited. The line goes away when output comes, and is below it again when that has been quiet
 * for a moment: so that a guest that says a character at a time does not get a line for each. */
#include "console/console_int.h"
#include "base/user.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <readline/history.h>
#include <readline/readline.h>

enum { HISTORY_LINES = 1000, QUIET_MS = 60 };

/* ---- history ---- */

void history_load(void)
{
	char path[4096];

	using_history();
	stifle_history(HISTORY_LINES);
	if (user_state_path("history", path, sizeof(path)))
		read_history(path);
}

void history_save(void)
{
	char path[4096];

	if (!user_state_path("history", path, sizeof(path)))
		return;
	user_make_folders(path);
	write_history(path);
}

/* ---- output beside the line ---- */

static int64_t now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

void async_output_begin(struct above *a)
{
	if (!a->away) {
		rl_clear_visible_line();
		fflush(rl_outstream);
	}
	a->away = true;
	a->last = now_ms();
}

void async_output_write(struct above *a, const char *text, size_t n)
{
	static const char query[] = "\033[6n"; /* the terminal would type its answer into the line */

	async_output_begin(a);
	if (n)
		a->mid_line = text[n - 1] != '\n';
	for (size_t i = 0; i < n; i++) {
		if (n - i >= sizeof(query) - 1 && !memcmp(text + i, query, sizeof(query) - 1))
			i += sizeof(query) - 2;
		else
			putchar(text[i]);
	}
	fflush(stdout);
}

void async_output_end(struct above *a, bool at_once)
{
	if (!a->away || (!at_once && now_ms() - a->last < QUIET_MS))
		return;
	if (a->mid_line)
		putchar('\n');
	fflush(stdout);
	a->away = a->mid_line = false;
	rl_on_new_line();
	rl_redisplay();
}

int async_output_timeout(const struct above *a, int ms)
{
	return a->away && (ms < 0 || ms > QUIET_MS) ? QUIET_MS : ms;
}
