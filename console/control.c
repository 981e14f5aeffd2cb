/* SPDX-License-Identifier: GPL-3.0-or-later
 * The server's end of the control socket. Each client has a line buffer; a line is one
 * request, answered by one line with its id. Commands that let the guest run wait in the
 * event loop, so requests of other clients, and "stop" from the same one, are served
 * meanwhile: everything here may be entered again while a request is being executed.
 * So a client is only marked dead there, and freed when nothing is being served. */
#include "console/control.h"
#include "base/loop.h"
#include "console/console_int.h"
#include "console/outbox.h"
#include "inspect/debug.h"
#include "inspect/inspect.h"
#include "inspect/peek.h"

#include <errno.h>
#include <jansson.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <sys/un.h>
#include <unistd.h>

#include <linux/sockios.h>

enum {
	MAX_LINE = 1 << 20,
	MAX_CLIENTS = 32,
	MAX_NESTING = 8,     /* requests in execution at once */
	SEND_BUFFER = 4 << 20,
	PATIENCE_MS = 500,   /* for a client that does not read */
	ANSWER_ROOM = 1 << 20, /* for what comes by itself meanwhile */
	OUTPUT_BATCH = 16 << 10,
	TIMER_MS = 10,	     /* how long a line of output waits for others */
};

struct control_client {
	struct control *ctl;
	int fd; /* -1: dead */
	char *in;
	size_t len, cap;
	bool skipping; /* the rest of a line that was too long */
	bool stops, serial, output;
	struct outbox out; /* of OUTPUT */
	void *state; /* the service's; NULL: not asked for yet */
	struct control_client *next;
};

struct control {
	struct inspect *s;
	struct loop *loop;
	int listen_fd;
	char path[sizeof(((struct sockaddr_un *)0)->sun_path)];
	struct control_client *clients;
	unsigned nclients, serving;
	struct debug_listener listener;
	const struct control_service *service; /* NULL: none */
	bool attached; /* LISTENER is */
	bool drains;   /* nobody else takes the serial output */
	struct inspect_tap tap;
	int timer;	 /* runs while some client has output waiting, or is dead and not freed yet */
	bool timer_runs;
};

/* ---- output ---- */

static void set_timer(struct control *ctl)
{
	struct itimerspec when = { .it_value.tv_nsec = TIMER_MS * 1000000 };

	if (!ctl->timer_runs)
		ctl->timer_runs = timerfd_settime(ctl->timer, 0, &when, NULL) == 0;
}

static void drop(struct control_client *c)
{
	if (c->fd < 0)
		return;
	loop_forget(c->ctl->loop, c->fd);
	close(c->fd);
	c->fd = -1;
	set_timer(c->ctl);
}

static void put_all(struct control_client *c, const char *buf, size_t n)
{
	while (n && c->fd >= 0) {
		ssize_t done = send(c->fd, buf, n, MSG_DONTWAIT | MSG_NOSIGNAL);

		if (done > 0) {
			buf += done;
			n -= (size_t)done;
		} else if (errno == EAGAIN) {
			if (poll(&(struct pollfd){ .fd = c->fd, .events = POLLOUT }, 1, PATIENCE_MS) <= 0)
				drop(c);
		} else if (errno != EINTR) {
			drop(c);
		}
	}
}

/* Send a line that must arrive: what output has come before it goes first, as far as it goes at once. */
static void put(struct control_client *c, const char *line, size_t n)
{
	char notice[200];

	if (c->fd >= 0 && outbox_pending(&c->out)) {
		if (!outbox_send(&c->out, c->fd, true))
			drop(c);
		put_all(c, c->out.buf, outbox_torn(&c->out));
		outbox_cut(&c->out);
		put_all(c, notice, outbox_notice(&c->out, notice, sizeof(notice)));
	}
	put_all(c, line, n);
}

void control_send(struct control_client *c, const char *line, size_t n)
{
	put(c, line, n);
}

