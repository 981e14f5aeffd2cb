/* SPDX-License-Identifier: GPL-3.0-or-later
 * The terminal's side of an attached dashboard: displays frames, sends keys and its size. It does
 * not interpret what it displays; when the session says that another VM is to be chosen, it shows the list
 * of those that can be reached, and connects to the one chosen. */
#include "base/loop.h"
#include "base/signals.h"
#include "tui/link.h"
#include "tui/remote.h"
#include "tui/selector.h"

#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

enum { CANNOT = 125, LOST = 129, KEYS = 64 };

struct viewer {
	struct loop *loop;
	struct term *term;
	struct link *link;
	struct selector selector;
	struct canvas overlay;	   /* what is displayed while the selector is open */
	char path[SELECTOR_PATH];  /* of the session that is shown, */
	char first[SELECTOR_PATH]; /* of the first one; "": unknown */
	int signal_fd;
	bool over; /* the connection is */
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

/* ---- display ---- */

static void show(struct viewer *v)
{
	int cx, cy;
	const struct canvas *c = link_canvas(v->link, &cx, &cy);
	struct area a;

	if (!v->selector.open) {
		term_show(v->term, c, cx, cy);
		return;
	}
	canvas_fini(&v->overlay);
	canvas_init(&v->overlay, c->w, c->h);
	memcpy(v->overlay.cells, c->cells, (size_t)c->w * (size_t)c->h * sizeof(*c->cells));
	a = canvas_area(&v->overlay);
	a = area_cut(&a, 0, 1, a.w, a.h - 3);
	selector_draw(&v->selector, &a);
	term_show(v->term, &v->overlay, -1, -1);
}

static void frame(void *ctx)
{
	show(ctx);
}

static void choose(void *ctx)
{
	struct viewer *v = ctx;

	selector_open(&v->selector, NULL, v->first, v->path);
	show(v);
}

static void over(void *ctx, const char *why)
{
	struct viewer *v = ctx;

	v->over = true;
	snprintf(v->error, sizeof(v->error), "%s", why);
}

/* ---- connections ---- */

static void connect_to(struct viewer *v, int fd, const char *path)
{
	int w, h;

	link_free(v->link);
	snprintf(v->path, sizeof(v->path), "%s", path);
	v->link = link_new(fd, v->loop,
			   &(struct link_events){ .ctx = v, .frame = frame, .choose = choose, .over = over });
	term_size(v->term, &w, &h);
	term_redraw(v->term);
	link_size(v->link, w, h);
}

static void switch_to(struct viewer *v, const struct session *at)
{
	char err[200];
	int fd;

	if (!strcmp(at->path, v->path)) {
		show(v);
		return;
	}
	fd = selector_connect(at->path, err, sizeof(err));
	if (fd < 0)
		choose(v); /* it has just ended */
	else
		connect_to(v, fd, at->path);
}

/* The connection is over: leave, or go back to the first session when another one had been chosen and has
 * ended. */
static void leave(struct viewer *v)
{
	char why[sizeof(v->error)], err[200];
	int fd = -1;

	v->over = false;
	memcpy(why, v->error, sizeof(why));
	v->error[0] = 0;
	if (why[0] && !link_refused(v->link) && v->first[0] && strcmp(v->path, v->first))
		fd = selector_connect(v->first, err, sizeof(err));
	if (fd >= 0)
		connect_to(v, fd, v->first);
	else
		finish(v, link_refused(v->link) ? CANNOT : 0, why);
}

/* ---- events ---- */

static void keys_ready(void *ctx, int fd)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };
	struct viewer *v = ctx;
	struct term_event keys[KEYS];
	const struct session *at;
	unsigned n = 0;
	bool any = false;

	while (n < KEYS && term_key(v->term, &keys[n])) {
		any = true;
		if (!v->selector.open) {
			n++;
			continue;
		}
		at = selector_key(&v->selector, &keys[n]);
		if (at)
			switch_to(v, at);
		else
			show(v);
	}
	if (n)
		link_keys(v->link, keys, n);
	if (!any && poll(&p, 1, 0) > 0 && (p.revents & (POLLHUP | POLLERR | POLLNVAL)))
		finish(v, LOST, "");
}

static void signal_ready(void *ctx, int fd)
{
	struct viewer *v = ctx;
	int signo, w, h;

	while ((signo = signals_next(fd))) {
		if (signo != SIGWINCH) {
			finish(v, 128 + signo, "");
			continue;
		}
		term_resized(v->term);
		term_size(v->term, &w, &h);
		link_size(v->link, w, h);
	}
}

/* ---- life ---- */

/* The path of the socket that FD is connected to. */
static void peer_path(int fd, char buf[SELECTOR_PATH])
{
	struct sockaddr_un addr = { 0 };
	socklen_t len = sizeof(addr);

	buf[0] = 0;
	if (getpeername(fd, (struct sockaddr *)&addr, &len) == 0 && addr.sun_family == AF_UNIX)
		snprintf(buf, SELECTOR_PATH, "%.*s", SELECTOR_PATH - 1, addr.sun_path);
}

int tui_view(int fd)
{
	static const int signals[] = { SIGTERM, SIGHUP, SIGWINCH, SIGINT, 0 };
	struct viewer v = { 0 };

	v.term = term_new(v.error, sizeof(v.error));
	if (!v.term) {
		fprintf(stderr, "vitrine: %s\n", v.error);
		return CANNOT;
	}
	v.loop = loop_new();
	v.signal_fd = signals_take(signals);
	if (v.signal_fd >= 0)
		loop_watch(v.loop, v.signal_fd, signal_ready, &v);
	loop_watch(v.loop, STDIN_FILENO, keys_ready, &v);
	peer_path(fd, v.first);
	connect_to(&v, dup(fd), v.first);
	while (!v.quit) {
		loop_turn(v.loop, -1, -1);
		if (v.over && !v.quit)
			leave(&v);
	}
	term_free(v.term);
	if (v.error[0])
		fprintf(stderr, "vitrine: %s\n", v.error);
	if (v.signal_fd >= 0)
		close(v.signal_fd);
	link_free(v.link);
	loop_free(v.loop);
	canvas_fini(&v.overlay);
	return v.status;
}
