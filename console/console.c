/* SPDX-License-Identifier: GPL-3.0-or-later
 * A session on the terminal: signals, scripts, "run", the exit status. */
#include "console/console_int.h"
#include "base/alloc.h"
#include "base/signals.h"
#include "inspect/startup.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* ---- callbacks of the session ---- */

static void idle(void *ctx, int timeout_ms)
{
	struct console *c = ctx;

	loop_turn(c->loop, timeout_ms, inspect_stop_fd(c->s));
	if (c->ended_by ||
	    c->wish == WISH_QUIT) /* a command of another face may have consumed the first interrupt */
		inspect_interrupt(c->s);
	if (c->reading && c->line_ready && c->term.is_tty)
		shell_line_between(c);
}

static void drain(void *ctx)
{
	serial_drain(ctx);
}

/* Other faces may run the guest at any time: within a run of ours, or while a command line is read. */
static void running(void *ctx, bool on)
{
	struct console *c = ctx;

	if (on ? c->runs++ : --c->runs)
		return;
	if (!c->reading)
		serial_terminal(c, on);
}

static bool pager_is_abandoned(void *ctx)
{
	const struct console *c = ctx;

	return c->ended_by || c->sigint || debug_quitting(c->s) || inspect_must_end(c->s);
}

/* Show the result of a command typed at the prompt, a page at a time. */
static void show_pages(struct console *c, const struct result *r)
{
	bool reading = c->reading;
	size_t len = 0;
	char *text = NULL;
	FILE *f = xmemstream(&text, &len);

	result_render(r, c->o->json, f);
	fclose(f);
	c->reading = true; /* the guest must not get the terminal */
	pager_show(&c->pager, text);
	c->reading = reading;
	free(text);
}

static void emit(void *ctx, const struct result *r)
{
	struct console *c = ctx;

	if (!r->first && !r->error)
		return;
	serial_drain(c);
	if (c->at_prompt)
		async_output_begin(&c->async);
	if (c->mid_line || c->async.mid_line)
		putchar('\n');
	c->mid_line = c->async.mid_line = false;
	if (c->own_command && !r->unasked && !c->runs)
		show_pages(c, r);
	else
		result_render(r, c->o->json, stdout);
	if (c->o->json)
		result_render_error(r, true, "", stdout);
	fflush(stdout);
	if (!c->o->json)
		result_render_error(r, false, "", stderr);
}

/* ---- signals ---- */

static void signal_ready(void *ctx, int fd)
{
	struct console *c = ctx;
	int signo = signals_next(fd);

	if (!signo)
		return;
	if (signo == SIGINT && c->at_prompt) {
		shell_sigint(c);
		return;
	}
	c->sigint = true;
	if (signo != SIGINT || c->run_keys)
		c->ended_by = signo;
	inspect_interrupt(c->s);
}

static bool take_signals(struct console *c, char *err, size_t errlen)
{
	c->signal_fd = signals_take((const int[]){ SIGINT, SIGTERM, SIGHUP, 0 });
	if (c->signal_fd >= 0)
		loop_watch(c->loop, c->signal_fd, signal_ready, c);
	else
		snprintf(err, errlen, "signals: %s", strerror(errno));
	return c->signal_fd >= 0;
}

/* ---- construction ---- */

struct console *console_new(const struct options *o, struct inspect *s, char *err, size_t errlen)
{
	struct console *c = xcalloc(1, sizeof(*c));

	c->o = o;
	c->s = s;
	c->sink = (struct inspect_sink){ .ctx = c, .emit = emit };
	c->loop = loop_new();
	c->signal_fd = -1;
	terminal_init(&c->term, STDIN_FILENO);
	c->pager = (struct pager){ .loop = c->loop, .term = &c->term, .ended = pager_is_abandoned, .ctx = c };
	if (!serial_open(c, err, errlen) || !take_signals(c, err, errlen)) {
		console_free(c);
		return NULL;
	}
	inspect_set_sink(s, &c->sink);
	inspect_set_face(
	    s, &(struct inspect_face){ .ctx = c, .idle = idle, .drain = drain, .running = running });
	return c;
}

void console_free(struct console *c)
{
	if (!c)
		return;
	terminal_restore(&c->term, STDIN_FILENO);
	serial_port_free(c->port);
	if (c->signal_fd >= 0)
		close(c->signal_fd);
	loop_free(c->loop);
	free(c->line);
	free(c->repeat);
	free(c);
}

struct loop *console_loop(struct console *c)
{
	return c->loop;
}

/* ---- run ---- */

static enum inspect_status run_guest(struct console *c)
{
	static const struct inspect_sink silent = { 0 };

	inspect_run(c->s, &silent);
	if (c->wish == WISH_QUIT || debug_quitting(c->s) || inspect_ended(c->s) || inspect_must_end(c->s) ||
	    c->ended_by)
		return INSPECT_OK;
	/* Ctrl-A c, or a breakpoint: enter the shell, where keys have their usual meaning */
	c->run_keys = false;
	inspect_exec(c->s, "stop", &c->sink);
	return shell_loop(c);
}

/* ---- main ---- */

static int final_status(struct console *c, enum inspect_status st, bool scripted)
{
	char why[300];
	int guest = inspect_exit_status(c->s, why, sizeof(why));

	serial_drain(c);
	fflush(stdout);
	if (c->ended_by)
		return 128 + c->ended_by;
	if (inspect_must_end(c->s) || guest == STATUS_CANNOT || (scripted && st != INSPECT_FAILED)) {
		if (why[0])
			fprintf(stderr, "%svitrine: %s\n", c->mid_line ? "\n" : "", why);
		return guest;
	}
	return st == INSPECT_FAILED ? STATUS_FAILED : 0;
}

/* A host whose commands came from a pipe goes on when that ends. */
static void serve_on(struct console *c)
{
	while (!c->sigint && !c->ended_by && !debug_quitting(c->s) && !inspect_must_end(c->s))
		loop_turn(c->loop, 200, -1);
}

int console_main(struct console *c)
{
	bool run = c->o->face == FACE_RUN, scripts = c->o->nscripts > 0;
	enum inspect_status st = INSPECT_OK;
	bool scripted = true;

	if (c->o->timeout > 0)
		inspect_set_deadline(c->s, c->o->timeout);
	c->run_keys = run && !scripts;
	if (!run && !c->o->no_rc)
		start_rc(c->s, &c->sink);
	if (scripts)
		st = start_scripts(c->s, c->o->scripts, c->o->nscripts, &c->sink, &c->sigint);
	if (c->sigint && scripts)
		c->ended_by = SIGINT;
	if (st == INSPECT_OK && !c->ended_by && (!scripts || c->o->interactive)) {
		c->run_keys = run;
		scripted = run || !c->term.is_tty;
		st = run ? run_guest(c) : shell_loop(c);
		if (c->o->face == FACE_HOST && !c->term.is_tty && st == INSPECT_OK)
			serve_on(c);
		if (c->sigint && !run && !c->term.is_tty && !c->ended_by)
			c->ended_by = SIGINT; /* Ctrl-C ends a pipe of commands, like a script */
	}
	return final_status(c, st, scripted);
}