size_t control_waiting(const struct control_client *c)
{
	int n = 0;

	return c->fd >= 0 && ioctl(c->fd, SIOCOUTQ, &n) == 0 && n > 0 ? (size_t)n : 0;
}

/* BUF as a JSON string. What is not UTF-8 is taken for Latin-1. */
static void put_string(FILE *f, const char *buf, size_t n)
{
	json_t *text = json_stringn(buf, n);

	if (text) {
		json_dumpf(text, f, JSON_ENCODE_ANY);
		json_decref(text);
		return;
	}
	fputc('"', f);
	for (size_t i = 0; i < n; i++) {
		unsigned char ch = (unsigned char)buf[i];

		if (ch < 0x20 || ch >= 0x7f || ch == '"' || ch == '\\')
			fprintf(f, "\\u%04x", ch);
		else
			fputc(ch, f);
	}
	fputc('"', f);
}

/* The answer that is being put together. */
struct answer {
	bool text;     /* results as for people */
	FILE *f;       /* rows joined by commas, or text */
	char *buf;
	size_t len;
	char *error;
	bool any;
	bool no_output; /* the client gets that as events */
	uint64_t lost;	/* lines of output there was no room for */
};

/* R's rows, or as people see it: then with its error. */
static char *rendered(const struct result *r, bool json)
{
	char *text = NULL;
	size_t len = 0;
	FILE *f = open_memstream(&text, &len);

	if (!f)
		abort();
	result_render(r, json, f);
	if (!json)
		result_render_error(r, false, "", f);
	fclose(f);
	return text;
}

