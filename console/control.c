/* SPDX-License-Identifier: GPL-3.0-or-later
 * The server's end of the control socket: listening, clients and their line buffers.
 *
 * A command that runs the guest waits in the event loop, which serves other clients and "stop" from
 * the same one meanwhile: everything here is re-entrant while a request is being executed. So a
 * client that fails is only marked as closed, and freed when no request is being served.
 *
 * control_request.c executes requests, control_answer.c builds answers, control_event.c reports
 * events, control_send.c sends. */
#include "console/control_int.h"
#include "base/alloc.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <unistd.h>

enum {
	MAX_LINE = 1 << 20,
	MAX_CLIENTS = 32,
	SEND_BUFFER = 4 << 20,
};

/* ---- clients ---- */

static void control_sweep(struct control *ctl)
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
	if (!ctl->nclients)
		inspect_log_wanted(ctl->s, false);
	if (!ctl->nclients && ctl->attached) {
		/* no client is left to resume a stopped guest: wait for the next one */
		if (!inspect_running(ctl->s) && !inspect_ended(ctl->s))
			debug_expect(ctl->s, true);
		control_attach(ctl, false);
	}
}

/* Remove the first line from the buffer and return it (malloced); NULL: it is not complete. */
static char *take_line(struct control_client *c, size_t *len)
{
	char *end = c->len ? memchr(c->in, '\n', c->len) : NULL, *line;

	if (!end)
		return NULL;
	*len = (size_t)(end - c->in);
	line = xstrndup(c->in, *len);
	line = xrealloc(line, *len + 1);
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
			control_request(c, line, len);
		free(line);
	}
	if (c->len <= MAX_LINE)
		return;
	if (!c->skipping)
		control_refuse(c, "null", "a line is longer than 1 MiB");
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
		c->in = xrealloc(c->in, c->cap);
	}
	n = recv(fd, c->in + c->len, c->cap - c->len, MSG_DONTWAIT);
	ctl->serving++;
	if (n > 0) {
		c->len += (size_t)n;
		serve_lines(c);
	} else if (n == 0 || (errno != EAGAIN && errno != EINTR)) {
		control_drop(c);
	}
	ctl->serving--;
	control_sweep(ctl);
}

static void adopt(struct control *ctl, int fd, bool follows)
{
	struct control_client *c = xcalloc(1, sizeof(*c));
	int size = SEND_BUFFER;

	*c = (struct control_client){ .ctl = ctl, .fd = fd, .follows = follows, .next = ctl->clients };
	if (ctl->nclients >= MAX_CLIENTS) {
		control_refuse(c, "null", "too many clients");
		control_drop(c);
		free(c);
		return;
	}
	setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &size, sizeof(size));
	ctl->clients = c;
	ctl->nclients++;
	inspect_log_wanted(ctl->s, true);
	loop_watch(ctl->loop, fd, client_ready, c);
	ctl->listener.follows = true;
	for (c = ctl->clients; c; c = c->next)
		ctl->listener.follows &= c->follows;
	control_attach(ctl, inspect_has_machine(ctl->s) && !inspect_ended(ctl->s));
}

void control_adopt(struct control *ctl, int fd)
{
	adopt(ctl, fd, false);
}

void control_adopt_host(struct control *ctl, int fd)
{
	adopt(ctl, fd, true);
}

static void listen_ready(void *ctx, int fd)
{
	int conn = accept4(fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

	if (conn >= 0)
		control_adopt(ctx, conn);
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
			control_drop(c);
		if (c->fd >= 0 && outbox_pending(&c->out))
			control_set_timer(ctl);
	}
	control_sweep(ctl);
}

/* ---- construction ---- */

static void serial_ready(void *ctx, int fd)
{
	(void)fd;
	control_take_serial(ctx);
}

static void log_ready(void *ctx, int fd)
{
	(void)fd;
	inspect_log_take(((struct control *)ctx)->s);
}

static bool open_socket(struct control *ctl, const char *path, char *err, size_t errlen)
{
	const char *why;

	if (unix_socket_listen(&ctl->socket, path, SOCK_STREAM | SOCK_NONBLOCK, &why))
		return true;
	snprintf(err, errlen, "--control: %s: %s", path, why);
	return false;
}

struct control *control_new(struct inspect *s, struct loop *loop, const char *where, char *err, size_t errlen)
{
	struct control *ctl = xcalloc(1, sizeof(*ctl));

	ctl->s = s;
	ctl->loop = loop;
	ctl->socket.fd = -1;
	control_events_init(ctl);
	ctl->timer = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
	if (where && !open_socket(ctl, where + strlen("unix:"), err, errlen)) {
		control_free(ctl);
		return NULL;
	}
	if (where)
		loop_watch(loop, ctl->socket.fd, listen_ready, ctl);
	if (ctl->timer >= 0)
		loop_watch(loop, ctl->timer, timer_ready, ctl);
	if (inspect_log_fd(s) >= 0)
		loop_watch(loop, inspect_log_fd(s), log_ready, ctl);
	inspect_tap(s, &ctl->tap);
	ctl->takes_serial = !inspect_serial_is_taken(s);
	if (ctl->takes_serial) {
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
	control_attach(ctl, false);
	if (ctl->tap.ctx)
		inspect_untap(ctl->s, &ctl->tap);
	for (struct control_client *c = ctl->clients; c; c = c->next)
		control_drop(c);
	ctl->serving = 0;
	control_sweep(ctl);
	if (ctl->timer >= 0) {
		loop_forget(ctl->loop, ctl->timer);
		close(ctl->timer);
	}
	loop_forget(ctl->loop, inspect_log_fd(ctl->s));
	if (ctl->takes_serial) {
		loop_forget(ctl->loop, inspect_serial_fd(ctl->s));
		inspect_serial_taken(ctl->s, false);
	}
	if (ctl->socket.fd >= 0)
		loop_forget(ctl->loop, ctl->socket.fd);
	unix_socket_close(&ctl->socket);
	free(ctl);
}
