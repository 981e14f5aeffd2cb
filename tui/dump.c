/* SPDX-License-Identifier: GPL-3.0-or-later
 * Screens as text, without a terminal: one after the scripts (--dump), or a series while the
 * guest runs (--batch). */
#include "tui/tui_int.h"

#include <stdlib.h>
#include <string.h>

enum { USAGE = 2 };

static int screen_called(const char *name)
{
	for (int i = 0; screens[i]; i++)
		if (!strcmp(screens[i]->name, name) || (name[0] == '0' + (i + 1) % 10 && !name[1]))
			return i;
	return -1;
}

static void print_screen(struct tui *t)
{
	int cx, cy;

	frame_draw(t, &cx, &cy);
	canvas_print(&t->canvas, term_utf8(), stdout);
	fflush(stdout);
}

/* Update and draw twice: the second update fetches what fits the sizes the first drawing found. */
static void take_screen(struct tui *t)
{
	int cx, cy;

	tui_drain(t);
	tui_update(t, true);
	frame_draw(t, &cx, &cy);
	tui_update(t, false);
	tui_drain(t);
}

static void wait_seconds(struct tui *t, double seconds)
{
	int64_t until = tui_clock() + (int64_t)(seconds * 1e9), left;

	while ((left = until - tui_clock()) > 0 && !t->quit && !t->ended_by) {
		bool runs = inspect_running(t->s);

		loop_turn(t->loop, (int)(left / 1000000) + 1, runs ? inspect_stop_fd(t->s) : -1);
		inspect_poll(t->s, &t->sink);
	}
}

static void batch(struct tui *t)
{
	double delay = t->cfg->delay > 0 ? t->cfg->delay : 1;

	take_screen(t);
	if (inspect_has_machine(t->s) && !inspect_running(t->s) && !inspect_ended(t->s))
		tui_exec(t, true, "continue &");
	for (unsigned i = 0; i < t->cfg->count && !t->quit && !t->ended_by && !inspect_must_end(t->s); i++) {
		wait_seconds(t, delay);
		take_screen(t);
		if (i)
			putchar('\n');
		print_screen(t);
	}
	if (inspect_running(t->s))
		tui_exec(t, true, "stop");
}

int dump_main(struct tui *t)
{
	int n = t->cfg->dump ? screen_called(t->cfg->dump) : 0;

	if (n < 0) {
		fprintf(stderr, "vitrine: no screen '%s'; choose from", t->cfg->dump);
		for (int i = 0; screens[i]; i++)
			fprintf(stderr, " %s", screens[i]->name);
		fputc('\n', stderr);
		return USAGE;
	}
	t->screen = n;
	if (t->cfg->batch) {
		batch(t);
	} else {
		take_screen(t);
		print_screen(t);
	}
	return 0;
}
