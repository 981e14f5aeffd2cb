/* SPDX-License-Identifier: GPL-3.0-or-later
 * Back end tap:NAME: an Ethernet interface of the host, which exists and may be used by us, or is made.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/if.h>
#include <linux/if_tun.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "base/alloc.h"
#include "hv/io/net_int.h"

enum { BATCH = 64 }; /* frames that are read in a row */

struct tap {
	struct net *n;
	int fd;
	bool blocked; /* the interface took no frame */
};

static int open_tap(const char *name)
{
	struct ifreq r = { .ifr_flags = IFF_TAP | IFF_NO_PI };
	int fd = open("/dev/net/tun", O_RDWR | O_CLOEXEC | O_NONBLOCK);
	int saved;

	snprintf(r.ifr_name, sizeof(r.ifr_name), "%s", name);
	if (fd >= 0 && ioctl(fd, TUNSETIFF, &r) < 0) {
		saved = errno;
		close(fd);
		errno = saved;
		return -1;
	}
	return fd;
}

static void *tap_open(struct net *n, char *err, size_t errlen)
{
	const char *name = n->config->place;
	struct tap *t;
	int fd;

	if (strlen(name) >= IFNAMSIZ) {
		snprintf(err, errlen, "--net: tap:%s: the name is too long", name);
		return NULL;
	}
	fd = open_tap(name);
	if (fd < 0) {
		snprintf(err, errlen, "--net: cannot open tap:%s: %s%s", name, strerror(errno),
			 errno == EPERM
			     ? " (the interface must belong to you: ip tuntap add NAME mode tap user YOU)"
			     : "");
		return NULL;
	}
	t = xcalloc(1, sizeof(*t));
	*t = (struct tap){ .n = n, .fd = fd };
	atomic_store(&n->up, true);
	return t;
}

static void tap_close(void *b)
{
	close(((struct tap *)b)->fd);
	free(b);
}

/* A frame that the host does not want (the interface is down) is lost, as on a cable. */
static enum net_sent tap_send(void *b, const uint8_t *frame, uint32_t len)
{
	struct tap *t = b;

	if (write(t->fd, frame, len) == (ssize_t)len)
		return NET_SENT;
	if (errno != EAGAIN)
		return NET_DROPPED;
	__atomic_store_n(&t->blocked, true, __ATOMIC_RELAXED);
	return NET_LATER;
}

static void tap_fill(void *b, struct net_poll *p)
{
	struct tap *t = b;
	short events = net_can_receive(t->n) ? POLLIN : 0;

	if (__atomic_load_n(&t->blocked, __ATOMIC_RELAXED))
		events |= POLLOUT;
	poll_add(p, events ? t->fd : -1, events);
}

static void tap_ready(void *b, const struct net_poll *p)
{
	struct tap *t = b;
	short events = poll_events(p, t->fd);
	uint8_t frame[FRAME_MAX];
	ssize_t len;

	if (events & POLLOUT)
		__atomic_store_n(&t->blocked, false, __ATOMIC_RELAXED);
	for (int i = 0; (events & POLLIN) && i < BATCH && net_can_receive(t->n); i++) {
		len = read(t->fd, frame, sizeof(frame));
		if (len <= 0)
			break;
		net_receive(t->n, frame, (uint32_t)len);
	}
}

const struct net_backend net_tap = {
	.name = "tap",
	.direct = true,
	.open = tap_open,
	.close = tap_close,
	.send = tap_send,
	.fill = tap_fill,
	.ready = tap_ready,
};
