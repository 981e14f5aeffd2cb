/* SPDX-License-Identifier: GPL-3.0-or-later
 * "vitrine attach": a shell whose session is at the other end of a control socket. It
 * knows nothing but the protocol: a line goes out as a request, its text comes back.
 *
 * While a command runs the guest, input goes to its serial port, as in the shell. Input typed
 * while any other command executes is kept for the next prompt. */
#include "console/console_int.h"
#include "base/alloc.h"
#include "base/file.h"
#include "base/runtime.h"
#include "console/control.h"
#include "base/signals.h"

#include <errno.h>
#include <jansson.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <readline/history.h>
#include <readline/readline.h>

enum { CTRL_C = 3, CTRL_BRACKET = 0x1d, MAX_KEYS = 256 };

struct attached {
	const struct options *o;
	struct loop *loop;
	int fd, signal_fd;
	char *in;
	size_t len, cap;
	uint64_t last_id;
	bool waiting;	 /* for the answer to LAST_ID */
	bool failed;	 /* that answer was an error */
	bool ended;	 /* the connection is closed, or the user left */
	bool guest_runs; /* a command runs the guest, */
	bool handed;	 /* which has our keyboard */
	bool at_prompt;
	bool mid_line; /* the last guest output did not end in a newline */
	struct async_output async;
	struct pager pager;
	char *page, *page_error; /* an answer to display, and the error below it; NULL: none */
	char *repeat;		 /* the command an empty line repeats; NULL: none */
	struct terminal term;
	struct completions *completions; /* of the word being completed; NULL: none is */
	bool files;			 /* it is completed by file names */
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
		a->ended = true;
	json_decref(req);
}

/* ---- answers and events ---- */

static void take_words(struct attached *a, const json_t *rows)
{
	const json_t *row;
	size_t i;

	json_array_foreach(rows, i, row)
	{
		const char *word = json_string_value(json_object_get(row, "word"));

		if (word)
			completion_add(a->completions, word);
		a->files |= json_is_true(json_object_get(row, "file"));
	}
}

static void show_answer(struct attached *a, const json_t *msg)
{
	const json_t *text = json_object_get(msg, "text"), *error = json_object_get(msg, "error"), *row;
	const json_t *rows = json_object_get(msg, "results");
	const char *repeat = json_string_value(json_object_get(msg, "repeat"));
	size_t i;

	if (json_integer_value(json_object_get(msg, "id")) != (json_int_t)a->last_id || !a->waiting)
		return;
	a->waiting = false;
	if (a->completions) {
		take_words(a, rows);
		return;
	}
	a->failed = !json_is_true(json_object_get(msg, "ok"));
	free(a->repeat);
	a->repeat = repeat ? xstrdup(repeat) : NULL;
	if (a->mid_line)
		putchar('\n');
	a->mid_line = false;
	if (json_is_string(text) && prompting)
		a->page = xstrdup(json_string_value(text));
	else if (json_is_string(text))
		fwrite(json_string_value(text), 1, json_string_length(text), stdout);
	json_array_foreach(rows, i, row)
	{
		json_dumpf(row, stdout, JSON_COMPACT | JSON_ENCODE_ANY);
		putchar('\n');
	}
	fflush(stdout);
	if (error && a->page)
		a->page_error = xstrdup(json_string_value(error));
	else if (error)
		fprintf(stderr, "%s\n", json_string_value(error));
}

/* Asynchronous text, above the line being edited if there is one. OWN_LINE: it starts on a new line. */
static void show_text(struct attached *a, const char *text, size_t n, bool own_line)
{
	if (a->at_prompt) {
		if (own_line && a->async.mid_line)
			async_output_write(&a->async, "\n", 1);
		async_output_write(&a->async, text, n);
		return;
	}
	if (own_line && a->mid_line)
		putchar('\n');
	fwrite(text, 1, n, stdout);
	a->mid_line = text[n - 1] != '\n';
	fflush(stdout);
}

/* Rows of asynchronous output, for --json. */
static void show_rows(struct attached *a, const json_t *rows)
{
	const json_t *row;
	size_t i;

	json_array_foreach(rows, i, row)
	{
		char *line = json_dumps(row, JSON_COMPACT | JSON_ENCODE_ANY);
		size_t n = strlen(line);

		line[n++] = '\n';
		show_text(a, line, n, true);
		free(line);
	}
}

static void show_message(struct attached *a, const json_t *msg)
{
	const char *event = json_string_value(json_object_get(msg, "event"));
	const json_t *text = json_object_get(msg, "text");

	if (!event)
		show_answer(a, msg);
	else if (!strcmp(event, "run"))
		a->guest_runs = json_is_true(json_object_get(msg, "on"));
	else if (!json_string_length(text) || (!strcmp(event, "stopped") && a->waiting))
		return; /* the answer we wait for reports it too */
	else if (a->o->json && json_array_size(json_object_get(msg, "results")))
		show_rows(a, json_object_get(msg, "results"));
	else
		show_text(a, json_string_value(text), json_string_length(text), strcmp(event, "serial") != 0);
}

