/* SPDX-License-Identifier: GPL-3.0-or-later
 * The terminal's side of an attached dashboard: displays frames, sends keys and its size. It does
 * not interpret what it displays. */
#include "base/alloc.h"
#include "tui/remote.h"
#include "base/loop.h"
#include "base/signals.h"
#include "tui/remote_codec.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { CANNOT = 125, LOST = 129, CHUNK = 65536 };

struct viewer {
	struct loop *loop;
	struct term *term;
	struct canvas canvas;
	int fd, signal_fd, cx, cy;
	char *in;
	size_t len, cap;
	bool quit; /* by the user, a signal or the session */
	int status;
	char error[300]; /* printed when the terminal has been restored */
};

static void finish(struct viewer *v, int status, const char *why)
{
	v->quit = true;
	v->status = status;
	snprintf(v->error, sizeof(v->error), "%s", why);
}

/* ---- to the session ---- */

static void ask(struct viewer *v, const char *what, json_t *value)
{
	json_t *req = json_pack("{ss s{so}}", "id", what, "dashboard", what, value);
	char *line = json_dumps(req, JSON_COMPACT);
	size_t n = strlen(line), done = 0;
	ssize_t k;

	line[n++] = '\n';
	while (done < n && ((k = send(v->fd, line + done, n - done, MSG_NOSIGNAL)) > 0 || errno == EINTR))
		done += k > 0 ? (size_t)k : 0;
	if (done < n)
		finish(v, 0, "the session has ended");
	free(line);
	json_decref(req);
}

static void send_size(struct viewer *v)
{
	int w, h;

	term_size(v->term, &w, &h);
	ask(v, "size", json_pack("[ii]", w, h));
}

static void keys_ready(void *ctx, int fd)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };
	json_t *keys = json_array();
	struct viewer *v = ctx;
	struct term_event e;
	char name[REMOTE_KEY];
	bool any = false;

	while (term_key(v->term, &e)) {
		any = true;
		remote_put_key(&e, name);
		if (name[0])
			json_array_append_new(keys, json_string(name));
	}
	if (json_array_size(keys))
		ask(v, "keys", keys);
	else
		json_decref(keys);
	if (!any && poll(&p, 1, 0) > 0 && (p.revents & (POLLHUP | POLLERR | POLLNVAL)))
		finish(v, LOST, "");
}

static void signal_ready(void *ctx, int fd)
{
	struct viewer *v = ctx;
	int signo;

	while ((signo = signals_next(fd))) {
		if (signo != SIGWINCH) {
			finish(v, 128 + signo, "");
			continue;
		}
		term_resized(v->term);
		send_size(v);
	}
}

/* ---- from the session ---- */

static void put_row(struct viewer *v, const json_t *row)
{
	struct area a = canvas_area(&v->canvas);
	const json_t *runs = json_array_get(row, 1), *run;
	int y = (int)json_integer_value(json_array_get(row, 0)), x = 0;
	size_t i;

	if (y < 0 || y >= v->canvas.h)
		return;
	json_array_foreach(runs, i, run)
	{
		const char *style = json_string_value(json_array_get(run, 0)),
			   *text = json_string_value(json_array_get(run, 1));

		if (style && text)
			x = area_put(&a, x, y, remote_get_style(style), text);
	}
}

static void show_frame(struct viewer *v, const json_t *frame)
{
	const json_t *size = json_object_get(frame, "size"), *cursor = json_object_get(frame, "cursor"), *row;
	int w = (int)json_integer_value(json_array_get(size, 0)),
	    h = (int)json_integer_value(json_array_get(size, 1));
	size_t i;

	if (w < 1 || h < 1 || w > 1000 || h > 1000)
		return;
	if (w != v->canvas.w || h != v->canvas.h) {
		canvas_fini(&v->canvas);
		canvas_init(&v->canvas, w, h);
	}
	json_array_foreach(json_object_get(frame, "rows"), i, row) put_row(v, row);
	v->cx = json_is_array(cursor) ? (int)json_integer_value(json_array_get(cursor, 0)) : -1;
	v->cy = (int)json_integer_value(json_array_get(cursor, 1));
	term_show(v->term, &v->canvas, v->cx, v->cy);
}

static void take_message(struct viewer *v, const json_t *msg)
{
	const char *event = json_string_value(json_object_get(msg, "event")), *error;

	if (event && !strcmp(event, "frame"))
		show_frame(v, msg);
	else if (event && !strcmp(event, "over"))
		finish(v, 0, "");
	else if ((error = json_string_value(json_object_get(msg, "error"))))
		finish(v, CANNOT, error);
}

static void socket_ready(void *ctx, int fd)
{
	struct viewer *v = ctx;
	json_t *msg;
	ssize_t n;
	char *end;

	if (v->cap - v->len < CHUNK) {
		v->cap = v->cap * 2 + CHUNK;
		v->in = xrealloc(v->in, v->cap);
	}
	n = recv(fd, v->in + v->len, v->cap - v->len, 0);
	if (n <= 0) {
		if (n == 0 || errno != EINTR)
			finish(v, 0, "the session has ended");
		return;
	}
	v->len += (size_t)n;
	while (v->len && (end = memchr(v->in, '\n', v->len))) {
		msg = json_loadb(v->in, (size_t)(end - v->in), 0, NULL);
		if (msg)
			take_message(v, msg);
		json_decref(msg);
		v->len -= (size_t)(end + 1 - v->in);
		memmove(v->in, end + 1, v->len);
	}
}

/* ---- life ---- */

int tui_view(int fd)
{
	static const int signals[] = { SIGTERM, SIGHUP, SIGWINCH, SIGINT, 0 };
	struct viewer v = { .fd = fd, .cx = -1 };

	v.term = term_new(v.error, sizeof(v.error));
	if (!v.term) {
		fprintf(stderr, "vitrine: %s\n", v.error);
		return CANNOT;
	}
	v.loop = loop_new();
	canvas_init(&v.canvas, 1, 1);
	v.signal_fd = signals_take(signals);
	if (v.signal_fd >= 0)
		loop_watch(v.loop, v.signal_fd, signal_ready, &v);
	loop_watch(v.loop, fd, socket_ready, &v);
	loop_watch(v.loop, STDIN_FILENO, keys_ready, &v);
	send_size(&v);
	while (!v.quit)
		loop_turn(v.loop, -1, -1);
	term_free(v.term);
	if (v.error[0])
		fprintf(stderr, "vitrine: %s\n", v.error);
	if (v.signal_fd >= 0)
		close(v.signal_fd);
	loop_free(v.loop);
	canvas_fini(&v.canvas);
	free(v.in);
	return v.status;
}
