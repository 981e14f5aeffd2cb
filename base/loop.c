/* SPDX-License-Identifier: GPL-3.0-or-later
 * See loop.h. A watcher may be added or removed while another one is served, and a watcher
 * may call loop_turn() itself: the results of the outer poll() are stale then, and dropped. */
#include "base/loop.h"
#include "base/alloc.h"
#include "base/signals.h"

#include <poll.h>
#include <stdlib.h>

struct watcher {
	int fd;
	void (*ready)(void *ctx, int fd);
	void *ctx;
	unsigned
	    since; /* turn in which it was added: poll() reported on an earlier descriptor of that number */
};

struct loop {
	struct watcher *list;
	struct pollfd *fds; /* for one turn; CAP + 1 elements */
	int count, cap;
	unsigned turns;
};

struct loop *loop_new(void)
{
	struct loop *l = xcalloc(1, sizeof(*l));

	return l;
}

void loop_free(struct loop *l)
{
	if (!l)
		return;
	free(l->list);
	free(l->fds);
	free(l);
}

static struct watcher *find(struct loop *l, int fd)
{
	for (int i = 0; i < l->count; i++)
		if (l->list[i].fd == fd)
			return &l->list[i];
	return NULL;
}

void loop_watch(struct loop *l, int fd, void (*ready)(void *ctx, int fd), void *ctx)
{
	struct watcher *w = find(l, fd);

	if (!w && l->count == l->cap) {
		l->cap = l->cap * 2 + 16;
		l->list = xreallocarray(l->list, (size_t)l->cap, sizeof(*l->list));
		l->fds = xreallocarray(l->fds, (size_t)l->cap + 1, sizeof(*l->fds));
	}
	if (!w)
		w = &l->list[l->count++];
	*w = (struct watcher){ fd, ready, ctx, l->turns };
}

void loop_forget(struct loop *l, int fd)
{
	struct watcher *w = find(l, fd);

	if (w)
		*w = l->list[--l->count];
}

void loop_turn(struct loop *l, int timeout_ms, int also)
{
	struct pollfd none, *fds = l->fds ? l->fds : &none;
	int n = l->count;
	unsigned turn = ++l->turns;

	for (int i = 0; i < n; i++)
		fds[i] = (struct pollfd){ .fd = l->list[i].fd, .events = POLLIN };
	fds[n] = (struct pollfd){ .fd = also, .events = POLLIN };
	if (signals_poll(fds, (nfds_t)n + 1, timeout_ms) <= 0)
		return;
	for (int i = 0; i < n && l->turns == turn; i++) {
		/* not FDS: adding a watcher may have moved the array */
		struct watcher *w = l->fds[i].revents ? find(l, l->fds[i].fd) : NULL;

		if (w && w->since != turn)
			w->ready(w->ctx, w->fd);
	}
}