static void add_rows(struct answer *a, const struct result *r)
{
	char *lines = rendered(r, true), *save = NULL;

	for (char *line = strtok_r(lines, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
		fprintf(a->f, "%s%s", a->any ? "," : "", line);
		a->any = true;
	}
	free(lines);
}

static void add_lost(struct answer *a)
{
	if (a->lost && a->text)
		fprintf(a->f, "(and %llu more)\n", (unsigned long long)a->lost);
	else if (a->lost)
		fprintf(a->f, "%s{\"lost\":%llu}", a->any ? "," : "", (unsigned long long)a->lost);
	a->any |= a->lost > 0;
	a->lost = 0;
}

static void answer_emit(void *ctx, const struct result *r)
{
	struct answer *a = ctx;

	if (r->unasked && !a->no_output && ftello(a->f) > ANSWER_ROOM)
		a->lost++;
	if (r->unasked && (a->no_output || a->lost))
		return;
	add_lost(a);
	if (a->text)
		result_render(r, r->json, a->f);
	else
		add_rows(a, r);
	if (r->error && !a->error)
		a->error = strdup(r->error);
}

static void answer_open(struct answer *a)
{
	a->f = open_memstream(&a->buf, &a->len);
	if (!a->f)
		abort();
}

static void answer_send(struct control_client *c, struct answer *a, const char *id, bool ok)
{
	size_t len = 0;
	char *line = NULL;
	FILE *f = open_memstream(&line, &len);

	if (!f)
		abort();
	if (a->f) {
		add_lost(a);
		fclose(a->f);
	}
	fprintf(f, "{\"id\":%s,\"ok\":%s", id, ok ? "true" : "false");
	if (a->text) {
		fputs(",\"text\":", f);
		put_string(f, a->buf ? a->buf : "", a->len);
	} else if (ok || a->any) {
		fprintf(f, ",\"results\":[%s]", a->buf ? a->buf : "");
	}
	if (!ok) {
		fputs(",\"error\":", f);
		put_string(f, a->error ? a->error : "failed", strlen(a->error ? a->error : "failed"));
	}
	fputs("}\n", f);
	fclose(f);
	put(c, line, len);
	free(line);
	free(a->buf);
	free(a->error);
}

static void refuse(struct control_client *c, const char *id, const char *why)
{
	struct answer a = { .error = strdup(why) };

	answer_send(c, &a, id, false);
}

/* ---- requests ---- */

static void execute(struct control_client *c, const char *id, const char *command, bool text)
{
	struct answer a = { .text = text, .no_output = c->output };
	struct inspect_sink sink = { .ctx = &a, .emit = answer_emit };
	char *line = strdup(command);
	enum inspect_status st;

	for (char *p = line; *p; p++)
		if (*p == '\n' || *p == '\r')
			*p = ' ';
	answer_open(&a);
	st = inspect_exec(c->ctl->s, line, &sink);
	answer_send(c, &a, id, st != INSPECT_FAILED);
	free(line);
	if (st == INSPECT_QUIT)
		inspect_interrupt(c->ctl->s);
}

static bool subscribe(struct control_client *c, const char *id, const json_t *list)
{
	bool stops = false, serial = false, output = false;
	const char *word;
	json_t *item;
	size_t i;

	json_array_foreach(list, i, item) {
		word = json_is_string(item) ? json_string_value(item) : "";
		if (!strcmp(word, "stop"))
			stops = true;
		else if (!strcmp(word, "serial"))
			serial = true;
		else if (!strcmp(word, "output"))
			output = true;
		else
			return false;
	}
	if (!json_is_array(list))
		return false;
	c->stops = stops;
	c->serial = serial;
	c->output = output;
	answer_send(c, &(struct answer){ 0 }, id, true);
	return true;
}

/* The words that the last one of LINE may become. */
struct completion {
	struct answer *a;
	size_t start;
};

static void add_word(void *ctx, const char *word)
{
	struct completion *k = ctx;

	fprintf(k->a->f, "%s{\"start\":%zu,\"word\":", k->a->any ? "," : "", k->start);
	put_string(k->a->f, word, strlen(word));
	fputc('}', k->a->f);
	k->a->any = true;
}

static void complete(struct control_client *c, const char *id, const char *line)
{
	struct answer a = { 0 };
	struct completion k = { &a, strlen(line) };

	while (k.start && !strchr(WORD_BREAKS, line[k.start - 1]))
		k.start--;
	answer_open(&a);
	if (!inspect_complete(c->ctl->s, line, k.start, line + k.start, add_word, &k)) {
		fprintf(a.f, "{\"start\":%zu,\"file\":true}", k.start);
		a.any = true;
	}
	answer_send(c, &a, id, true);
}

static void serve_other(struct control_client *c, const char *id, const json_t *value)
{
	const struct control_service *service = c->ctl->service;
	const char *wrong;

	if (!c->state)
		c->state = service->open(service->ctx, c);
	wrong = service->request(c->state, value);
	if (wrong)
		refuse(c, id, wrong);
	else
		answer_send(c, &(struct answer){ 0 }, id, true);
}

static void request(struct control_client *c, const json_t *req, const char *id)
{
	const json_t *command = json_object_get(req, "command"), *list = json_object_get(req, "subscribe");
	const json_t *line = json_object_get(req, "complete");
	const json_t *other = c->ctl->service ? json_object_get(req, c->ctl->service->word) : NULL;

	if (!!command + !!list + !!line + !!other != 1)
		refuse(c, id, "a request has one of \"command\", \"complete\", \"subscribe\" and \"dashboard\"");
	else if (other)
		serve_other(c, id, other);
	else if (command && !json_is_string(command))
		refuse(c, id, "\"command\" takes a string");
	else if (command)
		execute(c, id, json_string_value(command), json_is_true(json_object_get(req, "text")));
	else if (line && !json_is_string(line))
		refuse(c, id, "\"complete\" takes a string");
	else if (line)
		complete(c, id, json_string_value(line));
	else if (!subscribe(c, id, list))
		refuse(c, id, "\"subscribe\" takes a list of \"stop\", \"serial\" and \"output\"");
}

static void serve(struct control_client *c, const char *line, size_t len)
{
	json_error_t why;
	json_t *req;
	char text[256], *id = NULL;

	if (strspn(line, " \t\r") == len)
		return;
	req = json_loadb(line, len, 0, &why);
	if (!json_is_object(req)) {
		snprintf(text, sizeof(text), "not a JSON object%s%.160s", req ? "" : ": ", req ? "" : why.text);
		refuse(c, "null", text);
		json_decref(req);
		return;
	}
	if (json_object_get(req, "id"))
		id = json_dumps(json_object_get(req, "id"), JSON_ENCODE_ANY | JSON_COMPACT);
	if (c->ctl->serving > MAX_NESTING)
		refuse(c, id ? id : "null", "too many commands are waiting");
	else
		request(c, req, id ? id : "null");
	free(id);
	json_decref(req);
}

/* ---- clients ---- */

/* The guest's end is the end of waiting for somebody to let it go on. */
static void hold(struct control *ctl, bool on)
{
	if (on == ctl->attached)
		return;
	ctl->attached = on;
	if (on)
		debug_attach(ctl->s, &ctl->listener);
	else
		debug_detach(ctl->s, &ctl->listener);
}

static void sweep(struct control *ctl)
{
	struct control_client **at = &ctl->clients, *c;

	while (!ctl->serving && (c = *at)) {
		if (c->fd >= 0) {
			at = &c->next;
			continue;
		}
		*at = c->next;
		if (c->state)
			ctl->service->close(c->state);
		outbox_fini(&c->out);
		free(c->in);
		free(c);
		ctl->nclients--;
	}
	if (!ctl->nclients && ctl->attached) {
		/* nobody is left to let a stopped guest go on: wait for the next one */
		if (!inspect_running(ctl->s) && !inspect_ended(ctl->s))
			debug_expect(ctl->s, true);
		hold(ctl, false);
	}
}

/* Take the first line out of the buffer; malloced. NULL: there is none yet. */
static char *take_line(struct control_client *c, size_t *len)
{
	char *end = c->len ? memchr(c->in, '\n', c->len) : NULL, *line;

	if (!end)
		return NULL;
	*len = (size_t)(end - c->in);
	line = strndup(c->in, *len);
	line = realloc(line, *len + 1);
	if (!line)
		abort();
	memcpy(line, c->in, *len);
	line[*len] = 0;
	c->len -= *len + 1;
	memmove(c->in, end + 1, c->len);
	return line;
}

static void serve_lines(struct control_client *c)
{
	size_t len;
	char *line;

	while (c->fd >= 0 && (line = take_line(c, &len))) {
		if (c->skipping)
			c->skipping = false;
		else
			serve(c, line, len);
		free(line);
	}
	if (c->len <= MAX_LINE)
		return;
	if (!c->skipping)
		refuse(c, "null", "a line is longer than 1 MiB");
	c->skipping = true;
	c->len = 0;
}

static void client_ready(void *ctx, int fd)
{
	struct control_client *c = ctx;
	struct control *ctl = c->ctl;
	ssize_t n;

	if (c->cap - c->len < 65536) {
		c->cap = c->len + 2 * 65536;
		c->in = realloc(c->in, c->cap);
		if (!c->in)
			abort();
	}
	n = recv(fd, c->in + c->len, c->cap - c->len, MSG_DONTWAIT);
	ctl->serving++;
	if (n > 0) {
		c->len += (size_t)n;
		serve_lines(c);
	} else if (n == 0 || (errno != EAGAIN && errno != EINTR)) {
		drop(c);
	}
	ctl->serving--;
	sweep(ctl);
}

void control_adopt(struct control *ctl, int fd)
{
	struct control_client *c = calloc(1, sizeof(*c));
	int size = SEND_BUFFER;

	if (!c)
		abort();
	*c = (struct control_client){ .ctl = ctl, .fd = fd, .next = ctl->clients };
	if (ctl->nclients >= MAX_CLIENTS) {
		refuse(c, "null", "too many clients");
		close(fd);
		free(c);
		return;
	}
	setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &size, sizeof(size));
	ctl->clients = c;
	ctl->nclients++;
	loop_watch(ctl->loop, fd, client_ready, c);
	hold(ctl, inspect_has_machine(ctl->s) && !inspect_ended(ctl->s));
}

