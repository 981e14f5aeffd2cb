/* SPDX-License-Identifier: GPL-3.0-or-later
 * The dashboard's main loop: terminal, signals, commands, messages. */
#include "tui/tui_int.h"
#include "base/alloc.h"
#include "base/signals.h"
#include "inspect/command.h"
#include "inspect/debug.h"
#include "inspect/startup.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
	FAILED = 1,
	CANNOT = 125,
	LOST = 129,
	DRAW_NS = 25 * 1000 * 1000,
	PERIOD_MS = 200,
	WIDTH = 80,
	HEIGHT = 24
};

/* ---- messages and commands ---- */

void tui_message(struct tui *t, enum style st, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(t->message, sizeof(t->message), fmt, ap);
	va_end(ap);
	t->message_style = st;
	t->dirty = true;
}

static char *rendered(const struct result *r, bool error)
{
	char *text = NULL;
	size_t len = 0;
	FILE *f = xmemstream(&text, &len);

	if (error)
		result_render_error(r, false, "", f);
	else
		result_render(r, false, f);
	fclose(f);
	return text;
}

static void append_output(struct tui *t, const char *text)
{
	size_t n = strlen(text);

	t->output.text = xrealloc(t->output.text, t->output.len + n + 1);
	memcpy(t->output.text + t->output.len, text, n + 1);
	t->output.len += n;
}

void tui_note(struct tui *t, const struct result *r)
{
	char *text = rendered(r, false), *error = rendered(r, true);
	bool asked = t->busy && !r->unasked;

	/* asynchronous output (of a trace point) does not change state: the guest keeps running */
	t->stale |= asked || !inspect_running(t->s);
	t->unread += (t->term || t->remote) && !asked;
	journal_add(&t->journal, "", text);
	journal_add(&t->journal, "", error);
	if (text[0])
		tui_message(t, ST_MESSAGE, "%.*s", (int)strcspn(text, "\n"), text);
	if (error[0])
		tui_message(t, ST_ERROR, "%.*s", (int)strcspn(error, "\n"), error);
	if (asked) {
		append_output(t, text);
		append_output(t, error);
	} else if (!t->term && !t->remote && error[0]) {
		fputs(error, stderr);
	}
	free(text);
	free(error);
}

/* Results of commands, stops in the background, asynchronous output. */
static void emit(void *ctx, const struct result *r)
{
	struct tui *t = ctx;

	if (!t->remote || !r->unasked) /* the service sends asynchronous output to all its viewers */
		tui_note(t, r);
}

/* Long output is shown over the screen, with the command as its title. */
static void show_output(struct tui *t, const char *line)
{
	size_t lines = 0;

	for (const char *p = t->output.text; p && *p; p++)
		lines += *p == '\n';
	if (lines < 2)
		return;
	free(t->overlay.text);
	t->overlay = (struct overlay){ .open = true, .text = t->output.text };
	snprintf(t->overlay.title, sizeof(t->overlay.title), "%.70s", line);
	t->output.text = NULL;
	tui_message(t, ST_MESSAGE, "%s", "");
}

void tui_show_journal(struct tui *t)
{
	struct overlay *o = &t->overlay;
	bool again = o->open && o->journal;

	free(o->text);
	if (!again)
		*o = (struct overlay){ .open = true, .at_end = true };
	o->text = journal_text(&t->journal);
	o->journal = t->journal.count;
	if (o->at_end)
		o->top = BOTTOM;
	snprintf(o->title, sizeof(o->title), "Journal");
	t->dirty = true;
}

/* Is LINE a plain "continue"? It runs the guest in the background, as the key does. */
static bool is_continue(const struct tui *t, const char *line)
{
	const struct command *c;
	char why[200];
	size_t n;

	line += strspn(line, " \t");
	n = strcspn(line, " \t");
	c = command_find(t->s, line, n, why, sizeof(why));
	return c && !strcmp(c->name, "continue") && !line[n + strspn(line + n, " \t")];
}

