/* SPDX-License-Identifier: GPL-3.0-or-later
 * See hv/io/block.h: queues, limits, completions and figures, over a back end (hv/io/backend.h).
 *
 * A request goes from the vCPU's thread to the drive's (QUEUE) and comes back (FINISHED, and a bit in the
 * notice), or is served at once (NOW). Host clock: one that a limit holds back waits in LATER until its time.
 * Icount clock: every request is in LATER as well, until the VM time of its completion, which depends on
 * nothing but requests. */
#include "hv/io/block.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/log.h"
#include "hv/io/backend.h"

/* A limit may be exceeded for so long, when less was used before. */
enum { BURST_NS = 100000000 };
/* What a request takes under the icount clock: about a solid-state disk. */
enum { ICOUNT_NS = 100000, ICOUNT_BYTES_PER_NS = 1 };

/* Longer transfers are better made beside the vCPU. */
#define NOW_MAX (256u << 10)

/* A token bucket, as the time at which it is full again (virtual scheduling). */
struct limit {
	uint64_t rate; /* a second; 0: none */
	uint64_t full;
};

struct list {
	struct block_request *head, **tail;
};

struct block {
	struct backend *back;
	char *name;
	struct block_host host;
	unsigned bit;
	/* the vCPU's thread */
	struct limit ops[2], bytes[2]; /* reads, writes */
	struct block_request *later;   /* by DUE, linked by LATER */
	struct vm_timer timer;
	struct list now; /* served at once, to be completed */
	bool completing; /* DONE of one of them, or of another request, runs */
	struct block_stats stats;
	void (*watch)(void *ctx, const struct block_request *r);
	void *watch_ctx;
	bool reported;
	/* shared */
	pthread_mutex_t lock;
	pthread_cond_t work, served;
	struct list queue, finished;
	bool busy, idle, quit; /* a request is being served; the thread waits for work; it is to end */
	enum { BEGINS, SERVES, FAILED } state;
	char why[200]; /* it has failed */
	pthread_t thread;
	bool have_thread;
};

static void list_init(struct list *l)
{
	l->head = NULL;
	l->tail = &l->head;
}

static void list_add(struct list *l, struct block_request *r)
{
	r->next = NULL;
	*l->tail = r;
	l->tail = &r->next;
}

static struct block_request *list_take(struct list *l)
{
	struct block_request *r = l->head;

	if (!r)
		return NULL;
	l->head = r->next;
	if (!l->head)
		l->tail = &l->head;
	return r;
}

static bool icount(const struct block *b)
{
	return b->host.clock->mode == CLOCK_ICOUNT;
}

/* ---- the drive's thread ---- */

static int serve(struct backend *e, const struct block_request *r)
{
	if (r->op == BLOCK_FLUSH)
		return e->ops->flush(e);
	if (r->at > e->size || r->len > e->size - r->at)
		return EINVAL;
	if (r->op == BLOCK_READ)
		return e->ops->read(e, r->at, r->buf, (size_t)r->len);
	if (e->read_only)
		return EROFS;
	return r->op == BLOCK_WRITE ? e->ops->write(e, r->at, r->buf, (size_t)r->len)
				    : e->ops->discard(e, r->at, r->len);
}

/* Hand back R, which is served. Called and returns with the lock held. */
static void give_back(struct block *b, struct block_request *r, int error)
{
	r->error = error;
	r->served = true;
	b->busy = false;
	if (!icount(b))
		list_add(&b->finished, r);
	pthread_cond_broadcast(&b->served);
	if (icount(b))
		return;
	pthread_mutex_unlock(&b->lock);
	io_notice_set(b->host.notice, b->bit);
	pthread_mutex_lock(&b->lock);
}

static struct block_request *next_request(struct block *b)
{
	struct block_request *r;

	while (!(r = list_take(&b->queue)) && !b->quit) {
		b->idle = true;
		pthread_cond_wait(&b->work, &b->lock);
		b->idle = false;
	}
	return r;
}

