/* SPDX-License-Identifier: GPL-3.0-or-later
 * The dashboard's life: the terminal, signals, the event loop, commands. */
#include "tui/tui_int.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <unistd.h>

enum { FAILED = 1, CANNOT = 125, DRAW_NS = 25 * 1000 * 1000, PERIOD_MS = 200, WIDTH = 80, HEIGHT = 24 };

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
	FILE *f = open_memstream(&text, &len);

	if (!f)
		abort();
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

	t->output = realloc(t->output, t->output_len + n + 1);
	if (!t->output)
		abort();
	memcpy(t->output + t->output_len, text, n + 1);
	t->output_len += n;
}

/* Results of commands, and stops that happen in the background. */
static void emit(void *ctx, const struct result *r)
{
	struct tui *t = ctx;
	char *text = rendered(r, false), *error = rendered(r, true);

	t->stale = true;
	if (text[0])
		tui_message(t, ST_MESSAGE, "%.*s", (int)strcspn(text, "\n"), text);
	if (error[0])
		tui_message(t, ST_ERROR, "%.*s", (int)strcspn(error, "\n"), error);
	if (t->busy) {
		append_output(t, text);
		append_output(t, error);
	} else if (!t->term && error[0]) {
		fputs(error, stderr);
	}
	free(text);
	free(error);
}

/* Long output is shown over the screen, with the command as its title. */
static void show_output(struct tui *t, const char *line)
{
	size_t lines = 0;

	for (const char *p = t->output; p && *p; p++)
		lines += *p == '\n';
	if (lines < 2)
		return;
	free(t->overlay.text);
	t->overlay = (struct overlay){ .open = true, .text = t->output };
	snprintf(t->overlay.title, sizeof(t->overlay.title), "%.70s", line);
	t->output = NULL;
	tui_message(t, ST_MESSAGE, "%s", "");
}

/* "c" and the like, typed: the guest runs in the background, as with the key. */
static bool is_continue(const char *line)
{
	static const char *const words[] = { "c", "cont", "continue" };
	size_t n;

	line += strspn(line, " \t");
	n = strcspn(line, " \t");
	for (size_t i = 0; i < ARRAY_LEN(words); i++)
		if (strlen(words[i]) == n && !strncmp(line, words[i], n) &&
		    !line[n + strspn(line + n, " \t")])
			return true;
	return false;
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
	free(t->output);
	t->output = NULL;
	t->output_len = 0;
	t->message[0] = 0;
	t->busy = true;
	t->stale = t->dirty = true;
	st = inspect_exec(t->s, is_continue(line) ? "continue &" : line, &t->sink);
	t->busy = false;
	t->stale = t->dirty = true;
	if (st == INSPECT_QUIT)
		t->quit = true;
	if (!brief)
		show_output(t, line);
}

/* ---- drawing ---- */

static void fit_canvas(struct tui *t)
{
	int w, h;

	term_size(t->term, &w, &h);
	if (w == t->canvas.w && h == t->canvas.h)
		return;
	canvas_fini(&t->canvas);
	canvas_init(&t->canvas, w, h);
	t->stale = true;
}

static void show(struct tui *t)
{
	int cx, cy;

	if (!t->term || t->lost || !t->dirty || tui_clock() < t->next_draw)
		return;
	t->dirty = false;
	screen_draw(t, &cx, &cy);
	term_show(t->term, &t->canvas, cx, cy);
	t->next_draw = tui_clock() + DRAW_NS;
	if (t->moved) /* drawing found out what fits */
		t->dirty = true;
}

/* ---- events ---- */

static void lose_terminal(struct tui *t)
{
	t->lost = t->quit = true;
	inspect_interrupt(t->s);
}

static void signal_ready(void *ctx, int fd)
{
	struct signalfd_siginfo si;
	struct tui *t = ctx;

	while (read(fd, &si, sizeof(si)) == sizeof(si)) {
		if (si.ssi_signo == SIGWINCH) {
			if (t->term) {
				term_resized(t->term);
				fit_canvas(t);
			}
			t->dirty = true;
			continue;
		}
		if (si.ssi_signo == SIGHUP && t->term)
			lose_terminal(t);
		t->ended_by = (int)si.ssi_signo;
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

/* While a command waits (finish, next, scripts): the screen goes on. */
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

/* The guest may have stopped by itself: said by the session, or noticed while it was held for a look. */
static void watch_guest(struct tui *t)
{
	bool running;

	inspect_poll(t->s, &t->sink);
	running = inspect_running(t->s);
	if (t->was_running && !running && !t->message[0]) {
		struct result r;

		inspect_stop_record(t->s, &r);
		emit(t, &r);
		result_fini(&r);
	}
	if (running != t->was_running)
		t->dirty = true;
	if (!t->was_running && running)
		t->message[0] = 0;
	t->was_running = running;
}

static int next_timeout(const struct tui *t)
{
	int64_t now = tui_clock(), until = now + 1000000000;

	if (inspect_running(t->s) && t->next_live < until)
		until = t->next_live;
	if (t->dirty || t->stale || t->moved)
		until = t->next_draw < until ? t->next_draw : until;
	return until > now ? (int)((until - now) / 1000000) + 1 : 0;
}

static void live(struct tui *t)
{
	while (!t->quit && !t->ended_by && !inspect_timed_out(t->s)) {
		tui_refresh(t);
		show(t);
		loop_turn(t->loop, next_timeout(t), inspect_running(t->s) ? inspect_stop_fd(t->s) : -1);
		watch_guest(t);
	}
}

/* ---- setting up ---- */

static bool take_signals(struct tui *t)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGHUP);
	sigaddset(&set, SIGWINCH);
	sigaddset(&set, SIGINT);
	sigprocmask(SIG_BLOCK, &set, NULL);
	signal(SIGPIPE, SIG_IGN);
	t->signal_fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	if (t->signal_fd >= 0)
		loop_watch(t->loop, t->signal_fd, signal_ready, t);
	return t->signal_fd >= 0;
}

