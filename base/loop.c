/* SPDX-License-Identifier: GPL-3.0-or-later
 * See loop.h. A watcher may be added or forgotten while another is served. */
#include "base/loop.h"

#include <poll.h>
#include <stdlib.h>

enum { MAX_WATCHERS = 16 };

struct watcher {
	int fd;
	void (*ready)(void *ctx, int fd);
	void *ctx;
};

struct loop {
	struct watcher list[MAX_WATCHERS];
	int count;
};

struct loop *loop_new(void)
{
	struct loop *l = calloc(1, sizeof(*l));

	if (!l)
		abort();
	return l;
}

void loop_free(struct loop *l)
{
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

	if (!w && l->count == MAX_WATCHERS)
		abort(); /* our own bug: nobody outside adds watchers */
	if (!w)
		w = &l->list[l->count++];
	*w = (struct watcher){ fd, ready, ctx };
}

void loop_forget(struct loop *l, int fd)
{
	struct watcher *w = find(l, fd);

	if (w)
		*w = l->list[--l->count];
}

void loop_turn(struct loop *l, int timeout_ms, int also)
{
	struct pollfd fds[MAX_WATCHERS + 1];
	int n = l->count;

	for (int i = 0; i < n; i++)
		fds[i] = (struct pollfd){ .fd = l->list[i].fd, .events = POLLIN };
	fds[n] = (struct pollfd){ .fd = also, .events = POLLIN };
	if (poll(fds, (nfds_t)n + 1, timeout_ms) <= 0)
		return;
	for (int i = 0; i < n; i++) {
		struct watcher *w = fds[i].revents ? find(l, fds[i].fd) : NULL;

		if (w)
			w->ready(w->ctx, w->fd);
	}
}
