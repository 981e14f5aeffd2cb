/* SPDX-License-Identifier: GPL-3.0-or-later
 * See link.h. The messages are in docs/control.md. */
#include "tui/link.h"
#include "base/alloc.h"
#include "base/loop.h"
#include "tui/remote_codec.h"

#include <errno.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { CHUNK = 65536, MAX_SIDE = 1000 };

struct link {
	int fd;
	struct loop *loop;
	struct link_events events;
	struct canvas canvas;
	int cx, cy;
	char *in;
	size_t len, cap;
	bool over, refused;
};

static void end(struct link *l, const char *why)
{
	if (l->over)
		return;
	l->over = true;
	loop_forget(l->loop, l->fd);
	l->events.over(l->events.ctx, why);
}

/* ---- to the session ---- */

static void ask(struct link *l, const char *what, json_t *value)
{
	json_t *req = json_pack("{ss s{so}}", "id", what, "dashboard", what, value);
	char *line = json_dumps(req, JSON_COMPACT);
	size_t n = strlen(line), done = 0;
	ssize_t k;

	line[n++] = '\n';
	while (!l->over && done < n &&
	       ((k = send(l->fd, line + done, n - done, MSG_NOSIGNAL)) > 0 || errno == EINTR))
		done += k > 0 ? (size_t)k : 0;
	if (done < n)
		end(l, "the session has ended");
	free(line);
	json_decref(req);
}

void link_size(struct link *l, int w, int h)
{
	ask(l, "size", json_pack("[ii]", w, h));
}

void link_keys(struct link *l, const struct term_event *e, unsigned n)
{
	json_t *keys = json_array();
	char name[REMOTE_KEY];

	for (unsigned i = 0; i < n; i++) {
		remote_put_key(&e[i], name);
		if (name[0])
			json_array_append_new(keys, json_string(name));
	}
	if (json_array_size(keys))
		ask(l, "keys", keys);
	else
		json_decref(keys);
}

/* ---- from the session ---- */

static void put_row(struct link *l, const json_t *row)
{
	struct area a = canvas_area(&l->canvas);
	const json_t *runs = json_array_get(row, 1), *run;
	int y = (int)json_integer_value(json_array_get(row, 0)), x = 0;
	size_t i;

	if (y < 0 || y >= l->canvas.h)
		return;
	json_array_foreach(runs, i, run)
	{
		const char *style = json_string_value(json_array_get(run, 0)),
			   *text = json_string_value(json_array_get(run, 1));

		if (style && text)
			x = area_put(&a, x, y, remote_get_style(style), text);
	}
}

static void take_frame(struct link *l, const json_t *frame)
{
	const json_t *size = json_object_get(frame, "size"), *cursor = json_object_get(frame, "cursor"), *row;
	json_int_t w = json_integer_value(json_array_get(size, 0)),
		   h = json_integer_value(json_array_get(size, 1));
	size_t i;

	if (w < 1 || h < 1 || w > MAX_SIDE || h > MAX_SIDE)
		return;
	if (w != l->canvas.w || h != l->canvas.h) {
		canvas_fini(&l->canvas);
		canvas_init(&l->canvas, (int)w, (int)h);
	}
	json_array_foreach(json_object_get(frame, "rows"), i, row) put_row(l, row);
	l->cx = json_is_array(cursor) ? (int)json_integer_value(json_array_get(cursor, 0)) : -1;
	l->cy = (int)json_integer_value(json_array_get(cursor, 1));
	l->events.frame(l->events.ctx);
}

static void take_message(struct link *l, const json_t *msg)
{
	const char *event = json_string_value(json_object_get(msg, "event")), *error;

	if (event && !strcmp(event, "frame")) {
		take_frame(l, msg);
	} else if (event && !strcmp(event, "choose")) {
		l->events.choose(l->events.ctx);
	} else if (event && !strcmp(event, "over")) {
		end(l, "");
	} else if ((error = json_string_value(json_object_get(msg, "error")))) {
		l->refused = true;
		end(l, error);
	}
}

static void ready(void *ctx, int fd)
{
	struct link *l = ctx;
	json_t *msg;
	ssize_t n;
	char *nl;

	if (l->cap - l->len < CHUNK) {
		l->cap = l->cap * 2 + CHUNK;
		l->in = xrealloc(l->in, l->cap);
	}
	n = recv(fd, l->in + l->len, l->cap - l->len, MSG_DONTWAIT);
	if (n <= 0) {
		if (n == 0 || (errno != EINTR && errno != EAGAIN))
			end(l, "the session has ended");
		return;
	}
	l->len += (size_t)n;
	while (!l->over && l->len && (nl = memchr(l->in, '\n', l->len))) {
		msg = json_loadb(l->in, (size_t)(nl - l->in), 0, NULL);
		if (msg)
			take_message(l, msg);
		json_decref(msg);
		l->len -= (size_t)(nl + 1 - l->in);
		memmove(l->in, nl + 1, l->len);
	}
}

/* ---- life ---- */

struct link *link_new(int fd, struct loop *loop, const struct link_events *events)
{
	struct link *l = xcalloc(1, sizeof(*l));

	*l = (struct link){ .fd = fd, .loop = loop, .events = *events, .cx = -1 };
	canvas_init(&l->canvas, 1, 1);
	loop_watch(loop, fd, ready, l);
	return l;
}

void link_free(struct link *l)
{
	if (!l)
		return;
	if (!l->over)
		loop_forget(l->loop, l->fd);
	close(l->fd);
	canvas_fini(&l->canvas);
	free(l->in);
	free(l);
}

const struct canvas *link_canvas(const struct link *l, int *cx, int *cy)
{
	*cx = l->cx;
	*cy = l->cy;
	return &l->canvas;
}

bool link_refused(const struct link *l)
{
	return l->refused;
}
