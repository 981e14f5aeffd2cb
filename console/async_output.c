/* SPDX-License-Identifier: GPL-3.0-or-later
 * What the shell and the attached shell share at their prompt: the history, and asynchronous output, which
 * arrives while a line is being edited. The line is hidden when output arrives and redrawn below it after a
 * short silence, so a guest that writes one character at a time does not get a line for each. */
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

/* ---- asynchronous output ---- */

static int64_t now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

void async_output_begin(struct async_output *a)
{
	if (!a->hidden) {
		rl_clear_visible_line();
		fflush(rl_outstream);
	}
	a->hidden = true;
	a->last = now_ms();
}

void async_output_write(struct async_output *a, const char *text, size_t n)
{
	static const char query[] = "\033[6n"; /* the terminal's reply would land in the line */

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

void async_output_end(struct async_output *a, bool at_once)
{
	if (!a->hidden || (!at_once && now_ms() - a->last < QUIET_MS))
		return;
	if (a->mid_line)
		putchar('\n');
	fflush(stdout);
	a->hidden = a->mid_line = false;
	rl_on_new_line();
	rl_redisplay();
}

int async_output_timeout(const struct async_output *a, int ms)
{
	return a->hidden && (ms < 0 || ms > QUIET_MS) ? QUIET_MS : ms;
}
