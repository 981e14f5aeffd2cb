/* SPDX-License-Identifier: GPL-3.0-or-later
 * "vitrine attach": a shell whose session is at the other end of a control socket. It
 * knows nothing but the protocol: a line goes out as a request, its text comes back. */
#include "console/control.h"
#include "base/loop.h"
#include "base/signals.h"

#include <errno.h>
#include <jansson.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <readline/history.h>
#include <readline/readline.h>

struct attached {
	const struct options *o;
	struct loop *loop;
	int fd, signal_fd;
	char *in;
	size_t len, cap;
	uint64_t last_id;
	bool waiting; /* for the answer to LAST_ID */
	bool failed;  /* that answer was an error */
	bool over;    /* the other end is gone, or we are done */
	bool at_prompt;
	bool mid_line; /* guest output did not end its line */
};

/* Readline gives its callbacks no context. */
static _Thread_local struct attached *prompting;

static bool send_line(struct attached *a, const json_t *req)
{
	char *line = json_dumps(req, JSON_COMPACT);
	size_t n = strlen(line), done = 0;
	ssize_t k;

	line[n++] = '\n';
	while (done < n && ((k = send(a->fd, line + done, n - done, MSG_NOSIGNAL)) > 0 || errno == EINTR))
		done += k > 0 ? (size_t)k : 0;
	free(line);
	return done == n;
}

static void ask(struct attached *a, const char *command, uint64_t id)
{
	json_t *req = json_pack("{sI ss sb}", "id", (json_int_t)id, "command", command, "text", !a->o->json);

	if (!req) {
		fprintf(stderr, "the command is not UTF-8\n");
		a->failed = true;
		return;
	}
	a->waiting = id != 0;
	if (!send_line(a, req))
		a->over = true;
	json_decref(req);
}

/* ---- what comes back ---- */

static void show_answer(struct attached *a, const json_t *msg)
{
	const json_t *text = json_object_get(msg, "text"), *error = json_object_get(msg, "error"), *row;
	const json_t *rows = json_object_get(msg, "results");
	size_t i;

	if (json_integer_value(json_object_get(msg, "id")) != (json_int_t)a->last_id || !a->waiting)
		return;
	a->waiting = false;
	a->failed = !json_is_true(json_object_get(msg, "ok"));
	if (a->mid_line)
		putchar('\n');
	a->mid_line = false;
	if (json_is_string(text))
		fwrite(json_string_value(text), 1, json_string_length(text), stdout);
	json_array_foreach(rows, i, row) {
		json_dumpf(row, stdout, JSON_COMPACT | JSON_ENCODE_ANY);
		putchar('\n');
	}
	fflush(stdout);
	if (error)
		fprintf(stderr, "%s\n", json_string_value(error));
}

static void show_message(struct attached *a, const json_t *msg)
{
	const char *event = json_string_value(json_object_get(msg, "event"));
	const json_t *text = json_object_get(msg, "text");

	if (!event) {
		show_answer(a, msg);
		return;
	}
	if (strcmp(event, "serial") || !json_string_length(text))
		return;
	if (a->at_prompt)
		putchar('\n');
	fwrite(json_string_value(text), 1, json_string_length(text), stdout);
	a->mid_line = json_string_value(text)[json_string_length(text) - 1] != '\n';
	fflush(stdout);
	if (a->at_prompt) {
		if (a->mid_line)
			putchar('\n');
		a->mid_line = false;
		rl_on_new_line();
		rl_redisplay();
	}
}

static void socket_ready(void *ctx, int fd)
{
	struct attached *a = ctx;
	json_t *msg;
	ssize_t n;
	char *end;

	if (a->cap - a->len < 65536) {
		a->cap = a->cap * 2 + 65536;
		a->in = realloc(a->in, a->cap);
		if (!a->in)
			abort();
	}
	n = recv(fd, a->in + a->len, a->cap - a->len, 0);
	if (n <= 0) {
		a->over = n == 0 || errno != EINTR;
		return;
	}
	a->len += (size_t)n;
	while (a->len && (end = memchr(a->in, '\n', a->len))) {
		msg = json_loadb(a->in, (size_t)(end - a->in), 0, NULL);
		if (msg)
			show_message(a, msg);
		json_decref(msg);
		a->len -= (size_t)(end + 1 - a->in);
		memmove(a->in, end + 1, a->len);
	}
}

/* ---- commands ---- */