static unsigned generation(const struct tui *t)
{
	const struct inspect_snapshot *snap = inspect_snapshot(t->s);

	return snap ? snap->generation : 0;
}

void tui_exec(struct tui *t, bool brief, const char *fmt, ...)
{
	enum inspect_status st;
	char line[600];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(line, sizeof(line), fmt, ap);
	va_end(ap);
	if (t->busy)
		return;
	free(t->output.text);
	t->output.text = NULL;
	t->output.len = 0;
	t->message[0] = 0;
	t->busy = true;
	t->stale = t->dirty = true;
	if (!brief)
		journal_add(&t->journal, ":", line);
	st = inspect_exec(t->s, is_continue(t, line) ? "continue &" : line, &t->sink);
	t->busy = false;
	t->reported_stop = generation(t);
	t->stale = t->dirty = true;
	if (st == INSPECT_QUIT)
		t->quit = true;
	if (!brief)
		show_output(t, line);
}

/* ---- drawing ---- */

void tui_resize(struct tui *t, int w, int h)
{
	if (w == t->canvas.w && h == t->canvas.h)
		return;
	canvas_fini(&t->canvas);
	canvas_init(&t->canvas, w, h);
	t->stale = true;
}

static void fit_canvas(struct tui *t)
{
	int w, h;

	term_size(t->term, &w, &h);
	tui_resize(t, w, h);
}

bool tui_draw(struct tui *t, int *cx, int *cy)
{
	bool moved;

	if (t->lost || !t->dirty || tui_clock() < t->refresh.next_draw)
		return false;
	t->dirty = false;
	moved = t->moved;
	if (t->overlay.open && t->overlay.journal && t->overlay.journal != t->journal.count)
		tui_show_journal(t);
	frame_draw(t, cx, cy);
	t->refresh.next_draw = tui_clock() + DRAW_NS;
	if (t->moved && !moved) /* drawing found a new size */
		t->dirty = true;
	return true;
}

static void show(struct tui *t)
{
	int cx, cy;

	if (t->term && !t->away.link && tui_draw(t, &cx, &cy))
		term_show(t->term, &t->canvas, cx, cy);
}

/* ---- events ---- */

static void lose_terminal(struct tui *t)
{
	t->lost = t->quit = true;
	inspect_interrupt(t->s);
}

static void signal_ready(void *ctx, int fd)
{
	struct tui *t = ctx;
	int signo;

	while ((signo = signals_next(fd))) {
		if (signo == SIGWINCH) {
			if (t->term) {
				term_resized(t->term);
				fit_canvas(t);
				away_resize(t);
			}
			t->dirty = true;
			continue;
		}
		if (signo == SIGHUP && t->term)
			lose_terminal(t);
		t->ended_by = signo;
		t->quit = true;
		inspect_interrupt(t->s);
	}
}

static void keys_ready(void *ctx, int fd)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };
	struct tui *t = ctx;
	struct term_event e;
	bool any = false;

	while (!t->quit && term_key(t->term, &e)) {
		any = true;
		if (!away_key(t, &e))
			keys_press(t, &e);
	}
	if (!any && poll(&p, 1, 0) > 0 && (p.revents & (POLLHUP | POLLERR | POLLNVAL)))
		lose_terminal(t);
}

static void serial_ready(void *ctx, int fd)
{
	(void)fd;
	tui_drain(ctx);
}

static void drain(void *ctx)
{
	tui_drain(ctx);
}

/* While a command waits (finish, next, scripts): keep the screen up to date. */
static void idle(void *ctx, int timeout_ms)
{
	struct tui *t = ctx;

	if (t->term) {
		tui_refresh(t);
		show(t);
		timeout_ms = timeout_ms > 25 ? 25 : timeout_ms;
	}
	loop_turn(t->loop, timeout_ms, inspect_stop_fd(t->s));
	if (t->quit)
		inspect_interrupt(t->s);
}

