/* SPDX-License-Identifier: GPL-3.0-or-later
 * Back end user: a network behind the user's own rights (libslirp): the guest is 10.0.2.15 by DHCP, the
 * host's loopback 10.0.2.2, the name server 10.0.2.3. hostfwd=tcp:HOST:PORT-GUESTPORT leads from the host to
 * the guest. libslirp keeps the time in a variable of the process, so a machine has one such network at most.
 */
#include <arpa/inet.h>
#include <slirp/libslirp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/log.h"
#include "base/monotonic.h"
#include "hv/io/net_int.h"

enum { TIMERS = 4, MTU = 1500 };
#define NEVER INT64_MAX

struct user {
	struct net *n;
	Slirp *slirp;
	struct net_poll *poll; /* while one is filled or read */
	struct user_timer {
		SlirpTimerId id;
		void *opaque;
		int64_t due; /* ms */
		bool used;
	} timer[TIMERS];
};

/* ---- what libslirp calls ---- */

static ssize_t on_packet(const void *buf, size_t len, void *opaque)
{
	struct user *u = opaque;

	if (len <= FRAME_MAX)
		net_receive(u->n, buf, (uint32_t)len);
	return (ssize_t)len;
}

static void on_guest_error(const char *msg, void *opaque)
{
	(void)opaque;
	LOG(dev, "user network: %s", msg);
}

static int64_t now_ns(void *opaque)
{
	(void)opaque;
	return monotonic_ns();
}

static void *timer_new(SlirpTimerId id, void *cb_opaque, void *opaque)
{
	struct user *u = opaque;

	for (unsigned i = 0; i < TIMERS; i++)
		if (!u->timer[i].used) {
			u->timer[i] = (struct user_timer){ id, cb_opaque, NEVER, true };
			return &u->timer[i];
		}
	return NULL;
}

static void on_timer_free(void *timer, void *opaque)
{
	(void)opaque;
	if (timer)
		((struct user_timer *)timer)->used = false;
}

static void on_timer_mod(void *timer, int64_t expire_time, void *opaque)
{
	(void)opaque;
	if (timer)
		((struct user_timer *)timer)->due = expire_time;
}

static void ignore_fd(int fd, void *opaque)
{
	(void)fd, (void)opaque;
}

static void ignore(void *opaque)
{
	(void)opaque;
}

/* ---- poll ---- */

static const struct {
	int slirp;
	short host;
} events[] = { { SLIRP_POLL_IN, POLLIN },
	       { SLIRP_POLL_OUT, POLLOUT },
	       { SLIRP_POLL_PRI, POLLPRI },
	       { SLIRP_POLL_ERR, POLLERR },
	       { SLIRP_POLL_HUP, POLLHUP } };

static int add_poll(int fd, int wanted, void *opaque)
{
	struct user *u = opaque;
	int at = (int)u->poll->n;
	short e = 0;

	for (unsigned i = 0; i < ARRAY_LEN(events); i++)
		e |= wanted & events[i].slirp ? events[i].host : 0;
	poll_add(u->poll, fd, e);
	return at;
}

static int get_revents(int idx, void *opaque)
{
	const struct net_poll *p = ((struct user *)opaque)->poll;
	int r = 0;

	for (unsigned i = 0; idx < (int)p->n && i < ARRAY_LEN(events); i++)
		r |= p->fd[idx].revents & events[i].host ? events[i].slirp : 0;
	return r;
}

static void user_fill(void *b, struct net_poll *p)
{
	struct user *u = b;
	uint32_t ms = 1000;

	u->poll = p;
	if (!net_can_receive(u->n)) /* its frames would be lost */
		return;
	slirp_pollfds_fill(u->slirp, &ms, add_poll, u);
	poll_sooner(p, ms * 1000000ull);
}

static void run_timers(struct user *u)
{
	int64_t now = monotonic_ns() / 1000000;

	for (unsigned i = 0; i < TIMERS; i++)
		if (u->timer[i].used && u->timer[i].due <= now) {
			u->timer[i].due = NEVER;
			slirp_handle_timer(u->slirp, u->timer[i].id, u->timer[i].opaque);
		}
}

