/* SPDX-License-Identifier: GPL-3.0-or-later
 * One growing buffer with two read positions, taken and searched. Bytes before both
 * are dropped; the searched position lags by at most KEEP bytes. */
#include "inspect/serial.h"
#include "base/alloc.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

enum { KEEP = 1 << 20, FULL = 1 << 20 };

struct serial_log {
	pthread_mutex_t lock;
	pthread_cond_t taken_some;
	int fd;
	bool has_taker;
	uint8_t *buf;
	size_t len, cap;     /* bytes held */
	size_t taken, found; /* positions in buf */
};

struct serial_log *serial_log_new(void)
{
	struct serial_log *l = xcalloc(1, sizeof(*l));

	pthread_mutex_init(&l->lock, NULL);
	pthread_cond_init(&l->taken_some, NULL);
	l->fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	return l;
}

void serial_log_free(struct serial_log *l)
{
	if (!l)
		return;
	if (l->fd >= 0)
		close(l->fd);
	pthread_cond_destroy(&l->taken_some);
	pthread_mutex_destroy(&l->lock);
	free(l->buf);
	free(l);
}

static void drop_used(struct serial_log *l)
{
	size_t used;

	if (l->len - l->found > KEEP)
		l->found = l->len - KEEP;
	used = l->has_taker && l->taken < l->found ? l->taken : l->found;
	if (used < l->len / 2 || used < 4096)
		return;
	memmove(l->buf, l->buf + used, l->len - used);
	l->len -= used;
	l->found -= used;
	l->taken = l->taken > used ? l->taken - used : 0;
}

static void append(struct serial_log *l, const uint8_t *buf, size_t n)
{
	drop_used(l);
	if (l->len + n > l->cap) {
		l->cap = (l->len + n) * 2;
		l->buf = xrealloc(l->buf, l->cap);
	}
	memcpy(l->buf + l->len, buf, n);
	l->len += n;
}

/* Give the taker a moment. Not longer: the main thread may be waiting for the vCPU. */
static void hold_back(struct serial_log *l)
{
	struct timespec until;

	clock_gettime(CLOCK_REALTIME, &until);
	until.tv_nsec += 20 * 1000 * 1000;
	until.tv_sec += until.tv_nsec / 1000000000;
	until.tv_nsec %= 1000000000;
	pthread_cond_timedwait(&l->taken_some, &l->lock, &until);
}

void serial_log_put(struct serial_log *l, const uint8_t *buf, size_t n)
{
	uint64_t one = 1;

	pthread_mutex_lock(&l->lock);
	append(l, buf, n);
	if (l->has_taker && write(l->fd, &one, sizeof(one)) < 0)
		one = 0; /* the counter is at its limit: the descriptor is readable */
	if (l->has_taker && l->len - l->taken > FULL)
		hold_back(l);
	pthread_mutex_unlock(&l->lock);
}

int serial_log_fd(const struct serial_log *l)
{
	return l->fd;
}

size_t serial_log_take(struct serial_log *l, uint8_t *buf, size_t n)
{
	uint64_t count;
	size_t have;

	pthread_mutex_lock(&l->lock);
	have = l->len - l->taken;
	if (have <= n && read(l->fd, &count, sizeof(count)) < 0)
		count = 0;
	if (n > have)
		n = have;
	if (n)
		memcpy(buf, l->buf + l->taken, n);
	l->taken += n;
	pthread_cond_signal(&l->taken_some);
	pthread_mutex_unlock(&l->lock);
	return n;
}

void serial_log_set_taken(struct serial_log *l, bool taken)
{
	pthread_mutex_lock(&l->lock);
	l->has_taker = taken;
	l->taken = l->len;
	pthread_mutex_unlock(&l->lock);
}

bool serial_log_expect(struct serial_log *l, const char *text, size_t len)
{
	uint8_t *at;

	pthread_mutex_lock(&l->lock);
	at = l->len > l->found ? memmem(l->buf + l->found, l->len - l->found, text, len) : NULL;
	if (at)
		l->found = (size_t)(at - l->buf) + len;
	pthread_mutex_unlock(&l->lock);
	return at != NULL;
}
