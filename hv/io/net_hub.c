/* SPDX-License-Identifier: GPL-3.0-or-later
 * Back end hub[:PATH]: virtual machines of one user on a cable of their own, at a Unix socket. Whoever holds
 * the lock on PATH.lock is the switch: its thread listens at PATH, learns which station is at which port, and
 * passes frames on; the others connect. When the switch ends, the kernel frees the lock, and the first of the
 * others to notice takes it: the rest connect again. A port that does not read loses frames once its queue is
 * full. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/log.h"
#include "base/monotonic.h"
#include "hv/io/net_int.h"

enum {
	PORTS = 32,
	SELF = PORTS,
	NOWHERE = -1,
	STATIONS = 256,
	BATCH = 64,
	QUEUE_BYTES = 512 << 10,
	BACKLOG = 8
};
enum { RETRY_NS = 50000000 };

struct port {
	int fd; /* -1: free */
	struct frames queue;
};

struct hub {
	struct net *n;
	struct sockaddr_un at;
	int lock;
	int fd; /* the switch: where it listens; else the connection; -1: neither */
	bool is_switch;
	bool blocked;  /* the connection takes no frame now */
	int64_t retry; /* when to try again (ns) */
	struct port port[PORTS];
	struct station {
		uint8_t mac[6];
		int8_t port; /* PORTS: our own device */
		bool known;
	} station[STATIONS];
};

/* ---- the switch ---- */

static struct station *station_of(struct hub *h, const uint8_t *mac)
{
	return &h->station[(mac[5] ^ mac[4] * 7 ^ mac[3] * 31) % STATIONS];
}

static int port_of(struct hub *h, const uint8_t *mac)
{
	const struct station *s = station_of(h, mac);

	return s->known && !memcmp(s->mac, mac, 6) ? s->port : NOWHERE;
}

static void drop_port(struct hub *h, unsigned i)
{
	close(h->port[i].fd);
	free(h->port[i].queue.buf);
	h->port[i] = (struct port){ .fd = -1 };
	for (unsigned s = 0; s < STATIONS; s++)
		if (h->station[s].port == (int)i)
			h->station[s].known = false;
}

static bool send_now(int fd, const uint8_t *frame, uint32_t len)
{
	return send(fd, frame, len, MSG_DONTWAIT | MSG_NOSIGNAL) >= 0 ||
	       (errno != EAGAIN && errno != ENOBUFS);
}

static void to_port(struct hub *h, unsigned i, const uint8_t *frame, uint32_t len)
{
	struct port *p = &h->port[i];

	if (p->fd < 0 || (!frames_used(&p->queue) && send_now(p->fd, frame, len)))
		return;
	if (!frames_put(&p->queue, frame, len))
		LOG(dev, "hub: port %u does not read: frame lost", i);
}

/* Pass on a frame that came from port FROM. */
static void pass_on(struct hub *h, int from, const uint8_t *frame, uint32_t len)
{
	struct station *s = station_of(h, frame + 6);
	int to = frame[0] & 1 ? NOWHERE : port_of(h, frame);

	if (!(frame[6] & 1)) {
		memcpy(s->mac, frame + 6, 6);
		s->port = (int8_t)from;
		s->known = true;
	}
	if (to == from)
		return;
	for (int i = 0; i < PORTS; i++)
		if (i != from && (to == i || to == NOWHERE))
			to_port(h, (unsigned)i, frame, len);
	if (from != SELF && (to == SELF || to == NOWHERE))
		net_receive(h->n, frame, len);
}

static void port_reads(struct hub *h, unsigned i)
{
	uint8_t frame[FRAME_MAX];
	ssize_t len;

	for (int k = 0; k < BATCH; k++) {
		len = recv(h->port[i].fd, frame, sizeof(frame), MSG_DONTWAIT);
		if (len < 0 && errno == EAGAIN)
			return;
		if (len <= 0) {
			drop_port(h, i);
			return;
		}
		if (len >= NET_FRAME_MIN)
			pass_on(h, (int)i, frame, (uint32_t)len);
	}
}

static void port_drains(struct port *p)
{
	const uint8_t *f;
	uint32_t len;

	while ((f = frames_first(&p->queue, &len)) && send_now(p->fd, f, len))
		frames_take(&p->queue, len);
}

static void accept_ports(struct hub *h)
{
	int fd;

	while ((fd = accept4(h->fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK)) >= 0) {
		unsigned i = 0;
		uint8_t *buf = malloc(QUEUE_BYTES);

		while (i < PORTS && h->port[i].fd >= 0)
			i++;
		if (i == PORTS || !buf) {
			free(buf);
			close(fd);
			continue;
		}
		h->port[i] = (struct port){ .fd = fd, .queue = { .buf = buf, .size = QUEUE_BYTES } };
	}
}

static void switch_ready(struct hub *h, const struct net_poll *p)
{
	for (unsigned i = 0; i < PORTS; i++) {
		short events = h->port[i].fd >= 0 ? poll_events(p, h->port[i].fd) : 0;

		if (events & POLLOUT)
			port_drains(&h->port[i]);
		if (events & (POLLIN | POLLHUP | POLLERR))
			port_reads(h, i);
	}
	if (poll_events(p, h->fd))
		accept_ports(h);
}

/* ---- joining ---- */

static bool begin_switch(struct hub *h)
{
	int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	if (fd < 0)
		return false;
	unlink(h->at.sun_path); /* of a switch that ended: we have its lock */
	if (fchmod(fd, 0600) < 0 || bind(fd, (const struct sockaddr *)&h->at, sizeof(h->at)) < 0 ||
	    listen(fd, BACKLOG) < 0) {
		close(fd);
		return false;
	}
	h->fd = fd;
	return true;
}

