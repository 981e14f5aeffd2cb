/* SPDX-License-Identifier: GPL-3.0-or-later
 * See hv/io/net.h: queues, rate and capture of a link, and its thread. The thread sleeps in one ppoll(), for
 * its wake-up descriptor and those of the back end; `sleeps` says so, and whoever queues a frame then writes
 * there. What the thread finds on looking once more after it has set `sleeps` needs no wake-up. */
#include "hv/io/net_int.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/log.h"
#include "base/monotonic.h"

enum { OUT_BYTES = 256 << 10, IN_BYTES = 1 << 20, HELD_BYTES = 256 << 10 };
enum { WIRE_EXTRA = 24, WIRE_MIN = 60 }; /* preamble, checksum and gap; the least frame */
enum { STUCK_NS = 200000000 };
enum { QUEUED_SHARE = 250, BURST_SHARE = 1000 }; /* of a second at the link's rate */

/* ---- rate ---- */

void bucket_init(struct net_bucket *b, uint64_t rate, uint64_t now)
{
	*b = (struct net_bucket){
		.rate = rate, .burst = rate / BURST_SHARE, .late = rate / QUEUED_SHARE, .since = now
	};
	if (b->burst < 2 * FRAME_MAX)
		b->burst = 2 * FRAME_MAX;
	b->tokens = b->burst;
}

static uint64_t on_wire(uint32_t len)
{
	return (len < WIRE_MIN ? WIRE_MIN : len) + WIRE_EXTRA;
}

bool bucket_take(struct net_bucket *b, uint32_t len, uint64_t now)
{
	uint64_t ns = now - b->since, most = b->burst + (b->waits ? b->late : 0), gain;

	if (!b->rate)
		return true;
	gain = ns > 1000000000 ? most : ns * b->rate / 1000000000;
	if (b->tokens + gain >= most) {
		b->tokens = most;
		b->since = now;
	} else if (gain) {
		b->tokens += gain;
		b->since += gain * 1000000000 / b->rate;
	}
	b->waits = b->waits || b->tokens < on_wire(len);
	if (b->tokens < on_wire(len))
		return false;
	b->tokens -= on_wire(len);
	return true;
}

void bucket_idle(struct net_bucket *b)
{
	b->waits = false;
	if (b->tokens > b->burst)
		b->tokens = b->burst;
}

uint64_t bucket_wait(const struct net_bucket *b, uint32_t len)
{
	return (on_wire(len) - b->tokens) * 1000000000 / b->rate + 1;
}

/* ---- descriptors ---- */

void poll_add(struct net_poll *p, int fd, short events)
{
	if (fd >= 0 && p->n < NET_POLL_MAX)
		p->fd[p->n++] = (struct pollfd){ .fd = fd, .events = events };
}

short poll_events(const struct net_poll *p, int fd)
{
	for (unsigned i = 0; i < p->n; i++)
		if (p->fd[i].fd == fd)
			return p->fd[i].revents;
	return 0;
}

void poll_sooner(struct net_poll *p, uint64_t ns)
{
	if (p->timeout < 0 || (uint64_t)p->timeout > ns)
		p->timeout = (int64_t)ns;
}

static void wake(struct net *n)
{
	uint64_t one = 1;

	n->stats.wakes++;
	if (write(n->wake_fd, &one, sizeof(one)) < 0)
		return; /* it is awake */
}

/* ---- out: the vCPU's thread ---- */

/* Most bytes in the queue: some milliseconds of a link with a rate. */
static uint32_t out_limit(uint64_t rate)
{
	uint64_t some_ms = rate / QUEUED_SHARE;

	if (!rate || some_ms > OUT_BYTES)
		return OUT_BYTES;
	return some_ms < 8 * FRAME_MAX ? 8 * FRAME_MAX : (uint32_t)some_ms;
}

static bool has_room(const struct net *n, uint32_t len)
{
	return frames_used(&n->out) + frames_room_for(len) <= n->out_most;
}

static void count_out(struct net *n, enum net_sent how, uint32_t len)
{
	n->stats.dropped_out += how == NET_DROPPED;
	n->stats.frames_out += how == NET_SENT;
	n->stats.bytes_out += how == NET_SENT ? len : 0;
}

bool net_send(struct net *n, const uint8_t *frame, uint32_t len)
{
	enum net_sent how;

	if (n->ops->direct && !n->pcap && !n->out_rate.rate && !frames_used(&n->out)) {
		how = n->ops->send(n->backend, frame, len);
		if (how != NET_LATER) {
			count_out(n, how, len);
			return true;
		}
	}
	if (has_room(n, len) && frames_put(&n->out, frame, len))
		return true;
	n->stats.waited++;
	atomic_store(&n->want_out, true);
	return false;
}

void net_push(struct net *n)
{
	if (!frames_used(&n->out))
		return;
	atomic_thread_fence(memory_order_seq_cst);
	if (atomic_exchange(&n->sleeps, false))
		wake(n);
}