static void socket_ready(void *ctx, int fd)
{
	struct attached *a = ctx;
	json_t *msg;
	ssize_t n;
	char *end;

	if (a->cap - a->len < 65536) {
		a->cap = a->cap * 2 + 65536;
		a->in = xrealloc(a->in, a->cap);
	}
	n = recv(fd, a->in + a->len, a->cap - a->len, 0);
	if (n <= 0) {
		a->ended = n == 0 || errno != EINTR;
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

/* ---- the guest's keyboard, while a command waits ---- */

/* Send BYTES as an escaped argument of the command "serial". */
static void send_keys(struct attached *a, const char *bytes, size_t n)
{
	char line[16 + 4 * MAX_KEYS];
	size_t len = (size_t)snprintf(line, sizeof(line), "serial \"");

	for (size_t i = 0; i < n; i++)
		len += (size_t)snprintf(line + len, sizeof(line) - len, "\\x%02x", (unsigned char)bytes[i]);
	snprintf(line + len, sizeof(line) - len, "\"");
	if (n) {
		ask(a, line, 0);
		a->waiting = true;
	}
}

static void stop_guest(struct attached *a)
{
	ask(a, "stop", 0);
	a->waiting = true;
}

static void typed_ready(void *ctx, int fd)
{
	struct attached *a = ctx;
	char buf[MAX_KEYS];
	ssize_t n = read(fd, buf, sizeof(buf));
	size_t kept = 0;

	if (n <= 0) {
		a->ended = n == 0 || errno != EINTR;
		return;
	}
	for (ssize_t i = 0; i < n; i++) {
		if (buf[i] == CTRL_C || buf[i] == CTRL_BRACKET)
			stop_guest(a);
		else
			buf[kept++] = buf[i];
	}
	send_keys(a, buf, kept);
}

/* Give the guest the keyboard, or take it back. */
static void hand_over(struct attached *a, bool on)
{
	if (a->handed == on)
		return;
	a->handed = on;
	if (on) {
		terminal_raw(&a->term, STDIN_FILENO);
		loop_watch(a->loop, STDIN_FILENO, typed_ready, a);
	} else {
		loop_forget(a->loop, STDIN_FILENO);
		terminal_restore(&a->term, STDIN_FILENO);
	}
}

static void await_answer(struct attached *a)
{
	while (a->waiting && !a->ended) {
		hand_over(a, prompting && a->term.is_tty && a->guest_runs);
		loop_turn(a->loop, -1, -1);
	}
	hand_over(a, false);
}

static bool pager_is_abandoned(void *ctx)
{
	const struct attached *a = ctx;

	return a->ended;
}

/* Display the answer. The pager turns the event loop, so this must not be called from the socket's handler.
 */
static void show_page(struct attached *a)
{
	char *page = a->page, *error = a->page_error;

	a->page = a->page_error = NULL;
	if (!page)
		return;
	pager_show(&a->pager, page);
	fflush(stdout);
	if (error)
		fprintf(stderr, "%s\n", error);
	free(page);
	free(error);
}

/* Commands that would end the session if it received them: here they end the connection ("-quit" is sent). */
static bool leaves(const char *line)
{
	static const char *const words[] = { "q", "qu", "qui", "quit", "exi", "exit", "detach" };
	size_t n = strcspn(line, " \t\r\n");

	for (size_t i = 0; i < ARRAY_LEN(words); i++)
		if (strlen(words[i]) == n && !memcmp(words[i], line, n))
			return !line[n + strspn(line + n, " \t\r\n")];
	return false;
}

/* Execute one command line and wait for its answer. False: it failed. */
static bool execute(struct attached *a, const char *line)
{
	bool may_fail;

	line += strspn(line, " \t");
	may_fail = *line == '-';
	if (!*line || *line == '#')
		return true;
	if (leaves(line)) {
		a->ended = true;
		return true;
	}
	a->failed = false;
	ask(a, line, ++a->last_id);
	await_answer(a);
	show_page(a);
	if (a->waiting) {
		fprintf(stderr, "vitrine: the session has ended\n");
		return false;
	}
	return may_fail || !a->failed;
}

static bool run_file(struct attached *a, const char *path)
{
	FILE *f = strcmp(path, "-") ? file_open(path) : stdin;
	char *line = NULL;
	size_t cap = 0;
	bool ok = f != NULL;

	if (!f)
		fprintf(stderr, "vitrine: %s: %s\n", path, strerror(errno));
	while (ok && !a->ended && getline(&line, &cap, f) > 0) {
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

	for (size_t i = 0; i < a->o->nscripts && ok && !a->ended; i++) {
		const struct script *sc = &a->o->scripts[i];

		ok = sc->file ? run_file(a, sc->text) : execute(a, sc->text);
	}
	return ok;
}

/* ---- the shell ---- */

static void key_ready(void *ctx, int fd)
{
	struct attached *a = ctx;

	(void)fd;
	async_output_end(&a->async, true);
	rl_callback_read_char();
}

static char **complete(const char *text, int start, int end)
{
	struct attached *a = prompting;
	struct completions w = { 0 };
	char *line = xstrndup(rl_line_buffer, (size_t)end);
	json_t *req = json_pack("{sI ss}", "id", (json_int_t)++a->last_id, "complete", line ? line : "");

	(void)text;
	(void)start;
	a->completions = &w;
	a->files = false;
	loop_forget(a->loop, STDIN_FILENO); /* it is our caller */
	a->waiting = req != NULL;
	if (req && !send_line(a, req))
		a->ended = true;
	while (a->waiting && !a->ended)
		loop_turn(a->loop, -1, -1);
	loop_watch(a->loop, STDIN_FILENO, key_ready, a);
	a->completions = NULL;
	json_decref(req);
	free(line);
	rl_attempted_completion_over = !a->files;
	return completion_for_readline(&w);
}

static void line_done(char *line)
{
	struct attached *a = prompting;
	char *again;

	rl_callback_handler_remove();
	a->at_prompt = false;
	loop_forget(a->loop, STDIN_FILENO);
	if (!line) {
		a->ended = true;
	} else if (line[strspn(line, " \t")]) {
		add_history(line);
		execute(a, line);
	} else if (a->repeat) {
		again = xstrdup(a->repeat);
		execute(a, again);
		free(again);
	}
	free(line);
}

static void signal_ready(void *ctx, int fd)
{
	struct attached *a = ctx;
	int signo = signals_next(fd);

	if (!signo)
		return;
	if (signo != SIGINT || (!a->waiting && !a->at_prompt)) {
		a->ended = true;
	} else if (a->waiting) {
		stop_guest(a);
	} else {
		async_output_end(&a->async, true);
		rl_callback_sigcleanup();
		rl_replace_line("", 0);
		rl_crlf();
		rl_on_new_line();
		rl_redisplay();
	}
}

static void interactive(struct attached *a)
{
	json_t *req = json_pack("{si s[ssss]}", "id", 0, "subscribe", "serial", "stop", "output", "run");

	a->ended = !send_line(a, req);
	json_decref(req);
	prompting = a;
	a->pager = (struct pager){ .loop = a->loop, .term = &a->term, .ended = pager_is_abandoned, .ctx = a };
	rl_readline_name = "vitrine";
	rl_catch_signals = 0;
	rl_attempted_completion_function = complete;
	rl_basic_word_break_characters = WORD_BREAKS;
	history_load();
	while (!a->ended) {
		rl_callback_handler_install("(vitrine) ", line_done);
		a->at_prompt = true;
		loop_watch(a->loop, STDIN_FILENO, key_ready, a);
		while (a->at_prompt && !a->ended) {
			loop_turn(a->loop, async_output_timeout(&a->async, -1), -1);
			if (a->at_prompt)
				async_output_end(&a->async, false);
		}
	}
	if (a->at_prompt) {
		async_output_end(&a->async, true);
		rl_callback_handler_remove();
	}
	putchar('\n');
	history_save();
	prompting = NULL;
}

/* ---- connecting ---- */

static void take_signals(struct attached *a)
{
	a->signal_fd = signals_take((const int[]){ SIGINT, SIGTERM, SIGHUP, 0 });
	if (a->signal_fd >= 0)
		loop_watch(a->loop, a->signal_fd, signal_ready, a);
}

/* Is WHERE the name of a host or its VM, and no socket? Its socket's path. */
static bool is_name(const char *where, char path[RUNTIME_PATH])
{
	char host[RUNTIME_NAME], vm[RUNTIME_NAME], err[200];
	struct stat st;

	if (!stat(where, &st) && S_ISSOCK(st.st_mode))
		return false;
	return runtime_split(where, host, vm) &&
	       runtime_path(host, vm, RUNTIME_CONTROL, path, err, sizeof(err));
}

int attach_connect(const char *where)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	char named[RUNTIME_PATH];
	const char *path = where;

	if (!strncmp(path, "unix:", 5))
		path += 5;
	else if (is_name(path, named))
		path = named;
	if (strlen(path) >= sizeof(addr.sun_path)) {
		errno = ENAMETOOLONG;
	} else if (fd >= 0) {
		strcpy(addr.sun_path, path);
		if (connect(fd, (struct sockaddr *)&addr, sizeof(addr)) == 0)
			return fd;
	}
	if (path == named && (errno == ENOENT || errno == ECONNREFUSED))
		fprintf(stderr, "vitrine: %s: no socket, host or VM of this name\n", where);
	else
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
	terminal_init(&a.term, STDIN_FILENO);
	loop_watch(a.loop, a.fd, socket_ready, &a);
	take_signals(&a);
	if (o->nscripts)
		ok = run_scripts(&a);
	if (ok && !a.ended && (!o->nscripts || o->interactive)) {
		if (isatty(STDIN_FILENO))
			interactive(&a);
		else
			ok = run_file(&a, "-");
	}
	terminal_restore(&a.term, STDIN_FILENO);
	close(a.fd);
	if (a.signal_fd >= 0)
		close(a.signal_fd);
	loop_free(a.loop);
	free(a.in);
	free(a.repeat);
	return ok ? 0 : STATUS_FAILED;
}