static void block_signals(void)
{
	sigset_t all;

	sigfillset(&all);
	sigdelset(&all, SIGSYS); /* a forbidden call is reported */
	pthread_sigmask(SIG_BLOCK, &all, NULL);
}

static void *work(void *arg)
{
	struct block *b = arg;
	bool (*begins)(char *why, size_t len) = b->host.thread_begins;
	struct block_request *r;

	block_signals();
	pthread_setname_np(pthread_self(), "disk");
	pthread_mutex_lock(&b->lock);
	b->state = begins && !begins(b->why, sizeof(b->why)) ? FAILED : SERVES;
	pthread_cond_broadcast(&b->served);
	while (b->state == SERVES && (r = next_request(b))) {
		int error;

		b->busy = true;
		pthread_mutex_unlock(&b->lock);
		error = serve(b->back, r);
		pthread_mutex_lock(&b->lock);
		give_back(b, r, error);
	}
	pthread_mutex_unlock(&b->lock);
	return NULL;
}

/* ---- completions ---- */

static void report(struct block *b, const struct block_request *r)
{
	static const char *const ops[BLOCK_OPS] = { "read", "write", "flush", "discard" };
	char line[400];

	b->stats.errors++;
	b->stats.last_error = r->error;
	LOG(dev, "%s: %s of %llu bytes at %llu: %s", b->name, ops[r->op], (unsigned long long)r->len,
	    (unsigned long long)r->at, strerror(r->error));
	if (b->reported || !b->host.report)
		return;
	b->reported = true;
	snprintf(line, sizeof(line),
		 "%s: %s at byte %llu failed: %s (reported once; the guest sees each error)", b->name,
		 ops[r->op], (unsigned long long)r->at, strerror(r->error));
	b->host.report(b->host.ctx, line);
}

static void complete(struct block *b, struct block_request *r)
{
	struct block_stats *s = &b->stats;
	uint64_t took = clock_now(b->host.clock) - r->submitted;

	s->depth--;
	s->completed++;
	s->latency += took;
	if (took > s->latency_max)
		s->latency_max = took;
	if (r->error)
		report(b, r);
	b->completing = true;
	r->done(r);
	b->completing = false;
}

/* Complete what was served at once, also by requests that DONE submits. */
static void complete_now(struct block *b)
{
	struct block_request *r;

	while (!b->completing && (r = list_take(&b->now)))
		complete(b, r);
}

static void wait_served(struct block *b, const struct block_request *r)
{
	pthread_mutex_lock(&b->lock);
	while (!r->served)
		pthread_cond_wait(&b->served, &b->lock);
	pthread_mutex_unlock(&b->lock);
}

void block_deliver(struct block *b)
{
	struct block_request *r;

	for (;;) {
		pthread_mutex_lock(&b->lock);
		r = list_take(&b->finished);
		pthread_mutex_unlock(&b->lock);
		if (!r)
			break;
		complete(b, r);
	}
	complete_now(b);
}

/* ---- submission ---- */

/* When a request of COST tokens may begin, of which it takes note. */
static uint64_t allowed(struct limit *l, uint64_t now, uint64_t cost)
{
	uint64_t full = l->full > now ? l->full : now;
	uint64_t begin = full > now + BURST_NS ? full - BURST_NS : now;

	if (!l->rate)
		return now;
	l->full = full + muldiv64(cost, NS_PER_SEC, l->rate);
	return begin;
}

static uint64_t begin_time(struct block *b, const struct block_request *r, uint64_t now)
{
	uint64_t a, c;

	if (r->op != BLOCK_READ && r->op != BLOCK_WRITE)
		return now;
	a = allowed(&b->ops[r->op], now, 1);
	c = allowed(&b->bytes[r->op], now, r->len);
	return a > c ? a : c;
}

static void to_thread(struct block *b, struct block_request *r)
{
	pthread_mutex_lock(&b->lock);
	list_add(&b->queue, r);
	if (b->idle)
		pthread_cond_signal(&b->work);
	pthread_mutex_unlock(&b->lock);
}