/* One command line to its answer. False: it failed. */
static bool execute(struct attached *a, const char *line)
{
	bool may_fail;

	line += strspn(line, " \t");
	may_fail = *line == '-';
	if (!*line || *line == '#')
		return true;
	if (!strcmp(line, "quit") || !strcmp(line, "q") || !strcmp(line, "detach")) {
		a->over = true;
		return true;
	}
	a->failed = false;
	ask(a, line, ++a->last_id);
	while (a->waiting && !a->over)
		loop_turn(a->loop, -1, -1);
	if (a->waiting) {
		fprintf(stderr, "vitrine: the session has ended\n");
		return false;
	}
	return may_fail || !a->failed;
}

static bool run_file(struct attached *a, const char *path)
{
	FILE *f = strcmp(path, "-") ? fopen(path, "re") : stdin;
	char *line = NULL;
	size_t cap = 0;
	bool ok = f != NULL;

	if (!f)
		fprintf(stderr, "vitrine: %s: %s\n", path, strerror(errno));
	while (ok && !a->over && getline(&line, &cap, f) > 0) {
		line[strcspn(line, "\r\n")] = 0;
		ok = execute(a, line);
	}
	free(line);
	if (f && f != stdin)
		fclose(f);
	return ok;
}

static bool run_scripts(struct attached *a)
{
	bool ok = true;

	for (size_t i = 0; i < a->o->nscripts && ok && !a->over; i++) {
		const struct script *sc = &a->o->scripts[i];

		ok = sc->file ? run_file(a, sc->text) : execute(a, sc->text);
	}
	return ok;
}

/* ---- the shell ---- */

static void line_done(char *line)
{
	struct attached *a = prompting;

	rl_callback_handler_remove();
	a->at_prompt = false;
	loop_forget(a->loop, STDIN_FILENO);
	if (!line)
		a->over = true;
	else if (line[strspn(line, " \t")])
		add_history(line);
	if (line)
		execute(a, line);
	free(line);
}

static void key_ready(void *ctx, int fd)
{
	(void)ctx;
	(void)fd;
	rl_callback_read_char();
}

static void signal_ready(void *ctx, int fd)
{
	struct attached *a = ctx;
	int signo = signals_next(fd);

	if (!signo)
		return;
	if (signo != SIGINT || (!a->waiting && !a->at_prompt)) {
		a->over = true;
	} else if (a->waiting) {
		ask(a, "stop", 0);
		a->waiting = true;
	} else {
		rl_callback_sigcleanup();
		rl_replace_line("", 0);
		rl_crlf();
		rl_on_new_line();
		rl_redisplay();
	}
}

static void interactive(struct attached *a)
{
	json_t *req = json_pack("{si s[s]}", "id", 0, "subscribe", "serial");

	a->over = !send_line(a, req);
	json_decref(req);
	prompting = a;
	rl_readline_name = "vitrine";
	rl_catch_signals = 0;
	using_history();
	while (!a->over) {
		rl_callback_handler_install("(vitrine) ", line_done);
		a->at_prompt = true;
		loop_watch(a->loop, STDIN_FILENO, key_ready, a);
		while (a->at_prompt && !a->over)
			loop_turn(a->loop, -1, -1);
	}
	if (a->at_prompt)
		rl_callback_handler_remove();
	putchar('\n');
	prompting = NULL;
}

/* ---- life ---- */

static void take_signals(struct attached *a)
{
	a->signal_fd = signals_take((const int[]){ SIGINT, SIGTERM, SIGHUP, 0 });
	if (a->signal_fd >= 0)
		loop_watch(a->loop, a->signal_fd, signal_ready, a);
}

int attach_connect(const char *path)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (!strncmp(path, "unix:", 5))
		path += 5;
	if (strlen(path) >= sizeof(addr.sun_path)) {
		errno = ENAMETOOLONG;
	} else if (fd >= 0) {
		strcpy(addr.sun_path, path);
		if (connect(fd, (struct sockaddr *)&addr, sizeof(addr)) == 0)
			return fd;
	}
	fprintf(stderr, "vitrine: %s: %s\n", path, strerror(errno));
	if (fd >= 0)
		close(fd);
	return -1;
}

int attach_main(const struct options *o)
{
	struct attached a = { .o = o, .fd = attach_connect(o->attach), .signal_fd = -1 };
	bool ok = true;

	if (a.fd < 0)
		return STATUS_CANNOT;
	a.loop = loop_new();
	loop_watch(a.loop, a.fd, socket_ready, &a);
	take_signals(&a);
	if (o->nscripts)
		ok = run_scripts(&a);
	if (ok && !a.over && (!o->nscripts || o->interactive)) {
		if (isatty(STDIN_FILENO))
			interactive(&a);
		else
			ok = run_file(&a, "-");
	}
	close(a.fd);
	if (a.signal_fd >= 0)
		close(a.signal_fd);
	loop_free(a.loop);
	free(a.in);
	return ok ? 0 : STATUS_FAILED;
}