static void user_ready(void *b, const struct net_poll *p)
{
	struct user *u = b;

	u->poll = (struct net_poll *)(uintptr_t)p;
	run_timers(u);
	slirp_pollfds_poll(u->slirp, 0, get_revents, u);
}

static enum net_sent user_send(void *b, const uint8_t *frame, uint32_t len)
{
	slirp_input(((struct user *)b)->slirp, frame, (int)len);
	return NET_SENT;
}

/* ---- opening ---- */

/* Parse "tcp:HOST:PORT-GUESTPORT", where HOST may be empty: the loopback. */
static bool forward(Slirp *s, const char *text)
{
	struct in_addr host, guest = { .s_addr = htonl(0x0a00020f) };
	char kind[4], at[16] = "127.0.0.1";
	unsigned port, to;
	char end;

	if (sscanf(text, "%3[a-z]:%15[0-9.]:%u-%u%c", kind, at, &port, &to, &end) != 4 &&
	    sscanf(text, "%3[a-z]::%u-%u%c", kind, &port, &to, &end) != 3)
		return false;
	if ((strcmp(kind, "tcp") && strcmp(kind, "udp")) || !inet_aton(at, &host) || port > 65535 || !to ||
	    to > 65535)
		return false;
	return slirp_add_hostfwd(s, !strcmp(kind, "udp"), host, (int)port, guest, (int)to) == 0;
}

static const SlirpCb callbacks = {
	.send_packet = on_packet,
	.guest_error = on_guest_error,
	.clock_get_ns = now_ns,
	.timer_free = on_timer_free,
	.timer_mod = on_timer_mod,
	.register_poll_fd = ignore_fd,
	.unregister_poll_fd = ignore_fd,
	.notify = ignore,
	.timer_new_opaque = timer_new,
};

static Slirp *make_slirp(struct user *u)
{
	SlirpConfig c = {
		.version = 4,
		.in_enabled = true,
		.vnetwork = { htonl(0x0a000200) },
		.vnetmask = { htonl(0xffffff00) },
		.vhost = { htonl(0x0a000202) },
		.vdhcp_start = { htonl(0x0a00020f) },
		.vnameserver = { htonl(0x0a000203) },
		.vhostname = "vitrine",
		.bootfile = u->n->config->bootfile,
		.tftp_path = u->n->config->tftp,
		.if_mtu = MTU,
		.if_mru = MTU,
		.in6_enabled = true,
		.vprefix_len = 64,
	};

	inet_pton(AF_INET6, "fec0::", &c.vprefix_addr6);
	inet_pton(AF_INET6, "fec0::2", &c.vhost6);
	inet_pton(AF_INET6, "fec0::3", &c.vnameserver6);
	return slirp_new(&c, &callbacks, u);
}

static void user_close(void *b)
{
	struct user *u = b;

	if (u->slirp)
		slirp_cleanup(u->slirp);
	free(u);
}

static void *user_open(struct net *n, char *err, size_t errlen)
{
	struct user *u = xcalloc(1, sizeof(*u));

	u->n = n;
	u->slirp = make_slirp(u);
	if (!u->slirp)
		snprintf(err, errlen, "--net: libslirp refuses to start");
	for (unsigned i = 0; u->slirp && i < n->config->nforwards; i++)
		if (!forward(u->slirp, n->config->forward[i])) {
			snprintf(err, errlen, "--net: hostfwd=%s: not tcp:HOST:PORT-GUESTPORT, or in use",
				 n->config->forward[i]);
			user_close(u);
			return NULL;
		}
	if (!u->slirp) {
		free(u);
		return NULL;
	}
	atomic_store(&n->up, true);
	return u;
}

const struct net_backend net_user = {
	.name = "user",
	.sockets = true,
	.open = user_open,
	.close = user_close,
	.send = user_send,
	.fill = user_fill,
	.ready = user_ready,
};
