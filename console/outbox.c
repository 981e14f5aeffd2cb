/* SPDX-License-Identifier: GPL-3.0-or-later
 * See outbox.h. */
#include "console/outbox.h"
#include "base/alloc.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include <linux/sockios.h>

enum {
	ROOM = 256 << 10,
	CHUNK = 16 << 10, /* bytes for one send() */
	SHARE = 8,	  /* use at most 1/SHARE of the socket's buffer, */
	LAST_SHARE = 2,	  /* or this for the last lines before a cut */
	NOTICE = 200,
};

void outbox_fini(struct outbox *b)
{
	free(b->buf);
	*b = (struct outbox){ 0 };
}

static void put(struct outbox *b, const char *line, size_t n)
{
	if (!b->buf)
		b->buf = xmalloc(ROOM);
	memcpy(b->buf + b->len, line, n);
	b->len += n;
}

void outbox_add(struct outbox *b, const char *line, size_t n)
{
	if (b->lost || n > ROOM - b->len)
		b->lost++;
	else
		put(b, line, n);
}

bool outbox_pending(const struct outbox *b)
{
	return b->len || b->lost;
}

static void sent(struct outbox *b, size_t n)
{
	b->begun = b->buf[n - 1] != '\n';
	b->len -= n;
	memmove(b->buf, b->buf + n, b->len);
}

/* Is less than 1/SHARE of FD's buffer in use? */
static bool has_room(int fd, int share)
{
	int waiting = 0, size = 0;
	socklen_t len = sizeof(size);

	return ioctl(fd, SIOCOUTQ, &waiting) == 0 &&
	       getsockopt(fd, SOL_SOCKET, SO_SNDBUF, &size, &len) == 0 && waiting < size / share;
}

bool outbox_send(struct outbox *b, int fd, bool last)
{
	char notice[NOTICE];
	ssize_t n;

	while (outbox_pending(b) && has_room(fd, last ? LAST_SHARE : SHARE)) {
		if (!b->len)
			put(b, notice, outbox_notice(b, notice, sizeof(notice)));
		n = send(fd, b->buf, b->len < CHUNK ? b->len : CHUNK, MSG_DONTWAIT | MSG_NOSIGNAL);
		if (n < 0)
			return errno == EAGAIN || errno == EINTR;
		sent(b, (size_t)n);
	}
	return true;
}

size_t outbox_torn(const struct outbox *b)
{
	return b->begun ? (size_t)((char *)memchr(b->buf, '\n', b->len) + 1 - b->buf) : 0;
}

void outbox_cut(struct outbox *b)
{
	for (size_t i = outbox_torn(b); i < b->len; i++)
		b->lost += b->buf[i] == '\n';
	b->len = 0;
	b->begun = false;
}

size_t outbox_notice(struct outbox *b, char *line, size_t room)
{
	unsigned long long n = b->lost;

	b->lost = 0;
	if (!n)
		return 0;
	return (size_t)snprintf(
	    line, room,
	    "{\"event\":\"output\",\"text\":\"(%llu lost: output came faster than it was read)\\n\","
	    "\"lost\":%llu}\n",
	    n, n);
}
