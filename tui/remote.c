/* SPDX-License-Identifier: GPL-3.0-or-later
 * The session's side of attached dashboards. Each is a struct tui without a terminal: a timer in
 * the session's loop refreshes and draws it, and rows that differ from those last sent are sent as
 * one frame. Running the guest, taking serial output and reporting stops is left to the session's
 * own face. */
#include "tui/remote.h"
#include "tui/tui_int.h"
#include "base/alloc.h"
#include "tui/remote_codec.h"

#include <stdlib.h>
#include <string.h>
#include <sys/timerfd.h>
#include <unistd.h>

enum {
	MAX_W = 500,
	MAX_H = 300,
	IDLE_MS = 200,	   /* polling interval for changes by other faces while the guest is stopped */
	BACKLOG = 1 << 17, /* bytes not read by the viewer above which no frame is sent */
};

struct tui_service {
	struct inspect *s;
	struct loop *loop;
	struct tui_config cfg;
	struct vt vt; /* the serial console since the start, for new viewers */
	struct inspect_tap tap;
	struct tui_remote *first;
};

struct tui_remote {
	struct tui t;
	struct tui_service *v;
	struct tui_remote_out out;
	struct canvas sent; /* what the viewer displays */
	int cx, cy;	    /* its cursor */
	int timer;
	bool open; /* it has sent its size */
	bool said_over;
	struct tui_remote *next;
};

/* ---- frames ---- */

/* Row Y as runs of one style: [["BAR"," 1 Machine "],...]. */
static json_t *row_runs(const struct canvas *c, int y)
{
	const struct cell *row = &c->cells[y * c->w];
	json_t *runs = json_array();
	char *text = xmalloc((size_t)c->w * 4 + 1), style[REMOTE_STYLE];

	for (int x = 0, from; x < c->w;) {
		size_t n = 0;

		for (from = x; x < c->w && row[x].style == row[from].style; x++)
			n += (size_t)utf8_put(row[x].ch ? row[x].ch : ' ', text + n);
		remote_put_style(row[from].style, style);
		json_array_append_new(runs, json_pack("[ss%]", style, text, n));
	}
	free(text);
	return runs;
}

static bool row_differs(const struct canvas *a, const struct canvas *b, int y)
{
	for (int x = 0; x < a->w; x++)
		if (a->cells[y * a->w + x].ch != b->cells[y * a->w + x].ch ||
		    a->cells[y * a->w + x].style != b->cells[y * a->w + x].style)
			return true;
	return false;
}

static void send_message(struct tui_remote *r, json_t *message)
{
	char *line = json_dumps(message, JSON_COMPACT);
	size_t n = line ? strlen(line) : 0;

	json_decref(message);
	if (!line)
		return;
	line[n] = '\n';
	r->out.send(r->out.to, line, n + 1);
	free(line);
}

static void send_frame(struct tui_remote *r, int cx, int cy)
{
	const struct canvas *c = &r->t.canvas;
	bool all = c->w != r->sent.w || c->h != r->sent.h;
	json_t *rows = json_array();

	for (int y = 0; y < c->h; y++)
		if (all || row_differs(c, &r->sent, y))
			json_array_append_new(rows, json_pack("[io]", y, row_runs(c, y)));
	if (!json_array_size(rows) && cx == r->cx && cy == r->cy) {
		json_decref(rows);
		return;
	}
	if (all) {
		canvas_fini(&r->sent);
		canvas_init(&r->sent, c->w, c->h);
	}
	memcpy(r->sent.cells, c->cells, (size_t)c->w * (size_t)c->h * sizeof(*c->cells));
	r->cx = cx;
	r->cy = cy;
	send_message(r, json_pack("{ss s[ii] so so}", "event", "frame", "size", c->w, c->h, "rows", rows,
				  "cursor", cx < 0 ? json_null() : json_pack("[ii]", cx, cy)));
}

/* ---- time ---- */

static void set_timer(struct tui_remote *r)
{
	int ms = tui_timeout(&r->t);
	struct itimerspec when = { 0 };

	ms = ms > IDLE_MS ? IDLE_MS : ms < 1 ? 1 : ms;
	when.it_value.tv_nsec = ms * 1000000l;
	timerfd_settime(r->timer, 0, &when, NULL);
}

static void turn(struct tui_remote *r)
{
	int cx, cy;

	if (!r->open)
		return;
	if (r->t.away.wanted)
		send_message(r, json_pack("{ss}", "event", "choose"));
	r->t.away.wanted = false;
	if (r->t.quit && !r->said_over) {
		r->said_over = true;
		send_message(r, json_pack("{ss}", "event", "over"));
	}
	if (r->said_over)
		return;
	tui_watch_guest(&r->t);
	tui_refresh(&r->t);
	if (r->out.waiting(r->out.to) < BACKLOG && tui_draw(&r->t, &cx, &cy))
		send_frame(r, cx, cy);
	set_timer(r);
}