static void listen_ready(void *ctx, int fd)
{
	int conn = accept4(fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

	if (conn >= 0)
		control_adopt(ctx, conn);
}

/* ---- events ---- */

/* The record of the stop as an event, with what the shell would print; malloced, "" when there is none. */
static char *stop_event(struct control *ctl)
{
	static const char as_record[] = "{\"event\":\"stop\",";
	char *line = NULL, *text, *record;
	struct result r;
	size_t len = 0;
	FILE *f = open_memstream(&line, &len);

	if (!f)
		abort();
	inspect_stop_record(ctl->s, &r);
	record = rendered(&r, true);
	text = rendered(&r, false);
	if (!strncmp(record, as_record, sizeof(as_record) - 1)) {
		record[strcspn(record, "\n")] = 0;
		fputs("{\"event\":\"stopped\",\"text\":", f);
		put_string(f, text, strlen(text));
		fprintf(f, ",%s\n", record + sizeof(as_record) - 1);
	}
	fclose(f);
	free(text);
	free(record);
	result_fini(&r);
	return line;
}

/* All there is; the tap sees it. */
static void take_serial(struct control *ctl)
{
	uint8_t buf[8192];

	while (inspect_serial_take(ctl->s, buf, sizeof(buf)))
		;
}

static void stopped(void *ctx)
{
	struct control *ctl = ctx;
	char *line;

	if (ctl->drains)
		take_serial(ctl);
	line = stop_event(ctl);
	for (struct control_client *c = ctl->clients; c; c = c->next)
		if (c->stops)
			put(c, line, strlen(line));
	free(line);
	if (inspect_ended(ctl->s)) {
		debug_expect(ctl->s, false);
		hold(ctl, false);
	}
}

static void serial(void *ctx, const uint8_t *buf, size_t n)
{
	struct control *ctl = ctx;
	char *line = NULL;
	size_t len = 0;
	FILE *f;

	for (struct control_client *c = ctl->clients; c; c = c->next) {
		if (!c->serial || c->fd < 0)
			continue;
		if (!line) {
			f = open_memstream(&line, &len);
			if (!f)
				abort();
			fputs("{\"event\":\"serial\",\"text\":", f);
			put_string(f, (const char *)buf, n);
			fputs("}\n", f);
			fclose(f);
		}
		put(c, line, len);
	}
	free(line);
}

/* What came by itself as an event: what people see, and the rows; malloced. */
static char *output_event(const struct result *r)
{
	struct answer rows = { 0 };
	char *line = NULL, *text = rendered(r, false);
	size_t len = 0;
	FILE *f = open_memstream(&line, &len);

	if (!f)
		abort();
	answer_open(&rows);
	add_rows(&rows, r);
	fclose(rows.f);
	fputs("{\"event\":\"output\",\"text\":", f);
	put_string(f, text, strlen(text));
	fprintf(f, ",\"results\":[%s]", rows.buf);
	if (r->error) {
		fputs(",\"error\":", f);
		put_string(f, r->error, strlen(r->error));
	}
	fputs("}\n", f);
	fclose(f);
	free(rows.buf);
	free(text);
	return line;
}

/* Whoever does not read in time loses lines: nobody waits for that. */
static void output(void *ctx, const struct result *r)
{
	struct control *ctl = ctx;
	char *line = NULL;

	for (struct control_client *c = ctl->clients; c; c = c->next) {
		if (!c->output || c->fd < 0)
			continue;
		if (!line)
			line = output_event(r);
		outbox_add(&c->out, line, strlen(line));
		if (c->out.len >= OUTPUT_BATCH && !outbox_send(&c->out, c->fd, false))
			drop(c);
		if (outbox_pending(&c->out))
			set_timer(ctl);
	}
	free(line);
}

static void timer_ready(void *ctx, int fd)
{
	struct control *ctl = ctx;
	uint64_t count;

	if (read(fd, &count, sizeof(count)) != sizeof(count))
		return;
	ctl->timer_runs = false;
	for (struct control_client *c = ctl->clients; c; c = c->next) {
		if (c->fd >= 0 && !outbox_send(&c->out, c->fd, false))
			drop(c);
		if (c->fd >= 0 && outbox_pending(&c->out))
			set_timer(ctl);
	}
	sweep(ctl);
}

static void serial_ready(void *ctx, int fd)
{
	(void)fd;
	take_serial(ctx);
}

/* ---- life ---- */

static bool open_socket(struct control *ctl, const char *path, char *err, size_t errlen)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };

	if (!path[0] || strlen(path) >= sizeof(addr.sun_path)) {
		snprintf(err, errlen, "--control: the path '%s' is empty or too long", path);
		return false;
	}
	strcpy(addr.sun_path, path);
	ctl->listen_fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (ctl->listen_fd < 0 || bind(ctl->listen_fd, (struct sockaddr *)&addr, sizeof(addr)) < 0) {
		snprintf(err, errlen, "--control: %s: %s", path, strerror(errno));
		return false;
	}
	strcpy(ctl->path, path);
	if (listen(ctl->listen_fd, 8) == 0)
		return true;
	snprintf(err, errlen, "--control: %s: %s", path, strerror(errno));
	return false;
}

