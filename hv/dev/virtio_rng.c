/* SPDX-License-Identifier: GPL-3.0-or-later
 * A virtio entropy device (Virtual I/O Device 1.2, 5.4): the driver offers buffers and gets them back filled
 * with random bytes, the host kernel's. Under the icount clock they are a generator's instead, whose state is
 * the machine's, so that runs are repeatable. A limit of bytes in a period of VM time keeps a guest from
 * using the host's processor for them alone: what exceeds it waits in the queue. */
#include <errno.h>
#include <sys/random.h>

#include "hv/dev/virtio.h"
#include "hv/device_options.h"

enum { QUEUE_SIZE = 8, CHUNK = 256, REQUEST_MAX = 64 << 10, NS_PER_MS = 1000000 };

struct virtio_rng {
	struct virtio v;
	struct vm_timer refill; /* set while a period runs */
	uint64_t max_bytes;	/* in a period; UINT64_MAX: no limit */
	uint64_t period_ms;
	uint64_t left;	    /* of this period's bytes */
	uint64_t generator; /* icount */
	uint64_t seed;
	uint64_t requests, bytes, waits;
	struct virtio_chain chain; /* the one being looked at */
};

static const struct state_field fields[] = {
	F_VIRTIO(virtio_rng, v),      F_TIMER(virtio_rng, refill),  F_NUM(virtio_rng, left),
	F_NUM(virtio_rng, generator), F_COUNTER(virtio_rng, bytes), F_COUNTER(virtio_rng, requests),
	F_COUNTER(virtio_rng, waits),
};
static const struct dev_counter counters[] = {
	{ "requests", offsetof(struct virtio_rng, requests), "buffers filled for the guest" },
	{ "bytes", offsetof(struct virtio_rng, bytes), "random bytes given" },
	{ "waits", offsetof(struct virtio_rng, waits), "times that a request met an exhausted limit" },
};
static const struct device_key keys[] = {
	{ "max-bytes", KEY_SIZE, offsetof(struct virtio_rng, max_bytes), 0, 0 },
	{ "period", KEY_NUMBER, offsetof(struct virtio_rng, period_ms), 1, 86400000 },
	{ "seed", KEY_NUMBER, offsetof(struct virtio_rng, seed), 0, UINT64_MAX },
};

/* ---- numbers ---- */

/* SplitMix64 (Steele, Lea, Flood 2014). */
static uint64_t generate(uint64_t *state)
{
	uint64_t z = *state += 0x9e3779b97f4a7c15ull;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9ull;
	z = (z ^ z >> 27) * 0x94d049bb133111ebull;
	return z ^ z >> 31;
}

static bool from_host(uint8_t *buf, size_t n)
{
	while (n) {
		ssize_t k = getrandom(buf, n, 0);

		if (k < 0 && errno != EINTR)
			return false;
		if (k > 0) {
			buf += k;
			n -= (size_t)k;
		}
	}
	return true;
}

static bool fill(struct virtio_rng *x, uint64_t buf[CHUNK / 8], size_t n)
{
	if (x->v.d.board->clock.mode != CLOCK_ICOUNT)
		return from_host((uint8_t *)buf, n);
	for (unsigned i = 0; i < CHUNK / 8; i++)
		buf[i] = generate(&x->generator);
	return true;
}

/* ---- the queue ---- */

/* Fill the first N bytes of the chain. */
static bool give(struct virtio_rng *x, uint64_t n)
{
	uint64_t buf[CHUNK / 8];

	for (uint64_t done = 0, part; done < n; done += part) {
		part = n - done < CHUNK ? n - done : CHUNK;
		if (!fill(x, buf, part)) {
			virtio_break(&x->v, "the host has no random numbers");
			return false;
		}
		if (!virtio_put(&x->v, &x->chain, done, buf, part)) {
			virtio_break(&x->v, "no memory where random numbers go");
			return false;
		}
	}
	return true;
}

/* A period begins with the first byte that it gives. */
static void charge(struct virtio_rng *x, uint64_t n)
{
	struct vm_clock *c = &x->v.d.board->clock;

	if (x->max_bytes == UINT64_MAX)
		return;
	x->left -= n;
	if (!x->refill.armed)
		timer_arm(c, &x->refill, clock_now(c) + x->period_ms * NS_PER_MS);
}

/* At most as many requests as the queue has entries: a driver whose rings overlap would never end. */
static void serve(struct virtio_rng *x)
{
	for (unsigned i = 0; i < QUEUE_SIZE && virtio_pop(&x->v, 0, &x->chain); i++) {
		uint64_t n = x->chain.in_len < REQUEST_MAX ? x->chain.in_len : REQUEST_MAX;

		if (n && !x->left) {
			virtio_unpop(&x->v, 0);
			x->waits++;
			return;
		}
		n = n < x->left ? n : x->left;
		if (!give(x, n))
			return;
		charge(x, n);
		x->requests++;
		x->bytes += n;
		virtio_push(&x->v, 0, x->chain.head, (uint32_t)n);
	}
}

static void refill(void *ctx)
{
	struct virtio_rng *x = ctx;

	x->left = x->max_bytes;
	serve(x);
}

static void notify(struct virtio *v, unsigned queue)
{
	(void)queue;
	serve((struct virtio_rng *)v);
}

/* ---- the device ---- */

static const struct virtio_type type = {
	.name = "Virtio entropy device",
	.id = 4,
	.class_code = 0x00ff00,
	.nqueues = 1,
	.queue_size = { QUEUE_SIZE },
	.notify = notify,
};

static bool open_rng(struct dev *d, char *err, size_t errlen)
{
	struct virtio_rng *x = (struct virtio_rng *)d;

	x->refill.fire = refill;
	x->refill.ctx = x;
	x->max_bytes = UINT64_MAX;
	x->period_ms = 1000;
	return device_options(d->config, keys, ARRAY_LEN(keys), x, err, errlen) &&
	       virtio_open(&x->v, &type, err, errlen);
}

static void reset(struct dev *d)
{
	struct virtio_rng *x = (struct virtio_rng *)d;

	virtio_reset(d);
	timer_cancel(&d->board->clock, &x->refill);
	x->left = x->max_bytes;
	x->generator = x->seed;
}

/* The limit is this machine's. */
static void loaded(struct dev *d)
{
	struct virtio_rng *x = (struct virtio_rng *)d;

	x->left = x->left < x->max_bytes ? x->left : x->max_bytes;
}

static void fini(struct dev *d)
{
	timer_cancel(&d->board->clock, &((struct virtio_rng *)d)->refill);
	virtio_fini((struct virtio *)d);
}

const struct dev_class virtio_rng_class = {
	.name = "virtio-rng",
	.help = "virtio entropy device: random numbers of the host's, or with the icount clock a seed's",
	.size = sizeof(struct virtio_rng),
	.hosted = true,
	DEV_FIELDS(fields),
	DEV_COUNTERS(counters),
	.open = open_rng,
	.reset = reset,
	.fini = fini,
	.loaded = loaded,
	.mmio_read = virtio_read,
	.mmio_write = virtio_write,
};
