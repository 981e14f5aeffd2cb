/* SPDX-License-Identifier: GPL-3.0-or-later
 * Back end user:socket=PATH: a Unix stream socket at which passt, or a program that speaks as it does,
 * listens. Each frame follows its length, 32 bits big-endian. */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/log.h"
#include "hv/io/net_int.h"

enum { HEAD = 4, BUFFER = 64 << 10 };

struct passt {
	struct net *n;
	int fd; /* -1: the other side has closed */
	uint8_t out[HEAD + FRAME_MAX];
	size_t out_len, out_at; /* the rest of a frame that went out in part */
	uint8_t in[BUFFER];
	size_t in_len;
};

static void *passt_open(struct net *n, char *err, size_t errlen)
{
	struct sockaddr_un at = { .sun_family = AF_UNIX };
	const char *path = n->config->place;
	struct passt *s = xcalloc(1, sizeof(*s));

	s->n = n;
	s->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	errno = strlen(path) < sizeof(at.sun_path) ? errno : ENAMETOOLONG;
	if (strlen(path) < sizeof(at.sun_path))
		strcpy(at.sun_path, path);
	if (s->fd < 0 || !at.sun_path[0] || connect(s->fd, (const struct sockaddr *)&at, sizeof(at)) < 0 ||
	    fcntl(s->fd, F_SETFL, O_NONBLOCK) < 0) {
		snprintf(err, errlen, "--net: cannot connect to user:socket=%s: %s", path, strerror(errno));
		if (s->fd >= 0)
			close(s->fd);
		free(s);
		return NULL;
	}
	atomic_store(&n->up, true);
	return s;
}

static void hang_up(struct passt *s)
{
	if (s->fd < 0)
		return;
	LOG(dev, "user:socket: the other side has closed");
	close(s->fd);
	s->fd = -1;
	s->out_len = s->out_at = 0;
	atomic_store(&s->n->up, false);
}

static void passt_close(void *b)
{
	struct passt *s = b;

	if (s->fd >= 0)
		close(s->fd);
	free(s);
}

/* Send the rest of OUT. True: all of it is sent. */
static bool push_out(struct passt *s)
{
	ssize_t k;

	if (s->fd < 0 || s->out_at == s->out_len)
		return true;
	k = send(s->fd, s->out + s->out_at, s->out_len - s->out_at, MSG_DONTWAIT | MSG_NOSIGNAL);
	if (k > 0)
		s->out_at += (size_t)k;
	else if (k < 0 && errno != EAGAIN)
		hang_up(s);
	return s->out_at == s->out_len;
}

static enum net_sent passt_send(void *b, const uint8_t *frame, uint32_t len)
{
	struct passt *s = b;
	uint32_t head = htonl(len);

	if (s->fd < 0)
		return NET_DROPPED;
	if (!push_out(s))
		return NET_LATER;
	memcpy(s->out, &head, HEAD);
	memcpy(s->out + HEAD, frame, len);
	s->out_at = 0;
	s->out_len = HEAD + len;
	push_out(s);
	return NET_SENT;
}

static void passt_fill(void *b, struct net_poll *p)
{
	struct passt *s = b;
	short events = net_can_receive(s->n) ? POLLIN : 0;

	if (s->out_at < s->out_len)
		events |= POLLOUT;
	poll_add(p, s->fd, events);
}

/* Deliver the whole frames in IN. False: what is there is not the protocol. */
static bool take_frames(struct passt *s)
{
	size_t at = 0;
	uint32_t len;

	while (s->in_len - at >= HEAD) {
		memcpy(&len, s->in + at, HEAD);
		len = ntohl(len);
		if (len > BUFFER - HEAD)
			return false;
		if (s->in_len - at < HEAD + len)
			break;
		net_receive(s->n, s->in + at + HEAD, len);
		at += HEAD + len;
	}
	s->in_len -= at;
	memmove(s->in, s->in + at, s->in_len);
	return true;
}

static void passt_ready(void *b, const struct net_poll *p)
{
	struct passt *s = b;
	short events = s->fd >= 0 ? poll_events(p, s->fd) : 0;
	ssize_t k;

	if (events & POLLOUT)
		push_out(s);
	if (s->fd < 0 || !(events & (POLLIN | POLLHUP | POLLERR)))
		return;
	k = recv(s->fd, s->in + s->in_len, sizeof(s->in) - s->in_len, MSG_DONTWAIT);
	if (k > 0)
		s->in_len += (size_t)k;
	if (k == 0 || (k < 0 && errno != EAGAIN) || !take_frames(s))
		hang_up(s);
}

const struct net_backend net_passt = {
	.name = "passt",
	.open = passt_open,
	.close = passt_close,
	.send = passt_send,
	.fill = passt_fill,
	.ready = passt_ready,
};