struct frames *net_leaving(struct net *n, uint32_t *most)
{
	*most = n->out_most;
	return n->ops->direct ? NULL : &n->out;
}

const atomic_bool *net_sleeps(const struct net *n)
{
	return &n->sleeps;
}

struct frames *net_arrived(struct net *n)
{
	return &n->in;
}

const atomic_bool *net_wants_room(const struct net *n)
{
	return &n->want_in;
}

void net_made_room(struct net *n)
{
	if (atomic_exchange(&n->want_in, false) && atomic_exchange(&n->sleeps, false))
		wake(n);
}

/* ---- out: the link's thread ---- */

static void drop_queue(struct net *n)
{
	const uint8_t *f;
	uint32_t len;

	while ((f = frames_first(&n->out, &len))) {
		n->stats.dropped_out++;
		frames_take(&n->out, len);
	}
	n->stuck_since = 0;
	n->captured = false;
}

/* The back end takes nothing now. A peer that has not read for long loses what waits for it. */
static void stuck(struct net *n, struct net_poll *p, uint64_t now)
{
	if (!n->stuck_since)
		n->stuck_since = now;
	else if (now - n->stuck_since > STUCK_NS)
		drop_queue(n);
	poll_sooner(p, STUCK_NS);
}

/* True: the first frame waits for the rate. */
static bool send_queued(struct net *n, struct net_poll *p)
{
	uint64_t now = (uint64_t)monotonic_ns();
	const uint8_t *f;
	enum net_sent how;
	bool rated = false;
	uint32_t len;

	while ((f = frames_first(&n->out, &len))) {
		if (!bucket_take(&n->out_rate, len, now)) {
			rated = true;
			poll_sooner(p, bucket_wait(&n->out_rate, len));
			break;
		}
		if (n->pcap && !n->captured) /* before what it brings about */
			pcap_write(n->pcap, f, len);
		how = n->ops->send(n->backend, f, len);
		n->captured = how == NET_LATER;
		if (how == NET_LATER) {
			n->out_rate.tokens += n->out_rate.rate ? on_wire(len) : 0;
			stuck(n, p, now);
			break;
		}
		n->stuck_since = 0;
		count_out(n, how, len);
		frames_take(&n->out, len);
	}
	if (!f)
		bucket_idle(&n->out_rate);
	if (frames_used(&n->out) <= n->out_most / 2 && atomic_exchange(&n->want_out, false))
		io_notice_set(n->host.notice, n->bit);
	return rated;
}

/* ---- in: the link's thread ---- */

static bool let_in(struct net *n, const uint8_t *frame, uint32_t len)
{
	if (!frames_put(&n->in, frame, len)) {
		n->stats.dropped_in++;
		return false;
	}
	n->stats.frames_in++;
	n->stats.bytes_in += len;
	io_notice_set(n->host.notice, n->bit);
	return true;
}

bool net_receive(struct net *n, const uint8_t *frame, uint32_t len)
{
	if (len < NET_FRAME_MIN || len > FRAME_MAX) {
		n->stats.dropped_in++;
		return false;
	}
	if (n->pcap)
		pcap_write(n->pcap, frame, len);
	if (!n->in_rate.rate ||
	    (!frames_used(&n->held) && bucket_take(&n->in_rate, len, (uint64_t)monotonic_ns())))
		return let_in(n, frame, len);
	if (frames_put(&n->held, frame, len))
		return true;
	n->stats.dropped_in++;
	return false;
}

static void release_held(struct net *n, struct net_poll *p)
{
	uint64_t now = (uint64_t)monotonic_ns();
	const uint8_t *f;
	uint32_t len;

	while (n->in_rate.rate && (f = frames_first(&n->held, &len))) {
		if (!bucket_take(&n->in_rate, len, now)) {
			poll_sooner(p, bucket_wait(&n->in_rate, len));
			break;
		}
		let_in(n, f, len);
		frames_take(&n->held, len);
	}
	if (!frames_used(&n->held))
		bucket_idle(&n->in_rate);
}

static bool roomy(const struct frames *q)
{
	return q->size - frames_used(q) >= 4 * FRAME_MAX;
}

bool net_can_receive(struct net *n)
{
	if (n->in_rate.rate && !roomy(&n->held))
		return false; /* release_held() sees to it */
	if (roomy(&n->in))
		return true;
	n->full = true;
	atomic_store(&n->want_in, true);
	return roomy(&n->in);
}

/* ---- the link's thread ---- */