static void arm(struct block *b)
{
	if (b->later)
		timer_arm(b->host.clock, &b->timer, b->later->due);
	else
		timer_cancel(b->host.clock, &b->timer);
}

static void add_later(struct block *b, struct block_request *r)
{
	struct block_request **p = &b->later;

	while (*p && (*p)->due <= r->due)
		p = &(*p)->later;
	r->later = *p;
	*p = r;
	arm(b);
}

static struct block_request *take_later(struct block *b)
{
	struct block_request *r = b->later;

	if (r)
		b->later = r->later;
	return r;
}

/* The first request of LATER is due. */
static void due(struct block *b)
{
	struct block_request *r = take_later(b);

	if (!icount(b)) {
		to_thread(b, r);
		return;
	}
	wait_served(b, r);
	complete(b, r);
	complete_now(b);
}

static void on_timer(void *ctx)
{
	struct block *b = ctx;
	uint64_t now = clock_now(b->host.clock);

	while (b->later && b->later->due <= now)
		due(b);
	arm(b);
}

/* Serve R here and now, if the host need not wait. No other request is in flight: the drive's thread does not
 * use the back end, and order is kept. */
static bool serve_now(struct block *b, struct block_request *r)
{
	const struct backend_ops *ops = b->back->ops;
	uint64_t size = b->back->size;

	if (b->stats.depth != 1 || r->op > BLOCK_WRITE || !r->len || r->len > NOW_MAX || r->at > size ||
	    r->len > size - r->at)
		return false;
	if (r->op == BLOCK_READ)
		r->served = ops->read_now && ops->read_now(b->back, r->at, r->buf, (size_t)r->len);
	else
		r->served = ops->write_now && !b->back->read_only &&
			    ops->write_now(b->back, r->at, r->buf, (size_t)r->len);
	b->stats.at_once += r->served;
	return r->served;
}

static void count(struct block *b, const struct block_request *r)
{
	struct block_stats *s = &b->stats;

	s->requests[r->op]++;
	s->bytes[r->op] += r->len;
	if (++s->depth > s->depth_max)
		s->depth_max = s->depth;
}

void block_submit(struct block *b, struct block_request *r)
{
	uint64_t now = clock_now(b->host.clock), begin;

	r->error = 0;
	r->served = false;
	r->submitted = now;
	if (r->op == BLOCK_FLUSH)
		r->at = r->len = 0;
	count(b, r);
	if (b->watch)
		b->watch(b->watch_ctx, r);
	begin = begin_time(b, r, now);
	b->stats.delayed += begin > now;
	r->due = begin;
	if (icount(b)) {
		r->due += ICOUNT_NS + (r->op == BLOCK_DISCARD ? 0 : r->len / ICOUNT_BYTES_PER_NS);
		if (!serve_now(b, r))
			to_thread(b, r);
	}
	if (icount(b) || begin > now) {
		add_later(b, r);
	} else if (serve_now(b, r)) {
		list_add(&b->now, r);
		complete_now(b);
	} else {
		to_thread(b, r);
	}
}

void block_watch(struct block *b, void (*watch)(void *ctx, const struct block_request *r), void *ctx)
{
	b->watch = watch;
	b->watch_ctx = ctx;
}

/* ---- draining, cancelling ---- */

/* Host clock: let the thread finish what it has. */
static void wait_idle(struct block *b)
{
	pthread_mutex_lock(&b->lock);
	while (b->queue.head || b->busy)
		pthread_cond_wait(&b->served, &b->lock);
	pthread_mutex_unlock(&b->lock);
}

void block_drain(struct block *b)
{
	while (b->stats.depth) {
		while (b->later)
			due(b);
		wait_idle(b);
		block_deliver(b);
	}
	arm(b);
}