struct control *control_new(struct inspect *s, struct loop *loop, const char *where, char *err, size_t errlen)
{
	struct control *ctl = calloc(1, sizeof(*ctl));

	if (!ctl)
		abort();
	ctl->s = s;
	ctl->loop = loop;
	ctl->listen_fd = -1;
	ctl->listener = (struct debug_listener){ .ctx = ctl, .stopped = stopped };
	ctl->tap = (struct inspect_tap){ .ctx = ctl, .serial = serial, .output = output };
	ctl->timer = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
	if (where && !open_socket(ctl, where + strlen("unix:"), err, errlen)) {
		control_free(ctl);
		return NULL;
	}
	if (where)
		loop_watch(loop, ctl->listen_fd, listen_ready, ctl);
	if (ctl->timer >= 0)
		loop_watch(loop, ctl->timer, timer_ready, ctl);
	inspect_tap(s, &ctl->tap);
	ctl->drains = !inspect_serial_is_taken(s);
	if (ctl->drains) {
		inspect_serial_taken(s, true);
		loop_watch(loop, inspect_serial_fd(s), serial_ready, ctl);
	}
	return ctl;
}

void control_serve(struct control *ctl, const struct control_service *service)
{
	ctl->service = service;
}

void control_free(struct control *ctl)
{
	if (!ctl)
		return;
	hold(ctl, false); /* the machine is gone already */
	if (ctl->tap.ctx)
		inspect_untap(ctl->s, &ctl->tap);
	if (ctl->timer >= 0) {
		loop_forget(ctl->loop, ctl->timer);
		close(ctl->timer);
	}
	for (struct control_client *c = ctl->clients; c; c = c->next)
		drop(c);
	ctl->serving = 0;
	sweep(ctl);
	if (ctl->drains) {
		loop_forget(ctl->loop, inspect_serial_fd(ctl->s));
		inspect_serial_taken(ctl->s, false);
	}
	if (ctl->listen_fd >= 0) {
		loop_forget(ctl->loop, ctl->listen_fd);
		close(ctl->listen_fd);
	}
	if (ctl->path[0])
		unlink(ctl->path);
	free(ctl);
}