struct tui *tui_new(const struct tui_config *cfg, struct inspect *s, char *err, size_t errlen)
{
	struct tui *t = calloc(1, sizeof(*t));

	if (!t)
		abort();
	t->cfg = cfg;
	t->s = s;
	t->sink = (struct inspect_sink){ .ctx = t, .emit = emit };
	t->loop = loop_new();
	t->period = (cfg->delay > 0 && !cfg->batch ? (int64_t)(cfg->delay * 1e9) : PERIOD_MS * 1000000ll);
	t->message_style = ST_MESSAGE;
	vt_init(&t->vt);
	screens_init(t);
	canvas_init(&t->canvas, cfg->width ? cfg->width : WIDTH, cfg->height ? cfg->height : HEIGHT);
	if (!take_signals(t)) {
		snprintf(err, errlen, "signals: %s", strerror(errno));
		tui_free(t);
		return NULL;
	}
	if (cfg->serial_file && !(t->serial_copy = fopen(cfg->serial_file, "we"))) {
		snprintf(err, errlen, "--serial: %s: %s", cfg->serial_file, strerror(errno));
		tui_free(t);
		return NULL;
	}
	inspect_serial_taken(s, true);
	loop_watch(t->loop, inspect_serial_fd(s), serial_ready, t);
	inspect_set_face(s, &(struct inspect_face){ .ctx = t, .idle = idle });
	return t;
}

void tui_free(struct tui *t)
{
	if (!t)
		return;
	term_free(t->term);
	look_free_all(t);
	screens_fini(t);
	canvas_fini(&t->canvas);
	vt_fini(&t->vt);
	if (t->serial_copy)
		fclose(t->serial_copy);
	if (t->signal_fd >= 0)
		close(t->signal_fd);
	loop_free(t->loop);
	free(t->overlay.text);
	free(t->output);
	free(t);
}

struct loop *tui_loop(struct tui *t)
{
	return t->loop;
}

/* ---- scripts ---- */

static enum inspect_status run_file(struct tui *t, const char *path)
{
	FILE *f = strcmp(path, "-") ? fopen(path, "re") : stdin;
	enum inspect_status st;

	if (!f) {
		fprintf(stderr, "vitrine: %s: %s\n", path, strerror(errno));
		return INSPECT_FAILED;
	}
	st = inspect_script(t->s, f, path, &t->sink);
	if (f != stdin)
		fclose(f);
	return st;
}

/* ~/.config/vitrine/rc, when there is one. */
static void run_rc(struct tui *t)
{
	const char *config = getenv("XDG_CONFIG_HOME"), *home = getenv("HOME");
	char path[4096];

	if (t->cfg->no_rc)
		return;
	if (config && config[0] == '/')
		snprintf(path, sizeof(path), "%s/vitrine/rc", config);
	else
		snprintf(path, sizeof(path), "%s/.config/vitrine/rc", home ? home : "");
	if (access(path, R_OK) == 0)
		run_file(t, path);
}

static enum inspect_status run_scripts(struct tui *t)
{
	enum inspect_status st = INSPECT_OK;

	for (size_t i = 0; i < t->cfg->nscripts && st == INSPECT_OK && !t->quit; i++)
		st = t->cfg->scripts[i].file ? run_file(t, t->cfg->scripts[i].text)
					     : inspect_exec(t->s, t->cfg->scripts[i].text, &t->sink);
	if (st == INSPECT_QUIT)
		t->quit = true;
	return st;
}

/* ---- main ---- */

static void greet(struct tui *t)
{
	if (t->message[0])
		return;
	if (!inspect_has_machine(t->s))
		tui_message(t, ST_MESSAGE, "no guest: vitrine tui demo shows the embedded one");
	else
		tui_message(
		    t, ST_MESSAGE,
		    "c runs the guest, s steps, b breaks, o next pane, 1-5 screens, : command, ? help");
}

static int interactive(struct tui *t)
{
	char err[300];

	t->term = term_new(err, sizeof(err));
	if (!t->term) {
		fprintf(stderr, "vitrine: %s\n", err);
		return CANNOT;
	}
	layouts_load(t);
	prompt_init(t);
	fit_canvas(t);
	loop_watch(t->loop, STDIN_FILENO, keys_ready, t);
	greet(t);
	t->stale = t->dirty = true;
	live(t);
	loop_forget(t->loop, STDIN_FILENO);
	if (inspect_running(t->s))
		inspect_exec(t->s, "stop", NULL);
	layouts_save(t);
	prompt_fini(t);
	term_free(t->term);
	t->term = NULL;
	if (t->ended_by)
		return 128 + t->ended_by;
	return t->lost ? STATUS_LOST : 0;
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
	run_rc(t);
	st = run_scripts(t);
	if (t->cfg->dump || t->cfg->batch)
		status = without_terminal(t, st);
	else if (t->quit || st == INSPECT_FAILED)
		status = t->ended_by ? 128 + t->ended_by : st == INSPECT_FAILED ? FAILED : 0;
	else
		status = interactive(t);
	if (inspect_timed_out(t->s)) {
		status = inspect_exit_status(t->s, why, sizeof(why));
		fprintf(stderr, "vitrine: %s\n", why);
	}
	return status;
}