static bool connect_to_switch(struct hub *h)
{
	int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	if (fd < 0 || connect(fd, (const struct sockaddr *)&h->at, sizeof(h->at)) < 0) {
		if (fd >= 0)
			close(fd);
		return false;
	}
	h->fd = fd;
	h->blocked = false;
	return true;
}

static bool join(struct hub *h)
{
	h->is_switch = h->is_switch || flock(h->lock, LOCK_EX | LOCK_NB) == 0;
	atomic_store(&h->n->up, h->is_switch ? begin_switch(h) : connect_to_switch(h));
	h->retry = monotonic_ns() + RETRY_NS;
	return atomic_load(&h->n->up);
}

static bool default_path(char *path, size_t len)
{
	const char *dir = getenv("XDG_RUNTIME_DIR");

	if (dir && *dir)
		return (size_t)snprintf(path, len, "%s/vitrine-hub", dir) < len;
	return (size_t)snprintf(path, len, "/tmp/vitrine-hub-%u", (unsigned)getuid()) < len;
}

static int open_lock(const char *path)
{
	char name[sizeof(((struct sockaddr_un *)0)->sun_path) + 8];
	struct stat st;
	int fd;

	snprintf(name, sizeof(name), "%s.lock", path);
	fd = open(name, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd >= 0 && fstat(fd, &st) == 0 && st.st_uid != geteuid()) {
		close(fd);
		errno = EPERM;
		return -1;
	}
	return fd;
}

static void *hub_open(struct net *n, char *err, size_t errlen)
{
	struct hub *h = xcalloc(1, sizeof(*h));
	char *path = h->at.sun_path;
	size_t max = sizeof(h->at.sun_path);
	const char *why = "the path is too long";

	h->n = n;
	h->fd = h->lock = -1;
	h->at.sun_family = AF_UNIX;
	for (unsigned i = 0; i < PORTS; i++)
		h->port[i].fd = -1;
	if (n->config->place ? (size_t)snprintf(path, max, "%s", n->config->place) < max
			     : default_path(path, max)) {
		h->lock = open_lock(path);
		why = strerror(errno);
	}
	if (h->lock < 0) {
		snprintf(err, errlen, "--net: hub:%s: %s", path, why);
		free(h);
		return NULL;
	}
	if (!join(h) && h->is_switch) {
		snprintf(err, errlen, "--net: cannot listen at hub:%s: %s", path, strerror(errno));
		close(h->lock);
		free(h);
		return NULL;
	}
	return h;
}

static void hub_close(void *b)
{
	struct hub *h = b;

	for (unsigned i = 0; i < PORTS; i++)
		if (h->port[i].fd >= 0)
			drop_port(h, i);
	if (h->is_switch && h->fd >= 0)
		unlink(h->at.sun_path);
	if (h->fd >= 0)
		close(h->fd);
	close(h->lock);
	free(h);
}

/* ---- a port ---- */

static void lost(struct hub *h)
{
	close(h->fd);
	h->fd = -1;
	atomic_store(&h->n->up, false);
	h->retry = 0;
}

static enum net_sent hub_send(void *b, const uint8_t *frame, uint32_t len)
{
	struct hub *h = b;

	if (h->fd < 0)
		return NET_DROPPED;
	if (h->is_switch) {
		pass_on(h, SELF, frame, len);
		return NET_SENT;
	}
	if (send(h->fd, frame, len, MSG_DONTWAIT | MSG_NOSIGNAL) == (ssize_t)len)
		return NET_SENT;
	h->blocked = errno == EAGAIN || errno == ENOBUFS;
	return h->blocked ? NET_LATER : NET_DROPPED;
}

static void hub_fill(void *b, struct net_poll *p)
{
	struct hub *h = b;

	if (h->fd < 0) {
		poll_sooner(p, RETRY_NS);
		return;
	}
	if (!h->is_switch) {
		poll_add(p, h->fd,
			 (short)((net_can_receive(h->n) ? POLLIN : 0) | (h->blocked ? POLLOUT : 0)));
		return;
	}
	poll_add(p, h->fd, POLLIN);
	for (unsigned i = 0; i < PORTS; i++)
		if (h->port[i].fd >= 0)
			poll_add(p, h->port[i].fd,
				 (short)(POLLIN | (frames_used(&h->port[i].queue) ? POLLOUT : 0)));
}

static void hub_reads(struct hub *h)
{
	uint8_t frame[FRAME_MAX];
	ssize_t len;

	for (int i = 0; i < BATCH && net_can_receive(h->n); i++) {
		len = recv(h->fd, frame, sizeof(frame), MSG_DONTWAIT);
		if (len < 0 && errno == EAGAIN)
			return;
		if (len <= 0) {
			lost(h);
			return;
		}
		net_receive(h->n, frame, (uint32_t)len);
	}
}

static void hub_ready(void *b, const struct net_poll *p)
{
	struct hub *h = b;
	short events;

	if (h->fd < 0) {
		if (monotonic_ns() >= h->retry)
			join(h);
		return;
	}
	if (h->is_switch) {
		switch_ready(h, p);
		return;
	}
	events = poll_events(p, h->fd);
	if (events & POLLOUT)
		h->blocked = false;
	if (events & (POLLIN | POLLHUP | POLLERR))
		hub_reads(h);
}

const struct net_backend net_hub = {
	.name = "hub",
	.sockets = true,
	.open = hub_open,
	.close = hub_close,
	.send = hub_send,
	.fill = hub_fill,
	.ready = hub_ready,
};