void tui_watch_guest(struct tui *t)
{
	bool running = inspect_running(t->s);
	struct result r;

	if (!running && !t->busy && t->reported_stop != generation(t)) {
		inspect_stop_record(t->s, &r);
		emit(t, &r);
		result_fini(&r);
		t->reported_stop = generation(t);
	}
	if (running != t->was_running)
		t->dirty = true;
	if (!t->was_running && running)
		t->message[0] = 0;
	t->was_running = running;
}

/* The guest may have stopped by itself: the session reports it, or it was noticed while the guest was held.
 */
static void watch_guest(struct tui *t)
{
	bool ran = inspect_running(t->s);

	inspect_poll(t->s, &t->sink);
	if (ran && !inspect_running(t->s) && t->message[0])
		t->reported_stop = generation(t);
	tui_watch_guest(t);
}

int tui_timeout(struct tui *t)
{
	int64_t now = tui_clock(), until = now + 1000000000;

	if (inspect_running(t->s) && t->paused && now - t->refresh.next_draw >= 1000000000)
		t->dirty = true; /* the ages of the panes */
	if (inspect_running(t->s) && t->refresh.next_live < until)
		until = t->refresh.next_live;
	if ((t->stale || t->moved) && inspect_running(t->s))
		until = t->refresh.next_wanted < until ? t->refresh.next_wanted : until;
	else if (t->stale || t->moved)
		return 0;
	if (tui_is_host(t) && t->refresh.next_live < until)
		until = t->refresh.next_live;
	if (t->dirty)
		until = t->refresh.next_draw < until ? t->refresh.next_draw : until;
	return until > now ? (int)((until - now) / 1000000) + 1 : 0;
}

static void live(struct tui *t)
{
	while (!t->quit && !t->ended_by && !inspect_must_end(t->s) && !debug_quitting(t->s)) {
		if (!t->away.link)
			tui_refresh(t);
		show(t);
		loop_turn(t->loop, t->away.link ? 1000 : tui_timeout(t),
			  inspect_running(t->s) ? inspect_stop_fd(t->s) : -1);
		watch_guest(t);
		away_check(t);
	}
}

/* ---- setting up ---- */

static bool take_signals(struct tui *t, char *err, size_t errlen)
{
	t->signal_fd = signals_take((const int[]){ SIGTERM, SIGHUP, SIGWINCH, SIGINT, 0 });
	if (t->signal_fd >= 0)
		loop_watch(t->loop, t->signal_fd, signal_ready, t);
	else
		snprintf(err, errlen, "signals: %s", strerror(errno));
	return t->signal_fd >= 0;
}

void tui_init(struct tui *t, const struct tui_config *cfg, struct inspect *s)
{
	*t = (struct tui){ .cfg = cfg, .s = s, .signal_fd = -1 };
	t->sink = (struct inspect_sink){ .ctx = t, .emit = emit };
	t->refresh.period =
	    (cfg->delay > 0 && !cfg->batch ? (int64_t)(cfg->delay * 1e9) : PERIOD_MS * 1000000ll);
	t->message_style = ST_MESSAGE;
	vt_init(&t->vt);
	screens_init(t);
	canvas_init(&t->canvas, cfg->width ? cfg->width : WIDTH, cfg->height ? cfg->height : HEIGHT);
}

void tui_fini(struct tui *t)
{
	query_free_all(t);
	screens_fini(t);
	canvas_fini(&t->canvas);
	vt_fini(&t->vt);
	free(t->overlay.text);
	free(t->output.text);
	journal_fini(&t->journal);
}

struct tui *tui_new(const struct tui_config *cfg, struct inspect *s, char *err, size_t errlen)
{
	struct tui *t = xcalloc(1, sizeof(*t));

