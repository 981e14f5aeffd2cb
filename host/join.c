/* SPDX-License-Identifier: GPL-3.0-or-later
 * See join.h. The VM's side of the protocol, on its main thread. */
#include "host/join.h"
#include "base/alloc.h"
#include "base/loop.h"
#include "host/overhead.h"
#include "host/protocol.h"
#include "hv/machine.h"
#include "inspect/inspect.h"
#include "mm/host.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <sys/un.h>
#include <unistd.h>

enum { ANSWER_MS = 30000, REFRESH_S = 2 };

struct host_link {
	char host[RUNTIME_NAME];
	char gone[RUNTIME_NAME + 40]; /* what is said when the host has ended */
	int fd, timer;		      /* -1: none */
	int swap;
	uint64_t swap_base;
	struct mm_pool *pool;
	struct machine *m;
	struct overhead overhead;
	struct inspect *s;
	struct loop *loop;
};

/* ---- joining ---- */

static bool fail(char *err, size_t errlen, const char *host, const char *what)
{
	snprintf(err, errlen, "host %s: %s", host, what);
	return false;
}

static bool connect_to(struct host_link *l, char *err, size_t errlen)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };

	if (!runtime_path(l->host, NULL, RUNTIME_JOIN, addr.sun_path, err, errlen))
		return false;
	l->fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	if (l->fd >= 0 && connect(l->fd, (const struct sockaddr *)&addr, sizeof(addr)) == 0)
		return true;
	if (errno == ENOENT || errno == ECONNREFUSED)
		return fail(err, errlen, l->host, "there is none of this name");
	return fail(err, errlen, l->host, strerror(errno));
}

/* Wait for a message of TYPE, with its descriptors. */
static bool await(struct host_link *l, enum host_type type, struct host_message *m, int fds[HOST_FDS],
		  unsigned *n, char *err, size_t errlen)
{
	struct pollfd p = { .fd = l->fd, .events = POLLIN };
	const char *why = "it does not answer";
	enum host_got got = HOST_NOTHING;

	if (poll(&p, 1, ANSWER_MS) > 0)
		got = host_receive(l->fd, m, fds, n, &why);
	if (got == HOST_GONE)
		why = "it has ended";
	else if (got == HOST_GOT && m->type == HOST_REFUSE)
		why = m->text[0] ? m->text : "it refuses";
	else if (got == HOST_GOT && m->type != type)
		why = "it answers something else";
	else if (got == HOST_GOT)
		return true;
	while (got == HOST_GOT && (*n)--)
		close(fds[*n]);
	return fail(err, errlen, l->host, why);
}

static bool say_hello(struct host_link *l, const struct host_join *j, char *err, size_t errlen)
{
	struct host_message m = host_message(HOST_HELLO);

	m.memory = j->memory;
	m.min = j->min;
	m.max = j->max;
	m.shares = j->shares < UINT32_MAX ? (uint32_t)j->shares : UINT32_MAX;
	m.overhead = overhead_bytes(&l->overhead, NULL);
	strcpy(m.name, j->vm);
	return host_send(l->fd, &m, NULL, 0) || fail(err, errlen, l->host, "it has ended");
}

static bool be_admitted(struct host_link *l, char *err, size_t errlen)
{
	char why[HOST_LINE] = "its memory cannot be mapped";
	struct host_message m;
	struct mm_pool_fds f;
	int fds[HOST_FDS];
	unsigned n;

	if (!await(l, HOST_ADMIT, &m, fds, &n, err, errlen))
		return false;
	if (m.swaps && n > 2) {
		l->swap = fds[--n];
		l->swap_base = m.swap_base;
	}
	f = (struct mm_pool_fds){ .block = fds[0], .frames = fds[1], .host = n > 2 ? fds[2] : -1 };
	if (n > 3)
		close(fds[3]);
	l->pool = mm_pool_join(&f, m.slot, why, sizeof(why));
	return l->pool || fail(err, errlen, l->host, why);
}

struct host_link *host_link_new(const struct host_join *j, char *err, size_t errlen)
{
	struct host_link *l = xcalloc(1, sizeof(*l));

	*l = (struct host_link){ .fd = -1, .timer = -1, .swap = -1 };
	snprintf(l->host, sizeof(l->host), "%s", j->host);
	snprintf(l->gone, sizeof(l->gone), "the host %s has ended", l->host);
	overhead_init(&l->overhead);
	if (connect_to(l, err, errlen) && say_hello(l, j, err, errlen) && be_admitted(l, err, errlen))
		return l;
	host_link_free(l, 0);
	return NULL;
}

struct mm_pool *host_link_pool(const struct host_link *l)
{
	return l->pool;
}

int host_link_swap(const struct host_link *l, uint64_t *base)
{
	*base = l->swap_base;
	return l->swap;
}

int host_link_ready(struct host_link *l, struct machine *m, char *err, size_t errlen)
{
	struct host_message ready = host_message(HOST_READY), answer;
	int pair[2], none[HOST_FDS];
	unsigned n;
	bool ok;

	l->m = m;
	ready.overhead = overhead_bytes(&l->overhead, m);
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair) < 0) {
		fail(err, errlen, l->host, strerror(errno));
		return -1;
	}
	ok = host_send(l->fd, &ready, (const int[]){ mm_vm_pmap_fd(machine_vm(m)), pair[1] }, 2) ||
	     fail(err, errlen, l->host, "it has ended");
	close(pair[1]);
	if (ok && await(l, HOST_LISTED, &answer, none, &n, err, errlen))
		return pair[0];
	close(pair[0]);
	return -1;
}

/* ---- while it runs ---- */

static void refresh(struct host_link *l)
{
	struct mm_slot *slot = mm_slot(machine_vm(l->m));

	if (slot)
		atomic_store(&slot->overhead, (uint32_t)(overhead_bytes(&l->overhead, l->m) >> PAGE_SHIFT));
}

static void timer_ready(void *ctx, int fd)
{
	uint64_t count;

	if (read(fd, &count, sizeof(count)) == sizeof(count))
		refresh(ctx);
}

static void link_ready(void *ctx, int fd)
{
	struct host_link *l = ctx;
	char c;

	/* Nothing is expected: it is the end, or nonsense. */
	if (recv(fd, &c, 1, MSG_DONTWAIT) < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	loop_forget(l->loop, fd);
	inspect_end(l->s, l->gone);
}

void host_link_serve(struct host_link *l, struct inspect *s, struct loop *loop)
{
	struct itimerspec every = { .it_interval.tv_sec = REFRESH_S, .it_value.tv_sec = REFRESH_S };

	l->s = s;
	l->loop = loop;
	loop_watch(loop, l->fd, link_ready, l);
	l->timer = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
	if (l->timer < 0)
		return;
	timerfd_settime(l->timer, 0, &every, NULL);
	loop_watch(loop, l->timer, timer_ready, l);
}

void host_link_free(struct host_link *l, int status)
{
	struct host_message bye = host_message(HOST_BYE);

	if (!l)
		return;
	if (l->loop) {
		loop_forget(l->loop, l->fd);
		loop_forget(l->loop, l->timer);
	}
	bye.status = status;
	if (l->fd >= 0)
		host_send(l->fd, &bye, NULL, 0);
	mm_pool_free(l->pool);
	overhead_fini(&l->overhead);
	if (l->timer >= 0)
		close(l->timer);
	if (l->swap >= 0)
		close(l->swap);
	if (l->fd >= 0)
		close(l->fd);
	free(l);
}