static void timer_ready(void *ctx, int fd)
{
	uint64_t count;

	if (read(fd, &count, sizeof(count)) == sizeof(count))
		turn(ctx);
}

/* ---- requests ---- */

static const char *take_size(struct tui_remote *r, const json_t *size)
{
	json_int_t w = json_integer_value(json_array_get(size, 0)),
		   h = json_integer_value(json_array_get(size, 1));

	if (w < 1 || h < 1 || w > MAX_W || h > MAX_H)
		return "\"size\" is [WIDTH, HEIGHT], at most 500 x 300";
	tui_resize(&r->t, (int)w, (int)h);
	/* the viewer's terminal may have been cleared: send everything again */
	canvas_fini(&r->sent);
	if (!r->open) {
		r->open = true;
		r->t.was_running = inspect_running(r->t.s);
		tui_greet(&r->t);
	}
	r->t.stale = r->t.dirty = true;
	return NULL;
}

static const char *take_keys(struct tui_remote *r, const json_t *keys)
{
	struct term_event e;
	json_t *key;
	size_t i;

	json_array_foreach(keys, i, key)
	{
		if (!json_is_string(key) || !remote_get_key(json_string_value(key), &e))
			return "unknown key";
		if (!r->t.quit)
			keys_press(&r->t, &e);
	}
	return NULL;
}

const char *tui_remote_request(struct tui_remote *r, const json_t *req)
{
	const json_t *size = json_object_get(req, "size"), *keys = json_object_get(req, "keys");
	const char *wrong = NULL;

	if ((!size && !keys) || (keys && !json_is_array(keys)))
		return "\"dashboard\" takes {\"size\":[WIDTH,HEIGHT]} or {\"keys\":[KEY,...]}";
	if (!size && !r->open)
		return "the first \"dashboard\" request needs \"size\":[WIDTH,HEIGHT]";
	if (size)
		wrong = take_size(r, size);
	if (!wrong && keys)
		wrong = take_keys(r, keys);
	turn(r);
	return wrong;
}

/* ---- construction ---- */

struct tui_remote *tui_remote_new(struct tui_service *v, const struct tui_remote_out *out)
{
	struct tui_remote *r = xcalloc(1, sizeof(*r));

	r->v = v;
	r->out = *out;
	r->timer = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
	tui_init(&r->t, &v->cfg, v->s);
	r->t.remote = true;
	vt_copy(&r->t.vt, &v->vt);
	layouts_load(&r->t);
	prompt_init(&r->t);
	r->next = v->first;
	v->first = r;
	if (r->timer >= 0)
		loop_watch(v->loop, r->timer, timer_ready, r);
	return r;
}

void tui_remote_free(struct tui_remote *r)
{
	struct tui_remote **at;

	if (!r)
		return;
	for (at = &r->v->first; *at != r; at = &(*at)->next)
		;
	*at = r->next;
	if (r->timer >= 0) {
		loop_forget(r->v->loop, r->timer);
		close(r->timer);
	}
	layouts_save(&r->t);
	prompt_fini(&r->t);
	tui_fini(&r->t);
	canvas_fini(&r->sent);
	free(r);
}

static void listen_in(struct vt *vt, const uint8_t *buf, size_t n)
{
	vt_write(vt, buf, n);
	vt->answer[0] = 0; /* the face that takes the output answers */
}

static void serial(void *ctx, const uint8_t *buf, size_t n)
{
	struct tui_service *v = ctx;

	listen_in(&v->vt, buf, n);
	for (struct tui_remote *r = v->first; r; r = r->next) {
		listen_in(&r->t.vt, buf, n);
		r->t.dirty = true;
	}
}

static void output(void *ctx, const struct result *r)
{
	struct tui_service *v = ctx;

	for (struct tui_remote *at = v->first; at; at = at->next)
		tui_note(&at->t, r);
}

struct tui_service *tui_service_new(struct inspect *s, struct loop *loop, const char *guest)
{
	struct tui_service *v = xcalloc(1, sizeof(*v));

	v->s = s;
	v->loop = loop;
	v->cfg.guest = guest;
	v->tap = (struct inspect_tap){ .ctx = v, .serial = serial, .output = output };
	vt_init(&v->vt);
	inspect_tap(s, &v->tap);
	return v;
}

void tui_service_free(struct tui_service *v)
{
	if (!v)
		return;
	while (v->first)
		tui_remote_free(v->first);
	inspect_untap(v->s, &v->tap);
	vt_fini(&v->vt);
	free(v);
}