/* RATED: more frames behind the one that waits for the rate change nothing. */
static void wait_for_work(struct net *n, struct net_poll *p, uint32_t seen, bool rated)
{
	struct timespec ts;
	uint64_t count;

	if (n->pcap)
		pcap_flush(n->pcap);
	atomic_store(&n->sleeps, !rated);
	if ((atomic_load(&n->out.put) != seen && !rated) || atomic_load(&n->ends) ||
	    (atomic_load(&n->want_out) && frames_used(&n->out) <= n->out_most / 2) ||
	    (n->full && !atomic_load(&n->want_in)))
		p->timeout = 0;
	n->full = false;
	ts = (struct timespec){ p->timeout / 1000000000, p->timeout % 1000000000 };
	if (ppoll(p->fd, p->n, p->timeout < 0 ? NULL : &ts, NULL) < 0)
		for (unsigned i = 0; i < p->n; i++)
			p->fd[i].revents = 0;
	atomic_store(&n->sleeps, false);
	if (p->fd[0].revents && read(n->wake_fd, &count, sizeof(count)) < 0)
		return; /* nothing to read: fine */
}

static void serve(struct net *n, struct net_poll *p)
{
	while (!atomic_load(&n->ends)) {
		uint32_t seen = atomic_load(&n->out.put);
		bool rated;

		p->n = 0;
		p->timeout = -1;
		poll_add(p, n->wake_fd, POLLIN);
		rated = send_queued(n, p);
		release_held(n, p);
		n->ops->fill(n->backend, p);
		wait_for_work(n, p, seen, rated);
		n->ops->ready(n->backend, p);
	}
}

static void *net_thread(void *arg)
{
	struct net *n = arg;
	struct net_poll *p = xmalloc(sizeof(*p));
	bool ok;

	pthread_setname_np(pthread_self(), "net");
	prctl(PR_SET_TIMERSLACK, 1);
	ok = !n->host.thread_begins || n->host.thread_begins(n->ops->sockets, n->why, sizeof(n->why));
	__atomic_store_n(&n->state, ok ? NET_SERVES : NET_FAILED, __ATOMIC_RELEASE);
	if (ok)
		serve(n, p);
	free(p);
	return NULL;
}

/* ---- opening ---- */

static bool make_queue(struct frames *q, uint32_t size)
{
	q->size = size;
	q->buf = malloc(size);
	return q->buf != NULL;
}

static const struct net_backend *backend_named(const struct net_config *c)
{
	static const struct net_backend *const all[] = { &net_user, &net_passt, &net_tap, &net_hub };

	for (unsigned i = 0; i < ARRAY_LEN(all); i++)
		if (!strcmp(all[i]->name, c->backend))
			return all[i];
	return NULL;
}

struct net *net_open(const struct net_config *config, char *err, size_t errlen)
{
	struct net *n = xcalloc(1, sizeof(*n));
	uint64_t now = (uint64_t)monotonic_ns();

	n->config = config;
	n->ops = backend_named(config);
	bucket_init(&n->out_rate, config->rate / 8, now);
	bucket_init(&n->in_rate, config->rate / 8, now);
	n->out_most = out_limit(config->rate / 8);
	n->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (n->wake_fd < 0 || !make_queue(&n->out, OUT_BYTES) || !make_queue(&n->in, IN_BYTES) ||
	    !make_queue(&n->held, HELD_BYTES)) {
		snprintf(err, errlen, "--net: %s", strerror(errno));
		goto bad;
	}
	if (config->pcap && !(n->pcap = pcap_open(config->pcap, err, errlen)))
		goto bad;
	n->backend = n->ops->open(n, err, errlen);
	if (n->backend)
		return n;
bad:
	net_close(n);
	return NULL;
}

bool net_start(struct net *n, const struct net_host *host, unsigned bit, char *err, size_t errlen)
{
	struct timespec ts = { .tv_nsec = 100000 };
	sigset_t all, before;
	int rc;

	n->host = *host;
	n->bit = bit;
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	rc = pthread_create(&n->thread, NULL, net_thread, n);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	if (rc) {
		snprintf(err, errlen, "--net: cannot start a thread: %s", strerror(rc));
		return false;
	}
	n->started = true;
	while (__atomic_load_n(&n->state, __ATOMIC_ACQUIRE) == NET_STARTS)
		nanosleep(&ts, NULL);
	if (n->state == NET_FAILED)
		snprintf(err, errlen, "%s", n->why);
	return n->state == NET_SERVES;
}

void net_close(struct net *n)
{
	if (!n)
		return;
	if (n->started) {
		atomic_store(&n->ends, true);
		wake(n);
		pthread_join(n->thread, NULL);
	}
	if (n->backend)
		n->ops->close(n->backend);
	pcap_close(n->pcap);
	if (n->wake_fd >= 0)
		close(n->wake_fd);
	free(n->out.buf);
	free(n->in.buf);
	free(n->held.buf);
	free(n);
}

const struct net_stats *net_stats(const struct net *n)
{
	return &n->stats;
}

const struct net_config *net_config(const struct net *n)
{
	return n->config;
}

const atomic_bool *net_up(const struct net *n)
{
	return &n->up;
}

void net_queued(const struct net *n, uint32_t *out, uint32_t *in)
{
	*out = frames_used(&n->out);
	*in = frames_used(&n->in) + frames_used(&n->held);
}