	tui_init(t, cfg, s);
	t->loop = loop_new();
	if (!take_signals(t, err, errlen) ||
	    (serial_port_is(cfg->serial) &&
	     !(t->port = serial_port_new(s, t->loop, cfg->serial, err, errlen)))) {
		tui_free(t);
		return NULL;
	}
	inspect_set_sink(s, &t->sink);
	inspect_serial_taken(s, true);
	loop_watch(t->loop, inspect_serial_fd(s), serial_ready, t);
	inspect_set_face(s, &(struct inspect_face){ .ctx = t, .idle = idle, .drain = drain });
	return t;
}

void tui_free(struct tui *t)
{
	if (!t)
		return;
	term_free(t->term);
	serial_port_free(t->port);
	if (t->signal_fd >= 0)
		close(t->signal_fd);
	loop_free(t->loop);
	tui_fini(t);
	free(t);
}

struct loop *tui_loop(struct tui *t)
{
	return t->loop;
}

/* ---- main ---- */

bool tui_is_host(const struct tui *t)
{
	return !inspect_has_machine(t->s) && inspect_view_is_live(t->s, "memory");
}

static void show_screen(struct tui *t, const char *name)
{
	for (int i = 0; screens[i]; i++)
		if (!strcmp(screens[i]->name, name))
			t->screen = i;
}

void tui_greet(struct tui *t)
{
	t->reported_stop = generation(t);
	if (tui_is_host(t))
		show_screen(t, "memory");
	if (t->message[0])
		return;
	if (tui_is_host(t)) {
		tui_message(t, ST_MESSAGE, "V shows one of the VMs, : command (vm start, vm list), ? help");
		return;
	}
	if (!inspect_has_machine(t->s))
		tui_message(t, ST_MESSAGE, "no guest: vitrine tui demo runs the embedded one");
	else if (inspect_running(t->s))
		tui_message(t, ST_MESSAGE,
			    "Space stops the guest, o next pane, 1-9 0 screens, : command, ? help");
	else
		tui_message(t, ST_MESSAGE,
			    "c runs, s steps, b breaks, o next pane, 1-9 0 screens, : command, ? help");
}

static int interactive(struct tui *t)
{
	char err[300];

	t->term = term_new(err, sizeof(err));
	if (!t->term) {
		fprintf(stderr, "vitrine: %s\n", err);
		return CANNOT;
	}
	stderr_capture_begin(t);
	layouts_load(t);
	prompt_init(t);
	fit_canvas(t);
	loop_watch(t->loop, STDIN_FILENO, keys_ready, t);
	tui_greet(t);
	t->stale = t->dirty = true;
	live(t);
	loop_forget(t->loop, STDIN_FILENO);
	if (inspect_running(t->s))
		inspect_exec(t->s, "stop", NULL);
	layouts_save(t);
	prompt_fini(t);
	away_fini(t);
	stderr_capture_end(t);
	term_free(t->term);
	t->term = NULL;
	if (t->ended_by)
		return 128 + t->ended_by;
	return t->lost ? LOST : 0;
}

static int without_terminal(struct tui *t, enum inspect_status st)
{
	if (st == INSPECT_FAILED)
		return FAILED;
	if (t->ended_by)
		return 128 + t->ended_by;
	return t->quit ? 0 : dump_main(t);
}

int tui_main(struct tui *t)
{
	enum inspect_status st;
	char why[300];
	int status;

	if (t->cfg->timeout > 0)
		inspect_set_deadline(t->s, t->cfg->timeout);
	if (!t->cfg->no_rc)
		start_rc(t->s, &t->sink);
	st = start_scripts(t->s, t->cfg->scripts, t->cfg->nscripts, &t->sink, &t->quit);
	if (st == INSPECT_QUIT)
		t->quit = true;
	if (t->cfg->dump || t->cfg->batch)
		status = without_terminal(t, st);
	else if (t->quit || st == INSPECT_FAILED)
		status = t->ended_by ? 128 + t->ended_by : st == INSPECT_FAILED ? FAILED : 0;
	else
		status = interactive(t);
	if (inspect_must_end(t->s)) {
		status = inspect_exit_status(t->s, why, sizeof(why));
		fprintf(stderr, "vitrine: %s\n", why);
	}
	return status;
}