void block_cancel(struct block *b)
{
	if (!b->have_thread)
		return;
	b->later = NULL;
	arm(b);
	pthread_mutex_lock(&b->lock);
	list_init(&b->now);
	list_init(&b->queue);
	while (b->busy)
		pthread_cond_wait(&b->served, &b->lock);
	list_init(&b->finished);
	pthread_mutex_unlock(&b->lock);
	b->stats.depth = 0;
}

void block_rebase(struct block *b)
{
	for (unsigned i = 0; i < 2; i++)
		b->ops[i].full = b->bytes[i].full = 0;
}

static void transferred(struct block_request *r)
{
	*(bool *)r->ctx = true;
}

int block_transfer(struct block *b, enum block_op op, uint64_t at, void *buf, size_t n)
{
	bool done = false;
	struct block_request r = {
		.op = op, .at = at, .len = n, .buf = buf, .done = transferred, .ctx = &done
	};

	if (!b->have_thread)
		return serve(b->back, &r);
	block_submit(b, &r);
	block_drain(b);
	return done ? r.error : ECANCELED;
}

/* ---- opening and closing ---- */

static bool is_nbd(const char *file)
{
	return !strncmp(file, "nbd:", 4) || !strncmp(file, "nbds:", 5) || !strncmp(file, "nbd+", 4) ||
	       !strncmp(file, "nbds+", 5);
}

struct block *block_open(const struct drive_config *c, char *err, size_t errlen)
{
	bool ro = c->read_only || c->overlay;
	struct backend *e =
	    is_nbd(c->file) ? nbd_open(c->file, ro, err, errlen) : raw_open(c->file, ro, err, errlen);
	const struct drive_limits *l = &c->limits;
	struct block *b;

	if (e && c->overlay)
		e = overlay_open(e, c->overlay, err, errlen);
	if (!e)
		return NULL;
	b = xcalloc(1, sizeof(*b));
	b->back = e;
	b->name = xstrdup(c->file);
	b->ops[BLOCK_READ].rate = l->iops_read;
	b->ops[BLOCK_WRITE].rate = l->iops_write;
	b->bytes[BLOCK_READ].rate = l->bps_read;
	b->bytes[BLOCK_WRITE].rate = l->bps_write;
	b->timer = (struct vm_timer){ .fire = on_timer, .ctx = b };
	list_init(&b->now);
	list_init(&b->queue);
	list_init(&b->finished);
	pthread_mutex_init(&b->lock, NULL);
	pthread_cond_init(&b->work, NULL);
	pthread_cond_init(&b->served, NULL);
	return b;
}

bool block_start(struct block *b, const struct block_host *host, unsigned bit, char *err, size_t errlen)
{
	b->host = *host;
	b->bit = bit;
	b->have_thread = !pthread_create(&b->thread, NULL, work, b);
	if (!b->have_thread) {
		snprintf(err, errlen, "%s: cannot start the drive's thread", b->name);
		return false;
	}
	pthread_mutex_lock(&b->lock);
	while (b->state == BEGINS)
		pthread_cond_wait(&b->served, &b->lock);
	pthread_mutex_unlock(&b->lock);
	if (b->state == FAILED)
		snprintf(err, errlen, "%s", b->why);
	return b->state == SERVES;
}

void block_close(struct block *b)
{
	if (!b)
		return;
	pthread_mutex_lock(&b->lock);
	b->quit = true;
	pthread_cond_signal(&b->work);
	pthread_mutex_unlock(&b->lock);
	if (b->have_thread)
		pthread_join(b->thread, NULL);
	b->back->ops->close(b->back);
	pthread_cond_destroy(&b->work);
	pthread_cond_destroy(&b->served);
	pthread_mutex_destroy(&b->lock);
	free(b->name);
	free(b);
}

/* ---- what it is ---- */

uint64_t block_size(const struct block *b)
{
	return b->back->size;
}

bool block_read_only(const struct block *b)
{
	return b->back->read_only;
}

const char *block_name(const struct block *b)
{
	return b->name;
}

const char *block_kind(const struct block *b)
{
	return b->back->ops->kind;
}

const struct block_stats *block_stats(const struct block *b)
{
	return &b->stats;
}
